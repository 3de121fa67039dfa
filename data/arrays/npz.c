/* npz.c - arrays of NumPy in a zip archive (numpy.savez; Keras's mnist.npz): members NAME.npy, read by libzip, which
 * checks their CRC-32. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "base/number.h"
#include "data/arrays/npy.h"

/* The names of a set of arrays: samples and labels, of which there may be none, in two parts or (test NULL) one. */
typedef struct set {
    const char *train, *train_labels, *test, *test_labels;
} set;
static const set divided[] = {{"x_train", "y_train", "x_test", "y_test"},
                              {"train_images", "train_labels", "test_images", "test_labels"}};
static const char *const samples[] = {"x", "images", "data", NULL}, *const labels[] = {"y", "labels", NULL};
static const char possible[] = "x_train, y_train, x_test and y_test (or train_images and so on), or x, images or data, "
                               "with y or labels, are possible";

/* A member in memory. */
typedef struct member {
    char *name; /* "FILE: x_train.npy" */
    uint8_t *bytes;
    ib_npy array;
} member;

static void drop_member(member *m)
{
    ib_free(m->name);
    ib_free(m->bytes);
    *m = (member){0};
}

/* What n bytes of a zip archive can hold: DEFLATE makes at most 1032 of one (zlib, "Technical Details"). */
static zip_uint64_t most_of(const char *file)
{
    struct stat s;
    return stat(file, &s) ? 0 : (zip_uint64_t)s.st_size * 1032;
}

static ib_status read_member(zip_t *z, const char *file, const char *key, member *m)
{
    zip_stat_t info;
    char name[64];
    ib_snprintf(name, sizeof name, "%s.npy", key);
    if (!(m->name = ib_format_text("%s: %s", file, name)))
        return IB_ENOMEM;
    zip_file_t *f = zip_fopen(z, name, 0);
    if (!f || zip_stat(z, name, 0, &info) || !(info.valid & ZIP_STAT_SIZE)) {
        const ib_status status = ib_fail(IB_EFORMAT, "%s: cannot be opened: %s", m->name, zip_strerror(z));
        if (f)
            zip_fclose(f);
        return status;
    }
    ib_status status = IB_OK;
    if (!(info.valid & ZIP_STAT_COMP_METHOD) ||
        (info.comp_method != ZIP_CM_STORE && info.comp_method != ZIP_CM_DEFLATE))
        status = ib_fail(IB_EFORMAT, "%s: is packed by method %u; stored and deflated members are possible", m->name,
                         info.comp_method);
    else if (info.size > most_of(file))
        status = ib_fail(IB_EFORMAT, "%s: says %llu bytes, which its archive cannot hold", m->name,
                         (unsigned long long)info.size);
    else if (!(m->bytes = ib_alloc((size_t)info.size + 1)))
        status = IB_ENOMEM;
    zip_uint64_t at = 0;
    for (zip_int64_t n = 1; n > 0 && !status;
         at += (zip_uint64_t)(n > 0 ? n : 0)) { /* the last reading, of nothing, checks the CRC */
        n = zip_fread(f, m->bytes + at, info.size + 1 - at);
        if (n < 0 || at + (zip_uint64_t)n > info.size)
            status = ib_fail(IB_EFORMAT, "%s: cannot be read: %s", m->name,
                             n < 0 ? zip_file_strerror(f) : "it is longer than it says");
    }
    if (!status && at != info.size)
        status = ib_fail(IB_EFORMAT, "%s: has %llu bytes instead of %llu", m->name, (unsigned long long)at,
                         (unsigned long long)info.size);
    zip_fclose(f);
    return status ? status : ib_npy_read(&m->array, m->name, m->bytes, (size_t)info.size);
}

static int has(zip_t *z, const char *key)
{
    char name[64];
    ib_snprintf(name, sizeof name, "%s.npy", key ? key : "");
    return key && zip_name_locate(z, name, 0) >= 0;
}

static const char *first_of(zip_t *z, const char *const *keys)
{
    while (*keys && !has(z, *keys))
        keys++;
    return *keys;
}

/* The arrays that the archive holds, which must be all of it. */
static ib_status find_set(zip_t *z, const char *file, set *s)
{
    *s = has(z, divided[0].train)   ? divided[0]
         : has(z, divided[1].train) ? divided[1]
                                    : (set){first_of(z, samples), first_of(z, labels), NULL, NULL};
    for (zip_int64_t i = 0, n = zip_get_num_entries(z, 0); i < n; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0), *const keys[] = {s->train, s->train_labels, s->test,
                                                                                 s->test_labels};
        int known = 0;
        for (int k = 0; name && k < 4; k++) {
            const size_t length = keys[k] ? strlen(keys[k]) : 0;
            known |= keys[k] && !strncmp(name, keys[k], length) && !strcmp(name + length, ".npy");
        }
        if (!known)
            return ib_fail(IB_EFORMAT, "%s: holds '%.60s'; %s", file, name ? name : "", possible);
        if (zip_name_locate(z, name, 0) != i)
            return ib_fail(IB_EFORMAT, "%s: holds two members '%.60s'", file, name);
    }
    return s->train ? IB_OK : ib_fail(IB_EFORMAT, "%s: holds no samples; %s", file, possible);
}

/* Samples `key` with the labels `label_key`, where there are any. */
static ib_dataset *read_pair(zip_t *z, const char *file, const char *key, const char *label_key,
                             const ib_input_info *net, ib_task task)
{
    member x = {0}, y = {0};
    const int labelled = has(z, label_key);
    ib_dataset *d = NULL;
    if (!read_member(z, file, key, &x) && (!labelled || !read_member(z, file, label_key, &y)))
        d = ib_npy_samples(&x.array, labelled ? &y.array : NULL, net, task);
    char *both = d && labelled ? ib_format_text("%s: %s and %s", file, key, label_key) : NULL;
    if (both) {
        ib_free(d->name);
        d->name = both;
    } else if (d && labelled) {
        ib_dataset_free(d);
        d = NULL;
    }
    drop_member(&x);
    drop_member(&y);
    return d;
}

ib_dataset *ib_npz_open(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    int code = 0;
    zip_t *z = zip_open(path, ZIP_RDONLY, &code);
    if (!z) {
        zip_error_t e;
        zip_error_init_with_code(&e, code);
        ib_fail(code == ZIP_ER_NOENT || code == ZIP_ER_OPEN ? IB_EIO : IB_EFORMAT,
                "%s: cannot be opened as a zip archive: %s", path, zip_error_strerror(&e));
        zip_error_fini(&e);
        return NULL;
    }
    set s;
    ib_dataset *d = NULL;
    if (!find_set(z, path, &s)) {
        ib_dataset *train =
            split == IB_SPLIT_TEST && s.test ? NULL : read_pair(z, path, s.train, s.train_labels, net, task);
        ib_dataset *test = !s.test || split == IB_SPLIT_TRAIN || (split == IB_SPLIT_ALL && !train)
                               ? NULL
                               : read_pair(z, path, s.test, s.test_labels, net, task);
        d = !s.test                 ? ib_dataset_every_fifth(train, split)
            : split == IB_SPLIT_ALL ? ib_dataset_join(train, test)
            : train                 ? train
                                    : test;
    }
    zip_discard(z);
    return d;
}
