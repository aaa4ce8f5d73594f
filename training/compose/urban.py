"""Beat-led styles: lo-fi hip hop, trap, funk, reggae."""

from training.compose.style import Groove, Part, Style

LOFI = Style(
    name="lo-fi hip hop",
    bpm=(68, 92),
    modes=("minor", "dorian", "major"),
    progressions={
        "minor": ("1 4 7 3", "1 6 3 7", "4 5 1 1", "6 7 1 1", "2 5 1 1"),
        "major": ("2 5 1 6", "4 3 2 1", "1 6 2 5", "4 5 3 6"),
    },
    chord_size=5,
    kits=("synth lofi kit",),
    grooves=(
        Groove(
            {"kick": "X..x..g...x.....", "snare": "....X..g....X...", "hat": "x.o.x.o.x.o.x.oo"},
            ({"kick": "X..x......x...x.", "snare": "....X..x..o.X.ox"},),
        ),
        Groove(
            {"kick": "X.........x..g..", "snare": "....X.......X..g", "hat": "x.x.x.x.x.x.x.x."},
            ({"snare": "....X.......X.xx", "open": "..............x."},),
        ),
        Groove(
            {
                "kick": "X......xX.......",
                "rim": "....X.......X...",
                "hat": "xoxoxoxoxoxoxoxo",
                "shaker": "..o...o...o...o.",
            },
            ({"rim": "....X...x...X.x."},),
        ),
    ),
    parts=(
        Part(
            "comp",
            (("electric piano", "gm 4"), ("piano", "gm 0"), ("guitar", "gm 26")),
            ("x-------x---x---", "x-----x---------", "x-----------x---", "x--x------------"),
            62,
            -5.0,
            send=0.3,
            strum=0.08,
            enters=0.1,
        ),
        Part(
            "bass",
            (("bass", "gm 33"), ("bass", "synth sub bass")),
            ("1-----1---5---a-", "1-------..1---5-", "1--1------5-----"),
            36,
            -7.0,
        ),
        Part(
            "melody",
            (("vibraphone", "gm 11"), ("piano", "gm 0"), ("guitar", "gm 26"), ("flute", "gm 73")),
            ("x-x---x-----....", "..x-x-x---......", "x---..x-x---....", "................"),
            72,
            -9.0,
            0.7,
            send=0.4,
            enters=0.6,
        ),
        Part("pad", (("strings", "gm 48"), ("pad", "synth warm pad")), (), 60, -14.0, 0.4, send=0.4),
    ),
    moods=("chill", "dreamy", "mellow", "nostalgic", "cozy", "sleepy"),
    swing=(0.16, 0.3),
    loose=0.009,
    room=("room", "plate"),
    drums_level=-3.5,
)

TRAP = Style(
    name="trap",
    bpm=(130, 160),
    modes=("minor", "phrygian"),
    progressions={"minor": ("1 1 6 6", "1 1 1 1", "1 1 6 7", "1 1 4 4", "1 1 2 2"), "major": ("1 1 4 4",)},
    kits=("synth 808 kit",),
    grooves=(
        Groove(
            {"kick": "X.....x.........", "clap": "........X.......", "hat": "x.x.x.x.x.x.xxxx"},
            (
                {"hat": "xxxxx.x.xxxxxxxx", "clap": "........X.....x."},
                {"open": "............x...", "hat": "x.x.xxx.x.x....."},
            ),
        ),
        Groove(
            {
                "kick": "X.........x..x..",
                "clap": "........X.......",
                "hat": "x.x.x.xxx.x.x.x.",
                "rim": "...........o....",
            },
            ({"hat": "xxx.xxx.xxxxxxxx", "snare": "............xxxx"},),
        ),
        Groove(
            {
                "kick": "X..x....x...x...",
                "snare": "........X.......",
                "hat": "xxx.x.xxx.x.xxx.",
                "open": "......x.........",
            },
            ({"snare": "........X.xxx.xx"},),
        ),
    ),
    parts=(
        Part(
            "bass",
            (("808 bass", "synth 808 bass"),),
            ("1-----1---------", "1---------1--8--", "1--1----1---5---"),
            34,
            -6.0,
            gate=0.95,
            enters=0.1,
        ),
        Part(
            "arp",
            (("bells", "synth bell"), ("piano", "gm 0"), ("synth", "synth pluck"), ("music box", "gm 10")),
            ("3---2---1---2---", "3-..2-..4-..1-..", "1-2-3---2---1---"),
            68,
            -4.0,
            0.9,
            voices_max=3,
            send=0.4,
            enters=0.0,
        ),
        Part(
            "melody",
            (("flute", "gm 73"), ("synth", "synth pluck"), ("strings", "gm 45"), ("guitar", "gm 24")),
            ("x---x---x-------", "x-----x---x-....", "....x---x---x---"),
            72,
            -7.0,
            0.5,
            send=0.4,
            enters=0.6,
        ),
        Part(
            "pad", (("pad", "synth dark pad"), ("choir", "gm 52"), ("strings", "gm 48")), (), 58, -11.0, 0.7, send=0.4
        ),
    ),
    moods=("dark", "hard", "menacing", "gritty", "moody"),
    loose=0.001,
    room=("plate", "hall"),
    drums_level=-3.0,
)

