// NEON as every 64 bit ARM has it.
#include <utility>

#include "kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define TARGET
#define INLINE static inline __attribute__((always_inline)) TARGET

namespace native {
namespace {

// Two products of bytes fit 16 bits: 2 * 128 * 127 < 2^15.
INLINE int32x4_t dot_quarter(int32x4_t sum, int8x16_t w, int8x16_t x) {
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x)), high = vmull_high_s8(w, x);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}

constexpr bool kPairs = true;

// Weights below 64 leave room for four: 4 * 63 * 127 < 2^15.
INLINE int32x4_t pair_quarter(int32x4_t sum, int8x16_t w, int8x16_t x, int8x16_t w2, int8x16_t x2) {
    int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), vget_low_s8(w2), vget_low_s8(x2));
    int16x8_t high = vmlal_high_s8(vmull_high_s8(w, x), w2, x2);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}

#include "neon.inc"

INLINE Ints dot_pair(Ints sum, Bytes w, Quad x, Bytes w2, Quad x2) {
    return {pair_quarter(sum.a, w.a, x.x, w2.a, x2.x), pair_quarter(sum.b, w.b, x.x, w2.b, x2.x),
            pair_quarter(sum.c, w.c, x.x, w2.c, x2.x), pair_quarter(sum.d, w.d, x.x, w2.d, x2.x)};
}

#include "kernels.inc"

#include "codec.inc"

bool supported() { return true; }

}  // namespace

const Kernels neon = {"neon", supported, quantise, norm, gelu, panel, append, attend, read,
                      multiply, to_words, filter, remember, add_and_elu};

}  // namespace native
#endif
