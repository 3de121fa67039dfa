/* bench_peers.c - isobit bench --peers: runs bench_peers.py and reads what it measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench.h"

extern const unsigned char ib_embedded_bench_peers[];
extern const unsigned long ib_embedded_bench_peers_size;

struct json_object *bench_peers(const char *python, int64_t repeats, int threads)
{
    char path[] = "/tmp/isobit-peers-XXXXXX", command[400], *text = NULL;
    size_t n = 0, room = 0;
    if (!python)
        python = getenv("ISOBIT_PYTHON") ? getenv("ISOBIT_PYTHON") : "python3";
    const int fd = mkstemp(path);
    if (fd < 0 ||
        write(fd, ib_embedded_bench_peers, ib_embedded_bench_peers_size) != (ssize_t)ib_embedded_bench_peers_size) {
        fprintf(stderr, "isobit: %s: cannot be written\n", path);
        return NULL;
    }
    close(fd);
    snprintf(command, sizeof command, threads > 1 ? "'%s' '%s' %lld 1 %d 2>/dev/null" : "'%s' '%s' %lld 1 2>/dev/null",
             python, path, (long long)repeats, threads);
    FILE *f = popen(command, "r");
    for (size_t got = 1; f && got; n += got) {
        if (n + 4096 > room && !(text = realloc(text, room = 2 * room + 8192)))
            break;
        got = fread(text + n, 1, room - n - 1, f);
    }
    const int status = f ? pclose(f) : 1;
    unlink(path);
    if (text)
        text[n] = 0;
    struct json_object *j = text && !status ? json_tokener_parse(text) : NULL;
    free(text);
    if (!j)
        fprintf(stderr,
                "isobit: --peers: %s has no PyTorch (torch, onnx, onnxruntime: pip installs them), so there is nothing "
                "to compare with\n",
                python);
    return j;
}
