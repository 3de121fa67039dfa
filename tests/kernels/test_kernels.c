/* test_kernels.c - each line of kernels.def has a case, which compares every level's entry with plain C. A line
 * without one does not link. Broken by: a tail, a saturation, a wrong mask, a write past an end, a sum whose order
 * follows the threads. */
#include "tests/kernels/kernel_case.h"

#define KERNEL(result, name, args)                                                                                     \
    void case_##name(void);                                                                                            \
    static void test_##name(void)                                                                                      \
    {                                                                                                                  \
        case_##name();                                                                                                 \
        CHECK(kernel_was_run(#name));                                                                                  \
    }
#include "backends/kernels.def"
#undef KERNEL

#define KERNEL(result, name, args) {#name, test_##name},
static const test_case cases[] = {
#include "backends/kernels.def"
};

/* All, or those that are named. */
int main(int argc, char **argv)
{
    enum { ALL = sizeof cases / sizeof *cases };
    test_case wanted[ALL];
    int n = 0;
    for (int i = 0; i < ALL; i++)
        for (int j = argc > 1 ? 1 : 0; j < argc; j++)
            if (argc == 1 || !strcmp(argv[j], cases[i].name)) {
                wanted[n++] = cases[i];
                break;
            }
    return run_suite("kernels", wanted, n);
}
