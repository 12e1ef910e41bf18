"""One contract for all four functions: edge cases, masks, weights, scale, out, dtypes, other libraries."""

import inspect
import re
import sys
import warnings
from functools import cache

import dask.array
import exact
import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import scipy.special
import xarray as xr
from arrays import BLOCKS, ILL_CONDITIONED, VALUES, WEIGHTED
from bounds import BOUNDS
from edge_cases import EDGES, EDGES_FLOAT64, EDGES_KEYWORDS, INF, NAN, patterns_of

import lsecy

FUNCTIONS = ["logsumexp", "logmeanexp", "softmax", "log_softmax"]
REDUCTIONS, MAPS = FUNCTIONS[:2], FUNCTIONS[2:]
A = np.arange(15.0).reshape(3, 5) / 4


@pytest.fixture(params=FUNCTIONS)
def function(request):
    """Name one of the four functions."""
    return request.param


@pytest.fixture(params=REDUCTIONS)
def reduction(request):
    """Name one of the two functions that take rows to numbers."""
    return request.param


@pytest.fixture(params=MAPS)
def share(request):
    """Name one of the two functions that take rows to rows."""
    return request.param


def call(function, *args, **options):
    return getattr(lsecy, function)(*args, **options)


def close(got, expected, dtype, ulp=8):
    """Tell whether values agree: infinities and NaN exactly, finite ones to a few ulp (of 1, near 0)."""
    expected = np.asarray(expected, np.float64)
    with np.errstate(all="ignore"):
        rounded = expected.astype(dtype).astype(np.float64)
        allowed = ulp * float(np.finfo(dtype).eps) * np.maximum(np.abs(rounded), 1)
        near = np.abs(np.asarray(got, np.float64) - expected) <= allowed
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(np.isfinite(rounded), near, same)


def assert_close(got, expected, dtype=np.float64, ulp=8):
    right = close(got, expected, dtype, ulp)
    assert np.all(right), f"got {got}, expected {expected}"


def assert_expected(function, a, expected, dtype, **options):
    """Compare all that a function returns with what the table says."""
    negative = np.logical_and(np.less(options.get("b", 0), 0), options.get("where", True))
    if function in MAPS and np.any(negative):
        axis = options.get("axis")
        with pytest.raises(ValueError, match=says(function, "b ", "must not be negative")):
            call(function, a, **options)
        if axis is None:
            return
        # What else the batch holds.
        fine = ~np.any(negative, axis=axis)
        a, expected = (np.compress(fine, x, axis=1 - axis) for x in (a, expected))
        options = {k: v if k == "axis" else np.compress(fine, v, axis=1 - axis) for k, v in options.items()}
    if function in MAPS:
        results = [(call(function, a, **options), expected)]
    else:
        value, sign = expected
        with_sign = call(function, a, return_sign=True, **options)
        without = call(function, a, **options)
        results = [
            (with_sign[0], value),
            (with_sign[1], sign),
            (without, np.where(np.less(sign, 0), NAN, value)),
        ]
    for got, wanted in results:
        right = close(got, wanted, dtype)
        wrong = tuple(np.argwhere(~np.atleast_1d(right))[:1].ravel())
        assert np.all(right), (
            f"{np.sum(~right)} wrong, first at {wrong}: got {np.atleast_1d(got)[wrong]}, "
            f"expected {np.atleast_1d(wanted)[wrong]}"
        )


def says(function, *words):
    """Match a message that begins with the function's name and holds the words in their order."""
    return f"^{function}: " + ".*".join(["", *map(re.escape, words)])


# Signatures -----------------------------------------------------------------------------

KEYWORDS = {"where": None, "logb": None, "scale": 1.0, "out": None, "dtype": None}
SIGNATURES = {
    **dict.fromkeys(
        REDUCTIONS, ({"axis": None, "b": None, "keepdims": False, "return_sign": False}, KEYWORDS)
    ),
    **dict.fromkeys(MAPS, ({"axis": None}, {"b": None, **KEYWORDS})),
}


def test_the_signature(function):
    parameters = list(inspect.signature(getattr(lsecy, function)).parameters.values())[1:]
    by_position = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    by_name = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert (by_position, by_name) == SIGNATURES[function]


def test_an_unknown_keyword_is_a_type_error(function):
    with pytest.raises(TypeError):
        call(function, A, mask=True)


# Edge cases -----------------------------------------------------------------------------

ALL_EDGES = EDGES + EDGES_KEYWORDS
edges = pytest.mark.parametrize("edge", ALL_EDGES, ids=lambda edge: edge.name)


@edges
def test_edge_case(isa, function, edge):
    for kind in (np.float32, np.float64):
        assert_expected(function, np.array(edge.a, kind), edge.expected(function), kind, **edge.options(kind))


@pytest.mark.parametrize("edge", EDGES_FLOAT64, ids=lambda edge: edge.name)
def test_edge_case_of_float64(isa, function, edge):
    assert_expected(function, np.array(edge.a), edge.expected(function), np.float64, **edge.options())


@pytest.mark.parametrize("edge", [e for e in ALL_EDGES if 1e30 not in np.abs(e.a)], ids=lambda e: e.name)
def test_edge_case_in_other_dtypes(function, edge):
    for kind in (np.float16, ml_dtypes.bfloat16, np.longdouble):
        assert_edge_in(kind, function, edge)


def assert_edge_in(kind, function, edge):
    if function in MAPS and min(edge.b or [0]) < 0 and kind is not np.longdouble:
        return assert_expected(function, np.array(edge.a), None, kind, b=np.array(edge.b))
    tolerance = np.float64 if kind is np.longdouble else kind
    a, expected = np.array(edge.a).astype(kind), edge.expected(function)
    options = {k: v.astype(kind) if k in ("b", "logb") else v for k, v in edge.options().items()}
    got = call(function, a, **options, **({"return_sign": True} if function in REDUCTIONS else {}))
    got = np.array(got).astype(np.float64)
    with np.errstate(over="ignore"):
        wanted = np.array(expected).astype(kind).astype(np.float64)
    eps = float(ml_dtypes.finfo(tolerance).eps) if kind is not np.longdouble else np.finfo(np.float64).eps
    near_zero = 2 * eps * (1e3 if "cancel a" in edge.name else 1)
    np.testing.assert_allclose(got, wanted, rtol=2 * eps, atol=near_zero, err_msg=kind.__name__)


FULL = (-INF, -1.0, 0.0, 2.0, INF, NAN)
SETS = {
    "1": dict(length=1),
    "2": dict(length=2),
    "3": dict(length=3),
    "4": dict(length=4),
    "4, masks": dict(length=4, where=(0, 1)),
    "2, weights": dict(length=2, b=FULL),
    "3, weights": dict(length=3, b=(-1.0, 0.0, 2.0)),
    "2, weights and masks": dict(length=2, b=FULL, where=(0, 1)),
    "3, log-weights": dict(length=3, logb=(-INF, 0.25)),
    "2, log-weights and masks": dict(length=2, logb=(-INF, 0.25, INF, NAN), where=(0, 1)),
}


