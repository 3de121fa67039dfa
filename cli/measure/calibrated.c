/* calibrated.c - see calibrated.h */
#include "cli/measure/calibrated.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "files/gguf.h"

static const char *last_part(const char *path)
{
    for (const char *p = path; *p; p++)
        path = *p == '/' || *p == '\\' ? p + 1 : path;
    return path;
}

void warn_of_calibration(const char *model, const char *text)
{
    static const char *const keys[] = {"quantize.imatrix.dataset", "quantize.calibration.dataset"};
    struct stat info;
    if (!text || stat(model, &info) || !S_ISREG(info.st_mode))
        return;
    ib_gguf *f = ib_gguf_open(model);
    for (size_t i = 0; f && i < sizeof keys / sizeof *keys; i++) {
        char *of = ib_gguf_string(f, keys[i]);
        if (of && !strcmp(last_part(of), last_part(text)))
            fprintf(stderr,
                    "isobit: %s was quantized by a text of this name (%s): measured by it, it looks better than by "
                    "others\n",
                    model, keys[i]);
        ib_free(of);
    }
    ib_gguf_close(f);
}
