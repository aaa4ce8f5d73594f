// Made from the table of parameters by `make docs`: python -m streamer.surfaces.bridge.header
#pragma once

namespace mg {

enum Curve { LINEAR, LOG, WHOLE, SWITCH };

/** A number of the table: a parameter of the host. */
struct Number { const char *name, *label, *unit, *doc; float low, high, normal; Curve curve; };

/** A text of the table: kept with the project. */
struct Text { const char *name, *label, *doc, *normal; };

static const Number NUMBERS[] = {
    {"weight1", "Weight 1", "", "The share of the prompt, beside the weights of the other slots.", 0.0f, 1.0f, 1.0f, LINEAR},
    {"weight2", "Weight 2", "", "The share of the prompt in slot 2, beside the other weights.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"weight3", "Weight 3", "", "The share of the prompt in slot 3, beside the other weights.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"weight4", "Weight 4", "", "The share of the prompt in slot 4, beside the other weights.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"weight5", "Weight 5", "", "The share of the prompt in slot 5, beside the other weights.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"weight6", "Weight 6", "", "The share of the prompt in slot 6, beside the other weights.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"weight7", "Weight 7", "", "The share of the prompt in slot 7, beside the other weights.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"weight8", "Weight 8", "", "The share of the prompt in slot 8, beside the other weights.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"temperature", "Temperature", "", "How adventurous the choice of each token is: low repeats itself, high falls apart.", 0.05f, 2.0f, 1.05f, LOG},
    {"topk", "Top K", "", "Choose among the K likeliest tokens of each codebook; 0 is no limit.", 0.0f, 2048.0f, 250.0f, WHOLE},
    {"topp", "Top P", "", "Choose among the likeliest tokens that together have this probability; 1 is no limit.", 0.0f, 1.0f, 1.0f, LINEAR},
    {"cfg", "Guidance", "", "Guidance: how closely the music follows the prompt; 1 is none.", 1.0f, 10.0f, 3.2f, LINEAR},
    {"seed", "Seed", "", "Seeds the random choice anew from the next frame on; with reset the same seed plays the same music.", 0.0f, 16777215.0f, 0.0f, WHOLE},
    {"lora", "LoRA", "", "How strongly a LoRA adapter acts: 0 is its base model, 1 as it was trained. Models with an adapter only.", 0.0f, 1.5f, 1.0f, LINEAR},
    {"tempo", "Tempo", "bpm", "The tempo to play in, worded into every prompt; 0: what the prompts say.", 0.0f, 300.0f, 0.0f, LINEAR},
    {"grid", "Grid", "", "Whether the music falls on the beat that is counted: auto (once a tempo is known), off (words decide) or on.", -1.0f, 1.0f, -1.0f, WHOLE},
    {"player_drums", "Player drums", "", "Whether the drums play: auto (as the prompt has it), off or on.", -1.0f, 1.0f, -1.0f, WHOLE},
    {"player_bass", "Player bass", "", "Whether the bass plays: auto (as the prompt has it), off or on.", -1.0f, 1.0f, -1.0f, WHOLE},
    {"player_chords", "Player chords", "", "Whether chords are played: auto (as the prompt has it), off or on.", -1.0f, 1.0f, -1.0f, WHOLE},
    {"player_lead", "Player lead", "", "Whether a lead plays: auto (as the prompt has it), off or on.", -1.0f, 1.0f, -1.0f, WHOLE},
    {"energy", "Energy", "", "How much is going on, from 0 to 1; auto, or below 0: as the prompt has it.", -0.1f, 1.0f, -0.1f, LINEAR},
    {"volume", "Volume", "dB", "Output gain.", -60.0f, 12.0f, 0.0f, LINEAR},
    {"mute", "Mute", "", "Silence, while the music goes on unheard.", 0.0f, 1.0f, 0.0f, SWITCH},
    {"lead", "Lead", "ms", "Sound queued ahead: small answers fast, large survives a busy machine.", 20.0f, 2000.0f, 80.0f, LOG},
    {"loudness", "Loudness", "LUFS", "The loudness the music is slowly brought to, before the volume.", -30.0f, -8.0f, -16.0f, LINEAR},
    {"lowcut", "Lowcut", "Hz", "Thins the sound below this frequency, to leave room for a bass; 20 is off.", 20.0f, 1000.0f, 20.0f, LOG},
    {"tilt", "Tilt", "dB", "Brightness: positive is brighter.", -12.0f, 12.0f, 0.0f, LINEAR},
    {"echo", "Echo", "", "How loud the echoes are, on dotted eighths of the tempo.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"space", "Space", "", "How loud the room is: reverb.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"width", "Width", "", "How far mono music is opened to both sides; on one loudspeaker nothing changes.", 0.0f, 1.0f, 0.0f, LINEAR},
    {"guard", "Guard", "", "Brings the music back by itself where the model falls silent, freezes in a loop or loses its variety.", 0.0f, 1.0f, 1.0f, SWITCH},
};
enum { NUMBER_COUNT = 31 };

static const Text TEXTS[] = {
    {"prompt", "Prompt 1", "What to play, in words. Empty: the model plays what it likes.", ""},
    {"prompt2", "Prompt 2", "A prompt to blend with the others, in slot 2; empty: none.", ""},
    {"prompt3", "Prompt 3", "A prompt to blend with the others, in slot 3; empty: none.", ""},
    {"prompt4", "Prompt 4", "A prompt to blend with the others, in slot 4; empty: none.", ""},
    {"prompt5", "Prompt 5", "A prompt to blend with the others, in slot 5; empty: none.", ""},
    {"prompt6", "Prompt 6", "A prompt to blend with the others, in slot 6; empty: none.", ""},
    {"prompt7", "Prompt 7", "A prompt to blend with the others, in slot 7; empty: none.", ""},
    {"prompt8", "Prompt 8", "A prompt to blend with the others, in slot 8; empty: none.", ""},
    {"negative", "Negative", "What to steer away from, in words. Empty: nothing.", ""},
    {"melody", "Melody", "A sound file whose tune is followed, `input` (`input:DEVICE`) for what is played live, or `midi` for `notes` and MIDI keys; empty: none. Melody models only.", ""},
    {"key", "Key", "The key to play in, such as D minor, worded into every prompt; empty: what the prompts say.", ""},
    {"chord", "Chord", "The chord to play, such as Am7, F#m, Bb or C/E; N or empty: the progression's, else the music's own.", ""},
    {"progression", "Progression", "Chords that go round from the next bar on: a bar each (Am F C G), a beat each with dots that hold them (Am . F .), or sharing what lies between bar lines; empty: none.", ""},
    {"notes", "Notes", "Notes that are held, as MIDI numbers such as 57 60 64: the chord until they are let go; empty: none.", ""},
    {"quantise", "Quantise", "What changes of prompts, snapshots and resets wait for: off, beat, bar, 2 bars or 4 bars.", "off"},
};
enum { TEXT_COUNT = 15 };

/** Where the numbers are that the plug-in itself has a use for. */
enum { WEIGHT1 = 0, TEMPO = 14, LEAD = 23 };

}  // namespace mg
