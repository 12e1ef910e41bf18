# cython: boundscheck=False, wraparound=False
"""The public maps: softmax, log_softmax and logcumsumexp."""

import math

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY
from lsecy cimport _arguments, _drivers, _plain
from lsecy._arguments cimport Call, bare_length
from lsecy.kernels.table cimport LOG_SOFTMAX, SOFTMAX, Map

cnp.import_array()


def softmax(x, axis=None, *, b=None, where=None, logb=None, scale=1.0, out=None, dtype=None):
    """
    Exponentials as shares of their sum, ``exp(x) / sum(exp(x))``, safe from overflow.

    Parameters
    ----------
    x : array_like
        Exponents, of the dtypes that `logsumexp` takes; any shape and memory layout.
    axis : None, int or tuple of int, default None
        Axes over which the shares sum to 1; None means all of them.
    b : array_like, optional
        Weights that are not negative: the shares of ``b * exp(x)``.  Broadcasts against `x`, and may
        enlarge it.  An element of weight 0 is dropped: its share is 0, even where `x` is infinite or NaN.
    where : array_like of bool, optional
        Where it is false an element is dropped.  The mask of a masked array does the same.
    logb : array_like, optional
        Logarithms of weights, in place of `b`: the exponents are ``scale * x + logb``.
    scale : float, default 1.0
        Factor of `x`, as an inverse temperature.
    out : ndarray, optional
        Array for the result, of its very shape and dtype.  It may be `x` itself or overlap it.
    dtype : dtype, optional
        Of the result: a floating dtype.  It never narrows the computation.

    Returns
    -------
    ndarray or NumPy scalar
        Shape of `x` (broadcast with the others); dtype as that of `logsumexp`.
        0 for what is dropped, also where nothing is kept.  NaN for what is kept beside a NaN or +inf,
        or where all that is kept is -inf.

    Raises
    ------
    TypeError
        If an operand is of objects, strings or dates, or a lazy array, `where` is not boolean, `scale`
        not a real number, or `out` no array or of another dtype.
    ValueError
        If operands do not broadcast, `b` and `logb` are both given, `b` is negative where it counts, `out`
        has another shape or is read-only, or an axis is named twice.
    numpy.exceptions.AxisError
        If an axis is out of range.

    See Also
    --------
    log_softmax : The logarithm, with the digits that this one loses near 1.

    Notes
    -----
    The error is at most 2 ulp in float64 and 1 ulp in float32, also far below the largest share and whatever
    the weights: what rounding takes from ``x - max(x)`` is kept beside it [1]_.
    The same row gives the same bits in any layout, at any place in a batch and with any number of
    threads.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA Journal of Numerical Analysis 41 (2021), 2311-2330,
       https://doi.org/10.1093/imanum/draa038

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import softmax
    >>> softmax(np.array([1000.0, 1000.0, 0.0]))
    array([0.5, 0.5, 0. ])
    >>> softmax([[0.0, 0.0], [0.0, np.inf]], axis=1, where=[[True, True], [True, False]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    cdef Py_ssize_t n = bare_length(x, axis, b, where, logb, scale, other_than_row(out, x), dtype, False,
                                    _drivers.ALONE)
    if n > 0:
        result = one_row(<cnp.ndarray> x, n, SOFTMAX, out)
        if result is not None:
            return result
    asked = _arguments.mapping("softmax", x, axis, b, where, logb, scale, out, dtype)
    return answer(asked, SOFTMAX, scale)


def log_softmax(x, axis=None, *, b=None, where=None, logb=None, scale=1.0, out=None, dtype=None):
    """
    Logarithm of `softmax`, ``x - log(sum(exp(x)))``, with all its digits.

    Parameters
    ----------
    x, axis, b, where, logb, scale, out, dtype : as for `softmax`
        The same arguments with the same meaning.

    Returns
    -------
    ndarray or NumPy scalar
        Shape and dtype of the result of `softmax`.  -inf for what is dropped.  Beside +inf a finite
        `x` gives -inf, and +inf itself NaN.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As `softmax` does.

    See Also
    --------
    softmax : The shares themselves.
    logsumexp : The logarithm of the sum alone.

    Notes
    -----
    The error is at most 1.5 ulp in float64 and 1 ulp in float32; with `b` 1.5 eps of the largest of the result,
    ``abs(log(b))`` and 1.
    The largest term is kept apart from the rest of the sum, so a share next to 1 keeps its logarithm:
    the first of ``log_softmax([40.0, 0.0])`` is -4.2e-18, not 0.

    Examples
    --------
    >>> from lsecy import log_softmax
    >>> float(log_softmax([40.0, 0.0])[0])
    -4.248354255291589e-18
    """
    cdef Py_ssize_t n = bare_length(x, axis, b, where, logb, scale, other_than_row(out, x), dtype, False,
                                    _drivers.ALONE)
    if n > 0:
        result = one_row(<cnp.ndarray> x, n, LOG_SOFTMAX, out)
        if result is not None:
            return result
    asked = _arguments.mapping("log_softmax", x, axis, b, where, logb, scale, out, dtype, "x", True, True)
    return answer(asked, LOG_SOFTMAX, scale)


def logcumsumexp(a, axis=None, *, b=None, where=None, logb=None, scale=1.0, exclusive=False, reverse=False,
                 initial=-INFINITY, out=None, dtype=None):
    """
    Logarithms of running sums of exponentials, ``log(cumsum(b * exp(a)))``, safe from overflow.

    Parameters
    ----------
    a : array_like
        Exponents, of the real dtypes that `logsumexp` takes; any shape and memory layout.
    axis : None or int, default None
        Axis along which the sums run; None runs over the flattened array, as `numpy.cumsum` does.
    b : array_like, optional
        Weights of any sign.  Broadcasts against `a`, and may enlarge it.  An element of weight 0 is
        dropped: it adds nothing, even where `a` is infinite or NaN.
    where : array_like of bool, optional
        Where it is false an element is dropped.  The mask of a masked array does the same.
    logb : array_like, optional
        Logarithms of weights, in place of `b`: the exponents are ``scale * a + logb``.
    scale : float, default 1.0
        Factor of `a`.
    exclusive : bool, default False
        Leave each element's own term out of its sum: the first is then `initial`.
    reverse : bool, default False
        Run from the end of the axis to its start.
    initial : float, default -inf
        Logarithm of what every sum starts from.
    out : ndarray, optional
        Array for the result, of its very shape and dtype.  It may be `a` itself or overlap it.
    dtype : dtype, optional
        Of the result: a floating dtype.  It never narrows the computation.

    Returns
    -------
    ndarray
        Shape of `a` (broadcast with the others), or one axis of all its elements where `axis` is None;
        dtype as that of `logsumexp`.  -inf where nothing has come yet; NaN where the sum is negative, and
        from a NaN on.

    Raises
    ------
    TypeError
        As `softmax`, and for complex numbers, longdouble, an `axis` that is neither None nor an int, and an
        `initial` that is not a real number.
    ValueError
        As `logsumexp`.
    numpy.exceptions.AxisError
        If `axis` is out of range.

    See Also
    --------
    logsumexp : The last of the sums.
    LogSumExp : Sums that grow piece by piece.

    Notes
    -----
    The terms are summed one after the other in float64, relative to a power of e that follows the largest,
    with what rounding takes from each sum beside it [1]_: so errors do not pile up along the axis.
    The error is at most 2 ulp in float64 and 1 ulp in float32; where a result is near zero by cancellation,
    eps times the largest magnitude that it is made of.
    The same row gives the same bits in any layout, at any place in a batch and with any number of
    threads.

    References
    ----------
    .. [1] D. E. Knuth, The Art of Computer Programming, volume 2, section 4.2.2: the sum of two numbers
       and its rounding error.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import logcumsumexp
    >>> logcumsumexp([1000.0, 1000.0, 0.0, 1001.0])
    array([1000.        , 1000.69314718, 1000.69314718, 1001.55144471])
    >>> logcumsumexp(np.zeros((2, 3)), axis=1, exclusive=True)
    array([[      -inf, 0.        , 0.69314718],
           [      -inf, 0.        , 0.69314718]])
    """
    cdef double start = _arguments.as_real("logcumsumexp", "initial", initial)
    cdef Py_ssize_t apart = 0
    if isinstance(axis, tuple):
        raise TypeError(f"logcumsumexp: axis must be None or an int, not {axis!r}")
    flat = axis is None and not (isinstance(a, np.ndarray) and a.ndim == 1)
    asked = running(a, axis, b, where, logb, scale, None if flat else out, dtype)
    if flat:
        shape, asked.shape = asked.shape, (math.prod(asked.shape),)
        _arguments.check_output(asked, out)
        if out is None:
            asked.shape = shape
        else:
            asked = running(a, axis, b, where, logb, scale, out.reshape(shape), dtype)
    if reverse:
        apart = _arguments.turn(&asked.problem)
    result = asked.target
    _drivers.scan_rows(&asked.problem, exclusive, start,
                       <char *> cnp.PyArray_DATA(<cnp.ndarray> result) + apart * (asked.problem.bits // 8))
    result = _arguments.as_result(asked, result, asked.out)
    if not flat:
        return result
    return np.reshape(result, -1) if out is None else out


cdef Call running(a, axis, b, where, logb, scale, out, dtype):
    asked = _arguments.mapping("logcumsumexp", a, axis, b, where, logb, scale, out, dtype, "a", False)
    if asked.general:
        _arguments.refuse_general(asked, "running sums")
    return asked


cdef inline object other_than_row(out, x):
    # `out`, but None where a row as `bare_length` asks for can be written to it as it comes.
    cdef char *row
    cdef char *target
    cdef Py_ssize_t length
    if out is None or not (cnp.PyArray_CheckExact(out) and cnp.PyArray_CheckExact(x)):
        return out
    row = <char *> cnp.PyArray_DATA(<cnp.ndarray> x)
    target = <char *> cnp.PyArray_DATA(<cnp.ndarray> out)
    length = cnp.PyArray_NBYTES(<cnp.ndarray> out)
    if (cnp.PyArray_NDIM(<cnp.ndarray> out) == 1 and cnp.PyArray_NDIM(<cnp.ndarray> x) == 1
            and cnp.PyArray_DIM(<cnp.ndarray> out, 0) == cnp.PyArray_DIM(<cnp.ndarray> x, 0)
            and cnp.PyArray_TYPE(<cnp.ndarray> out) == cnp.PyArray_TYPE(<cnp.ndarray> x)
            and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray> out) and cnp.PyArray_ISBEHAVED(<cnp.ndarray> out)
            and (target == row or target + length <= row or row + length <= target)):
        return None
    return out


cdef inline object one_row(cnp.ndarray x, Py_ssize_t n, Map map, out):
    # None where the row is special.
    cdef cnp.npy_intp shape = n
    cdef object result = cnp.PyArray_SimpleNew(1, &shape, cnp.PyArray_TYPE(x)) if out is None else out
    cdef int bits = 64 if cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE else 32
    cdef const void *data = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(<cnp.ndarray> result)
    cdef bint done
    if n <= _drivers.QUICK:
        done = _drivers.map_row(data, n, bits, map, target)
    else:
        with nogil:
            done = _drivers.map_row(data, n, bits, map, target)
    return result if done else None


cdef object answer(Call asked, Map map, scale):
    cdef object result = asked.target
    if asked.general:
        result = _plain.mapped(asked, scale, map)
    else:
        _drivers.map_rows(&asked.problem, map, cnp.PyArray_DATA(<cnp.ndarray> result))
    return _arguments.as_result(asked, result, asked.out)
