/* What this machine can do at best, by `threads` OpenMP threads together, so that a time can be read beside
 * it.
 *
 *   peak  exponentials that are summed per second, all data in L1
 *   read  elements per second of an array that is only read
 *   copy  elements per second of an array that is read and written to another
 *
 * performance.py builds this file once per element type, -DREAL=float or -DREAL=double, and calls it.
 */
#include <math.h>
#include <omp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#    include <immintrin.h>
#endif
#ifdef __AVX512F__
#    define BYTES 64
#elif defined(__AVX__)
#    define BYTES 32
#else
#    define BYTES 16
#endif
#define SINGLE (sizeof(REAL) == 4)
#define LANES  (BYTES / (ptrdiff_t)sizeof(REAL))
#define UNROLL 8
#define STRIPE (UNROLL * LANES)
/* What is fetched before it is asked for: a page on, where the hardware stops to look ahead. */
#define AHEAD (4096 / (ptrdiff_t)sizeof(REAL))
/* Keeps the timed loops from being optimised away. */
#define OPAQUE __attribute__((noipa))

typedef __typeof__(_Generic((REAL)0, float: (int32_t)0, double: (int64_t)0)) integer;
typedef REAL vec __attribute__((vector_size(BYTES)));
typedef integer ivec __attribute__((vector_size(BYTES)));
typedef REAL unaligned __attribute__((vector_size(BYTES), aligned(sizeof(REAL))));

/* exp(x) = t e^r, t = 2^(k / 2^STEPS) with a whole number k, as cheap as we know: t's fraction from a table
 * that lies in registers, where the instruction set can look it up, and of e^r as many terms as a minimax
 * polynomial needs.  (They are Taylor's: the cost is measured, not the digits.) */
#if defined(__AVX512F__)
#    define STEPS (SINGLE ? 5 : 4)
#    define TERMS (SINGLE ? 3 : 6)
#elif defined(__AVX2__)
#    define STEPS (SINGLE ? 3 : 1)
#    define TERMS (SINGLE ? 3 : 9)
#else
#    define STEPS 0
#    define TERMS (SINGLE ? 6 : 11)
#endif
#define MANTISSA (SINGLE ? 23 : 52)
static REAL powers[32]; /* 2^(j / 2^STEPS), whose bits lack j: they come with those of k */

__attribute__((constructor)) static void fill_powers(void) {
    for (int j = 0; j < 1 << STEPS; j++) {
        REAL power = (REAL)exp2(j / (double)(1 << STEPS));
        integer bits;
        memcpy(&bits, &power, sizeof bits);
        bits -= (integer)j << (MANTISSA - STEPS);
        memcpy(&powers[j], &bits, sizeof bits);
    }
}

static inline vec fraction(vec z) {
#if defined(__AVX512F__)
    if (SINGLE)
        return (vec)_mm512_permutex2var_ps(_mm512_loadu_ps(powers), (__m512i)z,
                                           _mm512_loadu_ps((float *)powers + 16));
    return (vec)_mm512_permutex2var_pd(_mm512_loadu_pd(powers), (__m512i)z,
                                       _mm512_loadu_pd((double *)powers + 8));
#elif defined(__AVX2__)
    if (SINGLE)
        return (vec)_mm256_permutevar8x32_ps(_mm256_loadu_ps((float *)powers), (__m256i)z);
    return (vec)_mm256_permutevar_pd(_mm256_broadcast_pd((__m128d *)powers), (__m256i)((ivec)z << 1));
#else
    vec one = {0};
    return (void)z, one + 1;
#endif
}

static inline vec exponential(vec x) {
    const REAL shift = SINGLE ? 0x1.8p23 : 0x1.8p52, step = 1.0 / (1 << STEPS);
    vec z = x * (REAL)(1.4426950408889634 / step) + shift, k = z - shift;
    vec r = x - k * (REAL)(0x1.62e42fefa39efp-1 * step), p = {0};
    if (!SINGLE)
        r -= k * (REAL)(0x1.abc9e3b39803fp-56 * step);
    double factorial[] = {1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800};
    p += (REAL)(1 / factorial[TERMS - 1]);
    for (int i = TERMS - 2; i >= 0; i--)
        p = p * r + (REAL)(1 / factorial[i]);
    vec t = (vec)((ivec)fraction(z) + ((ivec)z << (MANTISSA - STEPS)));
    return (t * r) * p + t;
}

OPAQUE static REAL sum_exponentials(const REAL *x, ptrdiff_t n) {
    vec sums[UNROLL] = {0}, total = {0};
    for (ptrdiff_t i = 0; i + STRIPE <= n; i += STRIPE)
        for (int u = 0; u < UNROLL; u++)
            sums[u] += exponential(*(const unaligned *)(x + i + u * LANES));
    for (int u = 0; u < UNROLL; u++)
        total += sums[u];
    return total[0];
}

OPAQUE static REAL sum(const REAL *x, ptrdiff_t n) {
    vec sums[UNROLL] = {0}, total = {0};
    for (ptrdiff_t i = 0; i + STRIPE <= n; i += STRIPE)
        for (int u = 0; u < UNROLL; u++) {
            __builtin_prefetch(x + i + u * LANES + AHEAD);
            sums[u] += *(const unaligned *)(x + i + u * LANES);
        }
    for (int u = 0; u < UNROLL; u++)
        total += sums[u];
    return total[0];
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Seconds of the fastest of `repeats` runs of a statement by `threads` threads. */
#define FASTEST(repeats, threads, statement)                                                                 \
    double best = INFINITY;                                                                                  \
    for (int repeat = 0; repeat < (repeats); repeat++) {                                                     \
        double start = seconds();                                                                            \
        _Pragma("omp parallel num_threads(threads)") {                                                       \
            ptrdiff_t part = n / threads, first = omp_get_thread_num() * part;                               \
            statement;                                                                                       \
        }                                                                                                    \
        best = fmin(best, seconds() - start);                                                                \
    }                                                                                                        \
    return (double)n / best

double read(const REAL *x, ptrdiff_t n, int threads, int repeats) {
    FASTEST(repeats, threads, sum(x + first, part));
}

double copy(const REAL *x, REAL *y, ptrdiff_t n, int threads, int repeats) {
    FASTEST(repeats, threads, memcpy(y + first, x + first, part * sizeof(REAL)));
}

double peak(int threads) {
    enum { length = 8192 / sizeof(REAL), rounds = 1000 };
    REAL x[length];
    for (int i = 0; i < length; i++)
        x[i] = (REAL)(-8.0 * i / length);
    ptrdiff_t n = (ptrdiff_t)length * rounds * threads;
    FASTEST(30, threads, (void)first; (void)part;
            for (int k = 0; k < rounds; k++) sum_exponentials(x, length));
}
