// Plain C++: what is right everywhere, and what the others are compared with.
#include <cstring>
#include <utility>

#include "kernels.h"

#define TARGET
#define INLINE static inline __attribute__((always_inline))

namespace native {
namespace {

constexpr int kSums = 4, kTileRows = 4, kAhead = 2048, kOffset = 128;
constexpr bool kPairs = false;
constexpr int kBlockPanels[] = {1, 1, 1, 1, 1, 1};

struct Floats {
    float at[16];
};
struct Ints {
    int32_t at[16];
};
struct Bytes {
    uint8_t at[64];
};
struct Quad {
    const int8_t* at;
};

#define EACH for (int i = 0; i < 16; ++i)
#define EACH_BYTE for (int i = 0; i < 64; ++i)

INLINE Floats set(float x) {
    Floats y;
    EACH y.at[i] = x;
    return y;
}
INLINE Ints set(int32_t x) {
    Ints y;
    EACH y.at[i] = x;
    return y;
}
INLINE Floats load(const float* from) {
    Floats y;
    memcpy(y.at, from, sizeof y.at);
    return y;
}
INLINE void store(float* to, Floats x) { memcpy(to, x.at, sizeof x.at); }
INLINE Ints load_ints(const uint8_t* from) {
    Ints y;
    memcpy(y.at, from, sizeof y.at);
    return y;
}
INLINE void store_bytes(int8_t* to, Ints x) { EACH to[i] = int8_t(x.at[i]); }
INLINE Floats load_bfloat16(const uint8_t* from) {
    Floats y;
    EACH {
        uint16_t upper;
        memcpy(&upper, from + 2 * i, 2);
        uint32_t bits = uint32_t(upper) << 16;
        memcpy(&y.at[i], &bits, 4);
    }
    return y;
}
INLINE Floats add(Floats a, Floats b) {
    EACH a.at[i] += b.at[i];
    return a;
}
INLINE Floats sub(Floats a, Floats b) {
    EACH a.at[i] -= b.at[i];
    return a;
}
INLINE Floats mul(Floats a, Floats b) {
    EACH a.at[i] *= b.at[i];
    return a;
}
INLINE Floats divide(Floats a, Floats b) {
    EACH a.at[i] /= b.at[i];
    return a;
}
INLINE Floats fma(Floats a, Floats b, Floats c) {
    EACH c.at[i] += a.at[i] * b.at[i];
    return c;
}
INLINE Floats max(Floats a, Floats b) {
    EACH a.at[i] = a.at[i] > b.at[i] ? a.at[i] : b.at[i];
    return a;
}
INLINE Floats min(Floats a, Floats b) {
    EACH a.at[i] = a.at[i] < b.at[i] ? a.at[i] : b.at[i];
    return a;
}
INLINE float total(Floats x) {
    float sum = 0;
    EACH sum += x.at[i];
    return sum;
}
INLINE float highest(Floats x) {
    float top = x.at[0];
    EACH top = top > x.at[i] ? top : x.at[i];
    return top;
}
// Adding 1.5 * 2^23 leaves no room for a fraction: rounds to nearest, ties to even, as the vector units do.
INLINE Ints to_ints(Floats x) {
    Ints y;
    EACH y.at[i] = int32_t((x.at[i] + 12582912.0f) - 12582912.0f);
    return y;
}
INLINE Floats to_floats(Ints x) {
    Floats y;
    EACH y.at[i] = float(x.at[i]);
    return y;
}
INLINE Floats power_of_two(Ints n) {
    Floats y;
    EACH {
        uint32_t bits = uint32_t(n.at[i] + 127) << 23;
        memcpy(&y.at[i], &bits, 4);
    }
    return y;
}
INLINE Floats as_exponents(Floats x) {
    EACH {
        uint32_t bits;
        memcpy(&bits, &x.at[i], 4);
        bits <<= 23;
        memcpy(&x.at[i], &bits, 4);
    }
    return x;
}
INLINE Ints add(Ints a, Ints b) {
    EACH a.at[i] = int32_t(uint32_t(a.at[i]) + uint32_t(b.at[i]));
    return a;
}
INLINE Ints sub(Ints a, Ints b) {
    EACH a.at[i] -= b.at[i];
    return a;
}
INLINE Ints shift_right(Ints x) {
    EACH x.at[i] >>= 7;
    return x;
}
INLINE Ints shift_left(Ints x) {
    EACH x.at[i] *= 128;
    return x;
}
INLINE int32_t total(Ints x) {
    uint32_t sum = 0;
    EACH sum += uint32_t(x.at[i]);
    return int32_t(sum);
}
INLINE Bytes load_bytes(const uint8_t* from) {
    Bytes y;
    memcpy(y.at, from, sizeof y.at);
    return y;
}
INLINE Bytes load_weights(const uint8_t* from) { return load_bytes(from); }
INLINE Bytes low_nibbles(Bytes w) {
    EACH_BYTE w.at[i] &= 15;
    return w;
}
INLINE Bytes high_nibbles(Bytes w) {
    EACH_BYTE w.at[i] >>= 4;
    return w;
}
template <int Place>
INLINE Bytes high_bits(Bytes w) {
    EACH_BYTE w.at[i] = uint8_t((w.at[i] >> (2 * Place + 4) % 8 & 3) << 4);
    return w;
}
INLINE Bytes either(Bytes a, Bytes b) {
    EACH_BYTE a.at[i] |= b.at[i];
    return a;
}
INLINE Quad broadcast(const int8_t* from) { return {from}; }
INLINE Ints dot(Ints sum, Bytes w, Quad x) {
    EACH {
        for (int j = 0; j < 4; ++j) sum.at[i] += w.at[4 * i + j] * x.at[j];
    }
    return sum;
}

struct Words {
    int16_t at[32];
};
struct Pair {
    const int16_t* at;
};
INLINE Words load_words(const uint8_t* from) {
    Words y;
    memcpy(y.at, from, sizeof y.at);
    return y;
}
INLINE void store_words(int16_t* to, Ints x) { EACH to[i] = int16_t(x.at[i]); }
INLINE Pair pair_at(const int16_t* from) { return {from}; }
INLINE Ints dot_words(Ints sum, Words w, Pair x) {
    EACH sum.at[i] += w.at[2 * i] * x.at[0] + w.at[2 * i + 1] * x.at[1];
    return sum;
}

#include "kernels.inc"

#include "codec.inc"

}  // namespace

const Kernels portable = {"portable", [] { return true; }, quantise, norm, gelu, panel, append, attend, read,
                          multiply, to_words, filter, remember, add_and_elu};

}  // namespace native
