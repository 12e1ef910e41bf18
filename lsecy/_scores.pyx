# cython: boundscheck=False, wraparound=False
"""What logits say about a row: log-probabilities of chosen or of the largest elements, entropies."""

import operator

import numpy as np

cimport numpy as cnp
from lsecy cimport _arguments, _drivers
from lsecy._arguments cimport Call
from lsecy._drivers cimport DIVERGENCE, ENTROPY, Scoring, no_scoring

cnp.import_array()


def token_logprobs(logits, ids, axis=-1, *, scale=1.0, ignore_index=None, return_lse=False, return_greedy=False,
                   return_rank=False, out=None):
    """
    Log-probabilities of chosen tokens, without an array of the size of the vocabulary.

    The elements of ``log_softmax(scale * logits, axis)`` that `ids` names, from one read of each row.

    Parameters
    ----------
    logits : array_like
        Unnormalised log-probabilities: float32, float64, float16 or bfloat16, or integers and booleans,
        which count as float64.  Any shape and memory layout; never copied as a whole, so it may be a
        memory-mapped file.  What the mask of a masked array hides has no part in the row.
    ids : array_like of int
        Indices along `axis`, one for each row (the shape of `logits` without `axis`) or K of them (the same
        with one more axis at the end).  What the mask of a masked array hides is ignored.
    axis : int, default -1
        The axis of the vocabulary.
    scale : float, default 1.0
        Factor of `logits`, as an inverse temperature.
    ignore_index : int, optional
        An id that stands for none; it need not be in range.
    return_lse : bool, default False
        Return the logarithm of each row's sum as well: ``logsumexp(logits, axis, scale=scale)``.
    return_greedy : bool, default False
        Return whether each id is the one that greedy decoding takes: its rank is 0.
    return_rank : bool, default False
        Return each id's place among its row's elements, from the largest on and of equals from the lowest
        index on; 0 is the largest.
    out : ndarray, optional
        Array for the log-probabilities, of their very shape and dtype.

    Returns
    -------
    logprobs : ndarray or NumPy scalar
        Shape of `ids`, dtype of `logits` (float64 for integers).  0 where the id is ignored, -inf where the
        element is -inf or hidden, NaN where ``log_softmax`` has it.
    lse : ndarray or NumPy scalar
        Only with `return_lse`: one for each row.
    greedy : ndarray of bool or NumPy scalar
        Only with `return_greedy`: shape of `ids`.  False where the id is ignored or the log-probability NaN.
    rank : ndarray of int64 or NumPy scalar
        Only with `return_rank`: shape of `ids`.  -1 where the id is ignored or the log-probability NaN.

    Raises
    ------
    TypeError
        If `logits` are complex, longdouble, of objects, strings or dates, or a lazy array, `ids` are no
        integers, `axis` or `ignore_index` no int, `scale` not a real number, or `out` no array or of another
        dtype.
    ValueError
        If `ids` has another shape, or `out` has or is read-only.
    IndexError
        If an id is out of range.  It says which, and nothing is written.
    numpy.exceptions.AxisError
        If `axis` is out of range.

    See Also
    --------
    topk_logprobs : Log-probabilities of the largest elements.
    cross_entropy : Their negative mean, a loss.
    log_softmax : Log-probabilities of all elements.

    Notes
    -----
    The error is at most 1.25 ulp in float32 and 1.5 ulp in float64, also where the probability is next to 1.
    The same row gives the same bits in any layout, at any place in a batch and with any number of threads.
    A row whose ids are all ignored is not read.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import token_logprobs
    >>> logits = np.array([[0.0, 1.0, 2.0], [5.0, 5.0, -np.inf]])
    >>> token_logprobs(logits, [2, 0])
    array([-0.40760596, -0.69314718])
    >>> logprobs, greedy, rank = token_logprobs(logits, [[2, 0], [1, 2]], return_greedy=True, return_rank=True)
    >>> logprobs
    array([[-0.40760596, -2.40760596],
           [-0.69314718,        -inf]])
    >>> greedy
    array([[ True, False],
           [False, False]])
    >>> rank
    array([[0, 2],
           [1, 2]])
    """
    cdef Call asked = _arguments.scores("token_logprobs", "logits", logits, axis, True, False, None, scale)
    cdef Scoring scoring = no_scoring()
    cdef bint ranked = bool(return_rank), marked = bool(return_greedy)
    cdef object rows = asked.shape
    ids = _arguments.as_ids("token_logprobs", "ids", ids, rows, asked.problem.n, ignore_index, True)
    asked.shape = (<object> ids).shape
    _arguments.check_output(asked, out)
    values = np.zeros(asked.shape)
    lse = np.full(rows, -np.inf, element_of(asked)) if return_lse else None
    ranks = np.full(asked.shape, -1, np.int64) if ranked or marked else None
    scoring.k = ids.shape[len(rows)] if ids.ndim > len(rows) else 1
    scoring.ids = <cnp.int64_t *> data_of(ids)
    scoring.values = <double *> data_of(values)
    scoring.lse = data_of(lse)
    scoring.ranks = <cnp.int64_t *> data_of(ranks)
    scoring.only_first = not ranked
    _drivers.score(&asked.problem, &scoring)
    results = [_arguments.as_result(asked, values, out)]
    if return_lse:
        results.append(_arguments.as_result(asked, lse, None))
    if marked:
        results.append((ranks == 0)[()])
    if ranked:
        results.append(ranks[()])
    return tuple(results) if len(results) > 1 else results[0]


