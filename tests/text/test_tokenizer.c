/* test_tokenizer.c - tokens against Hugging Face's tokenizers and llama.cpp, tokenizers through both kinds of file,
 * chat templates and their masks. Broken by: a split or merge in another order, a lost byte, a prefix space too much, a
 * merge table that does not say what the scores say, a mask one token off.
 * Golden data: tests/golden/make_language.py, make_tokenizers.py, make_gguf_tokens.py. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "text/tokenizer.h"
#include "files/safetensors.h"
#include "lm/lm.h"
#include "tests/lm/saving.h"

#define MODELS IB_TEST_SOURCE "/golden/models/"
static const char *const names[] = {"smollm",    "gpt2",   "llama_bpe",    "qwen",           "spm",
                                    "spm_gemma", "tekken", "gpt4o",        "falcon",         "default",
                                    "bloom",     "viking", "deepseek_llm", "deepseek_coder", "deepseek_v3"};
enum { N_NAMES = sizeof names / sizeof *names };

static void same_ids(const char *what, ib_tokenizer *t, const char *text, struct json_object *want)
{
    ib_ids got = {0};
    for (int twice = 0; twice < 2; twice++) { /* the second time from the cache of words */
        got.n = 0;
        CHECK(!ib_tokenize(t, text, strlen(text), 1, &got));
        int same = got.n == (int64_t)json_object_array_length(want);
        for (int64_t j = 0; same && j < got.n; j++)
            same = got.id[j] == json_object_get_int(json_object_array_get_idx(want, (size_t)j));
        if (!same)
            printf("\n    %s: '%s' ", what, text);
        CHECK(same);
    }
    ib_free_ids(&got);
}

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
        same_ids(what, t, text, want);
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

/* tokenizer_default's vocabulary, cut into words as each name of tokenizer.ggml.pre says, against llama.cpp. */
static void names_equal_llama_cpp(void)
{
    struct json_object *root = ib_json_read(MODELS "gguf_tokens.json"), *alike = ib_json_get(root, "alike");
    struct json_object *texts = ib_json_get(root, "texts");
    REQUIRE(root && json_object_array_length(alike) > 12 && json_object_array_length(texts) > 12);
    for (size_t i = 0; i < json_object_array_length(alike); i++) {
        struct json_object *row = json_object_array_get_idx(alike, i), *list = ib_json_get(row, "names");
        for (size_t j = 0; j < json_object_array_length(list); j++) {
            const char *name = json_object_get_string(json_object_array_get_idx(list, j));
            ib_tokenizer *t = opened(MODELS "tokenizer_default");
            while (t->n_splits) {
                pcre2_code_free(t->split[--t->n_splits]);
                ib_free(t->pattern[t->n_splits]);
            }
            REQUIRE(!ib_tokenizer_named_split(t, name));
            for (size_t k = 0; k < json_object_array_length(texts); k++)
                same_ids(name, t, json_object_get_string(json_object_array_get_idx(texts, k)),
                         json_object_array_get_idx(ib_json_get(row, "ids"), k));
            ib_tokenizer_free(t);
        }
    }
    json_object_put(root);
}

/* Names of llama.cpp that are cut by code of its own, or put tokens behind a text. */
static void other_names_are_refused(void)
{
    static const char *const other[] = {"afmoe",      "kimi-k2",     "chameleon",    "superbpe", "youtu",  "tiny_aya",
                                        "exaone-moe", "jais-2",      "spark2_5",     "laguna",   "gemma4", "sarvam-moe",
                                        "whitespace", "roberta-bpe", "jina-v2-code", "",         "gpt",    "gpt-2 "};
    ib_tokenizer *t = opened(MODELS "tokenizer_default");
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        CHECK_ERROR(ib_tokenizer_named_split(t, other[i]), "which is not known");
    ib_tokenizer_free(t);
}

/* llama.cpp cuts text so named in another way than the models (text/tokenizer_split.c). */
static int gguf_differs(const char *name)
{
    return strstr("tekken gpt4o deepseek_llm deepseek_coder", name) != NULL;
}

static void tokenizers_survive_files(void)
{
    char folder[64], from[300], gguf[128], hf[128];
    snprintf(folder, sizeof folder, "/tmp/isobit-test-tokenizer-%ld", (long)getpid());
    mkdir(folder, 0777);
    for (int k = 0; k < N_NAMES; k++) {
        ib_lm *m = ib_lm_new(
            &(ib_lm_config){
                .layers = 1, .width = 32, .ff = 32, .heads = 2, .groups = 1, .vocabulary = 600, .context = 16},
            1);
        snprintf(from, sizeof from, MODELS "tokenizer_%s", names[k]);
        snprintf(gguf, sizeof gguf, "%s/%s.gguf", folder, names[k]);
        snprintf(hf, sizeof hf, "%s/%s", folder, names[k]);
        REQUIRE(m && !save_model(m, gguf, from, "f16") && !save_model(m, hf, gguf, "f16"));
        ib_tokenizer *a = opened(gguf), *b = opened(hf);
        if (!gguf_differs(names[k])) {
            agrees("GGUF", names[k], a, strcmp(names[k], "qwen") != 0); /* as llama.cpp: no composing from GGUF */
            agrees("tokenizer.json from GGUF", names[k], b, 1);
        }
        ib_tokenizer_free(a);
        ib_tokenizer_free(b);
        ib_lm_free(m);
    }
}

