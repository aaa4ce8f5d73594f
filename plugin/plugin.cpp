// MusicGen Streamer in a host: what the engine makes is what the track plays, and the host is the clock.
#include "DistrhoPlugin.hpp"

#include "link.hpp"
#include "streamer_plugin.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

START_NAMESPACE_DISTRHO

using namespace mg;

StreamerPlugin::StreamerPlugin() : Plugin(PARAMETER_COUNT, 0, TEXT_COUNT + 1), link(*this) {
    for (int i = 0; i < PARAMETER_COUNT; ++i) {
        of_host[i] = i < NUMBER_COUNT ? NUMBERS[i].normal : 0.0f;
        values[i].store(of_host[i]);
        if (i < NUMBER_COUNT) sent[i] = of_host[i];
    }
    for (int i = 0; i < TEXT_COUNT; ++i) texts[i] = TEXTS[i].normal;
}

// ---- what the host sees

void StreamerPlugin::initParameter(uint32_t index, Parameter &parameter) {
    parameter.hints = kParameterIsAutomatable;
    if (index < NUMBER_COUNT) {
        const Number &one = NUMBERS[index];
        parameter.name = one.label;
        parameter.symbol = one.name;
        parameter.unit = one.unit;
        parameter.description = one.doc;
        parameter.ranges = ParameterRanges(one.normal, one.low, one.high);
        if (one.curve == LOG) parameter.hints |= kParameterIsLogarithmic;
        if (one.curve == WHOLE) parameter.hints |= kParameterIsInteger;
        if (one.curve == SWITCH) parameter.hints |= kParameterIsBoolean | kParameterIsInteger;
        return;
    }
    static const char *const slots[] = {"Blend", "1", "2", "3", "4", "5", "6", "7", "8"};
    static const char *const ways[] = {"Run free", "Play with the host", "Begin anew at play"};
    switch (index) {
    case SLOT:
        choices(parameter, "Prompt slot", "slot", slots, 9);
        parameter.description = "The slot that plays alone; Blend: all of them by their weights.";
        break;
    case TRANSPORT:
        choices(parameter, "Transport", "transport", ways, 3);
        parameter.description = "What the host's play and stop do to the music.";
        break;
    case FOLLOW:
        parameter.name = "Follow host tempo";
        parameter.symbol = FOLLOW_NAME;
        parameter.description = "Play on the host's beat, in its tempo.";
        parameter.hints |= kParameterIsBoolean | kParameterIsInteger;
        break;
    case RESET:
        parameter.name = "Reset";
        parameter.symbol = "reset";
        parameter.description = "Begin the music anew from the seed.";
        parameter.hints |= kParameterIsTrigger | kParameterIsInteger;
        break;
    }
}

void StreamerPlugin::choices(Parameter &parameter, const char *name, const char *symbol, const char *const *labels,
                             uint8_t count) {
    parameter.name = name;
    parameter.symbol = symbol;
    parameter.hints |= kParameterIsInteger;
    parameter.ranges = ParameterRanges(0, 0, float(count - 1));
    parameter.enumValues.count = count;
    parameter.enumValues.restrictedMode = true;
    parameter.enumValues.values = new ParameterEnumerationValue[count];
    for (uint8_t i = 0; i < count; ++i) {
        parameter.enumValues.values[i].label = labels[i];
        parameter.enumValues.values[i].value = i;
    }
}

void StreamerPlugin::initState(uint32_t index, State &state) {
    if (index < TEXT_COUNT) {
        state.key = TEXTS[index].name;
        state.label = TEXTS[index].label;
        state.description = TEXTS[index].doc;
        state.defaultValue = TEXTS[index].normal;
        state.hints = kStateIsHostWritable;
    } else {
        state.key = "changed";
        state.label = "Changed over OSC";
        state.hints = kStateIsOnlyForDSP;
    }
}

float StreamerPlugin::getParameterValue(uint32_t index) const {
    return index < PARAMETER_COUNT ? values[index].load() : 0.0f;
}

