/* lm.h - inside the library: what a language model is made of. */
#ifndef IB_LM_LM_H
#define IB_LM_LM_H

#include <isobit/lm.h>

#include "files/gguf.h"
#include "files/safetensors.h"
#include "layers/layer.h"
#include "lm/rope.h"

/* A row of archs.def. */
typedef struct ib_arch {
    const char *name;
    int gguf_pairs;               /* files of this architecture hold the rows of q and k permuted: neighbours turn */
    int qkv_bias;                 /* q, k and v have biases always */
    int qk_norm;                  /* queries and keys are normed: IB_QK_... */
    int no_pre_norms, post_norms; /* norms before attention and feed-forward, and behind them */
    int gelu;                     /* ib_glu's kind, where files do not say another */
    int scaled_embedding;         /* times the root of the width */
    int norm_minus_one;           /* Hugging Face's norms store w - 1 */
    int global_every;             /* of so many layers the last is global, the others local */
    int gguf_share;               /* of the model with so many layers GGUF files mean, and do not say, that scores are
                                     divided by the root of width / heads */
    int capped;                   /* scores and logits have soft caps */
    /* what config.json need not say; groups 0: as many as heads; head size 0: width / heads */
    int hf_groups, hf_dim, hf_context, hf_window;
    int hf_late_windows;  /* windows from a layer on */
    double hf_scalar;     /* scores are divided by its root */
    double hf_base;       /* rotary, of global and */
    double hf_local_base; /* of local layers; 0: there is one */
    int hf_tied;
} ib_arch;
enum { IB_QK_HEADS = 1, IB_QK_WHOLE };         /* norms of each head, or of all of a row's heads together */
const ib_arch *ib_arch_find(const char *name); /* NULL with ib_error() listing the names */
unsigned ib_arch_bit(const ib_arch *a);        /* its place in archs.def as a bit */

/* The linear layers of a block, in this order everywhere. */
#define IB_ROLES(X)                                                                                                    \
    X(Q, "attn_q", "self_attn.q_proj")                                                                                 \
    X(K, "attn_k", "self_attn.k_proj")                                                                                 \
    X(V, "attn_v", "self_attn.v_proj")                                                                                 \
    X(O, "attn_output", "self_attn.o_proj")                                                                            \
    X(GATE, "ffn_gate", "mlp.gate_proj")                                                                               \
    X(UP, "ffn_up", "mlp.up_proj")                                                                                     \
    X(DOWN, "ffn_down", "mlp.down_proj")
enum {
#define X(role, gguf, hf) IB_ROLE_##role,
    IB_ROLES(X)
#undef X
        IB_N_ROLES
};

/* The norms of a block. */
#define IB_NORMS(X)                                                                                                    \
    X(ATTENTION, "attn_norm", "input_layernorm", "input_layernorm")                                                    \
    X(FFN, "ffn_norm", "post_attention_layernorm", "pre_feedforward_layernorm")                                        \
    X(QUERY, "attn_q_norm", "self_attn.q_norm", "self_attn.q_norm")                                                    \
    X(KEY, "attn_k_norm", "self_attn.k_norm", "self_attn.k_norm")                                                      \
    X(POST_ATTENTION, "post_attention_norm", NULL, "post_attention_layernorm")                                         \
    X(POST_FFN, "post_ffw_norm", NULL, "post_feedforward_layernorm")
enum {
#define X(norm, gguf, hf, hf_post) IB_NORM_##norm,
    IB_NORMS(X)
#undef X
        IB_N_NORMS
};

typedef struct ib_name {
    const char *gguf, *hf, *hf_post; /* hf_post: in architectures with post norms */
} ib_name;
extern const ib_name ib_role_names[IB_N_ROLES], ib_norm_names[IB_N_NORMS];

typedef struct ib_projection {
    ib_matrix *w;         /* frozen, or NULL and */
    ib_tensor *weight;    /* trained, a parameter of the model's layer */
    ib_tensor *bias;      /* frozen fp32, or NULL */
    ib_tensor *a, *b, *m; /* adapter, or NULL; parameters of the adapter's layer */
    float scale, alpha;   /* scale = alpha / r, or alpha / sqrt r */
    ib_matrix *merged;    /* ib_lm_deploy's, or NULL */
} ib_projection;

typedef struct ib_block {
    ib_projection p[IB_N_ROLES];
    ib_tensor *norm[IB_N_NORMS]; /* NULL where the architecture has none */
    int local;                   /* sliding window and local rotary base */
} ib_block;

/* The most positions; tables of them become at least twice as long each time they grow, or as long as is possible. */
enum { IB_LM_POSITIONS = 1 << 20, IB_LM_GROWTHS = 20 };

