// The native library by itself, for sanitizers and emulated processors: random weights, every kernel that runs here
// against the portable one, one thread against three, a burst against steps, a codec and an encoder in one chunk against
// many, at the limits of every buffer.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "../../musicgen/backends/native/codec.h"
#include "../../musicgen/backends/native/native.h"

namespace {

constexpr int kHidden = 128, kFeed = 192, kHeads = kHidden / 64, kLayers = 2, kCodebooks = 2, kVocabulary = 32;
constexpr int kLogits = kCodebooks * kVocabulary, kPrompt = 21;

std::mt19937 generator(0);

std::vector<float> normal(size_t count, float deviation) {
    std::normal_distribution<float> distribution(0, deviation);
    std::vector<float> values(count);
    for (float& value : values) value = distribution(generator);
    return values;
}

struct Bytes {
    uint8_t* at;
    explicit Bytes(size_t size) : at(static_cast<uint8_t*>(std::aligned_alloc(64, (size + 63) / 64 * 64))) {
        memset(at, 0, size);
    }
    Bytes(const Bytes&) = delete;
    ~Bytes() { std::free(at); }
};

struct Model {
    std::vector<std::vector<float>> floats;
    std::vector<Bytes*> packed;
    std::vector<int64_t> offsets{0, kVocabulary + 1};
    NativeLayer layers[kLayers];
    NativeWeights weights;

    explicit Model(int bits) {
        for (NativeLayer& layer : layers) {
            layer.self_norm_scale = keep(kHidden, 1), layer.self_norm_shift = keep(kHidden, 0.1f);
            layer.cross_norm_scale = keep(kHidden, 1), layer.cross_norm_shift = keep(kHidden, 0.1f);
            layer.feed_norm_scale = keep(kHidden, 1), layer.feed_norm_shift = keep(kHidden, 0.1f);
            layer.qkv = matrix(kHidden, 3 * kHidden, bits), layer.self_out = matrix(kHidden, kHidden, bits);
            layer.cross_q = matrix(kHidden, kHidden, bits), layer.cross_out = matrix(kHidden, kHidden, bits);
            layer.feed_in = matrix(kHidden, kFeed, bits), layer.feed_out = matrix(kFeed, kHidden, bits);
        }
        weights = {kHidden, kLayers, kCodebooks, kFeed, keep(2 * (kVocabulary + 1) * kHidden, 1), offsets.data(),
                   keep(64 * kHidden, 1), keep(kHidden, 1), keep(kHidden, 0.1f), matrix(kHidden, kLogits, 8), layers};
    }
    ~Model() {
        for (Bytes* bytes : packed) delete bytes;
    }

