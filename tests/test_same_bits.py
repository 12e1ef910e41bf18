"""A row's result has the same bits whatever surrounds it: layout, batch, position, axis, threads."""

import exact
import numpy as np
import pytest
from arrays import LAYOUTS, VALUES, WEIGHTED, around, block_sizes

import lsecy

SIZES = [*range(1, 10), *around(16, 32, 64, 128, 256), 1000]
CASES = [
    *("normal", "sorted up", "sorted down", "masked", "saw", "first is -1e30", "0 and -40"),
    *("uniform below zero", "spread", "late peak"),
]


def row(rng, n, dtype, case="normal"):
    if case == "0 and -40":
        return np.where(np.arange(n) == n // 3, 0, -40 - rng.random(n)).astype(dtype)
    return VALUES[case](rng, n, dtype)


def one_by_one(rows, b=None):
    """Reduce each row alone: the reference that all else must equal."""
    rows = np.ascontiguousarray(rows)
    if b is None:
        results = [lsecy.logsumexp(r.copy()) for r in rows]
    else:
        pairs = zip(rows, np.ascontiguousarray(b), strict=True)
        results = [lsecy.logsumexp(r.copy(), b=w.copy(), return_sign=True)[0] for r, w in pairs]
    return np.array(results, rows.dtype)


def sizes(dtype):
    return [*SIZES, *block_sizes(dtype)]


def differing(pairs):
    """Return the names of results that differ from their reference."""
    return [name for name, got, reference in pairs if not exact.same_bits(got, reference)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_have_the_same_bits_in_every_layout(isa, dtype, rng, layout):
    pairs = []
    for n in sizes(dtype):
        a = rng.normal(0, 5, (5, n)).astype(dtype)
        pairs.append((n, lsecy.logsumexp(LAYOUTS[layout](a), axis=-1), one_by_one(a)))
    assert differing(pairs) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_have_the_same_bits_in_every_layout(isa, dtype, rng, layout):
    pairs = []
    for n in sizes(dtype):
        a = rng.normal(0, 5, (n, 5)).astype(dtype)
        pairs.append((n, lsecy.logsumexp(LAYOUTS[layout](a), axis=0), one_by_one(a.T)))
    assert differing(pairs) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_axes_have_the_same_bits_in_every_layout(isa, dtype, rng, layout):
    a = rng.normal(0, 5, (7, 11, 13)).astype(dtype)
    view = LAYOUTS[layout](a)
    axes = [None, 0, 1, 2, (0, 1), (0, 2), (1, 2)]
    pairs = [(axis, lsecy.logsumexp(view, axis=axis), lsecy.logsumexp(a, axis=axis)) for axis in axes]
    assert differing(pairs) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_have_the_same_bits_in_every_layout(isa, dtype, rng, layout):
    pairs = []
    for n in [1, 3, 8, 17, 64, 65, 130, *block_sizes(dtype)[:3]]:
        a, b = rng.normal(0, 5, (5, n)).astype(dtype), rng.uniform(-0.2, 1, (5, n)).astype(dtype)
        reference = one_by_one(a, b)
        got = lsecy.logsumexp(a, axis=1, b=LAYOUTS[layout](b), return_sign=True)[0]
        turned = LAYOUTS[layout](np.ascontiguousarray(b.T))
        columns = lsecy.logsumexp(a.T, axis=0, b=turned, return_sign=True)[0]
        pairs += [((n, "rows"), got, reference), ((n, "columns"), columns, reference)]
    assert differing(pairs) == []


@pytest.mark.parametrize("case", CASES)
def test_a_column_has_the_bits_of_a_row(isa, dtype, rng, case):
    pairs = []
    for n in sizes(dtype):
        rows = np.array([row(rng, n, dtype, case) for _ in range(19)])
        pairs.append((n, lsecy.logsumexp(np.ascontiguousarray(rows.T), axis=0), one_by_one(rows)))
    assert differing(pairs) == []


@pytest.mark.parametrize(
    "inner", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129, 1000, 2049]
)
def test_a_column_has_the_same_bits_beside_any_number_of_columns(isa, dtype, rng, inner):
    pairs = []
    for n in [1, 2, 5, 16, 64, 65, 130, 700]:
        a = rng.normal(0, 9, (n, inner)).astype(dtype)
        pairs.append((n, lsecy.logsumexp(a, axis=0), one_by_one(a.T)))
    assert differing(pairs) == []


@pytest.mark.parametrize("outer", [1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 65, 127, 129, 1000])
def test_a_row_has_the_same_bits_in_a_batch_of_any_size(isa, dtype, rng, outer):
    pairs = []
    for n in [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 63, 64, 65, 130]:
        a = rng.normal(0, 9, (outer, n)).astype(dtype)
        pairs.append((n, lsecy.logsumexp(a, axis=1), one_by_one(a)))
    assert differing(pairs) == []


@pytest.mark.parametrize("n", [*range(1, 18), 31, 32, 33, 63, 64, 65, 128, 129, 1000])
def test_a_row_has_the_same_bits_at_any_place_in_a_batch(isa, dtype, rng, n):
    a = np.tile(row(rng, n, dtype), (203, 1))
    got = lsecy.logsumexp(a, axis=1)
    assert exact.same_bits(got, np.full(203, lsecy.logsumexp(a[0]), dtype))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 9, 16, 20, 33, 64, 65, 130])
