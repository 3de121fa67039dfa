#!/usr/bin/env python3
"""model_files.py ISOBIT PROBE - model files against the newest transformers, peft and gguf; exits with 77 where they are not installed
(scripts/transformers installs them). Without PyTorch the first part alone runs.

1. Every field that transformers' configurations, peft's LoraConfig and the gguf package know is in a table of fields: a new version that adds
   one breaks this test until somebody says what it means.
2. Each field set to another value than its default, in a tiny random model: the logits are transformers', or one line refuses the file.
3. Folders that `isobit convert` and `isobit merge` write open in transformers, with the same logits.
4. Embedding and head trained whole beside an adapter (modules_to_save): peft's folders read, isobit's read by peft, the steps of a training."""
import ast, dataclasses, importlib.util, inspect, json, os, pathlib, shutil, subprocess, sys, tempfile, warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
warnings.simplefilter("ignore")
try:
    import gguf, huggingface_hub, numpy, transformers
except ImportError as e:
    print(f"skipped: {e}: scripts/transformers installs it")
    sys.exit(77)
try:
    import peft, torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
except ImportError as e:
    torch = None
    print(f"without the comparison of numbers: {e}")

ISOBIT, PROBE = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
MODELS = pathlib.Path(__file__).parent.with_name("golden") / "models"
transformers.utils.logging.disable_progress_bar()
failures, checks = [], 0


def check(good, what):
    global checks
    checks += 1
    if not good:
        failures.append(what)
        print("FAILED:", what)


# ---- 1. the tables know every field ----
BITS = {"llama": 1, "mistral": 2, "qwen2": 4, "qwen3": 8, "gemma3_text": 16, "gemma2": 32, "olmo2": 64}
CATCH_ALL = ("general.*", "tokenizer.*", "{arch}.*", "*")


def tables():
    rows = {}
    for line in subprocess.run([PROBE, "fields"], capture_output=True, text=True, check=True).stdout.splitlines():
        table, key, kind, archs, only, why = line.split("\t")
        check(why, f"{table}: '{key}' has no reason")
        rows.setdefault(table, []).append((key, kind, int(archs)))
    return rows


def known(rows, key):
    return any(k == key or (k.endswith("*") and k not in CATCH_ALL and key.startswith(k[:-1])) for k, _, _ in rows)


