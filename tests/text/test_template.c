/* test_template.c - templates against what Jinja made of them (tests/golden/templates.json, which
 * tests/text/template_jinja.py writes and compares live), bounds of time, depth and memory, the lines of refusals,
 * every allocation failing once. Broken by: a rule of white space or scope, a value that is printed otherwise than in
 * Python, a template that has no end. */
#include "tests/check.h"

#include <json-c/json.h>

#include "text/template/template.h"
#include "files/safetensors.h"

/* The text, for ib_free(); NULL: refused. */
static char *rendered(const char *text, size_t n, const char *variables, const ib_template_opts *opts)
{
    ib_template *t = ib_template_new("t.jinja", text, n);
    struct json_object *v = json_tokener_parse(variables);
    ib_template_result r = {0};
    if (t)
        ib_template_run(t, v, opts, &r);
    json_object_put(v);
    ib_template_free(t);
    ib_free_ids(&r.spans);
    return r.text;
}

/* Characters of the text before a byte. */
static int characters(const char *s, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

static int spans_are(const ib_template_result *r, struct json_object *want)
{
    int same = r->spans.n == (int64_t)json_object_array_length(want);
    for (int64_t i = 0; same && i < r->spans.n; i++)
        same = characters(r->text, r->spans.id[i]) == json_object_get_int(json_object_array_get_idx(want, (size_t)i));
    return same;
}

static void templates_equal_jinja(void)
{
    struct json_object *root = ib_json_read(IB_TEST_SOURCE "/golden/templates.json"),
                       *cases = ib_json_get(root, "cases");
    REQUIRE(root && json_object_array_length(cases) > 500);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *c = json_object_array_get_idx(cases, i), *text = ib_json_get(c, "text"),
                           *from = ib_json_get(c, "template");
        ib_template *t =
            ib_template_new("t.jinja", json_object_get_string(from), (size_t)json_object_get_string_len(from));
        ib_template_result r = {0};
        const int failed =
            !t || ib_template_run(t, ib_json_get(root, "variables"), &(ib_template_opts){.spans = 1}, &r);
        const int good = text ? !failed && r.n == (size_t)json_object_get_string_len(text) &&
                                    !memcmp(r.text, json_object_get_string(text), r.n) &&
                                    spans_are(&r, ib_json_get(c, "spans"))
                              : failed && !strncmp(ib_error(), "t.jinja: line ", 14);
        if (!good)
            printf("\n    %s: %s ", json_object_get_string(from), failed ? ib_error() : r.text);
        CHECK(good);
        ib_template_free(t);
        ib_free(r.text);
        ib_free_ids(&r.spans);
    }
    json_object_put(root);
}

/* before, `n` times middle, behind */
static char *repeated(const char *before, const char *middle, int n, const char *behind)
{
    char *s = malloc(strlen(before) + strlen(middle) * (size_t)n + strlen(behind) + 1);
    strcpy(s, before);
    char *end = s + strlen(s);
    for (int i = 0; i < n; i++, end += strlen(middle))
        strcpy(end, middle);
    strcpy(end, behind);
    return s;
}

static void nothing_goes_on_for_ever(void)
{
    static const struct {
        const char *before, *middle, *behind, *want;
        int n;
    } cases[] = {
        {"{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}", "", "", "line 1: it ", 0},
        {"{% set t = 'a' * 90000 %}{% for i in range(90000) %}{{ 'b' in t }}{% endfor %}", "", "", "steps", 0},
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "", "", "levels", 0},
        {"{% set ns = namespace(t='x') %}{% for i in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}", "", "",
         "MiB", 0},
        {"{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}", "", "",
         "t.jinja: line 1: it ", 0},
        {"{{ 'x' * 100000000000 }}", "", "", "t.jinja: line 1: it ", 0},
        {"{{ '%999999999d' % 1 }}", "", "", "", 0},
        {"{{ ", "(", ")", "nest", 100000},
        {"{{ ", "[", "", "nest", 5000},
        {"{{ ", "not ", "1 }}", "levels", 100000},
        {"{{ ", "- ", "1 }}", "levels", 100000},
        {"{{ 1 ", "+ 1 ", "}}", "levels", 100000},
        {"{{ a", ".b", " }}", "levels", 100000},
        {"{{ a", "|trim", " }}", "levels", 100000},
        {"{{ 1 ", "if 1 else 2 ", "}}", "levels", 100000},
        {"", "{% if 1 %}", "", "levels", 100000},
        {"{% for ", "(", "a", "nest", 1000},
        {"{% if 0 %}", "{% elif 0 %}", "{% endif %}", NULL, 2000},
        {"", "{% set a = 1 %}", "", NULL, 3000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *s = repeated(cases[i].before, cases[i].middle, cases[i].n, cases[i].behind);
        char *text = rendered(s, strlen(s), "{}", NULL);
        if (cases[i].want)
            CHECK_ERROR(text == NULL, cases[i].want);
        else
            CHECK(text && !*text);
        ib_free(text);
        free(s);
    }
}

