# How many threads a piece of work is worth: at least one, at most `pieces`.  `work` is in elements.
cdef int plan(Py_ssize_t work, Py_ssize_t pieces) noexcept nogil

# When a parallel region began, and what its thread had had of a processor by then (-1: that was not asked), in seconds.
cdef struct Start:
    double time
    double own_time

cdef Start start_now() noexcept nogil
# The wait at the end of that region: for `arrived` to reach the team.
cdef void await_team(Py_ssize_t *arrived, Start began) noexcept nogil