/* A GGUF token of type unknown (2) is found in text as control tokens are (llama.cpp b11549), and so again from a
 * folder. */
static void unknown_tokens_are_special(void)
{
    char gguf[64], folder[64];
    size_t size;
    snprintf(gguf, sizeof gguf, "/tmp/isobit-test-unknown-%ld.gguf", (long)getpid());
    snprintf(folder, sizeof folder, "/tmp/isobit-test-unknown-%ld", (long)getpid());
    ib_lm *m = ib_lm_new(
        &(ib_lm_config){.layers = 1, .width = 32, .ff = 32, .heads = 2, .groups = 1, .vocabulary = 600, .context = 16},
        1);
    REQUIRE(m && !save_model(m, gguf, MODELS "tokenizer_spm", "f16"));
    ib_tokenizer *t = opened(gguf);
    const int32_t unk = ib_token_find(t, "<unk>", 5);
    ib_tokenizer_free(t);
    unsigned char *bytes = ib_file_read(gguf, &size);
    static const char key[] = "tokenizer.ggml.token_type";
    size_t at = 0;
    REQUIRE(bytes && unk >= 0);
    while (at + sizeof key < size && memcmp(bytes + at, key, strlen(key)))
        at++;
    REQUIRE(at + sizeof key < size);
    bytes[at + strlen(key) + 16 + 4 * (size_t)unk] =
        IB_TOKEN_UNKNOWN; /* behind the key: type, type of elements, their number */
    REQUIRE(!ib_file_replace(gguf, bytes, size) && !save_model(m, folder, gguf, "f16"));
    for (int k = 0; k < 2; k++) {
        ib_ids with = {0}, without = {0};
        t = opened(k ? folder : gguf);
        CHECK(!ib_tokenize(t, "<unk>", 5, 1, &with) && with.n == 1 && with.id[0] == unk);
        CHECK(!ib_tokenize(t, "<unk>", 5, 0, &without) && without.n > 1);
        ib_free_ids(&with);
        ib_free_ids(&without);
        ib_tokenizer_free(t);
    }
    ib_free(bytes);
    ib_lm_free(m);
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
    CHECK(!strcmp(s, "<|im_start|>system\nBe "
                     "kind.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello there<|im_end|>\n"
                     "<|im_start|>user\n  more <|im_end|>\n<|im_start|>assistant\n"));
    ib_free(s);
    s = ib_chat_text(t, "llama3", m, 4, 1);
    CHECK(!strcmp(s, "<|start_header_id|>system<|end_header_id|>\n\nBe "
                     "kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
                     "<|start_header_id|>assistant<|end_header_id|>\n\nhello "
                     "there<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nmore<|eot_id|>"
                     "<|start_header_id|>assistant<|end_header_id|>\n\n"));
    ib_free(s);
    s = ib_chat_text(t, "gemma", m, 4, 1);
    CHECK(!strcmp(s, "<start_of_turn>user\nBe kind.\n\nhi<end_of_turn>\n<start_of_turn>model\nhello "
                     "there<end_of_turn>\n<start_of_turn>user\nmore<end_of_turn>\n"
                     "<start_of_turn>model\n"));
    ib_free(s);
    s = ib_chat_text(t, "llama2", m, 4, 1);
    CHECK(!strcmp(s, "[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nhi [/INST] hello there [INST] more [/INST]"));
    ib_free(s);
    /* the mask covers what the assistant says and the token that ends it */
    check_said(t, m, 4, 1, "hello there<|im_end|>");
    ib_tokenizer_free(t);
}

/* The mask stays in place when contents are composed (NFC): "e" and U+0301 become one character. */
static void masks_of_composed_text(void)
{
    ib_tokenizer *t = opened(MODELS "tokenizer_qwen");
    const ib_message m[] = {
        {"user", "cafe\xcc\x81 cafe\xcc\x81"}, {"assistant", "nai\xcc\x88ve"}, {"user", "e\xcc\x81"}};
    check_said(t, m, 3, 0, "na\xc3\xafve<|im_end|>");
    ib_tokenizer_free(t);
}

