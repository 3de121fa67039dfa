/* test_rows.c - training data of every odd kind: each file with the tokens that it becomes (learned ones in braces,
 * rows parted by /) or the line that refuses it. Broken by: a key that is ignored, text that is cut, JSON that is
 * guessed at, a special token that is spelled out, a file taken for another kind. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MODEL IB_TEST_SOURCE "/golden/models/chat"

typedef struct row_case {
    const char *file, *text;
    size_t n;         /* bytes of text */
    const char *want; /* tokens, or part of the line */
    ib_samples_opts o;
} row_case;
#define BYTES(text) text, sizeof text - 1
#define Q "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"
#define ASK "{\"role\":\"user\",\"content\":\"a\"}"
#define SAY "{\"role\":\"assistant\",\"content\":\"b\"}"
#define TALK "{\"messages\":[" ASK "," SAY "]}"
#define SAID Q "{b<|im_end|>}\n"

static const row_case good[] = {
    {"a.jsonl", BYTES(TALK "\n"), SAID},
    {"a.jsonl", BYTES(TALK), SAID},
    {"a.jsonl", BYTES("\xef\xbb\xbf" TALK "\r\n\r\n" TALK "\r\n"), SAID "/" SAID},
    {"a.JSONL", BYTES(TALK), SAID},
    {"a.ndjson", BYTES(TALK), SAID},
    {"a.jsonl", BYTES(TALK TALK), SAID "/" SAID},
    {"a.json", BYTES("[" TALK ",\n " TALK "]"), SAID "/" SAID},
    {"a.json", BYTES("{\n  \"messages\": [\n    " ASK ",\n    " SAY "\n  ]\n}\n"), SAID},
    {"a.jsonl", BYTES("[" ASK "," SAY "]"), SAID},
    {"a.jsonl", BYTES("[[" ASK "," SAY "],[" ASK "," SAY "]]"), SAID "/" SAID},
    {"a.jsonl",
     BYTES("{\"messages\":[" ASK ",{\"role\":\"assistant\",\"content\":\"c\",\"weight\":0}," ASK "," SAY "]}"),
     Q "c<|im_end|>\n" SAID},
    {"a.jsonl",
     BYTES("{\"messages\":[" ASK ",{\"role\":\"assistant\",\"content\":\"c\",\"weight\":0}," ASK
           ",{\"role\":\"assistant\",\"content\":\"b\",\"weight\":1.0}]}"),
     "<|im_start|>{user\na<|im_end|>\n<|im_start|>assistant\n}c<|im_end|>{\n" Q "b<|im_end|>\n}",
     {.train_on_prompts = 1}},
    {"a.jsonl",
     BYTES("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"he\"},{\"type\":\"text\","
           "\"text\":\"y\"}]}," SAY "]}"),
     "<|im_start|>user\nhey<|im_end|>\n<|im_start|>assistant\n{b<|im_end|>}\n"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK "," SAY "],\"tools\":[],\"tool_calls\":null,\"id\":7,\"source\":\"x\"}"),
     SAID},
    {"a.jsonl", BYTES("{\"messages\":[" ASK "," SAY "],\"score\":0.5,\"tools\":[1]}"), SAID, {.ignore = "score,tools"}},
    {"a.jsonl", BYTES("{\"text\":\"x\",\"messages\":[" ASK "," SAY "]}"), SAID, {.ignore = "text"}},
    {"a.jsonl", BYTES("{\"text\":\"a\\u0000b\"}"), "a{\\0b<|im_end|>}"},
    {"a.jsonl",
     BYTES("{\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0000a\"},{\"role\":\"assistant\",\"content\":\" "
           "\\u0000b\"}]}"),
     "<|im_start|>user\na\\0a<|im_end|>\n<|im_start|>assistant\n{ \\0b<|im_end|>}\n"},
    {"a.jsonl", BYTES("{\"text\":\"\\ud83c\\udf89\"}"), "\xf0{\x9f\x8e\x89<|im_end|>}"},
    {"a.jsonl", BYTES("{\"text\":\"<|im_start|>user\\nHi<|im_end|>\"}"), "<|im_start|>{user\nHi<|im_end|>}"},
    {"a.jsonl",
     BYTES("{\"text\":\"<|im_start|>user\\nHi<|im_end|>\"}"),
     "<{|im_start|>user\nHi<|im_end|><|im_end|>}",
     {.literal = 1}},
    {"a.jsonl", BYTES("{\"prompt\":\"<|im_start|>user\",\"completion\":\"b<|im_end|>\"}"),
     "<|im_start|>user{b<|im_end|>}"},
    {"a.jsonl", BYTES("{\"prompt\":\"a\",\"completion\":\"b\"}"), "a{b<|im_end|>}"},
    {"a.txt",
     BYTES("\xef\xbb\xbf"
           "ab"),
     "a{b}"},
    {"a.txt", BYTES("a\0b"), "a{\\0b}"},
    {"a.txt", BYTES("a<|im_end|>"), "a{<|im_end|>}"},
    {"a.c", BYTES("{ x"), "{{ x}"},
};

