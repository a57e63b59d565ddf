/** The parts of the page, and what each tells the others. */

import { listOperations, readVersion } from "./api.js";
import { useConnectionList } from "./connection_list.js";
import { ConnectionPart } from "./connection_part.js";
import { useFocus } from "./focus.js";
import { html } from "./html.js";
import { lazy } from "./lazy.js";
import { useLoaded } from "./loaded.js";
import { NoFlow } from "./no_flow.js";
import { useEffect, useState } from "./preact_hooks.js";
import { ReminderPart } from "./reminder_part.js";
import { isSameSelection, readSelection, watchSelection, writeSelection } from "./selection.js";
import { SessionSearch } from "./session_search.js";
import { TaskPart } from "./task_part.js";
import { text } from "./texts.js";
import { WatchedPart } from "./watched_part.js";

/** @typedef {import("./selection.js").Selection} Selection */

const OperationFlow = lazy(async () => (await import("./operation_flow.js")).OperationFlow);
const SessionFlow = lazy(async () => (await import("./session_flow.js")).SessionFlow);

export function App() {
  const [selection, setSelection] = useState(readSelection);
  const [task, setTask] = useState(() => taskOf(selection));
  /** Name of the selected session, if it is known. */
  const [name, setName] = useState("");
  /** Another object whenever the search for sessions starts again. */
  const [opened, setOpened] = useState({});
  const [notFound, setNotFound] = useState("");
  const [kind, setKind] = useState("");
  const focus = useFocus();
  const connections = useConnectionList(openFirst);
  const operations = useLoaded(listOperations, []);
  const connection = connections.list ? selection.connection : "";
  const { content: version } = useLoaded((signal) => readVersion(connection, signal), [connection], Boolean(connection));

  useEffect(() => watchSelection(followAddress));
  const isReady = connections.list && (operations.content || operations.failure);
  useEffect(() => {
    if (isReady) document.documentElement.dataset.ready = "true";
  }, [isReady]);

  /** @param {import("./api.js").ConnectionList} list */
  function openFirst({ connections: all, preselected }) {
    const wanted = selection.connection;
    const exists = all.some(({ id }) => id === wanted);
    setNotFound(wanted && !exists ? wanted : "");
    openConnection(exists ? wanted : (preselected ?? ""), selection);
  }

  /** @param {string} id empty if there is none @param {Selection} before */
  function openConnection(id, before) {
    // The session of a link belongs to the connection of the link.
    const isKept = !before.connection || before.connection === id;
    change({ ...before, connection: id, session: isKept ? before.session : "" });
    setOpened({});
  }

  /** @param {Selection} next @param {string} [sessionName] */
  function change(next, sessionName = "") {
    setSelection(next);
    setName(sessionName);
    if (taskOf(next)) setTask(taskOf(next));
    if (next.connection) writeSelection(next);
  }

  /** The reader changed the address. */
  function followAddress() {
    const wanted = readSelection();
    if (isSameSelection(wanted, selection)) return;
    const exists = connections.list?.connections.some(({ id }) => id === wanted.connection);
    if (exists) openConnection(wanted.connection, wanted);
    else writeSelection(selection);
  }

  /** @param {{id: string, name?: string}} session */
  function selectSession({ id, name: sessionName = "" }) {
    if (id !== selection.session) change({ ...selection, operation: "", session: id }, sessionName);
    focus("test-request");
  }

  /** @param {string} operation its name */
  function selectOperation(operation) {
    change({ ...selection, operation, session: "" });
  }

  function selectTask(next) {
    setTask(next);
    setOpened({});
  }

  function showWorkflow() {
    setTask("session");
    setKind("events");
    focus("events-tab", "search");
  }

  const shown = task || "any";
  return html`
    <${ConnectionPart}
      connections=${connections}
      selected=${connection}
      notFound=${notFound}
      onSelect=${(id) => openConnection(id, selection)}
    />
    <${TaskPart}
      hasConnection=${Boolean(connection)}
      task=${shown}
      onTask=${selectTask}
      operations=${operations}
      version=${version?.version ?? ""}
      selected=${selection.operation}
      onSelect=${selectOperation}
    >
      <${SessionSearch}
        connection=${connection}
        selected=${selection.session}
        opened=${opened}
        onSelect=${selectSession}
        onFind=${(session) => setName(session.name)}
      />
    <//>
    <${Flow}
      connection=${connection}
      operation=${shown === "any" ? selection.operation : ""}
      session=${shown === "session" ? selection.session : ""}
      hint=${text(shown === "session" ? "request.choose_session" : "request.choose_operation")}
      name=${name}
      kind=${kind}
      onKind=${setKind}
      onChooseSession=${() => focus("search")}
      onOperation=${selectOperation}
      onChooseOperation=${() => focus("operation")}
    />
    <${ReminderPart} connection=${connection} session=${selection.session} />
    <${WatchedPart} onShowWorkflow=${showWorkflow} />
  `;
}

/** Parts 3 to 5. They start again with another connection, operation or session. */
function Flow({ connection, operation, session, hint, name, kind, onKind, onChooseSession, ...choices }) {
  const key = [connection, operation, session].join(" ");
  if (connection && operation) {
    return html`
      <${OperationFlow}
        key=${key}
        connection=${connection}
        name=${operation}
        onSelect=${choices.onOperation}
        onChooseOperation=${choices.onChooseOperation}
      />
    `;
  }
  if (!connection || !session) return html`<${NoFlow} hint=${connection ? hint : text("session.choose_connection")} />`;
  return html`
    <${SessionFlow}
      key=${key}
      connection=${connection}
      id=${session}
      name=${name}
      kind=${kind}
      onKind=${onKind}
      onChooseSession=${onChooseSession}
    />
  `;
}

/** @param {Selection} selection @returns {"any" | "session" | ""} */
function taskOf({ operation, session }) {
  return session ? "session" : operation ? "any" : "";
}
