/* json_scan.c - see json_scan.h */
#include "files/json_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/utf8.h"

enum { DEPTH = 64 };

typedef struct scanner {
    const char *text;
    size_t n, at;
    int zeros, depth;
    struct key {
        uint64_t hash; /* of the key as it reads, escapes undone */
        size_t at;
    } * key; /* of all open objects, the innermost last */
    size_t keys, room;
} scanner;

static ib_status value(scanner *s);

static int next(const scanner *s)
{
    return s->at < s->n ? (unsigned char)s->text[s->at] : -1;
}

static void skip(scanner *s)
{
    ib_json_space(s->text, s->n, &s->at);
}

static ib_status unexpected(const scanner *s, const char *wanted)
{
    const int c = next(s);
    if (c < 0)
        return ib_fail(IB_EFORMAT, "it ends where %s should stand", wanted);
    if (c < 0x20 || c >= 0x7f)
        return ib_fail(IB_EFORMAT, "byte 0x%02X where %s should stand", c, wanted);
    return ib_fail(IB_EFORMAT, "'%c' where %s should stand", c, wanted);
}

static int hex4(const scanner *s, size_t at)
{
    int u = 0;
    for (size_t i = at; i < at + 4; i++) {
        const char *digits = "0123456789abcdef", c = i < s->n ? (char)(s->text[i] | 0x20) : 0;
        const char *d = c ? strchr(digits, s->text[i] >= '0' && s->text[i] <= '9' ? s->text[i]
                                           : c >= 'a'                             ? c
                                                                                  : 'x')
                          : NULL;
        if (!d)
            return -1;
        u = 16 * u + (int)(d - digits);
    }
    return u;
}

static uint64_t add_to_hash(uint64_t h, uint32_t character)
{
    return (h ^ character) * 0x100000001b3u; /* FNV-1a over characters */
}

