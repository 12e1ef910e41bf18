# Elements of any type, alignment and byte order, copied into float or double: a few at a time, into
# buffers that stay in L1.

cimport numpy as cnp
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from lsecy._arguments cimport BFLOAT16

ctypedef fused Source:
    int8_t
    int16_t
    int32_t
    int64_t
    uint8_t
    uint16_t
    uint32_t
    uint64_t
    float
    double

ctypedef fused Target:
    float
    double


cdef inline void copy_as(const char *source, Py_ssize_t step, bint swapped, Source *kind,
                         Target *target, Py_ssize_t target_step, Py_ssize_t count) noexcept nogil:
    # `kind` only names the type.
    cdef Source value
    cdef char bytes[8]
    cdef Py_ssize_t i
    cdef unsigned int k
    for i in range(count):
        if swapped:
            for k in range(sizeof(Source)):
                bytes[k] = source[sizeof(Source) - 1 - k]
            memcpy(&value, bytes, sizeof(Source))
        else:
            memcpy(&value, source, sizeof(Source))
        target[i * target_step] = <Target> value
        source += step


cdef inline void copy_half(const char *source, Py_ssize_t step, bint swapped,
                           Target *target, Py_ssize_t target_step, Py_ssize_t count) noexcept nogil:
    # float16: sign, 5 bits of exponent, 10 of mantissa, moved to their places in a float32; the
    # factor 2^112 mends the exponent's bias, subnormals included (IEEE 754-2019, 3.4).
    cdef uint16_t half
    cdef uint32_t bits
    cdef float value
    cdef Py_ssize_t i
    for i in range(count):
        memcpy(&half, source, 2)
        if swapped:
            half = <uint16_t> ((half >> 8) | (half << 8))
        bits = <uint32_t> (half & 0x7FFF) << 13
        # No branch: signs are as good as random.
        bits |= (<uint32_t> 0x7F800000 if (half & 0x7C00) == 0x7C00 else 0) | (<uint32_t> (half & 0x8000) << 16)
        memcpy(&value, &bits, 4)
        target[i * target_step] = <Target> (value * <float> 5.192296858534828e33)
        source += step


cdef inline void copy_bfloat(const char *source, Py_ssize_t step,
                             Target *target, Py_ssize_t target_step, Py_ssize_t count) noexcept nogil:
    # bfloat16 is the upper half of a float32.
    cdef uint16_t half
    cdef uint32_t bits
    cdef float value
    cdef Py_ssize_t i
    for i in range(count):
        memcpy(&half, source, 2)
        bits = <uint32_t> half << 16
        memcpy(&value, &bits, 4)
        target[i * target_step] = <Target> value
        source += step


# And back, rounded to nearest, ties to even (IEEE 754-2019, 4.3.1).  Both ways and all cases are computed and one is
# chosen, for loops without branches are what compilers turn into vectors.

cdef inline void round_to_half(const float *source, uint16_t *target, Py_ssize_t count) noexcept nogil:
    # NumPy's own conversion raises a flag at each subnormal number, which takes a hundred times as long.
    cdef int32_t bits, size, normal, subnormal, half
    cdef float value
    cdef Py_ssize_t i
    for i in range(count):
        memcpy(&bits, source + i, 4)
        size = bits & 0x7FFFFFFF
        # A half of the last bit's place is added, or a little less where the last bit is even.
        normal = (size - 0x38000000 + 0xFFF + ((size >> 13) & 1)) >> 13
        normal = normal if normal < 0x7C00 else 0x7C00
        # Beside 1/2 the last bit of a float32 stands for 2^-24, as that of a subnormal float16 does.
        memcpy(&value, &size, 4)
        value = value + <float> 0.5
        memcpy(&subnormal, &value, 4)
        half = normal if size >= 0x38800000 else subnormal - 0x3F000000    # 2^-14; 1/2
        half = half if size <= 0x7F800000 else 0x7E00    # NaN
        target[i] = <uint16_t> (half | ((bits >> 16) & 0x8000))


cdef inline void round_to_bfloat(const float *source, uint16_t *target, Py_ssize_t count) noexcept nogil:
    cdef int32_t bits, half
    cdef Py_ssize_t i
    for i in range(count):
        memcpy(&bits, source + i, 4)
        half = (bits >> 16) + (((bits & 0xFFFF) + 0x7FFF + ((bits >> 16) & 1)) >> 16)
        half = half if (bits & 0x7FFFFFFF) <= 0x7F800000 else ((bits >> 16) & 0x8000) | 0x7FC0
        target[i] = <uint16_t> half


cdef inline void convert(const char *source, int type, bint swapped, Py_ssize_t step,
                         Target *target, Py_ssize_t target_step, Py_ssize_t count) noexcept nogil:
    # `count` elements, `step` bytes apart, to every `target_step`-th of target.
    if type == cnp.NPY_DOUBLE:
        copy_as(source, step, swapped, <double *> NULL, target, target_step, count)
    elif type == cnp.NPY_FLOAT:
        copy_as(source, step, swapped, <float *> NULL, target, target_step, count)
    elif type == BFLOAT16:
        copy_bfloat(source, step, target, target_step, count)
    elif type == cnp.NPY_FLOAT16:
        copy_half(source, step, swapped, target, target_step, count)
    elif type == cnp.NPY_BOOL or type == cnp.NPY_UBYTE:
        copy_as(source, step, swapped, <uint8_t *> NULL, target, target_step, count)
    elif type == cnp.NPY_BYTE:
        copy_as(source, step, swapped, <int8_t *> NULL, target, target_step, count)
    elif type == cnp.NPY_SHORT:
        copy_as(source, step, swapped, <int16_t *> NULL, target, target_step, count)
    elif type == cnp.NPY_USHORT:
        copy_as(source, step, swapped, <uint16_t *> NULL, target, target_step, count)
    elif type == cnp.NPY_INT or (type == cnp.NPY_LONG and sizeof(long) == 4):
        copy_as(source, step, swapped, <int32_t *> NULL, target, target_step, count)
    elif type == cnp.NPY_UINT or (type == cnp.NPY_ULONG and sizeof(long) == 4):
        copy_as(source, step, swapped, <uint32_t *> NULL, target, target_step, count)
    elif type == cnp.NPY_LONG or type == cnp.NPY_LONGLONG:
        copy_as(source, step, swapped, <int64_t *> NULL, target, target_step, count)
    else:
        copy_as(source, step, swapped, <uint64_t *> NULL, target, target_step, count)
