from pathlib import Path

import pytest

from lmdistill.core.errors import ConfigError
from lmdistill.serving.server_settings import ServerSettings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": -1}, "--port must be at least 0, got -1"),
        ({"port": 65536}, "--port must be at most 65535, got 65536"),
        ({"max_batch": 0}, "--max-batch must be at least 1, got 0"),
        ({"max_wait": float("nan")}, "--max-wait must be at least 0"),
        ({"max_texts": 0}, "--max-texts must be at least 1, got 0"),
        ({"max_characters": 0}, "--max-characters must be at least 1, got 0"),
        ({"max_queue": 10, "max_texts": 11}, "--max-queue is 10 and --max-texts 11"),
        ({"teacher_timeout": 0.0}, "--teacher-timeout must be over 0 s, got 0 s"),
        ({"audit_share": 0.0}, "--audit-share must be over 0 and at most 1, got 0"),
        ({"audit_share": 1.5}, "--audit-share must be over 0 and at most 1, got 1.5"),
        ({"audit": Path("audit.csv")}, r"--audit writes JSON lines, got audit\.csv"),
        ({"teacher": "localhost:8001"}, "--teacher must be an address like http://localhost:8001"),
        ({"teacher": "file:///etc/passwd"}, "--teacher must be an address"),
        ({"teacher": "http://"}, "--teacher must be an address"),
        ({"teacher": "http://a:port"}, "--teacher must be an address"),
        ({"teacher": "http://me:secret@a"}, "--teacher has a user or a password"),
    ],
)
def test_values_that_cannot_be_are_named(given, said):
    with pytest.raises(ConfigError, match=f"^{said}") as error:
        ServerSettings(**given)
    assert "secret" not in str(error.value)


def test_the_bounds_themselves_can_be():
    ServerSettings(port=0, max_wait=0.0, max_queue=1, max_texts=1, audit_share=1.0, teacher="https://a/b")
