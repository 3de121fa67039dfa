/* finetune_options.c - the command line of isobit finetune. */
#include "cli/finetune/finetune_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_LORA = 3000,
    KEY_SEQ,
    KEY_BATCH,
    KEY_ACCUMULATE,
    KEY_OPTIM,
    KEY_LR,
    KEY_SCHEDULE,
    KEY_WARMUP,
    KEY_STEPS,
    KEY_EPOCHS,
    KEY_SEED,
    KEY_NO_SHUFFLE,
    KEY_PLAN,
    KEY_RESUME,
    KEY_EVAL,
    KEY_EVAL_FRACTION,
    KEY_EVAL_EVERY,
    KEY_SAVE_EVERY,
    KEY_CLIP,
    KEY_DECAY,
    KEY_MEMORY,
    KEY_CHECKPOINT,
    KEY_NO_PACK,
    KEY_TEMPLATE,
    KEY_PROMPTS,
    KEY_DEPLOY,
    KEY_DEPLOY_STEPS,
    KEY_PAGED,
    KEY_TOKENIZER,
    KEY_LITERAL,
    KEY_IGNORE,
    KEY_COLUMNS,
    KEY_PROMPT_TEMPLATE,
    KEY_FORCE,
    KEY_ADAPTER
};

static const struct argp_option options[] = {
    {"data", 'd', "FILE", 0,
     "rows (.jsonl, .ndjson, .json: messages; prompt and completion; text; Alpaca, Dolly, ShareGPT) or running text; "
     "also .gz",
     0},
    {"base", 'b', "FORMAT", 0,
     "store the frozen linear layers as keep (default, or what --adapter was trained over), nf4, nf4-dq, fp4, q4_0, "
     "q8_0, ...",
     0},
    {"lora", KEY_LORA, "LIST", OPTION_IS_LIST,
     "r=16,alpha=32,dropout=0,targets=all[,rslora][,dora][,ranks=PATTERN:R+...][,save=embed_tokens+lm_head]; targets: "
     "all, attention, mlp, names or wildcards joined by +; save: these weights are trained whole",
     0},
    {"adapter", KEY_ADAPTER, "PATH", 0,
     "begin with this adapter (PEFT folder or GGUF file): its ranks, targets, alpha and kind, a fresh optimizer", 0},
    {"seq", KEY_SEQ, "N", 0, "tokens in a row (512, or the model's context if that is less)", 0},
    {"batch", KEY_BATCH, "N", 0, "rows in a pass (1)", 0},
    {"accumulate", KEY_ACCUMULATE, "N", 0, "passes in a step (4)", 0},
    {"optim", KEY_OPTIM, "NAME", 0, "adamw (default) or adamw8bit", 0},
    {"paged", KEY_PAGED, NULL, 0, "optimizer states in a mapped file that can leave memory under pressure", 0},
    {"lr", KEY_LR, "X", 0, "learning rate (2e-4)", 0},
    {"schedule", KEY_SCHEDULE, "NAME", 0, "constant (default), cosine, linear", 0},
    {"warmup", KEY_WARMUP, "N", 0, "steps of rising rate (0)", 0},
    {"weight-decay", KEY_DECAY, "X", 0, "decoupled (0)", 0},
    {"clip", KEY_CLIP, "X", 0, "largest norm of the gradient (0: none)", 0},
    {"steps", KEY_STEPS, "N", 0, "optimizer steps", 0},
    {"epochs", KEY_EPOCHS, "X", 0, "passes over the data (1)", 0},
    {"seed", KEY_SEED, "N", 0, "of adapter, order and dropout (0)", 0},
    {"no-shuffle", KEY_NO_SHUFFLE, NULL, 0, "rows in the order of the file", 0},
    {"no-pack", KEY_NO_PACK, NULL, 0, "one sample in a row", 0},
    {"template", KEY_TEMPLATE, "NAME", 0, "chat template: chatml, llama2, llama3, gemma (default: the model's)", 0},
    {"train-on-prompts", KEY_PROMPTS, NULL, 0, "learn prompts too, not only answers", 0},
    {"literal", KEY_LITERAL, NULL, 0, "special tokens written in text, prompt and completion stay text", 0},
    {"ignore-columns", KEY_IGNORE, "LIST", OPTION_IS_LIST, "keys of rows and messages to set aside, joined by commas",
     0},
    {"columns", KEY_COLUMNS, "LIST", OPTION_IS_LIST, "other names of rows' keys: prompt=question,completion=answer", 0},
    {"prompt-template", KEY_PROMPT_TEMPLATE, "FILE", 0, "a Jinja template that makes the text of each row of its keys",
     0},
    {"eval", KEY_EVAL, "FILE", 0, "evaluation data", 0},
    {"eval-fraction", KEY_EVAL_FRACTION, "X", 0, "set aside this share of the rows for evaluation", 0},
    {"eval-every", KEY_EVAL_EVERY, "N", 0, "steps between evaluations (at the end)", 0},
    {"save-every", KEY_SAVE_EVERY, "N", 0, "steps between saved states (25)", 0},
    {"deploy", KEY_DEPLOY, "FORMAT", 0, "the last steps run on merge + requantization to this format", 0},
    {"deploy-steps", KEY_DEPLOY_STEPS, "N", 0, "so many (a fifth)", 0},
    {"memory", KEY_MEMORY, "BYTES", 0,
     "checkpoint as many layers as it takes to stay below (default: three quarters of what is available); what does "
     "not fit is refused",
     0},
    {"checkpoint", KEY_CHECKPOINT, "N", 0,
     "checkpoint exactly N layers, whatever memory that takes unless --memory is given too", 0},
    {"plan", KEY_PLAN, NULL, 0, "print the memory that training would take, and stop", 0},
    {"resume", KEY_RESUME, NULL, 0,
     "go on from DIR's state, to the same bytes; more --steps or --epochs extend the training", 0},
    {"force", KEY_FORCE, NULL, 0, "begin anew in a DIR that holds a training or an adapter, which is replaced", 0},
    {"tokenizer", KEY_TOKENIZER, "PATH", 0, "another GGUF file or tokenizer.json", 0},
    {"out", 'o', "DIR", 0, "folder for adapter and state", 0},
    {0},
};

