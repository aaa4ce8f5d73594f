// AVX2 with 256 bit VNNI: Alder Lake and later, Zen 5.
#include <utility>

#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,avxvnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

namespace native {
namespace {

#include "avx2.inc"

constexpr int kOffset = 128;
constexpr bool kPairs = false;

INLINE Ints dot(Ints sum, Bytes w, Quad x) {
    return {_mm256_dpbusd_avx_epi32(sum.a, w.a, x.x), _mm256_dpbusd_avx_epi32(sum.b, w.b, x.x)};
}

INLINE Ints dot_words(Ints sum, Words w, Pair x) {
    return {_mm256_dpwssd_avx_epi32(sum.a, w.a, x.x), _mm256_dpwssd_avx_epi32(sum.b, w.b, x.x)};
}

#include "kernels.inc"

#include "codec.inc"

bool supported() {
    unsigned eax, ebx, ecx, edx;
    return avx2.supported() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
}

}  // namespace

const Kernels avxvnni = {"avxvnni", supported, quantise, norm, gelu, panel, append, attend, read,
                         multiply, to_words, filter, remember, add_and_elu};

}  // namespace native
#endif
