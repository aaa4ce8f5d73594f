// Matrices of float32 -> groups of 8, 6 or 4 bits, see kernels.h.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.h"
#include "native.h"

using namespace native;

namespace {

uint16_t bfloat16_above(float x) {  // rounded up, x >= 0
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return uint16_t((bits + 0xffff) >> 16);
}

float from_bfloat16(uint16_t upper) {
    uint32_t bits = uint32_t(upper) << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

// Round to nearest for |x| < 2^22, in a form that compilers turn into vector code.
float rounded(float x) { return (x + 12582912.0f) - 12582912.0f; }

// 64 inputs x 64 outputs; the scale reaches the largest weight.
void pack_group_of_8(const float* source, int64_t stride, uint8_t* group) {
    float inverse[64], top[64] = {};
    for (int i = 0; i < 64; ++i) {
        for (int o = 0; o < 64; ++o) top[o] = std::max(top[o], std::abs(source[i * stride + o]));
    }
    for (int o = 0; o < 64; ++o) {
        uint16_t scale = bfloat16_above(std::max(top[o], 1e-20f) / 127);
        memcpy(group + 2 * o, &scale, 2);
        inverse[o] = 1 / from_bfloat16(scale);
    }
    for (int i = 0; i < 64; ++i) {
        uint8_t* to = group + 128 + i / 4 * 256 + i % 4;
        for (int o = 0; o < 64; ++o) to[4 * o] = uint8_t(int(rounded(source[i * stride + o] * inverse[o])) + 128);
    }
}

// Scales of 64 outputs, and 32 x 64 weights as whole numbers from 0 on.
struct Half {
    uint16_t scales[64];
    uint8_t weights[32][64];
};

template <int Top>
float whole(float scaled) {
    return std::min(float(Top), std::max(float(-Top - 1), rounded(scaled)));
}

// 32 inputs x 64 outputs to -Top - 1 .. Top, stored plus Top + 1: of scales around largest / Top, those with the least
// squared error.
template <int Top>
Half quantised_half(const float* source, int64_t stride) {
    constexpr int kCandidates = 9;
    constexpr float kFirst = Top == 7 ? 6.25f : 29.0f, kStep = Top == 7 ? 0.25f : 0.5f;
    Half half;
    float top[64] = {}, best[64], error[64];
    for (int i = 0; i < 32; ++i) {
        for (int o = 0; o < 64; ++o) top[o] = std::max(top[o], std::abs(source[i * stride + o]));
    }
    for (int candidate = 0; candidate < kCandidates; ++candidate) {
        const float divisor = kFirst + kStep * float(candidate);
        uint16_t scale[64];
        float step[64], inverse[64], sum[64] = {};
        for (int o = 0; o < 64; ++o) {
            scale[o] = bfloat16_above(std::max(top[o], 1e-20f) / divisor);
            step[o] = from_bfloat16(scale[o]);
            inverse[o] = 1 / step[o];
        }
        for (int i = 0; i < 32; ++i) {
            for (int o = 0; o < 64; ++o) {
                const float w = source[i * stride + o], off = whole<Top>(w * inverse[o]) * step[o] - w;
                sum[o] += off * off;
            }
        }
        for (int o = 0; o < 64; ++o) {
            if (candidate == 0 || sum[o] < error[o]) {
                error[o] = sum[o];
                best[o] = inverse[o];
                half.scales[o] = scale[o];
            }
        }
    }
    for (int i = 0; i < 32; ++i) {
        for (int o = 0; o < 64; ++o) {
            half.weights[i][o] = uint8_t(int(whole<Top>(source[i * stride + o] * best[o])) + Top + 1);
        }
    }
    return half;
}

// The low four bits of two quads of inputs -> 256 bytes.
void pack_nibbles(const Half& half, int first, uint8_t* to) {
    for (int i = 0; i < 4; ++i) {
        const uint8_t *low = half.weights[first + i], *high = half.weights[first + 4 + i];
        for (int o = 0; o < 64; ++o) to[4 * o + i] = uint8_t((low[o] & 15) | high[o] << 4);
    }
}

// The bits above them of four quads -> 256 bytes.
void pack_high_bits(const Half& half, int first, uint8_t* to) {
    for (int i = 0; i < 4; ++i) {
        const uint8_t(*own)[64] = half.weights + first + i;
        for (int o = 0; o < 64; ++o) {
            to[4 * o + i] = uint8_t((own[0][o] & 48) | (own[4][o] & 48) << 2 | own[8][o] >> 4 | own[12][o] >> 4 << 2);
        }
    }
}

void pack_half_of_4(const float* source, int64_t stride, uint8_t* scales, uint8_t* weights) {
    const Half half = quantised_half<7>(source, stride);
    memcpy(scales, half.scales, sizeof half.scales);
    for (int pair = 0; pair < 4; ++pair) pack_nibbles(half, 8 * pair, weights + 256 * pair);
}

void pack_half_of_6(const float* source, int64_t stride, uint8_t* scales, uint8_t* weights) {
    const Half half = quantised_half<31>(source, stride);
    memcpy(scales, half.scales, sizeof half.scales);
    for (int first = 0; first < 32; first += 16) {
        uint8_t* to = weights + 48 * first;
        pack_high_bits(half, first, to);
        pack_nibbles(half, first, to + 256);
        pack_nibbles(half, first + 8, to + 512);
    }
}

void pack_group(const float* source, int64_t stride, int32_t bits, uint8_t* group) {
    if (bits == 8) return pack_group_of_8(source, stride, group);
    for (int half = 0; half < 2; ++half) {
        const float* from = source + half * 32 * stride;
        uint8_t *scales = group + 128 * half, *weights = group + 256 + 256 * bits * half;
        (bits == 6 ? pack_half_of_6 : pack_half_of_4)(from, stride, scales, weights);
    }
}

}  // namespace

size_t native_matrix_size(int32_t inputs, int32_t outputs, int32_t bits) {
    return size_t(inputs / 64) * size_t(outputs / 64) * group_bytes(bits);
}

void native_pack(const float* source, int64_t stride, int32_t inputs, int32_t outputs, int32_t bits, uint8_t* packed) {
    for (int panel = 0; panel < outputs / 64; ++panel) {
        for (int group = 0; group < inputs / 64; ++group) {
            pack_group(source + group * 64 * stride + panel * 64, stride, bits, packed);
            packed += group_bytes(bits);
        }
    }
}
