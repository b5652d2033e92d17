"""A run's data in a repository of the Hugging Face hub, with its card. The token comes from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.errors import ProviderRefused, UserError

__all__ = ["push", "token_in"]

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def token_in(environment: Mapping[str, str]) -> str:
    """The token to write with. Raises UserError where the environment has none."""
    for name in TOKENS:
        if token := environment.get(name, "").strip():
            return token
    raise UserError(
        f"--push-to-hub needs a token that may write: put it into {TOKENS[0]} (huggingface.co/settings/tokens)"
    )


def push(data: Path, name: str, *, public: bool, token: str, endpoint: str | None = None) -> str:
    """Put the parquet files and the card of a run into a data set there, and return where it stands.

    A data set that is new is private unless `public`. Raises UserError for a name that is none, ProviderRefused when
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
        api.create_repo(name, repo_type="dataset", private=not public, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=data,
            allow_patterns=["*.parquet", "README.md"],
            commit_message="Rows and card",
        )
    except HFValidationError as error:
        raise UserError(f"--push-to-hub {name}: is no name of a data set; write OWNER/NAME") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise ProviderRefused(f"the hub refuses {name} ({status}): {error.server_message or error}") from error
    except (HTTPError, OSError, OfflineModeIsEnabled) as error:
        raise ProviderRefused(
            f"the hub at {api.endpoint} cannot be reached ({_said(error)}); try again later"
        ) from error
    return f"{api.endpoint}/datasets/{name}"


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
