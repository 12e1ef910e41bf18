# Scores of rows: a part of _drivers.pyx.
#
# Numbers about a row that need its sum first, and a second look at a few elements or at all: log-probabilities
# of chosen elements, losses, entropies.  A log-probability x - log(sum) is minus what `finish` answers for a
# state whose shift is counted from x, so one FAST look is enough where it is not near zero; where it is, the
# peak is taken apart as log_softmax does.  Which of the two is decided by the value alone.

from libc.math cimport expm1, fma, log1p
from libc.stdint cimport int64_t

from lsecy._tally cimport (
    Level, Pair, add_excesses, add_losses, add_product_columns, add_products, add_ratios, add_to, count_above,
    count_equal, drop_equal, finish_gradient, make_keys, multiply)
from lsecy.kernels.table cimport LOG_SOFTMAX

# What is known of a row.
cdef struct Sight:
    const Problem *problem
    Row row
    Job *job              # as in look_over
    States *fast          # the state of a FAST look; NULL: all is in `known` from the start
    bint folded           # is it there already?
    Known *known
    Py_ssize_t place      # in `known`
    bint knows            # is it filled in?

# The jobs of a row whose tasks are shared out; NULL where a thread does rows alone.
cdef struct Helpers:
    Job *own
    Job *other
    Job *written


cdef int score(const Problem *problem, const Scoring *scoring) except -1:
    cdef Py_ssize_t work = problem.n * problem.rows
    cdef int failed
    if work == 0:
        return 0
    if work <= QUICK:
        failed = score_out(problem, scoring, work)
    else:
        with nogil:
            failed = score_out(problem, scoring, work)
    if failed:
        raise MemoryError
    return 0


cdef int score_out(const Problem *problem, const Scoring *scoring, Py_ssize_t work) noexcept nogil:
    cdef Py_ssize_t length = task_length(problem.n, problem.bits)
    cdef Py_ssize_t tasks = (problem.n + length - 1) // length, items
    cdef Job job
    job.problem = problem
    job.maps = False
    job.scoring = scoring
    if tasks > 1 and problem.rows < FEW:
        return score_long(problem, scoring, tasks)
    job.kind = ROWS
    job.each = rows_of_item(problem.n)
    if problem.kept.count and problem.kept.a[problem.kept.count - 1] == problem.bits // 8:
        job.each = max(job.each, <Py_ssize_t> TILE)    # rows that are columns: side by side
    items = (problem.rows + job.each - 1) // job.each
    do_job(&job, items, work)
    return 0


cdef inline bint are_columns(const Problem *problem, const Group *group, Problem *columns) noexcept nogil:
    # Do the rows lie beside each other in memory, in whole vectors?  The same as a panel.
    cdef Py_ssize_t size = problem.bits // 8
    if not (group.even and group.step_a == size and group.count >= kernels_of(problem.bits).lanes
            and problem.a.direct and problem.mask.data == NULL and problem.reduced.count <= 1
            and (problem.reduced.count == 0 or problem.reduced.a[0] % size == 0)):
        return False
    columns[0] = problem[0]
    columns.inner = group.count
    columns.inner_b = columns.inner_mask = 0
    columns.inner_out = group.step_out
    return True


cdef int score_long(const Problem *problem, const Scoring *scoring, Py_ssize_t tasks) noexcept nogil:
    # Few rows, of several tasks each: the tasks of a look are shared out.
    cdef Job jobs[3]
    cdef States states
    cdef Helpers helpers
    cdef Py_ssize_t index, k
    cdef double *memory = <double *> malloc(NUMBERS * tasks * sizeof(double))
    if memory == NULL:
        return -1
    states = states_in(memory, tasks)
    for k in range(3):
        jobs[k].kind = TASKS
        jobs[k].width = 1
        jobs[k].tasks = &states
    jobs[0].problem = problem
    jobs[1].problem = scoring.other
    jobs[2].problem = scoring.written
    helpers.own = jobs
    helpers.other = jobs + 1
    helpers.written = jobs + 2
    for index in range(problem.rows):
        for k in range(3):
            if jobs[k].problem != NULL:
                jobs[k].row = row_at(jobs[k].problem, index)
        score_rows(problem, scoring, index, index + 1, &helpers)
    free(memory)
    return 0


