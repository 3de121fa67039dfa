#!/bin/bash
# command.sh ISOBIT - the command as a user meets it: contract, errors, reproducibility, interruption, kills.
# Broken by: a changed option, an error without its file or number, a run that depends on threads or on being stopped.
set -u
isobit=$1
dir=$(mktemp -d /tmp/isobit-command-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
passed=0 failed=0
check() { # check NAME CONDITION...
    local name=$1; shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; [ -f err ] && sed 's/^/    /' err | head -n 5; fi
}
# fails CODE TEXT COMMAND...: exits with CODE, one line on stderr with TEXT
fails() {
    local code=$1 text=$2; shift 2
    "$@" >out 2>err
    local got=$?
    if [ $got -ne "$code" ] || ! grep -qF -- "$text" err || [ "$(wc -l <err)" -ne 1 ]; then
        failed=$((failed + 1)); echo "FAILED: '${*:2}' exits $got (want $code), says:"; sed 's/^/    /' err; echo "    want: $text"
    else
        passed=$((passed + 1))
    fi
}
json() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",]*\).*/\1/p" "$2" | head -n 1; }

# ---- help ----
check "no arguments help" eval '"$isobit" | grep -q "Usage: isobit COMMAND"'
for c in train import quantize eval export verify inspect bench; do
    check "$c --help has examples" eval '"$isobit" $c --help | grep -q "Example"'
done
fails 2 "no command 'fly'" "$isobit" fly
check "help of a command" eval '"$isobit" help train | cmp - <("$isobit" train --help)'
fails 2 "no command 'fly'" "$isobit" help fly
check "version" eval '"$isobit" --version | grep -q "^isobit [0-9]"'

# ---- the contract ----
"$isobit" train --model lenet --data digits --qat w4a8 --profile tflite_single --observer ema --epochs 2 --qat-from 1 --batch 32 --lr 0.002 --seed 3 --threads 2 -o m.h5 --json >train.json 2>err
check "train" [ $? -eq 0 ]
check "train says accuracy" [ "$(json accuracy train.json)" != "" ]
check "with --json epochs are told on standard error" eval '[ "$(grep -c "^epoch " err)" = 2 ] && grep -q "^quantized to w4a8" err && ! grep -q epoch\  train.json'
check "train says the profile" [ "$(json profile train.json)" = tflite_single ]
for e in float qat integer; do
    "$isobit" eval m.h5 --data digits --engine $e --json >eval.json 2>err
    check "eval $e" [ "$(json engine eval.json)" = $e ]
    eval "a_$e=$(json accuracy eval.json)"
done
check "qat = integer" [ "$a_qat" = "$a_integer" ]
"$isobit" export m.h5 --to c -o out_c --json >export.json 2>err
check "export" [ -f out_c/lenet.c ] && check "export json" [ "$(json macs export.json)" -gt 1000 ]
"$isobit" export m.h5 --to hdf5 -o program.h5 >out 2>err
check "export hdf5" [ -f program.h5 ]
"$isobit" eval program.h5 --json >eval.json 2>err
check "a program is evaluated as its network" [ "$(json accuracy eval.json)" = "$a_integer" ]
fails 2 "integer program" "$isobit" eval program.h5 --engine qat
"$isobit" verify m.h5 --limit 20 --no-compile >out 2>err
check "verify's table says of what its columns are" eval 'grep -q "codes *of them other than evaluation.s in$" out && grep -q "^layer *op *compared *training *runtime *compiled C$" out'
check "what was not compared is not counted" eval '[ "$(grep -c "^[^ ]* *[a-z0-9_]* *[0-9]* *0 *0 *-$" out)" -gt 2 ]'
for format in onnx-qop onnx-qdq tflite; do
    "$isobit" export m.h5 --to $format --profile fp32_rne -o m.$format >out 2>err
    check "export $format" [ -s m.$format ]
