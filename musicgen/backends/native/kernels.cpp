// Which kernels there are, and which of them this machine runs.
#include "kernels.h"

#include <cstring>
#include <string>

#include "native.h"

namespace native {
namespace {

const Kernels* const kKernels[] = {
#if defined(__x86_64__) && defined(__linux__)
    &amx,
#endif
#if defined(__x86_64__)
    &avx512vnni, &avxvnni, &avx2,
#elif defined(__aarch64__)
    &neondot, &neon,
#endif
    &portable,
};

}  // namespace

const Kernels* find_kernels(const char* name) {
    for (const Kernels* kernels : kKernels) {
        if (strcmp(kernels->name, name) == 0 && kernels->supported()) return kernels;
    }
    return nullptr;
}

}  // namespace native

const char* native_kernels() {
    static const std::string names = [] {
        std::string all;
        for (const native::Kernels* kernels : native::kKernels) {
            if (kernels->supported()) all += (all.empty() ? "" : ",") + std::string(kernels->name);
        }
        return all;
    }();
    return names.c_str();
}
