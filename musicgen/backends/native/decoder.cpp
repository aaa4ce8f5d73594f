// One step of the decoder for all rows at once: musicgen/decoder.py's step over packed weights.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "native.h"
#include "pool.h"

using namespace native;

namespace {

struct WorkerScratch {
    Buffer<float> scores;
    Buffer<int8_t> fine;
    int size = 0;

    Scratch view(int positions) {
        if (positions > size) {
            size = padded(positions) * 2;
            scores = allocate<float>(size);
            fine = allocate<int8_t>(size_t(size) * 2);
        }
        return {scores.get(), fine.get()};
    }
};

enum class Then { store, add, gelu };

// Consecutive rows that share keys and values.
struct Sequence {
    int first, end;
};

}  // namespace

struct NativeDecoder {
    NativeWeights weights;
    std::vector<NativeLayer> layers;
    const Kernels& kernels;
    Pool pool;
    std::mutex mutex;
    int heads;
    Buffer<float> x, normed, qkv, queries;
    Quantised hidden, fed;
    std::vector<WorkerScratch> scratch;

    NativeDecoder(const NativeWeights& given, const Kernels& chosen, int threads)
        : weights(given),
          layers(given.layer, given.layer + given.layers),
          kernels(chosen),
          pool(threads),
          heads(given.hidden / 64),
          x(allocate<float>(size_t(kMaxRows) * given.hidden)),
          normed(allocate<float>(size_t(kMaxRows) * given.hidden)),
          qkv(allocate<float>(size_t(kMaxRows) * given.hidden * 3)),
          queries(allocate<float>(size_t(kMaxRows) * given.hidden)),
          hidden(given.hidden),
          fed(given.feed),
          scratch(size_t(threads)) {}

    float* row(int index) { return x.get() + size_t(index) * weights.hidden; }
};

namespace {

// out[i] (outputs,) gets row i of the product; with Then::gelu it is quantised into `quantised` instead.
void product(NativeDecoder& d, const NativeMatrix& matrix, const Activations& in, int rows, Then then,
             float* const* out, const Quantised* quantised = nullptr) {
    const size_t size = size_t(matrix.inputs / 64) * group_bytes(matrix.bits);
    each(d.pool, matrix.outputs / 64, [&](int panel, int) {
        alignas(64) float sums[kMaxRows * 64];
        d.kernels.panel(matrix.data + panel * size, matrix.bits, in, rows, sums);
        if (then == Then::gelu) d.kernels.gelu(sums, rows * 64);
        for (int row = 0; row < rows; ++row) {
            const float* sum = sums + row * 64;
            if (then == Then::gelu) {
                quantised->set(d.kernels, row, panel, sum);
                continue;
            }
            float* to = out[row] + panel * 64;
            if (then == Then::store) {
                memcpy(to, sum, 64 * sizeof(float));
            } else {
                for (int i = 0; i < 64; ++i) to[i] += sum[i];
            }
        }
    });
}

// Row i of d.hidden becomes the norm of x[i], quantised.
void norm_and_quantise(NativeDecoder& d, float* const* x, int rows, const float* scale, const float* shift) {
    const int hidden = d.weights.hidden;
    auto one = [&](int row, int) {
        float* y = d.normed.get() + size_t(row) * hidden;
        d.kernels.norm(x[row], scale, shift, hidden, y);
        for (int group = 0; group < hidden / 64; ++group) d.hidden.set(d.kernels, row, group, y + group * 64);
    };
    if (rows > 4) {
        each(d.pool, rows, one);
    } else {  // sooner done than handed out
        for (int row = 0; row < rows; ++row) one(row, 0);
    }
}

void embed(const NativeWeights& w, const NativeRow& row, float* x) {
    const float* position = w.positions + size_t(row.position) * w.hidden;
    memset(x, 0, w.hidden * sizeof(float));
    for (int k = 0; k < (row.column ? w.codebooks : 1); ++k) {
        const float* from = row.column ? w.embed + size_t(w.offsets[k] + row.column[k]) * w.hidden : row.input;
        for (int i = 0; i < w.hidden; ++i) x[i] += from[i];
    }
    for (int i = 0; row.added && i < w.hidden; ++i) x[i] += row.added[i];
    for (int i = 0; i < w.hidden; ++i) x[i] += position[i];
}

// From d.qkv to d.hidden, quantised. A sequence's rows go in order: each sees those before it.
void self_attention(NativeDecoder& d, const NativeRow* rows, const std::vector<Sequence>& sequences, int layer) {
    const int hidden = d.weights.hidden, heads = d.heads, count = int(sequences.size()) * heads;
    auto memory_at = [&](int index) {
        const NativeRow& row = rows[sequences[index / heads].first];
        return row.memory + (size_t(layer) * heads + index % heads) * head_bytes(row.capacity);
    };
    each(d.pool, count, [&](int index, int worker) {
        const int head = index % heads, next = index + int(d.scratch.size());  // most likely this thread's next one
        const Sequence own = sequences[index / heads];
        for (int i = own.first; i < own.end; ++i) {
            const NativeRow& row = rows[i];
            const float* query = d.qkv.get() + size_t(i) * 3 * hidden + head * 64;
            Head memory(memory_at(index), row.capacity);
            alignas(64) float out[64];
            d.kernels.append(memory, row.position, query + hidden, query + 2 * hidden);
            d.kernels.attend(memory, row.position + 1, nullptr, query, out, d.scratch[worker].view(row.position + 1),
                             i + 1 == own.end && next < count ? memory_at(next) : nullptr);
            d.hidden.set(d.kernels, i, head, out);
        }
    });
}

// From d.queries to d.hidden, quantised; `which` are the rows that have a prompt.
void cross_attention(NativeDecoder& d, const NativeRow* rows, const std::vector<int>& which, int layer) {
    const int heads = d.heads;
    each(d.pool, int(which.size()) * heads, [&](int index, int worker) {
        const int head = index % heads, place = index / heads;
        const NativeRow& row = rows[which[place]];
        const size_t at = (size_t(layer) * heads + head) * head_bytes(row.prompt_size);
        Head memory(const_cast<uint8_t*>(row.prompt) + at, row.prompt_size);
        alignas(64) float out[64];
        const float* query = d.queries.get() + size_t(place) * d.weights.hidden + head * 64;
        d.kernels.attend(memory, row.prompt_size, row.prompt_bias, query, out, d.scratch[worker].view(row.prompt_size),
                         nullptr);
        d.hidden.set(d.kernels, place, head, out);
    });
}

std::vector<Sequence> sequences_of(const NativeRow* rows, int count) {
    std::vector<Sequence> sequences;
    for (int i = 0; i < count; ++i) {
        if (i > 0 && rows[i].memory == rows[i - 1].memory) {
            sequences.back().end = i + 1;
        } else {
            sequences.push_back({i, i + 1});
        }
    }
    return sequences;
}

}  // namespace

