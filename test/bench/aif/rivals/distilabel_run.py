"""The bench's work as a distilabel pipeline: four models answer, its own UltraFeedback task judges four aspects.

`distilabel_run.py TASK.json FOLDER`: the pipeline's cache and the result lie in FOLDER, so that the same command run again
continues. Everything is distilabel's default but what the task names: models, address, requests in flight.
"""

import json
import sys
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import GroupColumns, LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration, UltraFeedback


def build(task: dict, folder: Path) -> Pipeline:
    batch = task["concurrency"] // 4

    def llm(model: str, temperature: float) -> OpenAILLM:
        return OpenAILLM(
            model=model,
            base_url=task["baseUrl"],
            api_key="none",
            generation_kwargs={"max_new_tokens": task["maxTokens"], "temperature": temperature},
        )

    with Pipeline(name="bench", cache_dir=folder / "cache") as pipeline:
        prompts = LoadDataFromDicts(data=[{"instruction": text} for text in task["prompts"]], batch_size=batch)
        answers = [
            TextGeneration(name=f"answer_{number}", llm=llm(model, 1.0), input_batch_size=batch)
            for number, model in enumerate(task["models"])
        ]
        together = GroupColumns(
            columns=["generation", "model_name"], output_columns=["generations", "generation_models"], input_batch_size=batch
        )
        judges = [
            UltraFeedback(
                name=f"judge_{number}", aspect=aspect.replace("_", "-"), llm=llm(task["judge"], 0.0), input_batch_size=batch
            )
            for number, aspect in enumerate(task["aspects"])
        ]
        prompts >> answers >> together >> judges
    return pipeline


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[2])
    distiset = build(task, folder).run(use_cache=True)
    answers, sheets = set(), 0
    for rows in (subset["train"] for subset in distiset.values()):
        for row in rows:
            answers.update((row["instruction"], number) for number, text in enumerate(row["generations"]) if text is not None)
            ratings = row["ratings"] or []
            sheets += len(ratings) == len(task["models"]) and all(rating is not None for rating in ratings)
    (folder / "result.json").write_text(json.dumps({"answers": len(answers), "sheets": sheets}))


if __name__ == "__main__":
    main()
