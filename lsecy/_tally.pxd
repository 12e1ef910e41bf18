# Loops over a block of a row that is in cache: counts and sums, as plain as the compiler vectorises them.
# Sums are kept in EIGHT places, joined in one order, so that they do not depend on what a compiler makes of them.

from libc.math cimport expm1, fabs

cdef enum:
    EIGHT = 8
    STRIPE = 256

ctypedef fused Real:
    float
    double

# A sum and what rounding took from it.
cdef struct Pair:
    double high
    double low


cdef inline void add_to(Pair *pair, double x, double low) noexcept nogil:
    # Two-sum (Knuth, The Art of Computer Programming, volume 2, 4.2.2).
    cdef double total = pair.high + x
    cdef double back = total - pair.high
    if total - total == 0:
        pair.low += ((pair.high - (total - back)) + (x - back)) + low
    pair.high = total


cdef inline void add_eight(const double *terms, Py_ssize_t count, bint compensated, double *high,
                           double *low) noexcept nogil:
    # Term k to place k mod EIGHT.
    cdef Py_ssize_t i = 0
    cdef int j
    cdef double total, back
    while i + EIGHT <= count:
        if compensated:
            for j in range(EIGHT):
                total = high[j] + terms[i + j]
                back = total - high[j]
                low[j] = low[j] + ((high[j] - (total - back)) + (terms[i + j] - back))
                high[j] = total
        else:
            for j in range(EIGHT):
                high[j] = high[j] + terms[i + j]
        i += EIGHT
    for j in range(count - i):
        total = high[j] + terms[i + j]
        back = total - high[j]
        if compensated:
            low[j] = low[j] + ((high[j] - (total - back)) + (terms[i + j] - back))
        high[j] = total


cdef inline void join_eight(const double *high, const double *low, Pair *pair) noexcept nogil:
    cdef int j
    cdef double lost
    for j in range(EIGHT):
        lost = low[j] if low[j] - low[j] == 0 else 0    # beside an infinite sum
        add_to(pair, high[j], lost)


cdef inline Py_ssize_t count_above(const Real *keys, Py_ssize_t count, Real value) noexcept nogil:
    cdef int above = 0
    cdef Py_ssize_t k
    for k in range(count):
        above += keys[k] > value
    return above


cdef inline Py_ssize_t count_equal(const Real *keys, Py_ssize_t count, Real value) noexcept nogil:
    cdef int equal = 0
    cdef Py_ssize_t k
    for k in range(count):
        equal += keys[k] == value
    return equal


cdef inline Py_ssize_t drop_equal(const float *a, Py_ssize_t count, float value, float *out) noexcept nogil:
    # A copy with -inf in place of `value`; how often it is there.
    cdef Py_ssize_t k
    for k in range(count):
        out[k] = <float> -1e999 if a[k] == value else a[k]
    return count_equal(a, count, value)


cdef inline void make_keys(const Real *a, const char *kept, Py_ssize_t kept_inner, double sign, Py_ssize_t count,
                           Real *keys) noexcept nogil:
    # What orders elements: sign * a, the lowest for what is left out.
    cdef Py_ssize_t k
    for k in range(count):
        keys[k] = <Real> sign * a[k]
    if kept != NULL:
        for k in range(count):
            if kept[k * kept_inner] == 0:
                keys[k] = <Real> -1e999


cdef inline void wanted(const Real *target, const double *weight, double alpha, double beta, Py_ssize_t count,
                        double *u) noexcept nogil:
    # u = weight (alpha target + beta), of which either may be missing.
    cdef Py_ssize_t k
    if target != NULL:
        for k in range(count):
            u[k] = alpha * target[k] + beta
    else:
        for k in range(count):
            u[k] = beta
    if weight != NULL:
        for k in range(count):
            u[k] = u[k] * weight[k]


cdef inline void add_losses(const Real *x, const Real *target, const double *weight, double alpha, double beta,
                            double peak, Py_ssize_t count, Pair *losses, Pair *mass) noexcept nogil:
    # losses += sum of u (peak - x) over u != 0, mass += sum of u.
    cdef double u[STRIPE]
    cdef double terms[STRIPE]
    cdef double high[EIGHT]
    cdef double low[EIGHT]
    cdef double masses[EIGHT]
    cdef double less[EIGHT]
    cdef double distance
    cdef Py_ssize_t start = 0, length, k
    cdef int j
    for j in range(EIGHT):
        high[j] = low[j] = masses[j] = less[j] = 0
    if target == NULL and weight == NULL and Real is float:    # the same, without arrays of equal numbers
        while start + EIGHT <= count:
            for j in range(EIGHT):
                high[j] = high[j] + (peak - x[start + j])
            start += EIGHT
        for j in range(count - start):
            high[j] = high[j] + (peak - x[start + j])
        for j in range(EIGHT):
            high[j] = beta * high[j] if beta != 0 else 0
        join_eight(high, low, losses)
        add_to(mass, beta * count, 0)
        return
    while start < count:
        length = min(<Py_ssize_t> STRIPE, count - start)
        wanted(target + start if target != NULL else NULL, weight + start if weight != NULL else NULL, alpha, beta,
               length, u)
        for k in range(length):
            distance = peak - x[start + k]
            terms[k] = u[k] * (distance if u[k] != 0 else 0)
        add_eight(terms, length, Real is double, high, low)
        add_eight(u, length, Real is double, masses, less)
        start += length
    join_eight(high, low, losses)
    join_eight(masses, less, mass)


