"""Rows of logits: chosen and largest elements, entropies; their accuracy, bits, special values and errors."""

import zlib
from functools import cache

import exact
import numpy as np
import pytest
from arrays import BLOCKS, LAYOUTS, LOGITS
from bounds import BOUNDS
from exact import mp, mpf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lsecy

INF, NAN = np.inf, np.nan
SIZES = [1, 2, 3, 4, 5, 8, 17, 47, 48, 49, 64, 65, 130, 300]


def sizes(dtype):
    block = BLOCKS[np.dtype(dtype).name]
    return [*SIZES, *(block + 1, 2 * block + 7)] if exact.WIDE_LONG_DOUBLE else SIZES


def few(rng, n, k=40):
    """Choose indices of a row: all of a short one."""
    return np.arange(n) if n <= k else np.unique(rng.integers(0, n, k))


@cache
def rows(case, dtype):
    """Return (row, some ids, their exact log-probabilities) over all sizes."""
    out = []
    for n in sizes(dtype):
        rng = np.random.default_rng([zlib.crc32(case.encode()), n])
        a = LOGITS[case](rng, n, dtype)
        ids = np.union1d(few(rng, n), np.argmax(a))
        out.append((a, ids, exact.near(exact.shares(a)[1][ids], dtype)))
    return out


# Accuracy -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LOGITS)
def test_log_probabilities_of_tokens_stay_within_their_bound(isa, dtype, case):
    errors = [
        (exact.ulp_errors(lsecy.token_logprobs(a[None], ids[None])[0], true).max(), a.size)
        for a, ids, true in rows(case, dtype)
    ]
    assert max(errors)[0] <= BOUNDS["token_logprobs", dtype.name], max(errors)


