/* rules.c - "pattern=w8a8" and "pattern=float": what layers of such names get instead of the network's widths. */
#include <fnmatch.h>
#include <string.h>

#include "base/alloc.h"
#include "qat/plan.h"

/* Each rule in turn, until one fails. */
typedef ib_status (*take_rule)(void *context, const char *pattern, const char *widths);
static ib_status each_rule(const char *text, take_rule take, void *context)
{
    char *rules = ib_strdup(text), *save = NULL;
    ib_status status = rules ? IB_OK : IB_ENOMEM;
    for (char *rule = rules ? strtok_r(rules, " ,", &save) : NULL; rule && !status;
         rule = strtok_r(NULL, " ,", &save)) {
        char *equal = strrchr(rule, '=');
        if (equal) {
            *equal = 0;
            status = take(context, rule, equal + 1);
        } else
            status = ib_fail(IB_EINVAL, "rules: '%s' is not of the form pattern=w8a8 or pattern=float", rule);
    }
    ib_free(rules);
    return status;
}

typedef struct target {
    ib_step *step;
    int *act_bits;
} target;

static ib_status apply(void *context, const char *pattern, const char *widths)
{
    const target *t = context;
    const int is_float = !strcmp(widths, "float");
    ib_qat_opts o = {0};
    if (!is_float && ib_qat_bits_parse(widths, &o))
        return ib_error_status();
    if (fnmatch(pattern, t->step->name, 0))
        return IB_OK;
    t->step->keep_float = is_float;
    if (!is_float) {
        t->step->weight.bits = o.weight_bits;
        *t->act_bits = o.act_bits;
    }
    return IB_OK;
}

ib_status ib_apply_rules(const ib_plan *p, ib_step *s, int *act_bits)
{
    return each_rule(p->opts.rules, apply, &(target){s, act_bits});
}

static ib_status check(void *context, const char *pattern, const char *widths)
{
    const ib_plan *p = context;
    for (int i = 0; i < p->n_steps; i++)
        if (!fnmatch(pattern, p->steps[i].name, 0))
            return IB_OK;
    return ib_fail(IB_EINVAL, "rules: '%s=%s' matches no layer (isobit inspect lists their names)", pattern, widths);
}

ib_status ib_check_rules(ib_plan *p)
{
    return each_rule(p->opts.rules, check, p);
}
