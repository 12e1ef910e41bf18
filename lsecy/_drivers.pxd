from libc.stdint cimport int64_t
from libc.string cimport memset

from lsecy._arguments cimport Problem
from lsecy.kernels.table cimport Map

cdef enum:
    QUICK = 2048    # elements up to which releasing the GIL costs more than it gives
    ALONE = 32768   # elements up to which one thread does a row alone: the short way
    STATE = 5       # numbers of a state: shift, high, low, rest, size (kernels/table.pxd)
    PAIR = 10       # of two, one at first look, one with care
    HELD = 20       # of what LogSumExp holds for each sum: a pair for the sum, a pair for the whole

# What all elements of a row are summed up to.
cdef enum Summary:
    NOTHING
    LOSSES        # u (log(sum) - x), u = weight (alpha target + beta)
    ENTROPY       # -p log p
    DIVERGENCE    # p log(p / q)

# What is asked about each row of a problem whose rows lie along one axis.  Arrays are C-ordered, rows first.
cdef struct Scoring:
    Py_ssize_t k              # of each row, so many chosen elements: rows x k ids, -1 for none
    int64_t *ids
    bint search               # they are found here: the k largest, sorted, of equals the first
    double *values            # their log-probabilities
    int64_t *ranks            # how many elements come before them; -1 where undefined; or NULL
    bint only_first           # any number above 0 will do
    void *lse                 # of each row, in the element type; or NULL
    Summary summary
    const Problem *other      # target probabilities, or the logits of q; or NULL
    double alpha
    double beta
    const double *weight      # of each class; or NULL
    double *totals            # of each row
    double *masses            # of LOSSES: the sum of u
    const Problem *written    # of a gradient: the same rows with the strides of `out`
    void *out                 # or NULL
    const double *factors     # of each row
    const double *chosen      # the weight of its chosen element; or NULL
    double z_loss

cdef inline Scoring no_scoring() noexcept nogil:
    cdef Scoring scoring
    memset(&scoring, 0, sizeof(Scoring))
    return scoring

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

# One contiguous row for softmax or log_softmax.  False, and nothing is written, for a special row of one block.
cdef bint map_row(const void *a, Py_ssize_t n, int bits, Map map, void *out) noexcept nogil

# Computes what is asked of the rows of a problem of `inner` 1; where these are empty, nothing.
cdef int score(const Problem *problem, const Scoring *scoring) except -1
