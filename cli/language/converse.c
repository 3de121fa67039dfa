/* converse.c - turn after turn: see talk.h */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/language/talk.h"

typedef struct conversation {
    ib_message *m;
    int n, room;
} conversation;

static int say(conversation *c, const char *role, const char *content, size_t n)
{
    if (c->n == c->room) {
        ib_message *grown = realloc(c->m, (size_t)(2 * c->room + 8) * sizeof *grown);
        if (!grown)
            return fprintf(stderr, "isobit: out of memory\n"), 1;
        c->m = grown;
        c->room = 2 * c->room + 8;
    }
    char *copy = malloc(n + 1); /* a text may hold U+0000 */
    if (!copy)
        return fprintf(stderr, "isobit: out of memory\n"), 1;
    memcpy(copy, content, n);
    copy[n] = 0;
    c->m[c->n++] = (ib_message){.role = role, .content = copy, .n = n};
    return 0;
}

/* Behind the last line: -1, or 1 after telling that it could not be read. */
static int end_of_input(int terminal, int why)
{
    if (terminal)
        fprintf(stderr, "\n");
    if (terminal && interrupted == SIGINT) /* no answer was stopped: that is how to leave */
        interrupted = 0;
    return ferror(stdin) && why != EINTR ? fprintf(stderr, "isobit: standard input: %s\n", strerror(why)) > 0 : -1;
}

/* Waits for a line, or a Ctrl-C, which may come at any moment and to any thread: so it looks again and again. */
static void wait_at_terminal(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!interrupted && poll(&p, 1, 200) == 0)
        continue;
}

/* The next line that is not blank, without its end and a byte-order mark before the first: 0, else as end_of_input().
 */
static int next_message(char **line, size_t *room, size_t *n, int64_t *lines, int terminal)
{
    for (;;) {
        if (terminal) {
            fprintf(stderr, "> ");
            wait_at_terminal();
        }
        const ssize_t got = interrupted ? -1 : getline(line, room, stdin);
        if (got < 0)
            return end_of_input(terminal, errno);
        char *s = *line;
        *n = (size_t)got;
        *n -= *n && s[*n - 1] == '\n';
        *n -= *n && s[*n - 1] == '\r';
        if (!(*lines)++ && *n >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
            memmove(s, s + 3, *n -= 3);
        const size_t good = ib_utf8_good(s, *n);
        if (good < *n)
            return fprintf(stderr, "isobit: standard input: line %lld is not UTF-8: byte %zu is 0x%02X\n",
                           (long long)*lines, good, (unsigned char)s[good]) > 0;
        for (size_t i = 0; i < *n; i++)
            if (!strchr(" \t", s[i]) || !s[i])
                return 0;
    }
}

static int take_turn(talk *t, conversation *c, void (*told)(void *user, const answer *a), void *user)
{
    ib_ids prompt = {0};
    answer a = {0};
    int status = ib_chat_tokens(t->l.t, t->chat_template, c->m, c->n, 1, &prompt, NULL)
                     ? complain()
                     : talk_answer(t, &prompt, "the conversation", &a);
    if (!status) {
        told(user, &a);
        status = say(c, "assistant", a.text, a.n);
    } else if (a.end == TALK_CONTEXT && isatty(STDIN_FILENO)) { /* a shorter message may do */
        free((void *)c->m[--c->n].content);
        status = 0;
    }
    ib_free_ids(&prompt);
    answer_release(&a);
    return status;
}

int talk_converse(talk *t, const char *system, const char *first, size_t n, void (*told)(void *user, const answer *a),
                  void *user)
{
    conversation c = {0};
    char *line = NULL;
    size_t room = 0;
    int64_t lines = 0;
    const int terminal = isatty(STDIN_FILENO);
    int status = system ? say(&c, "system", system, strlen(system)) : 0;
    for (const char *message = first; !status; message = NULL) {
        if (!message && ((status = next_message(&line, &room, &n, &lines, terminal)) || interrupted))
            break;
        status = say(&c, "user", message ? message : line, n) || take_turn(t, &c, told, user);
        if (terminal && interrupted == SIGINT)
            interrupted = 0;
        if (interrupted)
            break;
    }
    while (c.n)
        free((void *)c.m[--c.n].content);
    free(c.m);
    free(line);
    return status > 0;
}
