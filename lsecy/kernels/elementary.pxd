# exp and log on vectors.  Each states its formula, range, bound (tests/bounds.py holds the same
# numbers) and special values; tools/coefficients.py holds the recipe of every constant.

from lsecy.kernels.simd cimport *

cdef enum:
    GROUP_BOUND = 8    # bound of GROUP


cdef inline void two_sum(dvec x, dvec y, dvec *total, dvec *error) noexcept nogil:
    # x + y = total + error exactly (Knuth, TAOCP 2, 4.2.2), whichever is larger.
    cdef dvec s = x + y
    cdef dvec t = s - x
    error[0] = (x - (s - t)) + (y - t)
    total[0] = s


cdef inline dvec reduced(dvec x, bint coarse, dvec *z, dvec *k) noexcept nogil:
    # r = x - k ln2 for the k next to x / ln2: a whole number, |r| <= ln2/2, or with a register table a
    # multiple of 1/16, |r| <= ln2/32, whose fraction stands in the low four bits of z.
    cdef dvec rounding = dsplat(COARSE_ROUNDING if coarse else DOUBLE_ROUNDING)
    z[0] = x * dsplat(1.4426950408889634) + rounding
    k[0] = z[0] - rounding
    if coarse:
        return x - k[0] * dsplat(0.6931471805599453)
    return (x - k[0] * dsplat(LN2_HIGH_DOUBLE)) - k[0] * dsplat(LN2_LOW_DOUBLE)


cdef inline void double_power(dvec x, bint coarse, dvec *p, dvec *z, dvec *k) noexcept nogil:
    # exp(x) = 2^k p for float64; with a register table k is a multiple of 1/16 whose fraction p holds.
    #     p = 2^(j/16) (1 + r + r^2 Q(r)), j the low four bits of 16 k; without a table j = 0
    # bound  1.25 ulp on [-708, 709], coarse 2^-36; NaN and +inf give NaN, -inf gives k = -inf.
    cdef dvec t, q, s
    cdef dvec r = reduced(x, coarse, z, k)
    if REGISTER_TABLE:
        t = lookup(SIXTEENTHS, z[0])
        if coarse:
            q = (dsplat(EXP_COARSE_16[2]) * r + dsplat(EXP_COARSE_16[1])) * r + dsplat(EXP_COARSE_16[0])
        else:
            q = (((dsplat(EXP_DOUBLE_16[4]) * r + dsplat(EXP_DOUBLE_16[3])) * r + dsplat(EXP_DOUBLE_16[2])) * r
                 + dsplat(EXP_DOUBLE_16[1])) * r + dsplat(EXP_DOUBLE_16[0])
        p[0] = ((q * r + dsplat(1)) * r) * t + t
        return
    s = r * r
    if coarse:
        q = ((dsplat(EXP_COARSE[5]) * s + dsplat(EXP_COARSE[3])) * s + dsplat(EXP_COARSE[1])) * r + (
            ((dsplat(EXP_COARSE[6]) * s + dsplat(EXP_COARSE[4])) * s + dsplat(EXP_COARSE[2])) * s
            + dsplat(EXP_COARSE[0]))
    else:
        q = double_tail(r)
    p[0] = (q * r + dsplat(1)) * r + dsplat(1)


cdef inline dvec double_tail(dvec r) noexcept nogil:
    # (exp(r) - 1 - r) / r^2 for |r| <= ln2/2, to double's own precision; even and odd powers apart, so
    # that two chains of multiplications run side by side.
    cdef dvec s = r * r
    return ((((dsplat(EXP_DOUBLE[9]) * s + dsplat(EXP_DOUBLE[7])) * s + dsplat(EXP_DOUBLE[5])) * s
             + dsplat(EXP_DOUBLE[3])) * s + dsplat(EXP_DOUBLE[1])) * r + (
                 (((dsplat(EXP_DOUBLE[8]) * s + dsplat(EXP_DOUBLE[6])) * s + dsplat(EXP_DOUBLE[4])) * s
                  + dsplat(EXP_DOUBLE[2])) * s + dsplat(EXP_DOUBLE[0]))


