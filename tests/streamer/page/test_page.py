"""The page: several browsers steer one instrument and agree; strangers and other sites get nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from itertools import islice
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="install the extra web")

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from streamer import UserError
from streamer.cli.page import beside
from streamer.control.journal import NAME as JOURNAL
from streamer.control.table import PARAMETERS
from streamer.surfaces.page.app import FILES, STATIC, STRANGER, table
from streamer.surfaces.page.serve import serve
from tests.streamer.page.paged import Stage, browser, run
from tests.streamer.rude import POLITE, messages


def fetched(stage: Stage, path: str = "/", **headers: str) -> HTTPResponse:
    """The page itself, or what lies beside it."""
    connection = HTTPConnection("127.0.0.1", stage.port, timeout=20)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_a_page_hears_all_that_stands_and_its_dial_moves_the_instrument(stage: Stage) -> None:
    async def story() -> None:
        async with browser(stage) as page:
            await page.until(lambda: {own.path for own in PARAMETERS} <= page.values.keys())
            await page.ask("temperature", 1.25)
            await page.ask("ping is no address")
            await page.until(lambda: page.words)

    run(story())
    assert stage.controls.get("temperature") == 1.25


def test_two_pages_are_in_step_and_with_osc(stage: Stage) -> None:
    async def story() -> None:
        async with browser(stage) as one, browser(stage) as other:
            await one.ask("volume", -12)
            await other.until(lambda: other.values.get("volume") == [-12.0])
            await other.ask("prompt", "deep house")
            await one.until(lambda: one.values.get("prompt") == ["deep house"])
            stage.controls.set(cfg=4.0)
            await one.until(lambda: one.values.get("cfg") == [4.0])
            await other.until(lambda: other.values.get("cfg") == [4.0])

    run(story())
    assert stage.controls.get("volume") == -12.0
    assert stage.controls.get("prompt") == "deep house"


def test_a_value_out_of_range_comes_back_as_it_was_taken(stage: Stage) -> None:
    async def story() -> None:
        async with browser(stage) as page:
            await page.ask("volume", 500)
            await page.until(lambda: page.values.get("volume") == [12.0])

    run(story())


def test_the_dot_moves_the_weights_and_a_page_that_comes_later_sees_them(stage: Stage) -> None:
    async def story() -> None:
        async with browser(stage) as page:
            await page.ask("prompt/2/text", "jazz trio")
            await page.ask("prompt/weights", 0.25, 0.75)
            await page.until(lambda: page.values.get("prompt/2/weight") == [0.75])
        async with browser(stage) as late:
            await late.until(lambda: late.values.get("prompt/2/weight") == [0.75])
            assert late.values["prompt/2/text"] == ["jazz trio"]

    run(story())


def test_snapshots_are_listed_on_every_page(stage: Stage) -> None:
    async def story() -> None:
        async with browser(stage) as page:
            await page.ask("snapshot/save", "drop")
            await page.ask("snapshot/list")
            await page.until(lambda: "drop" in page.values.get("snapshot/names", []))
            await page.ask("snapshot/load", "never saved")
            await page.until(lambda: any("never saved" in str(word) for word in page.words))

    run(story())


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", "http://localhost.evil.example"],
)
def test_another_sites_page_cannot_steer(stage: Stage, origin: str) -> None:
    async def story() -> None:
        async with browser(stage, origin=origin):
            pass

    with pytest.raises((InvalidStatus, ConnectionClosed)):
        run(story())


def test_a_name_that_was_made_to_point_here_is_refused(stage: Stage) -> None:
    assert fetched(stage, host="evil.example").status == 403
    assert fetched(stage, origin="http://evil.example").status == 403
    assert fetched(stage).status == 200


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing_from_elsewhere(stage: Stage) -> None:
    answer = fetched(stage)
    assert "default-src 'none'" in str(answer.headers["content-security-policy"])
    text = answer.read().decode()
    assert "<script>" not in text and "onclick=" not in text
    for name in sorted(name for name, _ in FILES.values()):
        text = (STATIC / name).read_text(encoding="utf-8")
        assert "http://" not in text and "https://" not in text
        assert "innerHTML" not in text and "eval(" not in text


def test_every_parameter_and_action_is_on_the_page() -> None:
    described = table()
    assert [own["name"] for own in described["parameters"]] == [own.name for own in PARAMETERS]
    assert len(described["slots"]) == 8


def test_beyond_this_machine_the_token_is_needed_and_no_file_can_be_named(guarded: Stage) -> None:
    assert guarded.address.endswith("#0123456789abcdef")

    async def without(token: str) -> None:
        async with browser(guarded, token=token) as page:
            await page.socket.recv()

    for token in ("", "0123456789abcdee"):
        with pytest.raises(ConnectionClosed) as refused:
            run(without(token))
        assert refused.value.rcvd is not None and refused.value.rcvd.code == STRANGER  # which the page can explain

    async def story() -> None:
        async with browser(guarded, token="0123456789abcdef") as page:
            await page.ask("melody", "/etc/passwd")
            await page.until(lambda: page.words)
            await page.ask("record", "mine")
            await page.until(lambda: len(page.words) == 2)
            await page.ask("continue", "/etc/passwd")
            await page.until(lambda: len(page.words) == 3)
            assert {word for _, word in page.words} == {"is no address that a page may use"}
            await page.ask("volume", -1.0)
            await page.ask("dump")
            await page.until(lambda: len(page.words) == 4)

    run(story())
    assert guarded.controls.get("melody") == ""
    assert guarded.controls.get("volume") == -1.0


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)
known = st.sampled_from(["volume", "prompt", "seed", "mute", "prompt/weights", "snapshot/load", "ramp", "play"])
hostile = st.one_of(
    st.text(max_size=200),
    anything.map(json.dumps),
    st.tuples(known, anything).map(json.dumps),
    st.just("[" * 1500),
    st.binary(max_size=50),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(hostile, min_size=1, max_size=10))
def test_hostile_messages_harm_neither_the_page_nor_others(stage: Stage, messages: list[str | bytes]) -> None:
    async def story() -> None:
        async with browser(stage) as other:
            async with browser(stage) as rude:
                for message in messages:
                    try:
                        await rude.socket.send(message)
                    except ConnectionClosed:
                        break
            stage.controls.set(cfg=2.0)
            await other.until(lambda: other.values.get("cfg") == [2.0])
            stage.controls.set(cfg=3.0)
            await other.until(lambda: other.values.get("cfg") == [3.0])

    run(story())


@pytest.mark.parametrize(
    "message",
    ['["volume", 1%s]' % ("0" * 400), '["volume", -1e999]', '["volume", NaN]', '["prompt", "\\ud800\\u0000"]'],
)
def test_a_number_that_is_none_costs_a_page_a_sentence_and_not_its_connection(stage: Stage, message: str) -> None:
    async def story() -> None:
        async with browser(stage) as page:
            await page.socket.send(message)
            await page.ask("nonsense")
            await page.until(lambda: ["", "is no address that a page may use"] in page.words)

    run(story())


def test_who_connects_and_asks_for_nothing_is_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.surfaces.page.web.PATIENCE_SECONDS", 0.3)
    for begun in (b"", b"GET / HTTP/1.1\r\nHost: local"):
        with socket.create_connection(("127.0.0.1", stage.port)) as slow:
            slow.settimeout(60)
            slow.sendall(begun)
            assert slow.recv(1000) == b""

    async def story() -> None:
        async with browser(stage) as page:
            await asyncio.sleep(0.6)
            await page.ask("nonsense")
            await page.until(lambda: bool(page.words))

    run(story())


def test_many_that_ask_for_nothing_keep_no_page_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them give way, without delay."""
    monkeypatch.setattr("streamer.surfaces.page.web.IDLE", 5)
    with contextlib.ExitStack() as there:
        slow = []
        for _ in range(12):
            slow.append(there.enter_context(socket.create_connection(("127.0.0.1", stage.port), timeout=60)))
            slow[-1].sendall(b"GET / HT")
        for gone in slow[:7]:
            with contextlib.suppress(ConnectionResetError):
                assert gone.recv(100) == b""

        async def story() -> None:
            async with browser(stage) as page:
                await page.ask("nonsense")
                await page.until(lambda: bool(page.words))

        run(story())


