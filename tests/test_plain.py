"""Complex numbers and long doubles: SciPy's meaning, every digit, and derivatives by complex steps."""

import itertools
import warnings

import mpmath
import numpy as np
import pytest
import scipy.special
from edge_cases import EDGES, EDGES_FLOAT64, INF, NAN
from mpmath import mp, mpc, mpf

import lsecy

TYPES = [np.complex64, np.complex128, np.longdouble, np.clongdouble]
COMPLEX = [np.complex64, np.complex128, np.clongdouble]
LONG = [np.longdouble, np.clongdouble]
FUNCTIONS = ["logsumexp", "logmeanexp", "softmax", "log_softmax"]
AXES = [None, 0, 1, -1, (0, 2), (2, 1, 0), (-1, 0), ()]

# The sum is what it is in its dtype: two terms that nearly cancel are not looked at as a pair.
EDGES_LONG = EDGES + [edge for edge in EDGES_FLOAT64 if edge.name != "nearly equal terms"]

by_type = pytest.mark.parametrize("kind", TYPES)
by_complex = pytest.mark.parametrize("kind", COMPLEX)
by_function = pytest.mark.parametrize("function", FUNCTIONS)


def draw(rng, shape, kind, spread=5.0):
    a = spread * rng.standard_normal(shape)
    if np.dtype(kind).kind == "c":
        a = a + 2j * rng.standard_normal(shape)
    return a.astype(kind)


def close(got, expected, eps_count, kind, scale=1.0):
    """Tell whether values agree to some eps of their size or of `scale`; infinities and NaN agree too."""
    eps = eps_count * np.finfo(kind).eps
    return np.allclose(got, expected, rtol=float(eps), atol=float(eps) * scale, equal_nan=True)


# The exact answer -----------------------------------------------------------------------


def exactly(x):
    """Return a number as mpmath has it, without a rounding."""
    if np.iscomplexobj(x):
        return mpc(exactly(x.real), exactly(x.imag))
    high = float(x)
    return mpf(high) + mpf(float(x - type(x)(high)))


def exact_terms(a, b=None, logb=None, scale=1.0):
    b = np.ones(len(a)) if b is None else b
    logb = np.zeros(len(a)) if logb is None else logb
    with mp.workdps(700):
        return [
            exactly(w) * mp.exp(mpf(scale) * exactly(x) + exactly(v))
            for x, w, v in zip(a, b, logb, strict=True)
        ]


def exact_logsumexp(a, b=None, **options):
    with mp.workdps(700):
        return mp.log(mp.fsum(exact_terms(a, b, **options)))


def error(got, exact, scale=0.0):
    """Return the larger error of real and imaginary part, in eps of its size or of `scale`."""
    eps = mpf(float(np.finfo(got.dtype).eps))
    with mp.workdps(60):
        parts = [(exactly(got.real), mpmath.re(exact)), (exactly(got.imag), mpmath.im(exact))]
        return max(
            float(abs(x - y) / (eps * max(abs(y), mpf(float(scale))))) if y or x or scale else 0.0
            for x, y in parts
        )


# SciPy ----------------------------------------------------------------------------------


@by_type
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("weights", [None, (3, 4, 2), (4, 1), (5, 1, 1, 2)])
def test_logsumexp_agrees_with_scipy(rng, kind, axis, keepdims, weights):
    a = draw(rng, (3, 4, 2), kind)
    b = None if weights is None else rng.uniform(-0.2, 1, weights).astype(kind)
    options = {"axis": axis, "b": b, "keepdims": keepdims}
    got = lsecy.logsumexp(a, **options)
    expected = scipy.special.logsumexp(a, **options)
    assert (got.dtype, got.shape, type(got)) == (expected.dtype, expected.shape, type(expected))
    # SciPy wraps angles by the pi of float64.
    assert close(got, expected, 100, kind if kind != np.clongdouble else np.complex128)


