// AVX2 without VNNI: Haswell, Zen 1 to 3 and later.
#include <utility>

#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "processor.h"

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET

namespace native {
namespace {

#include "avx2.inc"

constexpr int kOffset = 0;
constexpr bool kPairs = true;

// By hand: GCC 12 makes all products before the first sum, which does not fit the registers.
INLINE __m256i dot_words_half(__m256i sum, __m256i w, __m256i x) {
    __m256i products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=x"(products) : "x"(w), "x"(x));
    return sum;
}
// Products of bytes are added in pairs of 16 bits, which saturate. |x| times w with x's sign cannot: 2 * 127 * 127 < 2^15.
// Neither is -128, whose sign cannot be turned. |x| is the same for all weights that meet it, so it is taken once.
INLINE __m256i dot_half(__m256i sum, __m256i w, __m256i x, __m256i magnitude) {
    __m256i centred = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(centred, x));
    return dot_words_half(sum, pairs, _mm256_set1_epi16(1));
}
INLINE Ints dot(Ints sum, Bytes w, Quad x) {
    __m256i magnitude = _mm256_abs_epi8(x.x);
    return {dot_half(sum.a, w.a, x.x, magnitude), dot_half(sum.b, w.b, x.x, magnitude)};
}
// Weights below 64 leave room for four products: 4 * 63 * 127 < 2^15.
INLINE __m256i pair_half(__m256i sum, __m256i w, __m256i x, __m256i w2, __m256i x2) {
    __m256i fours = _mm256_add_epi16(_mm256_maddubs_epi16(w, x), _mm256_maddubs_epi16(w2, x2));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(fours, _mm256_set1_epi16(1)));
}
INLINE Ints dot_pair(Ints sum, Bytes w, Quad x, Bytes w2, Quad x2) {
    return {pair_half(sum.a, w.a, x.x, w2.a, x2.x), pair_half(sum.b, w.b, x.x, w2.b, x2.x)};
}

INLINE Ints dot_words(Ints sum, Words w, Pair x) {
    __m256i a, b;  // both products, then both sums: a twentieth faster on Zen 4 than one half after the other
    asm("vpmaddwd %4, %6, %2\n\tvpmaddwd %5, %6, %3\n\tvpaddd %2, %0, %0\n\tvpaddd %3, %1, %1"
        : "+x"(sum.a), "+x"(sum.b), "=&x"(a), "=x"(b)
        : "x"(w.a), "x"(w.b), "x"(x.x));
    return sum;
}

#include "kernels.inc"

#include "codec.inc"

bool supported() { return has_avx2(); }

}  // namespace

const Kernels avx2 = {"avx2", supported, quantise, norm, gelu, panel, append, attend, read,
                      multiply, to_words, filter, remember, add_and_elu};

}  // namespace native
#endif
