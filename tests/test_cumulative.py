"""Running sums: accuracy, special values, layouts, options, errors."""

import itertools
import warnings
from functools import cache
from zlib import crc32

import exact
import numpy as np
import pytest
from arrays import DOMINATED, LAYOUTS, UNDERFLOW, VALUES, WEIGHTED
from bounds import BOUNDS
from edge_cases import PATTERN
from hypothesis import given
from hypothesis import strategies as st

import lsecy
from lsecy import logcumsumexp

INF, NAN = np.inf, np.nan
PLAIN = {**VALUES, **DOMINATED, **UNDERFLOW}
TASK = 16384  # a longer row is cut


def one_by_one(a, **options):
    """Return the running sums of each row by itself."""
    return np.array([logcumsumexp(row.copy(), **options) for row in np.ascontiguousarray(a)])


def prefixes(a, **options):
    """Return logsumexp of each prefix of a row: what the running sums should be."""
    n = len(a)
    cut = {name: np.broadcast_to(x, n) for name, x in options.items()}
    parts = [{name: x[:k] for name, x in cut.items()} for k in range(1, n + 1)]
    return np.array([lsecy.logsumexp(a[:k], **part) for k, part in enumerate(parts, 1)])


def same(got, expected, ulp=4):
    got, expected = np.asarray(got), np.asarray(expected)
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(got - expected) <= ulp * np.finfo(got.dtype).eps * np.maximum(np.abs(expected), 1)
    return got.shape == expected.shape and np.all(
        close | (got == expected) | (np.isnan(got) & np.isnan(expected))
    )


# --- accuracy ---------------------------------------------------------------------------------------


@cache
def row(kind, case, n, dtype):
    rng = np.random.default_rng([crc32(case.encode()), n])
    a, b = WEIGHTED[case](rng, n, dtype) if kind == "weighted" else (PLAIN[case](rng, n, dtype), None)
    digits = 420 if case in UNDERFLOW or case in ("tiny", "subnormal") else 60
    return a, b, exact.running(a, b, digits)


def errors(got, a, b, true):
    """Yield each error as a share of what it may be; a wrong sign is an infinite error."""
    name, eps = got.dtype.name, np.finfo(got.dtype).eps
    with np.errstate(divide="ignore"):
        sizes = np.abs(np.where(a == -INF, 0, a)).astype(float)
        logs = a.astype(float) + (0 if b is None else np.log(np.abs(b.astype(float))))
    top = np.maximum.accumulate(logs)
    for k, (value, one) in enumerate(zip(got, true, strict=True)):
        if one.sign < 0:
            yield 0.0 if np.isnan(value) else INF
            continue
        # The largest magnitude that the sum can feel, and how far it cancels.
        largest = max(sizes[: k + 1][logs[: k + 1] >= top[k] - 40].max(), one.cancellation)
        if exact.mpmath.isfinite(one.value) and largest > 4 * abs(one.value) and case_is_wide(largest, one):
            with exact.mp.workdps(60):
                yield (
                    float(abs(exact.mpf(float(value)) - one.value) / (eps * largest))
                    / BOUNDS["ill-conditioned", name]
                )
        else:
            yield exact.ulp_error(value, one.value, name) / BOUNDS["logcumsumexp", name]


def case_is_wide(largest, one):
    return largest > 1e-3 or one.cancellation > 2


@pytest.mark.parametrize("n", [40, 270])
@pytest.mark.parametrize("case", PLAIN)
def test_running_sums_stay_within_their_bound(isa, dtype, case, n):
    a, b, true = row("plain", case, n, dtype)
    assert max(errors(logcumsumexp(a), a, b, true)) <= 1


@pytest.mark.parametrize("case", WEIGHTED)
def test_weighted_running_sums_stay_within_their_bound(isa, dtype, case):
    a, b, true = row("weighted", case, 200, dtype)
    assert max(errors(logcumsumexp(a, b=b), a, b, true)) <= 1


