"""Which model answers a site for one task: the canary, where the ledger says so for this site, otherwise the one in force."""

from datetime import datetime

from serving.loader import Loaded, Loader, NoApprovedModel
from serving.orders import Orders


class Choice:
    """Two loaders of a task, asked like one. A canary that may not answer (any more) leaves the site to the model in force,
    which is approved for it too; each answer names the model that it is from."""

    def __init__(self, in_force: Loader, canary: Loader, orders: Orders):
        self.in_force, self.canary, self.orders = in_force, canary, orders
        self.task, self.allow_demo = in_force.task, in_force.allow_demo

    def for_site(self, site: str, now: datetime) -> Loaded:
        """The model that may answer for this site at `now`; NoApprovedModel says why none may."""
        trial = self.orders.trial("canary", self.task)
        if trial is not None and site in trial.sites:
            try:
                loaded = self.canary.for_site(site, now)
            except NoApprovedModel:
                return self.in_force.for_site(site, now)
            if loaded.bundle.digest == trial.bundle:
                return loaded
        return self.in_force.for_site(site, now)

    def why_not(self, now: datetime) -> str | None:
        """Why no site at all can be served; a canary serves some only, so it is not asked."""
        return self.in_force.why_not(now)
