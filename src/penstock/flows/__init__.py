"""Flows: jobs tied by `after=`. Declaring one is `Transaction.flow` (or `Penstock.flow`); here is what a flow is to a reader."""

from penstock.flows.view import FlowJob, FlowRef, FlowView, flow_edges, flow_jobs, flow_view

__all__ = ["FlowJob", "FlowRef", "FlowView", "flow_edges", "flow_jobs", "flow_view"]
