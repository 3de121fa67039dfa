/* assert.h - contracts between the library's own functions, looked at in debug builds (CMAKE_BUILD_TYPE=Debug) and
 * under the sanitizers (ISOBIT_SANITIZE), where IB_CHECKED is defined; elsewhere nothing is left of them, nor in CUDA's
 * kernels, from where the library cannot be called. What a user, a file or a model says is never asserted: that is
 * refused with ib_fail(). */
#ifndef IB_BASE_ASSERT_H
#define IB_BASE_ASSERT_H

/* `contract` says what holds, "a node's result is of its step". */
#if defined IB_CHECKED && !defined __cplusplus
/* One line with the place, the contract and the condition, then abort(). */
_Noreturn void ib_assert_failed(const char *contract, const char *condition, const char *file, int line,
                                const char *function);
#define IB_ASSERT(condition, contract)                                                                                 \
    ((condition) ? (void)0 : ib_assert_failed(contract, #condition, __FILE__, __LINE__, __func__))
#else
#define IB_ASSERT(condition, contract) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
