/* language_session.c - see language_session.h */
#include "cli/language/language_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int language_open(language *l, const common *o, const char *model, const char *tokenizer, const char *base,
                  const char *adapter)
{
    if (ib_threads_set(o->threads) || !(l->dev = ib_device_open(o->device)) || !(l->g = ib_graph_new(l->dev)))
        return complain();
    working_start("open", model);
    const int opened = (l->m = ib_lm_open(model)) && (l->t = ib_tokenizer_open(tokenizer ? tokenizer : model));
    working_end();
    if (!opened)
        return complain();
    if (ib_tokenizer_size(l->t) > ib_lm_config_of(l->m)->vocabulary) {
        fprintf(stderr, "isobit: %s: the tokenizer has %d tokens, the model %d\n", tokenizer ? tokenizer : model,
                ib_tokenizer_size(l->t), ib_lm_config_of(l->m)->vocabulary);
        return 1;
    }
    working_start("store the linear layers of", model);
    const int failed = (base && ib_lm_requantize(l->m, base)) || (adapter && ib_lm_adapter_open(l->m, adapter));
    working_end();
    if (failed)
        return complain();
    const char *trained = ib_lm_adapter_base_of(l->m);
    if (*trained && !base)
        fprintf(stderr,
                "isobit: %s was trained over a base in %s: the linear layers are stored so (--base keep leaves them)\n",
                adapter, trained);
    else if (*trained && strcmp(trained, ib_lm_base_of(l->m)))
        fprintf(stderr, "isobit: %s was trained over a base in %s, but runs over %s, as --base says\n", adapter,
                trained, base);
    return 0;
}

int parse_path(const char *arg, ib_path *path)
{
    if (strcmp(arg, "exact") && strcmp(arg, "integer"))
        return fprintf(stderr, "isobit: --path '%s': exact and integer are possible\n", arg) > 0;
    *path = strcmp(arg, "integer") ? IB_PATH_EXACT : IB_PATH_INTEGER;
    return 0;
}

int language_path(language *l, ib_path path, products *made)
{
    made->path = path;
    return ib_lm_set_path(l->m, path) || ib_lm_products_of(l->m, &made->of) ? complain() : 0;
}

void tell_path(const char *model, const products *made)
{
    const long long all = (long long)(made->of.integer + made->of.exact), integer = (long long)made->of.integer;
    if (made->path == IB_PATH_EXACT)
        fprintf(stderr, "isobit: %s: all %lld matrices run exactly, as --path says\n", model, all);
    else if (made->of.exact)
        fprintf(stderr, "isobit: %s: of %lld matrices %lld run in integers; exact, without such products: %s\n", model,
                all, integer, made->of.exact_formats);
    else
        fprintf(stderr, "isobit: %s: all %lld matrices run in integers (--path exact: in fp32)\n", model, all);
}

void add_path(struct json_object *j, const products *made)
{
    json_object_object_add(j, "path", json_object_new_string(made->path == IB_PATH_INTEGER ? "integer" : "exact"));
    json_object_object_add(j, "integer_matrices", json_object_new_int64(made->of.integer));
    json_object_object_add(j, "exact_matrices", json_object_new_int64(made->of.exact));
    json_object_object_add(j, "exact_formats", json_object_new_string(made->of.exact_formats));
}

void language_close(language *l)
{
    ib_tokenizer_free(l->t);
    ib_lm_free(l->m);
    ib_graph_free(l->g);
    ib_device_close(l->dev);
}

int text_tokens(ib_tokenizer *t, const char *path, int without_end, ib_ids *out)
{
    size_t n = 0;
    char *text = ib_text_read(path, &n);
    n -= without_end && n && text[n - 1] == '\n';
    int status = text ? 0 : complain();
    if (text && ib_tokenize(t, text, n, 0, out))
        status = fprintf(stderr, "isobit: %s: %s\n", path, ib_error()) > 0;
    else if (text && !out->n)
        status = fprintf(stderr, "isobit: %s: holds no text\n", path) > 0;
    ib_free(text);
    return status;
}

int language_tokens(language *l, const char *text, ib_ids *out)
{
    return text_tokens(l->t, text, 0, out);
}

int complain_of_windows(const char *model, const char *text)
{
    const ib_status status = ib_error_status();
    if (status == IB_ESTOPPED)
        return fprintf(stderr, "isobit: interrupted: %s\n", ib_error()), 128 + interrupted;
    if (status != IB_EINVAL && status != IB_ENUMERIC) /* of the text; of the model */
        return complain();
    return fprintf(stderr, "isobit: %s: %s\n", status == IB_EINVAL ? text : model, ib_error()) > 0;
}

int language_perplexity(language *l, const char *model, const char *text, ib_perplexity_opts p,
                        ib_perplexity_result *out)
{
    ib_ids ids = {0};
    int status = text_tokens(l->t, text, p.in_place, &ids);
    p.bos = ib_tokenizer_adds_bos(l->t) ? ib_tokenizer_bos(l->t) : -1;
    if (!status && ib_lm_perplexity(l->m, l->g, ids.id, ids.n, &p, out))
        status = complain_of_windows(model, text);
    ib_free_ids(&ids);
    return status;
}

int check_text(const char *option, const char *text)
{
    const size_t n = strlen(text), good = ib_utf8_good(text, n);
    return good < n ? fprintf(stderr, "isobit: %s: the text is not UTF-8: byte %zu is 0x%02X\n", option, good,
                              (unsigned char)text[good]) > 0
                    : 0;
}

int check_template(const char *name)
{
    return ib_chat_template_check(name) ? fprintf(stderr, "isobit: --template: %s\n", ib_error()) > 0 : 0;
}

int64_t peak_memory(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)u.ru_maxrss * 1024;
}
