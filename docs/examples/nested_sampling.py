"""Evidence by nested sampling: a running log-sum-exp that costs the same at every step.

Nested sampling (Skilling 2006, "Nested sampling for general Bayesian computation") turns the evidence
Z = integral of L over the prior into a sum over points of growing likelihood, that of L[i] (X[i-1] - X[i]),
where X[i] is the share of the prior that lies above L[i], about exp(-i / n) with n live points.
Likelihoods and shares span hundreds of orders of magnitude, so that all is kept as logarithms.

Here the prior is the unit ball and the likelihood a Gaussian in its middle.  So the region above a
likelihood is a smaller ball, from which one can draw, and the evidence is known: a value of the incomplete
gamma function.
"""

import argparse
import time

import numpy as np
from scipy.special import gammainc, gammaln

import lsecy

DIMS, SIGMA = 10, 0.05


def log_likelihood(radius):
    """Return the log-density of a Gaussian at this distance from its middle."""
    return -0.5 * (radius / SIGMA) ** 2 - DIMS * np.log(SIGMA * np.sqrt(2 * np.pi))


def exact_log_evidence():
    """Return the logarithm of what the likelihood integrates to, divided by the volume of the ball."""
    log_volume = DIMS / 2 * np.log(np.pi) - gammaln(DIMS / 2 + 1)
    return np.log(gammainc(DIMS / 2, 0.5 / SIGMA**2)) - log_volume


def sample(n_live, rng):
    """Run until what is left cannot count; return the evidence, its error, and every term for the check."""
    live = rng.random(n_live) ** (
        1 / DIMS
    )  # distances from the middle: the prior's share within is radius^DIMS
    evidence, information = lsecy.LogSumExp(), lsecy.LogSumExp()
    log_shell = lsecy.log1mexp(-1 / n_live)  # log of X[i-1] - X[i], relative to X[i-1]
    terms = []
    seconds = 0.0
    while True:
        worst = np.argmax(live)
        log_l, log_x = log_likelihood(live[worst]), -len(terms) / n_live
        term = log_l + log_x + log_shell
        terms.append(term)
        start = time.perf_counter()
        so_far = evidence.update(term).result()
        seconds += time.perf_counter() - start
        information.update(term, b=log_l)
        if log_likelihood(live.min()) + log_x < so_far - 12:
            break
        live[worst] *= rng.random() ** (1 / DIMS)  # a new point of the smaller ball
    # The live points share what is left of the prior.
    rest = log_likelihood(live) - len(terms) / n_live - np.log(n_live)
    evidence.update(rest)
    information.update(rest, b=log_likelihood(live))
    log_z = evidence.result()
    log_mean, sign = information.result(return_sign=True)
    error = np.sqrt((sign * np.exp(log_mean - log_z) - log_z) / n_live)  # of log Z: sqrt(information / n)
    return log_z, error, np.append(terms, rest), seconds


def main():
    """Sample, check against the known evidence and against NumPy, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--live", type=int, default=500, help="number of live points")
    n_live = parser.parse_args().live

    log_z, error, terms, seconds = sample(n_live, np.random.default_rng(0))
    truth = exact_log_evidence()
    print(f"log Z = {log_z:.4f} +- {error:.4f} by {len(terms)} points; exact is {truth:.4f}")
    assert abs(log_z - truth) < 4 * error
    np.testing.assert_allclose(log_z, np.logaddexp.reduce(terms), rtol=1e-13)
    print("the running sum agrees with numpy.logaddexp.reduce over all terms")

    start = time.perf_counter()
    running = -np.inf
    for term in terms:
        running = np.logaddexp(running, term)
    by_pairs = time.perf_counter() - start
    np.testing.assert_allclose(log_z, running, rtol=1e-12)
    print(f"a step with lsecy.LogSumExp: {1e6 * seconds / len(terms):6.2f} us, its result included")
    print(f"a step with numpy.logaddexp: {1e6 * by_pairs / len(terms):6.2f} us, whose errors pile up")


if __name__ == "__main__":
    main()
