/** What the numbers of Entra at the callback mean, where the OAuth error alone would blame the wrong one. */

import { expect, test } from 'vitest'
import { consentRefusal } from '../../functions/connect/consent-refusal.ts'

test.each([70001, 90002, 650052, 650057])(
  'AADSTS%i is for the operator, whatever error stands before it',
  n => {
    const { code, evidence } = consentRefusal('access_denied', `AADSTS${n}: Contoso lacks it.`)
    expect({ code, evidence }).toEqual({ code: 'app_misconfigured', evidence: `access_denied AADSTS${n}` })
  },
)
