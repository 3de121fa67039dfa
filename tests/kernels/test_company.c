/* test_company.c - beside other busy processes threads that wait leave their core to them (company.c): how much
 * processor time a wait takes. Broken by: a watch that is not started or does not see, a team that is not held. */
#include "tests/check.h"

#include <omp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { WAITS = 100, MILLISECONDS = 2 };
/* Processor seconds of a process whose second thread has waited for its first so often, for so long. */
static double waiting_takes(void)
{
    const struct timespec pause = {0, MILLISECONDS * 1000000};
    const double before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < WAITS; i++)
#pragma omp parallel num_threads(2)
        if (omp_get_thread_num() == 0)
            nanosleep(&pause, NULL);
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before;
}

enum { MOST_CORES = 64 };
/* As many processes as there are cores, with work without end; they go when this one does. */
static void start_company(int cores, pid_t *others)
{
    for (int i = 0; i < cores; i++) {
        others[i] = fork();
        if (!others[i]) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (volatile int64_t work = 0;; work++)
                ;
        }
    }
}

static void they_sleep_in_company(void)
{
    const double all = WAITS * MILLISECONDS * 1e-3;
    pid_t others[MOST_CORES];
    const int cores = omp_get_num_procs() < MOST_CORES ? omp_get_num_procs() : MOST_CORES;
    start_company(cores, others);
    ib_device *dev = ib_device_open("cpu");
    REQUIRE(dev != NULL);
    double least = all;
    for (int i = 0; i < 10 && !(least < 0.3 * all); i++) { /* it is looked a few times a second */
        const double took = waiting_takes();
        least = took < least ? took : least;
    }
    if (cores > 1)
        CHECK(least < 0.3 * all);
    for (int i = 0; i < cores; i++) {
        kill(others[i], SIGKILL);
        waitpid(others[i], NULL, 0);
    }
    ib_device_close(dev);
}

/* The runtime reads its environment while it is loaded, so it is loaded again without. */
__attribute__((constructor)) static void drop_policy(int argc, char **argv)
{
    (void)argc;
    if (getenv("OMP_WAIT_POLICY")) {
        unsetenv("OMP_WAIT_POLICY");
        execv("/proc/self/exe", argv);
        _exit(1);
    }
}

SUITE("company", T(they_sleep_in_company))
