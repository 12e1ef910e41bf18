# cython: boundscheck=False, wraparound=False
"""The public reductions: signature, docstring, and a body that shows the way down."""

cimport numpy as cnp
from lsecy cimport _arguments, _drivers
from lsecy._arguments cimport Reduction

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

cdef enum:
    ALONE = 32768    # elements up to which one thread does a row alone: the short way


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """
    Logarithm of the sum of exponentials, ``log(sum(b * exp(a)))``, safe from overflow.

    Parameters
    ----------
    a : array_like
        Exponents: float32, float64 or float16, or integers and booleans, which count as float64.
        Any shape and memory layout; never copied as a whole.
    axis : None, int or tuple of int, default None
        Axes that are summed over; None means all of them, ``()`` none.
    b : array_like, optional
        Weights of any sign, of the same dtypes, that broadcast against `a` (and may enlarge it).
        An element of weight 0 is dropped, even where `a` is infinite or NaN.
    keepdims : bool, default False
        Leave the summed axes in the result with length one.
    return_sign : bool, default False
        Return the sign of the sum as well; the first result is then ``log(abs(sum))``.

    Returns
    -------
    lse : ndarray or NumPy scalar
        Shape of `a` (broadcast with `b`) without `axis`; a scalar where that leaves no axis.
        Its dtype is float32, float64 or float16, as NumPy promotes `a` and `b`.
        -inf where nothing is summed; NaN for a negative sum without `return_sign`.
    sign : ndarray or NumPy scalar
        Only with `return_sign`: 1, -1, 0 for an empty or vanishing sum, NaN for NaN.
        Shape and dtype of `lse`.

    Raises
    ------
    TypeError
        If `a` or `b` is complex, longdouble, object, string, date or masked, or `axis` is neither
        None nor an int or tuple of ints.
    ValueError
        If `a` or `b` is ragged, the two do not broadcast, or an axis is named twice.
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
    cdef int type
    if (b is None and not keepdims and not return_sign and cnp.PyArray_CheckExact(a)
            and (axis is None or (cnp.PyArray_NDIM(<cnp.ndarray> a) == 1 and is_the_only(axis)))):
        type = cnp.PyArray_TYPE(<cnp.ndarray> a)
        n = cnp.PyArray_SIZE(<cnp.ndarray> a)
        if ((type == cnp.NPY_DOUBLE or type == cnp.NPY_FLOAT) and 0 < n <= ALONE
                and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray> a) and cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray> a)):
            return one_row(<cnp.ndarray> a, n, type)
    return answer(_arguments.reduction("logsumexp", a, axis, b, keepdims), return_sign)


cdef inline object one_row(cnp.ndarray a, Py_ssize_t n, int type):
    cdef double value
    cdef const void *data = cnp.PyArray_DATA(a)
    cdef int bits = 64 if type == cnp.NPY_DOUBLE else 32
    if n <= _drivers.QUICK:
        value = _drivers.reduce_row(data, n, bits)
    else:
        with nogil:
            value = _drivers.reduce_row(data, n, bits)
    return lsecy_float64(value) if bits == 64 else lsecy_float32(value)


cdef inline bint is_the_only(axis):
    # Does `axis` name axis 0 of a 1-d array?
    return type(axis) is int and (axis == 0 or axis == -1)


cdef object answer(Reduction asked, return_sign):
    # Room for the result, the work, and the result as the user expects it.
    cdef cnp.npy_intp shape[_arguments.MOST_AXES]
    cdef int ndim = len(asked.shape), k
    cdef int type = cnp.NPY_DOUBLE if asked.problem.bits == 64 else cnp.NPY_FLOAT
    cdef cnp.ndarray out
    cdef cnp.ndarray sign = None
    cdef bint signed = bool(return_sign)
    for k in range(ndim):
        shape[k] = asked.shape[k]
    out = cnp.PyArray_EMPTY(ndim, shape, type, 0)
    if signed:
        sign = cnp.PyArray_EMPTY(ndim, shape, type, 0)
    _drivers.reduce(&asked.problem, cnp.PyArray_DATA(out), cnp.PyArray_DATA(sign) if signed else NULL)
    if signed:
        return as_result(out, asked.type), as_result(sign, asked.type)
    return as_result(out, asked.type)


cdef object as_result(cnp.ndarray array, int type):
    if type == cnp.NPY_FLOAT16:
        array = (<object> array).astype("float16")
    return (<object> array)[()] if cnp.PyArray_NDIM(array) == 0 else array
