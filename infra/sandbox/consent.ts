/**
 * The consent page of both providers: who signs in, and whether the app may read and send their mail.
 *
 * A program drives it without cookies: GET the authorize URL and follow its redirect to the page's URL
 * (`…/consent/{id}`), then POST to that URL, as `application/x-www-form-urlencoded`, the two fields
 *   persona=<id>                  one of the ids on the page (also at GET /personas)
 *   decision=accept | decline
 * The answer is a 303 to the app's redirect URI with `code` and `state`, or with `error=access_denied` and `state`.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Context, Grant, Interaction, Provider } from 'oidc-provider'
import { type Exchange, RequestError, readForm, sendPage } from './http-exchange.ts'
import { html, type Markup, page } from './markup.ts'
import { passOn } from './pass-on.ts'
import { addressesOf, type Persona } from './personas.ts'

const askedHeader = 'x-sandbox-asked'

/** One provider's consent: whom the page offers, and what an acceptance grants. */
export interface Consent {
  provider: Provider
  /** As the heading calls it. */
  displayName: string
  personas: readonly Persona[]
  /** The authorization endpoint's path inside the provider, under which it resumes an interaction. */
  authorizePath: string
  /** Records what the person granted and returns the grant; may add to `interaction.params` before the code is made. */
  grant(interaction: Interaction, persona: Persona): Promise<string>
}

/** Shows the page on GET, carries out the decision on POST. */
export async function answerConsent(exchange: Exchange, consent: Consent & { id: string }): Promise<void> {
  const { request, response } = exchange
  const interaction = await consent.provider.Interaction.find(consent.id)
  if (!interaction) {
    return sendPage(response, {
      status: 400,
      page: errorPage({
        title: 'This sign-in has ended',
        detail: 'It was answered already or took too long. Start again in the app.',
      }),
    })
  }
  if (request.method !== 'POST')
    return sendPage(response, { status: 200, page: consentPage(consent, interaction) })
  const form = await readForm(request)
  const decision = form.get('decision')
  if (decision === 'decline') {
    interaction.result = { error: 'access_denied', error_description: 'the user denied access' }
  } else if (decision === 'accept') {
    const persona = consent.personas.find(({ id }) => id === form.get('persona'))
    if (!persona)
      throw new RequestError('persona must be one of the ids on the page', { status: 400, field: 'persona' })
    const grantId = await consent.grant(interaction, persona)
    interaction.result = { login: { accountId: persona.subject, remember: false }, consent: { grantId } }
  } else {
    throw new RequestError('decision must be accept or decline', { status: 400, field: 'decision' })
  }
  await interaction.save(Math.max(1, interaction.exp - Math.floor(Date.now() / 1000)))
  // oidc-provider resumes by a cookie that it set before. Handing it the cookie here saves every caller a cookie jar
  // and a hop; the id in the URL is as unguessable as the cookie.
  await passOn(consent.provider, {
    exchange,
    url: `${consent.authorizePath}/${interaction.uid}`,
    method: 'GET',
    headers: {
      host: request.headers.host,
      accept: 'text/html',
      cookie: `_interaction_resume=${interaction.uid}`,
    },
    body: Buffer.alloc(0),
  })
}

/** Grants the scopes of a request, split into those of OpenID Connect and those of one resource. */
export function addScopes(
  grant: Grant,
  scopes: { openid: string[]; resource?: { id: string; scopes: string[] } },
): void {
  if (scopes.openid.length > 0) grant.addOIDCScope(scopes.openid.join(' '))
  if (scopes.resource && scopes.resource.scopes.length > 0) {
    grant.addResourceScope(scopes.resource.id, scopes.resource.scopes.join(' '))
  }
}

/**
 * The headers for oidc-provider's view of an authorize request. No cookies: every sign-in starts from nothing, so that
 * one browser can connect several accounts. The address asked for is added, since oidc-provider sees another.
 */
export function authorizeHeaders({ request, url }: Exchange): IncomingHttpHeaders {
  return { host: request.headers.host, accept: 'text/html', [askedHeader]: url.href }
}

/** Where oidc-provider sends the browser: the consent page beside the authorize address that was asked for. */
export function consentUrl(context: Context, interaction: { uid: string }): string {
  return new URL(`consent/${interaction.uid}`, context.get(askedHeader)).href
}

/** oidc-provider's page for a request that must not be sent back to the app, such as one with a foreign redirect URI. */
export function showError(context: Context, out: { error: string; error_description?: string }): void {
  context.type = 'html'
  context.body = errorPage({
    title: 'Sign-in cannot start',
    detail: `${out.error}: ${out.error_description ?? 'the request cannot be answered'}`,
  }).markup
}

/** A page with one sentence, where there is nothing to choose. */
export function errorPage({ title, detail }: { title: string; detail: string }): Markup {
  return page({ title, narrow: true, body: html`<h1>${title}</h1><p>${detail}</p>` })
}

function consentPage({ displayName, personas }: Consent, { params }: Interaction): Markup {
  const hint = params.login_hint?.toLowerCase()
  const hinted = personas.find(persona => hint !== undefined && addressesOf(persona).includes(hint))
  const chosen = hinted ?? personas[0]
  return page({
    title: `Sign in: ${displayName} sandbox`,
    narrow: true,
    body: html`
<h1>Choose an account</h1>
<p class="dim">${displayName} sandbox on this machine. Nobody here is real.</p>
<form method="post">
<fieldset>
<legend>Who signs in?</legend>
${personas.map(persona => choice(persona, persona === chosen))}
</fieldset>
<p>The app asks to read this mailbox and to send as it:</p>
<ul>${(params.scope ?? '').split(' ').map(scope => html`<li><code>${scope}</code></li>`)}</ul>
<button class="main" name="decision" value="accept">Accept</button>
<button name="decision" value="decline">Decline</button>
</form>`,
  })
}

function choice(persona: Persona, checked: boolean): Markup {
  const mailbox = persona.email ?? 'no mailbox address'
  return html`<label class="choice">
<input type="radio" name="persona" value="${persona.id}" required${checked && { markup: ' checked' }}>
<div><strong>${persona.name}</strong><small>Signs in as ${persona.signInName}</small><small>Mailbox ${mailbox}</small></div>
</label>
`
}
