"""Judge an exported nano: does it do what the prompt says, how good is its codec, how well does it predict.

    python -m training.evaluate --model musicgen/models/nano --out runs/evaluate

Style is judged by a small classifier that is trained here on renders, never on nano's output; its accuracy on held-out
renders, as composed and through the codec, stands beside each rate, since nothing nano plays can be recognised better.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
import numpy as np
import pyloudnorm
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from transformers import AutoTokenizer, MusicgenForConditionalGeneration, set_seed

from training import loop
from training.codec import CODES, HOP, RATE, decode, encode
from training.losses import log_mel, si_sdr, spectral_losses, spectrum
from training.model import load_corpus, load_nano, validate

CLIP = 10 * RATE  # what is judged: ten seconds
PER_STYLE = 4  # generated clips
TEMPOS = np.arange(60.0, 180.25, 0.25)
SILENCE = -50.0  # LUFS
FRAME_RATE = RATE / 256  # of the onset curve

Audio = NDArray[np.float32]


# --- listening ----------------------------------------------------------------------------------------------------


def mel_frames(audio: Audio) -> torch.Tensor:
    """Log-mel spectrogram of a clip, (windows, 80), hop 256."""
    return log_mel(spectrum(torch.from_numpy(audio)[None], 1024).abs(), 1024, RATE)[0]


def onset_curve(mel: torch.Tensor) -> NDArray[np.float64]:
    """Spectral flux: how much the bands rise from one window to the next, less its local mean."""
    flux = (mel[1:] - mel[:-1]).clamp_min(0).mean(1).double()
    local = F.avg_pool1d(flux[None, None], 63, 1, 31, count_include_pad=False)[0, 0]
    curve: NDArray[np.float64] = (flux - local).clamp_min(0).numpy()
    return curve


def tempo_scores(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well each of `TEMPOS` explains an onset curve: its autocorrelation at 1, 2 and 4 beats, added up."""
    padded = np.fft.rfft(curve, 2 * len(curve))
    correlation = np.fft.irfft(np.abs(padded) ** 2)[: len(curve)]
    correlation = correlation / np.maximum(np.arange(len(curve), 0, -1), 1) / max(correlation[0] / len(curve), 1e-12)
    lags = 60 * FRAME_RATE / TEMPOS
    grid = np.arange(len(correlation))
    scores: NDArray[np.float64] = sum(np.interp(beats * lags, grid, correlation) for beats in (1.0, 2.0, 4.0))
    return scores


def tempo_of(audio: Audio) -> float:
    """Estimated tempo in bpm, 60 to 180."""
    return float(TEMPOS[tempo_scores(onset_curve(mel_frames(audio))).argmax()])


def same_tempo(estimate: float, wanted: float) -> bool:
    """Within 4 %, octaves allowed."""
    return any(abs(estimate * factor / wanted - 1) < 0.04 for factor in (0.25, 0.5, 1.0, 2.0, 4.0))


def features(audio: Audio) -> torch.Tensor:
    """One vector a clip for the style classifier: the bands' levels, spreads and movement, and the rhythm."""
    mel = mel_frames(audio)
    moves = mel[1:] - mel[:-1]
    rhythm = torch.from_numpy(tempo_scores(onset_curve(mel))[::8].copy()).float()
    bass = mel[:, :8].exp().mean(1)
    curve = torch.fft.rfft(bass - bass.mean(), n=4096).abs()[20:340].reshape(40, 8).mean(1)
    parts = [mel.mean(0), mel.std(0), moves.std(0), moves.clamp_min(0).mean(0), mel.quantile(0.95, 0), rhythm]
    return torch.cat([*parts, curve.clamp_min(1e-6).log()])