done
"$isobit" export m.h5 --to c -o out_c >out 2>err
check "the same network's C is written anew, and that is said" grep -qx "written anew: out_c/lenet.h and out_c/lenet.c" out
for foreign in lenet.h lenet.c; do # theirs stays, whatever has isobit's name is not all isobit's
    mkdir -p out_foreign; rm -f out_foreign/*; echo "/* by hand, for isobit */" >out_foreign/$foreign
    fails 1 "'out_foreign/$foreign'" "$isobit" export m.h5 --to c -o out_foreign
    check "nothing of $foreign is written over" [ "$(cat out_foreign/*)" = "/* by hand, for isobit */" ]
done
for format in onnx-qop onnx-qdq tflite; do
    "$isobit" export m.h5 --to $format --profile fp32_rne -o m.$format >out 2>err
    check "export $format again" [ $? = 0 ]
    cp "$(dirname "$0")/../golden/onnx/keras.onnx" theirs
    fails 1 "isobit did not write 'theirs'" "$isobit" export m.h5 --to $format --profile fp32_rne -o theirs
done
{ echo a,b,kind; for i in 1 2 3 4 5 6 7 8 9 10; do echo "$i,2,x"; echo "2,$i,y"; done; } >few.csv
"$isobit" train --model mlp --hidden 4 --data csv:few.csv --qat w8a8 --epochs 1 -o few.h5 >out 2>err
"$isobit" export few.h5 --to c -o out_few --name lenet >out 2>err
fails 1 "'out_few/lenet.h' is another network's, of 2 inputs and 2 outputs, not 64 and 10" "$isobit" export m.h5 --to c -o out_few --name lenet
fails 1 "fp32_rne" "$isobit" export m.h5 --to onnx-qop --profile tflite_double -o y
fails 1 "tflite_single" "$isobit" export m.h5 --to tflite --profile tflite_single -o y
fails 2 "no rounding profile" "$isobit" export m.h5 --profile banker -o y
golden=$(dirname "$0")/../golden/onnx
"$isobit" import "$golden/keras.onnx" --raw-max 0 -o k.h5 --json >import.json 2>err
check "import" [ "$(json operators import.json)" -gt 5 ]
fails 2 "-o FILE" "$isobit" import "$golden/keras.onnx"
fails 1 "is no ONNX model" "$isobit" import m.h5 -o y
fails 1 "the model was made for" "$isobit" quantize k.h5 -o y
"$isobit" inspect k.h5 >out 2>err
check "inspect an imported network" grep -q "model keras" out
fails 2 "another shape" "$isobit" import "$golden/keras.onnx" --input 1x9x9 -o y
"$isobit" train --model lenet --epochs 1 --limit 200 -o f.h5 >out 2>err
"$isobit" quantize f.h5 --samples 100 -o q.h5 --json >quantize.json 2>err
check "quantize" [ -s q.h5 ]
"$isobit" quantize f.h5 --qat w2a2 --samples 100 -o q2.h5 >out 2>err
check "quantize names layers that lose channels" grep -q "warning: layer 'fc1': [0-9]* of [0-9]* channels are 0 in 2 bits.* times theirs; more bits: --rules \"fc1=w8a8\"" err
fails 2 "no effect without --observer ema" "$isobit" quantize f.h5 --averaging-constant 0.5 -o y
fails 1 "quantized already" "$isobit" quantize q.h5 -o y
"$isobit" train --init f.h5 --qat w4a8 --epochs 1 --qat-from 0 --limit 200 -o t.h5 >out 2>err
check "train --init" [ -s t.h5 ]
fails 1 "quantized already" "$isobit" train --init q.h5 -o y
fails 1 "the C compiler 'no-such-cc' cannot be run" "$isobit" verify m.h5 --limit 10 --cc no-such-cc
fails 1 "the C compiler 'false' ended with status 1" "$isobit" verify m.h5 --limit 10 --cc false
fails 1 "was ended by signal 9" "$isobit" verify m.h5 --limit 10 --cc 'kill -9 $$;'
"$isobit" verify m.h5 --limit 10 --no-compile --with onnxruntime --python /no-such-python >out 2>err
check "verify blames a Python that is not there" grep -q "the Python '/no-such-python' cannot be run" err
"$isobit" verify m.h5 --limit 10 --no-compile --with onnxruntime --python false >out 2>err
check "verify blames a runtime that fails" grep -q "ONNX Runtime, QOperator, in 'false', ended with status 1" err
fails 1 "the C compiler 'true' made no library that can be loaded" "$isobit" verify m.h5 --limit 10 --cc true
fails 1 "cannot be made: No such file or directory (TMPDIR names another folder)" env TMPDIR=/nowhere "$isobit" verify m.h5 --limit 10
"$isobit" verify m.h5 --limit 10 --no-compile --with onnxruntime --python true >out 2>err
check "verify blames a Python that gives nothing" grep -q "the Python 'true' ended without an error, but gave fewer than the 100 values" err
fails 2 "--with 'parrot'" "$isobit" verify m.h5 --limit 10 --no-compile --with parrot
"$isobit" verify m.h5 --data digits --limit 50 --json >verify.json 2>err
check "verify exits 0" [ $? -eq 0 ]
check "verify says 0" [ "$(json mismatches verify.json)" = 0 ]
"$isobit" inspect m.h5 >out 2>err
check "inspect" grep -q "conv1.conv.weight " out
"$isobit" inspect m.h5 --json >inspect.json 2>err
check "inspect json" grep -q '"zero_point"' inspect.json
check "inspect lists models" eval '"$isobit" inspect --models | grep -q dscnn'
"$isobit" bench --model mlp --repeats 1 --json >bench.json 2>err
check "bench" grep -q '"ratio"' bench.json
ISOBIT_TRACE=trace "$isobit" train --model mlp --qat w8a8 --epochs 1 --qat-from 0 --limit 64 -o traced.h5 >out 2>err
ISOBIT_TRACE=0 "$isobit" train --model mlp --qat w8a8 --epochs 1 --qat-from 0 --limit 64 -o untraced.h5 >out 2>err
check "a trace has a line for each operator and changes no bit" eval 'cmp traced.h5 untraced.h5 && grep -q "^forward *qlinear *fc1" trace && grep -q "^backward *qlinear *fc1" trace'
"$isobit" export m.h5 --to hdf5 -o program.h5 >out 2>err
ISOBIT_TRACE=1 "$isobit" predict program.h5 --data digits --limit 3 >out 2>trace
check "instructions are traced" grep -q "^program *conv2d *conv1.conv" trace
"$isobit" inspect m.h5 --graph net.dot 2>err && "$isobit" inspect program.h5 --graph program.dot 2>err
check "graphs" eval 'grep -q "qconv2d.nconv1.conv" net.dot && grep -q "conv2d.nconv1.conv.*weights int4" program.dot'
fails 1 "program.h5: is an exported program, no checkpoint" "$isobit" verify program.h5
fails 1 "--of 'conv1': no parameter has this name" "$isobit" inspect m.h5 --histogram - --of conv1
fails 1 "-o 'lenet.c': C goes into a folder" "$isobit" export m.h5 --to c -o lenet.c
mkdir folder.tflite
fails 1 "folder.tflite: is a folder: a file is to be written" "$isobit" export m.h5 --to tflite -o folder.tflite
fails 1 "and f32:FILE are possible: perhaps csv:plants.csv" "$isobit" train --data plants.csv -o x.h5
fails 2 "graphs are .dot, .svg or .png" "$isobit" inspect m.h5 --graph net.gif
if command -v dot >/dev/null; then
    check "drawn graphs" eval '"$isobit" inspect m.h5 --graph net.svg 2>err && grep -q "<svg" net.svg && [ ! -e net.svg.dot ]'