cdef inline void horner(const real *coefficients, int degree, const vec *x, int count, vec *y) noexcept nogil:
    # A polynomial of `count` vectors, each step of all before the next: a step waits four cycles for the one before it,
    # and the processor looks ahead not far beyond the next vector.
    cdef const real *c = unheld(coefficients)
    cdef int s, i
    for s in range(count):
        y[s] = splat(c[degree])
    for i in range(degree):
        for s in range(count):
            y[s] = y[s] * x[s] + splat(c[degree - 1 - i])


cdef inline void float_powers(const vec *x, int count, vec *p, vec *z, vec *k) noexcept nogil:
    # exp(x) = 2^k p for `count` vectors of float32; with a register table k is a multiple of 1/32, whose fraction p
    # holds.
    #     x = k ln2 + r;   without a table p = exp(r) = 1 + r + r^2 Q(r), |r| <= ln2/2
    #     with one         p = t exp(r) = t (1 + r (B + C r)), t = 2^(j/32), j the low five bits of 32 k, |r| <= ln2/64
    # k      rounded by adding and removing 1.5 * 2^23 + 127 (1.5 * 2^18): why fast-math is refused.
    # r      without a table ln2 in two parts: k * LN2_HIGH_FLOAT is exact for every k that a kept term can have.
    #        With one, multiplications are what the loop waits for, and float's ln2 is right to 2^-28.4: what that
    #        costs, |x| 2^-28.4 of a term, is a twentieth of an ulp of an answer as large as x.
    # bound  1.2 ulp on [-87.3, 88] (0.86 with FMA), with a table 1.7 ulp + |x| 2^-28.4; NaN and +inf give NaN,
    #        -inf gives k = -inf.
    cdef vec r[GROUP_BOUND]
    cdef vec t[GROUP_BOUND]
    cdef int s
    for s in range(count):
        z[s] = x[s] * splat(<real> 1.4426950408889634) + splat(FLOAT_ROUNDING)
        k[s] = z[s] - splat(FLOAT_ROUNDING)
        if REGISTER_TABLE:
            t[s] = lookup_32(FLOAT_THIRTYSECONDS, z[s])
            r[s] = x[s] - k[s] * splat(<real> 0.6931471805599453)
        else:
            r[s] = (x[s] - k[s] * splat(LN2_HIGH_FLOAT)) - k[s] * splat(LN2_LOW_FLOAT)
    if REGISTER_TABLE:
        for s in range(count):
            p[s] = splat(EXP_FLOAT_32[1]) * r[s] + splat(EXP_FLOAT_32[0])
            r[s] = t[s] * r[s]
        for s in range(count):
            p[s] = p[s] * r[s] + t[s]
        return
    horner(<const real *> EXP_FLOAT, 4, r, count, p)
    for s in range(count):
        p[s] = (p[s] * r[s] + splat(1)) * r[s] + splat(1)


cdef inline void table_tails(const vec *r, int count, bint closer, vec *q) noexcept nogil:
    # (exp(r) - 1 - r) / r^2 for |r| <= ln2 / (2 TABLE), in the element type; `closer`: right to 2^-54 of itself.
    cdef dvec tail
    cdef int s
    if REAL_BITS == 64 and TABLE == 1:
        for s in range(count):
            tail = double_tail(half(r[s], 0))
            q[s] = (<vec *> &tail)[0]
    elif closer:
        horner(TABLE_TAIL_CLOSER, TABLE_TAIL_CLOSER_DEGREE, r, count, q)
    else:
        horner(TABLE_TAIL, TABLE_TAIL_DEGREE, r, count, q)


# 2^(j / TABLE), or a multiple of it; what rounding took from that, relative to it; and the bits of the first less
# those that j adds to an exponent (`times_power`).
cdef struct Powers:
    const real *rounded
    const real *lost
    const real *bare


