/* probe_template.c - templates for tests/text/template_jinja.py: lines of JSON {"template", "variables"} come in, lines
 * {"text", "spans"} or {"error"} go out. Spans are in characters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/template/template.h"
#include "base/alloc.h"
#include "files/json_scan.h"

static int64_t characters(const char *s, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        size_t at = 0;
        struct json_object *in = ib_json_parse(line, (size_t)n, &at, 1), *text = NULL, *variables = NULL,
                           *out = json_object_new_object();
        ib_template_result r = {0};
        json_object_object_get_ex(in, "template", &text);
        json_object_object_get_ex(in, "variables", &variables);
        ib_template *t =
            in ? ib_template_new("template", json_object_get_string(text), (size_t)json_object_get_string_len(text))
               : NULL;
        if (!t || ib_template_run(t, variables, &(ib_template_opts){.spans = 1}, &r)) {
            json_object_object_add(out, "error", json_object_new_string(ib_error()));
        } else {
            struct json_object *spans = json_object_new_array();
            for (int64_t i = 0; i < r.spans.n; i++)
                json_object_array_add(spans, json_object_new_int64(characters(r.text, r.spans.id[i])));
            json_object_object_add(out, "text", json_object_new_string_len(r.text, (int)r.n));
            json_object_object_add(out, "spans", spans);
        }
        puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
        fflush(stdout);
        json_object_put(out);
        json_object_put(in);
        ib_template_free(t);
        ib_free(r.text);
        ib_free_ids(&r.spans);
    }
    free(line);
    return 0;
}
