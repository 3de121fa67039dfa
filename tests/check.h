/* check.h - CUnit without its boilerplate: a suite is a list of functions.
 *
 *   TEST(name) { CHECK(x == 1); }
 *   SUITE("tensor", name, ...) */
#ifndef IB_TESTS_CHECK_H
#define IB_TESTS_CHECK_H

#ifdef IB_TEST_WITHOUT_CUNIT
#include "tests/no_cunit.h"
#else
#include <CUnit/Basic.h>
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <isobit/isobit.h>

#include "base/alloc.h"
#include "files/file.h"

#define CHECK(condition) CU_ASSERT(condition)
#define REQUIRE(condition) CU_ASSERT_FATAL(condition)
/* Shows both numbers when they differ. */
#define CHECK_INT(a, b)                                                                                                \
    do {                                                                                                               \
        const long long left_ = (long long)(a), right_ = (long long)(b);                                               \
        if (left_ != right_)                                                                                           \
            printf("\n    %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #a, left_, right_);                      \
        CU_ASSERT(left_ == right_);                                                                                    \
    } while (0)
#define CHECK_NEAR(a, b, bound)                                                                                        \
    do {                                                                                                               \
        const double left_ = (a), right_ = (b);                                                                        \
        if (!(fabs(left_ - right_) <= (bound)))                                                                        \
            printf("\n    %s:%d: %s is %.9g, not %.9g\n", __FILE__, __LINE__, #a, left_, right_);                      \
        CU_ASSERT(fabs(left_ - right_) <= (bound));                                                                    \
    } while (0)
/* The call fails and its message holds `text`. */
#define CHECK_ERROR(call, text)                                                                                        \
    do {                                                                                                               \
        const int failed_ = (call) != 0;                                                                               \
        if (!failed_ || !strstr(ib_error(), text))                                                                     \
            printf("\n    %s:%d: %s: '%s' lacks '%s'\n", __FILE__, __LINE__, failed_ ? "failed" : "did not fail",      \
                   ib_error(), text);                                                                                  \
        CU_ASSERT(failed_ &&strstr(ib_error(), text));                                                                 \
    } while (0)

static inline int same_file(const char *a, const char *b)
{
    size_t na = 0, nb = 0;
    unsigned char *x = ib_file_read(a, &na), *y = ib_file_read(b, &nb);
    const int same = x && y && na == nb && !memcmp(x, y, na);
    ib_free(x);
    ib_free(y);
    return same;
}

typedef struct test_case {
    const char *name;
    void (*run)(void);
} test_case;

static inline int run_suite(const char *name, const test_case *cases, int n)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    for (int i = 0; i < n; i++)
        CU_add_test(suite, cases[i].name, cases[i].run);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    const unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}

#define SUITE(name, ...)                                                                                               \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        static const test_case cases[] = {__VA_ARGS__};                                                                \
        return run_suite(name, cases, (int)(sizeof cases / sizeof *cases));                                            \
    }
#define T(function)                                                                                                    \
    {                                                                                                                  \
#function, function                                                                                            \
    }

#endif
