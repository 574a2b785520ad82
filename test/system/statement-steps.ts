/** For each statement of the functions' policies, the smallest thing somebody does that cannot be done without it. */

import { newPerson } from '../../infra/local/as-person.ts'
import {
  changeChannel,
  changeItem,
  deleteRaw,
  endToken,
  makeDue,
  past,
  queueMessage,
} from '../support/behind-the-api.ts'
import { answers } from '../support/webhook-receiver.ts'
import {
  changeWebhook,
  deliver,
  mail,
  mailboxWithMail,
  mailForLater,
  minute,
  newSession,
  poll,
  receivedMail,
  type Stage,
  upload,
  webhookOf,
} from './stage.ts'

export interface Step {
  /** What is done. */
  name: string
  /** The statements that it shows the need of, each by its function's folder and its name. */
  needs: string[]
  /** Makes everything that must be there first, and returns what is done then. */
  prepare(stage: Stage): Promise<() => Promise<unknown>>
}

/**
 * A minute polls every mailbox there is, so `schedule` comes first. What is missing: logs and traces, which Lambda itself
 * writes and nobody does here; and what OAuth apps without a secret sign in with, which the sandbox's are not.
 */
export const steps: Step[] = [
  {
    name: 'a minute passes',
    needs: ['schedule Main', 'schedule FindDue'],
    prepare:
      async ({ running }) =>
      () =>
        minute(running),
  },
  {
    name: 'a minute passes after a crash before an event was told',
    needs: ['schedule AnnounceEvents'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      await changeChannel(stage.places, channel.id, {
        unannounced: [{ type: 'channel.recovered', at: past }],
        duePk: 'DUE#CHANNELS',
        dueSk: `${past}#${channel.id}`,
      })
      return () => minute(stage.running)
    },
  },
  {
    name: 'a minute passes after the doorbell for a mail was lost',
    needs: ['schedule RingForSend'],
    prepare: async stage => {
      const { id, channelId } = await mailForLater(stage)
      await makeDue(stage.places, channelId, id)
      return () => minute(stage.running)
    },
  },
  {
    name: 'a mailbox’s minute comes',
    needs: ['schedule AskForPoll'],
    prepare: async stage => {
      await stage.mailbox()
      await minute(stage.running)
      await stage.quiet()
      await changeItem(
        stage.places,
        stage.places.mainTable,
        { pk: 'SCHEDULE', sk: 'LAST_MINUTE' },
        { minute: Math.floor(Date.now() / 60_000) - 1 },
      )
      return () => minute(stage.running)
    },
  },
  {
    name: 'a webhook’s rest is over',
    needs: ['schedule RingForNotify'],
    prepare: async stage => {
      const { webhook } = await webhookOf(stage)
      const due = { wakeAt: past, duePk: 'DUE#WEBHOOKS', dueSk: `${past}#${webhook.id}` }
      await changeWebhook(stage.places, webhook.id, due)
      return () => minute(stage.running)
    },
  },
  {
    name: 'a person opens a connect link',
    needs: ['connect Main'],
    prepare: async stage => {
      const { connectUrl } = await newSession(stage)
      return () => newPerson().visit(connectUrl)
    },
  },
  {
    name: 'an app probes a mailbox',
    needs: ['connect Secrets', 'connect WrapTokens', 'connect RingForSend'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      return () => stage.app.call('POST', `/v1/channels/${channel.id}/probe`)
    },
  },
  {
    name: 'a person goes on from there to the provider',
    needs: ['connect ReadOAuthApps'],
    prepare: async stage => {
      const { connectUrl } = await newSession(stage)
      const person = newPerson()
      await person.visit(connectUrl)
      return () => person.visit(connectUrl, {})
    },
  },
  {
    name: 'an app disconnects a mailbox',
    needs: ['connect AnnounceEvents', 'notify FindListening'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      return () => stage.app.call('DELETE', `/v1/channels/${channel.id}`)
    },
  },
  {
    name: 'a person connects a mailbox that needs no confirmation',
    needs: ['connect AskForPoll'],
    prepare: async stage => {
      const { connectUrl } = await newSession(stage, { autoConfirm: true })
      return () => newPerson().connect(connectUrl, 'ada')
    },
  },
  {
    name: 'an app looks at a connect link',
    needs: ['api Main'],
    prepare: async stage => {
      const session = await newSession(stage)
      return () => stage.app.call('GET', `/v1/connect-sessions/${session.id}`)
    },
  },
  {
    name: 'an app lists its mailboxes',
    needs: ['api ListMain'],
    prepare:
      async ({ app, accountId }) =>
      () =>
        app.call('GET', `/v1/channels?accountId=${accountId}`),
  },
  {
    name: 'an app sends a mail',
    needs: [
      'api WriteMail',
      'api RingForSend',
      'send ReceiveOutbound',
      'send Main',
      'send Secrets',
      'send WrapTokens',
      'send ReadMail',
      'send AnnounceEvents',
    ],
    prepare: async stage => {
      const channel = await stage.mailbox()
      return () => stage.app.send(channel.id, mail(), 'sent')
    },
  },
  {
    name: 'an app downloads a mail',
    needs: ['api ReadMail'],
    prepare: async stage => {
      const { id } = await mailForLater(stage)
      return () => stage.app.call('GET', `/v1/messages/${id}/raw`)
    },
  },
  {
    name: 'an app uploads a file',
    needs: ['api SignUploads'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      return () => upload(stage, channel.id)
    },
  },
  {
    name: 'an app sends a mail with an uploaded file',
    needs: ['api ReadUploads'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      const attachments = [await upload(stage, channel.id)]
      return () => stage.app.send(channel.id, mail({ attachments }), 'sent')
    },
  },
  {
    name: 'an app downloads a mail whose bytes are gone',
    needs: ['api TellMissingMail'],
    prepare: async stage => {
      const { id } = await mailForLater(stage)
      await deleteRaw(stage.places, id)
      return () => stage.app.call('GET', `/v1/messages/${id}/raw`)
    },
  },
  {
    name: 'an app confirms a mailbox',
    needs: ['api AnnounceEvents'],
    prepare: async stage => {
      const session = await newSession(stage)
      await newPerson().connect(session.connectUrl, 'ada')
      return () => stage.app.call('POST', `/v1/connect-sessions/${session.id}/confirm`)
    },
  },
  {
    name: 'an app asks for a poll',
    needs: ['api AskForPoll', 'fetch ReceivePolls', 'fetch Main', 'fetch Secrets', 'fetch WrapTokens'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      return () => poll(stage, channel)
    },
  },
  {
    name: 'an app sets up a webhook',
    needs: ['api SignWebhooks'],
    prepare: async stage => {
      const { url } = await stage.receiver()
      return () => stage.app.call('POST', '/v1/webhooks', { accountId: stage.accountId, url })
    },
  },
  {
    name: 'an app makes a webhook active',
    needs: ['api RingForNotify'],
    prepare: async stage => {
      const { webhook } = await webhookOf(stage)
      return () => stage.app.call('PATCH', `/v1/webhooks/${webhook.id}`, { state: 'active' })
    },
  },
  {
    name: 'an app sends a mail when the access token has ended',
    needs: ['send ReadOAuthApps'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      await endToken(stage.places, channel.id)
      return () => stage.app.send(channel.id, mail(), 'sent')
    },
  },
  {
    name: 'an app puts a mail on the queue',
    needs: ['send WriteMail'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      return () => queueMessage(stage.places, { channelId: channel.id, idempotencyKey: 'queued', ...mail() })
    },
  },
  {
    name: 'an app puts a mail with an uploaded file on the queue',
    needs: ['send ReadUploads'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      const attachments = [await upload(stage, channel.id)]
      return () =>
        queueMessage(stage.places, {
          channelId: channel.id,
          idempotencyKey: 'queued',
          ...mail({ attachments }),
        })
    },
  },
  {
    name: 'the time comes of a mail whose bytes are gone',
    needs: ['send TellMissingMail'],
    prepare: async stage => {
      const { id, channelId } = await mailForLater(stage)
      await deleteRaw(stage.places, id)
      await makeDue(stage.places, channelId, id)
      return () => queueMessage(stage.places, { channelId })
    },
  },
  {
    name: 'a mail waits for a mailbox whose owner must sign in again',
    needs: ['send RingForSend'],
    prepare: async stage => {
      const { app, places, running } = stage
      const channel = await stage.mailbox()
      const broken = await running.connect('grace', { accountId: stage.accountId })
      await app.call('PATCH', `/v1/channels/${broken.id}`, { ownerNotice: { from: channel.id } })
      // Or else `fetch` might be the one that notices.
      await stage.quiet()
      await running.sandbox('/personas/grace/script', { script: 'grant_revoked' })
      await endToken(places, broken.id)
      return () => app.send(broken.id, mail(), 'waits')
    },
  },
  {
    name: 'an app puts on the queue what is no mail',
    needs: ['send BuryRejected'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      return () =>
        queueMessage(stage.places, { channelId: channel.id, idempotencyKey: 'bad', ...mail({ to: [] }) })
    },
  },
  {
    name: 'what is stored is counted against what lies in a mailbox',
    needs: ['fetch ListMain'],
    prepare: async stage => {
      const channel = await mailboxWithMail(stage)
      const cursor = { pk: `CHANNEL#${channel.id}`, sk: 'CURSOR#INBOX' }
      await changeItem(stage.places, stage.places.mainTable, cursor, { auditAt: past })
      return () => poll(stage, channel)
    },
  },
  {
    name: 'a mailbox is polled when the access token has ended',
    needs: ['fetch ReadOAuthApps'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      await endToken(stage.places, channel.id)
      return () => poll(stage, channel)
    },
  },
  {
    name: 'a mail comes in',
    needs: ['fetch WriteMail', 'fetch AnnounceEvents'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      await deliver(stage)
      return () => poll(stage, channel)
    },
  },
  {
    name: 'an app has a mail parsed anew',
    needs: ['fetch ReadMail'],
    prepare: async stage => {
      const id = await receivedMail(stage)
      return () => stage.app.call('POST', `/v1/messages/${id}/reparse`)
    },
  },
  {
    name: 'an app has a mail parsed anew whose bytes are gone',
    needs: ['fetch TellMissingMail'],
    prepare: async stage => {
      const id = await receivedMail(stage)
      await deleteRaw(stage.places, id)
      return () => stage.app.call('POST', `/v1/messages/${id}/reparse`)
    },
  },
  {
    name: 'a mailbox that may send again is looked at',
    needs: ['fetch RingForSend'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      await changeChannel(stage.places, channel.id, { nextProbeAt: past })
      return () => poll(stage, channel)
    },
  },
  {
    name: 'something happens that a webhook is told',
    needs: ['notify ReceiveNotifications', 'notify Main', 'notify SignWebhooks'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      await webhookOf(stage)
      return () => stage.app.call('DELETE', `/v1/channels/${channel.id}`)
    },
  },
  {
    name: 'a webhook fails for the third time',
    needs: ['notify AnnounceEvents'],
    prepare: async stage => {
      const channel = await stage.mailbox()
      const { webhook, receiver } = await webhookOf(stage)
      receiver.behave(answers.failing)
      await changeWebhook(stage.places, webhook.id, { failures: 2 })
      return () => stage.app.call('DELETE', `/v1/channels/${channel.id}`)
    },
  },
]
