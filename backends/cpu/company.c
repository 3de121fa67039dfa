/* company.c - how long threads wait before they leave their core to others.
 *
 * OpenMP's look for milliseconds for work before they sleep. On a quiet machine that is right: waking a sleeper takes
 * longer than most waits. Where other processes want the cores it is not: the thread that is waited for gets none, and
 * a step takes ten times as long. So a thread of ours, the watch, looks every now and then how long the process's
 * threads have waited for a core (the kernel counts it), and has the others sleep at once while they do.
 *
 * GCC's runtime reads how long they look from its environment while it is loaded, and has no call to change that; but
 * while it manages more threads than there are cores, each looks a hundred times only (GOMP_SPINCOUNT in libgomp's
 * manual; do_spin of its config/linux/wait.h). So the watch then has a team that does nothing, with as many sleeping
 * workers as make it so whatever the teams of others. LLVM's and Intel's runtimes have a call, which each thread makes
 * for its own teams; they are told once to sleep at once. */
#include <dirent.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/cpu/levels.h"
#include "base/number.h"

void kmp_set_blocktime(int milliseconds) __attribute__((weak));

enum { PERIOD = 50, LONGEST = 1600 /* milliseconds between looks, of a process that does little */, CALM = 5 };
static const double crowded = 0.25,
                    quiet = 0.1; /* share of the time that threads waited for a core; one neighbour: 0.5 */

/* Whoever has an opinion has set one of these. */
static int is_chosen(void)
{
    return getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME");
}

typedef struct moment {
    double time, run, waited; /* seconds: on the clock, on cores and for cores, of all threads that there are */
} moment;

/* /proc/self/task/N/schedstat: nanoseconds on a core, and runnable without one (Linux, sched-stats.rst). */
static moment look(void)
{
    moment m = {0};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    m.time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    DIR *tasks = opendir("/proc/self/task");
    for (const struct dirent *t; tasks && (t = readdir(tasks));) {
        char path[300];
        unsigned long long run, waited;
        ib_snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", t->d_name);
        FILE *f = t->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (f && fscanf(f, "%llu %llu", &run, &waited) == 2) {
            m.run += 1e-9 * (double)run;
            m.waited += 1e-9 * (double)waited;
        }
        if (f)
            fclose(f);
    }
    if (tasks)
        closedir(tasks);
    return m;
}

static void hold_team(void)
{
    const int cores = omp_get_num_procs();
#pragma omp parallel num_threads(cores)
    __asm__ volatile("");
}

static void *watch(void *unused)
{
    int held = 0, calm = 0;
    long period = PERIOD;
    for (moment before = look();;) {
        nanosleep(&(struct timespec){period / 1000, period % 1000 * 1000000}, NULL);
        const moment now = look();
        const double passed = now.time - before.time, share = (now.waited - before.waited) / passed;
        calm = share < quiet ? calm + 1 : 0;
        if (!held && share > crowded) {
            hold_team();
            held = 1;
        } else if (held && calm >= CALM) {
            omp_pause_resource(omp_pause_soft, omp_get_initial_device());
            held = 0;
        }
        period = now.run - before.run > 0.02 * passed ? PERIOD : period < LONGEST ? 2 * period : LONGEST;
        before = now;
    }
    return unused;
}

static void start_watch(void)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!pthread_create(&thread, NULL, watch, NULL))
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ib_wait_in_company(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (is_chosen())
        return;
    if (kmp_set_blocktime)
        kmp_set_blocktime(0);
    else if (omp_get_num_procs() > 1)
        pthread_once(&once, start_watch);
}
