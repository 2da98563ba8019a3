"""How written text becomes lines, and how streams and whole programs stay what they were."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest

from captured import JOB, Log, hooked_places, say
from findspot.engine.capturing.capture import Capture


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger as a library has it: no level and no handlers of its own."""
    logger = logging.getLogger("findspot_test_of_capture")
    yield logger
    logger.setLevel(logging.NOTSET)
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture(autouse=True)
def nothing_stays_hooked() -> Iterator[None]:
    before = hooked_places()
    yield
    assert hooked_places() == before


# ------------------------------------------------------------------ lines


@pytest.mark.parametrize(
    ("writes", "lines"),
    [
        (["a", "b\nc", "\n"], ["ab", "c"]),
        (["no end"], ["no end"]),
        (["\n\n"], ["", ""]),
        (["windows\r\n", "ends\r\n"], ["windows", "ends"]),
        (["\r10 %", "\r50 %", "\r100 %", "\n"], ["100 %"]),
        (["10 %\r", "50 %\r", "100 %\r"], ["100 %"]),
        (["\r10 %", "\r20 %"], ["20 %"]),
        (["\x1b[32mgreen\x1b[0m \x1b]0;title\x07text\n"], ["green text"]),
        (["nul \x00 here\n"], ["nul \ufffd here"]),
        (["lone \ud800\n"], ["lone \\ud800"]),
        (["ünïcödé ✓\n"], ["ünïcödé ✓"]),
    ],
)
def test_lines_of_what_is_written(log: Log, writes: list[str], lines: list[str]) -> None:
    stream = io.StringIO()
    with (
        contextlib.redirect_stdout(stream),
        Capture(log.append) as capture,
        capture.step(JOB, "fit"),
    ):
        for text in writes:
            sys.stdout.write(text)
    assert log.texts() == lines
    assert stream.getvalue() == "".join(writes)


def test_a_long_line_is_cut_and_says_so(log: Log) -> None:
    with Capture(log.append, line_bytes=10) as capture, capture.step(JOB, "fit"):
        say("x" * 25)
        say("é" * 8)
        for _ in range(25):
            sys.stdout.write("y")
        sys.stdout.write("\n")
        say("short")
    assert log.texts() == [
        "x" * 10 + " [cut: the line has 25 bytes]",
        "é" * 5 + " [cut: the line has 16 bytes]",
        "y" * 10 + " [cut: the line has 25 bytes]",
        "short",
    ]


def test_by_default_a_line_may_have_64_kib(log: Log) -> None:
    with Capture(log.append, echo=False) as capture, capture.step(JOB, "fit"):
        say("x" * 65536)
        say("x" * 65537)
    assert [len(text) for text in log.texts()] == [65536, 65536 + len(log[1].text[65536:])]
    assert log[1].text.endswith("[cut: the line has 65,537 bytes]")


def test_a_flood_of_lines_is_cut_and_says_so(log: Log, logger: logging.Logger) -> None:
    with Capture(log.append, echo=False, max_lines=3) as capture:
        with capture.step(JOB, "fit"):
            for i in range(1000):
                say(str(i))
            logger.propagate = False
            logger.info("one more")
        with capture.step(JOB, "next"):
            say("heard")
    assert log.texts("fit")[:3] == ["0", "1", "2"]
    [note] = log.texts("fit")[3:]
    assert note.startswith("998 more lines")
    assert (log[3].source, log[3].level) == ("findspot", "WARNING")
    assert log.texts("next") == ["heard"]


def test_a_flood_of_bytes_is_cut_and_says_so(log: Log) -> None:
    with Capture(log.append, echo=False, max_bytes=100) as capture, capture.step(JOB, "fit"):
        for _ in range(5):
            say("z" * 40)
    assert log.texts()[:2] == ["z" * 40] * 2
    assert log.texts()[2].startswith("3 more lines")


# ------------------------------------------------------------------ streams come and go


def test_streams_are_restored_exactly(log: Log, logger: logging.Logger) -> None:
    stdout, stderr, shown = sys.stdout, sys.stderr, warnings.showwarning
    with Capture(log.append) as first:
        with Capture(log.append) as second, second.step("second", "s"):
            assert sys.stdout is not stdout
        with first.step("first", "s"):
            say("still recorded")
    assert (sys.stdout, sys.stderr, warnings.showwarning) == (stdout, stderr, shown)
    assert [line.job for line in log] == ["first"]
    assert not logger.isEnabledFor(logging.INFO)


def test_streams_are_replaced_once_a_job_and_not_once_a_step(log: Log) -> None:
    with Capture(log.append) as capture:
        hooked = hooked_places()
        for name in ("fit", "score"):
            with capture.step(JOB, name):
                assert hooked_places() == hooked


def test_a_stream_that_the_step_redirects_is_its_own(log: Log) -> None:
    own = io.StringIO()
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        with contextlib.redirect_stdout(own):
            say("into a string")
        say("out loud")
    assert own.getvalue() == "into a string\n"
    assert log.texts() == ["out loud"]


def test_a_stream_that_a_step_puts_in_place_stays_and_the_next_step_is_recorded(
    log: Log,
) -> None:
    before, own = sys.stdout, io.StringIO()
    try:
        with Capture(log.append) as capture:
            with capture.step(JOB, "replace"):
                sys.stdout = own
            with capture.step(JOB, "fit"):
                say("recorded and written")
        assert sys.stdout is own
    finally:
        sys.stdout = before
    assert own.getvalue() == "recorded and written\n"
    assert log.texts("fit") == ["recorded and written"]


