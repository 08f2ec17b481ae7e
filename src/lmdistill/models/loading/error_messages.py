"""Messages about models that cannot be loaded, from the errors of other libraries."""

from pathlib import Path

from lmdistill.core.errors import first_sentence

PICKLE_ADVICE = (
    "pickled weights only, which can run code when they are loaded. If you trust them, convert them to "
    "safetensors (save_pretrained), or load with allow_pickle=True."
)


def loading_error_message(location: str, error: BaseException) -> str:
    """One line that says why a model cannot be loaded, and what to do.

    Args:
        location: Folder or hub id.
        error: Error of another library.
    """
    reason = first_sentence(error)
    if "Error while deserializing" in reason or "incomplete metadata" in reason:
        return f"the weights of {location} are damaged or cut short ({reason}) Copy or download them again."
    if "safetensors" in reason and "does not appear to have" in reason:
        return f"{location} has no weights as safetensors; it may have {PICKLE_ADVICE}"
    if not Path(location).is_dir():
        return unreadable_message(location, error)
    return f"{location} could not be loaded: {reason} Check that its files belong together."


def unreadable_message(location: str, error: BaseException) -> str:
    """One line that says why a configuration cannot be loaded, and what to do."""
    reason = first_sentence(error)
    if "trust_remote_code" in str(error):
        return f"{location} comes with code of its own. Read it, then set trust_remote_code to true."
    if Path(location).is_dir():
        return (
            f"{location}/config.json cannot be used: {reason} Save the model again, or name another folder."
        )
    return (
        f"{location} is neither a local folder nor a model that the hub provides ({reason}) Offline: "
        "download it on another machine, copy it here and name its folder, or set HF_HOME to a cache that "
        "holds it."
    )
