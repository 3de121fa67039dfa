/* 01_autograd_by_hand.c - fits y = sin(x) with two matrices and gradient descent written out. */
#include <isobit/isobit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 64, HIDDEN = 16, STEPS = 4000 };

static ib_tensor *parameter(const char *name, int64_t rows, int64_t cols, uint64_t stream)
{
    ib_tensor *t = ib_tensor_new(IB_F32, 2, (int64_t[]){rows, cols}, 1, name);
    for (int64_t i = 0; t && i < rows * cols; i++)
        ib_tensor_f32(t)[i] = ib_rng_normal((ib_rng){1, stream}, (uint64_t)i) / sqrtf((float)cols);
    return t;
}

int main(void)
{
    int rc = EXIT_FAILURE;
    float x[N], y[N], loss = 1;
    for (int i = 0; i < N; i++) {
        x[i] = 6.2832f * (float)i / (N - 1) - 3.1416f;
        y[i] = sinf(x[i]);
    }
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_tensor *params[] = {parameter("w1", HIDDEN, 1, 1), parameter("b1", 1, HIDDEN, 2), parameter("w2", 1, HIDDEN, 3)};
    for (int step = 0; step < STEPS; step++) {
        ib_graph_begin(g, IB_TRAIN);
        ib_tensor *in = ib_input(g, 2, (int64_t[]){N, 1}, x), *want = ib_input(g, 2, (int64_t[]){N, 1}, y);
        ib_tensor *hidden = ib_tanh(g, ib_add(g, ib_linear(g, in, params[0], NULL), params[1]));
        ib_tensor *error = ib_mse(g, ib_linear(g, hidden, params[2], NULL), want);
        if (ib_backward(g, error))
            goto done;
        loss = ib_tensor_f32(error)[0];
        for (int p = 0; p < 3; p++) /* w -= 0.1 dw, and the gradient starts from zero again */
            for (int64_t i = 0; i < ib_tensor_size(params[p]); i++) {
                ib_tensor_f32(params[p])[i] -= 0.1f * ib_tensor_grad(params[p])[i];
                ib_tensor_grad(params[p])[i] = 0;
            }
        if (step % 800 == 0)
            printf("step %4d  mean squared error %.5f\n", step, loss);
    }
    printf("after %d steps the mean squared error is %.5f\n", STEPS, loss);
    rc = loss < 0.02f ? EXIT_SUCCESS : EXIT_FAILURE;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", ib_error());
    for (int p = 0; p < 3; p++)
        ib_tensor_free(params[p]);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}
