/* command_quantize.c - isobit quantize: post-training quantization of a float checkpoint or a language model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/answers/fidelity.h"
#include "cli/language/language_session.h"
#include "cli/language/quantize_language.h"
#include "cli/models/quantize_network.h"

typedef struct quantize_options {
    common common;
    const char *model, *out, *qat, *method;
    language_quantizing language;
    network_rounding rounding;
    ib_qat_opts quant;
    ib_rounding_opts round;
    int64_t samples, batch; /* 0: not given */
} quantize_options;

enum {
    K_QAT = LONG_OPTION,
    K_SAMPLES,
    K_BATCH,
    K_PROFILE,
    K_OBSERVER,
    K_WEIGHTS,
    K_RULES,
    K_PERCENTILE,
    K_AVERAGING,
    K_METHOD
};

static const char observers[] = /* ", minmax, ema, ..." */
#define OBSERVER(name) ", " #name
#define LEARNED(...)
#include "qat/observers.def"
#undef OBSERVER
#undef LEARNED
    "; of activations, default mse";

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the quantized checkpoint; required", 0},
    {"method", K_METHOD, "NAME", 0,
     "of networks: nearest (default), gptq, adaround; of language models: gptq (default with --calib), awq, "
     "smoothquant, clip, imatrix, nearest (default without)",
     0},
    {"qat", K_QAT, "WxAy", 0, "bits of weights and activations (default w8a8)", 0},
    {"samples", K_SAMPLES, "N", 0, "training samples that the observers see (default 500, or all if there are fewer)",
     0},
    {"batch", K_BATCH, "N", 0, "shown together (default 50)", 0},
    {"profile", K_PROFILE, "P", 0, "rounding: tflite_double (default), tflite_single, fp32_rne, xnnpack", 0},
    {"observer", K_OBSERVER, "NAME", 0, observers + 2, 0},
    {"percentile", K_PERCENTILE, "P", 0, "of the observer percentile (default 99.99)", 0},
    {"averaging-constant", K_AVERAGING, "C", 0, "of the observer ema, x += C (new - x) (default 0.01)", 0},
    {"weight-observer", K_WEIGHTS, "NAME", 0,
     "absmax (default at 8 bits), mse; with --method gptq or adaround mse (default), absmax, output", 0},
    {"rules", K_RULES, "TEXT", 0, "exceptions: \"pattern=w8a8 pattern=float\"", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    quantize_options *o = state->input;
    int bad = 0;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->language;
        state->child_inputs[1] = &o->rounding;
        state->child_inputs[2] = &o->common;
        return 0;
    case 'o': o->out = arg; return 0;
    case K_METHOD: o->method = arg; return 0;
    case K_QAT: o->qat = arg; return 0;
    case K_OBSERVER: o->quant.observer = arg; return 0;
    case K_WEIGHTS: o->quant.weight_observer = arg; return 0;
    case K_RULES: o->quant.rules = arg; return 0;
    case K_PERCENTILE: bad = parse_percentile(arg, &o->quant); break;
    case K_AVERAGING: bad = parse_averaging(arg, &o->quant); break;
    case K_SAMPLES: bad = parse_int(arg, "--samples", 1, 1 << 30, &o->samples); break;
    case K_BATCH: bad = parse_int(arg, "--batch", 1, 1 << 20, &o->batch); break;
    case K_PROFILE: bad = ib_profile_parse(arg, &o->quant.profile) && complain(); break;
    default: return model_argument(key, arg, state, &o->model);
    }
    if (bad)
        exit(2);
    return 0;
}

