"""What may be asked, what comes back, and what the errors say."""

import array
import inspect
import re
import sys

import numpy as np
import pytest

import lsecy

A = np.arange(15.0).reshape(3, 5)


def reference(a, axis=None, keepdims=False):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(np.asarray(a, float)).sum(axis=axis, keepdims=keepdims))


def test_the_signature_is_that_of_scipy():
    parameters = inspect.signature(lsecy.logsumexp).parameters
    assert [(p.name, p.default) for p in list(parameters.values())[:5]] == [
        ("a", inspect.Parameter.empty),
        ("axis", None),
        ("b", None),
        ("keepdims", False),
        ("return_sign", False),
    ]


def test_arguments_may_be_given_by_position():
    value, sign = lsecy.logsumexp(A, 1, np.ones(5), True, True)
    assert value.shape == sign.shape == (3, 1)


# Inputs ---------------------------------------------------------------------------------


class Subclass(np.ndarray):
    pass


class HasArray:
    def __array__(self, dtype=None, copy=None):
        return A.copy()


def _memmap(path):
    mapped = np.memmap(path / "a.bin", np.float64, "w+", shape=A.shape)
    mapped[...] = A
    mapped.flush()
    return np.memmap(path / "a.bin", np.float64, "r", shape=A.shape)


def _read_only(_):
    a = A.copy()
    a.flags.writeable = False
    return a


INPUTS = {
    "array": lambda _: A,
    "list": lambda _: A.tolist(),
    "tuple": lambda _: tuple(map(tuple, A)),
    "list of arrays": lambda _: list(A),
    "integers": lambda _: A.astype(int),
    "list of integers": lambda _: A.astype(int).tolist(),
    "subclass": lambda _: A.view(Subclass),
    "read-only": _read_only,
    "memory-mapped": _memmap,
    "big-endian": lambda _: A.astype(">f8"),
    "__array__": lambda _: HasArray(),
    "memoryview": lambda _: memoryview(A),
}


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("kind", INPUTS)
def test_anything_that_makes_an_array_is_accepted(kind, axis, tmp_path):
    got = lsecy.logsumexp(INPUTS[kind](tmp_path), axis=axis)
    np.testing.assert_allclose(got, reference(A, axis), rtol=1e-15)


def test_an_array_of_another_library_is_accepted():
    assert lsecy.logsumexp(array.array("d", [0.0, 1.0, 2.0])) == pytest.approx(
        reference([0, 1, 2]), rel=1e-15
    )


@pytest.mark.parametrize("scalar", [2, 2.0, True, np.float64(2), np.int8(2), np.array(2.0)])
def test_a_scalar_is_one_term(scalar):
    result = lsecy.logsumexp(scalar)
    assert type(result) is np.float64
    assert result == float(scalar)


def test_inputs_are_not_written(dtype, rng):
    a, b = rng.standard_normal((2, 9, 300)).astype(dtype)
    a_before, b_before = a.copy(), b.copy()
    for axis in (None, 0, 1):
        lsecy.logsumexp(a, axis=axis, b=b, return_sign=True)
    assert np.array_equal(a, a_before)
    assert np.array_equal(b, b_before)


# Results --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("float16", "float16"),
        (">f4", "float32"),
        (">f8", "float64"),
        (">f2", "float16"),
        *[(name, "float64") for name in ("bool", "int8", "int16", "int32", "int64")],
        *[(name, "float64") for name in ("uint8", "uint16", "uint32", "uint64")],
    ],
)
def test_the_dtype_of_the_result(kind, result):
    value, sign = lsecy.logsumexp(np.ones((3, 4), kind), axis=0, return_sign=True)
    assert value.dtype == sign.dtype == np.dtype(result)
    assert value.dtype.isnative


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_a_result_without_axes_is_a_numpy_scalar(kind):
    value, sign = lsecy.logsumexp(np.ones((3, 4), kind), return_sign=True)
    assert type(value) is type(sign) is np.dtype(kind).type
    assert type(lsecy.logsumexp(np.ones(4, kind), axis=0)) is np.dtype(kind).type


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones(3, np.float32), 2.0),
        (np.ones(3, np.float32), 2),
        (np.ones(3, np.float32), True),
        (np.ones(3, np.float32), np.ones(3, np.float64)),
        (np.ones(3, np.float32), np.ones((), np.float64)),
        (np.ones(3, np.float32), np.float64(2)),
        (np.ones(3, np.float32), np.float32(2)),
        (np.ones(3, np.float32), np.ones(3, np.int64)),
        (np.ones(3, np.float32), np.ones(3, np.int16)),
        (np.ones(3, np.float32), np.ones(3, bool)),
        (np.ones(3, np.float32), np.ones(3, np.float16)),
        (np.ones(3, np.float64), np.ones(3, np.float32)),
        (np.ones(3, np.float16), np.ones(3, np.float16)),
        (np.ones(3, np.float16), np.ones(3, np.float32)),
        (np.ones(3, np.float16), 2.0),
        (np.ones(3, np.int64), np.ones(3, np.float32)),
        (np.ones(3, np.int64), np.ones(3, np.float64)),
        (np.ones(3, np.float32), np.ones(3, ">f4")),
    ],
)
def test_a_and_b_promote_as_in_numpy(a, b):
    value, sign = lsecy.logsumexp(a, b=b, return_sign=True)
    assert value.dtype == sign.dtype == np.result_type(a, b).newbyteorder("=")


