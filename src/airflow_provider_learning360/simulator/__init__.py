"""A stand-in for the 360Learning API: a real HTTP server on loopback, with believable data.

From a shell, ``python -m airflow_provider_learning360.simulator``; from Python::

    from airflow_provider_learning360.simulator import Simulator

    with Simulator(sessions=3) as simulator:
        session_id = simulator.session_ids[0]
        simulator.edit(session_id, name="Moved to Monday")
        simulator.play({"when": {"times": 2}, "do": {"status": 503}})

A scenario is one object, ``{"when": {...}, "do": {...}}``. ``do`` holds one of these:

=============================================================  ==================================================
``{"edit": {"session": ID, "fields": {...}}}``                 changes a session; once, unless ``times`` says more
``{"delete": ID}``                                             deletes a session
``{"expire_tokens": true}``                                    ends every bearer token; once, unless ``times`` says more
``{"status": 429, "headers": {}, "body": ...}``                answers so; without ``body``, with the vendor's own
``{"redirect": URL, "status": 302}``                           sends the client elsewhere
``{"html": true}``                                             answers 200 with the page of a login form
``{"empty": true}``                                            answers 200 without a body
``{"drop": true}``                                             closes the connection without an answer
``{"delay": SECONDS}``                                         answers later
``{"drift": {"add": {}, "remove": [], "module_type": TEXT}}``  changes what answers with sessions contain
``{"list": true}``                                             wraps the answer in an array
``{"body_cut": true}``                                         sends half of the JSON as a valid HTTP answer
``{"truncate": true}``                                         announces the whole body, sends half of it, closes
=============================================================  ==================================================

``when`` may be left out, which means each request to the API, from now on. Its keys narrow that:

==================  =============================================================================
``path``            regular expression, searched in the path; default ``/api/``
``method``          HTTP method; default any
``after_requests``  lets so many matching requests pass first
``after_seconds``   lets so many seconds pass first, from the moment it was played
``times``           shapes so many requests, then ends
``for_seconds``     ends so many seconds after the first request that it shaped
==================  =============================================================================

Scenarios add up. Of those that are an answer by themselves (``status``, ``redirect``, ``html``, ``empty``,
``drop``) the first one due has its way, and the next one's turn comes when it has ended.

From another process the same is had over HTTP, without a key:

==========================================  ========================================================================
``POST /_simulator/scenario``               puts a scenario, or a list of them, in play
``DELETE /_simulator/scenario``             ends them all
``GET /_simulator/sessions``                the IDs of all sessions, in order
``GET /_simulator/sessions/{id}``           a session as it is now
``POST /_simulator/sessions/{id}``          edits it: an object of fields
``PUT /_simulator/sessions/{id}``           puts it there as it stands, ``modifiedAt`` and all, old or new
``DELETE /_simulator/sessions/{id}``        deletes it
``POST /_simulator/tokens/revoke``          ends every bearer token
``GET /_simulator/requests``                the requests seen so far, without secrets; ``?since=N`` skips N
``DELETE /_simulator/requests``             forgets them
==========================================  ========================================================================
"""

from __future__ import annotations

from airflow_provider_learning360.simulator.simulator import Simulator
from airflow_provider_learning360.simulator.traffic import SeenRequest

__all__ = ["SeenRequest", "Simulator"]
