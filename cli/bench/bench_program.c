/* bench_program.c - isobit bench: what another program prints. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/bench/bench.h"

enum { NOT_FOUND = 127 };

static void become(char *const *argv, int to)
{
    const int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDERR_FILENO);
    dup2(to, STDOUT_FILENO);
    execvp(argv[0], argv);
    _exit(NOT_FOUND);
}

char *bench_output(char *const *argv, int *status)
{
    int ends[2], ended = 0;
    char *text = NULL;
    size_t n = 0, room = 0;
    *status = NOT_FOUND;
    if (pipe(ends))
        return NULL;
    const pid_t child = fork();
    if (!child)
        become(argv, ends[1]);
    close(ends[1]);
    for (ssize_t got = 1; child > 0 && got > 0; n += (size_t)(got > 0 ? got : 0)) {
        if (n + 4096 > room) {
            char *more = realloc(text, room = 2 * room + 8192);
            if (!more)
                break;
            text = more;
        }
        got = read(ends[0], text + n, room - n - 1);
    }
    close(ends[0]);
    if (child > 0 && waitpid(child, &ended, 0) == child)
        *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
    if (text)
        text[n] = 0;
    if (*status) {
        free(text);
        return NULL;
    }
    return text;
}
