/* csv_line.h - one line of a table: its numbers, or the names of its columns. */
#ifndef IB_DATA_CSV_LINE_H
#define IB_DATA_CSV_LINE_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

/* What separates the fields of a line: the first of ',', ';' and tab that it holds outside of quotes, else blanks (' ').
 * One line never mixes them, so that a decimal comma cannot pass for a separator. */
char ib_csv_separator(const char *line);
/* The numbers of a line, each in double quotes or not, at most max of them into values; how many there are, or -1 with
 * *bad at what is no number. Numbers have a decimal point, whatever the locale. */
int64_t ib_csv_numbers(const char *line, float *values, int64_t max, const char **bad);
/* 1 if no field of the line is a number: it can only be a header. */
int ib_csv_is_header(const char *line);
/* IB_EFORMAT unless the line names `columns` columns between separators of the kind `separator`: each name once, none
 * without a letter, so that a first sample of "NA" or "?" is not lost. */
ib_status ib_csv_check_header(const char *line, char separator, int64_t columns);

#endif
