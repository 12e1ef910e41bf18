# cython: boundscheck=False, wraparound=False, cdivision=True
"""The functions of pairs as NumPy ufuncs: how the elements that NumPy hands over reach the kernels."""

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, expl, expm1l, log1pl, logl
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy
from numpy cimport NPY_DOUBLE, NPY_FLOAT, NPY_FLOAT16, NPY_LONGDOUBLE, npy_intp

from lsecy._convert cimport copy_as, copy_half
from lsecy.kernels.pairs_table cimport (
    LOG1MEXP, LOG1PEXP, LOGADDEXP, LOGSUBEXP, OPERATIONS, SIGNED_LOGSUBEXP, Kernel, Operation, PairKernels)

cnp.import_array()
cnp.import_umath()

cdef extern from "numpy/ufuncobject.h":
    enum:
        PyUFunc_None
        PyUFunc_IdentityValue
    object PyUFunc_FromFuncAndDataAndSignatureAndIdentity(
        cnp.PyUFuncGenericFunction *loops, void **data, char *types, int ntypes, int nin, int nout,
        int identity, const char *name, const char *doc, int unused, const char *signature,
        object identity_value)

cdef extern from "<fenv.h>" nogil:
    ctypedef struct fenv_t:
        pass
    int feholdexcept(fenv_t *)
    int fesetenv(const fenv_t *)

cdef enum:
    BLOCK = 512       # elements of a buffer: four of double fit in half of the smallest L1 cache
    MOST_ARGS = 4
    TYPES = 4

ctypedef fused Working:
    float
    double

cdef const PairKernels *kernels_32
cdef const PairKernels *kernels_64


def use_tables(table_32, table_64):
    """Use these two kernel modules' tables from now on."""
    global kernels_32, kernels_64
    kernels_32 = <const PairKernels *> PyCapsule_GetPointer(table_32, "lsecy.kernels.pairs")
    kernels_64 = <const PairKernels *> PyCapsule_GetPointer(table_64, "lsecy.kernels.pairs")


cdef inline int inputs_of(Operation operation) noexcept nogil:
    return 1 if operation == LOG1MEXP or operation == LOG1PEXP else 2


cdef inline int outputs_of(Operation operation) noexcept nogil:
    return 2 if operation == SIGNED_LOGSUBEXP else 1


# --- elements in and out ------------------------------------------------------------------------------

cdef inline uint16_t half_of(float x) noexcept nogil:
    # The float16 next to x, ties to even (Giesen, "Float->half variants", 2012).
    cdef uint32_t bits, sign
    cdef float lifted
    memcpy(&bits, &x, 4)
    sign = bits & <uint32_t> 0x80000000
    bits ^= sign
    if bits >= <uint32_t> 0x47800000:
        bits = 0x7E00 if bits > <uint32_t> 0x7F800000 else 0x7C00
    elif bits < <uint32_t> 0x38800000:
        # In [0.5, 1) a float's last bit is the last bit of a subnormal float16.
        memcpy(&lifted, &bits, 4)
        lifted += <float> 0.5
        memcpy(&bits, &lifted, 4)
        bits -= <uint32_t> 0x3F000000
    else:
        bits = (bits - <uint32_t> 0x38000000 + 0xFFF + ((bits >> 13) & 1)) >> 13
    return <uint16_t> (bits | (sign >> 16))


cdef inline void gather(const char *source, npy_intp step, bint halves, Working *target, npy_intp n) noexcept nogil:
    if halves:
        copy_half(source, step, False, target, 1, n)
    else:
        copy_as(source, step, False, target, target, 1, n)


cdef inline void scatter(const Working *source, char *target, npy_intp step, bint halves, npy_intp n) noexcept nogil:
    cdef npy_intp i
    for i in range(n):
        if halves:
            (<uint16_t *> target)[0] = half_of(<float> source[i])
        else:
            (<Working *> target)[0] = source[i]
        target += step


cdef inline bint overlap(const char *x, npy_intp x_step, const char *y, npy_intp y_step, npy_intp n,
                         npy_intp size) noexcept nogil:
    # Might one stream's elements lie where others of the other stream do?
    cdef npy_intp x_reach = (n - 1) * x_step, y_reach = (n - 1) * y_step
    cdef const char *x_end = x + max(x_reach, 0) + size
    cdef const char *y_end = y + max(y_reach, 0) + size
    if n == 1 or (x == y and x_step == y_step and x_step != 0):
        return False
    return x + min(x_reach, 0) < y_end and y + min(y_reach, 0) < x_end


