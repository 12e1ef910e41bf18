/* The only file that knows compilers and instruction sets.
 *
 * The build compiles every kernel source once per (instruction set, element type) and says which by
 *     -DREAL_BITS=32 | 64      the element type `real`
 *     -DSCALAR_ARM             no vectors at all: the readable oracle, and compilers without GNU vectors
 * and by that set's own flags.  From them follow
 *     vec    a vector of `real` of the machine's native width, LANES long
 *     dvec   a vector of double of the same number of bytes, DLANES long
 * on which + - * / and comparisons work lane by lane.  A vector wider than the machine is never
 * used: compilers lower those badly.  What the language has no operator for stands below.
 *
 * WIDTH elements (64 bytes on every instruction set) are one position row of a sum: element k of a
 * block is always added at position k mod WIDTH, so the order of a sum does not depend on the
 * vector's length.
 */
#ifndef LSECY_SIMD_H
#define LSECY_SIMD_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "coefficients.h"

#ifdef __FAST_MATH__
#error "fast-math deletes the range reduction of exp, infinities and NaN"
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused))
#else
#define INLINE static inline
#endif

#if REAL_BITS == 32
typedef float real;
typedef int32_t integer;
#else
typedef double real;
typedef int64_t integer;
#endif
#define POSITIONS_BYTES 64
#define WIDTH (POSITIONS_BYTES / (ptrdiff_t)sizeof(real))
#define DWIDTH (POSITIONS_BYTES / (ptrdiff_t)sizeof(double))

#if defined(SCALAR_ARM) || !defined(__GNUC__)
#define VECTOR_BYTES 0
#elif defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if VECTOR_BYTES
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#define LANES (VECTOR_BYTES * 8 / REAL_BITS)
#define DLANES (VECTOR_BYTES / 8)
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef integer ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef double dvec __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t divec __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t udivec __attribute__((vector_size(VECTOR_BYTES)));
typedef real loose_vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef double loose_dvec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(double)), may_alias));
INLINE vec splat(real x) { return x - (vec){0}; }
INLINE dvec dsplat(double x) { return x - (dvec){0}; }
INLINE real lane(vec x, ptrdiff_t k) { return x[k]; }
INLINE double dlane(dvec x, ptrdiff_t k) { return x[k]; }
INLINE vec load(const real *p) { return *(const loose_vec *)p; }
INLINE dvec dload(const double *p) { return *(const loose_dvec *)p; }
INLINE void store(real *p, vec x) { *(loose_vec *)p = x; }
INLINE void dstore(double *p, dvec x) { *(loose_dvec *)p = x; }
/* A store on a vector's boundary that passes the caches by, and what has to follow before others may read. */
#if VECTOR_BYTES == 64
INLINE void stream(real *p, vec x) { _mm512_stream_si512((__m512i *)p, (__m512i)x); }
INLINE void end_stream(void) { _mm_sfence(); }
#elif defined(__AVX2__)
INLINE void stream(real *p, vec x) { _mm256_stream_si256((__m256i *)p, (__m256i)x); }
INLINE void end_stream(void) { _mm_sfence(); }
#else
INLINE void stream(real *p, vec x) { store(p, x); }
INLINE void end_stream(void) {}
#endif
/* A mask has all bits of a lane set or none; pick takes `yes` where it is set. */
#if defined(__AVX2__) && VECTOR_BYTES == 32
INLINE dvec dpick(divec mask, dvec yes, dvec no) {
    return (dvec)_mm256_blendv_pd((__m256d)no, (__m256d)yes, (__m256d)mask);
}
#if REAL_BITS == 64
INLINE vec pick(ivec mask, vec yes, vec no) { return dpick(mask, yes, no); }
#else
INLINE vec pick(ivec mask, vec yes, vec no) {
    return (vec)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)mask);
}
#endif
#elif VECTOR_BYTES == 16 && defined(__SSE2__) /* GCC 12 fails on some of these as expressions */
INLINE dvec dpick(divec mask, dvec yes, dvec no) {
    __m128d m = (__m128d)mask;
    return (dvec)_mm_or_pd(_mm_and_pd(m, (__m128d)yes), _mm_andnot_pd(m, (__m128d)no));
}
#if REAL_BITS == 64
INLINE vec pick(ivec mask, vec yes, vec no) { return dpick(mask, yes, no); }
#else
INLINE vec pick(ivec mask, vec yes, vec no) {
    __m128 m = (__m128)mask;
    return (vec)_mm_or_ps(_mm_and_ps(m, (__m128)yes), _mm_andnot_ps(m, (__m128)no));
}
#endif
#else
#define PICK(type, bits) return (type)(((bits)yes & mask) | ((bits)no & ~mask))
INLINE vec pick(ivec mask, vec yes, vec no) { PICK(vec, ivec); }
INLINE dvec dpick(divec mask, dvec yes, dvec no) { PICK(dvec, divec); }
#endif
#if VECTOR_BYTES == 64
INLINE int dany(divec mask) { return _mm512_movepi64_mask((__m512i)mask) != 0; }
INLINE int dall(divec mask) { return _mm512_movepi64_mask((__m512i)mask) == 0xff; }
#elif defined(__AVX2__)
INLINE int dany(divec mask) { return _mm256_movemask_pd((__m256d)mask) != 0; }
INLINE int dall(divec mask) { return _mm256_movemask_pd((__m256d)mask) == 0xf; }
#elif defined(__SSE2__)
INLINE int dany(divec mask) { return _mm_movemask_pd((__m128d)mask) != 0; }
INLINE int dall(divec mask) { return _mm_movemask_pd((__m128d)mask) == 3; }
#else
INLINE int dany(divec mask) {
    int64_t any = 0;
    for (int k = 0; k < DLANES; k++) any |= mask[k];
    return any != 0;
}
INLINE int dall(divec mask) {
    int64_t all = -1;
    for (int k = 0; k < DLANES; k++) all &= mask[k];
    return all != 0;
}
#endif
#else
#define LANES 1
#define DLANES 1
typedef real vec;
typedef integer ivec;
typedef double dvec;
typedef int64_t divec;
typedef uint64_t udivec;
INLINE vec splat(real x) { return x; }
INLINE dvec dsplat(double x) { return x; }
INLINE real lane(vec x, ptrdiff_t k) { return (void)k, x; }
INLINE double dlane(dvec x, ptrdiff_t k) { return (void)k, x; }
INLINE vec load(const real *p) { return *p; }
INLINE dvec dload(const double *p) { return *p; }
INLINE void store(real *p, vec x) { *p = x; }
INLINE void dstore(double *p, dvec x) { *p = x; }
INLINE void stream(real *p, vec x) { *p = x; }
INLINE void end_stream(void) {}
INLINE vec pick(ivec mask, vec yes, vec no) { return mask ? yes : no; }
INLINE dvec dpick(divec mask, dvec yes, dvec no) { return mask ? yes : no; }
INLINE int dany(divec mask) { return mask != 0; }
INLINE int dall(divec mask) { return mask != 0; }
#endif