@pytest.mark.parametrize("place", [0, 1, 20, 127, 128, 299])
def test_a_dominant_term_near_zero_keeps_the_rest_from_any_place_on(isa, dtype, place):
    a = np.full(300, -50.0 if dtype == np.float64 else -25, dtype)
    a[place] = 0
    true = exact.running(a)
    worst = max(exact.ulp_error(x, one.value, dtype) for x, one in zip(logcumsumexp(a), true, strict=True))
    assert worst <= BOUNDS["logcumsumexp", dtype.name]


def log_distribution(rng, n, dtype):
    x = rng.normal(0, 3, n)
    return (x - np.logaddexp.reduce(x)).astype(dtype)


OPTIONS = {  # each beside the exponents whose sums it leaves near 1
    "plain": lambda rng, n: {},
    "scale": lambda rng, n: {"scale": 1.25},
    "log-weights": lambda rng, n: {"logb": rng.normal(0, 0.3, n)},
    "scale and log-weights": lambda rng, n: {"scale": -0.7, "logb": rng.normal(0, 3, n)},
    "weights": lambda rng, n: {"b": np.exp(rng.normal(0, 0.3, n))},
    "weights of all sizes": lambda rng, n: {"b": np.exp(rng.normal(0, 30, n))},
    "signed weights": lambda rng, n: {"b": rng.normal(1, 1, n)},
    "mask and weights": lambda rng, n: {"where": rng.random(n) < 0.8, "b": rng.random(n)},
}


@pytest.mark.parametrize("n", [40, 300])
@pytest.mark.parametrize("base", [0, -1000])
@pytest.mark.parametrize("options", OPTIONS)
def test_running_log_probabilities_stay_within_the_bound(isa, dtype, options, base, n):
    """The answers of a distribution end next to 0, where they have other digits than their terms."""
    rng = np.random.default_rng([crc32(options.encode()), n])
    a = log_distribution(rng, n, dtype) + dtype.type(base)
    given = {
        name: x.astype(dtype) if isinstance(x, np.ndarray) and name != "where" else x
        for name, x in OPTIONS[options](rng, n).items()
    }
    true = exact.running(a, given.get("b"), 400, **{k: x for k, x in given.items() if k != "b"})
    exponents = a * given.get("scale", 1.0) + given.get("logb", 0)
    got = logcumsumexp(a, **given)
    assert max(errors(got, exponents.astype(dtype), given.get("b"), true)) <= 1
    turned = {k: np.tile(x, (7, 1)).T.copy() if np.ndim(x) else x for k, x in given.items()}
    columns = logcumsumexp(np.tile(a, (7, 1)).T.copy(), 0, **turned)
    assert exact.same_bits(columns, np.tile(got, (7, 1)).T)


@pytest.mark.parametrize("peak", [736.5, 763.0])
@pytest.mark.parametrize("first", [340.0, 551.0, 590.0])
def test_a_large_sum_keeps_its_digits_before_a_peak_far_above(isa, first, peak):
    """Of a chunk: the distance of their shifts is one whose exponential is no normal number."""
    a = np.zeros(300)
    a[3], a[128:], a[290] = first, first - 300, peak
    true = exact.running(a, None, 400)
    assert (
        max(exact.ulp_error(x, one.value, "float64") for x, one in zip(logcumsumexp(a), true, strict=True))
        < 1
    )


@pytest.mark.parametrize("value", [0.1, -0.3, -12.0, -700.0, -5000.0, 650.0])
def test_a_million_equal_terms_do_not_drift(isa, dtype, value):
    a = np.full(1_000_003, value, dtype)
    got = logcumsumexp(a)
    for k in (1, 100, 16384, 16385, 500_000, 1_000_003):
        with exact.mp.workdps(40):
            true = exact.mpf(float(a[0])) + exact.mp.log(k)
        assert exact.ulp_error(got[k - 1], true, dtype) <= BOUNDS["logcumsumexp", dtype.name]


def test_long_random_rows_stay_within_the_bound(isa, dtype, rng):
    a = rng.standard_normal(200_001).astype(dtype)
    got = logcumsumexp(a)
    for k in rng.integers(1, a.size, 3):
        error = exact.ulp_error(got[k - 1], exact.logsumexp(a[:k]).value, dtype)
        assert error <= BOUNDS["logcumsumexp", dtype.name]


