/** smtp-server without its pause before the greeting, or without a greeting, and with replies whose enhanced code is the caller's own. */
import type { Socket } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js'

const gmailRefusal = [
  '5.7.8 Username and Password not accepted. For more information, go to',
  '5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp',
]

class SubmissionConnection extends SMTPConnection {
  /** The library waits 100 ms for clients that talk too soon. Nobody does here, and every test would pay for it. */
  override init(): void {
    this._setListeners(() => this.connectionReady())
  }

  /** The library puts an enhanced code before every text; a text that starts with one already goes out as it is. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    // The library's only 535 of its own comes after the client answered a challenge, and only Gmail challenges.
    const afterChallenge = code === 535 && typeof data === 'string' && data.startsWith('Error:')
    const coded = typeof data === 'string' && /^\d\.\d{1,3}\.\d{1,3} /.test(data)
    super.send(code, afterChallenge ? gmailRefusal : data, afterChallenge || coded ? false : context)
  }
}

/** A submission server; made of a class because the library leaves no other way to change a connection. */
export class SubmissionServer extends SMTPServer {
  /** While it says so, connections are taken and never greeted. */
  isSilent: () => boolean = () => false
  readonly #silent = new Set<Socket>()

  override connect(socket: Socket, options: ConstructorParameters<typeof SMTPConnection>[2]): void {
    if (this.isSilent()) {
      this.#silent.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => this.#silent.delete(socket))
      return
    }
    const connection = new SubmissionConnection(this, socket, options)
    this.connections.add(connection)
    connection.on('error', error => this.emit('error', error))
    connection.init()
  }

  /** Ends what was never greeted, which `close` would wait for. */
  endSilent(): void {
    for (const socket of this.#silent) socket.destroy()
  }
}