/* Reinterpretation of bits, for both kinds of arms. */
INLINE ivec bits_of(vec x) { ivec r; memcpy(&r, &x, sizeof r); return r; }
INLINE vec from_bits(ivec x) { vec r; memcpy(&r, &x, sizeof r); return r; }
INLINE divec dbits_of(dvec x) { divec r; memcpy(&r, &x, sizeof r); return r; }
INLINE dvec dfrom_bits(divec x) { dvec r; memcpy(&r, &x, sizeof r); return r; }

/* The first count < LANES lanes from memory, of which nothing beyond is touched, and the filler in the others. */
#if VECTOR_BYTES == 64 && REAL_BITS == 64
INLINE vec load_some(const real *p, ptrdiff_t count, real filler) {
    return (vec)_mm512_mask_loadu_pd((__m512d)splat(filler), (__mmask8)((1u << count) - 1), p);
}
#elif VECTOR_BYTES == 64
INLINE vec load_some(const real *p, ptrdiff_t count, real filler) {
    return (vec)_mm512_mask_loadu_ps((__m512)splat(filler), (__mmask16)((1u << count) - 1), p);
}
#elif defined(__AVX2__) && VECTOR_BYTES == 32
INLINE vec load_some(const real *p, ptrdiff_t count, real filler) {
#if REAL_BITS == 64
    ivec mask = (ivec){0, 1, 2, 3} < (bits_of(splat(0)) + count);
    return pick(mask, (vec)_mm256_maskload_pd(p, (__m256i)mask), splat(filler));
#else
    ivec mask = (ivec){0, 1, 2, 3, 4, 5, 6, 7} < (bits_of(splat(0)) + (int32_t)count);
    return pick(mask, (vec)_mm256_maskload_ps(p, (__m256i)mask), splat(filler));
#endif
}
#else
INLINE vec load_some(const real *p, ptrdiff_t count, real filler) {
    real lanes[LANES];
    for (ptrdiff_t k = 0; k < LANES; k++) lanes[k] = k < count ? p[k] : filler;
    return load(lanes);
}
#endif

/* The first `count` lanes, or all of them. */
INLINE void store_some(real *p, vec x, ptrdiff_t count) {
    if (count >= LANES) {
        store(p, x);
        return;
    }
#if VECTOR_BYTES == 64 && REAL_BITS == 64
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << count) - 1), (__m512d)x);
#elif VECTOR_BYTES == 64
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)x);
#else
    for (ptrdiff_t k = 0; k < count; k++) p[k] = lane(x, k);
#endif
}

#if REAL_BITS == 64
INLINE void dstore_some(double *p, dvec x, ptrdiff_t count) { store_some(p, x, count); }
#else
INLINE void dstore_some(double *p, dvec x, ptrdiff_t count) {
    for (ptrdiff_t k = 0; k < count && k < DLANES; k++) p[k] = dlane(x, k);
}
#endif

/* The bound where x lies beyond it, else x; NaN stays NaN (x is the second operand of the x86
 * instruction, which is what it returns when the two cannot be compared). */
#if VECTOR_BYTES == 64
#define EXTREME(name, kind) _mm512_##name##_##kind
#elif VECTOR_BYTES == 32
#define EXTREME(name, kind) _mm256_##name##_##kind
#elif VECTOR_BYTES == 16 && defined(__SSE2__)
#define EXTREME(name, kind) _mm_##name##_##kind
#endif
#ifdef EXTREME
INLINE dvec dat_least(dvec x, dvec y) { return (dvec)EXTREME(max, pd)(y, x); }
INLINE dvec dat_most(dvec x, dvec y) { return (dvec)EXTREME(min, pd)(y, x); }
#else
INLINE dvec dat_least(dvec x, dvec y) { return dpick(x < y, y, x); }
INLINE dvec dat_most(dvec x, dvec y) { return dpick(x > y, y, x); }
#endif
#if REAL_BITS == 64
INLINE vec at_least(vec x, vec y) { return dat_least(x, y); }
INLINE vec at_most(vec x, vec y) { return dat_most(x, y); }
#elif defined(EXTREME)
INLINE vec at_least(vec x, vec y) { return (vec)EXTREME(max, ps)(y, x); }
INLINE vec at_most(vec x, vec y) { return (vec)EXTREME(min, ps)(y, x); }
#else
INLINE vec at_least(vec x, vec y) { return pick(x < y, y, x); }
INLINE vec at_most(vec x, vec y) { return pick(x > y, y, x); }
#endif
/* The largest lane, where none is NaN. */
#if VECTOR_BYTES == 64 && REAL_BITS == 64
INLINE real largest(vec x) { return _mm512_reduce_max_pd((__m512d)x); }
#elif VECTOR_BYTES == 64
INLINE real largest(vec x) { return _mm512_reduce_max_ps((__m512)x); }
#else
INLINE real largest(vec x) {
    real lanes[LANES];
    memcpy(lanes, &x, sizeof x);
    for (int half_way = LANES / 2; half_way > 0; half_way /= 2)
        for (int k = 0; k < half_way; k++) lanes[k] = lanes[k] > lanes[k + half_way] ? lanes[k] : lanes[k + half_way];
    return lanes[0];
}
#endif
INLINE vec magnitude(vec x) { return from_bits(bits_of(x) & ~bits_of(splat((real)-0.0))); }
INLINE dvec dmagnitude(dvec x) { return dfrom_bits(dbits_of(x) & ~dbits_of(dsplat(-0.0))); }

/* x * 2^k for a term of a sum: exactly 0 where it would be subnormal, too large to be accepted where
 * it would overflow, NaN where x or k is NaN.  k is a whole number; with REGISTER_TABLE its fraction
 * is dropped: floor(k). */
