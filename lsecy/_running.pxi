# Running sums: a part of _drivers.pyx.
#
# A sum and its next term are added in double, with what rounding takes from the sum beside it.  A long row is cut into
# tasks, by its length alone: these are folded first, so that each knows the sum of all before it.
#
# Within a task elements are looked at a chunk at a time.  Exponentials are rounded to double, all relative to one
# shift: 0, unless the largest lies beyond FAR.  That is as good as the answer where its logarithm is not near zero.
# Where a sum lies in `near_one`, and with weights, NaN or infinities, each element becomes a state of its own, which
# has what rounding takes from the exponential too: a few elements, and then the rest of the chunk is tried again.
# The usual chunk, of plain elements below 350 and sums that are far from 1, has a way without all this.

from libc.math cimport floor

cdef enum:
    SCAN_TASK = 16384    # elements of a task, and up to 63 more at the end
    CHUNK = 128          # elements that share a shift; it divides a block
    CAREFUL = 16         # elements that are looked at with care at a time: at least a vector
    LARGE = 8            # a sum whose logarithm, above 2, needs no more than a double; as does that of its inverse
    FAR = 600            # exp(FAR) times the number of elements is a double


cdef inline Py_ssize_t scan_tasks(Py_ssize_t n) noexcept nogil:
    return max(1, (n - TILE + SCAN_TASK) // SCAN_TASK)


cdef inline void add_term(const States *running, Py_ssize_t k, double shift, double high, double low) noexcept nogil:
    # A sum and its next term, of any shifts.
    cdef double nothing = 0
    if shift == INFINITY:    # NaN or infinite terms, of which nothing else is left
        running.high[k] = high if running.shift[k] < INFINITY else running.high[k] + high
        running.low[k] = running.rest[k] = 0
        running.shift[k] = shift
        return
    if shift > running.shift[k]:
        decay(shift - running.shift[k], running.high + k, running.low + k, running.rest + k, &nothing)
        running.shift[k] = shift
    elif shift < running.shift[k] - 800:    # beyond the smallest double, or nothing
        return
    elif shift < running.shift[k]:
        decay(running.shift[k] - shift, &high, &low, &nothing, &nothing)
    add_equal(running, k, high, low)


cdef inline void add_equal(const States *running, Py_ssize_t k, double high, double low) noexcept nogil:
    # Of equal shifts.
    cdef double sum = running.high[k] + high, back = sum - running.high[k]
    low = ((running.high[k] - (sum - back)) + (high - back)) + low
    running.high[k] = sum
    sum = running.low[k] + low
    back = sum - running.low[k]
    running.rest[k] += (running.low[k] - (sum - back)) + (low - back)
    running.low[k] = sum


cdef inline bint equal_shifts(const double *one, const double *other, Py_ssize_t count) noexcept nogil:
    # And none of them infinite.
    cdef Py_ssize_t k
    cdef int differ = 0
    for k in range(count):
        differ |= (one[k] != other[k]) | (one[k] == INFINITY)
    return not differ


cdef inline void term_states(const Kernels *kernels, const Terms *terms, Py_ssize_t row, Py_ssize_t first,
                             Py_ssize_t width, int bits, const States *states) noexcept nogil:
    # Each of `width` neighbouring elements as a state: a block of one row is folded as that many columns.
    cdef Terms here = terms[0]
    cdef Py_ssize_t size = bits // 8
    here.a = <const char *> terms.a + (row * terms.a_step + first) * size
    if terms.b != NULL:
        here.b = <const char *> terms.b + (row * terms.b_step + first * terms.b_inner) * size
    if terms.logb != NULL:
        here.logb = <const char *> terms.logb + (row * terms.b_step + first * terms.b_inner) * size
    if terms.kept != NULL:
        here.kept = terms.kept + row * terms.kept_step + first * terms.kept_inner
    kernels.fold_columns(&here, 1, width, SHORT if bits == 64 else EXACT, states)


cdef inline void show(const Problem *problem, const States *states, Py_ssize_t width, void *out,
                      Py_ssize_t place) noexcept nogil:
    # The answers of sums that are normalised.
    cdef double value[TILE]
    answers_of(problem, states, width, value)
    store(problem, out, place, 1, value, width)


cdef inline void answers_of(const Problem *problem, const States *states, Py_ssize_t width,
                            double *value) noexcept nogil:
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef double near = near_zero(SHORT, problem.bits)
    pad_states(states, width)
    if kernels.finish(states, width, near, 0, value, NULL) and near > 0:
        kernels.finish(states, width, 0, 0, value, NULL)


cdef inline void normalise(const States *running, Py_ssize_t k, const States *shown, Py_ssize_t place) noexcept nogil:
    shown.shift[place] = running.shift[k]
    shown.high[place] = running.high[k] + running.low[k]
    shown.low[place] = (running.high[k] - shown.high[place]) + running.low[k]
    shown.rest[place] = running.rest[k]
    shown.size[place] = 0


cdef void scan_columns(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t width,
                       bint exclusive, const States *running, void *out, Py_ssize_t step) noexcept nogil:
    # With care.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Room room, shown_room
    cdef States states = states_of(&room), shown = states_of(&shown_room)
    cdef Py_ssize_t row, k
    for row in range(start, start + n):
        term_states(kernels, terms, row, 0, width, problem.bits, &states)
        if exclusive:
            for k in range(width):
                normalise(running, k, &shown, k)
        if equal_shifts(states.shift, running.shift, width):
            for k in range(width):
                add_equal(running, k, states.high[k], states.low[k])
        else:
            for k in range(width):
                add_term(running, k, states.shift[k], states.high[k], states.low[k])
        if not exclusive:
            for k in range(width):
                normalise(running, k, &shown, k)
        show(problem, &shown, width, out, row * step)


cdef void scan_carefully(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t width,
                         bint exclusive, const States *running, void *out) noexcept nogil:
    # Up to CAREFUL elements of a row.
    cdef Room room, shown_room
    cdef States states = states_of(&room), shown = states_of(&shown_room)
    cdef Py_ssize_t before = CAREFUL - width, k    # a vector steps back rather than read beyond the end
    term_states(kernels_of(problem.bits), terms, 0, start - before, CAREFUL, problem.bits, &states)
    for k in range(width):
        if exclusive:
            normalise(running, 0, &shown, k)
        if states.shift[before + k] == running.shift[0] and running.shift[0] < INFINITY:
            add_equal(running, 0, states.high[before + k], states.low[before + k])
        else:
            add_term(running, 0, states.shift[before + k], states.high[before + k], states.low[before + k])
        if not exclusive:
            normalise(running, 0, &shown, k)
    show(problem, &shown, width, out, start)


# Elements of a row, or of some columns, in double.
cdef struct Wide:
    double a[CHUNK * TILE]
    double logb[CHUNK * TILE]
    Terms terms


cdef inline void widen(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t width,
                       Wide *wide) noexcept nogil:
    # Elements `start` on of a row (width 0), or rows `start` on of a panel.  What a mask leaves out of plain ones is -inf.
    cdef Py_ssize_t row, k, across = max(1, width)
    cdef Py_ssize_t first = start * terms.a_step if width else start, first_b = start * terms.b_step if width else start
    cdef const float *a
    cdef Terms *here = &wide.terms
    here[0] = terms[0]
    if terms.kept != NULL:
        here.kept = terms.kept + (start * terms.kept_step if width else start * terms.kept_inner)
    if problem.bits == 64:
        here.a = <const double *> terms.a + first
        if terms.logb != NULL:
            here.logb = <const double *> terms.logb + (first_b if width or terms.b_inner else 0)
    else:
        here.a = wide.a
        here.a_step = width
        for row in range(n if width else 1):
            a = <const float *> terms.a + first + row * terms.a_step
            for k in range(width if width else n):
                wide.a[row * width + k] = a[k]
    if are_masked(here):
        kernels_64.drop(here, n if width else 1, width if width else n, -INFINITY, wide.a, width)
        here.a = wide.a
        here.a_step = width
        here.kept = NULL
    if terms.logb == NULL or problem.bits == 64:
        return
    here.logb = wide.logb
    here.b_step = across
    for row in range(n if width else 1):
        a = <const float *> terms.logb + (first_b + row * terms.b_step if width else start * terms.b_inner)
        for k in range((width if width else n) if terms.b_inner else 1):
            wide.logb[row * width + k] = a[k]


cdef inline bint common_shift(const States *running, Py_ssize_t k, double peak, double *shift) noexcept nogil:
    # Of a sum and the terms of a chunk with this peak: 0 wherever that is possible.  False where there is none.
    shift[0] = 0
    if not fabs(peak) < INFINITY or running.shift[k] == INFINITY:
        return False
    if fabs(peak) > FAR or running.shift[k] > FAR:
        shift[0] = max(32 * floor(peak * 0.03125), running.shift[k])
    return True


cdef inline bint may_shift(const Terms *terms) noexcept nogil:
    # Are exponents just elements?  What the difference of one that counts and a shift rounds is then nothing: shifts
    # are multiples of 32, beyond FAR, and lie less than 32 below the largest element.
    return terms.logb == NULL and terms.scale == 1


cdef inline void move(const States *sum, Py_ssize_t k, double shift) noexcept nogil:
    # To another shift.  What growing rounds is nothing beside a logarithm from 32 on.
    cdef double size = 0, scale, product
    if shift >= sum.shift[k]:
        decay(shift - sum.shift[k] if shift > sum.shift[k] else 0, sum.high + k, sum.low + k, sum.rest + k, &size)
    else:
        scale = exp(sum.shift[k] - shift)
        product = sum.high[k] * scale
        sum.low[k] = product_error(sum.high[k], scale, product) + sum.low[k] * scale
        sum.high[k] = product
        sum.rest[k] *= scale
    sum.shift[k] = shift


cdef inline bint in_range(double before, double term, double held, double shift, bint exclusive) noexcept nogil:
    # Are the first sums that are shown, relative to the chunk's shift, doubles with all their digits, and their
    # logarithms no less than half of the shift?  `held`: the sum before under its own shift.
    cdef double least = max(exp(-0.5 * shift) if shift > 0 else 0, 1e-280)
    return before + term > least and (not exclusive or before > least or held == 0)


cdef inline bint near_one(double first, double last, double shift, int bits) noexcept nogil:
    # Does the logarithm of a sum between these come so near to zero that its digits are not those of rounded terms?
    if shift != 0:
        return False
    if bits == 32:
        return first < 1.000001 and last > 0.999999
    return first < 1.65 and last > 0.6    # exp(+-1/2)


cdef double[2 * TILE] NOUGHTS
cdef double[TILE] ONES
cdef int _place
for _place in range(TILE):
    ONES[_place] = 1


cdef void exponentials(Wide *wide, Py_ssize_t n, Py_ssize_t width, double *target) noexcept nogil:
    # Shares of 1, relative to 1.
    kernels_64.write(&wide.terms, n, width, LONG_SOFTMAX, NOUGHTS, ONES, NOUGHTS, NOUGHTS, target, TILE)


cdef inline void normalise_all(const double *high, const double *low, Py_ssize_t width,
                               const States *shown) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(width):
        shown.high[k] = high[k] + low[k]
        shown.low[k] = (high[k] - shown.high[k]) + low[k]


cdef inline bint is_large(double sum, double shift) noexcept nogil:
    return shift != 0 or sum > LARGE


cdef inline bint is_far_from_one(double sum) noexcept nogil:
    return LARGE < sum < 1e300 or (sum > 1e-100 and sum * LARGE < 1)


cdef inline bint may_be_rounded(const States *running, Py_ssize_t k) noexcept nogil:
    return running.shift[k] == 0 and is_far_from_one(running.high[k])


cdef inline bint may_be_paired(const States *running, Py_ssize_t k) noexcept nogil:
    # A sum of nothing has any shift.
    cdef double sum = running.high[k]
    return sum == 0 or (running.shift[k] == 0 and 1e-280 < sum < 1e300)


cdef inline bint stays_far(double sum, const double *y, Py_ssize_t n, Py_ssize_t apart) noexcept nogil:
    # Does the sum of these remain below 1 / LARGE, if it was?
    cdef Py_ssize_t k
    if sum > 1:
        return True
    for k in range(n):
        sum += y[k * apart]
    return sum * LARGE < 0.999999


cdef inline void keep_sum(const States *running, Py_ssize_t k, double high, double low, double rest) noexcept nogil:
    running.high[k] = high + low
    running.low[k] = (high - running.high[k]) + low
    running.rest[k] = rest


cdef bint scan_plain(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, bint exclusive,
                     const States *running, void *out) noexcept nogil:
    # Up to CHUNK elements of a row.  False, and nothing is done, where they are not so plain.
    cdef Wide wide
    cdef double y[CHUNK + 16]
    cdef double value[CHUNK]
    cdef double high = running.high[0], low = running.low[0], rest = running.rest[0], close = 0
    cdef double *target = <double *> out + start if problem.bits == 64 else value
    cdef const double *a
    if not (is_plain(terms) or are_masked(terms)):
        return False
    widen(problem, terms, start, n, 0, &wide)
    a = <const double *> wide.terms.a
    if may_be_rounded(running, 0):
        kernels_64.close_exponentials(a, 0, n, 0, y, &close)
        if close != 0 and stays_far(high, y, n, 1):
            low += rest
            rest = 0
            kernels_64.accumulate(y, n, 0, exclusive, &high, &low, target, 0)
        else:
            close = 0
    if close == 0:
        if not may_be_paired(running, 0):
            return False
        kernels_64.suit_pairs(a, 0, n, 0, &close)
        if close == 0:
            return False
        kernels_64.accumulate_pairs(a, 0, n, 0, exclusive, &high, &low, &rest, target, 0)
    if problem.bits == 32:
        store(problem, out, start, 1, value, n)
    running.shift[0] = 0
    keep_sum(running, 0, high, low, rest)
    return True


cdef Py_ssize_t scan_plain_columns(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n,
                                   Py_ssize_t width, bint exclusive, const States *running, void *out,
                                   Py_ssize_t step, bint *done) noexcept nogil:
    # The same of some columns: which are done, and how many.
    cdef Wide wide
    cdef double y[CHUNK * TILE]
    cdef double value[CHUNK * TILE]
    cdef double close[TILE]
    cdef double high[TILE]
    cdef double low[TILE]
    cdef double rest[TILE]
    cdef bint now[TILE]
    cdef const double *a
    cdef double *target
    cdef Py_ssize_t k, row, count = 0, some, a_step, target_step
    cdef bint paired
    for k in range(width):
        done[k] = False
    if not (is_plain(terms) or are_masked(terms)):
        return 0
    widen(problem, terms, start, n, width, &wide)
    a = <const double *> wide.terms.a
    a_step = wide.terms.a_step
    for paired in range(2):
        some = 0
        for k in range(width):
            now[k] = (not done[k] and may_be_paired(running, k)) if paired else may_be_rounded(running, k)
            some += now[k]
        if some == 0:
            continue
        if paired:
            kernels_64.suit_pairs(a, a_step, n, width, close)
        else:
            kernels_64.close_exponentials(a, a_step, n, width, y, close)
        some = 0
        for k in range(width):
            now[k] = now[k] and close[k] != 0 and (paired or stays_far(running.high[k], y + k, n, TILE))
            some += now[k]
            high[k] = running.high[k] if now[k] else LARGE
            low[k] = running.low[k] if now[k] else 0
            rest[k] = running.rest[k] if now[k] else 0
            if not paired:
                low[k] += rest[k]
                rest[k] = 0
        if some == 0:
            continue
        target = value
        target_step = TILE
        if some == width and problem.bits == 64:
            target = <double *> out + start * step
            target_step = step
        if paired:
            kernels_64.accumulate_pairs(a, a_step, n, width, exclusive, high, low, rest, target, target_step)
        else:
            kernels_64.accumulate(y, n, width, exclusive, high, low, target, target_step)
        for row in range(n if target == value else 0):
            if some == width:
                store(problem, out, (start + row) * step, 1, value + row * TILE, width)
                continue
            for k in range(width):
                if now[k]:
                    store(problem, out, (start + row) * step + k, 1, value + row * TILE + k, 1)
        for k in range(width):
            if now[k]:
                done[k] = True
                running.shift[k] = 0
                keep_sum(running, k, high[k], low[k], rest[k])
        count += some
    return count


cdef inline void large_answers(const double *high, const double *low, const double *shift, Py_ssize_t width,
                               double *value) noexcept nogil:
    # The logarithm of a large sum has no use for what the double of its sum lacks.
    cdef Py_ssize_t k
    for k in range(width):
        value[k] = high[k] + low[k]
    kernels_64.logs(value, width)
    for k in range(width):
        value[k] += shift[k]


cdef inline void answers_of_rounded(const Problem *problem, const States *shown, Py_ssize_t width,
                                    const bint *large, double *value) noexcept nogil:
    # Of sums of rounded terms, some of which are large.
    cdef double others[TILE]
    cdef Py_ssize_t k
    for k in range(width):
        shown.rest[k] = shown.size[k] = 0
    answers_of(problem, shown, width, value)
    if problem.bits == 32 or large == NULL:
        return
    large_answers(shown.high, shown.low, shown.shift, width, others)
    for k in range(width):
        if large[k]:
            value[k] = others[k]


cdef bint scan_chunk(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, bint exclusive,
                     const States *running, void *out) noexcept nogil:
    # Up to CHUNK elements of a row.  False, and nothing is done, where they want care.
    cdef Wide wide
    cdef Room room
    cdef States shown = states_of(&room), sum
    cdef double peak[2 * TILE]
    cdef double low[2 * TILE]
    cdef double y[CHUNK]
    cdef double value[TILE]
    cdef double highs[CHUNK + 1]
    cdef double rests[CHUNK + 1]
    cdef double shift, high, rest, total, back, first
    cdef Py_ssize_t done = 0, width, k
    if terms.b != NULL:
        return False
    widen(problem, terms, start, n, 0, &wide)
    kernels_64.peak(&wide.terms, n, 0, SOFTMAX, peak, low)
    if not common_shift(running, 0, peak[0], &shift):
        return False
    if ((running.shift[0] == 0 or running.high[0] == 0)
            and near_one(running.high[0], 0.999 * exp(peak[0]), shift, problem.bits)):
        return False    # as below, but found without the terms
    if shift != 0:
        if not may_shift(&wide.terms):
            return False
        for k in range(n):
            wide.a[k] = (<const double *> wide.terms.a)[k] - shift
        wide.terms.a = wide.a
    exponentials(&wide, n, 0, y)
    sum = from_place(&shown, TILE - 1)    # a copy, for it may turn out that care is wanted
    copy_state(&sum, 0, running, 0)
    move(&sum, 0, shift)
    high = first = sum.high[0]
    rest = sum.low[0] + sum.rest[0]
    highs[0] = high
    rests[0] = rest
    for k in range(n):
        total = high + y[k]
        back = total - high
        rest = rest + ((high - (total - back)) + (y[k] - back))
        high = total
        highs[k + 1] = high
        rests[k + 1] = rest
    if (not high < INFINITY or near_one(first, high, shift, problem.bits)
            or not in_range(first, y[0], running.high[0], shift, exclusive)):
        return False
    for k in range(TILE):
        shown.shift[k] = shift
    while done < n:
        width = min(TILE, n - done)
        k = done + (not exclusive)
        if problem.bits == 64 and is_large(first, shift):
            large_answers(highs + k, rests + k, shown.shift, width, value)
        else:
            normalise_all(highs + k, rests + k, width, &shown)
            answers_of_rounded(problem, &shown, width, NULL, value)
        store(problem, out, start + done, 1, value, width)
        done += width
    running.shift[0] = shift
    keep_sum(running, 0, high, rest, 0)
    return True


cdef void scan_row(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, bint exclusive,
                   const States *running, void *out) noexcept nogil:
    # A chunk.
    cdef Py_ssize_t end = start + n, width
    while start < end:
        if (scan_plain(problem, terms, start, end - start, exclusive, running, out)
                or scan_chunk(problem, terms, start, end - start, exclusive, running, out)):
            return
        width = min(CAREFUL, end - start)
        scan_carefully(problem, terms, start, width, exclusive, running, out)
        start += width


cdef void scan_panel(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t width,
                     bint exclusive, const States *running, void *out, Py_ssize_t step) noexcept nogil:
    # The same of some columns, each of which goes the way of a row.
    cdef Py_ssize_t end = start + n, count, k
    cdef bint done[TILE]
    while start < end:
        count = scan_plain_columns(problem, terms, start, end - start, width, exclusive, running, out, step, done)
        if count == width or (terms.b == NULL and 4 * count < 3 * width and scan_together(
                problem, terms, start, end - start, width, exclusive, running, out, step, done)):
            return
        if count > 0:    # few are left, cheaper alone than with all others beside them, or all of these want care
            for k in range(width):
                if not done[k]:
                    scan_alone(problem, terms, start, end - start, k, exclusive, running, out, step)
            return
        count = min(CAREFUL, end - start)
        scan_columns(problem, terms, start, count, width, exclusive, running, out, step)
        start += count


cdef bint scan_together(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n,
                        Py_ssize_t width, bint exclusive, const States *running, void *out,
                        Py_ssize_t step, const bint *done) noexcept nogil:
    # All that are not done.  False, and nothing is done, where all of these want care.  Those that do become rows.
    cdef Wide wide
    cdef Room room, sums_room
    cdef States shown = states_of(&room), sums = states_of(&sums_room)
    cdef double peak[2 * TILE]
    cdef double low[2 * TILE]
    cdef double y[CHUNK * TILE]
    cdef double total[TILE]
    cdef double value[TILE]
    cdef bint apart[TILE]
    cdef bint large[TILE]
    cdef Py_ssize_t left = 0, few = 0, row, k
    cdef bint shifted = False
    widen(problem, terms, start, n, width, &wide)
    kernels_64.peak(&wide.terms, n, width, SOFTMAX, peak, low)
    for k in range(width):
        copy_state(&sums, k, running, k)
        apart[k] = not common_shift(running, k, peak[k], shown.shift + k) or done[k]
        if shown.shift[k] != 0 and not may_shift(&wide.terms):
            apart[k] = True
        if apart[k]:
            shown.shift[k] = 0
        else:
            move(&sums, k, shown.shift[k])
        shifted = shifted or shown.shift[k] != 0
    if shifted:
        for row in range(n):
            for k in range(width):
                wide.a[row * width + k] = (<const double *> wide.terms.a)[row * wide.terms.a_step + k] - shown.shift[k]
        wide.terms.a = wide.a
        wide.terms.a_step = width
    exponentials(&wide, n, width, y)
    for k in range(width):
        sums.low[k] += sums.rest[k]
        total[k] = sums.high[k]
    for row in range(n):
        for k in range(width):
            total[k] += y[row * TILE + k]
    for k in range(width):
        if not apart[k]:
            apart[k] = (not total[k] < INFINITY or near_one(sums.high[k], total[k], shown.shift[k], problem.bits)
                        or not in_range(sums.high[k], y[k], running.high[k], shown.shift[k], exclusive))
        left += apart[k]
        large[k] = apart[k] or is_large(sums.high[k], shown.shift[k])
        few += not large[k]
    if left == width:
        return False
    for k in range(width):    # before their neighbours are written, for the result may lie where the input does
        if apart[k] and not done[k]:
            scan_alone(problem, terms, start, n, k, exclusive, running, out, step)
    for row in range(n):
        if not exclusive:
            add_rounded(&sums, width, y + row * TILE)
        if problem.bits == 64 and few == 0:
            large_answers(sums.high, sums.low, shown.shift, width, value)
        else:
            normalise_all(sums.high, sums.low, width, &shown)
            answers_of_rounded(problem, &shown, width, large, value)
        if exclusive:
            add_rounded(&sums, width, y + row * TILE)
        if left == 0:
            store(problem, out, (start + row) * step, 1, value, width)
            continue
        for k in range(width):
            if not apart[k]:
                store(problem, out, (start + row) * step + k, 1, value + k, 1)
    for k in range(width):
        if not apart[k]:
            running.shift[k] = shown.shift[k]
            keep_sum(running, k, sums.high[k], sums.low[k], 0)
    return True


cdef inline void add_rounded(const States *sums, Py_ssize_t width, const double *y) noexcept nogil:
    cdef Py_ssize_t k
    cdef double sum, back
    for k in range(width):
        sum = sums.high[k] + y[k]
        back = sum - sums.high[k]
        sums.low[k] = sums.low[k] + ((sums.high[k] - (sum - back)) + (y[k] - back))
        sums.high[k] = sum


cdef void scan_alone(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t column,
                     bint exclusive, const States *running, void *out, Py_ssize_t step) noexcept nogil:
    # One column of a panel without weights, gathered into a row.
    cdef double a[CAREFUL + CHUNK]
    cdef double logb[CAREFUL + CHUNK]
    cdef double answer[CHUNK]
    cdef char kept[CAREFUL + CHUNK]
    cdef Terms row = plain_terms(<char *> a + CAREFUL * (problem.bits // 8), 0)
    cdef States mine = from_place(running, column)
    cdef Py_ssize_t k, size = problem.bits // 8
    row.scale = terms.scale
    for k in range(CAREFUL):    # which are looked at, and not used
        a[k] = logb[k] = kept[k] = 0
    for k in range(n):
        copy_number(<const char *> terms.a + ((start + k) * terms.a_step + column) * size, size,
                    <char *> row.a + k * size)
    if terms.logb != NULL:
        row.logb = <char *> logb + CAREFUL * size
        for k in range(n):
            copy_number(<const char *> terms.logb + ((start + k) * terms.b_step + column * terms.b_inner) * size, size,
                        <char *> row.logb + k * size)
    if terms.kept != NULL:
        row.kept = kept + CAREFUL
        for k in range(n):
            kept[CAREFUL + k] = terms.kept[(start + k) * terms.kept_step + column * terms.kept_inner]
    scan_row(problem, &row, 0, n, exclusive, &mine, answer)
    for k in range(n):
        copy_number(<const char *> answer + k * size, size,
                    <char *> at(problem, out, (start + k) * step + column))


cdef inline void copy_number(const char *source, Py_ssize_t size, char *target) noexcept nogil:
    if size == 8:
        (<double *> target)[0] = (<const double *> source)[0]
    else:
        (<float *> target)[0] = (<const float *> source)[0]


cdef void scan_task(const Problem *problem, const Row *row, Py_ssize_t first, Py_ssize_t end, Py_ssize_t width,
                    bint exclusive, const States *running, void *out) noexcept nogil:
    # Block by block, none of them shorter than a vector.
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), count, start
    cdef void *target
    while first < end:
        count = min(length, end - first)
        if 0 < end - first - count < TILE:
            count -= CHUNK
        start = 0
        if problem.inner > 1:
            panel_terms(problem, row, first, count, &buffers, &terms)
            target = at(problem, out, row.out + first * out_step(problem))
            while start < count:
                scan_panel(problem, &terms, start, min(CHUNK, count - start), width, exclusive, running, target,
                           out_step(problem))
                start += CHUNK
        else:
            row_terms(problem, row, first, count, &buffers, &terms)
            target = at(problem, out, row.out + first) if out_along(problem) else <void *> buffers.out
            while start < count:
                scan_row(problem, &terms, start, min(CHUNK, count - start), exclusive, running, target)
                start += CHUNK
            if not out_along(problem):
                scatter(problem, target, 1, first, count, at(problem, out, row.out))
        first += count


cdef inline void task_bounds(const Problem *problem, Py_ssize_t task, Py_ssize_t *first,
                             Py_ssize_t *end) noexcept nogil:
    first[0] = task * SCAN_TASK
    end[0] = problem.n if task == scan_tasks(problem.n) - 1 else first[0] + SCAN_TASK


cdef void fold_running(const Job *job, Py_ssize_t item) noexcept nogil:
    cdef Room room
    cdef States mine = states_of(&room)
    cdef Py_ssize_t width, first, end, k
    cdef Row row = panel_at(job, item // job.each_line, &width)
    task_bounds(job.problem, item % job.each_line, &first, &end)
    look_task(job.problem, &row, first, end, width, &job.look, &mine)
    for k in range(width):
        copy_state(job.tasks, item * job.slot + k, &mine, k)


cdef void scan_line(const Job *job, Py_ssize_t item) noexcept nogil:
    cdef Room room
    cdef States running = states_of(&room)
    cdef Py_ssize_t width, first, end, k
    cdef Row row = panel_at(job, item // job.each_line, &width)
    task_bounds(job.problem, item % job.each_line, &first, &end)
    for k in range(width):
        copy_state(&running, k, job.tasks, item * job.slot + k if job.each_line > 1 else 0)
    scan_task(job.problem, &row, first, end, width, job.exclusive, &running, job.out)


cdef void scan_short_rows(const Job *job, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    # Side by side, as columns.
    cdef const Problem *problem = job.problem
    cdef Room room
    cdef States running = states_of(&room)
    cdef Tile tile
    cdef double answer[SHORT_ROW * TILE]
    cdef Group group
    cdef Py_ssize_t width, k
    while first < end:
        find_group(problem, first, min(TILE, end - first), &group)
        width = max(group.count, kernels_of(problem.bits).lanes)
        fill_tile(problem, &group, width, &tile)
        for k in range(width):
            copy_state(&running, k, job.tasks, 0)
        scan_panel(problem, &tile.terms, 0, problem.n, width, job.exclusive, &running, answer, TILE)
        put_tile(problem, &group, answer, job.out)
        first += group.count


cdef inline void sums_before(const Job *job, Py_ssize_t line, Py_ssize_t column, const States *start,
                             const States *sums) noexcept nogil:
    # Of the tasks of a row, or of one column, whose sums are `sums`, each gets the sum of those before it.
    cdef Room room
    cdef States sum = states_of(&room)
    cdef Py_ssize_t task, place
    copy_state(&sum, 0, start, 0)
    for task in range(job.each_line):
        place = (line * job.each_line + task) * job.slot + column
        copy_state(&sum, 1, sums, place)
        copy_state(job.tasks, place, &sum, 0)
        merge(&sum, 0, &sum, 1)


cdef inline bint lacks_before(const Job *job, Py_ssize_t line, Py_ssize_t column, const States *start) noexcept nogil:
    # May one of the sums before a task be close to 1, or what is left of terms that cancel?
    cdef Room room
    cdef States sum = states_of(&room)
    cdef Py_ssize_t task
    copy_state(&sum, 0, start, 0)
    for task in range(job.each_line - 1):
        merge(&sum, 0, job.tasks, (line * job.each_line + task) * job.slot + column)
        if (sum.shift[0] == 0 and fabs(sum.high[0]) < 55) or fabs(sum.high[0]) < 0.9 * sum.size[0]:
            return True
    return False


cdef int scan_rows(const Problem *problem, bint exclusive, double initial, void *out) except -1:
    cdef int failed
    if problem.n * problem.rows == 0:
        return 0
    if problem.n * problem.rows <= QUICK:
        failed = share_scans(problem, exclusive, initial, out)
    else:
        with nogil:
            failed = share_scans(problem, exclusive, initial, out)
    if failed:
        raise MemoryError
    return 0


cdef int share_scans(const Problem *problem, bint exclusive, double initial, void *out) noexcept nogil:
    cdef Py_ssize_t work = problem.n * problem.rows, lines, items, count, line, k
    cdef Room room
    cdef States start = states_of(&room), tasks, exact
    cdef Terms first = plain_terms(&initial, 0)
    cdef double *memory
    cdef bint lacking = False, care
    cdef Job job
    kernels_64.fold_row(&first, 1, EXACT, &start, 0)
    job.problem = problem
    job.maps = True
    job.out = out
    job.exclusive = exclusive
    job.tasks = &start
    if problem.inner == 1 and is_short(problem.n, problem.bits):
        job.kind = TILES
        job.each = TILE * max(1, SCAN_TASK // (TILE * problem.n))
        items = (problem.rows + job.each - 1) // job.each
        do_job(&job, items, work)
        return 0
    job.wide = TILE // 2
    job.panels = panels_of(problem.inner, job.wide)
    job.each_line = scan_tasks(problem.n)
    job.slot = 1 if problem.inner == 1 else TILE
    lines = problem.rows // problem.inner * job.panels
    items = lines * job.each_line
    memory = NULL
    if job.each_line > 1:
        count = items * job.slot
        memory = <double *> malloc(10 * count * sizeof(double))
        if memory == NULL:
            return -1
        tasks = states_in(memory, count)
        exact = states_in(memory + 5 * count, count)
        job.kind = FOLDS
        job.look.phase = FOLD
        job.look.care = FAST
        job.tasks = &tasks
        do_job(&job, items, work)
        for line in range(lines):
            for k in range(line_width(&job, line)):
                lacking = lacking or lacks_before(&job, line, k, &start)
        if lacking:
            job.look.care = EXACT
            job.tasks = &exact
            do_job(&job, items, work)
            job.tasks = &tasks
        for line in range(lines):
            for k in range(line_width(&job, line)):
                care = lacking and lacks_before(&job, line, k, &start)
                sums_before(&job, line, k, &start, &exact if care else &tasks)
    job.kind = SCANS
    do_job(&job, items, work)
    free(memory)
    return 0


cdef inline Py_ssize_t line_width(const Job *job, Py_ssize_t line) noexcept nogil:
    cdef Py_ssize_t width
    panel_at(job, line, &width)
    return width
