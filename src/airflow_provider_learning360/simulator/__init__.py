"""A simulator of the 360Learning API: a real HTTP server on this machine, with sample data.

From a shell, ``python -m airflow_provider_learning360.simulator``; from Python::

    from airflow_provider_learning360.simulator import Simulator

    with Simulator(sessions=3) as simulator:
        session_id = simulator.session_ids[0]
        simulator.edit(session_id, name="Moved to Monday")
        simulator.play({"when": {"times": 2}, "do": {"status": 503}})

It serves both versions of the API. A program session of v1 is a path session of v2, with the same ID. Its program
template is the path; the sessions of one template share a path. ``edit``, ``put``, ``delete`` and ``finish`` change
what both versions show:

=====================================================  ==============================================================
edit of                                                what v2 shows
=====================================================  ==============================================================
``name``, dates, ``tutors``, ``sessionCustom``, ...    the session, with a later ``modifiedAt``
``author``, ``description``, ``lang``, ``modules``,    the path, with a later ``modifiedAt``: it changes for all its
``programDuration``, ``templateCustom``,               sessions, whose own ``modifiedAt`` stays
``automatedReminders``
``users``, ``groups``, ``customFields``                enrolments, audience, values; no ``modifiedAt`` moves
``createdAt``, ``groupId``, ``isAudienceBuilder``,     the session; v1 does not show these keys
``ipFiltering``, ``registrationRequestValidation``,
``automaticReenrollment``, ``rootSessionId``
=====================================================  ==============================================================

The first session of a path decides what the path holds; a session that is added later shows that of its path. A user
in ``users`` may have no ``mail``, a ``status`` (``invited``, ``deleted``) and a ``dueDate`` of the learner's own. Of
six sessions the fourth and the sixth have learners whom v1 does not list: without a mail, invited, deleted. In every
session, learners have left.

All other documented operations respond with samples that have the documented form. They store nothing, but for bulk
operations. The same request gets the same sample; what a POST creates has a new ID each time:

==================================  ===================================================================================
part of the request                 what it does
==================================  ===================================================================================
IDs in the path                     the answer has them; one that ends with ``0000`` does not exist: the documented 404
filters                             each item meets them; one page holds all items, unless ``page_size`` is smaller
fields of the body                  the answer has them; a body that is not valid is 400, ``badRequest`` or
                                    ``invalidInput``
items of a bulk operation           a result for each one; an error if an ID in it ends with ``0000``
==================================  ===================================================================================

A bulk operation is ``pending``, ``running`` and ``completed``: each GET of it shows the next status. The vendor
documents no schemas for v1, so its answers are made of the simulator's sessions.

What the vendor does not document is decided like this. An unknown filter, operator or value is 400, ``invalidQuery``.
Dates in filters have milliseconds set to 0, or are bare. A request without ``360-api-version`` is 400. A token for v1's
keys is refused by v2 with 403, ``invalid_scope``; one for v2's keys by v1 with 401. ``Date`` follows the clock.

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
``path``            regular expression, searched in the path, and in path and query; default ``/api/``
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
``POST /_simulator/sessions/{id}/finish``   marks a learner as finished: an object with ``mail``, or the ID there
``POST /_simulator/tokens/revoke``          makes all bearer tokens invalid
``GET /_simulator/requests``                the requests so far, without secrets; ``?since=N`` skips N
``DELETE /_simulator/requests``             clears that list
==========================================  ========================================================================
"""

from __future__ import annotations

from airflow_provider_learning360.simulator.request_log import SeenRequest
from airflow_provider_learning360.simulator.simulator import Simulator

__all__ = ["SeenRequest", "Simulator"]
