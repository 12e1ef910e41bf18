cimport numpy as cnp

cdef enum:
    MOST_AXES = 64     # NumPy's own limit
    BFLOAT16 = -16     # a type number of our own: ml_dtypes registers its type at run time

cdef struct Operand:
    const char *data    # NULL: there is no such operand
    int type            # NumPy's type number of what the memory holds
    bint swapped        # in the other byte order
    bint direct         # already an aligned native array of the element type (a mask: of bool)

# Axes that are looped over, outermost first; strides of operands in bytes, of the result in elements.
cdef struct Axes:
    int count
    Py_ssize_t length[MOST_AXES]
    Py_ssize_t a[MOST_AXES]
    Py_ssize_t b[MOST_AXES]
    Py_ssize_t mask[MOST_AXES]
    Py_ssize_t out[MOST_AXES]

# The normal form of a call: x[kept ..., n, inner], as few axes as there can be.
cdef struct Problem:
    int bits                 # of the element type that is computed with: 32 or 64
    Operand a
    Operand b                # weights
    bint logarithmic         # they count as log-weights
    bint take_logs           # their logarithms do: a map's weights
    Operand mask
    double scale             # exponents are scale * a + log-weights
    bint bare                # no weights, scale 1
    bint plain               # nor a mask
    Axes kept                # without inner
    Axes reduced             # product of lengths: n
    Py_ssize_t n
    Py_ssize_t rows          # product of kept lengths
    Py_ssize_t inner         # length of the kept axis along which columns lie in memory, else 1
    Py_ssize_t inner_b       # its stride in b: 0 or one element, or any if take_logs
    Py_ssize_t inner_mask    # 0 or 1
    Py_ssize_t inner_out
    const double *less       # taken from each logarithm, in the result's order; or NULL
    Py_ssize_t less_step     # 0: the same for all
    double *held             # states that the sums are merged into, in the result's order; or NULL: there is a result
    bint vanishing           # a map's rows of which nothing is above -inf are 0, not NaN
    Py_ssize_t *refused      # counts rows in which a map meets a negative weight, or NULL: they were looked for before

cdef class Call:
    cdef str function        # what errors say
    cdef str label           # of the weights: b or logb
    cdef Problem problem
    cdef object a            # held, for the problem points into them
    cdef object b
    cdef object mask
    cdef tuple shape         # of the result
    cdef object kind         # dtype in which the operands of the plain path meet
    cdef object type         # dtype of the result; None: the plain path's, where log|z| is real and the sign is not
    cdef object out          # the user's, or None
    cdef object target       # what a map is written to: out itself, where it can be
    cdef bint general        # complex or longdouble: for the plain path
    cdef Py_ssize_t refused  # rows with weights that may not be, seen by a map

cdef Call reduction(str function, a, axis, b, keepdims, where, logb, scale, out, dtype, bint return_sign)
cdef Call whole_of(Call asked, axis, keepdims)
cdef Call mapping(str function, x, axis, b, where, logb, scale, out, dtype, str name=*, bint shares=*,
                  bint logs=*)
cdef Py_ssize_t turn(Problem *problem) noexcept
cdef bint lies_apart(Call asked, out) except -1
cdef int refuse_general(Call asked, str what) except -1
cdef double as_real(str function, str name, value) except? -1
cdef Call scores(str function, str name, logits, axis, bint single, keepdims, where, scale)
cdef tuple pair_of_scores(str function, str name, a, str other_name, other, axis, bint single, keepdims, where, scale,
                          other_scale, bint broadcasts)
cdef object written_rows(Call asked, Call beside, shape, axis, out, Problem *written)
cdef int check_output(Call asked, out) except -1
cdef object as_ids(str function, str name, ids, tuple rows, Py_ssize_t n, ignore_index, bint several)
cdef object as_array(str function, str name, value)
cdef object as_result(Call asked, array, out)
cdef object output_dtype(str function, dtype)


cdef inline int plain_type(kind, bint in_pairs):
    # NumPy's type number of the reals or pairs that the plain path computes with.
    if kind.char in "gG":
        return cnp.NPY_CLONGDOUBLE if in_pairs else cnp.NPY_LONGDOUBLE
    return cnp.NPY_CDOUBLE if in_pairs else cnp.NPY_DOUBLE


# --- the short way ------------------------------------------------------------------------------------

cdef inline object type_of(value):
    return type(value)


cdef inline bint is_the_only(axis):
    # Does `axis` name axis 0 of a 1-d array?
    return type_of(axis) is int and (axis == 0 or axis == -1)


cdef inline Py_ssize_t bare_length(a, axis, b, where, logb, scale, out, dtype, bint flat, Py_ssize_t most):
    # The elements, if that is at most so many, of one contiguous row of float32 or float64 of which nothing else is
    # asked; otherwise 0.  `flat`: axis None makes one row of any array.
    cdef int type
    cdef Py_ssize_t n
    if not (b is None and cnp.PyArray_CheckExact(a)
            and ((axis is None and flat) or (cnp.PyArray_NDIM(<cnp.ndarray> a) == 1
                                             and (axis is None or is_the_only(axis))))
            and where is None and logb is None and out is None and dtype is None
            and type_of(scale) is float and <double> scale == 1.0):
        return 0
    type = cnp.PyArray_TYPE(<cnp.ndarray> a)
    n = cnp.PyArray_SIZE(<cnp.ndarray> a)
    if ((type == cnp.NPY_DOUBLE or type == cnp.NPY_FLOAT) and n <= most
            and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray> a) and cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray> a)):
        return n
    return 0
