// Buffers, and loops over all threads.
#pragma once

#include <cstdlib>
#include <memory>

#include "kernels.h"
#include "pool.h"

namespace native {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
template <class T>
using Buffer = std::unique_ptr<T[], Free>;

template <class T>
Buffer<T> allocate(size_t count) {
    size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
    return Buffer<T>(static_cast<T*>(std::aligned_alloc(64, bytes)));
}

// Quantised activations of up to kMaxRows rows.
struct Quantised {
    Buffer<int8_t> values;
    Buffer<float> scales;
    Buffer<int32_t> sums;
    Activations view;

    explicit Quantised(int width)
        : values(allocate<int8_t>(size_t(kMaxRows) * width)),
          scales(allocate<float>(size_t(kMaxRows) * width / 64)),
          sums(allocate<int32_t>(size_t(kMaxRows) * width / 32)),
          view{values.get(), scales.get(), sums.get(), width} {}

    void set(const Kernels& kernels, int row, int group, const float* x) const {
        int index = row * (view.width / 64) + group;
        kernels.quantise(x, view.values + size_t(index) * 64, view.scales + index, view.sums + 2 * index);
    }
};

// Calls function(index, worker) for every index below count, on all threads.
template <class Function>
void each(Pool& pool, int count, Function function) {
    auto piece = [](void* context, int index, int worker) { (*static_cast<Function*>(context))(index, worker); };
    pool.run(count, piece, &function);
}

}  // namespace native
