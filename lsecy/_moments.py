"""What takes two looks at one thing: the variance of exponentials, and what is asked of log-weights."""

import itertools
import numbers

import numpy as np

from lsecy import _reductions
from lsecy._maps import log_softmax
from lsecy._states import LogSumExp, _rebuilt
from lsecy._ufuncs import logsubexp, signed_logsubexp

_BLOCK = (
    1 << 16
)  # elements of the second read that are looked at together, unless a cut across `axis` has more


def logvarexp(a, axis=None, b=None, keepdims=False, *, ddof=0, where=None, out=None, dtype=None):
    """
    Logarithm of the variance of exponentials, ``log(var(exp(a)))``, safe from overflow.

    Parameters
    ----------
    a : array_like
        Exponents, of the real dtypes that `logsumexp` takes; any shape and memory layout.
    axis : None, int or tuple of int, default None
        Axes along which the variance is taken; None means all of them.
    b : array_like, optional
        Weights that are not negative; an element of weight 0 is dropped.
    keepdims : bool, default False
        Leave the axes in the result with length one.
    ddof : float, default 0
        Taken from the sum of the weights, or from the number of elements, before dividing by it.
    where : array_like of bool, optional
        Where it is false an element is dropped.  The mask of a masked array does the same.
    out : ndarray, optional
        Array for the result, of its very shape and dtype.
    dtype : dtype, optional
        Of the result: a floating dtype.

    Returns
    -------
    ndarray or NumPy scalar
        ``log(sum(b * (exp(a) - mean)**2) / (sum(b) - ddof))`` with the weighted `mean` of ``exp(a)``; shape
        and dtype as those of `logmeanexp`.  -inf where all that is kept is equal; NaN where nothing is kept,
        where a kept `a` is NaN or +inf, and where ``sum(b) - ddof`` is not positive.

    Raises
    ------
    TypeError
        As `logsumexp`, for complex numbers and longdouble, and for a `ddof` that is not a real number.
    ValueError
        As `logsumexp`, and if `b` is negative where it counts.
    numpy.exceptions.AxisError
        If an axis is out of range.

    See Also
    --------
    logmeanexp : The logarithm of the mean.

    Notes
    -----
    `a` is read twice: for the mean, and for the squares of ``exp(a) - mean``, whose own mean is taken from
    them: so what rounding took from the mean does not count [1]_.
    The second read is by blocks of some 65,000 elements, each of which goes through temporaries.
    The error is at most 4 eps times the largest of 1, the result's size and the largest magnitude in `a`.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance: analysis
       and recommendations", The American Statistician 37 (1983), 242-247, equation 1.7.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import logvarexp
    >>> float(np.exp(logvarexp(np.log([1.0, 2.0, 3.0, 4.0])))).__round__(12)
    1.25
    >>> float(logvarexp([1000.0, 1001.0])).__round__(9)
    1999.696355348
    """
    if not isinstance(ddof, numbers.Real):
        raise TypeError(f"logvarexp: ddof must be one real number, not {ddof!r}")
    held, kind = _reductions.fold("logvarexp", a, axis, b, keepdims, where, 1.0, dtype)
    a, b, where = _operands(a, b, where, kind)
    _refuse_negative(b, where)
    _check_out("logvarexp", out, held.shape[:-2], kind)
    first = _rebuilt(LogSumExp, held, np.dtype(np.float64), None)
    mean, whole = first.mean(), first._answers(slice(2, 4), True)[0]
    squares, sums = _about_mean(a, b, where, axis, np.reshape(mean, -1))
    with np.errstate(all="ignore"):
        squares, sums = (np.reshape(x, np.shape(mean)) for x in (squares, sums))
        excess = 2 * sums - whole
        # Where rounding alone tells the two apart, all is equal.
        nothing = squares - excess < 1e-13 * np.maximum(1, np.abs(excess))
        spread = np.where(nothing, np.where(np.isnan(mean), np.nan, -np.inf), logsubexp(squares, excess))
        value = spread - (whole if ddof == 0 else np.log(np.exp(whole) - ddof))
        value = np.where(np.isfinite(mean) | (mean == -np.inf), value, np.nan)
    return _delivered(value, kind, out)


