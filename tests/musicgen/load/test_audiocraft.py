"""AudioCraft's own checkpoints play as their transformers twins do."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from transformers import AutoTokenizer, MusicgenForConditionalGeneration

from musicgen import ModelError, MusicGen, StreamingPolicy
from musicgen.decoder import sinusoids
from musicgen.load.with_transformers import convert, read_files
from tests.musicgen.audiocraft_files import audiocraft_folder, audiocraft_twin
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

KINDS: dict[str, dict[str, Any]] = {
    "mono": {},
    "stereo": {"channels": 2, "hidden": 48, "heads": 3, "layers": 3},
    "melody": {"melody": True},
    "stereo melody": {"melody": True, "channels": 2, "layers": 3},
    "causal codec": {"causal_codec": True, "lstm_layers": 1, "codebooks": 3, "vocab": 32},
}


@pytest.fixture(scope="module", params=KINDS)
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same weights: transformers' folder, AudioCraft's folder."""
    base = tmp_path_factory.mktemp("twins")
    twin = tiny_checkpoint(base / "transformers", seed=5, **KINDS[request.param])
    return twin, audiocraft_twin(twin, base / "audiocraft")


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """AudioCraft's files, to break."""
    return audiocraft_twin(tiny_model_dir, tmp_path / "audiocraft")


def load(folder: Path) -> MusicGen:
    """With the backend that is exact."""
    return MusicGen.load(str(folder), backend="torch")


def repack(path: Path, change: Any) -> None:
    package = torch.load(path, weights_only=True)
    change(package)
    torch.save(package, path)


def set_config(folder: Path, path: str, value: Any, file: str = "state_dict.bin") -> None:
    def change(package: dict[str, Any]) -> None:
        config = yaml.safe_load(package["xp.cfg"])
        *parents, name = path.split(".")
        inner = config
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = value
        package["xp.cfg"] = yaml.safe_dump(config)

    repack(folder / file, change)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(folder)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def our_logits(model: MusicGen, prompt: str, columns: np.ndarray[Any, Any]) -> Tensor:
    prompts = (model.encode_prompt(prompt).kv, None)
    state = model.backend.new_state(StreamingPolicy(20, 500))
    if model.follows_melody:
        model.backend.prefill(state, model.stream(prompt).conditions.prefix(0), prompts)
    rows = []
    for column in columns:
        rows.append(model.backend.step([state], [column[None]], [prompts])[0])
        state.count()
    return torch.from_numpy(np.stack(rows))


# -------------------------------------------------------------------------------------------------------- the weights


def test_logits_are_those_of_the_transformers_twin(twins: tuple[Path, Path]) -> None:
    twin, folder = twins
    model = load(folder)
    columns = np.random.default_rng(0).integers(0, model.pattern.pad + 1, (40, model.codebooks))
    expected = Oracle(twin).logits("fast techno drums", columns)
    assert (our_logits(model, "fast techno drums", columns) - expected).abs().max() <= 5e-5


def test_it_plays_the_transformers_twins_music(twins: tuple[Path, Path]) -> None:
    played = [np.concatenate(list(load(folder).stream("deep house", seed=3).audio(1.0))) for folder in twins]
    assert np.abs(played[0]).max() > 0.01
    np.testing.assert_allclose(played[1], played[0], atol=1e-6)


