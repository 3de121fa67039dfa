/* digits.c - the handwritten digits that the library carries, an HDF5 file in memory. */
#include "base/argument.h"
#include "data/dataset.h"

extern const unsigned char ib_embedded_digits[];
extern const unsigned long ib_embedded_digits_size;

ib_dataset *ib_digits_new(ib_split split)
{
    IB_TAKE_OR(split, split >= IB_SPLIT_TRAIN && split <= IB_SPLIT_ALL, NULL, "is %d, which is no ib_split",
               (int)split);
    return ib_hdf5_open_image(ib_embedded_digits, ib_embedded_digits_size, "digits", split);
}

ib_dataset *ib_digits_open(const char *rest, ib_split split, const ib_input_info *net, ib_task task)
{
    (void)task; /* these have classes, or no labels */
    (void)net;
    return *rest ? ib_fail_null(IB_EINVAL, "data 'digits%s': digits alone", rest) : ib_digits_new(split);
}
