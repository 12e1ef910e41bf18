# Running sums: a part of _drivers.pyx.
#
# A sum and its next term are added in double, with what rounding takes from the sum beside it.  A long row is cut into
# tasks, by its length alone: these are folded first, so that each knows the sum of all before it.
#
# Within a task elements are looked at a chunk at a time, which is added at once, in one of several ways (`Way`).
# Exponentials rounded to double do where the logarithm of the sum is not near zero.  Near it, and with weights, a scale
# or log-weights, they are taken with what rounding takes from them.  Both relative to one shift: 0, unless the largest
# lies beyond FAR.  Where there is none, for exponents lie too far apart or are NaN or infinite, each element becomes a
# state of its own: a few elements, and then the rest of the chunk is tried again.

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


cdef inline Terms terms_at(const Terms *terms, Py_ssize_t row, Py_ssize_t first, Py_ssize_t size) noexcept nogil:
    # From element `first` of a row on; `size` is one's in bytes.
    cdef Terms here = terms_from(terms, row, size)
    here.a = <const char *> here.a + first * size
    if terms.b != NULL:
        here.b = <const char *> here.b + first * terms.b_inner * size
    if terms.logb != NULL:
        here.logb = <const char *> here.logb + first * terms.b_inner * size
    if terms.kept != NULL:
        here.kept = here.kept + first * terms.kept_inner
    return here


