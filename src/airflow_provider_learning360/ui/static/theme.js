/** Light or dark, as Airflow is; loaded on its own, before the page is painted. */

import { airflow } from "./airflow.js";

const system = window.matchMedia("(prefers-color-scheme: dark)");

follow();
system.addEventListener("change", follow);
window.addEventListener("storage", follow);
if (airflow) {
  const changes = new MutationObserver(follow);
  changes.observe(airflow.document.documentElement, { attributes: true, attributeFilter: ["class", "data-theme"] });
  window.addEventListener("pagehide", () => changes.disconnect());
}

function follow() {
  document.documentElement.dataset.theme = shownByAirflow() ?? chosenInAirflow() ?? (system.matches ? "dark" : "light");
}

function shownByAirflow() {
  const names = airflow?.document.documentElement.classList;
  return ["dark", "light"].find((name) => names?.contains(name));
}

/** What next-themes, which Airflow uses, keeps; "system" is no answer. */
function chosenInAirflow() {
  try {
    return ["dark", "light"].find((name) => name === localStorage.getItem("theme"));
  } catch {
    // Storage may be switched off.
    return undefined;
  }
}
