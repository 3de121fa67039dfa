/* onnx.c - prints an integer program as ONNX, with ONNX Runtime's integers (profiles fp32_rne and xnnpack).
 * onnx_product.c, onnx_elements.c and onnx_shape.c print instructions, onnx_file.c writes the file. */
#include <stdlib.h>

#include "base/argument.h"
#include "export/export_format.h"
#include "export/onnx_print.h"

static const struct {
    const ib_instr_class *cls;
    ib_status (*print)(const printer *w, const ib_instr *i);
} printers[] = {
#define INSTR(name) {&ib_instr_##name, ib_onnx_print_##name},
#include "program/instructions.def"
#undef INSTR
};

static ib_status print_instruction(const printer *w, const ib_instr *i)
{
    size_t k = 0;
    while (printers[k].cls != i->cls)
        k++;
    return printers[k].print(w, i);
}

ib_status ib_export_onnx(const ib_program *p, const char *path, const char *name, const ib_onnx_opts *opts)
{
    IB_NEED(p);
    IB_NEED(path);
    IB_NEED(name);
    static const ib_onnx_opts defaults;
    opts = opts ? opts : &defaults;
    const ib_value *in = &p->values[0], *out = &p->values[p->result];
    if (p->rounding != ISOBIT_FP32_RNE)
        return ib_fail(IB_EUNSUPPORTED,
                       "%s: the network rounds as %s, ONNX Runtime as fp32_rne: export with --profile fp32_rne", path,
                       ib_profile_name((ib_profile)p->profile));
    printer w = {.p = p, .o = ib_onnx_new(name), .qdq = opts->qdq, .int4 = !opts->int4_as_int8};
    if (!w.o)
        return IB_ENOMEM;
    const int64_t shape[4] = {1, p->input.c, p->input.h, p->input.w};
    ib_onnx_value(w.o, 0, "input", IB_ONNX_FLOAT, 4, shape);
    w.at = -1;
    ib_snprintf(w.out, sizeof w.out, "codes");
    ib_onnx_constant(w.o, "input_scale", IB_ONNX_FLOAT, 0, NULL, &in->scale, sizeof in->scale);
    const uint8_t zero = (uint8_t)(in->zero + RAISE), out_zero = (uint8_t)(out->zero + RAISE);
    ib_onnx_constant(w.o, "input_zero", IB_ONNX_UINT8, 0, NULL, &zero, 1);
    ib_onnx_node(w.o, "QuantizeLinear", "input input_scale input_zero", in->bits < 8 ? "unclamped" : "codes");
    if (in->bits < 8) {
        const int half = 1 << (in->bits - 1);
        const uint8_t most = (uint8_t)(half - 1 + RAISE), least = (uint8_t)(RAISE - half);
        ib_onnx_constant(w.o, "input_least", IB_ONNX_UINT8, 0, NULL, &least, 1);
        ib_onnx_constant(w.o, "input_most", IB_ONNX_UINT8, 0, NULL, &most, 1);
        ib_onnx_node(w.o, "Clip", "unclamped input_least input_most", "codes");
    }
    ib_status status = IB_OK;
    for (w.at = 0; w.at < p->n_instrs && !status; w.at++) {
        const ib_instr *i = &p->instrs[w.at];
        ib_snprintf(w.out, sizeof w.out, "v%d", i->out);
        status = print_instruction(&w, i);
    }
    ib_onnx_constant(w.o, "output_scale", IB_ONNX_FLOAT, 0, NULL, &out->scale, sizeof out->scale);
    ib_onnx_constant(w.o, "output_zero", IB_ONNX_UINT8, 0, NULL, &out_zero, 1);
    ib_onnx_node(w.o, "DequantizeLinear", text("%s output_scale output_zero", name_of(p->result)), "output");
    ib_onnx_value(w.o, 1, "output", IB_ONNX_FLOAT, out->ndim, out->shape);
    ib_onnx_metadata(w.o, "isobit.profile", ib_profile_name((ib_profile)p->profile));
    if (*ib_program_note(p))
        ib_onnx_metadata(w.o, "isobit.note", ib_program_note(p));
    char *schema = p->schema && !status ? ib_schema_text(p->schema) : NULL;
    if (schema)
        ib_onnx_metadata(w.o, "isobit.schema", schema);
    else if (p->schema && !status)
        status = IB_ENOMEM;
    ib_free(schema);
    if (status) {
        ib_onnx_free(w.o);
        return status;
    }
    return ib_onnx_write(w.o, path);
}

ib_status ib_print_onnx_qop(const ib_program *p, const ib_print_job *job)
{
    return ib_export_onnx(p, job->path, job->name, NULL);
}

ib_status ib_print_onnx_qdq(const ib_program *p, const ib_print_job *job)
{
    return ib_export_onnx(p, job->path, job->name, &(ib_onnx_opts){.qdq = 1});
}
