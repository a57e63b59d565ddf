/** DOM elements. Values of the API become text nodes only: a session may be called "<img onerror=…>". */

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] a function is a listener (`onclick`); `true` an attribute without a value;
 *   null, undefined and false are left out
 * @param {...any} children nodes and texts; null, undefined and false are left out
 * @returns {any} the element
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter(isShown));
  return made;
}

/**
 * Replace the content of an element.
 * @param {Element} parent
 * @param {...any} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter(isShown));
}

/**
 * The element of the page that has this ID.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Run the work of a button. While it is busy, it says so and ignores clicks.
 * It is not `disabled`, because a disabled button loses the focus.
 * @param {HTMLElement} button
 * @param {() => Promise<void>} work
 */
export async function runBusy(button, work) {
  if (isBusy(button)) return;
  setBusy(button, true);
  try {
    await work();
  } finally {
    setBusy(button, false);
  }
}

/** @param {HTMLElement} button */
function isBusy(button) {
  return button.getAttribute("aria-busy") === "true";
}

/** @param {HTMLElement} button @param {boolean} on */
function setBusy(button, on) {
  button.setAttribute("aria-busy", String(on));
  button.setAttribute("aria-disabled", String(on));
}

/**
 * Say something to screen readers.
 * @param {string} message
 */
export function announce(message) {
  byId("announcement").textContent = message;
}

function isShown(child) {
  return child !== null && child !== undefined && child !== false;
}
