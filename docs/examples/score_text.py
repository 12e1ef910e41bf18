"""The words of a text, scored from a file of logits: as language models are evaluated.

A model has written a row of float16 logits for every word of a text: what it expected there, of all the words
that it knows.  The log-probability of the word that came, whether it was the model's first choice, and the
perplexity of the text are read from the mapped file, and no array of its size is made.

Here the model counts pairs of words in most topics of Python's help, and scores the other topics.
"""

import argparse
import itertools
import re
import tempfile
import timeit
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import scipy.special

import lsecy

UNKNOWN = 0  # stands for all words that the model never saw; they are not scored
TRUST = 5.0  # the frequencies of single words weigh as much as so many pairs


def read(every):
    """Return the words that the model learns from, and those of the text."""
    words = [re.findall("[a-z]+", topics[name].lower()) for name in sorted(topics)]
    learnt = [word for place, topic in enumerate(words) if place % every for word in topic]
    return learnt, [word for topic in words[::every] for word in topic]


def write(path, learnt, ids, size):
    """Write a row of logits after each of `ids` but the last: log(count of the pair + TRUST * frequency)."""
    counts = np.bincount(learnt, minlength=size) + 1
    alone = TRUST * counts / counts.sum()
    pairs = defaultdict(Counter)
    for before, word in itertools.pairwise(learnt):
        pairs[before][word] += 1
    logits = np.lib.format.open_memmap(path, "w+", np.float16, (len(ids) - 1, size))
    logits[...] = np.log(alone)
    for row, before in zip(logits, ids[:-1], strict=True):
        seen = list(pairs[before])
        row[seen] = np.log(alone[seen] + list(pairs[before].values()))


def by_lsecy(logits, ids):
    """Return the log-probability of each id, and whether it is the first choice; 0 and False if unknown."""
    return lsecy.token_logprobs(logits, ids, ignore_index=UNKNOWN, return_greedy=True)


def by_scipy(logits, ids, rows=256):
    """Return the same from the definition, in float64 and some rows at a time."""
    logprobs, greedy = [], []
    for start in range(0, len(ids), rows):
        chosen = ids[start : start + rows]
        every = scipy.special.log_softmax(logits[start : start + rows].astype(np.float64), axis=1)
        logprobs.append(np.take_along_axis(every, chosen[:, None], axis=1)[:, 0])
        greedy.append(every.argmax(axis=1) == chosen)
    known = ids != UNKNOWN
    return np.where(known, np.concatenate(logprobs), 0), np.concatenate(greedy) & known


def main():
    """Write logits, score the text, check against SciPy, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=10, help="one topic of so many is scored")
    parser.add_argument("--folder", help="where the file is written (and removed)")
    options = parser.parse_args()

    learnt, text = read(options.every)
    vocabulary = {word: number for number, word in enumerate(sorted(set(learnt)), UNKNOWN + 1)}
    ids = np.array([vocabulary.get(word, UNKNOWN) for word in text])
    size = len(vocabulary) + 1

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "logits.npy"
        write(path, [vocabulary[word] for word in learnt], ids.tolist(), size)
        logits, came = np.load(path, mmap_mode="r"), ids[1:]
        logprobs, greedy = by_lsecy(logits, came)
        perplexity = lsecy.perplexity(logits, came, ignore_index=UNKNOWN)
        n_known = np.count_nonzero(came != UNKNOWN)
        megabytes, right = logits.nbytes / 2**20, greedy.sum() / n_known
        print(f"{len(came)} words, {n_known} of them known; {megabytes:.0f} MB of logits for {size} words")
        print(f"perplexity {perplexity:.1f}, and {right:.1%} of the words are the model's first choice")
        shown = [f"{text[place + 1]} {logprobs[place]:.2f}" + "*" * int(greedy[place])
                 for place in np.flatnonzero(came != UNKNOWN)[:8]]  # fmt: skip
        print("the first of them, with first choices marked:", ", ".join(shown))

        exact, exact_greedy = by_scipy(logits, came)
        # Computed in float32, the answers are rounded once more: to the dtype of the logits.
        half = 0.5 * np.finfo(np.float16).eps + 4 * np.finfo(np.float32).eps
        np.testing.assert_allclose(logprobs, exact, rtol=half)
        np.testing.assert_allclose(perplexity, np.exp(-exact.sum() / n_known), rtol=half)
        np.testing.assert_array_equal(greedy, exact_greedy)
        print("agrees with SciPy in float64 to the rounding of float16, and in every first choice")

        for name, way in [("lsecy", by_lsecy), ("scipy", by_scipy)]:
            seconds = min(timeit.repeat(partial(way, logits, came), number=1, repeat=3))
            print(f"log-probabilities and first choices with {name}: {1e3 * seconds:8.1f} ms")
        del logits


if __name__ == "__main__":
    main()
