"""Write docs/cli.md from the commands' own help; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from clipgrip.cli.tree import paths

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
COMMANDS = ("", *(" ".join(words) for words in paths()))
HEAD = """# The command line

Written by `python tools/cli_docs.py` from the commands' own help.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | done, and something wants a person: `doctor` found something to mend; an alarm rings (`watch`, `watch status`); \
a promise was withdrawn (`audit read`); `review --import` took nothing in. Also a fault of the program itself, with a \
traceback |
| 2 | the input cannot be used; a sentence says why, and nothing is lost |
| 130, 143 | stopped by Ctrl-C, or by SIGTERM; the same command goes on |

- **For programs:** `--json` prints one document on standard output, `{"error": ..., "kind": ...}` where a command
  fails; progress goes to standard error.
- **Language:** `--lang ja` before or after the command, or `CLIPGRIP_LANG=ja` in the environment: help, pages,
  reports, results, notes, progress and the errors that people meet are Japanese; `--json` stays English.
- **Less and more:** `-q` shows no progress, `-v` also versions, settings and times; `--log-file FILE` keeps all
  of it.
- **Completion** of commands, values and runs: `clipgrip --install-completion`, or print the script of a shell with
  `_CLIPGRIP_COMPLETE=source_bash clipgrip` (`source_zsh`, `source_fish`) and load it where that shell starts.
- **Several values:** an option that may be given several times is named once for each: `--template A --template B`.
- **Old names** of commands and options (`next`, `suggest`, `pilot`, `automate`, `stress`, `audit RUN`, `bench DATA`;
  `--n`, `--budget`, `--images` of a pilot, `--seeds`, `--paradigms`, `--strategies`, `--presets`,
  `--prompts`, `--ok` of a bundle, `--per-class`) work until 0.3 and say what took their place.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(
        f"\n## {_title(name)}\n\n```text\n{_help(name)}\n```\n" for name in COMMANDS
    )


def _title(name: str) -> str:
    return f"clipgrip {name}".strip()


def _help(name: str) -> str:
    words = [sys.executable, "-m", "clipgrip", *name.split(), "--help"]
    env = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    text = subprocess.run(words, capture_output=True, text=True, check=True, env=env).stdout
    return text.replace("python -m clipgrip", "clipgrip").strip()


def main() -> int:
    """0 where the page is (now) up to date."""
    text = page()
    if "--check" in sys.argv:
        if PAGE.exists() and PAGE.read_text("utf-8") == text:
            return 0
        print("docs/cli.md is out of date. Run: python tools/cli_docs.py")
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
