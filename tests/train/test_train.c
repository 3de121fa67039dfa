/* test_train.c - the loop: what it does a step, where it stops and goes on, what it says, what it cannot use. Broken
 * by: a schedule, draw or observer that starts anew after a resume, a step in another order than by hand, a
 * checkpoint that is written over by numbers that are not finite. */
#include "backends/kernels.h"
#include "tests/numbers.h"
#include "tests/train/small_training.h"

static ib_dataset *fit, *test;

static void begin_digits(void)
{
    begin();
    fit = ib_digits_new(IB_SPLIT_TRAIN);
    test = ib_digits_new(IB_SPLIT_TEST);
    REQUIRE(fit && test && !ib_dataset_limit(fit, 120) && !ib_dataset_limit(test, 60));
}

static void end_digits(void)
{
    ib_dataset_free(fit);
    ib_dataset_free(test);
    end();
}

static ib_layer *dropping(void)
{
    return ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 24), ib_relu_layer(), ib_dropout_layer(0.2f),
                         ib_linear_layer(24, 10));
}

static small start(void)
{
    small s;
    REQUIRE(!small_open(&s, dropping(), fit, 32));
    return s;
}

static const ib_qat_opts w4a4 = {.weight_bits = 4, .act_bits = 4};

static ib_train_opts usual(watch *w, ib_schedule_kind schedule)
{
    return (ib_train_opts){.epochs = 5,
                           .schedule = schedule,
                           .lr = 1e-2f,
                           .smoothing = 0.1f,
                           .clip = 1,
                           .qat = &w4a4,
                           .qat_from = 2,
                           .calibrate = 2,
                           .freeze = 1,
                           .test = test,
                           .out = path,
                           .progress = watch_training,
                           .user = w};
}

/* Stopped behind a step, and gone on from the file by objects that know nothing of it: 4 batches an epoch. */
static void resumes_to_the_same_bits(void)
{
    begin_digits();
    const ib_schedule_kind kinds[] = {IB_COSINE, IB_PLATEAU};
    for (int k = 0; k < 2; k++) {
        watch w = {0};
        small whole = start();
        ib_train_opts o = usual(&w, kinds[k]);
        o.out = other;
        REQUIRE(!ib_train(whole.net, g, whole.opt, whole.fit, &o, &whole.t));
        CHECK_INT(whole.t.at.n_history, 5);
        for (int64_t at = 1; at < 20; at += k ? 6 : 1) {
            small first = start(), second = start();
            o = usual(&w, kinds[k]);
            w.stop_at = at;
            CHECK_INT(ib_train(first.net, g, first.opt, first.fit, &o, &first.t), IB_ESTOPPED);
            CHECK_INT(first.t.at.total_steps, at);
            w.stop_at = 0;
            REQUIRE(!ib_train_resume(path, second.net, g, second.opt, &second.t));
            REQUIRE(!ib_train(second.net, g, second.opt, second.fit, &o, &second.t));
            CHECK(same_file(path, other));
            CHECK(second.t.score == whole.t.score && second.t.loss == whole.t.loss &&
                  second.t.float_score == whole.t.float_score);
            small_free(&first);
            small_free(&second);
        }
        small_free(&whole);
    }
    end_digits();
}

/* What the header says that a step is, written out. */
static void steps_as_by_hand(void)
{
    begin_digits();
    small ours = start(), hand = start();
    const ib_train_opts o = {.epochs = 3, .schedule = IB_COSINE, .lr = 1e-2f, .warmup = 2, .clip = 0.5};
    REQUIRE(!ib_train(ours.net, g, ours.opt, ours.fit, &o, &ours.t));
    const ib_schedule s = {.kind = IB_COSINE, .lr = 1e-2f, .total = 12, .warmup = 2, .final = 0.05f};
    for (int64_t epoch = 0, step = 0; epoch < 3; epoch++) {
        REQUIRE(!ib_loader_start(hand.fit, epoch, 0));
        for (ib_batch b; ib_loader_next(hand.fit, &b); step++) {
            REQUIRE(!ib_optim_set_lr(hand.opt, ib_schedule_lr(&s, step)));
            ib_graph_seed(g, 5, (uint64_t)step);
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *y = ib_layer_forward(g, hand.net, ib_input(g, 4, b.shape, b.x));
            REQUIRE(!ib_backward(g, ib_cross_entropy(g, y, b.y, 0)));
            REQUIRE(ib_optim_clip(hand.opt, 0.5) > 0 && !ib_optim_step(hand.opt));
        }
    }
    for (int i = 0; i < ib_param_count(ours.net); i++) {
        ib_tensor *a = ib_param_at(ours.net, i), *b = ib_param_at(hand.net, i);
        CHECK(!memcmp(values_of(a), values_of(b), (size_t)ib_tensor_size(a) * sizeof(float)));
    }
    CHECK(isnan(ours.t.score) && isnan(ours.t.loss)); /* nothing was tested */
    CHECK_INT(ours.t.at.n_history, 3);
    small_free(&ours);
    small_free(&hand);
    end_digits();
}

