/** A mail address that every server takes. */

import { domainToASCII } from 'node:url'
import * as v from 'valibot'

/** RFC 5321 4.5.3.1: 64 octets before the @, 254 in all. No quoted local parts: they have fooled parsers. */
const addressPattern =
  /^[^\s"(),:;<>@[\\\]\p{Cc}]{1,64}@[^\s"(),:;<>@[\\\]\p{Cc}]+\.[^\s"(),:;<>@[\\\]\p{Cc}]+$/u

const localPartOf = (address: string) => address.slice(0, address.lastIndexOf('@'))
const domainOf = (address: string) => address.slice(address.lastIndexOf('@') + 1)
const isAscii = (text: string) => !/\P{ASCII}/u.test(text)

/** The last label is never all digits, as that of an IP address is. */
const labels = /^(?:[\w-]{1,63}\.)+(?=[\w-]*[a-z])[\w-]{1,63}$/i

/** RFC 5890 2.3.2.1: a domain beyond ASCII travels as A-labels (`xn--…`); only then does every server understand it. */
function withAsciiDomain(address: string): string {
  const domain = domainOf(address)
  // What reads domains of URLs would decode percent signs as well.
  const ascii = isAscii(domain) || domain.includes('%') ? domain : domainToASCII(domain)
  // Full-width digits become an IP address, and forbidden characters nothing: neither is a domain.
  return labels.test(ascii) ? `${localPartOf(address)}@${ascii}` : address
}

/** Of one mailbox, without a name. */
export const addressSchema = v.pipe(
  v.string(),
  v.regex(addressPattern, 'must be a mail address such as ada@contoso.example'),
  v.transform(withAsciiDomain),
  v.maxLength(254, 'must be at most 254 characters'),
  v.check(
    text => isAscii(localPartOf(text)),
    'must have only ASCII before the @: the providers take no other addresses',
  ),
  v.check(text => isAscii(domainOf(text)), 'must have a domain that the DNS can hold'),
)
