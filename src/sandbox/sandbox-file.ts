import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ApprovalFactor, Credential } from '../credentials/credential.js'

/**
 * `sandbox.json`: what scripts of any language need to try the service (docs/sandbox.md). Names may be
 * added; those that are there never change.
 */
export interface SandboxFile {
  readonly baseUrl: string
  readonly csc: string
  readonly issuer: string
  /** Folder with a file for every e-mail and text message. */
  readonly outbox: string
  readonly clients: readonly SandboxClient[]
  readonly users: readonly SandboxUser[]
  readonly seals: readonly SandboxSeal[]
}

export interface SandboxClient {
  readonly client_id: string
  readonly client_secret: string
  readonly redirect_uris: readonly string[]
}

export interface SandboxUser {
  readonly userID: string
  readonly username: string
  readonly password: string
  readonly pin: string
  readonly totpSecret: string
  readonly email: string
  /** E.164. */
  readonly phone: string
  /** Whether signing in takes a one-time code beside the password. */
  readonly otpAtSignIn: boolean
  readonly credentialIDs: readonly string[]
  readonly credentials: readonly SandboxCredential[]
}

export interface SandboxCredential {
  readonly credentialID: string
  readonly algorithm: string
  readonly SCAL: string
  readonly pinRequired: boolean
  readonly authMode: string
  readonly description: string
  /** How its owner approves on our pages; null where the application collects all factors. */
  readonly approval: ApprovalFactor | null
  /** What `credentials/authorize` takes, by id; empty unless `authMode` is `explicit`. */
  readonly objects: readonly string[]
  /** How they combine; null for all of them. */
  readonly expression: string | null
}

export interface SandboxSeal extends SandboxCredential {
  /** The application it belongs to, with tokens of `client_credentials`. */
  readonly client_id: string
  /** The account it was issued to. */
  readonly userID: string
  readonly pin: string | null
}

/** What a sandbox of an earlier version may have written. */
export type KnownSandbox = Omit<SandboxFile, 'outbox' | 'seals' | 'users'> & {
  readonly seals?: SandboxFile['seals']
  readonly users: readonly KnownUser[]
}

export type KnownUser = Omit<SandboxUser, 'userID' | 'phone' | 'credentials'> & {
  readonly userID?: string
  readonly phone?: string
  readonly credentials: readonly (Partial<SandboxCredential> & { readonly credentialID: string })[]
}

export function readSandboxFile(file: string): KnownSandbox | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as KnownSandbox) : null
}

/** Whole or not at all, and for its owner only: it holds passwords. */
export function writePrivately(file: string, content: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

export function describeCredential(credential: Credential): SandboxCredential {
  const { id, keyAlgorithm, SCAL, pinHash, authMode, description, authObjects } = credential
  const isConfirmedByUs =
    authMode === 'oauth2code' || authObjects.some(({ type }) => type === 'PasswordOOB')
  return {
    ...{ credentialID: id, algorithm: keyAlgorithm, SCAL, pinRequired: pinHash !== null },
    ...{ authMode, description },
    approval: isConfirmedByUs ? (credential.approvalFactor ?? 'otp') : null,
    objects: authObjects.map((object) => object.id),
    expression: credential.authExpression,
  }
}
