// What a frame's score adds to its column: musicgen/score.py's features of its fields, times their projection.
#include <cmath>

#include "native.h"

namespace {

constexpr int kBeats[] = {1, 2, 3, 4, 6, 8}, kBars[] = {1, 2, 3, 4};  // harmonics of the phases

// Adds the projection's rows, one feature after the other.
class Sum {
   public:
    Sum(const float* table, int hidden, float* to) : row_(table), hidden_(hidden), to_(to) {}

    void add(double value) {
        const float feature = float(value);
        if (feature != 0) {
            for (int i = 0; i < hidden_; ++i) to_[i] += feature * row_[i];
        }
        row_ += hidden_;
    }
    void pass(int features) { row_ += size_t(features) * size_t(hidden_); }

   private:
    const float* row_;
    int hidden_;
    float* to_;
};

template <size_t Count>
void add_phase(Sum& sum, double phase, const int (&harmonics)[Count]) {
    const double turn = 2 * std::acos(-1.0) * phase;
    for (int harmonic : harmonics) {
        sum.add(std::cos(harmonic * turn));
        sum.add(std::sin(harmonic * turn));
    }
}

}  // namespace

int32_t native_score(const float* table, int32_t hidden, const float* fields, float* vector) {
    Sum sum(table, hidden, vector);
    int known = 0;
    for (int i = 0; i < hidden; ++i) vector[i] = 0;
    // Whether the next field is known, the feature that says so, or room for all that it has.
    auto takes = [&](double lowest, double highest, int features) {
        const bool is = *fields >= lowest && *fields <= highest;
        known += is;
        if (is) {
            sum.add(1);
        } else {
            sum.pass(features);
        }
        return is;
    };
    if (takes(0, 1, 13)) add_phase(sum, *fields, kBeats);
    ++fields;
    if (takes(0, 1, 9)) add_phase(sum, *fields, kBars);
    ++fields;
    if (takes(1, 10000, 3)) {
        const double octaves = std::log2(*fields / 120.0);
        sum.add(octaves);
        sum.add(octaves * octaves);
    }
    ++fields;
    if (takes(0, 4095, 13)) {
        for (int note = 0; note < 12; ++note) sum.add(int(*fields) >> note & 1);
    }
    ++fields;
    if (takes(0, 11, 13)) {
        for (int note = 0; note < 12; ++note) sum.add(*fields == float(note));
    }
    ++fields;
    for (int player = 0; player < 4; ++player, ++fields) {
        if (takes(0, 1, 2)) sum.add(2.0 * *fields - 1);
    }
    if (takes(0, 1, 3)) {
        const double energy = 2.0 * *fields - 1;
        sum.add(energy);
        sum.add(energy * energy);
    }
    return known;
}
