"""
What can be set, from where, and what a person is told about a setting that is wrong.

A value comes, first found first taken, from the command line, from ``BOTSWAIN_`` variables of the environment (nested
names joined by ``__``), from a TOML file (``botswain.toml`` here, or the one that ``BOTSWAIN_CONFIG`` names), or is the
default. A name that nobody knows is an error. The environment is read here and nowhere else.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from botswain.errors import WrongSettings
from edge.settings import EdgeSettings

__all__ = ["Setting", "Settings", "all_settings", "document", "read_settings"]

PREFIX: Final = "BOTSWAIN_"
CONFIG: Final = "BOTSWAIN_CONFIG"
# The test suite's own switches (how many kills, which seeds); they set nothing of a running botswain.
TESTS: Final = "BOTSWAIN_TEST_"


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(_Group):
    """The brokers, when ``bus`` is ``kafka``."""

    bootstrap: str = Field(default="localhost:9092", description="brokers to begin with: host:port, comma between")
    prefix: str = Field(default="", description="stands before the names of topics")
    replication: int | None = Field(
        default=None, ge=1, description="copies of topics that are made here; unset: 3, or as many as there are brokers"
    )


class BasicSettings(_Group):
    """Budgets of a run between two suspensions; a bot may set lower ones in its config.csv (``basic-max-steps``)."""

    max_steps: int = Field(default=1_000_000, gt=0, description="steps from one wait to the next: loops, calls, work")
    max_depth: int = Field(default=200, gt=0, description="procedures and scripts inside each other")
    max_messages: int = Field(default=200, gt=0, description="messages that a run may send at once")
    max_output: int = Field(default=200_000, gt=0, description="characters of them all together")
    max_memory: int = Field(default=128 * 1024 * 1024, gt=0, description="bytes by which the process may grow")
    max_frame: int = Field(default=2 * 1024 * 1024, gt=0, description="bytes of a run as it is stored")
    hear_timeout_s: float = Field(default=3600, gt=0, description="how long a question waits for its answer")
    max_script_bytes: int = Field(default=250_000, gt=0, description="of one .bas file")


class WorkerSettings(_Group):
    """How actors work."""

    batch: int = Field(default=256, gt=0, description="events decided in one transaction, at most")
    lanes: int = Field(
        default=2, gt=0, le=8, description="batches of an actor under way at once: one is decided, another committed"
    )
    max_states: int = Field(default=10_000, gt=0, description="conversations kept in memory, per actor, at most")
    max_state_bytes: int = Field(default=128 * 1024 * 1024, gt=0, description="memory of them, per actor, about")
    max_attempts: int = Field(default=3, gt=0, description="an event that ended its process so often is set aside")
    drain_s: float = Field(default=10, gt=0, description="what is in hand may take this long when told to stop")
    log_turns: bool = Field(default=False, description="a line in the log for every event")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="where a `botswain worker` tells its health and figures; 0 takes a free one; unset: nowhere",
    )


class LogSettings(_Group):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is written")
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: coloured lines on a terminal, else JSON"
    )


class Settings(BaseSettings):
    """Everything that a process of Botswain can be told."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 for all of the machine's")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data: Path = Field(default=Path(".botswain"), description="directory of the embedded database and its secrets")
    bots: Path = Field(default=Path("bots"), description="folder of bot packages, NAME.gbai")
    watch: bool = Field(
        default=True, description="publish bots again when their files change, and show their mistakes on the pages"
    )
    bus: Literal["postgres", "kafka"] = Field(default="postgres", description="what carries the log")
    postgres_url: SecretStr | None = Field(
        default=None, description="postgresql://user:password@host/database; unset: the embedded one"
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="signs conversation tokens, the same for all edges; unset: kept in data",
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description=KafkaSettings.__doc__)
    edge: EdgeSettings = Field(default_factory=EdgeSettings, description=EdgeSettings.__doc__)
    worker: WorkerSettings = Field(default_factory=WorkerSettings, description=WorkerSettings.__doc__)
    basic: BasicSettings = Field(default_factory=BasicSettings, description=BasicSettings.__doc__)
    log: LogSettings = Field(default_factory=LogSettings, description=LogSettings.__doc__)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = _config_file(os.environ)
        return (init_settings, env_settings, *([TomlConfigSettingsSource(settings_cls, file)] if file else []))


@dataclass(frozen=True, slots=True)
class Setting:
    """One name that can be set."""

    path: tuple[str, ...]
    about: str
    default: str
    allowed: str
    secret: bool

    @property
    def variable(self) -> str:
        """As the environment has it: ``BOTSWAIN_LOG__LEVEL``."""
        return PREFIX + "__".join(self.path).upper()

    @property
    def name(self) -> str:
        """As the TOML file has it: ``log.level``."""
        return ".".join(self.path)


def _allowed(annotation: Any) -> str:
    if annotation is bool:
        return "true, false"
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    inner = [kind for kind in get_args(annotation) if kind is not type(None)]
    if inner and get_origin(annotation) is not tuple:
        return _allowed(inner[0])
    words = {int: "a whole number", float: "a number", str: "text", Path: "a path", SecretStr: "text, never shown"}
    return words.get(annotation, "a JSON list of texts" if get_origin(annotation) is tuple else "text")


def _limits(field: FieldInfo) -> str:
    said = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most", "min_length": "at least"}
    found = []
    for limit in field.metadata:
        for name, words in said.items():
            value = getattr(limit, name, None)
            if value is not None:
                found.append(f"{words} {value}{' characters' if name == 'min_length' else ''}")
    return "".join(f", {limit}" for limit in found)