@pytest.mark.parametrize("kind", SETS)
def test_every_pattern(isa, dtype, function, kind):
    a, options, expected = patterns_of(**SETS[kind])
    options = {k: v if k == "where" else v.astype(dtype) for k, v in options.items()}
    assert_expected(function, a.astype(dtype), expected[function], dtype, axis=1, **options)


@pytest.mark.parametrize("kind", SETS)
def test_every_pattern_along_columns(isa, dtype, function, kind):
    a, options, expected = patterns_of(**SETS[kind])
    options = {k: (v if k == "where" else v.astype(dtype)).T.copy() for k, v in options.items()}
    wanted = expected[function] if function in REDUCTIONS else expected[function].T
    assert_expected(function, a.astype(dtype).T.copy(), wanted, dtype, axis=0, **options)


def embedded(kind, function, n, place, dtype, limit=60):
    """Put patterns into longer rows, all else of which is NaN, infinite or large, and dropped."""
    a, options, expected = patterns_of(**SETS[kind])
    rng = np.random.default_rng(n)
    chosen = rng.choice(len(a), min(limit, len(a)), replace=False)
    start = {"start": 0, "middle": (n - a.shape[1]) // 2, "end": n - a.shape[1]}[place]
    inside = np.arange(start, start + a.shape[1])
    long_a = np.tile(np.array([NAN, INF, -INF, 1e4], dtype), (len(chosen), n // 4 + 1))[:, :n]
    long_a[:, inside] = a[chosen]
    dropped = {"where": False, "b": 0, "logb": -INF}
    names = list(options) or ["where"]
    long = {}
    for name in names:
        neutral = {"where": True, "b": 1, "logb": 0}[name]
        # What lies outside is dropped by one of the arguments, in turn.
        mine = np.arange(n) % len(names) == names.index(name)
        row = np.where(mine, dropped[name], neutral).astype(bool if name == "where" else dtype)
        long[name] = np.tile(row, (len(chosen), 1))
        long[name][:, inside] = options[name][chosen] if name in options else neutral
    if function in REDUCTIONS:
        return long_a, long, expected[function][:, chosen]
    wanted = np.full(long_a.shape, 0.0 if function == "softmax" else -INF)
    wanted[:, inside] = expected[function][chosen]
    return long_a, long, wanted


@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize(
    "kind", ["2", "4", "4, masks", "2, weights", "2, weights and masks", "2, log-weights and masks"]
)
def test_patterns_hold_anywhere_in_longer_rows_and_columns(isa, dtype, function, kind, place):
    for n in [5, 7, 8, 9, 16, 17, 31, 33, 64, 65, 129, 130]:
        a, options, expected = embedded(kind, function, n, place, dtype)
        assert_expected(function, a, expected, dtype, axis=1, **options)
        turned = {name: np.ascontiguousarray(values.T) for name, values in options.items()}
        expected = expected.T if function in MAPS else expected
        assert_expected(function, np.ascontiguousarray(a.T), expected, dtype, axis=0, **turned)


@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize("kind", ["4", "4, masks", "2, weights and masks"])
def test_patterns_hold_in_rows_of_several_blocks(isa, dtype, function, kind, place):
    a, options, expected = embedded(kind, function, 2 * BLOCKS[dtype.name] + 5, place, dtype, limit=30)
    assert_expected(function, a, expected, dtype, axis=1, **options)


@pytest.mark.parametrize("special", [NAN, INF])
@pytest.mark.parametrize("n", [3, 16, 64, 65, 500, 5000])
def test_one_special_value_is_seen_at_every_place(isa, dtype, share, n, special):
    places = np.unique(np.linspace(0, n - 1, 40).astype(int))
    a = np.zeros((places.size, n), dtype)
    a[np.arange(places.size), places] = special
    expected = np.full(a.shape, NAN)
    if share == "log_softmax" and special == INF:
        expected[a == 0] = -INF
    for view in (a, np.asfortranarray(a)):
        assert np.array_equal(call(share, view, axis=1), expected, equal_nan=True)


def test_an_odd_row_does_not_disturb_its_neighbours(isa, dtype, function, rng):
    disturbed = []
    for edge in ALL_EDGES:
        if function in MAPS and min(edge.b or [0]) < 0:
            continue
        a = rng.standard_normal((37, len(edge.a))).astype(dtype)
        b = rng.uniform(0.5, 1, a.shape).astype(dtype)
        clean = call(function, a, axis=1, b=b)
        a[17], b[17] = edge.a, 1 if edge.b is None else edge.b
        got = call(function, a, axis=1, b=b)
        if not np.array_equal(np.delete(got, 17, axis=0), np.delete(clean, 17, axis=0)):
            disturbed.append(edge.name)
    assert disturbed == []


def test_no_warning_and_no_floating_point_error(isa, dtype, function):
    """Warnings are errors in all tests; here floating-point flags are, too."""
    raised = []
    for edge in ALL_EDGES:
        if function in MAPS and min(edge.b or [0]) < 0:
            continue
        a, options = np.array(edge.a, dtype), edge.options(dtype)
        try:
            with warnings.catch_warnings(), np.errstate(all="raise"):
                warnings.simplefilter("error")
                call(function, a, **options)
        except (FloatingPointError, RuntimeWarning) as error:
            raised.append((edge.name, error))
    assert raised == []


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "int64", "longdouble", "complex64", "complex128"])
@pytest.mark.parametrize("values", [[INF, 1], [-INF, -INF], [NAN, 1], [0, 30000], [], [-0.0, 6e-8]])
def test_no_warning_in_other_dtypes(function, kind, values):
    numbers = [0 if kind == "int64" and not np.isfinite(x) else x for x in values]
    a = np.array(numbers).astype(np.dtype(kind))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        got = call(function, a, axis=0)
    assert got is not None


def test_errstate_is_left_as_it_was(dtype, function):
    with np.errstate(all="ignore", over="raise"):
        before = np.geterr()
        call(function, np.array([INF, NAN, 1e30, -1e30], dtype), scale=3.0)
        assert np.geterr() == before


# Shapes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4), (0, 0)])
@pytest.mark.parametrize("axis", [None, 0, -1, ()])
def test_an_empty_array_has_an_empty_share(dtype, share, shape, axis):
    got = call(share, np.ones(shape, dtype), axis=axis)
    assert (got.shape, got.dtype) == (shape, dtype)


@pytest.mark.parametrize(
    ("shape", "axis", "result"),
    [((0,), None, ()), ((0, 3), 0, (3,)), ((0, 3), 1, (0,)), ((3, 0), 1, (3,)), ((2, 0, 4), (0, 1), (4,))],
)
def test_the_mean_of_nothing_is_nan(dtype, shape, axis, result):
    value, sign = lsecy.logmeanexp(np.ones(shape, dtype), axis=axis, return_sign=True)
    assert value.shape == sign.shape == result
    assert value.dtype == sign.dtype == dtype
    assert np.isnan(value).all()
    assert np.isnan(sign).all()


@pytest.mark.parametrize("number", [3, 3.0, -1e300, np.float64(3), np.array(3.0), True, np.int8(3)])
def test_a_scalar_has_the_whole_share(number):
    results = lsecy.softmax(number), lsecy.log_softmax(number)
    assert results == (1, 0)
    assert [type(result) for result in results] == [np.float64, np.float64]


@pytest.mark.parametrize("number", [NAN, INF, -INF])
def test_a_scalar_without_a_share_is_nan(share, number):
    assert np.isnan(call(share, number))


def test_a_scalar_that_is_dropped_has_no_share():
    assert (lsecy.softmax(NAN, where=False), lsecy.log_softmax(NAN, where=False)) == (0, -INF)


def test_the_mean_of_a_scalar_is_the_scalar():
    assert lsecy.logmeanexp(np.float32(0.1)) == np.float32(0.1)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, 2, (0, 1), (2, 0), (0, 1, 2), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_of_the_mean_are_those_of_numpy(rng, axis, keepdims):
    a = rng.standard_normal((3, 4, 5))
    expected = np.log(np.exp(a).mean(axis=axis, keepdims=keepdims))
    assert_close(lsecy.logmeanexp(a, axis=axis, keepdims=keepdims), expected)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, 2, (0, 1), (2, 0), (0, 1, 2), ()])
