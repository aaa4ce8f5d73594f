// Stands in for a Python on Windows: notes how it was started, and that it could not begin, in the folder of --home.
#include <windows.h>

#include <shellapi.h>

#include <cstdio>
#include <string>

static std::string utf8(const std::wstring &words) {
    const int size = WideCharToMultiByte(CP_UTF8, 0, words.data(), int(words.size()), nullptr, 0, nullptr, nullptr);
    std::string text(size_t(size), '\0');
    WideCharToMultiByte(CP_UTF8, 0, words.data(), int(words.size()), &text[0], size, nullptr, nullptr);
    return text;
}

int main() {
    int count = 0;
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
    std::wstring home;
    for (int i = 1; i + 1 < count; ++i)
        if (std::wstring(words[i]) == L"--home") home = words[i + 1];
    FILE *file = _wfopen((home + L"\\started").c_str(), L"wb");
    if (file == nullptr) return 1;
    for (int i = 0; i < count; ++i) std::fprintf(file, "%s\n", utf8(words[i]).c_str());
    for (const wchar_t *name : {L"PYTHONHOME", L"PYTHONPATH", L"PYTHONSAFEPATH", L"KEPT"}) {
        wchar_t value[100] = L"";
        GetEnvironmentVariableW(name, value, 100);
        std::fprintf(file, "%s=%s\n", utf8(name).c_str(), utf8(value).c_str());
    }
    std::fclose(file);
    file = _wfopen((home + L"\\engine.json").c_str(), L"wb");
    std::fputs("{\"error\": \"It is a stand-in.\"}", file);
    std::fclose(file);
}
