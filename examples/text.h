/* text.h - a text file as byte tokens, batches of it, and its loss under a model. */
#include <isobit/isobit.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONTEXT = 128, ROWS = 8, TOKENS = CONTEXT * ROWS };

typedef struct text {
    int32_t *ids; /* [n] bytes */
    int64_t n;
} text;

static text text_open(const char *folder, const char *name)
{
    char path[512];
    text t = {NULL, 0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    for (int c; f && (c = getc(f)) != EOF; t.ids[t.n++] = c)
        if (t.n % 65536 == 0 && !(t.ids = realloc(t.ids, (size_t)(t.n + 65536) * sizeof *t.ids)))
            exit(EXIT_FAILURE);
    if (f)
        fclose(f);
    else
        fprintf(stderr, "%s cannot be opened\n", path);
    return t;
}

/* ROWS pieces of CONTEXT bytes, from random places that seed and step decide. */
static ib_lm_batch text_batch(const text *t, uint64_t seed, int64_t step, int32_t *target)
{
    static int32_t ids[TOKENS], pos[TOKENS], first[TOKENS];
    for (int r = 0; r < ROWS; r++) {
        const int32_t *from =
            t->ids + ib_rng_below((ib_rng){seed, (uint64_t)step}, (uint64_t)r, (uint32_t)(t->n - CONTEXT - 1));
        for (int i = 0; i < CONTEXT; i++) {
            ids[r * CONTEXT + i] = from[i];
            target[r * CONTEXT + i] = from[i + 1];
            pos[r * CONTEXT + i] = i;
            first[r * CONTEXT + i] = r * CONTEXT;
        }
    }
    return (ib_lm_batch){TOKENS, ids, pos, first};
}

/* Trains for `steps`; returns the mean loss of the last tenth in bits per byte, or -1 with ib_error(). */
static double text_train(ib_lm *m, ib_graph *g, ib_optim *opt, const text *t, int64_t steps, float lr)
{
    const ib_schedule s = {.kind = IB_COSINE, .lr = lr, .total = steps, .warmup = steps / 20, .final = 0.1f};
    double sum = 0, n = 0;
    int32_t target[TOKENS];
    for (int64_t step = 0; step < steps; step++) {
        const ib_lm_batch b = text_batch(t, 1, step, target);
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *loss = ib_lm_loss(m, g, ib_lm_hidden(m, g, &b, 0), target, 1.0f / TOKENS, NULL);
        if (ib_backward(g, loss) || ib_optim_limit(opt, 1.0))
            return -1;
        ib_optim_set_lr(opt, ib_schedule_lr(&s, step));
        if (ib_optim_step(opt))
            return -1;
        const int counts = step >= steps - steps / 10 - 1, told = step % 50 == 0 || step + 1 == steps;
        float value = 0;
        if ((counts || told) && ib_loss_value(g, loss, &value))
            return -1;
        sum += counts ? value / 0.6931471805599453 : 0;
        n += counts;
        if (told)
            printf("  step %4lld  %.3f bits per byte\n", (long long)step + 1, value / 0.6931471805599453);
    }
    return sum / n;
}
