// NEON with the dot product of ARMv8.2: Cortex-A55 and A75 (2017) and later, all of Apple's M.
#include <utility>

#include "kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__clang__)
#define TARGET __attribute__((target("dotprod")))
#else
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET

namespace native {
namespace {

INLINE int32x4_t dot_quarter(int32x4_t sum, int8x16_t w, int8x16_t x) { return vdotq_s32(sum, w, x); }

constexpr bool kPairs = false;

#include "neon.inc"

#include "kernels.inc"

#include "codec.inc"

#if defined(__linux__)
bool supported() { return getauxval(AT_HWCAP) & HWCAP_ASIMDDP; }
#else
bool supported() { return true; }
#endif

}  // namespace

const Kernels neondot = {"neondot", supported, quantise, norm, gelu, panel, append, attend, read,
                         multiply, to_words, filter, remember, add_and_elu};

}  // namespace native
#endif
