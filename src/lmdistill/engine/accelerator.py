"""Creation of the `Accelerator` that a run uses."""

import torch
from accelerate import Accelerator as Accelerator

from lmdistill.core.errors import ConfigError
from lmdistill.engine.distributed import on_cpu, process_state
from lmdistill.engine.training_settings import Training


def make_accelerator(training: Training) -> Accelerator:
    """The `Accelerator` of one run, with the device and the processes that were launched.

    It works under `python`, `accelerate launch` and `torchrun`, on a GPU or on the CPU. Mixed precision is
    switched off here and set by the training loop with `torch.autocast`, so that only the recipe decides it:
    accelerate's setting applies to the whole process, remains on the trained network, and depends on the
    launcher.

    Args:
        training: Settings of the run; only `precision` is read.

    Raises:
        ConfigError: If `precision` is bf16 and the GPU does not support bfloat16.
    """
    if training.precision == "bf16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        raise ConfigError(
            "precision is bf16 and this device does not support bfloat16. Set training.precision to fp32."
        )
    process_state()
    return Accelerator(mixed_precision="no", cpu=on_cpu())
