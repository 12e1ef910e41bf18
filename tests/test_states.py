"""LogSumExp: fed in pieces, merged, stored, and asked."""

import copy
import pickle
import warnings
from functools import cache, reduce
from zlib import crc32

import exact
import hypothesis.strategies as st
import numpy as np
import pytest
from arrays import BLOCKS, DOMINATED, LAYOUTS, VALUES, WEIGHTED
from bounds import BOUNDS
from edge_cases import EDGES, EDGES_FLOAT64, EDGES_KEYWORDS, patterns
from hypothesis import given

import lsecy
from lsecy import LogSumExp

INF, NAN = np.inf, np.nan


def fed(a, lengths, b=None, **options):
    """Return a state fed with pieces of the given lengths, again and again."""
    state, start, k = LogSumExp(**options), 0, 0
    while start < a.size:
        end = start + lengths[k % len(lengths)]
        state.update(a[start:end], b=None if b is None else b[start:end])
        start, k = end, k + 1
    return state


def same(got, expected, beside=0.0):
    """Tell whether results agree to 4 eps of themselves, or of what they are the difference of."""
    got = np.asarray(got)
    expected = np.asarray(expected, got.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(got - expected) <= 4 * np.finfo(got.dtype).eps * np.maximum(np.abs(expected), beside)
    return bool(np.all(close | (got == expected) | (np.isnan(got) & np.isnan(expected))))


# --- the bits of one call ---------------------------------------------------------------------------

STREAMS = {**VALUES, **DOMINATED}


# Streams that come near zero from below exp(-32) may differ in the last bit.
IN_BITS = [*VALUES, "0 beside -10", "0 beside -20", "1e-3 beside -20"]


@pytest.mark.parametrize("case", IN_BITS)
def test_whole_blocks_give_the_bits_of_one_call(isa, dtype, case):
    block = BLOCKS[dtype.name]
    for n, blocks in [(block, 1), (3 * block + 7, 1), (8 * block + 1000, 3), (300 * block + 5, 64)]:
        if n > 10 * block and case not in ("normal", "saw", "far below one"):
            continue
        a = STREAMS[case](np.random.default_rng([crc32(case.encode()), n]), n, dtype)
        state = fed(a, [blocks * block])
        assert exact.same_bits(state.result(), lsecy.logsumexp(a)), (n, blocks)
        assert same(state.mean(), lsecy.logmeanexp(a), beside=30)


@pytest.mark.parametrize(
    "case", ["uniform", "lognormal", "with zeros", "crossed", "signed", "mostly positive"]
)
def test_weighted_blocks_give_the_bits_of_one_call(isa, dtype, case, rng):
    block = BLOCKS[dtype.name]
    a, b = WEIGHTED[case](rng, 7 * block + 100, dtype)
    state = fed(a, [block, 2 * block], b)
    assert exact.same_bits(state.result(True), lsecy.logsumexp(a, b=b, return_sign=True))
    assert same(state.mean(True), lsecy.logmeanexp(a, b=b, return_sign=True), beside=30)


@pytest.mark.parametrize("shift", [0, -1000, 200])
@pytest.mark.parametrize("width", [3, 17, 65, 100, 129])
def test_columns_and_rows_have_the_bits_of_one_call(isa, dtype, rng, width, shift):
    block = BLOCKS[dtype.name]
    a = (shift + 3 * rng.standard_normal((2 * block + 90, width))).astype(dtype)
    columns, rows = LogSumExp(width), LogSumExp((width,))
    for piece in (slice(0, block), slice(block, 2 * block), slice(2 * block, None)):
        columns.update(a[piece], axis=0)
        rows.update(np.ascontiguousarray(a[piece].T), axis=1)
    assert exact.same_bits(columns.result(), lsecy.logsumexp(a, axis=0))
    assert columns == rows


def test_the_number_of_threads_does_not_matter(dtype, rng):
    a = rng.standard_normal((600_000, 3)).astype(dtype)
    states = []
    for n in (1, 2, 3):
        with lsecy.threads(n):
            states.append((LogSumExp().update(a), LogSumExp(3).update(a, axis=0)))
    assert states[0] == states[1] == states[2]
    assert exact.same_bits(states[0][1].result(), lsecy.logsumexp(a, axis=0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_does_not_matter(isa, dtype, rng, layout):
    a = rng.normal(-3, 2, (70, 33)).astype(dtype)
    view = LAYOUTS[layout](a)
    for axis in (0, 1, None):
        shape = lsecy.logsumexp(a, axis=axis).shape
        assert LogSumExp(shape).update(view, axis) == LogSumExp(shape).update(a, axis)


@pytest.mark.parametrize("width", [1, 4, 31, 64, 65, 200])
def test_a_term_for_each_sum_is_added_once(isa, dtype, rng, width):
    a = rng.standard_normal((5, width)).astype(dtype)
    state = LogSumExp(width)
    for row in a:
        state.update(row, axis=())
    assert same(state.result(), lsecy.logsumexp(a, axis=0))
    assert same(state.mean(), lsecy.logmeanexp(a, axis=0), beside=9)


# --- accuracy ---------------------------------------------------------------------------------------


@cache
def row(case, n, dtype):
    rng = np.random.default_rng([crc32(case.encode()), n])
    a, b = WEIGHTED[case](rng, n, dtype) if case in WEIGHTED else (STREAMS[case](rng, n, dtype), None)
    return a, b, exact.logsumexp(a, b)


@pytest.mark.parametrize("case", [*STREAMS, *WEIGHTED])
def test_any_pieces_stay_within_the_bound_of_one_call(isa, dtype, case):
    name = "dominated near zero" if case in DOMINATED else "weighted" if case in WEIGHTED else "logsumexp"
    for n, lengths in ((70, [1]), (5000, [7, 1, 60]), (5000, [3000, 5])):
        a, b, true = row(case, n, dtype)
        got, sign = fed(a, lengths, b).result(True)
        assert sign == true.sign, lengths
        if case not in DOMINATED and exact.is_ill_conditioned(true, a, b):
            assert exact.ill_conditioned_error(got, true, a, b) <= BOUNDS["ill-conditioned", dtype.name]
        else:
            assert exact.ulp_error(got, true.value, dtype) <= BOUNDS[name, dtype.name]


def test_a_long_stream_does_not_drift(isa, dtype):
    state = LogSumExp()
    piece = np.full(10_000, 0.1, dtype)
    for _ in range(500):
        state.update(piece)
    true = exact.contract([float(piece[0])], [5e6])
    assert exact.ulp_error(state.result(), true.value, dtype) <= BOUNDS["logsumexp", dtype.name]


def test_a_growing_prefix_is_as_good_as_each_prefix_alone(isa, rng):
    a, b = rng.normal(0, 20, 200), rng.uniform(-0.1, 1, 200)
    state = LogSumExp()
    for k in range(200):
        got, sign = state.update(a[k], b=b[k]).result(True)
        true = exact.logsumexp(a[: k + 1], b[: k + 1])
        assert sign == true.sign
        assert exact.ill_conditioned_error(got, true, a[: k + 1], b[: k + 1]) <= 1


def test_terms_of_both_signs_may_come_apart(isa, dtype, rng):
    a = rng.normal(5, 1, 4000).astype(dtype)
    state = LogSumExp().update(a, b=1).update(a[::-1], b=-1).update([-2], b=3)
    value, sign = state.result(True)
    total = exact.logsumexp(a).value
    assert sign == 1
    error = abs(np.exp(float(value)) - 3 * np.exp(-2)) / (2 * np.exp(float(total)))
    assert error <= np.finfo(dtype).eps


# --- special values ---------------------------------------------------------------------------------

ALL_EDGES = [*EDGES, *EDGES_KEYWORDS, *EDGES_FLOAT64]


def check(state, edge):
    assert same(state.result(True), edge.expected("logsumexp"))
    largest = max(abs(x) for x in [0, *edge.a] if np.isfinite(x))
    assert same(state.mean(True), edge.expected("logmeanexp"), beside=largest)
    value, sign = edge.expected("logsumexp")
    assert same(state.result(), NAN if sign < 0 else value)


@pytest.mark.parametrize("edge", ALL_EDGES, ids=lambda edge: edge.name)
def test_edge_case(isa, edge):
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        check(LogSumExp().update(edge.a, **edge.options()), edge)


@pytest.mark.parametrize("edge", ALL_EDGES, ids=lambda edge: edge.name)
def test_edge_case_term_by_term(isa, edge):
    options = edge.options()
    scale = {"scale": options.pop("scale")} if "scale" in options else {}
    state, merged = LogSumExp(), LogSumExp()
    for k, x in enumerate(edge.a):
        one = {name: values[k] for name, values in options.items()}
        state.update(x, **one, **scale)
        merged.merge(LogSumExp().update([x], **one, **scale))
    check(state, edge)
    check(merged, edge)


@pytest.mark.parametrize("weights", [None, (-INF, -1.0, 0.0, 2.0, INF, NAN)])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_pattern_of_states_merges_by_the_contract(isa, length, weights):
    a, b, value, sign = patterns(min(length, 2) if weights else length, weights)
    states = [
        LogSumExp(len(a)).update(column, axis=(), b=None if b is None else b[:, k])
        for k, column in enumerate(a.T)
    ]
    forwards = reduce(LogSumExp.merge, states, LogSumExp(len(a)))
    backwards = reduce(LogSumExp.merge, states[::-1], LogSumExp(len(a)))
    assert same(forwards.result(True), (value, sign))
    assert same(backwards.result(True), (value, sign))


def test_nothing_is_minus_inf_with_sign_0():
    state = LogSumExp()
    assert state.result(True) == (-INF, 0)
    assert np.isnan(state.mean(True)).all()
    assert state.result().dtype == np.float64


def test_empty_pieces_change_nothing():
    state = LogSumExp().update([1.0, 2.0])
    before = state.to_buffer()
    state.update([]).update(np.ones((0, 3))).update([1.0], where=[False]).update([NAN], b=[0])
    assert exact.same_bits(state.to_buffer(), before)


# --- merging ----------------------------------------------------------------------------------------


def test_the_empty_state_is_the_identity(isa, rng):
    state = LogSumExp(4).update(rng.normal(0, 40, (50, 4)), axis=0, b=rng.normal(0, 1, (50, 4)))
    left, right = LogSumExp(4).merge(state), state.copy().merge(LogSumExp(4))
    assert left == state == right


@given(
    st.lists(st.lists(st.floats(-200, 200), max_size=6), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_order_of_merging_does_not_show(pieces, random):
    parts = [LogSumExp().update(piece) for piece in pieces]
    in_order = reduce(LogSumExp.merge, parts, LogSumExp())
    parts = [part.copy() for part in parts]
    while len(parts) > 1:
        one = parts.pop(random.randrange(len(parts)))
        parts[random.randrange(len(parts))].merge(one)
    assert exact.same_bits(parts[0].result(), in_order.result())


def test_the_other_state_stays_as_it_is(rng):
    one, other = LogSumExp(3).update(rng.random((5, 3)), 0), LogSumExp(3).update(rng.random((5, 3)), 0)
    before = other.copy()
    assert one.merge(other) is one
    assert other == before


def test_a_state_can_be_merged_with_itself(rng):
    a = rng.standard_normal(20)
    state = LogSumExp().update(a)
    assert same(state.merge(state).result(), lsecy.logsumexp(np.tile(a, 2)))
    assert same(state.mean(), lsecy.logmeanexp(a))


# --- dtypes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int8", "uint64", "bool"])
def test_the_result_has_the_dtype_of_one_call(kind):
    a = np.arange(50).astype(kind)
    state = LogSumExp().update(a)
    assert exact.same_bits(state.result(), lsecy.logsumexp(a))
    assert state.dtype == lsecy.logsumexp(a).dtype
    assert state.mean().dtype == state.dtype


def test_bfloat16_comes_back_as_it_was():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    a = np.linspace(0, 3, 200).astype(bfloat16)
    assert LogSumExp().update(a).result() == lsecy.logsumexp(a)
    assert LogSumExp().update(a).result().dtype == bfloat16


def test_dtypes_join_as_numpy_promotes():
    state = LogSumExp().update(np.ones(3, np.float32))
    assert state.result().dtype == np.float32
    assert state.update(np.ones(3, np.float16)).result().dtype == np.float32
    assert state.merge(LogSumExp().update([1])).result().dtype == np.float64


def test_a_given_dtype_stays_and_does_not_narrow_the_sum(rng):
    a = rng.standard_normal(5000)
    narrow = LogSumExp(dtype="float32").update(a).update(np.ones(2))
    assert narrow.result().dtype == np.float32
    assert exact.same_bits(narrow.result(), lsecy.logsumexp([*a, 1, 1], dtype=np.float32))
    wide = LogSumExp(dtype=np.float64).update(a.astype(np.float32))
    assert exact.same_bits(wide.result(), lsecy.logsumexp(a.astype(np.float32), dtype=np.float64))


# --- masks and options ------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, (0, 1), ()])
def test_masks_weights_and_scale_mean_what_they_mean_in_one_call(isa, dtype, rng, axis):
    a, b, keep = rng.normal(0, 3, (40, 50)).astype(dtype), rng.random((40, 1)), rng.random(50) < 0.7
    shape = lsecy.logsumexp(a, axis=axis).shape
    for options in (
        {"where": keep},
        {"b": b.astype(dtype), "where": keep},
        {"logb": np.log(b).astype(dtype), "scale": 0.5},
    ):
        state = LogSumExp(shape).update(a, axis, **options)
        assert same(state.result(), lsecy.logsumexp(a, axis, **options))
        assert same(state.mean(), lsecy.logmeanexp(a, axis, **options), beside=9)
    masked = np.ma.array(a, mask=np.broadcast_to(~keep, a.shape))
    assert LogSumExp(shape).update(masked, axis) == LogSumExp(shape).update(a, axis, where=keep)


# --- storing ----------------------------------------------------------------------------------------


@pytest.fixture
def state(rng):
    state = LogSumExp((2, 3), dtype=np.float32)
    return state.update(rng.normal(0, 50, (9, 2, 3)), axis=0, b=rng.normal(0, 1, (9, 2, 3)))


@pytest.mark.parametrize(
    "remake", [copy.copy, copy.deepcopy, LogSumExp.copy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_copies_are_equal_and_apart(state, remake):
    other = remake(state)
    assert other == state
    assert type(other) is LogSumExp
    assert other.dtype == np.float32
    before = state.to_buffer()
    other.update(np.ones((2, 3)), axis=())
    assert other != state
    assert exact.same_bits(state.to_buffer(), before)


def test_a_copy_keeps_the_dtype_of_what_it_was_fed():
    state = LogSumExp().update(np.ones(3, np.float32))
    for other in (state.copy(), pickle.loads(pickle.dumps(state))):
        assert other.update(np.ones(2, np.float32)).result().dtype == np.float32


def test_subclasses_stay_what_they_are():
    other = Evidence().update([1.0]).copy()
    assert type(other) is type(pickle.loads(pickle.dumps(other))) is Evidence


class Evidence(LogSumExp):
    """A class of a user's own."""


def test_the_buffer_has_the_documented_layout(isa):
    state = LogSumExp(3).update([[0.0, 100.0, INF], [1.0, 99.0, 0.0]], axis=0, b=[[2.0, 1, 1], [-1.0, 1, 1]])
    buffer = state.to_buffer()
    assert buffer.shape == (3, 4, 5)
    assert buffer.dtype == np.float64
    assert buffer.flags.c_contiguous
    shift, high, low, rest, size = np.moveaxis(buffer, -1, 0)
    assert (shift[2, :2] == INF).all()
    assert (high[2, :2] == INF).all()
    sums = [2 - np.e, np.exp(100.0) + np.exp(99.0)]
    for k in range(2):
        for care in (0, 1):
            total = (high[k, care] + low[k, care] + rest[k, care]) * np.exp(shift[k, care])
            assert total == pytest.approx(sums[k], rel=1e-14)
    assert size[0, 1] * np.exp(shift[0, 1]) == pytest.approx(2 + np.e, rel=1e-14)
    assert ((high * np.exp(shift))[:, 2:] == [[1, 1], [2, 2], [2, 2]]).all()
    assert (np.abs(low[:2]) <= np.spacing(np.abs(high[:2]))).all()


def test_a_fresh_buffer_is_the_identity():
    fresh = np.zeros((2, 4, 5))
    fresh[..., 0] = -INF
    assert exact.same_bits(LogSumExp(2).to_buffer(), fresh)


def test_a_buffer_goes_through_a_file(state, tmp_path):
    state.to_buffer().astype(">f8").tofile(tmp_path / "state")
    read = np.fromfile(tmp_path / "state", ">f8").reshape(2, 3, 4, 5)
    assert LogSumExp.from_buffer(read, dtype=np.float32) == state


def test_buffers_are_reduced_as_messages_are(rng):
    """What an operation of MPI does: two buffers of bytes, merged into the second."""

    def operation(source, target):
        source, target = (np.frombuffer(x).reshape(-1, 4, 5) for x in (source, target))
        target[...] = LogSumExp.from_buffer(target).merge(LogSumExp.from_buffer(source)).to_buffer()

    a = rng.normal(0, 9, (3, 1000, 2))
    parts = [bytearray(LogSumExp(2).update(piece, axis=0).to_buffer().tobytes()) for piece in a]
    operation(parts[0], parts[1])
    operation(parts[2], parts[1])
    total = LogSumExp.from_buffer(np.frombuffer(parts[1]).reshape(-1, 4, 5))
    assert same(total.result(), lsecy.logsumexp(a, axis=(0, 1)))


def test_the_buffer_is_a_copy(state):
    before = state.to_buffer()
    state.to_buffer()[...] = 0
    buffer = state.to_buffer()
    other = LogSumExp.from_buffer(buffer)
    buffer[...] = 0
    assert exact.same_bits(state.to_buffer(), before)
    assert exact.same_bits(other.to_buffer(), before)


def test_equality_asks_for_sums_shape_and_dtype():
    assert LogSumExp() == LogSumExp()
    assert LogSumExp() != LogSumExp(1)
    assert LogSumExp(dtype="float32") != LogSumExp()
    assert LogSumExp().update([NAN]) == LogSumExp().update([NAN])
    assert LogSumExp() != -INF
    with pytest.raises(TypeError, match="unhashable"):
        hash(LogSumExp())


def test_repr_shows_shape_dtype_and_result():
    assert repr(LogSumExp().update([0.0])) == "<LogSumExp of shape (), float64: 0.>"
    signed = LogSumExp(2, dtype="float32").update([1.0, 2.0], axis=(), b=[1, -1])
    assert repr(signed) == "<LogSumExp of shape (2,), float32: [1., 2.], sign [ 1., -1.]>"


# --- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda s: s.update([1.0], axis=3), np.exceptions.AxisError, r"^LogSumExp.update: axis 3 is out of"),
        (lambda s: s.update([[1.0]], axis=0), ValueError, r"leaves shape \(1,\); this state has"),
        (lambda s: s.update([1.0, 2.0]), ValueError, r"axis None leaves shape \(\); this state"),
        (lambda s: s.update([1.0, 2.0], (), b=[1, 2, 3]), ValueError, r"b of shape \(3,\) does not"),
        (lambda s: s.update([1.0, 2.0], (), b=1, logb=1), ValueError, r"b and logb are both given"),
        (lambda s: s.update([1.0, 2.0], (), where=[1, 0]), TypeError, r"where has dtype int64"),
        (lambda s: s.update([1.0, 2.0], (), scale="2"), TypeError, r"scale must be one real number"),
        (lambda s: s.update(["1", "2"], ()), TypeError, r"^LogSumExp.update: a has dtype <U1"),
        (lambda s: s.update([1j, 2], ()), TypeError, r"^LogSumExp.update: complex128 has no state"),
        (lambda s: s.update([1, 2], (), b=[1j, 2]), TypeError, r"^LogSumExp.update: complex128 has no"),
        (lambda s: s.merge(LogSumExp(3)), ValueError, r"^LogSumExp.merge: other has shape \(3,\)"),
        (lambda s: s.merge(1.0), TypeError, r"^LogSumExp.merge: other must be a LogSumExp, not float"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_and_changes_nothing(call, error, words):
    state = LogSumExp(2).update([1.0, 2.0], axis=())
    before = state.copy()
    with pytest.raises(error, match=words):
        call(state)
    assert state == before


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: LogSumExp(-1), ValueError, r"^LogSumExp: shape is -1; a length must not be negative"),
        (lambda: LogSumExp(1.5), TypeError, r"^LogSumExp: shape must be an int or a tuple of ints, not 1.5"),
        (lambda: LogSumExp(dtype=int), TypeError, r"^LogSumExp: dtype is <class 'int'>; allowed"),
        (lambda: LogSumExp(dtype=complex), TypeError, r"^LogSumExp: dtype is <class 'complex'>; allowed"),
        (lambda: LogSumExp.from_buffer(np.zeros((4, 4))), ValueError, r"shape \(4, 4\); it must end in"),
        (lambda: LogSumExp.from_buffer(np.zeros((4, 5), "f4")), TypeError, r"float32; it must be float64"),
        (lambda: LogSumExp.from_buffer(np.full((4, 5), NAN)), ValueError, r"holds a shift that is NaN"),
    ],
)  # fmt: skip
def test_a_state_is_not_made_of_anything(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_states_of_no_sums_are_states():
    state = LogSumExp((0, 3)).update(np.ones((5, 0, 3)), axis=0)
    assert state.merge(LogSumExp((0, 3))).result().shape == (0, 3)
    assert state.mean(True)[1].shape == (0, 3)
