// EnCodec's decoder as a stream: musicgen/codec/exact.py's step over packed weights.
//
// The frames of all decodes go together through the layers whose weights are large, so that these are read once; then
// each decode by itself through the others, in pieces that stay in the caches.
#include "codec.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "codec_layers.h"
#include "kernels.h"
#include "memory.h"
#include "pool.h"

using namespace native;

namespace {

constexpr int kFrames = 12;                 // of a decode that go through the large layers at once
constexpr int kDecodes = 16;                // that go together
constexpr size_t kLarge = 3 << 19;          // bytes of float32 weights, more than a second-level cache leaves room for
constexpr size_t kPieceNumbers = 40 << 10;  // of the widest signal in a piece: with its neighbours it fits that cache
constexpr int kPanelsOfPiece = 8;           // what a thread takes of a product
constexpr size_t kWorthSharing = 1 << 21;   // multiplications of a product: some 50 microseconds

// Where a layer wants the samples that come: as they are, through an ELU, or both.
struct Sink {
    float *plain, *elu;
};

struct Workspace {
    Buffer<float> scratch;
    std::vector<PanelRow> rows;
};

// A decode on its way through the layers.
struct Decode {
    NativeFrames* frames;
    float* scratch;
    int samples;  // new ones, in `sink`
    bool final;
    Sink sink, next;

    StateHead& head() const { return *reinterpret_cast<StateHead*>(frames->state); }
};

}  // namespace

struct NativeCodec {
    NativeCodecWeights weights;
    const Kernels& kernels;
    Pool pool;
    std::mutex mutex;
    std::vector<Layer> layers;
    size_t split = 0;         // the first layer that each decode goes through by itself
    size_t state_numbers = 0;
    size_t together = 0, apart = 0, handover = 0;  // scratch of both parts; where the first one leaves its result
    int piece = 1;            // samples of a piece in front of `split`
    std::vector<Workspace> decodes, workers;
    std::vector<float> zeros;
    std::unique_ptr<Quantised> quantised;

    NativeCodec(const NativeCodecWeights& given, const Kernels& chosen, int threads);

    Place& place(const Decode& decode, size_t layer) const {
        return reinterpret_cast<Place*>(decode.frames->state + sizeof(StateHead))[layer];
    }
    float* numbers(const uint8_t* state) const {
        return reinterpret_cast<float*>(const_cast<uint8_t*>(state) + sizeof(StateHead) + layers.size() * sizeof(Place));
    }

   private:
    void choose_split();
    void lay_out_state();
    int lay_out_scratch(size_t first, size_t end, int samples, size_t* size);
};

NativeCodec::NativeCodec(const NativeCodecWeights& given, const Kernels& chosen, int threads)
    : weights(given), kernels(chosen), pool(threads), layers(given.layer, given.layer + given.layers) {
    choose_split();
    lay_out_state();
    const int left = lay_out_scratch(0, split, kFrames, &together);
    handover = together;
    together += size_t(left) * size_t(layers[split].convolve.in);
    lay_out_scratch(split, layers.size(), piece, &apart);
    decodes.resize(kDecodes);
    for (int i = 0; i < threads; ++i) workers.push_back({allocate<float>(apart), {}});
    for (const Layer& layer : layers) {
        if (!layer.is_lstm()) continue;
        zeros.resize(std::max(zeros.size(), size_t(4 * layer.lstm_width())));
        if (layer.given.bits == 8) quantised = std::make_unique<Quantised>(layer.given.size);
    }
}

