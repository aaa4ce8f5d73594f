// The codec's layers: where each finds its weights, its state and its scratch.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "codec.h"
#include "kernels.h"

namespace native {

constexpr int width_of(int features) { return (features + 15) / 16 * 16; }

// A convolution, its signal's widths, and the input samples that one window covers.
struct Conv : NativeConv {
    int in, out, span;
    Panels panels;

    explicit Conv(const NativeConv& given)
        : NativeConv(given),
          in(width_of(inputs)),
          out(width_of(outputs)),
          span((kernel - 1) * dilation + 1),
          panels{weights, bias, scales, bits, kernel, inputs, dilation * in, dilation, stride * out / 16} {
        if (bits == 16) {
            panels.depth = in;
        } else if (in == inputs && dilation == 1) {  // the window is one piece
            panels.depth = kernel * inputs;
            panels.taps = 1;
        }
    }

    bool mirrors() const { return reflect && left > 0; }
    int most_windows(int samples) const { return (samples + left - 1) / step + 1; }  // that so many new samples complete
};

// How far a convolution has come. `rows`: samples of its padded input that it keeps.
struct Place {
    int32_t rows, started, trim, skipped;  // skipped: samples of a residual's input that wait for its branch
};

struct StateHead {
    int64_t due;
    int64_t begun;
    // Place of every layer, then its numbers
};

inline float* row(float* signal, int index, int width) {
    return signal ? signal + size_t(index) * size_t(width) : nullptr;
}

inline void copy(float* to, const float* from, int rows, int width) {
    memcpy(to, from, size_t(rows) * size_t(width) * sizeof(float));
}

struct Layer {
    NativeCodecLayer given;
    Conv convolve, project, shortcut;
    size_t tail = 0, skip = 0;                               // numbers of the state; of an LSTM, tail is what it remembers
    size_t input = 0, kept = 0, middle = 0, bypass = 0;      // scratch: of an LSTM input, gates (middle) and output (kept)

    explicit Layer(const NativeCodecLayer& layer)
        : given(layer), convolve(layer.convolve), project(layer.project), shortcut(layer.shortcut) {}

    bool is_lstm() const { return !given.convolve.weights; }
    bool is_residual() const { return given.project.weights; }
    int lstm_width() const { return width_of(given.size); }
    size_t bytes() const {  // as float32
        if (is_lstm()) return size_t(given.depth) * 8 * size_t(given.size) * size_t(given.size) * 4;
        return size_t(convolve.panels.count) * 16 * size_t(convolve.kernel) * size_t(convolve.inputs) * 4;
    }
};

}  // namespace native
