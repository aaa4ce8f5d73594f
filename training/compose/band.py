"""Bands: jazz trio, rock, bossa nova."""

from training.compose.style import Groove, Part, Style

JAZZ = Style(
    name="jazz trio",
    bpm=(96, 176),
    modes=("major", "minor", "dorian"),
    progressions={
        "minor": ("2 5d 1 1", "1 4 7 3", "1 6 2 5d", "4 7 3 6", "1/6 2/5d 1 1"),
        "major": ("2 5d 1 6d", "1 6d 2 5d", "3 6d 2 5d", "1/6d 2/5d 3/6d 2/5d", "4 4 1 6d"),
    },
    chord_size=5,
    kits=("kit 40", "kit 32"),
    grooves=(
        Groove(
            {"ride": "x...X.x.x...X.x.", "pedal": "....x.......x...", "kick": "g.......g......."},
            ({"snare": "......x...x.x.x.", "tom1": "........x......."},),
        ),
        Groove(
            {"ride": "x...X.x.x...X.x.", "pedal": "....x.......x...", "snare": "......g.......o."},
            ({"snare": "....x.x.....x.x.", "kick": "..........x....."},),
        ),
        Groove(
            {"brush": "x...X...x...X...", "pedal": "....x.......x...", "ride": "x.....x.x.....x."},
            ({"brush": "x.x.X.x.x.x.X.x."},),
        ),
    ),
    parts=(
        Part("walking", (("upright bass", "gm 32"),), (), 40, -3.0, enters=0.0, gate=0.95),
        Part(
            "comp",
            (("piano", "gm 0"), ("piano", "gm 0"), ("guitar", "gm 26")),
            ("x-----x---......", "......x-........", "..x---....x-....", "x-....x-..x-----", "....x-......x-.."),
            61,
            -5.5,
            send=0.25,
            enters=0.0,
        ),
        Part(
            "melody",
            (
                ("piano", "gm 0"),
                ("saxophone", "gm 66"),
                ("trumpet", "gm 59"),
                ("vibraphone", "gm 11"),
                ("guitar", "gm 26"),
            ),
            ("x-x-x-x-x---....", "..x-x-x-x-x-x-x-", "x-----x-x-x-x---", "x-x-x---......x-"),
            71,
            -3.0,
            0.85,
            send=0.3,
            enters=0.3,
        ),
    ),
    moods=("smoky", "swinging", "sophisticated", "late night", "relaxed"),
    swing=(0.24, 0.34),
    swing_unit=2,
    loose=0.01,
    room=("room",),
    drums_level=-7.0,
    drums_send=0.15,
)

ROCK = Style(
    name="rock",
    bpm=(100, 156),
    modes=("minor", "major", "mixolydian"),
    progressions={
        "minor": ("1p 6p 7p 1p", "1p 6p 3p 7p", "1p 7p 6p 7p", "1p 1p 6p 7p"),
        "major": ("1p 5p 6p 4p", "1p 4p 1p 5p", "6p 4p 1p 5p", "1p 7p 4p 1p"),
    },
    kits=("kit 16", "kit 0", "kit 8"),
    grooves=(
        Groove(
            {"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "X.x.X.x.X.x.X.x."},
            (
                {"snare": "....X...xxxxXXXX"},
                {"tom1": "........xxx.....", "tom2": "...........xx...", "tom3": ".............xxx"},
            ),
        ),
        Groove(
            {"kick": "X..x..x.X.......", "snare": "....X.......X...", "ride": "x.x.x.x.x.x.x.x."},
            ({"snare": "....X.....x.XxXx"},),
        ),
        Groove(
            {"kick": "X.x.....X.x...x.", "snare": "....X.......X...", "open": "X...X...X...X..."},
            ({"tom1": "........xxxx....", "tom3": "............xxxx"},),
        ),
    ),
    parts=(
        Part(
            "bass",
            (("bass", "gm 34"), ("bass", "gm 33")),
            ("1.1.1.1.1.1.1.1.", "1-..1.1-..1.1.5.", "1-----1-1-1-5-a-"),
            34,
            -4.0,
            gate=0.9,
            enters=0.1,
        ),
        Part(
            "comp",
            (("electric guitar", "gm 30"), ("electric guitar", "gm 29"), ("electric guitar", "gm 30")),
            ("x.x.x.x.x.x.x.x.", "x-------x---x-x-", "x-..x.x-..x.x-x-", "x--x--x-x--x--x-"),
            47,
            -3.0,
            gate=0.9,
            send=0.12,
            enters=0.0,
            strum=0.03,
        ),
        Part(
            "comp",
            (("electric guitar", "gm 27"), ("organ", "gm 18"), ("piano", "gm 0")),
            ("x---x---x---x---", "x-------x-------"),
            60,
            -9.0,
            0.5,
        ),
        Part(
            "melody",
            (("electric guitar", "gm 30"), ("electric guitar", "gm 29")),
            ("x---x-x-x-------", "x-x-x-x-x---x---", "x-----x-----...."),
            69,
            -5.0,
            0.65,
            send=0.3,
            enters=0.6,
        ),
    ),
    moods=("powerful", "gritty", "driving", "rebellious", "loud"),
    loose=0.006,
    room=("room",),
    drums_level=-1.5,
)

BOSSA = Style(
    name="bossa nova",
    bpm=(116, 150),
    modes=("major", "minor", "dorian"),
    progressions={
        "minor": ("1 1 4 4", "1 6 2 5d", "4 7 3 6"),
        "major": ("1 1 2 5d", "2 5d 1 6d", "1 6d 2 5d", "1 4 3 6d"),
    },
    chord_size=5,
    kits=("kit 40", "kit 0"),
    drums_chance=0.85,
    grooves=(
        Groove(
            {"kick": "X..xX..xX..xX..x", "rim": "x..x..x...x..x..", "hat": "x.o.x.o.x.o.x.o."},
            ({"rim": "x..x..x...x.x.x."},),
        ),
        Groove(
            {"kick": "X..xX..xX..xX..x", "rim": "..x.x..x..x..x..", "shaker": "xoxoxoxoxoxoxoxo"},
            ({"rim": "..x.x..x.x.x.x.."},),
        ),
    ),
    parts=(
        Part(
            "comp",
            (("nylon guitar", "gm 24"),),
            ("x--x--x---x--x--", "x-x--x--x-x--x--", "..x--x--x--x--x-"),
            60,
            -4.0,
            strum=0.06,
            enters=0.0,
            gate=0.85,
        ),
        Part(
            "bass",
            (("upright bass", "gm 32"), ("bass", "gm 33")),
            ("1--.1-5--..51-..", "1-----5-5-----1-", "1--15--55--51--a"),
            38,
            -4.0,
            gate=0.9,
            enters=0.1,
        ),
        Part(
            "melody",
            (("flute", "gm 73"), ("saxophone", "gm 65"), ("piano", "gm 0"), ("vibraphone", "gm 11")),
            ("x---..x-x---x---", "..x-x-x---x-----", "x-----x-x-......"),
            72,
            -4.0,
            0.8,
            send=0.3,
            enters=0.4,
        ),
        Part(
            "comp",
            (("piano", "gm 0"), ("electric piano", "gm 4")),
            ("..x-....x-......", "......x-....x-.."),
            65,
            -9.0,
            0.5,
        ),
    ),
    moods=("breezy", "romantic", "gentle", "sunny", "smooth"),
    loose=0.008,
    room=("room", "plate"),
    drums_level=-8.0,
)

BAND = (JAZZ, ROCK, BOSSA)
