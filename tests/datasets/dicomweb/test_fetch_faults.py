"""A server that fails, lies or dawdles: what is asked for comes whole or not at all, and a message says why."""

import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fetched import fetched, kept, whole_series
from hostile import BOUNDARY, Asked, Sent, TwistedArchive, answer, entry, file_of, multipart, part
from installed import program
from pydicom.uid import DeflatedExplicitVRLittleEndian

from clinhallu_gate._scripted.phantom_dicom import PhantomStudy, phantom_studies
from clinhallu_gate.datasets.dicomweb.faults import Fault, ServerUnusable
from clinhallu_gate.datasets.dicomweb.fetch import Found
from clinhallu_gate.datasets.dicomweb.session import Limits
from clinhallu_gate.datasets.dicomweb.uids import Wanted

EVIL = ("1.2/../../etc/passwd", "$(reboot)", "1.2;rm -rf ~", "1.2\n1.3", "..", "1..2", "", "1" * 65, "1.2 ", "1.\u0662")


def _only(archive: TwistedArchive, root: Path, *wanted: Wanted, limits: Limits | None = None) -> str:
    """Return why the one thing that is asked for cannot be had; nothing of it may be kept."""
    (found,) = fetched(archive.url, root, *(wanted or (whole_series(archive.studies[0]),)), limits=limits)
    assert isinstance(found, Fault)
    assert not kept(root)
    assert not [path for path in root.rglob(".*") if path.is_file()], "a scratch file is left"
    return str(found)


def _instances(archive: TwistedArchive, twist: Callable[[Asked, Sent], Sent | None]) -> None:
    """Twist the replies that bring files."""
    archive.twist = lambda asked, sent: twist(asked, sent) if asked.is_instance else sent


def test_what_an_honest_server_has_is_kept_as_it_came(archive: TwistedArchive, tmp_path: Path) -> None:
    """Every file byte by byte, for the owner alone, and asked for once."""
    root = tmp_path / "private"
    found = fetched(archive.url, root, *map(whole_series, archive.studies))
    originals = {file_of(file) for study in archive.studies for file in study.files}
    assert {path.read_bytes() for each in found if isinstance(each, Found) for path in each.files} == originals
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*")) if path.is_dir()} == {0o700}
    assert len(archive.paths) == len(set(archive.paths))


def test_what_is_there_is_never_asked_for_again(archive: TwistedArchive, tmp_path: Path) -> None:
    """A second fetch makes no request; one instance that was lost makes one."""
    wanted = [whole_series(study) for study in archive.studies]
    first = fetched(archive.url, tmp_path, *wanted)
    asked = len(archive.asked)
    assert fetched(archive.url, tmp_path, *wanted) == first
    assert len(archive.asked) == asked
    kept(tmp_path)[0].unlink()
    assert fetched(archive.url, tmp_path, *wanted) == first
    assert len(archive.asked) == asked + 1


def test_a_fetch_that_was_stopped_goes_on(archive: TwistedArchive, tmp_path: Path) -> None:
    """What came before the server went away is not asked for again."""
    wanted = [whole_series(study) for study in archive.studies]
    _instances(archive, lambda asked, sent: sent if archive.paths.index(asked.path) < 6 else Sent(status=403))
    with pytest.raises(ServerUnusable):
        fetched(archive.url, tmp_path, *wanted)
    had = kept(tmp_path)
    archive.twist = lambda _, sent: sent
    archive.asked.clear()
    assert all(isinstance(each, Found) for each in fetched(archive.url, tmp_path, *wanted))
    assert len([asked for asked in archive.asked if asked.is_instance]) == len(kept(tmp_path)) - len(had)


def test_instances_of_another_study_are_refused(archive: TwistedArchive, tmp_path: Path) -> None:
    """Whoever is asked for one patient's image must not get another's."""
    other = file_of(archive.studies[1].files[0])
    _instances(archive, lambda _asked, _sent: part(other))
    assert "another study, series or instance" in _only(archive, tmp_path)


