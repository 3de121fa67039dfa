/* cases_step_checks.c - what a step is held to and comes to: faults that are raised, or stay as they are; sums that go
 * on from what is there. */
#include "tests/kernels/fault_case.h"

void case_need_finite(void)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    for (int where = 0; where < 5; where++)
        EACH_SIZE(n) {
            const int64_t at = where == 0 ? n : where == 1 ? 0 : where == 2 ? n / 2 : n - 1; /* n: nowhere */
            a_shape("n %lld, at %lld%s", (long long)n, (long long)at, where == 4 ? ", behind another" : "");
            float *x = reals(n);
            ib_fault *fault = a_fault("the fault");
            for (int64_t i = at; i < n; i += 3)
                x[i] = odd[i % 3];
            if (where == 4)
                *fault = (ib_fault){.kind = IB_FAULT_row_not_finite, .index = 3};
            EACH_RUN(need_finite)
                dev->k.need_finite(dev, x, n, n, (ib_site){.fault = fault, .call = 9});
            const ib_fault *f = made_by_ref(fault);
            if (where == 0 || where == 4) {
                CHECK_INT(f->kind, where ? IB_FAULT_row_not_finite : IB_NO_FAULT);
                continue;
            }
            CHECK(f->kind == IB_FAULT_data_not_finite && f->index == at && f->call == 9 && f->value[1] == (double)n);
            CHECK(at % 3 ? f->value[0] == (double)INFINITY : isnan(f->value[0]));
        }
}

void case_spoil(void)
{
    for (int kind = 0; kind < 2; kind++)
        EACH_SIZE(n) {
            a_shape("n %lld, %s", (long long)n, kind ? "a fault" : "none");
            ib_fault *fault = given_fault();
            float *y = changed("y", REALS, n, EXACT);
            fault->kind = kind;
            EACH_RUN(spoil)
                dev->k.spoil(dev, y, n, fault);
            CHECK(isnan(((const float *)made_by_ref(y))[n - 1]) == kind);
        }
}

void case_judge(void)
{
    static const struct {
        float loss;
        int operators, data, verdict, refused;
    } cases[] = {
        {1, 0, 0, 0, 0},
        {1, IB_FAULT_row_not_finite, 0, 0, IB_FAULT_step_failed},
        {1, 0, IB_FAULT_data_not_finite, IB_FAULT_data_not_finite, IB_FAULT_step_refused},
        {NAN, 0, IB_FAULT_data_not_finite, IB_FAULT_data_not_finite, IB_FAULT_step_refused},
        {-INFINITY, 0, 0, IB_FAULT_loss_not_finite, IB_FAULT_step_refused},
        {NAN, IB_FAULT_row_not_finite, 0, IB_FAULT_loss_not_finite, IB_FAULT_step_refused},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        a_shape("loss %g, operators' fault %d, data's %d", cases[i].loss, cases[i].operators, cases[i].data);
        float *loss = reals(1);
        ib_fault *operators = given_fault(), *data = given_fault(), *verdict = a_fault("the verdict"),
                 *refused = a_fault("the refusal");
        *loss = cases[i].loss;
        operators->kind = cases[i].operators;
        *data = (ib_fault){.kind = cases[i].data, .index = cases[i].data ? 11 : 0};
        verdict->kind = IB_FAULT_loss_not_finite; /* an earlier one */
        EACH_RUN(judge)
            dev->k.judge(dev, loss, (ib_pass){40, 7 + i}, operators, data, verdict, refused);
        const ib_fault *v = made_by_ref(verdict), *r = made_by_ref(refused);
        CHECK(v->kind == cases[i].verdict && v->step == 40 && v->now == 7 + i && v->index == (cases[i].data ? 11 : 0));
        CHECK(r->kind == cases[i].refused && r->step == (r->kind ? 40 : 0));
    }
}

void case_clip_factor(void)
{
    static const double squares[] = {0, 2.25, 9, 17, INFINITY, NAN};
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        a_shape("norm %g, at most 3", sqrt(squares[i]));
        double *square = given("square", DOUBLES, 1), *norm = result("norm", DOUBLES, 1, EXACT);
        float *factor = result("factor", REALS, 1, EXACT);
        ib_fault *refused = a_fault("the refusal");
        *square = squares[i];
        EACH_RUN(clip_factor)
            dev->k.clip_factor(dev, square, 3, norm, factor, refused);
        CHECK(*(const float *)made_by_ref(factor) == (i == 3 ? (float)(3 / sqrt(17)) : 1));
        CHECK_INT(((const ib_fault *)made_by_ref(refused))->kind, i < 4 ? IB_NO_FAULT : IB_FAULT_norm_not_finite);
    }
}

void case_add_loss(void)
{
    a_shape("a loss of 0.3 for 7");
    float *loss = reals(1);
    ib_tally *tally = a_tally(0.1, 4, 6);
    *loss = 0.3f;
    EACH_RUN(add_loss)
        dev->k.add_loss(dev, loss, 7, tally);
    const ib_tally *t = made_by_ref(tally);
    CHECK(t->loss == 0.1 + (double)0.3f * 7 && t->steps == 5 && t->right == 6);
}

void case_count_right(void)
{
    for (int64_t cols = 1; cols < 40; cols += 9)
        EACH_SIZE(rows) {
            a_shape("%lld rows of %lld", (long long)rows, (long long)cols);
            float *y = reals(rows * cols);
            int32_t *label = indices(rows, (int32_t)cols);
            ib_tally *tally = a_tally(0.5, 3, 100);
            int64_t right = 100;
            for (int64_t i = 0; i < rows; i++) {
                float *row = y + i * cols;
                const int64_t top = i % cols, second = top + 1 < cols ? top + 1 : 0;
                row[top] = row[second] = 2; /* the first of two that are as large */
                right += label[i] == (cols > 1 && second < top ? second : top);
            }
            EACH_RUN(count_right)
                dev->k.count_right(dev, y, rows, cols, label, tally);
            const ib_tally *t = made_by_ref(tally);
            CHECK(t->right == right && t->steps == 3 && t->loss == 0.5);
        }
}
