/* picture_folders.c - see picture_folders.h */
#include "data/pictures/picture_folders.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "data/pictures/folder_listing.h"

static ib_status read_folder(ib_picture_list *l, const char *path, ib_listing *out)
{
    const ib_status status = ib_listing_read(path, out);
    if (status)
        return status;
    if (!l->litter) {
        l->first_litter = out->first_litter;
        out->first_litter = NULL;
    }
    l->litter += out->litter;
    return IB_OK;
}

static ib_status read_inner(ib_picture_list *l, const ib_listing *in, const char *name, ib_listing *out)
{
    char *path = ib_format_text("%s/%s", in->path, name);
    const ib_status status = path ? read_folder(l, path, out) : IB_ENOMEM;
    ib_free(path);
    return status;
}

/* The pictures of one folder. Without a part of its own every fifth is of the test part. */
static ib_status add_pictures(ib_picture_list *l, const ib_listing *in, int32_t label, int test)
{
    if (in->folders)
        return ib_fail(IB_EFORMAT,
                       "%s/%s: is a folder where pictures are expected: images:DIR holds a folder of pictures for each "
                       "class, or train and val of such folders",
                       in->path, in->name[0]);
    if (!in->n)
        return ib_fail(IB_EFORMAT, "%s: holds no picture", in->path);
    for (int64_t i = 0; i < in->n; i++) {
        if (ib_grow((void **)&l->file, l->n, &l->room, sizeof *l->file))
            return IB_ENOMEM;
        l->file[l->n] =
            (ib_picture_file){ib_format_text("%s/%s", in->path, in->name[i]), label, l->whole ? test : i % 5 == 4};
        if (!l->file[l->n].path)
            return IB_ENOMEM;
        l->n++;
    }
    return IB_OK;
}

static ib_status take_classes(ib_picture_list *l, int64_t n, const char *const *names)
{
    if (!(l->classes = ib_alloc((size_t)n * sizeof *l->classes)))
        return IB_ENOMEM;
    for (; l->n_classes < n; l->n_classes++)
        if (!(l->classes[l->n_classes] = ib_strdup(names[l->n_classes])))
            return IB_ENOMEM;
    return IB_OK;
}

/* Each folder must be a class; `known_from` says so. */
static ib_status check_classes(const ib_picture_list *l, const ib_listing *in, const char *known_from)
{
    for (int64_t i = 0; i < in->folders; i++) {
        int k = 0;
        while (k < l->n_classes && strcmp(l->classes[k], in->name[i]))
            k++;
        if (k == l->n_classes)
            return ib_fail(IB_EINVAL, "%s/%s: is none of the %d classes of %s ('%s' is the first)", in->path,
                           in->name[i], l->n_classes, known_from, l->classes[0]);
    }
    return IB_OK;
}

/* Folders of classes, or pictures alone. The classes are those that are known, or else these folders. */
static ib_status add_part(ib_picture_list *l, const ib_listing *in, const char *known_from, int test)
{
    if (!in->folders)
        return add_pictures(l, in, -1, test);
    if (in->folders < in->n)
        return ib_fail(IB_EFORMAT, "%s/%s: is a file beside the folder of a class, %s: move it into one, or away",
                       in->path, in->name[in->folders], in->name[0]);
    if (in->folders > 65536)
        return ib_fail(IB_EFORMAT, "%s: holds %lld folders; 65536 classes are possible", in->path,
                       (long long)in->folders);
    ib_status status =
        l->n_classes ? check_classes(l, in, known_from) : take_classes(l, in->folders, (const char *const *)in->name);
    for (int32_t k = 0; k < l->n_classes && !status; k++) {
        ib_listing pictures;
        if (!ib_listing_has_folder(in, l->classes[k]) || (status = read_inner(l, in, l->classes[k], &pictures)))
            continue;
        status = add_pictures(l, &pictures, k, test);
        ib_listing_free(&pictures);
    }
    return status;
}

