/* train_defaults.c - what `isobit train` was not told, by what the data turn out to be. */
#include <stdio.h>
#include <string.h>

#include "cli/train/train_options.h"

/* What suits small tables: as many steps as it takes, whatever the number of rows, one small hidden layer, and a decay
 * that gives way to the data as they become more. */
static void fill_in(train_options *o, int64_t rows)
{
    enum { DECAY_ROWS = 500, LEAST_TRIED = 40, MOST_TRIED = 2000 };
    const int sgd = !strcmp(o->optimizer, "sgd");
    const double decay = rows > DECAY_ROWS ? (double)DECAY_ROWS / (double)rows : 1;
    const int64_t batch = !rows || rows >= 4096 ? 64 : rows >= 1024 ? 32 : 16;
    o->batch = o->batch ? o->batch : batch;
    const int64_t steps = rows > o->batch ? rows / o->batch : 1, epochs = rows ? 1500 / steps : 0;
    const int64_t usual = epochs < 12 ? 12 : epochs > 150 ? 150 : epochs;
    o->epochs = o->epochs ? o->epochs : usual;
    if (rows && !o->init && !strcmp(o->network, "mlp"))
        strcpy(o->network, "mlp:64");
    o->lr = o->lr > 0 ? o->lr : sgd ? 0.05 : rows ? 5e-3 : 2e-3;
    const int tries = o->decay < 0 && !sgd && rows >= LEAST_TRIED && rows <= MOST_TRIED && !o->init;
    o->decay_epochs = tries && !strncmp(o->network, "mlp:", 4) ? o->epochs < usual ? o->epochs : usual : 0;
    o->decay = o->decay >= 0 ? o->decay : sgd ? 0 : rows && decay > 0.01 ? decay : 0.01;
    const ib_qat_opts *q = &o->quant;
    if (rows && !q->observer && !q->rules && !(q->averaging_constant > 0) && q->act_bits == 8)
        o->quant.observer = "minmax"; /* averages over batches of few rows clip what is rare and counts most */
}

int train_options_complete(train_options *o, int64_t rows)
{
    fill_in(o, rows);
    o->qat_lr = o->qat_lr > 0 ? o->qat_lr : o->lr / 2;
    o->qat_from = o->qat_from >= 0 ? o->qat_from : o->epochs / 2;
    if (o->qat_from > o->epochs)
        return fprintf(stderr, "isobit: --qat-from %lld is behind the last of %lld epochs\n", (long long)o->qat_from,
                       (long long)o->epochs),
               2;
    if (o->freeze > o->epochs - o->qat_from)
        return fprintf(stderr, "isobit: --freeze %lld: only %lld of the %lld epochs are quantized\n",
                       (long long)o->freeze, (long long)(o->epochs - o->qat_from > 0 ? o->epochs - o->qat_from : 0),
                       (long long)o->epochs),
               2;
    return 0;
}
