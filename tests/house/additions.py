#!/usr/bin/env python3
"""additions.py SOURCE BUILD - what CONTRIBUTING.md says an addition costs is what it costs, and the suites find it by themselves.

A copy of the tree gets an operator, a kernel, an instruction set, a kind of device, a code format and an observer by the steps of its table:
the new files are those of the second column, and outside of them only files of the third change, by one line each. Each addition
is wrong at first, and its suite must say so; then it is right, and the suites pass. Broken by: a list of names besides the tables,
a suite that does not take every row."""
import difflib, os, pathlib, platform, re, shutil, subprocess, sys, tempfile

source, build = map(pathlib.Path, sys.argv[1:3])
PROCESSOR = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm", "arm64": "arm"}.get(platform.machine().lower())

OPERATOR = """#include "autograd/op.h"

static ib_status shape(ib_node *n, ib_tensor *out)
{
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status forward(ib_graph *g, ib_node *n)
{
    K(g)->added(g->dev, ib_f32(n->in[0]), ib_f32(n->out), n->out->size);
    return IB_OK;
}

static ib_status backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->axpy(g->dev, dx, n->out->grad, n->out->size, @0.75f|0.25f@);
    return failed;
}

static ib_tensor *sample(ib_graph *g, ib_tensor **in)
{
    return IB_APPLY(g, &ib_op_added, NULL, in[0]);
}

const ib_op ib_op_added = {.name = "added",
                           .inputs = "x",
                           .n_required = 1,
                           .shape = shape,
                           .forward = forward,
                           .backward = backward,
                           .samples = (const ib_sample[]){{"2d", 1, {{2, {3, 5}, -1, 1}}, sample, 0}, {0}}};
"""
KERNEL = """#include "backends/cpu/level.h"

/* y = x / 4 */
void IB_K(added)(ib_device *dev, const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.25f * x[i];
}
"""
CASE = """#include "tests/kernels/kernel_case.h"

void case_added(void)
{
    EACH_N(n) {
        const float *x = reals(n);
        float *y = result("y", REALS, n, EXACT);
        EACH_RUN(added)
            dev->k.added(dev, x, y, n);
    }
}
"""
LEVEL = """#include "backends/cpu/level.h"

static void added(ib_device *dev, const float *x, float *y, int64_t n)
{
    IB_BELOW(added)(dev, x, y, n);
    y[n - 1] = @0.5f|0.25f@ * x[n - 1];
}

void ib_added_replace(ib_kernels *k)
{
    k->added = added;
}
"""
FORMAT = """#include "tensor/format.h"

/* five bits a code, element 0 in the lowest */
void ib_pack_added(const int8_t *codes, int64_t n, uint8_t *bytes)
{
    for (int64_t i = 0; i < (5 * n + 7) / 8; i++)
        bytes[i] = 0;
    for (int64_t i = 0; i < 5 * n; i++)
        bytes[i / 8] |= (uint8_t)((codes[i / 5] >> i % 5 & 1) << i % 8);
}

void ib_unpack_added(const uint8_t *bytes, int64_t n, int8_t *codes)
{
    for (int64_t i = 0; i < n; i++) {
        int v = 0;
        for (int b = 0; b < 5; b++)
            v |= (bytes[(5 * i + b) / 8] >> (5 * i + b) % 8 & 1) << b;
        codes[i] = (int8_t)((v ^ 16) - @8|16@);
    }
}
"""
OBSERVER = """#include "qat/observer.h"

static void observe(ib_observer *o, const float *x, int64_t n, float lo, float hi)
{
    (void)x, (void)n;
    o->lo = lo < o->lo ? lo : o->lo;
    o->hi = hi > o->hi ? hi : o->hi;
}

static void range(const ib_observer *o, const ib_quantizer *q, int symmetric, float *lo, float *hi)
{
    (void)q, (void)symmetric;
    *lo = @2|1@ * o->lo;
    *hi = @2|1@ * o->hi;
}

const ib_observer_class ib_observer_added = {"added", 1, observe, range};
"""
DEVICE = """#include <string.h>

#include "backends/kernels.h"
#include "base/alloc.h"

ib_device *ib_cpu_open(const char *variant, const char *asked);

static void scale(ib_device *dev, float *y, int64_t n, float a)
{
    (void)dev;
    for (int64_t i = 0; i < n; i++)
        y[i] *= @2.0f|1.0f@ * a;
}

ib_device *ib_added_open(const char *variant, const char *asked)
{
    (void)variant;
    ib_device *dev = ib_cpu_open("ref", asked);
    if (dev) {
        strcpy(dev->name, "added");
        dev->k.scale = scale;
    }
    return dev;
}

void ib_added_close(ib_device *dev)
{
    ib_free(dev);
}

const char *ib_added_name_at(int i)
{
    return i ? NULL : "added";
}
"""
# the row of CONTRIBUTING.md, new files, the line and where it goes, the suite that must find it wrong and then right
ADDITIONS = [
    ("a kernel", {"backends/cpu/kernels/added.c": KERNEL, "tests/kernels/cases_added.c": CASE},
     "backends/kernels.def", "KERNEL(void, added, (ib_device *dev, const float *x, float *y, int64_t n))", None),
    ("an operator", {"autograd/ops/added.c": OPERATOR}, "autograd/ops.def", "OP(added)", ["test_autograd"]),
    ("a kind of device", {"backends/added/added.c": DEVICE}, "backends/devices.def", "DEVICE(added)", ["test_kernels", "scale"]),
    ("a code format", {"tensor/packing/pack_added.c": FORMAT}, "tensor/formats.def", "FORMAT(added, 5, 15, 0.0193f)", ["test_tensor"]),
    ("an observer", {"qat/observers/added.c": OBSERVER}, "qat/observers.def", "OBSERVER(added)", ["test_observers"]),
]
if PROCESSOR:
    ADDITIONS.append(("an instruction set", {f"backends/cpu/{PROCESSOR}/added_rows.c": LEVEL}, "backends/cpu/levels.def",
                      f'LEVEL(added, {PROCESSOR}, base, base, "", 1)', ["test_kernels", "added"]))


