"""Write docs/configuration.md: what may stand in a configuration file, from the command line."""

from pathlib import Path

from oulib.cli import options_of

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("run", "report", "fit", "check")
HEAD = """\
# Options in a file

Made from the command line by `python tools/configuration.py`; a test holds that it is up to date.

With `--config run.yml` a command reads options from a YAML file, one a line:

```yaml
columns: {survey: engagement, respondents: answers}
covariates: [headcount, region]
draws: 1000
mnar-reason: leavers do not answer
```

What is given on the command line has the last word.
Before anything is read or written, every name and value that the command does not know is refused.
Names may be written with `_` as well as with `-`.

| key | value | what it is | commands |
|---|---|---|---|
"""
VALUES = {
    "columns": "a mapping of our names to the file's",
    "covariates": "a list of columns",
    "draws": "a whole number, or `auto`",
    "chapters": "a list, or text with commas",
}

KINDS = {
    "N": "a whole number",
    "P": "a number between 0 and 1",
    "PERCENT": "a number above 0",
    "POINTS": "a number above 0",
    "NAME": "text",
    "TEXT": "text",
}


def configuration() -> str:
    """What docs/configuration.md must hold."""
    options = {command: options_of(command) for command in COMMANDS}
    keys = dict.fromkeys(key for known in options.values() for key in known)
    rows = []
    for key in sorted(keys):
        having = [command for command, known in options.items() if key in known]
        action = options[having[0]][key]
        value = VALUES.get(key) or (
            "`true` or `false`"
            if action.nargs == 0
            else ", ".join(f"`{one}`" for one in action.choices)
            if action.choices
            else KINDS[str(action.metavar)]
        )
        helps = dict.fromkeys(options[command][key].help or "" for command in having)
        rows.append(
            f"| `{key}` | {value} | {'; '.join(filter(None, helps))} | {', '.join(having)} |"
        )
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "configuration.md").write_text(configuration(), encoding="utf-8")