#if VECTOR_BYTES == 64
INLINE dvec dterm_of_power(dvec x, dvec k) {
    __mmask8 kept = _mm512_cmp_pd_mask((__m512d)k, _mm512_set1_pd(-1022), _CMP_NLT_UQ);
    return (dvec)_mm512_maskz_scalef_pd(kept, (__m512d)x, (__m512d)k);
}
#else
INLINE dvec dterm_of_power(dvec x, dvec k) {
    /* Adding 1.5 * 2^52 leaves k in the low bits, from where it becomes an exponent. */
    dvec bounded = dat_most(dat_least(k, dsplat(-1022)), dsplat(1023));
    dvec power = dfrom_bits((dbits_of(bounded + dsplat(0x1.8p52)) + 1023) << 52);
    return dpick(k < dsplat(-1022), dsplat(0), x * power);
}
#endif
#if REAL_BITS == 64
INLINE vec term_of_power(vec x, vec k) { return dterm_of_power(x, k); }
#elif VECTOR_BYTES == 64
INLINE vec term_of_power(vec x, vec k) {
    __mmask16 kept = _mm512_cmp_ps_mask((__m512)k, _mm512_set1_ps(-126), _CMP_NLT_UQ);
    return (vec)_mm512_maskz_scalef_ps(kept, (__m512)x, (__m512)k);
}
#else
INLINE vec term_of_power(vec x, vec k) {
    vec bounded = at_most(at_least(k, splat(-126)), splat(127));
    vec power = from_bits((bits_of(bounded + splat(0x1.8p23f)) + 127) << 23);
    return pick(k < splat(-126), splat(0), x * power);
}
#endif
/* The same, or 0 where the weight is. */
#if VECTOR_BYTES == 64 && REAL_BITS == 64
INLINE vec weighted_term(vec x, vec k, vec weight) {
    __mmask8 some = _mm512_cmp_pd_mask((__m512d)weight, _mm512_setzero_pd(), _CMP_NEQ_UQ);
    __mmask8 kept = _mm512_mask_cmp_pd_mask(some, (__m512d)k, _mm512_set1_pd(-1022), _CMP_NLT_UQ);
    return (vec)_mm512_maskz_scalef_pd(kept, (__m512d)x, (__m512d)k);
}
#elif VECTOR_BYTES == 64
INLINE vec weighted_term(vec x, vec k, vec weight) {
    __mmask16 some = _mm512_cmp_ps_mask((__m512)weight, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    __mmask16 kept = _mm512_mask_cmp_ps_mask(some, (__m512)k, _mm512_set1_ps(-126), _CMP_NLT_UQ);
    return (vec)_mm512_maskz_scalef_ps(kept, (__m512)x, (__m512)k);
}
#else
INLINE vec weighted_term(vec x, vec k, vec weight) { return pick(weight == splat(0), splat(0), term_of_power(x, k)); }
#endif

/* The same for exp without weights, cheaper.  k was rounded by adding and removing a constant; the sum
 * with it, z, has k and the exponent's bias in its low bits: a shift makes the power of two.  x must
 * be brought into a range, beyond whose ends exp is exactly 0 (k = -127 makes a power of 0; double
 * -1023) or infinite. */
#define FLOAT_ROUNDING (REGISTER_TABLE ? 0x1.8p18f : 0x1.8p23f + 127)
#define COARSE_ROUNDING (REGISTER_TABLE ? 0x1.8p48 : 0x1.8p52) /* without the bias, for dterm_of_float */
#define DOUBLE_ROUNDING (REGISTER_TABLE ? 0x1.8p48 : 0x1.8p52 + 1023) /* with a table, z counts in 16ths */
#if VECTOR_BYTES == 64
INLINE dvec dterm_in_range(dvec x, dvec z, dvec k) { return (void)z, (dvec)_mm512_scalef_pd((__m512d)x, (__m512d)k); }
/* For |k| < 1000 alone, by whole numbers.  The low bits of a NaN must be zero, as they are where it was once
 * a float: they would be added to the exponent. */
INLINE dvec dterm_of_float(dvec x, dvec z, dvec k) {
    return (void)k, dfrom_bits(dbits_of(x) + ((dbits_of(z) & ~(divec)(dbits_of(dsplat(0)) + 15)) << 48));
}
INLINE vec in_range(vec x) { return x; }
INLINE vec term_in_range(vec x, vec z, vec k) { return (void)z, term_of_power(x, k); }
#else
INLINE dvec dterm_in_range(dvec x, dvec z, dvec k) { return (void)k, x * dfrom_bits(dbits_of(z) << 52); }
INLINE dvec dterm_of_float(dvec x, dvec z, dvec k) {
    return (void)k, dfrom_bits(dbits_of(x) + (dbits_of(z) << 52));
}
#if REAL_BITS == 64
INLINE vec in_range(vec x) { return at_most(at_least(x, splat(-709)), splat(710)); }
INLINE vec term_in_range(vec x, vec z, vec k) { return dterm_in_range(x, z, k); }
#else
INLINE vec in_range(vec x) { return at_most(at_least(x, splat(-88)), splat(89)); }
INLINE vec term_in_range(vec x, vec z, vec k) { return (void)k, x * from_bits(bits_of(z) << 23); }
#endif
#endif

/* x * 2^k for whole k, rounded once where the result is subnormal; infinite on overflow. */
#if VECTOR_BYTES == 64
INLINE dvec dscale(dvec x, dvec k) { return (dvec)_mm512_scalef_pd((__m512d)x, (__m512d)k); }
#if REAL_BITS == 64
INLINE vec scaled(vec x, vec k) { return dscale(x, k); } /* x * 2^floor(k), as REGISTER_TABLE has it */
#else
INLINE vec scaled(vec x, vec k) { return (vec)_mm512_scalef_ps((__m512)x, (__m512)k); }
#endif
#else
INLINE dvec dpower(dvec k) {
    divec shifted = dbits_of(k + dsplat(0x1.8p52));
    return dfrom_bits((shifted + 1023) << 52);
}
INLINE dvec dscale(dvec x, dvec k) {
    /* Large steps first while the value is normal; the last step alone may round. */
    k = dat_most(dat_least(k, dsplat(-2200)), dsplat(2200));
    dvec third = (k * (1.0 / 3) + dsplat(0x1.8p52)) - dsplat(0x1.8p52);
    dvec rest = k - third - third;
    dvec up = dpick(k > 0, rest, third), last = dpick(k > 0, third, rest);
    return ((x * dpower(third)) * dpower(up)) * dpower(last);
}
#endif

/* x * 2^-k for whole |k| < 1023, where k = 1023 may give 0: for what is small beside 2^k. */
#if VECTOR_BYTES == 64
INLINE dvec dunscale(dvec x, dvec k) { return (dvec)_mm512_scalef_pd((__m512d)x, (__m512d)-k); }
#else
INLINE dvec dunscale(dvec x, dvec k) { return x * dfrom_bits(dbits_of(dsplat(0x1.8p52 + 1023) - k) << 52); }
#endif

/* x = mantissa * 2^exponent with 1 <= |mantissa| < 2; zero, infinity and NaN are their own mantissa
 * and, but for the sign, their own exponent.  A subnormal is first made normal by an exact multiplication. */
#if VECTOR_BYTES == 64 /* one instruction each; they split infinity into 1 and infinity, which serves as well */
INLINE void dsplit_power(dvec x, dvec *mantissa, dvec *exponent) {
    *mantissa = (dvec)_mm512_getmant_pd((__m512d)x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
    *exponent = (dvec)_mm512_getexp_pd((__m512d)x);
}
#if REAL_BITS == 32
INLINE void split_power(vec x, vec *mantissa, vec *exponent) {
    *mantissa = (vec)_mm512_getmant_ps((__m512)x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
    *exponent = (vec)_mm512_getexp_ps((__m512)x);
}
#endif
#else
#define SPLIT_POWER(name, vec, ivec, whole, splat, pick, magnitude, bits_of, from_bits, scalar, normal, digits, bias) \
    INLINE void name(vec x, vec *mantissa, vec *exponent) {                                                \
        ivec tiny = magnitude(x) < splat(normal);                                                          \
        vec scaled = pick(tiny, x * splat((scalar)(1LL << (digits + 1))), x);                              \
        ivec none = bits_of(splat(0));                                                                     \
        ivec field = (bits_of(scaled) >> digits) & (none + (2 * bias + 1));                                \
        ivec rest = bits_of(scaled) & ~((none + (2 * bias + 1)) << digits);                                \
        vec power = from_bits(field | bits_of(splat(whole))) - splat(whole + bias);                        \
        ivec ordinary = (x - x == splat(0)) & (x != splat(0));                                             \
        *mantissa = pick(ordinary, from_bits(rest | bits_of(splat(1))), x);                                \
        power = power - pick(tiny, splat(digits + 1), splat(0));                                           \
        *exponent = pick(ordinary, power, magnitude(x));                                                   \
    }
SPLIT_POWER(dsplit_power, dvec, divec, 0x1p52, dsplat, dpick, dmagnitude, dbits_of, dfrom_bits, double, DBL_MIN, 52, 1023)
#if REAL_BITS == 32
SPLIT_POWER(split_power, vec, ivec, 0x1p23f, splat, pick, magnitude, bits_of, from_bits, float, FLT_MIN, 23, 127)
#endif
#endif
#if REAL_BITS == 64
INLINE void split_power(vec x, vec *mantissa, vec *exponent) { dsplit_power(x, mantissa, exponent); }
#endif

/* x = mantissa * 2^exponent with 1/sqrt2 <= mantissa < sqrt2, for positive normal x. */
#if VECTOR_BYTES == 64
INLINE void dsplit_middle(dvec x, dvec *mantissa, dvec *exponent) {
    dvec m = (dvec)_mm512_getmant_pd((__m512d)x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
    dvec e = (dvec)_mm512_getexp_pd((__m512d)x);
    divec large = m > dsplat(0x1.6a09e667f3bcdp0);
    *exponent = dpick(large, e + dsplat(1), e);
    *mantissa = dpick(large, m * dsplat(0.5), m);
}
#else
INLINE void dsplit_middle(dvec x, dvec *mantissa, dvec *exponent) {
    /* Subtracting the bits of 1/sqrt2 carries into the exponent just where it should; the exponent
     * becomes a number as the low bits of 2^52. */
    divec field = (divec)((udivec)(dbits_of(x) + (dbits_of(dsplat(1)) - dbits_of(dsplat(0x1.6a09e667f3bcdp-1)))) >> 52);
    *mantissa = dfrom_bits(dbits_of(x) - ((field - 1023) << 52));
    *exponent = dfrom_bits(field | dbits_of(dsplat(0x1p52))) - dsplat(0x1p52 + 1023);
}
#endif

/* c - a * b, rounded once.  Never written as an expression: a compiler may or may not fuse it. */
#if VECTOR_BYTES == 64
INLINE dvec residual(dvec c, dvec a, dvec b) { return (dvec)_mm512_fnmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
#elif VECTOR_BYTES == 32 && defined(__FMA__)
INLINE dvec residual(dvec c, dvec a, dvec b) { return (dvec)_mm256_fnmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
#else
INLINE dvec high_half(dvec x) { /* the upper 26 bits, cut, not rounded */
    return dfrom_bits(dbits_of(x) & ~(((dbits_of(dsplat(0)) + 1) << 27) - 1));
}
INLINE dvec residual(dvec c, dvec a, dvec b) { /* Dekker 1971: the partial products are exact */
    dvec ah = high_half(a), bh = high_half(b), al = a - ah, bl = b - bh;
    return (((c - ah * bh) - ah * bl) - al * bh) - al * bl;
}
#endif

/* The two (float: first and second half of the lanes; double: the same vector, nothing) in double. */
#if REAL_BITS == 64
#define HALVES 1
INLINE dvec half(vec x, int which) { return (void)which, x; }
#elif VECTOR_BYTES == 0
#define HALVES 1
INLINE dvec half(vec x, int which) { return (void)which, (dvec)x; }
#else
#define HALVES 2
typedef float half_vec __attribute__((vector_size(VECTOR_BYTES / 2)));
INLINE dvec half(vec x, int which) {
#if VECTOR_BYTES == 64
    __m256 part = which ? _mm512_extractf32x8_ps((__m512)x, 1) : _mm512_castps512_ps256((__m512)x);
    return (dvec)_mm512_cvtps_pd(part);
#elif defined(__AVX2__) /* GCC 12 converts a vector half by half where one instruction does it */
    return (dvec)_mm256_cvtps_pd(which ? _mm256_extractf128_ps((__m256)x, 1) : _mm256_castps256_ps128((__m256)x));
#else
    half_vec parts[2];
    memcpy(parts, &x, sizeof x);
    return __builtin_convertvector(parts[which], dvec);
#endif
}
#endif
/* What `half` takes apart. */
#if REAL_BITS == 64
INLINE vec joined(dvec first, dvec second) { return (void)second, first; }
#elif VECTOR_BYTES == 0
INLINE vec joined(dvec first, dvec second) { return (void)second, (vec)first; }
#elif VECTOR_BYTES == 64 /* never through memory: two halves stored would not be forwarded to a load of the whole */
INLINE vec joined(dvec first, dvec second) {
    return (vec)_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps((__m512d)first)),
                                   _mm512_cvtpd_ps((__m512d)second), 1);
}
#elif defined(__AVX2__) && VECTOR_BYTES == 32
INLINE vec joined(dvec first, dvec second) {
    return (vec)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)second), _mm256_cvtpd_ps((__m256d)first));
}
#else
INLINE vec joined(dvec first, dvec second) {
    half_vec parts[2] = {__builtin_convertvector(first, half_vec), __builtin_convertvector(second, half_vec)};
    vec r;
    memcpy(&r, parts, sizeof r);
    return r;
}
#endif
/* Rounded to the element type. */
#if REAL_BITS == 64
INLINE dvec as_float(dvec x) { return x; }
#elif VECTOR_BYTES == 0
INLINE dvec as_float(dvec x) { return (dvec)(real)x; }
#else
INLINE dvec as_float(dvec x) { return __builtin_convertvector(__builtin_convertvector(x, half_vec), dvec); }
#endif
/* DLANES elements starting at p, in double. */
#if REAL_BITS == 64
INLINE dvec load_double(const real *p) { return load(p); }
#elif VECTOR_BYTES == 0
INLINE dvec load_double(const real *p) { return (dvec)*p; }
#elif VECTOR_BYTES == 64
INLINE dvec load_double(const real *p) { return (dvec)_mm512_cvtps_pd(_mm256_loadu_ps(p)); }
#elif defined(__AVX2__)
INLINE dvec load_double(const real *p) { return (dvec)_mm256_cvtps_pd(_mm_loadu_ps(p)); }
#else
INLINE dvec load_double(const real *p) {
    half_vec part;
    memcpy(&part, p, sizeof part);
    return __builtin_convertvector(part, dvec);
}
#endif

/* Lanes whose byte is not zero. */
#if VECTOR_BYTES == 64
INLINE divec dbytes_set(const char *p) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)p);
    return (divec)_mm512_movm_epi64((__mmask8)_mm_test_epi8_mask(bytes, bytes));
}
#if REAL_BITS == 64
INLINE ivec bytes_set(const char *p) { return dbytes_set(p); }
#else
INLINE ivec bytes_set(const char *p) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    return (ivec)_mm512_movm_epi32(_mm_test_epi8_mask(bytes, bytes));
}
#endif
#elif defined(__AVX2__) && VECTOR_BYTES == 32
INLINE divec dbytes_set(const char *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return (divec)_mm256_cvtepi8_epi64(_mm_cvtsi32_si128(four)) != (divec){0};
}
#if REAL_BITS == 64
INLINE ivec bytes_set(const char *p) { return dbytes_set(p); }
#else
INLINE ivec bytes_set(const char *p) {
    return (ivec)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)) != (ivec){0};
}
#endif
#elif VECTOR_BYTES
#define BYTES_SET(name, ivec, lanes)                                      \
    INLINE ivec name(const char *p) {                                     \
        typedef signed char bytes __attribute__((vector_size(lanes)));    \
        bytes b;                                                          \
        memcpy(&b, p, sizeof b);                                          \
        return __builtin_convertvector(b, ivec) != (ivec){0};             \
    }