@by_type
@pytest.mark.parametrize("axis", AXES)
def test_the_sign_agrees_with_scipy(rng, kind, axis):
    a, b = draw(rng, (3, 4, 2), kind), draw(rng, (3, 4, 2), kind)
    value, sign = lsecy.logsumexp(a, axis=axis, b=b, return_sign=True)
    scipy_value, scipy_sign = scipy.special.logsumexp(a, axis=axis, b=b, return_sign=True)
    assert (value.dtype, sign.dtype) == (scipy_value.dtype, scipy_sign.dtype)
    assert close(value, scipy_value, 100, kind)
    assert close(sign, scipy_sign, 100, kind)


@by_type
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_agrees_with_scipy(rng, kind, axis, name):
    x = draw(rng, (3, 4, 2), kind)
    got, expected = getattr(lsecy, name)(x, axis=axis), getattr(scipy.special, name)(x, axis=axis)
    assert (got.dtype, got.shape, type(got)) == (expected.dtype, expected.shape, type(expected))
    assert close(got, expected, 300, kind)


@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
@pytest.mark.parametrize(
    "a",
    [
        [INF],
        [INF, 1],
        [INF, INF],
        [complex(INF, 1), 1],
        [complex(INF, 3), -INF],
        [-INF, -INF],
        [complex(-INF, 3), complex(-INF, 3)],
        [complex(-INF, NAN), 1],
        [complex(1, NAN), 1],
        [NAN, 1],
        [complex(2, -np.pi)],
    ],
    ids=str,
)
def test_infinite_complex_numbers_agree_with_scipy(kind, a):
    a = np.array(a, kind)
    np.testing.assert_allclose(lsecy.logsumexp(a), scipy.special.logsumexp(a), rtol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("x", [[INF, 0], [INF, INF], [-INF, -INF], [-INF, 1], [NAN, 1], [INF, NAN]], ids=str)
@by_type
def test_softmax_of_infinities_agrees_with_scipy(kind, name, x):
    x = np.array(x, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's
        expected = getattr(scipy.special, name)(x)
    np.testing.assert_allclose(getattr(lsecy, name)(x).real, expected.real, rtol=1e-6)


# The contract ---------------------------------------------------------------------------


@pytest.mark.parametrize("edge", EDGES_LONG, ids=lambda edge: edge.name)
def test_edge_case_in_longdouble(edge):
    a = np.array(edge.a, np.longdouble)
    value, sign = lsecy.logsumexp(a, b=edge.b, return_sign=True)
    assert close(value, edge.value, 1, np.float64, scale=0)
    assert sign == edge.sign or (np.isnan(sign) and np.isnan(edge.sign))
    assert close(lsecy.logsumexp(a, b=edge.b), NAN if edge.sign < 0 else edge.value, 1, np.float64, scale=0)


@pytest.mark.parametrize("edge", EDGES_LONG, ids=lambda edge: edge.name)
def test_edge_case_of_real_numbers_written_as_complex(edge):
    value, sign = lsecy.logsumexp(np.array(edge.a, complex), b=edge.b, return_sign=True)
    assert close(value, edge.value, 8, np.float64, scale=0)
    assert sign == edge.sign or (np.isnan(sign) and np.isnan(edge.sign))


@by_type
def test_nothing_kept_is_nothing(kind):
    a, where = np.full((2, 3), NAN, kind), np.zeros((2, 3), bool)
    assert lsecy.logsumexp(a, where=where, return_sign=True) == (-INF, 0)
    assert np.isnan(lsecy.logmeanexp(a, where=where))
    assert np.array_equal(lsecy.softmax(a, where=where), np.zeros((2, 3)))
    assert np.array_equal(lsecy.log_softmax(a, where=where), np.full((2, 3), -INF))


@by_type
@pytest.mark.parametrize(
    ("shape", "axis", "result"), [((0,), None, ()), ((0, 3), 0, (3,)), ((0, 3), 1, (0,)), ((3, 0), 0, (0,))]
)
def test_an_empty_row_is_minus_inf_with_sign_0(kind, shape, axis, result):
    value, sign = lsecy.logsumexp(np.ones(shape, kind), axis=axis, return_sign=True)
    assert value.shape == sign.shape == result
    assert np.all(value == -INF)
    assert np.all(sign == 0)


@by_type
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_softmax_of_nothing_is_empty(kind, name):
    got = getattr(lsecy, name)(np.ones((2, 0, 3), kind), axis=1)
    assert (got.shape, got.dtype) == ((2, 0, 3), kind)


@by_type
def test_a_number_alone(kind):
    x = np.array(2, kind)
    assert [np.shape(getattr(lsecy, name)(x)) for name in FUNCTIONS] == [()] * 4
    assert [getattr(lsecy, name)(x) for name in FUNCTIONS] == [2, 2, 1, 0]


def test_a_negative_sum_needs_its_sign():
    a = np.array([1.0, 2.0], np.longdouble)
    assert np.isnan(lsecy.logsumexp(a, b=[1, -1]))
    value, sign = lsecy.logsumexp(a, b=[1, -1], return_sign=True)
    assert error(value, exact_logsumexp(a[::-1], b=[1.0, -1.0])) < 2
    assert sign == -1


def test_a_negative_complex_sum_has_an_imaginary_part_of_pi():
    assert lsecy.logsumexp(np.array([3 + 0j]), b=[-1]) == 3 + np.pi * 1j
    assert lsecy.logsumexp(np.array([3 - 0j]), b=[-1]) == 3 + np.pi * 1j


def test_a_negative_share_has_no_real_logarithm():
    x = np.array([1.0, 2.0, -INF], np.longdouble)
    assert np.array_equal(np.isnan(lsecy.log_softmax(x, b=[-1, 1, -1])), [True, False, False])
    assert np.array_equal(lsecy.log_softmax(x, b=[-1, -1, -1]), lsecy.log_softmax(x))


@by_complex
@pytest.mark.parametrize("weight", [INF, -2.0, 3])
def test_real_weights_act_on_complex_infinities_as_on_real_ones(kind, weight):
    value, sign = lsecy.logsumexp(np.array([INF, 1], kind), b=[weight, 1], return_sign=True)
    assert (value, sign) == (INF, np.sign(weight))


@pytest.mark.parametrize(
    ("kind", "other", "result"),
    [
        ("complex64", "float32", "complex64"),
        ("complex64", "float64", "complex128"),
        ("complex64", "int8", "complex128"),
        ("complex64", "bool", "complex128"),
        ("complex128", "float16", "complex128"),
        ("float32", "complex64", "complex64"),
        ("int16", "complex64", "complex128"),
        ("float64", "longdouble", "longdouble"),
        ("longdouble", "complex64", "clongdouble"),
    ],
)
@pytest.mark.parametrize("name", ["b", "logb"])
@by_function
def test_types_join(function, kind, other, result, name):
    got = getattr(lsecy, function)(np.ones(3, kind), **{name: np.ones(3, other)})
    assert got.dtype == result


@pytest.mark.parametrize("number", [2, 2.0, True])
@pytest.mark.parametrize("name", ["b", "logb", "scale"])
@by_type
@by_function
def test_a_plain_number_does_not_promote(function, kind, name, number):
    assert getattr(lsecy, function)(np.ones(3, kind), **{name: number}).dtype == kind


@by_function
def test_weights_may_enlarge_the_array(rng, function):
    a, b = draw(rng, (4,), complex), rng.uniform(0.1, 1, (3, 1))
    got = getattr(lsecy, function)(a, axis=-1, b=b)
    expected = [getattr(lsecy, function)(a, b=np.full(4, w)) for w in b[:, 0]]
    assert close(got, expected, 4, complex)


@by_type
@by_function
def test_any_layout_gives_the_same(rng, function, kind):
    a = draw(rng, (5, 6), kind)
    expected = getattr(lsecy, function)(a, axis=1)
    views = [np.asfortranarray(a), a[::-1, ::-1].copy()[::-1, ::-1], a.astype(a.dtype.newbyteorder())]
    assert all(np.array_equal(getattr(lsecy, function)(view, axis=1), expected) for view in views)


# What is kept ---------------------------------------------------------------------------


@by_type
@by_function
@pytest.mark.parametrize("way", ["where", "b", "logb"])
def test_what_is_dropped_is_never_seen(rng, function, kind, way):
    a = draw(rng, (9,), kind)
    keep = np.arange(9) % 3 != 1
    expected = getattr(lsecy, function)(a[keep])
    a[~keep] = [NAN, INF, 1e30]
    mask = {"where": keep, "b": keep.astype(a.real.dtype)}
    mask["logb"] = np.where(keep, 0, -INF).astype(a.real.dtype)
    got = getattr(lsecy, function)(a, **{way: mask[way]})
    if function in ("softmax", "log_softmax"):
        assert np.all(got[~keep] == (0 if function == "softmax" else -INF))
        got = got[keep]
    assert close(got, expected, 2, kind)


@by_type
@by_function
def test_log_weights_are_weights(rng, function, kind):
    a = draw(rng, (3, 7), kind)
    b = rng.uniform(0.1, 2, 7).astype(a.real.dtype)
    got = getattr(lsecy, function)(a, axis=1, logb=np.log(b))
    expected = getattr(lsecy, function)(a, axis=1, b=b)
    assert close(got, expected, 20, kind)


@by_type
@by_function
def test_a_scale_multiplies_the_exponent(rng, function, kind):
    a = draw(rng, (3, 7), kind)
    assert close(
        getattr(lsecy, function)(a, axis=1, scale=-0.5), getattr(lsecy, function)(-a / 2, axis=1), 4, kind
    )


@pytest.mark.parametrize("function", ["logsumexp", "logmeanexp"])
def test_a_scale_in_longdouble_keeps_its_digits(function):
    a, scale = np.array([3.0, 3.0], np.longdouble), np.longdouble(1) / 3
    assert close(getattr(lsecy, function)(a, scale=scale), getattr(lsecy, function)(a * scale), 1, a.dtype)


def test_a_scale_leaves_infinite_complex_numbers_whole():
    assert lsecy.logsumexp(np.array([INF + 0j, 1]), scale=2.0) == INF
    assert lsecy.logsumexp(np.array([-INF + 0j, 1]), scale=2.0) == 2


@by_type
def test_the_mean_of_equal_terms_is_that_term(kind):
    a = np.full((3, 7), 2.5, kind)
    assert np.array_equal(lsecy.logmeanexp(a, axis=1), a[:, 0])
    assert close(lsecy.logmeanexp(a, axis=1, b=np.arange(7, dtype=a.real.dtype)), a[:, 0], 1, kind)


@by_type
def test_the_mean_is_the_sum_less_the_sum_of_weights(rng, kind):
    a = draw(rng, (3, 7), kind)
    b = rng.uniform(-0.1, 1, 7).astype(a.real.dtype)
    expected = lsecy.logsumexp(a, axis=1, b=b) - np.log(np.sum(b))
    assert close(np.exp(lsecy.logmeanexp(a, axis=1, b=b)), np.exp(expected), 100, kind)


# Digits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.complex128, *LONG])
def test_a_term_beside_a_large_one_is_not_lost(kind):
    a = np.array([0, -40], kind)
    with mp.workdps(60):
        exact = mp.log1p(mp.exp(-40))
        assert error(lsecy.logsumexp(a), exact) < 2
        assert error(lsecy.log_softmax(a)[0], -exact) < 2


@pytest.mark.parametrize("imag", [0.0, 1e-9, 1.0, 3.0, -2.0])
def test_a_complex_term_beside_a_large_one_is_not_lost(imag):
    a = np.array([0.0, complex(-40, imag)])
    assert error(lsecy.logsumexp(a), exact_logsumexp(a)) < 2


@pytest.mark.parametrize("kind", [np.complex128, *LONG])
@pytest.mark.parametrize("spread", [0.1, 5, 100, 5000])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 100])
def test_logsumexp_is_exact_to_two_eps(rng, kind, spread, n):
    a = draw(rng, n, kind, spread)
    assert error(lsecy.logsumexp(a), exact_logsumexp(a), scale=np.abs(a).max()) < 2


