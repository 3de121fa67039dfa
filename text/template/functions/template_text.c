/* template_text.c - texts as Python's: rows of characters, with Unicode's white space and cases. */
#define _GNU_SOURCE /* memmem */
#include <string.h>
#include <utf8proc.h>

#include "text/template/template_value.h"
#include "files/utf8.h"

size_t ib_character(const char *s, size_t n, uint32_t *u)
{
    uint32_t c = 0xFFFD;
    size_t k = ib_utf8_length(s, n, &c);
    if (u)
        *u = c;
    return k ? k : n > 0;
}

int64_t ib_characters(ib_piece t)
{
    int64_t count = 0;
    for (size_t i = 0; i < t.n; i++)
        count += ((unsigned char)t.s[i] & 0xC0) != 0x80;
    return count;
}

void ib_put_character(ib_build *b, uint32_t u)
{
    utf8proc_uint8_t bytes[4];
    ib_put(b, (const char *)bytes, (size_t)utf8proc_encode_char((utf8proc_int32_t)u, bytes));
}

/* Characters that are white space by Unicode's table or by their direction (B, S, WS), which is what str.isspace asks.
 */
int ib_is_space(uint32_t u)
{
    return (u >= 9 && u <= 13) || (u >= 28 && u <= 32) || u == 0x85 || u == 0xA0 || u == 0x1680 ||
           (u >= 0x2000 && u <= 0x200A) || u == 0x2028 || u == 0x2029 || u == 0x202F || u == 0x205F || u == 0x3000;
}

size_t ib_space_at(const char *s, size_t n)
{
    uint32_t u = 0;
    const size_t k = n ? ib_character(s, n, &u) : 0;
    return k && ib_is_space(u) ? k : 0;
}

size_t ib_last_character(ib_piece t, uint32_t *u)
{
    size_t k = t.n > 0;
    while (k < t.n && ((unsigned char)t.s[t.n - k] & 0xC0) == 0x80)
        k++;
    return k ? ib_character(t.s + t.n - k, k, u) : 0;
}

static int stripped(uint32_t u, const ib_piece *characters)
{
    uint32_t c;
    if (!characters)
        return ib_is_space(u);
    for (size_t at = 0; at < characters->n;) {
        at += ib_character(characters->s + at, characters->n - at, &c);
        if (c == u)
            return 1;
    }
    return 0;
}

ib_piece ib_strip(ib_piece t, const ib_piece *characters, int left, int right)
{
    uint32_t u;
    while (left && t.n) {
        const size_t k = ib_character(t.s, t.n, &u);
        if (!stripped(u, characters))
            break;
        t.s += k;
        t.n -= k;
    }
    while (right && t.n) {
        const size_t k = ib_last_character(t, &u);
        if (!stripped(u, characters))
            break;
        t.n -= k;
    }
    return t;
}

/* Upper case of more than one character is the upper case of what the character folds to (SpecialCasing.txt). */
static void put_upper(ib_build *b, uint32_t u, int title)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)u);
    utf8proc_int32_t folded[8];
    int boundary = 0;
    const utf8proc_ssize_t n =
        category == UTF8PROC_CATEGORY_LU || (category == UTF8PROC_CATEGORY_LT && title)
            ? 1
            : utf8proc_decompose_char((utf8proc_int32_t)u, folded, 8, UTF8PROC_CASEFOLD, &boundary);
    if (n < 2 || n > 8) {
        ib_put_character(
            b, (uint32_t)(title ? utf8proc_totitle((utf8proc_int32_t)u) : utf8proc_toupper((utf8proc_int32_t)u)));
        return;
    }
    for (int i = 0; i < n; i++)
        ib_put_character(b, (uint32_t)(title && i ? folded[i] : utf8proc_toupper(folded[i])));
}

static int is_cased(uint32_t u)
{
    const utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)u);
    return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT;
}

static int is_ignorable(uint32_t u) /* Unicode's Case_Ignorable */
{
    const utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)u);
    return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_ME || c == UTF8PROC_CATEGORY_CF ||
           c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_SK || u == '\'' || u == '.' || u == ':' || u == 0xB7 ||
           u == 0x2019 || u == 0x2018 || u == 0x2024 || u == 0x2027;
}

