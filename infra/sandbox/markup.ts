/** HTML in which every inserted value is escaped, and the frame that all pages of the sandbox share. */

/** A piece of HTML that needs no escaping. */
export interface Markup {
  readonly markup: string
}

type Value = string | number | null | undefined | false | Markup | readonly Value[]

/** A template tag: strings and numbers are escaped, markup and lists of it are inserted, null and false are nothing. */
export function html(literals: TemplateStringsArray, ...values: Value[]): Markup {
  return { markup: literals.reduce((text, literal, index) => text + render(values[index - 1]) + literal) }
}

function render(value: Value): string {
  if (value === null || value === undefined || value === false) return ''
  if (typeof value === 'string' || typeof value === 'number') return escapeText(String(value))
  if ('markup' in value) return value.markup
  return value.map(render).join('')
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

const style = {
  markup: `
:root { color-scheme: light dark; --line: light-dark(#d9d5cc, #3d3b37); --soft: light-dark(#f4f1ea, #262522);
  --ink: light-dark(#23211d, #edeae3); --dim: light-dark(#5f5a50, #a9a498); --accent: light-dark(#1d5a4c, #7fd0bb); }
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: light-dark(#fbf9f5, #1a1917); }
main { max-width: 54rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
main.narrow { max-width: 30rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .25rem 0 1rem; }
.dim, dt { color: var(--dim); }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: .5rem 0; background: var(--soft); }
article h4 { margin: 0; font-size: 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; margin: .25rem 0; font-size: .85rem; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: .5rem 0 0; }
label { display: block; margin: .5rem 0; }
label > span { display: block; font-size: .875rem; color: var(--dim); }
input[type=text], input[type=email], textarea, select { width: 100%; font: inherit; color: inherit; padding: .4rem .5rem;
  background: light-dark(#fff, #141312); border: 1px solid light-dark(#8a8578, #77736a); border-radius: .375rem; }
fieldset { border: 0; padding: 0; margin: 1rem 0; }
legend { padding: 0; font-weight: 600; }
.choice { display: grid; grid-template-columns: auto 1fr; gap: 0 .75rem; align-items: start; border: 1px solid var(--line);
  border-radius: .5rem; padding: .75rem 1rem; background: var(--soft); cursor: pointer; }
.choice:has(:checked) { border-color: var(--accent); }
.choice input { margin: .35rem 0 0; accent-color: var(--accent); }
.choice small { display: block; color: var(--dim); overflow-wrap: anywhere; }
button { font: inherit; font-weight: 600; padding: .5rem 1.1rem; border-radius: .375rem; border: 1px solid var(--accent);
  color: var(--accent); background: transparent; cursor: pointer; margin: .25rem .5rem .25rem 0; }
button.main { background: var(--accent); color: light-dark(#fff, #10201c); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
details { margin: .5rem 0; }
form > details { margin-bottom: 1.25rem; }
summary { cursor: pointer; padding: .25rem 0; color: var(--accent); }
ul { padding-left: 1.25rem; }
code { font-size: .875em; overflow-wrap: anywhere; }
`,
}

/** A whole page with the sandbox's look. `narrow` is for a page with one decision. */
export function page({ title, narrow, body }: { title: string; narrow: boolean; body: Markup }): Markup {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body><main class="${narrow ? 'narrow' : 'wide'}">${body}</main></body>
</html>
`
}
