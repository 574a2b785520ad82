/** What a header's value holds once the parser has decoded it: ids, addresses, a line. Cut to what a row can hold. */

import type { AddressObject } from 'mailparser'
import type { Address } from '../channel/messages.ts'

/** RFC 5321 4.5.3.1.3 */
const addressLength = 254
const nameLength = 128

/** RFC 5322 3.6.4 as it is found: ids with and without brackets, separated by anything. */
export function messageIdsIn(value: string | string[] | undefined): string[] {
  const text = Array.isArray(value) ? value.join(' ') : (value ?? '')
  return (text.match(/<[^<>\s]{1,996}>/g) ?? []).map(id => oneLine(id, 998))
}

export function addressesIn(value: AddressObject | AddressObject[] | undefined, limit: number): Address[] {
  const objects = value === undefined ? [] : Array.isArray(value) ? value : [value]
  return objects
    .flatMap(object => object.value)
    .flatMap(entry => [entry, ...(entry.group ?? [])])
    .filter(entry => entry.address)
    .slice(0, limit)
    .map(entry => ({
      address: oneLine(entry.address ?? '', addressLength),
      name: entry.name ? oneLine(entry.name, nameLength) : null,
    }))
}

/** Control characters have no business in a header's value; half a surrogate pair is refused by databases. */
export function oneLine(text: string, limit: number): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, limit)
    .toWellFormed()
}
