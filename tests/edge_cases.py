"""The edge cases of all four functions: one table that tests and docs read."""

import itertools
import math
from functools import cache
from typing import NamedTuple

import exact
import numpy as np

INF, NAN = math.inf, math.nan
LOG_2 = math.log(2)


class Edge(NamedTuple):
    """One row of the table: what goes in, and what each function returns."""

    name: str
    a: list
    b: list | None
    value: float  # of logsumexp
    sign: float
    softmax: list
    mean: float  # of logmeanexp
    log_softmax: list | None = None  # unless it is the logarithm of softmax
    mean_sign: float | None = None  # unless it is that of the sum, or NaN beside NaN
    where: list | None = None
    logb: list | None = None
    scale: float = 1.0

    def options(self, dtype=float):
        """Return the keyword arguments that differ from their defaults, as arrays."""
        given = {name: getattr(self, name) for name in ("b", "logb") if getattr(self, name) is not None}
        arrays = {name: np.array(values, dtype) for name, values in given.items()}
        if self.where is not None:
            arrays["where"] = np.array(self.where)
        return arrays if self.scale == 1 else {**arrays, "scale": self.scale}

    def expected(self, function):
        """Return what a function returns by its name: a list or, for a reduction, (value, sign)."""
        if function == "logsumexp":
            return self.value, self.sign
        if function == "logmeanexp":
            same_sign = NAN if math.isnan(self.mean) else self.sign
            return self.mean, same_sign if self.mean_sign is None else self.mean_sign
        if function == "softmax" or self.log_softmax is not None:
            return getattr(self, function)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(self.softmax).tolist()


