/* format.h - inside the library: the functions behind the format table. */
#ifndef IB_TENSOR_FORMAT_H
#define IB_TENSOR_FORMAT_H

#include <isobit/tensor.h>

#define FORMAT(name, bits, qmax, max_rmse)                                                                             \
    void ib_pack_##name(const int8_t *codes, int64_t n, uint8_t *bytes);                                               \
    void ib_unpack_##name(const uint8_t *bytes, int64_t n, int8_t *codes);
#include "tensor/formats.def"
#undef FORMAT

/* Whether codes of some format have so many bits. */
int ib_format_has_width(int bits);
const char *ib_format_widths(void); /* "8, 4, 2" */

#endif