def normalize_logweights(a, axis=None, *, where=None, out=None, dtype=None):
    """
    Normalise log-weights, so that their exponentials sum to 1, and return the logarithm of their sum.

    Parameters
    ----------
    a : array_like
        Logarithms of weights, of the dtypes that `logsumexp` takes; any shape and memory layout.
    axis : None, int or tuple of int, default None
        Axes over which the weights sum to 1; None means all of them.
    where : array_like of bool, optional
        Where it is false an element is dropped.  The mask of a masked array does the same.
    out : ndarray, optional
        Array for the normalised log-weights, of their very shape and dtype.  It may be `a` itself.
    dtype : dtype, optional
        Of both results: a floating dtype.

    Returns
    -------
    logw : ndarray or NumPy scalar
        ``a - log_total``, as `log_softmax` has it, with all digits also next to 0; -inf for what is dropped.
    log_total : ndarray or NumPy scalar
        ``log(sum(exp(a)))``, as `logsumexp` has it, without `axis`.

    Raises
    ------
    TypeError
        As `log_softmax`, and for complex numbers and longdouble.
    ValueError, numpy.exceptions.AxisError
        As `log_softmax`.

    See Also
    --------
    log_ess : How many equal weights they are worth.

    Examples
    --------
    >>> from lsecy import normalize_logweights
    >>> logw, log_total = normalize_logweights([-1000.0, -1000.0, -1040.0])
    >>> logw
    array([ -0.69314718,  -0.69314718, -40.69314718])
    >>> round(float(log_total), 6)
    -999.306853
    """
    held, kind = _reductions.fold("normalize_logweights", a, axis, None, False, where, 1.0, dtype)
    _check_out("normalize_logweights", out, _shape_of(a, where), kind)
    log_total = _rebuilt(LogSumExp, held, None, kind).result()
    return log_softmax(a, axis, where=where, out=out, dtype=dtype), log_total


def log_ess(a, axis=None, *, keepdims=False, where=None, out=None, dtype=None):
    """
    Logarithm of the effective sample size of log-weights, ``log(sum(w)**2 / sum(w**2))``.

    Parameters
    ----------
    a : array_like
        Logarithms of the weights `w`, normalised or not, of the real dtypes that `logsumexp` takes.
    axis : None, int or tuple of int, default None
        Axes along which the weights lie; None means all of them.
    keepdims : bool, default False
        Leave these axes in the result with length one.
    where : array_like of bool, optional
        Where it is false an element is dropped.  The mask of a masked array does the same.
    out : ndarray, optional
        Array for the result, of its very shape and dtype.
    dtype : dtype, optional
        Of the result: a floating dtype.

    Returns
    -------
    ndarray or NumPy scalar
        From 0, one weight has it all, to the logarithm of the number of weights, all are equal; shape and
        dtype as those of `logsumexp`.  NaN where no weight above 0 is kept, and beside NaN and +inf.

    Raises
    ------
    TypeError
        As `logsumexp`, and for complex numbers and longdouble.
    ValueError
        As `logsumexp`.
    numpy.exceptions.AxisError
        If an axis is out of range.

    See Also
    --------
    normalize_logweights : The weights as shares of their sum.

    Notes
    -----
    ``2 * logsumexp(a) - logsumexp(2 * a)`` [1]_ in two reads, without the digits that this would lose for
    log-weights far from 0: it is the quotient of the two sums whose logarithm is taken.
    The error is at most 4 eps times the larger of 1 and the result.

    References
    ----------
    .. [1] L. Kish, Survey Sampling, Wiley 1965, section 11.2.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import log_ess
    >>> float(np.exp(log_ess(np.full(100, -1000.0)))).__round__(9)
    100.0
    >>> float(log_ess([0.0, -np.inf]))
    0.0
    """
    held, kind = _reductions.fold("log_ess", a, axis, None, keepdims, where, 1.0, dtype)
    _check_out("log_ess", out, held.shape[:-2], kind)
    squared, _ = _reductions.fold("log_ess", a, axis, None, keepdims, where, 2.0, dtype)
    shift, total = _parts(held)
    shift_2, total_2 = _parts(squared)
    with np.errstate(all="ignore"):
        ess = total * total / total_2 * np.exp(2 * shift - shift_2)
        return _delivered(np.maximum(np.log(ess), 0), kind, out)


