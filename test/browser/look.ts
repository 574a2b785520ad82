/** Looks at a page as people do: on a phone and at a desk, in light and dark, and through axe's eyes. */

import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** Kept by CI beside the log, to be looked at. */
const artefacts = new URL('../../artefacts/', import.meta.url)
const phonePixels = 320
const deskPixels = 1280

/** A picture of what the window shows, under `artefacts/`. */
export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(artefacts, { recursive: true })
  await page.screenshot({ path: new URL(`${name}.png`, artefacts).pathname })
}

/** Expects that nothing is wider than the window and that axe finds nothing; leaves the window as wide as a desk. */
export async function lookAt(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const width of [phonePixels, deskPixels]) {
      await page.setViewportSize({ width, height: 720 })
      await picture(page, `${name}-${width}-${colorScheme}`)
      const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
      expect(overflow, `${name} scrolls sideways at ${width}`).toBeLessThanOrEqual(0)
      expect(await axeFindings(page), `${name}, ${colorScheme}, ${width}`).toEqual([])
    }
  }
}

async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
  // axe is a global of the page once its source has run there.
  const { violations } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; help: string; nodes: { html: string }[] }[]
  }
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`)
}
