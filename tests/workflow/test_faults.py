"""Faults of machines, disks and people: nothing is lost, and nothing wrong is used.

What came of each is recorded for docs/reliability.md, which `make reliability` makes.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import faults
import harness
import pytest
from small_corpora import DEMO_TARGETS

pytestmark = [pytest.mark.long, pytest.mark.slow]

OPTIONS = ("--configfile", "tiny.yaml", "--config", "predict=audio/Waltz/artist-0")
DEMO_OPTIONS = ("--configfile", "demo.yaml")
ROUNDS = 50
SEED = 7
CHEAP = 8.0
"""A stage whose followers took no longer [s] is run with them; else it is run alone."""


@pytest.fixture(scope="module")
def ended(template, tmp_path_factory):
    """Run the tiny corpus to its end, with a bundle and predictions. Not to be written to."""
    folder = harness.copied(template, tmp_path_factory.mktemp("ended") / "work")
    done = harness.snakemake(folder, "predict", *OPTIONS)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def work(ended, tmp_path):
    """Return a copy of it of one's own."""
    return harness.copied(ended, tmp_path / "work")


def run_to_the_end(workdir, undisturbed, *targets, options=OPTIONS):
    """Run, and assert that the results are those of an undisturbed run, byte by byte."""
    done = harness.snakemake(workdir, *targets, *options)
    assert done.returncode == 0, done.stderr
    assert faults.differences(workdir, undisturbed) == []


# Kills


class Round:
    """A run that is stopped while a job is at work, and run again."""

    def __init__(self, undisturbed, options, jobs, rule, how, seed):
        self.undisturbed, self.options, self.rule, self.how = undisturbed, options, rule, how
        self.random = random.Random(seed)
        own = [job for job in jobs if job.rule == rule]
        # One job of a rule, or all of them where each takes a blink.
        one = self.random.choice(own)
        self.jobs = [one] if one.seconds > 0.5 else own
        self.seconds = max(job.seconds for job in self.jobs)
        self.targets = [name for job in self.jobs for name in job.outputs]
        took = faults.seconds_with_followers(undisturbed, jobs, rule)
        if options == OPTIONS and took < CHEAP:
            self.targets.append("all")

    def __str__(self):
        return f"{self.how} while {self.rule}"

    def stop(self, workdir, share):
        """Stop a run after a share of the job's usual time; tell whether the job was at work."""
        faults.remove(workdir, self.jobs)
        env = faults.SLOW_DISK
        with harness.started(workdir, *self.targets, *self.options, env=env) as run:
            at_work = faults.wait_for_job(run, self.jobs[0].script)
            time.sleep(self.random.uniform(0, share) * self.seconds)
            hit = [process for process in at_work if faults.is_alive(process)]
            if self.how == "job":
                for process in hit:
                    process.kill()
            elif self.how == "Snakemake":
                os.kill(run.pid, signal.SIGKILL)
            elif self.how == "run":
                os.killpg(run.pid, signal.SIGKILL)
            elif self.how == "interrupt":
                os.killpg(run.pid, signal.SIGINT)
            try:
                run.wait(timeout=600)
            except subprocess.TimeoutExpired:
                pytest.fail(f"{self}: the run did not end")
            if self.how == "Snakemake":
                # Its jobs are in its group, which is killed at the end of this block.
                self._end(workdir)
        return bool(hit)

    def _end(self, workdir):
        """Run again while what was left behind may still be at work."""
        self.end = harness.snakemake(workdir, *self.targets, *self.options)

    def play(self, folder):
        """Return what went wrong, "" if nothing, and what the stopped run said."""
        workdir = folder / "work"
        try:
            for share in (0.9, 0.4, 0.1, 0.0):
                harness.copied(self.undisturbed, workdir)
                self.end = None
                if self.stop(workdir, share):
                    break
                shutil.rmtree(workdir)
            else:
                return f"{self}: the job was over each time", ""
            shown = (workdir / "shown.txt").read_text()
            if self.end is None:
                self._end(workdir)
            if self.end.returncode:
                return f"{self}: did not end:\n{self.end.stderr}", shown
            wrong = faults.differences(workdir, self.undisturbed)
            wrong += [f"{line} still runs" for line in faults.left_running(workdir)]
            return (f"{self}: " + "; ".join(wrong) if wrong else ""), shown
        finally:
            shutil.rmtree(workdir, ignore_errors=True)


KILLED = {
    "run": ("SIGKILL of the run and its jobs", "nothing: it is gone"),
    "Snakemake": ("SIGKILL of Snakemake alone", "nothing; its jobs end by themselves"),
    "job": ("SIGKILL of a job", "which job failed, and how to go on"),
    "interrupt": ("Ctrl-C", "the terminal is back, with how to go on"),
}
SAME = "same files"