@pytest.mark.parametrize("kind", [np.complex128, *LONG])
def test_a_long_sum_loses_no_digits(rng, kind):
    a = draw(rng, 20, kind, 0.1)
    with mp.workdps(60):
        exact = exact_logsumexp(a) + mp.log(5000)
    assert error(lsecy.logsumexp(np.tile(a, 5000)), exact) < 2


@pytest.mark.parametrize("kind", [np.complex128, *LONG])
@pytest.mark.parametrize("spread", [0.1, 5, 100])
def test_softmax_is_exact_to_a_few_eps(rng, kind, spread):
    x = draw(rng, 20, kind, spread)
    terms = exact_terms(x)
    with mp.workdps(60):
        exact = [term / mp.fsum(terms) for term in terms]
    assert max(error(p, q, scale=abs(q)) for p, q in zip(lsecy.softmax(x), exact, strict=True)) < 6


@pytest.mark.parametrize("kind", [np.complex128, *LONG])
@pytest.mark.parametrize("span", [10, 300])
def test_weights_of_very_different_sizes_keep_their_digits(rng, kind, span):
    """The terms are of one size; weights and exponentials cross the range of float64."""
    b = 10 ** rng.uniform(-span, span, 30)
    a = draw(rng, 30, kind, 1.0) - np.log(b).astype(kind)
    terms = exact_terms(a, b)
    with mp.workdps(60):
        exact = [term / mp.fsum(terms) for term in terms]
    assert error(lsecy.logsumexp(a, b=b), exact_logsumexp(a, b), scale=np.abs(a).max()) < 2
    assert max(error(p, q, scale=abs(q)) for p, q in zip(lsecy.softmax(a, b=b), exact, strict=True)) < 6


