"""Log-sum-exp for NumPy arrays: fast, accurate, on the CPU.

The map of the house; calls go downhill only::

    _moments.py          logvarexp, normalize_logweights, log_ess: what takes two looks
    _states.py           LogSumExp, the state that a user holds: a class over what _reductions does with it
    _reductions.pyx      logsumexp, logmeanexp: signature, docstring, the way down
    _maps.pyx            softmax, log_softmax, logcumsumexp
    _ufuncs.pyx          logaddexp and its kin, NumPy ufuncs: loops straight over kernels/pairs.pyx
      |-> _arguments.pyx     what is asked: arrays, dtype, axis, weights -> normal form; every user error
      `-> _drivers.pyx       how the work is shared out: blocks, threads, order of merging
            |-> _threads.pyx     the one door to OpenMP
            `-> kernels/         arithmetic: one text, compiled per instruction set and element type
    _plain.py            what the kernels do not do: complex and longdouble, in plain NumPy
    _config.py           which kernels this machine runs; show_config
    __main__.py          the command ``lsecy``
"""

try:
    from lsecy import _threads
except ImportError as error:
    raise ImportError(
        "lsecy: the compiled modules are missing; this is probably the source folder. "
        "Run `pip install .` there and start Python in another folder, "
        "or `pip install --no-build-isolation -e .` to work on the source"
    ) from error

from lsecy._config import __version__, show_config
from lsecy._maps import log_softmax, logcumsumexp, softmax
from lsecy._moments import log_ess, logvarexp, normalize_logweights
from lsecy._reductions import logmeanexp, logsumexp
from lsecy._states import LogSumExp
from lsecy._threads import get_num_threads, set_num_threads, threads
from lsecy._ufuncs import log1mexp, log1pexp, logaddexp, logsubexp, signed_logsubexp

__all__ = [
    "LogSumExp",
    "__version__",
    "get_num_threads",
    "log1mexp",
    "log1pexp",
    "log_ess",
    "log_softmax",
    "logaddexp",
    "logcumsumexp",
    "logmeanexp",
    "logsubexp",
    "logsumexp",
    "logvarexp",
    "normalize_logweights",
    "set_num_threads",
    "show_config",
    "signed_logsubexp",
    "softmax",
    "threads",
]

del _threads
