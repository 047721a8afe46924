"""Prefect reads its settings when it is first imported, so they are set before any test imports a flow."""

import os
import tempfile

_home = tempfile.TemporaryDirectory(prefix="prefect-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = _home.name