def test_what_the_neighbours_hold_does_not_matter(isa, dtype, rng, n):
    a = np.array([row(rng, n, dtype, "normal times 10") for _ in range(70)])
    reference = one_by_one(a)
    for value in (np.nan, np.inf, -np.inf, 1e30, -1e30):
        a[::2] = value
        assert exact.same_bits(lsecy.logsumexp(a, axis=1)[1::2], reference[1::2])
        assert exact.same_bits(lsecy.logsumexp(np.asfortranarray(a), axis=1)[1::2], reference[1::2])


@pytest.mark.parametrize("case", WEIGHTED)
def test_short_weighted_rows_keep_their_bits_beside_any_others(isa, dtype, rng, case):
    """Rows of one case need more care than those of another: which do is theirs alone."""
    pairs = []
    for n in (2, 3, 4, 8, 16, 20, 33):
        rows = [WEIGHTED[("uniform", case)[k % 2]](rng, n, dtype) for k in range(67)]
        a, b = (np.array(x) for x in zip(*rows, strict=True))
        reference = one_by_one(a, b)
        got = lsecy.logsumexp(a, axis=1, b=b, return_sign=True)[0]
        turned = (np.ascontiguousarray(x.T) for x in (a, b))
        columns = lsecy.logsumexp(next(turned), axis=0, b=next(turned), return_sign=True)[0]
        pairs += [((n, "rows"), got, reference), ((n, "columns"), columns, reference)]
    assert differing(pairs) == []


OPTIONS = [["b"], ["logb"], ["scale"], ["scale", "logb"]]
OPTIONS += [[name, "where"] for name in ("b", "logb", "scale")]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("shared", [False, True])
def test_short_rows_with_options_keep_their_bits_beside_any_others(isa, dtype, rng, options, shared):
    """Also where answers lie next to zero, and where a neighbour has none."""
    pairs = []
    for n in (3, 4, 5, 8, 16, 20, 33):
        a = rng.normal(-np.log(n) * np.arange(131)[:, None] / 99, 1, (131, n)).astype(dtype)
        a[5::9] = rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 40, -700], (14, 1))
        rows = 1 if shared else len(a)
        given = {
            "b": rng.dirichlet(np.ones(n), rows).astype(dtype),
            "logb": rng.normal(0, 1, (rows, n)).astype(dtype),
            "where": rng.random((rows, n)) < 0.7,
            "scale": 0.7,
        }
        given = {name: given[name] for name in options}
        apart = [{k: v if k == "scale" else v[i % len(v)] for k, v in given.items()} for i in range(len(a))]
        reference = np.array([lsecy.logsumexp(a[i].copy(), **apart[i]) for i in range(len(a))])
        turned = {k: v if k == "scale" else np.ascontiguousarray(v.T) for k, v in given.items()}
        spread = LAYOUTS["every second element"]
        wide = {k: v if k == "scale" else spread(v) for k, v in given.items()}
        pairs += [
            ((n, "rows"), lsecy.logsumexp(a, axis=1, **given), reference),
            ((n, "columns"), lsecy.logsumexp(np.ascontiguousarray(a.T), axis=0, **turned), reference),
            ((n, "every second"), lsecy.logsumexp(spread(a), axis=1, **wide), reference),
            ((n, "sign"), lsecy.logsumexp(a, axis=1, **given, return_sign=True)[0], reference),
        ]
    assert differing(pairs) == []


