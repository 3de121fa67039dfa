/* export_format.h - the formats that a program can be written as: export_formats.def as a table. */
#ifndef IB_EXPORT_EXPORT_FORMAT_H
#define IB_EXPORT_EXPORT_FORMAT_H

#include <isobit/export.h>

/* What is written, and where. */
typedef struct ib_print_job {
    ib_device *dev;
    const char *path, *name;   /* of the folder or file; of the network */
    const ib_vectors *vectors; /* NULL: none */
} ib_print_job;

typedef enum ib_print_path { IB_PRINT_FOLDER, IB_PRINT_FILE, IB_PRINT_H5 } ib_print_path;

typedef struct ib_export_format {
    const char *name;
    ib_print_path path;
    int takes_vectors, codes;
    ib_status (*print)(const ib_program *p, const ib_print_job *job);
} ib_export_format;

#define EXPORT_FORMAT(id, name, path, vectors, codes)                                                                  \
    ib_status ib_print_##id(const ib_program *p, const ib_print_job *job);                                             \
    extern const ib_export_format ib_export_format_##id;
#include "export/export_formats.def"
#undef EXPORT_FORMAT

const ib_export_format *ib_export_format_at(int i); /* NULL: no such row */

#endif
