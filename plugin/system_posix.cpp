// What the plug-in asks of the system, on Linux and macOS.
#include "system.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#ifndef MSG_NOSIGNAL
# define MSG_NOSIGNAL 0
#endif

extern char **environ;

namespace mg {

std::string variable(const char *name) {
    const char *value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::string settings_folder() {
#ifdef __APPLE__
    return variable("HOME") + "/Library/Application Support";
#else
    const std::string config = variable("XDG_CONFIG_HOME");
    return config.empty() ? variable("HOME") + "/.config" : config;
#endif
}

std::string own_file(const std::string &path) {
    struct stat about;
    if (stat(path.c_str(), &about) != 0 || about.st_uid != geteuid() || about.st_size > 65536) return "";
    std::ifstream file(path.c_str(), std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
}

Hurry::Hurry() {
#ifdef __linux__
    sched_param own = {};
    own.sched_priority = 5;
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &own) == 0) return;  // an engine does not inherit it
    own.sched_priority = 0;
    if (sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &own) == 0) setpriority(PRIO_PROCESS, 0, -11);
#endif
}

Hurry::~Hurry() { (void)granted; }  // with the thread ends what it was granted

// ---- programs

/** The host's environment without what it set for its own libraries and interpreters. */
static std::vector<char *> plain_environment() {
    static char safe[] = "PYTHONSAFEPATH=1";  // else a module in the folder that the host works in came first
    static const char *const left_out[] = {"LD_LIBRARY_PATH=", "LD_PRELOAD=", "DYLD_LIBRARY_PATH=",
                                           "DYLD_INSERT_LIBRARIES=", "PYTHONHOME=", "PYTHONPATH="};
    std::vector<char *> kept;
    for (char **one = environ; *one != nullptr; ++one) {
        bool keep = true;
        for (const char *begins : left_out) keep = keep && std::strncmp(*one, begins, std::strlen(begins)) != 0;
        if (keep) kept.push_back(*one);
    }
    kept.push_back(safe);
    kept.push_back(nullptr);
    return kept;
}

bool Program::start(const std::vector<std::string> &words) {
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
    if (posix_spawn(&pid, arguments[0], &actions, &attributes, arguments.data(), environment.data()) != 0) pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    process = pid;
    return pid != 0;
}

bool Program::runs() {
    if (process != 0 && waitpid(pid_t(process), nullptr, WNOHANG) != 0) process = 0;
    return process != 0;
}

Program::~Program() {}

// ---- connections

bool Connection::dial(int port) {
    close();
    const int one = socket(AF_INET, SOCK_STREAM, 0);
    if (one < 0) return false;
    fcntl(one, F_SETFD, FD_CLOEXEC);
    const int yes = 1;
#ifdef SO_NOSIGPIPE
    setsockopt(one, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
    setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(uint16_t(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    file = one;
    if (connect(one, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {  // loopback: at once or never
        close();
        return false;
    }
    fcntl(one, F_SETFL, O_NONBLOCK);
    return true;
}

void Connection::close() {
    if (open()) ::close(int(file));
    file = NONE;
}

/** What a call on a socket that does not wait came to. */
static long outcome(ssize_t count) {
    if (count > 0) return long(count);
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : long(Connection::LOST);
}

long Connection::send(const char *from, size_t size) { return outcome(::send(int(file), from, size, MSG_NOSIGNAL)); }

long Connection::receive(char *to, size_t size) { return outcome(recv(int(file), to, size, 0)); }

void Connection::wait(int milliseconds) {
    pollfd one = {int(file), POLLIN, 0};
    poll(&one, 1, milliseconds);
}

}  // namespace mg
