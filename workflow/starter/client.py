"""Stands for `python -m MODULE ARGUMENTS`: the server of this call of Snakemake runs the module.

    python -I -S client.py SOCKET -m MODULE ARGUMENTS

It ends as the job ends, by its exit status or its signal, and hands on the signals that it gets.
"""

import contextlib
import json
import os
import signal
import socket
import sys
from functools import partial

LENGTH = 8  # bytes of a request's length
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hand_on(connection: socket.socket, number: int, frame: object) -> None:
    """Hand a signal on to the job, which may just have ended."""
    with contextlib.suppress(OSError):
        connection.send(bytes([number]))


def main() -> None:
    """Ask for the job, wait for its end, end alike."""
    path, _, module, *arguments = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until the request is sent
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError as error:
        sys.exit(f"error: nothing starts jobs at {path} ({error}); call snakemake again")
    for number in PASSED_ON:
        signal.signal(number, partial(hand_on, connection))
    request = json.dumps(
        {
            "module": module,
            "arguments": arguments,
            "folder": os.getcwd(),
            "environment": dict(os.environ),
        }
    ).encode()
    socket.send_fds(connection, [len(request).to_bytes(LENGTH, "big")], [0, 1, 2])
    connection.sendall(request)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    answer = connection.recv(16)
    if not answer:
        sys.exit("error: what starts jobs has ended before this job; call snakemake again")
    code = int(answer)
    if code < 0:
        if -code in PASSED_ON:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
