"""Unmodified Python clients against the embedded Hub. Every test runs in a child process: huggingface_hub reads its
environment once, at import."""

import json
import os
import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def client(hub, tmp_path):
    """Runs a program as zephyr runs its children: own token, own cache, no Xet, no proxy."""

    def run(program: str) -> dict:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        (tmp_path / "token").write_text(hub["token"])
        env |= {
            "HF_ENDPOINT": hub["url"],
            "HF_TOKEN": hub["token"],
            "HF_TOKEN_PATH": str(tmp_path / "token"),
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "DISABLE_SAFETENSORS_CONVERSION": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "OMP_NUM_THREADS": "1",
        }
        source = textwrap.dedent(program) + "\nprint('\\n' + json.dumps(out))\n"
        source = "import json, os, pathlib\nfrom huggingface_hub import HfApi\napi = HfApi()\n" + source
        done = subprocess.run([sys.executable, "-c", source], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_a_repo_is_created_private_and_creating_it_again_is_no_error(client):
    out = client("""
        from huggingface_hub.errors import RepositoryNotFoundError
        first = api.create_repo("org/created")
        again = api.create_repo("org/created", exist_ok=True)
        short = api.create_repo("short")
        try:
            api.repo_info("org/none"); missing = None
        except RepositoryNotFoundError:
            missing = "RepositoryNotFoundError"
        api.update_repo_settings("org/created", visibility="public")
        public = api.repo_info("org/created").private
        api.move_repo(short.repo_id, "org/moved")
        api.delete_repo("org/moved")
        out = dict(url=str(first), again=str(again), short=short.repo_id, private=api.repo_info("org/created").private, missing=missing,
                   public=public, exists=api.repo_exists("org/moved"), name=api.whoami()["name"])
    """)
    assert out["url"] == out["again"]
    assert out["url"].endswith("/org/created")
    assert out["short"] == f"{out['name']}/short"
    assert out["missing"] == "RepositoryNotFoundError"
    assert out["public"] is False
    assert out["exists"] is False


def test_files_go_up_and_come_down_as_they_were(client):
    out = client("""
        api.create_repo("org/files")
        os.makedirs("up/sub")
        pathlib.Path("up/README.md").write_text("---\\nlicense: mit\\n---\\n# hi\\n")
        pathlib.Path("up/sub/config.json").write_text("{}")
        pathlib.Path("up/empty.txt").write_text("")
        big = os.urandom(12_000_000)
        pathlib.Path("up/model.safetensors").write_bytes(big)
        one = api.upload_file(path_or_fileobj=b"one", path_in_repo="one.txt", repo_id="org/files")
        folder = api.upload_folder(folder_path="up", repo_id="org/files")
        same = api.upload_folder(folder_path="up", repo_id="org/files")
        commits = len(list(api.list_repo_commits("org/files")))
        down = pathlib.Path(api.snapshot_download("org/files"))
        names = sorted(str(p.relative_to(down)) for p in down.rglob("*") if p.is_file())
        verified = api.verify_repo_checksums("org/files")
        from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError
        errors = []
        for kwargs in (dict(filename="none.txt"), dict(filename="one.txt", revision="none")):
            try:
                api.hf_hub_download("org/files", **kwargs)
            except (EntryNotFoundError, RevisionNotFoundError) as error:
                errors.append(type(error).__name__)
        info = {p.path: p for p in api.get_paths_info("org/files", ["model.safetensors", "sub", "none"], expand=True)}
        out = dict(names=names, equal=(down / "model.safetensors").read_bytes() == big, commits=commits, errors=errors,
                   same=same.oid == folder.oid, lfs=info["model.safetensors"].lfs.size, by=info["sub"].last_commit.oid == folder.oid, paths=len(info),
                   mismatches=len(verified.mismatches), checked=verified.checked_count)
    """)
    assert out["names"] == [".gitattributes", "README.md", "empty.txt", "model.safetensors", "one.txt", "sub/config.json"]
    assert out["equal"]
    assert out["same"]
    assert out["commits"] == 3
    assert out["errors"] == ["RemoteEntryNotFoundError", "RevisionNotFoundError"]
    assert (out["lfs"], out["by"], out["paths"]) == (12_000_000, True, 2)
    assert (out["mismatches"], out["checked"]) == (0, 6)


def test_six_hundred_files_are_one_commit(client):
    out = client("""
        api.create_repo("org/many")
        os.makedirs("many")
        for i in range(600):
            pathlib.Path(f"many/{i:03}.txt").write_text(str(i))
        api.upload_folder(folder_path="many", repo_id="org/many")
        out = dict(files=len(api.list_repo_files("org/many")), commits=len(list(api.list_repo_commits("org/many"))))
    """)
    assert out == {"files": 601, "commits": 2}


def test_branches_and_tags_are_made_listed_and_removed(client):
    out = client("""
        api.create_repo("org/refs")
        api.create_branch("org/refs", branch="feat/y")
        api.create_branch("org/refs", branch="feat/y", exist_ok=True)
        commit = api.upload_file(path_or_fileobj=b"y", path_in_repo="dir/y.txt", repo_id="org/refs", revision="feat/y")
        api.create_tag("org/refs", tag="v1", revision="feat/y")
        api.create_tag("org/refs", tag="v1", revision="feat/y", exist_ok=True)
        refs = api.list_repo_refs("org/refs")
        text = pathlib.Path(api.hf_hub_download("org/refs", "dir/y.txt", revision="feat/y")).read_text()
        tagged = api.list_repo_files("org/refs", revision="v1")
        api.delete_branch("org/refs", branch="feat/y")
        api.delete_tag("org/refs", tag="v1")
        kept = pathlib.Path(api.hf_hub_download("org/refs", "dir/y.txt", revision=commit.oid)).read_text()
        api.super_squash_history("org/refs")
        after = api.list_repo_refs("org/refs")
        out = dict(branches=[b.name for b in refs.branches], tags=[(t.name, t.target_commit == commit.oid) for t in refs.tags], text=text, kept=kept,
                   tagged=tagged, after=[b.name for b in after.branches] + [t.name for t in after.tags], commits=len(list(api.list_repo_commits("org/refs"))))
    """)
    assert out == {
        "branches": ["feat/y", "main"], "tags": [["v1", True]], "text": "y", "kept": "y", "tagged": [".gitattributes", "dir/y.txt"], "after": ["main"], "commits": 1,
    }


def test_a_commit_on_a_stale_parent_is_refused_and_a_copy_needs_no_bytes(client):
    out = client("""
        from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
        from huggingface_hub.errors import HfHubHTTPError
        api.create_repo("org/cas")
        first = api.repo_info("org/cas").sha
        add = lambda text: [CommitOperationAdd("a.txt", text), CommitOperationAdd("w.safetensors", os.urandom(100))]
        api.create_commit("org/cas", add(b"1"), commit_message="One", parent_commit=first)
        try:
            api.create_commit("org/cas", add(b"2"), commit_message="Two", parent_commit=first); status = 200
        except HfHubHTTPError as error:
            status = error.response.status_code
        api.create_commit("org/cas", [CommitOperationCopy("w.safetensors", "copy/w.safetensors"), CommitOperationDelete("a.txt")], commit_message="Copy")
        out = dict(status=status, files=sorted(api.list_repo_files("org/cas")))
    """)
    assert out == {"status": 412, "files": [".gitattributes", "copy/w.safetensors", "w.safetensors"]}


def test_a_dataset_is_pushed_and_loaded(client):
    out = client("""
        from datasets import Dataset, DatasetDict, load_dataset
        rows = {"prompt": [f"p{i}" for i in range(50)], "n": list(range(50))}
        Dataset.from_dict(rows).push_to_hub("org/rows", private=True)
        DatasetDict(train=Dataset.from_dict(rows), test=Dataset.from_dict({"prompt": ["x"], "n": [1]})).push_to_hub("org/splits", revision="other")
        sha = api.repo_info("org/rows", repo_type="dataset").sha
        loaded = load_dataset("org/rows", revision=sha, split="train")
        splits = load_dataset("org/splits", revision="other")
        stream = next(iter(load_dataset("org/rows", revision=sha, split="train", streaming=True)))
        out = dict(equal=loaded.to_dict() == rows, splits={k: len(v) for k, v in splits.items()}, stream=stream)
    """)
    assert out == {"equal": True, "splits": {"train": 50, "test": 1}, "stream": {"prompt": "p0", "n": 0}}


def test_a_model_is_pushed_and_loaded(client):
    out = client("""
        import torch
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import AutoModelForCausalLM, AutoTokenizer, MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast
        config = MistralConfig(vocab_size=32, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, intermediate_size=32)
        model = MistralForCausalLM(config)
        words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(31)} | {"<unk>": 31}, unk_token="<unk>"))
        words.pre_tokenizer = pre_tokenizers.Whitespace()
        model.push_to_hub("org/tiny", private=True)
        PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").push_to_hub("org/tiny")
        back = AutoModelForCausalLM.from_pretrained("org/tiny")
        tokenizer = AutoTokenizer.from_pretrained("org/tiny")
        ids = tokenizer("w1 w2 w3", return_tensors="pt").input_ids
        out = dict(equal=all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), back.state_dict().values())), ids=ids.tolist(),
                   logits=torch.equal(model.eval()(ids).logits, back.eval()(ids).logits), files=sorted(api.list_repo_files("org/tiny")))
    """)
    assert out["equal"] and out["logits"]
    assert out["ids"] == [[1, 2, 3]]
    assert "model.safetensors" in out["files"]


def test_what_a_client_asks_for_is_done(client):
    out = client("""
        api.create_repo("org/asked")
        os.makedirs("up/nested")
        pathlib.Path("up/.gitignore").write_text("nested/*\\n")
        pathlib.Path("up/nested/file.bin").write_bytes(bytes(9))
        pathlib.Path("up/a.txt").write_text("a")
        api.upload_folder(folder_path="up", repo_id="org/asked")
        api.update_repo_settings("org/asked", gated="auto")
        first = api.list_repo_commits("org/asked")[-1].commit_id
        api.create_tag("org/asked", tag="v0", revision=first[:7])
        api.move_repo("org/asked", "org/answered")
        out = dict(files=sorted(api.list_repo_files("org/asked")), gated=api.model_info("org/asked").gated, name=api.model_info("org/Answered").id,
                   tag=api.list_repo_refs("org/asked").tags[0].target_commit == first, short=api.file_exists("gpt2", "config.json"),
                   anonymous=HfApi(token=False).repo_exists("org/answered"))
    """)
    assert out == {
        "files": [".gitattributes", ".gitignore", "a.txt"],
        "gated": "auto",
        "name": "org/answered",
        "tag": True,
        "short": False,
        "anonymous": False,
    }
