# The arithmetic of a log-sum-exp, in one text for every instruction set and element type: sums of blocks here, shares
# in _shares.pxi, short rows in _short.pxi.
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
from libc.string cimport memcpy, memset

from lsecy.kernels.elementary cimport (
    GROUP_BOUND, Powers, double_power, double_tail, float_powers, has_logs_near, horner, log_coarse, log_pair, logs_far,
    logs_near, pair_power, pair_tail, pair_tail_16, powers_of_two, reduced, table_exp, table_power, table_powers,
    table_tails, two_sum, vtwo_sum)
from lsecy.kernels.simd cimport *
from lsecy.kernels.table cimport (
    BLOCK_DOUBLES, EXACT, FAST, LEAST_PAIR, LOG_SOFTMAX, LONG_SOFTMAX, MOST_PAIR, NUMBERS, REFUSED, SHORT, SHORT_ROW,
    SOFTMAX, TILE, WITH_NOTHING, WRITTEN, Answers, Care, Kernels, Map, States, Terms, are_crowded, are_exact,
    are_masked, from_place, is_plain, is_short, plain_terms, rows_of_room, states_in, step_of_room, terms_from)

cdef extern from "math.h" nogil:
    const double INFINITY
    const double NAN
    double exp(double)
    long double expl(long double)
    double fabs(double)

cdef enum:
    TREE = 8            # terms of one tree
    GENERAL = 4         # general terms computed side by side
    SPREAD = 16         # bound of WIDTH
    LANES_BOUND = 16    # bound of LANES
    HALVES_BOUND = 2    # bound of HALVES
    GRID = 32           # shifts are multiples of it
    SAMPLE = 16         # elements of a block that its shift is guessed from
    TOGETHER = 16       # rows whose sums are kept together
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

cdef inline vec not_nan(vec lost) noexcept nogil:
    # Beside an infinite exponent, from which rounding takes NaN, any number will do.
    return at_most(splat(<real> 1e30), lost)


cdef inline bint leaves_nan() noexcept nogil:
    # Where fast_terms scales last, a term below the range is 0 whatever was lost.
    return REGISTER_TABLE and not CLOSE_TERMS


cdef inline const real *weights_of(const Terms *terms) noexcept nogil:
    # Those that an element has for itself, of either kind, or NULL.
    return <const real *> (terms.b if terms.b != NULL else terms.logb) if terms.b_inner else NULL


cdef inline vec times_scale(vec a, vec scale, vec scale_low, vec *lost) noexcept nogil:
    # `scale_low` is what the element type does not hold of the scale.
    cdef vec product = a * scale
    lost[0] = a * scale_low - vresidual(product, a, scale)
    return product


cdef inline void exponents(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j, Py_ssize_t j_apart,
                           int count, vec *x, vec *lost, vec *b) noexcept nogil:
    # Exponents scale * a + logb of `count` vectors of elements, `row_apart` and `j_apart` from each other, what
    # rounding took from them, unless they are exact, and their weights, where there are some.  What is left out has the
    # exponent -inf and the weight 0, whatever it was.  Each question is asked once.
    cdef const real *a = <const real *> terms.a + row * terms.a_step + j
    cdef const real *weights = <const real *> (terms.b if terms.b != NULL else terms.logb)
    cdef const char *kept = terms.kept
    cdef Py_ssize_t step = row_apart * terms.a_step + j_apart
    cdef Py_ssize_t weight_step = row_apart * terms.b_step + (j_apart if terms.b_inner else 0)
    cdef Py_ssize_t kept_step = row_apart * terms.kept_step + (j_apart if terms.kept_inner else 0)
    cdef vec product, error, w, scale = splat(<real> terms.scale), nothing = splat(<real> -INFINITY)
    cdef vec scale_low = splat(<real> (terms.scale - <real> terms.scale))
    cdef ivec mask
    cdef int s
    for s in range(count):
        x[s] = load(a + s * step)
    if terms.lost != NULL:
        for s in range(count):
            lost[s] = load(<const real *> terms.lost + row * terms.a_step + j + s * step)
        return
    if terms.scale != 1:
        for s in range(count):
            x[s] = times_scale(x[s], scale, scale_low, lost + s)
    if weights != NULL:
        weights += row * terms.b_step + (j if terms.b_inner else 0)
        for s in range(count):
            w = load(weights + s * weight_step) if terms.b_inner else splat(weights[s * weight_step])
            if terms.b != NULL:
                b[s] = w
            else:
                vtwo_sum(x[s], w, &product, &error)
                lost[s] = lost[s] + error if terms.scale != 1 else error
                x[s] = pick(w == nothing, nothing, product)
    if not are_exact(terms) and not leaves_nan():
        for s in range(count):
            lost[s] = not_nan(lost[s])
    if kept == NULL:
        return
    kept += row * terms.kept_step + (j if terms.kept_inner else 0)
    for s in range(count):
        if terms.kept_inner:
            mask = bytes_set(kept + s * kept_step)
            x[s] = pick(mask, x[s], nothing)
            if terms.b != NULL:
                b[s] = pick(mask, b[s], splat(0))
        elif kept[s * kept_step] == 0:
            x[s] = nothing
            if terms.b != NULL:
                b[s] = splat(0)


cdef inline vec small_loss(vec lost) noexcept nogil:
    # What rounding took from an exponent that counts.  That of others may be anything, of -inf NaN; and of exponents
    # whose last bit is above 1 it may be more than a term can be multiplied with, and no answer shows it.
    return at_least(at_most(splat(<real> 0.25), lost), splat(<real> -0.25))


cdef void exponents_apart(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j, Py_ssize_t j_apart,
                          int count, vec *x, vec *lost, vec *b) noexcept nogil:
    # A function of its own, for it is large.
    exponents(terms, row, row_apart, j, j_apart, count, x, lost, b)


cdef inline vec fetch(const Terms *terms, Py_ssize_t row, Py_ssize_t j, vec *lost, vec *b) noexcept nogil:
    # The same of one vector.
    cdef vec x
    exponents_apart(terms, row, 0, j, 0, unknown(1), &x, lost, b)
    return x


cdef inline dvec fetch_double(const Terms *terms, Py_ssize_t row, Py_ssize_t j, dvec *lost, dvec *b) noexcept nogil:
    # The same of one vector in double.
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
    if terms.scale != 1 or terms.logb != NULL:    # as in small_loss
        lost[0] = dat_least(dat_most(dsplat(0.25), lost[0]), dsplat(-0.25))
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
    real a[TREE * SPREAD]
    real b[TREE * SPREAD]
    real lost[TREE * SPREAD]
    real powers[TREE * SPREAD]
    vec whole    # not used: for its sake all vectors lie in whole cache lines
    char kept[TREE * SPREAD]
    Terms terms


cdef inline void pad_operands(Terms *terms, Py_ssize_t first, Py_ssize_t count, Py_ssize_t length, real filler,
                              Tail *tail) noexcept nogil:
    # The operands of a row become those of `count` of its elements, padded.
    cdef bint weighted = terms.b != NULL or terms.logb != NULL
    # The fillers add nothing by themselves, but -inf times a scale or beside an infinite weight may be anything.
    cdef bint told = terms.kept != NULL or not (terms.b_inner != 0 if weighted else terms.scale > 0)
    pad(<const real *> terms.a + first, count, length, filler, tail.a)
    terms.a = tail.a
    if terms.b != NULL and terms.b_inner:
        pad(<const real *> terms.b + first, count, length, 0, tail.b)
        terms.b = tail.b
    if terms.logb != NULL and terms.b_inner:
        pad(<const real *> terms.logb + first, count, length, <real> -INFINITY, tail.b)
        terms.logb = tail.b
    if told:
        memset(tail.kept, 0, length)
        if terms.kept != NULL and terms.kept_inner:
            memcpy(tail.kept, terms.kept + first, count)
        else:
            memset(tail.kept, terms.kept == NULL or terms.kept[0], count)
        terms.kept = tail.kept
        terms.kept_inner = 1


cdef inline void pad_terms(const Terms *terms, Py_ssize_t first, Py_ssize_t count, Py_ssize_t length, real filler,
                           Tail *tail) noexcept nogil:
    tail.terms = terms[0]
    pad_operands(&tail.terms, first, count, length, filler, tail)


cdef inline void add_lost(vec *terms, const vec *lost, int count) noexcept nogil:
    # exp(x + lost) = exp(x) (1 + lost), for what rounding took from x.
    cdef int s
    for s in range(count):
        terms[s] = terms[s] * lost[s] + terms[s]


cdef inline void fast_terms(vec *x, const vec *lost, int count, bint lossy) noexcept nogil:
    # exp(x + lost) of `count` vectors, in their place.  Only if `lossy` is there anything lost.
    cdef vec p[GROUP_BOUND]
    cdef vec z[GROUP_BOUND]
    cdef vec k[GROUP_BOUND]
    cdef int s
    for s in range(count):
        x[s] = in_range(x[s])
    if CLOSE_TERMS:
        table_exp(x, count, False, NULL, NULL)
        if lossy:
            add_lost(x, lost, count)
        return
    powers_of(x, count, p, z, k)
    if lossy:
        add_lost(p, lost, count)
    for s in range(count):
        x[s] = term_in_range(p[s], z[s], k[s])


cdef inline void powers_of(vec *x, int count, vec *p, vec *z, vec *k) noexcept nogil:
    # exp(x) = 2^k p of `count` vectors.
    cdef int s
    if REAL_BITS == 32:
        float_powers(x, count, p, z, k)
        return
    for s in range(count):    # half: x itself
        double_power(half(x[s], 0), False, <dvec *> (p + s), <dvec *> (z + s), <dvec *> (k + s))


cdef inline void weighted_terms(vec *x, const vec *lost, const vec *b, int count, bint lossy) noexcept nogil:
    # b exp(x + lost), with b's exponent taken into the power of two, so that weights of any size neither overflow nor
    # vanish.  A zero weight drops its element, NaN or not.
    cdef vec p[GROUP_BOUND]
    cdef vec z[GROUP_BOUND]
    cdef vec k[GROUP_BOUND]
    cdef vec mantissa, exponent
    cdef int s
    if PRODUCTS:
        for s in range(count):
            p[s] = x[s]
        table_exp(p, count, False, NULL, k)
        for s in range(count):
            k[s] = nearest_whole(k[s] - splat(<real> (0.5 - 0.5 / TABLE)))
    else:
        powers_of(x, count, p, z, k)
    if lossy:
        add_lost(p, lost, count)
    for s in range(count):
        split_power(b[s], &mantissa, &exponent)
        x[s] = weighted_term(p[s] * mantissa, k[s] + exponent, b[s])


cdef void each_weighted_term(vec *x, const vec *lost, const vec *b, int count, bint lossy) noexcept nogil:
    # weighted_terms of those for which products would not do: rarely, so one by one.
    cdef int s
    for s in range(count):
        weighted_terms(x + s, lost + s, b + s, 1, lossy)


