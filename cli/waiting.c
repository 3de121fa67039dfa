/* waiting.c - threads that wait for others leave their core to whoever has work.
 *
 * OpenMP's own let them spin for milliseconds, which serves a machine that does nothing else, and makes a training many
 * times slower where others compute too: the thread that is waited for gets no core. GCC's runtime reads
 * OMP_WAIT_POLICY while it is loaded, before main(), and has no call for it, so the command starts itself once more,
 * in the same process, with it set. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const char policy[] = "OMP_WAIT_POLICY", started[] = "ISOBIT_STARTED_TO_WAIT";

/* Whoever has an opinion has set one of these. */
static int is_chosen(void)
{
    return getenv(policy) || getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME");
}

void wait_passively(char **argv)
{
    char path[PATH_MAX];
    if (!getenv(started)) {
        const ssize_t n = is_chosen() ? -1 : readlink("/proc/self/exe", path, sizeof path - 1);
        if (n <= 0)
            return;
        path[n] = 0; /* by its name, which ps and killall then know */
        setenv(policy, "passive", 1);
        setenv(started, "1", 1);
        execv(path, argv);
    }
    unsetenv(started); /* what the command itself starts gets the user's environment */
    unsetenv(policy);
}
