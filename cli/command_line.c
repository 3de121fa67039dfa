/* command_line.c - see command_line.h */
#include "cli/command_line.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lm/save/model_card.h"

/* Where the name in a path begins: behind the last '/' if all before it is a folder. */
static const char *name_in(const char *path)
{
    struct stat info;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n && path[n - 1] != '/')
        n--;
    char *folder = n ? strndup(path, n) : NULL;
    const int is_path = folder && !stat(folder, &info) && S_ISDIR(info.st_mode);
    free(folder);
    return is_path ? path + n : path;
}

static void put_word(FILE *f, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.,:=+/@%";
    const char *value = !strncmp(word, "--", 2) ? strchr(word, '=') : NULL, *name = name_in(value ? value + 1 : word);
    const size_t option = value ? (size_t)(value + 1 - word) : 0;
    const int quoted = !*word || strspn(word, plain) < strlen(word);
    fprintf(f, " %s%.*s", quoted ? "'" : "", (int)option, word);
    for (; *name; name++)
        fputs(*name == '\'' ? "'\\''" : (char[]){*name, 0}, f);
    fputs(quoted ? "'" : "", f);
}

int tell_command(ib_lm *m, int argc, char **argv)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (f)
        fputs(argv[0], f); /* "isobit merge" */
    for (int i = 1; f && i < argc; i++)
        put_word(f, argv[i]);
    int status = !f || fclose(f) ? fprintf(stderr, "isobit: out of memory\n") > 0 : 0;
    if (!status && ib_lm_set_command(m, text))
        status = complain();
    free(text);
    return status;
}

void warn_of_card(const char *folder)
{
    if (ib_card_is_foreign(folder))
        fprintf(
            stderr,
            "isobit: %s/README.md was there and is kept: isobit did not write it, and it may speak of another model\n",
            folder);
}
