"""Write the table of commands into musicgen-streamer.py, from the instrument's own table.

After a change of the commands run again::

    python examples/reaper/make_script.py
"""

import re
from pathlib import Path

from streamer.surfaces.commands import BROADCAST, COMMANDS, LIST

SCRIPT = Path(__file__).with_name("musicgen-streamer.py")
ANSWERED = (BROADCAST, LIST)
"""What is asked for the sake of its answer, which the script does not wait for."""


def script() -> str:
    """The script with the table as it is now."""
    rows = ["COMMANDS = {"]
    for command in COMMANDS:
        if command not in ANSWERED:
            kinds = "".join("f" if argument.kind == "float" else "s" for argument in command.takes)
            least = sum(argument.needed for argument in command.takes)
            rows.append(f'    "{command.path}": ("{kinds}", {least}, "{command.usage}"),')
    text = SCRIPT.read_text(encoding="utf-8")
    return re.sub(r"^COMMANDS = \{.*?^\}", "\n".join([*rows, "}"]), text, flags=re.MULTILINE | re.DOTALL)


if __name__ == "__main__":
    SCRIPT.write_text(script(), encoding="utf-8")
