/* command_generate.c - isobit generate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/language_session.h"

typedef struct generate_options {
    common common;
    const char *model, *prompt, *system, *base, *adapter, *chat_template, *tokenizer;
    int64_t tokens, context, seed, top_k;
    double temperature, top_p, min_p, repeat_penalty;
    int chat, int8, ignore_eos;
} generate_options;

enum { KEY_TOP_K = 4000, KEY_TOP_P, KEY_MIN_P, KEY_REPEAT, KEY_SEED, KEY_CTX, KEY_KV, KEY_TEMPLATE, KEY_SYSTEM, KEY_TOKENIZER, KEY_IGNORE_EOS };

static const struct argp_option options[] = {
    {"prompt", 'p', "TEXT", OPTION_MAY_BE_EMPTY, "what to continue; with --chat the first message", 0},
    {"chat", 'c', NULL, 0, "a conversation in the model's chat template; further messages from standard input", 0},
    {"system", KEY_SYSTEM, "TEXT", OPTION_MAY_BE_EMPTY, "system message of --chat", 0},
    {"template", KEY_TEMPLATE, "NAME", 0, "chatml, llama2, llama3, gemma (default: the model's)", 0},
    {"tokens", 'n', "N", 0, "at most so many new tokens (128)", 0},
    {"temperature", 't', "X", 0, "0: the most likely token (default 0.8)", 0},
    {"top-k", KEY_TOP_K, "N", 0, "only the N most likely (40; 0: all)", 0},
    {"top-p", KEY_TOP_P, "X", 0, "only the most likely that make up X (0.95)", 0},
    {"min-p", KEY_MIN_P, "X", 0, "only those with X times the best probability (0.05)", 0},
    {"repeat-penalty", KEY_REPEAT, "X", 0, "over the last 64 tokens (1: none)", 0},
    {"seed", KEY_SEED, "N", 0, "same seed, same text (0)", 0},
    {"ctx", KEY_CTX, "N", 0, "tokens of context, at most the model's (2048, or all of it if that is less)", 0},
    {"kv", KEY_KV, "TYPE", 0, "cache in f16 (default) or int8", 0},
    {"base", 'b', "FORMAT", 0, "store the linear layers in this format first", 0},
    {"adapter", 'a', "PATH", 0, "a PEFT folder or a GGUF adapter", 0},
    {"tokenizer", KEY_TOKENIZER, "PATH", 0, "another GGUF file or tokenizer.json", 0},
    {"ignore-eos", KEY_IGNORE_EOS, NULL, 0, "do not stop at an end token (for timing)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    generate_options *o = state->input;
    int bad = 0;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 'p':
        bad = check_text("--prompt", o->prompt = arg);
        break;
    case 'c': o->chat = 1; return 0;
    case 'b': o->base = arg; return 0;
    case 'a': o->adapter = arg; return 0;
    case 'n': bad = parse_int(arg, "--tokens", 1, 1 << 20, &o->tokens); break;
    case 't': bad = parse_float(arg, "--temperature", 0, 100, &o->temperature); break;
    case KEY_SYSTEM:
        bad = check_text("--system", o->system = arg);
        break;
    case KEY_TEMPLATE:
        bad = check_template(o->chat_template = arg);
        break;
    case KEY_TOKENIZER: o->tokenizer = arg; return 0;
    case KEY_IGNORE_EOS: o->ignore_eos = 1; return 0;
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
        if (!o->prompt && !o->chat)
            argp_error(state, "what to continue: --prompt TEXT, or --chat?");
        if (!o->chat && (refuse_alone("system", o->system, "--chat") || refuse_alone("template", o->chat_template, "--chat")))
            exit(2);
        return model_argument(key, arg, state, &o->model);
    default: return model_argument(key, arg, state, &o->model);
    }
    if (bad)
        exit(2);
    return 0;
}

/* What has been said, and the clock. */
typedef struct talk {
    language l;
    ib_kv *kv;
    float *logits;
    ib_ids history; /* tokens in the cache, and the one to come */
    int64_t prompted, generated;
    double prompt_seconds, seconds;
    struct json_object *text;
} talk;

static int ends(const talk *t, int32_t id)
{
    size_t n;
    const char *s = ib_token_bytes(t->l.t, id, &n);
    return ib_lm_ends_text(t->l.m, id) || id == ib_tokenizer_eos(t->l.t) || (ib_token_is_control(t->l.t, id) && (!strcmp(s, "<|im_end|>") || !strcmp(s, "<|eot_id|>") ||
           !strcmp(s, "<end_of_turn>") || !strcmp(s, "<|endoftext|>") || !strcmp(s, "</s>")));
}

