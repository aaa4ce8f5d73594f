"""A step beside one of transformers' ``generate``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from musicgen import ModelError, MusicGen, Stream, StreamingPolicy
from musicgen.backends import obstacle
from musicgen.backends.threads import cores
from streamer.bench.figures import PROMPT, begin
from streamer.bench.models import PROMPT_TOKENS, card, checkpoint, opened, shortage, transformers_model

STEPS = 8
FEWEST_STEPS = 3
PROBE_PLACE = 10
PEER_PLACE = 250  # frames of past beside transformers, five seconds: its prefill takes longer than all of its steps
PEERS = (torch.float32, torch.bfloat16)  # what transformers may compute in
TRANSFORMERS = "transformers"


@dataclass(frozen=True)
class Ratio:
    """A step beside one of transformers' ``generate``, in the same process, in turns.

    Attributes
    ----------
    model, backend, threads
        What was measured.
    dtype
        Of transformers' weights.
    step_ms, transformers_ms
        The least of some steps.
    ratio
        How many times faster the backend is.
    steps
        That were measured of each.
    """

    model: str
    backend: str
    threads: int
    dtype: str
    step_ms: float
    transformers_ms: float
    ratio: float
    steps: int

    @property
    def few(self) -> bool:
        """Whether there was no time for more steps."""
        return self.steps < STEPS


def against(
    name: str, backends: Sequence[str], threads: int | None = None, seconds: float = 4.0
) -> Iterator[Ratio | str]:
    """Measure a model's step beside transformers', see :func:`beside_transformers`; arguments as in :func:`measure`.

    Raises
    ------
    UserError
        The model cannot be loaded, or transformers cannot generate with it as it is done here.
    """
    released = card(name)
    if released is not None:
        refusal = shortage(released, "torch", copies=2) if not released.melody else "it follows melodies."
        if refusal:
            yield f"{name} was not measured beside transformers: {refusal}"
            return
    able = [backend for backend in backends if not obstacle(backend)]
    source = checkpoint(name, apart="torch" in able)
    place = min(PEER_PLACE, source.policy.life // 2)
    with ExitStack() as stack:
        models = {}
        for backend in able:
            try:
                models[backend] = stack.enter_context(opened(source, backend, threads))
            except ModelError as error:
                yield f"{name} on {backend} was left out: {error}"
        for dtype in PEERS:
            peer = transformers_model(name, dtype)
            runs = {backend: standing(model, place).next_frame for backend, model in models.items()}
            best, steps = beside_transformers(peer, place, runs, seconds)
            del peer
            for backend, model in models.items():
                yield Ratio(
                    model=model.name,
                    backend=backend,
                    threads=model.backend.threads,
                    dtype=str(dtype).removeprefix("torch."),
                    step_ms=round(1000 * best[backend], 2),
                    transformers_ms=round(1000 * best[TRANSFORMERS], 2),
                    ratio=round(best[TRANSFORMERS] / best[backend], 2),
                    steps=steps,
                )


def standing(model: MusicGen, place: int, prompt: str = PROMPT) -> Stream:
    """A stream with so much past and no shadow, for some hundred steps."""
    most = model.positions
    return begin(model, prompt, StreamingPolicy(1, min(most, place + 300)), [place])


def beside_transformers(
    peer: Any, place: int, runs: Mapping[str, Callable[[], object]], seconds: float = 4.0
) -> tuple[dict[str, float], int]:
    """The least seconds of a step of transformers' ``generate`` (``TRANSFORMERS``) and of everything in ``runs``.

    ``generate`` is at work with guidance and a past of ``place`` frames. It has one of torch's threads or one a core,
    since on some machines the latter is the slower: whichever is faster behind a short past.

    Parameters
    ----------
    seconds
        That all steps may take together, as long as there are ``FEWEST_STEPS``; the prefill comes on top.

    Returns
    -------
    dict, int
        And how many steps of each were measured.
    """
    before, probes = torch.get_num_threads(), {}
    for threads in {1, cores()}:
        torch.set_num_threads(threads)
        probes[threads] = _in_turns(peer, PROBE_PLACE, runs, FEWEST_STEPS)
    best = min(probes, key=lambda threads: probes[threads][TRANSFORMERS])
    steps = max(FEWEST_STEPS, min(STEPS, int(seconds / sum(probes[best].values()))))
    torch.set_num_threads(best)
    least = _in_turns(peer, place, runs, steps)
    torch.set_num_threads(before)
    return least, steps


def _in_turns(peer: Any, place: int, runs: Mapping[str, Callable[[], object]], steps: int) -> dict[str, float]:
    """The least of some steps. After each of ``generate`` every run gets its turn: all meet the same machine."""
    from transformers import GenerationConfig

    taken: dict[str, list[float]] = {name: [] for name in (TRANSFORMERS, *runs)}
    last = 0.0

    def turn(tokens: Tensor, scores: object, **_: object) -> Tensor:
        nonlocal last
        if last:  # the first call comes after the prefill
            taken[TRANSFORMERS].append(time.perf_counter() - last)
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                taken[name].append(time.perf_counter() - start)
        last = time.perf_counter()
        return torch.zeros(len(tokens), dtype=torch.bool)

    decoder = peer.config.decoder
    tokens = {"pad_token_id": decoder.pad_token_id, "bos_token_id": decoder.bos_token_id}
    settings = cast(Any, GenerationConfig)(
        do_sample=True,
        guidance_scale=3.0,
        top_k=250,
        max_new_tokens=steps + 2,
        decoder_start_token_id=decoder.pad_token_id,
        **tokens,
    )
    prompt = torch.arange(PROMPT_TOKENS)[None]
    peer.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        decoder_input_ids=torch.randint(0, decoder.vocab_size, (decoder.num_codebooks, place)),
        generation_config=settings,
        stopping_criteria=[turn],
    )
    return {name: min(times[1:]) for name, times in taken.items()}  # the first one warms up
