/* bench_peers.c - isobit bench --peers: runs bench_peers.py or bench_language_peers.py and reads what it measured. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench.h"

#define SCRIPT(name)                                                                                                   \
    extern const unsigned char ib_embedded_##name[];                                                                   \
    extern const unsigned long ib_embedded_##name##_size;
SCRIPT(bench_peers)
SCRIPT(bench_language_peers)

enum { MOST_WORDS = 8 };

/* A script and the words behind its name. */
typedef struct script {
    const unsigned char *text;
    unsigned long size;
    const char *what, *lacks; /* for whoever waits; where it printed nothing */
    char word[MOST_WORDS][24];
    const char *file; /* stands behind the second word, or NULL */
} script;

static struct json_object *run_script(const bench *b, script *s)
{
    char path[] = "/tmp/isobit-peers-XXXXXX", *argv[MOST_WORDS + 4];
    const char *own = getenv("ISOBIT_PYTHON"), *python = b->python ? b->python : own ? own : "python3";
    int n = 0, status;
    const int fd = mkstemp(path);
    if (fd < 0 || write(fd, s->text, s->size) != (ssize_t)s->size) {
        fprintf(stderr, "isobit: %s: cannot be written\n", path);
        return NULL;
    }
    close(fd);
    argv[n++] = (char *)python;
    argv[n++] = path;
    for (int i = 0; i < MOST_WORDS && *s->word[i]; i++) {
        argv[n++] = s->word[i];
        if (i == 1 && s->file)
            argv[n++] = (char *)s->file;
    }
    argv[n] = NULL;
    working_start("run", s->what);
    char *text = bench_output(argv, &status);
    working_end();
    unlink(path);
    struct json_object *j = text ? json_tokener_parse(text) : NULL;
    free(text);
    if (!j)
        fprintf(stderr, "isobit: --peers: %s %s, so there is nothing to compare with\n", python, s->lacks);
    return j;
}

static void say(script *s, int word, int64_t number)
{
    snprintf(s->word[word], sizeof s->word[word], "%lld", (long long)number);
}

struct json_object *bench_peers(const bench *b)
{
    script s = {.text = ib_embedded_bench_peers,
                .size = ib_embedded_bench_peers_size,
                .what = "PyTorch and ONNX Runtime",
                .lacks = "has no PyTorch (torch, onnx, onnxruntime: pip installs them)"};
    say(&s, 0, b->repeats);
    say(&s, 1, 1);
    if (ib_threads() > 1)
        say(&s, 2, ib_threads());
    return run_script(b, &s);
}

struct json_object *bench_language_peers(const bench *b, const bench_lengths *l)
{
    script s = {.text = ib_embedded_bench_language_peers,
                .size = ib_embedded_bench_language_peers_size,
                .what = "transformers and PEFT",
                .lacks = "has no torch, transformers and peft (pip installs them) that open this model",
                .file = b->model_file};
    const int64_t words[] = {b->repeats, ib_threads(), l->tokens, l->behind, l->generated};
    for (int i = 0; i < 5; i++)
        say(&s, i, words[i]);
    return run_script(b, &s);
}

struct json_object *bench_peer_row(struct json_object *peers, const char *table, const char *model, int threads,
                                   int64_t batch)
{
    struct json_object *rows = NULL, *v;
    if (!peers || !json_object_object_get_ex(peers, table, &rows))
        return NULL;
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *r = json_object_array_get_idx(rows, i);
        if (json_object_object_get_ex(r, "model", &v) && !strcmp(json_object_get_string(v), model) &&
            (!threads || (json_object_object_get_ex(r, "threads", &v) && json_object_get_int(v) == threads)) &&
            (!batch || (json_object_object_get_ex(r, "batch", &v) && json_object_get_int64(v) == batch)))
            return r;
    }
    return NULL;
}

double bench_number(struct json_object *row, const char *key)
{
    struct json_object *v;
    return row && json_object_object_get_ex(row, key, &v) ? json_object_get_double(v) : NAN;
}

static const char *text_of(struct json_object *row, const char *key)
{
    struct json_object *v;
    return json_object_object_get_ex(row, key, &v) ? json_object_get_string(v) : "";
}

void bench_print_peers(bench *b, struct json_object *peers)
{
    struct json_object *steps;
    FILE *out = report_stream(&b->common);
    if (!json_object_object_get_ex(b->report, "steps", &steps))
        return;
    bench_part(b);
    fprintf(out, "training step beside PyTorch (ms)\n");
    bench_put_device(b, "device");
    fprintf(out, "%-8s %10s %10s %10s %10s %12s %12s\n", "model", "float", "PyTorch", "qat", "PyTorch", "float ratio",
            "qat ratio");
    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        struct json_object *r = json_object_array_get_idx(steps, i),
                           *p = bench_peer_row(peers, "steps", text_of(r, "model"), 0, 0);
        if (!p)
            continue;
        const double f = bench_number(r, "float_ms"), q = bench_number(r, "qat_ms"),
                     peer_f = bench_number(p, "float_ms"), peer_q = bench_number(p, "qat_ms");
        bench_put_device(b, text_of(r, "device"));
        fprintf(out, "%-8s %10.2f %10.2f %10.2f %10.2f %12.2f %12.2f\n", text_of(r, "model"), f, peer_f, q, peer_q,
                peer_f / f, peer_q / q);
    }
}
