/* csv_line.c - see csv_line.h */
#define _GNU_SOURCE /* strtof_l */
#include "data/csv_line.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "tensor/alloc.h"
#include "tensor/error.h"

char ib_csv_separator(const char *line)
{
    static const char kinds[] = ",;\t";
    for (const char *kind = kinds; *kind; kind++) {
        int quoted = 0;
        for (const char *p = line; *p; p++) {
            quoted ^= *p == '"';
            if (*p == *kind && !quoted)
                return *kind;
        }
    }
    return ' ';
}

static const char *skip_blanks(const char *p, char separator)
{
    while (*p == ' ' || (*p == '\t' && separator != '\t'))
        p++;
    return p;
}

/* The decimal number at p; NULL if there is none, or one of another kind (hexadecimal). */
static const char *read_number(const char *p, float *v)
{
    static locale_t plain;
    if (!plain)
        plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* of two threads one may lose a locale, no more */
    char *end;
    if (strchr(" \t\v\f", *p)) /* strtof would pass over them, and an empty field with them */
        return NULL;
    *v = plain ? strtof_l(p, &end, plain) : strtof(p, &end);
    return end == p || memchr(p, 'x', (size_t)(end - p)) || memchr(p, 'X', (size_t)(end - p)) ? NULL : end;
}

int ib_csv_beyond(const char *p)
{
    float v;
    p = skip_blanks(p + (*p == '"'), ' ');
    return read_number(p, &v) && isinf(v) && strchr("0123456789.", p[*p == '-' || *p == '+']);
}

int64_t ib_csv_numbers(const char *line, float *values, int64_t max, const char **bad)
{
    const char separator = ib_csv_separator(line);
    const char *p = skip_blanks(line, separator);
    int64_t n = 0;
    for (int more = *p != 0; more; n++) {
        float v;
        const int quoted = *p == '"';
        *bad = p;
        p = read_number(quoted ? skip_blanks(p + 1, separator) : p, &v);
        if (!p || (isinf(v) && ib_csv_beyond(*bad)))
            return -1 - n;
        if (quoted && *(p = skip_blanks(p, separator)) != '"')
            return -1 - n;
        const char *next = skip_blanks(p + quoted, separator);
        if (n < max)
            values[n] = v;
        more = separator == ' ' ? *next && next > p + quoted : *next == separator;
        if (*next && !more)
            return *bad = next, -1 - n;
        p = more && separator != ' ' ? skip_blanks(next + 1, separator) : next;
    }
    return n;
}

/* The end of the field at p, and in *n its length without blanks and quotes around it. */
static const char *next_field(const char **p, char separator, size_t *n)
{
    int quoted = 0;
    const char *end = *p = skip_blanks(*p, separator);
    for (; *end && (quoted || (*end != separator && !(separator == ' ' && *end == '\t'))); end++)
        quoted ^= *end == '"';
    const char *last = end;
    while (last > *p && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    if (last - *p >= 2 && **p == '"' && last[-1] == '"') {
        ++*p;
        last--;
    }
    *n = (size_t)(last - *p);
    return end;
}

int ib_csv_is_header(const char *line)
{
    const char separator = ib_csv_separator(line);
    for (const char *p = line;; p++) {
        size_t n;
        const char *end = next_field(&p, separator, &n), *number;
        float v;
        if (n && (number = read_number(p, &v)) && number >= p + n)
            return 0;
        if (!*(p = end))
            return 1;
    }
}

static int holds_letter(const char *s, size_t n)
{
    for (size_t at = 0; at < n;) {
        utf8proc_int32_t c;
        const utf8proc_uint8_t *text = (const utf8proc_uint8_t *)s + at;
        const utf8proc_ssize_t step = utf8proc_iterate(text, (utf8proc_ssize_t)(n - at), &c);
        if (step <= 0)
            return 0;
        const utf8proc_category_t kind = utf8proc_category(c);
        if (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO)
            return 1;
        at += (size_t)step;
    }
    return 0;
}

#define SHOWN(n) ((n) < 40 ? (int)(n) : 40)

typedef struct name {
    const char *s;
    size_t n;
} name;

static int by_text(const void *a, const void *b)
{
    const name *x = a, *y = b;
    const int order = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

ib_status ib_csv_check_header(const char *line, char separator, int64_t columns)
{
    name *names = ib_alloc((size_t)columns * sizeof *names);
    ib_status status = names ? IB_OK : IB_ENOMEM;
    int64_t n = 0;
    const char *end = line;
    for (const char *p = line; !status; p = end + 1, n++) {
        size_t length;
        end = next_field(&p, separator, &length);
        if (separator == ' ' && !length)
            break;
        if (!holds_letter(p, length))
            status = ib_fail(IB_EFORMAT, "'%.*s' is neither a number nor the name of a column", SHOWN(length), p);
        else if (n < columns)
            names[n] = (name){p, length};
        if (!*end) {
            n++;
            break;
        }
    }
    if (!status && n != columns)
        status = ib_fail(IB_EFORMAT, "no numbers, and names for %lld columns of %lld", (long long)n,
                         (long long)columns);
    if (!status)
        qsort(names, (size_t)columns, sizeof *names, by_text);
    for (int64_t i = 1; !status && i < columns; i++)
        if (!by_text(names + i - 1, names + i))
            status = ib_fail(IB_EFORMAT, "'%.*s' stands twice: no numbers, and no names of columns", SHOWN(names[i].n),
                             names[i].s);
    ib_free(names);
    return status;
}
