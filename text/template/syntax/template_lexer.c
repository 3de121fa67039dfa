/* template_lexer.c - a template's text as tokens, with the white space that its tags take away. */
#include <stdlib.h>
#include <string.h>

#include "text/template/syntax/template_nodes.h"
#include "base/number.h"

typedef struct lexer {
    ib_machine *m;
    char *s;
    size_t n, at;
    int line;
    ib_lexeme *token;
    size_t tokens, room;
    char open[128]; /* brackets */
    int n_open;
} lexer;

static ib_lexeme *add(lexer *x, ib_token_type type, ib_value value)
{
    if (!ib_step(x->m, 0))
        return NULL;
    if (x->tokens == x->room) {
        const size_t room = 2 * x->room + 64;
        ib_lexeme *grown = ib_take(x->m, room * sizeof *grown);
        if (!grown)
            return NULL;
        if (x->tokens)
            memcpy(grown, x->token, x->tokens * sizeof *grown);
        x->token = grown;
        x->room = room;
    }
    x->token[x->tokens] = (ib_lexeme){type, x->line, 0, value};
    return &x->token[x->tokens++];
}

static ib_value fail(lexer *x, const char *what)
{
    x->m->line = x->line;
    return ib_wrong(x->m, "%s", what);
}

/* Lines are counted as the text is gone through. */
static void move(lexer *x, size_t to)
{
    for (; x->at < to; x->at++)
        x->line += x->s[x->at] == '\n';
}

static int stands(const lexer *x, size_t at, const char *word)
{
    const size_t n = strlen(word);
    return at <= x->n && x->n - at >= n && !memcmp(x->s + at, word, n);
}

static size_t skip_space(const lexer *x, size_t at)
{
    for (size_t k; (k = ib_space_at(x->s + at, x->n - at)) != 0;)
        at += k;
    return at;
}

/* Behind a tag's end at `at`, which `sign` stood before: - takes all white space, + none, else one line's end. */
static void leave(lexer *x, size_t at, char sign, int trims)
{
    move(x, sign == '-' ? skip_space(x, at) : at + (trims && sign != '+' && at < x->n && x->s[at] == '\n'));
}

/* Text [from, to) before a tag: - takes its white space, lstrip_blocks what stands before the tag on its line. */
static void add_text(lexer *x, size_t from, size_t to, char sign, int strips)
{
    ib_piece t = {x->s + from, to - from};
    if (sign == '-') {
        t = ib_strip(t, NULL, 0, 1);
    } else if (sign != '+' && strips) {
        size_t line = t.n;
        while (line && t.s[line - 1] != '\n')
            line--;
        if ((line || !from || x->s[from - 1] == '\n') && skip_space(x, from + line) >= to)
            t.n = line;
    }
    if (t.n)
        add(x, TOKEN_TEXT, ib_text_of(t.s, t.n));
}

static char sign_at(const lexer *x, size_t at)
{
    return at < x->n && (x->s[at] == '-' || x->s[at] == '+') ? x->s[at] : 0;
}

static void comment(lexer *x, size_t at)
{
    const size_t from = at;
    while (at < x->n && !stands(x, at, "#}"))
        at++;
    if (at == x->n) {
        fail(x, "a comment {# has no end #}");
        return;
    }
    leave(x, at + 2, at > from && sign_at(x, at - 1) ? x->s[at - 1] : 0, 1);
}

