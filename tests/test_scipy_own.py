"""SciPy's own tests of logsumexp, softmax and log_softmax, as its wheel installs them, on our functions.

SciPy runs them over array libraries and devices through fixtures of its own; here NumPy is the only one.
"""

import builtins
import functools
import warnings

import numpy as np
import pytest
from scipy._lib import array_api_compat
from scipy.special.tests import test_logsumexp as theirs

import lsecy

# Where we differ on purpose: the call, what SciPy 1.17 returns, what we return, and why.
# None of SciPy's own tests asks for these.
DIFFERENCES = {
    "the sign of an empty sum": (
        "logsumexp([], return_sign=True)[1]",
        -1,
        0,
        "an empty sum is 0, and the sign of 0 is 0",
    ),
    "a scalar with keepdims": (
        "logsumexp(3.0, keepdims=True).shape",
        (1,),
        (),
        "there is no axis to keep",
    ),
    "softmax of nothing": (
        "softmax([]).shape",
        ValueError,
        (0,),
        "a map of nothing is nothing",
    ),
    "log_softmax of nothing": (
        "log_softmax([]).shape",
        ValueError,
        (0,),
        "a map of nothing is nothing",
    ),
    "softmax of infinity warns": (
        "softmax([np.inf, 0.0])[0]",
        RuntimeWarning,
        np.nan,
        "infinity is a legal input",
    ),
    "log_softmax of infinity warns": (
        "log_softmax([np.inf, 0.0])[1]",
        RuntimeWarning,
        -np.inf,
        "infinity is a legal input",
    ),
    "a weight of zero on infinity": (
        "logsumexp([np.inf, np.inf], b=[0, 1])",
        np.nan,
        np.inf,
        "what has no weight is never seen",
    ),
    "nothing but weights of zero on NaN": (
        "logsumexp([np.nan, np.nan], b=[0, 0])",
        np.nan,
        -np.inf,
        "what has no weight is never seen",
    ),
    "weights that outweigh the exponents": (
        "round(float(logsumexp([800.0, 0.0], b=[1e-200, 1e200])), 2)",
        339.48,
        460.52,
        "the shift is the largest a + log|b|",
    ),
    "the winner's share": (
        "float(log_softmax([40.0, 0.0])[0])",
        0.0,
        -4.248354255291589e-18,
        "the rest is kept apart from the largest term",
    ),
    "the mask of a masked array": (
        "round(float(logsumexp(np.ma.masked_array([3.0, 9.0], mask=[False, True]))), 3)",
        9.002,
        3.0,
        "masks are honoured, never ignored",
    ),
    "unsigned integers": (
        "softmax(np.array([0, 2], np.uint8)).round(3).tolist()",
        RuntimeWarning,
        [0.119, 0.881],
        "integers are taken as float64 before anything is subtracted",
    ),
    "small integers": (
        "softmax(np.array([0, 1], np.int8)).dtype",
        np.dtype(np.float16),
        np.dtype(np.float64),
        "integers are taken as float64",
    ),
}


def strict(function):
    """Make every warning of a function an error, whatever the test around it ignores."""

    @functools.wraps(function)
    def wrapper(*args, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return function(*args, **options)

    return wrapper


@pytest.fixture(autouse=True)
def _our_functions(monkeypatch, request):
    for name in ("logsumexp", "softmax", "log_softmax"):
        monkeypatch.setattr(theirs, name, strict(getattr(lsecy, name)))
    with warnings.catch_warnings():
        for mark in request.node.iter_markers("filterwarnings"):  # for what SciPy's test computes itself
            action, message, category = mark.args[0].split(":")
            warnings.filterwarnings(action, message, getattr(builtins, category))
        yield


@pytest.fixture
def xp():
    """Give SciPy's tests the only array library that we know."""
    return array_api_compat.numpy


@pytest.fixture
def devices():
    """Give them its only device, by default and by name."""
    return [None, "cpu"]


def listed(mark):
    """Give a parametrization its values as a list: SciPy leaves an iterator, which pytest deprecates."""
    if mark.name != "parametrize":
        return mark
    return pytest.mark.parametrize(mark.args[0], list(mark.args[1]), **mark.kwargs).mark


for _tests in (theirs.TestLogSumExp, theirs.TestSoftmax, theirs.TestLogSoftmax):
    for _test in vars(_tests).values():
        if hasattr(_test, "pytestmark"):
            _test.pytestmark = [listed(mark) for mark in _test.pytestmark]


class TestLogSumExp(theirs.TestLogSumExp):
    """All of SciPy's tests of logsumexp."""


class TestSoftmax(theirs.TestSoftmax):
    """All of SciPy's tests of softmax."""


class TestLogSoftmax(theirs.TestLogSoftmax):
    """All of SciPy's tests of log_softmax."""


def test_no_class_of_tests_is_left_out():
    assert {name for name in vars(theirs) if name.startswith("Test")} == {
        "TestLogSumExp",
        "TestSoftmax",
        "TestLogSoftmax",
    }


def outcome(code, module):
    """Return what a call returns, or the class of what it raises or warns of."""
    names = {name: getattr(module, name) for name in ("logsumexp", "softmax", "log_softmax")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return eval(code, {"np": np, **names})
        except (ValueError, RuntimeWarning) as error:
            return type(error)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_deliberate_difference(name):
    code, _, ours, reason = DIFFERENCES[name]
    assert np.array_equal(outcome(code, lsecy), ours, equal_nan=isinstance(ours, float)), reason
