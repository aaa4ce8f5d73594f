"""Electronic styles: house, techno, ambient, drum and bass, chiptune, synthwave."""

from training.compose.style import Groove, Part, Style

HOUSE = Style(
    name="house",
    bpm=(118, 128),
    modes=("minor", "dorian", "major"),
    progressions={"minor": ("1 1 6 7", "1 3 7 4", "1 4 1 4", "6 7 1 1", "1 7 6 7"), "major": ("1 6 4 5", "4 5 6 6", "2 5 1 6")},
    chord_size=4,
    kits=("synth 909 kit",),
    grooves=(
        Groove(
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "open": "..x...x...x...x.", "hat": "xo.ox.oxxo.ox.ox"},
            ({"clap": "....X.......X.xx", "kick": "X...X...X......."}, {"snare": "..........xxxxxx"}),
        ),
        Groove(
            {"kick": "X...X...X...X...", "snare": "....X.......X..g", "hat": "..x...x...x...x.", "shaker": "xoxoxoxoxoxoxoxo"},
            ({"kick": "X...X...X...X.x.", "open": "..x...x...x.x.x."},),
        ),
        Groove(
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "open": "..X...X...X...X.", "rim": "...x..x....x..x."},
            ({"clap": "....X...x...X.X."},),
        ),
    ),
    parts=(
        Part("bass", (("synth bass", "synth saw bass"), ("bass", "gm 38"), ("synth bass", "synth sub bass")),
             ("..1...1...1...1.", "1..1..1...1..1a.", "..1.1...8.1...5.", ".11..11..11..118"), 36, -3.5, gate=0.8, ducked=True, enters=0.2),
        Part("comp", (("piano", "gm 0"), ("organ", "gm 17"), ("synth", "synth stab")),
             ("X..x..x...x..x..", "..x..x....x..x..", "x..x..x.x..x..x.", "X.....x...x....."), 62, -5.0, gate=0.7, send=0.25, ducked=True, enters=0.2),
        Part("pad", (("pad", "synth warm pad"), ("strings", "gm 50")), (), 64, -10.0, 0.6, send=0.4, ducked=True),
        Part("arp", (("synth", "synth pluck"), ("marimba", "gm 12")), ("1.3.2.4.1.3.2.5.", "4..2..3.4..2..1."), 68, -8.0, 0.5, send=0.35, ducked=True, enters=0.6),
        Part("melody", (("synth lead", "synth pulse lead"), ("saxophone", "gm 66")), ("x..x..x.........", "....x.x.x--....."), 72, -8.0, 0.3, send=0.35, enters=0.8),
    ),
    moods=("danceable", "groovy", "uplifting", "deep", "club"),
    swing=(0.0, 0.12), loose=0.001, room=("plate", "room"), duck=0.6, drums_level=-2.0,
)  # fmt: skip

TECHNO = Style(
    name="techno",
    bpm=(126, 142),
    modes=("minor", "phrygian"),
    progressions={"minor": ("1 1 1 1", "1 1 1 2", "1 1 1 7", "1 1 6 6"), "major": ("1 1 1 1",)},
    kits=("synth 909 kit",),
    grooves=(
        Groove(
            {"kick": "X...X...X...X...", "hat": "..x...x...x...x.", "clap": "....x.......x..."},
            ({"kick": "X...X...X.......", "snare": "........xxxxxxxx"},),
        ),
        Groove(
            {"kick": "X...X...X...X...", "open": "..X...X...X...X.", "hat": "xxxxxxxxxxxxxxxx", "rim": "...x..x..x..x..."},
            ({"rim": ".x.x.xx.x.x.xxxx"},),
        ),
        Groove(
            {"kick": "X...X...X...X..o", "hat": "o.x.o.x.o.x.o.xo", "tom3": "......x..x....x.", "clap": "............x..."},
            ({"tom3": "..x..x..x..x.xxx"},),
        ),
    ),
    parts=(
        Part("bass", (("acid bass", "synth acid bass"), ("synth bass", "synth sub bass"), ("acid bass", "synth acid bass")),
             ("1.11.811.1.15.11", "..1...1...1...1.", ".111.111.111.111", "11.81.1.3.118.17"), 36, -4.0, gate=0.8, ducked=True, enters=0.0),
        Part("comp", (("synth", "synth stab"),), ("...x.....x......", "x..x..x.........", "......x.....x..."), 58, -8.0, 0.7, gate=0.6, send=0.5, voices_max=3, enters=0.4),
        Part("arp", (("synth", "synth pluck"), ("bells", "synth bell")), ("1.2.1.3.1.2.1.4.", "1..1..2.1..1..3.", "4.1.1.4.1.1.4.1."), 64, -9.0, 0.6, send=0.4, enters=0.5),
        Part("pad", (("pad", "synth dark pad"),), (), 56, -13.0, 0.5, send=0.5, ducked=True),
    ),
    moods=("hypnotic", "dark", "industrial", "driving", "relentless"),
    loose=0.0005, room=("hall", "plate"), duck=0.65, drums_level=-1.0,
)  # fmt: skip

