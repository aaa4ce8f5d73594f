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

// Without VNNI fine numbers are multiplied as words, the even bytes of each quad and then the odd ones: half as many
// instructions as high and low parts take. The bytes' offset stays in the sums: 512 * 16383 * 255 < 2^31.
#define OWN_FINE
struct Fine {
    Pair even, odd;
};
struct FineSums {
    Ints high, low;  // high * 128 + low: what is settled is in high
};
constexpr int kFineVectors = 4;  // all of a head's: its values are gone through once

INLINE void store_fine(int8_t* to, Ints whole, FineSums* totals) {
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(whole.a, whole.b), 0xd8);
    words = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(words, 0xd8), 0xd8);  // of each four: 0, 2, 1, 3
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
    totals->low = add(totals->low, whole);
}
INLINE Fine fine_at(const int8_t* from, int first) {
    return {broadcast(from + 2 * first), broadcast(from + 2 * first + 4)};
}
INLINE FineSums fine_start(FineSums totals) { return {set(-total(totals.low)), set(0)}; }
INLINE __m256i fine_half(__m256i sum, __m256i w, Fine x) {
    sum = dot_words_half(sum, _mm256_and_si256(w, _mm256_set1_epi16(255)), x.even.x);
    return dot_words_half(sum, _mm256_srli_epi16(w, 8), x.odd.x);
}
INLINE FineSums dot_fine(FineSums sums, Bytes w, Fine x) {
    return {sums.high, {fine_half(sums.low.a, w.a, x), fine_half(sums.low.b, w.b, x)}};
}
INLINE FineSums settled(FineSums sums) {
    Ints high = shift_right(sums.low);
    return {add(sums.high, high), sub(sums.low, shift_left(high))};
}
INLINE Floats value_of(FineSums sums) {
    FineSums end = settled(sums);
    return fma(to_floats(end.high), set(128.0f), to_floats(end.low));
}

#include "kernels.inc"

#include "codec.inc"

bool supported() { return has_avx2(); }

}  // namespace

const Kernels avx2 = {"avx2", supported, quantise, norm, gelu, panel, append, attend, read,
                      multiply, to_words, filter, remember, add_and_elu};

}  // namespace native
#endif
