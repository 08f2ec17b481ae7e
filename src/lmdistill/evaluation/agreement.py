"""How much of the teacher's behaviour the student took over, right or wrong."""

import numpy as np
from jaxtyping import Float

from lmdistill.core.errors import MismatchError
from lmdistill.evaluation.classification import check_finite
from lmdistill.metrics.classification import pearson
from lmdistill.metrics.probabilities import log_softmax


def agreement(
    student: Float[np.ndarray, "b v"], teacher: Float[np.ndarray, "b v_teacher"]
) -> dict[str, float]:
    """How alike two networks answer the same examples; labels are not needed.

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher on the same examples in the same order, classes in the same order.

    Returns:
        For classes: `top_agreement`, the share of examples with the same highest class, in [0, 1];
        `kl_nats`, the mean of KL(teacher || student) in nats, >= 0; `probability_difference`, the mean over
        examples and classes of |p_student - p_teacher|, in [0, 1].
        For a regression (v = 1): `pearson`, in [-1, 1], and `squared_difference`, the mean, >= 0.

    Raises:
        MismatchError: The networks have different numbers of classes.
        DataError: There are no examples, or a logit is not finite.

    Examples:
        >>> ours, theirs = np.log([[0.5, 0.5]]), np.log([[0.75, 0.25]])
        >>> {name: round(value, 4) for name, value in agreement(ours, theirs).items()}
        {'top_agreement': 1.0, 'kl_nats': 0.1308, 'probability_difference': 0.25}
    """
    if student.shape[1] != teacher.shape[1]:
        raise MismatchError(
            f"the student writes {student.shape[1]} values an example and the teacher {teacher.shape[1]}; "
            "agreement compares them one by one. Use two networks of the same task."
        )
    check_finite(student)
    check_finite(teacher)
    if student.shape[1] == 1:
        difference = student[:, 0].astype(np.float64) - teacher[:, 0]
        return {
            "pearson": pearson(teacher[:, 0], student[:, 0]),
            "squared_difference": float(np.square(difference).mean()),
        }
    log_s = log_softmax(student)
    log_t = log_softmax(teacher)
    kl = (np.exp(log_t) * (log_t - log_s)).sum(axis=1)
    return {
        "top_agreement": float((student.argmax(axis=1) == teacher.argmax(axis=1)).mean()),
        "kl_nats": max(0.0, float(kl.mean())),  # rounding may leave -1e-17 between equals
        "probability_difference": float(np.abs(np.exp(log_s) - np.exp(log_t)).mean()),
    }
