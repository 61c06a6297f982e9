"""psycopg 3 through the proxy: masked, then granted, then masked again, on the same statements.

Usage: psycopg_grants.py CONNINFO_OF_ADA CONNINFO_OF_PETRA
Prints one line a check; any failure ends it with a traceback.
"""

import sys

import psycopg
from psycopg.rows import tuple_row

ada_info, petra_info = sys.argv[1:3]
QUERY = "SELECT id, email::text, birth_date, phone FROM customers WHERE id = %s"


def check(what, condition, seen):
    if not condition:
        raise AssertionError(f"{what}: {seen!r}")
    print("ok:", what)


def rows(connection, binary, prepare):
    with connection.cursor(binary=binary) as cursor:
        cursor.execute(QUERY, (42,), prepare=prepare)
        return cursor.fetchall()


def all_ways(connection):
    return {(binary, prepare): rows(connection, binary, prepare) for binary in (False, True) for prepare in (False, True)}


def masked(seen):
    return all(len(r) == 1 and r[0][0] == 42 and "@example" not in r[0][1] and not str(r[0][3]).startswith("+1-555-0142-0042")
               for r in seen.values())


with psycopg.connect(ada_info, autocommit=True, row_factory=tuple_row) as ada, \
        psycopg.connect(petra_info, autocommit=True) as petra:
    check("TLS is on", ada.pgconn.ssl_in_use, None)
    seen = all_ways(ada)
    check("masked in text and binary, prepared and not", masked(seen), seen)

    request = ada.execute(
        "SELECT request_id, state FROM pgwarrant.request('customers.email, customers.birth_date, customers.phone',"
        " rows => 'id = 42', reason => %s, duration => '5 min')", ("ticket 1: parcel lost",)).fetchone()
    check("the request is pending", request[1] == "pending", request)
    check("masked while it is", masked(all_ways(ada)), None)
    decided = petra.execute("SELECT * FROM pgwarrant.approve(%s)", (request[0],)).fetchone()
    check("approved", "approved" in decided, decided)

    seen = all_ways(ada)
    check("granted in text and binary, prepared and not",
          all("@example" in r[0][1] and r[0][3] == "+1-555-0142-0042" for r in seen.values()), seen)
    other = ada.execute(QUERY, (43,), prepare=True).fetchall()
    check("another row stays masked", "@example" not in other[0][1], other)

    with ada.pipeline():
        first = ada.execute(QUERY, (42,))
        second = ada.execute("SELECT count(*) FROM orders")
        third = ada.execute(QUERY, (43,))
    check("in a pipeline", "@example" in first.fetchone()[1] and second.fetchone()[0] == 2000
          and "@example" not in third.fetchone()[1], None)

    with ada.transaction():
        with ada.cursor(name="big") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT email::text FROM customers ORDER BY id")
            raw = [r[0] for r in cursor if "@example" in r[0]]
    check("a server-side cursor shows one raw row", len(raw) == 1, raw)

    with ada.cursor() as cursor, cursor.copy("COPY (SELECT id, city FROM customers) TO STDOUT") as copy:
        lines = sum(1 for _ in copy.rows())
    check("COPY TO STDOUT", lines == 500, lines)

    grant = ada.execute("SELECT id FROM pgwarrant.grants WHERE state = 'live'").fetchone()[0]
    petra.execute("SELECT * FROM pgwarrant.revoke(%s, reason => 'done')", (grant,))
    seen = all_ways(ada)
    check("masked again after the grant's end", masked(seen), seen)

    with ada.cursor() as cursor, cursor.copy("COPY products (name, price) FROM STDIN") as copy:
        copy.write_row(("a new tea", 4))
    check("COPY FROM STDIN", ada.execute("SELECT count(*) FROM products").fetchone()[0] == 41, None)
print("all checks passed")
