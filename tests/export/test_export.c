/* test_export.c - lowering, memory plan, printed C under strict compilers and sanitizers, HDF5 program. Broken by:
 * values that overlap in the arena, a constant that is not training's, a warning. */
#include "tests/check.h"

#include <ctype.h>
#include <hdf5.h>
#include <unistd.h>

#include "program/program.h"
#include "tests/numbers.h"
#include "tests/export/rows.h"

static ib_device *dev;
static ib_graph *g;
static char dir[64];

/* A network after a few steps of quantized training, lowered. */
static ib_program *program(const char *model, const char *bits, ib_qat_opts o, ib_layer **net)
{
    ib_dataset *d = ib_digits_new(IB_SPLIT_TRAIN);
    const ib_input_info info = ib_dataset_info(d);
    ib_loader *l = ib_loader_new(d, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1});
    *net = ib_model_new(model, 1, 8, 8, 10);
    REQUIRE(*net && !ib_layer_init(*net, 4) && !ib_qat_bits_parse(bits, &o));
    ib_layer_set_input(*net, &info);
    REQUIRE(!ib_qat_begin(*net, g, l, &o) && !ib_qat_set_phase(*net, g, IB_FROZEN));
    ib_program *p = ib_program_lower(*net, g);
    ib_loader_free(l);
    ib_dataset_free(d);
    REQUIRE(p != NULL);
    return p;
}

static void begin(void)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    snprintf(dir, sizeof dir, "/tmp/isobit-test-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(!system(command));
    ib_graph_free(g);
    ib_device_close(dev);
}

static void values_never_share_memory_while_alive(void)
{
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"};
    begin();
    for (int m = 0; m < 4; m++) {
        ib_layer *net;
        ib_program *p = program(models[m], "w8a8", (ib_qat_opts){0}, &net);
        int64_t sum = 0;
        for (int a = 1; a < p->n_values; a++)
            for (int b = 1; b < a; b++) {
                const ib_value *x = &p->values[a], *y = &p->values[b];
                const int in_time = x->first <= y->last && y->first <= x->last;
                const int in_space = x->offset < y->offset + y->size && y->offset < x->offset + x->size;
                CHECK(x->offset < 0 || y->offset < 0 || !in_time || !in_space);
            }
        for (int v = 1; v < p->n_values; v++) {
            sum += p->values[v].size;
            CHECK(p->values[v].offset + p->values[v].size <= p->arena);
        }
        CHECK(p->arena < sum); /* memory is reused */
        ib_program_free(p);
        ib_layer_free(net);
    }
    end();
}

static void bounds_hold_for_the_worst_input(void)
{
    begin();
    ib_layer *net;
    ib_program *p = program("mlp", "w4a8", (ib_qat_opts){0}, &net);
    const ib_instr *i = &p->instrs[0];
    int64_t worst = 0;
    for (int o = 0; o < i->p.conv.out_c; o++)
        for (int sign = -1; sign <= 1; sign += 2) { /* each weight meets the code that pushes furthest */
            int64_t acc = i->bias[o];
            for (int k = 0; k < 64; k++) {
                const int w = i->codes[o * 64 + k], code = w * sign > 0 ? 127 : -128;
                acc += w * (code - i->p.conv.in_zero);
            }
            worst = llabs(acc) > worst ? llabs(acc) : worst;
        }
    CHECK(worst > 0 && worst <= ib_program_layer_at(p, 0).acc_bound);
    CHECK_INT(ib_program_layer_at(p, 0).macs, 64 * 256);
    ib_program_free(p);
    ib_layer_free(net);
    end();
}