def test_tasks_that_end_near_one_are_summed_with_care(isa):
    """Log-probabilities: the sums before a task come close to 1."""
    a = np.full(3 * TASK, -50.0)
    a[7] = 0
    got = logcumsumexp(a)
    for k in (TASK - 1, TASK, TASK + 1, 2 * TASK + 5, 3 * TASK):
        true = exact.logsumexp(a[:k]).value
        assert exact.ulp_error(got[k - 1], true, "float64") <= BOUNDS["logcumsumexp", "float64"]


# --- special values ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, (-INF, -1.0, 0.0, 2.0, INF, NAN)])
def test_every_pattern_of_special_values(isa, dtype, weights):
    if weights is None:
        pairs = [[(x, 1.0) for x in p] for p in itertools.product(PATTERN, repeat=4)]
    else:
        pairs = list(itertools.product(itertools.product(PATTERN, weights), repeat=2))
    a = np.array([[x for x, _ in p] for p in pairs], dtype)
    b = np.array([[w for _, w in p] for p in pairs], dtype)
    expected = np.empty(a.shape)
    for i, j in np.ndindex(a.shape):
        one = exact.contract(a[i, : j + 1].tolist(), b[i, : j + 1].tolist())
        expected[i, j] = NAN if one.sign < 0 else float(one.value)
    given_b = None if weights is None else b
    padded = np.concatenate([a, np.full((len(a), 60), -INF, dtype)], axis=1)
    padded_b = None if weights is None else np.concatenate([b, np.zeros((len(a), 60), dtype)], axis=1)
    assert same(logcumsumexp(a, 1, b=given_b), expected)
    assert same(logcumsumexp(padded, 1, b=padded_b)[:, : a.shape[1]], expected)
    columns = logcumsumexp(padded.T.copy(), 0, b=None if weights is None else padded_b.T.copy())
    assert exact.same_bits(columns.T, logcumsumexp(padded, 1, b=padded_b))


@pytest.mark.parametrize("place", [0, 5, 63, 64, 128, 200, 20_000])
@pytest.mark.parametrize("special", [NAN, INF])
def test_a_special_value_stays_from_its_place_on(isa, dtype, place, special):
    a = np.zeros(20_001, dtype)
    a[place] = special
    got = logcumsumexp(a)
    assert np.isfinite(got[:place]).all()
    assert np.array_equal(got[place:], np.full(20_001 - place, special), equal_nan=True)


def test_what_is_dropped_is_never_seen(isa, dtype, rng):
    a = rng.standard_normal((6, 300)).astype(dtype)
    keep = rng.random(a.shape) < 0.6
    keep[0] = False
    dirty = np.where(keep, a, rng.choice([NAN, INF, -INF], a.shape)).astype(dtype)
    clean = np.where(keep, a, -INF).astype(dtype)
    reference = logcumsumexp(clean, 1)
    assert same(logcumsumexp(dirty, 1, where=keep), reference)
    assert same(logcumsumexp(dirty, 1, b=keep), reference)
    with np.errstate(divide="ignore"):
        assert same(logcumsumexp(dirty, 1, logb=np.log(keep.astype(dtype))), reference)
    assert same(logcumsumexp(np.ma.array(dirty, mask=~keep), 1), reference)
    assert same(logcumsumexp(dirty.T.copy(), 0, where=keep.T).T, reference)


def test_no_warning_and_errstate_untouched(isa, dtype):
    a = np.array([NAN, INF, -INF, 1e30, -1e30, 0, 700, -700] * 20, dtype)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        before = np.geterr()
        for view in (a, a[::-1], a.reshape(8, -1)):
            logcumsumexp(view, axis=0)
            logcumsumexp(view, axis=0, b=view, initial=3)
        assert np.geterr() == before


def test_exact_cancellation_is_minus_inf(isa, dtype):
    got = logcumsumexp(np.full(200, 1.7, dtype), b=np.tile([1, -1], 100).astype(dtype))
    assert np.array_equal(got[1::2], np.full(100, -INF))
    assert same(got[::2], np.full(100, 1.7, dtype))


# --- the same bits ----------------------------------------------------------------------------------

CASES = [
    "normal",
    "sorted up",
    "sorted down",
    "masked",
    "saw",
    "wide",
    "first is -1e30",
    "0 beside -40",
    "huge",
]


