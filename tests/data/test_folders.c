/* test_folders.c - folders of models and adapters are written whole or not at all, hold nothing that an opener would
 * read of another model, and an adapter that cannot be opened leaves its model as it was. Broken by: a folder made
 * before it is known what goes into it, a file of another model that stays in it, a list of names that misses one, a
 * reader that changes the model before it has read all. */
#include "tests/check.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "files/file.h"
#include "files/folder.h"
#include "lm/lm.h"
#include "tests/lm/saving.h"

#define MODELS IB_TEST_SOURCE "/golden/models/"
static char folder[64];

static const char *at(const char *name)
{
    static char buf[8][300];
    static int i;
    i = (i + 1) % 8;
    if (!*folder) {
        snprintf(folder, sizeof folder, "/tmp/isobit-test-folders-%ld", (long)getpid());
        mkdir(folder, 0777);
    }
    snprintf(buf[i], sizeof buf[i], "%s/%s", folder, name);
    return buf[i];
}

static const char *inside(const char *name, const char *file)
{
    char both[200];
    snprintf(both, sizeof both, "%s/%s", name, file);
    return at(both);
}

static void put_text(const char *path, const char *text)
{
    REQUIRE(!ib_file_replace(path, text, strlen(text)));
}

static int files_in(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (d)
        closedir(d);
    return n;
}

static void remove_all(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(system(command) == 0);
    *folder = 0;
}

static const char *const strangers[] = {"model-00001-of-00002.safetensors",
                                        "model.safetensors.index.json",
                                        "pytorch_model.bin",
                                        "adapter_model.bin",
                                        "tokenizer.model",
                                        "added_tokens.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "chat_template.jinja",
                                        "additional_chat_templates",
                                        "processor_config.json"};
enum { N_STRANGERS = sizeof strangers / sizeof *strangers };

/* What another model left is named, and nothing has changed. */
static void strangers_are_named(void)
{
    ib_lm *m = ib_lm_open(MODELS "llama"), *adapted = ib_lm_open(MODELS "llama");
    REQUIRE(m && adapted && !ib_lm_adapt(adapted, &(ib_adapter_opts){.r = 2}));
    for (int i = 0; i < N_STRANGERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "full-%d", i);
        REQUIRE(mkdir(at(name), 0777) == 0);
        put_text(inside(name, strangers[i]), "of another");
        put_text(inside(name, "README.md"), "mine");
        CHECK_ERROR(save_model(m, at(name), MODELS "llama", NULL), strangers[i]);
        CHECK_ERROR(ib_lm_adapter_save(adapted, at(name), "base"), strangers[i]);
        CHECK_INT(files_in(at(name)), 2);
        unlink(inside(name, strangers[i]));
        CHECK(!ib_lm_adapter_save(adapted, at(name), "base") && !ib_lm_adapter_save(adapted, at(name), "base"));
        CHECK_INT(files_in(at(name)), 3);
        CHECK_ERROR(save_model(m, at(name), MODELS "llama", NULL), "adapter_");
    }
    ib_lm_free(m);
    ib_lm_free(adapted);
    remove_all();
}

/* A folder is written over its own kind, whatever else lies in it; slashes behind its name are no part of it. */
static void own_files_are_replaced(void)
{
    ib_lm *m = ib_lm_open(MODELS "chat");
    REQUIRE(m != NULL);
    CHECK(!save_model(m, inside("new", ""), MODELS "chat", NULL));
    const int n = files_in(at("new"));
    put_text(inside("new", "notes.txt"), "mine");
    CHECK(!save_model(m, inside("new", "/"), MODELS "chat", "f16"));
    CHECK_INT(files_in(at("new")), n + 1);
    CHECK_INT(files_in(folder), 1);
    static const char theirs[] = "a card of another's hand";
    put_text(inside("new", "README.md"), theirs);
    CHECK(!save_model(m, at("new"), MODELS "chat", "f16"));
    size_t size;
    unsigned char *card = ib_file_read(inside("new", "README.md"), &size);
    CHECK(card && size == sizeof theirs - 1 && !memcmp(card, theirs, size));
    ib_free(card);
    ib_lm *again = ib_lm_open(at("new"));
    CHECK(again && ib_matrix_format(again->block[0].p[0].w) == ib_storage_find("f16"));
    ib_lm_free(again);
    REQUIRE(symlink(IB_TEST_SOURCE, inside("new", "adapter_config.json")) == 0);
    CHECK_ERROR(!ib_lm_open(at("new")), "adapter_config.json");
    ib_lm_free(m);
    remove_all();
}

/* What fails leaves neither a folder nor a part of one. */
static void failures_leave_nothing(void)
{
    ib_lm *m = ib_lm_open(MODELS "llama");
    REQUIRE(m != NULL);
    put_text(at("file"), "a file");
    CHECK_ERROR(save_model(m, at("file"), MODELS "llama", NULL), "is a file");
    CHECK_ERROR(save_model(m, at("no/such"), MODELS "llama", NULL), "cannot be made");
    CHECK_ERROR(save_model(m, at("new"), MODELS "llama", "q4_0"), "cannot hold");
    ib_tensor_f32(m->norm)[3] = NAN; /* the last tensor but one */
    CHECK_ERROR(save_model(m, at("new"), MODELS "llama", NULL), "nan at 3");
    CHECK_INT(files_in(folder), 1);
    REQUIRE(mkdir(at("there"), 0777) == 0);
    put_text(inside("there", "config.json"), "old");
    CHECK_ERROR(save_model(m, at("there"), MODELS "llama", NULL), "nan at 3");
    CHECK_INT(files_in(at("there")), 1);
    ib_lm_free(m);
    remove_all();
}

