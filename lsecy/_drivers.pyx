# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How the work is shared out: blocks, threads, the order of merging, the kernels of this CPU.

A row of n elements is cut into blocks, and blocks into at most MOST_TASKS tasks, by n alone.  The
states of a task's blocks are merged in order, then those of the tasks: so a row's bits depend
neither on the threads nor on where the row lies.  Every row ends in `finish_rows`, which looks
again, with pairs of doubles, at the rare row whose answer would lose digits otherwise.
"""

from cython.parallel cimport parallel, threadid
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, NAN, exp, fabs, isnan, ldexp, log
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from lsecy._arguments cimport MOST_AXES, Axes, Operand, Problem
from lsecy._convert cimport convert
from lsecy._threads cimport Start, await_team, enter, plan, seconds
from lsecy.kernels.table cimport (
    BLOCK_BYTES, BLOCK_DOUBLES, EXACT, FAST, L1_PERIOD, LEAST_PAIR, LOG_SOFTMAX, LONG_SOFTMAX, NUMBERS, REFUSED,
    SHORT, SHORT_ROW, SOFTMAX, TILE, WITH_NOTHING, WRITTEN, Answers, Care, Kernels, Map, States, Terms, are_crowded,
    are_exact, are_masked, from_place, is_plain, is_short, plain_terms, size_of_room, states_in, terms_from)

cdef extern from "_atomic.h" nogil:
    Py_ssize_t lsecy_take(Py_ssize_t *counter, Py_ssize_t some)


cdef extern from "kernels/cpu.h" nogil:
    const char *lsecy_cpu_lacks(const char *isa)

cdef enum:
    MOST_TASKS = 256       # bounds the states of a long row, and of a panel of long columns: 512 KB
    MOST_THREADS = 256
    MOST_ALONE = 64        # fewer rows or panels than this share out their tasks instead
    FEW = 4                # the same for maps, which gain by having a row in one core's cache
    MAP_CACHE = 262144     # bytes of a panel that is looked at three times
    MOST_MAP_CACHE = 524288    # the same, where it is no wider than two cache lines
    BYPASS = 33554432      # bytes of a map's result that go past the caches: a last level seldom has room for more
    ITEM_WORK = 16384      # elements that one thread takes at a time, unless there are few or an item is larger
    MOST_LANES = 16        # of any kernel

cdef const Kernels *kernels_32
cdef const Kernels *kernels_64


def use_tables(table_32, table_64):
    """Use these two kernel modules' tables from now on."""
    global kernels_32, kernels_64
    kernels_32 = <const Kernels *> PyCapsule_GetPointer(table_32, "lsecy.kernels.table")
    kernels_64 = <const Kernels *> PyCapsule_GetPointer(table_64, "lsecy.kernels.table")


def cpu_lacks(str isa):
    """The first feature of instruction set `isa` that this machine lacks, or None."""
    cdef bytes name = isa.encode()
    cdef const char *feature = lsecy_cpu_lacks(name)
    return None if feature == NULL else feature.decode()


cdef inline const Kernels *kernels_of(int bits) noexcept nogil:
    return kernels_64 if bits == 64 else kernels_32


# --- how a row is cut: by its length alone ----------------------------------------------------------

cdef inline Py_ssize_t block_length(int bits) noexcept nogil:
    return BLOCK_BYTES // (bits // 8)


