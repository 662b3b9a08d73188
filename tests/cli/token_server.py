"""A token server over TLS, for a test of the command line.

token_server.py FOLDER: answers with FOLDER/server.pem those who show a certificate of
FOLDER/ca.pem; me, whose secret is hush+/, gets an unsecured token. Writes its port to
FOLDER/port, and what it says to each who asks, a line each, to FOLDER/asked.
"""
import base64
import http.server
import json
import os
import ssl
import sys
import time

folder = sys.argv[1]


def part(what):
    return base64.urlsafe_b64encode(json.dumps(what).encode()).decode().rstrip("=")


class Handler(http.server.BaseHTTPRequestHandler):
    """One question."""

    def do_POST(self):
        """Who is it?"""
        self.rfile.read(int(self.headers["Content-Length"]))
        good = "Basic " + base64.b64encode(b"me:hush+/").decode()
        now = int(time.time())
        if self.headers["Authorization"] == good:
            claims = {"sub": "alice", "iat": now, "exp": now + 300}
            self.say(200, {"access_token": f"{part({'alg': 'none'})}.{part(claims)}.",
                           "expires_in": 300})
        else:
            self.say(401, {"error": "invalid_client",
                           "error_description": "the secret is another"})

    def say(self, status, what):
        """And a line about it."""
        with open(os.path.join(folder, "asked"), "a", encoding="ascii") as file:
            file.write(f"{status}\n")
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """Nothing."""


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.path.join(folder, "server.pem"))
tls.load_verify_locations(os.path.join(folder, "ca.pem"))
tls.verify_mode = ssl.CERT_REQUIRED
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = tls.wrap_socket(server.socket, server_side=True)
with open(os.path.join(folder, "port.new"), "w", encoding="ascii") as ready:
    ready.write(f"{server.server_port}\n")
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
