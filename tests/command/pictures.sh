#!/bin/sh
# pictures.sh ISOBIT WRITE_DIGITS - the digits as folders of PNG and of JPEG files: trained, verified with the compiled C, exported, evaluated.
# Broken by: a code that differs; classes that are lost or in another order on the way; a picture that is read in another way in one part.
set -eu
isobit=$1 write=$2
dir=$(mktemp -d /tmp/isobit-pictures-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
fail() { echo "pictures.sh: $*"; exit 1; }
for kind in png jpeg; do
    "$write" "$kind" "$kind"
    "$isobit" train --model mlp --data "images:$kind" --input 1x12x12 --epochs 6 --qat w8a8 -o "$kind.h5" >"$kind.log"
    grep -q "training and .* test samples of 1x12x12" "$kind.log" || fail "$kind: $(cat "$kind.log")"
    "$isobit" verify "$kind.h5" --data "images:$kind" >"$kind.verify" || fail "$kind: $(cat "$kind.verify")"
    grep -q " 0 differ" "$kind.verify" || grep -q "0 codes differ" "$kind.verify" || fail "$kind: $(cat "$kind.verify")"
    "$isobit" export "$kind.h5" --to hdf5 -o "$kind.program.h5" >/dev/null
    "$isobit" export "$kind.h5" --data "images:$kind" --to c -o "$kind-c" >/dev/null
    "$isobit" eval "$kind.h5" --data "images:$kind" --engine integer --json >"$kind.a"
    "$isobit" eval "$kind.program.h5" --data "images:$kind" --json >"$kind.b"
    [ "$(grep accuracy "$kind.a")" = "$(grep accuracy "$kind.b")" ] || fail "$kind: $(cat "$kind.a" "$kind.b")"
    grep -q '"accuracy": *0.9[0-9]' "$kind.a" || fail "$kind: $(cat "$kind.a")"
    # the same at another number of threads, bit for bit
    "$isobit" predict "$kind.h5" --data "images:$kind" --raw --threads 1 >"$kind.1"
    "$isobit" predict "$kind.h5" --data "images:$kind" --raw --threads 3 >"$kind.3"
    cmp -s "$kind.1" "$kind.3" || fail "$kind: threads change the outputs"
done
# answers stand beside the files of their pictures, and are those of a picture alone
"$isobit" predict png.h5 --data images:png >all.csv
[ "$(head -n 1 all.csv | cut -d, -f1)" = picture ] || fail "$(head -n 1 all.csv)"
[ "$(wc -l <all.csv)" = 1798 ] || fail "$(wc -l <all.csv) lines"
for one in $(ls png/two/*.png png/nine/*.png | sed -n '1p;7p;200p'); do
    rm -rf alone; mkdir alone; cp "$one" alone
    "$isobit" predict png.h5 --data images:alone --json >alone.json
    grep -q "\"picture\": \"alone/$(basename "$one")\", \"class\": \"$(grep "^$one," all.csv | cut -d, -f2)\"" alone.json || fail "$one: $(cat alone.json)"
done
one=$(ls png/two/*.png | head -n 1)
! "$isobit" predict png.h5 --data "images:$one" 2>err || fail "a picture is taken for a folder"
grep -q "$one: is no folder: images:DIR takes the folder" err || fail "$(cat err)"
# a folder that is none of the model's classes; classes that are not all there
mkdir -p some/two some/five
cp png/two/*1.png some/two
cp png/five/*1.png some/five
"$isobit" predict png.h5 --data images:some >/dev/null || fail "two classes of ten"
mkdir some/eleven
cp png/two/*1.png some/eleven
! "$isobit" eval png.h5 --data images:some 2>err || fail "a class that the model has not is accepted"
grep -q "some/eleven: is none of the 10 classes of the model" err || fail "$(cat err)"
# nothing is written among the pictures
! "$isobit" train --data images:png --input 1x8x8 -o png/two/model.h5 2>err || fail "a checkpoint among the pictures"
grep -q "inside the data" err || fail "$(cat err)"
echo "pictures: PNG and JPEG, 0 codes differ"
