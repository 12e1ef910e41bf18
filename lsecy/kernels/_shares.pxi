# softmax and log_softmax: a part of folds.pyx.
#
# The whole row is looked at three times, which it bears from cache: peak, sum, write.  Terms of softmax that lie in one
# block are kept from sum to write.
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
# Terms of more than a block are not kept, and their exponentials are computed twice.  With a register table those of
# the answers are of x - log(sum) (`long_shares`): sixteenths of ln2 in log(sum) go to k, and the rest joins the small
# part of x, so that no product with 1 / sum is left to make, nor its rounding error to carry.
#
# A weight 2^e m adds e to k and multiplies the power by m: what rounding takes from that joins q.  Where neither the
# terms nor their weights are very large or small, the weight multiplies the term as it is, to the same bits (`Reach`).
#
# log_softmax needs the logarithm of the sum next to the peak.  Where one term is nearly all of it, the
# rest is added apart, counted from a power of its own.  Short columns subtract the peak
# always: then its own term is 1, and only a rest near the end of the grid is lost.
#
# Order of the sums as above; short columns, which are never rows of their own, simply in order.

# What exponents are counted from, lane by lane.
cdef struct Base:
    vec shift        # subtracted: 0, or the peak where it is far
    vec shift_low
    vec power        # a term is relative to 2^power, next to exp(peak - shift)
    vec steps        # what rounds to steps and counts them from there
    vec bottom       # what lies below counts as this, whose term is as good as none
    vec grid         # a sum that starts here takes what lies on a grid (`sum_grid`)
    vec least        # no exponent is below this, as far as one knows
    bint far         # is any lane shifted?

# What a row's answers are made with, lane by lane.
cdef struct Whole:
    vec peak
    vec peak_low
    vec first        # softmax: first (1 + second) 2^-power is 1 / sum; log_softmax: first + second is
    vec second       # log(sum) - peak; long: as settle_long has it, first is NaN if the sum is
    vec power


# Terms that are kept are relative to 2^(power - ROOM) where some lie so far below the peak that their shares may be
# subnormal: then the least of these is still a normal number, and so is its product with `first` times 2^SCALE.
cdef inline vec room() noexcept nogil:
    return splat(<real> (40.0 if REAL_BITS == 32 else 100.0))


cdef inline vec scale_of_products() noexcept nogil:
    return splat(<real> (1.152921504606847e18 if REAL_BITS == 32 else 1.42724769270596e45))    # 2^60, 2^150


cdef inline vec scale_back() noexcept nogil:
    return splat(<real> (8.673617379884035e-19 if REAL_BITS == 32 else 7.006492321624085e-46))    # 2^-60, 2^-150


cdef inline vec least_kept(vec first) noexcept nogil:
    # Terms below this end as 0 after their product with `first` and scale_back: 2^-91 (double 2^-926) / first.
    return splat(<real> (4.0389678347315804e-28 if REAL_BITS == 32 else 1.7628851336804977e-279)) / first


cdef inline vec below_power(bint roomy) noexcept nogil:
    # How far below power ln2 the bottom lies: 86 (double 707) below the peak, with room 110 (double 760).
    if roomy:
        return splat(<real> (82.27411277760218 if REAL_BITS == 32 else 690.6852819440055))
    return splat(<real> (86.0 if REAL_BITS == 32 else 707.0))


cdef inline real largest_near() noexcept nogil:
    # Exponents of peaks below this leave room for the steps below them.
    return <real> (8192.0 if REAL_BITS == 32 else 1048576.0)


cdef inline void count_from(Base *base, vec most, bint roomy) noexcept nogil:
    base.power = nearest_whole(most * splat(<real> 1.4426950408889634))
    if roomy:
        base.power = base.power - room()
    base.steps = splat(WHOLE_STEPS) - base.power
    base.bottom = base.power * splat(<real> 0.6931471805599453) - below_power(roomy)


cdef inline Base base_of(vec peak, vec peak_low, bint always, bint roomy) noexcept nogil:
    # `always`: shift by the peak, however near.
    cdef Base base
    cdef vec zero = splat(0)
    cdef vec limit = splat(<real> 0 if always else largest_near())
    cdef ivec near = magnitude(peak) < limit
    base.far = not all_set(near)
    base.shift = pick(near, zero, peak)
    base.shift_low = pick(near, zero, peak_low)
    base.least = splat(<real> -INFINITY)
    count_from(&base, pick(near, peak, zero), roomy)
    base.grid = sum_grid() * splat(<real> ((1099511627776.0 if REAL_BITS == 32 else 1.2676506002282294e30) if roomy
                                           else 1))    # 2^ROOM
    return base


cdef inline bint needs_room(const Base *base) noexcept nogil:
    # Where no exponent lies this far below the peak, the shares of a block are above `smallest`.
    return not all_set(base.least >= base.bottom + splat(<real> (26.0 if REAL_BITS == 32 else 107.0)))


cdef inline bint is_bounded(const Base *base) noexcept nogil:
    return not base.far and all_set(base.least >= base.bottom)


# How a look comes by its exponents.
cdef enum Form:
    PLAIN     # they are the elements
    PAIRS     # they and what rounding took from them were worked out before (`prepared`)
    WEIGHED   # they have weights, which were split before
    NEAR      # they are the elements, and their weights are near
    RAW       # they are to be worked out, and there may be weights
    HERE      # the same without a call, which costs a fifth of a sum, and without weights


cdef inline void exponent_pairs(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                                Py_ssize_t j_apart, int count, vec *x, vec *lost, vec *b) noexcept nogil:
    # Of `count` <= TREE vectors the exponents and what rounding took from them, beside what is infinite any number.
    cdef int s
    exponents(terms, row, row_apart, j, j_apart, count, x, lost, b)
    if are_exact(terms):
        for s in range(count):
            lost[s] = splat(0)
    elif terms.lost == NULL and leaves_nan():
        for s in range(count):
            lost[s] = not_nan(lost[s])


# Weights 2^e m are two vectors each, e GROUP_BOUND places behind m.

cdef inline void take_weight(vec a, vec b, vec *x, vec *w) noexcept nogil:
    # A weight that is no positive number takes its element with it: 0 drops that, others leave it undefined (NaN: the
    # negative ones).
    cdef ivec usual = (b > splat(0)) & (b < splat(<real> INFINITY))
    x[0] = a
    split_power(b, w, w + GROUP_BOUND)
    if not all_set(usual):
        a = pick(b == splat(0), splat(<real> -INFINITY), pick(b < splat(0), splat(<real> NAN), a + b))
        x[0] = pick(usual, x[0], a)
        w[0] = pick(usual, w[0], splat(1))
        w[GROUP_BOUND] = pick(usual, w[GROUP_BOUND], splat(0))


cdef inline vec in_sum(vec x, const vec *w) noexcept nogil:
    # x + log(weight), to a factor of 2: what tells how large a term is.
    return fused(w[GROUP_BOUND], splat(<real> 0.6931471805599453), x)


cdef inline vec bottom_of(const Base *base, const vec *w) noexcept nogil:
    # The lowest x whose term counts.
    return base.bottom if w == NULL else base.bottom - w[GROUP_BOUND] * splat(<real> 0.6931471805599453)


cdef inline bint weigh_alone(const Terms *terms) noexcept nogil:
    return terms.b != NULL and terms.kept == NULL and terms.powers == NULL and are_exact(terms)


cdef inline vec weight_at(const Terms *terms, Py_ssize_t row, Py_ssize_t j) noexcept nogil:
    cdef const real *b = <const real *> terms.b + row * terms.b_step
    return load(b + j) if terms.b_inner else splat(b[0])


cdef inline vec weighed(const Terms *terms, Py_ssize_t row, Py_ssize_t j, vec *w) noexcept nogil:
    # raw_exponents of one vector without its questions; nothing is lost.
    cdef vec x
    take_weight(load(<const real *> terms.a + row * terms.a_step + j), weight_at(terms, row, j), &x, w)
    return x


cdef inline void load_weight(const Terms *terms, Py_ssize_t place, vec *w) noexcept nogil:
    # Of prepared terms.
    w[0] = load(<const real *> terms.b + place)
    w[GROUP_BOUND] = load(<const real *> terms.powers + place)


cdef inline vec load_weighed(const Terms *terms, Py_ssize_t place, vec *lost, vec *w) noexcept nogil:
    # The same with the exponent.
    lost[0] = splat(0) if terms.lost == NULL else load(<const real *> terms.lost + place)
    load_weight(terms, place, w)
    return load(<const real *> terms.a + place)


cdef void raw_exponents(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j, Py_ssize_t j_apart,
                        int count, vec *x, vec *lost, vec *w) noexcept nogil:
    # A function of its own, for it is large.  With the weights of softmax, which are 1 without.
    cdef Py_ssize_t place = row * terms.a_step + j, step = row_apart * terms.a_step + j_apart
    cdef bint alone = weigh_alone(terms)
    cdef int s
    if terms.powers != NULL:
        for s in range(count):
            x[s] = load_weighed(terms, place + s * step, lost + s, w + s)
        return
    if not alone:
        exponent_pairs(terms, row, row_apart, j, j_apart, count, x, lost, w)
    if terms.b == NULL:
        for s in range(count):
            w[s] = splat(1)
            w[s + GROUP_BOUND] = splat(0)
        return
    for s in range(count):
        if alone:
            x[s] = weighed(terms, row + s * row_apart, j + s * j_apart, w + s)
            lost[s] = splat(0)
        else:
            take_weight(x[s], w[s], x + s, w + s)


cdef inline void some_exponents(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                                Py_ssize_t j_apart, int count, Form form, vec *x, vec *lost, vec *w) noexcept nogil:
    cdef Py_ssize_t place
    cdef int s
    if form == RAW:
        raw_exponents(terms, row, row_apart, j, j_apart, unknown(count), x, lost, w)
        return
    if form == HERE:
        exponent_pairs(terms, row, row_apart, j, j_apart, count, x, lost, w)
        return
    for s in range(count):
        place = (row + s * row_apart) * terms.a_step + j + s * j_apart
        x[s] = load(<const real *> terms.a + place)
        lost[s] = load(<const real *> terms.lost + place) if form == PAIRS else splat(0)
        if form == WEIGHED:
            load_weight(terms, place, w + s)
        if form == NEAR:
            w[s] = weight_at(terms, row + s * row_apart, j + s * j_apart)


cdef inline bint have_weights(Form form, bint far) noexcept nogil:
    # Are there weights?  Of several ways to the same bits the more general one alone has them, for the code's size.
    return form == NEAR or form == WEIGHED or (form == RAW and far)


cdef inline vec exponent(const Terms *terms, Py_ssize_t row, Py_ssize_t j, Form form, vec *lost,
                         vec *w) noexcept nogil:
    cdef vec x
    some_exponents(terms, row, 0, j, 0, 1, form, &x, lost, w)
    return x


# What `peak_of_row` finds.
cdef struct Peak:
    real high
    real low
    real least
    bint alone    # may it stand out?  False where some other is known that is too near, or where nothing is asked


# Weights are near where no exponent, with its weight or without, lies far from the peak.  Then terms, counted from
# there, are normal numbers before their weights multiply them and after it, and so are products with 1 / sum and all
# that rounding takes from these (of float: 2^-149 is below the last bit of a product of 2^-75 with a number of 2^-27):
# the weights need not be split, and the answers have the bits of those that were.
cdef struct Reach:
    vec most       # of the exponents with their weights, to a factor of 2
    vec fewest
    vec highest    # of those without, or of the weights: one gives the bounds of the other
    vec lowest
    vec least      # of the weights


cdef inline void start_reach(Reach *reach) noexcept nogil:
    reach.most = reach.highest = splat(<real> -INFINITY)
    reach.fewest = reach.lowest = reach.least = splat(<real> INFINITY)


cdef inline vec in_sum_of(vec x, vec b) noexcept nogil:
    # `in_sum` of a weight that was not split.
    cdef vec m, e
    split_power(b, &m, &e)
    return fused(e, splat(<real> 0.6931471805599453), x)


cdef inline void extend(Reach *reach, vec x, vec b, bint zeros) noexcept nogil:
    # A NaN whose weight counts takes no place: whoever sums it sees it.  `zeros`: some weights may be 0.
    cdef vec size = in_sum_of(x, b)
    if zeros:
        size = pick(b > splat(0), size, splat(<real> NAN))
        reach.highest = at_least(reach.highest, x)
        reach.lowest = at_most(reach.lowest, pick(x == x, x, splat(<real> -INFINITY)))    # 0 drops a NaN
    else:
        reach.highest = at_least(reach.highest, b)
    reach.most = at_least(reach.most, size)
    reach.fewest = at_most(reach.fewest, size)
    reach.least = at_most(reach.least, b)


cdef inline real near_below() noexcept nogil:
    # How far below the peak a term may lie.
    return <real> (50.0 if REAL_BITS == 32 else 590.0)


cdef inline ivec is_near(const Reach *reach, vec peak, bint zeros) noexcept nogil:
    # 2^ROOM times exp(55) is still below 2^127, exp(-80) above 2^-116 (double: 590 and 690, 2^1023 and 2^-1022).
    cdef ivec near = ((magnitude(peak) < splat(largest_near())) & (reach.fewest > peak - splat(near_below()))
                      & (reach.most <= peak))
    if zeros:
        return (near & (reach.least >= splat(0))
                & (reach.highest < peak + splat(<real> (55.0 if REAL_BITS == 32 else 590.0)))
                & (reach.lowest > peak - splat(<real> (80.0 if REAL_BITS == 32 else 690.0))))
    # The same bounds, or closer ones: 2^-79 and 2^42 (double 2^-850, 2^140)
    return (near & (reach.least > splat(<real> (1.6543612251060553e-24 if REAL_BITS == 32 else 1.3323e-256)))
            & (reach.highest < splat(<real> (4.398e12 if REAL_BITS == 32 else 1.3937e42))))


cdef inline bint reach_of_row(const Terms *terms, Py_ssize_t n, bint zeros, const double *given,
                              Peak *peak) noexcept nogil:
    cdef Reach reaches[2]    # two chains, as in `peak_of_row`
    cdef Py_ssize_t last = n - LANES, i = 0, j, k
    for k in range(2):
        start_reach(&reaches[k])
    while i < n:
        for k in range(2):
            j = min(i + k * LANES, last)
            prefetch_far(<const char *> (<const real *> terms.a + j + AHEAD))
            prefetch_far(<const char *> (<const real *> terms.b + j + AHEAD))
            extend(&reaches[k], load(<const real *> terms.a + j), load(<const real *> terms.b + j), zeros)
        i += 2 * LANES
    reaches[0].most = at_least(reaches[0].most, reaches[1].most)
    reaches[0].fewest = at_most(reaches[0].fewest, reaches[1].fewest)
    reaches[0].highest = at_least(reaches[0].highest, reaches[1].highest)
    reaches[0].lowest = at_most(reaches[0].lowest, reaches[1].lowest)
    reaches[0].least = at_most(reaches[0].least, reaches[1].least)
    peak.high = largest(reaches[0].most)
    peak.low = 0
    peak.least = peak.high - near_below()
    return all_set(is_near(&reaches[0], splat(<real> given[0] if given != NULL else peak.high), zeros))


cdef bint is_row_near(const Terms *terms, Py_ssize_t n, const double *given, Peak *peak) noexcept nogil:
    # Of at least a vector: to the `given` peak, or where that is NULL to its own, which is kept.
    return reach_of_row(terms, n, False, given, peak) or reach_of_row(terms, n, True, given, peak)


# The exponents of a row of at most a block, worked out once for all looks at it.
cdef struct Prepared:
    real x[2 * BLOCK_DOUBLES]
    real lost[2 * BLOCK_DOUBLES]
    real m[2 * BLOCK_DOUBLES]         # of weights
    real powers[2 * BLOCK_DOUBLES]
    vec whole    # not used: for its sake all vectors lie in whole cache lines; across two, storing takes twice as long


cdef inline void keep_exponents(const vec *x, const vec *lost, int count, bint exact, Prepared *room,
                                Py_ssize_t j) noexcept nogil:
    cdef int s
    for s in range(count):
        store(room.x + j + s * LANES, x[s])
        if not exact:
            store(room.lost + j + s * LANES, lost[s])


cdef void prepare(const Terms *terms, Py_ssize_t n, Prepared *room) noexcept nogil:
    # The end first, some of whose elements come once more: what is read soon after is then what one store wrote.
    cdef vec x[GENERAL]
    cdef vec lost[GENERAL]
    cdef vec b[GENERAL]
    cdef vec last[1]    # apart, for what a function is given lies in memory
    cdef vec last_lost[1]
    cdef vec w[2 * GROUP_BOUND]
    cdef Tail tail
    cdef Py_ssize_t group = GENERAL * LANES, whole = n // LANES * LANES, following = 0, j = 0, end
    cdef bint exact = are_exact(terms)
    cdef const real *weights = weights_of(terms)
    if exact and n >= LANES:    # all that is asked of them is to be left out
        drop(terms, 1, n, -INFINITY, room.x, 0)
        return
    if n >= group:
        j = n - group
        end = whole if whole < n else j
        while True:
            ask_later(<const char *> (<const real *> terms.a + j), GENERAL)
            if weights != NULL:
                ask_later(<const char *> (weights + j), GENERAL)
            exponent_pairs(terms, 0, 0, j, LANES, GENERAL, x, lost, b)
            keep_exponents(x, lost, GENERAL, exact, room, j)
            if following >= end:
                return
            j = min(following, whole - group)
            following += group
    while j < n:
        last[0] = along_or_across(terms, n, j, 0, True, &tail, last_lost, w)
        keep_exponents(last, last_lost, 1, exact, room, j)
        j += LANES


