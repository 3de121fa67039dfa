"""Folders of pictures as cameras, archives and desktops leave them: what a reader of the documents expects."""
import csv
import json
import os
import struct
import zlib

import numpy as np

from odd import Case

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(kind, body, check=0):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ check)


def packed(v, bits):
    """Rows [h, w, samples] as PNG has them, a filter of zero before each."""
    rows = []
    for row in v.reshape(v.shape[0], -1):
        if bits == 16:
            body = row.astype(">u2").tobytes()
        elif bits == 8:
            body = row.astype("u1").tobytes()
        else:
            body = np.packbits(((row[:, None] >> np.arange(bits)[::-1]) & 1).astype("u1").reshape(-1)).tobytes()
        rows.append(b"\0" + body)
    return b"".join(rows)


def png(v, kind=None, bits=8, more=b"", interlaced=False, size=None, check=0, end=b"", last=True):
    """v: [h, w] grey or [h, w, samples]; kind: PNG's type of colour."""
    v = np.asarray(v)
    v = v[:, :, None] if v.ndim == 2 else v
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[v.shape[2]] if kind is None else kind
    h, w = size or v.shape[:2]
    data = b"".join(packed(v[y::b, x::a], bits) for x, y, a,
                    b in ADAM7 if v[y::b, x::a].size) if interlaced else packed(v, bits)
    head = struct.pack(">IIBBBBB", w, h, bits, kind, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(data),
                                                                       check) + (chunk(b"IEND",
                                                                                       b"") if last else b"") + end)


def jpeg(blocks, components=1, more=b"", process=0xC0, end=b"\xff\xd9", names=b"\1\2\3\4"):
    """Blocks [h, w, components] of 8 x 8 pixels of one value each, without losses: only their means are coded."""
    blocks = np.asarray(blocks).reshape(np.shape(blocks)[0], np.shape(blocks)[1], -1)
    h, w = blocks.shape[:2]
    once = process != 0xC2  # else in two scans: means, and that there is nothing else

    def part(mark, body):
        return struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body

    def scan(which, first, last, bits):
        bits += "1" * (-len(bits) % 8)
        data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
        return part(0xDA, bytes([len(which)]) + b"".join(bytes([i, 0]) for i in which) + bytes([first, last, 0])) + data

    bits, last = "", [0] * components
    for block in blocks.reshape(h * w, -1):
        for k in range(components):
            d = int(block[k]) - 128 - last[k]
            last[k] += d
            n = abs(d).bit_length()
            bits += f"{n:04b}" + (f"{d if d > 0 else d + (1 << n) - 1:0{n}b}" if n else "") + ("0" if once else "")
    out = b"\xff\xd8" + more + part(0xDB, b"\0" + bytes([8] + [1] * 63))
    out += part(process, struct.pack(">BHHB", 8, h * 8, w * 8,
                                     components) + b"".join(bytes([i, 0x11, 0]) for i in names[:components]))
    out += part(0xC4, b"\0" + bytes([0, 0, 0, 9] + [0] * 12) + bytes(range(9)))  # nine codes of four bits, 0000 to 1000
    out += part(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")                    # the end of a block: the bit 0
    out += scan(names[:components], 0, 63 if once else 0, bits)
    return out + (b"" if once else b"".join(scan(names[k:k + 1], 1, 63, "0" * h * w) for k in range(components))) + end


def exif(turn):
    body = b"Exif\0\0" + b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x112, 3, 1, turn, 0) + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"
BMP = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(4)
TIFF = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


def grey(i, h=8, w=8):
    return (np.arange(h * w).reshape(h, w) * (3 + i % 5) + 11 * i) % 256


def folder(shop, name, classes=("cat", "dog"), count=6, **more):
    """A folder of grey pictures a class; more: path="bytes" put beside them, with / for __ and . for _dot_."""
    for k, c in enumerate(classes):
        for i in range(count):
            put(shop, f"{name}/{c}/{i}.png", png(grey(i + 20 * k)))
    for path, content in more.items():
        put(shop, f"{name}/{path}", content)
    (shop / name).mkdir(exist_ok=True)
    return name


