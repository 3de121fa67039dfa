/* csv_pictures.h - text files of values with a picture a line, and its label or none. */
#ifndef IB_DATA_TABLES_CSV_PICTURES_H
#define IB_DATA_TABLES_CSV_PICTURES_H

#include "data/dataset.h"
#include "data/tables/csv_cells.h"

/* Whether each line is a label and a square number of integers, or of real numbers from 0 to 1. */
int ib_csv_like_pictures(const ib_cells *c, const char *label);
/* The wanted parts of cells that are pictures of the shape asked for, C,H,W; zeros: what the network or the number of
 * values says. */
ib_status ib_csv_pictures_open(const ib_cells *c, const ib_data_opts *opts, const ib_input_info *net,
                               const int64_t asked[3], const int wanted[3], ib_dataset *parts[3]);

#endif
