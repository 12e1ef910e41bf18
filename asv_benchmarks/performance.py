"""Times lsecy, its peers and the roofline from ten numbers to 100 million, and draws docs/performance.

    python asv_benchmarks/performance.py            # measures, writes times.json, draws: some minutes
    python asv_benchmarks/performance.py --quick    # fewer sizes and turns, to see that it works
    python asv_benchmarks/performance.py --draw     # draws what times.json holds

Every library runs in a process of its own, because two OpenMP runtimes in one process slow each other down,
and on as many processors as it shall have threads.  The processes take turns, so that the machine's drift
falls on all of them alike, and the best turn counts.  A library that is not installed is left out.
"""

import argparse
import ctypes
import importlib
import json
import multiprocessing
import os
import platform
import subprocess
import tempfile
import time
import timeit
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
FLAGS = "-O3 -march=native -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp -shared -fPIC"
FUNCTIONS = ["logsumexp", "softmax", "log_softmax"]
DTYPES = ["float32", "float64"]
THREADS = [1, 2]
SIZES = [10**k for k in range(1, 9)]
BEYOND_CACHE = 100_000  # smaller arrays are near: reading them costs little beside an exponential
SHORTEST, LONGEST = 0.01, 2.0  # seconds of one turn, and of all turns of one library in one case
PAUSE = 0.02  # seconds before a turn of several threads: those of the last one spin for a while

STYLES = {  # colours of Okabe and Ito, which most eyes tell apart
    "SciPy": {"color": "#0072B2", "marker": "s"},
    "NumPy": {"color": "#56B4E9", "marker": "v"},
    "torch": {"color": "#CC79A7", "marker": "D"},
    "JAX": {"color": "#009E73", "marker": "^"},
    "lsecy": {"color": "#D55E00", "marker": "o", "linewidth": 2.6, "markersize": 6},
    "roofline": {"color": "#000000", "linestyle": "--", "linewidth": 1.2},
}


# --- contestants: the timed statement, and the names in it --------------------------------------------------


def lsecy(function, x):
    return "f(x)", {"f": getattr(importlib.import_module("lsecy"), function), "x": x}


def scipy(function, x):
    return "f(x)", {"f": getattr(importlib.import_module("scipy.special"), function), "x": x}


def numpy(function, x):
    def logsumexp(x):
        shift = x.max()
        return np.log(np.exp(x - shift).sum()) + shift

    def softmax(x):
        terms = np.exp(x - x.max())
        return terms / terms.sum()

    def log_softmax(x):
        shifted = x - x.max()
        return shifted - np.log(np.exp(shifted).sum())

    return "f(x)", {"f": {f.__name__: f for f in (logsumexp, softmax, log_softmax)}[function], "x": x}


def torch(function, x):
    torch = importlib.import_module("torch")
    return "f(x, 0)", {"f": getattr(torch, function), "x": torch.from_numpy(x)}


def jax(function, x):
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return "f(x).block_until_ready()", {"f": jax.jit(getattr(jax.nn, function)), "x": jax.numpy.asarray(x)}


CONTESTANTS = {"lsecy": lsecy, "SciPy": scipy, "NumPy": numpy, "torch": torch, "JAX": jax}
ONE_THREAD = ["SciPy", "NumPy"]  # whatever they are offered


