/* program_read.h - instructions of a program's file. */
#ifndef IB_PROGRAM_PROGRAM_READ_H
#define IB_PROGRAM_PROGRAM_READ_H

#include "files/h5.h"
#include "program/program.h"

enum { IB_NO_INPUTS = -1 };

/* How the rest of an instruction is read when its class, its inputs and its result stand. */
typedef struct ib_instr_reader {
    const ib_instr_class *cls;
    int inputs; /* 0: any number but none */
    ib_status (*read)(ib_program *p, ib_instr *i, hid_t g);
} ib_instr_reader;

const ib_instr_reader *ib_instr_reader_of(const char *op); /* NULL: none */
/* Shape, scale, zero point and bits of a value, from attributes of g with these names. */
ib_status ib_read_value(hid_t g, const char *shape, const char *scale, const char *zero, const char *bits, ib_value *v);
/* Fails: "<what> is <value>". */
ib_status ib_read_refuse(const char *what, int64_t value);

#endif
