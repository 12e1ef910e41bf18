"""exp and log alone, against mpmath, at the bounds that stand above them in kernels/elementary.pxd."""

import importlib

import mpmath
import numpy as np
import pytest
from bounds import ELEMENTARY, PER_X


def kernels(isa, dtype):
    return importlib.import_module(f"lsecy.kernels.{isa}_{dtype.name}")


def exact(function, *columns):
    with mpmath.workdps(60):
        return [function(*map(mpmath.mpf, map(float, row))) for row in zip(*columns, strict=True)]


def ulps(got, true, dtype):
    units = [float(np.spacing(dtype.type(abs(float(value))))) for value in true]
    with mpmath.workdps(60):
        return np.array(
            [float(abs(mpmath.mpf(float(g)) - t) / u) for g, t, u in zip(got, true, units, strict=True)]
        )


def test_exp_stays_within_its_bound(isa, dtype):
    low, high = (-87.3, 88.0) if dtype == np.float32 else (-708.0, 709.0)
    x = np.concatenate([np.random.default_rng(1).uniform(low, high, 3000), np.linspace(-1, 1, 1001)]).astype(
        dtype
    )
    out = [kernels(isa, dtype).exp_term(number) for number in x]
    errors = ulps(out, exact(mpmath.exp, x), dtype)
    if isa in ("avx2", "avx512") and dtype == np.float32:
        assert (errors <= ELEMENTARY["exp by table", "float32"] + PER_X * abs(x)).all()
    else:
        assert errors.max() <= ELEMENTARY["exp", dtype.name]


def relative_errors(pairs, true):
    with mpmath.workdps(60):
        return np.array(
            [
                float(abs((mpmath.mpf(h) + mpmath.mpf(lo)) / t - 1))
                for (h, lo), t in zip(pairs, true, strict=True)
            ]
        )


def test_the_pair_of_exp_stays_within_its_bound(isa, dtype):
    x = np.concatenate([np.random.default_rng(2).uniform(-600, 700, 2000), np.linspace(-1, 1, 1001)])
    pairs = [kernels(isa, dtype).exp_pair(number) for number in x]
    assert relative_errors(pairs, exact(mpmath.exp, x)).max() <= ELEMENTARY["exp_pair"]


def test_the_parts_of_exp_stay_within_their_bound(isa, dtype):
    x = np.concatenate([np.random.default_rng(2).uniform(-20, 4.8, 2000), np.linspace(-1, 1, 1001)])
    pairs = np.array([kernels(isa, dtype).exp_parts(number) for number in x])
    assert (pairs[:, 0] % 2.0**-44 == 0).all()
    assert (abs(pairs[:, 1]) <= 2.0**-44).all()
    errors = relative_errors(pairs, exact(mpmath.exp, x))
    # What is smaller than the grid has its one part alone.
    bound = np.maximum(ELEMENTARY["exp_parts", dtype.name], 2.0**-96 / np.exp(x))
    assert (errors <= bound).all(), errors.max()


@pytest.mark.parametrize("x", [-np.inf, -1e300, -800.0, -709.5])
def test_the_parts_of_what_lies_far_below_are_nothing(isa, dtype, x):
    assert kernels(isa, dtype).exp_parts(x) == (0, 0)


@pytest.mark.parametrize("x", [720.0, 1e300, np.inf, np.nan])
def test_the_parts_of_what_lies_far_above_are_not_finite(isa, dtype, x):
    assert not np.isfinite(sum(kernels(isa, dtype).exp_parts(x)))


def test_log_stays_within_its_bound(isa, dtype):
    rng = np.random.default_rng(3)
    high = np.concatenate([np.exp(rng.uniform(-40, 60, 2000)), rng.uniform(1.1, 3, 1000)])
    low = np.spacing(high) * rng.uniform(-0.5, 0.5, high.size)
    out = [kernels(isa, dtype).log_pair_sum(*numbers, 0.0) for numbers in zip(high, low, strict=True)]
    true = exact(lambda h, lo: mpmath.log(h + lo), high, low)
    assert ulps(out, true, np.dtype("float64")).max() <= ELEMENTARY["log_pair"]


@pytest.mark.parametrize(("x", "answer"), [(-np.inf, 0.0), (-1e30, 0.0), (0.0, 1.0)])
def test_exp_of_a_special_value(isa, dtype, x, answer):
    assert kernels(isa, dtype).exp_term(x) == answer
