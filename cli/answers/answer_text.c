/* answer_text.c - see answer_text.h */
#include "cli/answers/answer_text.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "text/tokenizer.h"

enum { CHARACTER = 4 }; /* bytes, at most */

int answer_text_begin(answer_text *a, const char *const *stop, int n_stops, FILE *stream)
{
    size_t longest = 0;
    for (int i = 0; i < n_stops; i++)
        longest = strlen(stop[i]) > longest ? strlen(stop[i]) : longest;
    *a = (answer_text){.stop = stop, .n_stops = n_stops, .stream = stream, .held = malloc(longest + CHARACTER)};
    a->kept = open_memstream(&a->text, &a->n);
    return a->held && a->kept ? 0 : fprintf(stderr, "isobit: out of memory\n") > 0;
}

static void put(answer_text *a, const char *s, size_t n)
{
    fwrite(s, 1, n, a->kept);
    if (a->stream && n) {
        fwrite(s, 1, n, a->stream);
        flush_or_end(a->stream);
    }
}

/* Whether s[n] begins a character that is not complete. Each beginning allows one of these as all its other bytes: 0x80
 * is the least of them, 0xBF the most (RFC 3629). */
static int begins_character(const char *s, size_t n)
{
    char c[CHARACTER];
    for (size_t whole = n + 1; n && whole <= CHARACTER; whole++)
        for (int low = 0; low < 2; low++) {
            memset(c, low ? 0x80 : 0xBF, sizeof c);
            memcpy(c, s, n);
            if (ib_utf8_good(c, whole) == whole && !ib_utf8_good(c, n))
                return 1;
        }
    return 0;
}

/* Puts the characters of s[n]; returns how many bytes that were: not the beginning of one at the end, where more may
 * come. */
static size_t put_characters(answer_text *a, const char *s, size_t n, int more)
{
    size_t at = 0;
    for (;;) {
        const size_t good = ib_utf8_good(s + at, n - at);
        put(a, s + at, good);
        at += good;
        if (at == n || (more && begins_character(s + at, n - at)))
            return at;
        size_t broken = n - at < CHARACTER - 1 ? n - at : CHARACTER - 1;
        while (broken > 1 && !begins_character(s + at, broken))
            broken--;
        put(a, "\xef\xbf\xbd", 3);
        at += broken;
    }
}

static void add_byte(answer_text *a, char byte)
{
    size_t kept = 0, stop = 0;
    a->held[a->n_held++] = byte;
    for (int i = 0; i < a->n_stops; i++) {
        const size_t length = strlen(a->stop[i]);
        size_t k = length < a->n_held ? length : a->n_held;
        while (k && memcmp(a->held + a->n_held - k, a->stop[i], k))
            k--;
        if (k == length && k > stop) {
            a->stopped = a->stop[i];
            stop = k;
        }
        kept = k > kept ? k : kept;
    }
    if (a->stopped) {
        put_characters(a, a->held, a->n_held - stop, 0);
        a->n_held = 0;
        return;
    }
    /* a stop text begins with a character, so what comes before one gets no more bytes */
    const size_t gone = put_characters(a, a->held, a->n_held - kept, !kept);
    memmove(a->held, a->held + gone, a->n_held -= gone);
}

void answer_text_add(answer_text *a, const ib_tokenizer *t, int32_t id)
{
    size_t n;
    const char *s = ib_token_bytes(t, id, &n);
    const int pieces =
        !t->byte_level && n && t->token[id].kind == IB_TOKEN_NORMAL; /* of SentencePiece: U+2581 is a space */
    for (size_t i = 0; i < n && !a->stopped; i++)
        if (pieces && i + 3 <= n && !memcmp(s + i, "\xe2\x96\x81", 3)) {
            add_byte(a, ' ');
            i += 2;
        } else {
            add_byte(a, s[i]);
        }
}

int answer_text_end(answer_text *a)
{
    put_characters(a, a->held, a->n_held, 0);
    a->n_held = 0;
    const int lost = fclose(a->kept);
    a->kept = NULL;
    return lost ? fprintf(stderr, "isobit: out of memory\n") > 0 : 0;
}

void answer_text_drop(answer_text *a)
{
    if (a->kept)
        fclose(a->kept);
    free(a->text);
    free(a->held);
    *a = (answer_text){0};
}
