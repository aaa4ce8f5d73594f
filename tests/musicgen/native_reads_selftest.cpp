// How often a step reads its weights: the portable kernels, counting. Every byte of every matrix goes through a kernel
// exactly once, for one row as for the four of a stream whose shadow is at work or for many streams.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "../../musicgen/backends/native/kernels.h"
#include "../../musicgen/backends/native/native.h"

namespace {

constexpr int kHidden = 128, kFeed = 192, kLayers = 2, kVocabulary = 64, kPositions = 20;

std::map<const uint8_t*, size_t> reads;  // where a panel begins -> its bytes, added up over all reads
std::mutex mutex;

void count(const uint8_t* panel, int bits, const native::Activations& x, int rows, float* sums) {
    {
        std::lock_guard<std::mutex> lock(mutex);
        reads[panel] += size_t(x.width / 64) * native::group_bytes(bits);
    }
    native::portable.panel(panel, bits, x, rows, sums);
}

}  // namespace

namespace native {

const Kernels* find_kernels(const char*) {
    static const Kernels counting = [] {
        Kernels kernels = portable;
        kernels.panel = count;
        return kernels;
    }();
    return &counting;
}

}  // namespace native

int main() {
    bool once = true;
    std::vector<float> ones(4096 * 8, 1.0f);
    std::vector<int64_t> offsets{0}, column{3};
    for (int bits : {8, 6, 4}) {
        std::vector<std::vector<uint8_t>> packed;
        std::map<const uint8_t*, size_t> wanted;
        auto matrix = [&](int inputs, int outputs, int own) {
            std::vector<float> source(size_t(inputs) * size_t(outputs), 0.5f);
            packed.emplace_back(native_matrix_size(inputs, outputs, own));
            uint8_t* data = packed.back().data();
            native_pack(source.data(), outputs, inputs, outputs, own, data);
            const size_t panel = size_t(inputs / 64) * native::group_bytes(own);
            for (int i = 0; i < outputs / 64; ++i) wanted[data + size_t(i) * panel] = panel;
            return NativeMatrix{data, inputs, outputs, own};
        };
        std::vector<NativeLayer> layers(kLayers);
        const float* norm = ones.data();
        for (NativeLayer& layer : layers) {
            layer = {norm, norm, norm, norm, norm, norm,
                     matrix(kHidden, 3 * kHidden, bits), matrix(kHidden, kHidden, bits), matrix(kHidden, kHidden, bits),
                     matrix(kHidden, kHidden, bits), matrix(kHidden, kFeed, bits), matrix(kFeed, kHidden, bits)};
        }
        const NativeWeights weights = {kHidden, kLayers, 1, kFeed, norm, offsets.data(), norm, norm, norm,
                                       matrix(kHidden, kVocabulary, 8), layers.data()};
        NativeDecoder* decoder = native_open(&weights, "", 2);
        std::vector<uint8_t> prompt(native_memory_size(kLayers, kHidden / 64, 5));
        std::vector<float> states(size_t(kLayers) * kHidden * 5, 1.0f), logits(kVocabulary);
        native_fill(decoder, states.data(), states.data(), 5, prompt.data());
        for (int rows : {1, 2, 4, 48}) {
            std::vector<std::vector<uint8_t>> memories(rows);
            std::vector<NativeRow> all;
            for (std::vector<uint8_t>& memory : memories) {
                memory.resize(native_memory_size(kLayers, kHidden / 64, kPositions));
                all.push_back({column.data(), nullptr, memory.data(), prompt.data(), kPositions, 0, 5, logits.data(), nullptr});
            }
            reads.clear();
            native_step(decoder, all.data(), rows);
            std::printf("%d bits, %d rows: %zu panels, each once: %s\n", bits, rows, reads.size(),
                        reads == wanted ? "yes" : "no");
            once = once && reads == wanted;
        }
        native_close(decoder);
    }
    return once ? 0 : 1;
}
