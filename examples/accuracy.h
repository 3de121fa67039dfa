/* accuracy.h - the share of test samples whose largest output is their label. */
#include <isobit/isobit.h>

static double accuracy(ib_graph *g, ib_layer *net, const ib_dataset *test, const ib_input_info *info)
{
    ib_loader *l = ib_loader_new(test, info, &(ib_loader_opts){.batch = 100});
    ib_batch b;
    int right = 0;
    while (l && ib_loader_next(l, &b)) {
        ib_graph_begin(g, IB_EVAL);
        ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x));
        for (int i = 0; y && i < b.n; i++) {
            const int64_t classes = ib_tensor_shape(y)[1];
            const float *row = ib_tensor_f32(y) + i * classes;
            int64_t best = 0;
            for (int64_t j = 1; j < classes; j++)
                best = row[j] > row[best] ? j : best;
            right += best == b.y[i];
        }
    }
    ib_loader_free(l);
    return (double)right / (double)ib_dataset_count(test);
}
