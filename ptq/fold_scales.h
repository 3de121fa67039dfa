/* fold_scales.h - scales that are moved from the rows that go into products to what makes these rows: channel c becomes
 * x_c / s_c, column c of what reads it w_c s_c, and a float model stays what it was.
 *
 * What takes 1 / s:
 *     queries, keys, values    the weight of the norm before attention
 *     attn_output              rows (and bias) of attn_v: attention adds up values with weights that no scale of theirs
 *                              changes, and heads that share keys and values share a scale a channel
 *     gate, up                 the weight of the norm before the feed-forward part
 *     ffn_down                 rows (and bias) of ffn_up, which multiplies what the activation makes of the gate
 * Norms hold in memory what they multiply by, also where files hold it less 1, so that there is one rule for all. */
#ifndef IB_PTQ_FOLD_SCALES_H
#define IB_PTQ_FOLD_SCALES_H

#include "ptq/swaps.h"

/* What a block multiplies: rows that several products read are the same. */
enum { IB_INPUT_ATTENTION, IB_INPUT_OUTPUT, IB_INPUT_FFN, IB_INPUT_DOWN, IB_N_INPUTS };
int ib_input_of(int role);

typedef struct ib_fold_place {
    ib_lm *m;
    ib_device *dev; /* that decodes matrices */
    int layer, input;
    ib_swaps *swaps; /* matrices become f32 */
} ib_fold_place;

/* How many scales the rows of an input can have; 0: nothing before it can take them, and *why says so. */
int64_t ib_fold_channels(const ib_fold_place *f, const char **why);
/* Which of them column c of its readers has. */
int64_t ib_fold_channel(const ib_fold_place *f, int64_t c);
/* s [channels], each above 0. */
ib_status ib_fold_scales(const ib_fold_place *f, const float *s);

#endif
