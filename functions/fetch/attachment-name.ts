/** The name a person sees of an attachment. Only ever shown: what is stored lies under a number. */

const lengthLimit = 150
const endingLimit = 20

/** Left to right marks, zero width letters, controls: `gpj.exe` must not look like `exe.jpg`. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]+/gu
/** Wildcards and separators of Windows and of shells. */
const notInNames = /[<>:"|?*]/g
/** Windows opens devices of these names, whatever the ending. */
const device = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i

export function attachmentName(given: string | undefined): string {
  const seen = (given ?? '').slice(0, 2_000).normalize('NFC').replace(invisible, ' ')
  const name = (seen.split(/[/\\]/).at(-1) ?? '')
    .replace(notInNames, '_')
    .replace(/\s+/g, ' ')
    .replace(/^[.\s]+|[.\s]+$/g, '')
    .replace(device, '_$1')
  return name === '' ? 'attachment' : shortened(name)
}

/** By whole letters, and keeping the ending, by which people and programs know what it is. */
function shortened(name: string): string {
  const letters = [...name]
  if (name.length <= lengthLimit) return name
  const ending = /\.[^.\s]+$/.exec(name)?.[0] ?? ''
  const kept = ending.length <= endingLimit ? ending : ''
  let length = kept.length
  const stem: string[] = []
  for (const letter of letters) {
    length += letter.length
    if (length > lengthLimit) break
    stem.push(letter)
  }
  return `${stem.join('').trimEnd()}${kept}`
}
