/* several.c - see several.h */
#include "cli/language/several.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- the file ---- */

static int wrong(const char *path, int64_t line, const char *what)
{
    fprintf(stderr, "isobit: %s: line %lld: %s\n", path, (long long)line, what);
    return 1;
}

/* The text in a line of JSON, for ib_free(); NULL after telling. */
static char *text_of(const char *path, int64_t line, const char *s, size_t n, size_t *bytes)
{
    struct json_tokener *k = json_tokener_new();
    struct json_object *o = k ? json_tokener_parse_ex(k, s, (int)n) : NULL, *text = o;
    const int whole = k && json_tokener_get_parse_end(k) == n;
    char *copy = NULL;
    if (o && json_object_is_type(o, json_type_object) &&
        (json_object_object_length(o) != 1 || !json_object_object_get_ex(o, "prompt", &text)))
        text = NULL;
    if (!whole || !json_object_is_type(text, json_type_string)) {
        wrong(path, line, "neither a JSON string nor an object with the key \"prompt\" alone");
    } else {
        *bytes = (size_t)json_object_get_string_len(text);
        copy = ib_alloc(*bytes + 1);
        if (copy)
            memcpy(copy, json_object_get_string(text), *bytes);
        else
            complain();
    }
    json_object_put(o);
    json_tokener_free(k);
    return copy;
}

/* The tokens of a prompt, behind all before it. */
static int add_prompt(talk *t, const ib_message *m, int chat, const char *what, prompts *p)
{
    if (!(p->n & (p->n - 1))) { /* room for twice as many */
        ib_ids *grown = realloc(p->of, (size_t)(p->n ? 2 * p->n : 1) * sizeof *grown);
        if (!grown)
            return fprintf(stderr, "isobit: out of memory\n") > 0;
        p->of = grown;
    }
    ib_ids *ids = &p->of[p->n++];
    *ids = (ib_ids){0};
    const int failed = chat ? ib_chat_tokens(t->l.t, t->chat_template, m[0].n ? m : m + 1, m[0].n ? 2 : 1, 1, ids, NULL)
                            : (ib_tokenizer_adds_bos(t->l.t) && ib_ids_append(ids, ib_tokenizer_bos(t->l.t))) ||
                                  ib_tokenize(t->l.t, m[1].content, m[1].n, 1, ids);
    return failed ? fprintf(stderr, "isobit: %s: %s\n", what, ib_error()) > 0 : talk_too_long(t, ids->n, what);
}

static int is_blank(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && (s[i] == ' ' || s[i] == '\t'))
        i++;
    return i == n;
}

int prompts_read(talk *t, const char *path, int chat, const char *system, prompts *p)
{
    size_t n = 0;
    char *text = ib_text_read(strcmp(path, "-") ? path : "/dev/stdin", &n);
    const char *dot = strrchr(path, '.');
    const int json = dot && (!strcmp(dot, ".jsonl") || !strcmp(dot, ".ndjson"));
    int status = text ? 0 : complain();
    int64_t line = 1;
    for (size_t at = 0; at < n && !status; line++) {
        const char *s = text + at, *end = memchr(s, '\n', n - at);
        size_t bytes = end ? (size_t)(end - s) : n - at;
        at += bytes + 1;
        bytes -= bytes && s[bytes - 1] == '\r';
        if (is_blank(s, bytes))
            continue;
        char what[300], *own = json ? text_of(path, line, s, bytes, &bytes) : NULL;
        snprintf(what, sizeof what, "%.200s: line %lld", path, (long long)line);
        const ib_message m[2] = {{.role = "system", .content = system, .n = system ? strlen(system) : 0},
                                 {.role = "user", .content = own ? own : s, .n = bytes}};
        if (json && !own)
            status = 1;
        else if (!bytes)
            status = wrong(path, line, "the prompt is empty");
        else
            status = add_prompt(t, m, chat, what, p);
        ib_free(own);
    }
    if (!status && !p->n)
        status = fprintf(stderr, "isobit: %s: holds no prompts\n", path) > 0;
    ib_free(text);
    return status;
}

void prompts_release(prompts *p)
{
    for (int64_t i = 0; i < p->n; i++)
        ib_free_ids(&p->of[i]);
    free(p->of);
    *p = (prompts){0};
}

/* ---- the sequences ---- */

typedef struct sequence {
    int64_t k; /* which prompt */
    ib_kv *kv;
    ib_ids history;
    answer_text text;
} sequence;

typedef struct choir {
    talk *t;
    const prompts *p;
    answer *answers; /* [prompts] */
    char *done;      /* [prompts] */
    sequence *all;   /* [at_once]; a text's stream knows where it lies, so none moves */
    sequence **s;    /* [at_once] of them, the first n under way */
    ib_kv **kv;      /* theirs */
    int32_t *last;   /* their last tokens */
    float *logits;   /* [at_once][vocabulary] */
    int64_t n, begun, told;
    double steps;
} choir;

static void drop(sequence *s)
{
    answer_text_drop(&s->text);
    ib_free_ids(&s->history);
    ib_kv_free(s->kv);
    *s = (sequence){0};
}

