from lsecy import _drivers as _drivers
from lsecy import _threads as _threads
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
