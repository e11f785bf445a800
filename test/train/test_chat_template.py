"""What a dialogue becomes: the chat template, what begins a text, and that both are the same in training and afterwards."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from conftest import BASE, GENERATE, PREFS_DATA, SCRIPTS, SFT_DATA, JobFolder, Json, Lay, assistant, finish, user, write_rows

sys.path.insert(0, str(SCRIPTS))
import chat_tokenizer
from generate import read_prompts
from messages import with_system

GOLDEN = (
    "<s><|system|>\n</s>\n<|user|>\nSort 3 1 2.</s>\n<|assistant|>\n1 2 3</s>\n<|user|>\nThanks!</s>\n<|assistant|>\nYou are welcome.</s>\n"
)
DIALOGUE = [user("Sort 3 1 2."), assistant("1 2 3"), user("Thanks!"), assistant("You are welcome.")]
PAIR = {"prompt": "Sort 3 1 2.", "chosen": [user("Sort 3 1 2."), assistant("1 2 3")], "rejected": [user("Sort 3 1 2."), assistant("3 2 1")]}


def read_tokenizer(folder: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


@pytest.fixture(scope="session")
def tokenizer(base: Path) -> Any:
    return read_tokenizer(base)


# --- what is rendered ---------------------------------------------------------------------------------------------


def test_the_template_gives_the_golden_text(tokenizer: Any) -> None:
    assert tokenizer.apply_chat_template(with_system(DIALOGUE, "empty"), tokenize=False) == GOLDEN
    asked = tokenizer.apply_chat_template(DIALOGUE[:1], tokenize=False, add_generation_prompt=True)
    assert asked == "<s><|user|>\nSort 3 1 2.</s>\n<|assistant|>\n"


def test_the_template_gives_the_golden_tokens(tokenizer: Any) -> None:
    ids = tokenizer.apply_chat_template([user("the fox"), assistant("Blue dog")], return_dict=True)["input_ids"]
    tokens = ["<s>", "<|", "user", "|>", "Ċ", "the", "Ġfox", "</s>", "Ċ", "<|", "assistant", "|>", "Ċ", "Blue", "Ġdog", "</s>", "Ċ"]
    assert tokenizer.convert_ids_to_tokens(ids) == tokens


@pytest.mark.parametrize("bos", ["keep", "none"])
def test_the_mask_holds_the_answers_with_their_end_tokens_and_nothing_else(tokenizer: Any, bos: Any) -> None:
    tagged = chat_tokenizer.template_with_answer_tags("zephyr", tokenizer, bos)
    encoded = tokenizer.apply_chat_template(DIALOGUE, chat_template=tagged, return_dict=True, return_assistant_tokens_mask=True)
    counted = [token for token, counts in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if counts]
    assert tokenizer.decode(counted) == "1 2 3</s>You are welcome.</s>"


def test_a_role_that_the_template_does_not_know_is_an_error(tokenizer: Any) -> None:
    with pytest.raises(Exception, match="expected a role of system, user or assistant, not tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


@pytest.mark.parametrize("bos", ["keep", "none"])
@pytest.mark.parametrize(("messages", "ask"), [(DIALOGUE, False), (DIALOGUE[:3], True), (with_system(DIALOGUE, "empty"), False)])
def test_the_published_template_is_plain_jinja_and_renders_as_the_one_of_training(tokenizer: Any, bos: Any, messages: Any, ask: bool) -> None:
    import jinja2

    published = chat_tokenizer.chat_template("zephyr", tokenizer, bos)
    # plain Jinja knows no tag "generation"
    with pytest.raises(jinja2.TemplateSyntaxError, match="generation"):
        jinja2.Environment().from_string(chat_tokenizer.template_with_answer_tags("zephyr", tokenizer, bos))
    for options in ({}, {"trim_blocks": True, "lstrip_blocks": True}):
        rendered = jinja2.Environment(**options).from_string(published)
        text = rendered.render(messages=messages, add_generation_prompt=ask, bos_token="<s>", eos_token="</s>")
        tagged = chat_tokenizer.template_with_answer_tags("zephyr", tokenizer, bos)
        assert text == tokenizer.apply_chat_template(messages, chat_template=tagged, tokenize=False, add_generation_prompt=ask)


# --- what begins a text -------------------------------------------------------------------------------------------


def adds_one(config: Json, tokenizer: Json) -> None:
    """As Mistral's does. What the tokenizer's config says of it counts for nothing, to transformers 5 neither."""
    config["add_bos_token"] = False


def adds_nothing(config: Json, tokenizer: Json) -> None:
    tokenizer["post_processor"] = None


def has_no_bos(config: Json, tokenizer: Json) -> None:
    tokenizer["post_processor"], config["bos_token"] = None, None


def begins_with_its_end_token(config: Json, tokenizer: Json) -> None:
    """As OPT's does."""
    text = json.dumps(tokenizer["post_processor"]).replace("<s>", "</s>").replace('"ids": [1]', '"ids": [2]')
    tokenizer["post_processor"], config["bos_token"] = json.loads(text), "</s>"


