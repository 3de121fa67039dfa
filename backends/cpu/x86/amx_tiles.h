/* amx_tiles.h - the tiles of amx.c and amx_bf16.c. */
#ifndef IB_BACKENDS_CPU_X86_AMX_TILES_H
#define IB_BACKENDS_CPU_X86_AMX_TILES_H

#include <immintrin.h>
#include <stdint.h>

/* Rows of 64 bytes: `rows` of tiles 0..3, sums, and 4 and 5, left factors; sixteen of 6 and 7, panels. */
static inline void ib_amx_configure(int64_t rows)
{
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.bytes[i] = 64;
        c.rows[i] = i < 6 ? (uint8_t)rows : 16;
    }
    __asm__ volatile("" ::"r"(&c)
                     : "memory"); /* gcc 12's intrinsic claims to read eight bytes, and loses what else
                                                  was stored */
    _tile_loadconfig(&c);
}

/* Whatever four sums of tiles 4 times 6 read. */
static inline void ib_amx_zero(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(6);
}

#endif
