"""Answers published over MQTT with QoS 1; a last will says when the station is gone."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from clipgrip_line.causes import cause
from clipgrip_line.errors import LineError
from clipgrip_line.folder.item import Item
from clipgrip_line.folder.outlet import Trouble
from clipgrip_line.sentences import Sentence, mark

TIMEOUT = 10.0
PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Broker:
    """Where to publish."""

    host: str
    port: int
    topic: str
    tls: bool = False

    @classmethod
    def of(cls, url: str) -> Broker:
        """``mqtt://host:port/topic`` or ``mqtts://...``; LineError where it is none."""
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme, 0)
        except ValueError:
            parts, port = urlsplit(""), 0
        topic = unquote(parts.path).strip("/")
        wild = any(c in topic for c in "+#\0") or len(topic.encode("utf-8", "replace")) > 60_000
        bare = not (parts.query or parts.fragment) and parts.username is None
        if not (parts.scheme in PORTS and parts.hostname and port and topic and bare) or wild:
            raise LineError(
                "--mqtt {url} is no broker's address with a topic. Give one like "
                "mqtt://broker:1883/line3/camera1, or mqtts:// for TLS, without + and #; user and password come "
                "from the environment, as CLIPGRIP_MQTT_USER and CLIPGRIP_MQTT_PASSWORD.",
                url=url,
            )
        return cls(parts.hostname or "", port, topic, parts.scheme == "mqtts")


def broker_of(url: str | None, authority: str | None) -> Broker | None:
    """Where --mqtt says to publish; None without it. LineError: it is no address, or --mqtt-ca would count nothing."""
    broker = Broker.of(url) if url else None
    if authority and (broker is None or not broker.tls):
        raise LineError(
            mark("--mqtt-ca needs a broker that is asked by TLS. Give --mqtt mqtts://... too.")
        )
    return broker


def client_of(
    broker: Broker, state: str, *, name: str = "", user: str, password: str, authority: str | None
) -> Any:
    """paho's client, not connected yet, whose last will says "offline" at the topic ``state``.

    LineError: paho-mqtt is not installed, or the file of certificates cannot be used.
    """
    try:
        from paho.mqtt import client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError:
        raise LineError(
            mark('--mqtt needs one package more: pip install "clipgrip-line[mqtt]".')
        ) from None
    made = client.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=True)
    if user:
        made.username_pw_set(user, password or None)
    if broker.tls:
        try:
            made.tls_set(ca_certs=authority)
        except (OSError, ssl.SSLError) as error:
            raise LineError(
                "--mqtt-ca {path} cannot be used: {reason}. Give a file of certificates (PEM).",
                path=authority,
                reason=cause(error),
            ) from error
    made.reconnect_delay_set(1, 60)
    made.will_set(state, "offline", qos=1, retain=True)
    return made


class Mqtt:
    """``TOPIC`` carries answers; ``TOPIC/state``, retained, says online or offline."""

    name = "mqtt"
    at_once = 50

    def __init__(
        self,
        broker: Broker,
        station: str,
        *,
        user: str = "",
        password: str = "",
        authority: str | None = None,
    ) -> None:
        """``station`` is the client's name at the broker, the same after a restart.

        LineError: paho-mqtt is not installed, or the file of certificates cannot be used.
        """
        self.broker, self._connected = broker, threading.Event()
        self._refusal = ""
        self._client = client_of(
            broker, self._state, name=station, user=user, password=password, authority=authority
        )
        self._client.on_connect, self._client.on_disconnect = self._on_connect, self._on_disconnect
        self._begun = False
        self._sent: dict[int, Any] = {}
        """By number, what the broker has not acknowledged."""

    @property
    def _state(self) -> str:
        return f"{self.broker.topic}/state"

    def deliver(self, items: Sequence[Item]) -> None:
        """Publish them and wait until the broker has each."""
        self._connect()
        for item in items:
            if item.number not in self._sent:
                self._sent[item.number] = self._publish(
                    self.broker.topic, json.dumps(item.message(), ensure_ascii=False), retain=False
                )
        until = time.monotonic() + TIMEOUT
        for item in items:
            if not self._is_taken(item.number, until):
                raise Trouble(self._away())
        for item in items:
            del self._sent[item.number]

    def _is_taken(self, number: int, until: float) -> bool:
        """Whether the broker has it; what it has not is sent again by the client once it is back."""
        sent = self._sent[number]
        try:
            sent.wait_for_publish(max(0.0, until - time.monotonic()))
            return bool(sent.is_published())
        except (RuntimeError, ValueError):  # the client did not take it
            del self._sent[number]
            return False

    def _publish(self, topic: str, payload: str, *, retain: bool) -> Any:
        return self._client.publish(topic, payload, qos=1, retain=retain)

    def _connect(self) -> None:
        if not self._begun:
            self._begun = True
            self._client.connect_async(self.broker.host, self.broker.port, keepalive=30)
            self._client.loop_start()
        if not self._connected.wait(TIMEOUT / 2):
            raise Trouble(self._away())

    def _away(self) -> str:
        where = f"{self.broker.host}:{self.broker.port}"
        if self._refusal:
            return Sentence("{where} refuses: {reason}", where=where, reason=self._refusal)
        return Sentence("{where} is not reached", where=where)

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            return
        self._refusal = ""
        self._publish(self._state, "online", retain=True)
        self._connected.set()

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, _reason: Any, _p: Any) -> None:
        self._connected.clear()

    def close(self) -> None:
        """Say that the station is gone, as its last will would."""
        if not self._begun:
            return
        if self._connected.is_set():
            with contextlib.suppress(RuntimeError, ValueError):
                self._publish(self._state, "offline", retain=True).wait_for_publish(2.0)
        self._client.disconnect()
        self._client.loop_stop()