BYTES_SET(bytes_set, ivec, LANES)
BYTES_SET(dbytes_set, divec, DLANES)
#else
INLINE ivec bytes_set(const char *p) { return *p ? ~(ivec)0 : 0; }
INLINE divec dbytes_set(const char *p) { return *p ? ~(divec)0 : 0; }
#endif

/* c - a * b, rounded once but for a second rounding in the last bits of double. */
#if REAL_BITS == 64
INLINE vec vresidual(vec c, vec a, vec b) { return residual(c, a, b); }
#elif VECTOR_BYTES == 64
INLINE vec vresidual(vec c, vec a, vec b) { return (vec)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif VECTOR_BYTES == 32 && defined(__FMA__)
INLINE vec vresidual(vec c, vec a, vec b) { return (vec)_mm256_fnmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#elif VECTOR_BYTES == 0
INLINE vec vresidual(vec c, vec a, vec b) { return (vec)((dvec)c - (dvec)a * (dvec)b); }
#else /* the product of two floats is exact in double */
INLINE vec vresidual(vec c, vec a, vec b) {
    half_vec parts[2];
    for (int k = 0; k < 2; k++) parts[k] = __builtin_convertvector(half(c, k) - half(a, k) * half(b, k), half_vec);
    vec r;
    memcpy(&r, parts, sizeof r);
    return r;
}
#endif

/* a * b + c as every copy of a function must round it: compilers fuse only what stays in one basic block. */
#if VECTOR_BYTES == 64 && REAL_BITS == 64
INLINE vec fused(vec a, vec b, vec c) { return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
#elif VECTOR_BYTES == 64
INLINE vec fused(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif VECTOR_BYTES == 32 && defined(__FMA__) && REAL_BITS == 64
INLINE vec fused(vec a, vec b, vec c) { return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
#elif VECTOR_BYTES == 32 && defined(__FMA__)
INLINE vec fused(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
INLINE vec fused(vec a, vec b, vec c) { return a * b + c; }
#endif

/* Is the mask set in all lanes? */
#if LANES == DLANES
INLINE int all_set(ivec mask) { return dall((divec)mask); }
#elif VECTOR_BYTES == 64
INLINE int all_set(ivec mask) { return _mm512_movepi32_mask((__m512i)mask) == 0xffff; }
#elif defined(__AVX2__) && VECTOR_BYTES == 32
INLINE int all_set(ivec mask) { return _mm256_movemask_ps((__m256)mask) == 0xff; }
#elif defined(__SSE2__) && VECTOR_BYTES == 16
INLINE int all_set(ivec mask) { return _mm_movemask_ps((__m128)mask) == 0xf; }
#else
INLINE int all_set(ivec mask) {
    divec both;
    memcpy(&both, &mask, sizeof both); /* two lanes of float make one of double */
    return dall(both & (both << 32));
}
#endif

/* A table of 16 numbers in two registers, looked up by the low four bits of z: only where one
 * instruction does it. */
#if VECTOR_BYTES == 64
#define REGISTER_TABLE 1
#if REAL_BITS == 32
INLINE vec lookup_32(const float *table, vec z) { /* the low five bits */
    return (vec)_mm512_permutex2var_ps(_mm512_loadu_ps(table), (__m512i)z, _mm512_loadu_ps(table + 16));
}
#else
INLINE vec lookup_32(const float *table, vec z) { return (void)table, z; }
#endif
INLINE dvec lookup(const double *table, dvec z) {
    return (dvec)_mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)z, _mm512_loadu_pd(table + 8));
}
#else
#define REGISTER_TABLE 0
INLINE dvec lookup(const double *table, dvec z) { return (void)z, dsplat(table[0]); }
INLINE vec lookup_32(const float *table, vec z) { return (void)table, z; }
#endif

/* Exponentials by a table: 2^(j / TABLE) for j the low bits of z, as many as one instruction looks up; where
 * none does, from memory (float), or no table (double: the longer polynomial is cheaper). */
#if REAL_BITS == 32 && defined(__AVX2__) && VECTOR_BYTES == 32
#define TABLE 8
#define TABLE_SHIFT 3
#elif REAL_BITS == 32 || VECTOR_BYTES == 64
#define TABLE 16
#define TABLE_SHIFT 4
#elif defined(__AVX2__) && VECTOR_BYTES == 32
#define TABLE 2
#define TABLE_SHIFT 1
#else
#define TABLE 1
#define TABLE_SHIFT 0
#endif
/* Is such a table looked up in registers? */
#if VECTOR_BYTES >= 32 && TABLE > 1
#define REGISTER_LOOKUP 1
#else
#define REGISTER_LOOKUP 0
#endif
/* Is a sum's term cheaper where its exponent is known to be small?  Not float's with 32 powers in registers. */
#define CLOSE_TERMS (REGISTER_LOOKUP && !(REGISTER_TABLE && REAL_BITS == 32))
/* Is a weight multiplied with more easily than it is split? */
#define PRODUCTS (CLOSE_TERMS && !REGISTER_TABLE)
/* Vectors whose exponentials are computed side by side, as many as registers hold: for a sum, and in two parts. */
#define GROUP (!CLOSE_TERMS ? 1 : REAL_BITS == 32 ? 2 : REGISTER_TABLE ? 8 : 4)
#define PAIRED (REGISTER_TABLE || (CLOSE_TERMS && REAL_BITS == 64) ? 4 : 1)
/* Polynomials for |r| <= ln2 / (2 TABLE): (exp(r) - 1 - r) / r^2, the same to 2^-54 of itself, the same for twice as
 * large r, and, where CLOSE_TERMS, (exp(r) - 1) / r for a sum. */
#if REAL_BITS == 32 && TABLE == 8
#define TABLE_TAIL EXP_FLOAT_8
#define TABLE_TAIL_CLOSER EXP_FLOAT_8
#define TABLE_SHORT EXP_FLOAT_8_SHORT
#elif REAL_BITS == 32
#define TABLE_TAIL EXP_FLOAT_16
#define TABLE_TAIL_CLOSER EXP_FLOAT_16
#define TABLE_TAIL_WIDE EXP_FLOAT_8
#define TABLE_SHORT EXP_FLOAT_16
#elif TABLE == 16
#define TABLE_TAIL EXP_DOUBLE_16
#define TABLE_TAIL_CLOSER EXP_PAIR_16
#define TABLE_TAIL_WIDE EXP_DOUBLE_16_WIDE
#define TABLE_SHORT EXP_DOUBLE_16_SHORT
#else
#define TABLE_TAIL EXP_DOUBLE_2
#define TABLE_TAIL_CLOSER EXP_DOUBLE_2
#define TABLE_SHORT EXP_DOUBLE_2_SHORT
#endif
#ifndef TABLE_TAIL_WIDE
#define TABLE_TAIL_WIDE TABLE_TAIL /* never looked at */
#endif
#define DEGREE(coefficients) ((int)(sizeof(coefficients) / sizeof(coefficients[0])) - 1)
INLINE vec either_bits(vec x, vec y) { return from_bits(bits_of(x) | bits_of(y)); }
/* x, computed before the test that follows: compilers move what one branch alone needs behind it, and all that
 * it is computed from to memory. */
INLINE vec here(vec x) {
#if CLOSE_TERMS
    __asm__("" : "+x"(x));
#endif
    return x;
}
/* x, a product that is rounded before it is added to another: compilers may fuse the two, here and not elsewhere. */
INLINE vec rounded(vec x) {
#if defined(__GNUC__) && REGISTER_LOOKUP
    __asm__("" : "+v"(x));
#endif
    return x;
}
/* p, of which the compiler knows nothing: what is read through it is read where it is used, not held in a register
 * all through a loop that has none to spare. */
INLINE const real *unheld(const real *p) {
#if CLOSE_TERMS && REAL_BITS == 64
    __asm__("" : "+r"(p));
#endif
    return p;
}
/* n, of which the compiler knows nothing: a function is then not copied once more for every n. */
INLINE int unknown(int n) {
#if defined(__GNUC__)
    __asm__("" : "+r"(n));
#endif
    return n;
}
#if REAL_BITS == 64
#define WHOLE_NUMBERS 0x1.8p52
#define MANTISSA_BITS 52
#define LN2_NEAREST LN2_NEAREST_DOUBLE
#define LN2_REST LN2_REST_DOUBLE
#if TABLE == 2 /* the instruction looks at bit 1 */
INLINE vec vlookup(const real *table, vec z) {
    return (vec)_mm256_permutevar_pd(_mm256_broadcast_pd((const __m128d *)table), _mm256_add_epi64((__m256i)z, (__m256i)z));
}
#else
INLINE vec vlookup(const real *table, vec z) { return lookup(table, z); }
#endif
#else
#define WHOLE_NUMBERS 0x1.8p23f
#define MANTISSA_BITS 23
#define LN2_NEAREST LN2_NEAREST_FLOAT
#define LN2_REST LN2_REST_FLOAT
#if VECTOR_BYTES == 64
INLINE vec vlookup(const real *table, vec z) { return (vec)_mm512_permutexvar_ps((__m512i)z, _mm512_loadu_ps(table)); }
#elif TABLE_SHIFT == 3
INLINE vec vlookup(const real *table, vec z) {
    return (vec)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)z);
}
#else
INLINE vec vlookup(const real *table, vec z) {
#if VECTOR_BYTES == 16
    integer j[LANES];
    memcpy(j, &z, sizeof z);
    return (vec){table[j[0] & (TABLE - 1)], table[j[1] & (TABLE - 1)], table[j[2] & (TABLE - 1)],
                 table[j[3] & (TABLE - 1)]};
#else
    integer j;
    memcpy(&j, &z, sizeof z);
    return table[j & (TABLE - 1)];
#endif
}
#endif
#endif
/* Adding and removing it rounds to multiples of 1 / TABLE, and the low bits of the sum count them. */
#define WHOLE_STEPS (WHOLE_NUMBERS / TABLE)
/* |x| < 2^22 (double 2^51) to the next whole number, and 2^k for whole k. */
INLINE vec nearest_whole(vec x) { return (x + splat(WHOLE_NUMBERS)) - splat(WHOLE_NUMBERS); }
INLINE vec power_of_whole(vec k) {
    return from_bits((bits_of(k + splat(WHOLE_NUMBERS)) + (2 * ((integer)1 << (REAL_BITS - MANTISSA_BITS - 3)) - 1))
                     << MANTISSA_BITS);
}
/* 2^(k + raised) for the whole number k next to x. */
INLINE vec raised_power(vec x, int raised) {
    return from_bits(bits_of(x + splat(WHOLE_NUMBERS + (real)(REAL_BITS == 32 ? 127 : 1023) + (real)raised)) << MANTISSA_BITS);
}
#if VECTOR_BYTES != 64
INLINE vec scaled(vec x, vec k) { return x * power_of_whole(k); } /* for whole k, where 2^k and the answer are normal */
#endif
/* A table of 16 floats, in place of one of TABLE. */
#if REAL_BITS == 32 && TABLE == 8
INLINE vec lookup_16(const real *table, vec z) {
    __m256i j = (__m256i)z;
    return (vec)_mm256_blendv_ps(_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), j),
                                 _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), j),
                                 (__m256)_mm256_slli_epi32(j, 28));
}
#else
INLINE vec lookup_16(const real *table, vec z) { return vlookup(table, z); }
#endif
/* For a logarithm of positive normal x = 2^e m, 1.46875 / 2 <= m < 1.46875: i / 2^e for that i of INVERSES which is next
 * to 1 / m, and its place there (1 where m is between 1 - 1/64 and 1 + 1/32), and e + bias, in units of an exponent's
 * lowest bit.  Adding to the bits of x carries into the exponent just where it should; i's bits hold the bias once
 * more, so that those of 2^e can be taken from them: not beyond 2^124. */
