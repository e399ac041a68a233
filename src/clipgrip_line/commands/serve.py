"""Answer images by REST, with a page for the operator."""

from __future__ import annotations

import argparse
import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip_line.commands.keeping import add_keeping
from clipgrip_line.parsing import asked_language, number, whole, words_of
from clipgrip_line.sentences import mark, quoted

if TYPE_CHECKING:
    from clipgrip_line.service.limits import Limits
    from clipgrip_line.service.service import ServiceSettings
    from clipgrip_line.web.address import Access

PORT = 8770
TOKEN = "CLIPGRIP_LINE_TOKEN"
MOST_TOKENS = 1 << 20
"""Bytes of a file of tokens."""
LIMITS: dict[str, tuple[float, str | None, str]] = {
    "--queue": (64, None, mark("images that may wait [default: %(default)s]")),
    "--batch": (8, None, mark("images that the model sees at once [default: %(default)s]")),
    "--max-body": (32, "MB", mark("of one request [default: %(default)s]")),
    "--max-pixels": (100, "MILLION", mark("of one image [default: %(default)s]")),
    "--max-images": (16, None, mark("of one request [default: %(default)s]")),
    "--timeout": (10.0, None, mark("seconds that an image may wait [default: %(default)s]")),
    "--keep-pictures": (2048, "MB", mark("kept for people [default: %(default)s]")),
}
"""More than 0 each: what is taken where nobody asks for another, its unit, and what it is."""
MOST = 1_000_000
"""Of any of them: more is a slip of the finger, and no machine has it."""
READY = mark("version {version} answers at {address} (page, REST; Ctrl-C stops)")
FELL_BACK = mark(
    "version {version} should answer and cannot be opened, so the one before it does: {problem}"
)
OTHER = mark(
    "note: the version that stands in {state} answers, not {bundle}. To change: clipgrip-line promote {state} {bundle}"
)
NO_TOKEN = mark("--token-file {path} holds no token. Write one a line, as text in UTF-8.")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "bundle",
        type=Path,
        nargs="?",
        help="the file that clipgrip bundle wrote; it may be left out once the folder has a version",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("line"),
        metavar="DIR",
        help="folder that keeps answers, pictures and versions [default: line]",
    )
    parser.add_argument("--name", default="", help="what the page calls the line")
    parser.add_argument(
        "--shadow",
        type=Path,
        metavar="BUNDLE",
        help="a second version beside, whose answers are compared",
    )
    parser.add_argument(
        "--shifts", default="06:00,14:00,22:00", help="when shifts begin [default: %(default)s]"
    )
    parser.add_argument(
        "--audit-every",
        type=whole,
        default=200,
        metavar="N",
        help="one of so many new images is shown to a person to check the promise; 0: none "
        "[default: %(default)s]",
    )
    parser.add_argument(
        "--no-check", action="store_true", help="do not try the golden images first"
    )
    add_keeping(parser)
    _add_connections(parser)
    _add_limits(parser)