cdef void score_rows(const Problem *problem, const Scoring *scoring, Py_ssize_t first, Py_ssize_t end,
                     const Helpers *helpers) noexcept nogil:
    cdef Group group
    cdef Known known
    cdef Room room
    cdef States states = states_of(&room)
    cdef States here
    cdef Sight sight
    cdef Py_ssize_t k
    cdef bint short = is_short(problem.n, problem.bits), near = False
    cdef bint summed = scoring.k > 0 or scoring.summary == LOSSES
    sight.problem = problem
    sight.known = &known
    sight.job = helpers.own if helpers != NULL else NULL
    while first < end:
        find_group(problem, first, min(TILE, end - first), &group)
        sight.folded = not short and scoring.k > 0 and fold_columns_of(problem, &group, &states)
        if short and summed:
            know_short(problem, &group, &known)
        if scoring.lse != NULL and (short or scoring.k == 0):
            reduce_rows(problem, first, first + group.count, scoring.lse, NULL, &near)
        if short and scoring.summary == ENTROPY and entropies_of_tile(problem, &group, scoring.totals + first):
            first += group.count
            continue
        for k in range(group.count):
            sight.row = row_of(&group, k)
            here = from_place(&states, k if sight.folded else 0)
            sight.fast = NULL if short else &here
            sight.knows = short
            sight.place = k if short else 0
            if scoring.k > 0:
                score_elements(&sight, scoring, first + k)
            if scoring.summary == LOSSES:
                sum_losses(&sight, scoring, first + k)
            elif scoring.summary != NOTHING:
                compare_shares(&sight, scoring, first + k, helpers)
        if scoring.out != NULL:
            write_gradients(problem, scoring, first, first + group.count, helpers)
        first += group.count


cdef bint fold_columns_of(const Problem *problem, const Group *group, const States *states) noexcept nogil:
    # The states of rows that are columns.
    cdef Problem columns
    if not are_columns(problem, group, &columns):
        return False
    fold_over(&columns, &group.first, group.count, FAST, NULL, states)
    return True


cdef void know_short(const Problem *problem, const Group *group, Known *known) noexcept nogil:
    # Short rows side by side, as log_softmax has them.
    cdef Tile tile
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef States states = states_of(&known.room)
    cdef Row row
    cdef Py_ssize_t width = beside(problem, group, &tile), k
    kernels.peak(&tile.terms, problem.n, width, LOG_SOFTMAX, states.shift, states.low)
    take_peaks(width, states.low, known)
    kernels.sum(&tile.terms, problem.n, width, LOG_SOFTMAX, known.peak, True, False, &states)
    settle_sums(problem, width, LOG_SOFTMAX, False, known)
    for k in range(group.count):
        row = row_of(group, k)
        known.undefined[k] = is_strange(known, k) and is_undefined(problem, &row, LOG_SOFTMAX, True)


cdef inline Py_ssize_t beside(const Problem *problem, const Group *group, Tile *tile) noexcept nogil:
    # The terms of short rows as columns, gathered or as they lie; how many these are.
    cdef Problem columns
    cdef Py_ssize_t width = max(group.count, kernels_of(problem.bits).lanes)
    if are_columns(problem, group, &columns):
        panel_terms(&columns, &group.first, 0, problem.n, NULL, &tile.terms)    # without weights nothing is gathered
    else:
        fill_tile(problem, group, width, tile)
    return width


cdef bint entropies_of_tile(const Problem *problem, const Group *group, double *totals) noexcept nogil:
    # Short rows side by side.  False where one of them is special.
    cdef Tile tile
    cdef double shares[SHORT_ROW * TILE]
    cdef double logs[SHORT_ROW * TILE]
    cdef double lost[TILE]
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t width = beside(problem, group, &tile), row
    if (kernels.map_block(&tile.terms, problem.n, width, SOFTMAX, True, NULL, shares, TILE) != WRITTEN
            or kernels.map_block(&tile.terms, problem.n, width, LOG_SOFTMAX, True, NULL, logs, TILE) != WRITTEN):
        return False
    for row in range(group.count):
        totals[row] = lost[row] = 0
    for row in range(problem.n):
        if problem.bits == 64:
            add_product_columns(shares + row * TILE, logs + row * TILE, group.count, totals, lost)
        else:
            add_product_columns(<const float *> shares + row * TILE, <const float *> logs + row * TILE, group.count,
                                totals, lost)
    for row in range(group.count):
        totals[row] += lost[row]
    return True


cdef void know_all(Sight *sight) noexcept nogil:
    if sight.knows:
        return
    sight.knows = True
    if not know_rest(sight):
        know(sight.problem, &sight.row, 1, LOG_SOFTMAX, sight.job, NULL, sight.known)
        find_undefined(sight.problem, &sight.row, 1, LOG_SOFTMAX, sight.known)