#if REGISTER_TABLE
INLINE dvec dinverse_near(dvec x, dvec *place, dvec *exponent) {
    divec shifted = dbits_of(x) + 0x0008800000000000LL, field = shifted & 0x7ff0000000000000LL;
    *place = dfrom_bits(shifted >> 48);
    *exponent = (dvec)_mm512_cvtepi64_pd((__m512i)field);
    return dfrom_bits(dbits_of(lookup(INVERSES, *place)) - field);
}
#else
INLINE dvec dinverse_near(dvec x, dvec *place, dvec *exponent) { return *place = *exponent = x; }
#endif
#if REAL_BITS == 64
INLINE vec inverse_near(vec x, vec *place, vec *exponent) { return dinverse_near(x, place, exponent); }
#elif REGISTER_LOOKUP
INLINE vec inverse_near(vec x, vec *place, vec *exponent) {
    ivec shifted = bits_of(x) + 0x00440000, field = shifted & 0x7f800000;
    *place = from_bits(shifted >> 19);
#if VECTOR_BYTES == 64
    *exponent = (vec)_mm512_cvtepi32_ps((__m512i)field);
#else
    *exponent = (vec)_mm256_cvtepi32_ps((__m256i)field);
#endif
    return from_bits(bits_of(lookup_16(FLOAT_INVERSES, *place)) - field);
}
#else
INLINE vec inverse_near(vec x, vec *place, vec *exponent) { return *place = *exponent = x; }
#endif
/* 1 / x for x a normal number, to an eighth of itself: a reciprocal's bits are nearly what its argument's lack of a
 * constant. */
