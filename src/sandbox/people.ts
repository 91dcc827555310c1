import { AUTH_OBJECTS, type AuthObject } from '../credentials/auth-object.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'

interface SandboxCredential {
  readonly algorithm: KeyAlgorithm
  readonly description: string
  readonly SCAL: '1' | '2'
  /** Whether approving takes the person's PIN beside the one-time code. */
  readonly withPin?: true
  /** Authorised with credentials/authorize instead of on our pages, by these factors. */
  readonly explicit?: {
    readonly objects: readonly AuthObject[]
    readonly expression: string | null
  }
}

export interface SandboxPerson {
  readonly username: string
  readonly givenName: string
  readonly surname: string
  readonly country: string
  /** E.164. */
  readonly phone: string
  readonly otpAtSignIn: boolean
  readonly credentials: readonly SandboxCredential[]
}

const { PIN, OTP, EMAIL } = AUTH_OBJECTS

const EVERYBODY: readonly SandboxCredential[] = [
  { algorithm: 'p-256', description: 'Signing key (ECDSA P-256)', SCAL: '2' },
  { algorithm: 'rsa-2048', description: 'Signing key (RSA 2048)', SCAL: '2' },
  { algorithm: 'p-384', description: 'Signing key (ECDSA P-384)', SCAL: '2' },
  {
    ...{ algorithm: 'p-256', description: 'Explicit key: PIN and code', SCAL: '2', withPin: true },
    explicit: { objects: [PIN, OTP], expression: 'PIN AND OTP' },
  },
  {
    ...{ algorithm: 'p-256', description: 'Explicit key: PIN', SCAL: '2', withPin: true },
    explicit: { objects: [PIN], expression: null },
  },
]

/** Who lives in the sandbox: people enough to try isolation, keys of every kind, one strict sign-in. */
export const SANDBOX_PEOPLE: readonly SandboxPerson[] = [
  {
    username: 'alice',
    givenName: 'Alice',
    surname: 'Archer',
    country: 'LT',
    phone: '+37060000001',
    otpAtSignIn: false,
    credentials: [
      ...EVERYBODY,
      {
        algorithm: 'p-521',
        description: 'Signing key with PIN (ECDSA P-521)',
        SCAL: '2',
        withPin: true,
      },
      { algorithm: 'rsa-3072', description: 'Signing key (RSA 3072)', SCAL: '2' },
    ],
  },
  {
    username: 'bob',
    givenName: 'Bob',
    surname: 'Baker',
    country: 'DE',
    phone: '+4915100000002',
    otpAtSignIn: false,
    credentials: [
      ...EVERYBODY,
      { algorithm: 'p-256', description: 'Signing key, SCAL 1 (ECDSA P-256)', SCAL: '1' },
      {
        ...{ algorithm: 'p-256', description: 'Explicit key: PIN and a mailed code' },
        ...{ SCAL: '1', withPin: true },
        explicit: { objects: [PIN, EMAIL], expression: 'PIN AND EMAIL' },
      },
    ],
  },
  {
    username: 'carol',
    givenName: 'Carol',
    surname: 'Carpenter',
    country: 'MX',
    phone: '+525500000003',
    otpAtSignIn: true,
    credentials: EVERYBODY,
  },
]

export const SANDBOX_CLIENTS = [
  { id: 'sandbox-app', name: 'Sandbox Signature App' },
  { id: 'sandbox-app-2', name: 'Second Sandbox App' },
] as const

export const SANDBOX_REDIRECT_URIS = [
  'http://127.0.0.1:8799/callback',
  'http://localhost:8799/callback',
]

export const DEMO_CLIENT = { id: 'openrssp-demo', name: 'OpenRSSP Demo' } as const
