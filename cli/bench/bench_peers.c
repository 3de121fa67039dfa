/* bench_peers.c - isobit bench --peers: runs bench_peers.py and reads what it measured. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench.h"

extern const unsigned char ib_embedded_bench_peers[];
extern const unsigned long ib_embedded_bench_peers_size;

struct json_object *bench_peers(const bench *b)
{
    char path[] = "/tmp/isobit-peers-XXXXXX", repeats[24], threads[24];
    const char *own = getenv("ISOBIT_PYTHON"), *python = b->python ? b->python : own ? own : "python3";
    const int fd = mkstemp(path);
    if (fd < 0 ||
        write(fd, ib_embedded_bench_peers, ib_embedded_bench_peers_size) != (ssize_t)ib_embedded_bench_peers_size) {
        fprintf(stderr, "isobit: %s: cannot be written\n", path);
        return NULL;
    }
    close(fd);
    snprintf(repeats, sizeof repeats, "%lld", (long long)b->repeats);
    snprintf(threads, sizeof threads, "%d", ib_threads());
    char *const argv[] = {(char *)python, path, repeats, "1", ib_threads() > 1 ? threads : NULL, NULL};
    int status;
    working_start("run", "PyTorch and ONNX Runtime");
    char *text = bench_output(argv, &status);
    working_end();
    unlink(path);
    struct json_object *j = text ? json_tokener_parse(text) : NULL;
    free(text);
    if (!j)
        fprintf(stderr,
                "isobit: --peers: %s has no PyTorch (torch, onnx, onnxruntime: pip installs them), so there is nothing "
                "to compare with\n",
                python);
    return j;
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
