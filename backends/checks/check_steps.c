/* check_steps.c - of the kernels of training steps: the optimizer's, what a step is held to and comes to. */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED

void ib_check_advance(ib_device *dev, ib_progress *p, int64_t n, double beta1, double beta2, const ib_fault *refused)
{
    IB_ASSERT(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "averages forget");
    SPANS(OUT(p, n), IN(refused, 1));
}

void ib_check_sgd(ib_device *dev, const ib_sgd_step *s, const ib_update *u, float *w, const float *g, float *m,
                  int64_t n)
{
    SPANS(OUT(w, n), OUT(m, n), IN(g, n), OUT(u->at.fault, 1), IN(u->refused, 1));
}

void ib_check_adamw(ib_device *dev, const ib_adamw_step *s, const ib_update *u, float *w, const float *g, float *m,
                    float *v, int64_t n)
{
    SPANS(OUT(w, n), OUT(m, n), OUT(v, n), IN(g, n), OUT(u->at.fault, 1), IN(u->refused, 1), IN(u->progress, 1));
}

void ib_check_adamw8(ib_device *dev, const ib_adamw_step *s, const ib_update *u, const ib_states8 *state, float *w,
                     const float *g, int64_t n)
{
    const int64_t blocks = (n + IB_ADAMW8_BLOCK - 1) / IB_ADAMW8_BLOCK;
    SPANS(OUT(w, n), IN(g, n), OUT(state->m, n), OUT(state->v, n), OUT(state->m_top, blocks), OUT(state->v_top, blocks),
          IN(state->m_map, 256), IN(state->v_map, 256), OUT(u->at.fault, 1), IN(u->refused, 1), IN(u->progress, 1));
}

void ib_check_need_finite(ib_device *dev, const float *x, int64_t n, int64_t row, ib_site at)
{
    IB_ASSERT(row > 0 && n % row == 0, "data are whole samples");
    SPANS(IN(x, n), OUT(at.fault, 1));
}

void ib_check_spoil(ib_device *dev, float *y, int64_t n, const ib_fault *fault)
{
    SPANS(OUT(y, n), IN(fault, 1));
}

void ib_check_judge(ib_device *dev, const float *loss, ib_pass pass, const ib_fault *operators, const ib_fault *data,
                    ib_fault *verdict, ib_fault *refused)
{
    SPANS(IN(loss, 1), IN(operators, 1), IN(data, 1), OUT(verdict, 1), OUT(refused, 1));
}

void ib_check_add_sum_sq(ib_device *dev, const float *x, int64_t n, double *sum)
{
    SPANS(IN(x, n), OUT(sum, 1));
}

void ib_check_clip_factor(ib_device *dev, const double *square, double most, double *norm, float *factor,
                          ib_fault *refused)
{
    IB_ASSERT(most > 0, "a norm that is allowed is above 0");
    SPANS(IN(square, 1), OUT(norm, 1), OUT(factor, 1), OUT(refused, 1));
}

void ib_check_add_loss(ib_device *dev, const float *loss, double weight, ib_tally *tally)
{
    SPANS(IN(loss, 1), OUT(tally, 1));
}

void ib_check_count_right(ib_device *dev, const float *y, int64_t rows, int64_t cols, const int32_t *label,
                          ib_tally *tally)
{
    SPANS(IN(y, rows * cols), IN(label, rows), OUT(tally, 1));
}
#endif