static const row_case bad[] = {
    {"a.jsonl", BYTES(""), "a.jsonl: holds no data"},
    {"a.jsonl", BYTES("\n \r\n\t"), "a.jsonl: holds no data"},
    {"a.jsonl", BYTES(TALK "\n{\"messages\":[" ASK "," SAY "],}\n"),
     "line 2: is not JSON: byte 79: a comma with nothing behind it"},
    {"a.jsonl", BYTES("{'text': 'a'}"), "line 1: is not JSON: byte 2: ''' where a key should stand"},
    {"a.jsonl", BYTES("{\"text\": \"a\" // why\n}"), "'/' where ',' or '}' should stand"},
    {"a.jsonl", BYTES("{\"text\": \"a\"}\n{\"text\": \"b"), "line 2: is not JSON: byte 12: it ends within a text"},
    {"a.jsonl", BYTES("{\"text\": \"a\", \"x\": NaN}"), "NaN is no number of JSON"},
    {"a.jsonl", BYTES("{\"text\": \"a\", \"id\": -Infinity}"), "-Infinity is no number of JSON"},
    {"a.jsonl", BYTES("{\"text\": \"a\", \"id\": 1e999}"), "1e999 is beyond the range"},
    {"a.jsonl", BYTES("{\"text\": \"a\", \"id\": 01}"), "a number that begins with 0"},
    {"a.jsonl", BYTES("{\"text\": \"a\", \"text\": \"b\"}"), "the key 'text' stands twice"},
    {"a.jsonl", BYTES("{\"text\": \"a\", \"te\\u0078t\": \"b\"}"), "stands twice"},
    {"a.jsonl", BYTES("{\"text\": \"\\ud83c\"}"), "\\uD83C is half of a surrogate pair"},
    {"a.jsonl", BYTES("{\"text\": \"\\udf89\\ud83c\"}"), "\\uDF89 is half of a surrogate pair"},
    {"a.jsonl", BYTES("{\"text\": \"a\\x\"}"), "a backslash with nothing that it may stand before"},
    {"a.jsonl", BYTES("{\"text\": \"a\tb\"}"), "a bare byte 0x09 in a text"},
    {"a.jsonl", BYTES("{\"text\": \"a\xff\"}"), "a.jsonl: the text is not UTF-8: byte 11 is 0xFF"},
    {"a.jsonl", BYTES("{\"te\\u0000xt\": \"a\"}"), "U+0000 in a key"},
    {"a.jsonl", BYTES("{\"id\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
     "more than 64 levels"},
    {"a.jsonl", BYTES("\"text\""), "line 1: a row is an object or a list of messages"},
    {"a.jsonl", BYTES("null"), "line 1: a row is an object or a list of messages"},
    {"a.jsonl", BYTES("[\"a\"]"), "line 1: a row is an object or a list of messages"},
    {"a.jsonl", BYTES("{}"), "line 1: has neither messages"},
    {"a.jsonl", BYTES("{\"prompt\": \"a\"}"), "has neither messages"},
    {"a.jsonl", BYTES("{\"text\": \"a\", \"prompt\": \"a\", \"completion\": \"b\"}"), "more than one of"},
    {"a.jsonl", BYTES("{\"text\": 5}"), "text is not text"},
    {"a.jsonl", BYTES("{\"prompt\": [" ASK "], \"completion\": [" SAY "]}"),
     "prompt is not text; conversations go into messages"},
    {"a.jsonl", BYTES(TALK "\n{\"messages\":[" ASK "," SAY "],\"shuffle\":1}"), "line 2: the key 'shuffle' is unknown"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK "," SAY "],\"tools\":[{}]}"), "line 1: the key 'tools'"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK "," SAY "],\"chat_template_kwargs\":{\"a\":1}}"),
     "the key 'chat_template_kwargs'"},
    {"a.jsonl", BYTES("{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}"), "the key 'chosen'"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":1}]}]}"),
     "line 1: message 2: the key 'tool_calls'"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK ",{\"role\":\"assistant\",\"content\":null}]}"),
     "message 2: has no content"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK ",{\"role\":\"assistant\",\"content\":\"b\",\"weight\":0.5}]}"),
     "has the weight 0.5"},
    {"a.jsonl", BYTES("{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"weight\":1}," SAY "]}"),
     "has the weight 1 as user"},
    {"a.jsonl", BYTES("{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":\"Bo\"}," SAY "]}"),
     "message 1: the key 'name'"},
    {"a.jsonl", BYTES("{\"messages\":[{\"role\":\"oracle\",\"content\":\"a\"}," SAY "]}"),
     "message 1 has the role 'oracle'"},
    {"a.jsonl",
     BYTES("{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}," SAY "]}"),
     "message 1 has the role 'tool'; system, user and assistant are possible",
     {.chat = "llama3"}},
    {"a.jsonl", BYTES("{\"text\":\"a\",\"tools\":[{}]}"), "line 1: the key 'tools' goes with messages"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK "],\"tools\":{\"a\":1}}"), "line 1: tools is not a list"},
    {"a.jsonl", BYTES("{\"messages\":[" ASK "],\"chat_template_kwargs\":{\"messages\":1}}"),
     "chat_template_kwargs has 'messages'"},
    {"a.jsonl", BYTES("{\"messages\":[{\"role\":\"user\\u0000x\",\"content\":\"a\"}]}"), "U+0000 in its role"},
    {"a.jsonl",
     BYTES("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]}]}"),
     "message 1: the key 'image_url'"},
    {"a.jsonl", BYTES("{\"messages\":[\"a\"]}"), "message 1: is not an object"},
    {"a.jsonl", BYTES("{\"messages\":\"a\"}"), "messages is not a list"},
    {"a.csv", BYTES("text\na\n"), "a.csv: tables, documents and markup are not read"},
    {"a.parquet", BYTES("PAR1"), "a.parquet: tables, documents and markup are not read"},
    {"a.txt",
     BYTES("\xff\xfe"
           "a\0b\0"),
     "a.txt: is UTF-16: save it as UTF-8"},
    {"a.txt", BYTES("a\0b\0c\0d\0e\0"), "a.txt: is UTF-16: save it as UTF-8"},
    {"a.jsonl", BYTES("\xfe\xff\0{\0}"), "a.jsonl: is UTF-16"},
    {"a.txt", BYTES(TALK "\n"), "a.txt: holds rows of JSON but is named as running text"},
    {"a.jsonl.gz", BYTES(TALK), "a.jsonl.gz: is named .gz and is not gzip"},
    {"a.jsonl.gz", BYTES("\x1f\x8b\x08\0\0\0\0\0\0\3\1"), "gzip"},
};