def _settings_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        path = (*above, name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _settings_of(info.annotation, path)
            continue
        default = info.get_default(call_default_factory=True, validated_data={})
        if default is None or default == ():
            shown = ""
        elif isinstance(default, bool):
            shown = str(default).lower()
        else:
            shown = str(default)
        secret = info.annotation is SecretStr or SecretStr in get_args(info.annotation)
        yield Setting(path, info.description or "", shown, _allowed(info.annotation) + _limits(info), secret)


def all_settings() -> list[Setting]:
    """Every setting there is, in the order of their declaration."""
    return list(_settings_of(Settings))


def _config_file(environment: Mapping[str, str]) -> Path | None:
    if named := environment.get(CONFIG):
        return Path(named)
    here = Path("botswain.toml")
    return here if here.exists() else None


def _file_content(environment: Mapping[str, str]) -> dict[str, Any]:
    file = _config_file(environment)
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongSettings(f"The settings file {file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongSettings(f"The settings file {file} is no TOML: {error}.") from error


def _flat(content: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    groups = {setting.path[:1] for setting in all_settings() if len(setting.path) > 1}
    for name, value in content.items():
        path = (*above, name)
        if isinstance(value, Mapping) and path in groups:
            yield from _flat(value, path)
        else:
            yield path


def _near(wrong: str, known: list[str]) -> str:
    by_name = {name.upper().removeprefix(PREFIX): name for name in known}
    close = difflib.get_close_matches(wrong.upper().removeprefix(PREFIX), by_name, n=2, cutoff=0.7)
    return f" Did you mean {' or '.join(by_name[name] for name in close)}?" if close else ""


def _unknown(environment: Mapping[str, str], content: Mapping[str, Any]) -> list[str]:
    settings = all_settings()
    variables = [setting.variable for setting in settings]
    # pydantic takes a whole group as one JSON object, too
    groups = {PREFIX + setting.path[0].upper() for setting in settings if len(setting.path) > 1}
    found = [
        f"{name} is no setting.{_near(name, variables)}"
        for name in environment
        if name.upper().startswith(PREFIX)
        and not name.upper().startswith(TESTS)
        and name.upper() not in {*variables, *groups, CONFIG}
    ]
    names = [setting.name for setting in settings]
    file = _config_file(environment)
    found += [
        f"{'.'.join(path)} in {file} is no setting.{_near('.'.join(path), names)}"
        for path in _flat(content)
        if ".".join(path) not in names
    ]
    return found


def source_of(setting: Setting, given: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Where the value in force comes from: ``command line``, ``environment``, the file's name, or ``default``."""
    if len(setting.path) == 1 and given.get(setting.path[0]) is not None:
        return "command line"
    if any(name.upper() in (setting.variable, PREFIX + setting.path[0].upper()) for name in environment):
        return "environment"
    if setting.path in set(_flat(_file_content(environment))):
        return str(_config_file(environment))
    return "default"


def read_settings(**given: Any) -> Settings:
    """
    The settings of this process; *given* are those of the command line, None for what it did not say.

    Raises: WrongSettings: names every setting that is unknown or wrong, and what would be allowed.
    """
    unknown = _unknown(os.environ, _file_content(os.environ))
    if unknown:
        raise WrongSettings("\n".join(unknown), "`botswain doctor --settings` lists all settings.")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise WrongSettings("\n".join(_complaints(error, given)), "`botswain doctor --settings` lists them.") from None
    except ValueError as error:  # a group that is not JSON
        raise WrongSettings(f"{error}.", "`botswain doctor --settings` lists all settings.") from None


def _complaints(error: ValidationError, given: Mapping[str, Any]) -> Iterator[str]:
    by_path = {setting.path: setting for setting in all_settings()}
    for wrong in error.errors(include_url=False, include_context=False, include_input=True):
        path = tuple(str(step) for step in wrong["loc"])
        setting = next((by_path[path[:end]] for end in (2, 1) if path[:end] in by_path), None)
        if setting is None:
            yield f"{'.'.join(path)}: {wrong['msg']}."
            continue
        was = "" if setting.secret else f" is {wrong['input']!r} and"
        origin = source_of(setting, given, os.environ)
        name = {"environment": setting.variable, "command line": f"--{setting.name}"}.get(origin, setting.name)
        place = "" if name != setting.name or origin == "default" else f" in {origin}"
        why = f" ({wrong['msg'].removeprefix('Value error, ')})" if wrong["type"] == "value_error" else ""
        yield f"{name}{place}{was} must be {setting.allowed}{why}."


def document() -> str:
    """The page of the manual that lists all settings."""
    lines = [
        "# Settings",
        "",
        "Generated by `python -m botswain.settings`; `botswain doctor --settings` shows the values in force and where",
        "they come from.",
        "",
        "A value comes from the command line (`up`, `edge`, `worker`: `--host`, `--port`, `--data`, `--bots`; the port",
        "of a `worker` is `worker.port`), else from the environment, else from a TOML file: `botswain.toml` in the",
        "working directory, or the file that `BOTSWAIN_CONFIG` names. `BOTSWAIN_LOG__LEVEL` of the environment is",
        "`level` in the table `[log]` there.",
        "A name that is no setting is an error: a typing mistake does not go unseen. (`BOTSWAIN_TEST_…` belongs to",
        "the test suite.)",
        "",
        "| variable | default | allowed | meaning |",
        "|---|---|---|---|",
    ]
    for setting in all_settings():
        default = f"`{setting.default}`" if setting.default else "unset"
        lines.append(f"| `{setting.variable}` | {default} | {setting.allowed} | {setting.about} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(document())
