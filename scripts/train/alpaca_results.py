"""AlpacaEval's numbers by the alpaca_eval package, from what a judge replied: a scored folder, and the package's annotations."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alpaca_pairs import PROTOCOLS, REQUESTS, Version, annotator_of, as_shown
from canonical_json import canonical_json
from durable_files import write_json
from job import Job
from json_lines import read_json_lines, write_json_lines
from run_job import run

if TYPE_CHECKING:
    from pandas import DataFrame

ENVIRONMENT = "alpaca-eval"
Json = dict[str, Any]
NO_CHOICE = "no choice in the reply"


@dataclasses.dataclass(frozen=True)
class Judge:
    # by the recipe's name, and all that is known of who answers
    teacher: str
    identity: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Config:
    versions: list[Version]
    # models with public answers, and where those are from
    rejudge: dict[str, str]
    # of each version; the first one's verdicts are the value
    judges: dict[str, list[Judge]]
    repeats: int
    # how our model answered
    protocol: dict[str, Any]
    # what the instructions are, as the plan names it
    source: str


def main(job: Job, config: Config) -> None:
    requests = [row for _, row in read_json_lines(job.input("requests") / REQUESTS)]
    replies: dict[tuple[str, int, str], list[Json]] = {}
    for _, row in read_json_lines(job.input("judgments") / "judgments.jsonl"):
        replies.setdefault((row["id"], row["version"], row["model"]), []).append(row)
    for folder in ("items", "annotations", "rejudged"):
        (job.out / folder).mkdir(exist_ok=True)
    benchmarks = []
    for version in config.versions:
        asked = [row for row in requests if row["version"] == version]
        own, *others = [
            score(job, config, version, model, [row for row in asked if row["model"] == model], replies) for model in ("", *config.rejudge)
        ]
        # intervals are reckoned where all of them are, see src/stages/eval/results.ts
        open_ended = {"estimate": None, "difference": None}
        rejudged = [
            {"model": model, "answers": answers, "n": other["n"], "value": other["value"], **open_ended}
            for (model, answers), other in zip(config.rejudge.items(), others, strict=True)
        ]
        benchmarks.append({**own, **({"rejudged": rejudged} if rejudged else {})})
    write_json(job.out / "benchmarks.json", {"version": 1, "benchmarks": benchmarks})
    job.finish(1, 1, {each["name"]: each["value"] for each in benchmarks})


def score(job: Job, config: Config, version: Version, model: str, rows: list[Json], replies: dict[tuple[str, int, str], list[Json]]) -> Json:
    judges = config.judges[str(version)]
    main_judge = judges[0]
    said = [replies.get((row["id"], version, model), []) for row in rows]
    verdicts = preferences(version, rows, said)
    own = [[value for reply, value in each if reply["judge"] == main_judge.teacher and value is not None] for each in verdicts]
    found = [1.5 if is_draw(row) else sum(each) / len(each) if each else None for row, each in zip(rows, own, strict=True)]
    name = f"alpaca-eval-{version}" + (f"-{1 + list(config.rejudge).index(model)}" if model else "")
    annotations = annotate(config, version, model or "evaluated", rows, found)
    path = job.out / "annotations" / f"{name}.json"
    write_json(path, annotations)
    figures, error = reckon(path, version, main_judge, job.input("data"))
    items = [item_of(row, value, each) for row, value, each in zip(rows, found, verdicts, strict=True)]
    write_json_lines(job.out / ("rejudged" if model else "items") / f"{name}.jsonl", items)
    scores = [item["score"] for item in items if item["score"] is not None]
    value = sum(scores) / len(scores) if scores else None
    if value is not None and abs(figures.pop("win_rate") - value) > 1e-9:
        raise RuntimeError(f"{name} is {value} by its rows and another by the package")
    dropped = [item["dropped"] for item in items if item["score"] is None]
    return {
        "name": name, "title": f"AlpacaEval {version}", "metric": "win rate", "scale": [0, 1],
        "value": value, "standardError": error, "n": len(scores), "dropped": {why: dropped.count(why) for why in dropped},
        "groups": {each: group(items, each) for each in dict.fromkeys(item["group"] for item in items)},
        "figures": {key: each for key, each in figures.items() if key != "win_rate"} | lengths(rows),
        "protocol": protocol(config, version, rows), "notes": notes(config, version, items),
    }  # fmt: skip


def is_draw(row: Json) -> bool:
    return row["messages"] is None and "dropped" not in row


def preferences(version: Version, rows: list[Json], said: list[list[Json]]) -> list[list[tuple[Json, float | None]]]:
    """
    The replies to each row, each with what the package reads in it: 1 for the baseline, 2 for the model, between them by the
    judge's probabilities, None where it reads nothing. What it reads is turned back to the order that the judge did not see.
    """
    import pandas

    annotator = annotator_of(version)
    flat = [(at, reply) for at, replies in enumerate(said) for reply in replies]
    found: list[list[tuple[Json, float | None]]] = [[] for _ in rows]
    if not flat:
        return found
    frame = as_shown(annotator, [rows[at] for at, _ in flat])
    read, _ = annotator._parse_completions([completion(version, reply) for _, reply in flat])
    frame["preference"] = pandas.Series(read, dtype=float)
    kept = annotator._postprocess(frame)["preference"].to_dict()
    for index, (at, reply) in enumerate(flat):
        found[at].append((reply, float(kept[index]) if index in kept else None))
    return found


def completion(version: Version, reply: Json) -> Any:
    """A reply as the package's parser of this version reads it."""
    if version == 1:
        return reply["text"]
    top = reply["alternatives"]
    return {"logprobs": {"content": [{"top_logprobs": top}]}} if top else ""


