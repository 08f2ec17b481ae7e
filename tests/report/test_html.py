import re
from html.parser import HTMLParser
from pathlib import Path

from lmdistill.records.record import RecordedRun, find_records
from lmdistill.report.html import report_html, write_report
from tests.report.factory import NUM_DEV, exhaustive_schedule, make_record, plain_record, schedule, write_run

NASTY = """<script>alert("1")</script> & 'x' 🎉 $a_b$"""
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags are balanced, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.stack == []
    return page


def nasty_run(root: Path) -> RecordedRun:
    task = plain_record()["task"] | {"name": NASTY, "source": NASTY, "notes": [NASTY]}
    record = make_record(name="nasty", task=task, alarms=[NASTY], command=NASTY, recipe={NASTY: NASTY})
    run = write_run(root, record, num_steps=250)
    return RecordedRun(path=run.path, record=record.model_copy(update={"name": NASTY}))


def test_texts_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    page = parsed(report_html([nasty_run(tmp_path)], title=NASTY))
    assert "script" not in {tag for tag, _ in page.tags}
    assert sum(NASTY in text for text in page.texts) >= 6


def test_the_page_asks_nobody_for_anything(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name, seed)) for name in ("FT", "KD") for seed in (0, 1)]
    text = report_html(runs)
    page = parsed(text)
    asked = [
        attrs[name] for _, attrs in page.tags for name in ("src", "href", "action", "srcset") if name in attrs
    ]
    assert all(target is not None and target.startswith("#") for target in asked)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "img", "object", "embed"}
    assert not re.search(r"url\((?!#)|@import|https?:", text)


def test_a_comparison_shows_table_curves_runs_and_environment(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name, seed)) for name in ("FT", "KD") for seed in (0, 1)]
    write_report(tmp_path, find_records([tmp_path]))
    page = parsed((tmp_path / "report.html").read_text(encoding="utf-8"))
    texts = " ".join(page.texts)
    assert "Distillation on sst2" in texts
    # two costs, scores, two losses, two reliabilities
    assert sum(tag == "figure" for tag, _ in page.tags) == 7
    assert all(run.record.command in texts for run in runs)
    assert texts.count("with uncommitted changes") == 1  # four runs in one environment
    assert "1.25 % of train" in texts
    assert "p against FT" in texts


def test_ids_are_unique_and_every_picture_has_words(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name)) for name in ("FT", "KD", "MixKD")]
    page = parsed(report_html(runs))
    names = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(names) == len(set(names))
    pictures = [attrs for _, attrs in page.tags if attrs.get("role") == "img"]
    assert len(pictures) == 9
    assert all(attrs["aria-label"] for attrs in pictures)


def test_one_run_without_curves_or_teacher_is_a_page(tmp_path: Path) -> None:
    record = make_record(
        "FT", kind="finetune", teacher=None, teacher_metrics=None, calibration=None, agreement=None
    )
    text = report_html([RecordedRun(path=tmp_path, record=record)])
    assert "FT on sst2" in text
    assert "<figure>" not in text


def test_synthetic_data_is_called_synthetic_at_the_top(tmp_path: Path) -> None:
    task = plain_record()["task"] | {"synthetic": True}
    text = report_html([write_run(tmp_path, make_record(task=task))])
    assert text.index("Synthetic data") < text.index("<table")


def test_each_task_has_a_heading_its_conclusion_at_the_top_and_a_place_among_the_contents(
    tmp_path: Path,
) -> None:
    facts = plain_record()["task"]
    runs = [
        write_run(tmp_path / task, make_record(name, seed, score, task=facts | {"name": task}))
        for task, low in (("mrpc", 0.7), ("rte", 0.6))
        for name, score in (("FT", low), ("KD", low + 0.04))
        for seed in (0, 1)
    ]
    text = report_html(runs)
    head = text[text.index("<header>") : text.index("</header>")]
    briefs = re.findall(r"<li><b>(\w+):</b> <a href=\"#(\w+)\">KD</a> keeps", head)
    assert [task for task, _ in briefs] == ["mrpc", "rte"]
    places = dict(re.findall(r'<section class="task" id="(\w+)">\s*<h2>(\w+)</h2>', text))
    assert list(places.values()) == ["mrpc", "rte"]
    listed = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a></li>', head)
    assert [pair for pair in listed if pair[0] in places] == list(places.items())
    assert [title for _, title in listed][-3:] == ["Runs of each row", "Records", "Environment"]
    assert len(re.findall(r"<summary>mrpc: KD, seed [01]</summary>", text)) == 2


def test_one_task_has_its_parts_among_the_contents(tmp_path: Path) -> None:
    text = report_html([write_run(tmp_path, make_record())])
    listed = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a></li>', text[: text.index("</header>")])
    headings = re.findall(r'<section id="([^"]+)">\s*<h2>([^<,]+)', text)
    assert listed == headings
    assert len(listed) >= 5