cdef bint know_rest(Sight *sight) noexcept nogil:
    # The same for a plain row of float32, in double: log(sum) - peak = log(count + rest e^-peak), where the rest is
    # summed without the `count` elements that are the peak, from a power of two next to its own largest element.
    # So it has its digits however small it is.  False for a row with a far peak, a NaN or infinities.
    cdef const Problem *problem = sight.problem
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Known *known = sight.known
    cdef Buffers buffers
    cdef Terms terms
    cdef States states = states_of(&known.room)
    cdef double peak = -INFINITY, second = -INFINITY, top, low, high = 0, rest = 0
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, peaks = 0, first = 0, last = 0
    cdef bint counts
    if problem.bits == 64 or not problem.plain:
        return False
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, &sight.row, start, count, &buffers, &terms)
        kernels.peak(&terms, count, 0, LOG_SOFTMAX, &top, &low)
        if top > peak:
            second = peak
            peak = top
            first = last = start
        elif top == peak:
            last = start
        else:
            second = max(second, top)
        start += length
    if not fabs(peak) < 7000:
        return False
    start = first
    while start <= last:
        count = min(length, problem.n - start)
        peaks += drop_peaks(problem, &sight.row, start, count, peak, &buffers, &terms)
        second = max(second, peak_of_keys(problem, terms.a, count))
        start += length
    counts = second > peak - 200    # else the sum says only whether there is a NaN
    known.peak[0] = second if counts else peak
    known.peak[TILE] = 0
    start = 0
    while start < problem.n:
        count = min(length, problem.n - start)
        if first <= start <= last:
            drop_peaks(problem, &sight.row, start, count, peak, &buffers, &terms)
        else:
            row_terms(problem, &sight.row, start, count, &buffers, &terms)
        kernels.sum(&terms, count, 0, LOG_SOFTMAX, known.peak, False, False, &states)
        high += states.high[0]
        rest += states.low[0]
        start += length
    if isnan(high):
        return False
    rest = (high + rest) * exp(states.shift[0] * 0.6931471805599453 - peak) if counts else 0
    known.peak[0] = peak
    known.first[0] = log1p(rest) if peaks == 1 else log(peaks + rest)
    known.second[0] = 0
    known.undefined[0] = False
    return True


cdef Py_ssize_t drop_peaks(const Problem *problem, const Row *row, Py_ssize_t start, Py_ssize_t count, double peak,
                           Buffers *buffers, Terms *terms) noexcept nogil:
    # A block of a plain row of float32 with -inf in place of what is the peak, and how often it is.
    cdef Py_ssize_t dropped
    row_terms(problem, row, start, count, buffers, terms)
    dropped = drop_equal(<const float *> terms.a, count, <float> peak, <float *> buffers.out)
    terms.a = buffers.out
    return dropped


# Chosen elements.

cdef void score_elements(Sight *sight, const Scoring *scoring, Py_ssize_t index) noexcept nogil:
    cdef const Problem *problem = sight.problem
    cdef int64_t *ids = scoring.ids + index * scoring.k
    cdef double *values = scoring.values + index * scoring.k
    cdef int64_t *ranks = scoring.ranks + index * scoring.k if scoring.ranks != NULL else NULL
    cdef bint folds = scoring.lse != NULL or scoring.search
    cdef Room room
    cdef States own
    cdef Py_ssize_t k
    for k in range(scoring.k):
        folds = folds or ids[k] >= 0
    if sight.fast != NULL and folds and not sight.folded:
        fold_over(problem, &sight.row, 1, FAST, sight.job, sight.fast)
    if scoring.search:
        find_largest(problem, &sight.row, scoring.k, ids, values)
    log_shares(sight, scoring.k, ids, values)
    if ranks != NULL and folds:
        count_before(problem, &sight.row, scoring.k, ids, values, scoring.only_first, ranks)
    elif ranks != NULL:
        for k in range(scoring.k):
            ranks[k] = -1
    if sight.fast != NULL and scoring.lse != NULL:
        own = states_of(&room)    # with room behind it, for neighbours are other columns' states
        copy_state(&own, 0, sight.fast, 0)
        finish_columns(problem, &sight.row, 1, FAST, &own, NULL, sight.job, scoring.lse, NULL)


cdef inline bint element_at(const Problem *problem, const Row *row, Py_ssize_t k, double *x) noexcept nogil:
    # Element k of a row along one axis.  Is it kept?
    cdef char kept = 1
    cdef float value
    cdef const char *place
    if problem.mask.data != NULL:
        gather(problem, &problem.mask, problem.reduced.mask, row.mask, k, 1, &kept, 1)
    if problem.a.direct:
        place = row.a + (k * problem.reduced.a[0] if problem.reduced.count else 0)
        x[0] = (<const double *> place)[0] if problem.bits == 64 else (<const float *> place)[0]
    elif problem.bits == 64:
        gather(problem, &problem.a, problem.reduced.a, row.a, k, 1, x, 1)
    else:
        gather(problem, &problem.a, problem.reduced.a, row.a, k, 1, &value, 1)
        x[0] = value
    return kept != 0