# fmt: off
EDGES = [
    # Nothing to add.
    Edge("all -inf", [-INF, -INF], None, -INF, 0, [NAN, NAN], -INF),
    Edge("one -inf", [-INF], None, -INF, 0, [NAN], -INF),
    Edge("all weights 0", [1.0, 2.0], [0.0, 0.0], -INF, 0, [0, 0], NAN),
    Edge("weights -0", [1.0, 2.0], [-0.0, 0.0], -INF, 0, [0, 0], NAN),
    Edge("nan and nan, weights 0", [NAN, NAN], [0.0, 0.0], -INF, 0, [0, 0], NAN),
    Edge("inf, all weights 0", [INF, 1.0], [0.0, 0.0], -INF, 0, [0, 0], NAN),
    Edge("exact cancellation", [3.0, 3.0], [1.0, -1.0], -INF, 0, [INF, -INF], NAN),
    Edge("exact cancellation of three", [3.0, 3.0, 3.0], [1.0, 1.0, -2.0], -INF, 0, [INF, INF, -INF], NAN),
    Edge("cancellation of huge terms", [1e30, 1e30], [2.0, -2.0], -INF, 0, [INF, -INF], NAN),
    Edge("cancellation beside -inf", [3.0, 3.0, -INF], [1.0, -1.0, 1.0], -INF, 0, [INF, -INF, NAN], -INF),
    # Infinity.
    Edge("inf and finite", [INF, 1.0], None, INF, 1, [NAN, NAN], INF, [NAN, -INF]),
    Edge("inf and -inf", [INF, -INF], None, INF, 1, [NAN, NAN], INF, [NAN, -INF]),
    Edge("several inf", [INF, INF, 0.0], None, INF, 1, [NAN, NAN, NAN], INF, [NAN, NAN, -INF]),
    Edge("inf with weight -1", [INF, 1.0], [-1.0, 2.0], INF, -1, [NAN, NAN], INF, [NAN, -INF]),
    Edge("inf with weights of both signs", [INF, INF], [1.0, -1.0], NAN, NAN, [NAN, NAN], NAN),
    Edge("infinite weight", [0.0, 1.0], [INF, 1.0], INF, 1, [NAN, NAN], NAN, [NAN, -INF]),
    Edge("weight -inf", [0.0, 1.0], [-INF, 1.0], INF, -1, [NAN, NAN], NAN, [NAN, -INF]),
    Edge("infinite weight on inf", [INF, 1.0], [INF, 1.0], INF, 1, [NAN, NAN], NAN, [NAN, -INF]),
    Edge("infinite weights of both signs", [0.0, 1.0], [INF, -INF], NAN, NAN, [NAN, NAN], NAN),
    Edge("infinite weight on -inf", [-INF, 1.0], [INF, 1.0], NAN, NAN, [NAN, NAN], NAN),
    Edge("inf, and an infinite weight of the other sign", [INF, 1.0], [1.0, -INF], NAN, NAN, [NAN, NAN], NAN),
    # NaN.
    Edge("nan", [NAN], None, NAN, NAN, [NAN], NAN),
    Edge("nan and finite", [NAN, 1.0], None, NAN, NAN, [NAN, NAN], NAN),
    Edge("nan and inf", [NAN, INF], None, NAN, NAN, [NAN, NAN], NAN),
    Edge("nan and -inf", [-INF, NAN], None, NAN, NAN, [NAN, NAN], NAN),
    Edge("weight nan", [1.0, 1.0], [NAN, 1.0], NAN, NAN, [NAN, NAN], NAN),
    Edge("weight nan on -inf", [-INF, 1.0], [NAN, 1.0], NAN, NAN, [NAN, NAN], NAN),
    Edge("weight nan beside inf", [INF, 1.0], [1.0, NAN], NAN, NAN, [NAN, NAN], NAN),
    Edge("nan beside weight 0", [NAN, 1.0, 1.0], [1.0, 0.0, 1.0], NAN, NAN, [NAN, 0, NAN], NAN),
    # What has no weight has no influence.
    Edge("inf dropped", [INF, 1.0], [0.0, 1.0], 1.0, 1, [0, 1], 1.0),
    Edge("nan dropped", [NAN, 1.0], [0.0, 1.0], 1.0, 1, [0, 1], 1.0),
    Edge("inf dropped beside inf", [INF, INF], [0.0, 1.0], INF, 1, [0, NAN], INF),
    Edge("inf dropped beside -inf", [INF, -INF], [0.0, 1.0], -INF, 0, [0, NAN], -INF),
    Edge("nan dropped beside inf", [NAN, INF], [0.0, 1.0], INF, 1, [0, NAN], INF),
    Edge("large dropped", [700.0, 1.0], [0.0, 1.0], 1.0, 1, [0, 1], 1.0),
    Edge("-inf dropped", [-INF, 1.0], [0.0, 1.0], 1.0, 1, [0, 1], 1.0),
    Edge("-inf with weight -1", [-INF, 1.0], [-1.0, 2.0], 1 + LOG_2, 1, [0, 1], 1 + LOG_2),
    # Finite.
    Edge("one term", [2.5], None, 2.5, 1, [1], 2.5),
    Edge("one term beside -inf", [-INF, 2.5, -INF], None, 2.5, 1, [0, 1, 0], 2.5 - math.log(3)),
    Edge("negative total", [1.0], [-1.0], 1.0, -1, [1], 1.0, mean_sign=1),
    Edge("total -2", [0.0, 0.0], [1.0, -3.0], LOG_2, -1, [-0.5, 1.5], 0.0, mean_sign=1),
    Edge("two zeros", [0.0, 0.0], None, LOG_2, 1, [0.5, 0.5], 0.0),
    Edge("huge", [1e30, 1e30], None, 1e30, 1, [0.5, 0.5], 1e30),
    Edge("huge negative", [-1e30, -1e30], None, -1e30, 1, [0.5, 0.5], -1e30),
    Edge("weight of one negative term", [5.0, -INF], [-2.0, 7.0], 5 + LOG_2, -1, [1, 0], 5 + math.log(0.4)),
]

