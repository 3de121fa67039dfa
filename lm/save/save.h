/* save.h - inside lm/: the tensors of a model, one after the other, as they are to be written. */
#ifndef IB_LM_SAVE_SAVE_H
#define IB_LM_SAVE_SAVE_H

#include "lm/lm.h"

typedef struct ib_out_tensor {
    char name[128];
    int ndim;
    int64_t shape[2];
    const ib_matrix *w;     /* a matrix, or */
    const ib_projection *p; /* a linear layer, to be merged if it has an adapter, or */
    const ib_tensor *t;     /* a vector or trained matrix */
    int turn;               /* rows of q or k: 1 to pairs, -1 to halves, 0 stay */
    float plus;             /* added to a vector */
    const ib_storage *from, *to;
} ib_out_tensor;

typedef struct ib_out {
    ib_out_tensor *item;
    int n, room;
} ib_out;

/* All tensors by GGUF's or Hugging Face's names, in the format that `format` (NULL: their own) gives them. */
ib_status ib_out_list(const ib_lm *m, int gguf, const char *format, ib_out *out);
void ib_out_release(ib_out *out);
/* One tensor's matrix in its format, rows turned, yours to ib_matrix_free; NULL with ib_error(). x fp32 [size] is work
 * space. *exact: its values are the source's. */
ib_matrix *ib_out_make(const ib_lm *m, ib_device *dev, const ib_out_tensor *t, float *x, int *exact);
int64_t ib_out_size(const ib_out_tensor *t);
/* Reports a tensor that is made; IB_ESTOPPED: the caller wants no more. */
ib_status ib_out_tell(const ib_lm_save_opts *o, const ib_out_tensor *t, int exact);

/* Names by which openers, here or in transformers and peft, find a part of a model in its folder; shell patterns. */
extern const char *const ib_model_files[];

ib_status ib_save_gguf(ib_lm *m, ib_device *dev, const char *path, const ib_lm_save_opts *o, ib_lm_saved *saved);
ib_status ib_save_hf(ib_lm *m, ib_device *dev, const char *path, const ib_lm_save_opts *o, ib_lm_saved *saved);
/* config.json of the model with linear layers in `linear`, or NULL with ib_error() naming what it cannot say; t may be
 * NULL. */
struct json_object *ib_save_config_of(const ib_lm *m, const ib_storage *linear, const ib_tokenizer *t);
/* The source folder's own, with what has changed. */
struct json_object *ib_save_config_changed(const ib_lm *m, const char *source, const ib_storage *linear);
ib_status ib_save_generation_config(const ib_lm *m, const char *path, const ib_tokenizer *t);
/* Puts the tokenizer of `source` into a GGUF header, and the tokens that end a text of m. */
ib_status ib_save_tokenizer_gguf(ib_gguf_writer *w, const ib_lm *m, const char *source);
/* Writes tokenizer.json and tokenizer_config.json into a folder. */
ib_status ib_save_tokenizer_hf(const char *folder, const char *source);
/* Its two files; pre is GGUF's name of the splitting patterns. */
ib_status ib_write_tokenizer_json(const char *path, const ib_tokenizer *t, const char *pre);
ib_status ib_write_tokenizer_config(const char *path, const ib_tokenizer *t);
/* A token's text as files hold it: GPT-2's alphabet for byte-level ones. Returns the length; out [room] ends in a 0. */
size_t ib_token_file_text(const ib_tokenizer *t, int32_t id, char *out, size_t room);
/* Merges in the order of their ranks; the caller frees. */
typedef struct ib_merge ib_merge;
const ib_merge **ib_ranked_merges(const ib_tokenizer *t, int64_t *n);

#endif