cdef inline Powers powers_of_two() noexcept nogil:
    cdef Powers powers
    if TABLE == 2:
        powers.rounded = <const real *> HALF_STEPS
        powers.lost = <const real *> HALF_STEPS_REST
        powers.bare = <const real *> HALF_STEPS_BARE
    elif REAL_BITS == 64:
        powers.rounded = <const real *> SIXTEENTHS
        powers.lost = <const real *> SIXTEENTHS_REST
        powers.bare = <const real *> SIXTEENTHS_BARE
    elif TABLE == 16:
        powers.rounded = <const real *> FLOAT_SIXTEENTHS
        powers.lost = <const real *> FLOAT_SIXTEENTHS_REST
        powers.bare = <const real *> FLOAT_SIXTEENTHS_BARE
    else:
        powers.rounded = <const real *> FLOAT_EIGHTHS
        powers.lost = <const real *> FLOAT_EIGHTHS_REST
        powers.bare = <const real *> FLOAT_EIGHTHS_BARE
    return powers


cdef inline void table_powers(const vec *x, const vec *lost, const vec *w, int count, bint exact, vec steps,
                              bint whole, bint wide, const vec *more, const Powers *powers, vec *t, vec *q, vec *k,
                              vec *z) noexcept nogil:
    # exp(x + lost) = 2^floor(k) t (1 + q) of `count` vectors, k a multiple of 1 / TABLE, counted in the low bits of
    # z = k + steps, where steps is WHOLE_STEPS or a whole number less: one that is not whole counts as that much less
    # of k in the answer.  t is 2^(j / TABLE), j those bits, and |q| <= ln2 / (2 TABLE); without a table t is exp
    # itself, rounded, and q what that lost.
    # `whole`: t comes with its power, 2^floor(k + steps - WHOLE_STEPS), which must be a normal number.
    # `lost` is what rounding took from x; exact: it is 0 and not looked at.
    # more: NULL, or what else x lacks, the same for all vectors.
    # `wide`: that, or the powers' `lost`, may be as large as ln2 / (2 TABLE), and q twice as large; only where
    #        REGISTER_TABLE.
    # w: NULL, or of weights 2^e m, 1 <= m < 2, the m and, GROUP_BOUND places behind, the e: then 2^floor(k) t (1 + q)
    #    is 2^e m exp(x + lost), t is 2^(j / TABLE) m, rounded, and q holds what that lost, to an eighth of itself.
    # range  |x| <= 2^14 (double 2^21): x - k LN2_NEAREST is then exact, for it is small and a multiple of a
    #        unit that x and LN2_NEAREST share.
    # bound  2^-27.5 relative (double 2^-54), with w 2^-26 (2^-53.5) for t (1 + q) in exact arithmetic; NaN gives NaN.
    cdef vec r[GROUP_BOUND]
    cdef vec near, rest, tail, one
    cdef int s
    for s in range(count):
        z[s] = x[s] * splat(<real> 1.4426950408889634) + steps
        k[s] = z[s] - steps
        near = vresidual(x[s], k[s], splat(LN2_NEAREST))
        r[s] = near - k[s] * splat(LN2_REST)
        if TABLE == 1:
            rest = (near - r[s]) - k[s] * splat(LN2_REST)
        if w != NULL:    # a whole number, which changes no j
            z[s] = z[s] + w[s + GROUP_BOUND]
            k[s] = k[s] + w[s + GROUP_BOUND]
        if TABLE == 1:
            if not exact:
                rest = rest + lost[s]
            table_tails(r + s, 1, False, &tail)
            tail = (r[s] * r[s]) * tail
            tail = tail + (rest * (r[s] + tail) + rest)
            near = r[s] + tail
            one = splat(1) + near
            t[s] = times_power(one, z[s]) if whole else one
            q[s] = (((r[s] - near) + tail) + (near - (one - splat(1)))) * (splat(2) - one)    # 2 - t is 1 / t, coarsely
            if w != NULL:
                take_factor(one, w[s], t + s, q + s)
        else:
            t[s] = times_power(vlookup(powers.bare, z[s]), z[s]) if whole else vlookup(powers.rounded, z[s])
            rest = vlookup(powers.lost, z[s])
            if more != NULL:
                rest = rest + more[0]
            if not exact:
                rest = rest + lost[s]
            r[s] = r[s] + rest
    if TABLE == 1:
        return
    if wide:
        horner(TABLE_TAIL_WIDE, TABLE_TAIL_WIDE_DEGREE, r, count, q)
    else:
        table_tails(r, count, False, q)
    for s in range(count):
        q[s] = (r[s] * r[s]) * q[s] + r[s]
    if w != NULL:
        for s in range(count):
            take_factor(vlookup(powers.rounded, z[s]), w[s], t + s, q + s)


