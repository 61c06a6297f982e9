"""A receiver of webhooks, which checks signatures by itself and writes down what came.

    receiver.py ADDRESS PORT RECORD MODE TLS SECRET…

RECORD gets a line of JSON for each call. MODE is a file that says how to answer: `ok`, `status N`,
`status N Retry-After: S`, `redirect URL`, `hang`, `endless`, `huge` or `cut`. TLS is a directory with
server.crt and server.key, or `-` for plain HTTP.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os.path
import ssl
import sys
import threading
import time

address, port, record, mode, tls, *secrets = sys.argv[1:]
keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
writing = threading.Lock()


def is_signed(headers, body):
    """As of https://www.standardwebhooks.com."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    good = {"v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys}
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(given in good for given in headers.get("webhook-signature", "").split(" "))


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(mode) as file:
            how = file.read().split(" ", 2)
        if how[0] == "hang":
            self.write_down(how, body)
            time.sleep(3600)
        status = int(how[1]) if how[0] == "status" else 307 if how[0] == "redirect" else 200
        # Before it answers: who has the answer may count on it.
        self.write_down(how, body)
        self.send_response(status)
        if how[0] == "redirect":
            self.send_header("Location", how[1])
        if len(how) > 2:
            name, value = how[2].split(": ")
            self.send_header(name, value)
        if how[0] == "endless":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        length = {"huge": 1 << 30, "cut": 100}.get(how[0], 0)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        for _ in range(length >> 16):
            self.wfile.write(b"x" * 65536)
        self.close_connection = True

    def write_down(self, how, body):
        line = {
            "path": self.path,
            "id": self.headers["webhook-id"],
            "timestamp": int(self.headers["webhook-timestamp"]),
            "signatures": len(self.headers.get("webhook-signature", "").split()),
            "signed": is_signed(self.headers, body),
            "type": self.headers["content-type"],
            "how": how[0],
            "at": time.time(),
            "body": json.loads(body),
        }
        with writing, open(record, "a") as file:
            file.write(json.dumps(line) + "\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


server = Server((address, int(port)), Receiver)
if tls != "-":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(tls, "server.crt"), os.path.join(tls, "server.key"))
    # Hands are shaken by the thread of the connection: one that does not, holds up nobody.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
