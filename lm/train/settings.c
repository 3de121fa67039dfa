/* settings.c - see settings.h */
#include "lm/train/settings.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

typedef struct setting {
    const char *key, *value;
    int n_key, n_value;
} setting;

/* Letters of a key that begins here; 0: none does. */
static int key_at(const char *s)
{
    const size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz_");
    return n && s[n] == '=' ? (int)n : 0;
}

/* The setting at *at, which goes on to the next; 0 behind the last. What comes before the first key is a value without
 * one. */
static int next(const char **at, setting *s)
{
    const char *p = *at + strspn(*at, " ");
    if (!*p)
        return 0;
    *s = (setting){.key = p, .n_key = key_at(p)};
    s->value = p + (s->n_key ? s->n_key + 1 : 0);
    for (p = s->value; *p && !(*p == ' ' && key_at(p + 1));)
        p++;
    *at = p;
    while (p > s->value && p[-1] == ' ')
        p--;
    s->n_value = (int)(p - s->value);
    return 1;
}

static int find(const char *text, const setting *like, setting *out)
{
    while (next(&text, out))
        if (out->n_key == like->n_key && !memcmp(out->key, like->key, (size_t)like->n_key))
            return 1;
    *out = (setting){.value = "none", .n_value = 4};
    return 0;
}

/* Adds what is set in `from` and otherwise, or not at all, in `against`. */
static ib_status add(char **text, const char *from, const char *against, int from_now)
{
    setting s, other;
    while (next(&from, &s)) {
        const int both = find(against, &s, &other);
        if (both && (from_now || (s.n_value == other.n_value && !memcmp(s.value, other.value, (size_t)s.n_value))))
            continue;
        const setting *was = from_now ? &other : &s, *now = from_now ? &s : &other;
        char *longer = ib_format_text("%s%s%.*s %.*s, now %.*s", *text ? *text : "", *text ? "; " : "", s.n_key, s.key,
                                      was->n_value, was->value, now->n_value, now->value);
        if (!longer)
            return IB_ENOMEM;
        ib_free(*text);
        *text = longer;
    }
    return IB_OK;
}

char *ib_settings_value(const char *text, const char *key)
{
    setting s;
    const setting like = {.key = key, .n_key = (int)strlen(key)};
    return find(text, &like, &s) ? ib_format_text("%.*s", s.n_value, s.value) : NULL;
}

ib_status ib_settings_same(const char *file, const char *was, const char *now)
{
    char *text = NULL;
    ib_status status = add(&text, was, now, 0);
    if (!status)
        status = add(&text, now, was, 1);
    if (!status && text)
        status = ib_fail(IB_EINVAL, "%s: was made with other settings: %s", file, text);
    ib_free(text);
    return status;
}
