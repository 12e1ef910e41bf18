# cython: boundscheck=False, wraparound=False
"""The public reductions: signature, docstring, and a body that shows the way down."""

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY
from lsecy cimport _arguments, _drivers, _plain
from lsecy._arguments cimport Call, bare_length

cnp.import_array()

cdef extern from *:
    """
    #include <numpy/arrayscalars.h>
    /* NumPy scalars, built without a detour through a 0-d array. */
    static PyObject *lsecy_float32(double x) {
        PyObject *scalar = PyArrayScalar_New(Float);
        if (scalar) PyArrayScalar_ASSIGN(scalar, Float, (npy_float)x);
        return scalar;
    }
    static PyObject *lsecy_float64(double x) {
        PyObject *scalar = PyArrayScalar_New(Double);
        if (scalar) PyArrayScalar_ASSIGN(scalar, Double, x);
        return scalar;
    }
    """
    object lsecy_float32(double x)
    object lsecy_float64(double x)

cdef object FLOAT64 = np.dtype(np.float64)


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False, *,
              where=None, logb=None, scale=1.0, out=None, dtype=None):
    """
    Logarithm of the sum of exponentials, ``log(sum(b * exp(a)))``, safe from overflow.

    Parameters
    ----------
    a : array_like
        Exponents: float32, float64, float16 or bfloat16, or integers and booleans, which count as
        float64.  Any shape and memory layout; never copied as a whole.  Complex numbers and
        longdouble are taken too, by plain loops in one thread; only complex64 is copied, to complex128.
    axis : None, int or tuple of int, default None
        Axes that are summed over; None means all of them, ``()`` none.
    b : array_like, optional
        Weights of any sign, of the same dtypes, that broadcast against `a` (and may enlarge it).
        An element of weight 0 is dropped, even where `a` is infinite or NaN.
    keepdims : bool, default False
        Leave the summed axes in the result with length one.
    return_sign : bool, default False
        Return the sign of the sum as well; the first result is then ``log(abs(sum))``.
    where : array_like of bool, optional
        Broadcasts against `a`; where it is false an element counts for nothing, as if it were not
        there, NaN or not.  The mask of a masked array does the same.
    logb : array_like, optional
        Logarithms of weights, in place of `b`: the exponents are ``scale * a + logb``, without a
        temporary.  An element whose `logb` is -inf is dropped.
    scale : float, default 1.0
        Factor of `a`, as an inverse temperature.
    out : ndarray, optional
        Array for the result, of its very shape and dtype; a tuple of two with `return_sign`.
    dtype : dtype, optional
        Of the result: a floating dtype.  float64 makes a float32 input count as float64; a smaller
        one never narrows the computation.

    Returns
    -------
    lse : ndarray or NumPy scalar
        Shape of `a` (broadcast with the others) without `axis`; a scalar where that leaves no axis.
        Its dtype is that of `a`, or as NumPy promotes `a` and the weights, unless `dtype` says.
        -inf where nothing is summed; NaN for a negative sum without `return_sign`.
    sign : ndarray or NumPy scalar
        Only with `return_sign`: 1, -1, 0 for an empty or vanishing sum, NaN for NaN.
        Shape and dtype of `lse`.

    Raises
    ------
    TypeError
        If an operand is of objects, strings or dates, or a lazy array, `where` is not boolean, `scale`
        not a real number, `out` no array or of another dtype, or `axis` neither None nor an int or
        tuple of ints.
    ValueError
        If an operand is ragged, operands do not broadcast, `b` and `logb` are both given, `out` has
        another shape or is read-only, or an axis is named twice.
    numpy.exceptions.AxisError
        If an axis is out of range.

    Notes
    -----
    `a` is read once, by all cores if it is large.
    The error is at most 1 ulp (1.5 with float64 weights, 2 where one float64 term dominates and the
    result is near zero); where the result is near zero by cancellation, at most eps times the
    largest magnitude in `a` [1]_.
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
    >>> from lsecy import logsumexp
    >>> float(logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    >>> logsumexp(np.zeros((2, 4)), axis=1)
    array([1.38629436, 1.38629436])
    >>> value, sign = logsumexp([0.0, 1.0], b=[1.0, -1.0], return_sign=True)
    >>> round(float(value), 6), int(sign)
    (0.541325, -1)
    """
    cdef Py_ssize_t n
    if not keepdims and not return_sign:
        n = bare_length(a, axis, b, where, logb, scale, out, dtype, True, _drivers.ALONE)
        if n > 0:
            return one_row(<cnp.ndarray> a, n)
    asked = _arguments.reduction("logsumexp", a, axis, b, keepdims, where, logb, scale, out, dtype, return_sign)
    if asked.general:
        return delivered(asked, return_sign, _plain.reduced(asked, scale, False, bool(return_sign)))
    return answer(asked, return_sign)


