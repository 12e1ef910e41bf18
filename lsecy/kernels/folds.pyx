# The arithmetic of a log-sum-exp, in one text for every instruction set and element type.
#
# A block's terms are b exp(a - shift), where the shift is a multiple of 32, usually 0.  A sum of
# exponentials needs no shift by its very largest term, only one that is near: float32 spans e^(+-87).
# A multiple of 32 towards zero costs no digit, because a - shift is then exact for every term that
# counts, and sums under equal shifts merge without rescaling.
#
# The shift is guessed from the block's first element, so that one look suffices; the sum itself
# tells whether the guess was good (`accepted`).  Where it was not, `survey` finds the largest term
# and everything infinite, and the block is folded again.  Guess and answer depend on the block's
# own data alone, so they are the same for every layout, batch and thread.
#
# Order of a sum, the same in every function here: element k is added at position k mod WIDTH (EXACT
# and SHORT: DWIDTH); FAST first adds eight terms that are WIDTH apart as a tree, in the element
# type (equal terms add up exactly), and the trees in double; positions are joined by halving.

from cpython.pycapsule cimport PyCapsule_New

from lsecy.kernels.elementary cimport (
    double_power, float_power, log_coarse, log_pair, pair_power, reduced, two_sum)
from lsecy.kernels.simd cimport *
from lsecy.kernels.table cimport EXACT, FAST, SHORT, SHORT_ROW, TILE, Care, Kernels, States

cdef extern from "math.h" nogil:
    const double INFINITY
    const double NAN
    double fabs(double)

cdef enum:
    TREE = 8            # terms of one tree
    SPREAD = 16         # bound of WIDTH
    LANES_BOUND = 16    # bound of LANES
    HALVES_BOUND = 2    # bound of HALVES
    GRID = 32           # shifts are multiples of it


# --- shifts ---------------------------------------------------------------------------------------

cdef inline vec on_grid(vec x) noexcept nogil:
    # The multiple of 32 next to x towards zero; 0 where x is not finite.
    cdef vec y = magnitude(x) * splat(<real> (1.0 / GRID))
    cdef vec magic = splat(12582912.0) if REAL_BITS == 32 else splat(<real> 6755399441055744.0)
    cdef vec whole = (y + magic) - magic
    cdef vec one = splat(1)
    whole = pick(whole > y, whole - one, whole)
    whole = pick(y < magic * splat(<real> 0.25), whole, y) * splat(<real> GRID)
    whole = pick(x < splat(0), splat(0) - whole, whole)
    return pick(x - x == splat(0), whole, splat(0))


cdef inline divec accepted(dvec size, dvec shift, Py_ssize_t n) noexcept nogil:
    # Is the shift near enough to the largest term?  With shift 0 every difference is exact, and the
    # range of float32 is the limit: terms below 2^-126 were dropped, so the sum must be far above.
    # Otherwise the largest term must lie on the far side of the shift, where a - shift is exact.
    cdef dvec zero = dsplat(0)
    cdef dvec low = dpick(shift > zero, dsplat(0.36787944117144233), dsplat(8.673617379884035e-19))    # 1/e, 2^-60
    cdef dvec high = dpick(shift < zero, dsplat(8.0 * n), dsplat(1.2676506002282294e30))    # 2^100
    return (size >= low) & (size <= high)


cdef inline bint accepted_lane(const States *states, Py_ssize_t place, Py_ssize_t n) noexcept nogil:
    return dall(accepted(dsplat(states.size[place]), dsplat(states.shift[place]), n))


# --- terms ----------------------------------------------------------------------------------------

cdef inline vec fast_term(vec x, vec b, bint weighted) noexcept nogil:
    # exp(x), or b exp(x) with b's exponent taken into the power of two, so that weights of any size
    # neither overflow nor vanish.  A zero weight drops its element, NaN or not.
    cdef vec p, z, k, mantissa, exponent
    if not weighted:
        x = in_range(x)
    if REAL_BITS == 32:
        float_power(x, &p, &z, &k)
    else:
        double_power(half(x, 0), False, <dvec *> &p, <dvec *> &z, <dvec *> &k)    # half: x itself
    if not weighted:
        return term_in_range(p, z, k)
    split_power(b, &mantissa, &exponent)
    return pick(b == splat(0), splat(0), term_of_power(p * mantissa, k + exponent))


cdef inline void double_term(dvec a, dvec shift, dvec b, bint weighted, bint exact,
                             dvec *high, dvec *low) noexcept nogil:
    # b exp(a - shift) in double; exact: as an unevaluated sum of two.  Where weights span the whole
    # range, a term may count whose a lies far from the shift: only then a - shift is not exact.
    cdef dvec p, z, k, mantissa, exponent, product, x, lost
    cdef divec gone
    x = a - shift
    lost = dsplat(0)
    if exact and weighted:
        two_sum(a, dsplat(0) - shift, &x, &lost)
        lost = dpick(lost - lost == dsplat(0), lost, dsplat(0))    # infinite a
    if not exact:
        double_power(x, True, &p, &z, &k)
        if weighted:
            dsplit_power(b, &mantissa, &exponent)
            high[0] = dpick(b == dsplat(0), dsplat(0), dterm_of_power(p * mantissa, k + exponent))
        else:
            high[0] = dterm_of_power(p, k)
        return
    pair_power(x, lost, &p, low, &z, &k)
    if weighted:
        dsplit_power(b, &mantissa, &exponent)
        product = p * mantissa
        low[0] = low[0] * mantissa - residual(product, p, mantissa)
        p = product
        k = k + exponent
    gone = k < dsplat(-1100)    # below the smallest subnormal; also -inf, whose p is NaN
    high[0] = dpick(gone, dsplat(0), dscale(p, k))
    low[0] = dpick(gone, dsplat(0), dscale(low[0], k))
    if weighted:
        high[0] = dpick(b == dsplat(0), dsplat(0), high[0])
        low[0] = dpick(b == dsplat(0), dsplat(0), low[0])


