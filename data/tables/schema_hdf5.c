/* schema_hdf5.c - see schema_hdf5.h */
#include "data/tables/schema_hdf5.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/h5.h"

enum { MOST = 1 << 26 };

int ib_schema_write(hid_t file, const ib_schema *s)
{
    char *text = s ? ib_schema_text(s) : NULL;
    if (!text)
        return s ? -1 : 0;
    const int failed = ib_h5_write(file, "schema", H5T_NATIVE_CHAR, 1, (int64_t[]){(int64_t)strlen(text)}, text);
    ib_free(text);
    return failed;
}

int ib_schema_is_in(hid_t file)
{
    return H5Lexists(file, "schema", H5P_DEFAULT) > 0;
}

ib_status ib_schema_read(hid_t file, ib_schema **s)
{
    *s = NULL;
    if (!ib_schema_is_in(file))
        return IB_OK;
    int64_t n = 0;
    char *text = ib_h5_read_text(file, "schema", "schema", MOST, &n);
    if (text)
        *s = ib_schema_parse(text, (size_t)n);
    ib_free(text);
    return *s ? IB_OK : ib_error_status();
}

ib_status ib_schema_check(const ib_schema *s, int64_t inputs, int64_t classes)
{
    const ib_schema_opts *o = s ? ib_schema_of(s) : NULL;
    if (o && o->n_columns && ib_schema_inputs(s) != inputs)
        return ib_fail(IB_EFORMAT, "its schema makes %d inputs, the network takes %lld", ib_schema_inputs(s),
                       (long long)inputs);
    if (o && o->n_classes && o->n_classes != classes)
        return ib_fail(IB_EFORMAT, "its schema names %d classes, the network has %lld", o->n_classes,
                       (long long)classes);
    return IB_OK;
}