@pytest.mark.parametrize(
    "options", [["b"], ["logb"], ["scale"], ["scale", "logb"], ["scale", "b"]], ids=" ".join
)
def test_rows_with_options_have_the_bits_of_columns_wherever_they_stop_being_close(isa, dtype, rng, options):
    """Close exponents with usual weights have a loop of their own, which a row may have to leave."""
    pairs = []
    for n in (65, 100, 128, 200, 300, 1000, *block_sizes(dtype)[-2:]):
        a = rng.normal(0, 3, (n, 40)).astype(dtype)
        given = {
            "b": rng.uniform(0.5, 2, a.shape).astype(dtype),
            "logb": rng.normal(0, 2, a.shape).astype(dtype),
            "scale": 0.7,
        }
        given = {name: given[name] for name in options}
        for column, value in enumerate((-np.inf, -1e4, -80, -60, 60, 44.3, -44.3), 10):
            a[rng.integers(n), column] = value
        for column, value in enumerate((0, -1, -0.0, 1e30, 1e-30, 1e-13, 1e13, -np.inf), 20):
            given.get("b", given.get("logb", a))[rng.integers(n), column] = value
        across = {k: np.ascontiguousarray(v.T) if k != "scale" else v for k, v in given.items()}
        rows = lsecy.logsumexp(np.ascontiguousarray(a.T), axis=1, **across)
        pairs.append((n, lsecy.logsumexp(a, axis=0, **given), rows))
        alone = [
            lsecy.logsumexp(
                a[:, c].copy(), **{k: v[:, c].copy() if k != "scale" else v for k, v in given.items()}
            )
            for c in range(40)
        ]
        pairs.append((n, np.array(alone, dtype), rows))
    assert differing(pairs) == []


@pytest.mark.parametrize("n", [3, 16, 65, 130, 1000, 5000])
def test_a_row_has_the_same_bits_at_any_address(isa, dtype, rng, n):
    values = row(rng, n, dtype)
    buffer = np.full(n + 40, np.nan, dtype)
    results = []
    for start in range(33):
        buffer[start : start + n] = values
        results.append(lsecy.logsumexp(buffer[start : start + n]))
        buffer[...] = np.nan
    assert exact.same_bits(results, [lsecy.logsumexp(values)] * 33)


@pytest.mark.parametrize("n", [4, 8, 65, 1000])
def test_a_million_short_rows_have_the_bits_of_single_ones(isa, dtype, rng, n):
    outer = 400_000 // n
    a = rng.standard_normal((outer, n)).astype(dtype)
    chosen = np.r_[:20, outer - 20 : outer, rng.integers(0, outer, 60)]
    assert exact.same_bits(lsecy.logsumexp(a, axis=1)[chosen], one_by_one(a[chosen]))


AXES = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1), (0, 1, 2), (-1, 0), (0, 3), (1, 3), (3, 2)]


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_tuple_has_the_bits_of_one_flat_row(isa, dtype, rng, axis):
    a = rng.normal(0, 5, (6, 5, 7, 9)).astype(dtype)
    reduced = sorted(i % 4 for i in axis)
    kept = [i for i in range(4) if i not in reduced]
    flat = a.transpose(kept + reduced).reshape(*[a.shape[i] for i in kept], -1)
    reference = one_by_one(flat.reshape(-1, flat.shape[-1])).reshape(flat.shape[:-1])
    assert exact.same_bits(lsecy.logsumexp(a, axis=axis), reference)


def test_a_broadcast_row_has_the_bits_of_its_copy(isa, dtype, rng):
    a = np.broadcast_to(rng.standard_normal((1, 300)).astype(dtype), (9, 300))
    assert exact.same_bits(lsecy.logsumexp(a, axis=1), one_by_one(a))
    assert exact.same_bits(lsecy.logsumexp(a, axis=0), one_by_one(a.T))
    assert exact.same_bits(lsecy.logsumexp(a), lsecy.logsumexp(a.copy()))
    one = np.broadcast_to(dtype.type(0.3), 5000)
    assert exact.same_bits(lsecy.logsumexp(one), lsecy.logsumexp(one.copy()))


@pytest.mark.parametrize("shape", [(), (1,), (300,), (9, 1), (1, 300), (2, 1, 300), (2, 9, 1)])
def test_broadcast_weights_have_the_bits_of_full_ones(isa, dtype, rng, shape):
    a = rng.standard_normal((9, 300)).astype(dtype)
    b = rng.uniform(0.1, 1, shape).astype(dtype)
    full_a, full_b = (x.copy() for x in np.broadcast_arrays(a, b))
    pairs = []
    for axis in [None, *range(full_a.ndim)]:
        reference = lsecy.logsumexp(full_a, axis=axis, b=full_b)
        pairs.append((axis, lsecy.logsumexp(a, axis=axis, b=b), reference))
    assert differing(pairs) == []


