"""The composer's words for instruments, grouped as ears group them.

Nobody tells a cello from a violin by ten seconds of a mix's spectrum, or would call a prompt for strings missed by the
other.
"""

FAMILIES: dict[str, tuple[str, ...]] = {
    "drums": ("drums",),
    "bass": (
        *("bass", "upright bass", "double bass", "slap bass", "synth bass", "sub bass"),
        *("808 bass", "acid bass", "reese bass", "chip bass"),
    ),
    "piano": ("piano",),
    "electric piano": ("electric piano",),
    "organ": ("organ",),
    "acoustic guitar": ("acoustic guitar", "nylon guitar"),
    "electric guitar": ("electric guitar", "guitar"),
    "strings": ("strings", "synth strings", "violin", "cello", "pizzicato strings"),
    "brass": ("brass", "trumpet", "trombone", "french horn"),
    "saxophone": ("saxophone",),
    "flute": ("flute", "whistle"),
    "pad": ("pad", "choir"),
    "synth lead": ("synth lead", "square wave lead", "pulse lead"),
    "bells": ("bells", "music box", "vibraphone", "marimba"),
}
