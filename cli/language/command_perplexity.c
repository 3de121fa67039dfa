/* command_perplexity.c - isobit perplexity. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/language/language_session.h"

typedef struct perplexity_options {
    common common;
    const char *model, *text, *base, *adapter, *tokenizer;
    int64_t context, windows;
    int in_place;
    ib_path path;
} perplexity_options;

static const struct argp_option options[] = {
    {"text", 't', "FILE", 0, "the text, UTF-8", 0},
    {"base", 'b', "FORMAT", 0,
     "store the linear layers in this format first (default keep): nf4, nf4-dq, q4_0, q8_0, ...", 0},
    {"adapter", 'a', "PATH", 0, "a PEFT folder or a GGUF adapter", 0},
    {"ctx", 'c', "N", 0, "tokens in a window (default 512)", 0},
    {"windows", 'w', "N", 0, "at most so many windows (default: the whole text)", 0},
    {"windows-like", 'l', "NAME", 0,
     "isobit (default): a BOS before the tokens of each window; llama.cpp: in the place of its first token", 0},
    {"path", 'p', "NAME", 0,
     "exact (default): fp32 rows; integer: rows as codes of 8 bits, multiplied by the weights' codes in integers", 0},
    {"tokenizer", 'T', "PATH", 0, "another GGUF file or tokenizer.json", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    perplexity_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 't': o->text = arg; return 0;
    case 'b': o->base = arg; return 0;
    case 'a': o->adapter = arg; return 0;
    case 'T': o->tokenizer = arg; return 0;
    case 'c': return parse_int(arg, "--ctx", 4, 1 << 20, &o->context) ? exit(2), 0 : 0;
    case 'w': return parse_int(arg, "--windows", 1, INT64_MAX, &o->windows) ? exit(2), 0 : 0;
    case 'p': return parse_path(arg, &o->path) ? exit(2), 0 : 0;
    case 'l':
        if (strcmp(arg, "isobit") && strcmp(arg, "llama.cpp")) {
            fprintf(stderr, "isobit: --windows-like '%s': isobit and llama.cpp are possible\n", arg);
            exit(2);
        }
        o->in_place = !strcmp(arg, "llama.cpp");
        return 0;
    case ARGP_KEY_END:
        if (!o->text)
            argp_error(state, "which --text FILE?");
        break;
    }
    return model_argument(key, arg, state, &o->model);
}

typedef struct watching {
    progress p;
} watching;

static void show(void *user, int64_t done, int64_t total, double perplexity)
{
    char text[64];
    snprintf(text, sizeof text, "perplexity %.4f", perplexity);
    progress_show(&((watching *)user)->p, done, total, text);
}

int command_perplexity(int argc, char **argv)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL",
        "Measures how well a language model (GGUF or Hugging Face folder) predicts a text: "
        "non-overlapping windows, the second "
        "half of each is scored.\vExample:\n  isobit perplexity SmolLM2.gguf --text emma.txt \\\n"
        "    --base nf4-dq --adapter adapter\n"
        "JSON keys: perplexity, nll, tokens, windows, path, integer_matrices, exact_matrices, exact_formats, "
        "seconds, tokens_per_second, peak_bytes.",
        children,
        NULL,
        NULL};
    perplexity_options o = {.context = 512};
    language l = {0};
    ib_perplexity_result r;
    products made;
    watching w;
    parse_options(&argp, argc, argv, &o);
    int status =
        language_open(&l, &o.common, o.model, o.tokenizer, o.base, o.adapter) || language_path(&l, o.path, &made);
    if (!status && o.path == IB_PATH_INTEGER)
        tell_path(o.model, &made);
    if (!status && o.context > ib_lm_config_of(l.m)->context)
        fprintf(stderr,
                "isobit: windows of %lld tokens are longer than the context of %s, %d tokens: positions behind it were "
                "never trained\n",
                (long long)o.context, o.model, ib_lm_config_of(l.m)->context);
    if (!status) {
        progress_start(&w.p, "perplexity", 0);
        const double start = seconds();
        const ib_perplexity_opts p = {(int)o.context, o.windows, -1, o.in_place, show, &w};
        status = language_perplexity(&l, o.model, o.text, p, &r);
        progress_end(&w.p);
        const double took = seconds() - start, rate = (double)(r.windows * o.context) / took;
        if (!status && o.common.json) {
            struct json_object *j = json_object_new_object();
            json_object_object_add(j, "perplexity", json_object_new_double(r.perplexity));
            json_object_object_add(j, "nll", json_object_new_double(r.nll));
            json_object_object_add(j, "tokens", json_object_new_int64(r.tokens));
            json_object_object_add(j, "windows", json_object_new_int64(r.windows));
            add_path(j, &made);
            json_object_object_add(j, "seconds", json_object_new_double(took));
            json_object_object_add(j, "tokens_per_second", json_object_new_double(rate));
            json_object_object_add(j, "peak_bytes", json_object_new_int64(peak_memory()));
            print_json(j);
        } else if (!status) {
            printf("perplexity %.4f%s over %lld tokens of %lld windows, %.0f tokens/s, peak memory %lld MB\n",
                   r.perplexity, made.of.integer ? " in integers" : "", (long long)r.tokens, (long long)r.windows, rate,
                   (long long)(peak_memory() / 1000000));
        }
    }
    language_close(&l);
    return status;
}
