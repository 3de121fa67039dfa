/* test_constants.c - what a layer makes itself is the same constant in every phase, and one of the program; what is
 * none, and what has no integer form, is refused by name when quantization begins. Broken by: a constant taken for
 * the network's input, or left out at the end. */
#include "tests/digits.h"
#include "tests/qat/constants.h"

#include <unistd.h>

#include "program/program.h"
#include "tests/numbers.h"

enum { SAMPLES = 20 };

static ib_batch batch;

static void begin(void)
{
    begin_with(IB_SPLIT_TEST, &(ib_loader_opts){.batch = SAMPLES});
    ib_dataset_limit(data, SAMPLES);
}

static float *outputs(ib_layer *net, int in_float)
{
    ib_loader_start(loader, 0, 0);
    REQUIRE(ib_loader_next(loader, &batch));
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *x = ib_input(g, 4, batch.shape, batch.x),
              *y = in_float ? ib_layer_forward_float(g, net, x) : ib_layer_forward(g, net, x);
    if (!y)
        printf("\n    %s ", ib_error());
    REQUIRE(y != NULL);
    float *copy = malloc((size_t)ib_tensor_size(y) * sizeof *copy);
    REQUIRE(!ib_tensor_read(y, copy));
    return copy;
}

static void check(int kind, int is_add, int first, int rows, int behind, const ib_qat_opts *o)
{
    ib_layer *net = ready(constants_network(kind, is_add, first, rows, behind));
    float *want = outputs(net, 1);
    if (ib_qat_prepare(net, g, o))
        printf("\n    %s ", ib_error());
    REQUIRE(ib_qat_phase(net) == IB_CALIBRATE);
    float *watched = outputs(net, 0);
    REQUIRE(!ib_qat_calibrate(net, g, loader, 1) && !ib_qat_set_phase(net, g, IB_LEARN));
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, batch.shape, batch.x));
    if (!y)
        printf("\n    %s ", ib_error());
    REQUIRE(y && !ib_backward(g, ib_mean(g, ib_mul(g, y, y))));
    for (int i = 0; i < ib_param_count(net); i++)
        if (strstr(ib_tensor_name(ib_param_at(net, i)), ".k"))
            CHECK(grads_of(ib_param_at(net, i))[1] != 0); /* a constant that learns */
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    float *got = outputs(net, 0);
    ib_verify_report r;
    if (ib_verify(net, g, data, &(ib_verify_opts){.batch = 7, .skip_compiled = first || !is_add, .flags = "-O1"}, &r))
        printf("\n    %s ", ib_error());
    CHECK(r.samples == SAMPLES && r.mismatches == 0);
    ib_verify_report_free(&r);
    ib_program *p = ib_program_of(net, g);
    REQUIRE(p != NULL);
    const float step = ib_program_output_scale(p);
    const int64_t size = ib_program_output_size(p);
    double off = 0, mean = 0;
    for (int64_t i = 0; i < SAMPLES * size; i++) {
        off += watched[i] != want[i];
        mean += fabs(got[i] - want[i]) / step / (double)(SAMPLES * size);
    }
    CHECK(off == 0);
    if (!(mean < 3))
        printf("\n    kind %d add %d first %d rows %d behind %d: %g steps ", kind, is_add, first, rows, behind, mean);
    CHECK(mean < 3); /* a constant left out is off by tens of steps */
    CHECK(!strcmp(ib_program_note(p), ""));
    char path[64];
    snprintf(path, sizeof path, "/tmp/isobit-test-constants-%ld.h5", (long)getpid());
    REQUIRE(!ib_export_hdf5(p, path));
    ib_program *q = ib_program_open(path);
    if (!q)
        printf("\n    %s ", ib_error());
    unlink(path);
    int8_t in[SAMPLES * 64], *a = malloc((size_t)(2 * SAMPLES * size));
    ib_program_quantize(p, dev, SAMPLES, batch.x, in);
    REQUIRE(q && !ib_program_run(p, dev, SAMPLES, in, a) && !ib_program_run(q, dev, SAMPLES, in, a + SAMPLES * size));
    CHECK(!memcmp(a, a + SAMPLES * size, (size_t)(SAMPLES * size)));
    free(a), free(want), free(watched), free(got);
    ib_program_free(p);
    ib_program_free(q);
    ib_layer_free(net);
}

static void constants_stay_what_they_are(void)
{
    begin();
    for (int kind = 0; kind < N_CONSTANTS; kind++)
        for (int is_add = 0; is_add < 2; is_add++)
            for (int rows = 0; rows < 2; rows++)
                for (int behind = 0; behind < 2; behind++)
                    check(kind, is_add, (kind + rows) % 2, rows, behind,
                          &(ib_qat_opts){.profile = (ib_profile)((kind + behind) % 3), .observer = "minmax"});
    end();
}