cdef inline ivec are_usual(vec least, vec most) noexcept nogil:
    # Weights between 2^-40 and 2^40, whose products with terms of close exponents are normal numbers.
    return (most < splat(<real> 1.099511627776e12)) & (least > splat(<real> 9.094947017729282e-13))


cdef inline bint products(const vec *x, const vec *lost, const vec *b, bint lossy, vec *e) noexcept nogil:
    # b exp(x + lost) of TREE vectors to the same bits, where splitting a weight takes as long as an exponential.  False
    # where an exponent is not close, or a weight other than 0 not usual.
    cdef vec beyond = splat(0), most = splat(0), least = splat(1), size
    cdef int s, k, first
    for k in range(TREE // GENERAL):
        first = k * GENERAL
        for s in range(first, first + GENERAL):
            size = magnitude(b[s])
            e[s] = pick(size == splat(0), splat(0), x[s])
            most = at_least(most, size)
            least = at_most(least, pick(size == splat(0), least, size))
        table_exp(e + first, GENERAL, True, &beyond, NULL)
        if lossy:
            add_lost(e + first, lost + first, GENERAL)
        for s in range(first, first + GENERAL):
            e[s] = e[s] * b[s]
    return all_close(beyond) and all_set(are_usual(least, most))


cdef inline vec fast_term(vec x) noexcept nogil:
    # exp(x).
    fast_terms(&x, NULL, 1, False)
    return x


cdef inline dvec less_shift(dvec a, dvec shift, dvec *lost) noexcept nogil:
    # a - shift; what rounding takes from it joins `lost`, which is nothing beside an infinite a.
    cdef dvec x, error
    two_sum(a, dsplat(0) - shift, &x, &error)
    lost[0] = lost[0] + error
    lost[0] = dpick(lost[0] - lost[0] == dsplat(0), lost[0], dsplat(0))
    return x


cdef inline void double_term(dvec a, dvec lost, dvec shift, dvec b, bint weighted, bint exact,
                             dvec *high, dvec *low) noexcept nogil:
    # b exp(a + lost - shift) in double; exact: as an unevaluated sum of two.  Where weights span the
    # whole range, a term may count whose a lies far from the shift: only then a - shift is not exact.
    cdef dvec p, z, k, mantissa, exponent, product, x
    cdef divec gone
    if not exact:
        double_power(a - shift, True, &p, &z, &k)
        if weighted:
            dsplit_power(b, &mantissa, &exponent)
            high[0] = dpick(b == dsplat(0), dsplat(0), dterm_of_power(p * mantissa, k + exponent))
        else:
            high[0] = dterm_of_power(p, k)
        return
    x = less_shift(a, shift, &lost)
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


cdef inline void add_to_tree(vec *e, int s) noexcept nogil:
    # ((e0 + e1) + (e2 + e3)) + ((e4 + e5) + (e6 + e7)) in e[0] once e[7] is there: each sum as soon as it can be,
    # so that four registers hold them all.
    if s & 1:
        e[s - 1] = e[s - 1] + e[s]
    if s & 3 == 3:
        e[s - 3] = e[s - 3] + e[s - 1]
    if s == 7:
        e[0] = e[0] + e[4]


cdef inline vec tree(vec *e) noexcept nogil:
    # The same of eight that are in memory anyway, as those of general terms are for want of registers.
    cdef int s
    for s in range(TREE):
        add_to_tree(e, s)
    return e[0]


cdef inline void fast_group(vec *e, int count, bint close, vec *beyond) noexcept nogil:
    # Terms of `count` <= GROUP vectors of exponents, in their place.
    cdef int s
    if not CLOSE_TERMS:
        e[0] = fast_term(e[0])
        return
    if not close:
        for s in range(count):
            e[s] = in_range(e[s])
    table_exp(e, count, close, beyond, NULL)


cdef inline int in_tree(Py_ssize_t n, Py_ssize_t first, Py_ssize_t apart) noexcept nogil:
    # How many of the next TREE elements from `first` on, `apart` from each other, there are.
    return <int> min((n - first + apart - 1) // apart, TREE)


cdef inline vec plain_exponent(const Terms *terms, Py_ssize_t row, Py_ssize_t j, vec shift, bint close) noexcept nogil:
    cdef vec x = load(<const real *> terms.a + row * terms.a_step + j)
    return x if close else x - shift


cdef inline vec eight_terms(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                            Py_ssize_t j_apart, vec shift, int known, int count, bint general, bint close, vec *beyond,
                            vec *size) noexcept nogil:
    # The tree sum of `count` <= 8 vectors of terms, `row_apart` and `j_apart` from each other; missing
    # ones count as zero.  known >= count: as far as the compiler knows, or 0.  size: the sum of their magnitudes, of
    # general terms alone.  close: as in `table_exp`, for plain terms whose shift is 0.
    cdef vec e[TREE]
    cdef int s, k, first, group
    if not general and GROUP == 1:    # as below; there compilers would not unroll it, which costs a third
        for s in range(known):
            e[s] = splat(0)
            if s < count:
                e[s] = plain_exponent(terms, row + s * row_apart, j + s * j_apart, shift, close)
                fast_group(e + s, 1, close, beyond)
            add_to_tree(e, s)
        return e[0]
    if not general:
        for k in range((known + GROUP - 1) // GROUP):
            first = k * GROUP
            group = min(<int> GROUP, known - first)
            for s in range(first, first + group):
                e[s] = splat(<real> -INFINITY)
                if s < count:
                    e[s] = plain_exponent(terms, row + s * row_apart, j + s * j_apart, shift, close)
            if first < count:
                fast_group(e + first, group, close, beyond)
            for s in range(first, first + group):
                if first >= count:
                    e[s] = splat(0)
                add_to_tree(e, s)
        return here(e[0])
    if known == TREE:
        general_terms(terms, row, row_apart, j, j_apart, shift, TREE, e, size)
    else:
        fewer_terms(terms, row, row_apart, j, j_apart, shift, count, e, size)
    return e[0]


cdef void fewer_terms(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j, Py_ssize_t j_apart,
                      vec shift, int count, vec *total, vec *size) noexcept nogil:
    # A function of its own, for it is as large as all the rest of a sum.
    general_terms(terms, row, row_apart, j, j_apart, shift, count, total, size)


cdef inline void general_terms(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                               Py_ssize_t j_apart, vec shift, int count, vec *total, vec *size) noexcept nogil:
    cdef vec e[TREE]
    cdef vec x[TREE]
    cdef vec sizes[TREE]
    cdef vec b[TREE]
    cdef vec lost[TREE]
    cdef int s, k, first
    exponents(terms, row, row_apart, j, j_apart, count, e, lost, b)
    for s in range(TREE):
        if s < count:
            e[s] = e[s] - shift
        else:    # nothing, whatever stands there
            e[s] = splat(<real> -INFINITY)
            lost[s] = b[s] = splat(0)
    if not are_exact(terms) and not all_set(shift == splat(0)):    # else only small exponents count
        for s in range(TREE):
            lost[s] = small_loss(lost[s])
    if PRODUCTS and terms.b != NULL:
        for s in range(TREE):
            x[s] = e[s]
        if not products(x, lost, b, not are_exact(terms), e):
            for s in range(TREE):
                e[s] = x[s]
            each_weighted_term(e, lost, b, count, not are_exact(terms))
            for s in range(count, TREE):
                e[s] = splat(0)
    else:
        for k in range(TREE // GENERAL):
            first = k * GENERAL
            if terms.b == NULL:
                fast_terms(e + first, lost + first, GENERAL, not are_exact(terms))
            else:
                weighted_terms(e + first, lost + first, b + first, GENERAL, not are_exact(terms))
    if terms.b != NULL and any_negative(b):
        for s in range(TREE):
            sizes[s] = magnitude(e[s])
        size[0] = tree(sizes)
        tree(e)
    else:
        size[0] = tree(e)
    total[0] = e[0]


# Close exponents with operands of the usual kinds: loops of their own, of which each knows what there is, so that
# registers hold all of a group.  A stripe in which something is not usual goes the general way, and has the same bits.
cdef enum Kind:
    ANY_KIND
    SCALED
    LOGGED            # log-weights alone
    SCALED_LOGGED
    WEIGHED_ALONE     # weights alone


cdef inline Kind operands_of(const Terms *terms) noexcept nogil:
    if terms.kept != NULL or terms.lost != NULL or (terms.b != NULL and terms.scale != 1):
        return ANY_KIND
    if terms.b != NULL:
        return WEIGHED_ALONE if PRODUCTS else ANY_KIND
    if terms.logb == NULL:
        return SCALED
    return LOGGED if terms.scale == 1 else SCALED_LOGGED


cdef inline vec close_eight(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                            Py_ssize_t j_apart, Kind kind, const real *ones, vec *beyond) noexcept nogil:
    # The tree sum of TREE vectors of general terms whose shift is 0.  `beyond` tells, as in `table_exp`, whether some
    # exponent is not close, or some weight not usual (`are_usual`).  Where terms are not cheaper for being close,
    # any exponent will do.  ones: NULL, or as far apart as the elements 1, and 0 for those that count for nothing.
    cdef const real *a = <const real *> terms.a + row * terms.a_step + j
    cdef const real *weights = NULL
    cdef Py_ssize_t step = row_apart * terms.a_step + j_apart, weight_step = 0
    cdef vec e[GROUP_BOUND]
    cdef vec lost[GROUP_BOUND]
    cdef vec b[GROUP_BOUND]
    cdef vec part[TREE]
    cdef vec x, error, scale, scale_low, most = splat(1), least = splat(1)
    cdef int s, k = 0, group = GROUP if CLOSE_TERMS else 4
    if kind == SCALED or kind == SCALED_LOGGED:
        scale = splat(<real> terms.scale)
        scale_low = splat(<real> (terms.scale - <real> terms.scale))
    if kind != SCALED:
        weights = <const real *> (terms.b if kind == WEIGHED_ALONE else terms.logb) + row * terms.b_step
        weights += j if terms.b_inner else 0
        weight_step = row_apart * terms.b_step + (j_apart if terms.b_inner else 0)
    while k < unknown(TREE):    # a loop: four kinds of it unrolled would be large
        for s in range(group):
            e[s] = load(a + s * step)
            if kind != SCALED:
                b[s] = load(weights + s * weight_step) if terms.b_inner else splat(weights[s * weight_step])
        for s in range(group):
            if kind == SCALED or kind == SCALED_LOGGED:
                e[s] = times_scale(e[s], scale, scale_low, lost + s)
            if kind == LOGGED or kind == SCALED_LOGGED:
                vtwo_sum(e[s], b[s], &x, &error)
                lost[s] = lost[s] + error if kind == SCALED_LOGGED else error
                e[s] = x if CLOSE_TERMS else pick(b[s] == splat(<real> -INFINITY), b[s], x)
        if CLOSE_TERMS:
            table_exp(e, group, True, beyond, NULL)
            if kind != WEIGHED_ALONE:
                add_lost(e, lost, group)
        else:
            fast_terms(e, lost, group, kind != WEIGHED_ALONE)
        for s in range(group):
            if kind == WEIGHED_ALONE:
                most = at_least(b[s], most)
                least = at_most(b[s], least)
                e[s] = rounded(e[s] * b[s])
            if ones != NULL:
                e[s] = e[s] * load(ones + s * step)
            add_to_tree(e, s)
        part[k // group] = e[0]
        a += group * step
        if ones != NULL:
            ones += group * step
        weights += group * weight_step
        k += group
    x = part[0]
    if group == 4:
        x = part[0] + part[1]
    if group == 2:
        x = (part[0] + part[1]) + (part[2] + part[3])
    if kind == WEIGHED_ALONE:
        beyond[0] = pick(are_usual(least, most) & (x == x), beyond[0], splat(2))
    return x


cdef vec close_total(const Terms *terms, Py_ssize_t row, Py_ssize_t j, Kind kind, vec *beyond) noexcept nogil:
    # Of a column's rows, WIDTH apart.  A function of its own, for the panel's is large.
    if kind == SCALED:
        return close_eight(terms, row, WIDTH, j, 0, SCALED, NULL, beyond)
    if kind == LOGGED:
        return close_eight(terms, row, WIDTH, j, 0, LOGGED, NULL, beyond)
    if kind == SCALED_LOGGED:
        return close_eight(terms, row, WIDTH, j, 0, SCALED_LOGGED, NULL, beyond)
    return close_eight(terms, row, WIDTH, j, 0, WEIGHED_ALONE, NULL, beyond)


cdef inline bint add_close(const Terms *row, Py_ssize_t j, Kind kind, const real *ones, dvec *high,
                           dvec *low) noexcept nogil:
    # add_stripe of general terms.  False, and nothing is added, where some are not close.
    cdef vec total[SPREAD]
    cdef vec beyond = splat(0)
    cdef int v
    for v in range(WIDTH // LANES):
        total[v] = close_eight(row, 0, 0, j + v * LANES, WIDTH, kind,
                               ones + v * LANES if ones != NULL else NULL, &beyond)
    if CLOSE_TERMS and not all_close(beyond):
        return False
    for v in range(WIDTH // LANES):
        add_wide(total[v], high + v * HALVES, low + v * HALVES)
    return True


cdef inline Py_ssize_t add_close_stripes(const Terms *terms, Py_ssize_t n, Kind kind, const real *ones, dvec *high,
                                         dvec *low) noexcept nogil:
    # Where it ended: before a stripe that is not close, or with what is less than a stripe.
    cdef Terms row = plain_terms(terms.a, 0)    # field by field, as in general_row
    cdef Py_ssize_t stripe = TREE * WIDTH, i = 0
    cdef const real *weights = weights_of(terms) if kind != SCALED else NULL
    row.b = terms.b
    row.logb = terms.logb
    row.b_inner = terms.b_inner
    row.scale = terms.scale
    while i + stripe <= n:
        if ones == NULL:
            ask_for_stripe(<const real *> row.a + i, weights + i if weights != NULL else NULL)
        if not add_close(&row, i, kind, ones, high, low):
            break
        i += stripe
    return i


# From `ONES_THEN_ZEROS + stripe - n` on, n ones come before the zeros.
cdef real[2 * TREE * SPREAD] ONES_THEN_ZEROS
cdef int _place
for _place in range(TREE * WIDTH):
    ONES_THEN_ZEROS[_place] = 1


cdef Py_ssize_t some_close(const Terms *terms, Py_ssize_t n, Kind kind, const real *ones, dvec *high,
                           dvec *low) noexcept nogil:
    if kind == SCALED:
        return add_close_stripes(terms, n, SCALED, ones, high, low)
    if kind == LOGGED:
        return add_close_stripes(terms, n, LOGGED, ones, high, low)
    if kind == SCALED_LOGGED:
        return add_close_stripes(terms, n, SCALED_LOGGED, ones, high, low)
    if PRODUCTS and kind == WEIGHED_ALONE:
        return add_close_stripes(terms, n, WEIGHED_ALONE, ones, high, low)
    return 0


cdef inline bint any_negative(const vec *b) noexcept nogil:
    # Of TREE vectors; -0 counts as negative.
    cdef vec signs = b[0]
    cdef int s
    for s in range(1, TREE):
        signs = either_bits(signs, b[s])
    return not all_set(signs >= splat(0))


cdef inline bint all_close(vec beyond) noexcept nogil:
    return all_set(magnitude(beyond) < splat(2))


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


cdef inline void keep_lanes(double *highs, double *lows, double *rests, double *sizes, bint pairs, bint triples,
                            bint sized, double shift, const States *states, Py_ssize_t place) noexcept nogil:
    # The lanes of a row's last vector, halved.
    cdef double s, t, y, error
    cdef Py_ssize_t half_way = DLANES, p
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
    keep(states, place, shift, highs[0], lows[0] if pairs else 0, rests[0] if triples else 0,
         sizes[0] if sized else highs[0])


cdef inline void keep_row(dvec *high, dvec *low, dvec *rest, dvec *size, Py_ssize_t positions, bint pairs,
                          bint triples, bint sized, double shift, const States *states,
                          Py_ssize_t place) noexcept nogil:
    # One row's positions, DLANES to a vector: vectors are halved first, then the lanes of the last.
    cdef double highs[LANES_BOUND]
    cdef double lows[LANES_BOUND]
    cdef double rests[LANES_BOUND]
    cdef double sizes[LANES_BOUND]
    join(high, low, rest, size, positions // DLANES, pairs, triples, sized)
    dstore(highs, high[0])
    if pairs:
        dstore(lows, low[0])
    if triples:
        dstore(rests, rest[0])
    if sized:
        dstore(sizes, size[0])
    keep_lanes(highs, lows, rests, sizes, pairs, triples, sized, shift, states, place)


# Functions of their own, for they are large, and rows that bring care with them are long.

cdef void keep_triples(dvec *high, dvec *low, dvec *rest, dvec *size, double shift, const States *states,
                       Py_ssize_t place) noexcept nogil:
    keep_row(high, low, rest, size, DWIDTH, True, True, True, shift, states, place)


cdef void join_triples(dvec *high, dvec *low, dvec *rest, dvec *size) noexcept nogil:
    join(high, low, rest, size, DWIDTH, True, True, True)


cdef inline void pad(const real *source, Py_ssize_t count, Py_ssize_t length, real filler, real *target) noexcept nogil:
    # `count` elements, then the filler: what adds nothing, rather than a second loop for the rest.
    # Whole vectors are stored, for a vector that is read soon after waits for parts of it.
    cdef Py_ssize_t k = 0
    while k + LANES <= count:
        store(target + k, load(source + k))
        k += LANES
    if k < count:
        store(target + k, load_some(source + k, count - k, filler))
        k += LANES
    while k < length:
        store(target + k, splat(filler))
        k += LANES


cdef inline Py_ssize_t before_boundary(const real *target, Py_ssize_t n) noexcept nogil:
    # Elements of a row that come before its first whole vector's place in memory: a vector stored across
    # two cache lines takes twice as long.
    cdef Py_ssize_t bytes = LANES * sizeof(real)
    return <Py_ssize_t> (-<size_t> target % bytes) // sizeof(real) if n > 2 * LANES else 0


cdef inline bint may_bypass(const Terms *terms, const real *target) noexcept nogil:
    return terms.bypass and <size_t> target % (LANES * sizeof(real)) == 0


cdef inline void put(real *target, vec x, bint bypass) noexcept nogil:
    if bypass:
        stream(target, x)
    else:
        store(target, x)


# --- rows: lanes along n ------------------------------------------------------------------------------

cdef inline bint add_stripe(const Terms *row, Py_ssize_t j, vec shift, int count, bint general, bint close,
                            dvec *high, dvec *low, dvec *size) noexcept nogil:
    # False, and nothing is added, where close and some term is not.
    cdef vec total[SPREAD]
    cdef vec sizes[SPREAD]
    cdef vec beyond = splat(0)
    cdef int v, h
    for v in range(WIDTH // LANES):
        total[v] = eight_terms(row, 0, 0, j + v * LANES, WIDTH, shift, count, count, general, close, &beyond,
                               sizes + v)
    if close and not all_close(beyond):
        return False
    for v in range(WIDTH // LANES):
        add_wide(total[v], high + v * HALVES, low + v * HALVES)
        if general:
            for h in range(HALVES):
                size[v * HALVES + h] = size[v * HALVES + h] + half(sizes[v], h)
    return True


cdef inline void ask_later(const char *p, int lines) noexcept nogil:
    # The stripes that come 2 and 8 KB later, a cache line each: main memory answers after 4 KB's worth of sums, and the
    # first cache waits for 16 lines at most.
    cdef int k
    for k in range(lines):
        prefetch(p + 2048 + k * 64)
        prefetch_far(p + 8192 + k * 64)


cdef inline void ask_for_stripe(const real *a, const real *weights) noexcept nogil:
    # Those behind this one, and their weights, unless these are NULL.
    ask_later(<const char *> a, TREE)
    if weights != NULL:
        ask_later(<const char *> weights, TREE)


cdef inline Py_ssize_t add_stripes(const Terms *terms, Py_ssize_t i, Py_ssize_t n, vec shift, bint close, dvec *high,
                                   dvec *low) noexcept nogil:
    # From element i on; where it ended: before a stripe that is not close, or with what is less than a stripe.
    cdef Terms row = terms[0]
    cdef Py_ssize_t stripe = TREE * WIDTH
    while i + stripe <= n:
        row.a = <const real *> terms.a + i    # one register for all addresses
        ask_later(<const char *> row.a, TREE)
        if not add_stripe(&row, 0, shift, TREE, False, close, high, low, NULL):
            break
        i += stripe
    return i


cdef inline void fast_sums(const Terms *terms, Py_ssize_t n, real shift, dvec *high, dvec *low) noexcept nogil:
    cdef real last[TREE * SPREAD]
    cdef Terms rest = plain_terms(NULL, 0)
    cdef vec c = splat(shift)
    cdef Py_ssize_t i = 0
    cdef int v, count
    for v in range(WIDTH // DLANES):
        high[v] = low[v] = dsplat(0)
    if CLOSE_TERMS and shift == 0:
        i = add_stripes(terms, 0, n, c, True, high, low)
    i = add_stripes(terms, i, n, c, False, high, low)    # a row that has one far term will have more
    if i == n:
        return
    # To one of few counts that the compiler knows; double's terms take twice as long.
    count = in_tree(n, i, WIDTH)
    count = TREE // 4 if count <= TREE // 4 and REAL_BITS == 64 else TREE // 2 if count <= TREE // 2 else TREE
    pad(<const real *> terms.a + i, n - i, count * WIDTH, <real> -INFINITY, last)
    rest.a = last
    if count == TREE // 4 and REAL_BITS == 64:
        add_stripe(&rest, 0, c, TREE // 4, False, False, high, low, NULL)
    elif count < TREE:
        add_stripe(&rest, 0, c, TREE // 2, False, False, high, low, NULL)
    else:
        add_stripe(&rest, 0, c, TREE, False, False, high, low, NULL)


cdef inline Py_ssize_t add_close_row(const Terms *terms, Py_ssize_t n, Tail *tail, dvec *high,
                                     dvec *low) noexcept nogil:
    # Where it ended: before a stripe that is not close, or behind the row.
    cdef Py_ssize_t stripe = TREE * WIDTH, i = 0
    cdef const real *weights = weights_of(terms)
    cdef Kind kind = operands_of(terms)
    if n >= stripe:
        i = some_close(terms, n, kind, NULL, high, low)
    if kind == ANY_KIND or i == n or n - i >= stripe:
        return i
    # What fills the last stripe is close, and counts for nothing.
    pad(<const real *> terms.a + i, n - i, stripe, 0, tail.a)
    tail.terms = plain_terms(tail.a, 0)
    tail.terms.scale = terms.scale
    tail.terms.b_inner = terms.b_inner
    tail.terms.b = terms.b
    tail.terms.logb = terms.logb
    if weights != NULL:
        pad(weights + i, n - i, stripe, 1, tail.b)
        tail.terms.b = tail.b if terms.b != NULL else NULL
        tail.terms.logb = tail.b if terms.b == NULL else NULL
    return n if some_close(&tail.terms, stripe, kind, ONES_THEN_ZEROS + stripe - (n - i), high, low) > 0 else i


cdef void general_row(const Terms *terms, Py_ssize_t n, real shift, const States *states,
                      Py_ssize_t place) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec size[SPREAD]
    cdef Tail tail
    cdef Terms row = terms[0]
    cdef Py_ssize_t i = 0, j, stripe = TREE * WIDTH
    cdef const real *weights = weights_of(terms)
    cdef int v
    for v in range(WIDTH // DLANES):
        high[v] = low[v] = size[v] = dsplat(0)
    if REGISTER_LOOKUP and shift == 0:
        i = add_close_row(terms, n, &tail, high, low)
        for v in range(WIDTH // DLANES):    # none of them is negative
            size[v] = high[v]
    while i < n:    # a row that has one far term will have more
        j = i
        if n - i < stripe:    # field by field, for a copy of what was just written waits until that is in the cache
            pad_operands(&row, i, n - i, stripe, <real> -INFINITY, &tail)
            j = 0
        else:
            ask_for_stripe(<const real *> row.a + i, weights + i if weights != NULL else NULL)
        add_stripe(&row, j, splat(shift), TREE, True, False, high, low, size)
        i += stripe
    keep_row(high, low, low, size, WIDTH, REAL_BITS == 64, False, True, shift, states, place)


cdef void plain_sums(const Terms *terms, Py_ssize_t n, real shift, double *highs, double *lows) noexcept nogil:
    # The vector that `keep_lanes` halves.
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    fast_sums(terms, n, shift, high, low)
    join(high, low, low, low, WIDTH // DLANES, REAL_BITS == 64, False, False)
    dstore(highs, high[0])
    if REAL_BITS == 64:
        dstore(lows, low[0])


cdef inline void keep_plain(double *highs, double *lows, real shift, const States *states,
                            Py_ssize_t place) noexcept nogil:
    keep_lanes(highs, lows, lows, lows, REAL_BITS == 64, False, False, shift, states, place)


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
    if exact and triples:
        keep_triples(high, low, rest, size, shift, states, place)
    else:
        keep_row(high, low, rest, size, DWIDTH, exact, triples, True, shift, states, place)


# EXACT, of rows that are not short.  A sum that starts at `exact_grid` takes of each term what lies on a grid, on which
# sums below 2^7 have no error; what it leaves, which is small, makes a tree of eight, and only these are added with
# care.  Half of the time of pairs, to the same digits; but a rest that could be subnormal is left to these.  Weighted
# terms, which may be of any size, are added without a grid.

cdef inline dvec exact_grid() noexcept nogil:
    return dsplat(384)    # 2^-44 is the unit of its last place


cdef inline void exact_parts(dvec x, dvec lost, bint general, const dvec *b, dvec *high, dvec *low,
                             dvec *size) noexcept nogil:
    # Adds to `high` of exp(x + lost) what lies on its grid, and gives the rest of it.
    # b: NULL, or weights, of which high may be anything; their terms' magnitudes are added to `size`, which is infinite
    # where one is so large that it could make something of what lies below the range.
    #     exp(x + lost) = t (1 + q), t = 2^k with k a whole number, or with a register table a multiple of 1/16
    # range  [-708, 710]: what lies below counts as 0 from -709 on, what above as infinity or NaN
    # bound  2^-55 relative, of float32 elements 2^-53; near 0 nothing of a tiny x is lost
    cdef dvec r, s, q, tail, t, z, k, y, taken, total
    cdef divec gone
    cdef bint apart = REAL_BITS == 64 and not REGISTER_TABLE    # is `tail` to be added to q?
    if b != NULL:
        x = dpick(b[0] == dsplat(0), dsplat(-INFINITY), x)
    if REGISTER_TABLE:
        gone = x < dsplat(-708)
        r = reduced(dat_least(x, dsplat(-708)), False, &z, &k)    # nothing subnormal, which takes 150 cycles
        s = r * r
        t = dpick(gone, dsplat(0), dterm_in_range(lookup(SIXTEENTHS, z), z, k))
        q = r + lookup(SIXTEENTHS_REST, z)
        if general:
            q = q + lost
        if REAL_BITS == 32:
            tail = (dsplat(EXP_DOUBLE_16[4]) * s + (dsplat(EXP_DOUBLE_16[3]) * r + dsplat(EXP_DOUBLE_16[2]))) * s + (
                dsplat(EXP_DOUBLE_16[1]) * r + dsplat(EXP_DOUBLE_16[0]))
        else:
            tail = pair_tail_16(r, s)
        q = tail * s + q
    else:
        x = dat_least(dat_most(x, dsplat(710)), dsplat(-709))
        r = reduced(x, False, &z, &k)
        t = dterm_in_range(dsplat(1), z, k)
        if apart:
            tail = pair_tail(x, lost, r, k)
            q = r
        else:
            if general:
                r = r + lost
            tail = double_tail(r)
            q = (r * r) * tail + r
    # Differences are exact: both lie within a factor of two, or what is subtracted is 0.
    y = t * (q + tail) + t if apart else t * q + t
    taken = y
    if b == NULL:
        total = high[0] + y
        taken = total - high[0]
    low[0] = t * q + (t - taken)
    if apart:
        low[0] = t * tail + low[0]
    if b != NULL:
        t = y * b[0]
        size[0] = size[0] + dpick(dmagnitude(b[0]) < dsplat(1.8446744073709552e19), dmagnitude(t), dsplat(INFINITY))
        two_sum(high[0], t, &total, &taken)
        low[0] = (low[0] * b[0] - residual(t, y, b[0])) + taken
    high[0] = total


cdef inline dvec dtree(const dvec *e) noexcept nogil:
    return ((e[0] + e[1]) + (e[2] + e[3])) + ((e[4] + e[5]) + (e[6] + e[7]))


cdef inline void add_eight_exactly(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                                   Py_ssize_t j_apart, dvec shift, int count, bint general, dvec *high, dvec *low,
                                   dvec *rest) noexcept nogil:
    # As eight_terms.
    cdef dvec l[TREE]
    cdef dvec h = high[0]
    cdef dvec x, more, lost = dsplat(0), b = dsplat(0)
    cdef int s
    for s in range(TREE):
        if s >= count:
            l[s] = dsplat(0)
            continue
        if general:
            x = fetch_double(terms, row + s * row_apart, j + s * j_apart, &lost, &b)
        else:
            x = load_double(<const real *> terms.a + (row + s * row_apart) * terms.a_step + j + s * j_apart)
        exact_parts(x - shift, lost, general, NULL, &h, l + s, NULL)
    high[0] = h
    two_sum(low[0], dtree(l), low, &more)    # beside a large term the small ones gather there, and must not drift
    rest[0] = rest[0] + more


cdef void add_weighted_exactly(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                               Py_ssize_t j_apart, dvec shift, int count, dvec *high, dvec *low, dvec *rest,
                               dvec *size) noexcept nogil:
    # The same of terms with weights, whose exponents may lie far from the shift.
    cdef dvec l = dsplat(0), x, lost, b, part
    cdef int s
    for s in range(count):
        x = less_shift(fetch_double(terms, row + s * row_apart, j + s * j_apart, &lost, &b), shift, &lost)
        exact_parts(x, lost, True, &b, high, &part, size)
        l = l + part
    two_sum(low[0], l, low, &part)
    rest[0] = rest[0] + part


cdef inline void exact_row(const Terms *terms, Py_ssize_t n, real shift, bint general, const States *states,
                           Py_ssize_t place) noexcept nogil:
    cdef dvec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec rest[SPREAD]
    cdef dvec size[SPREAD]
    cdef Tail tail
    cdef dvec c = dsplat(shift)
    cdef bint weighted = general and terms.b != NULL
    cdef Py_ssize_t i = 0, j, stripe = TREE * DWIDTH
    cdef int v, count
    for v in range(DWIDTH // DLANES):
        high[v] = dsplat(0) if weighted else exact_grid()
        low[v] = rest[v] = size[v] = dsplat(0)
    while i < n:
        j = i
        count = TREE
        if n - i < stripe:
            count = in_tree(n, i, DWIDTH)
            pad_terms(terms, i, n - i, count * DWIDTH, <real> -INFINITY, &tail)
            terms = &tail.terms
            j = 0
        for v in range(DWIDTH // DLANES):
            if weighted:
                add_weighted_exactly(terms, 0, 0, j + v * DLANES, DWIDTH, c, count, high + v, low + v, rest + v,
                                     size + v)
            elif count == TREE:
                add_eight_exactly(terms, 0, 0, j + v * DLANES, DWIDTH, c, TREE, general, high + v, low + v, rest + v)
            else:
                add_eight_exactly(terms, 0, 0, j + v * DLANES, DWIDTH, c, count, general, high + v, low + v, rest + v)
        i += stripe
    for v in range(DWIDTH // DLANES):
        if not weighted:    # none of them is negative
            size[v] = high[v] = high[v] - exact_grid()
    keep_triples(high, low, rest, size, shift, states, place)


cdef inline bint parts_suffice(const Terms *terms, const States *states, Py_ssize_t place, Py_ssize_t n) noexcept nogil:
    # Not where all but one term is next to nothing; a sum that is refused needs nothing more, unless a weight may have
    # led beyond the range.
    cdef double least = 1e-280 if terms.b == NULL else 1e-200
    cdef bint fine = accepted_lane(states, place, n)
    return fabs(states.low[place] + states.rest[place]) > least if fine else terms.b == NULL


cdef void look_row(const Terms *terms, Py_ssize_t n, real shift, Care care,
                   const States *states, Py_ssize_t place) noexcept nogil:
    # Every combination of constants is a loop of its own.
    cdef double highs[LANES_BOUND]
    cdef double lows[LANES_BOUND]
    if care == EXACT and not is_short(n, REAL_BITS):
        if is_plain(terms):
            exact_row(terms, n, shift, False, states, place)
        else:
            exact_row(terms, n, shift, True, states, place)
        if parts_suffice(terms, states, place, n):
            return
    if care == EXACT:
        double_row(terms, n, shift, True, True, states, place)
    elif care == SHORT:
        double_row(terms, n, shift, REAL_BITS == 64, False, states, place)
    elif is_plain(terms):
        plain_sums(terms, n, shift, highs, lows)
        keep_plain(highs, lows, shift, states, place)
    else:
        general_row(terms, n, shift, states, place)


# --- columns: lanes across inner -----------------------------------------------------------------------

cdef inline Py_ssize_t column_of(Py_ssize_t vector, Py_ssize_t lanes, Py_ssize_t width) noexcept nogil:
    # Where the vector starts: the last one steps back to stay inside, and does some columns twice.
    return vector * lanes if (vector + 1) * lanes <= width else width - lanes


cdef inline void take_sums(const double *high, const double *low, Py_ssize_t place, bint none, dvec *h,
                           dvec *l) noexcept nogil:
    # The sums of a vector of columns, as add_wide has them, from L1, where there are some.
    cdef int which
    for which in range(HALVES):
        h[which] = dsplat(0) if none else dload(high + place + which * DLANES)
    l[0] = dload(low + place) if REAL_BITS == 64 and not none else dsplat(0)


cdef inline void put_sums(double *high, double *low, Py_ssize_t place, const dvec *h, const dvec *l) noexcept nogil:
    cdef int which
    for which in range(HALVES):
        dstore(high + place + which * DLANES, h[which])
    if REAL_BITS == 64:
        dstore(low + place, l[0])


cdef inline void clear_unreached(double *high, double *low, Py_ssize_t n, Py_ssize_t vectors) noexcept nogil:
    # The sums of positions that n rows do not reach: all others are set by their first terms.
    cdef dvec none[HALVES_BOUND]
    cdef Py_ssize_t p, v
    for p in range(HALVES):
        none[p] = dsplat(0)
    for p in range(min(n, WIDTH), WIDTH):
        for v in range(vectors):
            put_sums(high, low, p * TILE + v * LANES, none, none)


cdef inline Py_ssize_t rows_in_turn(Py_ssize_t step, Py_ssize_t width) noexcept nogil:
    # Rows of a panel of `width` columns that are read and written vector by vector before the next ones are: what lies
    # beside a vector comes with it, and should still be in L1 when its turn comes.
    cdef Py_ssize_t size = sizeof(real)
    return 4 if are_crowded(step * size, 2 * PAGES, width * size) else PAGES


cdef inline void ask_ahead(const real *start, Py_ssize_t step, Py_ssize_t n, Py_ssize_t first, Py_ssize_t apart,
                           Py_ssize_t count, Py_ssize_t width, bint far) noexcept nogil:
    # Asks memory for `count` rows of a panel from `first` on, which the hardware does not foresee: they lie in pages
    # of their own.  `far`: as far as the second cache.
    cdef Py_ssize_t row = first, j
    if n * step * <Py_ssize_t> sizeof(real) > 1048576:
        while row < min(n, first + count * apart):
            j = 0
            while j < width:
                if far:
                    prefetch_far(<const char *> (start + row * step + j))
                else:
                    prefetch(start + row * step + j)
                j += WIDTH
            row += apart


cdef inline void ask_for_rows(const Terms *terms, Py_ssize_t n, Py_ssize_t first, Py_ssize_t apart, Py_ssize_t count,
                              Py_ssize_t width, bint far) noexcept nogil:
    # The same for elements and the weights beside them.
    cdef const real *weights = weights_of(terms)
    ask_ahead(<const real *> terms.a, terms.a_step, n, first, apart, count, width, far)
    if weights != NULL:
        ask_ahead(weights, terms.b_step, n, first, apart, count, width, far)


cdef inline Py_ssize_t row_of_step(Py_ssize_t first, Py_ssize_t p) noexcept nogil:
    # The first row of position p of the stripe from row `first` on, or of the next stripe.
    return first + p if p < WIDTH else first + TREE * WIDTH + p - WIDTH


cdef inline Py_ssize_t distance(Py_ssize_t step, Py_ssize_t n, Py_ssize_t width) noexcept nogil:
    # How far ahead memory is asked for columns of few rows, each of which lies in a place of its own, where nothing
    # else asks: memory answers as late as a panel of 16 rows takes.  It is asked row by row, between what is computed,
    # for a core waits for some 16 answers at a time.  Behind a tile, whose step is at most TILE, nothing follows.
    return 0 if step <= TILE else width * max(1, 16 // n)


cdef inline bint close_gaps() noexcept nogil:
    # Of columns.  Double's terms from the table in registers cost so much that a mask hides among them.
    return REAL_BITS == 32 or not REGISTER_TABLE


cdef inline void fast_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift,
                              bint general, const States *states) noexcept nogil:
    # Sums stand in L1, one per position and column: they are touched once in eight terms.  What a mask keeps is
    # brought together first, as many rows as there are between two touches.
    cdef real tile[TREE * SPREAD * TILE]
    cdef Terms part
    cdef bint masked = close_gaps() and not general and terms.kept != NULL
    cdef double high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef double size[SPREAD * TILE]
    cdef dvec h[HALVES_BOUND]
    cdef dvec l[HALVES_BOUND]
    cdef dvec joined[SPREAD]
    cdef dvec joined_low[SPREAD]
    cdef dvec joined_size[SPREAD]
    cdef vec total, sizes = splat(0), beyond
    cdef Terms own = terms[0]    # in registers, as in add_stripes
    cdef Py_ssize_t vectors = (width + LANES - 1) // LANES
    cdef const real *weights = weights_of(terms) if general else NULL
    cdef Py_ssize_t row, first, following, j, place, v
    cdef Kind kind = operands_of(terms) if general else ANY_KIND
    cdef bint close = CLOSE_TERMS and (not general or (not REGISTER_TABLE and kind != ANY_KIND))
    cdef int count, which, p
    for v in range(vectors):
        close = close and all_set(load(shift + column_of(v, LANES, width)) == splat(0))
    clear_unreached(high, low, n, vectors)
    if general:
        clear_unreached(size, low, n, vectors)
    first = 0
    while first < n:
        if masked:
            part = terms_from(terms, first, sizeof(real))
            drop(&part, min(n - first, TREE * WIDTH), width, -INFINITY, tile, TILE)
            own = plain_terms(<const real *> tile - first * TILE, TILE)    # row `first` lies at its start
        for p in range(WIDTH):
            row = first + p
            if row >= n:
                break
            count = in_tree(n, row, WIDTH)
            following = row_of_step(first, p + 1)
            ask_ahead(<const real *> terms.a, terms.a_step, n, following, WIDTH, TREE, width, False)
            if weights != NULL:    # twice the memory: it answers later than one step takes
                ask_ahead(weights, terms.b_step, n, following, WIDTH, TREE, width, False)
                ask_for_rows(terms, n, row_of_step(first, p + 4), WIDTH, TREE, width, True)
            for v in range(vectors):
                j = column_of(v, LANES, width)
                place = p * TILE + v * LANES
                if close and count == TREE:    # a panel that has a far term will have more
                    beyond = splat(0)
                    if general and not REGISTER_TABLE:
                        total = sizes = close_total(&own, row, j, kind, &beyond)
                    else:
                        total = eight_terms(&own, row, WIDTH, j, 0, splat(0), TREE, TREE, False, True, &beyond, NULL)
                    close = all_close(beyond)
                if not close and count == TREE:
                    total = eight_terms(&own, row, WIDTH, j, 0, load(shift + j), TREE, TREE, general, False, NULL,
                                        &sizes)
                elif count == TREE // 2 or (count < TREE // 2 and not general):
                    total = eight_terms(&own, row, WIDTH, j, 0, load(shift + j), TREE // 2,
                                        TREE // 2 if general else count, general, False, NULL, &sizes)
                elif count < TREE:
                    total = eight_terms(&own, row, WIDTH, j, 0, load(shift + j), 0 if general else TREE, count, general,
                                        False, NULL, &sizes)
                take_sums(high, low, place, first == 0, h, l)
                add_wide(total, h, l)
                put_sums(high, low, place, h, l)
                if general:
                    take_sums(size, low, place, first == 0, h, l)
                    for which in range(HALVES):
                        dstore(size + place + which * DLANES, h[which] + half(sizes, which))
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
        if exact and triples:
            join_triples(high, low, rest, size)
        else:
            join(high, low, rest, size, DWIDTH, exact, triples, True)
        keep_columns(states, j, c, high[0], low[0] if exact else dsplat(0), rest[0] if triples else dsplat(0), size[0])


cdef inline void exact_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift, bint general,
                               const States *states) noexcept nogil:
    # As fast_columns.
    cdef double high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef double rest[SPREAD * TILE]
    cdef double size[SPREAD * TILE]
    cdef dvec h[SPREAD]
    cdef dvec l[SPREAD]
    cdef dvec r[SPREAD]
    cdef dvec m[SPREAD]
    cdef dvec c
    cdef bint weighted = general and terms.b != NULL
    cdef Py_ssize_t vectors = (width + DLANES - 1) // DLANES, first = 0, row, j, place, v, k
    cdef int count, p
    for k in range(DWIDTH * TILE):
        high[k] = 0 if weighted else dlane(exact_grid(), 0)
        low[k] = rest[k] = size[k] = 0
    while first < n:
        for p in range(DWIDTH):
            row = first + p
            if row >= n:
                break
            count = in_tree(n, row, DWIDTH)
            for v in range(vectors):
                j = column_of(v, DLANES, width)
                c = load_double(shift + j)
                place = p * TILE + v * DLANES
                h[0] = dload(high + place)
                l[0] = dload(low + place)
                r[0] = dload(rest + place)
                if weighted:
                    m[0] = dload(size + place)
                    add_weighted_exactly(terms, row, DWIDTH, j, 0, c, count, h, l, r, m)
                    dstore(size + place, m[0])
                elif count == TREE:
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
            m[p] = dload(size + p * TILE + v * DLANES)
            if not weighted:    # none is negative
                m[p] = h[p] = h[p] - exact_grid()
        join_triples(h, l, r, m)
        j = column_of(v, DLANES, width)
        keep_columns(states, j, load_double(shift + j), h[0], l[0], r[0], m[0])


cdef void exact_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift,
                      const States *states) noexcept nogil:
    cdef double memory[NUMBERS * TILE]
    cdef States pairs = states_in(memory, TILE)
    cdef bint all_suffice = True
    cdef Py_ssize_t j
    if is_plain(terms):
        exact_columns(terms, n, width, shift, False, states)
    else:
        exact_columns(terms, n, width, shift, True, states)
    for j in range(width):
        all_suffice = all_suffice and parts_suffice(terms, states, j, n)
    if all_suffice:
        return
    double_panel(terms, n, width, shift, True, True, &pairs)
    for j in range(width):
        if not parts_suffice(terms, states, j, n):
            keep(states, j, pairs.shift[j], pairs.high[j], pairs.low[j], pairs.rest[j], pairs.size[j])


cdef void look_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const real *shift,
                       Care care, const States *states) noexcept nogil:
    if care == EXACT and not is_short(n, REAL_BITS):
        exact_panel(terms, n, width, shift, states)
    elif care == EXACT:
        double_panel(terms, n, width, shift, True, True, states)
    elif care == SHORT:
        double_panel(terms, n, width, shift, REAL_BITS == 64, False, states)
    elif is_plain(terms) or (close_gaps() and are_masked(terms)):
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
    cdef vec lost, b, most, infinity = splat(<real> INFINITY)
    cdef Tail tail
    cdef Py_ssize_t vectors = (min(n, SAMPLE) + LANES - 1) // LANES, v
    cdef ivec close = splat(0) == splat(0), none = close
    cdef bint plain = is_plain(terms)
    for v in range(vectors):
        if plain and (v + 1) * LANES <= n:
            x[v] = load(<const real *> terms.a + v * LANES)
        elif (v + 1) * LANES <= n:
            x[v] = fetch(terms, 0, v * LANES, &lost, &b)
        else:
            pad_terms(terms, v * LANES, n - v * LANES, LANES, <real> -INFINITY, &tail)
            x[v] = fetch(&tail.terms, 0, 0, &lost, &b)
        none = none & (x[v] == splat(0) - infinity)
        close = close & ((magnitude(x[v]) < splat(GRID)) | (x[v] == splat(0) - infinity))
    shift[0] = 0
    if all_set(close) and not all_set(none):    # the rule, and then nothing waits for the maximum
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
    cdef vec x[SAMPLE]
    cdef vec lost[SAMPLE]
    cdef vec b[SAMPLE]
    cdef vec infinity = splat(<real> INFINITY)
    cdef vec most = splat(0) - infinity, least = infinity
    cdef int row, count = <int> min(n, SAMPLE)
    if is_plain(terms):
        for row in range(count):
            x[row] = load(<const real *> terms.a + row * terms.a_step + j)
    else:
        exponents_apart(terms, 0, 1, j, 0, count, x, lost, b)
    for row in range(count):
        most = at_least(finite_or(x[row], splat(0) - infinity), most)
        least = at_most(finite_or(x[row], infinity), least)
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
    cdef real shift = 0
    cdef Peak peak
    cdef double largest, strange
    cdef Prepared room
    cdef Terms own = terms[0]
    cdef Terms ready
    if are_masked(terms):
        own = prepared(terms, n, NULL, &room, NULL)
    if not guess_row(&own, n, &shift) and terms.b == NULL:
        ready = prepared(&own, n, NULL, &room, NULL)
        peak_of_row(&ready, n, True, &peak)
        shift = lane(on_grid(splat(peak.high)), 0)
    look_row(&own, n, shift, care, states, place)
    if accepted_lane(states, place, n):
        return
    survey_row(&own, n, &largest, &strange)
    if not settled(largest, strange, states, place):
        shift = lane(on_grid(splat(<real> largest)), 0)
        look_row(&own, n, shift, care, states, place)


cdef void fold_rows(const Terms *terms, Py_ssize_t n, Py_ssize_t count, Care care,
                    const States *states) noexcept nogil:
    # First all sums, then what is made of them: a chain of some hundred cycles in which the next row's sums would have
    # to wait.
    cdef double highs[TOGETHER * LANES_BOUND]
    cdef double lows[TOGETHER * LANES_BOUND]
    cdef real shifts[TOGETHER]
    cdef bint guessed[TOGETHER]
    cdef Prepared room
    cdef bint masked = are_masked(terms)
    cdef bint plain = is_plain(terms) or masked
    cdef Terms own = terms[0]
    cdef Py_ssize_t first = 0, row, k, some
    while first < count:
        some = min(<Py_ssize_t> TOGETHER, count - first)
        for k in range(some):
            if plain and not masked:
                own.a = <const real *> terms.a + (first + k) * terms.a_step
            else:
                own = terms_from(terms, first + k, sizeof(real))
            if masked:
                own = prepared(&own, n, NULL, &room, NULL)
            guessed[k] = care == FAST and guess_row(&own, n, shifts + k)
            if guessed[k] and plain:
                plain_sums(&own, n, shifts[k], highs + k * LANES_BOUND, lows + k * LANES_BOUND)
            elif guessed[k]:
                general_row(&own, n, shifts[k], states, first + k)
        for k in range(some):
            if guessed[k] and plain:
                keep_plain(highs + k * LANES_BOUND, lows + k * LANES_BOUND, shifts[k], states, first + k)
        for k in range(some):
            row = first + k
            if not guessed[k] or not accepted_lane(states, row, n):
                own = terms_from(terms, row, sizeof(real))
                fold_row(&own, n, care, states, row)
        first += some


cdef void fold_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Care care,
                       const States *states) noexcept nogil:
    cdef real shift[TILE]
    cdef real largest[TILE]
    cdef real strange[TILE]
    cdef ivec guessed[TILE]
    cdef vec most[TILE]
    cdef vec beside[TILE]
    cdef vec next[TILE]
    cdef vec peak, special, x, lost, b = splat(1)
    cdef Py_ssize_t j, v, row, vectors = (width + LANES - 1) // LANES
    cdef ivec all_guessed = splat(0) == splat(0)
    cdef divec fine
    for v in range(vectors):
        guessed[v] = guess_columns(terms, n, column_of(v, LANES, width), &peak)
        store(shift + column_of(v, LANES, width), peak)
        all_guessed = all_guessed & guessed[v]
    if terms.b == NULL and not all_set(all_guessed):
        peaks_of_panel(terms, n, width, is_plain(terms), True, most, beside, next)
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


# --- what has files of its own

include "_shares.pxi"
include "_short.pxi"


# --- logarithms of weights

cdef inline dvec log_of_ordinary(dvec x, dvec exponent) noexcept nogil:
    # log(x) + exponent ln2 for x > 0 normal and not near the end of the range.
    if REAL_BITS == 32:
        return log_coarse(x, exponent * dsplat(0.6931471805599453))
    return log_pair(x, dsplat(0), exponent * dsplat(LN2_HIGH_DOUBLE)) + exponent * dsplat(LN2_LOW_DOUBLE)


cdef inline vec least_ordinary() noexcept nogil:
    # The smallest normal number; and a number near the end of the range.  Between them logarithms are taken at once.
    return splat(<real> (1.1754943508222875e-38 if REAL_BITS == 32 else 2.2250738585072014e-308))


cdef inline vec most_ordinary() noexcept nogil:
    return splat(<real> (1e37 if REAL_BITS == 32 else 1e300))


cdef inline void log_vector(real *p) noexcept nogil:
    # bound  1 ulp of the logarithm (0.56 without a register table), 2 near the ends of the range, which are first
    #        brought inside by 2^54; 0 gives -inf, inf itself, less than 0 NaN.
    cdef vec b = load(p), zero = splat(0), infinity = splat(<real> INFINITY), moved = splat(54), x = b, exponent, rest
    cdef vec result
    cdef dvec wide
    cdef divec great
    cdef bint some_great = False
    cdef ivec ordinary = (b > zero) & (b < infinity)
    cdef ivec tiny = b < least_ordinary()
    cdef ivec large = b > most_ordinary()
    cdef dvec parts[HALVES_BOUND]
    cdef int which
    if REAL_BITS == 64 and not REGISTER_TABLE:    # sums, mostly, which have a shorter way
        wide = half(b, 0)
        great = (wide >= dsplat(8)) & (wide < dsplat(1e300))
        if dall(great):
            logs_far(&wide, 1)
            store(p, joined(wide, wide))
            return
        some_great = dany(great)
    x = pick(tiny, b * splat(<real> 18014398509481984.0), x)
    x = pick(large, b * splat(<real> 5.551115123125783e-17), x)
    x = pick(ordinary, x, splat(1))
    exponent = pick(tiny, zero - moved, pick(large, moved, zero))
    if has_logs_near():
        rest = zero
        logs_near(&x, &rest, &zero, 1, True)
        result = (exponent * splat(<real> LN2_HIGH_DOUBLE) + (x + rest)) + exponent * splat(<real> LN2_LOW_DOUBLE)
    else:
        for which in range(HALVES):
            parts[which] = log_of_ordinary(half(x, which), half(exponent, which))
        if REAL_BITS == 64 and some_great:    # a number's logarithm does not depend on its neighbours
            wide = dpick(great, wide, dsplat(8))
            logs_far(&wide, 1)
            parts[0] = dpick(great, wide, parts[0])
        result = joined(parts[0], parts[HALVES - 1])
    result = pick(ordinary, result, pick(b == zero, zero - infinity, b))
    store(p, pick(b < zero, splat(<real> NAN), result))


cdef inline bint log_vectors(real *p, int count) noexcept nogil:
    # log_vector of `count` vectors of ordinary numbers and zeros.  False, and nothing is written, of any other.
    cdef vec x[GROUP_BOUND]
    cdef vec rest[GROUP_BOUND]
    cdef vec none[GROUP_BOUND]
    cdef vec b, zero = splat(0)
    cdef ivec fine = zero == zero
    cdef int s
    for s in range(count):
        b = load(p + s * LANES)
        fine = fine & ((b == zero) | ((b >= least_ordinary()) & (b <= most_ordinary())))
        x[s] = pick(b == zero, splat(1), b)
        rest[s] = none[s] = zero
    if not all_set(fine):
        return False
    logs_near(x, rest, none, count, True)
    for s in range(count):
        store(p + s * LANES, pick(load(p + s * LANES) == zero, splat(<real> -INFINITY), x[s] + rest[s]))
    return True


cdef void logs(void *numbers, Py_ssize_t count) noexcept nogil:
    cdef real *b = <real *> numbers
    cdef real edge[4 * LANES_BOUND]
    cdef real *p
    cdef Py_ssize_t i = 0, k, group = 4 * LANES, some
    while i < count:
        some = min(group, count - i)
        p = b + i
        if some < group:
            pad(b + i, some, group, 1, edge)
            p = edge
        if not (has_logs_near() and some > LANES and log_vectors(p, 4)):
            for k in range((some + LANES - 1) // LANES):
                log_vector(p + k * LANES)
        if some < group:
            for k in range((some + LANES - 1) // LANES):
                store_some(b + i + k * LANES, load(edge + k * LANES), some - k * LANES)
        i += group


# --- running sums, of float64 alone

cdef inline void close_terms(vec *x, int count, ivec *close) noexcept nogil:
    # exp(x) of `count` vectors, in their place; `close` keeps the lanes in which all x are below 350.  What is beside
    # a sum above 1e-100 less than nothing, -inf too, counts as exp(-350).
    cdef vec beyond = splat(0)
    cdef int s
    for s in range(count):
        x[s] = at_least(x[s], splat(-350))
        if not CLOSE_TERMS:
            close[0] = close[0] & (x[s] < splat(350))
            x[s] = fast_term(x[s])
    if CLOSE_TERMS:
        table_exp(x, count, True, &beyond, NULL)
        close[0] = close[0] & (magnitude(beyond) < splat(2))


cdef void close_exponentials(const void *start, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width, double *y,
                             double *close) noexcept nogil:
    cdef const real *a = <const real *> start
    cdef vec x[GROUP_BOUND]
    cdef ivec fine[TILE]
    cdef Py_ssize_t i = 0, j, v, vectors = (width + LANES - 1) // LANES, group
    cdef int s
    if REAL_BITS == 32:
        return
    fine[0] = splat(0) == splat(0)
    if width == 0:
        while i < n:
            group = GROUP if i + GROUP * LANES <= n else 1
            for s in range(group):
                if i + (s + 1) * LANES <= n:
                    x[s] = load(a + i + s * LANES)
                else:
                    x[s] = load_some(a + i + s * LANES, n - (i + s * LANES), 0)
            if group == GROUP:
                close_terms(x, GROUP, fine)
            else:
                close_terms(x, 1, fine)
            for s in range(group):
                store(<real *> y + i + s * LANES, x[s])
            i += group * LANES
        for i in range(n, (n + 15) // 16 * 16):
            y[i] = 0
        close[0] = all_set(fine[0])
        return
    for v in range(vectors):
        fine[v] = fine[0]
    while i < n:
        group = GROUP if i + GROUP <= n else 1
        for s in range(group):    # rows of long columns lie in pages of their own, which the hardware does not foresee
            j = 0
            while j < width:
                prefetch(a + min(i + s + PAGES, n - 1) * a_step + j)
                j += WIDTH
        for v in range(vectors):
            j = column_of(v, LANES, width)
            for s in range(group):
                x[s] = load(a + (i + s) * a_step + j)
            if group == GROUP:
                close_terms(x, GROUP, fine + v)
            else:
                close_terms(x, 1, fine + v)
            for s in range(group):
                store(<real *> y + (i + s) * TILE + j, x[s])
        i += group
    for v in range(vectors):
        store(<real *> close + column_of(v, LANES, width), pick(fine[v], splat(1), splat(0)))


cdef inline void add_term_and_lost(dvec y, dvec *high, dvec *low) noexcept nogil:
    cdef dvec sum = high[0] + y
    cdef dvec back = sum - high[0]
    low[0] = low[0] + ((high[0] - (sum - back)) + (y - back))
    high[0] = sum


cdef inline void accumulate_columns(const double *y, Py_ssize_t n, Py_ssize_t width, bint exclusive,
                                    const States *states, double *out, Py_ssize_t out_step) noexcept nogil:
    cdef dvec h[TILE]
    cdef dvec l[TILE]
    cdef dvec value[2]
    # Sums are shown a row late, while the next terms are added: not to wait for them.
    cdef Py_ssize_t row, v, j, vectors = (width + DLANES - 1) // DLANES, group, late = 0 if exclusive else 1
    cdef int s
    for v in range(vectors):
        h[v] = dload(states.high + column_of(v, DLANES, width))
        l[v] = dload(states.low + column_of(v, DLANES, width))
    for row in range(n + late):
        v = 0
        while v < vectors:
            group = 2 if v + 2 <= vectors else 1
            for s in range(group):
                value[s] = h[v + s] + l[v + s]
                if row < n:
                    j = column_of(v + s, DLANES, width)
                    add_term_and_lost(dload(y + row * TILE + j), h + v + s, l + v + s)
            if row < late:
                v += group
                continue
            if group == 2:
                logs_far(value, 2)
            else:
                logs_far(value, 1)
            for s in range(group):
                j = column_of(v + s, DLANES, width)
                dstore(out + (row - late) * out_step + j, value[s] + dload(states.shift + j))
            v += group
    for v in range(vectors):
        dstore(states.high + column_of(v, DLANES, width), h[v])
        dstore(states.low + column_of(v, DLANES, width), l[v])


# A row's sums wait for each other.  So 16 elements at a time go through three steps, each on what the step before did
# in the round before: the chain of sums; what rounding took from each, and the chain of that; and the logarithms,
# which fill the time in which the chains wait.
cdef struct Round:
    double sum[24]     # before each element, and after the last
    double lost[16]    # what rounding took, by each addition
    double low[24]     # and all in all
    dvec whole         # not used: for its sake vectors lie in whole cache lines


cdef inline void chain(const double *terms, double *last, double *sums) noexcept nogil:
    # The sum before each of 16 terms, and after the last.
    cdef double sum = last[0]
    cdef int k
    sums[0] = sum
    for k in range(16):
        sum = sum + terms[k]
        sums[k + 1] = sum
    last[0] = sum


cdef inline dvec lost_between(const double *sums, dvec term) noexcept nogil:
    # What rounding took where terms were added, from each of some neighbouring sums to the next.
    cdef dvec before = dload(sums), after = dload(sums + 1), back = after - before
    return (before - (after - back)) + (term - back)


cdef inline void accumulate_row(const double *y, Py_ssize_t n, bint exclusive, const States *states,
                                double *out) noexcept nogil:
    cdef Round rounds[3]
    cdef Round *round
    cdef dvec value, shift = dsplat(states.shift[0])
    cdef Py_ssize_t i = 0, k, rest, place = 0
    while i < n + 32:
        if i < n:
            chain(y + i, states.high, rounds[place].sum)
        if 16 <= i < n + 16:
            round = &rounds[(place + 2) % 3]
            k = 0
            while k < 16:
                dstore(round.lost + k, lost_between(round.sum + k, dload(y + i - 16 + k)))
                k += DLANES
            chain(round.lost, states.low, round.low)
        if i >= 32:
            round = &rounds[(place + 1) % 3]
            rest = n - (i - 32)
            k = 0
            while k < 16 and k < rest:
                value = dload(round.sum + k + (not exclusive)) + dload(round.low + k + (not exclusive))
                logs_far(&value, 1)
                dstore_some(out + i - 32 + k, value + shift, rest - k)
                k += DLANES
        i += 16
        place = (place + 1) % 3


cdef void accumulate(const double *y, Py_ssize_t n, Py_ssize_t width, bint exclusive, const States *states,
                     double *out, Py_ssize_t out_step) noexcept nogil:
    if REAL_BITS == 32:
        return
    if width > 0:
        accumulate_columns(y, n, width, exclusive, states, out, out_step)
    else:
        accumulate_row(y, n, exclusive, states, out)


# The same with what rounding takes from the terms, and from the sum of what it takes: where a sum is next to 1, its
# logarithm has no other digits.
cdef struct Triples:
    double y[TILE]
    double y_low[TILE]
    double high[TILE + 8]    # before each element of a row, and after the last; of columns
    double low[TILE + 8]
    double rest[TILE + 8]
    dvec whole               # not used: for its sake all vectors lie in whole cache lines


cdef inline ivec suits_pair(vec x) noexcept nogil:
    # In between: no farther from the middle than half of the distance.
    cdef vec middle = splat(<real> ((MOST_PAIR + LEAST_PAIR) * 0.5))
    return (x == splat(<real> -INFINITY)) | (magnitude(x - middle) <= splat(<real> ((MOST_PAIR - LEAST_PAIR) * 0.5)))


cdef void suit_pairs(const double *start, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                     double *close) noexcept nogil:
    cdef const real *a = <const real *> start
    cdef ivec fine
    cdef Py_ssize_t i = 0, v, j, row
    if REAL_BITS == 32:
        return
    for v in range((width + LANES - 1) // LANES):
        j = column_of(v, LANES, width)
        fine = splat(0) == splat(0)
        for row in range(n):
            fine = fine & suits_pair(load(a + row * a_step + j))
        store(<real *> close + j, pick(fine, splat(1), splat(0)))
    if width > 0:
        return
    fine = splat(0) == splat(0)
    while i + LANES <= n:
        fine = fine & suits_pair(load(a + i))
        i += LANES
    if i < n:
        fine = fine & suits_pair(load_some(a + i, n - i, 0))
    close[0] = all_set(fine)


# The elements of such a sum.
cdef struct Pairs:
    const double *a
    const double *lost
    const double *b


cdef void pair_terms(const Pairs *pairs, Py_ssize_t first, Py_ssize_t count, Triples *sums) noexcept nogil:
    cdef const double *a = pairs.a + first
    cdef vec x
    cdef ivec none
    cdef dvec p, q, z, k, b, lost = dsplat(0)
    cdef Py_ssize_t i = 0
    while i < count:
        if count - i >= LANES:
            x = load(<const real *> a + i)
        else:
            x = load_some(<const real *> a + i, count - i, 0)
        none = x == splat(<real> -INFINITY)
        if pairs.lost != NULL:
            lost = dload(pairs.lost + first + i)
        pair_power(half(pick(none, splat(0), x), 0), lost, &p, &q, &z, &k)
        if pairs.b != NULL:
            b = dload(pairs.b + first + i)
            lost = p * b
            q = q * b - residual(lost, p, b)
            p = lost
            lost = dsplat(0)
        p = dterm_in_range(p, z, k)
        q = dterm_in_range(q, z, k)
        store(<real *> sums.y + i, pick(none, splat(0), joined(p, p)))
        store(<real *> sums.y_low + i, pick(none, splat(0), joined(q, q)))
        i += LANES


cdef void logs_of_triples(const Triples *sums, Py_ssize_t first, const double *shift, Py_ssize_t count,
                          double *out) noexcept nogil:
    cdef dvec high, low, total, zero = dsplat(0)
    cdef Py_ssize_t i = 0
    while i < count:
        high = dload(sums.high + first + i)
        low = dload(sums.low + first + i)
        total = high + low
        low = ((high - total) + low) + dload(sums.rest + first + i)
        high = dpick(total == zero, dsplat(-INFINITY), log_pair(total, low, dload(shift + i)))
        dstore_some(out + i, dpick(total < zero, dsplat(NAN), high), count - i)
        i += DLANES


cdef inline void add_pairs(Triples *sums, Py_ssize_t width) noexcept nogil:
    cdef dvec high, low, rest, lost
    cdef Py_ssize_t i = 0
    while i < width:
        high = dload(sums.high + i)
        low = dload(sums.low + i)
        rest = dload(sums.rest + i)
        lost = dload(sums.y_low + i)
        add_term_and_lost(dload(sums.y + i), &high, &lost)
        add_term_and_lost(lost, &low, &rest)
        dstore(sums.high + i, high)
        dstore(sums.low + i, low)
        dstore(sums.rest + i, rest)
        i += DLANES


cdef inline void accumulate_row_of_pairs(const Pairs *pairs, Py_ssize_t n, bint exclusive, const States *states,
                                         double *out) noexcept nogil:
    cdef Triples rounds[5]
    cdef Triples *round
    cdef double shift[16]
    cdef Py_ssize_t i = -16, k, place = 4
    for k in range(16):
        shift[k] = states.shift[0]
    while i < n + 48:
        if i + 16 < n:
            round = &rounds[(place + 1) % 5]
            pair_terms(pairs, i + 16, min(16, n - i - 16), round)
            for k in range(n - i - 16, 16):
                round.y[k] = round.y_low[k] = 0
        if 0 <= i < n:
            round = &rounds[place]
            chain(round.y, states.high, round.high)
        if 16 <= i < n + 16:
            round = &rounds[(place + 4) % 5]
            k = 0
            while k < 16:
                dstore(round.y + k, lost_between(round.high + k, dload(round.y + k)) + dload(round.y_low + k))
                k += DLANES
            chain(round.y, states.low, round.low)
        if 32 <= i < n + 32:
            round = &rounds[(place + 3) % 5]
            k = 0
            while k < 16:
                dstore(round.y + k, lost_between(round.low + k, dload(round.y + k)))
                k += DLANES
            chain(round.y, states.rest, round.rest)
        if i >= 48:
            logs_of_triples(&rounds[(place + 2) % 5], not exclusive, shift, min(16, n - (i - 48)), out + i - 48)
        i += 16
        place = (place + 1) % 5


cdef void accumulate_pairs(const double *a, const double *lost, const double *b, Py_ssize_t a_step, Py_ssize_t n,
                           Py_ssize_t width, bint exclusive, const States *states, double *out,
                           Py_ssize_t out_step) noexcept nogil:
    cdef Pairs pairs
    cdef Triples sums
    cdef Py_ssize_t row, k, late = 0 if exclusive else 1    # as in accumulate_columns
    if REAL_BITS == 32:
        return
    pairs.a = a
    pairs.lost = lost
    pairs.b = b
    if width == 0:
        accumulate_row_of_pairs(&pairs, n, exclusive, states, out)
        return
    for k in range(width):
        sums.high[k] = states.high[k]
        sums.low[k] = states.low[k]
        sums.rest[k] = states.rest[k]
    for row in range(n + late):
        if row < n:
            pair_terms(&pairs, row * a_step, width, &sums)
        if row >= late:
            logs_of_triples(&sums, 0, states.shift, width, out + (row - late) * out_step)
        if row < n:
            add_pairs(&sums, width)
    for k in range(width):
        states.high[k] = sums.high[k]
        states.low[k] = sums.low[k]
        states.rest[k] = sums.rest[k]


# --- what is left out

cdef inline vec what_is_kept(const real *a, const char *kept, Py_ssize_t inner, Py_ssize_t j,
                             vec filler) noexcept nogil:
    if inner:
        return pick(bytes_set(kept + j), load(a + j), filler)
    return load(a + j) if kept[0] else filler


cdef void drop(const Terms *terms, Py_ssize_t n, Py_ssize_t width, double filler, void *target,
               Py_ssize_t step) noexcept nogil:
    cdef const real *a
    cdef const char *kept
    cdef real *out
    cdef vec nothing = splat(<real> filler)
    cdef Py_ssize_t row, j, ahead = AHEAD if n == 1 else distance(terms.a_step, n, width)
    for row in range(n):
        a = <const real *> terms.a + row * terms.a_step
        out = <real *> target + row * step
        j = 0
        if terms.kept == NULL:    # a loop of its own: to ask for every vector takes a fifth of the other's instructions
            while j + LANES <= width:
                prefetch_far(<const char *> (a + j + ahead))
                store(out + j, load(a + j))
                j += LANES
            if j < width:
                store(out + width - LANES, load(a + width - LANES))
            continue
        kept = terms.kept + row * terms.kept_step
        while j + LANES <= width:
            prefetch_far(<const char *> (a + j + ahead))
            store(out + j, what_is_kept(a, kept, terms.kept_inner, j, nothing))
            j += LANES
        if j < width and width > LANES:
            store(out + width - LANES, what_is_kept(a, kept, terms.kept_inner, width - LANES, nothing))
            continue
        for j in range(j, width):
            out[j] = a[j] if kept[j * terms.kept_inner] else <real> filler


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


cdef inline void transpose_square(vec *x) noexcept nogil:
    # LANES vectors of LANES elements: what was row is column.  First within pieces of 16 bytes, of some = 4 or 2
    # elements: piece p of x[some k + c] becomes column some p + c of rows some k .. some (k + 1).  Then these pieces,
    # as in `unshuffle`.  As many steps, but single ones on AVX2 and cheap ones on cores that cut a vector of 64 bytes
    # in two.
    cdef vec y[LANES_BOUND]
    cdef vec z[LANES_BOUND]
    cdef Py_ssize_t some = 128 // REAL_BITS, pieces = LANES // some, k, c
    cdef vec *own
    for k in range(pieces):
        own = x + some * k
        if REAL_BITS == 32:
            for c in range(2):
                y[2 * c] = low_ones(own[2 * c], own[2 * c + 1])
                y[2 * c + 1] = high_ones(own[2 * c], own[2 * c + 1])
        else:
            y[0] = own[0]
            y[1] = own[1]
        for c in range(some // 2):
            own[2 * c] = low_twos(y[c], y[c + some // 2])
            own[2 * c + 1] = high_twos(y[c], y[c + some // 2])
    if pieces < 2:
        return
    for c in range(some):
        own = x + c
        for k in range(pieces // 2):
            y[k] = even_pieces(own[2 * k * some], own[(2 * k + 1) * some])
            y[k + pieces // 2] = odd_pieces(own[2 * k * some], own[(2 * k + 1) * some])
        for k in range(pieces // 2):
            z[k] = even_pieces(y[2 * k], y[2 * k + 1])
            z[k + pieces // 2] = odd_pieces(y[2 * k], y[2 * k + 1])
        for k in range(pieces):
            own[k * some] = z[k] if pieces == 4 else y[k]


cdef inline void load_columns(const real *rows, Py_ssize_t n, Py_ssize_t m, vec *x) noexcept nogil:
    # The columns of LANES rows of n elements without gaps, as many as a constant power of two m of n to LANES, or all
    # for m = 0.  Up to LANES elements behind the last are read, and as many vectors behind the last written.
    cdef Py_ssize_t column = 0, i
    cdef ivec places = row_places(n, m)
    if m:
        for i in range(m):
            prefetch(rows + LANES // m * n * i + AHEAD)
            x[i] = load(rows + LANES // m * n * i)
            if n != m:
                x[i] = permuted(x[i], places)
        if m == LANES:
            transpose_square(x)
        else:
            unshuffle(x, m)
        return
    while column < n:
        for i in range(LANES):
            prefetch(rows + column + i * n + AHEAD)
            x[column + i] = load(rows + column + i * n)
        transpose_square(x + column)
        column += LANES


cdef inline void transpose_dense(const real *rows, Py_ssize_t m, Py_ssize_t count, real *tile) noexcept nogil:
    cdef vec x[LANES_BOUND]
    cdef Py_ssize_t first = 0, i
    while first < count:
        load_columns(rows + first * m, m, m, x)
        for i in range(m):
            store(tile + i * TILE + first, x[i])
        first += LANES


cdef void transpose(const void *start, Py_ssize_t step, Py_ssize_t n, Py_ssize_t count,
                    Py_ssize_t readable, void *target) noexcept nogil:
    cdef const real *rows = <const real *> start
    cdef real *tile = <real *> target
    cdef vec x[LANES_BOUND]
    cdef Py_ssize_t first = 0, column, i, at
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
                    x[i] = load_some(rows + at, readable - at, 0)
            transpose_square(x)
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
            transpose_square(x)
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
kernels.dense = REGISTER_LOOKUP
kernels.fold_row = fold_row
kernels.fold_rows = fold_rows
kernels.fold_columns = fold_columns
kernels.short_row = short_row
kernels.short_rows = short_rows
kernels.short_columns = short_columns
kernels.short_terms = short_terms
kernels.finish = finish
kernels.peak = peak
kernels.sum = sum
kernels.peak_and_sum = peak_and_sum
kernels.settle = settle
kernels.write = write
kernels.map_block = map_block
kernels.map_rows = map_rows
kernels.logs = logs
kernels.close_exponentials = close_exponentials
kernels.accumulate = accumulate
kernels.suit_pairs = suit_pairs
kernels.accumulate_pairs = accumulate_pairs
kernels.drop = drop
kernels.transpose = transpose
kernels.untranspose = untranspose
table = PyCapsule_New(&kernels, "lsecy.kernels.table", NULL)


# Doors for the tests: the elementary functions alone.  They take numbers, for a memoryview in this file alone would
# be an eighth of the wheel.

def exp_term(double x):
    """exp(x) as the FAST fold computes it, in the element type."""
    return lane(fast_term(splat(<real> x)), 0)


def exp_pair(double x):
    """(high, low), whose sum is exp(x) as the EXACT fold computes it."""
    cdef dvec high, low
    double_term(dsplat(x), dsplat(0), dsplat(0), dsplat(0), False, True, &high, &low)
    return dlane(high, 0), dlane(low, 0)


def exp_parts(double x):
    """The same where the EXACT fold adds on a grid."""
    cdef dvec low, high = exact_grid()
    exact_parts(dsplat(x), dsplat(0), False, NULL, &high, &low, NULL)
    return dlane(high - exact_grid(), 0), dlane(low, 0)


def log_pair_sum(double high, double low, double shift):
    """shift + log(high + low)."""
    return dlane(log_pair(dsplat(high), dsplat(low), dsplat(shift)), 0)
