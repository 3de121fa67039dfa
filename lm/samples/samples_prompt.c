/* samples_prompt.c - texts of rows with any keys, made by a template of the caller's. What it says nothing of would be
 * lost, and what the row has not would be left out: both are refused. */
#include <string.h>
#include <zlib.h>

#include "text/chat.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "lm/samples/samples_reader.h"

ib_template *ib_samples_template(const char *path, uint32_t *sum)
{
    size_t n = 0;
    char *text = ib_text_read(path, &n);
    ib_template *t = NULL;
    if (text && strspn(text, " \t\r\n") == n)
        ib_fail(IB_EFORMAT, "%s: holds no template", path);
    else if (text)
        t = ib_template_new(path, text, n);
    *sum = text ? (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)text, (uInt)n) : 0;
    ib_free(text);
    return t;
}

/* Each key of the row as a variable, the row itself as `row`, and the tokens of the model's files. */
static ib_status read_keys(ib_samples_reader *r, struct json_object *row, struct json_object *variables)
{
    ib_chat_add_tokens(r->t, variables);
    json_object_object_add(variables, "row", json_object_get(row));
    json_object_object_foreach(row, key, value)
    {
        if (ib_row_set_aside(&r->ignore, key))
            continue;
        if (ib_template_mentions(r->prompt, key))
            json_object_object_add(variables, key, json_object_get(value));
        else if (!ib_row_says_nothing(value))
            return ib_fail(IB_EUNSUPPORTED,
                           "the key '%s': the prompt template says nothing of it (or --ignore-columns %s)", key, key);
    }
    return IB_OK;
}

ib_status ib_samples_render(ib_samples_reader *r, struct json_object *row)
{
    struct json_object *variables = json_object_new_object();
    const ib_template_opts strict = {.spans = 1, .same_day = 1, .strict = 1};
    const int asked = r->o->train_on_prompts, marks = ib_template_generates(r->prompt);
    ib_template_result text = {0};
    ib_status status = read_keys(r, row, variables);
    if (!status)
        status = ib_template_run(r->prompt, variables, &strict, &text);
    size_t at = 0;
    for (int64_t i = 0; i < text.spans.n && !status; i += 2) { /* each part is tokenized apart */
        const size_t from = (size_t)text.spans.id[i], to = (size_t)text.spans.id[i + 1];
        if (from < at)
            status = ib_fail(IB_EUNSUPPORTED, "the prompt template has a {%% generation %%} within another one");
        if (!status)
            status = ib_samples_put_text(r, text.text + at, from - at, asked);
        if (!status)
            status = ib_samples_put_text(r, text.text + from, to - from, 1);
        at = to;
    }
    if (!status)
        status = ib_samples_put_text(r, text.text + at, text.n - at, !marks || asked);
    json_object_put(variables);
    ib_free(text.text);
    ib_free_ids(&text.spans);
    return status;
}