/* {% raw %} at x->at, whose text ends at {% endraw %}. 0: it is another tag. */
static int raw(lexer *x)
{
    size_t at = skip_space(x, x->at + 2 + (sign_at(x, x->at + 2) != 0));
    if (!stands(x, at, "raw"))
        return 0;
    at = skip_space(x, at + 3);
    const char sign = at < x->n && x->s[at] == '-' ? '-' : 0;
    if (!stands(x, at + (sign != 0), "%}"))
        return 0;
    leave(x, at + 2 + (sign != 0), sign, 0);
    const size_t from = x->at;
    for (at = from; at < x->n; at++) {
        if (!stands(x, at, "{%"))
            continue;
        const char before = sign_at(x, at + 2);
        size_t end = skip_space(x, at + 2 + (before != 0));
        if (!stands(x, end, "endraw"))
            continue;
        end = skip_space(x, end + 6);
        const char behind = sign_at(x, end);
        if (!stands(x, end + (behind != 0), "%}"))
            continue;
        add_text(x, from, at, before, 1);
        leave(x, end + 2 + (behind != 0), behind, 1);
        return 1;
    }
    fail(x, "{% raw %} has no {% endraw %}");
    return 1;
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits with single underscores between them. */
static size_t digits(const lexer *x, size_t at)
{
    while (at < x->n && (is_digit(x->s[at]) ||
                         (x->s[at] == '_' && is_digit(x->s[at - 1]) && at + 1 < x->n && is_digit(x->s[at + 1]))))
        at++;
    return at;
}

static void number(lexer *x)
{
    char plain[64];
    size_t end = digits(x, x->at), n = 0;
    const int prefixed = x->s[x->at] == '0' && x->at + 1 < x->n && strchr("xXoObB", x->s[x->at + 1]) && x->s[x->at + 1];
    int real = 0;
    if (prefixed)
        for (end = x->at + 2; end < x->n && (is_letter(x->s[end]) || is_digit(x->s[end])); end++)
            ;
    else if (!x->at || x->s[x->at - 1] != '.') {
        if (end + 1 < x->n && x->s[end] == '.' && is_digit(x->s[end + 1])) {
            end = digits(x, end + 1);
            real = 1;
        }
        const size_t power = end < x->n && (x->s[end] | 32) == 'e' ? end + 1 + (sign_at(x, end + 1) != 0) : end;
        if (power > end && power < x->n && is_digit(x->s[power])) {
            end = digits(x, power);
            real = 1;
        }
    }
    for (size_t i = x->at; i < end && n + 1 < sizeof plain; i++)
        if (x->s[i] != '_')
            plain[n++] = x->s[i];
    plain[n] = 0;
    if (n + 1 == sizeof plain || (end < x->n && (is_letter(x->s[end]) || is_digit(x->s[end])))) {
        fail(x, "a number that is none");
        return;
    }
    char *stop = plain;
    const int base = prefixed ? (plain[1] | 32) == 'x' ? 16 : (plain[1] | 32) == 'o' ? 8 : 2 : 10;
    const unsigned long long whole = real ? 0 : strtoull(plain + 2 * prefixed, &stop, base);
    const int zeros = base == 10 && !real && plain[0] == '0' && whole;
    if (real)
        add(x, TOKEN_NUMBER, ib_float(ib_strtod(plain, &stop)));
    else if (whole > INT64_MAX)
        fail(x, "a whole number of more than 63 bits");
    else
        add(x, TOKEN_NUMBER, ib_int((int64_t)whole));
    if (*stop || stop == plain + 2 * prefixed || zeros)
        fail(x, "a number that is none");
    move(x, end);
}

/* The character of \x41, \u00e9, \U0001f600 or \101; *at behind it. */
static uint32_t coded(lexer *x, size_t *at, size_t end)
{
    const char c = x->s[*at];
    const size_t most = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 3;
    uint32_t u = 0;
    size_t i = *at + (c == 'x' || c == 'u' || c == 'U'), n = 0;
    for (; n < most && i < end; i++, n++) {
        const int hex = most == 3 ? (x->s[i] >= '0' && x->s[i] <= '7') - 1 : 0;
        const char d = x->s[i] | 32;
        const int value = hex < 0 ? -1 : is_digit(x->s[i]) ? x->s[i] - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : -1;
        if (value < 0)
            break;
        u = u * (most == 3 ? 8 : 16) + (uint32_t)value;
    }
    if ((most != 3 && n < most) || u > 0x10FFFF || (u >= 0xD800 && u < 0xE000))
        fail(x, "an escape in a text that names no character");
    *at = i;
    return u;
}

static void word(lexer *x)
{
    static const char plain[] = "\\'\"abfnrtv", means[] = "\\'\"\a\b\f\n\r\t\v";
    const char quote = x->s[x->at];
    size_t end = x->at + 1;
    while (end < x->n && x->s[end] != quote)
        end += 1 + (x->s[end] == '\\');
    if (end >= x->n) {
        fail(x, "a text has no end");
        return;
    }
    ib_build b = {.m = x->m};
    for (size_t at = x->at + 1; at < end && !x->m->status;) {
        const size_t from = at;
        while (at < end && x->s[at] != '\\')
            at++;
        ib_put(&b, x->s + from, at - from);
        if (at++ == end)
            break;
        const char *known = x->s[at] ? strchr(plain, x->s[at]) : NULL;
        if (known) {
            ib_put(&b, &means[known - plain], 1);
            at++;
        } else if (x->s[at] == '\n') {
            at++;
        } else if (x->s[at] && strchr("xuU01234567", x->s[at])) {
            ib_put_character(&b, coded(x, &at, end));
        } else if (x->s[at] == 'N' || (unsigned char)x->s[at] >= 0x80) {
            fail(x, "a backslash in a text, before a name or a character outside ASCII");
        } else {
            ib_put_text(&b, "\\"); /* stays, as what follows does */
        }
    }
    add(x, TOKEN_WORD, ib_built(&b));
    move(x, end + 1);
}

static void bracket(lexer *x, char c)
{
    static const char open[] = "([{", close[] = ")]}";
    if (strchr(open, c)) {
        if (x->n_open == (int)sizeof x->open)
            fail(x, "brackets nest too deeply");
        else
            x->open[x->n_open++] = close[strchr(open, c) - open];
    } else if (strchr(close, c)) {
        if (!x->n_open || x->open[--x->n_open] != c)
            fail(x, "a bracket closes that is not open");
    }
}

/* One token of an expression. */
static void piece(lexer *x)
{
    static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
    const char c = x->s[x->at];
    if (is_letter(c)) {
        size_t end = x->at;
        while (end < x->n && (is_letter(x->s[end]) || is_digit(x->s[end])))
            end++;
        add(x, TOKEN_NAME, ib_text_of(x->s + x->at, end - x->at));
        move(x, end);
    } else if (is_digit(c)) {
        number(x);
    } else if (c == '"' || c == '\'') {
        word(x);
    } else if (c && strchr("+-/*%~[](){}<>=.:|,;!", c)) {
        int sign = c;
        for (size_t i = 0; i < sizeof two / sizeof *two; i++)
            if (stands(x, x->at, two[i]))
                sign = IB_TWO(two[i][0], two[i][1]);
        if (sign < 256)
            bracket(x, c);
        ib_lexeme *t = sign == '!' ? NULL : add(x, TOKEN_SIGN, ib_none());
        if (t)
            t->sign = sign;
        else
            fail(x, "a ! without its =");
        move(x, x->at + (sign < 256 ? 1 : 2));
    } else {
        fail(x, "a character that has no meaning in a tag");
    }
}

/* {{ }} or {% %} behind its opening. */
static void tag(lexer *x, int block)
{
    const char *close = block ? "%}" : "}}";
    const int line = x->line;
    x->n_open = 0;
    while (!x->m->status) {
        move(x, skip_space(x, x->at));
        if (x->at == x->n) {
            x->line = line;
            fail(x, block ? "a tag {% has no end %}" : "a tag {{ has no end }}");
            return;
        }
        const char sign = sign_at(x, x->at);
        const int signed_end = (sign == '-' || (sign && block)) && stands(x, x->at + 1, close);
        if (!x->n_open && (signed_end || stands(x, x->at, close))) {
            add(x, block ? TOKEN_BLOCK_END : TOKEN_PRINT_END, ib_none());
            leave(x, x->at + 2 + (signed_end != 0), signed_end ? sign : 0, block);
            return;
        }
        piece(x);
    }
}

/* Line ends as \n; one at the end of all goes. */
static void normalize(lexer *x, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x->s[x->n++] = text[i] == '\r' ? '\n' : text[i];
        i += text[i] == '\r' && i + 1 < n && text[i + 1] == '\n';
    }
    x->n -= x->n && x->s[x->n - 1] == '\n';
    x->s[x->n] = 0;
}