cdef inline void take_factor(vec bare, vec m, vec *t, vec *q) noexcept nogil:
    # Of t (1 + q), t = 2^i bare: without the power, beside which a residual may be no normal number.
    cdef vec product = bare * m
    q[0] = q[0] - vresidual(product, bare, m) * coarse_inverse(product)
    t[0] = t[0] * m


cdef inline void table_power(vec x, vec lost, const vec *w, bint exact, vec steps, bint whole, bint wide,
                             const vec *more, const Powers *powers, vec *t, vec *q, vec *k, vec *z) noexcept nogil:
    # The same of one.
    table_powers(&x, &lost, w, 1, exact, steps, whole, wide, more, powers, t, q, k, z)


cdef inline void table_exp(vec *x, int count, bint close, vec *beyond, vec *power) noexcept nogil:
    # exp(x) of `count` vectors, in their place, for a sum, where a table is looked up in registers but has no room for
    # float's 32 powers.
    #     t (1 + r Q(r)), t = 2^k with k a multiple of 1 / TABLE, |r| <= ln2 / (2 TABLE)
    # range  `in_range`; its lower end gives 0, and what lies a little above it less than 2^-126 (double 2^-1022), its
    #        upper end NaN or infinity, NaN gives NaN
    # close  |k| < 64 (double 512), and the same result; of any other x the result is not to be used, and `beyond`
    #        then has a bit that makes it 2 or more, or NaN.  k is counted in units of 32 (double 256) for that: its
    #        exponent's highest bit tells 2 from less, and the bits of many are gathered by one instruction each.
    # power  or NULL: exp(x) is 2^floor(power) times what stands in x, to the same bits where both are normal numbers
    # r      of float by one multiply-add, as in float_powers: |x| 2^-28.4 is lost
    # bound  1.7 ulp + |x| 2^-28.4, double 1.25 ulp
    cdef Powers powers = powers_of_two()
    cdef real unit = (32 if REAL_BITS == 32 else 256) if close else 1    # a power of two: nothing is rounded
    cdef vec t[GROUP_BOUND]
    cdef vec q[GROUP_BOUND]
    cdef vec powers_of_x[GROUP_BOUND]
    cdef vec z, k
    cdef int s
    for s in range(count):
        z = x[s] * splat(<real> 1.4426950408889634 / unit) + splat(WHOLE_STEPS / unit)
        powers_of_x[s] = k = z - splat(WHOLE_STEPS / unit)
        if close:
            beyond[0] = either_bits(beyond[0], k)
        if power == NULL and (close or not REGISTER_TABLE):
            t[s] = times_power(vlookup(powers.bare, z), z)
        else:    # scaled last, by the instruction that knows the ends of the range
            t[s] = vlookup(powers.rounded, z)
        if REAL_BITS == 32:
            x[s] = x[s] - k * splat(<real> 0.6931471805599453 * unit)
        else:
            x[s] = (x[s] - k * splat(<real> LN2_HIGH_DOUBLE * unit)) - k * splat(<real> LN2_LOW_DOUBLE * unit)
    horner(TABLE_SHORT, TABLE_SHORT_DEGREE, x, count, q)
    for s in range(count):
        x[s] = q[s] * (t[s] * x[s]) + t[s]
        if power != NULL:
            power[s] = powers_of_x[s]
        elif REGISTER_TABLE and not close:
            x[s] = term_of_power(x[s], powers_of_x[s])


