"""A graph is certified on texts that it has not seen: what is promised, what is stored, what is refused."""

import csv
import gzip
import json
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmdistill.analysis.agreement_bound import Promise, lower_bound
from lmdistill.cli.main import main
from lmdistill.commands import certify as certifying
from lmdistill.commands.certification_texts import JudgedFile
from lmdistill.commands.certify import certify
from lmdistill.commands.predict_exported import predict_exported
from lmdistill.core.errors import ConfigError, DataError, LmdistillError, ModelError, RunError
from lmdistill.core.file_lock import sole_writer
from lmdistill.data.tasks.text_hashes import hashes_of
from lmdistill.records.text_hashes import TEXT_HASHES, write_text_hashes
from lmdistill.report.export_card import export_card
from lmdistill.serving.confidence import confidence_levels, confidences
from lmdistill.serving.manifest import MANIFEST, Checks, Measured, read_manifest, write_manifest
from lmdistill.serving.predictor import load_predictor
from tests.serving.tiny_export import (
    LABELS,
    WORDS,
    confidence_of,
    expected,
    label_of,
    manifest_of,
    text_of,
    write_export,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "serve_onnx.py"
PROMISE = Promise(agreement=0.95)


def drawn(count, seed):
    """Texts of two words, none twice."""
    pairs = np.random.default_rng(seed).choice(WORDS * WORDS, count, replace=False)
    return [text_of(*divmod(int(pair), WORDS)) for pair in pairs]


def judged(texts, seed=0, doubt=0.75, wrong=0.4):
    """The student's label, but often another one where the student's confidence is below `doubt`."""
    draw = np.random.default_rng(seed)
    rates = [wrong if confidence_of(text) < doubt else 0.004 for text in texts]
    flips = draw.random(len(texts)) < rates
    return [
        LABELS[(LABELS.index(label_of(text)) + 1) % 3] if flip else label_of(text)
        for text, flip in zip(texts, flips, strict=True)
    ]


def write(path, texts, answers, header=("review", "teacher")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *zip(texts, answers, strict=True)])
    return path


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def furnish(folder, *, known=True, **named):
    """An exported folder with the confidences of its dev texts, and the hashes of what it has seen."""
    write_export(folder, **named)
    dev = drawn(300, seed=1)
    if known:
        groups = {"train": drawn(200, seed=2), "dev": dev, "teacher": drawn(30, seed=3)}
        write_text_hashes(
            folder, {name: [hashes_of(texts, [""] * len(texts))] for name, texts in groups.items()}
        )
    manifest = read_manifest(folder)
    logits = np.array([expected(text) for text in dev])
    measured = Measured(
        bytes=1, embedding_bytes=1, confidences=confidence_levels(confidences(manifest.answers, logits))
    )
    checks = Checks(
        texts=300,
        source="dev rows",
        threads=1,
        processor="any",
        measured={"torch": measured, "onnx": measured},
    )
    manifest = replace(manifest, checks=checks)
    (folder / "README.md").write_text(export_card(manifest))
    write_manifest(manifest, folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    return furnish(tmp_path / "exported")


def new_texts(count, seed=7):
    """Texts that the folder has not seen."""
    seen = {*drawn(300, seed=1), *drawn(200, seed=2), *drawn(30, seed=3)}
    return [text for text in drawn(count + 50, seed) if text not in seen][:count]


@pytest.fixture
def data(tmp_path):
    texts = new_texts(1000)
    return write(tmp_path / "new.csv", texts, judged(texts))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


# what is promised and stored


def test_the_certificate_counts_what_it_says(folder, data):
    name, found = certify(folder, JudgedFile(path=data), PROMISE)
    rows = read(data)
    reached = [row for row in rows if confidence_of(row["review"]) >= found.threshold]
    agreed = [row for row in reached if label_of(row["review"]) == row["teacher"]]
    assert name == "onnx"
    assert (found.texts, found.answered, found.agreed) == (1000, len(reached), len(agreed))
    assert lower_bound(found.agreed, found.answered, 0.95) >= 0.95
    assert found.coverage.low < found.coverage.value == found.answered / 1000 < found.coverage.high
    assert (found.against, found.source, found.unseen, found.agreement) == ("teacher", "new.csv", True, 0.95)
    assert found.threshold in read_manifest(folder).checks.measured["onnx"].confidences
    assert 0.4 < found.coverage.value < 0.9
    assert abs(found.threshold - 0.75) < 0.15


def test_the_reference_has_every_text_once_in_each_kind(folder, data):
    _, found = certify(folder, JudgedFile(path=data), PROMISE)
    slices = found.reference.slices
    agreed = sum(label_of(row["review"]) == row["teacher"] for row in read(data))
    for kind in ("all", "class", "length", "confidence"):
        assert np.sum(list(slices[kind].values()), axis=0).tolist() == [1000, agreed]
    assert set(slices["class"]) == set(LABELS)
    assert slices["answered"]["answered"] == (found.answered, found.agreed)
    assert all(sum(counts) == 1000 for counts in found.reference.histograms.values())


def test_the_folder_carries_it_and_can_still_be_used(folder, data, tmp_path):
    before = contents(folder)
    _, found = certify(folder, JudgedFile(path=data), PROMISE)
    manifest = read_manifest(folder)
    assert manifest.certificates == {"onnx": found}
    assert {name for name, one in contents(folder).items() if before.get(name) != one} == {
        MANIFEST,
        "README.md",
    }
    card = (folder / "README.md").read_text()
    assert (
        f"Where onnx is confident from {found.threshold:.6g} on, it agrees with the teacher on at least 95 %"
        in card
    )
    assert card == export_card(manifest)
    load_predictor(folder)
    certify(folder, JudgedFile(path=data), Promise(agreement=0.9))
    assert read_manifest(folder).certificates["onnx"].agreement == 0.9


def test_predict_defers_what_is_below_the_threshold(folder, data, tmp_path):
    plain = tmp_path / "plain.csv"
    predict_exported(folder, data, plain)
    assert list(read(plain)[0]) == ["review", "teacher", "predicted", *(f"p_{one}" for one in LABELS)]
    _, found = certify(folder, JudgedFile(path=data), PROMISE)
    for suffix in (".csv", ".jsonl"):
        out = tmp_path / f"answers{suffix}"
        predict_exported(folder, data, out)
        rows = read(out) if suffix == ".csv" else list(map(json.loads, out.read_text().splitlines()))
        said = [row["defer"] for row in rows]
        below = [confidence_of(row["review"]) < found.threshold for row in rows]
        assert said == ([str(one).lower() for one in below] if suffix == ".csv" else below)
        assert said.count(said[0]) < len(said)
        answered = [row for row, one in zip(rows, below, strict=True) if not one]
        assert len(answered) == found.answered
        assert sum(row["predicted"] == row["teacher"] for row in answered) == found.agreed


def test_the_example_without_this_package_defers_the_same(folder, data, monkeypatch, capsys):
    texts = [row["review"] for row in read(data)][:60]
    monkeypatch.setattr(sys, "argv", ["serve_onnx.py", str(folder), *texts])
    runpy.run_path(str(EXAMPLE))
    assert "defer" not in capsys.readouterr().out
    _, found = certify(folder, JudgedFile(path=data), PROMISE)
    capsys.readouterr()
    runpy.run_path(str(EXAMPLE))
    said = [json.loads(line)["defer"] for line in capsys.readouterr().out.splitlines()]
    assert said == [confidence_of(text) < found.threshold for text in texts]
    assert {True, False} == set(said)


def test_another_graph_is_not_deferred_by_this_certificate(folder, data, tmp_path, caplog):
    certify(folder, JudgedFile(path=data), PROMISE)
    manifest = read_manifest(folder)
    write_manifest(replace(manifest, graphs={**manifest.graphs, "onnx-int8": "onnx/model.onnx"}), folder)
    predict_exported(folder, data, tmp_path / "answers.csv", graph="onnx-int8")
    assert "defer" not in read(tmp_path / "answers.csv")[0]
    assert "onnx-int8" in caplog.text
    assert "is not certified, and onnx is, so there is no column defer" in caplog.text


def test_a_column_defer_is_not_overwritten(folder, tmp_path, data):
    certify(folder, JudgedFile(path=data), PROMISE)
    texts = new_texts(5)
    source = write(tmp_path / "own.csv", texts, ["x"] * 5, header=("review", "defer"))
    with pytest.raises(DataError, match=r"already has a column 'defer', which predictions are written to"):
        predict_exported(folder, source, tmp_path / "out.csv")


def test_a_student_that_always_agrees_answers_everything(folder, tmp_path):
    texts = new_texts(400)
    data = write(tmp_path / "same.csv", texts, map(label_of, texts))
    _, found = certify(folder, JudgedFile(path=data), Promise(agreement=0.98))
    assert (found.threshold, found.answered, found.coverage.high) == (0.0, 400, 1.0)


def test_rows_in_another_order_give_the_same_certificate(folder, data, tmp_path):
    rows = read(data)[::-1]
    other = write(tmp_path / "new2.csv", [row["review"] for row in rows], [row["teacher"] for row in rows])
    one, two = (certify(folder, JudgedFile(path=path), PROMISE)[1] for path in (data, other))
    assert replace(two, source="new.csv") == one


@pytest.mark.parametrize("suffix", [".jsonl", ".tsv.gz"])
def test_files_of_other_formats_are_read(folder, data, tmp_path, suffix):
    rows, path = read(data), tmp_path / f"new{suffix}"
    if suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        lines = ["review\tteacher", *(f"{row['review']}\t{row['teacher']}" for row in rows)]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    one, two = (certify(folder, JudgedFile(path=file), PROMISE)[1] for file in (data, path))
    assert replace(two, source=one.source) == one


def test_the_judge_may_be_labels_or_another_column(folder, tmp_path):
    texts = new_texts(600)
    path = tmp_path / "labels.csv"
    labels, opposite = judged(texts), ["red"] * 600
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("review", "label", "predicted", "mine"), *zip(texts, labels, opposite, labels, strict=True)]
        )
    _, found = certify(folder, JudgedFile(path=path, against="labels"), PROMISE)
    assert found.against == "labels"
    _, named = certify(folder, JudgedFile(path=path, answer="mine"), PROMISE)
    assert (named.threshold, named.agreed) == (found.threshold, found.agreed)
    with pytest.raises(DataError, match=r"^a promise of 0\.95 with confidence 0\.95 cannot be made"):
        certify(folder, JudgedFile(path=path), PROMISE)  # predicted: always red


