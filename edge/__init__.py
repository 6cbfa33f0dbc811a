"""The edge router: a light stateless process where callers come in.

Says who may call, mints the ids, and passes requests on to the cores of the region. Of `core` it
imports `core.contract` only.
"""
