"""Ceph's C library, as far as a store needs it.

Called directly, not through the module ``rados``: that one takes a listing that failed for one that came to its end, knows
no position from which a listing could go on, copies every blob once more, and exists for one Python version a system.
"""

from __future__ import annotations

import ctypes
from ctypes import CDLL, POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from functools import cache
from typing import Any

from backy2_core.api import PluginError

CREATE_EXCLUSIVE = 1
MAX_ERRNO = 4095
"""Codes from here on say where a comparison found the first difference."""

_FILE = "librados.so.2"
_NOTHING = None
_IO, _OP, _NAME, _DONE = c_void_p, c_void_p, c_char_p, c_void_p


class ListedObject(ctypes.Structure):
    """One object of a listing; the texts are not ended by a zero."""

    _fields_ = (
        ("name_length", c_size_t),
        ("name", c_void_p),
        ("namespace_length", c_size_t),
        ("namespace", c_void_p),
        ("locator_length", c_size_t),
        ("locator", c_void_p),
    )


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "rados_create2": (c_int, (POINTER(c_void_p), c_char_p, c_char_p, c_uint64)),
    "rados_conf_read_file": (c_int, (c_void_p, c_char_p)),
    "rados_conf_set": (c_int, (c_void_p, c_char_p, c_char_p)),
    "rados_conf_get": (c_int, (c_void_p, c_char_p, c_char_p, c_size_t)),
    "rados_connect": (c_int, (c_void_p,)),
    "rados_shutdown": (_NOTHING, (c_void_p,)),
    "rados_pool_reverse_lookup": (c_int, (c_void_p, c_int64, c_char_p, c_size_t)),
    "rados_ioctx_create": (c_int, (c_void_p, c_char_p, POINTER(_IO))),
    "rados_ioctx_destroy": (_NOTHING, (_IO,)),
    "rados_ioctx_get_id": (c_int64, (_IO,)),
    "rados_ioctx_set_namespace": (_NOTHING, (_IO, c_char_p)),
    "rados_set_osdmap_full_try": (_NOTHING, (_IO,)),
    "rados_create_write_op": (_OP, ()),
    "rados_release_write_op": (_NOTHING, (_OP,)),
    "rados_write_op_create": (_NOTHING, (_OP, c_int, c_char_p)),
    "rados_write_op_write_full": (_NOTHING, (_OP, c_void_p, c_size_t)),
    "rados_write_op_cmpext": (_NOTHING, (_OP, c_char_p, c_size_t, c_uint64, POINTER(c_int))),
    "rados_write_op_remove": (_NOTHING, (_OP,)),
    "rados_write_op_operate": (c_int, (_OP, _IO, _NAME, c_void_p, c_int)),
    "rados_create_read_op": (_OP, ()),
    "rados_release_read_op": (_NOTHING, (_OP,)),
    "rados_read_op_stat": (_NOTHING, (_OP, POINTER(c_uint64), POINTER(c_int64), POINTER(c_int))),
    "rados_read_op_read": (_NOTHING, (_OP, c_uint64, c_size_t, c_void_p, POINTER(c_size_t), POINTER(c_int))),
    "rados_read_op_operate": (c_int, (_OP, _IO, _NAME, c_int)),
    "rados_aio_create_completion2": (c_int, (c_void_p, c_void_p, POINTER(_DONE))),
    "rados_aio_stat": (c_int, (_IO, _NAME, _DONE, c_void_p, c_void_p)),
    "rados_aio_remove": (c_int, (_IO, _NAME, _DONE)),
    "rados_aio_wait_for_complete": (c_int, (_DONE,)),
    "rados_aio_get_return_value": (c_int, (_DONE,)),
    "rados_aio_release": (_NOTHING, (_DONE,)),
    "rados_object_list_begin": (c_void_p, (_IO,)),
    "rados_object_list_end": (c_void_p, (_IO,)),
    "rados_object_list_is_end": (c_int, (_IO, c_void_p)),
    "rados_object_list_cursor_free": (_NOTHING, (_IO, c_void_p)),
    "rados_object_list": (
        c_int,
        (_IO, c_void_p, c_void_p, c_size_t, c_char_p, c_size_t, POINTER(ListedObject), POINTER(c_void_p)),
    ),
    "rados_object_list_free": (_NOTHING, (c_size_t, POINTER(ListedObject))),
}


@cache
def load() -> Any:
    """The library, with the types of its functions set. Each call lets other Python threads run."""
    try:
        library = CDLL(_FILE)
    except OSError as error:
        raise PluginError(
            f"The data backend rados needs Ceph's library {_FILE}, which cannot be loaded: {error}. Install it with "
            "`apt-get install librados2` (it comes with python3-rados and ceph-common, too)."
        ) from error
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def address_of(data: memoryview) -> tuple[Any, int]:
    """What hands ``data`` to the library, and its length in bytes; keep the first alive as long as the library uses it."""
    flat = data.cast("B")
    if not len(flat):
        return None, 0
    # ctypes reaches into writable buffers only.
    view = ctypes.c_char_p(bytes(flat)) if flat.readonly else (ctypes.c_char * len(flat)).from_buffer(flat)
    return view, len(flat)