int parse_bytes(const char *text, const char *option, int64_t *out)
{
    char *end;
    const double v = strtod(text, &end);
    const double unit = *end == 'k' || *end == 'K'   ? 1e3
                        : *end == 'm' || *end == 'M' ? 1e6
                        : *end == 'g' || *end == 'G' ? 1e9
                        : *end                       ? 0
                                                     : 1;
    if (end == text || (*end && end[1] && strcmp(end + 1, "B")) || !(v * unit >= 1 && v * unit < 1e18)) {
        fprintf(stderr, "isobit: %s '%s' is not a number of bytes such as 500M or 2G\n", option, text);
        return 1;
    }
    *out = (int64_t)(v * unit);
    return 0;
}

/* A copy, or the end: nothing is cut. */
static void copy_whole(char *to, size_t size, const char *from)
{
    if ((size_t)snprintf(to, size, "%s", from) >= size) {
        fprintf(stderr, "isobit: --lora '%.40s...' is longer than %zu characters: wildcards say the same in less\n",
                from, size - 1);
        exit(2);
    }
}

static void plus_to_comma(char *to, size_t size, const char *from, char colon)
{
    copy_whole(to, size, from);
    for (char *p = to; *p; p++)
        *p = *p == '+' ? ',' : *p == ':' && colon ? colon : *p;
}

void finetune_options_lora(finetune_options *o, const char *text)
{
    char list[512], *save = NULL;
    if (refuse_repeated("--lora", text, ","))
        exit(2);
    copy_whole(o->lora, sizeof o->lora, text);
    copy_whole(list, sizeof list, text);
    for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        char *v = strchr(w, '=');
        int64_t n;
        double x;
        if (v)
            *v++ = 0;
        if (!strcmp(w, "rslora") && !v) {
            o->adapter.rslora = 1;
        } else if (!strcmp(w, "dora") && !v) {
            o->adapter.dora = 1;
        } else if (!strcmp(w, "r") && v) {
            if (parse_int(v, "--lora r", 1, 4096, &n))
                exit(2);
            o->adapter.r = (int)n;
        } else if (!strcmp(w, "alpha") && v) {
            if (parse_float(v, "--lora alpha", 1e-6, 1e30, &x))
                exit(2);
            o->adapter.alpha = (float)x;
        } else if (!strcmp(w, "dropout") && v) {
            if (parse_float(v, "--lora dropout", 0, 0.99, &x))
                exit(2);
            o->adapter.dropout = (float)x;
        } else if (!strcmp(w, "targets") && v) {
            plus_to_comma(o->targets, sizeof o->targets, v, 0);
        } else if (!strcmp(w, "ranks") && v) {
            plus_to_comma(o->ranks, sizeof o->ranks, v, '=');
        } else if (!strcmp(w, "save") && v) {
            plus_to_comma(o->save, sizeof o->save, v, 0);
            o->adapter.save = o->save;
        } else {
            fprintf(stderr,
                    "isobit: --lora '%s': r, alpha, dropout, targets, ranks, save, rslora and dora are possible\n", w);
            exit(2);
        }
    }
}

