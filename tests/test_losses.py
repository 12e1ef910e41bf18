"""Losses and gradients: exact values, torch's meaning, finite differences, special values, errors."""

import zlib
from functools import cache

import exact
import numpy as np
import pytest
from arrays import BLOCKS, LAYOUTS, LOGITS
from bounds import BOUNDS
from exact import mp, mpf

import lsecy

INF, NAN = np.inf, np.nan
A = np.zeros((2, 3))
SIZES = [1, 2, 3, 5, 17, 48, 49, 64, 65, 130, 300]


def sizes(dtype):
    return [*SIZES, BLOCKS[dtype.name] + 1] if exact.WIDE_LONG_DOUBLE else SIZES


@cache
def rows(case, dtype):
    """Return (row, target, exact shares, exact logarithms of them) over all sizes."""
    out = []
    for n in sizes(dtype):
        rng = np.random.default_rng([zlib.crc32(case.encode()), n, 1])
        a = LOGITS[case](rng, n, dtype)
        target = int(rng.choice([np.argmax(a), rng.integers(n)]))
        out.append((a, target, *exact.shares(a)[:2]))
    return out


def ulps(got, true, dtype):
    return exact.ulp_errors(got, exact.near(np.asarray(true), dtype)).max()


# Accuracy -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LOGITS)
def test_losses_and_gradients_stay_within_their_bounds(isa, dtype, case):
    for a, y, shares, logs in rows(case, dtype):
        loss, grad = lsecy.cross_entropy_grad(a, y, return_loss=True)
        assert ulps(loss, -logs[y], dtype) <= BOUNDS["cross_entropy", dtype.name]
        slope = shares.copy()
        with np.errstate(all="ignore"):
            slope[y] = np.expm1(logs[y]) if exact.WIDE_LONG_DOUBLE else mp.expm1(logs[y])
        assert ulps(grad, slope, dtype) <= BOUNDS["cross_entropy_grad", dtype.name]


@pytest.mark.parametrize(
    "case", [case for case in LOGITS if "huge" not in case and case not in ("largest", "masked")]
)
def test_losses_of_probabilities_stay_within_their_bound(isa, dtype, case):
    bound = BOUNDS["cross_entropy of probabilities", dtype.name]
    for a, y, _, logs in rows(case, dtype):
        if not np.all(np.isfinite(logs.astype(float))):
            continue
        target = np.random.default_rng(a.size).random(a.size).astype(dtype)
        assert ulps(lsecy.cross_entropy(a, target), -(target.astype(logs.dtype) * logs).sum(), dtype) <= bound
        true = -(0.75 * logs[y] + 0.25 * logs.mean())
        assert ulps(lsecy.cross_entropy(a, y, label_smoothing=0.25), true, dtype) <= bound


def test_the_loss_of_a_certain_target_keeps_its_digits():
    assert lsecy.cross_entropy([40.0, 0.0], 0) == 4.248354255291589e-18
    assert lsecy.cross_entropy_grad([40.0, 0.0], 0)[0] == -4.248354255291589e-18


@pytest.mark.parametrize("n", [3, 60, 5000])
def test_means_are_rounded_once(isa, dtype, rng, n):
    a = rng.normal(0, 3, (200, n)).astype(dtype)
    y = rng.integers(0, n, 200)
    losses = lsecy.cross_entropy(a.astype(np.float64), y, reduction="none").astype(np.longdouble)
    error = ulps(lsecy.cross_entropy(a, y), losses.mean(), dtype)
    assert error <= BOUNDS["cross_entropy", dtype.name]


# Finite differences ---------------------------------------------------------------------


def exact_loss(rows_of_logits, targets, weight, smoothing, z_loss, ignored):
    """Return the mean loss, written down with a hundred digits; `targets` are indices or rows."""
    n = len(weight)
    total, whole, pulls, count = mpf(0), mpf(0), mpf(0), 0
    for logits, target in zip(rows_of_logits, targets, strict=True):
        if target == ignored:
            continue
        top = max(logits)
        lse = top + mp.log(mp.fsum(mp.exp(x - top) for x in logits))
        hard = [mpf(int(c == target)) for c in range(n)] if isinstance(target, int) else target
        soft = [(1 - mpf(smoothing)) * t + mpf(smoothing) / n for t in hard]
        total += mp.fsum(w * t * (lse - x) for w, t, x in zip(weight, soft, logits, strict=True))
        whole += weight[target] if isinstance(target, int) else 1
        pulls += mpf(z_loss) * lse**2
        count += 1
    return total / whole + pulls / count


