"""Bot packages: what is read from a folder, and what is said of what cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from botswain.packages.checking import check_beside, check_package
from botswain.packages.reading import Draft, draft_of, find_packages
from schemas.package import BotPackage, digest_of
from tests.support.permissions import held_to_permissions

LIMIT = 1000


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def draft(tmp_path: Path, files: dict[str, str | bytes]) -> Draft:
    return draft_of(write(tmp_path / "shop.gbai", files), max_script_bytes=LIMIT)


def test_folders_count_by_their_suffix_and_loose_scripts_count(tmp_path: Path) -> None:
    found = draft(
        tmp_path,
        {
            "talk.gbdialog/Start.bas": "TALK 1",
            "talk.gbdialog/deep/more.BAS": "TALK 2",
            "loose.bas": "TALK 3",
            "docs/other.bas": "not a dialog",
            "any.gbot/config.csv": 'name,value\ntitle,Shop, and more\nParam-City,Faro\n\n# note\nquoted,"a ""b"""\n',
            "looks.gbtheme/b.css": "b{}",
            "looks.gbtheme/a.css": "a{}",
            ".hidden.gbdialog/x.bas": "TALK 4",
        },
    )
    assert found.publishable
    assert found.package.scripts == {"start": "TALK 1", "more": "TALK 2", "loose": "TALK 3"}
    assert found.package.config == {"title": "Shop, and more", "param-city": "Faro", "quoted": 'a "b"'}
    assert found.package.theme == "a{}\nb{}"


def test_names_that_are_not_utf_8_are_told_of_in_text_that_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xffshop.gbai")
    for name in (b"a.bas", b"\xfe.bas", b"\xfd.gbdialog/a.bas"):
        write(folder, {os.fsdecode(name): "TALK 1"})
    found = draft_of(folder, max_script_bytes=LIMIT)
    assert found.name == "\ufffdshop"
    assert list(found.package.scripts) == ["a"]
    told = "\n".join(fault.text for fault in found.faults)
    assert "\ufffd.bas: error: Its name is not UTF-8: rename it." in told
    assert "There is a script 'a' already" in told
    told.encode()


def test_the_version_is_the_hash_of_the_content(tmp_path: Path) -> None:
    one = draft(tmp_path / "a", {"start.bas": "TALK 1", "b.bas": "TALK 2"})
    same = draft(tmp_path / "b", {"b.bas": "TALK 2", "x.gbdialog/start.bas": "TALK 1"})
    other = draft(tmp_path / "c", {"start.bas": "TALK 1", "b.bas": "TALK 3"})
    assert one.version == same.version == digest_of(one.package.to_bytes())
    assert one.version != other.version
    assert BotPackage.from_bytes(one.package.to_bytes()) == one.package


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param(
            {"start.bas": b'TALK 1\nTALK "\xe9"'},
            "start.bas:2: error: It is not UTF-8: byte 0xe9 at offset 13",
            id="utf-8",
        ),
        pytest.param({"start.bas": b"\xef\xbb\xbfTALK \xff"}, "byte 0xff at offset 8", id="utf-8-after-bom"),
        pytest.param({"start.bas": "'" * (LIMIT + 1)}, "takes 1,001 bytes; at most 1,000 are read", id="too-large"),
        pytest.param(
            {"start.bas": "TALK 1", "a.gbdialog/START.bas": "TALK 2"}, "There is a script 'start' already", id="twice"
        ),
        pytest.param(
            {"a.gbot/config.csv": "name,value\nnonsense\n", "start.bas": ""},
            "config.csv:2: error: A line is name,value",
            id="no-comma",
        ),
        pytest.param(
            {"name-the-cat.bas": "TALK 1", "a.gbdialog/name_the_cat.bas": "TALK 2"},
            "and - is as good as _",
            id="twice-for-call",
        ),
        *(
            pytest.param(
                {"a.gbot/config.csv": f"name,value\ntitle,Cats\n{line}\n", "start.bas": ""},
                f"config.csv:3: error: {said}",
                id=line.partition(",")[0],
            )
            for line, said in (
                ("Overlap-Policy,drop", "overlap-policy is 'drop', and has to be one of queue, debounce, interrupt."),
                ("failed-turn,stop", "failed-turn is 'stop', and has to be one of skip, block."),
                ("debounce-secs,soon", "debounce-secs is 'soon', and has to be a number of seconds"),
                ("idle-timeout-secs,-5", "idle-timeout-secs is '-5', and has to be a number of seconds"),
                ("hear-timeout-secs,nan", "hear-timeout-secs is 'nan', and has to be a number of seconds"),
                ("basic-max-steps,0", "basic-max-steps is '0', and has to be a number, at least 1."),
                ("timezone,Lisbon", "timezone is 'Lisbon', and has to be a time zone such as"),
                ("locale,Português!", "locale is 'Português!', and has to be a language such as"),
            )
        ),
        pytest.param({"readme.txt": ""}, "There is no script in it", id="no-script"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, files: dict[str, str | bytes], said: str) -> None:
    found = draft(tmp_path, files)
    assert not found.publishable
    assert said in "\n".join(fault.text for fault in found.faults)


