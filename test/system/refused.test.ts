/** The runner holds functions to the template: one statement less there, and on this machine too exactly one thing fails. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem({
  async changeAssembly(folder) {
    const file = join(folder, 'Postroom.template.json')
    const template = JSON.parse(await readFile(file, 'utf8'))
    const name = Object.keys(template.Resources).find(id => id.startsWith('ApiRoleDefaultPolicy')) ?? ''
    const policy = template.Resources[name].Properties.PolicyDocument
    policy.Statement = policy.Statement.filter(({ Sid }: { Sid?: string }) => Sid !== 'WriteMail')
    await writeFile(file, JSON.stringify(template))
  },
})

test('an api that may not write mail accepts none, says so, and does all the rest', async () => {
  const { app } = running
  const channel = await running.connect('ada')
  const to = [{ address: 'customer@outside.example' }]
  const refused = await app.send(channel.id, { to, subject: 'x', text: 'x' }, 'k')
  expect(refused).toMatchObject({ status: 500, body: { code: 'internal' } })
  expect(running.log).toContainEqual(
    expect.objectContaining({
      function: 'Api',
      message: 'access denied by the template',
      action: 's3:PutObject',
    }),
  )
  const listed = await app.call('GET', `/v1/channels/${channel.id}/messages?direction=outbound`)
  expect(listed).toMatchObject({ status: 200, body: { messages: [] } })
})
