/* c_source.c - prints an integer program as C99: the runtime's own text, the constants, the calls. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "files/file.h"
#include "export/c_columns.h"
#include "export/c_targets.h"
#include "export/export_format.h"
#include "program/instr.h"
#include "files/strbuf.h"
#include "base/argument.h"
#include "base/number.h"

extern const unsigned char ib_embedded_runtime[], ib_embedded_types[];
extern const unsigned long ib_embedded_runtime_size, ib_embedded_types_size;

/* Copies the text of a section of the runtime: from behind its mark to "[end]". */
static void add_section(ib_strbuf *t, const char *from)
{
    const char *to = strstr(from, "/* [end] */");
    if (to)
        ib_strbuf_bytes(t, from, (size_t)(to - from));
    ib_strbuf_add(t, "\n");
}

static int uses(const ib_program *p, const char *section, size_t length)
{
    for (int i = 0; i < p->n_instrs; i++)
        for (const char *s = p->instrs[i].cls->sections; *s; s += strcspn(s, " "), s += *s == ' ')
            if (strcspn(s, " ") == length && !strncmp(s, section, length))
                return 1;
    return 0;
}

/* The runtime's sections in their order there, as far as instructions name them; each begins behind a line
 * "[<name>]" in a comment. */
static void add_runtime(const ib_program *p, ib_strbuf *t)
{
    static const char mark[] = "\n/* [";
    const char *at = (const char *)ib_embedded_runtime;
    while ((at = strstr(at, mark))) {
        at += sizeof mark - 1;
        const size_t length = strcspn(at, "]");
        const char *text = strchr(at, '\n') + 1;
        if (uses(p, at, length))
            add_section(t, text);
    }
}

static void print_report(const ib_program *p, ib_strbuf *t)
{
    int64_t flash = 0, macs = 0;
    ib_strbuf_add(t, " * layer                          op       bits   flash     RAM      MACs  |acc| at most\n");
    for (int i = 0; i < p->n_instrs; i++) {
        const ib_program_layer l = ib_program_layer_at(p, i);
        ib_strbuf_add(t, " * %-30s %-8s %4d %7lld %7lld %9lld  %lld\n", l.name, l.op, l.weight_bits, (long long)l.flash,
                      (long long)l.ram, (long long)l.macs, (long long)l.acc_bound);
        flash += l.flash;
        macs += l.macs;
    }
    ib_strbuf_add(
        t,
        " * in all: %lld bytes of constants, %lld bytes of RAM (arena %lld, patch %lld), %lld multiply-accumulates\n",
        (long long)flash, (long long)ib_program_arena(p), (long long)p->arena, (long long)(2 * p->scratch),
        (long long)macs);
}

static void upper(const char *name, char *out, size_t size)
{
    size_t i = 0;
    for (; name[i] && i + 1 < size; i++)
        out[i] = (char)toupper((unsigned char)name[i]);
    out[i] = 0;
}

