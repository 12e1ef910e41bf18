"""Log-sum-exp for NumPy arrays: fast, accurate, on the CPU.

The map of the house; calls go downhill only::

    _moments.py          logvarexp, normalize_logweights, log_ess: what takes two looks
    _states.py           LogSumExp, the state that a user holds: a class over what _reductions does with it
    _reductions.pyx      logsumexp, logmeanexp: signature, docstring, the way down
    _maps.pyx            softmax, log_softmax, logcumsumexp
    _scores.pyx          token_logprobs, topk_logprobs, entropy, kl_divergence: rows of logits
    _losses.pyx          cross_entropy, perplexity; gradients
    _ufuncs.pyx          logaddexp and its kin, NumPy ufuncs: loops straight over kernels/pairs.pyx
      |-> _arguments.pyx     what is asked: arrays, dtype, axis, weights -> normal form; every user error
      `-> _drivers.pyx       how the work is shared out: blocks, threads, order of merging;
            |                its parts _running.pxi (running sums) and _scoring.pxi (scores of rows)
            |-> _threads.pyx     the one door to OpenMP
            `-> kernels/         arithmetic: one text, compiled per instruction set and element type
    _plain.pyx           what the kernels do not do: complex and longdouble, in plain loops
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
from lsecy._losses import cross_entropy, cross_entropy_grad, logsumexp_grad, perplexity
from lsecy._maps import log_softmax, logcumsumexp, softmax
from lsecy._moments import log_ess, logvarexp, normalize_logweights
from lsecy._reductions import logmeanexp, logsumexp
from lsecy._scores import entropy, kl_divergence, token_logprobs, topk_logprobs
from lsecy._states import LogSumExp
from lsecy._threads import get_num_threads, set_num_threads, threads
from lsecy._ufuncs import log1mexp, log1pexp, logaddexp, logsubexp, signed_logsubexp

__all__ = [
    "LogSumExp",
    "__version__",
    "cross_entropy",
    "cross_entropy_grad",
    "entropy",
    "get_num_threads",
    "kl_divergence",
    "log1mexp",
    "log1pexp",
    "log_ess",
    "log_softmax",
    "logaddexp",
    "logcumsumexp",
    "logmeanexp",
    "logsubexp",
    "logsumexp",
    "logsumexp_grad",
    "logvarexp",
    "normalize_logweights",
    "perplexity",
    "set_num_threads",
    "show_config",
    "signed_logsubexp",
    "softmax",
    "threads",
    "token_logprobs",
    "topk_logprobs",
]

del _threads
