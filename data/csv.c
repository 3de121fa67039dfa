/* csv.c - numbers separated by commas, semicolons, tabs or blanks, the label last or none; plain or gzip. */
#include <math.h>
#include <string.h>

#include <isobit/text.h>

#include "data/csv_line.h"
#include "data/dataset.h"

/* A table of numbers as it stands in the file. */
typedef struct rows {
    float *x; /* [n][columns] */
    int64_t n, columns, capacity;
} rows;

static ib_status add_row(rows *r, const char *file, int64_t line, const float *values, int64_t count)
{
    if (count < 2 || (r->columns && count != r->columns))
        return ib_fail(IB_EFORMAT, "%s: line %lld has %lld values, %lld are expected", file, (long long)line, (long long)count,
                       (long long)(r->columns ? r->columns : 2));
    for (int64_t j = 0; j < count; j++)
        if (!isfinite(values[j]))
            return ib_fail(IB_ENUMERIC, "%s: line %lld, value %lld is %g", file, (long long)line, (long long)j + 1, values[j]);
    r->columns = count;
    if (r->n == r->capacity) {
        const int64_t more = r->capacity ? 2 * r->capacity : 256;
        float *grown = ib_realloc(r->x, (size_t)(r->capacity * count) * sizeof *grown, (size_t)(more * count) * sizeof *grown);
        if (!grown)
            return IB_ENOMEM;
        r->x = grown;
        r->capacity = more;
    }
    memcpy(r->x + r->n++ * count, values, (size_t)count * sizeof *values);
    return IB_OK;
}

/* The text's lines as strings, each ending where its \n, \r\n or \r stood. */
static char *next_line(char *line, char *end, int64_t *number)
{
    char *p = line;
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    const int two = p + 1 < end && p[0] == '\r' && p[1] == '\n';
    ++*number;
    *p = 0;
    return p < end ? p + 1 + two : p;
}

/* What is wrong with a line, as it can be shown: up to a separator, 20 bytes, or a byte that cannot stand in a text. */
static ib_status refuse_line(const char *file, int64_t number, int64_t value, const char *bad, int first)
{
    const size_t n = strcspn(bad + (*bad != 0), ",;\t") + (*bad != 0);
    const int shown = (int)(n < 20 ? n : 20);
    if (ib_csv_beyond(bad))
        return ib_fail(IB_ENUMERIC, "%s: line %lld, value %lld is %.*s, which is beyond single precision", file,
                       (long long)number, (long long)value, shown, bad);
    return ib_fail(IB_EFORMAT, "%s: line %lld has '%.*s' where a number is expected%s", file, (long long)number, shown,
                   bad, first ? " (a header names every column in words)" : "");
}

static ib_status read_rows(rows *r, const char *file)
{
    size_t size = 0, longest = 0;
    char *text = ib_text_read(file, &size);
    char *grown = text ? ib_realloc(text, size, size + 1) : NULL; /* a 0 behind the last line */
    const char *bad = NULL, *header = NULL;
    int64_t number = 0, header_number = 0;
    if (!grown)
        ib_free(text);
    if (!grown)
        return ib_error_status();
    text = grown;
    char *const end = text + size, *zero = memchr(text, 0, size);
    for (char *line = text, *next; line < end; line = next + 1) {
        for (next = line; next < end && *next != '\n' && *next != '\r'; next++)
            ;
        longest = (size_t)(next - line) > longest ? (size_t)(next - line) : longest;
        number += zero && next <= zero && next < end && *next == '\n';
    }
    float *values = zero ? NULL : ib_alloc((longest / 2 + 2) * sizeof *values);
    ib_status status = values ? IB_OK : IB_ENOMEM;
    if (zero)
        status = ib_fail(IB_EFORMAT, "%s: has a byte 0x00 in line %lld", file, (long long)number + 1);
    number = 0;
    for (char *line = text, *next; !status && line < end; line = next) {
        next = next_line(line, end, &number);
        const int64_t count = ib_csv_numbers(line, values, (int64_t)(longest / 2 + 2), &bad);
        if (count < 0 && !r->n && !header && ib_csv_is_header(line)) {
            header = line;
            header_number = number;
        } else if (count < 0) {
            status = refuse_line(file, number, -count, bad, !r->n && !header);
        } else if (count > 0 && !(status = add_row(r, file, number, values, count)) && header && r->n == 1 &&
                   (status = ib_csv_check_header(header, ib_csv_separator(line), count))) {
            ib_error_prefix("%s: line %lld", file, (long long)header_number);
        }
    }
    if (!status && !r->n)
        status = ib_fail(IB_EFORMAT, "%s: holds no sample", file);
    ib_free(text);
    ib_free(values);
    return status;
}