def put(shop, path, content):
    path = shop / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def layouts(shop):
    """What lies in which folder."""

    def trained(name, at, classes=("cat", "dog"), said="", rows=None, *args):
        out = shop / "l.h5"

        def check(done):
            schema = json.loads(shop.make("inspect", out, "--json").stdout)["schema"]
            counts = rows is None or f"{rows[0]} training and {rows[1]} test" in done.stderr
            return schema["classes"] == list(classes) and counts and said in done.stderr

        return Case(name, ["train", "--data", f"images:{at}", "--epochs", 1, "-o", out, "--json", *args], right=check)

    def refused(name, at, words, *args):
        return Case(name, ["train", "--data", f"images:{at}", "--epochs", 1, "-o", "r.h5", *args], refused=words)

    def parts(name, **counts):
        for part, classes in counts.items():
            for k, c in enumerate(classes):
                for i in range(5):
                    put(shop, f"{name}/{part}/{c}/{i}.png", png(grey(i + 20 * k)))
        return name

    f = lambda name, *a, **k: folder(shop, name, *a, **k)
    good, two = png(grey(1)), ("cat", "dog")
    hidden = {"cat/.DS_Store": b"\0\0\0\1Bud1", ".DS_Store": b"\0\0\0\1Bud1", "dog/Thumbs.db": b"\xd0\xcf\x11\xe0",
              "dog/desktop.ini": b"[x]",
              "cat/._0.png": b"\0\5\x16\7", ".ipynb_checkpoints/0.png": good}
    f("links_to")
    (shop / "linked").mkdir()
    for c in two:
        os.symlink(shop / "links_to" / c, shop / "linked" / c)
    os.symlink(shop / "nowhere.png", shop / f("dangling") / "cat" / "9.png")
    os.symlink(shop / "round", shop / f("round") / "cat" / "again")
    os.mkfifo(shop / f("pipe") / "cat" / "9.png")
    (shop / f("folder_as_file") / "cat" / "9.png").mkdir()
    (shop / f("empty_class") / "emu").mkdir()
    (shop / "empty").mkdir()
    (shop / "empty_classes/cat").mkdir(parents=True)
    (shop / "empty_classes/dog").mkdir()
    put(shop, "file.png", good)
    put(shop, f("latin") + "/cat/" + os.fsdecode(b"M\xe4rz.png"), good)
    put(shop, parts("val_size", train=two, val=two) + "/val/cat/9.png", png(grey(1, 9, 8)))
    for i in range(10):
        put(shop, f"loose/{i}.png", png(grey(i)))
    parts("val_bare", train=two)
    parts("test_bare", train=two)
    for i in range(4):
        put(shop, f"val_bare/val/{i}.png", good)
        put(shop, f"test_bare/test/{i}.png", good)
    parts("empty_val", train=two)
    (shop / "empty_val/val").mkdir()
    shop.make("train", "--data", f"images:{f('begun')}", "--epochs", 1, "-o", "begun.h5")
    put(shop, "begun/cat/9.png", png(grey(9)))
    yield from (
        trained("a folder a class", f("plain"), rows=(10, 2)),
        trained("a slash behind", f("slash") + "/", rows=(10, 2)),
        trained("names with blanks, umlauts and emoji", f("names", ("H\u00fcndin 1", "\U0001f431")),
                ("H\u00fcndin 1", "\U0001f431")),
        trained("names with commas and quotes", f("commas", ('a, "b"', "it's")), ('a, "b"', "it's")),
        refused("names with a line end", f("ends", ("c\nat", "dog")), ["ends", "0x0a", "control", "rename"]),
        trained("names that are numbers, in the order of their letters", f("numbers", ("10", "9", "100")),
                ("10", "100", "9")),
        trained("names that differ by case", f("case", ("Cat", "cat")), ("Cat", "cat")),
        trained("names of ImageNet", f("synsets", ("n01440764", "n01443537")), ("n01440764", "n01443537")),
        trained("hidden files and those of desktops", f("hidden", **hidden), two, ".DS_Store and 5 more", (10, 2)),
        refused("the folder that a Mac's archive adds", f("mac", **{"__MACOSX/cat/._0.png": b"\0\5\x16\7"}),
                ["__MACOSX"]),
        refused("one class", f("one", ("cat",)), ["one", "'cat'"]),
        refused("an empty class", "empty_class", ["emu"]),
        refused("a class of hidden files alone", f("hidden_class", **{"emu/.DS_Store": b"x"}), ["emu"]),
        trained("train as a class of vehicles", f("vehicles", ("car", "train")), ("car", "train"), rows=(10, 2)),
        refused("a name in Latin-1", "latin", ["latin", "0xe4", "rename"]),
        refused("sizes of val that train has not", "val_size", ["val_size/val/cat/9.png", "--input"]),
        refused("nothing", "empty", ["empty"]),
        refused("classes of nothing", "empty_classes", ["empty_classes/cat"]),
        refused("no folder", "nowhere", ["nowhere"]),
        refused("a file in the place of the folder", "file.png", ["file.png"]),
        refused("pictures alone", "loose", ["loose", "label"]),
        refused("pictures beside the classes", f("beside", **{"0.png": good}), ["0.png"]),
        refused("a text beside the classes", f("readme", **{"README.md": b"# Cats"}), ["README.md"]),
        refused("a table of labels beside the classes", f("csv", **{"labels.csv": b"file,label\n"}), ["labels.csv"]),
        refused("a text in a class", f("text", **{"cat/list.txt": b"0.png\n"}), ["cat/list.txt"]),
        refused("folders in a class", f("nested", **{"cat/batch/0.png": good}), ["nested/cat/batch"]),
        refused("one folder more above the classes", f("deep/data")[:4], ["deep/data/cat"]),
        trained("links to folders", "linked", rows=(10, 2)),
        refused("a link to nothing", "dangling", ["dangling/cat/9.png"]),
        refused("a link to the folder above", "round", ["round/cat/again"]),
        refused("a pipe", "pipe", ["pipe/cat/9.png"]),
        refused("a folder by the name of a picture", "folder_as_file", ["folder_as_file/cat/9.png"]),
        refused("a picture a class", f("few", count=1), ["few"]),
        refused("four pictures a class", f("four", count=4), ["four"]),
        trained("one picture twice", f("twice", **{"cat/copy.png": png(grey(0)), "dog/copy.png": png(grey(0))})),
        trained("train and val", parts("tv", train=two, val=two), rows=(10, 10)),
        trained("train and test", parts("tt", train=two, test=two), rows=(10, 10)),
        trained("train, val and test", parts("tvt", train=two, val=two, test=two), two, "tvt/test", (10, 10)),
        refused("train and validation", parts("tvalidation", train=two, validation=two), ["tvalidation", "validation"]),
        refused("train and valid", parts("tvalid", train=two, valid=two), ["tvalid", "valid"]),
        refused("Train and Val", parts("capitals", Train=two, Val=two), ["capitals/"]),
        refused("train alone", parts("alone", train=two), ["alone", "val"]),
        refused("val alone", parts("val_alone", val=two), ["val_alone", "train"]),
        refused("train and test, and a folder more", parts("extra", train=two, test=two, extra=two), ["extra/extra"]),
        trained("one class of a single picture", f("rare", **{"emu/0.png": good}), ("cat", "dog", "emu"), "emu"),
        trained("a class that val lacks", parts("lacks", train=("cat", "dog", "emu"), val=two), ("cat", "dog", "emu"), "emu"),
        Case("a training to be resumed, with a picture more",
             ["train", "--data", "images:begun", "--epochs", 1, "--resume", "-o", "begun.h5"], refused=["begun.h5", "images:begun"]),
        refused("a class that train lacks", parts("val_more", train=two, val=("cat", "dog", "emu")), ["emu"]),
        refused("classes of other names in val", parts("other", train=two, val=("cats", "dogs")), ["cats"]),
        refused("pictures without classes in val", "val_bare", ["val_bare", "val holds"]),
        refused("pictures without classes in test", "test_bare", ["test_bare", "test holds"]),
        refused("an empty val", "empty_val", ["empty_val/val"]),
        refused("a size without channels", "plain", ["--input", "8x8"], "--input", "8x8"),
        refused("a size of four channels", "plain", ["--input", "4x8x8"], "--input", "4x8x8"),
        refused("a size of nothing", "plain", ["--input", "1x0x8"], "--input", "1x0x8"),
        refused("a size with the channels last", "plain", ["--input", "8x8x1"], "--input", "8x8x1"),
        refused("a label of a folder", "plain", ["--label"], "--label", "cat"),
        refused("a line end in the name of a folder", "no\nfolder", ["folder: "]),
    )