cdef inline void vtwo_sum(vec x, vec y, vec *total, vec *error) noexcept nogil:
    # two_sum in the element type.
    cdef vec s = x + y
    cdef vec t = s - x
    error[0] = (x - (s - t)) + (y - t)
    total[0] = s


cdef inline dvec exp_tail(dvec r) noexcept nogil:
    # double_tail with one more coefficient: relative error 2^-58.
    cdef dvec s = r * r
    cdef dvec even = ((((dsplat(EXP_PAIR[10]) * s + dsplat(EXP_PAIR[8])) * s + dsplat(EXP_PAIR[6])) * s
                       + dsplat(EXP_PAIR[4])) * s + dsplat(EXP_PAIR[2])) * s + dsplat(EXP_PAIR[0])
    cdef dvec odd = (((dsplat(EXP_PAIR[9]) * s + dsplat(EXP_PAIR[7])) * s + dsplat(EXP_PAIR[5])) * s
                     + dsplat(EXP_PAIR[3])) * s + dsplat(EXP_PAIR[1])
    return odd * r + even


cdef inline dvec pair_tail(dvec x, dvec lost, dvec r, dvec k) noexcept nogil:
    # exp(x + lost - k ln2) - 1 - r, for r and k that `reduced` gave without a table.
    cdef dvec rest = ((x - k * dsplat(LN2_HIGH_DOUBLE)) - r) - k * dsplat(LN2_LOW_DOUBLE) + lost
    return (r * r) * exp_tail(r) + (rest + rest * r)


cdef inline dvec pair_tail_16(dvec r, dvec s) noexcept nogil:
    # (exp(r) - 1 - r) / s, s = r^2, for |r| <= ln2/32: relative error of exp 2^-64.
    return ((dsplat(EXP_PAIR_16[5]) * r + dsplat(EXP_PAIR_16[4])) * s
            + (dsplat(EXP_PAIR_16[3]) * r + dsplat(EXP_PAIR_16[2]))) * s + (
                dsplat(EXP_PAIR_16[1]) * r + dsplat(EXP_PAIR_16[0]))


cdef inline void pair_power(dvec x, dvec lost, dvec *high, dvec *low, dvec *z, dvec *k) noexcept nogil:
    # exp(x + lost) = 2^k (high + low), high = fl(high + low): the last bit of exp and 2^-56 beyond it;
    # `lost` is what rounding took from x.
    # Without a table  1 + r + (rest + rest r + r^2 Q(r)), `rest` what rounding took from r;
    # with one         t + (t (r + r^2 Q(r)) + t's own rounding error), whose r is too small for a rest.
    # Near x = 0, high = 1 and low = x + x^2/2: nothing of a tiny x is lost.
    # bound  2^-55 relative on [-708, 709]; NaN and +inf give NaN, -inf gives k = -inf.
    cdef dvec r, rest, tail, one
    if REGISTER_TABLE:
        r = reduced(x, False, z, k)
        one = lookup(SIXTEENTHS, z[0])
        rest = r * r
        tail = one * (pair_tail_16(r, rest) * rest + (r + lost)) + lookup(SIXTEENTHS_LOW, z[0])
    else:
        r = reduced(x, False, z, k)
        tail = pair_tail(x, lost, r, k[0])
        one = dsplat(1) + r
        tail = (r - (one - dsplat(1))) + tail
    high[0] = one + tail
    low[0] = (one - high[0]) + tail


