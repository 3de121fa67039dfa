/* bench_language.c - isobit bench --model-file: a language model reads a prompt, writes behind it, is measured on a
 * text and takes training steps. Tokens are random: no time depends on which they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "lm/lm.h"

enum { TOKENS = 512, GENERATED = 32 };

typedef struct speaker {
    ib_graph *g;
    ib_lm *m;
    ib_kv *kv;
    ib_optim *opt;
} speaker;

typedef struct language_bench {
    bench *b;
    speaker s[MOST_DEVICES];
    bench_lengths n;
    int32_t *ids, *pos, *first, *target;
    float *logits;
    int checkpoint;
    llama_figures llama;
    struct json_object *peers; /* bench_language_peers.py's, or NULL */
    bench_path path;           /* taken now */
} language_bench;

/* ---- what takes turns ---- */

static int read_prompt(void *user, int i)
{
    const language_bench *l = user;
    const speaker *s = &l->s[i];
    return ib_kv_rewind(s->kv, 0) || ib_lm_step(s->m, s->g, s->kv, l->ids, l->n.tokens, l->logits);
}

static int generate(void *user, int i)
{
    const language_bench *l = user;
    const speaker *s = &l->s[i];
    int failed = ib_kv_rewind(s->kv, (int)l->n.behind) != IB_OK;
    for (int64_t j = 0; j < l->n.generated && !failed; j++)
        failed = ib_lm_step(s->m, s->g, s->kv, l->ids + j, 1, l->logits) != IB_OK;
    return failed;
}

static int measure_text(void *user, int i)
{
    const language_bench *l = user;
    const ib_perplexity_opts o = {.context = (int)l->n.tokens, .windows = 1, .bos = -1};
    ib_perplexity_result r;
    return ib_lm_perplexity(l->s[i].m, l->s[i].g, l->ids, l->n.tokens, &o, &r);
}

static int train(void *user, int i)
{
    const language_bench *l = user;
    const speaker *s = &l->s[i];
    const ib_lm_batch batch = {l->n.tokens, l->ids, l->pos, l->first};
    ib_graph_begin(s->g, IB_TRAIN);
    ib_tensor *hidden = ib_lm_hidden(s->m, s->g, &batch, l->checkpoint);
    ib_tensor *loss = hidden ? ib_lm_loss(s->m, s->g, hidden, l->target, 1.0f / (float)l->n.tokens, NULL) : NULL;
    return !loss || ib_backward(s->g, loss) || ib_optim_step(s->opt) || ib_graph_synchronize(s->g);
}

/* ---- before ---- */

static int take_path(language_bench *l, ib_path path)
{
    int failed = 0;
    for (int i = 0; i < l->b->n && !failed; i++)
        failed = bench_take_path(l->s[i].m, path, &l->path);
    return failed;
}

/* What is known of the integer path goes to the report; without products in integers there are no rows of it. 1 after
 * telling that nothing would be left. */
static int look_at_integers(language_bench *l, struct json_object *j)
{
    bench *b = l->b;
    if (!(b->paths & BENCH_INTEGER))
        return 0;
    if (take_path(l, IB_PATH_INTEGER))
        return 1;
    const ib_lm_products *p = &l->path.made;
    const long long all = (long long)(p->integer + p->exact), integer = (long long)p->integer;
    json_object_object_add(j, "integer_matrices", json_object_new_int64(p->integer));
    json_object_object_add(j, "exact_matrices", json_object_new_int64(p->exact));
    json_object_object_add(j, "exact_formats", json_object_new_string(p->exact_formats));
    if (!integer)
        fprintf(stderr, "isobit: %s%s: none of %lld matrices has products in integers: %s\n",
                b->paths & BENCH_EXACT ? "note: no rows in integers of " : "--path integer: ", b->model_file, all,
                p->exact_formats);
    else if (p->exact)
        fprintf(stderr, "isobit: note: %s: of %lld matrices %lld run in integers, of which shares are; exact: %s\n",
                b->model_file, all, integer, p->exact_formats);
    b->paths &= integer ? ~0 : ~BENCH_INTEGER;
    return !b->paths;
}

static int open_models(language_bench *l)
{
    const bench *b = l->b;
    working_start("open", b->model_file);
    int failed = 0;
    for (int i = 0; i < b->n && !failed; i++)
        failed = !(l->s[i].g = ib_graph_new(b->dev[i])) || !(l->s[i].m = ib_lm_open(b->model_file));
    working_end();
    return failed ? complain() : 0;
}

