/* inspect_graph.c - isobit inspect --graph: a network or a program as a picture by Graphviz. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

static const char *ending(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strlen(dot) == 4 && dot != path ? dot + 1 : "";
}

int refuse_graph(const char *path)
{
    if (!path)
        return 0;
    const char *kind = ending(path);
    if (strcmp(kind, "dot") && strcmp(kind, "svg") && strcmp(kind, "png"))
        return fprintf(stderr, "isobit: --graph '%s': graphs are .dot, .svg or .png\n", path) > 0;
    if (strcmp(kind, "dot") && system("command -v dot >/dev/null 2>&1"))
        return fprintf(stderr,
                       "isobit: --graph '%s' needs Graphviz, which is not installed (apt-get install graphviz); "
                       "a .dot file needs nothing\n",
                       path) > 0;
    return refuse_nowhere("--graph", path);
}

/* dot -Tsvg FROM -o TO */
static int draw(const char *from, const char *to)
{
    char kind[8];
    int status = -1;
    snprintf(kind, sizeof kind, "-T%s", ending(to));
    fflush(NULL);
    const pid_t child = fork();
    if (!child) {
        execlp("dot", "dot", kind, "-o", to, from, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status ? fprintf(stderr, "isobit: %s: dot of Graphviz failed\n", to) > 0 : 0;
}

int write_graph(const char *path, const ib_graph *g, const ib_program *p)
{
    const int drawn = strcmp(ending(path), "dot") != 0;
    char *dot = malloc(strlen(path) + 5);
    if (!dot)
        return fprintf(stderr, "isobit: out of memory\n") > 0;
    sprintf(dot, drawn ? "%s.dot" : "%s", path);
    int status = (p ? ib_program_dot(p, dot) : ib_graph_dot(g, dot)) ? complain() : 0;
    if (!status && drawn) {
        status = draw(dot, path);
        unlink(dot);
    }
    free(dot);
    return status;
}