INLINE vec coarse_inverse(vec x) {
#if REAL_BITS == 64
    return from_bits(bits_of(splat(0x1.e623822fc16e6p+1022)) - bits_of(x));
#else
    return from_bits(bits_of(splat(0x1.e6238ep+126f)) - bits_of(x));
#endif
}
/* t 2^floor(k) for z = k + WHOLE_STEPS, if that is a normal number: z's bits, moved up, are the exponent and, below
 * it, j, which t's bits lack (BARE).  scalef would hold up the adders twice as long as this. */
INLINE vec times_power(vec t, vec z) {
    return from_bits(bits_of(t) + (bits_of(z) << (MANTISSA_BITS - TABLE_SHIFT)));
}
/* t * 2^(floor(k) - power) for k a multiple of 1 / TABLE, whole power and 1 <= t < 2, rounded once where that is
 * subnormal, or 0. */
#if VECTOR_BYTES == 64
INLINE vec rounded_at(vec t, vec k, vec power) { return scaled(t, k - power); }
#else
INLINE vec rounded_at(vec t, vec k, vec power) {
    /* Half of the exponent leaves a normal number; the other half alone may round. */
#if REAL_BITS == 32
    ivec count = (bits_of(k + splat(WHOLE_STEPS)) - bits_of(splat(WHOLE_STEPS))) >> TABLE_SHIFT;
    ivec whole = count - (bits_of(power + splat(WHOLE_NUMBERS)) - bits_of(splat(WHOLE_NUMBERS))), half_way = whole >> 1;
    return (t * from_bits((half_way + 127) << 23)) * from_bits((whole - half_way + 127) << 23);
#else
    vec whole = nearest_whole(k - splat(0.5 - 0.5 / TABLE)) - power, half_way = nearest_whole(whole * splat(0.5));
    return (t * power_of_whole(half_way)) * power_of_whole(whole - half_way);
#endif
}
#endif

