"""Bot packages: what is read from a folder, and what is said of what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from botswain.checking import check_package
from botswain.packages import Draft, draft_of, find_packages
from schemas.package import BotPackage, digest_of

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


def test_a_name_has_to_fit_into_an_address(tmp_path: Path) -> None:
    found = draft_of(write(tmp_path / "my shop.gbai", {"start.bas": "TALK 1"}), max_script_bytes=LIMIT)
    assert "is no name for a bot" in found.faults[0].text


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


def test_a_name_that_is_nearly_a_setting_is_a_warning(tmp_path: Path) -> None:
    found = draft(tmp_path, {"a.gbot/config.csv": "overlap-polcy,queue\nshop,ours\n", "start.bas": ""})
    assert found.publishable
    (fault,) = found.faults
    assert fault.text.endswith("config.csv:1: warning: overlap-polcy is no setting. Did you mean overlap-policy?")
