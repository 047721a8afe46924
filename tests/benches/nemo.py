"""Rows of NeMo Data Designer from the same levels: category samplers and one expression, no model.

    python tests/benches/nemo.py levels.json 20000

Run by an environment that has `data-designer` (https://github.com/NVIDIA-NeMo/DataDesigner, Apache-2.0); prints the
seconds.  It is the nearest in kind: levels of several axes and a text made of them, but it knows of no rules, no
coverage and no row that can be recomputed.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import data_designer.config as dd
from data_designer.interface import DataDesigner


def main(levels_file: str, rows: str) -> None:
    levels = json.loads(Path(levels_file).read_text("utf-8"))
    builder = dd.DataDesignerConfigBuilder(model_configs=[])
    for axis, values in levels.items():
        params = dd.CategorySamplerParams(values=values)
        builder.add_column(dd.SamplerColumnConfig(name=axis, sampler_type=dd.SamplerType.CATEGORY, params=params))
    told = " ".join(f"{{{{ {axis} }}}}" for axis in levels)
    builder.add_column(dd.ExpressionColumnConfig(name="scene", expr=told))
    nobody = dd.ModelProvider(name="none", endpoint="http://localhost:9", provider_type="openai")  # one is required
    with tempfile.TemporaryDirectory() as folder:
        designer = DataDesigner(artifact_path=folder, model_providers=[nobody])
        began = time.perf_counter()
        designer.create(builder, num_records=int(rows))
        print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
