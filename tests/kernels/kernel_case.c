/* kernel_case.c - buffers with guards, random numbers, runs at every level and comparison. */
#include "tests/kernels/kernel_case.h"

#include <stdarg.h>
#include <stddef.h>

#include "tests/levels.h"

enum { GUARD = 64, GUARD_BYTE = 0x5A, MAX_BUFFERS = 32, MOST_THREADS = 3, MOST_LINES = 20, MOST_LEVELS = 32 };

static ib_device *devices[MOST_LEVELS]; /* of name_at, as far as the machine has them */

/* Those of ib_device_name_at; or plain C and the device that ISOBIT_TEST_DEVICE names. */
static const char *name_at(int i)
{
    const char *other = getenv("ISOBIT_TEST_DEVICE");
    return !other || i < 1 ? ib_device_name_at(i) : i == 1 ? other : NULL;
}

int is_emulated(void)
{
    const char *other = getenv("ISOBIT_TEST_DEVICE"), *variant = other ? strchr(other, ':') : NULL;
    return variant && (variant[1] < '0' || variant[1] > '9');
}

typedef enum role { GIVEN, RESULT, CHANGED, ROOM } role;
typedef struct buffer {
    const char *name;
    element kind;
    role role;
    unsigned char *block, *at;
    size_t bytes;
    int64_t n;
    double bound, bf16_bound;
    unsigned char *before, *want, *own; /* at the first run's start, of ref, of this level with one thread */
} buffer;

static buffer buffers[MAX_BUFFERS];
static int n_buffers, n_lines;
static uint64_t stream; /* of random numbers */
static char shape[160];

static struct {
    const char *kernel;
    int going, level, threads, number;
} run;
static const char *last_kernel; /* that was run at ref and made something */

/* ---- report ---- */

static void report(const char *what)
{
    if (n_lines++ < MOST_LINES)
        printf("\n    %s at %s, %d thread%s, %s: %s", run.kernel, name_at(run.level), run.threads,
               run.threads > 1 ? "s" : "", shape, what);
    CHECK(!"the kernel differs");
}

static double value_at(element kind, const void *p, int64_t i)
{
    switch (kind) {
    case REALS: return ((const float *)p)[i];
    case DOUBLES: return ((const double *)p)[i];
    case HALVES: return ib_half_to_float(((const uint16_t *)p)[i]);
    case INTS: return ((const int32_t *)p)[i];
    case CODES: return ((const int8_t *)p)[i];
    case BITS: return ((const uint8_t *)p)[i / 8] >> i % 8 & 1;
    default: return ((const uint8_t *)p)[i];
    }
}

static size_t size_of(element kind)
{
    return kind == DOUBLES ? 8 : kind == REALS || kind == INTS ? 4 : kind == HALVES ? 2 : 1;
}

static int is_same(const buffer *b, const unsigned char *want, int64_t i, double bound)
{
    if (b->kind == BITS)
        return value_at(BITS, b->at, i) == value_at(BITS, want, i);
    const size_t size = size_of(b->kind), at = (size_t)i * size;
    return !memcmp(b->at + at, want + at, size) ||
           (bound > 0 && fabs(value_at(b->kind, b->at, i) - value_at(b->kind, want, i)) <= bound);
}

/* The first element that is another. */
static void compare(const buffer *b, const unsigned char *want, double bound, const char *whose)
{
    if (b->kind != BITS && !memcmp(b->at, want, b->bytes))
        return;
    int64_t i = 0, others = 0;
    for (int64_t j = b->n - 1; j >= 0; j--)
        if (!is_same(b, want, j, bound)) {
            i = j;
            others++;
        }
    char line[160];
    const int digits = b->kind == DOUBLES ? 17 : 9;
    snprintf(line, sizeof line, "%s[%lld] is %.*g, %s %.*g (%lld of %lld differ)", b->name, (long long)i, digits,
             value_at(b->kind, b->at, i), whose, digits, value_at(b->kind, want, i), (long long)others,
             (long long)b->n);
    if (others)
        report(line);
}

static void check_guards(const buffer *b)
{
    char line[100];
    for (int i = 0; i < GUARD; i++)
        if (b->at[b->bytes + (size_t)i] != GUARD_BYTE) {
            snprintf(line, sizeof line, "%s: byte %d behind its end was written", b->name, i);
            report(line);
            return;
        }
    for (const unsigned char *p = b->at - 1; p >= b->block; p--)
        if (*p != GUARD_BYTE) {
            snprintf(line, sizeof line, "%s: byte %d before its start was written", b->name, (int)(b->at - p));
            report(line);
            return;
        }
}

