"""logvarexp, log_ess and normalize_logweights."""

import warnings
from functools import cache

import exact
import numpy as np
import pytest
from arrays import LAYOUTS
from bounds import BOUNDS
from exact import mp, mpf

import lsecy
from lsecy import log_ess, logvarexp, normalize_logweights

INF, NAN = np.inf, np.nan
OFFSETS = [0.0, -7.6, 300.0, -1000.0, 1e5]
SPREADS = [1e-6, 1e-3, 1.0, 5.0, 50.0]


def exact_variance(a, b=None, ddof=0.0):
    with mp.workdps(120):
        w = [mp.exp(mpf(float(x))) for x in a]
        b = [mpf(1)] * len(w) if b is None else [mpf(float(x)) for x in b]
        mean = mp.fsum(x * y for x, y in zip(w, b, strict=True)) / mp.fsum(b)
        square = mp.fsum(y * (x - mean) ** 2 for x, y in zip(w, b, strict=True))
        return mp.log(square / (mp.fsum(b) - mpf(float(ddof)))) if square else mpf("-inf")


def exact_ess(a):
    with mp.workdps(60):
        w = [mp.exp(mpf(float(x))) for x in a]
        return mp.log(mp.fsum(w) ** 2 / mp.fsum(x * x for x in w))


def error(got, true, beside):
    eps = np.finfo(got.dtype).eps
    with mp.workdps(60):
        return float(abs(mpf(float(got)) - true) / (mpf(float(eps)) * max(1, abs(true), mpf(float(beside)))))


@cache
def rows(dtype):
    """Return [(a, exact log_ess)] of rows of any offset, spread and length."""
    found, rng = [], np.random.default_rng(20)
    for offset in OFFSETS:
        for spread in SPREADS:
            for n in (2, 9, 100, 900):
                a = (offset + spread * rng.standard_normal(n)).astype(dtype)
                if a.max() > a.min():
                    found.append((a, exact_ess(a)))
    return found


def test_variances_stay_within_their_bound(dtype):
    worst = max(error(logvarexp(a), exact_variance(a), np.abs(a).max()) for a, _ in rows(dtype))
    assert worst <= BOUNDS["logvarexp", dtype.name]


def test_weighted_variances_stay_within_their_bound(dtype, rng):
    for a, _ in rows(dtype):
        b = rng.random(a.size).astype(dtype)
        true = exact_variance(a, b, 0.25 * float(b.sum()))
        got = logvarexp(a, b=b, ddof=0.25 * float(b.sum()))
        assert error(got, true, np.abs(a).max()) <= BOUNDS["logvarexp", dtype.name]


def test_effective_sample_sizes_stay_within_their_bound(isa, dtype):
    worst = max(error(log_ess(a), true, 1) for a, true in rows(dtype))
    assert worst <= BOUNDS["log_ess", dtype.name]


@pytest.mark.parametrize("n", [1, 2, 7, 100, 10_000])
@pytest.mark.parametrize("value", [0.0, 0.1, -1000.0, 1e30])
def test_equal_log_weights_are_worth_their_number(isa, dtype, n, value):
    got = log_ess(np.full(n, value, dtype))
    assert abs(got - np.log(n)) <= 4 * np.finfo(dtype).eps * max(1, np.log(n))
    assert got >= 0


@pytest.mark.parametrize("value", [0.1, -1000.0, 12345.678])
@pytest.mark.parametrize("b", [None, 0.3])
def test_the_variance_of_what_is_equal_is_nothing(dtype, value, b):
    for n in (1, 3, 1000):
        assert logvarexp(np.full(n, value, dtype), b=b) == -INF


@pytest.mark.parametrize(
    ("a", "variance", "ess"),
    [
        ([], NAN, NAN),
        ([-INF, -INF], -INF, NAN),
        ([0.0, -INF], np.log(0.25), 0.0),
        ([NAN, 1.0], NAN, NAN),
        ([INF, 1.0], NAN, NAN),
        ([-INF, NAN], NAN, NAN),
        ([800.0, -800.0], 1600 + np.log(0.25), 0.0),
    ],
)
def test_special_values(isa, dtype, a, variance, ess):
    a = np.array(a, dtype)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        np.testing.assert_allclose(logvarexp(a), variance, rtol=1e-6)
        np.testing.assert_allclose(log_ess(a), ess, rtol=1e-6)


def test_ddof_of_all_the_weight_leaves_nothing_to_divide_by():
    assert np.isnan(logvarexp([1.0], ddof=1))
    assert np.isnan(logvarexp([1.0, 2.0], ddof=3))
    np.testing.assert_allclose(np.exp(logvarexp(np.log([1.0, 2, 4]), ddof=1)), np.var([1.0, 2, 4], ddof=1))


