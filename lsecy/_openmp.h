/* OpenMP where the build has it, and the two facts that it does not tell. */
#ifndef LSECY_OPENMP_H
#define LSECY_OPENMP_H

#include <Python.h>

#ifdef _OPENMP
#include <omp.h>
#define lsecy_has_openmp 1
/* Inside another parallel region the cores are taken already. */
static inline int lsecy_max_threads(void) { return omp_in_parallel() ? 1 : omp_get_max_threads(); }
static inline int lsecy_team(void) { return omp_get_num_threads(); }
#else
#define lsecy_has_openmp 0
static inline int lsecy_max_threads(void) { return 1; }
static inline int lsecy_team(void) { return 1; }
#endif

#if defined(__GNUC__) && !defined(_WIN32)
#include <time.h>
static inline double lsecy_read(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
static inline double lsecy_seconds(void) { return lsecy_read(CLOCK_MONOTONIC); }
/* What this thread has had of a processor. */
#ifdef CLOCK_THREAD_CPUTIME_ID
static inline double lsecy_own_seconds(void) { return lsecy_read(CLOCK_THREAD_CPUTIME_ID); }
#else
static inline double lsecy_own_seconds(void) { return lsecy_seconds(); }
#endif
/* Until threads have counted up to `value`: as OpenMP does for some microseconds, then asleep, so that a thread
 * whose core another process holds can move to this one. */
static inline void lsecy_wait_for(Py_ssize_t *counter, Py_ssize_t value) {
    const struct timespec moment = {0, 1000};
    for (int spins = 0; __atomic_load_n(counter, __ATOMIC_ACQUIRE) < value; spins++)
        if (spins >= 4000) nanosleep(&moment, NULL);
}
#else /* OpenMP's own barrier waits */
static inline double lsecy_seconds(void) { return 0; }
static inline double lsecy_own_seconds(void) { return 0; }
static inline void lsecy_wait_for(Py_ssize_t *counter, Py_ssize_t value) { (void)counter, (void)value; }
#endif

/* GNU OpenMP hangs in a child of a process that has used it, so a child stays serial.  Only
 * pthread_atfork sees every way of forking; a fork from C passes Python's hooks by. */
static int lsecy_forked = 0;
#ifdef _WIN32
static inline int lsecy_watch_fork(void) { return 0; }
#else
#include <pthread.h>
static void lsecy_in_child(void) { lsecy_forked = 1; }
static inline int lsecy_watch_fork(void) { return pthread_atfork(0, 0, lsecy_in_child); }
#endif

#endif
