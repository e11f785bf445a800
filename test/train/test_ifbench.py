"""The program `ifbench_score` in its own environment: prompts of our own wording, each answer judged by hand beside it."""

from __future__ import annotations

import json
from pathlib import Path

import lm_eval_jobs
import pytest
from conftest import JobFolder, Json, Lay

PROTOCOL: Json = {"data": "hf://datasets/allenai/IFBench_test@" + "1" * 40, "temperature": 0, "max_tokens": 2048, "limit": None}
Asked = list[tuple[str, Json]]

# id, instructions, answer, and by hand: whether each is followed to the letter, and with lines and marks left out
CASES: list[tuple[str, Asked, str, list[bool], list[bool]]] = [
    ("words", [("count:word_count_range", {"min_words": 3, "max_words": 5})], "The fox sleeps here.", [True], [True]),
    ("few-words", [("count:word_count_range", {"min_words": 3, "max_words": 5})], "Foxes sleep.", [False], [False]),
    # five words behind a line of greeting: only without that line
    ("greeting", [("count:word_count_range", {"min_words": 3, "max_words": 5})], "Here is my answer:\nThe fox sleeps here today.", [False], [True]),
    ("numbers", [("count:numbers", {"N": 2})], "It found 3 stones and 14 shells.", [True], [True]),
    ("one-number", [("count:numbers", {"N": 2})], "It found 3 stones.", [False], [False]),
    ("indent", [("format:line_indent", {})], "one\n two\n  three", [True], [True]),
    # four lines: of three, one alone would be left, which is as good as stairs
    ("no-indent", [("format:line_indent", {})], "one\ntwo\nthree\nfour", [False], [False]),
    ("no-space", [("format:no_whitespace", {})], "foxes-sleep", [True], [True]),
    ("title", [("format:title_case", {})], "the fox sleeps", [False], [False]),
    # "the" and "is" are stop words, 2 of 4: at most 60, not at most 40 percent
    ("stop-words", [("ratio:stop_words", {"percentage": 60})], "The fox is red.", [True], [True]),
    ("more-stop-words", [("ratio:stop_words", {"percentage": 40})], "The fox is red.", [False], [False]),
    ("emoji", [("format:emoji", {})], "The fox sleeps 🦊. It wakes 🌞!", [True], [True]),
    ("no-emoji", [("format:emoji", {})], "The fox sleeps. It wakes!", [False], [False]),
    ("keyword", [("sentence:keyword", {"word": "stone", "N": 2})], "A fox came. It saw a stone. It left.", [True], [True]),
    ("late-keyword", [("sentence:keyword", {"word": "stone", "N": 2})], "A fox came. It left. It saw a stone.", [False], [False]),
    ("both", [("count:numbers", {"N": 1}), ("format:no_whitespace", {})], "fox-7", [True, True], [True, True]),
    ("half", [("count:numbers", {"N": 1}), ("format:no_whitespace", {})], "fox 7", [True, False], [True, False]),
    ("empty", [("count:numbers", {"N": 1}), ("format:no_whitespace", {})], " ", [False, False], [False, False]),
    # nothing is left of it for the check to read, on which that of the package fails
    ("no-letter", [("format:quote_unquote", {})], "...", [False], [False]),
    ("quote", [("format:quote_unquote", {})], 'They say "sly", which means clever.', [True], [True]),
    ("end-quote", [("format:quote_unquote", {})], 'Foxes are "sly"', [False], [False]),
]
VERB: Asked = [("words:start_verb", {})]


def lay_answers(lay: Lay, folder: Path, rows: list[tuple[str, Asked, str | None]]) -> JobFolder:
    """Answers in the form of generate.py; without one the prompt did not fit."""
    prompts = [
        {
            "prompt_id": id,
            "prompt": f"Tell me of {id}.",
            "instruction_id_list": [name for name, _ in asked],
            "kwargs": [kwargs for _, kwargs in asked],
        }
        for id, asked, _ in rows
    ]
    answers = [
        {
            "prompt_id": id,
            "sample": 0,
            "text": text or "",
            "finish_reason": "too_long" if text is None else "stop",
            "tokens": len((text or "").split()),
        }
        for id, _, text in rows
    ]
    for name, file, lines in (("prompts", "prompts.jsonl", prompts), ("answers", "completions.jsonl", answers)):
        (folder / name).mkdir()
        (folder / name / file).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lay("ifbench_score", {"protocol": PROTOCOL}, {name: folder / name for name in ("prompts", "answers")})