def test_axes_of_a_share_are_those_of_a_sum(rng, share, axis):
    a = rng.standard_normal((3, 4, 5))
    expected = np.exp(a) / np.exp(a).sum(axis=axis, keepdims=True)
    assert_close(call(share, a, axis=axis), expected if share == "softmax" else np.log(expected))


def test_a_share_is_a_new_c_contiguous_array(share):
    a = np.asfortranarray(A)
    got = call(share, a, axis=0)
    assert type(got) is np.ndarray
    assert got.flags.owndata
    assert not np.shares_memory(got, a)


@pytest.mark.parametrize("name", ["b", "logb", "where"])
@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 1, 1), (2, 1, 5)])
def test_arguments_may_enlarge_a(rng, function, name, shape):
    options = {name: rng.random(shape) > 0.3 if name == "where" else rng.uniform(0.5, 2, shape)}
    whole = np.broadcast_to(A, np.broadcast_shapes(shape, A.shape))
    for axis in (None, 0, 1, (0, 2)):
        assert_close(
            call(function, A, axis=axis, **options), call(function, whole.copy(), axis=axis, **options)
        )


# where ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 16, 33, 65, 200, 5000])
def test_a_mask_is_equal_to_dropping(isa, dtype, function, rng, n):
    for dropped in (NAN, INF, -INF, 1e30, 0.5):
        a, keep = rng.normal(0, 5, (4, n)).astype(dtype), rng.random((4, n)) < 0.6
        keep[:, n // 2] = True
        a[~keep] = dropped
        assert_a_mask_drops(function, a, keep)


def assert_a_mask_drops(function, a, keep):
    dtype, n = a.dtype, a.shape[1]
    rows = [call(function, row[mask]) for row, mask in zip(a, keep, strict=True)]
    expected = np.array(rows) if function in REDUCTIONS else np.zeros((4, n))
    if function in MAPS:
        for i, values in enumerate(rows):
            expected[i] = 0 if function == "softmax" else -INF
            expected[i, keep[i]] = values
    assert_close(call(function, a, axis=1, where=keep), expected, dtype)
    turned = call(function, np.ascontiguousarray(a.T), axis=0, where=keep.T)
    assert_close(turned.T if function in MAPS else turned, expected, dtype)


@pytest.mark.parametrize(
    "mask",
    [
        True,
        np.True_,
        [True] * 5,
        [[True]] * 3,
        np.ones((3, 5), bool),
        np.ones((1, 1), bool),
        np.ones(5, bool)[::-1],
    ],
)
def test_a_mask_that_keeps_all_changes_nothing(function, mask):
    assert exact.same_bits(call(function, A, axis=1, where=mask), call(function, A, axis=1))


@pytest.mark.parametrize("function", MAPS)
def test_a_negative_weight_that_a_mask_drops_is_never_seen(dtype, function):
    a, b, keep = np.array([1, NAN, 3], dtype), np.array([2, -1, 4], dtype), np.array([True, False, True])
    alone = call(function, a[keep], b=b[keep])
    got = call(function, a, b=b, where=keep)
    assert np.array_equal(got[keep], alone)
    assert got[1] == (0 if function == "softmax" else -INF)


@pytest.mark.parametrize("function", MAPS)
def test_a_negative_weight_is_named_and_nothing_is_written(function):
    out = np.full(3, 7.0)
    text = says(function, "b holds -0.5; the weights of shares must not be negative")
    with pytest.raises(ValueError, match=text):
        call(function, np.zeros(3), b=[1.0, -0.5, 2.0], out=out)
    assert np.array_equal(out, [7, 7, 7])


def test_a_mask_of_false_leaves_nothing(function):
    got = call(function, A, where=False)
    expected = {
        "logsumexp": -INF,
        "logmeanexp": NAN,
        "softmax": np.zeros((3, 5)),
        "log_softmax": np.full((3, 5), -INF),
    }
    assert np.array_equal(got, expected[function], equal_nan=True)


@pytest.mark.parametrize("mask", [[1.0] * 5, np.ones(5), ["yes"] * 5, np.full(5, None)])
def test_a_mask_that_is_not_boolean_is_a_type_error(function, mask):
    with pytest.raises(TypeError, match=says(function, "where")):
        call(function, A, where=mask)


# b, logb and scale ----------------------------------------------------------------------


def test_weights_and_log_weights_together_are_a_value_error(function):
    with pytest.raises(ValueError, match=says(function)) as error:
        call(function, A, b=np.ones(5), logb=np.zeros(5))
    assert re.search(r"\bb\b.*\blogb\b", str(error.value))


def test_log_weights_are_logarithms_of_weights(isa, function, rng, dtype):
    for n in (1, 3, 16, 65, 300, 5000):
        a, b = rng.normal(0, 5, (3, n)).astype(dtype), rng.uniform(0.1, 2, (3, n)).astype(dtype)
        for axis in (None, 0, 1):
            expected = call(function, a, axis=axis, b=b)
            assert_close(call(function, a, axis=axis, logb=np.log(b)), expected, dtype, ulp=16)


def test_log_weights_add_to_the_exponent(isa, dtype, share, rng):
    """Sums of two that are exact: the result has the accuracy of the plain call."""
    a, logb = (rng.integers(-4000, 4000, (2, 9, 65)) / 64).astype(dtype)
    expected = call(share, (a + logb).astype(np.float64), axis=1)
    assert_close(call(share, a, axis=1, logb=logb), expected, dtype, ulp=2)


def test_log_weights_beyond_the_range_of_weights(isa, dtype):
    a, logb = np.array([2000, -3000], dtype), np.array([-2000, 3000], dtype)
    assert lsecy.softmax(a, logb=logb).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("scale", [1, 2, 0.5, -1, -4.0, 2.0**-40, np.float64(2), np.int64(-1)])
def test_a_scale_that_is_a_power_of_two_is_exact(isa, dtype, function, rng, scale):
    for n in (1, 3, 16, 65, 300, 5000):
        a = rng.normal(0, 5, (3, n)).astype(dtype)
        scaled = (a * float(scale)).astype(dtype)
        for axis in (None, 0, 1):
            got = call(function, a, axis=axis, scale=scale)
            assert_close(got, call(function, scaled, axis=axis), dtype, ulp=3)


def test_a_scale_of_exponents_whose_last_bit_is_above_1(isa, dtype):
    """What rounding takes from such an exponent is more than a term can be multiplied with."""
    for n in (1, 5, 100, BLOCKS[dtype.name] + 5):
        a = np.full((n, 70), -1e30, dtype)
        expected = dtype.type(0.7 * float(a[0, 0]))
        assert np.all(np.abs(lsecy.logsumexp(a, axis=0, scale=0.7) - expected) <= np.spacing(-expected))
        assert abs(lsecy.logsumexp(a[:, 0].copy(), scale=0.7) - expected) <= np.spacing(-expected)


@pytest.mark.parametrize("scale", [0.1, -0.3, 3.7, 1 / 3, 12.5])
def test_a_scale_multiplies_the_exponent(isa, dtype, function, rng, scale):
    """Of the accuracy that the rounded product allows."""
    eps = float(np.finfo(dtype).eps)
    for n in (2, 16, 65, 1000):
        a, logb = rng.normal(0, 5, (2, n)).astype(dtype)
        with_scale = call(function, a, scale=scale, logb=logb)
        exponent = scale * a.astype(np.longdouble) + logb
        expected = call(function, exponent.astype(np.float64))
        if function == "logmeanexp":
            expected = lsecy.logsumexp(exponent.astype(np.float64)) - lsecy.logsumexp(logb.astype(np.float64))
        largest = np.abs(exponent).max()
        allowed = 2 * eps * largest * (np.abs(expected) if function == "softmax" else 1)
        allowed = allowed + 2 * eps * np.abs(expected) + np.finfo(dtype).smallest_subnormal
        assert np.all(np.abs(with_scale - expected) <= allowed)


def test_a_scale_leaves_the_weights_alone(function):
    expected = call(function, 3 * A, axis=1, b=np.arange(5.0))
    assert_close(call(function, A, axis=1, b=np.arange(5.0), scale=3), expected)


def test_a_sinkhorn_half_step_is_one_call(rng):
    cost, g, epsilon = rng.random((30, 40)), rng.standard_normal(40), 0.05
    expected = lsecy.logsumexp(g - cost / epsilon, axis=1)
    assert_close(lsecy.logsumexp(cost, axis=1, logb=g, scale=-1 / epsilon), expected, ulp=64)


@pytest.mark.parametrize("scale", ["2", None, 1j, [1.0, 2.0], np.ones(5)])
def test_a_scale_that_is_no_number_is_a_type_error(function, scale):
    with pytest.raises(TypeError, match=says(function, "scale")):
        call(function, A, scale=scale)


# Accuracy -------------------------------------------------------------------------------


@cache
def mean_rows(table, case, dtype):
    """Return [(a, b, exact mean, what its error is measured in)] over some sizes."""
    out = []
    for n in [1, 2, 3, 4, 7, 8, 16, 33, 49, 65, 1000, 5000]:
        rng = np.random.default_rng(n)
        if table == "weights":
            a, b = WEIGHTED[case](rng, n, dtype)
        else:
            a, b = {**VALUES, **ILL_CONDITIONED}[case](rng, n, dtype), None
        true = exact.logmeanexp(a, b)
        if exact.mpmath.isfinite(true.value):
            log_count = np.log(n) if b is None else abs(float(exact.logsumexp(np.zeros(n), b).value))
            size = max(abs(float(true.value)), log_count, exact._largest(a, b), true.cancellation)
            out.append((a, b, true, size))
    return out


def worst_mean(table, case, dtype):
    found = []
    for a, b, true, size in mean_rows(table, case, dtype):
        value, sign = lsecy.logmeanexp(a, b=b, return_sign=True)
        with exact.mp.workdps(50):
            error = float(abs(exact.mpf(float(value)) - true.value)) / (float(np.finfo(dtype).eps) * size)
        found.append((error if sign == true.sign else INF, a.size))
    return max(found)


@pytest.mark.parametrize("case", [*VALUES, *ILL_CONDITIONED])
def test_the_mean_stays_within_its_bound(isa, dtype, case):
    error, n = worst_mean("values", case, dtype)
    assert error <= BOUNDS["logmeanexp", dtype.name], f"{error} eps at n = {n}"


@pytest.mark.parametrize("case", WEIGHTED)
def test_the_weighted_mean_stays_within_its_bound(isa, dtype, case):
    error, n = worst_mean("weights", case, dtype)
    assert error <= BOUNDS["weighted logmeanexp", dtype.name], f"{error} eps at n = {n}"


@pytest.mark.parametrize("weighted", [False, True])
def test_means_stay_within_the_bound_where_sums_are_twice_as_large(isa, dtype, rng, weighted):
    """Elements next to the logarithm of their number: what the sum's logarithm rounds counts most there."""
    errors = []
    for n in (2, 3, 5, 20, 64, 70):
        a = (np.log(n) * rng.uniform(0.5, 1.2, (60, 1)) + rng.normal(0, 0.1, (60, n))).astype(dtype)
        b = rng.uniform(0.9, 1.1, a.shape).astype(dtype) if weighted else None
        means = lsecy.logmeanexp(a, axis=1, b=b)
        for k, mean in enumerate(means):
            w = None if b is None else b[k]
            size = max(float(np.max(np.abs(a[k]))), abs(float(exact.logsumexp(np.zeros(n), w).value)))
            with exact.mp.workdps(50):
                error = abs(exact.mpf(float(mean)) - exact.logmeanexp(a[k], w).value)
            errors.append(float(error) / (float(np.finfo(dtype).eps) * size))
    name = "weighted logmeanexp" if weighted else "logmeanexp"
    assert max(errors) <= BOUNDS[name, dtype.name], max(errors)


def masked_row(rng, n, dtype):
    a, keep = rng.normal(0, 5, n).astype(dtype), rng.random(n) < 0.7
    keep[0], a[~keep] = True, NAN
    return a, keep


@pytest.mark.parametrize("n", [2, 5, 16, 33, 65, 300, 5000])
def test_masked_rows_stay_within_the_bounds(isa, dtype, rng, n):
    a, keep = masked_row(rng, n, dtype)
    total = exact.ulp_error(lsecy.logsumexp(a, where=keep), exact.logsumexp(a[keep]).value, dtype)
    softmax, log_softmax, _ = exact.shares(np.where(keep, a, 0), where=keep)
    errors = {
        "logsumexp": total,
        "softmax": exact.ulp_errors(lsecy.softmax(a, where=keep), exact.near(softmax, dtype)).max(),
        "log_softmax": exact.ulp_errors(
            lsecy.log_softmax(a, where=keep), exact.near(log_softmax, dtype)
        ).max(),
    }
    assert [name for name, error in errors.items() if error > BOUNDS[name, dtype.name]] == [], errors


@pytest.mark.parametrize("n", [2, 5, 16, 33, 65, 300, 5000])
def test_shares_with_log_weights_stay_within_the_bounds(isa, dtype, share, rng, n):
    """Sums of two numbers that are exact, on which no rounding can be blamed."""
    a, logb = (rng.integers(-300, 300, (2, n)) / 8).astype(dtype)
    softmax, log_softmax, _ = exact.shares(a, logb=logb)
    true = exact.near(softmax if share == "softmax" else log_softmax, dtype)
    error = exact.ulp_errors(call(share, a, logb=logb), true).max()
    assert error <= BOUNDS[f"weighted {share}", dtype.name]


# Equal bits -----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 64, 81, 200])
def test_columns_whose_rows_share_places_in_cache_have_the_same_bits(isa, dtype, function, rng, width):
    """Rows 4096 bytes apart are brought together, or read and written a few at a time."""
    differing = []
    for n in (2, 8, 9, 17, 48, 49, 64, 65, 130):
        a, b, out = np.zeros((3, n, 4096 // dtype.itemsize), dtype)
        a[:, :width] = rng.normal(0, 5, (n, width))
        a[:, :3] = -np.inf, np.nan, 3e38
        b[:, :width] = rng.uniform(0.5, 2, (n, width))
        for name, weights in {"plain": {}, "b": {"b": b}, "where": {"where": b > 1}}.items():
            rows = call(
                function, a.T[:width].copy(), axis=1, **{k: v.T[:width].copy() for k, v in weights.items()}
            )
            apart = {k: v[:, :width] for k, v in weights.items()}
            results = [call(function, a[:, :width], axis=0, **apart).T]
            if function.endswith("softmax"):
                results.append(call(function, a[:, :width], axis=0, out=out[:, :width], **apart).T)
                assert not out[:, width:].any()
            differing += [(n, name) for got in results if not exact.same_bits(got, rows)]
    assert differing == []


@pytest.mark.parametrize("n", [8, 70, 300])
def test_masked_columns_in_place_have_the_bits_of_rows(isa, dtype, share, rng, n):
    """What a mask keeps stands where the answers will be, special columns and all."""
    a, keep = rng.normal(0, 5, (n, 67)).astype(dtype), rng.random((n, 67)) < 0.6
    a[~keep] = np.nan
    for column, value in ((3, np.inf), (20, np.nan), (41, -np.inf)):
        a[n // 2, column], keep[n // 2, column] = value, True
    keep[:, 30] = False
    rows = call(share, a.T.copy(), axis=1, where=keep.T.copy())
    assert exact.same_bits(call(share, a, axis=0, out=a, where=keep).T, rows)
    assert np.isnan(rows[20][keep[:, 20]]).all()
    assert not np.isnan(rows[41]).any()


@pytest.mark.parametrize("kind", ["where", "logb", "scale", "all"])
def test_rows_with_options_have_the_same_bits_everywhere(isa, dtype, function, rng, kind):
    differing = []
    for n in (1, 2, 3, 8, 17, 64, 65, 130, 1000, BLOCKS[dtype.name] + 1):
        a = rng.normal(0, 5, (19, n)).astype(dtype)
        options = {"where": rng.random((19, n)) < 0.7, "logb": rng.standard_normal((19, n)).astype(dtype)}
        options = {name: values for name, values in options.items() if kind in (name, "all")}
        extra = {"scale": 0.3} if kind in ("scale", "all") else {}
        single = np.array(
            [call(function, a[i], **{k: v[i] for k, v in options.items()}, **extra) for i in range(19)]
        )
        rows = call(function, a, axis=1, **options, **extra)
        turned = {k: np.ascontiguousarray(v.T) for k, v in options.items()}
        columns = call(function, np.ascontiguousarray(a.T), axis=0, **turned, **extra).T
        strided = {k: np.repeat(v, 2, axis=1)[:, ::2] for k, v in options.items()}
        views = call(function, np.repeat(a, 2, axis=1)[:, ::2], axis=1, **strided, **extra)
        results = {"rows": rows, "columns": columns, "views": views}
        differing += [(n, name) for name, got in results.items() if not exact.same_bits(got, single)]
    assert differing == []


def test_means_have_the_same_bits_with_any_number_of_threads(isa, dtype):
    a = np.random.default_rng(5).standard_normal((1000, 1100), dtype)
    for axis in (None, 0, 1):
        with lsecy.threads(1):
            reference = lsecy.logmeanexp(a, axis=axis)
        assert exact.same_bits(lsecy.logmeanexp(a, axis=axis), reference)


# out ------------------------------------------------------------------------------------


def shape_of(function, shape=(3, 5)):
    return shape if function in MAPS else shape[:1]


def test_out_is_returned_itself(function):
    out = np.empty(shape_of(function))
    assert call(function, A, axis=1, out=out) is out
    assert exact.same_bits(out, call(function, A, axis=1))


def test_out_without_axes_is_returned_itself(reduction):
    out = np.empty(())
    assert call(reduction, A, out=out) is out
    assert out == call(reduction, A)


def test_out_of_a_scalar_is_returned_itself(share):
    out = np.empty(())
    assert call(share, 3.0, out=out) is out
    assert out == (1 if share == "softmax" else 0)


def test_out_keeps_the_reduced_axes_when_asked(reduction):
    out = np.empty((3, 1))
    assert call(reduction, A, axis=1, keepdims=True, out=out) is out
    assert exact.same_bits(out, call(reduction, A, axis=1, keepdims=True))


def test_out_with_the_sign_is_a_pair(reduction):
    pair = np.empty(3), np.empty(3)
    got = call(reduction, A, axis=1, b=-np.ones(5), return_sign=True, out=pair)
    assert (got[0] is pair[0], got[1] is pair[1]) == (True, True)
    assert exact.same_bits(
        np.array(got), np.array(call(reduction, A, axis=1, b=-np.ones(5), return_sign=True))
    )


def test_out_may_be_strided(reduction):
    buffer = np.full((7, 3), 9.0)
    call(reduction, A, axis=1, out=buffer[1::2, 1])
    assert exact.same_bits(buffer[1::2, 1], call(reduction, A, axis=1))
    assert np.sum(buffer == 9) == 18


def test_out_of_a_reduction_may_be_part_of_a(isa, reduction, rng):
    for shape, axis, place in [
        ((40, 50), 0, np.s_[3]),
        ((40, 50), 1, np.s_[:, 7]),
        ((40, 40), 0, np.s_[:, 3]),
    ]:
        a = rng.standard_normal(shape)
        expected = call(reduction, a.copy(), axis=axis)
        assert exact.same_bits(call(reduction, a, axis=axis, out=a[place]), expected)


def test_out_may_be_of_a_narrow_dtype(function):
    for kind in (np.float16, ml_dtypes.bfloat16):
        a = A.astype(kind)
        out = np.empty(shape_of(function), kind)
        assert call(function, a, axis=1, out=out) is out
        assert np.array_equal(out, call(function, a, axis=1))


def test_out_may_be_the_float16_input(share):
    a = A.astype(np.float16)
    expected = call(share, a, axis=1)
    assert np.array_equal(call(share, a, axis=1, out=a), expected)


def test_out_of_complex_input(function):
    a = A + 0.5j
    out = np.empty(shape_of(function), complex)
    assert call(function, a, axis=1, out=out) is out
    assert np.array_equal(out, call(function, a, axis=1))


def _read_only(shape):
    out = np.full(shape, 7.0)
    out.flags.writeable = False
    return out


BAD_OUT = {
    "a list": lambda shape: np.full(shape, 7.0).tolist(),
    "read-only": _read_only,
    "one axis more": lambda shape: np.full((1, *shape), 7.0),
    "one element more": lambda shape: np.full((*shape[:-1], shape[-1] + 1), 7.0),
    "broadcast": lambda shape: np.full((*shape[:-1], 1), 7.0),
    "float32": lambda shape: np.full(shape, 7, np.float32),
    "longdouble": lambda shape: np.full(shape, 7, np.longdouble),
    "integers": lambda shape: np.full(shape, 7),
    "complex": lambda shape: np.full(shape, 7, complex),
    "object": lambda shape: np.full(shape, 7, object),
    "a pair": lambda shape: (np.full(shape, 7.0), np.full(shape, 7.0)),
}


@pytest.mark.parametrize(
    "kind", [kind for kind in BAD_OUT if np.longdouble != np.float64 or kind != "longdouble"]
)
def test_a_wrong_out_is_refused_before_anything_is_written(function, kind):
    out = BAD_OUT[kind](shape_of(function))
    with pytest.raises((TypeError, ValueError), match=says(function, "out")):
        call(function, A, axis=1, out=out)
    assert np.all(np.array(out) == 7)


@pytest.mark.parametrize("kind", BAD_OUT)
def test_a_wrong_out_of_the_sign_is_refused_before_anything_is_written(reduction, kind):
    value, sign = np.full(3, 7.0), BAD_OUT[kind]((3,))
    with pytest.raises((TypeError, ValueError), match=says(reduction, "out")):
        call(reduction, A, axis=1, return_sign=True, out=(value, sign))
    assert np.all(value == 7)


def test_the_sign_needs_a_pair(reduction):
    out = np.full(3, 7.0)
    for wrong in (out, (out,), (out, out.copy(), out.copy())):
        with pytest.raises((TypeError, ValueError), match=says(reduction, "out")):
            call(reduction, A, axis=1, return_sign=True, out=wrong)
    assert np.all(out == 7)


WRONG = {
    "axis": {"axis": 2},
    "b": {"b": np.ones(4)},
    "logb": {"logb": np.ones(4)},
    "where": {"where": np.ones(4, bool)},
    "both weights": {"b": 1.0, "logb": 1.0},
    "scale": {"scale": "1"},
    "dtype": {"dtype": "int64"},
    "b of objects": {"b": np.full(5, None)},
    "logb of strings": {"logb": np.full(5, "1")},
}


@pytest.mark.parametrize("kind", WRONG)
def test_nothing_is_written_when_another_argument_is_wrong(function, kind):
    out = np.full(shape_of(function), 7.0)
    with pytest.raises((TypeError, ValueError), match=says(function)):
        call(function, A, **{"axis": 1, "out": out, **WRONG[kind]})
    assert np.all(out == 7)


def test_failed_calls_leave_nothing_behind(function):
    a, out, mask, b = A.copy(), np.empty(shape_of(function)), np.ones((3, 5), bool), np.ones(4)
    held = a, out, mask, b
    before = [sys.getrefcount(x) for x in held]
    for _ in range(50):
        with pytest.raises(ValueError, match=says(function)):
            call(function, a, axis=1, where=mask, out=out, b=b)
        call(function, a, axis=1, where=mask, out=out, logb=a)
        call(function, a.T, axis=0, where=mask.T, dtype=np.float32)
    assert [sys.getrefcount(x) for x in held] == before


def test_inputs_are_not_written(dtype, function, rng):
    a, b = rng.uniform(0, 3, (2, 9, 300)).astype(dtype)
    keep = rng.random((9, 300)) < 0.5
    before = a.copy(), b.copy(), keep.copy()
    for axis in (None, 0, 1):
        call(function, a, axis=axis, b=b, where=keep)
        call(function, a, axis=axis, logb=b, where=keep, scale=2.5)
    assert all(map(np.array_equal, (a, b, keep), before))


# dtype= ---------------------------------------------------------------------------------

NARROW = [np.dtype(np.float16), np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16)]


@pytest.mark.parametrize("kind", NARROW, ids=lambda kind: kind.name)
def test_a_narrower_output_is_rounded_once(function, rng, kind):
    a = rng.normal(0, 5, (5, 65))
    expected = call(function, a, axis=1).astype(kind)
    got = call(function, a, axis=1, dtype=kind)
    assert got.dtype == kind
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "int8", "float64", "longdouble"])
def test_any_input_may_be_returned_as_float64(function, kind):
    a = np.arange(15).reshape(3, 5).astype(np.dtype(kind))
    got = call(function, a, axis=1, dtype=np.float64)
    assert got.dtype == np.float64
    assert_close(got, call(function, a.astype(np.float64), axis=1), np.float32)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_returned_as_float32_keeps_what_was_computed(function, rng, kind):
    a = rng.normal(0, 3, (5, 65)).astype(np.dtype(kind))
    got = call(function, a, axis=1, dtype="float32")
    assert exact.same_bits(got, call(function, a.astype(np.float32), axis=1))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("given", [False, True], ids=["new", "out"])
def test_every_half_precision_number_and_tie_is_rounded_to_even(kind, given):
    kind = np.dtype(kind)
    bits = np.arange(2**16, dtype=np.uint16).view(kind).astype(np.float32).view(np.uint32)
    tie = 2**12 if kind == np.float16 else 2**15  # half of the last place
    near = [(bits + np.uint32(tie + k)).view(np.float32) for k in range(-1, 2)]
    subnormal = np.arange(-(2**12), 2**12, dtype=np.float32) * np.float32(2.0**-25)  # every second one a tie
    aside = [np.nextafter(subnormal, np.float32(side)) for side in (-1, 1)]
    limits = np.float32([65519.99, 65520, 65536, 3e38, -3e38])
    a = np.concatenate([bits.view(np.float32), *near, subnormal, *aside, limits])
    with np.errstate(all="ignore"):
        expected = a.astype(kind).astype(np.float32)
    out = np.empty(a.shape, kind) if given else None
    got = lsecy.logsumexp(a[:, None], axis=1, dtype=kind, out=out)  # of one element: the element itself
    assert got.dtype == kind
    assert np.array_equal(got.astype(np.float32), expected, equal_nan=True)


def test_an_output_of_float16_does_not_narrow_the_computation():
    assert lsecy.logsumexp(np.zeros(70_000), dtype=np.float16) == np.float16(np.log(70_000))


def test_an_output_beyond_the_range_is_infinite_without_a_warning():
    assert lsecy.logsumexp([1e300, 0.0], dtype=np.float32) == INF


@pytest.mark.parametrize("kind", ["int64", "bool", "S3", "M8[s]", "object"])
def test_an_output_that_is_not_floating_is_a_type_error(function, kind):
    with pytest.raises(TypeError, match=says(function, "dtype")):
        call(function, A, dtype=kind)


def test_an_output_that_cannot_hold_complex_numbers_is_a_type_error(function):
    with pytest.raises(TypeError, match=says(function, "dtype")):
        call(function, A + 1j, dtype=np.float64)


def test_out_has_the_dtype_that_dtype_says(function):
    out = np.empty(shape_of(function), np.float32)
    assert call(function, A, axis=1, dtype=np.float32, out=out) is out
    assert exact.same_bits(out, call(function, A, axis=1).astype(np.float32))


def test_out_of_another_dtype_than_dtype_says_is_refused(function):
    out = np.full(shape_of(function), 7.0)
    with pytest.raises((TypeError, ValueError), match=says(function, "out")):
        call(function, A, axis=1, dtype=np.float32, out=out)
    assert np.all(out == 7)


# Dtypes of the input --------------------------------------------------------------------

RESULT = {
    **dict.fromkeys(
        ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"], "float64"
    ),
    **{
        name: name
        for name in ("float16", "bfloat16", "float32", "float64", "longdouble", "complex64", "complex128")
    },
    **{">f2": "float16", ">f4": "float32", ">f8": "float64"},
}


@pytest.mark.parametrize("kind", RESULT)
def test_the_dtype_of_the_result(function, kind):
    got = call(function, np.ones((3, 4)).astype(np.dtype(kind)), axis=0)
    assert got.dtype == np.dtype(RESULT[kind])
    assert got.dtype.isnative


@pytest.mark.parametrize("kind", ["complex64", "complex128"])
def test_the_sign_of_a_complex_sum_is_complex(kind):
    value, sign = lsecy.logsumexp(np.ones((3, 4), kind), axis=0, return_sign=True)
    assert (value.dtype, sign.dtype) == (np.ones((), kind).real.dtype, np.dtype(kind))


@pytest.mark.parametrize("kind", [*NARROW[::2], np.dtype(">f2")], ids=str)
@pytest.mark.parametrize("n", [1, 5, 16, 65, 300, 5000])
def test_half_precision_is_computed_in_float32(isa, function, rng, kind, n):
    a = rng.normal(0, 3, (5, n)).astype(kind)
    for axis in (None, 0, 1):
        expected = call(function, a.astype(np.float32), axis=axis).astype(kind.newbyteorder("="))
        for view in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
            assert np.array_equal(call(function, view, axis=axis), expected)


def test_seventy_thousand_zeros_of_bfloat16(isa):
    a = np.zeros(70_000, ml_dtypes.bfloat16)
    assert lsecy.logsumexp(a) == np.float32(np.log(70_000)).astype(ml_dtypes.bfloat16)


@pytest.mark.parametrize(
    "kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
)
def test_integers_are_computed_in_float64(isa, function, kind):
    info = (0, 1) if kind == "bool" else (np.iinfo(kind).min, np.iinfo(kind).max)
    a = np.array([[info[0], info[1], 1, 0], [1, 0, 0, 1]], kind)
    for axis in (None, 0, 1):
        expected = call(function, a.astype(np.float64), axis=axis)
        assert exact.same_bits(call(function, a, axis=axis), expected)


@pytest.mark.parametrize(
    ("a", "other"),
    [
        ("float32", "float64"),
        ("float64", "float32"),
        ("float16", "float32"),
        ("float32", "float16"),
        ("float16", "float64"),
        ("int64", "float32"),
        ("float32", "int64"),
        ("float32", "complex64"),
        ("float64", "longdouble"),
    ],
)
@pytest.mark.parametrize("name", ["b", "logb"])
def test_weights_promote_as_in_numpy(function, name, a, other):
    got = call(function, np.ones((3, 4), a), axis=0, **{name: np.ones((3, 4), other)})
    assert got.dtype == np.result_type(a, other)


@pytest.mark.parametrize("number", [2, 2.0, True])
def test_a_plain_number_does_not_promote(function, number):
    a = np.ones((3, 4), np.float32)
    results = [call(function, a, axis=0, **{name: number}) for name in ("b", "logb", "scale")]
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


UNSUPPORTED = {
    "object": np.array([1.0, None, 3.0], object),
    "string": np.array(["1", "2", "3"]),
    "bytes": np.array([b"1", b"2", b"3"]),
    "timedelta": np.ones(3, "m8[s]"),
    "datetime": np.ones(3, "M8[s]"),
    "record": np.ones(3, [("x", "f8")]),
}


@pytest.mark.parametrize("name", ["", "b", "logb"])
@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_an_unsupported_dtype_is_a_type_error(function, kind, name):
    values = UNSUPPORTED[kind]
    first = next(iter(inspect.signature(getattr(lsecy, function)).parameters))
    with pytest.raises(TypeError, match=says(function, f"{name or first} ", str(values.dtype))):
        call(function, values) if name == "" else call(function, np.ones(3), **{name: values})


@pytest.mark.parametrize("name", ["b", "logb", "where"])
def test_what_does_not_broadcast_is_a_value_error(function, name):
    with pytest.raises(
        ValueError, match=says(function, f"{name} of shape (4,) does not broadcast", "(3, 5)")
    ):
        call(function, A, **{name: np.ones(4, bool if name == "where" else float)})


@pytest.mark.parametrize(
    ("axis", "error"), [(2, np.exceptions.AxisError), ((0, 0), ValueError), ("0", TypeError)]
)
def test_a_wrong_axis_is_named(function, axis, error):
    with pytest.raises(error, match=says(function, "axis")):
        call(function, A, axis=axis)


# complex and longdouble -----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["complex64", "complex128", "longdouble"])
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_other_dtypes_are_as_in_scipy(rng, name, kind):
    a = (rng.standard_normal((4, 9)) + (2j * rng.standard_normal((4, 9)) if "complex" in kind else 0)).astype(
        kind
    )
    eps = np.finfo(kind).eps
    for axis in (None, 0, 1, (0, 1)):
        expected = getattr(scipy.special, name)(a, axis=axis)
        got = call(name, a, axis=axis)
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=100 * eps, atol=100 * eps)