def files(shop):
    """What a file holds: the same prediction as from a plain PNG, or none."""
    plain = folder(shop, "base", count=10)
    shop.make("train", "--data", f"images:{plain}", "--epochs", 2, "-o", "grey.h5")
    colour = lambda i: np.stack([grey(i), grey(i + 3), grey(i + 9)], 2)
    for k, c in enumerate(("cat", "dog")):
        for i in range(5):
            put(shop, f"rgb/{c}/{i}.png", png(colour(i + 20 * k)))
    shop.make("train", "--data", "images:rgb", "--epochs", 2, "-o", "rgb.h5")
    folder(shop, "own_test/test", count=10)
    folder(shop, "sided/train", count=10)
    folder(shop, "sided/test", count=10)
    made = [0]

    def codes(done):
        """Without the names of the files."""
        return [row[1:] for row in csv.reader(done.stdout.splitlines())]

    def answer(model, content):
        put(shop, "answer/0.png", content)
        return codes(shop.make("predict", model, "--data", "images:answer"))

    def same(name, content, as_this, file="0.png", model="grey.h5", said=""):
        made[0] += 1
        put(shop, f"s{made[0]}/{file}", content)
        want = answer(model, png(as_this))
        return Case(name, ["predict", model, "--data", f"images:s{made[0]}"],
                    right=lambda d: codes(d) == want and said in d.stderr)

    def refused(name, content, words=(), file="0.png", model="grey.h5"):
        made[0] += 1
        put(shop, f"s{made[0]}/{file}", content)
        return Case(name, ["predict", model, "--data", f"images:s{made[0]}"],
                    refused=[f"s{made[0]}", file.split("\n")[0], *words])

    g, c = grey(2), colour(2)
    wide = g.astype(int) * 257
    few = np.arange(64).reshape(8, 8) % 4
    table = np.array([[10, 20, 30], [200, 100, 0], [5, 250, 70], [90, 90, 90]])
    plte = chunk(b"PLTE", table.astype("u1").tobytes())
    opaque, clear = np.full((8, 8), 255), np.full((8, 8), 255)
    clear[3, 4] = 128
    half = np.kron([[100, 160]], np.ones((8, 8), int))
    upright = half.T
    flat = np.full((8, 8), 90)
    # a network of 8 x 16 tells how a picture is turned
    for k, name in enumerate(("cat", "dog")):
        for i in range(5):
            put(shop, f"tall/{name}/{i}.png", png(grey(i + 20 * k, 16, 8)))
    shop.make("train", "--data", "images:tall", "--epochs", 2, "-o", "tall.h5")
    photo = jpeg([[90]])
    yield from (
        same("interlaced", png(g, interlaced=True), g),
        same("16 bits", png(wide, bits=16), g),
        same("16 bits are rounded", png(np.maximum(wide.astype(int) - 100, 0), bits=16),
             np.rint(np.maximum(wide - 100, 0) / 257).astype(int)),
        same("1 bit", png(few % 2, bits=1), few % 2 * 255),
        same("2 bits", png(few, bits=2), few * 85),
        same("4 bits, interlaced", png(few * 5, bits=4, interlaced=True), few * 85),
        same("16 bits of colour", png(c.astype(int) * 257, bits=16), c, model="rgb.h5"),
        same("a palette", png(few, 3, more=plte), table[few], model="rgb.h5"),
        same("a palette of 2 bits", png(few, 3, 2, more=plte), table[few], model="rgb.h5"),
        same("colours for a grey network", png(np.stack([g] * 3, 2)), g),
        same("grey for a network of colours", png(g), np.stack([g] * 3, 2), model="rgb.h5"),
        same("opaque alpha", png(np.dstack([c, opaque])), c, model="rgb.h5"),
        same("opaque alpha of grey", png(np.dstack([g, opaque])), g),
        refused("a pixel that is half transparent", png(np.dstack([c, clear])), ["transparent"], model="rgb.h5"),
        refused("a colour of a palette that is transparent", png(few, 3, more=plte + chunk(b"tRNS", b"\xff\0")),
                ["transparent"]),
        same("a transparent grey that no pixel has", png(g // 2 * 2, more=chunk(b"tRNS", b"\0\x03")), g // 2 * 2),
        refused("a transparent grey that some have", png(g // 2 * 2, more=chunk(b"tRNS", bytes([0, g[2, 2] // 2 * 2]))),
                ["transparent"]),
        same("gamma and a profile, not applied", png(g, more=chunk(b"gAMA", struct.pack(">I", 220000)) + chunk(b"sRGB",
                                                                                                               b"\0")), g),
        same("a text in it", png(g, more=chunk(b"tEXt", b"Comment\0hello")), g),
        refused("bytes behind the end", png(g, end=b"rubbish"), ["7 bytes"]),
        refused("a chunk that is not what its sum says", png(g, check=1)),
        refused("an end that lacks", png(g, last=False)),
        refused("half a picture", png(g)[:60]),
        refused("a header alone", png(g)[:33]),
        refused("a size of zero", png(g, size=(0, 8))),
        refused("more rows than there are", png(g, size=(80, 8))),
        refused("100000 x 100000", png(g, size=(100000, 100000)), ["100000"]),
        refused("an animation", png(g, more=chunk(b"acTL", struct.pack(">II", 2, 0))), ["anim"]),
        same("1 x 1", png([[90]]), flat),
        same("another size", png(np.full((40, 30), 90)), flat),
        same("a strip", png(np.full((1, 500), 90)), flat),
        same("JPEG", photo, flat, "0.jpg"),
        same("JPEG of colours", jpeg([[[90, 128, 128]]], 3), flat, "0.jpg"),
        same("JPEG, progressive", jpeg([[100, 160]], process=0xC2), half[:, 4:12], "0.jpg"),
        refused("JPEG, progressive, cut behind its first scan", jpeg([[100, 160]], process=0xC2)[:-30], (), "0.jpg"),
        same("JPEG of red, green and blue by Adobe's word", jpeg([[[90, 140, 30]]], 3, ADOBE),
             np.full((8, 8, 3), (90, 140, 30)), "0.jpg", "rgb.h5"),
        same("JPEG of red, green and blue by their names", jpeg([[[90, 140, 30]]], 3, names=b"RGB"),
             np.full((8, 8, 3), (90, 140, 30)), "0.jpg",
             "rgb.h5"),
        refused("JPEG of two components", jpeg([[[90, 140]]], 2), (), "0.jpg"),
        same("JPEG of two blocks", jpeg([[100, 160]]), half[:, 4:12], "0.jpg"),
        same("JPEG, turned by EXIF", jpeg([[100, 160]], more=exif(6)), upright, "0.jpg", "tall.h5"),
        same("JPEG, turned the other way by EXIF", jpeg([[100, 160]], more=exif(8)), upright[::-1], "0.jpg", "tall.h5"),
        same("JPEG with EXIF that says nothing", jpeg([[100], [160]], more=exif(1)), upright, "0.jpg", "tall.h5"),
        refused("JPEG with an orientation of 9", jpeg([[100], [160]], more=exif(9)), ["EXIF"], "0.jpg"),
        refused("JPEG with EXIF of rubbish", jpeg([[100], [160]], more=exif(6)[:14] + b"\xff" * 22), ["EXIF"], "0.jpg"),
        same("PNG, turned by EXIF", png(half, more=chunk(b"eXIf", exif(6)[10:])), upright, model="tall.h5"),
        same("JPEG of Adobe's CMYK", jpeg([[[200, 200, 200, 115]]], 4, ADOBE), np.full((8, 8), round(200 * 115 / 255)),
             "0.jpg"),
        refused("JPEG of CMYK without Adobe's word", jpeg([[[200, 200, 200, 115]]], 4), ["CMYK"], "0.jpg"),
        refused("JPEG, cut in its header", photo[:60], (), "0.jpg"),
        refused("JPEG, cut in its blocks", jpeg(np.full((20, 20), 90) + np.arange(20))[:-60], (), "0.jpg"),
        refused("JPEG without its end", jpeg([[90]], end=b""), (), "0.jpg"),
        same("JPEG with bytes behind its end, as cameras add", photo + b"MakerNote" * 9, flat, "0.jpg"),
        refused("JPEG without losses", jpeg([[90]], process=0xC3), (), "0.jpg"),
        same("JPEG under .png", photo, flat, "0.png"),
        same("PNG under .jpg", png(g), g, "0.jpg"),
        *(same(f"a name as {n}", photo, flat, n) for n in ("A.JPG", "a.jpeg", "a.JPEG", "a.jfif", "a b, c.jpg",
                                                           "\u732b.jpg", "-1.jpg", "no_ending")),
        same("PNG by .PNG", png(g), g, "0.PNG"),
        *(refused(f"{n}", b, (), f) for n, b, f in (
            ("GIF", GIF, "0.gif"), ("GIF under .png", GIF, "0.png"), ("WebP", WEBP, "0.webp"),
            ("WebP under .jpg", WEBP, "0.jpg"), ("BMP", BMP, "0.bmp"),
            ("TIFF", TIFF, "0.tif"), ("HEIC of telephones", HEIC, "0.heic"), ("SVG", SVG, "0.svg"),
            ("HTML under .jpg", HTML, "0.jpg"),
            ("nothing under .jpg", b"", "0.jpg"), ("two bytes", b"\xff\xd8", "0.jpg"),
            ("a video", b"\0\0\0\x18ftypmp42" + bytes(40), "0.mp4"))),
        refused("rubbish under a name with a line end", b"rubbish", ["0x0a", "control", "rename"], "0\n1.png"),
        Case("a class that the network does not know", ["predict", "grey.h5", "--data",
                                                        f"images:{folder(shop, 'emus', ('cat', 'emu'))}"], refused=["emu"]),
        Case("one class of two, to measure", ["eval", "grey.h5", "--data", f"images:{folder(shop, 'cats', ('cat',), 10)}",
                                              "--json"],
             right=lambda d: json.loads(d.stdout)["samples"] == 2),
        Case("a folder to measure, of which a fifth is tested", ["eval", "grey.h5", "--data", "images:own_test/test"],
             right=lambda d: "4 of 20 pictures: --test-share 1" in d.stderr and "4 samples" in d.stdout),
        Case("all of a folder to measure", ["eval", "grey.h5", "--data", "images:own_test/test", "--test-share", 1, "--json"],
             right=lambda d: json.loads(d.stdout)["samples"] == 20),
        Case("a folder test beside a folder train, to measure", ["eval", "grey.h5", "--data", "images:sided/test", "--json"],
             right=lambda d: json.loads(d.stdout)["samples"] == 20 and not d.stderr),
        Case("a folder test, to be trained on", ["train", "--data", "images:sided/test", "-o", "r.h5"], refused=["sided/test", "none is left"]),
        Case("a share of parts that have folders", ["train", "--data", "images:sided", "--test-share", 0.5, "-o", "r.h5"],
             refused=["sided", "--test-share"]),
        Case("another size than the network's", ["predict", "grey.h5", "--data", "images:s1", "--input", "3x4x4"],
             refused=["3x4x4", "1x8x8"]),
        Case("pictures without labels, to measure", ["eval", "grey.h5", "--data", "images:loose"],
             refused=["loose", "label"]),
        Case("other sizes in training, without --input",
             ["train", "--data", f"images:{folder(shop, 'sizes', **{'cat/9.png': png(grey(1, 9, 8))})}", "-o", "r.h5"],
             refused=["cat/9.png", "9", "--input"]),
        Case("grey among colours in training, without --input",
             ["train", "--data", f"images:{mixed(shop)}", "-o", "r.h5"], refused=["mixed/", "--input"]),
        Case("other sizes in training, with --input", ["train", "--data", "images:sizes", "--input", "1x6x6", "--epochs", 1,
                                                       "-o", "i.h5", "--json"],
             right=lambda d: "1x6x6" in d.stderr),
    )


def mixed(shop):
    for c in ("cat", "dog"):
        for i in range(5):
            put(shop, f"mixed/{c}/{i}.png", png(np.stack([grey(i)] * 3, 2)))
    put(shop, "mixed/cat/9.png", png(grey(1)))
    return "mixed"


def cases(shop):
    return [*layouts(shop), *files(shop)]
