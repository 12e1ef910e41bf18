"""Infinities, NaN, signs, zero weights and emptiness: at any place of any row."""

import warnings
from functools import cache

import numpy as np
import pytest
from arrays import BLOCKS
from edge_cases import EDGES, EDGES_FLOAT64, INF, NAN, patterns

import lsecy

by_name = pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
LENGTHS = [5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 130, 257]
FULL = (-INF, -1.0, 0.0, 2.0, INF, NAN)
SETS = [(length, None) for length in (1, 2, 3, 4)] + [
    (1, FULL),
    (2, FULL),
    (3, (-1.0, 0.0, 2.0)),
    (4, (-1.0, 0.0, 2.0)),
]


@cache
def pattern_set(length, weights):
    return patterns(length, weights)


def agree(got, expected, dtype, ulp=4):
    """Tell whether values agree: infinities and NaN exactly, finite ones to a few ulp."""
    expected = np.asarray(expected, dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        unit = np.spacing(np.abs(np.where(np.isfinite(expected), expected, 1)))
        close = np.abs(got - expected) <= ulp * unit
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    return np.where(np.isfinite(expected), close, same)


def assert_edge(a, b, value, sign, dtype, **options):
    got, got_sign = lsecy.logsumexp(a, b=b, return_sign=True, **options)
    plain = lsecy.logsumexp(a, b=b, **options)
    plain_value = np.where(np.asarray(sign) < 0, NAN, value)
    right = agree(got, value, dtype) & agree(got_sign, sign, dtype, 0) & agree(plain, plain_value, dtype)
    wrong = np.flatnonzero(~np.atleast_1d(right))
    assert wrong.size == 0, (
        f"{wrong.size} wrong, first at {wrong[0]}: a {_at(a, wrong[0])}, b {_at(b, wrong[0])}, "
        f"got {np.atleast_1d(got)[wrong[0]]}, sign {np.atleast_1d(got_sign)[wrong[0]]}, without sign "
        f"{np.atleast_1d(plain)[wrong[0]]}; expected {np.atleast_1d(value)[wrong[0]]}, "
        f"sign {np.atleast_1d(sign)[wrong[0]]}"
    )


def _at(x, i):
    return x if x is None or np.ndim(x) == 1 else np.asarray(x)[i if np.shape(x)[0] > i else ...]


def arrays_of(edge, dtype):
    return np.array(edge.a, dtype), None if edge.b is None else np.array(edge.b, dtype)


@by_name
def test_edge_case(isa, dtype, edge):
    assert_edge(*arrays_of(edge, dtype), edge.value, edge.sign, dtype)


@pytest.mark.parametrize("edge", EDGES_FLOAT64, ids=lambda edge: edge.name)
def test_edge_case_of_float64(isa, edge):
    assert_edge(*arrays_of(edge, np.float64), edge.value, edge.sign, np.float64)


@by_name
def test_edge_case_from_lists(edge):
    assert_edge(edge.a, edge.b, edge.value, edge.sign, np.float64)


@pytest.mark.parametrize("edge", [e for e in EDGES if 1e30 not in np.abs(e.a)], ids=lambda edge: edge.name)
def test_edge_case_in_float16(edge):
    a, b = arrays_of(edge, np.float16)
    assert_edge(a, b, edge.value, edge.sign, np.float16)


@pytest.mark.parametrize(("length", "weights"), SETS)
def test_every_pattern(isa, dtype, length, weights):
    a, b, value, sign = pattern_set(length, weights)
    b = None if b is None else b.astype(dtype)
    assert_edge(a.astype(dtype), b, value, sign, dtype, axis=-1)


@pytest.mark.parametrize(("length", "weights"), SETS)
def test_every_pattern_along_columns(isa, dtype, length, weights):
    a, b, value, sign = pattern_set(length, weights)
    b = None if b is None else np.ascontiguousarray(b.T.astype(dtype))
    assert_edge(np.ascontiguousarray(a.T.astype(dtype)), b, value, sign, dtype, axis=0)


def embedded(length, n, place, weights, dtype, limit=600):
    """Put patterns into longer rows whose other terms are -inf, or have no weight."""
    a, b, value, sign = pattern_set(length, weights)
    if len(a) > limit:
        chosen = np.random.default_rng(n).choice(len(a), limit, replace=False)
        a, b, value, sign = a[chosen], b if b is None else b[chosen], value[chosen], sign[chosen]
    start = {"start": 0, "middle": (n - length) // 2, "end": n - length}[place]
    long_a = np.full((len(a), n), -INF, dtype)
    long_b = None
    if b is not None:
        long_b = np.ones((len(a), n), dtype)
        outside = np.arange(n)
        long_a[:, outside % 3 == 1], long_b[:, outside % 3 == 1] = NAN, 0
        long_a[:, outside % 3 == 2], long_b[:, outside % 3 == 2] = INF, 0
        long_b[:, start : start + length] = b
    long_a[:, start : start + length] = a
    return long_a, long_b, value, sign


@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize(("length", "weights"), SETS)
def test_patterns_hold_anywhere_in_longer_rows(isa, dtype, length, weights, place):
    for n in LENGTHS:
        a, b, value, sign = embedded(length, n, place, weights, dtype, limit=150)
        assert_edge(a, b, value, sign, dtype, axis=1)


@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize(("length", "weights"), SETS)
def test_patterns_hold_anywhere_in_longer_columns(isa, dtype, length, weights, place):
    for n in LENGTHS[::2]:
        a, b, value, sign = embedded(length, n, place, weights, dtype, limit=150)
        b = b if b is None else np.ascontiguousarray(b.T)
        assert_edge(np.ascontiguousarray(a.T), b, value, sign, dtype, axis=0)


@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize(("length", "weights"), [(2, None), (2, FULL)])
def test_patterns_hold_in_rows_of_several_blocks(isa, dtype, length, weights, place):
    n = 2 * BLOCKS[dtype.name] + 5
    a, b, value, sign = embedded(length, n, place, weights, dtype, limit=80)
    assert_edge(a, b, value, sign, dtype, axis=1)


@by_name
def test_edge_case_among_ordinary_rows(isa, dtype, rng, edge):
    """A batch holds one odd row; the others must not notice."""
    a, b = arrays_of(edge, dtype)
    ordinary = rng.standard_normal((37, a.size)).astype(dtype)
    weights = None if b is None else rng.uniform(0.5, 1, (37, a.size)).astype(dtype)
    clean = lsecy.logsumexp(ordinary, axis=1, b=weights)
    ordinary[17] = a
    if b is not None:
        weights[17] = b
    got = lsecy.logsumexp(ordinary, axis=1, b=weights)
    others = np.arange(37) != 17
    assert np.array_equal(got[others], clean[others])
    assert agree(got[17], NAN if edge.sign < 0 else edge.value, dtype)


@pytest.mark.parametrize("n", [3, 16, 64, 65, 500, 5000])
@pytest.mark.parametrize("special", [NAN, INF])
def test_one_special_value_is_seen_at_every_place(isa, dtype, n, special):
    places = np.unique(np.linspace(0, n - 1, 60).astype(int))
    a = np.zeros((places.size, n), dtype)
    a[np.arange(places.size), places] = special
    expected = np.full(places.size, special, dtype)
    assert np.array_equal(lsecy.logsumexp(a, axis=1), expected, equal_nan=True)
    assert np.array_equal(lsecy.logsumexp(np.asfortranarray(a), axis=1), expected, equal_nan=True)


@pytest.mark.parametrize("n", [3, 16, 64, 65, 500, 5000])
def test_one_finite_value_among_minus_inf_is_returned_as_it_is(isa, dtype, n):
    places = np.unique(np.linspace(0, n - 1, 60).astype(int))
    a = np.full((places.size, n), -INF, dtype)
    a[np.arange(places.size), places] = 0.1
    assert np.array_equal(lsecy.logsumexp(a, axis=1), np.full(places.size, 0.1, dtype))


@pytest.mark.parametrize("n", [2, 16, 64, 66, 500, 4098, 20_000])
def test_exact_cancellation_is_minus_inf_with_sign_0(isa, dtype, n):
    a = np.full(n, 1.7, dtype)
    b = np.tile(np.array([1, -1], dtype), n // 2)
    assert lsecy.logsumexp(a, b=b, return_sign=True) == (-INF, 0)


@pytest.mark.parametrize(
    ("shape", "axis", "keepdims", "result"),
    [
        ((0,), None, False, ()),
        ((0,), 0, True, (1,)),
        ((0, 3), 0, False, (3,)),
        ((0, 3), 1, False, (0,)),
        ((3, 0), 1, False, (3,)),
        ((3, 0), 1, True, (3, 1)),
        ((3, 0), 0, False, (0,)),
        ((3, 0), None, False, ()),
        ((2, 0, 4), (0, 1), False, (4,)),
        ((2, 0, 4), (0, 2), False, (0,)),
        ((0, 0), 0, True, (1, 0)),
        ((0, 3), (), False, (0, 3)),
    ],
)
def test_nothing_to_add_is_minus_inf_with_sign_0(dtype, shape, axis, keepdims, result):
    value, sign = lsecy.logsumexp(np.ones(shape, dtype), axis=axis, keepdims=keepdims, return_sign=True)
    assert value.shape == sign.shape == result
    assert value.dtype == sign.dtype == dtype
    assert np.all(value == -INF)
    assert np.all(sign == 0)


def test_an_empty_list_is_minus_inf():
    assert lsecy.logsumexp([]) == -INF


@pytest.mark.parametrize("edge", EDGES + EDGES_FLOAT64, ids=lambda edge: edge.name)
def test_no_warning_and_no_floating_point_error(isa, edge):
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        lsecy.logsumexp(np.array(edge.a), b=edge.b, return_sign=True)


def test_errstate_is_left_as_it_was(dtype):
    with np.errstate(all="ignore", over="raise"):
        before = np.geterr()
        lsecy.logsumexp(np.array([INF, NAN, 1e30], dtype))
        assert np.geterr() == before