static void tells_what_it_does(void)
{
    begin_digits();
    small s = start();
    watch w = {0};
    ib_train_opts o = usual(&w, IB_COSINE);
    REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &o, &s.t));
    CHECK_INT(w.steps, 20);
    CHECK_INT(w.epochs, 5);
    CHECK_INT(w.quantized, 1);
    CHECK_INT(w.tested, 8); /* each epoch, before and behind the change to integers, at the end */
    CHECK(w.last.epoch == 5 && w.last.epochs == 5 && w.last.done == 20 && w.last.total == 20);
    CHECK(w.last.loss == (double)0 || fabs(w.last.loss - s.t.at.history[4 * IB_HISTORY + 1]) < 1e-6);
    CHECK_INT(w.last.phase, IB_FROZEN);
    CHECK_INT(ib_qat_phase(s.net), IB_FROZEN);
    ib_evaluation e, in_float;
    REQUIRE(!ib_evaluate(s.net, g, test, NULL, &e));
    CHECK(e.score == s.t.score && e.loss == s.t.loss && e.samples == 60 && !e.targets);
    REQUIRE(!ib_evaluate(s.net, g, test, &(ib_evaluate_opts){.in_float = 1, .batch = 7}, &in_float));
    CHECK(in_float.loss != e.loss);
    CHECK(s.t.at.best >= s.t.score && s.t.score > 0.3);
    small_free(&s);
    end_digits();
}

/* Behind the last step of an epoch its test comes first, and behind the last epoch there is nothing to stop. */
static void stops_where_it_is_asked(void)
{
    begin_digits();
    watch w = {.stop_at = 4};
    small s = start();
    ib_train_opts o = usual(&w, IB_CONSTANT);
    o.out = NULL;
    CHECK_INT(ib_train(s.net, g, s.opt, s.fit, &o, &s.t), IB_ESTOPPED);
    CHECK(strstr(ib_error(), "stopped in epoch 2 at step 0") != NULL);
    CHECK(s.t.at.epoch == 1 && s.t.at.step == 0 && w.epochs == 1 && access(path, F_OK));
    w.stop_at = 20;
    CHECK_INT(ib_train(s.net, g, s.opt, s.fit, &o, &s.t), IB_OK);
    CHECK_INT(s.t.at.epoch, 5);
    o.epochs = 4;
    o.freeze = 0;
    CHECK_ERROR(ib_train(s.net, g, s.opt, s.fit, &o, &s.t), "t->at.epoch is 5 of 4 epochs");
    small_free(&s);
    end_digits();
}

static void quantizes_after_training(void)
{
    begin_digits();
    watch w = {0};
    small s = start();
    ib_train_opts o = usual(&w, IB_COSINE);
    o.qat_from = 5;
    o.freeze = 0;
    o.best = other;
    REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &o, &s.t));
    CHECK(w.quantized == 1 && w.last.phase == IB_FLOAT && ib_qat_phase(s.net) == IB_FROZEN);
    CHECK(s.t.float_score == s.t.at.history[4 * IB_HISTORY + 2] ||
          fabs(s.t.float_score - s.t.at.history[4 * IB_HISTORY + 2]) < 1e-6);
    ib_checkpoint c;
    REQUIRE(!ib_checkpoint_peek(other, &c)); /* of the quantized network alone */
    CHECK(c.best == s.t.score && c.epoch == 5);
    ib_checkpoint_release(&c);
    small_free(&s);
    end_digits();
}

