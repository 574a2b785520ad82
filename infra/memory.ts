/** Memory of each function: with it comes its share of a CPU, and its price. */

import type { FunctionFolder } from './privileges.ts'

export const memoryMegabytes: Record<FunctionFolder | 'console', number> = {
  connect: 512,
  api: 512,
  /** A mail of 25 MB passes through. */
  send: 512,
  schedule: 256,
  fetch: 512,
  notify: 256,
  console: 256,
}