cdef inline double scaled(const Problem *problem, double x, double *lost) noexcept nogil:
    # scale x, and what rounding takes from it; beyond the range of float32 it is infinite, as in the kernels.
    cdef double product = x * problem.scale
    lost[0] = 0
    if problem.scale == 1:
        return product
    if problem.bits == 32:
        return product if fabs(product) <= 3.4028235677973366e38 else product * INFINITY
    if fabs(product) < INFINITY:
        lost[0] = fma(x, problem.scale, -product)
    return product


cdef void log_shares(Sight *sight, Py_ssize_t count, const int64_t *ids, double *values) noexcept nogil:
    # Eight at a time; 0 for no id, -inf for what is left out.
    cdef const Problem *problem = sight.problem
    cdef const States *fast = sight.fast
    cdef double x[8]
    cdef double lost[8]
    cdef double value[8]
    cdef bint ordinary = fast != NULL and fabs(fast.shift[0]) < INFINITY and 0 < fast.high[0] < INFINITY
    cdef Py_ssize_t start = 0, k, many
    while start < count:
        many = min(<Py_ssize_t> 8, count - start)
        for k in range(many):
            x[k] = lost[k] = 0
            value[k] = -INFINITY
            if ids[start + k] >= 0 and element_at(problem, &sight.row, ids[start + k], x + k):
                x[k] = scaled(problem, x[k], lost + k)
                value[k] = NAN
        if ordinary:
            from_state(problem, fast, x, lost, many, value)
        for k in range(many):
            if ids[start + k] < 0:
                value[k] = 0
            elif isnan(value[k]):
                know_all(sight)
                value[k] = from_known(sight.known, sight.place, x[k], lost[k])
            values[start + k] = value[k]
        start += many


cdef inline void plus(double x, double y, double *total, double *lost) noexcept nogil:
    # Two-sum.
    cdef double sum = x + y
    cdef double back = sum - x
    lost[0] = (x - (sum - back)) + (y - back)
    total[0] = sum


cdef void from_state(const Problem *problem, const States *fast, const double *x, const double *lost,
                     Py_ssize_t count, double *value) noexcept nogil:
    # x - log(state) in place of NaN, which stays where that is too near zero:
    #     -(shift - x + log(high (1 + lost) + low)),   shift - x exactly, as a sum of two
    cdef Room room
    cdef States states = states_of(&room)
    cdef double answer[8]
    cdef double error
    cdef Py_ssize_t k
    for k in range(count):
        plus(fast.shift[0], -x[k], room.shift + k, &error)
        if not fabs(x[k]) < INFINITY:
            room.shift[k] = error = 0
        room.high[k] = room.size[k] = fast.high[0]
        room.low[k] = (fast.low[0] + fast.rest[0]) + fast.high[0] * (error - lost[k])
        room.rest[k] = 0
    pad_states(&states, count)
    kernels_of(problem.bits).finish(&states, count, near_zero(FAST, problem.bits), 0, answer, NULL)
    for k in range(count):
        if isnan(value[k]) and x[k] == -INFINITY:
            value[k] = -INFINITY
        elif isnan(value[k]) and fabs(answer[k]) >= near_zero(FAST, problem.bits):
            value[k] = -answer[k]


cdef double from_known(const Known *known, Py_ssize_t place, double x, double lost) noexcept nogil:
    # ((x - peak) - first) - second, the first two differences exactly
    cdef double y, error, more
    if known.undefined[place]:
        return NAN
    plus(x, -known.peak[place], &y, &error)
    if not fabs(y) < INFINITY:
        return y
    error += lost - known.peak[TILE + place]
    plus(y, -known.first[place], &y, &more)
    return y + (error + (more - known.second[place]))


cdef const void *keys_of(const Problem *problem, const Row *row, Py_ssize_t start, Py_ssize_t count, double sign,
                         Buffers *buffers) noexcept nogil:
    # A block of what orders a row's elements: sign * a, -inf for what is left out.
    cdef Terms terms
    row_terms(problem, row, start, count, buffers, &terms)
    if sign == 1 and terms.kept == NULL:
        return terms.a
    if problem.bits == 64:
        make_keys(<const double *> terms.a, terms.kept, terms.kept_inner, sign, count, <double *> buffers.out)
    else:
        make_keys(<const float *> terms.a, terms.kept, terms.kept_inner, sign, count, <float *> buffers.out)
    return buffers.out


