/* command_import.c - isobit import. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "data/dataset.h"

typedef struct import_options {
    common common;
    const char *model, *out, *input;
    double mean, std;
    int64_t raw_max;
    int told; /* mean, std or raw_max */
    int list;
} import_options;

enum { K_MEAN = LONG_OPTION, K_STD, K_RAW, K_INPUT, K_OPERATORS };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the checkpoint to write (HDF5); required", 0},
    {"mean", K_MEAN, "X", 0, "what the network was trained on: (raw / raw_max - mean) / std (default 0)", 0},
    {"std", K_STD, "X", 0, "(default 1); without --mean, --std and --raw-max the network takes what data hold as it is",
     0},
    {"input", K_INPUT, "CxHxW", 0, "images that a network of rows takes, for data of that shape: 1x28x28", 0},
    {"operators", K_OPERATORS, NULL, 0, "list the operators, attributes and inputs that are understood", 0},
    {"raw-max", K_RAW, "N", 0, "largest raw value; 0: real numbers (default 255)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    import_options *o = state->input;
    int bad = 0;
    o->told |= key == K_MEAN || key == K_STD || key == K_RAW;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 'o': o->out = arg; return 0;
    case K_INPUT: o->input = arg; return 0;
    case K_MEAN: bad = parse_float(arg, "--mean", -1e6, 1e6, &o->mean); break;
    case K_STD: bad = parse_float(arg, "--std", 1e-6, 1e6, &o->std); break;
    case K_RAW: bad = parse_int(arg, "--raw-max", 0, 65535, &o->raw_max); break;
    case K_OPERATORS: o->list = 1; break;
    default: return key == ARGP_KEY_END && o->list ? 0 : model_argument(key, arg, state, &o->model);
    }
    if (bad)
        exit(2);
    return 0;
}

/* "axis = 0 or -1, keepdims" */
static void print_attributes(struct json_object *attributes)
{
    const char *last = "";
    for (size_t i = 0; i < json_object_array_length(attributes); i++) {
        struct json_object *a = json_object_array_get_idx(attributes, i), *values = json_object_object_get(a, "values");
        const char *name = json_object_get_string(json_object_object_get(a, "name"));
        if (!strcmp(name, last)) /* the same in other operator sets */
            continue;
        printf("%s%s", *last ? ", " : "", name);
        last = name;
        if (json_object_is_type(values, json_type_string)) {
            const char *any = json_object_get_string(values);
            if (strcmp(any, "any"))
                printf(" (%s)", any);
            continue;
        }
        for (size_t k = 0; k < json_object_array_length(values); k++)
            printf("%s%s", k ? " or " : " = ", json_object_get_string(json_object_array_get_idx(values, k)));
    }
}

static int list_operators(int json)
{
    char *text = ib_import_operators();
    struct json_object *j = text ? json_tokener_parse(text) : NULL, *rows = json_object_object_get(j, "operators");
    if (!rows) {
        ib_free(text);
        return complain();
    }
    if (json)
        fputs(text, stdout);
    else
        printf("operator sets 1 to %d\n", json_object_get_int(json_object_object_get(j, "newest")));
    for (size_t i = 0; i < json_object_array_length(rows) && !json; i++) {
        struct json_object *o = json_object_array_get_idx(rows, i);
        printf("%-20s", json_object_get_string(json_object_object_get(o, "name")));
        print_attributes(json_object_object_get(o, "attributes"));
        printf("%s\n", strcmp(json_object_get_string(json_object_object_get(o, "of")), "values")
                           ? "  (where it computes shapes)"
                           : "");
    }
    json_object_put(j);
    ib_free(text);
    return 0;
}

