# Short rows and columns: a part of folds.pyx.  First those without weights.
#
# A whole row is at hand, so its largest term is known before the first exponential: no guess, no
# second look for want of a shift, and no state, for a short row is never merged.  Where a table is looked up in
# registers, only what "a first look at short rows" is not good enough for comes here.
#     float32  in double, by the largest term itself: the sum lies in [1, n]
#     float64  by the multiple of 32 under the largest term, which leaves a - shift exact.  A term's
#              leading 44 bits, counted from the largest, add up without error; the rest beside them.

cdef inline void short_term(dvec d, dvec lost, dvec b, bint weighted, dvec grid, dvec *high, dvec *low) noexcept nogil:
    # exp(d + lost), or b exp(d + lost), of which `low` is then what rounding takes from `high`.  Below e^-650, where
    # `low` would soon be subnormal, it counts for nothing, but where `mend` finds that it does.
    cdef dvec x = dat_least(d, dsplat(-650))
    cdef dvec p, q, z, k, e
    if REAL_BITS == 32:
        double_power(x, True, &p, &z, &k)
        high[0] = dterm_of_float(p, z, k)
        if weighted:
            high[0] = high[0] * b
        return
    pair_power(x, lost, &p, &q, &z, &k)
    if weighted:
        e = p * b
        low[0] = dterm_in_range(q * b - residual(e, p, b), z, k)
        high[0] = dterm_in_range(e, z, k)
        return
    e = dterm_in_range(p, z, k)
    high[0] = (e + grid) - grid
    low[0] = dpick(d < dsplat(-650), dsplat(0), (e - high[0]) + dterm_in_range(q, z, k))


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
    # How near to zero an answer may lie: the error of float32's sum is 2^-36, what float64 drops is e^-650.
    return dsplat(0.0009765625 if REAL_BITS == 32 else 1e-266)


cdef inline divec short_is_fine(dvec total, dvec result) noexcept nogil:
    # The sum is no NaN and far above what was dropped (without weights it is at least e^-32); the answer is not too
    # near zero.
    return (total >= dsplat(1e-46 if REAL_BITS == 32 else 1e-150)) & (dmagnitude(result) >= nearest())