class StyleJudge(nn.Module):
    """Standardised features, one hidden layer, one logit a style."""

    def __init__(self, examples: torch.Tensor, styles: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(examples.mean(0))
        self.spread = nn.Buffer(examples.std(0) + 1e-3)
        self.layers = nn.Sequential(
            nn.Linear(examples.shape[1], 192), nn.GELU(), nn.Dropout(0.4), nn.Linear(192, styles)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (clips, styles) of features (clips, numbers)."""
        y: torch.Tensor = self.layers((x - self.mean) / self.spread)
        return y


def train_judge(examples: torch.Tensor, labels: torch.Tensor, styles: int, seed: int) -> StyleJudge:
    """Fit the classifier on renders."""
    torch.manual_seed(seed)
    judge = StyleJudge(examples, styles).train()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05)
    for _ in range(60):
        for rows in torch.split(torch.randperm(len(examples)), 64):
            noisy = examples[rows] + 0.3 * judge.spread * torch.randn(len(rows), examples.shape[1])
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(judge(noisy), labels[rows], label_smoothing=0.05))
            optimizer.step()
    return judge.eval()


@torch.no_grad()
def recognised(judge: StyleJudge, clips: list[Audio], labels: torch.Tensor) -> dict[str, float]:
    """Top-1 and top-3 rates of the right style."""
    ranks = judge(torch.stack([features(clip) for clip in clips])).argsort(1, descending=True)
    hits = ranks == labels[:, None]
    return {"top1": float(hits[:, 0].float().mean()), "top3": float(hits[:, :3].any(1).float().mean())}


# --- material -----------------------------------------------------------------------------------------------------


def read_songs(folder: Path, limit: int, seed: int) -> tuple[list[Audio], list[dict[str, Any]]]:
    """A 10 s excerpt and the facts of up to ``limit`` songs, in a seeded order."""
    paths = sorted(folder.glob("*.npy"))
    rng = np.random.default_rng(seed)
    clips, facts = [], []
    for i in rng.permutation(len(paths))[:limit]:
        song = np.load(paths[i], mmap_mode="r")
        start = int(rng.integers(max(1, len(song) - CLIP)))
        clips.append(song[start : start + CLIP].astype(np.float32) / 32768)
        facts.append(json.loads(paths[i].with_suffix(".json").read_text()))
    return clips, facts


def prompts(facts: list[dict[str, Any]], styles: list[str], seed: int) -> list[dict[str, Any]]:
    """`PER_STYLE` prompts a style, with tempo and instruments of held-out songs of that style."""
    rng = np.random.default_rng(seed)
    wanted = []
    for style in styles:
        songs = [f for f in facts if f["style"] == style]
        for i in range(PER_STYLE if songs else 0):
            song = songs[i % len(songs)]
            bpm = round(song["bpm"])
            named = ", ".join(song["instruments"][:2])
            forms = (f"{style}, {bpm} bpm", f"{style}, {bpm} bpm, {named}", f"{style} with {named} at {bpm} bpm")
            wanted.append({"prompt": forms[rng.integers(3)].replace("_", " "), "style": style, "bpm": bpm})
    return wanted


@torch.no_grad()
def generate(model: Any, tokenizer: Any, texts: list[str], seed: int) -> list[Audio]:
    """Ten seconds for each prompt, by transformers, with the sampling of the model's generation config."""
    set_seed(seed)
    clips: list[Audio] = []
    for first in range(0, len(texts), 16):
        inputs = tokenizer(texts[first : first + 16], padding=True, return_tensors="pt")
        audio = model.generate(**inputs, max_new_tokens=CLIP // HOP + 3)
        clips += list(audio[:, 0].float().numpy())
    return clips


# --- measures -----------------------------------------------------------------------------------------------------


def codec_measures(codec: Any, clips: list[Audio]) -> tuple[dict[str, Any], list[Audio]]:
    """Distances on held-out clips, shares of codes used, and the clips as decoded."""
    audio = torch.from_numpy(np.stack(clips))
    decoded, codes = [], []
    for part in torch.split(audio, 8):
        codes.append(encode(codec, part))
        decoded.append(decode(codec, codes[-1]))
    output = torch.cat(decoded)
    parts = spectral_losses(output, audio, RATE)
    used = [len(torch.unique(torch.cat(codes)[:, k])) / CODES for k in range(codes[0].shape[1])]
    measures = {"log_mel_l1": float(parts["mel"]), "mr_stft": float(parts["stft"])}
    measures["si_sdr_db"] = float(si_sdr(output, audio))
    return {**measures, "codes_used_held_out": used}, list(output.numpy())


def loudness(clips: list[Audio]) -> dict[str, float]:
    """Median loudness in LUFS; share of near-silent 1.5 s pieces; largest sample."""
    meter = pyloudnorm.Meter(RATE)
    levels = [meter.integrated_loudness(clip.astype(np.float64)) for clip in clips]
    piece = int(1.5 * RATE)
    pieces = [clip[i : i + piece] for clip in clips for i in range(0, len(clip) - piece + 1, piece)]
    quiet = [meter.integrated_loudness(p.astype(np.float64)) < SILENCE for p in pieces]
    return {
        "median_lufs": float(np.median(levels)),
        "silent": float(np.mean(quiet)),
        "peak": max(float(np.abs(clip).max()) for clip in clips),
    }


def tempo_rate(clips: list[Audio], wanted: list[float]) -> float:
    """Share of clips whose estimated tempo is the wanted one."""
    return float(np.mean([same_tempo(tempo_of(clip), bpm) for clip, bpm in zip(clips, wanted, strict=True)]))


def evaluate(arguments: argparse.Namespace) -> dict[str, Any]:
    """All measures of one exported folder."""
    model: Any = MusicgenForConditionalGeneration.from_pretrained(arguments.model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    clips, facts = read_songs(arguments.data, 1200, 1)
    held, held_facts = read_songs(arguments.held_out, 96, 2)
    styles = sorted({f["style"] for f in facts})
    labels = torch.tensor([styles.index(f["style"]) for f in facts])
    held_labels = torch.tensor([styles.index(f["style"]) for f in held_facts])
    with torch.no_grad():
        examples = torch.stack([features(clip) for clip in clips])
    judge = train_judge(examples, labels, len(styles), 0)
    codec, decoded = codec_measures(model.audio_encoder, held)
    beats = [(clip, f["bpm"]) for clip, f in zip(held, held_facts, strict=True) if f["drums"]]
    report: dict[str, Any] = {
        "codec": codec,
        "style": {
            "renders": recognised(judge, held, held_labels),
            "decoded_renders": recognised(judge, decoded, held_labels),
        },
        "tempo": {"renders_with_drums": tempo_rate([c for c, _ in beats], [b for _, b in beats])},
        "loudness": {"renders": loudness(held), "decoded_renders": loudness(decoded)},
    }
    wanted = prompts(held_facts, styles, 3)
    played = generate(model, tokenizer, [w["prompt"] for w in wanted], 4)
    targets = torch.tensor([styles.index(w["style"]) for w in wanted])
    report["style"]["nano"] = recognised(judge, played, targets)
    report["style"]["chance"] = 1 / len(styles)
    bpms = [float(w["bpm"]) for w in wanted]
    report["tempo"]["nano"] = tempo_rate(played, bpms)
    report["tempo"]["nano_against_shuffled_prompts"] = tempo_rate(played, bpms[7:] + bpms[:7])
    report["loudness"]["nano"] = loudness(played)
    report["clips"] = {"generated": len(played), "held_out": len(held), "judge_training": len(clips)}
    if arguments.checkpoint.exists():
        _, kept = load_corpus(arguments.tokens)
        report["cross_entropy"] = validate(load_nano(arguments.checkpoint), kept)
    keep_examples(arguments.out, wanted, played)
    return report


def keep_examples(out: Path, wanted: list[dict[str, Any]], played: list[Audio]) -> None:
    """One clip a style as int16 NumPy files to listen to; a prompt list beside them."""
    folder = out / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(0, len(wanted), PER_STYLE):
        np.save(folder / f"{i:03d}.npy", (played[i].clip(-1, 1) * 32767).astype(np.int16))
    (folder / "prompts.json").write_text(json.dumps(wanted, indent=1))


def main() -> None:
    """Read the command line, measure, write ``metrics.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("musicgen/models/nano"), help="an exported folder")
    parser.add_argument("--data", type=Path, default=Path("data/songs"))
    parser.add_argument("--held-out", type=Path, default=Path("data/held-out"))
    parser.add_argument("--tokens", type=Path, default=Path("runs/tokens"))
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/model/model.pt"), help="for the cross entropy")
    parser.add_argument("--out", type=Path, default=Path("runs/evaluate"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = evaluate(arguments)
    (arguments.out / "metrics.json").write_text(json.dumps(report, indent=1))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    loop.tune_allocator("training.evaluate")
    main()
