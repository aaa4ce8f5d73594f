// A host of a few lines: renders blocks of a CLAP plug-in into a file of float32 samples, as fast as they come.
//
// clap_host PLUGIN RATE BLOCK SAMPLES OUTPUT [-p NAME VALUE] [-i STATE] [-o STATE] [-s SECONDS]
//     [-t BPM] [-f BEAT] [-c SAMPLES] [-r RATE] [-w SECONDS]
//
// With a tempo its transport rolls, from a beat on; with a cycle it rolls and stands for so many samples in turn, and
// comes back to that beat each time. With another rate it then changes to that, and renders as much again. With a time
// for its window it opens that, floating, plays on live for so long, and closes it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#ifdef _WIN32
# include <windows.h>
#else
# include <dlfcn.h>
#endif

#include "clap/entry.h"
#include "clap/events.h"
#include "clap/ext/gui.h"
#include "clap/ext/params.h"
#include "clap/ext/state.h"
#include "clap/ext/timer-support.h"
#include "clap/plugin-factory.h"
#include "clap/plugin.h"

static void asked(const clap_host *) {}

static void resizes(const clap_host *) {}
static bool resize(const clap_host *, uint32_t, uint32_t) { return true; }
static bool show(const clap_host *) { return true; }
static void closed(const clap_host *, bool) {}

static bool timer_begins(const clap_host *, uint32_t, clap_id *id) {
    *id = 1;
    return true;
}

static bool timer_ends(const clap_host *, clap_id) { return true; }

static const void *extension(const clap_host *, const char *name) {
    static const clap_host_gui gui = {resizes, resize, show, show, closed};
    static const clap_host_timer_support timer = {timer_begins, timer_ends};
    if (std::strcmp(name, CLAP_EXT_GUI) == 0) return &gui;
    if (std::strcmp(name, CLAP_EXT_TIMER_SUPPORT) == 0) return &timer;
    return nullptr;
}

static int64_t write_state(const clap_ostream *stream, const void *from, uint64_t size) {
    static_cast<std::string *>(stream->ctx)->append(static_cast<const char *>(from), size);
    return int64_t(size);
}

static int64_t read_state(const clap_istream *stream, void *to, uint64_t size) {
    std::istringstream &from = *static_cast<std::istringstream *>(stream->ctx);
    from.read(static_cast<char *>(to), std::streamsize(size));
    return from.gcount();
}

static uint32_t event_count(const clap_input_events *list) {
    return uint32_t(static_cast<std::vector<clap_event_param_value> *>(list->ctx)->size());
}

static const clap_event_header_t *event_at(const clap_input_events *list, uint32_t index) {
    return &(*static_cast<std::vector<clap_event_param_value> *>(list->ctx))[index].header;
}

static bool event_taken(const clap_output_events *, const clap_event_header_t *) { return true; }

static int failed(const char *why) {
    std::fprintf(stderr, "%s\n", why);
    return 1;
}

/** The entry of a plug-in; null where there is none. */
static const clap_plugin_entry_t *load(const char *path) {
#ifdef _WIN32
    const HMODULE library = LoadLibraryA(path);
    void *const found = library != nullptr ? reinterpret_cast<void *>(GetProcAddress(library, "clap_entry")) : nullptr;
#else
    void *const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *const found = library != nullptr ? dlsym(library, "clap_entry") : nullptr;
    if (library == nullptr) failed(dlerror());
#endif
    return static_cast<const clap_plugin_entry_t *>(found);
}

static void sleep_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** Play live for so many seconds, with the plug-in's window open if it has one and can show it. */
template <typename Block>
static void play_with_window(const clap_plugin_t *plugin, double seconds, double block_seconds, Block play_block) {
    const clap_plugin_gui *gui = static_cast<const clap_plugin_gui *>(plugin->get_extension(plugin, CLAP_EXT_GUI));
    const clap_plugin_timer_support *timer =
        static_cast<const clap_plugin_timer_support *>(plugin->get_extension(plugin, CLAP_EXT_TIMER_SUPPORT));
    const bool there = gui != nullptr && gui->create(plugin, CLAP_WINDOW_API_X11, true);
    if (there) {
        gui->suggest_title(plugin, "the plug-in");
        gui->show(plugin);
    }
    const double begun = now();
    for (double played = 0; played < seconds; played += block_seconds) {
        play_block();
        if (there) timer->on_timer(plugin, 1);
        const double early = begun + played - now();
        if (early > 0) sleep_for(early);
    }
    if (there) {
        gui->hide(plugin);
        gui->destroy(plugin);
    }
}

