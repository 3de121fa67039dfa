#!/bin/sh
# consumer.sh BUILD - installs and uses the library as others do: find_package and pkg-config.
set -eu
dir=$(mktemp -d /tmp/isobit-consumer-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cmake --install "$1" --prefix "$dir/prefix" >"$dir/log"
cat >"$dir/main.c" <<'EOF'
#include <isobit/isobit.h>
#include <stdio.h>
int main(void)
{
    ib_device *dev = ib_device_open("cpu:ref");
    ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
    const int ok = dev && d && ib_dataset_count(d) == 359;
    printf("%s\n", ok ? "works" : ib_error());
    ib_dataset_free(d);
    ib_device_close(dev);
    return !ok;
}
EOF
cat >"$dir/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.20)
project(consumer C)
find_package(isobit 0.1 REQUIRED)
add_executable(consumer main.c)
target_link_libraries(consumer isobit::isobit)
EOF
cmake -S "$dir" -B "$dir/build" -DCMAKE_PREFIX_PATH="$dir/prefix" >"$dir/log" 2>&1 && cmake --build "$dir/build" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
"$dir/build/consumer"
pc=$(dirname "$(find "$dir/prefix" -name isobit.pc)")
# shellcheck disable=SC2046
cc "$dir/main.c" $(PKG_CONFIG_PATH=$pc pkg-config --static --cflags --libs isobit) -o "$dir/with-pkg-config"
# the drivers' suites see nothing but what is installed
for suite in "$(dirname "$0")/../command/test_driver.c" "$1/tests/test_arguments.c"; do
    # shellcheck disable=SC2046
    cc -I"$(dirname "$0")" -I"$(dirname "$0")/../command" "$suite" $(PKG_CONFIG_PATH=$pc pkg-config --static --cflags --libs isobit) -lm -o "$dir/suite"
    "$dir/suite" >"$dir/log" || { cat "$dir/log"; exit 1; }
    tail -n 1 "$dir/log"
done
"$dir/with-pkg-config"
# a program with classes of its own for ONNX files, which are not those of the library
source=$(dirname "$0")/../..
sed 's/^package .*/package onnx;/; s/optional string doc_string = 13;/&\n  optional string own = 999;/' "$source/files/onnx.proto" >"$dir/onnx.proto"
(cd "$dir" && protoc-c --c_out=. onnx.proto)
cat >"$dir/own.c" <<'EOF'
#include <isobit/isobit.h>
#include <stdio.h>
#include <string.h>
#include "onnx.pb-c.h"
int main(int argc, char **argv)
{
    Onnx__AttributeProto a = ONNX__ATTRIBUTE_PROTO__INIT;
    a.own = "mine";
    uint8_t bytes[64];
    const size_t n = onnx__attribute_proto__pack(&a, bytes);
    Onnx__AttributeProto *b = onnx__attribute_proto__unpack(NULL, n, bytes);
    ib_device *dev = ib_device_open("cpu:ref");
    ib_layer *net = dev && argc == 2 ? ib_import_onnx(argv[1], dev) : NULL;
    const int ok = dev && net && b && b->own && !strcmp(b->own, "mine");
    printf("%s\n", ok ? "works beside classes of its own" : ib_error());
    onnx__attribute_proto__free_unpacked(b, NULL);
    ib_layer_free(net);
    ib_device_close(dev);
    return !ok;
}
EOF
# shellcheck disable=SC2046
cc -I"$dir" "$dir/own.c" "$dir/onnx.pb-c.c" $(PKG_CONFIG_PATH=$pc pkg-config --static --cflags --libs isobit) -lprotobuf-c -o "$dir/own"
"$dir/own" "$source/tests/golden/onnx/keras.onnx"
"$dir/prefix/bin/isobit" --version
for file in man/man1/isobit.1 man/man1/isobit-train.1 bash-completion/completions/isobit; do
    [ -s "$dir/prefix/share/$file" ] || { echo "share/$file is not installed"; exit 1; }
done
