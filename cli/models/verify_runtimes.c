/* verify_runtimes.c - the exported model in other people's runtimes, code for code with the integer runtime. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "export/export_format.h"

extern const unsigned char ib_embedded_run_runtime[];
extern const unsigned long ib_embedded_run_runtime_size;

/* What --with names, and the runs it stands for. */
static const struct runtime {
    const char *with, *name, *engine; /* engine: of run_runtime.py */
    ib_profile profile;
    const ib_export_format *format;
} runtimes[] = {
#define RUN(with, name, engine, profile, format) {#with, name, engine, profile, &ib_export_format_##format},
#include "cli/models/runtimes.def"
#undef RUN
};
enum { N_RUNTIMES = sizeof runtimes / sizeof *runtimes };

/* What a run came to. */
enum { LINE = 700 };
typedef struct outcome {
    int64_t codes, different;
    int refused; /* by isobit, of this runtime */
    char ran[300], why[LINE];
} outcome;

static int is_listed(const char *list, const char *name)
{
    const char *at = strstr(list, name), end = at ? at[strlen(name)] : 1;
    return at && (at == list || at[-1] == ',') && (!end || end == ',');
}

static int put(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    const int bad = !f || fwrite(data, 1, bytes, f) != bytes;
    return (f && fclose(f)) || bad ? fprintf(stderr, "isobit: %s: cannot be written\n", path) : 0;
}

/* The test data as codes and reals, and what the program makes of them. */
typedef struct samples {
    int64_t n, in, out;
    float *x;
    int8_t *codes, *result;
} samples;

static int run_program(session *s, ib_program *p, samples *a)
{
    ib_loader *l = ib_loader_new(s->test, ib_layer_input(s->net), &(ib_loader_opts){.batch = 200});
    ib_batch b;
    a->in = ib_program_input_size(p);
    a->out = ib_program_output_size(p);
    const int64_t most = ib_dataset_count(s->test);
    a->x = malloc((size_t)(most * a->in) * sizeof *a->x);
    a->codes = malloc((size_t)(most * a->in));
    a->result = malloc((size_t)(most * a->out));
    int bad = !l || !a->x || !a->codes || !a->result;
    while (!bad && ib_loader_next(l, &b)) {
        memcpy(a->x + a->n * a->in, b.x, (size_t)(b.n * a->in) * sizeof *a->x);
        bad = ib_program_quantize(p, s->dev, b.n, b.x, a->codes + a->n * a->in) ||
              ib_program_run(p, s->dev, b.n, a->codes + a->n * a->in, a->result + a->n * a->out);
        a->n += b.n;
    }
    bad = bad || ib_loader_status(l);
    ib_loader_free(l);
    return bad ? complain() : 0;
}

/* C,H,W to H,W,C, in place of each sample */
static void turn(samples *a, const ib_input_info *in, int8_t *to)
{
    const int64_t area = (int64_t)in->h * in->w;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t c = 0; c < in->c; c++)
            for (int64_t p = 0; p < area; p++)
                to[i * a->in + p * in->c + c] = a->codes[i * a->in + c * area + p];
}

/* The last line of a text, which may be missing. */
static void last_line(const char *path, char last[300])
{
    char line[300] = "";
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (line[strspn(line, " \n")])
            memcpy(last, line, sizeof line);
    if (f)
        fclose(f);
    last[strcspn(last, "\n")] = 0;
}

/* Which program failed, and how: Python is not there or lacks the runtime, or the runtime was ended or gave up.
 * `status` is system()'s. */
static void tell(const char *path, const char *name, const char *python, int status, char why[LINE])
{
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    char last[300] = "no message";
    last_line(path, last);
    if (code == 126 || code == 127)
        snprintf(why, LINE,
                 "the Python '%s' cannot be run (--python or ISOBIT_PYTHON names another; scripts/runtimes makes one)",
                 python);
    else if (code > 128)
        snprintf(why, LINE, "%s, in '%s', was ended by signal %d", name, python, code - 128);
    else if (strstr(last, "ModuleNotFoundError"))
        snprintf(why, LINE,
                 "the Python '%s' lacks %s: %s (scripts/runtimes makes one that has it: "
                 "--python build/runtimes/bin/python)",
                 python, name, last);
    else
        snprintf(why, LINE, "%s, in '%s', ended with status %d: %s", name, python, code, last);
}