def test_a_long_rude_story_leaves_other_pages_their_faders(stage: Stage) -> None:
    """A short version of benchmarks/fuzz_page.py."""

    async def story() -> None:
        rest = islice(messages(7), 300)
        async with browser(stage) as polite:
            for chapter in range(1, 30):
                async with browser(stage) as rude:
                    with suppress(ConnectionClosed):
                        for message in rest:
                            await rude.socket.send(message)
                await polite.ask(POLITE, chapter / 30)
                await polite.until(lambda: abs(polite.values.get(POLITE, [9])[0] - chapter / 30) < 1e-4)  # noqa: B023
            assert next(rest, None) is None

    run(story())


def test_where_nothing_plays_it_says_what_to_do() -> None:
    with pytest.raises(UserError, match="start `streamer play` first"):
        serve(("127.0.0.1", 1, "/mg"), "127.0.0.1", 0, "", print)


def test_a_taken_port_is_a_sentence(stage: Stage) -> None:
    with pytest.raises(UserError, match="choose another with --web-port"):
        serve(("127.0.0.1", stage.osc.server.port, "/mg"), "127.0.0.1", stage.port, "", print)


def test_an_unknown_host_is_a_sentence_that_names_its_own_option(stage: Stage) -> None:
    with pytest.raises(UserError, match=r"no machine 'nowhere\.invalid' .*--web-host"):
        serve(("127.0.0.1", stage.osc.server.port, "/mg"), "nowhere.invalid", 0, "", print)


