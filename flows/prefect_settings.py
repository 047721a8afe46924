"""Settings under which Prefect's embedded server runs alone on this machine; import before prefect.

No telemetry, no network beyond loopback, no late-run marker (it locks SQLite when runs pile up), and time for the
first start, which migrates a fresh database.  Errors are ours to print, so Prefect logs only what is critical.  What
the user has set wins.
"""

import os
import warnings

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
    "PREFECT_CLI_WRAP_LINES": "false",
}

for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)
warnings.filterwarnings("ignore", module=r"prefect(\..*)?")
