/* engine.c - see engine.h */
#include "cli/answers/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t engine_classes(const engine *e)
{
    int rows = e->ndim >= 2 && e->size > 1;
    for (int i = 2; i < e->ndim; i++)
        rows = rows && e->shape[i] == 1;
    return rows ? e->size : 0;
}

int need_labels(const session *s, const engine *e)
{
    ib_input_info info = e->input;
    info.classes = (int)engine_classes(e);
    if (!info.classes) {
        char text[80] = "";
        for (int i = 1; i < e->ndim; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), ",%lld", (long long)e->shape[i]);
        return fprintf(stderr,
                       "isobit: the outputs are [N%s], not scores of classes: there is no accuracy (isobit predict "
                       "--raw writes them)\n",
                       text) > 0;
    }
    return ib_dataset_check_labels(s->test, &info) ? complain() : 0;
}

/* A float forward of one sample of zeros shows the outputs' shape and what makes them. */
static int look(engine *e)
{
    const session *s = e->s;
    const int64_t shape[] = {1, e->input.c, e->input.h, e->input.w};
    float *zeros = calloc((size_t)(shape[1] * shape[2] * shape[3]), sizeof *zeros);
    ib_graph_begin(s->g, IB_TRACE);
    const ib_tensor *y = zeros ? ib_layer_forward_float(s->g, s->net, ib_input(s->g, 4, shape, zeros)) : NULL;
    free(zeros);
    if (!y)
        return complain();
    if (!(e->out = malloc((size_t)(ib_tensor_size(y) * e->batch) * sizeof *e->out)))
        return fprintf(stderr, "isobit: out of memory for batches of %lld samples\n", (long long)e->batch), 1;
    const char *last = ib_tensor_made_by(s->g, y);
    e->ndim = ib_tensor_ndim(y);
    memcpy(e->shape, ib_tensor_shape(y), (size_t)e->ndim * sizeof *e->shape);
    e->meaning = !strcmp(last, "softmax") || !strcmp(last, "sigmoid") ? PROBABILITIES : SCORES;
    return 0;
}

/* The integer program of the session's network, as eval and export lower it. */
static int lower(engine *e, const char *path)
{
    session *s = e->s;
    if (ib_qat_phase(s->net) == IB_FLOAT)
        return fprintf(stderr,
                       "isobit: %s: was trained in float: it has no integers (train with --qat, or isobit quantize)\n",
                       path),
               1;
    if (ib_qat_phase(s->net) == IB_LEARN && ib_qat_set_phase(s->net, s->g, IB_FROZEN))
        return complain();
    return (e->program = ib_program_lower(s->net, s->g)) ? 0 : complain();
}

/* Memory and the runner; what the program leaves to its caller. */
static int ready(engine *e)
{
    e->softmax = ib_program_leaves_softmax(e->program);
    if (!e->s->net) {
        const int n = ib_program_layer_count(e->program);
        e->ndim = ib_program_output_shape(e->program, e->shape);
        e->meaning = !e->softmax && !strcmp(ib_program_layer_at(e->program, n - 1).op, "lookup") ? UNKNOWN
                     : e->softmax                                                                ? PROBABILITIES
                                                                                                 : SCORES;
    }
    const int64_t in = ib_program_input_size(e->program), out = ib_program_output_size(e->program);
    e->in = malloc((size_t)(e->batch * in));
    e->codes = malloc((size_t)(e->batch * out));
    if (!e->out)
        e->out = malloc((size_t)(e->batch * out) * sizeof *e->out);
    if (!e->in || !e->codes || !e->out)
        return fprintf(stderr, "isobit: out of memory for batches of %lld samples\n", (long long)e->batch), 1;
    return (e->runner = ib_runner_new(e->program, e->s->dev, e->batch)) ? 0 : complain();
}

int engine_open(engine *e, session *s, const common *o, const char *path, const char *name, int64_t batch)
{
    if (name && strcmp(name, "float") && strcmp(name, "qat") && strcmp(name, "integer"))
        return fprintf(stderr, "isobit: --engine '%s': float, qat and integer are possible\n", name), 2;
    *e = (engine){.s = s, .name = name, .batch = batch, .program = ib_program_open(path)};
    if (!e->program && ib_error_status() != IB_EUNSUPPORTED)
        return complain();
    if (e->program && name && strcmp(name, "integer"))
        return fprintf(stderr, "isobit: %s: is an integer program, which --engine %s cannot run\n", path, name), 2;
    int status = e->program ? session_open(s, o) : session_model(s, o, path);
    if (status)
        return status;
    const int is_float = s->net && ib_qat_phase(s->net) == IB_FLOAT;
    e->name = name ? name : is_float ? "float" : "integer";
    if (is_float && !strcmp(e->name, "qat"))
        return fprintf(stderr, "isobit: %s: was trained in float: it has no quantized forward\n", path), 1;
    e->input = s->net ? *ib_layer_input(s->net) : *ib_program_input_info(e->program);
    e->schema = s->net ? ib_layer_schema(s->net) : ib_program_schema(e->program);
    if (s->net)
        status = look(e) || (!strcmp(e->name, "integer") && lower(e, path));
    if (!status && e->program)
        status = ready(e);
    e->size = 1;
    for (int i = 1; i < e->ndim; i++)
        e->size *= e->shape[i];
    return status;
}

/* [n, size] on the tape; softmax as the network would */
static const float *softmax(engine *e, int64_t n)
{
    ib_graph *g = e->s->g;
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *y = ib_softmax(g, ib_input(g, 2, (int64_t[]){n, e->size}, e->out));
    return y && !ib_tensor_read(y, e->out) ? e->out : NULL;
}

const float *engine_run(engine *e, const ib_batch *b)
{
    session *s = e->s;
    if (!e->program) {
        ib_graph_begin(s->g, IB_EVAL);
        ib_tensor *x = ib_input(s->g, 4, b->shape, b->x);
        ib_tensor *y =
            !strcmp(e->name, "float") ? ib_layer_forward_float(s->g, s->net, x) : ib_layer_forward(s->g, s->net, x);
        return y && !ib_tensor_read(y, e->out) ? e->out : NULL;
    }
    const float scale = ib_program_output_scale(e->program);
    const int zero = ib_program_output_zero(e->program);
    if (ib_program_quantize(e->program, s->dev, b->n, b->x, e->in) || ib_runner_run(e->runner, b->n, e->in, e->codes))
        return NULL;
    for (int64_t i = 0; i < b->n * e->size; i++)
        e->out[i] = scale * (float)(e->codes[i] - zero);
    return e->softmax ? softmax(e, b->n) : e->out;
}

void engine_close(engine *e)
{
    ib_runner_free(e->runner);
    ib_program_free(e->program);
    free(e->in);
    free(e->codes);
    free(e->out);
}