cdef void prepare_weighed(const Terms *terms, Py_ssize_t n, Prepared *room, Peak *peak) noexcept nogil:
    # Beside weights; with the peak of the terms, to a factor of 2, for these have to be split for it.
    cdef vec lost[1]
    cdef vec w[2 * GROUP_BOUND]
    cdef vec x, size, most = splat(<real> -INFINITY), least = splat(<real> INFINITY)
    cdef Tail tail
    cdef Py_ssize_t first = n - LANES if n > LANES else 0, j = first
    cdef bint alone = weigh_alone(terms) and n >= LANES, exact = are_exact(terms)
    while True:
        if alone:
            x = weighed(terms, 0, j, w)
            lost[0] = splat(0)
        else:
            x = along_or_across(terms, n, j, 0, True, &tail, lost, w)
        keep_exponents(&x, lost, 1, exact, room, j)
        store(room.m + j, w[0])
        store(room.powers + j, w[GROUP_BOUND])
        size = in_sum(x, w)
        most = at_least(most, size)
        least = at_most(least, size)
        j = 0 if j == first else j + LANES
        if j >= first:
            break
    peak.high = largest(most)
    peak.low = 0
    peak.least = -largest(splat(0) - least)


cdef inline void prepare_any(const Terms *terms, Py_ssize_t n, Prepared *room, Peak *peak) noexcept nogil:
    if terms.b != NULL:
        prepare_weighed(terms, n, room, peak)
    else:
        prepare(terms, n, room)


cdef inline Terms prepared(const Terms *terms, Py_ssize_t n, const double *given, Prepared *room,
                           Peak *peak) noexcept nogil:
    # Their peak is kept where there are weights; `given` as in is_row_near.
    cdef Terms own = terms[0]
    if is_plain(terms) or terms.lost != NULL or terms.powers != NULL:
        return own
    if weigh_alone(terms) and n >= LANES and is_row_near(terms, n, given, peak):
        own.known = peak
        own.near = True
        return own
    prepare_any(terms, n, room, peak)
    own = plain_terms(room.x, 0)
    own.bypass = terms.bypass
    if not are_exact(terms):
        own.lost = room.lost
    if terms.b != NULL:
        own.b = room.m
        own.powers = room.powers
        own.known = peak
    return own


cdef inline vec difference(vec x, const Base *base, vec bottom, bint exact, bint far, vec *lost) noexcept nogil:
    # x - shift; lost gains what rounding takes from it, and loses shift_low.  What lies below the bottom is forgotten:
    # of huge numbers what was lost need not be small.
    cdef vec d, error
    if far and base.far:    # not so where weights alone lead here
        vtwo_sum(x, splat(0) - base.shift, &d, &error)
        error = (lost[0] - base.shift_low) + error
        error = pick(error - error == splat(0), error, splat(0))    # of an infinite difference
        x = d + error
        lost[0] = (d - x) + error
    if far or not exact:
        lost[0] = pick(x >= bottom, lost[0], splat(0))
    return x


cdef inline vec sum_grid() noexcept nogil:
    # A sum that starts here takes of each term a multiple of 2^-13 (double 2^-42), of all of a block without error.
    return splat(<real> 1024)


cdef inline vec whole_term(vec t, vec q) noexcept nogil:
    # t (1 + q), coarsely, where q is so large that many t q would not add up without drifting; else t.
    return fused(t, q, t) if TABLE == 2 else t


cdef inline void take_near(vec b, vec *t, vec *q) noexcept nogil:
    # `take_factor` of a near weight.
    cdef vec bare = t[0]
    t[0] = bare * b
    q[0] = q[0] - vresidual(t[0], bare, b) * coarse_inverse(t[0])


cdef inline real clearly_above() noexcept nogil:
    # A peak so far above all others stands out: these are added apart, and that is all.  What is not so far above
    # another is not `dominated`, for log(1 + exp(-2)) is 0.1269 (double log(1 + exp(-1.25)) 0.2517).
    return 2 if REAL_BITS == 32 else 1.25


# Columns of which nothing is above -inf are as good as any until their answers are made, which are NaN.

cdef inline vec unless_nothing(vec peak) noexcept nogil:
    return pick(peak == splat(<real> -INFINITY), splat(0), peak)


cdef inline vec nan_for_nothing(vec peak, vec x) noexcept nogil:
    return pick(peak == splat(<real> -INFINITY), splat(<real> NAN), x)


# The terms t (1 + q) of a row in one block, from sum to write: then each exponential is computed once.
cdef struct Kept:
    real t[2 * BLOCK_DOUBLES]
    real q[2 * BLOCK_DOUBLES]
    vec total    # of short columns, in two parts
    vec rest


# Where the two parts of terms are kept: in a Kept, or those of a panel of columns in the room that came with it.
cdef struct Parts:
    real *t
    real *q


cdef inline Parts parts_of(Kept *kept) noexcept nogil:
    cdef Parts parts
    parts.t = kept.t
    parts.q = kept.q
    return parts


cdef inline const vec *weights_from(const vec *w, int s) noexcept nogil:
    return w + s if w != NULL else NULL


cdef inline void some_parts(vec *x, vec *lost, const vec *w, const Base *base, int count, Form form, bint far,
                            bint bounded, const Parts *kept, Py_ssize_t place, Py_ssize_t apart, vec *high,
                            vec *low) noexcept nogil:
    # Adds the first parts of `count` vectors of terms, without error, and gives the second ones.  `high` starts as the
    # grid, which cuts what is added to it.
    cdef vec t[GROUP_BOUND]
    cdef vec q[GROUP_BOUND]
    cdef vec k[GROUP_BOUND]
    cdef vec z[GROUP_BOUND]
    cdef Powers powers = powers_of_two()
    cdef vec h, bottom
    cdef int s
    for s in range(count):
        if form == NEAR:
            continue
        bottom = bottom_of(base, weights_from(w, s))
        x[s] = difference(x[s], base, bottom, form == PLAIN or bounded, far, lost + s)
        if not bounded:
            x[s] = at_least(x[s], bottom)
    table_powers(x, lost, w if form != NEAR else NULL, count, (form == PLAIN and not far) or form == NEAR, base.steps,
                 True, False, NULL, &powers, t, q, k, z)
    if form == NEAR:
        for s in range(count):
            take_near(w[s], t + s, q + s)
    if kept != NULL:
        for s in range(count):
            store(kept.t + place + s * apart, t[s])
            store(kept.q + place + s * apart, q[s])
    for s in range(count):
        h = high[0] + whole_term(t[s], q[s])
        low[s] = fused(t[s], q[s], t[s] - (h - high[0]))
        high[0] = h


cdef void pad_exponents(const Terms *terms, Py_ssize_t first, Py_ssize_t count, Py_ssize_t length,
                        Tail *tail) noexcept nogil:
    # pad_terms of terms that may be prepared.
    pad_terms(terms, first, count, length, <real> -INFINITY, tail)
    if terms.lost != NULL:
        pad(<const real *> terms.lost + first, count, length, 0, tail.lost)
        tail.terms.lost = tail.lost
    if terms.powers != NULL:
        pad(<const real *> terms.powers + first, count, length, 0, tail.powers)
        tail.terms.powers = tail.powers


cdef inline vec unless_peak(vec x, const vec *peak) noexcept nogil:
    return pick(x == peak[0], splat(<real> -INFINITY), x) if peak != NULL else x


cdef inline void eight_parts(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                             Py_ssize_t j_apart, const Base *base, const vec *peak, int count, Form form, bint far,
                             bint bounded, const Parts *kept, Py_ssize_t place, Py_ssize_t apart, vec *high,
                             vec *low) noexcept nogil:
    # `count` <= 8 vectors of terms, but those that are the peak, unless it is NULL: the first parts to `high`, as in
    # some_parts, and the sum of the second ones.  Terms are kept at `place`, `apart` from each other.  `bounded`: no
    # exponent lies below the bottom, which is known without a look.
    cdef vec x[TREE]
    cdef vec lost[TREE]
    cdef vec weights[2 * GROUP_BOUND]
    cdef vec *w = weights if have_weights(form, far) else NULL
    cdef vec l[TREE]
    cdef vec h = high[0]    # in a register: what is kept cannot change it
    cdef int s, first = 0, group
    if form >= RAW:
        some_exponents(terms, row, row_apart, j, j_apart, count, form, x, lost, weights)
    if form == RAW:    # one loop for all counts: these add nothing
        for s in range(count, TREE):
            x[s] = splat(<real> -INFINITY)
            lost[s] = splat(0)
            weights[s] = splat(1)
            weights[s + GROUP_BOUND] = splat(0)
        count = TREE
    if form == NEAR:    # the same
        for s in range(TREE):
            if s < count:
                some_exponents(terms, row + s * row_apart, 0, j + s * j_apart, 0, 1, form, x + s, lost + s,
                               weights + s)
            else:
                x[s] = x[0]
                weights[s] = splat(0)
        count = TREE
    while first < TREE:
        group = 0
        if first + PAIRED <= count:
            if form < NEAR:
                some_exponents(terms, row + first * row_apart, row_apart, j + first * j_apart, j_apart, PAIRED, form,
                               x + first, lost + first, weights + first)
            for s in range(first, first + PAIRED):
                x[s] = unless_peak(x[s], peak)
            some_parts(x + first, lost + first, weights_from(w, first), base, PAIRED, form, far, bounded, kept,
                       place + first * apart, apart, &h, l + first)
            group = PAIRED
        for s in range(first, first + PAIRED):
            if s >= count:
                l[s] = splat(0)
            elif s >= first + group:
                if form < NEAR:
                    some_exponents(terms, row + s * row_apart, 0, j + s * j_apart, 0, 1, form, x + s, lost + s,
                                   weights + s)
                x[s] = unless_peak(x[s], peak)
                some_parts(x + s, lost + s, weights_from(w, s), base, 1, form, far, bounded, kept, place + s * apart,
                           apart, &h, l + s)
            add_to_tree(l, s)
        first += PAIRED
    high[0] = h
    low[0] = l[0]


cdef inline void add_eight(const Terms *terms, Py_ssize_t row, Py_ssize_t row_apart, Py_ssize_t j,
                           Py_ssize_t j_apart, const Base *base, const vec *peak, int count, Form form, bint far,
                           bint bounded, const Parts *kept, Py_ssize_t place, Py_ssize_t apart, vec *high,
                           dvec *low) noexcept nogil:
    # Eight terms to the sums of a position.
    cdef vec l
    cdef int which
    eight_parts(terms, row, row_apart, j, j_apart, base, peak, count, form, far, bounded, kept, place, apart, high, &l)
    for which in range(HALVES):
        low[which] = low[which] + half(l, which)


cdef inline dvec sum_of_parts(vec high, dvec low, const Base *base, int which) noexcept nogil:
    # A position's sum; of float64 its first part.
    cdef dvec first = half(high - base.grid, which)
    return first + low if REAL_BITS == 32 else first


