/** The part of infra/cost.md that says what a total is made from: counted, measured, and assumed. */

import { mailboxesPerBatch } from '../../functions/channel/slots.ts'
import { memoryMegabytes } from '../memory.ts'
import { assumed, saysOf } from './assumptions.ts'
import { costOf } from './cost.ts'
import { durations, weights } from './explain.ts'
import type { Load } from './month.ts'
import { counted, measuredCpuMs } from './units.ts'

export function row(cells: (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

/** @param load whose total shows how much each assumption weighs */
export function renderComposition(load: Load): string {
  return `## What it is made from

Counted by \`test/infra/cost-units.test.ts\`, which fails when the code makes more or fewer. "In turn" are calls that wait for
one another; those made at the same time count once, for the slowest service among them. "Round trips" are those to a mail
server: TCP, TLS 1.3, greeting, sign-in and commands. Bytes are what is written to it, without the access token and the mail.

| | reads | writes | S3 puts | S3 gets | SNS | DynamoDB in turn | S3 in turn | SNS, SQS in turn | round trips | bytes out |
|---|---|---|---|---|---|---|---|---|---|---|
${countedRows().join('\n')}

Measured: CPU of the deployed bundles, warm (\`npm run bench -- cost\`, 2026-11-27, a shared x86 machine of two cores, Node 24; no
test asserts it). In milliseconds: ${Object.entries(measuredCpuMs)
    .map(([name, ms]) => `${name} ${ms}`)
    .join(', ')}.

Memory in megabytes, of which 1,769 bring one vCPU: ${Object.entries(memoryMegabytes)
    .map(([folder, megabytes]) => `${folder} ${megabytes}`)
    .join(', ')}. Up to
${mailboxesPerBatch} mailboxes are a batch: they wait at the same time, and their CPU adds up.

From these and from what is assumed below follows how long a function runs, in milliseconds:

| | waits for a provider | waits for AWS | CPU | all |
|---|---|---|---|---|
${durationRows().join('\n')}

Assumed, until a live account says better; each can be set, as in \`--assume providerRttMs=20\`. The last columns say by how much
the ${dollars(costOf(load).usd)} of ${load.mailboxes.toLocaleString('en')} mailboxes change where it is half or twice as much; what moves them most comes first.

| | | why | half | twice |
|---|---|---|---|---|
${assumedRows(load).join('\n')}
`
}

function countedRows(): string[] {
  return Object.entries(counted).map(([name, { rounds, ...used }]) =>
    row([
      name,
      used.reads,
      used.writes,
      used.s3Puts,
      used.s3Gets,
      used.snsPublishes,
      rounds.dynamodb,
      rounds.s3,
      rounds.messaging,
      used.roundTrips,
      used.bytesOut.toLocaleString('en'),
    ]),
  )
}

function durationRows(): string[] {
  return durations(assumed, mailboxesPerBatch).map(({ work, folder, providerMs, awsMs, cpuMs, ms }) =>
    row([
      `\`${folder}\`: ${work}`,
      ...[providerMs, awsMs, cpuMs, ms].map(value => Math.round(value).toLocaleString('en')),
    ]),
  )
}

function assumedRows(load: Load): string[] {
  return weights(load, assumed).map(({ name, usdWhenHalved, usdWhenDoubled }) =>
    row([
      `\`${name}\``,
      assumed[name].toLocaleString('en'),
      saysOf(name),
      changeOf(usdWhenHalved),
      changeOf(usdWhenDoubled),
    ]),
  )
}

export function dollars(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 1 ? 4 : 2)}`
}

export function changeOf(usd: number): string {
  return `${usd < 0 ? '-' : '+'}$${Math.abs(usd).toFixed(2)}`
}
