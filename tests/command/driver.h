/* driver.h - checks for suites that see what a driver sees: the public headers alone, so that they also build against
 * the installed library. A suite's main() ends with `return driver_end("name");`. */
#ifndef IB_TESTS_COMMAND_DRIVER_H
#define IB_TESTS_COMMAND_DRIVER_H

#include <isobit/isobit.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int driver_checks, driver_failures;

static inline void driver_check(int passed, const char *what, const char *file, int line)
{
    driver_checks++;
    if (passed)
        return;
    driver_failures++;
    printf("%s:%d: %s (last failure: %s)\n", file, line, what, ib_error());
}

/* A call that failed: its line holds all the words, each a part of it. */
static inline void driver_refused(int failed, const char *words, const char *what, const char *file, int line)
{
    char copy[300], *rest = NULL;
    int named = 1;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        named &= strstr(ib_error(), word) != NULL;
    driver_checks++;
    if (failed && named && !strchr(ib_error(), '\n'))
        return;
    driver_failures++;
    printf("%s:%d: %s %s: '%s' lacks one of '%s'\n", file, line, what, failed ? "failed" : "did not fail", ib_error(),
           words);
}

#define CHECK(condition) driver_check((condition) != 0, #condition, __FILE__, __LINE__)
#define CHECK_NEAR(a, b, bound)                                                                                        \
    driver_check(fabs((double)(a) - (double)(b)) <= (bound), #a " is near " #b, __FILE__, __LINE__)
/* A status, or a pointer, that says so. */
#define REFUSED(call, words) driver_refused((call) != IB_OK, words, #call, __FILE__, __LINE__)
#define REFUSED_NULL(call, words) driver_refused((call) == NULL, words, #call, __FILE__, __LINE__)

static inline int driver_end(const char *suite)
{
    printf("%s: %d checks, %d failed\n", suite, driver_checks, driver_failures);
    return driver_failures != 0;
}

/* The digits, a network for them, and all that runs it. */
typedef struct world {
    ib_device *dev;
    ib_graph *g;
    ib_dataset *data;
    ib_loader *loader;
    ib_layer *net;
    ib_input_info info;
} world;

static inline world world_new(ib_layer *net)
{
    world w = {.dev = ib_device_open(NULL), .data = ib_digits_new(IB_SPLIT_TEST), .net = net};
    w.g = ib_graph_new(w.dev);
    w.info = ib_dataset_info(w.data);
    w.loader = ib_loader_new(w.data, &w.info, &(ib_loader_opts){.batch = 16, .shuffle = 1, .seed = 1});
    if (!w.g || !w.loader || !net || ib_layer_set_input(net, &w.info) || ib_layer_init(net, 1))
        printf("no world: %s\n", ib_error()), exit(1);
    return w;
}

static inline void world_free(world *w)
{
    ib_layer_free(w->net);
    ib_loader_free(w->loader);
    ib_dataset_free(w->data);
    ib_graph_free(w->g);
    ib_device_close(w->dev);
}

/* A training step's loss on the next batch. */
static inline ib_tensor *world_loss(world *w)
{
    ib_batch b;
    if (!ib_loader_next(w->loader, &b)) {
        ib_loader_start(w->loader, 0, 0);
        ib_loader_next(w->loader, &b);
    }
    ib_graph_begin(w->g, IB_TRAIN);
    return ib_cross_entropy(w->g, ib_layer_forward(w->g, w->net, ib_input(w->g, 4, b.shape, b.x)), b.y, 0);
}

#endif
