/**
 * I5: each mail that arrives is told under exactly one id, whatever happens at the same time: functions that die at any
 * await, polls that overlap, connections that break, mail that is expunged, moved out and back or into another folder that is
 * read, shown late or withheld, and servers that number their mail anew. POSTROOM_SIMULATED_ARRIVALS=200000 runs the full number.
 */

import { beforeAll, expect, test, vi } from 'vitest'
import { type Channel, openChannels } from '../../functions/channel/channels.ts'
import { openEvents } from '../../functions/channel/events.ts'
import type { EventsTopic } from '../../functions/channel/events-topic.ts'
import { openHealth } from '../../functions/channel/health.ts'
import { openLoopBrake } from '../../functions/channel/loop-brake.ts'
import type { MailStore } from '../../functions/channel/mail-store.ts'
import { openMessages } from '../../functions/channel/messages.ts'
import { mergeProviders } from '../../functions/channel/provider.ts'
import { openThreads } from '../../functions/channel/threads.ts'
import { openCursors } from '../../functions/fetch/cursor.ts'
import { type MailboxServices, pollMailbox } from '../../functions/fetch/mailbox.ts'
import { openMemory } from '../../functions/fetch/memory.ts'
import { parseMail } from '../../functions/fetch/parse.ts'
import { newChannel } from '../storage-contract/nouns.ts'
import { openMemoryTable } from '../support/memory-table.ts'
import { type ModelMail, type ModelMailbox, openFolders, openModelMailbox } from '../support/model-mailbox.ts'
import { seeded } from '../support/random.ts'
import { recordQueues } from '../support/workbench.ts'

const arrivalsWanted = Number(process.env.POSTROOM_SIMULATED_ARRIVALS ?? 2_000)
const arrivalsPerWorld = 500
const minuteMs = 60_000

// Every function that dies would say so, thousands of times.
beforeAll(() => void vi.spyOn(process.stdout, 'write').mockImplementation(() => true))

/** What ends a function: nothing it calls works any more. */
class Died extends Error {}

interface Told {
  id: string
  arrival: number
}

/** One mailbox, its channel, and everything that outlives a function. */
function newWorld(seed: number) {
  const random = seeded(seed)
  let nowMs = Date.parse('2026-11-24T10:00:00Z')
  const now = () => nowMs
  let isCalm = false
  const chance = (probability: number) => !isCalm && random() < probability

  const main = openMemoryTable()
  const objects = new Map<string, Uint8Array>()
  const published = new Map<string, Told>()
  const publications: string[] = []
  const newFolder = () => openModelMailbox({ random, now, breaks: () => chance(0.01) })
  const mailbox = newFolder()
  const archive = newFolder()
  const channel: Channel = newChannel({
    fetchSince: new Date(nowMs).toISOString(),
    folders: ['INBOX', 'archive'],
  })

  /** The services of one function, which dies at one of its awaits or lives. */
  function newFunction(): MailboxServices {
    let isDead = false
    const dies = chance(0.4) ? 0.01 : 0
    const step = async () => {
      for (let turns = Math.floor(random() * 4); turns > 0; turns--) await null
      if (isDead || chance(dies)) {
        isDead = true
        throw new Died()
      }
    }
    const mortal = <T extends object>(service: T): T =>
      new Proxy(service, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return async (...given: unknown[]) => {
            await step()
            const result = await Reflect.apply(value, target, given)
            // Also right after the write has happened, before anybody knows.
            await step()
            return result
          }
        },
      })
    const table = mortal(main)
    const mail = mortal<MailStore>({
      put: async (key, bytes) => void objects.set(key, bytes),
      read: async key => objects.get(key),
      size: async key => objects.get(key)?.byteLength,
      stream: async () => undefined,
    })
    const topic = mortal<EventsTopic>({
      async publish(message) {
        const event = JSON.parse(message)
        if (event.type !== 'message.received') return
        publications.push(event.id)
        published.set(event.id, { id: event.id, arrival: Number(event.data.message.subject) })
      },
    })
    const channels = openChannels({ main: table })
    const events = openEvents({ main: table, topic, now })
    return {
      channels,
      events,
      mail,
      messages: openMessages({ main: table, mail }),
      threads: openThreads({ main: table }),
      cursors: openCursors({ main: table }),
      health: openHealth({
        main: table,
        queues: recordQueues(),
        channels,
        events,
        providers: {},
        publicUrl: 'https://postroom.example',
        now,
      }),
      // No sign-in is simulated here.
      tokens: { accessToken: async () => 'token' } as unknown as MailboxServices['tokens'],
      providers: mergeProviders({}),
      queues: recordQueues(),
      parser: { parse: parseMail, close: async () => {} },
      loopBrake: openLoopBrake({ main: table, now }),
      memory: openMemory(1_000_000),
      imap: {
        open: async () => openFolders({ INBOX: mailbox, Archiv: archive }),
      },
      now,
    }
  }

  async function poll(): Promise<void> {
    const services = newFunction()
    // What the health axes do is another matter: here every poll goes.
    const latest = (await openChannels({ main }).find(channel.id)) ?? channel
    await pollMailbox(
      { ...latest, imapTrouble: null },
      { services, deadlineMs: nowMs + minuteMs, isRequested: false },
    ).catch(() => undefined)
  }

  return {
    random,
    mailbox,
    archive,
    published,
    publications,
    poll,
    create: () => openChannels({ main }).create(channel),
    now,
    pass(ms: number) {
      nowMs += ms
    },
    calm() {
      isCalm = true
    },
  }
}

