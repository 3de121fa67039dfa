/* picture_folders.h - which pictures a folder holds, of which classes and parts. */
#ifndef IB_DATA_PICTURES_PICTURE_FOLDERS_H
#define IB_DATA_PICTURES_PICTURE_FOLDERS_H

#include <isobit/data.h>

typedef struct ib_picture_file {
    char *path;
    int32_t label; /* -1: there are no classes */
    int test;      /* it is of the test part */
} ib_picture_file;

typedef struct ib_picture_list {
    ib_picture_file
        *file; /* [n] training part before test part if these have folders, classes in order, names sorted */
    int64_t n, room;
    int parted; /* the parts have folders of their own */
    int whole;  /* each folder is of one part, and not divided */
    int n_classes;
    char **classes;
    char *note; /* what is left out, or NULL */
    int64_t litter;
    char *first_litter;
} ib_picture_list;

/* The classes are those of the schema in its order where it names any, else the sorted names of the folders. */
ib_status ib_picture_list_read(const char *folder, const ib_schema *schema, ib_picture_list *out);
void ib_picture_list_free(ib_picture_list *l);

#endif
