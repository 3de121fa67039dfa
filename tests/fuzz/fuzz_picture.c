/* fuzz_picture.c - JPEG and PNG files as samples. What is damaged is refused with one line that names the file; what is
 * decoded is all there. */
#include "tests/fuzz/fuzz.h"

#include "base/alloc.h"
#include "data/pictures/picture.h"

enum { LARGE = 1 << 20 }; /* pixels: no larger ones, for their time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ib_picture p;
    uint8_t planes[3 * 9 * 7];
    const char *path = input_file(data, size);
    const ib_status opened = ib_picture_open(path, &p);
    if (!opened && (int64_t)p.w * p.h > LARGE) {
        ib_picture_close(&p);
        return 0;
    }
    const int w = p.w, h = p.h, c = p.c;
    const ib_status status = opened ? opened : ib_picture_decode(&p);
    if (status && (!strstr(ib_error(), path) || strchr(ib_error(), '\n')))
        abort();
    if (!status) {
        uint64_t sum = 0;
        if (p.w != w || p.h != h || p.c != c) /* the header says what comes */
            abort();
        for (int64_t i = 0; i < (int64_t)w * h * c; i++)
            sum += p.pixels[i];
        volatile uint64_t kept = sum;
        (void)kept;
        if (ib_picture_fit(&p, size % 2 ? 1 : 3, 9, 7, planes))
            abort();
    }
    ib_picture_close(&p);
    return 0;
}
