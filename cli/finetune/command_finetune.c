/* command_finetune.c - isobit finetune. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command_line.h"
#include "cli/finetune/finetune_options.h"
#include "cli/finetune/sample_view.h"
#include "cli/finetune/samples_report.h"

typedef struct job {
    finetune_options o;
    language l;
    ib_samples *train, *eval;
    ib_memory_plan plan;
    progress steps;
    double start, loss, eval_nll, last, best; /* best: tokens/s of the fastest step */
    int64_t tokens, done;
} job;

static void megabytes(const char *what, int64_t bytes)
{
    fprintf(stderr, "  %-22s %9.1f MB\n", what, (double)bytes / 1e6);
}

static const char *allowed_by(const finetune_options *o)
{
    return o->available ? ", three quarters of what is available" : "";
}

static void show_plan(const job *j)
{
    const ib_memory_plan *p = &j->plan;
    const int layers = ib_lm_config_of(j->l.m)->layers;
    fprintf(stderr, "memory:\n");
    megabytes("weights", p->weights);
    megabytes("adapter", p->adapter);
    megabytes("gradients", p->gradients);
    megabytes("optimizer", p->optimizer);
    megabytes("activations, buffers", p->activations);
    megabytes("program, tables, text", p->other);
    megabytes("in all", p->total);
    fprintf(stderr, "  %d of %d layers are checkpointed", p->checkpoint, layers);
    if (p->checkpoint && j->o.memory)
        fprintf(stderr, ", which run again in the backward pass, to stay below %.1f MB%s; --memory %lldM keeps all",
                (double)j->o.memory / 1e6, allowed_by(&j->o), (long long)(p->whole + p->whole / 64) / 1000000 + 1);
    fprintf(stderr, "\n");
}

static int show_step(void *user, const ib_finetune_step *s)
{
    job *j = user;
    if (s->rolled_back) {
        progress_end(&j->steps);
        fprintf(stderr, "isobit: %s; going back to step %lld\n", ib_error(), (long long)s->step);
        return interrupted != 0;
    }
    const double now = seconds();
    if (j->last && (double)s->tokens / (now - j->last) > j->best)
        j->best = (double)s->tokens / (now - j->last);
    j->last = now;
    j->loss = s->loss;
    j->tokens += s->tokens;
    j->done++;
    if (s->eval_nll > 0)
        j->eval_nll = s->eval_nll;
    char text[200];
    int n = snprintf(text, sizeof text, "loss %.4f  lr %.2g  %.0f tokens/s", s->loss, s->lr,
                     (double)j->tokens / (now - j->start));
    if (s->eval_nll > 0)
        snprintf(text + n, sizeof text - (size_t)n, "  evaluation perplexity %.4f", exp(s->eval_nll));
    if (j->done == 1)
        j->steps.first = s->step - 1;
    if (s->step == s->steps || s->eval_nll > 0)
        progress_line(&j->steps, s->step, s->steps, text);
    else
        progress_show(&j->steps, s->step, s->steps, text);
    return interrupted != 0;
}

/* Rows are no longer than the context: positions behind it were never trained. */
static int choose_seq(job *j)
{
    const int context = ib_lm_config_of(j->l.m)->context;
    if (j->o.seq > context)
        return fprintf(stderr, "isobit: --seq %lld: the context of %s is %d tokens\n", (long long)j->o.seq, j->o.model,
                       context),
               1;
    if (!j->o.seq)
        j->o.seq = context < 512 ? context : 512;
    return 0;
}

/* Says what does not fit, with what would. */
static int check_memory(const job *j)
{
    const finetune_options *o = &j->o;
    const int layers = ib_lm_config_of(j->l.m)->layers;
    const long long needed = (long long)((j->plan.total + 999999) / 1000000);
    const int whole = o->memory % 1000000 == 0;
    if (!o->memory || j->plan.total <= o->memory)
        return 0;
    fprintf(
        stderr,
        "isobit: training takes %lld MB with %d of %d layers checkpointed, --memory allows %lld %s%s: give --memory "
        "%lldM, a shorter --seq, a smaller "
        "--batch or a smaller --base\n",
        needed, j->plan.checkpoint, layers, (long long)(whole ? o->memory / 1000000 : o->memory),
        whole ? "MB" : "bytes", allowed_by(o), needed);
    return 1;
}

