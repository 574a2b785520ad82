/** Shows a mail as its sender laid it out, shut into a frame: nothing in it runs, is sent, or is loaded from elsewhere. */

import { element } from './elements.js'

/** More or larger pictures than these are left out; the original has them. */
const pictureLimit = 30
const pictureBytes = 2_000_000

/**
 * The HTML is the API's `htmlSanitized`, already without scripts, styles and remote pictures. The frame has no
 * origin and no scripts all the same, and inherits this page's content security policy.
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
  withPictures(message, readPicture).then(html => {
    frame.srcdoc = html
  })
  return frame
}

/** @param {any} message @param {(path: string, contentType: string) => Promise<string>} readPicture */
async function withPictures({ id, htmlSanitized, attachments }, readPicture) {
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
  const style = parsed.createElement('link')
  style.rel = 'stylesheet'
  style.href = new URL('formatted.css', document.baseURI).href
  parsed.head.append(style)
  return `<!doctype html>${parsed.documentElement.outerHTML}`
}

/** @param {string | null} contentId with or without its angle brackets */
function bare(contentId) {
  return contentId?.replace(/^<|>$/g, '')
}