/* ---- buffers ---- */

static void forget(buffer *b)
{
    free(b->block), free(b->before), free(b->want), free(b->own);
    *b = (buffer){0};
}

void a_shape(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(shape, sizeof shape, format, args);
    va_end(args);
    run.going = 0; /* a run that a fatal check has left */
    while (n_buffers)
        forget(&buffers[--n_buffers]);
}

/* Reals in [-1, 1), all bits of others. */
static void fill(buffer *b)
{
    const ib_rng rng = {77, ++stream};
    uint32_t u[4];
    for (int64_t i = 0; i < b->n && b->kind <= HALVES; i++) {
        if (i % 4 == 0)
            ib_rng_four(rng, (uint64_t)i / 4, u);
        const float x = (float)(u[i % 4] >> 8) * 0x1p-23f - 1;
        if (b->kind == REALS)
            ((float *)(void *)b->at)[i] = x;
        else if (b->kind == DOUBLES)
            ((double *)(void *)b->at)[i] = x;
        else
            ((uint16_t *)(void *)b->at)[i] = ib_float_to_half(x);
    }
    for (size_t i = 0; i < b->bytes && b->kind > HALVES; i += sizeof u) {
        ib_rng_four(rng, i / sizeof u, u);
        memcpy(b->at + i, u, b->bytes - i < sizeof u ? b->bytes - i : sizeof u);
    }
}

/* A block for n elements: guards about all but inputs, which have none behind them. */
static buffer *hold(const char *name, element kind, int64_t n, role role, double bound)
{
    REQUIRE(n_buffers < MAX_BUFFERS && n >= 0);
    buffer *b = &buffers[n_buffers++];
    const size_t size = size_of(kind), bytes = kind == BITS ? ((size_t)n + 7) / 8 : (size_t)n * size;
    const size_t off = role == ROOM ? 0 : size * ib_rng_below((ib_rng){76, stream}, bytes, 8);
    const size_t front = GUARD + off, behind = role == GIVEN ? 0 : GUARD;
    *b = (buffer){name, kind, role, NULL, NULL, bytes, n, bound, bound, NULL, NULL, NULL};
    REQUIRE(!posix_memalign((void **)&b->block, 64, front + bytes + behind));
    memset(b->block, GUARD_BYTE, front + bytes + behind);
    b->at = b->block + front;
    return b;
}

void *given(const char *name, element kind, int64_t n)
{
    buffer *b = hold(name, kind, n, GIVEN, EXACT);
    fill(b);
    return b->at;
}

float *reals(int64_t n)
{
    return given("an input of fp32", REALS, n);
}

int8_t *codes(int64_t n)
{
    return given("an input of codes", CODES, n);
}

int8_t *weights(int64_t n, int bits)
{
    int8_t *w = given("the weights", CODES, n);
    const int qmax = (1 << (bits - 1)) - 1;
    for (int64_t i = 0; i < n; i++)
        w[i] = (int8_t)(w[i] % (qmax + 1));
    return w;
}

int32_t *integers(int64_t n, int shift)
{
    int32_t *x = given("an input of integers", INTS, n);
    for (int64_t i = 0; i < n; i++)
        x[i] >>= shift;
    return x;
}