/* 1 after telling of an option for rows that none of the rows reads. */
static int idle_for_rows(const job *j)
{
    const finetune_options *o = &j->o;
    const ib_samples_info a = ib_samples_info_of(j->train),
                          b = j->eval ? ib_samples_info_of(j->eval) : (ib_samples_info){0};
    const int chats = a.chats || b.chats, prompts = chats || a.prompts || b.prompts || a.template_marks;
    const struct {
        const char *option, *list;
        uint64_t met;
    } lists[] = {{"ignore-columns", o->ignore, a.ignored | b.ignored}, {"columns", o->columns, a.mapped | b.mapped}};
    if ((!chats && refuse_alone("template", o->chat, "rows of messages")) ||
        (!prompts &&
         refuse_alone("train-on-prompts", o->train_on_prompts ? o : NULL,
                      "rows of messages, of prompt and completion, or of a template with {% generation %}")))
        return 1;
    for (int i = 0; i < 2; i++) {
        uint64_t met = lists[i].met;
        for (const char *p = lists[i].list ? lists[i].list : ""; *p; p += strcspn(p, ","), p += *p == ',', met >>= 1)
            if (!(met & 1))
                return fprintf(stderr, "isobit: --%s '%.*s': no row of %s has this key\n", lists[i].option,
                               (int)strcspn(p, ","), p, o->data);
    }
    return 0;
}

/* The last rows of the training data, as many as --eval-fraction says. */
static int set_rows_aside(job *j)
{
    const int64_t all = ib_samples_info_of(j->train).rows, rows = (int64_t)(j->o.eval_fraction * (double)all + 0.5);
    if (rows >= all || all < 2)
        return fprintf(stderr, "isobit: --eval-fraction %g of the %lld rows of %s leaves none to train on\n",
                       j->o.eval_fraction, (long long)all, j->o.data);
    return (j->eval = ib_samples_split(j->train, rows < 1 ? 1 : rows)) ? 0 : complain();
}

static void show_reading(void *user, int64_t done, int64_t total)
{
    progress_show(user, done / 1000, total / 1000, "kB");
}

static ib_samples *open_samples(job *j, const char *path, ib_samples_opts s)
{
    progress p;
    progress_start(&p, path, 0);
    s.progress = show_reading;
    s.user = &p;
    ib_samples *samples = ib_samples_open(path, j->l.t, &s);
    progress_end(&p);
    return samples;
}

static int open_data(job *j)
{
    finetune_options *o = &j->o;
    const ib_samples_opts s = {.seq = (int)o->seq,
                               .no_pack = o->no_pack,
                               .chat = o->chat,
                               .train_on_prompts = o->train_on_prompts,
                               .literal = o->literal != 0,
                               .ignore = o->ignore,
                               .columns = o->columns,
                               .prompt_template = o->prompt_template};
    if (!(j->train = open_samples(j, o->data, s)) || (o->eval && !(j->eval = open_samples(j, o->eval, s))))
        return complain();
    if (idle_for_rows(j) || (!o->eval && o->eval_fraction > 0 && set_rows_aside(j)))
        return 1;
    o->template_sum = ib_samples_info_of(j->train).template_sum;
    o->rows_sum = ib_samples_info_of(j->train).sum;
    if (finetune_other_rows(o))
        return 1;
    const samples_asked asked = {
        o->data,    o->prompt_template, (int)o->seq,  ib_lm_config_of(j->l.m)->context, o->train_on_prompts,
        o->no_pack, o->batch,           o->accumulate};
    report_samples(stderr, j->train, &asked);
    if (o->begun.step < 0) {
        warn_of_samples(stderr, j->train, &asked);
        if (o->eval)
            warn_of_samples(stderr, j->eval,
                            &(samples_asked){.data = o->eval,
                                             .seq = asked.seq,
                                             .context = asked.context,
                                             .train_on_prompts = asked.train_on_prompts});
        show_first_sample(stderr, isatty(STDERR_FILENO), j->l.t, j->train);
    }
    return 0;
}

