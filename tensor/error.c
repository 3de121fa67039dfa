/* error.c - the thread's last failure. */
#include "tensor/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[512];
static _Thread_local ib_status last;

const char *ib_status_text(ib_status status)
{
    switch (status) {
#define X(name, value, text)                                                                                          \
    case IB_##name:                                                                                                   \
        return text;
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
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    one_line(message);
    last = status;
    return status;
}

void ib_error_prefix(const char *format, ...)
{
    char text[160], old[340];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    one_line(text);
    snprintf(old, sizeof old, "%.*s", (int)sizeof old - 1, message);
    snprintf(message, sizeof message, "%s: %s", text, old);
}