/* The shape of a sample as s[1..3], and in *labelled whether a label stands behind it. */
static ib_status find_shape(const rows *r, const char *file, const ib_input_info *net, const int64_t asked[3], int64_t s[4], int *labelled)
{
    const int64_t k = asked[0] ? asked[0] * asked[1] * asked[2] : net ? (int64_t)net->c * net->h * net->w : r->columns - 1;
    *labelled = r->columns == k + 1;
    if (r->columns != k && r->columns != k + 1 && asked[0])
        return ib_fail(IB_EINVAL, "%s: %lld values a line; a sample of %lldx%lldx%lld has %lld, with its label %lld", file, (long long)r->columns,
                       (long long)asked[0], (long long)asked[1], (long long)asked[2], (long long)k, (long long)k + 1);
    if (r->columns != k && r->columns != k + 1)
        return ib_fail(IB_EINVAL, "%s: %lld values a line; the model was made for %dx%dx%d, which are %lld, with a label %lld", file, (long long)r->columns,
                       net->c, net->h, net->w, (long long)k, (long long)k + 1);
    if (!asked[0] && net && net->c > 1 && net->h * net->w > 1)
        return ib_fail(IB_EINVAL, "%s: does not say the order of its values; csv:%s:%dx%dx%d does (channel by channel)", file, file, net->c, net->h, net->w);
    for (int i = 0; i < 3 && asked[0]; i++)
        s[1 + i] = asked[i];
    return asked[0] ? IB_OK : ib_dataset_shape(file, 2, (int64_t[]){r->n, k}, net, s);
}

/* All integers: they are raw values 0..raw_max, what the network says or else what the values say, and the data become x / raw_max. */
static ib_status find_raw_max(ib_dataset *d, const ib_input_info *net)
{
    const int64_t size = d->n * d->c * d->h * d->w;
    float top = 0;
    if (net && net->std > 0 && !net->raw_max)
        return IB_OK;
    for (int64_t i = 0; i < size; i++) {
        if (d->x[i] != floorf(d->x[i]) || d->x[i] < 0 || d->x[i] > 65535)
            return IB_OK;
        top = d->x[i] > top ? d->x[i] : top;
    }
    d->raw_max = net ? ib_dataset_raw_max(d->name, net) : top > 16 && top <= 255 ? 255 : (int)top;
    if (d->raw_max < 0)
        return ib_error_status();
    if (top > (float)d->raw_max)
        return ib_fail(IB_EINVAL, "%s: holds integers up to %g, the model's raw values end at %d", d->name, top, d->raw_max);
    for (int64_t i = 0; d->raw_max && i < size; i++)
        d->x[i] /= (float)d->raw_max;
    return IB_OK;
}

static ib_status take_labels(ib_dataset *d, const rows *r)
{
    for (int64_t i = 0; d->y && i < d->n; i++) {
        const float label = r->x[(i + 1) * r->columns - 1];
        if (label != floorf(label) || !(label >= 0 && label < 65536))
            return ib_fail(IB_EFORMAT, "%s: sample %lld ends with label %g, not an integer in 0..65535", d->name, (long long)i, label);
        d->y[i] = (int32_t)label;
    }
    return IB_OK;
}

ib_dataset *ib_csv_open(const char *spec, ib_split split, const ib_input_info *net)
{
    int64_t asked[3], s[4] = {0};
    int labelled = 0;
    rows r = {0};
    ib_dataset *d = NULL;
    char *file = ib_dataset_split_spec(spec, asked);
    if (file && !read_rows(&r, file) && !find_shape(&r, file, net, asked, s, &labelled) &&
        (d = ib_dataset_reserve(file, r.n, s[1], s[2], s[3], 0, labelled))) {
        const int64_t k = r.columns - labelled;
        for (int64_t i = 0; i < r.n; i++)
            memcpy(d->x + i * k, r.x + i * r.columns, (size_t)k * sizeof *d->x);
        if (take_labels(d, &r) || find_raw_max(d, net)) {
            ib_dataset_free(d);
            d = NULL;
        }
        d = ib_dataset_every_fifth(ib_dataset_finish(file, d), split);
    }
    ib_free(file);
    ib_free(r.x);
    return d;
}
