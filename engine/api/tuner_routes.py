"""Proposals of the tuner: looked at and decided by whom the strategy belongs to, or an administrator."""

from typing import Any

import attrs

from engine.adapters.postgres.tuner_deciding import TunerConflictError
from engine.adapters.postgres.tuner_reports import NO_MORE, PostgresTunerReports
from engine.adapters.postgres.tuner_store import PostgresTunerStore
from engine.api.errors import ApiError, not_found
from engine.api.ft_access import is_admin, limit_param, wallet_id_param
from engine.api.params import Param, choice, whole
from engine.api.route import ApiRoute, Call, Rate
from engine.api.tuner_bodies import (
    NotePage,
    ProposalAnswer,
    ProposalPage,
    Rejection,
    note_answer,
    proposal_answer,
)
from protocols.tuner import Proposal, ProposalStatus
from protocols.users import Scope

PAGE_DEFAULT, PAGE_MAX = 50, 200
WAITING, DECIDED = "waiting", "decided"
_STATUSES = {
    WAITING: (ProposalStatus.WAITING,),
    DECIDED: tuple(one for one in ProposalStatus if one is not ProposalStatus.WAITING),
}


@attrs.define(eq=False)
class _Handlers:
    reports: PostgresTunerReports
    store: PostgresTunerStore

    async def proposals(self, call: Call) -> ProposalPage:
        limit, state = call.params["limit"], call.params["state"]
        rows = await self.reports.proposals(
            owner_id=_owner(call),
            wallet_id=call.params["walletId"],
            statuses=None if state is None else _STATUSES[state],
            before=call.params["cursor"],
            rows_max=limit + 1,
        )
        return ProposalPage(
            proposals=[proposal_answer(one) for one in rows[:limit]],
            next_cursor=rows[limit - 1].proposal_id if len(rows) > limit else None,
        )

    async def proposal(self, call: Call) -> ProposalAnswer:
        return proposal_answer(await self._own(call))

    async def approve(self, call: Call) -> ProposalAnswer:
        one = await self._own(call)
        try:
            done = await self.store.approve(one.proposal_id, call.principal.user_name)
        except TunerConflictError as error:
            raise ApiError(409, "decided_already", str(error)) from None
        if done.status is ProposalStatus.REFUSED:
            raise ApiError(409, "proposal_refused", f"not applied: {done.reason}")
        return proposal_answer(done)

    async def reject(self, call: Call) -> ProposalAnswer:
        one = await self._own(call)
        try:
            done = await self.store.reject(one.proposal_id, call.principal.user_name, call.body.reason)
        except TunerConflictError as error:
            raise ApiError(409, "decided_already", str(error)) from None
        return proposal_answer(done)

    async def notes(self, call: Call) -> NotePage:
        limit = call.params["limit"]
        rows = await self.reports.notes(
            owner_id=_owner(call),
            wallet_id=call.params["walletId"],
            before=call.params["cursor"],
            rows_max=limit + 1,
        )
        return NotePage(
            notes=[note_answer(one) for one in rows[:limit]],
            next_cursor=rows[limit - 1].note_id if len(rows) > limit else None,
        )

    async def _own(self, call: Call) -> Proposal:
        found = await self.reports.proposal(call.params["proposalId"])
        if found is None or (found.owner_id != call.principal.user_id and not is_admin(call)):
            raise not_found("unknown_proposal", "there is no such proposal")
        return found


def tuner_routes(reports: PostgresTunerReports, store: PostgresTunerStore) -> list[ApiRoute]:
    """Returns the routes. What belongs to another user needs the scope admin, too."""
    handlers = _Handlers(reports, store)
    path = "/api/tuner/proposals"
    number = attrs.evolve(
        whole("proposalId", "id of a proposal", at_least=1, at_most=10**18 - 1), in_path=True, required=True
    )
    one: dict[str, Any] = {"params": (number,), "answer": ProposalAnswer}
    change: dict[str, Any] = {"method": "POST", "scope": Scope.TRADE, "rate": Rate.CHANGE, **one}
    unknown = {404: "there is no such proposal, or it is about another user's strategy"}
    return [
        ApiRoute(
            method="GET",
            path=path,
            handler=handlers.proposals,
            scope=Scope.READ,
            summary="What the tuner proposes for my strategies, newest first; with the scope admin for everybody's",
            answer=ProposalPage,
            params=(choice("state", "only those that wait, or were decided", WAITING, DECIDED), *_page("proposals")),
        ),
        ApiRoute(
            method="GET",
            path=path + "/{proposalId}",
            handler=handlers.proposal,
            scope=Scope.READ,
            summary="One proposal with its evidence",
            refusals=unknown,
            **one,
        ),
        ApiRoute(
            path=path + "/{proposalId}/approve",
            handler=handlers.approve,
            summary="Applies a proposal as a version of its strategy; it is judged a day later, and taken back if it degraded",
            refusals={**unknown, 409: "it is decided already, or no longer fits the strategy; then it is REFUSED"},
            **change,
        ),
        ApiRoute(
            path=path + "/{proposalId}/reject",
            handler=handlers.reject,
            summary="Turns a proposal down; the tuner asks nothing about its strategy for seven days",
            body=Rejection,
            refusals={**unknown, 409: "it is decided already"},
            **change,
        ),
        ApiRoute(
            method="GET",
            path="/api/tuner/notes",
            handler=handlers.notes,
            scope=Scope.READ,
            summary="What the tuner observed and supposed about my strategies, newest first, with the outcome",
            answer=NotePage,
            params=_page("notes"),
        ),
    ]


def _page(what: str) -> tuple[Param, ...]:
    return (
        wallet_id_param(doc=f"only {what} about this strategy"),
        limit_param(PAGE_DEFAULT, PAGE_MAX, what),
        whole("cursor", "nextCursor of the page before", at_least=1, at_most=NO_MORE // 10, default=NO_MORE // 10),
    )


def _owner(call: Call) -> str | None:
    return None if is_admin(call) else call.principal.user_id
