/* export_onto.c - see export_onto.h. What isobit writes says so near its beginning: C in its first line, ONNX as the
 * producer, TFLite as the description. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/models/export_onto.h"

enum { HEAD = 1 << 16 };

/* Up to HEAD bytes of a file as text, a 0 for ?; NULL: there is no regular file, or an empty one. */
static char *head_of(const char *path)
{
    struct stat info;
    FILE *f = !stat(path, &info) && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    char *head = f ? malloc(HEAD + 1) : NULL;
    const size_t n = head ? fread(head, 1, HEAD, f) : 0;
    if (f)
        fclose(f);
    for (size_t i = 0; i < n; i++)
        head[i] = head[i] ? head[i] : '?';
    if (head)
        head[n] = 0;
    if (n)
        return head;
    free(head);
    return NULL;
}

static int refuse_without(const char *option, const char *path, const char *head, const char *mark)
{
    const char *at = head ? strstr(head, mark) : NULL;
    if (!head || (at && at - head < 1024))
        return 0;
    fprintf(stderr, "isobit: %s: isobit did not write '%s', which is there: remove it or choose another\n", option,
            path);
    return 1;
}

int refuse_foreign(const char *option, const char *path)
{
    char *head = head_of(path);
    const int refused = refuse_without(option, path, head, "isobit");
    free(head);
    return refused;
}

/* The number of "#define NAME_<what> <number>", -1 if there is none. */
static long long defined(const char *head, const char *name, const char *what)
{
    char line[128];
    snprintf(line, sizeof line, "#define %s_%s ", name, what);
    for (char *c = line + strlen("#define "); *c; c++)
        *c = (char)toupper((unsigned char)*c);
    const char *at = strstr(head, line);
    return at ? atoll(at + strlen(line)) : -1;
}

static int refuse_other(const char *option, const char *path, const char *head, const char *name, const ib_program *p)
{
    const long long in = defined(head, name, "INPUT_SIZE"), out = defined(head, name, "OUTPUT_SIZE");
    const long long inputs = ib_program_input_size(p), outputs = ib_program_output_size(p);
    if (in == inputs && out == outputs)
        return 0;
    fprintf(
        stderr,
        "isobit: %s: '%s' is another network's, of %lld inputs and %lld outputs, not %lld and %lld: --name or another "
        "folder keeps both, or remove it\n",
        option, path, in, out, inputs, outputs);
    return 1;
}

int refuse_other_c(const char *option, const char *folder, const char *name, const ib_program *p, int *anew)
{
    static const char mark[] = " - integer network written by isobit";
    const size_t room = strlen(folder) + strlen(name) + 4;
    char *h = malloc(room), *c = malloc(room), *in_h = NULL, *in_c = NULL;
    int refused = 1;
    if (h && c) {
        snprintf(h, room, "%s/%s.h", folder, name);
        snprintf(c, room, "%s/%s.c", folder, name);
        in_h = head_of(h);
        in_c = head_of(c);
        refused = refuse_without(option, h, in_h, mark) || refuse_without(option, c, in_c, mark) ||
                  (in_h && refuse_other(option, h, in_h, name, p));
        *anew = in_h && in_c;
    }
    free(in_h);
    free(in_c);
    free(h);
    free(c);
    return refused;
}
