# cython: boundscheck=False, wraparound=False, cdivision=True
"""The path without kernels: complex64, complex128, longdouble and clongdouble by the functions of the C library.

One thread, one element after the other, and no temporaries; complex64 is computed in complex128.
Complex numbers are pairs of reals here, and real numbers pairs whose second is 0.

    t = scale * a + logb     the exponent
    z = b * exp(t - shift)   a term; zero where it is not kept
    total = sum of z         the largest term stands apart from the rest, so that no digit of the rest is lost,
                             and imaginary parts are never subtracted before they are summed, so that a complex
                             step of 1e-200 survives
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY, NAN, isfinite, isinf, isnan
from lsecy._arguments cimport MOST_AXES, Axes, Call, Problem, plain_type
from lsecy.kernels.table cimport LOG_SOFTMAX, SOFTMAX, Map

cnp.import_array()

# Each is that of its argument's type.
cdef extern from "<tgmath.h>" nogil:
    long double atan2(long double, long double)
    long double copysign(long double, long double)
    long double cos(long double)
    long double exp(long double)
    long double fabs(long double)
    long double fma(long double, long double, long double)
    long double frexp(long double, int *)
    long double hypot(long double, long double)
    long double ldexp(long double, int)
    long double log(long double)
    long double log1p(long double)
    long double rint(long double)
    long double sin(long double)

cdef extern from *:
    """
    #define LSECY_LN2_HIGH (2977044471. / 4294967296)    /* 32 bits, and the rest of ln 2 */
    #define LSECY_LN2_LOW 1.90821492927058781614426568075500134360255254120680e-10L
    """
    const double LN2_HIGH "LSECY_LN2_HIGH"
    const long double LN2_LOW "LSECY_LN2_LOW"

cdef enum:
    FAR = 50000    # exp(-50000) is 0 beside the largest weight of any type

ctypedef fused real:
    double
    long double


cdef object reduced(Call asked, scale, bint mean, bint return_sign):
    """Return log(sum(b * exp(scale * a + logb))), or the logarithm of the weighted mean, with its sign if asked."""
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef int k
    cdef int ndim = len(asked.shape)
    cdef bint in_pairs = asked.kind.kind == "c"
    cdef int real_type = plain_type(asked.kind, False)
    cdef int type = plain_type(asked.kind, in_pairs)
    cdef bint is_long = real_type == cnp.NPY_LONGDOUBLE
    cdef long double factor = as_long_double(scale)
    cdef cnp.ndarray value
    cdef cnp.ndarray sign = None
    cdef void *values
    cdef void *signs = NULL
    for k in range(ndim):
        shape[k] = asked.shape[k]
    value = cnp.PyArray_EMPTY(ndim, shape, real_type if return_sign else type, 0)
    values = cnp.PyArray_DATA(value)
    if return_sign:
        sign = cnp.PyArray_EMPTY(ndim, shape, type, 0)
        signs = cnp.PyArray_DATA(sign)
    with nogil:
        if is_long:
            reduce_rows(&asked.problem, factor, mean, in_pairs, <long double *> values, <long double *> signs)
        else:
            reduce_rows(&asked.problem, <double> factor, mean, in_pairs, <double *> values, <double *> signs)
    return (narrowed(value, asked.kind), narrowed(sign, asked.kind)) if return_sign else narrowed(value, asked.kind)


cdef object mapped(Call asked, scale, Map map):
    """Return b * exp(scale * x + logb), divided by its sum, or the logarithm; 0 or -inf where not kept."""
    cdef bint in_pairs = asked.kind.kind == "c"
    cdef bint is_long = plain_type(asked.kind, False) == cnp.NPY_LONGDOUBLE
    cdef long double factor = as_long_double(scale)
    cdef void *result = cnp.PyArray_DATA(<cnp.ndarray> asked.target)
    with nogil:
        if is_long:
            map_rows(&asked.problem, factor, map, in_pairs, <long double *> result)
        else:
            map_rows(&asked.problem, <double> factor, map, in_pairs, <double *> result)
    return narrowed(asked.target, asked.kind)


cdef long double as_long_double(scale) except? -1:
    if type(scale) is float:
        return <double> scale
    return (<long double *> cnp.PyArray_DATA(<cnp.ndarray> np.array(scale, np.longdouble)))[0]


cdef object narrowed(cnp.ndarray array, kind):
    # What was computed for complex64 goes back to it, or to float32.
    if kind.char != "F":
        return array
    with np.errstate(all="ignore"):
        return array.astype(kind if array.dtype.kind == "c" else np.float32)


# --- rows -----------------------------------------------------------------------------------------------

# A place among elements that are gone through axis by axis; at the end it is where it started.
cdef struct Walk:
    const char *a
    const char *b
    const char *mask
    Py_ssize_t out               # in elements
    Py_ssize_t index[MOST_AXES]


cdef void start(Walk *walk, const Axes *axes, const char *a, const char *b, const char *mask,
                Py_ssize_t out) noexcept nogil:
    cdef int k
    walk.a = a
    walk.b = b
    walk.mask = mask
    walk.out = out
    for k in range(axes.count):
        walk.index[k] = 0


cdef inline void forward(Walk *walk, const Axes *axes) noexcept nogil:
    cdef int k
    cdef Py_ssize_t steps
    for k in range(axes.count - 1, -1, -1):
        steps = 1
        walk.index[k] += 1
        if walk.index[k] == axes.length[k]:
            walk.index[k] = 0
            steps -= axes.length[k]
        walk.a += steps * axes.a[k]
        walk.b += steps * axes.b[k]
        walk.mask += steps * axes.mask[k]
        walk.out += steps * axes.out[k]
        if steps == 1:
            return


cdef void reduce_rows(const Problem *problem, real scale, bint mean, bint in_pairs, real *values,
                      real *signs) noexcept nogil:
    # Without `signs`, complex values have an imaginary part, and real ones are NaN where the sum is negative.
    cdef Walk row
    cdef State state, whole
    cdef real value
    cdef real sign[2]
    cdef real divisor[2]
    start(&row, &problem.kept, problem.a.data, problem.b.data, problem.mask.data, 0)
    for _ in range(problem.rows):
        fold(problem, &row, scale, False, SOFTMAX, in_pairs, <real *> NULL, &state)
        unit(total_of(&state, sign), sign)
        if mean:
            fold(problem, &row, scale, True, SOFTMAX, in_pairs, <real *> NULL, &whole)
            value = (<real> state.shift - <real> whole.shift) + (<real> state.lead - <real> whole.lead)
            value += <real> state.growth - <real> whole.growth
            unit_of_divisor(total_of(&whole, divisor), divisor)
            times_conjugate(sign, divisor)
        else:
            value = <real> state.shift + <real> state.lead + <real> state.growth
        if isnan(value) or isnan(sign[0]) or isnan(sign[1]):
            value = sign[0] = sign[1] = NAN
        if signs != NULL:
            values[row.out] = value
            put(signs, row.out, in_pairs, sign[0], sign[1])
        elif in_pairs:
            put(values, row.out, True, value, angle_of(sign))
        else:
            values[row.out] = <real> NAN if sign[0] < 0 else value
        forward(&row, &problem.kept)


cdef void map_rows(const Problem *problem, real scale, Map map, bint in_pairs, real *result) noexcept nogil:
    cdef Walk row
    cdef State state
    start(&row, &problem.kept, problem.a.data, problem.b.data, problem.mask.data, 0)
    for _ in range(problem.rows):
        fold(problem, &row, scale, False, map, in_pairs, result, &state)
        if map == LOG_SOFTMAX:
            write_logarithms(problem, &row, scale, in_pairs, result, &state)
        else:
            write_shares(problem, &row, scale, in_pairs, result, &state)
        forward(&row, &problem.kept)


# --- the sum --------------------------------------------------------------------------------------------

# S = exp(shift + lead) * total / |head|, where the head is the largest term, and growth = log|total / head|.
# A long double holds a double as it is.
cdef struct State:
    long double shift        # real part of the largest term's exponent
    long double lead         # logarithm of its weight
    long double growth
    long double total[2]
    long double rest[2]      # the other terms, divided by the head
    long double greatest[2]  # exponent, as NumPy orders complex numbers
    Py_ssize_t top           # the largest term's place in the row
    bint finite              # it is neither zero, infinite nor NaN


cdef void fold(const Problem *problem, const Walk *row, real scale, bint whole, Map map, bint in_pairs, real *kept,
               State *state) noexcept nogil:
    # Leaves in `kept`, if it is there, what the map is made of: terms for softmax, for log_softmax their directions,
    # which are seen also where a term is too small.  `whole`: the sum of the weights alone.
    cdef Walk at
    cdef bint weighted = problem.b.data != NULL and not problem.logarithmic
    cdef int top_exponent = 0, exponent = 0
    cdef real t[2]
    cdef real b[2]
    cdef real mantissa[2]
    cdef real direction[2]
    cdef real z[2]
    cdef real head[2]
    cdef real rest[2]
    cdef real lost[2]
    cdef real greatest[2]
    cdef real size, factor, shift = 0, log_b = 0, lead = 0, peak = -INFINITY
    cdef Py_ssize_t i, top = 0
    greatest[0] = greatest[1] = head[0] = head[1] = rest[0] = rest[1] = lost[0] = lost[1] = 0
    mantissa[0], mantissa[1] = 1, 0
    start(&at, &problem.reduced, row.a, row.b, row.mask, row.out)
    for i in range(problem.n):
        look(problem, &at, scale, whole, t, b)
        if weighted:
            log_b = log_abs(b)
        size = t[0] + log_b + 0 * t[1]    # NaN where any part is, which counts as the largest
        if i == 0 or size > peak or (isnan(size) and not isnan(peak)):
            peak, shift, lead, top = size, t[0], log_b, i
            if weighted:
                top_exponent = split(b, mantissa)
        if i == 0 or not (isnan(greatest[0]) or isnan(greatest[1]) or greatest[0] > t[0]
                          or (greatest[0] == t[0] and greatest[1] >= t[1])):
            greatest[0], greatest[1] = t[0], t[1]
        forward(&at, &problem.reduced)
    state.finite = isfinite(peak)
    if not state.finite:
        shift = lead = 0

    for i in range(problem.n):
        look(problem, &at, scale, whole, t, b)
        if weighted:
            exponent = split(b, mantissa)
        turn(mantissa, t[1], direction)
        if state.finite:
            factor = exp_of_difference(t[0], shift, exponent - top_exponent)
            z[0], z[1] = factor * direction[0], factor * direction[1]
        else:
            if weighted:
                log_b = log_abs(b)
            infinite(direction, t[0] + log_b + 0 * t[1], z)
        if i == top:
            head[0], head[1] = z[0], z[1]
        else:
            add(&rest[0], &lost[0], z[0])
            add(&rest[1], &lost[1], z[1])
        if kept != NULL and map == SOFTMAX:
            put(kept, at.out, in_pairs, z[0], z[1])
        elif kept != NULL:
            put(kept, at.out, in_pairs, direction[0], direction[1])
        forward(&at, &problem.reduced)
    for i in range(2):
        if not isnan(lost[i]):    # NaN beside infinity
            rest[i] += lost[i]
    finish(head, rest, state)
    state.shift, state.lead, state.top = shift, lead, top
    state.greatest[0], state.greatest[1] = greatest[0], greatest[1]


cdef void finish(real *head, real *rest, State *state) noexcept nogil:
    cdef real total[2]
    cdef real growth
    total[0], total[1] = head[0] + rest[0], head[1] + rest[1]
    growth = log(hypot(total[0], total[1]) / (hypot(head[0], head[1]) if state.finite else <real> 1))
    if state.finite:
        divide(rest, head)
    else:
        rest[0] = rest[1] = NAN
    if hypot(rest[0], rest[1]) < 0.5:
        growth = log1p(rest[0] * (2 + rest[0]) + rest[1] * rest[1]) / 2    # log|1 + rest|
    state.growth = growth
    state.total[0], state.total[1] = total[0], total[1]
    state.rest[0], state.rest[1] = rest[0], rest[1]


cdef inline void add(real *total, real *lost, real x) noexcept nogil:
    # Knuth's sum of two, and what its rounding loses.
    cdef real sum = total[0] + x
    cdef real added = sum - total[0]
    lost[0] += (total[0] - (sum - added)) + (x - added)
    total[0] = sum


cdef inline void infinite(real *direction, real size, real *z) noexcept nogil:
    # A term of a row whose largest is not finite.
    cdef int k
    for k in range(2):
        z[k] = NAN if isnan(size) else 0
        if size == INFINITY and direction[k] != 0:
            z[k] = direction[k] * <real> INFINITY


cdef inline real exp_of_difference(real x, real y, int exponent) noexcept nogil:
    # exp(x - y) * 2^exponent without overflow on the way, and with what the difference rounds away:
    #     d + lost = x - y,   d = k ln2 + r,   exp(r + lost) * 2^(k + exponent)
    cdef real d = x - y
    cdef real lost = (x - (d - (d - x))) - (y + (d - x))
    cdef real k = rint(d / <real> (LN2_HIGH + LN2_LOW))
    if not d > -FAR:
        return 0
    return ldexp(exp((d - k * LN2_HIGH) - k * <real> LN2_LOW + lost), <int> k + exponent)


# --- shares ---------------------------------------------------------------------------------------------

cdef void write_shares(const Problem *problem, const Walk *row, real scale, bint in_pairs, real *result,
                       const State *state) noexcept nogil:
    cdef Walk at
    cdef real t[2]
    cdef real b[2]
    cdef real share[2]
    cdef real divisor[2]
    cdef real total[2]
    cdef Py_ssize_t i
    cdef bint vanishes
    total_of(state, total)
    vanishes = is_zero(total)
    start(&at, &problem.reduced, row.a, row.b, row.mask, row.out)
    for i in range(problem.n):
        get(result, at.out, in_pairs, share)
        divisor[0], divisor[1] = total[0], total[1]
        if not look(problem, &at, scale, False, t, b):
            share[0] = share[1] = 0
        elif not state.finite:
            share[0] = share[1] = NAN
        else:
            if i == state.top and not vanishes:
                share[0], share[1] = 1, 0
                divisor[0], divisor[1] = 1 + <real> state.rest[0], <real> state.rest[1]
            divide(share, divisor)
        put(result, at.out, in_pairs, share[0], share[1])
        forward(&at, &problem.reduced)


cdef void write_logarithms(const Problem *problem, const Walk *row, real scale, bint in_pairs, real *result,
                           const State *state) noexcept nogil:
    # The head's angle is that of 1 / (1 + rest).  Like SciPy's, angles are not wrapped: they are those of
    # exp(t - greatest) less that of their sum.
    cdef Walk at
    cdef bint weighted = problem.b.data != NULL and not problem.logarithmic
    cdef real t[2]
    cdef real b[2]
    cdef real direction[2]
    cdef real total[2]
    cdef real divisor[2]
    cdef real value, angle, angle_of_sum, turns
    cdef real log_b = 0, angle_of_b = 0
    cdef real shift = state.shift, lead = state.lead, growth = state.growth, greatest = state.greatest[1]
    cdef real whole_turn = 2 * pi(shift)
    cdef Py_ssize_t i
    unit_of_divisor(total_of(state, total), divisor)
    turn(total, -greatest, total)
    angle_of_sum = angle_of(total)
    start(&at, &problem.reduced, row.a, row.b, row.mask, row.out)
    for i in range(problem.n):
        get(result, at.out, in_pairs, direction)
        if not look(problem, &at, scale, False, t, b):
            put(result, at.out, in_pairs, <real> -INFINITY, <real> 0)
            forward(&at, &problem.reduced)
            continue
        if weighted:
            log_b, angle_of_b = log_abs(b), atan2(b[1], b[0])
        value = (t[0] - shift) + (log_b - lead) - growth
        times_conjugate(direction, divisor)
        if in_pairs:
            if i == state.top and state.finite:
                direction[0], direction[1] = 1 + <real> state.rest[0], 0 - <real> state.rest[1]
            angle = angle_of(direction)
            turns = rint((t[1] - greatest - angle_of_sum + angle_of_b - angle) / whole_turn)
            put(result, at.out, True, value, angle + turns * whole_turn if isfinite(turns) else angle)
        else:
            result[at.out] = <real> NAN if direction[0] < 0 and value > -INFINITY else value
        forward(&at, &problem.reduced)


# --- elements -------------------------------------------------------------------------------------------

cdef inline bint look(const Problem *problem, const Walk *at, real scale, bint whole, real *t,
                      real *b) noexcept nogil:
    # Exponent and weight, or false: what is not kept becomes an exponent of -inf with weight 1, which is nothing.
    cdef real logb[2]
    b[0], b[1] = 1, 0
    logb[0] = logb[1] = 0
    if problem.b.data != NULL:
        get(<real *> at.b, 0, is_pair(problem.b.type), &logb[0] if problem.logarithmic else b)
    if (problem.mask.data != NULL and not at.mask[0]) or is_zero(b) or logb[0] == -INFINITY:
        t[0], t[1] = -INFINITY, 0
        b[0], b[1] = 1, 0
        return False
    t[0] = t[1] = 0
    if not whole:
        get(<real *> at.a, 0, is_pair(problem.a.type), t)
        t[0] *= scale    # part by part: a complex product makes NaN of infinities
        if is_pair(problem.a.type):
            t[1] *= scale
    t[0] += logb[0]
    t[1] += logb[1]
    if t[0] == -INFINITY:
        t[1] = 0    # exp is 0, whatever the phase
    return True


cdef inline bint is_pair(int type) noexcept nogil:
    return type == cnp.NPY_CDOUBLE or type == cnp.NPY_CLONGDOUBLE


cdef inline void get(real *array, Py_ssize_t place, bint in_pairs, real *z) noexcept nogil:
    z[0] = array[2 * place if in_pairs else place]
    z[1] = array[2 * place + 1] if in_pairs else 0


cdef inline void put(real *array, Py_ssize_t place, bint in_pairs, real x, real y) noexcept nogil:
    array[2 * place if in_pairs else place] = x
    if in_pairs:
        array[2 * place + 1] = y


cdef inline real *total_of(const State *state, real *total) noexcept nogil:
    total[0], total[1] = state.total[0], state.total[1]
    return total


# --- complex numbers from real pieces -------------------------------------------------------------------

cdef inline bint is_zero(real *z) noexcept nogil:
    return z[0] == 0 and z[1] == 0


cdef inline void turn(real *z, real angle, real *result) noexcept nogil:
    # z * exp(i angle)
    cdef real x = z[0], y = z[1], c = 1, s = angle
    if angle != 0:
        c, s = cos(angle), sin(angle)
    result[0] = x * c - y * s
    result[1] = x * s + y * c


cdef void times_conjugate(real *z, real *other) noexcept nogil:
    cdef real x = z[0]
    z[0] = x * other[0] + z[1] * other[1]
    z[1] = z[1] * other[0] - x * other[1]


cdef void divide(real *z, real *divisor) noexcept nogil:
    # Smith's way; by zero it answers as NumPy does.
    cdef real x = z[0], y = z[1], ratio, whole
    if is_zero(divisor):
        z[0], z[1] = x / fabs(divisor[0]), y / fabs(divisor[0])
    elif fabs(divisor[0]) >= fabs(divisor[1]):
        ratio = divisor[1] / divisor[0]
        whole = divisor[0] + divisor[1] * ratio
        z[0], z[1] = (x + y * ratio) / whole, (y - x * ratio) / whole
    else:
        ratio = divisor[0] / divisor[1]
        whole = divisor[1] + divisor[0] * ratio
        z[0], z[1] = (x * ratio + y) / whole, (y * ratio - x) / whole


cdef int split(real *z, real *mantissa) noexcept nogil:
    # z = mantissa * 2^exponent; an infinite part leaves only its direction.
    cdef int exponent = 0, k
    cdef real size = fabs(z[0])
    if isinf(z[0]) or isinf(z[1]):
        for k in range(2):
            mantissa[k] = z[k] if isnan(z[k]) else <real> copysign(<real> (1 if isinf(z[k]) else 0), z[k])
        return 0
    if z[1] == 0:
        mantissa[0], mantissa[1] = frexp(z[0], &exponent), z[1]
        return exponent
    if fabs(z[1]) > size:
        size = fabs(z[1])
    if isnan(size):
        size = 1
    frexp(size, &exponent)
    mantissa[0], mantissa[1] = ldexp(z[0], -exponent), ldexp(z[1], -exponent)
    return exponent


cdef void unit(real *z, real *result) noexcept nogil:
    # z / |z|, or 0; it may be written over z.
    cdef real size
    split(z, result)
    size = hypot(result[0], result[1])
    if size != 0:
        result[0], result[1] = result[0] / size, result[1] / size


cdef void unit_of_divisor(real *z, real *result) noexcept nogil:
    # A sum that cancels divides as +0 does.
    if is_zero(z):
        result[0], result[1] = 1, 0
    else:
        unit(z, result)


cdef real log_abs(real *z) noexcept nogil:
    # Near |z| = 1, where the logarithm vanishes, from x^2 + y^2 - 1 with what its roundings lose.
    cdef real size, x, y, square, other, less, lost
    if z[1] == 0:
        return log(fabs(z[0]))
    size = hypot(z[0], z[1])
    if not 0.5 < size < 2:
        return log(size)
    x, y = fabs(z[0]), fabs(z[1])
    if x < y:
        x, y = y, x
    square, other = x * x, y * y
    less = square - 1
    lost = (square - (less + 1)) + <real> fma(x, x, -square) + <real> fma(y, y, -other)
    return log1p((less + other) + lost) / 2


cdef real angle_of(real *z) noexcept nogil:
    # In (-pi, pi], and 0 for any zero.
    cdef real angle = atan2(z[1], z[0])
    if is_zero(z):
        return 0
    return -angle if angle == -pi(angle) else angle


cdef inline real pi(real x) noexcept nogil:
    # `x` only names the type.
    return atan2(<real> 0, <real> -1)