cdef inline double sign_of_scale(const Problem *problem) noexcept nogil:
    return 1 if problem.scale > 0 else -1 if problem.scale < 0 else 0


cdef inline double peak_of_keys(const Problem *problem, const void *keys, Py_ssize_t count) noexcept nogil:
    # -inf also where there are NaN alone.
    cdef Terms terms = plain_terms(keys, 0)
    cdef double high, low
    kernels_of(problem.bits).peak(&terms, count, 0, LOG_SOFTMAX, &high, &low)
    return high


cdef inline Py_ssize_t above_in(const Problem *problem, const void *keys, Py_ssize_t count, double key) noexcept nogil:
    if problem.bits == 64:
        return count_above(<const double *> keys, count, key)
    return count_above(<const float *> keys, count, <float> key)


cdef inline Py_ssize_t equal_in(const Problem *problem, const void *keys, Py_ssize_t count, double key) noexcept nogil:
    if problem.bits == 64:
        return count_equal(<const double *> keys, count, key)
    return count_equal(<const float *> keys, count, <float> key)


cdef void count_before(const Problem *problem, const Row *row, Py_ssize_t many, const int64_t *ids,
                       const double *values, bint only_first, int64_t *ranks) noexcept nogil:
    # How many elements come before each chosen one: larger ones, and equal ones of a lower index.  -1 where the
    # value is undefined or there is no id.  Only the blocks whose peak says so are counted.
    cdef Buffers buffers
    cdef double sign = sign_of_scale(problem), x, key, peak
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, k
    cdef const void *keys
    cdef bint looking = True
    for k in range(many):
        ranks[k] = -1 if ids[k] < 0 or isnan(values[k]) else 0
    while start < problem.n and looking:
        count = min(length, problem.n - start)
        keys = keys_of(problem, row, start, count, sign, &buffers)
        peak = peak_of_keys(problem, keys, count)
        looking = not only_first
        for k in range(many):
            if ranks[k] < 0 or (only_first and ranks[k] > 0):
                continue
            key = sign * x if element_at(problem, row, ids[k], &x) else -INFINITY
            if peak > key:
                ranks[k] += above_in(problem, keys, count, key)
            if peak >= key and ids[k] > start:
                ranks[k] += equal_in(problem, keys, min(count, ids[k] - start), key)
            looking = looking or ranks[k] == 0
        start += length


cdef inline double key_in(const Problem *problem, const void *keys, Py_ssize_t k) noexcept nogil:
    # A NaN is the lowest.
    cdef double key = (<const double *> keys)[k] if problem.bits == 64 else (<const float *> keys)[k]
    return key if key == key else -INFINITY


