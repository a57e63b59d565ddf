/** The place of the page whose text screen readers read aloud. */

/** @param {string} message */
export function announce(message) {
  document.getElementById("announcement").textContent = message;
}
