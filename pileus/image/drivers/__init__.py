"""Where image data is kept: the stores an operator named, and beside them what is staged and what is cached."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pileus.image import options as o
from pileus.image.drivers.base import Store, StoreError
from pileus.image.drivers.filesystem import FileStore


class Stores:
    """By name. All but files is made when first asked for: a client library costs its import only where it is used."""

    def __init__(self, options: o.Options, folder: Path):
        self.options = options
        self.folder = folder
        self.default_name = options.default_store
        self.staging = FileStore(folder / "staging", "staging")
        self.cached = FileStore(Path(options.cache_folder or folder / "cache"), "cache")
        self._declared = {store.id: store for store in options.stores}
        self._made: dict[str, Store] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Store]:
        """The heaviest first, in the order in which they are read."""
        return iter([self[store.id] for store in sorted(self._declared.values(), key=lambda s: (-s.weight, s.id))])

    def __contains__(self, name: object) -> bool:
        return name in self._declared

    def __getitem__(self, name: str) -> Store:
        """Raises StoreError for one that is not there (any more)."""
        with self._lock:
            if name not in self._made:
                if name not in self._declared:
                    raise StoreError(f"there is no store {name}")
                try:
                    self._made[name] = self._make(self._declared[name])
                except ValueError as error:
                    raise StoreError(str(error)) from None
            return self._made[name]

    @property
    def default(self) -> Store:
        return self[self.default_name]

    @property
    def writable(self) -> list[str]:
        return [store.id for store in self.declared if not store.read_only]

    def check(self) -> None:
        """Called before anything is served. Raises StoreError for a folder that cannot be used."""
        files = [FileStore(self._folder(store), store.id, read_only=store.read_only)
                 for store in self.declared if isinstance(store, o.FileOptions)]  # fmt: skip
        for store in (*files, self.staging):  # without the cache a cloud runs on
            store.check()

    def holding(self) -> Iterator[Store]:
        """Every place where data of ours can lie."""
        yield self.staging
        yield self.cached
        for name in self.writable:
            yield self[name]

    def keys(self) -> set[str]:
        """All data there is, in all of them."""
        return set().union(*(store.keys() for store in self.holding()))

    @property
    def declared(self) -> list[o.StoreOptions]:
        return sorted(self._declared.values(), key=lambda store: (-store.weight, store.id))

    @property
    def web(self) -> str | None:
        """The store whose keys are addresses."""
        return next((store.id for store in self.declared if isinstance(store, o.HttpOptions)), None)

    def weight(self, name: str) -> int:
        return self._declared[name].weight if name in self._declared else 0

    def ordered(self, names: list[str]) -> list[str]:
        """Each once, the heaviest first."""
        return sorted(dict.fromkeys(names), key=lambda name: (-self.weight(name), name))

    def _make(self, options: o.StoreOptions) -> Store:
        markers = self.folder / "writing" / options.id
        if isinstance(options, o.FileOptions):
            return FileStore(self._folder(options), options.id, options.weight, options.description, options.read_only)
        if isinstance(options, o.HttpOptions):
            from pileus.image.drivers.http import HttpStore

            return HttpStore(options, self.options.web)
        if isinstance(options, o.S3Options):
            from pileus.image.drivers.s3 import S3Store

            return S3Store(options, markers)
        if isinstance(options, o.SwiftOptions):
            from pileus.image.drivers.swift import SwiftStore

            return SwiftStore(options, markers)
        if isinstance(options, o.RbdOptions):
            from pileus.image.drivers.rbd import RbdStore

            return RbdStore(options, markers)
        raise ValueError(f"there are no stores like {options.id}")

    def _folder(self, options: o.FileOptions) -> Path:
        """In the state folder unless it is said: the one from the start is `images` itself, others are folders in it."""
        if options.path:
            return Path(options.path)
        return self.folder if options.id == "file" else self.folder / f"store-{options.id}"


def make(cloud: Any) -> Stores:
    """Files in the state folder, also in a cloud of fakes: two processes serve one cloud, and share nothing else."""
    return of(cloud.settings)


def of(settings: Any) -> Stores:
    """Raises ValueError for settings that make no sense."""
    return Stores(o.load(settings.image), settings.folder / "images")


def check(settings: Any) -> None:
    """Can this controller keep images as its settings say? Raises ValueError, with what is wrong."""
    try:
        of(settings).check()
    except StoreError as error:
        raise ValueError(f"cloud.json, image.stores: {error}.") from None
