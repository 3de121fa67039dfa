/* program_open.c - reads an integer program that program_hdf5.c wrote. Nothing that the file says is believed: geometry
 * follows from shapes, factors are normal numbers, and the bounds of accumulators are proved again (program_read.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arithmetic/requant.h"
#include "base/argument.h"
#include "data/tables/schema_hdf5.h"
#include "program/instr.h"
#include "program/program_read.h"

/* Room for another instruction and what its inputs may need before it. */
static ib_status make_room(ib_program *p, int *room)
{
    if (p->n_instrs + IB_MAX_INPUTS + 1 <= *room)
        return IB_OK;
    const size_t old = (size_t)*room, now = 2 * old + IB_MAX_INPUTS + 1;
    ib_instr *instrs = ib_realloc(p->instrs, old * sizeof *instrs, now * sizeof *instrs);
    p->instrs = instrs ? instrs : p->instrs;
    ib_value *values = ib_realloc(p->values, (old + 1) * sizeof *values, (now + 1) * sizeof *values);
    p->values = values ? values : p->values;
    *room = (int)now;
    return instrs && values ? IB_OK : IB_ENOMEM;
}

/* An instruction more, and its result after `like`. */
static ib_instr *append(ib_program *p, const ib_instr_class *cls, const char *name, const ib_value *like)
{
    ib_instr *i = &p->instrs[p->n_instrs];
    *i = (ib_instr){.cls = cls, .out = p->n_values};
    p->values[p->n_values] = *like;
    p->values[p->n_values].first = p->values[p->n_values].last = p->n_instrs;
    if (!(i->name = ib_strdup(name)))
        return NULL;
    p->n_instrs++;
    p->n_values++;
    return i;
}

/* Value v as the instruction takes it that makes y: files of before reshape was an instruction leave it out. */
static int in_shape(ib_program *p, const ib_instr_class *cls, const char *name, int v, const ib_value *y)
{
    const ib_value *x = &p->values[v];
    const int same = x->ndim == y->ndim && !memcmp(x->shape, y->shape, (size_t)x->ndim * sizeof *x->shape);
    const int by_element = cls == &ib_instr_add || cls == &ib_instr_mul || cls == &ib_instr_lookup;
    const int row = cls == &ib_instr_concat && y->ndim == 2 && x->ndim == 4;
    const int pixel = cls == &ib_instr_conv2d && y->ndim == 4 && y->size == y->shape[1] && x->size == y->size &&
                      x->shape[1] != x->size;
    if (same || !(row || pixel || (by_element && x->size == y->size)))
        return v;
    ib_value shown = *x;
    shown.ndim = y->ndim;
    memcpy(shown.shape, y->shape, sizeof shown.shape);
    if (row)
        shown.shape[1] = x->size;
    ib_instr *i = append(p, &ib_instr_reshape, name, &shown);
    if (!i)
        return -1;
    i->n_in = 1;
    i->in[0] = v;
    p->values[v].last = p->n_instrs - 1;
    return i->out;
}

/* Instruction `at` of the file, named `name`; value_of: the numbers of the file's values here. */
static ib_status read_instr(ib_program *p, int at, const char *name, hid_t g, int *value_of)
{
    char op[32];
    int in[IB_MAX_INPUTS] = {0}, out;
    ib_value y = {0};
    int n_in = (int)ib_h5_count(g, "inputs");
    if (ib_h5_get_text(g, "op", op, sizeof op))
        return ib_error_status();
    const ib_instr_class *cls = ib_instr_class_named(op);
    if (!cls)
        return ib_fail(IB_EFORMAT, "no operator '%.30s' is known", op);
    if (cls->inputs == IB_NO_INPUTS && n_in < 0)
        n_in = 0;
    else if (n_in < 1 || n_in > IB_MAX_INPUTS || (cls->inputs && n_in != cls->inputs))
        return ib_read_refuse("the number of inputs", n_in);
    if ((n_in && ib_h5_get(g, "inputs", H5T_NATIVE_INT, n_in, in)) || ib_h5_get(g, "output", H5T_NATIVE_INT, 1, &out) ||
        ib_read_value(g, "shape", "scale", "zero_point", "bits", &y))
        return ib_error_status();
    if (out != at + 1)
        return ib_read_refuse("its result's number", out);
    for (int j = 0; j < n_in; j++) {
        if (in[j] < 0 || in[j] > at)
            return ib_read_refuse("an input", in[j]);
        if ((in[j] = in_shape(p, cls, name, value_of[in[j]], &y)) < 0)
            return IB_ENOMEM;
    }
    ib_instr *i = append(p, cls, name, &y);
    if (!i)
        return IB_ENOMEM;
    i->n_in = n_in;
    memcpy(i->in, in, sizeof in);
    for (int j = 0; j < n_in; j++)
        p->values[in[j]].last = p->n_instrs - 1;
    value_of[out] = i->out;
    return cls->read(p, i, g);
}

