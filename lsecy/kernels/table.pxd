# The whole contract between the drivers and a kernel module: one table of functions per
# (instruction set, element type).  Inputs are `void *` here because the table's type is the same
# for float and double; each function knows its own element type.
#
# A state (shift, high + low + rest) stands for (high + low + rest) * exp(shift): low holds what
# rounding took from high, and rest what it took from low, which counts where a million terms are
# tiny beside one.  `size` is the sum of the terms' magnitudes on the same scale.  `apart` and
# `apart_low` are `peak_and_sum`'s alone.  Arrays of states are kept as seven arrays, so that lanes can
# run across them.

cdef struct States:
    double *shift
    double *high
    double *low
    double *rest
    double *size
    double *apart
    double *apart_low

cdef enum:
    NUMBERS = 7    # of a state

cdef inline States states_in(double *memory, Py_ssize_t count) noexcept nogil:
    # NUMBERS arrays of `count` numbers.
    cdef States states
    states.shift = memory
    states.high = memory + count
    states.low = memory + 2 * count
    states.rest = memory + 3 * count
    states.size = memory + 4 * count
    states.apart = memory + 5 * count
    states.apart_low = memory + 6 * count
    return states

cdef inline States from_place(const States *states, Py_ssize_t place) noexcept nogil:
    # The states from `place` on.
    cdef States here
    here.shift = states.shift + place
    here.high = states.high + place
    here.low = states.low + place
    here.rest = states.rest + place
    here.size = states.size + place
    here.apart = states.apart + place
    here.apart_low = states.apart_low + place
    return here

# How carefully a block is folded.
cdef enum Care:
    FAST      # one look in the element type, block sums in wider arithmetic
    SHORT     # short rows of which short_terms has no answer: computed in double outright
    EXACT     # pairs of doubles, or two parts on a grid: about 2^-55

cdef enum:
    SHORT_ROW = 64    # bound of the rows that are short (`is_short`)
    BLOCK_DOUBLES = 2048    # a block of a row: 16 KB, half of the smallest L1 cache in use
    BLOCK_BYTES = 8 * 2048
    TILE = 64         # rows finished together; columns of a panel
    LEAST_PAIR = -580    # exponents in between may be pairs: neither a term nor what rounding takes from it, with a
    MOST_PAIR = 350      # weight of usual size, leaves the range of double (`suit_pairs`)
    L1_PERIOD = 4096    # bytes after which memory comes to the same place in L1, of which there are 8, if not more

cdef inline bint is_short(Py_ssize_t n, int bits) noexcept nogil:
    # Rows of so few elements are laid side by side, for the start and the end of each alone would take as long as its
    # elements, and looked at with care from the start, for answers below 4 are the rule.  Of more, 64 of them leave
    # the L1 cache.
    return n <= (SHORT_ROW if bits == 32 else 48)

# Room for the terms of a panel of columns: whole stripes, to whose end some are written, and an odd number of cache
# lines from row to row, for what is written one after the other lies a power of two of rows apart.

cdef inline Py_ssize_t rows_of_room(Py_ssize_t n) noexcept nogil:
    return (n + 127) // 128 * 128

