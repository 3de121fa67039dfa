/* samples_kind.c - whether a file holds rows or running text: its name says which, what it begins with must not
 * contradict. What is neither is refused with what to do. */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/gzip.h"
#include "files/json_scan.h"
#include "lm/samples/samples_reader.h"

static const struct {
    const char *begins;
    size_t n;
    const char *what, *advice;
} no_rows[] = {
#define NO_ROWS(begins, what, advice) {begins, sizeof begins - 1, what, advice},
#include "lm/samples/no_rows.def"
#undef NO_ROWS
};

/* By the ending of the name; .gz behind it does not count. */
static ib_status named(const char *path, int *rows)
{
    static const char *const endings[] = {"jsonl", "ndjson", "json"};
    static const char *const others[] = {"csv",  "tsv", "parquet", "arrow", "feather", "xlsx", "xls",
                                         "yaml", "yml", "xml",     "html",  "htm",     "docx", "pdf"};
    const size_t n = strlen(path), end = n > 3 && !strcasecmp(path + n - 3, ".gz") ? n - 3 : n;
    size_t dot = end;
    while (dot && path[dot - 1] != '.' && path[dot - 1] != '/')
        dot--;
    const int has = dot && path[dot - 1] == '.';
    *rows = 0;
    for (size_t i = 0; has && i < sizeof endings / sizeof *endings; i++)
        *rows |= strlen(endings[i]) == end - dot && !strncasecmp(endings[i], path + dot, end - dot);
    for (size_t i = 0; has && i < sizeof others / sizeof *others; i++)
        if (strlen(others[i]) == end - dot && !strncasecmp(others[i], path + dot, end - dot))
            return ib_fail(IB_EUNSUPPORTED,
                           "%s: tables, documents and markup are not read: write its rows as .jsonl, or its text as "
                           ".txt",
                           path);
    return IB_OK;
}

/* What the bytes say by which other files begin. */
static ib_status known_otherwise(const char *path, const char *text, size_t n)
{
    size_t at = 0;
    ib_json_space(text, n, &at);
    for (size_t i = 0; i < sizeof no_rows / sizeof *no_rows; i++) {
        const int markup = *no_rows[i].begins == '<';
        const size_t from = markup ? at : 0;
        if (n - from >= no_rows[i].n && (markup ? !strncasecmp(text + from, no_rows[i].begins, no_rows[i].n)
                                                : !memcmp(text + from, no_rows[i].begins, no_rows[i].n)))
            return ib_fail(IB_EUNSUPPORTED, "%s: is %s: %s", path, no_rows[i].what, no_rows[i].advice);
    }
    return IB_OK;
}

/* Rows in a file whose name says text: it, or its first line, is JSON, or it begins as an object of named members or a
 * list of such does, whole or not. */
static ib_status no_text(const char *path, const char *text, size_t n)
{
    size_t at = 0;
    ib_json_space(text, n, &at);
    if (at == n || (text[at] != '{' && text[at] != '['))
        return IB_OK;
    size_t end = at, next = at + 1;
    const int list = text[at] == '[', broken = ib_json_scan(text, n, &end, 1) != IB_OK;
    while (end < n && (text[end] == ' ' || text[end] == '\t' || text[end] == '\r'))
        end++;
    ib_json_space(text, n, &next);
    if (!broken && (end == n || text[end] == '\n'))
        return ib_fail(IB_EFORMAT, "%s: holds rows of JSON but is named as running text: name it .jsonl", path);
    if (next == n || !strchr(list ? "{[\"" : "\"'", text[next]) || !text[next])
        return IB_OK;
    long long line, byte;
    ib_json_place(text, end, &line, &byte);
    return ib_fail(IB_EFORMAT,
                   "%s: begins as rows of JSON but is named as running text, and line %lld, byte %lld is not JSON: "
                   "mend it and name it .jsonl",
                   path, line, byte);
}

static ib_status no_file(const char *path, int *regular)
{
    struct stat s;
    *regular = !stat(path, &s) && S_ISREG(s.st_mode);
    if (!strcmp(path, "-"))
        return ib_fail(IB_EUNSUPPORTED, "-: rows are not read from standard input: save them in a file");
    if (!stat(path, &s) && S_ISDIR(s.st_mode))
        return ib_fail(IB_EUNSUPPORTED, "%s: is a folder: give one file, such as all of its rows in one .jsonl", path);
    if (!stat(path, &s) && S_ISCHR(s.st_mode))
        return ib_fail(IB_EUNSUPPORTED, "%s: is a device: give a file of rows (.jsonl) or of running text", path);
    return IB_OK;
}

ib_status ib_samples_text(const char *path, char **text, size_t *n, int *rows)
{
    int again = 0; /* it can be read twice */
    ib_status status = no_file(path, &again);
    *text = NULL;
    if (status || (status = named(path, rows)))
        return status;
    if (!(*text = ib_text_read(path, n))) {
        status = ib_error_status();
        again &= status == IB_EFORMAT; /* no text, but what? */
        char *bytes = again ? (char *)ib_file_read_unpacked(path, n) : NULL;
        if (bytes && *n)
            known_otherwise(path, bytes, *n);
        ib_free(bytes);
        return ib_error_status();
    }
    size_t at = 0;
    ib_json_space(*text, *n, &at);
    if (at == *n)
        status = ib_fail(IB_EFORMAT, "%s: holds no data", path);
    if (!status)
        status = known_otherwise(path, *text, *n);
    if (!status && !*rows)
        status = no_text(path, *text, *n);
    return status;
}