@pytest.mark.parametrize("kind", [np.complex128, *LONG])
def test_the_whole_range_of_weights_neither_overflows_nor_vanishes(kind):
    a, b = np.array([0, 1450], kind), np.array([1.7e308, 5e-324])
    assert error(lsecy.logsumexp(a, b=b), exact_logsumexp(a, b)) < 2


def test_complex_weights_act_as_the_formula_says(rng):
    a, b = draw(rng, 30, complex, 1.0), draw(rng, 30, complex, 1.0)
    exact = exact_logsumexp(a, b, scale=0.5)
    assert error(lsecy.logsumexp(a, b=b, scale=0.5), exact, scale=1) < 8
    assert error(lsecy.logsumexp(a, logb=np.log(b), scale=0.5), exact, scale=1) < 16
    terms = b * np.exp(0.5 * a)
    assert close(lsecy.softmax(a, b=b, scale=0.5), terms / terms.sum(), 50, complex)
    assert close(np.exp(lsecy.log_softmax(a, b=b, scale=0.5)), terms / terms.sum(), 50, complex)


@pytest.mark.parametrize("kind", [np.complex128, np.clongdouble])
def test_the_logarithm_of_a_weight_near_the_unit_circle_keeps_its_digits(rng, kind):
    for distance in 10.0 ** -np.arange(1, 15):
        b = ((1 + distance) * np.exp(1j * rng.uniform(-3, 3, 1))).astype(kind)
        with mp.workdps(60):
            exact = mp.log(abs(exactly(b[0])))
        assert error(lsecy.logsumexp(np.zeros(1), b=b).real, exact) < 2


