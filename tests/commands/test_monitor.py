"""An audit of an exported student: no alarm without drift, planted drift by its slice, one line for bad input."""

import html
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmdistill.analysis.count_tests import exact_interval
from lmdistill.commands.dated_answers import Columns
from lmdistill.commands.monitor import monitor
from lmdistill.core.errors import ConfigError, DataError, ModelError
from lmdistill.serving.certificate import Reference
from lmdistill.serving.manifest import read_manifest, write_manifest
from tests.commands.audits import PROMISED, THRESHOLD, certified, rows, student, texts, write_rows

REFERENCE, AUDIT = 1500, 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("certified") / "out"
    return certified(place, texts(np.random.default_rng(0), REFERENCE))


@pytest.fixture(scope="module")
def usual(folder):
    """Rows of an audit without drift."""
    return rows(folder, texts(np.random.default_rng(1), AUDIT))


def audit_of(tmp_path, written):
    return write_rows(tmp_path / "audit.jsonl", written)


def changed(usual, number, **cells):
    """The rows with other cells in one of them."""
    return [*usual[:number], {**usual[number], **cells}, *usual[number + 1 :]]


def flipped(labels, row):
    return {**row, "teacher": labels[(labels.index(row["predicted"]) + 1) % len(labels)]}


LABELS = ("red", "green", "blue")


def planted(usual, is_hit, share=0.35, seed=5):
    """Rows whose teacher differs in a share of those that are hit."""
    generator = np.random.default_rng(seed)
    return [flipped(LABELS, row) if is_hit(row) and generator.random() < share else row for row in usual]


def test_an_audit_without_drift_has_no_alarm_and_counts_every_row(folder, usual, tmp_path):
    report = monitor(folder, audit_of(tmp_path, usual))
    assert report.alarms == report.notes == ()
    assert report.headline.startswith("no alarm in ")
    agreed = [row["teacher"] == row["predicted"] for row in usual]
    assert (report.rows, report.overall.texts, report.overall.agreed) == (AUDIT, AUDIT, sum(agreed))
    own = [one for one, row in zip(agreed, usual, strict=True) if not row["defer"]]
    assert 50 < len(own) < AUDIT - 50
    assert (report.promise.texts, report.promise.agreed, report.promise.expected) == (
        len(own),
        sum(own),
        PROMISED,
    )
    assert report.overall.interval == exact_interval(sum(agreed), AUDIT)
    classes = {one.name: (one.texts, one.agreed) for one in report.slices_of("class")}
    assert classes == {
        label: (
            sum(row["predicted"] == label for row in usual),
            sum(one for one, row in zip(agreed, usual, strict=True) if row["predicted"] == label),
        )
        for label in sorted(LABELS)
    }
    weeks = [one.name for one in report.slices_of("week")]
    assert weeks == [f"2026-W{week}" for week in (45, 46, 47, 48)]
    assert sum(one.texts for one in report.slices_of("week")) == AUDIT
    assert sum(texts for texts, _ in report.answered_weeks.values()) == len(own)
    assert report.days == ("2026-11-02", "2026-11-29")


def test_lengths_and_unknown_pieces_are_those_of_the_tokenizer(folder, usual, tmp_path):
    report = monitor(folder, audit_of(tmp_path, usual))
    lengths = [len(row["review"].split()) for row in usual]
    by_kind = {one.kind: one for one in report.drift.inputs}
    assert by_kind["length"].texts[:3] == tuple(
        sum(low < size <= high for size in lengths) for low, high in ((0, 8), (8, 16), (16, 32))
    )
    assert by_kind["unknown"].texts[1] == sum("zzz" in row["review"] for row in usual)
    assert sum(by_kind["confidence"].texts) == AUDIT
    certificate = read_manifest(folder).certificates["onnx"]
    assert by_kind["length"].reference == certificate.reference.histograms["length"]