/* Where a file cannot take its place, those that could go back, and the old ones are where they were. */
static void failing_in_the_middle_changes_nothing(void)
{
    ib_lm *m = ib_lm_open(MODELS "chat");
    REQUIRE(m && !save_model(m, at("there"), MODELS "chat", NULL));
    REQUIRE(!unlink(inside("there", "tokenizer.json")) && !mkdir(inside("there", "tokenizer.json"), 0777));
    const int n = files_in(at("there"));
    put_text(inside("there", "config.json"), "old");
    put_text(inside("there", "model.safetensors"), "old too");
    CHECK_ERROR(save_model(m, at("there"), MODELS "chat", "f16"), "tokenizer.json: is a folder");
    put_text(at("old"), "old");
    put_text(at("old too"), "old too");
    CHECK(same_file(inside("there", "config.json"), at("old")));
    CHECK(same_file(inside("there", "model.safetensors"), at("old too")));
    CHECK_INT(files_in(at("there")), n);
    ib_lm_free(m);

    /* here the old files are aside already, and two of three new ones in their places */
    ib_folder_writer *w = ib_folder_writer_open(at("there"), "config.json");
    REQUIRE(w != NULL);
    char made[3][400];
    for (int i = 0; i < 3; i++) {
        snprintf(made[i], sizeof made[i], "%s/%s", ib_folder_writer_at(w),
                 (const char *[]){"model.safetensors", "new.txt", "other.txt"}[i]);
        put_text(made[i], "new");
    }
    CHECK_ERROR(ib_folder_writer_finish(w), "config.json: cannot be made"); /* none was written */
    CHECK(same_file(inside("there", "config.json"), at("old")));
    CHECK(same_file(inside("there", "model.safetensors"), at("old too")));
    CHECK_INT(files_in(at("there")), n);
    remove_all();
}

static uint64_t logits_of(ib_lm *m, ib_device *dev)
{
    ib_graph *g = ib_graph_new(dev);
    ib_kv *kv = ib_kv_new(m, 16, 0);
    float x[67];
    uint64_t sum = 1469598103934665603u;
    REQUIRE(g && kv && !ib_lm_step(m, g, kv, (int32_t[]){5, 9, 3}, 3, x));
    for (int i = 0; i < 67; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], 4);
        sum = (sum ^ bits) * 1099511628211u;
    }
    ib_kv_free(kv);
    ib_graph_free(g);
    return sum;
}

/* Adapters that fail at the last moment: the model computes as before and takes a good one. */
static void failed_adapters_leave_no_trace(void)
{
    ib_lm *m = ib_lm_open(MODELS "llama"), *other = ib_lm_open(MODELS "llama");
    ib_device *dev = ib_device_open(NULL);
    REQUIRE(m && other && dev && !ib_lm_requantize(other, "nf4") &&
            !ib_lm_adapt(other, &(ib_adapter_opts){.r = 3, .rslora = 1}));
    const uint64_t before = logits_of(m, dev);
    CHECK_ERROR(ib_lm_adapt(m, &(ib_adapter_opts){.r = 2, .targets = "q_proj,foo"}), "'foo'");
    ib_tensor_f32(other->block[1].p[IB_ROLE_DOWN].b)[1] = INFINITY; /* of the last layer */
    CHECK(!ib_lm_adapter_save(other, at("bad"), "llama") && !ib_lm_adapter_save_gguf(other, at("bad.gguf")));
    for (int i = 0; i < 2; i++) {
        CHECK_ERROR(ib_lm_adapter_open(m, at(i ? "bad.gguf" : "bad")), "inf at 1");
        CHECK(!ib_lm_trainable(m) && !*ib_lm_base_of(m) && !*ib_lm_adapter_base_of(m) && logits_of(m, dev) == before);
    }
    /* the last layers' rows of 48 are no blocks of 32 */
    CHECK_ERROR(ib_lm_requantize(m, "q8_0"), "48");
    CHECK(!*ib_lm_base_of(m) && logits_of(m, dev) == before);
    ib_tensor_f32(other->block[1].p[IB_ROLE_DOWN].b)[1] = 1;
    CHECK(!ib_lm_adapter_save(other, at("bad"), "llama") && !ib_lm_adapter_open(m, at("bad")));
    CHECK(!strcmp(ib_lm_base_of(m), "nf4") && logits_of(m, dev) != before);
    CHECK_ERROR(ib_lm_adapter_open(m, at("bad")), "an adapter already");
    CHECK(m->r == 3 && m->rslora);
    ib_lm_free(m);
    ib_lm_free(other);
    ib_device_close(dev);
    remove_all();
}

SUITE("folders", T(strangers_are_named), T(own_files_are_replaced), T(failures_leave_nothing),
      T(failing_in_the_middle_changes_nothing), T(failed_adapters_leave_no_trace))
