/* OpenMP where the build has it, and the two facts that it does not tell. */
#ifndef LSECY_OPENMP_H
#define LSECY_OPENMP_H

#ifdef _OPENMP
#include <omp.h>
#define lsecy_has_openmp 1
/* Inside another parallel region the cores are taken already. */
static inline int lsecy_max_threads(void) { return omp_in_parallel() ? 1 : omp_get_max_threads(); }
#else
#define lsecy_has_openmp 0
static inline int lsecy_max_threads(void) { return 1; }
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
