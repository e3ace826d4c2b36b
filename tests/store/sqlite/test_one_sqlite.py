import subprocess
import sys

import pytest

from penstock.store.sqlite import one_sqlite

EVERYTHING = """
import sqlite3, aiosqlite, sqlalchemy.dialects.sqlite.pysqlite, penstock.store.sqlite
from penstock.store.sqlite.one_sqlite import sqlite_libraries
sqlite3.connect(":memory:").close()
print(*sqlite_libraries(), sep="\\n")
"""


def test_one_library_at_most_is_loaded_with_the_drivers():
    ran = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, text=True, check=True)
    assert len(ran.stdout.split()) <= 1


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6", True),
        ("/venv/site-packages/apsw.libs/libsqlite3-1a2b.so", True),
        ("/venv/site-packages/apsw/__init__.cpython-311-x86_64-linux-gnu.so", True),
        ("/venv/site-packages/pysqlite3/_sqlite3.abi3.so", True),
        ("/venv/site-packages/sqlean/_sqlite3.cpython-311.so", True),
        ("/usr/lib/python3.11/lib-dynload/_sqlite3.cpython-311.so", False),
        ("/usr/lib/libpq.so.5", False),
    ],
)
def test_other_copies_are_recognised(path, counts):
    assert bool(one_sqlite._LIBRARY.search(path)) is counts
