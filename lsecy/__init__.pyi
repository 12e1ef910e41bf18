from lsecy import _drivers as _drivers
from lsecy import _threads as _threads
from lsecy._config import __version__, show_config
from lsecy._losses import cross_entropy, cross_entropy_grad, logsumexp_grad, perplexity
from lsecy._maps import log_softmax, softmax
from lsecy._reductions import logmeanexp, logsumexp
from lsecy._scores import entropy, kl_divergence, token_logprobs, topk_logprobs
from lsecy._threads import get_num_threads, set_num_threads, threads
from lsecy._ufuncs import log1mexp, log1pexp, logaddexp, logsubexp, signed_logsubexp

__all__ = [
    "__version__",
    "cross_entropy",
    "cross_entropy_grad",
    "entropy",
    "get_num_threads",
    "kl_divergence",
    "log1mexp",
    "log1pexp",
    "log_softmax",
    "logaddexp",
    "logmeanexp",
    "logsubexp",
    "logsumexp",
    "logsumexp_grad",
    "perplexity",
    "set_num_threads",
    "show_config",
    "signed_logsubexp",
    "softmax",
    "threads",
    "token_logprobs",
    "topk_logprobs",
]
