/* test_language_files.c - adapters and models through files: what is written is what is read, and what ships is what
 * was trained. Broken by: a tensor under another name or in another order, a merge beside the deployed bytes, a part
 * of a file left out, what is left of a file whose writing was stopped. */
#include <dirent.h>

#include "tests/lm/golden_model.h"

static void models_survive_files(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = ib_lm_open(path(archs[a], "")), *back, *hf;
        ib_lm_saved saved;
        float *want = malloc(T * VOCABULARY * sizeof *want);
        memcpy(want, logits_of(m), T * VOCABULARY * sizeof *want);
        /* the header needs no tokenizer here: source NULL */
        REQUIRE(!ib_lm_save(m, dev, temporary("m.gguf"), NULL, &saved));
        CHECK(saved.lossy == 0 && saved.exact >= 20);
        back = ib_lm_open(temporary("m.gguf"));
        if (!back)
            printf("\n    %s ", ib_error());
        REQUIRE(back != NULL);
        CHECK(furthest(logits_of(back), want, T * VOCABULARY) <= 1e-5);
        REQUIRE(!ib_lm_save(back, dev, temporary("hf"), NULL, &saved));
        CHECK(saved.lossy == 0);
        hf = ib_lm_open(temporary("hf"));
        if (!hf)
            printf("\n    %s ", ib_error());
        REQUIRE(hf != NULL);
        CHECK(furthest(logits_of(hf), want, T * VOCABULARY) <= 1e-5);
        ib_lm_free(hf);
        free(want);
        ib_lm_free(back);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

static void adapters_survive_files(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        float *want = malloc(T * VOCABULARY * sizeof *want);
        ib_lm *m = ib_lm_open(path(archs[a], "")), *gguf;
        REQUIRE(!ib_lm_adapter_open(m, path(archs[a], "adapter")));
        memcpy(want, logits_of(m), T * VOCABULARY * sizeof *want);
        REQUIRE(!ib_lm_adapter_save(m, temporary("adapter"), "base"));
        ib_lm *again = ib_lm_open(path(archs[a], ""));
        REQUIRE(!ib_lm_adapter_open(again, temporary("adapter")));
        CHECK(furthest(logits_of(again), want, T * VOCABULARY) == 0);
        ib_lm_free(again);
        if (a != 2) { /* every kind but DoRA */
            REQUIRE(!ib_lm_adapter_save_gguf(m, temporary("adapter.gguf")));
            again = ib_lm_open(path(archs[a], ""));
            REQUIRE(!ib_lm_adapter_open(again, temporary("adapter.gguf")));
            CHECK(furthest(logits_of(again), want, T * VOCABULARY) <= 1e-5);
            ib_lm_free(again);
        } else {
            CHECK_ERROR(ib_lm_adapter_save_gguf(m, temporary("adapter.gguf")), "DoRA");
        }
        /* and a PEFT adapter on the GGUF base, whose q and k rows lie in another order */
        if (a != 2) {
            ib_lm *base = ib_lm_open(path(archs[a], ""));
            REQUIRE(!ib_lm_save(base, dev, temporary("base.gguf"), NULL, NULL));
            gguf = ib_lm_open(temporary("base.gguf"));
            REQUIRE(!ib_lm_adapter_open(gguf, path(archs[a], "adapter")));
            CHECK(furthest(logits_of(gguf), want, T * VOCABULARY) <= 1e-5);
            ib_lm_free(gguf);
            ib_lm_free(base);
        }
        /* merged */
        REQUIRE(!ib_lm_save(m, dev, temporary("merged"), &(ib_lm_save_opts){.format = "f32"}, NULL));
        again = ib_lm_open(temporary("merged"));
        REQUIRE(again != NULL);
        CHECK(furthest(logits_of(again), want, T * VOCABULARY) <= 1e-4);
        ib_lm_free(again);
        free(want);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

/* Integer and 4-bit weights through Hugging Face folders. */
static void quantized_folders(void)
{
    static const char *const formats[] = {"int4", "int8", "nf4", "nf4_dq", "fp4"};
    open_graph();
    read_golden("qwen2");
    for (int i = 0; i < 5; i++) {
        ib_lm *m = ib_lm_open(path("qwen2", "")), *back;
        float want[T * VOCABULARY];
        REQUIRE(!ib_lm_requantize(m, i ? formats[i] : "keep"));
        if (i) /* widths of 48 are no whole groups of int4: those layers stay */
            memcpy(want, logits_of(m), sizeof want);
        REQUIRE(!ib_lm_save(m, dev, temporary("quantized"), &(ib_lm_save_opts){.format = formats[i]}, NULL));
        back = ib_lm_open(temporary("quantized"));
        if (!back)
            printf("\n    %s: %s ", formats[i], ib_error());
        REQUIRE(back != NULL);
        CHECK(!strcmp(ib_matrix_format(back->block[0].p[IB_ROLE_Q].w)->name, formats[i]));
        const double e = furthest(logits_of(back), i ? want : values("logits", T * VOCABULARY), T * VOCABULARY);
        CHECK(e <= (i ? 0 : 1.5)); /* int4's own error is large in so small a model */
        ib_lm_free(back);
        ib_lm_free(m);
    }
    ib_safetensors_close(golden);
    close_graph();
}

/* NF4 with double quantization as bitsandbytes itself saved it. */
static void bitsandbytes_checkpoint(void)
{
    open_graph();
    read_golden("bitsandbytes");
    ib_lm *m = ib_lm_open(path("bitsandbytes", ""));
    REQUIRE(m != NULL);
    CHECK(!strcmp(ib_matrix_format(m->block[0].p[IB_ROLE_Q].w)->name, "nf4_dq"));
    CHECK(furthest(logits_of(m), values("logits", T * VOCABULARY), T * VOCABULARY) <= 1e-5);
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

/* Deploying runs on the very bytes that merging writes. */
static void deployed_is_what_ships(void)
{
    open_graph();
    read_golden("qwen2");
    ib_lm *m = ib_lm_open(path("qwen2", "")), *shipped;
    REQUIRE(!ib_lm_adapter_open(m, path("qwen2", "adapter")));
    const char *const formats[] = {"q4_0", "q8_0"};
    for (int i = 0; i < 2; i++) {
        float want[T * VOCABULARY];
        /* widths of 48 are not whole blocks of 32: down_proj falls back to f16 in both */
        REQUIRE(!ib_lm_deploy(m, dev, formats[i]));
        memcpy(want, logits_of(m), sizeof want);
        ib_graph_begin(g, IB_TRAIN); /* the gradient goes through */
        ib_tensor *loss = ib_lm_loss(m, g, ib_lm_hidden(m, g, batch(), 1), target, 1, NULL);
        REQUIRE(loss && !ib_backward(g, loss));
        gradient_of(ib_param_at(ib_lm_trainable(m), 0)); /* there is one */
        REQUIRE(!ib_lm_save(m, dev, temporary("shipped.gguf"), &(ib_lm_save_opts){.format = formats[i]}, NULL));
        shipped = ib_lm_open(temporary("shipped.gguf"));
        REQUIRE(shipped != NULL);
        for (int r = 0; r < IB_N_ROLES; r++) {
            const ib_projection *a = &m->block[1].p[r], *b = &shipped->block[1].p[r];
            CHECK(ib_matrix_format(a->merged) == ib_matrix_format(b->w));
            CHECK(!memcmp(ib_matrix_parts_of(a->merged).data, ib_matrix_parts_of(b->w).data,
                          (size_t)ib_matrix_bytes(b->w)));
        }
        CHECK(furthest(logits_of(shipped), want, T * VOCABULARY) <= 0.05); /* the embedding became q8_0 */
        ib_lm_free(shipped);
        REQUIRE(!ib_lm_deploy(m, dev, NULL));
    }
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

/* Writes tensors from .. to of a file as part no of count; part 0 has the metadata too. */
static void write_part(const ib_gguf *f, const char *name, int no, int count, int64_t from, int64_t to,
                       uint32_t tensors)
{
    ib_gguf_writer w = {0};
    for (int64_t i = 0; i < f->n_kv && !no; i++)
        ib_gguf_put_kv(&w, &f->kv[i]);
    ib_gguf_put_u32(&w, "split.no", (uint32_t)no);
    ib_gguf_put_u32(&w, "split.count", (uint32_t)count);
    ib_gguf_put_u32(&w, "split.tensors.count", tensors);
    for (int64_t i = from; i < to; i++)
        ib_gguf_put_tensor(&w, f->entry[i].name, f->entry[i].ndim, f->entry[i].shape, f->entry[i].format);
    ib_file_writer *file = ib_gguf_start(&w, temporary(name));
    for (int64_t i = from; i < to; i++)
        ib_gguf_data(file, f->entry[i].data, (size_t)f->entry[i].bytes);
    REQUIRE(!ib_file_writer_finish(file));
    ib_gguf_writer_release(&w);
}

static void parts_are_one_file(void)
{
    open_graph();
    read_golden("qwen3");
    ib_lm *m = ib_lm_open(path("qwen3", ""));
    REQUIRE(m && !ib_lm_save(m, dev, temporary("whole.gguf"), NULL, NULL));
    ib_lm_free(m);
    ib_gguf *f = ib_gguf_open(temporary("whole.gguf"));
    const int64_t n = f->n_entries;
    const int64_t at[] = {0, 7, 8, n};
    char name[40];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "p-%05d-of-00003.gguf", i + 1);
        write_part(f, name, i, 3, at[i], at[i + 1], (uint32_t)n);
    }
    m = ib_lm_open(temporary("p-00001-of-00003.gguf"));
    if (!m)
        printf("\n    %s ", ib_error());
    REQUIRE(m != NULL);
    CHECK(furthest(logits_of(m), values("logits", T * VOCABULARY), T * VOCABULARY) <= 1e-4);
    REQUIRE(!ib_lm_save(m, dev, temporary("joined.gguf"), NULL, NULL));
    CHECK(same_file(temporary("joined.gguf"), temporary("whole.gguf")));
    ib_lm_free(m);
    CHECK_ERROR(!ib_gguf_open(temporary("p-00002-of-00003.gguf")), "is part 2 of 3: open the first");
    write_part(f, "other.gguf", 0, 3, 0, 7, (uint32_t)n);
    CHECK_ERROR(!ib_gguf_open(temporary("other.gguf")), "its name does not end in -00001-of-00003.gguf");
    write_part(f, "p-00001-of-00003.gguf", 0, 3, 0, 7, (uint32_t)n + 1);
    CHECK_ERROR(!ib_gguf_open(temporary("p-00001-of-00003.gguf")), "tensors in its parts, there are");
    write_part(f, "p-00002-of-00003.gguf", 2, 3, 7, 8, (uint32_t)n);
    CHECK_ERROR(!ib_gguf_open(temporary("p-00001-of-00003.gguf")), "says that it is part 3 of 3, not 2 of 3");
    unlink(temporary("p-00002-of-00003.gguf"));
    CHECK_ERROR(!ib_gguf_open(temporary("p-00001-of-00003.gguf")), "p-00002-of-00003.gguf");
    ib_gguf_close(f);
    ib_safetensors_close(golden);
    close_graph();
}

static int stop_at(void *user, const char *tensor, const char *from, const char *to, int exact)
{
    (void)tensor, (void)from, (void)to, (void)exact;
    return !--*(int *)user;
}

static int entries(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static void stopped_leaves_nothing(void)
{
    open_graph();
    read_golden(archs[0]);
    ib_lm *m = ib_lm_open(path(archs[0], ""));
    const int before = entries(temporary(""));
    for (int gguf = 0; gguf < 2; gguf++)
        for (int after = 1; after <= 3; after++) {
            int left = after;
            const ib_lm_save_opts stop = {.report = stop_at, .user = &left};
            CHECK_ERROR(ib_lm_save(m, dev, temporary(gguf ? "stopped.gguf" : "stopped"), &stop, NULL),
                        "stopped at tensor '");
            CHECK(ib_error_status() == IB_ESTOPPED && left == 0);
            CHECK_INT(entries(temporary("")), before);
        }
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

SUITE("language_files", T(stopped_leaves_nothing), T(models_survive_files), T(adapters_survive_files),
      T(quantized_folders), T(bitsandbytes_checkpoint), T(deployed_is_what_ships), T(parts_are_one_file))
