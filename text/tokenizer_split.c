/* tokenizer_split.c - the regular expressions that cut text into words before merging. */
#include <string.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/error.h"

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
        return ib_fail(IB_EUNSUPPORTED, "the splitting pattern '%.80s' cannot be used: %s at %zu", pattern,
                       (char *)message, (size_t)at);
    }
    pcre2_jit_compile(c, PCRE2_JIT_COMPLETE); /* without JIT it works, more slowly */
    t->split[t->n_splits] = c;
    t->pattern[t->n_splits] = ib_strdup(pattern);
    return t->pattern[t->n_splits++] ? IB_OK : IB_ENOMEM;
}

/* Patterns of the models' tokenizer.json, by the names of llama.cpp's src/llama-vocab.cpp (llm_tokenizer_bpe). What no
 * pattern matches is a word as well. Where llama.cpp cuts otherwise than the models (it knows cases of ASCII letters
 * alone, and takes no white space for a Chinese character), `gguf` has what a GGUF file so named means to it. */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SHORT "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORD SHORT "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define END "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3(digits) WORD "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" END
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASES(ending, digits) "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" ending \
    "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" \
    ending "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UNCASED(ending, digits) "[^\\r\\n\\p{L}\\p{N}]?(?:(?![a-z])\\p{L})*(?:(?![A-Z])\\p{L})+" ending \
    "|[^\\r\\n\\p{L}\\p{N}]?(?:(?![a-z])\\p{L})+(?:(?![A-Z])\\p{L})*" ending "|" digits \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define BLOOM " ?[^(\\s|.,!?…。，、।۔،)]+"
#define HAN "[一-龥ࠀ-一가-퟿]"
#define MARKS "[!-/:-~！-／：-～‘-‟　-。]"
#define NO_SPACE(class) "(?:(?!\\s)" class ")+"
#define DEEPSEEK3 "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+" \
    "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+" \
    "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
/* letters with upper and lower case */
#define CASED "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕ" \
    "Ἐ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126" \
    "ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟" \
    "𞤀-𞥃"

/* Rows that do the same: the first name is the one that is written. */
static const struct {
    const char *names; /* with a blank behind each */
    int merges, bos;   /* a word that is a token is that token; a BOS stands before a text if the file does not say */
    const char *split[IB_MAX_SPLITS], *gguf[IB_MAX_SPLITS]; /* gguf: where it differs */
} known[] = {
    {"gpt-2 phi-2 mpt olmo jais trillion exaone4 gigachat a.x-4.0 mellum modern-bert granite-docling ",
     0, 0, {GPT2}, {0}},
    {"smollm starcoder refact command-r codeshell exaone minerva-7b mellum2 ", 0, 0, {"\\p{N}", GPT2}, {0}},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 ", 1, 1, {LLAMA3("\\p{N}{1,3}")}, {0}},
    {"glm4 glm5 ", 1, 0, {LLAMA3("\\p{N}{1,3}")}, {0}},
    {"smaug-bpe dbrx chatglm-bpe ", 0, 0, {LLAMA3("\\p{N}{1,3}")}, {0}},
    {"qwen2 stablelm2 deepseek-r1-qwen megrez hunyuan kormo solar-open grok-2 ", 0, 0, {LLAMA3("\\p{N}")}, {0}},
    {"qwen35 ", 0, 0, {SHORT "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" END},
     {0}},
    {"minicpm5 ", 1, 0, {"\\p{N}{1,3}", LLAMA3("\\p{N}+")}, {0}},
    {"seed-coder ", 0, 0, {WORD "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" END}, {0}},
    {"bailingmoe bailingmoe2 llada-moe ", 0, 0, {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}"
      "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}, {0}},
    {"tekken ", 1, 1, {CASES("", "\\p{N}")}, {UNCASED("", "\\p{N}")}},
    {"gpt-4o llama4 kanana2 minimax-m2 ", 0, 0, {CASES(SHORT "?", "\\p{N}{1,3}")}, {UNCASED(SHORT "?", "\\p{N}{1,3}")}},
    {"falcon ", 0, 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}, {0}},
    {"default ", 0, 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}, {0}},
    {"bloom poro-chat gpt3-finnish ", 0, 0, {BLOOM}, {0}},
    {"viking ", 0, 0, {BLOOM, "\\p{N}"}, {0}},
    {"deepseek-llm ", 0, 0, {"[\r\n]", "\\s?[" CASED "]+", "\\s?" MARKS "+", "\\s+$", HAN "+", "\\p{N}+"},
     {"[\r\n]", "\\s?[" CASED "]+", "\\s?" NO_SPACE(MARKS), "\\s+$", NO_SPACE(HAN), "\\p{N}+"}},
    {"deepseek-coder ", 0, 0, {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN "+", "\\p{N}"},
     {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", NO_SPACE(HAN), "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense joyai-llm ", 0, 0, {"\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3}, {0}},
};
enum { N_KNOWN = sizeof known / sizeof *known };

ib_status ib_tokenizer_named_split(ib_tokenizer *t, const char *pre)
{
    const size_t n = strlen(pre);
    for (int i = 0; i < N_KNOWN; i++)
        for (const char *name = known[i].names; *name; name += strcspn(name, " ") + 1)
            if (strcspn(name, " ") == n && !memcmp(name, pre, n)) {
                const char *const *list = known[i].gguf[0] ? known[i].gguf : known[i].split;
                ib_status status = IB_OK;
                for (int j = 0; j < IB_MAX_SPLITS && list[j] && !status; j++)
                    status = ib_tokenizer_add_split(t, list[j]);
                t->ignore_merges = known[i].merges;
                t->add_bos = known[i].bos;
                return status;
            }
    return ib_fail(IB_EUNSUPPORTED, "the tokenizer splits words as '%s', which is not known; --tokenizer takes "
                                    "the model's tokenizer.json",
                   pre);
}

static int splits_as(const ib_tokenizer *t, const char *const *list)
{
    int j = 0;
    while (j < t->n_splits && list[j] && !strcmp(list[j], t->pattern[j]))
        j++;
    return t->n_splits && j == t->n_splits && (j == IB_MAX_SPLITS || !list[j]);
}

ib_status ib_tokenizer_pre(const ib_tokenizer *t, char name[IB_PRE_NAME])
{
    for (int i = 0; i < N_KNOWN; i++)
        if (known[i].merges == t->ignore_merges && (splits_as(t, known[i].split) || splits_as(t, known[i].gguf))) {
            const size_t n = strcspn(known[i].names, " ");
            memcpy(name, known[i].names, n);
            name[n] = 0;
            return IB_OK;
        }
    return ib_fail(IB_EUNSUPPORTED, "the tokenizer splits words as no tokenizer.ggml.pre of GGUF says: keep "
                                    "the model as "
                                    "a folder");
}
