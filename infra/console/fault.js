/** Shows a fault: what is wrong, who has to act, what the other side said, and what can be done here. */

import { element } from './elements.js'
import { actorSentence } from './wording.js'

/**
 * @param {{ code: string, actor: string, summary: string, evidence: string | null }} fault
 * @param {{ tone?: string, children?: (Node | null)[] }} [options] `children` follow below, such as a button
 */
export function faultBox(fault, { tone = 'bad', children = [] } = {}) {
  const code = fault.evidence ? `${fault.code}: ${fault.evidence}` : fault.code
  return element('div', {
    class: `fault ${tone}`,
    children: [
      element('p', {
        children: [element('strong', { text: fault.summary }), ` ${actorSentence(fault.actor)}`],
      }),
      element('p', { children: [element('code', { text: code })] }),
      ...children,
    ],
  })
}
