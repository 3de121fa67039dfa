/* tfc.c - FINN's smallest fully connected network, 64 wide (Umuroglu et al., FPGA 2017). */
#include "layers/model.h"

ib_layer *ib_model_tfc(int c, int h, int w, int classes)
{
    return ib_fully_connected(c * h * w, 64, classes);
}
