/* remembered.c - the data that a checkpoint was trained on, as JSON of the options that named them:
 * {"data": "csv:wine.csv", "label": "quality"}. They are kept as they were given, so that one training is one file
 * wherever it runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "data/dataset.h"

static int is_kept(int i)
{
    return strcmp(common_argp.options[i].name, "limit") != 0;
}

/* The first of the description's files that cannot be read a second time (standard input, a pipe), to be given to
 * ib_free(); NULL: none is. */
static char *passing(const char *spec)
{
    static const char *const names[] = {"-", "/dev/stdin", "/dev/fd/", "/proc/self/fd/"};
    char *file;
    for (int i = 0; (file = ib_dataset_file(spec, i)); i++) {
        struct stat info;
        int passes = !stat(file, &info) && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
        for (int k = 0; k < 4; k++)
            passes |= k < 2 ? !strcmp(file, names[k]) : !strncmp(file, names[k], strlen(names[k]));
        if (passes)
            return file;
        ib_free(file);
    }
    return NULL;
}

int refuse_passing(const char *option, const char *needs, const char *spec)
{
    char *file = spec ? passing(spec) : NULL;
    const int refused = file && fprintf(stderr, "isobit: --%s %s: --data %s cannot be read again; bring a file\n",
                                        option, needs, spec) > 0;
    ib_free(file);
    return refused;
}

int remember_data(ib_checkpoint *c, const common *o)
{
    struct json_object *j = json_object_new_object();
    json_object_object_add(j, "data", json_object_new_string(o->data));
    for (int i = 0; common_argp.options[i].name; i++)
        if (o->said[i] && is_kept(i))
            json_object_object_add(j, common_argp.options[i].name, json_object_new_string(o->said[i]));
    const char *text = json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    const size_t length = strlen(text);
    const int fits = length < sizeof c->data;
    if (fits)
        memcpy(c->data, text, length + 1);
    else
        fprintf(stderr,
                "isobit: the description of the data takes %zu characters, a checkpoint keeps %zu: "
                "shorten --data, or the lists of columns\n",
                length, sizeof c->data - 1);
    json_object_put(j);
    char *file = fits ? passing(o->data) : NULL;
    if (file)
        fprintf(stderr,
                "isobit: note: --data %s cannot be read again: the model does not remember its data, "
                "other commands need --data\n",
                o->data);
    ib_free(file);
    return !fits;
}

struct json_object *remembered_json(const ib_checkpoint *c)
{
    struct json_object *j = *c->data ? json_tokener_parse(c->data) : NULL, *data;
    if (json_object_object_get_ex(j, "data", &data) && json_object_is_type(data, json_type_string))
        return j;
    json_object_put(j);
    return NULL;
}

char *remembered_text(const ib_checkpoint *c)
{
    struct json_object *j = remembered_json(c);
    char *text = NULL, *file;
    size_t size;
    FILE *out = j ? open_memstream(&text, &size) : NULL;
    if (out) {
        const char *data = json_object_get_string(json_object_object_get(j, "data"));
        fputs(data, out);
        json_object_object_foreach(j, name, value) if (strcmp(name, "data"))
            fprintf(out, " --%s %s", name, json_object_get_string(value));
        if ((file = passing(data)))
            fputs(" (which cannot be read again)", out);
        ib_free(file);
        fclose(out);
    }
    json_object_put(j);
    return text;
}

/* Takes the remembered options, which live as long as the session, where the command line says nothing else. */
static int take(session *s, common *o, const char *path)
{
    s->as_trained = 1;
    for (int i = 0; common_argp.options[i].name; i++)
        s->as_trained &= !o->said[i] || !is_kept(i);
    json_object_object_foreach(s->remembered, name, value)
    {
        int i = 0;
        while (common_argp.options[i].name && strcmp(common_argp.options[i].name, name))
            i++;
        if (!common_argp.options[i].name || !is_kept(i) || !json_object_is_type(value, json_type_string))
            return fprintf(stderr,
                           "isobit: %s: its data were named with --%s, which this isobit does not know: "
                           "--data names them\n",
                           path, name) > 0;
        struct argp_state state = {.input = o};
        if (!o->said[i])
            common_argp.parser(common_argp.options[i].key, (char *)json_object_get_string(value), &state);
    }
    return 0;
}

int recall_data(session *s, common *o, const char *path, const char *otherwise)
{
    if (o->data)
        return 0;
    s->asked = path;
    s->remembered = remembered_json(&s->c);
    if (*s->c.data && !s->remembered)
        return fprintf(stderr, "isobit: %s: what it says of its data is not understood: --data names them\n", path) > 0;
    if (!s->remembered && !otherwise)
        return fprintf(stderr, "isobit: %s: remembers no data: --data SPEC is needed\n", path), 2;
    if (!s->remembered) {
        o->data = otherwise;
        return 0;
    }
    if (take(s, o, path))
        return 1;
    char *file = passing(o->data);
    if (file)
        fprintf(stderr, "isobit: %s: was trained on --data %s, which cannot be read again: --data SPEC is needed\n",
                path, o->data);
    ib_free(file);
    return file != NULL;
}

int complain_of_data(const session *s, const common *o)
{
    if (!s->asked)
        return complain();
    char *file = ib_dataset_file(o->data, 0);
    if (s->remembered)
        fprintf(stderr, "isobit: %s remembers --data %s: %s (%s--data names other data)\n", s->asked, o->data,
                ib_error(), file && *file != '/' ? "a path from the working directory; " : "");
    else
        fprintf(stderr, "isobit: %s (%s remembers no data, and %s were taken: --data names others)\n", ib_error(),
                s->asked, o->data);
    ib_free(file);
    return 1;
}