/* Compiles <name>.c with a main that runs the self-test. */
static int compile_and_run(const char *name, const char *cc)
{
    char command[900], path[128], upper[32] = "";
    for (size_t i = 0; name[i] && i < sizeof upper - 1; i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    snprintf(path, sizeof path, "%s/main.c", dir);
    FILE *f = fopen(path, "w");
    /* 0.0 in fixed point has the zero point as its code */
    fprintf(f,
            "#include \"%s.h\"\nint main(void)\n{\n    int8_t c[64];\n    int32_t x[64] = {0};\n    %s_quantize_q16(x, "
            "c);\n    return %s_self_test() != 0 || c[63] != %s_INPUT_ZERO;\n}\n",
            name, name, name, upper);
    fclose(f);
    snprintf(command, sizeof command,
             "%s -std=c99 -pedantic -Wall -Wextra -Werror -I%s %s/main.c %s/%s.c -o %s/run 2>%s/log && %s/run || { cat "
             "%s/log; false; }",
             cc, dir, dir, dir, name, dir, dir, dir, dir);
    return system(command);
}

static void printed_c_is_strict_integer_and_right(void)
{
    static const char *const compilers[] = {"gcc -O2", "clang -O2",
                                            "gcc -O1 -fsanitize=undefined,address -fno-sanitize-recover=all"};
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn", "tfc", "resnet8"};
    static const char *const bits[] = {"w8a8", "w4a8", "w2a8", "w4a4", "w2a2", "w8a8"};
    begin();
    for (int m = 0; m < 6; m++) {
        ib_layer *net;
        ib_qat_opts o = {.profile = (ib_profile)((m + 1) % 4),
                         .granularity = m == 1 ? IB_PER_GROUP : IB_PER_CHANNEL,
                         .group_size = m == 1 ? 8 : 0};
        ib_program *p = program(models[m], bits[m], o, &net);
        int8_t samples[5 * 64];
        for (int i = 0; i < 5 * 64; i++)
            samples[i] = (int8_t)ib_rng_u32((ib_rng){1, 1}, (uint64_t)i);
        for (int i = 0; (m == 3 || m == 4) && i < 5 * 64; i++) /* codes of fewer bits */
            samples[i] = (int8_t)(samples[i] >> (m == 3 ? 4 : 6));
        int8_t expected[5 * 10];
        REQUIRE(ib_program_output_size(p) == 10 && !ib_program_run(p, dev, 5, samples, expected));
        REQUIRE(!ib_export_c(p, dev, dir, models[m], &(ib_vectors){5, samples, expected}));
        char path[128], text[200];
        snprintf(path, sizeof path, "%s/%s.c", dir, models[m]);
        FILE *f = fopen(path, "r");
        int includes = 0;
        while (fgets(text, sizeof text, f)) {
            includes += !strncmp(text, "#include", 8) && strcmp(text, "#include <arm_mve.h>\n") &&
                        strcmp(text, "#include <arm_acle.h>\n") && strcmp(text, "#include <arm_neon.h>\n");
            CHECK(!strstr(text, "float ") && !strstr(text, "double ") && !strstr(text, "malloc"));
        }
        fclose(f);
        CHECK_INT(includes, 1); /* its own header, which includes <stdint.h>; intrinsics only on cores that have them */
        for (int c = 0; c < 3; c++) {
            if (c == 1 && system("command -v clang >/dev/null"))
                continue;
            CHECK(compile_and_run(models[m], compilers[c]) == 0);
        }
        ib_program_free(p);
        ib_layer_free(net);
    }
    end();
}

static void names_and_folders_are_checked(void)
{
    begin();
    ib_layer *net;
    ib_program *p = program("mlp", "w8a8", (ib_qat_opts){0}, &net);
    CHECK_ERROR(ib_export_c(p, dev, dir, "7up", NULL), "7up");
    CHECK_ERROR(ib_export_c(p, dev, dir, "a-b", NULL), "a-b");
    CHECK_ERROR(ib_export_c(p, dev, "/proc/nowhere", "net", NULL), "/proc/nowhere");
    CHECK(ib_export_c(NULL, dev, dir, "net", NULL) != IB_OK);
    const int8_t codes[64] = {0};
    CHECK_ERROR(ib_export_c(p, dev, dir, "net", &(ib_vectors){1, codes, NULL}), "without codes");
    CHECK_ERROR(ib_export_c(p, dev, dir, "net", &(ib_vectors){1, NULL, codes}), "without samples");
    ib_program_free(p);
    ib_layer_free(net);
    ib_program_free(NULL);
    end();
}

static void the_program_is_an_hdf5_file(void)
{
    char path[128];
    int32_t bias[256];
    begin();
    ib_layer *net;
    ib_program *p = program("mlp", "w4a8", (ib_qat_opts){0}, &net);
    snprintf(path, sizeof path, "%s/program.h5", dir);
    REQUIRE(!ib_export_hdf5(p, path));
    const hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d = H5Dopen2(f, "000_fc1/bias", H5P_DEFAULT);
    REQUIRE(d >= 0 && H5Dread(d, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, bias) >= 0);
    CHECK(!memcmp(bias, p->instrs[0].bias, sizeof bias));
    H5Dclose(d);
    H5Fclose(f);
    ib_program_free(p);
    ib_layer_free(net);
    end();
}

/* Written, opened and written again: the same bytes, in HDF5 and in what the opened program exports, and the same
 * codes. Broken by: anything that a program has and its file lacks. */
static void programs_are_opened_again(void)
{
    static const char *const models[] = {"mlp", "lenet", "resnet8", "dscnn"}, *const bits[] = {"w8a8", "w4a8", "w2a8",
                                                                                               "w4a4"};
    char first[128], second[128], line[300];
    begin();
    for (int m = 0; m < 4; m++)
        for (int profile = IB_TFLITE_DOUBLE; profile <= IB_XNNPACK; profile++) {
            ib_layer *net;
            const int grouped = m == 0 && profile == 1;
            ib_program *p = program(models[m], bits[(m + profile) % 4],
                                    (ib_qat_opts){.profile = (ib_profile)profile,
                                                  .granularity = grouped ? IB_PER_GROUP : IB_PER_CHANNEL,
                                                  .group_size = grouped ? 16 : 0},
                                    &net);
            snprintf(first, sizeof first, "%s/first.h5", dir);
            snprintf(second, sizeof second, "%s/second.h5", dir);
            REQUIRE(!ib_export_hdf5(p, first));
            ib_program *q = ib_program_open(first);
            if (!q)
                printf("\n    %s ", ib_error());
            REQUIRE(q && !ib_export_hdf5(q, second));
            CHECK(same_file(first, second));
            REQUIRE(!ib_export_c(p, dev, dir, "first", NULL) && !ib_export_c(q, dev, dir, "second", NULL));
            snprintf(line, sizeof line,
                     "cd %s && sed s/second/first/g second.c | sed s/SECOND/FIRST/g >third.c && cmp -s first.c third.c",
                     dir);
            CHECK(!system(line));
            const int64_t in = ib_program_input_size(p), out = ib_program_output_size(p);
            int8_t *x = malloc((size_t)(3 * in)), *a = malloc((size_t)(3 * out)), *b = malloc((size_t)(3 * out));
            for (int64_t i = 0; i < 3 * in; i++)
                x[i] = (int8_t)ib_rng_u32((ib_rng){2, 1}, (uint64_t)i);
            CHECK(ib_program_input_size(q) == in && ib_program_output_size(q) == out);
            CHECK(!ib_program_run(p, dev, 3, x, a) && !ib_program_run(q, dev, 3, x, b) &&
                  !memcmp(a, b, (size_t)(3 * out)));
            free(x), free(a), free(b);
            ib_program_free(q);
            ib_program_free(p);
            ib_layer_free(net);
        }
    CHECK_ERROR(ib_program_open("/nowhere.h5") == NULL, "/nowhere.h5");
    FILE *f = fopen(first, "r+");
    REQUIRE(f && !fseek(f, 3000, SEEK_SET) && fputc('x', f) == 'x');
    fclose(f);
    CHECK_ERROR(ib_program_open(first) == NULL, "damaged");
    end();
}

/* Every level and any batch gives the same codes. */
static void programs_run_alike_everywhere(void)
{
    begin();
    ib_layer *net;
    ib_program *p = program("resnet8", "w4a8", (ib_qat_opts){.profile = IB_FP32_RNE}, &net);
    int8_t in[9 * 64], first[90], out[90];
    for (int i = 0; i < 9 * 64; i++)
        in[i] = (int8_t)ib_rng_u32((ib_rng){2, 1}, (uint64_t)i);
    REQUIRE(!ib_program_run(p, dev, 9, in, first));
    static const char *const levels[] = {"cpu:ref", "cpu:base", "cpu"};
    for (int l = 0; l < 3; l++)
        for (int threads = 1; threads <= 2; threads++) {
            ib_device *other = ib_device_open(levels[l]);
            ib_threads_set(threads);
            memset(out, 0, sizeof out);
            for (int i = 0; i < 9; i++)
                REQUIRE(!ib_program_run(p, other, 1, in + 64 * i, out + 10 * i));
            CHECK(!memcmp(first, out, sizeof out));
            ib_device_close(other);
        }
    ib_threads_set(0);
    ib_program_free(p);
    ib_layer_free(net);
    end();
}

/* Every reader of flattened values, in both orders: evaluation, the integer runtime at two levels, the compiled C of
 * some, and the program opened again give the same codes, and results have the network's own shape. Broken by: an
 * order that a reader does not see. */
static void check_rows(int reader, int orders, int behind)
{
    ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
    const ib_input_info info = ib_dataset_info(d);
    ib_loader *l = ib_loader_new(d, &info, &(ib_loader_opts){.batch = 20});
    ib_layer *net = rows_network(reader, orders & 1, orders >> 1, behind);
    REQUIRE(net && !ib_layer_init(net, 3));
    ib_layer_set_input(net, &info);
    REQUIRE(!ib_qat_begin(net, g, l, &(ib_qat_opts){.profile = (ib_profile)((reader + orders) % 3)}) &&
            !ib_qat_set_phase(net, g, IB_FROZEN));
    ib_verify_report r;
    ib_dataset_limit(d, 20);
    if (ib_verify(net, g, d, &(ib_verify_opts){.batch = 20, .skip_compiled = reader != ROWS_ALL, .flags = "-O1"}, &r))
        printf("\n    %s ", ib_error());
    CHECK_INT(r.mismatches, 0);
    CHECK(r.samples == 20);
    ib_verify_report_free(&r);
    ib_program *p = ib_program_of(net, g);
    REQUIRE(p != NULL);
    ib_batch b;
    ib_loader_start(l, 0, 0);
    REQUIRE(ib_loader_next(l, &b));
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x));
    REQUIRE(y != NULL);
    const ib_value *out = &p->values[p->result];
    CHECK(out->ndim == ib_tensor_ndim(y) &&
          !memcmp(out->shape + 1, ib_tensor_shape(y) + 1, (size_t)(out->ndim - 1) * sizeof *out->shape));
    char path[128];
    snprintf(path, sizeof path, "%s/rows.h5", dir);
    REQUIRE(!ib_export_hdf5(p, path));
    ib_program *q = ib_program_open(path);
    if (!q)
        printf("\n    %s ", ib_error());
    REQUIRE(q && q->n_instrs == p->n_instrs);
    ib_device *plain = ib_device_open("cpu:ref");
    const float *values = values_of(y);
    int8_t in[20 * 64], *got = malloc((size_t)(20 * out->size));
    ib_program_quantize(p, dev, 20, b.x, in);
    for (int i = 0; i < 2; i++) {
        REQUIRE(!ib_program_run(i ? q : p, i ? plain : dev, 20, in, got));
        int64_t wrong = 0;
        for (int64_t j = 0; reader != ROWS_SOFTMAX && j < 20 * out->size; j++) /* that is left to the caller */
            wrong += fabsf(out->scale * (float)(got[j] - out->zero) - values[j]) > 1e-6f * out->scale;
        CHECK_INT(wrong, 0);
    }
    free(got);
    ib_device_close(plain);
    ib_program_free(p);
    ib_program_free(q);
    ib_layer_free(net);
    ib_loader_free(l);
    ib_dataset_free(d);
}

