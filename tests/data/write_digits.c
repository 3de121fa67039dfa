/* write_digits.c - write_digits FOLDER png|jpeg: the built-in digits as files FOLDER/<class>/<number>.<format>, three
 * times as large as they are, each pixel's value 0..16 as 0..255. */
#include <sys/stat.h>

#include <isobit/isobit.h>

#include "tests/data/pictures.h"

enum { SIDE = 24 };

int main(int argc, char **argv)
{
    static const char *const names[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    ib_dataset *d = ib_digits_new(IB_SPLIT_ALL);
    const int jpeg = argc == 3 && !strcmp(argv[2], "jpeg");
    char path[4096];
    if (argc != 3 || !d)
        return fprintf(stderr, "write_digits FOLDER png|jpeg\n"), 2;
    mkdir(argv[1], 0777);
    for (int64_t i = 0; i < ib_dataset_count(d); i++) {
        const float *x = ib_dataset_image(d, i);
        unsigned char pixels[SIDE * SIDE];
        for (int k = 0; k < SIDE * SIDE; k++)
            pixels[k] = (unsigned char)(x[k / SIDE / 3 * 8 + k % SIDE / 3] * 255 + 0.5f);
        snprintf(path, sizeof path, "%s/%s", argv[1], names[ib_dataset_label(d, i)]);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%s/%04d.%s", argv[1], names[ib_dataset_label(d, i)], (int)i, argv[2]);
        if (!(jpeg ? write_jpeg(path, SIDE, SIDE, &(jpeg_kind){.colours = 1}, pixels)
                   : write_png(path, SIDE, SIDE, &(png_kind){.colour = PNG_COLOR_TYPE_GRAY, .bits = 8}, pixels)))
            return fprintf(stderr, "%s cannot be written\n", path), 1;
    }
    ib_dataset_free(d);
    return 0;
}