@pytest.mark.parametrize("n", [3, 64, 300, 5000])
@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "int64", "uint64", "bool", "float16"])
def test_converted_inputs_have_the_bits_of_their_copies(isa, rng, kind, n):
    a = (rng.integers(0, 2, (3, n)) if kind == "bool" else rng.integers(0, 99, (3, n))).astype(kind)
    wide = a.astype(np.float32 if kind == "float16" else np.float64)
    for view, copy in [(a, wide), (a[:, ::-2], wide[:, ::-2]), (a.T, wide.T)]:
        for axis in (None, 0, 1):
            reference = lsecy.logsumexp(copy, axis=axis)
            reference = reference.astype(np.float16) if kind == "float16" else reference
            assert exact.same_bits(lsecy.logsumexp(view, axis=axis), reference)


@pytest.mark.parametrize("kind", ["int8", "int64", "uint64", "bool", "float32"])
def test_converted_weights_have_the_bits_of_their_copies(isa, rng, kind):
    a = rng.standard_normal((7, 300))
    b = rng.integers(0, 2, (7, 300)).astype(kind)
    for axis in (None, 0, 1):
        reference = lsecy.logsumexp(a, axis=axis, b=b.astype(np.float64))
        assert exact.same_bits(lsecy.logsumexp(a, axis=axis, b=b), reference)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((1_200_007,), None),
        ((1000, 1100), 0),
        ((1000, 1100), 1),
        ((1000, 1100), None),
        ((3, 400_001), 1),
        ((400_001, 3), 1),
        ((400_001, 3), 0),
        ((3, 400_001), 0),
        ((50, 200, 100), 1),
        ((50, 200, 100), (0, 2)),
    ],
)
def test_the_number_of_threads_does_not_matter(isa, dtype, shape, axis):
    a = np.random.default_rng(5).standard_normal(shape, dtype)
    results = []
    for n_threads in (1, 2, 3, 8):
        with lsecy.threads(n_threads):
            results.append(lsecy.logsumexp(a, axis=axis))
    assert [exact.same_bits(result, results[0]) for result in results] == [True] * 4


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_the_number_of_threads_does_not_matter_to_weighted_sums(isa, dtype, axis):
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((1000, 1100), dtype), rng.standard_normal((1000, 1100), dtype)
    results = []
    for n_threads in (1, 2, 3, 8):
        with lsecy.threads(n_threads):
            results.append(np.stack(lsecy.logsumexp(a, axis=axis, b=b, return_sign=True)))
    assert [exact.same_bits(result, results[0]) for result in results] == [True] * 4


def test_a_repeated_call_has_the_same_bits(isa, dtype, rng):
    a = rng.standard_normal(1_000_003).astype(dtype)
    assert len({lsecy.logsumexp(a).tobytes() for _ in range(20)}) == 1


def test_long_rows_have_the_bits_of_long_columns(isa, dtype, rng):
    a = np.sort(50 * rng.standard_normal((3, 40_011)), axis=1).astype(dtype)
    for view in (a.T, np.ascontiguousarray(a.T)):
        assert exact.same_bits(lsecy.logsumexp(view, axis=0), one_by_one(a))


def test_asking_for_the_sign_does_not_change_the_bits(isa, dtype, rng):
    for n in SIZES:
        a = rng.standard_normal((3, n)).astype(dtype)
        assert exact.same_bits(lsecy.logsumexp(a, axis=1), lsecy.logsumexp(a, axis=1, return_sign=True)[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_answers_near_zero_do_not_depend_on_those_before(isa, dtype, rng, axis):
    """The last rows tell how the next are looked at, near zero or not: their bits must not."""
    a = rng.normal(0, 1, (700, 130)) + rng.choice([-5, 0], (7, 1)).repeat(100, axis=0)
    a[333] -= 40
    a[335, 7] = np.nan
    a[350:353] = -np.inf
    a[360:420] += np.linspace(-0.1, 0.1, 60)[:, None] + 4 - np.log(np.exp(a[360:420]).sum(1))[:, None]
    a = a.astype(dtype)
    got, sign = lsecy.logsumexp(a if axis else np.ascontiguousarray(a.T), axis=axis, return_sign=True)
    each = [lsecy.logsumexp(row, return_sign=True) for row in a]
    assert exact.same_bits(got, np.array([value for value, _ in each]))
    assert exact.same_bits(sign, np.array([sign for _, sign in each]))
