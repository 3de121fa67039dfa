/* folder_listing.h - the names in a folder, in an order that no file system and no language decides. */
#ifndef IB_DATA_PICTURES_FOLDER_LISTING_H
#define IB_DATA_PICTURES_FOLDER_LISTING_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

typedef struct ib_listing {
    char *path;
    char **name;        /* [n] folders, then files, each sorted by their bytes */
    int64_t n, folders; /* folders: how many of them */
    int64_t litter;     /* hidden files and what file managers leave behind, which are left out */
    char *first_litter; /* the path of one, or NULL */
    int64_t room;
} ib_listing;

/* Links count as what they point at. IB_EIO or IB_EFORMAT naming a folder that cannot be read, a link to nothing, what
 * is neither file nor folder, a name that is not UTF-8 or has control characters. */
ib_status ib_listing_read(const char *folder, ib_listing *out);
int ib_listing_has_folder(const ib_listing *l, const char *name);
void ib_listing_free(ib_listing *l);

/* One more of n things of `size` bytes in *p, which has room for *room. */
ib_status ib_grow(void **p, int64_t n, int64_t *room, size_t size);

#endif