# Masks, log-weights and a scale.
EDGES_KEYWORDS = [
    Edge("nan masked", [NAN, 1.0], None, 1.0, 1, [0, 1], 1.0, where=[False, True]),
    Edge("inf masked", [INF, 1.0], None, 1.0, 1, [0, 1], 1.0, where=[False, True]),
    Edge("inf masked beside inf", [INF, INF], None, INF, 1, [0, NAN], INF, where=[False, True]),
    Edge("inf masked beside -inf", [INF, -INF], None, -INF, 0, [0, NAN], -INF, where=[False, True]),
    Edge("everything masked", [NAN, INF], None, -INF, 0, [0, 0], NAN, where=[False, False]),
    Edge("nan weight masked", [1.0, 1.0], [NAN, 1.0], 1.0, 1, [0, 1], 1.0, where=[False, True]),
    Edge("infinite weight masked", [1.0, 1.0], [INF, 1.0], 1.0, 1, [0, 1], 1.0, where=[False, True]),
    Edge("nan log-weight masked", [1.0, 1.0], None, 1.0, 1, [0, 1], 1.0, where=[False, True], logb=[NAN, 0]),
    Edge("mask and weight 0", [NAN, INF], [1.0, 0.0], -INF, 0, [0, 0], NAN, where=[False, True]),
    Edge("nan beside a mask", [NAN, 1.0, INF], None, NAN, NAN, [NAN, NAN, 0], NAN, where=[True, True, False]),
    Edge("log-weight -inf on nan", [NAN, 1.0], None, 1.0, 1, [0, 1], 1.0, logb=[-INF, 0.0]),
    Edge("log-weight -inf on inf", [INF, 1.0], None, 1.0, 1, [0, 1], 1.0, logb=[-INF, 0.0]),
    Edge("all log-weights -inf", [NAN, INF], None, -INF, 0, [0, 0], NAN, logb=[-INF, -INF]),
    Edge("log-weight 0 on -inf", [-INF, -INF], None, -INF, 0, [NAN, 0], -INF, logb=[0.0, -INF]),
    Edge("log-weight inf", [0.0, 1.0], None, INF, 1, [NAN, NAN], NAN, [NAN, -INF], logb=[INF, 0.0]),
    Edge("log-weight inf on -inf", [-INF, 1.0], None, NAN, NAN, [NAN, NAN], NAN, logb=[INF, 0.0]),
    Edge("log-weight nan", [0.0, 1.0], None, NAN, NAN, [NAN, NAN], NAN, logb=[NAN, 0.0]),
    Edge("log-weights that cancel a", [1e3, -1e3], None, LOG_2, 1, [0.5, 0.5], LOG_2 - 1e3, logb=[-1e3, 1e3]),
    Edge("scale 0", [3.0, 7.0], None, LOG_2, 1, [0.5, 0.5], 0.0, scale=0.0),
    Edge("scale 0 on inf", [INF, 1.0], None, NAN, NAN, [NAN, NAN], NAN, scale=0.0),
    Edge("scale 0 on -inf", [-INF, 1.0], None, NAN, NAN, [NAN, NAN], NAN, scale=0.0),
    Edge("scale -1 on -inf", [-INF, 1.0], None, INF, 1, [NAN, NAN], INF, [NAN, -INF], scale=-1.0),
    Edge("scale -1 on inf", [INF, 1.0], None, -1.0, 1, [0, 1], -1 - LOG_2, scale=-1.0),
    Edge("scale 0.5", [4.0, 4.0], None, 2 + LOG_2, 1, [0.5, 0.5], 2.0, scale=0.5),
    Edge("scale inf", [1.0, -1.0], None, INF, 1, [NAN, NAN], INF, [NAN, -INF], scale=INF),
    Edge("scale inf on 0", [0.0, -1.0], None, NAN, NAN, [NAN, NAN], NAN, scale=INF),
    Edge("scale nan", [1.0, 2.0], None, NAN, NAN, [NAN, NAN], NAN, scale=NAN),
    Edge("scale nan masked", [1.0, 2.0], None, -INF, 0, [0, 0], NAN, where=[False, False], scale=NAN),
    Edge("scale and logb", [2.0, 1.0], None, 5 + LOG_2, 1, [0.5, 0.5], 4 - math.log(math.e**2 / 2 + 0.5),
         scale=2.0, logb=[1.0, 3.0]),
]