@pytest.fixture(scope="module")
def done(lay: Lay, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    rows: list[tuple[str, Asked, str | None]] = [(id, asked, answer) for id, asked, answer, _, _ in CASES]
    rows += [("verb", VERB, "Run with the fox."), ("long", [("count:numbers", {"N": 1})], None)]
    return lm_eval_jobs.run(lay_answers(lay, tmp_path_factory.mktemp("ifbench"), rows))


def items_of(job: JobFolder) -> dict[str, Json]:
    return {item["id"]: item for item in map(json.loads, (job.out / "items" / "ifbench.jsonl").read_text().splitlines())}


def benchmark_of(job: JobFolder) -> Json:
    [found] = json.loads((job.out / "benchmarks.json").read_text())["benchmarks"]
    return dict(found)


def test_each_answer_is_scored_as_by_hand(done: JobFolder) -> None:
    items = items_of(done)
    for id, _, answer, strict, loose in CASES:
        item = items[id]
        assert (id, item["strict"], item["loose"], item["score"]) == (id, strict, loose, float(all(strict)))
        assert (item["cluster"], item["answer"]) == (id, answer)


def test_value_and_figures_are_shares_of_prompts_and_of_instructions(done: JobFolder) -> None:
    found = benchmark_of(done)
    stricts, looses = ([case[place] for case in CASES] for place in (3, 4))
    assert found["n"] == len(CASES)
    assert found["value"] == pytest.approx(sum(map(all, stricts)) / len(CASES))
    flat_strict, flat_loose = ([said for each in some for said in each] for some in (stricts, looses))
    assert found["figures"] == pytest.approx(
        {
            "prompt, loose": sum(map(all, looses)) / len(CASES),
            "instruction, strict": sum(flat_strict) / len(flat_strict),
            "instruction, loose": sum(flat_loose) / len(flat_loose),
        }
    )


def test_what_cannot_be_checked_is_left_out_with_its_reason(done: JobFolder) -> None:
    found, items = benchmark_of(done), items_of(done)
    assert found["dropped"] == {"longer than the context": 1, "words:start_verb needs averaged_perceptron_tagger_eng": 1}
    assert items["verb"]["score"] is None and items["long"]["score"] is None
    told = " ".join(found["notes"])
    assert "1 of 23 prompts do not count (longer than the context): long." in told
    assert "A check failed on 1 of 23 answers, counted as not following: no-letter." in told
    assert items["no-letter"]["failed_checks"] == ["format:quote_unquote: IndexError('string index out of range')"]


def test_protocol_names_package_rows_and_how_answers_were_made(done: JobFolder) -> None:
    protocol = benchmark_of(done)["protocol"]
    assert {name: protocol[name] for name in PROTOCOL} == PROTOCOL
    assert (protocol["harness"], protocol["rows"], protocol["unchecked"]) == ("if-verifiable 0.1.2", len(CASES) + 2, ["words:start_verb"])
    assert len(protocol["rows_sha256"]) == 64


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([("count:foxes", {})], 'Cannot check row "fox": "count:foxes" is none of the 58 instructions of IFBench'),
        ([("count:numbers", {"n": 2})], 'Cannot check row "fox": its kwargs for "count:numbers" say n, expected N'),
        ([("count:numbers", {})], 'Cannot check row "fox": its kwargs for "count:numbers" say nothing, expected N'),
    ],
)
def test_refuses_what_the_package_would_skip_or_draw_at_random(lay: Lay, tmp_path: Path, asked: Asked, said: str) -> None:
    job = lay_answers(lay, tmp_path, [("fine", [("count:numbers", {"N": 1})], "1"), ("fox", asked, "A fox.")])
    assert lm_eval_jobs.start(job).wait() == 65, job.log()[-2000:]
    assert said in job.error()