int main(int count, char **words) {
    if (count < 6) return failed("too few arguments");
    double rate = std::atof(words[2]), later = 0;
    const uint32_t block = uint32_t(std::atoi(words[3]));
    const long samples = std::atol(words[4]);
    double bpm = 0, first = 0, pause = 0, open = 0;
    long cycle = 0;
    std::string before, after;
    std::vector<std::pair<std::string, double>> wishes;
    for (int i = 6; i + 1 < count; i += 2) {
        const std::string option = words[i];
        if (option == "-p") wishes.emplace_back(words[i + 1], std::atof(words[i + 2])), ++i;
        if (option == "-i") before = words[i + 1];
        if (option == "-o") after = words[i + 1];
        if (option == "-t") bpm = std::atof(words[i + 1]);
        if (option == "-f") first = std::atof(words[i + 1]);
        if (option == "-c") cycle = std::atol(words[i + 1]);
        if (option == "-r") later = std::atof(words[i + 1]);
        if (option == "-w") open = std::atof(words[i + 1]);
        if (option == "-s") pause = std::atof(words[i + 1]);
    }
    const clap_plugin_entry_t *entry = load(words[1]);
    if (entry == nullptr || !entry->init(words[1])) return failed("no CLAP");
    const clap_plugin_factory *factory =
        static_cast<const clap_plugin_factory *>(entry->get_factory(CLAP_PLUGIN_FACTORY_ID));
    clap_host host = {CLAP_VERSION, nullptr, "test", "test", "", "1", extension, asked, asked, asked};
    const clap_plugin_t *plugin =
        factory->create_plugin(factory, &host, factory->get_plugin_descriptor(factory, 0)->id);
    if (plugin == nullptr || !plugin->init(plugin)) return failed("no plug-in");
    const clap_plugin_params *params =
        static_cast<const clap_plugin_params *>(plugin->get_extension(plugin, CLAP_EXT_PARAMS));
    const clap_plugin_state *state =
        static_cast<const clap_plugin_state *>(plugin->get_extension(plugin, CLAP_EXT_STATE));
    if (!before.empty()) {
        std::ifstream file(before, std::ios::binary);
        std::stringstream all;
        all << file.rdbuf();
        std::istringstream content(all.str());
        const clap_istream stream = {&content, read_state};
        if (!state->load(plugin, &stream)) return failed("the state was refused");
    }
    std::vector<clap_event_param_value> events;
    for (uint32_t i = 0; i < params->count(plugin); ++i) {
        clap_param_info info;
        params->get_info(plugin, i, &info);
        for (const auto &wish : wishes)
            if (wish.first == info.name) {
                clap_event_param_value event = {};
                event.header = {sizeof event, 0, CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_PARAM_VALUE, 0};
                event.param_id = info.id;
                event.note_id = event.port_index = event.channel = event.key = -1;
                event.value = wish.second;
                events.push_back(event);
            }
    }
    if (events.size() != wishes.size()) return failed("there is no such parameter");
    plugin->activate(plugin, rate, 1, block);
    plugin->start_processing(plugin);
    std::vector<float> left(block), right(block);
    float *channels[] = {left.data(), right.data()};
    clap_audio_buffer output = {channels, nullptr, 2, 0, 0};
    clap_event_transport transport = {};
    transport.header = {sizeof transport, 0, CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_TRANSPORT, 0};
    transport.flags = CLAP_TRANSPORT_HAS_TEMPO | CLAP_TRANSPORT_HAS_BEATS_TIMELINE |
                      CLAP_TRANSPORT_HAS_SECONDS_TIMELINE | CLAP_TRANSPORT_HAS_TIME_SIGNATURE;
    const uint32_t stands = transport.flags;
    transport.tempo = bpm;
    transport.tsig_num = transport.tsig_denom = 4;
    std::ofstream sound(words[5], std::ios::binary);
    const long all = later > 0 ? 2 * samples : samples;
    long done = 0;
    const auto play_block = [&] {
        const bool rolls = cycle == 0 || done / cycle % 2 == 0;
        const double beats = rolls ? (cycle == 0 ? done : done % cycle) / rate * bpm / 60 : 0;
        transport.flags = stands | (rolls ? uint32_t(CLAP_TRANSPORT_IS_PLAYING) : 0);
        transport.song_pos_beats = int64_t((first + beats) * double(CLAP_BEATTIME_FACTOR) + 0.5);
        clap_process process = {};
        process.steady_time = done;
        process.frames_count = block;
        process.transport = bpm > 0 ? &transport : nullptr;
        process.audio_outputs = &output;
        process.audio_outputs_count = 1;
        const clap_input_events in = {&events, event_count, event_at};
        const clap_output_events out = {nullptr, event_taken};
        process.in_events = &in;
        process.out_events = &out;
        if (plugin->process(plugin, &process) == CLAP_PROCESS_ERROR) std::exit(failed("it would not play"));
        events.clear();
        done += block;
    };
    while (done < all) {
        if (later > 0 && done >= samples && rate != later) {
            plugin->stop_processing(plugin);
            plugin->deactivate(plugin);
            rate = later;
            plugin->activate(plugin, rate, 1, block);
            plugin->start_processing(plugin);
        }
        play_block();
        for (uint32_t i = 0; i < block; ++i) {
            sound.write(reinterpret_cast<const char *>(&left[i]), 4);
            sound.write(reinterpret_cast<const char *>(&right[i]), 4);
        }
    }
    if (open > 0) play_with_window(plugin, open, block / rate, play_block);
    if (pause > 0) sleep_for(pause);
    for (uint32_t i = 0; i < params->count(plugin); ++i) {
        clap_param_info info;
        double value = 0;
        params->get_info(plugin, i, &info);
        params->get_value(plugin, info.id, &value);
        std::printf("%s=%g\n", info.name, value);
    }
    if (!after.empty()) {
        std::string content;
        const clap_ostream stream = {&content, write_state};
        if (!state->save(plugin, &stream)) return failed("there is no state");
        std::ofstream(after, std::ios::binary) << content;
    }
    plugin->stop_processing(plugin);
    plugin->deactivate(plugin);
    plugin->destroy(plugin);
    entry->deinit();
    return 0;
}
