/* checkpoint.h - inside train/: everything that training needs to go on, in HDF5:
 *   /            attributes: format, version, model, notes, seed, epoch, step, ..., input, phase, quantization;
 *                data, where they are known
 *   /params      one dataset a parameter or buffer
 *   /optim       per parameter a group with its states and its number of steps
 *   /qat         per quantizer: range, number of batches seen, scale, zero point
 *   /history     [epochs][4]
 *   /measures    [epochs][2], absent in older files, as is the attribute right, which is there within an epoch
 *   /schema      JSON of what inputs and classes mean, where that is known (schema.h)
 *   /network     text of a network that is described by one (layers/wired.h) */
#ifndef IB_TRAIN_CHECKPOINT_H
#define IB_TRAIN_CHECKPOINT_H

#include <isobit/train.h>

#include "files/h5.h"

enum { IB_CHECKPOINT_VERSION = 1 };

#define IB_CHECKPOINT_AVERAGING "averaging_constant" /* absent: ib_qat_opts' default */

/* The attributes of / and what belongs to no parameter (checkpoint_header.c). */
int ib_checkpoint_read_header(hid_t f, ib_checkpoint *c, ib_input_info *in, int *phase);
/* All of it, into what there is; opt may be NULL. */
ib_status ib_checkpoint_read(hid_t f, ib_layer *net, ib_graph *g, ib_optim *opt, ib_checkpoint *c);

#endif