    const float* keep(int count, float deviation) {
        floats.push_back(normal(size_t(count), deviation));
        return floats.back().data();
    }
    NativeMatrix matrix(int inputs, int outputs, int bits) {
        std::vector<float> source = normal(size_t(inputs) * outputs, 1 / std::sqrt(float(inputs)));
        packed.push_back(new Bytes(native_matrix_size(inputs, outputs, bits)));
        native_pack(source.data(), outputs, inputs, outputs, bits, packed.back()->at);
        return {packed.back()->at, inputs, outputs, bits};
    }
};

// A stream of 19 steps (its memory is full at the last), beside it others that come and go, with and without prompts.
std::vector<float> play(const Model& model, const std::string& kernels, int threads) {
    constexpr int kSteps = 19, kMost = 64;
    NativeDecoder* decoder = native_open(&model.weights, kernels.c_str(), threads);
    if (!decoder) std::exit(3);
    generator.seed(1);
    Bytes prompt(native_memory_size(kLayers, kHeads, kPrompt));
    std::vector<float> keys = normal(size_t(kLayers) * kHidden * kPrompt, 1), values = normal(keys.size(), 1);
    native_fill(decoder, keys.data(), values.data(), kPrompt, prompt.at);
    std::vector<float> bias(32, -1e30f);  // as a blend has it, its second part out of hearing
    for (int i = 0; i < kPrompt - 5; ++i) bias[size_t(i)] = i < 9 ? -0.5f : -1.2f;
    const std::vector<float> projection = normal(64 * kHidden, 1);
    std::vector<float> added(kHidden);
    const float told[] = {0.25f, NAN, 120, 4095, 11, 1, -1, 0, 1, 1}, nothing[] = {-1, 2, 0, 4096, 12, 2, 2, 2, 2, NAN};
    if (native_score(projection.data(), kHidden, nothing, added.data()) != 0) std::exit(6);
    if (native_score(projection.data(), kHidden, told, added.data()) != 8) std::exit(6);
    std::vector<Bytes*> memories;
    for (int i = 0; i < kMost; ++i) memories.push_back(new Bytes(native_memory_size(kLayers, kHeads, kSteps)));
    std::vector<float> all, ignored(kLogits);
    for (int step = 0; step < kSteps; ++step) {
        const int counts[] = {1, 2, 3, 5, 7}, count = step == 4 ? kMost : counts[step % 5];
        std::vector<float> logits(kLogits);
        std::vector<int64_t> column{step % (kVocabulary + 1), (5 * step) % (kVocabulary + 1)};
        std::vector<NativeRow> rows;
        for (int i = 0; i < count; ++i) {
            const bool prompted = i % 3 == 0;
            rows.push_back({column.data(), nullptr, memories[size_t(i)]->at, prompted ? prompt.at : nullptr, kSteps, step,
                            prompted ? kPrompt : 0, i == 0 ? logits.data() : i == 1 ? ignored.data() : nullptr,
                            prompted && step % 2 ? bias.data() : nullptr, step % 3 ? added.data() : nullptr});
        }
        native_step(decoder, rows.data(), int(rows.size()));
        all.insert(all.end(), logits.begin(), logits.end());
    }
    std::vector<float> inputs = normal(size_t(kSteps) * kHidden, 1), last(kLogits);  // and once more in one burst
    std::vector<NativeRow> rows;
    for (int i = 0; i < kSteps; ++i) {
        rows.push_back({nullptr, inputs.data() + i * kHidden, memories[0]->at, prompt.at, kSteps, i, kPrompt,
                        i == kSteps - 1 ? last.data() : nullptr, bias.data(), nullptr});
    }
    native_step(decoder, rows.data(), int(rows.size()));
    all.insert(all.end(), last.begin(), last.end());
    std::vector<float> x = normal(5 * kFeed, 1), y(5 * kHidden);
    native_product(decoder, &model.layers[0].feed_out, x.data(), 5, y.data());
    all.insert(all.end(), y.begin(), y.end());
    Bytes buffer(1 << 20);
    native_read(decoder, buffer.at, 1 << 20);
    for (Bytes* memory : memories) delete memory;
    native_close(decoder);
    return all;
}

// A small codec of two up-samplings, causal or not, with every kind of layer; 8 and 16 bits where asked.
struct Codec {
    static constexpr int kBooks = 2, kEntries = 8, kFeatures = 20, kLstm = 64, kHop = 6;
    std::vector<std::vector<float>> floats;
    std::vector<Bytes*> packed;
    NativeGates gates[2];
    NativeCodecLayer layers[7] = {};
    NativeCodecWeights weights;

    Codec(bool causal, bool compact) {
        const int bits = compact ? 16 : 32;
        layers[0].convolve = conv(kFeatures, kLstm, 7, 1, causal, bits, false);
        for (NativeGates& own : gates) own = {gate(compact), gate(compact), keep(4 * kLstm, 0.1f)};
        layers[1] = {{}, {}, {}, gates, kLstm, 2, compact ? 8 : 32};
        layers[2].convolve = transposed(kLstm, 40, 2, causal, bits);
        layers[3] = block(40, 1, causal, bits, true);
        layers[4].convolve = transposed(40, 20, 3, causal, bits);
        layers[5] = block(20, 2, causal, bits, false);
        layers[6].convolve = conv(20, 2, 5, 1, causal, 32, true);
        layers[6].convolve.weights = reinterpret_cast<const uint8_t*>(keep(2 * 5 * 32, 0.1f));
        weights = {keep(kBooks * kEntries * kFeatures, 1), kBooks, kEntries, kFeatures, kHop, 7, layers};
        down[0].convolve = conv(1, 20, 7, 1, causal, bits, false);
        down[1] = block(20, 2, causal, bits, false);
        down[2].convolve = conv(20, 40, 6, 1, causal, bits, true, 3);
        down[3] = block(40, 1, causal, bits, true);
        down[4].convolve = conv(40, kLstm, 4, 1, causal, bits, true, 2);
        down[5] = layers[1];
        down[6].convolve = conv(kLstm, kFeatures, 7, 1, causal, bits, true);
        encoder = {nullptr, 0, 0, kFeatures, kHop, 7, down};
    }
    // Its encoder: a convolution, two blocks and down-samplings, an LSTM, a convolution.
    NativeCodecLayer down[7] = {};
    NativeCodecWeights encoder;

    Codec(const Codec&) = delete;
    ~Codec() {
        for (Bytes* bytes : packed) delete bytes;
    }

