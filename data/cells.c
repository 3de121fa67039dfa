/* cells.c - see cells.h */
#include "data/cells.h"

#include <csv.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "tensor/number.h"

#include <isobit/text.h>

#include "files/gzip.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

enum { MOST_COLUMNS = 1 << 20 };

/* A file on its way into cells. */
typedef struct reading {
    ib_cells *c;
    struct csv_parser parser;
    int64_t line, begins; /* where the next byte stands, where the row began */
    int64_t count;        /* values of the row so far */
    size_t at;            /* of its first */
    ib_status status;
} reading;

static int grow(void **p, size_t item, size_t *room, size_t need)
{
    size_t more = *room ? *room : 4096;
    while (more < need)
        more *= 2;
    void *grown = more == *room ? *p : ib_realloc(*p, *room * item, more * item);
    if (!grown)
        return 0;
    *p = grown;
    *room = more;
    return 1;
}

static void take_value(void *value, size_t n, void *context)
{
    reading *r = context;
    ib_cells *c = r->c;
    if (r->status)
        return;
    if (ib_utf8_good(value ? value : "", n) < n)
        r->status = ib_fail(IB_EFORMAT, "%s: line %lld, value %lld is not UTF-8: save the file in that encoding",
                            c->name, (long long)r->begins, (long long)r->count + 1);
    else if (++r->count > MOST_COLUMNS)
        r->status =
            ib_fail(IB_EFORMAT, "%s: line %lld has more than %d values", c->name, (long long)r->begins, MOST_COLUMNS);
    else if (!grow((void **)&c->text, 1, &c->capacity, c->size + n + 1))
        r->status = IB_ENOMEM;
    if (r->status)
        return;
    memcpy(c->text + c->size, value ? value : "", n);
    c->size += n + 1;
}

static const char *separator_name(char c)
{
    return c == '\t' ? "a tab" : c == ' ' ? "a blank" : c == ';' ? "';'" : "','";
}

static void take_row(int end, void *context)
{
    reading *r = context;
    ib_cells *c = r->c;
    size_t room = (size_t)c->room;
    (void)end;
    if (r->status)
        return;
    if (c->n && r->count != c->columns)
        r->status =
            ib_fail(IB_EFORMAT, "%s: line %lld has %lld values, %lld are expected as in line %lld, where %s separates",
                    c->name, (long long)r->begins, (long long)r->count, (long long)c->columns,
                    (long long)c->rows[0].line, separator_name(c->separator));
    else if (!grow((void **)&c->rows, sizeof *c->rows, &room, (size_t)c->n + 1))
        r->status = IB_ENOMEM;
    if (r->status)
        return;
    c->room = (int64_t)room;
    c->columns = r->count;
    c->rows[c->n++] = (struct ib_row){r->at, r->begins};
    r->at = c->size;
    r->count = 0;
}

/* A tab, a semicolon or a comma, whichever comes first in this order in the first line that has one; a blank where none
 * has. */
static char find_separator(const char *text, size_t n)
{
    int commas = 0, semicolons = 0, quoted = 0;
    for (size_t i = 0; i < n; i++) {
        quoted ^= text[i] == '"';
        if (!quoted && text[i] == '\t')
            return '\t';
        commas |= !quoted && text[i] == ',';
        semicolons |= !quoted && text[i] == ';';
        if (!quoted && (text[i] == '\n' || text[i] == '\r') && (commas || semicolons))
            break;
    }
    return semicolons ? ';' : commas ? ',' : ' ';
}

static ib_status parse_piece(reading *r, const char *text, size_t n)
{
    if (csv_parse(&r->parser, text, n, take_value, take_row, r) == n || r->status)
        return r->status;
    return csv_error(&r->parser) == CSV_EPARSE
               ? ib_fail(IB_EFORMAT,
                         "%s: line %lld has a quote within a value: the value is to stand in quotes, and a quote in it "
                         "twice",
                         r->c->name, (long long)r->line)
               : ib_fail(IB_ENOMEM, "%s: %s", r->c->name, csv_strerror(csv_error(&r->parser)));
}

/* Several blanks separate like one, and those at the ends of a line do not; the line's new length. */
static size_t single_blanks(char *line, size_t n, int *quoted)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        const int blank = !*quoted && (line[i] == ' ' || line[i] == '\t');
        *quoted ^= line[i] == '"';
        if (blank && (!to || line[to - 1] == ' '))
            continue;
        if (!*quoted && to && line[to - 1] == ' ' && (line[i] == '\n' || line[i] == '\r'))
            to--;
        line[to++] = blank ? ' ' : line[i];
    }
    return to;
}

/* Gives libcsv a line at a time, so that rows know where they begin. */
static ib_status parse(reading *r, char *text, size_t n)
{
    int quoted = 0;
    for (size_t i = 0, stop; i < n && !r->status; i = stop, r->line++) {
        size_t end = i;
        if (!r->count)
            r->begins = r->line;
        while (end < n && text[end] != '\n' && text[end] != '\r' && text[end])
            end++;
        if (end < n && !text[end])
            return ib_fail(IB_EFORMAT,
                           "%s: has a byte 0x00 in line %lld: it is no text, or is UTF-16 (save it as UTF-8)",
                           r->c->name, (long long)r->line);
        stop = end + (end < n) + (end + 1 < n && text[end] == '\r' && text[end + 1] == '\n');
        r->status =
            parse_piece(r, text + i, r->c->separator == ' ' ? single_blanks(text + i, stop - i, &quoted) : stop - i);
    }
    return r->status;
}

