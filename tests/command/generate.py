#!/usr/bin/env python3
"""generate.py ISOBIT SOURCE - what isobit generate makes of the tokens: how many, where a text ends and why, whole characters, and turns.

The models are chains: a token's embedding is one of the unit vectors, the head names the token that follows it, and all between adds zero; so
the text is known beforehand. Broken by: a stop text that is sought in single tokens, half of one that is printed, a cut character, an end token
that only one of the files names, a history that is not what was said."""
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from checks import check, finish

isobit, source = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
golden = source / "tests/golden/models"


def same(name, got, want):
    check(name, got == want, f"{got!r}, not {want!r}")


def run(*argv, stdin=""):
    return subprocess.run([isobit, "generate", *map(str, argv)], input=stdin.encode(errors="surrogateescape"), capture_output=True, timeout=300)


def answers(*argv, **how):
    """The objects of --json."""
    r = run(*argv, "--json", **how)
    check(" ".join(map(str, argv)), r.returncode == 0, r.stderr.decode())
    return [json.loads(line) for line in r.stdout.splitlines()]


def alphabet():
    """The letter of GPT-2's alphabet for each byte (bytes_to_unicode() of github.com/openai/gpt-2, src/encoder.py)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in plain)}


def safetensors(path, tensors):
    head, data = {}, b""
    for name, (shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def chain(folder, tokenizer, follows, context=256, ends=2, more_ends=None):
    """A model of one block in which token a is followed by follows[a], and every other by itself."""
    folder.mkdir()
    shutil.copy(golden / tokenizer / "tokenizer.json", folder)
    n = max(json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"].values()) + 1
    n += n % 2
    head = [0.0] * (n * n)
    for a in range(n):
        head[follows.get(a, a) * n + a] = 1.0
    block, zeros = "model.layers.0.", lambda *shape: (shape, [0.0] * (shape[0] * shape[-1] if len(shape) > 1 else shape[0]))  # noqa: E731
    safetensors(folder / "model.safetensors", {
        "model.embed_tokens.weight": ((n, n), [float(i == j) for i in range(n) for j in range(n)]), "lm_head.weight": ((n, n), head),
        "model.norm.weight": ((n,), [1.0] * n), f"{block}input_layernorm.weight": ((n,), [1.0] * n),
        f"{block}post_attention_layernorm.weight": ((n,), [1.0] * n),
        **{f"{block}self_attn.{k}_proj.weight": zeros(2, n) for k in "qkv"}, f"{block}self_attn.o_proj.weight": zeros(n, 2),
        f"{block}mlp.gate_proj.weight": zeros(4, n), f"{block}mlp.up_proj.weight": zeros(4, n), f"{block}mlp.down_proj.weight": zeros(n, 4)})
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": n, "intermediate_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 2, "vocab_size": n, "max_position_embeddings": context,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False, "eos_token_id": ends}))
    if more_ends is not None:
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": more_ends}))
    return folder


ENDS = ("<|im_end|>", "<|endoftext|>", "<|im_start|>", "</s>")


class Words:
    """Chains through the tokens of a tokenizer that are written as texts or, b"\\xf0", single bytes."""

    def __init__(self, tokenizer, spell):
        self.id = json.loads((golden / tokenizer / "tokenizer.json").read_text())["model"]["vocab"]
        self.spell, self.follows = spell, {}

    def __call__(self, *words):
        ids = [self.id[w if w in ENDS else self.spell(w)] for w in words]
        for a, b in zip(ids, ids[1:]):
            assert self.follows.setdefault(a, b) == b, words
        return self


letters = alphabet()
byte_level = Words("chat", lambda w: "".join(letters[b] for b in (w if isinstance(w, bytes) else w.encode())))
byte_level("A", "Hello", " world", "c", "af", "é", " ", b"\xf0", b"\x9f", b"\x98", b"\x80", "!", "<|im_end|>")
byte_level("B", b"\xe2", "x", b"\xff", b"\xed", b"\xa0", "y", b"\xe2")
byte_level("D", "a", "b", "<|endoftext|>")


def plain(folder):
    model = chain(folder / "plain", "chat", byte_level.follows, ends=2, more_ends=[2, 0])
    greedy = [model, "-t", "0"]
    text = "Hello worldcafé \N{GRINNING FACE}!"

    # ---- how many ----
    for n in (1, 2, 7, 128):
        a, = answers(*greedy, "--prompt", "Z", "-n", n)
        same(f"-n {n}", (a["text"], a["tokens"], a["finish_reason"], a["stopped_by"]), ("Z" * n, n, "length", None))
    r = run(*greedy, "--prompt", "Z", "-n", "5")
    same("its text streams", r.stdout, b"ZZZZZ\n")
    check("and why it ended is said", b"then 5 tokens" in r.stderr and b"cut after 5 tokens, as -n says" in r.stderr, r.stderr)

    # ---- end tokens: config.json's, generation_config.json's, and one that its text alone tells ----
    a, = answers(*greedy, "--prompt", "A")
    same("a text of whole characters up to its end", (a["text"], a["finish_reason"], a["stopped_by"], a["tokens"]), (text, "stop", "<|im_end|>", 12))
    a, = answers(*greedy, "--prompt", "D")
    same("the other end token", (a["text"], a["stopped_by"], a["tokens"]), ("ab", "<|endoftext|>", 3))
    a, = answers(*greedy, "--prompt", "D", "--ignore-eos", "-n", "4")
    same("--ignore-eos", (a["text"], a["finish_reason"]), ("ab<|endoftext|><|endoftext|>", "length"))
    same("an end token after the last one counts as an end", answers(*greedy, "--prompt", "D", "-n", "3")[0]["finish_reason"], "stop")
    same("not before", answers(*greedy, "--prompt", "D", "-n", "2")[0]["finish_reason"], "length")

    # ---- the context ----
    a, = answers(*greedy, "--prompt", "ZZZZ", "-n", "100", "--ctx", "10")
    same("a full context", (a["finish_reason"], a["prompt_tokens"], a["tokens"]), ("context", 4, 7))  # the last needs no place
    r = run(*greedy, "--prompt", "ZZZZ", "-n", "100", "--ctx", "10")
    check("is told with its numbers", b"the context of 10 tokens is full (--ctx may be up to 256)" in r.stderr, r.stderr)
    r = run(*greedy, "--prompt", "Z" * 11, "--ctx", "10")
    check("a prompt that does not fit", r.returncode == 1 and b"the prompt is 11 tokens, the context 10: give --ctx 11 to 256" in r.stderr, r.stderr)
    r = run(*greedy, "--prompt", "Z" * 300)
    check("nor can", r.returncode == 1 and b"the prompt is 300 tokens, the context 256: the model allows 256" in r.stderr, r.stderr)

    # ---- stop texts: any part of the text, wherever tokens and bytes begin ----
    for start in range(len(text)):
        stop = text[start:start + 1 + start % 4]
        a, = answers(*greedy, "--prompt", "A", f"--stop={stop}", "--stop", "nowhere")
        same(f"--stop '{stop}'", (a["text"], a["finish_reason"], a["stopped_by"]), (text[:text.index(stop)], "stop", stop))
        same(f"--stop '{stop}' streamed", run(*greedy, "--prompt", "A", f"--stop={stop}").stdout.decode(), a["text"] + "\n")
    a, = answers(*greedy, "--prompt", "A", "--stop", "Hello moon", "--stop", "lo world!", "--stop", "\N{GRINNING FACE}?")
    same("what only begins as a stop text is text", (a["text"], a["stopped_by"]), (text, "<|im_end|>"))
    a, = answers(*greedy, "--prompt", "A", "--stop", "orld", "--stop", "o world", "--stop", "ld")
    same("of those that end together the longest", (a["text"], a["stopped_by"]), ("Hell", "o world"))
    a, = answers(*greedy, "--prompt", "A", "--stop", "ello w", "--stop", "Hello world")
    same("the first that is complete", (a["text"], a["stopped_by"]), ("H", "ello w"))
    a, = answers(*greedy, "--prompt", "A", "-n", "1", "--stop", "lox")
    same("what was held back comes at the end", a["text"], "Hello")
    a, = answers(*greedy, "--prompt", "A", "--stop", "A")
    same("the prompt is not searched", a["stopped_by"], "<|im_end|>")
    r = run(*greedy, "--prompt", "A", "--stop", "")
    check("an empty stop text is refused", r.returncode == 2 and b"--stop is given an empty text" in r.stderr, r.stderr)
    r = run(*greedy, "--prompt", "A", "--stop", b"\xff".decode(errors="surrogateescape"))
    check("so is one that is no text", r.returncode == 2 and b"--stop: the text is not UTF-8" in r.stderr, r.stderr)

    # ---- characters ----
    raw = b"\xe2x\xff\xed\xa0y"
    for n in range(1, 12):
        a, = answers(*greedy, "--prompt", "A", "-n", n)
        spoken = [b"Hello", b" world", b"c", b"af", "é".encode(), b" ", b"\xf0", b"\x9f", b"\x98", b"\x80", b"!"]
        same(f"{n} tokens as Python decodes them", a["text"], b"".join(spoken[:n]).decode(errors="replace"))
        a, = answers(*greedy, "--prompt", "B", "-n", n)
        broken = (raw[:6] * 3)[:n]
        same(f"{n} broken bytes as Python decodes them", a["text"], broken.decode(errors="replace"))
    same("streamed", run(*greedy, "--prompt", "B", "-n", n).stdout, (a["text"] + "\n").encode())

    # ---- standard input as the prompt ----
    for ending in ("", "\n", "\r\n"):
        a, = answers(*greedy, "--prompt", "-", "-n", "3", stdin="one\ntwo Z" + ending)
        same(f"a prompt of standard input that ends in {ending!r}", (a["text"], a["prompt_tokens"]), ("ZZZ", 9))
    (folder / "message").write_text("hi\nand you?\n")
    with open(folder / "message") as f:
        r = subprocess.run([isobit, "generate", golden / "chat", "--chat", "--prompt", "-", "--json", "-n", "2"], stdin=f, capture_output=True, timeout=300)
    same("with --chat a file is one message", (r.returncode, len(r.stdout.splitlines())), (0, 1))
    r = run(*greedy)
    check("no prompt is told", r.returncode == 2 and b"--prompt TEXT (- is standard input), --prompts FILE, or --chat?" in r.stderr, r.stderr)
    r = run(*greedy, "--prompt", "-")
    check("an empty one too", r.returncode == 1 and b"the prompt is empty" in r.stderr, r.stderr)


def pieces(folder):
    """SentencePiece: U+2581 is a space in a piece, and bytes have tokens."""
    words = Words("tokenizer_spm", lambda w: f"<0x{w[0]:02X}>" if isinstance(w, bytes) else w)
    known = [w for w in words.id if w.startswith("\u2581") and len(w) > 3][:2]
    words("q", known[0], known[1], b"\xc3", b"\xa9", "</s>")
    model = chain(folder / "pieces", "tokenizer_spm", words.follows, ends=words.id["</s>"])
    text = "".join(known).replace("\u2581", " ") + "é"
    a, = answers(model, "--prompt", "q", "-t", "0")
    same("pieces and bytes", (a["text"], a["stopped_by"]), (text, "</s>"))
    a, = answers(model, "--prompt", "q", "-t", "0", "--stop", text[1:][:3], "--stop", "é")
    same("a stop text within a piece", a["text"], " ")


def turns(folder):
    """Three turns are what their transcript is when it is rendered at once."""
    talk = [golden / "chat", "-n", "12", "--seed", "3", "--device", "cpu:base"]
    said = ["hi", "and you?", "über alles, say it"]
    for how in ([], ["--system", "Be kind."], ["--stop", "l"], ["-t", "0"]):
        a = answers(*talk, "--chat", *how, stdin="\n".join(said) + "\n\n")
        b = answers(*talk, "--chat", *how, "--prompt", said[0], stdin="\r\n".join(said[1:]))
        same("the first message as an option", [x["text"] for x in a], [x["text"] for x in b])
        same("three messages, three answers", len(a), 3)
        transcript = "<|im_start|>system\nBe kind.<|im_end|>\n" if "--system" in how else ""
        for i, x in enumerate(a):
            transcript += f"<|im_start|>user\n{said[i]}<|im_end|>\n<|im_start|>assistant\n"
            once, = answers(*talk, *[o for o in how if o not in ("--system", "Be kind.")], "--prompt", transcript)
            same(f"answer {i + 1} {how} is that to the transcript", [x[k] for k in ("text", "finish_reason", "stopped_by", "prompt_tokens", "tokens")],
                 [once[k] for k in ("text", "finish_reason", "stopped_by", "prompt_tokens", "tokens")])
            check("what was said before is in the cache", x["cached_tokens"] >= (i and a[i - 1]["prompt_tokens"]), x)
            transcript += f"{x['text']}<|im_end|>\n"
    r = run(golden / "chat", "--chat", "-n", "100", "-t", "0", "--ctx", "100", stdin="hi\nand you?\nwell\n")
    errors = r.stderr.decode().splitlines()
    check("an answer that fills the context", "isobit: the answer is cut, as the context of 100 tokens is full (--ctx may be up to 256)" in errors, errors)
    check("the next message does not fit", r.returncode == 1 and errors[-1].startswith("isobit: the conversation is ") and
          "tokens, the context 100: give --ctx" in errors[-1], errors)
    r = run(*talk, "--chat", stdin="\ufeffhi\r\n \na\udcff\n")
    check("a line that is no text", r.returncode == 1 and b"standard input: line 3 is not UTF-8: byte 1 is 0xFF" in r.stderr, r.stderr)


def wait_for(stream, word, seconds=60):
    seen, end = b"", time.monotonic() + seconds
    while word not in seen and time.monotonic() < end:
        if select.select([stream], [], [], 0.1)[0]:
            more = os.read(stream.fileno(), 4096)
            if not more:
                break
            seen += more
    return seen


def terminal(folder):
    """Ctrl-C on a terminal ends the answer; the template's last letter, from which the chain goes on, tells whether it was kept."""
    words = Words("chat", byte_level.spell)
    words("H", "a", "b", "<|im_end|>")
    model = chain(folder / "endless", "chat", words.follows, context=60000)
    (model / "chat_template.jinja").write_text("{% if messages|length == 3 and 'ZZ' in messages[1].content %}H{% else %}Z{% endif %}")
    ours, theirs = pty.openpty()
    with subprocess.Popen([isobit, "generate", model, "--chat", "-t", "0", "-n", "60000", "--ctx", "60000", "--threads", "1"], stdin=theirs,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as p:
        os.close(theirs)
        check("it asks", b"> " in wait_for(p.stderr, b"> "))
        os.write(ours, b"hi\n")
        check("it answers", b"ZZ" in wait_for(p.stdout, b"ZZ"))
        p.send_signal(signal.SIGINT)
        check("Ctrl-C ends the answer, and it asks again", b"stopped after" in wait_for(p.stderr, b"> "))
        os.write(ours, b"more\n")
        check("with what was said in mind", b"ab" in wait_for(p.stdout, b"ab"))
        check("it asks once more", b"> " in wait_for(p.stderr, b"> "))
        p.send_signal(signal.SIGINT)
        same("Ctrl-C instead of a message ends the conversation", p.wait(timeout=60), 0)
        os.close(ours)
    with subprocess.Popen([isobit, "generate", model, "--prompt", "Z", "-t", "0", "-n", "60000", "--ctx", "60000"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, bufsize=0) as p:
        wait_for(p.stdout, b"ZZ")
        p.send_signal(signal.SIGINT)
        err = p.stderr.read()
        same("Ctrl-C ends a text", p.wait(timeout=60), 130)
        check("and says after how many tokens", b"; stopped after " in err, err)


def unread(folder):
    """Nothing is computed on where the text cannot go: a reader that left is no failure, a full device is one, with its reason."""
    words = Words("chat", byte_level.spell)
    words("H", "a", "b", "<|im_end|>")
    model = chain(folder / "unread", "chat", words.follows, context=60000)
    (model / "chat_template.jinja").write_text("Z")
    many = folder / "many.txt"
    many.write_text("Z\nZ\n")
    for how in (["--prompt", "Z"], ["--prompt", "Z", "--json"], ["--prompt", "hi", "--chat"], ["--prompts", many, "--at-once", "1"]):
        tokens = 3000 if how[0] == "--prompts" or how[-1] == "--json" else 60000 # these write at an answer's end
        command = [isobit, "generate", model, *how, "-t", "0", "-n", str(tokens), "--ctx", "60000"]
        reads, writes = os.pipe()
        os.close(reads)
        r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=writes, stderr=subprocess.PIPE, timeout=300)
        os.close(writes)
        same(f"{how}: the reader has left", r.returncode, 0)
        check(f"{how}: it ends there", b"tokens" not in r.stderr, r.stderr)
        with open("/dev/full", "w") as full:
            r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=300)
        same(f"{how}: no space", r.returncode, 1)
        check(f"{how}: the reason is said", r.stderr.endswith(b"isobit: standard output cannot be written: No space left on device\n"), r.stderr)


with tempfile.TemporaryDirectory(prefix="isobit-generate-") as folder:
    for part in (plain, pieces, turns, terminal, unread):
        part(pathlib.Path(folder))
finish()
