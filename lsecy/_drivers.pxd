from lsecy._arguments cimport Problem
from lsecy.kernels.table cimport Map

cdef enum:
    QUICK = 2048    # elements up to which releasing the GIL costs more than it gives
    STATE = 5       # numbers of a state: shift, high, low, rest, size (kernels/table.pxd)
    PAIR = 10       # of two, one at first look, one with care
    HELD = 20       # of what LogSumExp holds for each sum: a pair for the sum, a pair for the whole

# Computes a problem's result into `out` and `sign` (may be NULL), C-ordered arrays of the element type.
# A problem with `held` has its sums merged into pairs, HELD numbers apart, instead.
cdef int reduce(const Problem *problem, void *out, void *sign) except -1

# Computes softmax or log_softmax into `out`, an array of the element type with the problem's strides.
cdef int map_rows(const Problem *problem, Map map, void *out) except -1

# Computes running sums along the reduced axes into `out`, likewise: each starts from exp(initial).
cdef int scan_rows(const Problem *problem, bint exclusive, double initial, void *out) except -1

# One contiguous row of `n` elements of 32 or 64 bits, without weights.
cdef double reduce_row(const void *a, Py_ssize_t n, int bits) noexcept nogil

# The same, merged into a pair: at most QUICK elements.
cdef void hold_row(const void *a, Py_ssize_t n, int bits, double *held) noexcept nogil

# Merges `count` times HELD numbers, all four states of each.
cdef void merge_held(double *into, const double *source, Py_ssize_t count) noexcept nogil

# The answers of `count` pairs, HELD numbers apart, and their signs (may be NULL) as finished for 32 or 64 bits.
cdef void finish_held(const double *held, Py_ssize_t count, int bits, double *value, double *sign) noexcept nogil

# One contiguous row for softmax or log_softmax, at most QUICK elements.  False, and nothing is written, for a special
# row.
cdef bint map_row(const void *a, Py_ssize_t n, int bits, Map map, void *out) noexcept nogil
