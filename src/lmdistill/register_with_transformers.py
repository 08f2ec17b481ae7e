"""Our model classes in the Auto classes of transformers, without importing transformers before it is used.

`lmdistill.models` registers the classes that no release of transformers has, so that
`AutoModelForSequenceClassification.from_pretrained` loads such a folder without remote code after
`import lmdistill`. Importing `lmdistill.models` takes seconds. So `import lmdistill` does it at once only if
transformers is loaded already; otherwise it becomes the last step of the first `import transformers`. Nobody
can have an Auto class before that, so nobody meets one without our classes.
"""

import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

TRANSFORMERS = "transformers"


class AfterTransformers:
    """A finder in `sys.meta_path` that finds nothing itself; it makes importing transformers register us."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders give for transformers, its loader extended; None for other modules.

        Asking for a spec (`importlib.util.find_spec`) registers nothing; only executing the module does.
        """
        if name != TRANSFORMERS:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
                register()

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def register() -> None:
    """Register our classes; warn where that fails, since whoever imports transformers may not need them."""
    try:
        importlib.import_module("lmdistill.models")
    except Exception as error:
        warnings.warn(f"lmdistill could not register its model classes: {error}", stacklevel=2)


def register_when_loaded() -> None:
    """Register now if transformers is loaded, otherwise when it is."""
    if TRANSFORMERS in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, AfterTransformers())
