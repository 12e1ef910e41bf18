# The arithmetic of a log-sum-exp, in one text for every instruction set and element type.
#
# A block's terms are b exp(x - shift), x = scale a + logb, where the shift is a multiple of 32, usually 0.  A sum of
# exponentials needs no shift by its very largest term, only one that is near: float32 spans e^(+-87).
# A multiple of 32 towards zero costs no digit, because a - shift is then exact for every term that
# counts, and sums under equal shifts merge without rescaling.
#
# The shift is guessed from the block's first elements, so that one look suffices; the sum itself
# tells whether the guess was good (`accepted`).  Where these elements lie far apart, nothing can be
# guessed, and the largest term is looked for first.  Where a guess was not good, `survey` finds the
# largest term and everything infinite, and the block is folded again.  Guess and answer depend on the
# block's own data alone, so they are the same for every layout, batch and thread.
#
# Order of a sum, the same in every function here: element k is added at position k mod WIDTH (EXACT
# and SHORT: DWIDTH); FAST first adds eight terms that are WIDTH apart as a tree, in the element
# type (equal terms add up exactly), and the trees in double; positions are joined by halving.

from cpython.pycapsule cimport PyCapsule_New

from lsecy.kernels.elementary cimport (
    Powers, double_power, double_tail, exp_tail, float_power, log_coarse, log_float, log_near, log_pair,
    pair_power, powers_of_two, reduced, table_exp, table_power, table_tail, two_sum, vtwo_sum)
from lsecy.kernels.simd cimport *
from lsecy.kernels.table cimport (
    BLOCK_DOUBLES, EXACT, LOG_SOFTMAX, SHORT, SHORT_ROW, SOFTMAX, TILE, Care, Kernels, Map, States, Terms, is_plain,
    is_short, plain_terms)

cdef extern from "math.h" nogil:
    const double INFINITY
    const double NAN
    double exp(double)
    long double expl(long double)
    double fabs(double)

cdef enum:
    TREE = 8            # terms of one tree
    SPREAD = 16         # bound of WIDTH
    LANES_BOUND = 16    # bound of LANES
    HALVES_BOUND = 2    # bound of HALVES
    TABLE_BOUND = 16    # bound of TABLE
    GRID = 32           # shifts are multiples of it
    SAMPLE = 16         # elements of a block that its shift is guessed from
    PAGES = 16          # rows of a panel, each in a page of its own, that are looked at in turn
    AHEAD = 1024        # elements by which memory is asked for what will be read


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

cdef inline vec fetch(const Terms *terms, Py_ssize_t row, Py_ssize_t j, vec *lost, vec *b) noexcept nogil:
    # Exponents scale * a + logb of a vector of elements, and what rounding took from them.  What is
    # left out has the exponent -inf and the weight 0, whatever it was.
    cdef vec x = load(<const real *> terms.a + row * terms.a_step + j)
    cdef vec product, scale, weight, error, nothing = splat(<real> -INFINITY)
    cdef Py_ssize_t place = row * terms.b_step + (j if terms.b_inner else 0)
    cdef ivec kept
    lost[0] = splat(0)
    if terms.scale != 1:
        scale = splat(<real> terms.scale)
        product = x * scale
        lost[0] = x * splat(<real> (terms.scale - <real> terms.scale)) - vresidual(product, x, scale)
        x = product
    if terms.logb != NULL:
        weight = load(<const real *> terms.logb + place) if terms.b_inner else splat((<const real *> terms.logb)[place])
        vtwo_sum(x, weight, &product, &error)
        lost[0] = lost[0] + error
        x = pick(weight == nothing, nothing, product)
    if terms.scale != 1 or terms.logb != NULL:
        lost[0] = pick(lost[0] - lost[0] == splat(0), lost[0], splat(0))    # of an infinite exponent
    if terms.b != NULL:
        b[0] = load(<const real *> terms.b + place) if terms.b_inner else splat((<const real *> terms.b)[place])
    if terms.kept != NULL:
        if terms.kept_inner:
            kept = bytes_set(terms.kept + row * terms.kept_step + j)
            x = pick(kept, x, nothing)
            if terms.b != NULL:
                b[0] = pick(kept, b[0], splat(0))
        elif terms.kept[row * terms.kept_step] == 0:
            x = nothing
            b[0] = splat(0)
    return x


cdef inline dvec fetch_double(const Terms *terms, Py_ssize_t row, Py_ssize_t j, dvec *lost, dvec *b) noexcept nogil:
    # The same in double.
    cdef dvec x = load_double(<const real *> terms.a + row * terms.a_step + j)
    cdef dvec product, scale, weight, error, nothing = dsplat(-INFINITY)
    cdef Py_ssize_t place = row * terms.b_step + (j if terms.b_inner else 0)
    cdef divec kept
    lost[0] = dsplat(0)
    if terms.scale != 1:
        scale = dsplat(terms.scale)
        product = x * scale
        lost[0] = dsplat(0) - residual(product, x, scale)
        x = product
    if terms.logb != NULL:
        weight = (load_double(<const real *> terms.logb + place) if terms.b_inner
                  else dsplat((<const real *> terms.logb)[place]))
        two_sum(x, weight, &product, &error)
        lost[0] = lost[0] + error
        x = dpick(weight == nothing, nothing, product)
    if terms.b != NULL:
        b[0] = (load_double(<const real *> terms.b + place) if terms.b_inner
                else dsplat((<const real *> terms.b)[place]))
    if terms.kept != NULL:
        if terms.kept_inner:
            kept = dbytes_set(terms.kept + row * terms.kept_step + j)
            x = dpick(kept, x, nothing)
            if terms.b != NULL:
                b[0] = dpick(kept, b[0], dsplat(0))
        elif terms.kept[row * terms.kept_step] == 0:
            x = nothing
            b[0] = dsplat(0)
    return x


# The last elements of a row, followed by what adds nothing: rather than a second loop for them.
cdef struct Tail:
    Terms terms
    real a[TREE * SPREAD]
    real b[TREE * SPREAD]
    char kept[TREE * SPREAD]


cdef inline void pad_terms(const Terms *terms, Py_ssize_t first, Py_ssize_t count, Py_ssize_t length, real filler,
                           Tail *tail) noexcept nogil:
    cdef Py_ssize_t k
    tail.terms = terms[0]
    pad(<const real *> terms.a + first, count, length, filler, tail.a)
    tail.terms.a = tail.a
    if terms.b != NULL and terms.b_inner:
        pad(<const real *> terms.b + first, count, length, 0, tail.b)
        tail.terms.b = tail.b
    if terms.logb != NULL and terms.b_inner:
        pad(<const real *> terms.logb + first, count, length, <real> -INFINITY, tail.b)
        tail.terms.logb = tail.b
    if not is_plain(terms):    # -inf times a scale or a weight may be anything
        for k in range(length):
            tail.kept[k] = k < count and (terms.kept == NULL or terms.kept[(first + k) * terms.kept_inner] != 0)
        tail.terms.kept = tail.kept
        tail.terms.kept_inner = 1


cdef inline vec fast_term(vec x, vec lost, vec b, bint general, bint weighted) noexcept nogil:
    # exp(x + lost), or b exp(x + lost) with b's exponent taken into the power of two, so that weights
    # of any size neither overflow nor vanish.  A zero weight drops its element, NaN or not.
    cdef vec p, z, k, mantissa, exponent
    if not weighted:
        x = in_range(x)
        if REGISTER_LOOKUP and not REGISTER_TABLE:
            p = table_exp(x)
            return p * lost + p if general else p
    if REAL_BITS == 32:
        float_power(x, &p, &z, &k)
    else:
        double_power(half(x, 0), False, <dvec *> &p, <dvec *> &z, <dvec *> &k)    # half: x itself
    if general:
        p = p * lost + p
    if not weighted:
        return term_in_range(p, z, k)
    split_power(b, &mantissa, &exponent)
    return pick(b == splat(0), splat(0), term_of_power(p * mantissa, k + exponent))


cdef inline void double_term(dvec a, dvec lost, dvec shift, dvec b, bint weighted, bint exact,
                             dvec *high, dvec *low) noexcept nogil:
    # b exp(a + lost - shift) in double; exact: as an unevaluated sum of two.  Where weights span the
    # whole range, a term may count whose a lies far from the shift: only then a - shift is not exact.
    cdef dvec p, z, k, mantissa, exponent, product, x, error
    cdef divec gone
    if not exact:
        double_power(a - shift, True, &p, &z, &k)
        if weighted:
            dsplit_power(b, &mantissa, &exponent)
            high[0] = dpick(b == dsplat(0), dsplat(0), dterm_of_power(p * mantissa, k + exponent))
        else:
            high[0] = dterm_of_power(p, k)
        return
    two_sum(a, dsplat(0) - shift, &x, &error)
    lost = lost + error
    lost = dpick(lost - lost == dsplat(0), lost, dsplat(0))    # infinite a
    pair_power(x, lost, &p, low, &z, &k)
    if weighted:
        dsplit_power(b, &mantissa, &exponent)
        product = p * mantissa
        low[0] = low[0] * mantissa - residual(product, p, mantissa)
        p = product
        k = k + exponent
    elif not REGISTER_TABLE and dall(dmagnitude(k) < dsplat(900)):    # one multiplication scales them exactly
        high[0] = dterm_in_range(p, z, k)
        low[0] = dterm_in_range(low[0], z, k)
        return
    gone = k < dsplat(-1100)    # below the smallest subnormal; also -inf, whose p is NaN
    high[0] = dpick(gone, dsplat(0), dscale(p, k))
    low[0] = dpick(gone, dsplat(0), dscale(low[0], k))
    if weighted:
        high[0] = dpick(b == dsplat(0), dsplat(0), high[0])
        low[0] = dpick(b == dsplat(0), dsplat(0), low[0])


cdef inline vec tree(const vec *e) noexcept nogil:
    return ((e[0] + e[1]) + (e[2] + e[3])) + ((e[4] + e[5]) + (e[6] + e[7]))


cdef inline vec eight_terms(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                            Py_ssize_t j_apart, vec shift, int count, bint general, vec *size) noexcept nogil:
    # The tree sum of `count` <= 8 vectors of terms, `row_apart` and `j_apart` from each other; missing
    # ones count as zero.
    cdef vec e[TREE]
    cdef vec w = splat(0), lost = splat(0)
    cdef int s
    for s in range(TREE):
        if s >= count:
            e[s] = splat(0)
        elif not general:
            e[s] = fast_term(load(<const real *> terms.a + (row + s * row_apart) * terms.a_step + j + s * j_apart)
                             - shift, lost, w, False, False)
        elif terms.b == NULL:
            e[s] = fetch(terms, row + s * row_apart, j + s * j_apart, &lost, &w)
            e[s] = fast_term(e[s] - shift, lost, w, True, False)
        else:
            e[s] = fetch(terms, row + s * row_apart, j + s * j_apart, &lost, &w)
            e[s] = fast_term(e[s] - shift, lost, w, True, True)
    if general and terms.b != NULL:
        for s in range(TREE):
            size[s] = magnitude(e[s])
        size[0] = tree(size)
    elif general:
        size[0] = tree(e)
    return tree(e)


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


cdef inline void add_double(const Terms *terms, Py_ssize_t row, Py_ssize_t j, dvec shift, bint exact, bint triples,
                            dvec *high, dvec *low, dvec *rest, dvec *size) noexcept nogil:
    # A vector of terms in double, and its magnitude.
    cdef dvec h, l = dsplat(0), lost, b = dsplat(0)
    cdef dvec x = fetch_double(terms, row, j, &lost, &b)
    if terms.b == NULL:
        double_term(x, lost, shift, b, False, exact, &h, &l)
    else:
        double_term(x, lost, shift, b, True, exact, &h, &l)
    if triples:
        add_triple(h, l, dsplat(0), high, low, rest)
    elif exact:
        add_pair(h, l, high, low)
    else:
        high[0] = high[0] + h
    size[0] = size[0] + dmagnitude(h)


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


cdef inline Py_ssize_t before_boundary(const real *target, Py_ssize_t n) noexcept nogil:
    # Elements of a row that come before its first whole vector's place in memory: a vector stored across
    # two cache lines takes twice as long.
    cdef Py_ssize_t bytes = LANES * sizeof(real)
    return <Py_ssize_t> (-<size_t> target % bytes) // sizeof(real) if n > 2 * LANES else 0


# --- rows: lanes along n ------------------------------------------------------------------------------

