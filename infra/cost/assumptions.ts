/** What no test and no benchmark can tell without a live account. Each can be set with `cost --assume NAME=NUMBER`. */

interface Assumption {
  value: number
  /** What it is, and why it is thought so. */
  says: string
}

const assumptions = {
  providerRttMs: {
    value: 40,
    says: 'Network time to a mail server and back. Exchange answered EHLO within 5 to 16 ms where it has a data centre near by (email-oauth2-proxy issues 68, 95)',
  },
  signInMs: {
    value: 500,
    says: 'A provider thinks about a sign-in. Outlook took 0.80 s where a round trip was 0.32 s (owncloud-archive/mail issue 1510)',
  },
  lookMs: {
    value: 50,
    says: 'A provider thinks about STATUS, EXAMINE, FETCH or an envelope: 0.36 to 0.37 s where a round trip was 0.32 s (the same)',
  },
  handOverMs: {
    value: 1_000,
    says: 'A provider stores a mail before it says that it took it. A guess; MailCore issue 1497 tells of many seconds at consumer Outlook',
  },
  dynamodbMs: {
    value: 8,
    says: 'A call of DynamoDB: "single-digit milliseconds" is what AWS promises',
  },
  s3Ms: { value: 60, says: 'A call of S3 with a small object: AWS says "tens of milliseconds" is usual' },
  messagingMs: { value: 20, says: 'A call of SNS or SQS' },
  cpuOfLambda: {
    value: 1,
    says: 'CPU time at a whole vCPU of Lambda (arm64), against that of the machine it was measured on',
  },
  refreshCpuMs: {
    value: 10,
    says: 'CPU of one refresh, in whole-vCPU milliseconds: a TLS handshake, four calls of DynamoDB, the id_token’s signature',
  },
  tokenBytes: {
    value: 2_200,
    says: 'An access token: 1.5 to 2.5 KB at Microsoft, about 250 bytes at Google',
  },
  packetBytes: {
    value: 250,
    says: 'Headers of TCP and IP that go out for each round trip: some four packets and acknowledgements',
  },
  refreshBytes: {
    value: 4_000,
    says: 'Out for one refresh of a token: its TLS handshake and the refresh token',
  },
  mailBytes: { value: 75_000, says: 'A mail with its attachments' },
  attachmentsPerMail: { value: 0.5, says: 'Each is one more PUT; most mails have none' },
  attachedShare: {
    value: 0.7,
    says: 'So much of a mail lies in S3 once more: its attachments, decoded (three quarters of their base64)',
  },
  logBytes: {
    value: 1_500,
    says: 'Written for each invocation: Lambda’s own three lines, the line of metrics and one for what was done',
  },
  pollersOfQueue: {
    value: 2,
    says: 'Lambda’s pollers of a quiet queue: "as few as 2" (Lambda Developer Guide, Configuring scaling behavior for SQS)',
  },
  pollersOfLimitedQueue: {
    value: 5,
    says: 'The same where a maximum concurrency is set, as of the poll queues: there they stay five (the same page)',
  },
  longPollSeconds: { value: 20, says: 'How long a poller waits for a message; the longest that SQS allows' },
  refreshesPerDay: {
    value: 20,
    says: 'Access tokens of Microsoft live 60 to 90 minutes; a poll or a send refreshes them',
  },
  troubledHours: {
    value: 0.1,
    says: 'Share of hours in which each of the metrics that count trouble is sent at all',
  },
  monthsStored: {
    value: 1,
    says: 'Months whose mail and items lie in S3 and DynamoDB; `retention.mailDays` ends those of S3',
  },
  secretReadsPerHour: {
    value: 12,
    says: 'The OAuth apps’ credentials are kept for 5 minutes by each execution environment, and read when a token is refreshed',
  },
  unwrapsPerHour: { value: 12, says: 'Data keys are kept for 15 minutes by each execution environment' },
} satisfies Record<string, Assumption>

export type AssumptionName = keyof typeof assumptions
export type Assumed = Record<AssumptionName, number>

export const assumptionNames = Object.keys(assumptions) as AssumptionName[]

export function saysOf(name: AssumptionName): string {
  return assumptions[name].says
}

export const assumed = Object.fromEntries(
  assumptionNames.map(name => [name, assumptions[name].value]),
) as Assumed
