# cython: boundscheck=False, wraparound=False, cdivision=True
"""What is asked: arrays, element type, axes and weights become the normal form; every user error."""

import numbers
import operator

import numpy as np

cimport numpy as cnp
from libc.stdint cimport uint16_t
from lsecy._convert cimport round_to_bfloat, round_to_half

cnp.import_array()


cdef Call reduction(str function, a, axis, b, keepdims, where, logb, scale, out, dtype, bint return_sign):
    cdef char summed[MOST_AXES]
    cdef Py_ssize_t strides[4][MOST_AXES]
    cdef Call asked = operands(function, "a", a, b, where, logb, scale, dtype)
    if asked.general:
        widen_operands(asked)
    shape = common_shape(function, "a", asked, strides)
    mark_axes(function, axis, len(shape), summed)
    asked.shape = result_shape(shape, summed, bool(keepdims))
    asked.out = out
    if out is not None:
        for one in two_outputs(function, out) if return_sign else (out,):
            check_output(asked, one)
    split_axes(&asked.problem, shape, strides, False, summed)
    if not asked.general:
        choose_inner(&asked.problem, False)
    return asked


cdef Call whole_of(Call asked, axis, keepdims):
    # The sum of the weights of what is kept: that of exp(0) in place of exp(a).
    nought = np.broadcast_to(0.0, np.shape(asked.a))
    b, logb = (None, asked.b) if asked.problem.logarithmic else (asked.b, None)
    return reduction(asked.function, nought, axis, b, keepdims, asked.mask, logb, 1.0, None, np.float64, True)


cdef Call mapping(str function, x, axis, b, where, logb, scale, out, dtype, str name="x", bint shares=True,
                  bint logs=False):
    # `shares`: weights are shares of a whole, and none is negative; `logs`: they enter as their logarithms.
    cdef char summed[MOST_AXES]
    cdef Py_ssize_t strides[4][MOST_AXES]
    cdef Py_ssize_t size, k
    cdef Call asked
    asked = operands(function, name, x, b, where, logb, scale, dtype)
    if asked.general:
        widen_operands(asked)
    asked.shape = common_shape(function, name, asked, strides)
    mark_axes(function, axis, len(asked.shape), summed)
    asked.out = out
    check_output(asked, out)
    asked.target = map_target(asked)
    if shares and b is not None and not asked.general:
        # A map that writes to an array of ours may find a negative weight on its way.  To look for one before takes up
        # to half as long as the map.
        if logs or asked.target is out or asked.target.size == 0:
            check_shares(asked)
        else:
            asked.problem.refused = &asked.refused
        asked.problem.logarithmic = asked.problem.take_logs = logs
    size = asked.target.itemsize
    for k in range(len(asked.shape)):
        strides[3][k] = cnp.PyArray_STRIDE(<cnp.ndarray> asked.target, k) // size
    split_axes(&asked.problem, asked.shape, strides, True, summed)
    if not asked.general:
        choose_inner(&asked.problem, True)
    return asked


cdef Call scores(str function, str name, logits, axis, bint single, keepdims, where, scale):
    # Logits whose rows are looked at, along one axis if `single`; their shape as `lay_rows` leaves it.
    cdef Call asked = real_operand(function, name, logits, where, scale)
    lay_rows(asked, name, None, axis, single, bool(keepdims))
    return asked


cdef tuple pair_of_scores(str function, str name, a, str other_name, other, axis, bint single, keepdims, where,
                          scale, other_scale, bint broadcasts):
    # Two arrays whose rows are looked at together, in the element type in which they meet.
    cdef Call one = real_operand(function, name, a, where, scale)
    cdef Call two = real_operand(function, other_name, other, where, other_scale)
    kind = one.type if one.type is two.type else joined_type(one.a.dtype, two.a.dtype)
    if one.problem.bits != two.problem.bits:
        one = real_operand(function, name, a, where, scale, FLOAT64)
        two = real_operand(function, other_name, other, where, other_scale, FLOAT64)
    one.type = two.type = kind
    shape = broadcast(function, name, one.a.shape, one.a.shape, other_name, two.a.shape) if broadcasts else one.a.shape
    for call in (one, two):
        if (<Call> call).mask is not None:
            shape = broadcast(function, name, shape, shape, "where", (<Call> call).mask.shape)
    lay_rows(one, name, shape, axis, single, bool(keepdims))
    lay_rows(two, other_name, shape, axis, single, bool(keepdims))
    return one, two