def test_several_labels_agree_where_all_of_them_do(tmp_path):
    folder = furnish(tmp_path / "several", kind="multilabel")
    texts = new_texts(500)
    sets = [[LABELS[number] for number in np.flatnonzero(expected(text) >= 0)] for text in texts]
    path = tmp_path / "sets.jsonl"
    rows = [{"review": text, "teacher": one} for text, one in zip(texts, sets, strict=True)]
    path.write_text("\n".join(map(json.dumps, rows)))
    _, found = certify(folder, JudgedFile(path=path), PROMISE)
    assert (found.answered, found.agreed) == (500, 500)
    assert "(no label)" in found.reference.slices["class"]
    for number in range(0, 500, 10):  # one label too many is no agreement
        rows[number]["teacher"] = sorted({*LABELS} - {*sets[number]})[:1] + sets[number] or ["red"]
    path.write_text("\n".join(map(json.dumps, rows)))
    _, found = certify(folder, JudgedFile(path=path), Promise(agreement=0.8))
    assert found.reference.slices["all"]["all"] == (
        500,
        500 - sum(1 for n in range(0, 500, 10) if len(sets[n]) < 3),
    )


def test_a_teacher_is_asked_now(folder, data, monkeypatch):
    asked = []

    def answering(opened):
        return lambda first, second: np.array([expected(text) for text in asked.append(first) or first])[
            :, [2, 0, 1]
        ]

    class Opened:
        model = None

    answers = replace(manifest_of().answers, labels=(LABELS[2], LABELS[0], LABELS[1]))
    monkeypatch.setattr("lmdistill.commands.open_model.open_model", lambda target: Opened)
    monkeypatch.setattr("lmdistill.commands.predict.answers_of", lambda model: answers)
    monkeypatch.setattr("lmdistill.commands.predict.answering", answering)
    _, found = certify(folder, JudgedFile(path=data, teacher="runs/teacher"), PROMISE)
    assert (found.answered, found.agreed) == (1000, 1000)  # its labels in another order are the student's
    assert asked == [[row["review"] for row in read(data)]]
    answers = replace(answers, labels=("red", "green", "other"))
    with pytest.raises(LmdistillError, match=r"red, green, other.* differ"):
        certify(folder, JudgedFile(path=data, teacher="runs/teacher"), PROMISE)


