/** What infra/cost/units.ts does not count and quotas are about. Held true by test/infra/quota-units.test.ts. */

export const countedBesides = {
  /** One event that the topic has told, and that one webhook is posted; its signing secret known. */
  toldWebhook: { reads: 4, writes: 4 },
  /** A mailbox that is polled more or less often from now on. */
  movedSlot: { writes: 3 },
  /** The first refresh in an execution environment that has just begun, or has rested for long: nothing is cached. */
  refreshAtStart: { kmsCalls: 2, secretReads: 1 },
  /** The first event of a webhook there: its signing secret is made. */
  webhookAtStart: { kmsCalls: 1 },
}