PLANTED = {
    "class green": lambda row: row["predicted"] == "green",
    "week 2026-W47": lambda row: "2026-11-16" <= row["time"][:10] <= "2026-11-22",
    "length 17 to 32 tokens": lambda row: len(row["review"].split()) > 16,
    "confidence 0.7 to 0.8": lambda row: 0.7 <= row["confidence"] < 0.8,
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_drift_is_named_with_its_slice_both_rates_and_numbers(name, folder, usual, tmp_path):
    written = planted(usual, PLANTED[name], share=0.5)
    report = monitor(folder, audit_of(tmp_path, written))
    assert report.headline.partition(" alarm")[0].isdecimal()
    kind = name.partition(" ")[0]
    of_kind = [alarm for alarm in report.alarms if alarm.startswith(kind)]
    assert len(of_kind) == 1
    (one,) = [test for test in report.slices_of(kind) if name == f"{kind} {test.name}"]
    assert of_kind[0].startswith(
        f"{name}: the student agrees with the teacher on {100 * one.rate:.1f} % of {one.texts:,} texts, and on "
        f"{100 * one.expected:.1f} % of {one.reference[0]:,} "
    )
    assert "(adjusted p " in of_kind[0]


def test_a_broken_promise_is_an_alarm_of_its_own(folder, usual, tmp_path):
    written = planted(usual, lambda row: not row["defer"], share=0.3)
    report = monitor(folder, audit_of(tmp_path, written))
    assert any(
        alarm.startswith("promise for the texts that the student answers itself")
        and "90.0 % were promised" in alarm
        for alarm in report.alarms
    )
    deferred = planted(usual, lambda row: row["defer"], share=0.9)
    assert not any("promise" in alarm for alarm in monitor(folder, audit_of(tmp_path, deferred)).alarms)


@pytest.mark.parametrize(
    ("drift", "said"),
    [
        ({"words": (12, 32)}, "the lengths of the texts have changed, most of all "),
        ({"unknown": 0.2}, "more texts have a piece that the student does not know: "),
        ({"words": (1, 6)}, "the confidences of the student have changed, most of all "),
    ],
    ids=["length", "unknown", "confidence"],
)
def test_other_texts_are_an_alarm(drift, said, folder, tmp_path):
    report = monitor(folder, audit_of(tmp_path, rows(folder, texts(np.random.default_rng(3), 600, **drift))))
    assert [alarm for alarm in report.alarms if alarm.startswith(said)]
    assert not [alarm for alarm in report.alarms if alarm.startswith(("all", "promise", "week"))]  # no fall


def test_the_order_of_rows_does_not_matter(folder, usual, tmp_path):
    one = monitor(folder, audit_of(tmp_path, usual))
    other = monitor(folder, write_rows(tmp_path / "other.jsonl", usual[::-1]))
    assert (one.drift, one.answered_weeks, one.days) == (other.drift, other.answered_weeks, other.days)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_other_formats_say_the_same(ending, folder, usual, tmp_path):
    pandas = pytest.importorskip("pandas")
    path, table = tmp_path / f"audit{ending}", pandas.DataFrame(usual[:300])
    if ending == ".parquet":
        table["time"] = pandas.to_datetime(table["time"])
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    assert monitor(folder, path).drift == monitor(folder, audit_of(tmp_path, usual[:300])).drift


def test_columns_can_be_named(folder, usual, tmp_path):
    written = [
        {
            "question": row["review"],
            "answer": "nonsense",
            "who": row["teacher"].upper(),
            "when": row["time"][:10],
        }
        for row in usual
    ]
    path = audit_of(tmp_path, written)
    named = monitor(folder, path, columns=Columns(text=("question",), answer="who", date="when"))
    assert named.drift == monitor(folder, write_rows(tmp_path / "usual.jsonl", usual)).drift
    with pytest.raises(DataError, match=r"no column 'whom'. Did you mean 'who'\?"):
        monitor(folder, path, columns=Columns(text=("question",), answer="whom", date="when"))


def test_a_column_of_answers_is_no_text(folder, usual, tmp_path):
    """`question` and `answer` look like a pair, and here the second one is what the judge says."""
    written = [
        {"question": row["review"], "answer": row["teacher"], "date": row["time"]} for row in usual[:100]
    ]
    found = monitor(folder, audit_of(tmp_path, written))
    assert (found.answer_column, found.overall.texts) == ("answer", 100)
    served = [{("ticket" if key == "review" else key): value for key, value in row.items()} for row in usual]
    assert monitor(folder, audit_of(tmp_path, served)).rows == AUDIT  # the only column that no server adds


@pytest.mark.parametrize("kind", ["multilabel", "pairs"])
def test_other_kinds_of_models(kind, tmp_path):
    generator = np.random.default_rng(4)
    read = texts(generator, 300)
    if kind == "pairs":
        read = list(zip(read, texts(generator, 300), strict=True))
    named = {"pairs": True} if kind == "pairs" else {"kind": "multilabel"}
    place = certified(tmp_path / "out", read, **named)
    written = rows(place, read, wrong=0.0)
    found = monitor(place, audit_of(tmp_path, written))
    assert (found.overall.texts, found.overall.agreed) == (300, 300)
    if kind == "multilabel":
        assert {one.name for one in found.slices_of("class")} >= {"red", "green, blue"}
        del written[0]["teacher"][:]  # none of the labels is an answer
        expected = 299 if written[0]["predicted"] else 300
        assert monitor(place, audit_of(tmp_path, written)).overall.agreed == expected


def test_json_and_page_have_the_same_numbers(folder, usual, tmp_path):
    written = planted(usual, lambda row: row["predicted"] == "green", share=0.6)
    report = monitor(
        folder, audit_of(tmp_path, written), out=tmp_path / "page.html", json=tmp_path / "x.json"
    )
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["alarm"] is True
    assert found["alarms"] == list(report.alarms)
    slices = {(one["kind"], one["name"]): one for one in found["slices"]}
    green = slices["class", "green"]
    assert green["alarm"] is True
    assert green["agreement"] == green["agreed"] / green["texts"] < green["expected"]
    assert green["p"] < green["p_holm"] <= 0.05
    assert (found["promised"], found["threshold"], found["rows"]) == (PROMISED, THRESHOLD, AUDIT)
    page = html.unescape((tmp_path / "page.html").read_text())
    assert f"{report.headline}." in page
    assert all(f"{alarm[1:]}." in page for alarm in report.alarms)


def test_missing_answers_are_counted_and_left_out(folder, usual, tmp_path):
    written = [
        {**row, "teacher": None if number % 10 == 0 else row["teacher"]} for number, row in enumerate(usual)
    ]
    report = monitor(folder, audit_of(tmp_path, written))
    assert (report.rows, report.overall.texts) == (AUDIT, AUDIT - AUDIT // 10)
    assert (
        f"{AUDIT // 10} of {AUDIT:,} rows have no answer in 'teacher'; they are left out" in report.notes[0]
    )
    assert sum(report.drift.inputs[0].texts) == AUDIT  # their texts are inputs all the same


def test_answers_that_are_missing_for_one_kind_of_texts_are_said(folder, usual, tmp_path):
    own = [number for number, row in enumerate(usual) if not row["defer"]]
    lacking = set(own[: len(own) // 3])
    written = [
        {**row, "teacher": None if number in lacking else row["teacher"]} for number, row in enumerate(usual)
    ]
    (note,) = monitor(folder, audit_of(tmp_path, written)).notes
    assert f"{len(lacking)} of {len(own)} texts that the student answers itself lack one" in note
    only_deferred = [{**row, "teacher": row["teacher"] if row["defer"] else ""} for row in usual]
    with pytest.raises(DataError, match=r"no uniform sample of the texts|at least half of the rows"):
        monitor(folder, audit_of(tmp_path, only_deferred))


def test_answers_of_another_judge_are_said(folder, usual, tmp_path):
    written = [{("label" if key == "teacher" else key): value for key, value in row.items()} for row in usual]
    (note,) = monitor(folder, audit_of(tmp_path, written)).notes
    assert "read from 'label', and the certificate compares with the teacher's answers" in note


def test_a_few_other_answers_are_said_and_many_are_of_another_model(folder, usual, tmp_path):
    def other(count):
        return [
            {**row, "predicted": flipped(LABELS, row)["teacher"]} if number < count else row
            for number, row in enumerate(usual)
        ]

    assert monitor(folder, audit_of(tmp_path, other(5))).notes == ()
    (note,) = monitor(folder, audit_of(tmp_path, other(30))).notes
    assert f"30 of {AUDIT:,} answers in 'predicted' differ" in note
    with pytest.raises(
        DataError, match=r"first at .*audit.jsonl, line 1: \w+ there, \w+ here. The file is of another"
    ):
        monitor(folder, audit_of(tmp_path, other(150)))


def without(key):
    return lambda usual: [{name: value for name, value in row.items() if name != key} for row in usual]


BAD = {
    "no dates": (without("time"), "has no column of dates: its columns are review, .*Name it with --date"),
    "an empty date": (lambda usual: changed(usual, 2, time=""), "line 3: the date in 'time' is empty"),
    "an ambiguous date": (
        lambda usual: changed(usual, 2, time="03/04/2026"),
        "line 3: the date '03/04/2026' in 'time' has an unclear order.*Write the year first, as in 2026-11-30",
    ),
    "a date in words": (
        lambda usual: changed(usual, 2, time="last week"),
        "line 3: 'last week' in 'time' is no date that can be read. Write it as 2026-11-30",
    ),
    "seconds since 1970": (
        lambda usual: changed(usual, 2, time=1764500000),
        "line 3: '1764500000' in 'time' is no date",
    ),
    "a day that does not exist": (
        lambda usual: changed(usual, 2, time="2026-02-30"),
        "'2026-02-30' in 'time' is no",
    ),
    "no column of answers": (without("teacher"), "has no column of answers: .*Name it with --answer"),
    "no answers": (
        lambda usual: [{**row, "teacher": None} for row in usual],
        "600 of 600 rows have no answer in 'teacher'; at least half of the rows, and 10, need one",
    ),
    "few rows": (lambda usual: usual[:5], "0 of 5 rows have no answer in 'teacher'; at least half"),
    "an unknown label": (
        lambda usual: changed(usual, 4, teacher="purple"),
        "line 5: 'purple' in 'teacher' is no label of .*which answers red, green, blue. Correct the row",
    ),
    "labels of another student": (
        lambda usual: changed(usual, 4, predicted="purple"),
        "line 5: 'purple' in 'predicted' is no label of .*of another model",
    ),
    "several labels": (lambda usual: changed(usual, 4, teacher=["red"]), "line 5: 'teacher' holds a list"),
    "an empty text": (lambda usual: changed(usual, 4, review=" "), "line 5: the text in 'review' is empty"),
    "another graph": (
        lambda usual: [{**row, "graph": "openvino"} for row in usual],
        "was answered by the graph 'openvino', and .* has onnx",
    ),
    "several graphs": (
        lambda usual: changed(usual, 4, graph="onnx-int8"),
        "rows of several graphs: onnx, onnx-int8",
    ),
    "nothing": (lambda usual: [], "holds no rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_audit_is_one_line_and_writes_nothing(name, folder, usual, tmp_path):
    make, said = BAD[name]
    with pytest.raises(DataError, match=said) as caught:
        monitor(folder, audit_of(tmp_path, make(usual)), out=tmp_path / "page.html", json=tmp_path / "x.json")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.jsonl"]


def test_a_table_without_rows_is_said(folder, tmp_path):
    (tmp_path / "audit.csv").write_text("time,review,teacher\n")
    with pytest.raises(DataError, match=r"audit.csv has no rows"):
        monitor(folder, tmp_path / "audit.csv")


def edited(folder, tmp_path, **fields):
    """A copy of the folder with another manifest."""
    place = tmp_path / "copy"
    place.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (place / path.relative_to(folder)).parent.mkdir(exist_ok=True)
            (place / path.relative_to(folder)).write_bytes(path.read_bytes())
    write_manifest(replace(read_manifest(folder), **fields), place)
    return place


def test_a_folder_without_a_certificate_is_said(folder, usual, tmp_path):
    bare = edited(folder, tmp_path, certificates={})
    with pytest.raises(
        ModelError, match=r"is not certified.*Certify it first: lmdistill certify \S+ DATA --agreement 0.98\."
    ):
        monitor(bare, audit_of(tmp_path, usual))
    with pytest.raises(ModelError, match="holds no exported model"):
        monitor(tmp_path, audit_of(tmp_path, usual))


def test_the_certificate_is_that_of_the_graph_that_answered(folder, usual, tmp_path):
    (found,) = read_manifest(folder).certificates.values()
    two = edited(folder, tmp_path, graphs={"onnx": "onnx/model.onnx", "onnx-two": "onnx/model.onnx"})
    with pytest.raises(
        ModelError, match=r"a certificate for onnx, and none for onnx-two. Name onnx with --graph"
    ):
        monitor(two, audit_of(tmp_path, usual), graph="onnx-two")
    named = [{**row, "graph": "onnx-two"} for row in usual]
    with pytest.raises(ModelError, match="none for onnx-two"):
        monitor(two, audit_of(tmp_path, named))
    assert monitor(two, audit_of(tmp_path, named), graph="onnx").graph == "onnx"
    with pytest.raises(ConfigError, match="no graph 'onnx-three'"):
        monitor(two, audit_of(tmp_path, named), graph="onnx-three")
    other_bins = replace(
        found, reference=Reference(slices=found.reference.slices, histograms={"length": (1, 2)})
    )
    write_manifest(replace(read_manifest(two), certificates={"onnx": other_bins}), two)
    with pytest.raises(ModelError, match="certified by another version"):
        monitor(two, audit_of(tmp_path, usual))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, float("nan")])
def test_a_level_is_between_0_and_1(alpha, folder, usual, tmp_path):
    with pytest.raises(ConfigError, match="--alpha must be between 0 and 1"):
        monitor(folder, audit_of(tmp_path, usual), alpha=alpha)


def test_outputs_are_other_files_than_the_audit(folder, usual, tmp_path):
    path = audit_of(tmp_path, usual)
    for named in ({"out": path}, {"json": path}, {"out": tmp_path / "a", "json": tmp_path / "a"}):
        with pytest.raises(ConfigError, match="must be different files"):
            monitor(folder, path, **named)
    assert path.read_text()


def test_a_level_moves_the_alarm(folder, usual, tmp_path):
    written = planted(usual, lambda row: row["predicted"] == "green", share=0.12)
    path = audit_of(tmp_path, written)
    p_value = min(one.adjusted for one in monitor(folder, path).drift.slices if one.adjusted is not None)
    assert 0 < p_value < 0.5
    assert monitor(folder, path, alpha=p_value).alarms
    assert not monitor(folder, path, alpha=p_value / 1.01).alarms


def test_the_process_needs_no_torch(folder, usual, tmp_path):
    path = audit_of(tmp_path, usual)
    code = (
        "import sys; from pathlib import Path; from lmdistill.commands.monitor import monitor; "
        f"monitor({str(folder)!r}, Path({str(path)!r}), out=Path({str(tmp_path / 'page.html')!r})); "
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_deferred_texts_are_those_below_the_threshold(folder, usual):
    _, confidence, *_ = student(folder, [row["review"] for row in usual])
    assert [row["defer"] for row in usual] == (confidence < THRESHOLD).tolist()
    assert Path(folder).is_dir()
