/* origin.c - where a model came from, as its files say: a GGUF file's general.* (github.com/ggml-org/ggml,
 * docs/gguf.md), or the card of a folder. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "files/file.h"
#include "lm/save/model_card.h"

static char *piece(const char *s, size_t n)
{
    return ib_format_text("%.*s", (int)n, s);
}

/* Characters of an "organization/name" at s that go as far as a name of the Hub can; 0: it is none. */
static size_t hub_name(const char *s)
{
    size_t n = 0, slash = 0;
    for (; isalnum((unsigned char)s[n]) || (s[n] && strchr("._-", s[n])) || (s[n] == '/' && !slash && n); n++)
        slash = s[n] == '/' ? n : slash;
    return slash && n > slash + 1 ? n : 0;
}

/* "https://huggingface.co/organization/name" */
static char *hub_name_of_url(const char *url)
{
    static const char before[] = "https://huggingface.co/";
    const size_t k = sizeof before - 1, n = url && !strncmp(url, before, k) ? hub_name(url + k) : 0;
    return n && (!url[k + n] || !strcmp(url + k + n, "/")) ? piece(url + k, n) : NULL;
}

/* In the cache of huggingface_hub a model lies in models--organization--name/snapshots/<revision>. */
static char *hub_name_of_cache(const char *path)
{
    static const char before[] = "/models--";
    char *real = path ? realpath(path, NULL) : NULL, *at = real ? strstr(real, before) : NULL;
    char *end = at ? strstr(at, "/snapshots/") : NULL, *middle = end ? strstr(at + sizeof before - 1, "--") : NULL;
    char *name = middle && middle < end ? ib_format_text("%.*s/%.*s", (int)(middle - at) - (int)sizeof before + 1,
                                                         at + sizeof before - 1, (int)(end - middle) - 2, middle + 2)
                                        : NULL;
    free(real);
    return name;
}

char *ib_origin_hub(const ib_lm *m, const char *source)
{
    static const char *const keys[] = {"general.source.repo_url", "general.source.url", "general.repo_url"};
    char *name = hub_name_of_cache(source);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !name && m->gguf; i++) {
        char *url = ib_gguf_string(m->gguf, keys[i]);
        name = hub_name_of_url(url);
        ib_free(url);
    }
    return name;
}

char *ib_origin_name(const ib_lm *m, const char *source)
{
    char *name = m->gguf ? ib_gguf_string(m->gguf, "general.name") : NULL;
    if (name && *name && !strpbrk(name, "/\\\n\r") && ib_utf8_good(name, strlen(name)) == strlen(name))
        return name;
    ib_free(name);
    size_t n = source ? strlen(source) : 0, start;
    while (n && source[n - 1] == '/')
        n--;
    for (start = n; start && source[start - 1] != '/'; start--)
        continue;
    if (n - start > 5 && !strncmp(source + n - 5, ".gguf", 5))
        n -= 5;
    const int unnamed = n == start || strspn(source + start, ".") == n - start; /* "." */
    return unnamed ? NULL : piece(source + start, n - start);
}

/* ---- a GGUF file ---- */

/* A text as YAML: in double quotes JSON is that. */
static char *quoted(const char *text)
{
    const int good = text && ib_utf8_good(text, strlen(text)) == strlen(text);
    struct json_object *s = good ? json_object_new_string(text) : NULL;
    char *q = s ? ib_strdup(json_object_to_json_string_ext(s, JSON_C_TO_STRING_NOSLASHESCAPE)) : NULL;
    json_object_put(s);
    return q;
}

static char *line_of(const char *before, char *value)
{
    char *q = quoted(value), *line = q ? ib_format_text("%s%s\n", before, q) : NULL;
    ib_free(q);
    ib_free(value);
    return line;
}

/* a, and b behind it; frees both. NULL where either is. */
static char *joined(char *a, char *b)
{
    char *both = a && b ? ib_format_text("%s%s", a, b) : NULL;
    ib_free(a);
    ib_free(b);
    return both;
}

