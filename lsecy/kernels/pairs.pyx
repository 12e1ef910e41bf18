# log(exp(x) + exp(y)) and log(exp(x) - exp(y)), element by element, in one text for every instruction
# set and element type.
#
# Both are larger + log(1 +- e), e = exp(smaller - larger) in [0, 1].  What rounding takes from the
# difference, from e and from 1 +- e is carried beside them, so that the logarithm keeps its digits
# where e is tiny or close to 1: there is one formula where Maechler (2012, "Accurately computing
# log(1 - exp(-|a|))") needs a choice between log1p and expm1.
#
# float32 is computed in double, where a coarse exponential (2^-36) and logarithm (2^-44) are enough.

from cpython.pycapsule cimport PyCapsule_New

from lsecy.kernels.elementary cimport double_power, log_coarse, log_pair, pair_power, two_sum
from lsecy.kernels.pairs_table cimport (
    LOG1MEXP, LOG1PEXP, LOGADDEXP, LOGSUBEXP, SIGNED_LOGSUBEXP, Operation, PairKernels)
from lsecy.kernels.simd cimport *

cdef extern from "math.h" nogil:
    const double INFINITY
    const double NAN

cdef enum:
    LANES_BOUND = 16    # bound of DLANES


cdef inline void ratio(dvec smaller, dvec larger, bint coarse, dvec *high, dvec *low) noexcept nogil:
    # exp(smaller - larger) = high + low, from 1 down to the subnormal numbers.
    # bound  of the pair: 2^-55 relative; coarse 2^-36.  NaN gives NaN, a difference of -inf gives 0.
    cdef dvec difference, lost, p, q, z, k
    # exp of this is 0 when rounded to the element type, and the power of two remains in range.
    cdef dvec least = dsplat(-120 if REAL_BITS == 32 else -800)
    two_sum(smaller, dsplat(0) - larger, &difference, &lost)
    lost = dpick(difference > least, lost, dsplat(0))
    difference = dat_least(difference, least)
    if coarse:
        double_power(difference, True, &p, &z, &k)
        high[0] = dterm_of_float(p, z, k)
        low[0] = dsplat(0)
        return
    pair_power(difference, lost, &p, &q, &z, &k)
    # By way of a larger power, because the power itself may be subnormal.
    z = z + dsplat(512)
    k = k + dsplat(512)
    high[0] = dterm_in_range(p, z, k) * dsplat(7.458340731200207e-155)
    low[0] = dterm_in_range(q, z, k) * dsplat(7.458340731200207e-155)


cdef inline dvec log_beside(dvec high, dvec low, dvec shift, bint vanishing) noexcept nogil:
    # shift + log(1 + high + low), -1 <= high <= 1; `vanishing`: 1 + high + low may be close to 0.
    # bound  0.8 ulp of the sum, or 2^-55 of its largest part where they cancel.
    cdef divec tiny
    cdef dvec square
    cdef dvec total = dsplat(1) + high
    cdef dvec rest = (high - (total - dsplat(1))) + low
    cdef dvec sum = total
    if vanishing:
        total = sum + rest
        rest = (sum - total) + rest
    if REAL_BITS == 32:
        # Where rest counts beside log(total), total is 1; elsewhere it is below float32's digits.
        return shift + (log_coarse(total, dsplat(0)) + rest)
    # A `rest` that is as large as total - 1 wants more of the series than log_pair gives it.
    tiny = dmagnitude(high) < dsplat(9.313225746154785e-10)    # 2^-30
    square = (high * high) * dsplat(0.5)
    total = dpick(tiny, dsplat(1), total)
    rest = dpick(tiny, high + (low - square), rest)
    if vanishing:
        # log_pair wants a normal number.  Such a total comes from x and y that are small beside 64 ln2.
        tiny = total < dsplat(1e-300)
        total = dpick(tiny, total * dsplat(18446744073709551616.0), total)    # 2^64
        rest = dpick(tiny, rest * dsplat(18446744073709551616.0), rest)
        shift = dpick(tiny, shift - dsplat(44.3614195558365), shift)
    return log_pair(total, rest, shift)


cdef inline dvec finite_or(dvec result, dvec smaller, dvec larger) noexcept nogil:
    # An infinite term decides alone, unless the other is NaN.
    return dpick(larger - larger == dsplat(0), result, dpick(smaller == smaller, larger, smaller))


cdef inline dvec log_sum(dvec x, dvec y) noexcept nogil:
    # log(exp(x) + exp(y))
    # bound  1 ulp (tests/bounds.py); where larger and logarithm cancel, 1 eps beside the largest part.
    cdef dvec high, low
    cdef dvec larger = dpick(x > y, x, y)
    cdef dvec smaller = dpick(x > y, y, x)
    ratio(smaller, larger, REAL_BITS == 32, &high, &low)
    return finite_or(log_beside(high, low, larger, False), smaller, larger)


