/* quantize_language.c - see quantize_language.h */
#include "cli/language/quantize_language.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/language/language_session.h"
#include "cli/language/part_folder.h"

enum {
    KEY_TO = LONG_OPTION + 100,
    KEY_CALIB,
    KEY_CTX,
    KEY_WINDOWS,
    KEY_DAMPING,
    KEY_STRICT,
    KEY_TRANSFORM,
    KEY_ALPHA,
    KEY_RESUME
};

static const struct argp_option options[] = {
    {"to", KEY_TO, "TYPE", 0,
     "a file type of llama.cpp (q2_k, q2_k_s, q3_k_s, q3_k_m, q3_k_l, q4_0, q4_k_s, q4_k_m, q5_0, q5_k_s, q5_k_m, "
     "q6_k, q8_0, iq4_nl) or one type for all (q4_1, q5_1, f16, ...); required",
     0},
    {"calib", KEY_CALIB, "FILE", 0, "the calibration text, UTF-8; without it, values are rounded to the nearest codes",
     0},
    {"ctx", KEY_CTX, "N", 0, "tokens in a window of it (default 512)", 0},
    {"windows", KEY_WINDOWS, "N", 0, "at most so many windows, spread over it (default 128)", 0},
    {"damping", KEY_DAMPING, "X", 0, "of gptq: added to the Hessian, as a share of its mean diagonal (default 0.01)",
     0},
    {"transform", KEY_TRANSFORM, "NAME", 0,
     "before the method: awq (scales of columns by what goes through them), smoothquant (for products in integers)", 0},
    {"alpha", KEY_ALPHA, "X", 0, "of awq and smoothquant: 0 to 1 for all layers (default: searched for each)", 0},
    {"resume", KEY_RESUME, NULL, 0, "go on behind the layers that an interrupted run has finished (in OUTPUT.part)", 0},
    {"strict", KEY_STRICT, NULL, 0, "a tensor that cannot have its type is an error", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    language_quantizing *o = state->input;
    int bad = 0;
    switch (key) {
    case KEY_TO: o->to = arg; return 0;
    case KEY_CALIB: o->calib = arg; return 0;
    case KEY_CTX: bad = parse_int(arg, "--ctx", 4, 1 << 20, &o->context); break;
    case KEY_WINDOWS: bad = parse_int(arg, "--windows", 1, INT64_MAX, &o->windows); break;
    case KEY_DAMPING: bad = parse_float(arg, "--damping", 1e-12, 1e6, &o->damping); break;
    case KEY_TRANSFORM: o->transform = arg; return 0;
    case KEY_ALPHA: bad = parse_float(arg, "--alpha", 1e-3, 1, &o->alpha); break;
    case KEY_STRICT: o->strict = 1; return 0;
    case KEY_RESUME: o->resume = 1; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (bad)
        exit(2);
    return 0;
}

const struct argp language_quantize_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

const char *language_quantize_given(const language_quantizing *o)
{
    return o->to          ? "--to"
           : o->transform ? "--transform"
           : o->alpha     ? "--alpha"
           : o->calib     ? "--calib"
           : o->context   ? "--ctx"
           : o->windows   ? "--windows"
           : o->damping   ? "--damping"
           : o->strict    ? "--strict"
           : o->resume    ? "--resume"
                          : NULL;
}

/* A model on its way. */
typedef struct work {
    FILE *lines;
    progress bar;
    struct json_object *tensors; /* or NULL */
    int64_t fallbacks, bytes, weights;
    double error; /* sum over matrices that a text went through */
    int64_t seen;
} work;

static int tell(void *user, const ib_ptq_report *r)
{
    work *w = user;
    const int other = strcmp(r->asked, r->got) != 0;
    w->fallbacks += other;
    w->bytes += r->bytes;
    w->weights += r->rows * r->cols;
    if (r->nearest_error >= 0) {
        w->error += r->error;
        w->seen++;
    }
    if (w->tensors) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "tensor", json_object_new_string(r->tensor));
        json_object_object_add(j, "asked", json_object_new_string(r->asked));
        json_object_object_add(j, "got", json_object_new_string(r->got));
        json_object_object_add(j, "method", json_object_new_string(r->method));
        json_object_object_add(j, "transform", *r->transform ? json_object_new_string(r->transform) : NULL);
        json_object_object_add(j, "note", *r->note ? json_object_new_string(r->note) : NULL);
        json_object_object_add(j, "bytes", json_object_new_int64(r->bytes));
        json_object_object_add(j, "error", r->error >= 0 ? json_object_new_double(r->error) : NULL);
        json_object_object_add(j, "nearest_error",
                               r->nearest_error >= 0 ? json_object_new_double(r->nearest_error) : NULL);
        json_object_array_add(w->tensors, j);
    }
    progress_end(&w->bar);
    fprintf(w->lines, "%-28s %6lldx%-6lld %-6s %-8s", r->tensor, (long long)r->rows, (long long)r->cols, r->got,
            r->method);
    if (r->error >= 0)
        fprintf(w->lines, " error %.3g", r->error);
    if (r->nearest_error >= 0)
        fprintf(w->lines, " (nearest %.3g)", r->nearest_error);
    if (other)
        fprintf(w->lines, "; not %s: rows of %lld are no whole blocks", r->asked, (long long)r->cols);
    if (*r->transform)
        fprintf(w->lines, "; %s", r->transform);
    fprintf(w->lines, "%s%s\n", *r->note ? "; " : "", r->note);
    return interrupted != 0;
}

