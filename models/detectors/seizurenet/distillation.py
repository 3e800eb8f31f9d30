"""Knowledge distillation: a small student learns from what a large teacher makes of each clip (Hinton et al. 2015)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.detectors.seizurenet.member import ClipLoss, TypeNetwork


@dataclass(frozen=True)
class Lesson:
    """What counts beside the labels: the teacher's softened answers and its features.

    `soft` weighs the KL divergence at `temperature`, times its square so that its gradients keep their size, `feature`
    the mean squared difference of the features. With both at 0 the student is taught by the labels alone.
    """

    soft: float
    feature: float
    temperature: float


class Learner(nn.Module):
    """A student with the linear map from its features to the teacher's, which is thrown away after training."""

    def __init__(self, student: TypeNetwork, teacher_features: int):
        super().__init__()
        self.student = student
        self.translate = nn.Linear(student.trunk.features, teacher_features)


def lesson_loss(learner: Learner, lesson: Lesson, features: np.ndarray, log_probability: np.ndarray) -> ClipLoss:
    """The student's loss, given the teacher's features (clips, features) and log probabilities (clips, types).

    Features are standardised over the clips, so that each counts the same whatever its size.
    """
    wanted = torch.from_numpy((features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)).float()
    answers = torch.log_softmax(torch.from_numpy(log_probability) / lesson.temperature, dim=1).float()

    def loss(clips: np.ndarray, images: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        seen = learner.student.embed(images)
        logits = learner.student.classify(seen)
        total = F.cross_entropy(logits, label)
        if lesson.soft:
            softened = torch.log_softmax(logits / lesson.temperature, dim=1)
            divergence = F.kl_div(softened, answers[clips], reduction="batchmean", log_target=True)
            total = total + lesson.soft * lesson.temperature**2 * divergence
        if lesson.feature:
            total = total + lesson.feature * F.mse_loss(learner.translate(seen), wanted[clips])
        return total

    return loss
