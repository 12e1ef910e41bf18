"""Counts the instructions of kernels and of small calls, and compares them with tools/instructions.json.

    python tools/instructions.py             # fails where there are more than expected
    python tools/instructions.py --update    # writes what is expected anew

A time depends on the machine and its mood; a count depends on the build.  callgrind (part of valgrind)
counts on an emulated processor, which has AVX2 and no AVX-512 wherever it runs.  Each statement is timed
n times and then 2n times, and the difference of the two counts is that of n calls: the start of the
interpreter and the frame around the loop are in both.

A kernel's count depends on the compiler of the installed library, that of a call on Cython, Python and NumPy
as well.  Where these are others than those that the file names, there is nothing to compare with: the counts
are printed and nothing fails.  A count is no time: dearer instructions can be fewer, and a missed cache is none.
"""

import argparse
import gc
import importlib
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import timeit
from pathlib import Path

import numpy as np

import lsecy
from lsecy import _config

FILE = Path(__file__).with_suffix(".json")
ISAS = ["avx2", "sse2"]
DTYPES = ["float32", "float64"]
# By how much a count may grow.  The same build repeats those of kernels to 0.5 % and those of calls to 2 %, on any
# machine: addresses decide what is aligned and what malloc finds.
ALLOWANCE = 0.05
MARK = "getppid"  # a function that nobody else calls: callgrind closes its account whenever it is entered

KERNELS = [  # statement, shape of a
    ("logsumexp(a)", (100_000,)),
    ("logsumexp(a, b=b)", (100_000,)),
    ("logsumexp(a, where=kept)", (100_000,)),
    ("logsumexp(a, axis=0)", (300, 300)),
    ("logsumexp(a, axis=1)", (20_000, 4)),
    ("logsumexp(a, axis=1)", (5_000, 16)),
    ("softmax(a, axis=1)", (100, 1000)),
    ("softmax(a, axis=1, b=b)", (100, 1000)),
    ("softmax(a, axis=0, b=b)", (1000, 64)),
    ("softmax(a, axis=1, where=kept)", (100, 1000)),
    ("softmax(a, axis=0, where=kept)", (1000, 64)),
    ("log_softmax(a, axis=1)", (100, 1000)),
    ("softmax(a, axis=1, scale=0.7)", (1000, 10)),
    ("log_softmax(a, axis=1, scale=0.7)", (1000, 10)),
    ("log_softmax(a, axis=1, where=kept)", (2000, 4)),
    ("logcumsumexp(a, axis=1)", (100, 300)),
    ("logcumsumexp(a, axis=1, b=b)", (1000, 20)),
]
CALLS = [
    ("logsumexp(a)", (10,)),
    ("logsumexp(a, axis=-1)", (10,)),
    ("logsumexp(a, keepdims=True)", (10,)),
    ("logsumexp(a, b=b)", (10,)),
    ("logsumexp(a, axis=-1)", (10, 4)),
    ("logsumexp([0.5, 1.5])", (0,)),
    ("softmax(a)", (10,)),
    ("log_softmax(a)", (10,)),
]


def cases():
    """Yield what is counted, in order: unit, name, instruction set, dtype, statement, shape, calls."""
    for isa in ISAS:
        for statement, shape in KERNELS:
            for dtype in DTYPES:
                lengths = " x ".join(map(str, shape))
                yield "per element", f"{statement} of {lengths}, {dtype}", isa, dtype, statement, shape, 1
    for statement, shape in CALLS:
        lengths = " x ".join(map(str, shape))
        name = f"{statement} of {lengths}" if shape[0] else statement
        yield "per call", name, ISAS[0], "float64", statement, shape, 500


def run_marked():
    """Run every case under callgrind, with a mark before, between and behind the two counts."""
    lsecy.set_num_threads(1)
    gc.disable()  # a collection would fall into one of the two counts
    for _, _, isa, dtype, statement, shape, calls in cases():
        _config.set_isa(isa)
        rng = np.random.default_rng(0)
        names = {name: getattr(lsecy, name) for name in lsecy.__all__}
        names["a"] = rng.normal(scale=3.0, size=shape).astype(dtype)
        names["b"] = rng.uniform(size=shape).astype(dtype)
        names["kept"] = names["b"] > 0.25
        timer = timeit.Timer(statement, globals=names)
        timer.timeit(calls)
        os.getppid()
        timer.timeit(calls)
        os.getppid()
        timer.timeit(2 * calls)
        os.getppid()


