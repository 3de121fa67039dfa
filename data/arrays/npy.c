/* npy.c - one array of numbers in NumPy's own format (NEP 1; numpy.lib.format): the magic "\x93NUMPY", a version, the
 * length of a header, the header as a Python literal {'descr': '<f4', 'fortran_order': False, 'shape': (8, 3, 32,
 * 32), }, and the values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "data/arrays/npy.h"
#include "files/file.h"

enum { TYPE_NAME = 24 };

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
static const char *tuple(const char *p, ib_npy *a)
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
static int read_header(const char *p, ib_npy *a, char type_name[TYPE_NAME])
{
    char key[24], type[TYPE_NAME + 1];
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
            ib_snprintf(type_name, TYPE_NAME, "%s", type + order);
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

static uint64_t bits_of(const ib_npy *a, const uint8_t *p, int bytes)
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
static const struct ib_npy_type {
    const char *name;
    char kind;
    int bytes;
} types[] = {{"f4", 'f', 4}, {"f8", 'f', 8}, {"f2", 'f', 2}, {"u1", 'u', 1}, {"i1", 'i', 1}, {"u2", 'u', 2},
             {"i2", 'i', 2}, {"u4", 'u', 4}, {"i4", 'i', 4}, {"u8", 'u', 8}, {"i8", 'i', 8}};

static double value_of(const ib_npy *a, int64_t i)
{
    const struct ib_npy_type *t = a->type;
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
    return fabs(x) > 9007199254740992.0 ? nextafter(x, 0) : x; /* beyond 2^53 x may be rounded: something near that
                                                                  is no fp32 number */
}

/* Place in the file of element i of C order. */
static int64_t place_of(const ib_npy *a, int64_t i)
{
    int64_t at = 0, stride = a->values;
    for (int k = a->ndim - 1; k >= 0; k--) {
        stride /= a->dims[k];
        at += i % a->dims[k] * stride;
        i /= a->dims[k];
    }
    return at;
}

static ib_status read_values(const ib_npy *a, ib_dataset *d)
{
    const int whole = a->type->kind != 'f';
    const int64_t size = a->values / d->n;
    for (int64_t i = 0; i < a->values; i++) {
        const double v = value_of(a, a->fortran ? place_of(a, i) : i);
        const long long sample = i / size;
        d->x[i] = (float)v;
        if (isinf(d->x[i]) && isfinite(v))
            return ib_fail(IB_ENUMERIC, "%s: value %.9g in sample %lld is beyond single precision", a->name, v, sample);
        if (whole && d->raw_max && !(v >= 0 && v <= d->raw_max))
            return ib_fail(IB_EFORMAT, "%s: value %.0f in sample %lld is not in 0..%d, the raw values of the model",
                           a->name, v, sample, d->raw_max);
        if (whole && (double)d->x[i] != v)
            return ib_fail(IB_ENUMERIC, "%s: value %.0f in sample %lld is no fp32 number", a->name, v, sample);
        if (d->raw_max)
            d->x[i] /= (float)d->raw_max;
    }
    return IB_OK;
}

static ib_status read_labels(const ib_npy *y, ib_dataset *d)
{
    if (y->ndim < 1 || y->ndim > 2 || (y->ndim == 2 && y->dims[1] != 1) || y->type->kind == 'f')
        return ib_fail(IB_EFORMAT,
                       "%s: labels are integers [N] or [N,1]; these are of type '%s' with %d dimensions (--task "
                       "regression learns numbers)",
                       y->name, y->type->name, y->ndim);
    if (y->values != d->n)
        return ib_fail(IB_EFORMAT, "%s: %lld labels for %lld samples", y->name, (long long)y->values, (long long)d->n);
    for (int64_t i = 0; i < d->n; i++) {
        const double v = value_of(y, i);
        if (!(v >= 0 && v < 65536))
            return ib_fail(IB_EFORMAT, "%s: label %.0f of sample %lld is not in 0..65535", y->name, v, (long long)i);
        d->y[i] = (int32_t)v;
    }
    return IB_OK;
}

static ib_status read_targets(const ib_npy *y, ib_dataset *d)
{
    const int64_t n = y->ndim == 2 ? y->dims[1] : 1;
    if (y->ndim < 1 || y->ndim > 2 || n > 65536)
        return ib_fail(IB_EFORMAT, "%s: numbers to learn are [N] or [N,targets]; these are of %d dimensions", y->name,
                       y->ndim);
    if (y->dims[0] != d->n)
        return ib_fail(IB_EFORMAT, "%s: %lld labels for %lld samples", y->name, (long long)y->dims[0], (long long)d->n);
    if (ib_dataset_reserve_targets(d, (int)n))
        return IB_ENOMEM;
    for (int64_t i = 0; i < y->values; i++) {
        const double v = value_of(y, y->fortran ? place_of(y, i) : i);
        d->targets[i] = (float)v;
        if (isinf(d->targets[i]) && isfinite(v))
            return ib_fail(IB_ENUMERIC, "%s: label %.9g of sample %lld is beyond single precision", y->name, v,
                           (long long)(i / n));
    }
    return IB_OK;
}

