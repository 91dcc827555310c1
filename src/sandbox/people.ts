import { AUTH_OBJECTS, type AuthObject } from '../credentials/auth-object.js'
import type { ApprovalFactor } from '../credentials/credential.js'
import type { KeyAlgorithm } from '../keys/algorithms.js'
import type { GrantType } from '../oauth/client.js'

export interface PlannedCredential {
  readonly algorithm: KeyAlgorithm
  /** No two of one person are alike: it tells which of them a sandbox has already. */
  readonly description: string
  readonly SCAL: '1' | '2'
  /** Whether approving takes the person's PIN beside the one-time code. */
  readonly withPin?: true
  /** How its owner approves on our pages; with a code of the authenticator when absent. */
  readonly approvalFactor?: ApprovalFactor
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
  readonly credentials: readonly PlannedCredential[]
}

/** A kind of signature nobody has a credential for beforehand: everybody gets one as they approve. */
export const ON_THE_FLY = 'za_ecta_oes'

const { PIN, OTP, EMAIL, SMS, PUSH } = AUTH_OBJECTS

const EVERYBODY: readonly PlannedCredential[] = [
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

/** What an application can have signed as often as it likes: nobody waits for a code. */
const BY_PIN: readonly PlannedCredential[] = (
  [
    ['rsa-2048', 'Explicit key: PIN (RSA 2048)', '2'],
    ['p-384', 'Explicit key: PIN (ECDSA P-384)', '2'],
    ['p-256', 'Explicit key: PIN, SCAL 1', '1'],
  ] as const
).map(([algorithm, description, SCAL]) => ({
  ...{ algorithm, description, SCAL, withPin: true },
  explicit: { objects: [PIN], expression: null },
}))

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
      {
        ...{ algorithm: 'p-256', description: 'Signing key, approved by code from an e-mail' },
        ...{ SCAL: '2', approvalFactor: 'email' },
      },
      {
        ...{ algorithm: 'p-256', description: 'Signing key, approved by code from a text message' },
        ...{ SCAL: '2', approvalFactor: 'sms' },
      },
      {
        ...{ algorithm: 'p-256', description: 'Explicit key: confirmed on another device' },
        ...{ SCAL: '2', explicit: { objects: [PUSH], expression: null } },
      },
      {
        ...{ algorithm: 'p-256', description: 'Explicit key: PIN and a mailed code' },
        ...{ SCAL: '2', withPin: true },
        explicit: { objects: [PIN, EMAIL], expression: 'PIN AND EMAIL' },
      },
      {
        ...{ algorithm: 'p-256', description: 'Explicit key: PIN and a code by text message' },
        ...{ SCAL: '2', withPin: true },
        explicit: { objects: [PIN, SMS], expression: 'PIN AND SMS' },
      },
      {
        ...{ algorithm: 'p-256', description: 'Explicit key: PIN, and a code of either kind' },
        ...{ SCAL: '2', withPin: true },
        explicit: { objects: [PIN, OTP, SMS], expression: 'PIN AND (OTP OR SMS)' },
      },
      ...BY_PIN,
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
      ...BY_PIN,
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

/** The account seals are issued to. Nobody signs in as it. */
export const SEAL_OWNER = {
  ...{ id: 'sandbox-acme', username: 'acme', displayName: 'Acme Widgets' },
  ...{ givenName: 'Acme', surname: 'Widgets', country: 'LT' },
} as const

export const SANDBOX_SEALS = [
  { description: 'Seal: the application’s token and a PIN', withPin: true },
  { description: 'Seal: the application’s token alone', withPin: false },
] as const

const FOR_PEOPLE = ['authorization_code', 'refresh_token'] as const

/** The one that holds the seals. */
export const SEAL_CLIENT_ID = 'sandbox-seal-app'

interface PlannedClient {
  readonly id: string
  readonly name: string
  readonly grantTypes: readonly GrantType[]
}

export const SANDBOX_CLIENTS: readonly PlannedClient[] = [
  { id: 'sandbox-app', name: 'Sandbox Signature App', grantTypes: FOR_PEOPLE },
  { id: 'sandbox-app-2', name: 'Second Sandbox App', grantTypes: FOR_PEOPLE },
  {
    ...{ id: SEAL_CLIENT_ID, name: 'Sandbox Sealing App' },
    grantTypes: [...FOR_PEOPLE, 'client_credentials'],
  },
]

export const SANDBOX_REDIRECT_URIS = [
  'http://127.0.0.1:8799/callback',
  'http://localhost:8799/callback',
]

export const DEMO_CLIENT = { id: 'openrssp-demo', name: 'OpenRSSP Demo' } as const