cdef inline dvec log_reduced(dvec x, dvec *e) noexcept nogil:
    # x = 2^e (1 + f), 1 + f in [1/sqrt2, sqrt2); f is exact.  x positive and normal.
    cdef dvec m
    dsplit_middle(x, &m, e)
    return m - dsplat(1)


cdef inline dvec log_coarse(dvec x, dvec shift) noexcept nogil:
    # shift + log(x) for x > 0 normal, as log_pair without the care for the last bits.
    # With a register table as logs_near: no division, which takes as long as ten multiplications.
    # bound  2^-41 relative beside the rounding of the sum.
    cdef dvec e, s, z, y, tail, f
    if REGISTER_TABLE:
        s = x * dinverse_near(x, &y, &e) - dsplat(1)
        z = s * s
        tail = (dsplat(LOG_NEAR[4]) * z + (dsplat(LOG_NEAR[3]) * s + dsplat(LOG_NEAR[2]))) * z + (
            dsplat(LOG_NEAR[1]) * s + dsplat(LOG_NEAR[0]))
        f = (e * dsplat(LN2_HIGH_DOUBLE * 2.220446049250313e-16) + lookup(INVERSES_LOG, y)) + (
            e * dsplat(LN2_LOW_SHORT_DOUBLE * 2.220446049250313e-16) - dsplat(1023 * LN2_LOW_SHORT_DOUBLE))
        return shift + (f + (tail * z + s))
    f = log_reduced(x, &e)
    s = f / (f + dsplat(2))
    z = s * s
    y = z * z
    tail = (dsplat(LOG_COARSE[4]) * y + (dsplat(LOG_COARSE[3]) * z + dsplat(LOG_COARSE[2]))) * y + (
        dsplat(LOG_COARSE[1]) * z + dsplat(LOG_COARSE[0]))
    return shift + (e * dsplat(0.6931471805599453) + ((s * z) * tail + (s + s)))


cdef inline dvec log_tail(dvec z) noexcept nogil:
    # (log(1 + f) - 2 s) / (s z) for s = f / (2 + f), z = s^2 (atanh's series), to 2^-57 of the logarithm.
    cdef dvec y = z * z
    return ((((dsplat(LOG_PAIR[8]) * y + dsplat(LOG_PAIR[6])) * y + dsplat(LOG_PAIR[4])) * y
             + dsplat(LOG_PAIR[2])) * y + dsplat(LOG_PAIR[0])) + z * (
                 ((dsplat(LOG_PAIR[7]) * y + dsplat(LOG_PAIR[5])) * y + dsplat(LOG_PAIR[3])) * y
                 + dsplat(LOG_PAIR[1]))


cdef inline void logs_far(dvec *x, int count) noexcept nogil:
    # log(x) of `count` vectors, in their place, for x in [8, 2^1000) or (2^-1000, 1/8]: what the quotient of log_pair
    # rounds is nothing beside e ln2.
    # bound  0.5 ulp, and 2^-53 of s and the polynomial's error beside it: 0.8 ulp
    cdef dvec e[GROUP_BOUND]
    cdef dvec part[GROUP_BOUND]
    cdef dvec f, z, y, tail
    cdef int s
    for s in range(count):
        f = log_reduced(x[s], e + s)
        part[s] = f / (f + dsplat(2))
    for s in range(count):
        z = part[s] * part[s]
        y = z * z
        tail = (((dsplat(LOG_FAR[6]) * y + dsplat(LOG_FAR[4])) * y + dsplat(LOG_FAR[2])) * y
                + dsplat(LOG_FAR[0])) + z * (
                    (dsplat(LOG_FAR[5]) * y + dsplat(LOG_FAR[3])) * y + dsplat(LOG_FAR[1]))
        # One product to each sum: of two, compilers may fuse either.
        x[s] = e[s] * dsplat(LN2_HIGH_DOUBLE) + (
            ((part[s] * z) * tail + (part[s] + part[s])) + e[s] * dsplat(LN2_LOW_DOUBLE))


