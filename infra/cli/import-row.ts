/** One mailbox of another system's export, as far as importing needs it. */

export interface ImportRow {
  accountId: string
  provider: string
  email: string
  login: string | undefined
  sharedMailbox: string | undefined
  /** Never printed, whatever becomes of the row. */
  refreshToken: string
}

/** What an export's entry is to us: a row, or why it is none. `name` says which one it was. */
export type ReadRow = { name: string; row: ImportRow } | { name: string; reason: string }

export interface Overrides {
  account: string | undefined
  provider: string | undefined
}
