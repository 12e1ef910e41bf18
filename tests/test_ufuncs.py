"""The functions of pairs: their accuracy, their special values, and that they are ufuncs like NumPy's."""

import pickle
import warnings
from functools import cache

import exact
import numpy as np
import pytest
from bounds import BOUNDS
from mpmath import mp, mpf

import lsecy

INF, NAN = np.inf, np.nan
BINARY = ["logaddexp", "logsubexp", "signed_logsubexp"]
UNARY = ["log1mexp", "log1pexp"]
LOOPS = [np.float16, np.float32, np.float64, np.longdouble]
LENGTHS = [1, 2, 3, 7, 8, 9, 31, 511, 512, 513, 1500]


@pytest.fixture(autouse=True)
def _every_warning_is_an_error():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        yield


# Accuracy -------------------------------------------------------------------------------

TINY = 30


def true_sum(x, y):
    """Return log(exp(x) + exp(y)) with digits to spare where the two parts cancel."""
    larger, smaller = mpf(max(x, y)), mpf(min(x, y))
    return larger + mp.log1p(mp.exp(smaller - larger))


def true_difference(x, y):
    larger, smaller = mpf(max(x, y)), mpf(min(x, y))
    gap = smaller - larger
    if gap == 0:
        return mpf("-inf")
    return larger + (mp.log(-mp.expm1(gap)) if gap > -TINY else mp.log1p(-mp.exp(gap)))


def close_pairs(rng, n):
    x = rng.normal(0, 1, n)
    return x, x - np.exp(rng.uniform(-40, 3, n))


def cancelling_sums(rng, n):
    x = rng.uniform(-1, -0.05, n)
    return x, np.log(-np.expm1(x))


PAIRS = {
    "normal": lambda rng, n: rng.normal(0, 1, (2, n)),
    "wide": lambda rng, n: rng.normal(0, 10, (2, n)),
    "sizes of all kinds": lambda rng, n: rng.normal(0, 1, (2, n)) * 10 ** rng.uniform(-30, 30, (2, n)),
    "beside 0": lambda rng, n: (np.zeros(n), -rng.exponential(20, n)),
    "beside 0, around eps": lambda rng, n: (np.zeros(n), rng.uniform(-40, -14, n)),
    "beside 0, near underflow": lambda rng, n: (np.zeros(n), rng.uniform(-745, -690, n)),
    "beside a number near 0": lambda rng, n: (
        rng.choice([-1, 1], n) * 10 ** rng.uniform(-40, -1, n),
        -rng.exponential(30, n),
    ),
    "close": close_pairs,
    "equal": lambda rng, n: (rng.normal(0, 5, n),) * 2,
    "cancelling": cancelling_sums,
    "differences near 1": lambda rng, n: (rng.uniform(0, 1, n), rng.normal(-1, 0.5, n)),
    "exp at a rounding point": lambda rng, n: (np.zeros(n), -(rng.integers(0, 60, n) + 0.5) * np.log(2)),
}
SINGLE = {
    "sizes of all kinds": lambda rng, n: 10 ** rng.uniform(-320, 2.9, n),
    "ordinary": lambda rng, n: rng.exponential(2, n),
    "around log 2": lambda rng, n: rng.uniform(0.6, 0.8, n),
    "around eps": lambda rng, n: rng.uniform(14, 40, n),
    "near underflow": lambda rng, n: rng.uniform(690, 745, n),
}
CASES = 300


@cache
def pairs(case, dtype, function):
    """Return (x, y, exact) of one case, in both orders."""
    rng = np.random.default_rng(len(case))
    with np.errstate(under="ignore"):
        x, y = (np.asarray(z).astype(dtype) for z in PAIRS[case](rng, CASES))
    swapped = rng.random(CASES) < 0.5
    x, y = np.where(swapped, y, x), np.where(swapped, x, y)
    with mp.workdps(120):
        return x, y, [function(float(a), float(b)) for a, b in zip(x, y, strict=True)]


@cache
def single(case, dtype, function, sign):
    rng = np.random.default_rng(len(case))
    with np.errstate(under="ignore"):
        x = (sign * SINGLE[case](rng, CASES)).astype(dtype)
    x = x[x != 0]
    with mp.workdps(120):
        return x, [function(0.0, float(a)) for a in x]


