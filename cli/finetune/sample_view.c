/* sample_view.c - see sample_view.h */
#include "cli/finetune/sample_view.h"

enum { HEAD = 120, TAIL = 120 }; /* tokens that are shown of a long sample, of its beginning and its end */

/* The bytes of tokens may part a character; a control character must not reach the terminal, nor one of U+0080 to
 * U+009F, 0xC2 and a second byte: the first waits for it in *held. c: -1, there is no other. */
static void put_byte(FILE *f, int *held, int c)
{
    if (*held && c >= 0x80 && c <= 0x9F) {
        fprintf(f, "\\xC2\\x%02X", (unsigned)c);
        *held = 0;
        return;
    }
    if (*held)
        fputc(0xC2, f);
    if ((*held = c == 0xC2) || c < 0)
        return;
    if (c == '\n')
        fputs("\n  ", f);
    else if ((c < 0x20 && c != '\t') || c == 0x7F)
        fprintf(f, "\\x%02X", (unsigned)c);
    else
        fputc(c, f);
}

void show_first_sample(FILE *f, int colour, const ib_tokenizer *t, const ib_samples *s)
{
    const char *const open = colour ? "\033[32m" : "[[", *const close = colour ? "\033[0m" : "]]";
    const ib_row row = ib_samples_row(s, 0);
    int64_t n = 0, learned = 0;
    int on = 0, held = 0;
    while (n < row.n && row.first[n] == 0)
        learned += n && row.target[n - 1] >= 0, n++;
    fprintf(f, "first sample: %lld tokens, %lld learned (%s)\n  ", (long long)n, (long long)learned,
            colour ? "green" : "in [[ ]]");
    for (int64_t i = 0; i < n; i++) {
        const int is = i && row.target[i - 1] >= 0;
        const int64_t left_out = n - HEAD - TAIL;
        if (i == HEAD && left_out > 0) {
            fprintf(f, "%s\n  ... %lld tokens ...\n  ", on ? close : "", (long long)left_out);
            on = 0;
            i += left_out - 1;
            continue;
        }
        size_t bytes;
        const char *text = ib_token_bytes(t, row.ids[i], &bytes);
        if (is != on)
            fputs(is ? open : close, f);
        on = is;
        for (size_t b = 0; b < bytes; b++)
            put_byte(f, &held, (unsigned char)text[b]);
    }
    put_byte(f, &held, -1);
    fprintf(f, "%s\n", on ? close : "");
}
