/* test_row_kinds.c - rows of every kind, each beside the row of messages or of prompt and completion that it must equal
 * in every token and in what is learned of it; and the lines that refuse what is of no kind. Broken by: a key read
 * under another kind, an input that is lost, a role that is guessed, JSON that is taken for running text. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#define MODEL IB_TEST_SOURCE "/golden/models/chat"
#define ASKED(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define SAID(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define TALK(question, answer) "{\"messages\":[" ASKED(question) "," SAID(answer) "]}"

typedef struct kind_case {
    const char *text, *same; /* the same rows in a kind that other tests know */
    const char *kind;        /* how the name of it begins */
    const char *columns;
} kind_case;

static const kind_case good[] = {
    {"{\"instruction\":\"a\",\"output\":\"b\"}", TALK("a", "b"), "Alpaca", NULL},
    {"{\"instruction\":\"a\",\"input\":\"\",\"output\":\"b\"}", TALK("a", "b"), "Alpaca", NULL},
    {"{\"instruction\":\"a\",\"input\":null,\"output\":\"b\"}", TALK("a", "b"), "Alpaca", NULL},
    {"{\"output\":\"b\",\"input\":\"c\\u0000d\",\"instruction\":\"a\"}",
     TALK("a\\n\\n### Input:\\nc\\u0000d", "b"), "Alpaca", NULL},
    {"[{\"instruction\":\"a\",\"input\":\"c\",\"output\":\"b\"},\n"
     "{\"instruction\":\"e\",\"input\":\"\",\"output\":\"f\"}]",
     TALK("a\\n\\n### Input:\\nc", "b") TALK("e", "f"), "Alpaca", NULL},
    {"{\"instruction\":\"a\",\"context\":\"\",\"response\":\"b\",\"category\":\"open_qa\"}", TALK("a", "b"),
     "Dolly", NULL},
    {"{\"instruction\":\"a\",\"context\":\"c\",\"response\":\"b\"}", TALK("a\\n\\nInput:\\nc", "b"), "Dolly", NULL},
    {"{\"id\":\"x\",\"conversations\":[{\"from\":\"system\",\"value\":\"s\"},{\"from\":\"human\",\"value\":\"a\"},"
     "{\"from\":\"gpt\",\"value\":\"b\"}]}",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"}," ASKED("a") "," SAID("b") "]}", "ShareGPT", NULL},
    {"{\"conversations\":[" ASKED("a") "," SAID("b") "]}", TALK("a", "b"), "ShareGPT", NULL},
    {"{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"c\",\"weight\":0},"
     "{\"from\":\"human\",\"value\":\"d\"},{\"from\":\"gpt\",\"value\":\"b\"}]}",
     "{\"messages\":[" ASKED("a") ",{\"role\":\"assistant\",\"content\":\"c\",\"weight\":0}," ASKED("d") ","
     SAID("b") "]}",
     "ShareGPT", NULL},
    {"{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"tool\",\"value\":\"t\"},"
     "{\"from\":\"gpt\",\"value\":\"b\"}]}",
     "{\"messages\":[" ASKED("a") ",{\"role\":\"tool\",\"content\":\"t\"}," SAID("b") "]}", "ShareGPT", NULL},
    {"{\"question\":\"a\",\"answer\":\"b\"}", "{\"prompt\":\"a\",\"completion\":\"b\"}", "prompt",
     "prompt=question,completion=answer"},
    {"{\"q\":\"a\",\"r\":\"b\",\"input\":\"c\"}",
     TALK("a\\n\\n### Input:\\nc", "b"), "Alpaca", "instruction=q,output=r"},
    {"{\"chat\":[" ASKED("a") "," SAID("b") "]}", TALK("a", "b"), "messages", "messages=chat"},
    {"{\"label\":\"a\"}", "{\"text\":\"a\"}", "text", "text=label"},
};