/* Its answer is whole; it changes places with the last sequence. */
static int end(choir *c, int64_t i)
{
    sequence *s = c->s[i];
    const int failed = answer_text_end(&s->text);
    if (!failed) {
        answer *a = &c->answers[s->k];
        a->text = s->text.text;
        a->n = s->text.n;
        s->text.text = NULL;
        c->done[s->k] = 1;
    }
    drop(s);
    c->s[i] = c->s[--c->n];
    c->s[c->n] = s;
    return failed;
}

/* Draws sequence i's next token from its logits: 1 if it goes on, 0 if it has ended, -1 after telling. */
static int draw(choir *c, int64_t i, float *logits, double took)
{
    const talk *t = c->t;
    sequence *s = c->s[i];
    answer *a = &c->answers[s->k];
    ib_sampling how = t->sampling;
    how.seed += (uint64_t)s->k;
    *(a->tokens ? &a->seconds : &a->prompt_seconds) += took;
    const int32_t id = ib_sample_token(&how, logits, ib_lm_config_of(t->l.m)->vocabulary, s->history.id, s->history.n,
                                       (uint64_t)s->history.n);
    if (id < 0 || ib_ids_append(&s->history, id))
        return complain(), -1;
    const int taken = talk_take(t, id, &s->text, a);
    if (taken)
        return taken < 0 ? -1 : 0;
    a->end = interrupted ? TALK_INTERRUPT : a->tokens >= t->tokens ? TALK_LENGTH : TALK_CONTEXT;
    return !interrupted && a->tokens < t->tokens && s->history.n <= t->context;
}

/* The next prompt becomes a sequence, and is read. */
static int begin(choir *c)
{
    talk *t = c->t;
    const int64_t k = c->begun++, i = c->n++;
    const ib_ids *prompt = &c->p->of[k];
    sequence *s = c->s[i];
    const double start = seconds();
    const int64_t most = prompt->n + t->tokens < t->context ? prompt->n + t->tokens : t->context;
    *s = (sequence){.k = k, .kv = ib_kv_new(t->l.m, (int)most, t->int8)};
    c->answers[k].prompt = prompt->n;
    int failed = !s->kv;
    for (int64_t j = 0; j < prompt->n && !failed; j++)
        failed = ib_ids_append(&s->history, prompt->id[j]);
    if (failed || ib_lm_step(t->l.m, t->l.g, s->kv, prompt->id, prompt->n, c->logits))
        return complain();
    if (answer_text_begin(&s->text, t->stop, t->n_stops, NULL))
        return 1;
    const int going = draw(c, i, c->logits, seconds() - start);
    return going < 0 || (!going && end(c, i));
}

/* A token for each sequence. */
static int sing(choir *c)
{
    talk *t = c->t;
    const int vocabulary = ib_lm_config_of(t->l.m)->vocabulary;
    const int64_t n = c->n;
    const double start = seconds();
    for (int64_t i = 0; i < n; i++) {
        c->kv[i] = c->s[i]->kv;
        c->last[i] = c->s[i]->history.id[c->s[i]->history.n - 1];
    }
    if (ib_lm_step_several(t->l.m, t->l.g, c->kv, n, c->last, c->logits))
        return complain();
    const double took = seconds() - start;
    for (int64_t i = n - 1; i >= 0; i--) { /* from the last, whose place none takes that is still to draw */
        const int going = draw(c, i, c->logits + i * vocabulary, took);
        if (going < 0 || (!going && end(c, i)))
            return 1;
    }
    c->steps += seconds() - start;
    return 0;
}

int prompts_answer(talk *t, const prompts *p, int64_t at_once, void (*told)(void *user, int64_t k, const answer *a),
                   void *user, double *steps)
{
    const size_t most = (size_t)(p->n < at_once ? p->n : at_once);
    choir c = {.t = t,
               .p = p,
               .answers = calloc((size_t)p->n, sizeof *c.answers),
               .done = calloc((size_t)p->n, 1),
               .all = calloc(most, sizeof *c.all),
               .s = calloc(most, sizeof *c.s),
               .kv = calloc(most, sizeof *c.kv),
               .last = calloc(most, sizeof *c.last),
               .logits = calloc(most * (size_t)ib_lm_config_of(t->l.m)->vocabulary, sizeof *c.logits)};
    int status = c.answers && c.done && c.all && c.s && c.kv && c.last && c.logits
                     ? 0
                     : fprintf(stderr, "isobit: out of memory\n") > 0;
    for (size_t i = 0; i < most && !status; i++)
        c.s[i] = &c.all[i];
    while (!status && (c.n || (c.begun < p->n && !interrupted))) {
        if (c.n < (int64_t)most && c.begun < p->n && !interrupted)
            status = begin(&c);
        else
            status = sing(&c);
        for (; !status && c.told < p->n && c.done[c.told]; c.told++)
            told(user, c.told, &c.answers[c.told]);
    }
    *steps = c.steps;
    for (int64_t i = 0; i < c.n; i++)
        drop(c.s[i]);
    for (int64_t i = 0; c.answers && i < p->n; i++)
        answer_release(&c.answers[i]);
    free(c.answers);
    free(c.done);
    free(c.all);
    free(c.s);
    free(c.kv);
    free(c.last);
    free(c.logits);
    return status;
}
