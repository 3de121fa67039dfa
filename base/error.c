/* error.c - the thread's last failure. */
#include "base/argument.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

static _Thread_local char message[512];
static _Thread_local char cause[400]; /* the last failure that is more than a NULL passed on */
static _Thread_local ib_status last;
static _Thread_local uint64_t failures;

const char *ib_status_text(ib_status status)
{
    switch (status) {
#define X(name, value, text)                                                                                           \
    case IB_##name: return text;
        IB_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

const char *ib_error(void)
{
    return message;
}

ib_status ib_error_status(void)
{
    return last;
}

/* One line, whatever bytes a damaged file's names have. */
static void one_line(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            *s = '?';
}

ib_status ib_fail(ib_status status, const char *format, ...)
{
    char text[sizeof message]; /* an argument may be the message itself */
    va_list args;
    va_start(args, format);
    ib_vsnprintf(text, sizeof text, format, args);
    va_end(args);
    one_line(text);
    memcpy(message, text, sizeof message);
    ib_snprintf(cause, sizeof cause, "%.*s", (int)sizeof cause - 1, message);
    last = status;
    failures++;
    return status;
}

ib_status ib_fail_null_argument(const char *function, const char *argument)
{
    if (*cause)
        ib_snprintf(message, sizeof message, "%s: %s is NULL (the failure before: %s)", function, argument, cause);
    else
        ib_snprintf(message, sizeof message, "%s: %s is NULL", function, argument);
    last = IB_EINVAL;
    failures++;
    return IB_EINVAL;
}

uint64_t ib_failures(void)
{
    return failures;
}

void ib_error_prefix(const char *format, ...)
{
    char text[160], old[340];
    va_list args;
    va_start(args, format);
    ib_vsnprintf(text, sizeof text, format, args);
    va_end(args);
    one_line(text);
    ib_snprintf(old, sizeof old, "%.*s", (int)sizeof old - 1, message);
    ib_snprintf(message, sizeof message, "%s: %s", text, old);
    ib_snprintf(cause, sizeof cause, "%.*s", (int)sizeof cause - 1, message);
}
