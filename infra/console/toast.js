/** One short sentence at the foot of the page about what somebody just did. It goes away by itself. */

import { byId } from './elements.js'

const shownForMs = 6_000
let timer = 0

/** @param {string} sentence */
export function toast(sentence) {
  byId('toast').textContent = sentence
  clearTimeout(timer)
  timer = setTimeout(() => {
    byId('toast').textContent = ''
  }, shownForMs)
}
