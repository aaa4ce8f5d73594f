// AMX: Sapphire Rapids and later, on Linux. The products of 16 rows or more; all else is AVX-512's. Sums of products
// are whole numbers, and what follows them is the same arithmetic as in kernels.inc: results are equal to the bit.
#include "kernels.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TARGET __attribute__((target("avx512f,avx512bw,amx-tile,amx-int8")))
#define INLINE static inline __attribute__((always_inline)) TARGET

namespace native {
namespace {

constexpr int kTile = 16;     // rows and outputs of a tile
constexpr int kAhead = 8192;  // bytes to prefetch ahead, about two groups

// LDTILECFG's operand, for a tile of `inputs` inputs. Tiles 0 to 3: sums of four times 16 outputs; 4: activations;
// 5: weights.
struct alignas(64) Shape {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t columns[16];  // in bytes
    uint8_t rows[16];

    constexpr explicit Shape(int inputs)
        : columns{64, 64, 64, 64, uint16_t(inputs), 64}, rows{16, 16, 16, 16, 16, uint8_t(inputs / 4)} {}
};
static_assert(sizeof(Shape) == 64, "as LDTILECFG reads it");

// Constants in memory: to GCC the instruction reads the first bytes alone.
const Shape kWhole(64), kHalf(32);

INLINE __m512i load(const uint8_t* from) {
    __builtin_prefetch(from + kAhead);
    return _mm512_loadu_si512(from);
}

// A group's weights of 4 bits become bytes, in the layout of 8 bits.
INLINE void unpack_4(const uint8_t* packed, uint8_t* bytes) {
    const __m512i low = _mm512_set1_epi8(15);
    for (int pair = 0; pair < 8; ++pair) {
        for (int v = 0; v < 256; v += 64) {
            __m512i w = load(packed + 256 * pair + v);
            uint8_t* to = bytes + 512 * pair + v;
            _mm512_store_si512(to, _mm512_and_si512(w, low));
            _mm512_store_si512(to + 256, _mm512_and_si512(_mm512_srli_epi16(w, 4), low));
        }
    }
    asm volatile("" ::: "memory");  // GCC's tile loads do not say that they read memory
}

// And of 6 bits.
INLINE void unpack_6(const uint8_t* packed, uint8_t* bytes) {
    const __m512i low = _mm512_set1_epi8(15), high = _mm512_set1_epi8(48);
    for (int four = 0; four < 4; ++four) {
        for (int v = 0; v < 256; v += 64) {
            const uint8_t* from = packed + 768 * four + v;
            uint8_t* to = bytes + 1024 * four + v;
            __m512i above = load(from), first = load(from + 256), second = load(from + 512);
            const __m512i nibbles[] = {first, _mm512_srli_epi16(first, 4), second, _mm512_srli_epi16(second, 4)};
            const __m512i bits[] = {above, _mm512_srli_epi16(above, 2), _mm512_slli_epi16(above, 4),
                                    _mm512_slli_epi16(above, 2)};
            for (int quad = 0; quad < 4; ++quad) {
                __m512i w = _mm512_or_si512(_mm512_and_si512(nibbles[quad], low), _mm512_and_si512(bits[quad], high));
                _mm512_store_si512(to + 256 * quad, w);
            }
        }
    }
    asm volatile("" ::: "memory");
}

// sums (16 rows, 64 outputs) of the inputs that the tiles' shape has.
INLINE void multiply(const uint8_t* weights, const int8_t* x, size_t width, int32_t* sums) {
    _tile_loadd(4, x, width);
    _tile_zero(0);
    _tile_loadd(5, weights, 256);
    _tile_dpbsud(0, 4, 5);
    _tile_stored(0, sums, 256);
    _tile_zero(1);
    _tile_loadd(5, weights + 64, 256);
    _tile_dpbsud(1, 4, 5);
    _tile_stored(1, sums + 16, 256);
    _tile_zero(2);
    _tile_loadd(5, weights + 128, 256);
    _tile_dpbsud(2, 4, 5);
    _tile_stored(2, sums + 32, 256);
    _tile_zero(3);
    _tile_loadd(5, weights + 192, 256);
    _tile_dpbsud(3, 4, 5);
    _tile_stored(3, sums + 48, 256);
}

// acc += (sums - what the weights' offset adds) * scales, for 16 rows. offsets, factors: of the first row.
INLINE void add_scaled(const int32_t* sums, const __m512 (&scales)[4], const float* factors, size_t groups,
                       const int32_t (&offsets)[kTile], float* acc) {
    for (int row = 0; row < kTile; ++row) {
        const __m512i offset = _mm512_set1_epi32(offsets[row]);
        const __m512 factor = _mm512_set1_ps(factors[row * groups]);
        for (int v = 0; v < 4; ++v) {
            float* to = acc + 64 * row + 16 * v;
            __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_load_si512(sums + 64 * row + 16 * v), offset));
            _mm512_storeu_ps(to, _mm512_fmadd_ps(sum, _mm512_mul_ps(scales[v], factor), _mm512_loadu_ps(to)));
        }
    }
}

