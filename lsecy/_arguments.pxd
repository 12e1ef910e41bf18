cimport numpy as cnp

cdef enum:
    MOST_AXES = 64    # NumPy's own limit

cdef struct Operand:
    const char *data    # NULL: there is no such operand
    int type            # NumPy's type number of what the memory holds
    bint swapped        # in the other byte order
    bint direct         # already an aligned native array of the element type

# Axes that are looped over, outermost first; strides in bytes, places in the result in elements.
cdef struct Axes:
    int count
    Py_ssize_t length[MOST_AXES]
    Py_ssize_t a[MOST_AXES]
    Py_ssize_t b[MOST_AXES]
    Py_ssize_t out[MOST_AXES]

# The normal form of a reduction: x[kept ..., n, inner], as few axes as there can be.
cdef struct Problem:
    int bits                 # of the element type that is computed with: 32 or 64
    Operand a
    Operand b
    Axes kept                # without inner
    Axes reduced             # product of lengths: n
    Py_ssize_t n
    Py_ssize_t rows          # product of kept lengths
    Py_ssize_t inner         # length of the kept axis along which columns lie in memory, else 1
    Py_ssize_t inner_b       # its stride in b: 0 or one element
    Py_ssize_t inner_out

cdef class Reduction:
    cdef Problem problem
    cdef cnp.ndarray a       # held, for the problem points into them
    cdef object b
    cdef tuple shape         # of the result
    cdef int type            # of the result

cdef Reduction reduction(str function, a, axis, b, keepdims)
