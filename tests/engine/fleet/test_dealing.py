"""Dealing: every request is in one place, small pieces go to whoever has room, and nothing is lost with a worker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.fleet.dealing import FIRST_ROOM, LONG_S, PIECE, Dealer

WORKERS = ("a", "b", "c")


class Table:
    """A dealer, and what somebody who looks on knows of where each request is."""

    def __init__(self, most: int | None) -> None:
        self.dealer = Dealer(most=most)
        self.most = most
        self.put_so_far = 0
        self.waiting: set[int] = set()
        self.dealt: dict[str, list[int]] = {}
        self.has_bound_ones = False  # those for one worker are dealt whatever room there is

    def join(self, worker: str, _count: int) -> None:
        if worker not in self.dealt:
            self.dealer.join(worker)
            self.dealt[worker] = []

    def put(self, _worker: str, _count: int) -> None:
        self._put(to=None)

    def put_to(self, worker: str, _count: int) -> None:
        self.has_bound_ones = self.has_bound_ones or worker in self.dealt
        self._put(to=worker)

    def _put(self, *, to: str | None) -> None:
        self.dealer.put(self.put_so_far, to=to)
        self.waiting.add(self.put_so_far)
        self.put_so_far += 1

    def deal(self, _worker: str, _count: int) -> None:
        for piece in self.dealer.deal():
            assert self.waiting >= set(piece.numbers)
            self.waiting -= set(piece.numbers)
            self.dealt[piece.worker] += piece.numbers
        if self.most is not None and not self.has_bound_ones:
            assert self.dealer.dealt <= self.most

    def give_up(self, _worker: str, count: int) -> None:
        if self.waiting:
            number = sorted(self.waiting)[count % len(self.waiting)]
            self.dealer.end(number)
            self.waiting.remove(number)

    def answer(self, worker: str, _count: int) -> None:
        if self.dealt.get(worker):
            self.dealer.end(self.dealt[worker].pop(0))

    def hand_back(self, worker: str, count: int) -> None:
        if worker in self.dealt:
            kept = max(0, len(self.dealt[worker]) - count)
            back = self.dealt[worker][kept:]
            for number in back:
                self.dealer.hand_back(number)
            self.dealer.put_back(back)
            self.waiting |= set(back)
            del self.dealt[worker][kept:]

    def tell(self, worker: str, count: int) -> None:
        if worker in self.dealt:
            self.dealer.notify(worker, room=count, unbegun=0, now=0.0)

    def die(self, worker: str, _count: int) -> None:
        if worker in self.dealt:
            left = self.dealer.bury(worker)
            assert set(left) >= set(self.dealt.pop(worker))
            self.dealer.put_back(left)
            self.waiting |= set(left)


STEPS = st.sampled_from(["put", "put_to", "deal", "answer", "hand_back", "die", "join", "tell", "give_up"])


@given(st.lists(st.tuples(STEPS, st.sampled_from(WORKERS), st.integers(0, 40)), max_size=60), st.none() | st.just(7))
def test_every_request_is_in_one_place_and_ends_once(steps: list[tuple[str, str, int]], most: int | None) -> None:
    table = Table(most)
    for what, worker, count in steps:
        getattr(table, what)(worker, count)

        assert table.dealer.waiting == len(table.waiting)
        assert table.dealer.dealt == sum(map(len, table.dealt.values()))
        assert all(table.dealer.whose(each) == name for name, numbers in table.dealt.items() for each in numbers)


def test_requests_go_in_small_pieces_to_all_who_have_room() -> None:
    dealer = Dealer()
    for worker in WORKERS:
        dealer.join(worker)
        dealer.notify(worker, room=100, unbegun=0, now=0.0)
    for number in range(200):
        dealer.put(number)

    pieces = dealer.deal()

    assert max(len(piece.numbers) for piece in pieces) <= PIECE
    assert {sum(len(p.numbers) for p in pieces if p.worker == worker) for worker in WORKERS} <= set(range(60, 73))
    assert [number for piece in pieces for number in piece.numbers] == list(range(200))


def test_a_worker_that_has_told_nothing_gets_a_few_and_no_more() -> None:
    dealer = Dealer()
    dealer.join("a")
    for number in range(50):
        dealer.put(number)

    assert sum(len(piece.numbers) for piece in dealer.deal()) == FIRST_ROOM
    assert dealer.deal() == []


def test_no_more_are_dealt_than_may_be_out_at_any_time() -> None:
    dealer = Dealer(most=5)
    for worker in WORKERS:
        dealer.join(worker)
    for number in range(20):
        dealer.put(number)

    assert sum(len(piece.numbers) for piece in dealer.deal()) == 5
    dealer.end(0)
    assert sum(len(piece.numbers) for piece in dealer.deal()) == 1


def test_what_was_dealt_before_goes_first() -> None:
    dealer = Dealer()
    dealer.join("a")
    dealer.put(1)
    dealer.deal()
    dealer.put(2)

    dealer.put_back(dealer.bury("a"))
    dealer.join("b")

    assert dealer.deal()[0].numbers == [1, 2]


def test_a_request_whose_answer_one_worker_knows_goes_to_that_one() -> None:
    dealer = Dealer()
    for worker in WORKERS:
        dealer.join(worker)
    dealer.put(7, to="b")

    assert dealer.deal() == [("b", [7])]


def test_a_slow_worker_is_asked_for_what_it_has_not_begun_with_once_others_have_nothing_to_do() -> None:
    dealer = Dealer()
    for worker in ("slow", "quick"):
        dealer.join(worker)
    for number in range(2 * FIRST_ROOM):
        dealer.put(number)
    pieces = dealer.deal()
    for piece in pieces:
        if piece.worker == "quick":
            for number in piece.numbers:
                dealer.end(number)

    dealer.notify("slow", room=FIRST_ROOM, unbegun=12, now=0.0)
    assert dealer.recalls(now=LONG_S / 2) == []
    assert dealer.recalls(now=LONG_S) == [("slow", 6)]
    assert dealer.recalls(now=LONG_S + 1) == []  # it is being asked

    slow = [number for piece in pieces if piece.worker == "slow" for number in piece.numbers]
    for number in slow[-6:]:
        dealer.hand_back(number)
    dealer.notify("slow", room=FIRST_ROOM - 6, unbegun=6, now=LONG_S + 1)
    dealer.put_back(slow[-6:])
    assert {piece.worker for piece in dealer.deal()} == {"quick"}
    assert dealer.recalls(now=LONG_S + 1) == [("slow", 3)]  # and for half of the rest, while others have nothing to do
