"""A program of its own: a part of an RBD image to standard output, from where it begins, which `rbd export` cannot.

    python rbd_range.py CONFIG USER POOL IMAGE OFFSET LENGTH

An empty CONFIG or USER says: as usual; an empty LENGTH: to the end. librbd is the distribution's, as the program `rbd`
is. It is loaded here, since its threads and memory are nothing for a controller. What went wrong is on standard error.
"""

import ctypes
import os
import sys

CHUNK = 1 << 20
SECONDS = b"60"


def check(value: int, what: str) -> int:
    if value < 0:
        sys.exit(f"{what}: {os.strerror(-value)}")
    return value


def main(config: str, user: str, pool: str, image: str, offset: str, length: str) -> None:
    try:
        rados, rbd = ctypes.CDLL("librados.so.2"), ctypes.CDLL("librbd.so.1")
    except OSError as error:
        sys.exit(f"librbd cannot be loaded: {error}")
    rbd.rbd_read.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p]
    rbd.rbd_read.restype = ctypes.c_ssize_t
    cluster, io, handle = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    check(rados.rados_create(ctypes.byref(cluster), user.encode() or None), "rados_create")
    check(rados.rados_conf_read_file(cluster, config.encode() or None), f"reading {config or 'ceph.conf'}")
    for name in (b"client_mount_timeout", b"rados_osd_op_timeout", b"rados_mon_op_timeout"):
        rados.rados_conf_set(cluster, name, SECONDS)
    check(rados.rados_connect(cluster), "connecting to Ceph")
    check(rados.rados_ioctx_create(cluster, pool.encode(), ctypes.byref(io)), f"opening pool {pool}")
    check(rbd.rbd_open_read_only(io, image.encode(), ctypes.byref(handle), None), f"opening image {image}")
    size = ctypes.c_uint64()
    check(rbd.rbd_get_size(handle, ctypes.byref(size)), f"the size of {image}")
    at = int(offset)
    end = min(size.value, at + int(length)) if length else size.value
    buffer = ctypes.create_string_buffer(CHUNK)
    view = memoryview(buffer)
    with os.fdopen(1, "wb", buffering=0) as out:
        while at < end and (count := check(rbd.rbd_read(handle, at, min(end - at, CHUNK), buffer), "reading")):
            sent = 0
            while sent < count:
                sent += out.write(view[sent:count]) or 0
            at += count
    os._exit(0)  # nothing was changed: the cluster needs no goodbye


if __name__ == "__main__":
    main(*sys.argv[1:])
