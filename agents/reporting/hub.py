"""A run's data, or a student, in a repository of the Hugging Face hub, with its card.

The token comes from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from engine.errors import ProviderRefused, UserError
from engine.text import first_line

__all__ = ["Kind", "push", "token_in"]

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")

Kind = Literal["dataset", "model"]

# What goes there, and nothing else that may lie in the folder.
WHAT: Mapping[Kind, tuple[str, ...]] = {
    "dataset": ("*.parquet", "README.md"),
    "model": (
        "*.safetensors",
        "*.onnx",
        "*.onnx.data",
        "*.json",
        "*.jinja",
        "*.model",
        "*.txt",
        "predict.py",
        "README.md",
    ),
}


_CALLED: Mapping[Kind, str] = {"dataset": "data set", "model": "model"}


def token_in(environment: Mapping[str, str]) -> str:
    """The token to write with. Raises UserError where the environment has none."""
    for name in TOKENS:
        if token := environment.get(name, "").strip():
            return token
    raise UserError(
        f"--push-to-hub needs a token that may write: put it into {TOKENS[0]} (huggingface.co/settings/tokens)"
    )


def push(
    folder: Path, name: str, *, public: bool, token: str, kind: Kind = "dataset", endpoint: str | None = None
) -> str:
    """Put the parquet files of a run, or a student's files, and their card there, and return where they stand.

    A repository that is new is private unless `public`. Raises UserError for a name that is none, ProviderRefused when
    the hub refuses or cannot be reached; what is there already is then as it was.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # the error of whichever client it uses
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        OfflineModeIsEnabled,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    api = HfApi(endpoint=endpoint, token=token)
    try:
        api.create_repo(name, repo_type=kind, private=not public, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            repo_type=kind,
            folder_path=folder,
            allow_patterns=list(WHAT[kind]),
            commit_message="Rows and card" if kind == "dataset" else "A student and its card",
        )
    except HFValidationError as error:
        raise UserError(f"--push-to-hub {name}: is no name of a {_CALLED[kind]}; write OWNER/NAME") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise ProviderRefused(f"the hub refuses {name} ({status}): {error.server_message or error}") from error
    except (HTTPError, OSError, OfflineModeIsEnabled) as error:
        raise ProviderRefused(
            f"the hub at {api.endpoint} cannot be reached ({first_line(error)}); try again later"
        ) from error
    return f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{name}"