@pytest.mark.parametrize("b", [1, 2.0, [1, 2, 3], np.ones(3, np.int8), True])
def test_integers_with_integer_or_plain_weights_are_float64(b):
    assert lsecy.logsumexp([1, 2, 3], b=b).dtype == np.float64


def test_a_list_of_weights_is_float64():
    assert lsecy.logsumexp(np.ones(3, np.float32), b=[1.0, 2.0, 3.0]).dtype == np.float64


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((4,), None), ((4,), 0), ((4,), -1), ((4,), ()), ((4,), (0,)),
        ((3, 5), None), ((3, 5), 0), ((3, 5), 1), ((3, 5), -2),
        ((3, 5), (0, 1)), ((3, 5), (1, 0)), ((3, 5), ()),
        ((3, 1), 1), ((1, 3), 1), ((1, 1), 0),
        ((2, 3, 4), 1), ((2, 3, 4), (0, 2)), ((2, 3, 4), (2, 0)), ((2, 3, 4), (-1, -3)), ((2, 3, 4), (1, 2)),
        ((2, 3, 4, 5), (1, 2)), ((2, 3, 4, 5), (0, 3)), ((2, 3, 4, 5), (0, 2)), ((2, 3, 4, 5), (0, 1, 3)),
        ((2, 1, 2, 1, 2, 1, 2), (0, 3, 6)), ((2,) * 12, tuple(range(0, 12, 2))), ((1,) * 32, (5,)),
        ((), None), ((), ()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_mean_what_they_mean_in_numpy(rng, shape, axis, keepdims):
    a = rng.standard_normal(shape)
    got = lsecy.logsumexp(a, axis=axis, keepdims=keepdims)
    expected = reference(a, axis, keepdims)
    assert np.shape(got) == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-15)


def test_axis_may_be_any_integer():
    assert np.array_equal(lsecy.logsumexp(A, axis=np.int64(1)), lsecy.logsumexp(A, axis=1))
    assert np.array_equal(lsecy.logsumexp(A, axis=(np.int8(1),)), lsecy.logsumexp(A, axis=1))


def test_a_scalar_with_keepdims_stays_without_axes():
    assert np.shape(lsecy.logsumexp(np.array(2.0), keepdims=True)) == ()


def test_an_empty_axis_tuple_returns_the_values_with_their_signs():
    value, sign = lsecy.logsumexp([1.0, -np.inf, 2.0], axis=(), b=[-2.0, 1.0, 1.0], return_sign=True)
    np.testing.assert_allclose(value, [1 + np.log(2), -np.inf, 2.0])
    assert sign.tolist() == [-1, 0, 1]


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 1), (1, 5), (3, 5), (1, 1)])
def test_weights_broadcast_against_a(rng, shape, axis):
    b = rng.uniform(0.5, 2, shape)
    expected = np.log((b * np.exp(A)).sum(axis=axis))
    np.testing.assert_allclose(lsecy.logsumexp(A, axis=axis, b=b), expected, rtol=1e-15)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (0, 2), -3])
@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 1, 5), (4, 1, 1), (1, 3, 5)])
def test_weights_may_enlarge_a(rng, shape, axis):
    b = rng.uniform(0.5, 2, shape)
    expected = np.log((b * np.exp(A)).sum(axis=axis))
    np.testing.assert_allclose(lsecy.logsumexp(A, axis=axis, b=b), expected, rtol=1e-15)


def test_weights_may_enlarge_axes_of_length_one(rng):
    a, b = rng.standard_normal((3, 1)), rng.uniform(0.5, 2, (1, 4))
    expected = np.log((b * np.exp(a)).sum(axis=1))
    np.testing.assert_allclose(lsecy.logsumexp(a, axis=1, b=b), expected, rtol=1e-14, atol=1e-15)


# Errors ---------------------------------------------------------------------------------


def says(*words):
    """Match a message that begins with the function's name and holds the words in their order."""
    return "^logsumexp: " + ".*".join(["", *map(re.escape, words)])


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (3, "logsumexp: axis 3 is out of range for a 2-d array (use -2 to 1)"),
        (2, "logsumexp: axis 2 is out of range for a 2-d array (use -2 to 1)"),
        (-3, "logsumexp: axis -3 is out of range for a 2-d array (use -2 to 1)"),
    ],
)
def test_an_axis_out_of_range_is_an_axis_error(axis, message):
    with pytest.raises(np.exceptions.AxisError) as error:
        lsecy.logsumexp(A, axis=axis)
    assert str(error.value) == message


