// What the plug-in and the engine say to each other; streamer/surfaces/bridge/wire.py is the same in Python.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

namespace mg {

enum Kind : uint8_t {
    HELLO = 1, SET, TEXT, CREDIT, BEGIN, OFFLINE, HOST,
    WELCOME = 65, AUDIO, VALUE, WORDS, STATUS, ERROR
};
enum { PROTOCOL = 2, HEAD_BYTES = 5, LARGEST = 1 << 26 };

static_assert(sizeof(float) == 4 && sizeof(double) == 8, "the wire has IEEE numbers");

template <typename T> inline void put(std::string &body, T value) {  // little-endian, as every host's processor is
    body.append(reinterpret_cast<const char *>(&value), sizeof value);
}

template <typename T> inline T get(const char *from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline std::string packed(Kind kind, const std::string &body) {
    std::string message(1, char(kind));
    put(message, uint32_t(body.size()));
    return message + body;
}

inline std::string number(const char *name, double value) {
    std::string body;
    put(body, value);
    return packed(SET, body + name);
}

inline std::string text(const char *name, const std::string &value) {
    return packed(TEXT, std::string(name) + '\0' + value);
}

inline std::string credit(uint32_t samples) {
    std::string body;
    put(body, samples);
    return packed(CREDIT, body);
}

inline std::string begin(uint32_t epoch, bool goes_on) {
    std::string body;
    put(body, epoch);
    put(body, uint8_t(goes_on));
    return packed(BEGIN, body);
}

inline std::string host(double bpm, double beat) {
    std::string body;
    put(body, bpm);
    put(body, beat);
    return packed(HOST, body);
}

/** The value of a line name=value; "" where there is none. */
inline std::string field(const std::string &lines, const std::string &name) {
    const std::string wanted = name + "=";
    size_t start = 0;
    while (start < lines.size()) {
        const size_t end = lines.find('\n', start);
        const std::string line = lines.substr(start, end == std::string::npos ? end : end - start);
        if (line.compare(0, wanted.size(), wanted) == 0) return line.substr(wanted.size());
        if (end == std::string::npos) break;
        start = end + 1;
    }
    return "";
}

}  // namespace mg