@pytest.mark.parametrize("case", CASES)
def test_rows_and_columns_have_the_bits_of_a_single_row(isa, dtype, case):
    rng = np.random.default_rng(crc32(case.encode()))
    for n in (1, 5, 16, 47, 48, 49, 64, 65, 130, 300, 2100, 4100):
        a = np.array([PLAIN[case](rng, n, dtype) for _ in range(19)])
        reference = one_by_one(a)
        assert exact.same_bits(logcumsumexp(a, 1), reference), n
        assert exact.same_bits(logcumsumexp(np.ascontiguousarray(a.T), 0).T, reference), n


STRETCHES = {  # what a row goes through from some place on; sums stay below 1/8, pass 1, or are far above it
    "tiny": lambda rng, n: rng.normal(-60, 3, n),
    "small": lambda rng, n: rng.normal(-9, 2, n),
    "usual": lambda rng, n: rng.normal(0, 1, n),
    "far below": lambda rng, n: np.where(
        rng.random(n) < 0.1, rng.choice([-INF, -1e30, -355.0]), rng.normal(0, 1, n)
    ),
    "far above": lambda rng, n: np.where(
        np.arange(n) == n // 2, rng.choice([351.0, 620.0, 900.0]), rng.normal(0, 1, n)
    ),
}


@cache
def stretches(first, second, dtype):
    """Return rows of two stretches, which meet at a place of their own, and the exact results of some."""
    rng, rows = np.random.default_rng(crc32(f"{first}, {second}".encode())), []
    for place in (16, 128, 1, 7, 15, 17, 33, 127, 129):
        rows.append(
            np.append(STRETCHES[first](rng, place), STRETCHES[second](rng, 270 - place)).astype(dtype)
        )
    return np.array(rows), [exact.running(row) for row in rows[:2]]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(STRETCHES, 2)))
def test_plain_stretches_and_others_may_follow_each_other(isa, dtype, first, second):
    a, true = stretches(first, second, dtype)
    for exclusive in (False, True):
        reference = one_by_one(a, exclusive=exclusive)
        for row, got, results in zip(a, reference, true, strict=False):
            if exclusive:
                assert got[0] == -INF
                got, row, results = got[1:], row[:-1], results[:-1]
            assert max(errors(got, row, None, results)) <= 1
        many, expected = np.tile(a, (5, 1)), np.tile(reference, (5, 1))
        assert exact.same_bits(logcumsumexp(many, 1, exclusive=exclusive), expected)
        turned = many.T.copy()
        assert exact.same_bits(logcumsumexp(turned, 0, exclusive=exclusive, out=turned), expected.T)


@pytest.mark.parametrize(
    "options", [{"exclusive": True}, {"reverse": True}, {"scale": 0.5}, {"initial": 2.5}], ids=str
)
def test_options_do_not_change_that(isa, dtype, rng, options):
    a = rng.normal(0, 9, (40, 333)).astype(dtype)
    a[::3, ::7] = -INF
    reference = one_by_one(a, **options)
    assert exact.same_bits(logcumsumexp(a, 1, **options), reference)
    assert exact.same_bits(logcumsumexp(np.ascontiguousarray(a.T), 0, **options).T, reference)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_does_not_matter(isa, dtype, rng, layout):
    a = rng.normal(0, 5, (70, 33)).astype(dtype)
    b = rng.random((70, 33)).astype(dtype)
    for axis in (0, 1, None):
        assert exact.same_bits(logcumsumexp(LAYOUTS[layout](a), axis), logcumsumexp(a, axis))
        weighted = logcumsumexp(a, axis, b=LAYOUTS[layout](b))
        assert exact.same_bits(weighted, logcumsumexp(a, axis, b=b))


@pytest.mark.parametrize(
    ("shape", "axis"), [((300_000,), 0), ((40_000, 9), 0), ((9, 40_000), 1), ((50_000, 4), 1)]
)
def test_the_number_of_threads_does_not_matter(isa, dtype, shape, axis):
    a = np.random.default_rng(1).normal(0, 3, shape).astype(dtype)
    results = []
    for n in (1, 2, 5):
        with lsecy.threads(n):
            results.append(logcumsumexp(a, axis))
    assert exact.same_bits(results[0], results[1])
    assert exact.same_bits(results[0], results[2])


