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
    Py_ssize_t inner_b       # its stride in b: 0 or one element
    Py_ssize_t inner_mask    # 0 or 1
    Py_ssize_t inner_out
    const double *less       # taken from each logarithm, in the result's order; or NULL
    Py_ssize_t less_step     # 0: the same for all

cdef class Call:
    cdef str function        # what errors say
    cdef str label           # of the weights: b or logb
    cdef Problem problem
    cdef object a            # held, for the problem points into them
    cdef object b
    cdef object mask
    cdef tuple shape         # of the result
    cdef object type         # dtype of the result; None: that in which the plain path answers
    cdef object out          # the user's, or None
    cdef object target       # what a map is written to: out itself, where it can be
    cdef bint general        # complex or longdouble: for the plain path

cdef Call reduction(str function, a, axis, b, keepdims, where, logb, scale, out, dtype, bint return_sign)
cdef Call mapping(str function, x, axis, b, where, logb, scale, out, dtype)
cdef object as_result(Call asked, array, out)
