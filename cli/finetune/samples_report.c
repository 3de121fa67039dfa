/* samples_report.c - see samples_report.h */
#include "cli/finetune/samples_report.h"

void report_samples(FILE *f, const ib_samples *s, const samples_asked *a)
{
    const ib_samples_info i = ib_samples_info_of(s);
    fprintf(f, "%s: %lld samples in %lld rows, %lld tokens, %lld of them learned\n", a->data, (long long)i.samples,
            (long long)i.rows, (long long)i.tokens, (long long)i.trained);
    int n = 0;
    for (int k = 0; k < IB_ROW_KINDS; k++)
        if (i.kinds[k])
            fprintf(f, "%s%lld of %s", n++ ? ", " : "  rows: ", (long long)i.kinds[k], ib_row_kind_name(k));
    if (n)
        fputc('\n', f);
    n = 0;
    for (int k = 0; ib_row_unused_key(k); k++)
        if (i.unused >> k & 1)
            fprintf(f, "%s%s", n++ ? ", " : "  set aside, as nothing in them is learned: ", ib_row_unused_key(k));
    if (n)
        fputc('\n', f);
    if (i.templated)
        fprintf(f, "  rows: %lld of keys for %s: %s is learned\n", (long long)i.templated, a->prompt_template,
                a->train_on_prompts || !i.template_marks ? "all of its text"
                                                         : "what {% generation %} holds, and the end token behind it,");
}

/* Samples longer than --seq, and what --seq would hold them. */
static void too_long(FILE *f, const ib_samples_info *i, const samples_asked *a)
{
    const int fits = i->longest <= a->context, most = i->length95 > a->seq && i->length95 < i->longest;
    fprintf(f, "%s: %lld of %lld samples are longer than --seq %d and are cut there; the longest has %lld tokens",
            a->data, (long long)i->truncated, (long long)i->samples, a->seq, (long long)i->longest);
    if (fits)
        fprintf(f, ": --seq %lld holds all", (long long)i->longest);
    else if (a->seq < a->context)
        fprintf(f, ": --seq %d is the most, the model's context", a->context);
    else
        fprintf(f, ", more than the model's context: shorter samples are needed to lose nothing");
    if (most && i->length95 <= a->context)
        fprintf(f, ", --seq %lld all but 5 in 100", (long long)i->length95);
    fputc('\n', f);
}

static void too_few(FILE *f, const ib_samples_info *i, const samples_asked *a)
{
    const int64_t batch = a->batch < i->rows ? a->batch : i->rows;
    fprintf(f,
            "%s: a step takes %lld rows (--batch %lld, --accumulate %lld) and there are %lld, so it learns some more "
            "than once: --batch %lld --accumulate %lld takes none twice",
            a->data, (long long)(a->batch * a->accumulate), (long long)a->batch, (long long)a->accumulate,
            (long long)i->rows, (long long)batch, (long long)(i->rows / batch));
    fputs(!a->no_pack && i->samples - i->skipped > i->rows ? ", --no-pack keeps samples apart\n" : "\n", f);
}

void warn_of_samples(FILE *f, const ib_samples *s, const samples_asked *a)
{
    const ib_samples_info i = ib_samples_info_of(s);
    const int64_t empty = i.skipped - i.cut_away;
    if (i.truncated)
        too_long(f, &i, a);
    if (i.cut_short + i.cut_away)
        fprintf(f,
                "%s: of %lld samples a part of what is to be learned is cut away, of %lld all of it: those are left "
                "out (a longer --seq keeps it)\n",
                a->data, (long long)i.cut_short, (long long)i.cut_away);
    if (empty)
        fprintf(f, "%s: %lld of %lld samples have nothing to be learned and are left out%s\n", a->data,
                (long long)empty, (long long)i.samples,
                a->train_on_prompts ? "" : " (--train-on-prompts learns what is asked, too)");
    if (a->batch * a->accumulate > i.rows)
        too_few(f, &i, a);
}