def play(rounds, folder):
    """Play rounds two at a time, record each, and return what went wrong."""

    def one(number):
        wrong, shown = rounds[number].play(folder / str(number))
        how = rounds[number].how
        if not wrong and how in ("job", "interrupt") and "it goes on from here" not in shown:
            wrong = f"{rounds[number]}: nothing on how to go on in:\n{shown}"
        if not wrong:
            fault, said = KILLED[how]
            faults.record(fault=fault, stage=rounds[number].rule, shown=said, outcome=SAME)
        return wrong

    with ThreadPoolExecutor(2) as pool:
        return [wrong for wrong in pool.map(one, range(len(rounds))) if wrong]


def test_killed_at_random_moments_ends_as_undisturbed(ended, demo_template, tmp_path):
    """Each stage is hit; those that take long more often."""
    generator = random.Random(SEED)
    tiny, demo = faults.jobs_of(ended), faults.jobs_of(demo_template)
    rules = sorted({job.rule for job in tiny})
    weights = [max(job.seconds for job in tiny if job.rule == rule) for rule in rules]
    drawn = generator.choices(rules, weights, k=ROUNDS - len(rules) - 2)
    kinds = ["run", "Snakemake", "job"]
    rounds = [
        Round(ended, OPTIONS, tiny, rule, kinds[number % 3], generator.random())
        for number, rule in enumerate(rules + drawn)
    ]
    rounds += [
        Round(demo_template, (*DEMO_TARGETS, *DEMO_OPTIONS), demo, rule, "run", generator.random())
        for rule in ("demo_clips", "demo_metadata")
    ]
    assert len(rounds) == ROUNDS
    wrong = play(rounds, tmp_path)
    assert wrong == [], "\n".join(wrong)


def test_interrupted_by_the_user_ends_at_once_and_goes_on(ended, tmp_path):
    # A shell's background jobs, of which this may be one, ignore it, and so would the run.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    generator = random.Random(SEED)
    jobs = faults.jobs_of(ended)
    rules = ("wav", "feature_shard", "cnn", "cnn_search", "classify", "tables")
    rounds = [Round(ended, OPTIONS, jobs, rule, "interrupt", generator.random()) for rule in rules]
    wrong = play(rounds, tmp_path)
    assert wrong == [], "\n".join(wrong)


# Disks


def mount(*options, on):
    done = subprocess.run(["mount", *options, on], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"can't mount: {done.stderr}")


@pytest.fixture
def small_disk(work):
    """Put the results on a small disk of their own."""
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted by root")
    results = work / "results"
    results.rename(work / "moved")
    results.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", on=results)
    shutil.copytree(work / "moved", results, dirs_exist_ok=True)
    shutil.rmtree(work / "moved")
    yield results
    subprocess.run(["umount", results], check=True)


def fill(folder, *, leave):
    """Fill a disk but for some bytes; return the file that does."""
    filler = folder / "filler"
    disk = os.statvfs(folder)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - leave)
    return filler


def bottom_up(workdir):
    """Return the longest job of each rule of a finished run, followers first."""
    jobs = sorted(faults.jobs_of(workdir), key=lambda job: job.seconds)
    longest = {job.rule: job for job in jobs}
    return sorted(longest.values(), key=lambda job: len(harness.with_followers(workdir, job.rule)))


