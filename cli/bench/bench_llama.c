/* bench_llama.c - isobit bench --llama-bench: llama.cpp's own measurements of the same file. Of what its -o json prints
 * (tools/llama-bench/README.md of github.com/ggml-org/llama.cpp), an array of objects, n_prompt, n_gen and n_depth say
 * what a row is, samples_ts what each repetition did in tokens a second, avg_ts their mean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/bench/bench.h"

static int64_t whole(struct json_object *row, const char *key)
{
    struct json_object *v;
    return json_object_object_get_ex(row, key, &v) ? json_object_get_int64(v) : 0;
}

/* The median of the repetitions, or where a version does not list them their mean; 0: neither is there. */
static double rate_of(struct json_object *row)
{
    struct json_object *samples, *mean;
    double rate[MOST_REPEATS];
    int64_t n = 0;
    if (json_object_object_get_ex(row, "samples_ts", &samples) && json_object_is_type(samples, json_type_array))
        for (; n < MOST_REPEATS && n < (int64_t)json_object_array_length(samples); n++)
            rate[n] = json_object_get_double(json_object_array_get_idx(samples, (size_t)n));
    if (n)
        return bench_median(rate, n);
    return json_object_object_get_ex(row, "avg_ts", &mean) ? json_object_get_double(mean) : 0;
}

/* Runs it once; the row with so many tokens of each kind goes to `rows`. Tokens a second, or 0 after telling. */
static double measure(const bench *b, int64_t prompt, int64_t generated, int64_t depth, struct json_object *rows)
{
    const int64_t numbers[] = {prompt, generated, depth, b->repeats, ib_threads()};
    char text[5][24];
    int status;
    for (int i = 0; i < 5; i++)
        snprintf(text[i], sizeof text[i], "%lld", (long long)numbers[i]);
    char *argv[] = {(char *)b->llama_bench,
                    "-m",
                    (char *)b->model_file,
                    "-o",
                    "json",
                    "-ngl",
                    "0",
                    "-p",
                    text[0],
                    "-n",
                    text[1],
                    "-r",
                    text[3],
                    "-t",
                    text[4],
                    "-d",
                    text[2],
                    NULL};
    if (!depth) /* older versions have no depth */
        argv[15] = NULL;
    working_start("run", b->llama_bench);
    char *out = bench_output(argv, &status);
    working_end();
    if (status) {
        fprintf(stderr, "isobit: --llama-bench: %s %s %d: no row of it\n", b->llama_bench,
                status == 127 ? "cannot be run, status" : "ended with status", status);
        return 0;
    }
    struct json_object *all = out ? json_tokener_parse(out) : NULL;
    double rate = 0;
    if (json_object_is_type(all, json_type_array))
        for (size_t i = 0; i < json_object_array_length(all) && !(rate > 0); i++) {
            struct json_object *row = json_object_array_get_idx(all, i);
            if (!json_object_is_type(row, json_type_object) || whole(row, "n_prompt") != prompt ||
                whole(row, "n_gen") != generated || whole(row, "n_depth") != depth)
                continue;
            if ((rate = rate_of(row)) > 0)
                json_object_array_add(rows, json_object_get(row));
        }
    json_object_put(all);
    free(out);
    if (!(rate > 0))
        fprintf(
            stderr,
            "isobit: --llama-bench: %s printed no row of %lld prompt and %lld new tokens behind %lld, as its -o json "
            "does\n",
            b->llama_bench, (long long)prompt, (long long)generated, (long long)depth);
    return rate > 0 ? rate : 0;
}

llama_figures bench_llama(bench *b, const bench_lengths *l)
{
    llama_figures figures = {0};
    struct stat info;
    if (!b->llama_bench)
        return figures;
    if (!stat(b->model_file, &info) && S_ISDIR(info.st_mode)) {
        fprintf(stderr, "isobit: --llama-bench: it opens GGUF files, and %s is a folder: no row of it\n",
                b->model_file);
        return figures;
    }
    struct json_object *rows = json_object_new_array();
    figures.prompt = measure(b, l->tokens, 0, 0, rows);
    if (figures.prompt > 0)
        figures.generation = measure(b, 0, l->generated, l->behind, rows);
    bench_add(b, "llama_bench", rows);
    return figures;
}