static void need_int(const char *arg, const char *name, int64_t lo, int64_t hi, int64_t *out)
{
    if (parse_int(arg, name, lo, hi, out))
        exit(2);
}

static void need_float(const char *arg, const char *name, double lo, double hi, double *out)
{
    if (parse_float(arg, name, lo, hi, out))
        exit(2);
}

/* 1 after telling of options that others leave without effect, or that cannot both hold. */
static int contradicts(const finetune_options *o)
{
    const struct {
        int both;
        const char *a, *b;
    } pairs[] = {{o->steps && o->epochs > 0, "--steps", "--epochs"},
                 {o->prompt_template && o->chat, "--prompt-template", "--template"},
                 {o->prompt_template && o->columns, "--prompt-template", "--columns"},
                 {o->eval && o->eval_fraction > 0, "--eval", "--eval-fraction"},
                 {o->memory && o->checkpoint >= 0, "--memory", "--checkpoint"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].both)
            return fprintf(stderr, "isobit: %s and %s say the same thing in two ways: give one\n", pairs[i].a,
                           pairs[i].b);
    if (o->steps && (o->warmup > o->steps || o->deploy_steps > o->steps)) {
        const int warm = o->warmup > o->steps;
        fprintf(stderr, "isobit: %s %lld is more than --steps %lld\n", warm ? "--warmup" : "--deploy-steps",
                (long long)(warm ? o->warmup : o->deploy_steps), (long long)o->steps);
        return 1;
    }
    if (o->resume && o->force)
        return fprintf(stderr, "isobit: --resume goes on with a training and --force begins it anew: give one\n"), 1;
    return (!o->out &&
            (refuse_alone("resume", o->resume ? o : NULL, "-o") || refuse_alone("force", o->force ? o : NULL, "-o"))) ||
           (!o->deploy && refuse_alone("deploy-steps", o->deploy_steps ? o : NULL, "--deploy")) ||
           (!o->eval && o->eval_fraction <= 0 &&
            refuse_alone("eval-every", o->eval_every ? o : NULL, "--eval or --eval-fraction"));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    finetune_options *o = state->input;
    const int64_t many = 1000000000;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 'd': o->data = arg; return 0;
    case 'b': o->base = arg; return 0;
    case 'o': o->out = arg; return 0;
    case KEY_LORA: finetune_options_lora(o, o->lora_said = arg); return 0;
    case KEY_ADAPTER: o->start = arg; return 0;
    case KEY_SEQ: need_int(arg, "--seq", 2, 1 << 20, &o->seq); return 0;
    case KEY_BATCH: need_int(arg, "--batch", 1, 4096, &o->batch); return 0;
    case KEY_ACCUMULATE: need_int(arg, "--accumulate", 1, 65536, &o->accumulate); return 0;
    case KEY_OPTIM:
        if (strcmp(arg, "adamw") && strcmp(arg, "adamw8bit")) {
            fprintf(stderr, "isobit: --optim '%s': adamw and adamw8bit are possible\n", arg);
            exit(2);
        }
        o->bits8 = !strcmp(arg, "adamw8bit");
        return 0;
    case KEY_PAGED: o->paged = 1; return 0;
    case KEY_LR: need_float(arg, "--lr", 0, 10, &o->lr); return 0;
    case KEY_SCHEDULE:
        if (ib_schedule_parse(arg, &o->schedule) ||
            (o->schedule != IB_CONSTANT && o->schedule != IB_COSINE && o->schedule != IB_LINEAR)) {
            fprintf(stderr, "isobit: --schedule '%s': constant, cosine and linear are possible\n", arg);
            exit(2);
        }
        return 0;
    case KEY_WARMUP: need_int(arg, "--warmup", 0, many, &o->warmup); return 0;
    case KEY_DECAY: need_float(arg, "--weight-decay", 0, 10, &o->decay); return 0;
    case KEY_CLIP: need_float(arg, "--clip", 0, 1e9, &o->clip); return 0;
    case KEY_STEPS: need_int(arg, "--steps", 1, many, &o->steps); return 0;
    case KEY_EPOCHS: need_float(arg, "--epochs", 1e-6, 1e6, &o->epochs); return 0;
    case KEY_SEED: need_int(arg, "--seed", 0, INT64_MAX, &o->seed); return 0;
    case KEY_NO_SHUFFLE: o->no_shuffle = 1; return 0;
    case KEY_NO_PACK: o->no_pack = 1; return 0;
    case KEY_TEMPLATE:
        if (check_template(o->chat = arg))
            exit(2);
        return 0;
    case KEY_PROMPTS: o->train_on_prompts = 1; return 0;
    case KEY_LITERAL: o->literal = 1; return 0;
    case KEY_IGNORE: o->ignore = arg; return 0;
    case KEY_COLUMNS: o->columns = arg; return 0;
    case KEY_PROMPT_TEMPLATE: o->prompt_template = arg; return 0;
    case KEY_EVAL: o->eval = arg; return 0;
    case KEY_EVAL_FRACTION: need_float(arg, "--eval-fraction", 0, 0.9, &o->eval_fraction); return 0;
    case KEY_EVAL_EVERY: need_int(arg, "--eval-every", 1, many, &o->eval_every); return 0;
    case KEY_SAVE_EVERY: need_int(arg, "--save-every", 1, many, &o->save_every); return 0;
    case KEY_DEPLOY: o->deploy = arg; return 0;
    case KEY_DEPLOY_STEPS: need_int(arg, "--deploy-steps", 1, many, &o->deploy_steps); return 0;
    case KEY_MEMORY:
        if (parse_bytes(arg, "--memory", &o->memory))
            exit(2);
        return 0;
    case KEY_CHECKPOINT: need_int(arg, "--checkpoint", 0, 4096, &o->checkpoint); return 0;
    case KEY_PLAN: o->plan = 1; return 0;
    case KEY_RESUME: o->resume = 1; return 0;
    case KEY_FORCE: o->force = 1; return 0;
    case KEY_TOKENIZER: o->tokenizer = arg; return 0;
    case ARGP_KEY_END:
        if (!o->model)
            argp_error(state, "which MODEL?");
        if (!o->data)
            argp_error(state, "which --data FILE?");
        if (!o->out && !o->plan)
            argp_error(state, "where to: -o DIR?");
        if (refuse_onto("-o", o->out, "the model itself", o->model) ||
            refuse_onto("-o", o->out, "the adapter that training begins with", o->start) ||
            refuse_no_folder("-o", o->out) || contradicts(o))
            exit(2);
        return 0;
    }
    return model_argument(key, arg, state, &o->model);
}

