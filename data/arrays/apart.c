/* apart.c - a reader of files in a process of its own, from which the data set comes through a pipe: a library that a
 * damaged file makes crash, hang or ask for all memory then is an error of that file, and of nothing else. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/dataset.h"
#include "files/file.h"

/* What the reader says first: then x, y and targets, or a message. */
typedef struct header {
    int64_t n;
    int c, h, w, classes, raw_max, labelled, n_targets, status; /* IB_OK, or n bytes of message */
} header;

/* Memory beyond what the process has: what the file can hold at the best compression that HDF5 knows (deflate, 1032 to
 * 1) as fp32, and a quarter of a gigabyte. */
static void limit_memory(const char *path)
{
    struct stat file;
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return;
    if (fscanf(f, "%ld", &pages) == 1 && pages > 0 && !stat(path, &file)) {
        const double most =
            (double)pages * (double)sysconf(_SC_PAGESIZE) + 5.0 * 1032 * (double)file.st_size + (1 << 28);
        if (most < 1e18)
            setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)most, (rlim_t)most});
    }
    fclose(f);
}

/* The other process: no core files, no handlers of its parent, a minute of processor time. */
static _Noreturn void work(int to, ib_data_reader *read_file, const char *path, ib_split split,
                           const ib_input_info *net, ib_task task)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_CPU, &(struct rlimit){60, 60});
    limit_memory(path);
    const ib_dataset *d = read_file(path, split, net, task);
    const char *message = ib_error();
    const header h = d ? (header){d->n, d->c, d->h, d->w, d->classes, d->raw_max, d->y != NULL, d->n_targets, IB_OK}
                       : (header){.n = (int64_t)strlen(message), .status = (int)ib_error_status()};
    int sent = ib_fd_write(to, &h, sizeof h);
    if (d)
        sent = sent && ib_fd_write(to, d->x, (size_t)(d->n * d->c * d->h * d->w) * sizeof *d->x) &&
               (!d->y || ib_fd_write(to, d->y, (size_t)d->n * sizeof *d->y)) &&
               (!d->targets || ib_fd_write(to, d->targets, (size_t)(d->n * d->n_targets) * sizeof *d->targets));
    else
        sent = sent && ib_fd_write(to, message, (size_t)h.n);
    _exit(!sent);
}

static ib_dataset *receive(int from, const char *path, int *told)
{
    header h;
    char message[512] = ""; /* error.c */
    if (!ib_fd_read(from, &h, sizeof h))
        return NULL;
    if (h.status) {
        *told = h.n >= 0 && h.n < (int64_t)sizeof message && ib_fd_read(from, message, (size_t)h.n);
        if (*told)
            ib_fail((ib_status)h.status, "%s", message);
        return NULL;
    }
    ib_dataset *d = ib_dataset_reserve(path, h.n, h.c, h.h, h.w, h.raw_max, h.labelled != 0);
    if (d && h.n_targets > 0 && h.n_targets <= 65536 && ib_dataset_reserve_targets(d, h.n_targets)) {
        ib_dataset_free(d);
        d = NULL;
    }
    *told = !d;
    if (d && h.classes > 0 && h.classes <= 65536)
        d->classes = h.classes; /* of the whole file */
    if (d && (!ib_fd_read(from, d->x, (size_t)(d->n * d->c * d->h * d->w) * sizeof *d->x) ||
              (d->y && !ib_fd_read(from, d->y, (size_t)d->n * sizeof *d->y)) ||
              (d->targets && !ib_fd_read(from, d->targets, (size_t)(d->n * d->n_targets) * sizeof *d->targets)))) {
        ib_dataset_free(d);
        d = NULL;
    }
    return d;
}

ib_dataset *ib_dataset_apart(ib_data_reader *read_file, const char *path, ib_split split, const ib_input_info *net,
                             ib_task task)
{
    int ends[2], state = 0, told = 0;
    if (pipe(ends))
        return ib_fail_null(IB_EIO, "%s: no pipe: %s", path, strerror(errno));
    fflush(NULL); /* or both would write what waits */
    const pid_t child = fork();
    if (!child)
        work(ends[1], read_file, path, split, net, task);
    close(ends[1]);
    ib_dataset *d = child < 0 ? NULL : receive(ends[0], path, &told);
    close(ends[0]);
    while (child > 0 && waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    if (child < 0)
        return ib_fail_null(IB_EIO, "%s: no process: %s", path, strerror(errno));
    if (!d && !told && WIFSIGNALED(state))
        return ib_fail_null(IB_EFORMAT, "%s: is damaged: reading it ended with signal %d", path, WTERMSIG(state));
    if (!d && !told)
        return ib_fail_null(IB_EFORMAT, "%s: is damaged: reading it ended with status %d", path,
                            WIFEXITED(state) ? WEXITSTATUS(state) : -1);
    return d ? ib_dataset_finish(path, d) : NULL;
}
