/* completion.c - a command's words for bash: its options, and the values of an option where its line lists them. */
#include "cli/manual/completion.h"

#include <ctype.h>
#include <string.h>

#include "cli/manual/option_tables.h"

static const char *command_name; /* of the table that each_option() goes through */

static void name(FILE *out, const struct argp_option *o)
{
    if (o->name)
        fprintf(out, "--%s ", o->name);
}

/* The next of "a, b (default) or c": its length without the remark; *next is behind what parts it from the one
 * after, NULL at the end. */
static size_t item(const char *text, size_t n, const char **next)
{
    size_t end = 0, word, depth = 0;
    for (; end < n && (depth || (text[end] != ',' && strncmp(text + end, " or ", 4))); end++)
        depth += text[end] == '(' ? 1 : text[end] == ')' ? -(size_t)1 : 0;
    word = strcspn(text, " ,(");
    word = word < end ? word : end;
    const size_t remark = word + strspn(text + word, " ");
    if (remark < end && text[remark] != '(')
        return 0;
    *next = end >= n ? NULL : text[end] == ' ' ? text + end + 4 : text + end + 1 + strspn(text + end + 1, " ");
    return word;
}

/* Writes the words of n characters of text, or nothing where they are no list of at least two words. "idx:DIR"
 * stands for "idx:". */
static int write_list(FILE *out, const char *text, size_t n)
{
    for (int pass = 0; pass < 2; pass++) {
        const char *at = text, *next;
        int count = 0;
        for (; at; at = next, count++) {
            const size_t size = item(at, n - (size_t)(at - text), &next);
            if (!size)
                return 0;
            size_t plain = 0;
            while (plain < size && !isupper((unsigned char)at[plain]) && at[plain] != '[' && at[plain] != '=')
                plain++;
            if (plain < size && (!plain || at[plain - 1] != ':'))
                return 0;
            if (pass && *at != '.') /* "..." */
                fprintf(out, "%.*s ", (int)plain, at);
        }
        if (count < 2)
            return 0;
    }
    return 1;
}

static void values(FILE *out, const struct argp_option *o)
{
    if (!o->name || !o->arg)
        return;
    fprintf(out, "    %s:--%s", command_name, o->name);
    if (o->key > 0 && o->key < 128 && isprint(o->key))
        fprintf(out, " | %s:-%c", command_name, o->key);
    fputs(") echo '", out);
    static const char *const files[] = {"FILE", "DIR", "PATH", "PROGRAM", "COMPILER"};
    int is_file = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        is_file |= !strcmp(o->arg, files[i]);
    if (is_file) {
        fputs("FILE", out);
    } else if (o->doc) { /* the list is the whole line, or what is before or behind a colon or semicolon */
        const char *from = o->doc;
        size_t n;
        do {
            for (n = 0; from[n] && !((from[n] == ':' || from[n] == ';') && from[n + 1] == ' '); n++)
                ;
            if (write_list(out, from, n))
                break;
            from += n + (from[n] ? 2 : 0);
        } while (*from);
    }
    fputs("' ;;\n", out);
}

void write_completion(FILE *out, const char *command, const struct argp *argp)
{
    command_name = command;
    fprintf(out, "    %s:) echo '", command);
    each_option(argp, name, out);
    fputs("--help --usage --version' ;;\n", out);
    each_option(argp, values, out);
}
