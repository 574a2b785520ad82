/** Types of the two packages that ship none: only the parts that the sandbox uses. */

declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface StoredPayload {
    uid?: string
    grantId?: string
    accountId?: string
    consumed?: number
    exp?: number
  }
  export interface Adapter {
    upsert(id: string, payload: StoredPayload, expiresInSeconds?: number): Promise<void>
    find(id: string): Promise<StoredPayload | undefined>
    findByUid(uid: string): Promise<StoredPayload | undefined>
    findByUserCode(userCode: string): Promise<StoredPayload | undefined>
    consume(id: string): Promise<void>
    destroy(id: string): Promise<void>
    revokeByGrantId(grantId: string): Promise<void>
  }
  export interface Context {
    path: string
    status: number
    type: string
    body: unknown
    get(header: string): string
    response: { get(header: string): string | undefined }
    set(header: string, value: string): void
    remove(header: string): void
    oidc: { params?: { scope?: string }; entities: { Account?: { accountId: string } } }
    /** Koa's: false leaves the answer to whoever holds `res`. */
    respond: boolean
    res: ServerResponse
  }
  export interface ProtocolError extends Error {
    error: string
    error_description?: string
    error_detail?: string
    status: number
  }
  export interface Model<T> {
    prototype: T & { consume(): Promise<void>; save(): Promise<string> }
    find(id: string, options?: { ignoreExpiration?: boolean }): Promise<T | undefined>
  }
  export interface IssuedToken {
    accountId: string
    clientId: string
    grantId: string
    scope?: string
    aud?: string
    exp: number
    scopes: Set<string>
  }
  export interface Interaction {
    uid: string
    exp: number
    params: Record<string, string | undefined>
    result?: object
    save(ttlSeconds: number): Promise<string>
    destroy(): Promise<void>
  }
  export interface Grant {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }
  export class Provider {
    constructor(issuer: string, configuration: object)
    issuer: string
    AccessToken: Model<IssuedToken>
    RefreshToken: Model<IssuedToken>
    Interaction: { find(uid: string): Promise<Interaction | undefined> }
    Grant: {
      new (of: { accountId: string; clientId: string }): Grant
      find(id: string): Promise<Grant | undefined>
    }
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): this
    on(event: 'grant.error', listener: (context: Context, error: ProtocolError) => void): this
    on(event: 'server_error', listener: (context: Context, error: Error) => void): this
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
  }
}

declare module 'hoodiecrow-imap' {
  import type { EventEmitter } from 'node:events'
  import type { Server, Socket } from 'node:net'

  export interface Message {
    uid: number
    flags: string[]
    /** As IMAP writes it: `24-Nov-2026 03:17:06 +0000`. */
    internaldate: string
    /** One character for one byte. */
    raw: string
  }
  export interface Folder {
    path: string
    flags: string[]
    uidvalidity: number
    uidnext: number
    messages: Message[]
  }
  export interface Attribute {
    type: 'ATOM' | 'TEXT' | 'STRING' | 'SECTION' | 'LITERAL'
    value?: string
    section?: Attribute[]
  }
  export interface Command {
    tag: string
    command: string
    attributes?: Attribute[]
  }
  export interface Response {
    tag: string
    command?: string
    attributes: Attribute[]
  }
  export interface Connection {
    server: ImapServer
    socket: Socket | null
    state: 'Not Authenticated' | 'Authenticated' | 'Selected' | 'Logout'
    inputHandler: ((line: string) => void) | false
    _notificationCallback: (notification: object) => void
    send(response: Response, description: string, parsed: Command, data: string): void
    scheduleCommand(line: string): void
  }
  export type CommandHandler = (
    connection: Connection,
    parsed: Command,
    data: string,
    callback: () => void,
  ) => void
  export type FetchHandler = (
    connection: Connection,
    message: Message,
    query: { section?: Attribute[]; partial?: number[] },
  ) => unknown
  export interface ImapServer extends EventEmitter {
    server: Server
    fetchHandlers: Record<string, FetchHandler>
    outputHandlers: ((
      connection: Connection,
      response: Response,
      description: string,
      parsed?: Command,
    ) => void)[]
    setCommandHandler(command: string, handler: CommandHandler): void
    registerCapability(keyword: string, handler?: (connection: Connection) => boolean): void
    getMailbox(path: string): Folder | undefined
    appendMessage(
      folder: string,
      flags: string[],
      internaldate: string,
      raw: string,
    ): { mailbox: Folder; message: Message }
    listen(port: number, host: string, callback: () => void): void
    close(callback?: () => void): void
  }
  export interface Options {
    plugins?: string[]
    secureConnection?: boolean
    credentials?: { key: string; cert: string }
    storage?: Record<string, object>
    id?: Record<string, string>
    users?: Record<string, never>
  }
  // biome-ignore lint/style/noDefaultExport: module.exports of a CommonJS package is its default export
  export default function hoodiecrow(options: Options): ImapServer
}

declare module 'hoodiecrow-imap/lib/commands/handlers/fetch.js' {
  import type { FetchHandler } from 'hoodiecrow-imap'

  const fetchHandlers: Record<string, FetchHandler>
  // biome-ignore lint/style/noDefaultExport: module.exports of a CommonJS package is its default export
  export default fetchHandlers
}
