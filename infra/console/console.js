/** Puts the console together: which account, which mailbox, which message, and when each is read anew. */

import { openAccount } from './account.js'
import { NoAnswer, openApi, sentenceOf } from './api.js'
import { showChannel, showChannels } from './channels.js'
import { openCompose } from './compose.js'
import { openConnect } from './connect.js'
import { showConversation } from './conversation.js'
import { openDrafts } from './drafts.js'
import { byId } from './elements.js'
import { openEvents } from './events.js'
import { openFolders } from './folders.js'
import { openMailbox } from './mailbox.js'
import { openMessageActions } from './message-actions.js'
import { showMessages } from './messages.js'
import { oneAtATime } from './refresh.js'
import { hrefOf, readPlace } from './routes.js'
import { toast } from './toast.js'
import { openWebhooks } from './webhooks.js'

/** Not every change is an event: between events the console looks this often. */
const refreshEveryMs = 10_000
/** As in console.css: below it, the list and the conversation take turns. */
const narrow = window.matchMedia('(max-width: 52rem)')

/** @type {any[] | null} null until the first answer */
let channels = null
/** @type {{ channelId: string, box: import('./mailbox.js').Mailbox, trouble: string | null } | null} */
let mailbox = null
/** @type {import('./routes.js').Place} */
let place = readPlace() ?? { page: 'mail', channelId: null, direction: 'inbound', messageId: null }
/** Why the open message cannot be shown. */
let messageTrouble = ''
let refreshedAtMs = 0

/** On AWS an operator signs in; on one machine the page carries the local key. */
const session = await openSession()

const api = openApi({
  credential: session.token,
  onSignedOut: session.renew && offerSignIn,
  onTrouble(sentence) {
    const isOver = sentence === null && byId('outage').textContent !== ''
    byId('outage').textContent = sentence ?? ''
    if (isOver) refresh()
  },
})
const account = openAccount({ only: session.accountId, onShow: showAccount })
const compose = openCompose({ api, drafts: openDrafts(session.person), onAccepted })
const connect = openConnect({
  api,
  accountId: () => account.typed(),
  onStarted: accountId => account.set(accountId),
  onConnected(channel) {
    channels = null
    location.hash = hrefOf({ channelId: channel.id })
    showAccount(channel.accountId)
  },
  onFailed(sentence, field) {
    if (field === 'accountId') account.showFault(sentence)
    else toast(sentence)
  },
})
const actions = openMessageActions({ api, onDone: refresh })
const folders = openFolders({
  api,
  onChange(changed) {
    channels = channels?.map(known => (known.id === changed.id ? changed : known)) ?? null
    show()
  },
})
const events = openEvents({
  api,
  onEvents: refresh,
  onLook() {
    if (mailbox?.box.isMoving() || Date.now() - refreshedAtMs >= refreshEveryMs) refresh()
    else show()
  },
})

const webhooks = openWebhooks({ api, accountId: account.id, newestEvents: events.newest })
const refreshWebhooks = oneAtATime(webhooks.refresh)

async function openSession() {
  const signIn = setting('postroom-sign-in')
  if (signIn === '')
    return { token: () => setting('postroom-key'), accountId: null, person: '', leave: null, renew: null }
  // Only where it is needed: on one machine its library is not there.
  const { signedIn } = await import('./sign-in.js')
  return signedIn(JSON.parse(signIn))
}

/** The token has ended: there is nothing to sign out of. */
function offerSignIn() {
  byId('sign-out').hidden = true
  byId('sign-in-again').hidden = false
}

/** @param {string} name of a `meta` element, filled in by the server */
function setting(name) {
  return document.querySelector(`meta[name="${name}"]`)?.getAttribute('content') ?? ''
}

/** @param {string} accountId */
async function showAccount(accountId) {
  try {
    channels = await readChannels(accountId)
  } catch (error) {
    account.showFault(sentenceOf(error))
    return
  }
  account.set(accountId)
  openOneOf(channels)
  events.follow(accountId)
  show()
  if (place.page === 'webhooks') refreshWebhooks()
}

/** @param {string} accountId */
async function readChannels(accountId) {
  const found = []
  let cursor = null
  do {
    const query = new URLSearchParams({ accountId, limit: '100', ...(cursor && { cursor }) })
    const page = await api.call('GET', `/v1/channels?${query}`)
    found.push(...page.channels)
    cursor = page.cursor
  } while (cursor !== null)
  return found
}

/** Where the URL names no mailbox of this account, the first one is opened. @param {any[]} list */
function openOneOf(list) {
  if (place.page !== 'mail') return
  if (list.some(({ id }) => id === place.channelId)) return
  const first = list[0]?.id ?? null
  place = { page: 'mail', channelId: first, direction: 'inbound', messageId: null }
  history.replaceState(
    null,
    '',
    first ? hrefOf({ channelId: first }) : `${location.pathname}${location.search}`,
  )
}

function refresh() {
  refreshedAtMs = Date.now()
  refreshChannels()
  if (place.page === 'webhooks') refreshWebhooks()
  else refreshMessages()
}

const refreshChannels = oneAtATime(async () => {
  const accountId = account.id()
  try {
    const found = await readChannels(accountId)
    if (accountId !== account.id()) return
    const isFirst = channels === null
    channels = found
    if (isFirst) openOneOf(found)
  } catch (error) {
    if (channels === null) byId('channels-status').textContent = sentenceOf(error)
    return
  }
  show()
})

