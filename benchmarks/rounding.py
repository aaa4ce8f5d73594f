"""How few bits a decoder's weights can have, by ways to round them that the native library does not have.

All in torch and in float32 but for the weights of the layers, which lie on grids of so many bits with a scale for each
32 inputs, as the native library's do; so activations and heads cost nothing here. The model plays songs itself: some
calibrate, the others judge, under teacher forcing. A line of JSON for each way: how often the likeliest token stays, of
both rows and with guidance, and the divergence.

    python -m benchmarks.rounding [--bits 4 6] [--ways nearest mse gptq ...] [--songs 24] [--frames 400]
        [--minutes 10] [--report 2] [--lessons 96]

nearest   scales reach the largest weight
mse       of nine scales the one with the least squared error: what the library does
important the same, each error weighed by the energy of its input
awq       inputs are scaled by a power of their size first, the power that leaves the least error (Lin et al. 2023)
gptq      each input's error is made good by the inputs that follow (Frantar et al. 2022), scales as in important
awq+gptq  both
distilled gptq, then the rounded model learns the whole one's logits on `lessons` songs more, for so many minutes of
          processor time: the gradient goes past the rounding, and the grids' steps learn too (Esser et al. 2020). It
          says how far it came every `report` minutes, so a run that is stopped has a figure
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.quality import drawn, teacher
from musicgen import MusicGen
from musicgen.sampling import guide

if TYPE_CHECKING:
    from transformers import MusicgenForCausalLM

GROUP = 32
POWERS = (0.25, 0.5, 0.75)
CALIBRATING = 16  # songs
BATCH = 2  # songs of a lesson
WARMING = 20  # lessons
WEIGHT_RATE, STEP_RATE = 2e-4, 5e-4
ROUNDED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "encoder_attn.q_proj",
           "encoder_attn.out_proj", "fc1", "fc2")  # fmt: skip

Way = Callable[[Tensor, Tensor, int], Tensor]
"""A matrix (out, in), the second moments of its inputs (in, in), bits -> the matrix on its grid."""


# ---- ways


def steps(weights: Tensor, importance: Tensor, bits: int, candidates: int = 9) -> Tensor:
    """The grids' steps for groups (..., GROUP): of some around the largest weight's the least weighed error's."""
    top = 2 ** (bits - 1) - 1
    largest = weights.abs().amax(-1, keepdim=True).clamp_min(1e-8)
    best: Tensor = largest / (top + 0.5)
    least = torch.full_like(largest, torch.inf)
    for divisor in torch.linspace(0.9 * top, 1.15 * top + 0.25, candidates).tolist():
        step = largest / divisor
        error = (importance * (on_grid(weights, step, bits) - weights).square()).sum(-1, keepdim=True)
        best, least = torch.where(error < least, step, best), torch.minimum(error, least)
    return best


def on_grid(weights: Tensor, step: Tensor, bits: int) -> Tensor:
    top = 2 ** (bits - 1) - 1
    made: Tensor = (weights / step).round().clamp(-top - 1, top) * step
    return made


def nearest(matrix: Tensor, moments: Tensor, bits: int) -> Tensor:
    groups = matrix.reshape(len(matrix), -1, GROUP)
    return on_grid(groups, groups.abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1), bits).flatten(1)


def mse(matrix: Tensor, moments: Tensor, bits: int) -> Tensor:
    groups = matrix.reshape(len(matrix), -1, GROUP)
    return on_grid(groups, steps(groups, torch.ones(GROUP), bits), bits).flatten(1)


def important(matrix: Tensor, moments: Tensor, bits: int) -> Tensor:
    groups = matrix.reshape(len(matrix), -1, GROUP)
    return on_grid(groups, steps(groups, moments.diag().reshape(-1, GROUP), bits, 25), bits).flatten(1)


