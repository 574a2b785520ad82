/** Renders what became of a mail at every fault of an SMTP server, as a page for people. */

export const outcomeStages = [
  'connect',
  'greeting',
  'STARTTLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'mid-body',
  'after the dot',
  'QUIT',
] as const
export type OutcomeStage = (typeof outcomeStages)[number]

export const faultKinds = ['drop', 'silence', '4xx', '5xx', '421', 'garbage'] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Outcome {
  stage: OutcomeStage
  kind: FaultKind
  /** Of the message, after the drain that met the fault. */
  state: string
  attempts: number
  fault: string | null
  /** Whether sending rests for a while, is stopped (the state of `auth`), or goes on with the next message. */
  channel: string
  /** Whether the server has said what becomes of the mail. */
  answer: 'given' | 'missing'
  /** How often the server had the mail whole and had not refused it: after the fault, and in the end. */
  takenAtFault: number
  taken: number
  /** The message's state two hours later, with a server that was well all the time since. */
  end: string
}

export function renderOutcomes(outcomes: Outcome[]): string {
  const rows = outcomeStages.flatMap(stage =>
    faultKinds.flatMap(kind => outcomes.filter(outcome => outcome.stage === stage && outcome.kind === kind)),
  )
  return `${[intro, '', head, ...rows.map(line)].join('\n')}\n`
}

const intro = `# What becomes of a mail when its server fails

One mail meets one fault at one stage of the SMTP conversation; then the server is well again. \`4xx\` is
\`451 4.3.0\`, \`5xx\` an unknown \`554 5.9.9\`, \`421\` is followed by a closed connection, \`garbage\` is a line that is
no reply. At *connect* nobody listens.

*Sending* says whether the channel's sending rests for a while or goes on with the next mail. *Attempts* are those that count against the mail: an outage costs none. *Taken* is how often the server had the whole
mail and had not refused it, so that it may have been delivered: never more than once. Where it was taken and the answer
is missing, the mail is \`uncertain\`, is looked for in the Sent folder, and is not sent again unless the app has asked
for that (\`onUncertain\`).

This page is made by \`test/send/fault-matrix.test.ts\` from what it saw. Do not edit it; run
\`npm test -- test/send/fault-matrix.test.ts -u\`.`

const head = `| Stage | Fault | The mail is then | Attempts | Fault code | Sending | Taken | Two hours later | Taken |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |`

function line(outcome: Outcome): string {
  const { stage, kind, state, attempts, fault, channel, takenAtFault, end, taken } = outcome
  const code = fault === null ? '' : `\`${fault}\``
  return `| ${[stage, kind, `\`${state}\``, attempts, code, channel, takenAtFault, `\`${end}\``, taken].join(' | ')} |`
}
