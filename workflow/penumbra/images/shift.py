"""Two graded changes of an image: of what it shows, and of how it looks."""

import numpy as np
from skimage.filters import gaussian

# At full severity; deviations in grey levels of 255, the blur as a share of the side.
BLUR = 1 / 16
CONTRAST = 0.4
NOISE = 25.0


def blend(image: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Semantic shift: `other` with weight `share` in [0, 1] in `image`, both uint8 (C, H, W).

    The contrast is held between those of the two, which averaging would lower: that would be a
    covariate shift. Share 0 is `image` and share 1 is `other`, bit for bit.
    """
    if share == 0:
        return image
    a, b = image.astype(np.float64), other.astype(np.float64)
    mixed = (1 - share) * a + share * b
    wanted = (1 - share) * a.std() + share * b.std()
    mean = mixed.mean()
    return _grey_levels((mixed - mean) * (wanted / max(mixed.std(), 1e-6)) + mean)


def degrade(image: np.ndarray, severity: float, seed: int) -> np.ndarray:
    """Covariate shift: blur, loss of contrast and noise that grow with `severity` in [0, 1].

    `image` is uint8 (C, H, W). Severity 0 is the image itself; the noise pattern depends on the
    seed alone, not on the severity.
    """
    if severity == 0:
        return image
    sigma = severity * BLUR * image.shape[-1]
    blurred = gaussian(image.astype(np.float64), sigma, channel_axis=0)
    pale = blurred.mean() + (1 - severity * CONTRAST) * (blurred - blurred.mean())
    # One pattern for all channels, as grey images stay grey.
    noise = np.random.default_rng(seed).standard_normal(image.shape[1:])
    return _grey_levels(pale + severity * NOISE * noise)


def _grey_levels(levels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