INLINE void load_scales(const uint8_t* from, __m512 (&scales)[4]) {
    for (int v = 0; v < 4; ++v) {
        __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32 * v));
        scales[v] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
    }
}

// One group of 64 inputs times `rows`, a multiple of 16, its weights as bytes. The halves have scales of their own with
// 4 and with 6 bits.
template <int Bits>
TARGET void add_group(const uint8_t* scales, const uint8_t* weights, const Activations& x, int index, int rows,
                      float* acc) {
    const size_t width = size_t(x.width), groups = width / 64;
    constexpr int kHalves = Bits == 8 ? 1 : 2, kOffset = 1 << (Bits - 1);
    alignas(64) int32_t sums[2][kTile * 64];
    for (int half = 0; half < kHalves; ++half) {
        const uint8_t* part = weights + 2048 * half;
        const int8_t* values = x.values + 64 * index + 32 * half;
        __m512 scale[4];
        load_scales(scales + 128 * half, scale);
        multiply(part, values, width, sums[0]);
        for (int row = 0; row < rows; row += kTile) {
            const int next = row + kTile;  // its products run beside what follows the ones before
            if (next < rows) multiply(part, values + next * width, width, sums[next / kTile % 2]);
            int32_t offsets[kTile];
            for (int i = 0; i < kTile; ++i) {
                const int32_t* pair = x.sums + (row + i) * 2 * groups + 2 * index;
                offsets[i] = kOffset * (kHalves == 1 ? pair[0] + pair[1] : pair[half]);
            }
            const float* factors = x.scales + row * groups + index;
            add_scaled(sums[row / kTile % 2], scale, factors, groups, offsets, acc + 64 * row);
        }
    }
}

TARGET void panel(const uint8_t* panel, int bits, const Activations& x, int rows, float* acc) {
    const size_t size = group_bytes(bits), width = size_t(x.width);
    const int tiled = rows / kTile * kTile;
    if (tiled > 0) {
        for (int i = 0; i < tiled * 64; i += 16) _mm512_storeu_ps(acc + i, _mm512_setzero_ps());
        _tile_loadconfig(bits == 8 ? &kWhole : &kHalf);
        for (int index = 0; index < x.width / 64; ++index) {
            const uint8_t* group = panel + index * size;
            if (bits == 8) {
                for (int line = 0; line < 64; ++line) __builtin_prefetch(group + 64 * line + kAhead);
                add_group<8>(group, group + 128, x, index, tiled, acc);
                continue;
            }
            alignas(64) uint8_t bytes[64 * 64];
            if (bits == 6) {
                unpack_6(group + 256, bytes);
                add_group<6>(group, bytes, x, index, tiled, acc);
            } else {
                unpack_4(group + 256, bytes);
                add_group<4>(group, bytes, x, index, tiled, acc);
            }
        }
        _tile_release();
    }
    const Activations rest = {x.values + tiled * width, x.scales + tiled * (width / 64), x.sums + tiled * (width / 32),
                              x.width};
    if (tiled < rows) avx512vnni.panel(panel, bits, rest, rows - tiled, acc + 64 * tiled);
}

// Linux hands the tiles out on request, to the whole process.
bool permitted() {
    constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
    return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

bool supported() {
    unsigned eax, ebx, ecx, edx;
    const bool tiles = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> 24 & 3) == 3;  // AMX-TILE, AMX-INT8
    return avx512vnni.supported() && tiles && permitted();
}

}  // namespace

const Kernels amx = {"amx",
                     supported,
                     avx512vnni.quantise,
                     avx512vnni.norm,
                     avx512vnni.gelu,
                     panel,
                     avx512vnni.append,
                     avx512vnni.attend,
                     avx512vnni.read,
                     avx512vnni.multiply,
                     avx512vnni.to_words,
                     avx512vnni.filter,
                     avx512vnni.remember,
                     avx512vnni.add_and_elu};

}  // namespace native
#endif