cdef inline dvec log_difference(dvec x, dvec y) noexcept nogil:
    # log|exp(x) - exp(y)|; -inf for equal x and y, NaN where both are inf.
    # bound  as log_sum.
    cdef dvec high, low, result
    cdef dvec larger = dpick(x > y, x, y)
    cdef dvec smaller = dpick(x > y, y, x)
    # Never coarse: 1 - e keeps its digits for e next to 1 only if e has more than double.
    ratio(smaller, larger, False, &high, &low)
    result = log_beside(dsplat(0) - high, dsplat(0) - low, larger, True)
    return dpick(x == y, larger - dsplat(INFINITY), finite_or(result, smaller, larger))


cdef inline dvec value_of(Operation operation, dvec x, dvec y, dvec *sign) noexcept nogil:
    cdef dvec value
    if operation == LOGADDEXP or operation == LOG1PEXP:
        return log_sum(x, y)
    value = log_difference(x, y)
    if operation == SIGNED_LOGSUBEXP:
        sign[0] = dpick(x > y, dsplat(1), dpick(x < y, dsplat(-1), dsplat(0)))
        sign[0] = dpick(value == value, sign[0], value)
        return value
    value = dpick(x < y, dsplat(NAN), value)
    # log(1 - e) is negative for every e, 0 for e = 0 is its limit from below.
    return dmagnitude(value) * dsplat(-1) if operation == LOG1MEXP else value


cdef inline void store_double(real *p, dvec x) noexcept nogil:
    cdef Py_ssize_t i
    if REAL_BITS == 64:
        dstore(<double *> p, x)
        return
    for i in range(DLANES):
        p[i] = <real> dlane(x, i)


cdef inline void step(Operation operation, const real *x1, const real *x2, real *out, real *sign) noexcept nogil:
    cdef dvec signs = dsplat(0)
    cdef dvec x = load_double(x1)
    cdef dvec values
    if operation == LOG1MEXP or operation == LOG1PEXP:
        values = value_of(operation, dsplat(0), x, &signs)
    else:
        values = value_of(operation, x, load_double(x2), &signs)
    store_double(out, values)
    if operation == SIGNED_LOGSUBEXP:
        store_double(sign, signs)


cdef inline void each(Operation operation, const void *x1, const void *x2, Py_ssize_t n, void *out,
                      void *sign) noexcept nogil:
    cdef const real *x = <const real *> x1
    cdef const real *y = <const real *> x2
    cdef real *target = <real *> out
    cdef real *signs = <real *> sign
    # The last elements, too few for a vector, go through vectors of zeros: two inputs, two outputs.
    cdef real edge[4][LANES_BOUND]
    cdef Py_ssize_t i = 0, k
    cdef bint two = operation != LOG1MEXP and operation != LOG1PEXP
    while i + DLANES <= n:
        step(operation, x + i, y + i, target + i, signs + i)
        i += DLANES
    if i == n:
        return
    for k in range(DLANES):
        edge[0][k] = x[i + k] if i + k < n else 0
        edge[1][k] = y[i + k] if two and i + k < n else 0
    step(operation, edge[0], edge[1], edge[2], edge[3])
    for k in range(n - i):
        target[i + k] = edge[2][k]
        if operation == SIGNED_LOGSUBEXP:
            signs[i + k] = edge[3][k]


# --- the table --------------------------------------------------------------------------------------------

cdef void logaddexp(const void *x1, const void *x2, Py_ssize_t n, void *out, void *sign) noexcept nogil:
    each(LOGADDEXP, x1, x2, n, out, sign)


cdef void logsubexp(const void *x1, const void *x2, Py_ssize_t n, void *out, void *sign) noexcept nogil:
    each(LOGSUBEXP, x1, x2, n, out, sign)


cdef void signed_logsubexp(const void *x1, const void *x2, Py_ssize_t n, void *out, void *sign) noexcept nogil:
    each(SIGNED_LOGSUBEXP, x1, x2, n, out, sign)


cdef void log1mexp(const void *x1, const void *x2, Py_ssize_t n, void *out, void *sign) noexcept nogil:
    each(LOG1MEXP, x1, x2, n, out, sign)


cdef void log1pexp(const void *x1, const void *x2, Py_ssize_t n, void *out, void *sign) noexcept nogil:
    each(LOG1PEXP, x1, x2, n, out, sign)


cdef PairKernels kernels
kernels.functions[<int> LOGADDEXP] = logaddexp
kernels.functions[<int> LOGSUBEXP] = logsubexp
kernels.functions[<int> SIGNED_LOGSUBEXP] = signed_logsubexp
kernels.functions[<int> LOG1MEXP] = log1mexp
kernels.functions[<int> LOG1PEXP] = log1pexp
table = PyCapsule_New(&kernels, "lsecy.kernels.pairs", NULL)
