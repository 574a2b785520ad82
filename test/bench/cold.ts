/**
 * How long a function takes from nothing to its first answer, and how much code it reads for it: each start is a new
 * process, all functions in turn, beside one that does nothing and one that is the bare AWS SDK, in one file, as bundlers
 * make it by themselves. `sdk-split` is the same SDK bundled as our functions are: how far the floor could be lowered.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../../infra/bundle.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import {
  type ColdFunction,
  type ColdStart,
  deployedFunctions,
  sizeAtStart,
  startCold,
  startEmptyCloud,
} from './cold-start.ts'
import { type Benchmark, type Figure, median } from './figures.ts'
import { firstMails } from './first-mail.ts'
import { bundleInOneFile } from './one-file.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const fewestRounds = 5
const usualRounds = 50

/** Of the bare SDK's time: a page waits for `connect` and an app for `api`; behind a queue it only costs. */
const targets: Record<string, { time: number; code?: number }> = {
  Connect: { time: 1.12, code: 1.15 },
  Api: { time: 1.12, code: 1.15 },
  Send: { time: 1, code: 2.2 },
  Fetch: { time: 1.25, code: 1.4 },
}
const mostMebibytes = 75

interface Start extends ColdStart {
  /** Until AWS had answered its first call: `send` makes three for an empty outbox. */
  answerMs: number
}

export const cold: Benchmark = {
  title: 'cold starts of the deployed bundles, against the bare AWS SDK (Node, this machine)',

  async run(progress, scale) {
    const rounds = Math.max(fewestRounds, Math.round(usualRounds * scale))
    const floors = await mkdtemp(join(tmpdir(), 'postroom-cold-'))
    const certificate = await localhostCertificate(join(floors, 'certificate'))
    const cloud = await startEmptyCloud(certificate)
    try {
      progress('bundling')
      const trusting = { NODE_EXTRA_CA_CERTS: certificate.certFile }
      const deployed = (await deployedFunctions(cloud.url)).map(one => ({
        ...one,
        environment: { ...one.environment, ...trusting },
      }))
      const [{ environment = {} } = {}] = deployed
      const floor = (name: string): ColdFunction => ({
        name,
        file: join(floors, `${name}.mjs`),
        environment,
        event: {},
      })
      bundle({ empty: 'empty.ts' }, here('cold-floors'), floors)
      bundle({ 'sdk-split': 'sdk.ts' }, here('cold-floors'), floors)
      bundleInOneFile(here('cold-floors/sdk.ts'), join(floors, 'sdk.mjs'))
      bundle({ process: 'cold-process.ts' }, here('.'), floors)

      const all = [floor('empty'), floor('sdk'), floor('sdk-split'), ...deployed]
      const starts = new Map<string, Start[]>(all.map(({ name }) => [name, []]))
      for (let round = 0; round < rounds; round++) {
        progress(`round ${round + 1} of ${rounds}: ${all.length} cold starts`)
        // The other way round each time, so that none is always behind the same neighbour.
        for (const one of round % 2 === 0 ? all : all.toReversed()) {
          const before = cloud.answeredAtMs().length
          const start = await startCold(join(floors, 'process.mjs'), one)
          const answeredAtMs = cloud.answeredAtMs()[before]
          if (one.name !== 'empty' && answeredAtMs === undefined)
            throw new Error(`${one.name} answered without a call to AWS: its event is no first call`)
          starts.get(one.name)?.push({ ...start, answerMs: (answeredAtMs ?? Number.NaN) - start.begunAtMs })
        }
      }
      return [...(await figuresOf(all, starts)), ...(await firstMails(progress, rounds))]
    } finally {
      cloud.close()
      await rm(floors, { recursive: true, force: true })
    }
  },
}

async function figuresOf(all: ColdFunction[], starts: Map<string, Start[]>): Promise<Figure[]> {
  const middle = (name: string, value: (start: Start) => number) =>
    median((starts.get(name) ?? []).map(value))
  const total = ({ initMs, firstMs }: ColdStart) => initMs + firstMs
  const sdkMs = middle('sdk', total)
  const sdkAnswerMs = middle('sdk', ({ answerMs }) => answerMs)
  const sizes = await Promise.all(all.map(({ file }) => sizeAtStart(file)))
  const sdkBytes = sizes[all.findIndex(({ name }) => name === 'sdk')]?.bytes ?? Number.NaN

  return all.flatMap(({ name }, index): Figure[] => {
    const { bytes, gzippedBytes } = sizes[index] ?? { bytes: Number.NaN, gzippedBytes: Number.NaN }
    const target = targets[name]
    return [
      { what: `${name}: code read at a start`, value: bytes / 1000, unit: 'KB' },
      { what: `${name}: the same, gzipped`, value: gzippedBytes / 1000, unit: 'KB' },
      {
        what: `${name}: code, to the bare SDK's`,
        value: bytes / sdkBytes,
        unit: 'ratio',
        atMost: target?.code,
      },
      { what: `${name}: loading`, value: middle(name, ({ initMs }) => initMs), unit: 'ms' },
      { what: `${name}: first call`, value: middle(name, ({ firstMs }) => firstMs), unit: 'ms' },
      { what: `${name}: both, to the bare SDK's`, value: middle(name, total) / sdkMs, unit: 'ratio' },
      {
        what: `${name}: until the first answer from AWS, to the bare SDK's`,
        // Nothing calls nobody.
        value: middle(name, ({ answerMs }) => answerMs) / sdkAnswerMs || 0,
        unit: 'ratio',
        atMost: target?.time,
      },
      {
        what: `${name}: resident memory after it`,
        value: middle(name, ({ residentMebibytes }) => residentMebibytes),
        unit: 'MiB',
        atMost: target && mostMebibytes,
      },
    ]
  })
}