static char folder[64];

static const char *written(const row_case *c)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, c->file);
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(c->text, 1, c->n, f) == c->n);
    fclose(f);
    return path;
}

/* Tokens of all rows as text. */
static void shown(ib_tokenizer *t, ib_samples *s, char *out, size_t size)
{
    const ib_samples_info i = ib_samples_info_of(s);
    size_t n = 0;
    for (int64_t r = 0; r < i.rows; r++) {
        const ib_row row = ib_samples_row(s, r);
        int open = 0;
        if (r)
            n += (size_t)snprintf(out + n, size - n, "/");
        for (int64_t j = 0; j < row.n; j++) {
            size_t bytes;
            const char *text = ib_token_bytes(t, row.ids[j], &bytes);
            const int learned = j && row.pos[j] && row.target[j - 1] >= 0;
            CHECK(!learned || row.target[j - 1] == row.ids[j]);
            n += (size_t)snprintf(out + n, size - n, "%s%s",
                                  learned == open ? ""
                                  : learned       ? "{"
                                                  : "}",
                                  bytes == 1 && !*text ? "\\0" : text);
            open = learned;
        }
        n += (size_t)snprintf(out + n, size - n, "%s", open ? "}" : "");
    }
}

static void odd_rows_are_read_or_refused(void)
{
    ib_tokenizer *t = ib_tokenizer_open(MODEL);
    snprintf(folder, sizeof folder, "/tmp/isobit-test-rows-%ld", (long)getpid());
    mkdir(folder, 0777);
    REQUIRE(t != NULL);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ib_samples_opts o = good[i].o;
        char text[2000] = "";
        o.no_pack = 1;
        ib_samples *s = ib_samples_open(written(&good[i]), t, &o);
        if (s)
            shown(t, s, text, sizeof text);
        if (strcmp(text, good[i].want))
            printf("\n    %s %zu: '%s' %s, not\n    '%s'\n", good[i].file, i, text, s ? "" : ib_error(), good[i].want);
        CHECK(!strcmp(text, good[i].want));
        ib_samples_free(s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ib_samples *s = ib_samples_open(written(&bad[i]), t, &bad[i].o);
        if (s)
            printf("\n    %s %zu ", bad[i].file, i);
        CHECK_ERROR(s == NULL, bad[i].want);
        CHECK_ERROR(s == NULL, bad[i].file);
        ib_samples_free(s);
    }
    ib_tokenizer_free(t);
}

