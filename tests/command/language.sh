#!/bin/bash
# language.sh ISOBIT SOURCE - the commands for language models as a user meets them, on a little chat model: contract, errors,
# reproducibility, kills. Broken by: a run that depends on threads or on being killed, a merge that is not what was trained.
set -u
isobit=$1 source=$2
model=$source/tests/golden/models/chat text=$source/examples/texts/emma.txt
dir=$(mktemp -d /tmp/isobit-language-XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
. "$source/tests/command/checks.sh"
json() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",]*\).*/\1/p" "$2" | head -n 1; }

for c in finetune perplexity generate merge convert imatrix; do
    check "$c --help has examples" eval '"$isobit" $c --help | grep -q "Example"'
done

# ---- the contract ----
printf '%s\n' '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello there"}]}' \
    '{"prompt": "the quick", "completion": " brown fox"}' '{"text": "hello world"}' >data.jsonl
"$isobit" finetune "$model" --data data.jsonl --epochs 4 --seq 64 --lora r=4,alpha=8,targets=q_proj+v_proj -o chat --json >ft.json 2>err
check "finetune on JSONL" [ $? -eq 0 ]
check "progress in a log: lines, no bars" eval 'grep -q "^step [0-9]*/[0-9]*  .*/s  0:00 left  loss" err && ! grep -q "$(printf "\r")" err'
check "its keys" eval '[ -n "$(json loss ft.json)" ] && [ -n "$(json tokens_per_second ft.json)" ] && [ -n "$(json peak_bytes ft.json)" ]'
check "an adapter" eval 'grep -q q_proj chat/adapter_config.json && "$isobit" inspect chat >out 2>err && [ "$(grep -c lora_A out)" = 4 ]'
"$isobit" perplexity "$model" --text "$text" --ctx 128 --windows 4 --adapter chat --json >ppl.json 2>err
check "perplexity" [ "$(json windows ppl.json)" = 4 ]
"$isobit" perplexity "$model" --text "$text" --ctx 128 --windows 4 --windows-like isobit --json >ppl2.json 2>err
check "windows by name" [ "$(json nll ppl.json | cut -c1-1)" = "$(json nll ppl2.json | cut -c1-1)" ]
for digits in 1234567 12345678 123456789 1234567890; do # one token each: one of the four would fill a window by its newline
    for end in '' '\n'; do
        printf "$digits$end" >digits.txt
        "$isobit" perplexity "$model" --text digits.txt --ctx 4 --windows-like llama.cpp --json >digits.json 2>err
        json nll digits.json
    done >nlls
    check "llama.cpp drops the newline at the end of $digits" [ "$(sed -n 1p nlls)" = "$(sed -n 2p nlls)" -a -s nlls ]
done
# one model against another, and windows that slide
"$isobit" perplexity "$model" --text "$text" --ctx 128 --windows 4 --against "$model" --json >same.json 2>err
check "a model is what it is" [ "$(json divergence same.json)" = 0.0 -a "$(json same_top same.json)" = 1.0 -a "$(json perplexity same.json)" = "$(json base_perplexity same.json)" ]
"$isobit" perplexity "$model" --text "$text" --ctx 128 --windows 4 --save-logits base.bin >out 2>err
"$isobit" perplexity "$model" --adapter chat --text "$text" --ctx 128 --windows 4 --against "$model" --json >beside.json 2>err
"$isobit" perplexity "$model" --adapter chat --against base.bin --json >saved.json 2>err
check "a file of saved logits stands for its model" eval 'awk "BEGIN { r = $(json divergence saved.json) / $(json divergence beside.json); exit !(r > 0.98 && r < 1.02) }" && [ "$(json base_path saved.json)" = saved -a "$(json perplexity saved.json)" = "$(json perplexity beside.json)" ]'
"$isobit" perplexity "$model" --text "$text" --ctx 128 --windows 4 --stride 16 --json >slide.json 2>err
check "windows slide" [ "$(json tokens slide.json)" = 64 -a "$(json windows slide.json)" = 4 ]
head -c 5000 base.bin >cut.bin
fails 1 "cut.bin: has 5000 bytes" "$isobit" perplexity "$model" --against cut.bin
fails 2 "information." "$isobit" perplexity "$model" --against "$model" # which text?
fails 2 "one of them at a time" "$isobit" perplexity "$model" --text "$text" --against base.bin --save-logits b2
fails 2 "have no place in that file" "$isobit" perplexity "$model" --text "$text" --save-logits b2 --stride 4
fails 1 "of a window of 128 tokens 1 to 127 are new" "$isobit" perplexity "$model" --text "$text" --ctx 128 --stride 128
fails 1 "the saved logits have 4" "$isobit" perplexity "$model" --against base.bin --windows 9
fails 1 "chat: is an adapter without a model" "$isobit" perplexity "$model" --text "$text" --against chat
# importance matrices
"$isobit" imatrix "$model" --calib "$text" --ctx 64 --windows 3 -o own.gguf --json >own.json 2>err; "$isobit" imatrix "$model" --calib "$text" --ctx 64 --windows 3 --threads 1 -o one.gguf >out 2>err
check "an importance matrix, the same with one thread" eval 'cmp own.gguf one.gguf && [ "$(json tokens own.json)" = 192 -a "$(json dataset own.json)" = emma.txt ]'
"$isobit" imatrix "$model" --calib "$text" --ctx 64 --windows 3 -o own.dat >out 2>err
check "the older kind" eval 'grep -aq "blk.0.attn_q.weight" own.dat && tail -c 8 own.dat | grep -q emma.txt'
fails 2 "NAME.gguf or NAME.dat" "$isobit" imatrix "$model" --calib "$text" -o own.bin
fails 1 "a window of 512 needs" "$isobit" imatrix "$model" --calib data.jsonl -o other.dat
check "nothing is left of it" [ ! -e other.dat ]
fails 2 "--windows-like 'x': isobit and llama.cpp" "$isobit" perplexity "$model" --text "$text" --windows-like x
"$isobit" generate "$model" --prompt "hello" -n 12 --seed 4 >g1 2>err; "$isobit" generate "$model" --prompt "hello" -n 12 --seed 4 --threads 1 >g2 2>err
check "one seed, one text" cmp g1 g2
# products in integers, which generation takes unless told: one text at every level, near the exact ones, and what is exact is told
"$isobit" convert "$model" --format q8_0 -o m8.gguf >out 2>err # widths of 48 are no whole blocks: those are f16
for level in ref base ''; do
    ISOBIT_DEVICE=${level:+cpu:$level} "$isobit" generate m8.gguf --prompt "hello" -n 12 -t 0 --json 2>err | sed 's/"prompt_tokens_per.*//'