cdef Call real_operand(str function, str name, a, where, scale, dtype=None):
    cdef Call asked = operands(function, name, a, None, where, None, scale, dtype)
    if asked.general:
        raise TypeError(
            f"{function}: {name} has dtype {asked.a.dtype}; allowed are float16, bfloat16, float32, float64, integer "
            f"and boolean dtypes")
    return asked


cdef int lay_rows(Call asked, str name, shape, axis, bint single, bint keepdims) except -1:
    # The normal form by rows, in `shape` or that of the operands.
    cdef char summed[MOST_AXES]
    cdef Py_ssize_t strides[4][MOST_AXES]
    cdef int k
    if shape is None:
        shape = common_shape(asked.function, name, asked, strides)
    else:
        for k, one in enumerate((asked.a, None, asked.mask)):
            spread(one, shape, strides[k])
    if single:
        axis = one_axis(asked.function, axis)
    mark_axes(asked.function, axis, len(shape), summed)
    asked.shape = result_shape(shape, summed, keepdims)
    split_axes(&asked.problem, shape, strides, False, summed)
    asked.problem.inner = 1
    asked.problem.inner_b = asked.problem.inner_mask = asked.problem.inner_out = 0
    return 0


cdef one_axis(str function, axis):
    try:
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"{function}: axis must be an int, not {axis!r}") from None


cdef object written_rows(Call asked, Call beside, shape, axis, out, Problem *written):
    # The same rows with the strides of the array that they are written to, which is made where `out` will not do.
    cdef char summed[MOST_AXES]
    cdef Py_ssize_t strides[4][MOST_AXES]
    cdef Py_ssize_t size = asked.problem.bits // 8
    cdef int k
    asked.out = out
    asked.shape = shape
    asked.b = None if beside is None else beside.a    # it must not be overwritten either
    check_output(asked, out)
    target = map_target(asked)
    for k, one in enumerate((asked.a, None, asked.mask)):
        spread(one, shape, strides[k])
    for k in range(len(shape)):
        strides[3][k] = cnp.PyArray_STRIDE(<cnp.ndarray> target, k) // size
    written[0] = asked.problem
    mark_axes(asked.function, axis, len(shape), summed)
    split_axes(written, shape, strides, True, summed)
    return target


cdef Call operands(str function, str name, a, b, where, logb, scale, dtype):
    # Every operand an array, and the element type in which they meet.
    cdef Call asked = Call.__new__(Call)
    cdef Problem *problem = &asked.problem
    if b is not None and logb is not None:
        raise ValueError(f"{function}: b and logb are both given; give the weights or their logarithms")
    weights = b if logb is None else logb
    asked.function = function
    asked.label = "b" if logb is None else "logb"
    problem.logarithmic = logb is not None
    problem.take_logs = False
    problem.scale = as_real(function, "scale", scale)
    weak = type(weights) is float or type(weights) is int or type(weights) is bool
    asked.mask = None if where is None else as_mask(function, where)
    if not cnp.PyArray_CheckExact(a):
        take_mask(function, asked, a)
    if weights is not None and not cnp.PyArray_CheckExact(weights):
        take_mask(function, asked, weights)
    asked.a = as_array(function, name, a)
    kind = asked.kind = element_type(function, name, asked.a)
    if weights is not None:
        asked.b = as_array(function, asked.label, weights)
        if not weak:    # a Python number takes the type of the array, as in NumPy
            other = element_type(function, asked.label, asked.b)
            if kind is not other:
                kind = joined_type(asked.a.dtype, asked.b.dtype)
    asked.general = (kind is not FLOAT64 and kind is not FLOAT32 and kind is not FLOAT16
                     and (kind.kind == "c" or kind == LONGDOUBLE))
    asked.type = kind if dtype is None else output_type(function, dtype, kind)
    if asked.general:
        if weights is not None and not weak:    # where integers count as float64
            asked.kind = np.result_type(asked.kind, other)
        if dtype is None:
            asked.type = None
        return asked
    problem.bits = 64 if kind is FLOAT64 or asked.type is FLOAT64 else 32
    if weak:
        asked.b = np.asarray(asked.b, FLOAT64 if problem.bits == 64 else FLOAT32)
    fill_operand(&problem.a, asked.a, problem.bits)
    fill_operand(&problem.b, asked.b, problem.bits)
    fill_operand(&problem.mask, asked.mask, 8)
    problem.bare = weights is None and problem.scale == 1
    problem.plain = problem.bare and asked.mask is None
    problem.less = NULL
    problem.less_step = 0
    problem.held = NULL
    problem.vanishing = False
    problem.refused = NULL
    return asked


