/* test_added_tokens.c - added tokens of tokenizer.json: those that are sought in the text as it is go before those that
 * are sought in its normalized form; characters without a token. Ids are those of Hugging Face's tokenizers 0.23.3.
 * Broken by: one search for both sorts, composing before the first, an unknown token that the model does not name. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96], config[96];

static void write_text(const char *where, const char *text)
{
    FILE *f = fopen(where, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* Letters a to e, the bytes of U+0301 and U+00E9, < and a space, by GPT-2's names. */
static ib_tokenizer *opened(const char *added, const char *normalizer, const char *unknown)
{
    char text[2000];
    snprintf(folder, sizeof folder, "/tmp/isobit-test-added-%ld", (long)getpid());
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    snprintf(config, sizeof config, "%s/tokenizer_config.json", folder);
    mkdir(folder, 0700);
    snprintf(text, sizeof text,
             "{\"added_tokens\":[%s],\"normalizer\":%s,"
             "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false},"
             "\"model\":{\"type\":\"BPE\",\"unk_token\":%s,\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"d\":3,"
             "\"e\":4,\"\u00cc\":5,"
             "\"\u0123\":6,\"\u00c3\":7,\"\u00a9\":8,\"<\":9,\"\u0120\":10},\"merges\":[]}}",
             added, normalizer, unknown);
    write_text(path, text);
    write_text(config, "{\"unk_token\":\"a\"}");
    ib_tokenizer *t = ib_tokenizer_open(folder);
    unlink(path);
    unlink(config);
    rmdir(folder);
    if (!t)
        printf("\n    %s ", ib_error());
    REQUIRE(t != NULL);
    return t;
}

static void gives(ib_tokenizer *t, const char *text, const char *want)
{
    ib_ids ids = {0};
    char got[200] = "";
    CHECK(!ib_tokenize(t, text, strlen(text), 1, &ids));
    for (int64_t i = 0; i < ids.n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), i ? " %d" : "%d", ids.id[i]);
    if (strcmp(got, want))
        printf("\n    '%s' gives %s, not %s ", text, got, want);
    CHECK(!strcmp(got, want));
    ib_free_ids(&ids);
}

#define ADDED(id, content, normalized) "{\"id\":" #id ",\"content\":\"" content "\",\"normalized\":" #normalized "}"

static void raw_tokens_go_first(void)
{
    ib_tokenizer *t =
        opened(ADDED(11, "ab", true) "," ADDED(12, "bc", false) "," ADDED(13, "abcd", true), "null", "null");
    static const char *const cases[][2] = {{"ab", "11"},      {"abc", "0 12"},   {"abcd", "0 12 3"},
                                           {"abab", "11 11"}, {"bcab", "12 11"}, {"abd", "11 3"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        gives(t, cases[i][0], cases[i][1]);
    ib_tokenizer_free(t);
}

static void what_is_normalized_is_sought_there(void)
{
    ib_tokenizer *t = opened(ADDED(11, "\u00e9<", false) "," ADDED(12, "<\u00e9", true), "{\"type\":\"NFC\"}", "null");
    static const char *const cases[][2] = {{"\u00e9<", "11"},  {"e\u0301<", "7 8 9"}, {"<\u00e9", "12"},
                                           {"<e\u0301", "12"}, {"<\u00e9<", "9 11"},  {"<e\u0301<", "12 9"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        gives(t, cases[i][0], cases[i][1]);
    ib_tokenizer_free(t);
}

/* What tokenizer_config.json calls unknown stands for nothing in a text; what the model names does. */
static void only_the_models_unknown_token_stands_in(void)
{
    ib_ids ids = {0};
    ib_tokenizer *t = opened(ADDED(11, "ab", true), "null", "null");
    CHECK_ERROR(ib_tokenize(t, "cz", 2, 1, &ids), "no token for byte 122");
    ib_tokenizer_free(t);
    t = opened(ADDED(11, "ab", true), "null", "\"d\"");
    gives(t, "czc", "2 3 2");
    ib_tokenizer_free(t);
    ib_free_ids(&ids);
}

SUITE("added tokens", T(raw_tokens_go_first), T(what_is_normalized_is_sought_there),
      T(only_the_models_unknown_token_stands_in))