    static int width(int features) { return (features + 15) / 16 * 16; }
    const float* keep(int count, float deviation) {
        floats.push_back(normal(size_t(count), deviation));
        return floats.back().data();
    }
    const uint8_t* panels(int inputs, int outputs) {
        return reinterpret_cast<const uint8_t*>(keep(inputs * outputs, 1 / std::sqrt(float(inputs))));
    }
    // Whole numbers, some at what 128 of them together may come to: every sum of products ends just inside 32 bits.
    const uint8_t* words(int count) {
        constexpr int kMost = 2047;  // 128 * 2047 * 8191 < 2^31
        packed.push_back(new Bytes(size_t(count) * 2));
        int16_t* to = reinterpret_cast<int16_t*>(packed.back()->at);
        std::vector<float> source = normal(size_t(count), kMost / 3.0f);
        for (int i = 0; i < count; ++i) {
            to[i] = int16_t(i % 7 ? std::fmax(-kMost, std::fmin(kMost, source[size_t(i)])) : i % 2 ? kMost : -kMost);
        }
        return packed.back()->at;
    }
    const float* scales(int inputs, int outputs) {
        floats.emplace_back(size_t(outputs), 3 / (2047 * std::sqrt(float(inputs))));
        return floats.back().data();
    }
    const uint8_t* gate(bool compact) {
        if (!compact) return panels(kLstm, 4 * kLstm);
        std::vector<float> source = normal(size_t(kLstm) * 4 * kLstm, 0.2f);
        packed.push_back(new Bytes(native_matrix_size(kLstm, 4 * kLstm, 8)));
        native_pack(source.data(), 4 * kLstm, kLstm, 4 * kLstm, 8, packed.back()->at);
        return packed.back()->at;
    }
    NativeConv conv(int inputs, int outputs, int kernel, int dilation, bool causal, int bits, bool elu, int step = 1) {
        const int padding = (kernel - 1) * dilation + 1 - step, right = causal ? 0 : padding / 2;
        NativeConv made = product(kernel, inputs, width(outputs), bits);
        made.outputs = outputs, made.dilation = dilation, made.left = padding - right, made.right = right;
        made.stride = 1, made.step = step, made.reflect = 1, made.elu = elu;
        return made;
    }
    NativeConv transposed(int inputs, int outputs, int stride, bool causal, int bits) {
        const int trim = causal ? 0 : stride - stride / 2;
        NativeConv made = product(2, inputs, stride * width(outputs), bits);
        made.outputs = outputs, made.dilation = 1, made.left = 1, made.right = trim ? 1 : 0;
        made.stride = stride, made.trim = trim, made.elu = 1;
        return made;
    }
    NativeConv product(int kernel, int inputs, int columns, int bits) {
        NativeConv made = {};
        made.bits = bits, made.kernel = kernel, made.inputs = inputs, made.step = 1, made.bias = keep(columns, 0.1f);
        if (bits == 32) {
            made.weights = panels(kernel * inputs, columns);
        } else {
            made.weights = words(kernel * width(inputs) * columns);
            made.scales = scales(kernel * inputs, columns);
        }
        return made;
    }
    NativeCodecLayer block(int features, int dilation, bool causal, int bits, bool shortcut) {
        NativeCodecLayer made = {};
        made.convolve = conv(features, features / 2, 3, dilation, causal, bits, true);
        made.project = conv(features / 2, features, 1, 1, causal, bits, true);
        if (shortcut) made.shortcut = conv(features, features, 1, 1, causal, bits, false);
        return made;
    }
};

// The frames of several decodes in these chunks and the rest at the end; their samples, one decode after the other.
std::vector<float> decode(const Codec& model, const std::string& kernels, int threads, const std::vector<int>& chunks) {
    constexpr int kStreams = 17, kFrames = 26;  // more than go together at once
    NativeCodec* codec = native_codec_open(&model.weights, kernels.c_str(), threads);
    if (!codec) std::exit(3);
    std::vector<int64_t> codes(size_t(Codec::kBooks) * kFrames * kStreams);
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = int64_t((i * 7 + i / 5) % Codec::kEntries);
    std::vector<Bytes*> states;
    std::vector<std::vector<float>> sounds(kStreams);
    for (int i = 0; i < kStreams; ++i) {
        states.push_back(new Bytes(native_codec_state_size(codec)));
        native_codec_reset(codec, states.back()->at);
    }
    int at = 0;
    for (size_t index = 0; index <= chunks.size(); ++index) {
        const bool final = index == chunks.size();
        const int frames = final ? kFrames - at : chunks[index];
        std::vector<NativeFrames> rows;
        std::vector<std::vector<float>> heard;
        for (int i = 0; i < kStreams; ++i) {
            const size_t due = size_t(native_codec_due(states[size_t(i)]->at)) + size_t(frames) * Codec::kHop;
            heard.emplace_back(2 * due);
            const int64_t* from = codes.data() + size_t(i) * Codec::kBooks * kFrames + at;
            rows.push_back({from, kFrames, frames, final, states[size_t(i)]->at, heard.back().data(), 2, 0});
        }
        native_codec_decode(codec, rows.data(), kStreams);
        for (size_t i = 0; i < kStreams; ++i) {
            sounds[i].insert(sounds[i].end(), heard[i].begin(), heard[i].begin() + 2 * rows[i].samples);
        }
        at += frames;
    }
    std::vector<float> all;
    for (std::vector<float>& sound : sounds) {
        if (sound.size() != 2 * kFrames * Codec::kHop) std::exit(4);
        all.insert(all.end(), sound.begin(), sound.end());
    }
    for (Bytes* state : states) delete state;
    native_codec_close(codec);
    return all;
}

// The frames of a sound in chunks of so many samples and the rest at the end.
std::vector<float> encode(const Codec& model, const std::string& kernels, int threads, const std::vector<int>& chunks) {
    constexpr int kFrames = 26, kSamples = kFrames * Codec::kHop;
    NativeCodec* codec = native_codec_open(&model.encoder, kernels.c_str(), threads);
    if (!codec) std::exit(3);
    generator.seed(2);
    const std::vector<float> sound = normal(kSamples, 1);
    Bytes state(native_codec_state_size(codec));
    native_codec_reset(codec, state.at);
    std::vector<float> all;
    int at = 0;
    for (size_t index = 0; index <= chunks.size(); ++index) {
        const bool final = index == chunks.size();
        const int samples = final ? kSamples - at : chunks[index];
        const int room = (int(native_codec_due(state.at)) + samples) / Codec::kHop;
        std::vector<float> given(sound.begin() + at, sound.begin() + at + samples), latents(size_t(room) * Codec::kFeatures);
        const int frames = native_codec_encode(codec, state.at, given.data(), samples, final, latents.data());
        all.insert(all.end(), latents.begin(), latents.begin() + frames * Codec::kFeatures);
        at += samples;
    }
    if (all.size() != size_t(kFrames) * Codec::kFeatures) std::exit(5);
    native_codec_close(codec);
    return all;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return ab / std::sqrt(aa * bb);
}

}  // namespace

