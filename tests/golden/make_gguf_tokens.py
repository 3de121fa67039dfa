#!/usr/bin/env python3
"""make_gguf_tokens.py - the tokens that llama.cpp gives for every name of tokenizer.ggml.pre that text/tokenizer_split.c knows,
into tests/golden/models/gguf_tokens.json. The vocabulary is tokenizer_default's, whose merges cross any border of words.
make_gguf_tokens.py LLAMA_TOKENIZE VERSION; needs: pip install gguf"""
import collections, json, pathlib, random, re, subprocess, sys, tempfile
import gguf
from make_tokenizers import HERE, text

def vocabulary(pre, path):
    """A GGUF file of tokenizer_default's tokens and merges."""
    model = json.loads((HERE / "models/tokenizer_default/tokenizer.json").read_text())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    w = gguf.GGUFWriter(path, "llama")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(pre)
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()

def tokenize(path, texts):
    """[[id]] by llama-tokenize"""
    out = []
    for s in texts:
        said = subprocess.run([sys.argv[1], "-m", path, "--ids", "--no-bos", "--no-escape", "--stdin", "--log-disable"], input=s.encode(),
                              capture_output=True, check=True).stdout.decode()
        out.append(json.loads(said[said.rindex("["):]))
    return out

def names():
    rows = re.findall(r'^    \{"([^"]* )",', (HERE.parents[1] / "text/tokenizer_split.c").read_text(), re.M)
    return [name for row in rows for name in row.split()]

def groups(ids, keep):
    """Names by their tokens of the texts in `keep`."""
    out = collections.defaultdict(list)
    for name, of in ids.items():
        out[json.dumps([of[i] for i in keep])].append(name)
    return out

if __name__ == "__main__":
    r = random.Random(8)
    texts = ["12345678 x1y22z333", "I'M we'LL don't 'Re", "a  b\n\n \r\n\t c   ", "LÉon éÉ ÑandÚ ΑΩω МИр", "क\u094dषि e\u0301 n\u0303O\u0308",
             "x\u2003\u3000\u00a0y\u205f\u000b", "中文123，。日本語カナ", "foo/bar!!\n\n?? $100 #a_b"]
    keep = list(range(len(texts)))
    texts += [text(r, r.choice([12, 25, 50])) for _ in range(400)]
    ids = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names():
            vocabulary(name, folder + "/v.gguf")
            ids[name] = tokenize(folder + "/v.gguf", texts)
    for i in range(len(keep), len(texts)): # those that tell more names apart, and some more
        if len(keep) < 16 or len(groups(ids, keep + [i])) > len(groups(ids, keep)):
            keep.append(i)
    said = {"oracle": sys.argv[2], "texts": [texts[i] for i in keep],
            "alike": [{"names": v, "ids": json.loads(k)} for k, v in groups(ids, keep).items()]}
    (HERE / "models/gguf_tokens.json").write_text(json.dumps(said, ensure_ascii=False, separators=(",", ":")))
