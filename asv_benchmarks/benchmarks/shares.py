"""softmax and log_softmax, and what options cost."""

import numpy as np

import lsecy

from .common import DTYPES, LIBRARIES, normal, uniform


class Shares:
    """What do the shares of rows and columns cost, from ten numbers to a vocabulary?"""

    param_names = ["library", "function", "dtype", "shape", "axis"]
    params = [
        list(LIBRARIES),
        ["softmax", "log_softmax"],
        DTYPES,
        ["10", "1000x1000", "8x128256", "250000x4", "54000x10"],
        [0, -1],
    ]

    def setup(self, library, function, dtype, shape, axis):
        self.call = getattr(LIBRARIES[library], function)
        self.x = normal(shape, dtype)
        self.axis = axis
        self.call(self.x, axis=axis)

    def time_call(self, *_):
        self.call(self.x, axis=self.axis)

    def peakmem_call(self, *_):
        self.call(self.x, axis=self.axis)


class Options:
    """What do a mask, a factor and weights cost beside the plain call on the same array?"""

    param_names = ["function", "dtype", "shape", "option"]
    params = [
        ["logsumexp", "softmax", "log_softmax"],
        DTYPES,
        ["1000x1000", "100000x10"],
        ["none", "where", "scale", "b", "logb", "b of one row"],
    ]

    def setup(self, function, dtype, shape, option):
        self.call = getattr(lsecy, function)
        self.x = normal(shape, dtype)
        weights = uniform(shape, dtype)
        self.options = {
            "none": {},
            "where": {"where": weights > 0.25},
            "scale": {"scale": 0.7},
            "b": {"b": weights},
            "logb": {"logb": np.log(weights)},
            "b of one row": {"b": weights[0]},
        }[option]
        self.call(self.x, axis=-1, **self.options)

    def time_lsecy(self, *_):
        self.call(self.x, axis=-1, **self.options)

    def peakmem_lsecy(self, *_):
        self.call(self.x, axis=-1, **self.options)