def begins_with_another_token(config: Json, tokenizer: Json) -> None:
    """As GLM's does, whose bos token is none."""
    text = json.dumps(tokenizer["post_processor"]).replace("<s>", "<unk>").replace('"ids": [1]', '"ids": [0]')
    tokenizer["post_processor"], config["bos_token"] = json.loads(text), None


BEGINS = {adds_one: "<s>", adds_nothing: "", has_no_bos: "", begins_with_its_end_token: "</s>", begins_with_another_token: "<unk>"}


def base_with(base: Path, folder: Path, change: Callable[[Json, Json], None]) -> Path:
    shutil.copytree(base, folder)
    (folder / "chat_template.jinja").unlink()
    files = [folder / "tokenizer_config.json", folder / "tokenizer.json"]
    config, tokenizer = (json.loads(file.read_text()) for file in files)
    change(config, tokenizer)
    for file, members in zip(files, (config, tokenizer), strict=True):
        file.write_text(json.dumps(members))
    return folder


@pytest.fixture
def few(tmp_path: Path) -> Path:
    write_rows(tmp_path / "few" / "train_sft.jsonl", [{"messages": DIALOGUE}, {"messages": DIALOGUE[:2]}])
    write_rows(tmp_path / "few" / "train_prefs.jsonl", [PAIR])
    write_rows(tmp_path / "few" / "prompts.jsonl", [{"prompt_id": "a", "prompt": "Sort 3 1 2."}])
    return tmp_path / "few"


def prepared(lay: Lay, tokenizer: Path, few: Path, config: Json) -> tuple[JobFolder, list[Json]]:
    source = {**config["sources"][0], "test": None, "rows": None}
    job = finish(lay("prepare", {**config, "sources": [source]}, {"tokenizer": tokenizer, "data0": few}))
    return job, parquet.read_table(job.out / "train.parquet").to_pylist()


