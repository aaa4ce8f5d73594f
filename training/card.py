"""The model card: what is said of nano, and the figures that `training.evaluate` measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Row = tuple[str, ...]


def percent(x: float | None) -> str:
    """A share as people read it."""
    return "-" if x is None else f"{x:.0%}"


def table(head: Row, rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def prompted(report: dict[str, Any]) -> str:
    """Does it play what the prompt says: nano beside renders through its codec and renders as they are."""
    rows: list[Row] = []
    if part := report.get("tempo"):
        three = (percent(part[name]) for name in ("nano", "decoded_renders", "renders"))
        rows.append(("tempo as prompted, within 4 %, octaves allowed", *three, "80%"))
        rows.append(("the same, against other clips' prompts", percent(part["nano_against_other_prompts"]), "", "", ""))
        kin = percent(part["nano_against_other_prompts_of_the_style"])
        rows.append(("the same, against other prompts of the same style", kin, "", "", ""))
        strength = (f"{part['pulse'][name]:.2f}" for name in ("nano", "decoded_renders", "renders"))
        rows.append(("strength of the beat (highest autocorrelation of onsets)", *strength, ""))
    if part := report.get("style"):
        ceiling = part["decoded_renders"]["top1"]
        for top, asked in (("top1", f"{0.8 * ceiling:.0%}; decoded 85%"), ("top3", "")):
            three = (percent(part[name][top]) for name in ("nano", "decoded_renders", "renders"))
            rows.append((f"style recognised, {top[:3]} {top[3:]} of 16", *three, asked))
    if part := report.get("instruments"):
        three = (percent(part[name]) for name in ("nano", "decoded_renders", "renders"))
        rows.append(("instruments as prompted, balanced accuracy", *three, "80%"))
    if part := report.get("key"):
        three = (percent(part[name]) for name in ("nano", "decoded_renders", "renders"))
        rows.append(("key as prompted, of 24", *three, "50%"))
        three = (percent(part[f"{name}_or_relative"]) for name in ("nano", "decoded_renders", "renders"))
        rows.append(("the same, or its relative key, which has the same notes", *three, ""))
    if part := report.get("unseen"):
        shares = percent(part["nano"]["top3"]), percent(part["top3_against_other_prompts"])
        rows.append(
            (f"a fitting style in the top 3, {part['prompts']} prompts of free wording", shares[0], "", "", "60%")
        )
        rows.append(("the same, against other prompts", shares[1], "", "", ""))
    if part := report.get("switch"):
        nano, cut = percent(part["nano"]["within"]), percent(part["decoded_renders_cut"]["within"])
        rows.append(("new style recognised within 4 s of a new prompt", nano, cut, "", "80%"))
        floor = percent(part["nano_not_asked_to_change"]["within"])
        rows.append(("the same, for a style that nobody asked for", floor, "", "", ""))
    return table(("measure", "nano", "decoded renders", "renders", "asked"), rows)


def probes(report: dict[str, Any]) -> str:
    """Balanced accuracy of each instrument."""
    part = report["instruments"]
    rows = []
    for name, probe in part["probes"].items():
        three = (percent(probe[group]) for group in ("nano", "decoded_renders", "renders"))
        counted = f"{probe['nano_with']} of {part['clips']}"
        rows.append((name, *three, counted, "yes" if name in part["asked"] else "no"))
    return table(("instrument", "nano", "decoded renders", "renders", "prompts that name it", "counted"), rows)


def without_end(report: dict[str, Any]) -> str:
    """Long streams."""
    part = report["endless"]
    worst = max(stream["longest_silence_s"] for stream in part["by_stream"].values())
    most = max(stream["most_repeated"] for stream in part["by_stream"].values())
    rows: list[Row] = [
        ("streams, minutes each", f"{part['streams']}, {part['minutes']:g}", ""),
        ("without silence or frozen loop", f"{part['without_silence_or_frozen_loop']} of {part['streams']}", "all"),
        ("longest silence", f"{worst:.1f} s", "1.5 s"),
        ("most tokens repeated over 8 s, of any stream", percent(most), "90%"),
        ("the same, of renders", percent(part["most_repeated_in_renders"]), ""),
        ("style recognised in the first minute", percent(part["style_first_minute"]), ""),
        ("style recognised in the last minute", percent(part["style_last_minute"]), "80 % of the first minute's"),
    ]
    return table(("endless", "nano", "asked"), rows)


def likeness(report: dict[str, Any]) -> str:
    """Frechet distances."""
    part = report["likeness"]
    if "absent" in part:
        return f"Frechet distance: not measured, {part['absent']}."
    rows = [
        (label, f"{part[key]:.2f}", f"{part[f'joint_{key}']:.2f}")
        for label, key in (
            ("two halves of the renders", "two_halves_of_renders"),
            ("decoded renders", "decoded_renders"),
            ("nano", "nano"),
        )
    ]
    rows.append(("nano, prompts shuffled", "", f"{part['joint_nano_prompts_shuffled']:.2f}"))
    head = (f"Frechet distance from renders, {part['clips_a_set']} clips each", "sound", "sound and style asked for")
    return table(head, rows)


def codec(report: dict[str, Any]) -> str:
    """Distances, beside Opus."""
    part = report["codec"]
    systems = [("nano's codec, 2 kb/s", part["nano"])]
    if isinstance(part["opus_6kbps"], dict):
        systems.append(("Opus, 6 kb/s", part["opus_6kbps"]))
    rows = [(name, f"{d['log_mel_l1']:.3f}", f"{d['mr_stft']:.3f}", f"{d['si_sdr_db']:.1f} dB") for name, d in systems]
    books = " / ".join(percent(x) for x in part["codes_used_held_out"])
    below = f"Codes used, each codebook: {books}. Decoding takes {part['decode_share_of_a_core']:.1%} of a core."
    head = (f"{part['clips']} held-out renders", "log-mel L1", "multi-resolution STFT", "SI-SDR")
    return f"{table(head, rows)}\n\n{below}"


NO_COMB = -60.0  # `training.evaluate.figures` gives this where no comb stands out of the music
SOUND = {
    "comb": ("comb at multiples of 50 Hz", "{:.1f} dB"),
    "lines": ("lines heard in it, a clip", "{:.1f}"),
    "fold": ("power at those multiples over that between them", "{:+.1f} dB"),
    "peaks": ("tones over what is around them, {}", "{:.1f} dB"),
    "attacks": ("steepest rises within 6 ms, {}", "{:.1f} dB"),
    "level": ("level, {}, of the whole", "{:.1f} dB"),
    "flutter": ("flutter of the level, 0.75-2.5 kHz", "{:.2f} dB"),
    "clipping": ("clips with a sample above 1", "{:.0%}"),
    "peak": ("largest sample", "{:.2f}"),
}


def sound(report: dict[str, Any]) -> str:
    """What a spectrogram tells, with the worst style beside the mean."""
    part = report["sound"]

    def say(shape: str, name: str, value: float) -> str:
        return "none" if name == "comb" and value <= NO_COMB else shape.format(value)

    rows: list[Row] = []
    for name, own in part["renders"].items():
        kind, _, register = name.partition(" ")
        label, shape = SOUND[kind]
        row = [label.format(register), say(shape, kind, own["all"])]
        for group in ("decoded_renders", "nano"):
            figure = part[group][name]
            # What music itself decides is worst where it is furthest from the style's own renders.
            beside = f", renders {say(shape, kind, figure['its_renders'])}" if register else ""
            worst = f"{say(shape, kind, figure['worst'])} ({figure['style']}{beside})"
            row += [say(shape, kind, figure["all"]), worst]
        rows.append(tuple(row))
    head = (f"sound, {part['clips']['renders']} renders", "renders", "decoded", "worst style", "nano", "worst style")
    return table(head, rows)


def levels(report: dict[str, Any]) -> str:
    """Loudness."""
    rows = [
        (name.replace("_", " "), f"{x['median_lufs']:.1f} LUFS", f"{x['silent']:.1%}", f"{x['peak']:.2f}")
        for name, x in report["loudness"].items()
    ]
    return table(("loudness", "median", "near-silent pieces of 1.5 s", "peak"), rows)


def prediction(report: dict[str, Any]) -> str:
    """Cross entropy."""
    part = report["cross_entropy"]
    if "absent" in part:
        return f"Validation cross entropy: not measured, {part['absent']}."
    rows: list[Row] = []
    for key, label in (("validation", "with captions"), ("validation_null", "without")):
        rows.append((label, " / ".join(f"{x:.2f}" for x in part[key])))
    return table(("validation cross entropy of the codebooks, nats", ""), rows)


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "instruments": probes,
    "endless": without_end,
    "likeness": likeness,
    "codec": codec,
    "sound": sound,
    "loudness": levels,
    "cross_entropy": prediction,
}


def figures(report: dict[str, Any]) -> str:
    """Every part of the report that was measured, as Markdown."""
    played = f"Nano played on the {report['backend']} backend."
    return "\n\n".join([played, prompted(report), *(show(report) for name, show in SECTIONS.items() if name in report)])


def write_card(metrics: Path, out: Path) -> None:
    """README.md with the figures, if there are any, and NOTICE."""
    here = Path(__file__).parent
    measured = figures(json.loads(metrics.read_text())) if metrics.exists() else "Not measured yet."
    card = (here / "nano_card.md").read_text(encoding="utf-8").replace("<!-- metrics -->", measured)
    (out / "README.md").write_text(card, encoding="utf-8")
    shutil.copyfile(here / "nano_notice.txt", out / "NOTICE")
