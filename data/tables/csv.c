/* csv.c - text files of values: pictures a line each, or a table (data.h says which). */
#include "data/tables/csv_pictures.h"
#include "data/tables/table.h"

ib_status ib_csv_open(const char *spec, const ib_input_info *net, const ib_data_opts *opts, const int wanted[3],
                      ib_dataset *parts[3])
{
    ib_cells cells = {0};
    int64_t asked[3] = {0};
    char *file = ib_dataset_split_spec(spec, asked);
    ib_status status = file ? ib_cells_read(&cells, file) : IB_ENOMEM;
    const int table = opts->schema && ib_schema_of(opts->schema)->n_columns;
    if (!status && table && asked[0])
        status =
            ib_fail(IB_EINVAL, "%s: the model takes a table, whose columns have no shape: csv:%s", cells.name, file);
    else if (!status && (table || (opts->task == IB_REGRESSION && !asked[0]) ||
                         (!asked[0] && !net && !ib_csv_like_pictures(&cells, opts->label))))
        status = ib_table_open(&cells, opts, wanted, parts);
    else if (!status)
        status = ib_csv_pictures_open(&cells, opts, net, asked, wanted, parts);
    ib_cells_free(&cells);
    ib_free(file);
    return status;
}
