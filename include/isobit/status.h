/* status.h - how isobit says that something went wrong.
 *
 * A function that *does* something returns ib_status: 0, or one of the negative codes below. A function that *makes*
 * something returns a pointer, or NULL. In both cases ib_error() then holds one line that says why, with the names and
 * the numbers. The library never prints, exits or aborts on bad input: an argument that is NULL, out of range, of
 * another graph, of an earlier step or not allowed in this phase gives IB_EINVAL or IB_ESTATE and a line with the
 * names of the function and of the argument. A function that returns neither a status nor a pointer then returns what
 * its comment says, or 0, and does nothing. Where an argument is NULL because an earlier call failed, the line also
 * holds that call's.
 *
 * Whose things are: what ib_..._new, ib_..._open and ib_..._of make is the caller's, until the function ..._free of
 * the same name. What other functions return is borrowed and lives as long as what it was asked of, or as its comment
 * says. Text, options and arrays that are passed in are copied or read during the call, unless the comment says how
 * long they must stay.
 *
 * Text and arrays that a comment calls yours to ib_free() are given to that function, and to no other: free() and
 * realloc() know nothing of the library's blocks. */
#ifndef ISOBIT_STATUS_H
#define ISOBIT_STATUS_H

#include <isobit/api.h>

IB_BEGIN_API

#define IB_STATUS_MAP(X)                                                                                               \
    X(OK, 0, "no error")                                                                                               \
    X(EINVAL, -1, "invalid argument")                                                                                  \
    X(ENOMEM, -2, "out of memory")                                                                                     \
    X(EIO, -3, "file cannot be read or written")                                                                       \
    X(EFORMAT, -4, "file is damaged or not of the expected kind")                                                      \
    X(ESTATE, -5, "not allowed in this phase")                                                                         \
    X(EUNSUPPORTED, -6, "not supported")                                                                               \
    X(ENUMERIC, -7, "a number is not finite or out of range")                                                          \
    X(ESTOPPED, -8, "stopped on request")

typedef enum ib_status {
#define X(name, value, text) IB_##name = value,
    IB_STATUS_MAP(X)
#undef X
} ib_status;

/* What `status` means in general; a static string, never NULL. */
const char *ib_status_text(ib_status status);

/* The last failure of this thread in one line; "" if there was none. Valid until the thread's next failure. */
const char *ib_error(void);

/* The status of the thread's last failure. */
ib_status ib_error_status(void);

/* Frees what another function gave and calls yours to ib_free(); NULL is fine. */
void ib_free(void *block);

IB_END_API
#endif
