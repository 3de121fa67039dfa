#!/usr/bin/env python3
"""odd.py ISOBIT SOURCE [AREA...] - bad and odd inputs of every kind: each is understood wholly or refused in one line; none is silent.

An area is a module with `cases(shop)`, a list of Case, in the folder of what it is about: command, data, imported (networks), text (language
models); made/ holds what they make alike. Needs numpy, onnx and h5py (scripts/runtimes); exits with 77 without them.
Broken by: an input that is ignored, clipped, assumed or half-read; a refusal that does not name the file, the thing and the numbers."""
import importlib
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Callable, Optional

try:
    import h5py  # noqa: F401
    import numpy  # noqa: F401
    import onnx  # noqa: F401
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)


HERE = pathlib.Path(__file__).parent


@dataclass
class Case:
    """One input: what is run, and what must come of it: `refused`, words that its one line holds, or `right`, a check of what was made."""
    name: str
    argv: list
    refused: Optional[list] = None
    right: Optional[Callable] = None
    stdin: str = ""


class Shop:
    """Where the inputs are made: a folder of its own, the command, the repository."""

    def __init__(self, folder, isobit, source):
        self.folder, self.isobit, self.source = pathlib.Path(folder), pathlib.Path(isobit).resolve(), pathlib.Path(source).resolve()
        self.models = self.source / "tests/golden/models"

    def __truediv__(self, name):
        return self.folder / name

    def run(self, *argv, stdin=""):
        command = [str(a) for a in argv]
        return subprocess.run([self.isobit, *command], cwd=self.folder, input=stdin, capture_output=True, text=True, errors="replace", timeout=120)

    def make(self, *argv):
        """A run that must succeed for the inputs to exist at all."""
        done = self.run(*argv)
        if done.returncode:
            raise RuntimeError(f"isobit {' '.join(map(str, argv))}: {done.stderr.strip()}")
        return done


def wrong(case, done):
    """Why the outcome is not the expected one; None if it is."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode < 0 or done.returncode > 2:
        return f"exit status {done.returncode}"
    if case.refused is not None:
        if done.returncode == 0:
            return "is accepted"
        errors = [line for line in lines if line.startswith("isobit")]
        if len(errors) != 1:
            return f"{len(errors)} lines of error"
        return f"its line does not say {case.refused}" if any(word not in errors[0] for word in case.refused) else None
    if done.returncode:
        return "is refused"
    return None if case.right(done) else "gives another result"


def rooms():
    return [p for p in sorted(HERE.iterdir()) if p.is_dir() and p.name not in ("made", "__pycache__")]


def main(isobit, source, *only):
    areas = sorted(p.stem for room in rooms() for p in room.glob("*.py"))
    for unknown in set(only) - set(areas):
        sys.exit(f"{unknown}: no area")
    passed = failed = 0
    for area in areas:
        if only and area not in only:
            continue
        with tempfile.TemporaryDirectory(prefix=f"isobit-odd-{area}-") as folder:
            shop = Shop(folder, isobit, source)
            for case in importlib.import_module(area).cases(shop):
                done = shop.run(*case.argv, stdin=case.stdin)
                why = wrong(case, done)
                passed, failed = passed + (why is None), failed + (why is not None)
                if why:
                    print(f"FAILED: {area}: {case.name}: {why}\n    isobit {' '.join(map(str, case.argv))}")
                    print("".join(f"    {line}\n" for line in (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]), end="")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.path[:0] = [str(p) for p in (HERE, *rooms())]
    sys.modules["odd"] = sys.modules["__main__"]
    sys.exit(main(*sys.argv[1:]))