struct ib_lm {
    ib_lm_config c;
    const ib_arch *arch;
    int pairs;                       /* rows of q and k lie as in GGUF files: neighbouring pairs turn */
    ib_block *block;                 /* [layers] */
    ib_matrix *embedding, *head;     /* head NULL: tied */
    ib_tensor *embedding_w, *head_w; /* trained, or NULL; one and the same in a model of ib_lm_new */
    ib_tensor *norm;
    int activation;                        /* ib_glu's */
    ib_rope_scaling scaling[2];            /* of global and of local layers */
    ib_tensor *rope[2];                    /* tables [positions,rotated] of cosines and sines: global, local */
    int64_t positions;                     /* in them */
    ib_tensor *outgrown[IB_LM_GROWTHS][2]; /* [n_outgrown] shorter ones, which steps may still use */
    int n_outgrown;
    ib_gguf *gguf; /* what the weights are mapped from */
    ib_safetensors *hf;
    ib_layer *trainable; /* adapter or trained weights */
    int32_t *end;        /* [n_ends] tokens that end a text */
    int n_ends;
    int integer; /* products in integers: IB_PATH_INTEGER */
    int adapted, rslora, dora, r;
    float alpha, dropout;
    int base_chosen;                 /* ib_lm_requantize was called */
    char *command;                   /* of ib_lm_set_command, or NULL */
    char base[16], adapter_base[16]; /* the format it stored the linear layers in, and the one that the adapter was
                                        trained over; "": the file's own */
};

/* ---- building ---- */
ib_status ib_lm_alloc(ib_lm *m); /* blocks, after c and arch are known; checks the numbers */
ib_status ib_lm_from_gguf(ib_lm *m, const char *path);
ib_status ib_lm_from_hf(ib_lm *m, const char *folder);
/* Fills arch, c, scaling, activation and the blocks' `local` from the metadata. */
ib_status ib_lm_config_of_gguf(ib_lm *m, const ib_gguf *f);
/* Every token of config.json, generation_config.json or a GGUF file (keys ..._token_id) has to be in the vocabulary.
 * Notes those that end a text: eos_token_id of the two; eos, eot and eom of a GGUF file. */
ib_status ib_lm_ends_of_hf(ib_lm *m, struct json_object *config, const char *folder);
ib_status ib_lm_ends_of_gguf(ib_lm *m, const ib_gguf *f);
/* Whether the head is the embedding, with all that was trained. */
int ib_lm_is_tied(const ib_lm *m);
/* Elements of a norm's weight; 0: the architecture has no such norm. */
int ib_lm_norm_width(const ib_lm *m, int norm);
/* A frozen fp32 vector from a tensor of a file; `plus` is added to each element. */
ib_tensor *ib_lm_vector(const ib_entry *e, int64_t size, float plus, const char *path);
/* The Hugging Face path of a linear layer, "model.layers.3.self_attn.q_proj", into buf; returns buf. */
enum { IB_LM_PATH = 96 };
char *ib_lm_path(char *buf, int layer, int role);
/* The name "model.layers.3.self_attn.q_proj" or "blk.3.attn_q"; yours to ib_free. */
char *ib_lm_name(const ib_name *n, int layer, int gguf, int post_norms);

/* Makes the rotary tables long enough for `positions`; those before stay as long as the model. */
ib_status ib_lm_rope(ib_lm *m, int64_t positions);
void ib_lm_rope_free(ib_lm *m);

/* Rows of a q or k matrix between Hugging Face's halves and GGUF's pairs: row h dim + 2 i + s of the pairs is row
 * h dim + s dim/2 + i of the halves. Moves rows of `bytes` each, rows = heads * dim. */
void ib_lm_permute_rows(const void *from, void *to, int64_t rows, int dim, size_t bytes, int to_pairs);

/* ---- running ---- */
struct ib_kv {
    ib_kv_cache *layer; /* [layers], views of */
    ib_device *dev;     /* whose memory the keys and values lie in; NULL: the host's */
    void *numbers;      /* theirs and the scales' */
    size_t bytes;       /* of them */
    int n_layers, length, context, groups, dim, int8;
};
/* Moves the cache into this device's memory. */
ib_status ib_kv_place(ib_kv *kv, ib_device *dev);
/* One block on rows b of the stream x; kv NULL: rows attend to each other; else rows are as many of each sequence, one
 * sequence behind the other, and attend to its cache too, to which they are added. */
typedef struct ib_block_run {
    ib_lm *m;
    const ib_lm_batch *b;
    const int32_t *pos, *first; /* b's, the device's */
    int layer;
    ib_kv *const *kv; /* [sequences] or NULL */
    int64_t sequences;
} ib_block_run;
/* The run of the first block, whose positions have a row in the rotary tables; pos is NULL if memory is out. */
ib_block_run ib_lm_run(ib_lm *m, ib_graph *g, const ib_lm_batch *b, ib_kv *const *kv, int64_t sequences);
ib_tensor *ib_lm_block(ib_graph *g, void *run, ib_tensor *x);
ib_tensor *ib_lm_embed(ib_lm *m, ib_graph *g, const ib_lm_batch *b);

/* Shape of a role's matrix. */
void ib_lm_role_shape(const ib_lm_config *c, int role, int64_t *rows, int64_t *cols);
/* A frozen matrix, and W + s B A (DoRA: rows scaled to m) of one projection, as fp32 [rows, cols] of the host's. */
ib_status ib_lm_decoded(const ib_matrix *w, ib_device *dev, float *out);
ib_status ib_lm_merged(const ib_projection *p, ib_device *dev, float *out);

#endif
