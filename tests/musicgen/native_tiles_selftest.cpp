// The kernels of AMX on a processor that has AVX-512 but no tiles: plain code plays the tiles. Panels of every width,
// for any number of rows, against the portable kernels': whole numbers are equal, and only a fused product rounds apart.
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

namespace {

struct Tiles {
    uint8_t columns[8], rows[8];
    alignas(64) uint8_t bytes[8][16][64];
} tiles;

void load_config(const void* shape) {
    const uint8_t* from = static_cast<const uint8_t*>(shape);
    for (int i = 0; i < 8; ++i) tiles.columns[i] = from[16 + 2 * i], tiles.rows[i] = from[48 + i];
}

void load_tile(int tile, const void* from, size_t stride) {
    for (int i = 0; i < tiles.rows[tile]; ++i) {
        memcpy(tiles.bytes[tile][i], static_cast<const uint8_t*>(from) + size_t(i) * stride, tiles.columns[tile]);
    }
}

void store_tile(int tile, void* to, size_t stride) {
    for (int i = 0; i < tiles.rows[tile]; ++i) {
        memcpy(static_cast<uint8_t*>(to) + size_t(i) * stride, tiles.bytes[tile][i], tiles.columns[tile]);
    }
}

void multiply_tiles(int sums, int left, int right) {  // signed bytes times unsigned ones
    for (int m = 0; m < tiles.rows[sums]; ++m) {
        int32_t* to = reinterpret_cast<int32_t*>(tiles.bytes[sums][m]);
        for (int k = 0; k < tiles.columns[left]; ++k) {
            const int x = int8_t(tiles.bytes[left][m][k]);
            for (int n = 0; n < tiles.columns[sums] / 4; ++n) to[n] += x * tiles.bytes[right][k / 4][4 * n + k % 4];
        }
    }
}

}  // namespace

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbsud
#define _tile_loadconfig load_config
#define _tile_release() void()
#define _tile_zero(tile) memset(tiles.bytes[tile], 0, sizeof tiles.bytes[tile])
#define _tile_loadd load_tile
#define _tile_stored(tile, to, stride) store_tile(tile, to, stride)
#define _tile_dpbsud multiply_tiles

#include "../../musicgen/backends/native/kernels_amx.cpp"
#include "../../musicgen/backends/native/native.h"

int main() {
    constexpr int kInputs = 192, kMost = 37;
    if (!native::avx512vnni.supported()) return 77;
    std::mt19937 generator(0);
    std::normal_distribution<float> normal;
    std::vector<float> source(kInputs * 64), x(kMost * kInputs);
    for (float& value : source) value = normal(generator);
    for (float& value : x) value = normal(generator);
    std::vector<int8_t> values(x.size());
    std::vector<float> scales(x.size() / 64);
    std::vector<int32_t> sums(x.size() / 32);
    for (size_t i = 0; i < scales.size(); ++i) {
        native::portable.quantise(x.data() + 64 * i, values.data() + 64 * i, &scales[i], &sums[2 * i]);
    }
    const native::Activations given = {values.data(), scales.data(), sums.data(), kInputs};
    bool right = true;
    for (int bits : {8, 6, 4}) {
        std::vector<uint8_t> room(native_matrix_size(kInputs, 64, bits) + 64);
        uint8_t* packed = room.data() + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) % 64;
        native_pack(source.data(), 64, kInputs, 64, bits, packed);
        for (int rows : {1, 15, 16, 17, 32, kMost}) {
            alignas(64) float expected[kMost * 64], found[kMost * 64];
            native::portable.panel(packed, bits, given, rows, expected);
            native::panel(packed, bits, given, rows, found);
            float worst = 0;
            for (int i = 0; i < rows * 64; ++i) {
                right = right && std::abs(found[i] - expected[i]) < 1e-4f;  // NaN is not
                worst = std::max(worst, std::abs(found[i] - expected[i]));
            }
            std::printf("amx %d bits, %d rows: %g\n", bits, rows, double(worst));
        }
    }
    return right ? 0 : 1;
}