/* One member of a small tokenizer.json is changed: the line that refuses it, or NULL where it is understood. */
static void fields_are_honoured_or_refused(void)
{
#define SINGLE "{\"type\":\"TemplateProcessing\",\"single\":["
#define TOKEN "{\"SpecialToken\":{\"id\":\"<|im_start|>\",\"type_id\":0}}"
#define TEXT "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
    static const struct {
        const char *where, *key, *value, *want;
    } cases[] = {
        {"", "version", "\"2\"", NULL},
        {"", "padding", "{}", NULL},
        {"", "foo", "null", NULL},
        {"", "foo", "1", "'foo' is unknown"},
        {"model", "dropout", "0.1", "'dropout' is 0.1"},
        {"model", "dropout", "0.0", NULL},
        {"model", "continuing_subword_prefix", "\"##\"", "continuing_subword_prefix"},
        {"model", "end_of_word_suffix", "\"</w>\"", "end_of_word_suffix"},
        {"model", "type", "\"Unigram\"", "'Unigram'"},
        {"added", "lstrip", "true", "'<|endoftext|>': added token: 'lstrip' is true"},
        {"added", "rstrip", "true", "rstrip"},
        {"added", "single_word", "true", "single_word"},
        {"added", "normalized", "true", NULL},
        {"added", "content", "\"\"", "has no content"},
        {"added", "blue", "1", "'blue' is unknown"},
        {"", "normalizer", "{\"type\":\"NFC\"}", NULL},
        {"", "normalizer", "{\"type\":\"Lowercase\"}", "normalizer 'Lowercase'"},
        {"", "normalizer", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"}]}", "normalizer 'NFKC'"},
        {"", "normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"b\"}",
         "'pattern' is {\"String\":\"a\"}"},
        {"", "normalizer", "{}", "its normalizer has no type"},
        {"", "pre_tokenizer", "{\"type\":\"Whitespace\"}", "pre_tokenizer 'Whitespace'"},
        {"", "pre_tokenizer", "null", "neither bytes"},
        {"", "pre_tokenizer", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "'add_prefix_space' is true"},
        {"", "pre_tokenizer",
         "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Removed\",\"invert\":false}", "'Removed'"},
        {"", "pre_tokenizer",
         "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\",\"invert\":false}",
         "cannot be used"},
        {"", "pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"_\"}", "'replacement' is \"_\""},
        {"", "pre_tokenizer", "{\"type\":\"Metaspace\",\"split\":true}", "'split' is true"},
        {"", "post_processor", SINGLE TEXT "]}", NULL},
        {"", "post_processor", SINGLE TOKEN "," TEXT "]}", NULL},
        {"", "post_processor", SINGLE TEXT "," TOKEN "]}", "none behind"},
        {"", "post_processor", SINGLE TOKEN "," TOKEN "," TEXT "]}", "one token before"},
        {"", "post_processor", "{\"type\":\"BertProcessing\"}", "post_processor 'BertProcessing'"},
        {"", "decoder", "{\"type\":\"WordPiece\"}", "decoder 'WordPiece'"},
    };
    char folder[64], path[128];
    snprintf(folder, sizeof folder, "/tmp/isobit-test-fields-%ld", (long)getpid());
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_object *root = ib_json_read(MODELS "tokenizer_smollm/tokenizer.json");
        REQUIRE(root != NULL);
        struct json_object *o = *cases[i].where == 'm' ? ib_json_get(root, "model")
                                : *cases[i].where == 'a'
                                    ? json_object_array_get_idx(ib_json_get(root, "added_tokens"), 0)
                                    : root;
        json_object_object_add(o, cases[i].key, json_tokener_parse(cases[i].value));
        REQUIRE(!ib_json_write(path, root));
        ib_tokenizer *t = ib_tokenizer_open(path);
        if (cases[i].want) {
            CHECK_ERROR(t == NULL, cases[i].want);
            CHECK_ERROR(t == NULL, path);
        } else {
            if (!t)
                printf("\n    %s: %s ", cases[i].key, ib_error());
            CHECK(t != NULL);
            CHECK(!t || ib_tokenizer_adds_bos(t) == (strstr(cases[i].value, TOKEN) != NULL));
        }
        ib_tokenizer_free(t);
    }
}

/* What is learned of conversations whose template is the model's own: turns begin where a reply would, and end with
 * their end token; or the line that says why it cannot be told. */