# --- the loops that NumPy calls ---------------------------------------------------------------------------

cdef inline void reduce_terms(Kernel kernel, char **args, npy_intp n, npy_intp step, bint halves,
                              Working *kind) noexcept nogil:
    # args[0] joined with all of args[1]: blocks by halving, which needs no term to wait for another.
    cdef Working terms[BLOCK]
    cdef Working total
    cdef npy_intp done = 0, count, kept
    gather(args[0], 0, halves, &total, 1)
    while done < n:
        count = min(n - done, BLOCK)
        gather(args[1] + done * step, step, halves, terms, count)
        done += count
        while count > 1:
            kept = (count + 1) // 2
            kernel(terms, terms + kept, count - kept, terms, NULL)
            count = kept
        kernel(&total, terms, 1, &total, NULL)
    scatter(&total, args[0], 0, halves, 1)


cdef inline void map_terms(Operation operation, Kernel kernel, char **args, npy_intp n, const npy_intp *steps,
                           bint halves, Working *kind) noexcept nogil:
    cdef int inputs = inputs_of(operation), operands = inputs + outputs_of(operation)
    cdef npy_intp size = 2 if halves else sizeof(Working)
    cdef Working buffers[MOST_ARGS][BLOCK]
    cdef Working *at[MOST_ARGS]
    cdef npy_intp done = 0, count, block = BLOCK if halves else n
    cdef int i, k
    cdef char *start
    for i in range(operands):
        if steps[i] != size:
            block = BLOCK
    # `accumulate` reads each result as its next input.
    for i in range(inputs):
        for k in range(inputs, operands):
            if overlap(args[i], steps[i], args[k], steps[k], n, size):
                block = 1
    while done < n:
        count = min(n - done, block)
        for i in range(operands):
            start = args[i] + done * steps[i]
            if not halves and (steps[i] == size or count == 1):
                at[i] = <Working *> start
                continue
            at[i] = buffers[i]
            if i < inputs and (steps[i] != 0 or done == 0 or block == 1):
                gather(start, steps[i], halves, at[i], count)
        kernel(at[0], at[inputs - 1], count, at[inputs], at[operands - 1])
        for i in range(inputs, operands):
            if at[i] == buffers[i]:
                scatter(at[i], args[i] + done * steps[i], steps[i], halves, count)
        done += count


cdef inline void loop(char **args, const npy_intp *dimensions, const npy_intp *steps, void *data, bint halves,
                      Working *kind) noexcept nogil:
    cdef Operation operation = <Operation> <Py_ssize_t> data
    cdef const PairKernels *kernels = kernels_32 if Working is float else kernels_64
    cdef Kernel kernel = kernels.functions[<int> operation]
    cdef npy_intp n = dimensions[0]
    cdef fenv_t before
    # NumPy would report what the arithmetic of lanes that are not used raises.
    feholdexcept(&before)
    if operation == LOGADDEXP and args[0] == args[2] and steps[0] == 0 and steps[2] == 0 and n > 1:
        reduce_terms(kernel, args, n, steps[1], halves, kind)
    else:
        map_terms(operation, kernel, args, n, steps, halves, kind)
    fesetenv(&before)


cdef void half_loop(char **args, const npy_intp *dimensions, const npy_intp *steps, void *data) noexcept nogil:
    loop(args, dimensions, steps, data, True, <float *> NULL)


cdef void float_loop(char **args, const npy_intp *dimensions, const npy_intp *steps, void *data) noexcept nogil:
    loop(args, dimensions, steps, data, False, <float *> NULL)


cdef void double_loop(char **args, const npy_intp *dimensions, const npy_intp *steps, void *data) noexcept nogil:
    loop(args, dimensions, steps, data, False, <double *> NULL)


# --- longdouble: the C library, one element at a time -----------------------------------------------------

cdef inline long double long_sum(long double x, long double y) noexcept nogil:
    cdef long double larger = x if x > y else y
    cdef long double smaller = y if x > y else x
    if x != x or y != y:
        return x + y
    if x == y:
        return x + logl(2)
    return larger + log1pl(expl(smaller - larger))


cdef inline long double long_difference(long double x, long double y) noexcept nogil:
    cdef long double larger = x if x > y else y
    cdef long double smaller = y if x > y else x
    cdef long double gap = smaller - larger
    if x != x or y != y:
        return x + y
    if x == y:
        return larger - INFINITY
    # Maechler 2012, "Accurately computing log(1 - exp(-|a|))", equation 7.
    return larger + (logl(-expm1l(gap)) if gap > -0.6931471805599453 else log1pl(-expl(gap)))


