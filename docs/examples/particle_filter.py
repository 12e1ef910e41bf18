"""A particle filter that resamples when the effective sample size is low.

A hidden random walk x[t] = PHI x[t-1] + noise is seen through y[t] = x[t] + noise.  Particles follow the
walk, their log-weights take in each observation, and the log-likelihood of all observations is a sum of
logarithms of means of weights (Doucet and Johansen 2009, "A tutorial on particle filtering and smoothing").
When the weights have drifted apart, so that few particles have most of it, the particles are drawn anew.

For this model a Kalman filter knows the exact answer.
"""

import argparse
import timeit

import numpy as np
import scipy.special

import lsecy

PHI, STEP, NOISE = 0.95, 0.4, 0.6


def simulate(n_times, rng):
    """Return observations of a walk."""
    x, y = 0.0, np.empty(n_times)
    for t in range(n_times):
        x = PHI * x + STEP * rng.standard_normal()
        y[t] = x + NOISE * rng.standard_normal()
    return y


def kalman(y):
    """Return the exact filtered means and the exact log-likelihood."""
    mean, variance, means, log_likelihood = 0.0, 0.0, [], 0.0
    for observed in y:
        mean, variance = PHI * mean, PHI**2 * variance + STEP**2
        total = variance + NOISE**2
        log_likelihood -= 0.5 * (np.log(2 * np.pi * total) + (observed - mean) ** 2 / total)
        gain = variance / total
        mean, variance = mean + gain * (observed - mean), (1 - gain) * variance
        means.append(mean)
    return np.array(means), log_likelihood


def particle_filter(y, n_particles, rng):
    """Return the filtered means, the log-likelihood, and the log effective sample size at each time."""
    particles = np.zeros(n_particles)
    logw = np.full(n_particles, -np.log(n_particles))
    means, log_sizes, log_likelihood = [], [], 0.0
    for observed in y:
        particles = PHI * particles + STEP * rng.standard_normal(n_particles)
        logw += -0.5 * ((observed - particles) / NOISE) ** 2 - np.log(NOISE * np.sqrt(2 * np.pi))
        logw, log_total = lsecy.normalize_logweights(logw, out=logw)
        log_likelihood += log_total
        means.append(np.exp(logw) @ particles)
        log_sizes.append(lsecy.log_ess(logw))
        if log_sizes[-1] < np.log(n_particles / 2):
            # Systematic resampling: places at equal distances in the running sum of the weights.
            places = (rng.random() + np.arange(n_particles)) / n_particles
            running = lsecy.logcumsumexp(logw)
            chosen = np.searchsorted(running, np.log(places)).clip(max=n_particles - 1)
            particles = particles[chosen]
            logw[...] = -np.log(n_particles)
    return np.array(means), log_likelihood, np.array(log_sizes), logw


def main():
    """Filter, check against the Kalman filter and against plain formulas, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, default=20_000, help="number of particles")
    parser.add_argument("--times", type=int, default=200, help="number of observations")
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    y = simulate(options.times, rng)
    exact_means, exact = kalman(y)
    means, log_likelihood, log_sizes, _ = particle_filter(y, options.particles, rng)
    # Both errors shrink as the root of the number of particles.
    unit = np.sqrt(options.times / options.particles)
    assert abs(log_likelihood - exact) < 5 * unit
    assert np.abs(means - exact_means).max() < 5 / np.sqrt(options.particles)
    print(f"log-likelihood {log_likelihood:.3f}, by the Kalman filter {exact:.3f}")
    low = np.exp(log_sizes.min())
    print(f"effective sample size of {options.particles}: {low:.0f} at least, resampled "
          f"{np.count_nonzero(log_sizes < np.log(options.particles / 2))} times")  # fmt: skip

    logw = rng.normal(-1000, 2, 1_000_000)
    share = np.exp(logw - logw.max())
    share /= share.sum()
    np.testing.assert_allclose(np.exp(lsecy.log_ess(logw)), 1 / (share**2).sum(), rtol=1e-11)
    ways = {
        "lsecy": lambda: lsecy.log_ess(logw),
        "scipy": lambda: 2 * scipy.special.logsumexp(logw) - scipy.special.logsumexp(2 * logw),
    }
    for name, way in ways.items():
        seconds = min(timeit.repeat(way, number=1, repeat=7))
        print(f"effective sample size of a million log-weights with {name}: {1e3 * seconds:8.3f} ms")


if __name__ == "__main__":
    main()
