"""Every result stays within the bound that tests/bounds.py states for its kind of data."""

import zlib
from functools import cache

import exact
import numpy as np
import pytest
from arrays import DOMINATED, ILL_CONDITIONED, SHORT, UNDERFLOW, VALUES, WEIGHTED, around, block_sizes
from bounds import BOUNDS

import lsecy

LONG = [*around(1000), 49_159]


@cache
def rows(kind, case, dtype):
    """Return [(a, b or None, exact)] of one case over all sizes; one seed per case and size."""
    table = {
        "values": VALUES,
        "dominated": DOMINATED,
        "underflow": UNDERFLOW,
        "weighted": WEIGHTED,
        "ill": ILL_CONDITIONED,
    }[kind]
    out = []
    for n in [*SHORT, *block_sizes(dtype), *LONG]:
        rng = np.random.default_rng([zlib.crc32(case.encode()), n])
        a, b = table[case](rng, n, dtype) if kind == "weighted" else (table[case](rng, n, dtype), None)
        out.append((a, b, exact.logsumexp(a, b)))
    return out


def worst(kind, case, dtype, chosen, error):
    """Return (largest error, its length) over the chosen rows; a wrong sign is an infinite error."""
    found = (-1.0, None)
    for a, b, true in rows(kind, case, dtype):
        if not chosen(true, a, b):
            continue
        got, sign = lsecy.logsumexp(a, b=b, return_sign=True)
        size = error(got, true, a, b) if sign == true.sign else np.inf
        found = max(found, (size, a.size))
    return found


def in_ulp(got, true, a, b):
    return exact.ulp_error(got, true.value, a.dtype)


def in_eps(got, true, a, b):
    return exact.ill_conditioned_error(got, true, a, b)


def well(true, a, b):
    return not exact.is_ill_conditioned(true, a, b)


def ill(true, a, b):
    return exact.is_ill_conditioned(true, a, b)


def every(true, a, b):
    return True


@pytest.mark.parametrize("case", VALUES)
def test_logsumexp_stays_within_its_bound(isa, dtype, case):
    error, n = worst("values", case, dtype, well, in_ulp)
    assert error <= BOUNDS["logsumexp", dtype.name], f"{error} ulp at n = {n}"


@pytest.mark.parametrize("case", VALUES)
def test_ill_conditioned_rows_stay_within_their_bound(isa, dtype, case):
    error, n = worst("values", case, dtype, ill, in_eps)
    assert error <= BOUNDS["ill-conditioned", dtype.name], f"{error} eps at n = {n}"


@pytest.mark.parametrize("case", ILL_CONDITIONED)
def test_normalised_log_probabilities_stay_within_their_bound(isa, dtype, case):
    error, n = worst("ill", case, dtype, every, in_eps)
    assert error <= BOUNDS["ill-conditioned", dtype.name], f"{error} eps at n = {n}"


@pytest.mark.parametrize("case", DOMINATED)
def test_a_dominant_term_near_zero_keeps_the_rest(isa, dtype, case):
    error, n = worst("dominated", case, dtype, every, in_ulp)
    assert error <= BOUNDS["dominated near zero", dtype.name], f"{error} ulp at n = {n}"


@pytest.mark.parametrize("case", UNDERFLOW)
def test_terms_near_underflow_stay_within_their_bound(isa, dtype, case):
    error, n = worst("underflow", case, dtype, every, in_ulp)
    assert error <= BOUNDS["near underflow", dtype.name], f"{error} ulp at n = {n}"


@pytest.mark.parametrize("case", WEIGHTED)
def test_weighted_logsumexp_stays_within_its_bound(isa, dtype, case):
    error, n = worst("weighted", case, dtype, well, in_ulp)
    assert error <= BOUNDS["weighted", dtype.name], f"{error} ulp at n = {n}"


