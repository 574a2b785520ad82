/** I5 against Dovecot: arrivals, expunges, moves and new numbers at random moments, while polls overlap and are killed. */

import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { seeded } from '../support/random.ts'
import { openCourier } from './handing-over.ts'
import { missingForMail } from './installed.ts'
import { useMailSystem } from './mail-system.ts'
import { type OwnersView, openOwnersView } from './owners-view.ts'

const owner = 'ada@contoso.example'
const account = 'motion'
const shelf = 'Shelf'
const rounds = 30
const newNumbersEvery = 7
/** Longer than a poll takes: a poll may be killed anywhere in it, or after it. */
const killWithinMs = 400
/** A seed repeats what is chosen, not what the machine does meanwhile. */
const seed = Number(process.env.SEED ?? randomInt(2 ** 31))

const nameIn = (text: string) => /^Subject: (mail-\d+)\r?$/m.exec(text)?.[1] ?? ''

describe.skipIf(missingForMail !== null)('a mailbox in motion', () => {
  const system = useMailSystem()

  const told = async () =>
    (await system.events(account))
      .filter(({ type }) => type === 'message.received')
      .map(({ data }) => String(data.message.subject))

  test(`I5: every mail that stays is told once, in whatever folder it lies, and no mail twice (SEED=${seed})`, async () => {
    const random = seeded(seed)
    const upTo = (count: number) => 1 + Math.floor(random() * count)
    const channel = await system.connect('ada', account)
    const login = { server: system.imap, user: owner, accessToken: await system.tokenOf('ada') }
    const openViews = async (): Promise<[OwnersView, OwnersView]> => [
      await openOwnersView(login),
      await openOwnersView({ ...login, folder: shelf }),
    ]
    let views = await openViews()
    const folders = ['INBOX', shelf]
    expect((await system.app.call('PATCH', `/v1/channels/${channel.id}`, { folders })).status).toBe(200)

    let arrivals = 0
    const gone = new Set<string>()
    const counts = { ended: 0, killed: 0, moved: 0 }
    const validities = new Set<string>()

    async function arrive(count: number) {
      const dovecot = await openCourier(system.dovecot.lmtpPort, 'lmtp')
      for (let sent = 0; sent < count; sent++) {
        const name = `mail-${arrivals++}`
        const head = `From: customer@outside.example\r\nMessage-ID: <${name}@outside.example>\r\nSubject: ${name}\r\n`
        const raw = Buffer.from(`${head}\r\n${name}\r\n`)
        await dovecot.deliver({ from: 'customer@outside.example', to: owner, raw })
      }
      dovecot.close()
    }

    async function disturb() {
      const from = random() < 0.6 ? 0 : 1
      const mails = await views[from].mails()
      const mail = mails[Math.floor(random() * mails.length)]
      if (!mail) return
      if (random() < 0.4) {
        gone.add(nameIn(mail.text))
        await views[from].expunge(mail.uid)
      } else {
        counts.moved += 1
        await views[from].move(mail.uid, from === 0 ? shelf : 'INBOX')
      }
    }

    const records = [{ messageId: '1', body: JSON.stringify({ channelIds: [channel.id] }) }]
    const poll = () =>
      system.cloud.invoke('Fetch', { Records: records }).then(
        () => counts.ended++,
        () => counts.killed++,
      )

    const staying = async () =>
      (await Promise.all(views.map(view => view.mails()))).flat().map(({ text }) => nameIn(text))

    /** Everything that stays is told after a few polls that nobody disturbs. */
    async function settle() {
      const stay = await staying()
      expect(stay).toHaveLength(arrivals - gone.size)
      for (let more = 0; more < 10; more++) {
        await system.poll(channel)
        const names = new Set(await told())
        if (stay.every(name => names.has(name))) break
      }
      const names = await told()
      expect(stay.filter(name => !names.includes(name))).toEqual([])
    }

    for (let round = 1; round <= rounds; round++) {
      await arrive(upTo(8))
      const polls = Array.from({ length: upTo(2) }, poll)
      const isToBeKilled = random() < 0.4
      const killed = sleep(random() * killWithinMs).then(() =>
        isToBeKilled ? system.cloud.kill('Fetch') : undefined,
      )
      for (let more = upTo(4); more > 0; more--) await disturb()
      await arrive(upTo(2))
      await Promise.all([...polls, killed])
      if (round % newNumbersEvery === 0) {
        // What a poll has lost comes to light when all numbers are new: every second time it must be told without that.
        if (validities.size % 2 === 1) await settle()
        await system.dovecot.forgetNumbers(owner)
        views = await openViews()
        validities.add(await views[0].uidValidity())
      }
    }

    // All of it really happened, while mail was told.
    const toldInMotion = await told()
    expect(counts.killed).toBeGreaterThan(0)
    expect(validities.size).toBe(Math.floor(rounds / newNumbersEvery))
    expect(counts.moved).toBeGreaterThan(rounds / 2)
    expect(toldInMotion.length).toBeGreaterThan(rounds)
    expect(toldInMotion.filter(name => gone.has(name)).length).toBeGreaterThan(0)

    await settle()
    // What was told twice would be so by now.
    await system.poll(channel)
    const names = await told()
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
    console.log(
      `${arrivals} arrivals, ${gone.size} expunged, ${counts.moved} moved, ${validities.size} times new numbers; ${counts.killed} polls killed, ${counts.ended} ended; ${toldInMotion.length} told meanwhile, ${names.length} in all`,
    )
  }, 240_000)
})