/* ---- what is no constant ---- */

static int calls;

static ib_tensor *moving_forward(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    const float v = (float)++calls;
    (void)self;
    return ib_mul(graph, x, ib_input(graph, 1, (int64_t[]){1}, &v));
}

static ib_tensor *peeking_forward(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    (void)self;
    return ib_mul(graph, x, ib_input(graph, ib_tensor_ndim(x), ib_tensor_shape(x), values_of(x)));
}

static ib_tensor *joining_forward(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    const int64_t n = ib_tensor_shape(x)[0];
    float v[100 * 3];
    (void)self;
    for (int64_t i = 0; i < 3 * n; i++)
        v[i] = (float)(i % 3) - 1;
    return ib_concat(graph, (ib_tensor *[]){x, ib_input(graph, 2, (int64_t[]){n, 3}, v)}, 2, 1);
}

static ib_layer *own(ib_tensor *(*forward)(ib_layer *, ib_graph *, ib_tensor *), const char *name)
{
    static ib_layer_class cls[4];
    static int n;
    cls[n % 4] = (ib_layer_class){"own", forward};
    return ib_named(name, ib_layer_new(&cls[n++ % 4], 0));
}

static void what_differs_between_calls_is_refused(void)
{
    begin();
    ib_layer *net = ready(ib_sequential(ib_flatten_layer(), own(moving_forward, "moving"), ib_linear_layer(64, 10)));
    CHECK_ERROR(ib_qat_prepare(net, g, NULL), "layer 'moving'");
    ib_layer_free(net);
    net = ready(ib_sequential(ib_flatten_layer(), own(peeking_forward, "peeking"), ib_linear_layer(64, 10)));
    CHECK_ERROR(ib_qat_prepare(net, g, NULL), "layer 'peeking'");
    ib_layer_free(net);
    end();
}

static void what_has_no_form_is_said_at_the_beginning(void)
{
    begin();
    ib_layer *net = ready(ib_sequential(
        ib_flatten_layer(), ib_named("fc1", ib_linear_layer(64, 32)), ib_named("ln", ib_layer_norm_layer(32)),
        ib_named("bn", ib_batch_norm_layer(32)), ib_named("fc2", ib_linear_layer(32, 10))));
    CHECK_ERROR(ib_qat_begin(net, g, loader, &(ib_qat_opts){.weight_bits = 4}), "layer 'ln': layer_norm");
    CHECK_INT(ib_qat_phase(net), IB_FLOAT);
    /* it can be tried again */
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.weight_bits = 4, .rules = "ln=float"}));
    int seen = 0;
    for (int i = 0; i < ib_qat_layer_count(net); i++)
        seen += !strcmp(ib_qat_layer_at(net, i).form, "float: layer_norm");
    CHECK_INT(seen, 1);
    REQUIRE(!ib_qat_set_phase(net, g, IB_FROZEN));
    CHECK_ERROR(!ib_program_lower(net, g) ? 1 : 0, "layer 'ln'");
    ib_layer_free(net);
    end();
}

/* A constant joined to values is one of the program; ONNX and TFLite files cannot say it. */
static void constants_are_joined(void)
{
    begin();
    ib_layer *net = ready(ib_sequential(ib_flatten_layer(), ib_named("fc1", ib_linear_layer(64, 5)),
                                        own(joining_forward, "joined"), ib_named("fc2", ib_linear_layer(8, 10))));
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.profile = IB_FP32_RNE}) &&
            !ib_qat_set_phase(net, g, IB_FROZEN));
    ib_verify_report r;
    if (ib_verify(net, g, data, &(ib_verify_opts){.batch = 7, .flags = "-O1"}, &r))
        printf("\n    %s ", ib_error());
    CHECK(r.samples == SAMPLES && r.mismatches == 0);
    ib_verify_report_free(&r);
    ib_program *p = ib_program_of(net, g);
    REQUIRE(p != NULL);
    CHECK_ERROR(ib_export_onnx(p, "/tmp/never.onnx", "never", &(ib_onnx_opts){0}), "layer 'joined'");
    CHECK_ERROR(ib_export_tflite(p, "/tmp/never.tflite", "never", NULL), "layer 'joined'");
    ib_program_free(p);
    ib_layer_free(net);
    end();
}

SUITE("constants", T(constants_stay_what_they_are), T(what_differs_between_calls_is_refused),
      T(what_has_no_form_is_said_at_the_beginning), T(constants_are_joined))