ib_dataset *ib_npy_samples(const ib_npy *a, const ib_npy *y, const ib_input_info *net, ib_task task)
{
    int64_t s[4];
    int raw_max = 0;
    if (ib_dataset_shape(a->name, a->ndim, a->dims, net, s))
        return NULL;
    const int bytes = a->type->bytes == 1 && a->type->kind == 'u';
    if (a->type->kind != 'f' && (raw_max = net ? ib_dataset_raw_max(a->name, net) : bytes ? 255 : 0) < 0)
        return NULL;
    const int numbers = task == IB_REGRESSION;
    ib_dataset *d = ib_dataset_reserve(a->name, s[0], s[1], s[2], s[3], raw_max, y && !numbers);
    if (d && (read_values(a, d) || (y && (numbers ? read_targets(y, d) : read_labels(y, d))))) {
        ib_dataset_free(d);
        return NULL;
    }
    return ib_dataset_finish(a->name, d);
}

ib_status ib_npy_read(ib_npy *a, const char *name, const uint8_t *b, size_t size)
{
    char type[TYPE_NAME] = "";
    *a = (ib_npy){.name = name};
    if (size < 10 || memcmp(b, "\x93NUMPY", 6))
        return ib_fail(IB_EFORMAT, "%s: is no .npy file of NumPy", name);
    if (b[6] < 1 || b[6] > 3 || b[7])
        return ib_fail(IB_EUNSUPPORTED, "%s: is of version %d.%d of NumPy's format; 1.0, 2.0 and 3.0 are possible",
                       name, b[6], b[7]);
    const size_t head = b[6] == 1 ? 10 : 12;
    size_t length = 0;
    for (size_t i = 8; i < head && i < size; i++)
        length |= (size_t)b[i] << 8 * (i - 8);
    if (size < head + length)
        return ib_fail(IB_EFORMAT, "%s: ends within its header", name);
    char *text = ib_alloc(length + 1); /* zeroed */
    if (!text)
        return IB_ENOMEM;
    memcpy(text, b + head, length);
    const int good = strlen(text) == length && read_header(text, a, type);
    ib_free(text);
    if (!good)
        return ib_fail(
            IB_EFORMAT,
            "%s: its header is not {'descr': ..., 'fortran_order': ..., 'shape': ...} of one array of numbers", name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, type))
            a->type = &types[i];
    if (!a->type)
        return ib_fail(
            IB_EUNSUPPORTED,
            "%s: holds numbers of type '%s'; float16, float32, float64 and integers of 8 to 64 bits are possible", name,
            type);
    const int64_t room = (int64_t)(size - head - length);
    a->values = 1;
    for (int i = 0; i < a->ndim; i++)
        if (!a->dims[i])
            return ib_fail(IB_EFORMAT, "%s: holds no sample: dimension %d is 0", name, i);
        else if (a->dims[i] > room / a->values) /* values of a byte at least */
            return ib_fail(IB_EFORMAT, "%s: ends before the values that its shape declares", name);
        else
            a->values *= a->dims[i];
    if (a->values > room / a->type->bytes)
        return ib_fail(IB_EFORMAT, "%s: ends before the values that its shape declares", name);
    if (room != a->values * a->type->bytes)
        return ib_fail(IB_EFORMAT, "%s: has %lld bytes behind its array", name,
                       (long long)(room - a->values * a->type->bytes));
    a->data = b + head + length;
    return IB_OK;
}

/* Where the labels' file begins in "X.npy,Y.npy"; NULL if that is one file. */
static const char *comma_of(const char *path)
{
    const char *comma = strstr(path, ".npy,");
    return comma && comma[5] ? comma + 4 : NULL;
}

char *ib_npy_file(const char *path, int i)
{
    const char *comma = comma_of(path);
    if (i > (comma != NULL))
        return NULL;
    return !comma ? ib_strdup(path) : i ? ib_strdup(comma + 1) : ib_format_text("%.*s", (int)(comma - path), path);
}

ib_dataset *ib_npy_open(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    char *file[2] = {ib_npy_file(path, 0), ib_npy_file(path, 1)};
    ib_mapped m[2] = {{0}};
    ib_npy a[2];
    const int n = file[1] ? 2 : 1;
    int mapped = 0;
    ib_dataset *d = NULL;
    while (mapped < n && file[mapped] && !ib_file_map(file[mapped], &m[mapped]))
        mapped++;
    if (mapped == n && !ib_npy_read(&a[0], file[0], m[0].data, m[0].size) &&
        (n < 2 || !ib_npy_read(&a[1], file[1], m[1].data, m[1].size)))
        d = ib_npy_samples(&a[0], n > 1 ? &a[1] : NULL, net, task);
    for (int i = 0; i < 2; i++) {
        if (i < mapped)
            ib_file_unmap(&m[i]);
        ib_free(file[i]);
    }
    return ib_dataset_every_fifth(d, split);
}