def compensated(matrix: Tensor, moments: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """What gptq rounds, (out, in), and its grids' steps, (out, groups, 1)."""
    aims, found = matrix.clone(), []
    damped = moments + 0.01 * moments.diag().mean() * torch.eye(len(moments))
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    for i in range(len(moments)):
        if i % GROUP == 0:
            found.append(steps(aims[:, i : i + GROUP], inverse.diag()[i : i + GROUP].square().reciprocal(), bits, 25))
        error = aims[:, i : i + 1] - on_grid(aims[:, i : i + 1], found[-1], bits)
        aims[:, i + 1 :] -= error / inverse[i, i] * inverse[i, i + 1 :]
    return aims, torch.stack(found, 1)


def gptq(matrix: Tensor, moments: Tensor, bits: int) -> Tensor:
    aims, step = compensated(matrix, moments, bits)
    return on_grid(aims.reshape(len(aims), -1, GROUP), step, bits).flatten(1)


def scaled(way: Way) -> Way:
    def awq(matrix: Tensor, moments: Tensor, bits: int) -> Tensor:
        size = moments.diag().clamp_min(1e-8).sqrt()
        best, least = way(matrix, moments, bits), torch.inf
        for power in (0.0, *POWERS):
            scale = (size / size.log().mean().exp()) ** power
            made = way(matrix * scale, moments / scale / scale[:, None], bits) / scale
            error = float((((made - matrix) @ moments) * (made - matrix)).sum())
            if error < least:
                best, least = made, error
        return best

    return awq


WAYS: dict[str, Way] = {"nearest": nearest, "mse": mse, "important": important, "awq": scaled(important), "gptq": gptq,
                        "awq+gptq": scaled(gptq)}  # fmt: skip


# ---- the model


class Play:
    """Songs as the decoder takes them: columns (songs, K, steps), with prompts and without."""

    def __init__(self, model: MusicGen, count: int, frames: int) -> None:
        songs = drawn(model, count, frames)
        pads, targets = teacher(model, songs)
        self.columns = torch.from_numpy(pads).permute(1, 2, 0).contiguous()
        self.told = torch.from_numpy(targets >= 0).permute(1, 0, 2)  # (songs, steps, K)
        states = [torch.from_numpy(np.asarray(model.prompts.states(song.prompt))) for song in songs]
        longest = max(map(len, states))
        self.states = torch.stack([F.pad(own, (0, 0, 0, longest - len(own))) for own in states])
        self.heard = torch.stack([torch.arange(longest) < len(own) for own in states]).long()

    def part(self, songs: slice) -> Play:
        part = copy.copy(self)
        for name, value in vars(self).items():
            setattr(part, name, value[songs])
        return part

    def logits(self, decoder: MusicgenForCausalLM) -> Tensor:
        """(songs, 2 rows, steps, K, V)."""
        rows = []
        for states in (self.states, torch.zeros_like(self.states)):
            made = decoder(
                input_ids=self.columns.flatten(0, 1),
                encoder_hidden_states=states,
                encoder_attention_mask=self.heard,
                use_cache=False,
            ).logits
            rows.append(made.unflatten(0, self.columns.shape[:2]).transpose(1, 2))
        return torch.stack(rows, 1)


def figures(expected: Tensor, found: Tensor, told: Tensor, guidance: float) -> dict[str, float]:
    """See this module."""
    same = (expected.argmax(-1) == found.argmax(-1)).transpose(0, 1)
    guided = [
        torch.from_numpy(guide(logits.transpose(0, 1).numpy(), guidance)).argmax(-1) for logits in (expected, found)
    ]
    sure, likely = expected[:, 0].log_softmax(-1), found[:, 0].log_softmax(-1)
    return {
        "same_likeliest": round(float(same[:, told].float().mean()), 4),
        "same_likeliest_guided": round(float((guided[0] == guided[1])[told].float().mean()), 4),
        "kl_nats": round(float((sure.exp() * (sure - likely)).sum(-1)[told].mean()), 4),
    }


def rounded_layers(decoder: MusicgenForCausalLM) -> dict[str, nn.Linear]:
    """The matrices that a step reads, by name."""
    modules = dict(decoder.named_modules())
    return {name: module for name, module in modules.items() if name.endswith(ROUNDED)}


def moments_of(decoder: MusicgenForCausalLM, play: Play) -> dict[str, Tensor]:
    """Second moments of the inputs of each matrix, over both rows."""
    found: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[Any, Any, Any], None]:
        def hear(module: object, inputs: tuple[Tensor, ...], output: object) -> None:
            x = inputs[0].flatten(0, -2)
            found[name] = found.get(name, 0) + x.T @ x

        return hear

    hooks = [layer.register_forward_hook(hook(name)) for name, layer in rounded_layers(decoder).items()]
    with torch.inference_mode():
        play.logits(decoder)
    for own in hooks:
        own.remove()
    return {name: own.clone() for name, own in found.items()}


def round_all(decoder: MusicgenForCausalLM, way: Way, moments: dict[str, Tensor], bits: int) -> MusicgenForCausalLM:
    """A copy with rounded matrices."""
    made = copy.deepcopy(decoder)
    with torch.no_grad():
        for name, layer in rounded_layers(made).items():
            layer.weight.copy_(way(layer.weight, moments[name], bits))
    return made


class Grid(nn.Module):
    """A matrix on its grids: the gradient goes past the rounding, to the weights and to the logarithms of the steps."""

    step: Tensor

    def __init__(self, step: Tensor, bits: int) -> None:
        super().__init__()
        self.top = 2 ** (bits - 1) - 1
        self.register_buffer("step", step)
        self.growth = nn.Parameter(torch.zeros_like(step))

    def forward(self, weights: Tensor) -> Tensor:
        step = self.step * self.growth.exp()
        aim = (weights.reshape(len(weights), -1, GROUP) / step).clamp(-self.top - 1, self.top)
        made: Tensor = (aim + (aim.round() - aim).detach()) * step
        return made.flatten(1)


