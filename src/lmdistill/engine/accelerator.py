"""The one door to accelerate's settings."""

import torch
from accelerate import Accelerator as Accelerator

from lmdistill.core.errors import ConfigError
from lmdistill.engine.distributed import on_cpu, process_state
from lmdistill.engine.training_settings import Training


def make_accelerator(training: Training) -> Accelerator:
    """An accelerator for one run: device and processes as launched.

    Works alike under `python`, `accelerate launch` and `torchrun`, with or without a device beside the CPU.
    The recipe alone says the precision, and the loop keeps to it with `torch.autocast`: accelerate's own
    setting holds for a whole process, stays in the network that was trained, and follows the launcher.

    Raises:
        ConfigError: If the device has no bfloat16.
    """
    if training.precision == "bf16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        raise ConfigError("precision is bf16 and this device has none. Set training.precision to fp32.")
    process_state()
    return Accelerator(mixed_precision="no", cpu=on_cpu())