/* How long what is read and written may be. */
static int choose_lengths(language_bench *l)
{
    const bench *b = l->b;
    const int64_t context = ib_lm_config_of(l->s[0].m)->context;
    if (b->tokens > context)
        return fprintf(stderr, "isobit: --tokens %lld: the context of %s is %lld tokens\n", (long long)b->tokens,
                       b->model_file, (long long)context);
    l->n.tokens = b->tokens ? b->tokens : context < TOKENS ? context : TOKENS;
    l->n.generated = context < 2 * GENERATED ? context / 2 : GENERATED;
    l->n.behind = l->n.tokens < context - l->n.generated ? l->n.tokens : context - l->n.generated;
    return 0;
}

static int make_rows(language_bench *l)
{
    const int64_t n = l->n.tokens > GENERATED ? l->n.tokens : GENERATED;
    const uint32_t vocabulary = (uint32_t)ib_lm_config_of(l->s[0].m)->vocabulary;
    l->ids = malloc((size_t)n * 4 * sizeof *l->ids);
    l->logits = malloc(vocabulary * sizeof *l->logits);
    if (!l->ids || !l->logits)
        return fprintf(stderr, "isobit: out of memory\n");
    l->pos = l->ids + n, l->first = l->pos + n, l->target = l->first + n;
    for (int64_t i = 0; i < n; i++) {
        l->ids[i] = (int32_t)ib_rng_below((ib_rng){5, 5}, (uint64_t)i, vocabulary);
        l->pos[i] = (int32_t)i;
        l->first[i] = 0;
        l->target[i] = (int32_t)ib_rng_below((ib_rng){5, 6}, (uint64_t)i, vocabulary);
    }
    return 0;
}

static int open_caches(language_bench *l)
{
    const int64_t most = l->n.behind + l->n.generated > l->n.tokens ? l->n.behind + l->n.generated : l->n.tokens;
    int failed = 0;
    for (int i = 0; i < l->b->n && !failed; i++)
        failed = !(l->s[i].kv = ib_kv_new(l->s[i].m, (int)most, 0));
    return failed ? complain() : 0;
}

/* 1: there is no room for steps, or after telling of a failure in *failed. */
static int cannot_train(language_bench *l, int *failed)
{
    const ib_adamw_opts adamw = {.lr = 1e-6f};
    const int64_t there = ib_memory_available(), room = there < 0 ? 0 : there / 4 * 3 / l->b->n;
    ib_memory_plan plan = {0};
    for (int i = 0; i < l->b->n && !*failed; i++) {
        speaker *s = &l->s[i];
        ib_kv_free(s->kv);
        s->kv = NULL;
        *failed = (ib_lm_adapt(s->m, &(ib_adapter_opts){.targets = "all", .seed = 1}) ||
                   ib_finetune_plan(s->m, s->g, l->n.tokens, &adamw, -1, room, &plan)) &&
                  complain();
        l->checkpoint = plan.checkpoint > l->checkpoint ? plan.checkpoint : l->checkpoint;
        if (!*failed && room && plan.total > room) {
            fprintf(stderr,
                    "isobit: note: a training step of %lld tokens takes %lld MB, three quarters of what is available "
                    "are %lld MB: no row of it (--tokens may be fewer)\n",
                    (long long)l->n.tokens, (long long)plan.total / 1000000, (long long)room / 1000000);
            return 1;
        }
        *failed = *failed || (!(s->opt = ib_adamw_new(ib_lm_trainable(s->m), l->b->dev[i], &adamw)) && complain());
    }
    return *failed;
}

/* ---- rows ---- */

/* Beside another program's tokens a second, if it has any. */
static void put_beside(const bench *b, const char *name, const char *key, double rate, double own,
                       struct json_object *row)
{
    char ratio[40];
    if (!(rate > 0))
        return;
    snprintf(ratio, sizeof ratio, "%s_ratio", key);
    json_object_object_add(row, key, json_object_new_double(rate));
    json_object_object_add(row, ratio, json_object_new_double(own / rate));
    fprintf(report_stream(&b->common), "   %s %.1f, ratio %.2f", name, rate, own / rate);
}

/* llama: tokens a second of llama.cpp's row, 0: there is none. */
static int add_row(language_bench *l, const bench_row *r, double llama, struct json_object *rows)
{
    bench *b = l->b;
    bench_result result[MOST_DEVICES];
    if (bench_measure(b, r, result))
        return 1;
    for (int i = 0; i < b->n; i++) {
        struct json_object *j = bench_tell(b, r, i, &result[i]);
        json_object_object_add(j, "path", json_object_new_string(l->path.name));
        json_object_object_add(j, "tokens", json_object_new_int64((int64_t)r->count));
        put_beside(b, "llama.cpp", "llama_bench", llama, result[i].rate, j);
        put_beside(b, !strcmp(r->key, "training") ? "PEFT" : "transformers", "peer", bench_number(l->peers, r->key),
                   result[i].rate, j);
        fputc('\n', report_stream(&b->common));
        json_object_array_add(rows, j);
    }
    flush_or_end(stdout);
    return 0;
}

