// The connection to the engine: a thread of its own does all that may wait, so that the host never does.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "home.hpp"
#include "parameters.hpp"
#include "queue.hpp"
#include "wire.hpp"

namespace mg {

inline double now() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

/** Takes what others than the host have changed, on the link's thread. */
struct Listener {
    virtual ~Listener() {}
    virtual void number_changed(int place, float value) = 0;
    virtual void follow_changed(bool follows) = 0;
    virtual void text_changed(int place, const std::string &value) = 0;
    virtual std::string text_now(int place) = 0;
};

/** Something to tell the engine once the sound up to a sample is asked for. */
struct Order {
    enum What { NUMBER, WORDS, ACTION, ANEW, RENDERS, SYNC, BEATS } what;
    int place;
    double value, more;  // of ANEW and BEATS: the host's beats a minute, 0 for none, and its beat at the sample
    uint64_t at;  // samples that the host had taken since the last ANEW
};

class Link {
public:
    explicit Link(Listener &listener) : listener(listener), orders(8192) {
        std::random_device random;
        char name[40];
        std::snprintf(name, sizeof name, "%08x%08x%08x", random(), random(), random());
        session = name;
    }

    ~Link() {
        stop();
        hang_up();
    }

    /** Begin at a rate with what the numbers are now; not from the audio thread. */
    void start(int new_rate, uint32_t new_lead, const float *numbers, bool new_follows) {
        stop();
        if (new_rate != rate) hang_up();
        rate = new_rate;
        lead.store(new_lead);
        ring.resize(size_t(rate) * 5 + 8 * 8192);
        while (orders.peek() != nullptr) orders.drop();
        for (int i = 0; i < NUMBER_COUNT; ++i) told[i] = numbers[i];
        follows = new_follows;
        consumed.store(0);
        wanted.store(1);
        begun.store(0);
        reading = coming = 0;
        renew = true;
        running.store(true);
        thread = std::thread([this] { run(); });
    }

    void stop() {
        running.store(false);
        if (thread.joinable()) thread.join();
    }

    // ---- for the audio thread

    bool order(const Order &one) noexcept { return orders.put(one); }

    /** Samples that can be taken; 0 while music that begins anew is not there yet. */
    size_t ready() noexcept {
        const uint32_t there = begun.load(std::memory_order_acquire);
        if (there != wanted.load(std::memory_order_relaxed)) return 0;
        if (there != reading) {
            ring.skip_to(start_of.load(std::memory_order_acquire));
            reading = there;
        }
        return size_t(ring.end() - ring.begin());
    }

    void take(float *left, float *right, size_t samples) noexcept {
        ring.read(left, right, samples);
        consumed.fetch_add(samples, std::memory_order_release);
    }

    uint64_t taken() const noexcept { return consumed.load(std::memory_order_relaxed); }

    /** Have the music begin anew, on a host's beat: nothing of what was made before is heard any more. */
    void anew(double bpm, double beat) noexcept {
        const Order one = {Order::ANEW, 0, bpm, beat, taken()};
        if (!orders.put(one)) return;
        consumed.store(0, std::memory_order_release);
        wanted.fetch_add(1, std::memory_order_release);
    }

    /** How often another engine has taken the music over. */
    uint32_t resumed() const noexcept { return takeovers.load(std::memory_order_relaxed); }

    std::atomic<uint32_t> lead{0};  // samples
    std::atomic<bool> connected{false}, starting{false};
    std::atomic<float> rtf{0};
    std::atomic<int> number_of_instance{0};

    /** What is wrong, in one sentence; "" for nothing. */
    std::string sentence() {
        std::lock_guard<std::mutex> hold(lock);
        return now() < shown_until ? passing : standing;
    }

    std::string prefix() {
        std::lock_guard<std::mutex> hold(lock);
        return osc;
    }

private:
    Listener &listener;
    std::thread thread;
    std::atomic<bool> running{false};
    Queue<Order> orders;
    Ring ring;
    std::atomic<uint64_t> consumed{0}, start_of{0};
    std::atomic<uint32_t> wanted{0}, begun{0}, takeovers{0};
    uint32_t reading = 0;  // the audio thread's

    // the link's thread alone
    std::string session, heard, unsent;
    int rate = 0;
    Connection line;
    Program engine;
    float told[NUMBER_COUNT];
    bool renew = true, welcome = false, renders = false, follows = false;
    uint32_t epoch = 0, coming = 0;  // on the wire; of the audio thread's count
    uint64_t granted = 0, received = 0;
    double since = 0, next_try = 0, spawned = -1e9, dialled = 0;

