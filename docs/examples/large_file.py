"""The log-sum-exp of a file that does not fit into memory, in the memory of one chunk.

The file is mapped a chunk at a time and fed to a LogSumExp; a bar shows how far it has come.
Chunks are whole blocks, so the result has the very bits of one call on everything.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.special

import lsecy


def write(path, size, chunk):
    """Write `size` normal numbers, a chunk at a time."""
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        for start in range(0, size, chunk):
            rng.normal(-5, 3, min(chunk, size - start)).tofile(file)


def chunks(path, chunk, bar=None):
    """Yield a file of float64 a chunk at a time; each is mapped only as long as it is looked at."""
    size = os.path.getsize(path) // 8
    for start in range(0, size, chunk):
        yield np.memmap(path, np.float64, "r", 8 * start, (min(chunk, size - start),))
        if bar is not None:
            bar(min(1, (start + chunk) / size))


def show(share):
    """Draw a progress bar on one line."""
    done = round(40 * share)
    sys.stderr.write(f"\r[{'#' * done}{'.' * (40 - done)}] {share:4.0%}" + ("\n" if share == 1 else ""))
    sys.stderr.flush()


def peak():
    """Return the largest memory that this process has had, in bytes; 0 where the system does not say."""
    try:
        with open("/proc/self/status") as status:
            return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def main():
    """Write a file, reduce it, check against SciPy and against one call, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=256, help="size of the file")
    parser.add_argument("--chunk", type=int, default=8, help="megabytes of a chunk")
    parser.add_argument("--folder", help="where the file is written (and removed)")
    options = parser.parse_args()
    size, chunk = (megabytes * 2**17 for megabytes in (options.megabytes, options.chunk))

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "numbers"
        write(path, size, chunk)
        before, start = peak(), time.perf_counter()
        state = lsecy.LogSumExp()
        for piece in chunks(path, chunk, show):
            state.update(piece)
        seconds, memory = time.perf_counter() - start, peak() - before
        print(f"log-sum-exp of {size} numbers: {state.result():.15g}, of their mean: {state.mean():.15g}")
        print(f"peak memory above the start: {memory / 2**20:.1f} MB, the file has {options.megabytes} MB")

        start = time.perf_counter()
        parts = [scipy.special.logsumexp(piece) for piece in chunks(path, chunk)]
        scipy_seconds = time.perf_counter() - start
        np.testing.assert_allclose(state.result(), scipy.special.logsumexp(parts), rtol=1e-12)
        whole = np.memmap(path, np.float64, "r")
        assert lsecy.logsumexp(whole) == state.result()
        print("agrees with SciPy, and has the bits of one call on the whole file")
        print(f"with lsecy: {1e3 * seconds:8.1f} ms, the bar included")
        print(f"with scipy: {1e3 * scipy_seconds:8.1f} ms")
        del whole


if __name__ == "__main__":
    main()
