/* tokenizer_split.c - the regular expressions that cut text into words before merging. */
#include <string.h>

#include "data/tokenizer.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

/* White space as Unicode's White_Space, which PCRE2's own \s is not quite. */
#define SPACE "\\p{Z}\\x{09}-\\x{0d}\\x{85}"

/* \s and \S in the patterns of tokenizer.json, inside and outside brackets, become the class above. */
static char *with_spaces(const char *p)
{
    char *out = ib_alloc(strlen(p) * (sizeof SPACE + 4) + 1), *q = out;
    int class = 0;
    for (; out && *p; p++) {
        if (*p == '\\' && p[1] == 's') {
            q += strlen(strcpy(q, class ? SPACE : "[" SPACE "]"));
            p++;
        } else if (*p == '\\' && p[1] == 'S' && !class) {
            q += strlen(strcpy(q, "[^" SPACE "]"));
            p++;
        } else if (*p == '\\' && p[1]) {
            *q++ = *p++;
            *q++ = *p;
        } else {
            class = *p == '[' ? 1 : *p == ']' ? 0 : class;
            *q++ = *p;
        }
    }
    return out;
}

ib_status ib_tokenizer_add_split(ib_tokenizer *t, const char *pattern)
{
    if (t->n_splits == IB_MAX_SPLITS)
        return ib_fail(IB_EUNSUPPORTED, "more than %d splitting patterns", IB_MAX_SPLITS);
    char *p = with_spaces(pattern);
    if (!p)
        return IB_ENOMEM;
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)p, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    ib_free(p);
    if (!c) {
        PCRE2_UCHAR message[120] = "";
        pcre2_get_error_message(code, message, sizeof message);
        return ib_fail(IB_EUNSUPPORTED, "the splitting pattern '%.80s' cannot be used: %s at %zu", pattern, (char *)message, (size_t)at);
    }
    pcre2_jit_compile(c, PCRE2_JIT_COMPLETE); /* without JIT it works, more slowly */
    t->split[t->n_splits++] = c;
    return IB_OK;
}

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define LLAMA3(digits) "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

ib_status ib_tokenizer_named_split(ib_tokenizer *t, const char *pre)
{
    static const struct {
        const char *name, *first, *second;
    } known[] = {{"gpt-2", GPT2, NULL}, {"default", GPT2, NULL}, {"smollm", "\\p{N}", GPT2}, {"llama-bpe", LLAMA3("\\p{N}{1,3}"), NULL},
                 {"llama3", LLAMA3("\\p{N}{1,3}"), NULL}, {"llama-v3", LLAMA3("\\p{N}{1,3}"), NULL}, {"qwen2", LLAMA3("\\p{N}"), NULL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, pre)) {
            const ib_status status = ib_tokenizer_add_split(t, known[i].first);
            return status || !known[i].second ? status : ib_tokenizer_add_split(t, known[i].second);
        }
    return ib_fail(IB_EUNSUPPORTED, "the tokenizer splits words as '%s'; gpt-2, smollm, llama-bpe and qwen2 are supported", pre);
}