def lora_fields():
    """LoraConfig's, from its source: peft itself wants PyTorch."""
    folder = pathlib.Path(importlib.util.find_spec("peft").submodule_search_locations[0])
    for file, classes in (("tuners/lora/config.py", ("LoraConfig",)), ("config.py", ("PeftConfigMixin", "PeftConfig"))):
        for node in ast.parse((folder / file).read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name in classes:
                yield from (f.target.id for f in node.body if isinstance(f, ast.AnnAssign))


def universe():
    rows = tables()
    for kind, bit in BITS.items():
        config = transformers.CONFIG_MAPPING[kind]()
        keys = set(config.to_dict()) | {f.name for f in dataclasses.fields(config)} - {"sub_configs"}
        for key in sorted(keys):
            check(known([r for r in rows["config.json"] if r[2] & bit], key), f"config.json of {kind}: '{key}' is in no row")
    for key in transformers.modeling_rope_utils.RopeParameters.__annotations__:
        check(known(rows["config.json"], "rope_parameters." + key), f"config.json: 'rope_parameters.{key}' is in no row")
    lora = list(lora_fields())
    check(len(lora) > 30 and "target_modules" in lora and "peft_type" in lora, "LoraConfig's fields are not where they were")
    for key in lora + (list(peft.LoraConfig(r=2).to_dict()) if torch else []):
        check(known(rows["adapter_config.json"], key), f"adapter_config.json: '{key}' is in no row")

    def walk(c):
        for name, value in vars(c).items():
            if isinstance(value, str) and not name.startswith("__"):
                yield value
            elif inspect.isclass(value):
                yield from walk(value)
    for key in walk(gguf.constants.Keys):
        table = "gguf-adapter" if key.startswith("adapter.") else "gguf"
        check(known(rows[table], key), f"GGUF: '{key}' is in no row of {table}")


# ---- tiny models ----
SIZE = dict(vocab_size=67, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
            rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)
OWN = {"llama": {}, "mistral": dict(sliding_window=None), "qwen2": {}, "qwen3": dict(head_dim=16),
       "gemma3_text": dict(head_dim=16, query_pre_attn_scalar=24, sliding_window=5, layer_types=["sliding_attention", "full_attention"]),
       "gemma2": dict(head_dim=16, query_pre_attn_scalar=24, sliding_window=5, attn_logit_softcapping=1.5, final_logit_softcapping=2.0), "olmo2": {}}
if torch:
    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    IDS = torch.randint(3, 67, (1, 40))


def make(kind, folder, **changes):
    """A model of random weights, saved; the bytes of its logits are transformers'."""
    torch.manual_seed(3)
    config = transformers.CONFIG_MAPPING[kind](**{**SIZE, **OWN[kind], **changes})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    for name, p in model.named_parameters():
        p.copy_(torch.randn_like(p) * 0.15 + (1.0 if "norm" in name and not kind.startswith("gemma") else 0.0))
    model.save_pretrained(folder)
    return model


def logits_of(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    return model.eval()(IDS).logits[0].float().numpy()


def isobit_logits(model, adapter="-"):
    """The library's logits, or the line that refuses."""
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run([PROBE, "logits", str(model), str(adapter), ",".join(map(str, IDS[0].tolist())), out.name], capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip()
        return numpy.fromfile(out.name, numpy.float32).reshape(IDS.shape[1], -1)


def same(mine, want):
    return not isinstance(mine, str) and mine.shape == want.shape and abs(mine - want).max() <= 1e-4


def told(mine, word):
    return isinstance(mine, str) and "\n" not in mine and word in mine


def verdict(mine, want):
    return mine if isinstance(mine, str) else f"differs by {abs(mine - want).max():.3g}"


# ---- 2. each field at another value ----
ROPE = {
    "linear": dict(rope_type="linear", factor=4.0),
    "dynamic": dict(rope_type="dynamic", factor=4.0),
    "llama3": dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
    "yarn": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
    "yarn, its own factor": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, attention_factor=0.7),
    "yarn, mscale": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, mscale=0.707, mscale_all_dim=1.3),
    "yarn, betas": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=8.0, beta_slow=2.0),
    "yarn, not truncated": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32, truncate=False),
    "longrope": dict(rope_type="longrope", factor=2.0, original_max_position_embeddings=48, short_factor=[1.0, 1.5, 2.0, 3.0], long_factor=[2.0, 3.0, 4.0, 5.0]),
}
VARIANTS = {
    "llama": [dict(hidden_act=a) for a in ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "gelu_fast")] +
             [dict(rms_norm_eps=0.1), dict(attention_bias=True), dict(mlp_bias=True), dict(head_dim=12), dict(num_key_value_heads=1), dict(tie_word_embeddings=True),
              dict(attention_dropout=0.5), dict(pretraining_tp=2), dict(rope_parameters=dict(rope_type="default", rope_theta=77.0)), dict(num_key_value_heads=4)] +
             [dict(rope_parameters=dict(r, rope_theta=500.0)) for r in ROPE.values()],
    "mistral": [dict(sliding_window=6), dict(head_dim=12), dict(hidden_act="gelu"), dict(sliding_window=6, rope_parameters=dict(ROPE["yarn"], rope_theta=500.0))],
    "qwen2": [dict(use_sliding_window=True, sliding_window=6, max_window_layers=1), dict(use_sliding_window=True, sliding_window=6, max_window_layers=0),
              dict(use_sliding_window=False, sliding_window=6), dict(use_sliding_window=True, sliding_window=6, layer_types=["sliding_attention", "full_attention"]),
              dict(rope_parameters=dict(ROPE["yarn"], rope_theta=500.0)), dict(tie_word_embeddings=True)],
    "qwen3": [dict(attention_bias=True), dict(head_dim=8), dict(use_sliding_window=True, sliding_window=6, max_window_layers=1),
              dict(rope_parameters=dict(ROPE["yarn"], rope_theta=500.0))],
    "gemma2": [dict(attn_logit_softcapping=None), dict(final_logit_softcapping=None), dict(attn_logit_softcapping=4.0, final_logit_softcapping=0.5), dict(sliding_window=9),
               dict(layer_types=["full_attention", "sliding_attention"]), dict(hidden_activation="gelu"), dict(attention_bias=True), dict(tie_word_embeddings=False),
               dict(query_pre_attn_scalar=64), dict(use_bidirectional_attention=True), dict(rope_parameters=dict(ROPE["yarn"], rope_theta=500.0))],
    "olmo2": [dict(attention_bias=True), dict(num_key_value_heads=4), dict(hidden_act="gelu"), dict(tie_word_embeddings=True), dict(rms_norm_eps=0.1),
              dict(rope_parameters=dict(ROPE["yarn"], rope_theta=500.0)), dict(rope_parameters=dict(ROPE["llama3"], rope_theta=500.0))],
    "gemma3_text": [dict(query_pre_attn_scalar=64), dict(sliding_window=9), dict(layer_types=["full_attention", "sliding_attention"]), dict(hidden_activation="gelu"),
                    dict(attention_bias=True), dict(tie_word_embeddings=False), dict(final_logit_softcapping=3.0), dict(attn_logit_softcapping=3.0),
                    dict(use_bidirectional_attention=True),
                    dict(rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=500.0), sliding_attention=dict(rope_type="default", rope_theta=30.0))),
                    dict(rope_parameters=dict(full_attention=dict(rope_type="default", rope_theta=500.0), sliding_attention=dict(ROPE["linear"], rope_theta=30.0)))],
}
# What the library may refuse, by a word of its line. Nothing else may be refused.
MAY_REFUSE = ("final_logit_softcapping", "attn_logit_softcapping", "use_bidirectional_attention")
# Changes of the file alone, from {} of llama: (change, word of the refusal), or None: the logits stay transformers'.
EDITS = [
    ({"tie_word_embeddings": True}, "lm_head.weight"), ({"hidden_act": "quick_gelu"}, "quick_gelu"), ({"rope_parameters": None, "rope_scaling": {"type": "su", "factor": 2}}, "su"),
    ({"rope_parameters": None, "rope_scaling": {"rope_type": "linear", "factor": 2.0, "beta_fast": 3}}, "beta_fast"), ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map"),
    ({"attention_bias": True}, "q_proj.bias"), ({"num_hidden_layers": 1}, "model.layers.1"), ({"num_experts": 4}, "num_experts"), ({"hidden_size": "32"}, "hidden_size"),
    ({"vocab_size": 67.5}, "vocab_size"), ({"quantization_config": {"quant_method": "aqlm", "bits": 4}}, "aqlm"), ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    ({"per_layer_config": {"0": {"hidden_size": 2}}}, "per_layer_config"), ({"sliding_window": 4}, "sliding_window"), ({"model_type": "gemma3"}, "gemma3"),
    ({"rope_theta": 500.0, "rope_parameters": None}, None), ({"rope_theta": 500.0, "rope_parameters": None, "rope_scaling": {"type": "yarn", "factor": 4.0,
      "original_max_position_embeddings": 16, "finetuned": True}}, None), ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 99.0}}, None),
    ({"original_max_position_embeddings": 20, "rope_parameters": None, "rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, None),
    ({"rope_parameters": None, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}}, None),
    ({"use_cache": False, "torch_dtype": "bfloat16", "bos_token_id": 9, "temperature": 0.5}, None), ({"something_new": None}, None),
]