# --- arrays and element types -----------------------------------------------------------------------

# C variables: to look up a name in the module costs a good part of a small call.
cdef object FLOAT16 = np.dtype(np.float16)
cdef object FLOAT32 = np.dtype(np.float32)
cdef object FLOAT64 = np.dtype(np.float64)
cdef object LONGDOUBLE = np.dtype(np.longdouble) if np.finfo(np.longdouble).nmant > 52 else None


cdef object as_array(str function, str name, value):
    if cnp.PyArray_CheckExact(value):
        return value
    if isinstance(value, np.ma.MaskedArray):
        return value.data    # the mask has gone to `where`
    graph = getattr(value, "__dask_graph__", None)
    if graph is not None and graph() is not None:
        raise TypeError(
            f"{function}: {name} is a lazy array of dask, and to load it whole is not for us to decide; "
            f"map over its blocks, as in dask.array.map_blocks(lsecy.{function}, {name}, axis=-1, ...), "
            f"with blocks that hold whole rows, or pass {name}.compute()")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{function}: {name} cannot be made an array; it must be rectangular, not ragged ({error})"
        ) from None


cdef as_mask(str function, where):
    mask = as_array(function, "where", where)
    if mask.dtype != np.bool_:
        raise TypeError(f"{function}: where has dtype {mask.dtype}; it must be boolean, true for what is kept")
    return mask


cdef int take_mask(str function, Call asked, value) except -1:
    # The mask of a masked array joins `where`.
    if not isinstance(value, np.ma.MaskedArray):
        return 0
    kept = ~np.ma.getmaskarray(value)
    if asked.mask is None:
        asked.mask = kept
        return 0
    try:
        asked.mask = np.logical_and(asked.mask, kept)
    except ValueError:
        raise ValueError(
            f"{function}: where of shape {asked.mask.shape} does not broadcast against a mask of shape {kept.shape}"
        ) from None
    return 0


cdef double as_real(str function, str name, value) except? -1:
    if type(value) is float:
        return value
    if isinstance(value, (numbers.Real, np.ndarray)) and np.ndim(value) == 0 and np.isrealobj(value):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise TypeError(f"{function}: {name} must be one real number, not {value!r}")


cdef is_bfloat16(kind):
    return kind.itemsize == 2 and kind.name == "bfloat16"


cdef element_type(str function, str name, array):
    # The dtype in which an array alone would be answered.
    cdef int type = cnp.PyArray_TYPE(array)
    if type == cnp.NPY_DOUBLE or cnp.PyTypeNum_ISBOOL(type) or cnp.PyTypeNum_ISINTEGER(type):
        return FLOAT64
    if type == cnp.NPY_FLOAT:
        return FLOAT32
    if type == cnp.NPY_FLOAT16:
        return FLOAT16
    kind = array.dtype
    if type == cnp.NPY_LONGDOUBLE or cnp.PyTypeNum_ISCOMPLEX(type):
        return kind.newbyteorder("=") if type != cnp.NPY_LONGDOUBLE or LONGDOUBLE is not None else FLOAT64
    if is_bfloat16(kind):
        return kind
    way_out = "; convert it to a numeric array first" if type == cnp.NPY_OBJECT else ""
    raise TypeError(
        f"{function}: {name} has dtype {kind}; allowed are floating, complex, integer and boolean "
        f"dtypes{way_out}")