static int64_t parameters(const ib_layer *l)
{
    int64_t n = 0;
    for (int i = 0; i < ib_param_count(l); i++)
        n += ib_tensor_size(ib_param_at(l, i));
    return n;
}

/* Perplexities of the evaluation set (or the training rows' first) on the deployed weights and on W with the
 * adapter. */
static int compare_deployed(job *j, double *deployed, double *adapter)
{
    const ib_samples *s = j->eval ? j->eval : j->train;
    double nll;
    if (ib_finetune_eval(j->l.m, j->l.g, s, &nll))
        return complain();
    *deployed = exp(nll);
    if (ib_lm_deploy(j->l.m, j->l.dev, NULL) || ib_finetune_eval(j->l.m, j->l.g, s, &nll))
        return complain();
    *adapter = exp(nll);
    return 0;
}

static void report(const job *j, double took, double deployed, double adapter)
{
    const int64_t peak = peak_memory();
    if (!j->o.common.json && !j->done) {
        printf("%s: no step was left to do\n", j->o.out);
    } else if (!j->o.common.json) {
        printf("%s: %lld parameters trained, loss %.4f, %.0f tokens/s, peak memory %lld MB\n", j->o.out,
               (long long)parameters(ib_lm_trainable(j->l.m)), j->loss, (double)j->tokens / took,
               (long long)(peak / 1000000));
    }
    if (!j->o.common.json) {
        if (j->o.deploy)
            printf("perplexity as %s %.4f, with the adapter beside the base %.4f\n", j->o.deploy, deployed, adapter);
        return;
    }
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "steps", json_object_new_int64(j->done));
    if (j->done)
        json_object_object_add(o, "loss", json_object_new_double(j->loss));
    if (j->eval && j->done)
        json_object_object_add(o, "eval_perplexity", json_object_new_double(exp(j->eval_nll)));
    json_object_object_add(o, "tokens_per_second", json_object_new_double((double)j->tokens / took));
    json_object_object_add(o, "best_tokens_per_second", json_object_new_double(j->best));
    json_object_object_add(o, "tokens", json_object_new_int64(j->tokens));
    json_object_object_add(o, "trained_parameters", json_object_new_int64(parameters(ib_lm_trainable(j->l.m))));
    json_object_object_add(o, "checkpointed_layers", json_object_new_int(j->plan.checkpoint));
    json_object_object_add(o, "planned_bytes", json_object_new_int64(j->plan.total));
    json_object_object_add(o, "peak_bytes", json_object_new_int64(peak));
    json_object_object_add(o, "seconds", json_object_new_double(took));
    json_object_object_add(o, "out", json_object_new_string(j->o.out));
    if (j->o.deploy) {
        json_object_object_add(o, "deploy", json_object_new_string(j->o.deploy));
        json_object_object_add(o, "deploy_perplexity", json_object_new_double(deployed));
        json_object_object_add(o, "adapter_perplexity", json_object_new_double(adapter));
    }
    print_json(o);
}

/* What --lora says beside --adapter has to be so already, but for the dropout. */
static int begin_with_adapter(job *j)
{
    const ib_adapter_opts *said = &j->o.adapter;
    if (ib_lm_adapter_check(j->l.m, said))
        return fprintf(stderr, "isobit: %s: %s\n", j->o.start, ib_error()), 1;
    return said->dropout >= 0 && ib_lm_set_dropout(j->l.m, said->dropout) ? complain() : 0;
}

