"""One database, two engines: transactions on SQLite or PostgreSQL, statements compiled once and run on the bare driver.

SQLAlchemy Core writes the SQL; executing through it costs six times the driver, so a statement is compiled to text once
per dialect (`sql(...)`) and the text runs on sqlite3 or psycopg directly. A thread has one connection; a transaction
opened inside another of the same thread joins it.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.compiler import compiles

from pileus.core import log, tables
from pileus.core.errors import BadRequest, Duplicate, NotFound, StillReferenced, Unavailable

Row = TypeVar("Row", bound=msgspec.Struct)
_json = msgspec.json.Encoder()
_log = log.logger("pileus.db")
MOST_STATEMENTS = 5000  # remembered; lists' filters and sort keys come from clients, so their number has to have an end


class Statement:
    """An SQLAlchemy statement with its text per dialect, made once."""

    __slots__ = ("_texts", "clause", "json")

    def __init__(self, clause: Any, json: frozenset[str] = frozenset()):
        self.clause = clause
        self._texts: dict[str, tuple[str, dict[str, Any]]] = {}
        self.json = json

    def on(self, dialect: Any) -> tuple[str, dict[str, Any]]:
        found = self._texts.get(dialect.name)
        if found is None:
            compiled = self.clause.compile(dialect=dialect)
            if "POSTCOMPILE" in str(compiled):
                raise TypeError("IN with a list of values cannot be compiled once: use in_list(column, parameter)")
            defaults = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
            found = self._texts[dialect.name] = (str(compiled), defaults)
        return found


def sql(clause: Any) -> Statement:
    """Wrap a statement once, at import; its values are `sa.bindparam`s."""
    return Statement(clause)


class in_list(sa.ColumnElement[bool]):
    """`column IN (the values of one JSON array parameter)`: a list of any length without recompiling."""

    inherit_cache = True

    def __init__(self, column: Any, parameter: str):
        self.column = column
        self.parameter = sa.bindparam(parameter, type_=sa.Text())
        self.type = sa.Boolean()


@compiles(in_list, "sqlite")
def _in_list_sqlite(element: in_list, compiler: Any, **kw: Any) -> str:
    return (
        f"{compiler.process(element.column, **kw)} IN "
        f"(SELECT value FROM json_each({compiler.process(element.parameter, **kw)}))"
    )


@compiles(in_list, "postgresql")
def _in_list_postgresql(element: in_list, compiler: Any, **kw: Any) -> str:
    return (
        f"CAST({compiler.process(element.column, **kw)} AS TEXT) IN "
        f"(SELECT jsonb_array_elements_text(CAST({compiler.process(element.parameter, **kw)} AS JSONB)))"
    )


class Tx:
    """A transaction: rows in and out. Values that are lists, dicts or Structs are stored as JSON text."""

    def __init__(self, db: "Database", connection: Any, writing: bool):
        self.db = db
        self.connection = connection
        self.writing = writing
        self._after: list[Callable[[], None]] = []
        self._savepoints = 0

    # -- rows ------------------------------------------------------------------------------------------------------

    def find(self, struct: type[Row], **equal: Any) -> Row | None:
        """The first row whose columns equal these, or None."""
        found = self._select(struct, equal, one=True)
        return found[0] if found else None

    def get(self, struct: type[Row], **equal: Any) -> Row:
        """As `find`, but raises NotFound with a plain message; services say it in their own words."""
        found = self.find(struct, **equal)
        if found is None:
            what = struct.__name__
            raise NotFound(
                f"{what} {', '.join(str(v) for v in equal.values())} could not be found.", kind=f"{what}NotFound"
            )
        return found

    def select(self, struct: type[Row], order: str | None = None, **equal: Any) -> list[Row]:
        return self._select(struct, equal, order=order)

    def count(self, struct: type[Row], **equal: Any) -> int:
        shape = tables.shape(struct)
        names = tuple(equal)
        key = ("count", struct, names, tuple(v is None for v in equal.values()))
        statement = self.db.cached(
            key, lambda: sa.select(sa.func.count()).select_from(shape.table).where(*_equals(shape.table, equal))
        )
        return int(self.scalar(statement, **_given(equal)))

    def insert(self, row: msgspec.Struct) -> None:
        self.insert_many([row])

    def insert_many(self, rows: Iterable[msgspec.Struct]) -> None:
        for row in rows:
            shape = tables.shape(type(row))
            statement = self.db.cached(("insert", type(row)), partial(sa.insert, shape.table))
            self.execute(statement, **{name: getattr(row, name) for name in shape.names})

    def update(self, struct: type[Row], where: dict[str, Any] | str, **values: Any) -> int:
        """Set columns of the rows matching `where` (a primary key, or columns); returns how many there were."""
        shape = tables.shape(struct)
        if isinstance(where, str):
            where = {shape.primary[0]: where}
        if not values:
            return self.count(struct, **where)
        key = ("update", struct, tuple(where), tuple(v is None for v in where.values()), tuple(values))
        statement = self.db.cached(
            key,
            lambda: (
                sa.update(shape.table)
                .where(*_equals(shape.table, where))
                .values({name: sa.bindparam(f"set_{name}") for name in values})
            ),
        )
        return self.execute(statement, **_given(where), **{f"set_{name}": value for name, value in values.items()})

    def delete(self, struct: type[Row], **equal: Any) -> int:
        if not equal:
            raise ValueError("delete() wants columns; a whole table is never deleted")
        shape = tables.shape(struct)
        key = ("delete", struct, tuple(equal), tuple(v is None for v in equal.values()))
        statement = self.db.cached(key, lambda: sa.delete(shape.table).where(*_equals(shape.table, equal)))
        return self.execute(statement, **_given(equal))

    def rows(self, struct: type[Row], statement: Statement, **values: Any) -> list[Row]:
        """Rows of a statement that selects exactly this Struct's columns, in its order (`sa.select(table)`)."""
        return self._decode(struct, self._run(statement, values).fetchall())

    # -- statements ------------------------------------------------------------------------------------------------

    def all(self, statement: Statement, **values: Any) -> list[tuple[Any, ...]]:
        return list(self._run(statement, values).fetchall())

    def one(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._run(statement, values).fetchone()
        return found

    def scalar(self, statement: Statement, **values: Any) -> Any:
        found = self._run(statement, values).fetchone()
        return found[0] if found else None

    def execute(self, statement: Statement, **values: Any) -> int:
        """Run a writing statement; returns the number of rows it touched."""
        if not self.writing:
            # SQLite would turn the transaction into a writing one outside the writers' lock
            raise RuntimeError("a reading transaction cannot write")
        return int(self._run(statement, values).rowcount)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once this transaction is durable; never if it is rolled back."""
        self._after.append(action)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """What happens inside is undone alone if it raises, the transaction goes on.

        Whoever catches an error of a statement and goes on needs one: PostgreSQL refuses all that follows an error.
        """
        self._savepoints += 1
        name = f"s{self._savepoints}"
        actions = len(self._after)
        self._command(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            del self._after[actions:]
            self._command(f"ROLLBACK TO {name}")
            self._command(f"RELEASE {name}")
            raise
        self._command(f"RELEASE {name}")

    # -- inside ----------------------------------------------------------------------------------------------------

    def _select(
        self, struct: type[Row], equal: dict[str, Any], order: str | None = None, one: bool = False
    ) -> list[Row]:
        shape = tables.shape(struct)

        def build() -> Any:
            statement = sa.select(shape.table).where(*_equals(shape.table, equal))
            if order:
                statement = statement.order_by(shape.table.c[order])
            return statement

        key = ("select", struct, tuple(equal), tuple(v is None for v in equal.values()), order)
        cursor = self._run(self.db.cached(key, build), _given(equal))
        found = cursor.fetchmany(1) if one else cursor.fetchall()
        return self._decode(struct, found)

    def _decode(self, struct: type[Row], found: list[Any]) -> list[Row]:
        decoders = tables.shape(struct).decoders
        if not decoders:
            return [struct(*record) for record in found]
        rows = []
        for record in found:
            values = list(record)
            for position, decode in decoders:
                values[position] = decode(values[position])
            rows.append(struct(*values))
        return rows

    def _run(self, statement: Statement, values: dict[str, Any]) -> Any:
        text, defaults = statement.on(self.db.dialect)
        given = {name: _stored(value) for name, value in values.items()}
        if defaults:
            given = {**defaults, **given}
        try:
            return self.connection.execute(text, given)
        except self.db.errors as error:
            raise self.db.translate(error) from error
        except (OverflowError, UnicodeEncodeError) as error:  # sqlite3's own, for numbers beyond 64 bits and the like
            raise _unstorable(error) from error

    def _command(self, text: str) -> None:
        try:
            self.connection.execute(text)
        except self.db.errors as error:
            raise self.db.translate(error) from error


def _equals(table: sa.Table, equal: dict[str, Any]) -> list[Any]:
    return [
        table.c[name].is_(None)
        if value is None
        else table.c[name] == sa.bindparam(f"is_{name}", type_=table.c[name].type)
        for name, value in equal.items()
    ]


def _given(equal: dict[str, Any]) -> dict[str, Any]:
    return {f"is_{name}": value for name, value in equal.items() if value is not None}


def _unstorable(error: Exception) -> BadRequest:
    return BadRequest("A value is too large or has characters that cannot be stored.", detail=str(error))


def _stored(value: Any) -> Any:
    if isinstance(value, dict | list | tuple | msgspec.Struct | frozenset | set):
        return _json.encode(value).decode()
    return value


class Database:
    """Connections and transactions. `url` is `sqlite:///PATH` or `postgresql://...`."""

    def __init__(self, url: str):
        self.url = url
        self._local = threading.local()
        self._statements: dict[Any, Statement] = {}
        # busy_timeout alone lets unlucky writers starve for up to a second; a lock in the process caps it at ~20 ms
        self._writer = threading.Lock()
        self.sqlite = url.startswith("sqlite:")
        self.dialect: Any
        self.errors: tuple[type[Exception], ...]
        if self.sqlite:
            self.dialect = sqlite.dialect(paramstyle="named")
            self.errors = (sqlite3.Error,)
        else:
            import psycopg
            from sqlalchemy.dialects import postgresql  # a tenth of all that a start imports

            self.dialect = postgresql.psycopg.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]
            self.errors = (psycopg.Error,)

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def cached(self, key: Any, build: Callable[[], Any]) -> Statement:
        """The statement of this shape, built at its first use."""
        found = self._statements.get(key)
        if found is None:
            if len(self._statements) >= MOST_STATEMENTS:
                self._statements.clear()
            found = self._statements[key] = Statement(build())
        return found

    @contextlib.contextmanager
    def read(self) -> Iterator[Tx]:
        """One consistent view of the data; nothing can be written in it."""
        current: Tx | None = getattr(self._local, "tx", None)
        if current is not None:
            yield current
            return
        with self._transaction(writing=False) as tx:
            yield tx

    @contextlib.contextmanager
    def write(self) -> Iterator[Tx]:
        """All or nothing. Inside a writing transaction of the same thread it joins that."""
        current: Tx | None = getattr(self._local, "tx", None)
        if current is not None:
            if not current.writing:
                raise RuntimeError("a reading transaction cannot turn into a writing one")
            yield current
            return
        with self._writer if self.sqlite else contextlib.nullcontext(), self._transaction(writing=True) as tx:
            yield tx
        for action in tx._after:
            try:
                action()
            except Exception:  # what is committed stays committed: the caller is told so
                _log.exception("an action after a commit failed")

    @contextlib.contextmanager
    def _transaction(self, writing: bool) -> Iterator[Tx]:
        connection = self._begin(writing)
        tx = self._local.tx = Tx(self, connection, writing)
        try:
            yield tx
            try:
                connection.execute("COMMIT")
            except self.errors as error:
                raise self.translate(error) from error
        except BaseException:
            try:
                connection.execute("ROLLBACK")
            except self.errors:
                self._drop()
            raise
        finally:
            self._local.tx = None

    def _begin(self, writing: bool) -> Any:
        if self.sqlite:
            text = "BEGIN IMMEDIATE" if writing else "BEGIN"
        else:
            text = "BEGIN" if writing else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        kept = getattr(self._local, "connection", None) is not None
        while True:
            connection = self._connection()
            try:
                connection.execute(text)
                return connection
            except self.errors as error:
                self._drop()
                if self.sqlite or not kept:
                    raise self.translate(error) from error
                kept = False  # a connection from before the server restarted: a new one is worth one try

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _connect(self) -> Any:
        if not self.sqlite:
            import psycopg

            try:
                return psycopg.connect(self.url, autocommit=True)
            except psycopg.Error as error:
                raise Unavailable("The database does not answer.", detail=str(error)) from error
        # every thread has one of these: what each keeps is paid for some forty times, and a statement costs 10 to 30 KiB
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=128)
        connection.execute("PRAGMA cache_size=-1024")  # KiB; the kernel has the rest of the file in memory
        connection.execute("PRAGMA journal_mode=WAL")  # readers go on while one writes
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last moments, never consistency
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA busy_timeout=15000")
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def close(self) -> None:
        """Close this thread's connection."""
        self._drop()

    def translate(self, error: Exception) -> Exception:
        """A driver's error in our words."""
        if isinstance(error, sqlite3.IntegrityError):
            text = str(error)
            if "UNIQUE" in text or "PRIMARY KEY" in text:
                return Duplicate(text.partition(": ")[2])
            if "FOREIGN KEY" in text:
                return StillReferenced(text)
        elif isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "unable to open" in str(error)):
            return Unavailable("The database is busy; try again.", detail=str(error))
        elif not self.sqlite:
            import psycopg

            if isinstance(error, psycopg.errors.UniqueViolation):
                return Duplicate(error.diag.constraint_name or str(error))
            if isinstance(error, psycopg.errors.ForeignKeyViolation):
                return StillReferenced(str(error))
            if isinstance(error, psycopg.DataError):  # a NUL in a text, a number beyond the column's
                return _unstorable(error)
            if isinstance(error, psycopg.OperationalError):  # also deadlocks and serialization failures
                return Unavailable("The database is busy; try again.", detail=str(error))
        return error

    def generation(self) -> int:
        """A number that changes when another connection has written (SQLite only; 0 elsewhere)."""
        return int(self._connection().execute("PRAGMA data_version").fetchone()[0]) if self.sqlite else 0


def describe(url: str) -> str:
    """The database's place without its password, for logs."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
