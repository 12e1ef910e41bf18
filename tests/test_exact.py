"""The oracle itself: its two halves agree, and it knows the values that can be looked up."""

import math

import exact
import numpy as np
import pytest
from arrays import DOMINATED, SHARES, UNDERFLOW, VALUES, WEIGHTED
from edge_cases import EDGES, EDGES_FLOAT64, EDGES_KEYWORDS
from mpmath import mp, mpf

LONG = ["normal", "normal times 10", "sorted up", "tied", "masked", "first is -1e30", "far below one", "huge"]


def _relative(x, y):
    with mp.workdps(60):
        return float(abs(x.value - y.value) / abs(y.value))


@pytest.mark.parametrize("case", LONG)
def test_long_double_and_mpmath_agree(rng, dtype, case):
    for n in (41, 301):
        a = VALUES[case](rng, n, dtype).astype(float)
        assert _relative(exact._long_row(a, np.ones(n)), exact.contract(a.tolist(), [1.0] * n)) < 2e-19


@pytest.mark.parametrize("case", ["uniform", "lognormal", "balanced over the whole range", "crossed"])
def test_long_double_and_mpmath_agree_with_weights(rng, dtype, case):
    for n in (41, 301):
        a, b = (x.astype(float) for x in WEIGHTED[case](rng, n, dtype))
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


def _apart(exact_numbers, others, dtype):
    """Return the largest distance of two arrays of exact numbers, in ulp of the dtype."""
    x, y = exact.near(exact_numbers, dtype), exact.near(np.array(others, object), dtype)
    finite = np.isfinite(y.near)
    assert np.array_equal(x.near[~finite], y.near[~finite], equal_nan=True)
    near = (x.near[finite] - y.near[finite]) / y.ulp[finite]
    return np.abs(near + x.residual[finite] - y.residual[finite]).max(initial=0)


@pytest.mark.parametrize("case", [*VALUES, *DOMINATED, *UNDERFLOW, *SHARES])
def test_shares_in_long_double_and_in_mpmath_agree(rng, dtype, case):
    a = {**VALUES, **DOMINATED, **UNDERFLOW, **SHARES}[case](rng, 23, dtype)
    softmax, log_softmax, _ = exact.shares(a)
    true = exact.contract_shares(a)
    assert max(_apart(softmax, true[0], dtype), _apart(log_softmax, true[1], dtype)) < 0.003


@pytest.mark.parametrize("case", WEIGHTED)
def test_weighted_shares_in_long_double_and_in_mpmath_agree(rng, dtype, case):
    a, b = WEIGHTED[case](rng, 23, dtype)
    softmax, log_softmax, cancellation = exact.shares(a, b)
    true = exact.contract_shares(a, b)
    apart = max(_apart(softmax, true[0], dtype), _apart(log_softmax, true[1], dtype))
    assert apart < 0.003 * cancellation**2


def test_shares_with_all_options_in_long_double_and_in_mpmath_agree(rng):
    a, b, logb = rng.normal(0, 30, 20), rng.uniform(0, 1, 20), rng.normal(0, 30, 20)
    options = {"b": b, "logb": logb, "where": rng.random(20) < 0.7, "scale": -0.7}
    softmax, log_softmax, _ = exact.shares(a, **options)
    true = exact.contract_shares(a, **options)
    assert max(_apart(softmax, true[0], "float64"), _apart(log_softmax, true[1], "float64")) < 0.003


@pytest.mark.parametrize("function", ["logsumexp", "logmeanexp", "softmax", "log_softmax"])
@pytest.mark.parametrize("edge", EDGES + EDGES_KEYWORDS + EDGES_FLOAT64, ids=lambda edge: edge.name)
def test_the_table_is_what_the_definitions_say(edge, function):
    options = {"b": edge.b, "where": edge.where, "logb": edge.logb, "scale": edge.scale}
    if function in ("softmax", "log_softmax"):
        got = exact.contract_shares(edge.a, **options)[function == "log_softmax"]
    else:
        got = (exact.contract_sum if function == "logsumexp" else exact.contract_mean)(edge.a, **options)[:2]
    np.testing.assert_allclose(np.array(got, float), edge.expected(function), rtol=3e-16)


@pytest.mark.parametrize(
    ("a", "options", "value", "sign"),
    [
        ([0.0, 0.0], {}, 0.0, 1),
        ([1.0, 9.0], {"where": [True, False]}, 1.0, 1),
        ([0.0, 0.0], {"b": [1.0, -3.0]}, 0.0, 1),
        ([0.0, 0.0], {"b": [1.0, 1.0], "scale": 5.0}, 0.0, 1),
        ([2.0, 7.0], {"logb": [0.0, -math.inf], "scale": -2.0}, -4.0, 1),
        ([0.0, math.log(2)], {"b": [-2.0, 3.0]}, math.log(4), 1),
        ([], {}, math.nan, math.nan),
    ],
)
def test_the_oracle_knows_means(a, options, value, sign):
    got = exact.contract_mean(a, **options)
    np.testing.assert_allclose([float(got.value), got.sign], [value, sign], rtol=3e-16)


def test_the_mean_of_a_long_row_is_that_of_the_definition(rng):
    a, b = rng.normal(0, 5, 301), rng.uniform(0.1, 1, 301)
    assert _relative(exact.logmeanexp(a, b), exact.contract_mean(a, b)) < 1e-17


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


@pytest.mark.parametrize("kind", [np.longdouble, object])
def test_errors_of_arrays_are_counted_like_those_of_numbers(kind):
    got = np.array([1.0, 1 + 2.0**-52, 1 - 2.0**-53, 0.0, np.nan, np.nan, 1.0, -np.inf, np.inf, 0.5])
    true = [
        mpf(1),
        mpf(1),
        mpf(1),
        mpf(2) ** -1074,
        mpf("nan"),
        mpf(1),
        mpf("nan"),
        mpf("-inf"),
        mpf(1),
        mpf("0.5"),
    ]
    errors = [exact.ulp_error(x, y, "float64") for x, y in zip(got, true, strict=True)]
    array = np.array(true, object) if kind is object else np.array([float(x) for x in true], kind)
    assert exact.ulp_errors(got, exact.near(array, "float64")).tolist() == errors


def test_same_bits_tells_zeros_and_dtypes_apart():
    assert exact.same_bits([0.0, np.nan], [0.0, np.nan])
    assert not exact.same_bits([0.0], [-0.0])
    assert not exact.same_bits(np.float32(1), np.float64(1))