@pytest.mark.parametrize("kind", ["complex64", "complex128", "longdouble"])
def test_weights_in_other_dtypes_are_as_in_scipy(rng, kind):
    a, b = rng.standard_normal((2, 4, 9)).astype(kind)
    b = b + (1j * rng.standard_normal((4, 9)) if "complex" in kind else 0)
    eps = np.finfo(kind).eps
    for axis in (None, 0, 1):
        expected = scipy.special.logsumexp(a, axis=axis, b=b.astype(kind), return_sign=True)
        got = lsecy.logsumexp(a, axis=axis, b=b.astype(kind), return_sign=True)
        for x, y in zip(got, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1000 * eps, atol=1000 * eps)


@pytest.mark.parametrize("kind", ["complex128", "longdouble"])
def test_a_mask_and_a_scale_in_other_dtypes_are_equal_to_dropping_and_multiplying(function, rng, kind):
    a = (rng.standard_normal(9) + (2j * rng.standard_normal(9) if "complex" in kind else 0)).astype(kind)
    keep = np.arange(9) % 3 > 0
    expected = call(function, 2.5 * a[keep])
    got = call(function, np.where(keep, a, NAN), where=keep, scale=2.5)
    np.testing.assert_allclose(got[keep] if function in MAPS else got, expected, rtol=1e-14)
    if function in MAPS:
        assert np.all(got[~keep] == (0 if function == "softmax" else -INF))