def worst(got, true, x, y, dtype):
    """Return the largest error in ulp, and that in eps where the result is small beside the inputs."""
    ulp = eps = 0.0
    for g, t, a, b in zip(got, true, x, y, strict=True):
        largest = max(abs(float(a)), abs(float(b)))
        if abs(t) >= largest / 4:
            ulp = max(ulp, exact.ulp_error(g, t, dtype))
        else:
            with mp.workdps(60):
                eps = max(eps, float(abs(mpf(float(g)) - t) / (mpf(float(np.finfo(dtype).eps)) * largest)))
    return ulp, eps


def assert_within(name, got, true, x, y, dtype):
    ulp, eps = worst(got, true, x, y, dtype)
    assert ulp <= BOUNDS[name, dtype.name]
    assert eps <= BOUNDS["ill-conditioned", dtype.name]


@pytest.mark.parametrize("case", PAIRS)
def test_logaddexp_stays_within_its_bound(isa, dtype, case):
    x, y, true = pairs(case, dtype, true_sum)
    assert_within("logaddexp", lsecy.logaddexp(x, y), true, x, y, dtype)


@pytest.mark.parametrize("case", PAIRS)
def test_logsubexp_stays_within_its_bound(isa, dtype, case):
    x, y, true = pairs(case, dtype, true_difference)
    got = lsecy.logsubexp(np.maximum(x, y), np.minimum(x, y))
    assert_within("logsubexp", got, true, x, y, dtype)


@pytest.mark.parametrize("case", SINGLE)
def test_log1mexp_stays_within_its_bound(isa, dtype, case):
    x, true = single(case, dtype, true_difference, -1)
    assert (
        max(map(exact.ulp_error, lsecy.log1mexp(x), true, [dtype] * x.size)) <= BOUNDS["log1mexp", dtype.name]
    )


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("case", SINGLE)
def test_log1pexp_stays_within_its_bound(isa, dtype, case, sign):
    x, true = single(case, dtype, true_sum, sign)
    assert (
        max(map(exact.ulp_error, lsecy.log1pexp(x), true, [dtype] * x.size)) <= BOUNDS["log1pexp", dtype.name]
    )


def test_a_small_term_beside_zero_is_kept(isa, dtype):
    true = exact.contract([0.0, -40.0], [1.0, 1.0]).value
    zero, forty = dtype.type(0), dtype.type(40)
    assert exact.ulp_error(lsecy.logaddexp(zero, -forty), true, dtype) <= BOUNDS["logaddexp", dtype.name]


@pytest.mark.parametrize("case", PAIRS)
def test_the_order_of_the_arguments_does_not_matter(isa, dtype, case):
    x, y, _ = pairs(case, dtype, true_sum)
    assert exact.same_bits(lsecy.logaddexp(x, y), lsecy.logaddexp(y, x))


def test_longdouble_has_more_digits_than_double():
    x = np.linspace(-30, -0.01, 50, dtype=np.longdouble)
    eps = float(np.finfo(np.longdouble).eps)
    with mp.workdps(60):
        for name, function in (("log1mexp", true_difference), ("log1pexp", true_sum)):
            for a, got in zip(x, getattr(lsecy, name)(x), strict=True):
                high = float(a)
                true = function(mpf(0), mpf(high) + mpf(float(a - high)))
                value = mpf(float(got)) + mpf(float(got - float(got)))
                assert abs(value - true) <= 4 * eps * abs(true)


# Special values -------------------------------------------------------------------------

SPECIAL = [-INF, -1e30, -1.0, -1e-40, -0.0, 0.0, 1e-40, 2.0, 1e30, INF, NAN]


def grid(dtype):
    with np.errstate(under="ignore"):
        values = np.array([*SPECIAL, np.finfo(dtype).max, -np.finfo(dtype).max], dtype)
    return (z.ravel() for z in np.meshgrid(values, values))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.longdouble])
def test_logaddexp_of_special_values_is_that_of_numpy(isa, kind):
    x, y = grid(kind)
    with np.errstate(all="ignore"):
        expected = np.logaddexp(x, y)
    got = lsecy.logaddexp(x, y)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(kind).eps, atol=1e-44)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.longdouble])
