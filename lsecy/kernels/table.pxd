# The whole contract between the drivers and a kernel module: one table of functions per
# (instruction set, element type).  Inputs are `void *` here because the table's type is the same
# for float and double; each function knows its own element type.
#
# A state (shift, high + low + rest) stands for (high + low + rest) * exp(shift): low holds what
# rounding took from high, and rest what it took from low, which counts where a million terms are
# tiny beside one.  `size` is the sum of the terms' magnitudes on the same scale.  Arrays of states
# are kept as five arrays, so that lanes can run across them.

cdef struct States:
    double *shift
    double *high
    double *low
    double *rest
    double *size

# How carefully a block is folded.
cdef enum Care:
    FAST      # one look in the element type, block sums in wider arithmetic
    SHORT     # rows of at most SHORT_ROW elements and their weights: computed in double outright
    EXACT     # pairs of doubles throughout: about 2^-56

cdef enum:
    SHORT_ROW = 48    # longest row that is folded with care SHORT: below it, answers below 4 are the rule
    BLOCK_DOUBLES = 2048    # a block of a row: 16 KB, half of the smallest L1 cache in use
    BLOCK_BYTES = 8 * 2048
    TILE = 64         # rows finished together; columns of a panel

cdef struct Kernels:
    int lanes
    # Folds `n` neighbouring elements into state `place`.  b may be NULL.
    void (*fold_row)(const void *a, const void *b, Py_ssize_t n, Care care,
                     const States *states, Py_ssize_t place) noexcept nogil
    # Folds `n` rows of `width` neighbouring columns (lanes <= width <= TILE) into `width` states.
    # Strides in elements; b_inner is 0 or 1.
    void (*fold_columns)(const void *a, Py_ssize_t a_step, const void *b, Py_ssize_t b_step,
                         Py_ssize_t b_inner, Py_ssize_t n, Py_ssize_t width, Care care,
                         const States *states) noexcept nogil
    # The answers of one row, or of `width` columns, of at most SHORT_ROW elements without weights.
    double (*short_row)(const void *a, Py_ssize_t n) noexcept nogil
    void (*short_columns)(const void *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                          double *value) noexcept nogil
    # log|state| and sign of `count` states; without `sign`, NaN where that is negative.  Whole vectors
    # of up to eight are read and written.  True if any answer may lack digits: |value| < near under
    # shift 0, or |state| < cancelled * size.
    bint (*finish)(const States *states, Py_ssize_t count, double near, double cancelled,
                   double *value, double *sign) noexcept nogil
    # tile[k * TILE + r] = rows[r * step + k] for r < count <= TILE, k < n; `readable` elements of
    # `rows` may be read.
    void (*transpose)(const void *rows, Py_ssize_t step, Py_ssize_t n, Py_ssize_t count,
                      Py_ssize_t readable, void *tile) noexcept nogil
