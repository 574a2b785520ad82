/** Names of the attributes and indexes that the tables in infra/postroom-data.ts are made with. */

/** Key attributes of both tables. Every key is a string. */
export const keyNames = {
  partition: 'pk',
  sort: 'sk',
  /** Sparse index `listing`: what a person pages through, in order. */
  listingPartition: 'listPk',
  listingSort: 'listSk',
  /** Sparse index `due`: what `schedule` must look at once its time has come. */
  duePartition: 'duePk',
  dueSort: 'dueSk',
  /** Epoch seconds after which DynamoDB may remove the item; readers check expiry themselves. */
  expiresAtSeconds: 'ttl',
} as const

export const indexNames = { listing: 'listing', due: 'due' } as const
