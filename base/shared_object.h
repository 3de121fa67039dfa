/* shared_object.h - whether a shared library's file has all the bytes that its headers speak of: a file that was cut
 * short is mapped by dlopen() beyond its end, and the first touch there ends the process (SIGBUS).
 *
 * Inline, since a plugin that looks for libraries has none of the library's functions. The headers are those of the
 * System V ABI ("ELF"), of this process's word size; of other files dlopen() says itself what is wrong. */
#ifndef IB_BASE_SHARED_OBJECT_H
#define IB_BASE_SHARED_OBJECT_H

#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct ib_file_extent {
    uint64_t has, needs; /* bytes; needs 0: it is no such file, or cannot be read */
} ib_file_extent;

/* offset + bytes is needed, too; what overflows is needed, and never there */
static inline void ib_extent_add(ib_file_extent *e, uint64_t offset, uint64_t bytes)
{
    const uint64_t end = bytes > UINT64_MAX - offset ? UINT64_MAX : offset + bytes;
    e->needs = end > e->needs ? end : e->needs;
}

static inline void ib_extent_read(int fd, ib_file_extent *e)
{
    ElfW(Ehdr) h;
    ElfW(Phdr) segment;
    if (pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
        h.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) || h.e_phentsize != sizeof segment)
        return;
    ib_extent_add(e, h.e_phoff, (uint64_t)h.e_phnum * sizeof segment);
    ib_extent_add(e, h.e_shoff, h.e_shoff ? (uint64_t)h.e_shnum * h.e_shentsize : 0); /* as a rule the file's end */
    for (unsigned i = 0; i < h.e_phnum && e->needs <= e->has; i++)
        if (pread(fd, &segment, sizeof segment, (off_t)(h.e_phoff + i * sizeof segment)) == (ssize_t)sizeof segment)
            ib_extent_add(e, segment.p_offset, segment.p_filesz);
}

/* It is cut short where needs > has. */
static inline ib_file_extent ib_shared_object_extent(const char *path)
{
    ib_file_extent e = {0, 0};
    struct stat info;
    const int fd = open(path, O_RDONLY);
    if (fd >= 0 && !fstat(fd, &info) && S_ISREG(info.st_mode)) {
        e.has = (uint64_t)info.st_size;
        ib_extent_read(fd, &e);
    }
    if (fd >= 0)
        close(fd);
    return e;
}

#endif
