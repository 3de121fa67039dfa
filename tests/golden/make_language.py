#!/usr/bin/env python3
"""make_language.py - tiny random models of each architecture with their logits and LoRA gradients from transformers, PEFT and
PyTorch, and tiny tokenizers with their tokens from Hugging Face's tokenizers, into tests/golden/models.
needs: pip install torch transformers peft safetensors tokenizers bitsandbytes accelerate
With names of cases: those models alone."""
import copy, json, pathlib, shutil, sys, torch
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
                          Gemma3TextConfig, Gemma3ForCausalLM, Gemma2Config, Gemma2ForCausalLM, Olmo2Config, Olmo2ForCausalLM, AutoModelForCausalLM)
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers, normalizers, decoders, trainers, Regex, AddedToken

OUT = pathlib.Path(__file__).with_name("models")
SIZE = dict(vocab_size=67, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=64, rms_norm_eps=1e-5)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16, rope_theta=500.0)
CASES = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZE, tie_word_embeddings=True), {}),
    "llama3": (LlamaForCausalLM, LlamaConfig(**SIZE, rope_theta=500.0, rope_scaling=LLAMA3, tie_word_embeddings=False), dict(use_rslora=True)),
    "mistral": (MistralForCausalLM, MistralConfig(**SIZE, head_dim=8, sliding_window=7, tie_word_embeddings=False), dict(use_dora=True)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZE, tie_word_embeddings=True), {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SIZE, head_dim=16, tie_word_embeddings=True), dict(rank_pattern={"q_proj": 5}, alpha_pattern={"layers.1.mlp.up_proj": 7})),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config(**SIZE, head_dim=16, sliding_window=5, query_pre_attn_scalar=24, attn_logit_softcapping=1.5, final_logit_softcapping=2.0), {}),
    "olmo2": (Olmo2ForCausalLM, Olmo2Config(**SIZE, eos_token_id=2, rope_theta=500.0, tie_word_embeddings=False), {}),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(**SIZE, head_dim=16, sliding_window=5, query_pre_attn_scalar=24, layer_types=["sliding_attention", "full_attention"]), {}),
}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

for name, (cls, config, lora) in CASES.items():
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    torch.manual_seed(7)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    config._attn_implementation = "eager"
    m = cls(config).float().eval()
    with torch.no_grad():
        for k, p in m.named_parameters():
            p.copy_(torch.randn_like(p) * (0.15 if p.ndim > 1 else 0.2) + (1.0 if "norm" in k and not name.startswith("gemma") else 0.0))
            p.copy_(p.bfloat16().float())
    ids = torch.randint(0, 67, (1, 24))
    copy.deepcopy(m).to(torch.bfloat16).save_pretrained(folder) # the copy: a cast would round the rotary frequencies too
    (folder / "generation_config.json").unlink(missing_ok=True)
    golden = {"ids": ids.float().flatten(), "logits": m(ids).logits[0].detach().clone()}
    p = get_peft_model(m, LoraConfig(r=3, lora_alpha=6, lora_dropout=0.0, target_modules=LINEAR, task_type="CAUSAL_LM", **lora))
    with torch.no_grad():
        for k, w in p.named_parameters():
            if "lora_B" in k:
                w.copy_(torch.randn_like(w) * 0.1)
            elif "magnitude" in k:
                w.mul_(1.25)
    out = p(ids, labels=ids)
    out.loss.backward()
    golden["loss"] = out.loss.detach().reshape(1).clone()
    golden["adapted_logits"] = out.logits[0].detach().clone()
    for k, w in p.named_parameters():
        if w.grad is not None:
            golden["grad." + k.replace(".default", "").removeprefix("base_model.model.").replace("magnitude_vector.weight", "magnitude_vector")] = w.grad.clone()
    p.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    save_file({k: v.contiguous() for k, v in golden.items()}, folder / "golden.safetensors")

if sys.argv[1:]:
    sys.exit()

TEXTS = ["Hello world, it's 2024 and I've 12345 things!", "  leading\n\n  and   trailing   ", "naïve café Straße Ωμέγα привет 你好世界 こんにちは 한국어 🎉🚀 a\u0301",
         "def f(x):\n\treturn x+1  # ok\r\n", "<|im_start|>user\nhi<|im_end|>", "", " ", "\n", "don't DON'T they'll   x  y\u00a0z\u3000w", "1 22 333 4444 ½ ٣"]