    std::mutex lock;
    std::string standing, passing, osc;
    double shown_until = 0;

    void say(const std::string &words) {
        std::lock_guard<std::mutex> hold(lock);
        standing = words;
    }

    /**
     * The thread. What it brings is played by the host's, which is real time, and made by the engine, which asks to go
     * before others. Between the two an ordinary thread is what a busy machine holds up: it was, for longer than the
     * lead. A system that grants nothing leaves it as it is.
     */
    void run() {
        const Hurry hurry;
        if (welcome) introduce(true);
        while (running.load()) {
            engine.runs();  // one that has ended is let go of
            if (!line.open()) {
                find();
                if (!line.open()) {
                    pause();
                    continue;
                }
            }
            if (welcome) obey();
            send_some();
            receive();
        }
    }

    void pause() {
        for (int i = 0; i < 10 && running.load(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }

    // ---- the engine: found, or started

    void find() {
        const double time = now();
        if (time < next_try) return;
        next_try = time + 0.1;
        const std::string folder = home(), there = own_file(folder + "/engine.json");
        const std::string port = entry(there, "port"), error = entry(there, "error");
        if (!port.empty() && dial(std::atoi(port.c_str()), entry(there, "token"))) return;
        const std::string installed = own_file(folder + "/plugin.json");
        if (installed.empty()) {
            say("No engine is installed: run `streamer plugin install` once.");
            return;
        }
        if (spawned < 0) since = time;
        if (!error.empty() && !engine.runs() && spawned > 0 && time - spawned < 20) {
            say(error);
            starting.store(false);
            return;
        }
        starting.store(true);
        char words[80];
        std::snprintf(words, sizeof words, "The engine is starting: %d s", int(time - since));
        say(words);
        static std::atomic<double> last(-1e9);  // of all instances in this host: one engine is enough
        if (!engine.runs() && time - last.load() > 8) {
            last.store(time);
            const std::string model = entry(installed, "model");
            spawned = time;
            if (!start_engine(engine, entry(installed, "python"), model.empty() ? "nano" : model, folder)) {
                say("The engine cannot be started: run `streamer plugin install` again.");
                starting.store(false);
            }
        }
    }

    bool dial(int port, const std::string &token) {
        if (!line.dial(port)) return false;
        heard.clear();
        unsent.clear();
        char words[400];
        std::snprintf(words, sizeof words, "version=%d\ntoken=%s\nrate=%d\nchannels=2\nsession=%s\nnumber=%d\n",
                      int(PROTOCOL), token.c_str(), rate, session.c_str(), number_of_instance.load());
        unsent += packed(HELLO, words);
        dialled = now();
        if (since == 0) since = dialled;
        return true;
    }

    void hang_up() {
        line.close();
        welcome = false;
        connected.store(false);
    }

    /** The connection is lost. What is in the ring plays on meanwhile. */
    void lose() {
        starting.store(true);  // before it is not connected: a render waits for either
        hang_up();
        since = now();
        next_try = 0;
        granted = received;
    }

    // ---- what is told

    /** Everything that is not as a new session has it, or everything; then the music. */
    void introduce(bool all) {
        for (int i = 0; i < NUMBER_COUNT; ++i)
            if (all || told[i] != NUMBERS[i].normal) unsent += number(NUMBERS[i].name, told[i]);
        for (int i = 0; i < TEXT_COUNT; ++i) {
            const std::string words = listener.text_now(i);
            if (all || words != TEXTS[i].normal) unsent += text(TEXTS[i].name, words);
        }
        if (renders) unsent += packed(OFFLINE, std::string(1, '\1'));
        if (all || follows) unsent += text("sync", follows ? "host" : "internal");
        if (renew) return begin_anew(0, 0);
        unsent += mg::begin(++epoch, true);
        takeovers.fetch_add(1);
    }

    void begin_anew(double bpm, double beat) {
        renew = false;
        unsent += mg::begin(++epoch, false);
        if (bpm > 0) unsent += host(bpm, beat);
        ++coming;  // at times before the audio thread has counted it
        granted = received = 0;
        start_of.store(ring.end(), std::memory_order_release);
        begun.store(coming, std::memory_order_release);
        grant(lead.load());
    }

    void grant(uint64_t up_to) {
        if (up_to <= granted) return;
        unsent += credit(uint32_t(up_to - granted));
        granted = up_to;
    }

    /** Orders in their places between the samples, then what the host has taken. */
    void obey() {
        // In this order: what was taken of the music before an ANEW is not taken for a part of what begins.
        const bool counted = coming == wanted.load(std::memory_order_acquire);
        const uint64_t taken_now = consumed.load(std::memory_order_acquire);
        bool any = false;
        while (const Order *next = orders.peek()) {
            const Order one = *next;
            orders.drop();
            any = true;
            if (one.what != Order::ANEW) grant(one.at + lead.load());
            switch (one.what) {
            case Order::NUMBER:
                told[one.place] = float(one.value);
                unsent += number(NUMBERS[one.place].name, one.value);
                break;
            case Order::WORDS:
                unsent += text(TEXTS[one.place].name, listener.text_now(one.place));
                break;
            case Order::ACTION:
                unsent += number("reset", 1);
                break;
            case Order::ANEW:
                begin_anew(one.value, one.more);
                break;
            case Order::SYNC:
                follows = one.value != 0;
                unsent += text("sync", follows ? "host" : "internal");
                break;
            case Order::RENDERS:
                renders = one.value != 0;
                unsent += packed(OFFLINE, std::string(1, char(renders)));
                break;
            case Order::BEATS:
                unsent += host(one.value, one.more + double(granted - one.at) / rate * one.value / 60);
                break;
            }
        }
        if (!any && counted) grant(taken_now + lead.load());
    }

    void send_some() {
        while (!unsent.empty() && line.open()) {
            const long sent = line.send(unsent.data(), unsent.size());
            if (sent == 0) return;
            if (sent == Connection::LOST) lose();
            else unsent.erase(0, size_t(sent));
        }
    }

    // ---- what is heard

    void receive() {
        if (!line.open()) return;
        line.wait(renders ? 1 : 2);
        if (!welcome) {
            starting.store(true);
            char words[80];
            std::snprintf(words, sizeof words, "The engine is starting: %d s", int(now() - since));
            say(words);
        }
        char part[65536];
        for (int i = 0; i < 16; ++i) {
            const long count = line.receive(part, sizeof part);
            if (count == Connection::LOST) {
                understand();
                lose();
                return;
            }
            heard.append(part, size_t(count));
            if (size_t(count) < sizeof part) break;
        }
        understand();
    }

    void understand() {
        size_t at = 0;
        while (heard.size() - at >= HEAD_BYTES) {
            const uint32_t size = get<uint32_t>(heard.data() + at + 1);
            if (size > LARGEST) return lose();
            if (heard.size() - at < HEAD_BYTES + size_t(size)) break;
            hear(Kind(uint8_t(heard[at])), heard.data() + at + HEAD_BYTES, size);
            at += HEAD_BYTES + size;
            if (!line.open()) return;
        }
        heard.erase(0, at);
    }

    void hear(Kind kind, const char *body, size_t size) {
        switch (kind) {
        case WELCOME:
            return greeted(std::string(body, size));
        case AUDIO:
            if (size >= 4 && get<uint32_t>(body) == epoch) {
                const size_t samples = (size - 4) / 8;
                std::vector<float> sound(2 * samples);
                std::memcpy(sound.data(), body + 4, 8 * samples);
                received += ring.write(sound.data(), samples);
            }
            return;
        case VALUE:
            if (size > 8) changed(std::string(body + 8, size - 8), get<double>(body));
            return;
        case WORDS: {
            const std::string both(body, size);
            const size_t zero = both.find('\0');
            if (zero == std::string::npos) return;
            const std::string name = both.substr(0, zero), value = both.substr(zero + 1);
            if (name == "sync") listener.follow_changed(value == "host");
            for (int i = 0; i < TEXT_COUNT; ++i)
                if (name == TEXTS[i].name) listener.text_changed(i, value);
            return;
        }
        case STATUS: {
            const std::string lines(body, size);
            rtf.store(float(std::atof(field(lines, "rtf").c_str())));
            return say(field(lines, "sentence"));
        }
        case ERROR: {
            std::lock_guard<std::mutex> hold(lock);
            passing = std::string(body, size);
            shown_until = now() + 10;
            return;
        }
        default:
            return;
        }
    }

    void greeted(const std::string &lines) {
        welcome = true;
        connected.store(true);
        starting.store(false);
        spawned = -1e9;
        number_of_instance.store(std::atoi(field(lines, "number").c_str()));
        {
            std::lock_guard<std::mutex> hold(lock);
            osc = field(lines, "prefix") + " on port " + field(lines, "osc");
        }
        say("");
        introduce(false);
    }

    void changed(const std::string &name, double value) {
        for (int i = 0; i < NUMBER_COUNT; ++i) {
            if (name != NUMBERS[i].name) continue;
            told[i] = float(value);
            listener.number_changed(i, float(value));
        }
    }
};

}  // namespace mg
