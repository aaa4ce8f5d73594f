// What each kind of layer does with the samples that come: musicgen/codec/exact.py's step over packed weights.
#include "codec_passes.h"

#include <algorithm>

#include "codec_products.h"

namespace native {
namespace {

// The mirrored end behind `count` samples.
void mirror_end(const Conv& conv, float* signal, int count) {
    for (int i = 0; i < conv.right; ++i) {
        copy(row(signal, count + i, conv.in), row(signal, count - 2 - i, conv.in), 1, conv.in);
    }
}

// The start is known: put its mirror in front. Returns the samples that stand there now.
int begin(const Conv& conv, float* input, int count, bool final) {
    float* signal = row(input, conv.left, conv.in);
    // A signal shorter than its padding: transformers appends zeros, mirrors, and cuts as much off the end.
    const int missing = std::max(0, conv.left + 1 - count);
    memset(row(signal, count, conv.in), 0, size_t(missing) * size_t(conv.in) * sizeof(float));
    for (int i = 0; i < conv.left; ++i) {
        copy(row(input, i, conv.in), row(input, 2 * conv.left - i, conv.in), 1, conv.in);
    }
    if (missing) mirror_end(conv, signal, count + missing);
    int all = conv.left + count + (missing ? conv.right : 0);
    if (final && !missing && conv.right) {
        mirror_end(conv, input, all);
        all += conv.right;
    }
    return all;
}

// Pads what has come for a convolution. Returns the samples that its windows may cover.
int pad(const Conv& conv, Place& place, float* input, int samples, bool final) {
    const int count = place.rows + samples;
    if (!place.started) {
        if (count <= conv.left && !final) return count;
        place.started = 1;
        return begin(conv, input, count, final);
    }
    if (!final || !conv.right) return count;
    if (conv.reflect) {
        mirror_end(conv, input, count);
    } else {
        memset(row(input, count, conv.in), 0, size_t(conv.right) * size_t(conv.in) * sizeof(float));
    }
    return count + conv.right;
}

int windows_of(const Conv& conv, const Place& place, int samples) {
    return place.started && samples >= conv.span ? (samples - conv.span) / conv.step + 1 : 0;
}

// Keeps what coming windows need.
void keep(const NativeCodec& c, size_t index, const Decode& decode, const float* input, int samples, int windows) {
    const Conv& conv = c.layers[index].convolve;
    Place& place = c.place(decode, index);
    const int past = windows * conv.step;
    place.rows = samples - past;
    const float* from = input + size_t(place.started ? past : conv.left) * size_t(conv.in);
    copy(c.numbers(decode.state) + c.layers[index].tail, from, place.rows, conv.in);
}

// A transposed convolution yields samples before the first and after the last: cuts them off.
int trimmed(const Conv& conv, Place& place, const Decode& decode, int samples) {
    if (decode.final && conv.stride > 1 && conv.right) samples -= conv.stride - conv.trim;
    if (!place.trim || samples <= 0) return samples;
    const int trim = std::min(place.trim, samples);
    place.trim = 0;
    for (float* signal : {decode.next.plain, decode.next.elu}) {
        if (signal) memmove(signal, row(signal, trim, conv.out), size_t(samples - trim) * size_t(conv.out) * sizeof(float));
    }
    return samples - trim;
}

const PartScratch& part_of(const NativeCodec& c, size_t index) { return index < c.split ? c.together : c.apart; }

// Pads a layer's new samples and keeps what its coming windows need. Adds the windows that are whole by now to `rows`.
int add_windows(const NativeCodec& c, size_t index, const Decode& d, std::vector<PanelRow>& rows, Sink to) {
    const Conv& conv = c.layers[index].convolve;
    Place& place = c.place(d, index);
    float* input = d.scratch + c.layers[index].input;
    const int samples = pad(conv, place, input, d.samples, d.final), windows = windows_of(conv, place, samples);
    if (windows) {
        const int covered = (windows - 1) * conv.step + conv.span;
        add_rows(rows, conv, source(c, part_of(c, index), d, conv, input, covered), windows, nullptr, to);
    }
    keep(c, index, d, input, samples, windows);
    return windows;
}

void convolve(NativeCodec& c, size_t index, Decode* decodes, int count, std::vector<PanelRow>& rows) {
    const Conv& conv = c.layers[index].convolve;
    rows.clear();
    for (Decode* d = decodes; d < decodes + count; ++d) {
        d->samples = add_windows(c, index, *d, rows, d->next) * conv.stride;
    }
    multiply(c, conv.panels, rows, index < c.split);
    for (Decode* d = decodes; d < decodes + count; ++d) d->samples = trimmed(conv, c.place(*d, index), *d, d->samples);
}

// shortcut(x) + project(elu(convolve(elu(x)))), the input delayed by what the branch looks ahead.
void add_residual(NativeCodec& c, size_t index, Decode* decodes, int count, std::vector<PanelRow>& rows) {
    const Layer& layer = c.layers[index];
    const Conv& conv = layer.convolve;
    const PartScratch& part = part_of(c, index);
    const bool shared = index < c.split;
    rows.clear();
    for (Decode* d = decodes; d < decodes + count; ++d) {
        const int windows = add_windows(c, index, *d, rows, {nullptr, d->scratch + layer.middle});
        Place& place = c.place(*d, index);
        place.skipped += d->samples - windows;
        const float* left = d->scratch + layer.kept + size_t(windows) * size_t(conv.in);
        copy(c.numbers(d->state) + layer.skip, left, place.skipped, conv.in);
        d->samples = windows;
    }
    multiply(c, conv.panels, rows, shared);
    if (layer.shortcut.weights) {
        rows.clear();
        for (Decode* d = decodes; d < decodes + count; ++d) {
            add_rows(rows, layer.shortcut, source(c, part, *d, layer.shortcut, d->scratch + layer.kept, d->samples),
                     d->samples, nullptr, {d->scratch + layer.bypass, nullptr});
        }
        multiply(c, layer.shortcut.panels, rows, shared);
    }
    rows.clear();
    for (Decode* d = decodes; d < decodes + count; ++d) {
        const float* add = d->scratch + (layer.shortcut.weights ? layer.bypass : layer.kept);
        add_rows(rows, layer.project, source(c, part, *d, layer.project, d->scratch + layer.middle, d->samples),
                 d->samples, add, d->next);
    }
    multiply(c, layer.project.panels, rows, shared);
}

void remember(NativeCodec& c, size_t index, Decode* decodes, int count, std::vector<PanelRow>& rows) {
    const Layer& layer = c.layers[index];
    const int width = layer.lstm_width();
    int longest = 0;
    for (Decode* d = decodes; d < decodes + count; ++d) longest = std::max(longest, d->samples);
    for (int depth = 0; depth < layer.given.depth; ++depth) {
        const NativeGates& gates = layer.given.gates[depth];
        auto hidden = [&](const Decode& d) {
            return c.numbers(d.state) + layer.tail + size_t(depth) * 2 * size_t(width);
        };
        rows.clear();
        for (Decode* d = decodes; d < decodes + count; ++d) {
            float* from = d->scratch + (depth ? layer.kept : layer.input);
            for (int i = 0; i < d->samples; ++i) {
                float* own = row(d->scratch + layer.middle, i, 4 * width);
                rows.push_back({row(from, i, width), nullptr, nullptr, nullptr, own, nullptr});
            }
        }
        multiply_gates(c, layer, gates.input, gates.bias, rows);
        for (int i = 0; i < longest; ++i) {
            rows.clear();
            for (Decode* d = decodes; d < decodes + count; ++d) {
                float* own = row(d->scratch + layer.middle, i, 4 * width);
                if (i < d->samples) rows.push_back({hidden(*d), nullptr, nullptr, own, own, nullptr});
            }
            multiply_gates(c, layer, gates.recurrent, c.zeros.data(), rows);
            for (Decode* d = decodes; d < decodes + count; ++d) {
                if (i >= d->samples) continue;
                c.kernels.remember(row(d->scratch + layer.middle, i, 4 * width), width, hidden(*d) + width, hidden(*d));
                copy(row(d->scratch + layer.kept, i, width), hidden(*d), 1, width);
            }
        }
    }
    for (Decode* d = decodes; d < decodes + count; ++d) {
        c.kernels.add_and_elu(d->scratch + layer.input, d->scratch + layer.kept, d->samples * width, d->next.elu);
    }
}

// Where the first part ends: at what the second one's first layer reads through an ELU, or at an encoder's result.
Sink leaving(const NativeCodec& c, const Decode& decode) {
    float* result = decode.scratch + c.handover;
    return c.encodes() ? Sink{result, nullptr} : Sink{nullptr, result};
}

}  // namespace

Sink open(const NativeCodec& c, size_t index, const Decode& decode) {
    const Layer& layer = c.layers[index];
    float* input = decode.scratch + layer.input;
    if (layer.is_lstm()) return {input, nullptr};
    const Conv& conv = layer.convolve;
    const Place& place = c.place(decode, index);
    const float* kept = c.numbers(decode.state);
    float* tail = row(input, place.started ? 0 : conv.left, conv.in);
    copy(tail, kept + layer.tail, place.rows, conv.in);
    float* next = row(tail, place.rows, conv.in);
    if (!layer.is_residual()) return conv.elu ? Sink{nullptr, next} : Sink{next, nullptr};
    float* skip = decode.scratch + layer.kept;
    copy(skip, kept + layer.skip, place.skipped, conv.in);
    return {row(skip, place.skipped, conv.in), next};
}

void pass(NativeCodec& c, bool first_part, Decode* decodes, int count, std::vector<PanelRow>& rows) {
    const size_t first = first_part ? 0 : c.split, end = first_part ? c.split : c.layers.size() - 1;
    for (size_t i = first; i < end; ++i) {
        for (Decode* d = decodes; d < decodes + count; ++d) {
            d->next = i + 1 == c.split ? leaving(c, *d) : open(c, i + 1, *d);
        }
        if (c.layers[i].is_lstm()) {
            remember(c, i, decodes, count, rows);
        } else if (c.layers[i].is_residual()) {
            add_residual(c, i, decodes, count, rows);
        } else {
            convolve(c, i, decodes, count, rows);
        }
    }
}

void sound(const NativeCodec& c, const Decode& d) {
    const size_t index = c.layers.size() - 1;
    const Layer& layer = c.layers[index];
    const Conv& conv = layer.convolve;
    Place& place = c.place(d, index);
    float* input = d.scratch + layer.input;
    const int samples = pad(conv, place, input, d.samples, d.final), windows = windows_of(conv, place, samples);
    const int size = conv.kernel * conv.in, step = d.frames->sound_step;
    float* to = d.frames->sound + size_t(d.frames->samples) * size_t(step);
    for (int i = 0; i < conv.outputs; ++i) {
        const float* weights = reinterpret_cast<const float*>(conv.weights) + size_t(i) * size_t(size);
        c.kernels.filter(input, conv.in, weights, size, conv.bias[i], windows, to + i, step);
    }
    keep(c, index, d, input, samples, windows);
    d.frames->samples += windows;
    d.head().due -= windows;
}

}  // namespace native
