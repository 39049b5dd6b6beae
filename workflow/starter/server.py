"""Starts the stages of one call of Snakemake by forking, so that each does not import torch anew.

    python server.py SOCKET < a pipe whose other end the call holds

Standard input gives one line of JSON: for every stage, the modules of others that it imports. Those
are imported here, once, when a stage that needs them first comes; the project's own never are, so
that a job always runs the code that lies there. Nothing is computed here: a fork takes no threads
along.

A client (client.py) hands over its arguments, environment and streams. Its job is a child of this
process, ends when the client does, and leaves the client its exit status. At the pipe's end, when
the call is over or was killed, so is everything here.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import threading
import traceback
from typing import TextIO

LENGTH = 8  # bytes of a request's length
PATIENCE = 5  # seconds that a client may take to send its request
DEATH_SIGNAL = 1  # Linux: what prctl() sets, the signal that a process gets at its parent's end


class Server:
    """One socket, one child a connection."""

    def __init__(self, path: str, imported: dict[str, list[str]]):
        self.imported = imported
        self.jobs: dict[socket.socket, int] = {}  # connection -> process of its job
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1024)
        for source in (self.listener, sys.stdin):
            self.selector.register(source, selectors.EVENT_READ)
        # A child's end wakes the selector through this pair.
        self.ended, wake = socket.socketpair()
        for end in (self.ended, wake):
            end.setblocking(False)
        self.wake = wake
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.selector.register(self.ended, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until the call that holds standard input is over."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    self.start(self.listener.accept()[0])
                elif key.fileobj is self.ended:
                    self.ended.recv(4096)
                    self.collect()
                elif key.fileobj is sys.stdin:
                    return
                elif key.fileobj in self.jobs:
                    self.obey(key.fileobj)

    def start(self, connection: socket.socket) -> None:
        """Fork the job that a client asks for."""
        streams: list[int] = []
        request = receive(connection, streams)
        process = None if request is None else self.fork(request, streams, connection)
        for stream in streams:
            os.close(stream)
        if process is None:
            connection.close()
            return
        self.jobs[connection] = process
        self.selector.register(connection, selectors.EVENT_READ)

    def fork(self, request: dict, streams: list[int], connection: socket.socket) -> int | None:
        """The process of a job; None where there can be no more, which its client is told."""
        for module in self.imported.get(request["module"], []):
            with contextlib.suppress(Exception):  # which the job itself will meet, and say
                importlib.import_module(module)
        gc.freeze()
        try:
            process = os.fork()
        except OSError as error:
            os.write(streams[2], f"error: no process can be started: {error}\n".encode())
            with contextlib.suppress(ConnectionError):
                connection.send(b"1")
            return None
        if process == 0:
            self.become(request, streams, connection)
        return process

    def obey(self, connection: socket.socket) -> None:
        """Pass on the signals that a client was sent; its end is its job's."""
        try:
            numbers = connection.recv(64)
        except ConnectionError:
            numbers = b""
        for number in numbers or [signal.SIGKILL]:
            os.kill(self.jobs[connection], number)
        if not numbers:
            self.selector.unregister(connection)

    def collect(self) -> None:
        """Tell the clients of ended jobs how they ended."""
        for connection, process in list(self.jobs.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del self.jobs[connection]
                if connection in self.selector.get_map():
                    self.selector.unregister(connection)
                with contextlib.suppress(ConnectionError):  # a client that is gone reads nothing
                    connection.send(str(os.waitstatus_to_exitcode(status)).encode())
                connection.close()

    def become(self, request: dict, streams: list[int], connection: socket.socket) -> None:
        """The job itself, in the child: what `python -m MODULE ARGUMENTS` would do."""
        code = 1
        try:
            if sys.platform == "linux":  # a server that is killed itself leaves no job behind
                ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self.selector.close()
            for end in (self.listener, self.ended, self.wake, connection, *self.jobs):
                end.close()
            for stream, number in zip(streams, range(3), strict=True):
                os.dup2(stream, number)
                os.close(stream)
            sys.stdout, sys.stderr = writing(1), writing(2)
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            # As with -m: the folder that it is called from, then PYTHONPATH.
            given = request["environment"].get("PYTHONPATH", "")
            sys.path[:1] = [request["folder"], *filter(None, given.split(os.pathsep))]
            sys.argv = [request["module"], *request["arguments"]]
            runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            self.end(code)

    def end(self, code: int) -> None:
        """End the job's process, whatever its streams say: nothing of the server may run in it."""
        try:
            threading._shutdown()  # type: ignore[attr-defined]
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        except BaseException:  # who reads the stream is gone
            code = code or 1
        finally:
            os._exit(code)


def writing(stream: int) -> TextIO:
    """A stream for a job; this process's own may be a seekable file, where the job's is a pipe."""
    lines = 1 if stream == 2 else -1  # standard error is written line by line
    return open(stream, "w", lines, encoding="utf-8", errors="backslashreplace", closefd=False)


def receive(connection: socket.socket, streams: list[int]) -> dict | None:
    """A client's request, its three streams added to `streams`, which the caller closes.

    None from a client that left before it was whole. A client sends at once; one that does not,
    stopped perhaps, holds up no other for long.
    """
    connection.settimeout(PATIENCE)
    try:
        head, given, _, _ = socket.recv_fds(connection, LENGTH, 3)
        streams += given
        if len(head) < LENGTH or len(streams) < 3:
            return None
        wanted, text = int.from_bytes(head, "big"), b""
        while len(text) < wanted:
            part = connection.recv(wanted - len(text))
            if not part:
                return None
            text += part
        return json.loads(text)
    except TimeoutError:
        return None
    finally:
        connection.settimeout(None)


def main() -> None:
    """Serve on the socket that is named until the call is over."""
    server = Server(sys.argv[1], json.loads(sys.stdin.buffer.raw.readline()))
    try:
        server.run()
    finally:
        for process in server.jobs.values():
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(os.path.dirname(sys.argv[1]), ignore_errors=True)


if __name__ == "__main__":
    main()
