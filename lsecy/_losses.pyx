# cython: boundscheck=False, wraparound=False
"""Losses from logits, and gradients with respect to the logits."""

import math
import numbers

import numpy as np

cimport numpy as cnp
from lsecy cimport _arguments, _drivers
from lsecy._arguments cimport Call, Problem
from lsecy._drivers cimport LOSSES, Scoring, no_scoring
from lsecy.kernels.table cimport SOFTMAX

cnp.import_array()


def cross_entropy(logits, target, axis=-1, *, weight=None, ignore_index=-100, label_smoothing=0.0, z_loss=0.0,
                  reduction="mean", return_lse=False):
    """
    Cross-entropy of targets under the distributions ``softmax(logits)``, in nats.

    With indices y the loss of a row is ``-weight[y] * log_softmax(logits)[y]``, with probabilities t it is
    ``-sum(weight * t * log_softmax(logits))``; the meaning is that of torch's function of this name [1]_.

    Parameters
    ----------
    logits : array_like
        Unnormalised log-probabilities: float32, float64, float16 or bfloat16, or integers and booleans,
        which count as float64.  Any shape and memory layout; never copied as a whole.  What the mask of a
        masked array hides has no part in the row.
    target : array_like
        Indices of classes, integers of the shape of `logits` without `axis` (what the mask of a masked array
        hides is ignored), or probabilities of classes, floating numbers of the shape of `logits`.
    axis : int, default -1
        The axis of the classes.
    weight : array_like, optional
        A factor for each class.  A class of weight 0 counts for nothing.
    ignore_index : int or None, default -100
        An index that stands for no class; it need not be in range.
    label_smoothing : float, default 0.0
        So large a part of every target, from 0 to 1, is spread equally over all classes [2]_.
    z_loss : float, default 0.0
        ``z_loss * logsumexp(logits)**2`` is added to the loss of each row, unweighted.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" leaves the loss of each row, "sum" adds them up.  "mean" divides the sum by that of the weights
        ``weight[y]`` of the rows that are not ignored, or by the number of rows where targets are
        probabilities; the part of `z_loss` by the number of the rows that are not ignored.
    return_lse : bool, default False
        Return ``logsumexp(logits, axis)`` as well.

    Returns
    -------
    loss : ndarray or NumPy scalar
        A scalar, or with "none" the loss of each row; dtype of `logits` (float64 for integers), or as NumPy
        promotes it and that of probabilities.  0 for a row that is ignored, NaN for the mean of no rows.
    lse : ndarray or NumPy scalar
        Only with `return_lse`: one for each row.

    Raises
    ------
    TypeError
        If `logits` or `target` are complex, longdouble, of objects, strings or dates, or a lazy array, `target`
        is boolean, probabilities are a masked array, or an option is not of its type.
    ValueError
        If `target` or `weight` has another shape, `label_smoothing` lies outside of 0 to 1, `z_loss` is not
        finite, or `reduction` is none of the three.
    IndexError
        If an index is out of range.  It says which.
    numpy.exceptions.AxisError
        If `axis` is out of range.

    See Also
    --------
    cross_entropy_grad : Its gradient.
    perplexity : The exponential of the mean.
    token_logprobs : Log-probabilities of the targets themselves.

    Notes
    -----
    The error of a row is at most 1.25 ulp in float32 and 1.5 ulp in float64 with indices, also where the target's
    probability is next to 1.
    The rows are added up in wider arithmetic.

    References
    ----------
    .. [1] https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    .. [2] C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016,
       https://doi.org/10.1109/CVPR.2016.308

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import cross_entropy
    >>> logits = np.array([[40.0, 0.0], [0.0, 0.0]])
    >>> cross_entropy(logits, [0, 1], reduction="none")
    array([4.24835426e-18, 6.93147181e-01])
    >>> round(float(cross_entropy(logits, [0, -100])), 25)
    4.2483543e-18
    """
    cdef Loss loss = asked_loss("cross_entropy", logits, target, axis, weight, ignore_index, label_smoothing, z_loss,
                                reduction, return_lse)
    _drivers.score(&loss.asked.problem, &loss.scoring)
    result = reduced(loss)
    if return_lse:
        return result, as_rows(loss, loss.lse)
    return result