cdef object output_dtype(str function, dtype):
    # A dtype in which real numbers are answered.
    return output_type(function, dtype, FLOAT64)


cdef object joined_type(one, other):
    joined = np.result_type(one, other)
    return FLOAT64 if joined.kind in "bui" else the_one(joined)


cdef the_one(kind):
    # The very object, for dtypes are told apart by identity here: equality costs as much as a small call.
    for known in (FLOAT16, FLOAT32, FLOAT64):
        if kind == known:
            return known
    return kind.newbyteorder("=")


cdef output_type(str function, dtype, kind):
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        wanted = None
    if wanted is not None and wanted.isnative and (
            wanted.kind in "fc" or is_bfloat16(wanted)) and (wanted.kind == "c") == (kind.kind == "c"):
        if wanted.kind == "c" or wanted != np.dtype(np.longdouble) or kind == wanted:
            return the_one(wanted)
    allowed = "complex64, complex128 and clongdouble" if kind.kind == "c" else "float16, bfloat16, float32 and float64"
    raise TypeError(f"{function}: dtype is {dtype!r}; allowed for this input are {allowed}")


cdef void fill_operand(Operand *operand, array, int bits) except *:
    cdef int type
    if array is None:
        operand.data = NULL
        operand.direct = True
        return
    type = cnp.PyArray_TYPE(array)
    operand.data = <const char *> cnp.PyArray_DATA(array)
    operand.type = BFLOAT16 if cnp.PyTypeNum_ISUSERDEF(type) else type
    operand.swapped = not cnp.PyArray_ISNOTSWAPPED(array)
    operand.direct = (type == (cnp.NPY_DOUBLE if bits == 64 else cnp.NPY_FLOAT if bits == 32 else cnp.NPY_BOOL)
                      and cnp.PyArray_ISBEHAVED_RO(array))


cdef int widen_operands(Call asked) except -1:
    # For the plain path: aligned native arrays of one precision, complex only where they were.
    asked.a = widened(asked.a, asked.kind)
    if asked.b is not None:
        asked.b = widened(asked.b, asked.kind)
    fill_operand(&asked.problem.a, asked.a, 0)
    fill_operand(&asked.problem.b, asked.b, 0)
    fill_operand(&asked.problem.mask, asked.mask, 8)
    return 0


cdef object widened(array, kind):
    cdef int type = plain_type(kind, cnp.PyTypeNum_ISCOMPLEX(cnp.PyArray_TYPE(array)))
    if cnp.PyArray_TYPE(array) == type and cnp.PyArray_ISBEHAVED_RO(array):
        return array
    with np.errstate(all="ignore"):
        return np.array(array, cnp.PyArray_DescrFromType(type))


cdef int check_shares(Call asked) except -1:
    # softmax shares out a whole, so a weight that counts is a share.
    cdef object b = asked.b
    if b.size == 0 or b.dtype.kind in "bu":
        return 0
    with np.errstate(all="ignore"):
        if b.min() >= 0:    # without a temporary; false for NaN too
            return 0
        negative = np.asarray(b < 0)
    if asked.mask is not None:
        b, negative, mask = np.broadcast_arrays(b, negative, asked.mask)
        negative = negative & mask
    if negative.any():
        raise ValueError(
            f"{asked.function}: b holds {b[negative].flat[0]}; the weights of shares must not be negative")
    return 0


cdef int refuse_general(Call asked, str what) except -1:
    raise TypeError(f"{asked.function}: {asked.kind} has no {what}; allowed are float16, bfloat16, float32, float64, "
                    "integers and booleans")


cdef Py_ssize_t turn(Problem *problem) noexcept:
    # From now on the rows of a map are walked from their ends.  Answers how far the result's first element lies from
    # where it did, in elements.
    cdef Axes *axes = &problem.reduced
    cdef Py_ssize_t last, apart = 0
    cdef int k
    for k in range(axes.count):
        last = axes.length[k] - 1
        problem.a.data += last * axes.a[k]
        problem.b.data += last * axes.b[k]
        problem.mask.data += last * axes.mask[k]
        apart += last * axes.out[k]
        axes.a[k] = -axes.a[k]
        axes.b[k] = -axes.b[k]
        axes.mask[k] = -axes.mask[k]
        axes.out[k] = -axes.out[k]
    return apart