def fields(room):
    for kind, variants in VARIANTS.items():
        for i, changes in enumerate([{}] + variants):
            folder = room / f"{kind}_{i}"
            want = make(kind, folder, **changes)(IDS).logits[0].numpy()
            mine = isobit_logits(folder)
            check(same(mine, want) or any(w in changes and told(mine, w) for w in MAY_REFUSE), f"{kind} with {changes}: {verdict(mine, want)}")
    base = room / "llama_0"
    for change, word in EDITS:
        folder = room / "edited"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        config = json.loads((base / "config.json").read_text())
        config.update(change)
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None or k == "something_new"}))
        mine = isobit_logits(folder)
        if word:
            check(told(mine, word), f"{change} is not refused: {mine if isinstance(mine, str) else 'read'}")
        else:
            if "torch_dtype" in change: # transformers would round to it
                want = logits_of(base)
            else:
                want = logits_of(folder)
            check(same(mine, want), f"{change}: {verdict(mine, want)}")


# ---- adapters ----
LORA = [dict(), dict(use_rslora=True), dict(use_dora=True), dict(rank_pattern={"q_proj": 5}, alpha_pattern={"layers.1.mlp.up_proj": 7}), dict(target_modules="all-linear"),
        dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[1]), dict(target_modules=r".*\.(q|v)_proj", exclude_modules=["layers.0.self_attn.q_proj"]),
        dict(init_lora_weights="gaussian"), dict(init_lora_weights="orthogonal", r=4), dict(lora_dropout=0.5),
        dict(init_lora_weights="pissa"), dict(init_lora_weights="olora"), dict(lora_bias=True), dict(modules_to_save=["lm_head"]),
        dict(modules_to_save=["k_proj"]), dict(bias="all"),
        dict(trainable_token_indices=[4]), dict(alora_invocation_tokens=[4, 5], task_type="CAUSAL_LM"), dict(layer_replication=[[0, 2], [1, 2]])]
