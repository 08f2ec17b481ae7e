"""Chat templates are programs of somebody else: they reach nothing, and they end."""

import json
import time
from pathlib import Path

import pytest

from lmdistill.core.errors import DataError
from lmdistill.data.language import bounded_template, template_values
from lmdistill.data.language.chat_template import render_chat, render_chat_prompt
from lmdistill.data.language.template_values import MAX_CHARACTERS, TemplateLimitError
from lmdistill.export.hugging_face import save
from tests.tiny_causal import tiny_language, tiny_language_tokenizer

MESSAGES = [{"role": "user", "content": "good film"}, {"role": "assistant", "content": "bad plot"}]
LOOP = "{% for a in range(99999) %}"
DOUBLED = (
    "{% set n = namespace(x='good') %}{% for i in range(90) %}{% set n.x = EXPRESSION %}{% endfor %}{{ n.x }}"
)

ENDLESS = {
    "nested ranges": LOOP * 4 + "{% endfor %}" * 4,
    "nested ranges that write": LOOP * 3 + "good {% endfor %}{% endfor %}{% endfor %}",
    "loops over one text": "{% set t = 'x' * 9999 %}" + "{% for a in t %}" * 4 + "{% endfor %}" * 4,
    "a macro that calls itself twice": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "a loop that calls itself": "{% for a in [1, 2] recursive %}{{ loop([1, 2]) if loop.depth < 60 }}{% endfor %}",
    "a text that doubles": DOUBLED.replace("EXPRESSION", "n.x ~ n.x"),
    "a text that doubles by addition": DOUBLED.replace("EXPRESSION", "n.x + n.x"),
    "a text that is replaced": DOUBLED.replace("EXPRESSION", "n.x.replace('o', 'oooooooo')"),
    "a text that is replaced by a filter": DOUBLED.replace("EXPRESSION", "n.x|replace('o', 'oooooooo')"),
    "a list that doubles": DOUBLED.replace("EXPRESSION", "[n.x, n.x]"),
    "a table that doubles": DOUBLED.replace("EXPRESSION", "{'a': n.x, 'b': n.x}"),
    "a call that doubles": DOUBLED.replace("EXPRESSION", "dict(a=n.x, b=n.x)"),
    "a repeated text": "{{ 'good' * 9999999999 }}",
    "a repeated list": "{{ ([1] * 99999 * 99999)|length }}",
    "a large power": "{{ 9 ** 9 ** 9 }}",
    "a wide text": "{{ 'x'|center(9999999999) }}",
    "a wide method": "{{ 'x'.ljust(9999999999) }}",
    "a wide format": "{{ '%9999999999d' % 1 }}",
    "a wide format method": "{{ '{:9999999999}'.format(1) }}",
    "a wide format of an argument": "{{ '{:{w}}'.format(1, w=9999999999) }}",
    "a wide indent": "{{ ('a\\n' * 99999)|indent(99999) }}",
    "a long join": "{{ ('x' * 99999).join('y' * 99999) }}",
    "a long join by a filter": "{{ range(99999)|join('x' * 99999) }}",
    "a long translation": "{{ ('x' * 99999).translate({120: 'y' * 99999}) }}",
}
"""Templates that would run for years, or fill the memory."""

REACHING = {
    "a class": "{{ messages.__class__.__mro__ }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__()[99].__init__.__globals__ }}",
    "globals of a function": "{{ raise_exception.__globals__['__builtins__'] }}",
    "a format": "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "a filter": "{{ messages|attr('__class__')|attr('__mro__') }}",
    "an import": "{% import 'os' as os %}{{ os.system('touch it-ran') }}",
    "a file": "{% include '/etc/passwd' %}",
    "an argument of a cycler": "{{ cycler.__init__.__globals__.os.system('touch it-ran') }}",
}
"""Templates that reach for what they are not given."""


def tokenizer_with(template):
    made = tiny_language_tokenizer()
    made.chat_template = template
    return made


@pytest.mark.parametrize("what", ENDLESS)
def test_a_template_that_does_not_end_is_cut_off(what, monkeypatch):
    monkeypatch.setattr(bounded_template, "MAX_STEPS", 20_000)  # the same limits, reached sooner
    monkeypatch.setattr(template_values, "MAX_CHARACTERS", 200_000)
    began = time.monotonic()
    with pytest.raises(
        TemplateLimitError, match=r"^the chat template .* so it was cut off\. Use the tokenizer of another"
    ):
        render_chat_prompt(MESSAGES, tokenizer_with(ENDLESS[what]))
    assert time.monotonic() - began < 30


def test_a_template_whose_steps_are_slow_is_cut_off_by_the_clock(monkeypatch):
    monkeypatch.setattr(bounded_template, "MAX_SECONDS", 0.2)
    slow = (
        "{% set t = 'x' * 999999 %}{% for a in range(99999) %}{% set u = t.replace('y', 'z') %}{% endfor %}"
    )
    with pytest.raises(TemplateLimitError, match=r"more than 0\.2 seconds"):
        render_chat_prompt(MESSAGES, tokenizer_with(slow))


