"""Settings: where they come from, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from botswain.doctor import settings_rows
from botswain.errors import WrongSettings
from botswain.settings import all_settings, read_settings


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("BOTSWAIN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_command_line_wins_over_the_environment_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("botswain.toml").write_text('port = 1\nhost = "0.0.0.0"\n[log]\nlevel = "debug"\n')
    assert (read_settings().port, read_settings().log.level) == (1, "debug")
    monkeypatch.setenv("BOTSWAIN_PORT", "2")
    assert read_settings().port == 2
    assert read_settings(port=3).port == 3
    assert read_settings(port=None).host == "0.0.0.0"


def test_a_file_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOTSWAIN_CONFIG", str(tmp_path / "other.toml"))
    (tmp_path / "other.toml").write_text("port = 7\n")
    assert read_settings().port == 7


@pytest.mark.parametrize(
    ("variables", "file", "said"),
    [
        pytest.param(
            {"BOTSWAIN_PROT": "1"}, "", "BOTSWAIN_PROT is no setting. Did you mean BOTSWAIN_PORT", id="unknown-variable"
        ),
        pytest.param({}, "prot = 1\n", "prot in botswain.toml is no setting. Did you mean port", id="unknown-in-file"),
        pytest.param({}, "[log]\nlevl = 'info'\n", "log.levl in botswain.toml is no setting", id="unknown-in-group"),
        pytest.param({"BOTSWAIN_LOG__LEVL": "info"}, "", "BOTSWAIN_LOG__LEVL is no setting", id="unknown-nested"),
        pytest.param(
            {"BOTSWAIN_LOG__LEVEL": "loud"},
            "",
            "BOTSWAIN_LOG__LEVEL is 'loud' and must be debug, info, warning, error",
            id="not-allowed",
        ),
        pytest.param(
            {"BOTSWAIN_PORT": "99999"}, "", "BOTSWAIN_PORT is '99999' and must be a whole number", id="too-large"
        ),
        pytest.param({}, "port = 'x'\n", "port in botswain.toml is 'x' and must be a whole number", id="wrong-in-file"),
        pytest.param(
            {"BOTSWAIN_EDGE__TRUSTED_PROXIES": '["10.0.0.1/8"]'},
            "",
            "must be a JSON list of texts (10.0.0.1/8 has host bits set)",
            id="no-network",
        ),
        pytest.param({}, "port = \n", "botswain.toml is no TOML", id="no-toml"),
    ],
)
def test_wrong_settings_are_named(
    variables: dict[str, str], file: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if file:
        Path("botswain.toml").write_text(file)
    with pytest.raises(WrongSettings) as wrong:
        read_settings()
    assert said in str(wrong.value)


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTSWAIN_PORT", "x")
    monkeypatch.setenv("BOTSWAIN_WORKER__BATCH", "0")
    with pytest.raises(WrongSettings) as wrong:
        read_settings()
    assert "BOTSWAIN_PORT" in str(wrong.value)
    assert "BOTSWAIN_WORKER__BATCH" in str(wrong.value)


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTSWAIN_SECRET", "swordfish-swordfish")
    monkeypatch.setenv("BOTSWAIN_POSTGRES_URL", "postgresql://u:hunter22@h/d")
    settings = read_settings()
    shown = f"{settings!r} {settings} {settings_rows(settings, {})}"
    assert "swordfish" not in shown
    assert "hunter22" not in shown
    monkeypatch.setenv("BOTSWAIN_SECRET", "too-short-fish")
    with pytest.raises(WrongSettings) as wrong:
        read_settings()
    assert "too-short-fish" not in str(wrong.value)
    assert "BOTSWAIN_SECRET" in str(wrong.value)


def test_sources_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("botswain.toml").write_text("[worker]\nbatch = 10\n")
    monkeypatch.setenv("BOTSWAIN_HOST", "::1")
    rows = {row["name"]: row for row in settings_rows(read_settings(port=5), {"port": 5})}
    assert rows["port"]["source"] == "command line"
    assert rows["host"]["source"] == "environment"
    assert rows["worker.batch"]["source"] == "botswain.toml"
    assert rows["worker.drain_s"]["source"] == "default"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_settings().port = 1  # type: ignore[misc]  # that is the point


DOCUMENT = Path(__file__).parents[2] / "docs" / "operators" / "settings.md"


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.name)
def test_every_setting_is_explained_and_documented(setting: object) -> None:
    from botswain.settings import Setting

    assert isinstance(setting, Setting)
    assert setting.about, "a setting needs a description"
    assert f"`{setting.variable}`" in DOCUMENT.read_text(), (
        "run `python -m botswain.settings > docs/operators/settings.md`"
    )


def test_the_document_is_as_generated() -> None:
    from botswain.settings import document

    assert DOCUMENT.read_text() == document()
