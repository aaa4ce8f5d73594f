#include "codec_products.h"

#include <algorithm>

namespace native {
namespace {

constexpr int kPanelsOfPiece = 8;          // what a thread takes of a product
constexpr size_t kWorthSharing = 1 << 21;  // multiplications of a product: some 50 microseconds

// With 8 bits, activations too: to = add or bias + from . matrix.
void multiply_of_8(NativeCodec& c, const uint8_t* matrix, const float* bias, int inputs, int outputs,
                   const std::vector<PanelRow>& rows) {
    const Quantised& q = *c.quantised;
    const size_t size = size_t(inputs / 64) * group_bytes(8);
    for (size_t first = 0; first < rows.size(); first += kMaxRows) {
        const PanelRow* some = rows.data() + first;
        const int count = int(std::min(rows.size() - first, size_t(kMaxRows)));
        for (int i = 0; i < count; ++i) {
            for (int group = 0; group < inputs / 64; ++group) q.set(c.kernels, i, group, some[i].from + group * 64);
        }
        auto one = [&](int panel, int) {
            alignas(64) float sums[kMaxRows * 64];
            c.kernels.panel(matrix + size_t(panel) * size, 8, q.view, count, sums);
            for (int i = 0; i < count; ++i) {
                const float* add = (some[i].add ? some[i].add : bias) + panel * 64;
                float* to = some[i].to + panel * 64;
                for (int o = 0; o < 64; ++o) to[o] = add[o] + sums[64 * i + o];
            }
        };
        if (size_t(count) * size_t(inputs) * size_t(outputs) < kWorthSharing) {
            for (int panel = 0; panel < outputs / 64; ++panel) one(panel, 0);
        } else {
            each(c.pool, outputs / 64, one);
        }
    }
}

}  // namespace

Source source(const NativeCodec& c, const PartScratch& part, const Decode& decode, const Conv& conv,
              const float* signal, int samples) {
    if (conv.bits == 32) return {signal, nullptr, nullptr};
    int16_t* words = reinterpret_cast<int16_t*>(decode.scratch + part.words);
    float* scales = decode.scratch + part.scales;
    c.kernels.to_words(signal, samples, conv.in, words, scales);
    return {nullptr, words, scales};
}

void add_rows(std::vector<PanelRow>& rows, const Conv& conv, const Source& from, int count, const float* add, Sink to) {
    const size_t out = size_t(conv.stride) * size_t(conv.out), step = size_t(conv.step), before = rows.size();
    const size_t sample = from.scales ? step : 0, plain = to.plain ? out : 0, elu = to.elu ? out : 0;
    const size_t floats = from.from ? step * size_t(conv.in) : 0, words = from.words ? step * size_t(conv.in) : 0;
    PanelRow next = {from.from, from.words, from.scales, add, to.plain, to.elu};
    rows.resize(before + size_t(count));
    for (PanelRow* row = rows.data() + before; row < rows.data() + rows.size(); ++row) {
        *row = next;
        next = {next.from + floats, next.words + words, next.scales + sample, next.add + (add ? out : 0),
                next.to + plain, next.elu + elu};
    }
}

void multiply(NativeCodec& c, const Panels& panels, const std::vector<PanelRow>& rows, bool shared) {
    const size_t work = rows.size() * size_t(panels.count) * 16 * size_t(panels.taps) * size_t(panels.depth);
    const int count = int(rows.size());
    if (!shared || c.pool.threads() == 1 || work < kWorthSharing) {
        return c.kernels.multiply(panels, 0, panels.count, rows.data(), count);
    }
    each(c.pool, (panels.count + kPanelsOfPiece - 1) / kPanelsOfPiece, [&](int index, int) {
        const int first = index * kPanelsOfPiece;
        c.kernels.multiply(panels, first, std::min(first + kPanelsOfPiece, panels.count), rows.data(), count);
    });
}

void multiply_gates(NativeCodec& c, const Layer& layer, const uint8_t* matrix, const float* bias,
                    const std::vector<PanelRow>& rows) {
    const int width = layer.lstm_width(), size = layer.given.size;
    if (layer.given.bits == 8) return multiply_of_8(c, matrix, bias, size, 4 * size, rows);
    multiply(c, {matrix, bias, nullptr, layer.given.bits, 1, size, width, 1, 4 * width / 16}, rows, true);
}

}  // namespace native
