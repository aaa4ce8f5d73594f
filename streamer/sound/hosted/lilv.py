"""What LV2 plug-ins are installed, through lilv's C library: permissively licensed, and found by ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import math
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, Structure, c_bool, c_char_p, c_double, c_float, c_uint32, c_void_p
from dataclasses import dataclass
from typing import Any

from streamer.errors import UserError
from streamer.sound.hosted.wire import Range

CORE = "http://lv2plug.in/ns/lv2core#"
_PORT_PROPS = "http://lv2plug.in/ns/ext/port-props#"
ATOM = "http://lv2plug.in/ns/ext/atom#"
BUFFERS = "http://lv2plug.in/ns/ext/buf-size#"
URID = "http://lv2plug.in/ns/ext/urid#"
OPTIONS = "http://lv2plug.in/ns/ext/options#options"
_PORT_KINDS = {
    "audio": CORE + "AudioPort",
    "control": CORE + "ControlPort",
    "atom": ATOM + "AtomPort",
    "input": CORE + "InputPort",
}
WORKER = "http://lv2plug.in/ns/ext/worker#"
OFFERED = {URID + "map", URID + "unmap", OPTIONS, WORKER + "schedule", BUFFERS + "boundedBlockLength"}
"""What a plug-in may need of its host and gets here."""
_HARMLESS = {CORE + "isLive", CORE + "hardRTCapable", CORE + "inPlaceBroken"}  # said of plug-ins, not asked of hosts


class Descriptor(Structure):
    """What a plug-in's library can do, as LV2 lays it out."""

    _fields_ = (
        ("uri", c_char_p),
        ("instantiate", c_void_p),
        ("connect", CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)),
        ("activate", CFUNCTYPE(None, c_void_p)),
        ("run", CFUNCTYPE(None, c_void_p, c_uint32)),
        ("deactivate", c_void_p),
        ("cleanup", c_void_p),
        ("extension", CFUNCTYPE(c_void_p, c_char_p)),
    )


class Instance(Structure):
    """The beginning of lilv's own."""

    _fields_ = (("descriptor", POINTER(Descriptor)), ("handle", c_void_p))


@functools.cache
def _lilv() -> Any:
    """The library, with the types of what is called.

    Raises
    ------
    UserError
        It is not installed.
    """
    found = ctypes.util.find_library("lilv-0")
    if found is None:
        raise UserError("LV2 plug-ins need the library lilv: on Debian and Ubuntu `apt-get install liblilv-0-0`")
    library = ctypes.CDLL(found)
    pointers = "world_new world_get_all_plugins new_uri plugins_get_by_uri plugins_get plugins_begin plugins_next"
    of_plugins = "plugin_get_uri plugin_get_name plugin_get_port_by_index port_get_symbol"
    for name in f"{pointers} {of_plugins} nodes_get nodes_begin nodes_next".split():
        getattr(library, "lilv_" + name).restype = c_void_p
    library.lilv_plugin_get_required_features.restype = c_void_p
    library.lilv_plugin_instantiate.restype = POINTER(Instance)
    library.lilv_plugin_instantiate.argtypes = [c_void_p, c_double, c_void_p]
    for name in ("plugins_is_end", "nodes_is_end", "port_is_a", "plugin_has_latency", "port_has_property"):
        getattr(library, "lilv_" + name).restype = c_bool
    library.lilv_node_as_string.restype = c_char_p
    library.lilv_node_as_float.restype = c_float
    for name in ("plugin_get_num_ports", "plugin_get_latency_port_index"):
        getattr(library, "lilv_" + name).restype = c_uint32
    return library


@dataclass(frozen=True)
class Port:
    """One of a plug-in's ports."""

    index: int
    symbol: str
    kind: str  # audio, control, atom, or "" for what we do not know
    takes: bool
    range: Range
    curved: bool  # along a fader its steps are ratios


