/* finetune_record.c - what a training leaves in its folder about how it was asked for, and how one goes on from it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/finetune/finetune_options.h"
#include "lm/train/settings.h"

/* How settings were written when the training began: a state goes on with the text that it began with. */
enum {
    AS_NOW,
    WITH_STEPS /* --lora as given, the schedule as a number, steps and epochs */,
    WITH_SHORT_NUMBERS /* no tokenizer */
};

/* The shortest of two texts of x from which x is read again; the short one where exact is 0. */
static void put_real(FILE *f, const char *key, double x, int exact)
{
    char text[40];
    snprintf(text, sizeof text, "%g", x);
    if (exact && strtod(text, NULL) != x)
        snprintf(text, sizeof text, "%.17g", x);
    fprintf(f, " %s=%s", key, text);
}

static void put_float(FILE *f, const char *key, float x)
{
    char text[40];
    snprintf(text, sizeof text, "%g", x);
    if (strtof(text, NULL) != x)
        snprintf(text, sizeof text, "%.9g", x);
    fprintf(f, " %s=%s", key, text);
}

static const char *schedule_name(ib_schedule_kind kind)
{
    return kind == IB_COSINE ? "cosine" : kind == IB_LINEAR ? "linear" : "constant";
}

static void put_lora(FILE *f, const finetune_options *o)
{
    const ib_adapter_opts *a = &o->adapter;
    if (o->start) { /* the rest is the adapter's */
        fprintf(f, " adapter=%s", o->start);
        if (a->dropout >= 0)
            put_float(f, "lora_dropout", a->dropout);
        return;
    }
    fprintf(f, " lora_r=%d", a->r);
    put_float(f, "lora_alpha", a->alpha);
    put_float(f, "lora_dropout", a->dropout);
    fprintf(f, " lora_targets=%s lora_ranks=%s lora_rslora=%d lora_dora=%d", a->targets, a->ranks ? a->ranks : "none",
            a->rslora, a->dora);
    if (a->save)
        fprintf(f, " lora_save=%s", a->save);
}

/* A setting of the training that goes on, as it stands there. */
static void put_as_begun(FILE *f, const finetune_options *o, const char *key)
{
    char *value = ib_settings_value(o->begun.settings, key);
    fprintf(f, " %s=%s", key, value ? value : "none");
    ib_free(value);
}

/* Whether two lists of --lora mean the same. */
static int same_lora(const char *a, const char *b)
{
    finetune_options x, y;
    finetune_options_begin(&x);
    finetune_options_begin(&y);
    finetune_options_lora(&x, a);
    finetune_options_lora(&y, b);
    return x.adapter.r == y.adapter.r && x.adapter.alpha == y.adapter.alpha && x.adapter.dropout == y.adapter.dropout &&
           x.adapter.rslora == y.adapter.rslora && x.adapter.dora == y.adapter.dora && !strcmp(x.targets, y.targets) &&
           !strcmp(x.ranks, y.ranks) && !strcmp(x.save, y.save);
}

static void put_as_before(FILE *f, const finetune_options *o)
{
    char *lora = ib_settings_value(o->begun.settings, "lora");
    fprintf(f, " lora=%s schedule=%d", lora && same_lora(lora, o->lora) ? lora : o->lora, (int)o->schedule);
    put_as_begun(f, o, "steps");
    put_as_begun(f, o, "epochs");
    ib_free(lora);
}

