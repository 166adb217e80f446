"""What becomes of a folder of packages in the database."""

from __future__ import annotations

from pathlib import Path

from botswain.packages.checking import check_package
from botswain.packages.publishing import Shelf, Workshop
from botswain.packages.reading import Draft
from bus.clock import SystemClock
from bus.postgres.database import open_database
from bus.postgres.reads import open_reads


async def test_a_broken_draft_leaves_the_version_before_it_in_force(postgres_url: str, tmp_path: Path) -> None:
    script = tmp_path / "shop.gbai" / "start.bas"
    script.parent.mkdir()
    told: list[tuple[bool, bool]] = []

    async def read(folder: Path) -> Draft:
        return check_package(folder, 100_000)

    async with open_database(postgres_url, "test", size=1) as database, open_reads(postgres_url) as reads:
        shelf = Shelf(database, SystemClock())
        workshop = Workshop(tmp_path, shelf, read, lambda draft, fresh: told.append((draft.publishable, fresh)))
        versions = []
        for text in ('TALK "one"', "TALK (", 'TALK "two"'):
            script.write_text(f"{text}\n")
            await workshop.publish_changed()
            row = await reads.bot("shop")
            assert row is not None
            versions.append(row.version)
    assert versions[0] == versions[1] != versions[2]
    assert told == [(True, True), (False, False), (True, True)]