void StreamerPlugin::setParameterValue(uint32_t index, float value) {
    if (index >= PARAMETER_COUNT) return;
    // A host that restores a project says again what it knows: what OSC made of that since stays.
    if (of_host[index] == value && restored[index]) return;
    restored[index] = false;
    of_host[index] = value;
    values[index].store(value);
}

String StreamerPlugin::getState(const char *key) const {
    std::lock_guard<std::mutex> hold(lock);
    for (int i = 0; i < TEXT_COUNT; ++i)
        if (std::strcmp(key, TEXTS[i].name) == 0) return String(texts[i].c_str());
    std::string lines;
    for (int i = 0; i <= FOLLOW; ++i) {
        if (values[i].load() == of_host[i] || (i >= SLOT && i != FOLLOW)) continue;
        char line[160];
        std::snprintf(line, sizeof line, "%s=%.9g@%.9g\n", i < NUMBER_COUNT ? NUMBERS[i].name : FOLLOW_NAME,
                      double(values[i].load()), double(of_host[i]));
        lines += line;
    }
    return String(lines.c_str());
}

void StreamerPlugin::setState(const char *key, const char *value) {
    std::lock_guard<std::mutex> hold(lock);
    for (int i = 0; i < TEXT_COUNT; ++i) {
        if (std::strcmp(key, TEXTS[i].name) != 0) continue;
        if (texts[i] != value) {
            texts[i] = value;
            fresh[i].store(true);
        }
        return;
    }
    for (int i = 0; i <= FOLLOW; ++i) {
        if (i >= SLOT && i != FOLLOW) continue;
        const std::string found = field(value, i < NUMBER_COUNT ? NUMBERS[i].name : FOLLOW_NAME);
        const size_t at = found.find('@');
        if (at == std::string::npos) continue;
        const float low = i < NUMBER_COUNT ? NUMBERS[i].low : 0, high = i < NUMBER_COUNT ? NUMBERS[i].high : 1;
        const float heard = float(std::atof(found.c_str())), of_then = float(std::atof(found.c_str() + at + 1));
        if (!(heard >= low && heard <= high)) continue;
        of_host[i] = of_then;
        restored[i] = true;
        values[i].store(heard);
    }
}

// ---- what others have changed, on the link's thread

void StreamerPlugin::number_changed(int place, float value) {
    osc_sent[place].store(value);
    osc_news[place].store(true);
    values[place].store(value);
}

void StreamerPlugin::follow_changed(bool follows) { values[FOLLOW].store(follows ? 1.0f : 0.0f); }

void StreamerPlugin::text_changed(int place, const std::string &value) {
    std::lock_guard<std::mutex> hold(lock);
    texts[place] = value;
}

std::string StreamerPlugin::text_now(int place) {
    std::lock_guard<std::mutex> hold(lock);
    return texts[place];
}

// ---- sound