/* A text at its quote; its hash if asked for. */
static ib_status string(scanner *s, uint64_t *hash)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (s->at++; s->at < s->n;) {
        const unsigned char c = (unsigned char)s->text[s->at];
        uint32_t u = c;
        size_t length = 1;
        if (c == '"') {
            s->at++;
            if (hash)
                *hash = h;
            return IB_OK;
        }
        if (c < 0x20)
            return ib_fail(IB_EFORMAT, "a bare byte 0x%02X in a text: it is written \\u%04x", c, c);
        if (c == '\\') {
            const char e = s->at + 1 < s->n ? s->text[s->at + 1] : 0;
            const int half = e == 'u' ? hex4(s, s->at + 2) : -1;
            static const char escapes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
            const char *known = e ? strchr(escapes, e) : NULL;
            if (!known && half < 0)
                return ib_fail(IB_EFORMAT, "a backslash with nothing that it may stand before");
            u = known ? (uint32_t)means[known - escapes] : (uint32_t)half;
            length = known ? 2 : 6;
            if (!known && half >= 0xD800 && half < 0xE000) {
                const int low = s->at + 7 < s->n && s->text[s->at + 6] == '\\' && s->text[s->at + 7] == 'u'
                                    ? hex4(s, s->at + 8)
                                    : -1;
                if (half >= 0xDC00 || low < 0xDC00 || low > 0xDFFF)
                    return ib_fail(IB_EFORMAT, "\\u%04X is half of a surrogate pair: no character", half);
                u = 0x10000 + ((uint32_t)(half - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
                length = 12;
            }
            if (!u && (hash || !s->zeros))
                return ib_fail(IB_EFORMAT, "U+0000 in a %s", hash ? "key" : "text of such a file");
        } else if (c >= 0x80) {
            length = ib_utf8_length(s->text + s->at, s->n - s->at, &u);
            if (!length)
                return ib_fail(IB_EFORMAT, "byte 0x%02X is not UTF-8", c);
        }
        h = add_to_hash(h, u);
        s->at += length;
    }
    return ib_fail(IB_EFORMAT, "it ends within a text");
}

static ib_status number(scanner *s)
{
    const size_t from = s->at;
    char digits[64];
    s->at += next(s) == '-';
    const size_t first = s->at;
    while (next(s) >= '0' && next(s) <= '9')
        s->at++;
    if (s->at == first)
        return unexpected(s, "a digit");
    if (s->text[first] == '0' && s->at > first + 1)
        return ib_fail(IB_EFORMAT, "a number that begins with 0");
    if (next(s) == '.') {
        const size_t point = ++s->at;
        while (next(s) >= '0' && next(s) <= '9')
            s->at++;
        if (s->at == point)
            return unexpected(s, "a digit");
    }
    if (next(s) == 'e' || next(s) == 'E') {
        s->at++;
        s->at += next(s) == '+' || next(s) == '-';
        const size_t power = s->at;
        while (next(s) >= '0' && next(s) <= '9')
            s->at++;
        if (s->at == power)
            return unexpected(s, "a digit");
    }
    if (s->at - from >= sizeof digits)
        return ib_fail(IB_EFORMAT, "a number of %zu characters", s->at - from);
    memcpy(digits, s->text + from, s->at - from);
    digits[s->at - from] = 0;
    return isfinite(ib_strtod(digits, NULL)) ? IB_OK : ib_fail(IB_EFORMAT, "%s is beyond the range of numbers", digits);
}

static int by_hash(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : x->at < y->at ? -1 : x->at > y->at;
}

/* The keys of the object that ends here, from number `first` on. */
static ib_status all_different(scanner *s, size_t first)
{
    if (s->keys > first)
        qsort(s->key + first, s->keys - first, sizeof *s->key, by_hash);
    for (size_t i = first + 1; i < s->keys; i++)
        if (s->key[i].hash == s->key[i - 1].hash) {
            const char *k = s->text + s->key[i].at + 1;
            s->at = s->key[i].at;
            return ib_fail(IB_EFORMAT, "the key '%.*s' stands twice in one object", (int)strcspn(k, "\""), k);
        }
    s->keys = first;
    return IB_OK;
}

static ib_status key(scanner *s)
{
    if (next(s) != '"')
        return unexpected(s, "a key");
    if (s->keys == s->room) {
        const size_t room = 2 * s->room + 64;
        struct key *grown = ib_realloc(s->key, s->room * sizeof *grown, room * sizeof *grown);
        if (!grown)
            return IB_ENOMEM;
        s->key = grown;
        s->room = room;
    }
    struct key *k = &s->key[s->keys];
    k->at = s->at;
    const ib_status status = string(s, &k->hash);
    if (status)
        return status;
    s->keys++;
    skip(s);
    if (next(s) != ':')
        return unexpected(s, "':'");
    s->at++;
    return IB_OK;
}

/* An object or a list at its bracket. */
static ib_status members(scanner *s, char close)
{
    const size_t first = s->keys;
    ib_status status = IB_OK;
    if (++s->depth > DEPTH)
        return ib_fail(IB_EFORMAT, "more than %d levels of brackets", DEPTH);
    s->at++;
    skip(s);
    for (int more = next(s) != close; more && !status;) {
        if (close == '}')
            status = key(s);
        if (!status && !(status = value(s))) {
            skip(s);
            more = next(s) == ',';
            if (!more && next(s) != close)
                return unexpected(s, close == '}' ? "',' or '}'" : "',' or ']'");
            if (more) {
                const size_t comma = s->at++;
                skip(s);
                if (next(s) == close) {
                    s->at = comma;
                    return ib_fail(IB_EFORMAT, "a comma with nothing behind it: remove it");
                }
            }
        }
    }
    if (status)
        return status;
    s->at++;
    s->depth--;
    return close == '}' ? all_different(s, first) : IB_OK;
}

static ib_status value(scanner *s)
{
    static const char *const words[] = {"true", "false", "null"}, *const wrong[] = {"NaN",       "-NaN", "Infinity",
                                                                                    "-Infinity", "nan",  "inf",
                                                                                    "-inf"};
    skip(s);
    const int c = next(s);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (s->n - s->at >= strlen(wrong[i]) && !memcmp(s->text + s->at, wrong[i], strlen(wrong[i])))
            return ib_fail(IB_EFORMAT, "%s is no number of JSON", wrong[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (s->n - s->at >= strlen(words[i]) && !memcmp(s->text + s->at, words[i], strlen(words[i]))) {
            s->at += strlen(words[i]);
            return IB_OK;
        }
    if (c == '"')
        return string(s, NULL);
    if (c == '{' || c == '[')
        return members(s, c == '{' ? '}' : ']');
    if (c == '-' || (c >= '0' && c <= '9'))
        return number(s);
    return unexpected(s, "a value");
}

void ib_json_space(const char *text, size_t n, size_t *at)
{
    while (*at < n && (text[*at] == ' ' || text[*at] == '\t' || text[*at] == '\r' || text[*at] == '\n'))
        ++*at;
}

ib_status ib_json_scan(const char *text, size_t n, size_t *at, int zeros)
{
    scanner s = {text, n, *at, zeros, 0, NULL, 0, 0};
    const ib_status status = value(&s);
    *at = s.at;
    ib_free(s.key);
    return status;
}

struct json_object *ib_json_parse(const char *text, size_t n, size_t *at, int zeros)
{
    ib_json_space(text, n, at);
    const size_t from = *at;
    if (ib_json_scan(text, n, at, zeros))
        return NULL;
    struct json_tokener *t = json_tokener_new_ex(DEPTH + 1);
    struct json_object *o =
        t && *at - from < INT32_MAX ? json_tokener_parse_ex(t, text + from, (int)(*at - from)) : NULL;
    if (t && !o && json_tokener_get_error(t) == json_tokener_continue)
        o = json_tokener_parse_ex(t, "", 1); /* a number ends where something else begins */
    if (!o) {
        *at = from;
        ib_fail(t ? IB_EFORMAT : IB_ENOMEM, "%s", t ? "a value that cannot be read" : "out of memory");
    }
    if (t)
        json_tokener_free(t);
    return o;
}

void ib_json_place(const char *text, size_t at, long long *line, long long *byte)
{
    size_t from = 0;
    *line = 1;
    for (size_t i = 0; i < at; i++)
        if (text[i] == '\n') {
            ++*line;
            from = i + 1;
        }
    *byte = (long long)(at - from) + 1;
}
