/** What choosing a script does: what lasts, what holds for one sign-in, what happens at once. */
import type { Directory } from './directory.ts'
import { RequestError } from './http-exchange.ts'
import { html, type Markup } from './markup.ts'
import type { Persona, ProviderId } from './personas.ts'
import { type Script, scriptGroups, scripts } from './scripts.ts'
import { type KeyRing, keyOwnerOf } from './signing-keys.ts'

/** What a choice works on. */
export interface Choosing {
  directory: Directory
  keys: KeyRing
}

/** The field's value that leaves the persona's script as it is; so does a form without the field. */
const keep = 'keep'

/**
 * The script with the id, for a persona of the provider.
 *
 * @throws {RequestError} 400 naming `script`
 */
export function scriptNamed(id: string, provider: ProviderId): Script {
  const script = scripts.find(candidate => candidate.id === id && candidate.providers.includes(provider))
  if (!script)
    throw new RequestError(`script must be one of the ids at /scripts that ${provider} knows`, {
      status: 400,
      field: 'script',
    })
  return script
}

/** Makes the persona follow the script until another choice; undefined is as usual. A rotation happens here and is over. */
export async function chooseScript(
  { directory, keys }: Choosing,
  { persona, script }: { persona: Persona; script: Script | undefined },
): Promise<void> {
  if (script?.rotatesKey) await keys.rotate(keyOwnerOf(persona))
  directory.follow(persona, script?.rotatesKey ? undefined : script)
}

/**
 * The script of one sign-in. A choice in the consent form replaces what the persona followed; if it ends the sign-in
 * it is over with it, otherwise it lasts. Without a choice the lasting one goes on, unless a consent ends it.
 *
 * @param chosen the form's field `script`: an id, empty for as usual, null where the form has none
 * @throws {RequestError} 400 naming `script`
 */
export async function scriptForSignIn(
  choosing: Choosing,
  { persona, chosen }: { persona: Persona; chosen: string | null },
): Promise<Script | undefined> {
  const { directory } = choosing
  if (chosen === null || chosen === keep) {
    const lasting = directory.scriptOf(persona)
    if (!lasting?.endsWithConsent) return lasting
    directory.follow(persona, undefined)
    return undefined
  }
  const script = chosen === '' ? undefined : scriptNamed(chosen, persona.provider)
  await chooseScript(choosing, { persona, script: script?.ending ? undefined : script })
  return script
}

/** The options of a `<select name="script">`. `keeping` adds the choice to leave things as they are. */
export function scriptOptions(of: {
  provider: ProviderId
  selected: Script | undefined
  keeping: boolean
}): Markup {
  const { provider, selected, keeping } = of
  return html`<option value="">As usual</option>
${keeping && html`<option value="${keep}">As the account has it now</option>`}
${scriptGroups.map(
  group => html`<optgroup label="${group.label}">
${group.scripts
  .filter(({ providers }) => providers.includes(provider))
  .map(
    ({ id, label }) =>
      html`<option value="${id}"${id === selected?.id && { markup: ' selected' }}>${label}</option>`,
  )}
</optgroup>`,
)}`
}