/* The program as it was written before reshape was an instruction: readers have what lies behind it, a scaled row is
 * an image of one pixel. */
static void as_of_old(ib_program *p)
{
    int map[64], n = 0;
    for (int i = 0; i < p->n_instrs; i++) {
        ib_instr *k = &p->instrs[i];
        for (int j = 0; j < k->n_in; j++)
            k->in[j] = k->in[j] ? map[k->in[j]] : 0;
        if (k->cls == &ib_instr_reshape) {
            map[k->out] = k->in[0];
            ib_free(k->name);
            continue;
        }
        p->values[n + 1] = p->values[k->out];
        if (k->cls == &ib_instr_conv2d && p->values[n + 1].ndim == 2) {
            p->values[n + 1].ndim = 4;
            p->values[n + 1].shape[2] = p->values[n + 1].shape[3] = 1;
        }
        map[k->out] = n + 1;
        k->out = n + 1;
        p->instrs[n++] = *k;
    }
    p->result = map[p->result];
    p->n_instrs = n;
    p->n_values = n + 1;
}

static void older_programs_open(void)
{
    static const int readers[] = {ROWS_LINEAR, ROWS_RELU, ROWS_NORM, ROWS_ADD, ROWS_MUL, ROWS_CONCAT};
    char path[128];
    begin();
    ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
    const ib_input_info info = ib_dataset_info(d);
    ib_loader *l = ib_loader_new(d, &info, &(ib_loader_opts){.batch = 20});
    for (int i = 0; i < 6; i++)
        for (int behind = 0; behind < 2; behind++) {
            ib_layer *net = rows_network(readers[i], 0, 0, behind);
            REQUIRE(net && !ib_layer_init(net, 3));
            ib_layer_set_input(net, &info);
            REQUIRE(!ib_qat_begin(net, g, l, NULL) && !ib_qat_set_phase(net, g, IB_FROZEN));
            ib_program *p = ib_program_of(net, g);
            REQUIRE(p != NULL);
            int8_t in[4 * 64], want[4 * 2 * ROWS_SIZE], got[4 * 2 * ROWS_SIZE];
            for (int k = 0; k < 4 * 64; k++)
                in[k] = (int8_t)ib_rng_u32((ib_rng){6, 1}, (uint64_t)k);
            REQUIRE(!ib_program_run(p, dev, 4, in, want));
            snprintf(path, sizeof path, "%s/old.h5", dir);
            as_of_old(p);
            REQUIRE(!ib_export_hdf5(p, path));
            ib_program *q = ib_program_open(path);
            if (!q)
                printf("\n    %s ", ib_error());
            REQUIRE(q && !ib_program_run(q, dev, 4, in, got));
            CHECK(!memcmp(got, want, (size_t)(4 * ib_program_output_size(q))));
            ib_program_free(q);
            ib_program_free(p);
            ib_layer_free(net);
        }
    ib_loader_free(l);
    ib_dataset_free(d);
    end();
}

static void every_reader_sees_the_order_of_rows(void)
{
    begin();
    for (int reader = 0; reader < N_ROWS; reader++)
        for (int orders = 0; orders < 4; orders++)
            for (int behind = 0; behind < 2; behind++)
                if (!(reader == ROWS_SOFTMAX && behind))
                    check_rows(reader, orders, behind);
    end();
}

SUITE("export", T(values_never_share_memory_while_alive), T(bounds_hold_for_the_worst_input),
      T(printed_c_is_strict_integer_and_right), T(names_and_folders_are_checked), T(the_program_is_an_hdf5_file),
      T(programs_are_opened_again), T(programs_run_alike_everywhere), T(every_reader_sees_the_order_of_rows),
      T(older_programs_open))