static const struct {
    const char *file, *text, *says, *columns;
} bad[] = {
    {"a.json", "[{\"question\":\"a\",\"answer\":\"b\"}]", "line 1: has neither messages", NULL},
    {"a.json", "{\"question\":\"a\",\"answer\":\"b\"}", "question, answer: --columns", NULL},
    {"a.json", "{\"instruction\":\"a\"}", "but instruction: --columns", NULL},
    {"a.json", "{\"instruction\":\"a\",\"output\":5}", "output is not text", NULL},
    {"a.json", "{\"instruction\":\"a\",\"input\":[1],\"output\":\"b\"}", "input is not text", NULL},
    {"a.json", "{\"instruction\":\"a\",\"output\":\"b\",\"response\":\"c\"}",
     "'response' beside the keys of Alpaca", NULL},
    {"a.json", "{\"instruction\":\"a\",\"context\":\"c\",\"output\":\"b\"}",
     "'context' beside the keys of Alpaca", NULL},
    {"a.json", "{\"prompt\":\"a\",\"completion\":\"b\",\"input\":\"c\"}", "'input' beside the keys of prompt", NULL},
    {"a.json", "{\"instruction\":\"a\",\"output\":\"b\",\"history\":[[\"c\",\"d\"]]}",
     "the key 'history' is unknown", NULL},
    {"a.json", "{\"instruction\":\"a\",\"output\":\"b\",\"system\":\"s\"}", "the key 'system'", NULL},
    {"a.json", "{\"conversations\":[]}", "has no conversations", NULL},
    {"a.json", "{\"conversations\":\"a\"}", "conversations is not a list", NULL},
    {"a.json", "{\"conversations\":[{\"from\":\"bard\",\"value\":\"a\"}]}", "message 1: is from 'bard'", NULL},
    {"a.json", "{\"conversations\":[{\"from\":\"gpt\\u0000\",\"value\":\"a\"}]}", "message 1: is from 'gpt", NULL},
    {"a.json", "{\"conversations\":[{\"value\":\"a\"}]}", "message 1: has no from", NULL},
    {"a.json", "{\"conversations\":[{\"from\":\"gpt\"}]}", "message 1: has no content", NULL},
    {"a.json", "{\"conversations\":[{\"from\":\"gpt\",\"value\":\"a\",\"content\":\"b\"}]}",
     "both value and content", NULL},
    {"a.json", "{\"conversations\":[{\"from\":\"gpt\",\"role\":\"user\",\"content\":\"b\"}]}", "the key 'from'", NULL},
    {"a.json", "{\"conversations\":[{\"from\":\"gpt\",\"value\":\"b\",\"mood\":1}]}",
     "message 1: the key 'mood'", NULL},
    {"a.json", "{\"conversations\":[7]}", "message 1: is not an object", NULL},
    {"a.json", "{\"prompt\":\"a\",\"question\":\"c\",\"completion\":\"b\"}", "has 'prompt' twice", "prompt=question"},
    {"a.json", "{\"a\":\"b\"}", "columns: 'prompt' is not KEY=NAME", "prompt"},
    {"a.json", "{\"a\":\"b\"}", "columns: 'prompt=' is not KEY=NAME", "prompt="},
    {"a.json", "{\"a\":\"b\"}", "columns: 'id' is no key of rows", "id=a"},
    {"a.json", "{\"a\":\"b\"}", "columns: 'a' stands twice", "prompt=a,completion=a"},
    {"a.txt", "[\n  {\"instruction\": \"a\",\n   \"output\": \"b\"}\n]\n", "a.txt: holds rows of JSON", NULL},
    {"a.txt", "{\"speaker\":\"a\"}\n{\"speaker\":\"b\"\n", "a.txt: holds rows of JSON", NULL},
    {"rows", "[]", "rows: holds rows of JSON", NULL},
};

static char folder[64];

