"""A linear classifier of images by their features."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

PENALTY = 1e-3
"""Weight of the mean squared coefficient, relative to the cross-entropy."""
ITERATIONS = 100


class LinearClassifier:
    """Multinomial logistic regression, fitted with every class weighted equally.

    Without that weight a classifier of uneven classes would rarely name the small ones.

    Parameters:
        features: standardised by their own means and deviations.
        labels: class of each row, an index below `classes`; each class that is named needs one.
    """

    def __init__(
        self, features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], classes: int
    ) -> None:
        self.mean = features.mean(dim=0)
        self.deviation = features.std(dim=0).clamp_min(1e-6)
        counts = labels.bincount(minlength=classes)
        self._absent: Bool[Tensor, " classes"] = counts == 0
        weights = 1 / counts.clamp_min(1).to(features)
        rows = self._standardise(features)
        self.weight = features.new_zeros(classes, features.shape[1], requires_grad=True)
        self.bias = features.new_zeros(classes, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [self.weight, self.bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
        )

        def closure() -> float:
            optimizer.zero_grad()
            logits = functional.linear(rows, self.weight, self.bias)
            cost = functional.cross_entropy(logits, labels, weights)
            cost = cost + PENALTY * self.weight.square().sum()
            cost.backward()
            return cost.item()

        with torch.enable_grad():
            optimizer.step(closure)
        self.weight.requires_grad_(False)
        self.bias.requires_grad_(False)

    def predict(self, features: Float[Tensor, "n d"]) -> Int64[Tensor, " n"]:
        """Return the most probable class of each row."""
        logits = functional.linear(self._standardise(features), self.weight, self.bias)
        return logits.masked_fill(self._absent, -torch.inf).argmax(dim=1)

    def _standardise(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return (features - self.mean) / self.deviation