void finetune_options_begin(finetune_options *o)
{
    *o = (finetune_options){
        .batch = 1, .accumulate = 4, .lr = 2e-4, .schedule = IB_CONSTANT, .save_every = 25, .checkpoint = -1};
    finetune_options_lora(o, "r=16,alpha=32,targets=all");
}

void finetune_options_parse(int argc, char **argv, finetune_options *o)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL",
        "Fine-tunes a LoRA or DoRA adapter over a frozen model (GGUF or Hugging Face folder).\v"
        "Examples:\n  isobit finetune SmolLM2.gguf --data my.jsonl -o adapter\n"
        "  isobit finetune SmolLM2.gguf --data book.txt --base nf4-dq \\\n"
        "    --lora r=16,alpha=32 --steps 32 --no-shuffle -o adapter\n"
        "  isobit finetune SmolLM2.gguf --data more.jsonl --adapter adapter -o second\n"
        "  isobit finetune SmolLM2.gguf --data my.jsonl --plan --memory 500M\n\n"
        "DIR receives adapter_config.json and adapter_model.safetensors (PEFT) and state.safetensors (for --resume).\n"
        "JSON keys: steps, loss, eval_perplexity (where a step was left to do), tokens_per_second, "
        "best_tokens_per_second (fastest step), tokens, trained_parameters, checkpointed_layers, planned_bytes, "
        "peak_bytes, seconds, out; with deploy: deploy, deploy_perplexity, adapter_perplexity.",
        children,
        NULL,
        NULL};
    finetune_options_begin(o);
    parse_options(&argp, argc, argv, o);
    o->epochs = o->epochs > 0 ? o->epochs : 1;
    if (!o->memory && o->checkpoint < 0) {
        const int64_t bytes = ib_memory_available();
        o->available = bytes >= 0;
        o->memory = bytes < 0 ? 0 : bytes < 4 ? 1 : bytes / 4 * 3;
    }
    if (o->start) { /* only what is said */
        o->adapter = (ib_adapter_opts){.dropout = -1};
        *o->targets = *o->ranks = 0;
        if (o->lora_said)
            finetune_options_lora(o, o->lora_said);
    }
    o->adapter.targets = *o->targets ? o->targets : NULL;
    o->adapter.ranks = *o->ranks ? o->ranks : NULL;
    o->adapter.seed = (uint64_t)o->seed;
}
