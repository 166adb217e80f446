"""The command line as a person or a script uses it: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from botswain.cli import main
from tests.support.botswain_process import data_directory
from tests.support.permissions import held_to_permissions

ROOT = Path(__file__).parents[2]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("BOTSWAIN_")}
HELLO = 'HEAR who WITH "Who are you?"\nTALK "Hello, ${who}!"\n'


def botswain(
    *arguments: str | Path, cwd: Path = ROOT, said: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "botswain", *map(str, arguments)],
        cwd=cwd,
        env=CLEAN | {"PYTHONPATH": str(ROOT)} | variables,
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def bot(folder: Path, script: str = HELLO) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "start.bas").write_text(script)
    return folder


@cache
def listed() -> str:
    return botswain("--help").stdout


# --- without a server ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["up", "edge", "worker", "chat", "check", "test", "publish", "withdraw", "doctor", "migrate", "topics", "dead"],
)
def test_every_command_explains_itself(command: str) -> None:
    found = botswain(command, "--help")
    assert found.returncode == 0
    assert "Usage: botswain" in found.stdout
    assert re.search(rf"^  {command} +[A-Z]", listed(), re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["chekc"], 2, "Did you mean check?", id="unknown-command"),
        pytest.param(["check", "--nonsense"], 2, "No such option", id="unknown-option"),
        pytest.param(["up", "--port", "many"], 2, "not a valid integer", id="wrong-value"),
        pytest.param(["check", "nowhere"], 1, "There is no nowhere.", id="no-such-path"),
        pytest.param(["check", "docs"], 1, "There is no bot in docs.", id="no-bot-there"),
        pytest.param(["test", "docs"], 1, "There is no bot in docs.", id="nothing-to-play"),
        pytest.param(["worker", "cook"], 1, "There is no actor cook.", id="unknown-actor"),
        pytest.param(["dead", "show", "7"], 2, "not a valid UUID", id="no-id"),
    ],
)
def test_exit_codes_and_messages(arguments: list[str], code: int, said: str) -> None:
    found = botswain(*arguments)
    assert found.returncode == code, found.stderr
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_an_unknown_setting_is_wrong_usage() -> None:
    found = botswain("up", BOTSWAIN_PROT="1")
    assert found.returncode == 2
    assert "BOTSWAIN_PROT is no setting. Did you mean BOTSWAIN_PORT?" in found.stderr


@pytest.mark.parametrize("command", ["up", "worker", "edge", "migrate", "topics"])
def test_a_database_that_is_not_there_is_a_plain_message(command: str) -> None:
    found = botswain(command, BOTSWAIN_POSTGRES_URL="postgresql://u:hunter22@127.0.0.1:1/d", BOTSWAIN_PORT="0")
    assert found.returncode == 1
    assert "PostgreSQL cannot be reached" in found.stderr
    assert "Traceback" not in found.stderr
    assert "hunter22" not in found.stderr


def test_settings_are_listed_without_secrets() -> None:
    found = botswain("doctor", "--settings", "--json", BOTSWAIN_SECRET="swordfish-swordfish")
    rows = {row["variable"]: row for row in json.loads(found.stdout)}
    shown = botswain("doctor", "--settings").stdout
    assert rows["BOTSWAIN_SECRET"]["value"] == "********"
    assert rows["BOTSWAIN_SECRET"]["source"] == "environment"
    assert rows["BOTSWAIN_PORT"]["default"] == "8080"
    assert "swordfish" not in found.stdout
    for row in rows.values():  # for people the allowed values stand there as they have to be written
        assert f"Allowed: {row['allowed']}." in shown


def test_check_shows_every_error_and_ends_with_one(tmp_path: Path) -> None:
    bot(tmp_path / "bad.gbai", "TALK (1\n")
    bot(tmp_path / "worse.gbai", "EXIT FOR\n")
    found = botswain("check", tmp_path)
    assert found.returncode == 1
    assert "^" in found.stdout
    assert "bad: 1 script, not publishable" in found.stdout
    assert "worse: 1 script, not publishable" in found.stdout
    faults = json.loads(botswain("check", "--json", tmp_path).stdout)
    assert {fault["bot"] for fault in faults} == {"bad", "worse"}
    assert "\x1b" not in found.stdout, "colours are for terminals"


def test_a_command_that_starts_the_database_prints_only_its_answer(tmp_path: Path) -> None:
    bot(tmp_path / "hello.gbai")
    with data_directory() as data:
        published = botswain("publish", tmp_path / "hello.gbai", BOTSWAIN_DATA=str(data))
        topics = botswain("topics", "--json", BOTSWAIN_DATA=str(data))
    assert re.fullmatch(r"hello: version \w{12} is now in force\n", published.stdout)
    assert json.loads(topics.stdout) == []
    assert published.stderr + topics.stderr == ""


def test_a_bot_of_the_folder_is_known_by_its_name(tmp_path: Path) -> None:
    bot(tmp_path / "hello.gbai")
    found = botswain("check", "hello", BOTSWAIN_BOTS=str(tmp_path))
    assert found.stdout == "hello: 1 script, ok\n"
    found = botswain("check", "helo", BOTSWAIN_BOTS=str(tmp_path))
    assert found.returncode == 1
    assert f"There is no helo. Did you mean hello?\nThe bots in {tmp_path} are: hello.\n" in found.stderr
    for command in ("test", "publish"):
        assert found.stderr == botswain(command, "helo", BOTSWAIN_BOTS=str(tmp_path)).stderr
    (tmp_path / "empty").mkdir()
    empty = botswain("check", "hello", BOTSWAIN_BOTS=str(tmp_path / "empty")).stderr
    assert "A bot is a folder NAME.gbai with scripts in it." in empty


def test_test_plays_conversations_and_ends_with_one_if_they_differ(tmp_path: Path) -> None:
    folder = bot(tmp_path / "hello.gbai")
    (folder / "good.chat").write_text("< Who are you?\n> ada\n< Hello, ada!\n")
    assert botswain("test", folder).returncode == 0
    (folder / "bad.chat").write_text("< Who are you?\n> ada\n< Bye, ada!\n")
    found = botswain("test", folder)
    assert found.returncode == 1
    assert "- Bye, ada!" in found.stdout
    assert "+ Hello, ada!" in found.stdout
    assert "1 of 2 conversations went as written" in found.stdout


def test_doctor_looks_at_everything(tmp_path: Path) -> None:
    bot(tmp_path / "bots" / "hello.gbai")
    found = botswain("doctor", "--data", tmp_path / "data", "--bots", tmp_path / "bots", BOTSWAIN_PORT="1")
    assert found.returncode == 0, found.stdout
    assert "hello" in found.stdout
    bot(tmp_path / "bots" / "bad.gbai", "TALK (1\n")
    found = botswain("doctor", "--data", tmp_path / "data", "--bots", tmp_path / "bots", BOTSWAIN_PORT="1")
    assert found.returncode == 1
    assert "errors in bad" in found.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    assert "botswain" in botswain("completion", shell).stdout


# --- a running one ---------------------------------------------------------------------------------------------------


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: str
    data: Path
    bots: Path

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def bot_names(self) -> list[str]:
        return [found["name"] for found in json.loads(self.get("/api/v1/bots")[1])["bots"]]

    def wait_until(self, what: str, condition: object) -> None:
        assert callable(condition)
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, f"not within 30 s: {what}"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="botswain-test-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        bot(home / "bots" / "hello.gbai")
        with (home / "log").open("w") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "botswain",
                    "up",
                    "--port",
                    "0",
                    "--data",
                    home / "data",
                    "--bots",
                    home / "bots",
                ],
                env=CLEAN | {"PYTHONPATH": str(ROOT), "BOTSWAIN_LOG__FORMAT": "console"},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        address = ""
        for line in process.stdout:
            if found := re.search(r"open +(http://\S+)", line):
                address = found[1]
                break
        assert address, (home / "log").read_text()
        try:
            yield Running(process, address, home / "data", home / "bots")
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
            process.stdout.close()
        assert code == 0, "a stop that was asked for is no failure"


def test_a_conversation_in_the_terminal(running: Running) -> None:
    found = botswain("chat", "hello", "--url", running.address, said="Ada\n")
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[:2] == ["Who are you?", "Hello, Ada!"]


def test_a_bot_cannot_command_the_terminal(running: Running) -> None:
    found = botswain("chat", "hello", "--url", running.address, said="\x1b[2J\x9bAda\n")
    assert found.stdout.splitlines()[1] == "Hello, \ufffd[2J\ufffdAda!"


def test_talking_to_a_bot_that_is_not_there(running: Running) -> None:
    found = botswain("chat", "nobody", "--url", running.address)
    assert found.returncode == 1
    assert f"There is no bot 'nobody' here.\nThe bots at {running.address} are: hello" in found.stderr
    found = botswain("chat", "Helo", "--url", running.address)
    assert "There is no bot 'Helo' here. Did you mean hello?" in found.stderr
    found = botswain("chat", "my shop/é", "--url", running.address)
    assert "There is no bot 'my shop/é' here." in found.stderr
    assert botswain("chat", "hello", "--url", "http://127.0.0.1:1").returncode == 1


def test_a_second_one_on_the_same_directory_is_refused(running: Running) -> None:
    found = botswain("up", "--port", "0", "--data", running.data)
    assert found.returncode == 1
    assert f"in use by another botswain (process {running.process.pid}, {running.address})" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_port_in_use_is_a_plain_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = botswain("up", "--port", str(port), "--data", tmp_path / "data")
    assert found.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use." in found.stderr
    assert "--port PORT or BOTSWAIN_PORT" in found.stderr
    assert 'make up UP_ARGS="--port ' in found.stderr
    assert not (tmp_path / "data").exists()


def test_an_edit_is_published_and_a_broken_one_is_not(running: Running) -> None:
    folder = bot(running.bots / "shop.gbai", 'TALK "one"\n')
    running.wait_until("a new bot is listed", lambda: "shop" in running.bot_names())
    version = re.search(r'"shop","version":"(\w+)"', running.get("/api/v1/bots")[1])
    assert version is not None
    bot(folder, "TALK (\n")
    log = running.data.parent / "log"
    running.wait_until("the error is reported", lambda: "shop was not published" in log.read_text())
    assert version[1] in running.get("/api/v1/bots")[1], "the old version stays in force"
    bot(folder, 'TALK "two"\n')
    running.wait_until("the edit is published", lambda: version[1] not in running.get("/api/v1/bots")[1])
    (folder / "start.bas").unlink()
    folder.rmdir()
    running.wait_until("the bot is gone with its folder", lambda: "shop" not in running.bot_names())


def test_a_script_that_fails_is_shown_where_its_author_looks(running: Running) -> None:
    bot(running.bots / "odd.gbai", 'HEAR who\nTALK "No " + (who / 2)\n')
    running.wait_until("a new bot is listed", lambda: "odd" in running.bot_names())
    assert "went wrong" in botswain("chat", "odd", "--url", running.address, said="Ada\n").stdout
    log = running.data.parent / "log"
    shown = (
        "odd: start.bas:2:19: failed: E_TYPE, a value of this type does not work here\n"
        '    TALK "No " + (who / 2)\n'
        "                      ^\n"
    )
    running.wait_until("the place is shown", lambda: shown in log.read_text())
    assert "Ada" not in log.read_text(), "what somebody said is not shown"


def test_publish_and_withdraw_beside_a_running_one(running: Running, tmp_path: Path) -> None:
    folder = bot(tmp_path / "extra.gbai")
    found = botswain("publish", folder, "--data", running.data)
    assert found.returncode == 0, found.stderr
    running.wait_until("the bot is listed", lambda: "extra" in running.bot_names())
    assert "already in force" in botswain("publish", folder, "--data", running.data).stdout
    bot(folder, "TALK (\n")
    assert botswain("publish", folder, "--data", running.data).returncode == 1
    wrong = botswain("withdraw", "extar", "--data", running.data).stderr
    assert "There is no bot 'extar'. Did you mean extra?" in wrong
    assert "The bots in force are: extra, hello" in wrong
    assert botswain("withdraw", "extra", "--data", running.data).returncode == 0
    running.wait_until("the bot is gone", lambda: "extra" not in running.bot_names())


def test_topics_and_dead_letters_are_shown_beside_a_running_one(running: Running) -> None:
    topics = json.loads(botswain("topics", "--json", "--data", running.data).stdout)
    assert {"session", "basic", "schedule", "channel.web"} <= {topic["topic"] for topic in topics}
    assert botswain("dead", "list", "--json", "--data", running.data).stdout.strip() == "[]"
    missing = botswain("dead", "show", "00000000-0000-0000-0000-000000000000", "--data", running.data)
    assert missing.returncode == 1


def test_health_and_figures(running: Running) -> None:
    running.wait_until("it is ready", lambda: running.get("/health/ready")[0] == 200)
    assert "botswain_worker_handled_total" in running.get("/metrics")[1]


def test_a_full_disk_is_a_plain_message() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "botswain", "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, "Error: No space left on device.\nMake room, then try again.\n")


def test_a_folder_that_may_not_be_read_is_a_plain_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = tmp_path / "bots"
    closed.mkdir(mode=0)
    monkeypatch.setenv("BOTSWAIN_BOTS", str(closed))
    monkeypatch.setattr(sys, "argv", ["botswain", "check"])
    with held_to_permissions(), pytest.raises(SystemExit) as ended:
        main()
    advice = "Change who may read or write there, or run botswain as another user."
    assert (ended.value.code, capsys.readouterr().err) == (1, f"Error: Permission denied: {closed}.\n{advice}\n")
