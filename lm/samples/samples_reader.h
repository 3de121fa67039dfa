/* samples_reader.h - inside lm/: training data being read, a row at a time. */
#ifndef IB_LM_SAMPLES_SAMPLES_READER_H
#define IB_LM_SAMPLES_SAMPLES_READER_H

#include "text/template/template.h"
#include "lm/samples/row_keys.h"
#include "lm/samples/samples.h"

typedef struct ib_samples_reader {
    ib_tokenizer *t;
    const ib_samples_opts *o;
    ib_samples *s;
    ib_template *prompt; /* that makes texts of the rows; NULL: none */
    ib_ids ids, mask;    /* of the sample under way */
    ib_row_ignore ignore;
    int seq, chat; /* chat: the sample came as messages */
    size_t size;   /* of the file's text */
} ib_samples_reader;

/* The text of a file of rows (*rows) or of running text, for ib_free() also where it fails (samples_kind.c). */
ib_status ib_samples_text(const char *path, char **text, size_t *n, int *rows);
/* Adds the tokens of text[n] to the sample under way. */
ib_status ib_samples_put_text(ib_samples_reader *r, const char *text, size_t n, int learned);
/* A row as a sample (samples_row.c). */
ib_status ib_samples_put_row(ib_samples_reader *r, struct json_object *o);

/* The template in a file, and its text's CRC-32; NULL: failed (samples_prompt.c). */
ib_template *ib_samples_template(const char *path, uint32_t *sum);
/* The text that the template makes of a row, as the sample under way. */
ib_status ib_samples_render(ib_samples_reader *r, struct json_object *row);

#endif
