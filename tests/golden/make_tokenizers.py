#!/usr/bin/env python3
"""make_tokenizers.py - a tiny byte-level tokenizer for each way of cutting text into words that GGUF files name, with the tokens that
Hugging Face's tokenizers gives for texts of mixed scripts, into tests/golden/models. The patterns stand as in the models'
tokenizer.json; the long class of cased letters of deepseek-llm is taken from text/tokenizer_split.c.
needs: pip install tokenizers"""
import json, pathlib, random, re
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers, Regex

HERE = pathlib.Path(__file__).resolve().parent
SHORT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
def cases(ending, digits):
    word = r"[^\r\n\p{L}\p{N}]?"
    return (word + UPPER + "*" + LOWER + "+" + ending + "|" + word + UPPER + "+" + LOWER + "*" + ending + "|" + digits +
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
source = (HERE.parents[1] / "data" / "tokenizer_split.c").read_text()
CASED = re.search(r'#define CASED (.*?)\n\n', source, re.S).group(1)
CASED = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), "".join(re.findall(r'"([^"]*)"', CASED)))
BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+"
HAN = "[一-龥ࠀ-一가-\ud7ff]+"
SPLITS = {
    "tekken": [cases("", r"\p{N}")],
    "gpt4o": [cases(SHORT + "?", r"\p{N}{1,3}")],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "bloom": [BLOOM],
    "viking": [BLOOM, r"\p{N}"],
    "deepseek_llm": ["[\r\n]", r"\s?[" + CASED + "]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", HAN, r"\p{N}+"],
    "deepseek_coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN, r"\p{N}"],
    "deepseek_v3": [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
                    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+".replace('\\"', '"')],
}
BLOCKS = ["abc DEF xyz", "AbCdEf'S 're'LL", "0123456789", " \t\n\r  ", ".,!?()[]{}<>|^~$+=`-_/\\\"'", "äöüßÉñçø", "αβγΔΩώΐ", "привет МИР", "你好世界。，", "こんにちはカタカナ",
          "한국어", "हिन्दी।", "عربي،۔", "\u00a0\u2003\u3000", "½٣²Ⅷ", "🎉🚀", "e\u0301a\u0308", "Ωℤℨ\u212aẞ", "ภาษาไทย"]
def text(r, n):
    out = ""
    while len(out) < n:
        block = r.choice(BLOCKS)
        out += "".join(r.choice(block) for _ in range(r.randint(1, 5)))
    return out
if __name__ == "__main__":
    for name, splits in SPLITS.items():
        r = random.Random(name)
        t = Tokenizer(models.BPE(ignore_merges=name == "tekken"))
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(s), "isolated") for s in splits[:-1]] +
            ([pre_tokenizers.Split(Regex(splits[-1]), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
        t.decoder = decoders.ByteLevel()
        # merges that go over any border of words: trained without borders
        free = Tokenizer(models.BPE())
        free.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        free.train_from_iterator([text(r, 400) for _ in range(40)], trainers.BpeTrainer(vocab_size=560, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        j = json.loads(t.to_str())
        j["model"].update({k: json.loads(free.to_str())["model"][k] for k in ("vocab", "merges")})
        folder = HERE / "models" / ("tokenizer_" + name)
        folder.mkdir(exist_ok=True)
        (folder / "tokenizer.json").write_text(json.dumps(j, ensure_ascii=False, separators=(",", ":")))
        t = Tokenizer.from_str(json.dumps(j))
        texts = [text(r, n) for n in (5, 10, 20, 40, 40, 80, 80)]
        (folder / "golden.json").write_text(json.dumps([{"text": s, "ids": t.encode(s, add_special_tokens=False).ids} for s in texts],
                                                       ensure_ascii=False, separators=(",", ":")))
