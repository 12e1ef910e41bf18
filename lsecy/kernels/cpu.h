/* What this processor and its operating system can run: the same features that meson.build's flags
 * let the compiler use.  The compilers' own tests differ in what they see, so cpuid is asked here. */
#ifndef LSECY_CPU_H
#define LSECY_CPU_H

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#ifdef _MSC_VER
#include <immintrin.h>
#include <intrin.h>
static void lsecy_cpuid(unsigned *r, int leaf) { __cpuidex((int *)r, leaf, 0); }
static unsigned lsecy_saved(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void lsecy_cpuid(unsigned *r, int leaf) { __cpuid_count(leaf, 0, r[0], r[1], r[2], r[3]); }
static unsigned lsecy_saved(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

/* The first feature of instruction set `isa` that is missing here, or NULL. */
static const char *lsecy_cpu_lacks(const char *isa) {
    static const struct { const char *name; int leaf, word, bit, wide; } features[] = {
        {"fma", 1, 2, 12, 0},      {"avx", 1, 2, 28, 0},      {"avx2", 7, 1, 5, 0},
        {"avx512f", 7, 1, 16, 1},  {"avx512dq", 7, 1, 17, 1}, {"avx512bw", 7, 1, 30, 1},
        {"avx512vl", 7, 1, 31, 1},
    };
    unsigned r[4], leaves[8][4] = {{0}}, saved;
    int wide = strcmp(isa, "avx512") == 0;
    if (!wide && strcmp(isa, "avx2") != 0) return strcmp(isa, "neon") == 0 ? "neon" : NULL;
    lsecy_cpuid(r, 0);
    lsecy_cpuid(leaves[1], 1);
    if (r[0] >= 7) lsecy_cpuid(leaves[7], 7);
    for (size_t k = 0; k < sizeof features / sizeof *features; k++)
        if (features[k].wide <= wide && !(leaves[features[k].leaf][features[k].word] >> features[k].bit & 1))
            return features[k].name;
    /* The operating system must save the registers; xgetbv is legal only where it says so. */
    if (!(leaves[1][2] >> 27 & 1)) return "osxsave";
    saved = lsecy_saved();
    if ((saved & 0x06) != 0x06) return "256-bit registers saved by the system";
    if (wide && (saved & 0xe6) != 0xe6) return "512-bit registers saved by the system";
    return NULL;
}
#else
static const char *lsecy_cpu_lacks(const char *isa) {
#if defined(__aarch64__) || defined(_M_ARM64)
    if (strcmp(isa, "neon") == 0) return NULL;
#endif
    return strcmp(isa, "scalar") == 0 ? NULL : isa;
}
#endif

#endif
