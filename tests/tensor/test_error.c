/* test_error.c - a message may be made of the one before it, by every function that writes one. Broken by: a message
 * formatted into the memory that it is made of. */
#include "tests/check.h"

#include "autograd/op.h"
#include "base/error.h"

static void says(const char *what)
{
    if (strcmp(ib_error(), what))
        printf("\n    '%s', not '%s' ", ib_error(), what);
    CHECK(!strcmp(ib_error(), what));
}

static void messages_hold_messages(void)
{
    ib_fail(IB_EINVAL, "first");
    CHECK_INT(ib_fail(IB_EFORMAT, "%s, second", ib_error()), IB_EFORMAT);
    says("first, second");
    CHECK(ib_fail_null(IB_ENOMEM, "%s: %s", ib_error(), ib_error()) == NULL);
    says("first, second: first, second");
    ib_fail(IB_EINVAL, "first");
    ib_error_prefix("%s of %s", "a file", ib_error());
    says("a file of first: first");
    CHECK_INT(ib_error_status(), IB_EINVAL);
    const ib_node node = {.op = ib_op_at(0), .scope = "conv1"};
    ib_fail(IB_ENUMERIC, "its step is 0");
    ib_op_fail(&node, "%s", ib_error());
    says("layer 'conv1': linear: its step is 0");
}

/* A caller's status stays with a message that is cut to its room. */
static void long_messages(void)
{
    char long_one[2000];
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = 0;
    CHECK_INT(ib_fail(IB_EIO, "%s", long_one), IB_EIO);
    CHECK(strlen(ib_error()) > 400 && strlen(ib_error()) < sizeof long_one);
    ib_error_prefix("%s", ib_error());
    CHECK_INT(ib_fail(IB_EIO, "%s%s", ib_error(), ib_error()), IB_EIO);
    CHECK(strlen(ib_error()) > 400);
}

SUITE("error", T(messages_hold_messages), T(long_messages))
