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
    t->split[t->n_splits] = c;
    t->pattern[t->n_splits] = ib_strdup(pattern);
    return t->pattern[t->n_splits++] ? IB_OK : IB_ENOMEM;
}

/* Patterns of the models' tokenizer.json, as llama.cpp's src/llama-vocab.cpp names them (llm_tokenizer_bpe; its own spellings
 * of the same). What no pattern matches is a word as well. */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SHORT "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3(digits) SHORT "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits REST
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASES(ending, digits) "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" ending "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" \
    ending "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define BLOOM " ?[^(\\s|.,!?…。，、।۔،)]+"
#define HAN "[一-龥ࠀ-一가-퟿]+"
#define DEEPSEEK3 "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+" \
    "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
/* letters with upper and lower case */
#define CASED "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕ" \
    "Ἐ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126" \
    "ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟" \
    "𞤀-𞥃"

/* Rows that do the same: the first name is the one that is written. merges: a word that is a token is that token. */
static const struct {
    const char *names; /* with a blank behind each */
    int merges;
    const char *split[IB_MAX_SPLITS];
} known[] = {
    {"gpt-2 phi-2 mpt olmo jais trillion exaone4 gigachat a.x-4.0 mellum modern-bert granite-docling ", 0, {GPT2}},
    {"smollm starcoder refact command-r codeshell exaone minerva-7b ", 0, {"\\p{N}", GPT2}},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 ", 1, {LLAMA3("\\p{N}{1,3}")}},
    {"smaug-bpe dbrx chatglm-bpe glm4 ", 0, {LLAMA3("\\p{N}{1,3}")}},
    {"qwen2 stablelm2 deepseek-r1-qwen megrez hunyuan ", 0, {LLAMA3("\\p{N}")}},
    {"tekken ", 1, {CASES("", "\\p{N}")}},
    {"gpt-4o llama4 ", 0, {CASES(SHORT "?", "\\p{N}{1,3}")}},
    {"falcon ", 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {"default ", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"bloom poro-chat gpt3-finnish ", 0, {BLOOM}},
    {"viking ", 0, {BLOOM, "\\p{N}"}},
    {"deepseek-llm ", 0, {"[\r\n]", "\\s?[" CASED "]+", "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$", HAN, "\\p{N}+"}},
    {"deepseek-coder ", 0, {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN, "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense ", 0, {"\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3}},
};
enum { N_KNOWN = sizeof known / sizeof *known };

ib_status ib_tokenizer_named_split(ib_tokenizer *t, const char *pre)
{
    const size_t n = strlen(pre);
    for (int i = 0; i < N_KNOWN; i++)
        for (const char *name = known[i].names; *name; name += strcspn(name, " ") + 1)
            if (strcspn(name, " ") == n && !memcmp(name, pre, n)) {
                ib_status status = IB_OK;
                for (int j = 0; known[i].split[j] && !status; j++)
                    status = ib_tokenizer_add_split(t, known[i].split[j]);
                t->ignore_merges = known[i].merges;
                return status;
            }
    return ib_fail(IB_EUNSUPPORTED, "the tokenizer splits words as '%s', which is not known; --tokenizer takes the model's tokenizer.json",
                   pre);
}

const char *ib_tokenizer_pre(const ib_tokenizer *t)
{
    static const char *const first[] = {"gpt-2", "smollm", "llama-bpe", "smaug-bpe", "qwen2", "tekken", "gpt-4o", "falcon",
                                        "default", "bloom", "viking", "deepseek-llm", "deepseek-coder", "deepseek-v3"};
    _Static_assert(sizeof first / sizeof *first == N_KNOWN, "a name for each row");
    for (int i = 0; i < N_KNOWN; i++) {
        int j = 0;
        while (j < t->n_splits && known[i].split[j] && !strcmp(known[i].split[j], t->pattern[j]))
            j++;
        if (j == t->n_splits && !known[i].split[j] && known[i].merges == t->ignore_merges)
            return first[i];
    }
    return ib_fail_null(IB_EUNSUPPORTED, "the tokenizer splits words as no tokenizer.ggml.pre of GGUF says: keep the model as a folder");
}