@pytest.mark.parametrize("level", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_each_uid_of_an_instance_is_held_against_what_was_asked(
    archive: TwistedArchive, tmp_path: Path, level: str
) -> None:
    """One digit more is another instance."""

    def renamed(_: Asked, sent: Sent) -> Sent:
        file = archive.studies[0].files[0]
        copy = file.__class__("", file, preamble=b"\0" * 128, file_meta=file.file_meta)
        setattr(copy, level, f"{file[level].value}1")
        return replace(sent, body=multipart(file_of(copy)))

    _instances(archive, renamed)
    assert "another study, series or instance" in _only(archive, tmp_path)


def test_a_list_of_another_study_is_refused(archive: TwistedArchive, tmp_path: Path) -> None:
    """A server that ignores what is asked and lists whatever it has."""
    file = archive.studies[1].files[0]
    foreign = entry(StudyInstanceUID=str(file.StudyInstanceUID), SOPInstanceUID=str(file.SOPInstanceUID))
    archive.twist = lambda asked, sent: sent if asked.is_instance else answer([foreign])
    assert "of another study or series" in _only(archive, tmp_path)


@pytest.mark.parametrize("uid", EVIL)
def test_uids_in_answers_are_none_before_they_look_like_it(archive: TwistedArchive, tmp_path: Path, uid: str) -> None:
    """They would become addresses and paths."""
    archive.twist = lambda asked, sent: sent if asked.is_instance else answer([entry(SOPInstanceUID=uid)])
    assert "without a valid UID" in _only(archive, tmp_path / "private")
    assert not any(asked.is_instance for asked in archive.asked)
    assert [path.name for path in tmp_path.iterdir()] == ["private"]


@pytest.mark.parametrize("body", [b"[1, 2]", b"[[]]", b'{"a": 1}', b"null", b"7", b'"x"', b"not JSON", b"[" * 100_000])
def test_lists_that_are_none_are_a_fault_of_the_server(archive: TwistedArchive, tmp_path: Path, body: bytes) -> None:
    """Whatever JSON says."""
    archive.twist = lambda asked, sent: sent if asked.is_instance else replace(sent, body=body)
    _only(archive, tmp_path)


def test_an_endless_list_ends(archive: TwistedArchive, tmp_path: Path) -> None:
    """A server that always has another page."""
    pages = iter(range(10**6))

    def page(asked: Asked, sent: Sent) -> Sent:
        number = next(pages)
        return sent if asked.is_instance else answer([entry(SOPInstanceUID=f"1.{number}.{n}") for n in range(1000)])

    archive.twist = page
    assert "lists more than 20,000" in _only(archive, tmp_path)


def test_a_server_that_pages_otherwise_ends_its_list(archive: TwistedArchive, tmp_path: Path) -> None:
    """One that repeats the whole list for every page."""
    many = answer([entry(SOPInstanceUID=f"1.{n}") for n in range(1000)])
    archive.twist = lambda asked, _: Sent(status=404) if asked.is_instance else many
    assert "HTTP 404" in _only(archive, tmp_path)
    assert len([asked for asked in archive.asked if not asked.is_instance]) == 2


def test_a_server_in_trouble_is_asked_again(archive: TwistedArchive, tmp_path: Path) -> None:
    """500, then 503, then a broken connection, then the file."""
    states: dict[int, Callable[[Sent], Sent | None]] = {
        1: lambda _: Sent(status=500),
        2: lambda _: Sent(status=503),
        3: lambda _: None,
    }
    _instances(archive, lambda asked, sent: states.get(asked.attempt, lambda honest: honest)(sent))
    (found,) = fetched(archive.url, tmp_path, whole_series(archive.studies[0]))
    assert isinstance(found, Found)
    assert archive.asked[-1].attempt == 4


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (Sent(status=500), "replies with HTTP 500"),
        (Sent(status=404), "HTTP 404"),
        (Sent(status=400), "HTTP 400"),
        (Sent(b"{}", 200, {"Content-Type": "application/json"}), "no DICOM file"),
        (Sent(b"", 200, {"Content-Type": f"multipart/related; boundary={BOUNDARY}"}), "broke off"),
        (part(b"DICM" * 99), "no DICOM file"),
        (part(b"\0" * 128 + b"DICM\x02\x00\x00\x00UL\x04\x00\xff\xff\xff\xff"), "no DICOM file"),
        (Sent(b"x", 200, {"Content-Type": "application/dicom", "Content-Encoding": "gzip"}), "compresses its reply"),
        (None, "broke off its reply"),
    ],
    ids=["500", "404", "400", "json", "empty", "no-file", "wrong-length", "gzip", "closed"],
)
def test_an_instance_that_cannot_be_had_is_a_fault_with_a_reason(
    archive: TwistedArchive, tmp_path: Path, sent: Sent | None, said: str
) -> None:
    """In our own words, for each kind of reply."""
    _instances(archive, lambda _asked, _sent: sent)
    assert said in _only(archive, tmp_path)


@pytest.mark.parametrize("length", [None, -1], ids=["by-length", "by-close"])
def test_a_reply_that_is_cut_off_is_asked_for_again_and_never_kept(
    archive: TwistedArchive, tmp_path: Path, length: int | None
) -> None:
    """Whether the server said how long it would be, or just closes the connection."""
    _instances(
        archive,
        lambda _, sent: replace(sent, body=sent.body[:-500], length=len(sent.body) if length is None else length),
    )
    assert "broke off" in _only(archive, tmp_path)
    assert archive.asked[-1].attempt == 4


