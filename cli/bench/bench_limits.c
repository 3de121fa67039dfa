/* bench_limits.c - isobit bench: what registers and memory allow, in the same turns as what is held against it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <omp.h>

#include "backends/kernels.h"
#include "cli/bench/bench.h"

enum { MOST_WAYS = 8, ROUNDS = 1 << 20 };

/* One thing that takes turns: the row on a device, a way of that device's limit, or reading. */
typedef struct thing {
    int device; /* -1: of none */
    double (*peak)(ib_device *dev, int way, int64_t rounds);
    ib_device *dev;
    int way;
    double work; /* of a run */
} thing;

typedef struct measurement {
    bench *b;
    const bench_row *row;
    thing *t;
} measurement;

/* ---- memory ---- */

/* Bytes of the largest cache, as the system tells; 0: it does not. */
static int64_t last_cache(void)
{
    int64_t most = 0;
    for (int i = 0; i < 8; i++) {
        char path[80], unit = 0;
        long long n = 0;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        FILE *f = fopen(path, "r");
        const int read = f ? fscanf(f, "%lld%c", &n, &unit) : 0;
        if (f)
            fclose(f);
        const int64_t bytes = read < 1 ? 0 : unit == 'K' ? n << 10 : unit == 'M' ? n << 20 : n;
        most = bytes > most ? bytes : most;
    }
#ifdef _SC_LEVEL3_CACHE_SIZE
    const int64_t told = sysconf(_SC_LEVEL3_CACHE_SIZE);
    most = told > most ? told : most;
#endif
    return most;
}

/* At least four times what the caches hold, and 256 MB. */
static int open_buffer(bench *b)
{
    enum { LEAST = 1 << 28, PAGE = 1 << 21 };
    const int64_t cache = last_cache(), bytes = 4 * cache > LEAST ? (4 * cache + PAGE - 1) / PAGE * PAGE : LEAST;
    if (b->buffer)
        return 0;
    if (!(b->buffer = aligned_alloc(PAGE, (size_t)bytes)))
        return fprintf(stderr, "isobit: out of memory: reading is measured on %lld MB\n", (long long)bytes >> 20);
    b->buffer_bytes = bytes;
    madvise(b->buffer, (size_t)bytes, MADV_HUGEPAGE); /* else looking up its pages is part of what is measured */
    for (int64_t i = 0; i < bytes / 4; i++)
        b->buffer[i] = (int32_t)i;
    return 0;
}

typedef int32_t quad __attribute__((vector_size(16)));

/* Threads share it out, and each reads in eight places at once, ahead of itself: one stream does not use all that
 * memory gives. */
static void read_buffer(const bench *b)
{
    enum { STREAMS = 8, LINE = 4, BLOCK = 16 * LINE, AHEAD = 1024 }; /* quads, but for AHEAD: bytes */
    const quad *p = (const quad *)(const void *)b->buffer;
    const int64_t n = b->buffer_bytes / 16 / STREAMS;
    int64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (int64_t block = 0; block < n; block += BLOCK) {
        quad part[LINE] = {{0}};
        for (int64_t i = block; i < block + BLOCK; i += LINE)
            for (int s = 0; s < STREAMS; s++) {
                const quad *line = p + s * n + i;
                __builtin_prefetch((const char *)line + AHEAD);
                for (int l = 0; l < LINE; l++)
                    part[l] ^= line[l];
            }
        const quad all = part[0] ^ part[1] ^ part[2] ^ part[3];
        sum += all[0] + all[1] + all[2] + all[3];
    }
    __asm__ volatile("" ::"r"(sum)); /* is wanted, as far as the compiler knows */
}

/* ---- the things of a row ---- */

static int run_thing(void *user, int i)
{
    const measurement *m = user;
    thing *t = &m->t[i];
    if (t->peak)
        t->work = t->peak(t->dev, t->way, ROUNDS);
    else if (t->device < 0)
        read_buffer(m->b);
    else
        return m->row->run(m->row->user, t->device);
    return 0;
}