cdef void long_loop(char **args, const npy_intp *dimensions, const npy_intp *steps, void *data) noexcept nogil:
    cdef Operation operation = <Operation> <Py_ssize_t> data
    cdef int inputs = inputs_of(operation), operands = inputs + outputs_of(operation)
    cdef long double x, y, value
    cdef npy_intp i
    cdef int k
    cdef char *at[MOST_ARGS]
    cdef fenv_t before
    feholdexcept(&before)
    for i in range(dimensions[0]):
        for k in range(operands):
            at[k] = args[k] + i * steps[k]
        x = (<long double *> at[0])[0] if inputs == 2 else 0
        y = (<long double *> at[inputs - 1])[0]
        if operation == LOGADDEXP or operation == LOG1PEXP:
            value = long_sum(x, y)
        elif x < y and operation != SIGNED_LOGSUBEXP:
            value = <long double> INFINITY - INFINITY
        else:
            value = long_difference(x, y)
        # log(1 - e) is negative for every e, 0 is its limit from below.
        (<long double *> at[inputs])[0] = -0.0 if operation == LOG1MEXP and value == 0 else value
        if operation == SIGNED_LOGSUBEXP:
            (<long double *> at[3])[0] = value if value != value else (x > y) - (x < y)
    fesetenv(&before)


# --- the ufuncs -------------------------------------------------------------------------------------------

# NumPy keeps pointers into all of these.
cdef cnp.PyUFuncGenericFunction loops[TYPES]
cdef void *operations[OPERATIONS][TYPES]
cdef char types[OPERATIONS][TYPES * MOST_ARGS]
_texts = []

# NumPy's order, in which a call looks for the first type that holds its arguments.
cdef int numbers[TYPES]
numbers[:] = [NPY_FLOAT16, NPY_FLOAT, NPY_DOUBLE, NPY_LONGDOUBLE]
loops[:] = [half_loop, float_loop, double_loop, long_loop]


cdef object ufunc(Operation operation, str name, str doc, identity=None):
    cdef int inputs = inputs_of(operation), outputs = outputs_of(operation), i, k
    cdef bytes name_bytes = name.encode(), doc_bytes = doc.strip().encode()
    _texts.extend([name_bytes, doc_bytes])
    for i in range(TYPES):
        for k in range(inputs + outputs):
            types[<int> operation][i * (inputs + outputs) + k] = numbers[i]
        operations[<int> operation][i] = <void *> <Py_ssize_t> operation
    return PyUFunc_FromFuncAndDataAndSignatureAndIdentity(
        loops, operations[<int> operation], types[<int> operation], TYPES, inputs, outputs,
        PyUFunc_None if identity is None else PyUFunc_IdentityValue, name_bytes, doc_bytes, 0, NULL, identity)


# What their docstrings share.
_PAIR = """\
x1, x2 : array_like
    Exponents of any shapes that broadcast: float16, float32, float64 or longdouble, or integers and
    booleans, which become floats as in `numpy.logaddexp`.
"""
_KEYWORDS = """\
where : array_like of bool, optional
    Elements that are computed; the others of `out` stay as they are.
**kwargs
    Other keywords of a ufunc: `dtype`, `casting`, `order`, `subok`, `signature`.
"""
_OPTIONS = """\
out : ndarray, None, or tuple of ndarray and None, optional
    Where the result goes.
""" + _KEYWORDS

logaddexp = ufunc(LOGADDEXP, "logaddexp", """
Logarithm of the sum of the exponentials of two arrays, ``log(exp(x1) + exp(x2))``.

A ufunc: it has ``reduce`` (of nothing: -inf), ``accumulate``, ``outer`` and ``at``.

Parameters
----------
""" + _PAIR + _OPTIONS + """
Returns
-------
ndarray or NumPy scalar
    Shape of the broadcast inputs; their dtype.  +inf if either is +inf, -inf if both are -inf, NaN if
    either is NaN.  No warning for any input.

See Also
--------
logsumexp : The same over an axis.

Notes
-----
``larger + log1p(exp(smaller - larger))`` in float32 (by way of double) and float64, where the rounding
errors of the difference, of the exponential and of 1 + exp are carried along: within 1 ulp, results
near zero included.  Where the two parts of the formula cancel, within 1 eps times the largest of
``abs(x1)``, ``abs(x2)`` and the result's own size.

Examples
--------
>>> import numpy as np
>>> import lsecy
>>> print(lsecy.logaddexp([0.0, 1000.0], [-40.0, 1000.0]))
[4.24835426e-18 1.00069315e+03]
>>> print(lsecy.logaddexp.reduce(np.log([1.0, 2.0, 3.0, 4.0])) - np.log(10.0) < 1e-15)
True
""", identity=-INFINITY)

