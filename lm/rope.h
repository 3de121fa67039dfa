/* rope.h - inside lm/: how rotary positions are scaled to longer contexts than were trained. */
#ifndef IB_LM_ROPE_H
#define IB_LM_ROPE_H

#include <isobit/status.h>
#include <stdint.h>

/* What a file says; 0: not said. Then, from ib_rope_finish, what is computed with. */
typedef struct ib_rope_scaling {
    const struct ib_rope_kind *kind;
    double factor, original;                         /* context: how much longer, before */
    double attention_factor;                         /* yarn, longrope: of cosines and sines */
    double beta_fast, beta_slow, mscale, mscale_all; /* yarn */
    double low, high;                                /* llama3 */
    int whole;       /* yarn: its bounds are whole dimensions; longrope: short and long factors
                                              are one */
    float *given;    /* [rotated/2] longrope's short factors, or GGUF's rope_freqs; NULL: none */
    float *divisor;  /* [rotated/2] of the frequencies; NULL: 1 */
    float magnitude; /* of cosines and sines */
    int64_t limit;   /* positions that these numbers hold for; 0: any */
} ib_rope_scaling;

typedef struct ib_rope_kind {
    const char *name, *members; /* by transformers' names; which of its members it has */
    ib_status (*scale)(ib_rope_scaling *s, double base, int rotated, int context);
} ib_rope_kind;

const ib_rope_kind *ib_rope_kind_find(const char *name); /* NULL with ib_error() listing the names */
/* divisor, magnitude and limit, once the numbers of the file are in. */
ib_status ib_rope_finish(ib_rope_scaling *s, double base, int rotated, int context);
void ib_rope_release(ib_rope_scaling *s);
/* YaRN's attention factor as its paper has it: 0.1 ln(factor) + 1 (arXiv:2309.00071) */
double ib_rope_yarn_magnitude(double factor, double mscale);

#endif