int command_import(int argc, char **argv)
{
    static const struct argp_child children[] = {MACHINE_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL.onnx",
        "Takes a float ONNX network with its weights, as PyTorch and Keras export them, into a checkpoint, to be "
        "quantized: isobit quantize "
        "calibrates it, isobit train --init trains it with its integers.\vExample:\n"
        "  isobit import net.onnx --mean 0.1307 --std 0.3081 -o net.h5\n"
        "  isobit quantize net.h5 --data idx:data/mnist --samples 100 -o net_int8.h5\n"
        "JSON keys: output, operators, parameters, input [C,H,W], classes; of --operators newest, operators.",
        children,
        NULL,
        NULL};
    import_options o = {.std = 1, .raw_max = 255};
    session s = {0};
    parse_options(&argp, argc, argv, &o);
    if (o.list && (o.model || o.out))
        return fprintf(stderr, "isobit: --operators takes neither a model nor -o: it lists what can be imported\n"), 2;
    if (o.list)
        return list_operators(o.common.json);
    if (!o.out)
        return fprintf(stderr, "isobit: import needs -o FILE, the checkpoint to write\n"), 2;
    if (refuse_onto("-o", o.out, "the model itself", o.model))
        return 2;
    int64_t shape[3] = {0};
    if (o.input && !ib_dataset_parse_shape(o.input, shape))
        return fprintf(stderr, "isobit: --input '%s' is no shape CxHxW of sizes from 1 to 65536\n", o.input), 2;
    if (refuse_not_hdf5("-o", o.out))
        return 1;
    int status = session_open(&s, &o.common);
    working_start("import", o.model);
    if (!status)
        s.net = ib_import_onnx(o.model, s.dev);
    working_end();
    if (!status && !s.net)
        status = complain();
    if (!status) {
        ib_input_info in = *ib_layer_input(s.net);
        const int64_t c = shape[0], h = shape[1], w = shape[2];
        if (o.input &&
            (c * h * w != (int64_t)in.c * in.h * in.w || (in.h * in.w > 1 && (c != in.c || h != in.h || w != in.w)))) {
            fprintf(stderr, "isobit: --input '%s': the network takes %s\n", o.input,
                    in.h * in.w > 1 ? "images of another shape" : "rows of another length");
            session_close(&s);
            return 2;
        }
        if (o.input) {
            in.c = (int)c;
            in.h = (int)h;
            in.w = (int)w;
        }
        in.mean = (float)o.mean;
        in.std = o.told ? (float)o.std : 0; /* 0: unknown, until quantization or training see data */
        in.raw_max = o.told ? (int)o.raw_max : 0;
        ib_layer_set_input(s.net, &in);
        snprintf(s.c.notes, sizeof s.c.notes, "imported from %s", o.model);
        working_start("write", o.out);
        const ib_status saved = ib_checkpoint_save(o.out, s.net, NULL, &s.c);
        working_end();
        status = saved ? complain() : 0;
    }
    if (!status) {
        const ib_input_info *in = ib_layer_input(s.net);
        int64_t parameters = 0;
        int operators = 0;
        for (int i = 0; i < ib_param_count(s.net); i++)
            parameters += ib_tensor_size(ib_param_at(s.net, i));
        while (ib_layer_child(s.net, operators))
            operators++;
        if (o.common.json) {
            struct json_object *j = json_object_new_object(), *shape = json_object_new_array();
            json_object_object_add(j, "output", json_object_new_string(o.out));
            json_object_object_add(j, "operators", json_object_new_int(operators));
            json_object_object_add(j, "parameters", json_object_new_int64(parameters));
            json_object_array_add(shape, json_object_new_int(in->c));
            json_object_array_add(shape, json_object_new_int(in->h));
            json_object_array_add(shape, json_object_new_int(in->w));
            json_object_object_add(j, "input", shape);
            json_object_object_add(j, "classes", json_object_new_int(in->classes));
            print_json(j);
        } else {
            printf("%s: %d operators, %lld parameters, input %dx%dx%d, %d outputs; written to %s\n", o.model, operators,
                   (long long)parameters, in->c, in->h, in->w, in->classes, o.out);
        }
    }
    session_close(&s);
    return status;
}