FUNK = Style(
    name="funk",
    bpm=(96, 118),
    modes=("dorian", "mixolydian"),
    progressions={
        "minor": ("1 1 4 4", "1 4 1 4", "1/4 1/4 1/4 1/4", "1 1 1 4"),
        "major": ("1 1 4 4", "1 7 4 1", "1 1 1 4"),
    },
    chord_size=4,
    kits=("kit 0", "kit 8"),
    grooves=(
        Groove(
            {"kick": "X.x...x...x..x..", "snare": "....X..g.g..X..g", "hat": "xoxoxoxoxoxoxoxo"},
            ({"snare": "....X..x.x..X.xx", "tom1": ".........x......"}, {"snare": "....X.xxxxxxXxXx"}),
        ),
        Groove(
            {
                "kick": "X..x..x...x.....",
                "snare": "....X..g....X.g.",
                "hat": "x.xxx.xxx.xxx.x.",
                "open": "..............x.",
            },
            ({"tom1": "........xx......", "tom2": "..........xx....", "tom3": "............xxxx"},),
        ),
        Groove(
            {
                "kick": "X.......x.x...x.",
                "snare": "....X..g.g..X...",
                "hat": "x.x.x.x.x.x.x.x.",
                "tamb": "....x.......x...",
            },
            ({"snare": "....X..x.xX.X.X."},),
        ),
    ),
    parts=(
        Part(
            "bass",
            (("slap bass", "gm 36"), ("bass", "gm 33"), ("slap bass", "gm 37")),
            ("1..1..8.1.5.7.8.", "1.8...1.7.5..1a.", "1..18..1..5.7.a.", "1.1...8.1..7.5a."),
            36,
            -2.5,
            gate=0.7,
            enters=0.0,
        ),
        Part(
            "comp",
            (("guitar", "gm 27"), ("guitar", "gm 28")),
            ("..x...xx..x...xx", ".x.x..x..x.x..x.", "x..xx..xx..xx.x.", "..gx..gx..gx..gx"),
            67,
            -7.0,
            0.9,
            gate=0.5,
            strum=0.05,
        ),
        Part(
            "comp",
            (("organ", "gm 16"), ("electric piano", "gm 4"), ("clavinet", "gm 7")),
            ("x...........x...", "..x..x..x....x..", "x--...x--...x--.", ".x.x...x.x.x...x"),
            62,
            -8.0,
            0.8,
            gate=0.6,
        ),
        Part(
            "comp",
            (("brass", "gm 61"), ("brass", "synth brass")),
            ("X.............x.", "......x.X.......", "..........x.x---", "................"),
            65,
            -6.0,
            0.6,
            gate=0.7,
            enters=0.7,
        ),
        Part(
            "melody",
            (("saxophone", "gm 66"), ("trumpet", "gm 56"), ("synth", "synth pulse lead")),
            ("x.x..x..x---....", "..x.x.xx..x-....", "x--.x.x........."),
            70,
            -8.0,
            0.45,
            gate=0.8,
            enters=0.7,
        ),
    ),
    moods=("groovy", "funky", "energetic", "playful", "tight"),
    swing=(0.03, 0.12),
    loose=0.006,
    room=("room",),
    drums_level=-2.5,
)

REGGAE = Style(
    name="reggae",
    bpm=(66, 86),
    modes=("major", "minor", "mixolydian", "dorian"),
    progressions={
        "minor": ("1 1 4 4", "1 7 1 7", "1 4 1 5", "1 7 6 7"),
        "major": ("1 4 1 4", "1 5 6 4", "1 4 5 4", "1 1 2 2"),
    },
    kits=("kit 0", "kit 8"),
    grooves=(
        Groove(
            {"kick": "........X.......", "rim": "........X.......", "hat": "x.o.x.o.x.o.x.oo"},
            ({"snare": "........X.x.x.xx", "tom2": "............x..."},),
        ),
        Groove(
            {"kick": "X...x...X...x...", "rim": "........X.....g.", "hat": "x.x.x.x.x.x.x.x."},
            ({"tom1": "..........xx....", "tom3": "............x.x."},),
        ),
        Groove(
            {
                "kick": "X.......X.......",
                "snare": "....X.......X..g",
                "hat": "x.x.x.x.x.x.x.x.",
                "conga1": "......x.......xx",
            },
            ({"snare": "....X.....xxX.xx"},),
        ),
    ),
    parts=(
        Part(
            "bass",
            (("bass", "gm 33"), ("bass", "gm 32")),
            ("1--.1.3.5---..1.", "..1.1.5.3---1...", "1-..3.5.1---....", "1---..1.5-5.3-1."),
            34,
            -4.0,
            gate=0.9,
            enters=0.0,
        ),
        Part(
            "comp",
            (("guitar", "gm 27"), ("guitar", "gm 25")),
            ("....x.......x...", "....x.......x.g."),
            64,
            -6.0,
            gate=0.5,
            strum=0.05,
            enters=0.0,
            voices_max=3,
        ),
        Part(
            "comp",
            (("organ", "gm 16"), ("organ", "gm 18")),
            ("..x.x.x...x.x.x.", "..xx..xx..xx..xx", "....x.x.....x.x."),
            62,
            -8.0,
            0.85,
            gate=0.6,
        ),
        Part(
            "melody",
            (("trombone", "gm 57"), ("saxophone", "gm 66"), ("melodica", "gm 22"), ("brass", "gm 61")),
            ("x---x-x-....x---", "..x-x---x-......", "x-x-x-----......"),
            67,
            -7.0,
            0.6,
            send=0.4,
            enters=0.6,
        ),
        Part("comp", (("piano", "gm 0"),), ("....x.......x...",), 64, -9.0, 0.4, gate=0.4),
    ),
    moods=("sunny", "laid back", "relaxed", "easygoing", "summery"),
    swing=(0.08, 0.25),
    loose=0.008,
    room=("plate", "room"),
    drums_level=-4.0,
    drums_send=0.2,
)

URBAN = (LOFI, TRAP, FUNK, REGGAE)
