import type { Gate } from '../admission/gate.js'
import type { Activations } from '../activation/activations.js'
import type { ApprovalRequests } from '../activation/approval-requests.js'
import type { Config } from '../config/schema.js'
import type { Credentials } from '../credentials/credentials.js'
import type { ManagedCredentials } from '../credentials/managed-credentials.js'
import type { Deposits } from '../documents/deposits.js'
import type { Departure } from '../http/departure.js'
import type { DpopNonces } from '../http/dpop-nonces.js'
import { defineEndpoint } from '../http/endpoint.js'
import type { AccessTokens } from '../http/bearer.js'
import type { Accounts } from '../identity/accounts.js'
import type { SentCodes } from '../identity/sent-codes.js'
import type { SigningFactors } from '../identity/signing-factors.js'
import type { ClientStore } from '../oauth/client.js'
import type { PasswordSignIn } from '../oauth/password-sign-in.js'
import type { TokenRevocation } from '../oauth/token-revocation.js'
import type { Metrics } from '../observability/metrics.js'
import type { DocumentReferences } from '../documents/document-references.js'
import type { Documents } from '../documents/documents.js'
import type { DocumentJobs } from '../signing/document-jobs.js'
import type { Signing } from '../signing/signing.js'
import type { SigningJobs } from '../signing/signing-jobs.js'
import type { TimestampSource } from '../timestamping/timestamp-source.js'
import type { Transactions } from '../transactions/transactions.js'

/** What the methods of the CSC API call. */
export interface CscServices {
  readonly config: Config
  readonly credentials: Credentials
  readonly managedCredentials: ManagedCredentials
  readonly activations: Activations
  readonly signing: Signing
  readonly signingJobs: SigningJobs
  readonly documents: Documents
  readonly documentReferences: DocumentReferences
  readonly documentJobs: DocumentJobs
  readonly tokens: AccessTokens
  /** Null when DPoP proofs need no nonce. */
  readonly dpopNonces: DpopNonces | null
  readonly transactions: Transactions
  readonly approvals: ApprovalRequests
  readonly deposits: Deposits
  /** Null when nobody gives timestamps. */
  readonly timestamps: TimestampSource | null
  readonly accounts: Accounts
  readonly clients: Pick<ClientStore, 'find'>
  readonly factors: SigningFactors
  readonly sentCodes: SentCodes
  readonly revocation: TokenRevocation
  readonly passwordSignIn: PasswordSignIn
  readonly departure: Departure
  /** Through which requests pass, application by application. */
  readonly gate: Gate
  readonly metrics: Metrics
  /** Names of the methods that are mounted, for `info`. */
  readonly methods: readonly string[]
  readonly now: () => Date
}

export const defineCscEndpoint = defineEndpoint<CscServices>()
