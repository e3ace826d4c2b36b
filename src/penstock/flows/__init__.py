"""Flows: jobs tied by `after=`. `Transaction.flow` declares one; here is what it is to a reader."""

from penstock.flows.view import FlowJob, FlowRef, FlowView, flow_edges, flow_jobs, flow_view

__all__ = ["FlowJob", "FlowRef", "FlowView", "flow_edges", "flow_jobs", "flow_view"]
