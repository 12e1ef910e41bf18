"""softmax and log_softmax: within their bounds, and the same bits whatever surrounds a row."""

import zlib
from functools import cache

import exact
import numpy as np
import pytest
import scipy.special
from arrays import BLOCKS, LAYOUTS, SHORT, VALUES, WEIGHTED, around
from arrays import LOGITS as CASES
from bounds import BOUNDS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lsecy

SIGNED = ["mostly positive", "signed", "signed over the whole range"]
LONGEST = 100_003 if exact.WIDE_LONG_DOUBLE else 300


@pytest.fixture(params=["softmax", "log_softmax"])
def function(request):
    """Name one of the two functions."""
    return request.param


def call(function, *args, **options):
    return getattr(lsecy, function)(*args, **options)


# Accuracy -------------------------------------------------------------------------------


class Row:
    """One row with its exact shares; `Rounded` by function."""

    def __init__(self, a, b=None):
        self.a, self.b = a, b
        softmax, log_softmax, _ = exact.shares(a, b)
        self.exact = {
            "softmax": exact.near(softmax, a.dtype),
            "log_softmax": exact.near(log_softmax, a.dtype),
        }

    def errors(self, function):
        got = call(function, self.a, b=self.b)
        return exact.ulp_errors(got, self.exact[function])


def sizes(dtype):
    block = BLOCKS[np.dtype(dtype).name]
    return [n for n in [*SHORT, 1000, block - 1, block, block + 1, 2 * block + 7, 16_391] if n <= LONGEST]


@cache
def rows(table, case, dtype):
    """Return the rows of one case over all sizes; one seed per case and size."""
    out = []
    for n in sizes(dtype):
        made = table_of(table)[case](np.random.default_rng([zlib.crc32(case.encode()), n]), n, dtype)
        out.append(Row(*made) if table == "weights" else Row(made))
    return out


def table_of(name):
    return WEIGHTED if name == "weights" else CASES


def worst(function, chosen):
    """Return (largest error, its length) over some rows."""
    return max((row.errors(function).max(), row.a.size) for row in chosen)


@pytest.mark.parametrize("case", CASES)
def test_every_share_stays_within_its_bound(isa, dtype, function, case):
    error, n = worst(function, rows("values", case, dtype))
    assert error <= BOUNDS[function, dtype.name], f"{error} ulp at n = {n}"


@pytest.mark.parametrize("case", [case for case in WEIGHTED if case not in [*SIGNED, "negative"]])
def test_every_weighted_share_stays_within_its_bound(isa, dtype, function, case):
    """A weight of log_softmax enters as its logarithm, whose rounding counts."""
    bound, eps, found = BOUNDS[f"weighted {function}", dtype.name], np.finfo(dtype).eps, []
    for row in rows("weights", case, dtype):
        error, true, allowed = row.errors(function), row.exact[function], bound
        if function == "log_softmax":
            largest = np.abs(np.log(row.b[row.b != 0].astype(float))).max()
            with np.errstate(invalid="ignore"):
                ulps = eps * np.maximum(np.abs(true.near), max(largest, 1)) / true.ulp
            allowed = bound * np.where(np.isfinite(ulps), ulps, 1)
        found.append((np.max(error / allowed), row.a.size))
    share, n = max(found)
    assert share <= 1, f"{share} of what is allowed at n = {n}"


@pytest.mark.parametrize("case", [*SIGNED, "negative"])
def test_negative_weights_of_shares_are_refused(dtype, function, case):
    row = rows("weights", case, dtype)[-1]
    with pytest.raises(ValueError, match="^" + function + ": b .* must not be negative"):
        call(function, row.a, b=row.b)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("beside", ["nothing", "nan", "-inf", "a mask"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3,), 0),
        ((70, 10), 1),
        ((70, 10), 0),
        ((40, 300), 1),
        ((300, 40), 0),
        ((3, 50_000), 1),
        ((50_000, 8), 0),
        ((200_000,), None),
        ((4, 100, 30), 1),
    ],
)
def test_a_negative_weight_is_found_wherever_it_lies(isa, dtype, function, rng, shape, axis, beside, threads):
    """A result of our own is written while the weights are looked at."""
    a, b = rng.normal(0, 3, shape).astype(dtype), rng.uniform(0, 1, shape).astype(dtype)
    place, options = tuple(rng.integers(0, shape)), {}
    b[place] = -2
    if beside == "a mask":
        options["where"] = rng.random(shape) < 0.5
        options["where"][place] = True
    elif beside != "nothing":
        a.flat[0] = a[place] = float(beside)
    with lsecy.threads(threads), pytest.raises(ValueError, match="^" + function + ": b holds -2.0"):
        call(function, a, axis=axis, b=b, **options)


