# How many threads a piece of work is worth: at least one, at most `pieces`.  `work` is in elements.
cdef int plan(Py_ssize_t work, Py_ssize_t pieces) noexcept nogil
# A clock, and the wait at the end of a parallel region that began when it said so: for `arrived` to reach the team.
cdef double seconds() noexcept nogil
cdef void await_team(Py_ssize_t *arrived, double began) noexcept nogil