# Only float64 can hold these.
EDGES_FLOAT64 = [
    Edge("a dominant 0", [0.0, -40.0], None, 4.248354255291589e-18, 1, [1, 4.248354255291589e-18],
         -LOG_2, [-4.248354255291589e-18, -40.0]),
    Edge("a dominant 40", [40.0, 0.0], None, 40.0, 1, [1, 4.248354255291589e-18],
         40 - LOG_2, [-4.248354255291589e-18, -40.0]),
    Edge("the largest finite numbers", [1.797e308, 1.797e308], None, 1.797e308, 1, [0.5, 0.5], 1.797e308),
    Edge("the lowest finite numbers", [-1e308, -1e308], None, -1e308, 1, [0.5, 0.5], -1e308),
    Edge("both ends", [1.797e308, -1.797e308], None, 1.797e308, 1, [1, 0], 1.797e308),
    Edge("weights that outweigh a", [800.0, 0.0], [1e-200, 1e200], 460.51701859880916, 1,
         [2.7263745721125664e-53, 1], 2.7263745721125664e-53, [-121.03403719761828, -2.7263745721125664e-53]),
    Edge("weights that do not", [800.0, 0.0], [1e-100, 1e100], 569.7414907005955, 1,
         [1, 3.667874584177687e-148], 339.48298140119084, [-3.667874584177687e-148, -339.48298140119084]),
    Edge("subnormal weight", [0.0], [5e-324], -744.4400719213812, 1, [1], 0.0),
    Edge("largest weights", [0.0, 0.0], [1.7e308, 1.7e308], 710.4199840737882, 1, [0.5, 0.5], 0.0),
    Edge("nearly equal terms", [0.0, 1e-12], [1.0, -1.0], -27.63102111592805, -1,
         [-999999999999.5, 1000000000000.5], INF, [NAN, 27.631021115929048]),
]
# fmt: on

FINITE = 0.5
PATTERN = (-INF, FINITE, INF, NAN)


def patterns(length, weights=None):
    """Return (a, b or None, value, sign): all patterns of one length, expected by `exact.contract`."""
    if weights is None:
        pairs = [[(x, 1.0) for x in p] for p in itertools.product(PATTERN, repeat=length)]
    else:
        pairs = list(itertools.product(itertools.product(PATTERN, weights), repeat=length))
    truth = [exact.contract([x for x, _ in p], [w for _, w in p]) for p in pairs]
    a = np.array([[x for x, _ in p] for p in pairs])
    b = None if weights is None else np.array([[w for _, w in p] for p in pairs])
    return a, b, np.array([float(t.value) for t in truth]), np.array([t.sign for t in truth])


class Patterns(NamedTuple):
    """Rows of one length, one pattern each, and what each function returns for them."""

    a: np.ndarray
    options: dict  # b, where, logb: an array of the shape of `a` each
    expected: dict  # function: array of the shape of `a` or, for reductions, (values, signs)


@cache
def patterns_of(length, b=(), where=(), logb=()):
    """Return all `Patterns` of one length and of some weights, masks and log-weights."""
    choices = {"a": PATTERN, "b": b, "where": where, "logb": logb}
    choices = {name: values for name, values in choices.items() if values}
    rows = np.array(list(itertools.product(itertools.product(*choices.values()), repeat=length)))
    columns = dict(zip(choices, np.moveaxis(rows, -1, 0), strict=True))
    if where:
        columns["where"] = columns["where"].astype(bool)
    a = columns.pop("a")
    each = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [
        {}
    ] * len(a)
    expected = {}
    for function, contract in (("logsumexp", exact.contract_sum), ("logmeanexp", exact.contract_mean)):
        results = [contract(row, **options) for row, options in zip(a, each, strict=True)]
        expected[function] = np.array([[float(r.value), r.sign] for r in results]).T
    pairs = [exact.contract_shares(row, **options) for row, options in zip(a, each, strict=True)]
    for function, results in zip(("softmax", "log_softmax"), zip(*pairs, strict=True), strict=True):
        expected[function] = np.array(results, dtype=float)
    return Patterns(a, columns, expected)