class AudioCraftAttention(nn.Module):
    """``StreamingMultiheadAttention`` of AudioCraft, without its streaming."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * size, size) * size**-0.5)
        self.out_proj = nn.Linear(size, size, bias=False)

    def forward(self, query: Tensor, source: Tensor, causal: bool) -> Tensor:
        wq, wk, wv = self.in_proj_weight.chunk(3)
        q, k, v = (
            (x @ w.T).view(1, len(x[0]), self.heads, -1).transpose(1, 2)
            for x, w in ((query, wq), (source, wk), (source, wv))
        )
        out = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return cast(Tensor, self.out_proj(out.transpose(1, 2).flatten(2)))


class AudioCraftLayer(nn.Module):
    """``StreamingTransformerLayer`` with cross-attention, norm first."""

    def __init__(self, size: int, heads: int, ffn: int) -> None:
        super().__init__()
        self.self_attn, self.cross_attention = AudioCraftAttention(size, heads), AudioCraftAttention(size, heads)
        self.norm1, self.norm_cross, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size), nn.LayerNorm(size)
        self.linear1, self.linear2 = nn.Linear(size, ffn, bias=False), nn.Linear(ffn, size, bias=False)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.self_attn(normed, normed, causal=True)
        x = x + self.cross_attention(self.norm_cross(x), text, causal=False)
        fed: Tensor = self.linear2(nn.functional.gelu(self.linear1(self.norm2(x))))
        return x + fed


class AudioCraftModel(nn.Module):
    """``LMModel`` of AudioCraft with its names: its ``state_dict`` is a ``best_state``."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        decoder, size = config.decoder, config.decoder.hidden_size
        self.emb = nn.ModuleList(nn.Embedding(decoder.vocab_size + 1, size) for _ in range(decoder.num_codebooks))
        self.linears = nn.ModuleList(
            nn.Linear(size, decoder.vocab_size, bias=False) for _ in range(decoder.num_codebooks)
        )
        layers = (AudioCraftLayer(size, decoder.num_attention_heads, decoder.ffn_dim) for _ in range(3))
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList(layers)})
        self.out_norm = nn.LayerNorm(size)
        description = nn.ModuleDict({"output_proj": nn.Linear(config.text_encoder.d_model, size)})
        self.condition_provider = nn.ModuleDict({"conditioners": nn.ModuleDict({"description": description})})

    @torch.no_grad()
    def forward(self, columns: Tensor, text: Tensor) -> Tensor:
        """Logits (steps, K, V) of columns (steps, K) and the text encoder's states (S, text size)."""
        conditioners = cast(Any, self.condition_provider)["conditioners"]
        states = conditioners["description"]["output_proj"](text)[None]
        x = torch.stack([table(columns[:, k]) for k, table in enumerate(self.emb)]).sum(0)[None]
        x = x + torch.as_tensor(sinusoids(len(columns), x.shape[2]))
        for layer in cast(Any, self.transformer)["layers"]:
            x = layer(x, states)
        return torch.stack([head(self.out_norm(x[0])) for head in self.linears], 1)


def test_logits_are_those_of_audiocrafts_own_arithmetic(folder: Path) -> None:
    """Its layers written out, not renamed from transformers': queries, keys and norms are not mixed up."""
    torch.manual_seed(1)
    files = read_files(folder)
    reference = AudioCraftModel(files.model.config).eval()
    repack(folder / "state_dict.bin", lambda package: package.update(best_state=reference.state_dict()))
    set_config(folder, "transformer_lm.num_layers", 3)
    model = load(folder)
    columns = np.random.default_rng(0).integers(0, model.pattern.pad + 1, (30, model.codebooks))
    with torch.no_grad():
        text = files.model.text_encoder(**files.tokenizer("calm piano with rain", return_tensors="pt"))[0][0]
    expected = reference(torch.from_numpy(columns), text)
    assert expected.std() > 0.1
    assert (our_logits(model, "calm piano with rain", columns)[:, 0] - expected).abs().max() <= 5e-5


def test_half_precision_weights_are_read(folder: Path) -> None:
    def halve(package: dict[str, Any]) -> None:
        package["best_state"] = {name: tensor.half() for name, tensor in package["best_state"].items()}

    repack(folder / "state_dict.bin", halve)
    model = load(folder)
    assert model.stream("deep house").next_frame().shape == (4,)


# ---------------------------------------------------------------------------------------------------- how it is saved


def test_saved_it_plays_the_same_and_transformers_reads_it(twins: tuple[Path, Path], tmp_path: Path) -> None:
    twin, folder = twins
    convert(str(folder), tmp_path / "saved")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (tmp_path / "saved").iterdir()
    }
    assert not list((tmp_path / "saved").glob("*.bin"))
    theirs, own = Oracle(twin), Oracle(tmp_path / "saved")
    for name, tensor in theirs.model.state_dict().items():
        assert torch.equal(own.model.state_dict()[name], tensor), name
    first, second = (load(path).stream("deep house", seed=2) for path in (folder, tmp_path / "saved"))
    for _ in range(20):
        np.testing.assert_array_equal(first.next_frame(), second.next_frame())


def test_loading_says_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    load(folder)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_saved_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ModelError, match="exists already"):
        convert(str(folder), tmp_path / "there")


# ------------------------------------------------------------------------------------- what the files leave unsaid


def test_a_codec_that_is_only_named(tiny_model_dir: Path, tmp_path: Path) -> None:
    named = audiocraft_twin(tiny_model_dir, tmp_path / "named", codec="named")
    unsaid = Path(shutil.copytree(named, tmp_path / "unsaid"))
    (unsaid / "compression_state_dict.bin").unlink()  # then the language model's configuration names it
    own = audiocraft_twin(tiny_model_dir, tmp_path / "own")
    played = [
        np.concatenate(list(load(folder).stream("deep house", seed=1).audio(0.5))) for folder in (named, unsaid, own)
    ]
    np.testing.assert_allclose(played[0], played[2], atol=1e-6)
    np.testing.assert_array_equal(played[0], played[1])
    shutil.rmtree(named / "encodec_32khz")
    assert "codec, facebook/encodec_32khz" in refusal(named)


