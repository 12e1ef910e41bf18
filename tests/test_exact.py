"""The oracle itself: its two halves agree, and it knows the values that can be looked up."""

import math

import exact
import numpy as np
import pytest
from arrays import VALUES, WEIGHTED
from edge_cases import EDGES, EDGES_FLOAT64
from mpmath import mp, mpf

LONG = ["normal", "normal times 10", "sorted up", "tied", "masked", "first is -1e30", "far below one", "huge"]


def _relative(x, y):
    with mp.workdps(60):
        return float(abs(x.value - y.value) / abs(y.value))


@pytest.mark.parametrize("case", LONG)
def test_long_double_and_mpmath_agree(rng, dtype, case):
    a = VALUES[case](rng, 301, dtype).astype(float)
    assert _relative(exact._long_row(a, np.ones(301)), exact.contract(a.tolist(), [1.0] * 301)) < 2e-19


@pytest.mark.parametrize("case", ["uniform", "lognormal", "balanced over the whole range", "crossed"])
def test_long_double_and_mpmath_agree_with_weights(rng, dtype, case):
    a, b = (x.astype(float) for x in WEIGHTED[case](rng, 301, dtype))
    assert _relative(exact._long_row(a, b), exact.contract(a.tolist(), b.tolist())) < 1e-18


@pytest.mark.parametrize(
    ("a", "b", "value", "sign"),
    [
        ([0.0, 0.0], [1.0, 1.0], math.log(2), 1),
        ([0.0, -40.0], [1.0, 1.0], 4.248354255291589e-18, 1),
        ([0.0, -745.0], [1.0, 1.0], 5e-324, 1),
        ([800.0, 0.0], [1e-200, 1e200], 460.51701859880916, 1),
        ([0.0, 1e-12], [1.0, -1.0], -27.631021115928048, -1),
        ([1000.0, 1000.0, -5000.0], [1.0, -1.0, -3.0], -5000 + math.log(3), -1),
        ([1e308, -1e308], [1.0, 1.0], 1e308, 1),
        ([2.0, 2.0, 2.0], [1.0, 1.0, -2.0], -math.inf, 0),
    ],
)
def test_the_oracle_knows(a, b, value, sign):
    got = exact.contract(a, b)
    assert (float(got.value), got.sign) == (pytest.approx(value, rel=3e-16), sign)


@pytest.mark.parametrize("edge", EDGES + EDGES_FLOAT64, ids=lambda edge: edge.name)
def test_the_table_of_edge_cases_is_what_the_definition_says(edge):
    true = exact.contract(edge.a, edge.b or [1.0] * len(edge.a))
    assert np.array_equal([float(true.value), true.sign], [edge.value, edge.sign], equal_nan=True)


@pytest.mark.parametrize(
    ("got", "true", "dtype", "error"),
    [
        (1.0, mpf(1), "float64", 0.0),
        (1 + 2.0**-52, mpf(1), "float64", 1.0),
        (1 + 2.0**-23, mpf(1), "float32", 1.0),
        (0.0, mpf(2) ** -1074, "float64", 1.0),
        (1.5, mpf("inf"), "float64", math.inf),
        (math.inf, mpf("inf"), "float64", 0.0),
        (math.nan, mpf(1), "float64", math.inf),
        (math.inf, mpf(10) ** 39, "float32", 0.0),
        (math.inf, mpf(10) ** 38, "float32", math.inf),
    ],
)
def test_errors_are_counted_in_units_of_the_last_place(got, true, dtype, error):
    assert exact.ulp_error(got, true, dtype) == error


def test_same_bits_tells_zeros_and_dtypes_apart():
    assert exact.same_bits([0.0, np.nan], [0.0, np.nan])
    assert not exact.same_bits([0.0], [-0.0])
    assert not exact.same_bits(np.float32(1), np.float64(1))