@pytest.mark.parametrize("kind", LONG)
def test_exact_cancellation_is_minus_inf(kind):
    assert lsecy.logsumexp(np.full(3, 2.5, kind), b=[1, 2, -3], return_sign=True) == (-INF, 0)


def test_angles_lie_in_the_principal_interval():
    angles = np.linspace(-50, 50, 2001)
    got = lsecy.logsumexp(angles[:, None] * 1j, axis=1).imag
    assert np.all((-np.pi < got) & (got <= np.pi))
    assert np.allclose(np.exp(1j * got), np.exp(1j * angles), rtol=0, atol=1e-15)


# Derivatives by complex steps -----------------------------------------------------------


def derivatives(function, x, step, **options):
    """Return the derivative of each result by each element of `x`: one complex step per row."""
    steps = x + 1j * step * np.eye(len(x), dtype=x.dtype)
    return (getattr(lsecy, function)(steps, axis=-1, **options).imag / step).T


def cases(rng):
    dominated = np.array([0.0, -40.0, -3.0, -200.0])
    tied = np.full(50, 1.5)
    return [
        rng.standard_normal(30),
        30 * rng.standard_normal(12),
        dominated,
        tied,
        1e4 + rng.standard_normal(5),
    ]


@pytest.mark.parametrize("step", [1e-20, 1e-200])
def test_the_derivative_of_logsumexp_is_softmax(rng, step):
    for x in cases(rng):
        assert close(derivatives("logsumexp", x, step), lsecy.softmax(x), 6, float, scale=0)


