"""Questions that arrive together are answered together, in order, and none pays for another."""

import asyncio
from collections.abc import Sequence

import pytest

from serving.gathering import Gathering


class Unanswerable(Exception): ...


class Answering:
    """Says ten times what it is asked, and keeps what it was asked together; cannot answer 13, and is slow where told so."""

    def __init__(self, is_slow: bool = False) -> None:
        self.asked: list[list[int]] = []
        self.is_slow, self.at_once, self.most_at_once = is_slow, 0, 0

    async def __call__(self, asked: Sequence[int]) -> list[int]:
        self.asked.append(list(asked))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        for _ in range(10 * self.is_slow):
            await asyncio.sleep(0)
        self.at_once -= 1
        if 13 in asked:
            raise Unanswerable
        return [10 * one for one in asked]


def gathered(answering: Answering, most: float = 100.0, turns: int = 1) -> Gathering[int, int]:
    return Gathering(answering, lambda one: 1.0 + (one >= 50) * one, most, turns)


def test_who_is_alone_is_answered_alone() -> None:
    answering = Answering()
    gathering = gathered(answering)

    async def run() -> list[int]:
        return [await gathering(one) for one in (3, 1, 2)]

    assert asyncio.run(run()) == [30, 10, 20]
    assert answering.asked == [[3], [1], [2]]


def test_what_arrives_together_is_answered_together_and_in_order() -> None:
    answering = Answering()
    gathering = gathered(answering)

    async def run() -> list[int]:
        return await asyncio.gather(*(gathering(one) for one in (3, 1, 2)))

    assert asyncio.run(run()) == [30, 10, 20]
    assert answering.asked == [[3, 1, 2]]


def test_what_weighs_too_much_together_waits_for_the_next_turn() -> None:
    answering = Answering()
    gathering = gathered(answering, most=3.0)

    async def run() -> list[int]:
        return await asyncio.gather(*(gathering(one) for one in (1, 2, 3, 4, 60, 5)))

    assert asyncio.run(run()) == [10, 20, 30, 40, 600, 50]
    assert answering.asked == [[1, 2, 3], [4], [60], [5]], "what is too much by itself is answered all the same"


def test_between_two_turns_others_are_served() -> None:
    answering, served = Answering(), list[int]()
    gathering = gathered(answering, most=1.0)

    async def other() -> None:
        while len(answering.asked) < 3:
            served.append(len(answering.asked))
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(other(), *(gathering(one) for one in (1, 2, 3)))

    asyncio.run(run())
    assert {0, 1, 2} <= set(served)


def test_fault_a_failure_reaches_its_own_question_alone() -> None:
    answering = Answering()
    gathering = gathered(answering)

    async def run() -> list[int | BaseException]:
        return await asyncio.gather(*(gathering(one) for one in (1, 13, 2, 13)), return_exceptions=True)

    first, wrong, second, also_wrong = asyncio.run(run())
    assert (first, second) == (10, 20)
    assert isinstance(wrong, Unanswerable) and isinstance(also_wrong, Unanswerable)
    assert answering.asked == [[1, 13, 2, 13], [1], [13], [2], [13]]


def test_fault_who_has_given_up_is_not_asked_about() -> None:
    answering = Answering()
    gathering = gathered(answering)

    async def run() -> int:
        impatient, patient = (asyncio.create_task(gathering(one)) for one in (1, 2))
        asyncio.get_running_loop().call_soon(impatient.cancel)
        said = await patient
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return said

    async def alone() -> int:
        given_up = asyncio.create_task(gathering(7))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        return await gathering(8)

    assert asyncio.run(run()) == 20 and asyncio.run(alone()) == 80
    assert not any({1, 7} & set(asked) for asked in answering.asked)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_what_arrives_meanwhile_is_the_next_turn_and_no_more_than_so_many_at_a_time(turns: int) -> None:
    answering = Answering(is_slow=True)
    gathering = gathered(answering, most=2.0, turns=turns)

    async def run() -> list[int]:
        return await asyncio.gather(*(gathering(one) for one in range(8)))

    assert asyncio.run(run()) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert answering.asked == [[0, 1], [2, 3], [4, 5], [6, 7]] and answering.most_at_once == turns


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("is_slow", [False, True])
def test_who_asks_again_with_the_answer_in_hand_never_waits_for_good(turns: int, is_slow: bool) -> None:
    gathering = gathered(Answering(is_slow), most=2.0, turns=turns)

    async def closed_loop(own: int) -> list[int]:
        return [await gathering(own) for _ in range(50)]

    async def run() -> list[list[int]]:
        return await asyncio.wait_for(asyncio.gather(*map(closed_loop, range(5))), 20)

    assert asyncio.run(run()) == [[10 * own] * 50 for own in range(5)]


def test_fault_who_gives_up_during_a_turn_spoils_it_for_nobody() -> None:
    gathering = gathered(Answering(is_slow=True))

    async def run() -> int:
        impatient, patient = (asyncio.create_task(gathering(one)) for one in (1, 2))
        for _ in range(4):
            await asyncio.sleep(0)
        impatient.cancel()
        return await patient

    assert asyncio.run(run()) == 20
