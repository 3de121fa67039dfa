/* begins.h - what a file is by the bytes that it begins with, for the message about one that is taken for another. */
#ifndef IB_FILES_BEGINS_H
#define IB_FILES_BEGINS_H

#include <stddef.h>

/* ", it begins as a GGUF file, which is a language model", or "" of bytes that no kind here begins with. */
const char *ib_begins_as(const void *bytes, size_t n);

#endif
