/* schema_hdf5.h - a schema in the HDF5 files of checkpoints and programs: the dataset "schema", its JSON as bytes;
 * none if there is no schema. */
#ifndef IB_DATA_TABLES_SCHEMA_HDF5_H
#define IB_DATA_TABLES_SCHEMA_HDF5_H

#include <hdf5.h>

#include <isobit/schema.h>

int ib_schema_write(hid_t file, const ib_schema *s); /* 0 or -1; NULL writes nothing */
int ib_schema_is_in(hid_t file);
/* *s: a schema to be freed, or NULL if the file has none. */
ib_status ib_schema_read(hid_t file, ib_schema **s);
/* Whether its inputs and classes are as many as a network's; IB_EFORMAT if not. */
ib_status ib_schema_check(const ib_schema *s, int64_t inputs, int64_t classes);

#endif