AMBIENT = Style(
    name="ambient",
    bpm=(60, 84),
    modes=("major", "lydian", "dorian", "minor"),
    progressions={"minor": ("1 6 3 7", "1 1 4 4", "6 6 1 1", "1 7 6 6"), "major": ("1 4 1 4", "1 1 2 2", "6 4 1 5", "4 1 4 1")},
    chord_size=5, chord_bars=1,
    parts=(
        Part("pad", (("pad", "synth warm pad"), ("pad", "synth dark pad"), ("pad", "gm 89")), (), 58, -3.0, send=0.6, enters=0.0),
        Part("pad", (("strings", "gm 49"), ("choir", "gm 52"), ("pad", "gm 94")), (), 66, -7.0, 0.7, send=0.7),
        Part("arp", (("bells", "synth bell"), ("piano", "gm 0"), ("harp", "gm 46"), ("vibraphone", "gm 11")),
             ("3-------5---....", "..4---..2---..5-", "1---3---5---4---", "5-----------3---"), 70, -7.0, 0.8, gate=1.5, send=0.7, enters=0.3),
        Part("bass", (("bass", "synth sub bass"),), ("1---------------",), 36, -8.0, 0.6, gate=1.0, send=0.1),
        Part("melody", (("flute", "gm 73"), ("synth", "gm 91"), ("guitar", "gm 27")), ("x-------x-------", "....x-------x---", "x-----x---------"), 74, -9.0, 0.4, gate=1.2, send=0.7, enters=0.6),
    ),
    moods=("calm", "peaceful", "dreamy", "ethereal", "floating", "meditative"),
    loose=0.02, room=("hall",),
)  # fmt: skip

