"""Model cards: the metadata of README.md where the source says something, says it oddly, or says nothing; what is known alone is written."""
import json
import re
import shutil
import struct

from language import gguf_with
from odd import Case

MARK = "<!-- Written by isobit, which replaces this file as long as this line stands in it. -->"


def metadata(path):
    """The YAML before the text, of the kind that is written: keys with a value or a list of them; None where it is another."""
    head = re.fullmatch(r"---\n(.*?)\n---\n(.*)", path.read_text(), re.S)
    keys = {}
    for line in head[1].split("\n") if head else ["?"]:
        key = re.fullmatch(r"([a-z_]+):(?: (.+))?", line)
        item = re.fullmatch(r" *- (.+)", line)
        if key and key[1] not in keys:
            keys[key[1]] = plain(key[2]) if key[2] else []
        elif item and keys and isinstance(list(keys.values())[-1], list):
            list(keys.values())[-1].append(plain(item[1]))
        else:
            return None
    return keys


def plain(value):
    return json.loads(value) if value[0] in '"[' else value.strip("'")


def text(value):
    return 8, struct.pack("<Q", len(value.encode())) + value.encode()


def texts(*values):
    return 9, struct.pack("<IQ", 8, len(values)) + b"".join(text(v)[1] for v in values)


def number(value):
    return 4, struct.pack("<I", value)


