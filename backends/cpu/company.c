/* company.c - how long threads wait before they leave their core to others, and how many a training step has.
 *
 * OpenMP's look for milliseconds for work before they sleep. On a quiet machine that is right: waking a sleeper takes
 * longer than most waits. Where other processes want the cores it is not: the thread that is waited for gets none, and
 * a step takes ten times as long. So a thread of ours, the watch, looks every now and then how long the process's
 * threads have waited for a core (the kernel counts it), and has the others sleep at once while they do, unless a core
 * has nothing to do: then it was the scheduler, which may leave two threads in one core's queue beside a free one.
 *
 * GCC's runtime reads how long they look from its environment while it is loaded, and has no call to change that; but
 * while it manages more threads than there are cores, each looks a hundred times only (GOMP_SPINCOUNT in libgomp's
 * manual; do_spin of its config/linux/wait.h). So the watch then has a team that does nothing, with as many sleeping
 * workers as make it so whatever the teams of others. LLVM's and Intel's runtimes have a call, which each thread makes
 * for its own teams; they are told once to sleep at once.
 *
 * A team is as slow as its last thread, and of two threads that get half a core each one often has none while the other
 * waits for it. So a step of training has as many threads as whole cores are left to it: of those asked for, the share
 * that its threads have got of the time they wanted. No result depends on it. */
#define _GNU_SOURCE /* dladdr, sched_getaffinity */
#include <dirent.h>
#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/cpu/levels.h"
#include "base/number.h"

void kmp_set_blocktime(int milliseconds) __attribute__((weak));

enum { PERIOD = 50, LONGEST = 1600 /* milliseconds between looks, of a process that does little */ };
/* Looks without company before it is believed to be gone: so many more each time that it was not, for a second. */
enum { CALM = 5, MOST_CALM = 80, RELAPSE = 20 };
static const double crowded = 0.25,
                    quiet = 0.1; /* share of the time that threads waited for a core; one neighbour: 0.5 */
static const double spare = 0.5; /* cores with nothing to do, beside which a wait is no neighbour's doing */

/* Whoever has an opinion has set one of these. */
static int is_chosen(void)
{
    return getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME");
}

typedef struct moment {
    double time, run, waited; /* seconds: on the clock, on cores and for cores, of all threads that there are */
    double idle;              /* of the cores that we may use; below 0: not looked at */
} moment;

/* /proc/stat (proc(5)): what a core has had nothing to do, or to wait for a disk, in clock ticks. */
static double idle_time(void)
{
    cpu_set_t ours;
    const int all = sched_getaffinity(getpid(), sizeof ours, &ours) != 0;
    unsigned long long sum = 0, idle, disk;
    FILE *f = fopen("/proc/stat", "re");
    if (!f)
        return -1;
    int known = fscanf(f, "cpu %*[^\n] "); /* all cores together */
    for (int core; known >= 0 && fscanf(f, "cpu%d %*u %*u %*u %llu %llu%*[^\n] ", &core, &idle, &disk) == 3;)
        if (all || CPU_ISSET((size_t)core, &ours))
            sum += idle + disk;
    fclose(f);
    return (double)sum / (double)sysconf(_SC_CLK_TCK);
}

/* /proc/self/task/N/schedstat: nanoseconds on a core, and runnable without one (Linux, sched-stats.rst). */
static moment look(void)
{
    moment m = {.idle = -1};
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

static _Atomic int got; /* thousandths of the processor time that threads wanted, in company; 0: without */

typedef struct company {
    int is_there, calm, needed; /* looks in a row that saw none, and how many of them end it */
} company;

/* share: of the time since the last look that threads waited for a core; free: cores that had nothing to do meanwhile,
 * below 0 where that is not known. */
static void judge(company *c, double share, double free)
{
    const int calm = c->calm;
    c->calm = share < quiet || free > spare ? calm + 1 : 0;
    if (!c->is_there && share > crowded && free >= 0 && free <= spare) {
        c->needed = calm > RELAPSE ? CALM : 2 * c->needed < MOST_CALM ? 2 * c->needed : MOST_CALM;
        c->is_there = 1;
    } else if (c->is_there && c->calm >= c->needed) {
        c->calm = c->is_there = 0;
    }
}

/* Of the times since the last look, which are no times where threads have ended and taken theirs along. */
static int share_got(double run, double waited)
{
    return run > 0 && waited >= 0 ? (int)(1000 * run / (run + waited)) : 1000;
}

static void *watch(void *unused)
{
    company c = {.calm = RELAPSE + 1, .needed = CALM};
    long period = PERIOD;
    for (moment before = look();;) {
        nanosleep(&(struct timespec){period / 1000, period % 1000 * 1000000}, NULL);
        moment now = look();
        const double passed = now.time - before.time, run = now.run - before.run, waited = now.waited - before.waited;
        const int was = c.is_there;
        if (waited > quiet * passed)
            now.idle = idle_time();
        judge(&c, waited / passed, before.idle < 0 || now.idle < 0 ? -1 : (now.idle - before.idle) / passed);
        if (c.is_there > was && !kmp_set_blocktime)
            hold_team();
        else if (c.is_there < was && !kmp_set_blocktime)
            omp_pause_resource(omp_pause_soft, omp_get_initial_device());
        atomic_store(&got, c.is_there ? share_got(run, waited) : 0);
        period = run > 0.02 * passed ? PERIOD : period < LONGEST ? 2 * period : LONGEST;
        before = now;
    }
    return unused;
}

/* Threads that were asked for, and how many the step has instead; 0: as many. */
static _Thread_local int asked, fewer;

void ib_company_forget(void)
{
    fewer = 0;
}

void ib_company_end(void)
{
    if (fewer && omp_get_max_threads() == fewer)
        omp_set_num_threads(asked);
    fewer = 0;
}

void ib_company_begin(void)
{
    ib_company_end(); /* of a step that had no end */
    const int now = atomic_load(&got);
    if (!now || omp_in_parallel() || omp_get_proc_bind() != omp_proc_bind_false)
        return;
    asked = omp_get_max_threads();
    const int left = asked * now / 1000 > 1 ? asked * now / 1000 : 1;
    if (left < asked)
        omp_set_num_threads(fewer = left);
}

static void be_alone(void)
{
    atomic_store(&got, 0);
}

/* The watch never ends, so the shared object that has its code stays when a dlclose() gives it back. What is no such
 * object, the program itself, stays anyway. */
static void stay_loaded(void)
{
    Dl_info own;
    if (dladdr(&crowded, &own) && own.dli_fname)
        dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

static void start_watch(void)
{
    stay_loaded();
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!pthread_create(&thread, NULL, watch, NULL))
        pthread_detach(thread);
    pthread_atfork(NULL, NULL, be_alone); /* a child has no watch */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ib_wait_in_company(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (is_chosen())
        return;
    if (kmp_set_blocktime)
        kmp_set_blocktime(0);
    if (omp_get_num_procs() > 1)
        pthread_once(&once, start_watch);
}
