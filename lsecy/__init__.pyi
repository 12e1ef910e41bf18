from lsecy import _drivers as _drivers
from lsecy import _threads as _threads
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
