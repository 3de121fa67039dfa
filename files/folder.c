/* folder.c - see folder.h */
#include "files/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/alloc.h"
#include "tensor/error.h"

struct ib_folder_writer {
    char *path, *temporary, *last;
    int there; /* path is a folder already */
};

static void release(ib_folder_writer *w)
{
    ib_free(w->path);
    ib_free(w->temporary);
    ib_free(w->last);
    ib_free(w);
}

ib_folder_writer *ib_folder_writer_open(const char *path, const char *last)
{
    struct stat info;
    ib_folder_writer *w = ib_alloc(sizeof *w);
    if (!w)
        return NULL;
    if ((w->path = ib_strdup(path)) && (w->last = ib_strdup(last))) {
        for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
            w->path[n - 1] = 0;
        w->there = !stat(w->path, &info);
        w->temporary = ib_format_text("%s%s%ld", w->path, w->there ? "/.tmp" : ".tmp", (long)getpid());
        if (w->there && !S_ISDIR(info.st_mode))
            ib_fail(IB_EIO, "%s: is a file: a folder is to be written", path);
        else if (w->temporary && !mkdir(w->temporary, 0777))
            return w;
        else if (w->temporary)
            ib_fail(IB_EIO, "%s: cannot be %s: %s", path, w->there ? "written" : "made", strerror(errno));
    }
    release(w);
    return NULL;
}

const char *ib_folder_writer_at(const ib_folder_writer *w)
{
    return w->temporary;
}

/* Calls visit for each name in a folder until one is not IB_OK; a folder that cannot be read has none. */
static ib_status each_file(const char *folder,
                           ib_status (*visit)(const ib_folder_writer *w, const char *name, void *user),
                           const ib_folder_writer *w, void *user)
{
    DIR *d = opendir(folder);
    ib_status status = IB_OK;
    for (struct dirent *e; d && !status && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            status = visit(w, e->d_name, user);
    if (d)
        closedir(d);
    return status;
}

typedef struct names {
    const char *const *foreign, *const *own;
} names;

static ib_status check_name(const ib_folder_writer *w, const char *name, void *user)
{
    const names *n = user;
    struct stat info;
    int foreign = 0, own = 0;
    for (int i = 0; n->foreign[i]; i++)
        foreign |= !fnmatch(n->foreign[i], name, 0);
    for (int i = 0; n->own && n->own[i]; i++)
        own |= !strcmp(n->own[i], name);
    if (!foreign || own)
        return IB_OK;
    char *written = ib_format_text("%s/%s", w->temporary, name);
    const int replaced = written && !stat(written, &info);
    ib_free(written);
    if (!written || replaced)
        return written ? IB_OK : IB_ENOMEM;
    return ib_fail(
        IB_EINVAL,
        "%s: holds '%s', which would be read as a part of what is written: remove it, or choose another folder",
        w->path, name);
}

ib_status ib_folder_writer_check(const ib_folder_writer *w, const char *const *foreign, const char *const *own)
{
    names n = {foreign, own};
    return w->there ? each_file(w->path, check_name, w, &n) : IB_OK;
}

static ib_status move_file(const ib_folder_writer *w, const char *name, void *last)
{
    if (!last && !strcmp(name, w->last))
        return IB_OK;
    char *from = ib_format_text("%s/%s", w->temporary, name), *to = ib_format_text("%s/%s", w->path, name);
    ib_status status = from && to ? IB_OK : IB_ENOMEM;
    if (!status && rename(from, to))
        status = ib_fail(IB_EIO, "%s: cannot be replaced: %s", to, strerror(errno));
    ib_free(from);
    ib_free(to);
    return status;
}

ib_status ib_folder_writer_finish(ib_folder_writer *w)
{
    ib_status status = IB_OK;
    char *last = ib_format_text("%s/%s", w->path, w->last);
    if (!last)
        status = IB_ENOMEM;
    else if (!w->there && rename(w->temporary, w->path))
        status = ib_fail(IB_EIO, "%s: cannot be made: %s", w->path, strerror(errno));
    else if (w->there && unlink(last) && errno != ENOENT)
        status = ib_fail(IB_EIO, "%s: cannot be replaced: %s", last, strerror(errno));
    else if (w->there && !(status = each_file(w->temporary, move_file, w, NULL)))
        status = move_file(w, w->last, w);
    ib_free(last);
    ib_folder_writer_drop(w);
    return status;
}

static ib_status remove_file(const ib_folder_writer *w, const char *name, void *user)
{
    (void)user;
    char *path = ib_format_text("%s/%s", w->temporary, name);
    if (path)
        unlink(path);
    ib_free(path);
    return path ? IB_OK : IB_ENOMEM;
}

void ib_folder_writer_drop(ib_folder_writer *w)
{
    if (!w)
        return;
    each_file(w->temporary, remove_file, w, NULL);
    rmdir(w->temporary);
    release(w);
}
