/** Every way in which an SMTP server can fail, at every stage: what becomes of the message, and how often it left. */

import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openSmtp, type SmtpLogin } from '../../functions/channel/smtp.ts'
import { drain } from '../../functions/send/drain.ts'
import { useEngines } from '../support/engines.ts'
import {
  type FaultKind,
  faultKinds,
  type Outcome,
  type OutcomeStage,
  outcomeStages,
  renderOutcomes,
} from '../support/outcome-table.ts'
import type { SmtpAnswer, SmtpStage } from '../support/scripted-smtp.ts'
import { invocationMs, type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'

const engines = useEngines()
const page = fileURLToPath(new URL('../../functions/send/outcomes.md', import.meta.url))
const minuteMs = 60_000
const portOfNobody = 1
/** Only for servers that say nothing: long enough for a busy machine to come as far as the silence. */
const silenceTimeoutMs = 4_000

const answers: Record<FaultKind, SmtpAnswer> = {
  drop: 'drop',
  silence: 'silence',
  '4xx': '451 4.3.0 Not now',
  '5xx': '554 5.9.9 No',
  '421': { reply: '421 4.3.2 Closing', thenDrop: true },
  garbage: 'what?',
}

const scriptStages: Record<Exclude<OutcomeStage, 'connect'>, SmtpStage> = {
  greeting: 'greeting',
  STARTTLS: 'starttls',
  AUTH: 'auth',
  MAIL: 'mail',
  RCPT: 'rcpt',
  DATA: 'data',
  'mid-body': 'midBody',
  'after the dot': 'body',
  QUIT: 'quit',
}

const outcomes: Outcome[] = []

test.each(faultKinds)(
  'I2, I3: whatever stage meets “%s”, the mail leaves at most once, and is uncertain only if it may have left',
  async kind => {
    // Where nobody listens there is nobody to answer either.
    const stages = outcomeStages.filter(stage => stage !== 'connect' || kind === 'drop')
    const found = await Promise.all(stages.map(stage => outcomeOf(stage, kind)))
    outcomes.push(...found)
    for (const outcome of found) {
      const wasAmbiguous = outcome.takenAtFault === 1 && outcome.answer !== 'given'
      expect(outcome.taken, outcome.stage).toBeLessThanOrEqual(1)
      expect(outcome.state === 'uncertain', outcome.stage).toBe(wasAmbiguous && outcome.stage !== 'QUIT')
      expect(outcome.end === 'sent' ? outcome.taken : 1, outcome.stage).toBe(1)
      expect(['sent', 'failed', 'uncertain'], outcome.stage).toContain(outcome.end)
    }
  },
  60_000,
)

test('outcomes.md is made from what was seen', async () => {
  const remedy = 'outcomes.md is stale: run npm test -- test/send/fault-matrix.test.ts -u, and commit it'
  await expect(renderOutcomes(outcomes), remedy).toMatchFileSnapshot(page)
})

/** One mail meets the fault in one drain; then the server is well again. */
async function outcomeOf(stage: OutcomeStage, kind: FaultKind): Promise<Outcome> {
  const sending = await startSendingChannel(engines)
  const { smtp, bench } = sending
  const message = await sending.accept('Once')
  if (stage !== 'connect') smtp.always[scriptStages[stage]] = answers[kind]

  await drainAt(sending, { stage, kind })
  const after = await sending.latest(message)
  const { smtpTrouble, auth } = await sending.latestChannel()
  const takenAtFault = smtp.taken

  smtp.always = {}
  for (let i = 0; i < 8; i++) {
    bench.clock.advance(15 * minuteMs)
    await sending.drain()
  }
  return {
    stage,
    kind,
    state: after.state,
    attempts: after.attempt,
    fault: after.fault?.code ?? null,
    channel: auth.state !== 'connected' ? auth.state : smtpTrouble ? 'rests' : 'well',
    answer: answers[kind] === 'drop' || kind === 'silence' || kind === 'garbage' ? 'missing' : 'given',
    takenAtFault,
    end: (await sending.latest(message)).state,
    taken: smtp.taken,
  }
}

async function drainAt(
  { bench, channel }: SendingChannel,
  { stage, kind }: Pick<Outcome, 'stage' | 'kind'>,
): Promise<void> {
  const services = {
    ...bench,
    openSmtp: ({ server, ...login }: SmtpLogin) =>
      openSmtp({
        server: stage === 'connect' ? { ...server, port: portOfNobody } : server,
        ...login,
        ...(kind === 'silence' && { timeoutMs: silenceTimeoutMs }),
      }),
    // Half of the mail has left, and the rest is long in coming.
    mail: stage === 'mid-body' ? { ...bench.mail, stream: async () => halfABody() } : bench.mail,
  }
  await drain(channel.id, { services, deadlineMs: bench.now() + invocationMs })
}

function halfABody(): Readable {
  const body = new Readable({ read() {} })
  body.push('Subject: Once\r\n\r\nHi')
  return body
}