type World = ReturnType<typeof newWorld>

/** Some mails have a Message-ID that another mail has, some have none; all have bytes of their own. */
function newMail(world: World, arrival: number): ModelMail {
  const pick = world.random()
  const id = pick < 0.1 ? '' : `Message-ID: <${pick < 0.2 ? 'same' : arrival}@outside.example>\r\n`
  const raw = `From: c@outside.example\r\nTo: a@contoso.example\r\nSubject: ${arrival}\r\n${id}\r\nHi ${arrival}\r\n`
  return { arrival, receivedAt: new Date(world.now()), raw: Buffer.from(raw) }
}

/** @returns the arrivals that somebody took away before the end: they may be told, and need not be */
async function live(world: World): Promise<Set<number>> {
  const gone = new Set<number>()
  const away: ModelMail[] = []
  const { mailbox, archive, random } = world
  for (let arrival = 1; arrival <= arrivalsPerWorld; ) {
    world.pass(random() * 3 * minuteMs)
    for (let count = Math.floor(random() * 12); count > 0 && arrival <= arrivalsPerWorld; count--) {
      mailbox.arrive(newMail(world, arrival++), random() < 0.03 ? world.now() + random() * 20 * minuteMs : 0)
    }
    const polls = Array.from({ length: 1 + Math.floor(random() * 3) }, () => world.poll())
    disturb(mailbox, world, { gone, away })
    disturb(archive, world, { gone, away })
    await Promise.all(polls)
    disturb(mailbox, world, { gone, away })
    move(mailbox, archive, world)
    move(archive, mailbox, world)
  }
  for (const mail of away) putBack(mail, mailbox, gone)
  return gone
}

function disturb(
  mailbox: ModelMailbox,
  { random }: World,
  { gone, away }: { gone: Set<number>; away: ModelMail[] },
): void {
  const pick = random()
  if (pick < 0.04) mailbox.renumber()
  else if (pick < 0.1) mailbox.withholdAny(1 + Math.floor(random() * 2))
  else if (pick < 0.25) {
    const mail = mailbox.takeAny()
    if (mail) gone.add(mail.arrival)
    if (mail && random() < 0.5) away.push(mail)
  } else if (pick < 0.3) {
    const mail = away.pop()
    if (mail) putBack(mail, mailbox, gone)
  }
}

/** Somebody files mail, or takes it out again: it stays the same mail. */
function move(from: ModelMailbox, to: ModelMailbox, { random }: World): void {
  if (random() > 0.3) return
  const mail = from.takeAny()
  if (mail) to.arrive(mail)
}

function putBack(mail: ModelMail, mailbox: ModelMailbox, gone: Set<number>): void {
  gone.delete(mail.arrival)
  mailbox.arrive(mail)
}

/** Nothing disturbs any more; a day passes, so that the count of all is due. */
async function settle(world: World): Promise<void> {
  world.calm()
  for (let polls = 0; polls < 4; polls++) {
    world.pass(30 * minuteMs)
    await world.poll()
  }
  world.pass(25 * 60 * minuteMs)
  for (let polls = 0; polls < 3; polls++) await world.poll()
}

const seeds = Array.from({ length: Math.ceil(arrivalsWanted / arrivalsPerWorld) }, (_, seed) => seed + 1)

test(`I5: of ${seeds.length * arrivalsPerWorld} mails none is lost, and none is told under two ids`, {
  timeout: 60_000 + arrivalsWanted * 50,
}, async () => {
  const verdicts = []
  for (const seed of seeds) {
    const world = newWorld(seed)
    await world.create()
    await world.poll()
    const gone = await live(world)
    await settle(world)
    const told = [...world.published.values()].map(({ arrival }) => arrival)
    const known = new Set(told)
    const lost = []
    for (let arrival = 1; arrival <= arrivalsPerWorld; arrival++)
      if (!known.has(arrival) && !gone.has(arrival)) lost.push(arrival)
    verdicts.push({ seed, lost, doubled: told.filter((arrival, index) => told.indexOf(arrival) !== index) })
  }
  const wrong = verdicts.filter(({ lost, doubled }) => lost.length > 0 || doubled.length > 0)
  expect(wrong).toEqual([])
  expect(verdicts).toHaveLength(seeds.length)
})