fi
if command -v gnuplot >/dev/null; then
    "$isobit" inspect m.h5 --curves c.svg 2>err && "$isobit" inspect m.h5 --histogram h.png --of act:conv1.conv 2>err && "$isobit" inspect m.h5 --histogram - >hist 2>err
    check "pictures" eval 'grep -q "<svg" c.svg && [ "$(head -c 4 h.png | tail -c 3)" = PNG ] && [ -s hist ]'
    check "curves of training and test, and where quantization begins" eval '[ "$(grep -c ">training<\|>test<" c.svg)" = 4 ] && grep -q "quantization begins" c.svg && grep -q "lenet in w4a8 on digits" c.svg'
    "$isobit" inspect m.h5 f.h5 --curves two.svg 2>err
    check "curves of two trainings" eval 'grep -q "m.h5, test" two.svg && grep -q "f.h5, training" two.svg'
    "$isobit" inspect m.h5 --histogram w.svg --of conv2.conv.weight 2>err
    check "a histogram with levels" eval 'grep -q "conv2.conv.weight: 15 levels, [0-9.]* % of 3200 values clipped" w.svg'
    for i in $(seq 40); do echo "$i,$((i * 3)),$((i % 7)).5"; done >numbers.csv
    "$isobit" train --data csv:numbers.csv --task regression --epochs 2 -o r.h5 --plot r.svg >out 2>err
    check "curves of numbers say R^2" eval 'grep -q "R^2\|>R<" r.svg && ! grep -q accuracy r.svg'
    fails 1 "m.h5 learns classes, r.h5 does not" "$isobit" inspect m.h5 r.h5 --curves two.svg
    fails 2 "only --curves draws several" "$isobit" inspect m.h5 f.h5
