"""A Gaussian mixture of handwritten digits: log-likelihood and responsibilities by log-sum-exp.

For a point x, component k of a fitted mixture has the log-density log w[k] + log N(x | mean[k], cov[k]).
The log-likelihood of x is the log-sum-exp of these k numbers, and exp(log-density - log-likelihood) says how
far each component is responsible for x.
"""

import argparse
import timeit

import matplotlib
import numpy as np
import scipy.special
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

import lsecy

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def log_densities(x, model):
    """Return log w[k] + log N(x[n] | mean[k], cov[k]) as an (n, k) matrix."""
    dims = x.shape[1]
    result = np.empty((len(x), len(model.weights_)))
    parts = zip(model.weights_, model.means_, model.precisions_cholesky_, strict=True)
    for k, (weight, mean, root) in enumerate(parts):
        whitened = (x - mean) @ root
        log_det = np.log(np.diagonal(root)).sum()
        result[:, k] = np.log(weight) + log_det - 0.5 * (dims * np.log(2 * np.pi) + (whitened**2).sum(axis=1))
    return result


def explain(densities, logsumexp):
    """Return the log-likelihood and the responsibilities of every row."""
    log_likelihood = logsumexp(densities, axis=1)
    return log_likelihood, np.exp(densities - log_likelihood[:, None])


def draw(path, pca, model, digits, labels, log_likelihood, responsibilities):
    """Draw the components, which digits each one answers for, and where the log-likelihoods lie."""
    order = np.argsort([np.average(labels, weights=r) for r in responsibilities.T])
    images = pca.inverse_transform(model.means_)[order].reshape(-1, 8, 8)
    share = [responsibilities[labels == digit].mean(axis=0)[order] for digit in range(10)]

    figure = plt.figure(figsize=(11, 6), layout="constrained")
    figure.suptitle("A Gaussian mixture of handwritten digits: the mean of each component", fontsize=14)
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 4.2])
    for k, axes in enumerate(top.subplots(1, len(images))):
        axes.imshow(images[k], cmap="gray_r")
        axes.set_title(k, fontsize=10)
        axes.set_axis_off()

    left, right = bottom.subplots(1, 2, width_ratios=[1.35, 1])
    shown = left.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    left.set(xlabel="component", ylabel="digit", yticks=range(10), xticks=range(len(order)))
    left.set_title("which components answer for each digit", fontsize=11)
    bottom.colorbar(shown, ax=left, label="mean responsibility")

    right.hist(log_likelihood, bins=60, color="tab:blue", alpha=0.85)
    right.set(xlabel="log-likelihood of an image", ylabel="images")
    right.set_title("how well the mixture explains each image", fontsize=11)
    right.spines[["top", "right"]].set_visible(False)
    right.text(0.03, 0.94, "least likely", transform=right.transAxes, fontsize=10)
    for place, worst in enumerate(np.argsort(log_likelihood)[:3]):
        inset = right.inset_axes([0.03 + 0.16 * place, 0.74, 0.15, 0.18])
        inset.imshow(digits[worst].reshape(8, 8), cmap="gray_r")
        inset.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=130)


def main():
    """Fit, check against scikit-learn, time, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="mixture.png", help="where to write the picture")
    output = parser.parse_args().output

    digits, labels = load_digits(return_X_y=True)
    pca = PCA(10, random_state=0).fit(digits)
    x = pca.transform(digits)
    model = GaussianMixture(16, covariance_type="full", reg_covar=1.0, n_init=3, random_state=0).fit(x)

    log_likelihood, responsibilities = explain(log_densities(x, model), lsecy.logsumexp)
    np.testing.assert_allclose(log_likelihood, model.score_samples(x), rtol=1e-12)
    np.testing.assert_allclose(responsibilities, model.predict_proba(x), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(responsibilities.sum(axis=1), 1, rtol=1e-13)
    print(f"{len(x)} digits, {model.n_components} components: agrees with scikit-learn to rounding")

    rng = np.random.default_rng(0)
    many = log_densities(np.resize(x, (50_000, x.shape[1])) + rng.normal(size=(50_000, x.shape[1])), model)
    for name, logsumexp in [("lsecy", lsecy.logsumexp), ("scipy", scipy.special.logsumexp)]:
        seconds = min(timeit.repeat(lambda: logsumexp(many, axis=1), number=3, repeat=7)) / 3  # noqa: B023
        print(f"log-likelihood of {len(many)} rows with {name}: {1e3 * seconds:8.3f} ms")

    draw(output, pca, model, digits, labels, log_likelihood, responsibilities)
    print(f"picture: {output}")


if __name__ == "__main__":
    main()
