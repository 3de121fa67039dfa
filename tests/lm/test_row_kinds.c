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
    const char *text, *same;        /* the same rows in a kind that other tests know */
    const char *kind;               /* how the name of it begins */
    const char *columns, *template; /* template: the prompt template's text */
} kind_case;

#define WITH_SYSTEM "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"}," ASKED("a") "," SAID("b") "]}"

static const kind_case good[] = {
    {"{\"instruction\":\"a\",\"output\":\"b\"}", TALK("a", "b"), "Alpaca", NULL},
    {"{\"instruction\":\"a\",\"input\":\"\",\"output\":\"b\"}", TALK("a", "b"), "Alpaca", NULL},
    {"{\"instruction\":\"a\",\"input\":null,\"output\":\"b\"}", TALK("a", "b"), "Alpaca", NULL},
    {"{\"output\":\"b\",\"input\":\"c\\u0000d\",\"instruction\":\"a\"}", TALK("a\\n\\n### Input:\\nc\\u0000d", "b"),
     "Alpaca", NULL},
    {"[{\"instruction\":\"a\",\"input\":\"c\",\"output\":\"b\"},\n"
     "{\"instruction\":\"e\",\"input\":\"\",\"output\":\"f\"}]",
     TALK("a\\n\\n### Input:\\nc", "b") TALK("e", "f"), "Alpaca", NULL},
    {"{\"instruction\":\"a\",\"context\":\"\",\"response\":\"b\",\"category\":\"open_qa\"}", TALK("a", "b"), "Dolly",
     NULL},
    {"{\"instruction\":\"a\",\"context\":\"c\",\"response\":\"b\"}", TALK("a\\n\\nInput:\\nc", "b"), "Dolly", NULL},
    {"{\"id\":\"x\",\"conversations\":[{\"from\":\"system\",\"value\":\"s\"},{\"from\":\"human\",\"value\":\"a\"},"
     "{\"from\":\"gpt\",\"value\":\"b\"}]}",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"}," ASKED("a") "," SAID("b") "]}", "ShareGPT", NULL},
    {"{\"conversations\":[" ASKED("a") "," SAID("b") "]}", TALK("a", "b"), "ShareGPT", NULL},
    {"{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"c\",\"weight\":0},"
     "{\"from\":\"human\",\"value\":\"d\"},{\"from\":\"gpt\",\"value\":\"b\"}]}",
     "{\"messages\":[" ASKED("a") ",{\"role\":\"assistant\",\"content\":\"c\",\"weight\":0}," ASKED("d") "," SAID(
         "b") "]}",
     "ShareGPT", NULL},
    {"{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"tool\",\"value\":\"t\"},"
     "{\"from\":\"gpt\",\"value\":\"b\"}]}",
     "{\"messages\":[" ASKED("a") ",{\"role\":\"tool\",\"content\":\"t\"}," SAID("b") "]}", "ShareGPT", NULL},
    {"{\"system\":\"s\",\"instruction\":\"a\",\"output\":\"b\"}", WITH_SYSTEM, "Alpaca", NULL, NULL},
    {"{\"instruction\":\"a\",\"system\":\"\",\"output\":\"b\"}", TALK("a", "b"), "Alpaca", NULL, NULL},
    {"{\"rule\":\"s\",\"instruction\":\"a\",\"response\":\"b\"}", WITH_SYSTEM, "Dolly", "system=rule", NULL},
    {"{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}],\"system\":\"s\"}",
     WITH_SYSTEM, "ShareGPT", NULL, NULL},
    {"{\"conversations\":[{\"from\":\"observation\",\"value\":\"t\"}," SAID("b") "]}",
     "{\"messages\":[{\"role\":\"tool\",\"content\":\"t\"}," SAID("b") "]}", "ShareGPT", NULL, NULL},
    /* OpenAI's rows: parts of text, and messages of weight 0 */
    {"{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"s\"}]},{\"role\":\"user\","
     "\"content\":[{\"type\":\"text\",\"text\":\"\"},{\"type\":\"text\",\"text\":\"a\"}]}," SAID("b") "]}",
     WITH_SYSTEM, "messages", NULL, NULL},
    {"{\"messages\":[" ASKED("a") ",{\"role\":\"assistant\",\"content\":\"b\",\"weight\":1}]}", TALK("a", "b"),
     "messages", NULL, NULL},
    {"{\"question\":\"a\",\"answer\":\"b\"}", "{\"prompt\":\"a\",\"completion\":\"b\"}", "prompt",
     "prompt=question,completion=answer"},
    {"{\"q\":\"a\",\"r\":\"b\",\"input\":\"c\"}", TALK("a\\n\\n### Input:\\nc", "b"), "Alpaca",
     "instruction=q,output=r"},
    {"{\"chat\":[" ASKED("a") "," SAID("b") "]}", TALK("a", "b"), "messages", "messages=chat"},
    {"{\"label\":\"a\"}", "{\"text\":\"a\"}", "text", "text=label"},
    {"{\"q\":\"a\",\"r\":\"b\"}", "{\"prompt\":\"Q: a\\nA:\",\"completion\":\" b\"}", "template", NULL,
     "Q: {{ q }}\nA:{% generation %} {{ r }}{% endgeneration %}\n"},
    {"[{\"q\":\"a\",\"r\":[1,null],\"none\":null}]", "{\"text\":\"a 2 a\"}", "template", NULL,
     "{{ q }} {{ r|length }}{% if c %}{{ c }}{% endif %}{{ c|d(' ') }}{{ row['q'] }}{{ 'x' if not q }}"},
    {"{\"role\":\"a\",\"end\":\"b\"}", "{\"text\":\"b a\"}", "template", NULL, "{{ end }} {{ role }}{{ eos_token }}"},
    {"{\"eos_token\":\"a\"}", "{\"text\":\"a b\"}", "template", NULL,
     "{{ eos_token }} {% if row is defined and b is not defined %}b{% endif %}"},
};

