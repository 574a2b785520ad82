/** Starts the counting SMTP server in a thread of its own, so that its work is not counted as the client's. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SinkCounts } from './smtp-sink.ts'

export interface Sink {
  port: number
  /** What was counted since the last call. */
  counts(): Promise<SinkCounts>
  close(): Promise<unknown>
}

export async function startSink(): Promise<Sink> {
  const worker = new Worker(new URL('./smtp-sink.ts', import.meta.url))
  const [{ port }] = await once(worker, 'message')
  return {
    port,
    async counts() {
      const answer = once(worker, 'message')
      worker.postMessage('counts')
      return (await answer)[0]
    },
    close: () => worker.terminate(),
  }
}
