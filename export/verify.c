/* verify.c - the same data through every engine, code for code. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/argument.h"
#include "program/instr.h"

/* The compiled C, loaded once. */
typedef struct compiled {
    void *library;
    void (*run)(const int8_t *, int8_t *);
    void (**trace)(int32_t, const int8_t *, int32_t);
    int32_t (*self_test)(void);
} compiled;

typedef struct verification {
    ib_layer *net;
    ib_graph *g;
    ib_program *p;
    const ib_verify_opts *o;
    ib_verify_report *r;
    int8_t **reference; /* [n_instrs][batch * size], evaluation's codes */
    int8_t *in, *out;   /* [batch][size of the program's], of the runtime */
    int64_t n;          /* samples in the batch */
    compiled c;
    int64_t sample; /* of the compiled C */
    int has_labels; /* each has a score among the outputs */
    int64_t right;  /* samples whose highest score is that of their label */
} verification;

static _Thread_local verification *tracing;

static int64_t count_differences(const int8_t *a, const int8_t *b, int64_t n)
{
    int64_t wrong = 0;
    if (memcmp(a, b, (size_t)n))
        for (int64_t i = 0; i < n; i++)
            wrong += a[i] != b[i];
    return wrong;
}

static void keep_reference(void *context, int k, const ib_node *n)
{
    const verification *v = context;
    ib_tensor_read_codes(n->out, v->reference[k]);
    v->r->layers[k].codes += n->out->size;
}

static void compare_train(void *context, int k, const ib_node *n)
{
    const verification *v = context;
    void *copy;
    const int8_t *codes = ib_tensor_look(n->out, &copy);
    v->r->layers[k].train += codes ? count_differences(v->reference[k], codes, n->out->size) : n->out->size;
    ib_free(copy);
}

static void compare_runtime(void *context, int k, const int8_t *codes)
{
    const verification *v = context;
    v->r->layers[k].runtime += count_differences(v->reference[k], codes, v->n * v->p->values[v->p->instrs[k].out].size);
}

static void compare_compiled(int32_t k, const int8_t *codes, int32_t size)
{
    const verification *v = tracing;
    v->r->layers[k].compiled += count_differences(v->reference[k] + v->sample * size, codes, size);
}

static void remove_folder(const char *dir)
{
    static const char *const files[] = {"network.h", "network.c", "network.so", "log"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = ib_format_text("%s/%s", dir, files[i]);
        if (path)
            unlink(path);
        ib_free(path);
    }
    rmdir(dir);
}

/* The compiler itself is not there, was ended, or refused; status is system()'s, 128 + n of a shell whose command
 * signal n ended. */
static ib_status blame_compiler(const char *cc, int status, const char *dir)
{
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    char line[200] = "";
    char *path = ib_format_text("%s/log", dir);
    FILE *f = path ? fopen(path, "r") : NULL;
    while (f && !strstr(line, "rror") && fgets(line, sizeof line, f))
        line[strcspn(line, "\n")] = 0;
    if (f)
        fclose(f);
    ib_free(path);
    if (code == 126 || code == 127)
        return ib_fail(IB_EUNSUPPORTED,
                       "verify: the C compiler '%s' cannot be run (choose another with CC or --cc, or --no-compile)",
                       cc);
    if (code > 128)
        return ib_fail(IB_EUNSUPPORTED, "verify: the C compiler '%s' was ended by signal %d", cc, code - 128);
    return ib_fail(
        IB_EUNSUPPORTED,
        "verify: the C compiler '%s' ended with status %d at the exported C: %s (choose another with CC or --cc)", cc,
        code, *line ? line : "no message");
}

static ib_status compile(const char *dir, const ib_verify_opts *o, compiled *c)
{
    const char *cc = o->cc ? o->cc : getenv("CC") ? getenv("CC") : "cc";
    char *command = ib_format_text("%s %s -std=c99 -pedantic -Wall -Wextra -Werror -DISOBIT_TRACE -shared -fPIC -o "
                                   "'%s/network.so' '%s/network.c' >'%s/log' 2>&1",
                                   cc, o->flags ? o->flags : "-O3", dir, dir, dir);
    char *library = ib_format_text("%s/network.so", dir);
    ib_status status = command && library ? IB_OK : IB_ENOMEM;
    const int ended = status ? 0 : system(command);
    if (ended)
        status = blame_compiler(cc, ended, dir);
    if (!status && !(c->library = dlopen(library, RTLD_NOW | RTLD_LOCAL))) /* it said that all went well */
        status = ib_fail(IB_EUNSUPPORTED,
                         "verify: the C compiler '%s' made no library that can be loaded: %s (choose "
                         "another with CC or --cc)",
                         cc, dlerror());
    if (!status) {
        *(void **)&c->run = dlsym(c->library, "network_run");
        *(void **)&c->trace = dlsym(c->library, "network_trace");
        *(void **)&c->self_test = dlsym(c->library, "network_self_test");
        if (!c->run || !c->trace || !c->self_test)
            status = ib_fail(IB_EUNSUPPORTED,
                             "verify: the C compiler '%s' made a library without the exported C's functions", cc);
    }
    ib_free(command);
    ib_free(library);
    return status;
}

/* Prints, compiles and loads the program with a few samples as self-test. */
static ib_status build(verification *v, const ib_vectors *few)
{
    const char *base = getenv("TMPDIR");
    char *dir = ib_format_text("%s/isobit-XXXXXX", base && *base ? base : "/tmp");
    if (!dir)
        return IB_ENOMEM;
    ib_status status =
        mkdtemp(dir) ? ib_export_c(v->p, ib_graph_device(v->g), dir, "network", few)
                     : ib_fail(IB_EIO, "%s: cannot be made: %s (TMPDIR names another folder)", dir, strerror(errno));
    if (!status)
        status = compile(dir, v->o, &v->c);
    remove_folder(dir);
    ib_free(dir);
    if (!status && v->c.self_test())
        status = ib_fail(IB_ENUMERIC, "verify: the exported C fails its own self-test");
    return status;
}

