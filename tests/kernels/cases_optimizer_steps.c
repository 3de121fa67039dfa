/* cases_optimizer_steps.c - optimizer steps: plain loops, equal in every bit; what becomes infinite is reported, where
 * the first fault stays, and a refused step changes nothing. */
#include <string.h>

#include "arithmetic/dynamic_code.h"
#include "tensor/storage/scaled.h"
#include "tests/kernels/fault_case.h"

enum { FINITE, INFINITE, REFUSED, FORMS };
static const char *const forms[] = {"finite", "one infinite", "refused"};

typedef struct parameter {
    float *w, *g;
    const float *kept; /* w as it was */
    ib_fault *fault, *refused;
    ib_progress *progress;
} parameter;

static parameter parameter_of(int64_t n, int form)
{
    const parameter p = {
        changed("w", REALS, n, EXACT), reals(n),      reals(n),
        a_fault("the report"),         given_fault(), given("progress", DOUBLES, IN_DOUBLES(ib_progress))};
    *p.progress = (ib_progress){3, 0, 0.271f, 0.003f, 0.0547f};
    memcpy((float *)p.kept, p.w, (size_t)n * sizeof(float));
    if (form == REFUSED)
        *p.refused = (ib_fault){.kind = IB_FAULT_step_refused, .step = 17};
    return p;
}

static ib_update update_of(const parameter *p)
{
    return (ib_update){{.fault = p->fault, .call = 5}, p->refused, p->progress, 0.25f};
}

static void check_report(const parameter *p, int form, int64_t n)
{
    const ib_fault *f = made_by_ref(p->fault);
    CHECK_INT(f->kind, form == FINITE     ? IB_NO_FAULT
                       : form == INFINITE ? IB_FAULT_parameter_not_finite
                                          : IB_FAULT_step_refused);
    CHECK(form != INFINITE || (f->call == 5 && f->value[0] == 0.25));
    CHECK(form != REFUSED || f->step == 17);
    CHECK((form == REFUSED) == !memcmp(made_by_ref(p->w), p->kept, (size_t)n * sizeof(float)));
}

/* Some rest, the others have taken any number of steps. */
void case_advance(void)
{
    for (int is_refused = 0; is_refused < 2; is_refused++)
        for (int64_t n = 1; n < 600; n = 2 * n + 1) {
            a_shape("n %lld%s", (long long)n, is_refused ? ", refused" : "");
            ib_fault *refused = given_fault();
            ib_progress *p = changed("progress", DOUBLES, n * IN_DOUBLES(ib_progress), EXACT);
            refused->kind = is_refused ? IB_FAULT_step_refused : IB_NO_FAULT;
            for (int64_t i = 0; i < n; i++)
                p[i] = (ib_progress){i % 7 ? i * i * 1000 : 0, i % 3 == 2, 0.5f, 0.25f, 0.125f};
            EACH_RUN(advance)
                dev->k.advance(dev, p, n, 0.9f, 0.999f, refused);
            const ib_progress *after = made_by_ref(p);
            for (int64_t i = 0; i < n; i++) {
                const int64_t before = i % 7 ? i * i * 1000 : 0;
                const int stays = is_refused || i % 3 == 2;
                CHECK_INT(after[i].steps, before + !stays);
                CHECK(after[i].rests == (i % 3 == 2));
                CHECK_NEAR(after[i].correction1, stays ? 0.5 : 1 - pow(0.9f, (double)before + 1), 1e-7);
                CHECK_NEAR(after[i].correction2, stays ? 0.25 : 1 - pow(0.999f, (double)before + 1), 1e-7);
                CHECK_NEAR(after[i].root2, stays ? 0.125 : sqrt(1 - pow(0.999f, (double)before + 1)), 1e-7);
            }
        }
}

void case_sgd(void)
{
    for (int nesterov = 0; nesterov < 2; nesterov++)
        for (int form = 0; form < FORMS; form++)
            EACH_SIZE(n) {
                const ib_sgd_step step = {0.1f, 0.9f, 1e-3f, 0.5f, nesterov};
                a_shape("n %lld, nesterov %d, %s", (long long)n, nesterov, forms[form]);
                const parameter p = parameter_of(n, form);
                float *m = changed("m", REALS, n, EXACT);
                if (form == INFINITE)
                    p.g[n - 1] = INFINITY;
                const ib_update u = update_of(&p);
                EACH_RUN(sgd)
                    dev->k.sgd(dev, &step, &u, p.w, p.g, m, n);
                check_report(&p, form, n);
            }
}

static const ib_adamw_step adam = {1e-2f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.5f};

void case_adamw(void)
{
    for (int form = 0; form < FORMS; form++)
        EACH_SIZE(n) {
            a_shape("n %lld, %s", (long long)n, forms[form]);
            const parameter p = parameter_of(n, form);
            float *m = changed("m", REALS, n, EXACT), *v = changed("v", REALS, n, EXACT);
            for (int64_t i = 0; i < n; i++)
                v[i] *= v[i];
            if (form == INFINITE)
                p.w[n / 2] = -INFINITY;
            const ib_update u = update_of(&p);
            EACH_RUN(adamw)
                dev->k.adamw(dev, &adam, &u, p.w, p.g, m, v, n);
            check_report(&p, form, n);
        }
}

void case_adamw8(void)
{
    for (int form = 0; form < FORMS; form++)
        EACH_SIZE(n) {
            const int64_t blocks = (n + IB_ADAMW8_BLOCK - 1) / IB_ADAMW8_BLOCK;
            a_shape("n %lld, %s", (long long)n, forms[form]);
            const parameter p = parameter_of(n, form);
            float *m_map = reals(256), *v_map = reals(256), *m_top = changed("the tops of m", REALS, blocks, EXACT),
                  *v_top = changed("the tops of v", REALS, blocks, EXACT);
            uint8_t *m = changed("m", BYTES, n, EXACT), *v = changed("v", BYTES, n, EXACT);
            ib_dynamic_map(1, m_map);
            ib_dynamic_map(0, v_map);
            for (int64_t b = 0; b < blocks; b++) {
                m_top[b] = b % 3 ? fabsf(m_top[b]) : 0; /* a state that is new */
                v_top[b] = b % 3 ? fabsf(v_top[b]) : 0;
            }
            if (form == INFINITE)
                p.w[n / 2] = -INFINITY;
            else if (n > 1)
                p.g[n / 2] = NAN; /* which is skipped */
            const ib_update u = update_of(&p);
            const ib_states8 q = {m, v, m_top, v_top, m_map, v_map};
            EACH_RUN(adamw8)
                dev->k.adamw8(dev, &adam, &u, &q, p.w, p.g, n);
            check_report(&p, form, n);
        }
}
