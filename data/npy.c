/* npy.c - one array of numbers in NumPy's own format (NEP 1; numpy.lib.format): the magic "\x93NUMPY", a version, the length of a header, the
 * header as a Python literal {'descr': '<f4', 'fortran_order': False, 'shape': (8, 3, 32, 32), }, and the values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "files/file.h"
#include "tensor/number.h"

typedef struct npy {
    const char *path;
    char type[24]; /* without its byte order */
    int big, fortran, ndim;
    int64_t dims[IB_MAX_FILE_DIMS], values;
    const uint8_t *data;
} npy;

/* ---- the header ---- */

static const char *skip(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* 'text' or "text" into out; returns what follows, NULL if p is none or it is too long. */
static const char *quoted(const char *p, char *out, size_t size)
{
    const char quote = *(p = skip(p)), *end = quote == '\'' || quote == '"' ? strchr(p + 1, quote) : NULL;
    if (!end || (size_t)(end - p) > size)
        return NULL;
    memcpy(out, p + 1, (size_t)(end - p) - 1);
    out[end - p - 1] = 0;
    return end + 1;
}

/* (), (8,), (8, 3), and (8L, 3L) of Python 2 */
static const char *tuple(const char *p, npy *a)
{
    if (*(p = skip(p)) != '(')
        return NULL;
    for (p = skip(p + 1); *p != ')'; p = skip(p)) {
        char *end;
        if (*p < '0' || *p > '9' || a->ndim == IB_MAX_FILE_DIMS)
            return NULL;
        const long long v = strtoll(p, &end, 10);
        a->dims[a->ndim++] = v;
        p = skip(*end == 'L' ? end + 1 : end);
        if (v < 0 || v > (long long)1 << 48 || (*p != ',' && *p != ')'))
            return NULL;
        p += *p == ',';
    }
    return p + 1;
}

/* The three keys, each once; 0 if the text is anything else. */
static int read_header(const char *p, npy *a)
{
    char key[24], type[sizeof a->type + 1];
    int seen = 0;
    if (*(p = skip(p)) != '{')
        return 0;
    for (p = skip(p + 1); *p != '}'; p = skip(p)) {
        if (!(p = quoted(p, key, sizeof key)) || *(p = skip(p)) != ':')
            return 0;
        p = skip(p + 1);
        int bit = 0;
        if (!strcmp(key, "descr")) {
            bit = 1;
            if (!(p = quoted(p, type, sizeof type)))
                return 0;
            const int order = strchr("<>=|", *type) && *type;
            a->big = *type == '>';
            ib_snprintf(a->type, sizeof a->type, "%s", type + order);
        } else if (!strcmp(key, "fortran_order")) {
            bit = 2;
            a->fortran = !strncmp(p, "True", 4);
            if (!a->fortran && strncmp(p, "False", 5))
                return 0;
            p += a->fortran ? 4 : 5;
        } else if (!strcmp(key, "shape")) {
            bit = 4;
            if (!(p = tuple(p, a)))
                return 0;
        }
        if (!bit || seen & bit)
            return 0;
        seen |= bit;
        p = skip(p);
        if (*p != ',' && *p != '}')
            return 0;
        p += *p == ',';
    }
    return seen == 7 && !*skip(p + 1);
}

/* ---- the values ---- */

static uint64_t bits_of(const npy *a, const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[a->big ? bytes - 1 - i : i] << 8 * i;
    return v;
}

static double half(uint64_t v)
{
    const int e = (int)(v >> 10 & 31), m = (int)(v & 1023);
    const double x = e == 31 ? m ? NAN : INFINITY : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return v >> 15 ? -x : x;
}

/* What can be read: kind f real, i signed, u unsigned. */
static const struct type {
    const char *name;
    char kind;
    int bytes;
} types[] = {{"f4", 'f', 4}, {"f8", 'f', 8}, {"f2", 'f', 2}, {"u1", 'u', 1}, {"i1", 'i', 1}, {"u2", 'u', 2}, {"i2", 'i', 2},
             {"u4", 'u', 4}, {"i4", 'i', 4}, {"u8", 'u', 8}, {"i8", 'i', 8}};

static double value_of(const npy *a, const struct type *t, int64_t i)
{
    const uint64_t v = bits_of(a, a->data + i * t->bytes, t->bytes);
    if (t->kind == 'f' && t->bytes == 4) {
        const uint32_t w = (uint32_t)v;
        float x;
        memcpy(&x, &w, sizeof x);
        return x;
    }
    if (t->kind == 'f' && t->bytes == 8) {
        double x;
        memcpy(&x, &v, sizeof x);
        return x;
    }
    if (t->kind == 'f')
        return half(v);
    const int above = 64 - 8 * t->bytes;
    const double x = t->kind == 'i' ? (double)((int64_t)(v << above) >> above) : (double)v;
    return fabs(x) > 9007199254740992.0 ? nextafter(x, 0) : x; /* beyond 2^53 x may be rounded: something near that is no fp32 number */
}

/* Place in the file of element i of C order. */
static int64_t place_of(const npy *a, int64_t i)
{
    int64_t at = 0, stride = a->values;
    for (int k = a->ndim - 1; k >= 0; k--) {
        stride /= a->dims[k];
        at += i % a->dims[k] * stride;
        i /= a->dims[k];
    }
    return at;
}

static ib_dataset *read_values(const npy *a, ib_split split, const ib_input_info *net, const struct type *t)
{
    int64_t s[4];
    int raw_max = 0;
    if (ib_dataset_shape(a->path, a->ndim, a->dims, net, s))
        return NULL;
    if (t->kind != 'f' && (raw_max = net ? ib_dataset_raw_max(a->path, net) : t->bytes == 1 && t->kind == 'u' ? 255 : 0) < 0)
        return NULL;
    ib_dataset *d = ib_dataset_reserve(a->path, s[0], s[1], s[2], s[3], raw_max, 0);
    for (int64_t i = 0; d && i < a->values; i++) {
        const double v = value_of(a, t, a->fortran ? place_of(a, i) : i);
        d->x[i] = (float)v;
        if (isinf(d->x[i]) && isfinite(v)) {
            ib_fail(IB_ENUMERIC, "%s: value %.9g in sample %lld is beyond single precision", a->path, v,
                    (long long)(i / (a->values / s[0])));
            ib_dataset_free(d);
            return NULL;
        }
        if (t->kind != 'f' && ((double)d->x[i] != v || (raw_max && !(v >= 0 && v <= raw_max)))) {
            const long long sample = i / (a->values / s[0]);
            if (raw_max)
                ib_fail(IB_EFORMAT, "%s: value %.0f in sample %lld is not in 0..%d, the raw values of the model", a->path, v, sample, raw_max);
            else
                ib_fail(IB_ENUMERIC, "%s: value %.0f in sample %lld is no fp32 number", a->path, v, sample);
            ib_dataset_free(d);
            return NULL;
        }
        if (raw_max)
            d->x[i] /= (float)raw_max;
    }
    return ib_dataset_every_fifth(ib_dataset_finish(a->path, d), split);
}

static ib_dataset *read_array(npy *a, const ib_mapped *m, ib_split split, const ib_input_info *net)
{
    const uint8_t *b = m->data;
    const struct type *t = NULL;
    if (m->size < 10 || memcmp(b, "\x93NUMPY", 6))
        return ib_fail_null(IB_EFORMAT, "%s: is no .npy file of NumPy", a->path);
    if (b[6] < 1 || b[6] > 3 || b[7])
        return ib_fail_null(IB_EUNSUPPORTED, "%s: is of version %d.%d of NumPy's format; 1.0, 2.0 and 3.0 are possible", a->path, b[6], b[7]);
    const size_t head = b[6] == 1 ? 10 : 12;
    size_t length = 0;
    for (size_t i = 8; i < head && i < m->size; i++)
        length |= (size_t)b[i] << 8 * (i - 8);
    if (m->size < head + length)
        return ib_fail_null(IB_EFORMAT, "%s: ends within its header", a->path);
    char *text = ib_alloc(length + 1); /* zeroed */
    if (!text)
        return NULL;
    memcpy(text, b + head, length);
    const int good = strlen(text) == length && read_header(text, a);
    ib_free(text);
    if (!good)
        return ib_fail_null(IB_EFORMAT, "%s: its header is not {'descr': ..., 'fortran_order': ..., 'shape': ...} of one array of numbers", a->path);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, a->type))
            t = &types[i];
    if (!t)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: holds numbers of type '%s'; float16, float32, float64 and integers of 8 to 64 bits are possible", a->path, a->type);
    const int64_t room = (int64_t)(m->size - head - length);
    a->values = 1;
    for (int i = 0; i < a->ndim; i++)
        if (!a->dims[i])
            return ib_fail_null(IB_EFORMAT, "%s: holds no sample: dimension %d is 0", a->path, i);
        else if (a->dims[i] > room / a->values) /* values of a byte at least */
            return ib_fail_null(IB_EFORMAT, "%s: ends before the values that its shape declares", a->path);
        else
            a->values *= a->dims[i];
    if (a->values > room / t->bytes)
        return ib_fail_null(IB_EFORMAT, "%s: ends before the values that its shape declares", a->path);
    if (room != a->values * t->bytes)
        return ib_fail_null(IB_EFORMAT, "%s: has %lld bytes behind its array", a->path, (long long)(room - a->values * t->bytes));
    a->data = b + head + length;
    return read_values(a, split, net, t);
}

ib_dataset *ib_npy_open(const char *path, ib_split split, const ib_input_info *net)
{
    npy a = {.path = path};
    ib_mapped m;
    if (ib_file_map(path, &m))
        return NULL;
    ib_dataset *d = read_array(&a, &m, split, net);
    ib_file_unmap(&m);
    return d;
}
