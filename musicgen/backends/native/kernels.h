// What every instruction set implements, and the layouts that they share.
//
// Matrices are cut into panels of 64 outputs, panels into groups of 64 inputs. A group holds its bfloat16 scales, then
// its weights in quads of 4 inputs: [quad][output][input of the quad], so that one instruction multiplies 4 inputs of
// 16 outputs. Weights of 8 bits are stored plus 128; of 4 bits plus 8, two quads in one (low nibble first), with a
// scale for each half of the group; of 6 bits plus 32, see below, with as many scales. Activations have a float32 scale
// for every group of 64.
//
// 6 bits: four quads take three times 256 bytes. The first has the two high bits of all four, those of the first quad
// at bits 4 and 5 of a byte, of the second at 6 and 7, of the third at 0 and 1, of the fourth at 2 and 3: a shift and a
// mask put any of them where they belong. The others have the low bits in nibbles, as 4 bits are.
//
// Keys and values of a head are 8 bits plus 128, with a float32 scale a position: keys like a panel whose outputs are
// positions, 16 at a time, values like a panel whose inputs are positions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace native {

constexpr int kGroup = 64;  // inputs that share a scale, outputs of a panel, and the head size
constexpr int kMaxRows = 64;

constexpr size_t scale_bytes(int bits) { return bits == 8 ? 128 : 256; }
constexpr size_t group_bytes(int bits) { return scale_bytes(bits) + 64 * 64 * size_t(bits) / 8; }

constexpr int padded(int positions) { return (positions + 15) / 16 * 16; }

// 64 bytes of key, 64 of value and their two scales a position
constexpr size_t head_bytes(int capacity) { return size_t(padded(capacity)) * 136; }

struct Head {
    uint8_t *keys, *values;
    float *key_scales, *value_scales;

    Head(uint8_t* memory, int capacity)
        : keys(memory),
          values(memory + size_t(padded(capacity)) * 64),
          key_scales(reinterpret_cast<float*>(memory + size_t(padded(capacity)) * 128)),
          value_scales(key_scales + padded(capacity)) {}
};

// Quantised rows. sums: of each half of a group, what the weights' offset adds.
struct Activations {
    int8_t* values;  // [row][width]
    float* scales;   // [row][width / 64]
    int32_t* sums;   // [row][width / 32]
    int width;
};

struct Scratch {
    float* scores;  // one for every position, padded to 16
    int8_t* fine;   // two for every position
};

// A matrix in panels of 16 outputs. Its inputs lie in `taps` pieces of `depth` numbers, `stride` numbers from one to the
// next: the window of a convolution, wherever it stands in a signal.
//
// 32 bits: float32, [panel][tap][input][16]. 16 bits: whole numbers, [panel][tap][pair of inputs][16][input of the
// pair], with a scale for each output; depth is a multiple of 16. What they are multiplied with are whole numbers to
// kTopWord with a scale for each sample. Packing leaves so much room that no kWordsTogether products of a tap can
// overflow 32 bits: their sums are exact, whatever the order.
struct Panels {
    const uint8_t* weights;
    const float *bias, *scales;  // for each output
    int bits, taps, depth, stride, dilation, count;

    size_t panel_bytes() const { return size_t(taps) * size_t(depth) * 16 * size_t(bits) / 8; }
};

constexpr int kTopWord = 8191, kWordsTogether = 128;

// One row of a product with panels: where it starts and where its sum goes, plus `add`, as it is and through an ELU.
// With 32 bits `from` is there, with 16 `words` and the scales of its samples. `add` may be `to`, and all three null.
struct PanelRow {
    const float* from;
    const int16_t* words;
    const float* scales;
    const float* add;
    float *to, *elu;
};

struct Kernels {
    const char* name;
    bool (*supported)();
    // A group of 64 values, times 1 / scale, to -127 .. 127.
    void (*quantise)(const float* x, int8_t* values, float* scale, int32_t* sums);
    void (*norm)(const float* x, const float* scale, const float* shift, int size, float* y);
    void (*gelu)(float* x, int size);
    // acc[row][64]: one panel of x times a matrix.
    void (*panel)(const uint8_t* panel, int bits, const Activations& x, int rows, float* acc);
    void (*append)(Head head, int position, const float* key, const float* value);
    // One query (64,) over the first `count` positions. bias: added to their scores, padded to 16; null for none. next:
    // keys that will be wanted soon, to be fetched meanwhile; null for none.
    void (*attend)(Head head, int count, const float* bias, const float* query, float* out, Scratch scratch,
                   const uint8_t* next);
    uint64_t (*read)(const uint8_t* buffer, size_t size);
    // The panels first .. end - 1 for every row; what a row gets does not depend on the others.
    void (*multiply)(const Panels& panels, int first, int end, const PanelRow* rows, int count);
    // Samples of `width` numbers, a multiple of 16, as whole numbers to kTopWord and a scale for each.
    void (*to_words)(const float* x, int samples, int width, int16_t* words, float* scales);
    // y[i * step] = bias + x[i * stride ..] . weights, `size` products each; size is a multiple of 16.
    void (*filter)(const float* x, int stride, const float* weights, int size, float bias, int count, float* y, int step);
    // gates (4 * size): input, forget, output, cell. size is a multiple of 16.
    void (*remember)(const float* gates, int size, float* cell, float* hidden);
    // The ELU of x + y; size is a multiple of 16.
    void (*add_and_elu)(const float* x, const float* y, int size, float* elu);
};

extern const Kernels portable, avx2, avxvnni, avx512vnni, amx, neon, neondot;

const Kernels* find_kernels(const char* name);  // null where this machine has none of that name

}  // namespace native