def variant(text, right):
    return re.sub(r"@([^|@]*)\|([^@]*)@", lambda m: m.group(2 if right else 1), text)


def files_of(root):
    return {f.relative_to(root).as_posix(): f.read_bytes() for f in root.rglob("*") if f.is_file() and "build" not in f.relative_to(root).parts[0]}


def table():
    """{what: (patterns of new files, files that get a line)} of CONTRIBUTING.md."""
    rows = re.findall(r"^\| (.+?) \| (.*?) \| (.*?) \|$", (source / "CONTRIBUTING.md").read_text(), flags=re.M)
    paths = lambda text: [name for name in re.findall(r"`([^`]+)`", text) if "/" in name]
    return {what: (paths(new), paths(line)) for what, new, line in rows}


def matches(path, pattern):
    return re.fullmatch(re.sub(r"<\w+>", "[a-z0-9]+", re.escape(pattern).replace(r"\<", "<").replace(r"\>", ">").replace(r"\*", "[a-z0-9_]*")), path)


def run(*command, **more):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def fail(*what):
    print(*what)
    sys.exit(1)


def add(copy):
    """Each addition by its row, and what it changed against what the row says."""
    rows = table()
    for what, new, definitions, line, _ in ADDITIONS:
        before = files_of(copy)
        for path, text in new.items():
            (copy / path).parent.mkdir(exist_ok=True)
            (copy / path).write_text(variant(text, right=False))
        with open(copy / definitions, "a") as f:
            f.write(line + "\n")
        after = files_of(copy)
        made, changed = sorted(set(after) - set(before)), sorted(p for p in before if after[p] != before[p])
        lines = sum(l[0] in "+-" and l[:3] not in ("+++", "---") for p in changed
                    for l in difflib.unified_diff(before[p].decode().splitlines(), after[p].decode().splitlines(), lineterm="", n=0))
        if what not in rows:
            fail(f"CONTRIBUTING.md has no row '{what}'")
        patterns, touched = rows[what]
        if changed != touched or lines != len(touched):
            fail(f"{what}: {lines} line(s) of {changed} changed, CONTRIBUTING.md names {touched}")
        if any(not any(matches(p, q) for q in patterns) for p in made) or any(not any(matches(p, q) for p in made) for q in patterns):
            fail(f"{what}: {made} are new, CONTRIBUTING.md names {patterns}")
        print(f"{what}: {len(made)} new file(s), {lines} line in {', '.join(changed)}", flush=True)


def cached(name):
    m = re.search(rf"^{name}:\w+=(.+)$", (build / "CMakeCache.txt").read_text(), flags=re.M)
    return [f"-D{name}={m.group(1)}"] if m else []


def main(copy, environment):
    tracked = run("git", "-C", source, "ls-files") if shutil.which("git") else None
    names = tracked.stdout.split("\n") if tracked and tracked.returncode == 0 and tracked.stdout else list(files_of(source))
    for name in names:
        if name and (source / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, copy / name)
    add(copy)
    suites = sorted({test[0] for *_, test in ADDITIONS if test})
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    result = run("cmake", "-S", copy, "-B", copy / "build", *generator, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O0", "-DISOBIT_EXAMPLES=OFF",
                 *cached("CMAKE_C_COMPILER"), *cached("OPENBLAS_LIBRARY"), *cached("CBLAS_INCLUDE"), env=environment)
    if result.returncode:
        fail(result.stdout)

    def compile():
        result = run("cmake", "--build", copy / "build", "-j", os.cpu_count() or 2, "--target", *suites, env=environment)
        if result.returncode:
            fail(result.stdout[-4000:])

    compile()
    for what, *_, test in ADDITIONS:
        if test:
            result = run(copy / "build/tests" / test[0], *test[1:], env=environment)
            if result.returncode <= 0 or "added" not in result.stdout: # below 0: a signal
                fail(f"{what} that is wrong passes {' '.join(test)}:\n{result.stdout[-2000:]}")
    for what, new, *_ in ADDITIONS:
        for path, text in new.items():
            if variant(text, True) != variant(text, False):
                (copy / path).write_text(variant(text, right=True))
    compile()
    for what, *_, test in ADDITIONS:
        if test:
            result = run(copy / "build/tests" / test[0], *test[1:], env=environment)
            if result.returncode:
                fail(f"{what} fails {' '.join(test)}:\n{result.stdout[-2000:]}")


with tempfile.TemporaryDirectory(prefix="isobit-additions-") as folder:
    environment = dict(os.environ, OMP_WAIT_POLICY="passive")
    if shutil.which("ccache"):
        environment.update(CMAKE_C_COMPILER_LAUNCHER="ccache", CCACHE_BASEDIR=folder, CCACHE_NOHASHDIR="1")
    main(pathlib.Path(folder), environment)
