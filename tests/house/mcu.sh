#!/bin/bash
# mcu.sh ISOBIT SOURCE - exported networks on Cortex-M cores and on aarch64 under QEMU: plain C, DSP, MVE and NEON instructions give
# the integers of training. Broken by: an intrinsic that saturates, an unaligned load on a core that has none, a section of the runtime left out.
set -u
isobit=$1 source=$2
command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null || { echo "arm-none-eabi-gcc or qemu-system-arm is missing"; exit 77; }
dir=$(mktemp -d /tmp/isobit-mcu-XXXXXX)
trap 'rm -rf "$dir"' EXIT
failed=0 runs=0
for model in lenet dscnn resnet8; do
    for qat in w8a8 w4a8 w2a8; do
        "$isobit" train --model $model --qat $qat --epochs 2 --qat-from 1 --limit 300 -o "$dir/net.h5" >/dev/null 2>&1 &&
            "$isobit" export "$dir/net.h5" --to c -n net --vectors 20 -o "$dir/$model-$qat" >/dev/null || { echo "$model $qat: not exported"; exit 1; }
        for cpu in cortex-m0 cortex-m3 cortex-m4 cortex-m33 cortex-m55; do
            got=$(timeout 120 make -s -C "$source/examples/mcu" NET=net DIR="$dir/$model-$qat" CPU=$cpu OUT="$dir/$model-$qat/$cpu" run 2>&1)
            runs=$((runs + 1))
            case $got in "wrong 0 ticks"*) ;; *) echo "$model $qat $cpu: $got"; failed=$((failed + 1)) ;; esac
        done
        if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
            runs=$((runs + 1))
            printf '#include "net.h"\nint main(void) { return net_self_test() != 0; }\n' >"$dir/main.c"
            aarch64-linux-gnu-gcc -std=c99 -pedantic -Wall -Wextra -Werror -O2 -static -I"$dir/$model-$qat" -o "$dir/arm64" "$dir/main.c" "$dir/$model-$qat/net.c" &&
                qemu-aarch64 "$dir/arm64" || { echo "$model $qat aarch64: wrong"; failed=$((failed + 1)); }
        fi
    done
done
echo "$runs runs, $failed failed"
[ $failed = 0 ]
