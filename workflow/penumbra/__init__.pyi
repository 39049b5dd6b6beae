from penumbra.detector.detector import Detector as Detector
from penumbra.public.arrays import score_arrays as score_arrays
from penumbra.public.catalogue import scorers as scorers
from penumbra.public.evaluation import evaluate as evaluate
from penumbra.public.results import frame as frame

__version__: str
__all__ = ["Detector", "__version__", "evaluate", "frame", "score_arrays", "scorers"]
