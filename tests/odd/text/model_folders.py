"""Odd inputs as somebody meets them who knows the documentation alone:
folders and GGUF files of language models.

Broken by: such an input that is read by half; a refusal that does not name the thing.
"""

import json
import shutil

from made.inputs import make_language, table, weights
from odd import Case


def folder_cases(shop):
    chat = shop.models / "chat"
    cases = []
    config = json.loads((chat / "config.json").read_text())
    weights_file = (chat / "model.safetensors").read_bytes()
    make_language(shop)

    def model(stem, words, name, files=None, **fields):
        """A copy of the folder with other fields of config.json (None: left out) or other files (None: taken away)."""
        shutil.copytree(chat, shop / stem)
        new = {**config, **fields}
        (shop / stem / "config.json").write_text(json.dumps({k: v for k, v in new.items() if v != "left out"}))
        for file, content in (files or {}).items():
            (shop / stem / file).unlink(missing_ok=True)
            if content is not None:
                (shop / stem / file).write_bytes(content)
        cases.append(
            Case(
                name,
                ["perplexity", stem, "--text", "text.txt", "--ctx", "32", "--windows", "1"],
                refused=[stem, *words],
            )
        )

    model("f-unknown", ["use_fancy_attention"], "a field that nobody knows", use_fancy_attention=True)
    model("f-act", ["hidden_act", "tanh"], "an activation that is not supported", hidden_act="tanh")
    model(
        "f-type",
        ["phi3"],
        "an architecture that is not supported",
        model_type="phi3",
        architectures=["Phi3ForCausalLM"],
    )
    model(
        "f-rope",
        ["rope", "ntk_by_hand"],
        "a rope that nobody knows",
        rope_parameters={"rope_theta": 1e4, "rope_type": "ntk_by_hand"},
    )
    model(
        "f-two-bases",
        ["rope_theta", "rope_parameters", "30000"],
        "two bases of rope that differ",
        rope_theta=1e4,
        rope_parameters={"rope_theta": 3e4, "rope_type": "default"},
    )
    model("f-heads", ["num_attention_heads"], "heads in words", num_attention_heads="4")
    model("f-half", ["num_hidden_layers", "2.5"], "two and a half layers", num_hidden_layers=2.5)
    model("f-one", ["model.layers.1"], "a layer more than the configuration says", num_hidden_layers=1)
    model("f-three", ["model.layers.2"], "a layer less than the configuration says", num_hidden_layers=3)
    model("f-groups", ["num_key_value_heads"], "heads of keys that do not divide the heads", num_key_value_heads=3)
    model("f-vocab", ["embed_tokens", "420", "500"], "a vocabulary of another size", vocab_size=500)
    model("f-head", ["lm_head"], "a head that is not there", tie_word_embeddings=False)
    model(
        "f-quant",
        ["quantization_config", "aqlm"],
        "weights quantized in a way that is not supported",
        quantization_config={"quant_method": "aqlm", "bits": 4},
    )
    model("f-eos", ["eos_token_id", "9999"], "an end token that is outside of the vocabulary", eos_token_id=9999)
    model("f-eps", ["rms_norm_eps"], "no epsilon", rms_norm_eps="left out")
    model("f-huge", ["hidden_size"], "a width beyond every number", hidden_size=10**18)
    model("f-nan", ["epsilon", "-1e-05"], "an epsilon below 0", rms_norm_eps=-1e-5)
    text = json.dumps(config)
    model("f-comma", ["config.json"], "a comma too many", files={"config.json": (text[:-1] + ",}").encode()})
    model(
        "f-twice",
        ["config.json", "hidden_act"],
        "a field twice",
        files={"config.json": (text[:-1] + ', "hidden_act": "gelu"}').encode()},
    )
    model("f-tok", ["tokenizer"], "no tokenizer", files={"tokenizer.json": None})
    model("f-none", ["safetensors"], "no weights", files={"model.safetensors": None})
    model(
        "f-bin",
        ["safetensors"],
        "weights of pickle alone",
        files={"model.safetensors": None, "pytorch_model.bin": b"PK\3\4junk"},
    )
    model("f-cut", ["model.safetensors"], "weights cut short", files={"model.safetensors": weights_file[:-500]})
    model(
        "f-more", ["model.safetensors"], "bytes behind the weights", files={"model.safetensors": weights_file + b"tail"}
    )
    model(
        "f-long",
        ["model.safetensors"],
        "a header longer than the file",
        files={"model.safetensors": b"\xff" * 7 + b"\x7f" + weights_file[8:]},
    )
    n = int.from_bytes(weights_file[:8], "little")
    head = json.loads(weights_file[8 : 8 + n])

    def safetensors(change):
        new = json.loads(json.dumps(head))
        change(new)
        block = json.dumps(new).encode()
        return {"model.safetensors": len(block).to_bytes(8, "little") + block + weights_file[8 + n :]}

    q = "model.layers.0.self_attn.q_proj.weight"
    model(
        "f-f8",
        [q, "F8_E4M3"],
        "a type that is not supported",
        files=safetensors(lambda h: h[q].update(dtype="F8_E4M3", shape=[32, 64])),
    )
    more = safetensors(
        lambda h: h.update(
            {
                q.replace("q_proj", "mystery"): {
                    "dtype": "BF16",
                    "shape": [2, 2],
                    "data_offsets": [len(weights_file) - 8 - n, len(weights_file) - n],
                }
            }
        )
    )
    more["model.safetensors"] += bytes(8)
    model("f-name", ["mystery"], "a tensor that has no place", files=more)
    model(
        "f-over",
        ["model.safetensors"],
        "tensors that share bytes",
        files=safetensors(lambda h: h[q].update(data_offsets=h[q.replace("q_proj", "o_proj")]["data_offsets"])),
    )
    model("f-shape", [q, "32"], "a tensor of another shape", files=safetensors(lambda h: h[q].update(shape=[16, 64])))
    for stem, words, name, change in (
        ("f-real", [q, "integers"], "a shape in real numbers", lambda h: h[q].update(shape=[float(x) for x in h[q]["shape"]])),
        ("f-text", [q, "integers"], "a shape in words", lambda h: h[q].update(shape=[str(x) for x in h[q]["shape"]])),
        ("f-where", [q, "integers"], "an offset in real numbers", lambda h: h[q].update(data_offsets=[float(x) for x in h[q]["data_offsets"]])),
        ("f-member", [q, "'strides'"], "a tensor with a member more", lambda h: h[q].update(strides=[1])),
        ("f-meta", ["'format'", "__metadata__"], "metadata that is no text", lambda h: h.update(__metadata__={"format": 1})),
        ("f-metas", ["__metadata__"], "metadata in a list", lambda h: h.update(__metadata__=["pt"])),
    ):
        model(stem, ["model.safetensors", *words], name, files=safetensors(change))
    index = {"metadata": {}, "weight_map": {k: "model-00001-of-00002.safetensors" for k in head if k != "__metadata__"}}
    index["weight_map"][q] = "model-00002-of-00002.safetensors"
    model(
        "f-shard",
        ["model-00002-of-00002.safetensors"],
        "a part of the weights that is not there",
        files={
            "model.safetensors": None,
            "model-00001-of-00002.safetensors": weights_file,
            "model.safetensors.index.json": json.dumps(index).encode(),
        },
    )
    token = json.loads((chat / "tokenizer.json").read_text())

    def tokenizer(stem, words, name, **fields):
        model(stem, words, name, files={"tokenizer.json": json.dumps({**token, **fields}).encode()})

    tokenizer(
        "k-norm",
        ["tokenizer.json", "Lowercase"],
        "a normalizer that is not supported",
        normalizer={"type": "Lowercase"},
    )
    tokenizer(
        "k-model",
        ["tokenizer.json", "WordPiece"],
        "a kind of tokenizer that is not supported",
        model={
            "type": "WordPiece",
            "vocab": {},
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 9,
        },
    )
    tokenizer(
        "k-drop", ["tokenizer.json", "dropout"], "a tokenizer that draws lots", model={**token["model"], "dropout": 0.1}
    )
    tokenizer("k-field", ["tokenizer.json", "surprise"], "a field of the tokenizer that nobody knows", surprise=1)

    def added(stem, words, name, **fields):
        one = {**token["added_tokens"][-1], "content": "<odd>", "id": len(token["model"]["vocab"]), **fields}
        tokenizer(stem, ["tokenizer.json", *words], name, added_tokens=[*token["added_tokens"], one])

    last = token["added_tokens"][-1]
    added("k-id", ["<odd>", "number 5"], "an added token with a number that is taken", id=5)
    added("k-gap", ["<odd>", "number 999"], "an added token far behind the others", id=999)
    added("k-two", [last["content"]], "an added token twice", content=last["content"])
    for stem, merge, why in (("k-left", "\u4e00 a", "left"), ("k-right", "a \u4e00", "right"), ("k-joint", "@ @", "makes")):
        both = {**token["model"], "merges": [*token["model"]["merges"], merge]}
        tokenizer(stem, ["tokenizer.json", "merge", why], f"a merge of no token: {why}", model=both)

    gguf = (shop / "m.gguf").read_bytes()

    def file(name, words, content):
        stem = name.replace(" ", "-") + ".gguf"
        (shop / stem).write_bytes(content)
        cases.append(Case(name, ["perplexity", stem, "--text", "text.txt", "--ctx", "32"], refused=[stem, *words]))

    file("gguf of the first version", ["1"], gguf[:4] + (1).to_bytes(4, "little") + gguf[8:])
    file("gguf of big-endian machines", ["endian"], gguf[:4] + (3).to_bytes(4, "big") + gguf[8:])
    file("ggml without uf", [], b"lmgg" + gguf[4:])
    file("gguf cut in its tensors", [], gguf[:-3000])
    file("gguf cut in its metadata", [], gguf[:500])
    file("gguf of very many tensors", [], gguf[:8] + (1 << 60).to_bytes(8, "little") + gguf[16:])
    file("gguf with bytes behind", [], gguf + b"tail" * 20)
    file("gguf without layers", ["block_tount"], gguf.replace(b"llama.block_count", b"llama.block_tount"))
    file(
        "gguf with an unknown key",
        ["llama.rope.freq_bass"],
        gguf.replace(b"llama.rope.freq_base", b"llama.rope.freq_bass"),
    )
    file("gguf with an unknown tensor", ["attn_q"], gguf.replace(b"blk.1.attn_q.weight", b"blk.1.attn_z.weight"))
    file("gguf with a tensor twice", ["attn_q"], gguf.replace(b"blk.1.attn_q.weight", b"blk.0.attn_q.weight"))
    file("gguf of another split", ["smollx"], gguf.replace(b"smollm", b"smollx"))
    return cases