/* What was said so far. Each turn renders all of it again, since templates treat turns by their place (llama2 puts a BOS before
 * each, gemma the system message into the first); the cache keeps what is still the same. */
typedef struct conversation {
    ib_message *m;
    int n, room;
} conversation;

static int say(conversation *c, const char *role, const char *content, size_t n)
{
    if (c->n == c->room) {
        ib_message *grown = realloc(c->m, (size_t)(2 * c->room + 8) * sizeof *grown);
        if (!grown)
            return fprintf(stderr, "isobit: out of memory\n"), 1;
        c->m = grown;
        c->room = 2 * c->room + 8;
    }
    char *copy = malloc(n + 1); /* a text may hold U+0000 */
    if (!copy)
        return fprintf(stderr, "isobit: out of memory\n"), 1;
    memcpy(copy, content, n);
    copy[n] = 0;
    c->m[c->n++] = (ib_message){.role = role, .content = copy, .n = n};
    return 0;
}

/* Reads the tokens behind what the cache holds, then speaks until an end token; c (may be NULL) hears what was said. */
static int speak(talk *t, const generate_options *o, conversation *c)
{
    const ib_sampling s = {(float)o->temperature, (int)o->top_k, (float)o->top_p, (float)o->min_p, (float)o->repeat_penalty, (uint64_t)o->seed};
    const int vocabulary = ib_lm_config_of(t->l.m)->vocabulary;
    int64_t fresh = t->history.n - ib_kv_length(t->kv);
    double start = seconds();
    char *said = NULL;
    size_t length = 0;
    FILE *text = open_memstream(&said, &length);
    for (int64_t i = 0; i < o->tokens && !interrupted; i++) {
        if (ib_lm_step(t->l.m, t->l.g, t->kv, t->history.id + ib_kv_length(t->kv), fresh, t->logits)) {
            if (i && ib_error_status() == IB_EINVAL) { /* the context is full: that is where the text ends */
                fprintf(stderr, "\nisobit: %s\n", ib_error());
                break;
            }
            if (text)
                fclose(text);
            free(said);
            return complain();
        }
        const double now = seconds();
        if (i) {
            t->generated++;
            t->seconds += now - start;
        } else {
            t->prompted += fresh;
            t->prompt_seconds += now - start;
        }
        start = now;
        const int32_t id = ib_sample_token(&s, t->logits, vocabulary, t->history.id, t->history.n, (uint64_t)t->history.n);
        if (ib_ids_append(&t->history, id))
            break;
        fresh = 1;
        if (ends(t, id) && !o->ignore_eos)
            break;
        size_t n;
        const char *bytes = ib_token_bytes(t->l.t, id, &n);
        char spaced[256];
        if (n >= 3 && n < sizeof spaced && strstr(bytes, "\xe2\x96\x81")) { /* SentencePiece: U+2581 is a space */
            size_t k = 0;
            for (size_t j = 0; j < n; j++)
                if (j + 3 <= n && !memcmp(bytes + j, "\xe2\x96\x81", 3)) {
                    spaced[k++] = ' ';
                    j += 2;
                } else {
                    spaced[k++] = bytes[j];
                }
            bytes = spaced;
            n = k;
        }
        if (!o->common.json) {
            fwrite(bytes, 1, n, stdout);
            fflush(stdout);
        }
        if (text)
            fwrite(bytes, 1, n, text);
    }
    if (!o->common.json)
        printf("\n");
    if (text)
        fclose(text);
    for (size_t good = 0; said && (good += ib_utf8_good(said + good, length - good)) < length;)
        said[good] = '?'; /* cut within a character, or never one */
    if (said)
        json_object_array_add(t->text, json_object_new_string_len(said, (int)length));
    const int status = c && said ? say(c, "assistant", said, length) : 0;
    free(said);
    return status;
}

static int take_turn(talk *t, const generate_options *o, conversation *c)
{
    ib_ids whole = {0};
    if (ib_chat_tokens(t->l.t, o->chat_template, c->m, c->n, 1, &whole, NULL)) {
        ib_free_ids(&whole);
        return complain();
    }
    int same = 0; /* the last token is read again: its logits are wanted */
    while (same < ib_kv_length(t->kv) && same + 1 < whole.n && whole.id[same] == t->history.id[same])
        same++;
    ib_kv_rewind(t->kv, same);
    ib_free_ids(&t->history);
    t->history = whole;
    return speak(t, o, c);
}

