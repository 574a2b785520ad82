/** The words of the console: times, addresses, states, and who must act. */

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const exactClock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' })

/** @param {string} iso @returns {string} the clock for today, else the day too */
export function whenText(iso) {
  return onItsDay(iso, clock)
}

/** With seconds, for what goes on while one looks. @param {string} iso */
export function exactWhenText(iso) {
  return onItsDay(iso, exactClock)
}

/** @param {string} iso @param {Intl.DateTimeFormat} format */
function onItsDay(iso, format) {
  const at = new Date(iso)
  const isToday = at.toDateString() === new Date().toDateString()
  return isToday ? format.format(at) : `${day.format(at)}, ${format.format(at)}`
}

/** @param {{ address: string, name?: string | null }[]} addresses */
export function addressesText(addresses) {
  return addresses.map(({ address, name }) => (name ? `${name} <${address}>` : address)).join(', ')
}

/** An address that breaks after its @ where a line is too short for it. @param {string} text @returns {(Node | string)[]} */
export function addressParts(text) {
  const at = text.indexOf('@') + 1
  return at === 0 ? [text] : [text.slice(0, at), document.createElement('wbr'), text.slice(at)]
}

/** @param {number} bytes */
export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** @type {Record<string, string>} By provider id. */
export const providerNames = { microsoft: 'Microsoft 365', google: 'Google' }

/** @type {Record<string, string>} */
const actorSentences = {
  nobody: 'Nobody has to act: it is tried again without you.',
  app: 'The app that asked has to act.',
  owner: 'The owner of the mailbox has to act.',
  tenant_admin: 'An administrator of the owner’s organization has to act.',
  operator: 'Whoever runs this Postroom has to act.',
}

/** @param {string | undefined} actor */
export function actorSentence(actor) {
  return actor ? (actorSentences[actor] ?? `Who has to act: ${actor}.`) : ''
}

/** @type {Record<string, { tone: string, text: string }>} */
const authBadges = {
  connected: { tone: 'good', text: 'Sign-in works' },
  reconnect_required: { tone: 'bad', text: 'Reconnect required' },
  blocked_by_admin: { tone: 'bad', text: 'Blocked by an administrator' },
  app_fault: { tone: 'bad', text: 'OAuth app refused' },
}

/** @type {Record<string, { tone: string, text: string }>} */
const connectionBadges = {
  ok: { tone: 'good', text: 'Connection works' },
  backing_off: { tone: 'warn', text: 'Provider out of reach' },
}

/** A state of one health axis, as a step in its history names it. @param {{ axis: string, to: string }} step */
export function stepName({ axis, to }) {
  const badges = axis === 'auth' ? authBadges : connectionBadges
  return badges[to]?.text ?? to
}

/** Both axes of a channel's health: may we sign in, and can the provider be reached. @param {any} channel */
export function healthBadges({ disconnectedAt, auth, connection }) {
  if (disconnectedAt) return [{ tone: 'neutral', text: 'Disconnected' }]
  return [
    authBadges[auth.state] ?? { tone: 'warn', text: auth.state },
    connectionBadges[connection.state] ?? { tone: 'warn', text: connection.state },
  ]
}

/** @type {Record<string, { tone: string, text: string, meaning: string }>} */
const messageStates = {
  queued: { tone: 'neutral', text: 'Queued', meaning: 'Waits for its turn.' },
  sending: { tone: 'neutral', text: 'Sending', meaning: 'Is on its way to the provider.' },
  retrying: { tone: 'warn', text: 'Retrying', meaning: 'Did not get through yet and is tried again.' },
  parked: { tone: 'warn', text: 'Parked', meaning: 'Leaves by itself once the mailbox works again.' },
  uncertain: {
    tone: 'warn',
    text: 'Uncertain',
    meaning: 'May have arrived or not. Look in the mailbox’s Sent folder before you send it again.',
  },
  sent: { tone: 'good', text: 'Sent', meaning: 'The provider has taken it over.' },
  failed: { tone: 'bad', text: 'Failed', meaning: 'Was not sent.' },
  cancelled: { tone: 'neutral', text: 'Cancelled', meaning: 'Was stopped before it was sent.' },
  expired: { tone: 'bad', text: 'Expired', meaning: 'Could not be sent before its time was over.' },
}