def topk_logprobs(logits, k, axis=-1, *, scale=1.0):
    """
    The largest log-probabilities of each row and their indices, sorted.

    Parameters
    ----------
    logits : array_like
        As for `token_logprobs`.
    k : int
        How many, from 0 to the length of `axis`.
    axis : int, default -1
        The axis of the vocabulary.
    scale : float, default 1.0
        Factor of `logits`, as an inverse temperature.

    Returns
    -------
    logprobs : ndarray
        Shape of `logits` with k in place of the length of `axis`, dtype of `logits` (float64 for integers):
        along `axis` from the largest on.
    ids : ndarray of int64
        Their indices; of equals the lower one comes first.

    Raises
    ------
    TypeError, numpy.exceptions.AxisError
        As `token_logprobs` does, and if `k` is no int.
    ValueError
        If `k` is negative or larger than the length of `axis`.

    See Also
    --------
    token_logprobs : Log-probabilities of chosen elements.

    Notes
    -----
    The log-probabilities have the very bits of ``token_logprobs(logits, ids)``.
    An element that is NaN makes the log-probabilities of its row NaN, and is itself counted as the lowest.

    Examples
    --------
    >>> from lsecy import topk_logprobs
    >>> logprobs, ids = topk_logprobs([0.0, 2.0, 1.0, 2.0], 3)
    >>> logprobs
    array([-0.9175758, -0.9175758, -1.9175758])
    >>> ids
    array([1, 3, 2])
    """
    cdef Call asked = _arguments.scores("topk_logprobs", "logits", logits, axis, True, False, None, scale)
    cdef Scoring scoring = no_scoring()
    cdef object rows = asked.shape
    try:
        number = operator.index(k)
    except TypeError:
        raise TypeError(f"topk_logprobs: k must be an int, not {k!r}") from None
    if not 0 <= number <= asked.problem.n:
        raise ValueError(f"topk_logprobs: k is {number}; allowed are 0 to {asked.problem.n}, the length of axis {axis}")
    asked.shape = (*rows, number)
    values = np.zeros(asked.shape)
    ids = np.zeros(asked.shape, np.int64)
    scoring.k = number
    scoring.search = True
    scoring.ids = <cnp.int64_t *> data_of(ids)
    scoring.values = <double *> data_of(values)
    if number > 0:
        _drivers.score(&asked.problem, &scoring)
    values = _arguments.as_result(asked, values, None)
    return np.moveaxis(values, -1, axis), np.moveaxis(ids, -1, axis)


