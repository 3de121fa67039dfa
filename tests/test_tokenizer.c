/* test_tokenizer.c - tokens against Hugging Face's tokenizers, tokenizers through both kinds of file, chat templates and their
 * masks. Broken by: a split or merge in another order, a lost byte, a prefix space too much, a merge table that does not say
 * what the scores say, a mask one token off. Golden data: tests/golden/make_language.py. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "files/safetensors.h"
#include "lm/lm.h"

#define MODELS IB_TEST_SOURCE "/golden/models/"
static const char *const names[] = {"smollm", "gpt2", "llama_bpe", "qwen", "spm", "spm_gemma"};
enum { N_NAMES = sizeof names / sizeof *names };

/* Every text of the golden file; composing: those that Unicode's composed form changes as well. */
static void agrees(const char *what, const char *name, ib_tokenizer *t, int composing)
{
    char from[300];
    snprintf(from, sizeof from, MODELS "tokenizer_%s/golden.json", name);
    struct json_object *list = ib_json_read(from);
    REQUIRE(list && json_object_array_length(list) > 5);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *c = json_object_array_get_idx(list, i), *want = ib_json_get(c, "ids");
        const char *text = ib_json_text(c, "text");
        if (!composing && strstr(text, "\xcc\x81"))
            continue;
        ib_ids got = {0};
        for (int twice = 0; twice < 2; twice++) { /* the second time from the cache of words */
            got.n = 0;
            CHECK(!ib_tokenize(t, text, strlen(text), 1, &got));
            int same = got.n == (int64_t)json_object_array_length(want);
            for (int64_t j = 0; same && j < got.n; j++)
                same = got.id[j] == json_object_get_int(json_object_array_get_idx(want, (size_t)j));
            if (!same)
                printf("\n    %s, %s: '%s' ", name, what, text);
            CHECK(same);
        }
        ib_free_ids(&got);
    }
    json_object_put(list);
}

static ib_tokenizer *opened(const char *path)
{
    ib_tokenizer *t = ib_tokenizer_open(path);
    if (!t)
        printf("\n    %s ", ib_error());
    REQUIRE(t != NULL);
    return t;
}

static void tokenizers_equal_hugging_face(void)
{
    for (int k = 0; k < N_NAMES; k++) {
        char from[300];
        snprintf(from, sizeof from, MODELS "tokenizer_%s", names[k]);
        ib_tokenizer *t = opened(from);
        agrees("tokenizer.json", names[k], t, 1);
        ib_ids out = {0};
        CHECK_ERROR(ib_tokenize(t, "ab\xff", 3, 0, &out), "byte 2 is 0xFF");
        CHECK_ERROR(ib_tokenize(t, "ab\xc3", 3, 0, &out), "byte 2");
        ib_free_ids(&out);
        ib_tokenizer_free(t);
    }
}

static void tokenizers_survive_files(void)
{
    char folder[64], from[300], gguf[128], hf[128];
    snprintf(folder, sizeof folder, "/tmp/isobit-test-tokenizer-%ld", (long)getpid());
    mkdir(folder, 0777);
    for (int k = 0; k < N_NAMES; k++) {
        ib_lm *m = ib_lm_new(&(ib_lm_config){.layers = 1, .width = 32, .ff = 32, .heads = 2, .groups = 1, .vocabulary = 600, .context = 16}, 1);
        ib_lm_saved saved;
        snprintf(from, sizeof from, MODELS "tokenizer_%s", names[k]);
        snprintf(gguf, sizeof gguf, "%s/%s.gguf", folder, names[k]);
        snprintf(hf, sizeof hf, "%s/%s", folder, names[k]);
        REQUIRE(m && !ib_lm_save(m, from, gguf, "f16", &saved, NULL, NULL) && !ib_lm_save(m, gguf, hf, "f16", &saved, NULL, NULL));
        ib_tokenizer *a = opened(gguf), *b = opened(hf);
        agrees("GGUF", names[k], a, strcmp(names[k], "qwen") != 0); /* as llama.cpp: no composing from GGUF */
        agrees("tokenizer.json from GGUF", names[k], b, 1);
        ib_tokenizer_free(a);
        ib_tokenizer_free(b);
        ib_lm_free(m);
    }
}

/* The tokens that the mask covers are `want`. */
static void check_said(ib_tokenizer *t, const ib_message *m, int n, int reply, const char *want)
{
    ib_ids tokens = {0}, mask = {0};
    REQUIRE(!ib_chat_tokens(t, "chatml", m, n, reply, &tokens, &mask));
    char said[100] = "";
    for (int64_t i = 0; i < tokens.n; i++) {
        size_t bytes;
        const char *text = ib_token_bytes(t, tokens.id[i], &bytes);
        if (mask.id[i])
            strncat(said, text, bytes);
    }
    CHECK(!strcmp(said, want));
    ib_free_ids(&tokens);
    ib_free_ids(&mask);
}

static void chat_templates(void)
{
    ib_tokenizer *t = ib_tokenizer_open(MODELS "tokenizer_smollm");
    const ib_message m[] = {{"system", "Be kind."}, {"user", "hi"}, {"assistant", "hello there"}, {"user", "  more "}};
    CHECK_ERROR(ib_chat_text(t, NULL, m, 4, 1) == NULL, "--template");
    CHECK_ERROR(ib_chat_text(t, "alpaca", m, 4, 1) == NULL, "alpaca");
    char *s = ib_chat_text(t, "chatml", m, 4, 1);
    CHECK(!strcmp(s, "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello there<|im_end|>\n"
                     "<|im_start|>user\n  more <|im_end|>\n<|im_start|>assistant\n"));
    free(s);
    s = ib_chat_text(t, "llama3", m, 4, 1);
    CHECK(!strcmp(s, "<|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
                     "<|start_header_id|>assistant<|end_header_id|>\n\nhello there<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nmore<|eot_id|>"
                     "<|start_header_id|>assistant<|end_header_id|>\n\n"));
    free(s);
    s = ib_chat_text(t, "gemma", m, 4, 1);
    CHECK(!strcmp(s, "<start_of_turn>user\nBe kind.\n\nhi<end_of_turn>\n<start_of_turn>model\nhello there<end_of_turn>\n<start_of_turn>user\nmore<end_of_turn>\n"
                     "<start_of_turn>model\n"));
    free(s);
    s = ib_chat_text(t, "llama2", m, 4, 1);
    CHECK(!strcmp(s, "[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nhi [/INST] hello there [INST] more [/INST]"));
    free(s);
    /* the mask covers what the assistant says and the token that ends it */
    check_said(t, m, 4, 1, "hello there<|im_end|>");
    ib_tokenizer_free(t);
}

/* The mask stays in place when contents are composed (NFC): "e" and U+0301 become one character. */
static void masks_of_composed_text(void)
{
    ib_tokenizer *t = opened(MODELS "tokenizer_qwen");
    const ib_message m[] = {{"user", "cafe\xcc\x81 cafe\xcc\x81"}, {"assistant", "nai\xcc\x88ve"}, {"user", "e\xcc\x81"}};
    check_said(t, m, 3, 0, "na\xc3\xafve<|im_end|>");
    ib_tokenizer_free(t);
}

SUITE("tokenizer", T(tokenizers_equal_hugging_face), T(tokenizers_survive_files), T(chat_templates), T(masks_of_composed_text))
