#!/usr/bin/env python3
"""encodings.py SOURCE BUILD - no level's code has encodings of vectors that its processor need not know: by the flags
that backends/cpu/levels.def gives it, VEX wants -mavx2, EVEX -mavx512f, and vpdpbusd and its like in VEX -mavxvnni.
Compilers see to it, but for instructions that are written as text. Broken by: vpdpbusd there without {vex}."""
import os
import re
import subprocess
import sys
from pathlib import Path

source, build = Path(sys.argv[1]), Path(sys.argv[2])
ROW = re.compile(r'^LEVEL\((\w+), (plain|x86), (\w+), (\w+), "([^"]*)",', flags=re.M)


def objects_of(level, families):
    if families == level:
        yield from (build / "CMakeFiles" / f"cpu_{level}.dir").rglob("*.o")
    own = build / "CMakeFiles/isobit.dir/backends/cpu/x86"
    yield from own.glob(f"{level}.c.o")
    yield from own.glob(f"{level}_*.c.o")
    yield from (own / level).glob("*.o")


def instructions(path):
    """First bytes and texts."""
    listing = subprocess.run(["objdump", "-d", str(path)], stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    return re.findall(r"^ *[0-9a-f]+:\t([0-9a-f]{2}) [^\t\n]*\t(.+)$", listing.stdout, flags=re.M)


def needs(byte, text):
    """What no flag may be missing for; in 64-bit code these bytes begin nothing else."""
    if byte == "62":
        return "-mavx512f"
    if byte in ("c4", "c5"):
        return "-mavxvnni" if re.search(r"\bvpdp", text) else "-mavx2"
    return None


flags_of, faults, seen = {"none": set()}, [], 0
for level, _, on, families, flags in ROW.findall((source / "backends/cpu/levels.def").read_text()):
    flags_of[level] = flags_of[on] | set(flags.split())
    found = {}
    for path in objects_of(level, families):
        seen += 1
        for byte, text in instructions(path):
            wanted = needs(byte, text)
            if wanted:
                found.setdefault(wanted, f"{path.name}: {' '.join(text.split())}")
    faults += [f"level {level} has no {flag}, but {what}" for flag, what in found.items() if flag not in flags_of[level]]
    if "-mavxvnni" in flags.split() and "-mavxvnni" not in found:
        faults.append(f"level {level} has -mavxvnni, and no instruction of it")
    if "-mavx512f" in flags.split() and "-mavx512f" not in found:
        faults.append(f"level {level} has -mavx512f, and no instruction of it")
if not seen:
    faults.append(f"{build}: no object of a level")
print("\n".join(faults) or f"{seen} objects of levels have the encodings of their flags")
sys.exit(bool(faults))
