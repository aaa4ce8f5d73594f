// Where the engine is, and how one is started; streamer/surfaces/bridge/endpoint.py writes the files.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern char **environ;

namespace mg {

inline std::string variable(const char *name) {
    const char *value = std::getenv(name);
    return value != nullptr ? value : "";
}

inline std::string home() {
    const std::string named = variable("MUSICGEN_STREAMER_HOME");
    if (!named.empty()) return named;
#ifdef __APPLE__
    return variable("HOME") + "/Library/Application Support/musicgen-streamer";
#else
    const std::string config = variable("XDG_CONFIG_HOME");
    return (config.empty() ? variable("HOME") + "/.config" : config) + "/musicgen-streamer";
#endif
}

/** A small file that belongs to this user; "" where there is none, or it is somebody else's. */
inline std::string own_file(const std::string &path) {
    struct stat about;
    if (stat(path.c_str(), &about) != 0 || about.st_uid != geteuid() || about.st_size > 65536) return "";
    std::ifstream file(path.c_str(), std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
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
        if (escaped == 'u' && at + 4 < json.size()) {
            const unsigned code = unsigned(std::strtoul(json.substr(at + 1, 4).c_str(), nullptr, 16));
            at += 4;
            if (code < 0x80) {
                value += char(code);
            } else if (code < 0x800) {
                value += char(0xC0 | code >> 6);
                value += char(0x80 | (code & 0x3F));
            } else {
                value += char(0xE0 | code >> 12);
                value += char(0x80 | (code >> 6 & 0x3F));
                value += char(0x80 | (code & 0x3F));
            }
        } else {
            value += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
        }
    }
    return value;
}

/** The host's environment without what it set for its own libraries and interpreters. */
inline std::vector<char *> plain_environment() {
    static const char *const left_out[] = {"LD_LIBRARY_PATH=", "LD_PRELOAD=", "DYLD_LIBRARY_PATH=",
                                           "DYLD_INSERT_LIBRARIES=", "PYTHONHOME=", "PYTHONPATH="};
    std::vector<char *> kept;
    for (char **one = environ; *one != nullptr; ++one) {
        bool keep = true;
        for (const char *begins : left_out) keep = keep && std::strncmp(*one, begins, std::strlen(begins)) != 0;
        if (keep) kept.push_back(*one);
    }
    kept.push_back(nullptr);
    return kept;
}

/** Start an engine that outlives the host; its process, or 0. */
inline pid_t start_engine(const std::string &python, const std::string &model, const std::string &folder) {
    const std::string words[] = {python, "-m", "streamer.surfaces.bridge", "--spawned", "--home", folder,
                                 "--model", model};
    std::vector<char *> arguments;
    for (const std::string &word : words) arguments.push_back(const_cast<char *>(word.c_str()));
    arguments.push_back(nullptr);
    std::vector<char *> environment = plain_environment();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);  // audio hosts block signals in their threads
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    pid_t pid = 0;
    if (posix_spawn(&pid, python.c_str(), &actions, &attributes, arguments.data(), environment.data()) != 0) pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return pid;
}

}  // namespace mg