def annotate(config: Config, version: Version, model: str, rows: list[Json], found: list[float | None]) -> list[Json]:
    """The package's annotations.json. The annotator is named by the whole judge: its caches know an annotator by its name alone."""
    judge = config.judges[str(version)][0]
    identity = hashlib.sha256(canonical_json({"judge": judge.identity, "repeats": config.repeats}).encode()).hexdigest()[:12]
    annotator = f"{PROTOCOLS[version].annotator}-{slug(str(judge.identity['model']))}-{identity}"
    return [
        {**{key: row[key] for key in ("instruction", "output_1", "generator_1", "output_2")}, "generator_2": model, "annotator": annotator, "dataset": row["set"], "preference": value}
        for row, value in zip(rows, found, strict=True)
    ]  # fmt: skip


def reckon(path: Path, version: Version, judge: Judge, data: Path) -> tuple[Json, float | None]:
    """Figures by the package's own functions, and its standard error; shares of 1. Length control holds for the judge of 2023 alone."""
    from alpaca_eval.metrics import get_length_controlled_winrate, get_winrate
    from alpaca_eval.utils import load_or_convert_to_dataframe

    frame = load_or_convert_to_dataframe(path, dtype=False)
    frame["preference"] = frame["preference"].astype(float)
    if is_controlled(version, judge, data, frame):
        use_files_of(data)
        found = get_length_controlled_winrate(frame, save_weights_dir=None, is_warn_extreme_changes=False)
    else:
        found = get_winrate(frame)
    figures = {name: share(found[name]) for name in ("win_rate", "discrete_win_rate")}
    if "length_controlled_winrate" in found:
        figures["length_controlled_win_rate"] = share(found["length_controlled_winrate"])
    figures |= {called: int(found[name]) for called, name in (("wins", "n_wins"), ("losses", "n_wins_base"), ("ties", "n_draws"))}
    return figures, share(found["standard_error"])


def is_controlled(version: Version, judge: Judge, data: Path, frame: DataFrame) -> bool:
    if version != 2 or judge.identity["model"] != PROTOCOLS[2].judge or not (data / "df_gamed.csv").is_file():
        return False
    import pandas

    # its features belong to instructions by their place in the list
    places = pandas.read_csv(data / "df_gamed.csv")["index"]
    return set(places) == set(range(len(frame)))


def use_files_of(data: Path) -> None:
    """Has the package read what it would fetch from the Hub out of the job's input."""
    from alpaca_eval.metrics import glm_winrate

    glm_winrate.hf_hub_download = lambda filename, **_: str(data / filename)


def share(percent: float) -> float | None:
    return None if math.isnan(percent) else float(percent) / 100


def item_of(row: Json, value: float | None, verdicts: list[tuple[Json, float | None]]) -> Json:
    item = {
        "id": row["id"], "cluster": row["id"], "group": row["set"], "prompt": row["instruction"], "answer": row["output_2"],
        "judged": [{"judge": reply["judge"], "pass": reply["pass"], "score": None if each is None else each - 1} for reply, each in verdicts],
    }  # fmt: skip
    if value is not None:
        return {**item, "score": value - 1}
    return {**item, "score": None, "dropped": row.get("dropped", NO_CHOICE if verdicts else "no reply of the judge")}


def group(items: list[Json], name: str) -> Json:
    scores = [item["score"] for item in items if item["group"] == name and item["score"] is not None]
    return {"value": mean(scores), "n": len(scores)}


def mean(values: Iterable[float]) -> float | None:
    each = list(values)
    return sum(each) / len(each) if each else None


def lengths(rows: list[Json]) -> Json:
    """Mean characters of an answer, as the package counts lengths, and answers that were cut off, where that is known."""
    answered = [row for row in rows if "dropped" not in row]
    cut = {"answers_cut_off": sum(not row["ended"] for row in answered)} if any("ended" in row for row in answered) else {}
    return {
        "characters_per_answer": mean(len(row["output_2"]) for row in answered),
        "characters_per_baseline_answer": mean(len(row["output_1"]) for row in answered),
        **cut,
    }


def protocol(config: Config, version: Version, rows: list[Json]) -> Json:
    """What two values must share to be compared."""
    annotator = annotator_of(version)
    baselines = sorted({row["generator_1"] for row in rows})
    return {
        **config.protocol,
        "package": f"alpaca_eval {metadata.version('alpaca_eval')}",
        "annotator": PROTOCOLS[version].annotator,
        "baseline": baselines[0] if len(baselines) == 1 else baselines,
        "judge": config.judges[str(version)][0].identity,
        "judge_repeats": config.repeats,
        "judge_prompt_sha256": digest([annotator.prompt_template]),
        "data": config.source,
        "instructions_sha256": digest(row["instruction"] for row in rows),
        "baseline_sha256": digest(row["output_1"] for row in rows),
    }  # fmt: skip


def digest(texts: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(texts), ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def notes(config: Config, version: Version, items: list[Json]) -> list[str]:
    judge, original = str(config.judges[str(version)][0].identity["model"]), PROTOCOLS[version].judge
    found = ["Instructions and baseline answers are of AlpacaEval, CC BY-NC 4.0: not for commercial use."]
    if judge != original:
        found.append(f"Judged by {judge}, published values by {original}: they are not comparable, and lengths are not controlled for.")
    answers = [item["answer"] for item in items if item.get("dropped") is None]
    if len(answers) > 1 and len(set(answers)) < len(answers) / 2:
        found.append("Most answers are equal to others: a judge can be won over by one answer to everything (arXiv 2410.07137).")
    return found


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


if __name__ == "__main__":
    run("alpaca_results", Config, main)
