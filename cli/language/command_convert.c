/* command_convert.c - isobit convert: whole models and adapters from one kind of file to another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command_line.h"
#include "cli/language/convert.h"
#include "cli/language/language_session.h"

typedef struct convert_options {
    common common;
    const char *model, *out, *format, *adapter, *base, *text;
    int64_t windows;
    int adapter_only, merging;
} convert_options;

enum { KEY_ADAPTER_ONLY = LONG_OPTION, KEY_TEXT, KEY_WINDOWS };

static const struct argp_option options[] = {
    {"out", 'o', "PATH", 0, "NAME.gguf, or a folder for Hugging Face", 0},
    {"format", 'f', "FORMAT", 0,
     "of the linear layers (default keep): f32, f16, bf16, q4_0, q4_k, q8_0, ...; in folders f32, f16, bf16, nf4, "
     "nf4-dq, fp4, fp4-dq, int4, int8",
     0},
    {"adapter", 'a', "PATH", 0, "PEFT folder or GGUF adapter to merge", 0},
    {"base", 'b', "FORMAT", 0, "store the linear layers in this format first, as training did", 0},
    {"adapter-only", KEY_ADAPTER_ONLY, NULL, 0, "write the adapter alone, in the other kind of file", 0},
    {"text", KEY_TEXT, "FILE", 0, "measure perplexity before and after on this text", 0},
    {"windows", KEY_WINDOWS, "N", 0, "at most so many windows of it (16)", 0},
    {0},
};

static int is_gguf(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && !strcmp(path + n - 5, ".gguf");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    convert_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 'o': o->out = arg; return 0;
    case 'f': o->format = arg; return 0;
    case 'a': o->adapter = arg; return 0;
    case 'b': o->base = arg; return 0;
    case KEY_ADAPTER_ONLY: o->adapter_only = 1; return 0;
    case KEY_TEXT: o->text = arg; return 0;
    case KEY_WINDOWS: return parse_int(arg, "--windows", 1, INT64_MAX, &o->windows) ? exit(2), 0 : 0;
    case ARGP_KEY_END:
        if (!o->out)
            argp_error(state, "where to: -o PATH?");
        if ((o->adapter_only || o->merging) && !o->adapter)
            argp_error(state, "which --adapter?");
        if (refuse_onto("-o", o->out, "the model itself", o->model) ||
            refuse_onto("-o", o->out, "the adapter", o->adapter) ||
            (is_gguf(o->out) ? refuse_nowhere("-o", o->out) : refuse_no_folder("-o", o->out)) ||
            (!o->text && refuse_alone("windows", o->windows ? o : NULL, "--text")) ||
            (o->adapter_only &&
             refuse_alone("format", o->format, "the model's own tensors, which --adapter-only leaves out")) ||
            (o->adapter_only && refuse_alone("text", o->text, "a whole model, which --adapter-only does not write")))
            exit(2);
        o->windows = o->windows ? o->windows : 16;
        break;
    }
    return model_argument(key, arg, state, &o->model);
}

/* A model being written. */
typedef struct writing {
    const convert_options *o;
    ib_lm_saved saved;
    progress bar;
    int64_t done;
} writing;

static int show(void *user, const char *tensor, const char *from, const char *to, int exact)
{
    writing *w = user;
    progress_end(&w->bar); /* lines and the bar may share a terminal */
    fprintf(report_stream(&w->o->common), "%-48s %-7s -> %-7s %s\n", tensor, from, to, exact ? "exact" : "lossy");
    progress_show(&w->bar, ++w->done, w->saved.tensors, "tensors");
    return interrupted != 0;
}

static int save(const language *l, writing *w)
{
    progress_start(&w->bar, w->o->merging ? "merge" : "convert", 0);
    catch_interrupt();
    const ib_status status =
        ib_lm_save(l->m, l->dev, w->o->out, &(ib_lm_save_opts){w->o->model, w->o->format, show, w}, &w->saved);
    progress_end(&w->bar);
    if (status == IB_ESTOPPED) {
        fprintf(stderr, "isobit: interrupted: nothing was written\n");
        return 128 + interrupted;
    }
    release_interrupt();
    return status ? complain() : 0;
}

static int perplexity(language *l, const convert_options *o, const char *model, int64_t windows, double *out)
{
    ib_perplexity_result r = {0};
    const int status =
        language_perplexity(l, model, o->text, (ib_perplexity_opts){.context = 512, .windows = windows}, &r);
    *out = r.perplexity;
    return status;
}

int convert(int argc, char **argv, int merging, const char *doc)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {options, parse, "MODEL", doc, children, NULL, NULL};
    convert_options o = {.merging = merging};
    language l = {0}, after = {0};
    writing w = {.o = &o};
    double before_ppl = 0, after_ppl = 0;
    parse_options(&argp, argc, argv, &o);
    int status = language_open(&l, &o.common, o.model, NULL, o.base, o.adapter) || tell_command(l.m, argc, argv);
    if (!status && o.adapter_only) {
        status = (is_gguf(o.out) ? ib_lm_adapter_save_gguf(l.m, o.out) : ib_lm_adapter_save(l.m, o.out, o.model))
                     ? complain()
                     : 0;
    } else if (!status) {
        if (o.text) /* a text that is none is told before there is anything to lose */
            status = perplexity(&l, &o, o.model, 1, &before_ppl);
        if (!status)
            status = save(&l, &w);
        if (!status && o.text)
            status = perplexity(&l, &o, o.model, o.windows, &before_ppl) ||
                     language_open(&after, &o.common, o.out, NULL, NULL, NULL) ||
                     perplexity(&after, &o, o.out, o.windows, &after_ppl);
    }
    struct stat info;
    if (!status && !is_gguf(o.out))
        warn_of_card(o.out);
    if (!status && o.common.json) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "out", json_object_new_string(o.out));
        json_object_object_add(j, "exact", json_object_new_int64(w.saved.exact));
        json_object_object_add(j, "lossy", json_object_new_int64(w.saved.lossy));
        if (o.text) {
            json_object_object_add(j, "perplexity_before", json_object_new_double(before_ppl));
            json_object_object_add(j, "perplexity_after", json_object_new_double(after_ppl));
        }
        print_json(j);
    } else if (!status && o.adapter_only) {
        printf("written: %s\n", o.out);
    } else if (!status) {
        printf("%s: %lld tensors exact, %lld lossy", o.out, (long long)w.saved.exact, (long long)w.saved.lossy);
        if (!stat(o.out, &info) && S_ISREG(info.st_mode))
            printf(", %.1f MB", (double)info.st_size / 1e6);
        printf("\n");
        if (o.text)
            printf("perplexity before %.4f, after %.4f\n", before_ppl, after_ppl);
    }
    language_close(&after);
    language_close(&l);
    return status;
}

int command_convert(int argc, char **argv)
{
    return convert(argc, argv, 0,
                   "Writes a model in another kind of file or format and says of each tensor whether its values stay.\v"
                   "Examples:\n  isobit convert SmolLM2.gguf -o smollm2-hf --format bf16\n  isobit convert folder -o "
                   "model.gguf --format q4_k\n"
                   "  isobit convert SmolLM2.gguf --adapter peft-folder --adapter-only \\\n"
                   "    -o adapter.gguf\n\n" CARDS
                   "JSON keys: out, exact, lossy; with --text: perplexity_before, perplexity_after.");
}