void StreamerPlugin::activate() {
    for (int i = 0; i < NUMBER_COUNT; ++i) sent[i] = effective(i);
    for (int i = 0; i < TEXT_COUNT; ++i) fresh[i].store(false);
    const uint32_t block = std::max<uint32_t>(getBufferSize(), 64);
    largest = block;
    ahead = 0;
    last_end = 0;
    offline = told_offline = given_up = false;
    starved = rolling = false;
    patience = FIRST_SECONDS;
    reset_sent = values[RESET].load() > 0.5f;
    follow_sent = values[FOLLOW].load() > 0.5f;
    count.tell(Place(), 0);
    link.start(int(getSampleRate() + 0.5), lead_for(block), sent, follow_sent);
    // What a render hears first should be music: an engine that runs needs a moment, one that starts a few seconds.
    const double until = now() + ACTIVATE_SECONDS;
    while (link.ready() < link.lead.load() && now() < until) {
        if (!link.connected.load() && !link.starting.load() && !link.sentence().empty()) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

void StreamerPlugin::deactivate() { link.stop(); }

/** Samples queued ahead: as many as are asked for, and enough to find out in time that the host renders. */
uint32_t StreamerPlugin::lead_for(uint32_t block) const {
    const double asked = values[LEAD].load() / 1000.0 * getSampleRate();
    return uint32_t(std::max(asked, 3.5 * block + 0.02 * getSampleRate()));
}

/** What a number is for the engine: the slot and the host's tempo have their say. */
float StreamerPlugin::effective(int place) const {
    const int slot = int(values[SLOT].load() + 0.5f);
    if (slot > 0 && place >= WEIGHT1 && place < WEIGHT1 + 8) return place - WEIGHT1 == slot - 1 ? 1.0f : 0.0f;
    if (place == TEMPO && values[FOLLOW].load() > 0.5f && host_tempo > 0) return host_tempo;
    return values[place].load();
}

/** Tell the engine what has changed since the last block; whether anything had. */
bool StreamerPlugin::tell_changes() {
    bool any = false;
    for (int i = 0; i < NUMBER_COUNT; ++i) {
        if (osc_news[i].exchange(false)) sent[i] = osc_sent[i].load();  // it knows
        const float value = effective(i);
        if (value == sent[i]) continue;
        const Order one = {Order::NUMBER, i, value, 0, link.taken()};
        if (link.order(one)) sent[i] = value;
        any = true;
    }
    for (int i = 0; i < TEXT_COUNT; ++i) {
        if (!fresh[i].exchange(false)) continue;
        const Order one = {Order::WORDS, i, 0, 0, link.taken()};
        if (!link.order(one)) fresh[i].store(true);
        any = true;
    }
    const bool follow = values[FOLLOW].load() > 0.5f;
    if (follow != follow_sent) {
        const Order one = {Order::SYNC, 0, double(follow), 0, link.taken()};
        if (link.order(one)) follow_sent = follow;
        any = true;
    }
    const bool reset = values[RESET].load() > 0.5f;
    if (reset && !reset_sent) {
        const Order one = {Order::ACTION, 0, 0, 0, link.taken()};
        link.order(one);
    }
    reset_sent = reset;
    return any;
}

/** How far the host is ahead of the clock, seconds; what it waited for us does not count. */
void StreamerPlugin::find_out_whether_it_renders(uint32_t samples) {
    const double time = now(), rate = getSampleRate(), block = std::max(samples, largest) / rate;
    if (last_end > 0) ahead -= 1.25 * (time - last_end);
    ahead = std::min(std::max(ahead, 0.0) + samples / rate, std::max(0.3, 4 * block));
    if (ahead > std::max(0.04, 2.5 * block)) offline = true;
    else if (ahead < block * 1.01) offline = false;
    if (offline != told_offline) {
        const Order one = {Order::RENDERS, 0, double(offline), 0, link.taken()};
        if (link.order(one)) told_offline = offline;
    }
}

/** Where the host is, if it is to be followed and can be. */
Place StreamerPlugin::place_of_host() const {
    const TimePosition::BarBeatTick &bbt = getTimePosition().bbt;
    Place place;
    if (values[FOLLOW].load() <= 0.5f || !bbt.valid) return place;
    if (bbt.beatsPerMinute < SLOWEST || bbt.beatsPerMinute > FASTEST) return place;
#ifdef DISTRHO_PLUGIN_TARGET_VST3
    const double quarters = bbt.beatType > 0 ? 4.0 / bbt.beatType : 1;  // the tempo's beats
#else
    const double quarters = 1;
#endif
    const double beats = (bbt.bar - 1) * double(bbt.beatsPerBar) + bbt.beat - 1 + bbt.tick / std::max(1.0, bbt.ticksPerBeat);
    place.bpm = bbt.beatsPerMinute;
    place.beat = beats * quarters;
    return place;
}

/** Whether the host's transport lets the music through, and what it has it do. */
bool StreamerPlugin::obey_transport() {
    const bool playing = getTimePosition().playing;
    const int way = int(values[TRANSPORT].load() + 0.5f);
    const bool begins = playing && !rolling, ends = !playing && rolling;
    rolling = playing;
    const Place here = place_of_host();
    const bool still = here.beat == last_beat;
    last_beat = here.beat;
    if (here.bpm > 0) host_tempo = wording.of(here.bpm);
    if (link.resumed() != resumed) {
        resumed = link.resumed();
        count.forget();
    }
    const uint64_t taken = link.taken();
    // Nothing has been heard yet: what the host has set since belongs to the beginning, and so does its beat.
    bool anew = tell_changes() && taken == 0;
    const bool waits = way != FREE && !playing;
    if (taken == 0 && (begins || (waits && still))) anew = anew || count.strays(here, 0, getSampleRate());
    // Made anew as soon as the host has stopped: it waits for the next play.
    if (way == ANEW_AT_PLAY) anew = anew || ends || (begins && taken > 0);
    const Place counted = playing || waits ? here : Place();
    if (anew) {
        link.anew(counted.bpm, counted.beat);
        count.tell(counted, 0);
    } else if (taken > 0 && !waits && count.has_strayed(counted, taken, getSampleRate())) {
        const Order one = {Order::BEATS, 0, counted.bpm, counted.beat, taken};
        if (link.order(one)) count.tell(counted, taken);
    }
    return !waits;
}

void StreamerPlugin::run(const float **, float **outputs, uint32_t samples) {
    float *const left = outputs[0], *const right = outputs[1];
    if (samples == 0) return;
    largest = std::max(largest, samples);
    link.lead.store(lead_for(largest));
    find_out_whether_it_renders(samples);
    const bool open = obey_transport();
    if (!open) {
        std::fill(left, left + samples, 0.0f);
        std::fill(right, right + samples, 0.0f);
    } else {
        wait_for(samples);
        play(left, right, samples);
    }
    measure(left, right, samples);
    last_end = now();
}

/** A peak that falls by 20 dB in a second. */
void StreamerPlugin::measure(const float *left, const float *right, uint32_t samples) {
    float most = peak.load() * float(std::pow(0.1, samples / getSampleRate()));
    for (uint32_t i = 0; i < samples; ++i) most = std::max({most, std::fabs(left[i]), std::fabs(right[i])});
    peak.store(most);
}

/** A render waits for its sound. Live, only the very first sound is waited for, a moment in each block. */
void StreamerPlugin::wait_for(uint32_t samples) {
    const bool first = link.taken() == 0 && patience > 0;
    const size_t enough = std::max<size_t>(samples, first ? link.lead.load() : 0);
    size_t seen = link.ready();
    holds = false;
    if (seen >= enough) {
        given_up = false;
        return;
    }
    const bool engine = link.connected.load() || link.starting.load();
    if (given_up || !engine || !(offline || (first && link.connected.load()))) return;
    const double begun = now(), limit = offline ? RENDER_SECONDS : std::min(patience, LIVE_SECONDS);
    double until = begun + limit;
    while (seen < enough && now() < until) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        const size_t there = link.ready();
        if (there > seen && offline) until = now() + limit;
        seen = there;
    }
    if (offline) given_up = seen < samples;
    else patience -= now() - begun;
    holds = first && seen < enough && !offline;
}

void StreamerPlugin::play(float *left, float *right, uint32_t samples) {
    const size_t there = link.ready();
    const uint32_t fade = std::min<uint32_t>(samples, uint32_t(0.005 * getSampleRate()));
    uint32_t count = samples;
    if (starved && there < samples + (offline ? 0 : link.lead.load() / 2)) count = 0;
    else if (there < samples || holds) count = 0;
    if (count == 0) {
        for (uint32_t i = 0; i < samples; ++i) {  // from where it was to silence, without a click
            const float gain = starved || i >= fade ? 0.0f : 1.0f - float(i + 1) / float(fade);
            left[i] = last_left * gain;
            right[i] = last_right * gain;
        }
        last_left = last_right = 0;
        starved = true;
        if (heard) short_blocks.fetch_add(1);
    } else {
        link.take(left, right, samples);
        if (starved && heard)
            for (uint32_t i = 0; i < fade; ++i) {
                left[i] *= float(i + 1) / float(fade);
                right[i] *= float(i + 1) / float(fade);
            }
        starved = false;
        heard = true;
        last_left = left[samples - 1];
        last_right = right[samples - 1];
    }
}

Plugin *createPlugin() { return new StreamerPlugin(); }

END_NAMESPACE_DISTRHO
