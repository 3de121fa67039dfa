/* fuzz_template.c - any text as a template, over variables of every kind. */
#include "tests/fuzz/fuzz.h"

#include "text/template/template.h"
#include "base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_object *variables;
    if (!variables)
        variables = json_tokener_parse(
            "{\"messages\": [{\"role\": \"user\", \"content\": \"hi \\u00e9\"}, {\"role\": \"assistant\", \"content\": "
            "[{\"text\": \"a\"}]}],"
            "\"d\": {\"a\": 1, \"b\": [2.5, true, null]}, \"s\": \"a,b c\", \"n\": 7, \"l\": [3, 1, 2]}");
    ib_template *t = ib_template_new("t", (const char *)data, size);
    ib_template_result r = {0};
    if (t && !ib_template_run(t, variables, &(ib_template_opts){.spans = size % 2, .strict = size % 3 == 0}, &r)) {
        if (r.text[r.n] || ib_utf8_good(r.text, r.n) < r.n)
            abort();
        for (int64_t i = 0; i < r.spans.n; i++)
            if (r.spans.id[i] < 0 || (size_t)r.spans.id[i] > r.n)
                abort();
    }
    ib_free(r.text);
    ib_free_ids(&r.spans);
    ib_template_free(t);
    return 0;
}
