"""Odd folders of pictures, made with nothing but zlib.

Broken by: a file that is skipped or half-read in silence; a class that is lost, or in another place than the model's; a
refusal that does not name the file.
"""

import json
import os
import struct
import zlib

from odd import Case

HEADER = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, colour=0, bits=8, more=b"", size=None):
    """rows of bytes as PNG stores them."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width, height = size or (len(rows[0]) * 8 // bits // samples, len(rows))
    packed = zlib.compress(b"".join(b"\0" + bytes(r) for r in rows))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return HEADER + chunk(b"IHDR", header) + more + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def stripes(n, across, side=8):
    """Light stripes across or down, a little different for each n."""
    return [
        [min(255, (200 if (y if across else x) % 2 else 20) + 5 * n) for x in range(side)] for y in range(side)
    ]


def cases(shop):
    cases = []

    def put(name, content):
        (shop / name).parent.mkdir(parents=True, exist_ok=True)
        (shop / name).write_bytes(content)

    def folder(name, n=10):
        for i in range(n):
            put(f"{name}/across/{i}.png", png(stripes(i, True)))
            put(f"{name}/down/{i}.png", png(stripes(i, False)))
        return f"images:{name}"

    good = folder("good")
    shop.make("train", "--data", good, "--epochs", "30", "--batch", "8", "-o", "net.h5")

    def refused(name, spec, words, command=("eval", "net.h5")):
        cases.append(Case(name, [*command, "--data", spec], refused=words))

    def right(name, spec, accuracy=1.0):
        def check(done):
            return json.loads(done.stdout)["accuracy"] == accuracy

        cases.append(Case(name, ["eval", "net.h5", "--data", spec, "--json"], right=check))

    def spoiled(name, file, content, words, command=("eval", "net.h5")):
        spec = folder(name)
        put(f"{name}/{file}", content)
        refused(name.replace("-", " "), spec, words, command)

    new = ("train", "--epochs", "1", "-o", "new.h5")
    right("folders as they should be", good)
    whole = png(stripes(1, True))
    spoiled("a-picture-of-0-bytes", "down/4.png", b"", ["down/4.png", "0 bytes"])
    spoiled("a-picture-cut-short", "down/4.png", whole[:-20], ["down/4.png", "cut short"])
    flipped = whole.replace(b"IDATx", b"IDATy")
    spoiled("a-picture-with-a-flipped-bit", "down/4.png", flipped, ["down/4.png", "cannot be decoded"])
    spoiled("bytes-behind-a-picture", "down/4.png", whole + b"abc", ["down/4.png", "3 bytes"])
    spoiled("a-gif-among-pictures", "down/x.gif", b"GIF89a" + bytes(40), ["down/x.gif", "neither JPEG nor PNG"], new)
    spoiled("a-list-beside-the-classes", "labels.csv", b"a,b\n", ["labels.csv", "file beside"])
    spoiled("a-class-that-the-model-has-not", "askew/1.png", whole, ["askew", "2 classes"])
    spoiled("a-folder-in-a-class", "down/more/1.png", whole, ["down/more", "is a folder"])
    vast = png([bytes(9)], size=(20000, 20000))
    spoiled("a-file-that-says-20000-times-20000", "down/4.png", vast, ["down/4.png", "20000 x 20000"])
    clear = png([[9, 255, 9, 254]], colour=4)
    spoiled("a-transparent-pixel", "down/4.png", clear, ["down/4.png", "1,0", "254"])
    moving = png(stripes(1, True), more=chunk(b"acTL", bytes(8)))
    spoiled("an-animation", "down/4.png", moving, ["down/4.png", "animated"])
    other = png(stripes(1, False, 9))
    spoiled("a-picture-of-another-size", "down/4.png", other, ["down/4.png", "1x9x9", "1x8x8", "--input"], new)
    colours = png([[1, 2, 3] * 8] * 8, colour=2)
    spoiled("a-picture-in-colour", "down/4.png", colours, ["down/4.png", "3x8x8", "--input CxHxW", "3x8x8"], new)
    folder("an-empty-class")
    (shop / "an-empty-class/void").mkdir()
    refused("an empty class", "images:an-empty-class", ["void", "holds no picture"], new)
    folder("a-link")
    os.symlink("gone.png", shop / "a-link/down/z.png")
    refused("a link to nothing", "images:a-link", ["down/z.png", "link to nothing"])
    folder("latin")
    (shop / "latin/down" / os.fsdecode(b"caf\xe9.png")).write_bytes(whole)
    refused("a name that is not UTF-8", "images:latin", ["0xe9", "caf"])
    refused("no folder", "images:nowhere", ["nowhere", "No such file"])
    refused("a file", "images:good/down/1.png", ["good/down/1.png", "is no folder"])
    refused("an option of tables", good, ["--label", "tables"], ("eval", "net.h5", "--label", "x"))
    refused("a size that is none", good, ["--input", "8x8"], (*new, "--input", "8x8"))
    refused("two channels", good, ["--input", "2x8x8"], (*new, "--input", "2x8x8"))
    refused("another size than the model's", good, ["1x9x9", "1x8x8"], ("eval", "net.h5", "--input", "1x9x9"))
    refused("a size for other data", "digits", ["--input", "images:DIR"], (*new, "--input", "1x8x8"))
    shop.make("train", "--epochs", "1", "-o", "digits.h5", "--limit", "100")
    refused("two folders for ten classes without names", good, ["2 folders", "10 classes"], ("eval", "digits.h5"))
    refused("bytes for a network of 0 to 16", "images:good/across", ["255", "16"], ("predict", "digits.h5"))
    one = "images:good/across"
    cases.append(
        Case(
            "pictures without classes",
            ["predict", "net.h5", "--data", one],
            right=lambda done: len(done.stdout.splitlines()) == 11,
        )
    )
    refused("accuracy of pictures without classes", one, ["good/across"])
    # what is right though it is odd
    folder("litter")
    for name in ("litter/.DS_Store", "litter/down/Thumbs.db", "litter/.ipynb_checkpoints/1.png"):
        put(name, b"?")
    cases.append(
        Case(
            "what file managers leave",
            ["eval", "net.h5", "--data", "images:litter"],
            right=lambda done: "2 more like it" in done.stderr,
        )
    )
    for i in range(10):
        put(f"three/train/down/{i}.png", png(stripes(i, False)))
        put(f"three/train/across/{i}.png", png(stripes(i, True)))
        put(f"three/val/across/{i}.png", png(stripes(i, True)))
    right("a part without one of the classes", "images:three")
    turned = folder("turned")
    exif = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x05\0\0\0\0\0\0")
    for i in range(10):
        put(f"turned/down/{i}.png", png(stripes(i, True), more=exif))
        put(f"turned/across/{i}.png", png(stripes(i, False), more=exif))
    right("pictures that EXIF turns", turned)
    deep = folder("deep")
    for i in range(10):
        put(f"deep/down/{i}.png", png([sum(([v, v] for v in r), []) for r in stripes(i, False)], bits=16))
        put(f"deep/across/{i}.png", png([sum(([v] * 3 for v in r), []) for r in stripes(i, True)], colour=2))
    right("16 bits and colour for a network of grey bytes", deep)
    return cases
