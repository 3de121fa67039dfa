/* save_hf.c - a whole model as a Hugging Face folder; nf4 and fp4 as bitsandbytes stores them, int4 and int8 as
 * compressed-tensors does. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/folder.h"
#include "lm/save/model_card.h"

/* Items of the file; what they point to lives in `keep`. */
typedef struct items {
    ib_safetensors_item *list;
    char *names;
    void **keep;
    int n, kept, room;
} items;

typedef ib_safetensors_item part; /* of a tensor, whose name stands before the part's */

/* Takes a copy of the data. */
static ib_status add(items *a, const char *name, part p)
{
    char *text = a->names + 200 * a->n;
    void *copy = ib_alloc_raw(p.bytes ? p.bytes : 1);
    if (!copy || a->n == a->room) {
        ib_free(copy);
        return IB_ENOMEM;
    }
    ib_snprintf(text, 200, "%s%s", name, p.name);
    a->keep[a->kept++] = memcpy(copy, p.data, p.bytes);
    p.name = text;
    p.data = copy;
    a->list[a->n++] = p;
    return IB_OK;
}

static ib_status add_bnb(items *a, const ib_out_tensor *t, const ib_matrix *w)
{
    const ib_storage *f = ib_matrix_format(w);
    const ib_matrix_parts p = ib_matrix_parts_of(w);
    const int64_t n = t->shape[0] * t->shape[1], blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK,
                  groups = (blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK;
    char state[300], key[64];
    const char *kind = f->name[0] == 'n' ? "nf4" : "fp4";
    int length =
        ib_snprintf(state, sizeof state,
                    "{\"quant_type\": \"%s\", \"blocksize\": 64, \"dtype\": \"float32\", \"shape\": [%lld, %lld]", kind,
                    (long long)t->shape[0], (long long)t->shape[1]);
    if (f->nested)
        length += ib_snprintf(state + length, sizeof state - (size_t)length,
                              ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": %.9g",
                              (double)p.offset);
    length += ib_snprintf(state + length, sizeof state - (size_t)length, "}");
    ib_snprintf(key, sizeof key, ".quant_state.bitsandbytes__%s", kind);
    ib_status status = add(a, t->name, (part){"", "U8", 2, {(n + 1) / 2, 1}, p.data, (size_t)(n + 1) / 2});
    if (!status)
        status = add(a, t->name, (part){".quant_map", "F32", 1, {16}, p.code, 64});
    if (!status)
        status = f->nested ? add(a, t->name, (part){".absmax", "U8", 1, {blocks}, p.absmax8, (size_t)blocks})
                           : add(a, t->name, (part){".absmax", "F32", 1, {blocks}, p.absmax, (size_t)blocks * 4});
    if (!status && f->nested &&
        !(status = add(a, t->name, (part){".nested_absmax", "F32", 1, {groups}, p.nested, (size_t)groups * 4})))
        status = add(a, t->name, (part){".nested_quant_map", "F32", 1, {256}, p.map, 1024});
    return status ? status : add(a, t->name, (part){key, "U8", 1, {length}, state, (size_t)length});
}

/* compressed-tensors: eight codes + 8 in an int32, the first lowest, and a half a group; or bytes and a scale a row */
static ib_status add_integers(items *a, const ib_out_tensor *t, const ib_matrix *w)
{
    const ib_matrix_parts p = ib_matrix_parts_of(w);
    const int64_t rows = t->shape[0], cols = t->shape[1], shape[2] = {rows, cols}, blocks = rows * cols / 32;
    if (!ib_matrix_format(w)->decode) {
        const ib_status status = add(a, t->name, (part){"", "I8", 2, {rows, cols}, p.data, (size_t)(rows * cols)});
        return status ? status : add(a, t->name, (part){"_scale", "F32", 2, {rows, 1}, p.absmax, (size_t)rows * 4});
    }
    const uint8_t *from = p.data;
    uint8_t *codes = ib_alloc((size_t)blocks * 18), *scales = codes ? codes + 16 * blocks : NULL;
    if (!codes)
        return IB_ENOMEM;
    for (int64_t b = 0; b < blocks; b++) {
        memcpy(scales + 2 * b, from + 18 * b, 2);
        for (int j = 0; j < 16; j++)
            codes[16 * b + j] = from[18 * b + 2 + j] ^ 0x88; /* q + 8 in each nibble */
    }
    ib_status status = add(a, t->name, (part){"_packed", "I32", 2, {rows, cols / 8}, codes, (size_t)blocks * 16});
    if (!status &&
        !(status = add(a, t->name, (part){"_scale", "F16", 2, {rows, cols / 32}, scales, (size_t)blocks * 2})))
        status = add(a, t->name, (part){"_shape", "I64", 1, {2}, shape, sizeof shape});
    ib_free(codes);
    return status;
}

static ib_status write_model(ib_lm *m, ib_device *dev, const char *path, const ib_out *out, const ib_lm_save_opts *o,
                             ib_lm_saved *saved)
{
    items a = {.room = 6 * out->n};
    int64_t largest = 1;
    for (int i = 0; i < out->n; i++)
        largest = ib_out_size(&out->item[i]) > largest ? ib_out_size(&out->item[i]) : largest;
    float *x = ib_alloc_raw((size_t)largest * sizeof *x);
    a.list = ib_alloc((size_t)a.room * sizeof *a.list);
    a.names = ib_alloc((size_t)a.room * 200);
    a.keep = ib_alloc((size_t)a.room * sizeof *a.keep);
    ib_status status = x && a.list && a.names && a.keep ? IB_OK : ib_error_status();
    saved->tensors = out->n;
    for (int i = 0; i < out->n && !status; i++) {
        const ib_out_tensor *t = &out->item[i];
        int exact;
        ib_matrix *made = ib_out_make(m, dev, t, x, &exact);
        if (!made) {
            status = ib_error_status();
            break;
        }
        const char *dtype = !strcmp(t->to->name, "f32") ? "F32" : !strcmp(t->to->name, "f16") ? "F16" : "BF16";
        const int integers = !strcmp(t->to->name, "int4") || !strcmp(t->to->name, "int8");
        const part whole = {"",
                            dtype,
                            t->ndim,
                            {t->shape[0], t->shape[1]},
                            ib_matrix_parts_of(made).data,
                            (size_t)ib_matrix_bytes(made)};
        status = integers ? add_integers(&a, t, made) : t->to->code ? add_bnb(&a, t, made) : add(&a, t->name, whole);
        if (!status)
            status = ib_out_tell(o, t, exact);
        saved->exact += exact;
        saved->lossy += !exact;
        ib_matrix_free(made);
    }
    if (!status)
        status = ib_safetensors_write(path, a.n, a.list, (const char *[]){"format", "pt", NULL});
    for (int i = 0; i < a.kept; i++)
        ib_free(a.keep[i]);
    ib_free(a.keep);
    ib_free(a.names);
    ib_free(a.list);
    ib_free(x);
    return status;
}

ib_status ib_save_hf(ib_lm *m, ib_device *dev, const char *path, const ib_lm_save_opts *opts, ib_lm_saved *saved)
{
    const char *source = opts->source;
    ib_out out = {0};
    ib_tokenizer *t = source && !m->hf ? ib_tokenizer_open(source) : NULL;
    ib_status status = source && !m->hf && !t ? ib_error_status() : ib_out_list(m, 0, opts->format, &out);
    const ib_storage *linear = NULL;
    for (int i = 0; i < out.n; i++)
        linear = out.item[i].p && !linear ? out.item[i].to : linear;
    struct json_object *o = status            ? NULL
                            : m->hf && source ? ib_save_config_changed(m, source, linear)
                                              : ib_save_config_of(m, linear, t);
    if (!status && !o) {
        status = ib_error_status();
        ib_error_prefix("%s", path);
    }
    ib_folder_writer *folder = status ? NULL : ib_folder_writer_open(path, "config.json");
    if (!status && !folder)
        status = ib_error_status();
    const char *at = folder ? ib_folder_writer_at(folder) : "";
    char *weights = ib_format_text("%s/model.safetensors", at), *config = ib_format_text("%s/config.json", at);
    char *generation = ib_format_text("%s/generation_config.json", at);
    if (!status && (!weights || !config || !generation))
        status = IB_ENOMEM;
    if (!status)
        status = ib_json_write(config, o);
    else
        json_object_put(o);
    if (!status && t)
        status = ib_save_generation_config(m, generation, t);
    if (!status && source)
        status = ib_save_tokenizer_hf(at, source);
    if (!status)
        status = ib_folder_writer_check(folder, ib_model_files, (const char *[]){"model.safetensors", NULL});
    if (!status)
        status = write_model(m, dev, weights, &out, opts, saved);
    if (!status)
        status = ib_save_model_card(m, source, path, at, &out, saved);
    if (!status)
        status = ib_folder_writer_finish(folder);
    else
        ib_folder_writer_drop(folder);
    ib_out_release(&out);
    ib_tokenizer_free(t);
    ib_free(weights);
    ib_free(config);
    ib_free(generation);
    return status;
}
