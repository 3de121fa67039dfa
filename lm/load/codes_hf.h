/* codes_hf.h - inside lm/: matrices of Hugging Face folders that lie in codes: the layouts of GPTQ, AWQ,
 * compressed-tensors and bitsandbytes. */
#ifndef IB_LM_LOAD_CODES_HF_H
#define IB_LM_LOAD_CODES_HF_H

#include "lm/lm.h"

typedef enum ib_hf_layout {
    IB_HF_PLAIN, /* none is named: bitsandbytes' 4-bit types come with a state a tensor */
    IB_HF_GPTQ,
    IB_HF_GPTQ_V2,
    IB_HF_AWQ_GEMM,
    IB_HF_AWQ_GEMV,
    IB_HF_COMPRESSED,
    IB_HF_BITSANDBYTES
} ib_hf_layout;

/* What quantization_config says. */
typedef struct ib_hf_codes {
    ib_hf_layout layout;
    const char *method, *method_again, *format, *checkpoint, *version; /* as in the file; borrowed until it is closed */
    int bits, group, act_order;
    /* compressed-tensors: 1 << bits of each scheme; their groups have other sizes than the first's; all have zeros; one
     * has columns in groups of their own */
    unsigned packed_bits;
    int schemes, mixed, needs_zeros, by_group;
} ib_hf_codes;
/* Takes in what one of compressed-tensors' schemes says of weights. */
typedef struct ib_hf_scheme {
    int bits, group, symmetric;
    const char *order;
} ib_hf_scheme;
ib_status ib_hf_codes_add(ib_hf_codes *c, const ib_hf_scheme *s, const char *file);
/* Tells the layout by its names, and refuses what has none. file: for errors. */
ib_status ib_hf_codes_check(ib_hf_codes *c, const char *file);

/* Tensor base + suffix, or NULL; no error is set. */
const ib_entry *ib_hf_find(const ib_safetensors *f, const char *base, const char *suffix);
/* The same, which has to be [rows, cols] of that type. NULL with ib_error(). */
const ib_entry *ib_hf_need(const ib_safetensors *f, const char *base, const char *suffix, const char *type,
                           const int64_t shape[2]);

/* A matrix that is looked for. */
typedef struct ib_hf_wanted {
    const ib_safetensors *f;
    const ib_hf_codes *codes;
    const char *base; /* "model.layers.0.mlp.up_proj" */
    int64_t rows, cols;
} ib_hf_wanted;
/* base.qweight with scales, zeros and maybe g_idx. */
ib_status ib_hf_read_gptq(const ib_hf_wanted *w, ib_matrix **out);
ib_status ib_hf_read_awq(const ib_hf_wanted *w, ib_matrix **out);
/* base.weight_packed, or int8 base.weight, with base.weight_scale */
ib_status ib_hf_read_compressed(const ib_hf_wanted *w, ib_matrix **out);
/* base.weight of bytes with a state */
ib_status ib_hf_read_bnb(const ib_hf_wanted *w, ib_matrix **out);

#endif
