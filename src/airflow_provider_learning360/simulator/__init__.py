"""A simulator of the 360Learning API: a real HTTP server on this machine, with sample data.

From a shell, ``python -m airflow_provider_learning360.simulator``; from Python::

    from airflow_provider_learning360.simulator import Simulator

    with Simulator(sessions=3) as simulator:
        session_id = simulator.session_ids[0]
        simulator.edit(session_id, name="Moved to Monday")
        simulator.play({"when": {"times": 2}, "do": {"status": 503}})

A scenario is one object, ``{"when": {...}, "do": {...}}``. ``do`` holds one of these:

=============================================================  ======================================================
``{"edit": {"session": ID, "fields": {...}}}``                 edits a session; once, unless ``times`` says more
``{"delete": ID}``                                             deletes a session
``{"expire_tokens": true}``                                    makes tokens invalid; once, unless ``times`` says more
``{"status": 429, "headers": {}, "body": ...}``                responds with it; default body: that of 360Learning
``{"redirect": URL, "status": 302}``                           redirects the client
``{"html": true}``                                             responds 200 with the page of a login form
``{"empty": true}``                                            responds 200 without a body
``{"drop": true}``                                             closes the connection without a response
``{"delay": SECONDS}``                                         responds later
``{"drift": {"add": {}, "remove": [], "module_type": TEXT}}``  changes the sessions in a response
``{"list": true}``                                             wraps the response in an array
``{"body_cut": true}``                                         sends half of the JSON as a valid HTTP response
``{"truncate": true}``                                         announces the whole body, sends half of it, closes
=============================================================  ======================================================

Without ``when``, a scenario applies to every request to the API, from now on. The keys of ``when`` narrow that:

==================  =============================================================================
``path``            regular expression, searched in the path; default ``/api/``
``method``          HTTP method; default any
``after_requests``  skips so many matching requests first
``after_seconds``   starts so many seconds after the scenario was added
``times``           applies to so many requests, then ends
``for_seconds``     ends so many seconds after it first applied
==================  =============================================================================

Several scenarios can apply to one request. Of those that replace the response (``status``, ``redirect``, ``html``,
``empty``, ``drop``) only the first one applies; the next one follows when it has ended.

Another process does the same over HTTP, without a key:

==========================================  ========================================================================
``POST /_simulator/scenario``               adds a scenario, or a list of them
``DELETE /_simulator/scenario``             stops all scenarios
``GET /_simulator/sessions``                the IDs of all sessions, in order
``GET /_simulator/sessions/{id}``           a session as it is now
``POST /_simulator/sessions/{id}``          edits it: an object of fields
``PUT /_simulator/sessions/{id}``           adds or replaces it, with its ``modifiedAt``
``DELETE /_simulator/sessions/{id}``        deletes it
``POST /_simulator/tokens/revoke``          makes all bearer tokens invalid
``GET /_simulator/requests``                the requests so far, without secrets; ``?since=N`` skips N
``DELETE /_simulator/requests``             clears that list
==========================================  ========================================================================
"""

from __future__ import annotations

from airflow_provider_learning360.simulator.request_log import SeenRequest
from airflow_provider_learning360.simulator.simulator import Simulator

__all__ = ["SeenRequest", "Simulator"]
