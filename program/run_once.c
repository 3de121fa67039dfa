/* run_once.c - single runs of a program: reals to codes, codes to codes. Many runs of one keep a runner (runner.c). */
#include "base/argument.h"
#include "program/program.h"

ib_status ib_program_quantize(const ib_program *p, ib_device *dev, int64_t n, const float *x, int8_t *codes)
{
    IB_NEED(p);
    IB_NEED(dev);
    IB_NEED(x);
    IB_NEED(codes);
    IB_TAKE(n, n >= 0, "is %lld", (long long)n);
    const ib_value *v = &p->values[0];
    dev = dev->host;
    const int64_t size = n * v->size, bad = dev->k.first_not_finite(dev, x, size), top = (int64_t)1 << (v->bits - 1);
    if (bad < size)
        return ib_fail(IB_ENUMERIC, "%s: x is %g at %lld of sample %lld: no code says so", __func__, x[bad],
                       (long long)(bad % v->size), (long long)(bad / v->size));
    dev->k.quantize(dev, x, size,
                    &(ib_affine){.scale = &v->scale,
                                 .zero = &v->zero,
                                 .qmin = (int)-top,
                                 .qmax = (int)top - 1,
                                 .half_away = p->rounding != ISOBIT_FP32_RNE},
                    codes, NULL);
    return IB_OK;
}

ib_status ib_program_run_traced(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out,
                                void (*see)(void *, int, const int8_t *), void *context)
{
    ib_runner *r = ib_runner_new_traced(p, dev, n);
    const ib_status status = r ? ib_runner_run_traced(r, n, in, out, see, context) : ib_error_status();
    ib_runner_free(r);
    return status;
}

ib_status ib_program_run(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out)
{
    IB_NEED(p);
    IB_NEED(dev);
    IB_NEED(in);
    IB_NEED(out);
    IB_TAKE(n, n > 0, "is %lld", (long long)n);
    ib_runner *r = ib_runner_new(p, dev, n);
    const ib_status status = r ? ib_runner_run(r, n, in, out) : ib_error_status();
    ib_runner_free(r);
    return status;
}
