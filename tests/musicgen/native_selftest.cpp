// The native library by itself, for sanitizers and emulated processors: random weights, every kernel that runs here
// against the portable one, one thread against three, a burst against steps, at the limits of every buffer.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <sstream>
#include <string>
#include <vector>

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
                            prompted ? kPrompt : 0, i == 0 ? logits.data() : i == 1 ? ignored.data() : nullptr});
        }
        native_step(decoder, rows.data(), int(rows.size()));
        all.insert(all.end(), logits.begin(), logits.end());
    }
    std::vector<float> inputs = normal(size_t(kSteps) * kHidden, 1), last(kLogits);  // and once more in one burst
    std::vector<NativeRow> rows;
    for (int i = 0; i < kSteps; ++i) {
        rows.push_back({nullptr, inputs.data() + i * kHidden, memories[0]->at, prompt.at, kSteps, i, kPrompt,
                        i == kSteps - 1 ? last.data() : nullptr});
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

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return ab / std::sqrt(aa * bb);
}

}  // namespace

int main() {
    bool right = true;
    for (int bits : {8, 4}) {
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
    return right ? 0 : 1;
}