def test_a_codec_with_more_codebooks_than_the_model_uses(tmp_path: Path) -> None:
    rich = tiny_checkpoint(tmp_path / "rich", codebooks=4)
    model = cast(Any, MusicgenForConditionalGeneration).from_pretrained(tiny_checkpoint(tmp_path / "poor", codebooks=2))
    model.audio_encoder = cast(Any, MusicgenForConditionalGeneration).from_pretrained(rich).audio_encoder
    model.config.audio_encoder = model.audio_encoder.config
    folder = audiocraft_folder(model, AutoTokenizer.from_pretrained(rich), tmp_path / "audiocraft")
    loaded = load(folder)
    assert (loaded.codebooks, loaded.codec.codebooks) == (2, 2)
    set_config(folder, "transformer_lm.n_q", 5)
    assert "codebooks" in refusal(folder)


def test_a_text_encoder_that_is_not_here(folder: Path) -> None:
    shutil.rmtree(folder / "t5-base")
    sentence = refusal(folder)
    assert "text encoder, t5-base" in sentence
    assert str(folder / "t5-base") in sentence


def test_a_text_encoder_that_was_trained_along(folder: Path) -> None:
    """Then its weights are in the language model's file, and count."""
    before = load(folder).prompts.states("deep house")

    def trained(package: dict[str, Any]) -> None:
        encoder = read_files(folder).model.text_encoder.state_dict()
        prefix = "condition_provider.conditioners.description.t5"
        package["best_state"] |= {f"{prefix}.{name}": 2 * tensor for name, tensor in encoder.items()}

    repack(folder / "state_dict.bin", trained)
    assert not np.allclose(load(folder).prompts.states("deep house"), before)


def test_what_was_trained_on_from_metas_weights_keeps_their_licence(folder: Path) -> None:
    assert load(folder).licence == "unknown"
    set_config(folder, "continue_from", "//pretrained/facebook/musicgen-small")
    assert load(folder).licence == "CC-BY-NC-4.0"


PATTERNS: dict[str, tuple[dict[str, Any], list[tuple[int, int]]]] = {
    # settings under codebooks_pattern, and for each codebook its delay and turn
    "delay": ({"modeling": "delay", "delay": {"delays": [0, 1, 2, 3]}}, [(0, 0), (1, 0), (2, 0), (3, 0)]),
    "other delays": ({"modeling": "delay", "delay": {"delays": [0, 0, 2, 5]}}, [(0, 0), (0, 0), (2, 0), (5, 0)]),
    "parallel": ({"modeling": "parallel"}, [(0, 0)] * 4),
    "flattening": ({"modeling": "unroll"}, [(0, 0), (0, 1), (0, 2), (0, 3)]),
    "partly flattened": ({"modeling": "unroll", "unroll": {"flattening": [0, 1, 1, 1], "delays": [0] * 4}},
                         [(0, 0), (0, 1), (0, 1), (0, 1)]),
}  # fmt: skip


def generate(model: AudioCraftModel, text: Tensor, pattern: list[tuple[int, int]], pad: int, count: int) -> Tensor:
    """The likeliest tokens (K, count), from the whole sequence anew at every step, as a pattern lays them out."""
    turns = 1 + max(turn for _, turn in pattern)
    columns = torch.full((1, len(pattern)), pad)
    frames = torch.full((len(pattern), count), -1)
    while (frames < 0).any():
        step = len(columns) - 1
        likeliest = model(columns, text)[-1].argmax(-1)
        column = torch.full((len(pattern),), pad)
        for k, (delay, turn) in enumerate(pattern):
            frame = step // turns - delay
            if step % turns == turn and frame >= 0:
                column[k] = likeliest[k]
                if frame < count:
                    frames[k, frame] = likeliest[k]
        columns = torch.cat([columns, column[None]])
    return frames


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_that_can_be_streamed_is(folder: Path, name: str) -> None:
    torch.manual_seed(2)
    settings, pattern = PATTERNS[name]
    files = read_files(folder)
    reference = AudioCraftModel(files.model.config).eval()
    repack(folder / "state_dict.bin", lambda package: package.update(best_state=reference.state_dict()))
    set_config(folder, "transformer_lm.num_layers", 3)
    set_config(folder, "codebooks_pattern", settings)
    model = load(folder)
    with torch.no_grad():
        text = files.model.text_encoder(**files.tokenizer("jazz chords", return_tensors="pt"))[0][0]
    expected = generate(reference, text, pattern, model.pattern.pad, 12).numpy()
    assert len(np.unique(expected)) > 8
    stream = model.stream("jazz chords", top_k=1, guidance=1.0)
    np.testing.assert_array_equal(np.stack([stream.next_frame() for _ in range(12)], 1), expected)


