"""What the API takes and gives, made from the table of parameters: validated, and described by OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, create_model

from osc.packet import TEXT_BYTES
from osc.parameter import TEXTS, Parameter
from streamer.serve.way import OWN
from streamer.surfaces.commands import LONGEST

LONGEST_TEXT = TEXT_BYTES // 4
"""Characters: whatever they are, they fit."""


def _kind(own: Parameter) -> Any:
    if own.choices:
        return Literal[own.choices]
    if own.kind in TEXTS:
        return Annotated[str, Field(max_length=LONGEST_TEXT)]
    if own.kind == "bool":
        return StrictBool
    if own.kind == "int":
        return Annotated[int, Field(strict=True, ge=int(own.low), le=int(own.high))]
    return Annotated[float, Field(ge=own.low, le=own.high, allow_inf_nan=False)]


def _described(own: Parameter) -> Any:
    unit = f" [{own.unit}]" if own.unit else ""
    return (_kind(own) | None, Field(default=None, description=own.doc + unit))


Values: type[BaseModel] = create_model(
    "Values", __config__=ConfigDict(extra="forbid"), **{own.name: _described(own) for own in OWN}
)
"""Parameters by name; those that are left out stay as they are."""


class Wish(BaseModel):
    """A session to be opened."""

    model_config = ConfigDict(extra="forbid")
    values: Values = Field(default_factory=Values, description="What it begins with.")  # type: ignore[valid-type]


class Asked(BaseModel):
    """A change: all of it takes effect at one moment."""

    model_config = ConfigDict(extra="forbid")
    values: Values  # type: ignore[valid-type]
    over: float = Field(
        default=0.0,
        ge=0.0,
        le=LONGEST,
        allow_inf_nan=False,
        description="Seconds in which numbers glide and prompts fade.",
    )


class Told(BaseModel):
    """A session."""

    id: str = Field(description="Whoever knows it may listen.")
    state: Literal["plays", "waits", "sleeps"]
    place: int | None = Field(description="0 while it plays, from 1 on in the queue, null while it sleeps.")
    sentence: str = Field(description="How it stands.")
    values: dict[str, float | int | bool | str]
    figures: dict[str, float]
    page: str = Field(description="The path of its page.")
    sound: str = Field(description="The path of a WebSocket of 16-bit PCM.")
    hls: str = Field(description="The path of an HLS list.")


class Opened(Told):
    """A session that was opened."""

    secret: str = Field(description="Whoever knows it may steer and close the session.")


class Offer(BaseModel):
    """A WebRTC session description."""

    model_config = ConfigDict(extra="forbid")
    sdp: str = Field(max_length=20_000)
    type: Literal["offer", "answer"]


class Output(BaseModel):
    """Where else a session is heard."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["icecast"]
    title: str = Field(default="", max_length=200)


class Mounted(BaseModel):
    """An output that is there."""

    address: str


class Whereabouts(BaseModel):
    """Where a session is."""

    address: str = Field(description="Of its server, with the last slash.")


class Problem(BaseModel):
    """What is wrong."""

    detail: str
