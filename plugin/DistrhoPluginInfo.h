// What DPF wants to know of the plug-in before it compiles anything.
#pragma once

#define DISTRHO_PLUGIN_BRAND "MusicGen Streamer"
#define DISTRHO_PLUGIN_NAME "MusicGen Streamer"
#define DISTRHO_PLUGIN_URI "urn:musicgen-streamer:plugin"
#define DISTRHO_PLUGIN_CLAP_ID "org.musicgen-streamer.plugin"
#define DISTRHO_PLUGIN_CLAP_FEATURES "instrument", "stereo"
#define DISTRHO_PLUGIN_LV2_CATEGORY "lv2:GeneratorPlugin"
#define DISTRHO_PLUGIN_VST3_CATEGORIES "Instrument|Generator|Stereo"

#define DISTRHO_PLUGIN_NUM_INPUTS 0
#define DISTRHO_PLUGIN_NUM_OUTPUTS 2
#define DISTRHO_PLUGIN_IS_RT_SAFE 1
#define DISTRHO_PLUGIN_WANT_STATE 1
#define DISTRHO_PLUGIN_WANT_FULL_STATE 1
#define DISTRHO_PLUGIN_WANT_TIMEPOS 1
// No MIDI: as an input it would add two thousand parameters to the VST3.

#ifndef DISTRHO_PLUGIN_HAS_UI  // make_plugin.py says so where a window can be built
# define DISTRHO_PLUGIN_HAS_UI 0
#endif
#if DISTRHO_PLUGIN_HAS_UI
# define DISTRHO_PLUGIN_WANT_DIRECT_ACCESS 1
# define DISTRHO_UI_USE_CAIRO 1
# define DISTRHO_UI_USER_RESIZABLE 1
# define DISTRHO_UI_FILE_BROWSER 0
# define DISTRHO_UI_DEFAULT_WIDTH 560
# define DISTRHO_UI_DEFAULT_HEIGHT 340
#endif
