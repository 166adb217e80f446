"""
A real Apache Kafka for tests, benchmarks and demonstrations: one node, KRaft, on 127.0.0.1, ended with its context.

Maven brings the jars once, into ``.cache/kafka/<version>`` of the checkout; Java 17 runs them. By hand::

    python -m tests.support.kafka     # prints the bootstrap address, runs until Ctrl-C
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import pytest

__all__ = ["VERSION", "KafkaMissingError", "KafkaServer", "kafka_server", "require_kafka"]

VERSION: Final = "4.1.1"
CHECKOUT: Final = Path(__file__).resolve().parents[2]
CLUSTER_ID: Final = "Ym90c3dhaW4tdGVzdHMtMQ"  # 16 bytes in base64: botswain-tests-1
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0

# The jars are named, the repository is not: Maven's own settings say where it looks.
_POM: Final = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>botswain.tests</groupId>
  <artifactId>kafka</artifactId>
  <version>{VERSION}</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""

# One node is broker and controller. The internal topics have a replication factor of 3 and 50 partitions by default,
# a group waits 3 s for more members to join, and a killed broker is refused for 9 s when it comes back: fine for a
# cluster, an endless start for a test.
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},LINE://127.0.0.1:{line_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},LINE://127.0.0.1:{line_end_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LINE:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
log.index.size.max.bytes=65536
log.cleaner.dedupe.buffer.size=2097152
"""

_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class KafkaMissingError(RuntimeError):
    """Java or Maven is missing, or the server did not start; the message says which and shows the end of its log."""


def _jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven if it is not there yet; processes that need it at once share it."""
    home = CHECKOUT / ".cache" / "kafka" / VERSION
    if (home / "lib").is_dir():
        return home / "lib"
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissingError("Apache Kafka's jars come from Maven: install maven, or leave the Kafka tests out")
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "lib").is_dir():
            return home / "lib"
        (home / "pom.xml").write_text(_POM)
        fetched = home / "fetching"
        shutil.rmtree(fetched, ignore_errors=True)
        done = subprocess.run(
            [
                maven,
                "-B",
                "-q",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={fetched}",
            ],
            cwd=home,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode != 0:
            raise KafkaMissingError(
                f"Maven could not fetch Apache Kafka {VERSION}:\n{(done.stdout + done.stderr)[-4000:]}"
            )
        fetched.rename(home / "lib")
    return home / "lib"


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise KafkaMissingError("Apache Kafka needs Java 17: install a JRE, or leave the Kafka tests out")
    return java


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on now. All are held until the last is known, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


class KafkaServer:
    """
    One Kafka on a folder of its own. It may be stopped, killed and started again; address and data stay.

    Besides its own address it has one for a proxy: what connects to ``line_port`` is told to find the server at
    ``line_end_port``, where a test may listen and pass on or cut.

    Args:
        folder: empty; holds the data, the configuration and ``server.log``.
        heap_mb: the JVM's heap.
    """

    def __init__(self, folder: Path, *, heap_mb: int = 256) -> None:
        self._folder = folder
        self._port, self.line_port, self.line_end_port, controller_port = _free_ports(4)
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        properties = folder / "server.properties"
        properties.write_text(
            _PROPERTIES.format(
                port=self._port,
                line_port=self.line_port,
                line_end_port=self.line_end_port,
                controller_port=controller_port,
                data=folder / "data",
            )
        )
        (folder / "log4j2.properties").write_text(_LOGGING)
        self._java = [
            _java(),
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
            "-cp",
            f"{_jars()}/*",
        ]
        self._properties = str(properties)
        with self._log.open("ab") as log:
            self._run_tool(log, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", self._properties)

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The JVM's process id, None while it is down."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start, and return when it answers. Raises KafkaMissingError, with the end of its log."""
        assert self._process is None, "it runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", self._properties],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise KafkaMissingError(f"Apache Kafka did not start:\n{self.log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would, short of losing the operating system's page cache."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log_tail(self, size: int = 4000) -> str:
        """The end of what the server wrote."""
        return self._log.read_text(errors="replace")[-size:]

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sign)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _run_tool(self, log: IO[bytes], *command: str) -> None:
        done = subprocess.run([*self._java, *command], stdout=log, stderr=subprocess.STDOUT, timeout=60, check=False)
        if done.returncode != 0:
            raise KafkaMissingError(f"{command[0]} failed:\n{self.log_tail()}")

    def _answers(self) -> bool:
        """Does it take an ApiVersions request (version 0, no client id)? An open port alone answers too early."""
        request = b"\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(len(request).to_bytes(4, "big") + request)
                return len(connection.recv(8)) == 8
        except OSError:
            return False


@contextlib.contextmanager
def kafka_server(*, heap_mb: int = 256) -> Iterator[KafkaServer]:
    """A running Kafka on a folder that is removed at the end, or kept for a look at its log if the block raises."""
    folder = Path(tempfile.mkdtemp(prefix="botswain-kafka-"))
    server = None
    try:
        server = KafkaServer(folder, heap_mb=heap_mb)
        server.start()
        yield server
    except BaseException:
        print(f"the log of Apache Kafka is kept in {folder}")
        raise
    finally:
        if server is not None:
            server.kill()  # its data go too; in good order it takes up to 20 s if topics were just deleted
    shutil.rmtree(folder, ignore_errors=True)


def require_kafka() -> None:
    """Without Java or Maven the test is left out, and says so; where ``CI`` is set that is a failure."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"Apache Kafka needs Java 17 and Maven: {' and '.join(missing)} not found")


def _main() -> None:
    # `kill` ends it as Ctrl-C does, and the server with it; shells start what is in the background deaf to Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with kafka_server() as server:
        print(server.bootstrap, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    _main()
