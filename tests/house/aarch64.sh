#!/bin/sh
# aarch64.sh SOURCE [DEVICE...] - the kernels' suite cross-compiled and run under QEMU: plain C and the dot product instructions agree in every
# bit, on odd shapes, with guard bytes. Broken by: a lane of another row, an overrun, a rounding that is not the float unit's.
set -eu
source=$1
command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null || { echo "aarch64-linux-gnu-gcc or qemu-aarch64 is missing"; exit 77; }
dir=$(mktemp -d /tmp/isobit-aarch64-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$source"
cc="aarch64-linux-gnu-gcc -std=gnu11 -O2 -fopenmp -ffp-contract=off -Wall -Wextra -Werror -I. -Iinclude -DIB_HAVE_NEON"
storage=$(ls tensor/storage/*.c | grep -v scaled.c)
for level in ref base; do
    for f in backends/cpu/families/*.c backends/cpu/fill.c $storage; do
        echo "$cc -DIB_LEVEL=$level -c $f -o $dir/$level-$(basename "$f" .c).o"
    done
done >"$dir/commands"
for f in backends/cpu/cpu.c backends/cpu/panels_nhwc.c tensor/*.c tensor/formats/*.c tensor/storage/scaled.c; do
    echo "$cc -c $f -o $dir/$(echo "$f" | tr / -).o"
done >>"$dir/commands"
echo "$cc -march=armv8.2-a+dotprod -c backends/cpu/arm/neon.c -o $dir/neon.o" >>"$dir/commands"
echo "$cc -DIB_TEST_WITHOUT_CUNIT -DIB_TEST_SOURCE=\"\" -c tests/kernels/test_kernels.c -o $dir/test_kernels.o" >>"$dir/commands"
tr '\n' '\0' <"$dir/commands" | xargs -0 -P 2 -I{} sh -c '{}'
aarch64-linux-gnu-gcc -static -fopenmp -Wl,--no-warnings -o "$dir/test_kernels" "$dir"/*.o -lm
OMP_WAIT_POLICY=passive qemu-aarch64 -cpu max "$dir/test_kernels"