/* 0, or 1 with the line that was told in o->why. */
static int run(session *s, const struct runtime *r, const char *python, const char *dir, outcome *o)
{
    static const char *const files[] = {"run.py", "model", "in", "out", "log", "ran"};
    char path[6][256], command[1900];
    samples a = {0};
    int8_t *turned = NULL, *got = NULL;
    float *real = NULL;
    int status = 0;
    for (int i = 0; i < 6; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", dir, files[i]);
    ib_program *p = ib_qat_set_profile(s->net, r->profile) ? NULL : ib_program_of(s->net, s->g);
    if ((o->refused = !p || r->format->print(p, &(ib_print_job){s->dev, path[1], "verify", NULL}))) {
        snprintf(o->why, LINE, "%s", ib_error());
        status = complain();
    }
    if (!status)
        status = run_program(s, p, &a);
    if (!status && r->format->codes) {
        if ((turned = malloc((size_t)(a.n * a.in))))
            turn(&a, ib_layer_input(s->net), turned);
        status = !turned || put(path[2], turned, (size_t)(a.n * a.in));
    } else if (!status) {
        status = put(path[2], a.x, (size_t)(a.n * a.in) * sizeof *a.x);
    }
    if (!status)
        status = put(path[0], ib_embedded_run_runtime, ib_embedded_run_runtime_size);
    snprintf(command, sizeof command, "'%s' '%s' %s '%s' '%s' '%s' %lld >'%s' 2>'%s'", python, path[0], r->engine,
             path[1], path[2], path[3], (long long)a.n, path[5], path[4]);
    const int ended = status ? 0 : system(command);
    if (ended) {
        tell(path[4], r->name, python, ended, o->why);
        status = fprintf(stderr, "isobit: %s\n", o->why) > 0;
    }
    last_line(path[5], o->ran);
    const size_t n = (size_t)(a.n * a.out);
    FILE *f = status ? NULL : fopen(path[3], "rb");
    got = malloc(n + 1);
    real = malloc((n + 1) * sizeof *real);
    if (!status &&
        (!f || !got || !real || (r->format->codes ? fread(got, 1, n, f) : fread(real, sizeof *real, n, f)) != n)) {
        snprintf(o->why, LINE, "the Python '%s' ended without an error, but gave fewer than the %zu values of %s",
                 python, n, r->name);
        status = fprintf(stderr, "isobit: %s\n", o->why) > 0;
    }
    for (size_t i = 0; i < n && !status; i++) {
        if (!r->format->codes)
            got[i] = (int8_t)(lrintf(real[i] / ib_program_output_scale(p)) + ib_program_output_zero(p));
        o->different += got[i] != a.result[i];
    }
    o->codes = (int64_t)n;
    if (f)
        fclose(f);
    for (int i = 0; i < 6; i++)
        unlink(path[i]);
    free(a.x);
    free(a.codes);
    free(a.result);
    free(turned);
    free(got);
    free(real);
    ib_program_free(p);
    return status;
}

int refuse_runtimes(const char *list)
{
    char *copy = list ? strdup(list) : NULL, *save = NULL;
    int bad = copy && !*copy;
    for (char *name = copy ? strtok_r(copy, ",", &save) : NULL; name && !bad; name = strtok_r(NULL, ",", &save)) {
        bad = 1;
        for (int i = 0; i < N_RUNTIMES; i++)
            bad = bad && strcmp(name, runtimes[i].with);
    }
    free(copy);
    static const char names[] =
#define RUNTIME(with) ", " #with
#include "cli/models/runtimes.def"
#undef RUNTIME
        ;
    return bad ? fprintf(stderr, "isobit: --with '%s': %s are possible\n", list, names + 2) > 0 : 0;
}

int verify_with(session *s, const char *list, const char *python, struct json_object *report, int64_t *different)
{
    struct json_object *rows = report ? json_object_new_array() : NULL;
    const char *base = getenv("TMPDIR");
    char dir[200];
    int status = 0;
    if (!python)
        python = getenv("ISOBIT_PYTHON") ? getenv("ISOBIT_PYTHON") : "python3";
    snprintf(dir, sizeof dir, "%s/isobit-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(dir))
        return fprintf(stderr, "isobit: %s: cannot be made: %m (TMPDIR names another folder)\n", dir), 1;
    for (int i = 0, refused = 1; i < N_RUNTIMES && (!status || refused); i++) {
        outcome o = {0};
        if (!is_listed(list, runtimes[i].with))
            continue;
        const char *profile = ib_profile_name(runtimes[i].profile);
        const int failed = run(s, &runtimes[i], python, dir, &o);
        refused = o.refused;
        status |= failed;
        if (failed && !*o.why)
            snprintf(o.why, sizeof o.why, "it could not be run: standard error says why");
        *different += o.different;
        struct json_object *j = rows ? json_object_new_object() : NULL;
        if (j) {
            json_object_object_add(j, "name", json_object_new_string(runtimes[i].name));
            json_object_object_add(j, "profile", json_object_new_string(profile));
            json_object_array_add(rows, j);
        }
        if (j && failed)
            json_object_object_add(j, "error", json_object_new_string(o.why));
        if (j && !failed) {
            json_object_object_add(j, "ran", json_object_new_string(o.ran));
            json_object_object_add(j, "codes", json_object_new_int64(o.codes));
            json_object_object_add(j, "different", json_object_new_int64(o.different));
        }
        if (!failed)
            fprintf(rows ? stderr : stdout, "%-28s %-14s %lld output codes, %lld differ (%s)\n", runtimes[i].name,
                    profile, (long long)o.codes, (long long)o.different, o.ran);
        fflush(stdout);
    }
    rmdir(dir);
    if (report)
        json_object_object_add(report, "runtimes", rows);
    return status;
}
