# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How the work is shared out: blocks, threads, the order of merging, the kernels of this CPU.

A row of n elements is cut into blocks, and blocks into at most MOST_TASKS tasks, by n alone.  The
states of a task's blocks are merged in order, then those of the tasks: so a row's bits depend
neither on the threads nor on where the row lies.  Every row ends in `finish_rows`, which looks
again, with pairs of doubles, at the rare row whose answer would lose digits otherwise.
"""

from cython.parallel cimport prange
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, exp, fabs
from libc.stdlib cimport free, malloc

from lsecy._arguments cimport MOST_AXES, Axes, Operand, Problem
from lsecy._convert cimport convert
from lsecy._threads cimport plan
from lsecy.kernels.table cimport BLOCK_BYTES, BLOCK_DOUBLES, EXACT, FAST, SHORT, SHORT_ROW, TILE, Care, Kernels, States

cdef extern from "_atomic.h" nogil:
    Py_ssize_t lsecy_take(Py_ssize_t *counter)

cdef extern from "kernels/cpu.h" nogil:
    const char *lsecy_cpu_lacks(const char *isa)

cdef enum:
    MOST_TASKS = 256       # bounds the states of a long row, and of a panel of long columns: 512 KB
    MOST_THREADS = 256
    MOST_ALONE = 64        # fewer rows or panels than this share out their tasks instead
    ITEM_WORK = 16384      # elements of short rows that one thread takes at a time

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


cdef inline void merge(const States *into, Py_ssize_t place, const States *source,
                       Py_ssize_t other) noexcept nogil:
    # (s, t) + (s', t') = (s, t + t' exp(s' - s)) for s >= s'.  The identity is (-inf, 0); a state
    # of infinite or NaN terms has shift +inf, so that it outweighs all others, and equal infinities
    # are never subtracted.
    cdef double scale, high, low, total, t, y
    if source.shift[other] > into.shift[place]:
        scale = exp(into.shift[place] - source.shift[other])
        into.shift[place] = source.shift[other]
        into.high[place] *= scale
        into.low[place] *= scale
        into.rest[place] *= scale
        into.size[place] *= scale
    scale = 1 if source.shift[other] == into.shift[place] else exp(source.shift[other] - into.shift[place])
    y = source.high[other] * scale
    high = into.high[place] + y
    if into.shift[place] == INFINITY:
        into.high[place] = high
        return
    t = high - into.high[place]
    y = ((into.high[place] - (high - t)) + (y - t)) + source.low[other] * scale
    low = into.low[place] + y
    t = low - into.low[place]
    into.rest[place] += ((into.low[place] - (low - t)) + (y - t)) + source.rest[other] * scale
    total = high + low
    into.high[place] = total
    into.low[place] = (high - total) + low
    into.size[place] += source.size[other] * scale


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
    Py_ssize_t out


# What the threads of one call do: item k of a job is a panel, some rows, or a task of one row or panel.
cdef enum Kind:
    PANELS
    ROWS
    TASKS

cdef struct Job:
    Kind kind
    const Problem *problem
    void *out
    void *sign
    Py_ssize_t panels    # in a line of columns
    Py_ssize_t each      # ROWS: rows of an item
    Row row              # TASKS: whose tasks, how wide, and where their states go
    Py_ssize_t width
    Care care
    const States *tasks


cdef inline Row row_at(const Problem *problem, Py_ssize_t index) noexcept nogil:
    cdef const Axes *axes = &problem.kept
    cdef int k
    cdef Py_ssize_t rest
    cdef Row row
    row.a = problem.a.data
    row.b = problem.b.data
    row.out = 0
    for k in range(axes.count - 1, -1, -1):
        rest = index // axes.length[k]
        index -= rest * axes.length[k]
        row.a += index * axes.a[k]
        row.b += index * axes.b[k]
        row.out += index * axes.out[k]
        index = rest
    return row


cdef inline bint along_memory(const Problem *problem, const Operand *operand, const Py_ssize_t *strides) noexcept nogil:
    # Are a row's elements neighbours of the right type?
    if not operand.direct or problem.reduced.count > 1:
        return False
    return problem.reduced.count == 0 or strides[0] == problem.bits // 8


cdef void gather(const Problem *problem, const Operand *operand, const Py_ssize_t *strides,
                 const char *row, Py_ssize_t first, Py_ssize_t count, void *target,
                 Py_ssize_t target_step) noexcept nogil:
    # Elements first .. first + count of a row, in C order of the reduced axes, into a buffer.
    cdef const Axes *axes = &problem.reduced
    cdef Py_ssize_t index[MOST_AXES]
    cdef Py_ssize_t rest = first, run, length = 1, stride = 0
    cdef int k, last = axes.count - 1
    if last >= 0:
        length = axes.length[last]
        stride = strides[last]
    for k in range(last, -1, -1):
        index[k] = rest % axes.length[k]
        rest = rest // axes.length[k]
        row += index[k] * strides[k]
    rest = index[last] if last >= 0 else 0
    while count > 0:
        run = min(count, length - rest)
        if problem.bits == 64:
            convert(row, operand.type, operand.swapped, stride, <double *> target, target_step, run)
        else:
            convert(row, operand.type, operand.swapped, stride, <float *> target, target_step, run)
        target = <char *> target + run * target_step * (problem.bits // 8)
        count -= run
        if count == 0:
            return
        row -= rest * stride
        rest = 0
        for k in range(last - 1, -1, -1):
            index[k] += 1
            row += strides[k]
            if index[k] < axes.length[k]:
                break
            row -= axes.length[k] * strides[k]
            index[k] = 0


# --- rows ---------------------------------------------------------------------------------------------

cdef void fold_row_task(const Problem *problem, Row row, Py_ssize_t first, Py_ssize_t end, Care care,
                        const States *states) noexcept nogil:
    # Elements first .. end of a row, block by block.
    cdef double buffer_a[BLOCK_DOUBLES]
    cdef double buffer_b[BLOCK_DOUBLES]
    cdef Room spare
    cdef States block = states_of(&spare)
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t size = problem.bits // 8, length = block_length(problem.bits), start = first, count
    cdef const void *a
    cdef const void *b = NULL
    cdef bint straight_a = along_memory(problem, &problem.a, problem.reduced.a)
    cdef bint straight_b = along_memory(problem, &problem.b, problem.reduced.b)
    while start < end:
        count = min(length, end - start)
        if straight_a:
            a = row.a + start * size
        else:
            gather(problem, &problem.a, problem.reduced.a, row.a, start, count, buffer_a, 1)
            a = buffer_a
        if problem.b.data != NULL:
            if straight_b:
                b = row.b + start * size
            else:
                gather(problem, &problem.b, problem.reduced.b, row.b, start, count, buffer_b, 1)
                b = buffer_b
        if start == first:
            kernels.fold_row(a, b, count, care, states, 0)
        else:
            kernels.fold_row(a, b, count, care, &block, 0)
            merge(states, 0, &block, 0)
        start += length


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
    Py_ssize_t step_out
    Row rows[TILE]         # filled only where they do not


cdef inline void find_group(const Problem *problem, Py_ssize_t first, Py_ssize_t count, Group *group) noexcept nogil:
    cdef const Axes *axes = &problem.kept
    cdef int last = axes.count - 1
    cdef Py_ssize_t k
    group.count = count
    group.first = row_at(problem, first)
    group.step_a = group.step_b = group.step_out = 0
    if last >= 0:
        group.step_a = axes.a[last]
        group.step_b = axes.b[last]
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
                fold_whole(problem, row_of(group, k), 1, EXACT, &here)
                value[k] = finish_one(kernels, states, k, wanted + k if wanted != NULL else NULL)
    store_rows(problem, group, value, signs, out, sign)


cdef void reduce_rows(const Problem *problem, Py_ssize_t first, Py_ssize_t end,
                      void *out, void *sign) noexcept nogil:
    # Rows first .. end, up to TILE together.
    cdef Group group
    cdef Room room
    cdef States states = states_of(&room), here
    cdef Care care = first_care(problem.n)
    cdef Py_ssize_t k
    while first < end:
        find_group(problem, first, min(TILE, end - first), &group)
        if care == SHORT and problem.b.data == NULL:
            reduce_short_rows(problem, &group, out, sign)
            first += group.count
            continue
        if care == SHORT and group.count >= 4:
            fold_tile(problem, &group, &states)
        else:
            for k in range(group.count):
                here = from_place(&states, k)
                fold_whole(problem, row_of(&group, k), 1, care, &here)
        finish_rows(problem, &group, care, &states, out, sign)
        first += group.count


cdef void reduce_short_rows(const Problem *problem, const Group *group, void *out, void *sign) noexcept nogil:
    # Without weights: up to TILE rows side by side, or a few one by one.
    cdef double tile[SHORT_ROW * TILE]
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef bint straight = along_memory(problem, &problem.a, problem.reduced.a)
    cdef Py_ssize_t width = max(group.count, kernels.lanes), k
    cdef Row row
    if group.count >= 4:
        gather_tile(problem, &problem.a, problem.reduced.a, group, False, width, tile)
        kernels.short_columns(tile, TILE, problem.n, width, value)
    else:
        for k in range(group.count):
            row = row_of(group, k)
            if not straight:
                gather(problem, &problem.a, problem.reduced.a, row.a, 0, problem.n, tile, 1)
            value[k] = kernels.short_row(row.a if straight else <const char *> tile, problem.n)
    if sign != NULL:
        signs_of(value, group.count, signs)
    store_rows(problem, group, value, signs, out, sign)


cdef inline void signs_of(const double *value, Py_ssize_t count, double *signs) noexcept nogil:
    # Of sums without weights: 0 for nothing, NaN for NaN, else 1.
    cdef Py_ssize_t k
    for k in range(count):
        signs[k] = 0 if value[k] == -INFINITY else (value[k] if value[k] != value[k] else 1)


cdef inline void store_rows(const Problem *problem, const Group *group, const double *value, const double *signs,
                            void *out, void *sign) noexcept nogil:
    cdef Py_ssize_t k
    cdef Row row
    if group.even:
        store(problem, out, group.first.out, group.step_out, value, group.count)
        store(problem, sign, group.first.out, group.step_out, signs, group.count)
        return
    for k in range(group.count):
        row = row_of(group, k)
        store(problem, out, row.out, 1, value + k, 1)
        store(problem, sign, row.out, 1, signs + k, 1)


cdef void fold_tile(const Problem *problem, const Group *group, const States *states) noexcept nogil:
    # Short weighted rows side by side: gathered so that lanes run across rows, then folded as columns.
    cdef double tile_a[SHORT_ROW * TILE]
    cdef double tile_b[SHORT_ROW * TILE]
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t width = max(group.count, kernels.lanes), n = problem.n
    gather_tile(problem, &problem.a, problem.reduced.a, group, False, width, tile_a)
    if group.even and group.step_b == 0:    # all rows have the same weights
        gather(problem, &problem.b, problem.reduced.b, group.first.b, 0, n, tile_b, 1)
        kernels.fold_columns(tile_a, TILE, tile_b, 1, 0, n, width, SHORT, states)
    else:
        gather_tile(problem, &problem.b, problem.reduced.b, group, True, width, tile_b)
        kernels.fold_columns(tile_a, TILE, tile_b, TILE, 1, n, width, SHORT, states)


cdef inline void gather_tile(const Problem *problem, const Operand *operand, const Py_ssize_t *strides,
                             const Group *group, bint weights, Py_ssize_t width, void *tile) noexcept nogil:
    cdef Py_ssize_t size = problem.bits // 8, k
    cdef Py_ssize_t step = group.step_b if weights else group.step_a
    cdef Row row
    if group.even and along_memory(problem, operand, strides) and step > 0 and step % size == 0:
        kernels_of(problem.bits).transpose(group.first.b if weights else group.first.a, step // size, problem.n,
                                           group.count, (group.count - 1) * (step // size) + problem.n, tile)
        return
    for k in range(width):    # columns beyond the last row repeat it: they only fill the vectors
        row = row_of(group, min(k, group.count - 1))
        gather(problem, operand, strides, row.b if weights else row.a, 0, problem.n, <char *> tile + k * size, TILE)


# --- columns --------------------------------------------------------------------------------------------

cdef void fold_panel_task(const Problem *problem, Row row, Py_ssize_t first, Py_ssize_t end, Py_ssize_t width,
                          Care care, const States *states) noexcept nogil:
    # Elements first .. end of `width` columns, block by block; a row is a panel of width 1.
    cdef double buffer_b[BLOCK_DOUBLES]
    cdef Room room
    cdef States block = states_of(&room)
    cdef const Kernels *kernels = kernels_of(problem.bits)
    cdef Py_ssize_t size = problem.bits // 8, length = block_length(problem.bits), start = first, count, k
    cdef Py_ssize_t stride_a = problem.reduced.a[0] if problem.reduced.count else 0
    cdef Py_ssize_t stride_b = problem.reduced.b[0] if problem.reduced.count else 0
    cdef Py_ssize_t step_b = stride_b // size
    cdef const void *b = NULL
    if problem.inner == 1:
        fold_row_task(problem, row, first, end, care, states)
        return
    while start < end:
        count = min(length, end - start)
        if problem.b.data != NULL:
            b = row.b + start * stride_b
            if not problem.b.direct:    # then all columns share one weight a row
                gather(problem, &problem.b, problem.reduced.b, row.b, start, count, buffer_b, 1)
                b = buffer_b
                step_b = 1
        kernels.fold_columns(row.a + start * stride_a, stride_a // size, b, step_b, problem.inner_b // size,
                             count, width, care, states if start == first else &block)
        if start != first:
            for k in range(width):
                merge(states, k, &block, k)
        start += length


cdef void fold_whole(const Problem *problem, Row row, Py_ssize_t width, Care care,
                     const States *states) noexcept nogil:
    # All tasks of a panel, or of a row, one after the other.
    cdef Room room
    cdef States task = states_of(&room)
    cdef Py_ssize_t length = task_length(problem.n, problem.bits), first = 0, k
    while first < problem.n:
        fold_panel_task(problem, row, first, min(problem.n, first + length), width, care,
                        states if first == 0 else &task)
        if first > 0:
            for k in range(width):
                merge(states, k, &task, k)
        first += length


cdef inline Row panel_at(const Problem *problem, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t *width) noexcept nogil:
    # Panels of TILE columns; the last of a line steps back so that none is narrower than it can be.
    cdef Row row = row_at(problem, panel // panels)
    cdef Py_ssize_t column = panel % panels * TILE
    width[0] = min(TILE, problem.inner)
    column = min(column, problem.inner - width[0])
    row.a += column * (problem.bits // 8)
    row.b += column * problem.inner_b
    row.out += column * problem.inner_out
    return row


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
        if job == NULL:
            fold_whole(problem, row, width, EXACT, &exact)
        else:
            fold_tasks(job, EXACT, &exact)
        for k in range(width):
            if lacks_digits(value[k], states, k, care, problem.bits):
                value[k] = finish_one(kernels, &exact, k, wanted + k if wanted != NULL else NULL)
    store(problem, out, row.out, problem.inner_out, value, width)
    store(problem, sign, row.out, problem.inner_out, signs, width)


cdef void reduce_panel(const Problem *problem, Py_ssize_t panel, Py_ssize_t panels,
                       void *out, void *sign) noexcept nogil:
    cdef Room room
    cdef States states = states_of(&room)
    cdef Care care = first_care(problem.n)
    cdef double value[TILE]
    cdef double signs[TILE]
    cdef Py_ssize_t width
    cdef Row row = panel_at(problem, panel, panels, &width)
    if care == SHORT and problem.b.data == NULL:
        kernels_of(problem.bits).short_columns(
            row.a, problem.reduced.a[0] // (problem.bits // 8) if problem.reduced.count else 0, problem.n, width, value)
        signs_of(value, width, signs)
        store(problem, out, row.out, problem.inner_out, value, width)
        store(problem, sign, row.out, problem.inner_out, signs, width)
        return
    fold_whole(problem, row, width, care, &states)
    finish_columns(problem, row, width, care, &states, NULL, out, sign)


# --- sharing out ----------------------------------------------------------------------------------------

cdef int reduce(const Problem *problem, void *out, void *sign) except -1:
    cdef Py_ssize_t work, k
    cdef double nothing = -INFINITY, zero = 0
    if problem.rows == 0:
        return 0
    if problem.n == 0:
        for k in range(problem.rows):
            store(problem, out, k, 1, &nothing, 1)
            store(problem, sign, k, 1, &zero, 1)
        return 0
    work = problem.n * problem.rows
    if work <= QUICK:
        return share_out(problem, work, out, sign)
    with nogil:
        k = share_out(problem, work, out, sign)
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
    if job.kind == PANELS:
        reduce_panel(problem, item, job.panels, job.out, job.sign)
    elif job.kind == ROWS:
        reduce_rows(problem, item * job.each, min(problem.rows, (item + 1) * job.each), job.out, job.sign)
    else:
        length = task_length(problem.n, problem.bits)
        fold_one_task(job, item, item * length, min(problem.n, (item + 1) * length))


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
    cdef Py_ssize_t item
    cdef int me
    if threads == 1:    # a parallel region of one thread costs 300 ns
        for item in range(count):
            do_item(job, item)
        return
    threads = min(threads, MOST_THREADS)
    for me in range(threads):
        shares[me].next = count * me // threads
        shares[me].end = count * (me + 1) // threads
    for me in prange(threads, schedule="static", num_threads=threads):
        do_share(job, shares, threads, me)


cdef int share_out(const Problem *problem, Py_ssize_t work, void *out, void *sign) noexcept nogil:
    cdef Py_ssize_t length = task_length(problem.n, problem.bits)
    cdef Py_ssize_t tasks = (problem.n + length - 1) // length, items
    cdef Job job
    job.problem = problem
    job.out = out
    job.sign = sign
    job.panels = (problem.inner + TILE - 1) // TILE
    items = problem.rows // problem.inner * job.panels
    if tasks > 1 and items < MOST_ALONE:
        return share_long(&job, items, tasks)
    if problem.inner > 1:
        job.kind = PANELS
    else:
        job.kind = ROWS
        job.each = max(1, ITEM_WORK // problem.n)
        if job.each > TILE:
            job.each = job.each // TILE * TILE
        items = (problem.rows + job.each - 1) // job.each
    do_job(&job, items, plan(work, items))
    return 0


cdef int share_long(Job *job, Py_ssize_t items, Py_ssize_t tasks) noexcept nogil:
    # Few rows or panels, of several tasks each: the tasks are shared out.
    cdef const Problem *problem = job.problem
    cdef Py_ssize_t room_each = tasks * min(TILE, problem.inner), item
    cdef Room room
    cdef States states = states_of(&room), task_states
    cdef double *memory = <double *> malloc(5 * room_each * sizeof(double))
    if memory == NULL:
        return -1
    task_states.shift = memory
    task_states.high = memory + room_each
    task_states.low = memory + 2 * room_each
    task_states.rest = memory + 3 * room_each
    task_states.size = memory + 4 * room_each
    job.kind = TASKS
    job.tasks = &task_states
    for item in range(items):
        job.row = panel_at(problem, item, job.panels, &job.width)
        fold_tasks(job, FAST, &states)
        finish_columns(problem, job.row, job.width, FAST, &states, job, job.out, job.sign)
    free(memory)
    return 0


cdef void fold_tasks(Job *job, Care care, const States *states) noexcept nogil:
    # All tasks of one row or panel, merged in order.
    cdef Py_ssize_t length = task_length(job.problem.n, job.problem.bits), task, k
    cdef Py_ssize_t count = (job.problem.n + length - 1) // length
    job.care = care
    do_job(job, count, plan(job.problem.n * job.width, count))
    for k in range(job.width):
        copy_state(states, k, job.tasks, k)
        for task in range(1, count):
            merge(states, k, job.tasks, task * job.width + k)


cdef void fold_one_task(const Job *job, Py_ssize_t task, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    # Folded on the thread's own stack: neighbouring states share cache lines with other threads.
    cdef Room room
    cdef States mine = states_of(&room)
    cdef Py_ssize_t k
    fold_panel_task(job.problem, job.row, first, end, job.width, job.care, &mine)
    for k in range(job.width):
        copy_state(job.tasks, task * job.width + k, &mine, k)


# --- one plain row ----------------------------------------------------------------------------------------

cdef double reduce_row(const void *a, Py_ssize_t n, int bits) noexcept nogil:
    # The whole of a small call.
    cdef const Kernels *kernels = kernels_of(bits)
    cdef Room room
    cdef States states = states_of(&room)
    cdef double value[8]
    cdef Problem problem    # filled only as far as a contiguous row needs it
    cdef Row row
    cdef Care care = first_care(n)
    cdef bint one_block = n <= block_length(bits)
    if n <= SHORT_ROW:
        return kernels.short_row(a, n)
    if one_block:
        kernels.fold_row(a, NULL, n, care, &states, 0)
    else:
        problem.bits = bits
        problem.a.direct = True
        problem.b.data = NULL
        problem.b.direct = False
        problem.reduced.count = 0
        problem.inner = 1
        problem.n = n
        row.a = <const char *> a
        row.b = NULL
        fold_whole(&problem, row, 1, care, &states)
    pad_states(&states, 1)
    if kernels.finish(&states, 1, near_zero(care, bits), cancelled(care, bits), value, NULL):
        if one_block:
            kernels.fold_row(a, NULL, n, EXACT, &states, 0)
        else:
            fold_whole(&problem, row, 1, EXACT, &states)
        kernels.finish(&states, 1, 0, 0, value, NULL)
    return value[0]
