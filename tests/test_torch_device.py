"""refloss_torch's criteria on tensors of another device: a pretended one, since no accelerator need be there."""

import pathlib
import subprocess
import sys


def test_criteria_copy_to_the_host_and_back() -> None:
    """In a process of its own: a device that torch knows of cannot be taken back."""
    worker = pathlib.Path(__file__).parent / "torch_device_worker.py"
    done = subprocess.run([sys.executable, "-W", "error", worker], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.strip() == "alike", done.stderr[-2000:]
