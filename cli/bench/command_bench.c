/* command_bench.c - isobit bench: kernels, training steps, the integer runtime and language models, in turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

enum {
    K_MODEL = LONG_OPTION,
    K_QAT,
    K_REPEATS,
    K_PEERS,
    K_PYTHON,
    K_MODEL_FILE,
    K_TOKENS,
    K_LLAMA_BENCH,
    K_PATH,
    K_DEVICE,
    K_ONLY
};

static const struct argp_option options[] = {
    {"model", K_MODEL, "NAME", 0, "one network and no products (default: mlp, lenet, resnet8 and dscnn, and products)",
     0},
    {"qat", K_QAT, "WxAy", 0, "default w8a8", 0},
    {"only", K_ONLY, "PART,...", OPTION_IS_LIST, "of steps, kernels and inference (default: all)", 0},
    {"repeats", K_REPEATS, "N", 0, "measurements of each, in turns (default 9)", 0},
    {"device", K_DEVICE, "NAME,...", OPTION_IS_LIST,
     "a device (isobit --help lists them), or several that take turns in each measurement, held against the first", 0},
    {"peers", K_PEERS, NULL, 0,
     "also PyTorch and ONNX Runtime, or of --model-file transformers and PEFT, where the Python has them", 0},
    {"python", K_PYTHON, "PROGRAM", 0, "for --peers (default: $ISOBIT_PYTHON or python3)", 0},
    {"model-file", K_MODEL_FILE, "PATH", 0,
     "a language model, GGUF or Hugging Face folder, instead of networks, or with --model or --only beside them", 0},
    {"tokens", K_TOKENS, "N", 0,
     "of --model-file: a prompt, window or training row (default 512, or the model's context if that is less)", 0},
    {"path", K_PATH, "NAME", 0,
     "of --model-file: exact (fp32 rows by decoded weights, and a training step), integer (8-bit rows by the weights' "
     "codes, as isobit generate has it) or both (the default)",
     0},
    {"llama-bench", K_LLAMA_BENCH, "PROGRAM", 0, "llama.cpp's llama-bench beside --model-file", 0},
    {0},
};

/* The bits of a list of parts; 0 after telling of another word. */
static int parts_of(const char *list)
{
    static const struct {
        const char *name;
        int bit;
    } parts[] = {{"steps", BENCH_STEPS}, {"kernels", BENCH_KERNELS}, {"inference", BENCH_INFERENCE}};
    int bits = 0;
    if (refuse_repeated("--only", list, ","))
        return 0;
    for (const char *word = list; *word;) {
        const size_t n = strcspn(word, ",");
        int i = 0;
        while (i < 3 && (strlen(parts[i].name) != n || strncmp(parts[i].name, word, n)))
            i++;
        if (i == 3) {
            fprintf(stderr, "isobit: --only '%.*s': steps, kernels and inference are possible\n", (int)n, word);
            return 0;
        }
        bits |= parts[i].bit;
        word += n + (word[n] == ',');
    }
    return bits;
}

