#!/bin/bash
# quantize.sh ISOBIT SOURCE - isobit quantize of a language model as a user meets it: files that open again, reports,
# refusals, kills. Broken by: a run that depends on threads or on being killed, a type that is changed without a word.
set -u
isobit=$1 source=$2
model=$source/tests/golden/models/chat text=$source/examples/texts/emma.txt
dir=$(mktemp -d /tmp/isobit-quantize-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
. "$source/tests/command/checks.sh"
quantize() { "$isobit" quantize "$model" "$@"; }
head -c 40000 "$text" >calib.txt

quantize --to q8_0 --calib calib.txt --ctx 64 --windows 8 -o a.gguf --json >a.json 2>err
check "a model by gptq" eval 'grep -q "\"method\": *\"gptq\"" a.json && grep -q "\"bits_per_weight\"" a.json'
check "it opens" eval '"$isobit" perplexity a.gguf --text calib.txt --ctx 64 --windows 2 >out 2>err'
check "nothing is left beside it" [ ! -e a.gguf.part ]
quantize --to q8_0 --calib calib.txt --ctx 64 --windows 8 -o b.gguf --threads 1 >out 2>err
check "the same bytes at another number of threads" cmp a.gguf b.gguf
check "a line for each matrix, and what rows do not allow" eval 'grep -qE "^blk.0.ffn_down.weight .* f16 .*; not q8_0: rows of 48 are no whole blocks" out'
for after in 0.02 0.05 0.1 0.2 0.4; do # killed wherever it is
    rm -rf c.gguf c.gguf.part
    "$isobit" quantize "$model" --to q8_0 --calib calib.txt --ctx 64 --windows 8 -o c.gguf >out 2>err &
    sleep $after
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    [ -e c.gguf ] && continue
    if ls c.gguf.part/*.gguf >/dev/null 2>&1; then
        fails 2 "--resume goes on behind them" quantize --to q8_0 --calib calib.txt --ctx 64 --windows 8 -o c.gguf
        fails 1 "--resume goes on behind them" quantize --to q4_0 --calib calib.txt --ctx 64 --windows 8 -o c.gguf --resume
        quantize --to q8_0 --calib calib.txt --ctx 64 --windows 8 -o c.gguf --resume >out 2>err
    else
        quantize --to q8_0 --calib calib.txt --ctx 64 --windows 8 -o c.gguf >out 2>err
    fi
    check "killed after $after s, then the same bytes" cmp a.gguf c.gguf
done
rm -rf c.gguf.part
fails 2 "needs --to TYPE" quantize -o d.gguf
fails 1 "no type of files is named 'q9'" quantize --to q9 -o d.gguf
fails 1 "rows of 32 are not whole blocks of 256, which q6_k has" quantize --to q4_0 --strict -o d.gguf
fails 1 "needs a calibration text" quantize --to q4_0 --method gptq -o d.gguf
head -c 300 calib.txt >short.txt
fails 1 "a window of 512 needs" quantize --to q4_0 --calib short.txt -o d.gguf
fails 2 "--qat" quantize --to q4_0 --qat w8a8 -o d.gguf
fails 2 "holds no finished layers" quantize --to q4_0 --resume -o d.gguf
: >empty.txt
fails 1 "holds no text" quantize --to q4_0 --calib empty.txt -o d.gguf
check "refusals leave nothing" [ ! -e d.gguf -a ! -e d.gguf.part ]
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
