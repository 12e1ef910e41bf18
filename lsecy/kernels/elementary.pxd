# exp and log on vectors.  Each states its formula, range, bound (tests/bounds.py reads the same
# numbers) and special values; tools/coefficients.py holds the recipe of every constant.

from lsecy.kernels.simd cimport *


cdef inline void two_sum(dvec x, dvec y, dvec *total, dvec *error) noexcept nogil:
    # x + y = total + error exactly (Knuth, TAOCP 2, 4.2.2), whichever is larger.
    cdef dvec s = x + y
    cdef dvec t = s - x
    error[0] = (x - (s - t)) + (y - t)
    total[0] = s


cdef inline void float_power(vec x, vec *p, vec *k) noexcept nogil:
    # exp(x) = 2^k p for float32.
    #     x = k ln2 + r, |r| <= ln2/2;   p = exp(r) = 1 + r + r^2 Q(r)
    # k      rounded by adding and removing 1.5 * 2^23: why fast-math is refused.
    # r      ln2 in two parts: k * LN2_HIGH_FLOAT is exact for every k that a kept term can have.
    # bound  1.0 ulp on [-87.3, 88]; NaN and +inf give NaN, -inf gives k = -inf.
    cdef vec magic = splat(12582912.0)
    cdef vec z = x * splat(<real> 1.4426950408889634) + magic
    cdef vec r
    k[0] = z - magic
    r = (x - k[0] * splat(LN2_HIGH_FLOAT)) - k[0] * splat(LN2_LOW_FLOAT)
    p[0] = (((((splat(EXP_FLOAT[4]) * r + splat(EXP_FLOAT[3])) * r + splat(EXP_FLOAT[2])) * r
              + splat(EXP_FLOAT[1])) * r + splat(EXP_FLOAT[0])) * r + splat(1)) * r + splat(1)


cdef inline void double_power(dvec x, dvec *p, dvec *k) noexcept nogil:
    # exp(x) = 2^k p for float64; with a register table k is a multiple of 1/16 whose fraction p holds.
    #     x = k ln2 + r, |r| <= ln2/32;   p = 2^(j/16) (1 + r + r^2 Q(r)), j the low four bits of 16 k
    # Without one, as float_power with a longer polynomial.
    # bound  1.1 ulp on [-708, 709]; NaN and +inf give NaN, -inf gives k = -inf.
    cdef dvec magic, z, r, t, q
    if REGISTER_TABLE:
        magic = dsplat(422212465065984.0)    # 1.5 * 2^48: the last bit is worth 1/16
    else:
        magic = dsplat(6755399441055744.0)    # 1.5 * 2^52
    z = x * dsplat(1.4426950408889634) + magic
    k[0] = z - magic
    r = (x - k[0] * dsplat(LN2_HIGH_DOUBLE)) - k[0] * dsplat(LN2_LOW_DOUBLE)
    if REGISTER_TABLE:
        t = lookup(SIXTEENTHS, z)
        q = ((((dsplat(EXP_SIXTEENTH[4]) * r + dsplat(EXP_SIXTEENTH[3])) * r + dsplat(EXP_SIXTEENTH[2])) * r
              + dsplat(EXP_SIXTEENTH[1])) * r + dsplat(EXP_SIXTEENTH[0])) * r + dsplat(1)
        p[0] = (q * r) * t + t
    else:
        p[0] = (exp_tail(r) * r + dsplat(1)) * r + dsplat(1)


cdef inline dvec exp_tail(dvec r) noexcept nogil:
    # (exp(r) - 1 - r) / r^2 for |r| <= ln2/2, relative error 2^-58; even and odd powers apart, so
    # that two chains of multiplications run side by side.
    cdef dvec s = r * r
    cdef dvec even = ((((dsplat(EXP_DOUBLE[10]) * s + dsplat(EXP_DOUBLE[8])) * s + dsplat(EXP_DOUBLE[6])) * s
                       + dsplat(EXP_DOUBLE[4])) * s + dsplat(EXP_DOUBLE[2])) * s + dsplat(EXP_DOUBLE[0])
    cdef dvec odd = (((dsplat(EXP_DOUBLE[9]) * s + dsplat(EXP_DOUBLE[7])) * s + dsplat(EXP_DOUBLE[5])) * s
                     + dsplat(EXP_DOUBLE[3])) * s + dsplat(EXP_DOUBLE[1])
    return odd * r + even


cdef inline void pair_power(dvec x, dvec *high, dvec *low, dvec *k) noexcept nogil:
    # exp(x) = 2^k (high + low), high = fl(high + low): the last bit of exp and 2^-56 beyond it.
    #     x = k ln2 + r + rest;   exp = 1 + r + (rest + rest r + r^2 Q(r)), the sums kept exactly
    # Near x = 0, high = 1 and low = x + x^2/2: nothing of a tiny x is lost.
    # bound  2^-55 relative on [-708, 709]; NaN and +inf give NaN, -inf gives k = -inf.
    cdef dvec magic = dsplat(6755399441055744.0)
    cdef dvec above, below, r, rest, tail, one
    k[0] = (x * dsplat(1.4426950408889634) + magic) - magic
    above = x - k[0] * dsplat(LN2_HIGH_DOUBLE)    # exact
    below = k[0] * dsplat(LN2_LOW_DOUBLE)
    r = above - below
    rest = (above - r) - below
    tail = (r * r) * exp_tail(r) + (rest + rest * r)
    one = dsplat(1) + r
    tail = (r - (one - dsplat(1))) + tail
    high[0] = one + tail
    low[0] = (one - high[0]) + tail


cdef inline dvec log_pair(dvec high, dvec low, dvec shift) noexcept nogil:
    # shift + log(high + low) for high > 0 normal and |low| <= ulp(high), rounded once.
    #     high = 2^e m, m in [1/sqrt2, sqrt2);   f = m - 1 (exact);   s = f / (2 + f)
    #     log m = 2 s + s z P(z), z = s^2 (the atanh series); the quotient's error and `low` are
    #     carried beside s, and e ln2, shift and 2 s are added without loss.
    # bound  0.51 ulp of the sum, or 2^-57 of its largest part where they cancel.
    cdef dvec m, e, f, q, s, den, den_low, lost, z, tail, total, error, more
    cdef divec large
    dsplit_power(high, &m, &e)
    large = m > dsplat(1.4142135623730951)
    m = dpick(large, m * dsplat(0.5), m)
    e = dpick(large, e + dsplat(1), e)
    f = m - dsplat(1)
    low = dscale(low, dsplat(0) - e)
    den = f + dsplat(2)
    den_low = f - (den - dsplat(2))
    q = dsplat(1) / den
    s = f * q
    lost = residual(f, s, den) - s * den_low
    lost = lost * q + (low * dsplat(2)) * (q * q)
    z = s * s
    tail = (((((((dsplat(LOG_TAIL[8]) * z + dsplat(LOG_TAIL[7])) * z + dsplat(LOG_TAIL[6])) * z
                + dsplat(LOG_TAIL[5])) * z + dsplat(LOG_TAIL[4])) * z + dsplat(LOG_TAIL[3])) * z
             + dsplat(LOG_TAIL[2])) * z + dsplat(LOG_TAIL[1])) * z + dsplat(LOG_TAIL[0])
    tail = s * z * tail + (lost + lost) + e * dsplat(LN2_LOW_DOUBLE)
    two_sum(shift, e * dsplat(LN2_HIGH_DOUBLE), &total, &error)
    two_sum(total, s + s, &total, &more)
    return total + ((error + more) + tail)