class Roofline:
    """A contestant that answers with the least time in which any code could end."""

    def __init__(self, threads):
        self.threads = threads
        self.libraries, self.peaks = {}, dict.fromkeys(DTYPES, 0.0)
        for dtype, real in zip(DTYPES, ["float", "double"], strict=True):
            with tempfile.TemporaryDirectory() as folder:
                target = f"{folder}/roofline.so"
                command = [os.environ.get("CC", "gcc"), *FLAGS.split(), f"-DREAL={real}"]
                subprocess.run([*command, str(HERE / "roofline.c"), "-o", target, "-lm"], check=True)
                self.libraries[dtype] = ctypes.CDLL(target)
            for name in ("peak", "read", "copy"):
                getattr(self.libraries[dtype], name).restype = ctypes.c_double

    def seconds(self, function, x):
        """Return the larger of the times that the exponentials and that the memory need."""
        dtype = x.dtype.name
        library = self.libraries[dtype]
        rate = self.peaks[dtype] = max(self.peaks[dtype], library.peak(self.threads))
        if x.size >= BEYOND_CACHE:
            source, n = ctypes.c_void_p(x.ctypes.data), ctypes.c_ssize_t(x.size)
            repeats = max(2, min(50, 10_000_000 // x.size))
            if function == "logsumexp":
                rate = min(rate, library.read(source, n, self.threads, repeats))
            else:
                y = np.ones_like(x)  # memory that is there
                target = ctypes.c_void_p(y.ctypes.data)
                rate = min(rate, library.copy(source, target, n, self.threads, repeats))
        return x.size / rate


def serve(name, threads, pipe):
    """Serve one contestant: told a case, prepare it; told to run, answer with the seconds of one call."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    kind, x, run = None, None, None
    roofline = Roofline(threads) if name == "roofline" else None
    while (message := pipe.recv()) != "stop":
        if message == "run":
            pipe.send(run())
            continue
        function, *wanted = message
        if kind != wanted:
            kind, x, run = wanted, None, None
            dtype, n = wanted
            x = np.resize(np.random.default_rng(0).standard_normal(min(n, 1_000_000), dtype=dtype), n)
        if roofline:
            run = lambda: roofline.seconds(function, x)  # noqa: B023, E731
        else:
            try:
                statement, names = CONTESTANTS[name](function, x)
            except ImportError:
                pipe.send(False)
                continue
            timer = timeit.Timer(statement, globals=names)
            timer.timeit(1)
            loops = max(1, round(SHORTEST / max(min(timer.repeat(3, 1)), 1e-7)))
            run = lambda: timer.timeit(loops) / loops  # noqa: B023, E731
        pipe.send(True)


# --- measuring ----------------------------------------------------------------------------------------------


def race(pipes, turns, pause, *case):
    """Return the best time of every contestant that takes part, by name."""
    runners = []
    for name, pipe in pipes.items():  # one after the other: none shall prepare itself beside another
        pipe.send(case)
        if pipe.recv():
            runners.append(name)
    best, spent = dict.fromkeys(runners, np.inf), dict.fromkeys(runners, 0.0)
    for turn in range(turns):
        for name in runners:
            if turn > 1 and spent[name] > LONGEST:
                continue
            time.sleep(pause)
            start = time.perf_counter()
            pipes[name].send("run")
            best[name] = min(best[name], pipes[name].recv())
            spent[name] += time.perf_counter() - start
    return best


def measure(quick):
    """Return the machine and the times, as times.json holds them."""
    sizes = SIZES[:6:2] if quick else SIZES
    try:  # every contestant has the array, JAX twice, and one at a time has its temporaries
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        free = 2**32
    sizes = [n for n in sizes if 14 * 8 * n < free]
    context = multiprocessing.get_context("spawn")
    times = {}
    for threads in THREADS:
        pipes, processes = {}, []
        for name in ["roofline", *CONTESTANTS]:
            if threads == THREADS[0] or name not in ONE_THREAD:
                pipes[name], theirs = context.Pipe()
                processes.append(context.Process(target=serve, args=(name, threads, theirs), daemon=True))
                processes[-1].start()
        for dtype in DTYPES:
            for n in sizes:
                for function in FUNCTIONS:
                    best = race(pipes, 2 if quick else 8, PAUSE * (threads > 1), function, dtype, n)
                    for name, seconds in best.items():
                        series = times.setdefault((function, dtype, threads, name), {})
                        series[n] = float(f"{seconds:.4g}")
                print(f"{threads} thread{'s' * (threads > 1)}, {dtype}, {n:,} numbers", flush=True)
        for pipe in pipes.values():
            pipe.send("stop")
        for process in processes:
            process.join()
        for function, dtype, _, name in [key for key in times if key[3] in ONE_THREAD]:
            times.setdefault((function, dtype, threads, name), times[function, dtype, THREADS[0], name])
    keys = ("function", "dtype", "threads", "library", "seconds")
    rows = [dict(zip(keys, (*key, series), strict=True)) for key, series in times.items()]
    return {"machine": machine(), "times": rows}


def machine():
    """Return what the times depend on: processor, instruction set, compiler, versions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    facts = importlib.import_module("lsecy").show_config(mode="dicts")
    found = {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "system": f"{platform.system()}, {platform.machine()}",
        "instruction set": facts["isa"],
        "Python": platform.python_version(),
    }
    for name in ("lsecy", "NumPy", "SciPy", "torch", "JAX"):
        try:
            found[name] = version(name.lower())
        except PackageNotFoundError:
            continue
    return found


def write(path, measured):
    """Write JSON with one series of times per line."""
    rows = ",\n".join(f"  {json.dumps(row)}" for row in measured["times"])
    path.write_text(f'{{\n "machine": {json.dumps(measured["machine"])},\n "times": [\n{rows}\n ]\n}}\n')


# --- drawing ------------------------------------------------------------------------------------------------


def spread(places, gap):
    """Return the places moved apart until neighbours are `gap` from each other."""
    names = sorted(places, key=places.get)
    moved = [places[name] for name in names]
    for _ in range(100):
        for k in range(len(moved) - 1):
            lack = max(0, gap - (moved[k + 1] - moved[k])) / 2
            moved[k], moved[k + 1] = moved[k] - lack, moved[k + 1] + lack
    return dict(zip(names, moved, strict=True))


def draw_panel(axes, series, low, high):
    """Draw nanoseconds per element against size, and name each line where it ends."""
    ends = {}
    for name, style in STYLES.items():
        if name in series:
            n = np.array(list(series[name]), float)
            each = np.array(list(series[name].values())) / n * 1e9
            axes.loglog(n, each, **{"linewidth": 1.4, "markersize": 4, **style})
            ends[name] = np.log10(each[-1])
    last = max(max(values) for values in series.values())
    for name, place in spread(ends, 0.052 * np.log10(high / low)).items():
        axes.annotate(
            name,
            xy=(last, 10 ** ends[name]),
            xytext=(last * 3, 10**place),
            color=STYLES[name]["color"],
            va="center",
            fontweight="bold" if name == "lsecy" else "normal",
            arrowprops={
                "arrowstyle": "-",
                "color": STYLES[name]["color"],
                "linewidth": 0.5,
                "relpos": (0, 0.5),
                "shrinkB": 3,
            },
        )
    axes.set_ylim(low, high)
    axes.minorticks_off()
    axes.grid(True, color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


def draw(measured, folder):
    """Draw one figure per function: dtypes from top to bottom, threads from left to right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "lsecy", "svg.fonttype": "none", "font.size": 9, "axes.titlesize": 10}
    figures = {}
    for row in measured["times"]:
        seconds = {int(n): value for n, value in row["seconds"].items()}
        panels = figures.setdefault(row["function"], {})
        panels.setdefault((row["dtype"], row["threads"]), {})[row["library"]] = seconds
    for function, panels in figures.items():
        lines = [line for series in panels.values() for line in series.values()]
        each = [seconds / n * 1e9 for line in lines for n, seconds in line.items()]
        low, high = min(each) / 1.6, max(each) * 1.6
        figure, grid = plt.subplots(len(DTYPES), len(THREADS), figsize=(9.5, 8), sharex=True, sharey=True)
        for i, dtype in enumerate(DTYPES):
            for j, threads in enumerate(THREADS):
                draw_panel(grid[i, j], panels[dtype, threads], low, high)
                grid[i, j].set_title(f"{dtype}, {threads} thread{'s' * (threads > 1)}", loc="left")
            grid[i, 0].set_ylabel("nanoseconds per element")
        for axes in grid[-1]:
            axes.set_xlabel("elements")
        figure.suptitle(f"{function} of one row: time per element", x=0.01, ha="left", fontsize=12)
        where = f"{measured['machine']['processor']}, {measured['machine']['instruction set']}"
        figure.text(0.99, 0.972, where, ha="right", va="top", color="0.4")
        figure.tight_layout(w_pad=2)
        figure.savefig(folder / f"{function}.svg", metadata={"Date": None})
        plt.close(figure)


def main():
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--quick", action="store_true", help="measure fewer sizes, in fewer turns")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--folder", type=Path, default=HERE.parent / "docs/performance", help="of times.json")
    options = parser.parse_args()
    times = options.folder / "times.json"
    if not options.draw:
        options.folder.mkdir(parents=True, exist_ok=True)
        write(times, measure(options.quick))
    draw(json.loads(times.read_text()), options.folder)


if __name__ == "__main__":
    main()
