// How a codec goes through its layers: where each decode's state and scratch lie, and who works on what.
//
// The frames of all decodes go together through the layers whose weights are large, so that these are read once; then
// each decode by itself through the others, in pieces that stay in the caches. An encoder has the first part alone.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "codec_layers.h"
#include "memory.h"
#include "pool.h"

namespace native {

constexpr int kFrames = 12;   // of a decode that go through the large layers at once
constexpr int kEncoded = 4;   // frames of a sound that go through an encoder at once
constexpr int kDecodes = 16;  // that go together

// Where a layer wants the samples that come: as they are, through an ELU, or both.
struct Sink {
    float *plain, *elu;
};

struct Workspace {
    Buffer<float> scratch;
    std::vector<PanelRow> rows;
};

// A decode, or an encode, on its way through the layers.
struct Decode {
    NativeFrames* frames;  // of a decode
    uint8_t* state;
    float* scratch;
    int samples;  // new ones, in `sink`
    bool final;
    Sink sink, next;

    StateHead& head() const { return *reinterpret_cast<StateHead*>(state); }
};

// Scratch of one part of the layers, in numbers: all of it, and where the words of a product and their scales lie.
struct PartScratch {
    size_t size = 0, words = 0, scales = 0;
};

}  // namespace native

struct NativeCodec {
    NativeCodecWeights weights;
    const native::Kernels& kernels;
    native::Pool pool;
    std::mutex mutex;
    std::vector<native::Layer> layers;
    size_t split = 0;  // the first layer that each decode goes through by itself
    size_t state_numbers = 0;
    native::PartScratch together, apart;  // of both parts
    size_t handover = 0;                  // where the first one leaves its result
    int piece = 1;                        // samples of a piece in front of `split`
    std::vector<native::Workspace> decodes, workers;
    std::vector<float> zeros;
    std::unique_ptr<native::Quantised> quantised;

    NativeCodec(const NativeCodecWeights& given, const native::Kernels& chosen, int threads);

    native::Place& place(const native::Decode& decode, size_t layer) const {
        return reinterpret_cast<native::Place*>(decode.state + sizeof(native::StateHead))[layer];
    }
    float* numbers(const uint8_t* state) const {
        return reinterpret_cast<float*>(const_cast<uint8_t*>(state) + sizeof(native::StateHead) +
                                        layers.size() * sizeof(native::Place));
    }

    bool encodes() const { return !weights.table; }

   private:
    void choose_split();
    void lay_out_state();
    int lay_out_scratch(size_t first, size_t end, int samples, native::PartScratch* part);
};