int32_t native_max_rows() { return kMaxRows; }

int32_t native_row_size() { return int32_t(sizeof(NativeRow)); }

size_t native_memory_size(int32_t layers, int32_t heads, int32_t capacity) {
    return size_t(layers) * size_t(heads) * head_bytes(capacity);
}

NativeDecoder* native_open(const NativeWeights* weights, const char* name, int32_t threads) {
    const Kernels* kernels = find_kernels(name);
    return kernels ? new NativeDecoder(*weights, *kernels, threads) : nullptr;
}

void native_close(NativeDecoder* decoder) { delete decoder; }

void native_step(NativeDecoder* decoder, const NativeRow* rows, int32_t count) {
    NativeDecoder& d = *decoder;
    std::lock_guard<std::mutex> lock(d.mutex);
    const std::vector<Sequence> sequences = sequences_of(rows, count);
    std::vector<int> prompted;
    std::vector<float*> x, qkv, queries, prompted_x, last, logits;
    for (int i = 0; i < count; ++i) {
        embed(d.weights, rows[i], d.row(i));
        x.push_back(d.row(i));
        qkv.push_back(d.qkv.get() + size_t(i) * 3 * d.weights.hidden);
        queries.push_back(d.queries.get() + size_t(i) * d.weights.hidden);
        if (rows[i].prompt) {
            prompted.push_back(i);
            prompted_x.push_back(d.row(i));
        }
        if (rows[i].logits) {
            last.push_back(d.row(i));
            logits.push_back(rows[i].logits);
        }
    }
    const Activations& normed = d.hidden.view;
    for (int index = 0; index < d.weights.layers; ++index) {
        const NativeLayer& layer = d.layers[size_t(index)];
        norm_and_quantise(d, x.data(), count, layer.self_norm_scale, layer.self_norm_shift);
        product(d, layer.qkv, normed, count, Then::store, qkv.data());
        self_attention(d, rows, sequences, index);
        product(d, layer.self_out, normed, count, Then::add, x.data());
        if (layer.cross_norm_scale && !prompted.empty()) {
            const int some = int(prompted.size());
            norm_and_quantise(d, prompted_x.data(), some, layer.cross_norm_scale, layer.cross_norm_shift);
            product(d, layer.cross_q, normed, some, Then::store, queries.data());
            cross_attention(d, rows, prompted, index);
            product(d, layer.cross_out, normed, some, Then::add, prompted_x.data());
        }
        norm_and_quantise(d, x.data(), count, layer.feed_norm_scale, layer.feed_norm_shift);
        product(d, layer.feed_in, normed, count, Then::gelu, nullptr, &d.fed);
        product(d, layer.feed_out, d.fed.view, count, Then::add, x.data());
    }
    if (last.empty()) return;
    norm_and_quantise(d, last.data(), int(last.size()), d.weights.norm_scale, d.weights.norm_shift);
    product(d, d.weights.heads, normed, int(last.size()), Then::store, logits.data());
}

void native_fill(NativeDecoder* decoder, const float* keys, const float* values, int32_t count, uint8_t* memory) {
    const size_t heads = size_t(decoder->weights.layers) * size_t(decoder->heads);
    for (size_t i = 0; i < heads; ++i) {
        Head head(memory + i * head_bytes(count), count);
        for (int position = 0; position < count; ++position) {
            const size_t at = (i * size_t(count) + size_t(position)) * 64;
            decoder->kernels.append(head, position, keys + at, values + at);
        }
    }
}

void native_product(NativeDecoder* decoder, const NativeMatrix* matrix, const float* x, int32_t rows, float* y) {
    std::lock_guard<std::mutex> lock(decoder->mutex);
    Quantised in(matrix->inputs);
    std::vector<float*> out;
    for (int row = 0; row < rows; ++row) {
        out.push_back(y + size_t(row) * matrix->outputs);
        for (int group = 0; group < matrix->inputs / 64; ++group) {
            in.set(decoder->kernels, row, group, x + size_t(row) * matrix->inputs + group * 64);
        }
    }
    product(*decoder, *matrix, in.view, rows, Then::store, out.data());
}

uint64_t native_read(NativeDecoder* decoder, const uint8_t* buffer, size_t size) {
    constexpr size_t kPiece = 1 << 18;
    std::lock_guard<std::mutex> lock(decoder->mutex);
    std::atomic<uint64_t> sum{0};
    each(decoder->pool, int(size / kPiece),
         [&](int index, int) { sum += decoder->kernels.read(buffer + size_t(index) * kPiece, kPiece); });
    return sum;
}
