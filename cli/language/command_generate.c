/* command_generate.c - isobit generate. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/language/several.h"
#include "cli/language/talk.h"

typedef struct generate_options {
    common common;
    const char *model, *prompt, *prompts, *system, *base, *adapter, *chat_template, *tokenizer;
    const char **stop;
    int n_stops;
    int64_t tokens, context, seed, top_k, at_once;
    double temperature, top_p, min_p, repeat_penalty;
    int chat, int8, ignore_eos;
    ib_path path;
} generate_options;

enum {
    KEY_TOP_K = LONG_OPTION,
    KEY_TOP_P,
    KEY_MIN_P,
    KEY_REPEAT,
    KEY_SEED,
    KEY_CTX,
    KEY_KV,
    KEY_TEMPLATE,
    KEY_SYSTEM,
    KEY_TOKENIZER,
    KEY_IGNORE_EOS,
    KEY_PATH,
    KEY_PROMPTS,
    KEY_AT_ONCE,
    KEY_STOP
};

static const struct argp_option options[] = {
    {"prompt", 'p', "TEXT", OPTION_MAY_BE_EMPTY,
     "what to continue; with --chat the first message; - takes all of standard input", 0},
    {"prompts", KEY_PROMPTS, "FILE", 0,
     "continue each line of a text, or each string or {\"prompt\": ...} of a .jsonl file, several at a time", 0},
    {"at-once", KEY_AT_ONCE, "N", 0, "so many of --prompts side by side (32)", 0},
    {"chat", 'c', NULL, 0,
     "a conversation in the model's chat template; each line of standard input is a further message", 0},
    {"system", KEY_SYSTEM, "TEXT", OPTION_MAY_BE_EMPTY, "system message of --chat", 0},
    {"template", KEY_TEMPLATE, "NAME", 0, "chatml, llama2, llama3, gemma (default: the model's)", 0},
    {"tokens", 'n', "N", 0,
     "so many new tokens an answer, unless an end token, --stop or a full context ends it before (128)", 0},
    {"stop", KEY_STOP, "TEXT", OPTION_MAY_REPEAT,
     "a text that ends an answer, which is cut before it; may be given several times", 0},
    {"temperature", 't', "X", 0, "0: the most likely token (default 0.8)", 0},
    {"top-k", KEY_TOP_K, "N", 0, "only the N most likely (40; 0: all)", 0},
    {"top-p", KEY_TOP_P, "X", 0, "only the most likely that make up X (0.95)", 0},
    {"min-p", KEY_MIN_P, "X", 0, "only those with X times the best probability (0.05)", 0},
    {"repeat-penalty", KEY_REPEAT, "X", 0, "over the last 64 tokens (1: none)", 0},
    {"seed", KEY_SEED, "N", 0, "same seed, same text (0); of --prompts the k-th takes N + k - 1", 0},
    {"ctx", KEY_CTX, "N", 0, "tokens of context, at most the model's (2048, or all of it if that is less)", 0},
    {"kv", KEY_KV, "TYPE", 0, "cache in f16 (default) or int8", 0},
    {"path", KEY_PATH, "NAME", 0,
     "integer (default): rows as codes of 8 bits, multiplied by the weights' codes in integers; exact: fp32 rows", 0},
    {"base", 'b', "FORMAT", 0, "store the linear layers in this format first", 0},
    {"adapter", 'a', "PATH", 0, "a PEFT folder or a GGUF adapter", 0},
    {"tokenizer", KEY_TOKENIZER, "PATH", 0, "another GGUF file or tokenizer.json", 0},
    {"ignore-eos", KEY_IGNORE_EOS, NULL, 0, "go on behind an end token, which is text then (for timing)", 0},
    {0},
};

static int add_stop(generate_options *o, const char *text)
{
    const char **longer = realloc(o->stop, ((size_t)o->n_stops + 1) * sizeof *longer);
    if (!longer)
        return fprintf(stderr, "isobit: out of memory\n") > 0;
    o->stop = longer;
    o->stop[o->n_stops++] = text;
    return check_text("--stop", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    generate_options *o = state->input;
    int bad = 0;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 'p': bad = check_text("--prompt", o->prompt = arg); break;
    case 'c': o->chat = 1; return 0;
    case 'b': o->base = arg; return 0;
    case 'a': o->adapter = arg; return 0;
    case 'n': bad = parse_int(arg, "--tokens", 1, 1 << 20, &o->tokens); break;
    case 't': bad = parse_float(arg, "--temperature", 0, 100, &o->temperature); break;
    case KEY_SYSTEM: bad = check_text("--system", o->system = arg); break;
    case KEY_TEMPLATE: bad = check_template(o->chat_template = arg); break;
    case KEY_TOKENIZER: o->tokenizer = arg; return 0;
    case KEY_IGNORE_EOS: o->ignore_eos = 1; return 0;
    case KEY_PROMPTS: o->prompts = arg; return 0;
    case KEY_AT_ONCE: bad = parse_int(arg, "--at-once", 1, 1 << 12, &o->at_once); break;
    case KEY_PATH: bad = parse_path(arg, &o->path); break;
    case KEY_STOP: bad = add_stop(o, arg); break;
    case KEY_TOP_K: bad = parse_int(arg, "--top-k", 0, 1 << 22, &o->top_k); break;
    case KEY_TOP_P: bad = parse_float(arg, "--top-p", 0, 1, &o->top_p); break;
    case KEY_MIN_P: bad = parse_float(arg, "--min-p", 0, 1, &o->min_p); break;
    case KEY_REPEAT: bad = parse_float(arg, "--repeat-penalty", 0.01, 100, &o->repeat_penalty); break;
    case KEY_SEED: bad = parse_int(arg, "--seed", 0, INT64_MAX, &o->seed); break;
    case KEY_CTX: bad = parse_int(arg, "--ctx", 2, 1 << 20, &o->context); break;
    case KEY_KV:
        if (strcmp(arg, "f16") && strcmp(arg, "int8"))
            bad = fprintf(stderr, "isobit: --kv '%s': f16 and int8 are possible\n", arg);
        o->int8 = !strcmp(arg, "int8");
        break;
    case ARGP_KEY_END:
        if (!o->prompt && !o->prompts && !o->chat)
            argp_error(state, "what to continue: --prompt TEXT (- is standard input), --prompts FILE, or --chat?");
        if (o->prompt && o->prompts)
            argp_error(state, "either --prompt or --prompts");
        if (!o->prompts && refuse_alone("at-once", o->at_once ? "" : NULL, "--prompts"))
            exit(2);
        if (!o->chat &&
            (refuse_alone("system", o->system, "--chat") || refuse_alone("template", o->chat_template, "--chat")))
            exit(2);
        return model_argument(key, arg, state, &o->model);
    default: return model_argument(key, arg, state, &o->model);
    }
    if (bad)
        exit(2);
    return 0;
}

/* "ended by \"<|im_end|>\"": why an answer ends where it does. */
static void put_end(FILE *f, const talk *t, const answer *a)
{
    if (a->end == TALK_STOP) {
        struct json_object *by = json_object_new_string(a->by); /* quoted, and on one line */
        fprintf(f, "ended by %s", json_object_to_json_string_ext(by, JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(by);
    } else if (a->end == TALK_LENGTH)
        fprintf(f, "cut after %lld tokens, as -n says", (long long)a->tokens);
    else if (a->end == TALK_INTERRUPT)
        fprintf(f, "stopped after %lld tokens", (long long)a->tokens);
    else
        fprintf(f, "cut, as the context of %d tokens is full (%s%d)", t->context,
                t->context < t->most ? "--ctx may be up to " : "the model allows ", t->most);
}

/* All answers together. */
typedef struct totals {
    const talk *t;
    int64_t answers, prompt, tokens, timed; /* timed: without the first token of each answer, which is the prompt's */
    double prompt_seconds, seconds;
} totals;

static double rate(int64_t n, double time)
{
    return time > 0 ? (double)n / time : 0;
}

static void print_answer(const totals *sum, int64_t k, const answer *a)
{
    const talk *t = sum->t;
    static const char *const reasons[] = {"stop", "length", "context", "interrupt"};
    struct json_object *j = json_object_new_object();
    const double speed = rate(a->tokens - 1, a->seconds);
    json_object_object_add(j, "text", json_object_new_string_len(a->text, (int)a->n));
    if (k >= 0)
        json_object_object_add(j, "prompt_number", json_object_new_int64(k + 1));
    json_object_object_add(j, "finish_reason", json_object_new_string(reasons[a->end]));
    json_object_object_add(j, "stopped_by", a->by ? json_object_new_string(a->by) : NULL);
    json_object_object_add(j, "prompt_tokens", json_object_new_int64(a->prompt));
    json_object_object_add(j, "cached_tokens", json_object_new_int64(a->cached));
    json_object_object_add(j, "tokens", json_object_new_int64(a->tokens));
    add_path(j, &t->products);
    json_object_object_add(j, "prompt_tokens_per_second",
                           json_object_new_double(rate(a->prompt - a->cached, a->prompt_seconds)));
    json_object_object_add(j, "tokens_per_second", json_object_new_double(speed));
    json_object_object_add(j, "bytes_per_second", json_object_new_double(speed * (double)ib_lm_weight_bytes(t->l.m)));
    json_object_object_add(j, "peak_bytes", json_object_new_int64(peak_memory()));
    printf("%s\n", json_object_to_json_string_ext(j, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
    flush_or_end(stdout);
    json_object_put(j);
}

static void add_answer(totals *sum, const answer *a)
{
    sum->answers++;
    sum->prompt += a->prompt - a->cached;
    sum->tokens += a->tokens;
    sum->timed += a->tokens ? a->tokens - 1 : 0;
    sum->prompt_seconds += a->prompt_seconds;
    sum->seconds += a->seconds;
}

static void take_answer(totals *sum, const answer *a)
{
    add_answer(sum, a);
    if (sum->t->json)
        print_answer(sum, -1, a);
}

/* Of --prompts: the k-th. */
static void take_several(void *user, int64_t k, const answer *a)
{
    totals *sum = user;
    add_answer(sum, a);
    if (sum->t->json) {
        print_answer(sum, k, a);
    } else {
        printf("[%lld] ", (long long)k + 1);
        fwrite(a->text, 1, a->n, stdout);
        putchar('\n');
        flush_or_end(stdout);
    }
}

static void hear(void *user, const answer *a)
{
    const totals *sum = user;
    take_answer(user, a);
    if (sum->t->json || a->end == TALK_STOP)
        return;
    fputs("isobit: the answer is ", stderr);
    put_end(stderr, sum->t, a);
    fputc('\n', stderr);
}

static void print_totals(const totals *sum, const answer *last)
{
    const double speed = rate(sum->timed, sum->seconds);
    fprintf(stderr, "prompt %lld tokens, %.0f/s; then %lld tokens%s, %.1f/s (%.1f GB/s of weights)",
            (long long)sum->prompt, rate(sum->prompt, sum->prompt_seconds), (long long)sum->tokens,
            sum->t->products.of.integer ? " in integers" : "", speed,
            speed * (double)ib_lm_weight_bytes(sum->t->l.m) / 1e9);
    if (last) {
        fputs("; ", stderr);
        put_end(stderr, sum->t, last);
    }
    fputc('\n', stderr);
}

static int complete(talk *t, const char *text, size_t n, totals *sum)
{
    ib_ids prompt = {0};
    answer a = {0};
    int status = 0;
    if ((ib_tokenizer_adds_bos(t->l.t) && ib_ids_append(&prompt, ib_tokenizer_bos(t->l.t))) ||
        ib_tokenize(t->l.t, text, n, 1, &prompt))
        status = complain();
    else if (!prompt.n)
        status = fprintf(stderr, "isobit: the prompt is empty\n") > 0;
    else
        status = talk_answer(t, &prompt, "the prompt", &a);
    if (!status) {
        take_answer(sum, &a);
        if (!t->json)
            print_totals(sum, &a);
    }
    ib_free_ids(&prompt);
    answer_release(&a);
    return status;
}

static int complete_several(talk *t, const generate_options *o, totals *sum)
{
    prompts p = {0};
    const int64_t at_once = o->at_once ? o->at_once : 32;
    double steps = 0;
    int status = prompts_read(t, o->prompts, o->chat, o->system, &p);
    if (!status) {
        tell_path(t->model, &t->products);
        status = prompts_answer(t, &p, at_once, take_several, sum, &steps);
    }
    if (!status && !t->json)
        fprintf(
            stderr,
            "%lld of %lld prompts, %lld tokens, %.0f/s; then %lld tokens%s, %.1f/s, up to %lld sequences at a time\n",
            (long long)sum->answers, (long long)p.n, (long long)sum->prompt, rate(sum->prompt, sum->prompt_seconds),
            (long long)sum->tokens, t->products.of.integer ? " in integers" : "", rate(sum->timed, steps),
            (long long)(p.n < at_once ? p.n : at_once));
    prompts_release(&p);
    return status;
}

static int open_talk(talk *t, const generate_options *o)
{
    if (language_open(&t->l, &o->common, o->model, o->tokenizer, o->base, o->adapter))
        return 1;
    const ib_lm_config *c = ib_lm_config_of(t->l.m);
    t->most = c->context;
    t->context = o->context ? (int)o->context : c->context < 2048 ? c->context : 2048;
    if (t->context > t->most)
        return fprintf(stderr, "isobit: --ctx %d: the context of %s is %d tokens\n", t->context, o->model, t->most) > 0;
    if (o->prompts) /* each has a cache of its own */
        return 0;
    t->kv = ib_kv_new(t->l.m, t->context, o->int8);
    t->logits = malloc((size_t)c->vocabulary * sizeof *t->logits);
    return t->kv && t->logits ? 0 : complain();
}

/* What is to be continued or answered first: an option's text, or of "-" standard input without a newline at its end.
 * For ib_free(). */
static int read_prompt(const char *prompt, char **text, size_t *n)
{
    const int piped = prompt && !strcmp(prompt, "-");
    if (!prompt)
        return 0;
    *text = piped ? ib_text_read("/dev/stdin", n) : ib_strdup(prompt);
    if (!*text)
        return complain();
    if (piped && !freopen("/dev/null", "r", stdin)) /* a file would be read once more, for further messages */
        return fprintf(stderr, "isobit: /dev/null: %s\n", strerror(errno)) > 0;
    if (!piped)
        *n = strlen(*text);
    else if (*n && (*text)[*n - 1] == '\n')
        *n -= *n > 1 && (*text)[*n - 2] == '\r' ? 2 : 1;
    return 0;
}

int command_generate(int argc, char **argv)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL",
        "Continues a text, or talks.\v"
        "Examples:\n  isobit generate SmolLM2.gguf --prompt \"It is a truth\" -n 64 -t 0\n"
        "  isobit generate SmolLM2.gguf --adapter adapter --chat --prompt \"Hello\"\n"
        "  isobit generate SmolLM2.gguf --prompt - --stop $'\\n\\n' <question.txt\n"
        "  isobit generate SmolLM2.gguf --prompts questions.txt --chat --json\n\n"
        "Of --prompts each line is continued, or with --chat answered, by itself, as it would be alone with the seed "
        "of its "
        "number, and printed behind [number]. Of --chat alone each line of standard input that is not blank is a "
        "message, and the next one sees all that was "
        "said. On a terminal Ctrl-C ends the answer alone. Bytes that are no UTF-8 become U+FFFD. With --json each "
        "answer is an object on a line of its own as soon as it is there. finish_reason is stop (an end token or "
        "--stop, named in stopped_by), length (-n), context (it is full) or interrupt; tokens counts the end token "
        "too; of prompt_tokens, all that was said before, the first cached_tokens were not read again.\n"
        "JSON keys: text, prompt_number (of --prompts), finish_reason, stopped_by, prompt_tokens, cached_tokens, "
        "tokens, path, integer_matrices, "
        "exact_matrices, exact_formats, "
        "prompt_tokens_per_second, tokens_per_second, bytes_per_second (weights read), peak_bytes.",
        children,
        NULL,
        NULL};
    generate_options o = {.path = IB_PATH_INTEGER,
                          .tokens = 128,
                          .temperature = 0.8,
                          .top_k = 40,
                          .top_p = 0.95,
                          .min_p = 0.05,
                          .repeat_penalty = 1};
    parse_options(&argp, argc, argv, &o);
    talk t = {.model = o.model,
              .sampling = {(float)o.temperature, (int)o.top_k, (float)o.top_p, (float)o.min_p, (float)o.repeat_penalty,
                           (uint64_t)o.seed},
              .tokens = o.tokens,
              .ignore_ends = o.ignore_eos,
              .int8 = o.int8,
              .json = o.common.json,
              .stop = o.stop,
              .n_stops = o.n_stops,
              .chat_template = o.chat_template};
    totals sum = {.t = &t};
    char *prompt = NULL;
    size_t n = 0;
    int status = open_talk(&t, &o) || language_path(&t.l, o.path, &t.products) || read_prompt(o.prompt, &prompt, &n);
    catch_interrupt();
    if (!status && o.prompts)
        status = complete_several(&t, &o, &sum);
    else if (!status)
        status = o.chat ? talk_converse(&t, o.system, prompt, n, hear, &sum) : complete(&t, prompt, n, &sum);
    if (!status && o.chat && !o.prompts && !t.json)
        print_totals(&sum, NULL);
    if (!status && interrupted)
        status = 128 + interrupted;
    ib_free(prompt);
    free(o.stop);
    ib_free_ids(&t.history);
    free(t.logits);
    ib_kv_free(t.kv);
    language_close(&t.l);
    return status;
}
