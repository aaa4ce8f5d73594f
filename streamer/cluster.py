"""`streamer serve` on many machines: Ray places its servers, scales and restarts them; no sound passes through Ray.

Each replica has a stage and serves its own pages on a port of its own. The front door only says where a session is. A
ledger, on the head node, knows who holds which session and where its music stood half a second ago: when a server dies,
the next one that is asked for its sessions goes on with them.

    serve run streamer.cluster:build streams=8
"""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
from collections.abc import Mapping
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
from streamer.serve.ledger import BEAT_SECONDS, Ledger
from streamer.serve.run import Place, Server
from streamer.serve.session import Record
from streamer.serve.stage import Stage
from streamer.surfaces.page.web import LOCAL
from streamer.threads import fleeting, lasting

LEDGER, SPACE = "streamer-ledger", "streamer"
STREAMS = "streams"
FULL = 0.8
"""Of its places that a server has taken when another one is begun."""
HEAD = {"node:__internal_head__": 0.001}
"""What has its actor on the head node: the front door and the ledger outlive every other node."""
_ASK_SECONDS = 3.0


class Settings(BaseModel):
    """What `serve run streamer.cluster:build` takes."""

    model_config = ConfigDict(extra="forbid")
    model: str = "nano"
    streams: int = Field(default=0, ge=0, le=64, description="Of each server at a time; 0: each measures its machine.")
    keys: str = Field(default="", description="A file of keys, on every machine; needed beyond loopback.")
    least: int = Field(default=1, ge=1)
    most: int = Field(default=4, ge=1)
    cpus: float = Field(default=1.0, gt=0, description="Of each server.")


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


class Streams:
    """A replica: a stage, and its own server."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._undo = contextlib.ExitStack()
        settings = Settings(**given)
        self._id = secrets.token_hex(8)
        self._ledger = ledger()
        host = ray.util.get_node_ip_address()
        model = load(settings.model, threads=1)
        many = settings.streams or places(list(loads(model)))
        self._stage = Stage(model, many, _keys(settings.keys, host), self._keep)
        self._server = Server(self._stage, Place(host=host), self._find)
        self._address = f"http://{host}:{self._server.port}/"
        self._kept: Any = None
        self._ended = threading.Event()
        self._thread = fleeting("server", self._server.serve)  # where it ends, Ray begins another: see check_health
        self._thread.start()
        self._undo.callback(self._end)
        lasting("beat", self._beat).start()

    def _beat(self) -> None:
        while not self._ended.is_set():
            taken = len(self._stage.places.playing) + len(self._stage.places.waiting)
            self._ledger.call.remote("beat", self._id, self._address, self._stage.places.most, taken)
            self._ended.wait(BEAT_SECONDS)

    def _keep(self, records: Mapping[str, Record]) -> None:
        """Tell the ledger, and drop what another server has: from the engine's thread, which waits for nobody."""
        dropped: set[str] = set()
        if self._kept is not None:
            done, _ = ray.wait([self._kept], timeout=0)
            if not done:
                return
            with contextlib.suppress(ray.exceptions.RayError):  # there is no ledger any more: the music goes on
                dropped = self._drop(ray.get(self._kept))
        # What was dropped is not told again: by now it may be this server's turn once more, and what is told once and
        # then no more counts as over.
        kept = {id: record for id, record in records.items() if id not in dropped}
        self._kept = self._ledger.call.remote("keep", self._id, kept)

    def _drop(self, ids: list[str]) -> set[str]:
        for id in ids:
            session = self._stage.get(id)
            if session is not None:
                self._stage.drop(session, "It goes on at another server.")
        return set(ids)

    def _find(self, id: str) -> Record | str | None:
        found: Record | str | None = ray.get(self._ledger.call.remote("take", self._id, id), timeout=_ASK_SECONDS)
        return found

    # ---- for Ray

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What `policy` looks at."""
        places = self._stage.places
        return {"wanted": float(len(places.playing) + len(places.waiting)), "places": float(places.most)}

    def check_health(self) -> None:
        """Whether it serves: else Ray begins another."""
        if not self._thread.is_alive():
            raise RuntimeError("the server has ended")

    def __del__(self) -> None:
        """It is to end, as in a rolling restart."""
        self._undo.close()

    def _end(self) -> None:
        """Its sessions are anybody's at once, from what was kept last."""
        self._ended.set()
        with contextlib.suppress(Exception):
            ray.get(self._ledger.call.remote("leave", self._id), timeout=_ASK_SECONDS)
        self._server.stop()
        self._thread.join(20.0)


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
        address = await (self._ledger.call.remote("where", id) if id else self._ledger.call.remote("freest"))
        if address is None:
            return JSONResponse({"detail": "There is no such session, or no server yet: try again."}, 404)
        if parts[0] == "where":
            return JSONResponse({"address": address}, headers={"access-control-allow-origin": "*"})
        return RedirectResponse(address + (f"s/{id}/" if id else ""), 307)


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
        downscale_delay_s=60.0,
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
