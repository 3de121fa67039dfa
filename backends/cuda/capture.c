/* capture.c - in the plugin: a step of training as one CUDA graph.
 *
 * Between begin_step and end_step what is given to `compute` is captured, each step anew, so that all arguments are
 * this step's: the executable graph of a step of as many nodes takes them (cudaGraphExecUpdate) and is launched once. A
 * step that follows one of which something could not be captured goes plainly; if all of it could have been, the next
 * one is captured again. The thread goes on using the stream that copies and memory of its own: the mode is Relaxed. */
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/inner.h"

ib_status ib_cuda_capture_open(ib_cuda *d, const char *asked)
{
    const char *wanted = getenv("ISOBIT_CUDA_GRAPHS");
    d->capture.is_off = wanted && !strcmp(wanted, "off");
    d->capture.tells = wanted && !strcmp(wanted, "tell");
    if (!wanted || !*wanted || !strcmp(wanted, "on") || d->capture.is_off || d->capture.tells)
        return IB_OK;
    return d->library.fail(IB_EUNSUPPORTED, "%s: ISOBIT_CUDA_GRAPHS is '%s': on, off and tell are known", asked,
                           wanted);
}

void ib_cuda_capture_close(ib_cuda *d)
{
    cudaGraph_t graph = NULL;
    if (d->capture.active && !cudaStreamEndCapture(d->compute, &graph)) /* of which nobody can see anything */
        cudaGraphDestroy(graph);
    d->capture.active = 0;
    for (int i = 0; i < IB_CUDA_GRAPHS; i++)
        if (d->capture.graphs[i].exec)
            cudaGraphExecDestroy(d->capture.graphs[i].exec);
}

static void __attribute__((format(printf, 2, 3))) tell(const ib_cuda *d, const char *format, ...)
{
    char line[400];
    va_list args;
    if (!d->capture.tells)
        return;
    va_start(args, format);
    d->library.format(line, sizeof line, format, args);
    va_end(args);
    d->library.note(line);
}

/* ---- executable graphs ---- */

/* Of so many nodes; or the one whose last launch is longest ago. */
static ib_cuda_graph *place_of(ib_cuda_capture *c, size_t nodes)
{
    ib_cuda_graph *oldest = &c->graphs[0];
    for (int i = 0; i < IB_CUDA_GRAPHS; i++) {
        if (c->graphs[i].exec && c->graphs[i].nodes == nodes)
            return &c->graphs[i];
        if (c->graphs[i].used < oldest->used)
            oldest = &c->graphs[i];
    }
    return oldest;
}

static int64_t steps(const ib_cuda *d)
{
    const ib_cuda_counts *n = &d->own.counts;
    return n->whole + n->cut + n->plain + 1;
}

/* What was captured, in the executable graph of its kind. */
static cudaError_t executable(ib_cuda *d, cudaGraph_t graph, size_t nodes, cudaGraphExec_t *exec)
{
    ib_cuda_graph *g = place_of(&d->capture, nodes);
    cudaGraphExecUpdateResultInfo info;
    g->used = steps(d);
    if (g->exec && g->nodes == nodes && !cudaGraphExecUpdate(g->exec, graph, &info)) {
        *exec = g->exec;
        return cudaSuccess;
    }
    cudaGetLastError(); /* the refusal to be updated */
    if (g->exec)
        cudaGraphExecDestroy(g->exec);
    g->exec = NULL;
    g->nodes = nodes;
    const cudaError_t error = cudaGraphInstantiate(&g->exec, graph, 0);
    *exec = g->exec;
    d->own.counts.made += !error;
    tell(d, "%s: step %lld: an executable graph of %zu nodes is made", d->own.base.name, (long long)steps(d), nodes);
    return error;
}

/* Ends the capture, and begins what came of it. */
static void launch(ib_cuda *d)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    size_t nodes = 0;
    cudaError_t error = cudaStreamEndCapture(d->compute, &graph);
    d->capture.active = 0;
    error = error ? error : cudaGraphGetNodes(graph, NULL, &nodes);
    error = error || !nodes ? error : executable(d, graph, nodes, &exec);
    error = error || !nodes ? error : ib_cuda_staging_launch(d, exec);
    if (graph)
        cudaGraphDestroy(graph);
    if (error) /* what was begun is lost */
        ib_cuda_break(&d->own.base, error, "a step as a graph (ISOBIT_CUDA_GRAPHS=off does without)");
    else
        ib_cuda_watches_fly(d);
}

/* ---- steps ---- */

void ib_cuda_leave_step(ib_cuda *d, const char *why)
{
    ib_cuda_capture *c = &d->capture;
    if (!c->in_step)
        return;
    c->why = c->why ? c->why : why;
    if (!c->active)
        return;
    launch(d);
    tell(d, "%s: step %lld: the rest goes plainly, behind %s", d->own.base.name, (long long)steps(d), why);
    d->own.counts.cut++;
}

void ib_cuda_begin_step(ib_device *dev)
{
    ib_cuda *d = ib_cuda_of(dev);
    ib_cuda_capture *c = &d->capture;
    ib_cuda_end_step(dev); /* that of the step before, if it had none */
    c->in_step = !c->is_off;
    c->why = NULL;
    if (!c->in_step || !c->was_whole)
        return;
    ib_cuda_watches_land(d);
    const cudaError_t error = cudaStreamBeginCapture(d->compute, cudaStreamCaptureModeRelaxed);
    c->active = !error;
    if (error)
        ib_cuda_break(dev, error, "a step as a graph");
}

void ib_cuda_end_step(ib_device *dev)
{
    ib_cuda *d = ib_cuda_of(dev);
    ib_cuda_capture *c = &d->capture;
    if (!c->in_step)
        return;
    if (c->active) {
        launch(d);
        d->own.counts.whole++;
    } else if (!c->was_whole) {
        if (c->why)
            tell(d, "%s: step %lld: each kernel by itself, for %s", d->own.base.name, (long long)steps(d), c->why);
        d->own.counts.plain++;
    }
    c->in_step = 0;
    c->was_whole = !c->why;
}
