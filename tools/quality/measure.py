"""Runs a command, and says what it cost."""

import dataclasses
import os
import pathlib
import subprocess


@dataclasses.dataclass
class Run:
    """What became of a command: exit status, seconds of processor time, peak memory in bytes, what it printed."""

    status: int
    seconds: float
    peak_bytes: int
    out: str
    log: str

    def complaint(self):
        """The line that says what went wrong."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("error")]
        return (errors or lines or [f"exit status {self.status}"])[-1][:300]


def run(command, log, environment=None):
    """Runs `command` to its end; what it writes to standard error goes to the file `log`.

    Time and memory are those of the process and of all that it waited for; memory is that of the largest one.
    """
    log = pathlib.Path(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, env=environment, text=True
        )
        try:
            with process.stdout:
                out = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(
        process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, out,
        log.read_text(encoding="utf-8", errors="replace"),
    )
