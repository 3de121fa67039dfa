/* program_read.h - checks of what a program's file says. Nothing of it is believed. */
#ifndef IB_PROGRAM_PROGRAM_READ_H
#define IB_PROGRAM_PROGRAM_READ_H

#include "files/h5.h"
#include "program/program.h"

enum { IB_MOST_CODES = 1 << 26 }; /* of a sample; weights */

/* Fails: "<what> is <value>". */
ib_status ib_read_refuse(const char *what, int64_t value);
/* Shape, scale, zero point and bits of a value, from attributes of g with these names. */
ib_status ib_read_value(hid_t g, const char *shape, const char *scale, const char *zero, const char *bits, ib_value *v);
/* Whether s is a factor that a rounding makes (isobit_types.h); 0 stands for a factor of 0. */
int ib_is_scale(isobit_scale s, int rounding);
/* The zero point and clamp of a result: within its bits, and as the value says. */
ib_status ib_read_range(const ib_value *v, int zero, int lo, int hi);
/* A window of kernel h, w, stride h, w and padding h, w that takes image x to image y. */
ib_status ib_read_window(const ib_value *x, const ib_value *y, const int32_t window[6]);

#endif
