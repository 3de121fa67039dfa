/* augment.h - the same digit, moved a little. */
#ifndef IB_DATA_AUGMENT_H
#define IB_DATA_AUGMENT_H

#include <isobit/data.h>

/* out[c,h,w] = in shifted, rotated about its centre and mirrored as the options and numbers 8 i .. 8 i + 7 of rng say.
 * What moves in from outside is 0 (the least raw value). Whole-pixel shifts without rotation copy values exactly. */
void ib_augment(const ib_loader_opts *o, ib_rng rng, uint64_t i, const float *in, int c, int h, int w, float *out);

#endif
