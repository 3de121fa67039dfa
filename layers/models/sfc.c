/* sfc.c - FINN's second fully connected network, 256 wide (Umuroglu et al., FPGA 2017). */
#include "layers/model.h"

ib_layer *ib_model_sfc(int c, int h, int w, int classes)
{
    return ib_fully_connected(c * h * w, 256, classes);
}
