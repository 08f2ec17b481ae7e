"""ATKD's formulas in Python floats, one position after another, as the paper writes them; nothing is shared."""

import math

import numpy as np


def probabilities(logits):
    z = np.asarray(logits, dtype=np.float64)
    e = np.exp(z - z.max())
    return [float(x) for x in e / e.sum()]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def decoupled_by_loops(student, teacher, labels, *, reverse=False):
    """Target parts, diversity parts and the teacher's uncertainty, a list each."""
    targets, diversities, uncertainties = [], [], []
    for z_s, z_t, y in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        p, q = probabilities(z_t), probabilities(z_s)
        uncertainties.append(1 - p[y])
        first, second = (q, p) if reverse else (p, q)
        targets.append(kl([first[y], 1 - first[y]], [second[y], 1 - second[y]]))
        rest = [i for i in range(len(p)) if i != y]
        diversities.append(
            kl([first[i] / (1 - first[y]) for i in rest], [second[i] / (1 - second[y]) for i in rest])
        )
    return targets, diversities, uncertainties


def atkd_by_loops(student, teacher, labels, *, reverse=False, share=0.5, easy_weight=0.2):
    """lambda * mean over easy of DKD + (1 - lambda) * mean over hard of TKD + DKD."""
    targets, diversities, uncertainties = decoupled_by_loops(student, teacher, labels, reverse=reverse)
    count = math.ceil(share * len(targets))
    threshold = sorted(uncertainties, reverse=True)[count - 1]
    hard = [i for i, u in enumerate(uncertainties) if u >= threshold]
    easy = [i for i, u in enumerate(uncertainties) if u < threshold]
    mean_easy = sum(diversities[i] for i in easy) / len(easy) if easy else 0.0
    mean_hard = sum(targets[i] + diversities[i] for i in hard) / len(hard)
    return easy_weight * mean_easy + (1 - easy_weight) * mean_hard


def released_atkd_by_loops(student, teacher, labels, *, reverse=False, easy_weight=0.2):
    """One micro-batch of the released code: hard are those not below the lower median of the uncertainties."""
    targets, diversities, uncertainties = decoupled_by_loops(student, teacher, labels, reverse=reverse)
    threshold = sorted(uncertainties)[(len(uncertainties) - 1) // 2]
    hard = [i for i, u in enumerate(uncertainties) if u >= threshold]
    easy = [i for i, u in enumerate(uncertainties) if u < threshold]
    mean_easy = sum(diversities[i] for i in easy) / len(easy)
    mean_hard = sum(targets[i] + diversities[i] for i in hard) / len(hard)
    return easy_weight * mean_easy + (1 - easy_weight) * mean_hard
