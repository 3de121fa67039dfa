/* reals.c - fp32 numbers one behind the other, little-endian, nothing else: samples of the network's shape, or of
 * f32:FILE:CxHxW. */
#include <string.h>

#include "data/dataset.h"
#include "files/file.h"

ib_dataset *ib_f32_open(const char *spec, ib_split split, const ib_input_info *net, ib_task task)
{
    (void)task; /* these have classes, or no labels */
    ib_mapped m;
    int64_t s[3] = {0};
    char *file = ib_dataset_split_spec(spec, s);
    ib_dataset *d = NULL;
    if (!file)
        return NULL;
    if (!s[0] && net) {
        s[0] = net->c;
        s[1] = net->h;
        s[2] = net->w;
    }
    const int64_t bytes = s[0] * s[1] * s[2] * (int64_t)sizeof(float);
    if (!s[0]) {
        ib_fail(IB_EINVAL, "%s: does not say the shape of a sample: f32:%s:CxHxW does", file, file);
    } else if (!ib_file_map(file, &m)) {
        if (m.size % (size_t)bytes)
            ib_fail(IB_EFORMAT, "%s: %zu bytes are not samples of %lldx%lldx%lld, which take %lld each", file, m.size,
                    (long long)s[0], (long long)s[1], (long long)s[2], (long long)bytes);
        else if ((d = ib_dataset_reserve(file, (int64_t)(m.size / (size_t)bytes), s[0], s[1], s[2], 0, 0)))
            memcpy(d->x, m.data, m.size);
        ib_file_unmap(&m);
    }
    d = ib_dataset_every_fifth(ib_dataset_finish(file, d), split);
    ib_free(file);
    return d;
}
