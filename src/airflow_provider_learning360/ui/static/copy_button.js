/** A button that copies a text to the clipboard, and confirms it. */

import { html } from "./html.js";
import { announce } from "./live_region.js";
import { useRef, useState } from "./preact_hooks.js";
import { text } from "./texts.js";

/** Milliseconds for which the button says that it copied. */
const CONFIRMATION = 2500;

/** @param {{source: string, label: string, [attribute: string]: any}} props */
export function CopyButton({ source, label, ...attributes }) {
  const [confirmation, setConfirmation] = useState("");
  const timer = useRef(0);
  async function run() {
    const done = await copy(source);
    setConfirmation(text(done ? "copy.done" : "copy.by_hand"));
    announce(text(done ? "copy.done" : "copy.not_allowed"));
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setConfirmation("");
      announce("");
    }, CONFIRMATION);
  }
  return html`
    <button type="button" class="button" data-variant="quiet" ...${attributes} onClick=${run}>
      ${confirmation || label}
    </button>
  `;
}

/** @param {string} content */
async function copy(content) {
  try {
    await navigator.clipboard.writeText(content);
    return true;
  } catch {
    // Over plain HTTP there is no clipboard, and an administrator may forbid it.
    return copyBySelection(content);
  }
}

/** @param {string} content */
function copyBySelection(content) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.className = "off-screen";
  area.readOnly = true;
  area.ariaHidden = "true";
  area.tabIndex = -1;
  area.value = content;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return done;
}