def test_full_disk_in_each_stage(small_disk, work, ended):
    """What fails stays undone, followers first, until one run makes all of it at the end."""
    page, said = os.sysconf("SC_PAGE_SIZE"), {}
    for job in bottom_up(ended):
        paths = [path for name in job.outputs for path in (work / name, *(work / name).rglob("*"))]
        size = sum(path.stat().st_size for path in paths if path.is_file())
        faults.remove(work, [job])
        filler = fill(small_disk, leave=size // 2 // page * page)
        failed = harness.snakemake(work, *job.outputs, *OPTIONS)
        filler.unlink()
        assert failed.returncode != 0, f"{job.rule} needs no room"
        shown = faults.line_with(failed.stderr, "No space left on device")
        said[job.rule] = shown.replace(job.log, "LOG")
        assert faults.line_with(failed.stderr, "it goes on from here")
        # Hidden files hold the state of a training, from which the next one goes on.
        found = faults.differences(work, ended)
        wrong = [line for line in found if "is missing" not in line and "/." not in line]
        assert wrong == [], job.rule
    removed = [name for job in faults.jobs_of(ended) for name in job.outputs]
    run_to_the_end(work, ended, "predict", *removed)
    for stage, shown in said.items():
        faults.record(fault="full disk", stage=stage, shown=shown, outcome=f"with space, {SAME}")


def test_disk_with_no_room_for_snakemake_itself(work, ended):
    """Everything is on it: the records of the run, logs, results."""
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted by root")
    place = work.with_name("disk")
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", on=place)
    try:
        harness.copied(work, place)
        (place / "results/tiny/tables/genres.csv").unlink()
        filler = fill(place, leave=0)
        failed = harness.snakemake(place, *OPTIONS)
        filler.unlink()
        assert failed.returncode != 0
        # Snakemake's own log, which it can't write either, adds a traceback.
        shown = faults.line_with(failed.stderr, "its disk is full").replace(f"{place}: ", "")
        run_to_the_end(place, ended)
    finally:
        subprocess.run(["umount", place], check=True)
    faults.record(
        fault="full disk", stage="Snakemake's own files", shown=shown, outcome=f"with space, {SAME}"
    )


@pytest.fixture(params=["a job", "the list of tracks"])
def read_only(request, work):
    """Forbid all writing below results; something there is to be made."""
    missing = {"a job": "tables/genres.csv", "the list of tracks": "corpus/listing.json"}
    (work / "results/tiny" / missing[request.param]).unlink()
    results = work / "results"
    if os.geteuid() == 0:
        mount("--bind", results, on=results)
        mount("-o", "remount,ro,bind", on=results)
        yield request.param, lambda: subprocess.run(["umount", results], check=True)
    else:
        folders = [results, *(path for path in results.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        yield request.param, lambda: [folder.chmod(0o755) for folder in folders]


def test_read_only_results(read_only, work, ended):
    stage, mend = read_only
    before = harness.made_files(work)
    try:
        failed = harness.snakemake(work, *OPTIONS)
        assert failed.returncode != 0
        assert "Traceback" not in failed.stderr, failed.stderr
        shown = faults.line_with(failed.stderr, "results", "can't be written to")
        shown = shown.replace(f"{work}/", "")
        assert harness.made_files(work) == before
    finally:
        mend()
    run_to_the_end(work, ended)
    faults.record(
        fault="read-only results", stage=stage, shown=shown, outcome=f"once it is writable, {SAME}"
    )


# Sources


def wav_of(workdir, clip):
    return workdir / "results/tiny/wav" / f"{harness.track_of(workdir, clip)}.wav"


CLIPS = [
    f"audio/{genre}/artist-{(0, 0, 1, 1, 2, 3)[number]}/{number}.wav"
    for genre in ("Ambient", "Techno", "Waltz")
    for number in range(6)
]


def test_source_that_vanishes_during_the_run(work, ended):
    """It is put back, and everything is as ever; a run without it leaves it out."""
    wavs = sorted(work.glob("results/tiny/wav/*.wav"))
    for wav in wavs:
        wav.unlink()
    targets = [str(wav.relative_to(work)) for wav in wavs]
    with harness.started(work, *targets, *OPTIONS, "--cores", "1") as run:
        assert faults.wait_for_job(run, "wav.sh")
        os.killpg(run.pid, signal.SIGSTOP)
        # The one at work and the next are in hand; one of the others is taken away, whose artist
        # has two: the split needs four.
        waiting = [c for c in CLIPS if "artist-1" in c and not wav_of(work, c).exists()]
        clip = work / waiting[-1]
        content = clip.read_bytes()
        clip.unlink()
        os.killpg(run.pid, signal.SIGCONT)
        assert run.wait(timeout=600) != 0
    # Snakemake looks for it before the job, which looks for it too.
    shown = faults.line_with((work / "shown.txt").read_text(), f"{waiting[-1]} ")
    assert not wav_of(work, waiting[-1]).exists()
    without = harness.snakemake(work, "results/tiny/corpus/tracks.csv", *OPTIONS)
    assert without.returncode == 0, without.stderr
    used = (work / "results/tiny/corpus/tracks.csv").read_text()
    assert len(used.splitlines()) == len(CLIPS)  # one is the header
    clip.parent.mkdir(exist_ok=True)
    clip.write_bytes(content)
    run_to_the_end(work, ended, *targets, "results/tiny/corpus/tracks.csv")
    faults.record(
        fault="source file vanishes during the run",
        stage="wav",
        shown=shown,
        outcome=f"a run without it leaves it out; once it is back, {SAME}",
    )


def test_source_that_changes_during_the_run(work, ended):
    """What was made of the old one is made again by the next run, not mixed with the new."""
    wavs = [wav_of(work, clip) for clip in CLIPS]
    for wav in wavs:
        wav.unlink()
    targets = [str(wav.relative_to(work)) for wav in wavs]
    changed, other = CLIPS[0], CLIPS[-1]
    recorded = faults.record_of(work, str(wav_of(work, changed).relative_to(work)))
    before = recorded.stat().st_mtime_ns
    with harness.started(work, *targets, *OPTIONS) as run:
        while recorded.stat().st_mtime_ns == before:
            assert run.poll() is None
            time.sleep(0.005)
        shutil.copyfile(work / other, work / changed)
        assert run.wait(timeout=600) == 0
    again = harness.snakemake(work, *targets, *OPTIONS)
    assert again.returncode == 0, again.stderr
    made = wav_of(work, changed).read_bytes()
    assert made == wav_of(ended, other).read_bytes()
    faults.record(
        fault="source file changes during the run",
        stage="wav",
        shown="nothing if its job is over; else that it changed while it was read",
        outcome="the next run makes again what was made of the old one",
    )


# Files that are not whole


TRUNCATED = {
    "HDF5": ("spectrograms/0.h5", ["results/tiny/spectrograms.h5"], "spectrograms"),
    "features in HDF5": (
        "features/handcrafted.h5",
        ["results/tiny/grouped/classify/handcrafted/all/logistic-regression/predictions.csv"],
        "classify",
    ),
    "WAV": ("wav/{}.wav", ["results/tiny/corpus/tracks.csv"], "audit"),
    ".keras": ("grouped/cnn/simple/seed-0/model.keras", ["export"], "export"),
    ".skops": (
        "grouped/classify/handcrafted/all/logistic-regression/model.skops",
        ["export"],
        "export",
    ),
}


@pytest.mark.parametrize("kind", TRUNCATED)
def test_truncated_file_is_found_and_named(kind, work, ended):
    name, targets, stage = TRUNCATED[kind]
    path = work / "results/tiny" / name.format(harness.track_of(work, CLIPS[0]))
    learner = {".keras": "cnn/simple", ".skops": "classify/handcrafted/all/logistic-regression"}
    chosen = learner.get(kind, "")
    options = (*OPTIONS[:-1], f"predict={{'path': 'audio/Waltz', 'learner': '{chosen}'}}")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    failed = harness.snakemake(work, *targets, *options)
    assert failed.returncode != 0
    shown = faults.line_with(failed.stderr, str(path.relative_to(work)), "delete it")
    path.unlink()
    again = ["predict"] if chosen else targets
    run_to_the_end(work, ended, str(path.relative_to(work)), *again)
    faults.record(
        fault=f"truncated {kind} put in place by hand",
        stage=stage,
        shown=shown,
        outcome=f"without it, {SAME}",
    )


# People, clocks and numbers


def test_two_runs_in_one_folder(work, ended):
    """The second is refused; a dry run beside the first is not. Neither disturbs it."""
    faults.remove(work, [job for job in faults.jobs_of(ended) if job.rule == "tables"])
    with harness.started(work, *OPTIONS, env=faults.SLOW_DISK) as first:
        assert faults.wait_for_job(first, "tables.py")
        os.killpg(first.pid, signal.SIGSTOP)
        second = harness.snakemake(work, *OPTIONS)
        plan = harness.snakemake(work, *OPTIONS, "--dry-run")
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait(timeout=600) == 0
    assert second.returncode != 0
    shown = faults.line_with(second.stderr, "no other Snakemake").removesuffix(":")
    assert plan.returncode == 0, plan.stderr
    assert faults.differences(work, ended) == []
    faults.record(
        fault="two runs in one folder at once",
        stage="tables",
        shown=shown,
        outcome="the second is refused; the first ends undisturbed",
    )


def test_ten_thousand_files_in_one_folder(tmp_path):
    """They are planned; names are all that there is to them."""
    for genre, count in (("Waltz", 4), ("Polka", 10_000)):
        (tmp_path / "audio" / genre).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "audio" / genre / f"{number}.mp3").touch()
    settings = ["corpus={'name': 'many', 'kind': 'folder', 'audio': 'audio'}", "splits=[grouped]"]
    planned = harness.snakemake(tmp_path, "wavs", "--dry-run", "--config", *settings)
    assert planned.returncode == 0, planned.stderr
    shown = faults.line_with(planned.stderr + planned.stdout, "wav", "10004")
    faults.record(
        fault="10,000 files in one folder",
        stage="plan",
        shown=shown,
        outcome="all are planned",
    )


DAY = 86400


def shift(paths, seconds):
    for path in paths:
        stat = path.stat()
        os.utime(path, (stat.st_atime + seconds, stat.st_mtime + seconds))


def test_clock_that_went_back(work, ended):
    """Sources and results have times in the future: the run says so, and goes on."""
    shift([work / CLIPS[0], work / "results/tiny/corpus/listing.json"], DAY)
    wav = wav_of(work, CLIPS[0])
    wav.unlink()
    run = harness.snakemake(work, str(wav.relative_to(work)), *OPTIONS)
    assert run.returncode == 0, run.stderr
    shown = faults.line_with(run.stderr, "2 files", "listing.json", "future", "touch")
    assert faults.differences(work, ended) == []
    faults.record(
        fault="clock that goes back after sources and results were written",
        stage="wav",
        shown=shown,
        outcome="same files",
    )
