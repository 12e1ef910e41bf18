from lsecy._arguments cimport Problem
from lsecy.kernels.table cimport Map

cdef enum:
    QUICK = 2048    # elements up to which releasing the GIL costs more than it gives

# Computes a problem's result into `out` and `sign` (may be NULL), C-ordered arrays of the element type.
cdef int reduce(const Problem *problem, void *out, void *sign) except -1

# Computes softmax or log_softmax into `out`, an array of the element type with the problem's strides.
cdef int map_rows(const Problem *problem, Map map, void *out) except -1

# One contiguous row of `n` elements of 32 or 64 bits, without weights.
cdef double reduce_row(const void *a, Py_ssize_t n, int bits) noexcept nogil

# The same for softmax or log_softmax and at most QUICK elements.  False, and nothing is written, for special rows.
cdef bint map_row(const void *a, Py_ssize_t n, int bits, Map map, void *out) noexcept nogil
