/**
 * Shows a mail as its sender laid it out, shut into a frame: nothing in it runs or is sent, and nothing is loaded from
 * elsewhere unless the reader asks for its pictures, which tells their servers that it is read.
 */

import { element } from './elements.js'

/** More or larger pictures than these are left out; the original has them. */
const pictureLimit = 30
const pictureBytes = 2_000_000
const remote = 'img[data-remote-src]'

/**
 * The HTML is the API's `htmlSanitized`, already without scripts and styles, its remote pictures named by
 * `data-remote-src`. The frame has no origin and no scripts all the same, and a policy of its own, stricter than this
 * page's, which it inherits as well.
 * @param {any} message
 * @param {{ readPicture(path: string, contentType: string): Promise<string> }} options answers a data: URL
 */
export function formattedMail(message, { readPicture }) {
  const frame = element('iframe', {
    class: 'formatted',
    title: `${message.subject || 'Mail'}, formatted`,
    // Links may open, in a page that knows nothing of this one.
    sandbox: 'allow-popups allow-popups-to-escape-sandbox',
    referrerpolicy: 'no-referrer',
  })
  const more = element('p', { class: 'quiet remote-pictures', hidden: true })
  prepare(message, readPicture).then(({ parsed, hasRemotePictures }) => {
    frame.srcdoc = framed(parsed, { withRemotePictures: false })
    if (!hasRemotePictures) return
    more.hidden = false
    more.append(
      'Its pictures lie on other servers, which learn that it is read once they are loaded. ',
      element('button', {
        type: 'button',
        text: 'Load pictures',
        onclick() {
          frame.srcdoc = framed(parsed, { withRemotePictures: true })
          more.textContent = 'Pictures are loaded from other servers.'
          // The button that had the focus is gone.
          frame.focus()
        },
      }),
    )
  })
  return element('div', { children: [more, frame] })
}

/** @param {any} message @param {(path: string, contentType: string) => Promise<string>} readPicture */
async function prepare({ id, htmlSanitized, attachments }, readPicture) {
  const parsed = new DOMParser().parseFromString(htmlSanitized, 'text/html')
  const pictures = [...parsed.querySelectorAll('img[src^="cid:"]')].slice(0, pictureLimit)
  await Promise.all(
    pictures.map(async picture => {
      const contentId = (picture.getAttribute('src') ?? '').slice('cid:'.length)
      const part = attachments.find((/** @type {any} */ one) => bare(one.contentId) === contentId)
      picture.removeAttribute('src')
      if (!part || part.sizeBytes > pictureBytes || !part.contentType.startsWith('image/')) return
      const path = `/v1/messages/${encodeURIComponent(id)}/attachments/${part.index}`
      const url = await readPicture(path, part.contentType).catch(() => null)
      if (url) picture.setAttribute('src', url)
    }),
  )
  return { parsed, hasRemotePictures: parsed.querySelector(remote) !== null }
}

/** The mail as a page of its own. @param {Document} parsed @param {{ withRemotePictures: boolean }} options */
function framed(parsed, { withRemotePictures }) {
  const page = /** @type {Document} */ (parsed.cloneNode(true))
  if (withRemotePictures)
    for (const picture of page.querySelectorAll(remote))
      picture.setAttribute('src', picture.getAttribute('data-remote-src') ?? '')
  const policy = page.createElement('meta')
  policy.httpEquiv = 'Content-Security-Policy'
  policy.content = `default-src 'none'; style-src ${location.origin}; img-src data:${withRemotePictures ? ' https:' : ''}`
  const referrer = page.createElement('meta')
  referrer.name = 'referrer'
  referrer.content = 'no-referrer'
  const style = page.createElement('link')
  style.rel = 'stylesheet'
  style.href = new URL('formatted.css', document.baseURI).href
  // A policy holds for what comes after it.
  page.head.prepend(policy, referrer, style)
  return `<!doctype html>${page.documentElement.outerHTML}`
}

/** @param {string | null} contentId with or without its angle brackets */
function bare(contentId) {
  return contentId?.replace(/^<|>$/g, '')
}
