/* split.c - which rows of a table are its test part. */
#include <math.h>
#include <string.h>

#include "data/tables/table.h"

/* Rows of the class, the first `take` of them in an order drawn by seed and class alone (Fisher-Yates); returns how
 * many there are. */
static int64_t draw(int64_t n, const int32_t *y, int64_t class, uint64_t seed, int64_t take, int64_t *rows)
{
    const ib_rng rng = {seed, 0x53504c4954ULL << 20 | (uint64_t) class};
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (!y || y[i] == class)
            rows[count++] = i;
    for (int64_t i = 0; i < take && i < count; i++) {
        const int64_t j = i + ib_rng_below(rng, (uint64_t)i, (uint32_t)(count - i)), t = rows[i];
        rows[i] = rows[j];
        rows[j] = t;
    }
    return count;
}

static int64_t classes_of(int64_t n, const int32_t *y)
{
    int64_t classes = 1;
    for (int64_t i = 0; y && i < n; i++)
        classes = y[i] >= classes ? y[i] + 1 : classes;
    return classes;
}

ib_status ib_stratify(int64_t n, const int32_t *y, double share, uint64_t seed, uint8_t *test)
{
    const int64_t classes = classes_of(n, y);
    int64_t left = llround(share * (double)n);
    int64_t *count = ib_alloc((size_t)classes * sizeof *count), *take = ib_alloc((size_t)classes * sizeof *take);
    int64_t *rows = ib_alloc((size_t)n * sizeof *rows);
    memset(test, share >= 1, (size_t)n);
    if (count && take && rows && share < 1) {
        for (int64_t i = 0; i < n; i++)
            count[y ? y[i] : 0]++;
        for (int64_t c = 0; c < classes; c++) {
            take[c] = (int64_t)floor(share * (double)count[c]);
            left -= take[c];
        }
        while (left > 0) { /* the largest remainders, of classes that keep a row */
            int64_t best = -1;
            double most = 0;
            for (int64_t c = 0; c < classes; c++) {
                const double rest = share * (double)count[c] - (double)take[c];
                if (count[c] > take[c] + 1 && rest > most) {
                    most = rest;
                    best = c;
                }
            }
            if (best < 0)
                break;
            take[best]++;
            left--;
        }
        for (int64_t c = 0; c < classes; c++) {
            draw(n, y, c, seed, take[c], rows);
            for (int64_t i = 0; i < take[c]; i++)
                test[rows[i]] = 1;
        }
    }
    const ib_status status = count && take && rows ? IB_OK : IB_ENOMEM;
    ib_free(count);
    ib_free(take);
    ib_free(rows);
    return status;
}

/* Dealt like cards, class after class, so that the folds of the whole differ by one row at most, as those of each class
 * do. */
ib_status ib_stratify_fold(int64_t n, const int32_t *y, int folds, int fold, uint64_t seed, uint8_t *test)
{
    const int64_t classes = classes_of(n, y);
    int64_t *rows = ib_alloc((size_t)n * sizeof *rows), dealt = 0;
    for (int64_t c = 0; rows && c < classes; c++) {
        const int64_t count = draw(n, y, c, seed, n, rows);
        for (int64_t i = 0; i < count; i++)
            test[rows[i]] = (dealt + i) % folds == fold;
        dealt += count;
    }
    const ib_status status = rows ? IB_OK : IB_ENOMEM;
    ib_free(rows);
    return status;
}
