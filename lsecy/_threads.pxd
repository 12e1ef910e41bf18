# How many threads a piece of work is worth: at least one, at most `pieces`.  `work` is in elements.
cdef int plan(Py_ssize_t work, Py_ssize_t pieces) noexcept nogil