/** @param {any} message that waits for the time it was given */
export function isScheduled({ state, sendAt }) {
  return state === 'queued' && sendAt !== null && Date.parse(sendAt) > Date.now()
}

/** @param {any} message an outbound one */
export function messageState(message) {
  const { state, sendAt } = message
  if (isScheduled(message))
    return { tone: 'neutral', text: 'Scheduled', meaning: `Leaves at ${whenText(sendAt)}.` }
  return messageStates[state] ?? { tone: 'neutral', text: state, meaning: '' }
}

/** @type {Record<string, string>} By event type. */
export const eventNames = {
  'channel.connected': 'Mailbox connected',
  'channel.reconnected': 'Mailbox reconnected',
  'channel.reconnect_required': 'Mailbox must be reconnected',
  'channel.blocked': 'Mailbox blocked by an administrator',
  'channel.recovered': 'Mailbox works again',
  'channel.login_healed': 'Sign-in name corrected',
  'channel.disconnected': 'Mailbox disconnected',
  'message.received': 'Mail received',
  'message.sent': 'Mail sent',
  'message.parked': 'Mail parked',
  'message.uncertain': 'Mail uncertain',
  'message.failed': 'Mail failed',
  'message.rejected': 'Mail refused',
  'message.bounced': 'Mail bounced',
  'channel.overdue': 'Mailbox could not be read for long',
  'app.secret_expiring': 'An OAuth app’s secret ends soon',
  'webhook.failing': 'Webhook fails',
  'webhook.recovered': 'Webhook works again',
  'webhook.paused': 'Webhook was paused',
  'webhook.delivery_failed': 'Webhook was not told of an event',
  'mailbox.reset': 'Mailbox was rebuilt by its provider',
  'app.fault': 'OAuth app refused',
  'tenant.fault': 'Trouble of a whole organization',
  'tenant.recovered': 'An organization works again',
  'polling.stalled': 'Mailboxes are not polled',
  'polling.resumed': 'Mailboxes are polled again',
}

/** @param {string} type */
export function eventName(type) {
  return eventNames[type] ?? type
}

/** @param {any} message @returns {string} when it came or left, ISO 8601 */
export function messageTime(message) {
  return message.direction === 'inbound' ? message.receivedAt : (message.sentAt ?? message.acceptedAt)
}

/** "Re: " once, however often it was answered. @param {string} subject */
export function replySubject(subject) {
  return /^re:/i.test(subject) ? subject : `Re: ${subject}`
}

/**
 * How a webhook's receiver fares. After three failures in a row it is left alone for a while, after three days of
 * them until somebody resumes it.
 * @param {any} webhook
 * @returns {{ tone: string, text: string, meaning: string }}
 */
export function webhookHealth({ state, failures, failingSince, restsUntil }) {
  const since = failingSince ? ` since ${whenText(failingSince)}` : ''
  if (state === 'paused') {
    const meaning = failingSince
      ? `It accepted nothing${since}, so nothing more is posted until it is resumed.`
      : 'Nothing is posted until it is resumed; events are kept in the log.'
    return { tone: failingSince ? 'bad' : 'neutral', text: 'Paused', meaning }
  }
  if (failures === 0) return { tone: 'good', text: 'Works', meaning: '' }
  const times = `${failures} ${failures === 1 ? 'failure' : 'failures'} in a row${since}.`
  if (restsUntil === null) return { tone: 'warn', text: 'Failing', meaning: `${times} It is tried again.` }
  const meaning = `${times} It is left alone until ${exactWhenText(restsUntil)}; nothing is lost meanwhile.`
  return { tone: 'bad', text: 'Resting', meaning }
}

/** What the API says of a field that broke a rule. @param {{ rule: string, found: string }} fault */
export function ruleSentence({ rule, found }) {
  const isNothing = ['nothing', '(not shown)', 'a list of 0'].includes(found)
  return `${isNothing ? 'This field' : `“${found}”`} ${rule}.`
}
