"""bench_language_peers.py REPEATS THREADS MODEL TOKENS BEHIND GENERATED - transformers' and PEFT's measurements of what isobit bench --model-file
times, in fp32: a prompt, new tokens behind one, the loss of a window, a training step of LoRA; tokens a second, one JSON object on standard
output, which isobit bench --peers reads."""
import json, os, statistics, sys, time, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import peft
import torch
import transformers

REPEATS, THREADS, (TOKENS, BEHIND, GENERATED) = int(sys.argv[1]), int(sys.argv[2]), map(int, sys.argv[4:7])
torch.set_num_threads(THREADS)
transformers.utils.logging.set_verbosity_error()
folder, file = os.path.split(sys.argv[3]) if os.path.isfile(sys.argv[3]) else (sys.argv[3], None)
where = {"gguf_file": file} if file else {}
model = transformers.AutoModelForCausalLM.from_pretrained(folder or ".", dtype=torch.float32, **where).eval()
ids = torch.randint(0, model.config.get_text_config().vocab_size, (1, max(TOKENS, GENERATED)))


def rate(tokens, run):
    """Tokens a second, the median over REPEATS; run() may return how long it took of itself."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        own = run()
        times.append(own or time.perf_counter() - start)
    return tokens / statistics.median(times)


def prompt():
    model(ids[:, :TOKENS], use_cache=True, logits_to_keep=1)


def generate():
    past = model(ids[:, :BEHIND], use_cache=True, logits_to_keep=1).past_key_values
    start = time.perf_counter()
    for i in range(GENERATED):
        past = model(ids[:, i : i + 1], past_key_values=past, use_cache=True).past_key_values
    return time.perf_counter() - start


def window():
    half = ids[:, :TOKENS].clone()
    half[:, : TOKENS // 2 + 1] = -100
    model(ids[:, :TOKENS], labels=half, use_cache=False)


result = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
with torch.inference_mode():
    result |= {"prompt": rate(TOKENS, prompt), "generation": rate(GENERATED, generate), "perplexity": rate(TOKENS, window)}
model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")).train()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-6)


def step():
    optimizer.zero_grad()
    model(ids[:, :TOKENS], labels=ids[:, :TOKENS], use_cache=False).loss.backward()
    optimizer.step()


result["training"] = rate(TOKENS, step)
print(json.dumps(result))
