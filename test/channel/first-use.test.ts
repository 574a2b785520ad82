/** Services that are opened by the first call that needs them. */

import { expect, test } from 'vitest'
import { openedAtFirstUse } from '../../functions/channel/first-use.ts'

interface Greeter {
  greet(name: string): Promise<string>
  part(): Promise<string>
}

function greeter() {
  const seen = { opened: 0 }
  const service = openedAtFirstUse<Greeter>(async () => {
    seen.opened++
    return {
      async greet(name) {
        if (name === '') throw new RangeError('nobody')
        return `hello ${name}`
      },
      part: async () => 'bye',
    }
  })
  return { seen, service }
}

test('nothing is opened until the first call', () => {
  const { seen, service } = greeter()
  expect([typeof service.greet, seen.opened]).toEqual(['function', 0])
})

test('calls that come together open it once, and each gets its own answer', async () => {
  const { seen, service } = greeter()
  const answers = await Promise.all([service.greet('a'), service.greet('b'), service.part()])
  expect(answers).toEqual(['hello a', 'hello b', 'bye'])
  expect(seen.opened).toBe(1)
})

test('what a method throws arrives as it is', async () => {
  await expect(greeter().service.greet('')).rejects.toThrow(new RangeError('nobody'))
})

test('an async function may give it back: it is no promise', async () => {
  const { seen, service } = greeter()
  expect(await (async () => service)()).toBe(service)
  expect(seen.opened).toBe(0)
})

test('a service that could not be opened is tried again by the next call', async () => {
  let attempts = 0
  const service = openedAtFirstUse<Greeter>(async () => {
    attempts++
    if (attempts === 1) throw new Error('not now')
    return { greet: async name => name, part: async () => '' }
  })
  await expect(service.greet('a')).rejects.toThrow('not now')
  expect(await service.greet('a')).toBe('a')
})