def test_a_complex_step_gives_the_derivative(rng):
    """The imaginary part of logsumexp(a + ih) is h * softmax(a), however small h is."""
    a, h = rng.normal(0, 3, 20), 1e-200
    derivative = [lsecy.logsumexp(a + 1j * h * (np.arange(20) == i)).imag / h for i in range(20)]
    np.testing.assert_allclose(derivative, lsecy.softmax(a), rtol=1e-14)


@pytest.mark.parametrize("case", [[0.0, -40.0], [3.0, 1.0, 2.5], [-1e3, -1e3], [0.1] * 7])
def test_longdouble_is_computed_in_longdouble(case):
    true = exact.contract(case, [1.0] * len(case)).value
    got = lsecy.logsumexp(np.array(case, np.longdouble))
    high = float(got)
    with exact.mp.workdps(40):
        error = abs(exact.mpf(high) + exact.mpf(float(got - np.longdouble(high))) - true) / abs(true)
    assert error <= 4 * float(np.finfo(np.longdouble).eps)


# Other libraries ------------------------------------------------------------------------


def test_the_mask_of_a_masked_array_joins_where(function):
    masked = np.ma.masked_array(np.where(A == 1, NAN, A), mask=A == 1)
    keep = np.arange(5) != 3
    got = call(function, masked, axis=1, where=keep)
    assert type(got) is np.ndarray
    assert exact.same_bits(got, call(function, A, axis=1, where=(A != 1) & keep))


