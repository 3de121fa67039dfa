/* train_settings.c - what a checkpoint notes of its training. */
#include <stdio.h>
#include <zlib.h>

#include "cli/train/train_options.h"

int train_options_text(const train_options *o, const float *weights, int classes, char *text, size_t size)
{
    const ib_qat_opts *q = &o->quant;
    char averaging[32] = ""; /* what older checkpoints do not name has its default */
    if (q->averaging_constant > 0)
        snprintf(averaging, sizeof averaging, " averaging=%g", q->averaging_constant);
    char table[256] = ""; /* and what they do not tell of tables is the default */
    const ib_data_opts *d = &o->common.table;
    const int said = d->task || d->label || d->drop || d->categorical || d->fill_missing || d->split_seed ||
                     d->test_share > 0 || o->whole;
    if (said &&
        snprintf(table, sizeof table, "%s%s label=%s drop=%s%s%s missing=%d split=%llu test=%g",
                 d->task ? " task=regression" : "", o->whole ? " rows=all" : "", d->label ? d->label : "",
                 d->drop ? d->drop : "", d->categorical ? " categorical=" : "", d->categorical ? d->categorical : "",
                 d->fill_missing, (unsigned long long)d->split_seed, d->test_share) >= (int)sizeof table)
        return fprintf(stderr, "isobit: --label, --drop and --categorical take more than a checkpoint keeps: columns "
                               "have numbers too\n"),
               1;
    if (d->input[0])
        snprintf(table, sizeof table, " pictures=%dx%dx%d", d->input[0], d->input[1], d->input[2]);
    char weighted[32] = "";
    if (weights)
        snprintf(weighted, sizeof weighted, " class_weights=%08lx",
                 crc32(0, (const Bytef *)weights, (uInt)((size_t)classes * sizeof *weights)));
    const int length =
        snprintf(text, size,
                 "data=%s epochs=%lld batch=%lld lr=%g optim=%s momentum=%g decay=%g schedule=%d smoothing=%g clip=%g "
                 "shift=%g rotate=%g flip=%d "
                 "qat=%s from=%lld qat_lr=%g freeze=%lld calibrate=%lld profile=%s observer=%s weights=%s "
                 "granularity=%d:%d rules=%s input=%d "
                 "symmetric=%d percentile=%g reestimate=%d limit=%lld%s%s%s",
                 o->common.data, (long long)o->epochs, (long long)o->batch, o->lr, o->optimizer, o->momentum, o->decay,
                 (int)o->schedule, o->smoothing, o->clip, o->shift, o->rotate, o->flip, o->qat, (long long)o->qat_from,
                 o->qat_lr, (long long)o->freeze, (long long)o->calibrate, ib_profile_name(q->profile),
                 q->observer ? q->observer : "auto", q->weight_observer ? q->weight_observer : "auto",
                 (int)q->granularity, q->group_size, q->rules ? q->rules : "", q->input_bits, q->symmetric,
                 q->percentile, o->reestimate, (long long)o->common.limit, averaging, table, weighted);
    if (length >= 0 && (size_t)length < size)
        return 0;
    fprintf(stderr, "isobit: the settings take %d characters, a checkpoint keeps %zu: shorten --rules or --data\n",
            length, size - 1);
    return 1;
}
