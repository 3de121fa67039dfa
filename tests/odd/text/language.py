"""Rows, texts, GGUF files, Hugging Face folders and adapters that say something which is easily passed over."""
import json
import shutil
import struct

from odd import Case


# ---- GGUF, taken apart and put together again (github.com/ggml-org/ggml, docs/gguf.md) ----
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def gguf_pairs(data):
    """The metadata as (key, type, bytes of the value), and all that follows."""
    at, pairs = 24, []
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        length = struct.unpack_from("<Q", data, at)[0]
        key, at = data[at + 8:at + 8 + length].decode(), at + 8 + length
        kind, at = struct.unpack_from("<I", data, at)[0], at + 4
        start, at = at, gguf_end(data, at, kind)
        pairs.append((key, kind, data[start:at]))
    return pairs, data[at:]


def gguf_end(data, at, kind):
    if kind == 8:
        return at + 8 + struct.unpack_from("<Q", data, at)[0]
    if kind == 9:
        inner, count = struct.unpack_from("<IQ", data, at)
        at += 12
        for _ in range(count):
            at = gguf_end(data, at, inner)
        return at
    return at + SIZES[kind]


def gguf_with(whole, changes):
    """The file with pairs replaced, added, or (None) left out; the tensors' data keep their alignment of 32."""
    pairs, rest = gguf_pairs(whole)
    pairs = [p for p in pairs if p[0] not in changes] + [(k, *v) for k, v in changes.items() if v]
    head = whole[:16] + struct.pack("<Q", len(pairs))
    for key, kind, value in pairs:
        head += struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", kind) + value
    infos = gguf_infos_end(whole, rest)
    return align(head + rest[:infos]) + rest[rest_data(whole, rest, infos):]


def gguf_infos_end(whole, rest):
    at = 0
    for _ in range(struct.unpack_from("<Q", whole, 8)[0]):
        at += 8 + struct.unpack_from("<Q", rest, at)[0]
        at += 4 + 8 * struct.unpack_from("<I", rest, at)[0] + 12
    return at


def rest_data(whole, rest, infos):
    before = len(whole) - len(rest)
    return (before + infos + 31) // 32 * 32 - before


def align(data):
    return data + bytes(-len(data) % 32)


def number(kind, code, value):
    return kind, struct.pack("<" + code, value)


def text(s):
    return 8, struct.pack("<Q", len(s.encode())) + s.encode()


# ---- the inputs ----
def row_cases(shop):
    def case(name, data, words=None, right=None, suffix=".jsonl", options=()):
        path = shop / (name.replace(" ", "_") + suffix)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        argv = ["finetune", shop.models / "chat", "--data", path, "--seq", 64, "--steps", 1, "--accumulate", 1, "-o", shop / path.stem, *options]
        return Case(f"rows, {name}", argv, refused=words and [path.name, *words], right=right)

    good = '{"text": "hello world, hello again, and once more hello"}\n'
    turn = '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", %s}]}\n'
    done = lambda run: True  # noqa: E731
    return [
        case("two objects on one line", good.strip() + good, right=done),
        case("a trailing comma", '{"text": "hello",}\n', ["line 1"]),
        case("a key twice", '{"text": "hello", "text": "world"}\n', ["line 1", "text"]),
        case("an unknown key that may matter", '{"text": "hello", "loss_mask": [0, 1]}\n', ["line 1", "loss_mask"]),
        case("text that is a number", '{"text": 5}\n', ["line 1", "text"]),
        case("a row of numbers", "[1, 2, 3]\n", ["line 1"]),
        case("an unknown role", '{"messages": [{"role": "oracle", "content": "x"}]}\n', ["line 1", "oracle"]),
        case("an answer that calls a tool", turn % '"content": "", "tool_calls": [{"id": "1"}]', ["line 1", "tool_calls"]),
        case("a picture among the parts", turn % '"content": [{"type": "image_url", "image_url": {"url": "x"}}]', ["line 1", "image_url"]),
        case("half a surrogate", '{"text": "\\ud83d oh"}\n', ["line 1"]),
        case("bytes that are no UTF-8", b'{"text": "caf\xe9"}\n', ["line 1"]),
        case("prompt and messages at once", '{"prompt": "a", "completion": "b", "messages": [{"role": "user", "content": "c"}]}\n', ["line 1"]),
        case("a prompt without completion", '{"prompt": "a"}\n', ["line 1", "completion"]),
        case("running text in UTF-16", "hello there, and so on".encode("utf-16"), ["UTF-16"], suffix=".txt"),
        case("an array of rows", "[" + good.strip() + ", " + good.strip() + "]", right=done, suffix=".json"),
        case("a table as text", "question,answer\nhello,world\n", ["csv"], suffix=".csv"),
        case("empty lines between", good + "\n\n" + good, right=done),
    ]


