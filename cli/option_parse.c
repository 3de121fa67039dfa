/* option_parse.c - the one way from a command line to a command's parser: what is said twice, or says nothing, is
 * refused before it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { MOST = 96, LONG = 4096 }; /* options of a command (the largest has half of that); above it stand the long ones */

/* A command's own options and those of its children, as getopt_long takes them. */
typedef struct table {
    const struct argp_option *option[MOST];
    struct option name[MOST + 1];
    char letters[2 * MOST + 1];
    int n;
} table;

static void collect(table *t, const struct argp *argp)
{
    size_t used = strlen(t->letters);
    for (const struct argp_option *o = argp->options; o && o->name && t->n < MOST; o++) {
        t->option[t->n] = o;
        t->name[t->n] = (struct option){o->name, o->arg ? required_argument : no_argument, NULL, LONG + t->n};
        if (o->key >= 'a' && o->key <= 'z')
            used += (size_t)snprintf(t->letters + used, sizeof t->letters - used, o->arg ? "%c:" : "%c", o->key);
        t->n++;
    }
    for (const struct argp_child *c = argp->children; c && c->argp; c++)
        collect(t, c->argp);
}

static int find(const table *t, int key)
{
    int i = 0;
    while (i < t->n && t->option[i]->key != key)
        i++;
    return i;
}

/* Nothing, or blanks alone, before, between or behind commas. */
static int has_gap(const char *list)
{
    for (const char *item = list;; item++) {
        const size_t n = strcspn(item, ",");
        if (strspn(item, " \t") >= n)
            return 1;
        item += n;
        if (!*item)
            return 0;
    }
}

/* 1 after telling of an option without a word or with two. The rest, as what there is not, argp tells. */
static int refuse(const table *t, int argc, char **argv)
{
    const char *said[MOST] = {NULL};
    opterr = optind = 0; /* from the beginning, in silence */
    for (int key; (key = getopt_long(argc, argv, t->letters, t->name, NULL)) != -1 && key != '?';) {
        const int i = key >= LONG ? key - LONG : find(t, key);
        const char *name = t->option[i]->name;
        if (!optarg)
            continue;
        if (!*optarg && !(t->option[i]->flags & OPTION_MAY_BE_EMPTY))
            return fprintf(stderr, "isobit: --%s is given an empty text\n", name) > 0;
        if (t->option[i]->flags & OPTION_IS_LIST && has_gap(optarg))
            return fprintf(stderr, "isobit: --%s '%s' says nothing at one of its commas\n", name, optarg) > 0;
        if (said[i] && !(t->option[i]->flags & OPTION_MAY_REPEAT))
            return fprintf(stderr, "isobit: --%s is given twice, '%s' and '%s': which is meant?\n", name, said[i],
                           optarg) > 0;
        said[i] = optarg;
    }
    return 0;
}

void parse_options(const struct argp *argp, int argc, char **argv, void *input)
{
    table t = {0};
    char **words = malloc((size_t)(argc + 1) * sizeof *words); /* getopt_long sorts them, and so does argp */
    collect(&t, argp);
    if (words)
        memcpy(words, argv, (size_t)(argc + 1) * sizeof *words);
    const int refused = words ? refuse(&t, argc, words) : fprintf(stderr, "isobit: out of memory\n") > 0;
    free(words);
    if (refused)
        exit(2);
    argp_parse(argp, argc, argv, 0, NULL, input);
}

int refuse_repeated(const char *option, const char *list, const char *between)
{
    char *copy = list ? strdup(list) : NULL, *save[2] = {NULL}, *rest = NULL;
    int twice = 0;
    for (char *a = copy ? strtok_r(copy, between, &save[0]) : NULL; a && !twice;
         a = strtok_r(NULL, between, &save[0])) {
        const size_t n = strcspn(a, "=");
        rest = save[0] && *save[0] ? strdup(save[0]) : NULL;
        for (char *b = rest ? strtok_r(rest, between, &save[1]) : NULL; b && !twice;
             b = strtok_r(NULL, between, &save[1]))
            if ((twice = n == strcspn(b, "=") && !strncmp(a, b, n)))
                fprintf(stderr, "isobit: %s says %.*s twice, '%s' and '%s': which is meant?\n", option, (int)n, a, a,
                        b);
        free(rest);
    }
    free(copy);
    return twice;
}
