/* import_onnx_run.c - the imported network, run once: the shape of each value against what the file says of it, and
 * outputs against samples that lie beside the file, as in the ONNX model zoo (test_data_set_N/input_0.pb, output_0.pb).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "import/import_onnx.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/file.h"
#include "import/operators/import_onnx_operators.h"
#include "layers/wired.h"

/* Dimensions as text: 1x3x8x8, N for a batch or what is not fixed. */
static const char *text_of(const int64_t *dims, int n, char *buf, size_t size)
{
    size_t at = 0;
    *buf = 0;
    for (int i = 0; i < n && at < size; i++)
        at += (size_t)(dims[i] >= 0 ? ib_snprintf(buf + at, size - at, "%s%lld", i ? "x" : "", (long long)dims[i])
                                    : ib_snprintf(buf + at, size - at, "%sN", i ? "x" : ""));
    return buf;
}

/* What the file says of a value; NULL: nothing. */
static const IbOnnx__ValueInfoProto *said_of(const ib_importer *m, const char *name)
{
    for (size_t i = 0; i < m->g->n_output; i++)
        if (m->g->output[i]->name && !strcmp(m->g->output[i]->name, name))
            return m->g->output[i];
    for (size_t i = 0; i < m->g->n_value_info; i++)
        if (m->g->value_info[i]->name && !strcmp(m->g->value_info[i]->name, name))
            return m->g->value_info[i];
    return NULL;
}

static ib_status compare_shape(const ib_importer *m, const ib_symbol *s)
{
    const IbOnnx__ValueInfoProto *v = said_of(m, s->name);
    const IbOnnx__TensorTypeProto *type = v && v->type ? v->type->tensor_type : NULL;
    const IbOnnx__TensorShapeProto *shape = type ? type->shape : NULL;
    int64_t dims[4], other[8];
    char a[100], b[100];
    if (type && type->elem_type && type->elem_type != 1)
        return ib_fail(IB_EFORMAT, "%s: value '%s' is of float32 (1) here, and of type %d as the file says", m->path,
                       s->name, type->elem_type);
    if (!shape)
        return IB_OK;
    const int n = ib_import_view(s, dims), said = shape->n_dim < 8 ? (int)shape->n_dim : 8;
    int differ = n != (int)shape->n_dim;
    for (int i = 0; i < said; i++) {
        other[i] = shape->dim[i]->has_dim_value ? shape->dim[i]->dim_value : -1;
        differ |= i > 0 && i < n && other[i] >= 0 && other[i] != dims[i];
    }
    if (!differ)
        return IB_OK;
    return ib_fail(IB_EFORMAT, "%s: value '%s' is %s here, and %s as the file says", m->path, s->name,
                   text_of(dims, n, a, sizeof a), text_of(other, said, b, sizeof b));
}

/* The shape that a layer gave against the one that the importer followed. */
static ib_status compare_result(const ib_importer *m, const ib_symbol *s, const ib_tensor *t)
{
    char a[100], b[100];
    int same = t->ndim == s->ndim;
    for (int i = 1; i < s->ndim && same; i++)
        same = t->shape[i] == s->shape[i];
    return same ? IB_OK
                : ib_fail(IB_EFORMAT, "%s: value '%s' came out as %s where %s was expected", m->path, s->name,
                          text_of(t->shape, t->ndim, a, sizeof a), text_of(s->shape, s->ndim, b, sizeof b));
}

/* A small file may ask for large images: beyond a quarter of a GiB of values or 2^32 products for one sample (ResNet-50
 * at 224 x 224 stays below both) the network is not run. */
static int can_be_run(const ib_importer *m)
{
    return m->elements <= 1 << 26 && m->products <= 4294967296.0;
}

static ib_status compare_shapes(const ib_importer *m, ib_layer *net, ib_graph *g)
{
    const ib_input_info *in = ib_layer_input(net);
    const int64_t shape[] = {1, in->c, in->h, in->w};
    float *x = ib_alloc((size_t)in->c * (size_t)in->h * (size_t)in->w * sizeof *x);
    ib_tensor **values = ib_alloc(((size_t)m->steps + 1) * sizeof(ib_tensor *));
    ib_status status = x && values ? IB_OK : IB_ENOMEM;
    const int runs = can_be_run(m);
    if (!status && runs) {
        ib_graph_begin(g, IB_EVAL);
        if (!ib_wired_values(net, g, ib_input(g, 4, shape, x), values)) {
            status = ib_error_status();
            ib_error_prefix("%s", m->path);
        }
    }
    for (int i = 0; i < m->n_symbols && !status; i++) {
        const ib_symbol *s = &m->symbols[i];
        if (s->value < 0)
            continue;
        status = *s->name ? compare_shape(m, s) : IB_OK;
        if (!status && runs)
            status = compare_result(m, s, values[s->value]);
    }
    ib_free(values);
    ib_free(x);
    return status;
}

