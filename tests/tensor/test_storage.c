/* test_storage.c - storage formats against ggml's and bitsandbytes' own results, their error bounds, every level, odd
 * spans. Broken by: another rounding, a swapped nibble, a scale search that stops early, a zero block. */
#include "tests/check.h"

#include <unistd.h>

#include "backends/kernels.h"
#include "files/entry.h"
#include "tensor/storage/scaled.h"
#include "tests/golden/formats.h"
#include "tests/stored_matrix.h"

enum { ROWS = 24, COLS = 1024 };
static float x[ROWS * COLS], y[ROWS * COLS], z[ROWS * COLS];

static void make_values(void) /* as tests/golden/make_formats.py */
{
    uint32_t s = 12345;
    for (int i = 0; i < ROWS * COLS; i++) {
        s = s * 1664525u + 1013904223u;
        const float u = (float)((int)(s >> 8) - 8388608) * 0x1p-23f;
        x[i] = u * u * u;
    }
    for (int c = 0; c < COLS; c++) {
        x[c] = c < 256 ? 0 : c < 512 ? 0.25f : x[c];
        x[COLS + c] *= c < 512 ? 0x1p-20f : 1;
        x[2 * COLS + c] = -fabsf(x[2 * COLS + c]);
        x[3 * COLS + c] = fabsf(x[3 * COLS + c]);
        x[4 * COLS + c] *= c % 7 ? 1 : 0;
        x[5 * COLS + c] *= c % 32 ? 1 : 64;
    }
    for (int c = 0; c < COLS; c += 7)
        x[4 * COLS + c] = 0;
    x[6 * COLS + 300] = 1e-30f;
}

static uint64_t fnv(const void *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3u;
    return h;
}

static int is_read_alone(const ib_storage *f)
{
    return f->decode && !f->encode;
}

static void bytes_are_the_peers(void)
{
    make_values();
    for (size_t i = 0; i < sizeof golden_formats / sizeof *golden_formats; i++) {
        const struct golden_format *want = &golden_formats[i];
        const ib_storage *f = ib_storage_find(want->name);
        ib_matrix *m = f ? ib_matrix_encode(f, ROWS, COLS, x, NULL) : NULL;
        REQUIRE(m != NULL);
        const int64_t bytes = f->decode ? ib_storage_bytes(f, ROWS, COLS) : ROWS * COLS / 2;
        ib_matrix_decode(m, 0, ROWS * COLS, y);
        if (fnv(m->data, (size_t)bytes) != want->bytes || fnv(y, sizeof y) != want->values)
            printf("\n    %s: bytes %s, values %s ", f->name,
                   fnv(m->data, (size_t)bytes) == want->bytes ? "equal" : "differ",
                   fnv(y, sizeof y) == want->values ? "equal" : "differ");
        CHECK(fnv(m->data, (size_t)bytes) == want->bytes);
        CHECK(fnv(y, sizeof y) == want->values);
        ib_matrix_free(m);
    }
}

/* Every number of every grid among them. */
static void any_block_is_read_as_by_ggml(void)
{
    enum { N = 1024 * 256 };
    static float value[N];
    static uint8_t b[N * 2];
    int blocks = 0;
    for (int i = 0; ib_storage_at(i); i++)
        blocks += ib_storage_at(i)->gguf_type >= 0 && ib_storage_at(i)->block > 1;
    CHECK_INT(sizeof golden_blocks / sizeof *golden_blocks, blocks);
    for (size_t i = 0; i < sizeof golden_blocks / sizeof *golden_blocks; i++) {
        const struct golden_blocks *want = &golden_blocks[i];
        const ib_storage *f = ib_storage_find(want->name);
        REQUIRE(f && N / f->block * f->bytes <= (int)sizeof b);
        any_blocks(f, b, N / f->block * f->bytes);
        ib_storage_decode(f, b, 0, N, value);
        if (fnv(value, sizeof value) != want->values)
            printf("\n    %s: values %a %a %a, not %a %a %a ", f->name, (double)value[3], (double)value[5000],
                   (double)value[N - 1], (double)want->some[0], (double)want->some[1], (double)want->some[2]);
        CHECK(value[3] == want->some[0] && value[5000] == want->some[1] && value[N - 1] == want->some[2]);
        CHECK(fnv(value, sizeof value) == want->values);
    }
}

/* One line says so wherever something is to be written, and what else can be done. */
static void what_is_read_alone_is_not_written(void)
{
    int alone = 0;
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        if (is_read_alone(f)) {
            char want[64];
            snprintf(want, sizeof want, "%s is read, run and copied as it is, but not written", f->name);
            alone++;
            CHECK_ERROR(ib_matrix_encode(f, 8, COLS, x, NULL) == NULL, want);
            CHECK_ERROR(ib_storage_writable(f->name) == NULL, want);
            CHECK(ib_error_status() == IB_EUNSUPPORTED && ib_storage_find(f->name) == f);
        } else {
            CHECK(ib_storage_writable(f->name) == f);
        }
    }
    CHECK_INT(alone, 7);
    CHECK_ERROR(ib_storage_writable("q9_z") == NULL, "q9_z");
}