cdef inline Py_ssize_t task_length(Py_ssize_t n, int bits) noexcept nogil:
    cdef Py_ssize_t block = block_length(bits)
    cdef Py_ssize_t blocks = (n + block - 1) // block
    # Joining the states of a task takes one thread 10 ns, folding a block takes all of them 500 ns: tasks are of up to
    # four blocks, as long as there are some 64.
    return block * max((blocks + MOST_TASKS - 1) // MOST_TASKS, min(4, blocks // 64))


cdef inline bint keeps_much(const Problem *problem) noexcept nogil:
    # The terms of a TILE of the longest short rows, kept in two parts beside their exponents, leave the L1 cache.
    return is_short(problem.n, problem.bits) and problem.n * (problem.bits // 8) >= 256


cdef inline Care first_care(Py_ssize_t n, int bits) noexcept nogil:
    return SHORT if is_short(n, bits) else FAST


cdef inline Care care_of(const Problem *problem) noexcept nogil:
    # A state that is held may become that of a long row.
    return FAST if problem.held != NULL else first_care(problem.n, problem.bits)


# --- states -----------------------------------------------------------------------------------------

# Room for the states of up to TILE rows; nothing is cleared, so an unused place costs nothing.
cdef struct Room:
    double shift[TILE]
    double high[TILE]
    double low[TILE]
    double rest[TILE]
    double size[TILE]
    double apart[TILE]
    double apart_low[TILE]


cdef inline States states_of(Room *room) noexcept nogil:
    cdef States states
    states.shift = room.shift
    states.high = room.high
    states.low = room.low
    states.rest = room.rest
    states.size = room.size
    states.apart = room.apart
    states.apart_low = room.apart_low
    return states


cdef inline void copy_state(const States *into, Py_ssize_t place, const States *source,
                            Py_ssize_t other) noexcept nogil:
    into.shift[place] = source.shift[other]
    into.high[place] = source.high[other]
    into.low[place] = source.low[other]
    into.rest[place] = source.rest[other]
    into.size[place] = source.size[other]


cdef inline void copy_apart(const States *into, Py_ssize_t place, const States *source,
                            Py_ssize_t other) noexcept nogil:
    into.apart[place] = source.apart[other]
    into.apart_low[place] = source.apart_low[other]


# exp(-32 k) as a sum of two doubles: shifts are multiples of 32, and what lies further away is too small for
# the second to count (mpmath: high = float(exp(-32 * k)), low = float(exp(-32 * k) - high)).
cdef enum:
    DECAYS = 5

cdef double[DECAYS] DECAY = [
    1.0, 1.2664165549094176e-14, 1.603810890548638e-28, 2.031092662734811e-42, 2.572209372642415e-56]
cdef double[DECAYS] DECAY_LOW = [
    0.0, 1.858907962674809e-31, -7.361325221284214e-45, -4.971158229958302e-60, 1.513636755305348e-73]


cdef inline double product_error(double x, double y, double product) noexcept nogil:
    # x y - product exactly (Dekker 1971, "A floating-point technique for extending the available precision").
    cdef double big = x * 134217729.0
    cdef double x_high = big - (big - x), x_low = x - x_high
    cdef double y_high, y_low
    big = y * 134217729.0
    y_high = big - (big - y)
    y_low = y - y_high
    return ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low


cdef inline void decay(double distance, double *high, double *low, double *rest, double *size) noexcept nogil:
    # A total times exp(-distance), to about 2^-100 of itself.
    cdef double steps = distance * 0.03125, scale, scale_low = 0, product
    if steps < DECAYS and steps == <int> steps:
        scale = DECAY[<int> steps]
        scale_low = DECAY_LOW[<int> steps]
    else:
        scale = exp(-distance)
    product = high[0] * scale
    low[0] = product_error(high[0], scale, product) + (high[0] * scale_low + low[0] * scale)
    high[0] = product
    rest[0] *= scale
    size[0] *= scale


cdef inline void merge(const States *into, Py_ssize_t place, const States *source,
                       Py_ssize_t other) noexcept nogil:
    # (s, t) + (s', t') = (s, t + t' exp(s' - s)) for s >= s'.  The identity is (-inf, 0); a state
    # of infinite or NaN terms has shift +inf, so that it outweighs all others, and equal infinities
    # are never subtracted.
    # bound  2^-100 of the sum of magnitudes, so that an answer does not show in which order its states were merged.
    cdef double shift = source.shift[other], total, high, low, t, y
    cdef double more = source.high[other], more_low = source.low[other]
    cdef double more_rest = source.rest[other], more_size = source.size[other]
    if shift > into.shift[place]:
        decay(shift - into.shift[place], into.high + place, into.low + place, into.rest + place, into.size + place)
        into.shift[place] = shift
    elif shift < into.shift[place]:
        decay(into.shift[place] - shift, &more, &more_low, &more_rest, &more_size)
    high = into.high[place] + more
    if into.shift[place] == INFINITY:
        into.high[place] = high
        return
    t = high - into.high[place]
    y = ((into.high[place] - (high - t)) + (more - t)) + more_low
    low = into.low[place] + y
    t = low - into.low[place]
    into.rest[place] += ((into.low[place] - (low - t)) + (y - t)) + more_rest
    total = high + low
    into.high[place] = total
    into.low[place] = (high - total) + low
    into.size[place] += more_size


# A first look leaves an error in the logarithm of about four half ulps of 1 (SHORT float32: 2^-36).
# That is too much for an answer nearer to zero than `near`, which only shift 0 can lead to, and for a
# sum of both signs that is smaller than `cancelled` times its terms' magnitudes: such a row is looked
# at again.
cdef inline double near_zero(Care care, int bits) noexcept nogil:
    if care == FAST:
        return 4.0
    return 0.0009765625 if care == SHORT and bits == 32 else 0.0


cdef inline double cancelled(Care care, int bits) noexcept nogil:
    if care == FAST:
        return 0.5
    return 0.0009765625 if care == SHORT and bits == 32 else 0.0


cdef inline bint lacks_digits(double value, const States *states, Py_ssize_t place, Care care, int bits) noexcept nogil:
    # One lane of what `finish` answers for all.
    return ((states.shift[place] == 0 and fabs(value) < near_zero(care, bits))
            or fabs(states.high[place]) < cancelled(care, bits) * states.size[place])


# --- where things lie ---------------------------------------------------------------------------------

# A row's first elements and its place in the result.  Handed on by its address: a copy in vectors of what was just
# written in words waits until all answers before it have left for the cache.
cdef struct Row:
    const char *a
    const char *b
    const char *mask
    Py_ssize_t out


# What is done with the blocks of a row or panel.
cdef enum Phase:
    FOLD      # into states
    PEAK      # of a map: the largest exponents, into the states' shifts
    SUM       # of a map: states
    BOTH      # of a map: peaks and states at once, each block's on a scale of its own
    APART     # of a map: states of all but the peak
    WRITE     # of a map: its elements

cdef struct Look:
    Phase phase
    Care care
    Map map
    const double *peak
    const double *first
    const double *second
    const double *power
    void *out


# What the threads of one call do: item k of a job is some panels, some rows, or a task of one row or panel.
cdef enum Kind:
    PANELS
    ROWS
    TASKS
    FOLDS     # of running sums: the sum of a task
    SCANS     # the sums within it
    TILES     # all of some short rows

cdef struct Job:
    Kind kind
    const Problem *problem
    bint maps
    Map map
    void *out
    void *sign
    Py_ssize_t panels    # items in a line of columns
    Py_ssize_t wide      # PANELS: columns of an item, and of the panels that it is done in
    Py_ssize_t narrow
    Py_ssize_t each      # ROWS: rows of an item
    Row row              # TASKS: whose tasks, how wide, what to do, and where their states go
    Py_ssize_t width
    Look look
    const States *tasks
    bint exclusive          # running sums: without their own term
    Py_ssize_t each_line    # tasks of a row or panel
    Py_ssize_t slot         # places of `tasks` for each
    const Scoring *scoring    # ROWS: or NULL


cdef inline Row row_at(const Problem *problem, Py_ssize_t index) noexcept nogil:
    cdef const Axes *axes = &problem.kept
    cdef int k
    cdef Py_ssize_t rest
    cdef Row row
    row.a = problem.a.data
    row.b = problem.b.data
    row.mask = problem.mask.data
    row.out = 0
    for k in range(axes.count - 1, -1, -1):
        rest = index // axes.length[k]
        index -= rest * axes.length[k]
        row.a += index * axes.a[k]
        row.b += index * axes.b[k]
        row.mask += index * axes.mask[k]
        row.out += index * axes.out[k]
        index = rest
    return row


cdef inline bint along_memory(const Problem *problem, const Operand *operand, const Py_ssize_t *strides) noexcept nogil:
    # Are a row's elements neighbours of the right type?
    if not operand.direct or problem.reduced.count > 1:
        return False
    return problem.reduced.count == 0 or strides[0] == (1 if operand == &problem.mask else problem.bits // 8)


cdef inline bint all_one(const Problem *problem, const Operand *operand, const Py_ssize_t *strides) noexcept nogil:
    # Is it one element for a whole row?
    return operand.direct and (problem.reduced.count == 0 or (problem.reduced.count == 1 and strides[0] == 0))


# A walk over a row's elements in C order of the reduced axes, a run of equal steps at a time.
cdef struct Walk:
    const Axes *axes
    const Py_ssize_t *strides
    Py_ssize_t index[MOST_AXES]
    Py_ssize_t place     # of the next element, in units of the strides
    Py_ssize_t stride    # within a run
    Py_ssize_t length


cdef inline void start_walk(const Axes *axes, const Py_ssize_t *strides, Py_ssize_t first, Walk *walk) noexcept nogil:
    cdef int k, last = axes.count - 1
    walk.axes = axes
    walk.strides = strides
    walk.place = 0
    walk.length = axes.length[last] if last >= 0 else 1
    walk.stride = strides[last] if last >= 0 else 0
    walk.index[0] = 0
    for k in range(last, -1, -1):
        walk.index[k] = first % axes.length[k]
        first = first // axes.length[k]
        walk.place += walk.index[k] * strides[k]


cdef inline Py_ssize_t run_of(const Walk *walk, Py_ssize_t count) noexcept nogil:
    # How many of the next `count` elements lie in one run.
    return min(count, walk.length - walk.index[max(walk.axes.count - 1, 0)])


cdef inline void next_run(Walk *walk, Py_ssize_t run) noexcept nogil:
    cdef int k, last = walk.axes.count - 1
    walk.place += run * walk.stride
    if last < 0:
        return
    walk.index[last] += run
    for k in range(last, 0, -1):
        if walk.index[k] < walk.axes.length[k]:
            return
        walk.place += walk.strides[k - 1] - walk.index[k] * walk.strides[k]
        walk.index[k] = 0
        walk.index[k - 1] += 1


cdef inline void convert_run(const Problem *problem, const Operand *operand, const char *source, Py_ssize_t stride,
                             void *target, Py_ssize_t target_step, Py_ssize_t count) noexcept nogil:
    # Elements that lie at equal steps, as the element type; a mask as bytes.
    cdef Py_ssize_t k
    if operand == &problem.mask:
        for k in range(count):
            (<char *> target)[k * target_step] = source[k * stride]
    elif problem.bits == 64:
        convert(source, operand.type, operand.swapped, stride, <double *> target, target_step, count)
    else:
        convert(source, operand.type, operand.swapped, stride, <float *> target, target_step, count)


cdef void gather(const Problem *problem, const Operand *operand, const Py_ssize_t *strides,
                 const char *row, Py_ssize_t first, Py_ssize_t count, void *target,
                 Py_ssize_t target_step) noexcept nogil:
    # Elements first .. first + count of a row into a buffer.
    cdef Walk walk
    cdef Py_ssize_t run, size = 1 if operand == &problem.mask else problem.bits // 8
    start_walk(&problem.reduced, strides, first, &walk)
    while count > 0:
        run = run_of(&walk, count)
        convert_run(problem, operand, row + walk.place, walk.stride, target, target_step, run)
        target = <char *> target + run * target_step * size
        count -= run
        next_run(&walk, run)


cdef void scatter(const Problem *problem, const void *source, Py_ssize_t source_step, Py_ssize_t first,
                  Py_ssize_t count, void *row) noexcept nogil:
    # The reverse, into a row of a map's result.
    cdef Walk walk
    cdef Py_ssize_t run, k
    cdef const double *doubles = <const double *> source
    cdef const float *floats = <const float *> source
    start_walk(&problem.reduced, problem.reduced.out, first, &walk)
    while count > 0:
        run = run_of(&walk, count)
        for k in range(run):
            if problem.bits == 64:
                (<double *> row)[walk.place + k * walk.stride] = doubles[k * source_step]
            else:
                (<float *> row)[walk.place + k * walk.stride] = floats[k * source_step]
        doubles += run * source_step
        floats += run * source_step
        count -= run
        next_run(&walk, run)


cdef inline Py_ssize_t out_step(const Problem *problem) noexcept nogil:
    # From element to element of a map's row or column, where these lie at equal steps.
    return problem.reduced.out[0] if problem.reduced.count else 0


cdef inline bint out_along(const Problem *problem) noexcept nogil:
    # Does a map write a row's elements side by side?
    return problem.reduced.count == 0 or (problem.reduced.count == 1 and problem.reduced.out[0] == 1)


# --- blocks -------------------------------------------------------------------------------------------

cdef inline bint bypasses(const Problem *problem) noexcept nogil:
    return problem.n * problem.rows * (problem.bits // 8) >= BYPASS


cdef inline void *at(const Problem *problem, void *out, Py_ssize_t place) noexcept nogil:
    return <char *> out + place * (problem.bits // 8)


# What of a block has to be converted or brought together.
cdef struct Buffers:
    double a[BLOCK_DOUBLES]
    double b[BLOCK_DOUBLES]
    double out[BLOCK_DOUBLES]
    char mask[2 * BLOCK_DOUBLES]


cdef inline void set_weights(const Problem *problem, Terms *terms, const void *b) noexcept nogil:
    terms.b = NULL if problem.logarithmic else b
    terms.logb = b if problem.logarithmic else NULL


cdef inline void gather_weights(const Problem *problem, const char *row, Py_ssize_t start, Py_ssize_t count,
                                void *target) noexcept nogil:
    # Or, of a map, their logarithms.
    cdef Py_ssize_t size = problem.bits // 8
    if along_memory(problem, &problem.b, problem.reduced.b):
        memcpy(target, row + start * size, count * size)
    else:
        gather(problem, &problem.b, problem.reduced.b, row, start, count, target, 1)
    if problem.take_logs:
        kernels_of(problem.bits).logs(target, count)


cdef inline void row_terms(const Problem *problem, const Row *row, Py_ssize_t start, Py_ssize_t count, Buffers *buffers,
                           Terms *terms) noexcept nogil:
    # Elements start .. start + count of a row.
    row_terms_with(problem, row, start, count, buffers, NULL, False, terms)


cdef void row_terms_with(const Problem *problem, const Row *row, Py_ssize_t start, Py_ssize_t count, Buffers *buffers,
                         void *logs, bint taken, Terms *terms) noexcept nogil:
    # `logs`: where the logarithms of the weights go, or lie if they were taken before; NULL: in the buffers.
    cdef Py_ssize_t size = problem.bits // 8
    terms[0] = plain_terms(row.a + start * size, 0)
    terms.scale = problem.scale
    if not along_memory(problem, &problem.a, problem.reduced.a):
        gather(problem, &problem.a, problem.reduced.a, row.a, start, count, buffers.a, 1)
        terms.a = buffers.a
    if problem.b.data != NULL:
        terms.b_inner = 0 if all_one(problem, &problem.b, problem.reduced.b) else 1
        if not problem.take_logs and not terms.b_inner:
            set_weights(problem, terms, row.b)
        elif not problem.take_logs and along_memory(problem, &problem.b, problem.reduced.b):
            set_weights(problem, terms, row.b + start * size)
        else:
            if logs == NULL:
                logs = buffers.b
            if not taken:
                gather_weights(problem, row.b, start, count if terms.b_inner else 1, logs)
            set_weights(problem, terms, logs)
    if problem.mask.data != NULL:
        if all_one(problem, &problem.mask, problem.reduced.mask):
            terms.kept = row.mask
            terms.kept_inner = 0
        elif along_memory(problem, &problem.mask, problem.reduced.mask):
            terms.kept = row.mask + start
        else:
            gather(problem, &problem.mask, problem.reduced.mask, row.mask, start, count, buffers.mask, 1)
            terms.kept = buffers.mask


cdef void panel_terms(const Problem *problem, const Row *row, Py_ssize_t start, Py_ssize_t count, Buffers *buffers,
                      Terms *terms) noexcept nogil:
    # Rows start .. start + count of a panel of columns.
    cdef Py_ssize_t size = problem.bits // 8
    cdef Py_ssize_t step_a = problem.reduced.a[0] if problem.reduced.count else 0
    cdef Py_ssize_t step_b = problem.reduced.b[0] if problem.reduced.count else 0
    terms[0] = plain_terms(row.a + start * step_a, step_a // size)
    terms.scale = problem.scale
    terms.b_step = step_b // size
    terms.b_inner = problem.inner_b // size
    if problem.b.data != NULL:
        if problem.b.direct and step_b % size == 0 and not problem.take_logs:
            set_weights(problem, terms, row.b + start * step_b)
        elif problem.inner_b == 0:    # all columns share one weight a row
            gather_weights(problem, row.b, start, count, buffers.b)
            set_weights(problem, terms, buffers.b)
            terms.b_step = 1
    terms.kept_step = problem.reduced.mask[0] if problem.reduced.count else 0
    terms.kept_inner = problem.inner_mask
    if problem.mask.data != NULL:
        terms.kept = row.mask + start * terms.kept_step


cdef inline bint logs_in_result(const Problem *problem) noexcept nogil:
    # Do the logarithms of a map's weights stand where its answers will be until these are written?  Of weights that
    # columns do not share, and of rows of several blocks, which would have to be taken again in each look: the result
    # never lies where the weights do.
    if not problem.take_logs:
        return False
    if problem.inner > 1:
        return problem.inner_b != 0
    return (problem.n > block_length(problem.bits) and out_along(problem)
            and not all_one(problem, &problem.b, problem.reduced.b))


cdef void map_terms(const Problem *problem, const Row *row, Py_ssize_t start, Py_ssize_t count, Py_ssize_t width,
                    bint taken, Buffers *buffers, void *out, Terms *terms) noexcept nogil:
    # Those of a block of a map.  `taken`: of its weights' logarithms if need be, in a look before.
    cdef Py_ssize_t step = out_step(problem), size = problem.bits // 8
    cdef Py_ssize_t step_b = problem.reduced.b[0] if problem.reduced.count else 0
    cdef char *logs = <char *> at(problem, out, row.out + start * step) if logs_in_result(problem) else NULL
    if problem.inner == 1:
        row_terms_with(problem, row, start, count, buffers, logs, taken and logs != NULL, terms)
        return
    panel_terms(problem, row, start, count, buffers, terms)
    if logs == NULL:
        return
    terms.logb = logs
    terms.b_step = step
    terms.b_inner = 1
    if not taken:
        take_logs(problem, row.b + start * step_b, step_b, count, width, buffers.b, logs, step * size)


cdef void take_logs(const Problem *problem, const char *weights, Py_ssize_t step, Py_ssize_t count, Py_ssize_t width,
                    void *block, char *target, Py_ssize_t target_step) noexcept nogil:
    # Of `count` rows of a panel, as many at a time as a block holds, for a row is short; steps are in bytes.
    cdef Py_ssize_t size = problem.bits // 8, length = width * size, most = BLOCK_BYTES // length, first = 0, some, k
    while first < count:
        some = min(most, count - first)
        for k in range(some):
            convert_run(problem, &problem.b, weights + (first + k) * step, problem.inner_b, <char *> block + k * length,
                        1, width)
        kernels_of(problem.bits).logs(block, some * width)
        for k in range(some):
            memcpy(target + (first + k) * target_step, <char *> block + k * length, length)
        first += some


cdef void look_block(const Problem *problem, const Row *row, Py_ssize_t start, Py_ssize_t count, Py_ssize_t width,
                     const Look *look, Buffers *buffers, const States *states) noexcept nogil:
    # A row is a panel of width 1, which has kernels of its own.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef bint alone = problem.inner == 1
    cdef Terms terms
    cdef void *out
    cdef bint along
    if look.phase != FOLD:
        map_terms(problem, row, start, count, width, look.phase != PEAK and look.phase != BOTH, buffers, look.out,
                  &terms)
    elif alone:
        row_terms(problem, row, start, count, buffers, &terms)
    else:
        panel_terms(problem, row, start, count, buffers, &terms)
    if alone:
        width = 0
    if look.phase == PEAK:
        kernels.peak(&terms, count, width, look.map, states.shift, states.low)
    elif look.phase == BOTH:
        kernels.peak_and_sum(&terms, count, width, look.map, states)
    elif look.phase == SUM or look.phase == APART:
        kernels.sum(&terms, count, width, look.map, look.peak, is_short(problem.n, problem.bits), look.phase == APART,
                    states)
    elif look.phase == FOLD and alone:
        kernels.fold_row(&terms, count, look.care, states, 0)
    elif look.phase == FOLD:
        kernels.fold_columns(&terms, count, width, look.care, states)
    elif alone:
        along = out_along(problem)
        terms.bypass = along and bypasses(problem)
        out = at(problem, look.out, row.out + start) if along else <void *> buffers.out
        kernels.write(&terms, count, 0, look.map, look.peak, look.first, look.second, look.power, out, 0)
        if not along:
            scatter(problem, out, 1, start, count, at(problem, look.out, row.out))
    else:
        out = at(problem, look.out, row.out + start * out_step(problem))
        kernels.write(&terms, count, width, look.map, look.peak, look.first, look.second, look.power, out,
                      out_step(problem))


cdef inline bint has_higher_peak(const States *source, Py_ssize_t other, const double *source_low, const States *into,
                                 Py_ssize_t place, const double *into_low) noexcept nogil:
    # Of peaks in the shifts, and what rounding took from them.
    return source.shift[other] > into.shift[place] or (
        source.shift[other] == into.shift[place] and source_low[other] > into_low[place])


cdef inline void add_to_sum(double more, double more_low, double *high, double *low) noexcept nogil:
    # With what rounding takes.
    cdef double total, error
    plus(high[0], more, &total, &error)
    more_low += error + low[0]
    high[0] = total + more_low
    low[0] = (total - high[0]) + more_low


cdef inline void join_shares(const States *into, Py_ssize_t place, const States *source, Py_ssize_t other,
                             Map map) noexcept nogil:
    # Peaks, and sums relative to powers of two next to them, as `peak_and_sum` has them: the sum beside the lower peak
    # is brought to the other's scale, which changes no digit, and added.  That peak is one of those that are not the
    # highest.
    cdef double high = source.high[other], low = source.low[other], scale
    if isnan(into.size[place]) or isnan(source.size[other]):    # not to be used
        into.size[place] = NAN
        return
    if source.shift[other] == -INFINITY:    # nothing, on no scale
        return
    if into.shift[place] == -INFINITY:
        copy_state(into, place, source, other)
        copy_apart(into, place, source, other)
        return
    if has_higher_peak(source, other, source.rest, into, place, into.rest):
        scale = ldexp(1, <int> (into.size[place] - source.size[other]))
        into.high[place] *= scale
        into.low[place] *= scale
        into.shift[place] = source.shift[other]
        into.rest[place] = source.rest[other]
        into.size[place] = source.size[other]
        if map == LOG_SOFTMAX:
            copy_apart(into, place, source, other)
            add_to_sum(into.high[place], into.low[place], into.apart + place, into.apart_low + place)
    else:
        scale = ldexp(1, <int> (source.size[other] - into.size[place]))
        high *= scale
        low *= scale
        if map == LOG_SOFTMAX:
            add_to_sum(high, low, into.apart + place, into.apart_low + place)
    add_to_sum(high, low, into.high + place, into.low + place)


cdef void join_states(const Look *look, Py_ssize_t width, const States *into, Py_ssize_t place,
                      const States *source, Py_ssize_t other) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(width):
        if look.phase == PEAK:
            if has_higher_peak(source, other + k, source.low, into, place + k, into.low):
                into.shift[place + k] = source.shift[other + k]
                into.low[place + k] = source.low[other + k]
        elif look.phase == BOTH:
            join_shares(into, place + k, source, other + k, look.map)
        elif look.phase != WRITE:
            merge(into, place + k, source, other + k)


cdef void look_task(const Problem *problem, const Row *row, Py_ssize_t first, Py_ssize_t end, Py_ssize_t width,
                    const Look *look, const States *states) noexcept nogil:
    # Elements first .. end of `width` columns, block by block.
    cdef Buffers buffers
    cdef Room room
    cdef States block = states_of(&room)
    cdef Py_ssize_t length = block_length(problem.bits), start = first
    while start < end:
        look_block(problem, row, start, min(length, end - start), width, look, &buffers,
                   states if start == first else &block)
        if start != first:
            join_states(look, width, states, 0, &block, 0)
        start += length


cdef void look_whole(const Problem *problem, const Row *row, Py_ssize_t width, const Look *look,
                     const States *states) noexcept nogil:
    # All tasks of a panel, or of a row, one after the other.
    cdef Room room
    cdef States task = states_of(&room)
    cdef Py_ssize_t length = task_length(problem.n, problem.bits), first = 0
    while first < problem.n:
        look_task(problem, row, first, min(problem.n, first + length), width, look, states if first == 0 else &task)
        if first > 0:
            join_states(look, width, states, 0, &task, 0)
        first += length


cdef inline void look_over(const Problem *problem, const Row *row, Py_ssize_t width, const Look *look, Job *job,
                           const States *states) noexcept nogil:
    # By this thread alone or, with the job of this row or panel, by all.
    if job == NULL:
        look_whole(problem, row, width, look, states)
    else:
        job.look = look[0]
        look_tasks(job, states)


cdef inline void fold_over(const Problem *problem, const Row *row, Py_ssize_t width, Care care, Job *job,
                           const States *states) noexcept nogil:
    cdef Look look
    look.phase = FOLD
    look.care = care
    look_over(problem, row, width, &look, job, states)


# --- rows ---------------------------------------------------------------------------------------------

cdef inline void store(const Problem *problem, void *target, Py_ssize_t place, Py_ssize_t step,
                       const double *values, Py_ssize_t count) noexcept nogil:
    # Results, `step` elements apart, in the element type.
    cdef Py_ssize_t k
    cdef double *doubles = <double *> target + place
    cdef float *floats = <float *> target + place
    if target == NULL:
        return
    if problem.bits == 64:
        for k in range(count):
            doubles[k * step] = values[k]
    elif step == 1:    # a loop of its own, which the compiler vectorises
        for k in range(count):
            floats[k] = <float> values[k]
    else:
        for k in range(count):
            floats[k * step] = <float> values[k]


cdef inline void pad_states(const States *states, Py_ssize_t count) noexcept nogil:
    # finish works on whole vectors of up to eight.
    while count % 8:
        states.shift[count] = states.low[count] = states.rest[count] = 0
        states.high[count] = states.size[count] = 1e9    # an answer that lacks nothing
        count += 1


cdef inline bint answer(int bits, Care care, const States *states, Py_ssize_t count, double *value,
                        double *sign) noexcept nogil:
    # The answers of `count` states.  True if any of them may lack digits.
    pad_states(states, count)
    return kernels_of(bits).finish(states, count, near_zero(care, bits), cancelled(care, bits), value, sign)


cdef inline double answer_one(int bits, const States *states, Py_ssize_t place, double *sign) noexcept nogil:
    # That of one state, whatever it lacks.
    cdef Room room
    cdef double value[8]
    cdef double signs[8]
    cdef States one
    one = states_of(&room)
    copy_state(&one, 0, states, place)
    answer(bits, EXACT, &one, 1, value, signs if sign != NULL else NULL)
    if sign != NULL:
        sign[0] = signs[0]
    return value[0]


# Up to TILE rows that are finished together.
cdef struct Group:
    Py_ssize_t count
    Row first
    bint even              # rows lie at equal distances: these
    Py_ssize_t step_a
    Py_ssize_t step_b
    Py_ssize_t step_mask
    Py_ssize_t step_out
    Row rows[TILE]         # filled only where they do not


cdef inline void find_group(const Problem *problem, Py_ssize_t first, Py_ssize_t count, Group *group) noexcept nogil:
    cdef const Axes *axes = &problem.kept
    cdef int last = axes.count - 1
    cdef Py_ssize_t k
    group.count = count
    group.first = row_at(problem, first)
    group.step_a = group.step_b = group.step_mask = group.step_out = 0
    if last >= 0:
        group.step_a = axes.a[last]
        group.step_b = axes.b[last]
        group.step_mask = axes.mask[last]
        group.step_out = axes.out[last]
    group.even = last < 0 or first % axes.length[last] + count <= axes.length[last]
    if not group.even:
        for k in range(count):
            group.rows[k] = row_at(problem, first + k)


cdef inline Row row_of(const Group *group, Py_ssize_t k) noexcept nogil:
    cdef Row row
    if not group.even:
        return group.rows[k]
    row = group.first
    row.a += k * group.step_a
    row.b += k * group.step_b
    row.mask += k * group.step_mask
    row.out += k * group.step_out
    return row


cdef inline bint keep_known(const double *known, Py_ssize_t k, double *value, double *signs) noexcept nogil:
    # Where a first look had the answer to a sum of positive terms, that is the answer.
    if known == NULL or isnan(known[k]):
        return False
    value[k] = known[k]
    signs_of(known + k, 1, signs + k)
    return True


cdef bint finish_rows(const Problem *problem, const Group *group, Care care, const States *states,
                      const double *known, void *out, void *sign) noexcept nogil:
    # `known`: answers that are there already, else NaN; or NULL.  True if nearly all answers were looked for twice.
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef double *wanted = signs if sign != NULL else NULL
    cdef Py_ssize_t k, lacking = 0
    cdef States here
    cdef Row row
    cdef bint poor = answer(problem.bits, care, states, group.count, value, wanted)
    if poor or known != NULL:
        for k in range(group.count):
            if not keep_known(known, k, value, signs) and lacks_digits(value[k], states, k, care, problem.bits):
                here = from_place(states, k)
                row = row_of(group, k)
                fold_over(problem, &row, 1, EXACT, NULL, &here)
                value[k] = answer_one(problem.bits, states, k, wanted + k if wanted != NULL else NULL)
                lacking += 1
    store_rows(problem, group, value, signs, out, sign)
    return 8 * lacking >= 7 * group.count


cdef bint finish_near(const Problem *problem, const Group *group, const States *states, void *out,
                      void *sign) noexcept nogil:
    # The same of rows that were folded with care at once, for those before lay near zero.  An answer that a first look
    # would leave as it is comes from a first look, so that its bits are the same.
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef double first[TILE]
    cdef double first_signs[TILE]
    cdef Py_ssize_t k, far = 0
    cdef States here
    cdef Row row
    answer(problem.bits, EXACT, states, group.count, value, signs if sign != NULL else NULL)
    for k in range(group.count):
        if not is_near(value[k]):
            here = from_place(states, k)
            row = row_of(group, k)
            fold_over(problem, &row, 1, FAST, NULL, &here)
            far += 1
    if far > 0:
        answer(problem.bits, FAST, states, group.count, first, first_signs if sign != NULL else NULL)
        for k in range(group.count):
            if not is_near(value[k]) and not lacks_digits(first[k], states, k, FAST, problem.bits):
                value[k] = first[k]
                signs[k] = first_signs[k]
    store_rows(problem, group, value, signs, out, sign)
    return 8 * far <= group.count


cdef inline bint is_near(double value) noexcept nogil:
    # A first look, whose error is far below 2^-7, finds this answer to lack digits too.
    return fabs(value) < 4 - 0.0078125


cdef inline bint may_lie_near(const Problem *problem, Care care) noexcept nogil:
    # Can the last answers tell what to do with the next rows?  Not with weights, whose sums may cancel.
    return care == FAST and problem.held == NULL and (problem.b.data == NULL or problem.logarithmic)


cdef void reduce_rows(const Problem *problem, Py_ssize_t first, Py_ssize_t end,
                      void *out, void *sign, bint *near) noexcept nogil:
    # Rows first .. end, up to TILE together.  `near`: did the rows before lie near zero?
    cdef Group group
    cdef Room room
    cdef States states = states_of(&room)
    cdef Care care = care_of(problem)
    if care == SHORT and problem.plain:
        first = reduce_dense_rows(problem, first, end, out, sign)
    while first < end:
        find_group(problem, first, min(TILE, end - first), &group)
        if care == SHORT and problem.bare:
            reduce_short_rows(problem, &group, out, sign)
        elif care == SHORT:
            reduce_short_terms(problem, &group, problem.rows - first - group.count, out, sign)
        elif near[0] and may_lie_near(problem, care):
            fold_rows(problem, &group, EXACT, &states)
            near[0] = finish_near(problem, &group, &states, out, sign)
        else:
            fold_rows(problem, &group, care, &states)
            if problem.held != NULL:
                hold_rows(problem, &group, &states)
            else:
                near[0] = finish_rows(problem, &group, care, &states, NULL, out, sign)
        first += group.count


cdef inline Py_ssize_t reduce_dense_rows(const Problem *problem, Py_ssize_t first, Py_ssize_t end, void *out,
                                         void *sign) noexcept nogil:
    # Short rows without gaps, as many as have a kernel of their own: where the others begin.
    cdef const Axes *axes = &problem.kept
    cdef Row row
    if (axes.count != 1 or axes.out[0] != 1 or axes.a[0] != problem.n * (problem.bits // 8) or sign != NULL
            or problem.less != NULL or not along_memory(problem, &problem.a, problem.reduced.a)):
        return first
    row = row_at(problem, first)
    return first + kernels_of(problem.bits).short_rows(row.a, problem.n, end - first, at(problem, out, row.out))


cdef inline bint lie_straight(const Problem *problem, const Operand *operand, const Py_ssize_t *strides,
                              Py_ssize_t step, Py_ssize_t size) noexcept nogil:
    # Is it there as it is for rows that are `step` bytes apart, or not at all?
    return operand.data == NULL or (step % size == 0 and (along_memory(problem, operand, strides)
                                                          or (operand != &problem.a
                                                              and all_one(problem, operand, strides))))


cdef inline bint straight_rows(const Problem *problem, const Group *group, void *logs, Terms *terms) noexcept nogil:
    # The terms of rows of one block each, at equal distances.  False where anything has to be brought together first.
    # `logs`: where the logarithms of a map's weights lie, or will, as far apart as its answers; else NULL.
    cdef Py_ssize_t size = problem.bits // 8
    if not (group.even and problem.n <= block_length(problem.bits)
            and lie_straight(problem, &problem.a, problem.reduced.a, group.step_a, size)
            and lie_straight(problem, &problem.mask, problem.reduced.mask, group.step_mask, 1)
            and (logs != NULL or (not problem.take_logs
                                  and lie_straight(problem, &problem.b, problem.reduced.b, group.step_b, size)))):
        return False
    row_terms_with(problem, &group.first, 0, problem.n, NULL, logs, True, terms)
    terms.a_step = group.step_a // size
    terms.b_step = group.step_b // size if logs == NULL else group.step_out
    terms.kept_step = group.step_mask
    return True


cdef void fold_rows(const Problem *problem, const Group *group, Care care, const States *states) noexcept nogil:
    cdef States here
    cdef Terms terms
    cdef Row row
    cdef Py_ssize_t k
    if is_short(problem.n, problem.bits) and group.count >= 4:
        fold_tile(problem, group, care, states)
    elif straight_rows(problem, group, NULL, &terms):
        kernels_of(problem.bits).fold_rows(&terms, problem.n, group.count, care, states)
    else:
        for k in range(group.count):
            here = from_place(states, k)
            row = row_of(group, k)
            fold_over(problem, &row, 1, care, NULL, &here)


cdef inline const char *start_of(const Problem *problem, const Operand *operand, const Row *row) noexcept nogil:
    return row.a if operand == &problem.a else row.b if operand == &problem.b else row.mask


cdef inline Py_ssize_t step_of(const Problem *problem, const Operand *operand, const Group *group) noexcept nogil:
    return group.step_a if operand == &problem.a else group.step_b if operand == &problem.b else group.step_mask


cdef inline const Py_ssize_t *strides_of(const Problem *problem, const Operand *operand) noexcept nogil:
    if operand == &problem.a:
        return problem.reduced.a
    if operand == &problem.b:
        return problem.reduced.b
    return problem.reduced.mask


cdef inline bint all_share(const Problem *problem, const Operand *operand, const Group *group) noexcept nogil:
    return group.count == 1 or (group.even and step_of(problem, operand, group) == 0)


cdef inline bint lie_dense(const Problem *problem, const Operand *operand, const Group *group) noexcept nogil:
    return (along_memory(problem, operand, strides_of(problem, operand))
            and step_of(problem, operand, group) == problem.n * (problem.bits // 8))


cdef void drop_from_rows(const Problem *problem, const Operand *operand, const Group *group, double filler,
                         void *target) noexcept nogil:
    # Short rows one after the other, in which what the mask leaves out is the filler.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef double a[SHORT_ROW]
    cdef char mask[SHORT_ROW]
    cdef const Py_ssize_t *strides = strides_of(problem, operand)
    cdef bint straight_a = along_memory(problem, operand, strides)
    cdef bint straight_mask = along_memory(problem, &problem.mask, problem.reduced.mask)
    cdef bint shared = all_share(problem, operand, group)
    cdef Terms terms = plain_terms(NULL, 0)
    cdef Py_ssize_t n = problem.n, k
    cdef Row row
    if group.even and straight_mask and group.step_mask == n and (shared or lie_dense(problem, operand, group)):
        terms.a = start_of(problem, operand, &group.first)    # one long row
        terms.kept = group.first.mask
        if shared:
            gather(problem, operand, strides, start_of(problem, operand, &group.first), 0, n, target, 1)
            for k in range(1, group.count):
                memcpy(at(problem, target, k * n), target, n * (problem.bits // 8))
            terms.a = target
        kernels.drop(&terms, 1, group.count * n, filler, target, 0)
        return
    for k in range(group.count):
        row = row_of(group, k)
        terms.a = start_of(problem, operand, &row) if straight_a else <const char *> a
        terms.kept = row.mask if straight_mask else <const char *> mask
        if not straight_a:
            gather(problem, operand, strides, start_of(problem, operand, &row), 0, n, a, 1)
        if not straight_mask:
            gather(problem, &problem.mask, problem.reduced.mask, row.mask, 0, n, mask, 1)
        kernels.drop(&terms, 1, n, filler, at(problem, target, k * n), 0)


cdef inline void signs_of(const double *value, Py_ssize_t count, double *signs) noexcept nogil:
    # Of sums without weights: 0 for nothing, NaN for NaN, else 1.
    cdef Py_ssize_t k
    for k in range(count):
        signs[k] = 0 if value[k] == -INFINITY else (value[k] if value[k] != value[k] else 1)


cdef inline void store_answers(const Problem *problem, Py_ssize_t place, Py_ssize_t step, double *values,
                               const double *signs, Py_ssize_t count, void *out, void *sign) noexcept nogil:
    # With `less`: log(sum / whole) = log(sum) - log(whole).
    cdef Py_ssize_t k
    if problem.less != NULL:
        for k in range(count):
            values[k] -= problem.less[(place + k * step) * problem.less_step]
    store(problem, out, place, step, values, count)
    store(problem, sign, place, step, signs, count)


cdef inline void store_rows(const Problem *problem, const Group *group, double *value, const double *signs,
                            void *out, void *sign) noexcept nogil:
    cdef Py_ssize_t k
    if group.even:
        store_answers(problem, group.first.out, group.step_out, value, signs, group.count, out, sign)
        return
    for k in range(group.count):
        store_answers(problem, row_of(group, k).out, 1, value + k, signs + k, 1, out, sign)


# Short rows side by side: gathered so that lanes run across rows.
cdef struct Tile:
    double a[SHORT_ROW * TILE]    # first, for where the struct is aligned so are its vectors
    double b[SHORT_ROW * TILE]
    char mask[SHORT_ROW * TILE]
    Terms terms


cdef void fill_tile(const Problem *problem, const Group *group, Py_ssize_t width, Tile *tile) noexcept nogil:
    cdef Terms *terms = &tile.terms
    cdef bint masked = problem.mask.data != NULL, dropped
    cdef Py_ssize_t k
    terms[0] = plain_terms(tile.a, TILE)
    terms.scale = problem.scale
    terms.b_step = terms.kept_step = TILE
    # What is left out is as good as -inf with the weight 0, which rows can be filled with, unlike columns, before they
    # are columns: a mask of bytes has no transposition of its own.
    dropped = masked and problem.scale > 0 and not problem.take_logs and not all_share(problem, &problem.mask, group)
    if not dropped or problem.logarithmic:
        gather_tile(problem, &problem.a, group, width, tile.a)
    else:
        drop_to_tile(problem, &problem.a, group, -INFINITY, tile.a)
    if problem.b.data != NULL:
        set_weights(problem, terms, tile.b)
        if dropped:
            drop_to_tile(problem, &problem.b, group, -INFINITY if problem.logarithmic else 0, tile.b)
        elif all_share(problem, &problem.b, group):
            gather_weights(problem, group.first.b, 0, problem.n, tile.b)
            terms.b_step = 1
            terms.b_inner = 0
        else:
            gather_tile(problem, &problem.b, group, width, tile.b)
            if problem.take_logs:
                for k in range(problem.n):
                    kernels_of(problem.bits).logs(at(problem, tile.b, k * TILE), width)
    if not masked or dropped:
        return
    terms.kept = tile.mask
    if all_share(problem, &problem.mask, group):
        gather(problem, &problem.mask, problem.reduced.mask, group.first.mask, 0, problem.n, tile.mask, 1)
        terms.kept_step = 1
        terms.kept_inner = 0
    else:
        gather_tile(problem, &problem.mask, group, width, tile.mask)
    if problem.bare:
        kernels_of(problem.bits).drop(terms, problem.n, width, -INFINITY, tile.a, TILE)
        terms[0] = plain_terms(tile.a, TILE)


cdef void drop_to_tile(const Problem *problem, const Operand *operand, const Group *group, double filler,
                       void *tile) noexcept nogil:
    cdef double rows[SHORT_ROW * TILE]
    drop_from_rows(problem, operand, group, filler, rows)
    kernels_of(problem.bits).transpose(rows, problem.n, problem.n, group.count, group.count * problem.n, tile)


cdef void fold_tile(const Problem *problem, const Group *group, Care care, const States *states) noexcept nogil:
    cdef Tile tile
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t width = max(group.count, kernels.lanes)
    fill_tile(problem, group, width, &tile)
    kernels.fold_columns(&tile.terms, problem.n, width, care, states)


cdef inline bint dense_terms(const Problem *problem, const Group *group, Py_ssize_t behind, Tile *tile) noexcept nogil:
    # The terms of rows without gaps, which the kernel makes columns of; `behind`: how many rows follow.
    cdef Terms *terms = &tile.terms
    cdef Py_ssize_t lanes = kernels_of(problem.bits).lanes
    cdef bint shared = all_share(problem, &problem.b, group)
    if (problem.n <= 2 or problem.mask.data != NULL or problem.kept.count != 1 or behind * problem.n < lanes
            or group.count % lanes != 0 or not lie_dense(problem, &problem.a, group)
            or not (problem.b.data == NULL or shared or lie_dense(problem, &problem.b, group))):
        return False
    terms[0] = plain_terms(group.first.a, 0)
    terms.scale = problem.scale
    if problem.b.data == NULL:
        return True
    if not shared:
        set_weights(problem, terms, group.first.b)
        return True
    gather_weights(problem, group.first.b, 0, problem.n, tile.b)
    set_weights(problem, terms, tile.b)
    terms.b_step = 1
    terms.b_inner = 0
    return True


cdef void reduce_short_terms(const Problem *problem, const Group *group, Py_ssize_t behind, void *out,
                             void *sign) noexcept nogil:
    # With weights or a scale: up to TILE rows side by side.
    cdef Tile tile
    cdef Room room
    cdef States states = states_of(&room)
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t width = max(group.count, kernels.lanes)
    cdef bint dense = kernels.dense and dense_terms(problem, group, behind, &tile)
    if not dense:
        fill_tile(problem, group, width, &tile)
    if kernels.short_terms(&tile.terms, problem.n, width, dense, value):
        if sign != NULL:
            signs_of(value, group.count, signs)
        store_rows(problem, group, value, signs, out, sign)
        return
    if dense:
        fill_tile(problem, group, width, &tile)
    kernels.fold_columns(&tile.terms, problem.n, width, SHORT, &states)
    finish_rows(problem, group, SHORT, &states, value, out, sign)


cdef void reduce_short_rows(const Problem *problem, const Group *group, void *out, void *sign) noexcept nogil:
    # Without weights: up to TILE rows side by side, or a few one by one.
    cdef Tile tile
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef bint straight = along_memory(problem, &problem.a, problem.reduced.a)
    cdef Py_ssize_t width = max(group.count, kernels.lanes), k
    cdef Row row
    if group.count >= 4:
        fill_tile(problem, group, width, &tile)
        if group.count == width and group.even:
            reduce_short_columns(problem, &tile.terms, width, group.first.out, group.step_out, out, sign)
            return
        short_answers(problem, &tile.terms, width, value)
    else:
        if problem.mask.data != NULL:
            drop_from_rows(problem, &problem.a, group, -INFINITY, tile.b)
        for k in range(group.count):
            row = row_of(group, k)
            if problem.mask.data != NULL:
                row.a = <const char *> at(problem, tile.b, k * problem.n)
            elif not straight:
                gather(problem, &problem.a, problem.reduced.a, row.a, 0, problem.n, tile.a, 1)
                row.a = <const char *> tile.a
            value[k] = kernels.short_row(row.a, problem.n)
    if sign != NULL:
        signs_of(value, group.count, signs)
    store_rows(problem, group, value, signs, out, sign)


cdef inline void reduce_short_columns(const Problem *problem, const Terms *terms, Py_ssize_t width, Py_ssize_t place,
                                      Py_ssize_t step, void *out, void *sign) noexcept nogil:
    # Written where they belong by the kernel itself, if nothing has to be done to the answers.
    cdef double value[TILE]
    cdef double signs[TILE]
    if sign == NULL and problem.less == NULL and step == 1:
        kernels_of(problem.bits).short_columns(terms.a, terms.a_step, problem.n, width, at(problem, out, place))
        return
    short_answers(problem, terms, width, value)
    signs_of(value, width, signs)
    store_answers(problem, place, step, value, signs, width, out, sign)


cdef inline void short_answers(const Problem *problem, const Terms *terms, Py_ssize_t width,
                               double *value) noexcept nogil:
    cdef float floats[TILE]
    cdef Py_ssize_t k
    if problem.bits == 64:
        kernels_64.short_columns(terms.a, terms.a_step, problem.n, width, value)
        return
    kernels_32.short_columns(terms.a, terms.a_step, problem.n, width, floats)
    for k in range(width):
        value[k] = floats[k]


cdef inline void gather_tile(const Problem *problem, const Operand *operand, const Group *group, Py_ssize_t width,
                             void *tile) noexcept nogil:
    cdef const Py_ssize_t *strides = strides_of(problem, operand)
    cdef Py_ssize_t size = 1 if operand == &problem.mask else problem.bits // 8, j, k
    cdef Py_ssize_t step = step_of(problem, operand, group)
    cdef const char *first
    cdef char *target = <char *> tile
    cdef Row row
    if group.count == 1:
        step = problem.n * size
    if size > 1 and group.even and along_memory(problem, operand, strides) and step > 0 and step % size == 0:
        step = step // size
        kernels_of(problem.bits).transpose(start_of(problem, operand, &group.first), step, problem.n, group.count,
                                           (group.count - 1) * step + problem.n, tile)
        return
    # Columns beyond the last row repeat it: they only fill the vectors.
    if group.even and problem.reduced.count == 1 and group.count >= problem.n:    # fewer and longer runs
        first = start_of(problem, operand, &group.first)
        for j in range(problem.n):
            convert_run(problem, operand, first + j * strides[0], step, target, 1, group.count)
            for k in range(group.count, width):
                memcpy(target + k * size, target + (group.count - 1) * size, size)
            target += TILE * size
        return
    for k in range(width):
        row = row_of(group, min(k, group.count - 1))
        gather(problem, operand, strides, start_of(problem, operand, &row), 0, problem.n, target + k * size, TILE)


# --- columns --------------------------------------------------------------------------------------------

cdef inline Row column_at(const Problem *problem, const Row *row, Py_ssize_t k) noexcept nogil:
    # The first elements of column k of a line of columns that starts at `row`.
    cdef Row column
    column.a = row.a + k * (problem.bits // 8)
    column.b = row.b + k * problem.inner_b
    column.mask = row.mask + k * problem.inner_mask
    column.out = row.out + k * problem.inner_out
    return column


cdef inline Py_ssize_t map_width(const Problem *problem) noexcept nogil:
    # Columns of a panel of a map: what it reads three times should stay in L2, what it keeps of short columns in L1.
    # Memory comes in pairs of cache lines, and has pages: the wider the better, up to a TILE.
    cdef Py_ssize_t size = problem.bits // 8, least = 64 // size
    cdef Py_ssize_t fitting = max(MAP_CACHE // (problem.n * size), min(2 * least, MOST_MAP_CACHE // (problem.n * size)))
    if fitting >= TILE and not keeps_much(problem):
        return TILE
    return max(least, min(TILE // 2, fitting // least * least))


# A line of columns is cut into panels of `wide` columns.  None is narrower than a vector, nor is a column in two of
# them: so the last takes the rest in, or the one before leaves it enough.

cdef inline Py_ssize_t panels_of(Py_ssize_t inner, Py_ssize_t wide) noexcept nogil:
    return max(1, inner // wide) if wide < TILE else (inner + wide - 1) // wide


cdef inline Py_ssize_t next_width(Py_ssize_t left, Py_ssize_t wide, int bits) noexcept nogil:
    # Columns of the next panel, of as many that are left.
    cdef Py_ssize_t least = 64 // (bits // 8)
    if left <= wide or (wide < TILE and left < 2 * wide):
        return left
    return wide - least if left - wide < least else wide


cdef inline Row panel_at(const Job *job, Py_ssize_t panel, Py_ssize_t *width) noexcept nogil:
    cdef const Problem *problem = job.problem
    cdef Py_ssize_t column = panel % job.panels * job.wide, least = 64 // (problem.bits // 8)
    cdef Row line = row_at(problem, panel // job.panels)
    if column > 0 and problem.inner - column < least:
        column -= least
    width[0] = next_width(problem.inner - column, job.wide, problem.bits)
    return column_at(problem, &line, column)


cdef inline void to_next_panel(const Problem *problem, Py_ssize_t width, Row *row, Py_ssize_t *left) noexcept nogil:
    row[0] = column_at(problem, row, width)
    left[0] -= width


cdef void fold_lacking(const Problem *problem, const Row *row, Py_ssize_t width, Care care, const States *states,
                       const double *value, Job *job, const States *exact) noexcept nogil:
    # EXACT sums of at least the columns whose answers lack digits: a vector of columns at a time where these are few.
    cdef Py_ssize_t lanes = kernels_of(problem.bits).lanes, count = (width + lanes - 1) // lanes, few = 0, v, k
    cdef Py_ssize_t firsts[TILE]
    cdef bint lacking
    cdef Row column
    cdef States some
    for v in range(count):
        firsts[few] = min(v * lanes, width - lanes)
        lacking = False
        for k in range(firsts[few], firsts[few] + lanes):
            lacking = lacking or lacks_digits(value[k], states, k, care, problem.bits)
        few += lacking
    if job != NULL or 2 * few > count:
        fold_over(problem, row, width, EXACT, job, exact)
        return
    for v in range(few):
        column = column_at(problem, row, firsts[v])
        some = from_place(exact, firsts[v])
        fold_over(problem, &column, lanes, EXACT, NULL, &some)


cdef bint finish_columns(const Problem *problem, const Row *row, Py_ssize_t width, Care care, const States *states,
                         const double *known, Job *job, void *out, void *sign) noexcept nogil:
    # `known` as in finish_rows; `job`: the one whose tasks are shared out, or NULL.  True if all columns were looked at
    # twice.
    cdef Room room
    cdef States exact = states_of(&room)
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef double *wanted = signs if sign != NULL else NULL
    cdef Py_ssize_t k, lacking = 0
    cdef bint poor = answer(problem.bits, care, states, width, value, wanted)
    if poor:
        fold_lacking(problem, row, width, care, states, value, job, &exact)
    if poor or known != NULL:
        for k in range(width):
            if not keep_known(known, k, value, signs) and lacks_digits(value[k], states, k, care, problem.bits):
                value[k] = answer_one(problem.bits, &exact, k, wanted + k if wanted != NULL else NULL)
                lacking += 1
    store_answers(problem, row.out, problem.inner_out, value, signs, width, out, sign)
    return lacking == width


cdef bint reduce_near_columns(const Problem *problem, const Row *row, Py_ssize_t width, const States *states, void *out,
                              void *sign) noexcept nogil:
    # As finish_near.  False, and nothing is written, where any column is not near.
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef Py_ssize_t k
    fold_over(problem, row, width, EXACT, NULL, states)
    answer(problem.bits, EXACT, states, width, value, signs if sign != NULL else NULL)
    for k in range(width):
        if not is_near(value[k]):
            return False
    store_answers(problem, row.out, problem.inner_out, value, signs, width, out, sign)
    return True


cdef inline void bring_together(const Problem *problem, Py_ssize_t width, Terms *terms, void *target,
                                Py_ssize_t step) noexcept nogil:
    # Of a panel that is looked at more than once: what a mask keeps, where there is nothing else to do to it, and rows
    # that push each other out of L1.
    cdef Py_ssize_t size = problem.bits // 8
    cdef Terms numbers = plain_terms(terms.a, terms.a_step)
    if are_masked(terms):
        kernels_of(problem.bits).drop(terms, problem.n, width, -INFINITY, target, step)
        terms[0] = plain_terms(target, step)
    elif are_crowded(terms.a_step * size, problem.n, width * size):
        kernels_of(problem.bits).drop(&numbers, problem.n, width, 0, target, step)
        terms.a = target
        terms.a_step = step


cdef void reduce_short_panel(const Problem *problem, const Row *row, Py_ssize_t width, void *out,
                             void *sign) noexcept nogil:
    # As reduce_short_terms.
    cdef Buffers buffers
    cdef Terms terms
    cdef Room room
    cdef States states = states_of(&room)
    cdef double value[TILE]
    cdef double signs[TILE]
    panel_terms(problem, row, 0, problem.n, &buffers, &terms)
    if kernels_of(problem.bits).short_terms(&terms, problem.n, width, False, value):
        if sign != NULL:
            signs_of(value, width, signs)
        store_answers(problem, row.out, problem.inner_out, value, signs, width, out, sign)
    else:
        kernels_of(problem.bits).fold_columns(&terms, problem.n, width, SHORT, &states)
        finish_columns(problem, row, width, SHORT, &states, value, NULL, out, sign)


cdef void reduce_panel(const Problem *problem, const Row *row, Py_ssize_t width, void *out, void *sign,
                       bint *near) noexcept nogil:
    # `near` as in reduce_rows.
    cdef Room room
    cdef States states = states_of(&room)
    cdef Care care = care_of(problem)
    cdef Terms terms
    cdef double tile[SHORT_ROW * TILE]
    if care == SHORT and problem.bare:
        panel_terms(problem, row, 0, problem.n, NULL, &terms)    # without weights there is nothing to gather
        bring_together(problem, width, &terms, tile, TILE)
        reduce_short_columns(problem, &terms, width, row.out, problem.inner_out, out, sign)
        return
    if care == SHORT:
        reduce_short_panel(problem, row, width, out, sign)
        return
    if near[0] and may_lie_near(problem, care):
        near[0] = reduce_near_columns(problem, row, width, &states, out, sign)
        if near[0]:
            return
    fold_over(problem, row, width, care, NULL, &states)
    if problem.held != NULL:
        hold_columns(problem, row, width, &states, NULL)
    else:
        near[0] = finish_columns(problem, row, width, care, &states, NULL, NULL, out, sign)


cdef void reduce_panels(const Job *job, Py_ssize_t item, bint *near) noexcept nogil:
    cdef Py_ssize_t left, width
    cdef Row row = panel_at(job, item, &left)
    while left > 0:
        width = next_width(left, job.narrow, job.problem.bits)
        reduce_panel(job.problem, &row, width, job.out, job.sign, near)
        to_next_panel(job.problem, width, &row, &left)


# --- states that are held ---------------------------------------------------------------------------------
#
# What a call adds to a sum is folded as if it were the whole row, and merged.  The sum's answer may come to lie
# where a first look lacks digits, which a row would be looked at again for: so a second state stands beside the
# first, folded with care as long as that can happen.  A sum of positive terms only grows, so it cannot any more
# once the answer is above `near_zero`.  Far below, under another shift, a long piece is not worth the care: its
# errors average out, where those of a short one might show if a single term came to lie near zero later.

cdef inline States pair_at(double *held) noexcept nogil:
    # The first state at place 0, the careful one at place STATE.
    cdef States states
    states.shift = held
    states.high = held + 1
    states.low = held + 2
    states.rest = held + 3
    states.size = held + 4
    return states


cdef inline bint joins_first(const States *held, const States *states, Py_ssize_t k, bint short) noexcept nogil:
    # State k joins a held pair, or only its first where True asks for a state with more care for the second.
    merge(held, 0, states, k)
    if ((held.shift[0] == 0 and held.high[0] < 55) or (short and held.shift[0] < 0)    # 55 > exp(4)
            or held.high[0] < 0.9 * held.size[0] or states.high[k] < 0.9 * states.size[k]):
        return True
    merge(held, STATE, states, k)
    return False


cdef void hold_rows(const Problem *problem, const Group *group, const States *states) noexcept nogil:
    cdef Room room
    cdef States exact = states_of(&room), here, held
    cdef Row row
    cdef bint lacking[TILE]
    cdef bint short = is_short(problem.n, problem.bits), any = False
    cdef Py_ssize_t k
    for k in range(group.count):
        held = pair_at(problem.held + HELD * row_of(group, k).out)
        lacking[k] = joins_first(&held, states, k, short)
        any = any or lacking[k]
    if any and short:
        fold_rows(problem, group, EXACT, &exact)
    for k in range(group.count):
        if lacking[k]:
            if not short:
                here = from_place(&exact, k)
                row = row_of(group, k)
                fold_over(problem, &row, 1, EXACT, NULL, &here)
            held = pair_at(problem.held + HELD * row_of(group, k).out)
            merge(&held, STATE, &exact, k)


cdef void hold_columns(const Problem *problem, const Row *row, Py_ssize_t width, const States *states,
                       Job *job) noexcept nogil:
    # `job` as in finish_columns.
    cdef Room room
    cdef States exact = states_of(&room), held
    cdef bint lacking[TILE]
    cdef bint any = False
    cdef Py_ssize_t k
    for k in range(width):
        held = pair_at(problem.held + HELD * (row.out + k * problem.inner_out))
        lacking[k] = joins_first(&held, states, k, is_short(problem.n, problem.bits))
        any = any or lacking[k]
    if not any:
        return
    fold_over(problem, row, width, EXACT, job, &exact)
    for k in range(width):
        if lacking[k]:
            held = pair_at(problem.held + HELD * (row.out + k * problem.inner_out))
            merge(&held, STATE, &exact, k)


cdef void hold_row(const void *a, Py_ssize_t n, int bits, double *held) noexcept nogil:
    cdef const Kernels *kernels = kernels_of(bits)
    cdef Room room
    cdef States states = states_of(&room), pair = pair_at(held)
    cdef Terms terms = plain_terms(a, 0)
    kernels.fold_row(&terms, n, FAST, &states, 0)
    if joins_first(&pair, &states, 0, is_short(n, bits)):
        kernels.fold_row(&terms, n, EXACT, &states, 0)
        merge(&pair, STATE, &states, 0)


cdef void merge_held(double *into, const double *source, Py_ssize_t count) noexcept nogil:
    cdef States one = pair_at(into), other = pair_at(<double *> source)
    cdef Py_ssize_t k
    for k in range(count * (HELD // STATE)):
        merge(&one, k * STATE, &other, k * STATE)


cdef void finish_held(const double *held, Py_ssize_t count, int bits, double *value, double *sign) noexcept nogil:
    cdef Room room
    cdef States states = states_of(&room), pair
    cdef double values[TILE]
    cdef double signs[TILE]
    cdef Py_ssize_t start = 0, width, k
    while start < count:
        width = min(TILE, count - start)
        for k in range(width):
            pair = pair_at(<double *> held + (start + k) * HELD)
            copy_state(&states, k, &pair, 0)
        if answer(bits, FAST, &states, width, values, signs if sign != NULL else NULL):
            for k in range(width):
                if lacks_digits(values[k], &states, k, FAST, bits):
                    pair = pair_at(<double *> held + (start + k) * HELD)
                    values[k] = answer_one(bits, &pair, STATE, signs + k if sign != NULL else NULL)
        memcpy(value + start, values, width * sizeof(double))
        if sign != NULL:
            memcpy(sign + start, signs, width * sizeof(double))
        start += width


# --- sharing out ----------------------------------------------------------------------------------------

cdef int reduce(const Problem *problem, void *out, void *sign) except -1:
    cdef Py_ssize_t work, k
    cdef double nothing = -INFINITY if problem.less == NULL else NAN, zero = 0 if problem.less == NULL else NAN
    if problem.rows == 0 or (problem.n == 0 and problem.held != NULL):
        return 0
    if problem.n == 0:
        for k in range(problem.rows):
            store(problem, out, k, 1, &nothing, 1)
            store(problem, sign, k, 1, &zero, 1)
        return 0
    work = problem.n * problem.rows
    if work <= QUICK:
        return share_out(problem, work, False, SOFTMAX, out, sign)
    with nogil:
        k = share_out(problem, work, False, SOFTMAX, out, sign)
    if k < 0:
        raise MemoryError
    return 0


# One thread's own items, in a cache line of its own.
cdef struct Share:
    Py_ssize_t next
    Py_ssize_t end
    char apart[48]


cdef void do_item(const Job *job, Py_ssize_t item, bint *near) noexcept nogil:
    # `near`: what a thread's last item tells about the next, as in reduce_rows.
    cdef const Problem *problem = job.problem
    cdef Py_ssize_t length
    if job.kind == TASKS:
        length = task_length(problem.n, problem.bits)
        look_one_task(job, item, item * length, min(problem.n, (item + 1) * length))
    elif job.kind == FOLDS:
        fold_running(job, item)
    elif job.kind == SCANS:
        scan_line(job, item)
    elif job.kind == TILES:
        scan_short_rows(job, item * job.each, min(problem.rows, (item + 1) * job.each))
    elif job.kind == PANELS and job.maps:
        map_panels(job, item)
    elif job.kind == PANELS:
        reduce_panels(job, item, near)
    elif job.scoring != NULL:
        score_rows(problem, job.scoring, item * job.each, min(problem.rows, (item + 1) * job.each), NULL)
    elif job.maps:
        map_some_rows(job, item * job.each, min(problem.rows, (item + 1) * job.each))
    else:
        reduce_rows(problem, item * job.each, min(problem.rows, (item + 1) * job.each), job.out, job.sign, near)


cdef void do_share(const Job *job, Share *shares, int threads, Py_ssize_t some, int me) noexcept nogil:
    # `some` items at a time: first a thread's own, which the same thread had in the last call and so are in its cache;
    # then those of threads that are late, for another process may hold their core.
    cdef Py_ssize_t first, item
    cdef int k
    cdef Share *share
    cdef bint near = False
    for k in range(threads):
        share = &shares[(me + k) % threads]
        while True:
            first = lsecy_take(&share.next, some)
            if first >= share.end:
                break
            for item in range(first, min(first + some, share.end)):
                do_item(job, item, &near)


cdef void do_job(const Job *job, Py_ssize_t count, Py_ssize_t work) noexcept nogil:
    # `count` items, of `work` elements in all.
    cdef Share shares[MOST_THREADS]
    cdef int threads = min(plan(work, count), MOST_THREADS)
    # Taking an item waits for all that was computed before, which costs 200 cycles: so some at a time, but fewer than
    # would keep a thread that is late busy for long.
    cdef Py_ssize_t some = max(1, min(count // (4 * threads), ITEM_WORK * count // max(1, work)))
    cdef Py_ssize_t item, arrived = 0
    cdef double began
    cdef Start first
    cdef int me
    cdef bint near = False
    if threads == 1:    # a parallel region of one thread costs 300 ns
        for item in range(count):
            do_item(job, item, &near)
        return
    for me in range(threads):
        shares[me].next = count * me // threads
        shares[me].end = count * (me + 1) // threads
    began = seconds()
    with parallel(num_threads=threads):
        if threadid() == 0:
            first = enter(began)
        do_share(job, shares, threads, some, threadid())
        lsecy_take(&arrived, 1)
        if threadid() == 0:
            await_team(&arrived, first)


cdef int share_out(const Problem *problem, Py_ssize_t work, bint maps, Map map, void *out, void *sign) noexcept nogil:
    cdef Py_ssize_t length = task_length(problem.n, problem.bits)
    cdef Py_ssize_t tasks = (problem.n + length - 1) // length, items
    cdef Job job
    job.problem = problem
    job.maps = maps
    job.map = map
    job.scoring = NULL
    job.out = out
    job.sign = sign
    job.narrow = map_width(problem) if maps else TILE
    job.wide = job.narrow * max(1, ITEM_WORK // 2 // (job.narrow * problem.n))
    job.panels = panels_of(problem.inner, job.wide)
    items = problem.rows // problem.inner * job.panels
    if tasks > 1 and items < (MOST_ALONE if not maps else FEW):
        return share_long(&job, items, tasks)
    if problem.inner > 1:
        job.kind = PANELS
    else:
        job.kind = ROWS
        job.each = rows_of_item(problem.n)
        items = (problem.rows + job.each - 1) // job.each
    do_job(&job, items, work)
    return 0


cdef inline Py_ssize_t rows_of_item(Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t rows = max(1, ITEM_WORK // n)
    return rows // TILE * TILE if rows > TILE else rows


cdef int share_long(Job *job, Py_ssize_t items, Py_ssize_t tasks) noexcept nogil:
    # Few rows or panels, of several tasks each: the tasks are shared out.
    cdef const Problem *problem = job.problem
    cdef Py_ssize_t room_each = tasks * min(TILE, problem.inner), item
    cdef Room room
    cdef States states = states_of(&room), shared
    cdef double *memory = <double *> malloc(NUMBERS * room_each * sizeof(double))
    if memory == NULL:
        return -1
    shared = states_in(memory, room_each)
    job.kind = TASKS
    job.tasks = &shared
    for item in range(items):
        job.row = panel_at(job, item, &job.width)
        if job.maps:
            map_over(problem, &job.row, job.width, job.map, job, NULL, job.out)
            continue
        fold_over(problem, &job.row, job.width, FAST, job, &states)
        if problem.held != NULL:
            hold_columns(problem, &job.row, job.width, &states, job)
        else:
            finish_columns(problem, &job.row, job.width, FAST, &states, NULL, job, job.out, job.sign)
    free(memory)
    return 0


cdef inline void copy_found(const Look *look, const States *into, Py_ssize_t place, const States *source,
                            Py_ssize_t other) noexcept nogil:
    # What other looks find leaves what was found `apart` as it is.
    copy_state(into, place, source, other)
    if look.phase == BOTH:
        copy_apart(into, place, source, other)


cdef void look_tasks(Job *job, const States *states) noexcept nogil:
    # All tasks of one row or panel, joined in order.
    cdef Py_ssize_t length = task_length(job.problem.n, job.problem.bits), task, k
    cdef Py_ssize_t count = (job.problem.n + length - 1) // length
    do_job(job, count, job.problem.n * job.width)
    if job.look.phase == WRITE:
        return
    for k in range(job.width):
        copy_found(&job.look, states, k, job.tasks, k)
    for task in range(1, count):
        join_states(&job.look, job.width, states, 0, job.tasks, task * job.width)


cdef void look_one_task(const Job *job, Py_ssize_t task, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    # Folded on the thread's own stack: neighbouring states share cache lines with other threads.
    cdef Room room
    cdef States mine = states_of(&room)
    cdef Py_ssize_t k
    look_task(job.problem, &job.row, first, end, job.width, &job.look, &mine)
    for k in range(job.width):
        copy_found(&job.look, job.tasks, task * job.width + k, &mine, k)


# --- softmax and log_softmax --------------------------------------------------------------------------------

# What a map knows of its rows, or of its columns, before it writes.
cdef struct Known:
    Room room
    double peak[2 * TILE]     # the second half: what rounding took from the first
    double first[TILE]
    double second[TILE]
    double power[TILE]
    bint undefined[TILE]


cdef int map_rows(const Problem *problem, Map map, void *out) except -1:
    cdef Py_ssize_t work = problem.n * problem.rows
    cdef Problem eased
    cdef void *logs = NULL
    cdef int failed
    if work == 0:
        return 0
    if problem.take_logs and problem.rows >= 8 and rows_share_weights(problem):
        logs = malloc(problem.n * (problem.bits // 8))
        if logs == NULL:
            raise MemoryError
        ease(problem, logs, &eased)
        problem = &eased
    if work <= QUICK:
        failed = share_out(problem, work, True, map, out, NULL)
    else:
        with nogil:
            failed = share_out(problem, work, True, map, out, NULL)
    free(logs)
    if failed:
        raise MemoryError
    return 0


cdef inline bint rows_share_weights(const Problem *problem) noexcept nogil:
    cdef int k
    for k in range(problem.kept.count):
        if problem.kept.b[k] != 0:
            return False
    return problem.reduced.count == 1 and problem.inner_b == 0


cdef inline void ease(const Problem *problem, void *logs, Problem *eased) noexcept nogil:
    # The problem with the logarithms of the weights, taken once for all rows.
    gather_weights(problem, problem.b.data, 0, problem.n, logs)
    eased[0] = problem[0]
    eased.take_logs = False
    eased.b.data = <const char *> logs
    eased.b.direct = True
    eased.b.swapped = False
    eased.reduced.b[0] = problem.bits // 8


cdef void map_over(const Problem *problem, const Row *row, Py_ssize_t width, Map map, Job *job, void *room,
                   void *out) noexcept nogil:
    # A row or a panel; `job` as in look_over, `room` as in the kernels' map_block.
    cdef Known known
    cdef States states = states_of(&known.room)
    cdef Look look
    if job == NULL and problem.n <= block_length(problem.bits) and (
            map_one_block(problem, row, width, map, room, out)
            or map_around_undefined_columns(problem, row, width, map, out)):
        return
    if map == SOFTMAX and problem.n > block_length(problem.bits):
        map = LONG_SOFTMAX
    look = look_for(map, &known, out)
    know(problem, row, width, map, job, out, &known)
    find_undefined(problem, row, width, map, &known)
    look.phase = WRITE
    look_over(problem, row, width, &look, job, &states)
    fill_undefined(problem, row, width, map, &known, out)


cdef inline Look look_for(Map map, Known *known, void *out) noexcept nogil:
    cdef Look look
    look.phase = PEAK
    look.care = FAST
    look.map = map
    look.peak = known.peak
    look.first = known.first
    look.second = known.second
    look.power = known.power
    look.out = out
    return look


cdef void find_sums(const Problem *problem, const Row *row, Py_ssize_t width, Look *look, Job *job,
                    Known *known) noexcept nogil:
    # Peaks, then sums; of more than a block, and for log_softmax, both by one look, but for columns whose peak is
    # special, or so far from zero that a power of two does not bring it near.
    cdef States states = states_of(&known.room), both
    cdef Known found
    cdef bint at_once = problem.n > block_length(problem.bits) or (
        look.map == LOG_SOFTMAX and not is_short(problem.n, problem.bits)), usual = at_once
    cdef Py_ssize_t k
    if at_once:
        look.phase = BOTH
        look_over(problem, row, width, look, job, &states)
        take_peaks(width, states.rest, known)
        for k in range(width):
            usual = usual and not isnan(states.size[k])
        if usual:
            return
        found = known[0]
        both = states_of(&found.room)
    look.phase = PEAK
    look_over(problem, row, width, look, job, &states)
    take_peaks(width, states.low, known)
    look.phase = SUM
    look_over(problem, row, width, look, job, &states)
    for k in range(width):
        states.apart[k] = NAN
        if at_once and not isnan(both.size[k]):    # as if the others were not beside it
            copy_state(&states, k, &both, k)
            copy_apart(&states, k, &both, k)
            known.peak[k] = found.peak[k]
            known.peak[TILE + k] = found.peak[TILE + k]


cdef void know(const Problem *problem, const Row *row, Py_ssize_t width, Map map, Job *job, void *out,
               Known *known) noexcept nogil:
    # Peaks and sums, and what these give to the answers, which will go to `out`.
    cdef States states = states_of(&known.room)
    cdef Look look = look_for(map, known, out)
    find_sums(problem, row, width, &look, job, known)
    if settle_sums(problem, width, map, False, known):
        look.phase = APART
        look_over(problem, row, width, &look, job, &states)
        settle_sums(problem, width, map, True, known)


cdef bint map_one_block(const Problem *problem, const Row *row, Py_ssize_t width, Map map, void *room,
                        void *out) noexcept nogil:
    # A row or panel that is looked at in one piece.  False, and no answer is written, where it is special.
    cdef Row column
    cdef Py_ssize_t k
    cdef Buffers buffers
    cdef double tile[SHORT_ROW * TILE]
    cdef Terms terms
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef void *target = at(problem, out, row.out)
    cdef bint short = is_short(problem.n, problem.bits)
    cdef Answers written
    map_terms(problem, row, 0, problem.n, width, False, &buffers, out, &terms)
    if problem.inner > 1:
        if are_masked(&terms) and not short:
            # To where the answers will be: should the panel be a special one, it is as good as it was.
            bring_together(problem, width, &terms, target, out_step(problem))
        elif short and (are_masked(&terms) or terms.a_step * (problem.bits // 8) % L1_PERIOD == 0):
            # Else what is computed hides how long the second cache takes to answer.
            bring_together(problem, width, &terms, tile, TILE)
        written = kernels.map_block(&terms, problem.n, width, map, short, room, target, out_step(problem))
        if written == WITH_NOTHING and may_drop(problem):
            for k in range(width):
                if is_nan_at(problem, target, k):
                    column = column_at(problem, row, k)
                    fill_row(problem, &column, map, problem.vanishing, out)
        return written != REFUSED
    if out_along(problem):
        terms.bypass = bypasses(problem)
        return kernels.map_block(&terms, problem.n, 0, map, False, NULL, target, 0) != REFUSED
    if kernels.map_block(&terms, problem.n, 0, map, False, NULL, buffers.out, 0) == REFUSED:
        return False
    scatter(problem, buffers.out, 1, 0, problem.n, target)
    return True


cdef inline Py_ssize_t whole_vectors(Py_ssize_t width) noexcept nogil:
    return (width + MOST_LANES - 1) // MOST_LANES * MOST_LANES


cdef inline void take_peaks(Py_ssize_t width, const double *low, Known *known) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(whole_vectors(width)):
        known.peak[k] = known.room.shift[k] if k < width else 0
        known.peak[TILE + k] = low[k] if k < width else 0


cdef inline bint settle_sums(const Problem *problem, Py_ssize_t width, Map map, bint apart,
                             Known *known) noexcept nogil:
    cdef States states = states_of(&known.room)
    cdef Py_ssize_t k
    for k in range(width, whole_vectors(width)):    # settle works on them: rows that lack nothing
        states.high[k] = 1e9
        states.low[k] = states.size[k] = known.first[k] = known.second[k] = known.power[k] = 0
    return kernels_of(problem.bits).settle(&states, width, map, is_short(problem.n, problem.bits), apart, known.peak,
                                           known.first, known.second, known.power)


cdef void find_undefined(const Problem *problem, const Row *row, Py_ssize_t width, Map map,
                         Known *known) noexcept nogil:
    # Asked before anything is written, for the result may lie where the input does.
    cdef Row column
    cdef Py_ssize_t k
    for k in range(width):
        column = column_at(problem, row, k)
        known.undefined[k] = is_strange(known, k) and is_undefined(problem, &column, map, True)


cdef inline bint is_strange(const Known *known, Py_ssize_t k) noexcept nogil:
    return isnan(known.first[k]) or not fabs(known.peak[k]) < INFINITY


cdef bint is_undefined(const Problem *problem, const Row *row, Map map, bint strange) noexcept nogil:
    # A kept NaN, or nothing kept above -inf, leaves nothing to say about what is kept, and so does +inf but for the
    # logarithm, where `write` finds x - inf.  `strange`: of a row whose sum is known to be NaN or its peak infinite.
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, k
    cdef double x
    cdef bint infinite = False, finite = False, undefined = False
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        for k in range(count):
            if exponent_at(problem, &terms, k, &x):
                if isnan(x) and problem.refused == NULL:
                    return True
                if isnan(x) and terms.b != NULL and number_at(problem, terms.b, k * terms.b_inner) < 0:
                    lsecy_take(problem.refused, 1)
                    return True
                undefined = undefined or isnan(x)
                infinite = infinite or x == INFINITY
                finite = finite or fabs(x) < INFINITY
        start += length
    if infinite and not undefined:
        return map != LOG_SOFTMAX
    return undefined or strange or not finite


cdef void fill_undefined(const Problem *problem, const Row *row, Py_ssize_t width, Map map, const Known *known,
                         void *out) noexcept nogil:
    cdef Row column
    cdef Py_ssize_t k
    for k in range(width):
        if known.undefined[k]:
            column = column_at(problem, row, k)
            fill_undefined_row(problem, &column, map, out)


cdef inline void fill_undefined_row(const Problem *problem, const Row *row, Map map, void *out) noexcept nogil:
    fill_row(problem, row, map, problem.vanishing and is_nothing(problem, row), out)


cdef inline bint may_drop(const Problem *problem) noexcept nogil:
    # Are there answers that are not NaN where nothing above -inf is kept?
    return problem.mask.data != NULL or problem.b.data != NULL or problem.vanishing


cdef void fill_row(const Problem *problem, const Row *row, Map map, bint vanishes, void *out) noexcept nogil:
    # What is kept is NaN, or 0 if the row vanishes; what is left out is 0, its logarithm -inf.
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, k
    cdef double x, value, least = -INFINITY if map == LOG_SOFTMAX else 0
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        for k in range(count):
            value = NAN if exponent_at(problem, &terms, k, &x) and not vanishes else least
            if problem.bits == 64:
                buffers.out[k] = value
            else:
                (<float *> buffers.out)[k] = <float> value
        scatter(problem, buffers.out, 1, start, count, at(problem, out, row.out))
        start += length


cdef bint is_nothing(const Problem *problem, const Row *row) noexcept nogil:
    # Is nothing that is kept above -inf?
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, k
    cdef double x
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        for k in range(count):
            if exponent_at(problem, &terms, k, &x) and not x == -INFINITY:
                return False
        start += length
    return True


cdef inline double number_at(const Problem *problem, const void *numbers, Py_ssize_t k) noexcept nogil:
    return (<const double *> numbers)[k] if problem.bits == 64 else (<const float *> numbers)[k]


cdef inline bint is_nan_at(const Problem *problem, const void *numbers, Py_ssize_t k) noexcept nogil:
    return isnan(number_at(problem, numbers, k))


cdef bint exponent_at(const Problem *problem, const Terms *terms, Py_ssize_t k, double *x) noexcept nogil:
    # Is element k of a row kept?  Its exponent, coarsely.
    cdef double weight = 0
    cdef Py_ssize_t j = k * terms.b_inner
    if terms.kept != NULL and not terms.kept[k * terms.kept_inner]:
        return False
    if terms.logb != NULL:
        weight = number_at(problem, terms.logb, j)
        if weight == -INFINITY:
            return False
    if terms.b != NULL:
        weight = number_at(problem, terms.b, j)
        if weight == 0:
            return False
        if weight < INFINITY:
            weight = NAN if weight < 0 else 0
    x[0] = number_at(problem, terms.a, k)
    x[0] = x[0] * problem.scale + weight
    return True


cdef inline void *room_of_panels(const Job *job) noexcept nogil:
    # Where softmax keeps the terms of a panel; NULL if it does not.
    cdef const Problem *problem = job.problem
    cdef Py_ssize_t widest = min(problem.inner, min(TILE, 2 * job.narrow))
    if job.map != SOFTMAX or is_short(problem.n, problem.bits) or problem.n > block_length(problem.bits):
        return NULL
    return malloc(size_of_room(problem.n, widest, problem.bits // 8))


cdef void map_panels(const Job *job, Py_ssize_t item) noexcept nogil:
    cdef Py_ssize_t left, width
    cdef Row row = panel_at(job, item, &left)
    cdef void *room = room_of_panels(job)
    while left > 0:
        width = next_width(left, job.narrow, job.problem.bits)
        map_over(job.problem, &row, width, job.map, NULL, room, job.out)
        to_next_panel(job.problem, width, &row, &left)
    free(room)


cdef void map_some_rows(const Job *job, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    cdef const Problem *problem = job.problem
    cdef Group group
    cdef bint short = is_short(problem.n, problem.bits)
    cdef Py_ssize_t most = TILE // 2 if keeps_much(problem) else TILE
    while first < end:
        find_group(problem, first, min(most, end - first), &group)
        if short:
            map_group(problem, &group, job.map, job.out)
        else:
            map_long_rows(problem, &group, job.map, job.out)
        first += group.count


cdef void map_long_rows(const Problem *problem, const Group *group, Map map, void *out) noexcept nogil:
    cdef Py_ssize_t k = 0
    cdef Terms terms, rest
    cdef Row row
    cdef void *logs = at(problem, out, group.first.out) if problem.take_logs else NULL
    cdef bint straight = out_along(problem) and straight_rows(problem, group, logs, &terms)
    cdef Py_ssize_t n, some = 1
    if straight and logs != NULL:    # as in logs_in_result
        n = problem.n if terms.b_inner else 1
        if group.step_out == n and group.step_b == n * (problem.bits // 8) and along_memory(
                problem, &problem.b, problem.reduced.b):
            some = group.count    # without gaps: as one row, which has one end
        while k < group.count:
            gather_weights(problem, row_of(group, k).b, 0, n * some, at(problem, logs, k * group.step_out))
            k += some
        k = 0
    while k < group.count:
        if straight:
            rest = terms_from(&terms, k, problem.bits // 8)
            rest.bypass = bypasses(problem)
            k += kernels_of(problem.bits).map_rows(
                &rest, problem.n, group.count - k, map, at(problem, out, group.first.out + k * group.step_out),
                group.step_out)
        if k < group.count:
            row = row_of(group, k)
            if straight and is_undefined(problem, &row, map, False):    # its kernel has refused it
                fill_undefined_row(problem, &row, map, out)
            else:
                map_over(problem, &row, 1, map, NULL, NULL, out)
            k += 1


cdef void map_group(const Problem *problem, const Group *group, Map map, void *out) noexcept nogil:
    # Short rows, side by side; where one of them is special, each by itself.
    cdef Group one
    cdef Py_ssize_t k
    if map_tile(problem, group, map, out) or map_around_undefined(problem, group, map, out):
        return
    if group.count == 1:
        map_over(problem, &group.first, 1, map, NULL, NULL, out)
        return
    one.count = 1
    one.even = True
    one.step_a = one.step_b = one.step_mask = one.step_out = 0
    for k in range(group.count):
        one.first = row_of(group, k)
        map_group(problem, &one, map, out)


cdef bint map_around_undefined(const Problem *problem, const Group *group, Map map, void *out) noexcept nogil:
    # Short rows or columns of which some are undefined: these are filled, once the others have gone side by side.
    # False, and nothing is written, if there are none or another one is special too.
    cdef Group others
    cdef Row row
    cdef bint undefined[TILE]
    cdef Py_ssize_t k
    others.count = 0
    others.even = False
    for k in range(group.count):
        row = row_of(group, k)
        undefined[k] = is_undefined(problem, &row, map, False)
        if not undefined[k]:
            others.rows[others.count] = row
            others.count += 1
    others.first = others.rows[0]
    if others.count == group.count or (others.count > 0 and not map_tile(problem, &others, map, out)):
        return False
    for k in range(group.count):
        if undefined[k]:
            row = row_of(group, k)
            fill_undefined_row(problem, &row, map, out)
    return True


cdef bint map_around_undefined_columns(const Problem *problem, const Row *row, Py_ssize_t width, Map map,
                                       void *out) noexcept nogil:
    # Of softmax, and of long columns, the general way costs no more.
    cdef Group columns
    cdef Py_ssize_t k
    if map != LOG_SOFTMAX or width == 1 or not is_short(problem.n, problem.bits):
        return False
    columns.count = width
    columns.even = False
    for k in range(width):
        columns.rows[k] = column_at(problem, row, k)
    return map_around_undefined(problem, &columns, map, out)


cdef bint map_tile(const Problem *problem, const Group *group, Map map, void *out) noexcept nogil:
    # The answers take the exponents' place, for another tile would leave the L1 cache.
    cdef Tile tile
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t width = max(group.count, kernels.lanes), k
    cdef Answers written
    cdef Row row
    fill_tile(problem, group, width, &tile)
    written = kernels.map_block(&tile.terms, problem.n, width, map, True, NULL, tile.a, TILE)
    if written == REFUSED:
        return False
    put_tile(problem, group, tile.a, out)
    if written == WITH_NOTHING and may_drop(problem):
        for k in range(group.count):
            if is_nan_at(problem, tile.a, k):
                row = row_of(group, k)
                fill_row(problem, &row, map, problem.vanishing, out)
    return True


cdef void put_tile(const Problem *problem, const Group *group, const void *tile, void *out) noexcept nogil:
    cdef Py_ssize_t k, size = problem.bits // 8
    cdef Row row
    if group.even and out_along(problem) and problem.reduced.count:
        kernels_of(problem.bits).untranspose(tile, problem.n, group.count, at(problem, out, group.first.out),
                                             group.step_out)
    elif group.even and problem.reduced.count <= 1:
        store_tile(problem, group, tile, out)
    else:
        for k in range(group.count):
            row = row_of(group, k)
            scatter(problem, <const char *> tile + k * size, TILE, 0, problem.n, at(problem, out, row.out))


cdef void store_tile(const Problem *problem, const Group *group, const void *tile, void *out) noexcept nogil:
    # Rows of equal distance, each of equal steps.
    cdef Py_ssize_t apart = group.step_out, step = out_step(problem)
    cdef Py_ssize_t j, k
    cdef const double *doubles = <const double *> tile
    cdef const float *floats = <const float *> tile
    cdef double *to_doubles = <double *> out + group.first.out
    cdef float *to_floats = <float *> out + group.first.out
    for k in range(group.count):
        for j in range(problem.n):
            if problem.bits == 64:
                to_doubles[k * apart + j * step] = doubles[j * TILE + k]
            else:
                to_floats[k * apart + j * step] = floats[j * TILE + k]


# --- one plain row ----------------------------------------------------------------------------------------

cdef inline void as_problem(const void *a, Py_ssize_t n, int bits, Problem *problem, Row *row) noexcept nogil:
    # Filled only as far as one contiguous row needs it.
    problem.bits = bits
    problem.a.direct = True
    problem.b.data = problem.mask.data = NULL
    problem.take_logs = problem.vanishing = False
    problem.refused = NULL
    problem.scale = 1
    problem.reduced.count = 1
    problem.reduced.length[0] = n
    problem.reduced.a[0] = bits // 8
    problem.reduced.out[0] = 1
    problem.rows = problem.inner = 1
    problem.inner_b = problem.inner_mask = problem.inner_out = 0
    problem.n = n
    row.a = <const char *> a
    row.b = row.mask = NULL
    row.out = 0


cdef double reduce_row(const void *a, Py_ssize_t n, int bits) noexcept nogil:
    # The whole of a small call.
    cdef const Kernels *kernels = kernels_of(bits)
    cdef Room room
    cdef States states = states_of(&room)
    cdef double value[8]
    cdef Terms terms
    cdef Problem problem
    cdef Row row
    cdef Care care = first_care(n, bits)
    cdef bint one_block = n <= block_length(bits)
    if is_short(n, bits):
        return kernels.short_row(a, n)
    terms = plain_terms(a, 0)
    if one_block:
        kernels.fold_row(&terms, n, care, &states, 0)
    else:
        as_problem(a, n, bits, &problem, &row)
        fold_over(&problem, &row, 1, care, NULL, &states)
    if answer(bits, care, &states, 1, value, NULL):
        if one_block:
            kernels.fold_row(&terms, n, EXACT, &states, 0)
        else:
            fold_over(&problem, &row, 1, EXACT, NULL, &states)
        answer(bits, EXACT, &states, 1, value, NULL)
    return value[0]


cdef bint map_row(const void *a, Py_ssize_t n, int bits, Map map, void *out) noexcept nogil:
    # A short row is a column, in as many copies as a vector has lanes: so it has the bits of any batch.
    cdef const Kernels *kernels = kernels_of(bits)
    cdef double row[SHORT_ROW + TILE]    # with room behind the end, which whole vectors read
    cdef double tile[SHORT_ROW * TILE]
    cdef double answer[SHORT_ROW * TILE]
    cdef Terms terms = plain_terms(a, 0)
    cdef Problem problem
    cdef Row place
    if n > block_length(bits):
        as_problem(a, n, bits, &problem, &place)
        map_over(&problem, &place, 1, map, NULL, NULL, out)
        return True
    if not is_short(n, bits):
        return kernels.map_block(&terms, n, 0, map, False, NULL, out, 0) != REFUSED
    memcpy(row, a, n * (bits // 8))
    kernels.transpose(row, n, n, 1, SHORT_ROW + TILE, tile)
    terms = plain_terms(tile, TILE)
    if kernels.map_block(&terms, n, kernels.lanes, map, True, NULL, answer, TILE) == REFUSED:
        return False
    kernels.untranspose(answer, n, 1, out, n)
    return True


# --- what has files of its own ----------------------------------------------------------------------------

include "_running.pxi"
include "_scoring.pxi"
