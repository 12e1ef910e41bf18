"""The edge cases of log-sum-exp: one table that tests and docs read."""

import itertools
import math
from typing import NamedTuple

import exact
import numpy as np

INF, NAN = math.inf, math.nan


class Edge(NamedTuple):
    """One row of the table: terms, weights or None, the value with its sign."""

    name: str
    a: list
    b: list | None
    value: float
    sign: float


EDGES = [
    # Nothing to add.
    Edge("all -inf", [-INF, -INF], None, -INF, 0),
    Edge("one -inf", [-INF], None, -INF, 0),
    Edge("all weights 0", [1.0, 2.0], [0.0, 0.0], -INF, 0),
    Edge("weights -0", [1.0, 2.0], [-0.0, 0.0], -INF, 0),
    Edge("nan and nan, weights 0", [NAN, NAN], [0.0, 0.0], -INF, 0),
    Edge("inf, all weights 0", [INF, 1.0], [0.0, 0.0], -INF, 0),
    Edge("exact cancellation", [3.0, 3.0], [1.0, -1.0], -INF, 0),
    Edge("exact cancellation of three", [3.0, 3.0, 3.0], [1.0, 1.0, -2.0], -INF, 0),
    Edge("cancellation of huge terms", [1e30, 1e30], [2.0, -2.0], -INF, 0),
    # Infinity.
    Edge("inf and finite", [INF, 1.0], None, INF, 1),
    Edge("inf and -inf", [INF, -INF], None, INF, 1),
    Edge("several inf", [INF, INF, 0.0], None, INF, 1),
    Edge("inf with weight -1", [INF, 1.0], [-1.0, 1.0], INF, -1),
    Edge("inf with weights of both signs", [INF, INF], [1.0, -1.0], NAN, NAN),
    Edge("infinite weight", [0.0, 1.0], [INF, 1.0], INF, 1),
    Edge("weight -inf", [0.0, 1.0], [-INF, 1.0], INF, -1),
    Edge("infinite weight on inf", [INF, 1.0], [INF, 1.0], INF, 1),
    Edge("infinite weights of both signs", [0.0, 1.0], [INF, -INF], NAN, NAN),
    Edge("infinite weight on -inf", [-INF, 1.0], [INF, 1.0], NAN, NAN),
    Edge("inf, and an infinite weight of the other sign", [INF, 1.0], [1.0, -INF], NAN, NAN),
    # NaN.
    Edge("nan", [NAN], None, NAN, NAN),
    Edge("nan and finite", [NAN, 1.0], None, NAN, NAN),
    Edge("nan and inf", [NAN, INF], None, NAN, NAN),
    Edge("nan and -inf", [-INF, NAN], None, NAN, NAN),
    Edge("weight nan", [1.0, 1.0], [NAN, 1.0], NAN, NAN),
    Edge("weight nan on -inf", [-INF, 1.0], [NAN, 1.0], NAN, NAN),
    Edge("weight nan beside inf", [INF, 1.0], [1.0, NAN], NAN, NAN),
    # What has no weight has no influence.
    Edge("inf dropped", [INF, 1.0], [0.0, 1.0], 1.0, 1),
    Edge("nan dropped", [NAN, 1.0], [0.0, 1.0], 1.0, 1),
    Edge("inf dropped beside inf", [INF, INF], [0.0, 1.0], INF, 1),
    Edge("inf dropped beside -inf", [INF, -INF], [0.0, 1.0], -INF, 0),
    Edge("nan dropped beside inf", [NAN, INF], [0.0, 1.0], INF, 1),
    Edge("large dropped", [700.0, 1.0], [0.0, 1.0], 1.0, 1),
    Edge("-inf dropped", [-INF, 1.0], [0.0, 1.0], 1.0, 1),
    Edge("-inf with weight -1", [-INF, 1.0], [-1.0, 1.0], 1.0, 1),
    # Finite.
    Edge("one term", [2.5], None, 2.5, 1),
    Edge("one term beside -inf", [-INF, 2.5, -INF], None, 2.5, 1),
    Edge("negative total", [1.0], [-1.0], 1.0, -1),
    Edge("total -2", [0.0, 0.0], [1.0, -3.0], math.log(2), -1),
    Edge("two zeros", [0.0, 0.0], None, math.log(2), 1),
    Edge("huge", [1e30, 1e30], None, 1e30, 1),
    Edge("huge negative", [-1e30, -1e30], None, -1e30, 1),
    Edge("weight of one negative term", [5.0, -INF], [-2.0, 7.0], 5 + math.log(2), -1),
]

# Only float64 can hold these.
EDGES_FLOAT64 = [
    Edge("a dominant 0", [0.0, -40.0], None, 4.248354255291589e-18, 1),
    Edge("the largest finite numbers", [1.797e308, 1.797e308], None, 1.797e308, 1),
    Edge("the lowest finite numbers", [-1e308, -1e308], None, -1e308, 1),
    Edge("both ends", [1.797e308, -1.797e308], None, 1.797e308, 1),
    Edge("weights that outweigh a", [800.0, 0.0], [1e-200, 1e200], 460.51701859880916, 1),
    Edge("weights that do not", [800.0, 0.0], [1e-100, 1e100], 569.7414907005955, 1),
    Edge("subnormal weight", [0.0], [5e-324], -744.4400719213812, 1),
    Edge("largest weights", [0.0, 0.0], [1.7e308, 1.7e308], 710.4199840737882, 1),
    Edge("nearly equal terms", [0.0, 1e-12], [1.0, -1.0], -27.63102111592805, -1),
]

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