static void errors_stay_within_their_bounds(void)
{
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = 2 * ib_rng_uniform((ib_rng){3, 1}, (uint64_t)i) - 1;
    for (int i = 0; ib_storage_at(i); i++) {
        if (is_read_alone(ib_storage_at(i)))
            continue;
        ib_matrix *m = ib_matrix_encode(ib_storage_at(i), ROWS, COLS, x, NULL);
        REQUIRE(m != NULL);
        ib_matrix_decode(m, 0, ROWS * COLS, y);
        double e = 0, p = 0;
        for (int j = 0; j < ROWS * COLS; j++) {
            e += (double)(y[j] - x[j]) * (y[j] - x[j]);
            p += (double)x[j] * x[j];
        }
        if (sqrt(e / p) > ib_storage_at(i)->max_error)
            printf("\n    %s: error %.4f, bound %.4f ", ib_storage_at(i)->name, sqrt(e / p),
                   (double)ib_storage_at(i)->max_error);
        CHECK(sqrt(e / p) <= ib_storage_at(i)->max_error);
        ib_matrix_free(m);
    }
}

/* The squared error, each column's counting as it matters. */
static double weighted_error(const ib_matrix *m, const float *importance)
{
    double e = 0;
    ib_matrix_decode(m, 0, ROWS * COLS, y);
    for (int i = 0; i < ROWS * COLS; i++)
        e += (double)importance[i % COLS] * (y[i] - x[i]) * (y[i] - x[i]);
    return e;
}

/* A column in eight matters: formats that choose their scales by error choose others, with less of the error that
 * counts. Formats that do not stay as they are, and so does what nothing matters for. */
static void what_matters_steers_the_scales(void)
{
    static const char *const by_error[] = {"q4_0", "q4_1", "q5_0", "q5_1",   "q2_k",  "q3_k",
                                           "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs"};
    static float importance[COLS], none[COLS];
    make_values();
    for (int c = 0; c < COLS; c++)
        importance[c] = c % 8 == 3 ? 100 : 0.01f;
    for (int i = 0; ib_storage_at(i); i++) {
        const ib_storage *f = ib_storage_at(i);
        int chooses = 0;
        if (is_read_alone(f))
            continue;
        for (size_t k = 0; k < sizeof by_error / sizeof *by_error; k++)
            chooses |= !strcmp(f->name, by_error[k]);
        ib_matrix *plain = ib_matrix_encode(f, ROWS, COLS, x, NULL), *same = ib_matrix_encode(f, ROWS, COLS, x, none),
                  *steered = ib_matrix_encode(f, ROWS, COLS, x, importance);
        REQUIRE(plain && same && steered);
        const size_t bytes = ib_matrix_part_bytes(plain, IB_PART_data);
        CHECK(!memcmp(plain->data, same->data, bytes));
        CHECK(!memcmp(plain->data, steered->data, bytes) == !chooses);
        const double before = weighted_error(plain, importance), after = weighted_error(steered, importance);
        if (chooses && after >= 0.9 * before)
            printf("\n    %s: error %g, without weights %g ", f->name, after, before);
        CHECK(chooses ? after < 0.9 * before : after == before);
        ib_matrix_free(plain);
        ib_matrix_free(same);
        ib_matrix_free(steered);
    }
    importance[5] = -1;
    CHECK_ERROR(ib_matrix_encode(ib_storage_find("q4_k"), ROWS, COLS, x, importance) == NULL, "is -1 for column 5");
}

static void levels_and_spans_agree(void)
{
    make_values();
    for (int i = 0; ib_storage_at(i); i++) {
        ib_matrix *m = a_stored_matrix(ib_storage_at(i), ROWS, COLS, x);
        ib_matrix_decode(m, 0, ROWS * COLS, y);
        for (int l = 0; ib_device_name_at(l); l++) {
            ib_device *dev = ib_device_open(ib_device_name_at(l));
            if (!dev)
                continue;
            dev->k.decode(dev, m, 0, ROWS * COLS, z);
            CHECK(!memcmp(y, z, sizeof y));
            for (int64_t first = 1; first < ROWS * COLS - 900; first += 1777) {
                const int64_t n = 1 + first % 800;
                z[n] = 42;
                dev->k.decode(dev, m, first, n, z);
                CHECK(!memcmp(y + first, z, (size_t)n * 4) && z[n] == 42);
            }
            ib_device_close(dev);
        }
        ib_matrix_free(m);
    }
}

