"""Odd inputs as somebody meets them who knows the documentation alone:
adapters, rows to learn from, and options of language models.

Broken by: such an input that is read by half; a refusal that does not name the thing.
"""

import gzip
import json
import os
import shutil

from made.inputs import make_language, one_line, table
from odd import Case


def cases(shop):
    make_language(shop)
    chat = shop.models / "chat"
    gguf = (shop / "m.gguf").read_bytes()
    cases = []

    def adapter(stem, words, name, tensors=None, **fields):
        shutil.copytree(shop / "ad", shop / stem)
        conf = {**json.loads((shop / "ad/adapter_config.json").read_text()), **fields}
        (shop / stem / "adapter_config.json").write_text(json.dumps({k: v for k, v in conf.items() if v != "left out"}))
        if tensors:
            (shop / stem / "adapter_model.safetensors").write_bytes(tensors)
        cases.append(
            Case(
                name,
                ["perplexity", "chat", "--adapter", stem, "--text", "text.txt", "--ctx", "32", "--windows", "1"],
                refused=[stem, *words],
            )
        )

    adapter("a-rank", ["8", "4"], "an adapter of another rank", r=8)
    adapter("a-bias", ["bias", "all"], "an adapter with trained biases", bias="all")
    adapter("a-mod", ["modules_to_save", "lm_head"], "an adapter with whole modules", modules_to_save=["lm_head"])
    adapter("a-dora", ["magnitude"], "an adapter that says DoRA and holds none", use_dora=True)
    adapter("a-type", ["peft_type", "IA3"], "an adapter of another kind", peft_type="IA3")
    adapter("a-alpha", ["lora_alpha"], "an alpha in words", lora_alpha="8")
    adapter("a-noalpha", [], "no alpha is PEFT's 8", lora_alpha="left out")
    adapted = shop.make("perplexity", "chat", "--adapter", "ad", "--text", "text.txt", "--ctx", "32", "--windows", "1")
    cases[-1].refused, cases[-1].right = None, lambda done: done.stdout.split()[1] == adapted.stdout.split()[1]
    adapter("a-field", ["mixture"], "a field of an adapter that nobody knows", mixture=3)
    adapter(
        "a-target",
        ["mlp"],
        "tensors of modules that are no targets",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    )
    adapter("a-fan", ["fan_in_fan_out"], "an adapter written the other way round", fan_in_fan_out=True)
    adapter(
        "a-cut",
        ["adapter_model.safetensors"],
        "an adapter cut short",
        tensors=(shop / "ad/adapter_model.safetensors").read_bytes()[:-99],
    )
    (shop / "a-none").mkdir()
    cases += table(
        [
            ("a folder without an adapter", "perplexity chat --adapter a-none --text text.txt --ctx 32", ["a-none"]),
            (
                "a model in the place of an adapter",
                "perplexity chat --adapter m.gguf --text text.txt --ctx 32",
                ["m.gguf"],
            ),
            ("an adapter in the place of a model", "perplexity ad --text text.txt --ctx 32", ["ad"]),
        ]
    )

    def rows(name, words, content, ending=".jsonl", *more):
        stem = name.replace(" ", "-") + ending
        (shop / stem).write_bytes(content.encode() if isinstance(content, str) else content)
        cases.append(
            Case(
                name,
                ["finetune", "chat", "--data", stem, "--steps", "1", "--lora", "r=2", "-o", f"o{len(cases)}", *more],
                refused=[stem, *words],
            )
        )

    ok = '{"prompt": "Hello", "completion": " there"}\n'
    rows("row with a comma too many", ["2"], ok + '{"text": "a",}\n')
    rows("row in single quotes", ["2"], ok + "{'text': 'a'}\n")
    rows("row with a key twice", ["2", "text"], ok + '{"text": "a", "text": "b"}\n')
    rows("row with a key that nobody knows", ["2", "flavour"], ok + '{"text": "a", "flavour": "web"}\n')
    rows(
        "row of text and messages",
        ["2", "text", "messages"],
        ok + '{"text": "a", "messages": [{"role": "assistant", "content": "b"}]}\n',
    )
    rows("row without a completion", ["2", "completion"], ok + '{"prompt": "a"}\n')
    rows(
        "row without content",
        ["2", "content"],
        ok + '{"messages": [{"role": "user", "content": null}, {"role": "assistant", "content": "b"}]}\n',
    )
    rows(
        "row of a role that nobody knows",
        ["2", "narrator"],
        ok + '{"messages": [{"role": "narrator", "content": "b"}]}\n',
    )
    rows("row of no messages", ["2", "messages"], ok + '{"messages": []}\n')
    rows(
        "row of a weight of two",
        ["2", "weight"],
        ok + '{"messages": [{"role": "user", "content": "a"}, '
        '{"role": "assistant", "content": "b", "weight": 2}]}\n',
    )
    rows("row with half a character", ["2"], ok + '{"text": "\\ud83d oh"}\n')
    rows("row in Latin 1", ["2"], ok.encode() + '{"text": "Müller"}\n'.encode("latin-1"))
    rows("rows in UTF-16", ["UTF-16"], ok.encode("utf-16"))
    rows("rows that are none", [], "")
    rows("rows of blank lines", [], "\n\n  \n")
    rows("row that ends early", ["2"], ok + '{"text": "a')
    rows("row of deep lists", ["2"], ok + "[" * 100000 + "]" * 100000 + "\n")
    rows("row of a number", ["2"], ok + "17\n")
    rows("row of text that is a number", ["2", "text"], ok + '{"text": 17}\n')
    rows("table as rows", ["1"], "prompt,completion\nHello, there\n")
    rows("rows of no kind", ["2", "question", "answer", "columns"], ok + '{"question": "a", "answer": "b"}\n')
    rows("Alpaca row with two answers", ["2", "response"], ok + '{"instruction": "a", "output": "b", "response": "c"}\n')
    rows("Alpaca row with a number", ["1", "input"], '[{"instruction": "a", "input": 5, "output": "b"}]', ".json")
    rows(
        "ShareGPT row from nobody",
        ["2", "1", "oracle"],
        ok + '{"conversations": [{"from": "oracle", "value": "a"}]}\n',
    )
    rows("array that ends early", ["2"], '[{"instruction": "a", "output": "b"},\n{"instruction": "a"', ".json")
    rows("array of rows as text", ["JSON"], '[\n {"instruction": "a", "output": "b"}\n]\n', ".txt")
    rows("columns that rows have not", ["columns", "question"], ok, ".jsonl", "--columns", "prompt=question")
    rows("packed rows cut short", [], gzip.compress(ok.encode() * 50)[:-12], ".jsonl.gz")
    rows("packed rows with a tail", [], gzip.compress(ok.encode() * 50) + b"tail", ".jsonl.gz")
    rows("parquet", [], b"PAR1" + bytes(range(256)) * 8 + b"PAR1", ".parquet")
    rows("only what the user says", [], '{"messages": [{"role": "user", "content": "a"}]}\n')
    tune = "finetune chat --data one.jsonl --lora r=2 -o tuned "
    cases += table(
        [
            ("a share of rows above 1", tune + "--steps 1 --eval-fraction 1.5", ["eval-fraction", "1.5"]),
            ("a share of rows that leaves none", tune + "--steps 1 --eval-fraction 0.9", ["eval-fraction"]),
            ("two evaluation sets", tune + "--steps 1 --eval one.jsonl --eval-fraction 0.5", ["eval", "eval-fraction"]),
            ("steps and epochs", tune + "--steps 1 --epochs 2", ["steps", "epochs"]),
            ("last steps of nothing", tune + "--steps 1 --deploy-steps 1", ["deploy-steps", "deploy"]),
            ("more last steps than steps", tune + "--steps 1 --deploy q8_0 --deploy-steps 5", ["deploy-steps", "5"]),
            ("a template that there is not", tune + "--steps 1 --template vicuna", ["template", "vicuna"]),
            ("columns without names", tune + "--steps 1 --columns prompt", ["columns", "prompt"]),
            ("a rank of 0", "finetune chat --data one.jsonl --steps 1 --lora r=0 -o tuned", ["lora", "r", "0"]),
            ("a rank below 0", "finetune chat --data one.jsonl --steps 1 --lora r=-4 -o tuned", ["lora", "r", "-4"]),
            (
                "a word of LoRA that there is not",
                "finetune chat --data one.jsonl --steps 1 --lora rank=4 -o tuned",
                ["lora", "rank"],
            ),
            ("a rank twice", "finetune chat --data one.jsonl --steps 1 --lora r=4,r=8 -o tuned", ["lora", "r"]),
            (
                "targets that are none",
                "finetune chat --data one.jsonl --steps 1 --lora targets=q_porj -o tuned",
                ["q_porj"],
            ),
            ("a base that there is not", tune + "--steps 1 --base q9_9", ["q9_9"]),
            ("a memory in no unit", tune + "--steps 1 --memory 480Q", ["memory", "480Q"]),
            ("a memory of ten bytes", tune + "--steps 1 --memory 10", ["10"]),
            ("rows longer than the context", tune + "--steps 1 --seq 100000", ["seq", "100000", "256"]),
            ("more checkpointed layers than there are", tune + "--steps 1 --checkpoint 7", ["checkpoint", "7", "2"]),
            ("a warmup longer than the training", tune + "--steps 1 --warmup 50", ["warmup", "50"]),
            (
                "a dropout of all",
                "finetune chat --data one.jsonl --steps 1 --lora r=2,dropout=1 -o tuned",
                ["dropout", "1"],
            ),
            (
                "columns set aside that are not there",
                tune + "--steps 1 --ignore-columns sorce",
                ["ignore-columns", "sorce"],
            ),
            (
                "an adapter onto the model's folder",
                "finetune chat2 --data one.jsonl --steps 1 --lora r=2 -o chat2",
                ["chat2"],
            ),
            ("nowhere to write", "finetune chat --data one.jsonl --steps 1", ["-o"]),
            (
                "a system message without a conversation",
                "generate chat --prompt a -n 2 --system be",
                ["system", "chat"],
            ),
            (
                "a template without a conversation",
                "generate chat --prompt a -n 2 --template chatml",
                ["template", "chat"],
            ),
            ("a probability above 1", "generate chat --prompt a -n 2 --top-p 2", ["top-p", "2"]),
            ("a temperature below 0", "generate chat --prompt a -n 2 -t -1", ["temperature", "-1"]),
            ("tokens below 0", "generate chat --prompt a -n -3", ["tokens", "-3"]),
            ("a context above the model's", "generate chat --prompt a -n 2 --ctx 1000", ["ctx", "1000", "256"]),
            ("a cache that there is not", "generate chat --prompt a -n 2 --kv int4", ["kv", "int4"]),
            ("a prompt longer than the context", ["generate", "chat", "--prompt", "xyz " * 400, "-n", "2"], ["256"]),
            (
                "a prompt that is not UTF-8",
                ["generate", "chat", "--prompt", "M\udcfcller", "-n", "2"],
                ["prompt", "UTF-8"],
            ),
            ("a text shorter than a window", "perplexity chat --text one.jsonl --ctx 200", ["one.jsonl", "200"]),
            ("a window of one token", "perplexity chat --text text.txt --ctx 1", ["ctx", "1"]),
            ("windows below 0", "perplexity chat --text text.txt --ctx 32 --windows -1", ["windows", "-1"]),
            ("a merge without an adapter", "merge chat -o merged.gguf", ["adapter"]),
            ("an adapter alone that is none", "convert chat --adapter-only -o alone.gguf", ["adapter"]),
            ("a format that GGUF has not", "convert chat --format nf4 -o nf4.gguf", ["nf4"]),
            ("a format that folders have not", "convert m.gguf --format q4_0 -o q40", ["q4_0"]),
            ("windows of no text", "convert chat --windows 3 -o w.gguf", ["windows", "text"]),
            ("a model onto itself", "convert m2.gguf --format q8_0 -o m2.gguf", ["m2.gguf"]),
            ("a model onto its own folder", "convert chat3 --format f32 -o chat3", ["chat3"]),
            ("a folder onto a file", "convert m.gguf --format f16 -o text.txt", ["text.txt"]),
            ("a file onto a folder of that name", "convert chat -o dir.gguf", ["dir.gguf"]),
            (
                "a format for an adapter alone",
                "convert chat --adapter ad --adapter-only --format q4_0 -o ad.gguf",
                ["format", "adapter-only"],
            ),
        ]
    )
    (shop / "dir.gguf").mkdir()

    def stale(name, file, content):
        """What another model left in a folder is refused, replaced or taken away, never part of the new one."""
        folder = "full-" + name.split()[-1]
        (shop / folder).mkdir()
        (shop / folder / file).write_text(content)

        def check(_):
            done = shop.run("convert", "m.gguf", "-o", folder)
            if done.returncode:
                return one_line(done, [folder])
            left = shop / folder / file
            return not left.exists() or left.read_text() != content

        cases.append(Case(name, ["--version"], right=check))

    stale("a folder that holds another model's ends", "generation_config.json", '{"eos_token_id": 7}')
    stale("a folder that holds another model's template", "chat_template.jinja", "{{ 'another' }}")
    stale("a folder that holds another model's adapter", "adapter_config.json", '{"peft_type": "LORA", "r": 8}')
    stale(
        "a folder that holds another model's index",
        "model.safetensors.index.json",
        '{"weight_map": {"a": "b.safetensors"}}',
    )
    cases.append(
        Case(
            "windows above the context are told",
            ["perplexity", "chat", "--text", "text.txt", "--ctx", "512"],
            right=lambda done: len(done.stderr.splitlines()) == 1
            and all(w in done.stderr for w in ("512", "256", "chat")),
        )
    )

    def whole(_):
        """After all this the model is as it was."""
        return (
            all((shop / "chat" / f).read_bytes() == (chat / f).read_bytes() for f in os.listdir(chat))
            and (shop / "m.gguf").read_bytes() == gguf
        )

    cases.append(Case("the models are as they were", ["--version"], right=whole))
    return cases
