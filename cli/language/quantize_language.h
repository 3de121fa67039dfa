/* quantize_language.h - isobit quantize of a language model: its options and what it does. */
#ifndef IB_CLI_LANGUAGE_QUANTIZE_LANGUAGE_H
#define IB_CLI_LANGUAGE_QUANTIZE_LANGUAGE_H

#include <argp.h>

#include "cli/cli.h"

typedef struct language_quantizing {
    const char *to, *calib, *transform;
    int64_t context, windows; /* 0: not given */
    double damping, alpha;
    int strict, resume;
} language_quantizing;
extern const struct argp language_quantize_argp; /* a child parser; its input is a language_quantizing * */

/* Whether one of its options is given; its name, or NULL. */
const char *language_quantize_given(const language_quantizing *o);
/* method NULL: auto. 0, or an exit status after telling what is wrong. */
int quantize_language(const language_quantizing *o, const common *c, const char *model, const char *method,
                      const char *out);

#endif
