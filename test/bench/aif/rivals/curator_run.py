"""The bench's work with bespokelabs-curator: four models answer one after the other, then one judge rates four aspects.

`curator_run.py TASK.json FOLDER`: curator's working folder and the result lie in FOLDER, so that the same command run again
continues. The judge replies in curator's structured output. Rate limits are set out of the way, since without limits in the
server's headers curator would keep to a few requests a second; the requests in flight are what the task names.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Literal

# curator counts tokens with tiktoken, which would fetch its vocabulary; litellm, which curator stands on, brings that file
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(importlib.util.find_spec("litellm").origin).parent / "litellm_core_utils/tokenizers")

from bespokelabs import curator
from pydantic import BaseModel, Field

from datasets import Dataset

LABELS = "ABCD"


class Entry(BaseModel):
    label: Literal["A", "B", "C", "D"]
    rationale: str
    rating: Literal[1, 2, 3, 4, 5]


class Ratings(BaseModel):
    ratings: list[Entry] = Field(min_length=4, max_length=4)


class Answers(curator.LLM):
    def prompt(self, row: dict) -> str:
        return row["prompt"]

    def parse(self, row: dict, response: str) -> dict:
        return {"number": row["number"], "answer": response}


class Judge(curator.LLM):
    response_format = Ratings

    def prompt(self, row: dict) -> list[dict]:
        return [{"role": "system", "content": row["instructions"]}, {"role": "user", "content": row["sheet"]}]

    def parse(self, row: dict, response: Ratings) -> dict:
        ratings = {entry.label: entry.rating for entry in response.ratings}
        return {"number": row["number"], "aspect": row["aspect"], "ratings": [ratings[label] for label in LABELS]}


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[2])
    params = {
        "base_url": task["baseUrl"],
        "api_key": "none",
        "max_concurrent_requests": task["concurrency"],
        "max_requests_per_minute": 1_000_000,
        "max_tokens_per_minute": 1_000_000_000,
    }

    def sampling(temperature: float) -> dict:
        return {"temperature": temperature, "max_tokens": task["maxTokens"]}

    prompts = Dataset.from_list([{"number": number, "prompt": text} for number, text in enumerate(task["prompts"])])
    answers: dict[tuple[int, int], str] = {}
    for model, name in enumerate(task["models"]):
        llm = Answers(model_name=name, backend="openai", backend_params=dict(params), generation_params=sampling(1.0))
        for row in llm(prompts, working_dir=str(folder / "cache")).dataset:
            answers[row["number"], model] = row["answer"]

    sheets = []
    for number, prompt in enumerate(task["prompts"]):
        texts = [f"<<<{LABELS[model]}>>>\n{answers.get((number, model), '')}" for model in range(len(task["models"]))]
        sheet = "\n\n".join([f"<<<INSTRUCTION>>>\n{prompt}", *texts])
        for aspect, instructions in task["aspects"].items():
            sheets.append({"number": number, "aspect": aspect, "instructions": instructions, "sheet": sheet})
    judge = Judge(model_name=task["judge"], backend="openai", backend_params=dict(params), generation_params=sampling(0.0))
    rated = judge(Dataset.from_list(sheets), working_dir=str(folder / "cache")).dataset
    whole = sum(len(row["ratings"]) == len(LABELS) for row in rated)
    (folder / "result.json").write_text(json.dumps({"answers": len(answers), "sheets": whole}))


if __name__ == "__main__":
    main()
