"""Which kernels this machine runs, and how the library was built."""

import importlib.util
import os

from lsecy import _drivers, _threads, _ufuncs
from lsecy._version import __version__

# Best first.  meson.build has the flags of each, kernels/cpu.h the features.
_ISAS = ("avx512", "avx2", "neon", "sse2", "scalar")
_DTYPES = ("float32", "float64")
_in_use = None
_found: dict[str, bool] = {}


def _built(name):
    # What was found once is not looked for again: it takes a look at every folder of the path.
    if name not in _found:
        _found[name] = all(importlib.util.find_spec(f"lsecy.kernels.{name}_{dtype}") for dtype in _DTYPES)
    return _found[name]


def available_isas():
    """Return the names of the instruction sets built here that this machine can run, best first."""
    return [name for name in _ISAS if _built(name) and not _drivers.cpu_lacks(name)]


def isa():
    """Return the name of the instruction set in use."""
    return _in_use


def set_isa(name, label="isa"):
    """Use the kernels of instruction set `name` from now on; not safe beside running calls."""
    global _in_use
    wrong = None
    if name not in _ISAS:
        wrong = "there is no such instruction set"
    elif lacking := _drivers.cpu_lacks(name):
        wrong = f"this CPU lacks {lacking}"
    elif not _built(name):
        wrong = "it was not built"
    if wrong:
        raise RuntimeError(f"{label}={name}: {wrong}; available here: {', '.join(available_isas())}")
    for user, part in ((_drivers, ""), (_ufuncs, "pairs_")):
        modules = (importlib.import_module(f"lsecy.kernels.{name}_{part}{dtype}") for dtype in _DTYPES)
        user.use_tables(*(module.table for module in modules))
    _in_use = name


def _choose():
    forced = os.environ.get("LSECY_ISA")
    if forced:
        set_isa(forced, "LSECY_ISA")
        return
    # The first that works, without looking for the others: this runs at import.
    set_isa(next(name for name in _ISAS if not _drivers.cpu_lacks(name) and _built(name)))


def show_config(mode="stdout"):
    """
    Show how lsecy was built and what it uses on this machine.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default "stdout"
        Print the configuration, or return it as a dictionary.

    Returns
    -------
    dict or None
        With ``mode="dicts"``: "version" (str), "isa" (str, the instruction set in use), "isas"
        (list of str, those that this machine can run, best first), "openmp" (bool) and "threads"
        (int, what a large call would use now).

    Raises
    ------
    ValueError
        If `mode` is neither of the two.

    Examples
    --------
    >>> import lsecy
    >>> sorted(lsecy.show_config(mode="dicts"))
    ['isa', 'isas', 'openmp', 'threads', 'version']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"show_config: mode is {mode!r}; allowed are 'stdout' and 'dicts'")
    facts = {
        "version": __version__,
        "isa": isa(),
        "isas": available_isas(),
        "openmp": _threads.has_openmp(),
        "threads": _threads.get_num_threads(),
    }
    if mode == "dicts":
        return facts
    print(f"lsecy {facts['version']}")
    print(f"  instruction set  {facts['isa']} (available: {', '.join(facts['isas'])})")
    print(f"  OpenMP           {'yes' if facts['openmp'] else 'no'}")
    print(f"  threads          {facts['threads']}")
    return None


_choose()