LORA_MAY_REFUSE = ("init_lora_weights", "lora_bias", "modules_to_save", "bias", "trainable_token_indices", "alora_invocation_tokens", "layer_replication")


def adapters(room):
    base = room / "llama_0"
    for i, options in enumerate(LORA):
        model = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager")
        torch.manual_seed(5)
        with torch.enable_grad():
            model = peft.get_peft_model(model, peft.LoraConfig(**{**dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"), **options}))
        for name, p in model.named_parameters():
            if "lora_B" in name and "init_lora_weights" not in options or "gaussian" in options.values() and "lora_B" in name:
                p.copy_(torch.randn_like(p) * 0.1)
        folder = room / f"adapter_{i}"
        model.save_pretrained(folder)
        want = model.eval()(IDS).logits[0].numpy()
        mine = isobit_logits(base, folder)
        may_refuse = any(w in options and told(mine, w) for w in LORA_MAY_REFUSE) and options.get("modules_to_save") != ["lm_head"]
        check(same(mine, want) or may_refuse, f"adapter with {options}: {verdict(mine, want)}")


# ---- 3. what isobit writes opens in transformers ----
def tokenizer_into(folder):
    shutil.copy(MODELS / "chat" / "tokenizer.json", folder)
    config = json.loads((MODELS / "chat" / "tokenizer_config.json").read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast" # gemma's own class wants gemma's vocabulary
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def run(*argv):
    done = subprocess.run([ISOBIT, *map(str, argv)], capture_output=True, text=True)
    return "" if not done.returncode else done.stderr.strip()


def folders(room):
    cases = [(kind, changes) for kind in OWN for changes in ({}, dict(rope_parameters=dict(ROPE["yarn"], rope_theta=500.0)))]
    cases += [("llama", dict(rope_parameters=dict(ROPE["llama3"], rope_theta=500.0))), ("llama", dict(attention_bias=True, mlp_bias=True)), ("mistral", dict(sliding_window=6)),
              ("qwen2", dict(use_sliding_window=True, sliding_window=6, max_window_layers=1)), ("llama", dict(rope_parameters=dict(ROPE["linear"], rope_theta=500.0)))]
    for i, (kind, changes) in enumerate(cases):
        if kind == "gemma3_text" and changes:
            changes = dict(rope_parameters=dict(full_attention=dict(ROPE["linear"], rope_theta=500.0), sliding_attention=dict(rope_type="default", rope_theta=30.0)))
        folder = room / f"source_{i}"
        want = make(kind, folder, vocab_size=420, **changes)(IDS).logits[0].numpy()
        tokenizer_into(folder)
        json.dump({"eos_token_id": [2, 7], "bos_token_id": 1}, open(folder / "generation_config.json", "w"))
        name = f"{kind} {changes}"
        whole, back, copy = room / f"m{i}.gguf", room / f"back_{i}", room / f"copy_{i}"
        bad = run("convert", folder, "-o", whole) or run("convert", whole, "-o", back) or run("convert", folder, "-o", copy, "--format", "f32")
        check(not bad, f"{name}: {bad}")
        if bad:
            continue
        for made, how in ((whole, "as GGUF"), (back, "from GGUF"), (copy, "as a copy")):
            mine = isobit_logits(made)
            check(same(mine, want), f"{name} {how}: {verdict(mine, want)}")
        for made, how in ((back, "from GGUF"), (copy, "as a copy")):
            try:
                theirs = logits_of(made)
                check(same(theirs, want), f"{name} {how}, in transformers: {verdict(theirs, want)}")
                tokens = AutoTokenizer.from_pretrained(made)("Hello world, it's 2024!")["input_ids"]
                check(tokens == AutoTokenizer.from_pretrained(folder)("Hello world, it's 2024!")["input_ids"], f"{name} {how}: other tokens {tokens}")
                card = huggingface_hub.ModelCard.load(made / "README.md").data.to_dict()
                check(card["library_name"] == "transformers" and "isobit" in card["tags"], f"{name} {how}: its card says {card}")
                ends = transformers.GenerationConfig.from_pretrained(made).eos_token_id
                check(2 in ends and 7 in ends if isinstance(ends, list) else False, f"{name} {how}: a text ends at {ends}")
            except Exception as e:  # noqa: BLE001
                check(False, f"{name} {how}: transformers refuses it: {type(e).__name__}: {str(e).strip().splitlines()[0]}")
        # a merged adapter
        adapter, merged = room / f"tuned_{i}", room / f"merged_{i}"
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
        with torch.enable_grad():
            model = peft.get_peft_model(model, peft.LoraConfig(r=3, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM"))
        for key, p in model.named_parameters():
            if "lora_B" in key:
                p.copy_(torch.randn_like(p) * 0.05)
        model.save_pretrained(adapter)
        want = model.eval()(IDS).logits[0].numpy()
        bad = run("merge", folder, "--adapter", adapter, "-o", merged, "--format", "f32")
        check(not bad, f"{name} merged: {bad}")
        if not bad:
            theirs = logits_of(merged)
            check(same(theirs, want), f"{name} merged, in transformers: {verdict(theirs, want)}")
        bad = run("merge", whole, "--adapter", adapter, "-o", merged, "--format", "f32")
        if not bad:
            theirs = logits_of(merged)
            check(same(theirs, want), f"{name} merged from GGUF, in transformers: {verdict(theirs, want)}")
        check(not bad, f"{name} merged from GGUF: {bad}")


# ---- 4. embedding and head, trained whole ----
def adapted(base, **options):
    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager")
    torch.manual_seed(5)
    with torch.enable_grad():
        model = peft.get_peft_model(model, peft.LoraConfig(**{**dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"), **options}))
    for name, p in model.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            p.copy_(torch.randn_like(p) * 0.1)
    return model.eval()


def reopened(base, adapter):
    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager")
    return peft.PeftModel.from_pretrained(model, adapter, is_trainable=True).eval()


def trained(model, rows, lr):
    """AdamW as torch has it, one row a step, without decay and clipping."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    for row in rows:
        with torch.enable_grad():
            model(row, labels=row).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def whole(room):
    kinds = [("llama", dict()), ("llama", dict(tie_word_embeddings=True)), ("gemma3_text", dict()), ("qwen2", dict())]
    for i, (kind, changes) in enumerate(kinds):
        base = room / f"whole_{i}"
        make(kind, base, vocab_size=420, **changes)
        tokenizer_into(base)
        for j, save in enumerate((["embed_tokens"], ["lm_head"], ["embed_tokens", "lm_head"])):
            name = f"{kind} {changes} with {save} trained whole"
            model, adapter, copy, merged, file = adapted(base, modules_to_save=save), *(room / f"{what}_{i}{j}" for what in ("saved", "copied", "parted", "parted.gguf"))
            model.save_pretrained(adapter)
            want = model(IDS).logits[0].numpy()
            mine = isobit_logits(base, adapter)
            check(same(mine, want), f"{name}: {verdict(mine, want)}")
            bad = run("convert", base, "--adapter", adapter, "--adapter-only", "-o", copy) or run("merge", base, "--adapter", adapter, "-o", merged, "--format", "f32") or \
                run("merge", base, "--adapter", adapter, "-o", file, "--format", "f32")
            check(not bad, f"{name}: {bad}")
            theirs = reopened(base, copy)(IDS).logits[0].numpy()
            check(same(theirs, want), f"{name}, written again: {verdict(theirs, want)}")
            theirs, mine = logits_of(merged), isobit_logits(file)
            check(same(theirs, want), f"{name}, merged: {verdict(theirs, want)}")
            check(same(mine, want), f"{name}, merged into GGUF: {verdict(mine, want)}")
            check(json.loads((merged / "config.json").read_text())["tie_word_embeddings"] is False, f"{name}: the merged folder ties what was parted")
            bad = run("convert", base, "--adapter", adapter, "--adapter-only", "-o", room / "no.gguf")
            check(f"no place for {save[0]}" in bad, f"{name}: a GGUF adapter: {bad}")
            # three steps from peft's adapter, as peft and torch make them
            text, out = room / "rows.txt", room / f"stepped_{i}{j}"
            text.write_text("hello world, the quick brown fox and more of it. " * 4)
            ids = AutoTokenizer.from_pretrained(base)(text.read_text(), add_special_tokens=False)["input_ids"]
            bad = run("finetune", base, "--data", text, "--adapter", adapter, "--seq", "16", "--steps", "3", "--accumulate", "1", "--no-shuffle", "--lr", "0.01", "--device", "cpu:base", "-o", out)
            check(not bad, f"{name}, trained: {bad}")
            rows = [torch.tensor([ids[k : k + 16]]) for k in (0, 16, 32)]
            want = trained(reopened(base, adapter), rows, 0.01)(IDS).logits[0].numpy()
            mine, theirs = isobit_logits(base, out), reopened(base, out)(IDS).logits[0].numpy()
            far = abs(theirs - reopened(base, adapter)(IDS).logits[0].numpy()).max()
            check(same(mine, theirs), f"{name}, trained, in peft: {verdict(mine, theirs)}")
            check(abs(theirs - want).max() <= 0.01 * far, f"{name}: three steps move by {far:.3g} and end {abs(theirs - want).max():.3g} from torch's")
    # weights that are tied on purpose are one tensor in peft
    base = room / "whole_1"
    adapted(base, modules_to_save=["embed_tokens"], ensure_weight_tying=True).save_pretrained(room / "one")
    mine = isobit_logits(base, room / "one")
    check(told(mine, "ensure_weight_tying"), f"a shared copy of embedding and head: {mine}")


with tempfile.TemporaryDirectory(prefix="isobit-transformers-") as room:
    universe()
    for part in (fields, adapters, folders, whole) if torch else ():
        part(pathlib.Path(room))
print(f"transformers {transformers.__version__}, {'PyTorch ' + torch.__version__ if torch else 'no PyTorch'}: {checks} checks, {len(failures)} failed")
sys.exit(bool(failures))