def cross_entropy_grad(logits, target, axis=-1, *, weight=None, ignore_index=-100, label_smoothing=0.0, z_loss=0.0,
                       reduction="mean", return_loss=False, out=None):
    """
    Gradient of `cross_entropy` with respect to the logits.

    Parameters
    ----------
    logits, target, axis, weight, ignore_index, label_smoothing, z_loss, reduction : as for `cross_entropy`
        The same arguments with the same meaning.  With "none" each row has the gradient of its own loss.
    return_loss : bool, default False
        Return what `cross_entropy` returns as well, from the same look at the rows.
    out : ndarray, optional
        Array for the gradient, of its very shape and dtype.  It may be `logits` itself.

    Returns
    -------
    loss : ndarray or NumPy scalar
        Only with `return_loss`: that of `cross_entropy`.
    grad : ndarray
        Shape of `logits`, dtype of the loss.  0 for a row that is ignored and for one of which nothing is above
        -inf; NaN in a row that holds a NaN or +inf.

    Raises
    ------
    TypeError, ValueError, IndexError, numpy.exceptions.AxisError
        As `cross_entropy` does, and if `out` is no array, has another shape or dtype or is read-only.

    See Also
    --------
    logsumexp_grad : Gradient of the sum alone.

    Notes
    -----
    For one index it is ``softmax(logits) - onehot``, divided as `reduction` says.  Where 1 is subtracted the
    digits come from the log-probability, ``expm1(logprob)``, so that a gradient next to 0 keeps them.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import cross_entropy_grad
    >>> cross_entropy_grad(np.array([[40.0, 0.0], [0.0, 0.0]]), [0, 1], reduction="sum")
    array([[-4.24835426e-18,  4.24835426e-18],
           [ 5.00000000e-01, -5.00000000e-01]])
    """
    cdef Loss loss = asked_loss("cross_entropy_grad", logits, target, axis, weight, ignore_index, label_smoothing,
                                z_loss, reduction, False)
    cdef Problem written
    cdef Call asked = loss.asked
    gradient = _arguments.written_rows(asked, loss.beside, asked.a.shape, axis, out, &written)
    written.vanishing = True    # a row of nothing has no slope
    factors = factors_of(loss)
    loss.scoring.written = &written
    loss.scoring.out = data_of(gradient)
    loss.scoring.factors = <double *> data_of(factors)
    _drivers.score(&asked.problem, &loss.scoring)
    gradient = _arguments.as_result(asked, gradient, out)
    return (reduced(loss), gradient) if return_loss else gradient


def perplexity(logits, target, axis=-1, *, ignore_index=-100):
    """
    Perplexity of a text: the exponential of its mean cross-entropy.

    Parameters
    ----------
    logits, target, axis, ignore_index : as for `cross_entropy`
        The same arguments with the same meaning.

    Returns
    -------
    NumPy scalar
        ``exp(cross_entropy(logits, target))`` over all rows that are not ignored, rounded once; NaN where there
        are none.

    Raises
    ------
    TypeError, ValueError, IndexError, numpy.exceptions.AxisError
        As `cross_entropy` does.

    See Also
    --------
    cross_entropy : The mean itself.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import perplexity
    >>> round(float(perplexity(np.zeros((3, 50)), [7, 0, 49])), 10)
    50.0
    """
    cdef Loss loss = asked_loss("perplexity", logits, target, axis, None, ignore_index, 0.0, 0.0, "mean", False)
    _drivers.score(&loss.asked.problem, &loss.scoring)
    with np.errstate(all="ignore"):
        return as_scalar(loss, np.exp(reduced_wide(loss)))


