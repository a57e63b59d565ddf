/** The page: five steps, and what each tells the others. */

import { leaveFrameOnLinks } from "./airflow.js";
import { ConnectionPicker } from "./connections.js";
import { byId, element, fill } from "./element.js";
import { readSelection, watchSelection, writeSelection } from "./selection.js";
import { SessionRequest } from "./session_request.js";
import { SessionSearch } from "./sessions.js";
import { translatePage } from "./texts.js";
import { WatchedAssetList } from "./watched_assets.js";
import { WorkflowPicker } from "./workflows.js";

translatePage();

let selection = readSelection();
/** Name of the selected session, if it is known. */
let sessionName = "";

const connections = new ConnectionPicker(openConnection);
const sessions = new SessionSearch(selectSession, showSelected);
const request = new SessionRequest({
  onWrongId: () => sessions.focus(),
  onSuccess: afterSuccess,
  onFailure: () => workflows.close(),
});
const workflows = new WorkflowPicker();
const watched = new WatchedAssetList(() => workflows.goTo("events") || sessions.focus());

leaveFrameOnLinks();
watchSelection(followAddress);
connections.load(selection.connection);
watched.load();

/** @param {string} id ID of the connection; empty if there is none */
function openConnection(id) {
  // The session of a link belongs to the connection of the link.
  const session = !selection.connection || selection.connection === id ? selection.session : "";
  selection = { connection: id, session };
  if (id) writeSelection(selection);
  sessions.open(id, session);
  openSession(session);
}

/** @param {{id: string, name?: string}} session selected by the reader */
function selectSession(session) {
  if (session.id !== selection.session) {
    selection = { ...selection, session: session.id };
    writeSelection(selection);
    openSession(session.id, session.name);
  }
  showSelected(session);
  request.focus();
}

/** @param {string} id @param {string} [name] */
function openSession(id, name = "") {
  sessionName = name;
  if (id) showSelected({ id });
  request.open(selection.connection, id);
  workflows.open(selection.connection, id, name);
}

/** @param {{id: string, name?: string}} session */
function showSelected({ id, name }) {
  fill(byId("session-selected"), name && element("strong", {}, name.trim()), element("code", {}, id));
}

/** @param {string} title name and ID of the session */
function afterSuccess(title) {
  if (!byId("session-selected").querySelector("strong")) fill(byId("session-selected"), element("strong", {}, title));
  if (!workflows.isOpen) workflows.open(selection.connection, selection.session, sessionName);
}

/** The reader changed the address. */
function followAddress() {
  const before = selection;
  selection = readSelection();
  if (selection.connection === before.connection && selection.session === before.session) return;
  if (connections.select(selection.connection)) return;
  selection = before;
  writeSelection(selection);
}
