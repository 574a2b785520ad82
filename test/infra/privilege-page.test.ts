import { expect, test } from 'vitest'
import { renderPrivileges } from '../../infra/privilege-page.ts'
import { steps } from '../system/statement-steps.ts'

test('the page about privileges says what the code grants, and where the lack of it shows', async () => {
  const needOf = (folder: string, sid: string) =>
    steps.find(({ needs }) => needs.includes(`${folder} ${sid}`))?.name
  await expect(renderPrivileges(needOf)).toMatchFileSnapshot('../../infra/privileges.md')
})