def test_the_sign_of_a_difference_is_that_of_the_comparison(isa, kind):
    x, y = grid(kind)
    value, sign = lsecy.signed_logsubexp(x, y)
    undefined = np.isnan(x) | np.isnan(y) | ((x == INF) & (y == INF))
    expected = np.where(undefined, NAN, 1.0 * (x > y) - 1.0 * (x < y))
    assert np.array_equal(sign, expected, equal_nan=True)
    assert np.array_equal(np.isnan(value), undefined)
    assert np.array_equal(value == -INF, sign == 0)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.longdouble])
def test_logsubexp_is_undefined_where_the_sign_is_negative(isa, kind):
    x, y = grid(kind)
    value, sign = lsecy.signed_logsubexp(x, y)
    expected = np.where(sign < 0, kind(NAN), value)
    assert np.array_equal(lsecy.logsubexp(x, y), expected, equal_nan=True)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("logsubexp", (INF, 1.0), INF),
        ("logsubexp", (INF, -INF), INF),
        ("logsubexp", (INF, INF), NAN),
        ("logsubexp", (-INF, -INF), -INF),
        ("logsubexp", (-INF, 1.0), NAN),
        ("logsubexp", (3.0, -INF), 3.0),
        ("logsubexp", (3.0, 3.0), -INF),
        ("logsubexp", (3.0, 4.0), NAN),
        ("logaddexp", (INF, INF), INF),
        ("logaddexp", (-INF, -INF), -INF),
        ("logaddexp", (-INF, INF), INF),
        ("logaddexp", (3.0, -INF), 3.0),
        ("logaddexp", (NAN, INF), NAN),
        ("log1mexp", (-INF,), -0.0),
        ("log1mexp", (0.0,), -INF),
        ("log1mexp", (-0.0,), -INF),
        ("log1mexp", (1.0,), NAN),
        ("log1mexp", (INF,), NAN),
        ("log1mexp", (NAN,), NAN),
        ("log1pexp", (-INF,), 0.0),
        ("log1pexp", (INF,), INF),
        ("log1pexp", (NAN,), NAN),
    ],
)
def test_special_value(isa, kind, name, arguments, answer):
    got = getattr(lsecy, name)(*map(kind, arguments))
    assert np.array_equal(got, kind(answer), equal_nan=True)
    assert np.isnan(answer) or np.signbit(got) == np.signbit(answer)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("n", [1, 13, 700])
@pytest.mark.parametrize("name", BINARY + UNARY)
def test_no_legal_input_raises_a_flag(isa, kind, name, n):
    """The fixture makes every flag an error."""
    function = getattr(lsecy, name)
    info = np.finfo(kind)
    with np.errstate(under="ignore"):
        values = np.array(
            [INF, -INF, NAN, info.max, -info.max, info.tiny, -info.tiny / 4, 0, -0.0, -1, 2, -50, -720], kind
        )
    for x in values:
        for y in values if function.nin == 2 else [None]:
            function(*(np.full(n, z) for z in (x, y) if z is not None))


# A ufunc like NumPy's -------------------------------------------------------------------


def reference(name, *arguments):
    """Return what the function gives one element at a time."""
    function = getattr(lsecy, name)
    rows = [function(*row) for row in zip(*(np.ravel(a) for a in arguments), strict=True)]
    shaped = zip(*rows, strict=True) if function.nout == 2 else [rows]
    return [np.array(list(column)).reshape(np.shape(arguments[0])) for column in shaped]


def results(name, *arguments, **options):
    got = getattr(lsecy, name)(*arguments, **options)
    return got if isinstance(got, tuple) else (got,)


def arguments_of(name, shape, dtype, rng):
    return [-rng.exponential(3, shape).astype(dtype) for _ in range(getattr(lsecy, name).nin)]


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("name", BINARY + UNARY)
def test_any_length_and_stride_gives_the_bits_of_single_elements(isa, rng, name, kind):
    for n in LENGTHS:
        arguments = arguments_of(name, n, kind, rng)
        expected = reference(name, *arguments)
        spread = [np.repeat(a, 3)[::-3][::-1] for a in arguments]
        for columns in (arguments, spread, [arguments[0], *spread[1:]]):
            for got, true in zip(results(name, *columns), expected, strict=True):
                assert np.array_equal(got, true, equal_nan=True)


