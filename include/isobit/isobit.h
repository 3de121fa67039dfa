/* isobit.h - all of it. */
#ifndef ISOBIT_ISOBIT_H
#define ISOBIT_ISOBIT_H

#include <isobit/data.h>
#include <isobit/device.h>
#include <isobit/export.h>
#include <isobit/finetune.h>
#include <isobit/graph.h>
#include <isobit/layer.h>
#include <isobit/lm.h>
#include <isobit/matrix.h>
#include <isobit/optim.h>
#include <isobit/ptq.h>
#include <isobit/qat.h>
#include <isobit/rounding.h>
#include <isobit/schema.h>
#include <isobit/status.h>
#include <isobit/tensor.h>
#include <isobit/text.h>
#include <isobit/train.h>

#endif
