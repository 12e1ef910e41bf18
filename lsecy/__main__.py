"""The command ``lsecy``: what this build runs on, how fast it is here, and how many digits it keeps."""

import argparse
import time
import warnings

import numpy as np

import lsecy

# name, dtype, shape, axis, weighted
CASES = [
    ("10", "float64", (10,), None, False),
    ("10, weights", "float64", (10,), None, True),
    ("1,000,000", "float32", (1_000_000,), None, False),
    ("1,000,000", "float64", (1_000_000,), None, False),
    ("1000 x 1000, axis -1", "float32", (1000, 1000), -1, False),
    ("1000 x 1000, axis -1", "float64", (1000, 1000), -1, False),
    ("1000 x 1000, axis 0", "float32", (1000, 1000), 0, False),
    ("1000 x 1000, axis 0", "float64", (1000, 1000), 0, False),
    ("1,000,000 x 4, axis -1", "float32", (1_000_000, 4), -1, False),
    ("1,000,000 x 4, axis -1", "float64", (1_000_000, 4), -1, False),
]


def with_numpy(a, axis=None, b=None):
    """The textbook way: subtract the largest, exponentiate, sum, take the logarithm, add it back."""
    shift = a.max(axis=axis, keepdims=True)
    terms = np.exp(a - shift)
    if b is not None:
        terms *= b
    return np.log(terms.sum(axis=axis)) + shift.squeeze(axis)


def contenders():
    """Return the functions to compare, by name."""
    found = {"lsecy": lsecy.logsumexp, "numpy": with_numpy}
    try:
        from scipy.special import logsumexp
    except ImportError:
        return found
    return found | {"scipy": logsumexp}


def best_time(call, seconds):
    """Return the shortest time per call, from repeats that last about `seconds` in all."""
    call()
    start = time.perf_counter()
    call()
    once = max(time.perf_counter() - start, 1e-7)
    loops = max(1, int(seconds / 10 / once))
    best = np.inf
    end = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        for _ in range(loops):
            call()
        stop = time.perf_counter()
        best = min(best, (stop - start) / loops)
        if stop > end:
            return best


def rows_to_check(a, axis, most=200):
    """Return up to `most` reduced rows of `a`, spread over it, as a 2-d array, and their places."""
    rows = a.reshape(1, -1) if axis is None else np.moveaxis(a, axis, -1)
    places = np.unique(np.linspace(0, len(rows) - 1, most).astype(int))
    return rows[places], places


def reference(rows, b=None):
    """Return log-sum-exp of each row in extended precision (where this platform has it)."""
    rows = rows.astype(np.longdouble)
    shift = rows.max(axis=-1, keepdims=True)
    terms = np.exp(rows - shift)
    if b is not None:
        terms *= b
    return np.log(terms.sum(axis=-1)) + shift[..., 0]


def error_in_ulp(result, exact):
    """Return the largest distance, counted in units in the last place of the exact result."""
    ulp = np.spacing(np.abs(exact.astype(result.dtype))).astype(np.longdouble)
    return float(np.max(np.abs(result - exact) / ulp))


def readable(seconds):
    """Return a time with three digits and its unit."""
    for unit, size in [("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3)]:
        if seconds < 999.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(cases, seconds):
    """Yield the lines of the table, one per case as it is measured."""
    functions = contenders()
    heads = [f"{name:>10} {'error':>7}" for name in functions]
    yield f"{'shape':<24}{'dtype':<9}" + "".join(heads)
    rng = np.random.default_rng(0)
    for name, dtype, shape, axis, weighted in cases:
        a = rng.normal(scale=3, size=shape).astype(dtype)
        b = rng.uniform(size=shape).astype(dtype) if weighted else None
        options = {} if b is None else {"b": b}
        rows, places = rows_to_check(a, axis)
        exact = reference(rows, b)
        line = f"{name:<24}{dtype:<9}"
        for function in functions.values():
            result = np.atleast_1d(function(a, axis=axis, **options))[places]
            taken = best_time(lambda: function(a, axis=axis, **options), seconds)  # noqa: B023
            line += f"{readable(taken):>10} {error_in_ulp(result, exact):>7.2f}"
        yield line


def main(arguments=None):
    """Print the configuration and the table."""
    parser = argparse.ArgumentParser(prog="lsecy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure for a few seconds only")
    parser.add_argument("--version", action="version", version=f"lsecy {lsecy.__version__}")
    quick = parser.parse_args(arguments).quick
    lsecy.show_config()
    print("\nTime per call (best of a few), error in units in the last place (0.5 is correctly rounded):\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for line in table(CASES, seconds=0.03 if quick else 0.4):
            print(line, flush=True)
    if lsecy.get_num_threads() > 1:
        print(
            "\nThreads wait for each other: if other processes keep the cores busy, long calls may be"
            "\nquicker with OMP_WAIT_POLICY=passive, or with OMP_NUM_THREADS=1, in the environment."
        )


if __name__ == "__main__":
    main()