#define ROW "{\"instruction\":\"a\","
#define TURNS(turn) "{\"conversations\":[" turn "]}"

static const struct {
    const char *text, *says, *columns, *template;
} bad[] = {
    {"[{\"question\":\"a\",\"answer\":\"b\"}]", "line 1: has neither messages", NULL, NULL},
    {"{\"question\":\"a\",\"answer\":\"b\"}", "question, answer: --columns", NULL, NULL},
    {"{\"instruction\":\"a\"}", "but instruction: --columns", NULL, NULL},
    {ROW "\"output\":5}", "output is not text", NULL, NULL},
    {ROW "\"input\":[1],\"output\":\"b\"}", "input is not text", NULL, NULL},
    {ROW "\"output\":\"b\",\"response\":\"c\"}", "'response' beside the keys of Alpaca", NULL, NULL},
    {ROW "\"output\":\"b\",\"history\":[[\"c\",\"d\"]]}", "the key 'history' is unknown", NULL, NULL},
    {ROW "\"output\":\"b\",\"system\":5}", "system is not text", NULL, NULL},
    {"{\"system\":\"s\",\"conversations\":[{\"from\":\"system\",\"value\":\"s\"},{\"from\":\"gpt\",\"value\":\"b\"}]}",
     "'system' and a message from system", NULL, NULL},
    {"{\"system\":\"s\",\"messages\":[" SAID("b") "]}", "'system': make it the first of messages", NULL, NULL},
    {"{\"system\":\"s\",\"text\":\"b\"}", "'system': make it the first of messages", NULL, NULL},
    {TURNS("{\"from\":\"gpt\",\"value\":[{\"type\":\"image_url\"}]}"), "text alone is learned", NULL, NULL},
    {"{\"prompt\":\"a\",\"completion\":\"b\",\"input\":\"c\"}", "'input' beside the keys of prompt", NULL, NULL},
    {"{\"conversations\":[]}", "has no conversations", NULL, NULL},
    {"{\"conversations\":\"a\"}", "conversations is not a list", NULL, NULL},
    {TURNS("{\"from\":\"bard\",\"value\":\"a\"}"), "message 1: is from 'bard'", NULL, NULL},
    {TURNS("{\"from\":\"gpt\\u0000\",\"value\":\"a\"}"), "message 1: is from 'gpt", NULL, NULL},
    {TURNS("{\"value\":\"a\"}"), "message 1: has no from", NULL, NULL},
    {TURNS("{\"from\":\"gpt\"}"), "message 1: has no content", NULL, NULL},
    {TURNS("{\"from\":\"gpt\",\"value\":\"a\",\"content\":\"b\"}"), "both value and content", NULL, NULL},
    {TURNS("{\"from\":\"gpt\",\"role\":\"user\",\"content\":\"b\"}"), "the key 'from'", NULL, NULL},
    {TURNS("{\"from\":\"gpt\",\"value\":\"b\",\"mood\":1}"), "message 1: the key 'mood'", NULL, NULL},
    {TURNS("7"), "message 1: is not an object", NULL, NULL},
    {"{\"prompt\":\"a\",\"q\":\"c\",\"completion\":\"b\"}", "has 'prompt' twice", "prompt=q", NULL},
    {"{\"a\":\"b\"}", "columns: 'prompt' is not KEY=NAME", "prompt", NULL},
    {"{\"a\":\"b\"}", "columns: 'prompt=' is not KEY=NAME", "prompt=", NULL},
    {"{\"a\":\"b\"}", "columns: 'id' is no key of rows", "id=a", NULL},
    {"{\"a\":\"b\"}", "columns: 'a' stands twice", "prompt=a,completion=a", NULL},
    {"{\"a\":\"b\"}", "columns beside prompt_template", "text=a", "{{ a }}"},
    {"{\"a\":\"b\"}", "t.jinja: holds no template", NULL, " \n"},
    {"{\"a\":\"b\"}", "t.jinja: line 2: ", NULL, "{{ a }}\n{% if %}"},
    {"{\"a\":\"b\"}", "t.jinja: line 2: 'c' is not defined", NULL, "{{ a }}\n{{ c }}"},
    {"{\"a\":{\"b\":1}}", "t.jinja: line 1: 'c' is not defined", NULL, "{{ a.c }}"},
    {"{\"a\":\"b\"}", "'c' is not defined", NULL, "{{ a ~ c }}"},
    {"{\"a\":\"b\"}", "'c' is not defined", NULL, "{{ a }}{{ c|trim }}"},
    {"{\"a\":\"b\"}", "'c' is not defined", NULL, "{{ a }}{% for x in c %}{% endfor %}"},
    {"{\"a\":\"b\"}", "'c' is not defined", NULL, "{% if a == c %}{% endif %}"},
    {"{\"a\":\"b\"}", "'c' is not defined", NULL, "{% set x = c %}{{ a }}"},
    {"{\"a\":\"b\"}\n{\"a\":null}", "t.jinja: line 3: 'a' is null", NULL, "\n\n{{ a }}"},
    {"{\"a\":null}", "the text None", NULL, "{{ a|trim }}"},
    {"{\"a\":\"b\",\"c\":1}", "line 1: the key 'c': the prompt template says nothing of it", NULL, "{{ a }}"},
    {"{\"a\":\"b\"}", "'frob' is not known", NULL, "{{ a|frob }}"},
    {"{\"a\":\"b\"}", "strftime_now", NULL, "{{ a }}{{ strftime_now('%Y') }}"},
    {"{\"a\":\"b\"}", "must reach the end", NULL, "{% generation %}{{ a }} {{ a }}{% endgeneration %} {{ a }}"},
    {"{\"a\":\"b\"}", "within another one", NULL,
     "{% generation %}{% generation %}{{ a }}{% endgeneration %}.{% endgeneration %}"},
    {"[[\"a\"]]", "a row for a prompt template is an object", NULL, "{{ a }}"},
};