# --- chosen elements ----------------------------------------------------------------------------------

cdef object as_ids(str function, str name, ids, tuple rows, Py_ssize_t n, ignore_index, bint several):
    # int64 in C order, -1 for what is ignored; each in range.
    masked = isinstance(ids, np.ma.MaskedArray)
    array = as_array(function, name, ids)
    if array.dtype.kind not in "iu" and array.size > 0:
        raise TypeError(f"{function}: {name} has dtype {array.dtype}; indices must be integers")
    if array.shape != rows and not (several and array.ndim > 0 and array.shape[:array.ndim - 1] == rows):
        also = f" or {rows} with one more axis at the end" if several else ""
        raise ValueError(f"{function}: {name} has shape {array.shape}; allowed is {rows}{also}")
    if ignore_index is not None:
        try:
            ignore_index = operator.index(ignore_index)
        except TypeError:
            raise TypeError(f"{function}: ignore_index must be an int or None, not {ignore_index!r}") from None
    ignored = None
    if masked:
        ignored = np.ma.getmaskarray(ids)
    if ignore_index is not None:
        same = array == ignore_index
        ignored = same if ignored is None else ignored | same
    inside = array.size == 0 or (array.min() >= 0 and array.max() < n)
    if not inside:
        bad = (array < 0) | (array >= n)
        if ignored is not None:
            bad &= ~ignored
        if bad.any():
            place = np.unravel_index(int(np.argmax(bad)), array.shape)
            where = f"[{', '.join(map(str, place))}]" if place else ""
            allowed = f"0 to {n - 1}" if n else "none, for there are no classes"
            also = "" if ignore_index is None else f", and ignore_index, {ignore_index}"
            raise IndexError(f"{function}: {name}{where} is {array[place]}; allowed are {allowed}{also}")
    if ignored is not None and ignored.any():
        array = np.where(ignored, -1, array.astype(np.int64))
    return np.ascontiguousarray(array, np.int64).reshape(array.shape)


# --- outputs ----------------------------------------------------------------------------------------

cdef tuple two_outputs(str function, out):
    if type(out) is not tuple or len(out) != 2:
        raise TypeError(f"{function}: with return_sign, out must be a tuple of two arrays, not {type(out).__name__}")
    return out


cdef int check_output(Call asked, out) except -1:
    cdef str function = asked.function
    if out is None or asked.type is None:
        return 0
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{function}: out must be a NumPy array, not {type(out).__name__}")
    if out.dtype != asked.type:
        raise TypeError(f"{function}: out has dtype {out.dtype}; the result has dtype {asked.type}")
    if out.shape != asked.shape:
        raise ValueError(f"{function}: out has shape {out.shape}; the result has shape {asked.shape}")
    if not out.flags.writeable:
        raise ValueError(f"{function}: out is read-only")
    return 0


cdef bint lies_apart(Call asked, out) except -1:
    # Of all inputs.
    for one in (asked.a, asked.b, asked.mask):
        if one is not None and np.may_share_memory(out, one):
            return False
    return True


cdef map_target(Call asked):
    # The array that is written to: a new one where `out` could not take the elements as they come, or
    # overlaps an input, but for x in its own place.
    cdef object out = asked.out
    cdef object element = FLOAT64 if asked.problem.bits == 64 else FLOAT32
    if asked.general:    # the row is read again while it is written
        return np.empty(asked.shape, cnp.PyArray_DescrFromType(plain_type(asked.kind, asked.kind.kind == "c")))
    if out is not None and out.dtype == element and cnp.PyArray_ISBEHAVED(out):
        alone = asked.b is None and asked.mask is None
        if lies_apart(asked, out) or (alone and is_same_place(out, asked.a)):
            return out
    return np.empty(asked.shape, element)