static int show(void *user, int64_t done, int64_t total)
{
    progress_show(&((work *)user)->bar, done, total, "windows through a block");
    return interrupted != 0;
}

static int report(const language_quantizing *o, const common *c, const char *out, const work *w, double took)
{
    struct stat info;
    const int64_t bytes = !stat(out, &info) && S_ISREG(info.st_mode) ? (int64_t)info.st_size : w->bytes;
    const double bits = 8.0 * (double)bytes / (double)w->weights;
    if (c->json) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "output", json_object_new_string(out));
        json_object_object_add(j, "to", json_object_new_string(o->to));
        json_object_object_add(j, "bytes", json_object_new_int64(bytes));
        json_object_object_add(j, "bits_per_weight", json_object_new_double(bits));
        json_object_object_add(j, "fallbacks", json_object_new_int64(w->fallbacks));
        json_object_object_add(j, "seconds", json_object_new_double(took));
        json_object_object_add(j, "peak_bytes", json_object_new_int64(peak_memory()));
        json_object_object_add(j, "tensors", w->tensors);
        print_json(j);
        return 0;
    }
    printf("%s: %.1f MB, %.2f bits a weight, in %.0f s, peak memory %lld MB", out, (double)bytes / 1e6, bits, took,
           (long long)(peak_memory() / 1000000));
    if (w->seen)
        printf("; mean error of products %.3g", w->error / (double)w->seen);
    if (w->fallbacks)
        printf("; %lld tensors are not of the type that was asked for", (long long)w->fallbacks);
    printf("\n");
    return 0;
}

int quantize_language(const language_quantizing *o, const common *c, const char *model, const char *method,
                      const char *out)
{
    const size_t n = strlen(out);
    const int file = n > 5 && !strcmp(out + n - 5, ".gguf");
    if (!o->to)
        return fprintf(stderr, "isobit: quantize of a language model needs --to TYPE, as q4_k_m\n"), 2;
    if (refuse_nowhere("-o", out))
        return 2;
    language l = {0};
    ib_ids ids = {0};
    work w = {.lines = report_stream(c), .tensors = c->json ? json_object_new_array() : NULL};
    const double start = seconds();
    if (!file && refuse_alone("resume", o->resume ? o : NULL, "NAME.gguf as the output"))
        return 2;
    char *part = file ? part_open(out, o->resume) : NULL;
    if (file && !part)
        return 2;
    int status = language_open(&l, c, model, NULL, NULL, NULL) || (o->calib && language_tokens(&l, o->calib, &ids));
    if (!status) {
        const ib_ptq_opts opts = {.to = o->to,
                                  .method = method,
                                  .ids = ids.id,
                                  .n = ids.n,
                                  .context = (int)o->context,
                                  .windows = o->windows,
                                  .bos = ib_tokenizer_adds_bos(l.t) ? ib_tokenizer_bos(l.t) : -1,
                                  .damping = o->damping,
                                  .transform = o->transform,
                                  .alpha = o->alpha,
                                  .folder = !file,
                                  .strict = o->strict,
                                  .work = part,
                                  .tell = tell,
                                  .progress = show,
                                  .user = &w};
        progress_start(&w.bar, "quantize", 0);
        catch_interrupt();
        ib_status done = ib_lm_quantize(l.m, l.g, &opts);
        progress_end(&w.bar);
        if (!done)
            done = ib_lm_save(l.m, l.dev, out, &(ib_lm_save_opts){.source = model}, NULL);
        if (done == IB_ESTOPPED)
            status = 128 + interrupted;
        else
            release_interrupt();
        if (!status && done)
            status = complain();
    }
    const int kept = part ? part_count(part) : 0;
    if (part && (!status || !kept))
        part_remove(part);
    else if (part)
        fprintf(stderr, "isobit: %s%s holds %d finished layers: --resume goes on behind them\n",
                status > 128 ? "interrupted: " : "", part, kept);
    ib_free(part);
    if (!status)
        status = report(o, c, out, &w, seconds() - start);
    else if (w.tensors)
        json_object_put(w.tensors);
    ib_free_ids(&ids);
    language_close(&l);
    return status;
}
