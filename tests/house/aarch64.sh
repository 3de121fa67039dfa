#!/bin/sh
# aarch64.sh SOURCE - the kernels' suite cross-compiled and run under QEMU: plain C and the dot product instructions agree in every
# bit, on odd shapes, with guard bytes. Broken by: a lane of another row, an overrun, a rounding that is not the float unit's.
set -eu
source=$1
command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null || { echo "aarch64-linux-gnu-gcc or qemu-aarch64 is missing"; exit 77; }
dir=$(mktemp -d /tmp/isobit-aarch64-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$source"
cc="aarch64-linux-gnu-gcc -std=gnu11 -O2 -fopenmp -ffp-contract=off -Wall -Wextra -Wno-missing-field-initializers -Werror -I. -Iinclude -I$dir"
storage=$(ls tensor/storage/*.c | grep -v scaled.c)
# the rows of levels.def: level, processor, on, families, flags (all of `on`'s too); OpenBLAS is left out
sed -n 's/^LEVEL(\([a-z0-9_]*\), \(plain\|arm\), \([a-z0-9_]*\), \([a-z0-9_]*\), "\([^"]*\)",.*/\1 \2 \3 \4 \5/p' backends/cpu/levels.def |
    awk '{ all = flags[$3]; for (i = 5; i <= NF; i++) if ($i != "-DIB_BLAS") all = all " " $i; flags[$1] = all; print $1, $2, $3, $4, all }' >"$dir/levels"
while read -r level processor on families flags; do
    [ "$level" != "$families" ] || for f in backends/cpu/kernels/*.c backends/cpu/kernels/*/*.c $storage; do
        echo "$cc $flags -DIB_LEVEL=$level -c $f -o $dir/$level-$(basename "$f" .c).o"
    done
    for f in backends/cpu/"$processor/$level".c backends/cpu/"$processor/$level"_*.c; do
        [ ! -e "$f" ] || echo "$cc $flags -DIB_LEVEL=$families -DIB_ON=$on -c $f -o $dir/$level-own-$(basename "$f" .c).o"
    done
done <"$dir/levels" >"$dir/commands"
cmake -DIN=backends/kernels.def -DOUT="$dir/late_kernels.h" -P cmake/late_kernels.cmake
for f in backends/*.c backends/test/*.c $(ls backends/cpu/*.c | grep -v checked.c) backends/cuda/open.c base/*.c arithmetic/*.c tensor/*.c tensor/packing/*.c tensor/storage/scaled.c; do
    echo "$cc -c $f -o $dir/$(echo "$f" | tr / -).o"
done >>"$dir/commands"
for f in tests/kernels/test_kernels.c tests/kernels/kernel_case.c tests/kernels/cases_*.c tests/kernels/codes/cases_*.c; do
    echo "$cc -DIB_TEST_WITHOUT_CUNIT -DIB_TEST_SOURCE=\"\" -c $f -o $dir/test-$(basename "$f" .c).o"
done >>"$dir/commands"
tr '\n' '\0' <"$dir/commands" | xargs -0 -P 2 -I{} sh -c '{}'
aarch64-linux-gnu-gcc -static -fopenmp -Wl,--no-warnings -o "$dir/test_kernels" "$dir"/*.o -lm
# a suite fails by a check in another file of it too, as kernel_case.c's are
mkdir "$dir/suite"
echo 'void fails(void) { CHECK(!"seen"); }' >"$dir/suite/fails.c"
echo 'void fails(void); SUITE("fails", T(fails))' >"$dir/suite/suite.c"
$cc -DIB_TEST_WITHOUT_CUNIT -include tests/check.h -o "$dir/suite/suite" "$dir"/suite/*.c -static $(ls "$dir"/*.o | grep -v /test-) -fopenmp -lm -Wl,--no-warnings
if qemu-aarch64 -cpu max "$dir/suite/suite" >"$dir/suite/out"; then echo "a failed check in another file than the suite's is not counted"; exit 1; fi
grep -q "1 tests, 1 checks, 1 failed" "$dir/suite/out" || { cat "$dir/suite/out"; exit 1; }
OMP_WAIT_POLICY=passive qemu-aarch64 -cpu max "$dir/test_kernels"