def gguf_cases(shop):
    shop.make("convert", shop.models / "chat", "-o", "whole.gguf", "--format", "f16")
    whole = (shop / "whole.gguf").read_bytes()
    emma = shop.source / "examples/texts/emma.txt"

    def case(name, changes, words=None, right=None):
        path = shop / (name.replace(" ", "_") + ".gguf")
        path.write_bytes(gguf_with(whole, changes))
        return Case(f"gguf, {name}", ["perplexity", path, "--text", emma, "--ctx", 64, "--windows", 1], refused=words and [path.name, *words], right=right)

    arch = next(v[8:].decode() for k, _, v in gguf_pairs(whole)[0] if k == "general.architecture")
    blocks = f"{arch}.block_count"
    return [
        case("unchanged", {}, right=lambda run: "perplexity" in run.stdout),
        case("another architecture", {"general.architecture": text("mamba")}, ["mamba"]),
        case("no block count", {blocks: None}, [blocks]),
        case("more blocks than there are", {blocks: number(4, "I", 99)}, ["blk."]),
        case("fewer blocks than there are", {blocks: number(4, "I", 1)}, ["blk.1"]),
        case("a scaling of another kind", {f"{arch}.rope.scaling.type": text("spiral"), f"{arch}.rope.scaling.factor": number(6, "f", 2)}, ["spiral"]),
        case("a scaling factor below one", {f"{arch}.rope.scaling.type": text("linear"), f"{arch}.rope.scaling.factor": number(6, "f", -2)}, ["factor"]),
        case("experts", {f"{arch}.expert_count": number(4, "I", 8)}, ["expert_count"]),
        case("a norm that is not finite", {f"{arch}.attention.layer_norm_rms_epsilon": number(6, "f", float("nan"))}, ["epsilon"]),
        case("a key of the architecture that nobody knows", {f"{arch}.attention.sink_count": number(4, "I", 4)}, ["sink_count"]),
        case("a part of several", {"split.count": number(2, "H", 3), "split.no": number(2, "H", 0)}, ["3"]),
        case("an unknown pre-tokenizer", {"tokenizer.ggml.pre": text("hieroglyphs")}, ["hieroglyphs"]),
    ]


def folder_cases(shop):
    emma = shop.source / "examples/texts/emma.txt"

    def case(name, changes, words=None, right=None, model="chat"):
        path = shop / name.replace(" ", "_")
        shutil.copytree(shop.models / model, path)
        config = json.loads((path / "config.json").read_text())
        config.update(changes)
        (path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v != "left out"}))
        argv = ["convert", path, "-o", shop / f"{path.name}.gguf"]
        return Case(f"folder, {name}", argv, refused=words and [path.name, *words], right=right)

    return [
        case("an activation nobody has", {"hidden_act": "swishish"}, ["hidden_act", "swishish"]),
        case("heads that do not divide", {"num_attention_heads": 7}, ["num_attention_heads"]),
        case("experts", {"num_local_experts": 4}, ["num_local_experts"]),
        case("partly turned heads", {"partial_rotary_factor": 0.5}, ["partial_rotary_factor"]),
        case("a field nobody knows", {"logit_temperature": 2.0}, ["logit_temperature"]),
        case("an epsilon as text", {"rms_norm_eps": "small"}, ["rms_norm_eps"]),
        case("no epsilon", {"rms_norm_eps": "left out"}, ["rms_norm_eps"]),
        case("weights that are quantized in an unknown way", {"quantization_config": {"quant_method": "magic"}}, ["magic"]),
        case("layers of two kinds", {"layer_types": ["full_attention", "linear_attention"]}, ["layer_types"]),
    ]


def cases(shop):
    return row_cases(shop) + gguf_cases(shop) + folder_cases(shop)
