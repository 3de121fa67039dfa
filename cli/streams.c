/* streams.c - standard input, output and error: three files from the beginning on, and a word when output was lost. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* A pipe whose reader has gone, as `isobit inspect m.h5 | head` makes one: nobody wants the rest. */
static int is_forsaken(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

/* Ends the command with a line if it is not the reader who has left. */
static void give_up_unless_forsaken(void)
{
    const char *why = errno ? strerror(errno) : "";
    if (is_forsaken(STDOUT_FILENO))
        return;
    fprintf(stderr, "isobit: standard output cannot be written%s%s\n", *why ? ": " : "", why);
    _exit(1);
}

static void settle(void)
{
    errno = 0;
    if (fflush(stdout) || ferror(stdout) || fclose(stdout)) /* a file server may tell only now */
        give_up_unless_forsaken();
}

void flush_or_end(FILE *stream)
{
    errno = 0;
    if ((!fflush(stream) && !ferror(stream)) || stream != stdout)
        return;
    give_up_unless_forsaken();
    exit(0);
}

void guard_streams(void)
{
    /* One that is closed would else be the number of the first file that is opened, and that file receive what is
     * printed. Output meets a file that takes none. */
    static const int how[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", how[fd]) != fd)
            _exit(1);
    atexit(settle);
}
