/* lattice.c - see lattice.h */
#include "tensor/lattice.h"

#include <math.h>

#include "base/error.h"
#include "tensor/storage/integers.h"
#include "tensor/storage/iq4_values.h"
#include "tensor/storage_places.h"

#define LATTICE(name, least, most, group, least_scale, most_scale, most_min)                                           \
    void ib_##name##_recode_ref(const int8_t *code, uint8_t *b);                                                       \
    void ib_##name##_rescale_ref(const ib_integers *y, uint8_t *b);                                                    \
    void ib_##name##_integers_ref(const uint8_t *b, ib_integers *y);
#include "tensor/lattice.def"
#undef LATTICE

static const ib_lattice_format table[IB_N_STORAGE] = {
#define LATTICE(name, least, most, group, least_scale, most_scale, most_min)                                           \
    [IB_AT_##name] = {#name,                                                                                           \
                      least,                                                                                           \
                      most,                                                                                            \
                      ib_##name##_recode_ref,                                                                          \
                      group,                                                                                           \
                      least_scale,                                                                                     \
                      most_scale,                                                                                      \
                      most_min,                                                                                        \
                      ib_##name##_rescale_ref,                                                                         \
                      ib_##name##_integers_ref,                                                                        \
                      IB_AT_##name == IB_AT_iq4_nl},
#include "tensor/lattice.def"
#undef LATTICE
};

const ib_lattice_format *ib_lattice_row(const ib_storage *f)
{
    return table[f->index].integers ? &table[f->index] : NULL;
}

const ib_lattice_format *ib_lattice_of(const ib_storage *f)
{
    if (!table[f->index].integers)
        return ib_fail_null(IB_EUNSUPPORTED, "%s has no codes beside scales that could be chosen anew", f->name);
    return &table[f->index];
}

/* d scale code + m min: products of two are made first, as the formats' decoders do. */
void ib_lattice_read(const ib_storage *f, const uint8_t *block, ib_lattice *to)
{
    ib_integers whole;
    table[f->index].integers(block, &whole);
    for (int i = 0; i < f->block; i++) {
        to->step[i] = whole.d * (float)whole.scale[i / 16];
        to->offset[i] = whole.m ? whole.m * (float)whole.min[i / 16] : 0;
        to->code[i] = whole.code[i];
    }
}

void ib_lattice_scale(const ib_storage *f, uint8_t *block, float factor)
{
    for (int i = 0; i < f->reals; i++) {
        uint8_t *at = block + f->real + 2 * i;
        const uint16_t half = ib_float_to_half(ib_half_to_float((uint16_t)(at[0] | at[1] << 8)) * factor);
        at[0] = (uint8_t)half;
        at[1] = (uint8_t)(half >> 8);
    }
}

int8_t ib_lattice_nearest(const ib_lattice_format *f, float step, float offset, float x)
{
    const float q = step ? (x - offset) / step : 0,
                at = q > (float)f->least ? q < (float)f->most ? q : (float)f->most : (float)f->least;
    return (int8_t)(f->uneven ? ib_iq4_value[ib_iq4_index(at)] : (int)rintf(at));
}
