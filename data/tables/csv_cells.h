/* csv_cells.h - a file of comma-separated values as it stands there: rows of texts. RFC 4180, read by libcsv, strictly:
 * text with quotes around it may hold separators, quotes (doubled) and line ends; lines end with CR LF, LF or CR; a
 * byte-order mark of UTF-8 and empty lines are passed over. One kind of separator is for all lines: tabs, semicolons or
 * commas, whichever comes first in this order in the first line that has one, or if none has, blanks, of which several
 * are one. */
#ifndef IB_DATA_TABLES_CSV_CELLS_H
#define IB_DATA_TABLES_CSV_CELLS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <isobit/status.h>

typedef struct ib_cells {
    const char *name; /* of the file, for messages; borrowed */
    char separator;
    char *text; /* every value with a 0 behind it, row after row */
    size_t size, capacity;
    struct ib_row {
        size_t at;    /* of its first value in text */
        int64_t line; /* of the file, from 1: where it begins */
    } * rows;
    int64_t n, columns, room;
} ib_cells;

/* Reads `path`, plain or gzip; "-" is standard input. Every row has as many values as the first. What is refused is
 * named by its line; what was read is freed by ib_cells_free, also then. */
ib_status ib_cells_read(ib_cells *c, const char *path);
void ib_cells_free(ib_cells *c);

static inline const char *ib_cells_row(const ib_cells *c, int64_t i)
{
    return c->text + c->rows[i].at;
}

static inline const char *ib_next_cell(const char *cell)
{
    return cell + strlen(cell) + 1;
}

/* What a value is: a number (one of fp32, not hexadecimal), missing, or something else (cell_kind.c). */
typedef enum ib_cell_kind {
    IB_CELL_NUMBER,
    IB_CELL_MISSING,  /* nothing, NA, N/A, NaN, null, ? and what cell_kind.c lists, in any case of letters */
    IB_CELL_BEYOND,   /* a number that fp32 takes for infinity or, though it is none, for 0 */
    IB_CELL_LIKE_ONE, /* digits with what no number has: 1,5  1.2.3  1'000  5%  $1  7 €  (3)  0x1F  5kg; infinity */
    IB_CELL_DATE,     /* a day or a time: 2024-01-31  31.01.2024  1/31/24  2024-01-31T08:00:00Z  8:05 */
    IB_CELL_ERROR,    /* what a spreadsheet has where a formula failed: #DIV/0! */
    IB_CELL_WORD
} ib_cell_kind;
ib_cell_kind ib_cell_read(const char *cell, float *value);

#endif
