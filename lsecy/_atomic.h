/* Takes the next numbers from a counter that threads share: the first is returned, and what follows `some` is left. */
#ifndef LSECY_ATOMIC_H
#define LSECY_ATOMIC_H

#include <Python.h>

#ifdef _MSC_VER
#include <intrin.h>
static inline Py_ssize_t lsecy_take(Py_ssize_t *counter, Py_ssize_t some) {
    return _InterlockedExchangeAdd64(counter, some);
}
#else
static inline Py_ssize_t lsecy_take(Py_ssize_t *counter, Py_ssize_t some) {
    return __atomic_fetch_add(counter, some, __ATOMIC_RELAXED);
}
#endif

#endif
