"""What a page would load from outside is found; what a reader may click is not reported."""

from pathlib import Path

import pytest

from oulib.book.offline import external_requests, main


def found(folder: Path, name: str, text: str) -> list[str]:
    (folder / "index.html").write_text("<p>a page</p>")
    (folder / name).write_text(text)
    return [request.address for request in external_requests(folder)]


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://a.example/x.js"></script>',
        "<script async src=//a.example/x.js></script>",
        '<link rel="stylesheet" href="https://a.example/x.css">',
        '<link rel="preconnect" href="https://a.example">',
        '<link rel="icon next" href="http://a.example/i">',
        '<img alt="" src="https://a.example/x">',
        '<img srcset="x.png 1x, https://a.example/x.png 2x">',
        '<source srcset="https://a.example/x.png">',
        '<video poster="https://a.example/x.png"></video>',
        '<iframe src="https://a.example/"></iframe>',
        '<iframe srcdoc="&lt;img src=https://a.example/x&gt;"></iframe>',
        '<object data="https://a.example/x"></object>',
        '<svg><image xlink:href="https://a.example/x.png"/></svg>',
        '<base href="https://a.example/">',
        '<meta http-equiv="refresh" content="0; url=https://a.example/">',
        '<style>@import "https://a.example/x.css";</style>',
        '<p style="background: url(https://a.example/x.png)">',
        '<IMG SRC="ht\ntps://a.example/x">',
        '<script>const THEBE_JS_URL = "https://unpkg.com/thebe@0.8.2/lib/index.js"</script>',
        "<script>require.config({paths: {a: 'https://cdn.example.com/a'}})</script>",
        '<script>fetch("https://a.example/data")</script>',
        '<script>import("https://esm.sh/d3")</script>',
        r'<script>{"u": "https:\/\/a.example\/x.js"}</script>',
        '<img src="x" onerror="fetch(\'//a.example/y\')">',
    ],
)
def test_a_load_from_outside_is_found_in_a_page(tmp_path, text):
    (address,) = found(tmp_path, "a.html", text)
    assert "example" in address or "unpkg" in address or "esm" in address


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.css", "@import url(https://a.example/x.css);"),
        ("a.css", "@font-face {src: url( 'https://a.example/x.woff2' )}"),
        ("a.js", 's.src = "https://a.example/x"'),
        ("a.js", "var u='//cdn.jsdelivr.net/npm/x@1'"),
        ("a.svg", '<svg><use href="https://a.example/x.svg#y"/></svg>'),
    ],
)
def test_style_sheets_scripts_and_drawings_are_read_too(tmp_path, name, text):
    assert len(found(tmp_path, name, text)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<a href="https://a.example/x.js">a link</a>'),
        ("a.html", '<link rel="canonical" href="https://a.example/">'),
        ("a.html", '<script src="_static/x.js?v=1"></script><img src="data:image/png;base64,AA">'),
        (
            "a.html",
            '<p>https://cdn.example.com/x.js is only text</p><form action="https://a.example">',
        ),
        ("a.html", '<svg xmlns="http://www.w3.org/2000/svg"></svg>'),
        ("a.css", "/* from https://a.example/x.css, @import url(//a.example) */ a {color: red}"),
        (
            "a.css",
            "a {background: url('data:image/svg+xml;charset=utf-8,%3Csvg xmlns=http://x.y')}",
        ),
        ("a.js", "// see https://a.example/docs\nvar ns = 'http://www.w3.org/2000/svg'"),
        ("a.txt", '<script src="https://a.example/x.js">'),
    ],
)
def test_links_text_and_local_files_are_not_reported(tmp_path, name, text):
    assert found(tmp_path, name, text) == []


def test_the_command_lists_what_it_finds_and_fails(tmp_path, capsys):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.html").write_text('<img src="https://a.example/x">')
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == "deep/a.html: <img> https://a.example/x\n"


def test_a_folder_without_pages_is_not_called_clean(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "no page" in capsys.readouterr().err
    assert main([]) == 2
