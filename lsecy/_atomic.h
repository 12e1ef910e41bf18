/* Takes the next number from a counter that threads share: it is returned, and one more is left. */
#ifndef LSECY_ATOMIC_H
#define LSECY_ATOMIC_H

#include <Python.h>

#ifdef _MSC_VER
#include <intrin.h>
static inline Py_ssize_t lsecy_take(Py_ssize_t *counter) { return _InterlockedExchangeAdd64(counter, 1); }
#else
static inline Py_ssize_t lsecy_take(Py_ssize_t *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }
#endif

#endif
