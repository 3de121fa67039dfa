/* finetune.h - training an adapter (or a small model from nothing) on text. */
#ifndef ISOBIT_FINETUNE_H
#define ISOBIT_FINETUNE_H

#include <isobit/api.h>
#include <isobit/lm.h>

IB_BEGIN_API

/* ---- training rows: tokens, what each predicts, and where sequences begin ---- */
typedef struct ib_samples ib_samples;

typedef struct ib_samples_opts {
    int seq;              /* most tokens in a row; 0 means 512 */
    int no_pack;          /* one sample a row; else short samples share a row and never see each other */
    const char *chat;     /* chat template by name (ib_chat_template_check); NULL: the model's own */
    int train_on_prompts; /* else only what the assistant says, or the completion, is learned */
    int literal;          /* special tokens written in text, prompt and completion stay text; else they are tokens */
    const char *ignore;   /* keys of rows and messages to set aside, at most 64, joined by commas; NULL: none */
    const char *columns;  /* other names of rows' keys: "prompt=question,completion=answer", at most 64; NULL: none */
    const char *prompt_template; /* a file with a Jinja template that makes the text of each row; NULL: none */
    void (*progress)(void *user, int64_t done, int64_t total); /* bytes of the file that were read into tokens; or
                                                                  NULL */
    void *user;
} ib_samples_opts;

enum { IB_ROW_KINDS = 8 };

typedef struct ib_samples_info {
    int64_t samples, rows, tokens, trained; /* trained: tokens that are predicted */
    int64_t truncated, skipped;             /* samples longer than seq; samples without anything to learn */
    int64_t cut_short, cut_away;            /* samples of which seq cuts a part, all, of what is to be learned */
    int64_t longest, length95;              /* tokens of the longest; that 95 of 100 samples do not exceed */
    int64_t chats, prompts;                 /* samples that are conversations; that are prompt and completion */
    uint64_t ignored, mapped;               /* bit i: some row has the i-th key of `ignore`, of `columns` */
    uint64_t unused;                        /* bit i: some row or message has the key ib_row_unused_key(i) */
    int64_t kinds[IB_ROW_KINDS];            /* samples that are of the i-th kind: ib_row_kind_name */
    int64_t templated;                      /* samples that the prompt template made */
    int template_marks;                     /* it says with {% generation %} what is learned; else all of its text is */
    uint32_t template_sum;                  /* CRC-32 of its text */
    uint32_t sum;                           /* CRC-32 of all tokens, where their samples begin, and what is learned */
} ib_samples_info;

/* A file of rows (.jsonl, .ndjson, .json; also .gz): JSON values one behind the other, or lists of them. A row is
 * {"messages": [{"role","content"}]} or that list alone, {"prompt","completion"}, {"text"}, or of Alpaca
 * {"instruction","input","output"}, Dolly {"instruction","context","response"} or ShareGPT {"conversations":
 * [{"from","value"}]}, which become messages (lm/samples/row_kinds.def), a "system" beside them the first; each row by
 * its own keys. Content is text or a list of {"type": "text", "text"}, a message of the assistant with "weight": 0 is
 * not learned. With messages go "tools", "documents" and "chat_template_kwargs", in them "tool_calls", "tool_call_id",
 * "name" and thoughts ("reasoning_content"), as far as the chat template mentions them: else they are an error.
 * lm/samples/row_keys.def holds every key: a key that it does not name is an error, unless `ignore` does or `columns`
 * says what it is. Any other file is running text, cut into windows of seq tokens in order, unless it, or its first
 * line, is a list or an object of JSON, or begins as one and is broken: an error, as are files of other programs
 * (lm/samples/no_rows.def). All of a text is read, U+0000 too; a byte-order mark is none of it. A text that brings its
 * end token gets no second one. Errors name file and line: JSON that is not strictly so, a key that is not understood,
 * text that is not UTF-8, no data, all tokens masked, an end-of-sequence token that is never learned, two BOS tokens at
 * a start.
 *
 * With prompt_template rows are objects with any keys, each a variable of the template, `row` all of them, beside
 * bos_token, eos_token, unk_token and pad_token; the template is evaluated as chat templates are, but a variable that
 * is not defined is an error unless it is asked for (if, is defined, |default), and so is a null that would be
 * printed. A key that it never mentions is an error unless `ignore` has it. Learned is what {% generation %} holds,
 * without one all of the text; each such part is tokenized apart, as prompt and completion are. The end token
 * behind the text is learned if what stands before it is. */
