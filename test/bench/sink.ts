/** Starts the counting SMTP server in a thread of its own, so that its work is not counted as the client's. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SinkCounts } from './smtp-sink.ts'

export interface Sink {
  port: number
  /** What was counted since the last call. From now on each answer comes this much later. */
  counts(nextDelayMs?: number): Promise<SinkCounts>
  close(): Promise<unknown>
}

/** It speaks TLS from the first byte. */
export async function startSink(certificate: { key: string; cert: string }): Promise<Sink> {
  const worker = new Worker(new URL('./smtp-sink.ts', import.meta.url), { workerData: certificate })
  const [{ port }] = await once(worker, 'message')
  return {
    port,
    async counts(nextDelayMs = 0) {
      const answer = once(worker, 'message')
      worker.postMessage(nextDelayMs)
      return (await answer)[0]
    },
    close: () => worker.terminate(),
  }
}
