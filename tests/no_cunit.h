/* no_cunit.h - the little of CUnit that a suite needs, for machines that are emulated and have no libraries. */
#ifndef IB_TESTS_NO_CUNIT_H
#define IB_TESTS_NO_CUNIT_H

#include <stdio.h>
#include <stdlib.h>

enum { CUE_SUCCESS = 0, CU_BRM_NORMAL = 0 };
typedef int CU_pSuite;
/* One of each in a program, whichever file's check it is that counts. */
__attribute__((weak)) unsigned cu_checked, cu_failed;
static void (*cu_tests[200])(void);
static int cu_n_tests;

static inline void cu_check(int passed, int fatal, const char *what, const char *file, int line)
{
    cu_checked++;
    if (passed)
        return;
    cu_failed++;
    printf("%s:%d: %s\n", file, line, what);
    if (fatal)
        exit(1);
}
#define CU_ASSERT(condition) cu_check((condition) != 0, 0, #condition, __FILE__, __LINE__)
#define CU_ASSERT_FATAL(condition) cu_check((condition) != 0, 1, #condition, __FILE__, __LINE__)

static inline int CU_initialize_registry(void)
{
    return CUE_SUCCESS;
}
static inline CU_pSuite CU_add_suite(const char *name, void *init, void *clean)
{
    (void)init, (void)clean;
    printf("%s: ", name);
    return 0;
}
static inline void CU_add_test(CU_pSuite suite, const char *name, void (*run)(void))
{
    (void)suite, (void)name;
    if (cu_n_tests < (int)(sizeof cu_tests / sizeof *cu_tests))
        cu_tests[cu_n_tests++] = run;
    else
        exit(1);
}
static inline void CU_basic_set_mode(int mode)
{
    (void)mode;
}
static inline void CU_basic_run_tests(void)
{
    for (int i = 0; i < cu_n_tests; i++)
        cu_tests[i]();
    printf("%d tests, %u checks, %u failed\n", cu_n_tests, cu_checked, cu_failed);
}
static inline unsigned CU_get_number_of_failures(void)
{
    return cu_failed;
}
static inline void CU_cleanup_registry(void)
{
}

#endif
