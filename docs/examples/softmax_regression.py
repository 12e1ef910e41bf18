"""Softmax regression of handwritten digits: training with a loss and its gradient from one call.

A linear map of the pixels gives each class a logit.  Training looks for the map of least mean cross-entropy,
with a penalty on its squares.  What a step has to know of the logits is one call of cross_entropy_grad: the
loss and its slope.  The gradients of weights and intercepts are products with that slope.
"""

import argparse
import timeit
from functools import partial

import numpy as np
import scipy.special
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import lsecy

CLASSES = 10


def by_lsecy(logits, labels):
    """Return the mean cross-entropy, and its gradient with respect to the logits."""
    return lsecy.cross_entropy_grad(logits, labels, return_loss=True)


def by_scipy(logits, labels):
    """Return the same from the definition."""
    rows = np.arange(len(labels))
    logprobs = scipy.special.log_softmax(logits, axis=1)
    slope = np.exp(logprobs)
    slope[rows, labels] -= 1
    return -logprobs[rows, labels].mean(), slope / len(labels)


def train(x, labels, penalty):
    """Return the weights and intercepts of least loss, and the number of steps."""

    def objective(flat):
        weights, intercepts = flat[CLASSES:].reshape(CLASSES, -1), flat[:CLASSES]
        loss, slope = by_lsecy(x @ weights.T + intercepts, labels)
        gradient = slope.T @ x + penalty * weights
        return loss + 0.5 * penalty * (weights**2).sum(), np.append(slope.sum(axis=0), gradient)

    start = np.zeros(CLASSES * (1 + x.shape[1]))
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-10, "ftol": 0})
    return found.x[CLASSES:].reshape(CLASSES, -1), found.x[:CLASSES], found.nit


def main():
    """Train, check against scikit-learn, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="says which digits are left out of the training")
    seed = parser.parse_args().seed

    digits, labels = load_digits(return_X_y=True)
    x, unseen, labels, truth = train_test_split(digits / 16, labels, test_size=0.3, random_state=seed)
    mean = x.mean(axis=0)  # taken away, so that intercepts hardly depend on weights: fewer steps
    x, unseen = x - mean, unseen - mean
    weights, intercepts, steps = train(x, labels, 1 / len(x))
    logits, answers = x @ weights.T + intercepts, unseen @ weights.T + intercepts
    accuracy = np.mean(answers.argmax(axis=1) == truth)
    loss, unseen_loss = lsecy.cross_entropy(logits, labels), lsecy.cross_entropy(answers, truth)
    print(f"{len(x)} digits after {steps} steps: cross-entropy {loss:.6f}")
    print(f"{len(unseen)} others: cross-entropy {unseen_loss:.6f}, {accuracy:.2%} recognised")

    model = LogisticRegression(solver="newton-cholesky", tol=1e-9).fit(x, labels)
    np.testing.assert_allclose(weights, model.coef_, rtol=0, atol=1e-6)
    # What is added to all intercepts makes no difference.
    shift = intercepts.mean() - model.intercept_.mean()
    np.testing.assert_allclose(intercepts, model.intercept_ + shift, rtol=0, atol=1e-6)
    np.testing.assert_allclose(lsecy.softmax(answers, axis=1), model.predict_proba(unseen), rtol=0, atol=1e-6)
    assert accuracy == model.score(unseen, truth)
    print("agrees with scikit-learn: weights, intercepts and probabilities to 1e-6, accuracy exactly")

    ways = {
        "lsecy, by L-BFGS": partial(train, x, labels, 1 / len(x)),
        "scikit-learn, by L-BFGS": partial(LogisticRegression(tol=1e-9, max_iter=1000).fit, x, labels),
        "scikit-learn, by Newton's method": partial(model.fit, x, labels),
    }
    for name, way in ways.items():
        print(f"training with {name}: {1e3 * min(timeit.repeat(way, number=1, repeat=3)):8.1f} ms")

    for mine, plain in zip(by_lsecy(logits, labels), by_scipy(logits, labels), strict=True):
        np.testing.assert_allclose(mine, plain, rtol=1e-12, atol=1e-18)
    for name, way in [("lsecy", by_lsecy), ("scipy", by_scipy)]:
        seconds = min(timeit.repeat(partial(way, logits, labels), number=20, repeat=7)) / 20
        print(f"loss and slope of {len(logits)} rows with {name}: {1e3 * seconds:8.3f} ms")


if __name__ == "__main__":
    # Products of this size gain nothing from threads, and on a busy machine they wait for each other.
    with threadpool_limits(1, "blas"):
        main()
