"""Files given as training data that hold neither rows nor running text, or hold them under a wrong name: each is told what to do.

Broken by: what is no text, or JSON cut short, taken for running text; a refusal that does not say what the file is."""
import io
import json
import os
import zipfile

from odd import Case

ROW = '{"text": "hello world, and once more hello"}\n'


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("a.jsonl", ROW * 9)
    return out.getvalue()


def cases(shop):
    done = lambda run: "parameters trained" in run.stdout  # noqa: E731
    page = "<!DOCTYPE html>\n<html><head><title>404</title></head><body>There is nothing here.</body></html>\n"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 99\n"
    table = "question,answer\nwhat is it,this\n"
    right = object()
    files = [
        ("cut.txt", ROW[:-2] + "\n", ["JSON", "line 2", ".jsonl"]),
        ("cut_list.txt", "[" + ROW.strip() + ",\n", ["JSON", "line 2", ".jsonl"]),
        ("commas.txt", ROW.strip() + ",\n" + ROW, ["JSON", "line 1", ".jsonl"]),
        ("python.txt", "{'text': 'hello world'}\n" * 3, ["JSON", ".jsonl"]),
        ("table.jsonl", table, ["line 1", "table"]),
        ("tabs.jsonl", table.replace(",", "\t"), ["line 1", "table"]),
        ("yaml.jsonl", "- text: hello\n", ["line 1", "object"]),
        ("parquet.jsonl", b"PAR1" + bytes(range(256)) + b"PAR1", ["Parquet", "read_parquet"]),
        ("parquet.txt", b"PAR1 as if it were text, PAR1", ["Parquet"]),
        ("sheet.xlsx", archive(), [".jsonl"]),
        ("archive.jsonl", archive(), ["zip", "unpack"]),
        ("archive.zip", archive(), ["zip", "unpack"]),
        ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\n", [".txt"]),
        ("paper.txt", "%PDF-1.7\n1 0 obj\n", ["PDF", "pdftotext"]),
        ("page.jsonl", page, ["HTML"]),
        ("page.txt", "\n" + page.lower(), ["HTML"]),
        ("lfs.jsonl", pointer, ["git lfs pull"]),
        ("lfs.txt", pointer, ["git lfs pull"]),
        ("rows16.jsonl", ROW.encode("utf-16"), ["UTF-16", "UTF-8"]),
        ("empty.jsonl", "", ["no data"]),
        ("blank.txt", " \n\n", ["no data"]),
        ("database.txt", b"SQLite format 3\0" + bytes(99), ["SQLite"]),
        ("nested.json", '{"version": 1, "data": [' + ROW.strip() + "]}", ["line 1", "'data'", "list alone"]),
        ("strings.jsonl", '"hello"\n"world"\n', ["line 1", "object"]),
        ("chapter.txt", "[Chapter 1]\n{She enters} It was a dark and stormy night, and a long one.\n", right),
        ("readme.md", "# Hello\n\n1. this is text, and a list of it\n", right),
        ("rows.json", json.dumps([json.loads(ROW)] * 3, indent=1), right),
    ]
    out = []

    def add(name, words):
        argv = ["finetune", shop.models / "chat", "--data", name, "--steps", "1", "--accumulate", "1", "--seq", "32", "--lora", "r=1"]
        argv += ["-o", f"o{len(out)}"]
        out.append(Case(name, argv, right=done) if words is right else Case(name, argv, refused=[name, *words]))

    for name, content, words in files:
        (shop / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        add(name, words)
    os.mkdir(shop / "folder")
    add("folder", ["folder", "one file"])
    add("/dev/null", ["device"])
    add("-", ["standard input"])
    return out
