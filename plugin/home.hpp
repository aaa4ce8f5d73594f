// Where the engine is, and how one is started; streamer/surfaces/bridge/endpoint.py writes the files.
#pragma once

#include <cstdlib>
#include <string>

#include "system.hpp"

namespace mg {

inline std::string home() {
    const std::string named = variable("MUSICGEN_STREAMER_HOME");
    return named.empty() ? settings_folder() + "/musicgen-streamer" : named;
}

/** A character in UTF-8. */
inline std::string utf8(unsigned code) {
    if (code < 0x80) return {char(code)};
    const char last = char(0x80 | (code & 0x3F)), third = char(0x80 | (code >> 6 & 0x3F));
    if (code < 0x800) return {char(0xC0 | code >> 6), last};
    if (code < 0x10000) return {char(0xE0 | code >> 12), third, last};
    return {char(0xF0 | code >> 18), char(0x80 | (code >> 12 & 0x3F)), third, last};
}

/** The four hexadecimal digits at a place, as a number; 0 where they are not. */
inline unsigned digits(const std::string &json, size_t at) {
    return at + 4 <= json.size() ? unsigned(std::strtoul(json.substr(at, 4).c_str(), nullptr, 16)) : 0;
}

/** The text of a name in a flat JSON object of texts, as Python's json module writes it in ASCII. */
inline std::string entry(const std::string &json, const std::string &name) {
    size_t at = json.find("\"" + name + "\"");
    if (at == std::string::npos) return "";
    at = json.find('"', json.find(':', at));
    if (at == std::string::npos) return "";
    std::string value;
    for (++at; at < json.size() && json[at] != '"'; ++at) {
        if (json[at] != '\\' || at + 1 >= json.size()) {
            value += json[at];
            continue;
        }
        const char escaped = json[++at];
        if (escaped != 'u') {
            value += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
            continue;
        }
        unsigned code = digits(json, at + 1);
        at += 4;
        if (code >> 10 == 0xD800 >> 10) {  // the first half of a character that has no number of four digits
            code = 0x10000 + ((code & 0x3FF) << 10) + (digits(json, at + 3) & 0x3FF);
            at += 6;
        }
        value += utf8(code);
    }
    return value;
}

/** Start an engine that outlives the host; whether it could be started. */
inline bool start_engine(Program &engine, const std::string &python, const std::string &model,
                         const std::string &folder) {
    return engine.start({python, "-m", "streamer.surfaces.bridge", "--spawned", "--home", folder, "--model", model});
}

}  // namespace mg
