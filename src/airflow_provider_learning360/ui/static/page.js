/** The page: five parts, and what one tells the others. */

import { leaveFrameOnLinks } from "./airflow.js";
import { ConnectionChoice } from "./connections.js";
import { byId, element, fill } from "./element.js";
import { followPlace, readPlace, writePlace } from "./place.js";
import { RequestTrial } from "./requests.js";
import { SessionSearch } from "./sessions.js";
import { WatchedList } from "./watched.js";
import { WorkflowOffer } from "./workflows.js";

let place = readPlace();

const connections = new ConnectionChoice(openConnection);
const sessions = new SessionSearch(chooseSession, showChosen);
const request = new RequestTrial(() => sessions.focus(), showTitle);
const workflows = new WorkflowOffer();
const watched = new WatchedList(() => workflows.goTo("events") || sessions.focus());

leaveFrameOnLinks();
followPlace(moveTo);
connections.load(place.connection);
watched.load();

/** @param {string} id ID of the connection; empty: there is none */
function openConnection(id) {
  // The session of a link belongs to the connection of the link.
  const session = !place.connection || place.connection === id ? place.session : "";
  place = { connection: id, session };
  if (id) writePlace(place);
  sessions.open(id, session);
  openSession(session);
}

/** @param {{id: string, name?: string | null}} session chosen by the reader */
function chooseSession(session) {
  if (session.id !== place.session) {
    place = { ...place, session: session.id };
    writePlace(place);
    openSession(session.id, session.name);
  }
  showChosen(session);
  request.focus();
}

/** @param {string} id @param {string | null} [name] */
function openSession(id, name) {
  if (id) showChosen({ id });
  request.open(place.connection, id);
  workflows.open(place.connection, id, name ?? "");
}

/** @param {{id: string, name?: string | null}} session */
function showChosen({ id, name }) {
  fill(byId("session-chosen"), name && element("strong", {}, name.trim()), element("code", {}, id));
}

/** @param {string} title what the answer calls the session; it has the ID in it */
function showTitle(title) {
  if (!byId("session-chosen").querySelector("strong")) fill(byId("session-chosen"), element("strong", {}, title));
}

/** The reader changed the address. */
function moveTo() {
  const before = place;
  place = readPlace();
  if (place.connection === before.connection && place.session === before.session) return;
  if (connections.choose(place.connection)) return;
  place = before;
  writePlace(place);
}
