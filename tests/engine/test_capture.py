"""What a step says is recorded under that step, and still reaches whom it was meant for."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from captured import JOB, Log, hooked_places, say
from findspot.core.records import LogLine
from findspot.engine.capturing.capture import Capture, unrecorded


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
                together.wait(120)
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
        ended.wait(120)
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