cdef object as_result(Call asked, array, out):
    # In the dtype of the result, in the user's own array if there is one, a scalar if no axis is left.
    if asked.refused:    # so `array` is ours, and nothing of the user's was written
        check_shares(asked)
    if out is None and array.dtype is asked.type and cnp.PyArray_CheckExact(array):
        return array[()] if cnp.PyArray_NDIM(array) == 0 else array
    if out is array:
        return out
    array = np.asarray(array)
    if asked.type is None and out is not None:
        asked.type = array.dtype
        check_output(asked, out)
        asked.type = None
    if out is not None:
        convert_result(array, out)
        return out
    if asked.type is not None and array.dtype != asked.type:
        out = np.empty(array.shape, asked.type)
        convert_result(array, out)
        array = out
    return array[()] if array.ndim == 0 else array


cdef int convert_result(array, out) except -1:
    # Both of the same shape.
    cdef int type = cnp.PyArray_TYPE(out)
    cdef bint half = type == cnp.NPY_FLOAT16, bfloat = cnp.PyTypeNum_ISUSERDEF(type)
    cdef const float *source = <const float *> cnp.PyArray_DATA(array)
    cdef uint16_t *target = <uint16_t *> cnp.PyArray_DATA(out)
    cdef Py_ssize_t count = cnp.PyArray_SIZE(array)
    if (not (half or bfloat) or cnp.PyArray_TYPE(array) != cnp.NPY_FLOAT or not cnp.PyArray_IS_C_CONTIGUOUS(array)
            or not cnp.PyArray_IS_C_CONTIGUOUS(out) or not cnp.PyArray_ISBEHAVED(out)):
        with np.errstate(all="ignore"):
            np.copyto(out, array, casting="unsafe")
        return 0
    with nogil:
        if half:
            round_to_half(source, target, count)
        else:
            round_to_bfloat(source, target, count)
    return 0


cdef bint is_same_place(out, a) except -1:
    return (cnp.PyArray_DATA(out) == cnp.PyArray_DATA(a) and out.strides == a.strides
            and out.shape == a.shape and out.dtype == a.dtype)


# --- shapes and axes --------------------------------------------------------------------------------

cdef tuple common_shape(str function, str name, Call asked, Py_ssize_t (*strides)[MOST_AXES]):
    # The shape in which the operands meet, and their strides in it.
    cdef int k, j
    cdef tuple shape = asked.a.shape
    if asked.b is None and asked.mask is None:
        spread(asked.a, shape, strides[0])
        for k in range(1, 3):
            for j in range(len(shape)):
                strides[k][j] = 0
        return shape
    for other, label in ((asked.b, asked.label), (asked.mask, "where")):
        if other is not None:
            shape = broadcast(function, name, asked.a.shape, shape, label, other.shape)
    if len(shape) > MOST_AXES:
        raise ValueError(f"{function}: {name} has {len(shape)} axes; allowed are {MOST_AXES}")
    for k, one in enumerate((asked.a, asked.b, asked.mask)):
        spread(one, shape, strides[k])
    return shape


cdef tuple broadcast(str function, str name, tuple first, tuple shape, str label, tuple other):
    cdef int ndim = max(len(shape), len(other)), k
    cdef list lengths = []
    for k in range(ndim):
        one = shape[k - ndim + len(shape)] if k >= ndim - len(shape) else 1
        two = other[k - ndim + len(other)] if k >= ndim - len(other) else 1
        if one != two and one != 1 and two != 1:
            raise ValueError(
                f"{function}: {label} of shape {other} does not broadcast against {name} of shape "
                f"{first if len(first) else shape}" + column_hint(first, label, other))
        lengths.append(one if two == 1 else two)
    return tuple(lengths)


cdef int spread(array, tuple shape, Py_ssize_t *strides) except -1:
    # Strides of the array seen in a larger shape: 0 where it repeats.
    cdef int ndim = len(shape)
    cdef int lead = ndim - (0 if array is None else cnp.PyArray_NDIM(array))
    cdef int k
    for k in range(ndim):
        if array is None or k < lead or cnp.PyArray_DIM(array, k - lead) == 1:
            strides[k] = 0
        else:
            strides[k] = cnp.PyArray_STRIDE(array, k - lead)
    return 0


