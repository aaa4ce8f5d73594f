// What passes between the host's audio thread and the link's, without locks.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace mg {

/** A bounded queue for one thread that puts and one that takes. */
template <typename T> class Queue {
public:
    explicit Queue(size_t most) : items(most + 1) {}

    bool put(const T &item) noexcept {
        const size_t at = last.load(std::memory_order_relaxed), next = (at + 1) % items.size();
        if (next == first.load(std::memory_order_acquire)) return false;
        items[at] = item;
        last.store(next, std::memory_order_release);
        return true;
    }

    /** What comes next, or null; it stays until `drop`. */
    const T *peek() const noexcept {
        const size_t at = first.load(std::memory_order_relaxed);
        return at == last.load(std::memory_order_acquire) ? nullptr : &items[at];
    }

    void drop() noexcept {
        first.store((first.load(std::memory_order_relaxed) + 1) % items.size(), std::memory_order_release);
    }

private:
    std::vector<T> items;
    std::atomic<size_t> first{0}, last{0};
};

/** Stereo sound on its way to the host: counts of samples since the start say what is in it. */
class Ring {
public:
    /** While nobody uses it. */
    void resize(size_t samples) {
        size_t size = 1;
        while (size < samples) size *= 2;
        sound.assign(2 * size, 0.0f);
        mask = size - 1;
        written.store(0);
        taken.store(0);
    }

    size_t capacity() const noexcept { return mask + 1; }
    uint64_t end() const noexcept { return written.load(std::memory_order_acquire); }
    uint64_t begin() const noexcept { return taken.load(std::memory_order_acquire); }

    /** Interleaved samples; what has no room is lost, and the number of what had is returned. */
    size_t write(const float *from, size_t samples) noexcept {
        const uint64_t at = written.load(std::memory_order_relaxed);
        const uint64_t free = capacity() - (at - begin());
        if (samples > free) samples = size_t(free);
        for (size_t i = 0; i < 2 * samples; ++i) sound[(2 * at + i) & (2 * mask + 1)] = from[i];
        written.store(at + samples, std::memory_order_release);
        return samples;
    }

    void read(float *left, float *right, size_t samples) noexcept {
        const uint64_t at = taken.load(std::memory_order_relaxed);
        for (size_t i = 0; i < samples; ++i) {
            left[i] = sound[2 * ((at + i) & mask)];
            right[i] = sound[2 * ((at + i) & mask) + 1];
        }
        taken.store(at + samples, std::memory_order_release);
    }

    /** Leave out what lies before a count. */
    void skip_to(uint64_t count) noexcept { taken.store(count, std::memory_order_release); }

private:
    std::vector<float> sound;
    size_t mask = 0;
    std::atomic<uint64_t> written{0}, taken{0};
};

}  // namespace mg
