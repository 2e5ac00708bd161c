"""`python -m pileus.migrations.write "Add notes"`: the next migration, from what the tables now are. Read it first."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from pileus.core import schema
from pileus.core.db import Database


def main(message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/empty.db")
        config = schema.alembic(db)
        heads = ScriptDirectory.from_config(config).get_heads()
        if len(heads) > 1:  # two branches wrote one each, and met
            sys.exit(f"{' and '.join(heads)} both are the newest: delete one, then write it anew.")
        if schema.newest():
            command.upgrade(config, "head")
        number = int(schema.newest() or "0") + 1
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
        db.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "Change the schema")
    print(f"written to {Path(__file__).with_name('versions')}")