def count():
    """Return ``{unit: {name: {isa: instructions}}}``, counted in a process of its own."""
    environment = {name: text for name, text in os.environ.items() if name != "LSECY_ISA"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    # callgrind counts every byte of a `rep stos` as an instruction: glibc shall clear memory by other means.
    environment["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-ERMS,-FSRM"
    with tempfile.TemporaryDirectory() as folder:
        counting = ["valgrind", "--tool=callgrind", f"--dump-before={MARK}"]
        counting += [f"--callgrind-out-file={folder}/part", sys.executable, __file__, "--run-marked"]
        done = subprocess.run(counting, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{done.stderr}\ncallgrind ended with {done.returncode}")
        parts = sorted(Path(folder).glob("part.*"), key=lambda path: int(path.suffix[1:]))
        sums = [int(re.search(r"^summary: (\d+)", path.read_text(), re.MULTILINE)[1]) for path in parts]
    counts = {}
    for k, (unit, name, isa, _, _, shape, calls) in enumerate(cases()):
        once, twice = sums[3 * k + 1 : 3 * k + 3]
        per, digits = (math.prod(shape), 3) if unit == "per element" else (calls, 1)
        counts.setdefault(unit, {}).setdefault(name, {})[isa] = round((twice - once) / per, digits)
    return counts


def made_with():
    """Return what the counts depend on; the library itself says what built it."""
    kernels = Path(importlib.import_module(f"lsecy.kernels.{ISAS[0]}_float32").__file__).read_bytes()
    compiler = re.search(rb"(?:GCC: |clang version )[ -~]+", kernels)
    cython = re.search(rb"_cython_(\d+)_(\d+)", kernels)
    return {
        "compiler": compiler[0].decode() if compiler else "unknown",
        "Cython": b".".join(cython.groups()).decode() if cython else "unknown",
        "Python": f"{platform.python_version().rpartition('.')[0]}, {platform.python_compiler()}",
        "NumPy": np.__version__.rpartition(".")[0],
    }


def compare(counts, made, expected):
    """Print the counts beside what is expected, and return whether none is too high."""
    passed = True
    for unit, names in counts.items():
        print(f"\n{f'instructions {unit}':58}{'expected':>12}{'now':>12}{'change':>9}")
        relevant = ["compiler"] if unit == "per element" else list(made)
        others = {what: made[what] for what in relevant if made[what] != expected["made with"].get(what)}
        for name, isas in names.items():
            for isa, now in isas.items():
                before = expected.get(unit, {}).get(name, {}).get(isa)
                change = now / before - 1 if before else 0.0
                verdict = ""
                if not others and not before:
                    verdict, passed = "  not in the file", False
                elif not others and change > ALLOWANCE:
                    verdict, passed = "  TOO MANY", False
                elif not others and change < -ALLOWANCE:
                    verdict = "  fewer: --update"
                print(f"{name:52}{isa:6}{before or '-':>12}{now:>12}{change:+9.1%}{verdict}")
        for what, seen in others.items():
            print(f"Not compared: {what} is {seen!r}, the file's {expected['made with'].get(what)!r}.")
    return passed


def main():
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--update", action="store_true", help="write tools/instructions.json anew")
    parser.add_argument("--run-marked", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run_marked:
        return run_marked()
    if platform.machine() not in ("x86_64", "AMD64"):
        return print("The counts are those of x86-64 processors; there is nothing to compare with here.")
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    counts, made = count(), made_with()
    expected = json.loads(FILE.read_text()) if FILE.exists() else {"made with": made}
    passed = compare(counts, made, expected)
    if options.update:
        FILE.write_text(json.dumps({"made with": made, **counts}, indent=1) + "\n")
        print(f"\nwritten: {FILE}")
    elif not passed:
        sys.exit("\nMore than expected; if they are worth it: python tools/instructions.py --update")
    return None


if __name__ == "__main__":
    main()
