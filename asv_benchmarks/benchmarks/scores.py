"""Rows of logits: log-probabilities of chosen and of the largest elements, losses and gradients."""

import numpy as np
import scipy.special

import lsecy

from .common import normal


def _of_scipy(x, ids):
    """Return the whole log_softmax's elements at these ids, as NumPy and SciPy have them."""
    return np.take_along_axis(scipy.special.log_softmax(x, axis=-1), ids[:, None], -1)


class Tokens:
    """Does one element of a row cost what the row's sum costs?"""

    param_names = ["library", "dtype", "shape", "ids"]
    params = [
        ["lsecy", "scipy"],
        ["float16", "float32", "float64"],
        ["8x128256", "1000x1000", "250000x4"],
        ["random", "likely"],
    ]

    def setup(self, library, dtype, shape, ids):
        self.call = {"lsecy": lsecy.token_logprobs, "scipy": _of_scipy}[library]
        self.x = normal(shape, dtype)
        random = np.random.default_rng(2).integers(0, self.x.shape[1], len(self.x))
        self.ids = random if ids == "random" else self.x.argmax(axis=1)
        self.x[np.arange(len(self.x)), self.ids] += 0 if ids == "random" else 12
        self.call(self.x, self.ids)

    def time_call(self, *_):
        self.call(self.x, self.ids)

    def peakmem_call(self, *_):
        self.call(self.x, self.ids)


class Scores:
    """What do the other numbers about a row cost beside its sum?"""

    param_names = ["library", "function", "dtype", "shape"]
    params = [
        ["lsecy"],
        ["logsumexp", "rank", "topk", "entropy", "kl", "loss", "smoothed loss", "loss and gradient"],
        ["float32", "float64"],
        ["8x128256", "1000x1000", "54000x10"],
    ]

    def setup(self, library, function, dtype, shape):
        x = normal(shape, dtype)
        ids = np.random.default_rng(2).integers(0, x.shape[1], len(x))
        self.call = {
            "logsumexp": lambda: lsecy.logsumexp(x, axis=-1),
            "rank": lambda: lsecy.token_logprobs(x, ids, return_rank=True),
            "topk": lambda: lsecy.topk_logprobs(x, min(20, x.shape[1])),
            "entropy": lambda: lsecy.entropy(x),
            "kl": lambda: lsecy.kl_divergence(x, x[::-1]),
            "loss": lambda: lsecy.cross_entropy(x, ids),
            "smoothed loss": lambda: lsecy.cross_entropy(x, ids, label_smoothing=0.1),
            "loss and gradient": lambda: lsecy.cross_entropy_grad(x, ids, return_loss=True),
        }[function]
        self.call()

    def time_call(self, *_):
        self.call()
