/* coded_formats.h - the formats of tensor/integers.def for levels that take their blocks apart in registers and
 * compile functions for each. */
#ifndef IB_BACKENDS_CPU_CODED_FORMATS_H
#define IB_BACKENDS_CPU_CODED_FORMATS_H

/* How codes of weights are multiplied by those of rows: as bytes without a sign, less `shift`; or with one; or as wide
 * ones, whose nibbles choose from tables. */
enum { SIGNED = -1, WIDE = -2 };

/* A format. The first three are its line in tensor/integers.def and its bytes; scales lie apart where d_at < 0. */
typedef struct coded_format {
    int block, bytes, shift;
    int most;       /* the largest code without a sign */
    int d_at, m_at; /* bytes to the halves d and m of a block; m_at < 0: it has no minima */
} coded_format;

/* FORMAT(name, its scales_, its wide_, a coded_format) */
#define CODED_FORMATS(FORMAT)                                                                                          \
    FORMAT(q4_0, none, none, 32, 18, 8, 15, 0, -1)                                                                     \
    FORMAT(q4_1, none, none, 32, 20, 0, 15, 0, 2)                                                                      \
    FORMAT(q5_0, none, none, 32, 22, 16, 31, 0, -1)                                                                    \
    FORMAT(q5_1, none, none, 32, 24, 0, 31, 0, 2)                                                                      \
    FORMAT(q8_0, none, none, 32, 34, SIGNED, 0, 0, -1)                                                                 \
    FORMAT(q4_k, k, none, 256, 144, 0, 15, 0, 2)                                                                       \
    FORMAT(q5_k, k, none, 256, 176, 0, 31, 0, 2)                                                                       \
    FORMAT(q6_k, q6_k, none, 256, 210, 32, 63, 208, -1)                                                                \
    FORMAT(q2_k, q2_k, none, 256, 84, 0, 3, 80, 82)                                                                    \
    FORMAT(q3_k, q3_k, none, 256, 110, 4, 7, 108, -1)                                                                  \
    FORMAT(iq4_nl, none, none, 32, 18, SIGNED, 0, 0, -1)                                                               \
    FORMAT(int4, none, none, 32, 18, 8, 15, 0, -1)                                                                     \
    FORMAT(int8, none, none, 32, 32, SIGNED, 0, -1, -1)                                                                \
    FORMAT(nf4, none, nf4, 64, 32, WIDE, 0, -1, -1)                                                                    \
    FORMAT(fp4, none, fp4, 64, 32, WIDE, 0, -1, -1)

#endif
