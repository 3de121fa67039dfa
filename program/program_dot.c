/* program_dot.c - a program as a picture in Graphviz's language. */
#include "base/alloc.h"
#include "base/argument.h"
#include "files/dot.h"
#include "program/instr.h"

/* Of one sample. */
static const char *shape_text(const ib_value *v, char *text, size_t size)
{
    ib_tensor t;
    ib_value_shape(v, 0, &t);
    return ib_tensor_shape_text(&t, text, size);
}

ib_status ib_program_dot(const ib_program *p, const char *path)
{
    IB_NEED(p);
    IB_NEED(path);
    ib_strbuf s = {0};
    ib_dot_begin(&s, "program");
    for (int v = 0; v < p->n_values; v++) {
        const ib_value *value = &p->values[v];
        const ib_instr *made = v ? &p->instrs[value->first] : NULL;
        ib_strbuf label = {0};
        char shape[96];
        ib_strbuf_add(&label, "%s\n%s\n%s\nint%d, scale %.6g, zero point %d", made ? made->cls->name : "input",
                      made ? made->name : "", shape_text(value, shape, sizeof shape), value->bits, value->scale,
                      value->zero);
        if (made && made->codes)
            ib_strbuf_add(&label, "\nweights int%d, %lld products", made->p.conv.bits, (long long)made->macs);
        ib_dot_node(&s, "v", v, label.s, v ? IB_DOT_CODES : IB_DOT_INPUT);
        s.failed |= label.failed;
        ib_free(label.s);
        for (int j = 0; made && j < made->n_in; j++)
            ib_dot_edge(&s, "v", made->in[j], "v", v, shape_text(&p->values[made->in[j]], shape, sizeof shape));
    }
    return ib_dot_finish(&s, path);
}