/* Do the labels, if there are any, each have a score among the outputs, [N,K] or [N,K,1,1]? */
static int labels_fit(const ib_program *p, const ib_dataset *d)
{
    const ib_value *v = &p->values[p->result];
    const int64_t classes = v->ndim > 1 ? v->shape[1] : 1;
    return ib_dataset_labelled(d) && classes > 1 && v->size == classes && ib_dataset_info(d).classes <= classes;
}

static ib_status verify_batch(verification *v, const ib_batch *b)
{
    ib_graph *g = v->g;
    ib_device *dev = ib_graph_device(g);
    const int64_t classes = ib_program_output_size(v->p), size = ib_program_input_size(v->p);
    v->n = b->n;
    ib_graph_begin(g, IB_TRACE);
    if (!ib_layer_forward(g, v->net, ib_input(g, 4, b->shape, b->x)))
        return ib_error_status();
    ib_tape_codes(v->p, g, keep_reference, v);
    ib_graph_begin(g, IB_TRAIN);
    g->dropout_off = 1;
    const ib_tensor *trained = ib_layer_forward(g, v->net, ib_input(g, 4, b->shape, b->x));
    g->dropout_off = 0;
    if (!trained)
        return ib_error_status();
    ib_tape_codes(v->p, g, compare_train, v);
    ib_status status = ib_program_quantize(v->p, dev, b->n, b->x, v->in);
    if (!status)
        status = ib_program_run_traced(v->p, dev, b->n, v->in, v->out, compare_runtime, v);
    for (int64_t i = 0; v->has_labels && i < b->n && !status; i++) {
        int64_t best = 0;
        for (int64_t j = 1; j < classes; j++)
            best = v->out[i * classes + j] > v->out[i * classes + best] ? j : best;
        v->right += best == b->y[i];
    }
    if (!status && !v->o->skip_compiled && !v->c.library)
        status = build(v, &(ib_vectors){b->n < 4 ? b->n : 4, v->in, v->out});
    if (!status && v->c.library) {
        *v->c.trace = compare_compiled;
        tracing = v;
        for (v->sample = 0; v->sample < b->n; v->sample++)
            v->c.run(v->in + v->sample * size, v->out);
    }
    return status;
}

ib_status ib_verify(ib_layer *net, ib_graph *g, const ib_dataset *data, const ib_verify_opts *opts,
                    ib_verify_report *report)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(data);
    IB_NEED(report);
    if (opts)
        IB_TAKE(opts->batch, opts->batch >= 0 && opts->batch <= 1 << 20, "is %d", opts->batch);
    const ib_verify_opts o = opts ? *opts : (ib_verify_opts){0};
    verification v = {.net = net, .g = g, .o = &o, .r = report};
    ib_batch b;
    memset(report, 0, sizeof *report);
    if (ib_qat_phase(net) == IB_LEARN && ib_qat_set_phase(net, g, IB_FROZEN))
        return ib_error_status();
    ib_status status = IB_ENOMEM;
    ib_loader *loader = ib_loader_new(data, ib_layer_input(net), &(ib_loader_opts){.batch = o.batch ? o.batch : 100});
    if (!loader || !(v.p = ib_program_of(net, g)) ||
        !(v.reference = ib_alloc((size_t)v.p->n_instrs * sizeof *v.reference)) ||
        !(report->layers = ib_alloc((size_t)v.p->n_instrs * sizeof *report->layers))) {
        status = ib_error_status();
        goto done;
    }
    const int64_t batch = o.batch ? o.batch : 100;
    report->n_layers = v.p->n_instrs;
    for (int i = 0; i < v.p->n_instrs; i++) {
        report->layers[i].name = ib_strdup(v.p->instrs[i].name);
        report->layers[i].op = v.p->instrs[i].cls->name;
        if (!report->layers[i].name ||
            !(v.reference[i] = ib_alloc((size_t)(batch * v.p->values[v.p->instrs[i].out].size))))
            goto done;
    }
    if (!(v.in = ib_alloc((size_t)(batch * ib_program_input_size(v.p)))) ||
        !(v.out = ib_alloc((size_t)(batch * ib_program_output_size(v.p)))))
        goto done;
    status = IB_OK;
    v.has_labels = labels_fit(v.p, data);
    ib_loader_start(loader, 0, 0);
    while (!status && ib_loader_next(loader, &b)) {
        status = verify_batch(&v, &b);
        report->samples += b.n;
        if (!status && o.progress)
            o.progress(o.context, report->samples, ib_dataset_count(data));
    }
    status = status ? status : ib_loader_status(loader);
    for (int i = 0; i < report->n_layers; i++)
        report->mismatches += report->layers[i].train + report->layers[i].runtime + report->layers[i].compiled;
    report->accuracy = report->samples && v.has_labels ? (double)v.right / (double)report->samples : -1;
done:
    if (v.c.library)
        dlclose(v.c.library);
    for (int i = 0; v.reference && i < v.p->n_instrs; i++)
        ib_free(v.reference[i]);
    ib_free(v.reference);
    ib_program_free(v.p);
    ib_loader_free(loader);
    ib_free(v.in);
    ib_free(v.out);
    if (status)
        ib_verify_report_free(report);
    return status;
}

void ib_verify_report_free(ib_verify_report *r)
{
    for (int i = 0; i < r->n_layers; i++)
        ib_free((char *)r->layers[i].name);
    ib_free(r->layers);
    r->layers = NULL;
    r->n_layers = 0;
}