static void print_header(const ib_program *p, ib_strbuf *t, int64_t n)
{
    const ib_value *in = &p->values[0], *out = &p->values[p->result];
    char u[80];
    upper(t->name, u, sizeof u);
    ib_strbuf_add(t, "/* %s.h - integer network written by isobit; rounding profile %s.\n *\n", t->name,
                  ib_profile_name((ib_profile)p->profile));
    print_report(p, t);
    ib_strbuf_add(
        t, " */\n#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
        u, u);
    ib_strbuf_add(t, "#define %s_INPUT_SIZE %lld /* codes, C,H,W = %d,%d,%d */\n", u, (long long)in->size, p->input.c,
                  p->input.h, p->input.w);
    ib_strbuf_add(t, "#define %s_OUTPUT_SIZE %lld\n\n", u, (long long)out->size);
    ib_strbuf_add(t,
                  "/* real = scale * (code - zero): the normalized input ((raw / %d) - mean) / std with mean %.9g and "
                  "std %.9g, and the outputs */\n",
                  p->input.raw_max ? p->input.raw_max : 1, p->input.mean, p->input.std > 0 ? p->input.std : 1.0f);
    ib_strbuf_add(t,
                  "#define %s_INPUT_SCALE %.9gf\n#define %s_INPUT_ZERO (%d)\n#define %s_OUTPUT_SCALE %.9gf\n#define "
                  "%s_OUTPUT_ZERO (%d)\n\n",
                  u, in->scale, u, in->zero, u, out->scale, u, out->zero);
    ib_targets_declare(p, t, u);
    if (p->input.raw_max > 0 && p->input.raw_max <= 255)
        ib_strbuf_add(t,
                      "/* Codes of raw inputs, integers 0..%d (larger ones count as %d). */\nvoid %s_quantize_u8(const "
                      "uint8_t *raw, int8_t *codes);\n",
                      p->input.raw_max, p->input.raw_max, t->name);
    ib_strbuf_add(t,
                  "/* Codes of normalized inputs in fixed point, 16 bits behind the point. */\nvoid "
                  "%s_quantize_q16(const int32_t *x, int8_t *codes);\n",
                  t->name);
    ib_columns_declare(p, t, u);
    ib_strbuf_add(t,
                  "/* One inference. Not reentrant: it works in one static arena.%s%s%s */\nvoid %s_run(const int8_t "
                  "*input, int8_t *output);\n",
                  *ib_program_note(p) ? " Note: " : "", ib_program_note(p), *ib_program_note(p) ? "." : "", t->name);
    ib_strbuf_add(t, "/* The first largest of the outputs. */\nint32_t %s_argmax(const int8_t *output);\n", t->name);
    ib_strbuf_add(t,
                  "/* Runs %lld stored samples; the number of output codes that differ from training's%s. */\nint32_t "
                  "%s_self_test(void);\n\n",
                  (long long)n, ib_has_columns(p) ? ", and of the codes of stored rows" : "", t->name);
    ib_strbuf_add(t, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
}

/* Codes of every raw value by the same arithmetic as in training: normalize in fp32, quantize. */
static void print_quantizers(const ib_program *p, ib_device *dev, ib_strbuf *t, const char *u)
{
    const ib_value *in = &p->values[0];
    const int qmin = -(1 << (in->bits - 1)), qmax = (1 << (in->bits - 1)) - 1;
    if (p->input.raw_max > 0 && p->input.raw_max <= 255) {
        int8_t table[256];
        float x[256];
        const float std = p->input.std > 0 ? p->input.std : 1.0f, mean = p->input.std > 0 ? p->input.mean : 0.0f,
                    inverse = 1.0f / std;
        for (int r = 0; r < 256; r++)
            x[r] = ((float)(r < p->input.raw_max ? r : p->input.raw_max) / (float)p->input.raw_max - mean) * inverse;
        dev->host->k.quantize(dev->host, x, 256,
                              &(ib_affine){.scale = &in->scale,
                                           .zero = &in->zero,
                                           .qmin = qmin,
                                           .qmax = qmax,
                                           .half_away = p->rounding != ISOBIT_FP32_RNE},
                              table, NULL);
        ib_strbuf_i8(t, "raw", 0, table, 256);
        ib_strbuf_add(t,
                      "\nvoid %s_quantize_u8(const uint8_t *raw, int8_t *codes)\n{\n    int32_t i;\n    for (i = 0; i "
                      "< %s_INPUT_SIZE; i++)\n"
                      "        codes[i] = %s_raw0[raw[i]];\n}\n\n",
                      t->name, u, t->name);
    }
    /* x / 2^16 / scale as a multiplier of 31 bits and a shift */
    int exp;
    int64_t mult = llround(frexp(1.0 / in->scale, &exp) * 2147483647.0);
    int shift = 47 - exp;
    if (shift > 62) /* a step beyond what the fixed point reaches */
        mult = shift > 93 ? 0 : mult >> (shift - 62);
    shift = shift < 1 ? 1 : shift > 62 ? 62 : shift; /* below 1 each input but 0 is past the last code */
    ib_strbuf_add(t,
                  "void %s_quantize_q16(const int32_t *x, int8_t *codes)\n{\n    int32_t i;\n    for (i = 0; i < "
                  "%s_INPUT_SIZE; i++) {\n",
                  t->name, u);
    ib_strbuf_add(t, "        const int64_t v = ((x[i] * (int64_t)%lld + ((int64_t)1 << %d)) >> %d) + (%d);\n",
                  (long long)mult, shift - 1, shift, in->zero);
    ib_strbuf_add(t, "        codes[i] = (int8_t)(v < %d ? %d : v > %d ? %d : v);\n    }\n}\n\n", qmin, qmin, qmax,
                  qmax);
}

static void print_run(const ib_program *p, ib_strbuf *t)
{
    if (p->arena)
        ib_strbuf_add(t, "static int8_t %s_arena[%lld];\n", t->name, (long long)p->arena);
    if (p->scratch)
        ib_strbuf_add(t, "static int16_t %s_patch[%lld];\n", t->name, (long long)p->scratch);
    ib_strbuf_add(t,
                  "\n#ifdef ISOBIT_TRACE\nvoid (*%s_trace)(int32_t layer, const int8_t *codes, int32_t size);\n"
                  "#define TRACE(layer, codes, size) \\\n    if (%s_trace) \\\n    %s_trace(layer, codes, "
                  "size)\n#else\n#define TRACE(layer, codes, size)\n#endif\n\n",
                  t->name, t->name, t->name);
    ib_strbuf_add(t, "#define V0 input\n");
    for (int v = 1; v < p->n_values; v++)
        if (ib_constant_of(p, v))
            ib_strbuf_add(t, "#define V%d %s_constant%d\n", v, t->name, p->values[v].first);
        else if (ib_is_output(p, v))
            ib_strbuf_add(t, "#define V%d output\n", v);
        else if (!p->values[v].root)
            ib_strbuf_add(t, "#define V%d input\n", v);
        else
            ib_strbuf_add(t, "#define V%d (%s_arena + %lld)\n", v, t->name, (long long)p->values[v].offset);
    ib_strbuf_add(t, "\nvoid %s_run(const int8_t *input, int8_t *output)\n{\n", t->name);
    for (int i = 0; i < p->n_instrs; i++) {
        const ib_instr *n = &p->instrs[i];
        ib_strbuf_add(t, "    /* %s */\n    ", n->name);
        n->cls->print_call(p, n, i, t);
        ib_strbuf_add(t, "\n    TRACE(%d, V%d, %lld);\n", i, n->out, (long long)p->values[n->out].size);
    }
    ib_strbuf_add(t, "}\n\n");
}

static void print_argmax(ib_strbuf *t, const char *u)
{
    ib_strbuf_add(t,
                  "int32_t %s_argmax(const int8_t *output)\n{\n    int32_t best = 0, i;\n    for (i = 1; i < "
                  "%s_OUTPUT_SIZE; i++)\n"
                  "        if (output[i] > output[best])\n            best = i;\n    return best;\n}\n\n",
                  t->name, u);
}

static void print_self_test(const ib_program *p, ib_strbuf *t, const char *u, const ib_vectors *v)
{
    const char *begin = ib_has_columns(p) ? t->name : "0", *columns = ib_has_columns(p) ? "_test_columns()" : "";
    if (!v->n) {
        ib_strbuf_add(t, "int32_t %s_self_test(void)\n{\n    return %s%s;\n}\n", t->name, begin, columns);
        return;
    }
    ib_strbuf_i8(t, "sample", 0, v->samples, v->n * p->values[0].size);
    ib_strbuf_i8(t, "expected", 0, v->expected, v->n * p->values[p->result].size);
    ib_strbuf_add(
        t,
        "\nint32_t %s_self_test(void)\n{\n    int8_t output[%s_OUTPUT_SIZE];\n    int32_t wrong = %s%s, i, j;\n    for "
        "(i = 0; i < %lld; i++) {\n"
        "        %s_run(%s_sample0 + i * %s_INPUT_SIZE, output);\n        for (j = 0; j < %s_OUTPUT_SIZE; j++)\n"
        "            wrong += output[j] != %s_expected0[i * %s_OUTPUT_SIZE + j];\n    }\n    return wrong;\n}\n",
        t->name, u, begin, columns, (long long)v->n, t->name, t->name, u, u, t->name, u);
}

static int is_identifier(const char *s)
{
    if (!isalpha((unsigned char)*s) || strlen(s) > 60)
        return 0;
    while (*s && (isalnum((unsigned char)*s) || *s == '_'))
        s++;
    return !*s;
}

static ib_status write_text(const char *dir, const ib_strbuf *t, const char *ending)
{
    char *path = ib_format_text("%s/%s%s", dir, t->name, ending);
    const ib_status status = t->failed || !path ? IB_ENOMEM : ib_file_replace(path, t->s, t->n);
    ib_free(path);
    return status;
}

ib_status ib_export_c(const ib_program *p, ib_device *dev, const char *dir, const char *name, const ib_vectors *vectors)
{
    const ib_vectors v = vectors ? *vectors : (ib_vectors){0};
    IB_NEED(p);
    IB_NEED(dev);
    IB_NEED(dir);
    IB_NEED(name);
    IB_TAKE(vectors->n, v.n >= 0 && (v.n == 0 || (v.samples && v.expected)), "is %lld, with%s samples and with%s codes",
            (long long)v.n, v.samples ? "" : "out", v.expected ? "" : "out");
    char u[80];
    if (!is_identifier(name))
        return ib_fail(IB_EINVAL, "export: '%s' is no C identifier", name);
    if (mkdir(dir, 0777) && errno != EEXIST)
        return ib_fail(IB_EIO, "%s: cannot be made: %s", dir, strerror(errno));
    upper(name, u, sizeof u);
    ib_strbuf h = {.name = name}, c = {.name = name};
    print_header(p, &h, v.n);
    ib_strbuf_add(&c, "/* %s.c - integer network written by isobit; see %s.h. */\n#include \"%s.h\"\n\n", name, name,
                  name);
    add_section(&c, strchr(strstr((const char *)ib_embedded_types, "/* [base] */"), '\n') + 1);
    add_runtime(p, &c);
    for (int i = 0; i < p->n_instrs; i++) {
        ib_strbuf_add(&c, "/* %s: %s */\n", p->instrs[i].name, p->instrs[i].cls->name);
        p->instrs[i].cls->print_data(p, &p->instrs[i], i, &c);
    }
    print_run(p, &c);
    print_quantizers(p, dev, &c, u);
    ib_status status = ib_columns_print(p, dev, &c, u);
    print_argmax(&c, u);
    print_self_test(p, &c, u, &v);
    if (!status)
        status = write_text(dir, &h, ".h");
    if (!status)
        status = write_text(dir, &c, ".c");
    ib_free(h.s);
    ib_free(c.s);
    return status;
}

ib_status ib_print_c(const ib_program *p, const ib_print_job *job)
{
    return ib_export_c(p, job->dev, job->path, job->name, job->vectors);
}
