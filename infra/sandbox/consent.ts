/**
 * The consent page of both providers: who signs in, and whether the app may read and send their mail.
 *
 * A program drives it without cookies: GET the authorize URL and follow its redirect to the page's URL
 * (`…/consent/{id}`), then POST to that URL, as `application/x-www-form-urlencoded`, the fields
 *   persona=<id>                  one of the ids on the page (also at GET /personas)
 *   decision=accept | decline
 *   script=<id>                   optional, one of GET /scripts: how the provider misbehaves from now on; empty is as
 *                                 usual; without the field the persona goes on following what it did
 * The answer is a 303 to the app's redirect URI with `code` and `state`, or with `error` and `state`; one script ends
 * in a page instead.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Context, Grant, Interaction, Provider } from 'oidc-provider'
import { type Exchange, RequestError, readForm, redirect, sendPage } from './http-exchange.ts'
import { html, type Markup, page } from './markup.ts'
import { passOn } from './pass-on.ts'
import { addressesOf, type Persona } from './personas.ts'
import { type Choosing, scriptForSignIn, scriptOptions } from './script-choice.ts'
import { declined, type SignInEnding } from './scripts.ts'

const askedHeader = 'x-sandbox-asked'

/** One provider's consent: whom the page offers, and what an acceptance grants. */
export interface Consent {
  provider: Provider
  /** As the heading calls it. */
  displayName: string
  personas: readonly Persona[]
  /** The authorization endpoint's path inside the provider, under which it resumes an interaction. */
  authorizePath: string
  choosing: Choosing
  /** The `error_description` in the provider's words, undefined where it sends none. */
  describe(ending: SignInEnding): string | undefined
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
  if (decision === 'decline') return endSignIn(exchange, { consent, interaction, ending: declined })
  if (decision !== 'accept')
    throw new RequestError('decision must be accept or decline', { status: 400, field: 'decision' })
  const persona = consent.personas.find(({ id }) => id === form.get('persona'))
  if (!persona)
    throw new RequestError('persona must be one of the ids on the page', { status: 400, field: 'persona' })
  const script = await scriptForSignIn(consent.choosing, { persona, chosen: form.get('script') })
  const { ending, withheldScope } = script ?? {}
  const lifted = ending?.untilApproved && consent.choosing.directory.isApproved(persona.tenantId)
  if (ending && !lifted) return endSignIn(exchange, { consent, interaction, ending })
  if (withheldScope !== undefined)
    interaction.params.scope = (interaction.params.scope ?? '')
      .split(' ')
      .filter(scope => !scope.endsWith(withheldScope))
      .join(' ')
  const grantId = await consent.grant(interaction, persona)
  interaction.result = { login: { accountId: persona.subject, remember: false }, consent: { grantId } }
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

/** Sends the app the error, in the query as RFC 6749, section 4.1.2.1 has it; or shows a page where it hears nothing. */
async function endSignIn(
  { response }: Exchange,
  of: { consent: Consent; interaction: Interaction; ending: SignInEnding },
): Promise<void> {
  const { consent, interaction, ending } = of
  const { redirect_uri: redirectUri = '', state } = interaction.params
  await interaction.destroy()
  if (ending.error === null) {
    const body = { title: 'Approval required', detail: `${ending.text} (AADSTS${ending.aadsts})` }
    return sendPage(response, { status: 200, page: errorPage(body) })
  }
  // oidc-provider checked the redirect URI before it made the interaction.
  const url = new URL(redirectUri)
  url.searchParams.set('error', ending.error)
  const description = consent.describe(ending)
  if (description !== undefined) url.searchParams.set('error_description', description)
  if (state !== undefined) url.searchParams.set('state', state)
  redirect(response, url.href)
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

function consentPage({ displayName, personas, choosing }: Consent, { params }: Interaction): Markup {
  const hint = params.login_hint?.toLowerCase()
  const hinted = personas.find(persona => hint !== undefined && addressesOf(persona).includes(hint))
  const chosen = hinted ?? personas[0]
  const anyScript = personas.some(persona => choosing.directory.scriptOf(persona) !== undefined)
  return page({
    title: `Sign in: ${displayName} sandbox`,
    narrow: true,
    body: html`
<h1>Choose an account</h1>
<p class="dim">${displayName} sandbox on this machine. Nobody here is real.</p>
<form method="post">
<fieldset>
<legend>Who signs in?</legend>
${personas.map(persona => choice(persona, { checked: persona === chosen, choosing }))}
</fieldset>
<details${anyScript && { markup: ' open' }}>
<summary>Let something go wrong</summary>
<label><span>What the provider does to this account, now and later</span>
<select name="script">${
      chosen && scriptOptions({ provider: chosen.provider, selected: undefined, keeping: anyScript })
    }</select></label>
</details>
<p>The app asks to read this mailbox and to send as it:</p>
<ul>${(params.scope ?? '').split(' ').map(scope => html`<li><code>${scope}</code></li>`)}</ul>
<button class="main" name="decision" value="accept">Accept</button>
<button name="decision" value="decline">Decline</button>
</form>`,
  })
}

function choice(persona: Persona, { checked, choosing }: { checked: boolean; choosing: Choosing }): Markup {
  const mailbox = persona.email === null ? 'No email claim' : `Mailbox ${persona.email}`
  const script = choosing.directory.scriptOf(persona)
  return html`<label class="choice">
<input type="radio" name="persona" value="${persona.id}" required${checked && { markup: ' checked' }}>
<div><strong>${persona.name}</strong><small>Signs in as ${persona.signInName}</small><small>${mailbox}</small>
${script && html`<small>Now: ${script.label}</small>`}</div>
</label>
`
}