@cache
def long_row(case, dtype):
    return Row(CASES[case](np.random.default_rng(zlib.crc32(case.encode())), LONGEST, dtype))


@pytest.mark.parametrize("case", ["normal", "normal times 10", "sorted up", "one half a unit above equals"])
def test_shares_of_long_rows_stay_within_their_bound(isa, dtype, function, case):
    error = long_row(case, dtype).errors(function).max()
    assert error <= BOUNDS[function, dtype.name]


def exact_shares(a, dtype):
    """Return the exact shares of rows, by function."""
    each = [exact.shares(row)[:2] for row in a]
    return {
        "softmax": exact.near(np.array([softmax for softmax, _ in each]), dtype),
        "log_softmax": exact.near(np.array([log_softmax for _, log_softmax in each]), dtype),
    }


@cache
def batch(dtype, n):
    """Return 200 rows of n with their exact shares, by function."""
    rng = np.random.default_rng(n)
    normal = rng.normal(0, 10, (150, n))
    winners = rng.uniform(-30, 0, (50, n))
    winners[:, rng.integers(n)] = 0
    a = np.concatenate([normal, winners]).astype(dtype)
    return a, exact_shares(a, dtype)


@pytest.mark.parametrize("n", [*range(1, 10), 15, 16, 17, 33, 64, 65])
@pytest.mark.parametrize("order", ["C", "F"])
def test_shares_of_many_rows_stay_within_their_bound(isa, dtype, function, n, order):
    a, true = batch(dtype, n)
    error = exact.ulp_errors(call(function, np.array(a, order=order), axis=1), true[function]).max()
    assert error <= BOUNDS[function, dtype.name]


@cache
def far_batch(dtype, n):
    """Return rows whose peaks lie next to where a shift begins, with their exact shares, by function."""
    limit, apart = (8192, 60) if dtype == np.float32 else (2**20, 600)
    gaps = [0, 0.5, 4, apart - 1, apart + 1, np.inf]
    peaks = [sign * (limit + off) for sign in (1, -1) for off in (-apart - 1, -apart / 2, -0.5, 0, 0.5)]
    a = np.array([[peak, *[peak - gap] * (n - 1)] for peak in [*peaks, 0.3] for gap in gaps], dtype)
    return a, exact_shares(a, dtype)


@pytest.mark.parametrize("n", [1, 2, 5, 64, 65])
@pytest.mark.parametrize("options", [{}, {"logb": np.float32(0)}, {"where": True}])
@pytest.mark.parametrize("order", ["C", "F"])
def test_shares_next_to_where_a_shift_begins_stay_within_their_bound(isa, dtype, function, n, options, order):
    a, true = far_batch(dtype, n)
    options = {name: np.full(a.shape, value) for name, value in options.items()}
    got = call(function, np.array(a, order=order), axis=1, dtype=dtype, **options)
    error = exact.ulp_errors(got, true[function]).max()
    assert error <= BOUNDS[function, dtype.name]


