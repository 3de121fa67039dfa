/* assert.h - contracts between the library's own functions, looked at in debug builds (CMAKE_BUILD_TYPE=Debug) and
 * under the sanitizers (ISOBIT_SANITIZE), where IB_CHECKED is defined; elsewhere nothing is left of them. What a user,
 * a file or a model says is never asserted: that is refused with ib_fail(). */
#ifndef IB_TENSOR_ASSERT_H
#define IB_TENSOR_ASSERT_H

#ifdef IB_CHECKED
/* One line with the condition and its place, then abort(). */
_Noreturn void ib_assert_failed(const char *condition, const char *file, int line, const char *function);
#define IB_ASSERT(condition) ((condition) ? (void)0 : ib_assert_failed(#condition, __FILE__, __LINE__, __func__))
#else
#define IB_ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
