/** What a person may ask of a mailbox and its messages besides writing: fetch, disconnect, send again, cancel, download. */

import { sentenceOf } from './api.js'
import { toast } from './toast.js'

/** @param {{ api: import('./api.js').Api, onDone(): void }} options `onDone` follows whatever may have changed something */
export function openMessageActions({ api, onDone }) {
  /** @param {() => Promise<unknown>} ask @param {string} done */
  async function tell(ask, done) {
    try {
      await ask()
      toast(done)
    } catch (error) {
      toast(sentenceOf(error))
    }
    onDone()
  }

  return {
    /** @param {string} channelId */
    fetchNow(channelId) {
      const path = `/v1/channels/${encodeURIComponent(channelId)}/poll`
      return tell(
        () => api.call('POST', path),
        'The provider is being asked. New mail appears within seconds.',
      )
    },

    /** @param {string} channelId */
    checkSignIn(channelId) {
      const path = `/v1/channels/${encodeURIComponent(channelId)}/probe`
      return tell(
        () => api.call('POST', path),
        'Both mail servers were asked; the badges show what they said.',
      )
    },

    /** @param {any} channel */
    disconnect({ id, email }) {
      const question = `Disconnect ${email}? Its grant is revoked and what still waits is cancelled. What came stays.`
      if (!window.confirm(question)) return
      tell(
        () => api.call('DELETE', `/v1/channels/${encodeURIComponent(id)}`),
        'The mailbox is disconnected. Its owner can connect it again.',
      )
    },

    /** @param {any} message */
    onRetry({ id, state }) {
      const question = 'It may have arrived already. Send it again, so that it could arrive twice?'
      if (state === 'uncertain' && !window.confirm(question)) return
      tell(() => api.call('POST', `/v1/messages/${encodeURIComponent(id)}/retry`), 'It is sent now.')
    },

    /** @param {any} message */
    onCancel({ id }) {
      tell(() => api.call('DELETE', `/v1/messages/${encodeURIComponent(id)}`), 'It will not be sent.')
    },

    readPicture: api.dataUrl,

    /** @param {string} path @param {string} filename */
    onDownload(path, filename) {
      api.download(path, filename).catch(error => toast(sentenceOf(error)))
    },
  }
}
