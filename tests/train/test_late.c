/* test_late.c - a device that computes late: nothing waits for it in a step whose loss nobody reads, and what kernels
 * find is said once it is known, while parameters stay as they were. The CPU stands for it, of whose faults nothing is
 * known until `known`. Broken by: a read of a loss, norm or fault in a step, an update that a refusal does not keep,
 * a fault that is lost or told twice. */
#include "autograd/tensor.h"
#include "backends/kernels.h"
#include "layers/layer.h"
#include "tests/train/small_training.h"

static int known, waits;
static ib_dataset *data;
static small s;

static void peek(ib_device *of, void *to, const void *from, size_t bytes)
{
    (void)of;
    if (known)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

static void download(ib_device *of, void *to, const void *from, size_t bytes)
{
    (void)of;
    memcpy(to, from, bytes);
    waits++;
}

static void synchronize(ib_device *of)
{
    (void)of;
    waits++;
}

static ib_layer *network(void)
{
    return ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 24), ib_relu_layer(), ib_linear_layer(24, 10));
}

static void begin_late(int batch)
{
    begin();
    dev->is_host = 0;
    dev->v.peek = peek;
    dev->v.download = download;
    dev->v.synchronize = synchronize;
    known = waits = 0;
    data = ib_digits_new(IB_SPLIT_TRAIN);
    REQUIRE(data && !ib_dataset_limit(data, 128) && !small_open(&s, network(), data, batch));
}

static void end_late(void)
{
    small_free(&s);
    ib_dataset_free(data);
    end();
}

static int64_t waits_of(int batch, const char *out)
{
    begin_late(batch);
    const ib_train_opts o = {.epochs = 3, .lr = 1e-2f, .clip = 0.5, .out = out ? path : NULL};
    REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &o, &s.t));
    CHECK_INT(s.t.at.total_steps, 3 * 128 / batch);
    const int64_t n = waits;
    end_late();
    return n;
}

static void steps_do_not_wait(void)
{
    CHECK(waits_of(32, NULL) > 0); /* for the epochs' losses */
    CHECK_INT(waits_of(8, NULL), waits_of(32, NULL));
    CHECK_INT(waits_of(8, "out"), waits_of(32, "out"));
}

/* A step of the data whose first value is `odd`, if that is not 0. */
static ib_tensor *loss_of(float odd)
{
    ib_batch b;
    static float x[16 * 64];
    REQUIRE(!ib_loader_start(s.fit, 0, 0) && ib_loader_next(s.fit, &b) && b.n == 16);
    memcpy(x, b.x, sizeof x);
    x[5 * 64 + 9] = odd != 0 ? odd : x[5 * 64 + 9];
    ib_graph_begin(g, IB_TRAIN);
    return ib_cross_entropy(g, ib_layer_forward(g, s.net, ib_input(g, 4, b.shape, x)), b.y, 0);
}

static float *values(void)
{
    return ib_f32(ib_param_at(s.net, 0));
}

/* Steps that go on as if nothing were; then it is known, and said once. */
static void expect(const char *line, ib_status (*step)(void))
{
    float before[64];
    memcpy(before, values(), sizeof before);
    known = 0;
    REQUIRE(!step());
    CHECK(!memcmp(before, values(), sizeof before));
    known = 1;
    REQUIRE(!ib_backward(g, loss_of(0)));
    CHECK_ERROR(ib_optim_step(s.opt), line);
    CHECK_INT(ib_error_status(), IB_ENUMERIC);
    CHECK(memcmp(before, values(), sizeof before) != 0 && isfinite(values()[0])); /* but this one is taken */
    REQUIRE(!ib_backward(g, loss_of(0)) && !ib_optim_step(s.opt));
}

static ib_status odd_data(void)
{
    float value = 0;
    ib_graph_seed(g, 1, 40);
    ib_tensor *loss = loss_of(NAN);
    CHECK(ib_loss_value(g, loss, &value) == IB_ENUMERIC && isnan(value));
    CHECK(strstr(ib_error(), "ib_loss_value: step 40: value 9 of sample 5 of the input [16,1,8,8] is nan") != NULL);
    return ib_backward(g, loss) || ib_optim_limit(s.opt, 1) || ib_optim_step(s.opt);
}

static ib_status odd_loss(void)
{
    float value = 0, *last = ib_f32(ib_param_at(s.net, 3)), kept = last[0];
    ib_graph_seed(g, 1, 50);
    last[0] = INFINITY;
    ib_tensor *loss = loss_of(0);
    CHECK_ERROR(ib_loss_value(g, loss, &value), "ib_loss_value: step 50: loss is");
    last[0] = kept;
    return ib_backward(g, loss) || ib_optim_step(s.opt);
}

static ib_status odd_norm(void)
{
    if (ib_backward(g, loss_of(0)))
        return IB_EINVAL;
    ib_param_at(s.net, 0)->grad[3] = INFINITY;
    return ib_optim_limit(s.opt, 1) || ib_optim_step(s.opt);
}

static void refused_steps_change_nothing(void)
{
    begin_late(16);
    expect("ib_optim_step: step 40 has no gradients: its data or loss are not finite, as ib_backward() said", odd_data);
    expect("ib_optim_step: step 50 has no gradients: its data or loss are not finite, as ib_backward() said", odd_loss);
    expect("ib_optim_step: the gradients' norm is inf", odd_norm);
    end_late();
}

static void broken_parameters_are_named(void)
{
    begin_late(16);
    REQUIRE(!ib_optim_set_lr(s.opt, 2e38f) && !ib_backward(g, loss_of(0)));
    ib_tensor *p = ib_param_at(s.net, 2);
    ib_f32(p)[1] = 3e38f;
    p->grad[1] = ib_f32(p)[1] > 0 ? -1.0f : 1.0f;
    REQUIRE(!ib_optim_step(s.opt) && !ib_optim_set_lr(s.opt, 1e-3f));
    known = 1;
    char line[128];
    snprintf(line, sizeof line, "ib_optim_step: parameter '%s' is not finite after a step of lr 2e+38",
             ib_tensor_name(p));
    CHECK_ERROR(ib_optim_step(s.opt), line);
    ib_f32(p)[1] = 0;
    CHECK(!ib_optim_zero(s.opt) && !ib_optim_step(s.opt));
    end_late();
}

/* States are copied to the host, and back. */
static void checkpoints_are_the_hosts(void)
{
    begin_late(16);
    ib_checkpoint c = {.seed = 1}, back;
    REQUIRE(!ib_backward(g, loss_of(0)) && !ib_optim_step(s.opt));
    REQUIRE(!ib_checkpoint_save(path, s.net, s.opt, &c));
    CHECK(waits >= 2 * ib_param_count(s.net));
    dev->is_host = 1;
    REQUIRE(!ib_checkpoint_save(other, s.net, s.opt, &c));
    CHECK(same_file(path, other));
    dev->is_host = 0;
    small_free(&s);
    REQUIRE(!small_open(&s, network(), data, 16) && !ib_checkpoint_restore(path, s.net, g, s.opt, &back));
    REQUIRE(!ib_checkpoint_save(other, s.net, s.opt, &back));
    CHECK(same_file(path, other));
    ib_checkpoint_release(&back);
    CHECK(ib_adamw_new(s.net, dev, &(ib_adamw_opts){.paged = 1}) == NULL);
    CHECK(strstr(ib_error(), "ib_adamw_new: opts->paged is 1: the memory of device 'cpu:") != NULL);
    end_late();
}

SUITE("late", T(steps_do_not_wait), T(refused_steps_change_nothing), T(broken_parameters_are_named),
      T(checkpoints_are_the_hosts))
