/* train_report.c - what `isobit train` says before and behind the epochs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/train/training.h"

int train_is_table(const training *t)
{
    const ib_schema *schema = ib_dataset_schema(t->s.train);
    return schema && ib_schema_of(schema)->n_columns;
}

int train_is_regression(const training *t)
{
    return ib_dataset_targets(t->s.train) > 0;
}

const char *train_score(const training *t, const char *before, double score, char text[40])
{
    if (train_is_regression(t))
        snprintf(text, 40, "R^2 %.4f", score);
    else
        snprintf(text, 40, "%s%.2f %%", before, 100 * score);
    return text;
}

int train_is_quantized(const training *t)
{
    return strcmp(t->o.qat, "none") != 0;
}

int train_has_float(const training *t)
{
    return train_is_quantized(t) && t->o.qat_from > 0;
}

void train_report(const training *t)
{
    const ib_checkpoint *c = &t->state.at;
    if (t->o.common.json) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "model", json_object_new_string(*t->model ? t->model : t->o.init));
        json_object_object_add(j, "qat", json_object_new_string(t->o.qat));
        json_object_object_add(j, "profile", json_object_new_string(ib_profile_name(t->o.quant.profile)));
        const int r2 = train_is_regression(t);
        json_object_object_add(j, r2 ? "r2" : "accuracy", json_object_new_double(t->state.score));
        json_object_object_add(j, r2 ? "float_r2" : "float_accuracy", json_object_new_double(t->state.float_score));
        json_object_object_add(j, "loss", json_object_new_double(t->state.loss));
        json_object_object_add(j, r2 ? "best_r2" : "best_accuracy", json_object_new_double(c->best));
        json_object_object_add(j, "epochs", json_object_new_int64(c->epoch));
        json_object_object_add(j, "seconds", json_object_new_double(seconds() - t->started));
        json_object_object_add(j, "checkpoint", json_object_new_string(t->o.out));
        print_json(j);
        return;
    }
    const char *model = *t->model ? t->model : t->o.init;
    char now[40], before[40];
    if (train_has_float(t))
        printf("%s: %s in integers %s, in float %s before quantization; written to %s\n", model, t->o.qat,
               train_score(t, "", t->state.score, now), train_score(t, "", t->state.float_score, before), t->o.out);
    else
        printf("%s: %s; written to %s\n", model, train_score(t, "accuracy ", t->state.score, now), t->o.out);
}

/* What a table was understood as. */
static void print_table(const training *t, FILE *out)
{
    const ib_schema_opts *s = ib_schema_of(ib_dataset_schema(t->s.train));
    int numbers = 0;
    for (int i = 0; i < s->n_columns; i++)
        numbers += !s->columns[i].n_names;
    fprintf(out, "%s on %s: a table of %d columns of numbers and %d of names, %d inputs",
            *t->model ? t->model : t->o.init, t->o.common.data, numbers, s->n_columns - numbers,
            ib_layer_input(t->s.net)->c);
    if (s->n_targets)
        fprintf(out, "; numbers to learn: ");
    else if (!s->label)
        fprintf(out, "; %d classes", ib_layer_input(t->s.net)->classes);
    else
        fprintf(out, "; label '%s' of %d classes: ", s->label, s->n_classes);
    const int names = s->n_targets ? s->n_targets : s->n_classes;
    for (int i = 0; i < names && i < 6; i++)
        fprintf(out, "%s%s", i ? ", " : "", s->n_targets ? s->targets[i].name : s->classes[i]);
    fprintf(
        out,
        "%s; %lld training and %lld test rows, %lld epochs of batches of %lld, weight decay %.3g%s, %s, %d thread%s\n",
        names > 6 ? ", ..." : "", (long long)ib_dataset_count(t->s.train), (long long)ib_dataset_count(t->s.test),
        (long long)t->o.epochs, (long long)t->o.batch, t->o.decay, t->o.decay_epochs ? " (by the training rows)" : "",
        ib_device_name(t->s.dev), ib_threads(), ib_threads() > 1 ? "s" : "");
}

static void print_weights(const training *t, FILE *out)
{
    const int n = ib_layer_input(t->s.net)->classes;
    fprintf(out, "class weights:");
    for (int i = 0; i < n && i < 20; i++) {
        const char *name = ib_schema_class(ib_dataset_schema(t->s.train), i);
        if (name)
            fprintf(out, "%s %s %.4g", i ? "," : "", name, t->weights[i]);
        else
            fprintf(out, "%s %d %.4g", i ? "," : "", i, t->weights[i]);
    }
    fprintf(out, "%s\n", n > 20 ? ", ..." : "");
}

static void print_pictures(const training *t, FILE *out)
{
    const ib_input_info *in = ib_layer_input(t->s.net);
    fprintf(out, "%s on %s: %lld training and %lld test samples of %dx%dx%d, %s, %d thread%s\n",
            *t->model ? t->model : t->o.init, t->o.common.data, (long long)ib_dataset_count(t->s.train),
            (long long)ib_dataset_count(t->s.test), in->c, in->h, in->w, ib_device_name(t->s.dev), ib_threads(),
            ib_threads() > 1 ? "s" : "");
}

void train_print_start(const training *t)
{
    FILE *out = report_stream(&t->o.common);
    if (train_is_table(t))
        print_table(t, out);
    else
        print_pictures(t, out);
    if (t->weights)
        print_weights(t, out);
}