@pytest.mark.parametrize("closed", ["shop.gbai", "shop.gbai/shop.gbdialog", "shop.gbai/shop.gbdialog/deep"])
def test_a_bot_does_not_go_out_without_what_may_not_be_read(tmp_path: Path, closed: str) -> None:
    folder = tmp_path / "shop.gbai"
    deep = folder / "shop.gbdialog" / "deep"
    deep.mkdir(parents=True)
    (folder / "start.bas").write_text('TALK "one"\n')
    (deep / "more.bas").write_text('TALK "two"\n')
    (tmp_path / closed).chmod(0)
    with held_to_permissions():
        found = draft_of(folder, max_script_bytes=LIMIT)
    (tmp_path / closed).chmod(0o755)
    assert [fault.text for fault in found.faults] == [
        f"{tmp_path / closed}: error: It cannot be read: Permission denied."
    ]


def test_a_name_has_to_fit_into_an_address(tmp_path: Path) -> None:
    found = draft_of(write(tmp_path / "my shop.gbai", {"start.bas": "TALK 1"}), max_script_bytes=LIMIT)
    assert "is no name for a bot" in found.faults[0].text


def test_two_folders_that_are_one_bot_are_told(tmp_path: Path) -> None:
    small, large = (write(tmp_path / name, {"start.bas": f"TALK '{name}'"}) for name in ("shop.gbai", "Shop.GBAI"))
    if small.samefile(large):
        pytest.skip("this file system does not tell them apart")
    (fault,) = draft_of(large, max_script_bytes=LIMIT).faults
    assert "There is a bot 'shop' already: shop.gbai." in fault.message
    assert draft_of(small, max_script_bytes=LIMIT).publishable


def test_a_byte_order_mark_is_no_part_of_the_script(tmp_path: Path) -> None:
    assert draft(tmp_path, {"start.bas": b"\xef\xbb\xbfTALK 1"}).package.scripts == {"start": "TALK 1"}


def test_packages_are_found_in_a_folder_or_named(tmp_path: Path) -> None:
    for name in ("b.gbai", "A.GBAI", "other"):
        (tmp_path / name).mkdir()
    assert [folder.name for folder in find_packages(tmp_path)] == ["A.GBAI", "b.gbai"]
    assert find_packages(tmp_path / "b.gbai") == [tmp_path / "b.gbai"]
    assert find_packages(tmp_path / "nowhere") == []