def _shape_of(a, where):
    return np.broadcast_shapes(np.shape(a), () if where is None else np.shape(where))


def _parts(held):
    # Sums as total * exp(shift), from their careful states; the total is NaN where that is not positive.
    shift, high, low, rest, _ = np.moveaxis(held[..., 1, :], -1, 0)
    return np.where(np.isfinite(shift), shift, 0), np.where(np.isfinite(shift), high + (low + rest), np.nan)


def _operands(a, b, where, kind):
    # Arrays, and the masks of masked ones in `where`.  A Python number has the type in which `a` is computed.
    weak = type(b) in (float, int, bool)
    for x in (a, b):
        if isinstance(x, np.ma.MaskedArray):
            kept = ~np.ma.getmaskarray(x)
            where = kept if where is None else np.logical_and(where, kept)
    a, b = (None if x is None else np.asarray(np.ma.getdata(x)) for x in (a, b))
    if weak and kind != np.float64 and a.itemsize < 8 and a.dtype.kind not in "biu":
        b = b.astype(np.float32)
    return a, b, None if where is None else np.asarray(where)


def _refuse_negative(b, where):
    if b is None:
        return
    with np.errstate(all="ignore"):
        negative = b < 0 if where is None else np.logical_and(b < 0, where)
    if negative.any():
        seen = np.broadcast_to(b, negative.shape)[negative].flat[0]
        raise ValueError(f"logvarexp: b holds {seen}; the weights of a variance must not be negative")


def _about_mean(a, b, where, axis, mean):
    # log(sum(b d**2)) and log|sum(b d)|, d = exp(a) - exp(mean), block by block.
    operands = [x for x in (a, b, where) if x is not None]
    shape = np.broadcast_shapes(*(x.shape for x in operands))
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = sorted(k % len(shape) for k in axes) if shape else []
    n_axes = len(axes)

    def cut(x, place):
        return np.moveaxis(np.broadcast_to(x, shape), axes, range(n_axes))[place]

    kept = [n for k, n in enumerate(shape) if k not in axes]
    mean = mean.reshape(kept)
    squares, sums = LogSumExp(tuple(kept), np.float64), LogSumExp(tuple(kept), np.float64)
    for place in _blocks([shape[k] for k in axes], mean.size):
        left = tuple(range(n_axes - len(place) + 1 if place else 0))
        keep = True if where is None else cut(where, place)
        weights = np.float64(1) if b is None else cut(b, place).astype(np.float64)
        with np.errstate(all="ignore"):
            d, sign = signed_logsubexp(cut(a, place).astype(np.float64), mean)
            squares.update(d, left, weights, keep, scale=2.0)
            sums.update(d, left, np.where(weights == 0, 0, weights * sign), keep)
    return squares.result(), sums.result(True)[0]


def _blocks(lengths, across):
    # Indices into the reduced axes: whole numbers for the first, then a slice.
    size = across
    k = len(lengths)
    while k > 1 and size * lengths[k - 1] <= _BLOCK:
        k -= 1
        size *= lengths[k]
    if k == 0:
        yield ()
        return
    step = max(1, _BLOCK // max(1, size))
    for first in itertools.product(*(range(n) for n in lengths[: k - 1])):
        for start in range(0, lengths[k - 1], step):
            yield (*first, slice(start, start + step))


def _check_out(function, out, shape, kind):
    if out is None:
        return
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{function}: out must be a NumPy array, not {type(out).__name__}")
    if out.dtype != kind:
        raise TypeError(f"{function}: out has dtype {out.dtype}; the result has dtype {kind}")
    if out.shape != shape:
        raise ValueError(f"{function}: out has shape {out.shape}; the result has shape {shape}")
    if not out.flags.writeable:
        raise ValueError(f"{function}: out is read-only")


def _delivered(value, kind, out):
    with np.errstate(all="ignore"):
        if out is not None:
            np.copyto(out, value, casting="unsafe")
            return out
        return np.asarray(value).astype(kind)[()]
