"""Fixtures of whole runs in a working directory of their own."""

from tests.run_fixtures import examples_cache as examples_cache
from tests.run_fixtures import models as models
from tests.run_fixtures import no_pages as no_pages
from tests.run_fixtures import place as place