def rare_cases(shop):
    cases = []
    chat = shop.models / "chat"
    whole = (chat / "model.safetensors").read_bytes()
    n = int.from_bytes(whole[:8], "little")
    at = json.loads(whole[8 : 8 + n])["model.layers.0.self_attn.q_proj.weight"]["data_offsets"][0] + 8 + n
    shutil.copytree(chat, shop / "nan-model")
    (shop / "nan-model/model.safetensors").write_bytes(whole[:at] + b"\xc0\x7f" + whole[at + 2 :])
    own = json.loads((chat / "tokenizer_config.json").read_text())
    shutil.copytree(chat, shop / "jinja-other")
    (shop / "jinja-other/chat_template.jinja").write_text(
        "{% for m in messages %}{{ 'SAYS ' + m['content'] }}{% endfor %}"
    )
    shutil.copytree(chat, shop / "jinja-only")
    (shop / "jinja-only/chat_template.jinja").write_text(own.pop("chat_template"))
    (shop / "jinja-only/tokenizer_config.json").write_text(json.dumps(own))
    talk = ["--chat", "--prompt", "hi", "-n", "4", "-t", "0"]
    said = shop.make("generate", "chat", *talk).stdout
    cases += [
        Case(
            "a template in a file of its own, which goes before the other",
            ["generate", "jinja-other", *talk],
            right=lambda done: "prompt 7 tokens" in done.stderr,  # SAYS hi
        ),
        Case(
            "a template in a file of its own alone",
            ["generate", "jinja-only", *talk],
            right=lambda done: done.stdout == said,
        ),
    ]
    cases += table(
        [
            (
                "a weight that is not a number",
                "perplexity nan-model --text text.txt --ctx 32 --windows 1",
                ["nan-model"],
            ),
            ("a weight that is not a number, talking", "generate nan-model --prompt a -n 2", ["nan-model"]),
            (
                "a weight that is not a number, in 8 bits",
                "convert nan-model --format int8 -o nan-int8",
                ["model.layers.0.self_attn.q_proj.weight"],
            ),
        ]
    )

    def nothing_left(name, argv, out):
        """What is refused leaves no half of an output behind."""

        def check(_):
            return shop.run(*argv.split()).returncode in (1, 2) and not (shop / out).exists()

        cases.append(Case(name, ["--version"], right=check))

    nothing_left("a refused format leaves no folder", "convert m.gguf --format q4_0 -o left-1", "left-1")
    nothing_left("a refused weight leaves no folder", "convert nan-model --format int8 -o left-2", "left-2")
    nothing_left("a refused weight leaves no file", "convert nan-model --format q8_0 -o left-3.gguf", "left-3.gguf")

    def adapter(stem, name, words=None, same=False, **fields):
        shutil.copytree(shop / "ad", shop / stem)
        conf = {**json.loads((shop / "ad/adapter_config.json").read_text()), **fields}
        (shop / stem / "adapter_config.json").write_text(json.dumps(conf))
        argv = ["perplexity", "chat", "--adapter", stem, "--text", "text.txt", "--ctx", "32", "--windows", "1"]
        if same:
            plain = shop.make(*argv[:3], "ad", *argv[4:]).stdout.split()[1]
            cases.append(Case(name, argv, right=lambda done: done.stdout.split()[1] == plain))
        else:
            cases.append(Case(name, argv, refused=[stem, *words]))

    adapter("t-all", "targets that are all linear layers", same=True, target_modules="all-linear")
    adapter(
        "t-pattern",
        "targets that are a regular expression",
        same=True,
        target_modules=r".*\.(q|k|v|o|gate|up|down)_proj",
    )
    adapter(
        "t-part", "targets of a regular expression that leaves some out", ["mlp"], target_modules=r".*\.(q|k|v|o)_proj"
    )
    adapter("t-pissa", "an adapter that changed its base", ["pissa"], init_lora_weights="pissa")
    adapter("t-r0", "a rank of 0 in an adapter", ["0"], r=0)
    adapter("t-rank", "a pattern of ranks that says another", ["8", "4"], rank_pattern={"q_proj": 8})
    return cases


def cases(shop):
    return folder_cases(shop) + rare_cases(shop)
