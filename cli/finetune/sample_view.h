/* sample_view.h - the first sample of training data as the model sees it. */
#ifndef IB_CLI_LANGUAGE_SAMPLE_VIEW_H
#define IB_CLI_LANGUAGE_SAMPLE_VIEW_H

#include <isobit/isobit.h>
#include <stdio.h>

/* Its tokens as text, what is learned of them in green (colour) or in [[ ]]; a long one without its middle.
 * Control characters are spelled out. */
void show_first_sample(FILE *f, int colour, const ib_tokenizer *t, const ib_samples *s);

#endif