ib_lexeme *ib_template_lex(ib_machine *m, const char *text, size_t n)
{
    lexer x = {.m = m, .line = 1};
    m->line = 1;
    if (ib_utf8_good(text, n) < n)
        ib_wrong(m, "byte %zu is 0x%02X, which is not UTF-8", ib_utf8_good(text, n),
                 (unsigned char)text[ib_utf8_good(text, n)]);
    if (!(x.s = ib_take(m, n + 1)))
        return NULL;
    normalize(&x, text, n);
    while (x.at < x.n && !m->status) {
        const size_t from = x.at;
        size_t at = from;
        while (at < x.n && !(x.s[at] == '{' && at + 1 < x.n && strchr("{%#", x.s[at + 1]) && x.s[at + 1]))
            at++;
        const char kind = at < x.n ? x.s[at + 1] : 0, sign = at < x.n ? sign_at(&x, at + 2) : 0;
        add_text(&x, from, at, sign, kind && kind != '{');
        move(&x, at);
        if (!kind || (kind == '%' && raw(&x)))
            continue;
        if (kind == '#') {
            comment(&x, at + 2 + (sign != 0));
            continue;
        }
        add(&x, kind == '%' ? TOKEN_BLOCK : TOKEN_PRINT, ib_none());
        move(&x, at + 2 + (sign != 0));
        tag(&x, kind == '%');
    }
    add(&x, TOKEN_END, ib_none());
    return m->status ? NULL : x.token;
}
