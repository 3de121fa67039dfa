/* images.c - pictures in folders as a data set. */
#include <string.h>

#include "data/dataset.h"
#include "data/pictures/picture_folders.h"
#include "data/pictures/pictures.h"

enum { MEMORY = 1 << 30 }; /* that the decoded pictures of a part may take */

static ib_status check_opts(const char *folder, const ib_input_info *net, const ib_data_opts *o)
{
    const ib_schema_opts *s = o->schema ? ib_schema_of(o->schema) : NULL;
    const int *in = o->input;
    if (s && s->n_columns)
        return ib_fail(IB_EINVAL, "%s: the model takes the %d columns of a table: csv:FILE holds them by name", folder,
                       s->n_columns);
    if (net && net->c != 1 && net->c != 3)
        return ib_fail(IB_EINVAL, "%s: the model takes %dx%dx%d; pictures have 1 channel or 3", folder, net->c, net->h,
                       net->w);
    if (net && in[0] && (in[0] != net->c || in[1] != net->h || in[2] != net->w))
        return ib_fail(IB_EINVAL, "%s: --input %dx%dx%d: the model was made for %dx%dx%d", folder, in[0], in[1], in[2],
                       net->c, net->h, net->w);
    return net && ib_dataset_raw_max(folder, net) < 0 ? ib_error_status() : IB_OK;
}

/* The one size that all pictures have. */
static ib_status common_size(const ib_picture_list *l, ib_picture_size *size)
{
    char **path = ib_alloc((size_t)l->n * sizeof *path);
    ib_picture_size *sizes = ib_alloc((size_t)l->n * sizeof *sizes);
    ib_status status = path && sizes ? IB_OK : IB_ENOMEM;
    for (int64_t i = 0; !status && i < l->n; i++)
        path[i] = l->file[i].path;
    if (!status)
        status = ib_picture_sizes(l->n, path, sizes);
    for (int64_t i = 1; !status && i < l->n; i++)
        if (memcmp(&sizes[i], &sizes[0], sizeof *sizes))
            status =
                ib_fail(IB_EINVAL,
                        "%s is %dx%dx%d, %s is %dx%dx%d: --input CxHxW makes all pictures one size, such as %dx%dx%d",
                        path[0], sizes[0].c, sizes[0].h, sizes[0].w, path[i], sizes[i].c, sizes[i].h, sizes[i].w,
                        sizes[i].c > sizes[0].c ? sizes[i].c : sizes[0].c, sizes[0].h, sizes[0].w);
    if (!status)
        *size = sizes[0];
    ib_free(path);
    ib_free(sizes);
    return status;
}

static ib_status find_size(const ib_picture_list *l, const ib_input_info *net, const ib_data_opts *o,
                           ib_picture_size *size)
{
    *size = net ? (ib_picture_size){net->c, net->h, net->w} : (ib_picture_size){o->input[0], o->input[1], o->input[2]};
    return size->c ? IB_OK : common_size(l, size);
}

/* The network's schema, or one with the names of the classes. NULL with *status where there are none, or it fails. */
static ib_schema *find_schema(const char *folder, const ib_picture_list *l, const ib_input_info *net,
                              const ib_data_opts *o, ib_status *status)
{
    const int labelled = l->file[0].label >= 0, known = o->schema && ib_schema_of(o->schema)->n_classes;
    *status = IB_OK;
    if (labelled && !known && net && l->n_classes != net->classes)
        *status = ib_fail(IB_EINVAL, "%s: holds %d folders; the model has %d classes, and no names for them", folder,
                          l->n_classes, net->classes);
    else if (labelled && !net && l->n_classes < 2)
        *status = ib_fail(IB_EINVAL, "%s: holds one class, '%s': two at least are needed", folder, l->classes[0]);
    if (*status || o->schema || !labelled)
        return ib_schema_hold(*status ? NULL : o->schema);
    ib_schema *s = ib_schema_new(&(ib_schema_opts){.n_classes = l->n_classes,
                                                   .classes = (const char *const *)l->classes,
                                                   .split_seed = o->split_seed,
                                                   .test_share = o->test_share});
    *status = s ? IB_OK : ib_error_status();
    return s;
}

/* The test part as it is asked for, or as that of the network's training was: drawn of each class alike. Without a word
 * every fifth picture of a class is in it. */