@pytest.mark.parametrize("name", BINARY + UNARY)
def test_foreign_layouts_give_the_same_bits(isa, dtype, rng, name):
    arguments = arguments_of(name, (20, 60), dtype, rng)
    expected = results(name, *arguments)
    packed = [np.zeros(a.size, [("c", "i1"), ("x", dtype)]) for a in arguments]
    for record, a in zip(packed, arguments, strict=True):
        record["x"] = a.ravel()
    for columns in (
        [np.asfortranarray(a) for a in arguments],
        [a.astype(dtype.newbyteorder()) for a in arguments],
        [record["x"].reshape(20, 60) for record in packed],
    ):
        for got, true in zip(results(name, *columns), expected, strict=True):
            assert np.array_equal(got, true, equal_nan=True)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("kind", LOOPS)
def test_a_scalar_is_broadcast(isa, rng, name, kind):
    x, _ = arguments_of(name, 1300, kind, rng)
    scalar = kind(-1.25)
    for columns, full in (
        ((x, scalar), (x, np.full_like(x, scalar))),
        ((scalar, x), (np.full_like(x, scalar), x)),
    ):
        for got, true in zip(results(name, *columns), results(name, *full), strict=True):
            assert np.array_equal(got, true, equal_nan=True)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("name", BINARY + UNARY)
def test_where_leaves_the_others_alone(isa, rng, name, kind):
    arguments = arguments_of(name, 1000, kind, rng)
    chosen = rng.random(1000) < 0.7
    out = tuple(np.full(1000, 7, kind) for _ in range(getattr(lsecy, name).nout))
    for got, true in zip(
        results(name, *arguments, where=chosen, out=out), results(name, *arguments), strict=True
    ):
        assert np.array_equal(got, np.where(chosen, true, kind(7)), equal_nan=True)


@pytest.mark.parametrize("name", BINARY + UNARY)
@pytest.mark.parametrize("shift", [0, 1, -1, 40])
def test_out_may_overlap_an_input(isa, dtype, rng, name, shift):
    memory = -rng.exponential(3, 3000).astype(dtype)
    x, out = memory[100:2000], memory[100 + shift : 2000 + shift]
    others = arguments_of(name, 1900, dtype, rng)[1:]
    expected = results(name, x.copy(), *others)
    spare = [np.empty(1900, dtype)] * (len(expected) - 1)
    got = results(name, x, *others, out=(out, *spare))
    assert all(np.array_equal(g, e, equal_nan=True) for g, e in zip(got, expected, strict=True))


KINDS = ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "g"]


@pytest.mark.parametrize("kind", KINDS)
def test_types_are_resolved_as_in_numpy(kind):
    x = np.ones(3, kind)
    for other in KINDS:
        y = np.ones(3, other)
        assert lsecy.logaddexp(x, y).dtype == np.logaddexp(x, y).dtype
    assert lsecy.log1pexp(x).dtype == np.exp(x).dtype
    assert lsecy.logaddexp(x, 1.5).dtype == np.logaddexp(x, 1.5).dtype


def test_the_types_are_those_of_numpy():
    assert lsecy.logaddexp.types == np.logaddexp.types


@pytest.mark.parametrize("arguments", [(1j, 1.0), ("a", 1.0), (np.array([None]), 1.0)])
def test_other_types_are_a_type_error(arguments):
    with pytest.raises(TypeError, match="logaddexp"):
        lsecy.logaddexp(*arguments)


def test_dtype_chooses_the_loop(isa):
    got = lsecy.logaddexp(np.zeros(3, np.float32), np.zeros(3, np.float32), dtype=np.float64)
    assert got.dtype == np.float64
    assert np.array_equal(got, np.full(3, np.log(2)))


@pytest.mark.parametrize("n", LENGTHS)
def test_float16_is_rounded_once_from_float32(isa, rng, n):
    x, y = rng.normal(0, 8, (2, n)).astype(np.float16)
    wide = lsecy.logaddexp(x.astype(np.float32), y.astype(np.float32))
    assert exact.same_bits(lsecy.logaddexp(x, y), wide.astype(np.float16))