def test_all_errors_of_all_files_are_told_with_carets(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop.gbai", {"start.bas": "TALK (1\nIF x THEN\n", "other.bas": "EXIT FOR\nTALK ]\n"})
    found = check_package(folder, LIMIT)
    assert not found.publishable
    assert {fault.file.name for fault in found.faults if not fault.warning} == {"start.bas", "other.bas"}
    assert all("^" in fault.text for fault in found.faults)
    assert found.faults == sorted(found.faults, key=lambda fault: (str(fault.file), fault.line, fault.column))


def test_one_broken_file_hides_nothing_of_the_others(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "start.bas": 'TALK (1\nCALL "other.bas"\nCALL "bytes.bas"\nEXIT FOR\n',
        "other.bas": "x = 1 2\nGOTO nowhere\n",
        "bytes.bas": b"TALK \xff",
    }
    found = check_package(write(tmp_path / "shop.gbai", files), LIMIT)
    assert [(fault.file.name, fault.line, fault.warning) for fault in found.faults] == [
        ("bytes.bas", 1, False),
        ("other.bas", 1, False),
        ("other.bas", 2, False),
        ("start.bas", 1, False),
        ("start.bas", 4, False),
    ]


def test_a_warning_keeps_nothing_from_being_published(tmp_path: Path) -> None:
    found = check_package(write(tmp_path / "shop.gbai", {"start.bas": "TALK nobody_set_me\n"}), LIMIT)
    assert found.publishable
    assert found.faults
    assert all(fault.warning for fault in found.faults)


def test_settings_that_make_sense_are_taken(tmp_path: Path) -> None:
    config = """
overlap-policy,Interrupt
failed-turn,block
debounce-secs,0.5
idle-timeout-secs,
basic-max-frame,1e5
timezone,America/Sao_Paulo
locale,pt_BR
param-anything,"""
    assert not draft(tmp_path, {"a.gbot/config.csv": config, "start.bas": ""}).faults


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("overlap-polcy,queue", "overlap-polcy is no setting. Did you mean overlap-policy?"),
        (
            "sesion-idle-secs,5",
            "sesion-idle-secs is no setting, and no script asks for it. Did you mean idle-timeout-secs?",
        ),
        ("opening-hours,9-17", "If scripts are to have it as a variable, call it param-opening_hours."),
    ],
)
def test_a_name_that_is_no_setting_is_a_warning(tmp_path: Path, line: str, said: str) -> None:
    found = draft(tmp_path, {"a.gbot/config.csv": f"name,value\n{line}\n", "start.bas": 'x = GET "config", "shop"'})
    assert found.publishable
    (fault,) = found.faults
    assert "config.csv:2: warning: " in fault.text
    assert fault.text.endswith(said)


@pytest.mark.parametrize(
    ("name", "script"),
    [
        pytest.param("param-timezon", "", id="parameter"),
        pytest.param("shop", 'x = GET "config", "Shop"', id="asked for"),
        pytest.param("shop", "TALK GET('config', 'shop')", id="asked for in a call"),
        pytest.param("shop", 'x = GET "config", what', id="asked for by a variable"),
        pytest.param("shop", 'x = GET "config", "s${what}"', id="asked for by a part"),
        *(pytest.param(name, "", id=name) for name in ("llm-model", "whatsapp-token", "mail-server", "theme-color1")),
    ],
)
def test_a_name_of_scripts_or_of_what_is_to_come_is_none_that_is_wrong(tmp_path: Path, name: str, script: str) -> None:
    assert not draft(tmp_path, {"a.gbot/config.csv": f"{name},1\n", "start.bas": script}).faults


@pytest.mark.parametrize("file", ["config.csv", "settings/Config.csv", "shop.gbdialog/config.csv"])
def test_settings_that_nobody_reads_are_a_warning(tmp_path: Path, file: str) -> None:
    found = draft(tmp_path, {file: "title,Shop\n", "start.bas": "TALK 1"})
    assert found.publishable
    assert found.package.config == {}
    (fault,) = found.faults
    assert fault.file == tmp_path / "shop.gbai" / file
    assert fault.text.endswith(
        "warning: It is not read here. Settings stand in a folder that ends in .gbot: move it to shop.gbot/config.csv."
    )


def test_files_of_the_bot_may_be_called_as_its_settings_are(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.gbdrive/config.csv": "a", "a.gbkb/config.csv": "b", ".git/config.csv": "c"}
    assert not draft(tmp_path, files | {"start.bas": "TALK 1", "a.gbot/config.csv": "title,Shop"}).faults


@pytest.mark.parametrize("length", [10, 1_000])
async def test_a_package_is_the_same_wherever_it_was_checked(tmp_path: Path, length: int) -> None:
    folder = tmp_path / "long.gbai"
    folder.mkdir()
    (folder / "start.bas").write_text('TALK "How do you do?"\n' * length + "TALK (\nx = y\n")
    here = check_package(folder, 100_000)
    assert await check_beside(folder, 100_000) == here
    assert not here.publishable


async def test_a_long_package_is_checked_by_nobody_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "long.gbai"
    folder.mkdir()
    lines = [
        f'x{n % 50} = {n} + LEN("abc{n}")\nIF x{n % 50} > 10 THEN TALK "it is " + x{n % 50}\n' for n in range(3_500)
    ]
    (folder / "start.bas").write_text("".join(lines))

    def never(*_: object) -> None:
        raise AssertionError("it is checked in this process")

    monkeypatch.setattr("botswain.packages.checking.check_script", never)
    assert (await check_beside(folder, 300_000)).publishable
