"""Sums that grow: running sums of an array, and states that are fed."""

import numpy as np

import lsecy

from .common import DTYPES, normal


class RunningSums:
    """What does a running sum cost along either axis, and how far is it from NumPy's chain of logaddexp?"""

    param_names = ["library", "dtype", "shape", "axis", "data"]
    params = [
        ["lsecy", "numpy"],
        DTYPES,
        ["1e6", "1000x1000", "250000x4"],
        [0, -1],
        ["normal", "log-probabilities"],  # whose sums come near 1, where they are summed with more care
    ]

    def setup(self, library, dtype, shape, axis, data):
        self.call = lsecy.logcumsumexp if library == "lsecy" else np.logaddexp.accumulate
        self.a = normal(shape, dtype)
        if data != "normal":
            self.a = lsecy.log_softmax(self.a, axis=axis)
        self.axis = axis
        self.call(self.a, axis=axis)

    def time_call(self, *_):
        self.call(self.a, axis=self.axis)

    def peakmem_call(self, *_):
        self.call(self.a, axis=self.axis)


class Feeding:
    """What does a state cost beside one call on the same numbers?"""

    param_names = ["way", "dtype", "shape"]
    params = [["one call with 'lsecy'", "a state of 'lsecy'"], DTYPES, ["10", "1e4", "1e7"]]

    def setup(self, way, dtype, shape):
        self.a = normal(shape, dtype)
        self.call = lsecy.logsumexp if way.startswith("one") else lsecy.LogSumExp().update
        self.call(self.a)

    def time_call(self, *_):
        self.call(self.a)