int32_t *indices(int64_t n, int32_t most)
{
    int32_t *x = given("the indices", INTS, n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (int32_t)((uint32_t)x[i] % (uint32_t)most);
    return x;
}

uint8_t *bits(int64_t n)
{
    return given("the mask", BITS, n);
}

void *result(const char *name, element kind, int64_t n, double bound)
{
    return hold(name, kind, n, RESULT, bound)->at;
}

void *changed(const char *name, element kind, int64_t n, double bound)
{
    buffer *b = hold(name, kind, n, CHANGED, bound);
    fill(b);
    return b->at;
}

static buffer *find(const void *at)
{
    for (int i = 0; i < n_buffers; i++)
        if (buffers[i].at == at)
            return &buffers[i];
    REQUIRE(!"a buffer of this shape");
    return NULL;
}

void bound_in_bf16(const void *at, double bound)
{
    find(at)->bf16_bound = bound;
}

void *room(int64_t bytes)
{
    return memset(hold("scratch", BYTES, bytes, ROOM, EXACT)->at, 0xFF, (size_t)bytes);
}

const void *made_by_ref(const void *at)
{
    return find(at)->want;
}

/* ---- runs ---- */

int64_t kernel_size(int i)
{
    static const int64_t sizes[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 1027, 4099, 20003};
    return i < (int)(sizeof sizes / sizeof *sizes) ? sizes[i] : 0;
}

int64_t shape_of_n(int i)
{
    const int64_t n = kernel_size(i);
    if (n)
        a_shape("n %lld", (long long)n);
    return n;
}

static ib_device *device(int level)
{
    static char tried[MOST_LEVELS];
    REQUIRE(level < MOST_LEVELS);
    if (!tried[level]) {
        tried[level] = 1;
        devices[level] = ib_device_open(name_at(level));
    }
    return devices[level];
}

ib_device *plain_device(void)
{
    REQUIRE(device(0) != NULL);
    ib_threads_set(1);
    return device(0);
}

/* Whether a level before has the same functions. */
static int is_known(int level, size_t entry, size_t helper)
{
    const char *k = (const char *)&device(level)->k;
    for (int l = 0; l < level; l++) {
        const char *before = device(l) ? (const char *)&device(l)->k : NULL;
        if (before && !memcmp(before + entry, k + entry, sizeof(void (*)(void))) &&
            !memcmp(before + helper, k + helper, sizeof(void (*)(void))))
            return 1;
    }
    return 0;
}

static unsigned char *copy(const unsigned char *p, size_t bytes)
{
    return memcpy(malloc(bytes + 1), p, bytes);
}

static void start(void)
{
    ib_threads_set(run.threads);
    for (int i = 0; i < n_buffers; i++) {
        buffer *b = &buffers[i];
        if (b->role == RESULT)
            memset(b->at, 0x11 + 37 * run.number, b->bytes);
        else if (b->role == CHANGED)
            memcpy(b->at, b->before, b->bytes);
    }
}

/* The first of a shape's runs: what the inputs hold is held to, and nothing is known of results. */
static void begin(const char *kernel)
{
    run.going = run.threads = 1;
    run.level = run.number = 0;
    n_lines = run.kernel && !strcmp(run.kernel, kernel) ? n_lines : 0;
    run.kernel = kernel;
    for (int i = 0; i < n_buffers; i++) {
        buffer *b = &buffers[i];
        free(b->before), free(b->want), free(b->own);
        b->want = b->own = NULL;
        b->before = copy(b->at, b->bytes);
    }
}

static void look(buffer *b)
{
    if (b->role != GIVEN)
        check_guards(b);
    if (b->role == ROOM)
        return;
    if (b->role == GIVEN) {
        compare(b, b->before, EXACT, "it was");
        return;
    }
    if (run.threads > 1) {
        compare(b, b->own, EXACT, "with one thread");
        return;
    }
    free(b->own);
    b->own = copy(b->at, b->bytes);
    if (!run.level)
        b->want = copy(b->at, b->bytes);
    else
        compare(b, b->want, rounds_products(device(run.level)) ? b->bf16_bound : b->bound, "ref's");
    last_kernel = run.kernel;
}

static void finish(void)
{
    ib_device *dev = device(run.level);
    dev->v.synchronize(dev);
    if (*dev->failure)
        report(dev->failure);
    for (int i = 0; i < n_buffers; i++)
        look(&buffers[i]);
    while (n_buffers && buffers[n_buffers - 1].role == ROOM)
        forget(&buffers[--n_buffers]);
}

ib_device *next_run(const char *kernel, size_t entry, size_t helper)
{
    if (run.going) {
        finish();
        run.number++;
        run.threads = run.threads % MOST_THREADS + 1;
        run.level += run.threads == 1;
    } else
        begin(kernel);
    while (run.threads == 1 && name_at(run.level) && (!device(run.level) || is_known(run.level, entry, helper)))
        run.level++;
    if (!name_at(run.level)) {
        run.going = run.level = 0;
        ib_threads_set(0);
        return NULL;
    }
    start();
    return device(run.level);
}

int run_number(void)
{
    return run.number;
}

int kernel_was_run(const char *kernel)
{
    return last_kernel && !strcmp(last_kernel, kernel);
}
