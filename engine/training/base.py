"""What a student starts from: where it lies on this machine, and under which licence. Downloads nothing."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UserError

__all__ = ["base_folder", "base_licence"]


def base_folder(base: str | None, *, family: str, otherwise: str) -> Path:
    """A folder, or where the hub's cache has the model of that name.

    Raises UserError where there is none, with the way out: `otherwise` is a student that needs none.
    """
    if base is None:
        raise UserError(
            f"the student {family!r} starts from an encoder: name one with --base, a folder or an id in the hub's "
            f"cache, or train {otherwise!r}, which needs none"
        )
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder
    return _cached(base, otherwise=otherwise)


def _cached(base: str, *, otherwise: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(base, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"{base!r} is neither a folder nor in the hub's cache on this machine: name what is, fetch it where the "
            f"hub can be reached, or train {otherwise!r}, which needs none"
        ) from error


def base_licence(folder: Path) -> str | None:
    """The licence that a model's page tells of; None where there is no page, or none is told."""
    from huggingface_hub.repocard import metadata_load

    try:
        told = (metadata_load(folder / "README.md") or {}).get("license")
    except Exception:  # noqa: BLE001 - the head of a page is whatever people wrote, and all that it costs is a name
        return None
    named = ", ".join(map(str, told)) if isinstance(told, list) else told
    return str(named) if named else None