cdef str column_hint(tuple shape, str label, tuple weights):
    # Weights of one row or axis that were meant to stand upright.
    if len(weights) == 1 and len(shape) >= 2 and shape[len(shape) - 2] == weights[0]:
        return f"; did you mean {label}[:, None]?"
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


cdef int split_axes(Problem *problem, tuple shape, const Py_ssize_t (*strides)[MOST_AXES], bint maps,
                    const char *summed) except -1:
    # Innermost first, so that the place of a kept axis in the C-ordered result of a reduction is
    # known; an axis joins its neighbour where all strides agree.
    cdef Py_ssize_t k, length, out
    cdef Axes *axes
    problem.kept.count = problem.reduced.count = 0
    problem.n = problem.rows = 1
    for k in range(len(shape) - 1, -1, -1):
        length = shape[k]
        axes = &problem.reduced if summed[k] else &problem.kept
        if length != 1:
            out = strides[3][k] if maps else 0 if summed[k] else problem.rows
            push_axis(axes, length, strides[0][k], strides[1][k], strides[2][k], out)
        if summed[k]:
            problem.n *= length
        else:
            problem.rows *= length
    reverse(&problem.kept)
    reverse(&problem.reduced)
    return 0


cdef void push_axis(Axes *axes, Py_ssize_t length, Py_ssize_t a, Py_ssize_t b, Py_ssize_t mask,
                    Py_ssize_t out) noexcept:
    cdef int last = axes.count - 1
    if (last >= 0 and a == axes.a[last] * axes.length[last] and b == axes.b[last] * axes.length[last]
            and mask == axes.mask[last] * axes.length[last] and out == axes.out[last] * axes.length[last]):
        axes.length[last] *= length
        return
    axes.length[last + 1] = length
    axes.a[last + 1] = a
    axes.b[last + 1] = b
    axes.mask[last + 1] = mask
    axes.out[last + 1] = out
    axes.count += 1


cdef void reverse(Axes *axes) noexcept:
    cdef int low = 0
    cdef int high = axes.count - 1
    while low < high:
        axes.length[low], axes.length[high] = axes.length[high], axes.length[low]
        axes.a[low], axes.a[high] = axes.a[high], axes.a[low]
        axes.b[low], axes.b[high] = axes.b[high], axes.b[low]
        axes.mask[low], axes.mask[high] = axes.mask[high], axes.mask[low]
        axes.out[low], axes.out[high] = axes.out[high], axes.out[low]
        low += 1
        high -= 1


cdef void choose_inner(Problem *problem, bint maps) noexcept:
    # Columns: one reduced axis with a kept axis lying along memory, in whole vectors (64 bytes).
    cdef Py_ssize_t size = problem.bits // 8
    cdef Axes *kept = &problem.kept
    cdef int k, j
    problem.inner = 1
    problem.inner_b = problem.inner_mask = problem.inner_out = 0
    if not problem.a.direct or not problem.mask.direct or problem.reduced.count > 1 or problem.rows == 0:
        return
    if problem.reduced.count == 1 and (problem.reduced.a[0] == size or problem.reduced.a[0] % size):
        return
    for k in range(kept.count):
        if (kept.a[k] == size and kept.length[k] * size >= 64
                and (kept.b[k] == 0 or problem.take_logs or (problem.b.direct and kept.b[k] == size))
                and (kept.mask[k] == 0 or kept.mask[k] == 1) and (kept.out[k] == 1 or not maps)):
            problem.inner = kept.length[k]
            problem.inner_b = kept.b[k]
            problem.inner_mask = kept.mask[k]
            problem.inner_out = kept.out[k]
            for j in range(k, kept.count - 1):
                kept.length[j] = kept.length[j + 1]
                kept.a[j] = kept.a[j + 1]
                kept.b[j] = kept.b[j + 1]
                kept.mask[j] = kept.mask[j + 1]
                kept.out[j] = kept.out[j + 1]
            kept.count -= 1
            return
