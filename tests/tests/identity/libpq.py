"""Connects with a libpq that knows OAUTHBEARER, and prints what a query says.

    libpq.py LIBRARY CONNINFO QUERY

The token is in the environment (TOKEN), and is given to libpq by the hook that applications have for
it (PostgreSQL documentation, "OAuth Support"): no browser takes part.
"""

import ctypes
import os
import sys

OAUTH_BEARER_TOKEN = 1
CONNECTION_OK = 0
TUPLES_OK = 2


class Request(ctypes.Structure):
    """PGoauthBearerRequest"""

    _fields_ = [
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("poll", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    ]


library, conninfo, query = sys.argv[1:]
libpq = ctypes.CDLL(library)
libpq.PQconnectdb.restype = ctypes.c_void_p
libpq.PQexec.restype = ctypes.c_void_p
for text in (libpq.PQerrorMessage, libpq.PQgetvalue):
    text.restype = ctypes.c_char_p
token = os.environ["TOKEN"].encode()


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def hook(kind, _connection, data):
    if kind != OAUTH_BEARER_TOKEN:
        return 0
    request = Request.from_address(data)
    print(f"asked for: {request.openid_configuration.decode()} {(request.scope or b'').decode()}")
    request.token = token
    return 1


libpq.PQsetAuthDataHook(hook)
connection = ctypes.c_void_p(libpq.PQconnectdb(conninfo.encode()))
if libpq.PQstatus(connection) != CONNECTION_OK:
    sys.exit(libpq.PQerrorMessage(connection).decode())
result = ctypes.c_void_p(libpq.PQexec(connection, query.encode()))
if libpq.PQresultStatus(result) != TUPLES_OK:
    sys.exit(libpq.PQerrorMessage(connection).decode())
print(libpq.PQgetvalue(result, 0, 0).decode())
