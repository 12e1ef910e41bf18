# cython: boundscheck=False, wraparound=False, cdivision=True
"""What is asked: arrays, element type, axes and weights become the normal form; every user error."""

import operator

import numpy as np

cimport numpy as cnp

cnp.import_array()


cdef Reduction reduction(str function, a, axis, b, keepdims):
    cdef Reduction asked = Reduction.__new__(Reduction)
    cdef bint weak = type(b) is float or type(b) is int or type(b) is bool
    cdef char summed[MOST_AXES]
    cdef Py_ssize_t strides_a[MOST_AXES]
    cdef Py_ssize_t strides_b[MOST_AXES]
    cdef int ndim
    asked.a = as_array(function, "a", a)
    asked.type = result_type(function, "a", asked.a)
    if b is not None:
        asked.b = as_array(function, "b", b)
        if not weak:    # a Python number takes the type of the array, as in NumPy
            asked.type = joined_type(asked.type, asked.a, asked.b, result_type(function, "b", asked.b))
    asked.problem.bits = 64 if asked.type == cnp.NPY_DOUBLE else 32
    if weak:
        asked.b = asked.b.astype(np.float64 if asked.problem.bits == 64 else np.float32)
    shape = broadcast(function, asked.a, asked.b, strides_a, strides_b)
    ndim = len(shape)
    mark_axes(function, axis, ndim, summed)
    fill_operand(&asked.problem.a, asked.a, asked.problem.bits)
    asked.problem.b.data = NULL
    if asked.b is not None:
        fill_operand(&asked.problem.b, asked.b, asked.problem.bits)
    split_axes(&asked.problem, shape, strides_a, strides_b, summed)
    choose_inner(&asked.problem)
    asked.shape = result_shape(shape, summed, bool(keepdims))
    return asked


# --- arrays and element types -----------------------------------------------------------------------

cdef cnp.ndarray as_array(str function, str name, value):
    if cnp.PyArray_CheckExact(value):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{function}: {name} is a masked array, and its mask would be ignored; "
            f"pass {name}.data with b=~{name}.mask (a weight of 0 drops an element)")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{function}: {name} cannot be made an array; it must be rectangular, not ragged ({error})"
        ) from None


cdef int result_type(str function, str name, cnp.ndarray array) except -1:
    # The element type in which an array alone would be answered.
    cdef int type = cnp.PyArray_TYPE(array)
    if type == cnp.NPY_DOUBLE or type == cnp.NPY_FLOAT or type == cnp.NPY_FLOAT16:
        return type
    if cnp.PyTypeNum_ISBOOL(type) or cnp.PyTypeNum_ISINTEGER(type):
        return cnp.NPY_DOUBLE
    if type == cnp.NPY_OBJECT:
        way_out = "; convert it to a numeric array first"
    elif type == cnp.NPY_LONGDOUBLE or cnp.PyTypeNum_ISCOMPLEX(type):
        way_out = "; it would lose digits or its imaginary part"
    else:
        way_out = ""
    raise TypeError(
        f"{function}: {name} has dtype {array.dtype}; allowed are float16, float32, float64, "
        f"integers and bool{way_out}")


cdef int joined_type(int type, cnp.ndarray a, cnp.ndarray b, int type_b) except -1:
    if type == type_b:
        return type
    joined = np.result_type(a.dtype, b.dtype).num
    return joined if joined == cnp.NPY_FLOAT or joined == cnp.NPY_FLOAT16 else cnp.NPY_DOUBLE


cdef void fill_operand(Operand *operand, cnp.ndarray array, int bits) noexcept:
    operand.data = <const char *> cnp.PyArray_DATA(array)
    operand.type = cnp.PyArray_TYPE(array)
    operand.swapped = not cnp.PyArray_ISNOTSWAPPED(array)
    operand.direct = (operand.type == (cnp.NPY_DOUBLE if bits == 64 else cnp.NPY_FLOAT)
                      and cnp.PyArray_ISBEHAVED_RO(array))


# --- shapes and axes --------------------------------------------------------------------------------

cdef tuple broadcast(str function, cnp.ndarray a, b, Py_ssize_t *strides_a, Py_ssize_t *strides_b):
    cdef int ndim_a = cnp.PyArray_NDIM(a)
    cdef int ndim_b, ndim, k
    cdef Py_ssize_t length, other
    cdef list lengths
    cdef tuple shape
    if b is None:
        for k in range(ndim_a):
            strides_a[k] = cnp.PyArray_STRIDE(a, k)
            strides_b[k] = 0
        return (<object> a).shape
    ndim_b = cnp.PyArray_NDIM(<cnp.ndarray> b)
    ndim = max(ndim_a, ndim_b)
    lengths = []
    for k in range(ndim):
        length = cnp.PyArray_DIM(a, k - ndim + ndim_a) if k >= ndim - ndim_a else 1
        other = cnp.PyArray_DIM(<cnp.ndarray> b, k - ndim + ndim_b) if k >= ndim - ndim_b else 1
        if length != other and length != 1 and other != 1:
            raise ValueError(
                f"{function}: b of shape {b.shape} does not broadcast against a of shape "
                f"{(<object> a).shape}" + column_hint((<object> a).shape, b.shape))
        lengths.append(length if other == 1 else other)
    shape = tuple(lengths)
    spread(a, shape, strides_a)
    spread(b, shape, strides_b)
    return shape