def test_every_float16_comes_back_as_it_was(isa):
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    with np.errstate(all="ignore"):
        assert np.array_equal(lsecy.logaddexp(every, np.float16(-INF)), every, equal_nan=True)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("shape", [(1,), (7,), (513,), (2000,), (3, 700), (700, 3), (5, 6, 7)])
def test_reduce_is_the_logarithm_of_the_sum(isa, rng, kind, shape):
    with np.errstate(under="ignore"):
        x = rng.normal(0, 2, shape).astype(kind)
    wide = x.astype(np.longdouble)
    # Along the first axis NumPy rounds after every term.
    tolerance = 4 * np.finfo(kind).eps * np.sqrt(x.size)
    for axis in [None, *range(x.ndim)]:
        got = lsecy.logaddexp.reduce(x, axis=axis)
        expected = np.log(np.exp(wide).sum(axis))
        assert got.dtype == x.dtype
        assert np.all(np.abs(got - expected) <= tolerance * np.maximum(1, np.abs(expected)))


@pytest.mark.parametrize("special", [INF, NAN])
def test_reduce_sees_a_special_value_at_every_place(isa, dtype, special):
    for place in [0, 1, 511, 512, 1000, 1299]:
        x = np.zeros(1300, dtype)
        x[place] = special
        assert np.array_equal(lsecy.logaddexp.reduce(x), dtype.type(special), equal_nan=True)


@pytest.mark.parametrize("kind", LOOPS)
def test_reduce_of_nothing_is_minus_inf(kind):
    assert lsecy.logaddexp.identity == -INF
    assert lsecy.logaddexp.reduce(np.array([], kind)) == -INF
    assert np.array_equal(lsecy.logaddexp.reduce(np.zeros((0, 3), kind)), np.full(3, -INF))


def test_reduce_takes_where_and_initial(isa, dtype):
    x = np.log(np.arange(1, 1000, dtype=dtype))
    even = np.arange(1, 1000) % 2 == 0
    got = lsecy.logaddexp.reduce(x, where=even, initial=0.0)
    np.testing.assert_allclose(got, np.log(1 + 2 * (499 * 500 / 2)), rtol=1e-6)


def test_logsubexp_has_no_identity():
    with pytest.raises(ValueError, match="identity"):
        lsecy.logsubexp.reduce([])


def test_logsubexp_is_reduced_from_the_left(isa, dtype):
    x = np.array([5.0, 4.0, 3.0, 2.0], dtype)
    assert lsecy.logsubexp.reduce(x) == lsecy.logsubexp(lsecy.logsubexp(lsecy.logsubexp(*x[:2]), x[2]), x[3])


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("n", LENGTHS)
def test_accumulate_feeds_each_result_back(isa, rng, kind, n):
    x = rng.normal(0, 2, n).astype(kind)
    expected, running = [], x[0]
    for term in x[1:]:
        expected.append(running)
        running = lsecy.logaddexp(running, term)
    assert np.array_equal(lsecy.logaddexp.accumulate(x), [*expected, running])


def test_accumulate_along_the_first_axis(isa, dtype, rng):
    x = rng.normal(0, 2, (40, 30)).astype(dtype)
    columns = [lsecy.logaddexp.accumulate(column) for column in x.T]
    assert np.array_equal(lsecy.logaddexp.accumulate(x, axis=0), np.transpose(columns))


def test_outer_pairs_all_elements(isa, dtype, rng):
    x, y = rng.normal(0, 2, (2, 70)).astype(dtype)
    assert exact.same_bits(lsecy.logaddexp.outer(x, y), lsecy.logaddexp(x[:, None], y))


def test_at_adds_to_one_place_repeatedly(isa, dtype):
    x = np.full(3, -INF, dtype)
    lsecy.logaddexp.at(x, [0, 2, 2, 2], np.zeros(4, dtype))
    np.testing.assert_allclose(x, [0, -INF, np.log(3)], rtol=1e-6)


@pytest.mark.parametrize("name", BINARY + UNARY)
def test_the_functions_are_ufuncs(name):
    function = getattr(lsecy, name)
    assert isinstance(function, np.ufunc)
    assert function.__name__ == name
    assert pickle.loads(pickle.dumps(function)) is function