# texts that the student has seen


def test_seen_texts_are_refused_by_their_content(folder, tmp_path):
    texts = new_texts(400)
    known = drawn(200, seed=2)[5]
    texts[17] = f"  {known.upper()} "
    data = write(tmp_path / "seen.csv", texts, map(label_of, drawn(400, seed=9)))
    before = contents(folder)
    with pytest.raises(DataError) as said:
        certify(folder, JudgedFile(path=data), PROMISE)
    assert str(said.value) == (
        f"{data}, line 19: the student has seen this text, among its training texts; so it has 1 of the 400 "
        "texts, on which it is better than on new ones. Use texts that trained and chose nothing, or leave these "
        "out with --drop-seen."
    )
    assert contents(folder) == before


@pytest.mark.parametrize(("seed", "use"), [(1, "its dev texts"), (3, "the training texts of its teacher")])
def test_texts_that_chose_the_student_or_taught_its_teacher_are_seen(folder, tmp_path, seed, use):
    texts = [*drawn(30 if seed == 3 else 300, seed=seed)[:4], *new_texts(300)]
    data = write(tmp_path / "seen.csv", texts, map(label_of, texts))
    with pytest.raises(DataError, match=f"among {use}; so it has 4 of the 304 texts"):
        certify(folder, JudgedFile(path=data), PROMISE)
    _, found = certify(folder, JudgedFile(path=data, drop_seen=True), PROMISE)
    assert (found.texts, found.agreed, found.unseen) == (300, 300, True)


