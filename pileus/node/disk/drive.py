"""The config drive: the metadata tree as an ISO 9660 image labelled config-2."""

import io

import pycdlib

from pileus.node.metadata.tree import Tree

LABEL = "config-2"


def config_drive(tree: Tree) -> bytes:
    """ISO with Joliet and Rock Ridge names; the plain ISO names are numbers, as nobody reads them."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    folders: dict[str, str] = {"": ""}
    for number, (path, content) in enumerate(sorted(tree.items())):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder, parent = "/".join(parts[:depth]), "/".join(parts[: depth - 1])
            if folder not in folders:
                folders[folder] = f"{folders[parent]}/D{len(folders):07d}"
                iso.add_directory(folders[folder], rr_name=parts[depth - 1], joliet_path=f"/{folder}")
        inside = folders["/".join(parts[:-1])]
        iso.add_fp(
            io.BytesIO(content), len(content), f"{inside}/F{number:07d}.;1", rr_name=parts[-1], joliet_path=f"/{path}"
        )
    out = io.BytesIO()
    iso.write_fp(out)
    iso.close()
    return out.getvalue()
