"""A matrix in an object store, read from a real S3 server in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.errors import UsageError
from pipeline.store import point_current, scan_matrix, scan_pairings
from tests.golden_content import golden_samples, golden_version

BUCKET = "bucket"


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield {
            "aws_endpoint_url": f"http://127.0.0.1:{port}", "aws_region": "us-east-1", "aws_allow_http": "true",
            "aws_access_key_id": "key", "aws_secret_access_key": "secret",
        }  # fmt: skip
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    version = golden_version(out, golden_samples())
    point_current(out, version.folder.name)
    return out


@pytest.fixture(scope="module")
def remote(options: dict[str, str], local: Path) -> str:
    """The same folder in a bucket, copied as the README says: the version first, what points to it last."""
    client = boto3.client(
        "s3", endpoint_url=options["aws_endpoint_url"], region_name=options["aws_region"],
        aws_access_key_id="key", aws_secret_access_key="secret",
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    files = [path for path in sorted(local.rglob("*")) if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == "CURRENT"):
        client.upload_file(str(path), BUCKET, f"personas/{path.relative_to(local).as_posix()}")
    return f"s3://{BUCKET}/personas"


def test_a_matrix_in_an_object_store_is_scanned_as_one_on_disk(
    local: Path, remote: str, options: dict[str, str]
) -> None:
    there = scan_matrix(remote, options)
    assert_frame_equal(there.collect(), scan_matrix(local).collect())
    chinese, here = pl.col("lang") == "zh", scan_matrix(local)
    assert_frame_equal(there.filter(chinese).select("tone").collect(), here.filter(chinese).select("tone").collect())
    assert_frame_equal(scan_pairings(remote, options).collect(), scan_pairings(local).collect())


def test_a_place_without_a_matrix_says_so(remote: str, options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"{remote}/nothing/matrix/CURRENT: cannot be read"):
        scan_matrix(f"{remote}/nothing", options)