@pytest.mark.parametrize("case", WEIGHTED)
def test_weighted_terms_that_cancel_stay_within_their_bound(isa, dtype, case):
    error, n = worst("weighted", case, dtype, ill, in_eps)
    assert error <= BOUNDS["ill-conditioned", dtype.name], f"{error} eps at n = {n}"


@cache
def short_rows_with(options, dtype):
    """Return short rows, their options, and the exact answers, many of which lie within 1 of zero."""
    rng, found = np.random.default_rng(len(options)), []
    for n in (3, 4, 7, 16, 40):
        a = rng.normal(-np.log(n) / 2, 1, (40, n)).astype(dtype)
        a[::10] *= 30
        given = {"scale": 0.7} if "scale" in options else {}
        if "b" in options or "logb" in options:
            b = rng.dirichlet(np.ones(n), len(a))
            given |= {"logb": np.log(b).astype(dtype)} if "logb" in options else {"b": b.astype(dtype)}
        apart = [{k: v if k == "scale" else v[i] for k, v in given.items()} for i in range(len(a))]
        found.append((a, given, [exact.contract_sum(row, **own) for row, own in zip(a, apart, strict=True)]))
    return found


@pytest.mark.parametrize("options", ["b", "logb", "scale", "scale and logb"])
def test_short_rows_with_options_stay_within_their_bound(isa, dtype, options):
    """Within the bound of all, and of those that are not small against what they are made of, in ulp."""
    for a, given, true in short_rows_with(options, dtype):
        x = a.astype(float) * given.get("scale", 1) + given.get("logb", 0)
        got = lsecy.logsumexp(a, axis=1, **given)
        for value, each, row in zip(got, true, x.astype(dtype), strict=True):
            assert exact.ill_conditioned_error(value, each, row) <= BOUNDS["ill-conditioned", dtype.name]
            if abs(each.value) >= 1 / 16:
                bound = BOUNDS["weighted" if "b" in given else "logsumexp", dtype.name]
                assert exact.ulp_error(value, each.value, dtype) <= bound