def test_without_hashes_it_cannot_be_checked(tmp_path, data, caplog):
    folder = furnish(tmp_path / "old", known=False)
    _, found = certify(folder, JudgedFile(path=data), PROMISE)
    assert not found.unseen
    assert "cannot check whether the student knows these texts" in caplog.text
    assert "could not be checked" in (folder / "README.md").read_text()


def test_hashes_of_other_texts_alone_are_no_check(folder, data, caplog):
    write_text_hashes(folder, {"dev": [hashes_of(["a"], [""])]})
    write_manifest(read_manifest(folder), folder)
    assert not certify(folder, JudgedFile(path=data), PROMISE)[1].unseen
    assert "cannot check" in caplog.text


def test_repeated_texts_count_and_are_told(folder, tmp_path, caplog):
    texts = new_texts(300)
    data = write(tmp_path / "twice.csv", texts + texts[:25], map(label_of, texts + texts[:25]))
    assert certify(folder, JudgedFile(path=data), PROMISE)[1].texts == 325
    assert "25 of the 325 texts of" in caplog.text


# what is refused, in one line and without a trace


def refused(folder, file, said, promise=PROMISE, kind=DataError, **more):
    before = contents(folder)
    with pytest.raises(kind, match=said) as error:
        certify(folder, file, promise, **more)
    assert "\n" not in str(error.value)
    assert contents(folder) == before