@pytest.mark.parametrize("step", [1e-20, 1e-200])
def test_the_derivative_of_log_softmax_keeps_its_digits(rng, step):
    for x in cases(rng):
        terms = exact_terms(x)
        got = derivatives("log_softmax", x, step)
        with mp.workdps(60):
            total = mp.fsum(terms)
            for i, k in itertools.product(range(len(x)), repeat=2):
                exact = mp.fsum(terms[:i] + terms[i + 1 :]) / total if i == k else -terms[k] / total
                assert error(got[i, k], exact) < 8


@pytest.mark.parametrize("step", [1e-20, 1e-200])
def test_the_derivative_of_softmax_keeps_its_digits(rng, step):
    for x in cases(rng)[:3]:
        terms = exact_terms(x)
        got = derivatives("softmax", x, step)
        with mp.workdps(60):
            total = mp.fsum(terms)
            for i, k in itertools.product(range(len(x)), repeat=2):
                others = mp.fsum(terms[:i] + terms[i + 1 :]) if i == k else -terms[k]
                assert error(got[i, k], others * terms[i] / total**2) < 10


@pytest.mark.parametrize("step", [1e-20, 1e-200])
def test_derivatives_see_weights_masks_and_scales(rng, step):
    x, b = 5 * rng.standard_normal(12), rng.uniform(0.1, 3, 12)
    where = np.arange(12) % 4 != 1
    options = {"b": b, "where": where, "scale": 0.25}
    expected = 0.25 * lsecy.softmax(x, **options)
    assert close(derivatives("logsumexp", x, step, **options), expected, 8, float, scale=0)
    assert close(derivatives("logmeanexp", x, step, **options), expected, 8, float, scale=0)


@pytest.mark.parametrize("step", [1e-20, 1e-200])
def test_a_complex_step_in_a_weight_survives(rng, step):
    x, b = rng.standard_normal(9), rng.uniform(0.1, 3, 9)
    got = lsecy.logsumexp(x, axis=1, b=b + 1j * step * np.eye(9)).imag / step
    assert close(got, lsecy.softmax(x, b=b) / b, 6, float, scale=0)


def test_a_step_in_complex64_survives(rng):
    x = rng.standard_normal(9).astype(np.float32)
    steps = (x + 1e-20j * np.eye(9)).astype(np.complex64)
    assert close(
        lsecy.logsumexp(steps, axis=1).imag / np.float32(1e-20), lsecy.softmax(x), 4, np.float32, scale=0
    )


# Silence --------------------------------------------------------------------------------


@by_type
@by_function
def test_no_warning_and_no_floating_point_error(rng, function, kind):
    values = [-INF, -1e30, 0, 1, 1e30, INF, NAN]
    a = np.array(list(itertools.product(values, repeat=2)), kind)
    b = np.array([0, 1, -1, INF, -INF, NAN, 1e-30], a.real.dtype)[:, None, None]
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        before = np.geterr()
        getattr(lsecy, function)(a, axis=-1)
        getattr(lsecy, function)(a, axis=-1, b=b)
        getattr(lsecy, function)(a, axis=-1, logb=b, scale=-2.0, where=a != 1)
        assert np.geterr() == before


@by_type
@by_function
def test_operands_are_left_as_they_were(rng, function, kind):
    a, b = draw(rng, (3, 4), kind), draw(rng, (3, 4), kind)
    before = a.copy(), b.copy()
    getattr(lsecy, function)(a, axis=0, b=b, scale=2.0, where=a.real > 0)
    getattr(lsecy, function)(a, axis=0, logb=b, scale=2.0, where=a.real > 0)
    assert np.array_equal((a, b), before)