/* Folders train and val, or train and test. Where all three are there, test is for later. */
static ib_status add_parts(ib_picture_list *l, const ib_listing *in, const char *known_from)
{
    const char *parts[] = {"train", ib_listing_has_folder(in, "val") ? "val" : "test"};
    int64_t begin[2];
    for (int64_t i = 0; i < in->n; i++)
        if (i >= in->folders ||
            (strcmp(in->name[i], "train") && strcmp(in->name[i], "val") && strcmp(in->name[i], "test")))
            return ib_fail(IB_EFORMAT, "%s/%s: stands beside %s and %s, the parts of the data: move it away", in->path,
                           in->name[i], parts[0], parts[1]);
    l->parted = l->whole = 1;
    for (int test = 0; test < 2; test++) {
        ib_listing part;
        if (read_inner(l, in, parts[test], &part))
            return ib_error_status();
        begin[test] = l->n;
        const ib_status status = add_part(l, &part, test && !known_from ? "train" : known_from, test);
        ib_listing_free(&part);
        if (status)
            return status;
    }
    if ((l->file[begin[0]].label < 0) != (l->file[begin[1]].label < 0))
        return ib_fail(IB_EFORMAT, "%s: %s holds folders of classes, %s holds pictures without", in->path,
                       parts[l->file[begin[0]].label < 0], parts[l->file[begin[0]].label >= 0]);
    if (in->folders == 3 && !(l->note = ib_format_text("%s: val is its test part; images:%s/test opens the folder test",
                                                       in->path, in->path)))
        return IB_ENOMEM;
    return IB_OK;
}

/* A folder test or val beside one called train is all for the test. */
static int is_test_part(const char *folder)
{
    size_t n = strlen(folder);
    struct stat info;
    while (n > 1 && folder[n - 1] == '/')
        n--;
    size_t begin = n;
    while (begin > 0 && folder[begin - 1] != '/')
        begin--;
    const size_t length = n - begin;
    if (!(length == 4 && !memcmp(folder + begin, "test", 4)) && !(length == 3 && !memcmp(folder + begin, "val", 3)))
        return 0;
    char *train = ib_format_text("%.*strain", (int)begin, folder);
    const int is = train && !stat(train, &info) && S_ISDIR(info.st_mode);
    ib_free(train);
    return is;
}

/* Says which files are left out. */
static ib_status note_litter(ib_picture_list *l)
{
    char more[48] = "";
    if (!l->litter)
        return IB_OK;
    if (l->litter > 1)
        ib_snprintf(more, sizeof more, " and %lld more like it", (long long)l->litter - 1);
    char *note = ib_format_text("%s%s%s%s: no picture, left out", l->note ? l->note : "", l->note ? "; " : "",
                                l->first_litter, more);
    ib_free(l->note);
    return (l->note = note) ? IB_OK : IB_ENOMEM;
}

ib_status ib_picture_list_read(const char *folder, const ib_schema *schema, ib_picture_list *out)
{
    ib_listing top;
    const ib_schema_opts *o = schema ? ib_schema_of(schema) : NULL;
    const char *known_from = o && o->n_classes ? "the model" : NULL;
    *out = (ib_picture_list){0};
    ib_status status = known_from ? take_classes(out, o->n_classes, o->classes) : IB_OK;
    if (!status && !(status = read_folder(out, folder, &top))) {
        const int parted = ib_listing_has_folder(&top, "train") &&
                           (ib_listing_has_folder(&top, "val") || ib_listing_has_folder(&top, "test"));
        out->whole = !parted && is_test_part(folder);
        status = parted ? add_parts(out, &top, known_from) : add_part(out, &top, known_from, out->whole);
        ib_listing_free(&top);
    }
    if (!status)
        status = note_litter(out);
    if (status)
        ib_picture_list_free(out);
    return status;
}

void ib_picture_list_free(ib_picture_list *l)
{
    for (int64_t i = 0; i < l->n; i++)
        ib_free(l->file[i].path);
    for (int i = 0; i < l->n_classes; i++)
        ib_free(l->classes[i]);
    ib_free(l->file);
    ib_free(l->classes);
    ib_free(l->note);
    ib_free(l->first_litter);
    *l = (ib_picture_list){0};
}
