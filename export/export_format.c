/* export_format.c - the table of formats. */
#include "export/export_format.h"

#define EXPORT_FORMAT(id, name, path, vectors, codes)                                                                  \
    const ib_export_format ib_export_format_##id = {name, IB_PRINT_##path, vectors, codes, ib_print_##id};
#include "export/export_formats.def"
#undef EXPORT_FORMAT

const ib_export_format *ib_export_format_at(int i)
{
    static const ib_export_format *const formats[] = {
#define EXPORT_FORMAT(id, name, path, vectors, codes) &ib_export_format_##id,
#include "export/export_formats.def"
#undef EXPORT_FORMAT
    };
    return i >= 0 && i < (int)(sizeof formats / sizeof *formats) ? formats[i] : NULL;
}

/* The program's own file (program/program_hdf5.c), which ib_program_open reads. */
ib_status ib_print_hdf5(const ib_program *p, const ib_print_job *job)
{
    return ib_export_hdf5(p, job->path);
}