def entropy(logits, axis=-1, *, keepdims=False, where=None, scale=1.0, out=None):
    """
    Entropy of the distributions ``softmax(scale * logits)``, in nats.

    Parameters
    ----------
    logits : array_like
        As for `token_logprobs`.
    axis : None, int or tuple of int, default -1
        Axes of one distribution; None means all of them.
    keepdims : bool, default False
        Leave these axes in the result with length one.
    where : array_like of bool, optional
        Where it is false an element has no part in the distribution.  The mask of a masked array does the
        same.
    scale : float, default 1.0
        Factor of `logits`, as an inverse temperature.
    out : ndarray, optional
        Array for the result, of its very shape and dtype.

    Returns
    -------
    ndarray or NumPy scalar
        ``-sum(p * log(p))`` with ``0 * log(0) = 0``; shape of `logits` without `axis`, dtype of `logits`
        (float64 for integers).  NaN where `softmax` is: beside a NaN or +inf, or where nothing is above -inf.

    Raises
    ------
    TypeError
        If `logits` are complex, longdouble, of objects, strings or dates, or a lazy array, `where` is not
        boolean, `scale` not a real number, or `out` no array or of another dtype.
    ValueError
        If `where` does not broadcast, `out` has another shape or is read-only, or an axis is named twice.
    numpy.exceptions.AxisError
        If an axis is out of range.

    See Also
    --------
    kl_divergence : Relative entropy of two such distributions.

    Notes
    -----
    No term of the sum is negative, so the error stays within a few ulp also where one probability is next to
    1 and the entropy next to 0.

    Examples
    --------
    >>> from lsecy import entropy
    >>> round(float(entropy([0.0, 0.0, 0.0, 0.0])), 6)
    1.386294
    >>> float(entropy([0.0, -40.0]))
    1.7418252446695514e-16
    """
    cdef Call asked = _arguments.scores("entropy", "logits", logits, axis, False, keepdims, where, scale)
    cdef Scoring scoring = no_scoring()
    _arguments.check_output(asked, out)
    scoring.summary = ENTROPY
    return summary(asked, &scoring, out)


def kl_divergence(logits, other, axis=-1, *, keepdims=False, where=None, scale=1.0, out=None):
    """
    Kullback-Leibler divergence of two distributions given by their logits, in nats.

    Parameters
    ----------
    logits : array_like
        Logits of the distribution p over which the mean is taken; as for `token_logprobs`.
    other : array_like
        Logits of the distribution q that p is compared with; the two broadcast against each other.
    axis, keepdims, where, scale, out : as for `entropy`
        The same arguments with the same meaning; `where` and `scale` hold for both.

    Returns
    -------
    ndarray or NumPy scalar
        ``sum(p * log(p / q))`` with ``0 * log(0) = 0``; shape of the two without `axis`, dtype as NumPy
        promotes them.  inf where p is not 0 and q is; NaN where one of the distributions is undefined.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As `entropy` does, and if the two do not broadcast.

    See Also
    --------
    entropy : Entropy of one distribution.

    Notes
    -----
    ``log(p / q)`` is taken from the logits and two sums, with all its digits.
    Where p and q are so close that the terms cancel, or small, the row is looked at again and
    ``p * log(p / q) + q - p`` is added up, of which no term is negative [1]_.

    References
    ----------
    .. [1] J. Schulman, "Approximating KL Divergence", http://joschu.net/blog/kl-approx.html, 2020

    Examples
    --------
    >>> from lsecy import kl_divergence
    >>> round(float(kl_divergence([0.0, 0.0], [0.0, 1e-5])), 20)
    1.25e-11
    """
    cdef Call asked
    cdef Call beside
    cdef Scoring scoring = no_scoring()
    asked, beside = _arguments.pair_of_scores(
        "kl_divergence", "logits", logits, "other", other, axis, False, keepdims, where, scale, scale, True)
    _arguments.check_output(asked, out)
    scoring.summary = DIVERGENCE
    scoring.other = &beside.problem
    return summary(asked, &scoring, out)


cdef object summary(Call asked, Scoring *scoring, out):
    # One number for each row.
    totals = np.full(asked.shape, np.nan)
    scoring.totals = <double *> data_of(totals)
    _drivers.score(&asked.problem, scoring)
    return _arguments.as_result(asked, totals, out)


cdef object element_of(Call asked):
    return np.float64 if asked.problem.bits == 64 else np.float32


cdef void *data_of(array) noexcept:
    return NULL if array is None else cnp.PyArray_DATA(<cnp.ndarray> array)