cdef inline void add_products(const Real *share, const Real *log_share, Py_ssize_t count, Pair *total) noexcept nogil:
    # total -= sum of p log p over p != 0.
    cdef double terms[STRIPE]
    cdef double high[EIGHT]
    cdef double low[EIGHT]
    cdef Py_ssize_t start = 0, length, k
    cdef double log_p, p
    cdef int j
    for j in range(EIGHT):
        high[j] = low[j] = 0
    while start < count:
        length = min(<Py_ssize_t> STRIPE, count - start)
        for k in range(length):
            p = share[start + k]
            log_p = log_share[start + k]
            terms[k] = -(p * (log_p if p != 0 else 0))
        add_eight(terms, length, Real is double, high, low)
        start += length
    join_eight(high, low, total)


cdef inline void add_product_columns(const Real *share, const Real *log_share, Py_ssize_t count,
                                     double *totals, double *lost) noexcept nogil:
    # totals[k] + lost[k] -= p log p over p != 0, for a row of columns.
    cdef Py_ssize_t k
    cdef double log_p, p, term, total, back
    for k in range(count):
        p = share[k]
        log_p = log_share[k]
        term = -(p * (log_p if p != 0 else 0))
        total = totals[k] + term
        back = total - totals[k]
        lost[k] = lost[k] + ((totals[k] - (total - back)) + (term - back))
        totals[k] = total


cdef inline void multiply(Real *out, const double *factors, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(count):
        out[k] = <Real> (factors[k] * out[k])


cdef inline void finish_gradient(Real *out, Py_ssize_t step, const Real *target, const double *weight, double alpha,
                                 double beta, double factor, double whole, Py_ssize_t count) noexcept nogil:
    # out = factor (whole out - u)
    cdef double u[STRIPE]
    cdef double scale = factor * whole
    cdef Py_ssize_t start = 0, length, k
    cdef bint plain = target == NULL and beta == 0
    cdef Real *place
    if plain and scale == 1:
        return
    while start < count:
        length = min(<Py_ssize_t> STRIPE, count - start)
        place = out + start * step
        if plain and step == 1:
            for k in range(length):
                place[k] = <Real> (scale * place[k])
        elif plain:
            for k in range(length):
                place[k * step] = <Real> (scale * place[k * step])
        else:
            wanted(target + start if target != NULL else NULL, weight + start if weight != NULL else NULL, alpha,
                   beta, length, u)
            for k in range(length):
                place[k * step] = <Real> (factor * (whole * place[k * step] - u[k]))
        start += length


# What turns the distance of two logits into log(p / q): the distance of the peaks, and of the sums beside them.
cdef struct Level:
    double scale
    double peaks
    double peaks_low
    double sums


cdef inline double log_ratio(Real x, Real y, const Level *level) noexcept nogil:
    # (scale x - scale y - peaks) - sums, the first differences with what rounding takes from them: the logits may
    # be huge, and the ratio of two that are nearly equal is small.
    cdef double one = level.scale * x
    cdef double two = level.scale * y
    cdef double distance = one - two
    cdef double back = distance - one
    cdef double lost = (one - (distance - back)) - (two + back)
    lost = lost if distance - distance == 0 else 0
    return ((distance - level.peaks) + (lost - level.peaks_low)) - level.sums


cdef inline void add_ratios(const Real *x, const Real *y, const Real *share, const Level *level, Py_ssize_t count,
                            Pair *total, Pair *size) noexcept nogil:
    # total += sum of p r, size += sum of p |r| over p != 0, where r = log(p / q).
    cdef double terms[STRIPE]
    cdef double sizes[STRIPE]
    cdef double high[EIGHT]
    cdef double low[EIGHT]
    cdef double wide[EIGHT]
    cdef double less[EIGHT]
    cdef Py_ssize_t start = 0, length, k
    cdef double r, p
    cdef int j
    for j in range(EIGHT):
        high[j] = low[j] = wide[j] = less[j] = 0
    while start < count:
        length = min(<Py_ssize_t> STRIPE, count - start)
        for k in range(length):
            p = share[start + k]
            r = log_ratio(x[start + k], y[start + k], level)
            terms[k] = p * (r if p != 0 else 0)
            sizes[k] = fabs(terms[k])
        add_eight(terms, length, Real is double, high, low)
        add_eight(sizes, length, False, wide, less)
        start += length
    join_eight(high, low, total)
    join_eight(wide, less, size)


cdef inline void add_excesses(const Real *x, const Real *y, const Real *share, const Real *other,
                              const Level *level, Py_ssize_t count, Pair *total) noexcept nogil:
    # total += sum of p (r + e^-r - 1), which is p r + q - p: none is negative, so nothing cancels.
    cdef Py_ssize_t k
    cdef double r, p
    for k in range(count):
        p = share[k]
        if p == 0:
            add_to(total, other[k], 0)
            continue
        r = log_ratio(x[k], y[k], level)
        add_to(total, p * (excess_near(r) if fabs(r) < 0.5 else r + expm1(-r)), 0)


cdef inline double excess_near(double r) noexcept nogil:
    # r + e^-r - 1 = r^2/2! - r^3/3! + ... - r^15/15! = r^2/2 (1 - r/3 (1 - r/4 (...))); for |r| < 1/2 what follows
    # is below 2^-58 of it.
    cdef double sum = 1
    cdef int k
    for k in range(15, 2, -1):
        sum = 1 - r * (1.0 / k) * sum
    return 0.5 * r * r * sum