@cache
def gaps(n, dtype):
    """Return rows of one dominant 0 beside equal terms, and their exact results."""
    rows = np.repeat(
        -np.linspace(1, 80 if dtype == np.float32 else 700, 60).astype(dtype)[:, None], n, axis=1
    )
    rows[:, n // 2] = 0
    return rows, [exact.contract(a.tolist(), [1.0] * n).value for a in rows]


@pytest.mark.parametrize("n", [2, 3, 64, 65, 5000])
def test_the_gap_to_the_rest_may_be_anything(isa, dtype, n):
    errors = {
        float(a[0]): exact.ulp_error(lsecy.logsumexp(a), true, dtype)
        for a, true in zip(*gaps(n, dtype), strict=True)
    }
    bound = BOUNDS["dominated near zero", dtype.name]
    assert max(errors.values()) <= bound, max(errors.items(), key=lambda item: item[1])


@cache
def rows_with_a_far_element(dtype):
    """Return rows of near elements, each with one that is not, and their exact answers."""
    limits = [44.3, 44.4, 88.0, 88.4, 88.8, 104, 354.8, 355.0, 709.5, 710.0, 745.5]
    limits += [2.0**19 * np.log(2), 1e30, np.inf]
    rng, rows = np.random.default_rng(17), []
    for far in [*limits, *np.negative(limits), np.nan]:
        for place in (0, 100, 200, 299):
            rows.append(rng.normal(size=300).astype(dtype))
            rows[-1][place] = far
    return np.array(rows), [exact.logsumexp(row).value for row in rows]


def test_one_far_element_may_stand_anywhere(isa, dtype):
    """Near elements have a way of their own, which must leave every other to the general one."""
    a, true = rows_with_a_far_element(dtype)
    along, across = lsecy.logsumexp(a, axis=1), lsecy.logsumexp(np.ascontiguousarray(a.T), axis=0)
    assert exact.same_bits(along, across)
    errors = [exact.ulp_error(got, value, dtype) for got, value in zip(along, true, strict=True)]
    assert max(errors) <= BOUNDS["logsumexp", dtype.name], a[np.argmax(errors)]


@pytest.mark.parametrize("function", [lsecy.logsumexp, lsecy.logmeanexp])
def test_an_element_alone_is_its_own_answer(isa, dtype, rng, function):
    a = (rng.standard_normal(2000) * 10.0 ** rng.uniform(-4, 3, 2000)).astype(dtype)
    np.testing.assert_array_equal(function(a[:, np.newaxis], axis=1), a)
    np.testing.assert_array_equal(function(a[np.newaxis], axis=0), a)
    np.testing.assert_array_equal([function(a[k : k + 1]) for k in range(200)], a[:200])


def test_pairs_stay_within_the_bound(isa, dtype, rng):
    """Many rows of two: the shortest sum, the finest sieve."""
    a = np.concatenate([rng.normal(5, 3, (300, 2)), rng.uniform(-30, 0, (300, 2)) + [40, 0]]).astype(dtype)
    got = lsecy.logsumexp(a, axis=1)
    triples = [(g, exact.logsumexp(row), row) for g, row in zip(got, a, strict=True)]
    errors = [exact.ulp_error(g, true.value, dtype) for g, true, row in triples if well(true, row, None)]
    assert max(errors) <= BOUNDS["logsumexp", dtype.name]


@pytest.mark.parametrize("n", [3, 4, 5, 8, 15, 16, 17, 33, 48, 64])
def test_short_rows_stay_within_the_bound_at_every_limit(isa, dtype, n, rng):
    """Answers about those at which a row is looked at again, and peaks about those that are subtracted."""
    answers = np.concatenate(
        [rng.uniform(-0.6, 0.6, 24), rng.uniform(-75, 75, 12), rng.uniform(-900, 900, 12)]
    )
    a = rng.normal(0, 1, (answers.size, n)) * rng.choice([0, 1e-3, 1, 8], (answers.size, 1))
    a += (answers - np.log(np.exp(a).sum(axis=1)))[:, None]
    a = np.concatenate([a, np.full((4, n), [[64.0], [-64], [512], [-512]])]).astype(dtype)
    rows, columns = lsecy.logsumexp(a, axis=1), lsecy.logsumexp(a.T.copy(), axis=0)
    assert rows.tobytes() == columns.tobytes() == np.array([lsecy.logsumexp(row) for row in a]).tobytes()
    assert lsecy.logsumexp(np.tile(a, (3, 1)), axis=1).tobytes() == np.tile(rows, 3).tobytes()
    for got, row in zip(rows, a, strict=True):
        true = exact.logsumexp(row)
        if ill(true, row, None):
            assert in_eps(got, true, row, None) <= BOUNDS["ill-conditioned", dtype.name]
        else:
            assert in_ulp(got, true, row, None) <= BOUNDS["logsumexp", dtype.name]


@pytest.mark.parametrize("n", [49, 64, 65, 129, 1000, 5000])
def test_options_cost_no_digits_where_the_shift_and_the_logarithm_cancel(isa, dtype, rng, n):
    """Exponents are multiples of 1/8, so that their sums are exact; answers lie between -4 and 4."""
    x = rng.integers(-40, 0, n) / 8
    x = (x - np.round(8 * np.log(np.exp(x).sum())) / 8 + rng.integers(-24, 24, (5, 1)) / 8).astype(dtype)
    logb = (rng.integers(-200, 200, n) / 8).astype(dtype)
    keep = rng.random(n) < 0.9
    options = {
        "logb": (x - logb, {"logb": logb}, x),
        "scale": (x * 4, {"scale": 0.25}, x),
        "where": (x, {"where": keep}, x[:, keep]),
        "all": (-2 * (x - logb), {"logb": logb, "scale": -0.5, "where": keep}, x[:, keep]),
    }
    for name, (a, kwargs, terms) in options.items():
        rows = lsecy.logsumexp(a, axis=1, **kwargs)
        across = {
            key: np.reshape(value, (-1, 1)) if key != "scale" else value for key, value in kwargs.items()
        }
        assert rows.tobytes() == lsecy.logsumexp(a.T.copy(), axis=0, **across).tobytes(), name
        for got, row in zip(rows, terms, strict=True):
            true = exact.logsumexp(row)
            assert ill(true, row, None) or in_ulp(got, true, row, None) <= 1, name
            assert in_eps(got, true, row, None) <= BOUNDS["ill-conditioned", dtype.name], name


@pytest.mark.parametrize("n", [49, 65, 129, 1000])
@pytest.mark.parametrize("size", [1e-3, 1, 60, 99, 130, 1e6, 1e12])
def test_weighted_sums_near_zero_or_cancelling_keep_their_digits(isa, dtype, rng, n, size):
    """Weights that leave the range in which terms have a way of their own, or drop what is not finite."""
    a = rng.normal(0, 1, (6, n)).astype(dtype)
    b = rng.uniform(0.5, 2, (6, n))
    b[3:] *= rng.choice([-1, 1], (3, n))
    b *= size / (np.abs(b) * np.exp(a)).sum(axis=1, keepdims=True)
    b[1], b[4] = b[1] / size, b[4] * (np.arange(n) < 2)
    b = b.astype(dtype)
    b[:, 7:10] = 0
    rows, signs = lsecy.logsumexp(a, b=b, axis=1, return_sign=True)
    a[:, 7:10] = [np.inf, np.nan, 1e30]
    for got, sign in (
        lsecy.logsumexp(a, b=b, axis=1, return_sign=True),
        lsecy.logsumexp(a.T.copy(), b=b.T.copy(), axis=0, return_sign=True),
    ):
        assert rows.tobytes() == got.tobytes()
        assert signs.tobytes() == sign.tobytes()
    for got, sign, row, weights in zip(rows, signs, a, b, strict=True):
        true = exact.logsumexp(row, weights)
        assert sign == true.sign
        error = in_eps(got, true, row[weights != 0], weights[weights != 0])
        assert error <= BOUNDS["ill-conditioned", dtype.name]
        if well(true, row[weights != 0], weights[weights != 0]):
            assert in_ulp(got, true, row, weights) <= BOUNDS["weighted", dtype.name]


def test_ten_million_equal_terms_do_not_drift(isa, dtype):
    a = np.full(10_000_001, 1.5, dtype)
    true = exact.contract([1.5], [float(a.size)])
    assert exact.ulp_error(lsecy.logsumexp(a), true.value, dtype) <= BOUNDS["logsumexp", dtype.name]


def test_a_million_random_terms_stay_within_the_bound(isa, dtype):
    a = np.random.default_rng(7).standard_normal(1_000_003).astype(dtype)
    error = exact.ulp_error(lsecy.logsumexp(a), _million(dtype).value, dtype)
    assert error <= BOUNDS["logsumexp", dtype.name]


@cache
def _million(dtype):
    return exact.logsumexp(np.random.default_rng(7).standard_normal(1_000_003).astype(dtype))


def test_subnormal_inputs_are_not_flushed(isa, dtype):
    a = np.array([np.finfo(dtype).smallest_subnormal, -np.inf], dtype)
    assert lsecy.logsumexp(a) == a[0]


def test_subnormal_results_are_not_flushed(isa):
    true = exact.contract([0.0, -740.0], [1.0, 1.0]).value
    error = exact.ulp_error(lsecy.logsumexp([0.0, -740.0]), true, "float64")
    assert error <= BOUNDS["near underflow", "float64"]


def test_float16_is_rounded_once_from_float32(isa):
    a = np.zeros(70_000, np.float16)
    assert lsecy.logsumexp(a) == np.float16(np.log(70_000))
