#include "codec_plan.h"

#include <algorithm>

using namespace native;

namespace {

constexpr size_t kLarge = 3 << 19;          // bytes of float32 weights, more than a second-level cache leaves room for
constexpr size_t kPieceNumbers = 40 << 10;  // of the widest signal in a piece: with its neighbours it fits that cache

}  // namespace

NativeCodec::NativeCodec(const NativeCodecWeights& given, const Kernels& chosen, int threads)
    : weights(given), kernels(chosen), pool(threads), layers(given.layer, given.layer + given.layers) {
    choose_split();
    lay_out_state();
    const int left = lay_out_scratch(0, split, encodes() ? kEncoded * weights.hop : kFrames, &together);
    handover = together.size;
    together.size += size_t(left) * size_t(encodes() ? layers.back().convolve.out : layers[split].convolve.in);
    lay_out_scratch(split, layers.size(), piece, &apart);
    decodes.resize(kDecodes);
    for (int i = 0; i < threads; ++i) workers.push_back({allocate<float>(apart.size), {}});
    for (const Layer& layer : layers) {
        if (!layer.is_lstm()) continue;
        zeros.resize(std::max(zeros.size(), size_t(4 * layer.lstm_width())));
        if (layer.given.bits == 8) quantised = std::make_unique<Quantised>(layer.given.size);
    }
}

// In front of a convolution behind the LSTM and all large layers, or of the last layer; behind all of an encoder's.
void NativeCodec::choose_split() {
    split = layers.size();
    if (encodes()) return;
    --split;
    for (size_t i = split; i-- > 0;) {
        if (layers[i].is_lstm() || layers[i].bytes() > kLarge) break;
        if (!layers[i].is_residual()) split = i;
    }
    size_t growth = 1, widest = 1;
    for (size_t i = split; i + 1 < layers.size(); ++i) {
        growth *= size_t(layers[i].convolve.stride);
        widest = std::max(widest, growth * size_t(std::max(layers[i].convolve.in, layers[i + 1].convolve.in)));
    }
    piece = int(std::max(size_t(1), kPieceNumbers / widest));
}

void NativeCodec::lay_out_state() {
    for (Layer& layer : layers) {
        layer.tail = state_numbers;
        if (layer.is_lstm()) {
            state_numbers += size_t(layer.given.depth) * 2 * size_t(layer.lstm_width());
            continue;
        }
        state_numbers += size_t(layer.convolve.span - 1) * size_t(layer.convolve.in);
        layer.skip = state_numbers;
        if (layer.is_residual()) state_numbers += size_t(layer.convolve.left) * size_t(layer.convolve.in);
    }
}

// For at most so many new samples at a time. Returns how many come out.
int NativeCodec::lay_out_scratch(size_t first, size_t end, int samples, PartScratch* part) {
    size_t most_words = 0, most_scales = 0;
    auto take = [part](int rows, int width) {
        size_t at = part->size;
        part->size += size_t(rows) * size_t(width);
        return at;
    };
    auto take_words = [&](const Conv& conv, int rows) {
        if (conv.bits != 16) return;
        most_words = std::max(most_words, size_t(rows) * size_t(conv.in));
        most_scales = std::max(most_scales, size_t(rows));
    };
    for (size_t i = first; i < end; ++i) {
        Layer& layer = layers[i];
        if (layer.is_lstm()) {
            layer.input = take(samples, layer.lstm_width());
            layer.middle = take(samples, 4 * layer.lstm_width());
            layer.kept = take(samples, layer.lstm_width());
            continue;
        }
        const Conv& conv = layer.convolve;
        const int windows = conv.most_windows(samples), padded = conv.left + conv.span + samples + conv.right;
        layer.input = take(padded, conv.in);
        take_words(conv, padded);
        if (layer.is_residual()) {
            layer.kept = take(conv.left + samples, conv.in);
            layer.middle = take(windows, layer.project.in);
            layer.bypass = take(layer.shortcut.weights ? windows : 0, conv.in);
            take_words(layer.project, windows);
            take_words(layer.shortcut, windows);
        }
        samples = windows * conv.stride;
    }
    part->words = take(int((most_words + 1) / 2), 1);
    part->scales = take(int(most_scales), 1);
    return samples;
}