/* The ways of a device's limit, as things; *called and *unit say what it is. */
static int ways_of(const bench *b, bench_limit limit, int i, thing *t, bench_result *out)
{
    ib_device *dev = b->dev[i], *real = strcmp(ib_device_name(dev), "cpu:ref") ? b->fastest : dev;
    const int bf16 = dev->is_host && limit == LIMIT_REAL && dev->k.bf16_peak(dev, 0, 1) > 0;
    int n = 0;
    thing first = {.device = i, .dev = dev};
    switch (limit) {
    case LIMIT_INT8: first.peak = dev->k.int8_peak, out->called = "int8", out->unit = "GOP/s"; break;
    case LIMIT_INT4: first.peak = dev->k.int4_peak, out->called = "int4", out->unit = "GOP/s"; break;
    case LIMIT_READ: out->called = "read", out->unit = "GB/s"; return 0;
    default:
        first.dev = bf16 ? dev : real;
        first.peak = bf16 ? dev->k.bf16_peak : real->k.fp32_peak;
        out->called = bf16 ? "bf16" : "fp32";
        out->unit = "GFLOP/s";
    }
    for (; dev->is_host && n < MOST_WAYS && first.peak(first.dev, n, 1) > 0; n++) { /* others have no such kernels */
        t[n] = first;
        t[n].way = n;
    }
    return n;
}

/* Of the turn: billions a second of the fastest way, 0 if there is none. */
static double limit_in(const measurement *m, const double *taken, int n, int device, int64_t turn)
{
    const int64_t repeats = m->b->repeats;
    double best = 0;
    for (int i = 0; i < n; i++) {
        const thing *t = &m->t[i];
        const int reads = t->device < 0;
        if (!reads && (t->device != device || !t->peak))
            continue;
        const double rate = (reads ? (double)m->b->buffer_bytes : t->work) * 1e-9 / taken[i * repeats + turn];
        best = rate > best ? rate : best;
    }
    return best;
}

int bench_measure(bench *b, const bench_row *r, bench_result *out)
{
    const int64_t repeats = b->repeats;
    thing things[MOST_DEVICES * (MOST_WAYS + 1) + 1];
    int n = 0, row_of[MOST_DEVICES];
    if (r->limit == LIMIT_READ && open_buffer(b))
        return 1;
    for (int i = 0; i < b->n; i++) {
        out[i] = (bench_result){0};
        row_of[i] = n;
        things[n++] = (thing){.device = i};
        n += ways_of(b, r->limit, i, things + n, &out[i]);
    }
    if (r->limit == LIMIT_READ)
        things[n++] = (thing){.device = -1};
    double *taken = calloc((size_t)(n * repeats), sizeof *taken), limit[MOST_REPEATS], reached[MOST_REPEATS];
    measurement m = {b, r, things};
    const turns t = {r->name, n, repeats, 0.02, run_thing, &m};
    const int failed = !taken ? fprintf(stderr, "isobit: out of memory\n") > 0 : take_turns(&t, taken);
    for (int i = 0; i < b->n && !failed; i++) {
        const double *own = taken + row_of[i] * repeats;
        for (int64_t j = 0; j < repeats; j++) {
            limit[j] = limit_in(&m, taken, n, i, j);
            reached[j] = r->work * 1e-9 / own[j];
        }
        out[i].rate = r->count / bench_median(own, repeats);
        out[i].speed = bench_paired(taken + row_of[0] * repeats, own, repeats);
        out[i].limit = bench_median(limit, repeats);
        out[i].share = out[i].limit > 0 ? bench_paired(reached, limit, repeats) : 0;
    }
    free(taken);
    return failed;
}

struct json_object *bench_tell(const bench *b, const bench_row *r, int device, const bench_result *result)
{
    FILE *out = report_stream(&b->common);
    struct json_object *j = bench_object(b, device);
    json_object_object_add(j, "row", json_object_new_string(r->key));
    json_object_object_add(j, "rate", json_object_new_double(result->rate));
    json_object_object_add(j, "unit", json_object_new_string(r->unit));
    json_object_object_add(j, "speed", json_object_new_double(result->speed));
    bench_put_device(b, ib_device_name(b->dev[device]));
    fprintf(out, "%-36s %10.1f %-8s", r->name, result->rate, r->unit);
    if (result->limit > 0) {
        json_object_object_add(j, "limit", json_object_new_string(result->called));
        json_object_object_add(j, "limit_rate", json_object_new_double(result->limit));
        json_object_object_add(j, "share", json_object_new_double(result->share));
        fprintf(out, " %5.1f %% of %7.1f %-7s (%s)", 100 * result->share, result->limit, result->unit, result->called);
    } else
        fprintf(out, "         of      no %-4s (%s)", "limit", result->called);
    bench_put_speed(b, result->speed);
    return j;
}
