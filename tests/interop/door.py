"""A door to a broker that counts who comes through."""
import contextlib
import socket
import threading


class Door:
    """connections: how many there were so far. at: HOST:PORT of the door."""

    def __init__(self, at, host="127.0.0.1"):
        name, port = at.rsplit(":", 1)
        self.to = (name, int(port))
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"{host}:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.accept)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = self.listener.accept()
                self.connections += 1
                broker = socket.create_connection(self.to)
                for pair in (client, broker), (broker, client):
                    threading.Thread(target=carry, args=pair, daemon=True).start()


def carry(source, sink):
    """One direction, until its end; then the other one ends as well."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in source, sink:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