def logmeanexp(a, axis=None, b=None, keepdims=False, return_sign=False, *,
               where=None, logb=None, scale=1.0, out=None, dtype=None):
    """
    Logarithm of the mean of exponentials, ``log(sum(b * exp(a)) / sum(b))``, safe from overflow.

    Parameters
    ----------
    a, axis, b, keepdims, return_sign, where, logb, scale, out, dtype : as for `logsumexp`
        The same arguments with the same meaning.  Without `b` and `logb` all kept elements weigh the same.

    Returns
    -------
    lme : ndarray or NumPy scalar
        Shape and dtype of the result of `logsumexp`.  NaN for the mean of nothing, and for a negative
        mean without `return_sign`.
    sign : ndarray or NumPy scalar
        Only with `return_sign`: that of the mean.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As `logsumexp` does.

    See Also
    --------
    logsumexp : The logarithm of the sum.

    Notes
    -----
    The logarithm of the whole, log(n) without weights, is taken from that of the sum before the result
    is rounded to float32.  The error is at most 2 eps of the largest of the result, that logarithm and the
    elements, for the logarithm of the sum may be twice as large.

    Examples
    --------
    >>> from lsecy import logmeanexp
    >>> float(logmeanexp([1000.0, 1000.0]))
    1000.0
    >>> float(logmeanexp([0.0, 5.0, 7.0], where=[True, False, False]))
    0.0
    """
    asked = _arguments.reduction("logmeanexp", a, axis, b, keepdims, where, logb, scale, out, dtype, return_sign)
    if asked.general:
        return delivered(asked, return_sign, _plain.reduced(asked, scale, True, bool(return_sign)))
    if asked.b is None and asked.mask is None:
        less = np.array(np.log(asked.problem.n) if asked.problem.n else -np.inf)
        signs = None
    else:
        less, signs = answer(_arguments.whole_of(asked, axis, keepdims), True)
        less = np.ascontiguousarray(less)
        asked.problem.less_step = 1
    asked.problem.less = <const double *> cnp.PyArray_DATA(<cnp.ndarray> less)
    if signs is None or not (np.asarray(signs) < 0).any():
        return answer(asked, return_sign, mean=True)
    return by_sign(asked, return_sign, signs)


# --- what LogSumExp does with the numbers that it holds -----------------------------------------------------

def hold(cnp.ndarray held, a, axis, b, where, logb, scale, dtype):
    """Add to states, whose numbers are `held`, and return the dtype that one call would have."""
    cdef Py_ssize_t n
    cdef double x
    cdef Call asked
    if cnp.PyArray_NDIM(held) == 2 and dtype is None:
        # One number, as a loop adds one term after the other.
        if (isinstance(a, float) and type(scale) is float and <double> scale == 1 and axis is None and b is None
                and where is None and logb is None):
            x = a
            _drivers.hold_row(&x, 1, 64, numbers_of(held))
            add_count(held, 1)
            return FLOAT64
        n = bare_length(a, axis, b, where, logb, scale, None, None, True, _drivers.QUICK)
        if n > 0:
            _drivers.hold_row(cnp.PyArray_DATA(<cnp.ndarray> a), n,
                              64 if cnp.PyArray_TYPE(<cnp.ndarray> a) == cnp.NPY_DOUBLE else 32, numbers_of(held))
            add_count(held, n)
            return a.dtype
    asked = _arguments.reduction("LogSumExp.update", a, axis, b, False, where, logb, scale, None, dtype, False)
    shape = tuple([cnp.PyArray_DIM(held, k) for k in range(cnp.PyArray_NDIM(held) - 2)])
    if asked.shape != shape:
        raise ValueError(f"LogSumExp.update: axis {axis!r} leaves shape {asked.shape}; this state has shape {shape}")
    join(held, asked, axis, False)
    return asked.type