def _add_connections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at [default: this machine only]"
    )
    parser.add_argument("--port", type=whole, default=PORT, help="port [default: %(default)s]")
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="tokens, one a line (or CLIPGRIP_LINE_TOKEN); needed with --host",
    )
    parser.add_argument(
        "--allow-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which a reverse proxy offers the service, as it stands in the browser",
    )
    parser.add_argument(
        "--mqtt",
        default="",
        metavar="URL",
        help="drive stations over MQTT, too: mqtt://broker:1883/line3",
    )
    parser.add_argument("--mqtt-ca", metavar="FILE", help="certificates of the broker's authority")
    parser.add_argument(
        "--webhook", default="", metavar="URL", help="where alarms are posted as JSON"
    )
    parser.add_argument(
        "--resend", action="store_true", help="post again what the webhook refused for good"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    for option, (default, unit, text) in LIMITS.items():
        kind = number if isinstance(default, float) else whole
        parser.add_argument(option, type=kind, default=default, metavar=unit, help=text)


def run(args: argparse.Namespace) -> int:
    """Serve until it is stopped."""
    from clipgrip_line.service import server
    from clipgrip_line.service.alone import alone

    say = words_of(args)
    tokens = tokens_of(args.token_file)
    where = TOKEN if args.token_file is None else f"--token-file {args.token_file}"
    server.check_tokens(args.host, tokens, bool(args.allow_name), where)
    with alone(args.state) as begun, server.bound(args.host, args.port) as listening:
        port = listening.getsockname()[1]
        settings = settings_of(args, port, tokens)
        version, given = server.standing(args.state, args.bundle, person(), check=not args.no_check)
        if not given:
            print(say(OTHER, state=quoted(args.state), bundle=quoted(args.bundle)), flush=True)
        model, problem = server.opened(args.state, version)
        if problem:
            print(say(FELL_BACK, version=version, problem=say.translated(problem)), flush=True)
        shown = f"[{args.host}]" if ":" in args.host else args.host
        text = say(READY, version=model.version, address=f"http://{shown}:{port}/")

        def ready() -> None:
            begun.set()
            print(text, flush=True)

        server.serve(settings, model, listening, ready, shadow=args.shadow)
    return 0


def settings_of(args: argparse.Namespace, port: int, tokens: tuple[str, ...]) -> ServiceSettings:
    """From the options. LineError: one is out of its range."""
    from clipgrip_line.errors import LineError
    from clipgrip_line.folder.mqtt import broker_of
    from clipgrip_line.folder.webhook import checked_url
    from clipgrip_line.service.service import ServiceSettings
    from clipgrip_line.service.shifts import Shifts

    if args.resend and not args.webhook:
        raise LineError(mark("--resend needs --webhook: nothing else has dead letters."))
    return ServiceSettings(
        state=args.state,
        access=_access(args, port),
        tokens=tokens,
        limits=_limits(args),
        shifts=Shifts.of(args.shifts),
        audit_every=args.audit_every,
        name=args.name,
        broker=broker_of(args.mqtt, args.mqtt_ca),
        authority=args.mqtt_ca,
        webhook=checked_url(args.webhook) if args.webhook else "",
        resend=args.resend,
        keep=args.keep,
        keep_share=args.keep_share,
        language=asked_language(args),
    )


def _access(args: argparse.Namespace, port: int) -> Access:
    import socket

    from clipgrip_line.errors import LineError
    from clipgrip_line.web.address import Access, PublicName, named

    public = []
    for text in args.allow_name:
        known = named(text)
        if known is None:
            raise LineError(
                '--allow-name "{text}" is no name of a host. Give the name as it stands in the browser\'s address, '
                "without http:// and without a path: line3.plant.example, with :PORT where that is not the usual "
                "one.",
                text=text,
            )
        public.append(PublicName(*known))
    names = (socket.gethostname().casefold(), socket.getfqdn().casefold())
    return Access(args.host, port, "", names, tuple(public))


def _limits(args: argparse.Namespace) -> Limits:
    from clipgrip_line.errors import LineError
    from clipgrip_line.service.limits import Limits

    for option in LIMITS:
        value = getattr(args, option[2:].replace("-", "_"))
        if not value > 0:  # also what is no number
            raise LineError("{option} must be more than 0. Give a larger number.", option=option)
        if value > MOST:
            raise LineError(
                "{option} must be at most {most}. Give a smaller number.", option=option, most=MOST
            )
    if args.audit_every < 0:
        raise LineError(
            "--audit-every {n} is not allowed: a whole number from 1, or 0 for none.",
            n=args.audit_every,
        )
    return Limits(
        body=args.max_body << 20,
        images=args.max_images,
        pixels=args.max_pixels * 1_000_000,
        queue=args.queue,
        seconds=args.timeout,
        batch=args.batch,
        pictures=args.keep_pictures << 20,
    )


def tokens_of(path: Path | None) -> tuple[str, ...]:
    """The tokens of a file, one a line, # begins a remark; else the one of the environment.

    LineError: the file holds none, so whoever asks for tokens would have a service without.
    """
    from clipgrip_line.errors import LineError

    if path is None:
        given = os.environ.get(TOKEN, "").strip()
        return (given,) if given else ()
    with path.open("rb") as file:  # a pipe too; a device without an end is none
        data = file.read(MOST_TOKENS + 1)
    text = data.decode("utf-8-sig", "replace") if len(data) <= MOST_TOKENS else ""
    lines = [line.strip() for line in text.splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found or "\ufffd" in "".join(found):
        raise LineError(NO_TOKEN, path=path)
    return found


def person() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "?"
