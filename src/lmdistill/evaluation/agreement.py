"""Agreement of student and teacher, whether or not their predictions are correct."""

import numpy as np
from jaxtyping import Float

from lmdistill.core.errors import MismatchError
from lmdistill.evaluation.classification import check_finite
from lmdistill.metrics.classification import pearson
from lmdistill.metrics.probabilities import log_softmax


def agreement(
    student: Float[np.ndarray, "b v"], teacher: Float[np.ndarray, "b v_teacher"]
) -> dict[str, float]:
    """Measures of agreement between the predictions of two networks on the same examples, without labels.

    Args:
        student: Logits of the student.
        teacher: Logits of the teacher, with examples and classes in the same order.

    Returns:
        For classification: `top_agreement`, the share of examples with the same most likely class, in [0, 1];
        `kl_nats`, the mean of KL(teacher || student) in nats, >= 0; `probability_difference`, the mean over
        examples and classes of |p_student - p_teacher|, in [0, 1].
        For regression (v = 1): `pearson`, in [-1, 1], and `squared_difference`, the mean squared difference,
        >= 0.

    Raises:
        MismatchError: The networks have different numbers of classes.
        DataError: There are no examples, or a logit is not finite.

    Examples:
        >>> student, teacher = np.log([[0.5, 0.5]]), np.log([[0.75, 0.25]])
        >>> {name: round(value, 4) for name, value in agreement(student, teacher).items()}
        {'top_agreement': 1.0, 'kl_nats': 0.1308, 'probability_difference': 0.25}
    """
    if student.shape[1] != teacher.shape[1]:
        raise MismatchError(
            f"the student has {student.shape[1]} outputs and the teacher {teacher.shape[1]}; agreement "
            "compares them one by one. Use two networks of the same task."
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
        "kl_nats": max(0.0, float(kl.mean())),  # rounding may give -1e-17 for equal distributions
        "probability_difference": float(np.abs(np.exp(log_s) - np.exp(log_t)).mean()),
    }