cdef void find_largest(const Problem *problem, const Row *row, Py_ssize_t many, int64_t *ids,
                       double *kept) noexcept nogil:
    # The `many` largest keys so far are a heap whose root is the least; what does not exceed it is passed over,
    # whole chunks at a time.
    cdef Buffers buffers
    cdef double sign = sign_of_scale(problem), key
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, k, size = problem.bits // 8, filled = 0
    cdef Py_ssize_t end, chunk
    cdef const char *keys
    while start < problem.n:
        count = min(length, problem.n - start)
        keys = <const char *> keys_of(problem, row, start, count, sign, &buffers)
        k = 0
        while k < count and filled < many:
            kept[filled] = key_in(problem, keys, k)
            ids[filled] = start + k
            filled += 1
            k += 1
            if filled == many:
                for chunk in range(many // 2, -1, -1):
                    sift(kept, ids, many, chunk)
        while k < count:
            end = min(count, k + 512)
            if not peak_of_keys(problem, keys + k * size, end - k) > kept[0]:
                k = end
                continue
            while k < end:
                chunk = min(<Py_ssize_t> 32, end - k)
                if above_in(problem, keys + k * size, chunk, kept[0]) > 0:
                    for k in range(k, k + chunk):
                        key = key_in(problem, keys, k)
                        if key > kept[0]:
                            kept[0] = key
                            ids[0] = start + k
                            sift(kept, ids, many, 0)
                    k += 1
                else:
                    k += chunk
        start += length
    for end in range(many - 1, 0, -1):    # the least to the end, again and again: sorted
        kept[0], kept[end] = kept[end], kept[0]
        ids[0], ids[end] = ids[end], ids[0]
        sift(kept, ids, end, 0)


cdef inline bint is_less(const double *keys, const int64_t *ids, Py_ssize_t k, Py_ssize_t j) noexcept nogil:
    return keys[k] < keys[j] or (keys[k] == keys[j] and ids[k] > ids[j])


cdef void sift(double *keys, int64_t *ids, Py_ssize_t count, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t child
    while 2 * k + 1 < count:
        child = 2 * k + 1
        if child + 1 < count and is_less(keys, ids, child + 1, child):
            child += 1
        if not is_less(keys, ids, child, k):
            return
        keys[k], keys[child] = keys[child], keys[k]
        ids[k], ids[child] = ids[child], ids[k]
        k = child


# Losses.

cdef void sum_losses(Sight *sight, const Scoring *scoring, Py_ssize_t index) noexcept nogil:
    # sum of u (log(sum) - x) = sum of u (peak - x) + (sum of u) (log(sum) - peak), of which no part is negative
    # where no u is
    cdef const Problem *problem = sight.problem
    cdef const Problem *other = scoring.other
    cdef Buffers buffers
    cdef Buffers targets
    cdef Terms terms
    cdef Pair losses, mass
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count
    cdef const void *x
    cdef const void *target = NULL
    cdef Row row
    cdef double peak, first, second, product
    losses.high = losses.low = mass.high = mass.low = 0
    know_all(sight)
    peak = sight.known.peak[sight.place]
    first = sight.known.first[sight.place]
    second = sight.known.second[sight.place]
    if other != NULL:
        row = row_at(other, index)
    while start < problem.n:
        count = min(length, problem.n - start)
        x = keys_of(problem, &sight.row, start, count, 1, &buffers)
        if other != NULL:
            row_terms(other, &row, start, count, &targets, &terms)
            target = terms.a
        if problem.bits == 64:
            add_losses(<const double *> x, <const double *> target, weight_at(scoring, start), scoring.alpha,
                       scoring.beta, peak, count, &losses, &mass)
        else:
            add_losses(<const float *> x, <const float *> target, weight_at(scoring, start), scoring.alpha,
                       scoring.beta, peak, count, &losses, &mass)
        start += length
    if fabs(peak) < INFINITY:
        product = mass.high * first
        add_to(&losses, product, fma(mass.high, first, -product) + (mass.high * second + mass.low * first))
    scoring.totals[index] = NAN if sight.known.undefined[sight.place] else losses.high + losses.low
    scoring.masses[index] = mass.high + mass.low


cdef inline const double *weight_at(const Scoring *scoring, Py_ssize_t start) noexcept nogil:
    return scoring.weight + start if scoring.weight != NULL else NULL


# Entropies.

cdef inline Map kind_of_shares(const Problem *problem) noexcept nogil:
    # Of short rows a logarithm takes longer than it saves.
    return SOFTMAX if is_short(problem.n, problem.bits) else LONG_SOFTMAX


cdef bint know_shares(const Problem *problem, const Row *row, Job *job, Known *logs, Known *shares) noexcept nogil:
    # Of softmax and of log_softmax.  False for a row of which the first is undefined.
    cdef States states = states_of(&logs.room)
    cdef Look look = look_for(LOG_SOFTMAX, logs, NULL)
    if is_short(problem.n, problem.bits):    # whose sums are of two kinds
        know(problem, row, 1, kind_of_shares(problem), job, NULL, shares)
        know(problem, row, 1, LOG_SOFTMAX, job, NULL, logs)
        return not is_strange(logs, 0)
    find_sums(problem, row, 1, &look, job, logs)
    shares[0] = logs[0]
    settle_sums(problem, 1, kind_of_shares(problem), False, shares)
    if settle_sums(problem, 1, LOG_SOFTMAX, False, logs):
        look.phase = APART
        look_over(problem, row, 1, &look, job, &states)
        settle_sums(problem, 1, LOG_SOFTMAX, True, logs)
    return not is_strange(logs, 0)


cdef inline void write_block(const Problem *problem, const Terms *terms, Py_ssize_t count, Map map, const Known *known,
                             void *out) noexcept nogil:
    kernels_of(problem.bits).write(terms, count, 0, map, known.peak, known.first, known.second, known.power, out, 0)


cdef void compare_shares(const Sight *sight, const Scoring *scoring, Py_ssize_t index,
                         const Helpers *helpers) noexcept nogil:
    cdef const Problem *problem = sight.problem
    cdef const Problem *other = scoring.other
    cdef Known logs
    cdef Known shares
    cdef Known other_logs
    cdef Known other_shares
    cdef Pair total, size
    cdef Row row
    cdef Level level
    total.high = total.low = size.high = size.low = 0
    scoring.totals[index] = NAN
    if scoring.summary == ENTROPY and problem.n <= block_length(problem.bits):
        if add_entropies_in_one(problem, &sight.row, &total):
            scoring.totals[index] = total.high + total.low
        return
    if not know_shares(problem, &sight.row, sight.job, &logs, &shares):
        return
    if scoring.summary == ENTROPY:
        add_entropies(problem, &sight.row, &logs, &shares, &total)
        scoring.totals[index] = total.high + total.low
        return
    row = row_at(other, index)
    if not know_shares(other, &row, helpers.other if helpers != NULL else NULL, &other_logs, &other_shares):
        return
    level.scale = problem.scale
    plus(logs.peak[0], -other_logs.peak[0], &level.peaks, &level.peaks_low)
    if problem.bits == 32:    # in double the products with `scale` are rounded, so the peaks must be
        level.peaks_low += logs.peak[TILE] - other_logs.peak[TILE]
    level.sums = (logs.first[0] - other_logs.first[0]) + (logs.second[0] - other_logs.second[0])
    add_divergences(problem, other, &sight.row, &row, &shares, NULL, &level, &total, &size)
    # They cancel, or would if the sums had no error: of small ratios that is all of the first total, and of no order of
    # the second.
    if fabs(total.high) < 0.25 * size.high or size.high < 0.125:
        total.high = total.low = 0
        add_divergences(problem, other, &sight.row, &row, &shares, &other_shares, &level, &total, &size)
    scoring.totals[index] = total.high + total.low


cdef bint add_entropies_in_one(const Problem *problem, const Row *row, Pair *total) noexcept nogil:
    # Of a row in one block.  False if it is special.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Buffers buffers
    cdef Terms terms
    row_terms(problem, row, 0, problem.n, &buffers, &terms)
    if (kernels.map_block(&terms, problem.n, 0, SOFTMAX, False, NULL, buffers.out, 0) != WRITTEN
            or kernels.map_block(&terms, problem.n, 0, LOG_SOFTMAX, False, NULL, buffers.b, 0) != WRITTEN):
        return False
    if problem.bits == 64:
        add_products(<const double *> buffers.out, <const double *> buffers.b, problem.n, total)
    else:
        add_products(<const float *> buffers.out, <const float *> buffers.b, problem.n, total)
    return True


cdef void add_entropies(const Problem *problem, const Row *row, const Known *logs, const Known *shares,
                        Pair *total) noexcept nogil:
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        write_block(problem, &terms, count, kind_of_shares(problem), shares, buffers.out)
        write_block(problem, &terms, count, LOG_SOFTMAX, logs, buffers.b)
        if problem.bits == 64:
            add_products(<const double *> buffers.out, <const double *> buffers.b, count, total)
        else:
            add_products(<const float *> buffers.out, <const float *> buffers.b, count, total)
        start += length


cdef void add_divergences(const Problem *problem, const Problem *other, const Row *row, const Row *other_row,
                          const Known *shares, const Known *other_shares, const Level *level, Pair *total,
                          Pair *size) noexcept nogil:
    # With `other_shares` term by term without cancellation.
    cdef Buffers buffers
    cdef Buffers others
    cdef Terms terms
    cdef Terms more
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        row_terms(other, other_row, start, count, &others, &more)
        write_block(problem, &terms, count, kind_of_shares(problem), shares, buffers.out)
        if other_shares != NULL:
            write_block(other, &more, count, kind_of_shares(other), other_shares, others.out)
            if problem.bits == 64:
                add_excesses(<const double *> terms.a, <const double *> more.a, <const double *> buffers.out,
                             <const double *> others.out, level, count, total)
            else:
                add_excesses(<const float *> terms.a, <const float *> more.a, <const float *> buffers.out,
                             <const float *> others.out, level, count, total)
        elif problem.bits == 64:
            add_ratios(<const double *> terms.a, <const double *> more.a, <const double *> buffers.out, level, count,
                       total, size)
        else:
            add_ratios(<const float *> terms.a, <const float *> more.a, <const float *> buffers.out, level, count,
                       total, size)
        start += length


# Gradients.

cdef void write_gradients(const Problem *problem, const Scoring *scoring, Py_ssize_t first, Py_ssize_t end,
                          const Helpers *helpers) noexcept nogil:
    # Shares first, then what the loss makes of them, while the rows are in cache.
    cdef const Problem *written = scoring.written
    cdef Problem columns
    cdef Group group
    cdef Row column
    cdef Job job
    cdef Py_ssize_t index, k = 0, wide
    cdef bint done = False
    find_group(written, first, end - first, &group)
    if helpers != NULL:
        map_over(written, &group.first, 1, SOFTMAX, helpers.written, NULL, scoring.out)
    elif group.step_out == 1 and are_columns(written, &group, &columns):
        wide = map_width(&columns)
        while k < group.count:
            index = next_width(group.count - k, wide, columns.bits)
            column = column_at(&columns, &group.first, k)
            map_over(&columns, &column, index, SOFTMAX, NULL, NULL, scoring.out)
            k += index
        if scoring.other == NULL and scoring.beta == 0:
            scale_columns_of(scoring, &group, first)
            done = True
    else:
        job.problem = written
        job.map = SOFTMAX
        job.out = scoring.out
        map_some_rows(&job, first, end)
    for index in range(first, end):
        write_gradient(scoring, row_of(&group, index - first).out, index, done)


# What the loss makes of the shares p of a row: factor (whole p - u).
cdef struct Slope:
    double value     # of the chosen element, or the loss; NaN: the shares say all there is to say
    double factor
    double chosen    # of the weight of the chosen element
    double others    # of what else pulls at all
    double whole


cdef inline Slope slope_of(const Scoring *scoring, Py_ssize_t index) noexcept nogil:
    cdef Slope slope
    cdef double lse
    slope.value = scoring.values[index] if scoring.values != NULL else scoring.totals[index]
    slope.factor = scoring.factors[index]
    slope.chosen = scoring.chosen[index] if scoring.chosen != NULL else 0
    slope.others = scoring.masses[index] if scoring.masses != NULL else 0
    if scoring.z_loss != 0:
        lse = ((<const double *> scoring.lse)[index] if scoring.written.bits == 64
               else (<const float *> scoring.lse)[index])
        slope.others += 2 * scoring.z_loss * lse
    slope.whole = slope.chosen + slope.others
    return slope


cdef void scale_columns_of(const Scoring *scoring, const Group *group, Py_ssize_t first) noexcept nogil:
    cdef const Problem *problem = scoring.written
    cdef double scales[TILE]
    cdef Slope slope
    cdef Py_ssize_t k, step = out_step(problem)
    cdef bint alike = True
    for k in range(group.count):
        slope = slope_of(scoring, first + k)
        scales[k] = slope.factor * slope.whole if not isnan(slope.value) else 1
        alike = alike and scales[k] == 1
    if alike:
        return
    for k in range(problem.n):
        if problem.bits == 64:
            multiply(<double *> scoring.out + group.first.out + k * step, scales, group.count)
        else:
            multiply(<float *> scoring.out + group.first.out + k * step, scales, group.count)


cdef void write_gradient(const Scoring *scoring, Py_ssize_t place, Py_ssize_t index, bint done) noexcept nogil:
    # At the chosen element, where 1 is taken from p, by its logarithm.  Zero for a row that is ignored; so are the
    # shares of one of which nothing is above -inf, while those beside a NaN or +inf are NaN.  `done`: multiplied
    # already.
    cdef const Problem *problem = scoring.written
    cdef const Problem *other = scoring.other
    cdef Buffers buffers
    cdef Terms terms
    cdef Row row
    cdef Slope slope = slope_of(scoring, index)
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, step = out_step(problem)
    cdef Py_ssize_t size = problem.bits // 8
    cdef int64_t id = scoring.ids[index] if scoring.ids != NULL else -1
    cdef double value
    cdef const void *target = NULL
    cdef char *out = <char *> at(problem, scoring.out, place)
    if slope.factor == 0:
        for start in range(problem.n):
            set_real(problem, out + start * step * size, 0)
    if slope.factor == 0 or isnan(slope.value):
        return
    if other != NULL:
        row = row_at(other, index)
    while start < problem.n and not done:
        count = min(length, problem.n - start)
        if other != NULL:
            row_terms(other, &row, start, count, &buffers, &terms)
            target = terms.a
        if problem.bits == 64:
            finish_gradient(<double *> out + start * step, step, <const double *> target, weight_at(scoring, start),
                            scoring.alpha, scoring.beta, slope.factor, slope.whole, count)
        else:
            finish_gradient(<float *> out + start * step, step, <const float *> target, weight_at(scoring, start),
                            scoring.alpha, scoring.beta, slope.factor, slope.whole, count)
        start += length
    out += id * step * size
    if id >= 0 and not isnan(real_at(problem, out)):
        value = slope.chosen * expm1(slope.value) + slope.others * exp(slope.value)
        if scoring.beta != 0:
            value -= scoring.beta * (scoring.weight[id] if scoring.weight != NULL else 1)
        set_real(problem, out, slope.factor * value)


cdef inline double real_at(const Problem *problem, const char *place) noexcept nogil:
    return (<const double *> place)[0] if problem.bits == 64 else (<const float *> place)[0]


cdef inline void set_real(const Problem *problem, char *place, double value) noexcept nogil:
    if problem.bits == 64:
        (<double *> place)[0] = value
    else:
        (<float *> place)[0] = <float> value
