"""Acoustic styles: orchestral, solo piano, folk guitar."""

from training.compose.style import Groove, Part, Style

ORCHESTRAL = Style(
    name="orchestral",
    bpm=(72, 138),
    modes=("minor", "major", "dorian", "lydian"),
    progressions={"minor": ("1 6 3 7", "1 4 6 5d", "1 7 6 5d", "6 7 1 1"), "major": ("1 5 6 4", "1 4 5 1", "1 6 4 5", "1 2 4 1")},
    kits=("kit 48",),
    drums_chance=0.4,
    grooves=(
        Groove({"timpani": "X.......x...x...", "crash": "................"}, ({"timpani": "x...x...x.x.xxxx"},)),
        Groove({"timpani": "X...............", "snare": "x..xx.x.x..xx.x."}, ({"snare": "x.xxx.xxx.xxxxxx"},)),
    ),
    parts=(
        Part("comp", (("strings", "gm 48"),), ("x.x.x.x.x.x.x.x.", "x.xxx.xxx.xxx.xx", "x---x---x---x---", "x-------x-------"), 62, -4.0, gate=0.8, send=0.4, enters=0.0),
        Part("bass", (("double bass", "gm 43"), ("cello", "gm 42")), ("1---1---1---1---", "1-------5-------", "1.1.1.1.1.1.1.1."), 40, -6.0, gate=0.95, send=0.3, enters=0.1),
        Part("melody", (("violin", "gm 40"), ("french horn", "gm 60"), ("oboe", "gm 68"), ("flute", "gm 73"), ("strings", "gm 48")),
             ("x-------x---x---", "x-----x-x-------", "x---x---x---x---", "x-x-x---x-------"), 72, -4.0, send=0.4, enters=0.2),
        Part("pad", (("brass", "gm 61"), ("french horn", "gm 60"), ("choir", "gm 52")), (), 57, -8.0, 0.7, send=0.4, enters=0.5),
        Part("arp", (("harp", "gm 46"), ("pizzicato strings", "gm 45")), ("0-1-2-3-4-3-2-1-", "0.1.2.3.2.1.2.3."), 62, -9.0, 0.45, send=0.4, enters=0.5),
    ),
    moods=("epic", "cinematic", "grand", "heroic", "dramatic", "emotional"),
    loose=0.012, room=("hall",), drums_level=-6.0, drums_send=0.4,
)  # fmt: skip

PIANO = Style(
    name="solo piano",
    bpm=(60, 120),
    modes=("major", "minor", "dorian", "lydian"),
    progressions={"minor": ("1 6 3 7", "1 4 7 3", "1 7 6 5d", "1 5 6 4"), "major": ("1 5 6 4", "1 3 4 4", "6 4 1 5", "1 6 4 5")},
    parts=(
        Part("arp", (("piano", "gm 0"),), ("0-1-2-3-4-3-2-1-", "0---2-1-3---2-1-", "0-2-3-2-0-2-3-2-", "0---1-2-3-------", "0-1-3-1-2-1-3-1-"), 57, -6.0, gate=1.3, send=0.35, voices_max=3, enters=0.0),
        Part("melody", (("piano", "gm 0"),), ("x-------x-x-x---", "x---x---x-------", "x-x-x---x---x-x-", "..x-x-x-x-------"), 74, -4.0, gate=1.1, send=0.35, enters=0.0),
        Part("comp", (("piano", "gm 0"),), ("x---------------", "x-------x-------"), 60, -9.0, 0.4, send=0.35),
    ),
    moods=("gentle", "intimate", "melancholic", "reflective", "romantic", "peaceful"),
    loose=0.012, room=("room", "hall"),
)  # fmt: skip

FOLK = Style(
    name="folk guitar",
    bpm=(80, 132),
    modes=("major", "mixolydian", "dorian", "minor"),
    progressions={"minor": ("1 7 6 7", "1 3 7 4", "1 6 3 7"), "major": ("1 4 1 5", "1 5 6 4", "1 4 5 1", "6 4 1 5")},
    parts=(
        Part("arp", (("acoustic guitar", "gm 25"), ("acoustic guitar", "gm 24")), ("0-2-1-3-0-2-1-3-", "0-3-2-1-0-3-2-3-", "0---2-3-1---2-3-", "0.1.2.3.0.1.2.3."), 58, -4.0, gate=1.4, enters=0.0),
        Part("comp", (("acoustic guitar", "gm 25"),), ("x---x-u-..u-x-u-", "x-------x-u-x-u-", "x-u-x-u-x-u-x-u-"), 58, -7.0, 0.5, gate=0.95, strum=0.12, voices_max=3),
        Part("melody", (("harmonica", "gm 22"), ("violin", "gm 40"), ("flute", "gm 73"), ("banjo", "gm 105"), ("whistle", "gm 78")),
             ("x-x-x---x-x-x---", "x---x-x-x-------", "..x-x-x-x---x---"), 72, -6.0, 0.7, send=0.25, enters=0.4),
        Part("bass", (("upright bass", "gm 32"), ("bass", "gm 33")), ("1-------5-------", "1-----1-5-----a-"), 38, -7.0, 0.6),
    ),
    moods=("warm", "rustic", "intimate", "campfire", "gentle", "wistful"),
    loose=0.01, room=("room",),
)  # fmt: skip

ACOUSTIC = (ORCHESTRAL, PIANO, FOLK)
