"""On ordinary data, SciPy and the library say the same."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lsecy

RTOL = {"float32": 5e-6, "float64": 1e-13}


def assert_like_scipy(a, **options):
    got = lsecy.logsumexp(a, **options)
    expected = scipy.special.logsumexp(a, **options)
    tolerance = RTOL[np.asarray(a).dtype.name]
    for x, y in zip(np.atleast_1d(got), np.atleast_1d(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * (1 + np.abs(a).max(initial=0)))
        assert np.shape(x) == np.shape(y)


@st.composite
def problems(draw):
    """Draw an array, an axis or axes of it, and keepdims."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=9))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    a = draw(hnp.arrays(kind, shape, elements=st.floats(-500, 500, width=32)))
    axes = st.integers(-len(shape), len(shape) - 1)
    axis = draw(st.one_of(st.none(), axes, hnp.valid_tuple_axes(len(shape), min_size=1)))
    return a, axis, draw(st.booleans())


@given(problems())
def test_any_shape_and_any_axis(isa, problem):
    a, axis, keepdims = problem
    assert_like_scipy(a, axis=axis, keepdims=keepdims)


@given(problems(), st.integers(0, 2**32 - 1))
def test_any_shape_and_any_axis_with_weights(isa, problem, seed):
    a, axis, keepdims = problem
    b = np.random.default_rng(seed).uniform(0.1, 1, a.shape).astype(a.dtype)
    assert_like_scipy(a, axis=axis, b=b, keepdims=keepdims)


@given(problems())
def test_any_view(isa, problem):
    a, axis, keepdims = problem
    view = a[(slice(None, None, -1),) * a.ndim].swapaxes(0, -1)
    assert_like_scipy(view, axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("shape", [(10,), (1000, 3), (3, 1000), (40, 50, 60), (100_000,)])
@pytest.mark.parametrize("spread", [1, 30, 200])
def test_larger_shapes(isa, dtype, rng, shape, spread):
    a = (spread * rng.standard_normal(shape)).astype(dtype)
    for axis in [None, *range(a.ndim)]:
        assert_like_scipy(a, axis=axis)


def test_signed_weights(isa, rng):
    a, b = rng.standard_normal((50, 40)), rng.standard_normal((50, 40))
    value, sign = lsecy.logsumexp(a, axis=1, b=b, return_sign=True)
    scipy_value, scipy_sign = scipy.special.logsumexp(a, axis=1, b=b, return_sign=True)
    np.testing.assert_allclose(value, scipy_value, rtol=1e-10)
    assert np.array_equal(sign, scipy_sign)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64", "bool"])
def test_integers(isa, kind):
    a = np.array([[0, 1, 1], [1, 0, 1]]).astype(kind)
    np.testing.assert_allclose(lsecy.logsumexp(a, axis=0), scipy.special.logsumexp(a, axis=0), rtol=1e-15)