cdef inline vec eight_terms(const real *a, Py_ssize_t a_apart, const real *b, Py_ssize_t b_apart,
                            vec shift, int count, bint weighted, bint spread_b, vec *size) noexcept nogil:
    # The tree sum of `count` <= 8 vectors of terms, `apart` elements from each other; missing ones
    # count as zero.
    cdef vec e[TREE]
    cdef vec w = splat(0)
    cdef int s
    for s in range(TREE):
        if s < count:
            if weighted:
                w = splat(b[s * b_apart]) if spread_b else load(b + s * b_apart)
            e[s] = fast_term(load(a + s * a_apart) - shift, w, weighted)
        else:
            e[s] = splat(0)
    if weighted:
        size[0] = ((magnitude(e[0]) + magnitude(e[1])) + (magnitude(e[2]) + magnitude(e[3]))) + (
            (magnitude(e[4]) + magnitude(e[5])) + (magnitude(e[6]) + magnitude(e[7])))
    return ((e[0] + e[1]) + (e[2] + e[3])) + ((e[4] + e[5]) + (e[6] + e[7]))


# --- sums in wider arithmetic -----------------------------------------------------------------------

cdef inline void add_wide(vec x, dvec *high, dvec *low) noexcept nogil:
    # float32: both halves of x to high[0], high[1] in double.  float64: x to high[0] with its
    # rounding error to low[0].
    cdef dvec error
    cdef int which
    if REAL_BITS == 64:
        two_sum(high[0], half(x, 0), high, &error)
        low[0] = low[0] + error
    else:
        for which in range(HALVES):
            high[which] = high[which] + half(x, which)


cdef inline void add_pair(dvec h, dvec l, dvec *high, dvec *low) noexcept nogil:
    cdef dvec error
    two_sum(high[0], h, high, &error)
    low[0] = low[0] + (error + l)


cdef inline void add_triple(dvec h, dvec l, dvec r, dvec *high, dvec *low, dvec *rest) noexcept nogil:
    # Beside a large term the small ones gather in low, where their own rounding must not drift.
    cdef dvec error, more
    two_sum(high[0], h, high, &error)
    two_sum(low[0], error + l, low, &more)
    rest[0] = rest[0] + (more + r)


cdef inline void join(dvec *high, dvec *low, dvec *rest, dvec *size, Py_ssize_t positions,
                      bint pairs, bint triples, bint sized) noexcept nogil:
    # Halving: position p and p + half, until one is left.  What counts beside high: `pairs` low,
    # `triples` rest too, `sized` size.
    cdef Py_ssize_t p
    while positions > 1:
        positions = positions // 2
        for p in range(positions):
            if triples:
                add_triple(high[p + positions], low[p + positions], rest[p + positions], high + p, low + p, rest + p)
            elif pairs:
                add_pair(high[p + positions], low[p + positions], high + p, low + p)
            else:
                high[p] = high[p] + high[p + positions]
            if sized:
                size[p] = size[p] + size[p + positions]


cdef inline void keep(const States *states, Py_ssize_t place, double shift,
                      double high, double low, double rest, double size) noexcept nogil:
    # Normalised, so that low is a rounding error of high.
    cdef double total = high + low
    states.shift[place] = shift
    states.high[place] = total
    states.low[place] = (high - total) + low
    states.rest[place] = rest
    states.size[place] = size


cdef inline void keep_columns(const States *states, Py_ssize_t place, dvec shift,
                              dvec high, dvec low, dvec rest, dvec size) noexcept nogil:
    cdef dvec total = high + low
    dstore(states.shift + place, shift)
    dstore(states.high + place, total)
    dstore(states.low + place, (high - total) + low)
    dstore(states.rest + place, rest)
    dstore(states.size + place, size)


