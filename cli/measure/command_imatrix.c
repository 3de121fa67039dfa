/* command_imatrix.c - isobit imatrix. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/language/language_session.h"

typedef struct imatrix_options {
    common common;
    const char *model, *calib, *out, *adapter, *tokenizer;
    int64_t context, windows;
    int process_output;
} imatrix_options;

static const struct argp_option options[] = {
    {"calib", 't', "FILE", 0, "the text, UTF-8; required", 0},
    {"output", 'o', "FILE", 0, "NAME.gguf, or NAME.dat for the older kind of file; required", 0},
    {"adapter", 'a', "PATH", 0, "a PEFT folder or a GGUF adapter", 0},
    {"ctx", 'c', "N", 0, "tokens in a window (default 512)", 0},
    {"windows", 'w', "N", 0, "at most so many windows (default: the whole text)", 0},
    {"process-output", 'P', NULL, 0, "what the head reads too", 0},
    {"tokenizer", 'T', "PATH", 0, "another GGUF file or tokenizer.json", 0},
    {0},
};

static int ends(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n > m && !strcmp(path + n - m, end);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    imatrix_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 't': o->calib = arg; return 0;
    case 'o': o->out = arg; return 0;
    case 'a': o->adapter = arg; return 0;
    case 'T': o->tokenizer = arg; return 0;
    case 'P': o->process_output = 1; return 0;
    case 'c': return parse_int(arg, "--ctx", 4, 1 << 20, &o->context) ? exit(2), 0 : 0;
    case 'w': return parse_int(arg, "--windows", 1, INT64_MAX, &o->windows) ? exit(2), 0 : 0;
    case ARGP_KEY_END:
        if (!o->calib)
            argp_error(state, "which --calib FILE?");
        if (!o->out)
            argp_error(state, "which -o FILE?");
        if (!ends(o->out, ".gguf") && !ends(o->out, ".dat")) {
            fprintf(stderr, "isobit: -o %s: an importance matrix is NAME.gguf or NAME.dat\n", o->out);
            exit(2);
        }
        if (refuse_onto("output", o->out, "the model itself", o->model) ||
            refuse_onto("output", o->out, "the text", o->calib) || refuse_nowhere("output", o->out))
            exit(2);
        break;
    }
    return model_argument(key, arg, state, &o->model);
}

static int show(void *user, int64_t done, int64_t total)
{
    progress_show(user, done, total, "windows");
    return interrupted != 0;
}

static int collect(language *l, const imatrix_options *o, const ib_ids *ids, progress *p)
{
    const char *slash = strrchr(o->calib, '/');
    const ib_imatrix_opts opts = {.ids = ids->id,
                                  .n = ids->n,
                                  .context = (int)o->context,
                                  .windows = o->windows,
                                  .bos = ib_tokenizer_adds_bos(l->t) ? ib_tokenizer_bos(l->t) : -1,
                                  .process_output = o->process_output,
                                  .dataset = slash ? slash + 1 : o->calib,
                                  .dat = ends(o->out, ".dat"),
                                  .progress = show,
                                  .user = p};
    progress_start(p, "imatrix", 0);
    catch_interrupt();
    const ib_status status = ib_lm_imatrix(l->m, l->g, o->out, &opts);
    progress_end(p);
    release_interrupt();
    return status ? complain_of_windows(o->model, o->calib) : 0;
}

int command_imatrix(int argc, char **argv)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {options,
                              parse,
                              "MODEL",
                              "Runs a language model (GGUF or Hugging Face folder) over a text and writes, for every "
                              "column of its linear layers, the sum of squares of what that column is multiplied by: "
                              "an importance matrix, as llama.cpp's llama-imatrix and llama-quantize --imatrix have "
                              "it.\vExample:\n  isobit imatrix SmolLM2.gguf --calib emma.txt -o emma.gguf\n"
                              "JSON keys: out, dataset, tokens, windows, seconds, tokens_per_second, peak_bytes.",
                              children,
                              NULL,
                              NULL};
    imatrix_options o = {.context = 512};
    language l = {0};
    ib_ids ids = {0};
    progress p;
    parse_options(&argp, argc, argv, &o);
    int status =
        language_open(&l, &o.common, o.model, o.tokenizer, NULL, o.adapter) || text_tokens(l.t, o.calib, 1, &ids);
    const double start = seconds();
    status = status ? status : collect(&l, &o, &ids, &p);
    if (!status) {
        const int64_t there = (ids.n + (ib_tokenizer_adds_bos(l.t) != 0)) / o.context,
                      windows = o.windows && o.windows < there ? o.windows : there;
        const double took = seconds() - start, rate = (double)(windows * o.context) / took;
        const char *slash = strrchr(o.calib, '/');
        if (o.common.json) {
            struct json_object *j = json_object_new_object();
            json_object_object_add(j, "out", json_object_new_string(o.out));
            json_object_object_add(j, "dataset", json_object_new_string(slash ? slash + 1 : o.calib));
            json_object_object_add(j, "tokens", json_object_new_int64(windows * o.context));
            json_object_object_add(j, "windows", json_object_new_int64(windows));
            json_object_object_add(j, "seconds", json_object_new_double(took));
            json_object_object_add(j, "tokens_per_second", json_object_new_double(rate));
            json_object_object_add(j, "peak_bytes", json_object_new_int64(peak_memory()));
            print_json(j);
        } else {
            printf("%s: %lld tokens of %lld windows, %.0f tokens/s, peak memory %lld MB\n", o.out,
                   (long long)(windows * o.context), (long long)windows, rate, (long long)(peak_memory() / 1000000));
        }
    }
    ib_free_ids(&ids);
    language_close(&l);
    return status;
}
