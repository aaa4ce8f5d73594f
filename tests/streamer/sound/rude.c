/* An LV2 effect for the tests: it does what a knob says, and what no plug-in should do. */
#include <lv2/core/lv2.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WELL, CRASH, HANG, NUMBERLESS, MUTE, EXIT };
enum { IN_L, IN_R, OUT_L, OUT_R, GAIN, CONDUCT, LATENCY, PORTS };
enum { LATE = 100 }; /* samples, of the plug-in that delays */

typedef struct {
    float *ports[PORTS];
    float past[2][LATE];
    uint32_t at;
    int late;
} Rude;

static LV2_Handle instantiate(const LV2_Descriptor *own, double rate, const char *path, const LV2_Feature *const *all) {
    (void)rate, (void)path, (void)all;
    Rude *rude = calloc(1, sizeof(Rude));
    if (rude) rude->late = strstr(own->URI, "late") != NULL;
    return rude;
}

static void connect(LV2_Handle handle, uint32_t port, void *place) { ((Rude *)handle)->ports[port] = place; }

static void misbehave(int conduct) {
    if (conduct == CRASH) raise(SIGSEGV);
    if (conduct == EXIT) _exit(3);
    while (conduct == HANG) pause();
}

static float played(Rude *rude, int side, float sample) {
    if (!rude->late) return sample;
    float before = rude->past[side][rude->at];
    rude->past[side][rude->at] = sample;
    return before;
}

static void run(LV2_Handle handle, uint32_t samples) {
    Rude *rude = handle;
    int conduct = (int)lrintf(*rude->ports[CONDUCT]);
    misbehave(conduct);
    *rude->ports[LATENCY] = rude->late ? LATE : 0;
    for (uint32_t i = 0; i < samples; i++) {
        for (int side = 0; side < 2; side++) {
            float made = *rude->ports[GAIN] * played(rude, side, rude->ports[IN_L + side][i]);
            rude->ports[OUT_L + side][i] = conduct == NUMBERLESS ? NAN : conduct == MUTE ? 0 : made;
        }
        rude->at = (rude->at + 1) % LATE;
    }
}

static const LV2_Descriptor PLUGINS[] = {
    {"urn:mg:rude", instantiate, connect, NULL, run, NULL, free, NULL},
    {"urn:mg:late", instantiate, connect, NULL, run, NULL, free, NULL},
};

LV2_SYMBOL_EXPORT const LV2_Descriptor *lv2_descriptor(uint32_t index) { return index < 2 ? PLUGINS + index : NULL; }