def logsumexp_grad(a, axis=None, *, b=None, where=None, logb=None, scale=1.0, out=None, dtype=None):
    """
    Gradient of `logsumexp` with respect to its exponents.

    Parameters
    ----------
    a, axis, b, where, logb, scale, out, dtype : as for `softmax`
        The same arguments with the same meaning; complex numbers and longdouble are refused.

    Returns
    -------
    ndarray or NumPy scalar
        ``scale * softmax(scale * a)``, but 0, not NaN, where all that is kept is -inf, for there a sum of zero
        stays one.  Shape and dtype of the result of `softmax`.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As `softmax` does.

    See Also
    --------
    cross_entropy_grad : Gradient of a loss.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import logsumexp_grad
    >>> logsumexp_grad([[0.0, 0.0], [-np.inf, -np.inf]], axis=1)
    array([[0.5, 0.5],
           [0. , 0. ]])
    """
    cdef Call asked = _arguments.mapping("logsumexp_grad", a, axis, b, where, logb, scale, out, dtype, "a")
    if asked.general:
        raise TypeError(
            "logsumexp_grad: an operand is complex or longdouble; allowed are float16, bfloat16, float32, float64, "
            "integer and boolean dtypes")
    asked.problem.vanishing = True
    target = asked.target
    _drivers.map_rows(&asked.problem, SOFTMAX, data_of(target))
    if asked.problem.scale != 1:
        with np.errstate(all="ignore"):
            np.multiply(target, asked.problem.scale, out=target, casting="unsafe")
    return _arguments.as_result(asked, target, out)


# What is asked of a loss, and what becomes of it.
cdef class Loss:
    cdef Call asked
    cdef Call beside         # the probabilities
    cdef Scoring scoring
    cdef double z_loss
    cdef tuple rows          # their shape
    cdef object type
    cdef str reduction
    cdef object ids          # None with probabilities
    cdef object weight       # doubles, or None
    cdef object values       # log-probabilities of the ids
    cdef object chosen       # the weight of each id, 0 where it is ignored
    cdef object kept         # which rows are not ignored; None: all
    cdef object totals
    cdef object masses
    cdef object lse


cdef Loss asked_loss(str function, logits, target, axis, weight, ignore_index, label_smoothing, z_loss, reduction,
                     need_lse):
    cdef Loss loss = Loss.__new__(Loss)
    cdef Scoring *scoring = &loss.scoring
    cdef Py_ssize_t n
    scoring[0] = no_scoring()
    loss.reduction = one_of_three(function, reduction)
    smoothing = real_number(function, "label_smoothing", label_smoothing)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"{function}: label_smoothing is {smoothing!r}; allowed are 0 to 1")
    loss.z_loss = real_number(function, "z_loss", z_loss)
    wanted = target if isinstance(target, np.ndarray) else _arguments.as_array(function, "target", target)
    if wanted.dtype.kind in "iu" or wanted.size == 0 or wanted.dtype == np.bool_:
        loss.asked = _arguments.scores(function, "logits", logits, axis, True, False, None, 1.0)
        loss.rows = loss.asked.shape
        n = loss.asked.problem.n
        loss.ids = _arguments.as_ids(function, "target", target, loss.rows, n, ignore_index, False)
    else:
        if isinstance(target, np.ma.MaskedArray):
            raise TypeError(f"{function}: target is a masked array of {wanted.dtype}; a mask of probabilities has no "
                            f"meaning: give zeros")
        shape = np.shape(logits)
        if wanted.shape != shape:
            raise ValueError(f"{function}: target of dtype {wanted.dtype} has shape {wanted.shape}; probabilities have "
                             f"the shape of logits, {shape}, and indices of classes are integers")
        loss.asked, loss.beside = _arguments.pair_of_scores(
            function, "logits", logits, "target", wanted, axis, True, False, None, 1.0, 1.0, False)
        loss.rows = loss.asked.shape
        n = loss.asked.problem.n
        scoring.other = &loss.beside.problem
    loss.type = loss.asked.type
    loss.weight = weight_of_classes(function, weight, n)
    scoring.alpha = 1 - smoothing
    scoring.beta = smoothing / n if n else 0
    scoring.weight = <double *> data_of(loss.weight)
    if need_lse or loss.z_loss != 0:
        loss.lse = np.full(loss.rows, -np.inf, np.float64 if loss.asked.problem.bits == 64 else np.float32)
        scoring.lse = data_of(loss.lse)
    if loss.ids is not None:
        choose(loss)
    if loss.ids is None or smoothing > 0:
        loss.totals = np.zeros(loss.rows)
        loss.masses = np.zeros(loss.rows)
        scoring.summary = LOSSES
        scoring.totals = <double *> data_of(loss.totals)
        scoring.masses = <double *> data_of(loss.masses)
    return loss


