/* command_perplexity.c - isobit perplexity. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/measure/against.h"
#include "cli/measure/calibrated.h"

typedef struct perplexity_options {
    common common;
    const char *model, *text, *base, *adapter, *tokenizer, *against, *save;
    int64_t context, windows, stride;
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
    {"stride", 's', "N", 0,
     "windows slide by so many tokens, and of each the last N are scored (default: windows side by side, of each the "
     "second half)",
     0},
    {"against", 'A', "BASE", 0,
     "compare with this model (GGUF or folder, run exactly as it is) on the same tokens, or with a file of "
     "--save-logits or of llama-perplexity's --save-all-logits, whose text is taken where no --text is given",
     0},
    {"save-logits", 'S', "FILE", 0,
     "write what the model says of the scored tokens, for --against and llama-perplexity's --kl-divergence-base", 0},
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
    case 'A': o->against = arg; return 0;
    case 'S': o->save = arg; return 0;
    case 'c': return parse_int(arg, "--ctx", 4, 1 << 20, &o->context) ? exit(2), 0 : 0;
    case 's': return parse_int(arg, "--stride", 1, (1 << 20) - 1, &o->stride) ? exit(2), 0 : 0;
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
        if (!o->text && !(o->against && is_saved_logits(o->against)))
            argp_error(state, "which --text FILE?");
        if (o->save && o->against) {
            fprintf(stderr, "isobit: --save-logits and --against: one of them at a time\n");
            exit(2);
        }
        if (o->save && o->stride) {
            fprintf(stderr, "isobit: --save-logits and --stride: windows that slide have no place in that file\n");
            exit(2);
        }
        if (refuse_onto("save-logits", o->save, "the model itself", o->model) ||
            refuse_onto("save-logits", o->save, "the text", o->text) || refuse_nowhere("save-logits", o->save))
            exit(2);
        break;
    }
    return model_argument(key, arg, state, &o->model);
}

typedef struct watching {
    progress p;
    const char *what;
} watching;

static int show(void *user, int64_t done, int64_t total, double value)
{
    watching *w = user;
    char text[64];
    snprintf(text, sizeof text, "%s %.4f", w->what, value);
    progress_show(&w->p, done, total, text);
    return interrupted != 0;
}

static void report(const perplexity_options *o, const ib_perplexity_result *r, const products *made, double took)
{
    const double rate = (double)(r->windows * o->context) / took;
    if (!o->common.json) {
        printf("perplexity %.4f%s over %lld tokens of %lld windows, %.0f tokens/s, peak memory %lld MB\n",
               r->perplexity, made->of.integer ? " in integers" : "", (long long)r->tokens, (long long)r->windows, rate,
               (long long)(peak_memory() / 1000000));
        return;
    }
    struct json_object *j = json_object_new_object();
    json_object_object_add(j, "perplexity", json_object_new_double(r->perplexity));
    json_object_object_add(j, "nll", json_object_new_double(r->nll));
    json_object_object_add(j, "tokens", json_object_new_int64(r->tokens));
    json_object_object_add(j, "windows", json_object_new_int64(r->windows));
    add_path(j, made);
    json_object_object_add(j, "seconds", json_object_new_double(took));
    json_object_object_add(j, "tokens_per_second", json_object_new_double(rate));
    json_object_object_add(j, "peak_bytes", json_object_new_int64(peak_memory()));
    print_json(j);
}

static int measure(language *l, const perplexity_options *o, const products *made)
{
    watching w = {.what = o->against ? "KL divergence" : "perplexity"};
    progress_start(&w.p, "perplexity", 0);
    catch_interrupt();
    const double start = seconds();
    ib_perplexity_opts p = {.windows = o->windows, .in_place = o->in_place, .stride = o->stride};
    p.context = (int)o->context;
    p.progress = show;
    p.user = &w;
    p.bos = ib_tokenizer_adds_bos(l->t) ? ib_tokenizer_bos(l->t) : -1;
    ib_ids ids = {0};
    ib_perplexity_result r;
    ib_divergence d;
    int status = o->text ? text_tokens(l->t, o->text, o->in_place, &ids) : 0;
    if (!status && o->against)
        status = measure_against(l, &(against){o->model, o->against, o->text, o->tokenizer}, &ids, &p, &d);
    else if (!status && (o->save ? ib_lm_save_logits(l->m, l->g, o->save, ids.id, ids.n, &p, &r)
                                 : ib_lm_perplexity(l->m, l->g, ids.id, ids.n, &p, &r)))
        status = complain_of_windows(o->model, o->text);
    progress_end(&w.p);
    release_interrupt();
    if (!status && o->against)
        report_divergence(&o->common, o->against, &d, made, seconds() - start);
    else if (!status)
        report(o, &r, made, seconds() - start);
    ib_free_ids(&ids);
    return status;
}

int command_perplexity(int argc, char **argv)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL",
        "Measures how well a language model (GGUF or Hugging Face folder) predicts a text: "
        "windows side by side, the second half of each is scored, or windows that slide. --against says how far its "
        "predictions are from another model's.\vExamples:\n  isobit perplexity SmolLM2.gguf --text emma.txt \\\n"
        "    --base nf4-dq --adapter adapter\n"
        "  isobit perplexity SmolLM2-q4_0.gguf --text emma.txt --against SmolLM2.gguf\n"
        "JSON keys: perplexity, nll, tokens, windows, path, integer_matrices, exact_matrices, exact_formats, "
        "seconds, tokens_per_second, peak_bytes. With --against: perplexity, base_perplexity, perplexity_ratio, "
        "log_ratio, divergence, same_top, change, rms_change, each with its standard error beside it (..._error), "
        "correlation, divergence_quantiles and change_quantiles (objects), base, base_path, tokens, windows, path, "
        "integer_matrices, exact_matrices, exact_formats, seconds, peak_bytes.",
        children,
        NULL,
        NULL};
    perplexity_options o = {0};
    language l = {0};
    products made;
    parse_options(&argp, argc, argv, &o);
    if (!o.context && o.text && !(o.against && is_saved_logits(o.against)))
        o.context = 512;
    int status =
        language_open(&l, &o.common, o.model, o.tokenizer, o.base, o.adapter) || language_path(&l, o.path, &made);
    if (!status && o.path == IB_PATH_INTEGER)
        tell_path(o.model, &made);
    if (!status && o.context > ib_lm_config_of(l.m)->context)
        fprintf(stderr,
                "isobit: windows of %lld tokens are longer than the context of %s, %d tokens: positions behind it were "
                "never trained\n",
                (long long)o.context, o.model, ib_lm_config_of(l.m)->context);
    if (!status)
        warn_of_calibration(o.model, o.text);
    if (!status)
        status = measure(&l, &o, &made);
    language_close(&l);
    return status;
}
