/**
 * HTML that a page may show, by sanitize-html: only what is named here stays. Nothing in it runs, is sent or is
 * loaded from elsewhere: a remote picture tells the sender who reads when and where. Its https: address is kept as
 * `data-remote-src`, which loads nothing: a page that asks its reader may make a `src` of it. The raw HTML stands beside it.
 */

import sanitize from 'sanitize-html'
import { isTooDeep } from './html-depth.ts'

/** Longer HTML is kept as it came, and not made safe: it takes seconds, and no mail that a person wrote is. */
const lengthLimit = 2_000_000

const remoteSource = 'data-remote-src'

const layout = ['align', 'valign', 'bgcolor', 'color', 'width', 'height', 'border', 'dir', 'lang', 'title']

const rules: sanitize.IOptions = {
  allowedTags: [
    ...'address article aside footer header h1 h2 h3 h4 h5 h6 hgroup main nav section'.split(' '),
    ...'blockquote center dd div dl dt figcaption figure hr li ol p pre ul'.split(' '),
    ...'a abbr b bdi bdo big br cite code del dfn em font i img ins kbd mark q'.split(' '),
    ...'s samp small span strike strong sub sup time tt u var wbr'.split(' '),
    ...'caption col colgroup table tbody td tfoot th thead tr'.split(' '),
  ],
  allowedAttributes: {
    '*': layout,
    a: ['href', 'rel', 'target'],
    img: ['src', 'alt', remoteSource],
    font: ['face', 'size'],
    ol: ['start', 'type'],
    table: ['cellpadding', 'cellspacing'],
    td: ['colspan', 'rowspan'],
    th: ['colspan', 'rowspan'],
  },
  allowedSchemes: ['http', 'https', 'mailto', 'tel'],
  // `cid:` names a part of the same mail.
  allowedSchemesByTag: { img: ['cid'] },
  allowProtocolRelative: false,
  // What is named here goes with what is in it; the text within other unknown tags stays.
  nonTextTags: [
    'script',
    'style',
    'textarea',
    'option',
    'noscript',
    'title',
    'template',
    'svg',
    'math',
    'xmp',
  ],
  parseStyleAttributes: false,
  transformTags: {
    a: (tagName, { href, ...attribs }) => ({
      tagName,
      // A page that opens by a link must not reach back into the one that shows the mail (nor learn its address).
      attribs: isLink(href)
        ? { ...attribs, href, rel: 'noopener noreferrer nofollow', target: '_blank' }
        : {},
    }),
    img: (tagName, { src = '', alt = '', ...others }) => {
      // What is named so by the mail itself is not ours.
      const { [remoteSource]: _, ...attribs } = others
      return { tagName, attribs: { ...attribs, ...sourceOf(src.trim()), alt } }
    },
  },
}

/** @returns null where the HTML is too long or too deep to be made safe in reasonable time */
export function sanitizedHtml(html: string): string | null {
  if (html.length > lengthLimit || isTooDeep(html)) return null
  return sanitize(html, rules)
}

/** Picture addresses that need a path of ours or another scheme than https: are left out. */
function sourceOf(src: string): Record<string, string> {
  if (/^cid:/i.test(src)) return { src }
  return /^https:\/\//i.test(src) && URL.canParse(src) ? { [remoteSource]: new URL(src).href } : {}
}

/** A relative link of a mail leads into the page that shows it. */
function isLink(href: string | undefined): href is string {
  return href !== undefined && /^\s*(https?:|mailto:|tel:)/i.test(href)
}
