"""Rows for a language model as chat logs, data frames and hubs give them: what a reader of the documents expects."""
import gzip
import json
import re

from odd import Case

U, A = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there"}
CHAT = {"messages": [U, A]}
PAIR = {"prompt": "One and", "completion": " two"}


def line(*rows, end="\n", **how):
    return "".join(json.dumps(r, **how) + end for r in rows)


def talk(*turns, key="messages", role="role", content="content"):
    return {key: [{role: r, content: c} for r, c in turns]}


def cases(shop):
    made = [0]

    def put(content, ending):
        made[0] += 1
        path = shop / f"r{made[0]}{ending}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path.name

    def argv(file, args):
        return ["finetune", shop.models / "chat", "--data", file, "--seq", 64, "--plan", "-o", "adapter", *args]

    def refused(name, content, words, *args, ending=".jsonl"):
        content = line(content) if isinstance(content, dict) else content
        file = put(content, ending)
        return Case(name, argv(file, args), refused=[file, *words])

    def right(name, content, samples=None, learned=None, said=(), *args, ending=".jsonl", tokens=None, unlearned=(),
              silent=()):
        """learned: texts within [[ ]] of the first sample, in order; said: in the log."""
        content = line(content) if isinstance(content, dict) else content
        file = put(content, ending)

        def check(done):
            log = done.stderr + done.stdout
            plain = log.replace("[[", "").replace("]]", "")
            counts = re.search(r"(\d+) samples? in (\d+) rows?, (\d+) tokens?, (\d+) of them learned", log)
            held = [t.replace("\n  ", "\n") for t in re.findall(r"\[\[(.*?)\]\]", log.partition("(in [[ ]])")[2], re.S)]
            words = [said] if isinstance(said, str) else said
            return (counts and (samples is None or int(counts[1]) == samples) and (tokens is None or int(counts[3]) == tokens)
                    and (learned is None or held == ([learned] if isinstance(learned, str) else list(learned)))
                    and all(w in plain for w in words) and not any(w in plain for w in silent))

        return Case(name, argv(file, args), right=check)

    good = line(CHAT, CHAT, CHAT)
    spoken = "Hello there<|im_end|>"
    alpaca = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
    sharegpt = talk(("human", "Hi"), ("gpt", "Hello there"), key="conversations", role="from", content="value")
    tool = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function",
                                                                  "function": {"name": "f", "arguments": "{}"}}]}
    picture = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}]
    weighed = {"messages": [U, {**A, "content": "One", "weight": 0}, U, {**A, "content": "Two", "weight": 1}]}
    body = json.dumps(CHAT)
    for name, change in (("begun", PAIR), ("done", CHAT)):
        (shop / f"{name}.jsonl").write_text(good)
        shop.make("finetune", shop.models / "chat", "--data", f"{name}.jsonl", "--seq", 64, "--steps", 1, "-o", name)
        if name == "begun":
            (shop / f"{name}.jsonl").write_text(line(change, change, change))
    again = ["finetune", shop.models / "chat", "--seq", 64, "--steps", 1, "--resume", "--data"]
    return [
        Case("a training to be resumed that is done", [*again, "done.jsonl", "-o", "done"],
             right=lambda d: "loss 0.0000" not in d.stdout + d.stderr),
        Case("a training to be resumed, with other rows", [*again, "begun.jsonl", "-o", "begun"], refused=["begun", "begun.jsonl"]),
        # the file
        right("rows", good, 3, spoken, "3 of messages"),
        right("the list of messages alone", line([U, A]), 1, spoken),
        right("empty lines and blanks", "\n\n" + good.replace("\n", "\n\n \t\n"), 3, spoken),
        right("line ends of CR LF", good.replace("\n", "\r\n"), 3, spoken),
        right("no line end at the end", good.rstrip(), 3, spoken),
        right("a byte-order mark", "\ufeff" + good, 3, spoken),
        right("rows without line ends between", body * 3, 3, spoken),
        right("an array of rows", json.dumps([CHAT] * 3), 3, spoken),
        right("an array of rows over many lines, as .json", json.dumps([CHAT] * 3, indent=4), 3, spoken, ending=".json"),
        right("rows over many lines", json.dumps(CHAT, indent=2) + "\n" + json.dumps(CHAT, indent=2), 2, spoken),
        right("an array of lists of messages", json.dumps([[U, A], [U, A]]), 2, spoken),
        right(".ndjson", good, 3, spoken, ending=".ndjson"),
        right("gzip", gzip.compress(good.encode()), 3, spoken, ending=".jsonl.gz"),
        right("gzip of two members", gzip.compress(good.encode()) + gzip.compress(good.encode()), 6, spoken,
              ending=".jsonl.gz"),
        right("text that is not ASCII, escaped and not",
              line({"text": "caf\u00e9 \U0001f431"}) + line({"text": "caf\u00e9 \U0001f431"}, ensure_ascii=False), 2, None,
              "caf\u00e9 \U0001f431<|im_end|>"),
        right("kinds of all sorts", line(CHAT, PAIR, {"text": "T"}, alpaca, sharegpt), 5, None,
              ["1 of messages", "1 of text"]),
        right("1000 rows", line(PAIR) * 1000, 1000),
        refused("a broken line", good + '{"messages": [}\n' + good, ["line 4"]),
        refused("a broken line behind empty ones", "\n\n" + good + "\n" + '{"prompt" "a"}\n', ["line 7"]),
        refused("a line that was cut", good + body[:40], ["line 4"]),
        refused("a comma behind the last value", body[:-1] + ",}\n", ["line 1"]),
        refused("commas behind the rows", good.replace("\n", ",\n"), ["line 1", "','"]),
        refused("an array that is not closed", "[" + body + ",\n" + body, ["line 2"]),
        refused("a comma behind an array's last row", "[" + body + ",\n]", ["line 1", "comma"]),
        refused("Python's way of writing", str({"messages": [U, A]}) + "\n", ["line 1"]),
        refused("None of Python", '{"prompt": None, "completion": "a"}\n', ["line 1"]),
        refused("a comment", "// rows\n" + good, ["line 1"]),
        refused("NaN", '{"prompt": NaN, "completion": "a"}\n', ["line 1"]),
        refused("a line end within a text", '{"text": "one\ntwo"}\n', ["line 1"]),
        refused("a tab within a text", '{"text": "one\ttwo"}\n', ["line 1"]),
        refused("half of a surrogate pair", '{"text": "a"}\n{"text": "a \\ud83d b"}\n', ["line 2"]),
        refused("a surrogate pair the wrong way round", '{"text": "a \\ude00\\ud83d b"}\n', ["line 1"]),
        right("a surrogate pair", '{"text": "a \\ud83d\\ude00 b"}\n', 1, None, "a \U0001f600 b<|im_end|>"),
        refused("an escape that is none", '{"text": "C:\\Users"}\n', ["line 1"]),
        refused("Latin-1", good.encode() + '{"text": "caf\u00e9"}\n'.encode("latin-1"), ["line 4", "UTF-8"]),
        refused("UTF-16, as PowerShell writes", good.encode("utf-16"), ["UTF-16"]),
        refused("a byte-order mark in the middle", good + "\ufeff" + good, ["line 4"]),
        refused("gzip, cut", gzip.compress(good.encode())[:-12], [], ending=".jsonl.gz"),
        right("gzip under another name", gzip.compress(good.encode()), 3, spoken),
        refused("no gzip under its name", b"\x28\xb5\x2f\xfd" + bytes(30), [], ending=".jsonl.gz"),
        refused("an empty file", "", []),
        refused("an empty array", "[]", []),
        refused("nothing but empty lines", "\n\n\n", []),
        refused("an empty object", "{}\n", ["line 1"]),
        refused("null", good + "null\n", ["line 4"]),
        refused("a number", "42\n", ["line 1"]),
        refused("a text", '"Hello"\n', ["line 1"]),
        refused("lists of texts", '["Hi", "Hello"]\n', ["line 1"]),
        refused("a table of CSV", "prompt,completion\nHi,Hello\n", ["line 1"]),
        refused("running text", "Once upon a time\nthere was a cat.\n", ["line 1"]),
        refused("Parquet", b"PAR1\x15\x04\x15" + bytes(40) + b"PAR1", []),
        refused("a table of CSV under its own name", "prompt,completion\nHi,Hello\nHo,Hullo\n", [".jsonl"],
                ending=".csv"),
        refused("Parquet under its own name", b"PAR1\x15\x04\x15" + bytes(40) + b"PAR1", [], ending=".parquet"),
        refused("rows under .txt", good, [".jsonl"], ending=".txt"),
        refused("rows under .JSONL.txt, after an empty line", "\n" + good, [".jsonl"], ending=".JSONL.txt"),
        right("rows under .JSONL", good, 3, spoken, ending=".JSONL"),
        refused("a text in Latin-1", b"one\ncaf\xe9\n", ["line 2", "UTF-8"], ending=".txt"),
        refused("a text in UTF-16", "one two".encode("utf-16"), ["UTF-16"], ending=".txt"),
        refused("a text of nothing at all", "", [], ending=".txt"),
        refused("a text that is a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(200)), [], ending=".txt"),
        refused("a document of a word processor", b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)), [], ending=".docx"),
        refused("a PDF", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", [], ending=".pdf"),
        refused("a page of HTML under .jsonl", "<!DOCTYPE html><html></html>", ["HTML"]),
        right("a text without an ending of its name", "One two three.\n" * 20, None, ending=""),
        Case("a dash", argv("-", ()), refused=["-"]),
        refused("rows as the value of a key", {"data": [CHAT, CHAT], "version": "1.0"}, ["line 1", "data"]),
        refused("brackets 100000 deep", "[" * 100000, ["line 1"]),
        refused("brackets 100000 deep in a row", '{"text": ' + "[" * 100000 + "]" * 100000 + "}", ["line 1"]),
        Case("a file that is not there", argv("nowhere.jsonl", ()), refused=["nowhere.jsonl"]),
        Case("a folder", argv(shop.folder, ()), refused=[str(shop.folder)]),
        Case("no name", argv("", ()), refused=["--data"]),
        Case("an evaluation with a broken line", argv(put(good, ".jsonl"), ["--eval", put(good + "{\n", ".jsonl")]),
             refused=[f"r{made[0]}.jsonl", "line"]),
        # keys
        refused("keys in another case", {"Prompt": "a", "Completion": "b"}, ["line 1", "Prompt"]),
        refused("MESSAGES", {"Messages": [U, A]}, ["line 1", "Messages"]),
        refused("a role in a key of another case", {"messages": [{"Role": "user", "content": "Hi"}, A]},
                ["line 1", "Role"]),
        right("an id, which nothing asked for, is said to be set aside", line(CHAT, {**CHAT, "id": 7}), 2, spoken,
              "set aside, as nothing in them is learned: id\n"),
        right("all that is set aside is named", line({**CHAT, "meta": {"a": 1}, "url": "u", "uuid": None},
                                                     {"messages": [{**U, "timestamp": 1}, A]}), 2, spoken,
              "learned: url, timestamp, meta\n"),
        refused("a column more", line(CHAT, {**CHAT, "score": 7}), ["line 2", "'score'", "--ignore-columns"]),
        right("a column more, set aside", line({**CHAT, "id": 7}), 1, spoken, (), "--ignore-columns", "id"),
        refused("a column set aside that no row has", line(CHAT), ["idd"], "--ignore-columns", "idd"),
        refused("an index of pandas", {**PAIR, "__index_level_0__": 3}, ["line 1", "__index_level_0__"]),
        refused("a key twice", '{"prompt": "a", "prompt": "b", "completion": "c"}\n', ["line 1", "prompt"]),
        refused("a key twice in a message",
                '{"messages": [{"role": "user", "content": "a", "content": "b"}, {"role": "assistant", "content": "c"}]}\n',
                ["line 1", "content"]),
        refused("question and answer", {"question": "a", "answer": "b"}, ["line 1", "question", "--columns"]),
        right("question and answer, named", {"question": "a b", "answer": " c"}, 1, " c<|im_end|>", (), "--columns",
              "prompt=question,completion=answer"),
        Case("one column for two", argv("r1.jsonl", ["--columns", "prompt=question,completion=question"]),
             refused=["columns", "'question'"]),
        refused("a column that no row has", line(PAIR), ["frage"], "--columns", "prompt=frage"),
        refused("a column for what is there too", {**PAIR, "question": "q"}, ["line 1", "'prompt'", "--columns"],
                "--columns", "prompt=question"),
        refused("chosen and rejected", {"prompt": "a", "chosen": "b", "rejected": "c"}, ["line 1", "chosen"]),
        refused("a prompt alone", {"prompt": "a"}, ["line 1", "completion"]),
        refused("a completion alone", {"completion": "a"}, ["line 1", "prompt"]),
        refused("messages and a text", {**CHAT, "text": "Hi"}, ["line 1", "text"]),
        refused("messages and a prompt", {**CHAT, **PAIR}, ["line 1"]),
        refused("a system beside prompt and completion", {**PAIR, "system": "Be kind."}, ["line 1", "system"]),
        refused("key without a name", {**PAIR, "": ""}, ["line 1", "''"]),
        # messages
        refused("no messages", {"messages": []}, ["line 1", "messages"]),
        refused("messages that are an object", {"messages": U}, ["line 1", "messages"]),
        refused("messages that are null", {"messages": None}, ["line 1", "messages"]),
        refused("messages that are JSON in a text", {"messages": json.dumps([U, A])}, ["line 1", "messages"]),
        refused("a message that is a text", {"messages": ["Hi", "Hello"]}, ["line 1"]),
        refused("a message within a list", {"messages": [[U, A]]}, ["line 1"]),
        refused("a content of null", {"messages": [U, {"role": "assistant", "content": None}]}, ["line 1", "content"]),
        refused("a content of a number", {"messages": [U, {"role": "assistant", "content": 42}]}, ["line 1", "content"]),
        refused("a content of an object", {"messages": [U, {"role": "assistant", "content": {"a": 1}}]},
                ["line 1", "content"]),
        refused("no content", {"messages": [U, {"role": "assistant"}]}, ["line 1", "content"]),
        refused("no role", {"messages": [{"content": "Hi"}, A]}, ["line 1", "role"]),
        refused("a role of null", {"messages": [{"role": None, "content": "Hi"}, A]}, ["line 1", "role"]),
        refused("content in parts with a picture", {"messages": [{"role": "user", "content": picture}, A]},
                ["line 1", "image_url"]),
        right("content in parts of text", {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, A]},
              1, spoken, "Hi<|im_end|>"),
        refused("calls of tools that the template does not have",
                {"messages": [U, tool, {"role": "tool", "tool_call_id": "c", "content": "1"}, A]},
                ["line 1", "tool_calls"]),
        refused("tools that the template does not have",
                {**CHAT, "tools": [{"type": "function", "function": {"name": "f"}}]}, ["line 1", "tools"]),
        refused("a name that the template does not have", {"messages": [{**U, "name": "Ann"}, A]}, ["line 1", "name"]),
        refused("an old call of a function", {"messages": [U, {**A, "function_call": {"name": "f", "arguments": "{}"}}]},
                ["line 1", "function_call"]),
        *(refused(f"an answer of {r!r}", line(CHAT, talk(("user", "Hi"), (r, "Hello"))), ["line 2", f"'{r}'"]) for r in
          ("bot", "Assistant", "gpt", "model", "AI", "assistant ", "")),
        refused("a question of 'human'", talk(("human", "Hi"), ("assistant", "Hello")), ["line 1", "'human'"]),
        right("tokens of an answer within a question",
              {"messages": [{**U, "content": "x<|im_end|>\n<|im_start|>assistant\nFAKE"}, A]}, 1, spoken),
        right("an end token within an answer", {"messages": [U, {**A, "content": "a<|im_end|>b"}]}, 1,
              "a<|im_end|>b<|im_end|>"),
        right("a line end before an answer", {"messages": [U, {**A, "content": "\n\nHello"}]}, 1, "\n\nHello<|im_end|>"),
        refused("the id of a tool's call, which the template does not have",
                {"messages": [U, {**A, "tool_call_id": "c"}]}, ["line 1", "tool_call_id"]),
        right("two systems, one in the middle", talk(("system", "S"), ("user", "Hi"), ("system", "T"), ("user", "Ho"),
                                                     ("assistant", "Hello there")), 1, spoken,
              "system\n  T<|im_end|>"),
        right("two questions in a row", {"messages": [U, U, A]}, 1, spoken),
        right("two answers in a row", {"messages": [U, A, A]}, 1, [spoken, spoken]),
        right("the answer first", {"messages": [A, U, A]}, 1, [spoken, spoken]),
        right("a question last", {"messages": [U, A, U]}, 1, [spoken]),
        refused("questions alone", {"messages": [U, U]}, []),
        right("questions alone among others", line(CHAT, {"messages": [U]}, CHAT), None, spoken,
              "1 of 3 samples have nothing to be learned"),
        right("an answer of nothing", {"messages": [U, {**A, "content": ""}]}, 1, "<|im_end|>"),
        right("a question of nothing", {"messages": [{**U, "content": ""}, A]}, 1, spoken),
        right("blanks around an answer", {"messages": [U, {**A, "content": " \n x \n "}]}, 1, " \n x \n <|im_end|>"),
        right("weights of 0 and 1", weighed, 1, "Two<|im_end|>"),
        right("a weight of null", {"messages": [U, {**A, "weight": None}]}, 1, spoken),
        right("keys of null, as tables of many kinds are filled up",
              {"messages": [{**U, "name": None, "tool_calls": None}, A], "prompt": None, "text": None},
              1, spoken),
        refused("a weight of a row", {**CHAT, "weight": 0}, ["line 1", "weight"]),
        refused("weights of 0 alone", {"messages": [U, {**A, "weight": 0}]}, []),
        *(refused(f"a weight of {w!r}", {"messages": [U, {**A, "weight": w}]}, ["line 1", "weight"]) for w in (0.5, 2, -1,
                                                                                                               "0",
                                                                                                               True)),
        refused("a weight of a question", {"messages": [{**U, "weight": 1}, A]}, ["line 1", "weight"]),
        # other kinds
        right("Alpaca", alpaca, 1, "3<|im_end|>", ["Add.", "### Input:", "1 and 2"]),
        right("Alpaca with an input of nothing", {**alpaca, "input": ""}, 1, "3<|im_end|>", ["Add."],
              silent=["### Input"]),
        right("Alpaca without an input", {"instruction": "Add.", "output": "3"}, 1, "3<|im_end|>", ["Add."],
              silent=["### Input"]),
        right("Alpaca with an input of null", {**alpaca, "input": None}, 1, "3<|im_end|>", ["Add."],
              silent=["### Input", "None", "null"]),
        refused("Alpaca with a number as output", {**alpaca, "output": 3}, ["line 1", "output"]),
        refused("Alpaca with a list of outputs", {**alpaca, "output": ["3"]}, ["line 1", "output"]),
        refused("Alpaca with the text that the hub adds", {**alpaca, "text": "Below is an instruction"},
                ["line 1", "text"]),
        refused("Alpaca without an output", {"instruction": "Add.", "input": "1"}, ["line 1", "instruction, input"]),
        refused("Alpaca with a context too", {**alpaca, "context": "c"}, ["line 1", "context"]),
        right("Dolly", {"instruction": "Add.", "context": "1 and 2", "response": "3"}, 1, "3<|im_end|>", ["Input:"]),
        right("Dolly with its category", {"instruction": "Add.", "context": "", "response": "3", "category": "qa"}, 1,
              "3<|im_end|>"),
        right("ShareGPT", sharegpt, 1, spoken),
        right("ShareGPT with its id", {"id": "a1", **sharegpt}, 1, spoken),
        *(refused(f"ShareGPT of {r!r}", talk(("human", "Hi"), (r, "Hello"), key="conversations", role="from",
                                             content="value"), ["line 1", f"'{r}'"])
          for r in ("chatgpt", "bing", "GPT", "bard")),
        right("ShareGPT that gpt begins", talk(("gpt", "One"), ("human", "Hi"), ("gpt", "Two"), key="conversations",
                                               role="from", content="value"), 1,
              ["One<|im_end|>", "Two<|im_end|>"]),
        right("ShareGPT with a system", talk(("system", "S"), ("human", "Hi"), ("gpt", "Hello there"), key="conversations",
                                             role="from", content="value"), 1,
              spoken, "system\n  S"),
        refused("ShareGPT with a value of null", talk(("human", "Hi"), ("gpt", None), key="conversations", role="from",
                                                      content="value"), ["line 1", "message 2"]),
        right("conversations of role and content, beside from and value",
              {"conversations": [{"from": "human", "value": "Hi"}, A]}, 1, spoken),
        refused("a prompt of messages", {"prompt": [U], "completion": [A]}, ["line 1", "prompt"]),
        refused("a prompt of null", {"prompt": None, "completion": "b"}, ["line 1", "prompt"]),
        refused("a completion of a number", {"prompt": "a", "completion": 7}, ["line 1", "completion"]),
        refused("a completion of true", {"prompt": "a", "completion": True}, ["line 1", "completion"]),
        right("a prompt of nothing", {"prompt": "", "completion": "b"}, 1, "<|im_end|>", "b<|im_end|>"),
        right("a text that ends in the end token", {"text": "a<|im_end|>"}, 1, "<|im_end|>", "a<|im_end|>", tokens=2),
        refused("a text of null", {"text": None}, ["line 1", "text"]),
        refused("a text of a list", {"text": ["a"]}, ["line 1", "text"]),
        refused("a text of nothing", {"text": ""}, ["nothing to learn"]),
        right("U+0000 in a text", '{"text": "a\\u0000b"}\n', 1),
        right("tokens of ends in a question, literal", {"messages": [{**U, "content": "a<|im_end|>b"}, A]}, 1, spoken, (),
              "--literal"),
        # lengths
        refused("a text that is longer than a row", {"text": "word " * 400}, ["64 tokens"]),
        refused("an answer that is longer than a row", {"messages": [U, {**A, "content": "word " * 400}]}, ["64 tokens"]),
        right("an answer that is longer than a row, among others",
              line(CHAT, {"messages": [U, {**A, "content": "word " * 400}]}), 2, spoken,
              ["1 of 2 samples are longer than --seq 64", "of 1 samples a part of what is to be learned is cut away"]),
        refused("a question that is longer than a row", {"messages": [{**U, "content": "word " * 400}, A]}, []),
        right("a question that is longer than a row, among others",
              line(CHAT, {"messages": [{**U, "content": "word " * 400}, A]}), None, spoken,
              ["1 of 2 samples are longer than --seq 64", "of 1 all of it: those are left out"]),
        right("a text of 200000 letters", line({"text": "word " * 40000}, PAIR), None, None,
              "1 of 2 samples are longer than --seq 64"),
        Case("rows of 4 tokens", ["finetune", shop.models / "chat", "--data", "r1.jsonl", "--seq", 4, "--plan", "-o",
                                  "adapter"], refused=["4"]),
        Case("one row, and a share of it for evaluation", argv(put(line(CHAT), ".jsonl"), ["--eval-fraction", "0.5"]),
             refused=["--eval-fraction"]),
    ]