static int converse(talk *t, const generate_options *o)
{
    conversation c = {0};
    char *line = NULL;
    size_t room = 0;
    int status = o->system ? say(&c, "system", o->system, strlen(o->system)) : 0;
    for (const char *message = o->prompt; !status && !interrupted; message = NULL) {
        size_t bytes = message ? strlen(message) : 0;
        if (!message) {
            if (isatty(STDIN_FILENO))
                fprintf(stderr, "> ");
            const ssize_t got = getline(&line, &room, stdin);
            if (got < 0)
                break;
            message = line;
            bytes = (size_t)got - (got && line[got - 1] == '\n');
            if (ib_utf8_good(line, bytes) < bytes) {
                status = fprintf(stderr, "isobit: standard input: message %d is not UTF-8: byte %zu\n", c.n / 2 + 1,
                                 ib_utf8_good(line, bytes)) > 0;
                break;
            }
        }
        status = say(&c, "user", message, bytes) || take_turn(t, o, &c);
    }
    for (int i = 0; i < c.n; i++)
        free((void *)c.m[i].content);
    free(c.m);
    free(line);
    return status;
}

int command_generate(int argc, char **argv)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {options, parse, "MODEL",
                              "Continues a text, or talks.\vExamples:\n  isobit generate SmolLM2.gguf --prompt \"It is a truth\" -n 64 -t 0\n"
                              "  isobit generate SmolLM2.gguf --chat --prompt \"Who are you?\" --adapter adapter\n"
                              "JSON keys: text, prompt_tokens, tokens, prompt_tokens_per_second, tokens_per_second, bytes_per_second (weights read), peak_bytes.",
                              children, NULL, NULL};
    generate_options o = {.tokens = 128, .temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.05, .repeat_penalty = 1};
    talk t = {0};
    parse_options(&argp, argc, argv, &o);
    int status = language_open(&t.l, &o.common, o.model, o.tokenizer, o.base, o.adapter);
    catch_interrupt();
    if (!status) {
        const ib_lm_config *c = ib_lm_config_of(t.l.m);
        if (o.context <= c->context)
            t.kv = ib_kv_new(t.l.m, o.context ? (int)o.context : c->context < 2048 ? c->context : 2048, o.int8);
        t.logits = malloc((size_t)c->vocabulary * sizeof *t.logits);
        t.text = json_object_new_array();
        if (o.context > c->context)
            status = fprintf(stderr, "isobit: --ctx %lld: the context of %s is %d tokens\n", (long long)o.context, o.model, c->context) != 0;
        else if (!t.kv || !t.logits)
            status = complain();
        else if (o.chat)
            status = converse(&t, &o);
        else if ((ib_tokenizer_adds_bos(t.l.t) && ib_ids_append(&t.history, ib_tokenizer_bos(t.l.t))) || ib_tokenize(t.l.t, o.prompt, strlen(o.prompt), 1, &t.history))
            status = complain();
        else if (!t.history.n)
            status = fprintf(stderr, "isobit: the prompt is empty\n") != 0;
        else
            status = speak(&t, &o, NULL);
    }
    if (!status) {
        const double pp = t.prompt_seconds > 0 ? (double)t.prompted / t.prompt_seconds : 0, tg = t.seconds > 0 ? (double)t.generated / t.seconds : 0;
        const double read = tg * (double)ib_lm_weight_bytes(t.l.m);
        if (o.common.json) {
            struct json_object *j = json_object_new_object();
            json_object_object_add(j, "text", json_object_get(t.text));
            json_object_object_add(j, "prompt_tokens", json_object_new_int64(t.prompted));
            json_object_object_add(j, "tokens", json_object_new_int64(t.generated));
            json_object_object_add(j, "prompt_tokens_per_second", json_object_new_double(pp));
            json_object_object_add(j, "tokens_per_second", json_object_new_double(tg));
            json_object_object_add(j, "bytes_per_second", json_object_new_double(read));
            json_object_object_add(j, "peak_bytes", json_object_new_int64(peak_memory()));
            print_json(j);
        } else {
            fprintf(stderr, "prompt %lld tokens, %.0f/s; then %lld tokens, %.1f/s (%.1f GB/s of weights)\n", (long long)t.prompted, pp, (long long)t.generated, tg, read / 1e9);
        }
    }
    json_object_put(t.text);
    ib_free_ids(&t.history);
    free(t.logits);
    ib_kv_free(t.kv);
    language_close(&t.l);
    return status;
}
