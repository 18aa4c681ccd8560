"""Kernels that start at once, because they are forked from a process that knows the libraries.

A job gets a kernel of its own, so that nothing of one job reaches the next. Starting Python and
importing torch take longer than a small job: with `ForkedKernels` a worker does so once, in a
server that does nothing else (multiprocessing's "forkserver"), and each kernel is a fork of it.
Only the libraries are imported beforehand; the course's own code is read anew by every kernel.
"""

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from course_lib.benchmark.workers import end_with_parent

LIBRARIES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "torch",
    "torch._dynamo",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.optimize",
    "skimage.metrics",
    "nibabel",
    "pydicom",
    "tqdm.auto",
)


class _Process:
    """A forked process, with the methods of `subprocess.Popen` that Jupyter calls."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


class _Forking(LocalProvisioner):
    """Launches a kernel by forking it."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LIBRARIES))
        arguments = cmd[cmd.index("-f") :]
        child = context.Process(target=_serve, args=(arguments, kwargs["env"]))
        child.start()
        self.process = _Process(child)
        self.pid = self.pgid = child.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info


class ForkedKernels(AsyncKernelManager):
    """Jupyter's manager of a kernel, which is forked instead of started."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.provisioner = _Forking(kernel_id="job", kernel_spec=self.kernel_spec, parent=self)


def _serve(arguments: list[str], environment: dict[str, str]) -> None:
    """The forked process: a kernel in a process group of its own, which ends with its worker."""
    from ipykernel.kernelapp import launch_new_instance

    os.setsid()
    os.environ.update(environment)
    end_with_parent()
    launch_new_instance(argv=arguments)
