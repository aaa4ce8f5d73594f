// What this machine's processor can do, asked of itself: __builtin_cpu_supports is part of a compiler's own library, and
// with Zig's in a shared library it knows of nothing.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>

namespace native {

// The registers that the system keeps for every thread, as XCR0 has them; 0 where it says nothing.
inline uint64_t kept_registers() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0;  // OSXSAVE
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return uint64_t(high) << 32 | low;
}

// AVX2 and FMA.
inline bool has_avx2() {
    unsigned a, b, c, d;
    if ((kept_registers() & 0x6) != 0x6) return false;  // XMM, YMM
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 12 & 1)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 5 & 1);
}

// AVX-512 F, DQ, BW, VL and VNNI.
inline bool has_avx512vnni() {
    unsigned a, b, c, d;
    if (!has_avx2() || (kept_registers() & 0xe6) != 0xe6) return false;  // and ZMM and the masks
    constexpr unsigned kFoundation = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & kFoundation) == kFoundation && (c >> 11 & 1);
}

}  // namespace native
#endif
