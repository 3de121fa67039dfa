/* format.c - the table of storage formats. */
#include "tensor/format.h"

#include <string.h>

#include "base/argument.h"
#include "base/names.h"

static const ib_format formats[] = {
#define FORMAT(name, bits, qmax, max_rmse) {#name, bits, qmax, max_rmse, ib_pack_##name, ib_unpack_##name},
#include "tensor/formats.def"
#undef FORMAT
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

const ib_format *ib_format_at(int i)
{
    return i >= 0 && i < N_FORMATS ? &formats[i] : NULL;
}

const ib_format *ib_format_find(const char *name)
{
    IB_NEED_OR(name, NULL);
    const int i = IB_NAME_FIND(name, formats, IB_EINVAL, "no format of codes is named");
    return i < 0 ? NULL : &formats[i];
}

const ib_format *ib_format_for_bits(int bits)
{
    for (int i = 0; i < N_FORMATS; i++)
        if (formats[i].bits == bits)
            return &formats[i];
    return ib_fail_null(IB_EINVAL, "ib_format_for_bits: bits is %d: %s are possible", bits, ib_format_widths());
}

int ib_format_has_width(int bits)
{
    int has = 0;
    for (int i = 0; i < N_FORMATS; i++)
        has |= formats[i].bits == bits;
    return has;
}

const char *ib_format_widths(void)
{
    static const char widths[] =
#define FORMAT(name, bits, qmax, max_rmse) ", " #bits
#include "tensor/formats.def"
#undef FORMAT
        ;
    return widths + 2;
}

int64_t ib_format_bytes(const ib_format *f, int64_t n)
{
    IB_NEED_OR(f, 0);
    IB_TAKE_OR(n, n >= 0, -1, "is %lld", (long long)n);
    return (n * f->bits + 7) / 8;
}
