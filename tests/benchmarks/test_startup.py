"""The benchmark of start-up times: every command runs, and its imports are read."""

import csv

from benchmarks import startup


def test_each_command_is_timed_and_its_imports_are_told(tmp_path, monkeypatch, capsys):
    kept = {"--help", "import lmdistill"}
    real = startup.commands
    monkeypatch.setattr(startup, "commands", lambda folder: (one for one in real(folder) if one[0] in kept))
    startup.main(["--rounds", "1", "--results", str(tmp_path / "results.csv")])
    text = (tmp_path / "results.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["way"] for row in rows} == kept
    assert all(0 < float(row["value"]) < 60 for row in rows)
    assert capsys.readouterr().out.count("none") == len(kept)


def test_a_heavy_import_is_seen():
    code = startup.LISTING + "import sys; sys.modules['torch'] = sys"
    seconds, imports = startup.cpu_seconds(["-c", code], startup.ROOT / "src")
    assert imports == "torch"
    assert seconds > 0