char *finetune_options_text(const finetune_options *o)
{
    const int exact = o->written != WITH_SHORT_NUMBERS;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fprintf(f, "model=%s data=%s base=%s", o->model, o->data, o->base ? o->base : o->start ? "adapter's" : "keep");
    if (o->written == AS_NOW) {
        put_lora(f, o);
        fprintf(f, " schedule=%s", schedule_name(o->schedule));
    } else {
        put_as_before(f, o);
    }
    fprintf(f, " seq=%lld batch=%lld accumulate=%lld optim=%s", (long long)o->seq, (long long)o->batch,
            (long long)o->accumulate, o->bits8 ? "adamw8bit" : "adamw");
    put_real(f, "lr", o->lr, exact);
    fprintf(f, " warmup=%lld", (long long)o->warmup);
    put_real(f, "decay", o->decay, exact);
    put_real(f, "clip", o->clip, exact);
    fprintf(f, " seed=%lld shuffle=%d pack=%d template=%s prompts=%d eval=%s", (long long)o->seed, !o->no_shuffle,
            !o->no_pack, o->chat ? o->chat : "own", o->train_on_prompts, o->eval ? o->eval : "none");
    put_real(f, "fraction", o->eval_fraction, exact);
    fprintf(f, " deploy=%s:%lld", o->deploy ? o->deploy : "none", (long long)o->deploy_steps);
    if (o->literal >= 0)
        fprintf(f, " special=%d", !o->literal);
    if (o->ignore)
        fprintf(f, " ignore=%s", o->ignore);
    if (o->columns)
        fprintf(f, " columns=%s", o->columns);
    if (o->prompt_template)
        fprintf(f, " prompt_template=%08x", (unsigned)o->template_sum);
    if (o->written != WITH_SHORT_NUMBERS)
        fprintf(f, " tokenizer=%s", o->tokenizer ? o->tokenizer : "own");
    if (!o->begun.settings || strstr(o->begun.settings, " rows=")) /* older ones do not know theirs */
        fprintf(f, " rows=%08x", (unsigned)o->rows_sum);
    if (!fclose(f))
        return text;
    free(text);
    return NULL;
}

int finetune_other_rows(const finetune_options *o)
{
    const char *begun = o->begun.settings ? o->begun.settings : "";
    char *was = ib_settings_value(begun, "rows"), *template = ib_settings_value(begun, "prompt_template");
    /* else that is the reason */
    const int same_template = (template ? strtoul(template, NULL, 16) : 0) == o->template_sum;
    const int other = was && same_template && strtoul(was, NULL, 16) != o->rows_sum;
    if (other)
        fprintf(stderr, "isobit: %s: was trained on other rows than %s holds now: --force begins anew with them\n",
                o->out, o->data);
    ib_free(was);
    ib_free(template);
    return other;
}

static int holds(const char *folder, const char *name)
{
    char *path = ib_format_text("%s/%s", folder, name);
    const int there = path && !access(path, F_OK);
    ib_free(path);
    return there;
}

/* 2 after asking what is to become of what the folder holds; its state is damaged where `status` says so. */
static int ask(const finetune_options *o, ib_status status, int adapter)
{
    const ib_finetune_state *s = &o->begun;
    if (!status && s->step < 0 && !adapter)
        return 0;
    fprintf(stderr, "isobit: -o '%s' holds ", o->out);
    if (status)
        fprintf(stderr, "a training's state that cannot be read (%s): --force begins anew and replaces it\n",
                ib_error());
    else if (s->step < 0)
        fprintf(stderr, "an adapter: --adapter with another -o goes on from it, --force replaces it\n");
    else if (s->steps)
        fprintf(stderr,
                "a training, %lld of %lld steps: --resume goes on with it, --force begins anew and replaces it\n",
                (long long)s->step, (long long)s->steps);
    else
        fprintf(stderr, "a training, %lld steps: --resume goes on with it, --force begins anew and replaces it\n",
                (long long)s->step);
    return 2;
}

/* The settings as far as they are known without model and data. */
static int same_settings(const finetune_options *o)
{
    finetune_options now = *o;
    char *seq = o->seq ? NULL : ib_settings_value(o->begun.settings, "seq"),
         *sum = ib_settings_value(o->begun.settings, "prompt_template"),
         *rows = ib_settings_value(o->begun.settings, "rows");
    now.seq = seq ? atoll(seq) : o->seq;
    now.template_sum = sum ? (uint32_t)strtoul(sum, NULL, 16) : 0;
    now.rows_sum = rows ? (uint32_t)strtoul(rows, NULL, 16) : 0;
    ib_free(seq);
    ib_free(sum);
    ib_free(rows);
    char *text = finetune_options_text(&now);
    const int same = text ? !ib_settings_same(o->out, o->begun.settings, text) || !complain()
                          : !fprintf(stderr, "isobit: out of memory\n");
    free(text);
    return same;
}

