import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch
from hypothesis import settings

from tests.tiny import make_batch, tiny

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def teacher():
    return tiny(layers=4, seed=1)


@pytest.fixture
def student():
    return tiny(layers=2, seed=2)


@pytest.fixture
def batch():
    return make_batch()
