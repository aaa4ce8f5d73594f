"""The plug-in's window in a real host: what hands do there arrives at the engine, and it says what is wrong."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.plugin import asked, engine, wait_for
from tests.plugin.screen import CHOSEN, FIELD, LAMP, LIGHT, NEEDED, SENTENCE, WARNING, dial, pad, window


@pytest.fixture
def there(built: Path) -> None:
    """What the window needs."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not there: {', '.join(missing)} (apt-get install jackd2 jalv xvfb xdotool)")
    [library] = (built / "lv2").rglob("*.so")
    linked = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
    if "libcairo" not in linked:
        pytest.skip("the plug-in was built without its window (apt-get install libcairo2-dev libx11-dev pkg-config)")


@pytest.mark.heavy
def test_what_hands_do_in_the_window_is_what_the_engine_plays(there: None, tmp_path: Path) -> None:
    with engine(tmp_path, "nano") as osc, window(tmp_path) as one:
        wait_for(lambda: one.colour_at(LAMP) == LIGHT, "the engine")
        one.press(FIELD)
        one.type("slow waltz on a piano")
        wait_for(lambda: asked(osc, "prompt") == "slow waltz on a piano", "the prompt")
        one.press(pad(2))
        wait_for(lambda: [asked(osc, f"prompt/{slot}/weight") for slot in (1, 2)] == [0, 1], "the second slot")
        wait_for(lambda: one.colour_at(pad(2, beside=20)) == CHOSEN, "its colour")
        one.press(FIELD)
        one.type("house")
        wait_for(lambda: asked(osc, "prompt/2/text") == "house", "its prompt")
        assert asked(osc, "prompt") == "slow waltz on a piano"
        one.press(pad(2))
        wait_for(lambda: [asked(osc, f"prompt/{slot}/weight") for slot in (1, 2)] == [1, 0], "the blend of all")
        before = asked(osc, "cfg")
        assert isinstance(before, float)
        one.drag(dial(1), 60)
        wait_for(lambda: asked(osc, "cfg") == pytest.approx(before + 60 / 150 * 9, abs=0.3), "the dial")


@pytest.mark.heavy
def test_the_window_says_what_is_wrong_and_that_it_is_over(there: None, tmp_path: Path) -> None:
    with contextlib.ExitStack() as playing:
        playing.enter_context(engine(tmp_path, "nano"))
        with window(tmp_path) as one:
            wait_for(lambda: one.colour_at(LAMP) == LIGHT, "the engine")
            one.press(FIELD)
            one.type("house")
            playing.close()
            # It can start none itself: nothing was installed for this test.
            wait_for(lambda: one.colour_at(LAMP) != LIGHT and one.shows(WARNING, SENTENCE), "the sentence")
            sentence = one.look().crop(SENTENCE)
            with engine(tmp_path, "nano") as osc:
                wait_for(lambda: one.colour_at(LAMP) == LIGHT, "another engine")
                wait_for(lambda: one.look().crop(SENTENCE) != sentence, "the sentence's end")
                wait_for(lambda: asked(osc, "prompt") == "house", "the prompt, told again")
