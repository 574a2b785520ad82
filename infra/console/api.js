/** The console's way to the HTTP API: every request, and what is told when none is answered. */

/** A hung request must not hold up the console for ever; the API itself answers within 30 seconds. */
const timeoutMs = 35_000
/** As long as 30 MB take over 0.5 Mbit/s. */
const downloadTimeoutMs = 8 * 60_000

/** The API answered with a problem document (RFC 9457). */
export class ApiError extends Error {
  /** @param {number} status @param {any} document */
  constructor(status, document) {
    super(document.title ?? `The request failed (${status}).`)
    this.status = status
    /** @type {string} */
    this.code = document.code ?? 'unknown'
    /** @type {string | undefined} */
    this.actor = document.actor
    /** @type {{ field: string, rule: string, found: string }[]} */
    this.errors = document.errors ?? []
  }
}

/** Nothing came back: whether the request was carried out is not known. */
export class NoAnswer extends Error {}

/**
 * @typedef {object} Api
 * @property {(method: string, path: string, request?: { body?: object, headers?: Record<string, string> }) => Promise<any>} call
 *   Answers the JSON body. Throws `ApiError` or `NoAnswer`
 * @property {(path: string, contentType: string) => Promise<string>} dataUrl
 *   What lies at the path, as a data: URL
 * @property {(path: string, filename: string) => Promise<void>} download
 *   Saves what lies at the path; a plain link could not carry the key
 */

/**
 * @param {{ credential(): string, onSignedOut: (() => void) | null, onTrouble(sentence: string | null): void }} options
 *   `credential` is the key or token; `onSignedOut` hears that it holds no longer, null where there is no way to another;
 *   `onTrouble` hears what keeps Postroom from answering, and null once it answers again
 * @returns {Api}
 */
export function openApi({ credential, onSignedOut, onTrouble }) {
  /** @param {string} path @param {RequestInit} request @param {number} [withinMs] for all of the answer */
  async function request(path, { headers, ...rest }, withinMs = timeoutMs) {
    /** @type {Response} */
    let response
    try {
      response = await fetch(path, {
        ...rest,
        headers: { authorization: `Bearer ${credential()}`, ...headers },
        cache: 'no-store',
        signal: AbortSignal.timeout(withinMs),
      })
    } catch (cause) {
      onTrouble('Postroom does not answer. The console goes on trying.')
      throw new NoAnswer('Postroom does not answer.', { cause })
    }
    onTrouble(troubleOf(response.status, onSignedOut !== null))
    if (response.status === 401) onSignedOut?.()
    if (response.ok) return response
    throw new ApiError(response.status, await response.json().catch(() => ({})))
  }

  return {
    async call(method, path, { body, headers = {} } = {}) {
      const response = await request(path, {
        method,
        headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
        body: body && JSON.stringify(body),
      })
      return readJson(response)
    },

    async dataUrl(path, contentType) {
      const response = await request(path, { method: 'GET' })
      const reader = new FileReader()
      const read = new Promise((resolve, reject) => {
        reader.onload = () => resolve(String(reader.result))
        reader.onerror = () => reject(reader.error)
      })
      // The type as the mail names it: the API serves every attachment as bytes without a meaning.
      reader.readAsDataURL(new Blob([await response.blob()], { type: contentType }))
      return read
    },

    async download(path, filename) {
      // The API may send the browser on to S3; it leaves the key behind then (Fetch Standard, HTTP-redirect fetch).
      const response = await request(path, { method: 'GET' }, downloadTimeoutMs)
      const url = URL.createObjectURL(await response.blob())
      const link = document.createElement('a')
      link.href = url
      link.download = filename
      link.click()
      // The browser has taken the bytes over by then.
      setTimeout(() => URL.revokeObjectURL(url), 10_000)
    },
  }
}

/** @param {number} status @param {boolean} canSignIn */
function troubleOf(status, canSignIn) {
  if (status === 401 && canSignIn)
    return 'Your sign-in has ended. Sign in again: what you have written is kept.'
  if (status === 401) return 'Postroom has another key now. Please reload this page.'
  return status >= 500 ? `Postroom answers with an error (${status}). The console goes on trying.` : null
}

/** The connection may break in the middle of an answer. @param {Response} response */
async function readJson(response) {
  try {
    return await response.json()
  } catch (cause) {
    throw new NoAnswer('Postroom broke off its answer.', { cause })
  }
}

/** @param {unknown} error @returns {string} one sentence for a person; anything but our own errors goes on to the console */
export function sentenceOf(error) {
  if (error instanceof ApiError) {
    const details = error.errors.map(({ field, rule, found }) => `${field} ${rule}; found: ${found}.`)
    return [error.message, ...details].join(' ')
  }
  if (error instanceof NoAnswer) return error.message
  console.error(error)
  return 'Something unexpected happened in this page. Please reload it.'
}
