"""What a step says is recorded under that step, and still reaches whom it was meant for."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from findspot.core.records import LogLine
from findspot.engine.capture import Capture, unrecorded

JOB = "job 1"


class Log(list[LogLine]):
    """A sink that remembers."""

    def texts(self, step: str | None = "fit") -> list[str]:
        return [line.text for line in self if line.step == step]

    def said(self) -> list[tuple[str, str, str]]:
        return [(line.source, line.level, line.text) for line in self]


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
    def places() -> list[object]:
        return [
            sys.stdout,
            sys.stderr,
            warnings.showwarning,
            logging.Logger.callHandlers,
            threading.Thread.start,
            logging.root.level,
            list(logging.root.handlers),
        ]

    before = places()
    yield
    assert places() == before


def say(text: str) -> None:
    print(text)  # noqa: T201 - printing is what is tested here


# ------------------------------------------------------------------ sources


def test_print_is_recorded_and_still_printed(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        say("loss 0.3")
    [line] = log
    assert (line.job, line.step, line.source, line.level) == (JOB, "fit", "print", "INFO")
    assert line.text == "loss 0.3"
    assert line.time.tzinfo is not None
    assert capsys.readouterr().out == "loss 0.3\n"


def test_standard_error(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        sys.stderr.write("one\ntwo\n")
        sys.stderr.writelines(["three\n", "four\n"])
    assert log.said() == [("stderr", "INFO", t) for t in ("one", "two", "three", "four")]
    assert capsys.readouterr().err == "one\ntwo\nthree\nfour\n"


def test_logging_from_info_on_with_an_untouched_root(log: Log, logger: logging.Logger) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        logger.debug("too fine")
        logger.info("epoch %d", 3)
        logger.warning("slow")
    assert log.said() == [
        ("logging", "INFO", f"{logger.name}: epoch 3"),
        ("logging", "WARNING", f"{logger.name}: slow"),
    ]


def test_a_loggers_own_level_and_propagation_are_respected(
    log: Log, logger: logging.Logger
) -> None:
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        logger.warning("not effective")
        logger.error("effective")
    assert log.texts() == [f"{logger.name}: effective"]


def test_debug_is_recorded_when_the_capture_asks_for_it(log: Log, logger: logging.Logger) -> None:
    with Capture(log.append, level=logging.DEBUG) as capture, capture.step(JOB, "fit"):
        logger.debug("fine")
    assert log.said() == [("logging", "DEBUG", f"{logger.name}: fine")]


def test_the_users_handlers_see_only_what_they_saw_before(
    log: Log, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        logger.info("for the job's log")
        logger.warning("for both")
    assert caplog.messages == ["for both"]
    assert len(log) == 2


def test_a_traceback_is_one_line_record_and_the_users_formatter_is_untouched(
    log: Log, logger: logging.Logger
) -> None:
    short = logging.Formatter()
    setattr(short, "formatException", lambda error: "<traceback>")  # noqa: B010 - mypy

    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(short)
    logger.addHandler(handler)
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        try:
            raise ValueError("bad shape")
        except ValueError:
            logger.exception("failed")
    [line] = log
    assert line.text.startswith(f"{logger.name}: failed\nTraceback")
    assert line.text.endswith("ValueError: bad shape")
    assert output.getvalue() == "failed\n<traceback>\n"


def test_basic_config_in_a_step_works_and_what_it_prints_is_not_recorded_twice(
    log: Log, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers, level = list(logging.root.handlers), logging.root.level
    for handler in handlers:
        logging.root.removeHandler(handler)
    try:
        with Capture(log.append) as capture, capture.step(JOB, "fit"):
            logging.basicConfig(level=logging.INFO, format="says %(message)s")
            logger.info("hello")
            assert capsys.readouterr().err == "says hello\n"
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    assert log.said() == [("logging", "INFO", f"{logger.name}: hello")]


def test_a_message_that_does_not_fit_its_arguments_is_recorded_as_it_is(
    log: Log, logger: logging.Logger
) -> None:
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        logger.warning("%d apples", "two")
    assert log[0].text.startswith(f"{logger.name}: '%d apples' (TypeError")


def test_structlog_as_it_comes_prints(log: Log) -> None:
    structlog.reset_defaults()
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        structlog.get_logger().info("trained", loss=0.25)
    [line] = log
    assert line.source == "print"
    assert "trained" in line.text
    assert "loss=0.25" in line.text
    assert "\x1b" not in line.text


def test_structlog_through_logging(log: Log, logger: logging.Logger) -> None:
    try:
        structlog.configure(
            processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        with Capture(log.append) as capture, capture.step(JOB, "fit"):
            structlog.get_logger(logger.name).warning("trained", loss=0.25)
    finally:
        structlog.reset_defaults()
    assert log.said() == [("logging", "WARNING", f"{logger.name}: trained loss=0.25")]


def test_warnings_are_recorded_and_still_shown(log: Log) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with Capture(log.append) as capture, capture.step(JOB, "fit"):
            warnings.warn("old name", DeprecationWarning, stacklevel=1)
    [line] = log
    assert (line.source, line.level) == ("warnings", "WARNING")
    assert line.text.startswith(f"{__file__}:")
    assert line.text.endswith("DeprecationWarning: old name")
    assert [str(w.message) for w in shown] == ["old name"]


def test_warnings_as_errors_stay_errors(log: Log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with (
            pytest.raises(UserWarning, match="stop"),
            Capture(log.append) as capture,
            capture.step(JOB, "fit"),
        ):
            warnings.warn("stop", stacklevel=1)
    assert log == []


def test_a_warning_that_the_step_records_itself_is_the_steps_own(log: Log) -> None:
    with (
        Capture(log.append) as capture,
        capture.step(JOB, "fit"),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        warnings.warn("expected", stacklevel=1)
    assert len(caught) == 1
    assert log == []


# ------------------------------------------------------------------ whose line it is


def test_steps_that_run_at_once_get_their_own_lines(log: Log, logger: logging.Logger) -> None:
    together = threading.Barrier(2)

    def run(capture: Capture, name: str) -> None:
        with capture.step(JOB, name):
            for i in range(50):
                together.wait(10)
                sys.stdout.write(f"{name} ")
                sys.stdout.write(f"{i}\n")
                logger.info("%s %d", name, i)

    with Capture(log.append) as capture, ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(run, capture, name) for name in ("a", "b")]:
            future.result()
    for name in ("a", "b"):
        printed = [line.text for line in log if line.step == name and line.source == "print"]
        logged = [line.text for line in log if line.step == name and line.source == "logging"]
        assert printed == [f"{name} {i}" for i in range(50)]
        assert logged == [f"{logger.name}: {name} {i}" for i in range(50)]
    assert len(log) == 200


def test_a_thread_that_a_step_started_speaks_for_it(log: Log) -> None:
    def inner() -> None:
        say("from the pool of a thread")

    def outer() -> None:
        say("from a thread")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(inner).result()

    with Capture(log.append) as capture, capture.step(JOB, "other"), capture.step(JOB, "fit"):
        thread = threading.Thread(target=outer)
        thread.start()
        thread.join()
    assert log.texts("fit") == ["from a thread", "from the pool of a thread"]
    assert log.texts("other") == []


def test_a_thread_that_outlives_its_step_speaks_for_the_job(log: Log) -> None:
    ended = threading.Event()

    def linger() -> None:
        ended.wait(10)
        say("late")

    with Capture(log.append) as capture:
        with capture.step(JOB, "fit"):
            thread = threading.Thread(target=linger)
            thread.start()
        with capture.step(JOB, "next"):
            ended.set()
            thread.join()
    assert [(line.job, line.step, line.text) for line in log] == [(JOB, None, "late")]


def test_a_thread_from_before_speaks_for_the_job(log: Log) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with Capture(log.append, job=JOB) as capture, capture.step(JOB, "fit"):
            pool.submit(say, "who am I?").result()
    assert [(line.job, line.step) for line in log] == [(JOB, None)]


def test_asyncio_tasks_each_in_a_step(log: Log) -> None:
    async def run(capture: Capture, name: str) -> None:
        with capture.step(JOB, name):
            for i in range(3):
                say(f"{name}{i}")
                await asyncio.sleep(0)
                await asyncio.to_thread(say, f"{name}{i} thread")

    async def both() -> None:
        await asyncio.gather(run(capture, "a"), run(capture, "b"))

    with Capture(log.append) as capture:
        asyncio.run(both())
    for name in ("a", "b"):
        assert log.texts(name) == [t for i in range(3) for t in (f"{name}{i}", f"{name}{i} thread")]


def test_outside_any_step_the_line_is_the_jobs(log: Log) -> None:
    with Capture(log.append, job=JOB) as capture:
        say("before")
        with capture.step(JOB, "fit"):
            say("in")
        say("after")
    assert log.texts(None) == ["before", "after"]
    assert log.texts("fit") == ["in"]


def test_a_job_inside_a_step_of_another(log: Log) -> None:
    with Capture(log.append) as outer, outer.step("outer", "search"):
        say("start")
        with Capture(log.append) as inner, inner.step("inner", "fit"):
            say("fitting")
        say("end")
    assert [(line.job, line.step, line.text) for line in log] == [
        ("outer", "search", "start"),
        ("inner", "fit", "fitting"),
        ("outer", "search", "end"),
    ]


def test_nested_steps_and_an_error(log: Log) -> None:
    def fail(capture: Capture) -> None:
        with capture.step(JOB, "inner"):
            sys.stdout.write("half a line")
            raise ZeroDivisionError

    with Capture(log.append) as capture, capture.step(JOB, "outer"):
        with pytest.raises(ZeroDivisionError):
            fail(capture)
        say("on")
    assert log.texts("inner") == ["half a line"]
    assert log.texts("outer") == ["on"]


def test_what_the_sink_says_is_not_recorded(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[LogLine] = []

    def sink(line: LogLine) -> None:
        say("noted")
        logger.warning("noted")
        lines.append(line)

    with Capture(sink) as capture, capture.step(JOB, "fit"):
        say("hello")
        logger.warning("careful")
    assert [line.text for line in lines] == ["hello", f"{logger.name}: careful"]
    assert capsys.readouterr().out.splitlines().count("noted") == 2


def test_unrecorded(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    with Capture(log.append) as capture, capture.step(JOB, "fit"):
        with unrecorded():
            say("50 %")
        say("done")
    assert log.texts() == ["done"]
    assert capsys.readouterr().out == "50 %\ndone\n"


# ------------------------------------------------------------------ echo


def test_without_echo_nothing_reaches_the_terminal(
    log: Log, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    with Capture(log.append, echo=False) as capture, capture.step(JOB, "fit"):
        say("printed")
        sys.stderr.write("written\n")
        logger.addHandler(logging.StreamHandler())
        logger.warning("logged")
    assert log.texts() == ["printed", "written", f"{logger.name}: logged"]
    assert capsys.readouterr() == ("", "")


def test_a_job_inside_one_without_echo_has_none_either(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    with Capture(log.append, echo=False) as outer, outer.step("outer", "search"):
        with Capture(log.append) as inner, inner.step("inner", "fit"):
            say("quiet")
        with Capture(log.append, echo=True) as inner, inner.step("inner", "fit"):
            say("loud")
    assert len(log) == 2
    assert capsys.readouterr().out == "loud\n"


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
            timeout=60,
            check=False,
        )

    return run


def test_the_terminal_sees_a_program_as_without_capture(
    program: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    said = """
        import logging, sys, warnings
        from findspot.engine.capture import Capture

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


def test_a_terminal_stays_one(program: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    result = program(
        """
        import os, pty, sys
        child, terminal = pty.fork()
        if child == 0:
            from findspot.engine.capture import Capture
            with Capture(lambda line: None) as capture, capture.step("j", "s"):
                print(sys.stdout.isatty(), sys.stdout.fileno(), os.get_terminal_size().columns >= 0)
            os._exit(0)
        said = os.read(terminal, 1000).decode()
        os.waitpid(child, 0)
        sys.exit(said.strip() != "True 1 True" and said)
        """
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_line_into_a_broken_pipe_is_recorded(
    program: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    result = program(
        """
        import os, sys
        from findspot.engine.capture import Capture

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
        from findspot.engine.capture import Capture

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