const char *finetune_adapter(const finetune_options *o)
{
    return o->start && o->begun.step >= 0 && holds(o->out, "adapter_config.json") ? o->out : o->start;
}

int finetune_begun(finetune_options *o)
{
    ib_finetune_state *s = &o->begun;
    *s = (ib_finetune_state){.step = -1};
    if (!o->out || (!o->resume && (o->plan || o->force)))
        return 0;
    const ib_status status = ib_finetune_peek(o->out, s);
    const int adapter = holds(o->out, "adapter_config.json") || holds(o->out, "adapter_model.safetensors");
    if (!o->resume)
        return ask(o, status, adapter);
    if (status)
        return complain();
    if (s->step < 0 && adapter)
        return fprintf(stderr,
                       "isobit: --resume: '%s' holds an adapter, but no training's state: --force replaces it by a new "
                       "one\n",
                       o->out),
               2;
    if (s->step < 0)
        return 0;
    /* a state of before special tokens were recognized in rows goes on as it began */
    if (!strstr(s->settings, " special=")) {
        if (!o->literal)
            fprintf(stderr,
                    "isobit: %s: its state was trained with special tokens as text (--literal) and goes on so\n",
                    o->out);
        o->literal = -1;
    }
    o->written = !strstr(s->settings, " tokenizer=") ? WITH_SHORT_NUMBERS
                 : strstr(s->settings, " lora=")     ? WITH_STEPS
                                                     : AS_NOW;
    if (!same_settings(o))
        return 1;
    if (o->steps && o->steps < s->step)
        return fprintf(stderr, "isobit: --steps %lld: %lld steps are done in %s already\n", (long long)o->steps,
                       (long long)s->step, o->out),
               1;
    return 0;
}

/* Steps in all that the training was asked for before; an older state has them among its settings. */
static int64_t steps_before(const ib_finetune_state *s, const ib_samples *train, const ib_finetune_opts *f)
{
    ib_finetune_opts before = *f;
    char *steps = ib_settings_value(s->settings, "steps"), *epochs = ib_settings_value(s->settings, "epochs");
    before.steps = steps ? atoll(steps) : 0;
    before.epochs = epochs ? strtod(epochs, NULL) : 0;
    ib_free(steps);
    ib_free(epochs);
    return s->steps ? s->steps : ib_finetune_steps(train, &before);
}

void finetune_tell_resumed(const finetune_options *o, const ib_samples *train, const ib_finetune_opts *f)
{
    const ib_finetune_state *s = &o->begun;
    if (!o->resume)
        return;
    if (s->step < 0) {
        fprintf(stderr, "%s: holds no training yet: it begins\n", o->out);
        return;
    }
    const int64_t steps = ib_finetune_steps(train, f), before = steps_before(s, train, f);
    fprintf(stderr, "%s: goes on behind step %lld", o->out, (long long)s->step);
    if (steps == before)
        fprintf(stderr, " of %lld%s", (long long)steps, s->step == steps ? ", the last: more --steps extend it" : "");
    else
        fprintf(stderr, ", to step %lld instead of %lld", (long long)steps, (long long)before);
    if (steps != before && o->schedule != IB_CONSTANT)
        fprintf(stderr, "; its rates are those of %lld %s steps from here on", (long long)steps,
                schedule_name(o->schedule));
    if (steps != before && o->deploy)
        fprintf(stderr, "; the last steps of these run on %s", o->deploy);
    fprintf(stderr, "\n");
}