cdef inline dvec log_pair(dvec high, dvec low, dvec shift) noexcept nogil:
    # shift + log(high + low) for high > 0 normal and |low| <= ulp(high), rounded once.
    #     high = 2^e (1 + f);   s = f / (2 + f);   log(1 + f) = 2 s + s z P(z), z = s^2 (atanh's series)
    # The quotient's error and `low` are carried beside s; e ln2, shift and 2 s are added without loss.
    # bound  0.56 ulp of the sum, or 2^-57 of its largest part where they cancel.
    cdef dvec e, q, s, den, den_low, lost, z, tail, total, error, more
    cdef dvec f = log_reduced(high, &e)
    low = dunscale(low, e)
    den = f + dsplat(2)
    den_low = f - (den - dsplat(2))
    q = dsplat(1) / den
    s = f * q
    lost = residual(f, s, den) - s * den_low
    lost = lost * q
    z = s * s
    tail = (s * z) * log_tail(z) + ((lost + lost) + low * ((q + q) * (q + q))) + e * dsplat(LN2_LOW_DOUBLE)
    two_sum(shift, e * dsplat(LN2_HIGH_DOUBLE), &total, &error)
    two_sum(total, s + s, &total, &more)
    return total + ((error + more) + tail)


cdef inline bint has_logs_near() noexcept nogil:
    return REGISTER_TABLE or (REAL_BITS == 32 and REGISTER_LOOKUP)


cdef inline void logs_near(vec *high, vec *low, const vec *excess, int count, bint alone) noexcept nogil:
    # log(high + low) + excess of `count` vectors, in two parts in their place, for high > 0 normal, |low| <= ulp(high)
    # and a tiny excess; `alone`: low is 0, and not looked at: only where a table of 16 is looked up in registers.
    #     high = 2^e m;   u = 1 - m i for the i next to 1 / m;   log m = -log i - (u + u^2 Q(u))
    # e ln2 - log i is exact in its leading bits, for so the i were chosen (tools/coefficients.py).
    # bound  2^-57, float 2^-28, and 2^-26 of a logarithm next to 0
    cdef const real *coefficients = <const real *> LOG_BELOW if REAL_BITS == 64 else <const real *> LOG_BELOW_FLOAT
    cdef const real *logarithms = <const real *> INVERSES_LOG if REAL_BITS == 64 else <const real *> FLOAT_INVERSES_LOG
    cdef real unit = 2.220446049250313e-16 if REAL_BITS == 64 else <real> 1.1920928955078125e-07
    cdef real ln2_high = LN2_HIGH_DOUBLE if REAL_BITS == 64 else LN2_HIGH_FLOAT
    cdef real ln2_low = LN2_LOW_SHORT_DOUBLE if REAL_BITS == 64 else LN2_LOW_SHORT_FLOAT    # exactly 0 for e = 0
    cdef vec u[GROUP_BOUND]
    cdef vec q[GROUP_BOUND]
    cdef vec total[GROUP_BOUND]
    cdef vec tail[GROUP_BOUND]
    cdef vec inverse, place, e
    cdef int s
    for s in range(count):
        inverse = inverse_near(high[s], &place, &e)
        u[s] = vresidual(splat(1), high[s], inverse)
        if not alone:
            low[s] = low[s] * inverse
        total[s] = fused(e, splat(unit * ln2_high), lookup_16(logarithms, place))
        tail[s] = fused(e, splat(unit * ln2_low), excess[s] - splat((1023 if REAL_BITS == 64 else 127) * ln2_low))
    horner(coefficients, 7 if REAL_BITS == 64 else 3, u, count, q)
    for s in range(count):
        if not alone:
            tail[s] = fused(low[s], u[s], low[s]) + tail[s]
        tail[s] = vresidual(tail[s], u[s] * u[s], q[s])
        high[s] = total[s] - u[s]
        low[s] = ((total[s] - high[s]) - u[s]) + tail[s]