@pytest.mark.parametrize("n", [TASK, TASK + 63, TASK + 65, 3 * TASK + 1])
def test_long_columns_have_the_bits_of_long_rows(isa, dtype, n):
    a = np.random.default_rng(n).normal(0, 40, (17, n)).astype(dtype)
    a[3, : n // 2] = -INF
    a[5] -= 3000
    assert exact.same_bits(logcumsumexp(np.ascontiguousarray(a.T), 0).T, one_by_one(a))


# --- what it means ----------------------------------------------------------------------------------


def test_it_is_logsumexp_of_every_prefix(isa, dtype, rng):
    a, b = rng.normal(0, 9, 400).astype(dtype), rng.random(400).astype(dtype)
    assert same(logcumsumexp(a), prefixes(a))
    assert same(logcumsumexp(a, b=b, where=b > 0.2), prefixes(a, b=b, where=b > 0.2))
    assert same(logcumsumexp(a, logb=b, scale=-2.0), prefixes(-2 * a, logb=b))


@given(st.lists(st.floats(-900, 900), min_size=1, max_size=80), st.booleans(), st.booleans())
def test_it_agrees_with_numpys_accumulate(values, exclusive, reverse):
    a = np.array(values)
    turned = a[::-1] if reverse else a
    expected = np.logaddexp.accumulate(turned)
    if exclusive:
        expected = np.concatenate([[-INF], expected[:-1]])
    got = logcumsumexp(a, exclusive=exclusive, reverse=reverse)
    scale = np.maximum.accumulate(np.maximum(np.abs(turned), 1))
    got = got[::-1] if reverse else got
    with np.errstate(invalid="ignore"):
        assert np.all((np.abs(got - expected) <= 1e-14 * scale * (1 + np.arange(a.size))) | (got == expected))


def test_exclusive_sums_are_the_sums_before(isa, dtype, rng):
    a = rng.normal(0, 5, (3, 500)).astype(dtype)
    sums, before = logcumsumexp(a, 1), logcumsumexp(a, 1, exclusive=True)
    assert np.array_equal(before[:, 0], np.full(3, -INF))
    assert same(before[:, 1:], sums[:, :-1], ulp=1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_reverse_sums_are_those_of_the_reversed_array(isa, dtype, rng, axis):
    a, b = rng.normal(0, 5, (7, 60, 20)).astype(dtype), rng.random((60, 1)).astype(dtype)
    got = logcumsumexp(a, axis, b=b, reverse=True)
    turned = np.flip(a, axis), np.flip(np.broadcast_to(b, a.shape), axis)
    assert exact.same_bits(np.flip(got, axis), logcumsumexp(turned[0], axis, b=turned[1]))


@pytest.mark.parametrize("initial", [-INF, -3.5, 0.0, 800.0, INF, NAN])
def test_every_sum_starts_from_initial(isa, dtype, rng, initial):
    a = rng.normal(0, 5, 300).astype(dtype)
    expected = prefixes(np.concatenate([[initial], a]).astype(dtype))
    assert same(logcumsumexp(a, initial=initial), expected[1:])
    assert same(logcumsumexp(a, initial=initial, exclusive=True), expected[:-1])


def test_axis_none_runs_over_the_flattened_array(isa, dtype, rng):
    a = rng.normal(0, 5, (6, 5, 40)).astype(dtype)
    for view in (a, a.transpose(2, 0, 1), a[:, ::2]):
        assert exact.same_bits(logcumsumexp(view), logcumsumexp(view.ravel()))
        turned = logcumsumexp(view, reverse=True)
        assert exact.same_bits(turned, logcumsumexp(view.ravel(), reverse=True))
    assert exact.same_bits(logcumsumexp(dtype.type(3)), np.array([3], dtype))


@pytest.mark.parametrize("kind", ["float16", "int8", "int64", "uint16", "bool", ">f4"])
def test_other_dtypes_are_answered_as_logsumexp_answers_them(kind):
    a = np.arange(90).reshape(2, 45).astype(kind)
    got = logcumsumexp(a, 1)
    assert got.dtype == lsecy.logsumexp(a).dtype
    assert same(got[:, -1], lsecy.logsumexp(a, 1))
    assert logcumsumexp(a, 1, dtype=np.float64).dtype == np.float64


def test_weights_broadcast_and_enlarge(rng):
    a, b = rng.standard_normal(70), rng.random((3, 1))
    assert same(logcumsumexp(a, 1, b=b), [prefixes(a, b=w) for w in b])


# --- out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(500,), (60, 40), (40, 7), (7, 40_000)])
@pytest.mark.parametrize("options", [{}, {"exclusive": True}, {"reverse": True}], ids=str)
def test_the_result_may_lie_where_the_input_does(isa, dtype, rng, shape, options):
    a = rng.normal(0, 5, shape).astype(dtype)
    for axis in range(len(shape)):
        expected, place = logcumsumexp(a, axis, **options), a.copy()
        assert logcumsumexp(place, axis, out=place, **options) is place
        assert exact.same_bits(place, expected)
        wide = np.zeros((*shape[:-1], shape[-1] + 1), dtype)
        wide[..., :-1] = a
        logcumsumexp(wide[..., :-1], axis, out=wide[..., 1:], **options)
        assert exact.same_bits(wide[..., 1:], expected)


def test_out_of_any_layout_is_filled_and_returned(isa, dtype, rng):
    a = rng.normal(0, 5, (30, 20)).astype(dtype)
    for out in (
        np.empty((20, 30), dtype).T,
        np.empty((60, 40), dtype)[::2, ::2],
        np.empty((30, 20), dtype)[::-1],
    ):
        assert logcumsumexp(a, 1, out=out) is out
        assert exact.same_bits(out, logcumsumexp(a, 1))
    flat = np.empty(1200, dtype)[::-2]
    assert logcumsumexp(a, out=flat) is flat
    assert exact.same_bits(flat, logcumsumexp(a))


# --- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"axis": 2}, np.exceptions.AxisError, r"axis 2 is out of range for a 2-d array"),
        ({"axis": (0, 1)}, TypeError, r"axis must be None or an int, not \(0, 1\)"),
        ({"axis": 0.5}, TypeError, r"axis must be None, an int"),
        ({"initial": "0"}, TypeError, r"initial must be one real number, not '0'"),
        ({"initial": [0.0, 1.0]}, TypeError, r"initial must be one real number"),
        ({"b": [1.0, 2.0]}, ValueError, r"b of shape \(2,\) does not broadcast against a of shape \(4, 3\)"),
        ({"b": 1.0, "logb": 1.0}, ValueError, r"b and logb are both given"),
        ({"b": 1j}, TypeError, r"complex128 has no running sums"),
        ({"where": [1, 0, 1]}, TypeError, r"where has dtype int64"),
        ({"scale": None}, TypeError, r"scale must be one real number"),
        ({"axis": 0, "out": np.empty((3, 4))}, ValueError, r"out has shape \(3, 4\); the result"),
        ({"out": np.empty((4, 3))}, ValueError, r"out has shape \(4, 3\); the result"),
        ({"axis": 0, "out": np.empty((4, 3), "f4")}, TypeError, r"out has dtype float32"),
        ({"axis": 0, "out": [0.0]}, TypeError, r"out must be a NumPy array, not list"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(options, error, words):
    with pytest.raises(error, match=rf"^logcumsumexp: {words}"):
        logcumsumexp(np.ones((4, 3)), **options)


@pytest.mark.parametrize(
    "kind", ["complex64", "complex128", "longdouble", "clongdouble", "object", "U1", "M8[s]"]
)
def test_other_kinds_of_numbers_are_refused(kind):
    if np.dtype(kind) == np.float64:
        return
    with pytest.raises(TypeError, match=r"^logcumsumexp: "):
        logcumsumexp(np.zeros(3, kind))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_of_nothing_it_is_nothing(dtype, shape):
    a = np.ones(shape, dtype)
    assert logcumsumexp(a, 0).shape == shape
    assert logcumsumexp(a).shape == (0,)
    assert logcumsumexp(a, -1, reverse=True).dtype == dtype