cdef inline void term_states(const Kernels *kernels, const Terms *terms, Py_ssize_t row, Py_ssize_t first,
                             Py_ssize_t width, int bits, const States *states) noexcept nogil:
    # Each of `width` neighbouring elements as a state: a block of one row is folded as that many columns.
    cdef Terms here = terms_at(terms, row, first, bits // 8)
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


# Exponents of a row, or of some columns, in double: here, or where elements lie that are nothing else.
cdef struct Wide:
    double room[CHUNK * TILE]
    double lost[CHUNK * TILE]       # what rounding took from them
    double weights[CHUNK * TILE]
    const double *x
    Py_ssize_t step


cdef inline bint may_be_rounded(const States *running, Py_ssize_t k) noexcept nogil:
    # May terms be rounded?  Not where the logarithm of the sum is so small that it has other digits than they.
    cdef double sum = running.high[k]
    return running.shift[k] == 0 and (LARGE < sum < 1e300 or (sum > 1e-100 and sum * LARGE < 1))


cdef inline bint stays_far(double sum, const double *y, Py_ssize_t n, Py_ssize_t apart) noexcept nogil:
    # Does the sum of these remain below 1 / LARGE, if it was?
    cdef Py_ssize_t k
    if sum > 1:
        return True
    for k in range(n):
        sum += y[k * apart]
    return sum * LARGE < 0.999999


cdef inline bint may_be_paired(const States *running, Py_ssize_t k) noexcept nogil:
    # Without a shift.  A sum of nothing has any.
    cdef double sum = fabs(running.high[k])
    return (sum == 0 and running.rest[k] == 0) or (running.shift[k] == 0 and 1e-280 < sum < 1e300)


cdef void widen(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t width,
                Wide *wide) noexcept nogil:
    # Elements `start` on of a row (width 0), or rows `start` on of a panel.  What counts for nothing has the exponent
    # -inf; NaN stands for a weight of no usual size.
    cdef Py_ssize_t size = problem.bits // 8, row, across = width if width else n
    cdef Terms here
    wide.x = wide.room
    wide.step = width
    if size == 8 and is_plain(terms):
        wide.x = <const double *> terms.a + (start * terms.a_step if width else start)
        wide.step = terms.a_step
        return
    here = terms_at(terms, start if width else 0, 0 if width else start, size)
    if size == 8 and are_masked(terms):
        kernels_64.drop(&here, n if width else 1, across, -INFINITY, wide.room, width)
        return
    for row in range(n if width else 1):
        widen_row(problem, &here, row, across, wide.room + row * across, wide.lost + row * across,
                  wide.weights + row * across)


cdef inline void widen_row(const Problem *problem, const Terms *terms, Py_ssize_t row, Py_ssize_t n, double *x,
                           double *lost, double *weights) noexcept nogil:
    cdef Py_ssize_t first = row * terms.a_step, first_b = row * terms.b_step, k
    cdef const char *kept = terms.kept + row * terms.kept_step
    cdef double scale = terms.scale, product, w, sum, error
    for k in range(n):
        x[k] = number_at(problem, terms.a, first + k)
    if not are_exact(terms):
        for k in range(n):
            product = x[k] * scale
            lost[k] = product_error(x[k], scale, product)
            x[k] = product
    if terms.logb != NULL:
        for k in range(n):
            w = number_at(problem, terms.logb, first_b + k * terms.b_inner)
            plus(x[k], w, &sum, &error)
            lost[k] += error
            x[k] = w if w == -INFINITY else sum
    if not are_exact(terms):    # of what is infinite, NaN
        for k in range(n):
            lost[k] = lost[k] if fabs(lost[k]) < 1 else 0
    if terms.b != NULL:
        for k in range(n):
            weights[k] = w = number_at(problem, terms.b, first_b + k * terms.b_inner)
            x[k] = x[k] if 1e-30 < fabs(w) < 1e30 else (-INFINITY if w == 0 else NAN)
    if terms.kept != NULL:
        for k in range(n):
            x[k] = x[k] if kept[k * terms.kept_inner] else -INFINITY


cdef inline bint common_shift(const States *running, Py_ssize_t k, double peak, double *shift) noexcept nogil:
    # Of a sum and the terms of a chunk with this peak: 0 wherever that is possible.  False where there is none.
    shift[0] = 0
    if not fabs(peak) < INFINITY or running.shift[k] == INFINITY:
        return False
    if fabs(peak) > FAR or running.shift[k] > FAR:
        shift[0] = max(32 * floor(peak * 0.03125), running.shift[k])
    return True


cdef inline void move(const States *sum, Py_ssize_t k, double shift) noexcept nogil:
    # To another shift.  What growing rounds is nothing beside a logarithm from 32 on.  exp(-distance) itself may be no
    # normal number, but its root is one.
    cdef double size = 0, scale, product, distance = shift - sum.shift[k] if shift != sum.shift[k] else 0
    if distance > 700:
        decay(0.5 * distance, sum.high + k, sum.low + k, sum.rest + k, &size)
        distance *= 0.5
    if distance >= 0:
        decay(distance, sum.high + k, sum.low + k, sum.rest + k, &size)
    else:
        scale = exp(-distance)
        product = sum.high[k] * scale
        sum.low[k] = product_error(sum.high[k], scale, product) + sum.low[k] * scale
        sum.high[k] = product
        sum.rest[k] *= scale
    sum.shift[k] = shift


cdef void shift_terms(bint exact, Py_ssize_t n, Py_ssize_t width, const States *sums, bint *now,
                      Wide *wide) noexcept nogil:
    # Exponents and the sums before them under a shift that they share.  Not `now`: those that share none, and those
    # beside whose sums terms that are left out here, for they are too small for a double, may count.
    # A plain exponent that counts is farther from 0 than from a shift that is not 0: the difference rounds nothing.
    cdef double peak[2 * TILE]
    cdef double shift[CHUNK]
    cdef double held, x, least
    cdef Py_ssize_t across = width if width else n, columns = max(1, width), row, k
    cdef Terms terms = plain_terms(wide.x, wide.step)
    kernels_64.peak(&terms, n, width, SOFTMAX, peak, shift)
    for k in range(columns):
        held = sums.high[k]
        now[k] = now[k] and common_shift(sums, k, peak[k], shift + k)
        if not now[k]:
            sums.shift[k] = shift[k] = 0
            continue
        move(sums, k, shift[k])
        x = wide.x[k] - shift[k]
        least = max(exp(-0.5 * shift[k]) if shift[k] > 0 else 0, 1e-100)
        now[k] = (fabs(sums.high[k]) < 1e300 and (fabs(sums.high[k]) > least or (held == 0 and exp(x) > least))
                  and (shift[k] != 0 or is_away_from_one(sums.high[k], n, peak[k])))
    for k in range(1, 1 if width else n):
        shift[k] = shift[0]
    for row in range(n if width else 1):
        shift_row(wide.x + row * wide.step, shift, exact, across, wide.room + row * across, wide.lost + row * across)
    wide.x = wide.room
    wide.step = width


cdef inline void shift_row(const double *x, const double *shift, bint exact, Py_ssize_t n, double *shifted,
                           double *lost) noexcept nogil:
    cdef double difference, error
    cdef Py_ssize_t k
    if not exact:
        for k in range(n):
            plus(x[k], -shift[k], &difference, &error)
            lost[k] += error if fabs(error) < 1 else 0
    for k in range(n):
        difference = x[k] - shift[k]
        shifted[k] = -INFINITY if difference < LEAST_PAIR else difference


cdef inline bint is_away_from_one(double sum, Py_ssize_t n, double peak) noexcept nogil:
    # And remains so, if n terms below exp(peak) are added?
    return sum > LARGE or (sum >= 0 and (sum + n * exp(peak)) * LARGE < 1)


cdef inline void keep_sum(const States *running, Py_ssize_t k, const States *sums) noexcept nogil:
    running.shift[k] = sums.shift[k]
    running.high[k] = sums.high[k] + sums.low[k]
    running.low[k] = (sums.high[k] - running.high[k]) + sums.low[k]
    running.rest[k] = sums.rest[k]


cdef inline double *whole_lines(double *room) noexcept nogil:
    # Where vectors lie in whole cache lines, wherever a thread's stack is.
    return <double *> ((<size_t> room + 63) & ~<size_t> 63)


# How the terms of a chunk are added: as doubles, or with what rounding takes from them; and either of these under a
# shift, beside which the logarithm of any sum may be rounded.
cdef enum Way:
    ROUNDED
    PAIRED
    SHIFTED_ROUNDED
    SHIFTED_PAIRED


cdef Py_ssize_t scan_at_once(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n,
                             Py_ssize_t width, bint exclusive, const States *running, void *out, Py_ssize_t step,
                             bint *done) noexcept nogil:
    # Up to CHUNK elements of a row (width 0), or rows of a panel: which columns are done, and how many.  Where it is
    # not, an exponent or a sum has no usual size, and nothing is written or added.
    cdef Wide wide
    cdef Room room, moved_room
    cdef States sums = states_of(&room), moved = states_of(&moved_room)
    cdef double y_room[CHUNK * TILE + 8]
    cdef double value_room[CHUNK * TILE + 8]
    cdef double *y = whole_lines(y_room)
    cdef double *value = whole_lines(value_room)
    cdef double close[TILE]
    cdef bint now[TILE]
    cdef bint shifted[TILE]
    cdef const double *a
    cdef double *target
    cdef Py_ssize_t columns = max(1, width), k, row, count = 0, some, a_step, target_step
    cdef bint exact = are_exact(terms), rounded
    cdef int way, first = ROUNDED if exact and terms.b == NULL else PAIRED
    for k in range(columns):
        done[k] = shifted[k] = False
    widen(problem, terms, start, n, width, &wide)
    for way in range(first, SHIFTED_PAIRED + 1):
        rounded = way == ROUNDED or way == SHIFTED_ROUNDED
        some = 0
        for k in range(columns):
            if way == ROUNDED:
                now[k] = may_be_rounded(running, k)
            elif way == PAIRED:
                now[k] = not done[k] and may_be_paired(running, k)
            elif way == SHIFTED_ROUNDED:
                now[k] = not done[k]
            else:
                now[k] = shifted[k] and (first == PAIRED or moved.shift[k] == 0)
            some += now[k]
            if way == SHIFTED_PAIRED:
                if shifted[k]:
                    copy_state(&sums, k, &moved, k)
                continue
            sums.shift[k] = 0 if way == ROUNDED or way == PAIRED or not now[k] else running.shift[k]
            sums.high[k] = running.high[k] if now[k] else LARGE
            sums.low[k] = running.low[k] if now[k] else 0
            sums.rest[k] = running.rest[k] if now[k] else 0
        if some == 0:
            continue
        if way == SHIFTED_ROUNDED:
            shift_terms(exact, n, width, &sums, now, &wide)
            for k in range(columns):
                shifted[k] = now[k]
                copy_state(&moved, k, &sums, k)
                now[k] = now[k] and first == ROUNDED and sums.shift[k] != 0
        a = wide.x
        a_step = wide.step
        if rounded:
            kernels_64.close_exponentials(a, a_step, n, width, y, close)
        else:
            kernels_64.suit_pairs(a, a_step, n, width, close)
        some = 0
        for k in range(columns):
            now[k] = now[k] and close[k] != 0 and (
                way != ROUNDED or stays_far(sums.high[k], y + k, n, TILE if width else 1))
            some += now[k]
            if rounded and now[k]:
                sums.low[k] += sums.rest[k]
                sums.rest[k] = 0
        if some == 0:
            continue
        target = value
        target_step = TILE
        if some == columns and problem.bits == 64:
            target = <double *> out + start * step
            target_step = step
        if rounded:
            kernels_64.accumulate(y, n, width, exclusive, &sums, target, target_step)
        else:
            kernels_64.accumulate_pairs(a, NULL if exact else wide.lost, wide.weights if terms.b != NULL else NULL,
                                        a_step, n, width, exclusive, &sums, target, target_step)
        for row in range(0 if target != value else n if width else 1):
            if some == columns:
                store(problem, out, (start + row) * step, 1, value + row * TILE, width if width else n)
                continue
            for k in range(width):
                if now[k]:
                    store(problem, out, (start + row) * step + k, 1, value + row * TILE + k, 1)
        for k in range(columns):
            if now[k]:
                done[k] = True
                keep_sum(running, k, &sums)
        count += some
    return count


cdef void scan_row(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, bint exclusive,
                   const States *running, void *out) noexcept nogil:
    # A chunk.
    cdef Py_ssize_t end = start + n, width
    cdef bint done
    while start < end and scan_at_once(problem, terms, start, end - start, 0, exclusive, running, out, 1, &done) == 0:
        width = min(CAREFUL, end - start)
        scan_carefully(problem, terms, start, width, exclusive, running, out)
        start += width


cdef void scan_panel(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t width,
                     bint exclusive, const States *running, void *out, Py_ssize_t step) noexcept nogil:
    # The same of some columns, each of which goes the way of a row.
    cdef Py_ssize_t end = start + n, count, k
    cdef bint done[TILE]
    while start < end:
        count = scan_at_once(problem, terms, start, end - start, width, exclusive, running, out, step, done)
        if count > 0:
            for k in range(width if count < width else 0):
                if not done[k]:
                    scan_alone(problem, terms, start, end - start, k, exclusive, running, out, step)
            return
        count = min(CAREFUL, end - start)
        scan_columns(problem, terms, start, count, width, exclusive, running, out, step)
        start += count


cdef void scan_alone(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t column,
                     bint exclusive, const States *running, void *out, Py_ssize_t step) noexcept nogil:
    # One column of a panel, gathered into a row.
    cdef double a[CAREFUL + CHUNK]
    cdef double weights[CAREFUL + CHUNK]
    cdef double answer[CHUNK]
    cdef char kept[CAREFUL + CHUNK]
    cdef const char *given = <const char *> (terms.b if terms.b != NULL else terms.logb)
    cdef Terms row = plain_terms(<char *> a + CAREFUL * (problem.bits // 8), 0)
    cdef States mine = from_place(running, column)
    cdef Py_ssize_t k, size = problem.bits // 8
    row.scale = terms.scale
    for k in range(CAREFUL):    # which are looked at, and not used
        a[k] = weights[k] = kept[k] = 0
    for k in range(n):
        copy_number(<const char *> terms.a + ((start + k) * terms.a_step + column) * size, size,
                    <char *> row.a + k * size)
    if given != NULL:
        for k in range(n):
            copy_number(given + ((start + k) * terms.b_step + column * terms.b_inner) * size, size,
                        <char *> weights + (CAREFUL + k) * size)
        row.b = <char *> weights + CAREFUL * size if terms.b != NULL else NULL
        row.logb = <char *> weights + CAREFUL * size if terms.logb != NULL else NULL
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
        memory = <double *> malloc(2 * NUMBERS * count * sizeof(double))
        if memory == NULL:
            return -1
        tasks = states_in(memory, count)
        exact = states_in(memory + NUMBERS * count, count)
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
