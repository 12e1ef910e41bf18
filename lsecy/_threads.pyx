"""The one door to OpenMP: how many threads a call may use."""

import contextlib
import math
import operator

cdef extern from "_openmp.h" nogil:
    enum:
        lsecy_has_openmp
    int lsecy_forked
    int lsecy_max_threads()
    int lsecy_team()
    double lsecy_seconds()
    double lsecy_own_seconds()
    void lsecy_wait_for(Py_ssize_t *counter, Py_ssize_t value)
    int lsecy_watch_fork()

# Elements per thread below which another thread costs more than it saves: waking a waiting worker
# takes about a microsecond, and a core folds 8 float32 a nanosecond.
cdef Py_ssize_t GRAIN = 16384

cdef int limit = 0    # set_num_threads; 0: none
cdef int quota = 0    # the container's share of the processors; 0: none

# Where another process holds a core, a thread that was to run there comes late by that process's time slice, some
# milliseconds.  When threads have cost more than they gained of late, calls stay on their own thread for a while: twice
# as long every time, and less long after calls whose threads were in time.
cdef double SHORTEST = 0.004    # seconds
cdef double LONGEST = 0.5
cdef double LATE = 0.0003     # seconds that no share of the work is longer than another's
cdef double MOST_CREDIT = 0.06
cdef double alone = SHORTEST
cdef double alone_until = 0
cdef double credit = MOST_CREDIT    # seconds that threads have gained of late, less those in which they were late

# The calling thread comes late too, where a worker that waits, which spins, or another process has its core: then it
# has had less of a processor than time has passed.  To ask for that takes a microsecond, so it is asked for a while
# after a region that took long.
cdef double LONG = 0.002
cdef double WATCHING = 0.05
cdef double watch_until = 0

lsecy_watch_fork()


cdef int plan(Py_ssize_t work, Py_ssize_t pieces) noexcept nogil:
    cdef int threads
    if work < 2 * GRAIN or pieces < 2 or limit == 1 or lsecy_forked:
        return 1
    threads = <int> max(1, min(allowed(), min(pieces, work // GRAIN)))
    if threads > 1 and alone_until > 0 and lsecy_seconds() < alone_until:
        return 1
    return threads


cdef double seconds() noexcept nogil:
    return lsecy_seconds()


cdef Start enter(double began) noexcept nogil:
    cdef Start start
    start.began = began
    start.entered = lsecy_seconds()
    start.own_time = lsecy_own_seconds() if began < watch_until else -1
    return start


cdef void await_team(Py_ssize_t *arrived, Start start) noexcept nogil:
    # Inside a parallel region: until all of its threads have arrived.
    global alone, alone_until, credit, watch_until
    cdef double ready = lsecy_seconds(), end, took, lost = 0
    if start.own_time >= 0:
        lost = max(0, (ready - start.entered) - (lsecy_own_seconds() - start.own_time))
    lsecy_wait_for(arrived, lsecy_team())
    end = lsecy_seconds()
    took = end - start.began
    if took > LONG:
        watch_until = end + WATCHING
    lost += (start.entered - start.began) + (end - ready)
    # Of items of equal size, a thread that has none left waits for one at most: half of the time, if there were three.
    if lost > max(LATE, 0.6 * took):
        credit -= lost
    elif took < LONG or start.own_time >= 0:    # else nobody knows
        credit = min(MOST_CREDIT, credit + (lsecy_team() - 1) * (took - lost))
        alone = max(SHORTEST, alone - 4 * took)
    if credit < 0:
        credit = 0
        alone_until = end + alone
        alone = min(LONGEST, 2 * alone)


cdef int allowed() noexcept nogil:
    # OpenMP is asked at every call, so that OMP_NUM_THREADS, the affinity mask and threadpoolctl count.
    cdef int threads = lsecy_max_threads()
    if limit:
        threads = min(threads, limit)
    elif quota:
        threads = min(threads, quota)
    return threads


def has_openmp():
    """Was the build made with OpenMP?"""
    return bool(lsecy_has_openmp)


def _container_quota():
    # cgroup version 2 keeps "quota period" in one file, version 1 in two; -1 or "max" is no limit.
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):
            words = []
            for name in names:
                with open("/sys/fs/cgroup/" + name) as file:
                    words += file.read().split()
            if words[0] != "max" and int(words[0]) > 0:
                return max(1, math.ceil(int(words[0]) / int(words[1])))
    return 0


def set_num_threads(n):
    """
    Limit the number of threads that every later call may use.

    Parameters
    ----------
    n : int or None
        At least 1; None removes the limit.
        OpenMP's own limits (``OMP_NUM_THREADS``, threadpoolctl) hold beside it.

    Raises
    ------
    TypeError
        If `n` is neither an integer nor None.
    ValueError
        If `n` is below 1.

    Notes
    -----
    The limit belongs to the process, not to the calling thread.
    Results do not depend on it: any number of threads gives the same bits.

    Examples
    --------
    >>> import lsecy
    >>> lsecy.set_num_threads(1)
    >>> lsecy.get_num_threads()
    1
    >>> lsecy.set_num_threads(None)
    """
    global limit
    limit = _checked("set_num_threads", n)


cdef int _checked(str function, n) except -1:
    if n is None:
        return 0
    try:
        number = operator.index(n)
    except TypeError:
        raise TypeError(f"{function}: n must be an int or None, not {type(n).__name__}") from None
    if number < 1:
        raise ValueError(f"{function}: n is {number}; allowed is an int from 1 on, or None")
    return min(number, 1 << 20)


def get_num_threads():
    """
    Return the number of threads that a large call would use now.

    Returns
    -------
    int
        The least of OpenMP's maximum and the limit set by `set_num_threads` or, where none is set,
        the processor quota of the container.
        1 without OpenMP, inside a parallel region, and in a forked child.

    Raises
    ------
    TypeError
        If called with an argument.

    Examples
    --------
    >>> import lsecy
    >>> lsecy.get_num_threads() >= 1
    True
    """
    return 1 if lsecy_forked else allowed()


class threads:
    """
    Limit the number of threads inside a ``with`` block.

    Parameters
    ----------
    n : int or None
        As for `set_num_threads`.

    Raises
    ------
    TypeError
        If `n` is neither an integer nor None.
    ValueError
        If `n` is below 1.

    Notes
    -----
    On leaving the block the limit that held before it is back.

    Examples
    --------
    >>> import lsecy
    >>> with lsecy.threads(1):
    ...     lsecy.get_num_threads()
    1
    """

    def __init__(self, n):
        self._limit = _checked("threads", n)
        self._before = []

    def __enter__(self):
        global limit
        self._before.append(limit)
        limit = self._limit
        return self

    def __exit__(self, *error):
        global limit
        limit = self._before.pop()


quota = _container_quota()
