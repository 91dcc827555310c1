import type { HashName, KeyAlgorithm } from '../../keys/algorithms.js'
import type { AuthorityName, ServiceName } from './authority-store.js'

/** What kind of key an authority or a service of ours gets when it is made, and how it signs. */
export interface OwnKey {
  readonly algorithm: KeyAlgorithm
  /** The one that fits the strength of the key when absent. */
  readonly hash?: HashName | undefined
}

export type OwnKeys = Readonly<Record<AuthorityName | ServiceName, OwnKey>>

export const DEFAULT_OWN_KEYS: OwnKeys = {
  root: { algorithm: 'p-384' },
  issuing: { algorithm: 'p-384' },
  ocsp: { algorithm: 'p-256' },
  tsa: { algorithm: 'p-256' },
}