class World:
    """All LV2 plug-ins that are installed.

    Raises
    ------
    UserError
        There is no lilv.
    """

    def __init__(self) -> None:
        self._lilv = _lilv()
        self._world = c_void_p(self._lilv.lilv_world_new())
        self._lilv.lilv_world_load_all(self._world)
        self._plugins = c_void_p(self._lilv.lilv_world_get_all_plugins(self._world))
        self._kinds = {kind: self._uri(uri) for kind, uri in _PORT_KINDS.items()}
        self._logarithmic = self._uri(_PORT_PROPS + "logarithmic")
        self._toggled = self._uri(CORE + "toggled")

    def plugins(self) -> Iterator[tuple[str, str]]:
        """URI and name of each."""
        for plugin in self._each("plugins", self._plugins):
            yield self._text(self._lilv.lilv_plugin_get_uri(plugin)), self.name(plugin)

    def effects(self) -> Iterator[tuple[str, str]]:
        """URI and name of those that take sound, make sound, and ask nothing of a host that this one has not."""
        for plugin in self._each("plugins", self._plugins):
            ports = self.ports(plugin)
            if all(audio(ports, takes) for takes in (True, False)) and not self.lacking(plugin, ports):
                yield self._text(self._lilv.lilv_plugin_get_uri(plugin)), self.name(plugin)

    def find(self, asked: str) -> c_void_p:
        """A plug-in by its URI, or by its name.

        Raises
        ------
        UserError
            There is none, or several have the name.
        """
        found = self._lilv.lilv_plugins_get_by_uri(self._plugins, self._uri(asked)) if ":" in asked else None
        if found:
            return c_void_p(found)
        named = [uri for uri, name in self.plugins() if name.casefold() == asked.casefold()]
        if len(named) != 1:
            how = "several LV2 plug-ins have" if named else "no LV2 plug-in here has"
            raise UserError(f"{how} the URI or name {asked[:80]!r}: `streamer fx` lists them with their URIs")
        return c_void_p(self._lilv.lilv_plugins_get_by_uri(self._plugins, self._uri(named[0])))

    def name(self, plugin: c_void_p) -> str:
        """A plug-in's name."""
        return self._text(self._lilv.lilv_plugin_get_name(plugin))

    def ports(self, plugin: c_void_p) -> list[Port]:
        """A plug-in's ports, in their order."""
        return [self._port(plugin, index) for index in range(self._lilv.lilv_plugin_get_num_ports(plugin))]

    def latency_port(self, plugin: c_void_p) -> int | None:
        """The index of the port at which a plug-in tells its latency."""
        has = self._lilv.lilv_plugin_has_latency(plugin)
        return int(self._lilv.lilv_plugin_get_latency_port_index(plugin)) if has else None

    def lacking(self, plugin: c_void_p, ports: list[Port]) -> str:
        """What a plug-in needs and this host has not; "" for nothing."""
        nodes = c_void_p(self._lilv.lilv_plugin_get_required_features(plugin))
        asked = {self._text(node.value) for node in self._each("nodes", nodes)}
        lacks = sorted(asked - OFFERED - _HARMLESS)
        lacks += [f"a port of another kind ({port.symbol})" for port in ports if not port.kind]
        return ", ".join(lacks)

    def instantiate(self, plugin: c_void_p, rate: int, features: Any) -> Any:
        """An instance; None where it cannot be made."""
        made = self._lilv.lilv_plugin_instantiate(plugin, float(rate), features)
        return made.contents if made else None

    def _port(self, plugin: c_void_p, index: int) -> Port:
        port = c_void_p(self._lilv.lilv_plugin_get_port_by_index(plugin, index))
        kinds = {kind for kind, node in self._kinds.items() if self._lilv.lilv_port_is_a(plugin, port, node)}
        kind = next((kind for kind in ("audio", "control", "atom") if kind in kinds), "")
        values = [c_void_p(), c_void_p(), c_void_p()]
        self._lilv.lilv_port_get_range(plugin, port, *(ctypes.byref(value) for value in values))
        normal, low, high = (self._number(value) for value in values)
        low, high = (0.0 if low is None else low), (1.0 if high is None else high)
        curved = bool(self._lilv.lilv_port_has_property(plugin, port, self._logarithmic)) and 0 < low < high
        span = Range(low=low, high=high, normal=low if normal is None else normal, unit="")
        return Port(
            index, self._text(self._lilv.lilv_port_get_symbol(plugin, port)), kind, "input" in kinds, span, curved
        )

    def _number(self, node: c_void_p) -> float | None:
        number = float(self._lilv.lilv_node_as_float(node)) if node else math.nan
        return number if math.isfinite(number) else None

    def _uri(self, uri: str) -> c_void_p:
        return c_void_p(self._lilv.lilv_new_uri(self._world, uri.encode(errors="replace")))

    def _text(self, node: int | None) -> str:
        text = self._lilv.lilv_node_as_string(c_void_p(node)) if node else None
        return text.decode(errors="replace") if text else ""

    def _each(self, what: str, many: c_void_p) -> Iterator[c_void_p]:
        begin, following, end, get = (
            getattr(self._lilv, f"lilv_{what}_{name}") for name in ("begin", "next", "is_end", "get")
        )
        at = c_void_p(begin(many))
        while not end(many, at):
            yield c_void_p(get(many, at))
            at = c_void_p(following(many, at))


def audio(ports: list[Port], takes: bool) -> list[Port]:
    """The ports at which sound goes in, or comes out."""
    return [port for port in ports if port.kind == "audio" and port.takes == takes]
