import type { KeyProcessAddress } from '../keys/process/protocol.js'

/** What the supervisor says to a worker. */
export type ToWorker =
  /** The answer to its first message: without it nothing is opened. */
  | { readonly orders: WorkerOrders }
  | { readonly stop: { readonly reason: string; readonly isReplaced: boolean } }
  /** Whoever still takes one task after the other answers: also one that is busy. */
  | { readonly ping: true }

/** What all workers of a machine have in common, over a channel nobody else can read. */
export interface WorkerOrders {
  /** Null when each worker opens the token itself. */
  readonly keyProcess: KeyProcessAddress | null
}

export type FromWorker =
  /** It listens to orders now; what is said to it before is lost. */
  | 'at your orders'
  /** It was asked from outside to end, and is to be replaced first. */
  | 'leave'
  | 'pong'