/* 0 where x < least, else (where it is NaN too) t, or rounded_at(t, k, power): what is 0 in the end must not be computed
 * from products below the range of normal numbers, for which processors take hundreds of cycles. */
#if VECTOR_BYTES == 64 && REAL_BITS == 64
INLINE vec from_least(vec least, vec x, vec t) {
    return (vec)_mm512_maskz_mov_pd(_mm512_cmp_pd_mask((__m512d)x, (__m512d)least, _CMP_NLT_UQ), (__m512d)t);
}
INLINE vec rounded_from(vec least, vec x, vec t, vec k, vec power) {
    __mmask8 kept = _mm512_cmp_pd_mask((__m512d)x, (__m512d)least, _CMP_NLT_UQ);
    return (vec)_mm512_maskz_scalef_pd(kept, (__m512d)t, (__m512d)(k - power));
}
#elif VECTOR_BYTES == 64
INLINE vec from_least(vec least, vec x, vec t) {
    return (vec)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)x, (__m512)least, _CMP_NLT_UQ), (__m512)t);
}
INLINE vec rounded_from(vec least, vec x, vec t, vec k, vec power) {
    __mmask16 kept = _mm512_cmp_ps_mask((__m512)x, (__m512)least, _CMP_NLT_UQ);
    return (vec)_mm512_maskz_scalef_ps(kept, (__m512)t, (__m512)(k - power));
}
#else
INLINE vec from_least(vec least, vec x, vec t) { return pick(x < least, splat(0), t); }
INLINE vec rounded_from(vec least, vec x, vec t, vec k, vec power) {
    return rounded_at(from_least(least, x, t), k, power);
}
#endif

#if defined(__GNUC__)
#define prefetch(p) __builtin_prefetch(p)
#define prefetch_far(p) __builtin_prefetch(p, 0, 2) /* into the second cache, which has more answers under way */
#else
#define prefetch(p) ((void)(p))
#define prefetch_far(p) ((void)(p))
#endif

