"""Small calls: what a call costs before any arithmetic."""

import numpy as np

from .common import CONTENDERS, DTYPES, LIBRARIES, normal, uniform


class TenNumbers:
    """What does a call on ten numbers cost, plain and with each option?"""

    param_names = ["library", "dtype", "options"]
    params = [list(CONTENDERS), DTYPES, ["none", "axis", "b", "keepdims", "return_sign"]]

    def setup(self, library, dtype, options):
        self.call = CONTENDERS[library]
        self.a = normal("10", dtype)
        self.options = {
            "none": {},
            "axis": {"axis": -1},
            "b": {"b": uniform("10", dtype)},
            "keepdims": {"keepdims": True},
            "return_sign": {"return_sign": True},
        }[options]

    def time_call(self, *_):
        self.call(self.a, **self.options)


class ThreeComplexNumbers:
    """What does a call cost on three complex numbers, such as a derivative by complex steps takes?"""

    param_names = ["library", "function", "dtype"]
    params = [
        list(LIBRARIES),
        ["logsumexp", "softmax", "log_softmax"],
        ["complex64", "complex128", "longdouble"],
    ]

    def setup(self, library, function, dtype):
        self.call = getattr(LIBRARIES[library], function)
        self.a = normal("3", dtype)

    def time_call(self, *_):
        self.call(self.a)


class Yardstick:
    """What does NumPy's own maximum of ten numbers cost on this machine, to compare with?"""

    def setup(self):
        self.a = normal("10", "float64")

    def time_max(self):
        np.max(self.a)


class FewHundred:
    """From which size on does arithmetic outweigh the call?"""

    param_names = ["library", "dtype", "n"]
    params = [list(CONTENDERS), DTYPES, [1, 30, 100, 300]]

    def setup(self, library, dtype, n):
        self.call = CONTENDERS[library]
        self.a = normal(str(n), dtype)

    def time_call(self, *_):
        self.call(self.a)
