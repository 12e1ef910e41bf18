# The contract between the ufuncs and a kernel module: one function per operation, for one
# (instruction set, element type).  Elements are neighbours; `out` may be an input's own memory.
# x2 is not read by an operation of one argument; `sign` is written by SIGNED_LOGSUBEXP alone.

cdef enum Operation:
    LOGADDEXP
    LOGSUBEXP
    SIGNED_LOGSUBEXP
    LOG1MEXP
    LOG1PEXP
    OPERATIONS    # how many there are

ctypedef void (*Kernel)(const void *x1, const void *x2, Py_ssize_t n, void *out, void *sign) noexcept nogil

cdef struct PairKernels:
    Kernel functions[5]    # one per Operation