int main() {
    bool right = true;
    for (int bits : {8, 6, 4}) {
        Model model(bits);
        const std::vector<float> expected = play(model, "portable", 1);
        std::istringstream names(native_kernels());
        for (std::string name; std::getline(names, name, ',');) {
            const std::vector<float> alone = play(model, name, 1), shared = play(model, name, 3);
            const double close = cosine(alone, expected);
            std::printf("%s %d bits: cosine %.6f\n", name.c_str(), bits, close);
            right = right && close > 0.9999 && alone == shared;
        }
    }
    for (int kind = 0; kind < 4; ++kind) {
        const bool causal = kind % 2, compact = kind / 2;
        Codec model(causal, compact);
        const std::vector<float> expected = decode(model, "portable", 1, {});
        std::istringstream names(native_kernels());
        for (std::string name; std::getline(names, name, ',');) {
            const std::vector<float> whole = decode(model, name, 1, {}), parts = decode(model, name, 1, {1, 0, 2, 5});
            const std::vector<float> shared = decode(model, name, 3, {1, 1, 14});
            const double close = cosine(whole, expected);
            std::printf("%s codec%s%s: cosine %.6f\n", name.c_str(), causal ? ", causal" : "", compact ? ", compact" : "",
                        close);
            right = right && close > 0.9999 && whole == parts && whole == shared;
        }
        const std::vector<float> sounding = encode(model, "portable", 1, {});
        names = std::istringstream(native_kernels());
        for (std::string name; std::getline(names, name, ',');) {
            const std::vector<float> whole = encode(model, name, 1, {}), parts = encode(model, name, 3, {1, 0, 5, 40, 7});
            const double close = cosine(whole, sounding);
            std::printf("%s encoder%s%s: cosine %.6f\n", name.c_str(), causal ? ", causal" : "",
                        compact ? ", compact" : "", close);
            right = right && close > 0.9999 && whole == parts;
        }
    }
    return right ? 0 : 1;
}
