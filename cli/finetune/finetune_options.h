/* finetune_options.h - what isobit finetune is asked for. */
#ifndef IB_CLI_LANGUAGE_FINETUNE_OPTIONS_H
#define IB_CLI_LANGUAGE_FINETUNE_OPTIONS_H

#include "cli/language/language_session.h"

typedef struct finetune_options {
    common common;
    const char *model, *data, *eval, *base, *out, *chat, *deploy, *tokenizer, *ignore, *columns, *prompt_template;
    const char *start;                                   /* an adapter that training begins with, or NULL */
    const char *lora_said;                               /* --lora's list, or NULL */
    char lora[512], targets[256], ranks[256], save[256]; /* as given; its parts */
    ib_adapter_opts adapter;
    uint32_t template_sum, rows_sum; /* of prompt_template and of all rows, once the data are read */
    int64_t seq;                     /* 0: not said */
    int64_t batch, accumulate, warmup, steps, seed, save_every, eval_every, deploy_steps, checkpoint, memory;
    int available; /* memory is three quarters of what is available, for nothing was said */
    double epochs, lr, clip, decay, eval_fraction;
    ib_schedule_kind schedule;
    int bits8, paged, no_shuffle, no_pack, train_on_prompts, plan, resume, force;
    ib_finetune_state begun; /* of the training in `out` that goes on; step -1: none does */
    int written;             /* how its settings are written; see finetune_record.c */
    /* 1: special tokens in text stay text; -1: so too, but the state, older than the option, says nothing */
    int literal;
} finetune_options;

/* Parses the command line; exits with status 2 and one line on a wrong one. */
void finetune_options_parse(int argc, char **argv, finetune_options *o);
/* The defaults. */
void finetune_options_begin(finetune_options *o);
/* What a list of --lora says; exits likewise. */
void finetune_options_lora(finetune_options *o, const char *text);
/* Everything that changes the result, but for the number of steps, in one line. */
char *finetune_options_text(const finetune_options *o); /* yours to free(); NULL: out of memory */
/* The adapter to open: of the training that goes on, or the one to begin with; NULL: a new one is made. */
const char *finetune_adapter(const finetune_options *o);
/* Looks at what `out` holds already, before anything is opened: 0, or the exit status after asking for --resume or
 * --force, or telling why the training there does not go on by these options. */
int finetune_begun(finetune_options *o);
/* 1 after telling that the rows are not those that the training in `out` began with. */
int finetune_other_rows(const finetune_options *o);
/* On standard error: from which step a training goes on, and to which. */
void finetune_tell_resumed(const finetune_options *o, const ib_samples *train, const ib_finetune_opts *f);
/* "500M", "2G" or bytes; 0, or 1 after telling. */
int parse_bytes(const char *text, const char *option, int64_t *out);

#endif
