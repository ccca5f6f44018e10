"""The demo dataset: who is in which split, and which videos show them."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from stages.lib.demo.camera import FPS, film, make_camera, write_video
from stages.lib.demo.face import Person, load_portraits, make_person, posed_points, render
from stages.lib.demo.fakes import METHODS, UNTOUCHED, Scene
from stages.lib.demo.performance import make_performance
from stages.lib.demo.warp import SIZE
from stages.lib.records import FAKE, REAL
from stages.lib.seeding import video_rng

_portraits = cache(load_portraits)


@dataclass(frozen=True)
class DemoVideo:
    """One video to make; of a fake, ``donor`` is who would lend a face (``swap`` does take it), and ``original`` the
    path of the real video whose performance it is made from.
    """

    path: str
    label: str
    split: str
    method: str
    identity: str
    donor: str = ""
    original: str = ""
    family: str = ""


def plan_videos(identities: dict[str, int]) -> list[list[DemoVideo]]:
    """The demo's videos person by person, from the number of people per split.

    No person is in two splits. Every test person has a real video and one fake of each method, so that reals and fakes
    share people; fakes are test only.
    """
    plan, first = [], 0
    for split, count in identities.items():
        people = [f"person{first + i:03d}" for i in range(count)]
        first += count
        for i, name in enumerate(people):
            donor, original = people[(i + 1) % count], f"{split}/real/{name}.mp4"
            plan.append([DemoVideo(original, REAL, split, "", name)])
            if split == "test":
                plan[-1] += [
                    DemoVideo(f"test/{name_of}/{name}.mp4", FAKE, split, name_of, name, donor, original, method.family)
                    for name_of, method in METHODS.items()
                ]
    return plan


def _person(seed: int, identity: str) -> Person:
    return make_person(_portraits(), video_rng(seed, identity, "person"))


def make_scene(seed: int, identity: str, donor: str, n_frames: tuple[int, int]) -> Scene:
    """A person's real performance, of a length within ``n_frames``, rendered but not yet lit; the donor to swap in."""
    person, rng = _person(seed, identity), video_rng(seed, identity, "performance")
    play = make_performance(int(rng.integers(*n_frames, endpoint=True)), FPS, rng)
    frames = [render(person, *posed_points(person, play, t)) for t in range(len(play.yaw))]
    return Scene(person, play, frames, _person(seed, donor) if donor else person)


def make_videos(root: Path, videos: list[DemoVideo], n_frames: tuple[int, int], seed: int) -> None:
    """Render videos of one person below ``root``; the bytes of each depend on (seed, video) alone.

    Fakes are made from the real performance and pass through the same camera, so length, motion and light are shared,
    and only the manipulation and the grain differ. A family's methods share their random draws: the greater strength
    makes the same errors, greater.
    """
    identity, donor = videos[0].identity, next((video.donor for video in videos if video.donor), "")
    scene, camera = make_scene(seed, identity, donor, n_frames), make_camera(video_rng(seed, identity, "camera"))
    for video in videos:
        method = METHODS[video.method] if video.method else UNTOUCHED
        frames = method.make(scene, video_rng(seed, identity, method.family))
        seen = replace(camera, noise=camera.noise * method.grain)
        write_video(root / video.path, film(frames, seen, video_rng(seed, video.path, "grain")), SIZE)
