/* triangular.c - see triangular.h. h = R R' with R upper triangular, from the last column to the first; U = R^-1. */
#include "ptq/triangular.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* R_jj = sqrt(h_jj - sum over k > j of R_jk^2), R_ij = (h_ij - sum over k > j of R_ik R_jk) / R_jj for i < j. Rows lie
 * one behind the other, so that sums go along memory. */
static ib_status factor(double *h, int64_t n)
{
    for (int64_t j = n - 1; j >= 0; j--) {
        const double *of = h + j * n;
        double d = of[j];
        for (int64_t k = j + 1; k < n; k++)
            d -= of[k] * of[k];
        if (!(d > 0) || !isfinite(d))
            return ib_fail(IB_ENUMERIC, "the Hessian is not positive definite at column %lld", (long long)j);
        const double root = sqrt(d);
        h[j * n + j] = root;
#pragma omp parallel for schedule(static) if (j * (n - j) > 16384)
        for (int64_t i = 0; i < j; i++) {
            double *row = h + i * n, sum[4] = {0};
            int64_t k = j + 1;
            for (; k + 4 <= n; k += 4)
                for (int l = 0; l < 4; l++)
                    sum[l] += row[k + l] * of[k + l];
            for (; k < n; k++)
                sum[0] += row[k] * of[k];
            row[j] = (row[j] - ((sum[0] + sum[1]) + (sum[2] + sum[3]))) / root;
        }
    }
    return IB_OK;
}

/* Rows of U from the last to the first: U_ij = ([i = j] - sum over i < k <= j of R_ik U_kj) / R_ii. A tile of columns
 * needs no other's. */
enum { WIDE = 64 };
static void invert_tile(const double *r, int64_t n, int64_t from, double *u)
{
    const int64_t width = n - from < WIDE ? n - from : WIDE, end = from + width;
    for (int64_t i = end - 1; i >= 0; i--) {
        double row[WIDE] = {0};
        if (i >= from)
            row[i - from] = 1;
        for (int64_t k = i + 1; k < end; k++) {
            const double *below = u + k * n + from, of = r[i * n + k];
            for (int64_t j = 0; j < width; j++)
                row[j] -= of * below[j];
        }
        for (int64_t j = 0; j < width; j++)
            u[i * n + from + j] = row[j] / r[i * n + i];
    }
}

ib_status ib_upper_inverse(double *h, int64_t n)
{
    double *u = ib_alloc((size_t)(n * n) * sizeof *u);
    const ib_status status = u ? factor(h, n) : IB_ENOMEM;
    if (!status) {
#pragma omp parallel for schedule(dynamic)
        for (int64_t from = 0; from < n; from += WIDE)
            invert_tile(h, n, from, u);
        memcpy(h, u, (size_t)(n * n) * sizeof *u);
    }
    ib_free(u);
    return status;
}