@pytest.mark.parametrize("name", ["b", "logb"])
def test_the_mask_of_masked_weights_joins_where(function, name):
    masked = np.ma.masked_array([1.0, NAN, 2.0, 1.0, 0.5], mask=[0, 1, 0, 0, 0])
    keep = np.array([True, False, True, True, True])
    expected = call(function, A, axis=1, where=keep, **{name: np.array([1.0, 1.0, 2.0, 1.0, 0.5])})
    assert exact.same_bits(call(function, A, axis=1, **{name: masked}), expected)


def test_a_masked_array_without_a_mask_is_an_array(function):
    assert exact.same_bits(call(function, np.ma.masked_array(A), axis=0), call(function, A, axis=0))


def test_a_fully_masked_row_has_no_share():
    masked = np.ma.masked_array(A, mask=np.arange(15).reshape(3, 5) // 5 == 1)
    assert lsecy.softmax(masked, axis=1).sum(axis=1).round(12).tolist() == [1, 0, 1]


FOREIGN = {
    "pandas.DataFrame": pd.DataFrame,
    "pandas.Series of rows": lambda a: pd.DataFrame(a).loc[:, 0],
    "xarray.DataArray": xr.DataArray,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_labelled_arrays_are_taken_as_numpy_takes_them(function, kind):
    foreign = FOREIGN[kind](A)
    got = call(function, foreign, axis=0)
    assert type(got) is (np.ndarray if np.ndim(got) else np.float64)
    assert exact.same_bits(got, call(function, np.asarray(foreign), axis=0))


def test_labelled_weights_and_masks_are_taken_as_numpy_takes_them(function):
    expected = call(function, A, axis=1, b=np.arange(5.0), where=np.arange(5) < 4)
    got = call(function, A, axis=1, b=pd.Series(np.arange(5.0)), where=xr.DataArray(np.arange(5) < 4))
    assert exact.same_bits(got, expected)


def test_a_tensor_is_taken_as_numpy_takes_it(function):
    torch = pytest.importorskip("torch")
    for kind in (torch.float32, torch.float64):
        tensor = torch.tensor(A, dtype=kind)
        assert exact.same_bits(call(function, tensor, axis=1), call(function, tensor.numpy(), axis=1))


def _lazy(shape=(3, 5)):
    def compute(block):
        raise AssertionError("a lazy array was loaded")

    return dask.array.zeros(shape, chunks=2).map_blocks(
        compute, dtype=float, meta=np.empty((0,) * len(shape))
    )


def test_a_lazy_array_is_refused_and_not_loaded(function):
    with pytest.raises(TypeError, match=says(function, "dask", "map_blocks")):
        call(function, _lazy())


@pytest.mark.parametrize("name", ["b", "logb", "where"])
def test_lazy_options_are_refused_and_not_loaded(function, name):
    with pytest.raises(TypeError, match=says(function, name, "dask")):
        call(function, A, **{name: _lazy((5,))})
