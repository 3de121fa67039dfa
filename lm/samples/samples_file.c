/* samples_file.c - files of rows and of running text as training rows. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "files/json_scan.h"
#include "lm/samples/samples_reader.h"

static void watch(void *user, size_t bytes)
{
    const ib_samples_reader *r = user;
    r->o->progress(r->o->user, (int64_t)(bytes < r->size ? bytes : r->size), (int64_t)r->size);
}

/* Whether the list at text + at holds rows, not the messages of one row. */
static int holds_rows(const char *text, size_t n, size_t at)
{
    at++;
    ib_json_space(text, n, &at);
    if (at < n && text[at] == ']')
        return 1;
    struct json_object *first = ib_json_parse(text, n, &at, 1);
    const int rows =
        first && !(json_object_is_type(first, json_type_object) && json_object_object_get_ex(first, "role", NULL));
    json_object_put(first);
    return rows;
}

/* Rows are JSON values one behind the other, parted by white space; a list of rows is its rows. */
static ib_status read_rows(ib_samples_reader *r, const char *path, const char *text, size_t n)
{
    long long line = 1;
    size_t begin = 0, counted = 0; /* of the line; lines are counted up to here */
    int in_list = 0;
    ib_status status = IB_OK;
    for (size_t at = 0; !status;) {
        ib_json_space(text, n, &at);
        if (at == n)
            break;
        if (in_list && (text[at] == ',' || text[at] == ']')) { /* the list is known to be whole */
            in_list = text[at++] == ',';
            continue;
        }
        size_t from = at;
        struct json_object *o = NULL;
        const char *syntax = "is not JSON";
        if (!in_list && text[at] == '[') {
            status = ib_json_scan(text, n, &at, 1);
            if (!status && (r->prompt || holds_rows(text, n, from))) {
                at = from + 1;
                in_list = 1;
                continue;
            }
            at = status ? at : from;
        }
        if (!status && !(o = ib_json_parse(text, n, &at, 1)))
            status = at > from || text[from] != 'n'
                         ? ib_error_status()
                         : (syntax = NULL, ib_fail(IB_EFORMAT, "a row is an object or a list of messages"));
        else if (!status)
            syntax = NULL, status = ib_samples_put_row(r, o);
        if (r->o->progress)
            watch(r, at);
        json_object_put(o);
        if (status) {
            for (size_t fault = syntax ? at : from; counted < fault; counted++)
                if (text[counted] == '\n') {
                    line++;
                    begin = counted + 1;
                }
            size_t first = begin;
            while (first < from && strchr(" \t\r[", text[first]))
                first++;
            if (syntax && status == IB_EFORMAT && text[from] != '{' && text[from] != '[')
                ib_fail(status,
                        "%s; a row is an object such as {\"prompt\": \"...\", \"completion\": \"...\"}, also of a "
                        "table that is to be learned",
                        ib_error());
            if (syntax)
                ib_error_prefix("%s: line %lld: %s: byte %zu", path, line, syntax, at - begin + 1);
            else if (first < from)
                ib_error_prefix("%s: line %lld, byte %zu", path, line, from - begin + 1);
            else
                ib_error_prefix("%s: line %lld", path, line);
        }
    }
    return status;
}

/* Windows of seq tokens one behind the other; a BOS before each if the model wants one. */
static ib_status read_text(ib_samples_reader *r, const char *path, const char *text, size_t size)
{
    r->t->watch = r->o->progress ? watch : NULL;
    r->t->watch_user = r;
    r->t->watched = 0;
    ib_status status = ib_samples_put_text(r, text, size, 1);
    r->t->watch = NULL;
    const int bos = ib_tokenizer_adds_bos(r->t), step = r->seq - bos;
    if (!status && bos && r->ids.n && r->ids.id[0] == ib_tokenizer_bos(r->t))
        status = ib_fail(IB_EINVAL, "begins with two BOS tokens: the text brings one and the model adds one");
    if (status) {
        ib_error_prefix("%s", path);
        return status;
    }
    int32_t *window = ib_alloc((size_t)r->seq * sizeof *window);
    if (!window)
        return IB_ENOMEM;
    window[0] = ib_tokenizer_bos(r->t);
    for (int64_t i = 0; i < r->ids.n && !status; i += step) {
        const int64_t n = r->ids.n - i < step ? r->ids.n - i : step;
        memcpy(window + bos, r->ids.id + i, (size_t)n * sizeof *window);
        if (n > 1)
            status = ib_samples_add(r->s, window, r->mask.id, n + bos, r->seq, 1);
    }
    r->s->learns_end = 1; /* a running text has no end to learn */
    ib_free(window);
    return status;
}