def test_capsys_disabled_inside_a_step(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        say("one")
        with capsys.disabled():
            pass
        say("two")
        assert capsys.readouterr().out.startswith("one\n")
    assert log.texts()[0] == "one"


def test_a_handler_made_in_a_step_works_afterwards(
    log: Log, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        logger.propagate = False
        logger.addHandler(logging.StreamHandler(sys.stderr))
        logger.warning("during")
    logger.warning("after")
    assert log.texts() == [f"{logger.name}: during"]
    assert capsys.readouterr().err == "during\nafter\n"


def test_the_stand_in_is_the_stream_for_those_who_ask(log: Log) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        assert sys.stdout.encoding.lower().replace("-", "") == "utf8"
        assert sys.stdout.isatty() is False
        assert isinstance(sys.stdout, io.TextIOBase)
        print("flushed", end="", flush=True)  # noqa: T201 - as above
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")  # type: ignore[arg-type]
    assert log.texts() == ["flushed"]


def test_a_program_without_streams(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with Capture(log.append) as capture, capture.step(JOB, "fit"):
            say("into nothing")
            sys.stderr.write("heard\n")
        assert sys.stdout is None
    assert log.texts() == ["heard"]


def test_a_block_may_end_in_another_context_than_it_began(log: Log) -> None:
    step = None
    with Capture(log.append, job=JOB) as capture:
        step = capture.step(JOB, "cell")
        step.__enter__()
        thread = threading.Thread(target=lambda: step.__exit__(None, None, None))
        thread.start()
        thread.join()
        say("afterwards")
    step.__exit__(None, None, None)
    assert log.texts(None) == ["afterwards"]


def test_a_closed_capture_has_no_steps(log: Log) -> None:
    capture = Capture(log.append)
    with pytest.raises(RuntimeError, match="not open"):
        capture.step(JOB, "fit")
    with capture, pytest.raises(RuntimeError, match="open already"):
        capture.__enter__()


# ------------------------------------------------------------------ whole programs


@pytest.fixture
def program() -> Callable[[str], subprocess.CompletedProcess[str]]:
    def run(source: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "always", "-c", textwrap.dedent(source)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_the_terminal_sees_a_program_as_without_capture(
    program: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    said = """
        import logging, sys, warnings
        from findspot.engine.capturing.capture import Capture

        def talk():
            print("printed")
            sys.stderr.write("written\\n")
            logging.getLogger("library").info("hidden")
            logging.getLogger("library").warning("logged by last resort")
            warnings.warn("warned")
            logging.basicConfig(level=logging.INFO)
            logging.info("configured")
            print("no end", end="")
    """
    plain = program(said + "\n        talk()")
    captured = program(
        said
        + """
        lines = []
        with Capture(lines.append) as capture, capture.step("j", "s"):
            talk()
        with open(2, "w", closefd=False) as out:
            out.write("\\n".join(f"{line.source}|{line.text}" for line in lines))
    """
    )
    on_terminal = [
        "written",
        "logged by last resort",
        "<string>:10: UserWarning: warned",
        "INFO:root:configured",
    ]
    assert plain.stdout == captured.stdout == "printed\nno end"
    assert plain.stderr.splitlines() == on_terminal
    assert captured.stderr.splitlines() == [
        *on_terminal,
        "print|printed",
        "stderr|written",
        "logging|library: hidden",
        "logging|library: logged by last resort",
        "warnings|<string>:10: UserWarning: warned",
        "logging|root: configured",
        "print|no end",
    ]


def test_a_terminal_stays_one() -> None:
    source = """if True:
        import sys
        from findspot.engine.capturing.capture import Capture
        with Capture(lambda line: None) as capture, capture.step("j", "s"):
            print(f"{sys.stdout.isatty()} {sys.stdout.fileno()}")
    """
    terminal, child = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", source], stdout=child, timeout=300, check=True)
        assert os.read(terminal, 1000).decode().strip() == "True 1"
    finally:
        os.close(child)
        os.close(terminal)


def test_a_line_into_a_broken_pipe_is_recorded(
    program: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    result = program(
        """
        import os, sys
        from findspot.engine.capturing.capture import Capture

        reading, writing = os.pipe()
        os.close(reading)
        sys.stdout = open(writing, "w", buffering=1)
        lines = []
        with Capture(lines.append) as capture, capture.step("j", "s"):
            try:
                print("to nobody")
            except BrokenPipeError:
                os._exit(0 if [line.text for line in lines] == ["to nobody"] else 1)
        os._exit(2)
        """
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_forked_child_gives_nothing_to_the_parents_sink(
    program: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    result = program(
        """
        import os, sys
        from findspot.engine.capturing.capture import Capture

        lines = []
        with Capture(lines.append) as capture, capture.step("j", "s"):
            print("parent", flush=True)
            child = os.fork()
            if child == 0:
                print("child", flush=True)
                with Capture(lines.append, job="k") as own, own.step("k", "t"):
                    print("own", flush=True)
                os._exit(0 if [line.text for line in lines] == ["parent", "own"] else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [line.text for line in lines] == ["parent"], lines
        """
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "parent\nchild\nown\n"