/* The step is named, and the last checkpoint stays as it was. */
static void refuses_what_is_not_finite(void)
{
    begin_digits();
    small s = start();
    watch w = {0};
    ib_train_opts o = {.epochs = 1, .lr = 1e-2f, .out = path};
    REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &o, &s.t));
    REQUIRE(!ib_train_resume(path, s.net, g, s.opt, &s.t));
    ib_tensor *last = ib_param_at(s.net, ib_param_count(s.net) - 1);
    set_value(last, 0, INFINITY);
    o = (ib_train_opts){.epochs = 2, .lr = 1e-2f, .out = path, .progress = watch_training, .user = &w};
    CHECK_INT(ib_train(s.net, g, s.opt, s.fit, &o, &s.t), IB_ENUMERIC);
    CHECK(strstr(ib_error(), dev->is_host ? "epoch 2, step 1: the loss is "
                                          : "epoch 2: ib_optim_step: step 4 has no gradients") != NULL);
    CHECK(strstr(ib_error(), ": training stops; the last good checkpoint is ") != NULL && strstr(ib_error(), path));
    CHECK_INT(w.steps, dev->is_host ? 0 : 4); /* which were told before it was known */
    REQUIRE(!ib_train_resume(path, s.net, g, s.opt, &s.t));
    CHECK(s.t.at.epoch == 1 && values_of(last)[0] < 1e3f);
    small_free(&s);
    end_digits();
}

/* 54 samples of class 0 and 6 of class 1, all alike: the weights decide what they are taken for. */
static void weighs_classes(void)
{
    begin();
    float x[60];
    int32_t y[60];
    for (int i = 0; i < 60; i++) {
        x[i] = 1;
        y[i] = i % 10 == 0;
    }
    ib_dataset *d = ib_dataset_new(60, 1, 1, 1, 2, 0, x, y);
    const float weights[] = {1, 20};
    for (int weighted = 0; weighted < 2; weighted++) {
        small s;
        REQUIRE(!small_open(&s, ib_sequential(ib_flatten_layer(), ib_linear_layer(1, 2)), d, 20));
        const ib_train_opts o = {.epochs = 20, .lr = 0.1f, .class_weights = weighted ? weights : NULL, .test = d};
        REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &o, &s.t));
        CHECK_NEAR(s.t.score, weighted ? 0.1 : 0.9, 1e-9);
        small_free(&s);
    }
    ib_dataset_free(d);
    end();
}

/* y = 2a - b and z = 5: R^2 of the first, and of the second 0 as long as there is an error. */
static void learns_numbers(void)
{
    begin();
    float x[160], y[160];
    for (int i = 0; i < 80; i++) {
        x[2 * i] = ib_rng_normal((ib_rng){1, 1}, (uint64_t)i);
        x[2 * i + 1] = ib_rng_normal((ib_rng){1, 2}, (uint64_t)i);
        y[2 * i] = 2 * x[2 * i] - x[2 * i + 1];
        y[2 * i + 1] = 5;
    }
    ib_dataset *d = ib_dataset_of_targets(80, 2, 1, 1, 2, 0, x, y);
    small s;
    REQUIRE(!small_open(&s, ib_sequential(ib_flatten_layer(), ib_linear_layer(2, 2)), d, 16));
    const ib_train_opts o = {.epochs = 60, .schedule = IB_COSINE, .lr = 0.3f, .test = d};
    REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &o, &s.t));
    ib_evaluation e;
    REQUIRE(!ib_evaluate(s.net, g, d, NULL, &e));
    CHECK_INT(e.n_targets, 2);
    CHECK(e.targets[0].r2 > 0.999 && e.targets[0].rmse < 0.05 && e.targets[0].mae <= e.targets[0].rmse);
    CHECK(e.targets[1].r2 == 0 && !*e.targets[1].name);
    CHECK_NEAR(e.score, (e.targets[0].r2 + e.targets[1].r2) / 2, 1e-12);
    const double square[] = {e.targets[0].rmse * e.targets[0].rmse, e.targets[1].rmse * e.targets[1].rmse};
    CHECK_NEAR(e.loss, (square[0] + square[1]) / 2, 1e-9);
    CHECK(isnan(s.t.at.measures[0]) && s.t.at.best == s.t.at.best && s.t.score == e.score);
    ib_evaluation_release(&e);
    CHECK(!e.targets);
    small_free(&s);
    ib_dataset_free(d);
    end();
}