/* layers, pairs: for JSON, or NULL. */
static int quantize(session *s, const quantize_options *o, struct json_object *layers, struct json_object *pairs)
{
    const int64_t there = ib_dataset_count(s->train), samples = o->samples ? o->samples : there < 500 ? there : 500;
    if (refuse_more("samples", o->samples, "training samples", there) ||
        refuse_more("batch", o->batch, "samples to be shown", samples))
        return 1;
    const int64_t batch = o->batch ? o->batch : samples < 50 ? samples : 50;
    ib_loader *l = ib_loader_new(s->train, ib_layer_input(s->net),
                                 &(ib_loader_opts){.batch = (int)batch, .shuffle = 1, .seed = 1, .samples = samples});
    if (!l || ib_qat_prepare(s->net, s->g, &o->quant)) {
        ib_loader_free(l);
        return complain();
    }
    if (network_equalize(s, &o->rounding, pairs)) {
        ib_loader_free(l);
        return 1;
    }
    working_start("calibrate", o->model);
    const int failed = ib_qat_calibrate(s->net, s->g, l, 0) || ib_qat_set_phase(s->net, s->g, IB_FROZEN);
    working_end();
    if (!failed)
        warn_lost_channels(s->net);
    int status = failed ? complain() : 0;
    if (!status && (o->method || o->round.bias_correction))
        status = network_rounding_run(s, &o->round, l, layers);
    ib_loader_free(l);
    return status;
}

/* Against the float network as it is in the file: weights that were chosen are no longer its. */
static int measure(session *s, const quantize_options *o, fidelity *f)
{
    ib_checkpoint c = {0};
    ib_layer *original = ib_checkpoint_open(o->model, s->g, &c);
    const int failed = !original || ib_layer_set_input(original, ib_layer_input(s->net))
                           ? complain()
                           : fidelity_measure(s, original, s->test, f);
    ib_layer_free(original);
    ib_checkpoint_release(&c);
    return failed;
}

/* Options that say nothing of a language model are refused. */
static int of_language(const quantize_options *o)
{
    const ib_qat_opts *q = &o->quant;
    static const char needs[] = "a network";
    if (refuse_alone("qat", o->qat, needs) || refuse_alone("samples", o->samples ? o : NULL, needs) ||
        refuse_alone("batch", o->batch ? o : NULL, needs) || refuse_alone("observer", q->observer, needs) ||
        refuse_alone("weight-observer", q->weight_observer, needs) || refuse_alone("rules", q->rules, needs) ||
        refuse_alone("percentile", q->percentile > 0 ? o : NULL, needs) ||
        refuse_alone("averaging-constant", q->averaging_constant > 0 ? o : NULL, needs) ||
        refuse_alone("profile", q->profile ? o : NULL, needs) || refuse_alone("data", o->common.data, needs))
        return 2;
    const char *rounding = network_rounding_given(&o->rounding);
    if (rounding && refuse_alone(rounding + 2, rounding, needs))
        return 2;
    return quantize_language(&o->language, &o->common, o->model, o->method, o->out);
}

static int of_language_alone(const language_quantizing *o)
{
    const char *given = language_quantize_given(o);
    return given && refuse_alone(given + 2, given, "a language model (GGUF file or Hugging Face folder)");
}