def learner(decoder: MusicgenForCausalLM, moments: dict[str, Tensor], bits: int) -> MusicgenForCausalLM:
    """A copy whose matrices lie on gptq's grids and can learn."""
    made = copy.deepcopy(decoder)
    for name, layer in rounded_layers(made).items():
        with torch.no_grad():
            aims, step = compensated(layer.weight, moments[name], bits)
            layer.weight.copy_(aims)
        nn.utils.parametrize.register_parametrization(layer, "weight", Grid(step, bits), unsafe=True)
    return made


def optimiser_of(model: nn.Module) -> torch.optim.Optimizer:
    """Adam; a grid's step may change by a thousandth at a time, a weight by a hundredth of a grid's step or so."""
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    grown = [parameter for name, parameter in named if name.endswith("growth")]
    others = [parameter for name, parameter in named if not name.endswith("growth")]
    return torch.optim.Adam([{"params": others, "top": WEIGHT_RATE}, {"params": grown, "top": STEP_RATE}])


def lessons(decoder: MusicgenForCausalLM, play: Play) -> list[tuple[Play, Tensor]]:
    """Some songs at a time with the logits that are to be learnt, in float16: they are many."""
    parts = [play.part(slice(first, first + BATCH)) for first in range(0, len(play.columns), BATCH)]
    with torch.inference_mode():
        wanted = [part.logits(decoder).log_softmax(-1).half() for part in parts]
    return [(part, logits.clone()) for part, logits in zip(parts, wanted, strict=True)]


def distil(made: MusicgenForCausalLM, course: list[tuple[Play, Tensor]], minutes: float) -> Iterator[tuple[float, int]]:
    """Has `made` learn a course for so many minutes of processor time. After each lesson: minutes passed, lessons.

    What the caller does in between is not counted."""
    optimiser = optimiser_of(made)
    chance = torch.Generator().manual_seed(0)
    spent, done, order = 0.0, 0, torch.empty(0)
    while spent < minutes:
        begun = time.process_time()
        if done % len(course) == 0:
            order = torch.randperm(len(course), generator=chance)
        play, wanted = course[int(order[done % len(course)])]
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * max(min((done + 1) / WARMING, 1 - spent / minutes), 0.01)
        loss = F.kl_div(play.logits(made).log_softmax(-1), wanted.float(), log_target=True, reduction="sum")
        (loss / wanted[..., 0].numel()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
        done += 1
        spent += (time.process_time() - begun) / 60
        yield spent, done


class Judge:
    """Songs and the logits that the whole model has for them."""

    def __init__(self, decoder: MusicgenForCausalLM, play: Play, guidance: float) -> None:
        self.play, self.guidance = play, guidance
        with torch.inference_mode():
            self.expected = play.logits(decoder)

    def say(self, made: MusicgenForCausalLM, facts: dict[str, Any]) -> None:
        """Prints what is known of a rounded model, and how far it is from the whole one."""
        with torch.inference_mode():
            found = self.play.logits(made)
        print(json.dumps(facts | figures(self.expected, found, self.play.told, self.guidance)), flush=True)


def distil_aloud(
    decoder: MusicgenForCausalLM,
    moments: dict[str, Tensor],
    bits: int,
    play: Play,
    judge: Judge,
    options: argparse.Namespace,
) -> None:
    """Distils, and says how far it is every `options.report` minutes."""
    facts: dict[str, Any] = {"bits": bits, "way": "distilled", "lessons_of": len(play.columns)}
    made = learner(decoder, moments, bits)
    judge.say(made, facts | {"minutes": 0.0, "lessons": 0})
    told = 0.0
    for spent, done in distil(made, lessons(decoder, play), options.minutes):
        if spent >= min(told + options.report, options.minutes):
            told = spent
            judge.say(made, facts | {"minutes": round(spent, 1), "lessons": done})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 6])
    parser.add_argument("--ways", nargs="+", choices=[*WAYS, "distilled"], default=list(WAYS))
    parser.add_argument("--songs", type=int, default=24)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--report", type=float, default=2, help="minutes of processor time between figures")
    parser.add_argument("--lessons", type=int, default=96, help="songs that distilling learns from")
    options = parser.parse_args()
    from transformers import MusicgenForConditionalGeneration

    from musicgen.load.hub import find_folder

    model = MusicGen.load(options.model, backend="torch")
    learning = options.lessons if "distilled" in options.ways else 0
    songs = Play(model, options.songs + CALIBRATING + learning, options.frames)
    whole: Any = MusicgenForConditionalGeneration.from_pretrained(find_folder(options.model), dtype=torch.float32)
    decoder = whole.decoder.eval()
    taught = options.songs + CALIBRATING
    judge = Judge(decoder, songs.part(slice(options.songs)), model.defaults.guidance)
    moments = moments_of(decoder, songs.part(slice(options.songs, taught)))
    for bits in options.bits:
        for name in options.ways:
            if name in WAYS:
                judge.say(round_all(decoder, WAYS[name], moments, bits), {"bits": bits, "way": name})
            else:
                distil_aloud(decoder, moments, bits, songs.part(slice(taught, None)), judge, options)


if __name__ == "__main__":
    main()
