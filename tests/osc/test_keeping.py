"""What stays when the music is over: files are changed by this machine, by the secret, or by whoever was allowed to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from osc.access import NO_RULES, Access
from osc.command import Answer, Argument, Asker, Command, Deed
from osc.desk import Desk
from osc.hosts import Address, networks
from osc.packet import build
from osc.tree import Tree
from osc.values import Value
from streamer.surfaces.commands import COMMANDS
from tests.osc import desk as mixing
from tests.osc.test_strangers import HERE, TABLET

LOCAL_6: Address = ("::1", 9000, 0, 0)


class Study:
    """A desk with one command that keeps something and one that does not, and what was asked of them."""

    def __init__(self, access: Access = NO_RULES) -> None:
        self.kept = list[tuple[Address, bool]]()
        self.done = list[Address]()
        name = (Argument("name", "text"),)
        commands = [(Command("save", "Keep.", name, keeps=True), self._keep), (Command("fade", "Do.", name), self._do)]
        store = mixing.Desk()
        tree = Tree("/mg", mixing.PARAMETERS, mixing.ACTIONS, store, commands)
        self.desk = Desk(tree, lambda target, datagram: True, lambda: None, access, clock=mixing.Clock())

    def say(self, source: Address, address: str, argument: str) -> None:
        self.desk.receive(build(address, argument), source)
        self.desk.turn()

    def _keep(self, arguments: Sequence[Value], asker: Asker) -> Deed:
        def deed() -> list[Answer]:
            self.kept.append((asker.origin.source, asker.origin.keeps))
            return []

        return deed

    def _do(self, arguments: Sequence[Value], asker: Asker) -> Deed:
        def deed() -> list[Answer]:
            self.done.append(asker.origin.source)
            return []

        return deed


@pytest.mark.parametrize("source", [HERE, LOCAL_6])
def test_this_machine_keeps_what_it_likes(source: Address) -> None:
    study = Study(Access(secret="open sesame"))
    study.say(source, "/mg/save", "drop")
    assert study.kept == [(source, True)]


def test_to_steer_is_not_enough_to_change_files() -> None:
    study = Study(Access(allow=networks(["192.168.1.0/24"])))
    study.say(TABLET, "/mg/fade", "house")
    study.say(TABLET, "/mg/save", "drop")
    assert study.done == [TABLET]
    assert study.kept == []
    assert study.desk.counts.errors == 1


def test_who_has_said_the_secret_may_change_files_and_nobody_before() -> None:
    study = Study(Access(secret="open sesame"))
    study.say(TABLET, "/mg/save", "drop")
    study.say(TABLET, "/mg/secret", "close sesame")
    study.say(TABLET, "/mg/save", "drop")
    assert study.kept == []
    study.say(TABLET, "/mg/secret", "open sesame")
    study.say(TABLET, "/mg/save", "drop")
    assert study.kept == [(TABLET, True)]


def test_without_a_secret_the_empty_one_opens_nothing() -> None:
    study = Study()
    study.say(TABLET, "/mg/secret", "")
    study.say(TABLET, "/mg/save", "drop")
    assert study.kept == []


def test_a_network_that_may_keep_still_needs_to_steer() -> None:
    keep = networks(["192.168.1.20"])
    for access, kept in ((Access(keep=keep), 1), (Access(read_only=networks(["192.168.0.0/16"]), keep=keep), 0)):
        study = Study(access)
        study.say(TABLET, "/mg/save", "drop")
        study.say(("192.168.1.21", 9000), "/mg/save", "drop")
        assert len(study.kept) == kept


def test_every_command_that_changes_files_is_known_as_one() -> None:
    assert {command.path for command in COMMANDS if command.keeps} == {"snapshot/save", "snapshot/delete", "record"}