static int measure_path(language_bench *l, ib_path path, struct json_object *rows)
{
    const double n = (double)l->n.tokens, g = (double)l->n.generated;
    char prompt[60], behind[60], text[60];
    if (take_path(l, path))
        return 1;
    const bench_path *p = &l->path;
    snprintf(prompt, sizeof prompt, "prompt of %lld, %s", (long long)l->n.tokens, p->name);
    snprintf(behind, sizeof behind, "generation of %lld behind %lld, %s", (long long)l->n.generated,
             (long long)l->n.behind, p->name);
    snprintf(text, sizeof text, "perplexity, window of %lld, %s", (long long)l->n.tokens, p->name);
    /* of a prompt the last token's logits are wanted, of a window those of its second half */
    bench_row row[] = {{"prompt", prompt, "tokens/s", n, 0, LIMIT_REAL, read_prompt, l},
                       {"generation", behind, "tokens/s", g, p->all.bytes * g, LIMIT_READ, generate, l},
                       {"perplexity", text, "tokens/s", n, 0, LIMIT_REAL, measure_text, l}};
    row[0].limit = bench_limit_of(p, n, 1, &row[0].work);
    row[2].limit = bench_limit_of(p, n, n / 2, &row[2].work);
    int failed = add_row(l, &row[0], l->llama.prompt, rows);
    for (int i = 0; i < l->b->n && !failed; i++) /* what is generated stands behind `behind` tokens */
        failed = (ib_kv_rewind(l->s[i].kv, 0) ||
                  ib_lm_step(l->s[i].m, l->s[i].g, l->s[i].kv, l->ids, l->n.behind, l->logits)) &&
                 complain();
    return failed || add_row(l, &row[1], l->llama.generation, rows) ||
           (l->n.tokens >= 4 && add_row(l, &row[2], 0, rows)); /* the shortest window */
}

static int measure(language_bench *l, struct json_object *rows)
{
    const double n = (double)l->n.tokens;
    char step[60];
    int failed = (l->b->paths & BENCH_EXACT && measure_path(l, IB_PATH_EXACT, rows)) ||
                 (l->b->paths & BENCH_INTEGER && measure_path(l, IB_PATH_INTEGER, rows));
    if (failed || !(l->b->paths & BENCH_EXACT) || (failed = take_path(l, IB_PATH_EXACT)) || cannot_train(l, &failed))
        return failed;
    snprintf(step, sizeof step, "training step, LoRA r 16, %lld", (long long)l->n.tokens);
    const bench_weights *w = &l->path.all;
    return add_row(
        l, &(bench_row){"training", step, "tokens/s", n, 4 * (w->linear + w->head) * n, LIMIT_REAL, train, l}, 0, rows);
}

int bench_language(bench *b)
{
    language_bench l = {.b = b};
    struct json_object *rows = json_object_new_array(), *j = json_object_new_object();
    int failed = open_models(&l) || choose_lengths(&l) || make_rows(&l) || open_caches(&l) || look_at_integers(&l, j) ||
                 take_path(&l, IB_PATH_EXACT);
    if (!failed) {
        const ib_lm_config *c = ib_lm_config_of(l.s[0].m);
        FILE *f = report_stream(&b->common);
        l.llama = bench_llama(b, &l.n);
        if (b->peers && (l.peers = bench_language_peers(b, &l.n)))
            bench_add(b, "language_peers", l.peers);
        bench_part(b);
        fprintf(f, "%s, %s, %.4g million weights in linear layers, %d thread(s), medians of %lld turn(s)\n",
                b->model_file, c->arch, l.path.all.linear / 1e6, ib_threads(), (long long)b->repeats);
        json_object_object_add(j, "model_file", json_object_new_string(b->model_file));
        json_object_object_add(j, "arch", json_object_new_string(c->arch));
        json_object_object_add(j, "linear_weights", json_object_new_double(l.path.all.linear));
        json_object_object_add(j, "bytes_per_token", json_object_new_double(l.path.all.bytes));
        json_object_object_add(j, "behind", json_object_new_int64(l.n.behind));
        failed = measure(&l, rows);
        json_object_object_add(j, "checkpointed_layers", json_object_new_int(l.checkpoint));
    }
    for (int i = 0; i < b->n; i++) {
        ib_optim_free(l.s[i].opt);
        ib_kv_free(l.s[i].kv);
        ib_lm_free(l.s[i].m);
        ib_graph_free(l.s[i].g);
    }
    free(l.ids);
    free(l.logits);
    json_object_object_add(j, "rows", rows);
    bench_add(b, "language", j);
    return failed;
}
