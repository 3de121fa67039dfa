/* csv.c - numbers separated by commas, semicolons, tabs or blanks, the label last; plain or gzip. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/dataset.h"

enum { MAX_LINE = 1 << 22 };

/* Parses one line into at most max values; returns their number, or -1 with *bad at what is no number. */
static int64_t parse_line(char *line, float *values, int64_t max, char **bad)
{
    int64_t n = 0;
    for (char *p = line;;) {
        while (*p == ' ' || *p == '\t')
            p++;
        if (!*p || *p == '\n' || *p == '\r')
            return n;
        char *end;
        const float v = strtof(p, &end);
        *bad = p;
        if (end == p)
            return -1;
        if (n < max)
            values[n] = v;
        n++;
        for (p = end; *p == ' ' || *p == '\t'; p++)
            ;
        if (*p == ',' || *p == ';')
            p++;
        else if (*p && *p != '\n' && *p != '\r' && p == end)
            return *bad = p, -1;
    }
}

/* "FILE:CxHxW" -> FILE and the shape; without a shape, 0s */
static void split_spec(const char *spec, char *file, size_t size, int shape[3])
{
    snprintf(file, size, "%s", spec);
    char *colon = strrchr(file, ':');
    shape[0] = shape[1] = shape[2] = 0;
    if (colon && sscanf(colon + 1, "%dx%dx%d", &shape[0], &shape[1], &shape[2]) == 3)
        *colon = 0;
}

/* All integers in 0..65535: they are raw values, and the data become x / raw_max. */
static void find_raw_max(ib_dataset *d)
{
    const int64_t size = d->n * d->c * d->h * d->w;
    float top = 0;
    for (int64_t i = 0; i < size; i++) {
        if (d->x[i] != floorf(d->x[i]) || d->x[i] < 0 || d->x[i] > 65535)
            return;
        top = d->x[i] > top ? d->x[i] : top;
    }
    d->raw_max = top > 16 && top <= 255 ? 255 : (int)top;
    for (int64_t i = 0; d->raw_max && i < size; i++)
        d->x[i] /= (float)d->raw_max;
}

ib_dataset *ib_csv_open(const char *spec, ib_split split)
{
    char file[1024], *bad = NULL;
    int shape[3];
    float *values = NULL, *x = NULL;
    int64_t columns = 0, n = 0, capacity = 0;
    ib_dataset *d = NULL;
    split_spec(spec, file, sizeof file, shape);
    FILE *plain = fopen(file, "rb");
    if (!plain)
        return ib_fail_null(IB_EIO, "%s: cannot be opened", file);
    fclose(plain);
    gzFile f = gzopen(file, "rb");
    char *line = ib_alloc(MAX_LINE);
    if (!f || !line || !(values = ib_alloc(MAX_LINE / 2 * sizeof *values)))
        goto done;
    for (int64_t row = 1; gzgets(f, line, MAX_LINE); row++) {
        const int64_t count = parse_line(line, values, MAX_LINE / 2, &bad);
        if (!strchr(line, '\n') && !gzeof(f)) {
            ib_fail(IB_EFORMAT, "%s: line %lld is longer than %d bytes", file, (long long)row, MAX_LINE);
            goto done;
        }
        if (count == 0 || (count < 0 && row == 1)) /* blank line, header */
            continue;
        if (count < 0) {
            ib_fail(IB_EFORMAT, "%s: line %lld has '%.*s' where a number is expected", file, (long long)row,
                    (int)(strcspn(bad, ",;\r\n") < 20 ? strcspn(bad, ",;\r\n") : 20), bad);
            goto done;
        }
        if (count < 2 || (columns && count != columns)) {
            ib_fail(IB_EFORMAT, "%s: line %lld has %lld values, %lld are expected", file, (long long)row, (long long)count,
                    (long long)(columns ? columns : 2));
            goto done;
        }
        const float label = values[count - 1];
        if (label != floorf(label) || !(label >= 0 && label < 65536)) {
            ib_fail(IB_EFORMAT, "%s: line %lld ends with label %g, not an integer in 0..65535", file, (long long)row, label);
            goto done;
        }
        for (int64_t j = 0; j < count; j++)
            if (!isfinite(values[j])) {
                ib_fail(IB_ENUMERIC, "%s: line %lld, value %lld is %g", file, (long long)row, (long long)j + 1, values[j]);
                goto done;
            }
        columns = count;
        if (n == capacity) {
            const int64_t more = capacity ? 2 * capacity : 256;
            float *grown = ib_realloc(x, (size_t)(capacity * columns) * sizeof *x, (size_t)(more * columns) * sizeof *x);
            if (!grown)
                goto done;
            x = grown;
            capacity = more;
        }
        memcpy(x + n++ * columns, values, (size_t)columns * sizeof *x);
    }
    int error = 0;
    gzerror(f, &error);
    if (error < 0 || !n) {
        ib_fail(IB_EFORMAT, error < 0 ? "%s: gzip data are damaged or cut" : "%s: holds no sample", file);
        goto done;
    }
    const int64_t k = columns - 1;
    const int side = (int)lround(sqrt((double)k));
    if (!shape[0]) {
        shape[0] = side * side == k ? 1 : (int)k;
        shape[1] = shape[2] = side * side == k ? side : 1;
    }
    if ((int64_t)shape[0] * shape[1] * shape[2] != k) {
        ib_fail(IB_EINVAL, "%s: %lld values a sample, %dx%dx%d asked for", file, (long long)k, shape[0], shape[1], shape[2]);
        goto done;
    }
    if ((d = ib_dataset_reserve(file, n, shape[0], shape[1], shape[2], 0))) {
        for (int64_t i = 0; i < n; i++) {
            memcpy(d->x + i * k, x + i * columns, (size_t)k * sizeof *x);
            d->y[i] = (int32_t)x[i * columns + k];
        }
        find_raw_max(d);
        d = ib_dataset_finish(file, d);
    }
    if (d)
        ib_dataset_every_fifth(d, split);
done:
    if (f)
        gzclose(f);
    ib_free(line);
    ib_free(values);
    ib_free(x);
    if (d && !d->n) {
        ib_fail(IB_EFORMAT, "%s: too few samples for a test set", file);
        ib_dataset_free(d);
        return NULL;
    }
    return d;
}
