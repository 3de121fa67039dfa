#!/bin/sh
# real.sh SOURCE - arithmetic/real.h gives the same bits as C and as C++, from gcc and clang, with and without optimization,
# vectors and instructions for fused products; where there is nvcc, also from its half for the host, and what it compiles for
# devices has no fused product. Broken by: a call of libm, a contraction, what only one language takes.
set -eu
dir=$(mktemp -d /tmp/isobit-real-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$1"
case $(uname -m) in x86_64) wide="-mavx2 -mfma" wider="-march=x86-64-v4" ;; *) wide= wider= ;; esac
first=
told() { # HOW COMMAND...: compiles, runs and compares
    how=$1
    shift
    "$@" -I. -o "$dir/real" || { echo "FAILED: $how does not compile"; exit 1; }
    bits=$("$dir/real")
    first=${first:-$bits}
    [ "$bits" = "$first" ] || { echo "FAILED: $how gives $bits, the first $first"; exit 1; }
    echo "$bits $how"
}
runs() { # flags that this processor can run
    case $1 in *v4*) grep -qw avx512bw /proc/cpuinfo ;; *fma*) grep -qw avx2 /proc/cpuinfo ;; esac
}
for flags in "-O0" "-O2" "-O3 $wide" "-O3 $wider"; do
    runs "$flags" || continue
    for compiler in "cc -std=c11 -x c" "c++ -std=c++11 -x c++" "clang -std=c11 -x c" "clang++ -std=c++11 -x c++"; do
        command -v "${compiler%% *}" >/dev/null || continue
        told "$compiler $flags" $compiler $flags -ffp-contract=off -Wall -Wextra -pedantic -Werror tests/house/real.c
    done
done
if command -v nvcc >/dev/null; then
    told nvcc nvcc -fmad=false -Xcompiler -ffp-contract=off -x cu tests/house/real.c
    nvcc -fmad=false -ptx -I. -x cu tests/house/real.c -o "$dir/real.ptx"
    ! grep -n 'fma\|ex2\|lg2\|tanh\.' "$dir/real.ptx" || { echo "FAILED: nvcc fuses or approximates"; exit 1; }
fi