cdef inline Py_ssize_t step_of_room(Py_ssize_t width, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t line = 64 // size
    return ((width + line - 1) // line | 1) * line

cdef inline Py_ssize_t size_of_room(Py_ssize_t n, Py_ssize_t width, Py_ssize_t size) noexcept nogil:
    # In bytes, for both parts of each.
    return 2 * rows_of_room(n) * step_of_room(width, size) * size

cdef inline bint are_crowded(Py_ssize_t step, Py_ssize_t n, Py_ssize_t length) noexcept nogil:
    # Do n pieces of memory of `length` bytes, `step` bytes apart, push each other out of L1?  The larger the power of
    # two that divides the step, the fewer of them have places of their own.
    return n * max(length, min(step & -step, <Py_ssize_t> L1_PERIOD)) > 8 * L1_PERIOD

# The elements of a block: exponents scale * a + logb and weights b, of which some are left out.
# Steps lead from row to row of a panel of columns, or of several rows, in elements; a row of its own has none.
cdef struct Terms:
    const void *a
    Py_ssize_t a_step
    const void *b            # weights, or NULL
    const void *logb         # log-weights, or NULL; never both
    Py_ssize_t b_step        # of the weights of either kind
    Py_ssize_t b_inner       # 0 where all columns share a row's weight, else 1
    const char *kept         # a byte each, 0 for what is left out; or NULL
    Py_ssize_t kept_step
    Py_ssize_t kept_inner
    double scale
    const void *powers       # of weights that stand in b split by now, the powers of two; or NULL
    const void *known        # the peak of such terms, or of near ones (`Peak`); or NULL
    bint near                # may the weights multiply the terms as they are (`is_near`)?
    const void *lost         # what rounding took from exponents that stand in a by now, with steps as theirs; or NULL
    bint bypass              # of a row of a map: the answers go past the caches, which have no room for all of them
    Py_ssize_t ahead         # of a row of a map: how far behind it lies what is looked at next, in elements, or 0

cdef inline Terms plain_terms(const void *a, Py_ssize_t a_step) noexcept nogil:
    cdef Terms terms
    terms.a = a
    terms.a_step = a_step
    terms.b = terms.logb = terms.lost = terms.powers = terms.known = NULL
    terms.kept = NULL
    terms.b_step = terms.kept_step = 0
    terms.b_inner = terms.kept_inner = 1
    terms.scale = 1
    terms.near = False
    terms.bypass = False
    terms.ahead = 0
    return terms

cdef inline bint are_exact(const Terms *terms) noexcept nogil:
    # Does rounding take nothing from the exponents?
    return terms.scale == 1 and terms.logb == NULL and terms.lost == NULL

cdef inline bint is_plain(const Terms *terms) noexcept nogil:
    return terms.b == NULL and terms.kept == NULL and are_exact(terms)

cdef inline bint are_masked(const Terms *terms) noexcept nogil:
    # Is what is kept of them plain, with -inf in the gaps?
    return terms.b == NULL and terms.kept != NULL and are_exact(terms)

cdef inline Terms terms_from(const Terms *terms, Py_ssize_t row, Py_ssize_t size) noexcept nogil:
    # The rows from `row` on, of elements of `size` bytes.
    cdef Terms rest = terms[0]
    rest.a = <const char *> terms.a + row * terms.a_step * size
    if terms.b != NULL:
        rest.b = <const char *> terms.b + row * terms.b_step * size
    if terms.logb != NULL:
        rest.logb = <const char *> terms.logb + row * terms.b_step * size
    if terms.kept != NULL:
        rest.kept = terms.kept + row * terms.kept_step
    return rest

cdef enum Map:
    SOFTMAX
    LOG_SOFTMAX
    LONG_SOFTMAX    # of more than a block, or of what has no other way to the same bits: exp(x - log(sum)), if cheaper

# What a kernel makes of a panel or a row.
cdef enum Answers:
    REFUSED         # nothing is written: there is a NaN or +inf, say
    WRITTEN
    WITH_NOTHING    # written: some of the columns, whose answers are NaN, have nothing above -inf that is kept

cdef struct Kernels:
    int lanes
    bint dense    # does short_terms make columns of rows?
    # Folds `n` neighbouring elements into state `place`.
    void (*fold_row)(const Terms *terms, Py_ssize_t n, Care care, const States *states, Py_ssize_t place) noexcept nogil
    # The same for `count` rows of at most a block, whose operands lie a_step, b_step and kept_step apart, into as many
    # states.
    void (*fold_rows)(const Terms *terms, Py_ssize_t n, Py_ssize_t count, Care care,
                      const States *states) noexcept nogil
    # Folds `n` rows of `width` neighbouring columns (lanes <= width <= TILE) into `width` states.
    void (*fold_columns)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Care care,
                         const States *states) noexcept nogil
    # The answers, elements themselves, of few plain elements (`is_short`): of one row, of as many of `count` rows
    # without gaps as are easily seen to (how many), or of `width` columns.
    double (*short_row)(const void *a, Py_ssize_t n) noexcept nogil
    Py_ssize_t (*short_rows)(const void *a, Py_ssize_t n, Py_ssize_t count, void *answers) noexcept nogil
    void (*short_columns)(const void *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                          void *answers) noexcept nogil
    # The same of any terms, in double; NaN, and False, where that needs more care: fold_columns has it.  `dense`:
    # instead of columns a holds rows without gaps, and so do weights that are not shared, LANES to a vector; up to
    # LANES elements behind the last may be read.
    bint (*short_terms)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint dense, double *answers) noexcept nogil
    # log|state| and sign of `count` states; without `sign`, NaN where that is negative.  Whole vectors
    # of up to eight are read and written.  True if any answer may lack digits: |value| < near under
    # shift 0, or |state| < cancelled * size.
    bint (*finish)(const States *states, Py_ssize_t count, double near, double cancelled,
                   double *value, double *sign) noexcept nogil
    # softmax and log_softmax (their terms have no b).  A row has width 0, a panel its columns.
    # A peak is an array of TILE numbers, followed by TILE of what rounding took from them.
    #   peak    the largest kept exponent, -inf for none (a NaN may be passed over)
    #   sum     states (high + low) 2^shift e^(peak, where that is far); `short` as in `is_short`, of which
    #           log_softmax has its logarithms at once, high + low, for `settle` to hand on;
    #           `apart`: of all terms but the peak, relative to it
    #   peak_and_sum  both of one block of many, by one look at memory: the peak and what rounding took from it in
    #           `shift` and `rest`, a sum relative to 2^size in `high` and `low`; size is NaN where that cannot be.
    #           For log_softmax the sum of all but the peak in `apart` and `apart_low`, where the peak stands out, and
    #           NaN where it does not
    #   settle  what the sums give to the answers: first, second and power; for log_softmax True if some rows
    #           need sums `apart` that are not there, with which it is called again.  Whole vectors are read and
    #           written.
    #   write   the elements, `out_step` apart from row to row
    void (*peak)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, double *peak, double *low) noexcept nogil
    void (*sum)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, const double *peak, bint short, bint apart,
                const States *states) noexcept nogil
    void (*peak_and_sum)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map,
                         const States *states) noexcept nogil
    bint (*settle)(const States *states, Py_ssize_t count, Map map, bint short, bint apart, const double *peak,
                   double *first, double *second, double *power) noexcept nogil
    void (*write)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, const double *peak,
                  const double *first, const double *second, const double *power, void *out,
                  Py_ssize_t out_step) noexcept nogil
    # All of that where a row, or the columns, lie in one block.  Refused if there is a NaN or +inf, and, but for
    # short columns, where nothing above -inf is kept.  `room`, of `size_of_room`: where softmax may keep the terms of
    # columns that are not short; or NULL.
    Answers (*map_block)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, bint short, void *room,
                         void *out, Py_ssize_t out_step) noexcept nogil
    # The same for `count` rows of at most a block, as in fold_rows.  Ends at a special row, and answers how many come
    # before it.
    Py_ssize_t (*map_rows)(const Terms *terms, Py_ssize_t n, Py_ssize_t count, Map map, void *out,
                           Py_ssize_t out_step) noexcept nogil
    # Numbers become their logarithms, NaN below 0.  Where memory ends after `count`, nothing beyond is touched.
    void (*logs)(void *numbers, Py_ssize_t count) noexcept nogil
    # Running sums of float64, of plain terms.  A row has width 0, a panel its columns; y lies TILE
    # apart from row to row, and has room for 15 elements of 0 behind a row.
    #   close_exponentials  y = exp(a), as far as it counts beside a sum above 1e-100, and where that is right because
    #                       all a < 350: 1 for a row or a column, else 0
    #   accumulate          adds y one by one to (high + low) exp(shift), and takes the logarithm after each, or before
    #                       it.  Where the shift is 0, high + low may not be in (1/8, 8) before or after.
    void (*close_exponentials)(const void *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width, double *y,
                               double *close) noexcept nogil
    #   suit_pairs          do all a lie in [LEAST_PAIR, MOST_PAIR], or are -inf?  As close
    #   accumulate_pairs    the same of b exp(a + lost) for such a, and |b| in (1e-30, 1e30), with what rounding takes
    #                       from that: sums are (high + low + rest) exp(shift), of any sign, high in (1e-300, 1e300), or
    #                       of nothing.  lost and b may be NULL; they lie as a does, and whole vectors of them are read.
    void (*accumulate)(const double *y, Py_ssize_t n, Py_ssize_t width, bint exclusive, const States *states,
                       double *out, Py_ssize_t out_step) noexcept nogil
    void (*suit_pairs)(const double *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                       double *close) noexcept nogil
    void (*accumulate_pairs)(const double *a, const double *lost, const double *b, Py_ssize_t a_step, Py_ssize_t n,
                             Py_ssize_t width, bint exclusive, const States *states, double *out,
                             Py_ssize_t out_step) noexcept nogil
    # Copies `n` rows of `width` exponents without scale and weights; what is left out becomes the filler.
    void (*drop)(const Terms *terms, Py_ssize_t n, Py_ssize_t width, double filler, void *target,
                 Py_ssize_t step) noexcept nogil
    # tile[k * TILE + r] = rows[r * step + k] for r < count <= TILE, k < n; `readable` elements of
    # `rows` may be read.
    void (*transpose)(const void *rows, Py_ssize_t step, Py_ssize_t n, Py_ssize_t count,
                      Py_ssize_t readable, void *tile) noexcept nogil
    # The reverse: rows[r * step + k] = tile[k * TILE + r]; nothing else is written.
    void (*untranspose)(const void *tile, Py_ssize_t n, Py_ssize_t count, void *rows, Py_ssize_t step) noexcept nogil
