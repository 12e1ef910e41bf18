"""Vowels and consonants: how likely lines of text are under a hidden Markov model of their letters.

Two states that are fitted to a text, letter by letter, turn out to be the vowels and the consonants, though
nothing tells the model of either (Cave and Neuwirth 1980, "Hidden Markov models for English").  The forward
pass holds log p(letters so far, state) for each state, and takes in one letter at a time:

    forward'[j] = log emission[j, letter] + log of the sum over i of exp(forward[i] + log transition[i, j])

All lines walk together, so that a place in the line is one call, whatever the number of lines.
hmmlearn fits the model here, and its own forward pass is the check.
"""

import argparse
import re
import textwrap
import timeit
from pydoc_data.topics import topics

import numpy as np
from hmmlearn.hmm import CategoricalHMM

import lsecy

LETTERS = " abcdefghijklmnopqrstuvwxyz"
END = len(LETTERS)  # what a line shows when it is over


def as_numbers(text):
    """Return the place of each character in LETTERS."""
    return (np.frombuffer(text.encode(), np.uint8) & 31).astype(np.int64)


def side_by_side(letters, lengths):
    """Return a table with a line in each column, filled up with END."""
    table = np.full((lengths.max(), len(lengths)), END)
    places = np.arange(len(letters)) - np.repeat(lengths.cumsum() - lengths, lengths)
    table[places, np.repeat(np.arange(len(lengths)), lengths)] = letters
    return table


def log_likelihoods(model, table):
    """Return the log-likelihood of each column."""
    with np.errstate(divide="ignore"):  # the logarithm of what never happens is -inf
        start, transition, emission = map(np.log, (model.startprob_, model.transmat_, model.emissionprob_))
    # END is certain in every state, which leaves the likelihood of a line as it is.
    emission = np.column_stack([emission, np.zeros(len(emission))])
    forward = start[:, None] + emission.take(table[0], axis=1)
    for letters in table[1:]:
        # Axes: the next state, the state before, the line.
        forward = lsecy.logsumexp(transition.T[:, :, None] + forward, axis=1)
        forward += emission.take(letters, axis=1)
    return lsecy.logsumexp(forward, axis=0)


def main():
    """Fit, check against hmmlearn, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--letters", type=int, default=20_000, help="number of letters to fit to")
    n_fitted = parser.parse_args().letters

    text = re.sub("[^a-z]+", " ", " ".join(topics[name] for name in sorted(topics)).lower())
    model = CategoricalHMM(2, n_features=len(LETTERS), n_iter=100, tol=0.1, random_state=0)
    model.fit(as_numbers(text[:n_fitted])[:, None])
    model.startprob_ = model.get_stationary_distribution()  # a line may begin anywhere
    for state, emission in enumerate(model.emissionprob_):
        often = [LETTERS[letter] for letter in np.argsort(-emission) if emission[letter] > 0.02]
        print(f"state {state} writes", ", ".join(letter if letter > " " else "the space" for letter in often))

    lines = textwrap.wrap(text[n_fitted:], 72)
    lengths = np.array([len(line) for line in lines])
    letters = as_numbers("".join(lines))
    table = side_by_side(letters, lengths)
    found = log_likelihoods(model, table)
    np.testing.assert_allclose(found.sum(), model.score(letters[:, None], lengths), rtol=1e-12)
    for line, value in zip(lines[:100], found[:100], strict=True):
        np.testing.assert_allclose(value, model.score(as_numbers(line)[:, None]), rtol=1e-12)
    print(f"log-likelihood of {len(lines)} lines: {found.sum():.4f}, agrees with hmmlearn to rounding")
    print("the least likely for its length:", lines[np.argmin(found / lengths)])

    def by_hmmlearn(implementation):
        return model.set_params(implementation=implementation).score(letters[:, None], lengths)

    ways = {
        "lsecy": lambda: log_likelihoods(model, table),
        "hmmlearn, in logarithms": lambda: by_hmmlearn("log"),
        "hmmlearn, in scaled probabilities": lambda: by_hmmlearn("scaling"),
    }
    for name, way in ways.items():
        seconds = min(timeit.repeat(way, number=1, repeat=5))
        print(f"forward pass over {len(letters)} letters with {name}: {1e3 * seconds:8.1f} ms")


if __name__ == "__main__":
    main()
