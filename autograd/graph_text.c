/* graph_text.c - a tape as text, and as a picture in Graphviz's language (graphviz.org/doc/info/lang.html). */
#include <stdio.h>
#include <string.h>

#include "autograd/graph_kept.h"
#include "autograd/op.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "files/dot.h"
#include "files/file.h"

/* "codes of 8 bits, scale 0.0123, zero point -128", or "" of real numbers. */
static void add_codes(ib_strbuf *s, const ib_tensor *t, const char *before)
{
    if (t->dtype != IB_CODES)
        return;
    ib_strbuf_add(s, "%sint%d", before, t->q.bits);
    if (t->q.n_scales == 1 && t->q.scale)
        ib_strbuf_add(s, ", scale %.6g, zero point %d", ib_tensor_scale(t), ib_tensor_zero_point(t));
    else if (t->q.scale)
        ib_strbuf_add(s, ", %d scales", t->q.n_scales);
}

/* "%12 [32,10]" of a result, "conv1.weight [8,1,3,3]" of a leaf, "-" of a missing one. */
static void add_operand(ib_strbuf *s, const ib_tensor *t)
{
    char shape[64];
    if (!t)
        ib_strbuf_add(s, "-");
    else if (t->node >= 0)
        ib_strbuf_add(s, "%%%d", t->node);
    else
        ib_strbuf_add(s, "%s %s", t->name ? t->name : "input", ib_tensor_shape_text(t, shape, sizeof shape));
}

/* "  keeps result 32768, options 64, saved[0] 4096: 36928 bytes" */
static void add_kept(ib_strbuf *s, const ib_kept *k)
{
    const char *between = "";
    ib_strbuf_add(s, "  keeps ");
    for (int i = 0; i < IB_KEPT_PARTS; i++)
        if (k->part[i]) {
            ib_strbuf_add(s, "%s", between);
            if (i >= IB_KEPT_SAVED)
                ib_strbuf_add(s, "saved[%d] ", i - IB_KEPT_SAVED);
            else
                ib_strbuf_add(s, i == IB_KEPT_RESULT ? "result " : "options ");
            ib_strbuf_add(s, "%zu", k->part[i]);
            between = ", ";
        }
    ib_strbuf_add(s, "%s%zu bytes", *between ? ": " : "", k->all);
}

ib_status ib_graph_print(const ib_graph *g, FILE *to)
{
    IB_NEED(g);
    IB_NEED(to);
    ib_strbuf s = {0};
    size_t all = 0, kept_all = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const ib_node *n = &g->nodes[i];
        const size_t bytes = (size_t)n->out->size * ib_dtype_bytes(n->out->dtype);
        char shape[64];
        all += bytes;
        ib_strbuf_add(&s, "%%%-4d %-18s %-24s %-18s %10zu bytes%s  (", i, n->op->name,
                      n->scope && *n->scope ? n->scope : "-", ib_tensor_shape_text(n->out, shape, sizeof shape), bytes,
                      n->out->needs_grad ? "  gradient" : "");
        for (int j = 0; j < n->n_in; j++) {
            ib_strbuf_add(&s, j ? ", " : "");
            add_operand(&s, n->in[j]);
        }
        ib_strbuf_add(&s, ")");
        add_codes(&s, n->out, "  ");
        const ib_kept kept = ib_node_kept(g, n);
        kept_all += kept.all;
        add_kept(&s, &kept);
        ib_strbuf_add(&s, "\n");
    }
    ib_strbuf_add(&s,
                  "%d operators, results of %zu bytes; they keep %zu, segments' memory is %zu; the step takes %zu\n",
                  g->n_nodes, all, kept_all, g->sides[0]->memos.used, ib_graph_bytes(g));
    const ib_status status = s.failed             ? IB_ENOMEM
                             : fputs(s.s, to) < 0 ? ib_fail(IB_EIO, "ib_graph_print: nothing could be written")
                                                  : IB_OK;
    ib_free(s.s);
    return status;
}

/* A leaf is drawn once, under the number of the first node that reads it. */
static int first_reader(const ib_graph *g, const ib_tensor *t, int *input)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->nodes[i].n_in; j++)
            if (g->nodes[i].in[j] == t) {
                *input = j;
                return i;
            }
    return -1;
}

ib_status ib_graph_dot(const ib_graph *g, const char *path)
{
    IB_NEED(g);
    IB_NEED(path);
    ib_strbuf s = {0};
    ib_dot_begin(&s, "tape");
    for (int i = 0; i < g->n_nodes; i++) {
        const ib_node *n = &g->nodes[i];
        char shape[64];
        ib_strbuf label = {0};
        ib_strbuf_add(&label, "%s\n%s\n%s", n->op->name, n->scope ? n->scope : "",
                      ib_tensor_shape_text(n->out, shape, sizeof shape));
        add_codes(&label, n->out, "\n");
        ib_strbuf_add(&label, "\nkeeps %zu bytes", n->took);
        ib_dot_node(&s, "n", i, label.s, n->out->dtype == IB_CODES ? IB_DOT_CODES : IB_DOT_REAL);
        s.failed |= label.failed;
        ib_free(label.s);
        for (int j = 0; j < n->n_in; j++) {
            const ib_tensor *t = n->in[j];
            int input = 0;
            if (!t)
                continue;
            const int from = t->node >= 0 ? t->node : first_reader(g, t, &input);
            if (t->node < 0 && from == i && input == j) {
                char text[160];
                ib_snprintf(text, sizeof text, "%s\n%s", t->name ? t->name : "input",
                            ib_tensor_shape_text(t, shape, sizeof shape));
                ib_dot_node(&s, "leaf", IB_MAX_INPUTS * i + j, text, t->name ? IB_DOT_PARAMETER : IB_DOT_INPUT);
            }
            ib_dot_edge(&s, t->node >= 0 ? "n" : "leaf", t->node >= 0 ? from : IB_MAX_INPUTS * from + input, "n", i,
                        ib_tensor_shape_text(t, shape, sizeof shape));
        }
    }
    return ib_dot_finish(&s, path);
}