def test_too_few_texts(folder, tmp_path):
    texts = new_texts(148)
    data = write(tmp_path / "few.csv", texts, map(label_of, texts))
    said = r"^.*few\.csv has 148 texts to certify on, and a promise of 0\.98 with confidence 0\.95 needs at least 149\."
    refused(folder, JudgedFile(path=data), said, Promise(agreement=0.98))


def test_a_promise_that_is_not_kept_says_what_would_help(folder, tmp_path):
    texts = new_texts(400)
    answers = judged(texts, wrong=0.3, doubt=0.99)
    data = write(tmp_path / "bad.csv", texts, answers)
    said = (
        r"^a promise of 0\.98 with confidence 0\.95 cannot be made: at the first threshold that is tested, 0\.\d+, "
        r"\d+ of \d+ answered texts agree; more texts would not help, and --agreement 0\.\d+ passes\. Nothing was"
    )
    refused(folder, JudgedFile(path=data), said, Promise(agreement=0.98))
    with pytest.raises(DataError) as error:
        certify(folder, JudgedFile(path=data), Promise(agreement=0.98))
    lower = float(str(error.value).partition("--agreement ")[2].split()[0])
    certify(folder, JudgedFile(path=data), Promise(agreement=lower))


BAD_FILES = {
    "no answers": (
        ("review", "other"),
        "red",
        r"has no column of the teacher's answers \(teacher or predicted\)\. Name",
    ),
    "unknown label": (
        ("review", "teacher"),
        "pink",
        r"line 2: the label 'pink' is unknown; known: red, green, blue\.",
    ),
    "empty answer": (
        ("review", "teacher"),
        "",
        r"line 2: teacher is empty\. Fill it in, or remove the row\.$",
    ),
    "no text": (("other", "teacher", "third"), "red", r"it is not clear which column holds the text|third"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_that_cannot_be_used(case, folder, tmp_path):
    header, answer, said = BAD_FILES[case]
    path = tmp_path / "bad.csv"
    rows = [[text, answer, "more"][: len(header)] for text in new_texts(200)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    refused(folder, JudgedFile(path=path), said)


def test_a_column_that_is_not_there(folder, data):
    refused(
        folder, JudgedFile(path=data, answer="teachers"), r"no column 'teachers'\. Did you mean 'teacher'\?"
    )
    refused(
        folder,
        JudgedFile(path=data, against="labels"),
        r"which column holds the label; .*Name it with --answer\.$",
    )


def test_a_file_without_rows(folder, tmp_path):
    (tmp_path / "none.csv").write_text("review,teacher\n")
    refused(folder, JudgedFile(path=tmp_path / "none.csv"), r"none\.csv has no rows")


def test_what_is_no_exported_folder(tmp_path, data):
    said = r"^.* is no exported folder, and what is certified is the file that is served\. Export it first: "
    for target in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match=said):
            certify(target, JudgedFile(path=data), PROMISE)


def test_a_score(tmp_path, data):
    folder = write_export(tmp_path / "score", kind="regression")
    refused(folder, JudgedFile(path=data), r"answers with a score, which has no confidence", kind=ModelError)


def test_an_older_export(folder, data):
    manifest = read_manifest(folder)
    write_manifest(replace(manifest, checks=None), folder)
    said = r"has no confidences of onnx \(lmdistill 0 wrote it\).*Export the model again\.$"
    refused(folder, JudgedFile(path=data), said, kind=ModelError)


def test_a_graph_that_is_not_there(folder, data):
    refused(folder, JudgedFile(path=data), r"has no graph 'onnx-int8'", kind=ConfigError, graph="onnx-int8")


@pytest.mark.parametrize("name", [TEXT_HASHES, "onnx/model.onnx", "config.json"])
def test_a_folder_that_was_changed(folder, data, name):
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    refused(folder, JudgedFile(path=data), r"has changed since the export", kind=ModelError)


def test_a_folder_whose_hashes_were_removed(folder, data):
    (folder / TEXT_HASHES).unlink()
    refused(folder, JudgedFile(path=data), r"text_hashes\.npz is missing since the export", kind=ModelError)


def test_an_edited_card_stays(folder, data, caplog):
    (folder / "README.md").write_text("mine")
    certify(folder, JudgedFile(path=data), PROMISE)
    assert (folder / "README.md").read_text() == "mine"
    assert "README.md was edited, so it is not told of the certificate" in caplog.text


def test_a_folder_that_another_command_writes(folder, data):
    with sole_writer(folder), pytest.raises(RunError, match="is being written by another command"):
        certify(folder, JudgedFile(path=data), PROMISE)


def test_a_stop_while_it_is_written_leaves_the_folder_usable(folder, data, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(certifying, "write_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        certify(folder, JudgedFile(path=data), PROMISE)
    monkeypatch.undo()
    assert read_manifest(folder).certificates == {}
    load_predictor(folder)
    certify(folder, JudgedFile(path=data), PROMISE)


def test_answers_that_are_the_students_own_are_told(folder, tmp_path, caplog):
    texts = new_texts(200)
    data = write(tmp_path / "own.csv", texts, map(label_of, texts), header=("review", "predicted"))
    certify(folder, JudgedFile(path=data), PROMISE)
    assert "Check that the teacher wrote it, and not the student" in caplog.text


@pytest.mark.parametrize("more", [{"against": "labels"}, {"answer": "teacher"}])
def test_a_teacher_that_would_not_be_asked_is_refused(more, tmp_path):
    with pytest.raises(ConfigError, match=r"so the teacher runs/big would not be asked\. Leave one out\.$"):
        JudgedFile(path=tmp_path / "new.csv", teacher="runs/big", **more)


# the command


def run(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(list(map(str, words)))
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


def test_the_command_prints_what_is_promised(folder, data, capsys):
    code, out, err = run(capsys, "certify", folder, data, "--agreement", "0.95", "--price", "0.01")
    assert code == 0, err
    found = read_manifest(folder).certificates["onnx"]
    assert f"{found.threshold:.6g}" in out
    assert (
        f"{100 * found.coverage.value:.1f} [{100 * found.coverage.low:.1f}, {100 * found.coverage.high:.1f}]"
        in out
    )
    assert "None of them is known to have trained or chosen the student." in out
    left = 1000 * (1 - found.coverage.value)
    assert f"of 1,000 texts {left:.0f} are left to the teacher" in out
    assert f"which costs {left / 100:.4g} in place of 10 for all of them" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--agreement", "1"), "--agreement must be between 0 and 1, got 1."),
        (("--agreement", "0.95", "--confidence", "95"), "--confidence must be between 0 and 1, got 95."),
        (("--agreement", "0.95", "--against", "people"), "'people' is not one of"),
        ((), "Missing option '--agreement'"),
    ],
)
def test_options_that_cannot_be(words, said, folder, data, capsys):
    code, out, err = run(capsys, "certify", folder, data, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_no_torch_is_imported(folder, data):
    words = ["certify", str(folder), str(data), "--agreement", "0.95"]
    code = (
        "import sys\nfrom lmdistill.cli.main import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('heavy:', sorted({'torch', 'transformers', 'accelerate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"


# the promise over many draws, from the file to the certificate


@pytest.mark.slow
def test_promises_of_files_are_kept(folder, tmp_path):
    """Forty files of a student that keeps 0.95 only above a threshold; at 0.05 each, six broken are 1 in 70."""
    population = new_texts(20_000, seed=11)
    confidence = np.array(list(map(confidence_of, population)))
    answers = judged(population, doubt=0.8, wrong=0.25)
    agreed = np.array([label_of(text) == one for text, one in zip(population, answers, strict=True)])
    broken = 0
    for seed in range(40):
        rows = np.random.default_rng(seed).choice(len(population), 400)
        data = write(tmp_path / "draw.csv", [population[row] for row in rows], [answers[row] for row in rows])
        try:
            _, found = certify(folder, JudgedFile(path=data), PROMISE)
        except DataError:
            continue
        broken += agreed[confidence >= found.threshold].mean() < 0.95
    assert broken < 6