@pytest.mark.parametrize("n", [2, 3, 48, 64, 65, 5000])
def test_the_winner_keeps_its_digits_at_any_gap(isa, dtype, n):
    """A sweep of one winner beside equals, from nearby to where all of these together are nothing."""
    errors = {}
    far, nothing = (80, 115) if dtype == np.float32 else (700, 770)
    gaps = np.concatenate([np.linspace(0.1, far, 60), np.linspace(far, nothing, 60)])
    for gap in gaps.astype(dtype):
        a = np.full(n, 40 - gap, dtype)
        a[n // 2] = 40
        true = -exact.contract([0.0, float(a[0]) - 40], [1.0, n - 1.0]).value
        errors[float(gap)] = exact.ulp_error(lsecy.log_softmax(a)[n // 2], true, dtype)
    worst_gap, error = max(errors.items(), key=lambda item: item[1])
    assert error <= BOUNDS["log_softmax", dtype.name], worst_gap


@pytest.mark.parametrize("peak", [0.0, 3.7, 300.1])
@pytest.mark.parametrize("n", [2, 3, 100])
def test_the_winner_keeps_its_digits_where_the_rest_is_next_to_the_last_bit_of_1(isa, dtype, n, peak):
    gaps = np.linspace(-0.3, 0.3, 300) - np.log(np.finfo(dtype).eps / 2) + np.log(n - 1)
    a = np.full((n, gaps.size), peak, dtype)
    a[1:] -= gaps.astype(dtype)
    true = [exact.shares(column)[1][0] for column in a.T]
    got = lsecy.log_softmax(a, axis=0)[0]
    assert exact.ulp_errors(got, exact.near(np.array(true), dtype)).max() <= BOUNDS["log_softmax", dtype.name]


def test_the_winner_of_two_keeps_its_digits():
    assert lsecy.log_softmax([40.0, 0.0])[0] == -4.248354255291589e-18


@pytest.mark.parametrize("n", [1, 2, 3, 10, 64, 65, 1000, 5000, 100_003])
@pytest.mark.parametrize("case", ["normal", "normal times 10", "wide", "tied", "two levels", "sorted up"])
def test_the_shares_of_a_row_add_up_to_one(isa, dtype, rng, case, n):
    total = np.sum(lsecy.softmax(CASES[case](rng, n, dtype)), dtype=np.longdouble)
    assert abs(total - 1) <= BOUNDS["sum of softmax", dtype.name] * np.finfo(dtype).eps


def test_results_that_pass_the_caches_by_have_the_same_bits(isa, dtype, rng, function):
    # From 32 MB on; in rows that start anywhere in a cache line, and in one row of many blocks.
    some = rng.normal(0, 3, (40, 1003)).astype(dtype)
    many = np.concatenate([some] * (2**25 // some.nbytes + 1))
    answers = call(function, many, axis=-1).reshape(-1, *some.shape)
    assert (answers == call(function, some, axis=-1)).all()
    spread = np.empty((many.size, 2), dtype)[:, 0]  # which takes an element at a time
    assert np.array_equal(call(function, many.ravel()), call(function, many.ravel(), out=spread))


def rows_of_levels(rng, dtype):
    """Return rows of blocks with peaks apart, some on both sides of where a peak is subtracted."""
    limit, above = 8192 if dtype == np.float32 else 2**20, [(-6, 2, -8), (2, -6, 9)]
    levels = [(0, -30, 20), (-np.inf, 5, -np.inf), (-1e4, 0, -1e4), (np.inf, 0, 0), (0, np.nan, 0)]
    levels += [(-1500, -np.inf, -2400), (-np.inf, -1500, -np.inf), (-np.inf, limit + 9, np.nan)]
    levels += [np.add(limit, some) for some in above] + [np.subtract(-limit, some) for some in above]
    return [np.repeat(some, 4100).astype(dtype) + rng.normal(0, 1, 12300).astype(dtype) for some in levels]


def test_blocks_of_a_row_lie_on_scales_of_their_own(isa, dtype, rng, function):
    for x in rows_of_levels(rng, dtype):
        got, finite = call(function, x), x.max() < np.inf
        assert np.array_equal(call(function, np.tile(x[:, None], (1, 21)), axis=0)[:, 4], got, equal_nan=True)
        if np.isnan(x).any() or (function == "softmax" and not finite):
            assert np.isnan(got).all()
            continue
        wide = x.astype(np.longdouble) - (x.max() if finite else 0)
        with np.errstate(over="ignore", invalid="ignore"):  # of the reference: inf, and inf - inf
            total = np.exp(wide).sum()
            true = np.exp(wide) / total if function == "softmax" else wide - np.log(total)
            errors = np.abs(got - true) / np.spacing(np.abs(true).astype(dtype))
        normal = np.isfinite(true) & (np.abs(true) > np.finfo(dtype).tiny)
        assert errors[normal].max(initial=0) <= BOUNDS[function, dtype.name]
        assert np.array_equal(got == -np.inf, true == -np.inf)


def test_shares_of_ten_million_equal_terms_do_not_drift(isa, dtype):
    n = 10_000_001
    got = lsecy.softmax(np.full(n, 1.5, dtype))
    with exact.mp.workdps(40):
        error = exact.ulp_error(got[n // 2], exact.mpf(1) / n, dtype)
    assert error <= BOUNDS["softmax", dtype.name]
    assert got.min() == got.max()


def test_subnormal_shares_are_not_flushed(isa, dtype):
    gap = 100 if dtype == np.float32 else 740
    got = lsecy.softmax(np.array([0, -gap], dtype))[1]
    assert 0 < got < np.finfo(dtype).tiny


# Equal bits -----------------------------------------------------------------------------

BITS = [*range(1, 10), *around(16, 64), 130, 257, 1000]


def bits_sizes(dtype):
    block = BLOCKS[dtype.name]
    return [*BITS, block - 1, block + 1, 2 * block + 5]


def one_by_one(function, rows, b=None):
    """Map each row alone: the reference that all else must equal."""
    if b is None:
        return np.array([call(function, row.copy()) for row in rows])
    return np.array([call(function, row.copy(), b=w.copy()) for row, w in zip(rows, b, strict=True)])


def differing(pairs):
    """Return the names of results that differ from their reference."""
    return [name for name, got, reference in pairs if not exact.same_bits(got, reference)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_and_columns_have_the_same_bits_in_every_layout(isa, dtype, function, rng, layout):
    pairs = []
    for n in bits_sizes(dtype):
        a = rng.normal(0, 5, (5, n)).astype(dtype)
        reference = one_by_one(function, a)
        pairs.append((n, call(function, LAYOUTS[layout](a), axis=-1), reference))
        turned = LAYOUTS[layout](np.ascontiguousarray(a.T))
        pairs.append(((n, "columns"), call(function, turned, axis=0), reference.T))
    assert differing(pairs) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weighted_rows_have_the_same_bits_in_every_layout(isa, dtype, function, rng, layout):
    pairs = []
    for n in [1, 3, 8, 17, 64, 65, 130, 1000]:
        a, b = rng.normal(0, 5, (5, n)).astype(dtype), rng.uniform(0, 1, (5, n)).astype(dtype)
        reference = one_by_one(function, a, b)
        pairs.append((n, call(function, a, axis=-1, b=LAYOUTS[layout](b)), reference))
        turned = LAYOUTS[layout](np.ascontiguousarray(b.T))
        pairs.append(((n, "columns"), call(function, a.T, axis=0, b=turned), reference.T))
    assert differing(pairs) == []


WEIGHTS = {
    "of every size": lambda rng, n: 10.0 ** rng.uniform(-44, 37, n),
    "some of them 0": lambda rng, n: rng.uniform(0, 1, n) * (rng.random(n) < 0.6),
    "beside far exponents": lambda rng, n: rng.uniform(0, 9, n),
    "some of them undefined": lambda rng, n: np.where(rng.random(n) < 2 / n, [np.nan, np.inf][n % 2], 1),
}


@pytest.mark.parametrize("options", [{}, {"scale": 0.7}, {"where": 3}], ids=["alone", "scale", "where"])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_of_any_size_have_the_same_bits_in_rows_and_columns(isa, dtype, function, rng, kind, options):
    """Weights of their own, or one row of weights for all."""
    pairs = []
    for n in [2, 10, 64, 65, 100, 300, 1001, BLOCKS[dtype.name] + 9]:
        b = WEIGHTS[kind](rng, n).astype(dtype)
        a = (rng.normal(0, 5, (9, n)) * (4000 if "far" in kind else 1)).astype(dtype)
        a[:, b == 0] = np.inf
        kept = np.arange(n) % 7 != options["where"] if "where" in options else None
        more = {**options, "where": kept} if "where" in options else options
        reference = np.array([call(function, row.copy(), b=b, **more) for row in a])
        own, turned = np.tile(b, (9, 1)), np.ascontiguousarray(np.tile(a, (4, 1)).T)
        wide = np.ascontiguousarray(np.tile(b, (36, 1)).T)
        down = {**more, "where": kept[:, None]} if "where" in more else more
        for name, got in {
            "shared": call(function, a, axis=1, b=b, **more),
            "own": call(function, a, axis=1, b=own, **more),
            "shared columns": call(function, turned, axis=0, b=b[:, None], **down)[:, :9].T,
            "own columns": call(function, turned, axis=0, b=wide, **down)[:, 9:18].T,
        }.items():
            pairs.append(((n, name), got, reference))
    assert differing(pairs) == []


@pytest.mark.parametrize("zeros", [0, 0.3])
def test_weights_near_the_peak_and_far_from_it_give_the_same_bits(isa, dtype, rng, zeros):
    """Past every bound of the loop for near weights; a far neighbour leads around it."""
    limit, pairs = 88 if dtype == np.float32 else 700, []
    wide, spread = np.linspace(0, 0.99, 36)[:, None], rng.permutation(np.linspace(0, 1, 36))[:, None]
    for n in [3, 40, 64, 100, 300, 1001, BLOCKS[dtype.name] + 9]:
        log_b = limit * wide * rng.uniform(-1, 1, (36, n))
        a = (limit * spread * rng.uniform(-1, 0, (36, n)) - log_b).astype(dtype)
        b = (np.exp(log_b) * (rng.random((36, n)) >= zeros)).astype(dtype)
        reference = one_by_one("softmax", a, b)
        further = np.vstack([a, np.full(n, -np.inf)]).astype(dtype), np.vstack([b, np.ones(n)]).astype(dtype)
        for name, (x, w) in {"near": (a, b), "far": further}.items():
            pairs.append(((n, name), lsecy.softmax(x, axis=1, b=w)[:36], reference))
            x, w = np.ascontiguousarray(x.T), np.ascontiguousarray(w.T)
            pairs.append(((n, name, "columns"), lsecy.softmax(x, axis=0, b=w)[:, :36].T, reference))
    assert differing(pairs) == []


@pytest.mark.parametrize("kind", ["bool", "int8", ">f8", "float16", "float32"])
def test_weights_of_any_type_have_the_same_bits_along_columns(isa, dtype, function, rng, kind):
    """Those of log_softmax are logarithms where the answers will be, also beside columns without one."""
    pairs = []
    for n in [3, 60, 200, BLOCKS[dtype.name] + 5]:
        a, b = rng.normal(0, 5, (n, 37)).astype(dtype), rng.integers(0, 9, (n, 37)).astype(kind)
        b[:, 5], a[n // 2, 11], a[n - 1, 17], a[:, 23] = 0, np.nan, np.inf, -np.inf
        reference = one_by_one(function, a.T, b.T).T
        pairs.append((n, call(function, a, axis=0, b=b), reference))
        pairs.append(((n, "turned"), call(function, a, axis=0, b=np.asfortranarray(b)), reference))
        out = np.full((n, 74), 7, reference.dtype)[:, ::2]
        pairs.append(((n, "strided"), call(function, a, axis=0, b=b, out=out), reference))
    assert differing(pairs) == []


@pytest.mark.parametrize("case", ["normal", "sorted up", "sorted down", "masked", "saw", "first is -1e30"])
def test_a_column_has_the_bits_of_a_row(isa, dtype, function, rng, case):
    pairs = []
    for n in bits_sizes(dtype):
        a = np.array([VALUES[case](rng, n, dtype) for _ in range(9)])
        pairs.append((n, call(function, np.ascontiguousarray(a.T), axis=0), one_by_one(function, a).T))
    assert differing(pairs) == []


@pytest.mark.parametrize("outer", [1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 65, 129, 1000, 2049])
def test_a_row_has_the_same_bits_in_a_batch_of_any_size(isa, dtype, function, rng, outer):
    pairs = []
    for n in [1, 2, 3, 4, 5, 8, 9, 17, 33, 64, 65, 100, 128, 130, 256, 257]:
        a = rng.normal(0, 9, (outer, n)).astype(dtype)
        chosen = np.unique(np.linspace(0, outer - 1, 20).astype(int))
        reference = one_by_one(function, a[chosen])
        pairs.append((n, call(function, a, axis=1)[chosen], reference))
        turned = call(function, np.ascontiguousarray(a.T), axis=0)
        pairs.append(((n, "columns"), turned[:, chosen], reference.T))
    assert differing(pairs) == []


@pytest.mark.parametrize("option", ["where", "scale", "logb", "b", "all"])
def test_a_row_has_the_same_bits_in_a_batch_whatever_the_options(isa, dtype, function, rng, option):
    pairs = []
    for n in [65, 66, 100, 127, 128, 129, 200, 256, 257]:
        a = rng.normal(0, 9, (37, n)).astype(dtype)
        a[::3, 0] = -np.inf
        a[5::9, n // 2] = 60  # one term is nearly all of the sum
        b = rng.exponential(1, (37, n)).astype(dtype)
        options = {"where": rng.random((37, n)) < 0.8, "scale": 0.7, "logb": np.log(b), "b": b}
        chosen = {key: options[key] for key in (["where", "scale", "logb"] if option == "all" else [option])}
        rows = [
            {key: value if key == "scale" else value[k] for key, value in chosen.items()} for k in range(37)
        ]
        reference = np.array([call(function, a[k], **rows[k]) for k in range(37)])
        turned = {
            key: value if key == "scale" else np.ascontiguousarray(value.T) for key, value in chosen.items()
        }
        pairs.append((n, call(function, a, axis=1, **chosen), reference))
        pairs.append(
            ((n, "columns"), call(function, np.ascontiguousarray(a.T), axis=0, **turned), reference.T)
        )
    assert differing(pairs) == []


@pytest.mark.parametrize("n", [2, 4, 9, 33, 64, 65, 100, 130, 4100])
@pytest.mark.parametrize("odd", [slice(None, None, 2), slice(21, 22)])
def test_what_the_neighbours_hold_does_not_matter(isa, dtype, function, rng, n, odd):
    a = rng.normal(0, 10, (70, n)).astype(dtype)
    others = np.delete(np.arange(70), odd)
    reference = one_by_one(function, a)[others]
    for value in (np.nan, np.inf, -np.inf, 1e30, -1e30):
        a[odd] = value
        assert exact.same_bits(call(function, a, axis=1)[others], reference)
        assert exact.same_bits(call(function, np.asfortranarray(a), axis=1)[others], reference)


@pytest.mark.parametrize("axis", [(0, 1), (0, 2), (1, 2), (2, 0), (0, 1, 2), (-1, 0), (0, 3), (3, 1), None])
def test_several_axes_have_the_bits_of_one_flat_row(isa, dtype, function, rng, axis):
    a = rng.normal(0, 5, (6, 5, 7, 9)).astype(dtype)
    reduced = sorted(i % 4 for i in (range(4) if axis is None else axis))
    kept = [i for i in range(4) if i not in reduced]
    flat = a.transpose(kept + reduced)
    reference = one_by_one(function, flat.reshape(-1, np.prod([a.shape[i] for i in reduced])))
    got = call(function, a, axis=axis).transpose(kept + reduced)
    assert exact.same_bits(got, reference.reshape(flat.shape))


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((400_007,), None),
        ((400, 700), 0),
        ((400, 700), 1),
        ((3, 100_001), 1),
        ((100_001, 3), 1),
        ((50, 80, 60), (0, 2)),
    ],
)
def test_the_number_of_threads_does_not_matter(isa, dtype, function, shape, axis):
    a = np.random.default_rng(5).standard_normal(shape, dtype)
    results = []
    for n_threads in (1, 2, 3):
        with lsecy.threads(n_threads):
            results.append(call(function, a, axis=axis))
    assert [exact.same_bits(result, results[0]) for result in results] == [True] * 3


def test_the_number_of_threads_does_not_matter_to_weighted_shares(isa, dtype, function):
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((300, 1100), dtype), rng.uniform(0.1, 1, (300, 1100)).astype(dtype)
    for axis in (None, 0, 1):
        with lsecy.threads(1):
            reference = call(function, a, axis=axis, b=b, where=b > 0.2)
        assert exact.same_bits(call(function, a, axis=axis, b=b, where=b > 0.2), reference)


# Into another array ---------------------------------------------------------------------


def writable(layout):
    return [name for name in LAYOUTS if name not in ("read-only", "byte-swapped") and "swapped" not in name]


@pytest.mark.parametrize("layout", writable(LAYOUTS))
def test_in_place_has_the_same_bits_in_every_layout(isa, dtype, function, rng, layout):
    pairs = []
    for shape in [(7, 9), (3, 64), (5, 130), (2, 5000), (300, 3)]:
        for axis in (None, 0, 1):
            a = rng.normal(0, 5, shape).astype(dtype)
            reference = call(function, a, axis=axis)
            view = LAYOUTS[layout](a.copy())
            call(function, view, axis=axis, out=view)
            pairs.append(((shape, axis), view, reference))
    assert differing(pairs) == []


@pytest.mark.parametrize("n", [1, 10, 64, 65, 300, 2048, 2049])
def test_a_row_is_written_to_out_wherever_it_lies(isa, dtype, function, rng, n):
    """Apart, in its own place, or some elements on; special rows too."""
    for special in (0, np.inf, np.nan):
        a = rng.normal(0, 5, n).astype(dtype)
        a[n // 2] += special
        reference = call(function, a)
        apart, own = np.empty_like(a), a.copy()
        assert call(function, a, out=apart) is apart
        assert call(function, own, out=own) is own
        memory = np.concatenate([a, np.zeros(3, dtype)])
        further = call(function, memory[:n], out=memory[3:])
        assert [exact.same_bits(x, reference) for x in (apart, own, further)] == [True] * 3


@pytest.mark.parametrize("layout", writable(LAYOUTS))
def test_out_of_any_layout_gets_the_same_bits(isa, dtype, function, rng, layout):
    pairs = []
    for shape in [(7, 9), (3, 64), (5, 130), (2, 5000), (300, 3)]:
        for axis in (None, 0, 1):
            a = rng.normal(0, 5, shape).astype(dtype)
            out = LAYOUTS[layout](np.full(shape, 7, dtype))
            call(function, a, axis=axis, out=out)
            pairs.append(((shape, axis), out, call(function, a, axis=axis)))
    assert differing(pairs) == []


@pytest.mark.parametrize("layout", ["every second element", "every third row", "offset", "window"])
def test_nothing_is_written_around_out(isa, dtype, function, rng, layout):
    for axis in (None, 0, 1):
        out = LAYOUTS[layout](np.ones((7, 65), dtype))
        buffer = out
        while buffer.base is not None:
            buffer = buffer.base
        outside = np.isnan(buffer)
        call(function, rng.standard_normal((7, 65)).astype(dtype), axis=axis, out=out)
        assert np.array_equal(np.isnan(buffer), outside)


OVERLAPS = {
    "one element ahead": lambda flat: (flat[:-1], flat[1:]),
    "one element behind": lambda flat: (flat[1:], flat[:-1]),
    "reversed": lambda flat: (flat, flat[::-1]),
    "every second": lambda flat: (flat[: flat.size // 2], flat[::2][: flat.size // 2]),
    "transposed": lambda flat: (flat[:10_000].reshape(100, 100), flat[:10_000].reshape(100, 100).T),
    "one row ahead": lambda flat: (flat[:9900].reshape(99, 100), flat[100:10_000].reshape(99, 100)),
    "rows reversed": lambda flat: (flat[:10_000].reshape(100, 100), flat[:10_000].reshape(100, 100)[::-1]),
    "three elements ahead": lambda flat: (flat[:9900].reshape(99, 100), flat[3:9903].reshape(99, 100)),
    "columns": lambda flat: (
        flat[:10_000].reshape(100, 100)[:, :50],
        flat[:10_000].reshape(100, 100)[:, 25:75],
    ),
}


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_partial_overlap_is_right(isa, dtype, function, rng, overlap):
    values = rng.normal(0, 5, 10_001).astype(dtype)
    pairs = []
    for axis in (None, 0, -1):
        x, out = OVERLAPS[overlap](values.copy())
        reference = call(function, x.copy(), axis=axis)
        call(function, x, axis=axis, out=out)
        pairs.append((axis, out, reference))
    assert differing(pairs) == []


@pytest.mark.parametrize("name", ["b", "logb"])
def test_out_may_be_the_weights(isa, dtype, function, rng, name):
    pairs = []
    for axis in (None, 0, 1):
        a, w = rng.normal(0, 5, (2, 9, 130)).astype(dtype)
        w = np.abs(w)
        reference = call(function, a, axis=axis, **{name: w.copy()})
        call(function, a, axis=axis, out=w, **{name: w})
        pairs.append((axis, w, reference))
    assert differing(pairs) == []


@pytest.mark.parametrize("axis", [0, 1])
def test_out_may_overlap_the_weights_of_all_rows(isa, dtype, function, rng, axis):
    """Every row reads the same weights, which lie inside of out."""
    out = np.abs(rng.normal(0, 5, (50, 50))).astype(dtype)
    a = rng.normal(0, 5, (50, 50)).astype(dtype)
    w = out[7] if axis == 1 else out[:, 7:8]
    reference = call(function, a, axis=axis, b=w.copy())
    call(function, a, axis=axis, b=w, out=out)
    assert exact.same_bits(out, reference)


# SciPy ----------------------------------------------------------------------------------

RTOL = {"float32": 5e-5, "float64": 1e-12}


def assert_like_scipy(function, a, axis):
    expected = getattr(scipy.special, function)(a, axis=axis)
    got = call(function, a, axis=axis)
    assert got.dtype == a.dtype
    tolerance = RTOL[a.dtype.name]
    smallest = np.finfo(a.dtype).tiny  # SciPy's shares below it have few digits
    np.testing.assert_allclose(
        got, expected, rtol=tolerance, atol=smallest if function == "softmax" else tolerance
    )


@st.composite
def problems(draw):
    """Draw an array with an axis or axes of it."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=9))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    a = draw(hnp.arrays(kind, shape, elements=st.floats(-50, 50, width=32)))
    axes = st.integers(-len(shape), len(shape) - 1)
    return a, draw(st.one_of(st.none(), axes, hnp.valid_tuple_axes(len(shape), min_size=1)))


@settings(max_examples=25)
@given(problems())
def test_any_shape_and_any_axis_is_as_in_scipy(isa, function, problem):
    assert_like_scipy(function, *problem)


@pytest.mark.parametrize("n", [65, 257, 1000, 4097])
def test_the_winner_keeps_its_digits_whatever_the_others_add_up_to(isa, dtype, rng, n):
    a = rng.normal(0, 0.1, (40, n))
    winner = rng.integers(0, n, 40)
    a[np.arange(40), winner] = -np.inf
    a -= np.log(np.exp(a).sum(1, keepdims=True)) - np.log(np.expm1(np.linspace(0.05, 0.8, 40)))[:, None]
    a[np.arange(40), winner] = 0
    a = a.astype(dtype)
    got = lsecy.log_softmax(a, axis=1)
    assert exact.same_bits(lsecy.log_softmax(a.T.copy(), axis=0).T, got)
    for row, logs in zip(a, got, strict=True):
        errors = exact.ulp_errors(logs, exact.near(exact.shares(row)[1], dtype))
        assert errors.max() <= BOUNDS["log_softmax", dtype.name]


def winners(rng, dtype):
    """Return rows of several blocks, of which two have an element above all others."""
    block, rows = BLOCKS[dtype.name], []
    for n in (block + 1, 3 * block + 5):
        for gap in (0.5, 1.24, 1.26, 1.99, 2.01, 9, 40, 120, 700):
            for other in (0, 0.5, gap):  # by so much the second one is lower
                row = rng.normal(0, 1, n) * (1 if gap < 9 else 5)
                row[rng.integers(block)] = row.max() + gap
                row[rng.integers(block, n)] = row.max() - other
                rows.append(row.astype(dtype))
    return [row for row in rows if row.size <= LONGEST]


def test_winners_of_several_blocks_keep_their_digits(isa, dtype, rng):
    for row in winners(rng, dtype):
        true = Row(row).exact["log_softmax"]
        got = lsecy.log_softmax(row)
        assert exact.ulp_errors(got, true).max() <= BOUNDS["log_softmax", dtype.name]
        some = np.tile(row[:, None], (1, 21))
        some[:, 3] = np.nan
        assert exact.same_bits(lsecy.log_softmax(some, axis=0)[:, 4], got)


@pytest.mark.parametrize("n", [257, 300, 1000, 2049, 4097, 9000])
def test_the_same_bits_wherever_the_winner_lies(isa, dtype, n):
    """Whether the rest is added apart depends on the row alone: gaps, ties, and sums next to the bound."""
    rng = np.random.default_rng(n)
    rows = [rng.normal(0, scale, n) for scale in (1, 3, 10, 100)]
    for gap in (0.0, 1.2, 1.25, 1.3, 1.9, 2.0, 2.1, 6.0, 40.0, 800.0):
        row = rng.normal(0, 1, n)
        row[rng.integers(n)] = row.max() + gap
        rows.append(row)
        rows.append(np.append(row[:-1], row.max()))
    for bound in (0.125, 0.25):
        for share in (0.999, 0.9999, 0.99995, 1.0, 1.00005, 1.001):
            row = np.full(n, np.log(np.expm1(bound * share) / (n - 1)))
            row[rng.integers(n)] = 0
            rows.append(row)
    a = np.array(rows, dtype)
    got = lsecy.log_softmax(a, axis=1)
    assert exact.same_bits(lsecy.log_softmax(a.T.copy(), axis=0).T, got)
    assert exact.same_bits(np.array([lsecy.log_softmax(row) for row in a]), got)


@settings(max_examples=25)
@given(problems())
def test_any_view_is_as_in_scipy(isa, function, problem):
    a, axis = problem
    assert_like_scipy(function, a[(slice(None, None, -1),) * a.ndim].swapaxes(0, -1), axis)