@pytest.mark.parametrize("axis", [(0, 2), (-3, 1), (0, 1, 2), 10**30, -(10**30)])
def test_any_axis_out_of_range_is_an_axis_error(axis):
    with pytest.raises(np.exceptions.AxisError, match=says("axis")):
        lsecy.logsumexp(A, axis=axis)


def test_an_axis_out_of_range_is_noticed_in_an_empty_array():
    with pytest.raises(np.exceptions.AxisError, match=says("axis 2")):
        lsecy.logsumexp(np.ones((0, 3)), axis=2)


@pytest.mark.parametrize("axis", [(0, 0), (1, -1), (-2, 0)])
def test_a_repeated_axis_is_a_value_error(axis):
    with pytest.raises(ValueError, match=says("axis")):
        lsecy.logsumexp(A, axis=axis)


@pytest.mark.parametrize("axis", [[0], [0, 1], 1.0, "0", (0, 1.0), (None,), {0}])
def test_an_axis_of_another_type_is_a_type_error(axis):
    with pytest.raises(TypeError, match=says("axis")):
        lsecy.logsumexp(A, axis=axis)


def test_weights_that_do_not_broadcast_are_a_value_error():
    with pytest.raises(ValueError) as error:
        lsecy.logsumexp(A, b=np.ones(4))
    assert str(error.value) == "logsumexp: b of shape (4,) does not broadcast against a of shape (3, 5)"


def test_weights_that_lack_an_axis_get_a_hint():
    with pytest.raises(ValueError) as error:
        lsecy.logsumexp(A, b=np.ones(3))
    assert str(error.value) == (
        "logsumexp: b of shape (3,) does not broadcast against a of shape (3, 5); did you mean b[:, None]?"
    )


UNSUPPORTED = {
    "object": np.array([1.0, None, 3.0], object),
    "integers beyond int64": np.array([2**70, 1, 2], object),
    "string": np.array(["1", "2", "3"]),
    "bytes": np.array([b"1", b"2", b"3"]),
    "timedelta": np.ones(3, "m8[s]"),
    "datetime": np.ones(3, "M8[s]"),
    "void": np.ones(3, "V8"),
    "record": np.ones(3, [("x", "f8")]),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_an_unsupported_dtype_of_a_is_a_type_error(kind):
    with pytest.raises(TypeError, match=says("a ", str(UNSUPPORTED[kind].dtype))):
        lsecy.logsumexp(UNSUPPORTED[kind])


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_an_unsupported_dtype_of_b_is_a_type_error(kind):
    with pytest.raises(TypeError, match=says("b ", str(UNSUPPORTED[kind].dtype))):
        lsecy.logsumexp(np.ones(3), b=UNSUPPORTED[kind])


@pytest.mark.parametrize("a", [None, "text", object(), {1: 2}, lambda: 0])
def test_what_is_no_number_is_a_type_error(a):
    with pytest.raises(TypeError, match=r"^logsumexp: a "):
        lsecy.logsumexp(a)


def test_a_ragged_list_is_refused():
    with pytest.raises((TypeError, ValueError), match=r"^logsumexp: a "):
        lsecy.logsumexp([[1.0, 2.0], [3.0]])


def test_an_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError):
        lsecy.logsumexp(A, axes=1)


def test_a_must_be_given():
    with pytest.raises(TypeError):
        lsecy.logsumexp()


def test_an_array_that_raises_passes_its_error_on():
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        lsecy.logsumexp(Broken())


def test_errors_leave_nothing_behind():
    """A failed call neither leaks a reference to its arguments nor harms the next call."""
    a, b = np.ones((3, 5)), np.ones(4)
    before = sys.getrefcount(a), sys.getrefcount(b)
    for _ in range(100):
        with pytest.raises(ValueError):
            lsecy.logsumexp(a, b=b)
        with pytest.raises(np.exceptions.AxisError):
            lsecy.logsumexp(a, axis=7)
    assert (sys.getrefcount(a), sys.getrefcount(b)) == before
    assert lsecy.logsumexp(a, axis=0).shape == (5,)


def test_calls_keep_no_reference():
    a, b = np.ones((3, 5)), np.ones(5)
    before = sys.getrefcount(a), sys.getrefcount(b)
    for _ in range(100):
        lsecy.logsumexp(a)
        lsecy.logsumexp(a, axis=0)
        lsecy.logsumexp(a[::2, ::-1], axis=1, b=b[::-1], keepdims=True, return_sign=True)
    assert (sys.getrefcount(a), sys.getrefcount(b)) == before
