#include "pool.h"

#include <chrono>

namespace native {
namespace {

constexpr int kBits = 20;
constexpr uint64_t kMask = (uint64_t(1) << kBits) - 1;

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Between two pieces of a step there are microseconds: shorter than going to sleep takes. Then the core is given up.
template <class Ready>
bool soon(Ready ready) {
    auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(30);
    do {
        for (int i = 0; i < 16; ++i) {
            if (ready()) return true;
            pause();
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

}  // namespace

Pool::Pool(int threads) {
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back(&Pool::work, this, worker);
}

Pool::~Pool() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        stop_ = true;
    }
    woken_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void Pool::run(int count, void (*piece)(void*, int, int), void* context) {
    if (workers_.empty() || count == 1) {
        for (int index = 0; index < count; ++index) piece(context, index, 0);
        return;
    }
    piece_ = piece;
    context_ = context;
    count_ = count;
    done_ = 0;
    uint64_t generation = (ticket_.load() >> 2 * kBits) + 1;
    ticket_ = generation << 2 * kBits | uint64_t(count) << kBits;
    if (sleepers_.load() > 0) {
        std::lock_guard<std::mutex> lock(mutex_);
        woken_.notify_all();
    }
    for (int index; claim(&index);) {
        piece(context, index, 0);
        ++done_;
    }
    if (soon([this] { return finished(); })) return;
    waiting_ = true;
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [this] { return finished(); });
    waiting_ = false;
}

bool Pool::claim(int* index) {
    uint64_t ticket = ticket_.load();
    do {
        if ((ticket & kMask) >= (ticket >> kBits & kMask)) return false;
    } while (!ticket_.compare_exchange_weak(ticket, ticket + 1));
    *index = int(ticket & kMask);
    return true;
}

void Pool::work(int worker) {
    for (;;) {
        auto ready = [this] {
            uint64_t ticket = ticket_.load();
            return stop_.load() || (ticket & kMask) < (ticket >> kBits & kMask);
        };
        if (!soon(ready)) {
            std::unique_lock<std::mutex> lock(mutex_);
            ++sleepers_;
            woken_.wait(lock, ready);
            --sleepers_;
        }
        if (stop_) return;
        for (int index; claim(&index);) {
            // Claimed, so the call that this piece belongs to cannot end before it: its fields stand still.
            piece_(context_, index, worker);
            int count = count_;
            if (++done_ == count && waiting_) {
                std::lock_guard<std::mutex> lock(mutex_);
                finished_.notify_one();
            }
        }
    }
}

}  // namespace native
