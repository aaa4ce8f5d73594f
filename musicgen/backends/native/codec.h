// The C interface of the codec: EnCodec's decoder as a stream, and its encoder. All memory is the caller's, but for
// scratch and threads.
//
// A signal is (time, features) with features padded to a multiple of 16 by zeros, its width. The weights of a
// convolution are panels of 16 outputs, see kernels.h; the outputs of a transposed one are its `stride` samples one
// after the other, each padded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "native.h"

// See musicgen/codec/weights.py, whose layers these are.
struct NativeConv {
    const uint8_t* weights;  // null for none. Of the last layer: (outputs, kernel, width of the inputs) float32
    const float* bias;       // (stride * width of the outputs,); of the last layer (outputs,)
    const float* scales;     // likewise, where there are 16 bits
    int32_t bits;            // 32 or 16: float32, or whole numbers
    int32_t inputs, outputs, kernel, dilation, left, right, stride, trim;
    int32_t step;  // samples of the input from one window to the next
    int32_t reflect, elu;
};

// Gates in the order input, forget, output, cell, each padded. With 8 bits the matrices are packed by native_pack.
struct NativeGates {
    const uint8_t *input, *recurrent;
    const float* bias;  // (4 * width,)
};

struct NativeCodecLayer {
    NativeConv convolve;           // no weights: an LSTM
    NativeConv project, shortcut;  // of a residual block: project(convolve(x)) + shortcut(x), or + x
    const NativeGates* gates;      // (depth,), of an LSTM
    int32_t size, depth, bits;
};

struct NativeCodecWeights {
    const float* table;  // (codebooks * entries, features); null: the layers are an encoder's
    int32_t codebooks, entries, features, hop;
    int32_t layers;  // the last is a convolution; of an encoder its weights are panels like the others'
    const NativeCodecLayer* layer;
};

// The next frames of one mono decode.
struct NativeFrames {
    const int64_t* codes;  // (codebooks, frames): 0 .. entries - 1
    int64_t codebook_step;  // from one codebook to the next
    int32_t frames, final;  // final: the right padding follows, and the state must be reset
    uint8_t* state;
    float* sound;          // room for native_codec_due samples and what the frames bring
    int32_t sound_step;    // from one sample to the next
    int32_t samples;       // written: how many came out
};

struct NativeCodec;

// Null where the kernels are unknown here. weights and what they point to must outlive the codec.
NATIVE_EXPORT NativeCodec* native_codec_open(const NativeCodecWeights* weights, const char* kernels, int32_t threads);

NATIVE_EXPORT void native_codec_close(NativeCodec* codec);

// Bytes of one decode's state. It may be copied at any time: a copy goes on as the original would.
NATIVE_EXPORT size_t native_codec_state_size(const NativeCodec* codec);

NATIVE_EXPORT void native_codec_reset(const NativeCodec* codec, uint8_t* state);

// Samples that the frames given so far have brought and that are still held back; of an encoder, samples given that no
// frame has come of yet.
NATIVE_EXPORT int64_t native_codec_due(const uint8_t* state);

// All states are different. Calls of several threads wait for each other. No decode depends on the others, the chunks
// it is given in, or the number of threads, to the bit.
NATIVE_EXPORT void native_codec_decode(NativeCodec* codec, NativeFrames* rows, int32_t count);

// The next samples of one mono encode, `features` numbers of each frame that is whole by now into `latents`, which has
// room for (native_codec_due + samples) / hop of them. final: all samples together are whole frames, the right padding
// follows, and the state must be reset. Returns the number of frames. What they are does not depend on the chunks, to the
// bit.
NATIVE_EXPORT int32_t native_codec_encode(NativeCodec* codec, uint8_t* state, const float* sound, int32_t samples,
                                          int32_t final, float* latents);
