/* folder_listing.c - see folder_listing.h */
#include "data/pictures/folder_listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/utf8.h"

ib_status ib_grow(void **p, int64_t n, int64_t *room, size_t size)
{
    if (n < *room)
        return IB_OK;
    const int64_t more = *room ? 2 * *room : 64;
    void *grown = ib_realloc(*p, (size_t)*room * size, (size_t)more * size);
    if (!grown)
        return IB_ENOMEM;
    *p = grown;
    *room = more;
    return IB_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Hidden files and folders, Windows' thumbnails and settings. */
static int is_litter(const char *name)
{
    return *name == '.' || !strcasecmp(name, "Thumbs.db") || !strcasecmp(name, "ehthumbs.db") ||
           !strcasecmp(name, "desktop.ini");
}

/* Names are shown in messages and kept in files. */
static ib_status check_name(const char *folder, const char *name)
{
    for (size_t n = strlen(name), at = 0, k; at < n; at += k) {
        const int control = (unsigned char)name[at] < ' ' || name[at] == 127;
        if (!(k = ib_utf8_length(name + at, n - at, NULL)) || control)
            return ib_fail(IB_EFORMAT, "%s: holds a name with the byte 0x%02x behind '%.*s', which is %s: rename it",
                           folder, (unsigned char)name[at], (int)at, name,
                           control ? "a control character" : "no text in UTF-8");
    }
    return IB_OK;
}

static ib_status keep_name(ib_listing *l, const char *name)
{
    if (is_litter(name))
        return l->litter++ || (l->first_litter = ib_format_text("%s/%s", l->path, name)) ? IB_OK : IB_ENOMEM;
    if (check_name(l->path, name) || ib_grow((void **)&l->name, l->n, &l->room, sizeof *l->name))
        return ib_error_status();
    return (l->name[l->n] = ib_strdup(name)) ? l->n++, IB_OK : IB_ENOMEM;
}

static ib_status read_names(ib_listing *l)
{
    DIR *d = opendir(l->path);
    if (!d)
        return ib_fail(IB_EIO, "%s: %s", l->path,
                       errno == ENOTDIR ? "is no folder: images:DIR takes the folder that holds it" : strerror(errno));
    ib_status status = IB_OK;
    errno = 0;
    for (const struct dirent *e; !status && (e = readdir(d)); errno = 0)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            status = keep_name(l, e->d_name);
    if (!status && errno)
        status = ib_fail(IB_EIO, "%s: %s", l->path, strerror(errno));
    closedir(d);
    return status;
}

static ib_status find_kind(const ib_listing *l, const char *name, uint8_t *is_folder)
{
    struct stat info;
    ib_status status = IB_OK;
    char *path = ib_format_text("%s/%s", l->path, name);
    if (!path)
        return IB_ENOMEM;
    if (stat(path, &info))
        status = ib_fail(IB_EIO, "%s: %s", path, errno == ENOENT ? "is a link to nothing" : strerror(errno));
    else if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode))
        status = ib_fail(IB_EFORMAT, "%s: is neither a file nor a folder", path);
    else
        *is_folder = S_ISDIR(info.st_mode) != 0;
    ib_free(path);
    return status;
}

static ib_status sort_names(ib_listing *l)
{
    char **sorted = ib_alloc((size_t)l->n * sizeof *sorted);
    uint8_t *is_folder = ib_alloc((size_t)l->n);
    ib_status status = sorted && is_folder ? IB_OK : IB_ENOMEM;
    if (!status && l->n)
        qsort(l->name, (size_t)l->n, sizeof *l->name, compare);
    for (int64_t i = 0; i < l->n && !status; i++)
        if (!(status = find_kind(l, l->name[i], &is_folder[i])))
            l->folders += is_folder[i];
    if (!status) {
        int64_t at[2] = {l->folders, 0}; /* of files, of folders */
        for (int64_t i = 0; i < l->n; i++)
            sorted[at[is_folder[i]]++] = l->name[i];
        char **old = l->name;
        l->name = sorted;
        sorted = old;
    }
    ib_free(sorted);
    ib_free(is_folder);
    return status;
}

ib_status ib_listing_read(const char *folder, ib_listing *out)
{
    *out = (ib_listing){.path = ib_strdup(folder)};
    ib_status status = out->path ? read_names(out) : IB_ENOMEM;
    if (!status)
        status = sort_names(out);
    if (status)
        ib_listing_free(out);
    return status;
}

int ib_listing_has_folder(const ib_listing *l, const char *name)
{
    return l->folders && bsearch(&name, l->name, (size_t)l->folders, sizeof *l->name, compare);
}

void ib_listing_free(ib_listing *l)
{
    for (int64_t i = 0; i < l->n; i++)
        ib_free(l->name[i]);
    ib_free(l->name);
    ib_free(l->first_litter);
    ib_free(l->path);
    *l = (ib_listing){0};
}