ib_samples *ib_samples_open(const char *path, ib_tokenizer *t, const ib_samples_opts *o);
void ib_samples_free(ib_samples *s); /* NULL is fine */
ib_samples_info ib_samples_info_of(const ib_samples *s);
/* A key that says nothing that is learned, as the row's id, and is set aside unasked; NULL: there are not so many. */
const char *ib_row_unused_key(int i);
const char *ib_row_kind_name(int i); /* for people; NULL: there is no such kind */
/* Moves the last `rows` rows into a set of their own. */
ib_samples *ib_samples_split(ib_samples *s, int64_t rows);

typedef struct ib_row {
    int64_t n;
    const int32_t *ids, *pos, *first, *target; /* [n]; target -1: not learned; first counts from the row's start */
} ib_row;
ib_row ib_samples_row(const ib_samples *s, int64_t i); /* borrowed */

/* ---- training ---- */
typedef struct ib_finetune_step {
    int64_t step, steps; /* done, in all */
    double loss;         /* mean over the step's learned tokens */
    double grad_norm, lr;
    int64_t tokens;  /* run through in this step */
    double eval_nll; /* of the evaluation set, when this step measured it; else 0 */
    int saved, rolled_back;
} ib_finetune_step;

typedef struct ib_finetune_opts {
    int batch, accumulate; /* rows a pass, passes a step; 0 means 1 */
    int64_t steps;         /* 0: epochs */
    double epochs;         /* 0 means 1 */
    ib_schedule schedule;  /* total is filled in */
    ib_adamw_opts adamw;
    float clip; /* of the gradient's norm; 0: none */
    uint64_t seed;
    int no_shuffle;
    int checkpoint;                 /* layers that run again in the backward pass */
    const char *deploy;             /* the last deploy_steps run on merge + requantization to this format; NULL: none */
    int64_t deploy_steps;           /* 0: a fifth */
    int64_t save_every, eval_every; /* steps; 0: at the end only */
    const char *out;                /* folder of state and adapter; NULL: nothing is written */
    const char *base;               /* recorded in the adapter */
    const char *settings; /* one line "key=value key=value" of what must not change, so not of steps and epochs: a
                                 * resumed run must have the same, or is told which differ */
    int resume;           /* goes on from out's state, if there is one */
    int (*progress)(void *user, const ib_finetune_step *s); /* not 0: save and stop (IB_ESTOPPED) */
    void *user;
} ib_finetune_opts;

/* Trains m's adapter or own weights. Losses and gradients are weighted by tokens over the whole step. Same seed,
 * same bytes: at any thread count and after any resume. A resumed run may have more steps or fewer, but not fewer than
 * are done: from there on schedule and deploy_steps are those of the new number, so that a constant rate gives the
 * bytes of a run that had this number from the start. A loss or gradient that is not finite names its place, goes back
 * to the last saved state once, and is IB_ENUMERIC if it comes again. */
ib_status ib_finetune(ib_lm *m, ib_graph *g, const ib_samples *train, const ib_samples *eval,
                      const ib_finetune_opts *o);
/* Optimizer steps of a whole training by o: its steps, or what its epochs come to. -1 on an error. */
int64_t ib_finetune_steps(const ib_samples *train, const ib_finetune_opts *o);

/* What a training left in its folder. */
typedef struct ib_finetune_state {
    int64_t step, steps; /* done, in all as asked for last; step -1: the folder holds no state; steps 0: an older state
                            does not say */
    char *settings;      /* yours to ib_free(); NULL: no state */
} ib_finetune_state;
/* Looks at the state in folder `out`, without a model. IB_EFORMAT: there is one that cannot be read. */
ib_status ib_finetune_peek(const char *out, ib_finetune_state *state);
/* Mean loss per learned token. */
ib_status ib_finetune_eval(ib_lm *m, ib_graph *g, const ib_samples *s, double *nll);

/* ---- memory, before anything is trained ---- */
typedef struct ib_memory_plan {
    int64_t weights, adapter, gradients, optimizer, activations, other; /* bytes; other: program, tables, tokenizer */
    int64_t total;
    int checkpoint; /* layers */
    int64_t whole;  /* the total without a checkpointed layer */
} ib_memory_plan;
/* Bytes that the system says it can still give (MemAvailable of /proc/meminfo), or less where a control group, version
 * 1 or 2, this process's or one above it, has less left below its limit; pages of files that can be dropped do not
 * count as taken. -1: it does not say. */
int64_t ib_memory_available(void);
/* Runs one block and the loss on `rows` tokens to measure what they keep, then adds up; checkpoint < 0: as few layers
 * as fit `limit` bytes (0: no limit). A total above the limit says that not even all of them fit. */
ib_status ib_finetune_plan(ib_lm *m, ib_graph *g, int64_t rows, const ib_adamw_opts *adamw, int checkpoint,
                           int64_t limit, ib_memory_plan *out);

IB_END_API
#endif
