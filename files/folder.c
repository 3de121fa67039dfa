/* folder.c - see folder.h */
#include "files/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

struct ib_folder_writer {
    char *path, *temporary, *last;
    char *aside; /* in a folder that is there already: where its files lie until all new ones are in their places */
    int there;
};

static void release(ib_folder_writer *w)
{
    ib_free(w->path);
    ib_free(w->temporary);
    ib_free(w->aside);
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
        w->aside = ib_format_text("%s/.old%ld", w->path, (long)getpid());
        if (w->there && !S_ISDIR(info.st_mode))
            ib_fail(IB_EIO, "%s: is a file: a folder is to be written", path);
        else if (w->temporary && w->aside && !mkdir(w->temporary, 0777))
            return w;
        else if (w->temporary && w->aside)
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

static ib_status set_aside(const ib_folder_writer *w, const char *name)
{
    char *place = ib_format_text("%s/%s", w->path, name), *old = ib_format_text("%s/%s", w->aside, name);
    struct stat info;
    ib_status status = place && old ? IB_OK : IB_ENOMEM;
    if (!status && !lstat(place, &info) && S_ISDIR(info.st_mode))
        status = ib_fail(IB_EIO, "%s: is a folder: a file is to be written", place);
    else if (!status && rename(place, old) && errno != ENOENT)
        status = ib_fail(IB_EIO, "%s: cannot be replaced: %s", place, strerror(errno));
    ib_free(place);
    ib_free(old);
    return status;
}

static ib_status move_in(const ib_folder_writer *w, const char *name)
{
    char *made = ib_format_text("%s/%s", w->temporary, name), *place = ib_format_text("%s/%s", w->path, name);
    ib_status status = made && place ? IB_OK : IB_ENOMEM;
    if (!status && rename(made, place))
        status = ib_fail(IB_EIO, "%s: cannot be made: %s", place, strerror(errno));
    ib_free(made);
    ib_free(place);
    return status;
}

/* Undoes both for a name, as far as they were done. */
static void put_back(const ib_folder_writer *w, const char *name)
{
    char *made = ib_format_text("%s/%s", w->temporary, name), *place = ib_format_text("%s/%s", w->path, name);
    char *old = ib_format_text("%s/%s", w->aside, name);
    if (made && place && old) {
        if (access(made, F_OK))
            rename(place, made);
        rename(old, place);
    }
    ib_free(made);
    ib_free(place);
    ib_free(old);
}

typedef struct list {
    char **name;
    int n;
} list;

static ib_status add_name(list *l, const char *name)
{
    char **longer = ib_realloc(l->name, (size_t)l->n * sizeof *longer, (size_t)(l->n + 1) * sizeof *longer);
    if (!longer)
        return IB_ENOMEM;
    l->name = longer;
    if (!(longer[l->n] = ib_strdup(name)))
        return IB_ENOMEM;
    l->n++;
    return IB_OK;
}

static ib_status add_but_last(const ib_folder_writer *w, const char *name, void *user)
{
    return strcmp(name, w->last) ? add_name(user, name) : IB_OK;
}

static ib_status remove_file(const ib_folder_writer *w, const char *name, void *user)
{
    char *path = ib_format_text("%s/%s", (const char *)user, name);
    (void)w;
    if (path)
        unlink(path);
    ib_free(path);
    return path ? IB_OK : IB_ENOMEM;
}

/* `last` goes first and comes last, back too. */
static ib_status replace(const ib_folder_writer *w)
{
    list l = {0};
    ib_status status = each_file(w->temporary, add_but_last, w, &l);
    if (!status)
        status = add_name(&l, w->last);
    if (!status && mkdir(w->aside, 0777))
        status = ib_fail(IB_EIO, "%s: cannot be written: %s", w->path, strerror(errno));
    for (int i = l.n; i-- && !status;)
        status = set_aside(w, l.name[i]);
    for (int i = 0; i < l.n && !status; i++)
        status = move_in(w, l.name[i]);
    for (int i = 0; i < l.n && status; i++)
        put_back(w, l.name[i]);
    if (!status)
        each_file(w->aside, remove_file, w, w->aside);
    rmdir(w->aside); /* stays if files could not be put back */
    for (int i = 0; i < l.n; i++)
        ib_free(l.name[i]);
    ib_free(l.name);
    return status;
}

ib_status ib_folder_writer_finish(ib_folder_writer *w)
{
    ib_status status = IB_OK;
    if (w->there)
        status = replace(w);
    else if (rename(w->temporary, w->path))
        status = ib_fail(IB_EIO, "%s: cannot be made: %s", w->path, strerror(errno));
    ib_folder_writer_drop(w);
    return status;
}

void ib_folder_writer_drop(ib_folder_writer *w)
{
    if (!w)
        return;
    each_file(w->temporary, remove_file, w, w->temporary);
    rmdir(w->temporary);
    release(w);
}