@pytest.mark.parametrize("change", BEGINS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("bos", ["keep", "none"])
def test_each_document_and_each_prompt_begins_as_the_tokenizer_begins_a_text(
    lay: Lay, base: Path, few: Path, tmp_path: Path, change: Any, bos: str
) -> None:
    own = base_with(base, tmp_path / "base", change)
    tokenizer = read_tokenizer(own)
    begin = BEGINS[change] if bos == "keep" else ""
    begin_ids = [] if begin == "" else [tokenizer.convert_tokens_to_ids(begin)]
    assert begin_ids == (tokenizer("a")["input_ids"][:-1] if bos == "keep" else [])
    template = {"bos": bos, "max_length": 128}

    job, rows = prepared(lay, own, few, {**SFT_DATA, **template, "loss_tokens": "assistant"})
    documents = []
    for row in rows:
        for start, length in zip([0, *row["seq_lengths"]], row["seq_lengths"], strict=False):
            documents.append(row["input_ids"][start : start + length])
        for id, label in zip(row["input_ids"], row["labels"], strict=True):
            assert label in (id, -100)
    assert len(documents) == 2
    for ids in documents:
        assert ids[: len(begin_ids)] == begin_ids
        assert tokenizer.decode(ids).startswith(f"{begin}<|system|>\n</s>\n<|user|>\n")
    counted = [label for row in rows for label in row["labels"] if label != -100]
    assert tokenizer.decode(counted).count("</s>") == 3
    assert job.events("note") == []

    _, [pair] = prepared(lay, own, few, {**PREFS_DATA, **template, "max_prompt_length": 64})
    chat_tokenizer.use_template(tokenizer, "zephyr", bos)
    asked = with_system(DIALOGUE[:1], "empty")
    # whoever renders a prompt with the published template has the very tokens
    assert pair["prompt_ids"] == tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert pair["prompt_ids"][: len(begin_ids)] == begin_ids
    assert tokenizer.decode(pair["chosen_ids"]) == "1 2 3</s>"
    [prompt] = read_prompts(few, None, tokenizer, "empty")
    assert prompt.ids == pair["prompt_ids"]


def test_a_prompt_that_is_cut_keeps_its_begin_token(lay: Lay, base: Path, few: Path, tokenizer: Any) -> None:
    long = {"chosen": [user("red green blue " * 40), assistant("1 2 3")], "rejected": [user("red green blue " * 40), assistant("3 2 1")]}
    write_rows(few / "train_prefs.jsonl", [long])
    for bos, count in (("keep", 1), ("none", 0)):
        _, [row] = prepared(lay, base, few, {**PREFS_DATA, "bos": bos})
        assert len(row["prompt_ids"]) == PREFS_DATA["max_prompt_length"]
        assert row["prompt_ids"].count(tokenizer.bos_token_id) == count
        assert (row["prompt_ids"][0] == tokenizer.bos_token_id) is (bos == "keep")


def test_what_is_published_holds_the_begin_token_and_no_tag(dsft: JobFolder, ddpo: JobFolder, tokenizer: Any) -> None:
    for job in (dsft, ddpo):
        text = (job.out / "chat_template.jinja").read_text()
        assert text == chat_tokenizer.chat_template("zephyr", tokenizer, "keep")
        assert text.startswith("{{- bos_token -}}\n") and "generation -%}" not in text
        published = read_tokenizer(job.out)
        assert published("a")["input_ids"] == tokenizer("a")["input_ids"]
        ids = published.apply_chat_template(DIALOGUE[:1], add_generation_prompt=True, return_dict=True)["input_ids"]
        assert ids.count(published.bos_token_id) == 1


# --- models that bring a template of their own --------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    ["{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}", "{{ raise_exception('no system turns') }}", "{% nonsense %}"],
)
def test_a_template_that_renders_otherwise_is_replaced_with_a_word(lay: Lay, base: Path, few: Path, tmp_path: Path, template: str) -> None:
    own = base_with(base, tmp_path / "base", lambda config, tokenizer: None)
    (own / "chat_template.jinja").write_text(template)
    said = 'the chat template of the input "{}" renders dialogues otherwise than the recipe\'s "zephyr", which is used in its place'
    job, _ = prepared(lay, own, few, SFT_DATA)
    assert [event["message"] for event in job.events("note")] == [said.format("tokenizer")]
    answers = finish(lay("generate", {**GENERATE, "max_new_tokens": 2}, {"model": own, "prompts": few}))
    assert [event["message"] for event in answers.events("note")] == [said.format("model")]


def test_the_template_of_an_older_artifact_without_a_begin_token_is_replaced_with_a_word(lay: Lay, base: Path, few: Path, tmp_path: Path) -> None:
    own = base_with(base, tmp_path / "base", lambda config, tokenizer: None)
    shutil.copy(SCRIPTS / "templates" / "zephyr.jinja", own / "chat_template.jinja")
    job, _ = prepared(lay, own, few, PREFS_DATA)
    [note] = job.events("note")
    assert note["message"] == (
        'the chat template of the input "tokenizer" begins no dialogue with "<s>", with the recipe\'s bos "keep" each of them does'
    )
    job, _ = prepared(lay, own, few, {**PREFS_DATA, "bos": "none"})
    assert job.events("note") == []


def test_a_begin_that_is_read_as_other_tokens_is_refused_with_the_way_out(lay: Lay, base: Path, few: Path, tmp_path: Path) -> None:
    def begins_with_a_space(config: Json, tokenizer: Json) -> None:
        space = tokenizer["model"]["vocab"]["Ġ"]
        text = json.dumps(tokenizer["post_processor"]).replace("<s>", "Ġ").replace('"ids": [1]', f'"ids": [{space}]')
        tokenizer["post_processor"] = json.loads(text)

    own = base_with(base, tmp_path / "base", begins_with_a_space)
    source = {**PREFS_DATA["sources"][0], "test": None}
    job = lay("prepare", {**PREFS_DATA, "sources": [source]}, {"tokenizer": own, "data0": few})
    assert job.run() == 65
    assert job.error().endswith('expected the recipe to say "bos: none" for this base')
    prepared(lay, own, few, {**PREFS_DATA, "bos": "none"})


def test_the_base_of_a_rehearsal_puts_a_begin_token_first_as_mistral_does(lay: Lay, world: Path) -> None:
    tokenizer = read_tokenizer(finish(lay("tiny_base", BASE, {"corpus": world})).out)
    assert tokenizer.convert_ids_to_tokens(tokenizer("the fox")["input_ids"]) == ["<s>", "the", "Ġfox"]
