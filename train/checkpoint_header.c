/* checkpoint_header.c - what a checkpoint says of itself, and of the training so far. */
#include "train/checkpoint.h"

#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if (call)                                                                                                      \
            goto fail;                                                                                                 \
    } while (0)

int ib_checkpoint_read_header(hid_t f, ib_checkpoint *c, ib_input_info *in, int *phase)
{
    char format[64];
    int version, input[5];
    float norm[2];
    int64_t place[3];
    double best[2];
    memset(c, 0, sizeof *c);
    TRY(ib_h5_get_text(f, "format", format, sizeof format));
    TRY(ib_h5_get(f, "version", H5T_NATIVE_INT, 1, &version));
    if (!strcmp(format, "isobit program")) {
        ib_fail(IB_EFORMAT,
                "is an exported program, no checkpoint: `isobit eval`, `predict` and `inspect --graph` take "
                "it");
        goto fail;
    }
    if (strcmp(format, "isobit checkpoint") || version != IB_CHECKPOINT_VERSION) {
        ib_fail(IB_EFORMAT, "is '%s' of version %d, not 'isobit checkpoint' of version %d", format, version,
                IB_CHECKPOINT_VERSION);
        goto fail;
    }
    TRY(ib_h5_get_text(f, "model", c->model, sizeof c->model) || ib_h5_get_text(f, "notes", c->notes, sizeof c->notes));
    TRY(H5Aexists(f, "data") > 0 && ib_h5_get_text(f, "data", c->data, sizeof c->data));
    TRY(ib_h5_get(f, "seed", H5T_NATIVE_UINT64, 1, &c->seed) || ib_h5_get(f, "place", H5T_NATIVE_INT64, 3, place));
    TRY(ib_h5_get(f, "best", H5T_NATIVE_DOUBLE, 2, best) || ib_h5_get(f, "state", H5T_NATIVE_DOUBLE, 8, c->state));
    TRY(ib_h5_get(f, "phase", H5T_NATIVE_INT, 1, phase) || ib_h5_get(f, "input", H5T_NATIVE_INT, 5, input));
    TRY(ib_h5_get(f, "normalization", H5T_NATIVE_FLOAT, 2, norm));
    c->epoch = place[0];
    c->step = place[1];
    c->total_steps = place[2];
    c->best = best[0];
    c->loss_sum = best[1];
    *in = (ib_input_info){input[0], input[1], input[2], input[3], norm[0], norm[1], input[4]};
    if (H5Lexists(f, "history", H5P_DEFAULT) > 0) {
        const hid_t set = H5Dopen2(f, "history", H5P_DEFAULT), space = H5Dget_space(set);
        const int64_t n = (int64_t)H5Sget_simple_extent_npoints(space);
        H5Sclose(space);
        H5Dclose(set);
        if (!(c->history = ib_alloc((size_t)n * sizeof(float))))
            goto fail;
        c->n_history = n / IB_HISTORY;
        TRY(ib_h5_read(f, "history", H5T_NATIVE_FLOAT, n, c->history));
    }
    if (H5Lexists(f, "measures", H5P_DEFAULT) > 0) {
        const int64_t n = c->n_history * IB_MEASURES;
        if (!(c->measures = ib_alloc((size_t)n * sizeof(float))))
            goto fail;
        TRY(ib_h5_read(f, "measures", H5T_NATIVE_FLOAT, n, c->measures));
    }
    c->right = c->step ? -1 : 0;
    if (H5Aexists(f, "right") > 0)
        TRY(ib_h5_get(f, "right", H5T_NATIVE_INT64, 1, &c->right));
    return 0;
fail:
    ib_checkpoint_release(c);
    return -1;
}

void ib_checkpoint_release(ib_checkpoint *c)
{
    ib_free(c->history);
    ib_free(c->measures);
    c->history = c->measures = NULL;
    c->n_history = 0;
}

ib_status ib_checkpoint_peek(const char *path, ib_checkpoint *c)
{
    IB_NEED(path);
    IB_NEED(c);
    ib_input_info in;
    int phase;
    const hid_t f = ib_h5_open(path);
    if (f < 0)
        return ib_error_status();
    const int failed = ib_checkpoint_read_header(f, c, &in, &phase);
    H5Fclose(f);
    if (failed)
        ib_error_prefix("%s", path);
    return failed ? ib_error_status() : IB_OK;
}