/* gzip, also of several members; cut at every byte it is refused. */
static void gzip_is_read_whole(void)
{
    ib_tokenizer *t = ib_tokenizer_open(MODEL);
    char path[128], cut[128], text[2000] = "";
    snprintf(path, sizeof path, "%s/a.jsonl.gz", folder);
    snprintf(cut, sizeof cut, "%s/cut.jsonl.gz", folder);
    for (int member = 0; member < 2; member++) {
        gzFile z = gzopen(path, member ? "ab" : "wb");
        REQUIRE(z && gzputs(z, TALK "\n") > 0);
        gzclose(z);
    }
    ib_samples *s = ib_samples_open(path, t, &(ib_samples_opts){.no_pack = 1});
    REQUIRE(s != NULL);
    shown(t, s, text, sizeof text);
    CHECK(!strcmp(text, SAID "/" SAID));
    ib_samples_free(s);
    size_t n;
    unsigned char *bytes = ib_file_read(path, &n);
    for (size_t i = 2; i < n; i++)
        if (i != n / 2) { /* where the first member ends, the file is whole */
            REQUIRE(!ib_file_replace(cut, bytes, i));
            CHECK_ERROR(ib_samples_open(cut, t, &(ib_samples_opts){0}) == NULL, "cut.jsonl.gz");
        }
    ib_free(bytes);
    ib_tokenizer_free(t);
}

SUITE("rows", T(odd_rows_are_read_or_refused), T(gzip_is_read_whole))
