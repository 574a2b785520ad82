/** Every way in which the two axes of a channel's health move. What is not in the tables does not happen. */

import type { Channel } from './channels.ts'
import type { EventType } from './events.ts'
import type { PostroomError } from './faults.ts'

export type AuthState = Channel['auth']['state']
type ConnectionState = 'ok' | 'backing_off'

interface Transition<State, Occasion> {
  on: Occasion
  from: readonly State[]
  to: State
  /** Told once, with the move. */
  tell: EventType | null
}

/** What proves something about the sign-in. */
export type Proof = 'person_needed' | 'setting_in_the_way' | 'proven' | 'consented'

/** A reconnect that is needed is not hidden by a setting in the way: the owner must act in any case. */
export const authTransitions: readonly Transition<AuthState, Proof>[] = [
  {
    on: 'person_needed',
    from: ['connected', 'blocked_by_admin', 'app_fault'],
    to: 'reconnect_required',
    tell: 'channel.reconnect_required',
  },
  {
    on: 'setting_in_the_way',
    from: ['connected', 'blocked_by_admin', 'app_fault'],
    to: 'blocked_by_admin',
    tell: 'channel.blocked',
  },
  {
    on: 'proven',
    from: ['reconnect_required', 'blocked_by_admin', 'app_fault'],
    to: 'connected',
    tell: 'channel.recovered',
  },
  {
    on: 'consented',
    from: ['connected', 'reconnect_required', 'blocked_by_admin', 'app_fault'],
    to: 'connected',
    tell: 'channel.reconnected',
  },
]

/** Outages, throttles and doubts. None of them ever tells anybody to sign in. */
export const connectionTransitions: readonly Transition<ConnectionState, 'failed' | 'worked' | 'overdue'>[] =
  [
    { on: 'failed', from: ['ok', 'backing_off'], to: 'backing_off', tell: null },
    { on: 'overdue', from: ['backing_off'], to: 'backing_off', tell: 'channel.overdue' },
    { on: 'worked', from: ['backing_off'], to: 'ok', tell: null },
  ]

export function authTransition(from: AuthState, on: Proof) {
  return authTransitions.find(row => row.on === on && row.from.includes(from))
}

/** What a fault proves once it is believed; null for those that only make a channel rest. */
export function proofIn({ row: { action, actor } }: PostroomError): Proof | null {
  if (action === 'reconnect') return 'person_needed'
  if (action === 'park' && actor !== 'operator') return 'setting_in_the_way'
  return null
}
