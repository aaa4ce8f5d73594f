// Products of rows of signals with a layer's weights, shared by all threads where they are worth it.
#pragma once

#include <vector>

#include "codec_plan.h"

namespace native {

// A signal as a product reads it.
struct Source {
    const float* from;     // with 32 bits
    const int16_t* words;  // with 16, and the scales of its samples
    const float* scales;
};

// The first samples of a signal in the decode's scratch, for a convolution. One at a time: the next takes its place.
Source source(const NativeCodec& c, const PartScratch& part, const Decode& decode, const Conv& conv,
              const float* signal, int samples);

// `count` windows from the source's start on. add: likewise, null for nothing.
void add_rows(std::vector<PanelRow>& rows, const Conv& conv, const Source& from, int count, const float* add, Sink to);

void multiply(NativeCodec& c, const Panels& panels, const std::vector<PanelRow>& rows, bool shared);

void multiply_gates(NativeCodec& c, const Layer& layer, const uint8_t* matrix, const float* bias,
                    const std::vector<PanelRow>& rows);

}  // namespace native
