"""Long reductions: from cache to memory, on either axis."""

from .common import CONTENDERS, DTYPES, _Reduction

LIBRARIES = list(CONTENDERS)


class OneRead(_Reduction):
    """Is a reduction of everything bound by one read of its input, from cache to memory?"""

    params = [LIBRARIES, DTYPES, ["1e3", "1e4", "1e5", "1e6", "1e7"], [None]]


class EitherAxis(_Reduction):
    """Do columns cost what rows cost, whatever the proportions?"""

    params = [LIBRARIES, DTYPES, ["10x100000", "1000x1000", "100000x10"], [0, -1]]


class ShortRows(_Reduction):
    """What does a row cost when it is shorter than a few vectors, as in a mixture model?"""

    params = [LIBRARIES, DTYPES, ["1000000x2", "1000000x4", "100000x32"], [-1]]


class Weights(_Reduction):
    """What do weights cost?"""

    params = [LIBRARIES, DTYPES, ["1000x1000", "250000x4"], [0, -1]]
    weighted = True
