/* lm.h - language models over frozen weights: open, measure, generate, adapt, merge.
 *
 * One decoder serves llama, mistral, qwen2, qwen3, gemma2, gemma3 and olmo2; a table of differences (lm/archs.def)
 * describes them. Base weights stay in their file's storage format, mapped, and are decoded tile by tile inside
 * each product. */
#ifndef ISOBIT_LM_H
#define ISOBIT_LM_H

#include <isobit/api.h>
#include <isobit/optim.h>
#include <isobit/text.h>

IB_BEGIN_API

typedef struct ib_lm ib_lm;

typedef struct ib_lm_config {
    char arch[16];                             /* "llama", "mistral", "gemma2": a row of lm/archs.def */
    int layers, width, ff, heads, groups, dim; /* width = hidden size, groups = heads of keys and values, dim of one
                                                  head; dim 0 means width / heads */
    int vocabulary, context;
    int rotated;                                   /* leading dimensions of a head that turn; 0: all */
    float rope_base, rope_base_local, rope_factor; /* 0: 10000, the same, 1 (linear position scaling) */
    float eps;                                     /* of RMS norms */
    float attention_scale;                         /* 0: 1 / sqrt(dim) */
    float score_cap, logit_cap;                    /* of scores and logits: cap tanh(x / cap); 0: none */
    int window;                                    /* sliding window of local layers; 0: none */
    int tied;                                      /* the head is the embedding */
} ib_lm_config;

/* Opens a GGUF file or a Hugging Face folder (config.json, safetensors, sharded or not, bitsandbytes 4-bit too). The
 * files stay mapped until ib_lm_free. NULL with ib_error() naming file and tensor. All weights are looked at: one that
 * is not finite (of quantized blocks, a scale) is IB_ENUMERIC. That reads the files once, shared out among the threads,
 * and takes 20 to 40 ms of one processor for 100 MB that are in memory; their pages do not stay in the process, nothing
 * is copied. */
ib_lm *ib_lm_open(const char *path);
/* A model of random trainable weights, for training from nothing (llama's shape of blocks); its head is its embedding,
 * whatever `tied` says. */
ib_lm *ib_lm_new(const ib_lm_config *config, uint64_t seed);
void ib_lm_free(ib_lm *m); /* NULL is fine */
const ib_lm_config *ib_lm_config_of(const ib_lm *m);
/* 1 if the model's files say that this token ends a text: eos_token_id (a token or a list) of config.json or
 * generation_config.json, tokenizer.ggml.eos_token_id, eot_token_id or eom_token_id of a GGUF file. */
int ib_lm_ends_text(const ib_lm *m, int32_t id);
/* Stores all linear layers (not embedding and head) in another format from now on; "keep" does nothing. On an error
 * the model is as it was. */
ib_status ib_lm_requantize(ib_lm *m, const char *format);
/* The format in which ib_lm_requantize stored them last; "": the file's own. Borrowed. */
const char *ib_lm_base_of(const ib_lm *m);
/* Freezes trained weights (of ib_lm_new) into a storage format; norms stay fp32. */
ib_status ib_lm_freeze(ib_lm *m, const char *format);
int64_t ib_lm_weight_bytes(const ib_lm *m);
int64_t ib_lm_weight_count(const ib_lm *m);
/* Parameters to train: the adapter's, or all of ib_lm_new's. Borrowed; NULL if there are none. */
ib_layer *ib_lm_trainable(ib_lm *m);

/* ---- running ---- */

/* n tokens of one or several sequences one behind the other. */
typedef struct ib_lm_batch {
    int64_t n;
    const int32_t *ids;   /* [n] */
    const int32_t *pos;   /* [n] position within its sequence */
    const int32_t *first; /* [n] row where its sequence begins */
} ib_lm_batch;

/* Final hidden states [n, width], normed, ready for the head. In training each layer keeps its input and the results
 * of its products; norms and activations are computed again. checkpoint: so many of the first layers keep their
 * input alone. */
ib_tensor *ib_lm_hidden(ib_lm *m, ib_graph *g, const ib_lm_batch *b, int checkpoint);
/* scale * sum of -log p(target) over rows with target >= 0; nll [n] may be NULL. */
ib_tensor *ib_lm_loss(ib_lm *m, ib_graph *g, ib_tensor *hidden, const int32_t *target, float scale, float *nll);
/* Logits [n, vocabulary] of hidden states, for tests and small vocabularies. */
ib_tensor *ib_lm_logits(ib_lm *m, ib_graph *g, ib_tensor *hidden);

