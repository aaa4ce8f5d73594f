// The C interface of the native backend. All memory is the caller's, but for a decoder's scratch and threads.
#pragma once

#include <cstddef>
#include <cstdint>

#define NATIVE_EXPORT extern "C" __attribute__((visibility("default")))

// A matrix (inputs, outputs), packed by native_pack. Both sizes are multiples of 64; bits is 8, 6 or 4.
struct NativeMatrix {
    const uint8_t* data;
    int32_t inputs, outputs, bits;
};

// A layer; the norms' scales and shifts are (hidden,). cross_norm_scale is null where there is no cross-attention.
struct NativeLayer {
    const float *self_norm_scale, *self_norm_shift;
    const float *cross_norm_scale, *cross_norm_shift;
    const float *feed_norm_scale, *feed_norm_shift;
    NativeMatrix qkv, self_out, cross_q, cross_out, feed_in, feed_out;
};

struct NativeWeights {
    int32_t hidden, layers, codebooks, feed;
    const float* embed;      // (codebooks * (V + 1), hidden)
    const int64_t* offsets;  // (codebooks,): the first row of each codebook in embed
    const float* positions;  // (P, hidden)
    const float *norm_scale, *norm_shift;
    NativeMatrix heads;  // (hidden, codebooks * V)
    const NativeLayer* layer;
};

// A row of a step: one position of one sequence. Rows that share memory are consecutive, their positions ascending.
struct NativeRow {
    const int64_t* column;  // (codebooks,) tokens; null: input is read instead
    const float* input;     // (hidden,) embedded, without its position
    uint8_t* memory;        // keys and values of the sequence, native_memory_size bytes
    const uint8_t* prompt;  // keys and values of the prompt, likewise; null for none
    int32_t capacity;       // positions that memory has room for
    int32_t position;
    int32_t prompt_size;  // positions of the prompt
    float* logits;        // (codebooks * V,), or null where none are wanted
    const float* prompt_bias;  // added to its scores: (prompt_size padded to 16,); null for none
    const float* added;        // (hidden,) to what the row is embedded as; null for nothing
};

struct NativeDecoder;

// The kernels that this machine runs, best first, separated by commas.
NATIVE_EXPORT const char* native_kernels();

NATIVE_EXPORT int32_t native_max_rows();

// Bytes of a NativeRow: a library of another version has others.
NATIVE_EXPORT int32_t native_row_size();

NATIVE_EXPORT size_t native_matrix_size(int32_t inputs, int32_t outputs, int32_t bits);

// source: (inputs, outputs) float32, its rows `stride` elements apart. packed: native_matrix_size bytes, aligned to 64.
NATIVE_EXPORT void native_pack(const float* source, int64_t stride, int32_t inputs, int32_t outputs, int32_t bits,
                               uint8_t* packed);

// Bytes of the keys and values of one sequence in all layers.
NATIVE_EXPORT size_t native_memory_size(int32_t layers, int32_t heads, int32_t capacity);

// Null where the kernels are unknown here. weights and what they point to must outlive the decoder.
NATIVE_EXPORT NativeDecoder* native_open(const NativeWeights* weights, const char* kernels, int32_t threads);

NATIVE_EXPORT void native_close(NativeDecoder* decoder);

// Rows 1 .. native_max_rows(). Calls of several threads wait for each other.
NATIVE_EXPORT void native_step(NativeDecoder* decoder, const NativeRow* rows, int32_t count);

// Write keys and values, (layers, heads, count, 64) float32 each, into a prompt's memory of capacity `count`.
NATIVE_EXPORT void native_fill(NativeDecoder* decoder, const float* keys, const float* values, int32_t count,
                               uint8_t* memory);

// x (rows, inputs) float32 -> y (rows, outputs) float32, with activations quantised as a step does.
NATIVE_EXPORT void native_product(NativeDecoder* decoder, const NativeMatrix* matrix, const float* x, int32_t rows,
                                  float* y);

// What the ten fields of a frame's score, see musicgen/score.py, add to its column: the vector (hidden,), of a projection
// (features, hidden). Returns how many of them are known. To the bit the same with all kernels.
NATIVE_EXPORT int32_t native_score(const float* table, int32_t hidden, const float* fields, float* vector);

// Read a buffer once with the decoder's threads: what the memory can give. Returns a sum of it.
NATIVE_EXPORT uint64_t native_read(NativeDecoder* decoder, const uint8_t* buffer, size_t size);

