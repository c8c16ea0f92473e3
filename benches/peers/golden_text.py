#!/usr/bin/env python3
"""A second golden set, in PyTorch: that the golden tests pass shows less if the code was written looking at one set only.

  golden_text.py validate    recompute the sets `text` and `models` of ADV_GOLDEN_DIR from their own inputs, and compare everything
  golden_text.py new OUT     another set (other sentences, seeds, sizes and hyper-parameters) in the same layout

ADV_GOLDEN_DIR, ADV_MODEL_DIR and ADV_DATA_DIR must be set. The formulas are those of README.md of the golden folder. The encoder of
`text` is written out here (no transformers); the `tiny-*` models of `models` are computed by transformers and, for BERT, once more by
the encoder written out here.
"""
import csv, json, math, os, shutil, sys
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

torch.set_num_threads(1)
GOLDEN, MODELS, DATA = (os.environ[f"ADV_{kind}_DIR"] for kind in ("GOLDEN", "MODEL", "DATA"))
MINILM = f"{MODELS}/all-MiniLM-L6-v2"


# ---------------------------------------------------------------- encoder

class Bert:
    """BERT by hand. Parameters by their names in the file, without a prefix."""

    def __init__(self, folder, dtype, prefix=""):
        self.config = json.load(open(f"{folder}/config.json"))
        raw = load_file(f"{folder}/model.safetensors")
        keep = {k[len(prefix):]: v for k, v in raw.items() if k.startswith(prefix)}
        self.dtype = dtype
        self.p = {
            k: torch.tensor(v, dtype=dtype).requires_grad_()
            for k, v in sorted(keep.items())
            if k.startswith(("embeddings.", "encoder.")) and v.dtype == np.float32
        }

    def words(self, ids):
        return self.p["embeddings.word_embeddings.weight"][ids]

    def norm(self, x, name):
        mean = x.mean(-1, keepdim=True)
        var = ((x - mean) ** 2).mean(-1, keepdim=True)
        x = (x - mean) / torch.sqrt(var + self.config["layer_norm_eps"])
        return x * self.p[name + ".weight"] + self.p[name + ".bias"]

    def linear(self, x, name):
        return x @ self.p[name + ".weight"].T + self.p[name + ".bias"]

    def act(self, x):
        if self.config["hidden_act"] == "gelu":
            return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
        assert self.config["hidden_act"] == "gelu_new"
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def embed(self, e, positions=None):
        """Positions, types, LayerNorm on word vectors (already perturbed)."""
        if positions is None:
            positions = torch.arange(e.shape[1]).expand(e.shape[0], -1)
        e = e + self.p["embeddings.position_embeddings.weight"][positions]
        kinds = torch.zeros(e.shape[:2], dtype=torch.long)
        e = e + self.p["embeddings.token_type_embeddings.weight"][kinds]
        return self.norm(e, "embeddings.LayerNorm")

    def hidden(self, e, mask, positions=None):
        h = self.embed(e, positions)
        b, l, d = h.shape
        n = self.config["num_attention_heads"]
        split = lambda t: t.view(b, l, n, d // n).transpose(1, 2)
        off = (mask == 0)[:, None, None, :]
        for i in range(self.config["num_hidden_layers"]):
            at = f"encoder.layer.{i}."
            q, k, v = (split(self.linear(h, at + f"attention.self.{x}")) for x in ("query", "key", "value"))
            scores = (q @ k.transpose(2, 3)) / math.sqrt(d // n)
            weights = scores.masked_fill(off, -math.inf).softmax(-1)
            mixed = (weights @ v).transpose(1, 2).reshape(b, l, d)
            h = self.norm(self.linear(mixed, at + "attention.output.dense") + h, at + "attention.output.LayerNorm")
            inner = self.act(self.linear(h, at + "intermediate.dense"))
            h = self.norm(self.linear(inner, at + "output.dense") + h, at + "output.LayerNorm")
        return h


# ---------------------------------------------------------------- tokens

def tokenizer(folder):
    t = Tokenizer.from_file(f"{folder}/tokenizer.json")
    t.no_truncation()
    t.no_padding()
    return t


def tokenize(t, texts, pad):
    rows = [t.encode(s).ids for s in texts]
    width = max(map(len, rows))
    ids = np.array([r + [pad] * (width - len(r)) for r in rows], dtype=np.int64)
    mask = np.array([[1] * len(r) + [0] * (width - len(r)) for r in rows], dtype=np.int64)
    return ids, mask


# ---------------------------------------------------------------- text

def kl(p_log, q_log):
    """KL(p||q) per sample."""
    return (p_log.exp() * (p_log - q_log)).sum(-1)


def info_nce(a, b, tau, negative=None, own=0.0):
    unit = lambda v: v / v.norm(dim=-1, keepdim=True)
    scores = unit(a) @ unit(b).T / tau
    if negative is not None:
        scores = torch.cat([scores, unit(a) @ unit(negative).T / tau + own * torch.eye(len(a), dtype=a.dtype)], 1)
    return -scores.log_softmax(-1)[torch.arange(len(a)), torch.arange(len(a))].mean()


def uniformity(x):
    x = x / x.norm(dim=-1, keepdim=True)
    i, j = torch.triu_indices(len(x), len(x), 1)
    return torch.exp(-2 * ((x[i] - x[j]) ** 2).sum(-1)).mean().log()


def text(cfg, sentences, inputs, dtype):
    """All tensors and values of the set, in the given precision."""
    T, V = {}, {}
    bert = Bert(MINILM, dtype)
    tok = tokenizer(MINILM)
    ids_np, mask_np = tokenize(tok, sentences, bert.config["pad_token_id"])
    T["ids"], T["mask"] = ids_np, mask_np
    T.update(inputs)
    load = lambda n: torch.tensor(inputs[n], dtype=dtype if inputs[n].dtype == np.float32 else torch.long)
    ids, mask = torch.tensor(ids_np), torch.tensor(mask_np)
    m3 = mask[:, :, None].to(dtype)
    labels = load("labels")
    B, L = ids.shape
    head_w, head_b = load("head/weight").requires_grad_(), load("head/bias").requires_grad_()
    with_head = dict(bert.p, **{"head.weight": head_w, "head.bias": head_b})
    uniform, noise_a, noise_b = load("noise/uniform"), load("noise/normal_a"), load("noise/normal_b")
    tau = cfg["temperature"]

    def last(delta=None, e=None):
        e = bert.words(ids) if e is None else e
        return bert.hidden(e if delta is None else e + delta, mask)

    logits_of = lambda cls: cls @ head_w.T + head_b
    logits = lambda delta=None: logits_of(last(delta)[:, 0])

    def ce_each(z):
        return -z.log_softmax(-1)[torch.arange(B), labels]

    ce = lambda z: ce_each(z).mean()
    rows = lambda x: x.flatten(1).norm(dim=1)
    zeros = lambda: torch.zeros(B, L, bert.config["hidden_size"], dtype=dtype).requires_grad_()

    def grads(loss, names):
        found = torch.autograd.grad(loss, list(names.values()), allow_unused=True)
        return {n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(names.items(), found)}

    def norms(g):
        return {n: v.norm().item() for n, v in sorted(g.items())}

    def slope(f):
        """Gradient of f(delta) at zero."""
        d = zeros()
        return torch.autograd.grad(f(d), d)[0]

    # encoder
    with torch.no_grad():
        T["enc/word_embeddings"] = bert.words(ids)
        T["enc/embedding_layer_output"] = (bert.embed(bert.words(ids)) * m3)[:4]
        h = last() * m3
        T["enc/last_hidden"], T["enc/cls"] = h, h[:, 0]
        T["enc/mean_pooled"] = h.sum(1) / m3.sum(1)

    # cross-entropy
    d = zeros()
    z = logits(d)
    loss = ce(z)
    T["ce/logits"], V["ce/loss"] = z, loss
    g_all = grads(loss, dict(with_head, delta=d))
    g = g_all.pop("delta")
    T["ce/embedding_grad"] = g
    V["ce/grad_l2"] = norms(g_all)
    clean = z.detach()

    # FreeLB
    K = cfg["freelb_k"]
    for name, limit in (("freelb_free", 0.0), ("freelb_ball", cfg["freelb_max_norm"])):
        size = cfg["freelb_init_mag"] / torch.sqrt(m3.sum((1, 2)) * bert.config["hidden_size"])
        delta = uniform * size[:, None, None]
        losses, lengths, total = [], [rows(delta)], None
        for k in range(1, K + 1):
            d = delta.detach().requires_grad_()
            loss = ce(logits(d)) / K
            found = grads(loss, dict(with_head, delta=d))
            gd = found.pop("delta")
            total = found if total is None else {n: total[n] + v for n, v in found.items()}
            losses.append(loss.item())
            if k == K:
                break
            delta = d.detach() + cfg["freelb_lr"] * gd / rows(gd).clamp(min=1e-8)[:, None, None]
            if limit > 0:
                now = rows(delta)
                delta = delta * torch.where(now > limit, limit / now, torch.ones_like(now))[:, None, None]
            T[f"{name}/delta_{k}"] = delta
            lengths.append(rows(delta))
        T[f"{name}/delta_norms"] = torch.stack(lengths)
        T[f"{name}/grad_head_weight"] = total["head.weight"]
        T[f"{name}/grad_query0_rows"] = total["encoder.layer.0.attention.self.query.weight"][:8]
        V[f"{name}/losses"], V[f"{name}/grad_l2"] = losses, norms(total)

    # FGM per sentence
    T["fgm_sentence/grad_norms"] = rows(g)
    r = cfg["fgm_eps"] * g / (rows(g) + 1e-12)[:, None, None]
    T["fgm_sentence/r_norms"] = rows(r)
    z = logits(r)
    T["fgm_sentence/logits"], V["fgm_sentence/loss"] = z, ce(z)
    V["fgm_sentence/grad_l2"] = norms(grads(ce(z), with_head))

    # FGM of the whole matrix
    G = g_all["embeddings.word_embeddings.weight"]
    delta = cfg["fgm_matrix_eps"] * G / (G.norm() + 1e-8)
    kept = (G != 0).any(1).nonzero()[:, 0]
    outside = delta.clone()
    outside[kept] = 0
    T["fgm_matrix/ids"], T["fgm_matrix/delta_rows"] = kept, delta[kept]
    with torch.no_grad():
        z = logits_of(last(e=(bert.p["embeddings.word_embeddings.weight"] + delta)[ids])[:, 0])
    T["fgm_matrix/logits"], V["fgm_matrix/loss"] = z, ce(z)
    V["fgm_matrix/grad_l2_whole_matrix"] = G.norm()
    V["fgm_matrix/delta_l2_outside_ids"] = outside.norm()

    # SMART
    div = cfg["smart_div"]

    def stable_kl(adv, q):
        def r(p):
            return -torch.log(1 / (p + 1e-6) - 1 + 1e-6)
        p, q = adv.softmax(-1), q.softmax(-1).detach()
        return (2 * p * (r(p).detach() - r(q))).sum()

    def smart(var, step, axes):
        start = noise_a * var
        d = start.clone().requires_grad_()
        at_start = stable_kl(logits(d), clean)
        gd = torch.autograd.grad(at_start, d)[0]
        noise = start + step * gd
        noise = noise / (noise.abs().amax(axes, keepdim=True) + div)
        zc, za = logits(), logits(noise)
        pc, pa = zc.log_softmax(-1), za.log_softmax(-1)
        reg = (kl(pa.detach(), pc) + kl(pc.detach(), pa)).mean()
        return dict(start=start.abs().max(), kl=at_start, g=gd.abs().max(), noise=noise, z=za, reg=reg, ce=ce(zc))

    for name, axes in (("smart_token", (2,)), ("smart_sentence", (1, 2))):
        s = smart(cfg["smart_noise_var"], cfg["smart_step"], axes)
        V[f"{name}/start_noise_max_abs"], V[f"{name}/stable_kl_at_start"] = s["start"], s["kl"]
        V[f"{name}/grad_max_abs"], V[f"{name}/regulariser"] = s["g"], s["reg"]
        if name == "smart_token":
            T["smart_token/noise"], T["smart_token/logits"] = s["noise"], s["z"]
            V["smart_token/grad_l2"] = norms(grads(s["ce"] + s["reg"], with_head))
    V["smart_published_settings/regulariser"] = smart(1e-5, 1e-3, (2,))["reg"]

    # R3F
    zp = logits()
    p, q = zp.log_softmax(-1), logits(cfg["r3f_eps"] * uniform).log_softmax(-1)
    sym = (kl(p, q) + kl(q, p)).mean()
    total = ce(zp) + cfg["r3f_lambda"] * sym
    V["r3f/ce"], V["r3f/sym_kl"], V["r3f/total"] = ce(zp), sym, total
    V["r3f/grad_l2"] = norms(grads(total, with_head))

    # VAT
    def unit(v):
        v = v / (1e-12 + v.abs().amax((1, 2), keepdim=True))
        return v / torch.sqrt(1e-6 + (v**2).sum((1, 2), keepdim=True))

    p = clean.log_softmax(-1)
    d = noise_a * m3
    for _ in range(cfg["vat_power_iterations"]):
        q = (cfg["vat_xi"] * unit(d)).requires_grad_()
        d = torch.autograd.grad(kl(p, logits(q).log_softmax(-1)).mean(), q)[0] * m3
    r = cfg["vat_eps"] * unit(d)
    lds = kl(p, logits(r).log_softmax(-1))
    T["vat/r"], T["vat/lds_per_sample"], V["vat/lds"] = r, lds, lds.mean()
    V["vat/grad_l2"] = norms(grads(lds.mean(), with_head))

    # contrastive losses of given vectors
    a, b, n = (load(f"con/{x}").requires_grad_() for x in ("a", "b", "negative"))
    own = cfg["hard_negative_log_weight"]
    loss = info_nce(a, b, tau)
    V["con/info_nce"] = loss
    T["con/info_nce_grad_a"], T["con/info_nce_grad_b"] = torch.autograd.grad(loss, (a, b))
    V["con/info_nce_symmetric"] = (info_nce(a, b, tau) + info_nce(b, a, tau)) / 2
    V["con/hard_negatives"] = info_nce(a, b, tau, n)
    loss = info_nce(a, b, tau, n, own)
    V["con/hard_negatives_weighted"] = loss
    for x, gx in zip(("a", "b", "negative"), torch.autograd.grad(loss, (a, b, n))):
        T[f"con/hard_negatives_weighted_grad_{x}"] = gx
    ua, ub = (x / x.norm(dim=1, keepdim=True) for x in (a, b))
    V["con/align"] = ((ua - ub) ** 2).sum(1).mean()
    V["con/uniform_a"], V["con/uniform_a_and_b"] = uniformity(a), uniformity(torch.cat([a, b]))

    # SCAL
    r = cfg["scal_eps"] * g / (rows(g) + 1e-12)[:, None, None]
    h, ha = last()[:, 0], last(r)[:, 0]
    l_ce, l_adv, l_con = ce(logits_of(h)), ce(logits_of(ha)), info_nce(h, ha, tau)
    total = l_ce + cfg["scal_alpha_adv"] * l_adv + cfg["scal_alpha_con"] * l_con
    T["scal/r"], T["scal/h_adv"] = r, ha
    V["scal/l_ce"], V["scal/l_ce_adv"], V["scal/l_con"], V["scal/total"] = l_ce, l_adv, l_con, total
    V["scal/grad_l2"] = norms(grads(total, with_head))

    # USCAL and the article's form of it
    v1, v2 = cfg["uscal_view_noise"] * noise_a, cfg["uscal_view_noise"] * noise_b
    view = lambda v: last(v)[:, 0]
    scaled = lambda gr: cfg["uscal_eps"] * gr / (rows(gr) + 1e-12)[:, None, None]
    r = scaled(slope(lambda d: info_nce(view(v1 + d), view(v2), tau)))
    h, hp, ha = view(v1), view(v2), view(v1 + r)
    l_cl, l_adv = info_nce(h, hp, tau), info_nce(ha, hp, tau)
    total = l_cl + cfg["uscal_alpha"] * l_adv
    T["uscal/r"], T["uscal/h"], T["uscal/h_prime"], T["uscal/h_adv"] = r, h, hp, ha
    V["uscal/l_cl"], V["uscal/l_adv"], V["uscal/total"] = l_cl, l_adv, total
    V["uscal/grad_l2"] = norms(grads(total, bert.p))
    r = scaled(slope(lambda d: info_nce(view(v1 + d), view(v2 + d), tau)))
    h, hp, ha = view(v1), view(v2), view(v1 + r)
    l_o, l_v = info_nce(h, ha, tau), info_nce(hp, ha, tau)
    total = l_o + cfg["uscal_alpha"] * l_v
    T["uscal_article/r"], T["uscal_article/h_adv"] = r, ha
    V["uscal_article/l_original"], V["uscal_article/l_view"], V["uscal_article/total"] = l_o, l_v, total
    V["uscal_article/grad_l2"] = norms(grads(total, bert.p))

    # prompts
    mask_id = tok.token_to_id("[MASK]")
    sentence_tokens = mask_np.sum(1) - 2
    plain, denoised, at = [], [], {}
    with torch.no_grad():
        for t in (1, 2):
            before, after = cfg[f"template{t}"]
            pid, pmask = tokenize(tok, [before + s + after for s in sentences], 0)
            where = np.array([list(row).index(mask_id) for row in pid])
            assert ((pid == mask_id).sum(1) == 1).all()
            tid = np.array(tok.encode(before + after).ids)
            first = len(tok.encode(before, add_special_tokens=False).ids) + 1
            R = cfg["template_lengths"]
            assert R > sentence_tokens.max()
            assert (pmask.sum(1) == len(tid) + sentence_tokens).all()
            pos = np.array([[i + (row if i >= first else 0) for i in range(len(tid))] for row in range(R)])
            twhere = list(tid).index(mask_id)
            pick = bert.hidden(bert.words(torch.tensor(pid)), torch.tensor(pmask))[torch.arange(B), torch.tensor(where)]
            ones = torch.ones(R, len(tid), dtype=torch.long)
            tids = torch.tensor(tid).expand(R, -1)
            bias = bert.hidden(bert.words(tids), ones, torch.tensor(pos))[:, twhere]
            den = pick - bias[torch.tensor(sentence_tokens)]
            for n_, v_ in dict(ids=pid, mask=pmask, mask_position=where, template_ids=tid, template_position_ids=pos,
                               template_mask_position=np.array(twhere), mask_hidden=pick, bias=bias, denoised=den).items():
                T[f"prompt{t}/{n_}"] = v_
            plain.append(pick)
            denoised.append(den)
            at[str(t)] = twhere
        V["prompt/info_nce_plain"] = info_nce(*plain, tau)
        V["prompt/info_nce_denoised"] = info_nce(*denoised, tau)

    raw = lambda v: v.detach().numpy() if torch.is_tensor(v) else np.asarray(v)
    number = lambda v: v.item() if torch.is_tensor(v) else v
    return {k: raw(v) for k, v in T.items()}, {k: number(v) for k, v in V.items()}, at


INPUTS = ["labels", "head/weight", "head/bias", "noise/uniform", "noise/normal_a", "noise/normal_b", "con/a", "con/b", "con/negative"]
BY_ROW = ("scal/r", "uscal/r", "uscal_article/r", "vat/r")
NOT_JUDGED = set(INPUTS) | {"ids", "mask"}


def stored(v):
    return np.array(v, dtype=np.int64 if v.dtype.kind == "i" else np.float32, order="C")


def agreement(want, got):
    """Of a float32 run, and the criterion made from it."""
    out = {}
    for name, w in want.items():
        g = got[name]
        if name in NOT_JUDGED or (w.dtype.kind == "i" and name.startswith("prompt")):
            continue
        if w.dtype.kind == "i":
            out[name] = {"criterion": {"min_equal": 1.0}, "equal": float((w == g).mean())}
            continue
        g = g.astype(np.float64)
        off = np.abs(g - w)
        entry = {"max_abs": float(np.abs(w).max()), "max_abs_diff": float(off.max()), "within_1e-5": float((off < 1e-5).mean())}
        if name in BY_ROW:
            a, b = g.reshape(len(g), -1), w.reshape(len(w), -1)
            cos = float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())
            length = float(np.linalg.norm(b, axis=1).mean())
            entry["cosine_per_row"] = cos
            entry["criterion"] = {"max_row_l2_diff": 1e-4 * length, "min_cosine_per_row": min(0.99999, 1 - 4 * (1 - cos)), "row_l2": length}
        else:
            entry["criterion"] = {"max_abs_diff": max(1e-4 * entry["max_abs"], 5 * entry["max_abs_diff"], 2e-7)}
        out[name] = entry
    return out


# ---------------------------------------------------------------- models

def around(name, s):
    return {"tiny-bert-mlm": f'This sentence of "{s}" means[MASK].', "tiny-roberta-mlm": f"This sentence : ' {s} ' means<mask>."}.get(name, s)


def models(sentences, albert_ids, albert_mask):
    import transformers as tf
    T = {}
    dt = torch.float64
    kinds = {"tiny-bert-mlm": tf.BertForMaskedLM, "tiny-bert-classifier": tf.BertForSequenceClassification,
             "tiny-roberta-mlm": tf.RobertaForMaskedLM, "tiny-albert-mlm": tf.AlbertForMaskedLM}
    for name, kind in kinds.items():
        folder = f"{MODELS}/{name}"
        model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").to(dt).eval()
        if name == "tiny-albert-mlm":
            ids, mask = albert_ids, albert_mask
        else:
            tok = tokenizer(folder)
            ids, mask = tokenize(tok, [around(name, s) for s in sentences], model.config.pad_token_id)
        ti, tm = torch.tensor(ids), torch.tensor(mask)
        with torch.no_grad():
            out = model(input_ids=ti, attention_mask=tm, output_hidden_states=True)
        m3 = tm[:, :, None].to(dt)
        h = out.hidden_states[-1]
        T[f"{name}/ids"], T[f"{name}/mask"] = ids, mask
        T[f"{name}/last_hidden"] = h * m3
        if name.startswith("tiny-bert"):  # once more, by hand
            with torch.no_grad():
                mine = Bert(folder, dt, "bert.")
                off = ((mine.hidden(mine.words(ti), tm) - h) * m3).abs().max().item()
            assert off < 1e-12, (name, off)
        if name == "tiny-bert-classifier":
            T[f"{name}/logits"] = out.logits
            continue
        T[f"{name}/logits"] = (out.logits * m3)[:2]
        if name == "tiny-albert-mlm":
            continue
        where = (ti == tok.token_to_id("[MASK]" if "roberta" not in name else "<mask>")).long()
        assert (where.sum(1) == 1).all()
        where = where.argmax(1)
        z = out.logits[torch.arange(len(ti)), where]
        p, top = z.softmax(-1).topk(10)
        gaps = z.sort(-1, descending=True).values[:, :11].diff().abs().min().item()
        print(f"{name}: least gap among the top 11 mask logits {gaps:.2e}")
        table = model.get_input_embeddings().weight.detach()
        T[f"{name}/mask_position"], T[f"{name}/mask_logits"] = where, z
        T[f"{name}/top10_ids"] = top
        T[f"{name}/top10_average"] = ((p / p.sum(1, keepdim=True))[:, :, None] * table[top]).sum(1)
    return {k: (v.numpy() if torch.is_tensor(v) else v) for k, v in T.items()}


# ---------------------------------------------------------------- validate

def show(bad, line, ok):
    if not ok:
        bad.append(line)
    print(("ok   " if ok else "FAIL ") + line)


def validate():
    bad = []
    js = json.load(open(f"{GOLDEN}/text.json"))
    want = load_file(f"{GOLDEN}/text.safetensors")
    inputs = {n: want[n] for n in INPUTS}
    T, V, at = text(js["config"], js["sentences"], inputs, torch.float64)
    T32, V32, _ = text(js["config"], js["sentences"], inputs, torch.float32)
    show(bad, "text: names of tensors", set(T) == set(want))
    show(bad, "text: template_mask_position", at == js["template_mask_position"])
    for n in sorted(want):
        w = want[n]
        ok = n in T and stored(T[n]).shape == w.shape and stored(T[n]).dtype == w.dtype
        if not ok:
            show(bad, f"text/{n}: shape or dtype", False)
            continue
        off = np.abs(stored(T[n]).astype(float) - w.astype(float)).max()
        scale = np.abs(w).max()
        show(bad, f"text/{n} {w.dtype} {list(w.shape)}: off by {off:.1e} of {scale:.3g}", off <= (0 if w.dtype == np.int64 else 3e-7 * scale))
    # criteria of the stored set, met by the float32 run
    for n, a in js["float32_agreement"].items():
        c, g, w = a["criterion"], T32[n].astype(float), want[n].astype(float)
        ok = True
        for k, lim in c.items():
            if k == "max_abs_diff":
                ok &= np.abs(g - w).max() <= lim
            elif k == "min_equal":
                ok &= (g == w).mean() >= lim
            elif k == "min_cosine_per_row":
                x, y = g.reshape(len(g), -1), w.reshape(len(w), -1)
                ok &= ((x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)).min() >= lim
            elif k == "max_row_l2_diff":
                ok &= np.abs(np.linalg.norm(g.reshape(len(g), -1), axis=1) - c["row_l2"]).max() <= lim
        if not ok:
            show(bad, f"text/{n}: float32 run misses the criterion", False)
    # the rule of the criteria
    ours = agreement(T, T32)
    show(bad, "text: names in float32_agreement", set(ours) == set(js["float32_agreement"]))
    for n, a in js["float32_agreement"].items():
        show(bad, f"text/{n}: fields of the agreement", set(ours[n]) == set(a) and set(ours[n]["criterion"]) == set(a["criterion"])) if (
            set(ours[n]) != set(a) or set(ours[n]["criterion"]) != set(a["criterion"])) else None
        if "max_abs_diff" in a["criterion"]:
            made = max(1e-4 * a["max_abs"], 5 * a["max_abs_diff"], 2e-7)
            if abs(made - a["criterion"]["max_abs_diff"]) > 1e-12:
                show(bad, f"text/{n}: criterion by another rule", False)
    show(bad, "text: names of values", set(V) == set(js["values"]) and set(V32) == set(js["values_float32_run"]))
    for n, w in js["values"].items():
        if isinstance(w, dict):
            show(bad, f"values {n}: names", set(w) == set(V[n]))
            top = max(w.values())
            worst = max((abs(V[n][k] - x) / max(x, 1e-9 * top), k) for k, x in w.items())
            f32 = max((abs(V32[n][k] - x) / max(1e-3 * x, 1e-6 * top), k) for k, x in w.items())
            show(bad, f"values {n}: worst {worst}; float32 uses {f32[0]:.1e} of its limit", worst[0] < 1e-6 and f32[0] <= 1)
        else:
            pairs = list(zip(w, V[n], V32[n], js["values_float32_run"][n])) if isinstance(w, list) else [(w, V[n], V32[n], js["values_float32_run"][n])]
            rel = max(abs(g - x) / max(abs(x), 1e-30) for x, g, _, _ in pairs)
            lim = all(abs(g32 - x) <= max(1e-4 * abs(x), 5 * abs(x32 - x)) for x, _, g32, x32 in pairs)
            show(bad, f"values {n}: relative {rel:.1e}; float32 within its limit: {lim}", rel < 1e-6 and lim)
    mj = json.load(open(f"{GOLDEN}/models.json"))
    want = load_file(f"{GOLDEN}/models.safetensors")
    T = models(mj["sentences"], want["tiny-albert-mlm/ids"], want["tiny-albert-mlm/mask"])
    show(bad, "models: names of tensors", set(T) == set(want))
    show(bad, "models: shapes", {n: list(v.shape) for n, v in T.items()} == mj["shapes"])
    for n in sorted(want):
        w, g = want[n], stored(T[n])
        off = np.abs(g.astype(float) - w.astype(float)).max() if g.shape == w.shape and g.dtype == w.dtype else math.inf
        scale = np.abs(w).max()
        show(bad, f"models/{n} {w.dtype} {list(w.shape)}: off by {off:.1e} of {scale:.3g}", off <= (0 if w.dtype == np.int64 else 3e-7 * scale))
    print(f"{len(bad)} not reproduced")
    for line in bad:
        print("  " + line)


# ---------------------------------------------------------------- the other set

CONFIG = {
    "fgm_eps": 0.4, "fgm_matrix_eps": 0.7,
    "freelb_init_mag": 0.45, "freelb_k": 4, "freelb_lr": 0.08, "freelb_max_norm": 0.25,
    "hard_negative_log_weight": 0.6, "head_scale": 0.2, "max_tokens": 17, "min_tokens": 7, "n_labels": 4, "n_sentences": 12,
    "r3f_eps": 0.08, "r3f_lambda": 0.7,
    "scal_alpha_adv": 0.8, "scal_alpha_con": 0.6, "scal_eps": 0.25, "seed": 104,
    "smart_div": 1e-06, "smart_noise_var": 0.02, "smart_step": 0.8,
    "temperature": 0.07,
    "template1": ["This sentence of \"", "\" means[MASK]."],
    "template2": ["The short sentence : \"", "\" really means[MASK]."],
    "template_lengths": 24,
    "uscal_alpha": 0.7, "uscal_eps": 0.35, "uscal_view_noise": 0.06,
    "vat_eps": 0.8, "vat_power_iterations": 2, "vat_xi": 0.15,
}
SHAPES_OF_NEW_MODELS = {"seed": 77, "sentences": 10, "albert": (5, 21)}


def pool():
    """Sentences of SICK (trial), SST-2 (dev) and STS-B (dev), none of which the stored set has."""
    sick = [r[i] for r in csv.reader(open(f"{DATA}/sts/SICK/SICK_trial.txt", encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE) for i in (1, 2)][2:]
    stsb = [r[i] for r in csv.reader(open(f"{DATA}/sts/STSBenchmark/sts-dev.csv", encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE) for i in (5, 6)]
    sst = [line.split("\t")[0].strip() for line in open(f"{DATA}/sst2/glue/dev.tsv", encoding="utf-8")][1:]
    used = set(json.load(open(f"{GOLDEN}/text.json"))["sentences"]) | set(json.load(open(f"{GOLDEN}/models.json"))["sentences"])
    return [sorted({s for s in part if s not in used and '"' not in s}) for part in (sick, stsb, sst)]


def new(out):
    cfg = CONFIG
    rng = np.random.default_rng(cfg["seed"])
    parts = pool()
    tok = tokenizer(MINILM)
    B, C, D = cfg["n_sentences"], cfg["n_labels"], 384
    sentences, ends = [], False
    while len(sentences) < B:
        part = parts[len(sentences) % 3]
        s = part[rng.integers(len(part))]
        n = len(tok.encode(s).ids)
        # One sentence is of the longest length, one of the shortest, so that there is padding.
        low, high = {0: (cfg["max_tokens"],) * 2, 1: (cfg["min_tokens"],) * 2}.get(len(sentences), (cfg["min_tokens"], cfg["max_tokens"]))
        if low <= n <= high and s not in sentences:
            sentences.append(s)
    order = rng.permutation(B)
    sentences = [sentences[i] for i in order]
    mask = tokenize(tok, sentences, 0)[1]
    L = mask.shape[1]
    f32 = lambda x: np.ascontiguousarray(x.astype(np.float32))
    m3 = mask[:, :, None]
    inputs = {
        "labels": np.concatenate([np.arange(C), rng.integers(0, C, B - C)])[rng.permutation(B)].astype(np.int64),
        "head/weight": f32(rng.standard_normal((C, D)) * cfg["head_scale"]),
        "head/bias": f32(rng.standard_normal(C) * cfg["head_scale"]),
        "noise/uniform": f32(rng.uniform(-1, 1, (B, L, D)) * m3),
        "noise/normal_a": f32(rng.standard_normal((B, L, D)) * m3),
        "noise/normal_b": f32(rng.standard_normal((B, L, D)) * m3),
        "con/a": f32(rng.standard_normal((B, D))),
    }
    inputs["con/b"] = f32(0.2 * inputs["con/a"] + rng.standard_normal((B, D)))
    inputs["con/negative"] = f32(0.12 * inputs["con/a"] + rng.standard_normal((B, D)))
    T, V, at = text(cfg, sentences, inputs, torch.float64)
    T32, V32, _ = text(cfg, sentences, inputs, torch.float32)
    agree = agreement(T, T32)
    for n, a in sorted(agree.items()):
        if "max_abs" in a and a["max_abs_diff"] > 1e-5 * a["max_abs"]:
            print(f"badly conditioned: {n}: {a}")
    for n, w in V.items():
        if isinstance(w, float) and abs(V32[n] - w) > 2e-5 * abs(w):
            print(f"badly conditioned: {n}: {w} {V32[n]}")
    os.makedirs(out, exist_ok=True)
    save_file({n: stored(v) for n, v in T.items()}, f"{out}/text.safetensors")
    doc = {"config": cfg, "float32_agreement": agree, "sentences": sentences, "template_mask_position": at, "values": V, "values_float32_run": V32}
    json.dump(doc, open(f"{out}/text.json", "w"), indent=1, sort_keys=True)

    spec = SHAPES_OF_NEW_MODELS
    rng = np.random.default_rng(spec["seed"])
    chosen = ["Jalapeño crêpes cost 12.50 at Zoë's — isn't that (far) too much?"]
    while len(chosen) < spec["sentences"]:
        part = parts[len(chosen) % 3]
        s = part[rng.integers(len(part))]
        if s not in chosen and s not in sentences and len(s) < 150:
            chosen.append(s)
    chosen[0], chosen[4] = chosen[4], chosen[0]
    n, width = spec["albert"]
    lengths = [width, 8, width - 3, 13, 5]
    am = np.array([[int(i < l) for i in range(width)] for l in lengths], dtype=np.int64)
    ai = rng.integers(5, 300, (n, width)).astype(np.int64) * am
    M = models(chosen, ai, am)
    save_file({k: stored(v) for k, v in M.items()}, f"{out}/models.safetensors")
    doc = {"sentences": chosen, "seed": spec["seed"], "shapes": {k: list(v.shape) for k, v in M.items()}}
    json.dump(doc, open(f"{out}/models.json", "w"), indent=1)
    for name in os.listdir(GOLDEN):
        if name.split(".")[0] not in ("text", "models"):
            target = f"{out}/{name}"
            if os.path.exists(target):
                os.chmod(target, 0o644)
            shutil.copyfile(f"{GOLDEN}/{name}", target)
    # the tensors as read back
    for stem in ("text", "models"):
        a, b = load_file(f"{GOLDEN}/{stem}.safetensors"), load_file(f"{out}/{stem}.safetensors")
        print(stem, "only in the stored set:", sorted(set(a) - set(b)), "only in the new set:", sorted(set(b) - set(a)))
        assert all(a[k].dtype == b[k].dtype and a[k].ndim == b[k].ndim for k in a if k in b)
        assert all(np.isfinite(v).all() for v in b.values())
        x, y = json.load(open(f"{GOLDEN}/{stem}.json")), json.load(open(f"{out}/{stem}.json"))
        for key in x:
            if isinstance(x[key], dict):
                print(stem, key, "differ in keys:", sorted(set(x[key]) ^ set(y[key])))
        assert set(x) == set(y)


if __name__ == "__main__":
    if sys.argv[1] == "validate":
        validate()
    else:
        new(sys.argv[2])
