/* language_session.h - what the commands for language models share. */
#ifndef IB_CLI_LANGUAGE_LANGUAGE_SESSION_H
#define IB_CLI_LANGUAGE_LANGUAGE_SESSION_H

#include "cli/cli.h"

/* A model, its tokenizer and where they run. */
typedef struct language {
    ib_device *dev;
    ib_graph *g;
    ib_lm *m;
    ib_tokenizer *t;
} language;

/* Opens model and tokenizer; base: storage format of the linear layers or NULL; adapter: path or NULL. 0, or 1 after
 * telling what is wrong. tokenizer: another place for it, or NULL. */
int language_open(language *l, const common *o, const char *model, const char *tokenizer, const char *base,
                  const char *adapter);
void language_close(language *l);

/* --path: 0, or 1 after telling what is possible. */
int parse_path(const char *arg, ib_path *path);
/* How the model's products are made. */
typedef struct products {
    ib_path path;
    ib_lm_products of;
} products;
/* From now on so; notes it. 0, or 1 after telling what is wrong. */
int language_path(language *l, ib_path path, products *made);
/* A line on standard error: how many matrices run in integers, and of which formats are those that do not. */
void tell_path(const char *model, const products *made);
/* As keys path, integer_matrices, exact_matrices and exact_formats. */
void add_path(struct json_object *j, const products *made);

/* A text file's tokens; the caller's to ib_free_ids. 0, or 1 after telling what is wrong. */
int language_tokens(language *l, const char *text, ib_ids *out);
/* The tokens of a text file; without_end: but for one newline at its end, which llama.cpp's tools drop (common/arg.cpp,
 * --file). 0, or 1 after telling. */
int text_tokens(ib_tokenizer *t, const char *path, int without_end, ib_ids *out);
/* After a failure over a text's windows: tells, whether it is the text's, the model's or an interruption; the exit
 * status. */
int complain_of_windows(const char *model, const char *text);
/* The perplexity of a text file; p: all but bos, which the tokenizer says. */
int language_perplexity(language *l, const char *model, const char *text, ib_perplexity_opts p,
                        ib_perplexity_result *out);

/* 1 after telling what is wrong with an argument: a text that is not UTF-8, a chat template that there is not. */
int check_text(const char *option, const char *text);
int check_template(const char *name);

/* isobit inspect for files of language models: metadata, then tensors. */
int is_language_file(const char *path);
int inspect_file(const char *path, int json);

/* Peak resident memory of this process so far, bytes. */
int64_t peak_memory(void);

#endif
