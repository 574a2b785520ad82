/** What a mailbox owner does in a browser: follows the link, continues, consents at the sandbox, lands somewhere. */

interface Landing {
  status: number
  url: string
  text: string
}

/** What is chosen on the sandbox's consent page. */
interface ConsentAnswer {
  decision?: 'accept' | 'decline'
  /** One of the sandbox's scripts: how the provider or its mail servers shall behave. */
  script?: string
}

export interface Person {
  /** One step: no redirect is followed. Cookies are kept as a browser keeps them. */
  visit(url: string, form?: Record<string, string>): Promise<Landing & { location: string | null }>
  /** The whole way from the connect link, choosing a persona of the sandbox. */
  connect(connectUrl: string, persona: string, answer?: ConsentAnswer): Promise<Landing>
}

const redirectLimit = 10

export function newPerson(): Person {
  const cookies = new Map<string, string>()

  async function visit(url: string, form?: Record<string, string>) {
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: {
        accept: 'text/html',
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded', origin: new URL(url).origin }),
      },
      body: form && new URLSearchParams(form).toString(),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      const equals = pair.indexOf('=')
      cookies.set(pair.slice(0, equals).trim(), pair.slice(equals + 1).trim())
    }
    const location = response.headers.get('location')
    return {
      status: response.status,
      url,
      text: await response.text(),
      location: location && new URL(location, url).toString(),
    }
  }

  async function follow(
    from: Landing & { location: string | null },
  ): Promise<Landing & { location: string | null }> {
    let at = from
    for (let step = 0; at.location !== null && step < redirectLimit; step++) at = await visit(at.location)
    return at
  }

  return {
    visit,
    async connect(connectUrl, persona, { decision = 'accept', script } = {}) {
      const page = await visit(connectUrl)
      if (page.status !== 200) return page
      const consent = await follow(await visit(connectUrl, {}))
      if (consent.status !== 200) return consent
      return follow(await visit(consent.url, { persona, decision, ...(script !== undefined && { script }) }))
    },
  }
}
