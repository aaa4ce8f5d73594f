// A few threads that share the work of one step. Nobody has to take part: pieces are handed out one by one, so a thread
// that another process keeps off its core holds up nothing but the piece it has.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace native {

class Pool {
   public:
    explicit Pool(int threads);  // the caller of run is one of them
    ~Pool();
    Pool(const Pool&) = delete;

    int threads() const { return int(workers_.size()) + 1; }

    // piece(context, index, worker) for every index below count. One caller at a time; worker is below threads().
    void run(int count, void (*piece)(void*, int, int), void* context);

   private:
    void work(int worker);
    bool claim(int* index);
    bool finished() const { return done_.load() == count_; }

    // generation << 40 | pieces << 20 | next piece: one word, so that a late thread cannot mix two calls of run
    std::atomic<uint64_t> ticket_{0};
    std::atomic<int> done_{0};
    std::atomic<int> sleepers_{0};
    std::atomic<bool> waiting_{false};
    std::atomic<bool> stop_{false};
    int count_ = 0;
    void (*piece_)(void*, int, int) = nullptr;
    void* context_ = nullptr;
    std::mutex mutex_;
    std::condition_variable woken_, finished_;
    std::vector<std::thread> workers_;
};

}  // namespace native
