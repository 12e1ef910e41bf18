# How many threads a piece of work is worth: at least one, at most `pieces`.  `work` is in elements.
cdef int plan(Py_ssize_t work, Py_ssize_t pieces) noexcept nogil

# When a parallel region was asked for, when its first thread was in it, which waits for the others to be free, and what
# that thread had had of a processor by then (-1: that was not asked), in seconds.
cdef struct Start:
    double began
    double entered
    double own_time

cdef double seconds() noexcept nogil
# By that thread, first and last: the wait is for `arrived` to reach the team.
cdef Start enter(double began) noexcept nogil
cdef void await_team(Py_ssize_t *arrived, Start start) noexcept nogil
