// What the plug-in asks of the system: system_posix.cpp or system_windows.cpp answers, so no header of one comes in here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mg {

// Texts are in UTF-8 throughout.

/** A variable of the environment; "" where there is none. */
std::string variable(const char *name);

/** The folder in which this user's programs keep their settings. */
std::string settings_folder();

/** A small file that belongs to this user; "" where there is none, or it is somebody else's. */
std::string own_file(const std::string &path);

/** While it lives, its thread goes before others, as far as the system grants it. */
class Hurry {
public:
    Hurry();
    ~Hurry();
    Hurry(const Hurry &) = delete;
    Hurry &operator=(const Hurry &) = delete;

private:
    void *granted = nullptr;
};

/** A program that outlives the host. */
class Program {
public:
    Program() = default;
    ~Program();
    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;

    /** Start it: its path and its arguments, without what the host is set to for its own libraries; whether it could. */
    bool start(const std::vector<std::string> &words);

    /** Whether it has been started and has not ended. */
    bool runs();

private:
    intptr_t process = 0;
};

/** A TCP connection to another program on this machine. What it does never waits, but where it says so. */
class Connection {
public:
    enum { LOST = -1 };

    Connection() = default;
    ~Connection() { close(); }
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    /** Whether somebody listens at the port; found out in a moment. */
    bool dial(int port);
    void close();
    bool open() const { return file != NONE; }

    /** How many bytes could be sent; 0: none at present; or LOST. */
    long send(const char *from, size_t size);

    /** How many bytes have come; 0: none at present; or LOST. */
    long receive(char *to, size_t size);

    /** Wait for bytes to come, or for so long. */
    void wait(int milliseconds);

private:
    static constexpr intptr_t NONE = -1;
    intptr_t file = NONE;
};

}  // namespace mg