cdef int choose(Loss loss) except -1:
    # One element of each row.
    ids = loss.ids
    if ids.size and ids.min() < 0:
        loss.kept = np.asarray(ids >= 0)
    loss.values = np.zeros(loss.rows)
    if loss.weight is None:
        loss.chosen = np.full(loss.rows, loss.scoring.alpha)
    else:
        loss.chosen = np.asarray(loss.scoring.alpha * loss.weight.take(ids, mode="clip"))
    if loss.kept is not None:
        loss.chosen[~loss.kept] = 0
    loss.scoring.k = 1
    loss.scoring.ids = <cnp.int64_t *> data_of(ids)
    loss.scoring.values = <double *> data_of(loss.values)
    loss.scoring.chosen = <double *> data_of(loss.chosen)
    return 0


cdef tuple divisors(Loss loss):
    # Of the losses, and of what z_loss adds.
    if loss.reduction != "mean":
        return 1.0, 1.0
    rows = math.prod(loss.rows)
    count = float(rows if loss.kept is None else np.count_nonzero(loss.kept))
    if loss.ids is None or loss.weight is None:
        return count, count
    weights = loss.weight.take(loss.ids, mode="clip")
    return float(np.sum(weights if loss.kept is None else weights[loss.kept])), count


cdef object factors_of(Loss loss):
    # Of the gradient of each row; the factor of z_loss is counted from it.
    whole, count = divisors(loss)
    factor = 1 / whole if whole else math.nan
    loss.scoring.z_loss = loss.z_loss * whole / count if count and whole else loss.z_loss
    factors = np.full(loss.rows, factor)
    if loss.kept is not None:
        factors[~loss.kept] = 0
    return factors


cdef object reduced_wide(Loss loss):
    # In double, or the type that is wider still where there is one.
    with np.errstate(all="ignore"):
        losses = np.zeros(loss.rows) if loss.totals is None else loss.totals
        if loss.ids is not None:
            counts = loss.chosen != 0
            if loss.totals is not None and loss.kept is not None:
                losses[~loss.kept] = 0
            losses = losses - np.multiply(loss.chosen, loss.values, out=np.zeros(loss.rows), where=counts)
        pulls = None
        if loss.z_loss != 0:
            pulls = loss.z_loss * np.square(loss.lse, dtype=np.float64)
            if loss.kept is not None:
                pulls = np.where(loss.kept, pulls, 0)
        if loss.reduction == "none":
            return losses if pulls is None else losses + pulls
        whole, count = divisors(loss)
        total = np.sum(losses, dtype=np.longdouble)
        if loss.reduction == "mean":
            total = total / np.longdouble(whole)
        if pulls is not None:
            more = np.sum(pulls, dtype=np.longdouble)
            total = total + (more / np.longdouble(count) if loss.reduction == "mean" else more)
        return total


cdef object reduced(Loss loss):
    result = reduced_wide(loss)
    return as_rows(loss, result) if loss.reduction == "none" else as_scalar(loss, result)


cdef object as_rows(Loss loss, values):
    with np.errstate(all="ignore"):
        return np.asarray(values).astype(loss.type, copy=False)[()]


cdef object as_scalar(Loss loss, value):
    return as_rows(loss, np.asarray(value))


cdef str one_of_three(str function, reduction):
    if isinstance(reduction, str) and reduction in ("mean", "sum", "none"):
        return reduction
    raise ValueError(f"{function}: reduction is {reduction!r}; allowed are 'mean', 'sum' and 'none'")


cdef double real_number(str function, str name, value) except? -1:
    cdef double number
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{function}: {name} must be one real number, not {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{function}: {name} is {number!r}; it must be finite")
    return number


cdef object weight_of_classes(str function, weight, Py_ssize_t n):
    if weight is None:
        return None
    array = _arguments.as_array(function, "weight", weight)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{function}: weight has dtype {array.dtype}; allowed are real dtypes")
    if array.shape != (n,):
        raise ValueError(f"{function}: weight has shape {array.shape}; allowed is ({n},), one for each class")
    return np.ascontiguousarray(array, np.float64)


cdef void *data_of(array) noexcept:
    return NULL if array is None else cnp.PyArray_DATA(<cnp.ndarray> array)