done >paths
check "integers: one text at every level" [ "$(sort -u paths | wc -l)" = 1 -a "$(json path paths)" = integer -a "$(json integer_matrices paths)" -gt 0 ]
check "what runs exactly is told" eval 'grep -qE "of [0-9]+ matrices [0-9]+ run in integers; exact, without such products: [0-9]+ of f16$" err && grep -q "\"exact_formats\": \"[0-9]* of f16\"" paths'
"$isobit" generate m8.gguf --path integer --prompt "hello" -n 12 -t 0 --json 2>err | sed 's/"prompt_tokens_per.*//' >asked; sort -u paths >one
check "integers are the default" cmp one asked
"$isobit" generate m8.gguf --path exact --prompt "hello" -n 12 -t 0 --json >asked 2>err
check "--path exact" eval 'grep -q "all [0-9]* matrices run exactly, as --path says$" err && [ "$(json path asked)" = exact -a "$(json integer_matrices asked)" = 0 ]'
"$isobit" generate "$model" --prompt "hello" -n 2 >out 2>err
check "floats have no integers" eval 'grep -q "of 15 matrices 0 run in integers; exact, without such products: 15 of bf16$" err && grep -q "then 2 tokens, " err'
# the lines of a file side by side are what each is alone, on both paths
printf 'hello\n\nthe quick brown\r\nworld\na\nit was\n' >prompts.txt
printf '"hello"\n{"prompt": "the quick brown"}\n"world"\n"a"\n"it was"\n' >prompts.jsonl
for way in integer exact; do
    k=0
    for prompt in hello 'the quick brown' world a 'it was'; do
        "$isobit" generate m8.gguf --path $way --prompt "$prompt" -n 9 --seed $((7 + k)) --threads 1 --json 2>err | sed 's/, "finish_reason.*//'; k=$((k + 1))
    done >solo
    for how in "prompts.txt --at-once 1" "prompts.txt --at-once 3 --threads 2" prompts.jsonl; do
        "$isobit" generate m8.gguf --path $way --prompts $how -n 9 --seed 7 --json 2>err | sed 's/, "prompt_number.*//' >together
        check "$way: each of $how as alone" cmp solo together
    done
done
"$isobit" generate m8.gguf --prompts prompts.txt -n 3 -t 0 >out 2>err
check "answers have their numbers" eval '[ "$(grep -c "^\[[1-5]\] " out)" = 5 ] && grep -q "^5 of 5 prompts, .* up to 5 sequences at a time$" err'
"$isobit" generate "$model" --chat --prompt hello -n 5 -t 0 --json </dev/null 2>err | sed 's/, "finish_reason.*//' >solo
"$isobit" generate "$model" --chat --prompts prompts.txt -n 5 -t 0 --json 2>err | sed 's/, "prompt_number.*//;q' >together
check "messages side by side" cmp solo together
printf '"hello"\n{"prompt": "x", "seed": 3}\n' >odd.jsonl
fails 1 "odd.jsonl: line 2: neither a JSON string nor an object with the key \"prompt\" alone" "$isobit" generate "$model" --prompts odd.jsonl
printf '\n \n' >blank.txt
fails 1 "blank.txt: holds no prompts" "$isobit" generate "$model" --prompts blank.txt
fails 1 "prompts.txt: line 6 is 4 tokens, the context 3: give --ctx 4 to 256" "$isobit" generate "$model" --prompts prompts.txt --ctx 3
fails 2 "--at-once" "$isobit" generate "$model" --prompt hi --at-once 3
"$isobit" perplexity m8.gguf --text "$text" --ctx 128 --windows 4 --json >default.json 2>err
check "perplexity is exact unless told" [ "$(json path default.json)" = exact -a "$(json integer_matrices default.json)" = 0 ]
for way in exact integer; do "$isobit" perplexity m8.gguf --text "$text" --ctx 128 --windows 4 --path $way --json >$way.json 2>err; done
check "perplexity in integers is near" eval 'awk "BEGIN { r = $(json perplexity integer.json) / $(json perplexity exact.json); exit !(r != 1 && r > 0.97 && r < 1.03) }"'
fails 2 "--path 'fast': exact and integer are possible" "$isobit" generate "$model" --prompt hi --path fast
for template in chatml llama2 gemma; do # three turns; a longer conversation does not change the first answer
    check "a conversation in $template" eval 'printf "and you?\nwell\n" | "$isobit" generate "$model" --chat --template $template --prompt hi -n 5 -t 0 --json >g3 2>err &&
        "$isobit" generate "$model" --chat --template $template --prompt hi -n 5 -t 0 --json </dev/null >g4 2>err && [ -n "$(json text g4)" -a "$(json text g3)" = "$(json text g4)" -a "$(wc -l <g3)" = 3 ]'
