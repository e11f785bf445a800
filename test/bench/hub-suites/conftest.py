"""What huggingface_hub's own tests expect of their surroundings, with the embedded Hub in the place of their staging server.
The source package carries the tests without these."""

import itertools
import os
from collections.abc import Callable

import pytest
from huggingface_hub import HfApi, constants

from . import testing_constants

testing_constants.ENDPOINT_STAGING = os.environ["HF_ENDPOINT"]
testing_constants.TOKEN = os.environ["SUITE_TOKEN"]
testing_constants.USER = "local"

RepoFactory = Callable
_numbers = itertools.count()
PLACES = {
    "HF_HOME": "",
    "HF_HUB_CACHE": "hub",
    "HUGGINGFACE_HUB_CACHE": "hub",
    "HF_XET_CACHE": "xet",
    "HF_ASSETS_CACHE": "assets",
    "HF_TOKEN_PATH": "token",
    "HF_STORED_TOKENS_PATH": "stored_tokens",
}


def pytest_collection_modifyitems(config, items):
    """Leaves out what asks the public Hub, and what needs Xet."""
    other = [item for item in items if item.get_closest_marker("production") or item.get_closest_marker("xet")]
    config.hook.pytest_deselected(items=other)
    items[:] = [item for item in items if item not in other]


@pytest.fixture(autouse=True)
def own_places(monkeypatch, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    for name, below in PLACES.items():
        monkeypatch.setattr(constants, name, str(home / below))
    # the tests read public repos without a token, which this Hub asks for always
    (home / "token").write_text(testing_constants.TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_EXPERIMENTAL_WARNING", True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="session")
def api():
    return HfApi(endpoint=testing_constants.ENDPOINT_STAGING, token=testing_constants.TOKEN)


@pytest.fixture(scope="session")
def api_prod():
    pytest.skip("asks the public Hub")


@pytest.fixture
def repo_factory(api):
    made = []

    def make(repo_type="model", **options):
        if repo_type == "space":
            options.setdefault("space_sdk", "gradio")
        url = api.create_repo(f"{repo_type}-{os.getpid()}-{next(_numbers)}", repo_type=repo_type, **options)
        made.append((url.repo_id, repo_type))
        return url

    yield make
    for name, repo_type in made:
        api.delete_repo(name, repo_type=repo_type, missing_ok=True)