DNB = Style(
    name="drum and bass",
    bpm=(164, 178),
    modes=("minor", "dorian"),
    progressions={"minor": ("1 1 6 7", "1 1 4 4", "1 3 6 7", "1 1 1 7"), "major": ("1 6 4 5",)},
    chord_size=4,
    kits=("synth break kit", "kit 0"),
    grooves=(
        Groove(
            {"kick": "X.........x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
            ({"snare": "....X..x.x..X.xx", "kick": "X..............."}, {"snare": "....X.xxX.xxXxxx"}),
        ),
        Groove(
            {"kick": "X.X.......X.....", "snare": "....X..g.g..X..g", "ride": "x.x.x.x.x.x.x.x."},
            ({"snare": "....X..x.x..XxXx"},),
        ),
        Groove(
            {"kick": "X.x.......xx....", "snare": "....X..x.x..X..x", "hat": "xoxoxoxoxoxoxoxo"},
            ({"snare": "..x.X.x..x.xX.xx"},),
        ),
    ),
    parts=(
        Part("bass", (("reese bass", "synth reese bass"), ("sub bass", "synth sub bass"), ("reese bass", "synth reese bass")),
             ("1---------1-5---", "1-----1-....8---", "1---....1-----a-"), 34, -3.0, gate=0.95, enters=0.1),
        Part("pad", (("pad", "synth warm pad"), ("strings", "gm 50"), ("choir", "gm 52")), (), 62, -8.0, 0.85, send=0.5, enters=0.0),
        Part("arp", (("synth", "synth pluck"), ("piano", "gm 0"), ("bells", "synth bell")), ("1...3...4...3...", "4.3.2.1.4.3.2.1.", "5--.4--.3--.1--."), 70, -8.0, 0.6, send=0.4),
        Part("melody", (("synth lead", "synth pulse lead"), ("flute", "gm 73")), ("x-------x---x---", "x-----x-----...."), 74, -9.0, 0.35, send=0.4, enters=0.7),
    ),
    moods=("fast", "energetic", "liquid", "intense", "futuristic"),
    loose=0.001, room=("plate", "hall"), drums_level=-1.5,
)  # fmt: skip

CHIPTUNE = Style(
    name="chiptune",
    bpm=(120, 176),
    modes=("major", "minor", "mixolydian"),
    progressions={"minor": ("1 6 7 1", "1 7 6 5d", "1 4 7 3"), "major": ("1 4 5 1", "1 6 4 5", "1 5 6 4", "4 5 3 6")},
    kits=("synth chip kit",),
    grooves=(
        Groove({"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."}, ({"snare": "....X...x.x.XxXx"},)),
        Groove({"kick": "X...x...X...x...", "snare": "....X.......X..x", "hat": "xxx.xxx.xxx.xxx."}, ({"snare": "....X.......xxxx"},)),
    ),
    parts=(
        Part("bass", (("chip bass", "synth triangle bass"),), ("1.1.8.1.1.1.8.1.", "1...5...1...5...", "1.8.1.8.1.8.1.8."), 43, -5.0, gate=0.8, send=0.0, enters=0.0),
        Part("melody", (("square wave lead", "synth square lead"), ("pulse lead", "synth pulse lead")),
             ("x.x.x---x.x.x---", "x---x.x.x---x-x-", "x.xxx.x.x.x.x---", "x-x-x-x-x---...."), 76, -4.0, gate=0.85, send=0.05, enters=0.0),
        Part("arp", (("chip arpeggio", "synth pulse pluck"),), ("1231231231231231", "1232123212321232", "1.2.3.2.1.2.3.2."), 66, -8.0, 0.9, voices_max=3, gate=0.9, send=0.05),
        Part("melody", (("pulse lead", "synth thin lead"),), ("....x.x.....x.x.", "x-------x-------"), 69, -9.0, 0.4, gate=0.8, send=0.05, enters=0.7),
    ),
    moods=("playful", "retro", "cheerful", "8-bit", "bouncy"),
    loose=0.0, room=("dry", "room"), drums_level=-5.0, drums_send=0.0,
)  # fmt: skip

SYNTHWAVE = Style(
    name="synthwave",
    bpm=(84, 116),
    modes=("minor", "dorian", "major"),
    progressions={"minor": ("1 6 3 7", "1 7 6 7", "6 7 1 1", "1 4 6 5"), "major": ("1 5 6 4", "6 4 1 5")},
    kits=("synth 80s kit",),
    grooves=(
        Groove({"kick": "X...X...X...X...", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."}, ({"tom1": "........xx......", "tom2": "..........xx....", "tom3": "............xxxx"},)),
        Groove({"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "xoxoxoxoxoxoxoxo"}, ({"snare": "....X.....x.XxXx", "tom3": "..............xx"},)),
    ),
    parts=(
        Part("bass", (("synth bass", "synth saw bass"), ("synth bass", "gm 38")), ("1.1.1.1.1.1.1.1.", "1.118.118.118.11", "1.1.8.1.1.1.8.5."), 36, -4.0, gate=0.85, ducked=True, enters=0.0),
        Part("pad", (("pad", "synth supersaw"), ("pad", "synth warm pad"), ("synth strings", "gm 50")), (), 62, -8.0, 0.95, send=0.45, ducked=True, enters=0.1),
        Part("arp", (("synth arpeggio", "synth pluck"), ("synth arpeggio", "synth square lead")), ("1.2.3.4.3.2.3.4.", "1234123412341234", "4.3.2.1.4.3.2.1."), 67, -8.0, 0.75, gate=0.8, send=0.3, ducked=True),
        Part("melody", (("synth lead", "synth saw lead"), ("synth lead", "synth pulse lead"), ("saxophone", "gm 66")),
             ("x-----x---x-----", "x---x---x-x-x---", "x-------..x-x---"), 74, -6.0, 0.75, send=0.45, enters=0.5),
    ),
    moods=("retro", "neon", "nostalgic", "cinematic", "80s", "night drive"),
    loose=0.001, room=("plate", "hall"), duck=0.4, drums_level=-2.5, drums_send=0.25,
)  # fmt: skip

ELECTRONIC = (HOUSE, TECHNO, AMBIENT, DNB, CHIPTUNE, SYNTHWAVE)
