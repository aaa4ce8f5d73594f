"""`streamer serve` on many machines: Ray places its servers, scales and restarts them; no sound passes through Ray.

Each replica has a stage and serves its own pages on a port of its own. The front door only says where a session is. A
ledger, on the head node, knows who holds which session and where its music stood half a second ago: when a server dies,
the next one that is asked for its sessions goes on with them.

    serve run streamer.cluster:build streams=8
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import ray
from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from streamer.bench.streams import loads, places
from streamer.engine.loading import load
from streamer.errors import UserError
from streamer.serve.keys import Keys, for_anybody, read_keys
from streamer.serve.ledger import Ledger
from streamer.serve.member import Ask, Member
from streamer.serve.neighbours import answers
from streamer.serve.run import Place
from streamer.surfaces.page.web import LOCAL

LEDGER, SPACE = "streamer-ledger", "streamer"
STREAMS = "streams"
FULL = 0.8
"""Of its places that a server has taken when another one is begun."""
HEAD = {"node:__internal_head__": 0.001}
"""What has its actor on the head node: the front door and the ledger outlive every other node."""


class Settings(BaseModel):
    """What `serve run streamer.cluster:build` takes."""

    model_config = ConfigDict(extra="forbid")
    model: str = "nano"
    streams: int = Field(default=0, ge=0, le=64, description="Of each server at a time; 0: each measures its machine.")
    keys: str = Field(default="", description="A file of keys, on every machine; needed beyond loopback.")
    least: int = Field(default=1, ge=1)
    most: int = Field(default=4, ge=1)
    cpus: float = Field(default=1.0, gt=0, description="Of each server.")
    idle: float = Field(default=60.0, ge=1.0, description="Seconds that a server is kept that nobody needs any more.")
    front: str = Field(default="", pattern=r"^(https?://[^/]+/)?$", description="The front door, as browsers reach it.")


@ray.remote(num_cpus=0)
class LedgerActor:
    """The ledger, as an actor."""

    def __init__(self) -> None:
        self._ledger = Ledger()

    def call(self, what: str, *arguments: Any) -> Any:
        """One of the ledger's methods."""
        return getattr(self._ledger, what)(*arguments)


def ledger() -> Any:
    """The one of this cluster."""
    return ray.get_actor(LEDGER, SPACE)


def asking(ledger: Any) -> Ask:
    """How a server asks it."""

    def ask(what: str, *arguments: Any) -> Future[Any]:
        answer: Future[Any] = ledger.call.remote(what, *arguments).future()
        return answer

    return ask


class Streams:
    """A replica: a server of its own."""

    def __init__(self, given: dict[str, Any]) -> None:
        settings = Settings(**given)
        host = ray.util.get_node_ip_address()
        model = load(settings.model, threads=1)
        many = settings.streams or places(list(loads(model)))
        keys = _keys(settings.keys, host)
        self._member = Member(model, many, keys, Place(host=host), asking(ledger()), settings.front)
        self._member.start()

    # ---- for Ray

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What `policy` looks at."""
        places = self._member.stage.places
        return {"wanted": float(len(places.playing) + len(places.waiting)), "places": float(places.most)}

    def check_health(self) -> None:
        """Whether it serves: else Ray begins another."""
        if not self._member.serves:
            raise RuntimeError("the server has ended")

    def __del__(self) -> None:
        """It is to end, as in a rolling restart, or where it is needed no more."""
        if hasattr(self, "_member"):
            self._member.end()


class Front:
    """Says where sessions are: a browser goes there, a client asks `/where/ID`."""

    def __init__(self, streams: Any) -> None:
        self._streams = streams
        self._ledger = ledger()

    async def __call__(self, request: Request) -> Response:
        """`/` and `/s/ID/` lead to a server; `/where/ID` and `/where` name one."""
        parts = request.url.path.strip("/").split("/")
        id = parts[1] if len(parts) > 1 else ""
        if parts[0] not in ("", "s", "where"):
            return JSONResponse({"detail": "There is no such page."}, 404)
        address = await self._where(id)
        if address is not None and not await asyncio.to_thread(answers, address):
            await self._ledger.call.remote("gone", address)
            address = await self._where(id)
        if address is None:
            return JSONResponse({"detail": "There is no such session, or no server yet: try again."}, 404)
        if parts[0] == "where":
            return JSONResponse({"address": address}, headers={"access-control-allow-origin": "*"})
        return RedirectResponse(address + (f"s/{id}/" if id else ""), 307)

    async def _where(self, id: str) -> str | None:
        address: str | None = await (
            self._ledger.call.remote("where", id) if id else self._ledger.call.remote("freest")
        )
        return address


def policy(context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
    """As many servers as the streams that are wanted take, and room for the next."""
    metrics = context.aggregated_metrics or {}
    wanted = sum((metrics.get("wanted") or {}).values())
    offered = list((metrics.get("places") or {}).values())
    each = max(1.0, sum(offered) / len(offered)) if offered else 1.0
    asked = math.ceil((wanted + 1.0) / (FULL * each)) if offered else context.current_num_replicas
    least, most = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
    return max(least, min(most, asked)), {}


def build(settings: Settings) -> serve.Application:
    """The application for `serve run` and `serve.run`."""
    actor: Any = LedgerActor
    actor.options(name=LEDGER, namespace=SPACE, lifetime="detached", get_if_exists=True, resources=HEAD).remote()
    scaling = AutoscalingConfig(
        min_replicas=settings.least,
        max_replicas=settings.most,
        upscale_delay_s=2.0,
        downscale_delay_s=settings.idle,
        metrics_interval_s=1.0,
        look_back_period_s=2.0,
        policy=AutoscalingPolicy(policy_function=policy),
    )
    replica: Any = serve.deployment(
        Streams,
        name=STREAMS,
        autoscaling_config=scaling,
        ray_actor_options={"num_cpus": settings.cpus},
        health_check_period_s=2.0,
        graceful_shutdown_timeout_s=30.0,
    )
    # Two of them: while the one is replaced the other tells where sessions are.
    front: Any = serve.deployment(
        Front, name="front", num_replicas=2, ray_actor_options={"num_cpus": 0, "resources": HEAD}
    )
    application: serve.Application = front.bind(replica.bind(settings.model_dump()))
    return application


def _keys(file: str, host: str) -> Keys:
    if file:
        return Keys(read_keys(Path(file)))
    if host not in LOCAL:
        raise UserError(f"servers on {host} are in reach of others: name a file of keys, keys=keys.yaml")
    return for_anybody()
