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
    out = np.empty_like(x)
    kernels(isa, dtype).exp_terms(x, out)
    errors = ulps(out, exact(mpmath.exp, x), dtype)
    if isa in ("avx2", "avx512") and dtype == np.float32:
        assert (errors <= ELEMENTARY["exp by table", "float32"] + PER_X * abs(x)).all()
    else:
        assert errors.max() <= ELEMENTARY["exp", dtype.name]


def test_the_pair_of_exp_stays_within_its_bound(isa, dtype):
    x = np.concatenate([np.random.default_rng(2).uniform(-600, 700, 2000), np.linspace(-1, 1, 1001)])
    high, low = np.empty_like(x), np.empty_like(x)
    kernels(isa, dtype).exp_pair(x, high, low)
    true = exact(mpmath.exp, x)
    with mpmath.workdps(60):
        errors = [
            abs((mpmath.mpf(h) + mpmath.mpf(lo)) / t - 1) for h, lo, t in zip(high, low, true, strict=True)
        ]
    assert max(errors) <= ELEMENTARY["exp_pair"]


def test_log_stays_within_its_bound(isa, dtype):
    rng = np.random.default_rng(3)
    high = np.concatenate([np.exp(rng.uniform(-40, 60, 2000)), rng.uniform(1.1, 3, 1000)])
    low = np.spacing(high) * rng.uniform(-0.5, 0.5, high.size)
    out = np.empty_like(high)
    kernels(isa, dtype).log_pair_sum(high, low, np.zeros_like(high), out)
    true = exact(lambda h, lo: mpmath.log(h + lo), high, low)
    assert ulps(out, true, np.dtype("float64")).max() <= ELEMENTARY["log_pair"]


@pytest.mark.parametrize(("x", "answer"), [(-np.inf, 0.0), (-1e30, 0.0), (0.0, 1.0)])
def test_exp_of_a_special_value(isa, dtype, x, answer):
    out = np.empty(1, dtype)
    kernels(isa, dtype).exp_terms(np.array([x], dtype), out)
    assert out[0] == answer
