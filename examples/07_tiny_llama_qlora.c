/* 07_tiny_llama_qlora.c - a Llama of one million parameters: trained from nothing on one novel, stored in NF4 with
 * double quantization, then fine-tuned on another novel through a LoRA adapter. Arguments: folder of the texts,
 * steps. */
#include "text.h" // defines: text_open, text_train, CONTEXT

/* Perplexity of a text per byte. */
static double measure(ib_lm *m, ib_graph *g, const text *t)
{
    ib_perplexity_result r;
    const ib_perplexity_opts o = {.context = CONTEXT, .windows = 60, .bos = -1};
    return ib_lm_perplexity(m, g, t->ids, t->n, &o, &r) ? -1 : r.perplexity;
}

static void speak(ib_lm *m, ib_graph *g, const char *prompt)
{
    int32_t ids[CONTEXT];
    float logits[256];
    int64_t n = 0, fresh = 0;
    ib_kv *kv = ib_kv_new(m, CONTEXT, 0);
    for (; prompt[n]; n++)
        ids[n] = (unsigned char)prompt[n];
    printf("  %s", prompt);
    for (fresh = n; kv && n < CONTEXT && !ib_lm_step(m, g, kv, ids + n - fresh, fresh, logits); fresh = 1) {
        ids[n] = ib_sample_token(&(ib_sampling){.temperature = 0.6f, .seed = 1}, logits, 256, ids, n, (uint64_t)n);
        putchar(ids[n] == '\n' ? ' ' : ids[n]);
        n++;
    }
    printf("\n");
    ib_kv_free(kv);
}

int main(int argc, char **argv)
{
    int rc = EXIT_FAILURE;
    const char *folder = argc > 1 ? argv[1] : "examples/texts";
    const int64_t steps = argc > 2 ? atoll(argv[2]) : 400;
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    text novel = text_open(folder, "sense_and_sensibility.txt"), other = text_open(folder, "emma.txt");
    ib_lm *m = ib_lm_new(
        &(ib_lm_config){
            .layers = 5, .width = 128, .ff = 352, .heads = 4, .groups = 2, .vocabulary = 256, .context = CONTEXT},
        1);
    ib_optim *opt =
        m ? ib_adamw_new(ib_lm_trainable(m), dev, &(ib_adamw_opts){.beta2 = 0.95f, .weight_decay = 0.1f}) : NULL;
    if (!g || !opt || novel.n <= CONTEXT || other.n <= CONTEXT || steps < 1)
        goto done;
    printf("%lld parameters, trained on Sense and Sensibility:\n", (long long)ib_lm_weight_count(m));
    if (text_train(m, g, opt, &novel, steps, 3e-3f) < 0)
        goto done;
    speak(m, g, "She ");
    const double whole = measure(m, g, &other);
    ib_optim_free(opt);
    opt = NULL;
    if (ib_lm_freeze(m, "nf4_dq"))
        goto done;
    const double frozen = measure(m, g, &other);
    printf("as NF4, %lld bytes; perplexity of Emma per byte: fp32 %.3f, NF4 %.3f\nfine-tuned on Emma through LoRA:\n",
           (long long)ib_lm_weight_bytes(m), whole, frozen);
    if (ib_lm_adapt(m, &(ib_adapter_opts){.r = 8, .alpha = 16}) || !(opt = ib_adamw_new(ib_lm_trainable(m), dev, NULL)))
        goto done;
    if (text_train(m, g, opt, &other, steps / 2, 3e-3f) < 0)
        goto done;
    const double tuned = measure(m, g, &other);
    speak(m, g, "Emma ");
    printf("perplexity of Emma per byte: %.3f\n", tuned);
    if (tuned > 0 && tuned < frozen)
        rc = EXIT_SUCCESS;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", *ib_error() ? ib_error() : "the adapter has not learned");
    free(novel.ids);
    free(other.ids);
    ib_optim_free(opt);
    ib_lm_free(m);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}
