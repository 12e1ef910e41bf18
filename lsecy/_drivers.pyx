# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How the work is shared out: blocks, threads, the order of merging, the kernels of this CPU.

A row of n elements is cut into blocks, and blocks into at most MOST_TASKS tasks, by n alone.  The
states of a task's blocks are merged in order, then those of the tasks: so a row's bits depend
neither on the threads nor on where the row lies.  Every row ends in `finish_rows`, which looks
again, with pairs of doubles, at the rare row whose answer would lose digits otherwise.
"""

from cython.parallel cimport parallel, threadid
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, NAN, exp, expm1, fabs, floor, fma, isnan, log, log1p
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from lsecy._arguments cimport MOST_AXES, Axes, Operand, Problem
from lsecy._convert cimport convert
from lsecy._tally cimport (
    Level, Pair, add_excesses, add_losses, add_product_columns, add_products, add_ratios, add_to, count_above,
    count_equal, drop_equal, finish_gradient, make_keys, multiply)
from lsecy._threads cimport await_team, plan, seconds
from lsecy.kernels.table cimport (
    BLOCK_BYTES, BLOCK_DOUBLES, EXACT, FAST, LOG_SOFTMAX, SHORT, SHORT_ROW, SOFTMAX, TILE, Care, Kernels, Map, States,
    Terms, plain_terms)

cdef extern from "_atomic.h" nogil:
    Py_ssize_t lsecy_take(Py_ssize_t *counter)


cdef extern from "kernels/cpu.h" nogil:
    const char *lsecy_cpu_lacks(const char *isa)

cdef enum:
    MOST_TASKS = 256       # bounds the states of a long row, and of a panel of long columns: 512 KB
    MOST_THREADS = 256
    MOST_ALONE = 64        # fewer rows or panels than this share out their tasks instead
    FEW = 4                # the same for maps, which gain by having a row in one core's cache
    MAP_CACHE = 262144     # bytes of a panel that is looked at three times
    MOST_KEPT = 1048576    # bytes of a row of softmax whose exponentials are kept: the bound of what is allocated
    ITEM_WORK = 16384      # elements of short rows that one thread takes at a time
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
    return block * ((blocks + MOST_TASKS - 1) // MOST_TASKS)


cdef inline Care first_care(Py_ssize_t n) noexcept nogil:
    return SHORT if n <= SHORT_ROW else FAST


cdef inline Care care_of(const Problem *problem) noexcept nogil:
    # A state that is held may become that of a long row.
    return FAST if problem.held != NULL else first_care(problem.n)


# --- states -----------------------------------------------------------------------------------------

# Room for the states of up to TILE rows; nothing is cleared, so an unused place costs nothing.
cdef struct Room:
    double shift[TILE]
    double high[TILE]
    double low[TILE]
    double rest[TILE]
    double size[TILE]


cdef inline States states_of(Room *room) noexcept nogil:
    cdef States states
    states.shift = room.shift
    states.high = room.high
    states.low = room.low
    states.rest = room.rest
    states.size = room.size
    return states


cdef inline States from_place(const States *states, Py_ssize_t place) noexcept nogil:
    cdef States here
    here.shift = states.shift + place
    here.high = states.high + place
    here.low = states.low + place
    here.rest = states.rest + place
    here.size = states.size + place
    return here


cdef inline void copy_state(const States *into, Py_ssize_t place, const States *source,
                            Py_ssize_t other) noexcept nogil:
    into.shift[place] = source.shift[other]
    into.high[place] = source.high[other]
    into.low[place] = source.low[other]
    into.rest[place] = source.rest[other]
    into.size[place] = source.size[other]


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

# A row's first elements and its place in the result.
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


# What the threads of one call do: item k of a job is a panel, some rows, or a task of one row or panel.
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
    Py_ssize_t panels    # in a line of columns
    Py_ssize_t wide      # columns of a panel
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


cdef void gather(const Problem *problem, const Operand *operand, const Py_ssize_t *strides,
                 const char *row, Py_ssize_t first, Py_ssize_t count, void *target,
                 Py_ssize_t target_step) noexcept nogil:
    # Elements first .. first + count of a row into a buffer, as the element type; a mask as bytes.
    cdef Walk walk
    cdef Py_ssize_t run, k, size = 1 if operand == &problem.mask else problem.bits // 8
    start_walk(&problem.reduced, strides, first, &walk)
    while count > 0:
        run = run_of(&walk, count)
        if size == 1:
            for k in range(run):
                (<char *> target)[k * target_step] = row[walk.place + k * walk.stride]
        elif size == 8:
            convert(row + walk.place, operand.type, operand.swapped, walk.stride, <double *> target, target_step, run)
        else:
            convert(row + walk.place, operand.type, operand.swapped, walk.stride, <float *> target, target_step, run)
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


cdef void row_terms(const Problem *problem, Row row, Py_ssize_t start, Py_ssize_t count, Buffers *buffers,
                    Terms *terms) noexcept nogil:
    # Elements start .. start + count of a row.
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
            gather_weights(problem, row.b, start, count if terms.b_inner else 1, buffers.b)
            set_weights(problem, terms, buffers.b)
    if problem.mask.data != NULL:
        if all_one(problem, &problem.mask, problem.reduced.mask):
            terms.kept = row.mask
            terms.kept_inner = 0
        elif along_memory(problem, &problem.mask, problem.reduced.mask):
            terms.kept = row.mask + start
        else:
            gather(problem, &problem.mask, problem.reduced.mask, row.mask, start, count, buffers.mask, 1)
            terms.kept = buffers.mask


cdef void panel_terms(const Problem *problem, Row row, Py_ssize_t start, Py_ssize_t count, Buffers *buffers,
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
        else:    # then all columns share one weight a row
            gather_weights(problem, row.b, start, count, buffers.b)
            set_weights(problem, terms, buffers.b)
            terms.b_step = 1
    terms.kept_step = problem.reduced.mask[0] if problem.reduced.count else 0
    terms.kept_inner = problem.inner_mask
    if problem.mask.data != NULL:
        terms.kept = row.mask + start * terms.kept_step


cdef void look_block(const Problem *problem, Row row, Py_ssize_t start, Py_ssize_t count, Py_ssize_t width,
                     const Look *look, Buffers *buffers, const States *states) noexcept nogil:
    # A row is a panel of width 1, which has kernels of its own.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef bint alone = problem.inner == 1
    cdef Terms terms
    cdef void *out
    cdef bint along
    if alone:
        row_terms(problem, row, start, count, buffers, &terms)
        width = 0
    else:
        panel_terms(problem, row, start, count, buffers, &terms)
    if look.phase == PEAK:
        kernels.peak(&terms, count, width, look.map, states.shift, states.low)
    elif look.phase == SUM or look.phase == APART:
        kernels.sum(&terms, count, width, look.map, look.peak, problem.n <= SHORT_ROW, look.phase == APART, states)
    elif look.phase == FOLD and alone:
        kernels.fold_row(&terms, count, look.care, states, 0)
    elif look.phase == FOLD:
        kernels.fold_columns(&terms, count, width, look.care, states)
    elif alone:
        along = out_along(problem)
        out = at(problem, look.out, row.out + start) if along else <void *> buffers.out
        kernels.write(&terms, count, 0, look.map, look.peak, look.first, look.second, look.power, out, 0)
        if not along:
            scatter(problem, out, 1, start, count, at(problem, look.out, row.out))
    else:
        out = at(problem, look.out, row.out + start * out_step(problem))
        kernels.write(&terms, count, width, look.map, look.peak, look.first, look.second, look.power, out,
                      out_step(problem))


cdef void join_states(const Look *look, Py_ssize_t width, const States *into, Py_ssize_t place,
                      const States *source, Py_ssize_t other) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(width):
        if look.phase == PEAK:
            if source.shift[other + k] > into.shift[place + k] or (
                    source.shift[other + k] == into.shift[place + k] and source.low[other + k] > into.low[place + k]):
                into.shift[place + k] = source.shift[other + k]
                into.low[place + k] = source.low[other + k]
        elif look.phase != WRITE:
            merge(into, place + k, source, other + k)


cdef void look_task(const Problem *problem, Row row, Py_ssize_t first, Py_ssize_t end, Py_ssize_t width,
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


cdef void look_whole(const Problem *problem, Row row, Py_ssize_t width, const Look *look,
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


cdef inline void look_over(const Problem *problem, Row row, Py_ssize_t width, const Look *look, Job *job,
                           const States *states) noexcept nogil:
    # By this thread alone or, with the job of this row or panel, by all.
    if job == NULL:
        look_whole(problem, row, width, look, states)
    else:
        job.look = look[0]
        look_tasks(job, states)


cdef inline void fold_over(const Problem *problem, Row row, Py_ssize_t width, Care care, Job *job,
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


cdef inline double finish_one(const Kernels *kernels, const States *states, Py_ssize_t place,
                              double *sign) noexcept nogil:
    # The answer of one state, whatever it lacks.
    cdef Room room
    cdef double value[8]
    cdef double signs[8]
    cdef States one
    one = states_of(&room)
    copy_state(&one, 0, states, place)
    pad_states(&one, 1)
    kernels.finish(&one, 1, 0, 0, value, signs if sign != NULL else NULL)
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


cdef void finish_rows(const Problem *problem, const Group *group, Care care, const States *states,
                      void *out, void *sign) noexcept nogil:
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef double *wanted = signs if sign != NULL else NULL
    cdef Py_ssize_t k
    cdef States here
    pad_states(states, group.count)
    if kernels.finish(states, group.count, near_zero(care, problem.bits), cancelled(care, problem.bits), value, wanted):
        for k in range(group.count):
            if lacks_digits(value[k], states, k, care, problem.bits):
                here = from_place(states, k)
                fold_over(problem, row_of(group, k), 1, EXACT, NULL, &here)
                value[k] = finish_one(kernels, states, k, wanted + k if wanted != NULL else NULL)
    store_rows(problem, group, value, signs, out, sign)


cdef void reduce_rows(const Problem *problem, Py_ssize_t first, Py_ssize_t end,
                      void *out, void *sign) noexcept nogil:
    # Rows first .. end, up to TILE together.
    cdef Group group
    cdef Room room
    cdef States states = states_of(&room)
    cdef Care care = care_of(problem)
    while first < end:
        find_group(problem, first, min(TILE, end - first), &group)
        if care == SHORT and problem.bare:
            reduce_short_rows(problem, &group, out, sign)
        else:
            fold_rows(problem, &group, care, &states)
            if problem.held != NULL:
                hold_rows(problem, &group, &states)
            else:
                finish_rows(problem, &group, care, &states, out, sign)
        first += group.count


cdef void fold_rows(const Problem *problem, const Group *group, Care care, const States *states) noexcept nogil:
    cdef States here
    cdef Py_ssize_t k
    if problem.n <= SHORT_ROW and group.count >= 4:
        fold_tile(problem, group, care, states)
        return
    for k in range(group.count):
        here = from_place(states, k)
        fold_over(problem, row_of(group, k), 1, care, NULL, &here)


cdef void drop_from_rows(const Problem *problem, const Group *group, void *target) noexcept nogil:
    # Rows without weights one after the other, in which what the mask leaves out is -inf: that adds nothing.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef double a[SHORT_ROW]
    cdef char mask[SHORT_ROW]
    cdef bint straight_a = along_memory(problem, &problem.a, problem.reduced.a)
    cdef bint straight_mask = along_memory(problem, &problem.mask, problem.reduced.mask)
    cdef Terms terms = plain_terms(NULL, 0)
    cdef Py_ssize_t n = problem.n, k
    cdef Row row
    if (group.even and straight_a and straight_mask and group.step_a == n * (problem.bits // 8)
            and group.step_mask == n):    # one long row
        terms.a = group.first.a
        terms.kept = group.first.mask
        kernels.drop(&terms, 1, group.count * n, target, 0)
        return
    for k in range(group.count):
        row = row_of(group, k)
        terms.a = row.a if straight_a else <const char *> a
        terms.kept = row.mask if straight_mask else <const char *> mask
        if not straight_a:
            gather(problem, &problem.a, problem.reduced.a, row.a, 0, n, a, 1)
        if not straight_mask:
            gather(problem, &problem.mask, problem.reduced.mask, row.mask, 0, n, mask, 1)
        kernels.drop(&terms, 1, n, at(problem, target, k * n), 0)


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
    cdef Py_ssize_t k
    terms[0] = plain_terms(tile.a, TILE)
    if problem.bare and problem.mask.data != NULL:
        drop_from_rows(problem, group, tile.b)
        kernels_of(problem.bits).transpose(tile.b, problem.n, problem.n, group.count, group.count * problem.n, tile.a)
        return
    terms.scale = problem.scale
    terms.b_step = terms.kept_step = TILE
    gather_tile(problem, &problem.a, problem.reduced.a, group, group.step_a, width, tile.a)
    if problem.b.data != NULL:
        set_weights(problem, terms, tile.b)
        if group.even and group.step_b == 0:    # all rows have the same weights
            gather_weights(problem, group.first.b, 0, problem.n, tile.b)
            terms.b_step = 1
            terms.b_inner = 0
        else:
            gather_tile(problem, &problem.b, problem.reduced.b, group, group.step_b, width, tile.b)
            if problem.take_logs:
                for k in range(problem.n):
                    kernels_of(problem.bits).logs(at(problem, tile.b, k * TILE), width)
    if problem.mask.data != NULL:
        terms.kept = tile.mask
        gather_tile(problem, &problem.mask, problem.reduced.mask, group, group.step_mask, width, tile.mask)


cdef void fold_tile(const Problem *problem, const Group *group, Care care, const States *states) noexcept nogil:
    cdef Tile tile
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t width = max(group.count, kernels.lanes)
    fill_tile(problem, group, width, &tile)
    kernels.fold_columns(&tile.terms, problem.n, width, care, states)


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
        kernels.short_columns(tile.a, TILE, problem.n, width, value)
    else:
        if problem.mask.data != NULL:
            drop_from_rows(problem, group, tile.b)
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


cdef inline void gather_tile(const Problem *problem, const Operand *operand, const Py_ssize_t *strides,
                             const Group *group, Py_ssize_t step, Py_ssize_t width, void *tile) noexcept nogil:
    cdef Py_ssize_t size = 1 if operand == &problem.mask else problem.bits // 8, k
    cdef const char *start
    cdef Row row
    if size > 1 and group.even and along_memory(problem, operand, strides) and step > 0 and step % size == 0:
        kernels_of(problem.bits).transpose(group.first.a if operand == &problem.a else group.first.b, step // size,
                                           problem.n, group.count, (group.count - 1) * (step // size) + problem.n, tile)
        return
    for k in range(width):    # columns beyond the last row repeat it: they only fill the vectors
        row = row_of(group, min(k, group.count - 1))
        start = row.a if operand == &problem.a else row.b if operand == &problem.b else row.mask
        gather(problem, operand, strides, start, 0, problem.n, <char *> tile + k * size, TILE)


# --- columns --------------------------------------------------------------------------------------------

cdef inline Row column_at(const Problem *problem, Row row, Py_ssize_t k) noexcept nogil:
    # The first elements of column k of a line of columns that starts at `row`.
    row.a += k * (problem.bits // 8)
    row.b += k * problem.inner_b
    row.mask += k * problem.inner_mask
    row.out += k * problem.inner_out
    return row


cdef inline Row panel_at(const Job *job, Py_ssize_t panel, Py_ssize_t *width) noexcept nogil:
    # Panels of `wide` columns; the last of a line of a reduction steps back so that none is narrower
    # than it can be, of a map it takes what is left in: its columns must not be written twice.
    cdef const Problem *problem = job.problem
    cdef Py_ssize_t column = panel % job.panels * job.wide
    width[0] = min(job.wide, problem.inner)
    if job.maps and panel % job.panels == job.panels - 1:
        width[0] = problem.inner - column
    return column_at(problem, row_at(problem, panel // job.panels), min(column, problem.inner - width[0]))


cdef inline Py_ssize_t columns_before(const Job *job, Py_ssize_t panel, Py_ssize_t width) noexcept nogil:
    # How many columns of a panel are also in the one before, because it stepped back.
    return max(0, panel % job.panels * job.wide - (job.problem.inner - width))


cdef void finish_columns(const Problem *problem, Row row, Py_ssize_t width, Care care,
                         const States *states, Job *job, void *out, void *sign) noexcept nogil:
    # `job`: the one whose tasks are shared out, or NULL.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Room room
    cdef States exact = states_of(&room)
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef double *wanted = signs if sign != NULL else NULL
    cdef Py_ssize_t k
    pad_states(states, width)
    if kernels.finish(states, width, near_zero(care, problem.bits), cancelled(care, problem.bits), value, wanted):
        fold_over(problem, row, width, EXACT, job, &exact)
        for k in range(width):
            if lacks_digits(value[k], states, k, care, problem.bits):
                value[k] = finish_one(kernels, &exact, k, wanted + k if wanted != NULL else NULL)
    store_answers(problem, row.out, problem.inner_out, value, signs, width, out, sign)


cdef void reduce_panel(const Job *job, Py_ssize_t panel) noexcept nogil:
    cdef const Problem *problem = job.problem
    cdef void *out = job.out
    cdef void *sign = job.sign
    cdef Room room
    cdef States states = states_of(&room)
    cdef Care care = care_of(problem)
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef Py_ssize_t width
    cdef Row row = panel_at(job, panel, &width)
    cdef Terms terms
    cdef double tile[SHORT_ROW * TILE]
    if care == SHORT and problem.bare:
        panel_terms(problem, row, 0, problem.n, NULL, &terms)    # without weights there is nothing to gather
        if problem.mask.data != NULL:
            kernels_of(problem.bits).drop(&terms, problem.n, width, tile, TILE)
            terms = plain_terms(tile, TILE)
        kernels_of(problem.bits).short_columns(terms.a, terms.a_step, problem.n, width, value)
        signs_of(value, width, signs)
        store_answers(problem, row.out, problem.inner_out, value, signs, width, out, sign)
        return
    fold_over(problem, row, width, care, NULL, &states)
    if problem.held != NULL:
        hold_columns(problem, row, width, columns_before(job, panel, width), &states, NULL)
    else:
        finish_columns(problem, row, width, care, &states, NULL, out, sign)


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
    cdef bint lacking[TILE]
    cdef bint short = problem.n <= SHORT_ROW, any = False
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
                fold_over(problem, row_of(group, k), 1, EXACT, NULL, &here)
            held = pair_at(problem.held + HELD * row_of(group, k).out)
            merge(&held, STATE, &exact, k)


cdef void hold_columns(const Problem *problem, Row row, Py_ssize_t width, Py_ssize_t first, const States *states,
                       Job *job) noexcept nogil:
    # Of a panel the columns from `first` on; `job` as in finish_columns.
    cdef Room room
    cdef States exact = states_of(&room), held
    cdef bint lacking[TILE]
    cdef bint any = False
    cdef Py_ssize_t k
    for k in range(first, width):
        held = pair_at(problem.held + HELD * (row.out + k * problem.inner_out))
        lacking[k] = joins_first(&held, states, k, problem.n <= SHORT_ROW)
        any = any or lacking[k]
    if not any:
        return
    fold_over(problem, row, width, EXACT, job, &exact)
    for k in range(first, width):
        if lacking[k]:
            held = pair_at(problem.held + HELD * (row.out + k * problem.inner_out))
            merge(&held, STATE, &exact, k)


cdef void hold_row(const void *a, Py_ssize_t n, int bits, double *held) noexcept nogil:
    cdef const Kernels *kernels = kernels_of(bits)
    cdef Room room
    cdef States states = states_of(&room), pair = pair_at(held)
    cdef Terms terms = plain_terms(a, 0)
    kernels.fold_row(&terms, n, FAST, &states, 0)
    if joins_first(&pair, &states, 0, n <= SHORT_ROW):
        kernels.fold_row(&terms, n, EXACT, &states, 0)
        merge(&pair, STATE, &states, 0)


cdef void merge_held(double *into, const double *source, Py_ssize_t count) noexcept nogil:
    cdef States one = pair_at(into), other = pair_at(<double *> source)
    cdef Py_ssize_t k
    for k in range(count * (HELD // STATE)):
        merge(&one, k * STATE, &other, k * STATE)


cdef void finish_held(const double *held, Py_ssize_t count, int bits, double *value, double *sign) noexcept nogil:
    cdef const Kernels *kernels = kernels_of(bits)
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
        pad_states(&states, width)
        if kernels.finish(&states, width, near_zero(FAST, bits), cancelled(FAST, bits), values,
                          signs if sign != NULL else NULL):
            for k in range(width):
                if lacks_digits(values[k], &states, k, FAST, bits):
                    pair = pair_at(<double *> held + (start + k) * HELD)
                    values[k] = finish_one(kernels, &pair, STATE, signs + k if sign != NULL else NULL)
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


cdef void do_item(const Job *job, Py_ssize_t item) noexcept nogil:
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
        map_panel(job, item)
    elif job.kind == PANELS:
        reduce_panel(job, item)
    elif job.scoring != NULL:
        score_rows(problem, job.scoring, item * job.each, min(problem.rows, (item + 1) * job.each), NULL)
    elif job.maps:
        map_some_rows(job, item * job.each, min(problem.rows, (item + 1) * job.each))
    else:
        reduce_rows(problem, item * job.each, min(problem.rows, (item + 1) * job.each), job.out, job.sign)


cdef void do_share(const Job *job, Share *shares, int threads, int me) noexcept nogil:
    # First a thread's own items, which the same thread had in the last call and so are in its cache;
    # then those of threads that are late, for another process may hold their core.
    cdef Py_ssize_t item
    cdef int k
    cdef Share *share
    for k in range(threads):
        share = &shares[(me + k) % threads]
        while True:
            item = lsecy_take(&share.next)
            if item >= share.end:
                break
            do_item(job, item)


cdef void do_job(const Job *job, Py_ssize_t count, int threads) noexcept nogil:
    cdef Share shares[MOST_THREADS]
    cdef Py_ssize_t item, arrived = 0
    cdef double began
    cdef int me
    if threads == 1:    # a parallel region of one thread costs 300 ns
        for item in range(count):
            do_item(job, item)
        return
    threads = min(threads, MOST_THREADS)
    for me in range(threads):
        shares[me].next = count * me // threads
        shares[me].end = count * (me + 1) // threads
    began = seconds()
    with parallel(num_threads=threads):
        do_share(job, shares, threads, threadid())
        lsecy_take(&arrived)
        if threadid() == 0:
            await_team(&arrived, began)


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
    job.wide = map_width(problem) if maps else TILE
    job.panels = max(1, problem.inner // job.wide) if maps else (problem.inner + TILE - 1) // TILE
    items = problem.rows // problem.inner * job.panels
    if tasks > 1 and items < (MOST_ALONE if not maps else FEW):
        return share_long(&job, items, tasks)
    if problem.inner > 1:
        job.kind = PANELS
    else:
        job.kind = ROWS
        job.each = rows_of_item(problem.n)
        items = (problem.rows + job.each - 1) // job.each
    do_job(&job, items, plan(work, items))
    return 0


cdef inline Py_ssize_t rows_of_item(Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t rows = max(1, ITEM_WORK // n)
    return rows // TILE * TILE if rows > TILE else rows


cdef inline States task_states(double *memory, Py_ssize_t count) noexcept nogil:
    cdef States states
    states.shift = memory
    states.high = memory + count
    states.low = memory + 2 * count
    states.rest = memory + 3 * count
    states.size = memory + 4 * count
    return states


cdef inline Py_ssize_t map_width(const Problem *problem) noexcept nogil:
    # Columns of a panel of a map: what it reads three times should stay in L2.  At most half a TILE,
    # so that a last panel, which takes the rest in, is no wider than a TILE.
    cdef Py_ssize_t size = problem.bits // 8, least = 64 // size
    cdef Py_ssize_t fitting = MAP_CACHE // (problem.n * size) // least * least
    return max(least, min(TILE // 2, fitting))


cdef int share_long(Job *job, Py_ssize_t items, Py_ssize_t tasks) noexcept nogil:
    # Few rows or panels, of several tasks each: the tasks are shared out.
    cdef const Problem *problem = job.problem
    cdef Py_ssize_t room_each = tasks * min(TILE, problem.inner), item
    cdef Room room
    cdef States states = states_of(&room), shared
    cdef double *memory = <double *> malloc(5 * room_each * sizeof(double))
    if memory == NULL:
        return -1
    shared = task_states(memory, room_each)
    job.kind = TASKS
    job.tasks = &shared
    for item in range(items):
        job.row = panel_at(job, item, &job.width)
        if job.maps:
            map_over(problem, job.row, job.width, job.map, job, job.out)
            continue
        fold_over(problem, job.row, job.width, FAST, job, &states)
        if problem.held != NULL:
            hold_columns(problem, job.row, job.width, columns_before(job, item, job.width), &states, job)
        else:
            finish_columns(problem, job.row, job.width, FAST, &states, job, job.out, job.sign)
    free(memory)
    return 0


cdef void look_tasks(Job *job, const States *states) noexcept nogil:
    # All tasks of one row or panel, joined in order.
    cdef Py_ssize_t length = task_length(job.problem.n, job.problem.bits), task, k
    cdef Py_ssize_t count = (job.problem.n + length - 1) // length
    do_job(job, count, plan(job.problem.n * job.width, count))
    if job.look.phase == WRITE:
        return
    for k in range(job.width):
        copy_state(states, k, job.tasks, k)
    for task in range(1, count):
        join_states(&job.look, job.width, states, 0, job.tasks, task * job.width)


cdef void look_one_task(const Job *job, Py_ssize_t task, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    # Folded on the thread's own stack: neighbouring states share cache lines with other threads.
    cdef Room room
    cdef States mine = states_of(&room)
    cdef Py_ssize_t k
    look_task(job.problem, job.row, first, end, job.width, &job.look, &mine)
    for k in range(job.width):
        copy_state(job.tasks, task * job.width + k, &mine, k)


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


cdef void map_over(const Problem *problem, Row row, Py_ssize_t width, Map map, Job *job, void *out) noexcept nogil:
    # A row or a panel; `job` as in look_over.
    cdef Known known
    cdef States states = states_of(&known.room)
    cdef Look look = look_for(map, &known)
    look.out = out
    if job == NULL and problem.n <= block_length(problem.bits) and map_one_block(problem, row, width, map, out):
        return
    know(problem, row, width, map, job, &known)
    find_undefined(problem, row, width, map, &known)
    look.phase = WRITE
    look_over(problem, row, width, &look, job, &states)
    fill_undefined(problem, row, width, map, &known, out)


cdef inline Look look_for(Map map, Known *known) noexcept nogil:
    cdef Look look
    look.phase = PEAK
    look.care = FAST
    look.map = map
    look.peak = known.peak
    look.first = known.first
    look.second = known.second
    look.power = known.power
    look.out = NULL
    return look


cdef void know(const Problem *problem, Row row, Py_ssize_t width, Map map, Job *job, Known *known) noexcept nogil:
    # Peaks and sums, and what these give to the answers.
    cdef States states = states_of(&known.room)
    cdef Look look = look_for(map, known)
    look.phase = PEAK
    look_over(problem, row, width, &look, job, &states)
    take_peaks(width, known)
    look.phase = SUM
    look_over(problem, row, width, &look, job, &states)
    if settle_sums(problem, width, map, False, known):
        look.phase = APART
        look_over(problem, row, width, &look, job, &states)
        settle_sums(problem, width, map, True, known)


cdef bint map_one_block(const Problem *problem, Row row, Py_ssize_t width, Map map, void *out) noexcept nogil:
    # A row or panel that is looked at in one piece.  False, and nothing is written, where it is special.
    cdef Buffers buffers
    cdef Terms terms
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef void *target = at(problem, out, row.out)
    if problem.inner > 1:
        panel_terms(problem, row, 0, problem.n, &buffers, &terms)
        return kernels.map_block(&terms, problem.n, width, map, problem.n <= SHORT_ROW, target, out_step(problem))
    row_terms(problem, row, 0, problem.n, &buffers, &terms)
    if out_along(problem):
        return kernels.map_block(&terms, problem.n, 0, map, False, target, 0)
    if not kernels.map_block(&terms, problem.n, 0, map, False, buffers.out, 0):
        return False
    scatter(problem, buffers.out, 1, 0, problem.n, target)
    return True


cdef inline Py_ssize_t whole_vectors(Py_ssize_t width) noexcept nogil:
    return (width + MOST_LANES - 1) // MOST_LANES * MOST_LANES


cdef inline void take_peaks(Py_ssize_t width, Known *known) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(whole_vectors(width)):
        known.peak[k] = known.room.shift[k] if k < width else 0
        known.peak[TILE + k] = known.room.low[k] if k < width else 0


cdef inline bint settle_sums(const Problem *problem, Py_ssize_t width, Map map, bint apart,
                             Known *known) noexcept nogil:
    cdef States states = states_of(&known.room)
    cdef Py_ssize_t k
    for k in range(width, whole_vectors(width)):    # settle works on them: rows that lack nothing
        states.high[k] = 1e9
        states.low[k] = states.size[k] = known.first[k] = known.second[k] = known.power[k] = 0
    return kernels_of(problem.bits).settle(&states, width, map, problem.n <= SHORT_ROW, apart, known.peak, known.first,
                                           known.second, known.power)


cdef void find_undefined(const Problem *problem, Row row, Py_ssize_t width, Map map, Known *known) noexcept nogil:
    # Asked before anything is written, for the result may lie where the input does.
    cdef Py_ssize_t k
    for k in range(width):
        known.undefined[k] = is_strange(known, k) and is_undefined(problem, column_at(problem, row, k), map)


cdef inline bint is_strange(const Known *known, Py_ssize_t k) noexcept nogil:
    return isnan(known.first[k]) or not fabs(known.peak[k]) < INFINITY


cdef bint is_undefined(const Problem *problem, Row row, Map map) noexcept nogil:
    # Of a row whose sum is NaN or whose peak is infinite: a kept NaN, or nothing kept above -inf, leaves
    # nothing to say about what is kept, and so does +inf but for the logarithm, where `write` finds x - inf.
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, k
    cdef double x
    cdef bint infinite = False
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        for k in range(count):
            if exponent_at(problem, &terms, k, &x):
                if isnan(x):
                    return True
                infinite = infinite or x == INFINITY
        start += length
    return map == SOFTMAX or not infinite


cdef void fill_undefined(const Problem *problem, Row row, Py_ssize_t width, Map map, const Known *known,
                         void *out) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(width):
        if known.undefined[k]:
            fill_row(problem, column_at(problem, row, k), map, out)


cdef void fill_row(const Problem *problem, Row row, Map map, void *out) noexcept nogil:
    # What is kept is NaN, or 0 if the row vanishes; what is left out is 0, its logarithm -inf.
    cdef bint vanishes = problem.vanishing and is_nothing(problem, row)
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count, k
    cdef double x, value
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        for k in range(count):
            value = NAN if exponent_at(problem, &terms, k, &x) and not vanishes else 0 if map == SOFTMAX else -INFINITY
            if problem.bits == 64:
                buffers.out[k] = value
            else:
                (<float *> buffers.out)[k] = <float> value
        scatter(problem, buffers.out, 1, start, count, at(problem, out, row.out))
        start += length


cdef bint is_nothing(const Problem *problem, Row row) noexcept nogil:
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


cdef bint exponent_at(const Problem *problem, const Terms *terms, Py_ssize_t k, double *x) noexcept nogil:
    # Is element k of a row kept?  Its exponent, coarsely.
    cdef double weight = 0
    cdef Py_ssize_t j = k * terms.b_inner
    if terms.kept != NULL and not terms.kept[k * terms.kept_inner]:
        return False
    if terms.logb != NULL:
        weight = (<const double *> terms.logb)[j] if problem.bits == 64 else (<const float *> terms.logb)[j]
        if weight == -INFINITY:
            return False
    x[0] = (<const double *> terms.a)[k] if problem.bits == 64 else (<const float *> terms.a)[k]
    x[0] = x[0] * problem.scale + weight
    return True


cdef void map_panel(const Job *job, Py_ssize_t panel) noexcept nogil:
    cdef Py_ssize_t width
    cdef Row row = panel_at(job, panel, &width)
    map_over(job.problem, row, width, job.map, NULL, job.out)


cdef void map_some_rows(const Job *job, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    cdef const Problem *problem = job.problem
    cdef Group group
    while first < end:
        find_group(problem, first, min(TILE, end - first), &group)
        if problem.n <= SHORT_ROW:
            map_group(problem, &group, job.map, job.out)
        else:
            map_long_rows(problem, &group, job.map, job.out)
        first += group.count


cdef void map_long_rows(const Problem *problem, const Group *group, Map map, void *out) noexcept nogil:
    cdef Py_ssize_t k = 0, size = problem.bits // 8
    cdef bint dense = (problem.plain and group.even and problem.n <= block_length(problem.bits)
                       and along_memory(problem, &problem.a, problem.reduced.a) and out_along(problem)
                       and group.step_a % size == 0)
    while k < group.count:
        if dense:
            k += kernels_of(problem.bits).map_rows(
                group.first.a + k * group.step_a, group.step_a // size, problem.n, group.count - k, map,
                at(problem, out, group.first.out + k * group.step_out), group.step_out)
        if k < group.count:
            map_over(problem, row_of(group, k), 1, map, NULL, out)
            k += 1


cdef void map_group(const Problem *problem, const Group *group, Map map, void *out) noexcept nogil:
    # Short rows, side by side; where one of them is special, each by itself.
    cdef Group one
    cdef Py_ssize_t k
    if map_tile(problem, group, map, out):
        return
    if group.count == 1:
        map_over(problem, group.first, 1, map, NULL, out)
        return
    one.count = 1
    one.even = True
    one.step_a = one.step_b = one.step_mask = one.step_out = 0
    for k in range(group.count):
        one.first = row_of(group, k)
        map_group(problem, &one, map, out)


cdef bint map_tile(const Problem *problem, const Group *group, Map map, void *out) noexcept nogil:
    cdef Tile tile
    cdef double answer[SHORT_ROW * TILE]
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t width = max(group.count, kernels.lanes)
    fill_tile(problem, group, width, &tile)
    if not kernels.map_block(&tile.terms, problem.n, width, map, True, answer, TILE):
        return False
    put_tile(problem, group, answer, out)
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


# --- running sums -------------------------------------------------------------------------------------------
#
# A sum and its next term are added in double, with what rounding takes from the sum beside it.  A long row is cut into
# tasks, by its length alone: these are folded first, so that each knows the sum of all before it.
#
# Within a task elements are looked at a chunk at a time.  Exponentials are rounded to double, all relative to one
# shift: 0, unless the largest lies beyond FAR.  That is as good as the answer where its logarithm is not near zero.
# Where a sum lies in `near_one`, and with weights, NaN or infinities, each element becomes a state of its own, which
# has what rounding takes from the exponential too: a few elements, and then the rest of the chunk is tried again.

cdef enum:
    SCAN_TASK = 16384    # elements of a task, and up to 63 more at the end
    CHUNK = 128          # elements that share a shift; it divides a block
    CAREFUL = 16         # elements that are looked at with care at a time: at least a vector
    LARGE = 55           # a sum whose logarithm, above 4, needs no more than a double
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
    # Elements `start` on of a row (width 0), or rows `start` on of a panel.
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
        return
    here.a = wide.a
    here.a_step = width
    for row in range(n if width else 1):
        a = <const float *> terms.a + first + row * terms.a_step
        for k in range(width if width else n):
            wide.a[row * width + k] = a[k]
    if terms.logb == NULL:
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
    kernels_64.write(&wide.terms, n, width, SOFTMAX, NOUGHTS, ONES, NOUGHTS, NOUGHTS, target, TILE)


cdef inline void normalise_all(const double *high, const double *low, Py_ssize_t width,
                               const States *shown) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(width):
        shown.high[k] = high[k] + low[k]
        shown.low[k] = (high[k] - shown.high[k]) + low[k]


cdef inline void answers_of_rounded(const Problem *problem, const States *shown, Py_ssize_t width,
                                    const bint *large, Py_ssize_t few, double *value) noexcept nogil:
    # Of sums of rounded terms.  The logarithm of a large one, `few` of which are not, has no use for
    # what the double of its sum lacks.
    cdef double rounded[TILE]
    cdef Py_ssize_t k
    if problem.bits == 32 or few > 0:
        for k in range(width):
            shown.rest[k] = shown.size[k] = 0
        answers_of(problem, shown, width, value)
    if problem.bits == 32 or few == width:
        return
    for k in range(width):
        rounded[k] = shown.high[k]
    kernels_64.logs(rounded, width)
    for k in range(width):
        if few == 0 or large[k]:
            value[k] = rounded[k] + shown.shift[k]


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
    while done < n:
        width = min(TILE, n - done)
        normalise_all(highs + done + (not exclusive), rests + done + (not exclusive), width, &shown)
        for k in range(width):
            shown.shift[k] = shift
        answers_of_rounded(problem, &shown, width, NULL, 0 if shift != 0 or first > LARGE else width, value)
        store(problem, out, start + done, 1, value, width)
        done += width
    running.shift[0] = shift
    running.high[0] = high + rest
    running.low[0] = (high - running.high[0]) + rest
    running.rest[0] = 0
    return True


cdef void scan_row(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, bint exclusive,
                   const States *running, void *out) noexcept nogil:
    # A chunk.
    cdef Py_ssize_t end = start + n, width
    while start < end and not scan_chunk(problem, terms, start, end - start, exclusive, running, out):
        width = min(CAREFUL, end - start)
        scan_carefully(problem, terms, start, width, exclusive, running, out)
        start += width


cdef void scan_panel(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n, Py_ssize_t width,
                     bint exclusive, const States *running, void *out, Py_ssize_t step) noexcept nogil:
    # The same of some columns, each of which goes the way of a row.
    cdef Py_ssize_t end = start + n, count
    while start < end:
        if terms.b == NULL and scan_together(problem, terms, start, end - start, width, exclusive, running, out, step):
            return
        count = min(CAREFUL, end - start)
        scan_columns(problem, terms, start, count, width, exclusive, running, out, step)
        start += count


cdef bint scan_together(const Problem *problem, const Terms *terms, Py_ssize_t start, Py_ssize_t n,
                        Py_ssize_t width, bint exclusive, const States *running, void *out,
                        Py_ssize_t step) noexcept nogil:
    # False, and nothing is done, where all want care.  Those that do become rows.
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
        apart[k] = not common_shift(running, k, peak[k], shown.shift + k)
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
        large[k] = apart[k] or shown.shift[k] != 0 or sums.high[k] > LARGE
        few += not large[k]
    if left == width:
        return False
    for k in range(width):    # before their neighbours are written, for the result may lie where the input does
        if apart[k]:
            scan_alone(problem, terms, start, n, k, exclusive, running, out, step)
    for row in range(n):
        if exclusive:
            normalise_all(sums.high, sums.low, width, &shown)
            add_rounded(&sums, width, y + row * TILE)
        else:
            add_and_normalise(&sums, width, y + row * TILE, &shown)
        answers_of_rounded(problem, &shown, width, large, few, value)
        if left == 0:
            store(problem, out, (start + row) * step, 1, value, width)
            continue
        for k in range(width):
            if not apart[k]:
                store(problem, out, (start + row) * step + k, 1, value + k, 1)
    normalise_all(sums.high, sums.low, width, &shown)
    for k in range(width):
        if not apart[k]:
            running.shift[k] = shown.shift[k]
            running.rest[k] = 0
            running.high[k] = shown.high[k]
            running.low[k] = shown.low[k]
    return True


cdef inline void add_rounded(const States *sums, Py_ssize_t width, const double *y) noexcept nogil:
    cdef Py_ssize_t k
    cdef double sum, back
    for k in range(width):
        sum = sums.high[k] + y[k]
        back = sum - sums.high[k]
        sums.low[k] = sums.low[k] + ((sums.high[k] - (sum - back)) + (y[k] - back))
        sums.high[k] = sum


cdef inline void add_and_normalise(const States *sums, Py_ssize_t width, const double *y,
                                   const States *shown) noexcept nogil:
    # Both in one loop: a third faster.
    cdef Py_ssize_t k
    cdef double sum, back, low
    for k in range(width):
        sum = sums.high[k] + y[k]
        back = sum - sums.high[k]
        low = sums.low[k] + ((sums.high[k] - (sum - back)) + (y[k] - back))
        sums.high[k] = sum
        sums.low[k] = low
        shown.high[k] = sum + low
        shown.low[k] = (sum - (sum + low)) + low


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


cdef void scan_task(const Problem *problem, Row row, Py_ssize_t first, Py_ssize_t end, Py_ssize_t width, bint exclusive,
                    const States *running, void *out) noexcept nogil:
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
            if problem.n <= SHORT_ROW:    # as short rows
                scan_columns(problem, &terms, 0, count, width, exclusive, running, target, out_step(problem))
                return
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
    look_task(job.problem, row, first, end, width, &job.look, &mine)
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
    scan_task(job.problem, row, first, end, width, job.exclusive, &running, job.out)


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
        scan_columns(problem, &tile.terms, 0, problem.n, width, job.exclusive, &running, answer, TILE)
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
    if problem.inner == 1 and problem.n <= SHORT_ROW:
        job.kind = TILES
        job.each = TILE * max(1, SCAN_TASK // (TILE * problem.n))
        items = (problem.rows + job.each - 1) // job.each
        do_job(&job, items, plan(work, items))
        return 0
    job.wide = TILE // 2
    job.panels = max(1, problem.inner // job.wide)
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
        tasks = task_states(memory, count)
        exact = task_states(memory + 5 * count, count)
        job.kind = FOLDS
        job.look.phase = FOLD
        job.look.care = FAST
        job.tasks = &tasks
        do_job(&job, items, plan(work, items))
        for line in range(lines):
            for k in range(line_width(&job, line)):
                lacking = lacking or lacks_before(&job, line, k, &start)
        if lacking:
            job.look.care = EXACT
            job.tasks = &exact
            do_job(&job, items, plan(work, items))
            job.tasks = &tasks
        for line in range(lines):
            for k in range(line_width(&job, line)):
                care = lacking and lacks_before(&job, line, k, &start)
                sums_before(&job, line, k, &start, &exact if care else &tasks)
    job.kind = SCANS
    do_job(&job, items, plan(work, items))
    free(memory)
    return 0


cdef inline Py_ssize_t line_width(const Job *job, Py_ssize_t line) noexcept nogil:
    cdef Py_ssize_t width
    panel_at(job, line, &width)
    return width


# --- one plain row ----------------------------------------------------------------------------------------

cdef double reduce_row(const void *a, Py_ssize_t n, int bits) noexcept nogil:
    # The whole of a small call.
    cdef const Kernels *kernels = kernels_of(bits)
    cdef Room room
    cdef States states = states_of(&room)
    cdef double value[8]
    cdef Terms terms
    cdef Problem problem    # filled only as far as a contiguous row needs it
    cdef Row row
    cdef Care care = first_care(n)
    cdef bint one_block = n <= block_length(bits)
    if n <= SHORT_ROW:
        return kernels.short_row(a, n)
    terms = plain_terms(a, 0)
    if one_block:
        kernels.fold_row(&terms, n, care, &states, 0)
    else:
        problem.bits = bits
        problem.a.direct = True
        problem.b.data = problem.mask.data = NULL
        problem.scale = 1
        problem.reduced.count = 0
        problem.inner = 1
        problem.n = n
        row.a = <const char *> a
        row.b = row.mask = NULL
        fold_over(&problem, row, 1, care, NULL, &states)
    pad_states(&states, 1)
    if kernels.finish(&states, 1, near_zero(care, bits), cancelled(care, bits), value, NULL):
        if one_block:
            kernels.fold_row(&terms, n, EXACT, &states, 0)
        else:
            fold_over(&problem, row, 1, EXACT, NULL, &states)
        kernels.finish(&states, 1, 0, 0, value, NULL)
    return value[0]


cdef bint map_row(const void *a, Py_ssize_t n, int bits, Map map, void *out) noexcept nogil:
    # A short row is a column, in as many copies as a vector has lanes: so it has the bits of any batch.
    cdef const Kernels *kernels = kernels_of(bits)
    cdef double row[SHORT_ROW + TILE]    # with room behind the end, which whole vectors read
    cdef double tile[SHORT_ROW * TILE]
    cdef double answer[SHORT_ROW * TILE]
    cdef Terms terms = plain_terms(a, 0)
    if n > SHORT_ROW:
        return kernels.map_block(&terms, n, 0, map, False, out, 0)
    memcpy(row, a, n * (bits // 8))
    kernels.transpose(row, n, n, 1, SHORT_ROW + TILE, tile)
    terms = plain_terms(tile, TILE)
    if not kernels.map_block(&terms, n, kernels.lanes, map, True, answer, TILE):
        return False
    kernels.untranspose(answer, n, 1, out, n)
    return True


# --- scores of rows -----------------------------------------------------------------------------------------
#
# Numbers about a row that need its sum first, and a second look at a few elements or at all: log-probabilities
# of chosen elements, losses, entropies.  A log-probability x - log(sum) is minus what `finish` answers for a
# state whose shift is counted from x, so one FAST look is enough where it is not near zero; where it is, the
# peak is taken apart as log_softmax does.  Which of the two is decided by the value alone.

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
    do_job(&job, items, plan(work, items))
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
    cdef double *memory = <double *> malloc(5 * tasks * sizeof(double))
    if memory == NULL:
        return -1
    states = task_states(memory, tasks)
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
    cdef bint short = problem.n <= SHORT_ROW
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
            reduce_rows(problem, first, first + group.count, scoring.lse, NULL)
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
    fold_over(&columns, group.first, group.count, FAST, NULL, states)
    return True


cdef void know_short(const Problem *problem, const Group *group, Known *known) noexcept nogil:
    # Short rows side by side, as log_softmax has them.
    cdef Tile tile
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef States states = states_of(&known.room)
    cdef Py_ssize_t width = beside(problem, group, &tile), k
    kernels.peak(&tile.terms, problem.n, width, LOG_SOFTMAX, states.shift, states.low)
    take_peaks(width, known)
    kernels.sum(&tile.terms, problem.n, width, LOG_SOFTMAX, known.peak, True, False, &states)
    if settle_sums(problem, width, LOG_SOFTMAX, False, known):
        kernels.sum(&tile.terms, problem.n, width, LOG_SOFTMAX, known.peak, True, True, &states)
        settle_sums(problem, width, LOG_SOFTMAX, True, known)
    for k in range(group.count):
        known.undefined[k] = is_strange(known, k) and is_undefined(problem, row_of(group, k), LOG_SOFTMAX)


cdef inline Py_ssize_t beside(const Problem *problem, const Group *group, Tile *tile) noexcept nogil:
    # The terms of short rows as columns, gathered or as they lie; how many these are.
    cdef Problem columns
    cdef Py_ssize_t width = max(group.count, kernels_of(problem.bits).lanes)
    if are_columns(problem, group, &columns):
        panel_terms(&columns, group.first, 0, problem.n, NULL, &tile.terms)    # without weights nothing is gathered
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
    if not (kernels.map_block(&tile.terms, problem.n, width, SOFTMAX, True, shares, TILE)
            and kernels.map_block(&tile.terms, problem.n, width, LOG_SOFTMAX, True, logs, TILE)):
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
        know(sight.problem, sight.row, 1, LOG_SOFTMAX, sight.job, sight.known)
        find_undefined(sight.problem, sight.row, 1, LOG_SOFTMAX, sight.known)


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
        row_terms(problem, sight.row, start, count, &buffers, &terms)
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
        peaks += drop_peaks(problem, sight.row, start, count, peak, &buffers, &terms)
        second = max(second, peak_of_keys(problem, terms.a, count))
        start += length
    counts = second > peak - 200    # else the sum says only whether there is a NaN
    known.peak[0] = second if counts else peak
    known.peak[TILE] = 0
    start = 0
    while start < problem.n:
        count = min(length, problem.n - start)
        if first <= start <= last:
            drop_peaks(problem, sight.row, start, count, peak, &buffers, &terms)
        else:
            row_terms(problem, sight.row, start, count, &buffers, &terms)
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


cdef Py_ssize_t drop_peaks(const Problem *problem, Row row, Py_ssize_t start, Py_ssize_t count, double peak,
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
        fold_over(problem, sight.row, 1, FAST, sight.job, sight.fast)
    if scoring.search:
        find_largest(problem, sight.row, scoring.k, ids, values)
    log_shares(sight, scoring.k, ids, values)
    if ranks != NULL and folds:
        count_before(problem, sight.row, scoring.k, ids, values, scoring.only_first, ranks)
    elif ranks != NULL:
        for k in range(scoring.k):
            ranks[k] = -1
    if sight.fast != NULL and scoring.lse != NULL:
        own = states_of(&room)    # with room behind it, for neighbours are other columns' states
        copy_state(&own, 0, sight.fast, 0)
        finish_columns(problem, sight.row, 1, FAST, &own, sight.job, scoring.lse, NULL)


cdef inline bint element_at(const Problem *problem, Row row, Py_ssize_t k, double *x) noexcept nogil:
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
            if ids[start + k] >= 0 and element_at(problem, sight.row, ids[start + k], x + k):
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


cdef const void *keys_of(const Problem *problem, Row row, Py_ssize_t start, Py_ssize_t count, double sign,
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


cdef void count_before(const Problem *problem, Row row, Py_ssize_t many, const int64_t *ids, const double *values,
                       bint only_first, int64_t *ranks) noexcept nogil:
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


cdef void find_largest(const Problem *problem, Row row, Py_ssize_t many, int64_t *ids, double *kept) noexcept nogil:
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
        x = keys_of(problem, sight.row, start, count, 1, &buffers)
        if other != NULL:
            row_terms(other, row, start, count, &targets, &terms)
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

cdef bint know_shares(const Problem *problem, Row row, Job *job, Known *logs, Known *shares) noexcept nogil:
    # Of softmax and of log_softmax.  False for a row of which the first is undefined.
    cdef States states = states_of(&logs.room)
    cdef Look look = look_for(LOG_SOFTMAX, logs)
    if problem.n <= SHORT_ROW:    # whose sums are of two kinds
        know(problem, row, 1, SOFTMAX, job, shares)
        know(problem, row, 1, LOG_SOFTMAX, job, logs)
        return not is_strange(logs, 0)
    look.phase = PEAK
    look_over(problem, row, 1, &look, job, &states)
    take_peaks(1, logs)
    look.phase = SUM
    look_over(problem, row, 1, &look, job, &states)
    shares[0] = logs[0]
    settle_sums(problem, 1, SOFTMAX, False, shares)
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
        if add_entropies_in_one(problem, sight.row, &total):
            scoring.totals[index] = total.high + total.low
        return
    if not know_shares(problem, sight.row, sight.job, &logs, &shares):
        return
    if scoring.summary == ENTROPY:
        add_entropies(problem, sight.row, &logs, &shares, &total)
        scoring.totals[index] = total.high + total.low
        return
    row = row_at(other, index)
    if not know_shares(other, row, helpers.other if helpers != NULL else NULL, &other_logs, &other_shares):
        return
    level.scale = problem.scale
    plus(logs.peak[0], -other_logs.peak[0], &level.peaks, &level.peaks_low)
    if problem.bits == 32:    # in double the products with `scale` are rounded, so the peaks must be
        level.peaks_low += logs.peak[TILE] - other_logs.peak[TILE]
    level.sums = (logs.first[0] - other_logs.first[0]) + (logs.second[0] - other_logs.second[0])
    add_divergences(problem, other, sight.row, row, &shares, NULL, &level, &total, &size)
    if fabs(total.high) < 0.25 * size.high:    # they cancel
        total.high = total.low = 0
        add_divergences(problem, other, sight.row, row, &shares, &other_shares, &level, &total, &size)
    scoring.totals[index] = total.high + total.low


cdef bint add_entropies_in_one(const Problem *problem, Row row, Pair *total) noexcept nogil:
    # Of a row in one block.  False if it is special.
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Buffers buffers
    cdef Terms terms
    row_terms(problem, row, 0, problem.n, &buffers, &terms)
    if not (kernels.map_block(&terms, problem.n, 0, SOFTMAX, False, buffers.out, 0)
            and kernels.map_block(&terms, problem.n, 0, LOG_SOFTMAX, False, buffers.b, 0)):
        return False
    if problem.bits == 64:
        add_products(<const double *> buffers.out, <const double *> buffers.b, problem.n, total)
    else:
        add_products(<const float *> buffers.out, <const float *> buffers.b, problem.n, total)
    return True


cdef void add_entropies(const Problem *problem, Row row, const Known *logs, const Known *shares,
                        Pair *total) noexcept nogil:
    cdef Buffers buffers
    cdef Terms terms
    cdef Py_ssize_t length = block_length(problem.bits), start = 0, count
    while start < problem.n:
        count = min(length, problem.n - start)
        row_terms(problem, row, start, count, &buffers, &terms)
        write_block(problem, &terms, count, SOFTMAX, shares, buffers.out)
        write_block(problem, &terms, count, LOG_SOFTMAX, logs, buffers.b)
        if problem.bits == 64:
            add_products(<const double *> buffers.out, <const double *> buffers.b, count, total)
        else:
            add_products(<const float *> buffers.out, <const float *> buffers.b, count, total)
        start += length


cdef void add_divergences(const Problem *problem, const Problem *other, Row row, Row other_row, const Known *shares,
                          const Known *other_shares, const Level *level, Pair *total, Pair *size) noexcept nogil:
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
        write_block(problem, &terms, count, SOFTMAX, shares, buffers.out)
        if other_shares != NULL:
            write_block(other, &more, count, SOFTMAX, other_shares, others.out)
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
    cdef Job job
    cdef Py_ssize_t index, k = 0, wide
    cdef bint done = False
    find_group(written, first, end - first, &group)
    if helpers != NULL:
        map_over(written, group.first, 1, SOFTMAX, helpers.written, scoring.out)
    elif group.step_out == 1 and are_columns(written, &group, &columns):
        wide = map_width(&columns)
        while k < group.count:
            index = wide if group.count - k >= 2 * wide else group.count - k
            map_over(&columns, column_at(&columns, group.first, k), index, SOFTMAX, NULL, scoring.out)
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
            row_terms(other, row, start, count, &buffers, &terms)
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