cdef inline void sum_one(const Terms *terms, Py_ssize_t n, const Base *start, Form form, bint far, bint bounded,
                         Kept *kept, const States *states) noexcept nogil:
    cdef vec high[SPREAD]
    cdef dvec low[SPREAD]
    cdef dvec joined[SPREAD]
    cdef Tail tail
    cdef Base own = start[0]    # in registers: what is stored cannot change it
    cdef const Base *base = &own
    cdef Terms row = terms[0]
    cdef Parts parts = parts_of(kept)
    cdef Py_ssize_t i = 0, j, k, stripe = TREE * WIDTH
    # What comes 4 KB later, or a block, or the rows in which peaks are looked for next.
    cdef const char *later = <const char *> terms.a + max(4096, max(n, terms.ahead) * <Py_ssize_t> sizeof(real))
    cdef int v
    row.b_inner = 1    # as in every row: no question for each vector
    for v in range(WIDTH // LANES):
        high[v] = base.grid
    for v in range(WIDTH // DLANES):
        low[v] = dsplat(0)
    while i < n:
        j = i
        if n - i < stripe:
            if form >= RAW:
                pad_exponents(terms, i, n - i, stripe, &tail)
                row = tail.terms
            else:    # field by field, for a copy of what was just written waits until that is in the cache
                pad(<const real *> terms.a + i, n - i, stripe, lane(base.bottom, 0) if bounded else <real> -INFINITY,
                    tail.a)
                row.a = tail.a
                for k in range((n - i + WIDTH - 1) // WIDTH):
                    prefetch(later + k * 64)
            if form == PAIRS:
                pad(<const real *> terms.lost + i, n - i, stripe, 0, tail.lost)
                row.lost = tail.lost
            if form == WEIGHED or form == NEAR:
                pad(<const real *> terms.b + i, n - i, stripe, 1, tail.b)
                row.b = tail.b
            if form == WEIGHED:
                pad(<const real *> terms.powers + i, n - i, stripe, 0, tail.powers)
                row.powers = tail.powers
            j = 0
        elif form == PLAIN or form == NEAR:    # one register for all addresses
            row.a = <const real *> terms.a + i
            if form == NEAR:
                row.b = <const real *> terms.b + i
            j = 0
            for k in range(TREE):
                prefetch(later + k * 64)
            later += stripe * sizeof(real)
        for v in range(WIDTH // LANES):
            add_eight(&row, 0, 0, j + v * LANES, WIDTH, base, NULL, TREE, form, far, bounded,
                      NULL if kept == NULL else &parts, i + v * LANES, WIDTH, high + v, low + v * HALVES)
        i += stripe
    for v in range(WIDTH // DLANES):
        joined[v] = sum_of_parts(high[v // HALVES], low[v], base, v % HALVES)
    keep_row(joined, low, low, low, WIDTH, REAL_BITS == 64, False, False, lane(base.power, 0), states, 0)


cdef inline void take_parts(const real *high, const double *low, Py_ssize_t place, vec *h, dvec *l) noexcept nogil:
    cdef int which
    h[0] = load(high + place)
    for which in range(HALVES):
        l[which] = dload(low + place + which * DLANES)


cdef inline void put_parts(real *high, double *low, Py_ssize_t place, vec h, const dvec *l) noexcept nogil:
    cdef int which
    store(high + place, h)
    for which in range(HALVES):
        dstore(low + place + which * DLANES, l[which])


cdef void clear_panel(real *high, double *low, Py_ssize_t width, const Base *bases) noexcept nogil:
    # The sums of all positions of a panel's columns, TILE apart, as add_eight has them.
    cdef dvec none[HALVES_BOUND]
    cdef Py_ssize_t v, p
    for p in range(HALVES):
        none[p] = dsplat(0)
    for v in range((width + LANES - 1) // LANES):
        for p in range(WIDTH):
            put_parts(high, low, p * TILE + v * LANES, bases[v].grid, none)


cdef void keep_panel(const real *high, const double *low, Py_ssize_t width, const Base *bases,
                     const States *states) noexcept nogil:
    cdef dvec joined[SPREAD]
    cdef dvec joined_low[SPREAD]
    cdef real powers[LANES_BOUND]
    cdef Py_ssize_t v, p, place
    cdef int which
    for v in range((width + LANES - 1) // LANES):
        store(powers, bases[v].power)
        for which in range(HALVES):
            place = v * LANES + which * DLANES
            for p in range(WIDTH):
                joined_low[p] = dload(low + p * TILE + place)
                joined[p] = sum_of_parts(load(high + p * TILE + v * LANES), joined_low[p], &bases[v], which)
            join(joined, joined_low, joined_low, joined_low, WIDTH, REAL_BITS == 64, False, False)
            keep_columns(states, column_of(v, LANES, width) + which * DLANES, load_double(powers + which * DLANES),
                         joined[0], joined_low[0] if REAL_BITS == 64 else dsplat(0), dsplat(0), dsplat(0))


cdef void sum_vector(const Terms *terms, Py_ssize_t n, Py_ssize_t j, const Base *base, const vec *peak,
                     const States *states) noexcept nogil:
    # One vector of columns that are far, or whose peak is apart: all its positions at once, in L1.
    cdef real high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef States here = from_place(states, j)
    cdef vec h
    cdef dvec l[HALVES_BOUND]
    cdef Py_ssize_t row, first = 0, p
    clear_panel(high, low, LANES, base)
    while first < n:
        for p in range(WIDTH):
            row = first + p
            if row >= n:
                break
            take_parts(high, low, p * TILE, &h, l)
            add_eight(terms, row, WIDTH, j, 0, base, peak, in_tree(n, row, WIDTH), RAW, True, False, NULL, 0, 0, &h, l)
            put_parts(high, low, p * TILE, h, l)
        first += TREE * WIDTH
    keep_panel(high, low, LANES, base, &here)


cdef inline void sum_vectors(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const Base *bases, const vec *peaks,
                             Form form, const Parts *parts, const States *states) noexcept nogil:
    # All vectors of a panel, stripe by stripe, for the same reason as in peaks_of_panel; no column is far.  Where there
    # are `peaks`, these are left out.  Where there are `parts`, these are kept, `step_of_room` from row to row.
    cdef real high[SPREAD * TILE]
    cdef double low[SPREAD * TILE]
    cdef vec h
    cdef dvec l[HALVES_BOUND]
    cdef Base base
    cdef vec one
    cdef const vec *peak = NULL if peaks == NULL else &one
    cdef Terms own = terms[0]
    cdef Py_ssize_t vectors = (width + LANES - 1) // LANES, first = 0, row, j, v, place
    cdef Py_ssize_t step = step_of_room(width, sizeof(real)), apart = WIDTH * step, keep
    cdef int count, which, p
    clear_panel(high, low, width, bases)
    while first < n:
        for v in range(vectors):
            j = column_of(v, LANES, width)
            base = bases[v]
            if peaks != NULL:
                one = peaks[v]
            for p in range(WIDTH):
                row = first + p
                if row >= n:
                    break
                place = p * TILE + v * LANES
                keep = row * step + j
                take_parts(high, low, place, &h, l)
                count = in_tree(n, row, WIDTH)
                if form == NEAR:
                    add_eight(&own, row, WIDTH, j, 0, &base, NULL, count, form, False, True, parts, keep, apart, &h, l)
                elif (form == RAW or not (REGISTER_TABLE or peaks != NULL)) and count == TREE:    # with one no faster
                    add_eight(&own, row, WIDTH, j, 0, &base, NULL, TREE, HERE if form == RAW else form, False, False,
                              parts, keep, apart, &h, l)
                else:
                    add_eight(&own, row, WIDTH, j, 0, &base, peak, count, form, False, False, parts, keep, apart, &h,
                              l)
                put_parts(high, low, place, h, l)
        first += TREE * WIDTH
    keep_panel(high, low, width, bases, states)


cdef inline void sum_short(const Terms *terms, Py_ssize_t n, Py_ssize_t j, const Base *start, Form form, bint far,
                           Kept *kept, Py_ssize_t ahead, vec *high, vec *low) noexcept nogil:
    # One vector of short columns; asks memory for the one `ahead` of it.  Simply in order: the few first parts have no
    # error, and the second ones are small.
    cdef vec x[TREE]
    cdef vec lost[TREE]
    cdef vec weights[2 * GROUP_BOUND]
    cdef vec l[GROUP_BOUND]
    cdef vec h = start.grid, rest = splat(0)
    cdef vec *w = weights if have_weights(form, far) else NULL
    cdef Base own = start[0]    # in registers, as in sum_one
    cdef const Base *base = &own
    cdef Terms columns = terms[0]
    cdef Parts parts = parts_of(kept)
    cdef const Parts *where = NULL if kept == NULL else &parts
    cdef Py_ssize_t row = 0
    cdef int s, group, first = 0, several = PAIRED if REGISTER_LOOKUP else 2
    while row < n:
        group = several if row + several <= n else 1
        if form < RAW:
            some_exponents(&columns, row, 1, j, 0, group, form, x, lost, weights)
        else:
            first = <int> row % TREE
            if first == 0:
                some_exponents(&columns, row, 1, j, 0, <int> min(n - row, TREE), form, x, lost, weights)
        if ahead > 0:
            for s in range(group):
                prefetch(<const real *> terms.a + (row + s) * terms.a_step + j + ahead)
        if group == several:
            some_parts(x + first, lost + first, weights_from(w, first), base, several, form, far, form == NEAR, where,
                       row * TILE + j, TILE, &h, l)
        else:
            some_parts(x + first, lost + first, weights_from(w, first), base, 1, form, far, form == NEAR, where,
                       row * TILE + j, TILE, &h, l)
        if group == 4:
            rest = rest + ((l[0] + l[1]) + (l[2] + l[3]))
        elif group == 2:
            rest = rest + (l[0] + l[1])
        else:
            rest = rest + l[0]
        row += group
    high[0] = h - base.grid
    low[0] = rest


cdef inline bint has_few(double total) noexcept nogil:
    # So little that terms beyond the end of double's range could count, which float has no use for.
    return REAL_BITS == 64 and total < 1e-280


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
    cdef vec w[2 * GROUP_BOUND]
    cdef vec x, y, lost
    cdef ivec top
    cdef Py_ssize_t i = 0, k, place
    lower.bottom = splat(-2000)
    for k in range(LANES):
        high[k] = rest[k] = 0
    while i < n:
        x = along_or_across(terms, n, i, j, along, &tail, &lost, w)
        top = (x == whole.peak) & (lost == whole.peak_low)
        y = pick(top, splat(<real> -INFINITY), difference(x, &lower, lower.bottom, False, True, &lost))
        if not all_set(y < splat(-790)):    # many terms below the smallest number may be one
            store(d, y)
            store(rounded, lost)
            for k in range(unknown(LANES)):    # rare: lest all are written out
                if d[k] < -790 or d[k] > -600:    # adds nothing, or to a sum that is no such one
                    continue
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


cdef real others_of_row(const real *a, Py_ssize_t n, vec peak, bint once, real *others) noexcept nogil:
    # All exponents, with -inf for the peak, to `others`, and the largest of them; or the peak, where it stands more
    # than once, unless it is known not to.  A copy costs less than to ask for the peak in a sum of its own.
    # (`once` is passed as unknown, for two functions for its two values would be larger than their question is long.)
    cdef vec nothing = splat(<real> -INFINITY), x, peaks = splat(0)
    cdef vec most[4]    # four chains, as in peak_of_row
    cdef real counts[LANES_BOUND]
    cdef real count = 0
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(4):
        most[k] = nothing
    while i + 4 * LANES <= n:
        for k in range(4):
            x = load(a + i + k * LANES)
            peaks = peaks + pick(x == peak, splat(1), splat(0))
            x = unless_peak(x, &peak)
            most[k] = at_least(most[k], x)
            store(others + i + k * LANES, x)
        i += 4 * LANES
    while i < n:
        x = load(a + i) if i + LANES <= n else load_some(a + i, n - i, <real> -INFINITY)
        peaks = peaks + pick(x == peak, splat(1), splat(0))
        x = unless_peak(x, &peak)
        most[0] = at_least(most[0], x)
        store(others + i, x)
        i += LANES
    store(counts, peaks)
    for k in range(0 if once else LANES):
        count += counts[k]
    return lane(peak, 0) if count > 1 else largest(at_least(at_least(most[0], most[1]), at_least(most[2], most[3])))


cdef vec largest_but(const Terms *terms, Py_ssize_t n, Py_ssize_t j, vec peak) noexcept nogil:
    # The same of a vector of columns.
    cdef const real *a = <const real *> terms.a + j
    cdef vec w[2 * GROUP_BOUND]
    cdef vec most[2]    # two chains, for a maximum has to wait for the last one
    cdef vec x, lost, peaks = splat(0)
    cdef Py_ssize_t row = 0
    cdef int s
    most[0] = most[1] = splat(<real> -INFINITY)
    while is_plain(terms) and row + 2 <= n:
        for s in range(2):
            x = load(a + (row + s) * terms.a_step)
            peaks = peaks + pick(x == peak, splat(1), splat(0))
            most[s] = at_least(most[s], unless_peak(x, &peak))
        row += 2
    while row < n:
        x = load(a + row * terms.a_step) if is_plain(terms) else exponent(terms, row, j, RAW, &lost, w)
        peaks = peaks + pick(x == peak, splat(1), splat(0))
        most[0] = at_least(most[0], unless_peak(x, &peak))
        row += 1
    return pick(peaks > splat(1), peak, at_least(most[0], most[1]))


cdef inline Base base_apart(const Base *base, vec peak, vec second) noexcept nogil:
    # Counts from a power of two next to the largest of all but the peak, lest these lose digits beside it.
    cdef Base lower = base[0]
    count_from(&lower, at_least(second - base.shift,
                                (peak - base.shift) - splat(<real> (400 if REAL_BITS == 32 else 2000))), False)
    return lower


cdef inline void at_power(double *high, double *low, Py_ssize_t k, const Base *base, const Base *lower,
                          int which) noexcept nogil:
    # Sums relative to 2^lower.power relative to 2^base.power.  Further down they are few_terms', and what is beside
    # them would be subnormal.
    cdef dvec power = dat_least(half(lower.power, which) - half(base.power, which), dsplat(-960))
    dstore(high + k, dscale(dload(high + k), power))
    dstore(low + k, dscale(dload(low + k), power))


cdef inline void bring_to_peak(const States *states, Py_ssize_t place, const Base *base, const Base *lower,
                               const Whole *whole) noexcept nogil:
    # Those sums relative to the peak.
    cdef dvec high, low, product, factor, factor_low
    cdef Py_ssize_t k
    cdef int which
    for which in range(HALVES):
        k = place + which * DLANES
        double_term(dsplat(0) - peak_over_power(base, whole, which), dsplat(0), dsplat(0), dsplat(0), False, True,
                    &factor, &factor_low)
        at_power(states.high, states.low, k, base, lower, which)
        high = dload(states.high + k)
        low = dload(states.low + k)
        product = high * factor
        low = low * factor + (high * factor_low - residual(product, high, factor))
        keep_columns(states, k, dsplat(0), product, low, dsplat(0), dsplat(0))


cdef void take_few(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint along, vec peak, vec peak_low,
                   Py_ssize_t count, const States *states) noexcept nogil:
    # By few_terms, the sums of the lanes that need it.
    cdef Base base
    cdef Whole whole
    cdef double remote[LANES_BOUND]
    cdef Py_ssize_t k
    cdef bint few = False
    for k in range(count):
        few = few or has_few(states.high[j + k])
    if not few:
        return
    base = base_of(peak, peak_low, True, False)
    whole.peak = peak
    whole.peak_low = peak_low
    few_terms(terms, n, j, along, &base, &whole, remote)
    for k in range(count):
        if has_few(states.high[j + k]):
            states.high[j + k] = remote[k]
            states.low[j + k] = 0


cdef void columns_apart(const Terms *terms, Py_ssize_t n, Py_ssize_t j, vec peak, vec peak_low,
                        const States *states) noexcept nogil:
    # All terms but the peak, relative to it, of one vector of columns.  Where others equal it, the sum is not what is
    # asked for.
    cdef Base base = base_of(peak, peak_low, False, False)
    cdef Base lower = base_apart(&base, peak, largest_but(terms, n, j, peak))
    cdef Whole whole
    whole.peak = peak
    whole.peak_low = peak_low
    sum_vector(terms, n, j, &lower, &peak, states)
    bring_to_peak(states, j, &base, &lower, &whole)
    take_few(terms, n, j, False, peak, peak_low, LANES, states)


cdef inline vec along_or_across(const Terms *terms, Py_ssize_t n, Py_ssize_t i, Py_ssize_t j, bint along, Tail *tail,
                                vec *lost, vec *w) noexcept nogil:
    # Exponents of a row from element i on, or of columns from j on in row i.
    if not along:
        return exponent(terms, i, j, RAW, lost, w)
    if n - i >= LANES:
        return exponent(terms, 0, i, RAW, lost, w)
    pad_exponents(terms, i, n - i, LANES, tail)
    return exponent(&tail.terms, 0, 0, RAW, lost, w)


cdef inline void higher(vec x, vec lost, vec *most, vec *beside) noexcept nogil:
    # The largest x + lost as such a pair; a NaN takes no place.
    cdef ivec more = (x > most[0]) | ((x == most[0]) & (lost > beside[0]))
    most[0] = pick(more, x, most[0])
    beside[0] = pick(more, lost, beside[0])


cdef inline bint are_below(const real *a, vec limit) noexcept nogil:
    # Four vectors, or NaN.
    return all_set(at_least(at_least(load(a), load(a + LANES)), at_least(load(a + 2 * LANES), load(a + 3 * LANES)))
                   < limit)


cdef inline void peak_of_row(const Terms *terms, Py_ssize_t n, bint coarse, Peak *peak) noexcept nogil:
    # Of prepared terms, and their least exponent.  `coarse`: without what rounding took from the peak, which need not
    # be the largest of equals then, and nothing about whether it is `alone`.
    cdef const real *a = <const real *> terms.a
    cdef const real *losses = <const real *> terms.lost
    cdef vec most[4]
    cdef vec fewest[4]
    cdef vec x, y, lost, beside = splat(<real> -INFINITY)
    cdef Py_ssize_t i = 0, k
    if terms.known != NULL:
        peak[0] = (<const Peak *> terms.known)[0]
        peak.low = 0
        peak.alone = False
        return
    for k in range(4):
        most[k] = splat(<real> -INFINITY)
        fewest[k] = splat(<real> INFINITY)
    while i + 4 * LANES <= n:    # four chains, for a maximum has to wait for the last one
        for k in range(4):
            x = load(a + i + k * LANES)
            most[k] = at_least(most[k], x)
            fewest[k] = at_most(fewest[k], x)
        i += 4 * LANES
    while i < n:
        x = load(a + i) if i + LANES <= n else load_some(a + i, n - i, a[0])
        most[0] = at_least(most[0], x)
        fewest[0] = at_most(fewest[0], x)
        i += LANES
    for k in range(1, 4):
        most[0] = at_least(most[0], most[k])
        fewest[0] = at_most(fewest[0], fewest[k])
    peak.least = -largest(splat(0) - fewest[0])
    peak.high = largest(most[0])
    peak.alone = False
    peak.low = 0
    x = splat(peak.high)
    if coarse:
        return
    if losses == NULL:
        # Of each place the largest is known, which takes no second maximum along a vector.
        peak.alone = all_set((most[0] == x) | (x - most[0] > splat(clearly_above())))
        return
    i = 0
    while i < n:
        while n >= 32 * LANES and i + 4 * LANES <= n and are_below(a + i, x):
            i += 4 * LANES
        if i >= n:
            break
        y = load(a + i) if i + LANES <= n else load_some(a + i, n - i, <real> NAN)
        lost = load(losses + i) if i + LANES <= n else load_some(losses + i, n - i, 0)
        beside = at_least(beside, pick(y == x, lost, splat(<real> -INFINITY)))
        i += LANES
    peak.low = largest(beside)


cdef void find_peak(const Terms *terms, Py_ssize_t n, Map map, Peak *peak) noexcept nogil:
    peak_of_row(terms, n, map != LOG_SOFTMAX, peak)


cdef inline void two_largest(vec x, vec *most, vec *next) noexcept nogil:
    next[0] = at_least(next[0], at_most(most[0], x))
    most[0] = at_least(most[0], x)


cdef inline void raise_plain_peak(const Terms *terms, Py_ssize_t first, Py_ssize_t end, Py_ssize_t j, vec *most,
                                  vec *next) noexcept nogil:
    # `next`: one of the largest of the others.
    cdef const real *a = <const real *> terms.a + j
    cdef vec chains[4]    # for a maximum has to wait for the last one
    cdef vec high = most[0], other = next[0]
    cdef Py_ssize_t row = first
    cdef int s
    if row + 4 <= end:
        for s in range(4):
            chains[s] = splat(<real> -INFINITY)
        while row + 4 <= end:
            for s in range(4):
                chains[s] = at_least(chains[s], load(a + (row + s) * terms.a_step))
            row += 4
        for s in range(4):
            two_largest(chains[s], &high, &other)
    while row < end:
        two_largest(load(a + row * terms.a_step), &high, &other)
        row += 1
    most[0] = high
    next[0] = other


cdef void raise_general_peak(const Terms *terms, Py_ssize_t first, Py_ssize_t end, Py_ssize_t j, bint coarse,
                             vec *most, vec *beside, vec *next) noexcept nogil:
    cdef vec x[TREE]
    cdef vec lost[TREE]
    cdef vec b[TREE]
    cdef vec y[TREE]    # apart, as in `prepare`
    cdef vec y_lost[TREE]
    cdef vec w[2 * GROUP_BOUND]
    cdef vec high = most[0], low = beside[0], other = next[0]    # in registers
    cdef Py_ssize_t row = first
    cdef bint fine = not (coarse or are_exact(terms))
    cdef int s, count
    while row < end and weigh_alone(terms):
        x[0] = weighed(terms, row, j, w)
        high = at_least(high, in_sum(x[0], w))
        row += 1
    while not fine and terms.b == NULL and row + TREE <= end:    # nothing is asked of `lost`, and it costs nothing
        exponents(terms, row, 1, j, 0, TREE, x, lost, b)
        for s in range(1, TREE):
            x[0] = at_least(x[0], x[s])
        two_largest(x[0], &high, &other)
        row += TREE
    while row < end:
        count = <int> min(end - row, TREE)
        some_exponents(terms, row, 1, j, 0, count, RAW, y, y_lost, w)
        for s in range(count):
            if terms.b != NULL:
                y[s] = in_sum(y[s], w + s)
            if fine:
                higher(y[s], y_lost[s], &high, &low)
            else:
                two_largest(y[s], &high, &other)
        row += count
    most[0] = high
    beside[0] = low
    next[0] = other


cdef inline void raise_peak(const Terms *terms, Py_ssize_t first, Py_ssize_t end, Py_ssize_t j, bint plain, bint coarse,
                            vec *most, vec *beside, vec *next) noexcept nogil:
    if plain:
        raise_plain_peak(terms, first, end, j, most, next)
    else:
        raise_general_peak(terms, first, end, j, coarse, most, beside, next)


cdef inline void peak_of_vector(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, bint coarse, vec *most,
                                vec *beside) noexcept nogil:
    cdef vec next = splat(<real> -INFINITY)
    most[0] = next
    beside[0] = splat(0)
    raise_peak(terms, 0, n, j, plain, coarse, most, beside, &next)


cdef void peaks_of_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint plain, bint coarse, vec *most,
                         vec *beside, vec *next) noexcept nogil:
    # `next` as in raise_plain_peak, unless there are weights or what rounding took is asked for.
    # Every row of a panel may lie in a page of memory of its own, and few pages are at hand at a time.
    cdef Py_ssize_t some = rows_in_turn(terms.a_step, width), first = 0, v, vectors = (width + LANES - 1) // LANES
    for v in range(vectors):
        most[v] = next[v] = splat(<real> -INFINITY)
        beside[v] = splat(0)
    while first < n:
        ask_for_rows(terms, n, first + some, 1, some, width, False)
        for v in range(vectors):
            raise_peak(terms, first, min(n, first + some), column_of(v, LANES, width), plain, coarse, most + v,
                       beside + v, next + v)
        first += some


cdef inline vec from_doubles(const double *p) noexcept nogil:
    return joined(dload(p), dload(p + (LANES - DLANES)))


cdef inline bint reach_of_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint zeros, const double *given,
                                vec *most) noexcept nogil:
    cdef Reach reaches[TILE]
    cdef Reach reach
    cdef Py_ssize_t some = rows_in_turn(terms.a_step, width), vectors = (width + LANES - 1) // LANES
    cdef Py_ssize_t first = 0, v, j, row
    cdef ivec near = splat(0) == splat(0)
    for v in range(vectors):
        start_reach(&reaches[v])
    while first < n:
        ask_for_rows(terms, n, first + some, 1, some, width, False)
        for v in range(vectors):
            j = column_of(v, LANES, width)
            reach = reaches[v]    # in registers
            for row in range(first, min(n, first + some)):
                extend(&reach, load(<const real *> terms.a + row * terms.a_step + j), weight_at(terms, row, j), zeros)
            reaches[v] = reach
        first += some
    for v in range(vectors):
        most[v] = reaches[v].most
        near = near & is_near(&reaches[v], from_doubles(given + column_of(v, LANES, width)) if given != NULL
                              else most[v], zeros)
    return all_set(near)


cdef bint is_panel_near(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const double *given,
                        vec *most) noexcept nogil:
    # is_row_near, column by column and in the order of peaks_of_panel.  False for what has no weights.
    return weigh_alone(terms) and (reach_of_panel(terms, n, width, False, given, most)
                                   or reach_of_panel(terms, n, width, True, given, most))


cdef inline Terms peaks_of_terms(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, vec *most,
                                 vec *beside, vec *next) noexcept nogil:
    # peaks_of_panel, and the terms, near or not.
    cdef Terms own = terms[0]
    cdef Py_ssize_t v
    own.near = is_panel_near(terms, n, width, NULL, most)
    if own.near:
        for v in range((width + LANES - 1) // LANES):
            beside[v] = splat(0)
    else:
        peaks_of_panel(terms, n, width, is_plain(terms), map != LOG_SOFTMAX, most, beside, next)
    return own


cdef void peak(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, double *target,
               double *target_low) noexcept nogil:
    cdef real high[LANES_BOUND]
    cdef real low[LANES_BOUND]
    cdef Peak found
    cdef vec most[TILE]
    cdef vec beside[TILE]
    cdef vec next[TILE]
    cdef bint plain = is_plain(terms)
    cdef Prepared room
    cdef Peak known
    cdef Terms own
    cdef Py_ssize_t j, v, k
    if width == 0:
        own = prepared(terms, n, NULL, &room, &known)
        find_peak(&own, n, map, &found)
        target[0] = found.high
        target_low[0] = found.low
        return
    peaks_of_panel(terms, n, width, plain, map != LOG_SOFTMAX, most, beside, next)
    for v in range((width + LANES - 1) // LANES):
        j = column_of(v, LANES, width)
        store(high, most[v])
        store(low, beside[v])
        for k in range(LANES):
            target[j + k] = high[k]
            target_low[j + k] = low[k]


# Prepared rows, at equal distances.  Few fields, each in a register.
cdef struct Several:
    const real *a
    const real *lost
    const real *m
    const real *powers
    const Peak *known
    Py_ssize_t step
    Py_ssize_t m_step
    bint near
    bint bypass


cdef struct Peaks:
    real high[LANES_BOUND]
    real low[LANES_BOUND]
    real least[LANES_BOUND]
    bint alone[LANES_BOUND]
    real second[LANES_BOUND]    # the largest but the peak, of rows whose others are added `apart`; else the peak
    bint apart[LANES_BOUND]


cdef inline Terms row_of(Several rows, Py_ssize_t k) noexcept nogil:
    cdef Terms row = plain_terms(rows.a + k * rows.step, 0)
    if rows.lost != NULL:
        row.lost = rows.lost + k * rows.step
    if rows.m != NULL:
        row.b = rows.m + k * rows.m_step
        row.powers = NULL if rows.near else rows.powers + k * rows.m_step
        row.known = rows.known + k
        row.near = rows.near
    row.bypass = rows.bypass
    return row


cdef void sum_far(const Terms *terms, Py_ssize_t n, const Base *base, const States *states) noexcept nogil:
    # The most general way.  A function of its own, for it is large.
    sum_one(terms, n, base, RAW, True, False, NULL, states)


cdef void sum_unbounded(const Terms *terms, Py_ssize_t n, const Base *base, Kept *kept,
                        const States *states) noexcept nogil:
    # A function of its own, for it is large; what keeps terms and what does not share it.
    sum_one(terms, n, base, PLAIN, False, False, kept, states)


cdef void sum_of_others(const Terms *row, Py_ssize_t n, const real *others, vec peak, vec peak_low, real second,
                        Base *lower, const States *states) noexcept nogil:
    # Of prepared terms, relative to 2^lower.power.
    cdef Terms own = row[0]
    cdef Base base = base_of(peak, peak_low, False, False)
    lower[0] = base_apart(&base, peak, splat(second))
    own.a = others
    if row.lost == NULL and not lower.far:
        sum_unbounded(&own, n, lower, NULL, states)
    else:
        sum_far(&own, n, lower, states)


cdef bint add_others(const Several *rows, Py_ssize_t n, Py_ssize_t count, const real *firsts, Peaks *peaks,
                     real *others, const States *states) noexcept nogil:
    # Of rows whose `firsts` are `dominated` or, where these are NULL, whose peaks stand out.  Of any?
    cdef Terms row
    cdef States here
    cdef Base lower
    cdef real second, high
    cdef bint some = False
    cdef Py_ssize_t k
    for k in range(unknown(<int> count)):    # else all rounds would be written out
        high = peaks.high[k]
        if not (peaks.alone[k] if firsts == NULL else firsts[k] < dominated(False)):
            continue
        row = row_of(rows[0], k)
        second = others_of_row(<const real *> row.a, n, splat(high), firsts != NULL, others)
        if firsts == NULL and not may_dominate(high, second):
            continue
        some = peaks.apart[k] = True
        peaks.second[k] = second
        here = from_place(states, k)
        sum_of_others(&row, n, others, splat(high), splat(peaks.low[k]), second, &lower, &here)
    return some


cdef void settle_others(const Several *rows, Py_ssize_t n, Py_ssize_t count, const Peaks *peaks, const Base *base,
                        const States *states, Whole *whole) noexcept nogil:
    # Of the rows whose others were added.
    cdef real marks[LANES_BOUND]
    cdef Base lower = base_apart(base, whole.peak, load(peaks.second))
    cdef Terms row
    cdef States here
    cdef Py_ssize_t k
    bring_to_peak(states, 0, base, &lower, whole)
    for k in range(count):
        if peaks.apart[k]:
            row = row_of(rows[0], k)
            here = from_place(states, k)
            take_few(&row, n, 0, True, splat(peaks.high[k]), splat(peaks.low[k]), 1, &here)
    for k in range(LANES):
        marks[k] = 0 if peaks.apart[k] else 1
    settle_rest(states, 0, load(marks), base, whole)


cdef inline bint may_dominate(real peak, real other) noexcept nogil:
    return peak - other > clearly_above()


cdef inline bint stands_out(const Terms *terms, Py_ssize_t n, const Peak *peak, const Base *base,
                            real *others, real *second) noexcept nogil:
    # Of a row of prepared terms; a peak that is there more than once does not.  If so, `others` are filled.
    if base.far or not peak.alone:
        return False
    second[0] = others_of_row(<const real *> terms.a, n, splat(peak.high), unknown(False), others)
    return may_dominate(peak.high, second[0])


cdef void row_apart(const Terms *terms, Py_ssize_t n, const real *others, vec peak, vec peak_low, real second,
                    const States *states) noexcept nogil:
    # The same of one row of prepared terms, dominated or not.
    cdef double memory[NUMBERS * LANES_BOUND]
    cdef States here = states_in(memory, LANES_BOUND)
    cdef Base lower, base = base_of(peak, peak_low, False, False)
    cdef Whole whole
    cdef Py_ssize_t k
    whole.peak = peak
    whole.peak_low = peak_low
    for k in range(LANES):    # no NaN
        here.high[k] = here.low[k] = 0
    sum_of_others(terms, n, others, peak, peak_low, second, &lower, &here)
    bring_to_peak(&here, 0, &base, &lower, &whole)
    take_few(terms, n, 0, True, peak, peak_low, 1, &here)
    keep(states, 0, 0, here.high[0], here.low[0], 0, 0)


cdef void sum_pairs(const Terms *terms, Py_ssize_t n, const Base *base, Kept *kept,
                    const States *states) noexcept nogil:
    # A function of its own, for it is large.
    if terms.near:
        sum_one(terms, n, base, NEAR, False, True, kept, states)
    elif terms.powers != NULL:
        sum_one(terms, n, base, WEIGHED, False, False, kept, states)
    elif REAL_BITS == 32 and is_bounded(base):    # of double it saves nothing
        sum_one(terms, n, base, PAIRS, False, True, kept, states)
    else:
        sum_one(terms, n, base, PAIRS, False, False, kept, states)


cdef inline Kept *kept_of(const Terms *terms, Kept *apart) noexcept nogil:
    # Where a row's terms are kept: of prepared exponents and what rounding took from them in the place of these, so
    # that more of it all stays in the L1 cache (both structs begin alike).  NULL: nowhere.
    return <Kept *> terms.a if apart != NULL and (terms.lost != NULL or terms.powers != NULL) else apart


cdef inline void sum_near(const Terms *terms, Py_ssize_t n, const Base *base, Kept *kept,
                          const States *states) noexcept nogil:
    # Of prepared terms that are not far.  Combinations of constants that matter are loops of their own.
    if terms.lost != NULL or terms.powers != NULL or terms.near:
        sum_pairs(terms, n, base, kept_of(terms, kept), states)
    elif is_bounded(base):
        sum_one(terms, n, base, PLAIN, False, True, kept, states)
    else:
        sum_unbounded(terms, n, base, kept, states)


cdef inline bint are_several(const Terms *terms) noexcept nogil:
    # Weights beside exponents that are pairs: rare, so for these there is the most general way alone.
    return terms.powers != NULL and terms.lost != NULL


cdef void sum_of_row(const Terms *terms, Py_ssize_t n, const Base *base, const States *states) noexcept nogil:
    if base.far or are_several(terms):
        sum_far(terms, n, base, states)
    else:
        sum_near(terms, n, base, NULL, states)


cdef void sum_of_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint plain, const Base *bases,
                       const vec *peaks, const Parts *parts, const States *states) noexcept nogil:
    # Without what equals the `peaks`, unless they are NULL.
    cdef Py_ssize_t v
    if terms.near:
        sum_vectors(terms, n, width, bases, NULL, NEAR, parts, states)
        return
    if plain and peaks != NULL:
        sum_vectors(terms, n, width, bases, peaks, PLAIN, NULL, states)
    elif plain and parts == NULL:    # a loop of its own: the question costs up to 30 %
        sum_vectors(terms, n, width, bases, NULL, PLAIN, NULL, states)
    elif plain:
        sum_vectors(terms, n, width, bases, NULL, PLAIN, parts, states)
    elif terms.b == NULL and peaks == NULL:
        sum_vectors(terms, n, width, bases, NULL, RAW, parts, states)
    for v in range((width + LANES - 1) // LANES):
        if bases[v].far or terms.b != NULL or (peaks != NULL and not plain):
            sum_vector(terms, n, column_of(v, LANES, width), &bases[v], NULL if peaks == NULL else &peaks[v], states)


# The columns of a panel whose peaks stand out: of these all others are added, of the others all.
cdef struct Outstanding:
    vec marks[TILE]    # 1 for these
    vec peaks[TILE]    # NaN for the others
    Base bases[TILE]


cdef bint find_outstanding(const Terms *terms, Py_ssize_t n, Py_ssize_t width, const vec *most, const vec *next,
                           const Base *bases, Outstanding *out) noexcept nogil:
    # Any?  `next` as in peaks_of_panel.
    cdef Py_ssize_t v, vectors = (width + LANES - 1) // LANES
    cdef vec second, peak, zero = splat(0)
    cdef ivec where
    cdef Base lower
    cdef bint some = False
    if terms.b != NULL or not are_exact(terms):
        return False
    for v in range(vectors):
        # No column that is far: what lies beside one is not.
        peak = pick(magnitude(most[v]) < splat(largest_near()), most[v], splat(<real> NAN))
        out.marks[v] = zero
        out.peaks[v] = splat(<real> NAN)
        out.bases[v] = bases[v]
        if all_set(pick(peak - next[v] > splat(clearly_above()), splat(1), zero) == zero):
            continue
        second = largest_but(terms, n, column_of(v, LANES, width), peak)
        where = peak - second > splat(clearly_above())
        lower = base_apart(&bases[v], peak, second)
        out.marks[v] = pick(where, splat(1), zero)
        out.peaks[v] = pick(where, peak, out.peaks[v])
        out.bases[v].power = pick(where, lower.power, bases[v].power)
        out.bases[v].steps = pick(where, lower.steps, bases[v].steps)
        out.bases[v].bottom = pick(where, lower.bottom, bases[v].bottom)
        some = some or not all_set(out.marks[v] == zero)
    return some


cdef void part_sums(const States *states, Py_ssize_t place, vec marks, const States *apart,
                    const States *others) noexcept nogil:
    # Sums of outstanding columns and those of others: NaN, or 4, which is not `dominated`, for those that are not so.
    # (The states stay, for the last vector repeats some columns.)
    cdef dvec out, high, low
    cdef Py_ssize_t k
    cdef int which
    for which in range(HALVES):
        k = place + which * DLANES
        out = half(marks, which)
        high = dload(states.high + k)
        low = dload(states.low + k)
        dstore(apart.high + k, dpick(out > dsplat(0), high, dsplat(NAN)))
        dstore(apart.low + k, low)
        dstore(others.high + k, dpick(out > dsplat(0), dsplat(4), high))
        dstore(others.low + k, low)


cdef inline bint are_pairs(const Terms *terms) noexcept nogil:
    # Must short columns be brought before they are summed?
    return terms.b == NULL and not is_plain(terms)


cdef void bring_pairs(const Terms *terms, Py_ssize_t n, Py_ssize_t j, Kept *kept, vec *most) noexcept nogil:
    # The exponents of a vector of short columns, to where their terms will be, and the largest.
    cdef vec x[TREE]
    cdef vec lost[TREE]
    cdef vec b[TREE]
    cdef vec high = splat(<real> -INFINITY)
    cdef Py_ssize_t row = 0
    cdef int s, count
    while row < n:
        count = TREE if row + TREE <= n else 1
        if count == TREE:
            exponent_pairs(terms, row, 1, j, 0, TREE, x, lost, b)
        else:
            exponent_pairs(terms, row, 1, j, 0, 1, x, lost, b)
        for s in range(count):
            high = at_least(high, x[s])
            store(kept.t + (row + s) * TILE + j, x[s])
            store(kept.q + (row + s) * TILE + j, lost[s])
        row += count
    most[0] = high


cdef void short_of_pairs(Py_ssize_t n, Py_ssize_t j, const Base *base, Kept *kept, vec *high, vec *low) noexcept nogil:
    # Of what was brought.
    cdef Terms pairs = plain_terms(kept.t, TILE)
    pairs.lost = kept.q
    sum_short(&pairs, n, j, base, PAIRS, False, kept, 0, high, low)


cdef void short_of_vector(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, const Base *base,
                          Py_ssize_t ahead, Kept *kept) noexcept nogil:
    # What `are_pairs` was brought.
    cdef vec high, low, total
    if terms.near:
        sum_short(terms, n, j, base, NEAR, False, kept, ahead, &high, &low)
    elif base.far or terms.b != NULL:
        sum_short(terms, n, j, base, RAW, True, kept, ahead, &high, &low)
    elif plain and n == 4:
        sum_short(terms, 4, j, base, PLAIN, False, kept, ahead, &high, &low)
    elif plain:
        sum_short(terms, n, j, base, PLAIN, False, kept, ahead, &high, &low)
    else:
        short_of_pairs(n, j, base, kept, &high, &low)
    total = high + low
    kept.total = total
    kept.rest = (high - total) + low


cdef void states_of_short(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, const Base *base,
                          const States *states) noexcept nogil:
    cdef Kept kept
    cdef vec most
    if are_pairs(terms) and not base.far:
        bring_pairs(terms, n, j, &kept, &most)
    short_of_vector(terms, n, j, plain, base, 0, &kept)
    to_doubles(kept.total, states.high + j)
    to_doubles(kept.rest, states.low + j)
    to_doubles(base.power, states.shift + j)


cdef void sum(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, const double *peak, bint short, bint apart,
              const States *states) noexcept nogil:
    cdef Base base
    cdef Base bases[TILE]
    cdef Whole whole
    cdef Whole wholes[TILE]
    cdef vec most, beside
    cdef Prepared room
    cdef Peak known
    cdef Terms own
    cdef real others[2 * BLOCK_DOUBLES]
    cdef real second
    cdef Py_ssize_t v, j
    if width == 0:
        own = prepared(terms, n, peak, &room, &known)
        most = splat(<real> peak[0])
        beside = splat(<real> peak[TILE])
        base = base_of(most, beside, False, False)
        if apart:
            second = others_of_row(<const real *> own.a, n, most, unknown(True), others)
            row_apart(&own, n, others, most, beside, second, states)
        else:
            sum_of_row(&own, n, &base, states)
        if short and map == LOG_SOFTMAX:
            whole.peak = most
            whole.peak_low = beside
            if settle_logs(states, 0, True, False, False, &base, &whole):
                second = others_of_row(<const real *> own.a, n, most, unknown(True), others)
                row_apart(&own, n, others, most, beside, second, states)
                settle_logs(states, 0, True, False, True, &base, &whole)
            states.high[0] = lane(whole.first, 0)
            states.low[0] = lane(whole.second, 0)
        return
    if short and not apart and map == LOG_SOFTMAX:
        logs_of_short(terms, n, width, is_plain(terms), 0, wholes)
    for v in range((width + LANES - 1) // LANES):
        j = column_of(v, LANES, width)
        most = from_doubles(peak + j)
        beside = from_doubles(peak + TILE + j)
        base = base_of(most, beside, False, False)
        bases[v] = base
        if apart:
            columns_apart(terms, n, j, most, beside, states)
        elif short and map == LOG_SOFTMAX:
            to_doubles(wholes[v].first, states.high + j)
            to_doubles(wholes[v].second, states.low + j)
        elif short:
            states_of_short(terms, n, j, is_plain(terms), &base, states)
    if not apart and not short:
        sum_of_panel(terms, n, width, is_plain(terms), bases, NULL, NULL, states)


cdef inline void keep_peak(const States *states, Py_ssize_t place, double peak, double peak_low,
                           double power) noexcept nogil:
    states.shift[place] = peak
    states.rest[place] = peak_low
    states.size[place] = power
    if peak == -INFINITY and states.high[place] == states.high[place]:    # nothing, and no NaN among it
        states.high[place] = states.low[place] = 0
    elif not fabs(peak) < largest_near():
        states.size[place] = NAN


cdef void beside_peak(const States *states, const States *apart, Py_ssize_t place, const Base *base,
                      const Base *lower, const Whole *whole, vec marks) noexcept nogil:
    # From sums `apart` of all but the peak, relative to 2^lower.power: these relative to 2^base.power, and with the
    # peak, which two sums in double hold better than one look at all terms; both where the peak stands out.
    cdef dvec high, low, peak, peak_low, total, more, out
    cdef Py_ssize_t k
    cdef int which
    for which in range(HALVES):
        k = place + which * DLANES
        out = half(marks, which)
        at_power(apart.high, apart.low, k, base, lower, which)
        high = dload(apart.high + k)
        low = dload(apart.low + k)
        double_term(peak_over_power(base, whole, which), dsplat(0), dsplat(0), dsplat(0), False, True, &peak, &peak_low)
        two_sum(peak, high, &total, &more)
        more = more + (peak_low + low)
        dstore(states.high + k, dpick(out > dsplat(0), total, dload(states.high + k)))
        dstore(states.low + k, dpick(out > dsplat(0), more, dload(states.low + k)))
        dstore(states.apart + k, dpick(out > dsplat(0), high, dsplat(NAN)))
        dstore(states.apart_low + k, low)


cdef void row_beside_peak(const Terms *terms, Py_ssize_t n, const real *others, const Peak *peak, real second,
                          const Base *base, const States *states) noexcept nogil:
    # The same of one row, whose peak stands out.
    cdef double memory[2 * NUMBERS * LANES_BOUND]
    cdef States whole_sum = states_in(memory, LANES_BOUND)
    cdef States apart = states_in(memory + NUMBERS * LANES_BOUND, LANES_BOUND)
    cdef Base lower
    cdef Whole whole
    cdef Py_ssize_t k
    whole.peak = splat(peak.high)
    whole.peak_low = splat(peak.low)
    for k in range(LANES):    # no NaN
        apart.high[k] = apart.low[k] = whole_sum.high[k] = whole_sum.low[k] = 0
    sum_of_others(terms, n, others, whole.peak, whole.peak_low, second, &lower, &apart)
    beside_peak(&whole_sum, &apart, 0, base, &lower, &whole, splat(1))
    keep(states, 0, 0, whole_sum.high[0], whole_sum.low[0], 0, 0)
    states.apart[0] = whole_sum.apart[0]
    states.apart_low[0] = whole_sum.apart_low[0]


cdef void peak_and_sum(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map,
                       const States *states) noexcept nogil:
    cdef bint plain = is_plain(terms)
    cdef vec most[TILE]
    cdef vec beside[TILE]
    cdef vec next[TILE]
    cdef Base bases[TILE]
    cdef Prepared room
    cdef Peak known
    cdef Terms own
    cdef real others[2 * BLOCK_DOUBLES]
    cdef real second
    cdef bint near, some
    cdef Outstanding out
    cdef Whole whole
    cdef double memory[NUMBERS * TILE]
    cdef double memory_apart[NUMBERS * TILE]
    cdef States sums = states_in(memory, TILE)
    cdef States apart = states_in(memory_apart, TILE)
    cdef double peaks[TILE]
    cdef double lows[TILE]
    cdef double powers[TILE]
    cdef Peak found
    cdef Py_ssize_t v, j
    if width == 0:
        own = prepared(terms, n, NULL, &room, &known)
        find_peak(&own, n, map, &found)
        near = fabs(found.high) < largest_near()
        bases[0] = base_of(splat(found.high if near else 0), splat(found.low), False, False)
        bases[0].least = splat(found.least)
        if map == LOG_SOFTMAX and near and stands_out(&own, n, &found, &bases[0], others, &second):
            row_beside_peak(&own, n, others, &found, second, &bases[0], states)
        else:
            sum_of_row(&own, n, &bases[0], states)
            states.apart[0] = states.apart_low[0] = NAN
        keep_peak(states, 0, found.high, found.low, lane(bases[0].power, 0))
        return
    own = peaks_of_terms(terms, n, width, map, most, beside, next)
    for v in range((width + LANES - 1) // LANES):
        # What is far, or nothing, is not to be used, or 0; what lies beside it should not be taken for far.
        bases[v] = base_of(pick(magnitude(most[v]) < splat(largest_near()), most[v], splat(0)), beside[v], False, False)
        j = column_of(v, LANES, width)
        to_doubles(most[v], peaks + j)
        to_doubles(beside[v], lows + j)
        to_doubles(bases[v].power, powers + j)
    some = map == LOG_SOFTMAX and find_outstanding(terms, n, width, most, next, bases, &out)
    sum_of_panel(&own, n, width, plain, &out.bases[0] if some else &bases[0], &out.peaks[0] if some else NULL, NULL,
                 &sums if some else states)
    for v in range((width + LANES - 1) // LANES if map == LOG_SOFTMAX else 0):
        j = column_of(v, LANES, width)
        if not some:
            to_doubles(splat(<real> NAN), states.apart + j)
            continue
        whole.peak = most[v]
        whole.peak_low = splat(0)
        part_sums(&sums, j, out.marks[v], &apart, states)
        beside_peak(states, &apart, j, &bases[v], &out.bases[v], &whole, out.marks[v])
    for j in range(width):
        keep_peak(states, j, peaks[j], lows[j], powers[j])


# --- log_softmax of short columns: the peak, and the rest

cdef inline void one_or_two_more(const vec *x, int count, real *rest, vec *peak, vec *second) noexcept nogil:
    # The peak has to wait for the last one: so two at a time.  at_most and at_least answer their first operand where
    # one is NaN, which therefore ends in the peak or in the rest.
    cdef vec high = x[0], low, less
    if count > 1:
        high = at_least(x[0], x[1])
        low = at_most(x[1], x[0])
        store(rest + LANES, low)
    less = at_most(high, peak[0])
    store(rest, less)
    second[0] = at_least(second[0], at_least(less, low) if count > 1 else less)
    peak[0] = at_least(peak[0], high)


cdef inline void one_and_rest(const Terms *terms, Py_ssize_t n, Py_ssize_t j, Py_ssize_t ahead, real *rest, vec *peak,
                              vec *second) noexcept nogil:
    # The largest of each column, and the n - 1 others, in an order of their own.
    cdef const real *a = <const real *> terms.a + j
    cdef vec x[2]
    cdef Py_ssize_t row = 1
    cdef int s, count
    second[0] = splat(<real> -INFINITY)
    peak[0] = load(a)
    if ahead > 0:
        prefetch(a + ahead)
    while row < n:
        count = 2 if row + 2 <= n else 1
        for s in range(count):
            x[s] = load(a + (row + s) * terms.a_step)
        if count == 2:
            one_or_two_more(x, 2, rest + (row - 1) * LANES, peak, second)
        else:
            one_or_two_more(x, 1, rest + (row - 1) * LANES, peak, second)
        if ahead > 0:
            for s in range(count):
                prefetch(a + (row + s) * terms.a_step + ahead)
        row += count


cdef inline void larger_first(vec *x, vec *low, vec *y, vec *y_low) noexcept nogil:
    # The larger of two pairs first; a NaN is larger than nothing, and nothing is larger than it.
    cdef ivec more = y[0] > x[0]
    cdef vec less = pick(more, x[0], y[0]), less_low = pick(more, low[0], y_low[0])
    x[0] = pick(more, y[0], x[0])
    low[0] = pick(more, y_low[0], low[0])
    y[0] = less
    y_low[0] = less_low


cdef inline void pair_and_rest(const Terms *terms, Py_ssize_t n, Py_ssize_t j, Kept *kept, vec *peak, vec *peak_low,
                               vec *second) noexcept nogil:
    # The same of pairs, in the same order; the others to where their terms will be.
    cdef vec x[2]
    cdef vec low[2]
    cdef vec unused
    cdef real *t = kept.t + j
    cdef real *q = kept.q + j
    cdef Py_ssize_t row = 1
    cdef int s, count
    bring_pairs(terms, n, j, kept, &unused)
    peak[0] = load(t)
    peak_low[0] = load(q)
    second[0] = splat(<real> -INFINITY)
    while row < n:
        count = 2 if row + 2 <= n else 1
        for s in range(count):
            x[s] = load(t + (row + s) * TILE)
            low[s] = load(q + (row + s) * TILE)
        if count == 2:
            larger_first(x, low, x + 1, low + 1)
        larger_first(peak, peak_low, x, low)
        for s in range(count):
            second[0] = at_least(second[0], x[s])
            store(t + (row + s - 1) * TILE, x[s])
            store(q + (row + s - 1) * TILE, low[s])
        row += count


cdef inline void log_of_rest(vec power, vec high, vec low, bint exact, Whole *whole) noexcept nogil:
    # first + second = log(1 + rest / exp(peak)), for a rest of (high + low) 2^power.
    cdef Powers powers = powers_of_two()
    cdef vec t, q, k, z, y, total, error, tail, rest, rest_low, limit, zero = splat(0)
    cdef ivec ample, close
    cdef dvec firsts[HALVES_BOUND]
    cdef dvec seconds[HALVES_BOUND]
    cdef dvec sum, more
    cdef int which
    table_power(splat(0) - whole.peak, splat(0) - whole.peak_low, NULL, exact, splat(WHOLE_STEPS), False, False, NULL,
                &powers, &t, &q, &k, &z)
    y = high * t
    low = low * t
    low = ((y + low) * q + low) - vresidual(y, high, t)
    total = y + low
    rest = rounded_at(total, k, splat(0) - power)
    rest_low = low = rounded_at((y - total) + low, k, splat(0) - power)
    vtwo_sum(splat(1), rest, &y, &error)
    low = error + low
    # Next to 0 the last bit of 1 + rest is too coarse to start from; the series there is right to 2^-26 (double 2^-56).
    limit = splat(<real> (0.0625 if REAL_BITS == 32 else 0.001953125))
    close = rest < limit
    # Of double what logs_near drops is a quarter of an ulp of log(1.25); nearer to 0 it would be more.
    ample = y >= splat(<real> (1 if REAL_BITS == 32 else 1.25))
    whole.first = whole.second = zero
    if has_logs_near() and (REAL_BITS == 32 or not all_set(y < splat(1.25))):
        high = y
        tail = low
        logs_near(&high, &tail, &zero, 1, False)
        whole.first = high + tail
        whole.second = (high - whole.first) + tail
    if not has_logs_near() or (REAL_BITS == 64 and not all_set(ample | close)):
        for which in range(HALVES):
            two_sum(half(y, which), half(low, which), &sum, &more)
            if REAL_BITS == 32:
                sum = log_coarse(sum, dsplat(0))
            else:
                sum = log_pair(sum, more, dsplat(0))
            firsts[which] = as_float(sum)
            seconds[which] = sum - firsts[which]
        if has_logs_near():
            whole.first = pick(ample, whole.first, joined(firsts[0], firsts[0]))
            whole.second = pick(ample, whole.second, joined(seconds[0], seconds[0]))
        else:
            whole.first = joined(firsts[0], firsts[HALVES - 1])
            whole.second = joined(seconds[0], seconds[HALVES - 1])
    if all_set(rest >= limit):
        return
    # log(1 + z) = z - z^2 / 2 + ... - z^6 / 6
    tail = splat(<real> 0.20000000000000001) - rest * splat(<real> 0.16666666666666666)
    tail = splat(<real> 0.33333333333333331) - rest * (splat(0.25) - rest * tail)
    tail = rest_low - (rest * rest) * (splat(0.5) - rest * tail)
    high = rest + tail
    whole.first = pick(close, high, whole.first)
    whole.second = pick(close, (rest - high) + tail, whole.second)


cdef inline ivec sum_of_rest(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, Py_ssize_t ahead, vec *power,
                             vec *high, vec *low, Whole *whole, bint *nothing) noexcept nogil:
    # (high + low) 2^power, with which what a peak's share lacks of 1 is known to all its digits.  Not for lanes whose
    # peak is far.  `nothing`: may there be lanes without anything?  Their peak is NaN.
    cdef real rest[SHORT_ROW * LANES_BOUND]
    cdef Kept kept
    cdef Terms others = plain_terms(rest, LANES)
    cdef real apart = 110 if REAL_BITS == 32 else 760    # what lies so far below is 0 even among subnormal numbers
    cdef vec second, zero = splat(0)
    cdef Base base
    cdef ivec usual, alone
    cdef bint all_usual
    if plain:
        one_and_rest(terms, n, j, ahead, rest, &whole.peak, &second)
        whole.peak_low = zero
    else:
        pair_and_rest(terms, n, j, &kept, &whole.peak, &whole.peak_low, &second)
    usual = (whole.peak - second < splat(apart)) & (magnitude(whole.peak) < splat(largest_near() - apart))
    base = base_of(pick(usual, second, zero), zero, False, False)
    all_usual = all_set(usual)
    if not all_usual:
        alone = (second == splat(<real> -INFINITY)) | (whole.peak - second >= splat(apart))
        usual = usual | (alone & (magnitude(unless_nothing(whole.peak)) < splat(largest_near() - apart)))
        base = base_of(pick(usual, pick(alone, unless_nothing(whole.peak), second), zero), zero, False, False)
        whole.peak = nan_for_nothing(whole.peak, whole.peak)
        nothing[0] = nothing[0] or not all_set(whole.peak == whole.peak)
    power[0] = base.power
    if plain:
        sum_short(&others, n - 1, 0, &base, PLAIN, False, NULL, 0, high, low)
    else:
        short_of_pairs(n - 1, j, &base, &kept, high, low)
    usual = usual & (high[0] + low[0] < splat(<real> INFINITY))
    if not all_usual:
        high[0] = pick(alone, zero, high[0])
        low[0] = pick(alone, zero, low[0])
    return usual


cdef ivec sum_of_general_rest(const Terms *terms, Py_ssize_t n, Py_ssize_t j, vec *power, vec *high, vec *low,
                              Whole *whole, bint *nothing) noexcept nogil:
    # A function of its own, for it is large.
    return sum_of_rest(terms, n, j, False, 0, power, high, low, whole, nothing)


cdef ivec logs_of_vector(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint plain, ivec usual,
                         Whole *whole) noexcept nogil:
    # For the lanes that are not usual.  Which are not special?
    cdef double memory[NUMBERS * TILE]
    cdef States states = states_in(memory, TILE)
    cdef Base base
    cdef Whole other
    peak_of_vector(terms, n, j, plain, False, &other.peak, &other.peak_low)
    other.power = splat(0)
    base = base_of(other.peak, other.peak_low, True, False)
    states_of_short(terms, n, j, plain, &base, &states)
    if settle_logs(&states, j, False, True, False, &base, &other):
        columns_apart(terms, n, j, other.peak, other.peak_low, &states)
        settle_logs(&states, j, False, True, True, &base, &other)
    whole.peak = nan_for_nothing(other.peak, other.peak)
    whole.peak_low = pick(usual, whole.peak_low, other.peak_low)
    whole.first = pick(usual, whole.first, other.first)
    whole.second = pick(usual, whole.second, other.second)
    return usual | ((other.peak - other.peak == splat(0)) & (other.first - other.first == splat(0)))


cdef Answers logs_of_short(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint plain, Py_ssize_t ahead,
                           Whole *wholes) noexcept nogil:
    # `first` and `second` of short columns; asks memory for what lies `ahead`.  Step by step, as in shares_of_columns.
    cdef vec power[TILE]
    cdef vec high[TILE]
    cdef vec low[TILE]
    cdef ivec usual[TILE]
    cdef ivec fine = splat(0) == splat(0)
    cdef bint nothing = False
    cdef Py_ssize_t v, vectors = (width + LANES - 1) // LANES
    for v in range(vectors):
        if plain:
            usual[v] = sum_of_rest(terms, n, column_of(v, LANES, width), True, ahead, power + v, high + v, low + v,
                                   wholes + v, &nothing)
        else:
            usual[v] = sum_of_general_rest(terms, n, column_of(v, LANES, width), power + v, high + v, low + v,
                                           wholes + v, &nothing)
    for v in range(vectors):
        if plain:
            log_of_rest(power[v], high[v], low[v], True, wholes + v)
        else:
            log_of_rest(power[v], high[v], low[v], False, wholes + v)
        if not all_set(usual[v]):
            fine = fine & logs_of_vector(terms, n, column_of(v, LANES, width), plain, usual[v], wholes + v)
    if not all_set(fine):
        return REFUSED
    return WITH_NOTHING if nothing else WRITTEN


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
    # 2^-29 (double 2^-55) alone, in short columns those of the grid.
    if short:
        return 0.0009765625 if REAL_BITS == 32 else 1.4551915228366852e-11    # 2^-10, 2^-36
    return 0.125 if REAL_BITS == 32 else 0.25


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


cdef inline bint is_long(Map map) noexcept nogil:
    return REGISTER_TABLE and map == LONG_SOFTMAX


cdef void settle_long(const States *states, Py_ssize_t place, const Base *base, Whole *whole) noexcept nogil:
    # log(sum) = ln2 power - second, with `power` a multiple of 1/16 and |second| <= ln2/32, to 2^-59 (float 2^-30).
    cdef dvec totals[HALVES_BOUND]
    cdef dvec seconds[HALVES_BOUND]
    cdef dvec powers[HALVES_BOUND]
    cdef dvec high, low, z, inverse, product
    cdef Py_ssize_t k
    cdef int which
    for which in range(HALVES):
        k = place + which * DLANES
        high = dload(states.high + k) + dload(states.low + k)
        low = (dload(states.high + k) - high) + dload(states.low + k)
        totals[which] = high
        z = dsplat(DOUBLE_ROUNDING) - log_coarse(high, dsplat(0)) * dsplat(1.4426950408889634)
        powers[which] = dsplat(DOUBLE_ROUNDING) - z
        inverse = lookup(SIXTEENTHS, z)
        product = high * inverse
        low = (high * lookup(SIXTEENTHS_LOW, z) - residual(product, high, inverse)) + low * inverse
        z = dsplat(0) - powers[which]
        seconds[which] = dsplat(0) - log_pair(dscale(product, z), dscale(low, z), dsplat(0))
    whole.first = joined(totals[0], totals[HALVES - 1])
    whole.second = joined(seconds[0], seconds[HALVES - 1])
    whole.power = base.power + joined(powers[0], powers[HALVES - 1])


cdef inline dvec doubles(const double *p, bint alone) noexcept nogil:
    return dsplat(p[0]) if alone else dload(p)


cdef bint settle_logs(const States *states, Py_ssize_t place, bint alone, bint short, bint apart, const Base *base,
                      Whole *whole) noexcept nogil:
    # True if the rest has to be added apart for some lane.  `apart`: it was, and counts in these lanes alone, and not
    # where it is NaN.
    cdef dvec firsts[HALVES_BOUND]
    cdef dvec seconds[HALVES_BOUND]
    cdef dvec high, low, total, more, value, old
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
            two_sum(dsplat(1), high, &total, &more)    # a peak that is not alone leaves nothing poor
            value = log_pair(total, more + low, dsplat(0))
            more = high + (low - (high * high) * (dsplat(0.5) - high * dsplat(0.33333333333333331)))
            value = dpick(high < dsplat(3.814697265625e-06), more, value)    # as in log_of_rest
            value = dpick((old < dsplat(dominated(short))) & (high == high), value, old)
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


cdef void settle_rest(const States *states, Py_ssize_t place, vec marks, const Base *base, Whole *whole) noexcept nogil:
    # settle_logs with sums of the rest, which count where the marks are 0, however large, and as ever where they are 1.
    whole.first = whole.first * marks
    whole.second = whole.second * marks
    settle_logs(states, place, False, False, True, base, whole)


cdef bint settle_apart(const States *states, Py_ssize_t place, bint added, const Base *base,
                       Whole *whole) noexcept nogil:
    # With the sums of the rest that came from peak_and_sum or, `added`, with those that were added where there were
    # none, and should be.  True if there are such lanes.
    cdef double memory[NUMBERS * LANES_BOUND]
    cdef States here = states_in(memory, LANES_BOUND)
    cdef double marks[LANES_BOUND]
    cdef dvec sum, known
    cdef Py_ssize_t k
    cdef int which
    cdef bint poor = False
    for which in range(HALVES):
        k = which * DLANES
        sum = dload(states.apart + place + k)
        known = dload(states.apart_low + place + k)
        if added:
            known = dload(states.low + place + k)
            sum = dpick(sum == sum, dsplat(NAN), dload(states.high + place + k))
        dstore(here.high + k, sum)
        dstore(here.low + k, known)
    if not added:
        bring_to_peak(&here, 0, base, base, whole)
    for k in range(LANES):
        if not added and has_few(here.high[k]):
            here.high[k] = states.apart[place + k] = NAN
    for which in range(HALVES):
        k = which * DLANES
        sum = half(whole.first, which) + half(whole.second, which)
        known = dload(here.high + k)
        poor = poor or dany((sum < dsplat(dominated(False))) & (known != known))
        dstore(marks + k, dpick(known == known, dsplat(0), dsplat(1)))
    settle_rest(&here, 0, splat(1) if added else from_doubles(marks), base, whole)
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
        elif is_long(map):
            settle_long(states, i, &base, &whole)
        elif map != LOG_SOFTMAX:
            settle_shares(states, i, False, &base, &whole)
        else:
            if not apart:
                settle_logs(states, i, False, False, False, &base, &whole)
            poor = settle_apart(states, i, apart, &base, &whole) or poor
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


cdef inline vec one_share(vec x, vec lost, const vec *w, const Base *base, const Whole *whole, bint exact, bint far,
                          bint long) noexcept nogil:
    # `base` as base_to_write has it.
    cdef Powers powers = powers_of_two()
    cdef vec t, q, k, z
    cdef vec bottom = bottom_of(base, w)
    cdef vec d = difference(x, base, bottom, exact, far, &lost)
    table_power(at_least(d, bottom), lost, w, exact and not far, base.steps, False, long,
                &whole.second if long else NULL, &powers, &t, &q, &k, &z)
    return rounded_from(bottom, d, fused(t, q, t) if long else product(t, q, whole.first, whole.second), k,
                        whole.power)


cdef inline vec near_share(vec x, vec b, const Base *base, const Whole *whole, vec first) noexcept nogil:
    # one_share of an element whose weight is near; base and `first` as ready_to_write has them.
    cdef Powers powers = powers_of_two()
    cdef vec t, q, k, z
    table_power(x, x, NULL, True, base.steps, True, REGISTER_TABLE, &whole.second if REGISTER_TABLE else NULL, &powers,
                &t, &q, &k, &z)
    take_near(b, &t, &q)
    return fused(t, q, t) * first if REGISTER_TABLE else product(t, q, first, whole.second)


cdef inline vec smallest() noexcept nogil:
    # Above, all that `product` adds is a normal number.
    return splat(<real> (7.888609052210118e-31 if REAL_BITS == 32 else 1.026e-289))    # 2^-100, 2^-960


cdef inline vec counted_from(const Base *base, const Whole *whole) noexcept nogil:
    # `first` for terms that come with their power.
    return whole.first * power_of_whole(base.power - whole.power)


cdef vec share_again(vec x, vec lost, const Base *base, const Whole *whole) noexcept nogil:
    cdef Base lower = base_to_write(base, whole, False)
    return one_share(x, lost, NULL, &lower, whole, False, False, False)


cdef inline void ordinary_shares(vec *x, const vec *lost, int count, bint exact, const Base *base, const Whole *whole,
                                 vec first) noexcept nogil:
    # one_share of `count` vectors, in their place, where no instruction scales by a power of two with one rounding: the
    # answer comes with its power, unless it lies next to the end of the range.
    cdef Powers powers = powers_of_two()
    cdef vec y[GROUP_BOUND]
    cdef vec rest[GROUP_BOUND]
    cdef vec t[GROUP_BOUND]
    cdef vec q[GROUP_BOUND]
    cdef vec k[GROUP_BOUND]
    cdef vec z[GROUP_BOUND]
    cdef vec lowest
    cdef ivec fine = splat(0) == splat(0)
    cdef int s
    # At e^-70 (double e^-666) of the peak no product is above `smallest`, and all are normal numbers.
    for s in range(count):
        y[s] = at_least(x[s], base.bottom + splat(<real> (16.0 if REAL_BITS == 32 else 41.0)))
        rest[s] = splat(0) if exact else pick(x[s] >= base.bottom, lost[s], splat(0))
    table_powers(y, rest, NULL, count, exact, base.steps, True, False, NULL, &powers, t, q, k, z)
    for s in range(count):
        y[s] = product(t[s], q[s], first, whole.second)
        fine = fine & (y[s] >= smallest())
    if not all_set(fine):
        lowest = base_to_write(base, whole, False).bottom
        for s in range(count):
            if all_set((y[s] >= smallest()) | (x[s] < lowest)):    # the others are 0: what was left out, say
                y[s] = from_least(lowest, x[s], y[s])
            else:
                y[s] = share_again(x[s], splat(0) if exact else lost[s], base, whole)
    for s in range(count):
        x[s] = y[s]


cdef vec long_share(vec x, vec lost, vec bottom, vec steps, vec second, vec power) noexcept nogil:
    # A function of its own, for it is rare: by values, for what has an address is not held in registers.
    cdef Base base
    cdef Whole whole
    base.bottom = bottom
    base.steps = steps
    base.far = False
    whole.second = second
    whole.power = power
    return one_share(x, lost, NULL, &base, &whole, False, False, True)


cdef inline void long_shares(vec *x, const vec *lost, int count, bint exact, const Base *base, const Whole *whole,
                             const Powers *ready) noexcept nogil:
    # one_share of `count` vectors, in their place, as exponentials that come with their powers where all of these are
    # normal numbers: those of x - log(sum), of which what no power holds goes to what was lost; or is in `ready`, which
    # may be NULL, already.
    cdef Powers powers = powers_of_two()
    cdef vec t[GROUP_BOUND]
    cdef vec q[GROUP_BOUND]
    cdef vec k[GROUP_BOUND]
    cdef vec z[GROUP_BOUND]
    cdef vec least = base.bottom + splat(<real> (23.5 if REAL_BITS == 32 else 53.0))    # e^-86.5 of the sum, e^-707
    cdef vec lowest = x[0]
    cdef int s
    for s in range(1, count):
        lowest = at_most(x[s], lowest)
    if not all_set(lowest >= least):
        for s in range(count):
            x[s] = long_share(x[s], splat(0) if exact else lost[s], base.bottom, base.steps, whole.second, whole.power)
        return
    table_powers(x, lost, NULL, count, exact, base.steps, True, True, &whole.second if ready == NULL else NULL,
                 &powers if ready == NULL else ready, t, q, k, z)
    for s in range(count):
        x[s] = fused(t[s], q[s], t[s])


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
    cdef ivec whole_log = (whole.first >= splat(<real> dominated(True))) | (whole.peak_low == zero)
    cdef ivec together = whole_log & (
        magnitude(whole.peak) < splat(largest_near()))
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


cdef inline vec quick_log(vec x, vec lost, const Less *less, bint exact, int sign) noexcept nogil:
    # one_log where it is known which of x and a is larger: three operations tell what x - a loses (Dekker 1971).
    cdef vec d = x - less.a
    cdef vec error = (x - (d + less.a) if sign == 1 else (x - d) - less.a) - less.a_low
    return d + (error if exact else error + lost)


cdef inline vec one_log(vec x, vec lost, const Less *less, bint exact) noexcept nogil:
    cdef vec d, y, error, more
    vtwo_sum(x, splat(0) - less.a, &d, &error)
    error = error - less.a_low if exact else error + (lost - less.a_low)
    y = d
    if less.twice:
        vtwo_sum(d, splat(0) - less.b, &y, &more)
        error = error + (more - less.b_low)
    y = y + error
    return pick(d - d == splat(0), y, d)


cdef inline void write_quick_logs(const Terms *terms, Py_ssize_t n, const Less *less, bint exact, int sign,
                                  real *out) noexcept nogil:
    cdef const real *a = <const real *> terms.a
    cdef const real *losses = a if exact else <const real *> terms.lost
    cdef Py_ssize_t i = before_boundary(out, n)
    cdef bint bypass = may_bypass(terms, out + i)
    if i > 0:
        store_some(out, quick_log(load(a), load(losses), less, exact, sign), i)
    while i + LANES <= n:
        put(out + i, quick_log(load(a + i), load(losses + i), less, exact, sign), bypass)
        i += LANES
    if i < n:
        store_some(out + i, quick_log(load_some(a + i, n - i, a[i]), load_some(losses + i, n - i, 0), less, exact,
                                      sign), n - i)


cdef inline Py_ssize_t write_first_logs(const Terms *terms, Py_ssize_t n, const Less *less, int sign,
                                        real *out) noexcept nogil:
    # The same where nothing is known of the exponents: up to the first two vectors that are too low, or what is less
    # than that.  How many were written.
    cdef const real *a = <const real *> terms.a
    cdef Py_ssize_t i = before_boundary(out, n)
    cdef bint bypass = may_bypass(terms, out + i)
    cdef vec x, y
    if i > 0:
        x = load(a)
        if not all_set(x >= less.lowest):
            return 0
        store_some(out, quick_log(x, x, less, True, sign), i)
    while i + 2 * LANES <= n:
        x = load(a + i)
        y = load(a + i + LANES)
        if not all_set(at_most(x, y) >= less.lowest):
            break
        put(out + i, quick_log(x, x, less, True, sign), bypass)
        put(out + i + LANES, quick_log(y, y, less, True, sign), bypass)
        i += 2 * LANES
    return i


cdef void write_logs(const Terms *terms, Py_ssize_t n, const Base *base, const Whole *whole, real *out) noexcept nogil:
    # Of prepared terms.
    cdef Less less = less_of(whole)
    cdef Terms rest = terms[0]
    cdef bint exact = terms.lost == NULL
    cdef Py_ssize_t i = 0
    if less.twice or less.sign == 0 or not all_set(base.least >= less.lowest):
        if not exact:
            write_row(terms, n, LOG_SOFTMAX, PAIRS, False, False, base, whole, out)
            return
        if not less.twice and less.sign == 1:
            i = write_first_logs(terms, n, &less, 1, out)
        elif not less.twice and less.sign == -1:
            i = write_first_logs(terms, n, &less, -1, out)
        rest.a = <const real *> terms.a + i
        write_row(&rest, n - i, LOG_SOFTMAX, PLAIN, False, False, base, whole, out + i)
    elif exact and less.sign == 1:
        write_quick_logs(terms, n, &less, True, 1, out)
    elif exact:
        write_quick_logs(terms, n, &less, True, -1, out)
    elif less.sign == 1:
        write_quick_logs(terms, n, &less, False, 1, out)
    else:
        write_quick_logs(terms, n, &less, False, -1, out)


cdef inline Base base_to_write(const Base *base, const Whole *whole, bint long) noexcept nogil:
    # Lower, for a share may be a subnormal number.
    cdef Base lower = base[0]
    lower.steps = splat(WHOLE_STEPS) - whole.power if long else splat(WHOLE_STEPS)
    lower.bottom = whole.power * splat(<real> 0.6931471805599453) - splat(<real> (110.0 if REAL_BITS == 32 else 760.0))
    return lower


cdef inline vec ready_to_write(Base *base, const Whole *whole, bint near, bint general, bint long) noexcept nogil:
    # What terms that come with their powers are multiplied with; `base` becomes what they are counted from.
    cdef vec whole_power
    if not REGISTER_TABLE and not general:
        return counted_from(base, whole)
    if REGISTER_TABLE and near:    # near the peak, where exponents without their weights are normal numbers
        whole_power = nearest_whole(whole.power - base.power - splat(<real> (0.5 - 0.5 / TABLE)))
        base.steps = splat(WHOLE_STEPS) - (whole.power - whole_power)
        return power_of_whole(splat(0) - whole_power)
    base[0] = base_to_write(base, whole, long)
    return whole.first


cdef inline void write_row(const Terms *terms, Py_ssize_t n, Map map, Form form, bint far, bint long,
                           const Base *base, const Whole *whole, real *out) noexcept nogil:
    cdef Base lower = base_to_write(base, whole, long)
    cdef Less less = less_of(whole)
    cdef Tail tail
    cdef vec weights[2 * GROUP_BOUND]
    cdef vec x, y, lost
    cdef vec *w = weights if have_weights(form, far) else NULL
    cdef Py_ssize_t i = 0, j, count = before_boundary(out, n)
    cdef bint bypass = may_bypass(terms, out + count), quick = not less.twice and less.sign != 0
    while i < n:
        j = i
        if n - i < LANES:
            pad_exponents(terms, i, n - i, LANES, &tail)
            terms = &tail.terms
            j = 0
        if form == RAW and terms.powers != NULL:
            x = load_weighed(terms, j, &lost, weights)
        else:
            x = exponent(terms, 0, j, form, &lost, weights)
        if map == SOFTMAX:
            y = one_share(x, lost, w, &lower, whole, form == PLAIN, far, long)
        else:    # until the first -inf, say: a question whose answer cannot be guessed costs more
            quick = quick and all_set(x >= less.lowest)
            y = quick_log(x, lost, &less, form == PLAIN, less.sign) if quick else one_log(x, lost, &less, form == PLAIN)
        if i == 0 and count > 0:
            store_some(out, y, count)
            i = count
        elif n - i < LANES:
            store_some(out + i, y, n - i)
            i = n
        else:
            put(out + i, y, bypass)
            i += LANES


cdef inline void near_answers(vec *x, const vec *beside, int count, Form form, const Base *base, const Whole *whole,
                              vec first, const Powers *ready) noexcept nogil:
    # Of `count` vectors of exponents that are not far, in their place; `beside` them their weights, or what they lost.
    # Base and `first` as ready_to_write has them, `ready` as in long_shares.
    cdef int s
    if form == NEAR:
        for s in range(count):
            x[s] = near_share(x[s], beside[s], base, whole, first)
    elif REGISTER_TABLE:
        long_shares(x, beside, count, form == PLAIN, base, whole, ready)
    else:
        ordinary_shares(x, beside, count, form == PLAIN, base, whole, first)


cdef inline void write_near_row(const Terms *terms, Py_ssize_t n, Form form, const Base *base, const Whole *whole,
                                real *out) noexcept nogil:
    # Shares of prepared terms that are not far.
    cdef const real *a = <const real *> terms.a
    cdef const real *others = <const real *> (a if form == PLAIN else terms.b if form == NEAR else terms.lost)
    cdef Base own = base[0]
    cdef vec first = ready_to_write(&own, whole, form == NEAR, False, True)
    cdef real rests[TABLE + LANES_BOUND]
    cdef Powers powers = powers_of_two()
    cdef const Powers *ready = NULL
    cdef vec x[GROUP_BOUND]
    cdef vec beside[GROUP_BOUND]
    cdef Py_ssize_t i = before_boundary(out, n)
    cdef bint bypass = may_bypass(terms, out + i)
    cdef int s
    if REGISTER_TABLE and form != NEAR:    # one addition for all elements of a row
        for s in range(TABLE // LANES):
            store(rests + s * LANES, load(powers.lost + s * LANES) + whole.second)
        powers.lost = rests
        ready = &powers
    if i > 0:
        x[0] = load(a)
        beside[0] = load(others)
        near_answers(x, beside, 1, form, &own, whole, first, ready)
        store_some(out, x[0], i)
    while i + PAIRED * LANES <= n:
        for s in range(PAIRED):
            x[s] = load(a + i + s * LANES)
            beside[s] = load(others + i + s * LANES)
        near_answers(x, beside, PAIRED, form, &own, whole, first, ready)
        for s in range(PAIRED):
            put(out + i + s * LANES, x[s], bypass)
        i += PAIRED * LANES
    while i < n:
        x[0] = load(a + i) if i + LANES <= n else load_some(a + i, n - i, a[0])
        beside[0] = load(others + i) if i + LANES <= n else load_some(others + i, n - i, 0)
        near_answers(x, beside, 1, form, &own, whole, first, ready)
        store_some(out + i, x[0], n - i)
        i += LANES


cdef inline bint is_general(const Terms *terms, const Base *base, Map map) noexcept nogil:
    # With a register table the terms of what lies in a block are kept, or it is rare.
    return (REGISTER_TABLE and map == SOFTMAX) or (not terms.near and (base.far or terms.b != NULL))


cdef void answer_row(const Terms *terms, Py_ssize_t n, Map map, const Base *base, const Whole *whole,
                     real *out) noexcept nogil:
    # Of prepared terms.
    if map == LOG_SOFTMAX:
        write_logs(terms, n, base, whole, out)
    elif is_general(terms, base, map):
        write_row(terms, n, SOFTMAX, RAW, True, is_long(map), base, whole, out)
    elif terms.near:
        write_near_row(terms, n, NEAR, base, whole, out)
    elif terms.lost == NULL:
        write_near_row(terms, n, PLAIN, base, whole, out)
    else:
        write_near_row(terms, n, PAIRS, base, whole, out)


# The parameters of up to TILE columns.
cdef struct Panel:
    Base bases[TILE]
    Whole wholes[TILE]
    Less less[TILE]
    vec scaled[TILE]    # `first` of the terms that come with their powers
    Py_ssize_t ahead    # as in `distance`, where nothing else asks for the result's memory; else 0
    bint long           # are these the answers of LONG_SOFTMAX?


cdef inline void answers(vec *x, vec *lost, const vec *w, int count, const Base *base, const Whole *whole, vec first,
                         const Less *less, Map map, Form form, bint far, bint long) noexcept nogil:
    # Of `count` vectors of exponents, in their place.
    cdef int s
    if map == SOFTMAX and not far:
        near_answers(x, w if form == NEAR else lost, count, form, base, whole, first, NULL)
        return
    for s in range(count):
        if map == LOG_SOFTMAX:
            x[s] = one_log(x[s], lost[s], less, form == PLAIN)
        else:
            x[s] = one_share(x[s], lost[s], weights_from(w, s), base, whole, form == PLAIN, far, long)


cdef inline void write_vector(const Terms *terms, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t v, Py_ssize_t j,
                              Map map, Form form, bint far, const Panel *panel, real *out,
                              Py_ssize_t out_step) noexcept nogil:
    # A vector of columns from `j` on, its parameters in registers.
    cdef Base base = panel.bases[v]
    cdef Whole whole = panel.wholes[v]
    cdef vec first = panel.scaled[v]
    cdef Less less = panel.less[v]
    cdef Terms own = terms[0]
    cdef vec x[GROUP_BOUND]
    cdef vec lost[GROUP_BOUND]
    cdef vec weights[2 * GROUP_BOUND]
    cdef vec *w = weights if have_weights(form, far) else NULL
    cdef Py_ssize_t row = begin
    cdef int s, group = 4 if form != PLAIN else PAIRED
    while group > 1 and row + group <= end:
        some_exponents(&own, row, 1, j, 0, group, HERE if form == RAW and not far else form, x, lost,
                       weights)
        answers(x, lost, w, group, &base, &whole, first, &less, map, form, far, panel.long)
        for s in range(group):
            if panel.ahead > 0:
                prefetch_far(<const char *> (out + s * out_step + panel.ahead))
            store(out + s * out_step, x[s])
        out += group * out_step
        row += group
    while row < end:
        x[0] = exponent(&own, row, j, form, lost, weights)
        answers(x, lost, w, 1, &base, &whole, first, &less, map, form, far, panel.long)
        store(out, x[0])
        out += out_step
        row += 1


cdef inline void write_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, Form form, bint far,
                             const Panel *panel, real *out, Py_ssize_t out_step) noexcept nogil:
    # The last vector of a width that is not whole steps back over columns that others write too.  It comes first, and
    # its answers wait for those of the others: out may be the input itself.
    cdef real waiting[PAGES * LANES_BOUND]
    cdef real *target
    cdef bint odd = width % LANES != 0
    cdef Py_ssize_t vectors = (width + LANES - 1) // LANES, some = rows_in_turn(out_step, width)
    cdef Py_ssize_t row = 0, end, k, v, j, step
    while row < n:
        end = min(n, row + some)
        ask_ahead(out, out_step, n, end, 1, some, width, False)
        for k in range(vectors):
            v = k if not odd else k - 1 if k > 0 else vectors - 1
            j = column_of(v, LANES, width)
            target = out + row * out_step + j
            step = out_step
            if odd and k == 0:
                target = waiting
                step = LANES
            write_vector(terms, row, end, v, j, map, form, far, panel, target, step)
        if odd:
            for k in range(end - row):
                store(out + (row + k) * out_step + width - LANES, load(waiting + k * LANES))
        row = end


cdef void answer_panel(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, Panel *panel, real *out,
                       Py_ssize_t out_step) noexcept nogil:
    cdef bint plain = is_plain(terms), general = False
    cdef Py_ssize_t v
    panel.long = is_long(map)
    for v in range((width + LANES - 1) // LANES):
        general = general or is_general(terms, &panel.bases[v], map)
    for v in range((width + LANES - 1) // LANES):
        if map == LOG_SOFTMAX:
            panel.less[v] = less_of(&panel.wholes[v])
        else:
            panel.scaled[v] = ready_to_write(&panel.bases[v], &panel.wholes[v], terms.near and not general, general,
                                             panel.long)
    if map == LOG_SOFTMAX:
        if plain:
            write_panel(terms, n, width, LOG_SOFTMAX, PLAIN, False, panel, out, out_step)
        else:
            write_panel(terms, n, width, LOG_SOFTMAX, RAW, False, panel, out, out_step)
    elif general:
        write_panel(terms, n, width, SOFTMAX, RAW, True, panel, out, out_step)
    elif terms.near:
        write_panel(terms, n, width, SOFTMAX, NEAR, False, panel, out, out_step)
    elif plain:
        write_panel(terms, n, width, SOFTMAX, PLAIN, False, panel, out, out_step)
    else:
        write_panel(terms, n, width, SOFTMAX, RAW, False, panel, out, out_step)


cdef void write(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, const double *peak,
                const double *first, const double *second, const double *power, void *out,
                Py_ssize_t out_step) noexcept nogil:
    cdef Panel panel
    cdef Base base
    cdef Whole whole
    cdef Prepared room
    cdef Peak known
    cdef Terms own
    cdef Peak found
    cdef vec most[TILE]
    cdef Py_ssize_t v, j
    if width == 0:
        whole.peak = splat(<real> peak[0])
        whole.peak_low = splat(<real> peak[TILE])
        whole.first = splat(<real> first[0])
        whole.second = splat(<real> second[0])
        whole.power = splat(<real> power[0])
        base = base_of(whole.peak, whole.peak_low, False, False)
        own = prepared(terms, n, peak, &room, &known)
        if map == LOG_SOFTMAX and own.lost != NULL:    # for `write_logs`, which saves more than this costs
            find_peak(&own, n, SOFTMAX, &found)
            base.least = splat(found.least)
        answer_row(&own, n, map, &base, &whole, <real *> out)
        if terms.bypass:
            end_stream()
        return
    for v in range((width + LANES - 1) // LANES):
        j = column_of(v, LANES, width)
        whole_from(peak + j, first + j, second + j, power + j, &panel.bases[v], &panel.wholes[v])
    panel.ahead = 0
    own = terms[0]
    own.near = is_panel_near(terms, n, width, peak, most)
    answer_panel(&own, n, width, map, &panel, <real *> out, out_step)


# --- a whole row or panel in one block

cdef inline Base base_of_row(real high, real low, real least, bint roomy) noexcept nogil:
    cdef Base base = base_of(splat(high), splat(low), False, roomy)
    base.least = splat(least)
    return base


cdef bint row_in_one(const Terms *terms, Py_ssize_t n, Map map, const Peak *peak, const Terms *following,
                     Peak *next_peak, real *out) noexcept nogil:
    # Of prepared terms.  Looks for the peak of the row that follows, unless that is NULL, before it is known what this
    # one's sum is: from the one to the other is a chain of a hundred cycles and more.
    cdef double memory[NUMBERS * LANES_BOUND]
    cdef States states = states_in(memory, LANES_BOUND)
    cdef Kept kept
    cdef Base base
    cdef Whole whole
    cdef real second
    cdef bint keeps, roomy = False, early = False
    if not fabs(peak.high) < INFINITY:
        return False
    whole.peak = splat(peak.high)
    whole.peak_low = splat(peak.low)
    whole.power = splat(0)
    base = base_of_row(peak.high, peak.low, peak.least, False)
    keeps = map == SOFTMAX and not base.far and not are_several(terms)
    if keeps:
        roomy = needs_room(&base)
        if roomy:
            base = base_of_row(peak.high, peak.low, peak.least, True)
        sum_near(terms, n, &base, &kept, &states)
    else:
        early = map == LOG_SOFTMAX and stands_out(terms, n, peak, &base, kept.t, &second)
        if early:
            row_apart(terms, n, kept.t, whole.peak, whole.peak_low, second, &states)
        else:
            sum_of_row(terms, n, &base, &states)
    if following != NULL:
        peak_of_row(following, n, map == SOFTMAX, next_peak)
    if not fabs(states.high[0]) < INFINITY:
        return False
    if map == SOFTMAX:
        settle_shares(&states, 0, True, &base, &whole)
    elif early:
        whole.first = whole.second = splat(0)
        settle_logs(&states, 0, True, False, True, &base, &whole)
    elif settle_logs(&states, 0, True, False, False, &base, &whole):
        second = others_of_row(<const real *> terms.a, n, whole.peak, unknown(True), kept.t)
        row_apart(terms, n, kept.t, whole.peak, whole.peak_low, second, &states)
        settle_logs(&states, 0, True, False, True, &base, &whole)
    if keeps:
        whole.first = counted_from(&base, &whole)
        write_kept(terms, n, kept_of(terms, &kept), &whole, roomy, out)
    else:
        answer_row(terms, n, map, &base, &whole, out)
    return True


cdef inline vec kept_product(const Kept *kept, Py_ssize_t i, Py_ssize_t n, const Whole *whole, vec first, vec least,
                             bint roomy) noexcept nogil:
    # Behind a row's end lie terms so small that their shares would be subnormal, for which processors take hundreds of
    # cycles.
    cdef vec t = load(kept.t + i) if i + LANES <= n else load_some(kept.t + i, n - i, 1)
    if not roomy:
        return product(t, load(kept.q + i), first, whole.second)
    return scale_back() * product(from_least(least, t, t), load(kept.q + i), first, whole.second)


cdef inline void write_products(const Terms *terms, Py_ssize_t n, const Kept *kept, const Whole *whole, vec first,
                                bint roomy, real *out) noexcept nogil:
    cdef Py_ssize_t count = before_boundary(out, n), i = count
    cdef bint bypass = may_bypass(terms, out + i)
    cdef vec y, later, least = least_kept(first)
    if count > 0:
        y = kept_product(kept, 0, n, whole, first, least, roomy)
        store_some(out, y, count)
        if SHIFTS:
            while i + LANES <= n:
                later = kept_product(kept, i - count + LANES, n, whole, first, least, roomy)
                put(out + i, shifted(y, later, count), bypass)
                y = later
                i += LANES
    while i + LANES <= n:
        put(out + i, kept_product(kept, i, n, whole, first, least, roomy), bypass)
        i += LANES
    if i < n:
        store_some(out + i, kept_product(kept, i, n, whole, first, least, roomy), n - i)


cdef void write_kept(const Terms *terms, Py_ssize_t n, const Kept *kept, const Whole *whole, bint roomy,
                     real *out) noexcept nogil:
    # The products of one_share, with `first` as counted_from has it.  Those of `roomy` terms are all times a power of
    # two, which changes no digit; a subnormal answer is rounded when that is taken back.
    if roomy:
        write_products(terms, n, kept, whole, whole.first * scale_of_products(), True, out)
    else:
        write_products(terms, n, kept, whole, whole.first, False, out)


cdef inline Py_ssize_t rows_together(Py_ssize_t n, Map map) noexcept nogil:
    # As many as stay in the L1 cache, with their terms if these are kept.
    cdef Py_ssize_t most = BLOCK_DOUBLES * 4 // <Py_ssize_t> sizeof(real) // n
    return min(LANES, 8 if map == SOFTMAX else most) if most >= 8 else 1


cdef inline Py_ssize_t in_whole_vectors(Py_ssize_t n) noexcept nogil:
    # From row to row of what is kept of several.
    return (n + LANES - 1) // LANES * LANES


cdef inline Kept *kept_from(Kept *kept, Py_ssize_t place) noexcept nogil:
    # Of both arrays what lies behind `place`.
    return <Kept *> (kept.t + place)


cdef inline void sum_some(Several rows, Py_ssize_t n, Py_ssize_t count, Form form, bint bounded, bint may_be_roomy,
                          const Peaks *peaks, Kept *kept, Py_ssize_t step, bint *roomy, real *powers,
                          const States *states) noexcept nogil:
    cdef States here
    cdef Base base
    cdef Terms row
    cdef Kept *own = NULL
    cdef Py_ssize_t k
    for k in range(unknown(<int> count)):    # as in add_others
        if peaks.apart[k]:
            continue
        row = row_of(rows, k)
        here = from_place(states, k)
        base = base_of_row(peaks.high[k], peaks.low[k], peaks.least[k], False)
        roomy[k] = may_be_roomy and needs_room(&base)
        if roomy[k]:
            base = base_of_row(peaks.high[k], peaks.low[k], peaks.least[k], True)
        powers[k] = lane(base.power, 0)
        row.ahead = count * rows.step
        if kept != NULL:
            own = kept_from(kept, k * step)
        if form == PAIRS:
            sum_pairs(&row, n, &base, own, &here)
        else:
            sum_one(&row, n, &base, form, False, bounded, own, &here)


cdef void sum_some_odd(const Several *rows, Py_ssize_t n, Py_ssize_t count, bint may_be_roomy, const Peaks *peaks,
                       Kept *kept, Py_ssize_t step, bint *roomy, real *powers, const States *states) noexcept nogil:
    # Of rows that have terms far below their peaks, or pairs.  Terms are kept even for log_softmax, which needs none:
    # two stores a vector against a loop of its own.
    if rows.lost == NULL and rows.m == NULL:
        sum_some(rows[0], n, count, PLAIN, False, may_be_roomy, peaks, kept, step, roomy, powers, states)
    else:
        sum_some(rows[0], n, count, PAIRS, False, may_be_roomy, peaks, kept, step, roomy, powers, states)


cdef inline Prepared *prepared_from(Prepared *room, Py_ssize_t place) noexcept nogil:
    return <Prepared *> (room.x + place)


cdef inline bint in_step(Several rows, Py_ssize_t n, Py_ssize_t count, Map map, real *out,
                         Py_ssize_t out_step) noexcept nogil:
    # row_in_one of up to LANES rows, step by step as in shares_of_columns; what the sums give to the answers is worked
    # out side by side.  False, and nothing is written, where any row is special or far.
    cdef double memory[NUMBERS * LANES_BOUND]
    cdef double memory_apart[NUMBERS * LANES_BOUND]
    cdef States states = states_in(memory, LANES_BOUND)
    cdef States apart = states_in(memory_apart, LANES_BOUND)
    cdef States here
    cdef Kept kept
    cdef Peaks peaks
    cdef bint roomy[LANES_BOUND]
    cdef real powers[LANES_BOUND]
    cdef real firsts[LANES_BOUND]
    cdef real seconds[LANES_BOUND]
    cdef Peak peak
    cdef Base base
    cdef Whole whole
    cdef Terms row
    cdef vec infinity = splat(<real> INFINITY)
    cdef bint bounded, some = False
    cdef Py_ssize_t k, step = in_whole_vectors(n)
    for k in range(LANES):    # lanes without a row
        peaks.high[k] = peaks.low[k] = peaks.least[k] = peaks.second[k] = powers[k] = 0
        peaks.apart[k] = False
        states.high[k] = apart.high[k] = 4    # not `dominated`
        states.low[k] = apart.low[k] = 0
    for k in range(count):
        row = row_of(rows, k)
        peak_of_row(&row, n, map == SOFTMAX, &peak)
        peaks.high[k] = peaks.second[k] = peak.high
        peaks.low[k] = peak.low
        peaks.least[k] = peak.least
        peaks.alone[k] = peak.alone
        some = some or peak.alone
    whole.peak = load(peaks.high)
    whole.peak_low = load(peaks.low)
    whole.power = splat(0)
    if not all_set(magnitude(whole.peak) < splat(largest_near())):
        return False
    bounded = all_set(whole.peak - load(peaks.least) < splat(<real> (85.0 if REAL_BITS == 32 else 706.0)))
    some = map == LOG_SOFTMAX and some and add_others(&rows, n, count, NULL, &peaks, kept.t, &apart)
    if bounded and rows.lost == NULL and rows.m == NULL:
        sum_some(rows, n, count, PLAIN, True, map == SOFTMAX, &peaks, &kept if map == SOFTMAX else NULL, step, roomy,
                 powers, &states)
    else:
        sum_some_odd(&rows, n, count, map == SOFTMAX, &peaks, &kept, step, roomy, powers, &states)
    if not all_set((from_doubles(states.high) < infinity) & (from_doubles(apart.high) < infinity)):
        return False
    base = base_of(whole.peak, whole.peak_low, False, False)
    if map == SOFTMAX:
        base.power = load(powers)    # of `roomy` rows less
        settle_shares(&states, 0, False, &base, &whole)
        whole.first = counted_from(&base, &whole)
    else:
        if settle_logs(&states, 0, False, False, False, &base, &whole):
            store(firsts, whole.first)
            some = add_others(&rows, n, count, firsts, &peaks, kept.t, &apart) or some
        if some:
            settle_others(&rows, n, count, &peaks, &base, &apart, &whole)
    store(firsts, whole.first)
    store(seconds, whole.second)
    for k in range(count):
        row = row_of(rows, k)
        whole.first = splat(firsts[k])
        whole.second = splat(seconds[k])
        if map == SOFTMAX:
            write_kept(&row, n, kept_from(&kept, k * step), &whole, roomy[k], out + k * out_step)
        else:
            whole.peak = splat(peaks.high[k])
            whole.peak_low = splat(peaks.low[k])
            base.least = splat(peaks.least[k])
            write_logs(&row, n, &base, &whole, out + k * out_step)
    return True


cdef bint some_rows(const Several *rows, Py_ssize_t n, Py_ssize_t count, Map map, real *out,
                    Py_ssize_t out_step) noexcept nogil:
    if map == SOFTMAX:
        return in_step(rows[0], n, count, SOFTMAX, out, out_step)
    return in_step(rows[0], n, count, LOG_SOFTMAX, out, out_step)


cdef bint some_general_rows(const Terms *terms, Py_ssize_t n, Py_ssize_t count, Map map, real *out,
                            Py_ssize_t out_step) noexcept nogil:
    cdef Prepared room
    cdef Peak known[LANES_BOUND]
    cdef Several rows
    cdef Terms row
    cdef Py_ssize_t k
    rows.near = weigh_alone(terms) and n >= LANES
    for k in range(count):
        if rows.near:
            row = terms_from(terms, k, sizeof(real))
            rows.near = is_row_near(&row, n, NULL, known + k)
    rows.bypass = terms.bypass
    rows.known = known
    if rows.near:
        rows.a = <const real *> terms.a
        rows.m = <const real *> terms.b
        rows.lost = NULL
        rows.step = terms.a_step
        rows.m_step = terms.b_step
        return some_rows(&rows, n, count, map, out, out_step)
    rows.a = room.x
    if terms.b != NULL and not are_exact(terms):    # `are_several`
        return False
    rows.lost = NULL if are_exact(terms) else room.lost
    rows.m = NULL if terms.b == NULL else room.m
    rows.powers = room.powers
    rows.step = rows.m_step = in_whole_vectors(n)
    for k in range(count):
        row = terms_from(terms, k, sizeof(real))
        prepare_any(&row, n, prepared_from(&room, k * rows.step), known + k)
    return some_rows(&rows, n, count, map, out, out_step)


cdef Py_ssize_t rows_one_by_one(const Terms *terms, Py_ssize_t n, Py_ssize_t count, Map map, real *target,
                                Py_ssize_t out_step) noexcept nogil:
    cdef Prepared rooms[2]
    cdef Peak known[2]
    cdef Terms rows[2]
    cdef Peak peaks[2]
    cdef Terms next_row = terms_from(terms, 0, sizeof(real))
    cdef Py_ssize_t row
    rows[0] = prepared(&next_row, n, NULL, &rooms[0], &known[0])
    find_peak(&rows[0], n, map, &peaks[0])
    for row in range(count):
        if row + 1 < count:
            next_row = terms_from(terms, row + 1, sizeof(real))
            rows[(row + 1) & 1] = prepared(&next_row, n, NULL, &rooms[(row + 1) & 1], &known[(row + 1) & 1])
        if not row_in_one(&rows[row & 1], n, map, &peaks[row & 1], &rows[(row + 1) & 1] if row + 1 < count else NULL,
                          &peaks[(row + 1) & 1], target + row * out_step):
            return row
    return count


cdef Py_ssize_t map_rows(const Terms *terms, Py_ssize_t n, Py_ssize_t count, Map map, void *target,
                         Py_ssize_t out_step) noexcept nogil:
    cdef Py_ssize_t together = rows_together(n, map), row = 0, some
    cdef real *out = <real *> target
    cdef Terms rest = terms_from(terms, 0, sizeof(real))
    cdef Several rows
    cdef bint usual = together > 1
    rows.lost = rows.m = rows.powers = NULL
    rows.step = terms.a_step
    rows.near = False
    rows.bypass = terms.bypass
    while usual and row + 1 < count:
        some = min(together, count - row)
        if is_plain(terms):
            rows.a = <const real *> rest.a
            usual = some_rows(&rows, n, some, map, out + row * out_step, out_step)
        else:
            usual = some_general_rows(&rest, n, some, map, out + row * out_step, out_step)
        if usual:
            row += some
            rest = terms_from(terms, row, sizeof(real))
    if row < count:
        row += rows_one_by_one(&rest, n, count - row, map, out + row * out_step, out_step)
    if terms.bypass:
        end_stream()
    return row


cdef Answers shares_of_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t width, real *out,
                               Py_ssize_t out_step) noexcept nogil:
    # softmax of short columns: each exponential is computed once.
    # Step by step for all vectors, for from a vector's exponents to its answers is a chain of some 250 cycles.
    cdef Kept kept
    cdef vec first[TILE]
    cdef vec second[TILE]
    cdef Whole whole
    cdef Base bases[TILE]
    cdef bint plain = is_plain(terms)
    cdef Terms own = terms[0]
    cdef vec most[TILE]
    cdef vec beside, zero = splat(0)
    cdef ivec fine = zero == zero
    cdef bint usual
    cdef Py_ssize_t v, j, vectors = (width + LANES - 1) // LANES, ahead = distance(terms.a_step, n, width)
    cdef Parts parts
    own.near = is_panel_near(terms, n, width, NULL, most)
    for v in range(vectors):
        if are_pairs(terms):
            bring_pairs(terms, n, column_of(v, LANES, width), &kept, most + v)
        elif not own.near:
            peak_of_vector(terms, n, column_of(v, LANES, width), plain, True, most + v, &beside)
        bases[v] = base_of(most[v], zero, False, True)
        fine = fine & (most[v] - most[v] == zero)
    usual = all_set(fine)
    if not usual:
        fine = zero == zero
        for v in range(vectors):
            bases[v] = base_of(unless_nothing(most[v]), zero, False, True)
            fine = fine & (most[v] < splat(<real> INFINITY))
    for v in range(vectors):
        j = column_of(v, LANES, width)
        if are_pairs(terms) and j < v * LANES:    # terms stand there by now
            bring_pairs(terms, n, j, &kept, &beside)
        short_of_vector(&own, n, j, plain, &bases[v], ahead, &kept)
        first[v] = kept.total
        second[v] = kept.rest
        fine = fine & (first[v] < splat(<real> INFINITY))
    if not all_set(fine):
        return REFUSED
    for v in range(vectors):
        whole_share(first[v], second[v], &bases[v], &whole)
        first[v] = counted_from(&bases[v], &whole) * scale_of_products()
        second[v] = whole.second
        if not usual:
            first[v] = nan_for_nothing(most[v], first[v])
    parts = parts_of(&kept)
    write_parts(&parts, TILE, n, width, first, second, ahead, out, out_step)
    return WRITTEN if usual else WITH_NOTHING


cdef inline void write_parts(const Parts *kept, Py_ssize_t step, Py_ssize_t n, Py_ssize_t width, const vec *first,
                             const vec *second, Py_ssize_t ahead, real *out, Py_ssize_t out_step) noexcept nogil:
    # The answers of a panel whose `roomy` terms were kept; `first` is times scale_of_products.
    cdef vec one, rest, least, t
    cdef Py_ssize_t vectors = (width + LANES - 1) // LANES, some = rows_in_turn(out_step, width), start = 0, v, j, row
    while start < n:
        if ahead == 0:
            ask_ahead(out, out_step, n, start + some, 1, some, width, False)
        for v in range(vectors):
            j = column_of(v, LANES, width)
            one = first[v]
            rest = second[v]
            least = least_kept(one)
            for row in range(start, min(n, start + some)):
                t = load(kept.t + row * step + j)
                if ahead > 0:
                    prefetch_far(<const char *> (out + row * out_step + j + ahead))
                store(out + row * out_step + j, scale_back() * product(
                    from_least(least, t, t), load(kept.q + row * step + j), one, rest))
        start += some


cdef void settle_outstanding(const Terms *terms, Py_ssize_t n, Py_ssize_t j, vec marks, const Base *lower,
                             const Base *base, const States *apart, Whole *whole) noexcept nogil:
    # What the others of outstanding columns give to the answers.
    bring_to_peak(apart, j, base, lower, whole)
    take_few(terms, n, j, False, whole.peak, whole.peak_low, LANES, apart)
    settle_rest(apart, j, splat(1) - marks, base, whole)


cdef Answers map_block(const Terms *terms, Py_ssize_t n, Py_ssize_t width, Map map, bint short, void *room,
                       void *start, Py_ssize_t out_step) noexcept nogil:
    cdef double memory[NUMBERS * TILE]
    cdef double memory_apart[NUMBERS * TILE]
    cdef double memory_late[NUMBERS * TILE]
    cdef real *out = <real *> start
    cdef bint plain = is_plain(terms), keeps = False, some = False, all_usual
    cdef vec most[TILE]
    cdef vec beside[TILE]
    cdef vec next[TILE]
    cdef ivec fine
    cdef vec first[TILE]
    cdef vec second[TILE]
    cdef vec zero = splat(0)
    cdef Parts parts
    cdef Panel panel
    cdef Peak peak
    cdef Prepared prepared_room
    cdef Peak known
    cdef Terms own
    cdef Whole *whole
    cdef Base *base
    cdef Answers written = WRITTEN
    cdef States states = states_in(memory, TILE)
    cdef States apart = states_in(memory_apart, TILE)    # not the same, for the last vector repeats some columns
    cdef States late = states_in(memory_late, TILE)
    cdef Outstanding outstanding
    cdef Py_ssize_t v, j, vectors = (width + LANES - 1) // LANES, step = step_of_room(width, sizeof(real))
    if width == 0:
        own = prepared(terms, n, NULL, &prepared_room, &known)
        find_peak(&own, n, map, &peak)
        all_usual = row_in_one(&own, n, map, &peak, NULL, NULL, out)
        if terms.bypass:
            end_stream()
        return WRITTEN if all_usual else REFUSED
    if short and map == SOFTMAX:
        return shares_of_columns(terms, n, width, out, out_step)
    own = terms[0]
    if not short:
        own = peaks_of_terms(terms, n, width, map, most, beside, next)
        keeps = map == SOFTMAX and room != NULL and (own.near or own.b == NULL)
        for v in range(vectors):
            keeps = keeps and all_set(magnitude(most[v]) < splat(largest_near()))
        for v in range(vectors):
            panel.bases[v] = base_of(most[v], beside[v], False, keeps)
        if keeps:
            parts.t = <real *> room
            parts.q = parts.t + rows_of_room(n) * step
        some = map == LOG_SOFTMAX and find_outstanding(terms, n, width, most, next, panel.bases, &outstanding)
        sum_of_panel(&own, n, width, plain, &outstanding.bases[0] if some else &panel.bases[0],
                     &outstanding.peaks[0] if some else NULL, &parts if keeps else NULL, &states)
    panel.ahead = distance(terms.a_step, n, width) if short else 0
    if short:
        written = logs_of_short(terms, n, width, plain, panel.ahead, panel.wholes)
        if written == REFUSED:
            return REFUSED
    for v in range(vectors):
        j = column_of(v, LANES, width)
        whole = &panel.wholes[v]
        base = &panel.bases[v]
        whole.power = zero
        if short:
            continue
        whole.peak = most[v]
        whole.peak_low = beside[v]
        fine = whole.peak - whole.peak == zero
        if not all_set(fine & (from_doubles(states.high + j) < splat(<real> INFINITY))):
            return REFUSED
        if map == SOFTMAX:
            settle_shares(&states, j, False, base, whole)
            continue
        if some:
            part_sums(&states, j, outstanding.marks[v], &apart, &late)
        if settle_logs(&late if some else &states, j, False, False, False, base, whole):
            columns_apart(terms, n, j, whole.peak, whole.peak_low, &late)
            settle_logs(&late, j, False, False, True, base, whole)
        if some:
            settle_outstanding(terms, n, j, outstanding.marks[v], &outstanding.bases[v], base, &apart, whole)
    if keeps:
        for v in range(vectors):
            first[v] = counted_from(&panel.bases[v], &panel.wholes[v]) * scale_of_products()
            second[v] = panel.wholes[v].second
        write_parts(&parts, step, n, width, first, second, 0, out, out_step)
        return written
    answer_panel(&own, n, width, map, &panel, out, out_step)
    return written
