/** Where in the bucket what lies. */

/** Every object of one account lies under its own prefix. Ids are safe in keys. */
const prefix = (accountId: string, direction: string, messageId: string) =>
  `accounts/${encodeURIComponent(accountId)}/${direction}/${messageId}`

/** What lies here goes after a day (infra/postroom-data.ts); a rule of S3 knows only how a key begins. */
export const uploadPrefix = 'uploads/'

export const mailKeys = {
  upload: (accountId: string, uploadId: string) =>
    `${uploadPrefix}${encodeURIComponent(accountId)}/${uploadId}`,
  /** `version` is one attempt to accept: of two that race, neither overwrites what the other froze. */
  outbound: (accountId: string, messageId: string, version: string) =>
    keysUnder(`${prefix(accountId, 'outbound', messageId)}/${version}`),
  /** A mail fetched twice has the same bytes: writing them again changes nothing. */
  inbound: (accountId: string, messageId: string) => keysUnder(prefix(accountId, 'inbound', messageId)),
}

function keysUnder(folder: string) {
  return {
    raw: `${folder}/raw.eml`,
    content: `${folder}/content.json`,
    attachment: (index: number) => `${folder}/attachments/${index}`,
  }
}