/* Files of a loop of one's own, or of an older one. */
static void goes_on_from_other_files(void)
{
    begin_digits();
    small s = start();
    float lines[2 * IB_HISTORY] = {1, 2, 0.5f, 1e-3f, 2, 1, 0.75f, 1e-3f};
    ib_checkpoint c = {.epoch = 2, .total_steps = 8, .state = {0, -1}, .history = lines, .n_history = 2};
    REQUIRE(!ib_checkpoint_save(path, s.net, s.opt, &c));
    CHECK_ERROR(ib_train_resume(path, s.net, g, s.opt, &s.t), "a.h5: its schedule counts -1 steps and 0 drops");
    c.state[1] = 0;
    REQUIRE(!ib_checkpoint_save(path, s.net, s.opt, &c) && !ib_train_resume(path, s.net, g, s.opt, &s.t));
    REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &(ib_train_opts){.epochs = 3, .test = test}, &s.t));
    CHECK_INT(s.t.at.n_history, 3);
    CHECK(isnan(s.t.at.measures[0]) && isnan(s.t.at.measures[3]) && s.t.at.measures[4] > 0); /* not known, then known */
    CHECK(s.t.at.history[IB_HISTORY + 2] == 0.75f && s.t.at.history[2 * IB_HISTORY] == 3);
    c.step = 99;
    REQUIRE(!ib_checkpoint_save(path, s.net, s.opt, &c) && !ib_train_resume(path, s.net, g, s.opt, &s.t));
    CHECK_ERROR(ib_train(s.net, g, s.opt, s.fit, &(ib_train_opts){.epochs = 3}, &s.t), "t->at.step is 99 of 4 batches");
    small_free(&s);
    end_digits();
}

/* A place that is none is refused before the network changes, and no count of it is added to. */
static void refuses_other_places(void)
{
    static const struct {
        ib_checkpoint at;
        const char *message;
    } places[] = {{{.epoch = -1}, "t->at.epoch is -1 of 2 epochs"},
                  {{.epoch = 3}, "t->at.epoch is 3 of 2 epochs"},
                  {{.step = 5}, "t->at.step is 5 of 4 batches"},
                  {{.total_steps = -1}, "t->at.total_steps is -1, 0 to 2^50 are possible"},
                  {{.total_steps = INT64_MAX}, "t->at.total_steps is 9223372036854775807, 0 to 2^50 are possible"},
                  {{.right = INT64_MAX}, "t->at.right is 9223372036854775807 of 120 samples"},
                  {{.state = {0, 0, 1e30}}, "t->at.state: its schedule counts 0 steps and 1e+30 drops"},
                  {{.state = {0, 0, 0, 0, NAN}}, "t->at.state: its schedule counts nan steps and 0 drops"},
                  {{.n_history = -1}, "t->at.n_history is -1 without t->at.history"},
                  {{.n_history = 3}, "t->at.n_history is 3 without t->at.history"}};
    begin_digits();
    small s = start();
    const float before = values_of(ib_param_at(s.net, 0))[0];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        s.t.at = places[i].at;
        CHECK_ERROR(ib_train(s.net, g, s.opt, s.fit, &(ib_train_opts){.epochs = 2}, &s.t), places[i].message);
    }
    CHECK(values_of(ib_param_at(s.net, 0))[0] == before);
    s.t = (ib_training){.at.total_steps = 0};
    CHECK(!ib_train(s.net, g, s.opt, s.fit, &(ib_train_opts){.epochs = 2, .warmup = INT64_MAX}, &s.t));
    small_free(&s);
    end_digits();
}

/* Another network's checkpoint: refused, and this network trains on as if nothing had been. */
static void keeps_what_another_cannot_give(void)
{
    begin_digits();
    small s = start(), wider;
    REQUIRE(!small_open(&wider, ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10)), fit, 32));
    ib_train_opts o = {.epochs = 2, .lr = 1e-2f, .qat = &w4a4, .qat_from = 1, .out = path};
    REQUIRE(!ib_train(s.net, g, s.opt, s.fit, &o, &s.t));
    const float before = values_of(ib_param_at(wider.net, 0))[0];
    CHECK_ERROR(ib_train_resume(path, wider.net, g, wider.opt, &wider.t), "has 1536 values, 640 are expected");
    CHECK_INT(ib_qat_phase(wider.net), IB_FLOAT);
    CHECK(values_of(ib_param_at(wider.net, 0))[0] == before);
    o.out = other;
    CHECK(!ib_train(wider.net, g, wider.opt, wider.fit, &o, &wider.t));
    small_free(&s);
    small_free(&wider);
    end_digits();
}

SUITE("train", T(resumes_to_the_same_bits), T(steps_as_by_hand), T(tells_what_it_does), T(stops_where_it_is_asked),
      T(quantizes_after_training), T(refuses_what_is_not_finite), T(weighs_classes), T(learns_numbers),
      T(goes_on_from_other_files), T(refuses_other_places), T(keeps_what_another_cannot_give))
