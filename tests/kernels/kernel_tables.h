/* kernel_tables.h - rows and columns about those of vectors and blocks, and some for several threads. */
#ifndef IB_TESTS_KERNELS_KERNEL_TABLES_H
#define IB_TESTS_KERNELS_KERNEL_TABLES_H

#include "tests/kernels/kernel_case.h"

static const int64_t kernel_tables[][2] = {{1, 1},  {1, 10},  {7, 3},    {3, 7},    {7, 16},   {16, 17},   {5, 33},
                                           {2, 64}, {2, 129}, {10, 100}, {1, 2048}, {40, 576}, {40, 1027}, {301, 67}};
enum { N_TABLES = sizeof kernel_tables / sizeof *kernel_tables };
#define EACH_TABLE(rows, cols)                                                                                         \
    for (size_t t_ = 0; t_ < N_TABLES; t_++)                                                                           \
        for (int64_t rows = kernel_tables[t_][0], cols = kernel_tables[t_][1], once_ = 1; once_; once_ = 0)

/* Begins the shape of a table. */
static inline void a_table(int64_t rows, int64_t cols)
{
    a_shape("%lldx%lld", (long long)rows, (long long)cols);
}

#endif
