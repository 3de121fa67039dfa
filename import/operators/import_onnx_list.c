/* import_onnx_list.c - the importer's table as JSON. */
#include <string.h>

#include <isobit/export.h>

#include "import/operators/import_onnx_table.h"

static const char *type_name(IbOnnx__AttributeProto__Type type)
{
    static const char *const names[] = {"UNDEFINED", "FLOAT", "INT",     "STRING",  "TENSOR", "GRAPH",
                                        "FLOATS",    "INTS",  "STRINGS", "TENSORS", "GRAPHS", "SPARSE_TENSOR"};
    return names[type];
}

static void add_versions(ib_strbuf *t, int from, int until)
{
    ib_strbuf_add(t, "\"from\":%d,\"until\":", from);
    ib_strbuf_add(t, until ? "%d" : "null", until);
}

static void add_attributes(ib_strbuf *t, const ib_onnx_attribute *attributes)
{
    ib_strbuf_add(t, "\"attributes\":[");
    for (const ib_onnx_attribute *a = attributes; a->name; a++) {
        ib_strbuf_add(t, "%s{\"name\":\"%s\",\"type\":\"%s\",", a == attributes ? "" : ",", a->name,
                      type_name(a->type));
        add_versions(t, a->from, a->until);
        ib_strbuf_add(t, ",\"required\":%s,\"values\":", a->required ? "true" : "false");
        if (strchr("*~-", *a->values) && !a->values[1]) {
            ib_strbuf_add(t, "\"%s\"", *a->values == '*' ? "any" : *a->values == '~' ? "of no effect" : "none");
        } else {
            ib_strbuf_add(t, "[");
            for (const char *w = a->values; w; w = strchr(w, ' ') ? strchr(w, ' ') + 1 : NULL)
                ib_strbuf_add(t, "%s\"%.*s\"", w == a->values ? "" : ",", (int)strcspn(w, " "), w);
            ib_strbuf_add(t, "]");
        }
        ib_strbuf_add(t, ",\"note\":\"%s\"}", a->note ? a->note : "");
    }
    ib_strbuf_add(t, "],");
}

static void add_slots(ib_strbuf *t, const char *what, const ib_onnx_slot *slots)
{
    ib_strbuf_add(t, "\"%s\":[", what);
    for (const ib_onnx_slot *s = slots; s->name; s++) {
        ib_strbuf_add(t, "%s{\"name\":\"%s\",", s == slots ? "" : ",", s->name);
        add_versions(t, s->from, s->until);
        ib_strbuf_add(t, ",\"optional\":%s,\"variadic\":%s,\"is\":\"%s\"}", s->is & IB_SLOT_OPTIONAL ? "true" : "false",
                      s->is & IB_SLOT_VARIADIC ? "true" : "false",
                      s->is & IB_SLOT_KNOWN     ? "constant"
                      : s->is & IB_SLOT_UNUSED  ? "not to be read"
                      : s->is & IB_SLOT_REFUSED ? "refused"
                                                : "any");
    }
    ib_strbuf_add(t, "]");
}

char *ib_import_operators(void)
{
    ib_strbuf t = {0};
    ib_strbuf_add(&t, "{\"newest\":%d,\"operators\":[", IB_ONNX_NEWEST);
    for (const ib_onnx_operator *o = ib_onnx_operators; o->name; o++) {
        ib_strbuf_add(&t, "%s{\"name\":\"%s\",\"versions\":[", o == ib_onnx_operators ? "" : ",\n", o->name);
        for (const char *v = o->versions; v; v = strchr(v, ' ') ? strchr(v, ' ') + 1 : NULL)
            ib_strbuf_add(&t, "%s%.*s", v == o->versions ? "" : ",", (int)strcspn(v, " "), v);
        ib_strbuf_add(&t, "],\"of\":\"%s\",", o->take ? "values" : "shapes");
        add_attributes(&t, o->attributes);
        add_slots(&t, "inputs", o->inputs);
        ib_strbuf_add(&t, ",");
        add_slots(&t, "outputs", o->outputs);
        ib_strbuf_add(&t, "}");
    }
    ib_strbuf_add(&t, "]}\n");
    return t.failed ? NULL : t.s;
}
