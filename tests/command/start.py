#!/usr/bin/env python3
"""start.py ISOBIT WRITE_DIGITS SOURCE - docs/start.md, run from top to bottom in an empty folder.

A block `sh` holds commands, each a line; one that ends in `# refused` must fail with one line. The block `text` behind it holds lines that the
commands print, in their order: `...` stands for anything, alone on a line for lines that are left out (none are without), numbers with a decimal point for any such. A block `c` that begins with
`/* NAME - ` is that file. Own files are small ones, made here (own_files).
Broken by: a command of the page that fails, a line that it does not print, a file that it names and that is not there."""
import array
import csv
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

isobit, write_digits, source = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
PAGE = source / "docs/start.md"
failed = 0


def fail(why):
    global failed
    failed += 1
    print(f"FAILED: {why}")


def call(command, folder):
    return subprocess.run(["bash", "-c", command], cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", timeout=120)


ENVIRONMENT = {**os.environ, "PATH": f"{isobit.parent}:{os.environ['PATH']}", "OMP_WAIT_POLICY": "passive"}

# ---- what a reader brings along ----

KINDS = {"lilac": (5.0, 3.4, 1.5), "maple": (5.9, 2.8, 4.3), "willow": (6.6, 3.0, 5.6)}
SOILS = ["clay", "sand", "peat"]
ROWS = [("How tall does a lilac grow?", "As tall as a house, if nobody cuts it."), ("And a willow?", "Taller than the house."),
        ("Where does it stand?", "By the water.")] * 8


def write_table(path):
    draw = random.Random(7)
    rows = []
    for k, (kind, means) in enumerate(KINDS.items()):
        for _ in range(70):
            numbers = [f"{m + draw.gauss(0, s):.2f}" for m, s in zip(means, (0.35, 0.3, 0.4))]
            rows.append([*numbers, SOILS[k] if draw.random() < 0.6 else draw.choice(SOILS), kind])
    draw.shuffle(rows)
    with open(path, "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([["leaf", "stem", "petal", "soil", "kind"], *rows])


def write_npy(path, shape, values):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (63 - (len(head) + 10) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + array.array("f", values).tobytes())


def own_files(folder):
    draw = random.Random(3)
    write_table(folder / "plants.csv")
    (folder / "new.csv").write_text("leaf,stem,petal,soil\n5.1,3.5,1.4,clay\n6.3,3.1,5.2,peat\n")
    subprocess.run([write_digits, "all", "png"], cwd=folder, check=True)
    for kind in sorted((folder / "all").iterdir()):
        (folder / "pictures" / kind.name).mkdir(parents=True)
        pictures = sorted(kind.iterdir())
        for p in pictures[:60]:
            p.rename(folder / "pictures" / kind.name / p.name)
        (folder / "new").mkdir(exist_ok=True)
        pictures[60].rename(folder / "new" / pictures[60].name)
    shutil.rmtree(folder / "all")
    shutil.copy(source / "tests/golden/onnx/pooled_torchscript.onnx", folder / "net.onnx")
    write_npy(folder / "samples.npy", (200, 3, 9, 7), [draw.gauss(0, 1) for _ in range(200 * 3 * 9 * 7)])
    made = call(f"isobit convert '{source}/tests/golden/models/chat' -o model.gguf --format f16", folder)
    if made.returncode:
        sys.exit(f"start.py: no model: {made.stderr}")
    (folder / "notes.txt").write_text((source / "examples/texts/emma.txt").read_text(encoding="utf-8")[:4000], encoding="utf-8")
    (folder / "rows.jsonl").write_text("".join(f'{{"prompt": "{p}", "completion": "{c}"}}\n' for p, c in ROWS))


# ---- the page ----

def pattern(line):
    """What a shown line stands for."""
    parts = [re.escape(re.sub(r"\d+\.\d+(e[+-]?\d+)?", "\0", p)).replace("\0", r"[\d.]+(e[+-]?\d+)?") for p in line.rstrip().split("...")]
    return re.compile(".*".join(parts) + r"\s*")


def shown(lines, streams, where):
    """Each line, in its order within the stream that it is on, the next one there unless a line `...` is between."""
    at, gap, streams = [0] * len(streams), False, [list(filter(str.strip, s)) for s in streams]
    for line in filter(str.strip, lines):
        if line.strip() == "...":
            gap = True
            continue
        want = pattern(line)
        for k, stream in enumerate(streams):
            hit = next((i for i in range(at[k], len(stream)) if want.fullmatch(stream[i])), None)
            if hit is not None:
                if hit > at[k] and not gap:
                    fail(f"{where}: without a line `...` lines are left out before: {line}")
                at[k] = hit + 1
                break
        else:
            fail(f"{where}: is not printed: {line}")
        gap = False
    if not gap and any(n < len(stream) for n, stream in zip(at, streams)):
        fail(f"{where}: without a line `...` lines are left out at the end")


def run_block(block, folder, where):
    """The commands of a block; what they print, as lines of both streams."""
    streams = [[], []]
    for line in block.replace("\\\n", " ").splitlines():
        command, _, note = line.partition("  # ")
        r = call(command, folder)
        streams[0] += r.stdout.splitlines()
        streams[1] += r.stderr.splitlines()
        if note.strip() == "refused":
            if not 0 < r.returncode < 3 or len(r.stderr.splitlines()) != 1:
                fail(f"{where}: is not refused in one line: {command} ({r.returncode}): {r.stderr}")
        elif r.returncode:
            fail(f"{where}: {command}: exit status {r.returncode}: {r.stderr}")
        for made in [] if note else re.findall(r"(?:\s-o|>)\s*(\S+)", command):
            if not (folder / made).exists():
                fail(f"{where}: {command}: {made} is not there")
    return streams


def run_page(text, folder):
    fences = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
    streams, commands = None, 0
    for m in fences.finditer(text):
        kind, block, where = m[1], m[2], f"{PAGE.name}:{text[:m.start()].count(chr(10)) + 1}"
        if kind == "sh":
            streams = run_block(block, folder, where)
            commands += len(block.splitlines())
        elif kind == "text" and streams is not None:
            shown(block.splitlines(), streams, where)
            streams = None
        elif kind == "c" and (name := re.match(r"/\* (\S+) - ", block)):
            (folder / name[1]).write_text(block)
        else:
            fail(f"{where}: a block '{kind}' that is neither commands, nor what they print, nor a file")
    # Files in the running text and in links: what was made, or what is in the repository.
    prose = fences.sub("", text)
    for name in re.findall(r"`([\w./]+\.(?:h5|c|h|py|csv|md|onnx|tflite|gguf|npy|jsonl|json|safetensors))`", prose):
        if not (folder / name).exists() and not (source / name).exists():
            fail(f"{PAGE.name}: {name} is not there")
    for name in re.findall(r"\]\(([^)#]+)", prose):
        if not (PAGE.parent / name).exists():
            fail(f"{PAGE.name}: the link {name} leads nowhere")
    return commands


# ---- the exported C beside the integer engine, over the whole table ----

ALL_ROWS = """#include <stdio.h>
#include "plants.h"
int main(void)
{
    float row[PLANTS_COLUMNS];
    int8_t codes[PLANTS_INPUT_SIZE], out[PLANTS_OUTPUT_SIZE];
    while (scanf("%f,%f,%f,%f", row, row + 1, row + 2, row + 3) == 4) {
        plants_quantize_columns(row, codes);
        plants_run(codes, out);
        for (int i = 0; i < PLANTS_OUTPUT_SIZE; i++)
            printf(i + 1 < PLANTS_OUTPUT_SIZE ? "%d," : "%d\\n", out[i]);
    }
    return 0;
}
"""


def compare_c(folder):
    with open(folder / "plants.csv", newline="") as f:
        table = list(csv.reader(f))[1:]
    words = sorted(SOILS)
    (folder / "all.c").write_text(ALL_ROWS)
    (folder / "all.txt").write_text("".join(f"{','.join(r[:3])},{words.index(r[3])}\n" for r in table))
    c = call("cc -std=c99 -pedantic -Wall -Wextra -Werror -O2 -Iout all.c out/plants.c -o all && ./all <all.txt", folder)
    integer = call("isobit predict plants.h5 --data csv:plants.csv --engine integer --codes", folder)
    ours = [line.partition(",")[2] for line in integer.stdout.splitlines()[1:]]
    if c.returncode or integer.returncode or len(ours) != len(table):
        return fail(f"the exported C over the table: {c.stderr}{integer.stderr}")
    differ = sum(a != b for a, b in zip(c.stdout.splitlines(), ours))
    if c.stdout.count("\n") != len(ours) or differ:
        fail(f"the exported C: {differ} of {len(ours)} rows differ from predict --engine integer")


with tempfile.TemporaryDirectory(prefix="isobit-start-") as name:
    own_files(pathlib.Path(name))
    ran = run_page(PAGE.read_text(encoding="utf-8"), pathlib.Path(name))
    compare_c(pathlib.Path(name))
if ran < 20:
    fail(f"only {ran} commands were found")
print(f"start: {ran} commands, {failed} failures")
sys.exit(failed != 0)
