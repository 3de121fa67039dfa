/* test_company.c - beside other busy processes threads that wait leave their core to them (company.c): how much
 * processor time a wait takes; a step of training has fewer of them; and what looks after it goes on when the library
 * is given back. Broken by: a watch that is not started or does not see, or sees company in its own threads' queue, a
 * team that is not held, a step that does not ask or does not give back, a thread or handler whose code is unloaded. */
#define _GNU_SOURCE /* sets of cores */
#include "tests/check.h"

#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/kernels.h"

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

/* As many processes as there are cores, with work without end; they go when this one does. */
enum { MOST_CORES = 64 };
typedef struct neighbours {
    int n;
    pid_t pid[MOST_CORES];
} neighbours;

static neighbours start_company(void)
{
    neighbours o = {.n = omp_get_num_procs() < MOST_CORES ? omp_get_num_procs() : MOST_CORES};
    for (int i = 0; i < o.n; i++) {
        o.pid[i] = fork();
        if (!o.pid[i]) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (volatile int64_t work = 0;; work++)
                ;
        }
    }
    return o;
}

static void end_company(const neighbours *o)
{
    for (int i = 0; i < o->n; i++) {
        kill(o->pid[i], SIGKILL);
        waitpid(o->pid[i], NULL, 0);
    }
}

static void they_sleep_in_company(void)
{
    const double all = WAITS * MILLISECONDS * 1e-3;
    const neighbours others = start_company();
    ib_device *dev = ib_device_open("cpu");
    REQUIRE(dev != NULL);
    double least = all;
    for (int i = 0; i < 10 && !(least < 0.3 * all); i++) { /* it is looked a few times a second */
        const double took = waiting_takes();
        least = took < least ? took : least;
    }
    if (others.n > 1)
        CHECK(least < 0.3 * all);
    end_company(&others);
    ib_device_close(dev);
}

/* All threads work for so long. */
static void work(double seconds)
{
#pragma omp parallel
    for (const double began = seconds_of(CLOCK_MONOTONIC); seconds_of(CLOCK_MONOTONIC) < began + seconds;)
        ;
}

static void a_step_has_fewer_in_company(void)
{
    const neighbours others = start_company();
    ib_device *dev = ib_device_open("cpu");
    REQUIRE(dev != NULL);
    const int all = others.n;
    CHECK(!ib_threads_set(all));
    int fewer = all;
    for (int i = 0; i < 20 && fewer == all; i++) {
        work(0.2);
        dev->v.begin_step(dev);
        fewer = ib_threads();
        dev->v.end_step(dev);
        CHECK(ib_threads() == all);
    }
    if (all > 1)
        CHECK(fewer < all);
    for (int i = 0; i < 2; i++) { /* the first has no end */
        dev->v.begin_step(dev);
        CHECK(ib_threads() >= 1 && ib_threads() <= all);
    }
    CHECK(!ib_threads_set(all)); /* what is asked for within a step stands */
    dev->v.end_step(dev);
    CHECK(ib_threads() == all);
    end_company(&others);
    ib_device_close(dev);
}

/* In a thread of its own, whose end comes when the library is given back: a device, and an error. */
static void *use_and_give_back(void *library)
{
    void *symbols[] = {dlsym(library, "ib_device_open"), dlsym(library, "ib_device_close")};
    ib_device *(*open_device)(const char *);
    void (*close_device)(ib_device *);
    memcpy(&open_device, &symbols[0], sizeof open_device);
    memcpy(&close_device, &symbols[1], sizeof close_device);
    ib_device *dev = open_device("cpu");
    const int is_right = dev && !open_device("none");
    close_device(dev);
    return is_right && !dlclose(library) ? library : NULL;
}

/* What a plugin does: libisobit.so by dlopen, dlclose, and on for longer than the watch sleeps, with a fork. */
static int lives_without(const char *path)
{
    pthread_t user;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL), *done = NULL;
    if (!library || pthread_create(&user, NULL, use_and_give_back, library) || pthread_join(user, &done) || !done)
        return 0;
    nanosleep(&(struct timespec){0, 200 * 1000000}, NULL);
    const pid_t child = fork();
    if (!child)
        _exit(0);
    int status = 1;
    return waitpid(child, &status, 0) == child && !status;
}

static void a_library_is_given_back(void)
{
    const pid_t child = fork();
    if (!child)
        _exit(lives_without(IB_SHARED_LIBRARY) ? 0 : 1);
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
}

static void *keep_busy(void *seconds)
{
    const double until = seconds_of(CLOCK_MONOTONIC) + *(const double *)seconds;
    while (seconds_of(CLOCK_MONOTONIC) < until)
        ;
    return NULL;
}

/* Seconds that all cores have had nothing to do. */
static double idle(void)
{
    unsigned long long ticks = 0;
    FILE *f = fopen("/proc/stat", "r");
    CHECK(f && fscanf(f, "cpu %*u %*u %*u %llu", &ticks) == 1);
    if (f)
        fclose(f);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Two threads in one core's queue wait for each other and for nobody else, as long as another core is free. */
static void one_queue_is_no_company(void)
{
    enum { THREADS = 2, LOOKS = 12 };
    const double seconds = 0.1 * LOOKS;
    const int all = omp_get_num_procs();
    ib_device *dev = ib_device_open("cpu");
    REQUIRE(dev != NULL);
    if (all < THREADS) {
        ib_device_close(dev);
        return;
    }
    pthread_t thread[THREADS];
    pthread_attr_t first;
    cpu_set_t ours, one;
    CPU_ZERO(&one);
    CHECK(!sched_getaffinity(0, sizeof ours, &ours) && !pthread_attr_init(&first));
    for (size_t c = 0; !CPU_COUNT(&one); c++)
        if (CPU_ISSET(c, &ours))
            CPU_SET(c, &one);
    CHECK(!pthread_attr_setaffinity_np(&first, sizeof one, &one) && !ib_threads_set(all));
    int alone = 1;
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&thread[i], &first, keep_busy, (void *)(uintptr_t)&seconds));
    int fewer = 0;
    for (int i = 0; i < LOOKS; i++) {
        const double before = idle();
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        alone = alone && idle() - before > 0.07; /* nothing is known beside other work */
        dev->v.begin_step(dev);
        fewer |= ib_threads() < all;
        dev->v.end_step(dev);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CHECK(!alone || !fewer);
    printf("%s", alone ? "" : " (other work beside: not known)");
    pthread_attr_destroy(&first);
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

/* The first one while nothing is known of company, which is remembered for a while. */
SUITE("company", T(one_queue_is_no_company), T(they_sleep_in_company), T(a_step_has_fewer_in_company),
      T(a_library_is_given_back))
