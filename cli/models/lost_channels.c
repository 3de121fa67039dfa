/* lost_channels.c - layers whose activations one scale does not serve. */
#include <stdio.h>

#include "cli/cli.h"

void warn_lost_channels(const ib_layer *net)
{
    for (int i = 0; i < ib_qat_layer_count(net); i++) {
        const ib_qat_layer l = ib_qat_layer_at(net, i);
        if (l.only_zeros)
            fprintf(
                stderr,
                "isobit: warning: layer '%s': calibration showed nothing but 0, so its scale is %g: other values may "
                "be far from its codes\n",
                l.name, l.scale);
        if (!l.lost_channels)
            continue;
        fprintf(stderr,
                "isobit: warning: layer '%s': %d of %d channels are 0 in %d bits: one scale serves all, and the "
                "layer's largest value is %.3g times theirs",
                l.name, l.lost_channels, l.channels, l.act_bits, l.lost_ratio);
        if (l.act_bits < 8 && i)
            fprintf(stderr, "; more bits: --rules \"%s=w8a8\"", l.name);
        else if (i)
            fputs(
                "; if integers lose accuracy to float: isobit quantize --equalize evens channels out, --observer "
                "percentile --percentile 99 leaves the largest values out, a smaller layer (--hidden) has none so weak",
                stderr);
        fputc('\n', stderr);
    }
}