static void halves(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = ib_half_to_float((uint16_t)h), b = ib_bf16_to_float((uint16_t)h);
        if (!isnan(f))
            CHECK_INT(ib_float_to_half(f), h);
        if (!isnan(b))
            CHECK_INT(ib_float_to_bf16(b), h);
        if (h < 0x7c00 - 1) { /* halfway to the next: to even */
            const float mid = (f + ib_half_to_float((uint16_t)(h + 1))) / 2;
            CHECK_INT(ib_float_to_half(mid), h + (h & 1));
            CHECK_INT(ib_float_to_half(nextafterf(mid, 1e9f)), h + 1);
        }
    }
    CHECK_INT(ib_float_to_half(65519), 0x7bff);
    CHECK_INT(ib_float_to_half(65520), 0x7c00);
    CHECK(isnan(ib_half_to_float(ib_float_to_half(NAN))) && isnan(ib_bf16_to_float(ib_float_to_bf16(NAN))));
}

/* The tensor as a mapped file with two bytes of ones at `at`; 1 if it is refused, at the element `where`. */
static int is_refused(const ib_storage *f, const uint8_t *bytes, int64_t n, int64_t at, int64_t where)
{
    char path[64], want[64];
    ib_mapped m;
    uint8_t *changed = ib_alloc((size_t)n);
    REQUIRE(changed != NULL);
    memcpy(changed, bytes, (size_t)n);
    memset(changed + at, 0xff, 2);
    snprintf(path, sizeof path, "/tmp/isobit-test-storage-%ld", (long)getpid());
    REQUIRE(!ib_file_replace(path, changed, (size_t)n) && !ib_file_map(path, &m));
    const ib_entry e = {.name = "w.weight", .format = f, .data = m.data, .bytes = n};
    const int refused = ib_entry_check_finite(&e) != 0;
    snprintf(want, sizeof want, " at %lld", (long long)where);
    if (refused)
        CHECK(strstr(ib_error(), "tensor 'w.weight' holds") && strstr(ib_error(), want) &&
              !strcmp(strstr(ib_error(), want), want));
    ib_file_unmap(&m);
    unlink(path);
    ib_free(changed);
    return refused;
}

/* Ones are put on any two bytes of a block: it is refused where, and only where, decoding gives what is no number. */
static void blocks_that_are_not_finite_are_found(void)
{
    make_values();
    for (int i = 0; ib_storage_at(i) && ib_storage_at(i)->decode; i++) {
        const ib_storage *f = ib_storage_at(i);
        const int64_t bytes = ib_storage_bytes(f, 8, COLS), block = bytes / f->bytes / 2;
        ib_matrix *m = a_stored_matrix(f, 8, COLS, x + 8 * COLS);
        for (int at = 0; at + 2 <= f->bytes; at++) {
            uint8_t one[300];
            float value[256];
            memcpy(one, m->data + block * f->bytes, (size_t)f->bytes);
            memset(one + at, 0xff, 2);
            f->decode(one, value);
            int bad = 0;
            for (int j = 0; j < f->block; j++)
                bad |= !isfinite(value[j]);
            const int refused = is_refused(f, m->data, bytes, block * f->bytes + at, block * f->block);
            if (refused != bad)
                printf("\n    %s: byte %d: %s ", f->name, at, bad ? "is accepted" : "is refused");
            CHECK(refused == bad);
        }
        ib_matrix_free(m);
    }
}

/* Infinities of either sign and NaN, the first of several, in pieces of 4 MB that threads share. */
static void the_first_of_a_large_tensor_is_named(void)
{
    static const char *const names[] = {"f32", "f16", "bf16", "q8_0", "q3_k"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const ib_storage *f = ib_storage_find(names[i]);
        const int64_t bytes = 9000000 / f->bytes * f->bytes, at = 8000000 / f->bytes;
        uint8_t *b = ib_alloc((size_t)bytes);
        REQUIRE(b != NULL);
        memset(b + (bytes - f->bytes), 0xff, (size_t)f->bytes);
        CHECK(is_refused(f, b, bytes, at * f->bytes + f->real, at * f->block));
        for (int sign = 0; sign < 2; sign++) { /* infinity */
            const uint16_t inf = (uint16_t)(f->exponent | sign << 15);
            memcpy(b + 100 * f->bytes + f->real, &inf, 2);
            CHECK(is_refused(f, b, bytes, at * f->bytes + f->real, 100 * f->block));
        }
        ib_free(b);
    }
}

static void what_does_not_fit_is_refused(void)
{
    CHECK_ERROR(ib_matrix_encode(ib_storage_find("q4_k"), 2, 100, x, NULL) == NULL,
                "rows of 100 elements are not whole blocks of 256");
    CHECK_ERROR(ib_storage_find("q9_z") == NULL, "q9_z");
    CHECK_ERROR(ib_storage_gguf(99) == NULL, "99");
}

SUITE("storage", T(bytes_are_the_peers), T(any_block_is_read_as_by_ggml), T(what_is_read_alone_is_not_written),
      T(errors_stay_within_their_bounds), T(what_matters_steers_the_scales), T(levels_and_spans_agree), T(halves),
      T(blocks_that_are_not_finite_are_found), T(the_first_of_a_large_tensor_is_named), T(what_does_not_fit_is_refused))
