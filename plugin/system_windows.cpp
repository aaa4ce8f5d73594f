// What the plug-in asks of the system, on Windows.
#include "system.hpp"

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>  // before windows.h, which would bring its older sister
#include <windows.h>

#include <avrt.h>
#include <mmsystem.h>
#include <shlobj.h>

#include <algorithm>

namespace mg {

static std::wstring wide(const std::string &text) {
    const int size = MultiByteToWideChar(CP_UTF8, 0, text.data(), int(text.size()), nullptr, 0);
    std::wstring words(size_t(size), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text.data(), int(text.size()), &words[0], size);
    return words;
}

static std::string narrow(const std::wstring &words) {
    const int size = WideCharToMultiByte(CP_UTF8, 0, words.data(), int(words.size()), nullptr, 0, nullptr, nullptr);
    std::string text(size_t(size), '\0');
    WideCharToMultiByte(CP_UTF8, 0, words.data(), int(words.size()), &text[0], size, nullptr, nullptr);
    return text;
}

std::string variable(const char *name) {
    const std::wstring wanted = wide(name);
    const DWORD room = GetEnvironmentVariableW(wanted.c_str(), nullptr, 0);
    if (room == 0) return "";
    std::wstring value(room, L'\0');
    const DWORD size = GetEnvironmentVariableW(wanted.c_str(), &value[0], room);
    value.resize(size < room ? size : 0);
    return narrow(value);
}

std::string settings_folder() {
    PWSTR found = nullptr;
    const bool there = SUCCEEDED(SHGetKnownFolderPath(FOLDERID_LocalAppData, 0, nullptr, &found));
    const std::string folder = there ? narrow(found) : "";
    CoTaskMemFree(found);
    return folder;
}

/** Whose it is follows from its folder: none but the user may write into a profile, unless an administrator lets them. */
std::string own_file(const std::string &path) {
    const DWORD shared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;  // an engine may replace it meanwhile
    const HANDLE file = CreateFileW(wide(path).c_str(), GENERIC_READ, shared, nullptr, OPEN_EXISTING, 0, nullptr);
    if (file == INVALID_HANDLE_VALUE) return "";
    std::string content(65537, '\0');
    DWORD size = 0;
    if (!ReadFile(file, &content[0], DWORD(content.size()), &size, nullptr) || size == content.size()) size = 0;
    CloseHandle(file);
    content.resize(size);
    return content;
}

Hurry::Hurry() {
    timeBeginPeriod(1);  // else a wait of 2 ms may take 16
    DWORD task = 0;
    granted = AvSetMmThreadCharacteristicsW(L"Pro Audio", &task);
    if (granted == nullptr) SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_TIME_CRITICAL);
}

Hurry::~Hurry() {
    if (granted != nullptr) AvRevertMmThreadCharacteristics(granted);
    timeEndPeriod(1);
}

// ---- programs

/** A word as programs read it back from their command line. */
static std::wstring quoted(const std::wstring &word) {
    std::wstring text = L"\"";
    size_t slashes = 0;
    for (const wchar_t one : word) {
        if (one == L'"') text.append(slashes + 1, L'\\');  // those before a quotation mark count twice
        slashes = one == L'\\' ? slashes + 1 : 0;
        text += one;
    }
    return text.append(slashes, L'\\') + L'"';
}

/** The host's environment without what it set for its own interpreters. */
static std::wstring plain_environment() {
    static const wchar_t *const left_out[] = {L"PYTHONHOME=", L"PYTHONPATH=", L"__PYVENV_LAUNCHER__="};
    std::wstring kept;
    wchar_t *const all = GetEnvironmentStringsW();
    for (const wchar_t *one = all; one != nullptr && *one != L'\0'; one += wcslen(one) + 1) {
        bool keep = true;
        for (const wchar_t *begins : left_out) keep = keep && _wcsnicmp(one, begins, wcslen(begins)) != 0;
        if (keep) kept.append(one, wcslen(one) + 1);
    }
    FreeEnvironmentStringsW(all);
    kept += L"PYTHONSAFEPATH=1";  // else a module in the folder that the host works in came first
    return kept.append(2, L'\0');
}

bool Program::start(const std::vector<std::string> &words) {
    const std::wstring path = wide(words[0]);
    std::wstring environment = plain_environment(), line;
    for (const std::string &word : words) line += (line.empty() ? L"" : L" ") + quoted(wide(word));
    STARTUPINFOW how = {};
    how.cb = sizeof how;
    PROCESS_INFORMATION started = {};
    // Without a console at all, the Python that a virtual environment's python.exe starts would open a visible one.
    const DWORD flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT;
    const auto begin = [&](DWORD job) {
        return CreateProcessW(path.c_str(), &line[0], nullptr, nullptr, FALSE, flags | job, &environment[0], nullptr,
                              &how, &started) != 0;
    };
    if (!begin(CREATE_BREAKAWAY_FROM_JOB) && !begin(0)) return false;  // a job may end its programs with the host
    CloseHandle(started.hThread);
    if (process != 0) CloseHandle(HANDLE(process));
    process = intptr_t(started.hProcess);
    return true;
}

bool Program::runs() { return process != 0 && WaitForSingleObject(HANDLE(process), 0) == WAIT_TIMEOUT; }

Program::~Program() {
    if (process != 0) CloseHandle(HANDLE(process));
}

// ---- connections

static bool sockets_are_there() {
    static const bool there = [] {
        WSADATA about;
        return WSAStartup(MAKEWORD(2, 2), &about) == 0;
    }();
    return there;
}

/** Whether a connection that has been begun is made within a moment: Windows asks a port that is shut for two seconds. */
static bool answers(SOCKET one) {
    fd_set made, failed;
    FD_ZERO(&made);
    FD_ZERO(&failed);
    FD_SET(one, &made);
    FD_SET(one, &failed);
    timeval moment = {0, 250000};
    return select(0, nullptr, &made, &failed, &moment) > 0 && FD_ISSET(one, &made) != 0;
}

bool Connection::dial(int port) {
    close();
    if (!sockets_are_there()) return false;
    const SOCKET one = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                                  WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (one == INVALID_SOCKET) return false;
    file = intptr_t(one);
    u_long yes = 1;
    ioctlsocket(one, long(FIONBIO), &yes);
    const BOOL at_once = TRUE;
    setsockopt(one, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char *>(&at_once), sizeof at_once);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(u_short(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool made = connect(one, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0;
    if (made || (WSAGetLastError() == WSAEWOULDBLOCK && answers(one))) return true;
    close();
    return false;
}

void Connection::close() {
    if (open()) closesocket(SOCKET(file));
    file = NONE;
}

/** What a call on a socket that does not wait came to. */
static long outcome(int count) {
    if (count > 0) return count;
    return count < 0 && WSAGetLastError() == WSAEWOULDBLOCK ? 0 : long(Connection::LOST);
}

long Connection::send(const char *from, size_t size) {
    return outcome(::send(SOCKET(file), from, int(std::min<size_t>(size, 1 << 20)), 0));
}

long Connection::receive(char *to, size_t size) {
    return outcome(recv(SOCKET(file), to, int(std::min<size_t>(size, 1 << 20)), 0));
}

void Connection::wait(int milliseconds) {
    WSAPOLLFD one = {SOCKET(file), POLLRDNORM, 0};
    WSAPoll(&one, 1, milliseconds);
}

}  // namespace mg
