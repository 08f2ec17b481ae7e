"""The one door to accelerate's settings."""

import torch
from accelerate import Accelerator as Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration

from lmdistill.core.errors import ConfigError
from lmdistill.engine.training import Training


def make_accelerator(training: Training) -> Accelerator:
    """An accelerator for one run: device and processes as launched, precision as the recipe says.

    Works alike under `python`, `accelerate launch` and `torchrun`. Batches are dealt out by the plan, a list
    for each process in turn, so accelerate must not even them out.

    Raises:
        ConfigError: If the device has no bfloat16.
    """
    mode = "bf16" if training.precision == "bf16" else "no"
    if mode == "bf16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        raise ConfigError("precision is bf16 and this device has none. Set training.precision to fp32.")
    if AcceleratorState().initialized if AcceleratorState._shared_state else False:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=mode, dataloader_config=DataLoaderConfiguration(even_batches=False))