cdef inline void keep_row(dvec *high, dvec *low, dvec *rest, dvec *size, Py_ssize_t positions, bint pairs,
                          bint triples, bint sized, double shift, const States *states,
                          Py_ssize_t place) noexcept nogil:
    # One row's positions, DLANES to a vector: vectors are halved first, then the lanes of the last.
    cdef double highs[LANES_BOUND]
    cdef double lows[LANES_BOUND]
    cdef double rests[LANES_BOUND]
    cdef double sizes[LANES_BOUND]
    cdef double s, t, y, error
    cdef Py_ssize_t half_way = DLANES, p
    join(high, low, rest, size, positions // DLANES, pairs, triples, sized)
    dstore(highs, high[0])
    dstore(lows, low[0] if pairs else dsplat(0))
    dstore(rests, rest[0] if triples else dsplat(0))
    dstore(sizes, size[0] if sized else high[0])
    while half_way > 1:
        half_way = half_way // 2
        for p in range(half_way):
            s = highs[p] + highs[p + half_way]
            if pairs:
                t = s - highs[p]
                error = (highs[p] - (s - t)) + (highs[p + half_way] - t)
                y = error + lows[p + half_way]
                error = lows[p] + y
                if triples:
                    t = error - lows[p]
                    rests[p] = rests[p] + (((lows[p] - (error - t)) + (y - t)) + rests[p + half_way])
                lows[p] = error
            highs[p] = s
            if sized:
                sizes[p] = sizes[p] + sizes[p + half_way]
    keep(states, place, shift, highs[0], lows[0], rests[0], sizes[0] if sized else highs[0])


cdef inline void pad(const real *source, Py_ssize_t count, Py_ssize_t length, real filler, real *target) noexcept nogil:
    # `count` elements, then the filler: what adds nothing, rather than a second loop for the rest.
    cdef Py_ssize_t k = 0, full
    while k + LANES <= count:
        store(target + k, load(source + k))
        k += LANES
    full = k
    while k < length:
        store(target + k, splat(filler))
        k += LANES
    for k in range(full, count):
        target[k] = source[k]


# --- rows: lanes along n ------------------------------------------------------------------------------

cdef inline void fast_row(const real *a, const real *b, Py_ssize_t n, real shift, bint weighted,
                          const States *states, Py_ssize_t place) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec size[SPREAD]
    cdef real a_rest[TREE * SPREAD]
    cdef real b_rest[TREE * SPREAD]
    cdef vec c = splat(shift), total, total_size
    cdef Py_ssize_t i = 0, k, stripe = TREE * WIDTH
    cdef int v, h
    for v in range(WIDTH // DLANES):
        high[v] = low[v] = size[v] = dsplat(0)
    while i < n:
        if n - i < stripe:    # padded with what adds nothing, rather than a second loop
            pad(a + i, n - i, stripe, <real> -INFINITY, a_rest)
            a = a_rest - i
            if weighted:
                pad(b + i, n - i, stripe, 0, b_rest)
                b = b_rest - i
        for k in range(TREE):    # the stripe that comes 4 KB later, a cache line each
            prefetch(<const char *> (a + i) + 4096 + k * 64)
        for v in range(WIDTH // LANES):
            total = eight_terms(a + i + v * LANES, WIDTH, b + i + v * LANES if weighted else b, WIDTH, c, TREE,
                                weighted, False, &total_size)
            add_wide(total, high + v * HALVES, low + v * HALVES)
            if weighted:
                for h in range(HALVES):
                    size[v * HALVES + h] = size[v * HALVES + h] + half(total_size, h)
        i += stripe
    keep_row(high, low, low, size, WIDTH, REAL_BITS == 64, False, weighted, shift, states, place)


cdef inline void double_row(const real *a, const real *b, Py_ssize_t n, real shift, bint weighted,
                            bint exact, bint triples, const States *states, Py_ssize_t place) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec rest[SPREAD]
    cdef dvec size[SPREAD]
    cdef dvec h, l, w = dsplat(0)
    cdef real a_rest[SPREAD]
    cdef real b_rest[SPREAD]
    cdef dvec c = dsplat(shift)
    cdef Py_ssize_t i = 0
    cdef int v
    for v in range(DWIDTH // DLANES):
        high[v] = low[v] = rest[v] = size[v] = dsplat(0)
    while i < n:
        if n - i < DWIDTH:
            pad(a + i, n - i, WIDTH, <real> -INFINITY, a_rest)
            a = a_rest - i
            if weighted:
                pad(b + i, n - i, WIDTH, 0, b_rest)
                b = b_rest - i
        for v in range(DWIDTH // DLANES):
            if weighted:
                w = load_double(b + i + v * DLANES)
            double_term(load_double(a + i + v * DLANES), c, w, weighted, exact, &h, &l)
            if triples:
                add_triple(h, l, dsplat(0), high + v, low + v, rest + v)
            elif exact:
                add_pair(h, l, high + v, low + v)
            else:
                high[v] = high[v] + h
            if weighted:
                size[v] = size[v] + dmagnitude(h)
        i += DWIDTH
    keep_row(high, low, rest, size, DWIDTH, exact, triples, weighted, shift, states, place)


cdef void look_row(const real *a, const real *b, Py_ssize_t n, real shift, Care care,
                   const States *states, Py_ssize_t place) noexcept nogil:
    # Every combination of constants is a loop of its own.
    if care == FAST:
        if b == NULL:
            fast_row(a, b, n, shift, False, states, place)
        else:
            fast_row(a, b, n, shift, True, states, place)
    elif care == SHORT:
        double_row(a, b, n, shift, True, REAL_BITS == 64, False, states, place)
    elif b == NULL:
        double_row(a, b, n, shift, False, True, True, states, place)
    else:
        double_row(a, b, n, shift, True, True, True, states, place)


# --- columns: lanes across inner -----------------------------------------------------------------------

cdef inline Py_ssize_t column_of(Py_ssize_t vector, Py_ssize_t lanes, Py_ssize_t width) noexcept nogil:
    # Where the vector starts: the last one steps back to stay inside, and does some columns twice.
    return vector * lanes if (vector + 1) * lanes <= width else width - lanes


cdef inline void fast_columns(const real *a, Py_ssize_t a_step, const real *b, Py_ssize_t b_step,
                              bint spread_b, Py_ssize_t n, Py_ssize_t width, const real *shift,
                              bint weighted, const States *states) noexcept nogil:
    # Sums stand in L1, one per position and column: they are touched once in eight terms.
    cdef double high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef double size[SPREAD * TILE]
    cdef dvec h[HALVES_BOUND]
    cdef dvec l[HALVES_BOUND]
    cdef dvec joined[SPREAD]
    cdef dvec joined_low[SPREAD]
    cdef dvec joined_size[SPREAD]
    cdef vec total, total_size
    cdef Py_ssize_t vectors = (width + LANES - 1) // LANES
    cdef Py_ssize_t row, first, j, place, v, k
    cdef int count, which, p
    for k in range(WIDTH * TILE):
        high[k] = 0
        if REAL_BITS == 64:
            low[k] = 0
        if weighted:
            size[k] = 0
    first = 0
    while first < n:
        for p in range(WIDTH):
            row = first + p
            if row >= n:
                break
            count = <int> min((n - row + WIDTH - 1) // WIDTH, TREE)
            for v in range(vectors):
                j = column_of(v, LANES, width)
                place = p * TILE + v * LANES
                if count == TREE:
                    total = eight_terms(a + row * a_step + j, a_step * WIDTH,
                                        b + row * b_step + (0 if spread_b else j) if weighted else b,
                                        b_step * WIDTH, load(shift + j), TREE, weighted, spread_b, &total_size)
                else:
                    total = eight_terms(a + row * a_step + j, a_step * WIDTH,
                                        b + row * b_step + (0 if spread_b else j) if weighted else b,
                                        b_step * WIDTH, load(shift + j), count, weighted, spread_b, &total_size)
                for which in range(HALVES):
                    h[which] = dload(high + place + which * DLANES)
                l[0] = dload(low + place) if REAL_BITS == 64 else dsplat(0)
                add_wide(total, h, l)
                for which in range(HALVES):
                    dstore(high + place + which * DLANES, h[which])
                if REAL_BITS == 64:
                    dstore(low + place, l[0])
                if weighted:
                    for which in range(HALVES):
                        dstore(size + place + which * DLANES,
                               dload(size + place + which * DLANES) + half(total_size, which))
        first += TREE * WIDTH
    for v in range(vectors):
        for which in range(HALVES):
            place = v * LANES + which * DLANES
            for p in range(WIDTH):
                joined[p] = dload(high + p * TILE + place)
                joined_low[p] = dload(low + p * TILE + place) if REAL_BITS == 64 else dsplat(0)
                joined_size[p] = dload(size + p * TILE + place) if weighted else dsplat(0)
            join(joined, joined_low, joined_low, joined_size, WIDTH, REAL_BITS == 64, False, weighted)
            j = column_of(v, LANES, width) + which * DLANES
            keep_columns(states, j, load_double(shift + j), joined[0], joined_low[0], dsplat(0),
                         joined_size[0] if weighted else joined[0])


cdef inline void double_panel(const real *a, Py_ssize_t a_step, const real *b, Py_ssize_t b_step,
                              bint spread_b, Py_ssize_t n, Py_ssize_t width, const real *shift,
                              bint weighted, bint exact, bint triples, Py_ssize_t positions, bint once,
                              const States *states) noexcept nogil:
    # `positions`: the power of two that n needs, at most DWIDTH; `once`: n <= DWIDTH, a term each.
    # Both are constants where it is called, so that short columns stay in registers from end to end.
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec rest[SPREAD]
    cdef dvec size[SPREAD]
    cdef dvec h, l, c, w = dsplat(0)
    cdef Py_ssize_t v, j, row, p
    for v in range((width + DLANES - 1) // DLANES):
        j = column_of(v, DLANES, width)
        c = load_double(shift + j)
        for p in range(positions):
            high[p] = low[p] = rest[p] = size[p] = dsplat(0)
            row = p
            while row < n:
                if weighted:
                    w = dsplat(b[row * b_step]) if spread_b else load_double(b + row * b_step + j)
                double_term(load_double(a + row * a_step + j), c, w, weighted, exact, &h, &l)
                if once:
                    high[p] = h
                    low[p] = l
                elif triples:
                    add_triple(h, l, dsplat(0), high + p, low + p, rest + p)
                elif exact:
                    add_pair(h, l, high + p, low + p)
                else:
                    high[p] = high[p] + h
                if weighted:
                    size[p] = size[p] + dmagnitude(h)
                if once:
                    break
                row += DWIDTH
        join(high, low, rest, size, positions, exact, triples, weighted)
        keep_columns(states, j, c, high[0], low[0] if exact else dsplat(0), rest[0] if triples else dsplat(0),
                     size[0] if weighted else high[0])


cdef void look_columns(const real *a, Py_ssize_t a_step, const real *b, Py_ssize_t b_step,
                       Py_ssize_t b_inner, Py_ssize_t n, Py_ssize_t width, const real *shift,
                       Care care, const States *states) noexcept nogil:
    cdef bint spread_b = b_inner == 0
    if care == FAST:
        if b == NULL:
            fast_columns(a, a_step, b, b_step, False, n, width, shift, False, states)
        else:
            fast_columns(a, a_step, b, b_step, spread_b, n, width, shift, True, states)
    elif care == SHORT and n <= 8:
        double_panel(a, a_step, b, b_step, spread_b, n, width, shift, True, REAL_BITS == 64, False, 8, True, states)
    elif care == SHORT:
        double_panel(a, a_step, b, b_step, spread_b, n, width, shift, True, REAL_BITS == 64, False, 8, False, states)
    elif b == NULL:
        double_panel(a, a_step, b, b_step, False, n, width, shift, False, True, True, 8, False, states)
    else:
        double_panel(a, a_step, b, b_step, spread_b, n, width, shift, True, True, True, 8, False, states)


# --- guess, look, and look again ------------------------------------------------------------------------

cdef inline void survey(vec x, vec b, bint weighted, vec *peak, vec *special) noexcept nogil:
    # peak     the largest kept finite a + log|b|, to within log 2
    # special  the sum of the kept terms that are infinite or NaN: 0 where there is none
    cdef vec mantissa, exponent, term, zero = splat(0), infinity = splat(<real> INFINITY)
    cdef vec value = x
    if weighted:
        split_power(b, &mantissa, &exponent)
        term = pick(x == zero - infinity, zero, pick(x - x == zero, splat(1), x))    # exp(x), coarsely
        term = pick((x - x == zero) & (b - b == zero), zero, b * term)
        term = pick((x == zero - infinity) & (b - b == zero), zero, term)
        special[0] = special[0] + pick(b == zero, zero, term)
        value = x + exponent * splat(<real> 0.6931471805599453)
        value = pick(b == zero, zero - infinity, pick(b - b == zero, value, zero - infinity))
    else:
        special[0] = special[0] + pick((x - x == zero), zero, pick(x == zero - infinity, zero, x))
    peak[0] = at_least(pick(x - x == zero, value, zero - infinity), peak[0])


cdef inline bint settled(double peak, double special, const States *states, Py_ssize_t place) noexcept nogil:
    # Keeps the state of a block that holds infinite or NaN terms, or none at all.
    if special != 0:
        keep(states, place, INFINITY, special, 0, 0, fabs(special))
        states.low[place] = 0
        return True
    if peak == -INFINITY:
        keep(states, place, -INFINITY, 0, 0, 0, 0)
        return True
    return False


cdef void fold_row(const void *a_start, const void *b_start, Py_ssize_t n, Care care,
                   const States *states, Py_ssize_t place) noexcept nogil:
    cdef const real *a = <const real *> a_start
    cdef const real *b = <const real *> b_start
    cdef real shift = lane(on_grid(splat(a[0])), 0)
    cdef real a_rest[SPREAD]
    cdef real b_rest[SPREAD]
    cdef vec peak = splat(<real> -INFINITY), special = splat(0)
    cdef double largest = -INFINITY, strange = 0
    cdef Py_ssize_t i = 0, k
    look_row(a, b, n, shift, care, states, place)
    if accepted_lane(states, place, n):
        return
    while i < n:
        if n - i < LANES:
            for k in range(LANES):
                a_rest[k] = a[i + k] if i + k < n else <real> -INFINITY
                b_rest[k] = b[i + k] if b != NULL and i + k < n else 0
            survey(load(a_rest), load(b_rest), b != NULL, &peak, &special)
        elif b != NULL:
            survey(load(a + i), load(b + i), True, &peak, &special)
        else:
            survey(load(a + i), peak, False, &peak, &special)
        i += LANES
    for k in range(LANES):
        largest = max(largest, lane(peak, k))
        strange = strange + lane(special, k)
    if not settled(largest, strange, states, place):
        shift = lane(on_grid(splat(<real> largest)), 0)
        look_row(a, b, n, shift, care, states, place)


cdef void fold_columns(const void *a_start, Py_ssize_t a_step, const void *b_start, Py_ssize_t b_step,
                       Py_ssize_t b_inner, Py_ssize_t n, Py_ssize_t width, Care care,
                       const States *states) noexcept nogil:
    cdef const real *a = <const real *> a_start
    cdef const real *b = <const real *> b_start
    cdef real shift[TILE]
    cdef real largest[TILE]
    cdef real strange[TILE]
    cdef vec peak, special, w = splat(0)
    cdef Py_ssize_t j, v, row, vectors = (width + LANES - 1) // LANES
    cdef divec fine
    for v in range(vectors):
        j = column_of(v, LANES, width)
        store(shift + j, on_grid(load(a + j)))
    look_columns(a, a_step, b, b_step, b_inner, n, width, shift, care, states)
    fine = accepted(dload(states.size), dload(states.shift), n)
    for v in range(1, (width + DLANES - 1) // DLANES):
        j = column_of(v, DLANES, width)
        fine = fine & accepted(dload(states.size + j), dload(states.shift + j), n)
    if dall(fine):
        return
    for v in range(vectors):
        j = column_of(v, LANES, width)
        peak = splat(<real> -INFINITY)
        special = splat(0)
        for row in range(n):
            if b != NULL:
                w = splat(b[row * b_step]) if b_inner == 0 else load(b + row * b_step + j)
            survey(load(a + row * a_step + j), w, b != NULL, &peak, &special)
        store(largest + j, peak)
        store(strange + j, special)
    for j in range(width):    # a good guess stays, so that a column's bits are its own
        if accepted_lane(states, j, n):
            strange[j] = 0
            largest[j] = shift[j]
        else:
            shift[j] = lane(on_grid(splat(largest[j])), 0)
    look_columns(a, a_step, b, b_step, b_inner, n, width, shift, care, states)
    for j in range(width):
        settled(largest[j], strange[j], states, j)


# --- short rows without weights -------------------------------------------------------------------------
#
# A whole row is at hand, so its largest term is known before the first exponential: no guess, no
# second look for want of a shift, and no state, for a short row is never merged.
#     float32  in double, by the largest term itself: the sum lies in [1, n]
#     float64  by the multiple of 32 under the largest term, which leaves a - shift exact.  A term's
#              leading 44 bits, counted from the largest, add up without error; the rest beside them.

cdef inline void short_term(dvec d, dvec grid, dvec *high, dvec *low) noexcept nogil:
    # exp(d); below e^-700 it counts for nothing, but where `mend` finds that it does.
    cdef dvec x = dat_least(d, dsplat(-700))
    cdef dvec p, q, z, k, e
    if REAL_BITS == 32:
        double_power(x, True, &p, &z, &k)
        high[0] = dterm_of_float(p, z, k)
        return
    pair_power(x, dsplat(0), &p, &q, &z, &k)
    e = dterm_in_range(p, z, k)
    high[0] = (e + grid) - grid
    low[0] = dpick(d < dsplat(-700), dsplat(0), (e - high[0]) + dterm_in_range(q, z, k))


cdef inline dvec short_shift(dvec peak, dvec *grid) noexcept nogil:
    # grid: adding and removing it rounds to multiples of 2^-44 times the power of two near exp(peak - shift).
    cdef dvec shift = dsplat(0), z, k
    cdef vec whole
    if REAL_BITS == 32:
        return peak
    if dany(dmagnitude(peak) >= dsplat(GRID)):
        whole = on_grid((<vec *> &peak)[0])
        shift = (<dvec *> &whole)[0]
    reduced(dat_least(peak - shift, dsplat(-700)), False, &z, &k)
    grid[0] = dterm_in_range(dsplat(384), z, k)
    return shift


cdef inline dvec short_answer(dvec high, dvec low, dvec shift) noexcept nogil:
    cdef dvec total
    if REAL_BITS == 32:
        return log_coarse(high, shift)
    total = high + low
    return log_pair(total, (high - total) + low, shift)


cdef inline divec short_is_fine(dvec total, dvec result) noexcept nogil:
    # The sum is no NaN and holds its largest term, which is at least e^-32; the answer is far enough
    # from zero: the error of float32's sum is 2^-36, what float64 drops is e^-700.
    return (total >= dsplat(1e-15)) & (dmagnitude(result) >= dsplat(0.0009765625 if REAL_BITS == 32 else 1e-290))


cdef void mend(const real *a, Py_ssize_t a_step, Py_ssize_t n, double *value) noexcept nogil:
    # The answers of DLANES columns of which some hold what is infinite or NaN, or lie next to zero.
    cdef double memory[5 * LANES_BOUND]
    cdef real zeros[LANES_BOUND]
    cdef States states
    cdef dvec x, total, exact, result = dload(value), infinity = dsplat(INFINITY), zero = dsplat(0)
    cdef dvec special = zero, peak = zero - infinity, second = zero - infinity
    cdef divec near
    cdef Py_ssize_t row
    for row in range(n):
        x = load_double(a + row * a_step)
        special = special + dpick(x - x == zero, zero, dpick(x == zero - infinity, zero, x))
        peak = dat_least(x, peak)
    for row in range(n):
        x = load_double(a + row * a_step)
        second = dat_least(dpick(x == peak, zero - infinity, x), second)
    # A second term that cannot be seen beside the first leaves an answer next to zero as right as it is.
    near = (dmagnitude(result) < dsplat(0.0009765625 if REAL_BITS == 32 else 1e-290)) & (
        second > dsplat(-110 if REAL_BITS == 32 else -746))
    if dany(near):
        states.shift = memory
        states.high = memory + LANES_BOUND
        states.low = memory + 2 * LANES_BOUND
        states.rest = memory + 3 * LANES_BOUND
        states.size = memory + 4 * LANES_BOUND
        for row in range(LANES_BOUND):
            zeros[row] = 0
        look_columns(a, a_step, NULL, 0, 0, n, DLANES, zeros, EXACT, &states)
        total = dload(states.high)
        exact = log_pair(total, dload(states.low) + dload(states.rest), zero)
        result = dpick(near, exact, result)
    result = dpick(peak == zero - infinity, zero - infinity, result)
    dstore(value, dpick(special == zero, result, special))


cdef inline void short_panel(const real *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                             Py_ssize_t positions, bint once, double *value) noexcept nogil:
    # `positions` and `once` as in double_panel.  All sums first, then all logarithms: a chain of
    # operations from the one to the other would leave the multipliers idle half of the time.
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec x[SPREAD]
    cdef double highs[TILE]
    cdef double lows[TILE]
    cdef double shifts[TILE]
    cdef dvec peak, shift, h, result, grid = dsplat(0), l = dsplat(0)
    cdef divec fine
    cdef Py_ssize_t v, j, p, row, half_way
    for v in range((width + DLANES - 1) // DLANES):
        j = column_of(v, DLANES, width)
        peak = dsplat(-INFINITY)
        if once:
            for p in range(positions):
                if p < n:
                    x[p] = load_double(a + p * a_step + j)
                    peak = dat_least(x[p], peak)
        else:
            for row in range(n):
                peak = dat_least(load_double(a + row * a_step + j), peak)
        shift = short_shift(peak, &grid)
        for p in range(positions):
            high[p] = low[p] = dsplat(0)
            if once:
                if p < n:
                    short_term(x[p] - shift, grid, high + p, low + p)
            else:
                row = p
                while row < n:
                    short_term(load_double(a + row * a_step + j) - shift, grid, &h, &l)
                    high[p] = high[p] + h
                    low[p] = low[p] + l
                    row += DWIDTH
        half_way = positions
        while half_way > 1:
            half_way = half_way // 2
            for p in range(half_way):
                high[p] = high[p] + high[p + half_way]
                low[p] = low[p] + low[p + half_way]
        dstore(highs + j, high[0])
        dstore(shifts + j, shift)
        if REAL_BITS == 64:
            dstore(lows + j, low[0])
    fine = dsplat(0) == dsplat(0)
    for v in range((width + DLANES - 1) // DLANES):
        j = column_of(v, DLANES, width)
        result = short_answer(dload(highs + j), dload(lows + j) if REAL_BITS == 64 else dsplat(0), dload(shifts + j))
        dstore(value + j, result)
        fine = fine & short_is_fine(dload(highs + j), result)
    if dall(fine):
        return
    for v in range((width + DLANES - 1) // DLANES):
        j = column_of(v, DLANES, width)
        if not dall(short_is_fine(dload(highs + j), dload(value + j))):
            mend(a + j, a_step, n, value + j)


cdef void short_columns(const void *start, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                        double *value) noexcept nogil:
    cdef const real *a = <const real *> start
    if n <= 2:
        short_panel(a, a_step, n, width, 2, True, value)
    elif n <= 4:
        short_panel(a, a_step, n, width, 4, True, value)
    elif n <= 8:
        short_panel(a, a_step, n, width, 8, True, value)
    else:
        short_panel(a, a_step, n, width, 8, False, value)


cdef double short_row(const void *start, Py_ssize_t n) noexcept nogil:
    # The same for one row, lanes along n.
    cdef const real *a = <const real *> start
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef double highs[LANES_BOUND]
    cdef double lows[LANES_BOUND]
    cdef real padded[SHORT_ROW + SPREAD]
    cdef real repeated[SHORT_ROW * LANES_BOUND]
    cdef dvec peak = dsplat(-INFINITY), shift, h, result, grid = dsplat(0), l = dsplat(0)
    cdef double largest
    cdef Py_ssize_t i = 0, k, half_way = DWIDTH // DLANES
    cdef int v
    if n % DWIDTH:
        pad(a, n, (n + DWIDTH - 1) // DWIDTH * DWIDTH, <real> -INFINITY, padded)
        a = padded
    while i < n:
        for v in range(DWIDTH // DLANES):
            peak = dat_least(load_double(a + i + v * DLANES), peak)
        i += DWIDTH
    largest = dlane(peak, 0)
    for k in range(1, DLANES):
        largest = max(largest, dlane(peak, k))
    shift = short_shift(dsplat(largest), &grid)
    for v in range(DWIDTH // DLANES):
        high[v] = low[v] = dsplat(0)
    i = 0
    while i < n:
        for v in range(DWIDTH // DLANES):
            short_term(load_double(a + i + v * DLANES) - shift, grid, &h, &l)
            high[v] = high[v] + h
            low[v] = low[v] + l
        i += DWIDTH
    while half_way > 1:
        half_way = half_way // 2
        for v in range(half_way):
            high[v] = high[v] + high[v + half_way]
            low[v] = low[v] + low[v + half_way]
    dstore(highs, high[0])
    dstore(lows, low[0])
    half_way = DLANES
    while half_way > 1:
        half_way = half_way // 2
        for k in range(half_way):
            highs[k] = highs[k] + highs[k + half_way]
            lows[k] = lows[k] + lows[k + half_way]
    result = short_answer(dsplat(highs[0]), dsplat(lows[0]), shift)
    dstore(lows, result)
    if not dall(short_is_fine(dsplat(highs[0]), result)):
        for i in range(n):
            for k in range(DLANES):
                repeated[i * DLANES + k] = a[i]
        mend(repeated, DLANES, n, lows)
    return lows[0]


# --- finish, transpose ------------------------------------------------------------------------------------

cdef bint finish(const States *states, Py_ssize_t count, double near, double cancelled,
                 double *value, double *sign) noexcept nogil:
    cdef dvec high, low, size, shift, result, zero = dsplat(0), infinity = dsplat(INFINITY)
    cdef divec negative, ordinary
    cdef divec poor = zero > infinity
    cdef Py_ssize_t i = 0
    while i < count:
        high = dload(states.high + i)
        low = dload(states.low + i) + dload(states.rest + i)
        shift = dload(states.shift + i)
        negative = high < zero
        size = dmagnitude(high)
        ordinary = (size > zero) & (size < infinity)
        if REAL_BITS == 32 and near > 0:
            result = log_coarse(dpick(ordinary, size, dsplat(1)), shift)
        else:
            result = log_pair(dpick(ordinary, size, dsplat(1)), dpick(negative, zero - low, low), shift)
        result = dpick(ordinary, result, dpick(size == zero, zero - infinity, size))
        poor = poor | (((shift == zero) & (dmagnitude(result) < dsplat(near)))
                       | (size < dsplat(cancelled) * dload(states.size + i)))
        if sign == NULL:
            result = dpick(negative, dsplat(NAN), result)
        else:
            dstore(sign + i, dpick(size > zero, dpick(negative, dsplat(-1), dsplat(1)), size))
        dstore(value + i, result)
        i += DLANES
    return dany(poor)


cdef inline void unshuffle(vec *x, Py_ssize_t m) noexcept nogil:
    # Splitting neighbours into even and odd elements log2(m) times turns m vectors that hold LANES
    # rows of m elements into m vectors that hold a column each.
    cdef vec y[LANES_BOUND]
    cdef Py_ssize_t rounds = 1, i
    while rounds < m:
        for i in range(m // 2):
            y[i] = evens(x[2 * i], x[2 * i + 1])
            y[i + m // 2] = odds(x[2 * i], x[2 * i + 1])
        for i in range(m):
            x[i] = y[i]
        rounds *= 2


cdef inline void transpose_dense(const real *rows, Py_ssize_t m, Py_ssize_t count, real *tile) noexcept nogil:
    # Rows of m elements without gaps, LANES rows at a time; m a constant power of two.
    cdef vec x[LANES_BOUND]
    cdef Py_ssize_t first = 0, i
    while first < count:
        for i in range(m):
            x[i] = load(rows + first * m + i * LANES)
        unshuffle(x, m)
        for i in range(m):
            store(tile + i * TILE + first, x[i])
        first += LANES


cdef void transpose(const void *start, Py_ssize_t step, Py_ssize_t n, Py_ssize_t count,
                    Py_ssize_t readable, void *target) noexcept nogil:
    cdef const real *rows = <const real *> start
    cdef real *tile = <real *> target
    cdef vec x[LANES_BOUND]
    cdef real edge[LANES_BOUND]
    cdef Py_ssize_t first = 0, column, i, k, at
    if step == n and count % LANES == 0 and n <= LANES:
        if n == 2:
            transpose_dense(rows, 2, count, tile)
            return
        if n == 4:
            transpose_dense(rows, 4, count, tile)
            return
        if n == 8:
            transpose_dense(rows, 8, count, tile)
            return
    while first < count:
        column = 0
        while column < n:
            for i in range(LANES):
                at = min(first + i, count - 1) * step + column
                if at + LANES <= readable:
                    x[i] = load(rows + at)
                else:
                    for k in range(LANES):
                        edge[k] = rows[at + k] if at + k < readable else 0
                    x[i] = load(edge)
            unshuffle(x, LANES)
            if n - column >= LANES:
                for i in range(LANES):
                    store(tile + (column + i) * TILE + first, x[i])
            else:
                for i in range(n - column):
                    store(tile + (column + i) * TILE + first, x[i])
            column += LANES
        first += LANES


# --- the table --------------------------------------------------------------------------------------------

cdef Kernels kernels
kernels.lanes = LANES
kernels.fold_row = fold_row
kernels.fold_columns = fold_columns
kernels.short_row = short_row
kernels.short_columns = short_columns
kernels.finish = finish
kernels.transpose = transpose
table = PyCapsule_New(&kernels, "lsecy.kernels.table", NULL)


# Doors for the tests: the elementary functions alone, lane by lane.

def exp(const real[:] x, real[:] out):
    """out[i] = exp(x[i]) as the FAST fold computes it."""
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        out[i] = lane(fast_term(splat(x[i]), splat(0), False), 0)


def exp_pair(const double[:] x, double[:] high, double[:] low):
    """high[i] + low[i] = exp(x[i]) as the EXACT fold computes it."""
    cdef Py_ssize_t i
    cdef dvec h, l
    for i in range(x.shape[0]):
        double_term(dsplat(x[i]), dsplat(0), dsplat(0), False, True, &h, &l)
        high[i] = dlane(h, 0)
        low[i] = dlane(l, 0)


def log_pair_sum(const double[:] high, const double[:] low, const double[:] shift, double[:] out):
    """out[i] = shift[i] + log(high[i] + low[i])."""
    cdef Py_ssize_t i
    for i in range(high.shape[0]):
        out[i] = dlane(log_pair(dsplat(high[i]), dsplat(low[i]), dsplat(shift[i])), 0)
