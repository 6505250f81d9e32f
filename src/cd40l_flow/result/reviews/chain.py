"""The order of the reviews of a sample: each names the one before it, so that no clock decides which came last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cd40l_flow.result.reviews.files import FIRST_VERSION, Review


class Chain:
    """The reviews of one sample, each behind those it names.

    ``order`` has them earliest first; of two that do not name each other the one signed first, for display only.
    ``waiting`` are those that name a review which is neither there nor known to be ``lost``.
    """

    def __init__(self, reviews: Sequence[Review], lost: Iterable[str] = ()) -> None:
        by_time = sorted(reviews, key=lambda review: (review.signed_at, review.file))
        before = _named_before(by_time)
        there = {review.digest for review in by_time}
        known = there | set(lost)
        self._ancestors: dict[str, frozenset[str]] = {}
        order: list[Review] = []
        left = list(by_time)
        while left:
            ready = next(
                (one for one in left if all(self._is_placed(name, there) for name in before[one.digest])), None
            )
            # None is only left over by files that name each other in a ring, which no page can have made.
            review = ready or left[0]
            left.remove(review)
            order.append(review)
            named = [name for name in before[review.digest] if name != review.digest]
            above = [self._ancestors.get(name, frozenset()) for name in named]
            self._ancestors[review.digest] = frozenset(named).union(*above)
        self.order = tuple(order)
        self.waiting = tuple(one for one in order if not self._ancestors[one.digest] <= known)

    def _is_placed(self, name: str, there: set[str]) -> bool:
        return name not in there or name in self._ancestors

    def follows(self, later: Review, earlier: Review) -> bool:
        """Return whether a review was signed by somebody who had seen another."""
        return earlier.digest in self._ancestors[later.digest]

    def behind(self, heads: Iterable[str]) -> frozenset[str]:
        """Return the digests of some reviews and of all that lie before them."""
        return frozenset(heads).union(*(self._ancestors.get(head, frozenset()) for head in heads))

    def last(self, reviews: Sequence[Review]) -> list[Review]:
        """Return those of some reviews that no other of them follows: one, or several signed independently."""
        return [one for one in reviews if not any(self.follows(other, one) for other in reviews)]


def _named_before(by_time: Sequence[Review]) -> Mapping[str, tuple[str, ...]]:
    """Return what comes before each review; files of version 1.0, which name none, follow one another by time."""
    before: dict[str, tuple[str, ...]] = {}
    first: tuple[str, ...] = ()
    for review in by_time:
        if review.version == FIRST_VERSION:
            before[review.digest] = first
            first = (review.digest,)
        else:
            before[review.digest] = review.previous
    return before
