/* fuzz_parts.c - GGUF files in two parts, bytes of which are changed, or one of them cut. */
#include "tests/fuzz/fuzz.h"

#include <sys/stat.h>

#include "files/file.h"
#include "files/gguf.h"
#include "tests/lm/saving.h"

enum { PARTS = 2, ROOM = 1 << 20 };
static unsigned char good[PARTS][ROOM], bytes[ROOM];
static size_t good_size[PARTS];
static char folder[64], path[PARTS][128];

static void write_part(const ib_gguf *f, int no, int64_t from, int64_t to)
{
    ib_gguf_writer w = {0};
    for (int64_t i = 0; i < f->n_kv && !no; i++)
        ib_gguf_put_kv(&w, &f->kv[i]);
    ib_gguf_put_u32(&w, "split.no", (uint32_t)no);
    ib_gguf_put_u32(&w, "split.count", PARTS);
    ib_gguf_put_u32(&w, "split.tensors.count", (uint32_t)f->n_entries);
    for (int64_t i = from; i < to; i++)
        ib_gguf_put_tensor(&w, f->entry[i].name, f->entry[i].ndim, f->entry[i].shape, f->entry[i].format);
    ib_file_writer *file = ib_gguf_start(&w, path[no]);
    for (int64_t i = from; i < to; i++)
        ib_gguf_data(file, f->entry[i].data, (size_t)f->entry[i].bytes);
    if (ib_file_writer_finish(file))
        abort();
    ib_gguf_writer_release(&w);
}

static void make_good(void)
{
    char whole[128];
    snprintf(folder, sizeof folder, "/dev/shm/isobit-fuzz-parts-%ld", (long)getpid());
    mkdir(folder, 0777);
    snprintf(whole, sizeof whole, "%s/whole.gguf", folder);
    ib_lm *m = ib_lm_open(IB_TEST_SOURCE "/golden/models/chat");
    if (!m || save_model(m, whole, NULL, NULL))
        abort();
    ib_lm_free(m);
    ib_gguf *f = ib_gguf_open(whole);
    for (int i = 0; f && i < PARTS; i++) {
        snprintf(path[i], sizeof path[i], "%s/p-%05d-of-%05d.gguf", folder, i + 1, PARTS);
        write_part(f, i, i ? f->n_entries / 2 : 0, i ? f->n_entries : f->n_entries / 2);
        FILE *file = fopen(path[i], "rb");
        good_size[i] = file ? fread(good[i], 1, ROOM, file) : 0;
        if (!good_size[i] || good_size[i] == ROOM)
            abort();
        fclose(file);
    }
    ib_gguf_close(f);
}

/* First byte: from 128 the first part is cut, from 192 the second; then changes of three bytes: the part, and the place
 * in its first 32768 bytes (2); value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!*folder)
        make_good();
    if (size < 1)
        return 0;
    for (int i = 0; i < PARTS; i++) {
        size_t n = good_size[i];
        memcpy(bytes, good[i], n);
        for (size_t k = 1; k + 3 <= size; k += 3)
            if ((data[k + 1] & 1) == i)
                bytes[(size_t)(data[k] | (data[k + 1] >> 1) << 8) % n] = data[k + 2];
        if (data[0] >> 6 == 2 + i)
            n = n * (data[0] & 63) / 63;
        FILE *f = fopen(path[i], "wb");
        if (!f || fwrite(bytes, 1, n, f) != n || fclose(f))
            abort();
    }
    ib_lm *m = ib_lm_open(path[0]);
    if (!m && (!*ib_error() || strchr(ib_error(), '\n') || (size < 4 && data[0] < 128)))
        abort();
    ib_tokenizer_free(ib_tokenizer_open(path[0]));
    ib_lm_free(m);
    return 0;
}