const refreshMessages = oneAtATime(async () => {
  const current = mailbox
  if (!current) return
  try {
    await current.box.refresh()
    current.trouble = null
    await readOpenMessage(current.box)
  } catch (error) {
    // That nothing comes is what the banner says.
    current.trouble = error instanceof NoAnswer ? null : sentenceOf(error)
  }
  show()
})

/** A message that no list has reached is read by itself. @param {import('./mailbox.js').Mailbox} box */
async function readOpenMessage(box) {
  const { channelId, messageId } = place
  messageTrouble = ''
  if (messageId === null || box.find(messageId)) return
  try {
    const message = await box.read(messageId)
    if (message.channelId !== channelId) messageTrouble = 'There is no such message in this mailbox.'
  } catch (error) {
    messageTrouble = sentenceOf(error)
  }
}

/** Brings the page in line with what is known; cheap, since only what changed is made anew. */
function show() {
  const { page, channelId, direction, messageId } = place
  showPage(page)
  const channel = channels?.find(({ id }) => id === channelId)
  if (channels) showChannels({ channels, openId: channelId })
  byId('nothing').hidden = page !== 'mail' || channel !== undefined
  byId('nothing').textContent =
    channels === null
      ? 'Loading …'
      : 'Connect a mailbox to begin: its mail appears here, and you can answer it.'
  byId('channel').hidden = channel === undefined
  byId('reader').hidden = channel === undefined
  if (!channel) {
    mailbox = null
    document.title = page === 'webhooks' ? 'Webhooks – Postroom' : 'Postroom'
    return
  }
  document.title = `${direction === 'inbound' ? 'Inbox' : 'Sent'} of ${channel.email} – Postroom`
  const own = events.newest().filter(event => event.channelId === channelId)
  showChannel(channel, { events: own, onReconnect: reconnect })
  folders.show(channel)
  if (mailbox?.channelId !== channelId) {
    mailbox = { channelId: channel.id, box: openMailbox(channel.id, api), trouble: null }
    refreshMessages()
  }
  const { box, trouble } = mailbox
  showMessages({ channelId: channel.id, direction, messageId, mailbox: box, trouble })
  byId('reader').dataset.open = messageId === null ? 'list' : 'conversation'
  byId('back').href = hrefOf({ channelId: channel.id, direction })
  const open = messageId === null ? undefined : box.find(messageId)
  const isHere = open?.channelId === channelId
  const waiting = messageId === null ? 'Choose a message to read it.' : messageTrouble || 'Loading …'
  showConversation(
    { messages: isHere ? box.conversation(open) : [], openId: messageId, status: isHere ? '' : waiting },
    { ...actions, onReply: message => compose.write(openChannel(), message) },
  )
}

/** @param {string} page */
function showPage(page) {
  document.body.dataset.page = page
  byId('webhooks').hidden = page !== 'webhooks'
  for (const link of document.querySelectorAll('.pages a')) {
    if (link.getAttribute('data-page') === page) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
}

function openChannel() {
  return channels?.find(({ id }) => id === place.channelId)
}

/** @param {any} channel */
function reconnect({ id, accountId, provider }) {
  connect.start({ accountId, provider, channelId: id })
}

/** @param {any} message as the API accepted it */
function onAccepted({ channelId }) {
  toast('The message is accepted and on its way.')
  if (place.messageId === null) location.hash = hrefOf({ channelId, direction: 'outbound' })
  refresh()
}

window.addEventListener('hashchange', () => {
  const next = readPlace()
  if (!next) return
  const before = place
  place = next
  if (channels) openOneOf(channels)
  show()
  if (place.messageId !== null || place.page !== 'mail') connect.dismiss()
  if (place.page === 'webhooks' && before.page !== 'webhooks') refreshWebhooks()
  if (place.messageId !== before.messageId) moveFocus(before.messageId)
  if (place.messageId !== null && mailbox && !mailbox.box.find(place.messageId)) refreshMessages()
})

/** Where the list and the conversation take turns, the focus goes along. @param {string | null} left the message that was open */
function moveFocus(left) {
  if (!narrow.matches) return
  const row = left && document.querySelector(`#messages [data-key="${CSS.escape(left)}"] a`)
  const target = place.messageId === null ? row : byId('conversation-title')
  if (target instanceof HTMLElement) target.focus()
}

byId('probe').addEventListener('click', () => actions.checkSignIn(place.channelId ?? ''))
byId('fetch').addEventListener('click', () => actions.fetchNow(place.channelId ?? ''))
byId('disconnect').addEventListener('click', () => actions.disconnect(openChannel()))
byId('write').addEventListener('click', () => compose.write(openChannel()))
byId('older').addEventListener('click', async () => {
  await mailbox?.box.readOlder(place.direction).catch(error => toast(sentenceOf(error)))
  show()
})

byId('sign-out').hidden = session.leave === null
if (session.leave) byId('sign-out').addEventListener('click', session.leave)
if (session.renew) byId('sign-in-again').addEventListener('click', session.renew)
const sandbox = setting('postroom-sandbox')
byId('sandbox').hidden = sandbox === ''
if (sandbox !== '') byId('sandbox').href = sandbox

show()
refresh()
events.follow(account.id())
connect.finish()
