/* test_sides.c - on a tape of several devices each thing is computed where its inputs lie, whatever was computed last;
 * what a moved parameter has left is read by nobody. Broken by: a public function that leaves the graph turned to
 * another device, or takes the device that it finds; a reader of numbers that does not ask whether they are there. */
#include "autograd/op.h"
#include "tests/check.h"

static const int64_t square[] = {2, 2}, image[] = {2, 4, 1, 1}, one[] = {1};
static const float numbers[] = {1, -1, 0.5f, 2, 0.25f, -2, 1, 0};
static const char *const pairs[][2] = {{"test:poison", "cpu:ref"}, {"cpu:ref", "test:poison"}, {"cpu", "cpu:ref"}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

typedef struct place {
    ib_device *dev, *other;
    ib_graph *g, *h; /* on dev, on other */
} place;

static place open_place(int pair)
{
    place p = {ib_device_open(pairs[pair][0]), ib_device_open(pairs[pair][1]), NULL, NULL};
    REQUIRE(p.dev && p.other && (p.g = ib_graph_new(p.dev)) && (p.h = ib_graph_new(p.other)));
    return p;
}

static void close_place(place *p)
{
    ib_graph_free(p->g);
    ib_graph_free(p->h);
    ib_device_close(p->dev);
    ib_device_close(p->other);
}

static ib_tensor *weight(const char *name)
{
    ib_tensor *w = ib_tensor_new(IB_F32, 2, square, 1, name);
    REQUIRE(w && !ib_tensor_write(w, numbers));
    return w;
}

static ib_tensor *squared(ib_graph *g, ib_tensor *w)
{
    return ib_sum(g, ib_mul(g, w, w));
}

/* y = x (w w): of w alone first */
static ib_tensor *own_weight;
static ib_tensor *scaled(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    (void)self;
    return ib_mul(g, ib_mul(g, own_weight, own_weight), x);
}

static ib_tensor *in_segment(ib_graph *g, void *context, ib_tensor *x)
{
    (void)context;
    return ib_mul(g, ib_mul(g, own_weight, own_weight), x);
}

/* What computes on the other device, of there, which lies there. */
static void compute_there(int what, const place *p, ib_tensor *there, ib_layer *net)
{
    static const int32_t at[] = {0, 0};
    static const ib_layer_class none = {"none", NULL};
    ib_graph *g = p->g;
    float value;
    switch (what) {
    case 0: REQUIRE(ib_relu(g, there) != NULL); break;
    case 1: REQUIRE(!ib_loss_value(g, ib_sum(g, there), &value)); break;
    case 2: REQUIRE(!ib_backward(g, ib_sum(g, there))); break;
    case 3: CHECK_ERROR(!ib_reshape(g, there, 1, one), "reshape"); break;
    case 4: REQUIRE(ib_layer_forward(g, net, there) != NULL); break;
    case 5: REQUIRE(ib_checkpoint_segment(g, in_segment, NULL, 0, there) != NULL); break;
    case 6:
        REQUIRE(ib_causal_attention(g, there, there, there, &(ib_attention_opts){1, 1, 2, 1, 0, at, 0}) != NULL);
        break;
    case 7: REQUIRE(ib_rope(g, there, &(ib_rope_opts){1, 2, 2, 1, at, ib_relu(g, there)}) != NULL); break;
    case 8: {
        int64_t n;
        float *x = ib_trace_output(g, "", &n);
        CHECK(!x);
        free(x);
        break;
    }
    case 9: CHECK_ERROR(ib_backward(g, ib_sum(g, ib_mul(g, there, ib_input(g, 2, square, numbers)))), "lies on"); break;
    default: {
        ib_layer *bad = ib_layer_new(&none, 0);
        CHECK_ERROR(!ib_layer_forward(g, bad, there), "no forward");
        ib_layer_free(bad);
    }
    }
}

static void the_last_operators_device_is_forgotten(void)
{
    static const ib_layer_class cls = {"scaled", scaled};
    for (int i = 0; i < PAIRS * 11; i++) {
        place p = open_place(i % PAIRS);
        own_weight = weight("own");
        ib_tensor *w = weight("w"), *fresh = weight("fresh");
        ib_layer *net = ib_layer_new(&cls, 0);
        REQUIRE(net && !ib_layer_init(net, 1));
        ib_graph_begin(p.g, IB_TRAIN);
        ib_tensor *here = ib_mul(p.g, w, ib_input(p.g, 2, square, numbers)), *there = ib_to_device(p.g, here, p.other);
        REQUIRE(there != NULL);
        compute_there(i / PAIRS, &p, there, net);
        CHECK(p.g->here == p.g->sides[0] && p.g->dev == p.dev);
        ib_tensor *term = squared(p.g, w), *other = squared(p.g, fresh);
        REQUIRE(term && other && term->side->dev == p.dev && other->side->dev == p.dev);
        CHECK(!ib_backward(p.g, ib_add(p.g, ib_sum(p.g, here), ib_add(p.g, term, other))));
        ib_layer_free(net);
        ib_graph_free(p.g);
        p.g = NULL;
        ib_tensor_free(own_weight), ib_tensor_free(w), ib_tensor_free(fresh);
        close_place(&p);
    }
}

/* Of a parameter that the step has used on the other device, whatever was computed last. */
static void operators_of_parameters_follow_them(void)
{
    for (int i = 0; i < PAIRS; i++) {
        place p = open_place(i);
        ib_tensor *w = weight("w"), *fresh = weight("fresh");
        ib_graph_begin(p.g, IB_TRAIN);
        ib_tensor *x = ib_input(p.g, 2, square, numbers), *y = ib_matmul(p.g, ib_to_device(p.g, x, p.other), w);
        ib_tensor *last = ib_relu(p.g, x), *term = squared(p.g, w), *both = ib_mul(p.g, fresh, w);
        REQUIRE(y && last && term && both);
        const int moved = ib_home(p.dev) != ib_home(p.other); /* memory of both is the host's otherwise */
        CHECK(term->side->dev == (moved ? p.other : p.dev));
        CHECK(both->side->dev == (moved ? p.other : p.dev));
        float four[4];
        CHECK(!ib_backward(p.g, term) && !ib_tensor_read_grad(w, four));
        for (int j = 0; j < 4; j++)
            CHECK(four[j] == 2 * numbers[j]);
        ib_graph_free(p.g);
        p.g = NULL;
        ib_tensor_free(w), ib_tensor_free(fresh);
        close_place(&p);
    }
}

static ib_layer *network(ib_graph *g, const ib_qat_opts *opts)
{
    float x[8];
    ib_layer *net = ib_sequential(ib_flatten_layer(), ib_linear_layer(4, 8), ib_batch_norm_layer(8), ib_relu_layer(),
                                  ib_linear_layer(8, 2));
    REQUIRE(net && !ib_layer_init(net, 1));
    REQUIRE(!ib_layer_set_input(net, &(ib_input_info){.c = 4, .h = 1, .w = 1, .classes = 2}));
    REQUIRE(!ib_qat_prepare(net, g, opts));
    for (int k = 0; k < 3; k++) {
        for (int j = 0; j < 8; j++)
            x[j] = numbers[j] * (float)(k + 1);
        ib_graph_begin(g, IB_EVAL);
        REQUIRE(ib_layer_forward(g, net, ib_input(g, 4, image, x)) != NULL);
    }
    return net;
}

/* Scales are fixed on the graph's device, and a network in integers runs where its input lies. */
static void a_quantized_network_runs_at_its_input(void)
{
    static const ib_qat_opts opts[] = {{.weight_bits = 8, .act_bits = 8},
                                       {.weight_bits = 4, .act_bits = 4, .observer = "lsq", .weight_observer = "lsq"}};
    for (int i = 0; i < PAIRS * 4; i++) {
        place p = open_place(i % PAIRS);
        const int learned = i / PAIRS % 2, mode = i / PAIRS / 2 ? IB_TRAIN : IB_EVAL;
        ib_layer *net = network(p.h, &opts[learned]);
        float want[4], got[4];
        ib_graph_begin(p.h, IB_EVAL);
        REQUIRE(ib_to_device(p.h, ib_input(p.h, 4, image, numbers), p.dev) != NULL);
        CHECK(!ib_qat_set_phase(net, p.h, IB_LEARN) && !ib_graph_synchronize(p.h));
        ib_graph_begin(p.h, mode);
        ib_tensor *y = ib_layer_forward(p.h, net, ib_input(p.h, 4, image, numbers));
        REQUIRE(y && !ib_tensor_read(y, want));
        ib_graph_begin(p.g, IB_EVAL);
        ib_tensor *x = ib_to_device(p.g, ib_input(p.g, 4, image, numbers), p.other);
        REQUIRE(x && ib_relu(p.g, ib_input(p.g, 4, image, numbers))); /* the last that is computed, on p.dev */
        y = ib_layer_forward(p.g, net, x);
        if (!y)
            printf("\n    %s ", ib_error());
        REQUIRE(y && y->side->dev == p.other && !ib_tensor_read(y, got));
        CHECK(!ib_graph_synchronize(p.g));
        if (mode == IB_EVAL)
            CHECK(!memcmp(got, want, sizeof got));
        ib_layer_free(net);
        close_place(&p);
    }
}

/* ---- what a moved parameter has left ---- */

static ib_tensor *view_again(ib_graph *g, void *context, ib_tensor *x)
{
    (void)g, (void)x;
    return context;
}

static void nobody_reads_what_was_moved(void)
{
    for (int i = 0; i < 2 * 2; i++) {
        place p = open_place(i % 2);
        const ib_mode mode = i / 2 ? IB_TRAIN : IB_EVAL;
        ib_tensor *w = ib_tensor_new(IB_F32, 1, one, 1, "w"), *c = ib_tensor_new(IB_CODES, 2, square, 0, "c");
        float four[4];
        REQUIRE(w && c);
        ib_graph_begin(p.g, mode);
        ib_tensor *x = ib_input(p.g, 1, one, numbers),
                  *view = ib_reshape(p.g, ib_reshape(p.g, w, 2, (int64_t[]){1, 1}), 1, one),
                  *codes = ib_reshape(p.g, c, 1, (int64_t[]){4}), *copied = ib_flatten_hwc(p.g, c);
        REQUIRE(x && view && codes && copied);
        CHECK(!strcmp(ib_tensor_made_by(p.g, view), ""));
        const size_t saved = ib_graph_saved_bytes(p.g);
        ib_graph_begin(p.h, IB_EVAL);
        REQUIRE(ib_relu(p.h, w) && ib_reshape(p.h, c, 1, (int64_t[]){4}));
        static const char was[] = "which this step has used, was moved since";
        CHECK_ERROR(ib_loss_value(p.g, view, four) == IB_ESTATE, was);
        CHECK_ERROR(ib_backward(p.g, view) == IB_ESTATE, was);
        CHECK_ERROR(!ib_tensor_f32(view), was);
        CHECK_ERROR(!ib_tensor_grad(view), was);
        CHECK_ERROR(!ib_tensor_codes(codes), was);
        CHECK_ERROR(ib_tensor_read(view, four), was);
        CHECK_ERROR(ib_tensor_read_codes(codes, (int8_t *)four), was);
        CHECK_ERROR(ib_tensor_scale(codes) == 0, was);
        CHECK_ERROR(ib_tensor_scale(copied) == 0, was); /* it is the parameter's */
        void *copy;
        CHECK_ERROR(!ib_tensor_look(view, &copy), was);
        CHECK_ERROR(!ib_relu(p.g, view), was);
        CHECK_ERROR(!ib_checkpoint_segment(p.g, view_again, view, 0, x), was);
        CHECK(!strcmp(ib_tensor_made_by(p.g, view), ""));
        CHECK(ib_graph_saved_bytes(p.g) == saved);
        FILE *to = fopen("/dev/null", "w");
        REQUIRE(to != NULL);
        CHECK(mode == IB_EVAL || !ib_graph_print(p.g, to));
        fclose(to);
        ib_graph_free(p.g);
        ib_graph_free(p.h);
        p.g = p.h = NULL;
        ib_tensor_free(w), ib_tensor_free(c);
        close_place(&p);
    }
}

static void a_loss_is_a_result(void)
{
    place p = open_place(1);
    ib_tensor *w = ib_tensor_new(IB_F32, 1, one, 1, "w");
    float value;
    ib_graph_begin(p.g, IB_TRAIN);
    CHECK_ERROR(ib_loss_value(p.g, w, &value) == IB_ESTATE, "ib_loss_value: loss is no result of this step");
    CHECK_ERROR(ib_backward(p.g, w) == IB_ESTATE, "ib_backward: loss is no result of this step");
    ib_tensor_free(w);
    close_place(&p);
}

/* A use that fails leaves no parameter that the tape holds for its own and does not know. */
static void a_use_that_fails_is_none(void)
{
    enum { MANY = 64 }; /* uses for which a graph has room at first */
    place p = open_place(1);
    ib_tensor *w[MANY], *t = weight("t");
    ib_graph_begin(p.g, IB_TRAIN);
    for (int i = 0; i < MANY; i++)
        REQUIRE((w[i] = weight("w")) && ib_relu(p.g, w[i]));
    ib_graph_begin(p.g, IB_TRAIN); /* the memory of which is there now */
    for (int i = 0; i < MANY; i++)
        REQUIRE(ib_relu(p.g, w[i]) != NULL);
    ib_alloc_fail_at(1);
    ib_tensor *y = ib_relu(p.g, t);
    ib_alloc_fail_at(0);
    CHECK(!y && t->used != p.g->now);
    REQUIRE((y = squared(p.g, t)) != NULL);
    ib_graph_begin(p.h, IB_EVAL);
    REQUIRE(ib_relu(p.h, t) != NULL);
    CHECK_ERROR(ib_backward(p.g, y), "'t', which this step has used, was moved since");
    ib_graph_free(p.g), ib_graph_free(p.h);
    p.g = p.h = NULL;
    for (int i = 0; i < MANY; i++)
        ib_tensor_free(w[i]);
    ib_tensor_free(t);
    close_place(&p);
}

/* ---- segments ---- */

typedef struct journey {
    int kind;
    ib_device *home, *away;
} journey;
enum { STAYS, READS_BEHIND, RETURNS, ENDS_AWAY, MAKES_NOTHING, GIVES_LEAF, TURNS, KINDS };

static ib_tensor *travel(ib_graph *g, void *context, ib_tensor *x)
{
    const journey *j = context;
    ib_tensor *y = ib_tanh(g, x);
    switch (j->kind) {
    case READS_BEHIND: return ib_input(g, 2, square, numbers) ? y : NULL;
    case RETURNS: return ib_to_device(g, ib_tanh(g, ib_to_device(g, x, j->away)), j->home);
    case ENDS_AWAY: return ib_to_device(g, y, j->away);
    case MAKES_NOTHING: return x;
    case GIVES_LEAF: return own_weight;
    case TURNS: return ib_reshape(g, y, 2, (int64_t[]){1, 4});
    default: return y;
    }
}

static void a_segment_ends_where_it_begins(void)
{
    static const char *const refusals[KINDS] = {NULL,
                                                NULL,
                                                NULL,
                                                "the segment begins on",
                                                "the result of an operator",
                                                "the result of an operator",
                                                "must keep its input's shape"};
    for (int i = 0; i < PAIRS * KINDS * 2 * 2; i++) {
        place p = open_place(i % PAIRS);
        const int kind = i / PAIRS % KINDS, far = i / PAIRS / KINDS % 2;
        const ib_mode mode = i / PAIRS / KINDS / 2 ? IB_TRAIN : IB_EVAL;
        journey j = {kind, far ? p.other : p.dev, far ? p.dev : p.other};
        ib_tensor *w = weight("w");
        own_weight = weight("own");
        ib_graph_begin(p.g, mode);
        ib_tensor *x = ib_relu(p.g, w);
        x = far ? ib_to_device(p.g, x, p.other) : x;
        REQUIRE(x && ib_input(p.g, 2, square, numbers)); /* the last that is computed, at home */
        ib_tensor *y = ib_checkpoint_segment(p.g, travel, &j, 0, x);
        CHECK(p.g->here == p.g->sides[0]);
        float four[4];
        if (refusals[kind]) {
            CHECK_ERROR(!y, refusals[kind]);
        } else {
            REQUIRE(y && y->side->dev == j.home && !ib_tensor_read(y, four));
            CHECK_NEAR(four[2], tanh(0.5), 1e-6);
            if (mode == IB_TRAIN) {
                REQUIRE(!ib_backward(p.g, ib_sum(p.g, y)) && !ib_tensor_read_grad(w, four));
                CHECK_NEAR(four[2], 1 - tanh(0.5) * tanh(0.5), 1e-6);
            }
        }
        CHECK(!ib_graph_synchronize(p.g));
        ib_graph_free(p.g);
        p.g = NULL;
        ib_tensor_free(w), ib_tensor_free(own_weight);
        close_place(&p);
    }
}

/* A device that cannot go on is reported by a step that has applied nothing, too. */
static void a_device_fails_before_the_first_operator(void)
{
    for (int i = 0; i < 2; i++) {
        place p = open_place(0);
        strcpy(p.dev->failure, "a kernel could not run");
        CHECK(!ib_graph_begin(p.g, IB_TRAIN));
        ib_tensor *x = i ? ib_input(p.g, 2, square, numbers) : NULL;
        CHECK_ERROR(ib_graph_synchronize(p.g) == IB_EUNSUPPORTED, "test:poison: a kernel could not run");
        CHECK(!x == !i && !strstr(ib_error(), "input:") == !i);
        close_place(&p);
    }
}

SUITE("sides", T(the_last_operators_device_is_forgotten), T(operators_of_parameters_follow_them),
      T(a_quantized_network_runs_at_its_input), T(nobody_reads_what_was_moved), T(a_loss_is_a_result),
      T(a_use_that_fails_is_none), T(a_segment_ends_where_it_begins), T(a_device_fails_before_the_first_operator))
