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

/* dot -Tsvg -oTO FROM */
static int draw(const char *from, const char *to)
{
    char kind[8], *out = malloc(strlen(to) + 3);
    int status = -1;
    if (!out)
        return fprintf(stderr, "isobit: out of memory\n") > 0;
    snprintf(kind, sizeof kind, "-T%s", ending(to));
    sprintf(out, "-o%s", to);
    fflush(NULL);
    const pid_t child = fork();
    if (!child) {
        execlp("dot", "dot", kind, out, from, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    free(out);
    return status ? fprintf(stderr, "isobit: %s: dot of Graphviz failed\n", to) > 0 : 0;
}

static int write_dot(const char *path, const ib_graph *g, const ib_program *p)
{
    return (p ? ib_program_dot(p, path) : ib_graph_dot(g, path)) ? complain() : 0;
}

int write_graph(const char *path, const ib_graph *g, const ib_program *p)
{
    char folder[] = "/tmp/isobit-graph-XXXXXX", dot[sizeof folder + 8];
    if (!strcmp(ending(path), "dot"))
        return write_dot(path, g, p);
    if (!mkdtemp(folder))
        return fprintf(stderr, "isobit: %s: %m\n", folder) > 0;
    snprintf(dot, sizeof dot, "%s/a.dot", folder);
    const int status = write_dot(dot, g, p) || draw(dot, path);
    unlink(dot);
    rmdir(folder);
    return status;
}
