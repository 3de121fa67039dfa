/* tflite.c - prints an integer program as a TFLite flatbuffer: int8 in and out, N,H,W,C. tflite_product.c,
 * tflite_elements.c and tflite_shape.c print instructions, tflite_file.c writes the file. */
#include <string.h>

#include "base/argument.h"
#include "base/number.h"
#include "export/export_format.h"
#include "export/tflite_print.h"

static const struct {
    const ib_instr_class *cls;
    ib_status (*print)(ib_tflite *w, const ib_instr *i);
} printers[] = {
#define INSTR(name) {&ib_instr_##name, ib_tflite_print_##name},
#include "program/instructions.def"
#undef INSTR
};

static ib_status print_instruction(ib_tflite *w, const ib_instr *i)
{
    size_t k = 0;
    while (printers[k].cls != i->cls)
        k++;
    w->name = i->name;
    return printers[k].print(w, i);
}

ib_status ib_export_tflite(const ib_program *p, const char *path, const char *name, const ib_tflite_opts *opts)
{
    IB_NEED(p);
    IB_NEED(path);
    IB_NEED(name);
    ib_tflite w;
    if (p->profile == ISOBIT_TFLITE_SINGLE)
        return ib_fail(IB_EUNSUPPORTED,
                       "%s: no LiteRT build rounds as tflite_single: export with --profile tflite_double or xnnpack",
                       path);
    ib_status status = ib_tflite_begin(&w, p);
    /* XNNPACK has no kernels for int4 with int8: what it leaves out would run, and round, elsewhere */
    w.int4 = !(opts && opts->int4_as_int8) && p->profile == ISOBIT_TFLITE_DOUBLE;
    for (int v = 0; v < p->n_values && !status; v++) {
        char label[32];
        int32_t s[4];
        ib_snprintf(label, sizeof label, v == p->result ? "output" : v ? "v%d" : "input", v);
        const int ndim = v ? ib_tflite_shape(&p->values[v], s) : 4;
        if (!v)
            memcpy(s, (int32_t[]){1, p->input.h, p->input.w, p->input.c}, sizeof s);
        w.tensor_of[v] = ib_constant_of(p, v)
                             ? ib_tflite_constant_value(&w, v, label, ndim, s)
                             : ib_tflite_tensor(&w, label, INT8, ndim, s, 1, 0,
                                                ib_tflite_scales(&w, 1, &p->values[v].scale, p->values[v].zero, 0));
    }
    for (int i = 0; i < p->n_instrs && !status; i++)
        status = print_instruction(&w, &p->instrs[i]);
    if (!status)
        status = ib_tflite_write(&w, path, name);
    ib_tflite_free(&w);
    return status;
}

ib_status ib_print_tflite(const ib_program *p, const ib_print_job *job)
{
    return ib_export_tflite(p, job->path, job->name, NULL);
}