OPTIONS = {
    "plain": {},
    "label smoothing": dict(label_smoothing=0.125),
    "z-loss": dict(z_loss=0.25),
    "weights": dict(weight=[0.5, 2.0, 0.0, 1.0, 3.0]),
    "all": dict(label_smoothing=0.25, z_loss=0.125, weight=[0.5, 2.0, 0.25, 1.0, 3.0]),
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("probabilities", [False, True])
def test_gradients_are_finite_differences_in_exact_arithmetic(isa, rng, options, probabilities):
    given = OPTIONS[options]
    a = rng.normal(0, 3, (4, 5))
    a[1] += [0, 50, 0, 0, 0]
    if probabilities:
        target = rng.dirichlet(np.ones(5), 4)
        targets = [[mpf(x) for x in row] for row in target.tolist()]
    else:
        target = np.array([0, 1, -100, 4])
        targets = target.tolist()
    loss, grad = lsecy.cross_entropy_grad(a, target, return_loss=True, **given)
    with mp.workdps(100):
        parts = (
            [mpf(w) for w in given.get("weight", [1.0] * 5)],
            given.get("label_smoothing", 0),
            given.get("z_loss", 0),
            -100,
        )
        exactly = [[mpf(x) for x in row] for row in a.tolist()]
        assert abs(loss - exact_loss(exactly, targets, *parts)) <= 4e-16 * abs(loss)
        step = mpf(10) ** -30
        for i in range(4):
            for j in range(5):
                sides = []
                for sign in (1, -1):
                    exactly[i][j] = mpf(a[i, j]) + sign * step
                    sides.append(exact_loss(exactly, targets, *parts))
                exactly[i][j] = mpf(a[i, j])
                slope = (sides[0] - sides[1]) / (2 * step)
                scale = (
                    abs(slope) if options == "plain" and not probabilities else max(abs(slope), mpf(2) ** -4)
                )
                assert abs(grad[i, j] - slope) <= 8e-16 * scale


def test_the_gradient_of_logsumexp_is_a_finite_difference(isa, rng):
    a, b = rng.normal(0, 3, 7), rng.uniform(0.1, 2, 7)
    grad = lsecy.logsumexp_grad(a, b=b, scale=0.5)
    with mp.workdps(100):
        step, parts = mpf(10) ** -30, [mpf(x) for x in a.tolist()]

        def value(k, sign):
            terms = [x + sign * step if i == k else x for i, x in enumerate(parts)]
            return mp.log(mp.fsum(mpf(w) * mp.exp(x / 2) for w, x in zip(b.tolist(), terms, strict=True)))

        for k in range(7):
            slope = (value(k, 1) - value(k, -1)) / (2 * step)
            assert abs(grad[k] - slope) <= 1e-15 * slope


# torch ----------------------------------------------------------------------------------

RTOL = {"float32": 2e-5, "float64": 1e-12}


def of_torch(a, target, axis, **options):
    """Return torch's loss and its gradient; `axis` is where torch wants the classes."""
    torch = pytest.importorskip("torch")
    logits = torch.tensor(np.moveaxis(a, axis, 1) if a.ndim > 1 else a, requires_grad=True)
    hard = target.ndim < a.ndim
    target = torch.tensor(target if hard or a.ndim == 1 else np.moveaxis(target, axis, 1))
    if options.get("weight") is not None:
        options["weight"] = torch.tensor(np.asarray(options["weight"], a.dtype))
    loss = torch.nn.functional.cross_entropy(logits, target, **options)
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    return loss.detach().numpy(), np.moveaxis(grad.numpy(), 1, axis) if a.ndim > 1 else grad.numpy()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize(
    ("shape", "axis"), [((6, 5), 1), ((3, 4, 7), -1), ((3, 60, 5), 1), ((5,), 0), ((5, 4500), 1)]
)
def test_losses_mean_what_those_of_torch_mean(dtype, rng, shape, axis, smoothing, weighted, reduction):
    a = rng.normal(0, 3, shape).astype(dtype)
    n = shape[axis]
    options = {"label_smoothing": smoothing, "reduction": reduction}
    if weighted:
        options["weight"] = rng.uniform(0, 2, n)
    hard = np.asarray(rng.integers(0, n, np.delete(shape, axis)))
    if hard.ndim:
        hard[(0,) * hard.ndim] = -100
    soft = lsecy.softmax(rng.normal(0, 1, shape), axis=axis).astype(dtype)
    for target in (hard, soft):
        loss, grad = of_torch(a, target, axis, **options)
        got, got_grad = lsecy.cross_entropy_grad(a, target, axis, return_loss=True, **options)
        assert got.dtype == got_grad.dtype == dtype
        tolerance = RTOL[dtype.name]
        np.testing.assert_allclose(got, loss, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(got_grad, grad, rtol=tolerance, atol=tolerance)
        assert exact.same_bits(got, lsecy.cross_entropy(a, target, axis, **options))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignoring_all_rows_is_as_in_torch(rng, reduction):
    a, target = rng.normal(0, 1, (3, 5)), np.full(3, -100)
    loss, _ = of_torch(a, target, 1, reduction=reduction)
    np.testing.assert_array_equal(lsecy.cross_entropy(a, target, reduction=reduction), loss)


# Options --------------------------------------------------------------------------------


def test_the_z_loss_is_the_mean_square_of_the_sums(rng):
    a = rng.normal(0, 3, (6, 70)).astype(np.float32)
    y = np.array([1, 2, -100, 3, -100, 69])
    weight = rng.uniform(0.5, 2, 70)
    plain, lse = lsecy.cross_entropy(a, y, weight=weight, return_lse=True)
    got = lsecy.cross_entropy(a, y, weight=weight, z_loss=0.1)
    assert got == pytest.approx(plain + 0.1 * np.mean(lse[y >= 0] ** 2), rel=1e-6)
    assert exact.same_bits(lse, lsecy.logsumexp(a, axis=1))


def test_the_loss_of_tokens_is_minus_their_log_probability(isa, dtype, rng):
    for n in (5, 60, 5000):
        a = rng.normal(0, 3, (9, n)).astype(dtype)
        y = rng.integers(0, n, 9)
        got = lsecy.cross_entropy(a, y, reduction="none")
        assert exact.same_bits(got, -lsecy.token_logprobs(a, y))


def test_perplexity_is_the_exponential_of_the_mean(isa, dtype, rng):
    a = rng.normal(0, 3, (9, 700)).astype(dtype)
    y = rng.integers(0, 700, 9)
    y[3] = -100
    mean = lsecy.cross_entropy(a.astype(float), y)
    assert lsecy.perplexity(a, y) == pytest.approx(np.exp(mean), rel=4 * float(np.finfo(dtype).eps))
    assert lsecy.perplexity(a, y).dtype == dtype


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis_may_hold_the_classes(rng, axis):
    a = rng.normal(0, 3, (3, 5, 7))
    y = rng.integers(0, a.shape[axis], np.delete(a.shape, axis))
    turned = np.ascontiguousarray(np.moveaxis(a, axis, -1))
    loss, grad = lsecy.cross_entropy_grad(a, y, axis, return_loss=True)
    loss_turned, grad_turned = lsecy.cross_entropy_grad(turned, y, return_loss=True)
    assert exact.same_bits(loss, loss_turned)
    assert exact.same_bits(np.moveaxis(grad, axis, -1), grad_turned)


# Equal bits, in place -------------------------------------------------------------------


def everything(a, y, soft, axis=-1, out=None):
    weight = np.linspace(0.5, 2, a.shape[axis])
    out = np.empty(a.shape, a.dtype.newbyteorder("=")) if out is None else out
    calls = [(y, {}), (y, dict(label_smoothing=0.1, weight=weight, z_loss=0.01)), (soft, {})]
    results = []
    for target, options in calls:
        loss = lsecy.cross_entropy(a, target, axis, reduction="none", **options)
        grad = lsecy.cross_entropy_grad(a, target, axis, out=out, **options)
        results += [loss, np.moveaxis(grad.copy(), axis, -1)]
    return results


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_and_columns_have_the_same_bits_in_every_layout(isa, dtype, rng, layout):
    for n in (1, 5, 48, 49, 64, 65, 700, BLOCKS[dtype.name] + 1):
        a, soft = rng.normal(0, 3, (2, 5, n)).astype(dtype)
        a[::2, n // 2] += 12
        y = np.where(np.arange(5) % 2, rng.integers(0, n, 5), n // 2)
        reference = everything(a, y, soft)
        shape = LAYOUTS[layout]
        turned = everything(shape(np.ascontiguousarray(a.T)), y, shape(np.ascontiguousarray(soft.T)), 0)
        for got in (everything(shape(a), y, shape(soft)), turned):
            assert [exact.same_bits(*pair) for pair in zip(got, reference, strict=True)] == [True] * 6, n


@pytest.mark.parametrize("shape", [(3, 100_003), (40, 5000), (3000, 30)])
def test_the_number_of_threads_does_not_matter(isa, dtype, shape):
    rng = np.random.default_rng(5)
    a, y = rng.normal(0, 3, shape).astype(dtype), rng.integers(0, shape[1], shape[0])
    results = []
    for n_threads in (1, 2, 3):
        with lsecy.threads(n_threads):
            results.append(everything(a, y, np.abs(a)))
    assert all(
        exact.same_bits(*pair) for other in results[1:] for pair in zip(other, results[0], strict=True)
    )


@pytest.mark.parametrize(
    "layout", [name for name in LAYOUTS if "swapped" not in name and name != "read-only"]
)
def test_a_gradient_may_be_written_over_the_logits_or_into_any_array(isa, dtype, rng, layout):
    for shape in [(7, 9), (5, 130), (2, 5000)]:
        a = rng.normal(0, 3, shape).astype(dtype)
        y = rng.integers(0, shape[1], shape[0])
        soft = np.abs(a)
        reference = lsecy.cross_entropy_grad(a, y), lsecy.cross_entropy_grad(a, soft)
        for target, expected in zip((y, soft), reference, strict=True):
            own, out = LAYOUTS[layout](a.copy()), LAYOUTS[layout](np.zeros(shape, dtype))
            assert lsecy.cross_entropy_grad(own, target, out=own) is own
            lsecy.cross_entropy_grad(a, target, out=out)
            assert exact.same_bits(own, expected)
            assert exact.same_bits(out, expected)
        over = soft.copy()
        lsecy.cross_entropy_grad(a, over, out=over)
        assert exact.same_bits(over, reference[1])


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32_and_rounded_once(rng, kind):
    kind = np.dtype(getattr(pytest.importorskip("ml_dtypes"), kind) if kind == "bfloat16" else kind)
    a = rng.normal(0, 3, (4, 5000)).astype(kind)
    y = rng.integers(0, 5000, 4)
    got = lsecy.cross_entropy_grad(a, y, return_loss=True)
    reference = lsecy.cross_entropy_grad(a.astype(np.float32), y, return_loss=True)
    for one, other in zip(got, reference, strict=True):
        assert one.dtype == kind
        assert np.array_equal(one.astype(np.float32), other.astype(kind).astype(np.float32))


def test_probabilities_of_a_wider_dtype_widen_the_loss(rng):
    a, soft = rng.normal(0, 1, (3, 8)).astype(np.float32), rng.dirichlet(np.ones(8), 3)
    loss, grad = lsecy.cross_entropy_grad(a, soft, return_loss=True)
    assert loss.dtype == grad.dtype == np.float64
    assert loss == lsecy.cross_entropy(a.astype(np.float64), soft)


# Special values -------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 60, 5000])
def test_rows_of_nothing_have_no_slope(isa, dtype, n):
    a = np.zeros((4, n), dtype)
    a[1], a[2, 1], a[3, 1] = -INF, NAN, INF
    y = np.zeros(4, int)
    loss, grad = lsecy.cross_entropy_grad(a, y, reduction="none", return_loss=True)
    assert np.isnan(loss).tolist() == [False, True, True, False]
    assert loss[3] == INF
    assert (grad[1] == 0).all()
    assert np.isnan(grad[2:]).all()
    assert lsecy.cross_entropy_grad(a, np.ones((4, n), dtype))[1].tolist() == [0] * n
    sums = lsecy.logsumexp_grad(a, axis=1)
    assert sums[1].tolist() == [0] * n
    assert np.isnan(sums[2:]).all()
    assert exact.same_bits(sums[0], lsecy.softmax(a[0]))


@pytest.mark.parametrize("n", [3, 60, 5000])
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_dropped_has_no_slope(isa, dtype, rng, n, axis):
    a = rng.normal(0, 1, (20, n)).astype(dtype)
    where = rng.random((20, n)) < 0.5
    where[:, 0] = True
    a[5] = -INF
    a[~where] = NAN
    got = lsecy.logsumexp_grad(a, axis=1, where=where, scale=2)
    expected = 2 * lsecy.softmax(a, axis=1, where=where, scale=2)
    expected[5] = 0
    assert exact.same_bits(got, expected)
    turned = lsecy.logsumexp_grad(a.T.copy(), axis=0, where=where.T, scale=2)
    assert exact.same_bits(turned.T, expected)


@pytest.mark.parametrize("n", [4, 60, 5000])
def test_ignored_rows_are_never_seen(isa, dtype, n):
    a = np.zeros((3, n), dtype)
    a[1] = NAN
    for options in ({}, dict(label_smoothing=0.1), dict(z_loss=0.1), dict(weight=np.ones(n))):
        loss, grad = lsecy.cross_entropy_grad(a, [0, -100, 1], return_loss=True, **options)
        expected, slope = lsecy.cross_entropy_grad(a[::2], [0, 1], return_loss=True, **options)
        assert loss == expected
        assert exact.same_bits(grad[::2], slope)
        assert (grad[1] == 0).all()
    assert lsecy.cross_entropy(a, np.ma.masked_array([0, 9, 1], [0, 1, 0])) == lsecy.cross_entropy(
        a[::2], [0, 1]
    )


def test_a_class_of_weight_zero_counts_for_nothing(isa, dtype):
    a = np.array([[0, 0, -INF]], dtype)
    weight = [1, 1, 0]
    two = dtype.type(np.log(2))
    assert lsecy.cross_entropy(a, [0], weight=weight, label_smoothing=0.5) == pytest.approx(
        0.5 * two + two / 3
    )
    assert lsecy.cross_entropy(a, np.array([[0.5, 0.5, 0.5]], dtype), weight=weight) == two
    assert lsecy.cross_entropy(a, [2], weight=weight, reduction="sum") == 0


def test_impossible_targets_are_infinitely_costly(isa, dtype):
    a = np.array([[0, -INF]], dtype)
    assert lsecy.cross_entropy(a, [1]) == INF
    assert lsecy.cross_entropy_grad(a, [1]).tolist() == [[1, -1]]
    assert lsecy.cross_entropy(a, np.array([[1, 0]], dtype)) == 0
    assert lsecy.cross_entropy(a, [0], label_smoothing=0.1) == INF


def test_hidden_classes_have_no_part(isa, dtype, rng):
    a = rng.normal(0, 1, (3, 300)).astype(dtype)
    hidden = rng.random((3, 300)) < 0.5
    hidden[:, 0] = False
    masked = np.ma.masked_array(np.where(hidden, NAN, a).astype(dtype), hidden)
    got = lsecy.cross_entropy_grad(masked, [0, 0, 0], return_loss=True)
    reference = lsecy.cross_entropy_grad(np.where(hidden, -INF, a).astype(dtype), [0, 0, 0], return_loss=True)
    assert all(exact.same_bits(*pair) for pair in zip(got, reference, strict=True))


def test_no_rows_have_no_mean():
    assert np.isnan(lsecy.cross_entropy(np.zeros((0, 3)), np.zeros(0, int)))
    assert lsecy.cross_entropy(np.zeros((0, 3)), np.zeros(0, int), reduction="sum") == 0
    assert lsecy.cross_entropy_grad(np.zeros((0, 3)), np.zeros(0, int)).shape == (0, 3)


def test_no_warning_and_no_change_of_errstate(isa, dtype):
    a = np.array([[INF, -INF, NAN], [-INF, -INF, -INF], [1e30, -1e30, 0], [1, 2, 3]], dtype)
    with np.errstate(all="raise"):
        before = np.geterr()
        for options in ({}, dict(label_smoothing=0.1, z_loss=1.0, weight=[1, 0, 2])):
            for target in ([0, 1, 2, -100], np.ones_like(a), np.full(4, -100)):
                for reduction in ("mean", "sum", "none"):
                    lsecy.cross_entropy_grad(a, target, reduction=reduction, return_loss=True, **options)
        lsecy.perplexity(a, [0, 1, 2, 0])
        lsecy.logsumexp_grad(a, axis=1, scale=1e300)
        assert np.geterr() == before


# Errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["cross_entropy", "cross_entropy_grad"])
@pytest.mark.parametrize(
    ("error", "message", "target", "options"),
    [
        (IndexError, r"target\[1\] is 3; allowed are 0 to 2, and ignore_index, -100", [0, 3], {}),
        (IndexError, r"target\[0\] is -100; allowed are 0 to 2", [-100, 0], dict(ignore_index=None)),
        (ValueError, r"target has shape \(3,\); allowed is \(2,\)", [0, 1, 2], {}),
        (ValueError, r"target has shape \(2, 3\); allowed is \(2,\)", [[0, 1, 2]] * 2, {}),
        (ValueError, r"target of dtype float64 has shape \(2,\); probabilities have", [0.0, 1.0], {}),
        (TypeError, "target has dtype bool", [True, False], {}),
        (TypeError, "target has dtype complex128", A + 0j, {}),
        (TypeError, "target is a masked array", np.ma.masked_array(A, A == 0), {}),
        (ValueError, r"weight has shape \(2,\); allowed is \(3,\)", [0, 1], dict(weight=[1, 2])),
        (TypeError, "weight has dtype complex128", [0, 1], dict(weight=[1j, 2, 3])),
        (ValueError, "label_smoothing is 1.5; allowed are 0 to 1", [0, 1], dict(label_smoothing=1.5)),
        (TypeError, "label_smoothing must be one real number", [0, 1], dict(label_smoothing="a")),
        (ValueError, "z_loss is nan; it must be finite", [0, 1], dict(z_loss=NAN)),
        (
            ValueError,
            "reduction is 'Mean'; allowed are 'mean', 'sum' and 'none'",
            [0, 1],
            dict(reduction="Mean"),
        ),
        (TypeError, "ignore_index must be an int or None", [0, 1], dict(ignore_index="x")),
        (TypeError, "axis must be an int", [0, 1], dict(axis=None)),
        (np.exceptions.AxisError, "axis 2 is out of range", [0, 1], dict(axis=2)),
    ],
)
def test_what_is_wrong_with_a_loss_is_said(function, error, message, target, options):
    with pytest.raises(error, match=f"^{function}: {message}"):
        getattr(lsecy, function)(A, target, **options)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            TypeError,
            "cross_entropy_grad: out has dtype",
            lambda out: lsecy.cross_entropy_grad(A, [0, 9], out=out),
        ),
        (
            ValueError,
            "cross_entropy_grad: out has shape",
            lambda out: lsecy.cross_entropy_grad(A, [0, 1], out=out),
        ),
        (
            TypeError,
            "cross_entropy: logits has dtype complex128",
            lambda out: lsecy.cross_entropy(A + 0j, [0, 1]),
        ),
        (IndexError, r"perplexity: target\[1\] is 9", lambda out: lsecy.perplexity(A, [0, 9])),
        (TypeError, "logsumexp_grad: a has dtype object", lambda out: lsecy.logsumexp_grad(A.astype(object))),
        (TypeError, "logsumexp_grad: an operand is complex", lambda out: lsecy.logsumexp_grad(A + 0j)),
        (ValueError, "logsumexp_grad: b holds -1.0", lambda out: lsecy.logsumexp_grad(A, b=-1.0)),
    ],
)
def test_what_is_wrong_with_a_call_is_said(error, message, call):
    out = np.full((2, 3), 7.0, np.float32) if error is TypeError else np.full((3, 2), 7.0)
    if "out has dtype" in message:
        with pytest.raises(IndexError, match="target"):  # the target is looked at first
            call(out)
        with pytest.raises(error, match="^" + message):
            lsecy.cross_entropy_grad(A, [0, 1], out=out)
    else:
        with pytest.raises(error, match="^" + message):
            call(out)
    assert (out == 7).all()