/* How rows are multiplied by the model's frozen matrices where nothing is trained. */
typedef enum ib_path {
    IB_PATH_EXACT,  /* fp32 rows by weights that are decoded to fp32 */
    IB_PATH_INTEGER /* rows as codes of 8 bits, a scale for each 32 to 256 columns, by the weights' own codes, with sums
                       in int32, which are added in fp32 in one order: the same bits at every level
                       (backends/formulas/row_codes.h is the specification). Formats that have no such products
                       (tensor/integers.def) run as ever, and so do norms, attention, adapters and the rows of the
                       embedding. In ib_lm_step() prompts attend by the cache then: where all products are integers the
                       logits have the same bits at every level of the CPU, too. */
} ib_path;
/* From now on; IB_PATH_EXACT at first. A step in IB_TRAIN on the integer path is refused: it has no gradient. */
ib_status ib_lm_set_path(ib_lm *m, ib_path path);
/* How many of the model's matrices (linear layers and head) its path multiplies in integers and how many exactly, and
 * what the latter are: "14 of nf4, 1 of f16", "" if there are none; trained ones are of f32. */
typedef struct ib_lm_products {
    int64_t integer, exact;
    char exact_formats[200];
} ib_lm_products;
ib_status ib_lm_products_of(const ib_lm *m, ib_lm_products *out);

typedef struct ib_perplexity_opts {
    int context;     /* window; 0 means 512 */
    int64_t windows; /* at most; 0: all of the text */
    int bos;         /* token that windows begin with, -1: none */
    int in_place;    /* windows as llama.cpp's: bos stands before the text and in the place of each window's first
                            token; else it stands before each window's tokens, and none of the text is lost */
    int64_t stride;  /* 0: windows side by side; 1 .. context - 1: each begins so many tokens behind the one before */
    /* of each window; value: perplexity so far, of a divergence its mean so far. Not 0: stop (IB_ESTOPPED). Or NULL */
    int (*progress)(void *user, int64_t done, int64_t total, double value);
    void *user;
} ib_perplexity_opts;
typedef struct ib_perplexity_result {
    double perplexity, nll;  /* exp(mean), mean */
    int64_t tokens, windows; /* scored tokens */
} ib_perplexity_result;
/* Windows from the start of the text. Side by side, the second half of each is scored: token i + 1 given tokens 0 .. i
 * for i = context/2 .. context - 2. Those of in_place are what llama-perplexity measures without --ppl-stride
 * (perplexity() in llama.cpp's tools/perplexity/perplexity.cpp), which also asks for a text of two windows.
 *
 * With a stride windows slide, as many as the text holds whole, and of each the last `stride` tokens are scored, which
 * is every token of the text from the first window's last `stride` on, once: i = context - 1 - stride .. context - 2.
 * Those of in_place are llama-perplexity's with --ppl-stride (perplexity_v2()): bos, if there is one, stands before the
 * text and nowhere else, and there is no window that ends with the text's last token. Its windows are longer than its
 * --ctx-size says; it prints how long ("Calculation chunk"). */
ib_status ib_lm_perplexity(ib_lm *m, ib_graph *g, const int32_t *ids, int64_t n, const ib_perplexity_opts *o,
                           ib_perplexity_result *out);

/* ---- one model against another, on the same tokens ---- */

/* Of numbers of which there is one for each scored token. The error is the standard error of the mean, of independent
 * tokens: sqrt((E[x^2] - E[x]^2) / (tokens - 1)), 0 below two tokens. */
typedef struct ib_estimate {
    double mean, error;
} ib_estimate;
/* Their quantiles: between the two nearest in order, linearly. ib_quantile(i) is the part of them that lies below the
 * i-th: 0 (the least), 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1; -1 of one that there is not.
 */
enum { IB_QUANTILES = 13 };
double ib_quantile(int i);

/* p is the model's distribution over the vocabulary, b the base's, t the token that follows, N the scored tokens. The
 * figures are those of llama-perplexity --kl-divergence (kl_divergence() in tools/perplexity/perplexity.cpp). */