/* Rows under a name that says text. */
static const char *const named_text[] = {"[\n  {\"instruction\": \"a\",\n   \"output\": \"b\"}\n]\n",
                                         "{\"speaker\":\"a\"}\n{\"speaker\":\"b\"\n", "[]"};

static char folder[64];

static ib_samples *opened(ib_tokenizer *t, const char *file, const char *text, const char *columns,
                          const char *template)
{
    char path[128], other[128];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(other, sizeof other, "%s/t.jinja", folder);
    REQUIRE(!ib_file_replace(path, text, strlen(text)));
    REQUIRE(!template || !ib_file_replace(other, template, strlen(template)));
    return ib_samples_open(
        path, t, &(ib_samples_opts){.no_pack = 1, .columns = columns, .prompt_template = template ? other : NULL});
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
        ib_samples *s = opened(t, "a.json", good[c].text, good[c].columns, good[c].template);
        ib_samples *same = opened(t, "b.json", good[c].same, NULL, NULL);
        if (!s || !same)
            printf("\n    %zu: %s", c, ib_error());
        REQUIRE(s && same);
        const ib_samples_info i = ib_samples_info_of(s), j = ib_samples_info_of(same);
        CHECK_INT(i.rows, j.rows);
        CHECK_INT(i.templated, good[c].template ? i.samples : 0);
        CHECK_INT(i.template_marks, good[c].template && strstr(good[c].template, "generation") != NULL);
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
                           NULL, NULL);
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
        ib_samples *s = opened(t, "a.json", bad[c].text, bad[c].columns, bad[c].template);
        if (s || !strstr(ib_error(), bad[c].says))
            printf("\n    %zu: %s ", c, s ? "read" : ib_error());
        CHECK_ERROR(s == NULL, bad[c].says);
        ib_samples_free(s);
    }
    for (size_t c = 0; c < 6; c++)
        CHECK_ERROR(opened(t, c < 3 ? "a.txt" : "rows", named_text[c % 3], NULL, NULL) == NULL, "holds rows of JSON");
    CHECK_ERROR(opened(t, "a.txt", "a", NULL, "{{ a }}") == NULL, "is running text");
    char text[2000] = "{\"x";
    for (int i = 0; i < 400; i++)
        strcat(text, "\xc3\xa4");
    strcat(text, "\":1}");
    CHECK_ERROR(opened(t, "long.json", text, NULL, NULL) == NULL, "\xc3\xa4...: --columns");
    ib_tokenizer_free(t);
}