static ib_status divide(const char *folder, ib_picture_list *l, const ib_data_opts *o)
{
    const ib_schema_opts *known = o->schema ? ib_schema_of(o->schema) : NULL;
    const int asked = o->test_share > 0 || o->split_seed, labelled = l->file[0].label >= 0;
    const double share = o->test_share > 0 ? o->test_share : known && known->test_share > 0 ? known->test_share : 0;
    const uint64_t seed = o->split_seed || !known ? o->split_seed : known->split_seed;
    if (asked && l->whole && share < 1)
        return ib_fail(IB_EINVAL, "%s: --%s has no effect on pictures of which each part has a folder of its own",
                       folder, o->test_share > 0 ? "test-share" : "split-seed");
    if (l->whole || (!(share > 0) && !seed))
        return IB_OK;
    int32_t *y = ib_alloc((size_t)l->n * sizeof *y);
    uint8_t *test = ib_alloc((size_t)l->n);
    ib_status status = y && test ? IB_OK : IB_ENOMEM;
    for (int64_t i = 0; i < l->n && !status; i++)
        y[i] = l->file[i].label;
    if (!status)
        status = ib_stratify(l->n, labelled ? y : NULL, share > 0 ? share : IB_TEST_SHARE, seed, test);
    for (int64_t i = 0; i < l->n && !status; i++)
        l->file[i].test = test[i];
    ib_free(y);
    ib_free(test);
    return status;
}

/* Who asks for a test part alone and has given a folder of pictures may think that it is all of them. */
static ib_status note_share(const char *folder, ib_picture_list *l, const int wanted[3])
{
    int64_t n = 0;
    for (int64_t i = 0; i < l->n; i++)
        n += l->file[i].test;
    if (l->parted || n == l->n || l->file[0].label < 0 || !wanted[IB_SPLIT_TEST] || wanted[IB_SPLIT_TRAIN])
        return IB_OK;
    char *note = ib_format_text("%s%s%s: its test part is %lld of %lld pictures: --test-share 1 takes them all",
                                l->note ? l->note : "", l->note ? "; " : "", folder, (long long)n, (long long)l->n);
    ib_free(l->note);
    return (l->note = note) ? IB_OK : IB_ENOMEM;
}

static int is_of(const ib_picture_file *f, ib_split split)
{
    return split == IB_SPLIT_ALL || f->test == (split == IB_SPLIT_TEST);
}

static ib_dataset *open_part(const char *folder, const ib_picture_list *l, ib_split split, const ib_picture_size *size,
                             ib_schema *schema, int64_t memory)
{
    const int64_t each = (int64_t)size->c * size->h * size->w;
    const int labelled = l->file[0].label >= 0;
    int64_t n = 0, k = 0;
    for (int64_t i = 0; i < l->n; i++)
        n += is_of(&l->file[i], split);
    if (!n && split == IB_SPLIT_TRAIN)
        return ib_fail_null(IB_EFORMAT, "%s: all %lld pictures are of the test part: none is left to train on", folder,
                            (long long)l->n);
    if (!n)
        return ib_fail_null(
            IB_EFORMAT,
            "%s: too few pictures for a test part, which every fifth one of a class is: there are %lld in %d classes",
            folder, (long long)l->n, l->n_classes);
    ib_dataset *d = n <= memory / (int64_t)sizeof(float) / each
                        ? ib_dataset_reserve(folder, n, size->c, size->h, size->w, 255, labelled)
                        : ib_dataset_reserve_unread(folder, n, size->c, size->h, size->w, 255, labelled);
    int failed = !d || !(d->pictures = ib_pictures_new(n, size->c, size->h, size->w)) ||
                 (l->note && !(d->note = ib_strdup(l->note)));
    for (int64_t i = 0; i < l->n && !failed; i++)
        if (is_of(&l->file[i], split)) {
            failed = !(d->pictures->path[k] = ib_strdup(l->file[i].path));
            if (labelled)
                d->y[k] = l->file[i].label;
            k++;
        }
    if (failed || ib_pictures_measure(d->pictures, d->x)) {
        ib_dataset_free(d);
        return NULL;
    }
    d->classes = labelled ? l->n_classes : 0;
    d->schema = ib_schema_hold(schema);
    return d;
}

ib_status ib_images_open(const char *folder, const ib_input_info *net, const ib_data_opts *opts, const int wanted[3],
                         ib_dataset *parts[3])
{
    ib_picture_list list;
    ib_picture_size size;
    if (check_opts(folder, net, opts) || ib_picture_list_read(folder, opts->schema, &list))
        return ib_error_status();
    ib_status status = IB_OK;
    ib_schema *schema = find_schema(folder, &list, net, opts, &status);
    if (!status)
        status = divide(folder, &list, opts);
    if (!status)
        status = note_share(folder, &list, wanted);
    if (!status)
        status = find_size(&list, net, opts, &size);
    for (int s = 0; s < 3 && !status; s++)
        if (wanted[s] &&
            !(parts[s] = open_part(folder, &list, (ib_split)s, &size, schema, opts->memory ? opts->memory : MEMORY)))
            status = ib_error_status();
    ib_schema_free(schema);
    ib_picture_list_free(&list);
    return status;
}
