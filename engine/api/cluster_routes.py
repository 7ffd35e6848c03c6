"""`/api/admin/cluster`: every engine on this database, what it does, and what it holds."""

from engine.api.cluster_bodies import ClusterAnswer, cluster_answer
from engine.api.route import ApiRoute, Call, Rate
from protocols.cluster import MemberStore
from protocols.users import Scope


def cluster_routes(store: MemberStore, me: str) -> list[ApiRoute]:
    """Returns the route of the cluster. `me` is the id of this process."""

    async def read(call: Call) -> ClusterAnswer:
        return cluster_answer(await store.reading(), me)

    return [
        ApiRoute(
            method="GET",
            path="/api/admin/cluster",
            handler=read,
            scope=Scope.ADMIN,
            summary="Engines on this database: roles, leases with epochs, shares of the venue's limits, lag, versions",
            answer=ClusterAnswer,
            rate=Rate.ADMIN,
        )
    ]