@pytest.mark.parametrize("n", [2, 3, 64, 65, 5000])
def test_the_winning_token_keeps_its_digits_at_any_gap(isa, dtype, n):
    errors = {}
    for gap in np.linspace(0.1, 80 if dtype == np.float32 else 700, 40).astype(dtype):
        a = np.full(n, 40 - gap, dtype)
        a[n // 2] = 40
        true = -exact.contract([0.0, float(a[0]) - 40], [1.0, n - 1.0]).value
        errors[float(gap)] = exact.ulp_error(lsecy.token_logprobs(a, n // 2), true, dtype)
    worst_gap, error = max(errors.items(), key=lambda item: item[1])
    assert error <= BOUNDS["token_logprobs", dtype.name], worst_gap


@pytest.mark.parametrize("n", [3, 60, 5000])
@pytest.mark.parametrize("scale", [0.7, -1.3, 0.0, 3.0])
def test_log_probabilities_of_scaled_logits_stay_within_their_bound(isa, dtype, rng, n, scale):
    if not exact.WIDE_LONG_DOUBLE:
        n = min(n, 300)
    a = rng.normal(0, 5, n).astype(dtype)
    ids = few(rng, n)
    true = exact.near(exact.shares(a, scale=scale)[1][ids], dtype)
    error = exact.ulp_errors(lsecy.token_logprobs(a[None], ids[None], scale=scale)[0], true).max()
    assert error <= BOUNDS["token_logprobs", dtype.name]


@pytest.mark.parametrize("answer", [3.5, 3.999, 4.001, 4.5])
def test_log_probabilities_stay_within_their_bound_where_the_second_look_begins(isa, dtype, rng, answer):
    """About the distance from zero above which one look is enough."""
    n = 2000 if exact.WIDE_LONG_DOUBLE else 300
    worst = 0
    for _ in range(10):
        a = rng.normal(0, 2, n).astype(dtype)
        a[7] = np.log(np.exp(a.astype(float)).sum()) - answer
        true = exact.shares(a)[1][7]
        worst = max(worst, exact.ulp_errors(lsecy.token_logprobs(a, 7), exact.near(np.asarray(true), dtype)))
    assert worst <= BOUNDS["token_logprobs", dtype.name]


def exact_entropy(a, dtype, **options):
    """Return the entropy and what the shares below the smallest normal number may take from it."""
    shares, logs, _ = exact.shares(a, **options)
    kept = shares > 0
    loss = np.abs(logs[kept]).max() * float(np.finfo(dtype).smallest_subnormal)
    return exact.near(np.asarray(-(shares[kept] * logs[kept]).sum()), dtype), float(loss)


@pytest.mark.parametrize("case", LOGITS)
def test_entropies_stay_within_their_bound(isa, dtype, case):
    for a, _, _ in rows(case, dtype):
        true, loss = exact_entropy(a, dtype)
        error = exact.ulp_errors(lsecy.entropy(a), true) - loss * a.size / true.ulp
        assert error <= BOUNDS["entropy", dtype.name], a.size


def test_log_probabilities_beside_one_that_is_nearly_all_stay_within_their_bound(isa, dtype, rng):
    """A term's own error averages out among others; alone it shows, most beside answers just below -4."""
    peaks = rng.uniform(16, 33, (400, 1)) * rng.choice([-1, 1], (400, 1))
    a = peaks - rng.uniform(12, 30, (400, 70))
    a[:, [7]], a[:, [3]] = peaks - rng.uniform(4, 5, (400, 1)), peaks
    a = a.astype(dtype)
    true = [exact.near(exact.shares(row)[1][[7]], dtype) for row in a]
    got = lsecy.token_logprobs(a, np.full(400, 7))
    errors = [exact.ulp_errors(got[[k]], one) for k, one in enumerate(true)]
    assert np.max(errors) <= BOUNDS["token_logprobs", dtype.name]


@cache
def exact_divergence(p, q):
    """Return sum(p log(p/q)) of two rows of logits, given as tuples, with sixty digits."""
    with mp.workdps(60):
        p, q = ([mp.exp(mpf(x) - max(row)) for x in row] for row in (p, q))
        p, q = ([x / mp.fsum(row) for x in row] for row in (p, q))
        return mp.fsum(x * mp.log(x / y) for x, y in zip(p, q, strict=True))


@pytest.mark.parametrize("n", [1, 2, 3, 30, 70, 300])
@pytest.mark.parametrize("distance", [10, 1, 1e-2, 1e-4, 1e-7])
def test_divergences_stay_within_their_bound(isa, dtype, rng, n, distance):
    for spread in (0.1, 1, 10):
        p = rng.normal(0, spread, n).astype(dtype)
        q = (p + distance * rng.normal(0, 1, n)).astype(dtype)
        true = exact_divergence(tuple(p.tolist()), tuple(q.tolist()))
        got = float(lsecy.kl_divergence(p, q))
        with mp.workdps(60):
            scale = float(np.finfo(dtype).eps) * (true + mp.sqrt(true))
            assert abs(got - true) <= BOUNDS["kl_divergence", dtype.name] * scale


@pytest.mark.parametrize("n", [5, 70, 5000])
def test_divergences_of_rows_that_differ_in_few_last_bits_stay_within_their_bound(isa, dtype, rng, n):
    """The error that the difference of two logarithms has must not enter such a divergence in first order."""
    for _ in range(30 if n < 100 else 2):
        p = rng.normal(0, 10, n).astype(dtype)
        q = np.where(rng.random(n) < 3 / n, np.nextafter(p, dtype.type(np.inf)), p)
        true = exact_divergence(tuple(p.tolist()), tuple(q.tolist()))
        got = float(lsecy.kl_divergence(p, q))
        with mp.workdps(60):
            scale = float(np.finfo(dtype).eps) * (true + mp.sqrt(true))
            assert abs(got - true) <= BOUNDS["kl_divergence", dtype.name] * scale


def test_the_divergence_of_equal_distributions_is_zero(isa, dtype, rng):
    a = rng.normal(0, 9, (5, 3000)).astype(dtype)
    assert lsecy.kl_divergence(a, a).tolist() == [0.0] * 5


# Ranks and largest elements -------------------------------------------------------------


def order_of(a):
    """Return indices from the largest element on; of equals the lowest first; NaN last."""
    keys = np.where(np.isnan(a), -INF, a)
    return np.argsort(-keys, axis=-1, kind="stable")


@pytest.mark.parametrize("n", [1, 2, 7, 48, 49, 64, 65, 700, 4097, 9000])
@pytest.mark.parametrize("levels", [3, 50, 10**6])
def test_the_largest_are_sorted_and_of_equals_the_first(isa, dtype, rng, n, levels):
    a = rng.integers(0, levels, (3, n)).astype(dtype)
    for k in {0, 1, min(n, 5), min(n, 33), n // 2, n}:
        values, ids = lsecy.topk_logprobs(a, k)
        assert np.array_equal(ids, order_of(a)[:, :k])
        assert exact.same_bits(values, lsecy.token_logprobs(a, ids))


@pytest.mark.parametrize("case", ["sorted up", "sorted down", "masked", "tied", "saw", "largest"])
def test_the_largest_are_found_in_rows_of_every_kind(isa, dtype, rng, case):
    a = np.array([LOGITS[case](rng, 9000, dtype) for _ in range(2)])
    assert np.array_equal(lsecy.topk_logprobs(a, 40)[1], order_of(a)[:, :40])


@pytest.mark.parametrize("n", [1, 2, 7, 48, 49, 64, 65, 700, 4097, 9000])
@pytest.mark.parametrize("levels", [3, 50, 10**6])
def test_ranks_are_places_in_the_order_of_the_largest(isa, dtype, rng, n, levels):
    a = rng.integers(0, levels, (4, n)).astype(dtype)
    ids = rng.integers(0, n, (4, 9))
    _, greedy, rank = lsecy.token_logprobs(a, ids, return_greedy=True, return_rank=True)
    assert np.array_equal(np.take_along_axis(order_of(a), rank, 1), ids)
    assert np.array_equal(greedy, rank == 0)
    assert np.array_equal(greedy, ids == a.argmax(axis=1)[:, None])


def test_greedy_does_not_need_the_rank(isa, rng):
    a = rng.integers(0, 500, (200, 6000)).astype(np.float32)
    ids = np.where(rng.random(200) < 0.5, a.argmax(axis=1), rng.integers(0, 6000, 200))
    greedy = lsecy.token_logprobs(a, ids, return_greedy=True)[1]
    assert np.array_equal(greedy, ids == a.argmax(axis=1))


@pytest.mark.parametrize("scale", [2.0, -1.0, 0.0])
@pytest.mark.parametrize("n", [30, 5000])
def test_order_is_that_of_the_scaled_logits(isa, rng, scale, n):
    a = rng.integers(0, 99, (3, n)).astype(np.float32)
    order = order_of(scale * a)
    assert np.array_equal(lsecy.topk_logprobs(a, 20, scale=scale)[1], order[:, :20])
    rank = lsecy.token_logprobs(a, order[:, 3:9], scale=scale, return_rank=True)[1]
    assert rank.tolist() == [[3, 4, 5, 6, 7, 8]] * 3


@settings(max_examples=40)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 70)), elements=st.floats(-9, 9)),
    st.data(),
)
def test_any_row_is_as_its_log_softmax_says(isa, a, data):
    n = a.shape[1]
    ids = data.draw(hnp.arrays(np.int64, (a.shape[0], 2), elements=st.integers(0, n - 1)))
    k = data.draw(st.integers(0, n))
    logs = lsecy.log_softmax(a, axis=1)
    got, lse, rank = lsecy.token_logprobs(a, ids, return_lse=True, return_rank=True)
    np.testing.assert_allclose(got, np.take_along_axis(logs, ids, 1), rtol=1e-14)
    assert exact.same_bits(lse, lsecy.logsumexp(a, axis=1))
    assert np.array_equal(np.take_along_axis(order_of(a), rank, 1), ids)
    assert np.array_equal(lsecy.topk_logprobs(a, k)[1], order_of(a)[:, :k])