def test_a_flattened_stream_goes_on_for_ever(folder: Path) -> None:
    """Its lanes change at the first turn of a frame: positions are whole frames, and what it plays needs no more."""
    set_config(folder, "codebooks_pattern.modeling", "unroll")
    model = load(folder)
    assert model.policy == StreamingPolicy(keep=2400, max_position=4800)
    stream = model.stream("deep house", seed=1, policy=StreamingPolicy(keep=8, max_position=32))
    positions = []
    for _ in range(40):
        stream.next_frame()
        positions.append(stream.position)
    assert set(positions) == {4, 8, 12, 16, 20, 24, 28}
    with pytest.raises(ValueError, match="whole frames"):
        model.stream(policy=StreamingPolicy(keep=6, max_position=32))


# ----------------------------------------------------------------------------------------------------- what is refused


class Malicious:
    """Unpickling it makes a file: any other command would run as well."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["state_dict.bin", "compression_state_dict.bin"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_file_is_refused_and_runs_nothing(folder: Path, tmp_path: Path, name: str, zipped: bool) -> None:
    package = {"best_state": {}, "xp.cfg": "", "more": Malicious(tmp_path / "ran")}
    torch.save(package, folder / name, _use_new_zipfile_serialization=zipped)
    assert "could run code" in refusal(folder)
    assert not (tmp_path / "ran").exists()
    (folder / name).write_bytes(pickle.dumps(package, protocol=2))
    refusal(folder)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(package, protocol=2))  # it would have
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"not a checkpoint", bytes(range(256)) * 10])
def test_a_damaged_file(folder: Path, content: bytes) -> None:
    (folder / "state_dict.bin").write_bytes(content)
    assert "state_dict.bin" in refusal(folder)


def test_a_file_that_is_cut_short(folder: Path) -> None:
    path = folder / "state_dict.bin"
    path.write_bytes(path.read_bytes()[:-1000])
    assert "state_dict.bin" in refusal(folder)


def test_a_training_checkpoint_that_was_not_exported(folder: Path) -> None:
    repack(folder / "state_dict.bin", lambda package: package.pop("best_state"))
    assert "export" in refusal(folder)
    torch.save([1, 2], folder / "state_dict.bin")
    assert "export" in refusal(folder)


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: !!python/object/apply:os.system ['true']", "a: [", None])
def test_a_configuration_that_is_none(folder: Path, text: str | None) -> None:
    repack(folder / "state_dict.bin", lambda package: package.update({"xp.cfg": text}))
    assert "onfiguration" in refusal(folder)


def test_a_configuration_that_lacks_something(folder: Path) -> None:
    set_config(folder, "transformer_lm.dim", None)
    assert "transformer_lm.dim" in refusal(folder)
    set_config(folder, "transformer_lm.dim", "wide")
    assert "transformer_lm.dim" in refusal(folder)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("lm_model", "transformer_lm_magnet", "lm_model"),
        ("transformer_lm.norm_first", False, "norm_first"),
        ("transformer_lm.positional_embedding", "rope", "positional_embedding"),
        ("codebooks_pattern.modeling", "coarse_first", "coarse-first"),
        ("codebooks_pattern.modeling", "musiclm", "musiclm"),
        ("codebooks_pattern.delay.delays", [0, 1], "delays"),
        ("conditioners.description.model", "clap", "clap"),
        ("conditioners.style", {"model": "style"}, "style"),
        ("fuser.cross", [], "fuser.cross"),
        ("interleave_stereo_codebooks.per_timestep", True, "per_timestep"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_reason(folder: Path, path: str, value: Any, reason: str) -> None:
    set_config(folder, path, value)
    assert reason in refusal(folder)


def test_parts_that_musicgen_has_not_are_not_left_out(folder: Path) -> None:
    def add_bias(package: dict[str, Any]) -> None:
        package["best_state"]["transformer.layers.0.linear1.bias"] = torch.zeros(256)

    repack(folder / "state_dict.bin", add_bias)
    assert "fc1.bias" in refusal(folder)


def test_weights_that_are_incomplete(folder: Path) -> None:
    repack(folder / "state_dict.bin", lambda package: package["best_state"].pop("out_norm.weight"))
    assert "incomplete" in refusal(folder)


def test_transformers_files_come_first(tiny_model_dir: Path, tmp_path: Path) -> None:
    """facebook/musicgen-small has both."""
    folder = Path(shutil.copytree(tiny_model_dir, tmp_path / "both"))
    (folder / "state_dict.bin").write_bytes(b"")
    assert load(folder).codebooks == 4
