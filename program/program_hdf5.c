/* program_hdf5.c - prints an integer program as HDF5 (program_open.c reads it):
 *   /                attributes: format, version, profile, input, normalization, input_*, result, note
 *   /schema          JSON, where the network has a schema
 *   /NNN_<layer>     an instruction; attributes: op, inputs, output (values; 0 is the input), shape, scale, zero_point,
 *                    bits of its result, acc_bound
 *     conv2d, linear: attributes window, quantization; weights, group_factors, bias, requantization, weight_scale
 *     lookup, concat: table; concat: attribute axis
 *     reshape, flatten_hwc: nothing else; constant: codes of one sample, and no inputs
 *     others:         attribute constants, in the order of isobit_rt.h's struct */
#include <stdio.h>

#include "base/argument.h"
#include "base/number.h"
#include "data/tables/schema_hdf5.h"
#include "program/instr.h"

static int write_instr(hid_t f, const ib_program *p, int at)
{
    const ib_instr *i = &p->instrs[at];
    char name[160];
    ib_snprintf(name, sizeof name, "%03d_%.140s", at, i->name);
    const hid_t g = ib_h5_group(f, name);
    const ib_value *v = &p->values[i->out];
    const int failed = g < 0 || ib_h5_set_text(g, "op", i->cls->name) ||
                       (i->n_in && ib_h5_set(g, "inputs", H5T_NATIVE_INT, i->n_in, i->in)) ||
                       ib_h5_set(g, "output", H5T_NATIVE_INT, 1, &i->out) ||
                       ib_h5_set(g, "shape", H5T_NATIVE_INT64, v->ndim, v->shape) ||
                       ib_h5_set(g, "scale", H5T_NATIVE_FLOAT, 1, &v->scale) ||
                       ib_h5_set(g, "zero_point", H5T_NATIVE_INT, 1, &v->zero) ||
                       ib_h5_set(g, "bits", H5T_NATIVE_INT, 1, &v->bits) ||
                       ib_h5_set(g, "acc_bound", H5T_NATIVE_INT64, 1, &i->acc_bound) || i->cls->write(g, i);
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

ib_status ib_export_hdf5(const ib_program *p, const char *path)
{
    IB_NEED(p);
    IB_NEED(path);
    if (!p)
        return ib_error_status();
    const hid_t f = ib_h5_create();
    if (f < 0)
        return ib_error_status();
    const ib_value *in = &p->values[0];
    const ib_input_info *info = &p->input;
    const int version = 1, input[] = {info->c, info->h, info->w, info->classes, info->raw_max};
    const float norm[] = {info->mean, info->std};
    int failed =
        ib_h5_set_text(f, "format", "isobit program") || ib_h5_set(f, "version", H5T_NATIVE_INT, 1, &version) ||
        ib_h5_set(f, "input", H5T_NATIVE_INT, 5, input) || ib_h5_set(f, "normalization", H5T_NATIVE_FLOAT, 2, norm) ||
        ib_h5_set_text(f, "note", ib_program_note(p)) ||
        ib_h5_set_text(f, "profile", ib_profile_name((ib_profile)p->profile)) ||
        ib_h5_set(f, "input_shape", H5T_NATIVE_INT64, in->ndim, in->shape) ||
        ib_h5_set(f, "input_scale", H5T_NATIVE_FLOAT, 1, &in->scale) ||
        ib_h5_set(f, "input_zero_point", H5T_NATIVE_INT, 1, &in->zero) ||
        ib_h5_set(f, "input_bits", H5T_NATIVE_INT, 1, &in->bits) ||
        ib_h5_set(f, "result", H5T_NATIVE_INT, 1, &p->result) || ib_schema_write(f, p->schema);
    for (int i = 0; i < p->n_instrs && !failed; i++)
        failed = write_instr(f, p, i);
    if (failed) {
        H5Fclose(f);
        ib_error_prefix("%s", path);
        return ib_error_status();
    }
    return ib_h5_finish(f, path);
}
