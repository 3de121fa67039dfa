/* 06_use_exported_c.c - firmware's view of an exported network: no isobit, no floating point, no allocation.
 *
 *   isobit train --model mlp --qat w8a8 -o mlp.h5 && isobit export mlp.h5 --to c --name digits -o out
 *   cc -std=c99 -Iout 06_use_exported_c.c out/digits.c -o digits && ./digits
 */
#include <stdio.h>

#include "digits.h"

/* A handwritten 3 of 8x8 pixels with 17 grey values, as a sensor would deliver it. */
static const uint8_t image[DIGITS_INPUT_SIZE] = {
    0, 0, 7, 15, 13, 1,  0, 0, 0, 8, 13, 6, 15, 4,  0, 0, 0, 2, 1, 13, 13, 0,  0, 0, 0, 0, 2, 15, 11, 1, 0, 0,
    0, 0, 0, 1,  12, 12, 1, 0, 0, 0, 0,  0, 1,  10, 8, 0, 0, 0, 8, 4,  5,  14, 9, 0, 0, 0, 7, 13, 13, 9, 0, 0};

int main(void)
{
    int8_t codes[DIGITS_INPUT_SIZE], output[DIGITS_OUTPUT_SIZE];
    if (digits_self_test()) {
        fprintf(stderr, "the self-test found other integers than training did\n");
        return 1;
    }
    digits_quantize_u8(image, codes);
    digits_run(codes, output);
    printf("the image shows a %d\n", (int)digits_argmax(output));
    return digits_argmax(output) == 3 ? 0 : 1;
}
