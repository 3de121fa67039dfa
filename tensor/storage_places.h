/* storage_places.h - inside the library: the place of each format in the table of tensor/storage.def, its ib_storage's
 * index: IB_AT_q4_0, ...; and of those with blocks, their elements and bytes: IB_BLOCK_q4_0, IB_BYTES_q4_0. */
#ifndef IB_TENSOR_STORAGE_PLACES_H
#define IB_TENSOR_STORAGE_PLACES_H

enum {
#define STORAGE(name, ...) IB_AT_##name,
#define SCALED(name, ...) IB_AT_##name,
#define ROWS(name, ...) IB_AT_##name,
#define GRID(name, ...) IB_AT_##name,
#include "tensor/storage.def"
#undef STORAGE
#undef SCALED
#undef ROWS
#undef GRID
    IB_N_STORAGE
};

enum {
#define STORAGE(name, block, bytes, ...) IB_BLOCK_##name = (block), IB_BYTES_##name = (bytes),
#define SCALED(name, ...)
#define ROWS(name, ...)
#define GRID(name, ...)
#include "tensor/storage.def"
#undef STORAGE
#undef SCALED
#undef ROWS
#undef GRID
};

#endif