@pytest.mark.parametrize("what", REACHING)
def test_a_template_reaches_nothing(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        text = render_chat_prompt(MESSAGES, tokenizer_with(REACHING[what]))
    except DataError:
        text = ""
    assert "<class" not in text
    assert "root:" not in text
    assert "module" not in text
    assert not Path("it-ran").exists()


def test_through_the_command_line_it_is_one_line(tmp_path, monkeypatch, lmdistill):
    monkeypatch.setattr(bounded_template, "MAX_STEPS", 20_000)
    monkeypatch.chdir(tmp_path)
    network = tiny_language(layers=1, tokenizer=tokenizer_with(ENDLESS["nested ranges"]))
    save(network, Path("writer"))
    Path("asked.jsonl").write_text(json.dumps({"messages": MESSAGES[:1]}) + "\n")
    Path("rows.jsonl").write_text((json.dumps({"messages": MESSAGES}) + "\n") * 9)
    recipe = {
        "texts": {"source": "rows.jsonl", "dev_rows": 2, "max_length": 64},
        "teacher": {"model": "writer"},
        "student": {"layers": 1},
        "method": {"name": "token_kd"},
    }
    Path("recipe.yaml").write_text(json.dumps(recipe))
    for command in (("generate", "writer", "asked.jsonl"), ("distill", "recipe.yaml", "--out", "out")):
        said = lmdistill(*command)
        assert said.code == 2, said.err
        assert said.err.count("error: ") == 1
        assert "takes more than 20,000 steps, so it was cut off" in said.err


HARMLESS = {
    "chatml": "{% for m in messages %}{{ '<|' ~ m.role + '|>' }}{{ m['content']|trim }}\n{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    "all kinds of values": (
        "{%- set ns = namespace(n=0, seen=[], first=true) -%}{%- for m in messages if m.role != 'x' -%}{%- set ns.n = ns.n + 1 -%}"
        "{%- set ns.seen = ns.seen + [m.role] -%}{{ loop.index }}/{{ loop.length }} {{ 'last' if loop.last else loop.nextitem.role }} "
        "{{ m|tojson }} {{ '%s: %d' % (m.role, ns.n) }} {{ '{}-{:>4}'.format(m.role, 3) }} {{ m.content.split(' ')|join('+')|upper }}"
        "{{ m.content.replace('good', 'GOOD') }} {{ [1, 2] + [3] }} {{ {'a': 1}.items()|list }} {{ 2 ** 3 }} {{ 'ab' * 3 }} {{ (1, 2)[0] }}"
        "{%- for k, v in m.items() -%}{{ k }}={{ v }};{%- endfor -%}{%- if loop.index0 in [0, 1] and m.role in ('user', 'assistant') -%}y{%- endif -%}"
        "{%- endfor -%}{{ ns.seen|join(',') }} {{ ns.n }} {{ missing }} {{ messages|length }} {{ messages|map(attribute='role')|list }}"
        "{% macro say(a, b='c') %}<{{ a }}{{ b }}>{% endmacro %}{{ say('x') }}{{ say('x', b='y') }}{% for x in missing %}{% endfor %}"
        "{% generation %}made{% endgeneration %}{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x > 4 %}{% break %}{% endif %}{{ x }}{% endfor %}"
        "{{ bos_token }}{% set a, b = 1, [2, 3] %}{{ a }}{{ b[-1] }}{{ messages[1:]|length }}{% filter upper %}f{% endfilter %}{% set c %}block{% endset %}{{ c }}"
        "{{ 'a\nb'|indent(2) }}{{ 'x'|center(5) }}{{ [3, 1, 2]|sort|first }}{{ dict(a=1, b=2).a }}{{ messages|selectattr('role', 'equalto', 'user')|list|length }}"
    ),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_a_template_writes_what_transformers_writes(what):
    """The limits change no text: the same template with and without them."""
    tokenizer = tokenizer_with(HARMLESS[what])
    stock = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    assert render_chat_prompt(MESSAGES, tokenizer) == stock
    assert tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True) == stock
    assert len(stock) > 20


def test_a_long_chat_is_within_the_limits():
    messages = [{"role": ("user", "assistant")[n % 2], "content": "good film " * 500} for n in range(400)]
    prompt, completion = render_chat(messages, tokenizer_with(HARMLESS["chatml"]))
    assert 1_000_000 < len(prompt) + len(completion) < MAX_CHARACTERS


def test_elsewhere_transformers_renders_as_always(monkeypatch):
    """The limits hold where this package renders; another user of transformers in the process has none."""
    monkeypatch.setattr(bounded_template, "MAX_STEPS", 20_000)
    tokenizer = tokenizer_with(
        "{% for a in range(200) %}{% for b in range(200) %}{% endfor %}{% endfor %}done"
    )
    with pytest.raises(TemplateLimitError):
        render_chat_prompt(MESSAGES, tokenizer)
    assert tokenizer.apply_chat_template(MESSAGES, tokenize=False) == "done"
