/* storage_places.h - inside the library: the place of each format in the table of tensor/storage.def, its ib_storage's
 * index: IB_AT_q4_0, ... */
#ifndef IB_TENSOR_STORAGE_PLACES_H
#define IB_TENSOR_STORAGE_PLACES_H

enum {
#define STORAGE(name, ...) IB_AT_##name,
#define SCALED(name, ...) IB_AT_##name,
#define ROWS(name, ...) IB_AT_##name,
#include "tensor/storage.def"
#undef STORAGE
#undef SCALED
#undef ROWS
    IB_N_STORAGE
};

#endif