static ib_status parse_all(reading *r, char *text, size_t size)
{
    const size_t mark = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; /* of byte order: says UTF-8 */
    if (size >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2)))
        return ib_fail(IB_EFORMAT, "%s: is text in UTF-16: save it as UTF-8", r->c->name);
    r->c->separator = find_separator(text + mark, size - mark);
    csv_set_delim(&r->parser, (unsigned char)r->c->separator);
    const ib_status status = parse(r, text + mark, size - mark);
    if (status)
        return status;
    if (csv_fini(&r->parser, take_value, take_row, r))
        return ib_fail(IB_EFORMAT, "%s: line %lld begins a row with a quote that is not closed", r->c->name,
                       (long long)r->begins);
    return r->status || r->c->n ? r->status : ib_fail(IB_EFORMAT, "%s: holds no sample", r->c->name);
}

ib_status ib_cells_read(ib_cells *c, const char *path)
{
    const int piped = !strcmp(path, "-");
    *c = (ib_cells){.name = piped ? "standard input" : path};
    reading r = {.c = c, .line = 1, .begins = 1};
    size_t size = 0;
    char *text = (char *)ib_file_read_unpacked(piped ? "/dev/stdin" : path, &size);
    ib_status status = text ? IB_OK : ib_error_status();
    if (!status && csv_init(&r.parser, CSV_STRICT | CSV_STRICT_FINI))
        status = ib_fail(IB_ENOMEM, "%s: libcsv cannot begin", c->name);
    else if (!status) {
        status = parse_all(&r, text, size);
        csv_free(&r.parser);
    }
    ib_free(text);
    return status;
}

void ib_cells_free(ib_cells *c)
{
    ib_free(c->text);
    ib_free(c->rows);
    *c = (ib_cells){0};
}

static int is_missing(const char *cell)
{
    static const char *const words[] = {"", "?", "na", "n/a", "nan", "null"};
    cell += strspn(cell, " \t"); /* blanks within quotes */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(cell, words[i]))
            return 1;
    return 0;
}

/* Behind signs, currencies and the like: blanks, punctuation of ASCII, and U+0080 to U+00BF and U+2000 to U+2FFF in
 * UTF-8. */
static const char *skip_signs(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    for (;;)
        if (*p == ' ' || (ispunct(*p) && *p < 0x7f))
            p++;
        else if (*p == 0xc2)
            p += 2;
        else if (*p == 0xe2)
            p += 3;
        else
            return (const char *)p;
}

/* Digits, possibly with signs before, between (points, commas, apostrophes, blanks, also those that do not break) and
 * behind them. */
static int is_like_number(const char *cell)
{
    const char *p = skip_signs(cell), *const first = p;
    for (const char *before = NULL; p != before;) {
        before = p;
        p += strspn(p, "0123456789.,'_ ");
        if (!strncmp(p, "\xc2\xa0", 2))
            p += 2;
        if (!strncmp(p, "\xe2\x80\xaf", 3) || !strncmp(p, "\xe2\x80\x89", 3) || !strncmp(p, "\xe2\x80\x99", 3))
            p += 3;
    }
    if (p == first || !isdigit((unsigned char)*first))
        return 0;
    if ((*p | 32) == 'e')
        p += 1 + strspn(p + 1, "+-0123456789");
    return !*skip_signs(p);
}

/* Digits of a part of a date; 0: it is none. */
static size_t part_of_date(const char **p)
{
    const size_t n = strspn(*p, "0123456789");
    *p += n;
    return n == 1 || n == 2 || n == 4 ? n : 0;
}

/* h:mm, hh:mm:ss.sss, with a zone or AM and PM. */
static int is_time(const char *p)
{
    const char *at = p;
    const size_t n = part_of_date(&at);
    if (n < 1 || n > 2 || *at++ != ':' || strspn(at, "0123456789") != 2)
        return 0;
    return !at[strspn(at, "0123456789:.,+-ZzAaPpMm ")];
}

/* A day, by two of the same signs with a year of four digits at one end, or two digits each, or slashes. */
static int is_date(const char *cell)
{
    const char *p = cell;
    const size_t a = part_of_date(&p);
    const char sign = *p;
    if (!a || !sign || !strchr("-/.", sign))
        return is_time(cell);
    p++;
    const size_t b = part_of_date(&p);
    if (b < 1 || b > 2 || *p++ != sign)
        return 0;
    const size_t c = part_of_date(&p);
    const int shaped =
        c && (a == 4) + (c == 4) < 2 && (a == 4 || c == 4 || sign == '/' || (a == 2 && b == 2 && c == 2));
    return shaped && (!*p || ((*p == 'T' || *p == ' ') && is_time(p + 1)));
}

ib_cell_kind ib_cell_read(const char *cell, float *value)
{
    char *end;
    if (is_missing(cell))
        return *value = NAN, IB_CELL_MISSING;
    const char *p = cell + (*cell == '-' || *cell == '+');
    const int hex = p[0] == '0' && (p[1] | 32) == 'x';
    const int number = isdigit((unsigned char)*p) || (*p == '.' && isdigit((unsigned char)p[1]));
    *value = ib_strtof(cell, &end);
    if (number && !hex && !*end)
        return isfinite(*value) ? IB_CELL_NUMBER : IB_CELL_TOO_LARGE;
    if (hex || !strcasecmp(p, "inf") || !strcasecmp(p, "infinity"))
        return IB_CELL_LIKE_ONE;
    return is_date(cell) ? IB_CELL_DATE : is_like_number(cell) ? IB_CELL_LIKE_ONE : IB_CELL_WORD;
}