done
"$isobit" finetune "$model" --data "$text" --seq 64 --plan --json >plan.json 2>err
check "plan" [ "$(json total plan.json)" -gt 1000000 ]
check "plan trains nothing" [ ! -e adapter ]
check "three quarters of what is available are the default" eval 'grep -q "0 of 2 layers are checkpointed$" err && [ "$(json allowed plan.json)" -gt "$(json total plan.json)" ]'
# rows of 256: what both layers keep, against what they take that run again
"$isobit" finetune "$model" --data "$text" --seq 256 --batch 8 --plan --json >plan.json 2>err
tight=$(($(json without_checkpoints plan.json) - 100000))
"$isobit" finetune "$model" --data "$text" --seq 256 --batch 8 --memory $tight --plan --json >tight.json 2>err
check "what does not fit runs again" [ "$(json checkpointed_layers tight.json)" = 1 ]
line=$(grep "1 of 2 layers are checkpointed, which run again in the backward pass, to stay below .* MB; --memory [0-9]*M keeps all" err)
"$isobit" finetune "$model" --data "$text" --seq 256 --batch 8 --memory "$(expr "$line" : '.*--memory \([0-9]*M\)')" --plan >out 2>err
check "what is said keeps all of them" grep -q "0 of 2 layers are checkpointed$" err

# ---- one seed, one adapter: threads, kills ----
long=(finetune "$model" --data "$text" --seq 64 --batch 2 --accumulate 2 --steps 24 --save-every 3 --schedule cosine --warmup 3 --base nf4-dq)
small=(--lora r=4,alpha=8,dropout=0.1) rate=(--lr 0.002) seed=(--seed 5) rest=("${long[@]}")
long+=("${small[@]}" "${rate[@]}" "${seed[@]}")
"$isobit" "${long[@]}" --threads 1 -o t1 >out 2>err; "$isobit" "${long[@]}" --threads 2 -o t2 >out 2>err; "$isobit" "${long[@]}" --threads 3 --checkpoint 1 -o t3 >out 2>err
check "it runs" [ -f t1/adapter_model.safetensors ]
check "1 and 2 threads give one adapter" cmp t1/adapter_model.safetensors t2/adapter_model.safetensors
check "3 threads and a checkpointed layer as well" cmp t1/adapter_model.safetensors t3/adapter_model.safetensors
check "another seed gives another" eval '"$isobit" "${rest[@]}" "${small[@]}" "${rate[@]}" --seed 6 -o other >out 2>err && ! cmp -s t1/adapter_model.safetensors other/adapter_model.safetensors'
for i in 1 2 3 4 5 6 7 8 9 10; do # SIGKILL at a random moment, until it is done
    rm -rf part
    for n in 1 2 3; do
        "$isobit" "${long[@]}" --resume --threads $((1 + n % 2)) -o part >out 2>err &
        sleep 0.$((RANDOM % 4 + 1))$((RANDOM % 10)); kill -9 $! 2>/dev/null; wait $! 2>/dev/null
    done
    "$isobit" "${long[@]}" --resume -o part >out 2>err
    check "killed run $i ends in the same adapter" cmp t1/adapter_model.safetensors part/adapter_model.safetensors