@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, (0, 2), (2, 1), (0, 1, 2)])
@pytest.mark.parametrize("layout", ["C", "Fortran", "reversed on all axes", "byte-swapped"])
def test_axes_and_layouts(dtype, rng, axis, layout):
    a = rng.standard_normal((5, 30, 7)).astype(dtype)
    b, keep = rng.random((30, 1)).astype(dtype), rng.random(a.shape) < 0.8
    view, w = LAYOUTS[layout](a), np.where(keep, np.exp(a.astype(float)), 0)
    rtol = 1e-5 if dtype == np.float32 else 1e-11
    weights = np.where(keep, np.broadcast_to(b, a.shape), 0).astype(float)
    for keepdims in (False, True):
        sums = {"axis": axis, "keepdims": keepdims}
        mean = (weights * w).sum(axis, keepdims=True) / weights.sum(axis, keepdims=True)
        variance = (weights * (w - mean) ** 2).sum(**sums) / weights.sum(**sums)
        got = logvarexp(view, axis, b, keepdims, where=keep)
        assert got.dtype == dtype
        np.testing.assert_allclose(np.exp(got), variance, rtol=rtol)
        got = log_ess(view, axis, keepdims=keepdims, where=keep)
        np.testing.assert_allclose(np.exp(got), w.sum(**sums) ** 2 / (w**2).sum(**sums), rtol=rtol)
    masked = np.ma.array(view, mask=~keep)
    assert exact.same_bits(logvarexp(masked, axis, b), logvarexp(view, axis, b, where=keep))
    assert exact.same_bits(log_ess(masked, axis), log_ess(view, axis, where=keep))
    dirty = np.where(keep, a, NAN)
    assert exact.same_bits(logvarexp(dirty, axis, b, where=keep), logvarexp(a, axis, b, where=keep))
    assert exact.same_bits(logvarexp(dirty, axis, b=b * keep), logvarexp(a, axis, b=b * keep))


def test_many_blocks_are_one_variance(rng):
    for shape, axis in [((300_000,), None), ((40, 50, 200), None), ((3, 100_000), 1), ((90_000, 4), 0)]:
        a = rng.standard_normal(shape)
        np.testing.assert_allclose(np.exp(logvarexp(a, axis)), np.var(np.exp(a), axis), rtol=1e-10)


@pytest.mark.parametrize("kind", ["float16", "float32", "int8", "bool", "uint64"])
def test_the_dtype_is_that_of_logmeanexp(kind):
    a = np.array([0, 1, 1, 0, 1]).astype(kind)
    for function in (logvarexp, log_ess):
        assert function(a).dtype == lsecy.logmeanexp(a).dtype
        assert function(a, dtype=np.float32).dtype == np.float32
        np.testing.assert_allclose(function(a), function(a.astype(float)), rtol=2e-3)


def test_normalised_log_weights_and_their_total(isa, dtype, rng):
    a = (rng.normal(0, 20, (50, 9)) - 1000).astype(dtype)
    keep = rng.random(a.shape) < 0.8
    logw, total = normalize_logweights(a, 1, where=keep)
    assert exact.same_bits(logw, lsecy.log_softmax(a, 1, where=keep))
    np.testing.assert_allclose(total, lsecy.logsumexp(a, 1, where=keep), rtol=2 * np.finfo(dtype).eps)
    assert total.dtype == dtype
    expected = lsecy.log_softmax(a)
    assert normalize_logweights(a, out=a)[0] is a
    assert exact.same_bits(a, expected)


def test_out_is_filled_and_returned(dtype, rng):
    a = rng.standard_normal((5, 8)).astype(dtype)
    for function in (logvarexp, log_ess):
        out = np.empty((5, 2), dtype)[:, 1]
        assert function(a, 1, out=out) is out
        assert exact.same_bits(out, function(a, 1))


@pytest.mark.parametrize("function", [logvarexp, log_ess, normalize_logweights])
@pytest.mark.parametrize(
    ("a", "options", "error", "words"),
    [
        (np.ones(3), {"axis": 1}, np.exceptions.AxisError, "axis 1 is out of range"),
        (np.ones(3), {"where": [1, 0, 1]}, TypeError, "where has dtype int64"),
        (np.ones(3), {"where": [True, False]}, ValueError, r"where of shape \(2,\) does not broadcast"),
        (np.ones(3), {"out": [1.0]}, TypeError, "out must be a NumPy array, not list"),
        (np.ones(3), {"out": np.ones((7, 2))}, ValueError, r"out has shape \(7, 2\)"),
        (np.ones(3), {"out": np.ones(3, "f4")}, TypeError, "out has dtype float32"),
        (np.ones(3), {"dtype": "int8"}, TypeError, "dtype is 'int8'"),
        (np.ones(3, complex), {}, TypeError, "complex128 has no state"),
        (["x"], {}, TypeError, "a has dtype <U1"),
    ],
)
def test_bad_input_is_refused(function, a, options, error, words):
    with pytest.raises(error, match=f"^{function.__name__}: {words}"):
        function(a, **options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"ddof": "1"}, TypeError, "ddof must be one real number, not '1'"),
        ({"b": [1.0, -0.5, 1]}, ValueError, "b holds -0.5; the weights of a variance must not be negative"),
    ],
)
def test_the_variance_refuses_what_has_no_meaning(options, error, words):
    with pytest.raises(error, match=f"^logvarexp: {words}"):
        logvarexp(np.ones(3), **options)
    logvarexp(np.ones(3), b=[1.0, -0.5, 1], where=[True, False, True])