typedef struct ib_divergence {
    int64_t tokens, windows;
    ib_estimate perplexity, base_perplexity; /* exp(E[-log p(t)]); error: that of the exponent, times the value */
    ib_estimate log_ratio, ratio;            /* E[log b(t) - log p(t)], and exp of that: perplexity / base_perplexity */
    double correlation;                      /* of -log p(t) and -log b(t); 0 where one of them does not vary */
    ib_estimate divergence;                  /* Kullback and Leibler's, sum over the vocabulary of b log(b / p), nats */
    double divergence_at[IB_QUANTILES];
    ib_estimate same_top;           /* how often both have the same most likely token; sqrt(f (1 - f) / (N - 1)) */
    ib_estimate change, rms_change; /* E[p(t) - b(t)]; root of E[(p(t) - b(t))^2], whose error is
                                            that of the square / (2 rms) */
    double change_at[IB_QUANTILES];
} ib_divergence;
/* Runs the model and `base`, of the same vocabulary (IB_EINVAL with the numbers), over the windows of
 * ib_lm_perplexity(), and compares what they say of the tokens that are scored there. Each runs on its own path
 * (ib_lm_set_path). Distributions and sums are double, added in the tokens' order: the same bits with any number of
 * threads. Memory: hidden states of a window, logits of 64 rows of both, 40 bytes a scored token. */
ib_status ib_lm_divergence(ib_lm *m, ib_lm *base, ib_graph *g, const int32_t *ids, int64_t n,
                           const ib_perplexity_opts *o, ib_divergence *out);
/* Writes what the model says of the scored tokens in llama-perplexity's format (--save-all-logits, then
 * --kl-divergence-base): "_logits_" | i32 context, vocabulary, windows | i32 tokens [windows][context] | of each scored
 * row f32 s, least, u16 code[vocabulary, to an even number], log p = s code + least; what is less likely than the
 * likeliest by more than e^16 is of code 0. Little-endian. Windows that slide have no place in it (IB_EINVAL). */
ib_status ib_lm_save_logits(ib_lm *m, ib_graph *g, const char *path, const int32_t *ids, int64_t n,
                            const ib_perplexity_opts *o, ib_perplexity_result *out);
/* ib_lm_divergence() with such a file, which may be llama-perplexity's, in the place of the base. The windows are the
 * file's: o says bos (which stands in the place of each one's first token), windows at most, and progress; context 0 or
 * the file's, stride 0. ids NULL: its tokens; else those of the text must be its own. As llama-perplexity does, the
 * divergence leaves out tokens whose b is below e^-16. */
ib_status ib_lm_divergence_saved(ib_lm *m, const char *path, ib_graph *g, const int32_t *ids, int64_t n,
                                 const ib_perplexity_opts *o, ib_divergence *out);

/* ---- generation ---- */
typedef struct ib_kv ib_kv;                        /* keys and values seen so far */
ib_kv *ib_kv_new(ib_lm *m, int context, int int8); /* int8 0: half precision */
void ib_kv_free(ib_kv *kv);
int ib_kv_length(const ib_kv *kv);
ib_status ib_kv_rewind(ib_kv *kv, int length); /* forgets what lies behind */
int64_t ib_kv_bytes(const ib_kv *kv);
/* Runs n more tokens; logits [vocabulary] of the last. IB_EINVAL when the context is full. */
ib_status ib_lm_step(ib_lm *m, ib_graph *g, ib_kv *kv, const int32_t *ids, int64_t n, float *logits);
/* Runs one more token of each of n sequences, which have a cache each: kv [n], ids [n], logits [n][vocabulary]. They
 * get the bits that ib_lm_step() gives each alone. Weights are read once for all where all products are integers and
 * there is no adapter, else once for four sequences, and of a model with trained matrices for each. After an error some
 * of the caches may have their token, as their lengths say. */
ib_status ib_lm_step_several(ib_lm *m, ib_graph *g, ib_kv *const *kv, int64_t n, const int32_t *ids, float *logits);

typedef struct ib_sampling {
    float temperature;    /* 0: the most likely token */
    int top_k;            /* 0: all */
    float top_p, min_p;   /* 0 means 1 and 0 */
    float repeat_penalty; /* over the last 64 tokens; 0 means 1 */
    uint64_t seed;
} ib_sampling;
/* Chooses the next token; logits are changed. `history` [n] are the tokens so far; step numbers the draw. -1 with
 * ib_error() where they hold nan, or memory is out. */
int32_t ib_sample_token(const ib_sampling *s, float *logits, int vocabulary, const int32_t *history, int64_t n,
                        uint64_t step);

