/** Types of the one package that ships none: only the part that the local cloud uses. */

declare module 'dynalite' {
  import type { Server } from 'node:http'

  function dynalite(options: {
    /** Folder of the LevelDB store; absent means in memory. */
    path?: string
    createTableMs?: number
  }): Server
  export = dynalite
}
