/** Makes elements, and shows lists so that what did not change stays: focus, selection and scroll position with it. */

/**
 * Text comes in by `textContent` or as text nodes only, so nothing a mail holds can become markup.
 * @param {string} tag
 * @param {{ text?: string, children?: (Node | string | null)[], onclick?: () => void, [attribute: string]: any }} [properties]
 *   attributes that are null, undefined or false are left out
 */
export function element(tag, { text, children = [], onclick, ...attributes } = {}) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    made.setAttribute(name, value === true ? '' : String(value))
  }
  if (text !== undefined) made.textContent = text
  if (onclick) made.addEventListener('click', onclick)
  made.append(...children.filter(child => child !== null))
  return made
}

/** @param {string} id @returns {any} an element of the page by its id */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no element '${id}'`)
  return found
}

/** @type {WeakMap<Element, string>} What each entry was made from. */
const signatures = new WeakMap()

/**
 * @template T
 * @param {Element} list
 * @param {{ entries: T[], keyOf(entry: T): string, render(entry: T): Element }} options
 *   `keyOf` names an entry over time; an entry is made anew only when its JSON differs
 */
export function showList(list, { entries, keyOf, render }) {
  const known = new Map([...list.children].map(child => [child.getAttribute('data-key'), child]))
  const wanted = entries.map(entry => {
    const key = keyOf(entry)
    const signature = JSON.stringify(entry)
    const before = known.get(key)
    if (before && signatures.get(before) === signature) return before
    const made = render(entry)
    made.setAttribute('data-key', key)
    signatures.set(made, signature)
    if (before) replaceKeepingFocus(before, made)
    return made
  })
  const kept = new Set(wanted)
  for (const child of [...list.children]) if (!kept.has(child)) child.remove()
  let place = list.firstElementChild
  for (const child of wanted) {
    if (child === place) place = place.nextElementSibling
    else list.insertBefore(child, place)
  }
}

/** @param {Element} before @param {Element} after */
function replaceKeepingFocus(before, after) {
  const focusable = 'a, button, summary'
  const index = [...before.querySelectorAll(focusable)].findIndex(one => one.matches(':focus'))
  before.replaceWith(after)
  const heir = after.querySelectorAll(focusable)[index]
  if (heir instanceof HTMLElement) heir.focus({ preventScroll: true })
}

/** A short word about a state. @param {{ tone: string, text: string }} badge */
export function badge({ tone, text }) {
  return element('span', { class: `badge ${tone}`, text })
}