/* Nothing that is said is ignored. */
static void refuse_idle_options(const bench *b)
{
    const int nets = b->parts & (BENCH_STEPS | BENCH_INFERENCE);
    if (refuse_repeated("--device", b->devices, ",") ||
        (!b->model_file && (refuse_alone("tokens", b->tokens ? b : NULL, "--model-file") ||
                            refuse_alone("llama-bench", b->llama_bench, "--model-file") ||
                            refuse_alone("path", b->paths ? b : NULL, "--model-file"))) ||
        (!nets && (refuse_alone("model", b->model, "steps or inference in --only") ||
                   refuse_alone("qat", b->qat, b->parts ? "steps or inference in --only" : "--model or --only") ||
                   (!b->model_file &&
                    refuse_alone("peers", b->peers ? b : NULL, "steps or inference in --only, or --model-file")))) ||
        (!b->peers && refuse_alone("python", b->python, "--peers")))
        exit(2);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    bench *b = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &b->common; return 0;
    case K_MODEL: b->model = arg; return 0;
    case K_QAT: b->qat = arg; return 0;
    case K_DEVICE: b->devices = arg; return 0;
    case K_PEERS: b->peers = 1; return 0;
    case K_PYTHON: b->python = arg; return 0;
    case K_MODEL_FILE: b->model_file = arg; return 0;
    case K_LLAMA_BENCH: b->llama_bench = arg; return 0;
    case K_PATH:
        if (!(b->paths = bench_paths_of(arg)))
            exit(2);
        return 0;
    case K_TOKENS:
        if (parse_int(arg, "--tokens", 4, 1 << 20, &b->tokens))
            exit(2);
        return 0;
    case K_REPEATS:
        if (parse_int(arg, "--repeats", 1, MOST_REPEATS, &b->repeats))
            exit(2);
        return 0;
    case K_ONLY:
        if (!(b->parts = parts_of(arg)))
            exit(2);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(
            state,
            "'%s': what is timed is said by an option: --model-file PATH a language model, --model NAME a network",
            arg);
        return 0;
    case ARGP_KEY_END:
        if (!b->parts)
            b->parts = b->model        ? BENCH_STEPS | BENCH_INFERENCE
                       : b->model_file ? 0
                                       : BENCH_STEPS | BENCH_KERNELS | BENCH_INFERENCE;
        refuse_idle_options(b);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* ---- what all parts print ---- */

struct json_object *bench_object(const bench *b, int i)
{
    struct json_object *j = json_object_new_object();
    json_object_object_add(j, "device", json_object_new_string(ib_device_name(b->dev[i])));
    return j;
}

void bench_put_device(const bench *b, const char *name)
{
    if (b->n > 1)
        fprintf(report_stream(&b->common), "%-11s ", name);
}

void bench_put_speed(const bench *b, double speed)
{
    if (b->n > 1)
        fprintf(report_stream(&b->common), " %8.2f", speed);
}

void bench_part(bench *b)
{
    if (b->begun)
        fputc('\n', report_stream(&b->common));
    b->begun = 1;
}

/* ---- devices ---- */

static int open_one(bench *b, const char *name)
{
    if (b->n == MOST_DEVICES)
        return fprintf(stderr, "isobit: --device: at most %d at a time\n", MOST_DEVICES);
    ib_device *dev = ib_device_open(name);
    if (!dev)
        return complain();
    b->dev[b->n++] = dev;
    for (int i = 0; i < b->n - 1; i++)
        if (!strcmp(ib_device_name(b->dev[i]), ib_device_name(dev)))
            return fprintf(stderr, "isobit: --device '%s' is %s, which stands before it: nothing would be compared\n",
                           name, ib_device_name(dev));
    return 0;
}

/* What makes no network is told before a line is printed; a network of --model's words itself is dropped. */
static int refuse_networks(const bench *b)
{
    ib_qat_opts quant = {0};
    if (ib_qat_bits_parse(b->qat, &quant))
        return complain();
    ib_layer *net = b->model ? ib_model_new(b->model, 1, 28, 28, 10) : NULL;
    ib_layer_free(net);
    return b->model && !net ? complain() : 0;
}

/* Before anything is timed. */
static int open_devices(bench *b)
{
    char *list = b->devices ? strdup(b->devices) : NULL, *rest = NULL;
    int failed = (b->devices && !list) || ib_threads_set(b->common.threads) || !(b->fastest = ib_device_open("cpu"))
                     ? complain()
                     : 0;
    if (!list && !failed)
        failed = open_one(b, NULL);
    for (char *name = list ? strtok_r(list, ",", &rest) : NULL; name && !failed; name = strtok_r(NULL, ",", &rest))
        failed = open_one(b, name);
    free(list);
    return failed;
}

/* ---- the report ---- */

static void begin_report(bench *b)
{
    struct json_object *names = json_object_new_array();
    for (int i = 0; i < b->n; i++)
        json_object_array_add(names, json_object_new_string(ib_device_name(b->dev[i])));
    bench_add(b, "devices", names);
    bench_add(b, "threads", json_object_new_int(ib_threads()));
    bench_add(b, "repeats", json_object_new_int64(b->repeats));
}

static int run_networks(bench *b)
{
    static const char *const all[] = {"mlp", "lenet", "resnet8", "dscnn"};
    const char *const *models = b->model ? &b->model : all;
    const int n = b->model ? 1 : 4;
    bench_add(b, "qat", json_object_new_string(b->qat));
    int failed =
        (b->parts & BENCH_STEPS && bench_steps(b, models, n)) || (b->parts & BENCH_KERNELS && bench_kernels(b));
    struct json_object *peers =
        !failed && b->peers && b->parts & (BENCH_STEPS | BENCH_INFERENCE) ? bench_peers(b) : NULL;
    if (peers) {
        bench_print_peers(b, peers);
        bench_add(b, "peers", peers);
    }
    return failed || (b->parts & BENCH_INFERENCE && bench_inference(b, models, n, peers));
}

int command_bench(int argc, char **argv)
{
    static const struct argp_child children[] = {THREADS_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        NULL,
        "Times whole training steps (forward, backward, AdamW) of float and quantized networks, the integer runtime at "
        "batch 1 and 64, products beside what registers and memory allow, and language models: reading a prompt, "
        "writing behind it, perplexity, each exactly and in integers, a training step of LoRA. Each is measured in "
        "turns with what it is held "
        "against; medians, and medians of the ratios within a turn.\v"
        "Examples:\n  isobit bench --model lenet --qat w4a8 --threads 1\n"
        "  isobit bench --only kernels --device cpu:avx2,cpu:vnni\n"
        "  isobit bench --model-file SmolLM2.gguf \\\n"
        "    --llama-bench llama.cpp/build/bin/llama-bench\n\n"
        "A share is of the limit in brackets: products of fp32, bf16, 8-bit (int8) or 4-bit (int4) numbers in "
        "registers alone, or bytes read from memory (read). x is how many times as fast as the first device this one "
        "is.\n"
        "JSON keys: devices, threads, repeats, qat; steps[]: device, model, batch, float_ms, qat_ms, ratio, float_mb, "
        "qat_mb (activations saved for the backward pass), float_speed, qat_speed (beside the first device); "
        "kernels[]: device, row, rate, unit, speed, and where there is a limit: limit, limit_rate, share; read_bytes "
        "(what reading is measured on); inference[]: device, model, threads, batch, us, speed, onnxruntime_fp32_us, "
        "onnxruntime_int8_us; language: model_file, arch, linear_weights, bytes_per_token, behind, "
        "integer_matrices, exact_matrices, exact_formats (of the integer path), checkpointed_layers, rows[]: as "
        "kernels, and path, tokens, llama_bench, llama_bench_ratio, peer, peer_ratio; "
        "llama_bench[]: rows as llama-bench prints them; peers, language_peers: as bench_peers.py and "
        "bench_language_peers.py print them.",
        children,
        NULL,
        NULL};
    bench b = {.repeats = 9};
    parse_options(&argp, argc, argv, &b);
    b.qat = b.qat ? b.qat : "w8a8";
    b.paths = b.paths ? b.paths : BENCH_EXACT | BENCH_INTEGER;
    b.report = json_object_new_object();
    int status = open_devices(&b) || refuse_networks(&b);
    if (!status) {
        begin_report(&b);
        status = (b.parts && run_networks(&b)) || (b.model_file && bench_language(&b));
    }
    if (!status && b.buffer)
        bench_add(&b, "read_bytes", json_object_new_int64(b.buffer_bytes));
    if (!status && b.common.json)
        print_json(json_object_get(b.report));
    json_object_put(b.report);
    free(b.buffer);
    for (int i = 0; i < b.n; i++)
        ib_device_close(b.dev[i]);
    ib_device_close(b.fastest);
    return status;
}