@pytest.mark.parametrize("to", ["http://127.0.0.2:9/stolen", "/dicom-web/studies", "//evil.example/x"])
def test_no_redirection_is_followed(archive: TwistedArchive, tmp_path: Path, to: str) -> None:
    """It would carry UIDs, and here a password, to wherever the server says."""
    _instances(archive, lambda _asked, _sent: Sent(status=302, headers={"Location": to}))
    assert "redirection" in _only(archive, tmp_path)
    assert [asked.is_instance for asked in archive.asked] == [False, True]


@pytest.mark.parametrize("length", [10**12, -1], ids=["announced", "unannounced"])
def test_a_reply_beyond_all_size_is_not_read(archive: TwistedArchive, tmp_path: Path, length: int) -> None:
    """A terabyte that is announced, or just comes."""
    _instances(archive, lambda _, sent: replace(sent, body=sent.body + b"\0" * 300_000, length=length))
    assert "more than 0.125 MiB" in _only(archive, tmp_path, limits=Limits(size=2**17))


def test_a_reply_that_unpacks_beyond_all_size_is_not_unpacked(archive: TwistedArchive, tmp_path: Path) -> None:
    """A deflated file of some kilobytes may hold gigabytes, and libraries unpack it whole."""
    file = phantom_studies(3, ("ct",))[2].files[0]
    assert file.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    bomb = file.__class__("", file, preamble=b"\0" * 128, file_meta=file.file_meta)
    bomb.PixelData = b"\0" * 2**22
    data = file_of(bomb)
    assert len(data) < 2**16
    _instances(archive, lambda _asked, _sent: part(data))
    assert "more than 1 MiB" in _only(archive, tmp_path, limits=Limits(size=2**20))


@pytest.mark.parametrize("drips_head", [True, False], ids=["head", "body"])
def test_a_reply_that_drips_is_given_up(archive: TwistedArchive, tmp_path: Path, *, drips_head: bool) -> None:
    """A byte now and then keeps no run waiting, in the head of a reply as in its body."""
    _instances(archive, lambda _, sent: replace(sent, pause_s=0.05, drips_head=drips_head))
    started = time.monotonic()
    said = _only(archive, tmp_path, limits=Limits(reply_s=0.4, silence_s=30))
    assert "did not reply in full within 0.4 s" in said
    assert time.monotonic() - started < 5


def test_a_silent_server_is_given_up(archive: TwistedArchive, tmp_path: Path) -> None:
    """After as many attempts as others."""
    _instances(archive, lambda _, sent: replace(sent, pause_s=1.0))
    assert "was silent" in _only(archive, tmp_path, limits=Limits(silence_s=0.1))


def test_a_server_that_only_fails_is_unusable_and_not_every_rows_problem(
    archive: TwistedArchive, tmp_path: Path
) -> None:
    """Thousands of rows are not tried in vain; what a row asks for in vain alone is its own problem."""
    archive.twist = lambda _asked, _sent: Sent(status=500)
    wanted = [Wanted(f"1.{number}", "1", ()) for number in range(300)]
    with pytest.raises(ServerUnusable, match="HTTP 500, and so 8 times in a row"):
        fetched(archive.url, tmp_path, *wanted)
    assert len(archive.asked) < 100
    archive.twist = lambda _asked, _sent: Sent(status=404)
    assert all("404" in str(found) for found in fetched(archive.url, tmp_path, *wanted))


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_lets_nobody_in_says_how(archive: TwistedArchive, tmp_path: Path, status: int) -> None:
    """The names of the variables."""
    archive.twist = lambda _asked, _sent: Sent(status=status)
    with pytest.raises(ServerUnusable, match=rf"HTTP {status}\); set CLINHALLU_GATE_DICOMWEB_USER and .*_TOKEN"):
        fetched(archive.url, tmp_path, whole_series(archive.studies[0]))
    assert len(archive.asked) == 1


