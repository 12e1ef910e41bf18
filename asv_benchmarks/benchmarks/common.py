"""What every benchmark shares: the contenders and arrays that are the same in every run."""

import numpy as np
import scipy.special

import lsecy

LIBRARIES = {"lsecy": lsecy, "scipy": scipy.special}
CONTENDERS = {name: library.logsumexp for name, library in LIBRARIES.items()}
DTYPES = ["float32", "float64"]


def shape_of(text):
    """Return the shape that a readable parameter such as ``"1000x4"`` stands for."""
    return tuple(int(float(length)) for length in text.split("x"))


def normal(text, dtype, scale=3.0):
    """Return seeded normal numbers in an array whose memory has been touched."""
    return np.random.default_rng(0).normal(scale=scale, size=shape_of(text)).astype(dtype)


def uniform(text, dtype):
    """Return seeded weights between 0 and 1."""
    return np.random.default_rng(1).uniform(size=shape_of(text)).astype(dtype)


class _Reduction:  # asv passes over names that begin with an underscore
    """The arrays, and the timed line; a benchmark adds its question and its parameters."""

    param_names = ["library", "dtype", "shape", "axis"]
    weighted = False

    def setup(self, library, dtype, shape, axis):
        self.call = CONTENDERS[library]
        self.a = normal(shape, dtype)
        self.options = {"axis": axis}
        if self.weighted:
            self.options["b"] = uniform(shape, dtype)
        self.call(self.a, **self.options)

    def time_call(self, *_):
        self.call(self.a, **self.options)

    def peakmem_call(self, *_):
        self.call(self.a, **self.options)
