/** The frame of every page a mailbox owner sees: plain HTML that needs no script, in light and dark, with its security headers. */

import { createHash } from 'node:crypto'
import type { HttpAnswer } from '../channel/http.ts'

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1a2230, #e9edf3); --quiet: light-dark(#54606f, #a7b2c1);
  --paper: light-dark(#fff, #1a2029); --ground: light-dark(#eef1f6, #0f1319); --line: light-dark(#d3dae4, #353f4d);
  --accent: light-dark(#1b5bbb, #8db8ff); --on-accent: light-dark(#fff, #0b1930); --good: light-dark(#146c3c, #7fd6a2);
  --warn: light-dark(#8a5200, #f2c178); --bad: light-dark(#a2201c, #ff9f97) }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif }
main { width: min(29rem, 100%); background: var(--paper); border: 1px solid var(--line); border-radius: 16px;
  padding: clamp(1.25rem, 5vw, 2.25rem); overflow-wrap: anywhere }
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .75rem; text-wrap: balance } p { margin: 0 0 1rem }
ul { padding-left: 1.25rem; margin: 0 0 1.25rem } li { margin: .15rem 0 } p:last-child { margin-bottom: 0 }
.quiet { color: var(--quiet); font-size: .9rem } .mark { font-size: 1.75rem; line-height: 1; margin: 0 0 .75rem }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) }
.steps { list-style: none; padding: 0 } .steps li { display: flex; gap: .6rem; align-items: baseline }
button, .button { display: block; width: 100%; border: 1px solid transparent; border-radius: 10px; padding: .8rem 1rem;
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; background: var(--accent);
  color: var(--on-accent); cursor: pointer; margin-bottom: 1rem }
.second { background: none; border-color: var(--line); color: var(--ink) }
button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
a { color: var(--accent) } code { font-size: .85rem }
.bar { height: 6px; border-radius: 3px; overflow: hidden; background: var(--line); margin: 0 0 1.25rem }
.bar::before { content: ""; display: block; height: 100%; width: 40%; border-radius: 3px; background: var(--accent);
  animation: move 1.6s ease-in-out infinite alternate }
@keyframes move { from { margin-left: 0 } to { margin-left: 60% } }
@media (prefers-reduced-motion: reduce) { .bar::before { animation: none; width: 100% } }`

/** The one style that may apply; a style from anywhere else, an attribute included, does not. */
const styleHash = createHash('sha256').update(style).digest('base64')

/** Text that is safe in HTML and in quoted attributes. Control characters go: they only ever hide something. */
export function escapeHtml(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

interface Page {
  status: number
  title: string
  /** HTML, with everything foreign escaped. */
  body: string
  /** Where forms may lead, besides here: browsers apply this to redirects as well. */
  formTarget?: string
  cookie?: string
  /** A path of ours the browser goes on to by itself. */
  continueTo?: string
}

export function page({ status, title, body, formTarget, cookie, continueTo }: Page): HttpAnswer {
  const refresh = continueTo ? `<meta http-equiv="refresh" content="0;url=${escapeHtml(continueTo)}">` : ''
  return {
    statusCode: status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'content-security-policy': [
        "default-src 'none'",
        `style-src 'sha256-${styleHash}'`,
        `form-action ${formTarget ? `'self' ${formTarget}` : "'none'"}`,
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ].join('; '),
    },
    ...(cookie && { cookies: [cookie] }),
    body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">${refresh}
<title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>${body}</main></body></html>`,
  }
}

/** 303: the browser must not carry a POST on to the provider (RFC 9700 4.12). */
export function redirect(location: string): HttpAnswer {
  return {
    statusCode: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  }
}