cdef void mend(const real *a, Py_ssize_t a_step, Py_ssize_t n, double *value) noexcept nogil:
    # The answers of DLANES columns of which some hold what is infinite or NaN, or lie next to zero.
    cdef double memory[NUMBERS * LANES_BOUND]
    cdef real zeros[LANES_BOUND]
    cdef Terms plain
    cdef States states
    cdef dvec x, high, low, part, total, result = dload(value), infinity = dsplat(INFINITY), zero = dsplat(0)
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
    if dany(near) and REAL_BITS == 32:    # to 2^-53, with plenty to spare for what so few small parts lose
        high = exact_grid()
        low = zero
        for row in range(n):
            exact_parts(load_double(a + row * a_step), zero, False, NULL, &high, &part, NULL)
            low = low + part
        high = high - exact_grid()
        total = high + low
        low = (high - total) + low
    elif dany(near):
        states = states_in(memory, LANES_BOUND)
        for row in range(LANES_BOUND):
            zeros[row] = 0
        plain = plain_terms(a, a_step)
        look_columns(&plain, n, DLANES, zeros, EXACT, &states)
        total = dload(states.high)
        low = dload(states.low) + dload(states.rest)
    if dany(near):
        result = dpick(near, log_pair(total, low, zero), result)
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
                    short_term(x[p] - shift, dsplat(0), dsplat(0), False, grid, high + p, low + p)
            else:
                row = p
                while row < n:
                    short_term(load_double(a + row * a_step + j) - shift, dsplat(0), dsplat(0), False, grid, &h, &l)
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
    cdef Py_ssize_t v, j
    if n == 1:    # an element alone is its own answer, to the last digit
        for v in range((width + DLANES - 1) // DLANES):
            j = column_of(v, DLANES, width)
            dstore(value + j, load_double(a + j))
    elif n <= 2:
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
    if n == 1:
        return a[0]
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
            short_term(load_double(a + i + v * DLANES) - shift, dsplat(0), dsplat(0), False, grid, &h, &l)
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


# --- short rows with weights, log-weights or a scale --------------------------------------------------------
#
# As above, with what rounding took from the exponents (double alone: of float32 nothing is lost in double) and the
# weights as factors.  A weight may be anything that is not negative and, in double, below 1e100, beside which what
# short_term drops is nothing.  All else, and answers next to zero, are NaN, for `fold_columns` to find.

cdef void short_exponents(const Terms *terms, Py_ssize_t n, Py_ssize_t j, dvec *x, dvec *lost, dvec *b, dvec *peak,
                          divec *known) noexcept nogil:
    # Of DLANES columns, with the largest, and whether all weights may be factors.  A zero weight drops its element.
    cdef dvec high = dsplat(-INFINITY), least = dsplat(1), most = dsplat(1), weight = most
    cdef Py_ssize_t row
    for row in range(n):
        x[row] = fetch_double(terms, row, j, lost + row, &weight)
        if terms.b != NULL:
            x[row] = dpick(weight == dsplat(0), dsplat(-INFINITY), x[row])
            b[row] = weight
            least = dat_most(weight, least)
            most = dat_least(weight, most)
        high = dat_least(x[row], high)
    peak[0] = high
    known[0] = (least >= dsplat(0)) & (most <= dsplat(1e100))


cdef inline void short_sum(const dvec *x, const dvec *lost, const dvec *b, Py_ssize_t n, bint weighted, dvec shift,
                           dvec grid, dvec *high, dvec *low) noexcept nogil:
    cdef dvec h, l = dsplat(0)
    cdef Py_ssize_t row
    high[0] = low[0] = dsplat(0)
    for row in range(n):
        short_term(x[row] - shift, lost[row] if REAL_BITS == 64 else l, b[row] if weighted else l, weighted, grid, &h,
                   &l)
        if weighted and REAL_BITS == 64:
            add_pair(h, l, high, low)
        else:
            high[0] = high[0] + h
            low[0] = low[0] + l


cdef bint careful_terms(const Terms *terms, Py_ssize_t n, Py_ssize_t width, double *value) noexcept nogil:
    cdef dvec x[SHORT_ROW]
    cdef dvec lost[SHORT_ROW]
    cdef dvec b[SHORT_ROW]
    cdef dvec high[TILE]
    cdef dvec low[TILE]
    cdef dvec shift[TILE]
    cdef divec known[TILE]
    cdef divec nothing[TILE]
    cdef dvec peak, result, grid = dsplat(0)
    cdef divec fine = grid == grid
    cdef Py_ssize_t v, vectors = (width + DLANES - 1) // DLANES
    for v in range(vectors):
        short_exponents(terms, n, column_of(v, DLANES, width), x, lost, b, &peak, known + v)
        nothing[v] = peak == dsplat(-INFINITY)
        shift[v] = short_shift(dat_least(peak, dsplat(-1e300)), &grid)
        if terms.b != NULL:
            short_sum(x, lost, b, n, True, shift[v], grid, high + v, low + v)
        else:
            short_sum(x, lost, b, n, False, shift[v], grid, high + v, low + v)
    for v in range(vectors):
        result = short_answer(high[v], low[v], shift[v])
        nothing[v] = known[v] & nothing[v] & (high[v] < dsplat(1))    # no NaN was passed over
        known[v] = (known[v] & short_is_fine(high[v], result) & (high[v] < dsplat(INFINITY))) | nothing[v]
        fine = fine & known[v]
        result = dpick(nothing[v], dsplat(-INFINITY), result)
        dstore(value + column_of(v, DLANES, width), dpick(known[v], result, dsplat(NAN)))
    return dall(fine)


# --- a first look at short rows -----------------------------------------------------------------------------
#
# Where exponentials come from a register table, as those of softmax do: t (1 + q), added in two parts, of which
# the first has no error.  That leaves 2^-27 (double 2^-56) in the logarithm, a quarter of an ulp of an answer of 1/4
# (a half of 1/8).  Only answers nearer to zero, and rows with what is infinite or NaN, are looked at with more care.
# No term is scaled: a peak beyond e^64 (double e^512) is subtracted from its row, which costs nothing that an
# answer of that size could show.
#
# Order of the sums: element k at position k mod 4, the four joined by halving.

cdef enum:
    ALONGSIDE = 4    # vectors whose logarithms are taken side by side: a chain of 25 operations each


cdef inline bint has_first_look(Py_ssize_t n) noexcept nogil:
    # Too many answers of two elements are near zero.
    return REGISTER_LOOKUP and n > 2


cdef inline void first_parts(const vec *x, const vec *lost, const vec *b, int count, bint general, bint weighted,
                             vec grid, vec *high, vec *low) noexcept nogil:
    # exp(x) of `count` vectors, or b exp(x + lost): what the grid holds of it, and the rest.
    # float's ln2 is right to 2^-28.4, so that all exponents of plain terms come out a little too small, by as large a
    # part of themselves: `first_answers` makes good for it.
    # Of general terms, whose sums may lie next to 1, what rounding takes from r is carried beside r^2 Q(r).
    # bound  2^-33 of a general term (double 2^-63, of the smallest table 2^-59)
    cdef Powers powers = powers_of_two()
    cdef vec r[GROUP_BOUND]
    cdef vec t[GROUP_BOUND]
    cdef vec q[GROUP_BOUND]
    cdef vec beside[GROUP_BOUND]
    cdef vec error[GROUP_BOUND]
    cdef vec rounding = splat(WHOLE_STEPS)
    cdef vec y, z, k, near, rest
    cdef int s
    for s in range(count):
        y = at_least(x[s], splat(<real> (-87.0 if REAL_BITS == 32 else -708.0)))
        z = y * splat(<real> 1.4426950408889634) + rounding
        k = z - rounding
        near = vresidual(y, k, splat(LN2_NEAREST))
        if general:
            rest = (vlookup(powers.lost, z) + lost[s]) - k * splat(LN2_REST)
            r[s] = near + rest
            beside[s] = (near - r[s]) + rest
        else:
            if REAL_BITS == 64:
                near = near - k * splat(LN2_REST)
            r[s] = near + vlookup(powers.lost, z)
        t[s] = times_power(vlookup(powers.bare, z), z)
    if general and REAL_BITS == 32:
        horner(<const real *> EXP_FLOAT_8, 2, r, count, q)
    else:
        table_tails(r, count, True, q)
    for s in range(count):
        if weighted:
            y = t[s] * b[s]
            error[s] = vresidual(y, t[s], b[s])
            t[s] = y
        if general:
            beside[s] = (r[s] * r[s]) * q[s] + beside[s]
            high[s] = (fused(t[s], r[s] + beside[s], t[s]) + grid) - grid
            low[s] = fused(t[s], beside[s], fused(t[s], r[s], t[s] - high[s]))
        else:
            r[s] = (r[s] * r[s]) * q[s] + r[s]
            high[s] = (whole_term(t[s], r[s]) + grid) - grid
            low[s] = fused(t[s], r[s], t[s] - high[s])
        if weighted:    # error (1 + r)
            low[s] = vresidual(low[s] - error[s], error[s], r[s])


cdef inline vec first_grid(vec peak) noexcept nogil:
    # As sum_grid(), of which the leading bit serves as well, for terms that count from the power of two next to
    # exp(peak).
    return raised_power(peak * splat(<real> 1.4426950408889634), 9 if REAL_BITS == 32 else 8)


cdef inline real nearest_far() noexcept nogil:
    # The least peak that is subtracted from its row.
    return 64 if REAL_BITS == 32 else 512


cdef inline vec with_far(vec beyond, vec x) noexcept nogil:
    # Gathers for `all_close` whether any x is far: below 2 an exponent's highest bit is 0.
    return either_bits(beyond, x * splat(2 / nearest_far()))


cdef inline vec first_shift(vec peak) noexcept nogil:
    return pick(magnitude(peak) < splat(nearest_far()), splat(0), peak)


cdef inline void first_answers(vec *high, vec *low, const vec *peak, const vec *shift, bint far, int count,
                               vec *answer) noexcept nogil:
    # Answers of `count` vectors of rows; `shift` matters where any is `far`.
    cdef vec excess[GROUP_BOUND]
    cdef vec sum
    cdef dvec result
    cdef int s
    for s in range(count):
        sum = high[s] + low[s]
        low[s] = (high[s] - sum) + low[s]
        high[s] = sum
        # ln2 / float(ln2) - 1, for most of the sum lies next to the peak.
        excess[s] = (peak[s] - shift[s] if far else peak[s]) * splat(<real> LN2_EXCESS) if REAL_BITS == 32 else splat(0)
    if has_logs_near():
        logs_near(high, low, excess, count, False)
    for s in range(count):
        if has_logs_near() and far:
            sum = shift[s] + high[s]
            answer[s] = sum + (((shift[s] - sum) + high[s]) + low[s])
        elif has_logs_near():
            answer[s] = high[s] + low[s]
        else:
            result = log_pair(half(high[s], 0), half(low[s], 0), half(shift[s], 0) if far else dsplat(0))
            answer[s] = joined(result, result)


cdef inline real least_far() noexcept nogil:
    # The least answer of a first look that is as right as it should be.
    return 0.25 if REAL_BITS == 32 else 0.125


cdef inline ivec may_stay(vec answer) noexcept nogil:
    return magnitude(answer) >= splat(least_far())


cdef inline void first_sum(const real *a, Py_ssize_t a_step, Py_ssize_t n, bint far, vec shift, vec grid,
                           Py_ssize_t ahead, vec *high, vec *low) noexcept nogil:
    # Asks memory for the vector `ahead` of this one, as in `distance`.
    cdef vec highs[4]
    cdef vec lows[4]
    cdef vec x[GROUP_BOUND]
    cdef vec h[GROUP_BOUND]
    cdef vec l[GROUP_BOUND]
    cdef Py_ssize_t row = 0, p
    cdef int s, group
    for p in range(4):
        highs[p] = lows[p] = splat(0)
    while row < n:
        group = PAIRED if row + PAIRED <= n else 1
        for s in range(group):
            x[s] = load(a + (row + s) * a_step)
            if ahead > 0:
                prefetch(a + (row + s) * a_step + ahead)
            if far:
                x[s] = x[s] - shift
        if group == PAIRED:
            first_parts(x, NULL, NULL, PAIRED, False, False, grid, h, l)
        else:
            first_parts(x, NULL, NULL, 1, False, False, grid, h, l)
        for s in range(group):
            p = (row + s) & 3
            highs[p] = h[s] if row + s < 4 else highs[p] + h[s]
            lows[p] = l[s] if row + s < 4 else lows[p] + l[s]
        row += group
    high[0] = (highs[0] + highs[1]) + (highs[2] + highs[3])
    low[0] = (lows[0] + lows[1]) + (lows[2] + lows[3])


cdef inline void first_sums(const real *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width, bint far,
                            const vec *peaks, const vec *shifts, vec *answers) noexcept nogil:
    # All sums first, then all logarithms, as in short_panel.
    cdef vec highs[TILE]
    cdef vec lows[TILE]
    cdef Py_ssize_t v, vectors = (width + LANES - 1) // LANES, ahead = distance(a_step, n, width)
    for v in range(vectors):
        first_sum(a + column_of(v, LANES, width), a_step, n, far, shifts[v],
                  first_grid(peaks[v] - shifts[v] if far else peaks[v]), ahead, highs + v, lows + v)
    v = 0
    while v < vectors:
        if v + ALONGSIDE <= vectors:
            first_answers(highs + v, lows + v, peaks + v, shifts + v, far, ALONGSIDE, answers + v)
            v += ALONGSIDE
        else:
            first_answers(highs + v, lows + v, peaks + v, shifts + v, far, 1, answers + v)
            v += 1


cdef void look_carefully(const real *a, Py_ssize_t a_step, Py_ssize_t n, vec answer, real *value) noexcept nogil:
    # At those of a vector's columns that lie near zero: most often one.
    cdef double again[LANES_BOUND]
    cdef Py_ssize_t first = 0, k
    cdef bint any_near
    while first < LANES:
        any_near = False
        for k in range(first, first + DLANES):
            any_near = any_near or not fabs(lane(answer, k)) >= least_far()
        if any_near:
            careful_columns(a + first, a_step, n, DLANES, again)
            for k in range(DLANES):
                if not fabs(lane(answer, first + k)) >= least_far():
                    value[first + k] = <real> again[k]
        first += DLANES


cdef inline void first_look(const real *a, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                            real *value) noexcept nogil:
    cdef vec peaks[TILE]
    cdef vec shifts[TILE]
    cdef vec answers[TILE]
    cdef Terms terms = plain_terms(a, a_step)
    cdef vec beside, beyond = splat(0), nothing = splat(<real> -INFINITY)
    cdef ivec all_fine = beyond == beyond
    cdef ivec empty[TILE]
    cdef Py_ssize_t v, j, vectors = (width + LANES - 1) // LANES
    for v in range(vectors):
        peak_of_vector(&terms, n, column_of(v, LANES, width), True, True, peaks + v, &beside)
        beyond = with_far(beyond, peaks[v])
    if all_close(beyond):    # one question for all: its answer is waited for
        first_sums(a, a_step, n, width, False, peaks, peaks, answers)
    else:
        for v in range(vectors):
            empty[v] = peaks[v] == nothing
            peaks[v] = unless_nothing(peaks[v])
            shifts[v] = first_shift(peaks[v])
        first_sums(a, a_step, n, width, True, peaks, shifts, answers)
        for v in range(vectors):
            answers[v] = pick(empty[v] & (answers[v] == answers[v]), nothing, answers[v])
    for v in range(vectors):
        store(value + column_of(v, LANES, width), answers[v])
        all_fine = all_fine & may_stay(answers[v])
    if all_set(all_fine):
        return
    for v in range(vectors):
        if not all_set(may_stay(answers[v])):
            j = column_of(v, LANES, width)
            look_carefully(a + j, a_step, n, answers[v], value + j)


cdef void short_columns(const void *start, Py_ssize_t a_step, Py_ssize_t n, Py_ssize_t width,
                        void *out) noexcept nogil:
    cdef const real *a = <const real *> start
    cdef real *value = <real *> out
    cdef double careful[TILE]
    cdef Py_ssize_t v, j
    if not has_first_look(n):
        careful_columns(a, a_step, n, width, careful)
        for v in range((width + LANES - 1) // LANES):
            j = column_of(v, LANES, width)
            store(value + j, joined(dload(careful + j), dload(careful + j + (HALVES - 1) * DLANES)))
    elif n == 4:
        first_look(a, a_step, 4, width, value)
    elif n == 8:
        first_look(a, a_step, 8, width, value)
    else:
        first_look(a, a_step, n, width, value)


cdef inline void dense_rows(const real *a, Py_ssize_t n, Py_ssize_t m, Py_ssize_t count, real *value) noexcept nogil:
    # Rows without gaps, ALONGSIDE vectors of them at a time: their elements need not pass through memory to become
    # columns.  The sums and answers of `first_look`.
    cdef vec x[SHORT_ROW + LANES_BOUND]
    cdef vec peaks[ALONGSIDE]
    cdef vec highs[ALONGSIDE]
    cdef vec lows[ALONGSIDE]
    cdef vec answers[ALONGSIDE]
    cdef vec beyond
    cdef ivec all_fine
    cdef bint close
    cdef Py_ssize_t first = 0, i
    cdef int v
    while first < count:
        beyond = splat(0)
        all_fine = beyond == beyond
        for v in range(ALONGSIDE):
            load_columns(a + (first + v * LANES) * n, n, m, x)
            peaks[v] = x[0]
            for i in range(1, n):
                peaks[v] = at_least(x[i], peaks[v])
            beyond = with_far(beyond, peaks[v])
            first_sum(<const real *> x, LANES, n, False, splat(0), first_grid(peaks[v]), 0, highs + v, lows + v)
        first_answers(highs, lows, peaks, peaks, False, ALONGSIDE, answers)
        for v in range(ALONGSIDE):
            store(value + first + v * LANES, answers[v])
            all_fine = all_fine & may_stay(answers[v])
        close = all_close(beyond)
        if not (close and all_set(all_fine)):
            for v in range(ALONGSIDE):    # of rows of eight and more it is seldom, and to ask would cost registers
                if m > 4 or not (close and all_set(may_stay(answers[v]))):
                    look_again(a + (first + v * LANES) * n, n, m, answers[v], value + first + v * LANES)
        first += ALONGSIDE * LANES


cdef inline void look_again(const real *a, Py_ssize_t n, Py_ssize_t m, vec answer, real *value) noexcept nogil:
    # At LANES of dense_rows, if any needs it.
    cdef vec x[SHORT_ROW + LANES_BOUND]
    cdef const real *columns = <const real *> x
    cdef vec beyond = splat(0)
    cdef Py_ssize_t i
    load_columns(a, n, m, x)
    for i in range(n):
        beyond = with_far(beyond, x[i])
    if not all_close(beyond):    # perhaps only what lies below the peak: no matter
        first_look(columns, LANES, n, LANES, value)
    elif not all_set(may_stay(answer)):
        look_carefully(columns, LANES, n, answer, value)


cdef Py_ssize_t short_rows(const void *start, Py_ssize_t n, Py_ssize_t count, void *out) noexcept nogil:
    cdef const real *a = <const real *> start
    cdef real *value = <real *> out
    if not has_first_look(n):
        return 0
    if n % LANES and n & (n - 1):
        count -= LANES // n + 1    # beyond the others' ends is read
    count -= count % (ALONGSIDE * LANES)
    if n == 3 and PERMUTES:
        dense_rows(a, 3, 4, count, value)
    elif n == 4:
        dense_rows(a, 4, 4, count, value)
    elif n == 8 and LANES >= 8:
        dense_rows(a, 8, 8, count, value)
    elif n == 16 and LANES >= 16:
        dense_rows(a, 16, 16, count, value)
    else:
        dense_rows(a, n, 0, count, value)
    return max(0, count)


# The same look at any terms.  Weights are factors; the grid lies as high as the largest of them asks for, and where the
# sum lies far below it, a row goes the careful way.

cdef inline real extreme_weight() noexcept nogil:
    # 2^24, 2^100: up to there products of a weight and a term are right to the last bit that counts.
    return <real> (16777216.0 if REAL_BITS == 32 else 1.2676506002282294e30)


cdef inline real below_grid() noexcept nogil:
    # The rests, each below 2^-14 (double 2^-44) of the largest term, have errors that count in a sum below this part of
    # the grid: 2^-7 (2^-30) of the largest weight beside the largest exponent.
    return <real> (1.52587890625e-05 if REAL_BITS == 32 else 3.637978807091713e-12)


cdef inline real least_close() noexcept nogil:
    # The least answer to which the sum's error does not matter.
    return 0.03125 if REAL_BITS == 64 and not REGISTER_TABLE else 0.015625


cdef inline ivec is_right(vec answer) noexcept nogil:
    # So far from zero that the 2^-28 (double 2^-57) of the logarithm does not matter.
    return magnitude(answer) >= splat(0.125)


cdef inline void sum_of_terms(const vec *x, const vec *lost, const vec *b, Py_ssize_t n, bint weighted, vec grid,
                              vec *high, vec *low) noexcept nogil:
    cdef vec h[GROUP_BOUND]
    cdef vec l[GROUP_BOUND]
    cdef Py_ssize_t row = 0
    cdef int s, group
    high[0] = low[0] = splat(0)
    while row < n:
        group = PAIRED if row + PAIRED <= n else 1
        if group == PAIRED:
            first_parts(x + row, lost + row, b + row, PAIRED, True, weighted, grid, h, l)
        else:
            first_parts(x + row, lost + row, b + row, 1, True, weighted, grid, h, l)
        for s in range(group):
            high[0] = high[0] + h[s]
            low[0] = low[0] + l[s]
        row += group


cdef inline ivec bring_terms(const Terms *terms, Py_ssize_t n, vec *x, vec *lost, vec *b, vec *shift,
                             vec *grid) noexcept nogil:
    # Exponents less the shift, and weights.  Which columns may be looked at this way?
    cdef vec nothing = splat(<real> -INFINITY), peak = nothing, least = splat(1), most = nothing
    cdef vec mantissa, exponent = splat(-1)
    cdef ivec fine = least == least
    cdef Py_ssize_t row = 0
    while row < n:
        if row + PAIRED <= n:    # without a call, which costs as long as these take
            exponents(terms, row, 1, 0, 0, PAIRED, x + row, lost + row, b + row)
            row += PAIRED
        else:
            exponents_apart(terms, row, 1, 0, 0, <int> (n - row), x + row, lost + row, b + row)
            row = n
    for row in range(n):
        lost[row] = splat(0) if are_exact(terms) else small_loss(lost[row])
        if terms.b != NULL:
            least = at_most(b[row], least)
            most = at_least(b[row], most)
        peak = at_least(x[row], peak)
    if terms.b != NULL:
        if not all_set(least > splat(0)):
            peak = nothing
            for row in range(n):
                x[row] = pick(b[row] == splat(0), nothing, x[row])
                peak = at_least(x[row], peak)
        split_power(most, &mantissa, &exponent)
        fine = (least >= splat(0)) & (most <= splat(extreme_weight())) & (most >= splat(1 / extreme_weight()))
    shift[0] = pick(magnitude(peak) < splat(nearest_far() / 2), splat(0), peak)
    if not all_set(shift[0] == splat(0)):
        for row in range(n):
            x[row] = x[row] - shift[0]
    grid[0] = first_grid(peak - shift[0] + (exponent + splat(1)) * splat(<real> 0.6931471805599453))
    return fine


cdef inline Terms columns_from(const Terms *terms, Py_ssize_t j) noexcept nogil:
    cdef Terms own = terms[0]
    own.a = <const real *> terms.a + j
    if terms.b_inner and terms.b != NULL:
        own.b = <const real *> terms.b + j
    if terms.b_inner and terms.logb != NULL:
        own.logb = <const real *> terms.logb + j
    if terms.kept_inner and terms.kept != NULL:
        own.kept = terms.kept + j
    return own


# LANES columns: of a panel, or of rows without gaps, which come here first.
cdef struct Columns:
    Terms terms
    vec a[SHORT_ROW + LANES_BOUND]
    vec b[SHORT_ROW + LANES_BOUND]


cdef void dense_columns(const void *rows, Py_ssize_t n, vec *x) noexcept nogil:
    if n == 4:
        load_columns(<const real *> rows, 4, 4, x)
    elif n == 8 and LANES >= 8:
        load_columns(<const real *> rows, 8, 8, x)
    elif n == 16 and LANES >= 16:
        load_columns(<const real *> rows, 16, 16, x)
    else:
        load_columns(<const real *> rows, n, 0, x)


cdef void bring_columns(const Terms *terms, Py_ssize_t n, Py_ssize_t j, bint dense, Columns *columns) noexcept nogil:
    columns.terms = columns_from(terms, j * n if dense else j)
    if not dense:
        return
    dense_columns(columns.terms.a, n, columns.a)
    columns.terms.a = columns.a
    columns.terms.a_step = LANES
    if terms.b_inner and (terms.b != NULL or terms.logb != NULL):
        dense_columns(columns.terms.b if terms.b != NULL else columns.terms.logb, n, columns.b)
        columns.terms.b_step = LANES
        if terms.b != NULL:
            columns.terms.b = columns.b
        else:
            columns.terms.logb = columns.b


cdef inline bint look_at_terms(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint dense,
                               double *value) noexcept nogil:
    cdef Columns columns
    cdef vec x[SHORT_ROW]
    cdef vec lost[SHORT_ROW]
    cdef vec b[SHORT_ROW]
    cdef vec highs[TILE]
    cdef vec lows[TILE]
    cdef vec shifts[TILE]
    cdef ivec fine[TILE]
    cdef vec grid
    cdef bint all_known = True
    cdef Py_ssize_t v = 0, vectors = (width + LANES - 1) // LANES
    for v in range(vectors):
        bring_columns(terms, n, column_of(v, LANES, width), dense, &columns)
        fine[v] = bring_terms(&columns.terms, n, x, lost, b, shifts + v, &grid)
        if terms.b != NULL:
            sum_of_terms(x, lost, b, n, True, grid, highs + v, lows + v)
        else:
            sum_of_terms(x, lost, b, n, False, grid, highs + v, lows + v)
        fine[v] = fine[v] & (highs[v] >= grid * splat(below_grid()))
    v = 0
    while v < vectors:
        if v + ALONGSIDE <= vectors:
            all_known &= answer_terms(terms, n, width, dense, v, ALONGSIDE, highs, lows, shifts, fine, value)
            v += ALONGSIDE
        else:
            all_known &= answer_terms(terms, n, width, dense, v, 1, highs, lows, shifts, fine, value)
            v += 1
    return all_known


cdef bint short_terms(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint dense, double *value) noexcept nogil:
    if has_first_look(n):
        return look_at_terms(terms, n, width, dense, value)
    return careful_terms(terms, n, width, value)


cdef inline bint answer_terms(const Terms *terms, Py_ssize_t n, Py_ssize_t width, bint dense, Py_ssize_t first,
                              int count, const vec *highs, const vec *lows, const vec *shifts, const ivec *fine,
                              double *value) noexcept nogil:
    # Of `count` vectors of columns from the `first` on, those that need it by the careful way.
    cdef double again[LANES_BOUND]
    cdef vec high[ALONGSIDE]
    cdef vec low[ALONGSIDE]
    cdef vec answer[ALONGSIDE]
    cdef divec known = dsplat(0) == dsplat(0)
    cdef dvec result
    cdef Columns columns
    cdef Terms own
    cdef Py_ssize_t v, j, s
    cdef int which
    for s in range(count):
        high[s] = highs[first + s]
        low[s] = lows[first + s]
    first_answers(high, low, shifts + first, shifts + first, True, count, answer)
    for s in range(count):
        v = first + s
        j = column_of(v, LANES, width)
        if has_logs_near() and not all_set(is_right(answer[s])):    # elsewhere they are as right already
            answer[s] = closer_answers(highs[v], lows[v], shifts[v], answer[s])
        answer[s] = pick(fine[v] & (magnitude(answer[s]) >= splat(least_close())), answer[s], splat(<real> NAN))
        for which in range(HALVES):
            result = half(answer[s], which)
            if not dall(result == result):
                bring_columns(terms, n, j, dense, &columns)
                own = columns_from(&columns.terms, which * DLANES)
                careful_terms(&own, n, DLANES, again)
                result = dpick(result == result, result, dload(again))
                known = known & (result == result)
            dstore(value + j + which * DLANES, result)
    return dall(known)


cdef vec closer_answers(vec high, vec low, vec shift, vec answer) noexcept nogil:
    # Those next to zero by logarithms of which more than that is right.
    cdef dvec result[HALVES_BOUND]
    cdef vec sum = high + low
    cdef int which
    for which in range(HALVES):
        if REAL_BITS == 32:
            result[which] = log_coarse(half(high, which) + half(low, which), half(shift, which))
        else:
            result[which] = log_pair(half(sum, 0), half((high - sum) + low, 0), half(shift, 0))
    return pick(is_right(answer), answer, joined(result[0], result[HALVES - 1]))


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
    cdef vec peak = splat(<real> -INFINITY), shift, grid, x, high, low, answer
    cdef Py_ssize_t i = 0
    if not has_first_look(n):
        return <real> careful_row(a, n)
    pad(a, n, (n + SPREAD - 1) // SPREAD * SPREAD, <real> -INFINITY, padded)
    while i < n:
        peak = at_least(load(padded + i), peak)
        i += LANES
    peak = splat(largest(peak))
    shift = first_shift(peak)
    grid = first_grid(peak - shift)
    i = 0
    while i < n:
        x = load(padded + i) - shift
        first_parts(&x, NULL, NULL, 1, False, False, grid, &high, &low)
        store(highs + i, high)
        store(lows + i, low)
        i += LANES
    for i in range(n, (n + 3) // 4 * 4):
        highs[i] = lows[i] = 0
    high = splat(in_order(highs, n))
    low = splat(in_order(lows, n))
    first_answers(&high, &low, &peak, &shift, True, 1, &answer)
    return lane(answer, 0) if all_set(may_stay(answer)) else <real> careful_row(a, n)
