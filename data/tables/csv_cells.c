/* csv_cells.c - see csv_cells.h */
#include "data/tables/csv_cells.h"

#include <csv.h>
#include <stdlib.h>

#include <isobit/text.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/gzip.h"

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

/* The bytes of Excel's first line "sep=;", which says what separates; 0: there is none. */
static size_t separator_line(const char *text, size_t n)
{
    if (n < 6 || memcmp(text, "sep=", 4) || !text[4] || !strchr(",;\t|", text[4]))
        return 0;
    return text[5] == '\n' ? 6 : text[5] == '\r' ? 6 + (n > 6 && text[6] == '\n') : 0;
}

/* A tab, a semicolon or a comma, whichever comes first in this order in the first line that has one; a blank where none
 * has; '|', which does not separate, where it alone stands in the first line. */
static char find_separator(const char *text, size_t n)
{
    int commas = 0, semicolons = 0, quoted = 0, pipes = 0;
    for (size_t i = 0; i < n; i++) {
        quoted ^= text[i] == '"';
        if (!quoted && text[i] == '\t')
            return '\t';
        commas |= !quoted && text[i] == ',';
        semicolons |= !quoted && text[i] == ';';
        pipes |= !quoted && text[i] == '|';
        if (!quoted && (text[i] == '\n' || text[i] == '\r') && pipes && !commas && !semicolons)
            return '|';
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
    size_t mark = 0; /* of byte order: says UTF-8, and twice where a marked file was marked again */
    if (size >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2)))
        return ib_fail(IB_EFORMAT, "%s: is text in UTF-16: save it as UTF-8", r->c->name);
    while (size - mark >= 3 && !memcmp(text + mark, "\xef\xbb\xbf", 3))
        mark += 3;
    const size_t said = separator_line(text + mark, size - mark);
    r->c->separator = said ? text[mark + 4] : find_separator(text + mark, size - mark);
    if (r->c->separator == '|')
        return ib_fail(IB_EFORMAT,
                       "%s: its first line has '|' between values: commas, semicolons, tabs or blanks are "
                       "expected there",
                       r->c->name);
    mark += said;
    r->line += said > 0;
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