/* The elements of two neighbouring vectors from a's count < LANES on: where one instruction does it. */
#if VECTOR_BYTES == 64 && REAL_BITS == 64
#define SHIFTS 1
INLINE vec shifted(vec a, vec b, ptrdiff_t count) {
    return (vec)_mm512_permutex2var_pd((__m512d)a, (__m512i)((divec){0, 1, 2, 3, 4, 5, 6, 7} + count), (__m512d)b);
}
#elif VECTOR_BYTES == 64
#define SHIFTS 1
INLINE vec shifted(vec a, vec b, ptrdiff_t count) {
    ivec first = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return (vec)_mm512_permutex2var_ps((__m512)a, (__m512i)(first + (int32_t)count), (__m512)b);
}
#else
#define SHIFTS 0
INLINE vec shifted(vec a, vec b, ptrdiff_t count) { return (void)b, (void)count, a; }
#endif

/* Neighbouring rows of n elements, moved apart to one in each m >= n lanes: where one instruction does it. */
#if VECTOR_BYTES == 64 || (VECTOR_BYTES == 32 && defined(__AVX2__) && REAL_BITS == 32)
#define PERMUTES 1
INLINE ivec row_places(ptrdiff_t n, ptrdiff_t m) {
    integer places[LANES];
    for (int k = 0; k < LANES; k++) places[k] = m ? (integer)(k / m * n + k % m) & (LANES - 1) : 0;
    ivec r;
    memcpy(&r, places, sizeof r);
    return r;
}
INLINE vec permuted(vec x, ivec places) {
#if VECTOR_BYTES == 32
    return (vec)_mm256_permutevar8x32_ps((__m256)x, (__m256i)places);
#elif REAL_BITS == 64
    return (vec)_mm512_permutexvar_pd((__m512i)places, (__m512d)x);
#else
    return (vec)_mm512_permutexvar_ps((__m512i)places, (__m512)x);
#endif
}
#else
#define PERMUTES 0
INLINE ivec row_places(ptrdiff_t n, ptrdiff_t m) { return (void)n, (void)m, bits_of(splat(0)); }
INLINE vec permuted(vec x, ivec places) { return (void)places, x; }
#endif

#if LANES > 1
#if defined(__clang__) || __GNUC__ >= 12
#define CHOSEN(indices, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define CHOSEN(indices, a, b, ...) __builtin_shuffle(a, b, (indices){__VA_ARGS__})
#endif
#if LANES == 16
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define FIRSTS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define SECONDS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define LOW_ONES 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH_ONES 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#elif LANES == 8
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15
#define FIRSTS 0, 8, 1, 9, 2, 10, 3, 11
#define SECONDS 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_ONES 0, 8, 1, 9, 4, 12, 5, 13
#define HIGH_ONES 2, 10, 3, 11, 6, 14, 7, 15
#elif LANES == 4
#define EVENS 0, 2, 4, 6
#define ODDS 1, 3, 5, 7
#define FIRSTS 0, 4, 1, 5
#define SECONDS 2, 6, 3, 7
#define LOW_ONES 0, 4, 1, 5
#define HIGH_ONES 2, 6, 3, 7
#else
#define EVENS 0, 2
#define ODDS 1, 3
#define FIRSTS 0, 2
#define SECONDS 1, 3
#endif
#if VECTOR_BYTES == 64
#define LOW_TWOS 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH_TWOS 1, 9, 3, 11, 5, 13, 7, 15
#define EVEN_PIECES 0, 1, 4, 5, 8, 9, 12, 13
#define ODD_PIECES 2, 3, 6, 7, 10, 11, 14, 15
#elif VECTOR_BYTES == 32
#define LOW_TWOS 0, 4, 2, 6
#define HIGH_TWOS 1, 5, 3, 7
#define EVEN_PIECES 0, 1, 4, 5
#define ODD_PIECES 2, 3, 6, 7
#else
#define LOW_TWOS 0, 2
#define HIGH_TWOS 1, 3
#endif
/* Splits the elements of two neighbouring vectors into those of even and those of odd index. */
INLINE vec evens(vec a, vec b) { return CHOSEN(ivec, a, b, EVENS); }
INLINE vec odds(vec a, vec b) { return CHOSEN(ivec, a, b, ODDS); }
/* The reverse: the first, or the second, halves of two vectors, element by element in turn. */
INLINE vec firsts(vec a, vec b) { return CHOSEN(ivec, a, b, FIRSTS); }
INLINE vec seconds(vec a, vec b) { return CHOSEN(ivec, a, b, SECONDS); }
/* The same of each piece of 16 bytes, which every machine does in one step where whole vectors may take it two: by
   single floats, and by 8 bytes. */
#if REAL_BITS == 32
INLINE vec low_ones(vec a, vec b) { return CHOSEN(ivec, a, b, LOW_ONES); }
INLINE vec high_ones(vec a, vec b) { return CHOSEN(ivec, a, b, HIGH_ONES); }
#endif
INLINE vec low_twos(vec a, vec b) { return (vec)CHOSEN(divec, (dvec)a, (dvec)b, LOW_TWOS); }
INLINE vec high_twos(vec a, vec b) { return (vec)CHOSEN(divec, (dvec)a, (dvec)b, HIGH_TWOS); }
/* Splits two neighbouring vectors into pieces of even and of odd index. */
#if VECTOR_BYTES > 16
INLINE vec even_pieces(vec a, vec b) { return (vec)CHOSEN(divec, (dvec)a, (dvec)b, EVEN_PIECES); }
INLINE vec odd_pieces(vec a, vec b) { return (vec)CHOSEN(divec, (dvec)a, (dvec)b, ODD_PIECES); }
#endif
#else
INLINE vec firsts(vec a, vec b) { return (void)b, a; }
INLINE vec seconds(vec a, vec b) { return (void)a, b; }
INLINE vec evens(vec a, vec b) { return (void)b, a; }
INLINE vec odds(vec a, vec b) { return (void)a, b; }
INLINE vec low_twos(vec a, vec b) { return (void)b, a; }
INLINE vec high_twos(vec a, vec b) { return (void)a, b; }
#endif
#if LANES == 1 || REAL_BITS == 64
INLINE vec low_ones(vec a, vec b) { return (void)b, a; }
INLINE vec high_ones(vec a, vec b) { return (void)a, b; }
#endif
#if VECTOR_BYTES <= 16
INLINE vec even_pieces(vec a, vec b) { return (void)b, a; }
INLINE vec odd_pieces(vec a, vec b) { return (void)a, b; }
#endif

#endif