int command_quantize(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&language_quantize_argp, 0, "Of language models (GGUF or Hugging Face folder):", 50},
        {&network_rounding_argp, 0, "Of networks:", 40},
        COMMON_CHILD,
        {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL",
        "Quantizes a float checkpoint without training: observers see some training samples, "
        "then scales are fixed (static post-training "
        "quantization). If that costs too much, isobit train --init goes on from the float "
        "checkpoint with its integers.\vExample:\n"
        "  isobit quantize net.h5 --data idx:data/mnist --samples 100 -o net_int8.h5\n\n"
        "Labels are not needed, and any outputs will do: what is measured, on the test part, is "
        "the error of the outputs against the float "
        "network's, as signal-to-quantization-noise ratio in dB: 10 log10(sum y^2 / sum (y - "
        "q)^2); accuracy besides where labels fit the outputs, or of numbers R^2, RMSE and MAE.\n"
        "JSON keys: output, qat, samples, float_accuracy and accuracy or no_accuracy (why), of "
        "regression r2, targets[]: name, r2, rmse, mae, and float: the same in float, "
        "outputs[]: shape (of one sample), sqnr_db, largest_error, "
        "channels_sqnr_db (null: the channel differs nowhere, or is 0 in float); with --method or "
        "--bias-correction layers[]: layer, bits, weights, rows, moved (codes that are not the "
        "nearest), nearest_error, error (squared, of the results' squares; null: these are 0), "
        "note (or null); with --equalize equalized[]: layer, next (null: it stays as it is), before, after (how "
        "many times the largest channel's weights are the smallest's), note (why it stays, or null).",
        children,
        NULL,
        NULL};
    quantize_options o = {0};
    session s = {0};
    fidelity f = {0};
    parse_options(&argp, argc, argv, &o);
    if (!o.out)
        return fprintf(stderr, "isobit: quantize needs -o FILE, the checkpoint to write\n"), 2;
    if (refuse_onto("-o", o.out, "the model itself", o.model))
        return 2;
    if (is_language_file(o.model))
        return of_language(&o);
    if (of_language_alone(&o.language) || network_rounding_settle(&o.rounding, o.method, &o.quant, &o.round))
        return 2;
    o.qat = o.qat ? o.qat : "w8a8";
    o.quant.observer = o.quant.observer ? o.quant.observer : "mse";
    if (refuse_onto_data("-o", o.out, o.common.data) || refuse_repeated("--rules", o.quant.rules, " ,"))
        return 2;
    if (refuse_not_hdf5("-o", o.out))
        return 1;
    const int percentile = o.quant.percentile > 0 && strcmp(o.quant.observer, "percentile");
    const int averaging = o.quant.averaging_constant > 0 && strcmp(o.quant.observer, "ema");
    if (refuse_alone("percentile", percentile ? &o : NULL, "--observer percentile") ||
        refuse_alone("averaging-constant", averaging ? &o : NULL, "--observer ema"))
        return 2;
    if (ib_qat_bits_parse(o.qat, &o.quant))
        return complain(), 2;
    struct json_object *layers =
        o.common.json && (o.method || o.round.bias_correction) ? json_object_new_array() : NULL;
    struct json_object *pairs = o.common.json && o.rounding.equalize ? json_object_new_array() : NULL;
    int status = session_model(&s, &o.common, o.model);
    if (!status && ib_qat_phase(s.net) != IB_FLOAT)
        status = fprintf(stderr, "isobit: %s: is quantized already\n", o.model) != 0;
    if (!status)
        status = ib_qat_check(s.net, s.g, &o.quant) ? complain() : 0;
    if (!status)
        status = recall_data(&s, &o.common, o.model, "digits");
    if (!status && refuse_onto_data("-o", o.out, o.common.data))
        status = 2;
    if (!status)
        status = session_parts(&s, &o.common, ib_layer_input(s.net), ib_layer_schema(s.net));
    if (!status && !*s.c.data)
        status = remember_data(&s.c, &o.common);
    if (!status) {
        session_settle(&s, s.train);
        session_tell(&s, s.train);
    }
    if (!status)
        status = quantize(&s, &o, layers, pairs);
    if (!status)
        status = measure(&s, &o, &f);
    if (!status)
        status = ib_checkpoint_save(o.out, s.net, NULL, &s.c) ? complain() : 0;
    if (!status && o.common.json) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "output", json_object_new_string(o.out));
        json_object_object_add(j, "qat", json_object_new_string(o.qat));
        fidelity_json(&f, j);
        if (layers)
            json_object_object_add(j, "layers", json_object_get(layers));
        if (pairs)
            json_object_object_add(j, "equalized", json_object_get(pairs));
        print_json(j);
    } else if (!status) {
        printf("%s: ", o.qat);
        fidelity_print(&f);
        printf("; written to %s\n", o.out);
    }
    json_object_put(layers);
    json_object_put(pairs);
    fidelity_free(&f);
    session_close(&s);
    return status;
}
