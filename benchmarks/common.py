"""What the benchmarks share: the machine's description, medians, results as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Return what a reader needs to know to compare figures."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((ln.split(":", 1)[1].strip() for ln in lines if "model name" in ln), model)
        flags = next((ln.split(":", 1)[1].split() for ln in lines if ln.startswith("flags")), [])
        wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
        model += f" ({', '.join(wide)})"
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("numpy", "torch", "textgenrnn")},
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, minimum and maximum, to four digits."""
    return {
        "median": float(f"{statistics.median(values):.4g}"),
        "min": float(f"{min(values):.4g}"),
        "max": float(f"{max(values):.4g}"),
    }


def save(name: str, results: Any, description: dict[str, Any]) -> None:
    """Write ``results/NAME.json`` and print where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": description,
        "results": results,
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {path.relative_to(Path(__file__).parent.parent)}")