// In front of a convolution behind the LSTM and all large layers, or of the last layer.
void NativeCodec::choose_split() {
    split = layers.size() - 1;
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
int NativeCodec::lay_out_scratch(size_t first, size_t end, int samples, size_t* size) {
    auto take = [size](int rows, int width) {
        size_t at = *size;
        *size += size_t(rows) * size_t(width);
        return at;
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
        const int windows = conv.most_windows(samples);
        layer.input = take(conv.left + conv.span + samples + conv.right, conv.in);
        if (layer.is_residual()) {
            layer.kept = take(conv.left + samples, conv.in);
            layer.middle = take(windows, layer.project.in);
            layer.bypass = take(layer.shortcut.weights ? windows : 0, conv.in);
        }
        samples = windows * conv.stride;
    }
    return samples;
}

namespace {

float* row(float* signal, int index, int width) { return signal ? signal + size_t(index) * size_t(width) : nullptr; }

void copy(float* to, const float* from, int rows, int width) {
    memcpy(to, from, size_t(rows) * size_t(width) * sizeof(float));
}

// ------------------------------------------------------------------------------------------------------- products

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

void multiply_gates(NativeCodec& c, const Layer& layer, const uint8_t* matrix, const float* bias,
                    const std::vector<PanelRow>& rows) {
    const int width = layer.lstm_width(), size = layer.given.size;
    if (layer.given.bits == 8) return multiply_of_8(c, matrix, bias, size, 4 * size, rows);
    multiply(c, {matrix, bias, layer.given.bits, 1, size, width, 4 * width / 16}, rows, true);
}

// --------------------------------------------------------------------------------------------------------- layers

// Where the samples for a layer go; what it kept stands in front of them.
Sink open(const NativeCodec& c, size_t index, const Decode& decode) {
    const Layer& layer = c.layers[index];
    float* input = decode.scratch + layer.input;
    if (layer.is_lstm()) return {input, nullptr};
    const Conv& conv = layer.convolve;
    const Place& place = c.place(decode, index);
    const float* kept = c.numbers(decode.frames->state);
    float* tail = row(input, place.started ? 0 : conv.left, conv.in);
    copy(tail, kept + layer.tail, place.rows, conv.in);
    float* next = row(tail, place.rows, conv.in);
    if (!layer.is_residual()) return conv.elu ? Sink{nullptr, next} : Sink{next, nullptr};
    float* skip = decode.scratch + layer.kept;
    copy(skip, kept + layer.skip, place.skipped, conv.in);
    return {row(skip, place.skipped, conv.in), next};
}

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
    return place.started ? std::max(0, samples - conv.span + 1) : 0;
}

// Keeps what coming windows need.
void keep(const NativeCodec& c, size_t index, const Decode& decode, const float* input, int samples, int windows) {
    const Conv& conv = c.layers[index].convolve;
    Place& place = c.place(decode, index);
    place.rows = samples - windows;
    const float* from = input + size_t(place.started ? windows : conv.left) * size_t(conv.in);
    copy(c.numbers(decode.frames->state) + c.layers[index].tail, from, place.rows, conv.in);
}

void add_rows(std::vector<PanelRow>& rows, const Conv& conv, const float* from, int count, const float* add, Sink to) {
    const int out = conv.stride * conv.out;
    const size_t first = rows.size();
    rows.resize(first + size_t(count));
    for (int i = 0; i < count; ++i) {
        rows[first + size_t(i)] = {from + size_t(i) * size_t(conv.in), add ? add + size_t(i) * size_t(out) : nullptr,
                                   row(to.plain, i, out), row(to.elu, i, out)};
    }
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

void convolve(NativeCodec& c, size_t index, Decode* decodes, int count, std::vector<PanelRow>& rows, bool shared) {
    const Layer& layer = c.layers[index];
    const Conv& conv = layer.convolve;
    rows.clear();
    for (Decode* d = decodes; d < decodes + count; ++d) {
        Place& place = c.place(*d, index);
        float* input = d->scratch + layer.input;
        const int samples = pad(conv, place, input, d->samples, d->final), windows = windows_of(conv, place, samples);
        add_rows(rows, conv, input, windows, nullptr, d->next);
        keep(c, index, *d, input, samples, windows);
        d->samples = windows * conv.stride;
    }
    multiply(c, conv.panels, rows, shared);
    for (Decode* d = decodes; d < decodes + count; ++d) d->samples = trimmed(conv, c.place(*d, index), *d, d->samples);
}

// shortcut(x) + project(elu(convolve(elu(x)))), the input delayed by what the branch looks ahead.
void add_residual(NativeCodec& c, size_t index, Decode* decodes, int count, std::vector<PanelRow>& rows, bool shared) {
    const Layer& layer = c.layers[index];
    const Conv& conv = layer.convolve;
    rows.clear();
    for (Decode* d = decodes; d < decodes + count; ++d) {
        Place& place = c.place(*d, index);
        float* input = d->scratch + layer.input;
        const int samples = pad(conv, place, input, d->samples, d->final), windows = windows_of(conv, place, samples);
        add_rows(rows, conv, input, windows, nullptr, {nullptr, d->scratch + layer.middle});
        keep(c, index, *d, input, samples, windows);
        place.skipped += d->samples - windows;
        const float* left = d->scratch + layer.kept + size_t(windows) * size_t(conv.in);
        copy(c.numbers(d->frames->state) + layer.skip, left, place.skipped, conv.in);
        d->samples = windows;
    }
    multiply(c, conv.panels, rows, shared);
    if (layer.shortcut.weights) {
        rows.clear();
        for (Decode* d = decodes; d < decodes + count; ++d) {
            add_rows(rows, layer.shortcut, d->scratch + layer.kept, d->samples, nullptr,
                     {d->scratch + layer.bypass, nullptr});
        }
        multiply(c, layer.shortcut.panels, rows, shared);
    }
    rows.clear();
    for (Decode* d = decodes; d < decodes + count; ++d) {
        const float* add = d->scratch + (layer.shortcut.weights ? layer.bypass : layer.kept);
        add_rows(rows, layer.project, d->scratch + layer.middle, d->samples, add, d->next);
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
            return c.numbers(d.frames->state) + layer.tail + size_t(depth) * 2 * size_t(width);
        };
        rows.clear();
        for (Decode* d = decodes; d < decodes + count; ++d) {
            float* from = d->scratch + (depth ? layer.kept : layer.input);
            for (int i = 0; i < d->samples; ++i) {
                rows.push_back({row(from, i, width), nullptr, row(d->scratch + layer.middle, i, 4 * width), nullptr});
            }
        }
        multiply_gates(c, layer, gates.input, gates.bias, rows);
        for (int i = 0; i < longest; ++i) {
            rows.clear();
            for (Decode* d = decodes; d < decodes + count; ++d) {
                float* own = row(d->scratch + layer.middle, i, 4 * width);
                if (i < d->samples) rows.push_back({hidden(*d), own, own, nullptr});
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

// The last layer: straight into the caller's samples.
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

// -------------------------------------------------------------------------------------------------------- the way

// Through the layers first .. end - 1. The samples stand where the first one wants them; what comes out goes to where
// the next one does, or to where the first part ends.
void pass(NativeCodec& c, size_t first, size_t end, Decode* decodes, int count, std::vector<PanelRow>& rows,
          bool shared) {
    for (size_t i = first; i < end; ++i) {
        for (Decode* d = decodes; d < decodes + count; ++d) {
            d->next = i + 1 == c.split ? Sink{nullptr, d->scratch + c.handover} : open(c, i + 1, *d);
        }
        if (c.layers[i].is_lstm()) {
            remember(c, i, decodes, count, rows);
        } else if (c.layers[i].is_residual()) {
            add_residual(c, i, decodes, count, rows, shared);
        } else {
            convolve(c, i, decodes, count, rows, shared);
        }
    }
}

void embed(const NativeCodecWeights& w, const NativeFrames& frames, int64_t at, float* x) {
    const int width = width_of(w.features);
    memset(x, 0, size_t(width) * sizeof(float));
    for (int k = 0; k < w.codebooks; ++k) {
        const int64_t entry = int64_t(k) * w.entries + frames.codes[k * frames.codebook_step + at];
        const float* from = w.table + size_t(entry) * size_t(w.features);
        for (int i = 0; i < w.features; ++i) x[i] += from[i];
    }
}

// What the first part made of one decode, in pieces through the rest.
void finish(NativeCodec& c, const Decode& decode, Workspace& own) {
    const int width = c.layers[c.split].convolve.in;
    int at = 0;
    do {
        Decode part = decode;
        part.scratch = own.scratch.get();
        part.samples = std::min(c.piece, decode.samples - at);
        part.final = decode.final && at + part.samples == decode.samples;
        part.sink = open(c, c.split, part);
        copy(part.sink.elu, decode.scratch + c.handover + size_t(at) * size_t(width), part.samples, width);
        at += part.samples;
        pass(c, c.split, c.layers.size() - 1, &part, 1, own.rows, false);
        sound(c, part);
    } while (at < decode.samples);
}

// A few frames of some decodes.
void advance(NativeCodec& c, Decode* decodes, int count, int64_t at) {
    for (Decode* d = decodes; d < decodes + count; ++d) {
        d->sink = open(c, 0, *d);
        d->head().begun = 1;
        d->head().due += int64_t(d->samples) * c.weights.hop;
        for (int i = 0; i < d->samples; ++i) {
            embed(c.weights, *d->frames, at + i, row(d->sink.plain, i, width_of(c.weights.features)));
        }
    }
    pass(c, 0, c.split, decodes, count, c.decodes[0].rows, true);
    each(c.pool, count, [&](int index, int worker) { finish(c, decodes[index], c.workers[size_t(worker)]); });
}

}  // namespace

NativeCodec* native_codec_open(const NativeCodecWeights* weights, const char* name, int32_t threads) {
    const Kernels* kernels = find_kernels(name);
    return kernels ? new NativeCodec(*weights, *kernels, threads) : nullptr;
}

void native_codec_close(NativeCodec* codec) { delete codec; }

size_t native_codec_state_size(const NativeCodec* codec) {
    return sizeof(StateHead) + codec->layers.size() * sizeof(Place) + codec->state_numbers * sizeof(float);
}

void native_codec_reset(const NativeCodec* codec, uint8_t* state) {
    memset(state, 0, native_codec_state_size(codec));
    Place* places = reinterpret_cast<Place*>(state + sizeof(StateHead));
    for (size_t i = 0; i < codec->layers.size(); ++i) {
        const Conv& conv = codec->layers[i].convolve;
        if (!codec->layers[i].is_lstm()) places[i] = {conv.mirrors() ? 0 : conv.left, !conv.mirrors(), conv.trim, 0};
    }
}

int64_t native_codec_due(const uint8_t* state) { return reinterpret_cast<const StateHead*>(state)->due; }

void native_codec_decode(NativeCodec* codec, NativeFrames* rows, int32_t count) {
    NativeCodec& c = *codec;
    std::lock_guard<std::mutex> lock(c.mutex);
    for (int first = 0; first < count; first += kDecodes) {
        const int some = std::min(kDecodes, count - first);
        for (int i = first; i < first + some; ++i) rows[i].samples = 0;
        for (int at = 0;; at += kFrames) {
            Decode decodes[kDecodes];
            int going = 0;
            for (int i = first; i < first + some; ++i) {
                NativeFrames& own = rows[i];
                const int left = own.frames - at, now = std::min(left, kFrames);
                Decode decode{&own, nullptr, now, own.final && left <= kFrames, {}, {}};
                const bool ends = at == 0 && left == 0 && own.final && decode.head().begun;
                if (left <= 0 && !ends) continue;
                Buffer<float>& scratch = c.decodes[size_t(going)].scratch;
                if (!scratch) scratch = allocate<float>(c.together);
                decode.scratch = scratch.get();
                decodes[going++] = decode;
            }
            if (!going) break;
            advance(c, decodes, going, at);
        }
    }
}
