# simd.h as Cython sees it.  A vector is declared as a number, because + - * / and comparisons work
# on it lane by lane; a mask as an int.

cdef extern from "simd.h" nogil:
    ctypedef float real
    ctypedef float vec
    ctypedef double dvec
    ctypedef int ivec
    ctypedef int divec
    enum:
        REAL_BITS
        LANES
        DLANES
        HALVES
        WIDTH
        DWIDTH
        REGISTER_TABLE
        TABLE
        REGISTER_LOOKUP
        CLOSE_TERMS
        PRODUCTS
        GROUP
        PAIRED
        SHIFTS
        PERMUTES
    vec splat(real x)
    dvec dsplat(double x)
    real lane(vec x, Py_ssize_t k)
    double dlane(dvec x, Py_ssize_t k)
    vec load(const real *p)
    dvec dload(const double *p)
    dvec load_double(const real *p)
    void store(real *p, vec x)
    vec load_some(const real *p, Py_ssize_t count, real filler)
    void dstore(double *p, dvec x)
    void stream(real *p, vec x)
    void end_stream()
    void store_some(real *p, vec x, Py_ssize_t count)
    void dstore_some(double *p, dvec x, Py_ssize_t count)
    vec pick(ivec mask, vec yes, vec no)
    dvec dpick(divec mask, dvec yes, dvec no)
    bint dany(divec mask)
    bint dall(divec mask)
    vec at_least(vec x, vec y)
    vec at_most(vec x, vec y)
    dvec dat_least(dvec x, dvec y)
    dvec dat_most(dvec x, dvec y)
    vec magnitude(vec x)
    vec here(vec x)
    vec either_bits(vec x, vec y)
    vec rounded(vec x)
    const real *unheld(const real *p)
    int unknown(int n)
    dvec dmagnitude(dvec x)
    ivec bytes_set(const char *p)
    divec dbytes_set(const char *p)
    vec vresidual(vec c, vec a, vec b)
    vec fused(vec a, vec b, vec c)
    vec scaled(vec x, vec k)
    vec vlookup(const real *table, vec z)
    vec lookup_16(const real *table, vec z)
    vec nearest_whole(vec x)
    vec power_of_whole(vec k)
    vec raised_power(vec x, int raised)
    vec coarse_inverse(vec x)
    vec times_power(vec t, vec z)
    real largest(vec x)
    vec rounded_at(vec t, vec k, vec power)
    vec from_least(vec least, vec x, vec t)
    vec rounded_from(vec least, vec x, vec t, vec k, vec power)
    bint all_set(ivec mask)
    const real WHOLE_NUMBERS
    const real WHOLE_STEPS
    const real TABLE_TAIL[9]
    const real TABLE_TAIL_CLOSER[9]
    const real TABLE_TAIL_WIDE[9]
    const real TABLE_SHORT[9]
    int TABLE_TAIL_DEGREE "DEGREE(TABLE_TAIL)"
    int TABLE_TAIL_CLOSER_DEGREE "DEGREE(TABLE_TAIL_CLOSER)"
    int TABLE_TAIL_WIDE_DEGREE "DEGREE(TABLE_TAIL_WIDE)"
    int TABLE_SHORT_DEGREE "DEGREE(TABLE_SHORT)"
    const real LN2_NEAREST
    const real LN2_REST
    vec in_range(vec x)
    vec term_in_range(vec x, vec z, vec k)
    dvec dterm_in_range(dvec x, dvec z, dvec k)
    dvec dterm_of_float(dvec x, dvec z, dvec k)
    const float FLOAT_ROUNDING
    const double COARSE_ROUNDING
    const double DOUBLE_ROUNDING
    vec term_of_power(vec x, vec k)
    vec weighted_term(vec x, vec k, vec weight)
    dvec dterm_of_power(dvec x, dvec k)
    dvec dscale(dvec x, dvec k)
    dvec dunscale(dvec x, dvec k)
    void split_power(vec x, vec *mantissa, vec *exponent)
    void dsplit_power(dvec x, dvec *mantissa, dvec *exponent)
    void dsplit_middle(dvec x, dvec *mantissa, dvec *exponent)
    dvec residual(dvec c, dvec a, dvec b)
    dvec half(vec x, int which)
    dvec as_float(dvec x)
    vec joined(dvec first, dvec second)
    dvec lookup(const double *table, dvec z)
    dvec dinverse_near(dvec x, dvec *place, dvec *exponent)
    vec inverse_near(vec x, vec *place, vec *exponent)
    vec lookup_32(const float *table, vec z)
    void prefetch(const void *p)
    void prefetch_far(const void *p)
    vec shifted(vec a, vec b, Py_ssize_t count)
    ivec row_places(Py_ssize_t n, Py_ssize_t m)
    vec permuted(vec x, ivec places)
    vec evens(vec a, vec b)
    vec odds(vec a, vec b)
    vec firsts(vec a, vec b)
    vec seconds(vec a, vec b)
    vec low_ones(vec a, vec b)
    vec high_ones(vec a, vec b)
    vec low_twos(vec a, vec b)
    vec high_twos(vec a, vec b)
    vec even_pieces(vec a, vec b)
    vec odd_pieces(vec a, vec b)

cdef extern from "coefficients.h" nogil:
    const float LN2_HIGH_FLOAT
    const float LN2_LOW_FLOAT
    const double LN2_HIGH_DOUBLE
    const double LN2_LOW_DOUBLE
    const float LN2_LOW_SHORT_FLOAT
    const double LN2_LOW_SHORT_DOUBLE
    const double LN2_EXCESS
    const float EXP_FLOAT[5]
    const double EXP_COARSE_16[3]
    const double EXP_DOUBLE_16[5]
    const double EXP_PAIR_16[6]
    const double EXP_COARSE[7]
    const double EXP_DOUBLE[10]
    const double EXP_PAIR[11]
    const double LOG_COARSE[5]
    const double LOG_PAIR[9]
    const double LOG_FAR[7]
    const double LOG_NEAR[5]
    const double INVERSES_LOG[16]
    const double LOG_BELOW[8]
    const float LOG_BELOW_FLOAT[4]
    const float FLOAT_INVERSES_LOG[16]
    const float EXP_FLOAT_8[3]
    const float EXP_FLOAT_32[2]
    const double HALF_STEPS[4]
    const double HALF_STEPS_REST[4]
    const double HALF_STEPS_BARE[4]
    const double SIXTEENTHS[16]
    const double SIXTEENTHS_LOW[16]
    const float FLOAT_SIXTEENTHS[16]
    const float FLOAT_SIXTEENTHS_REST[16]
    const float FLOAT_SIXTEENTHS_BARE[16]
    const float FLOAT_THIRTYSECONDS[32]
    const float FLOAT_EIGHTHS[8]
    const float FLOAT_EIGHTHS_REST[8]
    const float FLOAT_EIGHTHS_BARE[8]
    const double SIXTEENTHS_REST[16]
    const double SIXTEENTHS_BARE[16]
