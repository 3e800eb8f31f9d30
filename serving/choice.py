"""Which model answers a site for one task: the canary, where the ledger says so for this site, otherwise the one in force."""

from datetime import datetime

from serving.loader import POLL_S, Loaded, Loader, NoApprovedModel
from serving.orders import Orders


class Choice:
    """Two loaders of a task, asked like one. A canary that may not answer (any more) leaves the site to the model in force,
    which is approved for it too; each answer names the model that it is from."""

    def __init__(self, in_force: Loader, canary: Loader, orders: Orders):
        self.in_force, self.canary, self.orders = in_force, canary, orders
        self.home, self.task, self.allow_demo = in_force.home, in_force.task, in_force.allow_demo

    def for_site(self, site: str, now: datetime, patience_s: float = POLL_S) -> Loaded:
        """The model that may answer for this site at `now`; NoApprovedModel says why none may. `patience_s` as of a loader."""
        trial = self.orders.trial("canary", self.task, patience_s if patience_s > POLL_S else 0.0)
        if trial is not None and site in trial.sites:
            try:
                loaded = self.canary.for_site(site, now, patience_s)
            except NoApprovedModel:
                return self.in_force.for_site(site, now, patience_s)
            if loaded.bundle.digest == trial.bundle:
                return loaded
        return self.in_force.for_site(site, now, patience_s)

    def look(self, now: datetime) -> None:
        """Keep up with what is in force and on trial, so that who is patient need not."""
        self.in_force.why_not(now)
        if self.orders.trial("canary", self.task) is not None:
            self.canary.why_not(now)

    def why_not(self, now: datetime) -> str | None:
        """Why no site at all can be served; a canary serves some only, so it is not asked."""
        return self.in_force.why_not(now)
