"""Ceph's C library, as far as a listing needs it.

Called directly for that alone: the module ``rados`` takes a listing that failed for one that came to its end.
"""

from __future__ import annotations

import ctypes
from ctypes import CDLL, POINTER, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from functools import cache
from typing import Any

from backy2_core.api import PluginError

_FILE = "librados.so.2"
_NOTHING = None
_IO, _PLACE = c_void_p, c_void_p


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
    "rados_connect": (c_int, (c_void_p,)),
    "rados_shutdown": (_NOTHING, (c_void_p,)),
    "rados_ioctx_create": (c_int, (c_void_p, c_char_p, POINTER(_IO))),
    "rados_ioctx_destroy": (_NOTHING, (_IO,)),
    "rados_ioctx_set_namespace": (_NOTHING, (_IO, c_char_p)),
    "rados_object_list_begin": (_PLACE, (_IO,)),
    "rados_object_list_end": (_PLACE, (_IO,)),
    "rados_object_list_is_end": (c_int, (_IO, _PLACE)),
    "rados_object_list_cursor_free": (_NOTHING, (_IO, _PLACE)),
    "rados_object_list": (
        c_int,
        (_IO, _PLACE, _PLACE, c_size_t, c_char_p, c_size_t, POINTER(ListedObject), POINTER(_PLACE)),
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
