"""Commands: what is asked for with arguments, done once, answered to whoever asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from osc.command import Answer, Argument, Asker, Command, Deed
from osc.desk import Desk
from osc.hosts import Client
from osc.packet import BUNDLE, build, parse
from osc.tree import Tree
from osc.values import BadValue, Value
from tests.osc import desk as mixing

GLIDE = Command(
    "ramp", "Glide.", (Argument("name", "text"), Argument("target", "float"), Argument("s", "float", False))
)
SAVE = Command("snapshot/save", "Keep.", (Argument("name", "text"),))
WEIGHTS = Command("prompt/weights", "Blend.", (Argument("weight", "float", repeats=True),))
LIST = Command("snapshot/list", "All names.")


class Hall:
    """A desk, what was asked of its commands, and what went back."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Value], Asker]] = []
        self.sent: list[tuple[str, tuple[Any, ...]]] = []
        commands = [(command, self._handler(command.path)) for command in (GLIDE, SAVE, WEIGHTS, LIST)]
        self._store = mixing.Desk()
        tree = Tree("/mg", mixing.PARAMETERS, mixing.ACTIONS, self._store, commands)
        self.desk = Desk(tree, self._send, lambda: None)

    def _handler(self, path: str) -> Any:
        def handle(arguments: Sequence[Value], asker: Asker) -> Deed:
            if "warp" in arguments:
                raise BadValue("knows no warp: choose another")

            def do() -> list[Answer]:
                self.asked.append((path, list(arguments), asker))
                return [("snapshot/names", ("verse", "chorus"))] if path == "snapshot/list" else []

            return do

        return handle

    def _send(self, target: object, datagram: bytes) -> bool:
        self.sent += [(m.address, tuple(m.arguments)) for bundle in parse(datagram) for m in bundle.messages]
        return True

    def desk_values(self) -> list[Any]:
        """The batches of values that were set."""
        return self._store.batches

    def say_together(self, *messages: tuple[Any, ...]) -> None:
        built = [build(address, *arguments) for address, *arguments in messages]
        parts = b"".join(len(message).to_bytes(4, "big") + message for message in built)
        self.desk.receive(BUNDLE + bytes(7) + b"\1" + parts, ("127.0.0.1", 9000))
        self.desk.turn()

    def say(self, address: str, *arguments: Value) -> None:
        self.desk.receive(build(address, *arguments), ("127.0.0.1", 9000))
        self.desk.turn()


def test_a_command_is_done_with_its_arguments_for_whoever_asked() -> None:
    hall = Hall()
    hall.say("/mg/ramp", "volume", -6, 2.5)
    assert hall.asked == [("ramp", ["volume", -6, 2.5], Asker(Client(("127.0.0.1", 9000))))]
    assert hall.sent == []


def test_what_is_optional_may_be_left_out() -> None:
    hall = Hall()
    hall.say("/mg/ramp", "volume", -6.0)
    assert hall.asked[0][1] == ["volume", -6.0]


def test_a_name_of_several_words_needs_no_quotes() -> None:
    hall = Hall()
    hall.say("/mg/snapshot/save", "first", "drop", 2.0)
    assert hall.asked[0][1] == ["first drop 2"]


def test_any_number_of_weights() -> None:
    hall = Hall()
    hall.say("/mg/prompt/weights", 0.5, 1, 0.25)
    assert hall.asked[0][1] == [0.5, 1, 0.25]


def test_an_answer_goes_back_to_the_asker() -> None:
    hall = Hall()
    hall.say("/mg/snapshot/list")
    assert hall.sent == [("/mg/snapshot/names", ("verse", "chorus"))]


def test_a_button_asks_when_it_is_pressed() -> None:
    hall = Hall()
    hall.say("/mg/snapshot/list", 1)
    hall.say("/mg/snapshot/list", 0)
    assert [path for path, *_ in hall.asked] == ["snapshot/list"]


@pytest.mark.parametrize(
    ("address", "arguments", "reason"),
    [
        ("/mg/ramp", ("volume",), "takes name, target, [s], not 1 arguments"),
        ("/mg/ramp", ("volume", 1.0, 2.0, 3.0), "not 4 arguments"),
        ("/mg/ramp", ("volume", "loud"), "takes a number"),
        ("/mg/snapshot/list", (1, 2), "takes no argument or one number"),
        ("/mg/prompt/weights", (), "takes weight..., not 0"),
        ("/mg/snapshot/save", ("warp",), "knows no warp"),
        ("/mg/snapshot/sav", ("a",), "did you mean /mg/snapshot/save"),
    ],
)
def test_what_does_not_fit_is_answered(address: str, arguments: tuple[Value, ...], reason: str) -> None:
    hall = Hall()
    hall.say(address, *arguments)
    (said,) = hall.sent
    assert said[0] == "/mg/error" and said[1][0] == address
    assert reason in said[1][1]


def test_a_command_cannot_share_a_parameters_address() -> None:
    with pytest.raises(ValueError, match="share an address"):
        Tree("/mg", mixing.PARAMETERS, (), mixing.Desk(), [(Command("volume", ""), lambda arguments, asker: list)])


def test_a_command_that_cannot_be_done_takes_its_whole_bundle_with_it() -> None:
    hall = Hall()
    hall.say_together(("/mg/snapshot/save", "verse"), ("/mg/volume", -6.0), ("/mg/snapshot/save", "warp"))
    assert hall.asked == [] and hall.desk_values() == []
    (said,) = hall.sent
    assert said[1] == ("/mg/snapshot/save", "knows no warp: choose another; nothing else that came with it was applied")
    hall.say_together(("/mg/snapshot/save", "verse"), ("/mg/volume", -6.0))
    assert [path for path, *_ in hall.asked] == ["snapshot/save"]
    assert hall.desk_values() == [[("volume", -6.0)]]


def test_a_command_may_name_a_file_as_a_parameter_does() -> None:
    """So that strangers hear nothing of files, see `Desk.error`."""
    command = Command("continue", "Go on.", (Argument("file", "path"), Argument("from", "float", False)))
    tree = Tree(
        "/mg", mixing.PARAMETERS, mixing.ACTIONS, mixing.Desk(), [(command, lambda *_: list), (SAVE, lambda *_: list)]
    )
    assert tree.names_a_file("continue")
    assert not tree.names_a_file("snapshot/save") and not tree.names_a_file("nowhere")
    assert command.parse(["my song.wav", 2]) == ["my song.wav", 2]