logsubexp = ufunc(LOGSUBEXP, "logsubexp", """
Logarithm of the difference of the exponentials of two arrays, ``log(exp(x1) - exp(x2))``.

Parameters
----------
""" + _PAIR + _OPTIONS + """
Returns
-------
ndarray or NumPy scalar
    Shape of the broadcast inputs; their dtype.  -inf where the two are equal (both -inf included), NaN
    where ``x1 < x2``, where both are +inf or either is NaN.  No warning for any input.

See Also
--------
signed_logsubexp : The logarithm of the difference's size, and its sign.

Notes
-----
``x1 + log(1 - exp(x2 - x1))`` in float32 (by way of double) and float64, with the rounding errors
carried along; on the two forms of the logarithm that they save see M. Maechler, "Accurately computing
log(1 - exp(-\\|a\\|))", 2012.  Within 1 ulp, or where the two parts of the formula cancel, within 1 eps
times the largest of ``abs(x1)``, ``abs(x2)`` and the result's own size.

Examples
--------
>>> import lsecy
>>> print(lsecy.logsubexp([0.0, 2.0, 1.0], [-40.0, 2.0, -1.0]))
[-4.24835426e-18            -inf  8.54586542e-01]
""")

signed_logsubexp = ufunc(SIGNED_LOGSUBEXP, "signed_logsubexp", """
Logarithm of the size of ``exp(x1) - exp(x2)``, and its sign.

Parameters
----------
""" + _PAIR + """out : tuple of ndarray and None, optional
    Where the two results go.
""" + _KEYWORDS + """
Returns
-------
value : ndarray or NumPy scalar
    ``log(abs(exp(x1) - exp(x2)))``: shape of the broadcast inputs, and their dtype.  -inf where the two
    are equal (both -inf included), NaN where both are +inf or either is NaN.
sign : ndarray or NumPy scalar
    1, -1, 0 where the two are equal, NaN where `value` is.  Shape and dtype of `value`.

See Also
--------
logsubexp : The same without sign, NaN where it is -1.

Notes
-----
Accuracy and source as for `logsubexp`.

Examples
--------
>>> import lsecy
>>> value, sign = lsecy.signed_logsubexp([1.0, 2.0], [2.0, 1.0])
>>> print(value, sign)
[1.54132485 1.54132485] [-1.  1.]
""")

log1mexp = ufunc(LOG1MEXP, "log1mexp", """
Logarithm of ``1 - exp(x)`` for negative `x`: the log-probability of the complement.

Parameters
----------
x : array_like
    Numbers up to 0, of any shape: float16, float32, float64 or longdouble, or integers and booleans,
    which become floats as in `numpy.exp`.
""" + _OPTIONS + """
Returns
-------
ndarray or NumPy scalar
    Shape and dtype of `x`.  -inf for 0, -0.0 for -inf, NaN for positive numbers and NaN.  No warning
    for any input.

Notes
-----
Within 1 ulp in float32 and float64.  M. Maechler, "Accurately computing log(1 - exp(-\\|a\\|))", 2012,
switches from one formula to another at ``-log(2)``; here 1 - exp(x) is computed with more digits than
the result has, and one formula serves.

Examples
--------
>>> import lsecy
>>> print(lsecy.log1mexp([-1e-20, -1.0, -40.0]))
[-4.60517019e+01 -4.58675145e-01 -4.24835426e-18]
""")

log1pexp = ufunc(LOG1PEXP, "log1pexp", """
Logarithm of ``1 + exp(x)``, also called softplus.

Parameters
----------
x : array_like
    Numbers of any shape: float16, float32, float64 or longdouble, or integers and booleans, which
    become floats as in `numpy.exp`.
""" + _OPTIONS + """
Returns
-------
ndarray or NumPy scalar
    Shape and dtype of `x`.  +inf for +inf, 0 for -inf, NaN for NaN.  No warning for any input.

Notes
-----
``max(x, 0) + log1p(exp(-abs(x)))``, within 1 ulp in float32 and float64: `logaddexp` of 0 and `x`.
M. Maechler, "Accurately computing log(1 - exp(-\\|a\\|))", 2012, equation 10.

Examples
--------
>>> import lsecy
>>> print(lsecy.log1pexp([-40.0, 0.0, 1000.0]))
[4.24835426e-18 6.93147181e-01 1.00000000e+03]
""")