def test_the_journal_of_a_recording_can_be_downloaded_once_it_has_ended(
    stage: Stage, guarded: Stage, tmp_path: Path
) -> None:
    """`streamer replay` plays it again: test_recording."""

    def refused(own: Stage) -> str:
        answer = fetched(own, f"/{JOURNAL}")
        assert answer.status in (403, 404)
        return str(json.loads(answer.read())["detail"])

    async def until(own: Stage, recording: str) -> None:
        async with browser(own, "0123456789abcdef" if own is guarded else "") as page:
            own.osc.server.publish("status/recording", recording)
            await page.until(lambda: page.values.get("status/recording") == [recording])

    assert "record something first" in refused(stage)
    (tmp_path / JOURNAL).write_text("{}\n")
    run(until(stage, str(tmp_path)))
    assert "stop the recording first" in refused(stage)
    run(until(stage, ""))
    answer = fetched(stage, f"/{JOURNAL}")
    assert (answer.status, answer.read()) == (200, b"{}\n")
    (tmp_path / JOURNAL).unlink()
    assert "no journal in" in refused(stage)
    run(until(guarded, str(tmp_path)))
    run(until(guarded, ""))
    assert "on the instrument's own machine" in refused(guarded)


def test_a_page_whose_server_was_killed_is_served_again_at_the_same_address(stage: Stage) -> None:
    said: list[str] = []
    with beside(("127.0.0.1", stage.osc.server.port, "/mg"), "127.0.0.1", 0, said.append) as line:
        port = int(line.rstrip("/").rpartition(":")[2])
        server = next(
            own for own in psutil.Process().children(recursive=True) if str(stage.osc.server.port) in own.cmdline()
        )
        server.kill()
        server.wait(60)

        async def story() -> None:
            """An open page tries again until it is there."""
            deadline = time.monotonic() + 300
            while True:
                try:
                    async with browser(stage, port=port) as page:
                        stage.controls.set(cfg=3.5)
                        await page.until(lambda: page.values.get("cfg") == [3.5])
                        return
                except (OSError, WebSocketException, asyncio.TimeoutError):
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.3)

        run(story())
    assert said == ["The page's process has ended: another one takes its place."]
    assert not [own for own in psutil.Process().children(recursive=True) if "page" in own.cmdline()]
