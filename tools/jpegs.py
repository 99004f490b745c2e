#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "numpy==2.4.6",
#     "pillow==13.0.0",
# ]
# ///
"""Makes JPEGs of every kind that dfrt decodes, and their pixels by libjpeg, for its tests.

    python tools/jpegs.py            # writes fixtures/jpeg
    python tools/jpegs.py --check    # makes them again and compares; exits 1 on a difference

`PICTURE.KIND.jpg` is encoded by libjpeg-turbo's program cjpeg, which has to be on the PATH
(CMYK and YCCK: by Pillow), from a picture that is drawn here. `PICTURE.png` holds its pixels
as Pillow's libjpeg-turbo decodes them at its defaults, the same for all kinds; Pillow converts
CMYK to RGB.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "jpeg"
WIDTH, HEIGHT = 61, 43  # neither a multiple of a block

SAMPLINGS = {
    "444": "1x1,1x1,1x1",
    "422": "2x1,1x1,1x1",
    "440": "1x2,1x1,1x1",
    "420": "2x2,1x1,1x1",
    "411": "4x1,1x1,1x1",
    "410": "4x2,1x1,1x1",
    "fine_chroma": "1x1,2x2,2x2",
    "one_fine_chroma": "2x2,2x1,1x1",
}
# Each channel in a separate scan, or the last two together.
ALONE = "0;\n1;\n2;\n"
IN_TWO = "0;\n1 2;\n"


def drawn():
    """Gradients, edges of strong colours and some noise: [HEIGHT, WIDTH, 3]."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    red = 40 + 3 * x
    green = 220 - 4 * y
    blue = 60 + 2 * x + y
    picture = np.stack([red, green, blue], -1)
    picture[(x - 20) ** 2 + (y - 18) ** 2 < 120] = (215, 40, 50)
    picture[(x - 44) ** 2 + (y - 26) ** 2 < 90] = (30, 70, 200)
    picture[(x + y) % 23 < 2] = (240, 240, 235)
    grain = (x * 7919 + y * 104729 + x * y * 31) % 13 - 6
    return np.clip(picture + grain[..., None], 0, 255).astype(np.uint8)


def encoded(picture, *options, scans=None):
    """The JPEG that cjpeg makes of a picture [H, W, 3]."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PPM")
    with tempfile.TemporaryDirectory() as folder:
        if scans:
            script = Path(folder) / "scans"
            script.write_text(scans)
            options = (*options, "-scans", str(script))
        command = ["cjpeg", "-quality", "85", "-optimize", *options]
        return subprocess.run(command, input=out.getvalue(), stdout=subprocess.PIPE, check=True).stdout


def inks(picture, transform, **options):
    """A JPEG of four channels with Adobe's marker: CMYK (transform 0) or YCCK (2)."""
    key = np.asarray(Image.fromarray(picture).convert("L")) // 3
    kept = picture if transform == 0 else np.asarray(Image.fromarray(picture).convert("YCbCr"))
    # Pillow stores 255 minus the given values.
    channels = np.dstack([255 - kept, key])
    out = io.BytesIO()
    Image.fromarray(channels, "CMYK").save(out, "JPEG", quality=85, **options)
    file = bytearray(out.getvalue())
    file[file.index(b"Adobe") + 11] = transform
    return bytes(file)


def files():
    """Every JPEG: the picture that it decodes to, its kind, its bytes."""
    picture = drawn()
    for name, sampling in SAMPLINGS.items():
        sampled = ("-sample", sampling)
        yield name, "baseline", encoded(picture, *sampled)
        yield name, "progressive", encoded(picture, "-progressive", *sampled)
        yield name, "alone", encoded(picture, *sampled, scans=ALONE)
    for name in ("444", "420"):
        sampled = ("-sample", SAMPLINGS[name])
        yield name, "in_two", encoded(picture, *sampled, scans=IN_TWO)
        yield name, "restart", encoded(picture, *sampled, "-restart", "3B")
        yield name, "restart_progressive", encoded(picture, "-progressive", *sampled, "-restart", "1")
        yield name, "restart_alone", encoded(picture, *sampled, "-restart", "5B", scans=ALONE)
    yield "coarse", "baseline", encoded(picture, "-quality", "25", "-sample", SAMPLINGS["420"])
    for name, option, sampled in (("grey", "-grayscale", ()), ("rgb", "-rgb", ("-sample", "1x1"))):
        yield name, "baseline", encoded(picture, option, *sampled)
        yield name, "progressive", encoded(picture, option, "-progressive", *sampled)
        yield name, "restart", encoded(picture, option, *sampled, "-restart", "3B")
    yield "rgb", "alone", encoded(picture, "-rgb", "-sample", "1x1", scans=ALONE)
    for name, transform in (("cmyk", 0), ("ycck", 2)):
        for sampling, options in (("", {}), ("_420", {"subsampling": "4:2:0"})):
            yield name + sampling, "baseline", inks(picture, transform, **options)
            yield name + sampling, "progressive", inks(picture, transform, progressive=True, **options)
        yield name, "restart", inks(picture, transform, restart_marker_blocks=3)


def decoded(file):
    """The pixels of a JPEG as Pillow decodes them, as a PNG."""
    out = io.BytesIO()
    Image.open(io.BytesIO(file)).convert("RGB").save(out, "PNG", optimize=True)
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    contents = {}
    for picture, kind, jpeg in files():
        contents[f"{picture}.{kind}.jpg"] = jpeg
        pixels = decoded(jpeg)
        if contents.setdefault(f"{picture}.png", pixels) != pixels:
            return f"{picture}.{kind}.jpg: decodes to other pixels than the kinds before it"
    if check:
        differing = [name for name, content in contents.items() if not is_there(FOLDER / name, content)]
        return f"differ: {', '.join(differing)}" if differing else 0
    FOLDER.mkdir(exist_ok=True)
    for name, content in contents.items():
        (FOLDER / name).write_bytes(content)
    return 0


def is_there(path, content):
    return path.is_file() and path.read_bytes() == content


if __name__ == "__main__":
    sys.exit(main())
