/* trace_node.c - see trace_node.h */
#include <string.h>

#include "autograd/trace_node.h"
#include "base/number.h"
#include "base/trace.h"

char *ib_node_shapes(const ib_node *n, char *text, size_t size)
{
    size_t at = 0;
    for (int i = 0; i <= n->n_in && at < size; i++) {
        const ib_tensor *t = i < n->n_in ? n->in[i] : n->out;
        char shape[64];
        const int length = ib_snprintf(text + at, size - at, "%s%s",
                                       i == n->n_in ? i ? " -> " : "-> "
                                       : i          ? " "
                                                    : "",
                                       t ? ib_tensor_shape_text(t, shape, sizeof shape) : "-");
        at += length > 0 ? (size_t)length : 0;
    }
    return text;
}

/* The sum of numbers wherever they lie, a piece at a time. */
static uint32_t sum_of(const ib_tensor *t, uint32_t sum, const void *numbers, size_t bytes)
{
    unsigned char piece[8192];
    if (!t->dev)
        return ib_trace_sum(sum, numbers, bytes);
    for (size_t at = 0; at < bytes; at += sizeof piece) {
        const size_t n = bytes - at < sizeof piece ? bytes - at : sizeof piece;
        ib_block_read(t->dev, piece, (const unsigned char *)numbers + at, n);
        sum = ib_trace_sum(sum, piece, n);
    }
    return sum;
}

void ib_trace_forward(const ib_node *n, double began)
{
    char shapes[320];
    const size_t bytes = (size_t)n->out->size * ib_dtype_bytes(n->out->dtype);
    ib_trace_end(&(ib_trace_line){.what = "forward",
                                  .op = n->op->name,
                                  .layer = n->scope,
                                  .shapes = ib_node_shapes(n, shapes, sizeof shapes),
                                  .bytes = bytes,
                                  .began = began,
                                  .sum = sum_of(n->out, 0, n->out->data, bytes)});
}

void ib_trace_backward(const ib_node *n, double began)
{
    char shapes[320];
    uint32_t sum = 0;
    uint64_t bytes = 0;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && n->in[i]->grad) {
            const size_t each = (size_t)n->in[i]->size * sizeof(float);
            sum = sum_of(n->in[i], sum, n->in[i]->grad, each);
            bytes += each;
        }
    ib_trace_end(&(ib_trace_line){.what = "backward",
                                  .op = n->op->name,
                                  .layer = n->scope,
                                  .shapes = ib_node_shapes(n, shapes, sizeof shapes),
                                  .bytes = bytes,
                                  .began = began,
                                  .sum = sum});
}
