import { expect, test } from 'vitest'
import { renderPrivileges } from '../../infra/privilege-page.ts'

test('the page of privileges tells what the code grants', async () => {
  await expect(renderPrivileges()).toMatchFileSnapshot('../../infra/privileges.md')
})