/* What --seq cuts, of 40 samples: two are longer, an answer goes wholly, another one in part; one has none. */
static void what_is_cut_is_counted(void)
{
    ib_tokenizer *t = begun();
    char path[128], text[2000] = "{\"prompt\":\"a b c d e f g h i j k l\",\"completion\":\"b\"}"
                                 "{\"prompt\":\"a\",\"completion\":\"b c d e f g h i j k l m n o\"}"
                                 "{\"messages\":[" ASKED("a") "]}";
    for (int i = 3; i < 40; i++)
        strcat(text, "{\"text\":\"a b\"}");
    snprintf(path, sizeof path, "%s/cut.jsonl", folder);
    REQUIRE(!ib_file_replace(path, text, strlen(text)));
    ib_samples *all = ib_samples_open(path, t, &(ib_samples_opts){.no_pack = 1});
    ib_samples *s = ib_samples_open(path, t, &(ib_samples_opts){.no_pack = 1, .seq = 10});
    REQUIRE(all && s);
    const ib_samples_info whole = ib_samples_info_of(all), cut = ib_samples_info_of(s);
    CHECK_INT(whole.truncated + whole.cut_short + whole.cut_away, 0);
    CHECK_INT(whole.skipped, 1);
    CHECK_INT(whole.longest, ib_samples_row(all, 1).n);
    CHECK_INT(cut.longest, whole.longest);
    CHECK_INT(cut.length95, whole.length95);
    CHECK(cut.length95 < cut.longest && cut.length95 >= ib_samples_row(all, 2).n);
    CHECK_INT(cut.samples, 40);
    CHECK_INT(cut.truncated, 2);
    CHECK_INT(cut.cut_short, 1);
    CHECK_INT(cut.cut_away, 1);
    CHECK_INT(cut.skipped, 2);
    ib_samples_free(all);
    ib_samples_free(s);
    ib_tokenizer_free(t);
}

SUITE("row_kinds", T(each_kind_is_its_turns), T(mixed_rows_are_read_each_by_its_keys), T(what_is_no_row_is_refused),
      T(what_is_cut_is_counted))
