# How many threads a piece of work is worth: at least one, at most `pieces`.  `work` is in elements.
cdef int plan(Py_ssize_t work, Py_ssize_t pieces) noexcept nogil
cdef double seconds() noexcept nogil
cdef void await_team(Py_ssize_t *arrived, double began) noexcept nogil