static int train(job *j)
{
    const finetune_options *o = &j->o;
    const ib_adamw_opts adamw = {
        .lr = (float)o->lr, .weight_decay = (float)o->decay, .bits8 = o->bits8, .paged = o->paged};
    if (o->start && begin_with_adapter(j))
        return 1;
    if ((!o->start && ib_lm_adapt(j->l.m, &o->adapter)) ||
        ib_finetune_plan(j->l.m, j->l.g, o->seq * o->batch, &adamw, (int)o->checkpoint, o->memory, &j->plan))
        return complain();
    if (!o->start && o->adapter.save && o->begun.step < 0 && ib_lm_config_of(j->l.m)->tied)
        fprintf(stderr,
                "%s: embedding and head are one tensor and part here: one that save= does not name stays as it is, a "
                "merged model has both\n",
                o->model);
    show_plan(j);
    if (o->plan && o->common.json) {
        struct json_object *p = json_object_new_object();
        const struct {
            const char *name;
            int64_t bytes;
        } parts[] = {{"weights", j->plan.weights},
                     {"adapter", j->plan.adapter},
                     {"gradients", j->plan.gradients},
                     {"optimizer", j->plan.optimizer},
                     {"activations", j->plan.activations},
                     {"other", j->plan.other},
                     {"total", j->plan.total},
                     {"checkpointed_layers", j->plan.checkpoint},
                     {"allowed", o->memory},
                     {"without_checkpoints", j->plan.whole}};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            json_object_object_add(p, parts[i].name, json_object_new_int64(parts[i].bytes));
        print_json(p);
    }
    if (check_memory(j))
        return 1;
    if (o->plan)
        return 0;
    char *settings = finetune_options_text(o);
    if (!settings)
        return fprintf(stderr, "isobit: out of memory\n"), 1;
    catch_interrupt();
    progress_start(&j->steps, "step", 0);
    j->steps.every = 10;
    j->start = j->last = seconds();
    const ib_finetune_opts f = {.batch = (int)o->batch,
                                .accumulate = (int)o->accumulate,
                                .steps = o->steps,
                                .epochs = o->epochs,
                                .schedule = {.kind = o->schedule, .lr = (float)o->lr, .warmup = o->warmup},
                                .adamw = adamw,
                                .clip = (float)o->clip,
                                .seed = (uint64_t)o->seed,
                                .no_shuffle = o->no_shuffle,
                                .checkpoint = j->plan.checkpoint,
                                .deploy = o->deploy,
                                .deploy_steps = o->deploy_steps,
                                .save_every = o->save_every,
                                .eval_every = o->eval_every,
                                .out = o->out,
                                .base = o->model,
                                .settings = settings,
                                .resume = o->resume,
                                .progress = show_step,
                                .user = j};
    finetune_tell_resumed(o, j->train, &f);
    const ib_status status = ib_finetune(j->l.m, j->l.g, j->train, j->eval, &f);
    free(settings);
    const double took = seconds() - j->start;
    double deployed = 0, adapter = 0;
    if (status == IB_ESTOPPED) {
        fprintf(stderr, "%sisobit: %s; --resume goes on from there\n", j->steps.drawn ? "\n" : "", ib_error());
        return 130;
    }
    if (status)
        return complain();
    if (o->deploy && compare_deployed(j, &deployed, &adapter))
        return 1;
    report(j, took, deployed, adapter);
    warn_of_card(o->out);
    return 0;
}

int command_finetune(int argc, char **argv)
{
    job j = {0};
    finetune_options_parse(argc, argv, &j.o);
    int status = finetune_begun(&j.o);
    if (!status)
        status = language_open(&j.l, &j.o.common, j.o.model, j.o.tokenizer, j.o.base, finetune_adapter(&j.o)) ||
                         tell_command(j.l.m, argc, argv) || choose_seq(&j) || open_data(&j)
                     ? 1
                     : train(&j);
    ib_samples_free(j.eval);
    ib_samples_free(j.train);
    language_close(&j.l);
    ib_free(j.o.begun.settings);
    return status;
}
