"""Listener ``prometheus``: figures to alarm on, in a file for the textfile collector and to a push gateway."""

from __future__ import annotations

import os
from collections.abc import Sequence

from backy2_core.api import Listener, Setting, Settings, SettingType, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this listener. With neither a file nor a gateway it does nothing."""
    text, path = SettingType.TEXT, SettingType.PATH
    textfile = "File for the textfile collector of the node exporter, such as /var/lib/node_exporter/backy2.prom."
    state = "File in which figures are kept between commands where there is no textfile."
    forget = "Figures of a name that nothing was heard of for so long are dropped; 0: never."
    return (
        Setting("textfile", path, None, textfile),
        Setting("push_url", text, "", "URL of a push gateway, such as http://gateway:9091."),
        Setting("push_job", text, "backy2", "Label job at the push gateway."),
        Setting("push_instance", text, "", "Label instance at the push gateway; this host's name where it is empty."),
        Setting("push_user", text, "", "User for the push gateway, where it asks for one."),
        Setting("push_password", SettingType.SECRET, None, "Password for the push gateway."),
        Setting("push_timeout", SettingType.DURATION, 5.0, "Longest wait for the push gateway.", minimum=0.1),
        Setting("state", path, os.path.join("~", ".local", "state", "backy2", "prometheus.prom"), state),
        Setting("forget_after", SettingType.DURATION, 90 * 86400.0, forget, minimum=0),
    )


@hookimpl
def backy2_make_listener(settings: Settings) -> Listener:
    """Make the listener. The library is imported here and not before."""
    from backy2_prometheus.listener import PrometheusListener
    from backy2_prometheus.push import Gateway

    gateway = Gateway(
        settings["push_url"],
        settings["push_job"],
        settings["push_instance"],
        user=settings["push_user"],
        password=settings["push_password"],
        timeout_s=settings["push_timeout"],
    )
    path = settings["textfile"] or (settings["state"] if settings["push_url"] else None)
    return PrometheusListener(
        os.path.expanduser(path) if path else None,
        gateway if settings["push_url"] else None,
        forget_after_s=settings["forget_after"],
    )
