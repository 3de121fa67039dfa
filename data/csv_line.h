/* csv_line.h - one line of a table: its numbers, or the names of its columns. */
#ifndef IB_DATA_CSV_LINE_H
#define IB_DATA_CSV_LINE_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

/* What separates the fields of a line: the first of ',', ';' and tab that it holds outside of quotes, else blanks (' ').
 * One line never mixes them, so that a decimal comma cannot pass for a separator. */
char ib_csv_separator(const char *line);
/* The numbers of a line, each in double quotes or not, at most max of them into values; how many there are, or -k with
 * *bad at the k-th, counted from 1, which is no number, or none that fp32 can hold (ib_csv_beyond). Numbers have a
 * decimal point, whatever the locale. */
int64_t ib_csv_numbers(const char *line, float *values, int64_t max, const char **bad);
/* Whether the field at p is a number in digits, and too large for fp32. */
int ib_csv_beyond(const char *p);
/* 1 if no field of the line is a number: it can only be a header. */
int ib_csv_is_header(const char *line);
/* IB_EFORMAT unless the line names `columns` columns between separators of the kind `separator`: each name once, none
 * without a letter, so that a first sample of "NA" or "?" is not lost. */
ib_status ib_csv_check_header(const char *line, char separator, int64_t columns);

#endif