static void learned_of_own_templates(void)
{
#define EACH "{% for m in messages %}"
#define TURN "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
#define REPLY "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    static const struct {
        const char *jinja, *learned, *refused;
        int unlearned;
    } cases[] = {
        {EACH TURN "{% endfor %}" REPLY, "yes<|im_end|>no<|im_end|>", NULL, 0},
        {EACH TURN "{% endfor %}" REPLY, "no<|im_end|>", NULL, 1},
        {"{% if messages[0].role != 'system' %}<|im_start|>system\nBe good.<|im_end|>\n{% endif %}" EACH TURN
         "{% endfor %}" REPLY,
         "yes<|im_end|>no<|im_end|>", NULL, 0},
        {EACH TURN "{% endfor %}", "<|im_start|>assistant\nyes<|im_end|><|im_start|>assistant\nno<|im_end|>", NULL, 0},
        {EACH
         "{{ '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else ' ' + m.content + '<|im_end|>' }}{% endfor %}",
         " yes<|im_end|> no<|im_end|>", NULL, 0},
        {EACH "{{ '[Q] ' + m.content + ' [A]' if m.role == 'user' else ' ' + m.content }}{% endfor %}", " yes no", NULL,
         0},
        {EACH "{% if m.role == 'user' %}{{ m.content }}{% else %}>{% generation %}{{ m.content }}<|im_end|>{% "
              "endgeneration %}\n"
              "{% endif %}{% endfor %}",
         "yes<|im_end|>no<|im_end|>", NULL, 0},
        {EACH "{% if loop.last and m.role != 'user' %}{{ '<|im_start|>assistant\n(hm)' + m.content + '<|im_end|>\n' "
              "}}{% else %}" TURN "{% endif %}{% endfor %}" REPLY,
         "yes<|im_end|>(hm)no<|im_end|>", NULL, 0}, /* thoughts of the last turn alone */
        {EACH TURN
         "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% else %}<|endoftext|>{% endif %}",
         "yes<|im_end|>no<|im_end|>\n<|endoftext|>", NULL, 0}, /* an end of the whole */
        {EACH "{{ '[' + m.role + ']' + m.content }}{% endfor %}{{ '[assistant]' if add_generation_prompt else "
              "'<|im_end|>' }}",
         NULL, "message 2: the chat template writes this message otherwise", 0}, /* an end of the whole alone */
        {EACH "{{ m.content }}{% if loop.last %}<|im_end|>{% endif %}{% endfor %}", NULL,
         "message 2: the chat template", 0},
        {EACH TURN "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n(hm)' }}{% endif %}", NULL,
         "message 2: the chat template opens a reply otherwise", 0},
        {"{{ messages|length }}" EACH TURN "{% endfor %}" REPLY, NULL, "message 2: the chat template opens", 0},
        {EACH "{{ m.content ~ ' ' ~ (loop.last ~ '') }}{% endfor %}", NULL, "message 2: the chat template", 0},
        {EACH "{% if m.role == 'assistant' %}{{ raise_exception('Nobody answers.') }}{% endif %}{% endfor %}", NULL,
         "line 1: the template says: Nobody answers.", 0},
        {EACH "{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}", NULL,
         "marks 4 texts as the assistant's for 2 messages", 1},
        {EACH TURN "{% endfor %}" REPLY "{{ strftime_now('%Y') }}", NULL,
         "strftime_now: what is learned does not depend on the day it is learned on (--template NAME", 0},
        {"{% include 'x' %}", NULL, "chat template: line 1: the tag {% include %} is not supported (--template NAME",
         0},
    };
    ib_tokenizer *t = opened(MODELS "tokenizer_smollm");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ib_message m[] = {
            {"user", "hi"}, {"assistant", "yes", 0, cases[i].unlearned}, {"user", "ok"}, {"assistant", "no"}};
        ib_ids ids = {0}, mask = {0};
        char learned[200] = "";
        ib_free(t->chat_template);
        t->chat_template = ib_strdup(cases[i].jinja);
        if (cases[i].refused) {
            CHECK_ERROR(ib_chat_tokens(t, NULL, m, 4, 0, &ids, &mask), cases[i].refused);
        } else {
            CHECK(!ib_chat_tokens(t, NULL, m, 4, 0, &ids, &mask));
            for (int64_t k = 0; k < ids.n && k < mask.n; k++) {
                size_t n;
                const char *bytes = ib_token_bytes(t, ids.id[k], &n);
                strncat(learned, bytes, mask.id[k] > 0 ? n : 0);
            }
            if (strcmp(learned, cases[i].learned))
                printf("\n    %zu: '%s' %s ", i, learned, ib_error());
            CHECK(!strcmp(learned, cases[i].learned));
        }
        ib_free_ids(&ids);
        ib_free_ids(&mask);
    }
    ib_tokenizer_free(t);
}

SUITE("tokenizer", T(fields_are_honoured_or_refused), T(learned_of_own_templates), T(tokenizers_equal_hugging_face),
      T(tokenizers_survive_files), T(names_equal_llama_cpp), T(other_names_are_refused), T(unknown_tokens_are_special),
      T(chat_templates), T(masks_of_composed_text))