fi
"$isobit" train --model mlp --qat w8a8 --epochs 1 --qat-from 1 --observer kl -o ptq.h5 >out 2>err
check "post-training quantization" eval '[ $? -eq 0 ] && "$isobit" verify ptq.h5 --limit 20 --no-compile >out 2>err'

# ---- what it starts ----
"$isobit" verify m.h5 --limit 9 --cc 'env >env.txt; cc' >out 2>err
check "a compiler that it starts has the user's environment" eval '[ -s env.txt ] && [ "$(env | sed "/^_=/d; /^PWD=/d; /^OLDPWD=/d; /^SHLVL=/d" | sort)" = "$(sed "/^_=/d; /^PWD=/d; /^OLDPWD=/d; /^SHLVL=/d" env.txt | sort)" ]'

# ---- one seed, one file ----
same() { "$isobit" train --model lenet --qat w4a4 --epochs 3 --seed 8 --batch 32 --limit 300 --augment shift=1,rotate=5 "$@" >out 2>err; }
same --threads 1 -o t1.h5; same --threads 2 -o t2.h5; same --threads 3 -o t3.h5
check "1 and 2 threads give one file" cmp t1.h5 t2.h5
check "3 threads as well" cmp t1.h5 t3.h5
same --threads 1 --device cpu:base -o base.h5
check "another seed gives another" eval '"$isobit" train --model lenet --qat w4a4 --epochs 3 --seed 9 --batch 32 --limit 300 -o other.h5 >out 2>err; ! cmp -s t1.h5 other.h5'

# ---- stopping and killing ----
slow=(train --model dscnn --qat w4a8 --epochs 4 --seed 2 --batch 32 --limit 320)
"$isobit" "${slow[@]}" -o whole.h5 >out 2>err
for i in 1 2 3 4 5; do # Ctrl-C after a while, then resume until it is done
    rm -f part.h5
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        timeout -s INT 0.$((i + 2)) "$isobit" "${slow[@]}" --resume --threads $((1 + n % 2)) -o part.h5 >out 2>err
        code=$?
        [ $code -eq 0 ] && break
    done
    [ $code -eq 0 ] || "$isobit" "${slow[@]}" --resume -o part.h5 >out 2>err
    check "interrupted run $i ends in the same file" cmp whole.h5 part.h5
done
for i in 1 2 3 4 5; do # SIGKILL at a random moment: the checkpoint is whole, the resumed run the same
    rm -f part.h5
    "$isobit" "${slow[@]}" -o part.h5 >out 2>err &
    sleep 0.$((RANDOM % 9 + 1)); kill -9 $!; wait $! 2>/dev/null
    [ -f part.h5 ] && check "checkpoint after kill $i" eval '"$isobit" inspect part.h5 >out 2>err'
    "$isobit" "${slow[@]}" --resume -o part.h5 >out 2>err
    check "killed run $i ends in the same file" cmp whole.h5 part.h5