# Equal bits -----------------------------------------------------------------------------


def everything(a, ids, axis=-1):
    """Return all that is said about the rows of `a`, rows first."""
    values, ids_of_largest = lsecy.topk_logprobs(a, min(3, a.shape[axis]), axis)
    return [
        *lsecy.token_logprobs(a, ids, axis, return_lse=True, return_greedy=True, return_rank=True),
        np.moveaxis(values, axis, -1),
        np.moveaxis(ids_of_largest, axis, -1),
        lsecy.entropy(a, axis),
        lsecy.kl_divergence(a, a[:, ::-1] if axis == -1 else a[::-1], axis),
    ]


def bits_sizes(dtype):
    block = BLOCKS[dtype.name]
    return [1, 2, 5, 16, 48, 49, 64, 65, 130, block - 1, block + 1, 2 * block + 5]


def mixed(rng, shape, dtype):
    """Rows of which some need a second look and some do not."""
    a = rng.normal(0, 3, shape).astype(dtype)
    a[::2, shape[1] // 2] += 12
    return a


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_and_columns_have_the_same_bits_in_every_layout(isa, dtype, rng, layout):
    for n in bits_sizes(dtype):
        a = mixed(rng, (5, n), dtype)
        ids = np.stack([rng.integers(0, n, 5), np.full(5, n // 2)], axis=1)
        reference = everything(a, ids)
        for got in (
            everything(LAYOUTS[layout](a), ids),
            everything(LAYOUTS[layout](np.ascontiguousarray(a.T)), ids, 0),
        ):
            assert [exact.same_bits(*pair) for pair in zip(got, reference, strict=True)] == [True] * 8, n


@pytest.mark.parametrize("n", [1, 3, 16, 48, 49, 64, 65, 130, 5000])
def test_a_row_has_the_same_bits_in_a_batch_of_any_size(isa, dtype, rng, n):
    a = mixed(rng, (70, n), dtype)
    ids = rng.integers(0, n, (70, 2))
    whole = everything(a, ids)
    for k in (0, 1, 5, 63, 64, 69):
        alone = everything(a[k : k + 1], ids[k : k + 1])
        assert all(exact.same_bits(got[k : k + 1], one) for got, one in zip(whole, alone, strict=True))


@pytest.mark.parametrize("shape", [(3, 100_003), (40, 5000), (3000, 30)])
def test_the_number_of_threads_does_not_matter(isa, dtype, shape):
    rng = np.random.default_rng(5)
    a, ids = mixed(rng, shape, dtype), rng.integers(0, shape[1], (shape[0], 2))
    results = []
    for n_threads in (1, 2, 3):
        with lsecy.threads(n_threads):
            results.append(everything(a, ids))
    assert all(
        exact.same_bits(*pair) for other in results[1:] for pair in zip(other, results[0], strict=True)
    )


def test_what_else_is_asked_does_not_change_the_bits(isa, dtype, rng):
    for n in (5, 300, 9000):
        a = mixed(rng, (6, n), dtype)
        ids = rng.integers(0, n, (6, 10))
        together = lsecy.token_logprobs(a, ids, return_lse=True, return_rank=True)[0]
        alone = np.array([lsecy.token_logprobs(a, ids[:, k]) for k in range(10)]).T
        assert exact.same_bits(together, alone)


def test_the_sum_has_the_bits_of_logsumexp(isa, dtype, rng):
    for n in (1, 5, 48, 49, 64, 65, 300, 9000):
        for shift in (0, 100, -np.log(n)):  # the last gives sums near zero
            a = (shift + 0.1 * rng.normal(0, 1, (6, n))).astype(dtype)
            lse = lsecy.token_logprobs(a, np.zeros(6, int), return_lse=True, scale=0.9)[1]
            assert exact.same_bits(lse, lsecy.logsumexp(a, axis=1, scale=0.9))


# Special values -------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 60, 5000])
def test_special_rows_are_those_of_log_softmax(isa, dtype, n):
    patterns = np.array(np.meshgrid(*[[-INF, 0.5, INF, NAN]] * 3)).reshape(3, -1).T
    a = np.full((len(patterns), n), -INF, dtype)
    a[:, [0, n // 2, n - 1]] = patterns
    ids = np.broadcast_to([0, 1, n // 2, n - 1], (len(a), 4))
    got = lsecy.token_logprobs(a, ids)
    np.testing.assert_array_equal(got, np.take_along_axis(lsecy.log_softmax(a, axis=1), ids, 1))


@pytest.mark.parametrize("n", [4, 60, 5000])
def test_special_rows_have_no_entropy(isa, dtype, n):
    a = np.zeros((4, n), dtype)
    a[0, n // 2], a[1, n // 2], a[2] = NAN, INF, -INF
    for got in (lsecy.entropy(a, axis=1), lsecy.kl_divergence(a, 0 * np.arange(n, dtype=dtype))):
        assert np.isnan(got).tolist() == [True, True, True, False]
    assert np.isnan(lsecy.kl_divergence(np.zeros(n, dtype), a)).tolist() == [True, True, True, False]


def test_zero_times_its_logarithm_is_zero(isa, dtype):
    assert lsecy.entropy(np.array([0, -INF], dtype)) == 0
    assert lsecy.kl_divergence(np.array([0, -INF], dtype), np.array([0, 0], dtype)) == dtype.type(np.log(2))
    assert lsecy.kl_divergence(np.array([0, -INF], dtype), np.array([0, -INF], dtype)) == 0


def test_what_q_rules_out_is_infinitely_far(isa, dtype):
    assert lsecy.kl_divergence(np.array([0, 0], dtype), np.array([0, -INF], dtype)) == INF


def test_undefined_elements_have_no_rank(isa, dtype):
    a = np.array([[1, NAN, 2], [-INF, -INF, -INF], [1, INF, 2]], dtype)
    values, greedy, rank = lsecy.token_logprobs(a, [[0, 1]] * 3, return_greedy=True, return_rank=True)
    np.testing.assert_array_equal(values, [[NAN, NAN], [NAN, NAN], [-INF, NAN]])
    assert rank.tolist() == [[-1, -1], [-1, -1], [2, -1]]
    assert not greedy.any()


def test_a_nan_is_the_lowest_of_its_row(isa, dtype):
    values, ids = lsecy.topk_logprobs(np.array([NAN, 1, NAN, 2], dtype), 3)
    assert ids.tolist() == [3, 1, 0]
    assert np.isnan(values).all()


@pytest.mark.parametrize("n", [4, 60, 5000])
def test_ignored_ids_are_never_seen(isa, dtype, n):
    a = np.zeros((3, n), dtype)
    a[1] = NAN
    got, greedy, rank = lsecy.token_logprobs(
        a, [0, -100, 1], ignore_index=-100, return_greedy=True, return_rank=True
    )
    assert got.tolist() == [-dtype.type(np.log(n)), 0, -dtype.type(np.log(n))]
    assert greedy.tolist() == [True, False, False]
    assert rank.tolist() == [0, -1, 1]


def test_an_ignored_id_may_lie_in_range():
    assert lsecy.token_logprobs([[1.0, 2.0]] * 2, [0, 1], ignore_index=0)[0] == 0


def test_a_mask_of_ids_ignores_them():
    ids = np.ma.masked_array([0, 77], mask=[False, True])
    assert lsecy.token_logprobs([[1.0, 2.0]] * 2, ids)[1] == 0


@pytest.mark.parametrize("n", [5, 60, 5000])
@pytest.mark.parametrize("scale", [1.0, -0.5])
def test_hidden_logits_have_no_part_in_the_row(isa, dtype, rng, n, scale):
    a = rng.normal(0, 3, (4, n)).astype(dtype)
    hidden = rng.random((4, n)) < 0.4
    hidden[:, [0, n - 1]] = False, True
    a[hidden] = rng.choice([NAN, INF, -INF, 9], hidden.sum())
    masked = np.ma.masked_array(a, hidden)
    dropped = np.where(hidden, -INF if scale > 0 else INF, a).astype(dtype)
    ids = np.tile([0, n - 1], (4, 1))
    got = lsecy.token_logprobs(masked, ids, scale=scale, return_lse=True, return_rank=True)
    reference = lsecy.token_logprobs(dropped, ids, scale=scale, return_lse=True, return_rank=True)
    assert all(exact.same_bits(*pair) for pair in zip(got, reference, strict=True))
    assert (got[0][:, 1] == -INF).all()
    largest = [lsecy.topk_logprobs(x, 2, scale=scale) for x in (masked, dropped)]
    for one, other in zip(*largest, strict=True):
        assert exact.same_bits(one, other)
    for option in (dict(where=~hidden), {}):
        entropy = lsecy.entropy(a if option else masked, scale=scale, **option)
        assert exact.same_bits(entropy, lsecy.entropy(dropped, scale=scale))


def test_a_mask_holds_for_both_distributions(isa, dtype, rng):
    p, q = rng.normal(0, 2, (2, 5, 300)).astype(dtype)
    keep = rng.random((5, 300)) < 0.5
    reference = lsecy.kl_divergence(
        np.where(keep, p, -INF).astype(dtype), np.where(keep, q, -INF).astype(dtype)
    )
    p[~keep], q[~keep] = NAN, INF
    assert exact.same_bits(lsecy.kl_divergence(p, q, where=keep), reference)


# Shapes, dtypes, axes -------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("several", [(), (4,)])
def test_ids_have_the_shape_of_the_rows(rng, axis, several):
    a = rng.normal(0, 3, (3, 5, 7))
    rows = np.delete(a.shape, axis)
    ids = rng.integers(0, a.shape[axis], (*rows, *several))
    flat = np.moveaxis(a, axis, -1).reshape(-1, a.shape[axis])
    reference = lsecy.token_logprobs(flat, ids.reshape(len(flat), -1)).reshape(ids.shape)
    got, lse = lsecy.token_logprobs(a, ids, axis, return_lse=True)
    assert exact.same_bits(got, reference)
    assert lse.shape == tuple(rows)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_the_largest_take_the_place_of_the_axis(rng, axis):
    a = rng.normal(0, 3, (3, 5, 7))
    values, ids = lsecy.topk_logprobs(a, 2, axis)
    shape = list(a.shape)
    shape[axis] = 2
    assert values.shape == ids.shape == tuple(shape)
    np.testing.assert_allclose(
        values, np.take_along_axis(lsecy.log_softmax(a, axis=axis), ids, axis), rtol=1e-14
    )


@pytest.mark.parametrize("axis", [None, 0, (0, 2), (2, 1), -1, ()])
def test_entropies_of_any_axes(rng, axis):
    a, b = rng.normal(0, 3, (2, 3, 5, 7))
    logs = lsecy.log_softmax(a, axis=axis)
    got = lsecy.entropy(a, axis, keepdims=True)
    np.testing.assert_allclose(got, -np.sum(np.exp(logs) * logs, axis=axis, keepdims=True), rtol=1e-13)
    assert lsecy.entropy(a, axis).shape == np.sum(a, axis=axis).shape
    ratio = logs - lsecy.log_softmax(b, axis=axis)
    np.testing.assert_allclose(
        lsecy.kl_divergence(a, b, axis), np.sum(np.exp(logs) * ratio, axis=axis), rtol=1e-12, atol=1e-15
    )


def test_distributions_broadcast_against_each_other(rng):
    a, b = rng.normal(0, 1, (4, 1, 6)), rng.normal(0, 1, (3, 6))
    got = lsecy.kl_divergence(a, b)
    full = [np.ascontiguousarray(x) for x in np.broadcast_arrays(a, b)]
    assert exact.same_bits(got, lsecy.kl_divergence(*full))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32_and_rounded_once(rng, kind):
    kind = np.dtype(getattr(pytest.importorskip("ml_dtypes"), kind) if kind == "bfloat16" else kind)
    a = rng.normal(0, 3, (4, 5000)).astype(kind)
    ids = rng.integers(0, 5000, 4)
    wide = a.astype(np.float32)
    for got, reference in (
        (lsecy.token_logprobs(a, ids), lsecy.token_logprobs(wide, ids)),
        (lsecy.topk_logprobs(a, 3)[0], lsecy.topk_logprobs(wide, 3)[0]),
        (lsecy.entropy(a), lsecy.entropy(wide)),
        (lsecy.kl_divergence(a, a[::-1]), lsecy.kl_divergence(wide, wide[::-1])),
    ):
        assert got.dtype == kind
        np.testing.assert_array_max_ulp(got.astype(np.float32), reference.astype(kind).astype(np.float32), 0)


@pytest.mark.parametrize("kind", ["int8", "uint16", "int64", "bool"])
def test_integers_count_as_float64(rng, kind):
    a = rng.integers(0, 2 if kind == "bool" else 9, (3, 300)).astype(kind)
    got = lsecy.token_logprobs(a, [0, 1, 2], return_rank=True)
    reference = lsecy.token_logprobs(a.astype(float), [0, 1, 2], return_rank=True)
    assert exact.same_bits(got[0], reference[0])
    assert np.array_equal(got[1], reference[1])


def test_two_dtypes_meet_as_numpy_promotes_them(rng):
    a, b = rng.normal(0, 1, (2, 300))
    assert lsecy.kl_divergence(a.astype(np.float32), b).dtype == np.float64
    assert lsecy.kl_divergence(a.astype(np.float32), b.astype(np.float16)).dtype == np.float32


@pytest.mark.parametrize("kind", ["uint8", "int32", "uint64", ">i4"])
def test_ids_of_any_integer_dtype(rng, kind):
    a = rng.normal(0, 1, (6, 99))
    ids = rng.integers(0, 99, (6, 4))
    got = lsecy.token_logprobs(a, ids.astype(kind)[:, ::-1])
    assert exact.same_bits(got, lsecy.token_logprobs(a, ids)[:, ::-1])


def test_a_memory_mapped_file_is_read_as_it_lies(rng, tmp_path):
    a = rng.normal(0, 3, (7, 5000)).astype(np.float16)
    a.tofile(tmp_path / "logits")
    mapped = np.memmap(tmp_path / "logits", np.float16, "r", shape=a.shape)
    ids = rng.integers(0, 5000, 7)
    assert exact.same_bits(lsecy.token_logprobs(mapped, ids), lsecy.token_logprobs(a, ids))


def test_scalars_come_from_one_row():
    got = lsecy.token_logprobs([0.0, 0.0], 1, return_lse=True, return_greedy=True, return_rank=True)
    assert [type(x) for x in got] == [np.float64, np.float64, np.bool_, np.int64]


def test_lists_are_taken():
    assert lsecy.token_logprobs([[0.0, 0.0]], [1]).tolist() == [-np.log(2)]


@pytest.mark.parametrize("shape", [(0, 5), (3, 0, 5), (0, 0)])
def test_no_rows_have_no_answers(shape):
    a = np.zeros(shape)
    assert lsecy.token_logprobs(a, np.zeros(shape[:-1], int)).shape == shape[:-1]
    assert lsecy.topk_logprobs(a, 0)[0].shape == (*shape[:-1], 0)
    assert lsecy.entropy(a).shape == shape[:-1]


def test_empty_rows_have_a_sum_of_nothing():
    values, lse, rank = lsecy.token_logprobs(
        np.zeros((2, 0)), [-1, -1], ignore_index=-1, return_lse=True, return_rank=True
    )
    assert values.tolist() == [0, 0]
    assert lse.tolist() == [-INF, -INF]
    assert rank.tolist() == [-1, -1]
    assert np.isnan(lsecy.entropy(np.zeros((2, 0)))).all()


def test_out_gets_the_same_bits(rng):
    a, ids = rng.normal(0, 3, (4, 700)).astype(np.float32), rng.integers(0, 700, (4, 2))
    for out in (np.zeros((4, 2), np.float32), np.zeros((2, 4), np.float32).T):
        assert lsecy.token_logprobs(a, ids, out=out) is out
        assert exact.same_bits(out, lsecy.token_logprobs(a, ids))
    out = np.zeros(4, np.float32)
    assert lsecy.entropy(a, out=out) is out
    assert exact.same_bits(out, lsecy.entropy(a))


def test_no_warning_and_no_change_of_errstate(isa, dtype):
    a = np.array([[INF, -INF, NAN], [-INF, -INF, -INF], [1e30, -1e30, 0]], dtype)
    with np.errstate(all="raise"):
        before = np.geterr()
        everything(a, [[0, 1]] * 3)
        lsecy.token_logprobs(a[:2].astype(np.float16), [0, 1])
        assert np.geterr() == before


# Errors ---------------------------------------------------------------------------------

A = np.zeros((2, 3))


@pytest.mark.parametrize("bad", [3, -1, 10**12, -(2**62)])
def test_an_id_out_of_range_names_its_place_and_value(bad):
    out = np.full((2, 2), 7.0)
    with pytest.raises(IndexError, match=rf"^token_logprobs: ids\[1, 0\] is {bad}; allowed are 0 to 2$"):
        lsecy.token_logprobs(A, [[0, 1], [bad, 2]], out=out)
    assert (out == 7).all()


def test_an_unsigned_id_out_of_range_is_named_as_it_is():
    with pytest.raises(IndexError, match=r"ids\[0\] is 18446744073709551615;"):
        lsecy.token_logprobs(A, np.array([2**64 - 1, 0], np.uint64))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            TypeError,
            "token_logprobs: ids has dtype float64; indices must be integers",
            lambda f: f(A, [0.0, 1]),
        ),
        (TypeError, "token_logprobs: ids has dtype bool", lambda f: f(A, [True, False])),
        (ValueError, r"token_logprobs: ids has shape \(3,\); allowed is \(2,\)", lambda f: f(A, [0, 1, 2])),
        (ValueError, "token_logprobs: ids has shape", lambda f: f(A, np.zeros((2, 1, 1), int))),
        (ValueError, "token_logprobs: ids has shape", lambda f: f(A, 0)),
        (TypeError, "token_logprobs: axis must be an int, not None", lambda f: f(A, [0, 0], None)),
        (TypeError, r"token_logprobs: axis must be an int, not \(0,\)", lambda f: f(A, [0, 0], (0,))),
        (np.exceptions.AxisError, "token_logprobs: axis 2 is out of range", lambda f: f(A, [0, 0], 2)),
        (TypeError, "token_logprobs: scale must be one real number", lambda f: f(A, [0, 0], scale="1")),
        (TypeError, "token_logprobs: ignore_index must be an int", lambda f: f(A, [0, 0], ignore_index=1.5)),
        (TypeError, "token_logprobs: logits has dtype complex128", lambda f: f(A + 0j, [0, 0])),
        (TypeError, "token_logprobs: logits has dtype object", lambda f: f(A.astype(object), [0, 0])),
        (TypeError, "token_logprobs: out must be a NumPy array", lambda f: f(A, [0, 0], out=[0, 0])),
        (TypeError, "token_logprobs: out has dtype", lambda f: f(A, [0, 0], out=np.zeros(2, np.float32))),
        (ValueError, "token_logprobs: out has shape", lambda f: f(A, [0, 0], out=np.zeros(3))),
    ],
)
def test_what_is_wrong_with_tokens_is_said(error, message, call):
    with pytest.raises(error, match="^" + message):
        call(lsecy.token_logprobs)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "topk_logprobs: k is 4; allowed are 0 to 3", lambda: lsecy.topk_logprobs(A, 4)),
        (ValueError, "topk_logprobs: k is -1;", lambda: lsecy.topk_logprobs(A, -1)),
        (TypeError, "topk_logprobs: k must be an int, not 1.5", lambda: lsecy.topk_logprobs(A, 1.5)),
        (TypeError, "entropy: where has dtype float64", lambda: lsecy.entropy(A, where=A)),
        (TypeError, "entropy: out has dtype", lambda: lsecy.entropy(A, out=np.zeros(2, np.float32))),
        (TypeError, "entropy: logits has dtype complex128", lambda: lsecy.entropy(A + 0j)),
        (
            ValueError,
            "kl_divergence: other of shape .* does not broadcast",
            lambda: lsecy.kl_divergence(A, A.T),
        ),
        (TypeError, "kl_divergence: other has dtype complex128", lambda: lsecy.kl_divergence(A, A + 0j)),
        (ValueError, "kl_divergence: axis .* twice", lambda: lsecy.kl_divergence(A, A, (0, 0))),
    ],
)
def test_what_is_wrong_with_rows_is_said(error, message, call):
    with pytest.raises(error, match="^" + message):
        call()


@pytest.mark.parametrize("name", ["token_logprobs", "topk_logprobs", "entropy"])
def test_lazy_arrays_are_refused(name):
    lazy = pytest.importorskip("dask.array").zeros((2, 3))
    with pytest.raises(TypeError, match=f"^{name}: logits is a lazy array of dask"):
        getattr(lsecy, name)(
            lazy, *([[0, 0]] if name == "token_logprobs" else [1] if name == "topk_logprobs" else [])
        )