def fold(function, a, axis, b, keepdims, where, scale, dtype):
    """Return new states of one call, as the numbers that LogSumExp holds, and the dtype of its result."""
    asked = _arguments.reduction(function, a, axis, b, keepdims, where, None, scale, None, dtype, False)
    held = np.zeros(asked.shape + (_drivers.HELD // _drivers.STATE, _drivers.STATE))
    held[..., 0] = -INFINITY
    join(held, asked, axis, keepdims)
    return held, asked.type


cdef int join(cnp.ndarray held, Call asked, axis, keepdims) except -1:
    cdef Call whole = None
    if asked.general:
        _arguments.refuse_general(asked, "state")
    if asked.b is not None or asked.mask is not None:
        whole = _arguments.whole_of(asked, axis, keepdims)
        whole.problem.held = numbers_of(held) + _drivers.PAIR
    asked.problem.held = numbers_of(held)
    _drivers.reduce(&asked.problem, NULL, NULL)
    if whole is None:
        add_count(held, asked.problem.n)
    else:
        _drivers.reduce(&whole.problem, NULL, NULL)
    return 0


def output_dtype(function, dtype):
    """Return a dtype in which a state may answer."""
    return _arguments.output_dtype(function, dtype)


def merge_held(cnp.ndarray into, cnp.ndarray source):
    """Merge states, number by number."""
    _drivers.merge_held(numbers_of(into), numbers_of(source), cnp.PyArray_SIZE(into) // _drivers.HELD)


def finish_held(cnp.ndarray held, Py_ssize_t row, int bits, cnp.ndarray value, sign):
    """Fill in the answers, and the signs if there is an array for them, of the pairs at this row of each state."""
    _drivers.finish_held(numbers_of(held) + row * _drivers.STATE, cnp.PyArray_SIZE(held) // _drivers.HELD, bits,
                         numbers_of(value), NULL if sign is None else numbers_of(sign))


cdef inline double *numbers_of(held):
    return <double *> cnp.PyArray_DATA(<cnp.ndarray> held)


cdef inline void add_count(cnp.ndarray held, Py_ssize_t n) noexcept:
    # Elements without weights weigh 1 each.
    cdef double count[_drivers.HELD]
    cdef Py_ssize_t k
    for k in range(_drivers.HELD):
        count[k] = 0
    count[0] = count[_drivers.STATE] = -INFINITY
    for k in range(_drivers.PAIR + 1, _drivers.HELD, _drivers.STATE):
        count[k] = count[k + 3] = <double> n
    for k in range(cnp.PyArray_SIZE(held) // _drivers.HELD):
        _drivers.merge_held(numbers_of(held) + k * _drivers.HELD, count, 1)


# --- results ------------------------------------------------------------------------------------------------

cdef inline object one_row(cnp.ndarray a, Py_ssize_t n):
    cdef double value
    cdef const void *data = cnp.PyArray_DATA(a)
    cdef int bits = 64 if cnp.PyArray_TYPE(a) == cnp.NPY_DOUBLE else 32
    if n <= _drivers.QUICK:
        value = _drivers.reduce_row(data, n, bits)
    else:
        with nogil:
            value = _drivers.reduce_row(data, n, bits)
    return lsecy_float64(value) if bits == 64 else lsecy_float32(value)


cdef object answer(Call asked, return_sign, mean=False):
    # Room for the result, the work, and the result as the user expects it.
    cdef cnp.npy_intp shape[_arguments.MOST_AXES]
    cdef int ndim = len(asked.shape), k
    cdef int type = cnp.NPY_DOUBLE if asked.problem.bits == 64 else cnp.NPY_FLOAT
    cdef cnp.ndarray value
    cdef cnp.ndarray sign = None
    cdef bint signed = bool(return_sign)
    for k in range(ndim):
        shape[k] = asked.shape[k]
    value = asked.out if not signed and takes_answers(asked, type) else cnp.PyArray_EMPTY(ndim, shape, type, 0)
    if signed:
        sign = cnp.PyArray_EMPTY(ndim, shape, type, 0)
    _drivers.reduce(&asked.problem, cnp.PyArray_DATA(value), cnp.PyArray_DATA(sign) if signed else NULL)
    if signed and mean:    # the mean of nothing is no number, nor has it a sign
        np.copyto(sign, np.nan, where=np.isnan(value))
    return delivered(asked, signed, (value, sign) if signed else value)


cdef bint takes_answers(Call asked, int type) except -1:
    # May the answers be written to the user's own array as they come?
    cdef object out = asked.out
    if out is None or not cnp.PyArray_CheckExact(out):
        return False
    return (cnp.PyArray_TYPE(<cnp.ndarray> out) == type and cnp.PyArray_ISCARRAY(<cnp.ndarray> out)
            and _arguments.lies_apart(asked, out))


cdef object by_sign(Call asked, return_sign, signs):
    # Negative wholes turn the sign of the mean.
    cdef object out = asked.out
    asked.out = None
    value, sign = answer(asked, True, mean=True)
    sign = sign * np.where(np.asarray(signs) == 0, 1, signs).astype(asked.type)    # as if divided by +0
    asked.out = out
    if return_sign:
        return delivered(asked, True, (np.asarray(value), np.asarray(sign)))
    return delivered(asked, False, np.where(np.asarray(sign) < 0, np.nan, value))


cdef object delivered(Call asked, return_sign, result):
    if return_sign:
        outs = (None, None) if asked.out is None else asked.out
        return _arguments.as_result(asked, result[0], outs[0]), _arguments.as_result(asked, result[1], outs[1])
    return _arguments.as_result(asked, result, asked.out)