cdef int spread(cnp.ndarray array, tuple shape, Py_ssize_t *strides) except -1:
    # Strides of the array seen in a larger shape: 0 where it repeats.
    cdef int ndim = len(shape)
    cdef int lead = ndim - cnp.PyArray_NDIM(array)
    cdef int k
    for k in range(ndim):
        if k < lead or cnp.PyArray_DIM(array, k - lead) == 1:
            strides[k] = 0
        else:
            strides[k] = cnp.PyArray_STRIDE(array, k - lead)
    return 0


cdef str column_hint(tuple shape, tuple weights):
    # Weights of one row or axis that were meant to stand upright.
    if len(weights) == 1 and len(shape) >= 2 and shape[len(shape) - 2] == weights[0]:
        return "; did you mean b[:, None]?"
    return ""


cdef int mark_axes(str function, axis, int ndim, char *summed) except -1:
    cdef int k
    for k in range(ndim):
        summed[k] = axis is None
    if axis is None:
        return 0
    for one in axis if type(axis) is tuple else (axis,):
        try:
            number = operator.index(one)
        except TypeError:
            raise TypeError(
                f"{function}: axis must be None, an int or a tuple of ints, not {axis!r}") from None
        if not -ndim <= number < ndim:
            rule = f"use {-ndim} to {ndim - 1}" if ndim else "use None or ()"
            raise np.exceptions.AxisError(
                f"{function}: axis {number} is out of range for a {ndim}-d array ({rule})")
        if number < 0:
            number += ndim
        if summed[number]:
            raise ValueError(f"{function}: axis {axis!r} names axis {number} twice; name each axis once")
        summed[number] = True
    return 0


cdef tuple result_shape(tuple shape, const char *summed, bint keepdims):
    cdef Py_ssize_t k
    cdef Py_ssize_t ndim = len(shape)
    if keepdims:
        return tuple([1 if summed[k] else shape[k] for k in range(ndim)])
    return tuple([shape[k] for k in range(ndim) if not summed[k]])


cdef int split_axes(Problem *problem, tuple shape, const Py_ssize_t *strides_a,
                    const Py_ssize_t *strides_b, const char *summed) except -1:
    # Innermost first, so that the place of a kept axis in the C-ordered result is known; an axis
    # joins its neighbour where both operands' strides agree.
    cdef Py_ssize_t k, length
    cdef Axes *axes
    problem.kept.count = problem.reduced.count = 0
    problem.n = problem.rows = 1
    for k in range(len(shape) - 1, -1, -1):
        length = shape[k]
        axes = &problem.reduced if summed[k] else &problem.kept
        if length != 1:
            push_axis(axes, length, strides_a[k], strides_b[k], problem.rows)
        if summed[k]:
            problem.n *= length
        else:
            problem.rows *= length
    reverse(&problem.kept)
    reverse(&problem.reduced)
    return 0


cdef void push_axis(Axes *axes, Py_ssize_t length, Py_ssize_t a, Py_ssize_t b, Py_ssize_t out) noexcept:
    cdef int last = axes.count - 1
    if last >= 0 and a == axes.a[last] * axes.length[last] and b == axes.b[last] * axes.length[last]:
        axes.length[last] *= length
        return
    axes.length[last + 1] = length
    axes.a[last + 1] = a
    axes.b[last + 1] = b
    axes.out[last + 1] = out
    axes.count += 1


cdef void reverse(Axes *axes) noexcept:
    cdef int low = 0
    cdef int high = axes.count - 1
    while low < high:
        axes.length[low], axes.length[high] = axes.length[high], axes.length[low]
        axes.a[low], axes.a[high] = axes.a[high], axes.a[low]
        axes.b[low], axes.b[high] = axes.b[high], axes.b[low]
        axes.out[low], axes.out[high] = axes.out[high], axes.out[low]
        low += 1
        high -= 1


cdef void choose_inner(Problem *problem) noexcept:
    # Columns: one reduced axis with a kept axis lying along memory, in whole vectors (64 bytes).
    cdef Py_ssize_t size = problem.bits // 8
    cdef Axes *kept = &problem.kept
    cdef int k, j
    problem.inner = 1
    problem.inner_b = problem.inner_out = 0
    if not problem.a.direct or problem.reduced.count > 1 or problem.rows == 0:
        return
    if problem.reduced.count == 1 and (problem.reduced.a[0] == size or problem.reduced.a[0] % size):
        return
    for k in range(kept.count):
        if kept.a[k] == size and kept.length[k] * size >= 64 and (
                kept.b[k] == 0 or (problem.b.direct and kept.b[k] == size)):
            problem.inner = kept.length[k]
            problem.inner_b = kept.b[k]
            problem.inner_out = kept.out[k]
            for j in range(k, kept.count - 1):
                kept.length[j] = kept.length[j + 1]
                kept.a[j] = kept.a[j + 1]
                kept.b[j] = kept.b[j + 1]
                kept.out[j] = kept.out[j + 1]
            kept.count -= 1
            return