/* ---- adapters ---- */
typedef struct ib_adapter_opts {
    int r;       /* 0 means 16 */
    float alpha; /* 0 means 2 r */
    float dropout;
    int rslora, dora;
    const char *targets; /* "all", "attention", "mlp" or names with shell wildcards, comma-separated:
                            "q_proj,*.mlp.*"; each must match a layer */
    const char *ranks;   /* exceptions "pattern=8,pattern=32", the last that matches holds; NULL: none */
    const char *save;    /* weights trained whole in fp32 beside the adapter, comma-separated:
                            "embed_tokens,lm_head", as PEFT's modules_to_save; NULL: none. Where the base has one
                            tensor for both they part. */
    uint64_t seed;
} ib_adapter_opts;
/* A ~ U(+-1/sqrt(in)), B = 0; DoRA's magnitudes are the rows' norms. On an error the model is as it was. */
ib_status ib_lm_adapt(ib_lm *m, const ib_adapter_opts *o);
/* PEFT folder (adapter_config.json, adapter_model.safetensors) or GGUF adapter file. An adapter that was trained over a
 * base stored by ib_lm_requantize says so; unless that was called before, the model's linear layers are stored so now.
 * On an error the model is as it was. */
ib_status ib_lm_adapter_open(ib_lm *m, const char *path);
/* Whether the model's adapter is what o asks for, as far as it asks: r or alpha that are not 0, targets, ranks and save
 * that are not NULL, rslora and dora where they are set; the rest is not looked at. IB_EINVAL names what is otherwise.
 */
ib_status ib_lm_adapter_check(const ib_lm *m, const ib_adapter_opts *o);
/* The format of the base that the open adapter was trained over, by its file; "": the base's own. Borrowed. */
const char *ib_lm_adapter_base_of(const ib_lm *m);
/* Writes a PEFT folder with its model card, in place of one that isobit wrote, but not of another README.md; base is
 * recorded as base_model_name_or_path, unless the base's files name it on the Hub. IB_EINVAL names a file of the folder
 * that openers would read beside the adapter (of a model, a tokenizer, another adapter). On an error the folder is
 * as it was. */
ib_status ib_lm_adapter_save(const ib_lm *m, const char *folder, const char *base);
/* Writes a GGUF adapter; DoRA and weights trained whole cannot be in one (IB_EUNSUPPORTED). */
ib_status ib_lm_adapter_save_gguf(const ib_lm *m, const char *path);
/* Dropout acts in IB_TRAIN only; this sets its probability, an opened adapter's is what its file says. */
ib_status ib_lm_set_dropout(ib_lm *m, float p);

/* Requantizes W + adapter, a product of the device, into `format` for all adapted layers; the forward then runs on
 * that, the gradient goes straight through. To be called again whenever the adapter has changed. NULL: back to W and
 * adapter. */
ib_status ib_lm_deploy(ib_lm *m, ib_device *dev, const char *format);
/* A command line that made what is saved from now on, for the card of folders (README.md); NULL: none is known. It is
 * copied, and made public with the folder: no path of the machine belongs in it. */
ib_status ib_lm_set_command(ib_lm *m, const char *command);
/* Writes base + adapter as a whole model: a GGUF file if path ends in .gguf, else a Hugging Face folder with its model
 * card, in place of one that isobit wrote, but not of another README.md. The device decodes and merges; saved may be
 * NULL. IB_EINVAL names a file of the folder that openers would read beside the model and that is not written over. On
 * an error, IB_ESTOPPED too, the file or folder is as it was. */
typedef struct ib_lm_save_opts {
    const char *source; /* the path that the model was opened from (tokenizer and metadata); NULL: no tokenizer */
    const char *format; /* of linear layers; NULL or "keep": each tensor's own where it can be kept */
    /* of each tensor that is made; not 0: stop, and write nothing (IB_ESTOPPED). Or NULL */
    int (*report)(void *user, const char *tensor, const char *from, const char *to, int exact);
    void *user;
} ib_lm_save_opts;
typedef struct ib_lm_saved {
    int64_t exact, lossy; /* tensors */
    int64_t tensors;      /* in all, before the first of them is reported */
} ib_lm_saved;
ib_status ib_lm_save(ib_lm *m, ib_device *dev, const char *path, const ib_lm_save_opts *opts, ib_lm_saved *saved);

IB_END_API
#endif