static ib_samples *opened(ib_tokenizer *t, const char *file, const char *text, const char *columns)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    REQUIRE(!ib_file_replace(path, text, strlen(text)));
    return ib_samples_open(path, t, &(ib_samples_opts){.no_pack = 1, .columns = columns});
}

static ib_tokenizer *begun(void)
{
    snprintf(folder, sizeof folder, "/tmp/isobit-test-row-kinds-%ld", (long)getpid());
    mkdir(folder, 0777);
    return ib_tokenizer_open(MODEL);
}

static void each_kind_is_its_turns(void)
{
    ib_tokenizer *t = begun();
    REQUIRE(t != NULL);
    for (size_t c = 0; c < sizeof good / sizeof *good; c++) {
        ib_samples *s = opened(t, "a.json", good[c].text, good[c].columns);
        ib_samples *same = opened(t, "b.json", good[c].same, NULL);
        if (!s || !same)
            printf("\n    %zu: %s", c, ib_error());
        REQUIRE(s && same);
        const ib_samples_info i = ib_samples_info_of(s), j = ib_samples_info_of(same);
        CHECK_INT(i.rows, j.rows);
        CHECK_INT(i.mapped, good[c].columns ? strchr(good[c].columns, ',') ? 3 : 1 : 0);
        for (int k = 0; k < IB_ROW_KINDS; k++) {
            const char *name = ib_row_kind_name(k);
            CHECK_INT(i.kinds[k], name && strstr(name, good[c].kind) == name ? i.samples : 0);
        }
        for (int64_t r = 0; r < i.rows && r < j.rows; r++) {
            const ib_row a = ib_samples_row(s, r), b = ib_samples_row(same, r);
            CHECK_INT(a.n, b.n);
            CHECK(a.n == b.n && !memcmp(a.ids, b.ids, (size_t)a.n * sizeof *a.ids) &&
                  !memcmp(a.target, b.target, (size_t)a.n * sizeof *a.target));
        }
        ib_samples_free(s);
        ib_samples_free(same);
    }
    ib_tokenizer_free(t);
}

static void mixed_rows_are_read_each_by_its_keys(void)
{
    ib_tokenizer *t = begun();
    ib_samples *s = opened(t, "mixed.jsonl",
                           "{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\":\"a\",\"response\":\"b\"}\n"
                           "{\"text\":\"ab\"}\n{\"instruction\":\"c\",\"output\":\"d\"}\n"
                           "[" ASKED("a") "," SAID("b") "]\n",
                           NULL);
    REQUIRE(s != NULL);
    const ib_samples_info i = ib_samples_info_of(s);
    static const int64_t counts[IB_ROW_KINDS] = {1, 0, 1, 2, 1, 0};
    for (int k = 0; k < IB_ROW_KINDS; k++)
        CHECK_INT(i.kinds[k], counts[k]);
    CHECK_INT(i.chats, 4);
    ib_samples_free(s);
    ib_tokenizer_free(t);
}

static void what_is_no_row_is_refused(void)
{
    ib_tokenizer *t = begun();
    for (size_t c = 0; c < sizeof bad / sizeof *bad; c++) {
        ib_samples *s = opened(t, bad[c].file, bad[c].text, bad[c].columns);
        if (s || !strstr(ib_error(), bad[c].says))
            printf("\n    %zu: %s ", c, s ? "read" : ib_error());
        CHECK_ERROR(s == NULL, bad[c].says);
        ib_samples_free(s);
    }
    char text[2000] = "{\"x";
    for (int i = 0; i < 400; i++)
        strcat(text, "\xc3\xa4");
    strcat(text, "\":1}");
    CHECK_ERROR(opened(t, "long.json", text, NULL) == NULL, "\xc3\xa4...: --columns");
    ib_tokenizer_free(t);
}

SUITE("row_kinds", T(each_kind_is_its_turns), T(mixed_rows_are_read_each_by_its_keys), T(what_is_no_row_is_refused))