def test_parts_of_a_task_with_two_dev_sets_say_which(tmp_path: Path) -> None:
    facts = plain_record()["task"]
    for place, (rows, contents) in enumerate(((NUM_DEV, "aaaaaaaa"), (NUM_DEV, "bbbbbbbb"), (7, "cccccccc"))):
        task = facts | {"rows": {"train": 9, "dev": rows}, "dev_fingerprint": contents}
        write_run(tmp_path / str(place), make_record(task=task))
    text = report_html(find_records([tmp_path]))
    assert re.findall(r"<h2>(sst2.*?)</h2>", text) == [
        f"sst2, {NUM_DEV} dev examples, aaaaaa",
        f"sst2, {NUM_DEV} dev examples, bbbbbb",
        "sst2, 7 dev examples",
    ]


def test_records_of_several_runs_are_folded_and_that_of_one_is_not(tmp_path: Path) -> None:
    run = write_run(tmp_path, make_record("FT"))
    assert '<details class="entry" open>' in report_html([run])
    several = report_html([run, write_run(tmp_path, make_record("KD"))])
    assert '<details class="entry" open>' not in several
    assert several.count('<details class="entry">') == 3  # two runs, and the teacher that both know


def test_alarms_stand_above_the_table(tmp_path: Path) -> None:
    text = report_html([write_run(tmp_path, make_record(alarms=["ding dong"]))])
    assert text.index("ding dong") < text.index("<table")


def test_a_schedule_has_its_candidates_its_cost_and_its_picture(tmp_path: Path) -> None:
    page = parsed(report_html([write_run(tmp_path, make_record("MiniDisc", schedule=schedule()))]))
    texts = " ".join(page.texts)
    assert "Pruning and assistants" in texts
    assert "30 %, chosen" in page.texts
    assert "Trying every assistant in turn (MaxiDisc) would have taken 500 teacher-steps" in texts
    pictures = [attrs["aria-label"] for _, attrs in page.tags if attrs.get("role") == "img"]
    assert sum("the trade-off is highest at" in str(words) for words in pictures) == 1
    assert not [text for text in page.texts if text.startswith("Schedules and assistants")]


def test_several_runs_have_a_line_each_and_the_first_seed_of_a_row_at_length(tmp_path: Path) -> None:
    facts = {"MiniDisc": schedule(), "MaxiDisc": exhaustive_schedule()}
    runs = [
        write_run(tmp_path, make_record(name, seed, schedule=facts.get(name)))
        for name in ("FT", "MiniDisc", "MaxiDisc")
        for seed in (0, 1)
    ]
    page = parsed(report_html(runs))
    behind = [place for place, text in enumerate(page.texts) if text == "Runs of each row"]
    above = page.texts[: behind[-1]]  # the first stands among the contents
    lines = [text for text in above if re.fullmatch(r"\w+, seed \d", text)]
    for name in facts:
        assert [line for line in lines if line.startswith(name)] == [
            f"{name}, seed 0",
            f"{name}, seed 1",
            *[f"{name}, seed 0"] * 3,  # at length, and above two pictures
        ]
    assert [line for line in lines if line.startswith("FT")] == ["FT, seed 0"] * 2  # above its pictures alone
    assert sum(text.startswith("Schedule ") for text in page.texts) == 2
    assert "Schedules and assistants, one row per run" in page.texts


def test_runs_without_a_schedule_say_nothing_of_assistants(tmp_path: Path) -> None:
    assert "Pruning and assistants" not in report_html([write_run(tmp_path, make_record())])


def test_names_in_a_schedule_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    record = make_record(schedule=schedule(NASTY, metric=NASTY))
    page = parsed(report_html([write_run(tmp_path, record)]))
    assert "script" not in {tag for tag, _ in page.tags}
    assert any(NASTY in text for text in page.texts)


def test_every_number_of_the_first_table_leads_to_a_record_on_the_page(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name, seed)) for name in ("FT", "KD") for seed in (0, 1)]
    text = report_html([*runs, write_run(tmp_path, make_record("MixKD"))])
    page = parsed(text)
    names = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    targets = {str(attrs["href"]).removeprefix("#") for tag, attrs in page.tags if tag == "a"}
    assert targets <= names
    assert {f"run-{place}" for place in range(5)} <= targets
    table = text[text.index("<table") : text.index("</table")]
    cells = re.findall(r"<td>(.*?)</td>", table)
    assert all(cell.startswith('<a href="#') for cell in cells if cell != "–")
    assert len(cells) > 20


def test_every_picture_has_its_numbers_in_a_table(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name, schedule=schedule())) for name in ("FT", "KD")]
    text = report_html(runs)
    figures = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    assert len(figures) == text.count("<figure>") >= 7
    assert all(figure.count("<td>") >= 2 for figure in figures)


def test_a_page_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    run = write_run(tmp_path, make_record())
    assert write_report(tmp_path / "pages", [run], name="one.html") == tmp_path / "pages" / "one.html"
    assert (tmp_path / "pages" / "one.html").is_file()
