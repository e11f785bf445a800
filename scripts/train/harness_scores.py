"""What lm-eval found, as a scored folder: benchmarks.json and a line for each row in items (src/model/evaluation.ts)."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from harness_requests import Requests
from harness_tasks import SHOTS_SEED, Benchmark
from job import Job
from scored_folder import TOO_LONG, Json, digest, flat, mean, some_ids, write_scored_folder

if TYPE_CHECKING:
    from harness import Config
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM


def write_scored(job: Job, config: Config, lm: HFLM, requests: Requests, found: list[tuple[Benchmark, Json]]) -> Json:
    """Writes the folder and gives the metrics of the job: each benchmark's value by its name."""
    scored_benchmarks = []
    for benchmark, results in found:
        items = [item for subject, task in benchmark.tasks.items() for item in items_of(benchmark, subject, task, results, requests)]
        whole = {**scored(benchmark, results, items), "protocol": protocol(config, lm, benchmark, results), "notes": notes(lm, items)}
        scored_benchmarks.append((whole, items))
    values = write_scored_folder(job, scored_benchmarks)
    return {**values, "dtype": str(lm.model.dtype).removeprefix("torch."), "batch_size": config.batch_size}


def items_of(benchmark: Benchmark, subject: str, task: ConfigurableTask, results: Json, requests: Requests) -> list[Json]:
    """A line for each row, in their order. `figures` holds the other metrics of a row."""
    name = str(task.config.task)
    by_filter: dict[str, dict[int, Json]] = {}
    for sample in results["samples"][name]:
        by_filter.setdefault(sample["filter"], {})[sample["doc_id"]] = sample

    def value(spec: str, row: int) -> Any:
        metric, filter = parts(spec)
        return by_filter[filter][row][metric]

    items = []
    for row, sample in sorted(by_filter[parts(benchmark.file.metric)[1]].items()):
        id = f"{name}/{row}"
        item: Json = {"id": id, "cluster": subject if benchmark.file.cluster == "subject" else id}
        if subject:
            item["group"] = subject
        tokens = requests.too_long.get((name, row))
        if tokens is None:
            item |= {"score": float(value(benchmark.file.metric, row)), **said(sample)}
            item["figures"] = {called: value(spec, row) for called, spec in benchmark.file.figures.items()}
        else:
            item |= {"score": None, "dropped": TOO_LONG, "tokens": tokens}
        items.append({**item, "doc_sha256": sample["doc_hash"], "prompt_sha256": sample["prompt_hash"]})
    return items


def said(sample: Json) -> Json:
    """Log-probabilities (nats) of the choices in their order, or the answer and what was taken from it."""
    answers = [answer for request in sample["resps"] for answer in request]
    if isinstance(answers[0], str):
        return {"answer": answers[0], "taken": str(sample["filtered_resps"][0])}
    return {"logprobs": [logprob for logprob, _ in answers], "target": sample["target"]}


def parts(spec: str) -> tuple[str, str]:
    """Metric and filter of the harness."""
    metric, _, filter = spec.partition(",")
    return metric, filter or "none"


def scored(benchmark: Benchmark, results: Json, items: list[Json]) -> Json:
    kept = [item for item in items if item["score"] is not None]
    value = mean(item["score"] for item in kept)
    figures = {called: mean(flat(item["figures"][called] for item in kept)) for called in benchmark.file.figures}
    groups = {subject: group([item for item in items if item.get("group") == subject]) for subject in benchmark.tasks if subject}
    if groups:
        figures["mean of subjects"] = mean(group["value"] for group in groups.values() if group["value"] is not None)
    error = None
    if len(benchmark.tasks) == 1 and value is not None and len(kept) == len(items):
        metric, filter = parts(benchmark.file.metric)
        theirs = results["results"][str(benchmark.first.config.task)]
        if abs(theirs[f"{metric},{filter}"] - value) > 1e-9:
            raise RuntimeError(f"{benchmark.asked.name} is {value} by its rows and {theirs[f'{metric},{filter}']} by the harness")
        deviation = theirs.get(f"{metric}_stderr,{filter}")
        error = deviation if isinstance(deviation, float) and deviation == deviation else None
    dropped = len(items) - len(kept)
    return {
        "name": benchmark.asked.name, "title": benchmark.file.title, "metric": benchmark.file.called or parts(benchmark.file.metric)[0],
        "scale": [0, 1], "value": value, "standardError": error, "n": len(kept), "dropped": {TOO_LONG: dropped} if dropped else {},
        "groups": groups, "figures": figures,
    }  # fmt: skip


def group(items: list[Json]) -> Json:
    scores = [item["score"] for item in items if item["score"] is not None]
    return {"value": mean(scores), "n": len(scores)}


def protocol(config: Config, lm: HFLM, benchmark: Benchmark, results: Json) -> Json:
    """What two values must share to be compared. Rows and prompts are named by their digests, so that nothing is equal by name alone."""
    task, asked, file = benchmark.first.config, benchmark.asked, benchmark.file
    samples = [sample for each in benchmark.tasks.values() for sample in unfiltered(results["samples"][str(each.config.task)])]
    shots = int(task.num_fewshot or 0)
    sampler = task.fewshot_config.sampler if shots else "none"
    found: Json = {
        "harness": f"lm-eval {metadata.version('lm_eval')}",
        "engine": f"transformers {metadata.version('transformers')}",
        "task": str(task.task) if len(benchmark.tasks) == 1 else f"{asked.name} ({len(benchmark.tasks)} subjects)",
        "task_version": benchmark.first.VERSION,
        "data": asked.source or "zephyr",
        "split": task.test_split,
        "rows": len(samples),
        "rows_sha256": digest(sample["doc_hash"] for sample in samples),
        "shots": shots,
        "shots_from": f"{task.fewshot_split}, {'the first ones' if sampler == 'first_n' else f'drawn with seed {SHOTS_SEED}'}" if shots else "none",
        "template": config.template if file.chat else "none",
        "system": config.system if file.chat else "none",
        "bos": config.bos if file.chat else ("tokenizer" if begins_texts(lm) else "none"),
        "prompts_sha256": digest(sample["prompt_hash"] for sample in samples),
        "task_hash": digest(sample["doc_hash"] + sample["prompt_hash"] + sample["target_hash"] for sample in samples),
        "metric": file.metric,
    }
    if task.output_type == "generate_until":
        rules = task.generation_kwargs
        found |= {"temperature": rules["temperature"], "max_tokens": rules["max_gen_toks"], "stop": ["end of turn", *rules["until"]]}
    return found


def unfiltered(samples: list[Json]) -> list[Json]:
    """Each row once, by whatever filter."""
    return list({sample["doc_id"]: sample for sample in samples}.values())


def begins_texts(lm: HFLM) -> bool:
    lm.add_bos_token = None
    return bool(lm.tok_encode("a") != lm.tok_encode("a", add_special_tokens=False))


def notes(lm: HFLM, items: list[Json]) -> list[str]:
    dropped = [item for item in items if item["score"] is None]
    if not dropped:
        return []
    return [f"{len(dropped)} of {len(items)} rows do not fit into the context of {lm.max_length} tokens and do not count: {some_ids(dropped)}."]
