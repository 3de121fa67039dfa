/* begins.c - see begins.h. How each kind begins is its specification's; TFLite's mark is that of its flatbuffers. */
#include "files/begins.h"

#include <string.h>

const char *ib_begins_as(const void *bytes, size_t n)
{
    static const struct {
        const char *mark, *what;
        size_t at, size;
    } kinds[] = {
        {"GGUF", ", it begins as a GGUF file, which is a language model", 0, 4},
        {"\211HDF\r\n\032\n", ", it begins as HDF5, which checkpoints of networks and exported programs are", 0, 8},
        {"TFL3", ", it begins as a TFLite file, which is read by LiteRT alone", 4, 4},
        {"PK\003\004", ", it begins as a zip archive", 0, 4}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n >= kinds[i].at + kinds[i].size &&
            !memcmp((const char *)bytes + kinds[i].at, kinds[i].mark, kinds[i].size))
            return kinds[i].what;
    return "";
}