/* A tensor of float32 from a file, its elements in *x; NULL with an error. */
static IbOnnx__TensorProto *read_tensor(const ib_importer *m, const char *path, float **x)
{
    size_t size;
    int64_t n;
    ProtobufCAllocator memory = ib_import_memory();
    unsigned char *bytes = ib_file_read(path, &size);
    const uint64_t failures = ib_failures();
    IbOnnx__TensorProto *t = bytes ? ib_onnx__tensor_proto__unpack(&memory, size, bytes) : NULL;
    ib_free(bytes);
    if (!t && ib_failures() == failures && bytes)
        ib_fail(IB_EFORMAT, "%s: is no tensor of ONNX", path);
    const ib_symbol s = {.name = path, .constant = t, .type = t ? t->data_type : 0};
    if (t && !(*x = ib_import_reals(m, &s, &n))) {
        ib_onnx__tensor_proto__free_unpacked(t, &memory);
        t = NULL;
    }
    return t;
}

/* Elements [n,h,w,c] as [n,c,h,w]; NULL if memory is out. */
static float *turned(const float *x, int64_t n, int64_t c, int64_t area)
{
    float *y = ib_alloc((size_t)(n * c * area) * sizeof *y);
    for (int64_t i = 0; y && i < n; i++)
        for (int64_t p = 0; p < area; p++)
            for (int64_t k = 0; k < c; k++)
                y[(i * c + k) * area + p] = x[(i * area + p) * c + k];
    return y;
}

/* Outputs for x against y: within one in a thousand of the largest, as the ONNX backend tests allow. */
static ib_status compare_outputs(const ib_importer *m, ib_layer *net, ib_graph *g, const char *of,
                                 const IbOnnx__TensorProto *t, float *x, const IbOnnx__TensorProto *expected,
                                 const float *y)
{
    const ib_input_info *in = ib_layer_input(net);
    const int64_t size = (int64_t)in->c * in->h * in->w, n = ib_import_count(t) / size;
    if (n < 1 || n * size != ib_import_count(t) || t->dims[0] != n)
        return ib_fail(IB_EFORMAT, "%s: %s has %lld elements for samples of %lld", m->path, of,
                       (long long)ib_import_count(t), (long long)size);
    float *own = m->input_last ? turned(x, n, in->c, (int64_t)in->h * in->w) : NULL;
    if (m->input_last && !own)
        return IB_ENOMEM;
    ib_graph_begin(g, IB_EVAL);
    const ib_tensor *out = ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){n, in->c, in->h, in->w}, own ? own : x));
    ib_status status = out ? IB_OK : ib_error_status();
    if (out && ib_tensor_size(out) != ib_import_count(expected))
        status = ib_fail(IB_EFORMAT, "%s: has %lld outputs for the samples of %s, which has %lld", m->path,
                         (long long)ib_tensor_size(out), of, (long long)ib_import_count(expected));
    void *copy = NULL;
    const float *made = status ? NULL : ib_tensor_look(out, &copy);
    double largest = 0;
    if (!status && !made)
        status = ib_error_status();
    for (int64_t i = 0; !status && i < ib_tensor_size(out); i++)
        largest = fmax(largest, fabs(y[i]));
    for (int64_t i = 0; !status && i < ib_tensor_size(out); i++) {
        const float v = made[i];
        if (!(fabs((double)v - y[i]) <= 1e-3 * largest + 1e-6))
            status = ib_fail(IB_EFORMAT, "%s: output %lld of the samples of %s is %.6g here and %.6g there", m->path,
                             (long long)i, of, v, y[i]);
    }
    ib_free(copy);
    ib_free(own);
    return status;
}

static ib_status compare_samples(const ib_importer *m, ib_layer *net, ib_graph *g)
{
    const char *slash = strrchr(m->path, '/');
    const int folder = slash ? (int)(slash - m->path + 1) : 0;
    ProtobufCAllocator memory = ib_import_memory();
    ib_status status = IB_OK;
    for (int i = 0; !status; i++) {
        char *in = ib_format_text("%.*stest_data_set_%d/input_0.pb", folder, m->path, i),
             *out = ib_format_text("%.*stest_data_set_%d/output_0.pb", folder, m->path, i);
        float *x = NULL, *y = NULL;
        const int there = in && out && !access(in, R_OK) && !access(out, R_OK);
        IbOnnx__TensorProto *t = there ? read_tensor(m, in, &x) : NULL, *expected = t ? read_tensor(m, out, &y) : NULL;
        status = !in || !out ? IB_ENOMEM
                 : !there    ? IB_OK
                 : expected  ? compare_outputs(m, net, g, in, t, x, expected, y)
                             : ib_error_status();
        ib_free(x);
        ib_free(y);
        if (t)
            ib_onnx__tensor_proto__free_unpacked(t, &memory);
        if (expected)
            ib_onnx__tensor_proto__free_unpacked(expected, &memory);
        ib_free(in);
        ib_free(out);
        if (!there)
            break;
    }
    return status;
}

ib_status ib_import_compare(const ib_importer *m, ib_layer *net)
{
    ib_graph *g = ib_graph_new(m->dev->host); /* the network lies in the host's memory still */
    ib_status status = g ? compare_shapes(m, net, g) : ib_error_status();
    if (!status)
        status = compare_samples(m, net, g);
    ib_graph_free(g);
    return status;
}
