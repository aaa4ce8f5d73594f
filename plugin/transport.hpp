// Where the host is in its song, and how much of that the engine has to be told: it counts on by itself.
#pragma once

#include <cmath>
#include <cstdint>

namespace mg {

/** A tempo, and the beats that have passed since the song's beginning; a tempo of 0: nobody counts. */
struct Place {
    double bpm = 0, beat = 0;
};

static constexpr double SLOWEST = 20, FASTEST = 300;  // beats a minute, as in streamer/control/tempo.py
static constexpr double STRAY = 0.0015;               // seconds by which the engine's count may be off
static constexpr double TOLD_BPM = 0.3;               // by which a tempo has to change to be worded anew
static constexpr double TOLD_SECONDS = 0.02;          // between two tellings of a tempo that glides

/** What the engine was told last, in samples that the host has taken since the music began. */
class Count {
public:
    /** Whether the engine would be wrong about a sample. */
    bool strays(const Place &place, uint64_t sample, double rate) const {
        if ((place.bpm > 0) != (told.bpm > 0) || forgotten) return true;
        if (place.bpm <= 0) return false;
        const double seconds = (double(sample) - double(at)) / rate;
        const double off = (place.beat - told.beat - seconds * told.bpm / 60) * 60 / place.bpm;
        return std::fabs(off) > STRAY || (std::fabs(place.bpm / told.bpm - 1) > 1e-6 && seconds >= TOLD_SECONDS);
    }

    /**
     * As `strays`, for a host that rolls: a jump counts once it is there in two blocks. DPF's LV2 is a bar ahead for a
     * block at the end of some bars.
     */
    bool has_strayed(const Place &place, uint64_t sample, double rate) {
        const bool there = strays(place, sample, rate);
        const bool jump = there && told.bpm > 0 && place.bpm > 0 && !forgotten &&
                          std::fabs(place.beat - told.beat - (double(sample) - double(at)) / rate * told.bpm / 60) > 0.5;
        const bool sure = there && (!jump || jumped);
        jumped = jump;
        return sure;
    }

    void tell(const Place &place, uint64_t sample) {
        told = place;
        at = sample;
        forgotten = jumped = false;
    }

    /** Another engine knows nothing yet. */
    void forget() { forgotten = true; }

private:
    Place told;
    uint64_t at = 0;
    bool forgotten = false, jumped = false;
};

/** A host's tempo as prompts say it: whole where it nearly is, else to a tenth; a small change is none. */
class Wording {
public:
    float of(double bpm) {
        if (std::fabs(bpm - heard) <= TOLD_BPM) return words;
        heard = bpm;
        const double whole = std::floor(bpm + 0.5);
        words = float(std::fabs(bpm - whole) < TOLD_BPM ? whole : std::floor(bpm * 10 + 0.5) / 10);
        return words;
    }

private:
    double heard = 0;
    float words = 0;
};

}  // namespace mg