done
fails 1 "other settings" "$isobit" "${slow[@]}" --resume --lr 0.5 -o part.h5
fails 1 "other settings: averaging none, now 0.5" "$isobit" "${slow[@]}" --resume --averaging-constant 0.5 -o part.h5

# ---- bad input: one line with the name and the numbers, a non-zero exit ----
fails 2 "-o FILE" "$isobit" train
fails 1 "vgg" "$isobit" train --model vgg -o x.h5
fails 2 "w3a8" "$isobit" train --qat w3a8 -o x.h5
fails 2 "--epochs 'zero'" "$isobit" train --epochs zero -o x.h5
fails 2 "--lr '-1'" "$isobit" train --lr -1 -o x.h5
fails 2 "ternary" "$isobit" train --profile ternary -o x.h5
fails 1 "magic" "$isobit" train --qat w8a8 --epochs 1 --qat-from 0 --observer magic -o x.h5
fails 1 "matches no layer" "$isobit" train --qat w8a8 --epochs 1 --qat-from 0 --rules "nobody=w8a8" -o x.h5
fails 1 "/nowhere/x.h5" "$isobit" train --epochs 1 --limit 64 -o /nowhere/x.h5
fails 1 "device 'cpu:mmx'" "$isobit" train --device cpu:mmx -o x.h5
fails 1 "idx:" "$isobit" train --data mnist -o x.h5
fails 1 "train-images-idx3-ubyte" "$isobit" train --data idx:/nowhere -o x.h5
fails 1 "nowhere.csv" "$isobit" train --data csv:nowhere.csv -o x.h5
printf '1,2,3,0\n1,x,3,1\n' >bad.csv
fails 1 "bad.csv: line 2 has 'x" "$isobit" train --data csv:bad.csv -o x.h5
printf '1,2,3,0\n1,nan,3,1\n' >bad.csv
fails 1 "line 2 has no value in column 'column 2' ('nan')" "$isobit" train --data csv:bad.csv -o x.h5
printf '1,2,3,0\n1,2,3,1.5\n' >bad.csv
fails 1 "line 2 has '1.5' as label" "$isobit" train --data csv:bad.csv -o x.h5
head -c 3000 m.h5 >cut.h5
fails 1 "cut.h5" "$isobit" eval cut.h5
fails 1 "cut.h5" "$isobit" train --data hdf5:cut.h5 -o x.h5
fails 1 "nowhere.h5" "$isobit" eval nowhere.h5
for i in $(seq 12); do for j in $(seq 9); do printf '%d,' $((i * j)); done; echo $((i % 3)); done >nine.csv
fails 1 "10 values a line; the model was made for 1x8x8" "$isobit" eval m.h5 --data csv:nine.csv
fails 2 "--engine 'quantum'" "$isobit" eval m.h5 --engine quantum
fails 2 "--to 'rust'" "$isobit" export m.h5 --to rust -o y
fails 1 "7up" "$isobit" export m.h5 --name 7up -o y
fails 1 "/proc/nowhere" "$isobit" export m.h5 -o /proc/nowhere
fails 1 "no-such-cc" "$isobit" verify m.h5 --cc no-such-cc --limit 10
"$isobit" train --epochs 1 --limit 64 -o float.h5 >out 2>err
fails 1 "trained in float" "$isobit" verify float.h5
fails 1 "trained in float" "$isobit" export float.h5 -o y
# a loss that is not finite stops the run, names the place, and leaves the last good checkpoint
"$isobit" train --model mlp --optim sgd --lr 0.1 --epochs 1 --limit 320 -o good.h5 >out 2>err; cp good.h5 keep.h5
fails 1 "the last good" "$isobit" train --model mlp --optim sgd --lr 1000 --momentum 0 --schedule constant --epochs 30 --limit 320 -o nan.h5
[ -f nan.h5 ] && check "its checkpoint is readable" eval '"$isobit" inspect nan.h5 >out 2>err'

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