/* Group names begin with the instruction's number. */
static ib_status read_names(hid_t f, int n, char (*names)[160])
{
    for (int k = 0; k < n; k++) {
        char name[160] = "";
        const ssize_t length =
            H5Lget_name_by_idx(f, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)k, name, sizeof name, H5P_DEFAULT);
        const long at = strtol(name, NULL, 10);
        if (length < 4 || length >= (ssize_t)sizeof name || at < 0 || at >= n || *names[at])
            return ib_fail(IB_EFORMAT, "'%.100s' is no instruction", name);
        memcpy(names[at], name, sizeof name);
    }
    return IB_OK;
}

static ib_status read_instrs(ib_program *p, hid_t f)
{
    H5G_info_t info;
    if (H5Gget_info(f, &info) < 0 || !info.nlinks || info.nlinks > 9999)
        return ib_fail(IB_EFORMAT, "holds no instructions");
    const int n = (int)info.nlinks - ib_schema_is_in(f); /* whose name is behind all numbers */
    int room = 0, result = 0;
    char(*names)[160] = ib_alloc((size_t)n * sizeof *names);
    int *value_of = ib_alloc(((size_t)n + 1) * sizeof *value_of);
    ib_status status = names && value_of ? make_room(p, &room) : IB_ENOMEM;
    if (!status) {
        p->n_values = 1;
        status = ib_read_value(f, "input_shape", "input_scale", "input_zero_point", "input_bits", &p->values[0]);
        p->values[0].first = p->values[0].last = -1;
    }
    if (!status)
        status = read_names(f, n, names);
    for (int k = 0; k < n && !status; k++) {
        const char *behind = strchr(names[k], '_'), *name = behind ? behind + 1 : names[k];
        const hid_t g = H5Gopen2(f, names[k], H5P_DEFAULT);
        status = g < 0 ? ib_fail(IB_EFORMAT, "is no group") : make_room(p, &room);
        if (!status)
            status = read_instr(p, k, name, g, value_of);
        if (status)
            ib_error_prefix("layer '%s'", name);
        if (g >= 0)
            H5Gclose(g);
    }
    if (!status && !(status = ib_h5_get(f, "result", H5T_NATIVE_INT, 1, &result) ? ib_error_status() : IB_OK))
        status = result < 1 || result > n ? ib_read_refuse("its result's number", result) : IB_OK;
    if (!status)
        p->result = value_of[result];
    ib_free(names);
    ib_free(value_of);
    return status;
}

static ib_status read_program(ib_program *p, hid_t f)
{
    char text[160];
    ib_profile profile;
    int version = 0, input[5];
    if (ib_h5_get_text(f, "format", text, sizeof text))
        return ib_error_status();
    if (strcmp(text, "isobit program"))
        return ib_fail(IB_EUNSUPPORTED,
                       "is an '%.40s', not an 'isobit program': write one with `isobit export --to hdf5`", text);
    if (ib_h5_get(f, "version", H5T_NATIVE_INT, 1, &version))
        return ib_error_status();
    if (version != 1)
        return ib_read_refuse("its version", version);
    float norm[2];
    if (ib_h5_get(f, "input", H5T_NATIVE_INT, 5, input) || ib_h5_get(f, "normalization", H5T_NATIVE_FLOAT, 2, norm) ||
        ib_h5_get_text(f, "profile", text, sizeof text) || ib_profile_parse(text, &profile))
        return ib_error_status();
    if (ib_h5_get_text(f, "note", text, sizeof text))
        return ib_error_status();
    p->leaves_softmax = *text != 0;
    if (strcmp(text, ib_program_note(p)))
        return ib_fail(IB_EUNSUPPORTED, "leaves something to its caller that this version does not know: %.100s", text);
    p->profile = (int)profile;
    p->rounding = ib_rounding(p->profile);
    p->input = (ib_input_info){input[0], input[1], input[2], input[3], norm[0], norm[1], input[4]};
    if (read_instrs(p, f) || ib_schema_read(f, &p->schema))
        return ib_error_status();
    const ib_input_info *in = &p->input;
    if (in->c < 1 || in->h < 1 || in->w < 1 || (double)in->c * in->h * in->w != (double)p->values[0].size ||
        in->raw_max < 0)
        return ib_read_refuse("the number of channels of its input", in->c);
    if (ib_schema_check(p->schema, p->values[0].size, in->classes))
        return ib_error_status();
    const ib_status status = ib_plan_memory(p);
    return status || p->values[p->result].root ? status : ib_fail(IB_EFORMAT, "computes nothing");
}

ib_program *ib_program_open(const char *path)
{
    IB_NEED_OR(path, NULL);
    const hid_t f = ib_h5_open(path);
    ib_program *p = f < 0 ? NULL : ib_alloc(sizeof *p);
    if (p && read_program(p, f)) {
        ib_error_prefix("%s", path);
        ib_program_free(p);
        p = NULL;
    }
    if (f >= 0)
        H5Fclose(f);
    return p;
}
