/** Copy to the clipboard. */

import { announce, element } from "./element.js";
import { text } from "./texts.js";

/** Milliseconds for which the button says that it copied. */
const CONFIRMATION = 2500;

/**
 * Let a button copy a text, and confirm it.
 * @param {HTMLElement} button
 * @param {() => string} getText
 */
export function copyOnClick(button, getText) {
  const label = button.textContent;
  let timer = 0;
  button.addEventListener("click", async () => {
    const done = await copy(getText());
    button.textContent = text(done ? "copy.done" : "copy.by_hand");
    announce(text(done ? "copy.done" : "copy.not_allowed"));
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
      announce("");
    }, CONFIRMATION);
  });
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
  const area = element("textarea", { class: "off-screen", readonly: true, "aria-hidden": "true", tabindex: "-1" });
  area.value = content;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return done;
}
