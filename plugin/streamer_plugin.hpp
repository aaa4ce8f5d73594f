// The plug-in's own state, and what its host asks of it.
#pragma once

#include "DistrhoPlugin.hpp"

#include "link.hpp"
#include "transport.hpp"

START_NAMESPACE_DISTRHO

class StreamerPlugin : public Plugin, public mg::Listener {
public:
    enum { SLOT = mg::NUMBER_COUNT, TRANSPORT, FOLLOW, RESET, PARAMETER_COUNT };
    enum Way { FREE, WITH_THE_HOST, ANEW_AT_PLAY };

    StreamerPlugin();

    void number_changed(int place, float value) override;
    void follow_changed(bool follows) override;
    void text_changed(int place, const std::string &value) override;
    std::string text_now(int place) override;

    // ---- for the window, which lives in the same process

    mg::Link &engine() { return link; }
    float value_now(int place) const { return values[place].load(); }
    float level() const { return peak.load(); }
    /** Blocks that came too late, in all. */
    uint32_t late() const { return short_blocks.load(); }

protected:
    const char *getLabel() const override { return "musicgen_streamer"; }
    const char *getDescription() const override { return "Endless music from a prompt."; }
    const char *getMaker() const override { return "MusicGen Streamer"; }
    const char *getLicense() const override { return "MIT"; }
    uint32_t getVersion() const override { return d_version(0, 1, 0); }
    int64_t getUniqueId() const override { return d_cconst('M', 'g', 'S', 't'); }

    void initParameter(uint32_t index, Parameter &parameter) override;
    void initState(uint32_t index, State &state) override;
    float getParameterValue(uint32_t index) const override;
    void setParameterValue(uint32_t index, float value) override;
    String getState(const char *key) const override;
    void setState(const char *key, const char *value) override;
    void activate() override;
    void deactivate() override;
    void run(const float **, float **outputs, uint32_t samples) override;

private:
    static constexpr double ACTIVATE_SECONDS = 4, LIVE_SECONDS = 0.2, FIRST_SECONDS = 5, RENDER_SECONDS = 20;

    static constexpr const char *FOLLOW_NAME = "follow";

    mutable std::mutex lock;  // of the texts, which the audio thread never touches
    std::string texts[mg::TEXT_COUNT];
    std::atomic<bool> fresh[mg::TEXT_COUNT] = {};
    std::atomic<float> values[PARAMETER_COUNT];
    std::atomic<float> osc_sent[mg::NUMBER_COUNT] = {};
    std::atomic<bool> osc_news[mg::NUMBER_COUNT] = {};
    float of_host[PARAMETER_COUNT], sent[mg::NUMBER_COUNT];
    bool restored[PARAMETER_COUNT] = {};

    std::atomic<float> peak{0};
    std::atomic<uint32_t> short_blocks{0};

    // the audio thread's
    uint32_t largest = 0;
    double ahead = 0, last_end = 0, patience = 0, last_beat = 0;
    float host_tempo = 0, last_left = 0, last_right = 0;
    bool offline = false, told_offline = false, given_up = false;
    bool starved = false, holds = false, heard = false, rolling = false, reset_sent = false, follow_sent = false;
    uint32_t resumed = 0;
    mg::Count count;
    mg::Wording wording;

    mg::Link link;

    static void choices(Parameter &, const char *name, const char *symbol, const char *const *labels, uint8_t count);
    uint32_t lead_for(uint32_t block) const;
    float effective(int place) const;
    bool tell_changes();
    void find_out_whether_it_renders(uint32_t samples);
    mg::Place place_of_host() const;
    bool obey_transport();
    void wait_for(uint32_t samples);
    void play(float *left, float *right, uint32_t samples);
    void measure(const float *left, const float *right, uint32_t samples);

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(StreamerPlugin)
};

END_NAMESPACE_DISTRHO
