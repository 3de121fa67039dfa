/* probe_language.c - for tests/lm/model_files.py: what the library makes of files that Python wrote.
 *   probe_language fields                            rows of the tables of fields: table, key, kind, architectures,
 *                                                    values, reason
 *   probe_language logits MODEL ADAPTER|- IDS OUT    logits of the tokens "3,1,4" as raw fp32; an error goes to
 *   stderr, status 1 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lm/load/fields.h"

static void print(const ib_field_table *t)
{
    for (int i = 0; i < t->n; i++)
        printf("%s\t%s\t%s\t%u\t%s\t%s\n", t->name, t->field[i].key, ib_field_kind_name(t->field[i].kind),
               t->field[i].archs, t->field[i].only ? t->field[i].only : "", t->field[i].why);
}

static int complain(void)
{
    fprintf(stderr, "%s\n", ib_error());
    return 1;
}

static int logits(const char *model, const char *adapter, char *list, const char *out)
{
    enum { MOST = 4096 };
    static int32_t ids[MOST], pos[MOST], first[MOST];
    int n = 0;
    for (char *w = strtok(list, ","); w && n < MOST; w = strtok(NULL, ",")) {
        ids[n] = atoi(w);
        pos[n] = n;
        n++;
    }
    ib_device *dev = ib_device_open(getenv("ISOBIT_DEVICE") ? NULL : "cpu:base"); /* fp32 products */
    ib_graph *g = ib_graph_new(dev);
    ib_lm *m = ib_lm_open(model);
    if (!g || !m || (strcmp(adapter, "-") && ib_lm_adapter_open(m, adapter)))
        return complain();
    ib_graph_begin(g, IB_EVAL);
    const ib_lm_batch b = {n, ids, pos, first};
    ib_tensor *y = ib_lm_hidden(m, g, &b, 0);
    y = y ? ib_lm_logits(m, g, y) : NULL;
    if (!y)
        return complain();
    const size_t size = (size_t)ib_tensor_size(y);
    float *x = malloc(size * sizeof *x);
    if (!x || ib_tensor_read(y, x))
        return complain();
    FILE *f = fopen(out, "wb");
    const int written = f && fwrite(x, sizeof(float), size, f) == size;
    free(x);
    if (f)
        fclose(f);
    ib_lm_free(m);
    ib_graph_free(g);
    ib_device_close(dev);
    return !written;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "fields")) {
        print(&ib_config_fields);
        print(&ib_gguf_fields);
        print(&ib_adapter_fields);
        print(&ib_gguf_adapter_fields);
        return 0;
    }
    if (argc == 6 && !strcmp(argv[1], "logits"))
        return logits(argv[2], argv[3], argv[4], argv[5]);
    fprintf(stderr, "probe_language: see its source\n");
    return 2;
}
