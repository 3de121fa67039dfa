/* model_card.c - see model_card.h */
#include "lm/save/model_card.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "files/file.h"
#include "lm/adapters/adapter.h"

/* What tells these cards from others. */
static const char mark[] = "<!-- Written by isobit, which replaces this file as long as this line stands in it. -->";

typedef struct page {
    char *text;
    size_t n, room;
} page;

static void put(page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(page *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int more = ib_vsnprintf(NULL, 0, format, args);
    va_end(args);
    const size_t room = 2 * (p->n + (size_t)more) + 1024;
    if (p->n + (size_t)more >= p->room) {
        char *grown = ib_realloc(p->text, p->room, room);
        if (!grown)
            return; /* told by ib_failures() */
        p->text = grown;
        p->room = room;
    }
    va_start(args, format);
    p->n += (size_t)ib_vsnprintf(p->text + p->n, p->room - p->n, format, args);
    va_end(args);
}

/* Puts lines of metadata that may not be known, and frees them; returns whether they are. */
static int put_lines(page *p, char *lines)
{
    const int known = lines != NULL;
    if (known)
        put(p, "%s", lines);
    ib_free(lines);
    return known;
}

int ib_card_is_foreign(const char *folder)
{
    char *path = ib_format_text("%s/README.md", folder);
    size_t size = 0;
    int foreign = path && !access(path, F_OK);
    unsigned char *text = foreign ? ib_file_read(path, &size) : NULL;
    for (size_t i = 0; text && foreign && i + sizeof mark - 1 <= size; i++)
        foreign = memcmp(text + i, mark, sizeof mark - 1) != 0;
    ib_free(text);
    ib_free(path);
    return foreign;
}

ib_status ib_lm_set_command(ib_lm *m, const char *command)
{
    IB_NEED(m);
    char *copy = command ? ib_strdup(command) : NULL;
    if (command && !copy)
        return IB_ENOMEM;
    ib_free(m->command);
    m->command = copy;
    return IB_OK;
}

/* Writes the page, unless something failed while it was made: failures, as many as there were before. */
static ib_status finish(page *p, const char *at, uint64_t failures)
{
    char *path = ib_format_text("%s/README.md", at);
    ib_status status = ib_failures() == failures ? IB_OK : ib_error_status();
    if (!status)
        status = ib_file_replace(path, p->text, p->n);
    ib_free(path);
    ib_free(p->text);
    return status;
}

/* The formats of the linear layers or of all other matrices, in the source (to 0) or as written: "q4_k, q6_k". */
static void put_formats(page *p, const ib_out *out, int linear, int to)
{
    const ib_storage *seen[64];
    int n = 0;
    for (int i = 0; i < out->n; i++) {
        const ib_out_tensor *t = &out->item[i];
        const ib_storage *f = to ? t->to : t->from;
        int known = t->ndim != 2 || (t->p != NULL) != linear;
        for (int k = 0; k < n && !known; k++)
            known = seen[k] == f;
        if (!known && n < 64) {
            put(p, "%s%s", n ? ", " : "", f->name);
            seen[n++] = f;
        }
    }
}

/* Whether values of linear layers were or are kept in fewer bits than a half has. */
static int is_quantized(const ib_out *out)
{
    int quantized = 0;
    for (int i = 0; i < out->n; i++) {
        const ib_storage *f[] = {out->item[i].from, out->item[i].to};
        for (int k = 0; k < 2 && out->item[i].p; k++)
            quantized |= f[k]->block != 1 || f[k]->code || !f[k]->decode;
    }
    return quantized;
}

/* A model of which nothing was changed is what its source says that it is. Another is made of the source, where that is
 * on the Hub, else still a child of the source's parents. */
static void put_parents(page *p, const ib_lm *m, const char *source, int quantized)
{
    char *own = ib_origin_hub(m, source), *parents = ib_origin_lines(m, source, "base_model");
    const char *relation = m->adapted ? "finetune" : quantized && own ? "quantized" : NULL;
    if (own && (relation || !parents))
        put(p, "base_model: %s\n", own);
    else if (parents)
        put(p, "%s", parents);
    if (relation && (own || parents))
        put(p, "base_model_relation: %s\n", relation);
    else if (parents)
        put_lines(p, ib_origin_lines(m, source, "base_model_relation"));
    ib_free(own);
    ib_free(parents);
}

/* Returns whether there is one. */
static int put_license(page *p, const ib_lm *m, const char *source)
{
    if (!put_lines(p, ib_origin_lines(m, source, "license")))
        return 0;
    put_lines(p, ib_origin_lines(m, source, "license_name"));
    char *link = ib_origin_lines(m, source, "license_link");
    if (link && strstr(link, "://")) /* a file of the source is not in this folder */
        put(p, "%s", link);
    ib_free(link);
    return 1;
}

static void put_adapter(page *p, const ib_lm *m)
{
    const char *kind = m->dora ? "DoRA" : m->rslora ? "rsLoRA" : "LoRA";
    put(p, "| adapter | %s of rank %d, alpha %g |\n", kind, m->r, (double)m->alpha);
    const int embedding = ib_lm_whole(m, IB_WHOLE_EMBEDDING) != NULL, head = ib_lm_whole(m, IB_WHOLE_HEAD) != NULL;
    if (embedding || head)
        put(p, "| trained whole | %s%s%s |\n", embedding ? ib_whole_name(IB_WHOLE_EMBEDDING) : "",
            embedding && head ? ", " : "", head ? ib_whole_name(IB_WHOLE_HEAD) : "");
}

static void put_how(page *p, const ib_lm *m)
{
    put(p, "isobit %s wrote this folder", ISOBIT_VERSION);
    if (m->command)
        put(p, ":\n\n```sh\n%s\n```\n", m->command);
    else
        put(p, ".\n");
}

static void put_shape(page *p, const ib_lm *m)
{
    const ib_lm_config *c = &m->c;
    put(p, "\n| | |\n| --- | --- |\n| architecture | %s, %d layers of width %d, %lld weights |\n", c->arch, c->layers,
        c->width, (long long)ib_lm_weight_count(m));
    put(p, "| vocabulary, context | %d tokens, %d tokens |\n", c->vocabulary, c->context);
}

ib_status ib_save_model_card(const ib_lm *m, const char *source, const char *folder, const char *at, const ib_out *out,
                             const ib_lm_saved *saved)
{
    const uint64_t failures = ib_failures();
    page p = {0};
    if (ib_card_is_foreign(folder))
        return ib_failures() == failures ? IB_OK : ib_error_status();
    const ib_storage *linear = NULL;
    for (int i = 0; i < out->n; i++)
        linear = out->item[i].p && !linear ? out->item[i].to : linear;
    const int bits = !linear                                         ? 0
                     : linear->code || !strcmp(linear->name, "int4") ? 4
                     : !strcmp(linear->name, "int8")                 ? 8
                                                                     : 0;
    put(&p, "---\nlibrary_name: transformers\npipeline_tag: text-generation\n");
    const int licensed = put_license(&p, m, source);
    put_lines(&p, ib_origin_lines(m, source, "language"));
    put_parents(&p, m, source, is_quantized(out));
    put(&p, "tags:\n- isobit\n");
    if (bits)
        put(&p, "- %d-bit\n- %s\n", bits, linear->code ? "bitsandbytes" : "compressed-tensors");
    char *name = ib_origin_name(m, source);
    put(&p, "---\n%s\n\n# %s%s\n\n", mark, name ? name : m->c.arch, m->adapted ? ", merged with an adapter" : "");
    put_how(&p, m);
    if (!licensed)
        put(&p, "\nThe files that it was made of name no license.\n");
    put_shape(&p, m);
    if (m->adapted)
        put_adapter(&p, m);
    put(&p, "| linear layers | ");
    put_formats(&p, out, 1, 0);
    if (*m->base)
        put(&p, " (stored so before anything else)");
    put(&p, " in the source, ");
    put_formats(&p, out, 1, 1);
    put(&p, " here |\n| embedding and head | ");
    put_formats(&p, out, 0, 0);
    put(&p, " in the source, ");
    put_formats(&p, out, 0, 1);
    put(&p, " here |\n| tensors | %lld hold the source's values to the bit, %lld do not |\n\n", (long long)saved->exact,
        (long long)saved->lossy);
    put(&p, "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            "folder = \".\"  # this folder, or what it is called on the Hub\n"
            "tokenizer = AutoTokenizer.from_pretrained(folder)\nmodel = "
            "AutoModelForCausalLM.from_pretrained(folder)\n```\n");
    ib_free(name);
    return finish(&p, at, failures);
}

ib_status ib_save_adapter_card(const ib_lm *m, const char *base, const char *folder, const char *at)
{
    const uint64_t failures = ib_failures();
    page p = {0};
    if (ib_card_is_foreign(folder))
        return ib_failures() == failures ? IB_OK : ib_error_status();
    char *name = ib_origin_name(m, base), *own = ib_origin_hub(m, base);
    put(&p, "---\nlibrary_name: peft\npipeline_tag: text-generation\n");
    if (own)
        put(&p, "base_model: %s\nbase_model_relation: adapter\n", own);
    put(&p, "tags:\n- lora\n- isobit\n---\n%s\n\n# An adapter for %s\n\n", mark, name ? name : m->c.arch);
    put_how(&p, m);
    put_shape(&p, m);
    put_adapter(&p, m);
    if (*m->base)
        put(&p, "| trained over | linear layers stored in %s |\n", m->base);
    put(&p,
        "\n```python\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n"
        "base = AutoModelForCausalLM.from_pretrained(\"%s\")\n"
        "model = PeftModel.from_pretrained(base, \".\")  # this folder, or what it is called on the Hub\n```\n",
        own ? own : "the base's folder");
    ib_free(name);
    ib_free(own);
    return finish(&p, at, failures);
}