cdef inline void fast_row(const Terms *terms, Py_ssize_t n, real shift, bint general,
                          const States *states, Py_ssize_t place) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec size[SPREAD]
    cdef vec sizes[TREE]
    cdef Tail tail
    cdef Terms row = terms[0]
    cdef vec c = splat(shift), total
    cdef Py_ssize_t i = 0, j, k, stripe = TREE * WIDTH
    cdef int v, h, count
    for v in range(WIDTH // DLANES):
        high[v] = low[v] = size[v] = dsplat(0)
    while i + stripe <= n:
        j = i
        if not general:    # one register for all addresses
            row.a = <const real *> terms.a + i
            j = 0
        for k in range(TREE):    # the stripe that comes 4 KB later, a cache line each
            prefetch(<const char *> row.a + j * sizeof(real) + 4096 + k * 64)
        for v in range(WIDTH // LANES):
            total = eight_terms(&row, 0, 0, j + v * LANES, WIDTH, c, TREE, general, sizes)
            add_wide(total, high + v * HALVES, low + v * HALVES)
            if general:
                for h in range(HALVES):
                    size[v * HALVES + h] = size[v * HALVES + h] + half(sizes[0], h)
        i += stripe
    if i < n:
        count = <int> ((n - i + WIDTH - 1) // WIDTH)
        pad_terms(terms, i, n - i, count * WIDTH, <real> -INFINITY, &tail)
        for v in range(WIDTH // LANES):
            total = eight_terms(&tail.terms, 0, 0, v * LANES, WIDTH, c, count, general, sizes)
            add_wide(total, high + v * HALVES, low + v * HALVES)
            if general:
                for h in range(HALVES):
                    size[v * HALVES + h] = size[v * HALVES + h] + half(sizes[0], h)
    keep_row(high, low, low, size, WIDTH, REAL_BITS == 64, False, general, shift, states, place)


cdef inline void double_row(const Terms *terms, Py_ssize_t n, real shift, bint exact, bint triples,
                            const States *states, Py_ssize_t place) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec rest[SPREAD]
    cdef dvec size[SPREAD]
    cdef Tail tail
    cdef dvec c = dsplat(shift)
    cdef Py_ssize_t i = 0, j
    cdef int v
    for v in range(DWIDTH // DLANES):
        high[v] = low[v] = rest[v] = size[v] = dsplat(0)
    while i < n:
        j = i
        if n - i < DWIDTH:
            pad_terms(terms, i, n - i, WIDTH, <real> -INFINITY, &tail)
            terms = &tail.terms
            j = 0
        for v in range(DWIDTH // DLANES):
            add_double(terms, 0, j + v * DLANES, c, exact, triples, high + v, low + v, rest + v, size + v)
        i += DWIDTH
    keep_row(high, low, rest, size, DWIDTH, exact, triples, True, shift, states, place)


# EXACT without weights, of rows that are not short.  A term is cut at a grid on which terms below 2^7 add up
# without error, so that a tree of eight first parts loses nothing; the rests, which are small, make a tree of their
# own, and only eight terms' sums are added with care.  Half of the time of pairs, to the same digits; but a rest that
# could be subnormal is left to these.

cdef inline void exact_parts(dvec x, dvec lost, bint general, dvec *high, dvec *low) noexcept nogil:
    # exp(x + lost) = high + low, high a multiple of 2^-44 if below 2^7.
    # range  [-708, 710]: what lies below counts as 0 from -709 on, what above as infinity or NaN
    # bound  2^-55 relative, of float32 elements 2^-53; near 0 nothing of a tiny x is lost
    cdef dvec p, r, tail, t, z, k, rest, grid = dsplat(384)
    cdef divec gone
    x = dat_most(dat_least(x, dsplat(-709)), dsplat(710))
    if REGISTER_TABLE:
        pair_power(x, lost, &p, &tail, &z, &k)
        gone = x < dsplat(-708)
        t = dpick(gone, dsplat(0), dterm_in_range(p, z, k))
        high[0] = (t + grid) - grid
        low[0] = dpick(gone, dsplat(0), (t - high[0]) + dterm_in_range(tail, z, k))
        return
    r = reduced(x, False, &z, &k)
    t = dterm_in_range(dsplat(1), z, k)
    if REAL_BITS == 64:
        rest = ((x - k * dsplat(LN2_HIGH_DOUBLE)) - r) - k * dsplat(LN2_LOW_DOUBLE) + lost
        tail = (r * r) * exp_tail(r) + (rest + rest * r)
        high[0] = ((t * (r + tail) + t) + grid) - grid
        low[0] = t * tail + (t * r + (t - high[0]))    # the differences are exact
        return
    if general:
        r = r + lost
    r = (r * r) * double_tail(r) + r
    high[0] = ((t * r + t) + grid) - grid
    low[0] = t * r + (t - high[0])


cdef inline dvec dtree(const dvec *e) noexcept nogil:
    return ((e[0] + e[1]) + (e[2] + e[3])) + ((e[4] + e[5]) + (e[6] + e[7]))


cdef inline void add_eight_exactly(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                                   Py_ssize_t j_apart, dvec shift, int count, bint general, dvec *high, dvec *low,
                                   dvec *rest) noexcept nogil:
    # As eight_terms.
    cdef dvec h[TREE]
    cdef dvec l[TREE]
    cdef dvec x, lost = dsplat(0), b = dsplat(0)
    cdef int s
    for s in range(TREE):
        if s >= count:
            h[s] = l[s] = dsplat(0)
            continue
        if general:
            x = fetch_double(terms, row + s * row_apart, j + s * j_apart, &lost, &b)
            lost = dpick(lost - lost == dsplat(0), lost, dsplat(0))    # of an infinite exponent
        else:
            x = load_double(<const real *> terms.a + (row + s * row_apart) * terms.a_step + j + s * j_apart)
        exact_parts(x - shift, lost, general, h + s, l + s)
    add_triple(dtree(h), dtree(l), dsplat(0), high, low, rest)


cdef inline void exact_row(const Terms *terms, Py_ssize_t n, real shift, bint general, const States *states,
                           Py_ssize_t place) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec rest[SPREAD]
    cdef Tail tail
    cdef dvec c = dsplat(shift)
    cdef Py_ssize_t i = 0, stripe = TREE * DWIDTH
    cdef int v, count
    for v in range(DWIDTH // DLANES):
        high[v] = low[v] = rest[v] = dsplat(0)
    while i + stripe <= n:
        for v in range(DWIDTH // DLANES):
            add_eight_exactly(terms, 0, 0, i + v * DLANES, DWIDTH, c, TREE, general, high + v, low + v, rest + v)
        i += stripe
    if i < n:
        count = <int> ((n - i + DWIDTH - 1) // DWIDTH)
        pad_terms(terms, i, n - i, count * DWIDTH, <real> -INFINITY, &tail)
        for v in range(DWIDTH // DLANES):
            add_eight_exactly(&tail.terms, 0, 0, v * DLANES, DWIDTH, c, count, general, high + v, low + v, rest + v)
    keep_row(high, low, rest, high, DWIDTH, True, True, False, shift, states, place)


cdef inline bint has_parts(const Terms *terms, Py_ssize_t n) noexcept nogil:
    return terms.b == NULL and not is_short(n, REAL_BITS)


cdef inline bint parts_suffice(const States *states, Py_ssize_t place, Py_ssize_t n) noexcept nogil:
    # Not where all but one term is next to nothing; a sum that is refused needs nothing more.
    return fabs(states.low[place] + states.rest[place]) > 1e-280 or not accepted_lane(states, place, n)


cdef void look_row(const Terms *terms, Py_ssize_t n, real shift, Care care,
                   const States *states, Py_ssize_t place) noexcept nogil:
    # Every combination of constants is a loop of its own.
    if care == EXACT and has_parts(terms, n):
        if is_plain(terms):
            exact_row(terms, n, shift, False, states, place)
        else:
            exact_row(terms, n, shift, True, states, place)
        if parts_suffice(states, place, n):
            return
    if care == EXACT:
        double_row(terms, n, shift, True, True, states, place)
    elif care == SHORT:
        double_row(terms, n, shift, REAL_BITS == 64, False, states, place)
    elif is_plain(terms):
        fast_row(terms, n, shift, False, states, place)
    else:
        fast_row(terms, n, shift, True, states, place)


# --- columns: lanes across inner -----------------------------------------------------------------------

cdef inline Py_ssize_t column_of(Py_ssize_t vector, Py_ssize_t lanes, Py_ssize_t width) noexcept nogil:
    # Where the vector starts: the last one steps back to stay inside, and does some columns twice.
    return vector * lanes if (vector + 1) * lanes <= width else width - lanes


cdef inline void take_sums(const double *high, const double *low, Py_ssize_t place, dvec *h, dvec *l) noexcept nogil:
    # The sums of a vector of columns, as add_wide has them, from L1.
    cdef int which
    for which in range(HALVES):
        h[which] = dload(high + place + which * DLANES)
    l[0] = dload(low + place) if REAL_BITS == 64 else dsplat(0)


cdef inline void put_sums(double *high, double *low, Py_ssize_t place, const dvec *h, const dvec *l) noexcept nogil:
    cdef int which
    for which in range(HALVES):
        dstore(high + place + which * DLANES, h[which])
    if REAL_BITS == 64:
        dstore(low + place, l[0])


cdef inline void fast_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift,
                              bint general, const States *states) noexcept nogil:
    # Sums stand in L1, one per position and column: they are touched once in eight terms.
    cdef double high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef double size[SPREAD * TILE]
    cdef dvec h[HALVES_BOUND]
    cdef dvec l[HALVES_BOUND]
    cdef dvec joined[SPREAD]
    cdef dvec joined_low[SPREAD]
    cdef dvec joined_size[SPREAD]
    cdef vec sizes[TREE]
    cdef vec total
    cdef Py_ssize_t vectors = (width + LANES - 1) // LANES
    cdef Py_ssize_t row, first, j, place, v, k
    cdef int count, which, p
    for k in range(WIDTH * TILE):
        high[k] = 0
        if REAL_BITS == 64:
            low[k] = 0
        if general:
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
                    total = eight_terms(terms, row, WIDTH, j, 0, load(shift + j), TREE, general, sizes)
                else:
                    total = eight_terms(terms, row, WIDTH, j, 0, load(shift + j), count, general, sizes)
                take_sums(high, low, place, h, l)
                add_wide(total, h, l)
                put_sums(high, low, place, h, l)
                if general:
                    for which in range(HALVES):
                        dstore(size + place + which * DLANES,
                               dload(size + place + which * DLANES) + half(sizes[0], which))
        first += TREE * WIDTH
    for v in range(vectors):
        for which in range(HALVES):
            place = v * LANES + which * DLANES
            for p in range(WIDTH):
                joined[p] = dload(high + p * TILE + place)
                joined_low[p] = dload(low + p * TILE + place) if REAL_BITS == 64 else dsplat(0)
                joined_size[p] = dload(size + p * TILE + place) if general else dsplat(0)
            join(joined, joined_low, joined_low, joined_size, WIDTH, REAL_BITS == 64, False, general)
            j = column_of(v, LANES, width) + which * DLANES
            keep_columns(states, j, load_double(shift + j), joined[0], joined_low[0], dsplat(0),
                         joined_size[0] if general else joined[0])


cdef inline void double_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift,
                              bint exact, bint triples, const States *states) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec rest[SPREAD]
    cdef dvec size[SPREAD]
    cdef dvec c
    cdef Py_ssize_t v, j, row, p
    for v in range((width + DLANES - 1) // DLANES):
        j = column_of(v, DLANES, width)
        c = load_double(shift + j)
        for p in range(DWIDTH):
            high[p] = low[p] = rest[p] = size[p] = dsplat(0)
            row = p
            while row < n:
                add_double(terms, row, j, c, exact, triples, high + p, low + p, rest + p, size + p)
                row += DWIDTH
        join(high, low, rest, size, DWIDTH, exact, triples, True)
        keep_columns(states, j, c, high[0], low[0] if exact else dsplat(0), rest[0] if triples else dsplat(0), size[0])


cdef inline void exact_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift, bint general,
                               const States *states) noexcept nogil:
    # As fast_columns.
    cdef double high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef double rest[SPREAD * TILE]
    cdef dvec h[SPREAD]
    cdef dvec l[SPREAD]
    cdef dvec r[SPREAD]
    cdef dvec c
    cdef Py_ssize_t vectors = (width + DLANES - 1) // DLANES, first = 0, row, j, place, v, k
    cdef int count, p
    for k in range(DWIDTH * TILE):
        high[k] = low[k] = rest[k] = 0
    while first < n:
        for p in range(DWIDTH):
            row = first + p
            if row >= n:
                break
            count = <int> min((n - row + DWIDTH - 1) // DWIDTH, TREE)
            for v in range(vectors):
                j = column_of(v, DLANES, width)
                c = load_double(shift + j)
                place = p * TILE + v * DLANES
                h[0] = dload(high + place)
                l[0] = dload(low + place)
                r[0] = dload(rest + place)
                if count == TREE:
                    add_eight_exactly(terms, row, DWIDTH, j, 0, c, TREE, general, h, l, r)
                else:
                    add_eight_exactly(terms, row, DWIDTH, j, 0, c, count, general, h, l, r)
                dstore(high + place, h[0])
                dstore(low + place, l[0])
                dstore(rest + place, r[0])
        first += TREE * DWIDTH
    for v in range(vectors):
        for p in range(DWIDTH):
            h[p] = dload(high + p * TILE + v * DLANES)
            l[p] = dload(low + p * TILE + v * DLANES)
            r[p] = dload(rest + p * TILE + v * DLANES)
        join(h, l, r, h, DWIDTH, True, True, False)
        j = column_of(v, DLANES, width)
        keep_columns(states, j, load_double(shift + j), h[0], l[0], r[0], h[0])


cdef void exact_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift,
                      const States *states) noexcept nogil:
    cdef double memory[5 * TILE]
    cdef States pairs = states_in(memory, TILE)
    cdef bint all_suffice = True
    cdef Py_ssize_t j
    if is_plain(terms):
        exact_columns(terms, n, width, shift, False, states)
    else:
        exact_columns(terms, n, width, shift, True, states)
    for j in range(width):
        all_suffice = all_suffice and parts_suffice(states, j, n)
    if all_suffice:
        return
    double_panel(terms, n, width, shift, True, True, &pairs)
    for j in range(width):
        if not parts_suffice(states, j, n):
            keep(states, j, pairs.shift[j], pairs.high[j], pairs.low[j], pairs.rest[j], pairs.size[j])


cdef void look_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift,
                       Care care, const States *states) noexcept nogil:
    if care == EXACT and has_parts(terms, n):
        exact_panel(terms, n, width, shift, states)
    elif care == EXACT:
        double_panel(terms, n, width, shift, True, True, states)
    elif care == SHORT:
        double_panel(terms, n, width, shift, REAL_BITS == 64, False, states)
    elif is_plain(terms):
        fast_columns(terms, n, width, shift, False, states)
    else:
        fast_columns(terms, n, width, shift, True, states)


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


cdef inline vec finite_or(vec x, vec other) noexcept nogil:
    return pick(x - x == splat(0), x, other)


cdef inline vec guess(vec most) noexcept nogil:
    # A shift for exponents of which some have this maximum.  A negative shift must not lie below the block's own
    # maximum, which is a little larger.
    return on_grid(at_least(most, at_most(most + splat(GRID / 4), splat(0))))


cdef inline vec expected(vec most) noexcept nogil:
    # Where one of few exponents lies lower than this, the maximum of all may be too far from that of these.
    return most - pick(most > splat(-GRID), splat(2 * GRID), splat(GRID / 2))


cdef inline bint guess_row(const Terms *terms, Py_ssize_t n, real *shift) noexcept nogil:
    # False if nothing can be guessed.
    cdef vec x[SAMPLE]
    cdef vec lost, most, infinity = splat(<real> INFINITY)
    cdef Tail tail
    cdef Py_ssize_t vectors = (min(n, SAMPLE) + LANES - 1) // LANES, v
    cdef ivec close = splat(0) == splat(0)
    for v in range(vectors):
        x[v] = along_or_across(terms, n, v * LANES, 0, True, &tail, &lost)
        close = close & (magnitude(x[v]) < splat(GRID))
    shift[0] = 0
    if all_set(close):    # the rule, and then nothing waits for the maximum
        return True
    most = finite_or(x[0], splat(0) - infinity)
    for v in range(1, vectors):
        most = at_least(finite_or(x[v], splat(0) - infinity), most)
    most = splat(largest(most))
    close = most > splat(0) - infinity
    for v in range(vectors):
        close = close & (finite_or(x[v], infinity) >= expected(most))
    shift[0] = lane(guess(most), 0)
    return all_set(close)


cdef inline ivec guess_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t j, vec *shift) noexcept nogil:
    cdef vec x, lost, b = splat(0), infinity = splat(<real> INFINITY)
    cdef vec most = splat(0) - infinity, least = infinity
    cdef Py_ssize_t row
    for row in range(min(n, SAMPLE)):
        x = fetch(terms, row, j, &lost, &b)
        most = at_least(finite_or(x, splat(0) - infinity), most)
        least = at_most(finite_or(x, infinity), least)
    shift[0] = guess(most)
    return (most > splat(0) - infinity) & (least >= expected(most))


cdef void survey_row(const Terms *terms, Py_ssize_t n, double *largest, double *strange) noexcept nogil:
    cdef Tail tail
    cdef vec peak = splat(<real> -INFINITY), special = splat(0), x, lost, b = splat(1)
    cdef Py_ssize_t i = 0, k
    while i < n:
        if n - i < LANES:
            pad_terms(terms, i, n - i, LANES, <real> -INFINITY, &tail)
            x = fetch(&tail.terms, 0, 0, &lost, &b)
        else:
            x = fetch(terms, 0, i, &lost, &b)
        survey(x, b, terms.b != NULL, &peak, &special)
        i += LANES
    largest[0] = -INFINITY
    strange[0] = 0
    for k in range(LANES):
        largest[0] = max(largest[0], lane(peak, k))
        strange[0] = strange[0] + lane(special, k)


cdef void fold_row(const Terms *terms, Py_ssize_t n, Care care, const States *states, Py_ssize_t place) noexcept nogil:
    cdef real shift = 0, peak = -INFINITY, unused = 0
    cdef double largest, strange
    if not guess_row(terms, n, &shift) and terms.b == NULL:
        peak_of_row(terms, n, is_plain(terms), True, &peak, &unused, &unused)
        shift = lane(on_grid(splat(peak)), 0)
    look_row(terms, n, shift, care, states, place)
    if accepted_lane(states, place, n):
        return
    survey_row(terms, n, &largest, &strange)
    if not settled(largest, strange, states, place):
        shift = lane(on_grid(splat(<real> largest)), 0)
        look_row(terms, n, shift, care, states, place)


cdef void fold_rows(const void *start, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t count, Care care,
                    const States *states) noexcept nogil:
    cdef Terms terms
    cdef Py_ssize_t row
    for row in range(count):
        terms = plain_terms(<const real *> start + row * a_step, 0)
        fold_row(&terms, n, care, states, row)


cdef void fold_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Care care,
                       const States *states) noexcept nogil:
    cdef real shift[TILE]
    cdef real largest[TILE]
    cdef real strange[TILE]
    cdef ivec guessed[TILE]
    cdef vec most[TILE]
    cdef vec beside[TILE]
    cdef vec peak, special, x, lost, b = splat(1)
    cdef Py_ssize_t j, v, row, vectors = (width + LANES - 1) // LANES
    cdef ivec all_guessed = splat(0) == splat(0)
    cdef divec fine
    for v in range(vectors):
        guessed[v] = guess_columns(terms, n, column_of(v, LANES, width), &peak)
        store(shift + column_of(v, LANES, width), peak)
        all_guessed = all_guessed & guessed[v]
    if terms.b == NULL and not all_set(all_guessed):
        peaks_of_panel(terms, n, width, is_plain(terms), True, most, beside)
        for v in range(vectors):
            j = column_of(v, LANES, width)
            store(shift + j, pick(guessed[v], load(shift + j), on_grid(most[v])))
    look_columns(terms, n, width, shift, care, states)
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
            x = fetch(terms, row, j, &lost, &b)
            survey(x, b, terms.b != NULL, &peak, &special)
        store(largest + j, peak)
        store(strange + j, special)
    for j in range(width):    # a good guess stays, so that a column's bits are its own
        if accepted_lane(states, j, n):
            strange[j] = 0
            largest[j] = shift[j]
        else:
            shift[j] = lane(on_grid(splat(largest[j])), 0)
    look_columns(terms, n, width, shift, care, states)
    for j in range(width):
        settled(largest[j], strange[j], states, j)


# --- short rows without weights -------------------------------------------------------------------------
#
# A whole row is at hand, so its largest term is known before the first exponential: no guess, no
# second look for want of a shift, and no state, for a short row is never merged.  Where a table is looked up in
# registers, only what "a first look at short rows" is not good enough for comes here.
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


cdef inline dvec nearest() noexcept nogil:
    # How near to zero an answer may lie: the error of float32's sum is 2^-36, what float64 drops is e^-700.
    return dsplat(0.0009765625 if REAL_BITS == 32 else 1e-290)


cdef inline divec short_is_fine(dvec total, dvec result) noexcept nogil:
    # The sum is no NaN and holds its largest term, which is at least e^-32; the answer is not too near zero.
    return (total >= dsplat(1e-15)) & (dmagnitude(result) >= nearest())


cdef void mend(const real *a, Py_ssize_t a_step, Py_ssize_t n, double *value) noexcept nogil:
    # The answers of DLANES columns of which some hold what is infinite or NaN, or lie next to zero.
    cdef double memory[5 * LANES_BOUND]
    cdef real zeros[LANES_BOUND]
    cdef Terms plain
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
    near = (dmagnitude(result) < nearest()) & (
        second > dsplat(-110 if REAL_BITS == 32 else -746))
    if dany(near):
        states = states_in(memory, LANES_BOUND)
        for row in range(LANES_BOUND):
            zeros[row] = 0
        plain = plain_terms(a, a_step)
        look_columns(&plain, n, DLANES, zeros, EXACT, &states)
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


cdef void careful_columns(const real *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                          double *value) noexcept nogil:
    if n <= 2:
        short_panel(a, a_step, n, width, 2, True, value)
    elif n <= 4:
        short_panel(a, a_step, n, width, 4, True, value)
    elif n <= 8:
        short_panel(a, a_step, n, width, 8, True, value)
    else:
        short_panel(a, a_step, n, width, 8, False, value)


cdef double careful_row(const real *a, Py_ssize_t n) noexcept nogil:
    # The same for one row, lanes along n.
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


# --- softmax and log_softmax ----------------------------------------------------------------------------
#
# The whole row is looked at three times, which it bears from cache: peak, sum, write.
#
# An exponential is 2^(k / TABLE) (1 + q) with k a whole number, and x - k ln2 / TABLE is exact: so a row
# needs no shift.  It is counted from a power of two next to its peak, which costs a subtraction of whole
# numbers and no digit; the usual x - max(x) rounds, which costs |x - max(x)| / 2 ulp of every share
# (Blanchard, Higham and Higham 2021, section 4).  Only where |peak| is so large that k has no room is the
# peak subtracted, and what that rounds is carried beside the difference.
#
# Sums: 2^(k / TABLE) and q times it are added apart.  The first is cut at a grid on which hundreds of
# terms add up without error; what that leaves joins the second, which is small: so the sum has some 5
# bits more than the element type.  A share is rounded once, where its two parts are added.
#
# log_softmax needs the logarithm of the sum next to the peak.  Where one term is nearly all of it, the
# rest is added apart.  Short columns subtract the peak
# always: then its own term is 1, and only a rest near the end of the grid is lost.
#
# Order of the sums as above; short columns, which are never rows of their own, simply in
# order, eight terms at a time.

# What exponents are counted from, lane by lane.
cdef struct Base:
    vec shift        # subtracted: 0, or the peak where it is far
    vec shift_low
    vec power        # a term is relative to 2^power, next to exp(peak - shift)
    vec steps        # what rounds to steps and counts them from there
    vec bottom       # what lies below counts as this, whose term is as good as none
    vec grid         # adding and removing it rounds terms to a grid (`sum_grid`)
    vec least        # no exponent is below this, as far as one knows
    bint far         # is any lane shifted?

# What a row's answers are made with, lane by lane.
cdef struct Whole:
    vec peak
    vec peak_low
    vec first        # softmax: first (1 + second) 2^-power is 1 / sum; log_softmax: first + second is
    vec second       # log(sum) - peak
    vec power


# Terms that are kept are relative to 2^(power - ROOM) where some lie so far below the peak that their shares may be
# subnormal: then the least of these is still a normal number, and so is its product with `first` times 2^SCALE.
cdef inline vec room() noexcept nogil:
    return splat(<real> (40.0 if REAL_BITS == 32 else 100.0))


cdef inline vec scale_of_products() noexcept nogil:
    return splat(<real> (1.152921504606847e18 if REAL_BITS == 32 else 1.42724769270596e45))    # 2^60, 2^150


cdef inline vec scale_back() noexcept nogil:
    return splat(<real> (8.673617379884035e-19 if REAL_BITS == 32 else 7.006492321624085e-46))    # 2^-60, 2^-150


cdef inline vec below_power(bint roomy) noexcept nogil:
    # How far below power ln2 the bottom lies: 86 (double 707) below the peak, with room 110 (double 760).
    if roomy:
        return splat(<real> (82.27411277760218 if REAL_BITS == 32 else 690.6852819440055))
    return splat(<real> (86.0 if REAL_BITS == 32 else 707.0))


cdef inline Base base_of(vec peak, vec peak_low, bint always, bint roomy) noexcept nogil:
    # `always`: shift by the peak, however near.
    cdef Base base
    cdef vec zero = splat(0)
    cdef vec limit = splat(<real> (0 if always else 8192.0 if REAL_BITS == 32 else 1048576.0))
    cdef ivec near = magnitude(peak) < limit
    base.far = not all_set(near)
    base.shift = pick(near, zero, peak)
    base.shift_low = pick(near, zero, peak_low)
    base.power = nearest_whole(pick(near, peak, zero) * splat(<real> 1.4426950408889634))
    if roomy:
        base.power = base.power - room()
    base.least = splat(<real> -INFINITY)
    base.steps = splat(WHOLE_STEPS) - base.power
    base.bottom = base.power * splat(<real> 0.6931471805599453) - below_power(roomy)
    base.grid = sum_grid() * splat(<real> ((1099511627776.0 if REAL_BITS == 32 else 1.2676506002282294e30) if roomy
                                           else 1))    # 2^ROOM
    return base


cdef inline bint needs_room(const Base *base) noexcept nogil:
    # Where no exponent lies this far below the peak, the shares of a block are above `smallest`.
    return not all_set(base.least >= base.bottom + splat(<real> (26.0 if REAL_BITS == 32 else 107.0)))


cdef inline bint is_bounded(const Base *base) noexcept nogil:
    return not base.far and all_set(base.least >= base.bottom)


cdef inline vec exponent(const Terms *terms, Py_ssize_t row, Py_ssize_t j, bint general, vec *lost) noexcept nogil:
    cdef vec b = splat(0)
    lost[0] = splat(0)
    if general:
        return fetch(terms, row, j, lost, &b)
    return load(<const real *> terms.a + row * terms.a_step + j)


cdef inline vec difference(vec x, const Base *base, bint general, bint far, vec *lost) noexcept nogil:
    # x - shift; lost gains what rounding takes from it, and loses shift_low.  Of huge numbers what was lost
    # need not be small: it joins the difference, and is forgotten with what lies below the bottom.
    cdef vec d = x, error = lost[0]
    if not general and not far:
        return x
    if far:
        vtwo_sum(x, splat(0) - base.shift, &d, &error)
        error = (lost[0] - base.shift_low) + error
    error = pick(error - error == splat(0), error, splat(0))    # of an infinite difference
    x = d + error
    lost[0] = pick(x >= base.bottom, (d - x) + error, splat(0))
    return x


cdef inline vec sum_grid() noexcept nogil:
    # Adding and removing it rounds 0 <= t < 2 to a multiple of 2^-14 (double 2^-44), of which 2^9 add up without error.
    return splat(<real> (768.0 if REAL_BITS == 32 else 384.0))


cdef inline vec whole_term(vec t, vec q) noexcept nogil:
    # t (1 + q), coarsely, where q is so large that many t q would not add up without drifting; else t.
    return t * q + t if TABLE == 2 else t


# The terms t (1 + q) of a row in one block, from sum to write: then each exponential is computed once.
cdef struct Kept:
    real t[2 * BLOCK_DOUBLES]
    real q[2 * BLOCK_DOUBLES]
    real total[LANES_BOUND]    # of short columns, in two parts
    real rest[LANES_BOUND]


cdef inline void eight_parts(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                             Py_ssize_t j_apart, const Base *base, int count, bint general, bint far, bint bounded,
                             Kept *kept, Py_ssize_t place, Py_ssize_t apart, vec *high, vec *low) noexcept nogil:
    # The sum of `count` <= 8 vectors of terms, in two parts, of which the first has no error.  Terms are kept at
    # `place`, `apart` from each other.  `bounded`: no exponent lies below the bottom, which is known without a look.
    cdef vec h[TREE]
    cdef vec l[TREE]
    cdef Powers powers = powers_of_two()
    cdef vec x, lost, t, q, k, z
    cdef int s
    for s in range(TREE):
        if s >= count:
            h[s] = l[s] = splat(0)
            continue
        x = exponent(terms, row + s * row_apart, j + s * j_apart, general, &lost)
        x = difference(x, base, general, far, &lost)    # before `lost` is read
        if not bounded:
            x = at_least(x, base.bottom)
        table_power(x, lost, not general and not far, base.steps, True, &powers, &t, &q, &k, &z)
        if kept != NULL:
            store(kept.t + place + s * apart, t)
            store(kept.q + place + s * apart, q)
        h[s] = (whole_term(t, q) + base.grid) - base.grid
        l[s] = t * q + (t - h[s])
    high[0] = tree(h)
    low[0] = tree(l)


cdef inline void add_apart(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                           Py_ssize_t j_apart, const Base *base, const Whole *whole, int count, bint general, bint far,
                           dvec *high, dvec *low) noexcept nogil:
    # Adds eight terms one by one in wider arithmetic, but those that are the peak.
    cdef Powers powers = powers_of_two()
    cdef vec x, lost, t, q, k, z
    cdef ivec top
    cdef int s, which
    for s in range(count):
        x = exponent(terms, row + s * row_apart, j + s * j_apart, general, &lost)
        top = x == whole.peak
        if general:
            top = top & (lost == whole.peak_low)
        x = difference(pick(top, splat(<real> -INFINITY), x), base, general, far, &lost)
        table_power(at_least(x, base.bottom), lost, not general and not far, base.steps, True, &powers, &t, &q, &k, &z)
        t = pick(x < base.bottom, splat(0), t)
        x = whole_term(t, q)
        q = t * q + (t - x)
        for which in range(HALVES):
            if REAL_BITS == 32:    # in double both have room
                high[which] = high[which] + (half(x, which) + half(q, which))
            else:
                add_pair(half(x, which), half(q, which), high, low)


cdef inline void add_eight(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                           Py_ssize_t j_apart, const Base *base, const Whole *whole, int count, bint general,
                           bint far, bint apart, bint bounded, Kept *kept, Py_ssize_t place,
                           dvec *high, dvec *low) noexcept nogil:
    # Eight terms to the sums of a position; `apart`: to those of all but the peak.
    cdef vec h, l
    cdef int which
    if apart:
        add_apart(terms, row, row_apart, j, j_apart, base, whole, count, general, far, high, low)
        return
    eight_parts(terms, row, row_apart, j, j_apart, base, count, general, far, bounded, kept, place, j_apart, &h, &l)
    for which in range(HALVES):
        if REAL_BITS == 64:
            high[0] = high[0] + half(h, 0)
            low[0] = low[0] + half(l, 0)
        else:
            high[which] = high[which] + (half(h, which) + half(l, which))


cdef inline void sum_one(const Terms *terms, Py_ssize_t n, const Base *start, const Whole *whole, bint general,
                         bint far, bint apart, bint bounded, Kept *kept, const States *states) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef Tail tail
    cdef Base own = start[0]    # in registers: what is stored cannot change it
    cdef const Base *base = &own
    cdef Terms row = terms[0]
    cdef Py_ssize_t i = 0, j, stripe = TREE * WIDTH
    cdef int v
    for v in range(WIDTH // DLANES):
        high[v] = low[v] = dsplat(0)
    while i < n:
        j = i
        if n - i < stripe:
            pad_terms(terms, i, n - i, stripe, lane(base.bottom, 0) if bounded else <real> -INFINITY, &tail)
            row = tail.terms
            j = 0
        elif not general:    # one register for all addresses
            row.a = <const real *> terms.a + i
            j = 0
        for v in range(WIDTH // LANES):
            add_eight(&row, 0, 0, j + v * LANES, WIDTH, base, whole, TREE, general, far, apart, bounded, kept,
                      i + v * LANES, high + v * HALVES, low + v * HALVES)
        i += stripe
    keep_row(high, low, low, high, WIDTH, REAL_BITS == 64, False, False, lane(base.power, 0), states, 0)


cdef inline void sum_vector(const Terms *terms, Py_ssize_t n, Py_ssize_t j, const Base *base, const Whole *whole,
                            bint general, bint far, bint apart, const States *states) noexcept nogil:
    # One vector of columns that are far, or whose peak is apart: all its positions at once, in L1.
    cdef dvec high[SPREAD * HALVES_BOUND]
    cdef dvec low[SPREAD * HALVES_BOUND]
    cdef dvec joined[SPREAD]
    cdef dvec joined_low[SPREAD]
    cdef real powers[LANES_BOUND]
    cdef Py_ssize_t k, row, first = 0, p
    cdef int count, which
    for k in range(WIDTH * HALVES):
        high[k] = low[k] = dsplat(0)
    while first < n:
        for p in range(WIDTH):
            row = first + p
            if row >= n:
                break
            count = <int> min((n - row + WIDTH - 1) // WIDTH, TREE)
            if count == TREE:
                add_eight(terms, row, WIDTH, j, 0, base, whole, TREE, general, far, apart, False, NULL, 0,
                          high + p * HALVES, low + p * HALVES)
            else:
                add_eight(terms, row, WIDTH, j, 0, base, whole, count, general, far, apart, False, NULL, 0,
                          high + p * HALVES, low + p * HALVES)
        first += TREE * WIDTH
    store(powers, base.power)
    for which in range(HALVES):
        for p in range(WIDTH):
            joined[p] = high[p * HALVES + which]
            joined_low[p] = low[p * HALVES + which]
        join(joined, joined_low, joined_low, joined, WIDTH, REAL_BITS == 64, False, False)
        keep_columns(states, j + which * DLANES, load_double(powers + which * DLANES), joined[0],
                     joined_low[0] if REAL_BITS == 64 else dsplat(0), dsplat(0), dsplat(0))


cdef inline void sum_vectors(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const Base *bases, bint general,
                             const States *states) noexcept nogil:
    # All vectors of a panel, stripe by stripe, for the same reason as in peaks_of_panel; no column is far.
    cdef double high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef dvec h[HALVES_BOUND]
    cdef dvec l[HALVES_BOUND]
    cdef dvec joined[SPREAD]
    cdef dvec joined_low[SPREAD]
    cdef real powers[LANES_BOUND]
    cdef Base base
    cdef Py_ssize_t vectors = (width + LANES - 1) // LANES, first = 0, row, j, v, k, place
    cdef int count, which, p
    for p in range(WIDTH):
        for k in range(p * TILE, p * TILE + vectors * LANES):
            high[k] = 0
            if REAL_BITS == 64:
                low[k] = 0
    while first < n:
        for v in range(vectors):
            j = column_of(v, LANES, width)
            base = bases[v]
            for p in range(WIDTH):
                row = first + p
                if row >= n:
                    break
                place = p * TILE + v * LANES
                take_sums(high, low, place, h, l)
                count = <int> min((n - row + WIDTH - 1) // WIDTH, TREE)
                if count == TREE:
                    add_eight(terms, row, WIDTH, j, 0, &base, NULL, TREE, general, False, False, False, NULL, 0,
                              h, l)
                else:
                    add_eight(terms, row, WIDTH, j, 0, &base, NULL, count, general, False, False, False, NULL, 0,
                              h, l)
                put_sums(high, low, place, h, l)
        first += TREE * WIDTH
    for v in range(vectors):
        store(powers, bases[v].power)
        for which in range(HALVES):
            place = v * LANES + which * DLANES
            for p in range(WIDTH):
                joined[p] = dload(high + p * TILE + place)
                joined_low[p] = dload(low + p * TILE + place) if REAL_BITS == 64 else dsplat(0)
            join(joined, joined_low, joined_low, joined_low, WIDTH, REAL_BITS == 64, False, False)
            keep_columns(states, column_of(v, LANES, width) + which * DLANES, load_double(powers + which * DLANES),
                         joined[0], joined_low[0] if REAL_BITS == 64 else dsplat(0), dsplat(0), dsplat(0))


cdef inline void sum_short(const Terms *terms, Py_ssize_t n, Py_ssize_t j, const Base *start, bint general, bint far,
                           Kept *kept, vec *high, vec *low) noexcept nogil:
    # One vector of short columns.
    cdef vec h, l
    cdef Base own = start[0]    # in registers, as in sum_one
    cdef const Base *base = &own
    cdef Terms columns = terms[0]
    cdef Py_ssize_t row = 0
    high[0] = low[0] = splat(0)
    while row < n:
        if n - row >= TREE:
            eight_parts(&columns, row, 1, j, 0, base, TREE, general, far, False, kept, row * TILE + j, TILE, &h, &l)
        elif n - row == 4:
            eight_parts(&columns, row, 1, j, 0, base, 4, general, far, False, kept, row * TILE + j, TILE, &h, &l)
        else:
            eight_parts(&columns, row, 1, j, 0, base, <int> (n - row), general, far, False, kept, row * TILE + j, TILE,
                        &h, &l)
        high[0] = high[0] + h
        low[0] = low[0] + l
        row += TREE


cdef inline bint has_few(double total) noexcept nogil:
    # So little that terms below the range of normal_at could count.
    return total < (1e-20 if REAL_BITS == 32 else 1e-280)


cdef void few_terms(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint along, const Base *base, const Whole *whole,
                    double *total) noexcept nogil:
    # float64: the sum of all terms but the peak once more, lane by lane, where it is next to nothing: long double
    # reaches beyond the end of double's range, where terms would be subnormal.  Compensated, for n may
    # be large.
    cdef Tail tail
    cdef real d[LANES_BOUND]
    cdef real rounded[LANES_BOUND]
    cdef long double high[LANES_BOUND]
    cdef long double rest[LANES_BOUND]
    cdef long double term, added
    cdef Base lower = base[0]
    cdef vec x, y, lost
    cdef ivec top
    cdef Py_ssize_t i = 0, k, place
    lower.bottom = splat(-2000)
    for k in range(LANES):
        high[k] = rest[k] = 0
    while i < n:
        x = along_or_across(terms, n, i, j, along, &tail, &lost)
        top = (x == whole.peak) & (lost == whole.peak_low)
        y = pick(top, splat(<real> -INFINITY), difference(x, &lower, True, True, &lost))
        if not all_set(y < splat(-746)):
            store(d, y)
            store(rounded, lost)
            for k in range(LANES):
                place = 0 if along else k
                term = expl(d[k])
                term += term * rounded[k]
                added = high[place] + term
                rest[place] += (high[place] - added) + term if high[place] > term else (term - added) + high[place]
                high[place] = added
        i += LANES if along else 1
    for k in range(1 if along else LANES):
        total[k] = <double> (high[k] + rest[k])


cdef inline dvec peak_over_power(const Base *base, const Whole *whole, int which) noexcept nogil:
    # peak - shift - power ln2: residual's first product is exact.
    cdef dvec near = half(whole.peak, which) - half(base.shift, which)
    cdef dvec near_low = half(whole.peak_low, which) - half(base.shift_low, which)
    return residual(near, half(base.power, which), dsplat(0.6931471805599453)) + (
        near_low - half(base.power, which) * dsplat(2.3190468138462996e-17))


cdef void sum_others(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint along, const Base *base, const Whole *whole,
                     const States *states) noexcept nogil:
    # All terms but the peak, relative to it, of one vector of columns, or of a row.
    cdef bint plain = is_plain(terms) and not base.far
    cdef dvec high, low, product, factor, factor_low
    cdef Py_ssize_t k
    cdef int which
    if along and plain:
        sum_one(terms, n, base, whole, False, False, True, False, NULL, states)
    elif along:
        sum_one(terms, n, base, whole, True, True, True, False, NULL, states)
    elif plain:
        sum_vector(terms, n, j, base, whole, False, False, True, states)
    else:
        sum_vector(terms, n, j, base, whole, True, True, True, states)
    for which in range(1 if along else HALVES):
        k = j + which * DLANES
        double_term(dsplat(0) - peak_over_power(base, whole, which), dsplat(0), dsplat(0), dsplat(0), False, True,
                    &factor, &factor_low)
        high = doubles(states.high + k, along)
        low = doubles(states.low + k, along)
        product = high * factor
        low = low * factor + (high * factor_low - residual(product, high, factor))
        if along:
            states.high[0] = dlane(product, 0)
            states.low[0] = dlane(low, 0)
        else:
            dstore(states.high + k, product)
            dstore(states.low + k, low)


cdef inline vec largest_but_peak(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint along,
                                 const Whole *whole) noexcept nogil:
    # The peak itself where there is nothing else.
    cdef Tail tail
    cdef vec x, lost, nothing = splat(<real> -INFINITY), most = nothing
    cdef Py_ssize_t i = 0
    while i < n:
        x = along_or_across(terms, n, i, j, along, &tail, &lost)
        most = at_least(pick((x == whole.peak) & (lost == whole.peak_low), nothing, x), most)
        i += LANES if along else 1
    if along:
        most = splat(largest(most))
    return pick(most > nothing, most, whole.peak)


cdef void sum_apart(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint along, vec peak, vec peak_low,
                    const States *states) noexcept nogil:
    # Where the others lie so far below the peak that they leave the range in which they are added: float counts them
    # from the largest of themselves, for what is relative to the peak has room in double.
    cdef double remote[LANES_BOUND]
    cdef double memory[5 * LANES_BOUND]
    cdef States own = states_in(memory, LANES_BOUND), lower = own
    cdef Base base = base_of(peak, peak_low, False, False)
    cdef Whole whole
    cdef Py_ssize_t k, count = 1 if along else LANES
    cdef bint few = False
    whole.peak = peak
    whole.peak_low = peak_low
    sum_others(terms, n, j, along, &base, &whole, states)
    for k in range(count):
        few = few or has_few(states.high[j + k])
    if not few:
        return
    if REAL_BITS == 32:
        base = base_of(largest_but_peak(terms, n, j, along, &whole), splat(0), False, False)
        lower.shift -= j    # a vector of columns goes to places j ..
        lower.high -= j
        lower.low -= j
        lower.rest -= j
        lower.size -= j
        sum_others(terms, n, j, along, &base, &whole, &lower)
        for k in range(count):
            remote[k] = own.high[k]
    else:
        base = base_of(peak, peak_low, True, False)
        few_terms(terms, n, j, along, &base, &whole, remote)
    for k in range(count):
        if has_few(states.high[j + k]):
            states.high[j + k] = remote[k]
            states.low[j + k] = 0


cdef inline vec along_or_across(const Terms *terms, Py_ssize_t n, Py_ssize_t i, Py_ssize_t j, bint along, Tail *tail,
                                vec *lost) noexcept nogil:
    # Exponents of a row from element i on, or of columns from j on in row i.
    if not along:
        return exponent(terms, i, j, True, lost)
    if n - i >= LANES:
        return exponent(terms, 0, i, True, lost)
    pad_terms(terms, i, n - i, LANES, <real> -INFINITY, tail)
    return exponent(&tail.terms, 0, 0, True, lost)


cdef inline void higher(vec x, vec lost, vec *most, vec *beside) noexcept nogil:
    # The largest x + lost as such a pair; a NaN takes no place.
    cdef ivec more = (x > most[0]) | ((x == most[0]) & (lost > beside[0]))
    most[0] = pick(more, x, most[0])
    beside[0] = pick(more, lost, beside[0])


cdef inline bint are_exact(const Terms *terms) noexcept nogil:
    # Does rounding take nothing from the exponents?
    return terms.scale == 1 and terms.logb == NULL


cdef inline void peak_of_row(const Terms *terms, Py_ssize_t n, bint plain, bint coarse, real *target,
                             real *target_low, real *least) noexcept nogil:
    # `coarse`: without what rounding took from the peak, which need not be the largest of equals then.
    # `least`: the least exponent of plain terms, of others -inf.
    cdef vec most[4]
    cdef vec fewest[4]
    cdef vec x, lost, beside = splat(0)
    cdef Tail tail
    cdef real edge[LANES_BOUND]
    cdef Py_ssize_t i = 0, k
    coarse = coarse or are_exact(terms)
    for k in range(4):
        most[k] = splat(<real> -INFINITY)
        fewest[k] = splat(<real> INFINITY)
    while plain and i + 4 * LANES <= n:    # four chains, for a maximum has to wait for the last one
        for k in range(4):
            x = load(<const real *> terms.a + i + k * LANES)
            most[k] = at_least(most[k], x)
            fewest[k] = at_most(fewest[k], x)
        i += 4 * LANES
    while plain and i + LANES <= n:
        x = load(<const real *> terms.a + i)
        most[0] = at_least(most[0], x)
        fewest[0] = at_most(fewest[0], x)
        i += LANES
    while coarse and i + 4 * LANES <= n:
        for k in range(4):
            most[k] = at_least(most[k], exponent(terms, 0, i + k * LANES, True, &lost))
        i += 4 * LANES
    for k in range(1, 4):
        most[0] = at_least(most[0], most[k])
        fewest[0] = at_most(fewest[0], fewest[k])
    if plain and i < n:
        pad(<const real *> terms.a + i, n - i, LANES, (<const real *> terms.a)[0], edge)
        most[0] = at_least(most[0], load(edge))
        fewest[0] = at_most(fewest[0], load(edge))
        i = n
    least[0] = -largest(splat(0) - fewest[0]) if plain else <real> -INFINITY
    while i < n:
        x = along_or_across(terms, n, i, 0, True, &tail, &lost)
        if coarse:
            most[0] = at_least(most[0], x)
        else:
            higher(x, lost, most, &beside)
        i += LANES
    target[0] = largest(most[0])
    beside = pick(most[0] == splat(target[0]), beside, splat(<real> -INFINITY))
    target_low[0] = 0 if coarse else largest(beside)


cdef inline void raise_peak(const Terms *terms, Py_ssize_t first, Py_ssize_t end, Py_ssize_t j, bint plain, bint coarse,
                            vec *most, vec *beside) noexcept nogil:
    cdef vec x, lost, high = most[0], low = beside[0]    # in registers
    cdef Py_ssize_t row
    for row in range(first, end):
        x = exponent(terms, row, j, not plain, &lost)
        if plain or coarse or are_exact(terms):
            high = at_least(high, x)
        else:
            higher(x, lost, &high, &low)
    most[0] = high
    beside[0] = low


cdef inline void ask_ahead(const real *start, Py_ssize_t step, Py_ssize_t n, Py_ssize_t first,
                           Py_ssize_t width) noexcept nogil:
    # Asks memory for rows first .. of a panel that lie far apart, which the hardware does not foresee.
    cdef Py_ssize_t row, j
    if n * step * <Py_ssize_t> sizeof(real) > 1048576:
        for row in range(first, min(n, first + PAGES)):
            j = 0
            while j < width:
                prefetch(start + row * step + j)
                j += WIDTH


cdef inline void peak_of_vector(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, bint coarse, vec *most,
                                vec *beside) noexcept nogil:
    most[0] = splat(<real> -INFINITY)
    beside[0] = splat(0)
    raise_peak(terms, 0, n, j, plain, coarse, most, beside)


cdef inline void peaks_of_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint plain, bint coarse, vec *most,
                                vec *beside) noexcept nogil:
    # Every row of a panel may lie in a page of memory of its own, and few pages are at hand at a time.
    cdef Py_ssize_t first = 0, v, vectors = (width + LANES - 1) // LANES
    for v in range(vectors):
        most[v] = splat(<real> -INFINITY)
        beside[v] = splat(0)
    while first < n:
        ask_ahead(<const real *> terms.a, terms.a_step, n, first + PAGES, width)
        for v in range(vectors):
            raise_peak(terms, first, min(n, first + PAGES), column_of(v, LANES, width), plain, coarse, most + v,
                       beside + v)
        first += PAGES


cdef void peak(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, double *target,
               double *target_low) noexcept nogil:
    cdef real high[LANES_BOUND]
    cdef real low[LANES_BOUND]
    cdef real least
    cdef vec most[TILE]
    cdef vec beside[TILE]
    cdef bint plain = is_plain(terms)
    cdef Py_ssize_t j, v, k
    if width == 0:
        peak_of_row(terms, n, plain, map == SOFTMAX, high, low, &least)
        target[0] = high[0]
        target_low[0] = low[0]
        return
    peaks_of_panel(terms, n, width, plain, map == SOFTMAX, most, beside)
    for v in range((width + LANES - 1) // LANES):
        j = column_of(v, LANES, width)
        store(high, most[v])
        store(low, beside[v])
        for k in range(LANES):
            target[j + k] = high[k]
            target_low[j + k] = low[k]


cdef inline vec from_doubles(const double *p) noexcept nogil:
    return joined(dload(p), dload(p + (LANES - DLANES)))


cdef void sum_of_row(const Terms *terms, Py_ssize_t n, bint plain, const Base *base,
                     const States *states) noexcept nogil:
    # Combinations of constants that matter are loops of their own.
    if base.far:
        sum_one(terms, n, base, NULL, True, True, False, False, NULL, states)
    elif plain and is_bounded(base):
        sum_one(terms, n, base, NULL, False, False, False, True, NULL, states)
    elif plain:
        sum_one(terms, n, base, NULL, False, False, False, False, NULL, states)
    else:
        sum_one(terms, n, base, NULL, True, False, False, False, NULL, states)


cdef void sum_and_keep(const Terms *terms, Py_ssize_t n, bint plain, const Base *base, Kept *kept,
                       const States *states) noexcept nogil:
    if plain and is_bounded(base):
        sum_one(terms, n, base, NULL, False, False, False, True, kept, states)
    elif plain:
        sum_one(terms, n, base, NULL, False, False, False, False, kept, states)
    else:
        sum_one(terms, n, base, NULL, True, False, False, False, kept, states)


cdef void sum_of_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint plain, const Base *bases,
                       const States *states) noexcept nogil:
    cdef Py_ssize_t v
    if plain:
        sum_vectors(terms, n, width, bases, False, states)
    else:
        sum_vectors(terms, n, width, bases, True, states)
    for v in range((width + LANES - 1) // LANES):
        if bases[v].far:
            sum_vector(terms, n, column_of(v, LANES, width), &bases[v], NULL, True, True, False, states)


cdef void short_of_vector(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, const Base *base,
                          Kept *kept) noexcept nogil:
    cdef vec high, low, total
    if base.far and plain:
        sum_short(terms, n, j, base, False, True, kept, &high, &low)
    elif base.far:
        sum_short(terms, n, j, base, True, True, kept, &high, &low)
    elif plain:
        sum_short(terms, n, j, base, False, False, kept, &high, &low)
    else:
        sum_short(terms, n, j, base, True, False, kept, &high, &low)
    total = high + low
    store(kept.total, total)
    store(kept.rest, (high - total) + low)


cdef void states_of_short(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, const Base *base,
                          const States *states) noexcept nogil:
    cdef Kept kept
    short_of_vector(terms, n, j, plain, base, &kept)
    to_doubles(load(kept.total), states.high + j)
    to_doubles(load(kept.rest), states.low + j)
    to_doubles(base.power, states.shift + j)


cdef void sum(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, const double *peak, bint short, bint apart,
              const States *states) noexcept nogil:
    cdef Base base
    cdef Base bases[TILE]
    cdef Whole whole
    cdef vec most, beside
    cdef bint plain = is_plain(terms)
    cdef Py_ssize_t v, j
    if width == 0:
        most = splat(<real> peak[0])
        beside = splat(<real> peak[TILE])
        base = base_of(most, beside, False, False)
        if apart:
            sum_apart(terms, n, 0, True, most, beside, states)
        else:
            sum_of_row(terms, n, plain, &base, states)
        if short and map == LOG_SOFTMAX:
            whole.peak = most
            whole.peak_low = beside
            if settle_logs(states, 0, True, False, False, &base, &whole):
                sum_apart(terms, n, 0, True, most, beside, states)
                settle_logs(states, 0, True, False, True, &base, &whole)
            states.high[0] = lane(whole.first, 0)
            states.low[0] = lane(whole.second, 0)
        return
    for v in range((width + LANES - 1) // LANES):
        j = column_of(v, LANES, width)
        most = from_doubles(peak + j)
        beside = from_doubles(peak + TILE + j)
        base = base_of(most, beside, False, False)
        bases[v] = base
        if apart:
            sum_apart(terms, n, j, False, most, beside, states)
        elif short and map == LOG_SOFTMAX:
            logs_of_short(terms, n, j, plain, &whole)
            to_doubles(whole.first, states.high + j)
            to_doubles(whole.second, states.low + j)
        elif short:
            states_of_short(terms, n, j, plain, &base, states)
    if not apart and not short:
        sum_of_panel(terms, n, width, plain, bases, states)


# --- log_softmax of short columns: the peak, and the rest

cdef inline void one_and_rest(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, real *rest, vec *peak,
                              vec *second) noexcept nogil:
    # The largest of each column, and the n - 1 others, in an order of their own.  Of what at_most and at_least
    # answer, one is NaN if either operand is.
    cdef vec x, lost
    cdef Py_ssize_t row
    peak[0] = exponent(terms, 0, j, not plain, &lost)
    second[0] = splat(<real> -INFINITY)
    for row in range(1, n):
        x = exponent(terms, row, j, not plain, &lost)
        store(rest + (row - 1) * LANES, at_most(x, peak[0]))
        second[0] = at_least(second[0], at_most(x, peak[0]))
        peak[0] = at_least(peak[0], x)


cdef inline void log_of_rest(const Base *base, vec high, vec low, Whole *whole) noexcept nogil:
    # first + second = log(1 + rest / exp(peak)), for a rest of (high + low) 2^power.
    cdef Powers powers = powers_of_two()
    cdef vec t, q, k, z, y, scale, total, error
    cdef dvec firsts[HALVES_BOUND]
    cdef dvec seconds[HALVES_BOUND]
    cdef dvec sum, more
    cdef int which
    table_power(splat(0) - whole.peak, splat(0), True, splat(WHOLE_STEPS), False, &powers, &t, &q, &k, &z)
    scale = rounded_at(splat(1), k, splat(0) - base.power)
    y = high * t
    low = low * t
    low = ((y + low) * q + low) - vresidual(y, high, t)
    total = y + low
    low = ((y - total) + low) * scale
    vtwo_sum(splat(1), total * scale, &y, &error)
    low = error + low
    if REAL_BITS == 32 and REGISTER_LOOKUP:
        y = log_float(y, low, splat(0), &low)
        whole.first = y + low
        whole.second = (y - whole.first) + low
    else:
        for which in range(HALVES):
            two_sum(half(y, which), half(low, which), &sum, &more)
            sum = log_pair(sum, more, dsplat(0))
            firsts[which] = as_float(sum)
            seconds[which] = sum - firsts[which]
        whole.first = joined(firsts[0], firsts[HALVES - 1])
        whole.second = joined(seconds[0], seconds[HALVES - 1])


cdef inline ivec logs_by_rest(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, Whole *whole) noexcept nogil:
    # What a peak's share lacks of 1 is known to all its digits.  Not for lanes whose peak is far, or so alone
    # that its rest could be subnormal.
    cdef real rest[SHORT_ROW * LANES_BOUND]
    cdef Terms others = plain_terms(rest, LANES)
    cdef vec second, high, low
    cdef Base base
    cdef ivec usual
    one_and_rest(terms, n, j, plain, rest, &whole.peak, &second)
    whole.peak_low = splat(0)
    usual = (whole.peak - second < splat(<real> (60.0 if REAL_BITS == 32 else 600.0))) & (
        magnitude(whole.peak) < splat(<real> (8192.0 if REAL_BITS == 32 else 1048576.0)))
    base = base_of(pick(usual, second, splat(0)), splat(0), False, False)
    sum_short(&others, n - 1, 0, &base, False, False, NULL, &high, &low)
    log_of_rest(&base, high, low, whole)
    return usual & (high + low < splat(<real> INFINITY))


cdef void logs_of_short(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, Whole *whole) noexcept nogil:
    # `first` and `second` of a vector of short columns.
    cdef double memory[5 * TILE]
    cdef States states = states_in(memory, TILE)
    cdef Base base
    cdef Whole other
    cdef ivec usual = splat(0) > splat(0)
    if are_exact(terms) and n > 1:
        usual = logs_by_rest(terms, n, j, plain, whole)
        if all_set(usual):
            return
    peak_of_vector(terms, n, j, plain, False, &other.peak, &other.peak_low)
    other.power = splat(0)
    base = base_of(other.peak, other.peak_low, True, False)
    states_of_short(terms, n, j, plain, &base, &states)
    if settle_logs(&states, j, False, True, False, &base, &other):
        sum_apart(terms, n, j, False, other.peak, other.peak_low, &states)
        settle_logs(&states, j, False, True, True, &base, &other)
    whole.peak = other.peak
    whole.peak_low = other.peak_low
    whole.first = pick(usual, whole.first, other.first)
    whole.second = pick(usual, whole.second, other.second)


# --- the sum's part in the answers

cdef inline void whole_share(vec total, vec low, const Base *base, Whole *whole) noexcept nogil:
    cdef vec m, e
    split_power(total, &m, &e)
    low = low * power_of_whole(splat(0) - e)
    whole.first = splat(1) / m
    whole.second = vresidual(splat(1), whole.first, m) - whole.first * low
    whole.power = base.power + e


cdef inline double dominated(bint short) noexcept nogil:
    # Smaller logarithms of the sum next to the peak need the rest apart: beside 1 it has the digits of
    # 2^-29 (double 2^-56) alone, in short columns those of the grid.
    if short:
        return 0.0009765625 if REAL_BITS == 32 else 1.4551915228366852e-11    # 2^-10, 2^-36
    return 0.25 if REAL_BITS == 32 else 0.5


cdef inline void settle_shares(const States *states, Py_ssize_t place, bint alone, const Base *base,
                               Whole *whole) noexcept nogil:
    # `alone`: one row's state, to all lanes.
    cdef real lows[LANES_BOUND]
    cdef vec high
    cdef Py_ssize_t k
    if alone:
        high = splat(<real> states.high[place])
        whole_share(high, splat(<real> ((states.high[place] - <real> states.high[place]) + states.low[place])), base,
                    whole)
        return
    high = from_doubles(states.high + place)
    store(lows, high)
    for k in range(LANES):    # what float cannot hold
        lows[k] = <real> ((states.high[place + k] - lows[k]) + states.low[place + k])
    whole_share(high, load(lows), base, whole)


cdef inline dvec doubles(const double *p, bint alone) noexcept nogil:
    return dsplat(p[0]) if alone else dload(p)


cdef inline bint settle_logs(const States *states, Py_ssize_t place, bint alone, bint short, bint apart,
                             const Base *base, Whole *whole) noexcept nogil:
    # True if the rest has to be added apart for some lane.  `apart`: it was, and counts in these lanes alone.
    cdef dvec firsts[HALVES_BOUND]
    cdef dvec seconds[HALVES_BOUND]
    cdef dvec high, low, total, value, old
    cdef Py_ssize_t k
    cdef int which
    cdef bint poor = False
    for which in range(HALVES):
        k = place + (0 if alone else which * DLANES)
        if alone and which > 0:
            firsts[which] = firsts[0]
            seconds[which] = seconds[0]
            continue
        high = doubles(states.high + k, alone)
        low = doubles(states.low + k, alone)
        if apart:
            old = half(whole.first, which) + half(whole.second, which)
            two_sum(dsplat(1), high, &total, &high)    # a peak that is not alone leaves nothing poor
            value = dpick(old < dsplat(dominated(short)), log_pair(total, high + low, dsplat(0)), old)
        else:
            total = high + low
            value = peak_over_power(base, whole, which)
            if REAL_BITS == 32:
                value = log_coarse(dpick(total - total == dsplat(0), total, dsplat(1)), dsplat(0) - value)
            else:
                value = log_pair(dpick(total - total == dsplat(0), total, dsplat(1)), (high - total) + low,
                                 dsplat(0) - value)
            value = dpick(total - total == dsplat(0), value, total)
            poor = poor or dany(value < dsplat(dominated(short)))
        firsts[which] = as_float(value)
        seconds[which] = value - firsts[which]
    whole.first = joined(firsts[0], firsts[HALVES - 1])
    whole.second = joined(seconds[0], seconds[HALVES - 1])
    return poor


cdef inline void whole_from(const double *peak, const double *first, const double *second, const double *power,
                            Base *base, Whole *whole) noexcept nogil:
    whole.peak = from_doubles(peak)
    whole.peak_low = from_doubles(peak + TILE)
    whole.first = from_doubles(first)
    whole.second = from_doubles(second)
    whole.power = from_doubles(power)
    base[0] = base_of(whole.peak, whole.peak_low, False, False)


cdef inline void to_doubles(vec x, double *p) noexcept nogil:
    cdef int which
    for which in range(HALVES):
        dstore(p + which * DLANES, half(x, which))


cdef bint settle(const States *states, Py_ssize_t count, Map map, bint short, bint apart, const double *peak,
                 double *first, double *second, double *power) noexcept nogil:
    cdef Base base
    cdef Whole whole
    cdef bint poor = False
    cdef Py_ssize_t i = 0
    while i < count:
        whole_from(peak + i, first + i, second + i, power + i, &base, &whole)
        if map == LOG_SOFTMAX and short:
            whole.first = from_doubles(states.high + i)
            whole.second = from_doubles(states.low + i)
            whole.power = splat(0)
        elif map == SOFTMAX:
            settle_shares(states, i, False, &base, &whole)
        elif settle_logs(states, i, False, short, apart, &base, &whole):
            poor = True
        to_doubles(whole.first, first + i)
        to_doubles(whole.second, second + i)
        to_doubles(whole.power, power + i)
        i += LANES
    return poor


# --- answers

cdef inline vec product(vec t, vec q, vec first, vec second) noexcept nogil:
    # t (1 + q) first (1 + second), rounded once
    cdef vec y = t * first
    return y + (y * (q + second) - vresidual(y, t, first))


cdef inline vec one_share(vec x, vec lost, const Base *base, const Whole *whole, bint exact, bint far) noexcept nogil:
    cdef Powers powers = powers_of_two()
    cdef vec t, q, k, z
    cdef vec d = difference(x, base, not exact, far, &lost)
    table_power(at_least(d, base.bottom), lost, exact and not far, splat(WHOLE_STEPS), False, &powers, &t, &q, &k, &z)
    return rounded_at(product(t, q, whole.first, whole.second), k, whole.power)


cdef inline vec smallest() noexcept nogil:
    # Above, all that `product` adds is a normal number.
    return splat(<real> (7.888609052210118e-31 if REAL_BITS == 32 else 1.026e-289))    # 2^-100, 2^-960


cdef inline vec counted_from(const Base *base, const Whole *whole) noexcept nogil:
    # `first` for terms that come with their power.
    return whole.first * power_of_whole(base.power - whole.power)


cdef vec share_again(vec x, const Base *base, const Whole *whole) noexcept nogil:
    cdef Base lower = base_to_write(base, whole)
    return one_share(x, splat(0), &lower, whole, True, False)


cdef inline vec ordinary_share(vec x, const Base *base, const Whole *whole, vec first) noexcept nogil:
    # one_share of a plain term, where no instruction scales by a power of two with one rounding: the answer comes
    # with its power, unless it lies next to the end of the range.
    cdef Powers powers = powers_of_two()
    cdef vec t, q, k, z, y
    table_power(at_least(x, base.bottom), splat(0), True, base.steps, True, &powers, &t, &q, &k, &z)
    y = product(t, q, first, whole.second)
    if all_set(y >= smallest()):
        return y
    return share_again(x, base, whole)


# What is subtracted for log_softmax: peak + log(sum / exp(peak)) at once, or one after the other where that
# could lose what is beside the logarithm.
cdef struct Less:
    vec a
    vec a_low
    vec b
    vec b_low
    bint twice
    int sign        # of a, if all lanes have the same one, and are finite; else 0
    vec lowest      # |x| <= a for all x from here on; with a negative sign a <= |x|


cdef inline Less less_of(const Whole *whole) noexcept nogil:
    cdef Less less
    cdef vec zero = splat(0), infinity = splat(<real> INFINITY), total, error
    cdef vec largest_number = splat(<real> (3.4028234663852886e38 if REAL_BITS == 32 else 1.7976931348623157e308))
    cdef ivec whole_log = (whole.first >= splat(<real> dominated(True))) | (
        (whole.second == zero) & (whole.peak_low == zero))
    cdef ivec together = whole_log & (
        magnitude(whole.peak) < splat(<real> (8192.0 if REAL_BITS == 32 else 1048576.0)))
    vtwo_sum(whole.peak, whole.first, &total, &error)
    error = error + (whole.peak_low + whole.second)
    less.a = pick(together, total, whole.peak)
    less.a_low = pick(together, error, whole.peak_low)
    together = together | (magnitude(whole.peak) >= infinity)    # x - inf says all
    less.b = pick(together, zero, whole.first)
    less.b_low = pick(together, zero, whole.second)
    together = together & (magnitude(whole.peak) < infinity)
    less.twice = not all_set(together)
    less.sign = 0
    if all_set((less.a > zero) & (less.a <= largest_number)):
        less.sign = 1
    elif all_set((less.a < zero) & (less.a >= zero - largest_number)):
        less.sign = -1
    less.lowest = zero - (less.a if less.sign == 1 else largest_number)
    return less


cdef inline vec one_log(vec x, vec lost, const Less *less, bint exact, bint quick) noexcept nogil:
    # `quick`: where it is known which of x and a is larger, three operations tell what x - a loses
    # (Dekker 1971): of rows, for a column's a may be small.
    cdef vec d, y, error, more
    if quick and not less.twice and less.sign != 0 and all_set(x >= less.lowest):
        d = x - less.a
        error = x - (d + less.a) if less.sign == 1 else (x - d) - less.a
        return d + ((error - less.a_low) if exact else ((error - less.a_low) + lost))
    vtwo_sum(x, splat(0) - less.a, &d, &error)
    error = error - less.a_low if exact else error + (lost - less.a_low)
    y = d
    if less.twice:
        vtwo_sum(d, splat(0) - less.b, &y, &more)
        error = error + (more - less.b_low)
    y = y + error
    return pick(d - d == splat(0), y, d)


cdef inline Base base_to_write(const Base *base, const Whole *whole) noexcept nogil:
    # Lower, for a share may be a subnormal number.
    cdef Base lower = base[0]
    lower.bottom = whole.power * splat(<real> 0.6931471805599453) - splat(<real> (110.0 if REAL_BITS == 32 else 760.0))
    return lower


cdef inline void write_row(const Terms *terms, Py_ssize_t n, Map map, bint general, bint far, const Base *base,
                           const Whole *whole, real *out) noexcept nogil:
    cdef Base lower = base_to_write(base, whole)
    cdef Less less = less_of(whole)
    cdef Tail tail
    cdef vec x, y, lost
    cdef Py_ssize_t i = 0, j, count = before_boundary(out, n)
    while i < n:
        j = i
        if n - i < LANES:
            pad_terms(terms, i, n - i, LANES, <real> -INFINITY, &tail)
            terms = &tail.terms
            j = 0
        x = exponent(terms, 0, j, general, &lost)
        if map == SOFTMAX:
            y = one_share(x, lost, &lower, whole, not general, far)
        else:
            y = one_log(x, lost, &less, not general, True)
        if i == 0 and count > 0:
            store_some(out, y, count)
            i = count
        else:
            store_some(out + i, y, n - i)
            i += LANES


# What a row of softmax can know of all its answers: the products of the powers with `first`.
cdef struct Products:
    Powers powers
    real rounded[TABLE_BOUND]
    real rest[TABLE_BOUND]


cdef inline void make_products(const Whole *whole, Products *products) noexcept nogil:
    cdef Powers powers = powers_of_two()
    cdef vec t, y
    cdef Py_ssize_t j = 0
    while j < TABLE:
        t = load(powers.rounded + j)
        y = t * whole.first
        store(products.rounded + j, y)
        store(products.rest + j, vresidual(y, t, whole.first))
        j += LANES
    products.powers.rounded = products.rounded
    products.powers.lost = powers.lost
    products.powers.bare = NULL


cdef inline vec plain_answer(vec x, const Base *base, const Base *lower, const Whole *whole, vec first,
                             const Products *products) noexcept nogil:
    # one_share, without the multiplications that all elements share.
    cdef vec y, q, k, z
    if not REGISTER_TABLE:
        return ordinary_share(x, base, whole, first)
    table_power(at_least(x, lower.bottom), splat(0), True, splat(WHOLE_STEPS), False, &products.powers, &y, &q, &k, &z)
    return rounded_at(y + (y * (q + whole.second) - vlookup(products.rest, z)), k, whole.power)


cdef void write_plain_row(const real *a, Py_ssize_t n, const Base *base, const Whole *whole, real *out) noexcept nogil:
    cdef Base own = base[0], lower = base_to_write(base, whole)
    cdef vec first = counted_from(base, whole)
    cdef Products products
    cdef real edge[LANES_BOUND]
    cdef Py_ssize_t i = before_boundary(out, n)
    if REGISTER_TABLE:
        make_products(whole, &products)
    if i > 0:
        store_some(out, plain_answer(load(a), &own, &lower, whole, first, &products), i)
    while i + LANES <= n:
        store(out + i, plain_answer(load(a + i), &own, &lower, whole, first, &products))
        i += LANES
    if i < n:
        pad(a + i, n - i, LANES, a[0], edge)
        store_some(out + i, plain_answer(load(edge), &own, &lower, whole, first, &products), n - i)


cdef void answer_row(const Terms *terms, Py_ssize_t n, Map map, const Base *base, const Whole *whole,
                     real *out) noexcept nogil:
    cdef bint plain = is_plain(terms)
    if map == LOG_SOFTMAX:
        if plain:
            write_row(terms, n, LOG_SOFTMAX, False, False, base, whole, out)
        else:
            write_row(terms, n, LOG_SOFTMAX, True, False, base, whole, out)
    elif base.far:
        write_row(terms, n, SOFTMAX, True, True, base, whole, out)
    elif plain:
        write_plain_row(<const real *> terms.a, n, base, whole, out)
    else:
        write_row(terms, n, SOFTMAX, True, False, base, whole, out)


# The parameters of up to TILE columns.
cdef struct Panel:
    Base bases[TILE]
    Whole wholes[TILE]
    Less less[TILE]
    vec scaled[TILE]    # `first` of the terms that come with their powers


cdef inline vec answer_at(const Terms *terms, Py_ssize_t row, Py_ssize_t j, const Base *base, const Whole *whole,
                          vec first, const Less *less, Map map, bint general, bint far) noexcept nogil:
    cdef vec lost
    cdef vec x = exponent(terms, row, j, general, &lost)
    if map == LOG_SOFTMAX:
        return one_log(x, lost, less, not general, False)
    if not general and not far and not REGISTER_TABLE:
        return ordinary_share(x, base, whole, first)
    return one_share(x, lost, base, whole, not general, far)


cdef inline void write_vector(const Terms *terms, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t v, Map map, bint general,
                              bint far, const Panel *panel, real *out, Py_ssize_t out_step) noexcept nogil:
    # A vector of columns, its parameters in registers.
    cdef Base base = panel.bases[v]
    cdef Whole whole = panel.wholes[v]
    cdef vec first = panel.scaled[v]
    cdef Less less = panel.less[v]
    cdef Terms own = terms[0]
    cdef Py_ssize_t row, j = v * LANES
    for row in range(begin, end):
        store(out + row * out_step + j, answer_at(&own, row, j, &base, &whole, first, &less, map, general, far))


cdef inline void write_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, bint general, bint far,
                             const Panel *panel, real *out, Py_ssize_t out_step) noexcept nogil:
    cdef vec last
    cdef Py_ssize_t v, row = 0, vectors = (width + LANES - 1) // LANES
    if width % LANES == 0:
        while row < n:
            ask_ahead(out, out_step, n, row + PAGES, width)
            for v in range(vectors):
                write_vector(terms, row, min(n, row + PAGES), v, map, general, far, panel, out, out_step)
            row += PAGES
        return
    for row in range(n):
        # The last vector steps back over columns that others write too: out may be the input itself.
        v = vectors - 1
        last = answer_at(terms, row, width - LANES, &panel.bases[v], &panel.wholes[v], panel.scaled[v],
                         &panel.less[v], map, general, far)
        for v in range(vectors - 1):
            store(out + row * out_step + v * LANES, answer_at(
                terms, row, v * LANES, &panel.bases[v], &panel.wholes[v], panel.scaled[v], &panel.less[v], map, general,
                far))
        store(out + row * out_step + width - LANES, last)


cdef void answer_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, Panel *panel, real *out,
                       Py_ssize_t out_step) noexcept nogil:
    cdef bint plain = is_plain(terms), far = False
    cdef Py_ssize_t v
    for v in range((width + LANES - 1) // LANES):
        far = far or (map == SOFTMAX and panel.bases[v].far)
    for v in range((width + LANES - 1) // LANES):
        if map == LOG_SOFTMAX:
            panel.less[v] = less_of(&panel.wholes[v])
        elif plain and not far and not REGISTER_TABLE:
            panel.scaled[v] = counted_from(&panel.bases[v], &panel.wholes[v])
        else:
            panel.bases[v] = base_to_write(&panel.bases[v], &panel.wholes[v])
    if map == LOG_SOFTMAX:
        if plain:
            write_panel(terms, n, width, LOG_SOFTMAX, False, False, panel, out, out_step)
        else:
            write_panel(terms, n, width, LOG_SOFTMAX, True, False, panel, out, out_step)
    elif far:
        write_panel(terms, n, width, SOFTMAX, True, True, panel, out, out_step)
    elif plain:
        write_panel(terms, n, width, SOFTMAX, False, False, panel, out, out_step)
    else:
        write_panel(terms, n, width, SOFTMAX, True, False, panel, out, out_step)


cdef void write(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, const double *peak,
                const double *first, const double *second, const double *power, void *out,
                Py_ssize_t out_step) noexcept nogil:
    cdef Panel panel
    cdef Base base
    cdef Whole whole
    cdef Py_ssize_t v, j
    if width == 0:
        whole.peak = splat(<real> peak[0])
        whole.peak_low = splat(<real> peak[TILE])
        whole.first = splat(<real> first[0])
        whole.second = splat(<real> second[0])
        whole.power = splat(<real> power[0])
        base = base_of(whole.peak, whole.peak_low, False, False)
        answer_row(terms, n, map, &base, &whole, <real *> out)
        return
    for v in range((width + LANES - 1) // LANES):
        j = column_of(v, LANES, width)
        whole_from(peak + j, first + j, second + j, power + j, &panel.bases[v], &panel.wholes[v])
    answer_panel(terms, n, width, map, &panel, <real *> out, out_step)


# --- a whole row or panel in one block

cdef bint row_in_one(const Terms *terms, Py_ssize_t n, Map map, real *out) noexcept nogil:
    cdef double memory[5 * LANES_BOUND]
    cdef real high = 0, low = 0, least = 0
    cdef bint plain = is_plain(terms)
    cdef States states = states_in(memory, LANES_BOUND)
    cdef Kept kept
    cdef Base base
    cdef Whole whole
    cdef bint keeps, roomy = False
    peak_of_row(terms, n, plain, map == SOFTMAX, &high, &low, &least)
    if not fabs(high) < INFINITY:
        return False
    whole.peak = splat(high)
    whole.peak_low = splat(low)
    whole.power = splat(0)
    base = base_of(whole.peak, whole.peak_low, False, False)
    base.least = splat(least)
    keeps = map == SOFTMAX and not base.far
    if keeps:
        roomy = needs_room(&base)
        if roomy:
            base = base_of(whole.peak, whole.peak_low, False, True)
            base.least = splat(least)
        sum_and_keep(terms, n, plain, &base, &kept, &states)
    else:
        sum_of_row(terms, n, plain, &base, &states)
    if not fabs(states.high[0]) < INFINITY:
        return False
    if map == SOFTMAX:
        settle_shares(&states, 0, True, &base, &whole)
    elif settle_logs(&states, 0, True, False, False, &base, &whole):
        sum_apart(terms, n, 0, True, whole.peak, whole.peak_low, &states)
        settle_logs(&states, 0, True, False, True, &base, &whole)
    if keeps:
        write_kept(n, &kept, &base, &whole, roomy, out)
    else:
        answer_row(terms, n, map, &base, &whole, out)
    return True


cdef inline void write_products(Py_ssize_t n, const Kept *kept, const Whole *whole, vec first, bint roomy,
                                real *out) noexcept nogil:
    cdef vec y
    cdef Py_ssize_t i = 0, count = before_boundary(out, n)
    while i < n:
        y = product(load(kept.t + i), load(kept.q + i), first, whole.second)
        if roomy:
            y = y * scale_back()
        if i == 0 and count > 0:
            store_some(out, y, count)
            i = count
        else:
            store_some(out + i, y, n - i)
            i += LANES


cdef void write_kept(Py_ssize_t n, const Kept *kept, const Base *base, const Whole *whole, bint roomy,
                     real *out) noexcept nogil:
    # The products of one_share, all times a power of two, which changes no digit; a subnormal answer is rounded when
    # that is taken back.
    cdef vec first = counted_from(base, whole)
    if roomy:
        write_products(n, kept, whole, first * scale_of_products(), True, out)
    else:
        write_products(n, kept, whole, first, False, out)


cdef Py_ssize_t map_rows(const void *start, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t count, Map map, void *target,
                         Py_ssize_t out_step) noexcept nogil:
    cdef Terms terms
    cdef Py_ssize_t row
    for row in range(count):
        terms = plain_terms(<const real *> start + row * a_step, 0)
        if not row_in_one(&terms, n, map, <real *> target + row * out_step):
            return row
    return count


cdef inline States states_in(double *memory, Py_ssize_t room) noexcept nogil:
    # Five arrays of `room` numbers.
    cdef States states
    states.shift = memory
    states.high = memory + room
    states.low = memory + 2 * room
    states.rest = memory + 3 * room
    states.size = memory + 4 * room
    return states


cdef bint shares_of_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, real *out,
                            Py_ssize_t out_step) noexcept nogil:
    # softmax of short columns: each exponential is computed once.
    cdef Kept kept
    cdef vec first[TILE]
    cdef vec second[TILE]
    cdef Whole whole
    cdef Base base
    cdef bint plain = is_plain(terms)
    cdef vec one, rest, zero = splat(0)
    cdef Py_ssize_t v, j, row, vectors = (width + LANES - 1) // LANES
    for v in range(vectors):
        j = column_of(v, LANES, width)
        peak_of_vector(terms, n, j, plain, True, &whole.peak, &whole.peak_low)
        base = base_of(whole.peak, whole.peak_low, False, True)
        short_of_vector(terms, n, j, plain, &base, &kept)
        if not all_set((whole.peak - whole.peak == zero) & (load(kept.total) < splat(<real> INFINITY))):
            return False
        whole_share(load(kept.total), load(kept.rest), &base, &whole)
        first[v] = counted_from(&base, &whole) * scale_of_products()
        second[v] = whole.second
    for v in range(vectors):
        j = column_of(v, LANES, width)
        one = first[v]
        rest = second[v]
        for row in range(n):
            store(out + row * out_step + j, scale_back() * product(
                load(kept.t + row * TILE + j), load(kept.q + row * TILE + j), one, rest))
    return True


cdef bint map_block(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, bint short, void *start,
                    Py_ssize_t out_step) noexcept nogil:
    cdef double memory[5 * TILE]
    cdef double memory_apart[5 * TILE]
    cdef real *out = <real *> start
    cdef bint plain = is_plain(terms)
    cdef vec most[TILE]
    cdef vec beside[TILE]
    cdef ivec fine
    cdef vec zero = splat(0)
    cdef Panel panel
    cdef Whole *whole
    cdef Base *base
    cdef States states = states_in(memory, TILE)
    cdef States apart = states_in(memory_apart, TILE)    # not the same, for the last vector repeats some columns
    cdef Py_ssize_t v, j, vectors = (width + LANES - 1) // LANES
    if width == 0:
        return row_in_one(terms, n, map, out)
    if short and map == SOFTMAX:
        return shares_of_columns(terms, n, width, out, out_step)
    if not short:
        peaks_of_panel(terms, n, width, plain, map == SOFTMAX, most, beside)
        for v in range(vectors):
            panel.bases[v] = base_of(most[v], beside[v], False, False)
        sum_of_panel(terms, n, width, plain, panel.bases, &states)
    for v in range(vectors):
        j = column_of(v, LANES, width)
        whole = &panel.wholes[v]
        base = &panel.bases[v]
        whole.power = zero
        if short:
            logs_of_short(terms, n, j, plain, whole)
            if not all_set((whole.peak - whole.peak == zero) & (whole.first - whole.first == zero)):
                return False
            continue
        whole.peak = most[v]
        whole.peak_low = beside[v]
        fine = whole.peak - whole.peak == zero
        if not all_set(fine & (from_doubles(states.high + j) < splat(<real> INFINITY))):
            return False
        if map == SOFTMAX:
            settle_shares(&states, j, False, base, whole)
        elif settle_logs(&states, j, False, False, False, base, whole):
            sum_apart(terms, n, j, False, whole.peak, whole.peak_low, &apart)
            settle_logs(&apart, j, False, False, True, base, whole)
    answer_panel(terms, n, width, map, &panel, out, out_step)
    return True


# --- a first look at short rows -----------------------------------------------------------------------------
#
# Where exponentials come from a register table, as those of softmax do: t (1 + q), added in two parts, of which
# the first has no error.  That leaves 2^-28 (double 2^-56) in the logarithm, less than half an ulp of an answer
# of 1/4.  Only answers nearer to zero, and rows with what is infinite or NaN, are looked at with more care.
# No term is scaled: a peak beyond e^48 (double e^512) is subtracted from its row, which costs nothing that an
# answer of that size could show.
#
# Order of the sums: element k at position k mod 4, the four joined by halving.

cdef inline bint has_first_look(Py_ssize_t n) noexcept nogil:
    # Too many answers of two elements are near zero.
    return REGISTER_LOOKUP and n > 2


cdef inline void first_parts(vec x, vec grid, vec *high, vec *low) noexcept nogil:
    # exp(x): what the grid holds of t, and the rest.
    # float's ln2 is right to 2^-28.4, so that all exponents come out a little too small, by as large a part of
    # themselves: `first_answer` makes good for it.
    cdef Powers powers = powers_of_two()
    cdef vec y = at_least(x, splat(<real> (-87.0 if REAL_BITS == 32 else -708.0)))
    cdef vec rounding = splat(WHOLE_STEPS)
    cdef vec z = y * splat(<real> 1.4426950408889634) + rounding
    cdef vec k = z - rounding
    cdef vec r = vresidual(y, k, splat(LN2_NEAREST))
    cdef vec t
    if REAL_BITS == 64:
        r = r - k * splat(LN2_REST)
    r = r + vlookup(powers.lost, z)
    t = times_power(vlookup(powers.bare, z), z)
    r = (r * r) * table_tail(r, True) + r
    high[0] = (whole_term(t, r) + grid) - grid
    low[0] = t * r + (t - high[0])


cdef inline vec first_grid(vec peak) noexcept nogil:
    # The grid of sums whose terms count from the power of two next to exp(peak).
    return power_of_whole(nearest_whole(peak * splat(<real> 1.4426950408889634))) * sum_grid()


cdef inline vec first_shift(vec peak) noexcept nogil:
    return pick(magnitude(peak) < splat(<real> (48.0 if REAL_BITS == 32 else 512.0)), splat(0), peak)


cdef inline ivec first_answer(vec high, vec low, vec peak, vec shift, double *value) noexcept nogil:
    # Answers of a vector of rows, and which of them may stay.
    cdef dvec result
    cdef vec sum = high + low, answer
    low = (high - sum) + low
    if REAL_BITS == 64:
        if REGISTER_TABLE:
            result = log_near(half(sum, 0), half(low, 0), half(shift, 0))
        else:
            result = log_pair(half(sum, 0), half(low, 0), half(shift, 0))
        answer = joined(result, result)
    else:    # ln2 / float(ln2) - 1, for most of the sum lies next to the peak
        sum = log_float(sum, low, (peak - shift) * splat(<real> LN2_EXCESS), &low)
        answer = shift + (sum + low)
    to_doubles(answer, value)
    return magnitude(answer) >= splat(<real> 0.25)


cdef inline void first_sum(const real *a, Py_ssize_t a_step, Py_ssize_t n, bint far, vec shift, vec grid,
                           vec *high, vec *low) noexcept nogil:
    cdef vec highs[4]
    cdef vec lows[4]
    cdef vec x, h, l
    cdef Py_ssize_t row
    for row in range(4):
        highs[row] = lows[row] = splat(0)
    for row in range(n):
        x = load(a + row * a_step)
        first_parts(x - shift if far else x, grid, &h, &l)
        if row < 4:
            highs[row] = h
            lows[row] = l
        else:
            highs[row & 3] = highs[row & 3] + h
            lows[row & 3] = lows[row & 3] + l
    high[0] = (highs[0] + highs[1]) + (highs[2] + highs[3])
    low[0] = (lows[0] + lows[1]) + (lows[2] + lows[3])


cdef inline void first_look(const real *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                            double *value) noexcept nogil:
    # All sums first, then all logarithms, as in short_panel.
    cdef vec highs[TILE]
    cdef vec lows[TILE]
    cdef vec peaks[TILE]
    cdef vec shifts[TILE]
    cdef double again[SPREAD]
    cdef real stays[LANES_BOUND]
    cdef Terms terms = plain_terms(a, a_step)
    cdef vec peak, beside, shift
    cdef ivec fine[TILE]
    cdef ivec all_fine = splat(0) == splat(0)
    cdef Py_ssize_t v, j, row, vectors = (width + LANES - 1) // LANES
    for v in range(vectors):
        j = column_of(v, LANES, width)
        peak_of_vector(&terms, n, j, True, True, &peak, &beside)
        shift = first_shift(peak)
        if all_set(shift == splat(0)):
            first_sum(a + j, a_step, n, False, shift, first_grid(peak), highs + v, lows + v)
        else:
            first_sum(a + j, a_step, n, True, shift, first_grid(peak - shift), highs + v, lows + v)
        peaks[v] = peak
        shifts[v] = shift
    for v in range(vectors):
        fine[v] = first_answer(highs[v], lows[v], peaks[v], shifts[v], value + column_of(v, LANES, width))
        all_fine = all_fine & fine[v]
    if all_set(all_fine):
        return
    for v in range(vectors):
        if not all_set(fine[v]):
            j = column_of(v, LANES, width)
            careful_columns(a + j, a_step, n, LANES, again)
            store(stays, pick(fine[v], splat(1), splat(0)))
            for row in range(LANES):
                if stays[row] == 0:
                    value[j + row] = again[row]


cdef void short_columns(const void *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                        double *value) noexcept nogil:
    if not has_first_look(n):
        careful_columns(<const real *> a, a_step, n, width, value)
    elif n == 4:
        first_look(<const real *> a, a_step, 4, width, value)
    elif n == 8:
        first_look(<const real *> a, a_step, 8, width, value)
    else:
        first_look(<const real *> a, a_step, n, width, value)


cdef inline real in_order(const real *parts, Py_ssize_t n) noexcept nogil:
    # The sum as `first_sum` has it, of parts that are followed by zeros.
    cdef real totals[4]
    cdef Py_ssize_t i = 4, p
    for p in range(4):
        totals[p] = parts[p]
    while i < n:
        for p in range(4):
            totals[p] = totals[p] + parts[i + p]
        i += 4
    return (totals[0] + totals[1]) + (totals[2] + totals[3])


cdef double short_row(const void *start, Py_ssize_t n) noexcept nogil:
    # The same for one row, lanes along n.
    cdef const real *a = <const real *> start
    cdef real padded[SHORT_ROW + SPREAD]
    cdef real highs[SHORT_ROW + SPREAD]
    cdef real lows[SHORT_ROW + SPREAD]
    cdef double value[SPREAD]
    cdef vec peak = splat(<real> -INFINITY), shift, grid, high, low
    cdef ivec fine
    cdef Py_ssize_t i = 0
    if not has_first_look(n):
        return careful_row(a, n)
    pad(a, n, (n + SPREAD - 1) // SPREAD * SPREAD, <real> -INFINITY, padded)
    while i < n:
        peak = at_least(load(padded + i), peak)
        i += LANES
    peak = splat(largest(peak))
    shift = first_shift(peak)
    grid = first_grid(peak - shift)
    i = 0
    while i < n:
        first_parts(load(padded + i) - shift, grid, &high, &low)
        store(highs + i, high)
        store(lows + i, low)
        i += LANES
    for i in range(n, (n + 3) // 4 * 4):
        highs[i] = lows[i] = 0
    fine = first_answer(splat(in_order(highs, n)), splat(in_order(lows, n)), peak, shift, value)
    return value[0] if all_set(fine) else careful_row(a, n)


# --- logarithms of weights

cdef inline dvec log_of_ordinary(dvec x, dvec exponent) noexcept nogil:
    # log(x) + exponent ln2 for x > 0 normal and not near the end of the range.
    cdef dvec result
    if REAL_BITS == 32:
        return log_coarse(x, exponent * dsplat(0.6931471805599453))
    if REGISTER_TABLE:
        result = log_near(x, dsplat(0), exponent * dsplat(LN2_HIGH_DOUBLE))
    else:
        result = log_pair(x, dsplat(0), exponent * dsplat(LN2_HIGH_DOUBLE))
    return result + exponent * dsplat(LN2_LOW_DOUBLE)


cdef inline void log_vector(real *p) noexcept nogil:
    # bound  1 ulp of the logarithm (0.56 without a register table), 2 near the ends of the range, which are first
    #        brought inside by 2^54; 0 gives -inf, inf itself, less than 0 NaN.
    cdef vec b = load(p), zero = splat(0), infinity = splat(<real> INFINITY), moved = splat(54), x = b, exponent, rest
    cdef vec result
    cdef ivec ordinary = (b > zero) & (b < infinity)
    cdef ivec tiny = b < splat(<real> (1.1754943508222875e-38 if REAL_BITS == 32 else 2.2250738585072014e-308))
    cdef ivec large = b > splat(<real> (1e38 if REAL_BITS == 32 else 1e300))
    cdef dvec parts[HALVES_BOUND]
    cdef int which
    x = pick(tiny, b * splat(<real> 18014398509481984.0), x)
    x = pick(large, b * splat(<real> 5.551115123125783e-17), x)
    x = pick(ordinary, x, splat(1))
    exponent = pick(tiny, zero - moved, pick(large, moved, zero))
    if REAL_BITS == 32 and REGISTER_LOOKUP:
        result = log_float(x, zero, zero, &rest)
        result = exponent * splat(<real> 0.6931471805599453) + (result + rest)
    else:
        for which in range(HALVES):
            parts[which] = log_of_ordinary(half(x, which), half(exponent, which))
        result = joined(parts[0], parts[HALVES - 1])
    result = pick(ordinary, result, pick(b == zero, zero - infinity, b))
    store(p, pick(b < zero, splat(<real> NAN), result))


cdef void logs(void *numbers, Py_ssize_t count) noexcept nogil:
    cdef real *b = <real *> numbers
    cdef real edge[LANES_BOUND]
    cdef Py_ssize_t i = 0
    while i + LANES <= count:
        log_vector(b + i)
        i += LANES
    if i < count:
        pad(b + i, count - i, LANES, 1, edge)
        log_vector(edge)
        store_some(b + i, load(edge), count - i)


# --- what is left out

cdef void drop(const Terms *terms, Py_ssize_t n, Py_ssize_t width, void *target, Py_ssize_t step) noexcept nogil:
    cdef const real *a
    cdef const char *kept
    cdef real *out
    cdef vec nothing = splat(<real> -INFINITY)
    cdef Py_ssize_t row, j
    for row in range(n):
        a = <const real *> terms.a + row * terms.a_step
        kept = terms.kept + row * terms.kept_step
        out = <real *> target + row * step
        j = 0
        while j + LANES <= width:
            if terms.kept_inner:
                store(out + j, pick(bytes_set(kept + j), load(a + j), nothing))
            else:
                store(out + j, load(a + j) if kept[0] else nothing)
            j += LANES
        for j in range(j, width):
            out[j] = a[j] if kept[j * terms.kept_inner] else <real> -INFINITY


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
    cdef Py_ssize_t i
    cdef int round
    for round in range(4):    # LANES_BOUND is 2^4
        if 1 << round >= m:
            break
        for i in range(m // 2):
            y[i] = evens(x[2 * i], x[2 * i + 1])
            y[i + m // 2] = odds(x[2 * i], x[2 * i + 1])
        for i in range(m):
            x[i] = y[i]


cdef inline void transpose_dense(const real *rows, Py_ssize_t m, Py_ssize_t count, real *tile) noexcept nogil:
    # Rows of m elements without gaps, LANES rows at a time; m a constant power of two.
    cdef vec x[LANES_BOUND]
    cdef Py_ssize_t first = 0, i
    while first < count:
        for i in range(m):
            prefetch(rows + first * m + i * LANES + AHEAD)
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
                prefetch(rows + at + AHEAD)
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


cdef inline void shuffle(vec *x, Py_ssize_t m) noexcept nogil:
    # The reverse of unshuffle: m vectors that hold a column each become LANES rows of m elements.
    cdef vec y[LANES_BOUND]
    cdef Py_ssize_t i
    cdef int round
    for round in range(4):
        if 1 << round >= m:
            break
        for i in range(m // 2):
            y[2 * i] = firsts(x[i], x[i + m // 2])
            y[2 * i + 1] = seconds(x[i], x[i + m // 2])
        for i in range(m):
            x[i] = y[i]


cdef inline void untranspose_dense(const real *tile, Py_ssize_t m, Py_ssize_t count, real *rows) noexcept nogil:
    cdef vec x[LANES_BOUND]
    cdef Py_ssize_t first = 0, i
    while first < count:
        for i in range(m):
            x[i] = load(tile + i * TILE + first)
        shuffle(x, m)
        for i in range(m):
            store(rows + first * m + i * LANES, x[i])
        first += LANES


cdef void untranspose(const void *source, Py_ssize_t n, Py_ssize_t count, void *start, Py_ssize_t step) noexcept nogil:
    cdef const real *tile = <const real *> source
    cdef real *rows = <real *> start
    cdef vec x[LANES_BOUND]
    cdef Py_ssize_t first = 0, column, i, wide, high, at
    if step == n and count % LANES == 0 and n <= LANES:
        if n == 2:
            untranspose_dense(tile, 2, count, rows)
            return
        if n == 4:
            untranspose_dense(tile, 4, count, rows)
            return
        if n == 8:
            untranspose_dense(tile, 8, count, rows)
            return
    while first < count:
        high = min(LANES, count - first)
        # The last columns first: where rows are neighbours, whole vectors may spill over the next row, which
        # is written afterwards.
        column = (n - 1) // LANES * LANES
        while column >= 0:
            wide = min(LANES, n - column)
            for i in range(LANES):
                x[i] = load(tile + (column + min(i, wide - 1)) * TILE + first)
            shuffle(x, LANES)
            for i in range(high):
                at = (first + i) * step + column
                if wide == LANES or (step == n and at + LANES <= count * n):
                    store(rows + at, x[i])
                else:
                    store_some(rows + at, x[i], wide)
            column -= LANES
        first += LANES


# --- the table --------------------------------------------------------------------------------------------

cdef Kernels kernels
kernels.lanes = LANES
kernels.fold_row = fold_row
kernels.fold_rows = fold_rows
kernels.fold_columns = fold_columns
kernels.short_row = short_row
kernels.short_columns = short_columns
kernels.finish = finish
kernels.peak = peak
kernels.sum = sum
kernels.settle = settle
kernels.write = write
kernels.map_block = map_block
kernels.map_rows = map_rows
kernels.logs = logs
kernels.drop = drop
kernels.transpose = transpose
kernels.untranspose = untranspose
table = PyCapsule_New(&kernels, "lsecy.kernels.table", NULL)


# Doors for the tests: the elementary functions alone.  They take numbers, for a memoryview in this file alone would
# be an eighth of the wheel.

def exp_term(double x):
    """exp(x) as the FAST fold computes it, in the element type."""
    return lane(fast_term(splat(<real> x), splat(0), splat(0), False, False), 0)


def exp_pair(double x):
    """(high, low), whose sum is exp(x) as the EXACT fold computes it."""
    cdef dvec high, low
    double_term(dsplat(x), dsplat(0), dsplat(0), dsplat(0), False, True, &high, &low)
    return dlane(high, 0), dlane(low, 0)


def exp_parts(double x):
    """The same where the EXACT fold adds on a grid."""
    cdef dvec high, low
    exact_parts(dsplat(x), dsplat(0), False, &high, &low)
    return dlane(high, 0), dlane(low, 0)


def log_pair_sum(double high, double low, double shift):
    """shift + log(high + low)."""
    return dlane(log_pair(dsplat(high), dsplat(low), dsplat(shift)), 0)
