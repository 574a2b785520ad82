/** I1, I2, I3 and the order, over many thousand messages, whatever the provider does and wherever a drain dies. */

import { expect, test } from 'vitest'
import { seeded } from '../support/random.ts'
import { type Fate, openSimulation, type Simulation } from '../support/simulated-sending.ts'

const minuteMs = 60_000
/** Each seed is another course of events; a failing one is named, and can be run alone. */
const seeds = Number(process.env.POSTROOM_SEEDS ?? 100)
const messagesPerSeed = 100
const drainsAtOnce = 20

/** Nothing goes wrong any more, and nobody rings but `schedule`. */
async function settleAll(simulation: Simulation): Promise<void> {
  simulation.fate = () => 'take'
  for (let minute = 0; minute < 120 && (await simulation.rows()) > 0; minute++) {
    simulation.advance(minute < 60 ? minuteMs : 60 * minuteMs)
    await simulation.sweep()
  }
}

async function verify(simulation: Simulation): Promise<void> {
  const { accepted, taken, ambiguous, delayed, events } = simulation
  const timesTaken = new Map<string, number>()
  for (const id of taken) timesTaken.set(id, (timesTaken.get(id) ?? 0) + 1)
  expect(await simulation.rows(), 'rows left in the outbox').toBe(0)
  for (const id of accepted) {
    const state = await simulation.state(id)
    const times = timesTaken.get(id) ?? 0
    // I1: none vanishes. I2: none is taken twice. And what is told is true.
    expect(['sent', 'failed', 'uncertain'], id).toContain(state)
    expect(times, `${id} taken`).toBeLessThanOrEqual(1)
    if (state === 'sent') expect(times, `${id} is sent`).toBe(1)
    if (state === 'failed') expect(times, `${id} has failed`).toBe(0)
    // I3: uncertain only where nobody could know.
    const wasUncertain = events.some(event => event.type === 'message.uncertain' && event.id === id)
    if (wasUncertain || state === 'uncertain') expect(ambiguous.has(id), `${id} was uncertain`).toBe(true)
    if (!ambiguous.has(id)) expect(['sent', 'failed'], id).toContain(state)
  }
  // Order: whatever was not held up by a refusal of its own or a doubt of its own left in the order of acceptance.
  const orderly = taken.filter(id => !ambiguous.has(id) && !delayed.has(id))
  expect(orderly).toEqual(accepted.filter(id => orderly.includes(id)))
}

test(`I1, I2, I3: ${seeds * messagesPerSeed} messages through ${drainsAtOnce} drains at once that die anywhere, at a provider that does anything`, async () => {
  const sum = { messages: 0, taken: 0, ambiguous: 0, drains: 0, deaths: 0 }
  for (let seed = 1; seed <= seeds; seed++) {
    const random = seeded(seed)
    const pick = <T>(choices: T[]): T => choices[Math.floor(random() * choices.length)] as T
    const simulation = await openSimulation({ random })
    const troubles: Fate[] = ['drop early', 'drop in body', 'drop taken', 'drop untaken', 'refuse', 'later']
    simulation.fate = () => (random() < 0.1 ? pick(troubles) : 'take')
    const drains: Promise<unknown>[] = []
    while (simulation.accepted.length < messagesPerSeed) {
      for (let burst = Math.floor(random() * 20); burst >= 0; burst--) await simulation.accept()
      // Doorbells come twice and more, late, or never.
      const rings = pick([0, 1, 2, drainsAtOnce])
      for (let ring = 0; ring < rings; ring++) {
        const killAt = random() < 0.3 ? 1 + Math.floor(random() * 120) : undefined
        drains.push(simulation.drain({ killAt, takesEffect: random() < 0.5 }))
        sum.drains += 1
        if (killAt !== undefined) sum.deaths += 1
      }
      if (random() < 0.5) await Promise.all(drains.splice(0))
      // Half of the time past the lease: a drain that is still alive has then lost it.
      simulation.advance(pick([1_000, 20_000, 40_000, 2 * minuteMs]))
    }
    await Promise.all(drains)
    await settleAll(simulation)
    try {
      await verify(simulation)
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
    sum.messages += simulation.accepted.length
    sum.taken += simulation.taken.length
    sum.ambiguous += simulation.ambiguous.size
  }
  // A simulation in which nothing went wrong would prove nothing.
  expect(sum.messages).toBeGreaterThanOrEqual(seeds * messagesPerSeed)
  expect(Math.min(sum.ambiguous, sum.deaths)).toBeGreaterThan(seeds)
}, 300_000)

test('I1, I2, I3: a drain that dies at any await, before or after it took effect, loses nothing and sends nothing twice', async () => {
  const clean = await openSimulation()
  for (let i = 0; i < 3; i++) await clean.accept()
  const { awaits } = await clean.drain()
  expect(clean.taken).toHaveLength(3)
  for (let killAt = 1; killAt <= awaits; killAt++) {
    for (const takesEffect of [false, true]) {
      const simulation = await openSimulation()
      for (let i = 0; i < 3; i++) await simulation.accept()
      await simulation.drain({ killAt, takesEffect })
      await settleAll(simulation)
      await verify(simulation)
    }
  }
})

test('a drain that dies at any await while it files copies leaves one copy of each mail', async () => {
  const openWithCopiesDue = async () => {
    const simulation = await openSimulation({ isShared: true })
    for (let i = 0; i < 2; i++) await simulation.accept()
    await simulation.drain()
    simulation.advance(2 * minuteMs)
    return simulation
  }
  const clean = await openWithCopiesDue()
  const { awaits } = await clean.drain()
  expect(clean.copies).toEqual(clean.accepted)
  for (let killAt = 1; killAt <= awaits; killAt++) {
    for (const takesEffect of [false, true]) {
      const simulation = await openWithCopiesDue()
      await simulation.drain({ killAt, takesEffect })
      await settleAll(simulation)
      expect(simulation.copies, `killed at ${killAt}`).toEqual(simulation.accepted)
      expect(await simulation.rows()).toBe(0)
    }
  }
})

test('a drain sends all it has over one session', async () => {
  const simulation = await openSimulation()
  for (let i = 0; i < 50; i++) await simulation.accept()
  await simulation.drain()
  expect([simulation.taken.length, simulation.sessions]).toEqual([50, 1])
})

test('I2: only an app that chose to resend gets a mail twice, and only after a doubt', async () => {
  const simulation = await openSimulation()
  const [report, resend] = [await simulation.accept('report'), await simulation.accept('resend')]
  simulation.fate = () => 'drop untaken'
  await simulation.drain()
  simulation.advance(2 * minuteMs)
  await simulation.drain()
  await settleAll(simulation)
  expect(await Promise.all([report, resend].map(id => simulation.state(id)))).toEqual(['uncertain', 'sent'])
  expect(simulation.taken).toEqual([resend])
})