CORPUS = ["the quick brown fox jumps over the lazy dog's tail and it's fine, they'll see 2024", "Hello world hello there the then them", "user system assistant return def x+1",
          "naïve café привет мир 你好 世界 こんにちは"] * 8
GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
def byte_level(split):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(split)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    return t
def composed(t):
    t.normalizer = normalizers.NFC()
    return t
def sentencepiece(prepend):
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    steps = [normalizers.Prepend("▁")] if prepend else []
    t.normalizer = normalizers.Sequence(steps + [normalizers.Replace(" ", "▁")])
    t.train_from_iterator([("▁" if prepend else "") + c.replace(" ", "▁") for c in CORPUS],
                          trainers.BpeTrainer(vocab_size=500, max_token_length=12, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]))
    j = json.loads(t.to_str())
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(j))
TOKENIZERS = {
    "smollm": byte_level([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]),
    "gpt2": byte_level([pre_tokenizers.ByteLevel(add_prefix_space=False)]),
    "llama_bpe": byte_level([pre_tokenizers.Split(Regex(LLAMA), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
    "qwen": composed(byte_level([pre_tokenizers.Split(Regex(LLAMA.replace("{1,3}", "")), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])),
    "spm": sentencepiece(True),
    "spm_gemma": sentencepiece(False),
}
for name, t in TOKENIZERS.items():
    folder = OUT / ("tokenizer_" + name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")))
    (folder / "golden.json").write_text(json.dumps([{"text": s, "ids": t.encode(s, add_special_tokens=False).ids} for s in TEXTS], ensure_ascii=False, separators=(",", ":")))

# A whole little chat model for the tests of the command: llama, byte-level BPE, ChatML.
torch.manual_seed(3)
folder = OUT / "chat"
shutil.rmtree(folder, ignore_errors=True)
LlamaForCausalLM(LlamaConfig(**{**SIZE, "vocab_size": 420, "max_position_embeddings": 256}, tie_word_embeddings=True)).to(torch.bfloat16).save_pretrained(folder)
(folder / "generation_config.json").unlink(missing_ok=True)
shutil.copy(OUT / "tokenizer_smollm" / "tokenizer.json", folder)
(folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "bos_token": "<|im_start|>", "add_bos_token": False,
    "chat_template": "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
                     "{% if add_generation_prompt %}{{'<|im_start|>assistant\n'}}{% endif %}"}))

# A checkpoint as transformers and bitsandbytes save it, with the logits of its dequantized weights. All widths are whole blocks:
# for others the CPU kernel of bitsandbytes 0.50 dequantizes by rows what was quantized flat.
import bitsandbytes
from safetensors import safe_open
from transformers import BitsAndBytesConfig
torch.manual_seed(5)
folder, plain = OUT / "bitsandbytes", OUT / "plain"
shutil.rmtree(folder, ignore_errors=True)
LlamaForCausalLM(LlamaConfig(**{**SIZE, "hidden_size": 64, "num_hidden_layers": 1, "intermediate_size": 64}, tie_word_embeddings=True)).save_pretrained(plain)
AutoModelForCausalLM.from_pretrained(plain, device_map="cpu", quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32), dtype=torch.float32).save_pretrained(folder)
model = LlamaForCausalLM.from_pretrained(plain)
shutil.rmtree(plain)
(folder / "generation_config.json").unlink(missing_ok=True)
with safe_open(folder / "model.safetensors", "pt") as f:
    for name, weight in model.state_dict().items():
        side = {k[len(name) + 1:]: f.get_tensor(k) for k in f.keys() if k.startswith(name + ".")}
        if side:
            state = bitsandbytes.functional.QuantState.from_dict(side, device=torch.device("cpu"))
            weight.copy_(bitsandbytes.functional.dequantize_4bit(f.get_tensor(name), state).float())
ids = torch.arange(24)[None]
with torch.no_grad():
    save_file({"ids": ids[0].float(), "logits": model(ids).logits[0].contiguous()}, folder / "golden.safetensors")
