/* arguments.h - runs the cases that arguments.py writes, each in a process of its own: a crash or a hang is the case's
 * failure. */
#ifndef IB_TESTS_HOUSE_ARGUMENTS_H
#define IB_TESTS_HOUSE_ARGUMENTS_H

#include "driver.h"

#include <ctype.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct test_case {
    const char *function, *argument, *call;
    int field;            /* of options: its own name is enough */
    int (*run)(world *w); /* 1: the result says that the call failed */
} test_case;

/* What stands for an object that must not be looked at before all arguments were checked. */
static _Alignas(64) unsigned char blob[8192];

static inline void nothing(void)
{
}

static inline int is_nan(double x)
{
    return isnan(x);
}

#define CALL_STATUS(call) return (call) != IB_OK
#define CALL_POINTER(call) return (call) == NULL
#define CALL_VALUE(call) return ((void)(call), 1) /* only ib_error() says so */
#define CALL_VOID(call)                                                                                                \
    call;                                                                                                              \
    return 1

/* A network's worth of real objects for bad numbers. */
static const float ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const int32_t zeros[64];
static ib_tensor *leaf, *image, *rows;
static ib_layer *fresh;
static ib_optim *optim;
static ib_program *program;
static ib_runner *runner;
static ib_lm *lm;
static ib_kv *kv;
static ib_matrix *matrix, *other; /* [2,32], [1,1] */
static int8_t codes[6400];
static float reals[6400];

static inline void open_world(world *w)
{
    *w = world_new(ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10)));
    optim = ib_adamw_new(w->net, w->dev, NULL);
    fresh = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10));
    ib_layer *net = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10));
    ib_layer_init(net, 1);
    ib_layer_set_input(net, &w->info);
    if (ib_qat_begin(net, w->g, w->loader, NULL) || ib_qat_set_phase(net, w->g, IB_FROZEN))
        printf("no program: %s\n", ib_error()), exit(1);
    program = ib_program_lower(net, w->g);
    ib_layer_free(net);
    runner = ib_runner_new(program, w->dev, 4);
    lm = ib_lm_new(&(ib_lm_config){.layers = 1,
                                   .width = 32,
                                   .ff = 32,
                                   .heads = 2,
                                   .groups = 2,
                                   .dim = 16,
                                   .vocabulary = 32,
                                   .context = 64,
                                   .eps = 1e-5f},
                   1);
    kv = ib_kv_new(lm, 32, 0);
    ib_lm_freeze(lm, "f32");
    matrix = ib_matrix_encode(ib_storage_find("f32"), 2, 32, ones, NULL);
    other = ib_matrix_encode(ib_storage_find("f32"), 1, 1, ones, NULL);
    leaf = ib_tensor_new(IB_F32, 2, (int64_t[]){2, 2}, 1, "leaf");
    ib_graph_begin(w->g, IB_TRAIN);
    image = ib_input(w->g, 4, (int64_t[]){1, 1, 4, 4}, ones);
    rows = ib_input(w->g, 2, (int64_t[]){2, 2}, ones);
    if (!optim || !fresh || !program || !runner || !lm || !kv || !matrix || !other || !leaf || !image || !rows)
        printf("no world: %s\n", ib_error()), exit(1);
}

/* `name` as a whole word, also as a field's after "->" or in brackets. */
static inline int names(const char *line, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = line; (at = strstr(at, name)); at++) {
        const int before = at == line ? 0 : at[-1];
        if (!isalnum(before) && before != '_' && !isalnum((unsigned char)at[n]) && at[n] != '_')
            return 1;
    }
    return 0;
}

static inline int run_case(const test_case *c, world *w)
{
    fflush(stdout);
    const pid_t child = fork();
    if (!child) {
        alarm(20);
        char before[512];
        snprintf(before, sizeof before, "%s", ib_error());
        const int failed = c->run(w);
        const char *line = ib_error();
        const int named = strcmp(line, before) && names(line, c->argument) &&
                          (c->field || names(line, c->function) || names(line, c->function + 3));
        if (!failed || !named)
            printf("%s: %s: %s.%s, but the line is '%s'\n", c->call, failed ? "failed" : "DID NOT FAIL", c->function,
                   c->argument, line);
        fflush(stdout);
        _exit(!failed || !named);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: CRASHED by signal %d\n", c->call, WTERMSIG(status));
    return status == 0;
}

static inline int run_cases(const test_case *cases, int n, const char *const *missing)
{
    world w;
    int failed = 0;
    open_world(&w);
    for (int i = 0; missing[i]; i++, failed++)
        printf("%s\n", missing[i]);
    for (int i = 0; i < n; i++)
        failed += !run_case(&cases[i], &w);
    ib_kv_free(kv);
    ib_lm_free(lm);
    ib_runner_free(runner);
    ib_program_free(program);
    ib_optim_free(optim);
    ib_layer_free(fresh);
    ib_matrix_free(matrix);
    ib_matrix_free(other);
    ib_tensor_free(leaf);
    world_free(&w);
    printf("arguments: %d cases, %d failed\n", n, failed);
    return failed != 0;
}

#endif