static char *gguf_languages(const ib_gguf *f)
{
    const ib_gguf_kv *kv = ib_gguf_find(f, "general.languages");
    size_t at = 0, n;
    char *lines = kv && kv->of == IB_GGUF_STRING && kv->n ? ib_strdup("language:\n") : NULL;
    for (const char *s; lines && (s = ib_gguf_next_string(kv, &at, &n));)
        lines = joined(lines, line_of("- ", piece(s, n)));
    return lines;
}

/* Its parents, if all of them are on the Hub. */
static char *gguf_parents(const ib_gguf *f)
{
    const double said = ib_gguf_number(f, "general.base_model.count", 0);
    const int n = said >= 1 && said < 64 ? (int)said : 0;
    char *lines = n ? ib_strdup("base_model:\n") : NULL;
    for (int i = 0; i < n && lines; i++) {
        char *key = ib_format_text("general.base_model.%d.repo_url", i);
        char *url = key ? ib_gguf_string(f, key) : NULL;
        lines = joined(lines, line_of("- ", hub_name_of_url(url)));
        ib_free(url);
        ib_free(key);
    }
    return lines;
}

static char *gguf_lines(const ib_gguf *f, const char *key)
{
    static const char *const names[][2] = {{"license", "general.license"},
                                           {"license_name", "general.license.name"},
                                           {"license_link", "general.license.link"}};
    if (!strcmp(key, "language"))
        return gguf_languages(f);
    if (!strcmp(key, "base_model"))
        return gguf_parents(f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(key, names[i][0])) {
            char *before = ib_format_text("%s: ", key),
                 *line = before ? line_of(before, ib_gguf_string(f, names[i][1])) : NULL;
            ib_free(before);
            return line;
        }
    return NULL;
}

/* ---- the card of a folder ---- */

/* Whether lines of YAML stand by themselves: nothing in them refers to another place of the file, and what is opened is
 * closed. */
static int is_whole(const char *s, size_t n)
{
    int depth = 0, quotes[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        depth += (s[i] == '[' || s[i] == '{') - (s[i] == ']' || s[i] == '}');
        quotes[0] += s[i] == '"';
        quotes[1] += s[i] == '\'';
        if (i && strchr("&*!|>", s[i]) && strchr(" \t[{,", s[i - 1]))
            return 0;
    }
    return !depth && quotes[0] % 2 == 0 && quotes[1] % 2 == 0;
}

/* The lines of `key` in metadata, text up to a line "---": it itself, and those below that are indented or items. */
static char *card_lines(const char *text, const char *key)
{
    const size_t k = strlen(key);
    const char *start = NULL, *value = NULL, *end = text;
    for (size_t n; *end && strncmp(end, "---", 3); end += n) {
        n = strcspn(end, "\n");
        n += end[n] == '\n';
        const int continued = strchr(" \t-", *end) && !isspace((unsigned char)end[strspn(end, " \t")]);
        if (start && !continued)
            break;
        if (!start && !strncmp(end, key, k) && end[k] == ':') {
            start = end;
            value = end + k + 1;
        }
    }
    if (!value || (size_t)(end - value) <= strspn(value, " \t\n") || !is_whole(start, (size_t)(end - start)))
        return NULL;
    return ib_format_text("%.*s%s", (int)(end - start), start, end[-1] == '\n' ? "" : "\n");
}

char *ib_origin_lines(const ib_lm *m, const char *source, const char *key)
{
    if (m->gguf)
        return gguf_lines(m->gguf, key);
    char *path = source ? ib_format_text("%s/README.md", source) : NULL, *lines = NULL;
    size_t size = 0, n = 0;
    const int there = path && !access(path, F_OK);
    char *text = there ? (char *)ib_file_read(path, &size) : NULL, *clean = text ? ib_alloc(size + 1) : NULL;
    for (size_t i = 0; clean && i < size; i++)
        if (text[i] != '\r')
            clean[n++] = text[i];
    const size_t mark = clean && !strncmp(clean, "\xef\xbb\xbf", 3) ? 3 : 0;
    if (clean && ib_utf8_good(clean, n) == n && !strncmp(clean + mark, "---\n", 4) && strstr(clean + mark + 4, "\n---"))
        lines = card_lines(clean + mark + 4, key);
    ib_free(path);
    ib_free(text);
    ib_free(clean);
    return lines;
}