def cases(shop):
    chat = shop.models / "chat"
    shop.make("convert", chat, "-o", "plain.gguf")
    whole = (shop / "plain.gguf").read_bytes()
    model = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": ["isobit"]}
    adapter = {"library_name": "peft", "pipeline_tag": "text-generation", "tags": ["lora", "isobit"]}
    quantized = {**model, "tags": ["isobit", "4-bit", "bitsandbytes"]}
    made = []

    def case(name, argv, want, body=(), without=(), base=None):
        out = shop / f"out{len(made)}"
        made.append(out)

        def right(_):
            card = (out / "README.md").read_text()
            said = metadata(out / "README.md")
            good = said == want and MARK in card and all(b in card for b in body) and not any(w in card for w in without)
            config = json.loads((out / "adapter_config.json").read_text()) if base else {}
            return good and config.get("base_model_name_or_path") == base and str(shop.folder) not in card and str(shop.source) not in card

        return Case(f"a card, {name}", [*argv, "-o", out], right=right)

    def gguf(title, want, *options, body=(), without=(), **general):
        path = shop / f"{title.replace(' ', '_')}.gguf"
        path.write_bytes(gguf_with(whole, {"general." + k.replace("__", "."): v for k, v in general.items()}))
        return case(f"of a GGUF file, {title}", ["convert", path, *options], want, body, without)

    def folder(name, card, want, *options, body=(), without=()):
        path = shop / name.replace(" ", "_")
        shutil.copytree(chat, path)
        (path / "README.md").write_bytes(card if isinstance(card, bytes) else card.encode())
        return case(f"of a folder, {name}", ["convert", path, *options], want, body, without)

    hub = "https://huggingface.co/"
    cases = [
        gguf("silent", model, body=["# silent\n", "name no license", "isobit convert -o out0 silent.gguf", "20 hold the source's values"]),
        gguf("named", {**model, "license": "apache-2.0", "language": ["en", "no"]}, body=["# A \"b\": c\n"], without=["no license"],
             name=text("A \"b\": c"), license=text("apache-2.0"), languages=texts("en", "no")),
        gguf("a name that is a path", model, body=["# a_name_that_is_a_path\n"], without=["/home"], name=text("/home/me/model")),
        gguf("another license", {**model, "license": "other", "license_name": "a: #b", "license_link": "https://example.org/l"},
             license=text("other"), license__name=text("a: #b"), license__link=text("https://example.org/l")),
        gguf("a license in a file", {**model, "license": "other"}, license=text("other"), license__link=text("LICENSE")),
        gguf("of the hub", {**model, "base_model": "org/model-1.0"}, source__repo_url=text(hub + "org/model-1.0")),
        gguf("of the hub again", {**quantized, "base_model": "org/m", "base_model_relation": "quantized"}, "--format", "nf4",
             source__repo_url=text(hub + "org/m/"), body=["bf16 in the source, nf4 here"]),
        gguf("of elsewhere", model, repo_url=text("https://example.org/org/model"), source__url=text(hub + "spaces/org/model")),
        gguf("its parents", {**model, "base_model": ["a/b", "c/d"]}, base_model__count=number(2), base_model__0__repo_url=text(hub + "a/b"),
             base_model__1__repo_url=text(hub + "c/d")),
        gguf("its parents, quantized", {**quantized, "base_model": ["a/b"]}, "--format", "nf4", base_model__count=number(1),
             base_model__0__repo_url=text(hub + "a/b")),
        gguf("a parent unknown", model, base_model__count=number(2), base_model__0__repo_url=text(hub + "a/b")),
        gguf("8 bits", {**model, "tags": ["isobit", "8-bit", "compressed-tensors"]}, "--format", "int8"),
        folder("with a card", "---\nlicense: mit # free\nlanguage:\n- en\n- de\nbase_model: a/b\nbase_model_relation: finetune\ntags:\n- x\n---\n# X\n",
               {**model, "license": "mit # free", "language": ["en", "de"], "base_model": "a/b", "base_model_relation": "finetune"}),
        folder("with lists in a row", "\ufeff---\r\nlicense: [\"mit\", \"gpl\"]\r\nbase_model:\r\n  - a/b\r\n---\r\n",
               {**model, "license": ["mit", "gpl"], "base_model": ["a/b"]}),
        folder("with a license in a file", "---\nlicense: other\nlicense_name: own\nlicense_link: LICENSE\n---\n",
               {**model, "license": "other", "license_name": "own"}),
        folder("with an anchor", "---\nbase_model: &b a/b\nlicense: *b\nlanguage: en\n---\n", {**model, "language": "en"}),
        folder("with what is not closed", "---\nlicense: [mit,\nbase_model: 'a/b\nlanguage: en\n---\n", {**model, "language": "en"}),
        folder("with an empty key", "---\nlicense:\nbase_model:\n\nlanguage: en\n---\n", {**model, "language": "en"}),
        folder("without metadata", "# license: mit\n\nlicense: mit\n", model),
        folder("without an end", "---\nlicense: mit\n", model),
        folder("not UTF-8", b"---\nlicense: m\xfft\n---\n", model),
        case("of an adapter", ["finetune", "of_the_hub.gguf", "--data", "rows.jsonl", "--seq", "32", "--steps", "1", "--accumulate", "1",
                               "--lora", "r=3,alpha=7", "--base", "nf4"],
             {**adapter, "base_model": "org/model-1.0", "base_model_relation": "adapter"},
             base="org/model-1.0", body=["LoRA of rank 3, alpha 7", "linear layers stored in nf4", "--data rows.jsonl", "An adapter for of_the_hub"]),
    ]
    (shop / "rows.jsonl").write_text('{"text": "hello world, hello"}\n')
    shop.make("finetune", shop / "its_parents.gguf", "--data", "rows.jsonl", "--seq", "32", "--steps", "1", "--accumulate", "1", "-o", "tuned")
    cases += [
        case("of an adapter whose base only has parents", ["convert", "its_parents.gguf", "--adapter", "tuned", "--adapter-only"], adapter, base="its_parents.gguf"),
        case("of a model merged with it", ["merge", "its_parents.gguf", "--adapter", shop / "tuned"],
             {**model, "base_model": ["a/b", "c/d"], "base_model_relation": "finetune"}, body=["merged with an adapter", "LoRA of rank 16", "--adapter tuned"]),
    ]
    cached = shop / "cache/models--org--model/snapshots/0123"
    shutil.copytree(chat, cached)
    cases.append(case("of the hub's cache", ["convert", cached], {**model, "base_model": "org/model"}))

    def replaced(name, before, kept):
        out = shop / name
        out.mkdir()
        (out / "README.md").write_text(before)

        def right(done):
            card = (out / "README.md").read_text()
            return (card == before) == kept and ("was there and is kept" in done.stderr) == kept and (out / "config.json").exists()

        return Case(f"a card, in place of {name}", ["convert", "silent.gguf", "-o", name], right=right)

    cases += [replaced("another", "# mine\n", True), replaced("an old one", f"---\nlicense: mit\n---\n{MARK}\n# old\n", False)]
    return cases