ib_samples *ib_samples_open(const char *path, ib_tokenizer *t, const ib_samples_opts *o)
{
    IB_NEED_OR(path, NULL);
    IB_NEED_OR(t, NULL);
    static const ib_samples_opts defaults;
    o = o ? o : &defaults;
    IB_TAKE_OR(o->seq, o->seq == 0 || (o->seq >= 2 && o->seq <= 1 << 20), NULL, "is %d: rows have 2 to 2^20 tokens",
               o->seq);
    int keys = 1;
    for (const char *p = o->ignore ? o->ignore : ""; *p; p++)
        keys += *p == ',';
    IB_TAKE_OR(o->ignore, keys <= 64, NULL, "names %d keys, at most 64 are possible", keys);
    keys = 1;
    for (const char *p = o->columns ? o->columns : ""; *p; p++)
        keys += *p == ',';
    IB_TAKE_OR(o->columns, keys <= 64, NULL, "names %d keys, at most 64 are possible", keys);
    if (o->columns && ib_row_columns_check(o->columns))
        return NULL;
    if (o->chat && ib_chat_template_check(o->chat))
        return NULL;
    if (o->prompt_template && (o->chat || o->columns))
        return ib_fail_null(IB_EINVAL, "ib_samples_open: %s beside prompt_template: it says what rows are by itself",
                            o->chat ? "chat" : "columns");
    ib_samples_reader r = {.t = t,
                           .o = o,
                           .s = ib_alloc(sizeof(ib_samples)),
                           .ignore = {o->ignore, 0, o->columns, 0, 0},
                           .seq = o->seq ? o->seq : 512};
    size_t size = 0;
    char *text = NULL;
    int rows = 0;
    ib_status status = r.s ? IB_OK : IB_ENOMEM;
    if (!status && o->prompt_template && !(r.prompt = ib_samples_template(o->prompt_template, &r.s->info.template_sum)))
        status = ib_error_status();
    if (!status)
        status = ib_samples_text(path, &text, &size, &rows);
    r.size = size;
    if (!status && !rows && r.prompt)
        status = ib_fail(IB_EINVAL, "%s: is running text: a prompt template makes texts of rows (.jsonl)", path);
    if (!status)
        status = rows ? read_rows(&r, path, text, size) : read_text(&r, path, text, size);
    if (!status)
        r.s->info.ignored = r.ignore.met, r.s->info.mapped = r.ignore.mapped, r.s->info.unused = r.ignore.unused,
        r.s->info.template_marks = r.prompt && ib_template_generates(r.prompt);
    if (!status)
        ib_samples_measure(r.s);
    if (!status && !r.s->info.samples)
        status = ib_fail(IB_EFORMAT, "%s: holds no data", path);
    else if (!status && !r.s->info.rows)
        status = ib_fail(
            IB_EINVAL,
            "%s: all tokens of all %lld samples are masked: there is nothing to learn (rows are cut at %d tokens, the "
            "longest has %lld)",
            path, (long long)r.s->info.samples, r.seq, (long long)r.s->info.longest);
    else if (!status && !r.s->learns_end)
        status = ib_fail(IB_EINVAL,
                         "%s: no sample teaches where to stop: every end token is masked or cut off at %d tokens (the "
                         "longest has %lld)%s",
                         path, r.seq, (long long)r.s->info.longest,
                         r.prompt && ib_template_generates(r.prompt)
                             ? "; the template's last {% generation %} must reach the end of its text"
                             : "");
    ib_free(text);
    ib_template_free(r.prompt);
    ib_free_ids(&r.ids);
    ib_free_ids(&r.mask);
    if (status) {
        ib_samples_free(r.s);
        return NULL;
    }
    return r.s;
}