done
# the kill that comes after the last state and before its adapter
cp other/adapter_model.safetensors part/
"$isobit" "${long[@]}" --resume -o part >out 2>err
check "a state without its adapter gives it again" cmp t1/adapter_model.safetensors part/adapter_model.safetensors
rm -rf part
timeout -s INT 0.4 "$isobit" "${long[@]}" -o part >out 2>err; "$isobit" "${long[@]}" --resume -o part >out 2>err
check "Ctrl-C loses nothing" cmp t1/adapter_model.safetensors part/adapter_model.safetensors
fails 1 "other settings: lr 0.002, now 0.5; clip 0, now 0.1234567890123" "$isobit" "${rest[@]}" "${small[@]}" "${seed[@]}" --lr 0.5 --clip 0.1234567890123 --resume -o part
# a state of before rows knew special tokens goes on as it began; one of now keeps to its option
printf '{"text": "<|im_start|>user and more of it<|im_end|>"}\n' >special.jsonl
rows=(finetune "$model" --data special.jsonl --seq 64 --steps 4 --save-every 2 --lora r=2 --lr 0.01)
"$isobit" "${rows[@]}" --literal -o literal >out 2>err; "$isobit" "${rows[@]}" -o tokens >out 2>err
check "special tokens in rows are tokens, or text" eval '! cmp -s literal/adapter_model.safetensors tokens/adapter_model.safetensors'
fails 1 "other settings: special 1, now 0" "$isobit" "${rows[@]}" --literal --resume -o tokens
old_settings() { # of the training in $1, as they were written before; the header keeps its length
    local now='lora_r=2 lora_alpha=32 lora_dropout=0 lora_targets=all lora_ranks=none lora_rslora=0 lora_dora=0 schedule=constant'
    grep -qaF "$now" "$1"/state.safetensors && sed "s/$now/$(printf "%-${#now}s" "lora=r=2 schedule=0 steps=4 epochs=1")/; s/\"steps\"/\"stebs\"/; $2" "$1"/state.safetensors
}
mkdir old older
old_settings literal 's/ special=0 tokenizer=own/                        /' >old.state && cp old.state old/state.safetensors
old_settings tokens '' >older/state.safetensors
"$isobit" "${rows[@]/#0.01/0.0100000001}" --resume -o old >out 2>err # as a float 0.01; old states have six digits
check "an old state goes on as it began" cmp old/adapter_model.safetensors literal/adapter_model.safetensors
check "an old state says how it goes on" grep -q "with special tokens as text" err
"$isobit" "${rows[@]/#r=2/r=2,alpha=32}" --resume -o older >out 2>err
check "settings of before are understood, however they are said" eval 'cmp older/adapter_model.safetensors tokens/adapter_model.safetensors'
check "a finished training says so" grep -qx "older: goes on behind step 4 of 4, the last: more --steps extend it" err
fails 1 "other settings: lora r=2, now r=3; schedule 0, now 2" "$isobit" "${rows[@]/#r=2/r=3}" --schedule cosine --resume -o older
fails 1 "other settings: lora_r 2, now 3; lora_dora 0, now 1; schedule constant, now linear" "$isobit" "${rows[@]/#r=2/r=3,dora}" --schedule linear --resume -o tokens
# ---- nothing is written over unasked ----
for holding in tokens part; do
    cp -r $holding kept
    fails 2 "-o 'kept' holds a training, " "$isobit" "${rows[@]}" -o kept
    check "nothing of it is touched" diff -r $holding kept
    check "it is said before the model is opened" eval '! "$isobit" finetune nowhere.gguf --data nothing -o kept >out 2>err && grep -q "holds a training" err'
    rm -rf kept
done
fails 2 "-o 'tokens' holds a training, 4 of 4 steps: --resume goes on with it, --force begins anew and replaces it" "$isobit" "${rows[@]}" -o tokens
mkdir alone && cp tokens/adapter* alone
fails 2 "-o 'alone' holds an adapter: --adapter with another -o goes on from it, --force replaces it" "$isobit" "${rows[@]}" -o alone
fails 2 "--resume: 'alone' holds an adapter, but no training's state" "$isobit" "${rows[@]}" --resume -o alone
fails 2 "--resume goes on with a training and --force begins it anew: give one" "$isobit" "${rows[@]}" --resume --force -o alone
fails 2 "--force has no effect without -o" "$isobit" "${rows[@]}" --force --plan
"$isobit" "${rows[@]}" --literal --force -o alone >out 2>err
check "--force begins anew" cmp alone/adapter_model.safetensors literal/adapter_model.safetensors
cp literal/state.safetensors tokens/adapter_model.safetensors alone # as a kill leaves it
"$isobit" "${rows[@]}" --force -o alone >out 2>err
# the card of a folder has the command line that made it
check "--force replaces a training" diff -r -x README.md alone tokens
head -c 100 tokens/state.safetensors >alone/state.safetensors
fails 2 "-o 'alone' holds a training's state that cannot be read (alone/state.safetensors" "$isobit" "${rows[@]}" -o alone
fails 1 "alone/state.safetensors" "$isobit" "${rows[@]}" --resume -o alone

# ---- more steps extend a training ----
more=(finetune "$model" --data "$text" --seq 64 --accumulate 1 --lora r=4,dropout=0.1 --lr 0.002)
"$isobit" "${more[@]}" --steps 7 -o seven >out 2>err
for n in 3 7; do # a finished one; fewer than were asked for too
    "$isobit" "${more[@]}" --steps $n --checkpoint 2 -o grown$n >out 2>err
    "$isobit" "${more[@]}" --steps 7 --checkpoint 1 --resume -o grown$n >out 2>err
    check "at a constant rate they are those of a run that had them from the start, and kept every layer" diff -r -x README.md seven grown$n
done
"$isobit" "${more[@]}" --steps 3 -o grown >out 2>err; "$isobit" "${more[@]}" --steps 7 --resume -o grown >out 2>err
check "it is said" grep -qx "grown: goes on behind step 3, to step 7 instead of 3" err
fails 1 "--steps 5: 7 steps are done in grown already" "$isobit" "${more[@]}" --steps 5 --resume -o grown
"$isobit" "${more[@]}" --epochs 0.02 -o passes >out 2>err; "$isobit" "${more[@]}" --epochs 0.03 --resume -o passes >out 2>err
check "passes extend it as well" grep -q "^passes: goes on behind step [0-9]*, to step [0-9]* instead of [0-9]*$" err
fails 1 "steps are done, more than the" "$isobit" "${more[@]}" --epochs 0.001 --resume -o passes
"$isobit" "${more[@]}" --steps 4 --schedule cosine --deploy q4_0 --save-every 1 -o curve >out 2>err
"$isobit" "${more[@]}" --steps 8 --schedule cosine --deploy q4_0 --save-every 1 --resume -o curve >out 2>err
check "rates and last steps are those of the new number" grep -qx "curve: goes on behind step 4, to step 8 instead of 4; its rates are those of 8 cosine steps from here on; the last steps of these run on q4_0" err
check "the new number is kept" eval '"$isobit" "${more[@]}" --steps 8 --schedule cosine --deploy q4_0 --resume -o curve >out 2>err && grep -q "step 8 of 8, the last" err'
"$isobit" "${more[@]}" --steps 2 --resume -o fresh >out 2>err
check "a folder without a training begins one" grep -qx "fresh: holds no training yet: it begins" err

printf '{"text": "a", "score": 1}\n' >score.jsonl
fails 1 "score.jsonl: line 1: the key 'score' is unknown" "$isobit" finetune "$model" --data score.jsonl --plan
"$isobit" finetune "$model" --data score.jsonl --ignore-columns score --plan >out 2>err
check "columns can be set aside" [ $? -eq 0 ]
printf '[{"question": "ab", "reply": "cd"}]' >asked.json
"$isobit" finetune "$model" --data asked.json --columns prompt=question,completion=reply --plan --json >out 2>err
check "the first sample is shown with what is learned of it" eval 'grep -qF "ab[[cd" err && grep -q "1 of prompt and completion" err && ! grep -q sample out'
{ printf '{"prompt": "'; printf 'abcdefghij%.0s' $(seq 24); printf 'k\\u009b31m\\u00e9", "completion": "'; printf 'z%.0s' $(seq 12); printf '"}\n'; } >long.jsonl
"$isobit" finetune "$model" --data long.jsonl --plan >out 2>err
check "a control character in it is spelled out" eval 'grep -qF "k\xC2\x9B31m" err && ! grep -q "$(printf "\302\233")" err'
eight=("${rest[@]}" "${rate[@]}" "${seed[@]}" --optim adamw8bit --paged --lora r=64,alpha=8)
"$isobit" "${eight[@]}" -o e1 >out 2>err; "$isobit" "${eight[@]}" --threads 1 -o e2 >out 2>err
check "8-bit paged AdamW" cmp e1/adapter_model.safetensors e2/adapter_model.safetensors

# ---- an adapter knows over which base it was trained ----
ppl() { "$isobit" perplexity "$model" --text "$text" --ctx 128 --windows 2 "$@" 2>err | cut -d" " -f2; }
check "it is run over that" eval '[ "$(ppl --adapter t1)" = "$(ppl --adapter t1 --base nf4-dq)" ] && [ "$(ppl --adapter t1)" != "$(ppl --adapter t1 --base keep)" ]'
ppl --adapter t1 >out
check "it says so" grep -q "t1 was trained over a base in nf4_dq: the linear layers are stored so" err
ppl --adapter t1 --base f16 >out
check "another base is told" grep -q "t1 was trained over a base in nf4_dq, but runs over f16" err
"$isobit" convert "$model" --adapter t1 --adapter-only -o t1.gguf >out 2>err
check "a GGUF adapter knows it too" eval '[ "$(ppl --adapter t1.gguf)" = "$(ppl --adapter t1)" ]'

# ---- training goes on from an adapter ----
kinds=(r=3,alpha=5,targets=q_proj+v_proj,ranks=v_proj:2,dropout=0.25 r=2,alpha=4,targets=mlp,dora r=2,rslora)
for i in 0 1 2; do # with a rate of 0 nothing moves: it is the same adapter, its base and dropout too
    "$isobit" finetune "$model" --data "$text" --seq 64 --steps 2 --lr 0.01 --lora "${kinds[i]}" --base nf4-dq -o from$i >out 2>err
    "$isobit" finetune "$model" --data "$text" --seq 64 --steps 2 --lr 0 --adapter from$i -o on$i >out 2>err
    check "over its base" grep -q "nf4_dq: the linear layers are stored so" err
    check "it begins with it (${kinds[i]})" eval 'cmp from$i/adapter_model.safetensors on$i/adapter_model.safetensors && cmp from$i/adapter_config.json on$i/adapter_config.json'
done
from=(finetune "$model" --data "$text" --seq 64 --lr 0.01 --adapter from0)
"$isobit" "${from[@]}" --steps 4 -o on >out 2>err; "$isobit" "${from[@]}" --steps 2 -o stretched >out 2>err; "$isobit" "${from[@]}" --steps 4 --resume -o stretched >out 2>err
check "such a training is extended as others" diff -r -x README.md on stretched
check "it moves" eval '! cmp -s on/adapter_model.safetensors from0/adapter_model.safetensors'
"$isobit" "${from[@]/#0.01/0}" --steps 1 --lora r=3,targets=q_proj+v_proj,ranks=*v_proj:2,dropout=0 -o same >out 2>err
check "what --lora says has to be so already, but for the dropout" eval 'cmp same/adapter_model.safetensors from0/adapter_model.safetensors && grep -q "\"lora_dropout\": *0.0" same/adapter_config.json'
fails 1 "from0: --lora r=4: the adapter has rank 3" "$isobit" "${from[@]}" --lora r=4 -o x
fails 1 "from0: --lora alpha=4: the adapter has alpha 5" "$isobit" "${from[@]}" --lora alpha=4 -o x
fails 1 "from0: --lora dora: the adapter is another kind" "$isobit" "${from[@]}" --lora dora -o x
fails 1 "from0: --lora targets: the adapter has no layer model.layers.0.self_attn.k_proj" "$isobit" "${from[@]}" --lora targets=attention -o x
fails 1 "from0: --lora targets: the adapter has a layer model.layers.0.self_attn.v_proj" "$isobit" "${from[@]}" --lora targets=q_proj -o x
fails 1 "from0: --lora ranks=v_proj:5: the adapter has rank 2 for model.layers.0.self_attn.v_proj" "$isobit" "${from[@]}" --lora ranks=v_proj:5 -o x
fails 2 "-o 'from0' is the adapter that training begins with" "$isobit" "${from[@]}" -o from0
fails 1 "other settings: adapter from0, now from1" "$isobit" finetune "$model" --data "$text" --seq 64 --adapter from1 --lr 0.01 --steps 4 --resume -o on
"$isobit" convert "$model" --adapter from2 --adapter-only -o from2.gguf >out 2>err
"$isobit" finetune "$model" --data "$text" --seq 64 --steps 2 --lr 0 --adapter from2.gguf -o on_gguf >out 2>err
check "from a GGUF adapter too" eval '[ "$(ppl --adapter on_gguf)" = "$(ppl --adapter from2.gguf)" ]'

# ---- embedding and head are trained whole ----
whole=(finetune "$model" --data "$text" --seq 64 --accumulate 1 --lr 0.01 --optim adamw8bit --lora r=2,dropout=0.1,save=embed_tokens+lm_head)
"$isobit" "${whole[@]}" --steps 4 --save-every 1 -o whole >out 2>err
check "what shares a tensor parts, and it is said" grep -qF "$model: embedding and head are one tensor" err
check "they are in the file as PEFT has them" eval '"$isobit" inspect whole >out 2>err && [ "$(grep -c "base_model.model.lm_head.weight \|base_model.model.model.embed_tokens.weight " out)" = 2 ] &&
    tr -d "\n " <whole/adapter_config.json | grep -qF "\"modules_to_save\":[\"embed_tokens\",\"lm_head\"]"'
"$isobit" "${whole[@]}" --steps 2 -o half >out 2>err; "$isobit" "${whole[@]}" --steps 4 --threads 1 --checkpoint 2 --resume -o half >out 2>err
check "such a training goes on to the same bytes" diff -r -x README.md whole half
plain() { "$isobit" finetune "$model" --data "$text" --seq 64 --plan --json --lora "$1" 2>err >out; echo $(($(json adapter out) + $(json gradients out) + $(json optimizer out))); }
check "the plan counts them, their gradients and the optimizer's" [ $(($(plain r=2,save=embed_tokens+lm_head) - $(plain r=2))) = $((2 * 420 * 32 * 16)) ]
fails 1 "other settings: lora_save embed_tokens,lm_head, now none" "$isobit" "${whole[@]/%,save=embed_tokens+lm_head/}" --steps 4 --resume -o half
fails 1 "other settings: lora_save embed_tokens,lm_head, now embed_tokens" "$isobit" "${whole[@]/%+lm_head/}" --steps 4 --resume -o half
cmp -s whole/adapter_config.json half/adapter_config.json && "$isobit" finetune "$model" --data "$text" --seq 64 --lr 0 --steps 2 --adapter whole -o unmoved >out 2>err
check "training goes on from it" cmp whole/adapter_model.safetensors unmoved/adapter_model.safetensors
"$isobit" convert "$model" --adapter whole --adapter-only -o copied >out 2>err
check "a copy of it is it" cmp whole/adapter_model.safetensors copied/adapter_model.safetensors
# in fp32: levels with bf16 round the factors of a product, and a merged weight's are others than its parts'
likely() { "$isobit" perplexity "$@" --device cpu:base --text "$text" --ctx 64 --windows 4 --json 2>err | sed -n 's/.*"nll": *\([0-9.]\{7\}\).*/\1/p'; }
for to in parted parted.gguf; do
    "$isobit" merge "$model" --adapter whole --format f32 -o $to >out 2>err
    check "merged they are two, and compute the same ($to)" eval 'grep -q "^\(lm_head\|output\)\.weight " out && [ -n "$(likely $to)" -a "$(likely $to)" = "$(likely "$model" --adapter whole)" ]'
    "$isobit" generate $to --prompt hello -n 6 -t 0 >g5 2>err; "$isobit" generate "$model" --adapter whole --prompt hello -n 6 -t 0 >g6 2>err
    check "and write the same ($to)" eval '[ -s g5 ] && cmp g5 g6'
done
fails 1 "no.gguf: a GGUF adapter has no place for embed_tokens, which was trained whole; merge it instead" "$isobit" convert "$model" --adapter whole --adapter-only -o no.gguf
fails 1 "whole: --lora save: the adapter has a whole embed_tokens" "$isobit" finetune "$model" --data "$text" --seq 64 --adapter whole --lora save=lm_head -o x
fails 1 "from0: --lora save: the adapter has no whole lm_head" "$isobit" "${from[@]}" --lora save=lm_head -o x
fails 1 "--lora save: 'norm': embed_tokens and lm_head can be trained whole" "$isobit" "${whole[@]/%embed_tokens+lm_head/norm}" -o x
fails 1 "--lora save: names no weight" "$isobit" "${whole[@]/%embed_tokens+lm_head/}" -o x

# ---- what ships is what was trained ----
"$isobit" finetune "$model" --data "$text" --seq 64 --steps 6 --lora r=4 --lr 0.005 --deploy q4_0 --eval-fraction 0.01 -o dep --json >dep.json 2>err
check "deploy" [ "$(json deploy dep.json)" = q4_0 ]
"$isobit" merge "$model" --adapter dep --format q4_0 -o dep.gguf --text "$text" --windows 2 --json >merge.json 2>err
check "merge" [ -n "$(json perplexity_after merge.json)" ]
"$isobit" convert "$model" -o m.gguf --format f16 >out 2>err
check "exact where it is" grep -q "exact" out
"$isobit" convert m.gguf -o back --format bf16 >out 2>err; "$isobit" convert back -o again.gguf --format f16 >out 2>err
check "there and back, to the byte" eval '"$isobit" perplexity m.gguf --text "$text" --ctx 128 --windows 2 >p1 2>err; "$isobit" perplexity again.gguf --text "$text" --ctx 128 --windows 2 >p2; [ "$(cut -d" " -f2 p1)" = "$(cut -d" " -f2 p2)" ]'
"$isobit" convert "$model" --adapter dep --adapter-only -o a.gguf >out 2>err && "$isobit" convert "$model" --adapter a.gguf --adapter-only -o a_back >out 2>err
check "an adapter there and back" cmp dep/adapter_model.safetensors a_back/adapter_model.safetensors

# ---- rows of any keys by a template ----
printf '{"q": "the quick", "a": " brown fox"}\n' >keys.jsonl
printf '{"prompt": "Q: the quick", "completion": " brown fox"}\n' >same.jsonl
printf 'Q: {{ q }}{%% generation %%}{{ a }}{%% endgeneration %%}\n' >t.jinja
printf 'Q: {{ q }}{{ a }}\n' >whole.jinja
tune() { "$isobit" finetune "$model" --steps 2 --seq 64 --lora r=2 "$@"; }
check "a template of keys" eval 'tune --data keys.jsonl --prompt-template t.jinja -o t_keys >out 2>err && grep -qF "keys for t.jinja: what {% generation %} holds" err'
check "equals prompt and completion" eval 'tune --data same.jsonl -o t_same >out 2>err && cmp t_keys/adapter_model.safetensors t_same/adapter_model.safetensors'
fails 1 "was made with other settings: prompt_template" tune --data keys.jsonl --prompt-template whole.jinja -o t_keys --resume
check "without a mark all is learned" grep -qF "keys for whole.jinja: all of its text is learned" err
fails 2 "--prompt-template and --template say" tune --data keys.jsonl --prompt-template t.jinja --template chatml -o x
fails 2 "--prompt-template and --columns say" tune --data keys.jsonl --prompt-template t.jinja --columns prompt=q -o x
fails 1 "keys.jsonl: line 1: t.jinja: line 1: 'q' is not defined" tune --data keys.jsonl --prompt-template t.jinja --ignore-columns q -o x

# ---- what is lost is said before training, with the option that helps ----
words() { printf 'the quick brown fox %.0s' $(seq "$1"); }
printf '{"prompt": "%s", "completion": " b"}\n{"prompt": "a", "completion": "%s"}\n{"messages": [{"role": "user", "content": "hi"}]}\n{"text": "a"}\n' \
    "$(words 20)" "$(words 9)" >long.jsonl
says() { "$isobit" finetune "$model" --data long.jsonl --steps 1 --lora r=2 --force -o says "${@:2}" >out 2>err && grep -qF -- "$1" err; }
check "samples longer than --seq" says "2 of 4 samples are longer than --seq 24 and are cut there; the longest has" --seq 24
check "what would hold them" grep -Eq ': --seq [0-9]+ holds all' err
check "answers cut away" grep -qF 'of 1 samples a part of what is to be learned is cut away, of 1 all of it: those are left out' err
check "samples without answers" grep -qF '1 of 4 samples have nothing to be learned and are left out (--train-on-prompts' err
check "fewer rows than a step takes" grep -qF 'a step takes 4 rows (--batch 1, --accumulate 4) and there are 2, so it learns some more than once: --batch 1 --accumulate 2' err
check "nothing is said where nothing is lost" eval 'says "4 samples in" --seq 200 --no-pack --accumulate 1 --train-on-prompts && ! grep -Eq "longer|cut away|left out|a step takes" err'

# ---- bad input ----
fails 1 "nowhere" "$isobit" perplexity nowhere --text "$text"
fails 1 "nothing.txt" "$isobit" perplexity "$model" --text nothing.txt
fails 1 "a window of 256 needs" "$isobit" perplexity "$model" --text data.jsonl --ctx 256
fails 1 "q9" "$isobit" perplexity "$model" --text "$text" --base q9
fails 1 "no layer has such a name" "$isobit" finetune "$model" --data "$text" --lora targets=nobody -o x
fails 1 "'foo': no layer has such a name" "$isobit" finetune "$model" --data "$text" --lora targets=q_proj+foo -o x
fails 1 "'up_proj': no layer of the targets has such a name" "$isobit" finetune "$model" --data "$text" --lora targets=q_proj,ranks=up_proj:4 -o x
fails 1 "'q_proj=many' is no PATTERN:RANK" "$isobit" finetune "$model" --data "$text" --lora ranks=q_proj:many -o x
fails 1 "--seq 20000: the context of $model is 256 tokens" "$isobit" finetune "$model" --data "$text" --seq 20000 -o x
fails 1 "--ctx 20000: the context of $model is 256 tokens" "$isobit" generate "$model" --prompt hi --ctx 20000
fails 1 "MB with 2 of 2 layers checkpointed, --memory allows 20 MB: give --memory" "$isobit" finetune "$model" --data "$text" --memory 20M --plan
fails 1 "--memory allows 20 MB" "$isobit" finetune "$model" --data "$text" --memory 20M -o x
check "nothing is begun that does not fit" [ ! -e x ]
fails 2 "--lora 'rank'" "$isobit" finetune "$model" --data "$text" --lora rank=3 -o x
fails 2 "--optim 'lion'" "$isobit" finetune "$model" --data "$text" --optim lion -o x
fails 2 "--memory 'much'" "$isobit" finetune "$model" --data "$text" --memory much -o x
fails 2 "/proc/nowhere" "$isobit" finetune "$model" --data "$text" --seq 64 --steps 1 -o /proc/nowhere
printf 'ab\377cd' >bad.txt
fails 1 "bad.txt: the text is not UTF-8: byte 2" "$isobit" finetune "$model" --data bad.txt -o x
: >empty.txt
fails 1 "empty.txt: holds no data" "$isobit" finetune "$model" --data empty.txt -o x
fails 1 "dep: is an adapter without a model" "$isobit" perplexity dep --text "$text"
"$isobit" train --model tfc --epochs 1 -o net.h5 >out 2>err
fails 1 "net.h5: is not a GGUF file, it begins as HDF5" "$isobit" generate net.h5 --prompt hello
fails 1 "m.gguf: is no HDF5 file of isobit, it begins as a GGUF file" "$isobit" eval m.gguf
"$isobit" convert "$model" --adapter dep --adapter-only -o told.gguf >out 2>err
check "what was written is told" grep -qx "written: told.gguf" out
fails 1 "GGUF has no type" "$isobit" convert "$model" -o x.gguf --format nf4
fails 1 "cannot hold q4_0" "$isobit" convert "$model" -o x --format q4_0
fails 2 "'parrot'" "$isobit" generate "$model" --chat --prompt hi --template parrot
head -c 9000 m.gguf >cut.gguf
fails 1 "cut.gguf: is cut short" "$isobit" perplexity cut.gguf --text "$text"
( ulimit -f 8; fails 1 "cannot write" "$isobit" finetune "$model" --data "$text" --seq 64 --steps 2 -o full; echo "$failed" >full.failed )
check "a full disk is told" [ "$(cat full.failed)" = "$failed" ]
# a learning rate that breaks the numbers: told with its place, the last good state stays
"$isobit" finetune "$model" --data "$text" --seq 64 --steps 30 --save-every 1 --lr 10 --lora r=4,alpha=1e25 -o nan >out 2>err
code=$?
check "numbers that are not finite end the run" eval '[ $code -ne 0 ] && grep -q "layer [01] gives numbers that are not finite; going back to step" err'
check "the last good state stays" eval '"$isobit" inspect nan/state.safetensors >out 2>err && "$isobit" inspect nan >out 2>err'

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
