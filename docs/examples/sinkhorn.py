"""Entropic optimal transport by Sinkhorn's iteration in logarithms: half a step is one call.

The plan that moves weights a to weights b at the least cost, less reg times its entropy, has the form
P[i, j] = exp(u[i] + v[j] - cost[i, j] / reg), where u and v are such that rows add up to a and columns to b
(Cuturi 2013, "Sinkhorn distances: lightspeed computation of optimal transport").  The iteration sets the
columns right by v, then the rows by u, and again:

    v[j] = log b[j] - log of the sum over i of exp(-cost[i, j] / reg + u[i])

The sum is logsumexp of the costs, with scale=-1/reg and logb=u: no array of their size is made.

The clouds of points here lie so far apart that every exp(-cost / reg) is zero in double precision: without
logarithms the first step would divide by zero.
"""

import argparse
import os
import time

import numpy as np

# POT imports every library that it can compute with and finds; here it is to use NumPy.
os.environ.update({f"POT_BACKEND_DISABLE_{name}": "1" for name in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW")})
from ot.bregman import sinkhorn_log

import lsecy


def clouds(n, m, rng):
    """Return the weights of two clouds of points, and the squared distances between their points."""
    x, y = rng.standard_normal((n, 2)), rng.uniform(-2, 2, (m, 2)) + 20
    a, b = rng.random(n) + 0.5, rng.random(m) + 0.5
    return a / a.sum(), b / b.sum(), ((x[:, None] - y) ** 2).sum(axis=2)


def sinkhorn(a, b, cost, reg, accuracy, most=2000):
    """Return a plan whose columns miss b by no more than `accuracy` in all, and the number of steps."""
    log_a, log_b, scale = np.log(a), np.log(b), -1 / reg
    u, v = np.zeros(len(a)), np.full(len(b), -np.inf)
    for step in range(1, most + 1):
        before = v
        v = log_b - lsecy.logsumexp(cost, axis=0, scale=scale, logb=u[:, None])
        u = log_a - lsecy.logsumexp(cost, axis=1, scale=scale, logb=v)
        # The columns added up to b * exp(before - v): what they missed is known without a look at the plan.
        if np.abs(b * np.expm1(before - v)).sum() <= accuracy:
            # The rows of the plan are shares of a.
            return a[:, None] * lsecy.softmax(cost, axis=1, scale=scale, logb=v), step
    raise RuntimeError(f"sinkhorn: columns still miss b by more than {accuracy} after {most} steps")


def main():
    """Move a cloud onto another, check against POT, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=300, help="number of points of the first cloud")
    parser.add_argument("--reg", type=float, default=0.5, help="strength of the entropy")
    options = parser.parse_args()
    reg = options.reg

    a, b, cost = clouds(options.points, options.points * 5 // 4, np.random.default_rng(0))
    start = time.perf_counter()
    plan, steps = sinkhorn(a, b, cost, reg, 1e-9)
    seconds = time.perf_counter() - start
    print(f"from {len(a)} to {len(b)} points in {steps} steps: mean cost {(plan * cost).sum():.6f}")
    print(f"the largest exp(-cost / reg) is exp({-cost.min() / reg:.1f}) = {np.exp(-cost.min() / reg):g}")

    start = time.perf_counter()
    other = sinkhorn_log(a, b, cost, reg, numItermax=steps, stopThr=0, warn=False)
    pot_seconds = time.perf_counter() - start
    # Exponents in the thousands are rounded to 1e-12 or so, at every step.
    np.testing.assert_allclose(plan, other, rtol=1e-9)
    np.testing.assert_allclose(plan.sum(axis=1), a, rtol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), b, rtol=0, atol=1e-9)
    print(f"agrees with POT to {np.abs(plan / other - 1).max():.0e}, and moves a to b")
    print(f"a step with lsecy: {1e3 * seconds / steps:8.3f} ms")
    print(f"a step with POT:   {1e3 * pot_seconds / steps:8.3f} ms")


if __name__ == "__main__":
    main()
