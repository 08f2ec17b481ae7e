"""Texts of files reach a terminal, and Markdown, as text."""

import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.table import Table
from rich.text import Text

from lmdistill.cli.console import complain, results, say
from lmdistill.core.printable import CONTROL, one_line, printable
from lmdistill.core.terminal import Terminal
from lmdistill.records.record import Record
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.model_card import model_card, run_readme
from tests.cli.cli_project import texts, write_csv
from tests.report.factory import make_record, plain_record, write_run

TITLE = "\x1b]0;owned\x07"
OVERRIDE = "\u202egpj.exe\u2066"
EVIL = f"a{TITLE}b\x9b31mc{OVERRIDE}d\x00"
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text):
    """No control character but newline and tab, and the text around it is still there."""
    assert FORBIDDEN.search(text) is None, repr(FORBIDDEN.search(text))


def test_every_control_character_is_written_as_a_number_and_no_other_changes():
    for number in range(0x110000):
        char = chr(number)
        shown = printable(char)
        is_control = unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n"
        if is_control or 0x202A <= number <= 0x202E or 0x2066 <= number <= 0x2069:
            assert shown == f"\\u{number:04x}"
        elif char not in "\u2028\u2029":
            assert shown == char


@given(st.text())
def test_what_is_printable_stays(text):
    clean(printable(text))
    assert printable(printable(text)) == printable(text)
    assert "\n" not in one_line(text)


@given(st.text(max_size=30))
def test_a_console_shows_any_text_without_obeying_it(text):
    console = Terminal(soft_wrap=True)
    console.file = io.StringIO()
    table = Table(title=text)
    table.add_column(text)
    table.add_row(Text(text))
    console.print(text, Text(text), table)
    clean(console.file.getvalue())


def test_colours_of_our_own_stay(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    console = Terminal()
    console.file = io.StringIO()
    console._color_system = ColorSystem.STANDARD  # rich reads the environment once a process
    console.print(Text("x\x1b[31m", style="bold"))
    assert "\x1b[1m" in console.file.getvalue()
    assert "\\u001b[31m" in console.file.getvalue()


def test_markup_in_a_text_is_text(capsys):
    results().print("[link=http://evil]x[/link] [bold]y[/bold]")
    assert "[link=http://evil]x[/link]" in capsys.readouterr().out


@pytest.mark.parametrize("speak", [say, complain])
def test_lines_are_clean(speak, capsys):
    speak(f"file {EVIL}")
    shown = capsys.readouterr()
    clean(shown.out + shown.err)
    assert "owned" in shown.out + shown.err


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """Runs whose names, labels, notes, alarms and sources hold control characters."""
    monkeypatch.chdir(tmp_path)
    for number, seed in enumerate((0, 1)):
        value = plain_record("KD", seed, 0.8 + number / 10)
        value["name"] = f"KD {EVIL}"
        value["alarms"] = [f"alarm {EVIL}"]
        value["command"] = f"lmdistill distill {EVIL}\nrm -rf /"
        value["method"]["name"] = f"kd{EVIL}"
        value["teacher"]["source"] = f"teacher{EVIL}"
        value["environment"]["processor"] = f"cpu{EVIL}"
        for key in ("name", "source"):
            value["task"][key] = f"task{EVIL}"
        value["task"]["labels"] = [f"no{EVIL}", "yes"]
        value["task"]["notes"] = [f"note {EVIL}"]
        record = Record.model_validate(value)
        path = Path(f"runs/r{seed}")
        written = write_run(Path("runs"), make_record("KD", seed), num_steps=5).path
        written.rename(path)
        (path / "record.json").write_text(json.dumps(value))
        assert record.name == value["name"]
    return Path("runs")


@pytest.mark.parametrize("options", [(), ("--markdown",), ("--files", "tables", "--out", "page")])
def test_a_report_of_such_records_is_clean(options, evil, lmdistill):
    said = lmdistill("report", evil, *options)
    assert said.code == 0, said.err
    clean(said.out + said.err)
    assert "owned" in said.out
    for path in Path("tables").glob("*.md"):
        clean(path.read_text(encoding="utf-8"))


def test_a_theory_and_errors_about_such_a_record_are_clean(evil, lmdistill):
    for command in (
        ("theory", "runs/r0"),
        ("predict", "runs/r0", "x.csv"),
        ("measure", "runs/r0"),
        ("evaluate", "runs/r0"),
    ):
        said = lmdistill(*command)
        clean(said.out + said.err)


def test_markdown_has_no_control_characters_and_no_links_of_others(evil):
    value = json.loads((evil / "r0" / "record.json").read_text())
    record = Record.model_validate(value)
    for text in (model_card(record), run_readme(record, f"runs{EVIL}")):
        clean(text)
        assert "owned" in text
    assert "\nrm -rf" not in run_readme(record, "runs")
    grid = Grid(
        caption="![x](http://evil/x.png)",
        header=("", EVIL),
        rows=((EVIL, "1"),),
        notes=(EVIL,),
        alarms=(EVIL,),
    )
    clean(markdown(grid))
    assert "](http" not in markdown(grid)


@pytest.mark.parametrize("command", [
    ("distill", f"no{EVIL[:-1]}.yaml", "--out", "x"), ("distill", "demo", "--out", "x", "--set", f"method.{EVIL[:-1]}=1"),
    ("report", f"no{EVIL[:-1]}"), ("study", f"no{EVIL[:-1]}"), ("list", f"x{EVIL[:-1]}"), (f"x{EVIL[:-1]}",),
    ("predict", f"no{EVIL[:-1]}", "x.csv"),
])  # fmt: skip
def test_what_was_typed_comes_back_clean(command, tmp_path, monkeypatch, lmdistill):
    monkeypatch.chdir(tmp_path)
    said = lmdistill(*command)
    assert said.code == 2
    clean(said.out + said.err)


def test_labels_and_texts_of_data_come_back_clean(place, lmdistill):
    rows = [[f"{text}{TITLE}", f"{label}{TITLE}"] for text, label in texts(24)]
    write_csv("evil.csv", rows)
    for sets in (("data.source=evil.csv", "data.dev=null"), ("data.dev=evil.csv",)):
        settings = [part for one in sets for part in ("--set", one)]
        said = lmdistill("distill", "recipe.yaml", "--out", "out", *settings)
        clean(said.out + said.err)
        assert "Traceback" not in said.err


def test_the_class_of_forbidden_characters_is_the_one_of_the_product():
    assert all(CONTROL.match(chr(number)) for number in range(0xFFFF) if FORBIDDEN.match(chr(number)))