static void refusals_name_construct_and_line(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a\n\n{{ x|sparkle }}", "t.jinja: line 3: the filter 'sparkle' is not known"},
        {"\n{{ x is shiny }}", "t.jinja: line 2: the test 'shiny' is not known"},
        {"{% if a %}\n{% include 'x' %}{% endif %}", "t.jinja: line 2: the tag {% include %} is not supported"},
        {"{% for a in b recursive %}{% endfor %}", "line 1: {% for ... recursive %} is not supported"},
        {"\n\n{{ raise_exception('Roles must\nalternate') }}",
         "t.jinja: line 3: the template says: Roles must?alternate"},
        {"{% if a %}\n{% for b in c %}\n{% endif %}", "line 3: {% endif %} where the {% for %} of line 2 is open"},
        {"{{ a }}\n{% if b %}\n\n", "line 2: {% if %} has no end"},
        {"{{ a\n\n", "line 1: a tag {{ has no end }}"},
        {"\n{{ u.v }}", "line 2: 'u' is not defined"},
        {"{{ 'x'.zfill(3) }}", "'zfill' of a str is not supported"},
        {"{{ x|replace('a') }}", "replace: its argument 'new' is given not"},
        {"{{ x|join(by=1) }}", "join has no argument named 'by'"},
        {"\n{{ 1 1 }}", "line 2: }} is expected, not a number"},
        {"\xff", "byte 0 is 0xFF"},
        {"{% set ns = namespace() %}\n{% macro m() %}{% generation %}x{% endgeneration %}{% endmacro %}{{ m() }}",
         "line 2: {% generation %} in a macro"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = rendered(cases[i].text, strlen(cases[i].text), "{}", &(ib_template_opts){.spans = 1});
        CHECK_ERROR(text == NULL, cases[i].want);
        ib_free(text);
    }
    char *text = rendered("{{ n }}", 7, "{\"n\": 123456789012345678901234567890}", NULL);
    CHECK_ERROR(text == NULL, "63 bits");
    ib_free(text);
}

static void days_and_names(void)
{
    static const char today[] = "{{ strftime_now('%d %b %Y') if strftime_now is defined else 'no day' }}";
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    char *text = rendered(today, sizeof today - 1, "{}", NULL);
    CHECK(text && !strcmp(text, "14 Nov 2023"));
    ib_free(text);
    text = rendered(today, sizeof today - 1, "{}", &(ib_template_opts){.same_day = 1});
    CHECK(text && !strcmp(text, "no day"));
    ib_free(text);
    unsetenv("SOURCE_DATE_EPOCH");
    ib_template *t = ib_template_new("t", "tools {{ m['name'].x }}", 23);
    CHECK(t && ib_template_mentions(t, "name") && ib_template_mentions(t, "x") && !ib_template_mentions(t, "tools"));
    ib_template_free(t);
}

static void every_allocation_may_fail(void)
{
    static const char text[] =
        "{% macro m(a, b='x') %}{{ a ~ b }}{% endmacro %}{% for k, v in d.items() %}{% generation %}{{ m(k) }}"
        "{% endgeneration %}{{ v|tojson(indent=2) }}{% endfor %}{{ ('ab' * 20000)|length }}";
    ib_alloc_fail_at(0);
    for (int64_t n = 1;; n++) {
        ib_alloc_fail_at(n);
        char *s = rendered(text, sizeof text - 1, "{\"d\": {\"a\": [1, {\"b\": null}], \"c\": \"q\"}}",
                           &(ib_template_opts){.spans = 1});
        const int64_t made = ib_alloc_fail_at(0);
        const int failed = s == NULL;
        ib_free(s);
        CHECK(failed == (made >= n));
        if (!failed)
            break;
        CHECK(ib_error_status() == IB_ENOMEM);
    }
}

SUITE("template", T(templates_equal_jinja), T(nothing_goes_on_for_ever), T(refusals_name_construct_and_line),
      T(days_and_names), T(every_allocation_may_fail))