def test_a_certificate_has_to_be_trusted(
    archive: TwistedArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an authority that REQUESTS_CA_BUNDLE names, here the server's own; else nothing is asked."""
    certificate = _certificate(tmp_path)
    archive.speak_tls(certificate)
    url = archive.url.replace("http:", "https:")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(ServerUnusable, match=r"no certificate that is trusted here.*REQUESTS_CA_BUNDLE"):
        fetched(url, tmp_path / "private", whole_series(archive.studies[0]))
    assert not archive.asked
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    (found,) = fetched(url, tmp_path / "private", whole_series(archive.studies[0]))
    assert isinstance(found, Found)


def _certificate(folder: Path) -> Path:
    """Make a key and a certificate for this machine, in one file."""
    file = folder / "own.pem"
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"]
    places = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key.pem"), "-out", str(file)]
    subprocess.run([*command, *places], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + (folder / "key.pem").read_bytes())
    return file


def test_a_server_that_is_not_there_is_unusable(tmp_path: Path, archive: TwistedArchive) -> None:
    """Nothing listens."""
    with pytest.raises(ServerUnusable, match="cannot be reached"):
        fetched("http://127.0.0.1:1/dicom-web", tmp_path, whole_series(archive.studies[0]))


def test_a_study_of_several_series_is_counted(tmp_path: Path, archive: TwistedArchive) -> None:
    """The row has to name one."""
    study: PhantomStudy = archive.studies[0]
    archive.twist = lambda _asked, _sent: answer([entry(SeriesInstanceUID=f"1.{n}") for n in range(3)])
    wanted = Wanted(str(study.files[0].StudyInstanceUID), None, ())
    assert _only(archive, tmp_path, wanted) == "has 3 series of this study; name one in series_uid"


def test_a_series_is_what_the_server_lists_and_no_file_more(tmp_path: Path, archive: TwistedArchive) -> None:
    """An instance that was fetched by its name, and is not in the series any more, does not get into it unseen."""
    series = whole_series(archive.studies[0])
    named = replace(series, sops=(str(archive.studies[0].files[0].SOPInstanceUID),))
    (found,) = fetched(archive.url, tmp_path, named)
    assert isinstance(found, Found)
    other = file_of(archive.studies[0].files[0]).replace(named.sops[0].encode(), named.sops[0][:-1].encode() + b"0")
    archive.twist = lambda asked, _: part(other) if asked.is_instance else answer([entry(SOPInstanceUID=uid)])
    uid = f"{named.sops[0][:-1]}0"
    (found,) = fetched(archive.url, tmp_path, series)
    assert "does not list instances of this series that it sent before" in str(found)


def test_a_study_that_is_not_there_is_a_fault(tmp_path: Path, archive: TwistedArchive) -> None:
    """An empty list."""
    assert _only(archive, tmp_path, Wanted("1.2.3", None, ())) == "has no such study"
    assert _only(archive, tmp_path, Wanted("1.2.3", "1.2", ())) == "has no such series"


@pytest.mark.parametrize(
    ("variables", "header"),
    [
        ({"CLINHALLU_GATE_DICOMWEB_USER": "a", "CLINHALLU_GATE_DICOMWEB_PASSWORD": "ü:b"}, "Basic YTrDvDpi"),
        ({"CLINHALLU_GATE_DICOMWEB_TOKEN": "t0ken"}, "Bearer t0ken"),
        ({}, None),
    ],
)
def test_the_environment_says_who_asks(
    archive: TwistedArchive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    header: str | None,
) -> None:
    """With a user and a password, or a token; nothing of ~/.netrc is taken."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    fetched(archive.url, tmp_path / "private", whole_series(archive.studies[0]))
    assert {asked.headers.get("Authorization") for asked in archive.asked} == {header}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("REQUESTS_CA_BUNDLE=/nowhere/ca.pem", "REQUESTS_CA_BUNDLE names /nowhere/ca.pem, which does not exist"),
        ("CLINHALLU_GATE_DICOMWEB_TOKEN=s3\ncret", "CLINHALLU_GATE_DICOMWEB_TOKEN holds what no token has"),
        ("CLINHALLU_GATE_DICOMWEB_TOKEN=s\u00e9cret", "CLINHALLU_GATE_DICOMWEB_TOKEN holds what no token has"),
    ],
)
def test_an_environment_that_does_not_fit_is_told_and_no_token(
    archive: TwistedArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, said: str
) -> None:
    """Before anything is asked."""
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    with pytest.raises(ServerUnusable) as raised:
        fetched(archive.url, tmp_path, whole_series(archive.studies[0]))
    assert said in str(raised.value)
    assert "cret" not in str(raised.value)
    assert not archive.asked


def test_no_proxy_learns_who_is_asked_about(
    archive: TwistedArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says, and nothing is redirected to it."""
    with TwistedArchive(archive.studies) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        fetched(archive.url, tmp_path, whole_series(archive.studies[0]))
        assert not proxy.asked
    assert archive.asked


def test_nothing_that_was_asked_for_is_logged(
    archive: TwistedArchive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Libraries log addresses, which hold UIDs."""
    with caplog.at_level(0):
        fetched(archive.url, tmp_path, *map(whole_series, archive.studies))
        _instances(archive, lambda _asked, _sent: None)
        fetched(archive.url, tmp_path / "other", whole_series(archive.studies[0]))
    assert "2.25." not in caplog.text