/* A capital sigma at the end of a word has a lower case of its own. */
static int ends_word(ib_piece t, size_t at, size_t behind)
{
    uint32_t u = 0;
    size_t i = at;
    while (i) {
        size_t k = 1;
        while (k < i && ((unsigned char)t.s[i - k] & 0xC0) == 0x80)
            k++;
        ib_character(t.s + i - k, k, &u);
        i -= k;
        if (!is_ignorable(u))
            break;
        u = 0;
    }
    if (!is_cased(u))
        return 0;
    for (u = 0; behind < t.n; u = 0) {
        behind += ib_character(t.s + behind, t.n - behind, &u);
        if (!is_ignorable(u))
            break;
    }
    return !is_cased(u);
}

static void put_lower(ib_build *b, uint32_t u, ib_piece t, size_t at, size_t behind)
{
    if (u == 0x130)
        ib_put(b, "i\xcc\x87", 3);
    else if (u == 0x3A3 && ends_word(t, at, behind))
        ib_put_character(b, 0x3C2);
    else
        ib_put_character(b, (uint32_t)utf8proc_tolower((utf8proc_int32_t)u));
}

ib_value ib_recase(ib_machine *m, ib_piece t, ib_casing casing)
{
    ib_build b = {.m = m};
    int inside = 0; /* a word */
    for (size_t at = 0, k; at < t.n && ib_step(m, 0); at += k) {
        uint32_t u;
        k = ib_character(t.s + at, t.n - at, &u);
        const int upper = casing == UPPER || (casing == CAPITAL && !at) ||
                          ((casing == TITLE || casing == WORDS) && !inside) ||
                          (casing == SWAPPED && utf8proc_category((utf8proc_int32_t)u) == UTF8PROC_CATEGORY_LL);
        if (upper)
            put_upper(&b, u, casing == CAPITAL || casing == TITLE);
        else
            put_lower(&b, u, t, at, at + k);
        inside = casing == WORDS ? !ib_is_space(u) && !(u < 128 && memchr("-({[<", (int)u, 5)) : is_cased(u);
    }
    return ib_built(&b);
}

const char *ib_find(ib_piece whole, ib_piece part)
{
    return part.n ? whole.n ? memmem(whole.s, whole.n, part.s, part.n) : NULL : whole.s ? whole.s : "";
}

const char *ib_find_last(ib_machine *m, ib_piece whole, ib_piece part)
{
    if (!ib_step(m, whole.n / 64))
        return NULL;
    for (size_t at = whole.n + 1; at-- > part.n;)
        if (!part.n || !memcmp(whole.s + at - part.n, part.s, part.n))
            return whole.s ? whole.s + at - part.n : "";
    return NULL;
}

ib_value ib_replace_text(ib_machine *m, ib_piece t, ib_piece old, ib_piece with, int64_t most)
{
    ib_build b = {.m = m};
    while (most && !m->status) {
        const char *found = old.n ? ib_find(t, old) : t.s;
        const size_t k = old.n ? old.n : t.n ? ib_character(t.s, t.n, NULL) : 0;
        if (!found && old.n)
            break;
        ib_put(&b, t.s, old.n ? (size_t)(found - t.s) : 0);
        ib_put(&b, with.s, with.n);
        if (!old.n && !t.n) /* nothing stands before and behind each character */
            return ib_built(&b);
        if (!old.n)
            ib_put(&b, t.s, k);
        const size_t gone = old.n ? (size_t)(found - t.s) + k : k;
        t.s += gone;
        t.n -= gone;
        most -= most > 0;
    }
    ib_put(&b, t.s, t.n);
    return ib_built(&b);
}

ib_value ib_split_lines(ib_machine *m, ib_piece t)
{
    const ib_value list = ib_list_new(m, A_LIST);
    for (size_t at = 0, from = 0; at < t.n && !m->status;) {
        uint32_t u;
        const size_t k = ib_character(t.s + at, t.n - at, &u);
        const int breaks = (u >= 10 && u <= 13) || (u >= 28 && u <= 30) || u == 0x85 || u == 0x2028 || u == 0x2029;
        const size_t end = at;
        at += k;
        at += u == '\r' && at < t.n && t.s[at] == '\n';
        if (breaks || at == t.n)
            ib_append(m, list, ib_text_of(t.s + from, (breaks ? end : at) - from));
        from = breaks ? at : from;
    }
    return list;
}
