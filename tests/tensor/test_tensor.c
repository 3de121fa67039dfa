/* test_tensor.c - tensors, random numbers, storage formats. Broken by: another generator, other packing, lost
 * errors. */
#include "tests/check.h"

static void philox_known_answers(void)
{
    /* Random123's kat_vectors, philox4x32 with 10 rounds, counter and key 0 */
    const uint32_t want[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; i++)
        CHECK_INT(ib_rng_u32((ib_rng){0, 0}, (uint64_t)i), want[i]);
}

static void uniform_and_normal_have_their_moments(void)
{
    const ib_rng r = {42, 7};
    double sum = 0, square = 0, nsum = 0, nsquare = 0;
    enum { N = 200000 };
    for (int i = 0; i < N; i++) {
        const double u = ib_rng_uniform(r, (uint64_t)i), n = ib_rng_normal(r, (uint64_t)i);
        CHECK(u >= 0 && u < 1);
        sum += u;
        square += u * u;
        nsum += n;
        nsquare += n * n;
    }
    CHECK_NEAR(sum / N, 0.5, 0.003);
    CHECK_NEAR(square / N, 1.0 / 3, 0.003);
    CHECK_NEAR(nsum / N, 0, 0.01);
    CHECK_NEAR(nsquare / N, 1, 0.02);
}

static void formats_pack_and_unpack_every_code(void)
{
    int count = 0;
    for (const ib_format *f; (f = ib_format_at(count)); count++) {
        int8_t codes[67], back[67];
        uint8_t bytes[68];
        const int lo = -(1 << (f->bits - 1)), span = 1 << f->bits;
        for (int n = 1; n <= 67; n++) {
            memset(bytes, 0xAA, sizeof bytes);
            for (int i = 0; i < n; i++)
                codes[i] = (int8_t)(lo + (i * 37 + n) % span);
            f->pack(codes, n, bytes);
            CHECK_INT(bytes[ib_format_bytes(f, n)], 0xAA); /* nothing behind the end */
            f->unpack(bytes, n, back);
            const int same = !memcmp(codes, back, (size_t)n);
            if (!same)
                printf("\n    %s: %d codes come back as others\n", f->name, n);
            CHECK(same);
        }
    }
    CHECK(count >= 3);
}

static void int4_has_element_zero_in_the_low_nibble(void)
{
    uint8_t byte;
    ib_format_find("int4")->pack((const int8_t[]){-3, 5}, 2, &byte);
    CHECK_INT(byte, 0x5D);
}

static void rounding_error_is_within_the_table(void)
{
    for (int k = 0; ib_format_at(k); k++) {
        const ib_format *f = ib_format_at(k);
        double square = 0;
        for (int i = 0; i < 20000; i++) {
            const double x = 2 * ib_rng_uniform((ib_rng){3, 3}, (uint64_t)i) - 1, q = rint(x * f->qmax) / f->qmax;
            square += (x - q) * (x - q);
        }
        const double rmse = sqrt(square / 20000);
        CHECK(rmse <= f->max_rmse && rmse > 0.5 * f->max_rmse);
    }
}

static void wrong_shapes_and_names_say_why(void)
{
    CHECK_ERROR(!ib_tensor_new(IB_F32, 2, (int64_t[]){3, 0}, 0, NULL) ? 1 : 0, "dimension 1 is 0");
    CHECK_ERROR(!ib_tensor_new(IB_F32, 5, (int64_t[]){1, 1, 1, 1, 1}, 0, NULL) ? 1 : 0, "ndim is 5");
    CHECK_ERROR(!ib_tensor_new(IB_F32, 2, (int64_t[]){1ll << 39, 1ll << 39}, 0, NULL) ? 1 : 0, "dimension");
    CHECK_ERROR(!ib_format_find("int3") ? 1 : 0, "int3");
    CHECK_ERROR(!ib_device_open("cpu:avx9") ? 1 : 0, "avx9");
    CHECK_ERROR(!ib_device_open("gpu") ? 1 : 0, "gpu");
    CHECK_ERROR(ib_threads_set(-1), "-1");
    ib_tensor_free(NULL);
    ib_device_close(NULL);
    CHECK(strlen(ib_status_text(IB_EFORMAT)) > 0);
}

SUITE("tensor", T(philox_known_answers), T(uniform_and_normal_have_their_moments),
      T(formats_pack_and_unpack_every_code), T(int4_has_element_zero_in_the_low_nibble),
      T(rounding_error_is_within_the_table), T(wrong_shapes_and_names_say_why))
