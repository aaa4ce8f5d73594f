// AVX-512 with VNNI: Ice Lake, Sapphire Rapids, Zen 4 and later.
#include <utility>

#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include "processor.h"

#define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

namespace native {
namespace {

constexpr int kSums = 16, kTileRows = 4, kAhead = 2048, kOffset = 128;
constexpr bool kPairs = false;
constexpr int kBlockPanels[] = {8, 8, 4, 4, 4, 4};

struct Floats {
    __m512 x;
};
struct Ints {
    __m512i x;
};
struct Bytes {
    __m512i x;
};
struct Quad {
    __m512i x;
};

INLINE Floats set(float x) { return {_mm512_set1_ps(x)}; }
INLINE Ints set(int32_t x) { return {_mm512_set1_epi32(x)}; }
INLINE Floats load(const float* from) { return {_mm512_loadu_ps(from)}; }
INLINE void store(float* to, Floats a) { _mm512_storeu_ps(to, a.x); }
INLINE Ints load_ints(const uint8_t* from) { return {_mm512_loadu_si512(from)}; }
INLINE void store_bytes(int8_t* to, Ints a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(a.x));
}
INLINE Floats load_bfloat16(const uint8_t* from) {
    __m512i upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(upper, 16))};
}
INLINE Floats add(Floats a, Floats b) { return {_mm512_add_ps(a.x, b.x)}; }
INLINE Floats sub(Floats a, Floats b) { return {_mm512_sub_ps(a.x, b.x)}; }
INLINE Floats mul(Floats a, Floats b) { return {_mm512_mul_ps(a.x, b.x)}; }
INLINE Floats divide(Floats a, Floats b) { return {_mm512_div_ps(a.x, b.x)}; }
INLINE Floats fma(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.x, b.x, c.x)}; }
INLINE Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.x, b.x)}; }
INLINE Floats min(Floats a, Floats b) { return {_mm512_min_ps(a.x, b.x)}; }
INLINE float total(Floats a) { return _mm512_reduce_add_ps(a.x); }
INLINE float highest(Floats a) { return _mm512_reduce_max_ps(a.x); }
INLINE Ints to_ints(Floats a) { return {_mm512_cvtps_epi32(a.x)}; }
INLINE Floats to_floats(Ints a) { return {_mm512_cvtepi32_ps(a.x)}; }
INLINE Floats power_of_two(Ints n) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n.x, _mm512_set1_epi32(127)), 23))};
}
INLINE Floats as_exponents(Floats a) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a.x), 23))};
}
INLINE Ints add(Ints a, Ints b) { return {_mm512_add_epi32(a.x, b.x)}; }
INLINE Ints sub(Ints a, Ints b) { return {_mm512_sub_epi32(a.x, b.x)}; }
INLINE Ints shift_right(Ints a) { return {_mm512_srai_epi32(a.x, 7)}; }
INLINE Ints shift_left(Ints a) { return {_mm512_slli_epi32(a.x, 7)}; }
INLINE int32_t total(Ints a) { return _mm512_reduce_add_epi32(a.x); }
INLINE Bytes load_bytes(const uint8_t* from) { return {_mm512_loadu_si512(from)}; }
INLINE Bytes load_weights(const uint8_t* from) { return load_bytes(from); }
INLINE Bytes low_nibbles(Bytes w) { return {_mm512_and_si512(w.x, _mm512_set1_epi8(15))}; }
INLINE Bytes high_nibbles(Bytes w) { return {_mm512_and_si512(_mm512_srli_epi16(w.x, 4), _mm512_set1_epi8(15))}; }
template <int Place>
INLINE Bytes high_bits(Bytes w) {
    __m512i moved = Place == 0   ? w.x
                    : Place == 1 ? _mm512_srli_epi16(w.x, 2)
                                : _mm512_slli_epi16(w.x, Place == 2 ? 4 : 2);
    return {_mm512_and_si512(moved, _mm512_set1_epi8(48))};
}
INLINE Bytes either(Bytes a, Bytes b) { return {_mm512_or_si512(a.x, b.x)}; }
INLINE Quad broadcast(const int8_t* from) {
    int32_t four;
    __builtin_memcpy(&four, from, 4);
    return {_mm512_set1_epi32(four)};
}
INLINE Ints dot(Ints sum, Bytes w, Quad x) { return {_mm512_dpbusd_epi32(sum.x, w.x, x.x)}; }
// By hand, here and below: GCC 12 copies every sum to another register and back around the intrinsic, which halves the
// speed of a codec's block. Weights of 8 bits come from memory a fifth later that way.
#define OWN_DOT_OF_FEW
INLINE Ints dot_of_few(Ints sum, Bytes w, Quad x) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum.x) : "v"(w.x), "v"(x.x));
    return sum;
}

using Words = Bytes;
using Pair = Quad;
INLINE Words load_words(const uint8_t* from) { return load_bytes(from); }
INLINE void store_words(int16_t* to, Ints a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(a.x));
}
INLINE Pair pair_at(const int16_t* from) {
    int32_t two;
    __builtin_memcpy(&two, from, 4);
    return {_mm512_set1_epi32(two)};
}
INLINE Ints dot_words(Ints sum, Words w, Pair x) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum.x) : "v"(w.x), "v"(x.x));
    return sum;
}

#include "kernels.inc"

#include "codec.inc"

bool supported() { return has_avx512vnni(); }

}  // namespace

const Kernels avx512vnni = {"avx512vnni", supported, quantise, norm, gelu, panel, append, attend, read,
                            multiply, to_words, filter, remember, add_and_elu};

}  // namespace native
#endif
